//! What each sort of caller sees of a state of a lake; made once for each and then remembered.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::NaiveDate;
use datafusion::catalog::TableProvider;
use datafusion::common::{DataFusionError, ParamValues, ScalarValue};
use datafusion::execution::context::SQLOptions;
use datafusion::prelude::DataFrame;
use pipeline::access::Access;
use pipeline::metric::{Catalogue, Scope};
use pipeline::pseudonym::Identities;
use pipeline::query::{Guarded, View};
use tokio::sync::OnceCell;

use crate::caller::{Caller, Deed};
use crate::clock::Clock;
use crate::sql_door::postgres::{self, Postgres};
use crate::sql_door::{Limits, Parameters, Refused, Statement, size};

/// Sorts of callers and states that are remembered; a unit's account is a sort of its own.
const REMEMBERED_MAX: usize = 64;

/// What a door must know to show a caller what is theirs.
#[derive(Debug)]
pub struct Sight {
    identities: Identities,
    catalogue: Catalogue,
    clock: Clock,
    audit_log: Option<Arc<dyn TableProvider>>,
    remembered: Mutex<Vec<Remembered>>,
}

#[derive(Debug, Clone)]
struct Remembered {
    fingerprint: String,
    today: NaiveDate,
    seen: Arc<Seen>,
}

/// What a sort of caller sees.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) guarded: Guarded,
    /// Made when somebody asks about the catalog.
    postgres: OnceCell<Postgres>,
}

impl Seen {
    /// Plans a query in a session of its own.
    pub(super) async fn plan(
        &self,
        caller: &Caller,
        limits: Limits,
        statement: &Statement,
    ) -> Result<DataFrame, DataFusionError> {
        let session = self
            .guarded
            .session(limits.memory_bytes, limits.spill_bytes)
            .map_err(|error| DataFusionError::External(error.into()))?;
        let mut sql = Cow::Borrowed(statement.sql.as_str());
        if postgres::is_about_catalog(&sql) {
            let catalog = self.postgres.get_or_try_init(|| Postgres::of(&self.guarded)).await?;
            catalog.equip(&session, caller)?;
            // What cannot be read is refused below, with its place.
            if let Some(rewritten) = postgres::rewritten(&sql, &self.guarded) {
                sql = Cow::Owned(rewritten);
            }
        }
        let read_only = SQLOptions::new()
            .with_allow_ddl(false)
            .with_allow_dml(false)
            .with_allow_statements(false);
        let state = session.state();
        let parsed = state.sql_to_statement(&sql, &state.config_options().sql_parser.dialect)?;
        size::check(&parsed)?;
        let plan = state.statement_to_plan(parsed).await?;
        read_only.verify_plan(&plan)?;
        let frame = session.execute_logical_plan(plan).await?;
        match &statement.parameters {
            Parameters::None => Ok(frame),
            Parameters::ByPosition(values) => frame.with_param_values(values.clone()),
            Parameters::ByName(values) => {
                let values: Vec<(&str, ScalarValue)> =
                    values.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
                frame.with_param_values(ParamValues::from(values))
            }
        }
    }
}

impl Sight {
    /// `identities` is what is shown to those who may not see who persons and parties are, `audit_log` to those who may
    /// read the audit log.
    pub fn new(
        identities: Identities,
        catalogue: Catalogue,
        clock: Clock,
        audit_log: Option<Arc<dyn TableProvider>>,
    ) -> Self {
        Self { identities, catalogue, clock, audit_log, remembered: Mutex::default() }
    }

    /// What a caller may see. Fails when the account's scope is none of the lake's.
    pub fn access(&self, caller: &Caller, view: &View) -> Result<Access, Refused> {
        let orgs = caller.scope.as_deref().map(|scope| {
            let scopes = view.tree().resolve(scope).map_err(|_| {
                Refused::Forbidden(format!(
                    "the scope `{scope}` of the account `{}` is none of this lake; correct the account",
                    caller.name
                ))
            })?;
            let members = scopes.into_iter().flat_map(|scope| scope.members);
            Ok::<_, Refused>(Arc::new(members.map(|(org_id, _)| org_id).collect::<BTreeSet<_>>()))
        });
        let identities = if caller.may(Deed::SeeIdentities) {
            Identities::Shown
        } else {
            self.identities.clone()
        };
        Ok(Access {
            identities,
            orgs: orgs.transpose()?,
            rows: caller.may(Deed::ReadRows),
            // It tells of the whole lake.
            audit: caller.may(Deed::ReadAudit) && caller.scope.is_none(),
        })
    }

    /// Whether numbers of scopes may be asked by a caller who is kept to one.
    pub fn check_scopes(
        &self,
        caller: &Caller,
        view: &View,
        scopes: &[Scope],
    ) -> Result<(), Refused> {
        let access = self.access(caller, view)?;
        match scopes.iter().find(|scope| !access.covers(scope.org_ids())) {
            None => Ok(()),
            Some(scope) => Err(Refused::Forbidden(format!(
                "the scope `{}` is not within that of the account `{}`",
                scope.scope_id, caller.name
            ))),
        }
    }

    /// The tables of a state as a caller sees them, to tell what they are.
    pub async fn guarded(&self, caller: &Caller, view: &Arc<View>) -> Result<Guarded, Refused> {
        Ok(self.of(caller, view).await?.guarded.clone())
    }

    /// A state of the lake as a caller sees it.
    pub(super) async fn of(&self, caller: &Caller, view: &Arc<View>) -> Result<Arc<Seen>, Refused> {
        if !caller.may(Deed::ReadMetrics) {
            return Err(Refused::Forbidden(format!(
                "accounts of role {} do not read; ask for one of role viewer or analyst",
                caller.role
            )));
        }
        let access = self.access(caller, view)?;
        let today = self.clock.today(view.zone());
        let is_wanted = |known: &Remembered| {
            known.fingerprint == view.fingerprint()
                && known.today == today
                && *known.seen.guarded.access() == access
        };
        let known = self.lock().iter().find(|known| is_wanted(known)).cloned();
        if let Some(known) = known {
            return Ok(known.seen);
        }
        let audit_log = self.audit_log.as_ref();
        let guarded = Guarded::new(view, &access, &self.catalogue, today, audit_log)
            .await
            .map_err(|error| Refused::Failed(error.to_string()))?;
        let seen = Arc::new(Seen { guarded, postgres: OnceCell::new() });
        let mut remembered = self.lock();
        // A newer state makes the others old.
        remembered.retain(|known| known.fingerprint == view.fingerprint() && known.today == today);
        if remembered.len() >= REMEMBERED_MAX {
            remembered.remove(0);
        }
        remembered.push(Remembered {
            fingerprint: view.fingerprint().to_owned(),
            today,
            seen: Arc::clone(&seen),
        });
        Ok(seen)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Remembered>> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
