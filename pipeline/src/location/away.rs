//! Folders of a lake that are on another disk: a link stands in their place.
//!
//! A folder goes in steps, each of which may be the last. A link to where it goes is laid beside it under a name that no reader
//! looks at; the files are copied, brought to disk and read again; then link and folder change places in one step of the file
//! system, so that every path names the same bytes before and after; then what was copied is removed. Whoever begins
//! again finds the link and goes on with what it leads to.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::error::{Error, Result};

/// In a folder that is elsewhere: the lake that it is of, by its path.
const OWNER: &str = "_lake";

/// What the link, and after it the folder that was copied, is called until it is all done.
const MOVING: &str = ".moving";

/// How a file is called until it is whole.
const PARTIAL: &str = ".partial";

const BUFFER_BYTES: usize = 1 << 20;

/// A folder that is on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Move {
    folder: PathBuf,
    link: PathBuf,
    target: PathBuf,
}

/// What of a table's folders is elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Away {
    /// The folders that are, by their names.
    pub(crate) folders: Vec<String>,
    /// What stayed behind of folders that have gone.
    left: Vec<PathBuf>,
    /// The links of moves that were interrupted.
    begun: Vec<PathBuf>,
}

/// Looks which folders of a table are elsewhere.
///
/// Fails when one of them cannot be reached, or is another lake's: a copy of a lake that wrote to it would remove what the
/// other still reads.
pub(crate) fn find(table: &Path, lake: &Path) -> Result<Away> {
    let mut away = Away::default();
    for entry in entries(table)? {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        let kind = entry.file_type().map_err(Error::io("read", &path))?;
        let is_moving = name.starts_with('.') && name.ends_with(MOVING);
        if kind.is_symlink() && !is_moving {
            check(&path, lake)?;
            away.folders.push(name);
        } else if kind.is_dir() && is_moving {
            away.left.push(path);
        } else if is_moving {
            away.begun.push(path);
        }
    }
    Ok(away)
}

/// Fails when the lake would write into what is another lake's. What cannot be reached is nobody's.
pub(crate) fn check_owner(table: &Path, lake: &Path) -> Result<()> {
    for entry in entries(table)? {
        let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
        if is_link && entry.path().is_dir() {
            check(&entry.path(), lake)?;
        }
    }
    Ok(())
}

fn entries(folder: &Path) -> Result<Vec<fs::DirEntry>> {
    let listed = match fs::read_dir(folder) {
        Ok(listed) => listed.collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    };
    listed.map_err(Error::io("read", folder))
}

fn check(link: &Path, lake: &Path) -> Result<()> {
    let target = fs::read_link(link).map_err(Error::io("read", link))?;
    let mark = link.join(OWNER);
    let owner = match fs::read_to_string(&mark) {
        Ok(owner) => owner,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !link.is_dir() => {
            return Err(Error::Request(format!(
                "`{}` is at `{}`, which is not there; mount the disk of the archive",
                link.display(),
                target.display()
            )));
        }
        Err(error) => return Err(Error::io("read", &mark)(error)),
    };
    if Path::new(owner.trim_end_matches('\n')) == lake {
        return Ok(());
    }
    Err(Error::Request(format!(
        "`{}` is at `{}`, which is of the lake `{}`: a copy of a lake needs copies of what is elsewhere (cp --dereference). If \
         the lake was moved and there is no other, write `{}` into `{}`",
        link.display(),
        target.display(),
        owner.trim_end(),
        lake.display(),
        mark.display()
    )))
}

impl Away {
    /// Removes what stayed behind. Every file of it is where its folder went.
    pub(crate) fn tidy(&self) -> Result<()> {
        for left in &self.left {
            fs::remove_dir_all(left).map_err(Error::io("remove", left))?;
        }
        Ok(())
    }

    /// Removes that, and what interrupted moves have copied: nobody but who made it knows of it.
    pub(crate) fn abandon(&self) -> Result<()> {
        self.tidy()?;
        for link in &self.begun {
            let target = fs::read_link(link).map_err(Error::io("read", link))?;
            match fs::remove_dir_all(&target) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::io("remove", &target)(error));
                }
                _ => fs::remove_file(link).map_err(Error::io("remove", link))?,
            }
        }
        Ok(())
    }
}

impl Move {
    /// Prepares a folder's move into an archive, or goes on with one that was interrupted.
    ///
    /// Fails when the archive is not there: whoever names it makes it, since the disk might not be mounted.
    pub(crate) fn begin(folder: &Path, lake: &Path, archive: &Path) -> Result<Self> {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let link = folder.with_file_name(format!(".{name}{MOVING}"));
        let archive = archive.canonicalize().map_err(|error| {
            Error::Request(format!(
                "the archive `{}` cannot be opened ({error}): make the folder, mount its disk, and let the account of the \
                 server write to it",
                archive.display()
            ))
        })?;
        if archive.starts_with(lake) {
            return Err(Error::Request(format!(
                "the archive `{}` is in the lake; name a folder on another disk",
                archive.display()
            )));
        }
        let begun = fs::read_link(&link).ok();
        let is_there = |target: &PathBuf| target.parent() == Some(&archive) && target.is_dir();
        if let Some(target) = begun.filter(is_there) {
            return Ok(Self { folder: folder.to_owned(), link, target });
        }
        // Never one that is there: what another lake, or this one before a restore, has put there stays as it is.
        let target = archive.join(format!("{name}.{}", uuid::Uuid::new_v4().simple()));
        make(&target).map_err(Error::io("create", &target))?;
        let mark = target.join(OWNER);
        fs::write(&mark, format!("{}\n", lake.display())).map_err(Error::io("write", &mark))?;
        sync(&mark)?;
        sync(&target)?;
        sync(&archive)?;
        match fs::remove_file(&link) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Error::io("remove", &link)(error));
            }
            _ => symlink(&target, &link).map_err(Error::io("create", &link))?,
        }
        Ok(Self { folder: folder.to_owned(), link, target })
    }

    /// Copies every file that is not there yet, and compares it. Leaves off when it is told to.
    pub(crate) fn copy(&self, is_over: &AtomicBool) -> Result<()> {
        for entry in entries(&self.folder)? {
            let name = entry.file_name().to_string_lossy().into_owned();
            // What is being written is not part of the table yet, and has another name then.
            if name.contains('#') {
                continue;
            }
            if is_over.load(Ordering::Relaxed) {
                return Err(Error::internal("a move to the archive was left off"));
            }
            let (from, to) = (entry.path(), self.target.join(&name));
            let size = |path: &Path| fs::metadata(path).map(|metadata| metadata.len()).ok();
            if size(&to).is_none() || size(&to) != size(&from) {
                // Of its own, should another process still be at it whose turn is over.
                let id = uuid::Uuid::new_v4().simple();
                copy(&from, &self.target.join(format!(".{name}.{id}{PARTIAL}")), &to)?;
            }
        }
        sync(&self.target)
    }

    /// Puts the link in the folder's place, once all is copied, and removes the folder.
    ///
    /// Nothing may write to the folder meanwhile.
    pub(crate) fn finish(&self) -> Result<()> {
        // What has come since.
        self.copy(&AtomicBool::new(false))?;
        for entry in entries(&self.target)? {
            if entry.file_name().to_string_lossy().ends_with(PARTIAL) {
                fs::remove_file(entry.path()).map_err(Error::io("remove", &entry.path()))?;
            }
        }
        let table = self.folder.parent().unwrap_or(&self.folder);
        renameat_with(CWD, &self.link, CWD, &self.folder, RenameFlags::EXCHANGE).map_err(
            |error| {
                Error::Request(format!(
                    "`{}` cannot be moved to the archive ({error}): its file system does not let a folder and a link change \
                     places; leave out `archive_folder`",
                    self.folder.display()
                ))
            },
        )?;
        sync(table)?;
        fs::remove_dir_all(&self.link).map_err(Error::io("remove", &self.link))
    }
}

/// A folder for its owner alone, as the data is.
fn make(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().mode(0o700).create(folder)
}

/// Brings a copy of a file to disk and holds it against the original before it gets its name.
fn copy(from: &Path, partial: &Path, to: &Path) -> Result<()> {
    let written = fs::copy(from, partial).map_err(Error::io("copy", from))?;
    sync(partial)?;
    let read = (digest(from)?, digest(partial)?);
    if read.0 != read.1 {
        return Err(Error::definition(
            partial.display().to_string(),
            format!("the {written} bytes are not those of `{}`", from.display()),
            "the disk of the archive does not keep what is written to it; replace it",
        ));
    }
    fs::rename(partial, to).map_err(Error::io("write", to))
}

fn digest(path: &Path) -> Result<blake3::Hash> {
    let read = || -> io::Result<blake3::Hash> {
        let mut file = File::open(path)?;
        let mut hasher = blake3::Hasher::new();
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(hasher.finalize()),
                n => hasher.update(&buffer[..n]),
            };
        }
    };
    read().map_err(Error::io("read", path))
}

fn sync(path: &Path) -> Result<()> {
    File::open(path).and_then(|file| file.sync_all()).map_err(Error::io("sync", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table's folder with one of two files, its lake, and an archive.
    fn table() -> (tempfile::TempDir, PathBuf, PathBuf, PathBuf) {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().canonicalize().unwrap();
        let (lake, archive) = (path.join("lake"), path.join("archive"));
        let month = lake.join("events/event_month=2020-01");
        fs::create_dir_all(&month).unwrap();
        fs::create_dir(&archive).unwrap();
        fs::write(month.join("a.parquet"), "first").unwrap();
        fs::write(month.join("b.parquet"), "second").unwrap();
        (root, lake, month, archive)
    }

    fn is_link(path: &Path) -> bool {
        fs::symlink_metadata(path).unwrap().is_symlink()
    }

    fn both(month: &Path) -> [String; 2] {
        ["a.parquet", "b.parquet"].map(|name| fs::read_to_string(month.join(name)).unwrap())
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_folder_that_has_gone_is_read_by_the_paths_that_it_had() {
        let (_root, lake, month, archive) = table();
        let going = Move::begin(&month, &lake, &archive).unwrap();
        going.copy(&AtomicBool::new(false)).unwrap();
        assert!(!is_link(&month));
        // Something that comes while the others are copied goes along.
        fs::write(month.join("late.parquet"), "late").unwrap();
        going.finish().unwrap();
        assert!(is_link(&month));
        assert_eq!(both(&month), ["first", "second"]);
        assert_eq!(names(&month), ["_lake", "a.parquet", "b.parquet", "late.parquet"]);
        assert_eq!(names(&lake.join("events")), ["event_month=2020-01"]);
        let away = find(&lake.join("events"), &lake).unwrap();
        assert_eq!(away.folders, ["event_month=2020-01"]);
    }

    #[test]
    fn a_move_that_is_interrupted_loses_nothing_and_goes_on() {
        let (_root, lake, month, archive) = table();
        let first = Move::begin(&month, &lake, &archive).unwrap();
        // Half a file, as a crash leaves it.
        fs::write(first.target.join(".a.parquet.partial"), "fi").unwrap();
        let again = Move::begin(&month, &lake, &archive).unwrap();
        assert_eq!(again, first);
        assert!(again.copy(&AtomicBool::new(true)).is_err());
        assert_eq!(both(&month), ["first", "second"]);
        again.copy(&AtomicBool::new(false)).unwrap();
        assert_eq!(both(&first.target), ["first", "second"]);
        // They changed places, and then it crashed.
        renameat_with(CWD, &again.link, CWD, &month, RenameFlags::EXCHANGE).unwrap();
        assert_eq!(both(&month), ["first", "second"]);
        let away = find(&lake.join("events"), &lake).unwrap();
        assert_eq!((away.folders.len(), away.left.len()), (1, 1));
        away.tidy().unwrap();
        assert_eq!(both(&month), ["first", "second"]);
        assert_eq!(names(&lake.join("events")), ["event_month=2020-01"]);
    }

    #[test]
    fn what_an_interrupted_move_has_copied_can_be_given_up() {
        let (_root, lake, month, archive) = table();
        let going = Move::begin(&month, &lake, &archive).unwrap();
        going.copy(&AtomicBool::new(false)).unwrap();
        find(&lake.join("events"), &lake).unwrap().abandon().unwrap();
        assert_eq!(both(&month), ["first", "second"]);
        assert_eq!(names(&lake.join("events")), ["event_month=2020-01"]);
        assert!(names(&archive).is_empty());
    }

    #[test]
    fn what_is_left_of_half_a_file_goes_with_the_end_of_the_move() {
        let (_root, lake, month, archive) = table();
        let going = Move::begin(&month, &lake, &archive).unwrap();
        fs::write(going.target.join(".a.parquet.1.partial"), "fi").unwrap();
        fs::write(going.target.join("b.parquet"), "sec").unwrap();
        going.finish().unwrap();
        assert_eq!(both(&month), ["first", "second"]);
        assert_eq!(names(&month), ["_lake", "a.parquet", "b.parquet"]);
    }

    #[test]
    fn a_copy_of_a_lake_does_not_write_to_what_is_the_others() {
        let (_root, lake, month, archive) = table();
        Move::begin(&month, &lake, &archive).unwrap().finish().unwrap();
        let copy = lake.with_file_name("copy");
        fs::create_dir_all(copy.join("events")).unwrap();
        let link = copy.join("events/event_month=2020-01");
        symlink(fs::read_link(&month).unwrap(), &link).unwrap();
        for told in [
            find(&copy.join("events"), &copy).unwrap_err(),
            check_owner(&copy.join("events"), &copy).unwrap_err(),
        ] {
            assert!(told.to_string().contains("--dereference"), "{told}");
        }
        check_owner(&lake.join("events"), &lake).unwrap();
    }

    #[test]
    fn an_archive_that_is_not_there_is_told_and_not_made() {
        let (_root, lake, month, archive) = table();
        let told = Move::begin(&month, &lake, &archive.join("none")).unwrap_err().to_string();
        assert!(told.contains("mount its disk"), "{told}");
        let told = Move::begin(&month, &lake, &lake.join("events")).unwrap_err().to_string();
        assert!(told.contains("another disk"), "{told}");
        Move::begin(&month, &lake, &archive).unwrap().finish().unwrap();
        fs::rename(&archive, archive.with_file_name("unmounted")).unwrap();
        let told = find(&lake.join("events"), &lake).unwrap_err().to_string();
        assert!(told.contains("mount the disk"), "{told}");
        // Who only has to know that it is no other lake's can go on with what is there.
        check_owner(&lake.join("events"), &lake).unwrap();
    }
}
