//! One state of a lake as one sort of reader sees it, laid out in schemas.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::NaiveDate;
use datafusion::catalog::{CatalogProvider, MemorySchemaProvider, SchemaProvider, TableProvider};
use datafusion::execution::FunctionRegistry as _;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::prelude::SessionContext;

use super::bounds::Bounds;
use super::{REJECTS, View, events_sql, new_context, user_runtime};
use crate::access::Access;
use crate::audit::AUDIT_LOG;
use crate::error::{Error, Result};
use crate::metric::{Catalogue, Desk, MetricFunction, MetricTable};
use crate::reference;

/// The schema where names without one are looked up: what the others hold, metrics excepted. It is not listed.
const UNQUALIFIED: &str = "public";

/// The catalog's name.
pub const CATALOG: &str = "lawpulse";

/// The schemas that every reader finds.
const SCHEMAS: [&str; 4] = ["metrics", "models", "events", "reference"];

/// The schema of the audit log, for those who may see it.
pub const AUDIT_SCHEMA: &str = "audit";

/// What the log holds.
const EVENT_TABLES: [&str; 3] = ["event_log", "events", "rejects"];
/// Tables of the schema `reference` besides the registers.
const SHIPPED: [&str; 4] = ["event_types", "calendar", "goal_changes", "org_districts"];

/// A state of a lake for a sort of reader.
#[derive(Debug, Clone)]
pub struct Guarded {
    view: Arc<View>,
    catalog: Arc<Schemas>,
    desk: Arc<Desk>,
}

impl Guarded {
    /// Guards every table of a state, and plans the views anew on what is left. `audit_log` is the audit log, which is
    /// newer than any state.
    pub async fn new(
        view: &Arc<View>,
        access: &Access,
        catalogue: &Catalogue,
        today: NaiveDate,
        audit_log: Option<&Arc<dyn TableProvider>>,
    ) -> Result<Self> {
        let desk = Arc::new(Desk {
            view: Arc::clone(view),
            catalogue: catalogue.clone(),
            today,
            access: access.clone(),
        });
        let mut tables: BTreeMap<String, Arc<dyn TableProvider>> = BTreeMap::new();
        let audit_log = audit_log.filter(|_| access.audit).map(|log| (AUDIT_LOG, log));
        let base = view.base_tables().iter().map(|(name, table)| (name.as_str(), table));
        for (name, table) in base.chain(audit_log) {
            let guarded = access
                .guard(name, table, view.dictionary())
                .map_err(Error::query(format!("guarding `{name}`")))?;
            tables.extend(guarded.map(|table| (name.to_owned(), table)));
        }
        let context = new_context(&view.runtime, view.zone, &view.calendar);
        for (name, table) in &tables {
            context.register_table(name, Arc::clone(table)).map_err(Error::query(name))?;
        }
        if tables.contains_key("event_log") {
            let sql = events_sql(view.revised, None);
            plan_view(&context, &mut tables, "events", &sql).await?;
        }
        if tables.contains_key("event_log") && access.orgs.is_none() {
            plan_view(&context, &mut tables, "rejects", REJECTS).await?;
        }
        for (name, sql) in &view.plain_views {
            let planned = plan_view(&context, &mut tables, name, sql).await;
            // A view on tables that are hidden is hidden too.
            if *access == Access::whole() {
                planned?;
            }
        }
        let catalog = Arc::new(Schemas::new(tables, &desk));
        Ok(Self { view: Arc::clone(view), catalog, desk })
    }

    /// The state.
    pub fn view(&self) -> &Arc<View> {
        &self.view
    }

    /// What the reader may see.
    pub fn access(&self) -> &Access {
        &self.desk.access
    }

    /// A fresh session for one query, which may use so much memory, and spill so much to disk.
    pub fn session(&self, memory_bytes: usize, spill_bytes: u64) -> Result<SessionContext> {
        let runtime = user_runtime(&self.view.runtime, memory_bytes, spill_bytes)?;
        Ok(self.session_in(&runtime))
    }

    fn session_in(&self, runtime: &Arc<RuntimeEnv>) -> SessionContext {
        let context = new_context(runtime, self.view.zone, &self.view.calendar);
        context.register_catalog(CATALOG, Arc::clone(&self.catalog) as Arc<dyn CatalogProvider>);
        // A session's first rewrite cannot be refused.
        let _ = context.state_ref().write().register_function_rewrite(Arc::new(Bounds));
        context.register_udtf("metric", Arc::new(MetricFunction::new(&self.desk)));
        self.view.spread_queries_of(&context);
        context
    }

    /// The schemas, in the order in which people look at them.
    pub fn schemas(&self) -> Vec<&str> {
        self.catalog.names().collect()
    }

    /// The tables and views by schema.
    pub fn tables(&self) -> &BTreeMap<String, BTreeMap<String, Arc<dyn TableProvider>>> {
        &self.catalog.tables
    }

    /// The names of the tables and views, as they can be asked for.
    pub fn table_names(&self) -> Vec<String> {
        let names =
            |(schema, tables): (&String, &BTreeMap<String, _>)| -> Vec<String> {
                tables
                    .keys()
                    .map(|table| {
                        if schema == "metrics" {
                            format!("{schema}.{table}")
                        } else {
                            table.clone()
                        }
                    })
                    .collect()
            };
        self.catalog.tables.iter().flat_map(names).collect()
    }

    /// The metrics, each of which has a view of its name in the schema `metrics`.
    pub fn catalogue(&self) -> &Catalogue {
        &self.desk.catalogue
    }
}

/// Plans a view on the tables that a session knows.
async fn plan_view(
    context: &SessionContext,
    tables: &mut BTreeMap<String, Arc<dyn TableProvider>>,
    name: &str,
    sql: &str,
) -> Result<()> {
    let frame = context.sql(sql).await.map_err(Error::query(format!("view `{name}`")))?;
    let view = frame.into_view();
    context.register_table(name, Arc::clone(&view)).map_err(Error::query(name))?;
    tables.insert(name.to_owned(), view);
    Ok(())
}

/// The catalog: a schema for each sort of table, and one for names without a schema.
#[derive(Debug)]
struct Schemas {
    tables: BTreeMap<String, BTreeMap<String, Arc<dyn TableProvider>>>,
    schemas: BTreeMap<String, Arc<dyn SchemaProvider>>,
}

impl Schemas {
    fn new(tables: BTreeMap<String, Arc<dyn TableProvider>>, desk: &Arc<Desk>) -> Self {
        let mut by_schema: BTreeMap<String, BTreeMap<String, Arc<dyn TableProvider>>> =
            SCHEMAS.iter().map(|schema| ((*schema).to_owned(), BTreeMap::new())).collect();
        let mut put = |schema: &str, name: String, table: Arc<dyn TableProvider>| {
            by_schema.entry(schema.to_owned()).or_default().insert(name, table);
        };
        let unqualified: Arc<dyn SchemaProvider> = Arc::new(MemorySchemaProvider::new());
        for (name, table) in tables {
            // A fresh provider has no table of the name.
            let _ = unqualified.register_table(name.clone(), Arc::clone(&table));
            put(schema_of(&name), name, table);
        }
        for metric in desk.catalogue.iter() {
            let table = Arc::new(MetricTable::view(desk, metric));
            put("metrics", metric.id().to_owned(), table);
        }
        let mut schemas: BTreeMap<String, Arc<dyn SchemaProvider>> = BTreeMap::new();
        for (schema, tables) in &by_schema {
            let provider = MemorySchemaProvider::new();
            for (name, table) in tables {
                let _ = provider.register_table(name.clone(), Arc::clone(table));
            }
            schemas.insert(schema.clone(), Arc::new(provider));
        }
        schemas.insert(UNQUALIFIED.to_owned(), unqualified);
        Self { tables: by_schema, schemas }
    }
}

impl Schemas {
    fn names(&self) -> impl Iterator<Item = &str> {
        SCHEMAS.into_iter().chain([AUDIT_SCHEMA]).filter(|schema| self.tables.contains_key(*schema))
    }
}

fn schema_of(table: &str) -> &'static str {
    let is_register = reference::TABLES.iter().any(|definition| definition.name() == table);
    if table == AUDIT_LOG {
        AUDIT_SCHEMA
    } else if EVENT_TABLES.contains(&table) {
        "events"
    } else if is_register || SHIPPED.contains(&table) {
        "reference"
    } else {
        "models"
    }
}

impl CatalogProvider for Schemas {
    fn schema_names(&self) -> Vec<String> {
        self.names().map(str::to_owned).collect()
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        self.schemas.get(name).map(Arc::clone)
    }
}
