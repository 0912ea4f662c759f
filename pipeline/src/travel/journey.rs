//! Whether a plan travels, how much it reads, and what goes along with it.

use std::any::Any;
use std::sync::Arc;

use datafusion::catalog::{MemTable, TableProvider};
use datafusion::common::tree_node::{TreeNode as _, TreeNodeRecursion};
use datafusion::datasource::source_as_provider;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan};
use serde::{Deserialize, Serialize};

use super::{DataResult, LakeTable};
use crate::access::{Barrier, Veil};
use crate::bitmap::{OfficerNos, PeriodSets};
use crate::location::Location;
use crate::memory::MemoryTable;
use crate::query::BOUNDS;

/// What the functions of a plan know that is not in the plan, for the process that runs a part of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carried {
    /// Whether calls that make much out of little are bounded: those of users are.
    #[serde(default)]
    pub is_bounded: bool,
    /// The periods of the request, half-open, in days since 1970, for `period_sets`.
    #[serde(default)]
    pub periods: Vec<(i32, i32)>,
    /// Which key pseudonyms are made with, where some are; the key itself is read from the lake.
    #[serde(default)]
    pub pseudonyms: Option<String>,
    /// The version of the dictionary of officers, for `officer_nos`.
    #[serde(default)]
    pub officer_numbers: Option<u64>,
}

/// A plan that can travel.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Journey {
    /// The size of the files that it may read, of tables that this process reads from the lake as well.
    pub file_bytes: u64,
    /// The size of what it holds in memory and takes along.
    pub memory_bytes: u64,
    /// What goes along with it.
    pub carried: Carried,
}

impl Journey {
    /// `None` for a plan that reads what is only here, or does more than read.
    pub fn of(state: &SessionState, plan: &LogicalPlan, lake: &Location) -> Option<Self> {
        let mut journey = Self::default();
        if !journey.takes(plan, lake).ok()? {
            return None;
        }
        let carried = &mut journey.carried;
        let rewrites = state.analyzer().function_rewrites();
        carried.is_bounded = rewrites.iter().any(|rewrite| rewrite.name() == BOUNDS);
        if let Some(function) = state.aggregate_functions().get("period_sets") {
            let inner: &dyn Any = function.inner().as_ref();
            let sets = inner.downcast_ref::<PeriodSets>();
            let periods = sets.map_or(&[][..], |sets| sets.periods());
            carried.periods = periods.iter().map(|period| (period.start, period.end)).collect();
        }
        if let Some(function) = state.scalar_functions().get("officer_nos") {
            let inner: &dyn Any = function.inner().as_ref();
            carried.officer_numbers =
                inner.downcast_ref::<OfficerNos>().and_then(OfficerNos::version);
        }
        Some(journey)
    }

    /// Looks at a part of the plan; false when it does not travel.
    fn takes(&mut self, plan: &LogicalPlan, lake: &Location) -> DataResult<bool> {
        let mut travels = true;
        plan.apply_with_subqueries(|node| {
            travels = match node {
                LogicalPlan::TableScan(scan) => {
                    self.takes_table(&source_as_provider(&scan.source)?, lake)?
                }
                LogicalPlan::Explain(_)
                | LogicalPlan::Analyze(_)
                | LogicalPlan::Extension(_)
                | LogicalPlan::RecursiveQuery(_)
                | LogicalPlan::Statement(_)
                | LogicalPlan::Dml(_)
                | LogicalPlan::Ddl(_)
                | LogicalPlan::Copy(_)
                | LogicalPlan::DescribeTable(_) => false,
                _ => true,
            };
            if !travels {
                return Ok(TreeNodeRecursion::Stop);
            }
            node.apply_expressions(|expression| self.look_at(expression))
        })?;
        Ok(travels)
    }

    fn takes_table(&mut self, table: &Arc<dyn TableProvider>, lake: &Location) -> DataResult<bool> {
        if let Some(view) = table.get_logical_plan() {
            return self.takes(&view, lake);
        }
        let any: &dyn Any = table.as_ref();
        if let Some(barrier) = any.downcast_ref::<Barrier>() {
            return self.takes(barrier.plan(), lake);
        }
        if let Some(table) = any.downcast_ref::<LakeTable>() {
            let bytes = table.files().bytes_in(lake);
            self.file_bytes += bytes.unwrap_or_default();
            return Ok(bytes.is_some());
        }
        if let Some(table) = any.downcast_ref::<MemoryTable>() {
            if table.files().and_then(|files| files.bytes_in(lake)).is_none() {
                let batches = table.batches().iter();
                self.memory_bytes +=
                    batches.map(|it| it.get_array_memory_size() as u64).sum::<u64>();
            }
            return Ok(true);
        }
        let Some(table) = any.downcast_ref::<MemTable>() else { return Ok(false) };
        for partition in &table.batches {
            let Ok(batches) = partition.try_read() else { return Ok(false) };
            let sizes = batches.iter().map(|batch| batch.get_array_memory_size() as u64);
            self.memory_bytes += sizes.sum::<u64>();
        }
        Ok(true)
    }

    fn look_at(&mut self, expression: &Expr) -> DataResult<TreeNodeRecursion> {
        expression.apply(|part| {
            if let Expr::ScalarFunction(call) = part {
                let inner: &dyn Any = call.func.inner().as_ref();
                if let Some(veil) = inner.downcast_ref::<Veil>() {
                    self.carried.pseudonyms = veil.identities().fingerprint();
                }
            }
            Ok(TreeNodeRecursion::Continue)
        })
    }
}
