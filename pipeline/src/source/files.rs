//! Files and bodies as sources: JSON lines or arrays, CSV, Parquet and workbooks, text plain or compressed.

use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;

use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use crate::error::{Error, Result};
use crate::source::array::ArrayReader;
use crate::source::chunk::{CHUNK_BYTES, Chunk, ChunkReader, Lines};
use crate::source::mapping::Mapping;
use crate::source::rows::{Fields, Rows};
use crate::source::text::{self, Header, Text};
use crate::source::workbook::{self, Sheets};

const PARQUET_BATCH_ROWS: usize = 16_384;
/// Small enough that memory for it is at hand: most bodies that are pushed are smaller still.
const READ_BUFFER_BYTES: usize = 64 << 10;

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JSON: an object a line, or arrays of objects.
    Json,
    /// CSV with a header.
    Csv,
    /// Parquet.
    Parquet,
    /// A sheet of an Excel workbook.
    Workbook,
}

impl Format {
    /// The end of the name of such a file.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Json => "ndjson",
            Self::Csv => "csv",
            Self::Parquet => "parquet",
            Self::Workbook => "xlsx",
        }
    }
}

/// How text is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// Gzip, of one or several members.
    Gzip,
    /// Zstandard.
    Zstd,
}

impl Compression {
    /// What such a file's name has after the extension of its format.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Gzip => ".gz",
            Self::Zstd => ".zst",
        }
    }

    fn unpack(self, packed: impl std::io::BufRead + Send + 'static) -> std::io::Result<Text> {
        Ok(match self {
            Self::None => Box::new(packed),
            Self::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(packed)),
            Self::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(packed)?),
        })
    }
}

/// How it is told whether a file has landed before. Its events are known in any case; this is about its rejects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    /// By its digest, which the commit records.
    ByDigest,
    /// It has not.
    No,
    /// It may have: rejects that have its path are its own.
    Maybe,
}

/// A file to land, its format told by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputFile {
    before: Before,
    path: PathBuf,
    format: Format,
    compression: Compression,
    /// Of a workbook, the sheet.
    sheet: Option<String>,
    /// The file that holds it, and where in it, if it is none of its own.
    within: Option<(Arc<Path>, Range<u64>)>,
}

impl InputFile {
    /// Recognises `.ndjson`, `.jsonl`, `.json`, `.csv`, `.parquet` and `.xlsx`, the text formats also with `.gz` or `.zst`.
    /// A workbook is landed by its [sheets](Self::sheets).
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
            Some("ndjson" | "jsonl" | "json") => Format::Json,
            Some("csv") => Format::Csv,
            Some("parquet") if compression == Compression::None => Format::Parquet,
            Some("xlsx" | "xlsm") if compression == Compression::None => Format::Workbook,
            Some("xls" | "xlsb" | "ods" | "et") => {
                return Err(Error::Request(format!(
                    "`{}` is a workbook of another format; save it as .xlsx",
                    path.display()
                )));
            }
            _ => {
                return Err(Error::Request(format!(
                    "`{}` has no known format; use .ndjson, .jsonl, .json, .csv (also .gz, .zst), .parquet or .xlsx",
                    path.display()
                )));
            }
        };
        let (before, path) = (Before::ByDigest, path.to_owned());
        Ok(Self { before, path, format, compression, sheet: None, within: None })
    }

    /// Of a workbook, the sheets that the mapping can read, or the one that is `named`, and why the others are passed
    /// over. Any other file stays as it is.
    pub fn sheets(self, mapping: &Mapping, named: Option<&str>) -> Result<(Vec<Self>, Sheets)> {
        if self.format != Format::Workbook {
            return Ok((vec![self], Sheets::default()));
        }
        let sheets = workbook::sheets(&self.path, mapping, named)?;
        let of_sheet = |sheet: &String| Self { sheet: Some(sheet.clone()), ..self.clone() };
        Ok((sheets.fitting.iter().map(of_sheet).collect(), sheets))
    }

    /// What the file is called beside its refused lines: its path, and the sheet.
    pub fn label(&self) -> PathBuf {
        match &self.sheet {
            Some(sheet) => workbook::label(&self.path, sheet),
            None => self.path.clone(),
        }
    }

    /// The sheet's name, of a workbook.
    pub fn sheet(&self) -> Option<&str> {
        self.sheet.as_deref()
    }

    /// The file as one that lands once under its path, and has been `tried` before or not.
    #[must_use]
    pub fn pushed(self, tried: bool) -> Self {
        Self { before: if tried { Before::Maybe } else { Before::No }, ..self }
    }

    /// The file as one whose bytes, JSON or CSV, are a part of another; only its name is its own.
    #[must_use]
    pub fn within(self, file: Arc<Path>, bytes: Range<u64>) -> Self {
        Self { within: Some((file, bytes)), ..self }
    }

    /// How its rows are written and packed.
    pub fn written(&self) -> (Format, Compression) {
        (self.format, self.compression)
    }

    pub(crate) fn before(&self) -> Before {
        self.before
    }

    /// Where the file is, or would be if it were one of its own.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file's size on disk in bytes.
    pub fn size(&self) -> Result<u64> {
        if let Some((_, bytes)) = &self.within {
            return Ok(bytes.end - bytes.start);
        }
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
    /// An object a line.
    Json(Chunk),
    /// Rows of a CSV file; the chunk does not repeat the header.
    Csv(Chunk, Arc<Vec<String>>),
    Parquet(RecordBatch),
}

impl Task {
    /// About how large it is.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Json(chunk) | Self::Csv(chunk, _) => {
                let overlong = chunk.overlong.as_ref();
                chunk.bytes.len() + overlong.map_or(0, |overlong| overlong.prefix.len())
            }
            Self::Parquet(batch) => batch.get_array_memory_size(),
        }
    }
}

/// Reads a file or a body in pieces and learns its digest on the way.
pub(crate) struct FileReader {
    path: PathBuf,
    digest: Digest,
    header_lines: u64,
    pieces: Pieces,
}

enum Pieces {
    Lines(ChunkReader<Text>),
    Array(ArrayReader<Text>),
    Csv { chunks: ChunkReader<Text>, header: Arc<Vec<String>>, first: Option<Chunk> },
    Parquet(ParquetRecordBatchReader),
    Given(std::vec::IntoIter<Task>),
}

enum Digest {
    Running(Arc<Mutex<blake3::Hasher>>),
    Known(blake3::Hash),
}

impl FileReader {
    /// Opens a file; a CSV or Parquet header without the mapping's columns is an error.
    pub(crate) fn open(input: &InputFile, mapping: &Mapping) -> Result<Self> {
        Self::open_bounded(input, mapping, u64::MAX)
    }

    /// Opens a file that may have so many bytes unpacked, if it is text.
    pub(crate) fn open_bounded(
        input: &InputFile,
        mapping: &Mapping,
        unpacked_max: u64,
    ) -> Result<Self> {
        let path = input.path.clone();
        if input.format == Format::Parquet {
            return Self::open_parquet(path, mapping);
        }
        if input.format == Format::Workbook {
            let Some(sheet) = input.sheet() else {
                return Err(Error::internal("a workbook is landed by its sheets"));
            };
            let input = workbook::text(&path, sheet, mapping)?;
            let (format, compression) = (Format::Json, Compression::None);
            return Self::of_text(
                path,
                Packed { input, format, compression, unpacked_max, chunk_bytes: CHUNK_BYTES },
                mapping,
            );
        }
        let open = || match &input.within {
            None => Ok(File::open(&path)?.take(u64::MAX)),
            Some((file, bytes)) => {
                let mut file = File::open(file)?;
                file.seek(SeekFrom::Start(bytes.start))?;
                Ok(file.take(bytes.end - bytes.start))
            }
        };
        let file = open().map_err(Error::io("open", &path))?;
        let (format, compression) = (input.format, input.compression);
        let chunk_bytes = CHUNK_BYTES;
        let text = Packed { input: file, format, compression, unpacked_max, chunk_bytes };
        Self::of_text(path, text, mapping)
    }

    /// Reads JSON or CSV out of a stream that is called `path` in errors.
    pub(crate) fn of_text(
        path: PathBuf,
        packed: Packed<impl Read + Send + 'static>,
        mapping: &Mapping,
    ) -> Result<Self> {
        let hasher = Arc::new(Mutex::new(blake3::Hasher::new()));
        let raw = HashingReader { input: packed.input, hasher: Arc::clone(&hasher) };
        let raw = BufReader::with_capacity(READ_BUFFER_BYTES, raw);
        let digest = Digest::Running(hasher);
        let is_csv = packed.format == Format::Csv;
        let header = if is_csv { Header::Yes } else { Header::No };
        let text = packed
            .compression
            .unpack(raw)
            .map(|text| -> Text { Box::new(Bounded { text, room: packed.unpacked_max }) })
            .and_then(|text| text::as_utf8(text, mapping.encoding(), header))
            .map_err(Error::io("read", &path))?;
        if !is_csv {
            return Self::of_json(path, digest, text, packed.chunk_bytes, mapping);
        }
        let mut chunks =
            ChunkReader::new(text, Lines::Quoted, packed.chunk_bytes, mapping.max_line_bytes());
        let (header, header_lines, first) = read_header(&path, &mut chunks)?;
        mapping.check_header(&path.display().to_string(), &header)?;
        let pieces = Pieces::Csv { chunks, header: Arc::new(header), first: Some(first) };
        Ok(Self { path, digest, header_lines, pieces })
    }

    fn of_json(
        path: PathBuf,
        digest: Digest,
        mut text: Text,
        chunk_bytes: usize,
        mapping: &Mapping,
    ) -> Result<Self> {
        let start = text::beginning(&mut text).map_err(Error::io("read", &path))?;
        let written = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&start).trim_ascii_start();
        let is_array = written.first() == Some(&b'[');
        let skipped = if is_array { start.len() - written.len() } else { 0 };
        let mut start = Cursor::new(start);
        start.set_position(skipped as u64);
        let text: Text = Box::new(start.chain(text));
        let max_line_bytes = mapping.max_line_bytes();
        let pieces = if is_array {
            Pieces::Array(ArrayReader::new(text, chunk_bytes, max_line_bytes))
        } else {
            Pieces::Lines(ChunkReader::new(text, Lines::Plain, chunk_bytes, max_line_bytes))
        };
        Ok(Self { path, digest, header_lines: 0, pieces })
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

    /// Pieces that are there already.
    pub(crate) fn given(path: PathBuf, tasks: Vec<Task>) -> Self {
        let digest = Digest::Known(blake3::Hash::from_bytes([0; 32]));
        Self { path, digest, header_lines: 0, pieces: Pieces::Given(tasks.into_iter()) }
    }

    /// The names of a CSV file's columns.
    pub(crate) fn header(&self) -> Option<Arc<Vec<String>>> {
        match &self.pieces {
            Pieces::Csv { header, .. } => Some(Arc::clone(header)),
            _ => None,
        }
    }

    /// The number of lines before the first row.
    pub(crate) fn header_lines(&self) -> u64 {
        self.header_lines
    }

    /// The next piece; `None` at the end.
    pub(crate) fn next_task(&mut self) -> Result<Option<Task>> {
        match &mut self.pieces {
            Pieces::Lines(chunks) => {
                Ok(chunks.next_chunk().map_err(Error::io("read", &self.path))?.map(Task::Json))
            }
            Pieces::Array(elements) => {
                Ok(elements.next_chunk().map_err(Error::io("read", &self.path))?.map(Task::Json))
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
            Pieces::Given(tasks) => Ok(tasks.next()),
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

/// JSON or CSV as it is sent.
pub(crate) struct Packed<R> {
    pub(crate) input: R,
    pub(crate) format: Format,
    pub(crate) compression: Compression,
    /// How large it may be unpacked, in bytes.
    pub(crate) unpacked_max: u64,
    /// How much is read at once.
    pub(crate) chunk_bytes: usize,
}

/// Fails beyond a number of bytes.
struct Bounded {
    text: Text,
    room: u64,
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.text.read(buffer)?;
        let room = self.room.checked_sub(read as u64);
        self.room = room.ok_or_else(|| {
            std::io::Error::new(std::io::ErrorKind::FileTooLarge, "it is too large unpacked")
        })?;
        Ok(read)
    }
}

struct HashingReader<R> {
    input: R,
    hasher: Arc<Mutex<blake3::Hasher>>,
}

impl<R: Read> Read for HashingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.hasher.lock().unwrap_or_else(PoisonError::into_inner).update(&buffer[..read]);
        Ok(read)
    }
}

/// The names of a CSV file's columns, the number of lines up to the first row, and what has been read beyond.
fn read_header(path: &Path, chunks: &mut ChunkReader<Text>) -> Result<(Vec<String>, u64, Chunk)> {
    let told = |line: u64, problem: &str, remedy: &str| {
        Error::definition(format!("{}:{line}", path.display()), problem, remedy)
    };
    let mut lines = 0;
    while let Some(mut chunk) = chunks.next_chunk().map_err(Error::io("read", path))? {
        let mut rows = Rows::new(&chunk.bytes);
        let row = rows.next();
        let (bytes, line_feeds) = rows.read();
        let Some(row) = row else {
            lines += line_feeds;
            if chunk.overlong.is_some() {
                return Err(told(
                    lines + 1,
                    "the header is too long",
                    "shorten the columns' names",
                ));
            }
            continue;
        };
        let line = lines + row.line;
        lines += line_feeds;
        if row.is_broken {
            return Err(told(line, "a quote of the header does not close", "close it"));
        }
        let mut fields = Fields::new();
        let names = fields.part(row.bytes).iter().map(std::str::from_utf8);
        let names: Result<Vec<&str>, _> = names.collect();
        let names = names.map_err(|error| {
            told(line, &format!("the header cannot be read: {error}"), "save the file as UTF-8")
        })?;
        let header = names.into_iter().map(|name| name.trim().to_owned()).collect();
        chunk.bytes.drain(..bytes);
        return Ok((header, lines, chunk));
    }
    let file = path.display().to_string();
    Err(Error::definition(file, "the file is empty", "a CSV file starts with a header"))
}
