//! The one door to SQL for people: read-only and bounded.
//!
//! Every query of a user goes through [`run`], whatever surface it came by. A plan that writes,
//! changes settings or reads files of the host is refused before it runs.

use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::error::DataFusionError;
use datafusion::execution::context::SQLOptions;
use futures::StreamExt;
use pipeline::query::View;

/// What one query may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Wall time for planning, running and collecting.
    pub wall_time: Duration,
    /// Rows of the result.
    pub rows: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { wall_time: Duration::from_secs(30), rows: 1_000_000 }
    }
}

/// Why a query gave no result.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The statement is wrong, or does what a reader may not do.
    #[error("{0}")]
    Statement(String),
    /// The query took too long.
    #[error("the query took longer than {} s; narrow its period or its scope", .0.as_secs())]
    TooLong(Duration),
    /// The result is too large.
    #[error("the result has more than {0} rows; aggregate, or add a limit")]
    TooManyRows(usize),
    /// The engine failed.
    #[error("{0}")]
    Failed(String),
}

/// The result of a query.
#[derive(Debug, Clone)]
pub struct Rows {
    /// The columns, also when there are no rows.
    pub schema: SchemaRef,
    /// The rows.
    pub batches: Vec<RecordBatch>,
}

/// Runs one query on a view of the lake.
///
/// Refused are statements other than queries: DDL, DML, COPY, SET and several statements at once.
pub async fn run(view: &View, sql: &str, limits: Limits) -> Result<Rows, Refused> {
    match tokio::time::timeout(limits.wall_time, collect(view, sql, limits)).await {
        Ok(result) => result,
        Err(_) => Err(Refused::TooLong(limits.wall_time)),
    }
}

async fn collect(view: &View, sql: &str, limits: Limits) -> Result<Rows, Refused> {
    let read_only =
        SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    let session = view.session().map_err(|error| Refused::Failed(error.to_string()))?;
    let frame = session.sql_with_options(sql, read_only).await.map_err(refused)?;
    let mut stream = frame.execute_stream().await.map_err(refused)?;
    let schema = stream.schema();
    let (mut batches, mut rows) = (Vec::new(), 0);
    while let Some(batch) = stream.next().await {
        let batch = batch.map_err(refused)?;
        rows += batch.num_rows();
        if rows > limits.rows {
            return Err(Refused::TooManyRows(limits.rows));
        }
        batches.push(batch);
    }
    Ok(Rows { schema, batches })
}

fn refused(error: DataFusionError) -> Refused {
    let error = error.find_root();
    let message = error.strip_backtrace();
    match error {
        DataFusionError::Plan(_)
        | DataFusionError::SQL(_, _)
        | DataFusionError::SchemaError(_, _)
        | DataFusionError::Diagnostic(_, _)
        | DataFusionError::NotImplemented(_) => Refused::Statement(message),
        _ => Refused::Failed(message),
    }
}
