//! Rows on their way out: taken from the door as the client takes them, never gathered.

use std::io;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use bytes::BytesMut;
use chrono_tz::Tz;

use super::copy::CopyForm;
use super::failure::{Failure, code};
use super::types::Shape;
use super::values::Column;
use super::wire::{ColumnHead, Format, Output, put_count};
use crate::sql_door::Answer;

/// A result, and how far it has been sent.
#[derive(Debug)]
pub(super) struct Rows {
    shapes: Arc<[Shape]>,
    source: Source,
    batch: Option<Batch>,
    is_ended: bool,
}

#[derive(Debug)]
enum Source {
    Door(Box<Answer>),
    Session(Option<RecordBatch>),
}

/// Rows of which some have been sent.
#[derive(Debug)]
struct Batch {
    columns: Vec<Column>,
    next: usize,
    rows: usize,
}

/// How each column is written: all alike, or each in its own way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Formats(Vec<Format>);

impl Formats {
    /// Everything as text.
    pub(super) fn text() -> Self {
        Self(Vec::new())
    }

    /// What a client asks for: nothing for text, one format for all columns, or one for each.
    pub(super) fn new(formats: Vec<Format>) -> Self {
        Self(formats)
    }

    fn of(&self, column: usize) -> Format {
        let all = self.0.first().filter(|_| self.0.len() == 1);
        all.or_else(|| self.0.get(column)).copied().unwrap_or(Format::Text)
    }

    fn check(&self, columns: usize) -> Result<(), Failure> {
        if self.0.len() > 1 && self.0.len() != columns {
            let message = format!("{} formats are given for {columns} columns", self.0.len());
            return Err(Failure::error(code::PROTOCOL_VIOLATION, message));
        }
        Ok(())
    }
}

/// Tells what columns there are.
pub(super) fn describe(shapes: &[Shape], formats: &Formats, output: &mut Output) {
    output.row_description(shapes.iter().enumerate().map(|(index, shape)| ColumnHead {
        name: &shape.name,
        kind: &shape.kind,
        modifier: shape.modifier(),
        format: formats.of(index),
    }));
}

impl Rows {
    /// What the door answers. Columns that the client has been told of keep the types that it was told.
    pub(super) fn of_answer(answer: Answer, told: Option<&Arc<[Shape]>>) -> Result<Self, Failure> {
        let mut shapes = Shape::of_schema(&answer.schema);
        if let Some(told) = told {
            if told.len() != shapes.len() {
                let message = "the prepared statement's result has other columns by now";
                return Err(Failure::error(code::FEATURE_NOT_SUPPORTED, message));
            }
            let kept = shapes.iter().zip(told.iter());
            shapes = kept
                .map(|(is, told)| if is.kind == told.kind { is } else { told }.clone())
                .collect();
        }
        let source = Source::Door(Box::new(answer));
        Ok(Self { shapes, source, batch: None, is_ended: false })
    }

    /// Texts that the session itself tells, column by column.
    pub(super) fn of_texts(shapes: Arc<[Shape]>, columns: Vec<Vec<&str>>) -> Result<Self, Failure> {
        let columns = shapes.iter().zip(columns).map(|(shape, texts)| {
            (shape.name.as_str(), Arc::new(StringArray::from(texts)) as ArrayRef)
        });
        let batch = RecordBatch::try_from_iter(columns)
            .map_err(|error| Failure::error(code::INTERNAL, error.to_string()))?;
        let source = Source::Session(Some(batch));
        Ok(Self { shapes, source, batch: None, is_ended: false })
    }

    pub(super) fn shapes(&self) -> &Arc<[Shape]> {
        &self.shapes
    }

    /// Whether the last row has been sent.
    pub(super) fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// Sends at most so many rows as DataRow messages; returns how many there were.
    pub(super) async fn send(
        &mut self,
        output: &mut Output,
        formats: &Formats,
        zone: Tz,
        rows_max: Option<u64>,
    ) -> Result<u64, Failure> {
        formats.check(self.shapes.len())?;
        let mut sent = 0;
        while rows_max.is_none_or(|most| sent < most) {
            let Some((batch, row)) = self.next().await? else { break };
            output.try_put(b'D', |body| {
                put_count(body, batch.columns.len());
                let mut columns = batch.columns.iter().enumerate();
                columns.try_for_each(|(index, column)| {
                    column.write(row, formats.of(index), zone, body)
                })
            })?;
            output.relieve().await.map_err(|error| lost(&error))?;
            sent += 1;
        }
        Ok(sent)
    }

    /// Passes over at most so many rows; returns how many there were.
    pub(super) async fn skip(&mut self, rows_max: Option<u64>) -> Result<u64, Failure> {
        let mut passed = 0;
        while rows_max.is_none_or(|most| passed < most) && self.next().await?.is_some() {
            passed += 1;
        }
        Ok(passed)
    }

    /// Sends everything as a COPY does; returns how many rows there were.
    pub(super) async fn copy(
        &mut self,
        output: &mut Output,
        form: &CopyForm,
        zone: Tz,
    ) -> Result<u64, Failure> {
        output.copy_out(form.format(), self.shapes.len());
        if let Some(line) = form.names(&self.shapes) {
            output.put(b'd', |body| body.extend_from_slice(&line));
        }
        let mut sent = 0;
        let mut head = form.head();
        while let Some((batch, row)) = self.next().await? {
            let put = |body: &mut BytesMut| {
                body.extend_from_slice(head);
                form.put_row(&batch.columns, row, zone, body)
            };
            output.try_put(b'd', put)?;
            head = b"";
            output.relieve().await.map_err(|error| lost(&error))?;
            sent += 1;
        }
        let tail = [head, form.tail()].concat();
        if !tail.is_empty() {
            output.put(b'd', |body| body.extend_from_slice(&tail));
        }
        output.bare(b'c');
        Ok(sent)
    }

    /// The next row.
    async fn next(&mut self) -> Result<Option<(&Batch, usize)>, Failure> {
        while self.batch.as_ref().is_none_or(|batch| batch.next == batch.rows) {
            let Some(batch) = self.next_batch().await? else {
                self.is_ended = true;
                return Ok(None);
            };
            let columns = batch.columns().iter().zip(self.shapes.iter());
            let columns = columns.map(|(array, shape)| Column::new(array, shape));
            let columns = columns.collect::<Result<_, _>>()?;
            self.batch = Some(Batch { columns, next: 0, rows: batch.num_rows() });
        }
        let batch = self.batch.as_mut().map(|batch| {
            batch.next += 1;
            (&*batch, batch.next - 1)
        });
        Ok(batch)
    }

    async fn next_batch(&mut self) -> Result<Option<RecordBatch>, Failure> {
        if self.is_ended {
            return Ok(None);
        }
        match &mut self.source {
            Source::Session(batch) => Ok(batch.take()),
            Source::Door(answer) => match answer.next().await {
                None => Ok(None),
                Some(Ok(batch)) => Ok(Some(batch)),
                Some(Err(refused)) => Err(Failure::of_refused(&refused, "", 0)),
            },
        }
    }
}

/// The client has gone while it was sent something. It will not read this either.
pub(super) fn lost(error: &io::Error) -> Failure {
    Failure::fatal(code::SHUTTING_DOWN, format!("the connection is lost: {error}"))
}
