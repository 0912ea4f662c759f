//! Gathering: what a district's own lake has comes into the lake of those above it.
//!
//! The district goes on with its lake, which is only read. Its events come as the data files that were added since the last
//! look, and land like any other file; its registers come as rows, under the district's unit. Both keep their ids and
//! revisions, so that looking again at what has come already changes nothing.

use std::collections::{BTreeMap, HashSet};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::{Stream, TryStreamExt as _};
use object_store::ObjectStoreExt as _;
use object_store::path::Path;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::event;
use crate::lake::{Changes, DataFile, Lake, Published, Table};
use crate::location::Location;
use crate::reference::gathered::{self, Register};

/// The lake of a district in the state that its writer has published.
#[derive(Debug)]
pub struct District {
    lake: Lake,
    id: String,
    events: State,
    registers: BTreeMap<String, State>,
}

/// How far gathering from a lake has come. The default is: nothing has come yet.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Progress {
    /// The lake, since another one may be put in its place.
    lake: String,
    /// The state of `events` whose files have come.
    events: Option<State>,
    /// The state of each register whose rows have come.
    registers: BTreeMap<String, State>,
}

/// A version of a table, and when it was committed: a lake that was restored from a backup has the same versions again, of
/// other commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    version: u64,
    at: Option<DateTime<Utc>>,
}

impl State {
    async fn of(table: &Table, version: u64) -> Result<Self> {
        Ok(Self { version, at: table.committed_at(version).await? })
    }
}

impl Progress {
    /// Notes that the registers of a district have come.
    pub fn registers_came(&mut self, district: &District) {
        self.turn_to(district);
        self.registers.clone_from(&district.registers);
    }

    /// Notes that the files of a district have come. Returns whether that is something new.
    pub fn files_came(&mut self, district: &District) -> bool {
        self.turn_to(district);
        let events = Some(district.events);
        std::mem::replace(&mut self.events, events) != events
    }

    fn turn_to(&mut self, district: &District) {
        if self.lake != district.id {
            *self = Self { lake: district.id.clone(), ..Self::default() };
        }
    }
}

impl District {
    /// Opens a lake in a state that its writer has published.
    pub async fn open(location: &Location, published: &Published) -> Result<Self> {
        let mut lake = Lake::open(location.clone()).await?;
        lake.follow(published).await?;
        let id = lake.events().id()?;
        let events = State::of(lake.events(), lake.events().version()).await?;
        let mut registers = BTreeMap::new();
        for definition in gathered::tables() {
            if let Some(table) = lake.table(&definition.path()).await? {
                let state = State::of(&table, table.version()).await?;
                registers.insert(definition.name().to_owned(), state);
            }
        }
        Ok(Self { lake, id, events, registers })
    }

    /// The registers of which there are other rows than those that have come, whole.
    pub async fn registers_since(&self, progress: &Progress) -> Result<Vec<Register>> {
        let none = BTreeMap::new();
        let known = if progress.lake == self.id { &progress.registers } else { &none };
        let mut registers = Vec::new();
        for definition in gathered::tables() {
            let (now, before) =
                (self.registers.get(definition.name()), known.get(definition.name()));
            if now.is_some() && now != before {
                let is_first = before.is_none();
                registers.push(Register::read(&self.lake, definition, is_first).await?);
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
        let Some(since) = progress.events.filter(|_| progress.lake == self.id) else {
            return Ok(files);
        };
        let is_continued = since.version <= events.version()
            && since.at.is_some()
            && State::of(events, since.version).await? == since;
        if !is_continued {
            return Ok(files);
        }
        let Changes::Added(added) = events.changes_since(since.version).await? else {
            return Ok(files);
        };
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
