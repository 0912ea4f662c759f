//! Statements that clients have prepared. Flight SQL has no connections, so each is kept until it has not been used for a
//! while.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arrow::array::{Array as _, ArrayRef, RecordBatch};
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use arrow_flight::sql::server::PeekableFlightDataStream;
use datafusion::scalar::ScalarValue;
use futures::stream::TryStreamExt as _;
use tonic::Status;

use crate::sql_door::{Parameters, Statement};

/// How long an unused statement is kept. Defined here.
pub(super) const KEPT_FOR: Duration = Duration::from_secs(60 * 60);

/// Statements that are kept of one account: one more lets go of the one that has not been used for longest.
const OF_AN_ACCOUNT_MAX: usize = 50;

/// Statements that are kept in all.
const KEPT_MAX: usize = 500;

/// The most that the values of a statement may take.
const VALUES_BYTES_MAX: usize = 1 << 20;

/// The statements that are kept.
#[derive(Debug, Default)]
pub(super) struct PreparedStatements(Mutex<HashMap<String, Prepared>>);

#[derive(Debug)]
struct Prepared {
    owner: String,
    sql: String,
    values: Vec<ScalarValue>,
    used: Instant,
}

impl PreparedStatements {
    /// Keeps a statement of an account, and gives the handle under which it is found.
    pub(super) fn keep(&self, owner: &str, sql: String) -> Result<String, Status> {
        let now = Instant::now();
        let mut kept = self.lock();
        kept.retain(|_, prepared| now - prepared.used < KEPT_FOR);
        let own = || kept.iter().filter(|(_, prepared)| prepared.owner == owner);
        if own().count() >= OF_AN_ACCOUNT_MAX {
            let oldest = own().min_by_key(|(_, prepared)| prepared.used);
            let oldest = oldest.map(|(handle, _)| handle.clone());
            oldest.and_then(|handle| kept.remove(&handle));
        }
        if kept.len() >= KEPT_MAX {
            return Err(Status::resource_exhausted(format!(
                "{KEPT_MAX} statements are prepared already; close some, or ask without preparing"
            )));
        }
        let handle = uuid::Uuid::new_v4().to_string();
        let prepared = Prepared { owner: owner.to_owned(), sql, values: Vec::new(), used: now };
        kept.insert(handle.clone(), prepared);
        Ok(handle)
    }

    /// Gives a statement the values of its parameters.
    pub(super) fn bind(
        &self,
        owner: &str,
        handle: &str,
        values: Vec<ScalarValue>,
    ) -> Result<(), Status> {
        self.with(owner, handle, |prepared| prepared.values = values)
    }

    /// A statement with the values that it was given last.
    pub(super) fn statement(&self, owner: &str, handle: &str) -> Result<Statement, Status> {
        self.with(owner, handle, |prepared| {
            let parameters = match prepared.values.as_slice() {
                [] => Parameters::None,
                values => Parameters::ByPosition(values.to_vec()),
            };
            Statement { sql: prepared.sql.clone(), parameters, wall_time: None }
        })
    }

    /// Lets go of a statement, if it is still kept.
    pub(super) fn forget(&self, owner: &str, handle: &str) {
        let mut kept = self.lock();
        if kept.get(handle).is_some_and(|prepared| prepared.owner == owner) {
            kept.remove(handle);
        }
    }

    fn with<T>(
        &self,
        owner: &str,
        handle: &str,
        act: impl FnOnce(&mut Prepared) -> T,
    ) -> Result<T, Status> {
        let now = Instant::now();
        let mut kept = self.lock();
        let prepared = kept.get_mut(handle).filter(|prepared| {
            // Whoever learns the handle of another must not learn the statement.
            prepared.owner == owner && now - prepared.used < KEPT_FOR
        });
        let prepared = prepared.ok_or_else(|| {
            Status::not_found("the statement is no longer prepared; prepare it again")
        })?;
        prepared.used = now;
        Ok(act(prepared))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Prepared>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the values of parameters from what a client sends: one row of them.
pub(super) async fn read_values(
    sent: PeekableFlightDataStream,
) -> Result<Vec<ScalarValue>, Status> {
    let sent = sent.map_err(FlightError::from);
    let mut batches = FlightRecordBatchStream::new_from_flight_data(sent);
    let mut values = Vec::new();
    while let Some(batch) = batches.try_next().await.map_err(unreadable)? {
        if batch.num_rows() == 0 {
            continue;
        }
        if batch.num_rows() > 1 || !values.is_empty() {
            return Err(Status::invalid_argument(
                "a query takes one row of parameters at a time; ask once for each row",
            ));
        }
        values = row(&batch)?;
    }
    Ok(values)
}

fn row(batch: &RecordBatch) -> Result<Vec<ScalarValue>, Status> {
    let bytes: usize = batch.columns().iter().map(|column| column.get_array_memory_size()).sum();
    if bytes > VALUES_BYTES_MAX {
        return Err(Status::resource_exhausted(format!(
            "the values of the parameters take more than {} MB",
            VALUES_BYTES_MAX >> 20
        )));
    }
    let value = |column: &ArrayRef| ScalarValue::try_from_array(column, 0).map_err(unreadable);
    batch.columns().iter().map(value).collect()
}

fn unreadable(error: impl std::fmt::Display) -> Status {
    Status::invalid_argument(format!("the parameters cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prepared_statement_is_its_owner_s_alone_and_remembers_its_values() {
        let kept = PreparedStatements::default();
        let handle = kept.keep("wang", "select $1".to_owned()).unwrap();
        kept.bind("wang", &handle, vec![ScalarValue::from(7_i64)]).unwrap();
        let Parameters::ByPosition(values) = kept.statement("wang", &handle).unwrap().parameters
        else {
            panic!("the values are gone");
        };
        assert_eq!(values, [ScalarValue::from(7_i64)]);
        assert!(kept.statement("li", &handle).is_err());
        kept.forget("li", &handle);
        assert_eq!(kept.statement("wang", &handle).unwrap().sql, "select $1");
        kept.forget("wang", &handle);
        assert!(kept.statement("wang", &handle).is_err());
    }

    #[test]
    fn an_account_that_prepares_without_end_loses_its_own_oldest_and_nobody_else_s() {
        let kept = PreparedStatements::default();
        let of_li = kept.keep("li", "select 1".to_owned()).unwrap();
        let handles: Vec<String> = (0..=OF_AN_ACCOUNT_MAX)
            .map(|number| kept.keep("wang", format!("select {number}")).unwrap())
            .collect();
        assert!(kept.statement("wang", &handles[0]).is_err());
        assert!(handles[1..].iter().all(|handle| kept.statement("wang", handle).is_ok()));
        assert!(kept.statement("li", &of_li).is_ok());
    }

    #[test]
    fn there_is_an_end_to_what_all_accounts_prepare_together() {
        let kept = PreparedStatements::default();
        let keep = |number: usize| {
            kept.keep(&format!("a{}", number % 20), "select 1".to_owned()).map(|_| ())
        };
        assert!((0..KEPT_MAX).all(|number| keep(number).is_ok()));
        assert_eq!(keep(KEPT_MAX + 7).unwrap_err().code(), tonic::Code::ResourceExhausted);
    }
}
