//! Gathering: what a district's own lake has comes into the lake of those above it.
//!
//! The district goes on with its lake, which is only read. Its events come as the data files that were added since the last
//! look, and land like any other file; its registers come as rows, under the district's unit. Both keep their ids and
//! revisions, so that looking again at what has come already changes nothing.

use std::collections::{BTreeMap, HashSet};

use bytes::Bytes;
use futures::{Stream, TryStreamExt as _};
use object_store::ObjectStoreExt as _;
use object_store::path::Path;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::event;
use crate::lake::{Changes, DataFile, Lake, Published};
use crate::location::Location;
use crate::reference::gathered::{self, Register};

/// The lake of a district in the state that its writer has published.
#[derive(Debug)]
pub struct District {
    lake: Lake,
    id: String,
    published: Published,
}

/// How far gathering from a lake has come. The default is: nothing has come yet.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Progress {
    /// The lake, since another one may be put in its place.
    lake: String,
    /// The version of `events` whose files have come.
    events: Option<u64>,
    /// The version of each register whose rows have come.
    registers: BTreeMap<String, u64>,
}

impl Progress {
    /// Notes that the registers of a district have come.
    pub fn registers_came(&mut self, district: &District) {
        self.turn_to(district);
        self.registers = district.register_versions();
    }

    /// Notes that the files of a district have come. Returns whether that is something new.
    pub fn files_came(&mut self, district: &District) -> bool {
        self.turn_to(district);
        let version = Some(district.lake.events().version());
        std::mem::replace(&mut self.events, version) != version
    }

    fn turn_to(&mut self, district: &District) {
        if self.lake != district.id {
            *self = Self { lake: district.id.clone(), ..Self::default() };
        }
    }
}

impl District {
    /// Opens a lake; `None` when its writer has not published anything yet.
    pub async fn open(location: &Location) -> Result<Option<Self>> {
        let mut lake = Lake::open(location.clone()).await?;
        let Some(published) = Published::read(lake.location()).await? else { return Ok(None) };
        lake.follow(&published).await?;
        let id = lake.events().id()?;
        Ok(Some(Self { lake, id, published }))
    }

    fn register_versions(&self) -> BTreeMap<String, u64> {
        let versions = gathered::tables().filter_map(|definition| {
            let version = self.published.tables.get(&definition.path())?;
            Some((definition.name().to_owned(), *version))
        });
        versions.collect()
    }

    /// The registers of which there are other rows than those that have come, whole.
    pub async fn registers_since(&self, progress: &Progress) -> Result<Vec<Register>> {
        let none = BTreeMap::new();
        let known = if progress.lake == self.id { &progress.registers } else { &none };
        let versions = self.register_versions();
        let mut registers = Vec::new();
        for definition in gathered::tables() {
            let name = definition.name();
            if versions.get(name) != known.get(name) {
                registers.push(Register::read(&self.lake, definition).await?);
            }
        }
        Ok(registers)
    }

    /// The data files of events that have not come yet. Some of their rows may have come in others: when the district's lake
    /// has packed them together since, or can no longer tell what is new.
    pub async fn files_since(&self, progress: &Progress) -> Result<Vec<DataFile>> {
        let events = self.lake.events();
        let mut files = events.files()?;
        files.retain(|file| file.partition.as_deref() != Some(event::REJECTED));
        let since = progress.events.filter(|since| {
            // A lake that was restored from a backup is younger than what has come of it.
            progress.lake == self.id && *since <= events.version()
        });
        let Some(since) = since else { return Ok(files) };
        let Changes::Added(added) = events.changes_since(since).await? else { return Ok(files) };
        let there: HashSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
        let mut packed = HashSet::new();
        let mut new = HashSet::new();
        for file in added {
            if there.contains(file.path.as_str()) {
                new.insert(file.path);
            } else {
                packed.insert(file.partition);
            }
        }
        files.retain(|file| new.contains(&file.path) || packed.contains(&file.partition));
        Ok(files)
    }

    /// The bytes of a data file, in pieces.
    pub async fn bytes(
        &self,
        file: &DataFile,
    ) -> Result<impl Stream<Item = Result<Bytes>> + Send + use<>> {
        let location = self.lake.events().location().clone();
        let path = Path::parse(&file.path).map_err(Error::internal)?;
        let found = location.store()?.get(&path).await;
        let found = found.map_err(|error| location.join(&file.path).failed("read", error))?;
        let place = location.join(&file.path);
        Ok(found.into_stream().map_err(move |error| place.failed("read", error)))
    }
}
