//! Files as sources: NDJSON, CSV and Parquet, plain or compressed.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;

use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use crate::error::{Error, Result};
use crate::source::chunk::{Chunk, ChunkReader, Lines};
use crate::source::mapping::Mapping;

const PARQUET_BATCH_ROWS: usize = 16_384;
const READ_BUFFER_BYTES: usize = 1 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Ndjson,
    Csv,
    Parquet,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compression {
    None,
    Gzip,
    Zstd,
}

/// A file to land, its format told by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputFile {
    path: PathBuf,
    format: Format,
    compression: Compression,
}

impl InputFile {
    /// Recognises `.ndjson`, `.jsonl`, `.csv` and `.parquet`, the text formats also with `.gz` or `.zst`.
    pub fn new(path: &Path) -> Result<Self> {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let lower = name.to_ascii_lowercase();
        let (stem, compression) = if let Some(stem) = lower.strip_suffix(".gz") {
            (stem, Compression::Gzip)
        } else if let Some(stem) = lower.strip_suffix(".zst") {
            (stem, Compression::Zstd)
        } else {
            (lower.as_str(), Compression::None)
        };
        let format = match stem.rsplit_once('.').map(|(_, extension)| extension) {
            Some("ndjson" | "jsonl") => Format::Ndjson,
            Some("csv") => Format::Csv,
            Some("parquet") if compression == Compression::None => Format::Parquet,
            _ => {
                return Err(Error::Request(format!(
                    "`{}` has no known format; use .ndjson, .jsonl, .csv (also .gz, .zst) or .parquet",
                    path.display()
                )));
            }
        };
        Ok(Self { path: path.to_owned(), format, compression })
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file's size on disk in bytes.
    pub fn size(&self) -> Result<u64> {
        Ok(std::fs::metadata(&self.path).map_err(Error::io("read", &self.path))?.len())
    }
}

/// The files that `paths` name: files as they are, folders by their own files of a known format, sorted by name.
///
/// A folder that `simulate` wrote holds its events as `events-*`; its `reference` folder is not an input.
pub fn find_inputs(paths: &[PathBuf]) -> Result<Vec<InputFile>> {
    let mut inputs = Vec::new();
    for path in paths {
        if !path.is_dir() {
            std::fs::metadata(path).map_err(Error::io("read", path))?;
            inputs.push(InputFile::new(path)?);
            continue;
        }
        let mut found: Vec<_> = std::fs::read_dir(path)
            .map_err(Error::io("list", path))?
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .filter(|path| path.is_file())
            .filter_map(|path| InputFile::new(&path).ok())
            .collect();
        found.sort_by(|left, right| left.path.cmp(&right.path));
        inputs.extend(found);
    }
    Ok(inputs)
}

/// A piece of a file for a parser.
#[derive(Debug)]
pub(crate) enum Task {
    Ndjson(Chunk),
    /// Rows of a CSV file; the chunk does not repeat the header.
    Csv(Chunk, Arc<Vec<String>>),
    Parquet(RecordBatch),
}

impl Task {
    /// A whole NDJSON body as one piece.
    pub(crate) fn of_ndjson(body: &[u8]) -> Self {
        Self::Ndjson(Chunk { bytes: body.to_vec(), overlong: None })
    }
}

/// Reads a file in pieces and learns its digest on the way.
pub(crate) struct FileReader {
    path: PathBuf,
    digest: Digest,
    header_lines: u64,
    pieces: Pieces,
}

enum Pieces {
    Ndjson(ChunkReader<Box<dyn Read + Send>>),
    Csv {
        chunks: ChunkReader<Box<dyn Read + Send>>,
        header: Arc<Vec<String>>,
        first: Option<Chunk>,
    },
    Parquet(ParquetRecordBatchReader),
}

enum Digest {
    Running(Arc<Mutex<blake3::Hasher>>),
    Known(blake3::Hash),
}

impl FileReader {
    /// Opens a file; a CSV or Parquet header without the mapping's columns is an error.
    pub(crate) fn open(input: &InputFile, mapping: &Mapping) -> Result<Self> {
        let path = input.path.clone();
        if input.format == Format::Parquet {
            return Self::open_parquet(path, mapping);
        }
        let hasher = Arc::new(Mutex::new(blake3::Hasher::new()));
        let file = File::open(&path).map_err(Error::io("open", &path))?;
        let raw = HashingReader { file, hasher: Arc::clone(&hasher) };
        let raw = BufReader::with_capacity(READ_BUFFER_BYTES, raw);
        let text: Box<dyn Read + Send> = match input.compression {
            Compression::None => Box::new(raw),
            Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(raw)),
            Compression::Zstd => Box::new(
                zstd::stream::read::Decoder::with_buffer(raw).map_err(Error::io("read", &path))?,
            ),
        };
        let digest = Digest::Running(hasher);
        if input.format == Format::Ndjson {
            let chunks = ChunkReader::new(text, Lines::Plain, mapping.max_line_bytes());
            return Ok(Self { path, digest, header_lines: 0, pieces: Pieces::Ndjson(chunks) });
        }
        let mut chunks = ChunkReader::new(text, Lines::Quoted, mapping.max_line_bytes());
        let first = chunks.next_chunk().map_err(Error::io("read", &path))?;
        let (header, header_lines, first) = split_header(&path, first)?;
        mapping.check_header(&path.display().to_string(), &header)?;
        let pieces = Pieces::Csv { chunks, header: Arc::new(header), first: Some(first) };
        Ok(Self { path, digest, header_lines, pieces })
    }

    fn open_parquet(path: PathBuf, mapping: &Mapping) -> Result<Self> {
        let mut hasher = blake3::Hasher::new();
        let mut file = File::open(&path).map_err(Error::io("open", &path))?;
        hasher.update_reader(&mut file).map_err(Error::io("read", &path))?;
        let damaged = |error: &dyn std::fmt::Display| {
            Error::definition(
                path.display().to_string(),
                format!("not a readable Parquet file: {error}"),
                "export the file again",
            )
        };
        let file = File::open(&path).map_err(Error::io("open", &path))?;
        let builder =
            ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| damaged(&error))?;
        let header: Vec<String> =
            builder.schema().fields().iter().map(|field| field.name().clone()).collect();
        mapping.check_header(&path.display().to_string(), &header)?;
        let reader =
            builder.with_batch_size(PARQUET_BATCH_ROWS).build().map_err(|error| damaged(&error))?;
        Ok(Self {
            path: path.clone(),
            digest: Digest::Known(hasher.finalize()),
            header_lines: 0,
            pieces: Pieces::Parquet(reader),
        })
    }

    /// The number of lines before the first row.
    pub(crate) fn header_lines(&self) -> u64 {
        self.header_lines
    }

    /// The next piece; `None` at the end.
    pub(crate) fn next_task(&mut self) -> Result<Option<Task>> {
        match &mut self.pieces {
            Pieces::Ndjson(chunks) => {
                Ok(chunks.next_chunk().map_err(Error::io("read", &self.path))?.map(Task::Ndjson))
            }
            Pieces::Csv { chunks, header, first } => {
                let chunk = match first.take() {
                    Some(chunk) => Some(chunk),
                    None => chunks.next_chunk().map_err(Error::io("read", &self.path))?,
                };
                Ok(chunk.map(|chunk| Task::Csv(chunk, Arc::clone(header))))
            }
            Pieces::Parquet(reader) => {
                let batch = reader.next().transpose().map_err(|error| {
                    Error::definition(
                        self.path.display().to_string(),
                        format!("the Parquet file is damaged: {error}"),
                        "export the file again",
                    )
                })?;
                Ok(batch.map(Task::Parquet))
            }
        }
    }

    /// The digest of the file's bytes; complete once the last piece has been read.
    pub(crate) fn digest(&self) -> blake3::Hash {
        match &self.digest {
            Digest::Running(hasher) => {
                hasher.lock().unwrap_or_else(PoisonError::into_inner).finalize()
            }
            Digest::Known(hash) => *hash,
        }
    }
}

struct HashingReader {
    file: File,
    hasher: Arc<Mutex<blake3::Hasher>>,
}

impl Read for HashingReader {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.hasher.lock().unwrap_or_else(PoisonError::into_inner).update(&buffer[..read]);
        Ok(read)
    }
}

fn split_header(path: &Path, first: Option<Chunk>) -> Result<(Vec<String>, u64, Chunk)> {
    let file = path.display().to_string();
    let Some(mut chunk) = first else {
        return Err(Error::definition(
            file,
            "the file is empty",
            "a CSV file starts with a header",
        ));
    };
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(&chunk.bytes[..]);
    let mut header = csv::StringRecord::new();
    reader.read_record(&mut header).map_err(|error| {
        Error::definition(
            format!("{file}:1"),
            format!("the header cannot be read: {error}"),
            "save the file as UTF-8",
        )
    })?;
    let header_bytes = reader.position().byte() as usize;
    let header_lines = reader.position().line() - 1;
    chunk.bytes.drain(..header_bytes);
    Ok((header.iter().map(|name| name.trim().to_owned()).collect(), header_lines, chunk))
}
