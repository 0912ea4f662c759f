//! The history of goals: each change of a goal's text, with its date, in the small table `goal_changes`.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Date32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Date32Type, Field, Int64Type, Schema, SchemaRef};
use chrono::NaiveDate;
use serde_json::json;

use super::Goals;
use crate::error::{Error, Result};
use crate::lake::{Lake, Table, WriteLock};
use crate::reference;
use crate::zone::{date_of, days_of};

/// The name of the table, in the lake and in SQL.
const NAME: &str = "goal_changes";

/// Its folder in the lake.
pub(crate) const PATH: &str = "reference/goal_changes";

/// What happened to a goal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// It is there for the first time, or again.
    Added,
    /// It says something else.
    Changed,
    /// It is gone.
    Removed,
}

impl ChangeKind {
    /// The name in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Removed => "removed",
        }
    }

    fn named(name: &str) -> Option<Self> {
        [Self::Added, Self::Changed, Self::Removed].into_iter().find(|kind| kind.name() == name)
    }
}

/// One change of a goal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Changes are counted from 1, so that those of one day keep their order.
    pub change_no: i64,
    /// The year of the goal.
    pub year: i32,
    /// The goal's id.
    pub goal_id: String,
    /// The local day on which it was seen.
    pub changed_on: NaiveDate,
    /// What happened.
    pub kind: ChangeKind,
    /// The keys that say something else, for a changed goal.
    pub keys: Vec<String>,
    /// The goal as JSON; of a removed goal, what it last said.
    pub text: String,
}

/// Records what has changed in the goals of a year since the last recording; nothing when they are the same.
///
/// The first recording adds every goal.
pub async fn record(
    lake: &Lake,
    _lock: &WriteLock,
    goals: &Goals,
    today: NaiveDate,
) -> Result<Vec<Change>> {
    let known = changes_in(&reference::rows_in(lake, PATH).await?);
    let changes = changes(&known, goals, today);
    if changes.is_empty() {
        return Ok(changes);
    }
    let mut table =
        Table::open_or_create(&lake.location().join(PATH), NAME, schema(), None, &[]).await?;
    let batch = batch_of(&changes)?;
    let statistics = json!({ "numRecords": changes.len() });
    let added = table.write_file(None, &[batch], statistics).await?;
    table
        .commit(vec![added], Vec::new(), Vec::new(), json!({ "goal_changes": changes.len() }))
        .await?;
    Ok(changes)
}

/// What differs between the goals and the last that is known of each.
fn changes(known: &[Change], goals: &Goals, today: NaiveDate) -> Vec<Change> {
    let mut last: BTreeMap<&str, &Change> = BTreeMap::new();
    for change in known.iter().filter(|change| change.year == goals.year()) {
        last.insert(&change.goal_id, change);
    }
    let mut found: Vec<(String, ChangeKind, Vec<String>, String)> = Vec::new();
    for goal in goals.iter() {
        let id = goal.id.clone();
        match last.remove(goal.id.as_str()) {
            Some(before) if before.kind != ChangeKind::Removed => {
                if before.text != goal.text() {
                    let keys = different_keys(&before.text, goal.text());
                    found.push((id, ChangeKind::Changed, keys, goal.text().to_owned()));
                }
            }
            _ => found.push((id, ChangeKind::Added, Vec::new(), goal.text().to_owned())),
        }
    }
    for (id, before) in last {
        if before.kind != ChangeKind::Removed {
            found.push((id.to_owned(), ChangeKind::Removed, Vec::new(), before.text.clone()));
        }
    }
    let newest = known.iter().map(|change| change.change_no).max().unwrap_or_default();
    found
        .into_iter()
        .zip(newest + 1..)
        .map(|((goal_id, kind, keys, text), change_no)| Change {
            change_no,
            year: goals.year(),
            goal_id,
            changed_on: today,
            kind,
            keys,
            text,
        })
        .collect()
}

fn different_keys(before: &str, after: &str) -> Vec<String> {
    let read = |text: &str| -> BTreeMap<String, serde_json::Value> {
        serde_json::from_str(text).unwrap_or_default()
    };
    let (before, after) = (read(before), read(after));
    let mut keys: Vec<String> = after
        .iter()
        .filter(|(key, value)| before.get(*key) != Some(value))
        .map(|(key, _)| key.clone())
        .chain(before.keys().filter(|key| !after.contains_key(*key)).cloned())
        .collect();
    keys.sort();
    keys
}

/// The columns of `goal_changes`.
pub(crate) fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("change_no", DataType::Int64, true),
        Field::new("year", DataType::Int64, true),
        Field::new("goal_id", DataType::Utf8, true),
        Field::new("changed_on", DataType::Date32, true),
        Field::new("change", DataType::Utf8, true),
        Field::new("keys", DataType::Utf8, true),
        Field::new("text", DataType::Utf8, true),
    ]))
}

fn batch_of(changes: &[Change]) -> Result<RecordBatch> {
    fn texts<'c>(texts: impl Iterator<Item = &'c str>) -> ArrayRef {
        Arc::new(texts.map(Some).collect::<StringArray>())
    }
    let keys: Vec<String> = changes.iter().map(|change| change.keys.join(",")).collect();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(changes.iter().map(|change| change.change_no))),
        Arc::new(Int64Array::from_iter_values(changes.iter().map(|change| change.year.into()))),
        texts(changes.iter().map(|change| change.goal_id.as_str())),
        Arc::new(Date32Array::from_iter_values(
            changes.iter().map(|change| days_of(change.changed_on)),
        )),
        texts(changes.iter().map(|change| change.kind.name())),
        texts(keys.iter().map(String::as_str)),
        texts(changes.iter().map(|change| change.text.as_str())),
    ];
    RecordBatch::try_new(schema(), columns).map_err(Error::internal)
}

/// The changes in the order in which they were recorded.
fn changes_in(batches: &[RecordBatch]) -> Vec<Change> {
    let mut changes = Vec::new();
    for batch in batches {
        let column = |name: &str| batch.column_by_name(name);
        let (Some(numbers), Some(years), Some(days)) = (
            column("change_no").and_then(|column| column.as_primitive_opt::<Int64Type>()),
            column("year").and_then(|column| column.as_primitive_opt::<Int64Type>()),
            column("changed_on").and_then(|column| column.as_primitive_opt::<Date32Type>()),
        ) else {
            continue;
        };
        let text = |name: &str, row: usize| {
            let texts = batch.column_by_name(name)?.as_string_opt::<i32>()?;
            texts.is_valid(row).then(|| texts.value(row).to_owned())
        };
        for row in 0..batch.num_rows() {
            let keys = text("keys", row).unwrap_or_default();
            let kind = text("change", row).as_deref().and_then(ChangeKind::named);
            changes.push(Change {
                change_no: numbers.value(row),
                year: years.value(row) as i32,
                goal_id: text("goal_id", row).unwrap_or_default(),
                changed_on: date_of(days.value(row)),
                kind: kind.unwrap_or(ChangeKind::Changed),
                keys: keys.split(',').filter(|key| !key.is_empty()).map(str::to_owned).collect(),
                text: text("text", row).unwrap_or_default(),
            });
        }
    }
    changes.sort_by_key(|change| change.change_no);
    changes
}
