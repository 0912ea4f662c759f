//! What PostgreSQL's clients ask about a database: `pg_catalog`, `information_schema` and the functions that go with
//! them, made of the tables that the caller sees.
//!
//! The static part of `pg_catalog` and the rewriting of clients' own queries come from `datafusion-pg-catalog`. It is
//! used for queries about the catalog only: some of its rewrites stand for an answer that nobody misses there, and
//! would be a wrong number anywhere else.

mod comments;
mod functions;
mod information;
mod rewrite;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Arc, OnceLock};

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Int32Type, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::view::ViewTable;
use datafusion::catalog::{CatalogProvider, SchemaProvider, TableProvider};
use datafusion::common::{DataFusionError, ScalarValue};
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, TableType, lit};
use datafusion::prelude::SessionContext;
use datafusion::sql::sqlparser::ast::{ObjectName, visit_relations};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use datafusion_pg_catalog::pg_catalog::catalog_info::CatalogInfo;
use datafusion_pg_catalog::pg_catalog::context::EmptyContextProvider;
use datafusion_pg_catalog::pg_catalog::{
    PG_CATALOG_TABLES, PgCatalogSchemaProvider, PgCatalogStaticTables,
};
use datafusion_pg_catalog::sql::PostgresCompatibilityParser;
use pipeline::query::{CATALOG, Guarded};

use crate::caller::Caller;
use comments::Comments;
pub(crate) use information::{TABLE_KINDS, table_kind, type_name};

type DataResult<T> = datafusion::common::Result<T>;

/// The version of PostgreSQL whose wire and catalog are spoken; drivers decide by it which features to use.
pub(crate) const SERVER_VERSION: &str = "16.0";
/// The same as a number.
pub(crate) const SERVER_VERSION_NUM: &str = "160000";

const PG_CATALOG: &str = "pg_catalog";
const INFORMATION_SCHEMA: &str = "information_schema";

/// Functions and names by which a query asks about the database rather than about what is in it.
const ABOUT_CATALOG: [&str; 24] = [
    INFORMATION_SCHEMA,
    "array_lower",
    "array_upper",
    "col_description",
    "current_catalog",
    "current_database",
    "current_role",
    "current_schema",
    "current_schemas",
    "current_setting",
    "current_user",
    "format_type",
    "has_any_column_privilege",
    "has_database_privilege",
    "has_schema_privilege",
    "has_table_privilege",
    "inet_server_addr",
    "obj_description",
    "quote_ident",
    "regclass",
    "session_user",
    "shobj_description",
    "user",
    "version",
];

/// The catalog of what a sort of caller sees.
#[derive(Debug)]
pub(super) struct Postgres {
    catalog: Arc<dyn CatalogProvider>,
    comments: Arc<Comments>,
}

impl Postgres {
    /// Makes the catalog; every object has its number from then on.
    pub(super) async fn of(guarded: &Guarded) -> DataResult<Self> {
        let information = Arc::new(information::schema(guarded)?);
        let listing = Listing::of(guarded, information.as_ref());
        let tables = Arc::clone(static_tables()?);
        let system = PgCatalogSchemaProvider::try_new(listing, tables, EmptyContextProvider)?;
        let system: Arc<dyn SchemaProvider> = Arc::new(system);
        let comments = Arc::new(Comments::of(guarded, &numbers(&system).await?));
        let description = comments.table()?;
        let system = Arc::new(Described { system, description });
        let seen =
            guarded.session(0, 0).map_err(|error| DataFusionError::External(error.into()))?;
        let seen = seen.catalog(CATALOG).ok_or_else(|| {
            DataFusionError::Internal("the session has no catalog of its own".to_owned())
        })?;
        Ok(Self { catalog: Arc::new(WithSystem { seen, system, information }), comments })
    }

    /// Gives a session the catalog and its functions.
    pub(super) fn equip(&self, context: &SessionContext, caller: &Caller) -> DataResult<()> {
        context.state_ref().write().config_mut().options_mut().catalog.information_schema = false;
        context.register_catalog(CATALOG, Arc::clone(&self.catalog));
        functions::register(context, &self.comments, static_tables()?, &caller.name);
        Ok(())
    }
}

/// Whether a statement asks about the database rather than about what is in it.
pub(super) fn is_about_catalog(sql: &str) -> bool {
    let Ok(tokens) = Tokenizer::new(&PostgreSqlDialect {}, sql).tokenize() else { return false };
    tokens.iter().any(|token| {
        let Token::Word(word) = token else { return false };
        let word = word.value.to_lowercase();
        word.starts_with("pg_") || ABOUT_CATALOG.contains(&word.as_str())
    })
}

/// A statement about the catalog as the engine can plan it; `None` when it is not a single statement, cannot be read, or
/// asks for the caller's tables too, where nothing may be rewritten.
pub(super) fn rewritten(sql: &str, guarded: &Guarded) -> Option<String> {
    static PARSER: OnceLock<PostgresCompatibilityParser> = OnceLock::new();
    let mut statements = Parser::parse_sql(&PostgreSqlDialect {}, sql).ok()?;
    let is_own = |relation: &ObjectName| -> bool {
        let table = relation.0.last().map(ToString::to_string).unwrap_or_default();
        guarded.tables().values().any(|tables| tables.contains_key(&table))
    };
    let asks_own_tables = visit_relations(&statements, |relation| {
        if is_own(relation) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    if asks_own_tables.is_break() {
        return None;
    }
    let [statement] = statements.as_mut_slice() else { return None };
    if let Some(empty) = rewrite::of_nothing(statement) {
        return Some(empty);
    }
    // What is known word for word is known as the client wrote it.
    let sql = if rewrite::lookups(statement) { statement.to_string() } else { sql.to_owned() };
    let parser = PARSER.get_or_init(PostgresCompatibilityParser::new);
    let mut statements = parser.parse(&sql).ok()?;
    let [statement] = statements.as_mut_slice() else { return None };
    rewrite::expressions(statement);
    Some(statement.to_string())
}

fn static_tables() -> DataResult<&'static Arc<PgCatalogStaticTables>> {
    static TABLES: OnceLock<Arc<PgCatalogStaticTables>> = OnceLock::new();
    if let Some(tables) = TABLES.get() {
        return Ok(tables);
    }
    let tables = Arc::new(PgCatalogStaticTables::try_new()?);
    Ok(TABLES.get_or_init(|| tables))
}

/// The numbers of tables by schema and name, given out in one order before anybody asks.
async fn numbers(system: &Arc<dyn SchemaProvider>) -> DataResult<BTreeMap<(String, String), i32>> {
    let context = SessionContext::new();
    let missing = |name: &str| DataFusionError::Internal(format!("there is no {name}"));
    for name in ["pg_namespace", "pg_class"] {
        let table = system.table(name).await?.ok_or_else(|| missing(name))?;
        context.register_table(name, table)?;
    }
    let frame = context
        .sql(
            "select nspname, relname, pg_class.oid as number from pg_class \
             join pg_namespace on pg_namespace.oid = relnamespace",
        )
        .await?;
    let mut numbers = BTreeMap::new();
    for batch in frame.collect().await? {
        let text = |place: usize, row: usize| {
            arrow::util::display::array_value_to_string(batch.column(place), row)
        };
        let oids = batch.column(2).as_primitive::<Int32Type>();
        for row in 0..batch.num_rows() {
            numbers.insert((text(0, row)?, text(1, row)?), oids.value(row));
        }
    }
    Ok(numbers)
}

/// What the system tables list: what the caller sees, and themselves.
#[derive(Debug, Clone)]
struct Listing(Arc<BTreeMap<String, Columns>>);

/// The tables of a schema, by name.
type Columns = BTreeMap<String, (SchemaRef, TableType)>;

impl Listing {
    fn of(guarded: &Guarded, information: &information::Information) -> Self {
        let describe = |(name, table): (&String, &Arc<dyn TableProvider>)| {
            (name.clone(), (table.schema(), table.table_type()))
        };
        let mut schemas: BTreeMap<_, BTreeMap<_, _>> = guarded
            .tables()
            .iter()
            .map(|(schema, tables)| (schema.clone(), tables.iter().map(describe).collect()))
            .collect();
        schemas.insert(INFORMATION_SCHEMA.to_owned(), information.tables().map(describe).collect());
        let empty: SchemaRef = Arc::new(Schema::empty());
        let system = PG_CATALOG_TABLES
            .iter()
            .map(|name| ((*name).to_owned(), (Arc::clone(&empty), TableType::Base)));
        schemas.insert(PG_CATALOG.to_owned(), system.collect());
        Self(Arc::new(schemas))
    }
}

#[async_trait]
impl CatalogInfo for Listing {
    async fn catalog_names(&self) -> DataResult<Vec<String>> {
        Ok(vec![CATALOG.to_owned()])
    }

    async fn schema_names(&self, _catalog: &str) -> DataResult<Option<Vec<String>>> {
        Ok(Some(self.0.keys().cloned().collect()))
    }

    async fn table_names(&self, _catalog: &str, schema: &str) -> DataResult<Option<Vec<String>>> {
        Ok(self.0.get(schema).map(|tables| tables.keys().cloned().collect()))
    }

    async fn table_schema(
        &self,
        _catalog: &str,
        schema: &str,
        table: &str,
    ) -> DataResult<Option<SchemaRef>> {
        let found = self.0.get(schema).and_then(|tables| tables.get(table));
        Ok(found.map(|(schema, _)| Arc::clone(schema)))
    }

    async fn table_type(
        &self,
        _catalog: &str,
        schema: &str,
        table: &str,
    ) -> DataResult<Option<TableType>> {
        Ok(self.0.get(schema).and_then(|tables| tables.get(table)).map(|(_, kind)| *kind))
    }
}

/// `pg_catalog` with comments of our own.
#[derive(Debug)]
struct Described {
    system: Arc<dyn SchemaProvider>,
    description: Arc<dyn TableProvider>,
}

#[async_trait]
impl SchemaProvider for Described {
    fn table_names(&self) -> Vec<String> {
        self.system.table_names()
    }

    async fn table(&self, name: &str) -> DataResult<Option<Arc<dyn TableProvider>>> {
        let table = self.system.table(name).await?;
        Ok(match (name, table) {
            ("pg_description", _) => Some(Arc::clone(&self.description)),
            ("pg_class", Some(table)) => Some(with_no_options(table)?),
            (_, table) => table,
        })
    }

    fn table_exist(&self, name: &str) -> bool {
        self.system.table_exist(name)
    }
}

/// `pg_class` with the columns of options and grants, which clients read and of which there are none.
fn with_no_options(table: Arc<dyn TableProvider>) -> DataResult<Arc<dyn TableProvider>> {
    let texts = DataType::new_list(DataType::Utf8, true);
    let none = ScalarValue::try_from(&texts)?;
    let plan = LogicalPlanBuilder::scan("pg_class", provider_as_source(table), None)?;
    let columns = plan.schema().columns().into_iter().map(Expr::Column);
    let more = ["reloptions", "relacl"].map(|name| lit(none.clone()).alias(name));
    let plan = plan.project(columns.chain(more).collect::<Vec<_>>())?.build()?;
    Ok(Arc::new(ViewTable::new(plan, None)))
}

/// What the caller sees, with the system's schemas.
#[derive(Debug)]
struct WithSystem {
    seen: Arc<dyn CatalogProvider>,
    system: Arc<dyn SchemaProvider>,
    information: Arc<dyn SchemaProvider>,
}

impl CatalogProvider for WithSystem {
    fn schema_names(&self) -> Vec<String> {
        let mut names = self.seen.schema_names();
        names.extend([PG_CATALOG.to_owned(), INFORMATION_SCHEMA.to_owned()]);
        names
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        match name {
            PG_CATALOG => Some(Arc::clone(&self.system)),
            INFORMATION_SCHEMA => Some(Arc::clone(&self.information)),
            _ => self.seen.schema(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_about_the_database_is_told_from_one_about_what_is_in_it() {
        for sql in [
            "select * from pg_catalog.pg_class",
            "SELECT version()",
            "select current_schema()",
            "select * from information_schema.tables",
            "select 'patrols'::regclass",
        ] {
            assert!(is_about_catalog(sql), "{sql}");
        }
        for sql in [
            "select count(*) from events where event_type = 'pg_class'",
            "select 'pg_class' as name, 'information_schema'",
            "select value from metrics.patrols -- version",
            "select 'unclosed",
        ] {
            assert!(!is_about_catalog(sql), "{sql}");
        }
    }
}
