//! What a reader keeps from one state of a lake to the next: what has not changed is not read again.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::{Reader, Rows, new_context, shipped_tables};
use crate::error::{Error, Result};
use crate::lake::{DataFile, Table};
use crate::memory::{MemoryTable, Part, new_id};
use crate::model::{Kind, Model};
use crate::refresh::OFFICER_NUMBERS;
use crate::{goal, reference, refresh};

/// Data files that are read at once: what is decoded of them is in memory before it is put together.
const FILES_AT_ONCE: usize = 2;

/// A table as it was last read.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) version: Option<u64>,
    /// The data files of that version, where it is read whole.
    files: Vec<String>,
    pub(super) provider: Arc<dyn TableProvider>,
    pub(super) rows: Rows,
}

impl Kept {
    fn of_rows(version: Option<u64>, rows: MemoryTable) -> Self {
        let rows = Arc::new(rows);
        Self {
            version,
            files: Vec::new(),
            provider: Arc::clone(&rows) as _,
            rows: Rows::Kept(rows),
        }
    }

    /// A table whose rows stay in its files.
    async fn of_files(table: &Table) -> Result<Self> {
        let (version, provider) = (Some(table.version()), table.provider().await?);
        Ok(Self { version, files: Vec::new(), provider, rows: Rows::Stored(new_id()) })
    }

    fn of_batches(
        version: Option<u64>,
        schema: SchemaRef,
        batches: &[RecordBatch],
    ) -> Result<Self> {
        let rows = MemoryTable::new(schema, batches).map_err(Error::internal)?;
        Ok(Self::of_rows(version, rows))
    }
}

impl Reader {
    /// Every table of the lake and of the definitions, by its name.
    pub(super) async fn keep_tables(&self) -> Result<BTreeMap<String, Kept>> {
        let mut kept = BTreeMap::new();
        kept.insert("event_log".to_owned(), self.keep_log().await?);
        for definition in reference::TABLES {
            let (lake, definitions) = (&self.lake, &self.definitions);
            let read = async || {
                let rows = reference::rows_with_shipped(lake, definitions, definition).await?;
                Ok((definition.schema(), rows))
            };
            let name = definition.name();
            kept.insert(name.to_owned(), self.keep_small(name, &definition.path(), read).await?);
        }
        for model in self.models.iter().filter(|model| model.kind() == Kind::Rollup) {
            kept.insert(model.name().to_owned(), self.keep_rollup(model).await?);
        }
        let path = refresh::path_of(OFFICER_NUMBERS);
        let read = async || {
            let rows = refresh::officer_numbers(&self.lake).await?;
            Ok((refresh::officer_numbers_schema(), rows))
        };
        let numbers = self.keep_small(OFFICER_NUMBERS, &path, read).await?;
        kept.insert(OFFICER_NUMBERS.to_owned(), numbers);
        let read = async || {
            Ok((goal::change_schema(), reference::rows_in(&self.lake, goal::CHANGES_PATH).await?))
        };
        let changes = self.keep_small("goal_changes", goal::CHANGES_PATH, read).await?;
        kept.insert("goal_changes".to_owned(), changes);
        for (name, batch) in shipped_tables(&self.definitions)? {
            let table = match self.kept.get(&name) {
                Some(same) => same.clone(),
                None => Kept::of_batches(Some(0), batch.schema(), &[batch])?,
            };
            kept.insert(name, table);
        }
        Ok(kept)
    }

    /// What is kept of a table, when it is of this version.
    fn same(&self, name: &str, version: Option<u64>) -> Option<Kept> {
        self.kept.get(name).filter(|kept| kept.version == version).cloned()
    }

    /// What is kept of a table, when that is the published version: then its store need not be asked.
    fn published(&self, name: &str, path: &str) -> Option<Kept> {
        self.same(name, self.lake.published_version(path)?)
    }

    async fn keep_log(&self) -> Result<Kept> {
        let table = self.lake.events();
        let version = Some(table.version());
        match self.same("event_log", version) {
            Some(same) => Ok(same),
            None => Kept::of_files(table).await,
        }
    }

    /// A table that is read whole when it has changed.
    async fn keep_small(
        &self,
        name: &str,
        path: &str,
        read: impl AsyncFnOnce() -> Result<(SchemaRef, Vec<RecordBatch>)>,
    ) -> Result<Kept> {
        if let Some(same) = self.published(name, path) {
            return Ok(same);
        }
        let table = self.lake.table(path).await?;
        let version = table.as_ref().map(Table::version);
        if let Some(same) = self.same(name, version) {
            return Ok(same);
        }
        let files = table.map_or(Ok(Vec::new()), |table| table.files())?;
        let files: Vec<String> = files.into_iter().map(|file| file.path).collect();
        if let Some(before) = self.kept.get(name)
            && before.version.is_some()
            && before.files == files
        {
            // A commit that only says how far the table has come.
            return Ok(Kept { version, ..before.clone() });
        }
        let (schema, batches) = read().await?;
        Ok(Kept { files, ..Kept::of_batches(version, schema, &batches)? })
    }

    async fn keep_rollup(&self, model: &Model) -> Result<Kept> {
        let name = model.name();
        if let Some(same) = self.published(name, &refresh::path_of(name)) {
            return Ok(same);
        }
        let Some(table) = refresh::open_rollup(&self.lake, model).await? else {
            if let Some(same) = self.same(name, None) {
                return Ok(same);
            }
            // Before the first refresh a rollup has no rows, and SQL says so instead of failing.
            let schema = refresh::planned_schema(&self.definitions, model).await?;
            return Kept::of_batches(None, schema, &[]);
        };
        let is_followed = self.lake.published_version("").is_some();
        if is_followed && !refresh::is_of(&table, model)? {
            return Err(Error::Request(format!(
                "the rollup `{name}` is made by another definition than this process knows: run the same version with the same \
                 --sql as the process that writes the lake, which comes first"
            )));
        }
        let version = Some(table.version());
        if let Some(same) = self.same(name, version) {
            return Ok(same);
        }
        if model.is_finer() {
            table.prepare(&new_context(&self.runtime, self.lake.zone(), &self.calendar))?;
            return Kept::of_files(&table).await;
        }
        let before = self.kept.get(name).and_then(|kept| kept.rows.in_memory());
        let parts = parts_of(&table, before).await?;
        let rows = MemoryTable::of_parts(table.schema(), parts).map_err(Error::internal)?;
        Ok(Kept::of_rows(version, rows.of_files(&table)))
    }
}

/// The rows of a table, a part for each data file; those that the table had before are not read again.
async fn parts_of(table: &Table, before: Option<&MemoryTable>) -> Result<Vec<Arc<Part>>> {
    let schema = table.schema();
    let before = before.filter(|rows| rows.has_schema(&schema)).map_or(&[][..], MemoryTable::parts);
    let known: HashMap<&str, &Arc<Part>> =
        before.iter().filter_map(|part| Some((part.file()?, part))).collect();
    let parts = table.files()?.into_iter().map(|file| {
        let same = known.get(file.path.as_str()).map(|part| Arc::clone(part));
        let (table, schema) = (table.clone(), Arc::clone(&schema));
        async move {
            match same {
                Some(same) => Ok(same),
                None => {
                    tokio::spawn(part_of(table, schema, file)).await.map_err(Error::internal)?
                }
            }
        }
    });
    stream::iter(parts).buffered(FILES_AT_ONCE).try_collect().await
}

async fn part_of(table: Table, schema: SchemaRef, file: DataFile) -> Result<Arc<Part>> {
    let batches = refresh::read_rollup(&table, &file).await?;
    let part = Part::new(&schema, &batches).map_err(Error::internal)?;
    Ok(Arc::new(part.of_file(&file.path)))
}
