//! A lake as it was: events and registers of that time, and the rollups that follow from them.
//!
//! Rollups are computed anew from the events of the version that is asked for, in a folder outside the lake: they are
//! small beside their history, which is therefore not kept, and are made by the definitions of today.

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::definition::Definitions;
use crate::error::{Error, Result};
use crate::lake::{EVENTS, Lake, Table};
use crate::location::Location;
use crate::query::Reader;
use crate::{maintain, reference, refresh};

/// The state of a lake that is meant: a version of the table of events, or what had been committed by a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// A version of the table of events.
    Version(u64),
    /// The newest version of a time.
    Time(DateTime<Utc>),
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        if let Ok(version) = text.parse() {
            return Ok(Self::Version(version));
        }
        DateTime::parse_from_rfc3339(text).map(|time| Self::Time(time.to_utc())).map_err(|_| {
            format!(
                "`{text}` is no version (as in 17) and no time (as in 2026-03-01T00:00:00+08:00)"
            )
        })
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => write!(formatter, "version {version}"),
            Self::Time(time) => write!(formatter, "{}", time.to_rfc3339()),
        }
    }
}

/// Opens a lake as it was. Its rollups are computed in `scratch`, which has to outlive the reader.
///
/// Fails when the lake did not exist yet, when the version is still to come, and when files of that time have been
/// removed; the error names the oldest that can be read.
pub async fn open(
    location: &Location,
    moment: Moment,
    scratch: &Path,
    definitions: Arc<Definitions>,
) -> Result<Reader> {
    let lake = Lake::open(location).await?;
    let (events, time) = events_at(&lake, moment).await?;
    for name in maintain::tables(lake.location()).await? {
        if name.starts_with("reference/") {
            copy_register(&lake, &name, time, scratch).await?;
        }
    }
    let mut past = lake.with_events(scratch, events)?;
    let lock = past.lock().await?;
    refresh::refresh(&mut past, &lock, &definitions).await?;
    Reader::of(past, definitions).await
}

/// The table of events as it was, and the time of which the registers are.
async fn events_at(lake: &Lake, moment: Moment) -> Result<(Table, DateTime<Utc>)> {
    let events = lake.events();
    let newest = events.version();
    let version = match moment {
        Moment::Version(version) if version > newest => {
            return Err(Error::Request(format!(
                "the lake has no version {version} yet, the newest is {newest}"
            )));
        }
        Moment::Version(version) => Some(version),
        Moment::Time(time) => events.version_at(time).await?,
    };
    let found = match version {
        Some(version) => whole(events, version).await?.map(|table| (version, table)),
        None => None,
    };
    let Some((version, table)) = found else { return Err(gone(events, moment).await?) };
    let time = match moment {
        Moment::Time(time) => Some(time),
        Moment::Version(_) => events.committed_at(version).await?,
    };
    // A checkpoint stands for versions of whose time the log no longer tells.
    Ok((table, time.unwrap_or(DateTime::<Utc>::MIN_UTC)))
}

/// A version of a table; `None` when the log or files of it are gone.
async fn whole(table: &Table, version: u64) -> Result<Option<Table>> {
    match table.at_version(version).await {
        Ok(table) if table.is_whole().await? => Ok(Some(table)),
        _ => Ok(None),
    }
}

async fn gone(table: &Table, moment: Moment) -> Result<Error> {
    let oldest = table.oldest_whole().await?;
    let time = table.committed_at(oldest).await?;
    let time = time.map(|time| format!(" of {}", time.to_rfc3339())).unwrap_or_default();
    let what = if table.name() == EVENTS { "the lake" } else { table.name() };
    Ok(Error::Request(format!(
        "{what} cannot be read as of {moment}: the oldest state that is there is version {oldest}{time}; \
         what is older did not exist, was removed by maintenance or held somebody who was erased"
    )))
}

/// Copies the rows that a register had; one that did not exist yet has none.
async fn copy_register(lake: &Lake, name: &str, time: DateTime<Utc>, scratch: &Path) -> Result<()> {
    let short = name.rsplit('/').next().unwrap_or(name);
    let Some(table) = Table::open(&lake.location().join(name), short).await? else { return Ok(()) };
    let Some(version) = table.version_at(time).await? else { return Ok(()) };
    let Some(past) = whole(&table, version).await? else {
        return Err(gone(&table, Moment::Version(version)).await?);
    };
    let rows = reference::read_all(&past).await?;
    let schema = past.schema();
    let mut copy =
        Table::open_or_create(&Location::from(scratch.join(name)), short, schema, None, &[])
            .await?;
    copy.replace(vec![(None, rows)], Vec::new()).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_version_or_a_time_with_its_offset() {
        assert_eq!("17".parse(), Ok(Moment::Version(17)));
        let time = "2026-03-01T00:00:00+08:00".parse::<Moment>().unwrap();
        assert_eq!(time.to_string(), "2026-02-28T16:00:00+00:00");
        for wrong in ["", "-1", "2026-03-01", "yesterday"] {
            let told = wrong.parse::<Moment>().unwrap_err();
            assert!(told.contains("as in 17"), "{told}");
        }
    }
}
