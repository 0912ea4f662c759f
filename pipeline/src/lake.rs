//! The Delta tables of a lake: created, appended to, rewritten and read; the only writer.

mod archive;
mod history;
mod lock;
mod published;
mod upkeep;

use std::collections::HashSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use chrono_tz::Tz;
use datafusion::datasource::TableProvider;
use datafusion::prelude::SessionContext;
use deltalake::kernel::engine::arrow_conversion::TryIntoKernel as _;
use deltalake::kernel::transaction::{CommitBuilder, CommitProperties};
use deltalake::kernel::{Action, Add, Remove, StructField, Transaction};
use deltalake::logstore::{get_actions, read_commit_entry};
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::{DeltaTable, DeltaTableError};
use object_store::{Attributes, ObjectStore, ObjectStoreExt, PutOptions};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::{ArrowWriter, ProjectionMask};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use serde_json::json;

use crate::error::{Error, Result};
use crate::event;
use crate::location::{self, Location, away};
use crate::travel::{LakeTable, Spread};
use crate::{maintain, zone};

pub(crate) use archive::{Packing, pack};
pub use archive::{StorageClass, Tier};
pub use lock::WriteLock;
use lock::{COMMIT_ID, WRITER};
pub use published::Published;
pub(crate) use upkeep::{Merging, Order};

/// The name of the table of events and rejects.
pub const EVENTS: &str = "events";

const ZONE_PROPERTY: &str = "lawpulse.zone";
/// The layout of every table, which docs/lake.md describes to other engines. A table that does not say is of it too.
const LAYOUT_PROPERTY: &str = "lawpulse.layout";
const LAYOUT: &str = "1";

/// How files are written that are read every day.
const READY: Effort = Effort { level: 1, row_group_rows: 128 * 1024 };

/// A folder, or a prefix of a bucket, of Delta tables with one calendar zone.
///
/// Invariant: at most one process writes to a lake; [`Lake::lock`] holds the others off.
#[derive(Debug)]
pub struct Lake {
    location: Location,
    zone: Tz,
    events: Table,
    /// What is read of it, for a process that follows another one's writing.
    published: Option<Published>,
    /// What spreads the computing of rollups over several processes.
    spread: Option<Arc<dyn Spread>>,
}

impl Lake {
    /// Opens a lake, or creates one whose days are those of `zone`.
    ///
    /// Fails when the lake exists with another zone: its days and months cannot change afterwards.
    pub async fn open_or_create(location: impl Into<Location>, zone: Option<Tz>) -> Result<Self> {
        let location = location.into();
        location.create()?;
        let location = location.resolved()?;
        location.reach().await?;
        let created_zone = zone.unwrap_or(zone::DEFAULT_ZONE);
        let events = Table::open_or_create(
            &location.join(EVENTS),
            EVENTS,
            event::table_schema(),
            Some(event::PARTITION),
            &[(ZONE_PROPERTY, created_zone.name())],
        )
        .await?;
        Self::of(location, events, zone)
    }

    /// Opens a lake that exists.
    pub async fn open(location: impl Into<Location>) -> Result<Self> {
        let location = location.into();
        let missing = || {
            Error::Request(format!(
                "there is no lake at `{location}`; land something first, or check --lake"
            ))
        };
        let location = location.resolved().map_err(|_| missing())?;
        location.reach().await?;
        let events = Table::open(&location.join(EVENTS), EVENTS).await?.ok_or_else(missing)?;
        Self::of(location.clone(), events, None)
    }

    fn of(location: Location, events: Table, asked: Option<Tz>) -> Result<Self> {
        let written = events.property(ZONE_PROPERTY)?;
        let zone = written.as_deref().map_or(Ok(zone::DEFAULT_ZONE), zone::parse_zone)?;
        if let Some(asked) = asked
            && asked != zone
        {
            return Err(Error::Request(format!(
                "the lake's days are those of {zone}, not of {asked}; leave out the zone or use another lake"
            )));
        }
        Ok(Self { location, zone, events, published: None, spread: None })
    }

    /// A lake in another folder that shares these events, for what is made of them and is not to be kept.
    pub(crate) fn with_events(&self, root: &Path, events: Table) -> Result<Self> {
        let location = Location::from(root).resolved()?;
        Ok(Self { location, zone: self.zone, events, published: None, spread: None })
    }

    /// Where the lake is.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// Spreads the computing of its rollups from now on.
    pub fn spread_over(&mut self, spread: Arc<dyn Spread>) {
        self.spread = Some(spread);
    }

    /// What spreads the computing of its rollups.
    pub(crate) fn spread(&self) -> Option<&Arc<dyn Spread>> {
        self.spread.as_ref()
    }

    /// Reads from now on what another process has published.
    pub(crate) async fn follow(&mut self, published: &Published) -> Result<()> {
        let version = published.tables.get(EVENTS).copied().unwrap_or_default();
        self.events.move_to(version).await?;
        self.published = Some(published.clone());
        Ok(())
    }

    /// The version at which a table is read, of a lake that another process writes; `None` when it is the newest.
    pub(crate) fn published_version(&self, path: &str) -> Option<Option<u64>> {
        Some(self.published.as_ref()?.tables.get(path).copied())
    }

    /// A table by its folder in the lake; `None` when there is none.
    pub(crate) async fn table(&self, path: &str) -> Result<Option<Table>> {
        let name = path.rsplit('/').next().unwrap_or(path);
        let location = self.location.join(path);
        match self.published_version(path) {
            None => Table::open(&location, name).await,
            Some(None) => Ok(None),
            Some(Some(version)) => Table::open_at(&location, name, version).await.map(Some),
        }
    }

    /// A folder of this machine for what is only there while something is made.
    pub(crate) fn scratch(&self) -> PathBuf {
        let folder = self.location.folder().or(self.location.home_if_any());
        folder.map_or_else(std::env::temp_dir, Path::to_owned)
    }

    /// The zone whose days and months the lake counts in.
    pub fn zone(&self) -> Tz {
        self.zone
    }

    /// The table of events and rejects.
    pub fn events(&self) -> &Table {
        &self.events
    }

    pub(crate) fn events_mut(&mut self) -> &mut Table {
        &mut self.events
    }

    /// Takes the right to write; [`Error::Locked`] when another process has it.
    ///
    /// In a bucket it lasts as long as it is renewed, and what another process that had it may still do is fenced off: from
    /// then on its commits fail.
    pub async fn lock(&mut self) -> Result<WriteLock> {
        let (lock, is_taken_over) = WriteLock::take(&self.location).await?;
        if let Some(folder) = self.location.folder() {
            away::check_owner(&folder.join(EVENTS), folder)?;
        }
        let Some(turn) = lock.turn() else { return Ok(lock) };
        self.location = self.location.clone().in_turn(turn);
        self.events.location = self.location.join(EVENTS);
        self.events.update().await?;
        if is_taken_over {
            for name in maintain::tables(&self.location).await? {
                if let Some(mut table) = Table::open(&self.location.join(&name), &name).await? {
                    table.fence().await?;
                }
            }
            self.events.update().await?;
            lock.fenced();
        }
        Ok(lock)
    }
}

/// One Delta table.
#[derive(Debug, Clone)]
pub struct Table {
    name: String,
    location: Location,
    delta: DeltaTable,
    schema: SchemaRef,
    partition: Option<String>,
    /// Whether it is of an older version, and stays so.
    is_pinned: bool,
}

/// A data file of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFile {
    /// The path inside the table's folder.
    pub path: String,
    /// The partition that the file belongs to.
    pub partition: Option<String>,
    /// Rows in the file.
    pub rows: u64,
    /// Size in bytes.
    pub bytes: u64,
}

/// What has been added to a table since a version.
#[derive(Debug, PartialEq, Eq)]
pub enum Changes {
    /// These files.
    Added(Vec<DataFile>),
    /// The log no longer tells, or rows were removed: everything has to be looked at again.
    Unknown,
}

impl Table {
    /// Opens a table, or creates it empty with these columns.
    pub async fn open_or_create(
        location: &Location,
        name: &str,
        schema: SchemaRef,
        partition: Option<&str>,
        properties: &[(&str, &str)],
    ) -> Result<Self> {
        if let Some(table) = Self::open(location, name).await? {
            return Ok(table);
        }
        location.create()?;
        let columns = schema
            .fields()
            .iter()
            .map(|field| field.as_ref().try_into_kernel())
            .collect::<Result<Vec<StructField>, _>>()
            .map_err(Error::internal)?;
        let created = DeltaTable::try_from_url(location.url()?)
            .await
            .map_err(Error::table("create", name))?
            .create()
            .with_table_name(name)
            .with_columns(columns)
            .with_partition_columns(partition)
            .with_configuration(
                properties
                    .iter()
                    .chain(&[(LAYOUT_PROPERTY, LAYOUT)])
                    .map(|(key, value)| (*key, Some((*value).to_owned()))),
            )
            .with_raise_if_key_not_exists(false)
            // Two processes may create a lake at once; the second finds the table of the first.
            .with_save_mode(SaveMode::Ignore)
            .await;
        // A store may have taken it although its answer was an error.
        match (Self::open(location, name).await, created) {
            (Ok(Some(table)), _) => Ok(table),
            (_, Err(error)) => Err(Error::table("create", name)(error)),
            (Ok(None), Ok(_)) => {
                Err(Error::internal(format!("table `{name}` is gone after its creation")))
            }
            (Err(error), Ok(_)) => Err(error),
        }
    }

    /// Opens a table; `None` when there is none. One of another layout is refused.
    pub async fn open(location: &Location, name: &str) -> Result<Option<Self>> {
        location::register();
        // A folder tells it at once; a bucket has to be asked for the log anyway.
        if location.folder().is_some() && !location.is_table().await? {
            return Ok(None);
        }
        let delta = match deltalake::open_table(location.url()?).await {
            Ok(delta) => delta,
            Err(DeltaTableError::NotATable(_)) => return Ok(None),
            Err(error) => return Err(Error::table("open", name)(error)),
        };
        Self::of(location, name, delta).map(Some)
    }

    /// Opens a table as it was at a version, which it keeps whatever is committed later.
    pub(crate) async fn open_at(location: &Location, name: &str, version: u64) -> Result<Self> {
        location::register();
        let opened = deltalake::open_table_with_version(location.url()?, version).await;
        let delta = opened.map_err(Error::table("read an older version of", name))?;
        Ok(Self { is_pinned: true, ..Self::of(location, name, delta)? })
    }

    fn of(location: &Location, name: &str, delta: DeltaTable) -> Result<Self> {
        let state = delta.snapshot().map_err(Error::table("open", name))?;
        let layout = state.metadata().configuration().get(LAYOUT_PROPERTY);
        if let Some(layout) = layout.filter(|layout| *layout != LAYOUT) {
            return Err(Error::Request(format!(
                "table `{name}` is of layout {layout}, and this lawpulse knows layout {LAYOUT}; use the newer one that wrote it"
            )));
        }
        let partition = state.metadata().partition_columns().first().cloned();
        let schema = state.snapshot().arrow_schema();
        Ok(Self {
            name: name.to_owned(),
            location: location.clone(),
            delta,
            schema,
            partition,
            is_pinned: false,
        })
    }

    /// Sees another version, and none that is committed later.
    async fn move_to(&mut self, version: u64) -> Result<()> {
        self.is_pinned = true;
        self.delta.load_version(version).await.map_err(Error::table("read", &self.name))
    }

    /// The table's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its folder, when it is in one of this machine.
    pub(crate) fn folder(&self) -> Option<&Path> {
        self.location.folder()
    }

    /// What tells the table from another one in its place, whatever is committed.
    pub(crate) fn id(&self) -> Result<String> {
        let state = self.delta.snapshot().map_err(Error::table("read", &self.name))?;
        Ok(state.metadata().id().to_owned())
    }

    /// The columns, the partition column among them.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// The version that this handle sees.
    pub fn version(&self) -> u64 {
        self.delta.version().unwrap_or_default()
    }

    /// Sees the newest version, unless the handle is of an older one on purpose.
    pub async fn update(&mut self) -> Result<()> {
        if self.is_pinned {
            return Ok(());
        }
        self.delta.update_state().await.map_err(Error::table("read", &self.name))
    }

    pub(crate) fn property(&self, key: &str) -> Result<Option<String>> {
        let state = self.delta.snapshot().map_err(Error::table("read", &self.name))?;
        Ok(state.metadata().configuration().get(key).cloned())
    }

    /// The data files of the version that this handle sees.
    pub fn files(&self) -> Result<Vec<DataFile>> {
        let state = self.delta.snapshot().map_err(Error::table("read", &self.name))?;
        Ok(state
            .log_data()
            .iter()
            .map(|file| DataFile {
                path: file.path().into_owned(),
                partition: self.partition.as_ref().and_then(|partition| {
                    file.partition_values_map().get(partition).cloned().flatten()
                }),
                rows: file.num_records().unwrap_or_default() as u64,
                bytes: file.size().cast_unsigned(),
            })
            .collect())
    }

    /// The table for SQL, at the version that this handle sees.
    pub async fn provider(&self) -> Result<Arc<dyn TableProvider>> {
        let own = self
            .delta
            .table_provider()
            .await
            .map_err(Error::query(format!("reading table `{}`", self.name)))?;
        Ok(Arc::new(LakeTable::new(own, self)))
    }

    /// Where the table is.
    pub(crate) fn location(&self) -> &Location {
        &self.location
    }

    /// The column by which its files are kept apart.
    pub(crate) fn partition(&self) -> Option<&str> {
        self.partition.as_deref()
    }

    /// Makes the table's store known to a session.
    pub(crate) fn prepare(&self, context: &SessionContext) -> Result<()> {
        self.delta
            .update_datafusion_session(&context.state())
            .map_err(Error::table("read", &self.name))
    }

    /// The highest revision in any data file by its statistics; `None` when a file has none.
    pub(crate) fn highest_revision(&self) -> Result<Option<i64>> {
        let state = self.delta.snapshot().map_err(Error::table("read", &self.name))?;
        let mut highest = 0;
        for file in state.log_data().iter() {
            if file.path().contains(event::REJECTED) {
                continue;
            }
            let stats = file.stats().unwrap_or_default();
            let stats: serde_json::Value = serde_json::from_str(&stats).unwrap_or_default();
            match stats["maxValues"]["revision"].as_i64() {
                Some(revision) => highest = revision.max(highest),
                None => return Ok(None),
            }
        }
        Ok(Some(highest))
    }

    /// The rows of one data file; with `columns`, only those.
    pub(crate) async fn read(
        &self,
        file: &DataFile,
        columns: Option<&[&str]>,
    ) -> Result<Vec<RecordBatch>> {
        let damaged = |error: ParquetError| {
            Error::definition(
                self.location.join(&file.path).to_string(),
                format!("the data file cannot be read: {error}"),
                "restore it from a backup",
            )
        };
        let path = object_store::path::Path::parse(&file.path).map_err(Error::internal)?;
        let bytes = match self.store().get(&path).await {
            Ok(found) => found.bytes().await,
            Err(error) => Err(error),
        };
        let bytes = bytes.map_err(|error| Error::table("read", &self.name)(error.into()))?;
        let mut builder = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(damaged)?;
        if let Some(columns) = columns {
            let mask = ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
            builder = builder.with_projection(mask);
        }
        builder
            .build()
            .map_err(damaged)?
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| damaged(error.into()))
    }

    fn store(&self) -> Arc<dyn ObjectStore> {
        self.delta.log_store().object_store(None)
    }

    /// How far a source has come, as recorded with its last commit.
    pub async fn progress(&self, source: &str) -> Result<Option<i64>> {
        let state = self.delta.snapshot().map_err(Error::table("read", &self.name))?;
        state
            .transaction_version(self.delta.log_store().as_ref(), source)
            .await
            .map_err(Error::table("read", &self.name))
    }

    /// The files that commits after `version` added.
    pub async fn changes_since(&self, version: u64) -> Result<Changes> {
        let log_store = self.delta.log_store();
        let store = log_store.object_store(None);
        let mut added = Vec::new();
        for next in version + 1..=self.version() {
            let entry = read_commit_entry(store.as_ref(), next)
                .await
                .map_err(Error::table("read", &self.name))?;
            let Some(bytes) = entry else { return Ok(Changes::Unknown) };
            let actions = get_actions(next, &bytes).map_err(Error::table("read", &self.name))?;
            for action in actions {
                match action {
                    Action::Add(add) if add.data_change => added.push(self.data_file(&add)),
                    // Rejects that leave since they have landed after all change no number of events.
                    Action::Remove(remove)
                        if remove.data_change && !remove.path.contains(event::REJECTED) =>
                    {
                        return Ok(Changes::Unknown);
                    }
                    _ => {}
                }
            }
        }
        Ok(Changes::Added(added))
    }

    /// What takes these files out of the table in a [`Table::commit`].
    pub(crate) fn removals(&self, files: &[DataFile]) -> Result<Vec<Remove>> {
        let state = self.delta.snapshot().map_err(Error::table("read", &self.name))?;
        let paths: HashSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
        let mut removals = Vec::new();
        for file in state.log_data().iter() {
            if paths.contains(file.path().as_ref()) {
                removals.push(file.remove_action(true));
            }
        }
        Ok(removals)
    }

    fn data_file(&self, add: &Add) -> DataFile {
        let rows = add
            .stats
            .as_deref()
            .and_then(|stats| serde_json::from_str::<serde_json::Value>(stats).ok())
            .and_then(|stats| stats.get("numRecords")?.as_u64());
        DataFile {
            path: add.path.clone(),
            partition: self
                .partition
                .as_ref()
                .and_then(|partition| add.partition_values.get(partition).cloned().flatten()),
            rows: rows.unwrap_or_default(),
            bytes: add.size.cast_unsigned(),
        }
    }

    /// Writes a data file that a later [`Table::commit`] makes part of the table.
    ///
    /// The file is on disk when this returns, also after a power cut.
    pub(crate) async fn write_file(
        &self,
        partition: Option<&str>,
        batches: &[RecordBatch],
        statistics: serde_json::Value,
    ) -> Result<Add> {
        let encoded = encode(batches).map_err(Error::internal)?;
        self.put_file(partition, encoded, statistics).await
    }

    /// As [`Table::write_file`], with rows that [`encode`] has made a file of.
    pub(crate) async fn put_file(
        &self,
        partition: Option<&str>,
        encoded: Vec<u8>,
        statistics: serde_json::Value,
    ) -> Result<Add> {
        self.put_named("", Attributes::default(), partition, encoded, statistics).await
    }

    /// As [`Table::put_file`], under a name that begins so and with what the store is to know of the object.
    #[expect(clippy::disallowed_methods, reason = "when the file was made, which no number reads")]
    async fn put_named(
        &self,
        prefix: &str,
        attributes: Attributes,
        partition: Option<&str>,
        encoded: Vec<u8>,
        statistics: serde_json::Value,
    ) -> Result<Add> {
        let file_name = format!("{prefix}{}.parquet", uuid::Uuid::new_v4());
        let path = match (&self.partition, partition) {
            (Some(column), Some(value)) => format!("{column}={value}/{file_name}"),
            _ => file_name,
        };
        let size = encoded.len() as i64;
        let options = PutOptions { attributes, ..PutOptions::default() };
        self.store()
            .put_opts(&object_store::path::Path::from(path.as_str()), encoded.into(), options)
            .await
            .map_err(|error| Error::table("write", &self.name)(error.into()))?;
        self.sync(&path)?;
        Ok(Add {
            path,
            partition_values: self
                .partition
                .iter()
                .map(|column| (column.clone(), partition.map(str::to_owned)))
                .collect(),
            size,
            modification_time: chrono::Utc::now().timestamp_millis(),
            data_change: true,
            stats: Some(statistics.to_string()),
            tags: None,
            deletion_vector: None,
            base_row_id: None,
            default_row_commit_version: None,
            clustering_provider: None,
        })
    }

    /// Brings a file to disk; an object that is acknowledged is there.
    fn sync(&self, path: &str) -> Result<()> {
        let Some(folder) = self.location.folder() else { return Ok(()) };
        let file = folder.join(path);
        let sync = |path: &Path| File::open(path).and_then(|file| file.sync_all());
        sync(&file).map_err(Error::io("sync", &file))?;
        let parent = file.parent().unwrap_or(folder);
        sync(parent).map_err(Error::io("sync", parent))
    }

    /// Makes files part of the table and removes others, with the progress of sources, all in one commit.
    pub(crate) async fn commit(
        &mut self,
        adds: Vec<Add>,
        removes: Vec<Remove>,
        progress: Vec<(String, i64)>,
        note: serde_json::Value,
    ) -> Result<u64> {
        let mode = if removes.is_empty() { SaveMode::Append } else { SaveMode::Overwrite };
        let operation = DeltaOperation::Write {
            mode,
            partition_by: self.partition.clone().map(|partition| vec![partition]),
            predicate: None,
        };
        self.commit_as(operation, adds, removes, progress, note).await
    }

    async fn commit_as(
        &mut self,
        operation: DeltaOperation,
        adds: Vec<Add>,
        removes: Vec<Remove>,
        progress: Vec<(String, i64)>,
        note: serde_json::Value,
    ) -> Result<u64> {
        let actions = removes
            .into_iter()
            .map(Action::Remove)
            .chain(adds.into_iter().map(Action::Add))
            .collect();
        let mut transactions: Vec<_> =
            progress.into_iter().map(|(source, at)| Transaction::new(source, at)).collect();
        let id = uuid::Uuid::new_v4().to_string();
        let mut metadata = vec![("lawpulse".to_owned(), note)];
        let mut properties = CommitProperties::default();
        if let Some(turn) = self.location.turn() {
            self.check_turn(turn).await?;
            transactions.push(Transaction::new(WRITER, turn));
            metadata.push((COMMIT_ID.to_owned(), json!(id)));
            // Whoever has committed since this handle has looked is another writer.
            properties = properties.with_max_retries(0);
        }
        let properties = properties
            .with_metadata(metadata)
            .with_application_transactions(transactions)
            // It would list the whole log at each commit; maintenance does it now and then.
            .with_cleanup_expired_logs(Some(false));
        let state = self.delta.snapshot().map_err(Error::table("read", &self.name))?;
        let snapshot = state.snapshot().clone();
        let committed = CommitBuilder::from(properties)
            .with_actions(actions)
            .build(Some(&snapshot), self.delta.log_store(), operation)
            .await;
        let version = match committed {
            Ok(committed) => committed.version(),
            Err(error) if self.location.turn().is_some() => self.settle(&id, error).await?,
            Err(error) => return Err(Error::table("commit to", &self.name)(error)),
        };
        self.sync(&format!("_delta_log/{version:020}.json"))?;
        self.update().await?;
        Ok(version)
    }

    /// Replaces the rows of whole partitions and records in the same commit how far `source` has come.
    ///
    /// `partitions` maps each partition to its new rows; a partition without rows disappears. A table
    /// without a partition column has the single partition `None`.
    pub(crate) async fn replace(
        &mut self,
        partitions: Vec<(Option<String>, Vec<RecordBatch>)>,
        progress: Vec<(String, i64)>,
    ) -> Result<u64> {
        let is_replaced =
            |file: &DataFile| partitions.iter().any(|(replaced, _)| *replaced == file.partition);
        let replaced: Vec<DataFile> = self.files()?.into_iter().filter(is_replaced).collect();
        let removes = self.removals(&replaced)?;
        let mut adds = Vec::new();
        for (partition, batches) in &partitions {
            let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
            if rows > 0 {
                let statistics = json!({ "numRecords": rows });
                adds.push(self.write_file(partition.as_deref(), batches, statistics).await?);
            }
        }
        self.commit(adds, removes, progress, json!({ "replaced": partitions.len() })).await
    }
}

/// The columns of events whose values hardly ever come twice in a file: a dictionary of them is only a detour.
const UNIQUE_TEXTS: [&str; 3] = ["event_id", "object_id", "attributes"];
const UNIQUE_TIMES: [&str; 2] = ["occurred_at", "received_at"];
/// Those whose least and greatest value leave nothing out when something is looked for.
const UNORDERED: [&str; 2] = ["event_id", "attributes"];

/// How much is done to make a data file small.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    /// Of zstd.
    level: i32,
    row_group_rows: usize,
}

/// Makes a data file of rows.
pub(crate) fn encode(batches: &[RecordBatch]) -> Result<Vec<u8>, ParquetError> {
    encode_with(READY, batches)
}

fn encode_with(effort: Effort, batches: &[RecordBatch]) -> Result<Vec<u8>, ParquetError> {
    let Some(first) = batches.first() else { return Ok(Vec::new()) };
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(effort.level)?))
        .set_max_row_group_row_count(Some(effort.row_group_rows));
    for column in UNIQUE_TEXTS {
        properties = properties.set_column_dictionary_enabled(column.into(), false);
    }
    for column in UNIQUE_TIMES {
        properties = properties
            .set_column_dictionary_enabled(column.into(), false)
            .set_column_encoding(column.into(), Encoding::DELTA_BINARY_PACKED);
    }
    for column in UNORDERED {
        properties =
            properties.set_column_statistics_enabled(column.into(), EnabledStatistics::None);
    }
    let properties = Some(properties.build());
    let mut writer = ArrowWriter::try_new(Vec::new(), first.schema(), properties)?;
    for batch in batches {
        writer.write(batch)?;
    }
    writer.into_inner()
}

/// Statistics of an events file, for readers that skip files.
pub(crate) fn event_statistics(
    rows: usize,
    occurred_micros: (i64, i64),
    event_days: (i32, i32),
    revisions: (i64, i64),
) -> serde_json::Value {
    let time = |micros: i64| {
        zone::micros_to_utc(micros).to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
    };
    // Delta rounds times to milliseconds; the upper bound is rounded up so that it stays a bound.
    let bound = |occurred: i64, day: i32, revision: i64| {
        json!({
            "occurred_at": time(occurred),
            "event_date": zone::date_of(day).to_string(),
            "revision": revision,
        })
    };
    json!({
        "numRecords": rows,
        "minValues": bound(occurred_micros.0, event_days.0, revisions.0),
        "maxValues": bound(occurred_micros.1 + 999, event_days.1, revisions.1),
        "nullCount": { "occurred_at": 0, "event_date": 0, "revision": 0 },
    })
}
