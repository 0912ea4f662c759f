//! Tables in memory that know what is in their batches.
//!
//! DataFusion's own `MemTable` reads through every batch for statistics each time a query is planned,
//! and scans all of them whatever the query asks for. A [`MemoryTable`] looks once: plans are made in the
//! time that the plan takes, and a query about a month passes over the batches of other months.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{Array, ArrayRef, AsArray, Date32Array, RecordBatch, UInt64Array};
use arrow::compute::{concat, max, min};
use arrow::datatypes::{DataType, Date32Type, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Column, DFSchema, Result, Statistics};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::source::{DataSource, DataSourceExec};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use datafusion::physical_plan::execution_plan::SchedulingType;
use datafusion::physical_plan::proto::ExecutionPlanEncodeCtx;
use datafusion::physical_plan::{DisplayFormatType, ExecutionPlan};
use datafusion_proto::protobuf::PhysicalPlanNode;

use crate::lake::Table;
use crate::travel::{Files, Scan, Travelling};

/// Rows of a batch: few enough that batches of other days are passed over, many enough to work in bulk.
const BATCH_ROWS: usize = 8192;

/// Rows that come and go together, those of a data file or of a whole table, with the first and the last day of each date
/// column of each batch. They never change: a state of a lake in which a part is found again has the same rows there.
#[derive(Debug)]
pub(crate) struct Part {
    /// Tells it from every other part of this process.
    id: u64,
    /// The data file that the rows are of, if they are of one.
    file: Option<String>,
    batches: Vec<RecordBatch>,
    days: Days,
}

/// A number that nothing else of this process has.
pub(crate) fn new_id() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed)
}

impl Part {
    /// Takes batches in their order, cut or put together to a handy size.
    pub(crate) fn new(schema: &SchemaRef, batches: &[RecordBatch]) -> arrow::error::Result<Self> {
        let batches = evened(schema, batches)?;
        let days = Days::of(schema, &batches);
        Ok(Self { id: new_id(), file: None, batches, days })
    }

    /// Says of which data file the rows are.
    pub(crate) fn of_file(self, path: &str) -> Self {
        Self { file: Some(path.to_owned()), ..self }
    }

    /// Tells it from every other part of this process.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// The data file that the rows are of, if they are of one.
    pub(crate) fn file(&self) -> Option<&str> {
        self.file.as_deref()
    }

    /// Whether rows may have one of these days in a column; always for a column that has no days.
    pub(crate) fn may_have(&self, column: &str, days: Range<i32>) -> bool {
        let Some(known) = self.days.columns.iter().find(|known| known.name == column) else {
            return true;
        };
        known.span.is_some_and(|(first, last)| first < days.end && last >= days.start)
    }
}

/// Batches of one schema that know which days they have.
#[derive(Debug)]
pub(crate) struct MemoryTable {
    schema: SchemaRef,
    parts: Vec<Arc<Part>>,
    batches: Vec<RecordBatch>,
    days: Days,
    /// Where the rows are in the lake, for plans that travel.
    files: Option<Files>,
}

impl MemoryTable {
    /// A table of one part.
    pub(crate) fn new(schema: SchemaRef, batches: &[RecordBatch]) -> arrow::error::Result<Self> {
        let part = Part::new(&schema, batches)?;
        Self::of_parts(schema, vec![Arc::new(part)])
    }

    /// A table of parts of this schema, which others may have too.
    pub(crate) fn of_parts(schema: SchemaRef, parts: Vec<Arc<Part>>) -> arrow::error::Result<Self> {
        let batches = parts.iter().flat_map(|part| part.batches.iter().cloned()).collect();
        let days: Vec<&Days> = parts.iter().map(|part| &part.days).collect();
        let days = Days::together(&days)?;
        Ok(Self { schema, parts, batches, days, files: None })
    }

    /// Says where the rows are in the lake: plans that travel name the files instead of taking the rows along.
    pub(crate) fn of_files(self, table: &Table) -> Self {
        let files = Files::new(table, Arc::clone(&self.schema));
        Self { files: Some(files), ..self }
    }

    /// Whether its rows have this schema.
    pub(crate) fn has_schema(&self, schema: &SchemaRef) -> bool {
        self.schema == *schema
    }

    /// Where the rows are in the lake.
    pub(crate) fn files(&self) -> Option<&Files> {
        self.files.as_ref()
    }

    /// The parts that the rows come in.
    pub(crate) fn parts(&self) -> &[Arc<Part>] {
        &self.parts
    }

    /// All rows.
    pub(crate) fn batches(&self) -> &[RecordBatch] {
        &self.batches
    }

    /// The batches that may hold rows that meet all filters.
    fn may_meet(&self, state: &dyn Session, filters: &[Expr]) -> Result<Vec<RecordBatch>> {
        let Some(filter) = conjunction(filters.iter().cloned()) else {
            return Ok(self.batches.clone());
        };
        let schema = DFSchema::try_from(Arc::clone(&self.schema))?;
        let filter = state.create_physical_expr(filter, &schema);
        // What cannot be told from statistics keeps every batch: the query filters again.
        let kept = filter
            .and_then(|filter| {
                PruningPredicateBuilder::new()
                    .with_file_schema(Arc::clone(&self.schema))
                    .try_build(filter)
            })
            .and_then(|predicate| predicate.prune(&self.days));
        let Ok(kept) = kept else { return Ok(self.batches.clone()) };
        let kept = self.batches.iter().zip(kept).filter(|(_, kept)| *kept);
        Ok(kept.map(|(batch, _)| batch.clone()).collect())
    }
}

#[async_trait]
impl TableProvider for MemoryTable {
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
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if let Some(files) = &self.files
            && let Some(travelling) = state.config().get_extension::<Travelling>()
        {
            let scan = Scan { state, filters, exact: Vec::new(), limit: None };
            return files.scan(travelling.root(), projection, scan);
        }
        let batches = self.may_meet(state, filters)?;
        let partitions = spread(batches, state.config().target_partitions());
        let source = MemorySource {
            rows: partitions.iter().map(|batches| count_rows(batches)).collect(),
            inner: MemorySourceConfig::try_new(
                &partitions,
                Arc::clone(&self.schema),
                projection.cloned(),
            )?,
        };
        Ok(DataSourceExec::from_data_source(source))
    }
}

fn count_rows(batches: &[RecordBatch]) -> usize {
    batches.iter().map(RecordBatch::num_rows).sum()
}

/// Neighbouring batches together, in at most `n` parts of about as many batches each.
fn spread(mut batches: Vec<RecordBatch>, n: usize) -> Vec<Vec<RecordBatch>> {
    let n = n.clamp(1, batches.len().max(1));
    let mut parts = Vec::with_capacity(n);
    for left in (1..=n).rev() {
        let rest = batches.split_off(batches.len().div_ceil(left));
        parts.push(std::mem::replace(&mut batches, rest));
    }
    parts
}

fn evened(schema: &SchemaRef, batches: &[RecordBatch]) -> arrow::error::Result<Vec<RecordBatch>> {
    let (mut even, mut small, mut n_small) = (Vec::new(), Vec::new(), 0);
    for batch in batches {
        for start in (0..batch.num_rows()).step_by(BATCH_ROWS) {
            let rows = BATCH_ROWS.min(batch.num_rows() - start);
            if n_small + rows > BATCH_ROWS {
                even.push(together(schema, &mut small)?);
                n_small = 0;
            }
            small.push(batch.slice(start, rows));
            n_small += rows;
        }
    }
    if n_small > 0 {
        even.push(together(schema, &mut small)?);
    }
    Ok(even)
}

fn together(
    schema: &SchemaRef,
    batches: &mut Vec<RecordBatch>,
) -> arrow::error::Result<RecordBatch> {
    let batches = std::mem::take(batches);
    match &batches[..] {
        [one] => Ok(one.clone()),
        _ => arrow::compute::concat_batches(schema, &batches),
    }
}

/// What is known of each batch: its rows, and of its date columns the first day, the last and the missing.
#[derive(Debug)]
struct Days {
    rows: ArrayRef,
    columns: Vec<DaysOfColumn>,
}

#[derive(Debug)]
struct DaysOfColumn {
    name: String,
    first: ArrayRef,
    last: ArrayRef,
    nulls: ArrayRef,
    /// The first and the last of all batches.
    span: Option<(i32, i32)>,
}

impl DaysOfColumn {
    fn new(name: &str, first: ArrayRef, last: ArrayRef, nulls: ArrayRef) -> Self {
        let one = min(first.as_primitive::<Date32Type>());
        let span = one.zip(max(last.as_primitive::<Date32Type>()));
        Self { name: name.to_owned(), first, last, nulls, span }
    }
}

impl Days {
    fn of(schema: &SchemaRef, batches: &[RecordBatch]) -> Self {
        let dates = |(_, field): &(usize, &Arc<arrow::datatypes::Field>)| {
            *field.data_type() == DataType::Date32
        };
        let columns = schema.fields().iter().enumerate().filter(dates).map(|(index, field)| {
            let each = || batches.iter().map(|batch| batch.column(index));
            let first = each().map(|days| min(days.as_primitive::<Date32Type>()));
            let last = each().map(|days| max(days.as_primitive::<Date32Type>()));
            let nulls = each().map(|days| days.null_count() as u64);
            let (first, last): (Date32Array, Date32Array) = (first.collect(), last.collect());
            let nulls = UInt64Array::from_iter_values(nulls);
            DaysOfColumn::new(field.name(), Arc::new(first), Arc::new(last), Arc::new(nulls))
        });
        let rows = batches.iter().map(|batch| batch.num_rows() as u64);
        Self { rows: Arc::new(UInt64Array::from_iter_values(rows)), columns: columns.collect() }
    }

    /// Of the batches of all, in their order; all are of one schema.
    fn together(all: &[&Self]) -> arrow::error::Result<Self> {
        let Some(one) = all.first() else {
            return Ok(Self {
                rows: Arc::new(UInt64Array::from(Vec::<u64>::new())),
                columns: Vec::new(),
            });
        };
        let joined = |of: &dyn Fn(&Self) -> &dyn Array| {
            concat(&all.iter().map(|days| of(days)).collect::<Vec<_>>())
        };
        let columns = one.columns.iter().enumerate().map(|(place, column)| {
            let first = joined(&|days| &days.columns[place].first)?;
            let last = joined(&|days| &days.columns[place].last)?;
            let nulls = joined(&|days| &days.columns[place].nulls)?;
            Ok(DaysOfColumn::new(&column.name, first, last, nulls))
        });
        Ok(Self {
            rows: joined(&|days| &days.rows)?,
            columns: columns.collect::<arrow::error::Result<_>>()?,
        })
    }

    fn of_column(&self, column: &Column) -> Option<&DaysOfColumn> {
        self.columns.iter().find(|known| known.name == column.name)
    }
}

impl PruningStatistics for Days {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        Some(Arc::clone(&self.of_column(column)?.first))
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        Some(Arc::clone(&self.of_column(column)?.last))
    }

    fn num_containers(&self) -> usize {
        self.rows.len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        Some(Arc::clone(&self.of_column(column)?.nulls))
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        Some(Arc::clone(&self.rows))
    }

    fn contained(
        &self,
        _column: &Column,
        _values: &std::collections::HashSet<datafusion::scalar::ScalarValue>,
    ) -> Option<arrow::array::BooleanArray> {
        None
    }
}

/// DataFusion's source of batches in memory, except that it is not asked to count again what is counted.
#[derive(Debug, Clone)]
struct MemorySource {
    inner: MemorySourceConfig,
    /// The rows of each partition.
    rows: Vec<usize>,
}

impl DataSource for MemorySource {
    fn open(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        self.inner.open(partition, context)
    }

    fn fmt_as(&self, format: DisplayFormatType, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt_as(format, out)
    }

    fn output_partitioning(&self) -> Partitioning {
        self.inner.output_partitioning()
    }

    fn eq_properties(&self) -> EquivalenceProperties {
        self.inner.eq_properties()
    }

    fn scheduling_type(&self) -> SchedulingType {
        self.inner.scheduling_type()
    }

    fn partition_statistics(&self, partition: Option<usize>) -> Result<Arc<Statistics>> {
        let rows = match partition {
            Some(partition) => self.rows.get(partition).copied().unwrap_or_default(),
            None => self.rows.iter().sum(),
        };
        let mut statistics = Statistics::new_unknown(self.inner.eq_properties().schema());
        statistics.num_rows = Precision::Exact(rows);
        Ok(Arc::new(statistics))
    }

    fn with_fetch(&self, _limit: Option<usize>) -> Option<Arc<dyn DataSource>> {
        // The limit stays above the source, which hands out references and reads nothing ahead.
        None
    }

    fn fetch(&self) -> Option<usize> {
        None
    }

    fn try_swapping_with_projection(
        &self,
        projection: &ProjectionExprs,
    ) -> Result<Option<Arc<dyn DataSource>>> {
        let Some(swapped) = self.inner.try_swapping_with_projection(projection)? else {
            return Ok(None);
        };
        let swapped = (swapped.as_ref() as &dyn std::any::Any).downcast_ref::<MemorySourceConfig>();
        Ok(swapped.map(|inner| -> Arc<dyn DataSource> {
            Arc::new(Self { inner: inner.clone(), rows: self.rows.clone() })
        }))
    }

    fn try_to_proto(
        &self,
        context: &ExecutionPlanEncodeCtx<'_>,
    ) -> Result<Option<PhysicalPlanNode>> {
        self.inner.try_to_proto(context)
    }

    fn apply_expressions(
        &self,
        apply: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.inner.apply_expressions(apply)
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::Int64Array;
    use arrow::datatypes::{Field, Schema};
    use datafusion::prelude::SessionContext;
    use proptest::prelude::*;

    use super::*;

    fn batch(days: &[Option<i32>]) -> RecordBatch {
        let schema = Schema::new(vec![
            Field::new("day", DataType::Date32, true),
            Field::new("n", DataType::Int64, false),
        ]);
        let days_column: ArrayRef = Arc::new(Date32Array::from(days.to_vec()));
        let numbers = Int64Array::from_iter_values(0..days.len() as i64);
        RecordBatch::try_new(Arc::new(schema), vec![days_column, Arc::new(numbers)]).unwrap()
    }

    fn count(table: Arc<MemoryTable>, sql: &str) -> i64 {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let context = SessionContext::new();
            context.register_table("t", table).unwrap();
            let found = context.sql(sql).await.unwrap().collect().await.unwrap();
            found[0].column(0).as_primitive::<arrow::datatypes::Int64Type>().value(0)
        })
    }

    #[test]
    fn batches_are_cut_and_put_together_and_keep_their_rows_in_order() {
        let sizes = [3, 20_000, 1, 0, 8192, 5];
        let batches: Vec<_> = sizes.iter().map(|rows| batch(&vec![Some(1); *rows])).collect();
        let table = MemoryTable::new(batches[0].schema(), &batches).unwrap();
        assert!(table.batches.iter().all(|batch| batch.num_rows() <= BATCH_ROWS));
        let all = |batches: &[RecordBatch]| {
            arrow::compute::concat_batches(&table.schema, batches).unwrap()
        };
        assert_eq!(all(&table.batches), all(&batches));
    }

    #[test]
    fn batches_of_other_days_are_passed_over() {
        let month = |first: i32| batch(&(first..first + 8192).map(Some).collect::<Vec<_>>());
        let table =
            MemoryTable::new(month(0).schema(), &[month(0), month(8192), month(16_384)]).unwrap();
        let context = SessionContext::new();
        let filter = datafusion::prelude::col("day")
            .lt(datafusion::prelude::lit(datafusion::scalar::ScalarValue::Date32(Some(100))));
        assert_eq!(table.may_meet(&context.state(), &[filter]).unwrap(), [month(0)]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn a_query_finds_the_rows_that_it_would_find_without_statistics(
            days in prop::collection::vec(prop::option::weighted(0.9, 0..40i32), 0..60),
            from in 0..40i32, length in 0..20i32,
        ) {
            let batches: Vec<_> = days.chunks(7).map(batch).collect();
            let schema = batch(&[]).schema();
            let parts = batches.iter().map(|batch| Part::new(&schema, std::slice::from_ref(batch)));
            let parts = parts.map(|part| Arc::new(part.unwrap())).collect();
            let table = Arc::new(MemoryTable::of_parts(schema, parts).unwrap());
            let expected = days.iter().flatten().filter(|day| (from..from + length).contains(*day));
            let sql = format!(
                "select count(*) from t where day >= arrow_cast({from}, 'Date32') \
                 and day < arrow_cast({}, 'Date32')", from + length);
            prop_assert_eq!(count(Arc::clone(&table), &sql), expected.count() as i64);
            let missing = days.iter().filter(|day| day.is_none()).count() as i64;
            prop_assert_eq!(count(table, "select count(*) from t where day is null"), missing);
        }
    }
}
