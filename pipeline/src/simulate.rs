//! A realistic, seeded enforcement platform: what the demo, the tests and the benches run on.
//!
//! Two profiles write the same formats (native events and reference CSVs):
//! - `yubei` is one district over 2024 and 2025 whose figures for 2024 are those of the published report, exactly;
//! - `scale` is any number of events, officers and units, written as fast as the disk takes them.
//!
//! Everything follows from the seed: no clock, no thread count and no map order has a say in the output.

mod dice;
mod rhythm;
mod row;
mod scale;
mod write;
mod yubei;

use std::fs;
use std::path::{Path, PathBuf};

use parquet::errors::ParquetError;

/// What to simulate and where to write it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Which platform to simulate.
    pub profile: Profile,
    /// Folder that receives `events-*` and `reference/*.csv`; created when missing.
    pub out: PathBuf,
    /// Number of event lines, exactly; `scale` only.
    pub events: u64,
    /// Number of officers, at least one; `scale` only.
    pub officers: u32,
    /// Number of units, at least one; `scale` only.
    pub orgs: u32,
    /// Number of districts that the units are under, at least one; `scale` only. Several are under a municipality, and one
    /// officer in fifty moves from one to the next.
    pub districts: u32,
    /// The same seed gives the same bytes.
    pub seed: u64,
    /// File format of the events; reference tables are always CSV.
    pub format: Format,
}

/// A simulated platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// The district of the 2024 report: 65 units and 1,644 officers over 2024 and 2025.
    Yubei,
    /// As many events, officers and units as asked for.
    Scale,
}

/// File format of the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line.
    Ndjson,
    /// Parquet with zstd. Broken lines that no table can hold are left out.
    Parquet,
}

/// What a simulation wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Event lines (or rows) written, with duplicates and broken lines.
    pub events: u64,
    /// Size of all files together.
    pub bytes: u64,
    /// The event files in time order, then the reference files.
    pub files: Vec<PathBuf>,
}

/// A failed simulation.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The options cannot be met: change them.
    #[error("{0}")]
    Options(String),
    /// The folder holds event files that this run would leave beside its own.
    #[error("`{}` is from another run: choose an empty folder", .0.display())]
    Stale(PathBuf),
    /// The disk refused.
    #[error("cannot write `{}`", .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The Parquet writer refused.
    #[error("cannot encode `{}`", .path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What the encoder said.
        source: ParquetError,
    },
}

/// Writes `OUT/events-*` and `OUT/reference/*.csv`; returns what was written.
///
/// `progress` gets the number of lines written so far, now and then, from any thread. Files of the same name are
/// replaced; event files of another run are an error, because a folder is landed as a whole.
pub fn simulate(options: &Options, progress: &(dyn Fn(u64) + Sync)) -> Result<Summary, Error> {
    let reference = options.out.join("reference");
    fs::create_dir_all(&reference).map_err(|source| Error::Io { path: reference, source })?;
    match options.profile {
        Profile::Yubei => yubei::simulate(options, progress),
        Profile::Scale => scale::simulate(options, progress),
    }
}

impl Format {
    fn extension(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Parquet => "parquet",
        }
    }
}

/// Refuses a folder with `events-*` files other than `expected`.
fn refuse_stale(out: &Path, expected: &[PathBuf]) -> Result<(), Error> {
    let io = |source| Error::Io { path: out.to_owned(), source };
    for entry in fs::read_dir(out).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let is_events =
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("events-"));
        if is_events && !expected.contains(&path) {
            return Err(Error::Stale(path));
        }
    }
    Ok(())
}
