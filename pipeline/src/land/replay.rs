//! Refused lines are tried again, after the mapping or the reference was mended.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray, StructArray};
use arrow::compute::filter_record_batch;
use arrow::datatypes::TimestampMicrosecondType;
use chrono::{DateTime, Utc};
use deltalake::kernel::Add;
use serde_json::json;

use super::{Group, Input, headers, read_group, write_rejects};
use crate::error::{Error, Result};
use crate::event::{self, Reason, Refusal};
use crate::lake::{DataFile, Lake, WriteLock};
use crate::reference;
use crate::source::Task;
use crate::source::chunk::Chunk;
use crate::source::mapping::Mapping;

/// Lines are tried in one commit until they reach this.
const TRIED_BYTES: usize = 32 << 20;

/// Which of a source's refused lines are tried again; all where nothing is said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only those with this reason code.
    pub reason: Option<String>,
    /// Only those of this file.
    pub file: Option<String>,
}

/// What became of refused lines that were tried again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Lines that were tried.
    pub tried: u64,
    /// Events that are in the lake now and were not before.
    pub landed: u64,
    /// Of those that every row of an object repeats (`once = true`), how many are new.
    pub derived: u64,
    /// Events that the lake had already: whoever sent them has mended them meanwhile.
    pub duplicate: u64,
    /// Lines that are refused again and stay, with what is wrong with them now.
    pub rejected: u64,
    /// Lines that were too long, of which only the beginning was kept: they have to be sent again.
    pub cut: u64,
}

/// Tries a source's refused lines again. What is accepted lands, and leaves the rejects in the same commit, so that a
/// line lands once however often it is tried; what is refused stays, with the newest reason.
///
/// Takes some 32 MB of lines at a time. What earlier commits have landed stays when a later one fails.
pub async fn replay(
    lake: &mut Lake,
    lock: &WriteLock,
    mapping: &Mapping,
    selection: &Selection,
    now: DateTime<Utc>,
) -> Result<Replayed> {
    lake.events_mut().update().await?;
    let headers = names_of(lake, mapping).await?;
    let rejected = |file: &DataFile| file.partition.as_deref() == Some(event::REJECTED);
    // What a commit writes anew has been tried.
    let files: Vec<DataFile> = lake.events().files()?.into_iter().filter(rejected).collect();
    let mut replayed = Replayed::default();
    let (mut kept, mut rows) = (Vec::new(), Rows::default());
    for file in files {
        let batches = lake.events().read(&file, None).await?;
        rows.select(kept.len(), &batches, &headers, mapping, selection)?;
        kept.push(Kept { file, batches });
        if rows.bytes > TRIED_BYTES {
            let (kept, rows) = (std::mem::take(&mut kept), std::mem::take(&mut rows));
            try_again(lake, lock, mapping, kept, rows, now, &mut replayed).await?;
        }
    }
    try_again(lake, lock, mapping, kept, rows, now, &mut replayed).await?;
    Ok(replayed)
}

/// Tries lines in one commit.
async fn try_again(
    lake: &mut Lake,
    lock: &WriteLock,
    mapping: &Mapping,
    kept: Vec<Kept>,
    rows: Rows,
    now: DateTime<Utc>,
    replayed: &mut Replayed,
) -> Result<()> {
    replayed.cut += rows.cut;
    replayed.tried += rows.places.len() as u64;
    if rows.places.is_empty() {
        return Ok(());
    }
    let inputs = vec![Input::Refused(PathBuf::from("rejects"), rows.tasks)];
    let mut group = read_group(lake, mapping, inputs, now, &|_| {}).await?;
    let refused = refused_again(&group, &rows.lines, &rows.places)?;
    for file in &group.files {
        replayed.landed += file.outcome.landed;
        replayed.derived += file.outcome.derived;
        replayed.duplicate += file.outcome.duplicate;
        replayed.rejected += file.outcome.rejected;
    }
    let replaced = settle(lake, &kept, &rows.places, &refused, &mut group.adds).await?;
    if replaced.is_empty() && group.adds.is_empty() {
        return Ok(());
    }
    reference::add_implied(lake, lock, &group.implied).await?;
    let removes = lake.events().removals(&replaced)?;
    let note = json!({
        "replayed": mapping.name(),
        "landed": replayed.landed,
        "duplicate": replayed.duplicate,
        "rejected": replayed.rejected,
    });
    lake.events_mut().commit(group.adds, removes, Vec::new(), note).await?;
    Ok(())
}

/// A data file of rejects, read.
struct Kept {
    file: DataFile,
    batches: Vec<RecordBatch>,
}

/// Where a reject is: which file, which of its batches, which row.
type Place = (usize, usize, usize);

/// Refused lines as they are tried again.
#[derive(Default)]
struct Rows {
    tasks: Vec<Task>,
    places: Vec<Place>,
    /// The line of the whole replay on which each begins, from 1.
    lines: Vec<u64>,
    next_line: u64,
    bytes: usize,
    cut: u64,
}

impl Rows {
    /// Adds a line as it stood in its file; CSV rows one by one, so that a quote left open in one costs no other.
    fn add(&mut self, place: Place, text: &[u8], header: Option<&Arc<Vec<String>>>) {
        let mut bytes = text.to_vec();
        bytes.push(b'\n');
        self.places.push(place);
        self.bytes += bytes.len();
        self.lines.push(self.next_line + 1);
        self.next_line += memchr::memchr_iter(b'\n', &bytes).count() as u64;
        let chunk = Chunk { bytes, overlong: None };
        self.tasks.push(match header {
            Some(header) => Task::Csv(chunk, Arc::clone(header)),
            None => Task::Json(chunk),
        });
    }

    /// Adds the lines of a file that are to be tried.
    fn select(
        &mut self,
        file: usize,
        batches: &[RecordBatch],
        headers: &Headers,
        mapping: &Mapping,
        selection: &Selection,
    ) -> Result<()> {
        for (number, batch) in batches.iter().enumerate() {
            let rejects = Rejects::of(batch)?;
            for row in 0..batch.num_rows() {
                if !rejects.is_selected(row, mapping.name(), selection) {
                    continue;
                }
                if rejects.is_cut(row) {
                    self.cut += 1;
                    continue;
                }
                let header = headers.get(&rejects.place(row));
                self.add((file, number, row), rejects.texts.value(row), header);
            }
        }
        Ok(())
    }
}

/// The headers of CSV files, by file and landing.
type Headers = HashMap<(String, i64), Arc<Vec<String>>>;

async fn names_of(lake: &Lake, mapping: &Mapping) -> Result<Headers> {
    let lines = headers::headers_of(lake, mapping.name()).await?;
    Ok(lines.into_iter().map(|(place, line)| (place, Arc::new(headers::names(&line)))).collect())
}

/// The columns of a batch of rejects.
struct Rejects<'b> {
    landed: &'b arrow::array::PrimitiveArray<TimestampMicrosecondType>,
    sources: &'b StringArray,
    files: &'b StringArray,
    reasons: &'b StringArray,
    details: &'b StringArray,
    texts: &'b arrow::array::BinaryArray,
}

impl<'b> Rejects<'b> {
    fn of(batch: &'b RecordBatch) -> Result<Self> {
        let column = |name: &str| {
            batch.column_by_name(name).ok_or_else(|| Error::internal(format!("no column `{name}`")))
        };
        let reject = column("reject")?.as_struct();
        let part = |name: &str| {
            reject.column_by_name(name).ok_or_else(|| Error::internal(format!("no field `{name}`")))
        };
        Ok(Self {
            landed: column("landed_at")?.as_primitive(),
            sources: column("source")?.as_string(),
            files: part("file")?.as_string(),
            reasons: part("reason")?.as_string(),
            details: part("detail")?.as_string(),
            texts: part("text")?.as_binary(),
        })
    }

    fn is_selected(&self, row: usize, source: &str, selection: &Selection) -> bool {
        let is =
            |asked: &Option<String>, found: &str| asked.as_ref().is_none_or(|asked| asked == found);
        self.sources.value(row) == source
            && is(&selection.reason, self.reasons.value(row))
            && is(&selection.file, self.files.value(row))
    }

    /// Whether only the beginning of the line was kept.
    fn is_cut(&self, row: usize) -> bool {
        self.reasons.value(row) == Reason::LineTooLong.code()
            && self.details.value(row).ends_with(event::ONLY_BEGINNING_KEPT)
    }

    fn place(&self, row: usize) -> (String, i64) {
        (self.files.value(row).to_owned(), self.landed.value(row))
    }
}

/// Why lines are refused again, by where they are kept.
fn refused_again(
    group: &Group,
    lines: &[u64],
    places: &[Place],
) -> Result<HashMap<Place, Refusal>> {
    let mut refused = HashMap::new();
    for reject in group.files.iter().flat_map(|file| &file.rejects) {
        // Whatever line of a row is told of, the row is the last that begins no later.
        let row = lines.partition_point(|line| *line <= reject.line).checked_sub(1);
        let place = row.and_then(|row| places.get(row));
        let place = place.ok_or_else(|| Error::internal("a line that was not tried is refused"))?;
        refused.entry(*place).or_insert_with(|| reject.refusal.clone());
    }
    Ok(refused)
}

/// Writes the files of rejects anew without what has landed, and with the newest reasons. Returns those that they replace.
async fn settle(
    lake: &Lake,
    kept: &[Kept],
    tried: &[Place],
    refused: &HashMap<Place, Refusal>,
    adds: &mut Vec<Add>,
) -> Result<Vec<DataFile>> {
    let mut replaced = Vec::new();
    for (number, kept) in kept.iter().enumerate() {
        let own: Vec<&Place> = tried.iter().filter(|place| place.0 == number).collect();
        if own.is_empty() {
            continue;
        }
        let mut batches = Vec::new();
        for (batch_number, batch) in kept.batches.iter().enumerate() {
            let mut stays = vec![true; batch.num_rows()];
            let mut refusals = HashMap::new();
            for place in own.iter().filter(|place| place.1 == batch_number) {
                match refused.get(*place) {
                    Some(refusal) => {
                        refusals.insert(place.2, refusal);
                    }
                    None => stays[place.2] = false,
                }
            }
            let batch = with_refusals(batch, &refusals)?;
            let batch =
                filter_record_batch(&batch, &BooleanArray::from(stays)).map_err(Error::internal)?;
            if batch.num_rows() > 0 {
                batches.push(batch);
            }
        }
        if batches == kept.batches {
            continue;
        }
        if !batches.is_empty() {
            adds.push(write_rejects(lake.events(), &batches).await?);
        }
        replaced.push(kept.file.clone());
    }
    Ok(replaced)
}

/// The batch with other reasons in some rows.
fn with_refusals(batch: &RecordBatch, refusals: &HashMap<usize, &Refusal>) -> Result<RecordBatch> {
    let position = batch.schema().index_of("reject").map_err(Error::internal)?;
    let (fields, mut columns, nulls) = batch.column(position).as_struct().clone().into_parts();
    for (field, column) in fields.iter().zip(&mut columns) {
        let said = |refusal: &Refusal| match field.name().as_str() {
            "reason" => Some(refusal.reason.code().to_owned()),
            "detail" => Some(refusal.detail.clone()),
            _ => None,
        };
        if !matches!(field.name().as_str(), "reason" | "detail") {
            continue;
        }
        let old = column.as_string::<i32>();
        let new: StringArray = (0..old.len())
            .map(|row| match refusals.get(&row) {
                Some(refusal) => said(refusal),
                None => old.is_valid(row).then(|| old.value(row).to_owned()),
            })
            .collect();
        *column = Arc::new(new);
    }
    let reject = StructArray::try_new(fields, columns, nulls).map_err(Error::internal)?;
    let mut all: Vec<ArrayRef> = batch.columns().to_vec();
    all[position] = Arc::new(reject);
    RecordBatch::try_new(batch.schema(), all).map_err(Error::internal)
}
