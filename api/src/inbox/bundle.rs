//! Bodies that came at once, in one file: a tar archive, so that anybody can take it apart.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::ops::Range;
use std::path::Path;

use chrono::{DateTime, Utc};

/// How such a file's name ends.
pub(super) const EXTENSION: &str = "tar";

/// Members begin at multiples of this, and two blocks of nothing are the end.
const BLOCK_BYTES: u64 = 512;
const END_BYTES: u64 = 2 * BLOCK_BYTES;

/// A body in a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    /// What its file would be called, but for the number.
    pub(super) name: String,
    /// Where it is in the bundle.
    pub(super) range: Range<u64>,
    /// When it came, to the second.
    pub(super) since: DateTime<Utc>,
}

/// Puts bodies together, each under a name that no path is.
pub(super) fn write<'b>(
    bodies: impl Iterator<Item = (&'b str, &'b [u8])>,
    now: DateTime<Utc>,
) -> io::Result<Vec<u8>> {
    let mut bundle = tar::Builder::new(Vec::new());
    for (name, bytes) in bodies {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o640);
        header.set_mtime(u64::try_from(now.timestamp()).unwrap_or_default());
        bundle.append_data(&mut header, name, bytes)?;
    }
    bundle.into_inner()
}

/// What a bundle holds, in its order.
pub(super) fn members(bundle: impl Read + Seek) -> io::Result<Vec<Member>> {
    let damaged = |what| io::Error::new(io::ErrorKind::InvalidData, what);
    let mut members = Vec::new();
    for entry in tar::Archive::new(bundle).entries_with_seek()? {
        let entry = entry?;
        let path = entry.path()?;
        let name = path.to_str().ok_or_else(|| damaged("a name in it is not UTF-8"))?.to_owned();
        let start = entry.raw_file_position();
        let header = entry.header();
        let since = i64::try_from(header.mtime()?).ok();
        let since = since.and_then(|second| DateTime::from_timestamp(second, 0));
        let since = since.ok_or_else(|| damaged("a time in it is none"))?;
        members.push(Member { name, range: start..start + entry.size(), since });
    }
    Ok(members)
}

/// What the bundle in a file holds; fails if it does not end where [`write()`] ended it.
pub(super) fn members_of(path: &Path) -> io::Result<Vec<Member>> {
    let file = File::open(path)?;
    let bytes = file.metadata()?.len();
    let members = members(BufReader::new(file))?;
    // A lost header reads like the end.
    let end = members.last().map(|last| last.range.end.next_multiple_of(BLOCK_BYTES) + END_BYTES);
    if end != Some(bytes) {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "a part of it is lost"));
    }
    Ok(members)
}
