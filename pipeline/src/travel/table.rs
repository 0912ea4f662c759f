//! A table of the lake: as this process reads it, or, in a plan that travels, as a scan of the files of its version.
//!
//! The scan of deltalake cannot be sent to another process. Our tables have neither deletion vectors nor renamed columns, so
//! the files of a version are its rows.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray};
use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::stats::Precision;
use datafusion::common::{Column, DFSchema, DataFusionError, Statistics};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::expressions::col;
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::scalar::ScalarValue;

use super::{DataResult, Travelling, lake_url};
use crate::lake::{DataFile, Table};
use crate::location::Location;

/// One version of a table.
#[derive(Debug)]
pub(crate) struct LakeTable {
    own: Arc<dyn TableProvider>,
    files: Files,
}

/// The files of one version of a table.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    table: Table,
    /// As the table that they stand for has it: columns of the same order and type.
    schema: SchemaRef,
}

impl LakeTable {
    /// A table that this process reads by `own`.
    pub(crate) fn new(own: Arc<dyn TableProvider>, table: &Table) -> Self {
        let files = Files { table: table.clone(), schema: own.schema() };
        Self { own, files }
    }

    pub(super) fn files(&self) -> &Files {
        &self.files
    }
}

#[async_trait]
impl TableProvider for LakeTable {
    fn schema(&self) -> SchemaRef {
        self.own.schema()
    }

    fn table_type(&self) -> TableType {
        self.own.table_type()
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> DataResult<Vec<TableProviderFilterPushDown>> {
        self.own.supports_filters_pushdown(filters)
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> DataResult<Arc<dyn ExecutionPlan>> {
        let Some(travelling) = state.config().get_extension::<Travelling>() else {
            return self.own.scan(state, projection, filters, limit).await;
        };
        // The query does not filter again by what the table said that it does itself.
        let asked: Vec<&Expr> = filters.iter().collect();
        let support = self.own.supports_filters_pushdown(&asked)?;
        let is_exact = |(_, support): &(&Expr, TableProviderFilterPushDown)| {
            matches!(support, TableProviderFilterPushDown::Exact)
        };
        let exact = filters.iter().zip(support).filter(is_exact).map(|(filter, _)| filter.clone());
        let scan = Scan { state, filters, exact: exact.collect(), limit };
        self.files.scan(&travelling.root, projection, scan)
    }
}

/// What is asked of files.
pub(crate) struct Scan<'s> {
    pub(crate) state: &'s dyn Session,
    /// What the rows are to meet: files that cannot are left out.
    pub(crate) filters: &'s [Expr],
    /// Those that no row may miss.
    pub(crate) exact: Vec<Expr>,
    pub(crate) limit: Option<usize>,
}

impl Files {
    /// The files of a table whose rows have this schema.
    pub(crate) fn new(table: &Table, schema: SchemaRef) -> Self {
        Self { table: table.clone(), schema }
    }

    /// Their size; `None` when they are not in this lake, so that no other process would find them.
    pub(super) fn bytes_in(&self, lake: &Location) -> Option<u64> {
        self.folder(lake)?;
        Some(self.table.files().ok()?.iter().map(|file| file.bytes).sum())
    }

    /// The folder inside the lake.
    fn folder(&self, lake: &Location) -> Option<String> {
        let (lake, table) = (lake.resolved().ok()?.url().ok()?, self.table.location().url().ok()?);
        let inside = table.as_str().strip_prefix(lake.as_str())?;
        Some(inside.trim_end_matches('/').to_owned())
    }

    fn partition(&self) -> Option<(usize, &FieldRef)> {
        let name = self.table.partition()?;
        self.schema.fields().iter().enumerate().find(|(_, field)| field.name() == name)
    }

    /// The files whose partition may meet the filters.
    fn kept(&self, state: &dyn Session, filters: &[Expr]) -> DataResult<Vec<DataFile>> {
        let files = self.table.files().map_err(external)?;
        let (Some(filter), Some((_, field)), false) =
            (conjunction(filters.iter().cloned()), self.partition(), files.is_empty())
        else {
            return Ok(files);
        };
        let schema = DFSchema::try_from(Arc::clone(&self.schema))?;
        let labels = files.iter().map(|file| label(file, field)).collect::<DataResult<Vec<_>>>()?;
        let labels = Labels { name: field.name(), values: ScalarValue::iter_to_array(labels)? };
        // What cannot be told from the label keeps every file: the query filters again.
        let kept = state
            .create_physical_expr(filter, &schema)
            .and_then(|filter| {
                PruningPredicateBuilder::new()
                    .with_file_schema(Arc::clone(&self.schema))
                    .try_build(filter)
            })
            .and_then(|predicate| predicate.prune(&labels));
        let Ok(kept) = kept else { return Ok(files) };
        Ok(files.into_iter().zip(kept).filter(|(_, kept)| *kept).map(|(file, _)| file).collect())
    }

    /// Scans the files, by their names in the lake.
    pub(crate) fn scan(
        &self,
        lake: &Location,
        projection: Option<&Vec<usize>>,
        scan: Scan<'_>,
    ) -> DataResult<Arc<dyn ExecutionPlan>> {
        let asked: Vec<usize> = match projection {
            Some(projection) => projection.clone(),
            None => (0..self.schema.fields().len()).collect(),
        };
        let Some(exact) = conjunction(scan.exact.iter().cloned()) else {
            return self.plain(lake, &asked, &scan);
        };
        let mut read = asked.clone();
        for column in exact.column_refs() {
            let index = self.schema.index_of(&column.name)?;
            if !read.contains(&index) {
                read.push(index);
            }
        }
        // A limit counts rows that meet the filters.
        let scan = Scan { limit: None, ..scan };
        let input = self.plain(lake, &read, &scan)?;
        let schema = DFSchema::try_from(input.schema())?;
        let filter = scan.state.create_physical_expr(exact, &schema)?;
        let filtered: Arc<dyn ExecutionPlan> = Arc::new(FilterExec::try_new(filter, input)?);
        if read.len() == asked.len() {
            return Ok(filtered);
        }
        let schema = filtered.schema();
        let columns = schema
            .fields()
            .iter()
            .take(asked.len())
            .map(|field| Ok((col(field.name(), &schema)?, field.name().clone())));
        let columns = columns.collect::<DataResult<Vec<_>>>()?;
        Ok(Arc::new(ProjectionExec::try_new(columns, filtered)?))
    }

    /// Scans columns of the files whose partition may meet the filters.
    fn plain(
        &self,
        lake: &Location,
        columns: &[usize],
        scan: &Scan<'_>,
    ) -> DataResult<Arc<dyn ExecutionPlan>> {
        let Some(folder) = self.folder(lake) else {
            let message = format!("`{}` is not in the lake `{lake}`", self.table.location());
            return Err(DataFusionError::Execution(message));
        };
        let partition = self.partition();
        let is_in_files = |index: usize| partition.is_none_or(|(place, _)| place != index);
        let in_files: Vec<usize> =
            (0..self.schema.fields().len()).filter(|it| is_in_files(*it)).collect();
        let fields = in_files.iter().map(|index| Arc::clone(&self.schema.fields()[*index]));
        let file_schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let labels: Vec<FieldRef> = partition.iter().map(|(_, field)| Arc::clone(field)).collect();
        let schema = TableSchema::builder(file_schema).with_table_partition_cols(labels).build();
        // The columns of the files come first, then the partition's.
        let place =
            |index: usize| in_files.iter().position(|it| *it == index).unwrap_or(in_files.len());
        let columns: Vec<usize> = columns.iter().map(|index| place(*index)).collect();
        let mut rows: usize = 0;
        let mut files = Vec::new();
        for file in self.kept(scan.state, scan.filters)? {
            let mut statistics = Statistics::new_unknown(schema.file_schema());
            let in_file = usize::try_from(file.rows).unwrap_or(usize::MAX);
            statistics.num_rows = Precision::Exact(in_file);
            rows = rows.saturating_add(in_file);
            let labels = partition.iter().map(|(_, field)| label(&file, field));
            let path = format!("{folder}/{}", file.path);
            let found = PartitionedFile::new(path, file.bytes)
                .with_partition_values(labels.collect::<DataResult<_>>()?)
                .with_statistics(Arc::new(statistics));
            files.push(found);
        }
        let mut statistics = Statistics::new_unknown(schema.table_schema());
        statistics.num_rows = Precision::Exact(rows);
        let groups = dealt(files, scan.state.config().target_partitions());
        let config = FileScanConfigBuilder::new(lake_url()?, Arc::new(ParquetSource::new(schema)))
            .with_file_groups(groups)
            .with_statistics(statistics)
            .with_projection_indices(Some(columns))?
            .with_limit(scan.limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}

/// A file's partition, as a value of the partition's column.
fn label(file: &DataFile, field: &FieldRef) -> DataResult<ScalarValue> {
    ScalarValue::Utf8(file.partition.clone()).cast_to(field.data_type())
}

/// The partitions of files, as the only value of their column in each.
struct Labels<'f> {
    name: &'f str,
    values: ArrayRef,
}

impl Labels<'_> {
    fn of(&self, column: &Column) -> Option<ArrayRef> {
        (column.name == self.name).then(|| Arc::clone(&self.values))
    }
}

impl PruningStatistics for Labels<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.of(column)
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.of(column)
    }

    fn num_containers(&self) -> usize {
        self.values.len()
    }

    fn null_counts(&self, _column: &Column) -> Option<ArrayRef> {
        None
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        None
    }

    fn contained(&self, _column: &Column, _values: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}

fn dealt(files: Vec<PartitionedFile>, n: usize) -> Vec<FileGroup> {
    let n = n.clamp(1, files.len().max(1));
    let mut groups: Vec<Vec<PartitionedFile>> = vec![Vec::new(); n];
    for (index, file) in files.into_iter().enumerate() {
        groups[index % n].push(file);
    }
    groups.into_iter().map(FileGroup::new).collect()
}

fn external(error: crate::error::Error) -> DataFusionError {
    DataFusionError::External(error.into())
}
