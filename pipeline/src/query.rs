//! SQL sessions over one state of a lake.

mod bounds;
mod guarded;
mod kept;
mod reads;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, OnceLock};

use arrow::array::{Array, ArrayRef, AsArray, Date32Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Field, Schema, TimestampMicrosecondType};
use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use datafusion::catalog::{
    CatalogProvider, MemoryCatalogProvider, MemorySchemaProvider, SchemaProvider, TableProvider,
};
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::calendar::{Calendar, WorkingDays};
use crate::check::Findings;
use crate::definition::Definitions;
use crate::dictionary::Dictionary;
use crate::error::{Error, Result};
use crate::lake::{Lake, Published, Table, Tier};
use crate::location::Location;
use crate::memory::MemoryTable;
use crate::metric::{Period, Tree};
use crate::model::{Kind, Model};
use crate::reference::{self, Org};
use crate::travel::{self, Spread};
use crate::zone::{date_of, days_of, micros_to_utc};
use crate::{bitmap, event, functions, metric};

pub(crate) use bounds::{BOUNDS, bounded, joined};
pub use guarded::{AUDIT_SCHEMA, CATALOG, Guarded};
use kept::Kept;
pub(crate) use reads::{Asked, Footprint, Reads, Rows, open};

/// The newest revision of every event that has not been withdrawn, over the whole log.
///
/// Almost no event has a second revision, and data files say in their statistics which may: the
/// look-up of revised ids reads only those.
const ALL_EVENTS: &str = "
    with revised as (
        select event_id, max(revision) as revision
        from event_log where revision > 0 and event_month <> 'rejected'
        group by event_id
    )
    select event_log.* from event_log
    left anti join revised on event_log.event_id = revised.event_id
    where event_log.event_month <> 'rejected'
    union all
    select event_log.* from event_log
    inner join revised
        on event_log.event_id = revised.event_id and event_log.revision = revised.revision
    where
        event_log.revision > 0 and event_log.operation = 'upsert'
        and event_log.event_month <> 'rejected'";

/// What `events` shows of the log, for a log where no event has a second revision.
const FIRST_REVISIONS: &str = "select * from event_log where event_month <> 'rejected'";

const EVENT_COLUMNS: &str = "event_id, revision, event_type, occurred_at, event_date, received_at, \
    landed_at, source, org_id, officer_ids, object_id, party_id, item_code, channel, attributes, event_month";

const REJECTS: &str = "
    select
        landed_at, source,
        reject['file'] as file, reject['line'] as line,
        reject['reason'] as reason, reject['detail'] as detail, reject['text'] as text
    from event_log where event_month = 'rejected'";

/// The tables that a request brings along.
const REQUEST_TABLES: [&str; 5] =
    ["periods", "period_days", "scope_orgs", "scope_levels", "scope_districts"];

/// Of each unit the district that it is under, and when: for what registers say of one district.
const ORG_DISTRICTS: &str = "org_districts";

/// What the queries of one reader may use together, besides the rollups that it keeps. A query that
/// needs more spills to disk where it can and otherwise ends with an error.
const QUERY_MEMORY_BYTES: usize = 4 << 30;

/// Reads a lake; keeps what stays the same between two of its versions.
#[derive(Debug)]
pub struct Reader {
    lake: Lake,
    definitions: Arc<Definitions>,
    dictionary: Arc<Dictionary>,
    models: Arc<Vec<Model>>,
    runtime: Arc<RuntimeEnv>,
    calendar: Arc<WorkingDays>,
    kept: BTreeMap<String, Kept>,
    view: Arc<View>,
    spread: Arc<OnceLock<Arc<dyn Spread>>>,
}

/// One state of a lake: queries on it see the same rows whatever lands meanwhile.
#[derive(Debug)]
pub struct View {
    zone: Tz,
    runtime: Arc<RuntimeEnv>,
    calendar: Arc<WorkingDays>,
    tables: Vec<(String, Arc<dyn TableProvider>)>,
    /// Of the tables those that are not views.
    base: Vec<(String, Arc<dyn TableProvider>)>,
    /// Where the rows of those are.
    rows: BTreeMap<String, Rows>,
    /// Whether events may have a second revision.
    revised: bool,
    /// The views of models that need no request: `(name, sql)`.
    plain_views: Vec<(String, String)>,
    request_views: Vec<(String, String)>,
    dictionary: Arc<Dictionary>,
    location: Arc<Location>,
    tree: Arc<Tree>,
    version: u64,
    fingerprint: String,
    facts: Facts,
    answers: metric::Answers,
    numbers: Arc<metric::Numbers>,
    findings: Arc<Findings>,
    /// What spreads queries over several processes, once that is known.
    spread: Arc<OnceLock<Arc<dyn Spread>>>,
}

/// What a lake holds, in a few numbers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// Newest revisions of events.
    pub events: u64,
    /// Kept rejects.
    pub rejects: u64,
    /// Rejects by source.
    pub rejects_by_source: BTreeMap<String, u64>,
    /// The first local day with an event.
    pub first_event_date: Option<NaiveDate>,
    /// The last local day with an event.
    pub last_event_date: Option<NaiveDate>,
    /// When the newest event happened.
    pub last_event_at: Option<DateTime<Utc>>,
    /// When the newest line landed.
    pub last_landed_at: Option<DateTime<Utc>>,
    /// Files of the log.
    pub files: u64,
    /// Bytes of these files.
    pub file_bytes: u64,
    /// What of them is packed.
    pub packed: Tier,
}

impl Reader {
    /// Opens a lake for reading.
    pub async fn open(
        location: impl Into<Location>,
        definitions: Arc<Definitions>,
    ) -> Result<Self> {
        Self::of(Lake::open(location).await?, definitions).await
    }

    /// Opens a lake as the process that writes it has published it; [`Reader::follow`] goes on.
    pub async fn following(
        location: impl Into<Location>,
        definitions: Arc<Definitions>,
        published: &Published,
    ) -> Result<Self> {
        let mut lake = Lake::open(location).await?;
        lake.follow(published).await?;
        Self::of(lake, definitions).await
    }

    /// Reads a lake that is open.
    pub(crate) async fn of(lake: Lake, definitions: Arc<Definitions>) -> Result<Self> {
        let models = Arc::new(Model::all(&definitions)?);
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_limit(QUERY_MEMORY_BYTES, 1.0)
            .build_arc()
            .map_err(Error::query("the runtime"))?;
        let calendar = working_days(&definitions)?;
        let dictionary = Arc::new(Dictionary::load(&definitions)?);
        let spread = Arc::default();
        let empty = View {
            spread: Arc::clone(&spread),
            zone: lake.zone(),
            runtime: Arc::clone(&runtime),
            calendar: Arc::clone(&calendar),
            tables: Vec::new(),
            base: Vec::new(),
            rows: BTreeMap::new(),
            revised: false,
            plain_views: Vec::new(),
            request_views: Vec::new(),
            dictionary: Arc::clone(&dictionary),
            location: Arc::new(lake.location().clone()),
            tree: Arc::default(),
            version: 0,
            fingerprint: String::new(),
            facts: Facts::default(),
            answers: metric::Answers::default(),
            numbers: Arc::default(),
            findings: Arc::default(),
        };
        let mut reader = Self {
            lake,
            definitions,
            dictionary,
            models,
            runtime,
            calendar,
            kept: BTreeMap::new(),
            view: Arc::new(empty),
            spread,
        };
        reader.update().await?;
        Ok(reader)
    }

    /// The newest state that [`Reader::update`] has seen.
    pub fn view(&self) -> Arc<View> {
        Arc::clone(&self.view)
    }

    /// Spreads the queries of this reader's states from now on. The first that is told stays.
    pub fn spread_over(&self, spread: Arc<dyn Spread>) {
        _ = self.spread.set(spread);
    }

    /// Sees what has landed and been refreshed since; returns whether anything has.
    pub async fn update(&mut self) -> Result<bool> {
        self.lake.events_mut().update().await?;
        self.take_in().await
    }

    /// Sees what the process that writes the lake has published, and no version that it commits meanwhile; returns whether
    /// that is anything new.
    ///
    /// Fails when its rollups are made by other definitions than this process knows.
    pub async fn follow(&mut self, published: &Published) -> Result<bool> {
        self.lake.follow(published).await?;
        self.take_in().await
    }

    async fn take_in(&mut self) -> Result<bool> {
        let kept = self.keep_tables().await?;
        let same = kept.len() == self.kept.len()
            && kept.iter().all(|(name, new)| {
                self.kept.get(name).is_some_and(|old| old.version == new.version)
            });
        if same {
            return Ok(false);
        }
        self.kept = kept;
        self.view = Arc::new(self.build_view().await?);
        Ok(true)
    }

    async fn build_view(&self) -> Result<View> {
        let mut tables: Vec<_> = self
            .kept
            .iter()
            .map(|(name, kept)| (name.clone(), Arc::clone(&kept.provider)))
            .collect();
        let mut rows: BTreeMap<_, _> =
            self.kept.iter().map(|(name, kept)| (name.clone(), kept.rows.clone())).collect();
        let mut tree = Arc::new(self.tree());
        let districts = match self.view.rows.get(ORG_DISTRICTS) {
            Some(Rows::Kept(same)) if tree.orgs() == self.view.tree.orgs() => {
                tree = Arc::clone(&self.view.tree);
                Arc::clone(same)
            }
            _ => Arc::new(org_districts(&tree)?),
        };
        rows.insert(ORG_DISTRICTS.to_owned(), Rows::Kept(Arc::clone(&districts)));
        tables.push((ORG_DISTRICTS.to_owned(), districts));
        let mut base = tables.clone();
        let context = new_context(&self.runtime, self.lake.zone(), &self.calendar);
        let revised = may_have_revisions(self.lake.events())?;
        tables.extend(register_events(&context, self.lake.events(), revised, None).await?);
        let (request_views, plain_views) = self.views();
        let mut view = View {
            spread: Arc::clone(&self.spread),
            zone: self.lake.zone(),
            runtime: Arc::clone(&self.runtime),
            calendar: Arc::clone(&self.calendar),
            tables,
            base: Vec::new(),
            rows,
            revised,
            plain_views: plain_views
                .iter()
                .map(|model| (model.name().to_owned(), model.sql().to_owned()))
                .collect(),
            request_views,
            dictionary: Arc::clone(&self.dictionary),
            location: Arc::new(self.lake.location().clone()),
            tree,
            version: self.lake.events().version(),
            fingerprint: self.fingerprint(),
            facts: Facts::default(),
            answers: metric::Answers::default(),
            numbers: Arc::clone(&self.view.numbers),
            findings: Arc::clone(&self.view.findings),
        };
        for model in self.models.iter().filter(|model| model.kind() == Kind::Derived) {
            let table = view.derive(model, &self.view).await?;
            base.push((model.name().to_owned(), Arc::clone(&table) as _));
            view.tables.push((model.name().to_owned(), Arc::clone(&table) as _));
            view.rows.insert(model.name().to_owned(), Rows::Kept(table));
        }
        for model in plain_views {
            let what = format!("sql/models/{}.sql", model.name());
            let frame = view.session()?.sql(model.sql()).await.map_err(Error::query(what))?;
            view.tables.push((model.name().to_owned(), frame.into_view()));
        }
        view.base = base;
        view.facts = view.find_facts().await?;
        for file in self.lake.events().files()? {
            view.facts.files += 1;
            view.facts.file_bytes += file.bytes;
        }
        view.facts.packed = self.lake.events().packed()?;
        Ok(view)
    }

    /// Tells states apart: the versions of every table, and the queries of every model.
    fn fingerprint(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for (name, kept) in &self.kept {
            hasher.update(format!("{name} {:?}\n", kept.version).as_bytes());
        }
        for model in self.models.iter() {
            hasher.update(model.fingerprint().as_bytes());
        }
        hasher.finalize().to_hex()[..16].to_owned()
    }

    /// The views of the models: those that need a request, and the others.
    fn views(&self) -> (Vec<(String, String)>, Vec<&Model>) {
        let views: Vec<&Model> =
            self.models.iter().filter(|model| model.kind() == Kind::View).collect();
        let mut of_request: BTreeSet<&str> = REQUEST_TABLES.into_iter().collect();
        loop {
            let before = of_request.len();
            for view in &views {
                let names_one = |name: &&str| metric::names(view.sql(), name);
                if view.sql().contains('$') || of_request.iter().any(names_one) {
                    of_request.insert(view.name());
                }
            }
            if of_request.len() == before {
                break;
            }
        }
        let (needing, plain): (Vec<_>, Vec<_>) =
            views.into_iter().partition(|view| of_request.contains(view.name()));
        let needing =
            needing.iter().map(|view| (view.name().to_owned(), view.sql().to_owned())).collect();
        (needing, plain)
    }

    /// The reference's units, and those that only events know.
    fn tree(&self) -> Tree {
        let batches = |name: &str| -> &[RecordBatch] {
            let rows = self.kept.get(name).and_then(|kept| kept.rows.in_memory());
            rows.map_or(&[], MemoryTable::batches)
        };
        let mut orgs = reference::orgs_of(batches("orgs"));
        let known: BTreeSet<String> = orgs.iter().map(|org| org.org_id.clone()).collect();
        let mut unknown = BTreeSet::new();
        for batch in batches("org_days") {
            let Some(ids) =
                batch.column_by_name("org_id").and_then(|ids| ids.as_string_opt::<i32>())
            else {
                continue;
            };
            unknown
                .extend(ids.iter().flatten().filter(|id| !known.contains(*id)).map(str::to_owned));
        }
        orgs.extend(unknown.into_iter().map(|org_id| Org {
            name: org_id.clone(),
            org_id,
            name_en: None,
            kind: String::new(),
            area: None,
            parent_id: None,
            valid_from: None,
            valid_to: None,
        }));
        Tree::new(orgs)
    }
}

fn org_districts(tree: &Tree) -> Result<MemoryTable> {
    let districts = tree.districts();
    let texts = |text: fn(&(String, String, Period)) -> &str| -> ArrayRef {
        Arc::new(districts.iter().map(|row| Some(text(row))).collect::<StringArray>())
    };
    let dates = |day: fn(&Period) -> NaiveDate| -> ArrayRef {
        let days = districts.iter().map(|(_, _, span)| days_of(day(span)));
        Arc::new(Date32Array::from_iter_values(days))
    };
    let columns = [
        ("org_id", texts(|(org_id, _, _)| org_id)),
        ("district_id", texts(|(_, district_id, _)| district_id)),
        ("valid_from", dates(|span| span.start)),
        ("valid_to", dates(|span| span.end)),
    ];
    let fields: Vec<_> = columns
        .iter()
        .map(|(name, column)| Field::new(*name, column.data_type().clone(), false))
        .collect();
    let schema = Arc::new(Schema::new(fields));
    let columns = columns.into_iter().map(|(_, column)| column).collect();
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns).map_err(Error::internal)?;
    MemoryTable::new(schema, &[batch]).map_err(Error::internal)
}

impl View {
    /// A fresh session: what one query registers or sets, no other sees.
    pub fn session(&self) -> Result<SessionContext> {
        self.session_in(&self.runtime)
    }

    /// As [`View::session`], for queries that may be spread over several processes.
    pub(crate) fn spread_session(&self) -> Result<SessionContext> {
        let context = self.session()?;
        self.spread_queries_of(&context);
        Ok(context)
    }

    fn spread_queries_of(&self, context: &SessionContext) {
        if let Some(spread) = self.spread.get() {
            travel::spread_over(context, spread);
        }
    }

    fn session_in(&self, runtime: &Arc<RuntimeEnv>) -> Result<SessionContext> {
        let context = new_context(runtime, self.zone, &self.calendar);
        let schema = MemorySchemaProvider::new();
        for (name, provider) in &self.tables {
            schema
                .register_table(name.clone(), Arc::clone(provider))
                .map_err(Error::query("the session"))?;
        }
        let catalog = MemoryCatalogProvider::new();
        catalog.register_schema("public", Arc::new(schema)).map_err(Error::query("the session"))?;
        context.register_catalog("lawpulse", Arc::new(catalog));
        Ok(context)
    }

    /// The tables that are not views, as they are.
    pub(crate) fn base_tables(&self) -> &[(String, Arc<dyn TableProvider>)] {
        &self.base
    }

    /// The lake's folder.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// What tables and columns mean.
    pub fn dictionary(&self) -> &Arc<Dictionary> {
        &self.dictionary
    }

    /// What metrics have been asked about this state.
    pub(crate) fn answers(&self) -> &metric::Answers {
        &self.answers
    }

    /// What metrics have been asked about this state and others of its lake.
    pub(crate) fn numbers(&self) -> &metric::Numbers {
        &self.numbers
    }

    /// What checks found in this state and others of its lake.
    pub(crate) fn findings(&self) -> &Findings {
        &self.findings
    }

    /// Tells states of a lake apart: the same as long as every table and every model stays the same.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// How many numbers of metrics are remembered: answers to questions about this state, and numbers of this and other states of
    /// its lake.
    pub fn remembered(&self) -> usize {
        self.answers.samples() + self.numbers.len()
    }

    /// How many numbers of metrics had to be computed so far, for this state and others of its lake, and how many were known
    /// because the rows that they are made of were the same.
    pub fn computed_and_found(&self) -> (u64, u64) {
        self.numbers.computed_and_found()
    }

    /// The views that need the periods and scopes of a request: `(name, sql)`.
    pub(crate) fn request_views(&self) -> &[(String, String)] {
        &self.request_views
    }

    /// Every version of every unit, as a tree.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The ids of every unit of the reference and the log.
    pub fn org_ids(&self) -> HashSet<String> {
        self.tree.orgs().iter().map(|org| org.org_id.clone()).collect()
    }

    /// The zone whose days and months the lake counts in.
    pub fn zone(&self) -> Tz {
        self.zone
    }

    /// The version of the log.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// What the lake holds.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Computes a derived table from the tables that the view has so far; or takes it from the state before, where it is made of
    /// the same rows.
    async fn derive(&self, model: &Model, before: &Self) -> Result<Arc<MemoryTable>> {
        let context = self.session()?;
        let what = format!("sql/models/{}.sql", model.name());
        let frame = context.sql(model.sql()).await.map_err(Error::query(&what))?;
        let reads = Reads::of(frame.clone()).map_err(Error::query(&what))?;
        if let Some(Rows::Kept(same)) = before.rows.get(model.name())
            && before.footprint(&reads, Asked::NOTHING) == self.footprint(&reads, Asked::NOTHING)
        {
            return Ok(Arc::clone(same));
        }
        let planned = Arc::new(frame.schema().as_arrow().clone());
        let batches = frame.collect().await.map_err(Error::query(&what))?;
        // The engine may run with narrower types than it planned.
        let schema = batches.first().map_or(planned, RecordBatch::schema);
        Ok(Arc::new(MemoryTable::new(schema, &batches).map_err(Error::internal)?))
    }

    /// What a query reads of this state, for the days that it is asked about.
    pub(crate) fn footprint(&self, reads: &Reads, asked: Asked) -> Footprint {
        reads.footprint(&self.rows, asked)
    }

    /// Whether landings of other days leave what a query says of some days alone.
    pub(crate) fn goes_by_days(&self, reads: &Reads) -> bool {
        reads.go_by_days(&self.rows)
    }

    async fn find_facts(&self) -> Result<Facts> {
        let totals = self
            .collect(
                "facts",
                "select cast(sum(events) as bigint) as events, min(event_date) as first_date, \
                 max(event_date) as last_date, max(last_occurred_at) as last_at from org_days",
            )
            .await?;
        let mut facts = Facts::default();
        if let Some(batch) = totals.first().filter(|batch| batch.num_rows() > 0) {
            let date = |column: usize| {
                let dates = batch.column(column).as_primitive_opt::<Date32Type>()?;
                dates.is_valid(0).then(|| date_of(dates.value(0)))
            };
            facts.events = integer(batch.column(0), 0).unwrap_or_default();
            facts.first_event_date = date(1);
            facts.last_event_date = date(2);
            facts.last_event_at = instant(batch.column(3), 0);
        }
        let rejects = self
            .collect(
                "facts",
                "select arrow_cast(source, 'Utf8'), count(*) from event_log \
                 where event_month = 'rejected' group by 1",
            )
            .await?;
        for batch in &rejects {
            let sources = batch.column(0).as_string::<i32>();
            for row in 0..batch.num_rows() {
                let count = integer(batch.column(1), row).unwrap_or_default();
                facts.rejects += count;
                facts.rejects_by_source.insert(sources.value(row).to_owned(), count);
            }
        }
        let landed = self.collect("facts", "select max(landed_at) from event_log").await?;
        facts.last_landed_at = landed
            .first()
            .filter(|batch| batch.num_rows() > 0)
            .and_then(|batch| instant(batch.column(0), 0));
        Ok(facts)
    }

    /// Runs a trusted query to its end; `what` names it in errors.
    pub async fn collect(&self, what: &str, sql: &str) -> Result<Vec<RecordBatch>> {
        let context = self.session()?;
        let frame = context.sql(sql).await.map_err(Error::query(what))?;
        frame.collect().await.map_err(Error::query(what))
    }
}

fn integer(column: &ArrayRef, row: usize) -> Option<u64> {
    let numbers = column.as_primitive_opt::<arrow::datatypes::Int64Type>()?;
    numbers.is_valid(row).then(|| numbers.value(row).unsigned_abs())
}

fn instant(column: &ArrayRef, row: usize) -> Option<DateTime<Utc>> {
    let times = column.as_primitive_opt::<TimestampMicrosecondType>()?;
    times.is_valid(row).then(|| micros_to_utc(times.value(row)))
}

/// A session with every function and no table.
pub(crate) fn new_context(
    runtime: &Arc<RuntimeEnv>,
    zone: Tz,
    calendar: &Arc<WorkingDays>,
) -> SessionContext {
    let mut config = SessionConfig::new()
        .with_default_catalog_and_schema("lawpulse", "public")
        .with_information_schema(true);
    // It would take `json_texts(…)['key']` apart and read the object again for every key.
    config.options_mut().optimizer.enable_leaf_expression_pushdown = false;
    // Errors say where in the statement they are.
    config.options_mut().sql_parser.collect_spans = true;
    let mut context = SessionContext::new_with_config_rt(config, Arc::clone(runtime));
    bitmap::register(&context);
    functions::register(&context, zone, calendar);
    // Registering functions under new names cannot fail.
    let _ = datafusion_functions_json::register_all(&mut context);
    context
}

/// A runtime for one query of a user.
fn user_runtime(
    runtime: &Arc<RuntimeEnv>,
    memory_bytes: usize,
    spill_bytes: u64,
) -> Result<Arc<RuntimeEnv>> {
    // What spills is copied while it does, and the engine does not count the copies: a query that it took for one of
    // 512 MB had 812 MB.
    let counted = memory_bytes / 8 * 5;
    RuntimeEnvBuilder::from_runtime_env(runtime)
        .with_memory_pool(Arc::new(FairSpillPool::new(counted)))
        .with_max_temp_directory_size(spill_bytes)
        .build_arc()
        .map_err(Error::query("the session"))
}

/// Whether a data file may hold a revision above 0.
pub(crate) fn may_have_revisions(log: &Table) -> Result<bool> {
    Ok(log.highest_revision()?.is_none_or(|revision| revision > 0))
}

/// Registers `event_log`, `events` and `rejects`; returns the two views.
///
/// `restriction` is a condition on the columns of `events`, and may look at tables that are registered.
pub(crate) async fn register_events(
    context: &SessionContext,
    log: &Table,
    revised: bool,
    restriction: Option<&str>,
) -> Result<Vec<(String, Arc<dyn TableProvider>)>> {
    log.prepare(context)?;
    // A refresh registers them twice: first the whole log, then what belongs to the touched keys.
    for name in ["event_log", "events", "rejects"] {
        context.deregister_table(name).map_err(Error::query(name))?;
    }
    context
        .register_table("event_log", log.provider().await?)
        .map_err(Error::query("event_log"))?;
    let events = events_sql(revised, restriction);
    let mut views = Vec::new();
    for (name, sql) in [("events", events.as_str()), ("rejects", REJECTS)] {
        let frame = context.sql(sql).await.map_err(Error::query(name))?;
        let view = frame.into_view();
        context.register_table(name, Arc::clone(&view)).map_err(Error::query(name))?;
        views.push((name.to_owned(), view));
    }
    Ok(views)
}

/// What `events` shows of `event_log`.
fn events_sql(revised: bool, restriction: Option<&str>) -> String {
    let all = if revised { ALL_EVENTS } else { FIRST_REVISIONS };
    let condition = restriction.unwrap_or("true");
    format!("select {EVENT_COLUMNS} from ({all}) where {condition}")
}

/// The tables that come with the definitions: `event_types` and `calendar`.
pub(crate) fn shipped_tables(definitions: &Definitions) -> Result<Vec<(String, RecordBatch)>> {
    let event_types = event_types(definitions.file("reference/event_types.csv")?)?;
    let calendar = shipped_calendar(definitions)?;
    let days = calendar.days();
    let schema = Schema::new(vec![
        Field::new("day", DataType::Date32, false),
        Field::new("is_working_day", DataType::Boolean, false),
        Field::new("name", DataType::Utf8, true),
    ]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Date32Array::from_iter_values(days.iter().map(|(day, _, _)| days_of(*day)))),
        Arc::new(
            days.iter()
                .map(|(_, working, _)| Some(*working))
                .collect::<arrow::array::BooleanArray>(),
        ),
        Arc::new(days.iter().map(|(_, _, name)| *name).collect::<StringArray>()),
    ];
    let calendar = RecordBatch::try_new(Arc::new(schema), columns).map_err(Error::internal)?;
    Ok(vec![("event_types".to_owned(), event_types), ("calendar".to_owned(), calendar)])
}

fn shipped_calendar(definitions: &Definitions) -> Result<Calendar> {
    let file = "reference/calendar.csv";
    Calendar::parse(&format!("sql/{file}"), definitions.file(file)?)
}

/// The counts of working days of the definitions' calendar.
pub(crate) fn working_days(definitions: &Definitions) -> Result<Arc<WorkingDays>> {
    Ok(Arc::new(WorkingDays::new(&shipped_calendar(definitions)?)))
}

fn event_types(csv_text: &str) -> Result<RecordBatch> {
    let file = "sql/reference/event_types.csv";
    let wrong = |problem: String| Error::definition(file, problem, "correct the file");
    let mut reader = csv::Reader::from_reader(csv_text.as_bytes());
    let header = reader.headers().map_err(|error| wrong(error.to_string()))?.clone();
    let mut columns: Vec<Vec<String>> = vec![Vec::new(); header.len()];
    for record in reader.records() {
        let record = record.map_err(|error| wrong(error.to_string()))?;
        for (column, field) in columns.iter_mut().zip(&record) {
            column.push(field.to_owned());
        }
    }
    let mut fields = Vec::new();
    let mut arrays: Vec<ArrayRef> = Vec::new();
    for (name, column) in header.iter().zip(columns) {
        let texts: ArrayRef = Arc::new(StringArray::from(column));
        let data_type = match name {
            "activity_level" => DataType::Int64,
            "is_field_work" => DataType::Boolean,
            _ => DataType::Utf8,
        };
        arrays.push(cast(&texts, &data_type).map_err(Error::internal)?);
        fields.push(Field::new(name, data_type, true));
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(Error::internal)
}

/// The columns of `event_log`, for sessions that plan without a lake.
pub(crate) fn log_schema() -> arrow::datatypes::SchemaRef {
    event::table_schema()
}
