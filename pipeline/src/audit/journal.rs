//! Where a row stands until it is in the table: numbered files of JSON lines, written as things happen.
//!
//! A deed has a line when it begins and one when it ends, so that what ends with the process is known as well.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::row::{Begun, Row};
use crate::error::{Error, Result};

const EXTENSION: &str = "ndjson";

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Begun(u64, Begun),
    Ended(u64, Row),
}

/// The file that is written to.
#[derive(Debug)]
pub(super) struct Journal {
    folder: PathBuf,
    number: i64,
    file: File,
    /// Whether the last line may be half a line.
    is_torn: bool,
    /// Whether lines may be lost by a power cut.
    pub(super) is_unsynced: bool,
}

/// What a journal held when it was read.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The number of the last file; 0 without files.
    pub(super) last_number: i64,
    /// What was begun and has not ended.
    pub(super) open: BTreeMap<u64, Begun>,
    /// What has ended, in that order.
    pub(super) rows: Vec<Row>,
    /// Lines that cannot be read, apart from a last one that was being written.
    pub(super) unreadable: Vec<(PathBuf, usize)>,
}

impl Journal {
    /// Begins a file.
    pub(super) fn create(folder: &Path, number: i64) -> Result<Self> {
        fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        let path = path_of(folder, number);
        let file = OpenOptions::new().create_new(true).append(true).open(&path);
        let file = file.map_err(Error::io("create", &path))?;
        Ok(Self { folder: folder.to_owned(), number, file, is_torn: false, is_unsynced: false })
    }

    /// The file that follows this one.
    pub(super) fn next(&self) -> Result<Self> {
        Self::create(&self.folder, self.number + 1)
    }

    pub(super) fn number(&self) -> i64 {
        self.number
    }

    pub(super) fn begin(&mut self, id: u64, begun: &Begun) -> io::Result<()> {
        self.write(&Line::Begun(id, begun.clone()))
    }

    pub(super) fn end(&mut self, id: u64, row: &Row) -> io::Result<()> {
        self.write(&Line::Ended(id, row.clone()))
    }

    fn write(&mut self, line: &Line) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        if self.is_torn {
            bytes.insert(0, b'\n');
        }
        self.is_torn = true;
        self.file.write_all(&bytes)?;
        self.is_torn = false;
        self.is_unsynced = true;
        Ok(())
    }

    /// Writes on to another file, such as one on a full disk.
    #[cfg(test)]
    pub(super) fn replace_file(&mut self, file: File) {
        self.file = file;
    }

    /// A handle by which the lines can be brought to disk without holding the journal.
    pub(super) fn file(&self) -> io::Result<File> {
        self.file.try_clone()
    }
}

/// Reads every file after one; the files up to it are in the table.
pub(super) fn read(folder: &Path, after: i64) -> Result<Found> {
    let mut found = Found { last_number: after, ..Found::default() };
    for (number, path) in files(folder)? {
        found.last_number = number.max(found.last_number);
        if number > after {
            read_file(&path, &mut found)?;
        }
    }
    Ok(found)
}

fn read_file(path: &Path, found: &mut Found) -> Result<()> {
    let file = match File::open(path) {
        Ok(file) => file,
        // A running server has just moved its rows into the table.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::io("open", path)(error)),
    };
    let lines = BufReader::new(file).split(b'\n');
    let mut torn = None;
    for (number, line) in (1..).zip(lines) {
        let line = line.map_err(Error::io("read", path))?;
        found.unreadable.extend(torn.take());
        match serde_json::from_slice(&line) {
            Ok(Line::Begun(id, begun)) => {
                found.open.insert(id, begun);
            }
            Ok(Line::Ended(id, row)) => {
                found.open.remove(&id);
                found.rows.push(row);
            }
            Err(_) if line.is_empty() => {}
            Err(_) => torn = Some((path.to_owned(), number)),
        }
    }
    Ok(())
}

/// Removes the files up to a number, whose rows are in the table.
pub(super) fn remove(folder: &Path, up_to: i64) -> Result<()> {
    for (number, path) in files(folder)? {
        if number <= up_to {
            fs::remove_file(&path).map_err(Error::io("remove", &path))?;
        }
    }
    Ok(())
}

/// The files by their numbers.
fn files(folder: &Path) -> Result<BTreeMap<i64, PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(Error::io("read", folder)(error)),
    };
    let mut files = BTreeMap::new();
    for entry in entries {
        let path = entry.map_err(Error::io("read", folder))?.path();
        let is_ours = path.extension().is_some_and(|extension| extension == EXTENSION);
        let number = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok());
        files.extend(number.filter(|_| is_ours).map(|number| (number, path)));
    }
    Ok(files)
}

fn path_of(folder: &Path, number: i64) -> PathBuf {
    folder.join(format!("{number:010}.{EXTENSION}"))
}
