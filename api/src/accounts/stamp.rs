//! Whether a file is still the one that was read.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// What changes when a file is written, replaced, or given another mode; `None` while it cannot be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp(Option<[i64; 7]>);

impl Stamp {
    /// The file as it is now.
    pub(crate) fn of(path: &Path) -> Self {
        Self(fs::metadata(path).ok().map(|file| {
            [
                file.mtime(),
                file.mtime_nsec(),
                file.ctime(),
                file.ctime_nsec(),
                file.size().cast_signed(),
                file.ino().cast_signed(),
                file.dev().cast_signed(),
            ]
        }))
    }
}
