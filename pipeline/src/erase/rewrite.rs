//! Rows without the person: ids become tokens, and what else might tell goes.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, ListArray, RecordBatch, StringArray,
    StructArray, new_null_array,
};
use arrow::compute::kernels::zip::zip;
use arrow::compute::or;
use arrow::datatypes::DataType;
use memchr::memmem::Finder;
use serde_json::{Map, Value};

use super::Person;
use crate::dictionary::{Dictionary, Guard};
use crate::error::{Error, Result};

/// Of a refused line that names the person, what may tell of the person.
const WORDS: [&str; 2] = ["detail", "text"];

/// Replaces a person in rows.
pub(super) struct Rewriter<'p> {
    id: &'p str,
    token: &'p str,
    finder: Finder<'p>,
    dictionary: &'p Dictionary,
}

impl<'p> Rewriter<'p> {
    pub(super) fn new(person: &'p Person, token: &'p str, dictionary: &'p Dictionary) -> Self {
        let id = person.id();
        Self { id, token, finder: Finder::new(id), dictionary }
    }

    /// The rows of a table without the person, and how many of them named the person.
    pub(super) fn rewrite(&self, table: &str, batch: &RecordBatch) -> Result<(RecordBatch, u64)> {
        let named = self.rows_that_name(batch)?;
        if named.true_count() == 0 {
            return Ok((batch.clone(), 0));
        }
        let columns = batch
            .schema()
            .fields()
            .iter()
            .zip(batch.columns())
            .map(|(field, column)| {
                let guard = self.dictionary.guard(table, field.name());
                let rewritten = self.column(guard, table, column)?;
                // Other rows keep what they say, for a like text there is no mention.
                zip(&named, &rewritten, column).map_err(Error::internal)
            })
            .collect::<Result<Vec<_>>>()?;
        let rewritten = RecordBatch::try_new(batch.schema(), columns).map_err(Error::internal)?;
        Ok((rewritten, named.true_count() as u64))
    }

    fn rows_that_name(&self, batch: &RecordBatch) -> Result<BooleanArray> {
        let mut named = BooleanArray::from(vec![false; batch.num_rows()]);
        for column in batch.columns() {
            let by_column: BooleanArray =
                (0..batch.num_rows()).map(|row| Some(self.is_named_in(column, row))).collect();
            named = or(&named, &by_column).map_err(Error::internal)?;
        }
        Ok(named)
    }

    fn is_named_in(&self, column: &dyn Array, row: usize) -> bool {
        if column.is_null(row) {
            return false;
        }
        match column.data_type() {
            DataType::Utf8 => self.is_in(column.as_string::<i32>().value(row).as_bytes()),
            DataType::Binary => self.is_in(column.as_binary::<i32>().value(row)),
            DataType::List(_) => {
                let items = column.as_list::<i32>().value(row);
                (0..items.len()).any(|item| self.is_named_in(&items, item))
            }
            DataType::Struct(_) => {
                column.as_struct().columns().iter().any(|part| self.is_named_in(part, row))
            }
            _ => false,
        }
    }

    /// A column as it is in rows that name the person.
    fn column(&self, guard: Option<Guard>, table: &str, column: &ArrayRef) -> Result<ArrayRef> {
        match guard {
            Some(Guard::Attributes) => Ok(self.attributes(column)),
            // In an event's row it is the event that is told of, in a register's row the person.
            Some(Guard::Withheld) if table != crate::lake::EVENTS => Ok(self.withheld(column)),
            _ => self.texts(column),
        }
    }

    /// What is withheld of a person, without what it says: whether there is a certificate decides who is on the roster.
    fn withheld(&self, column: &ArrayRef) -> ArrayRef {
        match column.data_type() {
            DataType::Utf8 => {
                let texts = column.as_string::<i32>();
                Arc::new(texts.iter().map(|text| text.map(|_| self.token)).collect::<StringArray>())
            }
            other => new_null_array(other, column.len()),
        }
    }

    fn texts(&self, column: &ArrayRef) -> Result<ArrayRef> {
        Ok(match column.data_type() {
            DataType::Utf8 => {
                let texts = column.as_string::<i32>();
                let texts = texts.iter().map(|text| text.map(|text| self.without_person(text)));
                Arc::new(texts.collect::<StringArray>())
            }
            DataType::List(_) => {
                let (field, offsets, items, nulls) = column.as_list::<i32>().clone().into_parts();
                let items = self.texts(&items)?;
                let lists = ListArray::try_new(field, offsets, items, nulls);
                Arc::new(lists.map_err(Error::internal)?)
            }
            DataType::Struct(_) => self.reject(column.as_struct())?,
            _ => Arc::clone(column),
        })
    }

    /// A refused line without its words: nobody knows what else in it is about the person.
    fn reject(&self, reject: &StructArray) -> Result<ArrayRef> {
        let (fields, mut columns, nulls) = reject.clone().into_parts();
        for (field, column) in fields.iter().zip(&mut columns) {
            *column = match field.data_type() {
                DataType::Binary => {
                    Arc::new(BinaryArray::from(vec![Some(self.token.as_bytes()); column.len()]))
                }
                _ if WORDS.contains(&field.name().as_str()) => {
                    Arc::new(StringArray::from(vec![Some(self.token); column.len()]))
                }
                _ => self.texts(column)?,
            };
        }
        let reject = StructArray::try_new(fields, columns, nulls).map_err(Error::internal)?;
        Ok(Arc::new(reject))
    }

    /// Of a JSON object what the event types list; of anything else nothing.
    fn attributes(&self, column: &ArrayRef) -> ArrayRef {
        let kept = column.as_string::<i32>().iter().map(|text| {
            let mut object: Map<String, Value> = serde_json::from_str(text?).ok()?;
            object.retain(|name, _| self.dictionary.known_attributes().contains(name));
            Some(self.without_person(&Value::Object(object).to_string()))
        });
        Arc::new(kept.collect::<StringArray>())
    }

    fn is_in(&self, text: &[u8]) -> bool {
        self.mentions(text).next().is_some()
    }

    /// Where the id stands as a word of its own: `o-1` is not mentioned in `o-12`.
    fn mentions<'t>(&'t self, text: &'t [u8]) -> impl Iterator<Item = usize> + 't {
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric();
        self.finder.find_iter(text).filter(move |start| {
            let before = start.checked_sub(1).and_then(|before| text.get(before));
            let after = text.get(start + self.id.len());
            !before.is_some_and(is_part) && !after.is_some_and(is_part)
        })
    }

    fn without_person(&self, text: &str) -> String {
        let mut without = String::new();
        let mut from = 0;
        for start in self.mentions(text.as_bytes()) {
            // The id is text, so that it begins and ends where characters do.
            without.push_str(text.get(from..start).unwrap_or_default());
            without.push_str(self.token);
            from = start + self.id.len();
        }
        without.push_str(text.get(from..).unwrap_or_default());
        without
    }
}

impl std::fmt::Debug for Rewriter<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not the id: what is printed may be kept.
        formatter.debug_struct("Rewriter").field("token", &self.token).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let (person, dictionary) = (Person::Officer("o-1".to_owned()), Dictionary::default());
        let rewriter = Rewriter::new(&person, "T", &dictionary);
        assert_eq!(rewriter.without_person(text), expected);
        assert_eq!(rewriter.is_in(text.as_bytes()), text != expected);
    }

    #[test]
    fn an_id_is_replaced_where_it_is_a_word_of_its_own() {
        check("o-1", "T");
        check("执法员o-1，o-1", "执法员T，T");
        check("case-o-1/o-1", "case-T/T");
        check("o-12 xo-1 o-1a", "o-12 xo-1 o-1a");
        check("", "");
    }
}
