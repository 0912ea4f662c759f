//! The functions by which PostgreSQL's clients ask about a database.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int32Type};
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature,
    Volatility,
};
use datafusion::prelude::SessionContext;
use datafusion_pg_catalog::pg_catalog::{
    self, PgCatalogStaticTables, array_bounds_udf, format_type, generate_series_arg_coercion,
    has_privilege_udf, oid_type_planner, pg_get_expr_udf, quote_ident_udf,
};
use pipeline::query::CATALOG;

use super::comments::Comments;
use super::{SERVER_VERSION, SERVER_VERSION_NUM};

/// What `current_setting` tells; what a connection has set stays with the connection.
const SETTINGS: [(&str, &str); 8] = [
    ("server_version", SERVER_VERSION),
    ("server_version_num", SERVER_VERSION_NUM),
    ("search_path", "metrics, models, events, reference"),
    ("server_encoding", "UTF8"),
    ("client_encoding", "UTF8"),
    ("standard_conforming_strings", "on"),
    ("max_identifier_length", "63"),
    ("transaction_read_only", "on"),
];

/// Registers the functions for a caller of this name.
pub(super) fn register(
    context: &SessionContext,
    comments: &Arc<Comments>,
    tables: &PgCatalogStaticTables,
    caller: &str,
) {
    for privilege in ["table", "schema", "database", "any_column"] {
        let name = format!("has_{privilege}_privilege");
        context.register_udf(has_privilege_udf::create_has_privilege_udf(&name));
    }
    for function in [
        pg_catalog::create_current_database_udf(CATALOG),
        pg_catalog::create_pg_table_is_visible().with_aliases([
            "pg_function_is_visible",
            "pg_type_is_visible",
            "pg_operator_is_visible",
            "pg_collation_is_visible",
        ]),
        format_type::create_format_type_udf(),
        pg_get_expr_udf::create_pg_get_expr_udf(),
        pg_catalog::create_pg_get_partkeydef_udf(),
        pg_catalog::create_pg_relation_is_publishable_udf(),
        pg_catalog::create_pg_get_statisticsobjdef_columns_udf(),
        pg_catalog::create_pg_encoding_to_char_udf(),
        pg_catalog::create_pg_backend_pid_udf(),
        pg_catalog::create_pg_relation_size_udf().with_aliases(["pg_table_size"]),
        pg_catalog::create_pg_total_relation_size_udf(),
        pg_catalog::create_pg_stat_get_numscans(),
        pg_catalog::create_pg_get_constraintdef(),
        pg_catalog::create_pg_get_partition_ancestors_udf(),
        pg_catalog::create_current_schemas_udf(),
        quote_ident_udf::create_quote_ident_udf(),
        quote_ident_udf::create_parse_ident_udf(),
        array_bounds_udf::create_array_upper_udf(),
        array_bounds_udf::create_array_lower_udf(),
    ] {
        context.register_udf(function);
    }
    let fixed = |name: &'static str, text: &str| Told::new(name, Tells::Always(text.to_owned()));
    for function in [
        fixed(
            "version",
            &format!("PostgreSQL {SERVER_VERSION} (lawpulse {})", env!("CARGO_PKG_VERSION")),
        ),
        fixed("session_user", caller),
        fixed("current_schema", "models"),
        fixed("pg_get_userbyid", CATALOG),
        Told::new("pg_get_viewdef", Tells::Nothing),
        Told::new("pg_get_indexdef", Tells::Nothing),
        Told::new("pg_get_ruledef", Tells::Nothing),
        Told::new("pg_get_triggerdef", Tells::Nothing),
        Told::new("pg_get_serial_sequence", Tells::Nothing),
        Told::new("pg_size_pretty", Tells::Nothing),
        Told::new("shobj_description", Tells::Nothing),
        Told::new("inet_server_addr", Tells::Nothing),
        Told::new("pg_get_function_result", Tells::Nothing),
        Told::new("pg_get_function_arguments", Tells::Nothing),
        Told::new("pg_get_function_identity_arguments", Tells::Nothing),
        Told::new("json_build_object", Tells::Nothing),
        Told::new("to_regtype", Tells::TypeNumber(type_numbers(tables))),
        Told::new("current_setting", Tells::Setting),
        Told::new("obj_description", Tells::Comment(Arc::clone(comments))),
        Told::new("col_description", Tells::Comment(Arc::clone(comments))),
    ] {
        context.register_udf(ScalarUDF::from(function));
    }
    context.register_udtf("pg_get_keywords", Arc::clone(&tables.pg_get_keywords) as _);
    let state = context.state_ref();
    let known = state.read().clone();
    *state.write() = SessionStateBuilder::new_from_existing(known)
        .with_type_planner(Arc::new(oid_type_planner::PgOidTypePlanner))
        .build();
    generate_series_arg_coercion::CoerceIntArgsToBigInt::widen(context);
}

/// The numbers of PostgreSQL's own types.
fn type_numbers(tables: &PgCatalogStaticTables) -> BTreeMap<String, i32> {
    let mut numbers = BTreeMap::new();
    for batch in tables.pg_type.data() {
        let column = |name: &str| batch.column_by_name(name);
        let (Some(oids), Some(names)) = (column("oid"), column("typname")) else { continue };
        let (Ok(oids), Ok(names)) = (cast(oids, &DataType::Int32), cast(names, &DataType::Utf8))
        else {
            continue;
        };
        let oids = oids.as_primitive::<Int32Type>().iter().flatten();
        let names = names.as_string::<i32>().iter().flatten().map(str::to_owned);
        numbers.extend(names.zip(oids));
    }
    numbers
}

/// The texts of a first argument.
fn texts(arguments: &[ArrayRef]) -> DataResult<Vec<Option<String>>> {
    let Some(texts) = arguments.first() else { return Ok(Vec::new()) };
    let texts = cast(texts, &DataType::Utf8)?;
    Ok(texts.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect())
}

/// A function that tells a text, or a number.
#[derive(Debug)]
struct Told {
    name: &'static str,
    tells: Tells,
    signature: Signature,
}

#[derive(Debug)]
enum Tells {
    Always(String),
    Nothing,
    /// The setting named by the first argument.
    Setting,
    /// The number of the type named by the first argument.
    TypeNumber(BTreeMap<String, i32>),
    /// The comment of the table whose number is the first argument; of its column, if a number follows.
    Comment(Arc<Comments>),
}

impl Told {
    fn new(name: &'static str, tells: Tells) -> Self {
        let arguments = vec![TypeSignature::Nullary, TypeSignature::VariadicAny];
        Self { name, tells, signature: Signature::one_of(arguments, Volatility::Stable) }
    }

    fn comments(&self, comments: &Comments, arguments: &[ArrayRef]) -> DataResult<StringArray> {
        let Some(tables) = arguments.first() else { return Ok(StringArray::new_null(1)) };
        let tables = cast(tables, &DataType::Int32)?;
        let tables = tables.as_primitive::<Int32Type>();
        let columns = match arguments.get(1) {
            Some(columns) if columns.data_type().is_integer() => {
                Some(cast(columns, &DataType::Int32)?)
            }
            _ => None,
        };
        let columns = columns.as_ref().map(|columns| columns.as_primitive::<Int32Type>());
        Ok((0..tables.len())
            .map(|row| {
                let column = columns.map_or(0, |columns| columns.value(row));
                tables.is_valid(row).then(|| comments.get(tables.value(row), column)).flatten()
            })
            .collect())
    }
}

type DataResult<T> = datafusion::common::Result<T>;

impl PartialEq for Told {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Told {}

impl Hash for Told {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for Told {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> DataResult<DataType> {
        Ok(match self.tells {
            Tells::TypeNumber(_) => DataType::Int32,
            _ => DataType::Utf8,
        })
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> DataResult<ColumnarValue> {
        let rows = arguments.number_rows;
        let arrays = ColumnarValue::values_to_arrays(&arguments.args)?;
        let told: ArrayRef = match &self.tells {
            Tells::Always(text) => {
                Arc::new(StringArray::from_iter_values(std::iter::repeat_n(text, rows)))
            }
            Tells::Nothing => Arc::new(StringArray::new_null(rows)),
            Tells::Setting => {
                let value = |name: &str| SETTINGS.iter().find(|(known, _)| *known == name);
                let told = texts(&arrays)?.into_iter().map(|name| value(&name?));
                Arc::new(told.map(|found| found.map(|(_, value)| *value)).collect::<StringArray>())
            }
            Tells::TypeNumber(numbers) => {
                let told = texts(&arrays)?.into_iter().map(|name| numbers.get(&name?).copied());
                Arc::new(told.collect::<Int32Array>())
            }
            Tells::Comment(comments) => Arc::new(self.comments(comments, &arrays)?),
        };
        Ok(ColumnarValue::Array(told))
    }
}
