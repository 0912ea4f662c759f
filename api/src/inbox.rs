//! Pushed bodies on their way to the lake: on disk before they are acknowledged, gone once they have landed.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A folder of bodies: `inbox/SOURCE/NUMBER.ndjson`.
#[derive(Debug)]
pub struct Inbox {
    folder: PathBuf,
    next: AtomicU64,
}

impl Inbox {
    /// Opens the inbox of a lake; what a crash left in it is still there.
    pub fn open(lake: &Path) -> io::Result<Self> {
        let folder = lake.join("inbox");
        std::fs::create_dir_all(&folder)?;
        let mut highest = 0;
        for source in std::fs::read_dir(&folder)? {
            let source = source?.path();
            if !source.is_dir() {
                continue;
            }
            for file in std::fs::read_dir(&source)? {
                let path = file?.path();
                let stem = path.file_stem().and_then(|stem| stem.to_str());
                highest = stem.and_then(|stem| stem.parse().ok()).unwrap_or(0).max(highest);
            }
        }
        Ok(Self { folder, next: AtomicU64::new(highest + 1) })
    }

    /// Keeps a body; it survives a crash and a power cut once this returns.
    pub fn put(&self, source: &str, body: &[u8]) -> io::Result<()> {
        let folder = self.folder.join(source);
        if !folder.is_dir() {
            std::fs::create_dir_all(&folder)?;
            File::open(&self.folder)?.sync_all()?;
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        // A name that the lander does not look at, until the body is whole.
        let partial = folder.join(format!("{number:020}.partial"));
        let mut file = File::create(&partial)?;
        file.write_all(body)?;
        file.sync_all()?;
        std::fs::rename(&partial, folder.join(format!("{number:020}.ndjson")))?;
        File::open(&folder)?.sync_all()
    }

    /// The sources with waiting bodies, and the bodies in the order of their arrival.
    pub fn waiting(&self) -> io::Result<Vec<(String, Vec<PathBuf>)>> {
        let mut waiting = Vec::new();
        for source in std::fs::read_dir(&self.folder)? {
            let source = source?.path();
            let Some(name) = source.file_name().and_then(|name| name.to_str()) else { continue };
            let mut bodies: Vec<_> = std::fs::read_dir(&source)?
                .filter_map(|file| file.ok().map(|file| file.path()))
                .filter(|path| path.extension().is_some_and(|extension| extension == "ndjson"))
                .collect();
            bodies.sort();
            if !bodies.is_empty() {
                waiting.push((name.to_owned(), bodies));
            }
        }
        waiting.sort();
        Ok(waiting)
    }

    /// How many bodies wait, their bytes, and how long the oldest has been waiting.
    pub fn backlog(&self) -> io::Result<(usize, u64, Duration)> {
        let (mut bodies, mut bytes, mut oldest) = (0, 0, Duration::ZERO);
        for path in self.waiting()?.into_iter().flat_map(|(_, bodies)| bodies) {
            // What has landed in the meantime is gone.
            let Ok(file) = std::fs::metadata(path) else { continue };
            bodies += 1;
            bytes += file.len();
            oldest = oldest.max(file.modified()?.elapsed().unwrap_or_default());
        }
        Ok((bodies, bytes, oldest))
    }

    /// Forgets bodies that have landed.
    pub fn remove(&self, bodies: &[PathBuf]) -> io::Result<()> {
        bodies.iter().try_for_each(std::fs::remove_file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_waits_until_it_is_removed_also_over_a_restart() {
        let lake = tempfile::tempdir().unwrap();
        let inbox = Inbox::open(lake.path()).unwrap();
        inbox.put("native", b"{}\n").unwrap();
        drop(inbox);
        let inbox = Inbox::open(lake.path()).unwrap();
        inbox.put("native", b"{}\n{}\n").unwrap();
        let waiting = inbox.waiting().unwrap();
        assert_eq!(waiting.len(), 1);
        assert_eq!(waiting[0].0, "native");
        let sizes: Vec<_> =
            waiting[0].1.iter().map(|body| std::fs::metadata(body).unwrap().len()).collect();
        assert_eq!(sizes, [3, 6]);
        inbox.remove(&waiting[0].1).unwrap();
        assert!(inbox.waiting().unwrap().is_empty());
    }

    #[test]
    fn a_body_that_was_not_whole_is_not_landed() {
        let lake = tempfile::tempdir().unwrap();
        let inbox = Inbox::open(lake.path()).unwrap();
        let folder = lake.path().join("inbox/native");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("00000000000000000001.partial"), b"{").unwrap();
        assert!(inbox.waiting().unwrap().is_empty());
    }
}
