//! `information_schema` in PostgreSQL's terms, by which query builders tell times, numbers and texts apart.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, RecordBatch, StringArray, new_null_array};
use arrow::datatypes::{DataType, Field, Schema};
use async_trait::async_trait;
use datafusion::catalog::{MemTable, SchemaProvider, TableProvider};
use datafusion::logical_expr::TableType;
use pipeline::query::{CATALOG, Guarded};

type DataResult<T> = datafusion::common::Result<T>;

/// Views of the standard that have nothing to show here: there are no constraints, routines or grants.
const EMPTY: [(&str, &[&str]); 9] = [
    (
        "table_constraints",
        &["constraint_schema", "constraint_name", "table_schema", "table_name", "constraint_type"],
    ),
    (
        "key_column_usage",
        &["constraint_schema", "constraint_name", "table_schema", "table_name", "column_name"],
    ),
    (
        "constraint_column_usage",
        &["table_schema", "table_name", "column_name", "constraint_schema", "constraint_name"],
    ),
    (
        "referential_constraints",
        &[
            "constraint_schema",
            "constraint_name",
            "unique_constraint_schema",
            "unique_constraint_name",
        ],
    ),
    ("check_constraints", &["constraint_schema", "constraint_name", "check_clause"]),
    (
        "routines",
        &[
            "specific_schema",
            "specific_name",
            "routine_schema",
            "routine_name",
            "routine_type",
            "data_type",
        ],
    ),
    ("parameters", &["specific_schema", "specific_name", "parameter_name", "data_type"]),
    ("triggers", &["trigger_schema", "trigger_name", "event_object_schema", "event_object_table"]),
    ("sequences", &["sequence_schema", "sequence_name", "data_type"]),
];

/// The schema.
#[derive(Debug)]
pub(super) struct Information {
    tables: BTreeMap<String, Arc<dyn TableProvider>>,
}

impl Information {
    /// Its views by name.
    pub(super) fn tables(&self) -> impl Iterator<Item = (&String, &Arc<dyn TableProvider>)> {
        self.tables.iter()
    }
}

/// Describes what a caller sees.
pub(super) fn schema(guarded: &Guarded) -> DataResult<Information> {
    let mut tables = BTreeMap::new();
    let listed: Vec<(&String, &String, &Arc<dyn TableProvider>)> = guarded
        .tables()
        .iter()
        .flat_map(|(schema, tables)| tables.iter().map(move |(name, table)| (schema, name, table)))
        .collect();
    tables.insert("schemata".to_owned(), schemata(guarded)?);
    tables.insert("tables".to_owned(), listed_tables(&listed)?);
    tables.insert("views".to_owned(), views(&listed)?);
    tables.insert("columns".to_owned(), columns(&listed)?);
    for (name, columns) in EMPTY {
        let columns = columns.iter().map(|column| (*column, new_null_array(&DataType::Utf8, 0)));
        tables.insert(name.to_owned(), table_of(columns.collect())?);
    }
    Ok(Information { tables })
}

fn table_of(columns: Vec<(&str, ArrayRef)>) -> DataResult<Arc<dyn TableProvider>> {
    let fields =
        columns.iter().map(|(name, column)| Field::new(*name, column.data_type().clone(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let columns = columns.into_iter().map(|(_, column)| column).collect();
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns)?;
    Ok(Arc::new(MemTable::try_new(schema, vec![vec![batch]])?))
}

fn texts<'t>(texts: impl Iterator<Item = &'t str>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(texts))
}

fn same(text: &str, rows: usize) -> ArrayRef {
    texts(std::iter::repeat_n(text, rows))
}

fn nothing(data_type: &DataType, rows: usize) -> ArrayRef {
    new_null_array(data_type, rows)
}

fn schemata(guarded: &Guarded) -> DataResult<Arc<dyn TableProvider>> {
    let own = guarded.schemas();
    let names = || own.iter().copied().chain(["information_schema", "pg_catalog"]);
    let rows = names().count();
    table_of(vec![
        ("catalog_name", same(CATALOG, rows)),
        ("schema_name", texts(names())),
        ("schema_owner", same(CATALOG, rows)),
        ("default_character_set_name", nothing(&DataType::Utf8, rows)),
        ("sql_path", nothing(&DataType::Utf8, rows)),
    ])
}

type Listed<'l> = [(&'l String, &'l String, &'l Arc<dyn TableProvider>)];

fn is_view(table: &Arc<dyn TableProvider>) -> bool {
    table.table_type() == TableType::View
}

/// The kinds of table that there are, as SQL's standard names them.
pub(crate) const TABLE_KINDS: [&str; 2] = ["BASE TABLE", "VIEW"];

/// Which of them a table is.
pub(crate) fn table_kind(table: &Arc<dyn TableProvider>) -> &'static str {
    TABLE_KINDS[usize::from(is_view(table))]
}

fn listed_tables(listed: &Listed<'_>) -> DataResult<Arc<dyn TableProvider>> {
    let rows = listed.len();
    let kinds = listed.iter().map(|(_, _, table)| table_kind(table));
    table_of(vec![
        ("table_catalog", same(CATALOG, rows)),
        ("table_schema", texts(listed.iter().map(|(schema, ..)| schema.as_str()))),
        ("table_name", texts(listed.iter().map(|(_, name, _)| name.as_str()))),
        ("table_type", texts(kinds)),
        ("is_insertable_into", same("NO", rows)),
        ("is_typed", same("NO", rows)),
        ("commit_action", nothing(&DataType::Utf8, rows)),
    ])
}

fn views(listed: &Listed<'_>) -> DataResult<Arc<dyn TableProvider>> {
    let views: Vec<_> = listed.iter().filter(|(_, _, table)| is_view(table)).collect();
    let rows = views.len();
    table_of(vec![
        ("table_catalog", same(CATALOG, rows)),
        ("table_schema", texts(views.iter().map(|(schema, ..)| schema.as_str()))),
        ("table_name", texts(views.iter().map(|(_, name, _)| name.as_str()))),
        ("view_definition", nothing(&DataType::Utf8, rows)),
        ("check_option", same("NONE", rows)),
        ("is_updatable", same("NO", rows)),
        ("is_insertable_into", same("NO", rows)),
    ])
}

/// One column of one table.
struct Column<'c> {
    schema: &'c str,
    table: &'c str,
    place: i32,
    name: String,
    is_nullable: bool,
    kind: PostgresType,
}

fn columns(listed: &Listed<'_>) -> DataResult<Arc<dyn TableProvider>> {
    let mut columns = Vec::new();
    for (schema, name, table) in listed {
        for (place, field) in (1..).zip(table.schema().fields()) {
            columns.push(Column {
                schema,
                table: name,
                place,
                name: field.name().clone(),
                is_nullable: field.is_nullable(),
                kind: PostgresType::of(field.data_type()),
            });
        }
    }
    let rows = columns.len();
    let text = |read: &dyn Fn(&Column<'_>) -> String| -> ArrayRef {
        Arc::new(columns.iter().map(|column| Some(read(column))).collect::<StringArray>())
    };
    let number = |read: &dyn Fn(&Column<'_>) -> Option<i32>| -> ArrayRef {
        Arc::new(columns.iter().map(read).collect::<Int32Array>())
    };
    let no_text = || nothing(&DataType::Utf8, rows);
    let no_number = || nothing(&DataType::Int32, rows);
    table_of(vec![
        ("table_catalog", same(CATALOG, rows)),
        ("table_schema", text(&|column| column.schema.to_owned())),
        ("table_name", text(&|column| column.table.to_owned())),
        ("column_name", text(&|column| column.name.clone())),
        ("ordinal_position", number(&|column| Some(column.place))),
        ("column_default", no_text()),
        ("is_nullable", text(&|column| yes_or_no(column.is_nullable))),
        ("data_type", text(&|column| column.kind.name.clone())),
        ("character_maximum_length", no_number()),
        ("character_octet_length", no_number()),
        ("numeric_precision", number(&|column| column.kind.bits)),
        ("numeric_precision_radix", number(&|column| column.kind.bits.map(|_| 2))),
        ("numeric_scale", number(&|column| column.kind.is_whole().then_some(0))),
        ("datetime_precision", number(&|column| column.kind.is_time().then_some(6))),
        ("interval_type", no_text()),
        ("character_set_name", no_text()),
        ("collation_name", no_text()),
        ("domain_name", no_text()),
        ("udt_catalog", same(CATALOG, rows)),
        ("udt_schema", same("pg_catalog", rows)),
        ("udt_name", text(&|column| column.kind.internal.clone())),
        ("maximum_cardinality", no_number()),
        ("dtd_identifier", text(&|column| column.place.to_string())),
        ("is_self_referencing", same("NO", rows)),
        ("is_identity", same("NO", rows)),
        ("identity_generation", no_text()),
        ("is_generated", same("NEVER", rows)),
        ("generation_expression", no_text()),
        ("is_updatable", same("NO", rows)),
    ])
}

fn yes_or_no(yes: bool) -> String {
    if yes { "YES" } else { "NO" }.to_owned()
}

/// The name of a type for people, as `\d` shows it.
pub(crate) fn type_name(data_type: &DataType) -> String {
    let kind = PostgresType::of(data_type);
    match kind.internal.strip_prefix('_') {
        Some(of_items) => format!("{of_items}[]"),
        None => kind.name,
    }
}

/// A type as PostgreSQL calls it.
struct PostgresType {
    /// The standard's name.
    name: String,
    /// PostgreSQL's own name.
    internal: String,
    /// Bits of a number.
    bits: Option<i32>,
}

impl PostgresType {
    fn of(data_type: &DataType) -> Self {
        let named = |name: &str, internal: &str, bits: Option<i32>| Self {
            name: name.to_owned(),
            internal: internal.to_owned(),
            bits,
        };
        match data_type {
            DataType::Boolean => named("boolean", "bool", None),
            DataType::Int8 | DataType::Int16 | DataType::UInt8 => {
                named("smallint", "int2", Some(16))
            }
            DataType::Int32 | DataType::UInt16 => named("integer", "int4", Some(32)),
            DataType::Int64 | DataType::UInt32 => named("bigint", "int8", Some(64)),
            DataType::Float16 | DataType::Float32 => named("real", "float4", Some(24)),
            DataType::Float64 => named("double precision", "float8", Some(53)),
            DataType::UInt64 | DataType::Decimal128(..) | DataType::Decimal256(..) => {
                named("numeric", "numeric", None)
            }
            DataType::Date32 | DataType::Date64 => named("date", "date", None),
            DataType::Time32(_) | DataType::Time64(_) => {
                named("time without time zone", "time", None)
            }
            DataType::Timestamp(_, Some(_)) => {
                named("timestamp with time zone", "timestamptz", None)
            }
            DataType::Timestamp(_, None) => named("timestamp without time zone", "timestamp", None),
            DataType::Interval(_) | DataType::Duration(_) => named("interval", "interval", None),
            DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView
            | DataType::FixedSizeBinary(_) => named("bytea", "bytea", None),
            DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
                named("ARRAY", &format!("_{}", Self::of(item.data_type()).internal), None)
            }
            DataType::Struct(_) | DataType::Map(..) => named("json", "json", None),
            DataType::Dictionary(_, values) => Self::of(values),
            _ => named("text", "text", None),
        }
    }

    fn is_whole(&self) -> bool {
        matches!(self.internal.as_str(), "int2" | "int4" | "int8")
    }

    fn is_time(&self) -> bool {
        matches!(self.internal.as_str(), "timestamp" | "timestamptz" | "time")
    }
}

#[async_trait]
impl SchemaProvider for Information {
    fn table_names(&self) -> Vec<String> {
        self.tables.keys().cloned().collect()
    }

    async fn table(&self, name: &str) -> DataResult<Option<Arc<dyn TableProvider>>> {
        Ok(self.tables.get(name).map(Arc::clone))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.tables.contains_key(name)
    }
}
