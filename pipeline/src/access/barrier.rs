//! A table of which somebody sees some rows, so that nothing of theirs is computed on the others.
//!
//! A plain view would let the engine join its own condition with the reader's, in any order: `cast(name as int) = 1`
//! would then fail on a row that the reader must not know of, and so tell of it.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, exec_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{
    Expr, LogicalPlan, LogicalPlanBuilder, Operator, TableProviderFilterPushDown, TableType,
};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use datafusion::physical_planner::{DefaultPhysicalPlanner, PhysicalPlanner as _};

type DataResult<T> = datafusion::common::Result<T>;

/// The rows of a plan, and of them only what can be asked without computing anything.
#[derive(Debug)]
pub(crate) struct Barrier {
    plan: LogicalPlan,
    schema: SchemaRef,
}

impl Barrier {
    pub(super) fn new(plan: LogicalPlan) -> Self {
        let schema = Arc::new(plan.schema().as_arrow().clone());
        Self { plan, schema }
    }

    /// What is behind it.
    pub(crate) fn plan(&self) -> &LogicalPlan {
        &self.plan
    }
}

/// Whether a condition can neither fail nor show what it reads: comparisons of columns with values.
fn tells_nothing(condition: &Expr) -> bool {
    match condition {
        Expr::Column(_) | Expr::Literal(..) => true,
        Expr::BinaryExpr(binary) => {
            use Operator::{And, Eq, Gt, GtEq, Lt, LtEq, NotEq, Or};
            matches!(binary.op, And | Or | Eq | NotEq | Lt | LtEq | Gt | GtEq)
                && tells_nothing(&binary.left)
                && tells_nothing(&binary.right)
        }
        Expr::Not(inner) | Expr::IsNull(inner) | Expr::IsNotNull(inner) => tells_nothing(inner),
        Expr::Between(between) => {
            [&between.expr, &between.low, &between.high].into_iter().all(|part| tells_nothing(part))
        }
        Expr::InList(list) => tells_nothing(&list.expr) && list.list.iter().all(tells_nothing),
        _ => false,
    }
}

/// A condition on the table as a condition on the plan: both name columns alike, but not the table.
fn on_plan(condition: &Expr) -> DataResult<Expr> {
    let unqualified = condition.clone().transform(|part| {
        Ok(match part {
            Expr::Column(column) => {
                Transformed::yes(Expr::Column(Column::new_unqualified(column.name)))
            }
            other => Transformed::no(other),
        })
    })?;
    Ok(unqualified.data)
}

#[async_trait]
impl TableProvider for Barrier {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> DataResult<Arc<dyn ExecutionPlan>> {
        let mut builder = LogicalPlanBuilder::from(self.plan.clone());
        for condition in filters {
            builder = builder.filter(on_plan(condition)?)?;
        }
        if let Some(projection) = projection {
            let columns = projection.iter().map(|place| {
                Expr::Column(Column::new_unqualified(self.schema.field(*place).name()))
            });
            builder = builder.project(columns.collect::<Vec<_>>())?;
        }
        let plan = builder.limit(0, limit)?.build()?;
        let plan = state.optimize(&plan)?;
        // Not by the session's own planner: one that spreads queries would begin a second one inside the first.
        let input = DefaultPhysicalPlanner::default().create_physical_plan(&plan, state).await?;
        Ok(Arc::new(BarrierExec::new(input)))
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> DataResult<Vec<TableProviderFilterPushDown>> {
        Ok(filters
            .iter()
            .map(|condition| {
                if tells_nothing(condition) {
                    TableProviderFilterPushDown::Exact
                } else {
                    TableProviderFilterPushDown::Unsupported
                }
            })
            .collect())
    }
}

/// Rows as they come, past which the engine moves neither conditions nor computations.
#[derive(Debug)]
pub(crate) struct BarrierExec {
    input: Arc<dyn ExecutionPlan>,
}

impl BarrierExec {
    pub(crate) fn new(input: Arc<dyn ExecutionPlan>) -> Self {
        Self { input }
    }
}

impl DisplayAs for BarrierExec {
    fn fmt_as(
        &self,
        _form: DisplayFormatType,
        formatter: &mut std::fmt::Formatter<'_>,
    ) -> std::fmt::Result {
        formatter.write_str("BarrierExec")
    }
}

impl ExecutionPlan for BarrierExec {
    fn name(&self) -> &str {
        "BarrierExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> DataResult<TreeNodeRecursion>,
    ) -> DataResult<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> DataResult<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(input), true) => Ok(Arc::new(Self { input })),
            _ => exec_err!("a barrier has one input"),
        }
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> DataResult<SendableRecordBatchStream> {
        self.input.execute(partition, context)
    }
}
