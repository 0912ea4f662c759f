//! A body that is coming in: a file under a name that nobody lands.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::inbox::Digest;

/// A body that is not whole yet. Dropped, it is gone.
#[derive(Debug)]
pub struct Draft {
    file: File,
    partial: Partial,
    bytes: u64,
    hasher: blake3::Hasher,
    receiving: Arc<AtomicU64>,
}

/// A file that is removed unless it becomes another.
#[derive(Debug)]
pub(super) struct Partial(Option<PathBuf>);

impl Draft {
    pub(super) fn create(folder: &Path, receiving: Arc<AtomicU64>) -> io::Result<Self> {
        let path = folder.join(format!("{}.partial", uuid::Uuid::new_v4()));
        let file = File::options().read(true).write(true).create_new(true).open(&path)?;
        let partial = Partial(Some(path));
        Ok(Self { file, partial, bytes: 0, hasher: blake3::Hasher::new(), receiving })
    }

    /// The bytes so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What there is of it so far, to read from the start.
    pub fn reader(&self) -> io::Result<File> {
        // A handle of its own: reading does not move where the next piece is written.
        File::open(self.partial.path())
    }

    pub(super) fn digest(&self) -> Digest {
        half_of(&self.hasher.finalize())
    }

    /// Brings it to disk.
    pub(super) fn sync(mut self) -> io::Result<Partial> {
        self.file.sync_all()?;
        Ok(std::mem::replace(&mut self.partial, Partial(None)))
    }
}

/// The digest of a body that is there whole.
pub(super) fn digest_of(body: &[u8]) -> Digest {
    half_of(&blake3::hash(body))
}

fn half_of(hash: &blake3::Hash) -> Digest {
    let mut digest = Digest::default();
    digest.copy_from_slice(&hash.as_bytes()[..16]);
    digest
}

impl Write for Draft {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let written = self.file.write(piece)?;
        self.hasher.update(&piece[..written]);
        self.bytes += written as u64;
        self.receiving.fetch_add(written as u64, Ordering::Relaxed);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        self.receiving.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Partial {
    fn path(&self) -> &Path {
        self.0.as_deref().unwrap_or(Path::new(""))
    }

    pub(super) fn become_file(mut self, path: &Path) -> io::Result<()> {
        std::fs::rename(self.path(), path)?;
        self.0 = None;
        Ok(())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // What cannot be removed now is removed at the next start.
            let _ = std::fs::remove_file(path);
        }
    }
}
