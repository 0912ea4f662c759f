//! The canonical event: its columns, and the judgement of a mapped line.
//!
//! Everything here is pure: the time of landing comes in as an argument, a bad event is a value.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{
    ArrayBuilder, ArrayRef, BinaryBuilder, Date32Builder, Int64Builder, ListBuilder, RecordBatch,
    StringBuilder, StructArray, TimestampMicrosecondBuilder,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;

/// The partition column of the `events` table: the local month as `YYYY-MM`, or [`REJECTED`].
pub const PARTITION: &str = "event_month";

/// The partition that holds rejects. They stand in the same table as the events, because one Delta
/// commit covers one table, and a line has to be accepted or refused in the commit that records it.
pub const REJECTED: &str = "rejected";

/// How far a sender's clock may run ahead of ours, microseconds.
pub(crate) const SKEW_MICROS: i64 = 24 * 3600 * 1_000_000;

const YEAR_1990_MICROS: i64 = 631_152_000_000_000;

/// What an event says about an earlier one with its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// The event holds, and supersedes lower revisions.
    Upsert,
    /// The event is withdrawn.
    Delete,
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Self::Upsert => "upsert",
            Self::Delete => "delete",
        }
    }
}

/// One event as mapped from a line, before judgement. Times are microseconds UTC.
#[derive(Debug, Clone)]
pub struct Event<'a> {
    /// Identity across files and retries.
    pub event_id: Cow<'a, str>,
    /// Higher revisions supersede lower ones with the same id.
    pub revision: i64,
    /// Whether the event holds or is withdrawn.
    pub operation: Operation,
    /// Dotted noun and past participle, such as `case.filed`; unknown types land too.
    pub event_type: Cow<'a, str>,
    /// When it happened.
    pub occurred_micros: i64,
    /// When the platform received it.
    pub received_micros: i64,
    /// The unit in whose name it happened.
    pub org_id: Option<Cow<'a, str>>,
    /// Everyone who took part.
    pub officer_ids: Vec<Cow<'a, str>>,
    /// The inspection, case or opinion that it belongs to.
    pub object_id: Option<Cow<'a, str>>,
    /// The inspected or penalised person or firm.
    pub party_id: Option<Cow<'a, str>>,
    /// The enforcement item.
    pub item_code: Option<Cow<'a, str>>,
    /// How it was entered.
    pub channel: Option<Cow<'a, str>>,
    /// Everything else, a JSON object as text.
    pub attributes: Option<Cow<'a, str>>,
}

/// Why a line was refused. The code is part of the interface; the detail says what was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// The line is not one JSON object.
    MalformedJson,
    /// The line is not UTF-8.
    InvalidUtf8,
    /// The line is longer than the limit.
    LineTooLong,
    /// A CSV row has another number of fields than the header, or its quotes do not close.
    MalformedRow,
    /// A field has another type than the canonical event asks for.
    WrongType,
    /// No event type.
    MissingType,
    /// No time.
    MissingTime,
    /// A time that cannot be read.
    BadTime,
    /// A time after the moment of landing, beyond the tolerance for skewed clocks.
    FutureTime,
    /// A time before 1990.
    TimeBefore1990,
    /// No unit.
    MissingOrg,
    /// A unit that the reference does not know, where the mapping asks for known ones.
    UnknownOrg,
    /// A deletion without a revision above 0: it could not supersede what it deletes.
    DeleteWithoutRevision,
    /// A cell is empty that the mapping demands.
    MissingValue,
    /// A code that is not in the mapping's list.
    UnknownCode,
    /// A text that is longer than the mapping allows.
    ValueTooLong,
    /// A 统一社会信用代码 whose form or check character is wrong.
    BadUscc,
    /// An identity number whose form or check digit is wrong.
    BadIdCard,
    /// An item code that has another form.
    BadItemCode,
    /// An amount of money that cannot be read to the 分, or is negative.
    BadAmount,
    /// A time before one that has to come first.
    TimesOutOfOrder,
    /// A batch number that is no day with a sequence.
    BadBatch,
}

impl Reason {
    /// The stable code in reports, metrics and the API.
    pub fn code(self) -> &'static str {
        match self {
            Self::MalformedJson => "malformed_json",
            Self::InvalidUtf8 => "invalid_utf8",
            Self::LineTooLong => "line_too_long",
            Self::MalformedRow => "malformed_row",
            Self::WrongType => "wrong_type",
            Self::MissingType => "missing_type",
            Self::MissingTime => "missing_time",
            Self::BadTime => "bad_time",
            Self::FutureTime => "future_time",
            Self::TimeBefore1990 => "time_before_1990",
            Self::MissingOrg => "missing_org",
            Self::UnknownOrg => "unknown_org",
            Self::DeleteWithoutRevision => "delete_without_revision",
            Self::MissingValue => "missing_value",
            Self::UnknownCode => "unknown_code",
            Self::ValueTooLong => "value_too_long",
            Self::BadUscc => "bad_uscc",
            Self::BadIdCard => "bad_id_card",
            Self::BadItemCode => "bad_item_code",
            Self::BadAmount => "bad_amount",
            Self::TimesOutOfOrder => "times_out_of_order",
            Self::BadBatch => "bad_batch",
        }
    }
}

/// How the detail ends of a line that is too long to be kept whole.
pub(crate) const ONLY_BEGINNING_KEPT: &str = "; only the beginning is kept";

/// Why one line was refused, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The code.
    pub reason: Reason,
    /// What was found, for the person who has to mend it.
    pub detail: String,
}

impl Refusal {
    pub(crate) fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }
}

/// A refused line, kept with its original bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// Line number in the file, from 1; a CSV row counts from the line on which it starts.
    pub line: u64,
    /// Why.
    pub refusal: Refusal,
    /// The original line without its line end.
    pub text: Vec<u8>,
}

/// What the judge needs to know besides the event.
#[derive(Debug, Clone)]
pub struct Rules {
    /// The moment of landing, microseconds UTC.
    pub now_micros: i64,
    /// How far a sender's clock may run ahead, microseconds.
    pub skew_micros: i64,
}

/// Decides whether a mapped event may land.
///
/// Refused are times before 1990 or after the moment of landing, events without type or, but for deletions,
/// without unit, and deletions that could not supersede anything.
pub fn judge(event: &Event<'_>, rules: &Rules) -> Result<(), Refusal> {
    if event.event_type.is_empty() {
        return Err(Refusal::new(Reason::MissingType, "event_type is empty"));
    }
    if event.occurred_micros < YEAR_1990_MICROS {
        return Err(Refusal::new(Reason::TimeBefore1990, "occurred_at lies before 1990-01-01"));
    }
    if event.occurred_micros > rules.now_micros + rules.skew_micros {
        return Err(Refusal::new(Reason::FutureTime, "occurred_at lies after the time of landing"));
    }
    // What a deletion withdraws says whose it was.
    let needs_org = event.operation == Operation::Upsert;
    if needs_org && event.org_id.as_deref().is_none_or(str::is_empty) {
        return Err(Refusal::new(Reason::MissingOrg, "org_id is missing"));
    }
    if event.operation == Operation::Delete && event.revision <= 0 {
        return Err(Refusal::new(
            Reason::DeleteWithoutRevision,
            "a deletion needs a revision above that of the event which it deletes",
        ));
    }
    Ok(())
}

/// The 128-bit identity under which an event is landed at most once: its id and revision.
pub fn identity(event_id: &str, revision: i64) -> u128 {
    xxhash_rust::xxh3::xxh3_128_with_seed(event_id.as_bytes(), revision.cast_unsigned())
}

fn utf8(name: &str, nullable: bool) -> Field {
    Field::new(name, DataType::Utf8, nullable)
}

fn instant(name: &str) -> Field {
    Field::new(name, DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true)
}

fn reject_fields() -> Fields {
    Fields::from(vec![
        utf8("file", true),
        Field::new("line", DataType::Int64, true),
        utf8("reason", true),
        utf8("detail", true),
        Field::new("text", DataType::Binary, true),
    ])
}

fn officer_ids_type() -> DataType {
    DataType::List(Arc::new(Field::new("element", DataType::Utf8, true)))
}

/// The columns of an `events` data file, without the partition column.
pub fn file_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        utf8("event_id", true),
        Field::new("revision", DataType::Int64, true),
        utf8("operation", true),
        utf8("event_type", true),
        instant("occurred_at"),
        Field::new("event_date", DataType::Date32, true),
        instant("received_at"),
        instant("landed_at"),
        utf8("source", true),
        utf8("org_id", true),
        Field::new("officer_ids", officer_ids_type(), true),
        utf8("object_id", true),
        utf8("party_id", true),
        utf8("item_code", true),
        utf8("channel", true),
        utf8("attributes", true),
        Field::new("reject", DataType::Struct(reject_fields()), true),
    ]))
}

/// The columns of the `events` table: a data file's and the partition column.
pub fn table_schema() -> SchemaRef {
    let mut fields: Vec<_> = file_schema().fields().iter().map(Arc::clone).collect();
    fields.push(Arc::new(utf8(PARTITION, false)));
    Arc::new(Schema::new(fields))
}

/// Collects accepted events column by column.
#[derive(Debug)]
pub struct EventColumns {
    event_id: StringBuilder,
    revision: Int64Builder,
    operation: StringBuilder,
    event_type: StringBuilder,
    occurred_at: TimestampMicrosecondBuilder,
    event_date: Date32Builder,
    received_at: TimestampMicrosecondBuilder,
    landed_at: TimestampMicrosecondBuilder,
    source: StringBuilder,
    org_id: StringBuilder,
    officer_ids: ListBuilder<StringBuilder>,
    object_id: StringBuilder,
    party_id: StringBuilder,
    item_code: StringBuilder,
    channel: StringBuilder,
    attributes: StringBuilder,
}

impl Default for EventColumns {
    fn default() -> Self {
        let element = Arc::new(Field::new("element", DataType::Utf8, true));
        Self {
            event_id: StringBuilder::new(),
            revision: Int64Builder::new(),
            operation: StringBuilder::new(),
            event_type: StringBuilder::new(),
            occurred_at: TimestampMicrosecondBuilder::new().with_timezone("UTC"),
            event_date: Date32Builder::new(),
            received_at: TimestampMicrosecondBuilder::new().with_timezone("UTC"),
            landed_at: TimestampMicrosecondBuilder::new().with_timezone("UTC"),
            source: StringBuilder::new(),
            org_id: StringBuilder::new(),
            officer_ids: ListBuilder::new(StringBuilder::new()).with_field(element),
            object_id: StringBuilder::new(),
            party_id: StringBuilder::new(),
            item_code: StringBuilder::new(),
            channel: StringBuilder::new(),
            attributes: StringBuilder::new(),
        }
    }
}

impl EventColumns {
    /// Adds an accepted event of `source` that happened on local day `event_date` (days since 1970)
    /// and lands at `landed_micros`.
    pub fn push(&mut self, event: &Event<'_>, source: &str, event_date: i32, landed_micros: i64) {
        self.event_id.append_value(&event.event_id);
        self.revision.append_value(event.revision);
        self.operation.append_value(event.operation.name());
        self.event_type.append_value(&event.event_type);
        self.occurred_at.append_value(event.occurred_micros);
        self.event_date.append_value(event_date);
        self.received_at.append_value(event.received_micros);
        self.landed_at.append_value(landed_micros);
        self.source.append_value(source);
        self.org_id.append_option(event.org_id.as_deref());
        for officer_id in &event.officer_ids {
            self.officer_ids.values().append_value(officer_id);
        }
        self.officer_ids.append(true);
        self.object_id.append_option(event.object_id.as_deref());
        self.party_id.append_option(event.party_id.as_deref());
        self.item_code.append_option(event.item_code.as_deref());
        self.channel.append_option(event.channel.as_deref());
        self.attributes.append_option(event.attributes.as_deref());
    }

    /// Whether no event has been added.
    pub fn is_empty(&self) -> bool {
        self.revision.is_empty()
    }

    /// The number of events so far.
    pub fn len(&self) -> usize {
        self.revision.len()
    }

    /// The batch of all events so far, in the order of [`file_schema`].
    pub fn finish(mut self) -> Result<RecordBatch, ArrowError> {
        let rows = self.len();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.event_id.finish()),
            Arc::new(self.revision.finish()),
            Arc::new(self.operation.finish()),
            Arc::new(self.event_type.finish()),
            Arc::new(self.occurred_at.finish()),
            Arc::new(self.event_date.finish()),
            Arc::new(self.received_at.finish()),
            Arc::new(self.landed_at.finish()),
            Arc::new(self.source.finish()),
            Arc::new(self.org_id.finish()),
            Arc::new(self.officer_ids.finish()),
            Arc::new(self.object_id.finish()),
            Arc::new(self.party_id.finish()),
            Arc::new(self.item_code.finish()),
            Arc::new(self.channel.finish()),
            Arc::new(self.attributes.finish()),
            Arc::new(StructArray::new_null(reject_fields(), rows)),
        ];
        RecordBatch::try_new(file_schema(), columns)
    }
}

/// The batch of a file's rejects, in the order of [`file_schema`]; every event column but the time
/// of landing and the source is null.
pub fn reject_batch(
    rejects: &[Reject],
    source: &str,
    file: &str,
    now_micros: i64,
) -> Result<RecordBatch, ArrowError> {
    let rows = rejects.len();
    let mut landed = TimestampMicrosecondBuilder::new().with_timezone("UTC");
    let mut sources = StringBuilder::new();
    let (mut files, mut lines) = (StringBuilder::new(), Int64Builder::new());
    let (mut reasons, mut details) = (StringBuilder::new(), StringBuilder::new());
    let mut texts = BinaryBuilder::new();
    for reject in rejects {
        landed.append_value(now_micros);
        sources.append_value(source);
        files.append_value(file);
        lines.append_value(i64::try_from(reject.line).unwrap_or(i64::MAX));
        reasons.append_value(reject.refusal.reason.code());
        details.append_value(&reject.refusal.detail);
        texts.append_value(&reject.text);
    }
    let reject: Vec<ArrayRef> = vec![
        Arc::new(files.finish()),
        Arc::new(lines.finish()),
        Arc::new(reasons.finish()),
        Arc::new(details.finish()),
        Arc::new(texts.finish()),
    ];
    let reject = StructArray::try_new(reject_fields(), reject, Some(NullBuffer::new_valid(rows)))?;
    let schema = file_schema();
    let columns = schema
        .fields()
        .iter()
        .map(|field| -> ArrayRef {
            match field.name().as_str() {
                "landed_at" => Arc::new(landed.finish()),
                "source" => Arc::new(sources.finish()),
                "reject" => Arc::new(reject.clone()),
                _ => arrow::array::new_null_array(field.data_type(), rows),
            }
        })
        .collect();
    RecordBatch::try_new(schema, columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> Event<'static> {
        Event {
            event_id: "e-1".into(),
            revision: 0,
            operation: Operation::Upsert,
            event_type: "patrol.recorded".into(),
            occurred_micros: 1_709_600_000_000_000,
            received_micros: 1_709_600_000_000_000,
            org_id: Some("town-longta".into()),
            officer_ids: vec!["officer-1".into()],
            object_id: None,
            party_id: None,
            item_code: None,
            channel: None,
            attributes: None,
        }
    }

    #[track_caller]
    fn check(change: impl FnOnce(&mut Event<'static>), expected: Option<Reason>) {
        let rules = Rules { now_micros: 1_800_000_000_000_000, skew_micros: 1 };
        let mut event = event();
        change(&mut event);
        assert_eq!(judge(&event, &rules).err().map(|refusal| refusal.reason), expected);
    }

    #[test]
    fn a_complete_event_is_accepted_and_an_unknown_type_too() {
        check(|_| {}, None);
        check(|event| event.event_type = "drone.flown".into(), None);
    }

    #[test]
    fn what_cannot_be_counted_is_refused_with_its_reason() {
        check(|event| event.event_type = "".into(), Some(Reason::MissingType));
        check(|event| event.occurred_micros = 0, Some(Reason::TimeBefore1990));
        check(|event| event.occurred_micros = 1_800_000_000_000_002, Some(Reason::FutureTime));
        check(|event| event.org_id = None, Some(Reason::MissingOrg));
        check(|event| event.org_id = Some("".into()), Some(Reason::MissingOrg));
        check(|event| event.operation = Operation::Delete, Some(Reason::DeleteWithoutRevision));
    }

    #[test]
    fn identity_tells_ids_and_revisions_apart() {
        assert_eq!(identity("a", 0), identity("a", 0));
        assert_ne!(identity("a", 0), identity("a", 1));
        assert_ne!(identity("a", 0), identity("b", 0));
    }

    #[test]
    fn a_clock_ahead_within_the_tolerance_is_accepted() {
        check(|event| event.occurred_micros = 1_800_000_000_000_001, None);
    }
}
