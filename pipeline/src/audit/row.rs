//! A row of the audit log, and the seal that binds it to the one before it.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::json::{LineDelimitedWriter, ReaderBuilder};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// What somebody set out to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// When, to the microsecond.
    pub started_at: DateTime<Utc>,
    /// The account; `None` while it is not known who it was.
    pub account: Option<String>,
    /// The account's role.
    pub role: Option<String>,
    /// The scope that the account is kept to; `None` for the whole lake.
    pub scope: Option<String>,
    /// The address that they came from.
    pub peer: Option<String>,
    /// The door by which they came.
    pub door: String,
    /// What tells the request, or the connection, apart in logs.
    pub request_id: String,
    /// What sort of deed it was.
    pub deed: String,
    /// What it was about: a statement, or an address.
    pub subject: String,
    /// The values of a statement's parameters, as JSON.
    pub parameters: Option<String>,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// How long it took, in milliseconds.
    pub duration_ms: i64,
    /// Rows that were given out.
    pub rows: Option<i64>,
    /// How it ended, in one word.
    pub outcome: String,
    /// What was told besides.
    pub detail: Option<String>,
}

/// A row of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Its place, counted from 1 without a gap.
    pub sequence: i64,
    /// What somebody set out to do.
    #[serde(flatten)]
    pub begun: Begun,
    /// How it ended.
    #[serde(flatten)]
    pub ended: Ended,
    /// The hash of the row before it.
    pub previous_hash: String,
    /// The hash of everything above.
    pub hash: String,
}

/// Where a log ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The last row's place; 0 for a log without rows.
    pub sequence: i64,
    /// The last row's hash.
    pub hash: String,
}

impl Head {
    /// Of a log without rows.
    pub fn origin() -> Self {
        Self { sequence: 0, hash: "0".repeat(64) }
    }

    /// The row that follows.
    pub fn followed_by(&self, begun: Begun, ended: Ended) -> Row {
        let mut row = Row {
            sequence: self.sequence + 1,
            begun,
            ended,
            previous_hash: self.hash.clone(),
            hash: String::new(),
        };
        row.hash = row.seal();
        row
    }

    /// What is wrong with a row that is said to follow; `None` when nothing is.
    pub fn breach(&self, row: &Row) -> Option<&'static str> {
        if row.sequence != self.sequence + 1 {
            Some("rows before it are missing")
        } else if row.previous_hash != self.hash {
            Some("the row before it is another than the one that it was written after")
        } else if row.hash != row.seal() {
            Some("the row has been changed")
        } else {
            None
        }
    }
}

impl Row {
    /// The end of a log whose last row this is.
    pub fn head(&self) -> Head {
        Head { sequence: self.sequence, hash: self.hash.clone() }
    }

    /// BLAKE3 over every column in its order, each with its length, so that no two rows are alike to it.
    fn seal(&self) -> String {
        let (begun, ended) = (&self.begun, &self.ended);
        let sequence = self.sequence.to_string();
        let started_at = begun.started_at.timestamp_micros().to_string();
        let duration = ended.duration_ms.to_string();
        let rows = ended.rows.map(|rows| rows.to_string());
        let mut hasher = blake3::Hasher::new();
        for column in [
            Some(&self.previous_hash),
            Some(&sequence),
            Some(&started_at),
            begun.account.as_ref(),
            begun.role.as_ref(),
            begun.scope.as_ref(),
            begun.peer.as_ref(),
            Some(&begun.door),
            Some(&begun.request_id),
            Some(&begun.deed),
            Some(&begun.subject),
            begun.parameters.as_ref(),
            Some(&duration),
            rows.as_ref(),
            Some(&ended.outcome),
            ended.detail.as_ref(),
        ] {
            let length = column.map_or(u64::MAX, |column| column.len() as u64);
            hasher.update(&length.to_le_bytes());
            hasher.update(column.map_or(&[], |column| column.as_bytes()));
        }
        hasher.finalize().to_hex().to_string()
    }
}

/// The columns of the table, its partition last.
pub fn schema() -> SchemaRef {
    let text = |name, is_nullable| Field::new(name, DataType::Utf8, is_nullable);
    let number = |name, is_nullable| Field::new(name, DataType::Int64, is_nullable);
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    Arc::new(Schema::new(vec![
        number("sequence", false),
        Field::new("started_at", time, false),
        text("account", true),
        text("role", true),
        text("scope", true),
        text("peer", true),
        text("door", false),
        text("request_id", false),
        text("deed", false),
        text("subject", false),
        text("parameters", true),
        number("duration_ms", false),
        number("rows", true),
        text("outcome", false),
        text("detail", true),
        text("previous_hash", false),
        text("hash", false),
        text(super::PARTITION, false),
    ]))
}

/// Rows as a table's, under `schema`, which may hold texts in another form than ours.
pub(super) fn batch_of(rows: &[Row], schema: &SchemaRef) -> Result<RecordBatch> {
    #[derive(Serialize)]
    struct InMonth<'row> {
        #[serde(flatten)]
        row: &'row Row,
        audit_month: String,
    }
    let rows: Vec<InMonth<'_>> =
        rows.iter().map(|row| InMonth { row, audit_month: super::month_of(row) }).collect();
    let mut decoder = ReaderBuilder::new(self::schema())
        .with_batch_size(rows.len().max(1))
        .build_decoder()
        .map_err(Error::internal)?;
    decoder.serialize(&rows).map_err(Error::internal)?;
    let batch = decoder.flush().map_err(Error::internal)?;
    let batch = batch.unwrap_or_else(|| RecordBatch::new_empty(self::schema()));
    let columns = schema.fields().iter().map(|field| {
        let column = batch.column_by_name(field.name()).ok_or_else(|| missing(field.name()))?;
        cast(column, field.data_type()).map_err(Error::internal)
    });
    RecordBatch::try_new(Arc::clone(schema), columns.collect::<Result<_>>()?)
        .map_err(Error::internal)
}

fn missing(column: &str) -> Error {
    Error::Request(format!("the audit log has no column `{column}`; it is not one of ours"))
}

/// The rows of a table's.
pub(super) fn rows_of(batch: &RecordBatch) -> Result<Vec<Row>> {
    let mut lines = LineDelimitedWriter::new(Vec::new());
    lines.write(batch).map_err(Error::internal)?;
    lines.finish().map_err(Error::internal)?;
    let lines = lines.into_inner();
    let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).map_err(Error::internal)).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn begun(subject: &str) -> Begun {
        Begun {
            started_at: DateTime::from_timestamp_micros(1_760_000_000_123_456).unwrap(),
            account: Some("王".to_owned()),
            role: Some("analyst".to_owned()),
            scope: None,
            peer: Some("::1".to_owned()),
            door: "http".to_owned(),
            request_id: "r".to_owned(),
            deed: "query".to_owned(),
            subject: subject.to_owned(),
            parameters: None,
        }
    }

    pub(crate) fn ended() -> Ended {
        Ended { duration_ms: 12, rows: Some(3), outcome: "answered".to_owned(), detail: None }
    }

    #[test]
    fn a_row_comes_back_from_a_table_as_it_was() {
        let first = Head::origin().followed_by(begun("select '执法'\n\0"), ended());
        let ended = Ended { rows: None, detail: Some(String::new()), ..ended() };
        let second = first.head().followed_by(begun(""), ended);
        let rows = vec![first, second];
        let batch = batch_of(&rows, &schema()).unwrap();
        assert_eq!(rows_of(&batch).unwrap(), rows);
        assert_eq!(batch_of(&[], &schema()).unwrap().num_rows(), 0);
    }

    proptest! {
        #[test]
        fn whatever_is_changed_in_a_row_breaks_its_seal(
            texts in prop::collection::vec(prop::option::of("[a-z执]{0,3}"), 11),
            numbers in prop::collection::vec(0_i64..5, 3),
            place in 0_usize..14,
        ) {
            let row = |texts: &[Option<String>], numbers: &[i64]| {
                let text = |at: usize| texts[at].clone().unwrap_or_default();
                let begun = Begun {
                    started_at: DateTime::from_timestamp_micros(numbers[0]).unwrap(),
                    account: texts[0].clone(), role: texts[1].clone(), scope: texts[2].clone(),
                    peer: texts[3].clone(), door: text(4), request_id: text(5), deed: text(6),
                    subject: text(7), parameters: texts[8].clone(),
                };
                let ended = Ended {
                    duration_ms: numbers[1], rows: Some(numbers[2]), outcome: text(9),
                    detail: texts[10].clone(),
                };
                (begun, ended)
            };
            let (begun, ended) = row(&texts, &numbers);
            let written = Head::origin().followed_by(begun, ended);
            prop_assert_eq!(Head::origin().breach(&written), None);
            let (mut texts, mut numbers) = (texts, numbers);
            match place {
                0..=10 => {
                    let longer = format!("{}x", texts[place].clone().unwrap_or_default());
                    texts[place] = Some(longer);
                }
                _ => numbers[place - 11] += 1,
            }
            let (begun, ended) = row(&texts, &numbers);
            let forged = Row { begun, ended, ..written.clone() };
            prop_assert_eq!(Head::origin().breach(&forged), Some("the row has been changed"));
        }
    }

    #[test]
    fn rows_that_were_taken_out_exchanged_or_begun_anew_are_noticed() {
        let mut rows = vec![Head::origin().followed_by(begun("a"), ended())];
        for subject in ["b", "c"] {
            let next = rows[rows.len() - 1].head().followed_by(begun(subject), ended());
            rows.push(next);
        }
        assert_eq!(rows[0].head().breach(&rows[1]), None);
        assert_eq!(rows[0].head().breach(&rows[2]), Some("rows before it are missing"));
        let other = Head::origin().followed_by(begun("other"), ended());
        let breach = other.head().breach(&rows[1]).unwrap();
        assert!(breach.contains("another"), "{breach}");
    }
}
