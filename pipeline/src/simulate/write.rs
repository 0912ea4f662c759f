//! Event files and CSV files.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Int64Builder, ListBuilder, RecordBatch, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::rhythm::{Moment, UNIX_START};
use super::row::Row;
use super::{Error, Format};

/// Bytes of NDJSON held back before they go to the file.
const BUFFER_BYTES: usize = 1 << 20;

/// Rows of a Parquet batch.
const BATCH_ROWS: usize = 1 << 16;

/// An event file being written.
pub(super) struct EventFile {
    path: PathBuf,
    rows: u64,
    body: Body,
}

enum Body {
    Ndjson { file: File, buffer: Vec<u8>, bytes: u64 },
    Parquet { writer: Box<ArrowWriter<File>>, columns: Box<Columns> },
}

impl EventFile {
    /// Creates or replaces the file at `path`.
    pub(super) fn create(path: PathBuf, format: Format) -> Result<Self, Error> {
        let file =
            File::create(&path).map_err(|source| Error::Io { path: path.clone(), source })?;
        let body = match format {
            Format::Ndjson => Body::Ndjson {
                file,
                buffer: Vec::with_capacity(BUFFER_BYTES + BUFFER_BYTES / 8),
                bytes: 0,
            },
            Format::Parquet => {
                let columns = Columns::new();
                let writer = parquet_writer(file, Arc::clone(&columns.schema))
                    .map_err(|source| Error::Parquet { path: path.clone(), source })?;
                Body::Parquet { writer: Box::new(writer), columns: Box::new(columns) }
            }
        };
        Ok(Self { path, rows: 0, body })
    }

    /// Appends one event.
    pub(super) fn write(&mut self, row: &Row) -> Result<(), Error> {
        self.rows += 1;
        match &mut self.body {
            Body::Ndjson { buffer, .. } => row.render(buffer),
            Body::Parquet { columns, .. } => columns.push(row),
        }
        self.flush_full()
    }

    /// Appends bytes as they are, with a newline; a Parquet file has no place for them and stays as it is.
    pub(super) fn write_raw(&mut self, line: &[u8]) -> Result<(), Error> {
        if let Body::Ndjson { buffer, .. } = &mut self.body {
            self.rows += 1;
            buffer.extend_from_slice(line);
            buffer.push(b'\n');
        }
        self.flush_full()
    }

    /// Completes the file; returns its rows and bytes.
    pub(super) fn finish(mut self) -> Result<(u64, u64), Error> {
        self.flush()?;
        let bytes = match self.body {
            Body::Ndjson { bytes, .. } => bytes,
            Body::Parquet { mut writer, .. } => {
                writer.finish().map_err(|source| Error::Parquet { path: self.path, source })?;
                writer.bytes_written() as u64
            }
        };
        Ok((self.rows, bytes))
    }

    fn flush_full(&mut self) -> Result<(), Error> {
        let is_full = match &self.body {
            Body::Ndjson { buffer, .. } => buffer.len() >= BUFFER_BYTES,
            Body::Parquet { columns, .. } => columns.rows >= BATCH_ROWS,
        };
        if is_full { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Error> {
        match &mut self.body {
            Body::Ndjson { file, buffer, bytes } => {
                file.write_all(buffer)
                    .map_err(|source| Error::Io { path: self.path.clone(), source })?;
                *bytes += buffer.len() as u64;
                buffer.clear();
                Ok(())
            }
            Body::Parquet { writer, columns } => columns
                .take()
                .and_then(|batch| writer.write(&batch))
                .map_err(|source| Error::Parquet { path: self.path.clone(), source }),
        }
    }
}

fn parquet_writer(file: File, schema: SchemaRef) -> Result<ArrowWriter<File>, ParquetError> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .build();
    ArrowWriter::try_new(file, schema, Some(properties))
}

/// The columns of a Parquet batch being filled.
struct Columns {
    schema: SchemaRef,
    rows: usize,
    event_id: StringBuilder,
    revision: Int64Builder,
    operation: StringBuilder,
    event_type: StringBuilder,
    occurred_at: TimestampMicrosecondBuilder,
    received_at: TimestampMicrosecondBuilder,
    org_id: StringBuilder,
    officer_ids: ListBuilder<StringBuilder>,
    object_id: StringBuilder,
    party_id: StringBuilder,
    item_code: StringBuilder,
    channel: StringBuilder,
    attributes: StringBuilder,
}

impl Columns {
    fn new() -> Self {
        let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let item = Arc::new(Field::new("item", DataType::Utf8, true));
        let text = |name: &str| Field::new(name, DataType::Utf8, true);
        let schema = Arc::new(Schema::new(vec![
            text("event_id"),
            Field::new("revision", DataType::Int64, true),
            text("operation"),
            text("event_type"),
            Field::new("occurred_at", time.clone(), true),
            Field::new("received_at", time, true),
            text("org_id"),
            Field::new("officer_ids", DataType::List(item), true),
            text("object_id"),
            text("party_id"),
            text("item_code"),
            text("channel"),
            text("attributes"),
        ]));
        Self {
            schema,
            rows: 0,
            event_id: StringBuilder::new(),
            revision: Int64Builder::new(),
            operation: StringBuilder::new(),
            event_type: StringBuilder::new(),
            occurred_at: TimestampMicrosecondBuilder::new().with_timezone("UTC"),
            received_at: TimestampMicrosecondBuilder::new().with_timezone("UTC"),
            org_id: StringBuilder::new(),
            officer_ids: ListBuilder::new(StringBuilder::new()),
            object_id: StringBuilder::new(),
            party_id: StringBuilder::new(),
            item_code: StringBuilder::new(),
            channel: StringBuilder::new(),
            attributes: StringBuilder::new(),
        }
    }

    fn push(&mut self, row: &Row) {
        self.rows += 1;
        self.event_id.append_option(present(&row.event_id));
        self.revision.append_value(i64::from(row.revision));
        self.operation.append_value(row.operation());
        self.event_type.append_value(row.event_type);
        self.occurred_at.append_value(unix_micros(row.occurred_at));
        self.received_at.append_value(unix_micros(row.received_at));
        self.org_id.append_option(present(&row.org_id));
        for officer in row.officer_ids.iter().filter(|officer| !officer.is_empty()) {
            self.officer_ids.values().append_value(officer);
        }
        self.officer_ids.append(!row.officer_ids[0].is_empty());
        self.object_id.append_option(present(&row.object_id));
        self.party_id.append_option(present(&row.party_id));
        self.item_code.append_option(present(&row.item_code));
        self.channel.append_option(present(row.channel));
        self.attributes.append_option(present(&row.attributes));
    }

    /// Takes the rows so far as a batch.
    fn take(&mut self) -> Result<RecordBatch, ParquetError> {
        self.rows = 0;
        let arrays: Vec<ArrayRef> = vec![
            Arc::new(self.event_id.finish()),
            Arc::new(self.revision.finish()),
            Arc::new(self.operation.finish()),
            Arc::new(self.event_type.finish()),
            Arc::new(self.occurred_at.finish()),
            Arc::new(self.received_at.finish()),
            Arc::new(self.org_id.finish()),
            Arc::new(self.officer_ids.finish()),
            Arc::new(self.object_id.finish()),
            Arc::new(self.party_id.finish()),
            Arc::new(self.item_code.finish()),
            Arc::new(self.channel.finish()),
            Arc::new(self.attributes.finish()),
        ];
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), arrays)?)
    }
}

fn present(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn unix_micros(at: Moment) -> i64 {
    (at + UNIX_START) * 1_000_000
}

/// A CSV file whose values need no quoting.
pub(super) struct CsvFile {
    path: PathBuf,
    file: BufWriter<File>,
    bytes: u64,
}

impl CsvFile {
    /// Creates or replaces `OUT/reference/NAME.csv` and writes its header.
    pub(super) fn create(out: &Path, name: &str, header: &str) -> Result<Self, Error> {
        let path = out.join("reference").join(name).with_extension("csv");
        let file =
            File::create(&path).map_err(|source| Error::Io { path: path.clone(), source })?;
        let mut csv = Self { path, file: BufWriter::new(file), bytes: 0 };
        csv.row(header)?;
        Ok(csv)
    }

    /// Appends one row whose values are already joined by commas.
    pub(super) fn row(&mut self, values: &str) -> Result<(), Error> {
        self.bytes += values.len() as u64 + 1;
        self.file
            .write_all(values.as_bytes())
            .and_then(|()| self.file.write_all(b"\n"))
            .map_err(|source| Error::Io { path: self.path.clone(), source })
    }

    /// Completes the file; returns its path and bytes.
    pub(super) fn finish(mut self) -> Result<(PathBuf, u64), Error> {
        match self.file.flush() {
            Ok(()) => Ok((self.path, self.bytes)),
            Err(source) => Err(Error::Io { path: self.path, source }),
        }
    }
}

/// Header of `orgs.csv`.
pub(super) const ORGS: &str = "org_id,name,name_en,kind,town_type,area,parent_id,domain,is_subject,subject_type,established_by,successor_id,is_synthetic,valid_from,valid_to";

/// Header of `officers.csv`.
pub(super) const OFFICERS: &str = "officer_id,org_id,post_class,certificate_no,certificate_from,certificate_to,onboarded_on,is_synthetic,valid_from,valid_to";

/// Header of `leaves.csv`.
pub(super) const LEAVES: &str = "officer_id,from_date,to_date,kind,is_synthetic";

/// Header of `parties.csv`.
pub(super) const PARTIES: &str =
    "party_id,name,kind,credit_class,risk_tier,area,is_synthetic,valid_from,valid_to";

/// Header of `items.csv`.
pub(super) const ITEMS: &str = "item_code,name,domain,kind,origin,holder_id,for_zhen,for_jiedao,list_version,is_published,is_synthetic,valid_from,valid_to";

/// Header of `plans.csv`.
pub(super) const PLANS: &str =
    "plan_id,org_id,kind,planned_inspections,approved_on,period_start,period_end,is_synthetic";

/// Header of `inspection_caps.csv`.
pub(super) const CAPS: &str =
    "domain,risk_tier,max_per_year,source,is_synthetic,valid_from,valid_to";

/// Header of `declarations.csv`.
pub(super) const DECLARATIONS: &str = "org_id,kind,period_start,period_end,records,is_synthetic";

/// Header of `scenes.csv`.
pub(super) const SCENES: &str = "scene_id,name,status,items,departments,towns,live_on,is_synthetic";

/// Header of `feeds.csv`.
pub(super) const FEEDS: &str =
    "feed_id,name,kind,from_org_id,cadence_days,linked_on,is_synthetic,valid_from,valid_to";

/// Header of `reported.csv`.
pub(super) const REPORTED: &str = "figure_id,report,wording,metric,parameters,scope,from_date,to_date,comparison,numerator,denominator,value,upper,decimals,reading,window_note";
