//! The audit log for SQL: the rows of the table, and those that are not in it yet.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{MemTable, Session, TableProvider};
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::union::UnionExec;

use super::{AuditLog, Row, row};

/// The log as a table.
#[derive(Debug)]
pub(super) struct AuditTable {
    schema: SchemaRef,
    source: Source,
}

#[derive(Debug)]
enum Source {
    /// As the log stands when it is read.
    Log(AuditLog),
    /// As it stood.
    Fixed { moved: Arc<dyn TableProvider>, tail: Vec<Row> },
}

impl AuditTable {
    pub(super) fn new(log: AuditLog) -> Self {
        let schema = log.state().moved.schema();
        Self { schema, source: Source::Log(log) }
    }

    pub(super) fn fixed(moved: Arc<dyn TableProvider>, tail: Vec<Row>) -> Self {
        Self { schema: moved.schema(), source: Source::Fixed { moved, tail } }
    }

    /// Both parts at one moment, so that no row is missing or there twice.
    fn parts(&self) -> (Arc<dyn TableProvider>, Vec<Row>) {
        match &self.source {
            Source::Log(log) => {
                let state = log.state();
                (Arc::clone(&state.moved), state.tail.clone())
            }
            Source::Fixed { moved, tail } => (Arc::clone(moved), tail.clone()),
        }
    }
}

#[async_trait]
impl TableProvider for AuditTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        // They let the table skip files; the query filters again.
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let (moved, tail) = self.parts();
        let moved = moved.scan(state, projection, filters, None).await?;
        let tail = row::batch_of(&tail, &self.schema)
            .map_err(|error| DataFusionError::External(error.into()))?;
        let tail = MemTable::try_new(Arc::clone(&self.schema), vec![vec![tail]])?;
        let tail = tail.scan(state, projection, &[], None).await?;
        UnionExec::try_new(vec![moved, tail])
    }
}
