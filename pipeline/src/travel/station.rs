//! What a process needs to run parts of the plans of others on a lake.

use std::sync::Arc;

use datafusion::common::exec_err;
use datafusion::error::DataFusionError;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{FunctionRegistry as _, SessionState};
use datafusion::logical_expr::{AggregateUDF, ScalarUDF};
use hashbrown::HashMap;
use tokio::sync::{Mutex, OnceCell};

use super::{Carried, DataResult, LakeOnly};
use crate::access::Veil;
use crate::bitmap::{OfficerNos, PeriodSets};
use crate::definition::Definitions;
use crate::dictionary::{Dictionary, Guard};
use crate::error::{Error, Result};
use crate::lake::Lake;
use crate::location::Location;
use crate::pseudonym::Identities;
use crate::{query, refresh};

/// What of the definitions the functions of plans know, in a few letters: processes that run plans together have the same.
pub fn functions_fingerprint(definitions: &Definitions) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    for file in ["reference/calendar.csv", "reference/event_types.csv"] {
        hasher.update(definitions.file(file)?.as_bytes());
        hasher.update(&[0]);
    }
    Ok(hasher.finalize().to_hex()[..12].to_owned())
}

/// A version of the dictionary of officers, and what it says.
type Numbers = (u64, Arc<HashMap<String, i64>>);

/// A lake and the functions of its plans.
#[derive(Debug)]
pub struct Station {
    location: Location,
    dictionary: Arc<Dictionary>,
    functions: SessionState,
    identities: OnceCell<Identities>,
    numbers: Mutex<Option<Numbers>>,
}

impl Station {
    /// Opens a lake that exists.
    pub async fn open(location: impl Into<Location>, definitions: &Definitions) -> Result<Self> {
        let lake = Lake::open(location).await?;
        let runtime = RuntimeEnvBuilder::new().build_arc().map_err(Error::query("the runtime"))?;
        let calendar = query::working_days(definitions)?;
        Ok(Self {
            location: lake.location().clone(),
            dictionary: Arc::new(Dictionary::load(definitions)?),
            functions: query::new_context(&runtime, lake.zone(), &calendar).state(),
            identities: OnceCell::new(),
            numbers: Mutex::default(),
        })
    }

    /// The stores for what plans read: the lake and nothing else.
    pub fn stores(&self) -> Result<LakeOnly> {
        Ok(LakeOnly(self.location.store()?))
    }

    /// Gives a session the functions of a plan.
    ///
    /// Fails when the lake's pseudonyms are made with another key, or its dictionary of officers cannot be read.
    pub async fn equip(&self, state: &mut SessionState, carried: &Carried) -> DataResult<()> {
        for function in self.functions.scalar_functions().values() {
            let function = Arc::clone(function);
            let function = if carried.is_bounded { query::bounded(function) } else { function };
            state.register_udf(function)?;
        }
        state.register_udf(query::joined())?;
        state.register_udf(Arc::new(refresh::share_of()))?;
        for function in self.functions.aggregate_functions().values() {
            state.register_udaf(Arc::clone(function))?;
        }
        for function in self.functions.window_functions().values() {
            state.register_udwf(Arc::clone(function))?;
        }
        let periods = carried.periods.iter().map(|(start, end)| *start..*end);
        state.register_udaf(Arc::new(AggregateUDF::from(PeriodSets::new(periods))))?;
        for guard in Guard::ALL {
            let identities = self.identities(guard, carried).await?;
            let veil = identities.map(|identities| Veil::new(guard, &identities, &self.dictionary));
            if let Some(veil) = veil {
                state.register_udf(Arc::new(ScalarUDF::from(veil)))?;
            }
        }
        if let Some(version) = carried.officer_numbers {
            let numbers = self.numbers(version).await?;
            let function = OfficerNos::new(numbers, Some(version));
            state.register_udf(Arc::new(ScalarUDF::from(function)))?;
        }
        Ok(())
    }

    /// What a veil makes pseudonyms with; `None` when the plan has none.
    async fn identities(&self, guard: Guard, carried: &Carried) -> DataResult<Option<Identities>> {
        let Some(expected) = &carried.pseudonyms else { return Ok(None) };
        if !matches!(guard, Guard::Officer | Guard::Party) {
            return Ok(Some(Identities::Shown));
        }
        let read = || Identities::pseudonyms_of(&self.location);
        let identities = self.identities.get_or_try_init(read).await.map_err(external)?;
        if identities.fingerprint().as_ref() != Some(expected) {
            return exec_err!("this worker's lake has another key of pseudonyms");
        }
        Ok(Some(identities.clone()))
    }

    async fn numbers(&self, version: u64) -> DataResult<Arc<HashMap<String, i64>>> {
        let mut known = self.numbers.lock().await;
        if let Some((_, numbers)) = known.as_ref().filter(|(known, _)| *known == version) {
            return Ok(Arc::clone(numbers));
        }
        let batches = refresh::officer_numbers_at(&self.location, version).await;
        let numbers = refresh::numbers_by_id(&batches.map_err(external)?);
        *known = Some((version, Arc::clone(&numbers)));
        Ok(numbers)
    }
}

fn external(error: Error) -> DataFusionError {
    DataFusionError::External(error.into())
}
