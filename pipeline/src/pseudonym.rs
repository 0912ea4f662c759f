//! Pseudonyms of persons and parties: keyed, stable within a lake, not to be turned back.

use std::fmt;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema};
use object_store::path::Path;
use object_store::{ObjectStoreExt as _, PutMode};

use crate::error::{Error, Result};
use crate::location::Location;

const KEY_FILE: &str = "pseudonym.key";
const KEY_BYTES: usize = 32;
/// Columns of rows that name persons or parties.
const IDENTIFYING: [&str; 3] = ["officer_id", "officer_ids", "party_id"];

/// What readers see of persons and parties.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Identities {
    /// The ids themselves: for those who run the lake and for auditors.
    Shown,
    /// Pseudonyms made with this key.
    Pseudonyms([u8; KEY_BYTES]),
}

impl fmt::Debug for Identities {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Shown => "Shown",
            Self::Pseudonyms(_) => "Pseudonyms(…)",
        })
    }
}

impl Identities {
    /// Pseudonyms with the key of a lake, which is made when there is none yet.
    ///
    /// Fails when the key can neither be read nor written, or is damaged.
    pub async fn pseudonyms_of(lake: impl Into<Location>) -> Result<Self> {
        key_of(&lake.into()).await.map(Self::Pseudonyms)
    }

    /// Tells keys apart without telling one; `None` where there are no pseudonyms.
    pub(crate) fn fingerprint(&self) -> Option<String> {
        let Self::Pseudonyms(key) = self else { return None };
        Some(blake3::keyed_hash(key, b"fingerprint").to_hex()[..16].to_owned())
    }

    /// What stands for an id of a column.
    pub fn of(&self, column: &str, id: &str) -> String {
        let Self::Pseudonyms(key) = self else { return id.to_owned() };
        let noun = if column == "party_id" { "party" } else { "officer" };
        let mut hasher = blake3::Hasher::new_keyed(key);
        hasher.update(noun.as_bytes());
        hasher.update(&[0]);
        hasher.update(id.as_bytes());
        format!("{noun}~{}", &hasher.finalize().to_hex()[..12])
    }

    /// Rows in which the columns that name persons or parties hold what stands for them.
    pub(crate) fn of_rows(&self, rows: &RecordBatch) -> Result<RecordBatch> {
        if matches!(self, Self::Shown) || rows.num_columns() == 0 {
            return Ok(rows.clone());
        }
        let mut fields = Vec::new();
        let mut columns: Vec<ArrayRef> = Vec::new();
        for (field, column) in rows.schema().fields().iter().zip(rows.columns()) {
            if !IDENTIFYING.contains(&field.name().as_str()) {
                fields.push(field.as_ref().clone());
                columns.push(Arc::clone(column));
                continue;
            }
            let texts = match column.as_list_opt::<i32>() {
                Some(lists) => (0..lists.len())
                    .map(|row| {
                        let ids = cast(&lists.value(row), &DataType::Utf8).ok()?;
                        let ids = ids.as_string::<i32>().iter().flatten();
                        let names: Vec<_> = ids.map(|id| self.of(field.name(), id)).collect();
                        Some(names.join(", "))
                    })
                    .collect::<StringArray>(),
                None => cast(column, &DataType::Utf8)
                    .map_err(Error::internal)?
                    .as_string::<i32>()
                    .iter()
                    .map(|id| id.map(|id| self.of(field.name(), id)))
                    .collect::<StringArray>(),
            };
            fields.push(Field::new(field.name(), DataType::Utf8, true));
            columns.push(Arc::new(texts));
        }
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(Error::internal)
    }
}

/// The key of a lake, with which its pseudonyms are made; it is made when there is none yet.
///
/// Fails when the key can neither be read nor written, or is damaged.
pub(crate) async fn key_of(lake: &Location) -> Result<[u8; KEY_BYTES]> {
    let bytes = match lake.folder() {
        Some(folder) => key_in_folder(folder)?,
        None => key_in_bucket(lake).await?,
    };
    bytes.try_into().map_err(|_| {
        let remedy = "restore it from a backup; without it pseudonyms change";
        Error::definition(lake.join(KEY_FILE).to_string(), "the key is not of 32 bytes", remedy)
    })
}

/// Whoever reads the bucket can read the key, as he can read whom it hides: a lake in a bucket is not to be read by those
/// who are to see pseudonyms only.
async fn key_in_bucket(lake: &Location) -> Result<Vec<u8>> {
    let (store, path) = (lake.store()?, Path::from(KEY_FILE));
    let failed = |error| lake.join(KEY_FILE).failed("read", error);
    let found = match store.get(&path).await {
        Err(object_store::Error::NotFound { .. }) => {
            let key: [u8; KEY_BYTES] = rand::random();
            let put = store.put_opts(&path, key.to_vec().into(), PutMode::Create.into()).await;
            match put {
                // Another process has made it meanwhile.
                Ok(_) | Err(object_store::Error::AlreadyExists { .. }) => store.get(&path).await,
                Err(error) => return Err(lake.join(KEY_FILE).failed("create", error)),
            }
        }
        found => found,
    };
    Ok(found.map_err(failed)?.bytes().await.map_err(failed)?.to_vec())
}

fn key_in_folder(lake: &std::path::Path) -> Result<Vec<u8>> {
    let path = lake.join(KEY_FILE);
    let mut options = std::fs::OpenOptions::new();
    match options.write(true).create_new(true).mode(0o600).open(&path) {
        Ok(mut file) => {
            let key: [u8; KEY_BYTES] = rand::random();
            file.write_all(&key).map_err(Error::io("write", &path))?;
            file.sync_all().map_err(Error::io("write", &path))?;
            return Ok(key.to_vec());
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(Error::io("create", &path)(error)),
    }
    std::fs::read(&path).map_err(Error::io("read", &path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_pseudonym_is_stable_within_a_lake_and_differs_between_lakes_and_nouns() {
        let folder = tempfile::tempdir().unwrap();
        let first = Identities::pseudonyms_of(folder.path()).await.unwrap();
        let again = Identities::pseudonyms_of(folder.path()).await.unwrap();
        let wang = first.of("officer_id", "wang");
        assert_eq!(again.of("officer_ids", "wang"), wang);
        assert_ne!(first.of("party_id", "wang"), wang);
        assert_ne!(first.of("officer_id", "li"), wang);
        assert!(!wang.contains("wang"));
        let other = tempfile::tempdir().unwrap();
        assert_ne!(
            Identities::pseudonyms_of(other.path()).await.unwrap().of("officer_id", "wang"),
            wang
        );
    }

    #[tokio::test]
    async fn a_damaged_key_is_an_error_and_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(KEY_FILE), b"short").unwrap();
        let error = Identities::pseudonyms_of(folder.path()).await.unwrap_err().to_string();
        assert!(error.contains("not of 32 bytes"), "{error}");
        assert_eq!(std::fs::read(folder.path().join(KEY_FILE)).unwrap(), b"short");
    }
}
