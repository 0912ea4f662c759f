//! A batch of files becomes one commit: events, rejects and the files' progress together.
//!
//! Pieces of the files, large ones alone and small ones together, are parsed in parallel and come back in order. A month's events are written as
//! soon as there are enough of them, so memory does not grow with the input. Before, each is held
//! against the identities of its month, those of the lake and those of this run, so that it lands at
//! most once. Nothing that was written counts before the commit. Refused lines can be tried again ([`replay()`]).

mod headers;
mod identities;
mod replay;
mod stages;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::{filter_record_batch, interleave_record_batch};
use arrow::datatypes::{Date32Type, Int64Type, TimestampMicrosecondType};
use arrow::error::ArrowError;
use chrono::{DateTime, Utc};
use deltalake::kernel::Add;
use hashbrown::HashMap;
use serde_json::json;
use tokio::runtime::Handle;

use crate::error::{Error, Result};
use crate::event::{self, Reject, Rules, SKEW_MICROS};
use crate::lake::{self, Lake, Table, WriteLock};
use crate::pseudonym;
use crate::reference;
use crate::source::mapping::{Implied, Mapping};
use crate::source::{Before, FileReader, InputFile, MonthPart, Parsed, Parser, Task};
use crate::zone::Month;

pub use headers::{Place, headers_of};
use identities::{Identities, RESIDENT_MAX};
pub use replay::{Replayed, Selection, replay};
use stages::{Stage, Stages};

/// Files are landed together until their sizes reach this, so that small ones share a commit.
const COMMIT_BYTES: u64 = 4 << 30;
/// A month's events are written when there are this many.
pub(crate) const FLUSH_ROWS: usize = 384 * 1024;
/// The fullest month is written when all months together hold this many, or so many bytes.
const PENDING_ROWS: usize = 1024 * 1024;
const PENDING_BYTES: usize = 512 << 20;
const SORTED_BATCH_ROWS: usize = 32 * 1024;
/// Pieces of files are parsed together until they have this many bytes: of very small ones each would cost more than its lines.
const TOGETHER_BYTES: usize = 256 << 10;
/// And until they are so many.
const TOGETHER_MAX: usize = 1024;
/// How many steps the reading thread may be ahead: as many as there are for pieces that are parsed together, and more.
const STEPS_AHEAD: usize = 4 * TOGETHER_MAX;
/// Rejects of a file are written when they have this many bytes.
const REJECTS_BYTES: usize = 32 << 20;

/// What became of one file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The file.
    pub path: PathBuf,
    /// Events that are now in the lake and were not before.
    pub landed: u64,
    /// Of those that every row of an object repeats (`once = true`), how many are new.
    pub derived: u64,
    /// Events that the lake, or an earlier line, had already.
    pub duplicate: u64,
    /// Lines that were refused and kept with their reason.
    pub rejected: u64,
    /// Whether exactly this file had been landed before; its rejects are then not kept again.
    pub landed_before: bool,
}

/// Follows a long landing: told the bytes of input read so far.
pub type Progress<'p> = &'p (dyn Fn(u64) + Sync);

/// Lands files, each line at most once, however often it is sent.
///
/// Returns when everything is committed. After a failure or a crash nothing of an uncommitted group
/// of files is visible, and landing again is safe.
pub async fn land(
    lake: &mut Lake,
    lock: &WriteLock,
    mapping: &Mapping,
    inputs: &[InputFile],
    now: DateTime<Utc>,
    progress: Progress<'_>,
) -> Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    let mut group: Vec<InputFile> = Vec::new();
    let mut group_bytes = 0;
    let mut done_bytes = 0;
    for input in inputs {
        group_bytes += input.size()?;
        group.push(input.clone());
        if group_bytes >= COMMIT_BYTES {
            let told = |bytes| progress(done_bytes + bytes);
            outcomes.extend(land_group(lake, lock, mapping, &group, now, &told).await?);
            done_bytes += group_bytes;
            group.clear();
            group_bytes = 0;
        }
    }
    if !group.is_empty() {
        let told = |bytes| progress(done_bytes + bytes);
        outcomes.extend(land_group(lake, lock, mapping, &group, now, &told).await?);
    }
    Ok(outcomes)
}

async fn land_group(
    lake: &mut Lake,
    lock: &WriteLock,
    mapping: &Mapping,
    inputs: &[InputFile],
    now: DateTime<Utc>,
    progress: Progress<'_>,
) -> Result<Vec<Outcome>> {
    lake.events_mut().update().await?;
    let files = inputs.iter().map(Input::File).collect();
    let mut group = read_group(lake, mapping, files, now, progress).await?;
    let sources = settle_rejects(lake, lock, mapping, inputs, &mut group, now).await?;
    // Units and officers come first: they are harmless without the events, the events less so without them.
    reference::add_implied(lake, lock, &group.implied).await?;
    if !group.adds.is_empty() || !sources.is_empty() {
        let note = json!({
            "source": mapping.name(),
            "files": group.files.len(),
            "landed": group.files.iter().map(|file| file.outcome.landed).sum::<u64>(),
            "duplicate": group.files.iter().map(|file| file.outcome.duplicate).sum::<u64>(),
            "rejected": group.files.iter().map(|file| file.outcome.rejected).sum::<u64>(),
        });
        lake.events_mut().commit(group.adds, Vec::new(), sources, note).await?;
    }
    Ok(group.files.into_iter().map(|file| file.outcome).collect())
}

/// Lines to land.
enum Input<'i> {
    File(&'i InputFile),
    /// Lines that were refused before, and the name under which they are told of.
    Refused(PathBuf, Vec<Task>),
}

/// Reads files up to date with the lake, and writes their events to files that do not count yet.
async fn read_group(
    lake: &Lake,
    mapping: &Mapping,
    inputs: Vec<Input<'_>>,
    now: DateTime<Utc>,
    progress: Progress<'_>,
) -> Result<Group> {
    let known_orgs = if mapping.asks_for_known_orgs() {
        Some(Arc::new(reference::org_ids(lake).await?))
    } else {
        None
    };
    let mapping = &*keyed(lake, mapping).await?;
    let rules = Rules { now_micros: now.timestamp_micros(), skew_micros: SKEW_MICROS };
    let (zone, table, stages) = (lake.zone(), lake.events(), Stages::default());
    let scratch = lake.scratch();
    let run = Run { mapping, zone, rules, known_orgs, table, scratch, progress, stages };
    let handle = Handle::current();
    let group = tokio::task::block_in_place(|| run.read(inputs, &handle));
    run.stages.tell();
    group
}

/// The mapping with the lake's key, if it makes pseudonyms.
async fn keyed<'m>(lake: &Lake, mapping: &'m Mapping) -> Result<Cow<'m, Mapping>> {
    if !mapping.makes_pseudonyms() {
        return Ok(Cow::Borrowed(mapping));
    }
    let key = pseudonym::key_of(lake.location()).await?;
    Ok(Cow::Owned(mapping.clone().keyed_by(key)))
}

/// Finds out which files had landed before and keeps the rejects of the others. Returns the progress that the commit
/// records of files that are known by their digest.
async fn settle_rejects(
    lake: &Lake,
    lock: &WriteLock,
    mapping: &Mapping,
    inputs: &[InputFile],
    group: &mut Group,
    now: DateTime<Utc>,
) -> Result<Vec<(String, i64)>> {
    let table = lake.events();
    let mut sources = Vec::new();
    let mut batches = Vec::new();
    let maybe: HashSet<String> = inputs
        .iter()
        .zip(&group.files)
        .filter(|(input, file)| input.before() == Before::Maybe && file.outcome.rejected > 0)
        .map(|(input, _)| input.label().display().to_string())
        .collect();
    let landed = files_with_rejects(table, &maybe).await?;
    let mut headers = Vec::new();
    for (input, file) in inputs.iter().zip(&mut group.files) {
        let name = file.outcome.path.display().to_string();
        file.outcome.landed_before = match input.before() {
            Before::No => false,
            Before::Maybe => landed.contains(&name),
            Before::ByDigest => {
                let source = format!("file:{}:{}", mapping.name(), file.digest.to_hex());
                let is_known = table.progress(&source).await?.is_some()
                    || sources.iter().any(|(known, _)| *known == source);
                if !is_known {
                    sources.push((source, 1));
                }
                is_known
            }
        };
        if file.outcome.landed_before {
            continue;
        }
        group.adds.append(&mut file.written_rejects);
        if let Some(header) = file.header.as_ref().filter(|_| file.outcome.rejected > 0) {
            headers.push((name.clone(), Arc::clone(header)));
        }
        if !file.rejects.is_empty() {
            batches.push(reject_batch(&file.rejects, mapping, &name, now.timestamp_micros())?);
        }
    }
    if !batches.is_empty() {
        group.adds.push(write_rejects(table, &batches).await?);
    }
    // Before the rejects: a header without a row is harmless, a row without its header cannot be read.
    headers::keep(lake, lock, mapping.name(), &headers, now).await?;
    Ok(sources)
}

fn reject_batch(
    rejects: &[Reject],
    mapping: &Mapping,
    file: &str,
    now_micros: i64,
) -> Result<RecordBatch> {
    event::reject_batch(rejects, mapping.name(), file, now_micros).map_err(Error::internal)
}

pub(crate) async fn write_rejects(table: &Table, batches: &[RecordBatch]) -> Result<Add> {
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    table.write_file(Some(event::REJECTED), batches, json!({ "numRecords": rows })).await
}

/// Which of these files have rejects in the lake.
async fn files_with_rejects(table: &Table, names: &HashSet<String>) -> Result<HashSet<String>> {
    let mut found = HashSet::new();
    if names.is_empty() {
        return Ok(found);
    }
    for data_file in table.files()? {
        if data_file.partition.as_deref() != Some(event::REJECTED) {
            continue;
        }
        for batch in table.read(&data_file, Some(&["reject.file"])).await? {
            let files = batch.column(0).as_struct().column(0).as_string::<i32>();
            for file in files.iter().flatten() {
                if names.contains(file) && !found.contains(file) {
                    found.insert(file.to_owned());
                }
            }
        }
    }
    Ok(found)
}

/// A read group of files: its data files are written and not yet committed.
#[derive(Debug, Default)]
struct Group {
    files: Vec<ReadFile>,
    adds: Vec<Add>,
    implied: BTreeSet<Implied>,
}

#[derive(Debug)]
struct ReadFile {
    outcome: Outcome,
    digest: blake3::Hash,
    header: Option<Arc<Vec<String>>>,
    /// Lines before the next piece.
    lines: u64,
    rejects: Vec<Reject>,
    reject_bytes: usize,
    /// Whether many rejects are written before all are known.
    spills: bool,
    /// Rejects that are on disk since there are many; they count only if the file had not landed before.
    written_rejects: Vec<Add>,
}

/// What stays the same while a group is read.
struct Run<'r> {
    mapping: &'r Mapping,
    zone: chrono_tz::Tz,
    rules: Rules,
    known_orgs: Option<Arc<HashSet<String>>>,
    table: &'r Table,
    /// A folder of this machine for what does not fit into memory.
    scratch: PathBuf,
    progress: Progress<'r>,
    stages: Stages,
}

/// What the reading thread hands on, in the order of the input.
enum Step {
    /// The next pieces are with this worker.
    Pieces(usize),
    FileStart {
        path: PathBuf,
        header_lines: u64,
        header: Option<Arc<Vec<String>>>,
        spills: bool,
    },
    FileEnd {
        digest: blake3::Hash,
    },
}

struct FlushJob {
    month: Month,
    batches: Vec<RecordBatch>,
}

/// Pieces of files that are parsed together, each with its file's place in the group.
#[derive(Default)]
struct Together {
    pieces: Vec<(usize, Task)>,
    bytes: usize,
}

/// What pieces of files that were parsed together hold.
struct ParsedTogether {
    parsed: Parsed,
    pieces: Vec<PieceOfFile>,
}

/// What is a single file's in such pieces.
struct PieceOfFile {
    file: usize,
    lines: u64,
    rejects: Vec<Reject>,
    /// Where its events end among those of the months that it has events of.
    ends: Vec<(Month, usize)>,
}

/// The events of one month in pieces of files.
#[derive(Debug)]
struct Piece {
    /// Where the events of each file, by its place in the group, end.
    ends: Vec<(usize, usize)>,
    events: RecordBatch,
    identities: Vec<u128>,
    once: Vec<bool>,
}

impl Run<'_> {
    fn read(&self, inputs: Vec<Input<'_>>, handle: &Handle) -> Result<Group> {
        let workers = thread::available_parallelism().map_or(2, usize::from);
        thread::scope(|scope| {
            let mut to_workers = Vec::new();
            let mut from_workers = Vec::new();
            for _ in 0..workers {
                let (task_sender, tasks) = sync_channel::<Together>(1);
                let (parsed_sender, parsed) = sync_channel::<ParsedTogether>(1);
                to_workers.push(task_sender);
                from_workers.push(parsed);
                spawn(scope, "parse", move || self.parse_tasks(&tasks, &parsed_sender))?;
            }
            let (step_sender, steps) = sync_channel::<Step>(STEPS_AHEAD);
            let reading =
                spawn(scope, "read", move || self.read_files(inputs, &to_workers, &step_sender))?;

            let (job_sender, jobs) = sync_channel::<FlushJob>(1);
            let jobs = Arc::new(Mutex::new(jobs));
            let flushing: Vec<_> = (0..workers)
                .map(|_| {
                    let jobs = Arc::clone(&jobs);
                    spawn(scope, "flush", move || self.flush_jobs(&jobs, handle))
                })
                .collect::<Result<_>>()?;
            drop(jobs);

            let mut collector = Collector::new(self, handle, job_sender);
            let collected = collector.collect(&steps, &from_workers);
            // The channels close here, so that no thread waits for one that has gone.
            drop((steps, from_workers));
            let collected = collected.and_then(|()| collector.flush_all());
            let (files, implied) = collector.finish();
            join(reading)??;
            let mut adds = Vec::new();
            for thread in flushing {
                adds.extend(join(thread)??);
            }
            collected?;
            Ok(Group { files, adds, implied })
        })
    }

    fn parse_tasks(&self, tasks: &Receiver<Together>, parsed: &SyncSender<ParsedTogether>) {
        let known_orgs = self.known_orgs.as_ref().map(Arc::clone);
        let mut parser = Parser::new(self.mapping, self.zone, self.rules.clone(), known_orgs);
        for together in tasks {
            let pieces = self.stages.time(Stage::Parse, || together.parse(&mut parser));
            if parsed.send(pieces).is_err() {
                return;
            }
        }
    }

    fn read_files(
        &self,
        inputs: Vec<Input<'_>>,
        workers: &[SyncSender<Together>],
        steps: &SyncSender<Step>,
    ) -> Result<()> {
        let mut workers = (0..workers.len()).cycle().map(|number| (number, &workers[number]));
        let mut hand_on = |together: &mut Together| {
            let Some((number, worker)) = workers.next().filter(|_| !together.pieces.is_empty())
            else {
                return true;
            };
            worker.send(std::mem::take(together)).is_ok()
                && steps.send(Step::Pieces(number)).is_ok()
        };
        let mut together = Together::default();
        let mut done_bytes = 0;
        for (number, input) in inputs.into_iter().enumerate() {
            let spills = matches!(input, Input::File(_));
            let (path, bytes, mut reader) = match input {
                Input::File(file) => {
                    let reader = FileReader::open(file, self.mapping)?;
                    (file.label(), file.size()?, reader)
                }
                Input::Refused(path, tasks) => (path.clone(), 0, FileReader::given(path, tasks)),
            };
            let (header_lines, header) = (reader.header_lines(), reader.header());
            let start = Step::FileStart { path, header_lines, header, spills };
            if steps.send(start).is_err() {
                return Ok(());
            }
            while let Some(task) = reader.next_task()? {
                together.bytes += task.bytes();
                together.pieces.push((number, task));
                let is_enough =
                    together.bytes >= TOGETHER_BYTES || together.pieces.len() >= TOGETHER_MAX;
                if is_enough && !hand_on(&mut together) {
                    return Ok(());
                }
            }
            done_bytes += bytes;
            let end = Step::FileEnd { digest: reader.digest() };
            if steps.send(end).is_err() {
                return Ok(());
            }
            (self.progress)(done_bytes);
        }
        hand_on(&mut together);
        Ok(())
    }

    fn flush_jobs(&self, jobs: &Mutex<Receiver<FlushJob>>, handle: &Handle) -> Result<Vec<Add>> {
        let mut adds = Vec::new();
        loop {
            let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(job) = job else { return Ok(adds) };
            let sorted = self.stages.time(Stage::Sort, || sort(&job.batches));
            let (sorted, statistics) = sorted.map_err(Error::internal)?;
            drop(job.batches);
            let encoded = self.stages.time(Stage::Encode, || lake::encode(&sorted));
            drop(sorted);
            let label = job.month.label();
            let put =
                self.table.put_file(Some(&label), encoded.map_err(Error::internal)?, statistics);
            adds.push(self.stages.time(Stage::Write, || handle.block_on(put))?);
        }
    }
}

impl Together {
    fn parse(self, parser: &mut Parser<'_>) -> ParsedTogether {
        let mut parsed = Parsed::default();
        let mut pieces = Vec::with_capacity(self.pieces.len());
        let mut ends: BTreeMap<Month, usize> = BTreeMap::new();
        for (file, task) in self.pieces {
            parser.parse_onto(&mut parsed, task);
            let mut piece = PieceOfFile {
                file,
                lines: std::mem::take(&mut parsed.lines),
                rejects: std::mem::take(&mut parsed.rejects),
                ends: Vec::new(),
            };
            for (month, part) in &parsed.months {
                let end = part.identities.len();
                if ends.insert(*month, end) != Some(end) {
                    piece.ends.push((*month, end));
                }
            }
            pieces.push(piece);
        }
        ParsedTogether { parsed, pieces }
    }
}

/// Starts a thread under a name that tools show.
fn spawn<'scope, T: Send + 'scope>(
    scope: &'scope thread::Scope<'scope, '_>,
    name: &str,
    work: impl FnOnce() -> T + Send + 'scope,
) -> Result<thread::ScopedJoinHandle<'scope, T>> {
    let thread = thread::Builder::new().name(format!("land-{name}"));
    thread.spawn_scoped(scope, work).map_err(Error::internal)
}

fn join<T>(thread: thread::ScopedJoinHandle<'_, T>) -> Result<T> {
    thread.join().map_err(|_| Error::internal("a landing thread panicked"))
}

/// Puts pieces together in order and keeps out what has landed before.
struct Collector<'c> {
    mapping: &'c Mapping,
    stages: &'c Stages,
    now_micros: i64,
    table: &'c Table,
    handle: &'c Handle,
    jobs: SyncSender<FlushJob>,
    files: Vec<ReadFile>,
    implied: BTreeSet<Implied>,
    identities: Identities<'c>,
    pending: BTreeMap<Month, Pending>,
    pending_rows: usize,
    pending_bytes: usize,
}

/// Events of one month that are not written yet.
#[derive(Debug, Default)]
struct Pending {
    pieces: Vec<Piece>,
    rows: usize,
    bytes: usize,
}

impl<'c> Collector<'c> {
    fn new(run: &'c Run<'_>, handle: &'c Handle, jobs: SyncSender<FlushJob>) -> Self {
        let table = run.table;
        let landed = |month| handle.block_on(identities_of(table, month));
        Self {
            mapping: run.mapping,
            stages: &run.stages,
            now_micros: run.rules.now_micros,
            table: run.table,
            handle,
            jobs,
            files: Vec::new(),
            implied: BTreeSet::new(),
            identities: Identities::new(&run.scratch, RESIDENT_MAX, landed),
            pending: BTreeMap::new(),
            pending_rows: 0,
            pending_bytes: 0,
        }
    }

    fn collect(
        &mut self,
        steps: &Receiver<Step>,
        workers: &[Receiver<ParsedTogether>],
    ) -> Result<()> {
        for step in steps {
            match step {
                Step::FileStart { path, header_lines, header, spills } => {
                    self.files.push(ReadFile {
                        outcome: Outcome { path, ..Outcome::default() },
                        digest: blake3::Hash::from_bytes([0; 32]),
                        header,
                        lines: header_lines,
                        rejects: Vec::new(),
                        reject_bytes: 0,
                        spills,
                        written_rejects: Vec::new(),
                    });
                }
                Step::Pieces(worker) => {
                    let together = workers[worker]
                        .recv()
                        .map_err(|_| Error::internal("a parser has stopped"))?;
                    self.take(together)?;
                }
                Step::FileEnd { digest } => {
                    if let Some(file) = self.files.last_mut() {
                        file.digest = digest;
                    }
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, together: ParsedTogether) -> Result<()> {
        let ParsedTogether { parsed, pieces } = together;
        let mut ends: BTreeMap<Month, Vec<(usize, usize)>> = BTreeMap::new();
        for piece in pieces {
            for (month, end) in &piece.ends {
                ends.entry(*month).or_default().push((piece.file, *end));
            }
            self.take_lines(piece)?;
        }
        self.implied.extend(parsed.implied);
        for (month, part) in parsed.months {
            self.take_month(month, part, ends.remove(&month).unwrap_or_default())?;
        }
        while self.pending_rows > PENDING_ROWS || self.pending_bytes > PENDING_BYTES {
            self.flush_fullest()?;
        }
        Ok(())
    }

    fn take_lines(&mut self, piece: PieceOfFile) -> Result<()> {
        let Some(file) = self.files.get_mut(piece.file) else {
            return Err(Error::internal("a piece came before its file"));
        };
        let first_line = file.lines;
        file.lines += piece.lines;
        file.outcome.rejected += piece.rejects.len() as u64;
        file.reject_bytes += piece.rejects.iter().map(bytes_of).sum::<usize>();
        file.rejects.extend(
            piece
                .rejects
                .into_iter()
                .map(|reject| Reject { line: first_line + reject.line, ..reject }),
        );
        if file.spills && file.reject_bytes > REJECTS_BYTES {
            let name = file.outcome.path.display().to_string();
            let batch = reject_batch(&file.rejects, self.mapping, &name, self.now_micros)?;
            let write = write_rejects(self.table, std::slice::from_ref(&batch));
            file.written_rejects.push(self.handle.block_on(write)?);
            file.rejects.clear();
            file.reject_bytes = 0;
        }
        Ok(())
    }

    fn take_month(
        &mut self,
        month: Month,
        part: MonthPart,
        ends: Vec<(usize, usize)>,
    ) -> Result<()> {
        let MonthPart { columns, identities, once } = part;
        let events = columns.finish().map_err(Error::internal)?;
        let pending = self.pending.entry(month).or_default();
        let (rows, bytes) = (events.num_rows(), events.get_array_memory_size());
        pending.rows += rows;
        pending.bytes += bytes;
        self.pending_rows += rows;
        self.pending_bytes += bytes;
        pending.pieces.push(Piece { ends, events, identities, once });
        if pending.rows >= FLUSH_ROWS {
            self.flush(month)?;
        }
        Ok(())
    }

    fn flush_fullest(&mut self) -> Result<()> {
        let fullest = self.pending.iter().max_by_key(|(_, pending)| pending.bytes);
        match fullest.map(|(month, _)| *month) {
            Some(month) => self.flush(month),
            None => Ok(()),
        }
    }

    fn flush(&mut self, month: Month) -> Result<()> {
        let Some(Pending { pieces, rows, bytes }) = self.pending.remove(&month) else {
            return Ok(());
        };
        self.pending_rows -= rows;
        self.pending_bytes -= bytes;
        let stages = self.stages;
        let batches = stages.time(Stage::Deduplicate, || self.keep_new(month, pieces))?;
        if batches.is_empty() {
            return Ok(());
        }
        self.jobs
            .send(FlushJob { month, batches })
            .map_err(|_| Error::internal("the writers have stopped"))
    }

    /// Leaves out what has landed before, and counts for each file what has become of its lines.
    fn keep_new(&mut self, month: Month, pieces: Vec<Piece>) -> Result<Vec<RecordBatch>> {
        let identities: Vec<u128> =
            pieces.iter().flat_map(|piece| piece.identities.iter().copied()).collect();
        let all_new = self.identities.admit(month, &identities)?;
        let mut batches = Vec::with_capacity(pieces.len());
        let mut left = &all_new[..];
        for Piece { ends, events, once, .. } in pieces {
            let (is_new, after) = left.split_at(once.len());
            left = after;
            let mut start = 0;
            for (file, end) in ends {
                let outcome = &mut self.files[file].outcome;
                for (new, once) in is_new[start..end].iter().zip(&once[start..end]) {
                    match (new, once) {
                        (true, true) => outcome.derived += 1,
                        (true, false) => outcome.landed += 1,
                        (false, true) => {}
                        (false, false) => outcome.duplicate += 1,
                    }
                }
                start = end;
            }
            if is_new.iter().all(|new| *new) {
                batches.push(events);
            } else if is_new.iter().any(|new| *new) {
                let is_new = BooleanArray::from(is_new.to_vec());
                batches.push(filter_record_batch(&events, &is_new).map_err(Error::internal)?);
            }
        }
        Ok(batches)
    }

    fn flush_all(&mut self) -> Result<()> {
        while !self.pending.is_empty() {
            self.flush_fullest()?;
        }
        Ok(())
    }

    fn finish(self) -> (Vec<ReadFile>, BTreeSet<Implied>) {
        (self.files, self.implied)
    }
}

/// What a refused line takes in memory.
fn bytes_of(reject: &Reject) -> usize {
    size_of::<Reject>() + reject.refusal.detail.len() + reject.text.len()
}

/// The identities of a month's events that are in the lake.
async fn identities_of(table: &Table, month: Month) -> Result<Vec<u128>> {
    let label = month.label();
    let mut identities = Vec::new();
    for file in table.files()? {
        if file.partition.as_deref() != Some(&label) {
            continue;
        }
        identities.reserve(file.rows as usize);
        for batch in table.read(&file, Some(&["event_id", "revision"])).await? {
            let event_ids = batch.column(0).as_string::<i32>();
            let revisions = batch.column(1).as_primitive::<Int64Type>();
            for (event_id, revision) in event_ids.iter().zip(revisions.values()) {
                identities.push(event::identity(event_id.unwrap_or_default(), *revision));
            }
        }
    }
    Ok(identities)
}

/// Sorts by event type and time, which readers of a kind of event and a span of time profit from,
/// and which compresses best. Returns the batches and the statistics of the file.
pub(crate) fn sort(
    batches: &[RecordBatch],
) -> Result<(Vec<RecordBatch>, serde_json::Value), ArrowError> {
    let mut types = Types::default();
    let mut keys = Vec::new();
    let mut days = (i32::MAX, i32::MIN);
    let mut revisions = (i64::MAX, i64::MIN);
    for (position, batch) in batches.iter().enumerate() {
        let event_types = column(batch, "event_type")?.as_string::<i32>();
        let occurred = column(batch, "occurred_at")?.as_primitive::<TimestampMicrosecondType>();
        for row in 0..batch.num_rows() {
            let event_type = types.number(event_types.value(row));
            keys.push((event_type, occurred.value(row), position as u32, row as u32));
        }
        let event_dates = column(batch, "event_date")?.as_primitive::<Date32Type>();
        days = bounds(days, event_dates.values());
        let revision = column(batch, "revision")?.as_primitive::<Int64Type>();
        revisions = bounds(revisions, revision.values());
    }
    let ranks = types.ranks();
    for key in &mut keys {
        key.0 = ranks[key.0 as usize];
    }
    keys.sort_unstable();
    let occurred = keys.iter().fold((i64::MAX, i64::MIN), |(low, high), (_, occurred, _, _)| {
        (low.min(*occurred), high.max(*occurred))
    });
    let batches: Vec<&RecordBatch> = batches.iter().collect();
    let sorted = keys
        .chunks(SORTED_BATCH_ROWS)
        .map(|chunk| {
            let places: Vec<_> =
                chunk.iter().map(|(_, _, batch, row)| (*batch as usize, *row as usize)).collect();
            interleave_record_batch(&batches, &places)
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok((sorted, lake::event_statistics(keys.len(), occurred, days, revisions)))
}

fn column<'b>(batch: &'b RecordBatch, name: &str) -> Result<&'b dyn Array, ArrowError> {
    batch
        .column_by_name(name)
        .map(AsRef::as_ref)
        .ok_or_else(|| ArrowError::SchemaError(format!("no column `{name}`")))
}

/// The event types of a file, numbered as they come.
#[derive(Debug, Default)]
struct Types<'b> {
    numbers: HashMap<&'b str, u32>,
    last: (&'b str, u32),
}

impl<'b> Types<'b> {
    fn number(&mut self, event_type: &'b str) -> u32 {
        if self.numbers.is_empty() || self.last.0 != event_type {
            let next = self.numbers.len() as u32;
            self.last = (event_type, *self.numbers.entry(event_type).or_insert(next));
        }
        self.last.1
    }

    /// Where each number stands in the order of the names.
    fn ranks(self) -> Vec<u32> {
        let mut numbers: Vec<(&str, u32)> = self.numbers.into_iter().collect();
        numbers.sort_unstable();
        let mut ranks = vec![0; numbers.len()];
        for ((_, number), rank) in numbers.into_iter().zip(0..) {
            ranks[number as usize] = rank;
        }
        ranks
    }
}

fn bounds<T: Copy + Ord>(bounds: (T, T), values: &[T]) -> (T, T) {
    values.iter().fold(bounds, |(low, high), value| (low.min(*value), high.max(*value)))
}
