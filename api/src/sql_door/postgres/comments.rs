//! Comments on tables and columns, in Chinese and English, by the numbers that `pg_catalog` gives them.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Int32Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::catalog::{MemTable, TableProvider};
use pipeline::dictionary::Entry;
use pipeline::metric::Metric;
use pipeline::query::Guarded;

use super::PG_CATALOG;
use crate::dictionary::column_title;

/// The comment of a table stands at column 0.
#[derive(Debug, Default)]
pub(super) struct Comments {
    comments: BTreeMap<(i32, i32), String>,
    /// The number of `pg_class`, to whose rows the comments belong.
    class: i32,
}

impl Comments {
    pub(super) fn of(guarded: &Guarded, numbers: &BTreeMap<(String, String), i32>) -> Self {
        let class = numbers.get(&(PG_CATALOG.to_owned(), "pg_class".to_owned()));
        let mut known = Self { class: class.copied().unwrap_or_default(), ..Self::default() };
        let dictionary = guarded.view().dictionary();
        for (schema, tables) in guarded.tables() {
            for (name, table) in tables {
                let Some(number) = numbers.get(&(schema.clone(), name.clone())) else { continue };
                let metric = guarded.catalogue().get(name).ok().filter(|_| schema == "metrics");
                let of_table = match metric {
                    Some(metric) => Some(comment_of(metric)),
                    None => dictionary.table(name).map(Entry::comment),
                };
                known.comments.extend(of_table.map(|comment| ((*number, 0), comment)));
                let described_as = if metric.is_some() { "metrics" } else { name };
                let schema = table.schema();
                for (place, field) in (1..).zip(schema.fields()) {
                    let title = column_title(dictionary, described_as, metric, field.name());
                    let comment = title.as_ref().map(Entry::comment);
                    known.comments.extend(comment.map(|comment| ((*number, place), comment)));
                }
            }
        }
        known
    }

    /// The comment of a table (column 0) or of a column.
    pub(super) fn get(&self, table: i32, column: i32) -> Option<&str> {
        self.comments.get(&(table, column)).map(String::as_str)
    }

    /// `pg_description`.
    pub(super) fn table(&self) -> datafusion::common::Result<Arc<dyn TableProvider>> {
        let field = |name: &str, data_type| Field::new(name, data_type, false);
        let schema = Arc::new(Schema::new(vec![
            field("objoid", DataType::Int32),
            field("classoid", DataType::Int32),
            field("objsubid", DataType::Int32),
            field("description", DataType::Utf8),
        ]));
        let numbers = |read: &dyn Fn(&(i32, i32)) -> i32| {
            Arc::new(Int32Array::from_iter_values(self.comments.keys().map(read)))
        };
        let batch = RecordBatch::try_new(
            Arc::clone(&schema),
            vec![
                numbers(&|(table, _)| *table),
                numbers(&|_| self.class),
                numbers(&|(_, column)| *column),
                Arc::new(StringArray::from_iter_values(self.comments.values())),
            ],
        )?;
        Ok(Arc::new(MemTable::try_new(schema, vec![vec![batch]])?))
    }
}

/// What a metric is, where its definition comes from, and in what it is measured.
fn comment_of(metric: &Metric) -> String {
    format!(
        "{} | {}. {} Source: {}. Unit: {}",
        metric.title_zh(),
        metric.title_en(),
        metric.definition(),
        metric.source(),
        metric.unit()
    )
}
