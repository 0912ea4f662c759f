//! Old months of events: few large files that are packed as small as they get.
//!
//! A packed file says so by its name, which stands in the log, so that nothing is packed twice: what lands later, or is written
//! anew, has another name.

use arrow::array::RecordBatch;
use object_store::{Attribute, Attributes};
use parquet::errors::ParquetError;
use serde::Deserialize;
use serde_json::{Value, json};

use super::upkeep::group;
use super::{DataFile, Effort, Merging, Table, encode_with};
use crate::error::Result;

/// How the names of packed files begin; then come the class that an object store was asked for, if any, and what tells files
/// apart.
const PACKED: [&str; 2] = ["archive-", "archive."];

/// How files are written that hardly anybody reads: of what zstd can do the most that a machine can still be asked to unpack
/// as quickly as ever.
const SMALLEST: Effort = Effort { level: 19, row_group_rows: 512 * 1024 };

/// Where an object store keeps packed files. None of them makes a reader wait for an object to be restored first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StorageClass {
    /// Read now and then.
    StandardIa,
    /// As the store sees fit.
    IntelligentTiering,
    /// Read a few times a year, and at once.
    GlacierIr,
}

impl StorageClass {
    /// The name that stores know.
    pub fn name(self) -> &'static str {
        match self {
            Self::StandardIa => "STANDARD_IA",
            Self::IntelligentTiering => "INTELLIGENT_TIERING",
            Self::GlacierIr => "GLACIER_IR",
        }
    }
}

/// What is packed of a table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tier {
    /// Months that have packed files.
    pub months: u64,
    /// The packed files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// How a file is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Packing {
    /// How much goes into one file, and from how many small ones on they become one.
    pub(crate) merging: Merging,
    /// Where an object store keeps it; `None` where it keeps everything.
    pub(crate) class: Option<StorageClass>,
}

impl Packing {
    fn prefix(&self) -> String {
        match self.class {
            None => PACKED[0].to_owned(),
            Some(class) => format!("{}{}-", PACKED[1], class.name().to_ascii_lowercase()),
        }
    }

    /// Whether a file is packed in this way.
    fn has_made(&self, file: &DataFile) -> bool {
        file.name().starts_with(&self.prefix())
    }

    /// Of the files of a month those that become one now; `None` when all is done.
    ///
    /// What is not packed goes by itself first: a large file is not written anew for each line that comes late.
    pub(crate) fn next(&self, files: Vec<DataFile>) -> Option<Vec<DataFile>> {
        let (packed, mut loose): (Vec<_>, Vec<_>) =
            files.into_iter().partition(|file| self.has_made(file));
        if loose.is_empty() {
            let small = packed.into_iter().filter(|file| self.merging.is_small(file)).collect();
            return group(small, &self.merging);
        }
        loose.sort_by(|a, b| (a.rows, &a.path).cmp(&(b.rows, &b.path)));
        let (mut rows, mut bytes) = (0, 0);
        let fitting = loose.iter().take_while(|file| {
            rows += file.rows;
            bytes += file.bytes;
            rows <= self.merging.rows && bytes <= self.merging.bytes
        });
        let taken = fitting.take(self.merging.step_files).count().max(1);
        loose.truncate(taken);
        Some(loose)
    }
}

impl Packing {
    /// What a file would be that is made of others, as far as it can be told beforehand.
    pub(crate) fn like(&self, partition: &str, files: &[DataFile]) -> DataFile {
        DataFile {
            path: format!("{partition}/{}{}", self.prefix(), files[0].path.replace('/', "-")),
            partition: Some(partition.to_owned()),
            rows: files.iter().map(|file| file.rows).sum(),
            bytes: files.iter().map(|file| file.bytes).sum(),
        }
    }
}

impl DataFile {
    fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// Whether it was packed.
    pub fn is_packed(&self) -> bool {
        PACKED.iter().any(|prefix| self.name().starts_with(prefix))
    }
}

/// Makes a packed file of rows; it takes a second for some ten thousand of them.
pub(crate) fn pack(batches: &[RecordBatch]) -> Result<Vec<u8>, ParquetError> {
    encode_with(SMALLEST, batches)
}

impl Table {
    /// What is packed of it.
    pub fn packed(&self) -> Result<Tier> {
        let mut months = std::collections::BTreeSet::new();
        let mut tier = Tier::default();
        for file in self.files()?.into_iter().filter(DataFile::is_packed) {
            tier.files += 1;
            tier.bytes += file.bytes;
            months.insert(file.partition);
        }
        tier.months = months.len() as u64;
        Ok(tier)
    }

    /// The rows of files that are to be packed.
    pub(crate) async fn read_to_pack(&self, files: &[DataFile]) -> Result<Vec<RecordBatch>> {
        self.read_aligned(files).await
    }

    /// Puts what [`pack`] has made of files in their place, in one commit that says that no row changes.
    pub(crate) async fn put_packed(
        &mut self,
        packing: &Packing,
        files: &[DataFile],
        packed: Vec<u8>,
        statistics: Value,
    ) -> Result<()> {
        let mut attributes = Attributes::default();
        if let Some(class) = packing.class {
            attributes.insert(Attribute::StorageClass, class.name().into());
        }
        let partition = files.first().and_then(|file| file.partition.as_deref());
        let prefix = packing.prefix();
        let add = self.put_named(&prefix, attributes, partition, packed, statistics).await?;
        self.put_in_place(files, add, json!({ "packed": files.len() })).await
    }
}
