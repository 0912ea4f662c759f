//! The data dictionary as a document: every table and column that a reader sees, and what each means.
//!
//! Tables, columns and types are those of the guarded tables themselves, so that what is told here is what there is.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context as _;
use arrow::array::{ArrayRef, RecordBatch, StringArray};
use datafusion::catalog::TableProvider;
use datafusion::logical_expr::TableType;
use minijinja::{Environment, context};
use pipeline::dictionary::{Dictionary, Entry, Guard, Rows};
use pipeline::metric::Metric;
use pipeline::query::{AUDIT_SCHEMA, Guarded};
use serde::Serialize;
use utoipa::ToSchema;

use crate::caller::Role;
use crate::sql_door::type_name;

const PAGE: &str = include_str!("../../dashboards/web/dictionary.html");
const MARKDOWN: &str = include_str!("../../dashboards/web/dictionary.md");

/// The name under which the dictionary describes the columns of every metric.
const OF_METRICS: &str = "metrics";

/// Every schema that a reader sees.
#[derive(Debug, Serialize, ToSchema)]
pub struct DataDictionary {
    schemas: Vec<SchemaEntry>,
}

/// A schema: tables of one sort.
#[derive(Debug, Serialize, ToSchema)]
pub struct SchemaEntry {
    schema: String,
    title_zh: &'static str,
    title_en: &'static str,
    tables: Vec<TableEntry>,
}

/// A table or a view.
#[derive(Debug, Serialize, ToSchema)]
pub struct TableEntry {
    table: String,
    kind: TableKind,
    title_zh: String,
    title_en: String,
    rows: RowsSeen,
    role: Role,
    /// For the view of a metric.
    #[schema(required)]
    metric: Option<MetricFacts>,
    columns: Vec<ColumnEntry>,
}

/// Whether rows are kept or computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TableKind {
    /// Rows that are kept.
    Table,
    /// Rows that are computed when they are asked for.
    View,
}

/// Which rows an account sees that is kept to a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum RowsSeen {
    /// Those of its units.
    Unit,
    /// All.
    Shared,
    /// None.
    District,
}

/// What is done to a column's values for those who may not see who persons and parties are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ValuesSeen {
    /// Nothing.
    Open,
    /// Officers appear under pseudonyms.
    Officer,
    /// Parties appear under pseudonyms.
    Party,
    /// There is no value.
    Withheld,
    /// Of a JSON object only what the event types list remains.
    Attributes,
    /// Of a refused line its own words are withheld.
    Reject,
}

/// What a metric is.
#[derive(Debug, Serialize, ToSchema)]
pub struct MetricFacts {
    /// What is counted, in sentences.
    definition: String,
    /// The law and article, the document, or "defined here".
    source: String,
    unit: String,
    #[schema(schema_with = crate::schema::group)]
    group: &'static str,
    /// The number of the field's indicator that it is.
    #[schema(required)]
    indicator: Option<u8>,
}

/// A column.
#[derive(Debug, Serialize, ToSchema)]
pub struct ColumnEntry {
    column: String,
    /// The type, as PostgreSQL calls it.
    r#type: String,
    title_zh: String,
    title_en: String,
    values: ValuesSeen,
}

impl DataDictionary {
    /// Describes what a reader sees; `of_viewers` is what the least role that reads sees of the same state.
    pub fn of(guarded: &Guarded, of_viewers: &Guarded) -> Self {
        let schemas = guarded.schemas().into_iter().filter_map(|schema| {
            let tables = guarded.tables().get(schema)?;
            let viewers = of_viewers.tables().get(schema);
            let described = tables.iter().map(|(name, table)| {
                let is_for_viewers = viewers.is_some_and(|tables| tables.contains_key(name));
                let role = match schema {
                    AUDIT_SCHEMA => Role::Auditor,
                    _ if is_for_viewers => Role::Viewer,
                    _ => Role::Analyst,
                };
                TableEntry::of(guarded, schema, name, table, role)
            });
            let (title_zh, title_en) = titles_of(schema);
            let tables = described.collect();
            Some(SchemaEntry { schema: schema.to_owned(), title_zh, title_en, tables })
        });
        Self { schemas: schemas.collect() }
    }

    /// As a page that needs no other file; `is_served` adds links to the server's other pages.
    pub fn html(&self, is_served: bool) -> anyhow::Result<String> {
        self.rendered("dictionary.html", PAGE, is_served)
    }

    /// As Markdown.
    pub fn markdown(&self) -> anyhow::Result<String> {
        self.rendered("dictionary.md", MARKDOWN, false)
    }

    fn rendered(&self, name: &str, template: &str, is_served: bool) -> anyhow::Result<String> {
        let mut environment = Environment::new();
        environment.add_filter("cell", |text: String| text.replace('|', "\\|").replace('\n', " "));
        environment.add_template(name, template).context("the template of the dictionary")?;
        let template = environment.get_template(name).context("the template of the dictionary")?;
        let common = self.columns_of_every_metric();
        template
            .render(context! { schemas => self.schemas, common, is_served })
            .context("failed to write the dictionary")
    }

    /// The columns that the views of metrics share: a page need not say them a hundred times.
    fn columns_of_every_metric(&self) -> Vec<&ColumnEntry> {
        let mut metrics = self
            .schemas
            .iter()
            .filter(|schema| schema.schema == "metrics")
            .flat_map(|it| &it.tables);
        let Some(first) = metrics.next() else { return Vec::new() };
        let mut common: Vec<&ColumnEntry> = first.columns.iter().collect();
        for table in metrics {
            common.retain(|column| {
                let mut columns = table.columns.iter();
                columns.any(|it| it.column == column.column && it.title_en == column.title_en)
            });
        }
        common
    }

    /// As one row for each column.
    pub fn batch(&self) -> anyhow::Result<RecordBatch> {
        let mut columns: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        for schema in &self.schemas {
            for table in &schema.tables {
                for column in &table.columns {
                    let row = [
                        schema.schema.clone(),
                        table.table.clone(),
                        column.column.clone(),
                        column.r#type.clone(),
                        column.title_zh.clone(),
                        column.title_en.clone(),
                        named(&table.rows)?,
                        named(&column.values)?,
                        table.role.name().to_owned(),
                        table.title_zh.clone(),
                        table.title_en.clone(),
                    ];
                    for (place, value) in row.into_iter().enumerate() {
                        columns.entry(place).or_default().push(value);
                    }
                }
            }
        }
        let names = [
            "schema", "table", "column", "type", "title_zh", "title_en", "rows", "values", "role",
            "table_zh", "table_en",
        ];
        let columns = names.into_iter().enumerate().map(|(place, name)| {
            let values = columns.remove(&place).unwrap_or_default();
            (name, Arc::new(StringArray::from(values)) as ArrayRef)
        });
        RecordBatch::try_from_iter(columns).context("failed to build the dictionary")
    }
}

/// The name of a variant in answers.
fn named(value: &impl Serialize) -> anyhow::Result<String> {
    let value = serde_json::to_value(value).context("a name")?;
    Ok(value.as_str().unwrap_or_default().to_owned())
}

impl TableEntry {
    fn of(
        guarded: &Guarded,
        schema: &str,
        name: &str,
        table: &Arc<dyn TableProvider>,
        role: Role,
    ) -> Self {
        let dictionary = guarded.view().dictionary();
        let metric = guarded.catalogue().get(name).ok().filter(|_| schema == "metrics");
        let title = match metric {
            Some(metric) => Entry {
                title_zh: metric.title_zh().to_owned(),
                title_en: metric.title_en().to_owned(),
            },
            None => dictionary.table(name).cloned().unwrap_or_else(undescribed),
        };
        let rows = match dictionary.rows(name) {
            _ if metric.is_some() => RowsSeen::Unit,
            Some(Rows::OfUnit(_)) => RowsSeen::Unit,
            Some(Rows::Shared) => RowsSeen::Shared,
            Some(Rows::OfDistrict) | None => RowsSeen::District,
        };
        let described_as = if metric.is_some() { OF_METRICS } else { name };
        let schema_of_table = table.schema();
        let columns = schema_of_table.fields().iter().map(|field| {
            let title = column_title(dictionary, described_as, metric, field.name());
            let title = title.unwrap_or_else(undescribed);
            ColumnEntry {
                column: field.name().clone(),
                r#type: type_name(field.data_type()),
                title_zh: title.title_zh,
                title_en: title.title_en,
                values: ValuesSeen::of(dictionary, described_as, field.name()),
            }
        });
        Self {
            table: name.to_owned(),
            kind: if table.table_type() == TableType::Base {
                TableKind::Table
            } else {
                TableKind::View
            },
            title_zh: title.title_zh,
            title_en: title.title_en,
            rows,
            role,
            metric: metric.map(MetricFacts::of),
            columns: columns.collect(),
        }
    }
}

fn undescribed() -> Entry {
    Entry { title_zh: String::new(), title_en: String::new() }
}

/// What a column means: what the dictionary says of it, or the values of a metric's parameter.
pub(crate) fn column_title(
    dictionary: &Dictionary,
    described_as: &str,
    metric: Option<&Metric>,
    column: &str,
) -> Option<Entry> {
    let described = dictionary.column(described_as, column).cloned();
    described.or_else(|| {
        let parameter = metric?.parameters().get(column)?;
        let (values, default) = (parameter.values.join(", "), &parameter.default);
        Some(Entry {
            title_zh: format!("参数：{values}；默认 {default}"),
            title_en: format!("parameter: {values}; default {default}"),
        })
    })
}

impl ValuesSeen {
    fn of(dictionary: &Dictionary, described_as: &str, column: &str) -> Self {
        match dictionary.guard(described_as, column) {
            Some(Guard::Open) => Self::Open,
            Some(Guard::Officer) => Self::Officer,
            Some(Guard::Party) => Self::Party,
            Some(Guard::Attributes) => Self::Attributes,
            Some(Guard::Reject) => Self::Reject,
            Some(Guard::Withheld) => Self::Withheld,
            // A metric's parameters are chosen by whoever asks; anything else is withheld when nobody describes it.
            None if described_as == OF_METRICS => Self::Open,
            None => Self::Withheld,
        }
    }
}

impl MetricFacts {
    fn of(metric: &Metric) -> Self {
        Self {
            definition: metric.definition().to_owned(),
            source: metric.source().to_owned(),
            unit: metric.unit().to_owned(),
            group: metric.group().name(),
            indicator: metric.indicator(),
        }
    }
}

fn titles_of(schema: &str) -> (&'static str, &'static str) {
    match schema {
        "metrics" => ("指标：每个指标一个视图", "a view for each metric"),
        "models" => ("汇总表与主题表", "rollups and tables made of them"),
        "events" => ("事件", "what landed"),
        AUDIT_SCHEMA => ("审计日志", "who asked what"),
        _ => ("参考数据", "registers, the calendar, event types, rules of law"),
    }
}
