//! Recomputes the rows of rollups that new events touched.
//!
//! Every rollup remembers, in the commit that wrote it, the version of the log that it reflects. A
//! refresh looks at the files that came since, finds the days or objects that their events belong
//! to, computes just those rows from the log with the model's own query, and replaces them. Running
//! it again, or after a crash, changes nothing.

mod passes;
mod reach;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::compute::{cast, interleave_record_batch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use datafusion::catalog::MemTable;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::logical_expr::{ScalarUDF, cast as expr_cast};
use datafusion::prelude::{SessionContext, ident};
use hashbrown::HashMap;
use tokio::sync::OnceCell;

use crate::bitmap::OfficerNos;
use crate::definition::Definitions;
use crate::error::{Error, Result};
use crate::event;
use crate::lake::{Changes, DataFile, EVENTS, Lake, Table, WriteLock};
use crate::location::Location;
use crate::model::{Kind, Model, RefreshBy};
use crate::query;
use crate::reference;
use crate::refresh::reach::Reach;
use crate::travel;

const FINGERPRINT_PROPERTY: &str = "lawpulse.model";
/// Officers of one home unit are numbered in blocks of whole words, with room for newcomers.
const BLOCK_NUMBERS: i64 = 64;
/// Above this share of new rows the whole rollup is computed: touching nearly every key costs more.
const REBUILD_SHARE: f64 = 0.5;
/// Events that a rollup which is made anew goes over at once, so that its memory does not grow with the log.
const PASS_EVENTS: u64 = 20_000_000;

/// What a refresh did to one rollup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refreshed {
    /// The rollup.
    pub model: String,
    /// Days or objects whose rows were computed; `None` when all were.
    pub touched: Option<u64>,
    /// Rows written.
    pub rows: u64,
}

/// Brings every rollup up to the newest version of the log.
///
/// Returns what was done; rollups that were up to date are not listed.
pub async fn refresh(
    lake: &mut Lake,
    lock: &WriteLock,
    definitions: &Definitions,
) -> Result<Vec<Refreshed>> {
    refresh_in_passes(lake, lock, definitions, PASS_EVENTS).await
}

/// As [`refresh`]; a rollup that is made anew goes over about so many events at once, which bounds its memory.
pub async fn refresh_in_passes(
    lake: &mut Lake,
    lock: &WriteLock,
    definitions: &Definitions,
    pass_events: u64,
) -> Result<Vec<Refreshed>> {
    lake.events_mut().update().await?;
    let models = Model::all(definitions)?;
    let mut changed = HashMap::new();
    let mut done = Vec::new();
    let started = Instant::now();
    number_officers(lake, lock, &mut changed).await?;
    tracing::debug!(took = ?started.elapsed(), "numbered officers");
    let numbers = OnceCell::new();
    for model in in_turn(&models) {
        let started = Instant::now();
        let refreshed =
            refresh_rollup(lake, definitions, model, &numbers, &mut changed, pass_events).await?;
        if let Some(refreshed) = refreshed {
            tracing::debug!(model = model.name(), took = ?started.elapsed(), "refreshed");
            done.push(refreshed);
        }
    }
    Ok(done)
}

/// The rollups, what others are made of before them.
fn in_turn(models: &[Model]) -> impl Iterator<Item = &Model> {
    let rollups = || models.iter().filter(|model| model.kind() == Kind::Rollup);
    let of_events = rollups().filter(|model| model.of().is_none());
    of_events.chain(rollups().filter(|model| model.of().is_some()))
}

/// The events that came since a version of the log, one entry a version: rollups share them.
type ChangedSince = HashMap<u64, Option<RecordBatch>>;

/// The dictionary of officers and its version: read once in a refresh, and only when a rollup is not up to date.
type Numbers = OnceCell<(Option<u64>, Arc<HashMap<String, i64>>)>;

async fn refresh_rollup(
    lake: &Lake,
    definitions: &Definitions,
    model: &Model,
    numbers: &Numbers,
    changed: &mut ChangedSince,
    pass_events: u64,
) -> Result<Option<Refreshed>> {
    let location = location(lake, model);
    let existing = Table::open(&location, model.name()).await?;
    let current = match existing {
        Some(table) if is_of(&table, model)? => Some(table),
        Some(_) => {
            // A changed query may have other columns; the log still has everything.
            location.remove_all().await?;
            None
        }
        None => None,
    };
    let reached = match &current {
        Some(table) => table.progress(EVENTS).await?.map(i64::unsigned_abs),
        None => None,
    };
    if reached == Some(lake.events().version()) {
        return Ok(None);
    }
    let mut table = match current {
        Some(table) => table,
        None => create_rollup(lake, definitions, model).await?,
    };
    let context = session(lake, definitions, numbers).await?;
    let touched = match (reached, model.refresh_by()) {
        (Some(version), Some(by)) => touched_keys(lake, &context, version, by, changed).await?,
        _ => None,
    };
    let progress = vec![(EVENTS.to_owned(), lake.events().version().cast_signed())];
    let refreshed = |touched, rows| Refreshed { model: model.name().to_owned(), touched, rows };
    let Some((keys, by)) = touched.as_ref().zip(model.refresh_by()) else {
        if let (Some(of), Some(month)) = (model.of(), model.partition()) {
            let labels = labels_of(lake, of).await?;
            let passes: Vec<_> =
                labels.iter().map(|label| Some(format!("{month} = {}", quoted(label)))).collect();
            let rows = rebuild(lake, &context, model, &passes, &mut table, progress).await?;
            return Ok(Some(refreshed(None, rows)));
        }
        let passes = passes::passes(model, &events_by_month(lake)?, pass_events);
        let rows = rebuild(lake, &context, model, &passes, &mut table, progress).await?;
        return Ok(Some(refreshed(None, rows)));
    };
    let n_touched = keys.num_rows() as u64;
    if n_touched == 0 {
        table.commit(Vec::new(), Vec::new(), progress, serde_json::Value::Null).await?;
        return Ok(Some(refreshed(Some(0), 0)));
    }
    register(&context, "touched", keys.clone())?;
    let reach = Reach::of(&context, model, (by, keys), &table).await?;
    let restriction = reach.restriction(by)?;
    let new_rows = compute(lake, &context, model, Some(&restriction)).await?;
    let n_rows = new_rows.iter().map(RecordBatch::num_rows).sum::<usize>() as u64;
    let partitions = merge(&context, model, by, reach, &table, &new_rows).await?;
    table.replace(partitions, progress).await?;
    Ok(Some(refreshed(Some(n_touched), n_rows)))
}

/// The function by which the passes of a refresh share objects among themselves.
pub(crate) fn share_of() -> ScalarUDF {
    ScalarUDF::from(passes::ShareOf::new())
}

/// The partitions of a rollup.
async fn labels_of(lake: &Lake, rollup: &str) -> Result<BTreeSet<String>> {
    let source = lake.table(&path_of(rollup)).await?;
    let files = source.map_or_else(|| Ok(Vec::new()), |source| source.files())?;
    Ok(files.into_iter().filter_map(|file| file.partition).collect())
}

/// How many rows each month of the log has, all revisions among them.
fn events_by_month(lake: &Lake) -> Result<BTreeMap<String, u64>> {
    let mut months = BTreeMap::new();
    for file in lake.events().files()? {
        if let Some(month) = file.partition.filter(|month| month != event::REJECTED) {
            *months.entry(month).or_default() += file.rows;
        }
    }
    Ok(months)
}

/// Makes all rows of a rollup anew, a pass after the other: there may be more than fit in memory.
async fn rebuild(
    lake: &Lake,
    context: &SessionContext,
    model: &Model,
    passes: &[Option<String>],
    table: &mut Table,
    progress: Vec<(String, i64)>,
) -> Result<u64> {
    let removes = table.removals(&table.files()?)?;
    let (mut adds, mut n_rows) = (Vec::new(), 0);
    for pass in passes {
        let rows = compute(lake, context, model, pass.as_deref()).await?;
        for (label, rows) in split(model, &rows)? {
            let made = rows.iter().map(RecordBatch::num_rows).sum::<usize>();
            let statistics = serde_json::json!({ "numRecords": made });
            adds.push(table.write_file(label.as_deref(), &rows, statistics).await?);
            n_rows += made as u64;
        }
    }
    table.commit(adds, removes, progress, serde_json::Value::Null).await?;
    Ok(n_rows)
}

/// The rows of every partition that has touched rows now or gets some: what was not touched, and what is new.
async fn merge(
    context: &SessionContext,
    model: &Model,
    by: &RefreshBy,
    reach: Reach,
    table: &Table,
    new_rows: &[RecordBatch],
) -> Result<Vec<(Option<String>, Vec<RecordBatch>)>> {
    let mut partitions = split(model, new_rows)?;
    for touched in reach.partitions {
        partitions.entry(touched).or_default();
    }
    let old_rows = read_files(table, |file| partitions.contains_key(&file.partition)).await?;
    register_all(context, "old_rows", &table.schema(), old_rows)?;
    let sql = format!("select * from old_rows where {} not in (select key from touched)", by.model);
    let untouched = normalise(collect(context, model.name(), &sql).await?)?;
    for (label, rows) in split(model, &untouched)? {
        partitions.entry(label).or_default().extend(rows);
    }
    Ok(partitions.into_iter().collect())
}

/// Runs a model's query over the events that meet the restriction, ordered by its grain.
async fn compute(
    lake: &Lake,
    context: &SessionContext,
    model: &Model,
    restriction: Option<&str>,
) -> Result<Vec<RecordBatch>> {
    let Some(of) = model.of() else {
        let revised = query::may_have_revisions(lake.events())?;
        query::register_events(context, lake.events(), revised, restriction).await?;
        let grain = model.grain().join(", ");
        let sql = format!("select * from ({}) order by {grain}", model.sql());
        let frame = context.sql(&sql).await.map_err(Error::query(model.name()))?;
        return normalise(travel::collect(frame).await.map_err(Error::query(model.name()))?);
    };
    register_rollup(lake, context, of, restriction).await?;
    if !context.table_exist(OFFICER_NUMBERS).map_err(Error::query(OFFICER_NUMBERS))? {
        let numbers = officer_numbers(lake).await?;
        register_all(context, OFFICER_NUMBERS, &officer_numbers_schema(), numbers)?;
    }
    // They come in the order of the rollup's rows; to sort them would take longer than all the rest.
    normalise(collect(context, model.name(), model.sql()).await?)
}

/// Registers the rows of a rollup, which has been refreshed, that meet the restriction.
async fn register_rollup(
    lake: &Lake,
    context: &SessionContext,
    name: &str,
    restriction: Option<&str>,
) -> Result<()> {
    let table = lake.table(&path_of(name)).await?;
    let table = table.ok_or_else(|| Error::internal(format!("no rollup `{name}`")))?;
    table.prepare(context)?;
    let stored = format!("stored_{name}");
    for name in [name, &stored] {
        context.deregister_table(name).map_err(Error::query(name))?;
    }
    context.register_table(&stored, table.provider().await?).map_err(Error::query(name))?;
    let sql = format!("select * from {stored} where {}", restriction.unwrap_or("true"));
    // The engine reads texts and bytes as views, which the functions over sets do not take.
    let schema = table.schema();
    let plain = schema.fields().iter().map(|field| {
        let column = expr_cast(ident(field.name()), field.data_type().clone());
        column.alias(field.name())
    });
    let rows = context.sql(&sql).await.map_err(Error::query(name))?;
    let rows = rows.select(plain).map_err(Error::query(name))?.into_view();
    context.register_table(name, rows).map_err(Error::query(name))?;
    Ok(())
}

/// The keys whose rows new events change, in column `key`; `None` when everything has to be computed.
async fn touched_keys(
    lake: &Lake,
    context: &SessionContext,
    since: u64,
    by: &RefreshBy,
    changed: &mut ChangedSince,
) -> Result<Option<RecordBatch>> {
    let Some(new_events) = changed_since(lake, since, changed).await? else { return Ok(None) };
    register(context, "new_events", new_events)?;
    let revised = query::may_have_revisions(lake.events())?;
    query::register_events(context, lake.events(), revised, None).await?;
    let column = &by.events;
    // A new revision also touches what the older ones belonged to.
    let older = if revised {
        format!(
            "union select {column} from event_log where event_id in \
             (select event_id from new_events where revision > 0)"
        )
    } else {
        String::new()
    };
    let sql = format!(
        "select distinct {column} as key from (select {column} from new_events {older}) \
         where {column} is not null"
    );
    let keys = normalise(collect(context, "touched keys", &sql).await?)?;
    let schema = keys.first().map_or_else(
        || Arc::new(Schema::new(vec![Field::new("key", DataType::Utf8, true)])),
        RecordBatch::schema,
    );
    arrow::compute::concat_batches(&schema, &keys).map(Some).map_err(Error::internal)
}

async fn changed_since(
    lake: &Lake,
    since: u64,
    changed: &mut ChangedSince,
) -> Result<Option<RecordBatch>> {
    if let Some(known) = changed.get(&since) {
        return Ok(known.clone());
    }
    let table = lake.events();
    let new_events = match table.changes_since(since).await? {
        Changes::Unknown => None,
        Changes::Added(files) => {
            let files: Vec<_> = files
                .into_iter()
                .filter(|file| file.partition.as_deref() != Some(event::REJECTED))
                .collect();
            let new_rows: u64 = files.iter().map(|file| file.rows).sum();
            let all_rows: u64 = table.files()?.iter().map(|file| file.rows).sum();
            if new_rows as f64 > REBUILD_SHARE * all_rows as f64 {
                None
            } else {
                Some(read_keys(table, &files).await?)
            }
        }
    };
    changed.insert(since, new_events.clone());
    Ok(new_events)
}

const KEY_COLUMNS: [&str; 6] =
    ["event_id", "revision", "event_date", "org_id", "officer_ids", "object_id"];

async fn read_keys(table: &Table, files: &[DataFile]) -> Result<RecordBatch> {
    let file_schema = event::file_schema();
    let fields: Vec<_> = file_schema
        .fields()
        .iter()
        .filter(|field| KEY_COLUMNS.contains(&field.name().as_str()))
        .map(Arc::clone)
        .collect();
    let schema: SchemaRef = Arc::new(Schema::new(fields));
    let mut batches = Vec::new();
    for file in files {
        batches.extend(table.read(file, Some(&KEY_COLUMNS)).await?);
    }
    arrow::compute::concat_batches(&schema, &batches).map_err(Error::internal)
}

/// The months of days, as partitions are called.
fn months_of(days: &RecordBatch) -> Result<BTreeSet<String>> {
    let dates = days.column(0).as_primitive_opt::<arrow::datatypes::Date32Type>();
    let dates = dates.ok_or_else(|| Error::internal("event_date is not a date"))?;
    let month = |day: &i32| crate::zone::Month::of(crate::zone::date_of(*day)).label();
    Ok(dates.values().iter().map(month).collect())
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Splits rows by the model's partition column, which the data files do not repeat.
fn split(
    model: &Model,
    rows: &[RecordBatch],
) -> Result<BTreeMap<Option<String>, Vec<RecordBatch>>> {
    let mut partitions = BTreeMap::new();
    let Some(column) = model.partition() else {
        if !rows.is_empty() {
            partitions.insert(None, rows.to_vec());
        }
        return Ok(partitions);
    };
    let mut places: BTreeMap<String, Vec<(usize, usize)>> = BTreeMap::new();
    let mut bare = Vec::new();
    for (position, batch) in rows.iter().enumerate() {
        let index = batch.schema().index_of(column).map_err(Error::internal)?;
        let labels = batch.column(index).as_string::<i32>();
        for row in 0..batch.num_rows() {
            let label = if labels.is_valid(row) { labels.value(row) } else { "unknown" };
            match places.get_mut(label) {
                Some(found) => found.push((position, row)),
                None => {
                    places.insert(label.to_owned(), vec![(position, row)]);
                }
            }
        }
        let mut without = batch.clone();
        without.remove_column(index);
        bare.push(without);
    }
    if let (1, Some(label)) = (places.len(), places.keys().next()) {
        // Nothing to sort out, and many rows not to copy.
        return Ok(BTreeMap::from([(Some(label.clone()), bare)]));
    }
    let bare: Vec<_> = bare.iter().collect();
    for (label, places) in places {
        let rows = interleave_record_batch(&bare, &places).map_err(Error::internal)?;
        partitions.insert(Some(label), vec![rows]);
    }
    Ok(partitions)
}

/// Delta knows no unsigned numbers, and readers of other engines no views: plain types are stored.
fn normalise(batches: Vec<RecordBatch>) -> Result<Vec<RecordBatch>> {
    batches
        .into_iter()
        .map(|batch| {
            let schema = plain_schema(&batch.schema());
            let columns = batch
                .columns()
                .iter()
                .zip(schema.fields())
                .map(|(column, field)| cast(column, field.data_type()))
                .collect::<Result<Vec<_>, _>>()
                .map_err(Error::internal)?;
            RecordBatch::try_new(schema, columns).map_err(Error::internal)
        })
        .collect()
}

fn plain_schema(schema: &Schema) -> SchemaRef {
    let fields: Vec<_> = schema
        .fields()
        .iter()
        .map(|field| Field::new(field.name(), plain_type(field.data_type()), true))
        .collect();
    Arc::new(Schema::new(fields))
}

fn plain_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8View | DataType::LargeUtf8 | DataType::Dictionary(_, _) => DataType::Utf8,
        DataType::BinaryView | DataType::LargeBinary => DataType::Binary,
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => DataType::Int64,
        DataType::List(item) => {
            let plain = plain_type(item.data_type());
            DataType::List(Arc::new(Field::new(item.name(), plain, true)))
        }
        other => other.clone(),
    }
}

/// The folder of a rollup in the lake.
pub(crate) fn path_of(rollup: &str) -> String {
    format!("rollups/{rollup}")
}

fn location(lake: &Lake, model: &Model) -> Location {
    lake.location().join(&path_of(model.name()))
}

/// Whether a rollup's table is made by the definition that this process knows.
pub(crate) fn is_of(table: &Table, model: &Model) -> Result<bool> {
    Ok(table.property(FINGERPRINT_PROPERTY)?.as_deref() == Some(model.fingerprint()))
}

/// A rollup's table; `None` before its first refresh.
pub(crate) async fn open_rollup(lake: &Lake, model: &Model) -> Result<Option<Table>> {
    lake.table(&path_of(model.name())).await
}

/// The rows of a file of a rollup, the partition column among them.
pub(crate) async fn read_rollup(table: &Table, file: &DataFile) -> Result<Vec<RecordBatch>> {
    let (schema, partition) = (table.schema(), file.partition.as_deref());
    let batches = table.read(file, None).await?;
    batches.iter().map(|batch| with_partition(&schema, batch, partition)).collect()
}

async fn read_files(
    table: &Table,
    is_read: impl Fn(&DataFile) -> bool,
) -> Result<Vec<RecordBatch>> {
    let mut batches = Vec::new();
    for file in table.files()?.into_iter().filter(is_read) {
        batches.extend(read_rollup(table, &file).await?);
    }
    Ok(batches)
}

fn with_partition(
    schema: &SchemaRef,
    batch: &RecordBatch,
    partition: Option<&str>,
) -> Result<RecordBatch> {
    let columns = schema
        .fields()
        .iter()
        .map(|field| -> Result<ArrayRef> {
            let column = match batch.column_by_name(field.name()) {
                Some(column) => Arc::clone(column),
                None => Arc::new(StringArray::from(vec![partition; batch.num_rows()])),
            };
            cast(&column, field.data_type()).map_err(Error::internal)
        })
        .collect::<Result<Vec<_>>>()?;
    RecordBatch::try_new(Arc::clone(schema), columns).map_err(Error::internal)
}

/// The columns that a model's query has, found without a lake.
pub(crate) async fn planned_schema(definitions: &Definitions, model: &Model) -> Result<SchemaRef> {
    let runtime = RuntimeEnvBuilder::new().build_arc().map_err(Error::query("the runtime"))?;
    let calendar = query::working_days(definitions)?;
    let context = query::new_context(&runtime, crate::zone::DEFAULT_ZONE, &calendar);
    for (name, batch) in query::shipped_tables(definitions)? {
        register(&context, &name, batch)?;
    }
    register_officer_nos(&context, &(None, Arc::default()));
    register_all(&context, "events", &query::log_schema(), Vec::new())?;
    register_all(&context, OFFICER_NUMBERS, &officer_numbers_schema(), Vec::new())?;
    let models = if model.of().is_some() { Model::all(definitions)? } else { Vec::new() };
    if let Some(of) = models.iter().find(|other| Some(other.name()) == model.of()) {
        let schema = Box::pin(planned_schema(definitions, of)).await?;
        register_all(&context, of.name(), &schema, Vec::new())?;
    }
    let frame = context.sql(model.sql()).await.map_err(Error::query(model.name()))?;
    Ok(plain_schema(frame.schema().as_arrow()))
}

async fn create_rollup(lake: &Lake, definitions: &Definitions, model: &Model) -> Result<Table> {
    let schema = planned_schema(definitions, model).await?;
    Table::open_or_create(
        &location(lake, model),
        model.name(),
        schema,
        model.partition(),
        &[(FINGERPRINT_PROPERTY, model.fingerprint())],
    )
    .await
}

async fn session(
    lake: &Lake,
    definitions: &Definitions,
    numbers: &Numbers,
) -> Result<SessionContext> {
    let runtime = RuntimeEnvBuilder::new().build_arc().map_err(Error::query("the runtime"))?;
    let calendar = query::working_days(definitions)?;
    let context = query::new_context(&runtime, lake.zone(), &calendar);
    for (name, batch) in query::shipped_tables(definitions)? {
        register(&context, &name, batch)?;
    }
    let dictionary = numbers.get_or_try_init(|| dictionary(lake)).await?;
    register_officer_nos(&context, dictionary);
    context.register_udf(share_of());
    if let Some(spread) = lake.spread() {
        travel::spread_over(&context, spread);
    }
    Ok(context)
}

fn register_officer_nos(
    context: &SessionContext,
    (version, dictionary): &(Option<u64>, Arc<HashMap<String, i64>>),
) {
    context.register_udf(ScalarUDF::from(OfficerNos::new(Arc::clone(dictionary), *version)));
}

async fn dictionary(lake: &Lake) -> Result<(Option<u64>, Arc<HashMap<String, i64>>)> {
    let Some(table) = open_numbers(lake).await? else { return Ok((None, Arc::default())) };
    let batches = reference::read_all(&table).await?;
    Ok((Some(table.version()), numbers_by_id(&batches)))
}

/// The number of each officer of the dictionary.
pub(crate) fn numbers_by_id(batches: &[RecordBatch]) -> Arc<HashMap<String, i64>> {
    let mut dictionary = HashMap::new();
    for batch in batches {
        let ids = batch.column(0).as_string::<i32>();
        let numbers = batch.column(1).as_primitive::<Int64Type>();
        for (officer_id, number) in ids.iter().zip(numbers.values()) {
            dictionary.insert(officer_id.unwrap_or_default().to_owned(), *number);
        }
    }
    Arc::new(dictionary)
}

fn register(context: &SessionContext, name: &str, batch: RecordBatch) -> Result<()> {
    register_all(context, name, &batch.schema(), vec![batch])
}

fn register_all(
    context: &SessionContext,
    name: &str,
    schema: &SchemaRef,
    batches: Vec<RecordBatch>,
) -> Result<()> {
    let table = MemTable::try_new(Arc::clone(schema), vec![batches]).map_err(Error::query(name))?;
    context.deregister_table(name).map_err(Error::query(name))?;
    context.register_table(name, Arc::new(table)).map_err(Error::query(name))?;
    Ok(())
}

async fn collect(context: &SessionContext, what: &str, sql: &str) -> Result<Vec<RecordBatch>> {
    let frame = context.sql(sql).await.map_err(Error::query(what))?;
    frame.collect().await.map_err(Error::query(what))
}

/// The dictionary of officers.
pub(crate) const OFFICER_NUMBERS: &str = "officer_numbers";

/// The columns of the dictionary of officers.
pub(crate) fn officer_numbers_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("officer_id", DataType::Utf8, true),
        Field::new("officer_no", DataType::Int64, true),
        Field::new("home_org_id", DataType::Utf8, true),
    ]))
}

async fn open_numbers(lake: &Lake) -> Result<Option<Table>> {
    lake.table(&path_of(OFFICER_NUMBERS)).await
}

/// The rows of the dictionary of officers; without one there are none.
pub(crate) async fn officer_numbers(lake: &Lake) -> Result<Vec<RecordBatch>> {
    reference::rows_in(lake, &path_of(OFFICER_NUMBERS)).await
}

/// The dictionary of officers at one of its versions.
pub(crate) async fn officer_numbers_at(lake: &Location, version: u64) -> Result<Vec<RecordBatch>> {
    let location = lake.join(&path_of(OFFICER_NUMBERS));
    reference::read_all(&Table::open_at(&location, OFFICER_NUMBERS, version).await?).await
}

/// Gives a number to every officer of the reference and the log that has none.
///
/// Numbers are dense within blocks of the home unit and never change: the home unit is that of the
/// officer's first posting, or else the first unit (by id) of the officer's events.
async fn number_officers(lake: &Lake, _lock: &WriteLock, changed: &mut ChangedSince) -> Result<()> {
    let existing = open_numbers(lake).await?;
    let reached = match &existing {
        Some(table) => table.progress(EVENTS).await?.map(i64::unsigned_abs),
        None => None,
    };
    let rows = officer_numbers(lake).await?;
    let mut numbering = Numbering::of(&rows);
    let mut newcomers: BTreeMap<String, String> = BTreeMap::new();
    for (officer_id, org_id) in reference::first_postings(lake).await? {
        if !numbering.known.contains(&officer_id) {
            newcomers.insert(officer_id, org_id);
        }
    }
    let at_newest = reached == Some(lake.events().version());
    if !at_newest {
        for (officer_id, org_id) in officers_of_events(lake, reached, changed).await? {
            if !numbering.known.contains(&officer_id) {
                newcomers.entry(officer_id).or_insert(org_id);
            }
        }
    }
    if newcomers.is_empty() && at_newest {
        return Ok(());
    }
    let batch = numbering.number(newcomers)?;
    let location = lake.location().join(&path_of(OFFICER_NUMBERS));
    let schema = officer_numbers_schema();
    let mut table = Table::open_or_create(&location, OFFICER_NUMBERS, schema, None, &[]).await?;
    let mut adds = Vec::new();
    if batch.num_rows() > 0 {
        let statistics = serde_json::json!({ "numRecords": batch.num_rows() });
        adds.push(table.write_file(None, &[batch], statistics).await?);
    }
    let progress = vec![(EVENTS.to_owned(), lake.events().version().cast_signed())];
    table.commit(adds, Vec::new(), progress, serde_json::Value::Null).await?;
    Ok(())
}

/// Officers in the events since a version, each with the first unit (by id) of those events.
async fn officers_of_events(
    lake: &Lake,
    since: Option<u64>,
    changed: &mut ChangedSince,
) -> Result<Vec<(String, String)>> {
    let new_events = match since {
        Some(version) => changed_since(lake, version, changed).await?,
        None => None,
    };
    let runtime = RuntimeEnvBuilder::new().build_arc().map_err(Error::query("the runtime"))?;
    let context = query::new_context(&runtime, lake.zone(), &Arc::default());
    let from = match new_events {
        Some(batch) => {
            register(&context, "new_events", batch)?;
            "new_events"
        }
        None => {
            query::register_events(&context, lake.events(), false, None).await?;
            "events"
        }
    };
    let sql = format!(
        "select arrow_cast(officer_id, 'Utf8'), arrow_cast(min(org_id), 'Utf8') \
         from (select unnest(officer_ids) as officer_id, org_id from {from}) \
         where officer_id is not null group by officer_id"
    );
    let mut officers = Vec::new();
    for batch in collect(&context, OFFICER_NUMBERS, &sql).await? {
        let (ids, orgs) = (batch.column(0).as_string::<i32>(), batch.column(1).as_string::<i32>());
        for (officer_id, org_id) in ids.iter().zip(orgs) {
            let officer_id = officer_id.unwrap_or_default().to_owned();
            officers.push((officer_id, org_id.unwrap_or_default().to_owned()));
        }
    }
    Ok(officers)
}

/// Which numbers are taken, and where each unit's block has room.
#[derive(Debug, Default)]
struct Numbering {
    known: hashbrown::HashSet<String>,
    /// The next number of each unit's newest block.
    next: HashMap<String, i64>,
    /// The end of the last block of all.
    end: i64,
}

impl Numbering {
    fn of(rows: &[RecordBatch]) -> Self {
        let mut numbering = Self::default();
        for batch in rows {
            let ids = batch.column(0).as_string::<i32>();
            let numbers = batch.column(1).as_primitive::<Int64Type>();
            let orgs = batch.column(2).as_string::<i32>();
            for row in 0..batch.num_rows() {
                numbering.known.insert(ids.value(row).to_owned());
                let after = numbers.value(row) + 1;
                let next = numbering.next.entry(orgs.value(row).to_owned()).or_default();
                *next = after.max(*next);
                numbering.end = block_end(after).max(numbering.end);
            }
        }
        numbering
    }

    fn number(&mut self, newcomers: BTreeMap<String, String>) -> Result<RecordBatch> {
        let mut by_org: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (officer_id, org_id) in newcomers {
            by_org.entry(org_id).or_default().push(officer_id);
        }
        let (mut ids, mut numbers, mut orgs) = (Vec::new(), Vec::new(), Vec::new());
        for (org_id, officer_ids) in by_org {
            for officer_id in officer_ids {
                let number = self.take(&org_id);
                ids.push(officer_id);
                numbers.push(number);
                orgs.push(org_id.clone());
            }
            // The block of the next unit starts on a word of its own.
            self.end = block_end(self.end);
        }
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from(ids)),
            Arc::new(Int64Array::from(numbers)),
            Arc::new(StringArray::from(orgs)),
        ];
        RecordBatch::try_new(officer_numbers_schema(), columns).map_err(Error::internal)
    }

    fn take(&mut self, org_id: &str) -> i64 {
        let free = self.next.get(org_id).copied().filter(|next| next % BLOCK_NUMBERS != 0);
        let number = free.unwrap_or(self.end);
        self.next.insert(org_id.to_owned(), number + 1);
        self.end = block_end(number + 1).max(self.end);
        number
    }
}

fn block_end(number: i64) -> i64 {
    (number + BLOCK_NUMBERS - 1) / BLOCK_NUMBERS * BLOCK_NUMBERS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn newcomers(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(id, org)| ((*id).to_owned(), (*org).to_owned())).collect()
    }

    fn numbers(batch: &RecordBatch) -> Vec<(String, i64)> {
        let ids = batch.column(0).as_string::<i32>();
        let numbers = batch.column(1).as_primitive::<Int64Type>();
        (0..batch.num_rows()).map(|row| (ids.value(row).to_owned(), numbers.value(row))).collect()
    }

    #[test]
    fn officers_of_a_unit_are_neighbours_and_units_start_on_words_of_their_own() {
        let batch =
            Numbering::default().number(newcomers(&[("a", "x"), ("b", "y"), ("c", "x")])).unwrap();
        let expected = [("a".to_owned(), 0), ("c".to_owned(), 1), ("b".to_owned(), 64)];
        assert_eq!(numbers(&batch), expected);
    }

    #[test]
    fn newcomers_fill_their_units_block_and_no_number_is_given_twice() {
        let first = Numbering::default().number(newcomers(&[("a", "x"), ("b", "y")])).unwrap();
        let mut later = Numbering::of(std::slice::from_ref(&first));
        let many: Vec<(String, &str)> = (0..100).map(|n| (format!("n{n:03}"), "x")).collect();
        let many: Vec<(&str, &str)> = many.iter().map(|(id, org)| (id.as_str(), *org)).collect();
        let second = later.number(newcomers(&many)).unwrap();
        assert_eq!(numbers(&second)[0].1, 1);
        let mut all: Vec<i64> =
            [&first, &second].iter().flat_map(|batch| numbers(batch)).map(|(_, n)| n).collect();
        let n_all = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), n_all);
    }
}
