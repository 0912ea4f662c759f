//! What a source has brought in, on disk: a file that is replaced whole.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Reads a record; `None` when nothing has been recorded yet.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> anyhow::Result<Option<T>> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(error).with_context(|| format!("failed to read `{}`", path.display()));
        }
    };
    let record = serde_json::from_slice(&bytes).with_context(|| {
        format!(
            "`{}` is damaged; remove it: the source then begins anew, and what has landed does not land twice",
            path.display()
        )
    })?;
    Ok(Some(record))
}

/// Writes a record; it survives a crash and a power cut once this returns.
pub(super) fn write<T: Serialize>(path: &Path, record: &T) -> anyhow::Result<()> {
    let written = || -> io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new(""));
        std::fs::create_dir_all(folder)?;
        let partial = path.with_extension("partial");
        let mut file = File::create(&partial)?;
        file.write_all(&serde_json::to_vec(record)?)?;
        file.sync_all()?;
        std::fs::rename(&partial, path)?;
        File::open(folder)?.sync_all()
    };
    written().with_context(|| format!("failed to write `{}`", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_replaced_whole_and_a_damaged_one_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sources/a.json");
        assert_eq!(read::<Vec<u64>>(&path).unwrap(), None);
        write(&path, &vec![1_u64, 2]).unwrap();
        write(&path, &vec![3_u64]).unwrap();
        assert_eq!(read::<Vec<u64>>(&path).unwrap(), Some(vec![3]));
        std::fs::write(&path, "[1,").unwrap();
        let error = format!("{:#}", read::<Vec<u64>>(&path).unwrap_err());
        assert!(error.contains("a.json") && error.contains("remove it"), "{error}");
    }
}
