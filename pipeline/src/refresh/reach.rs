//! How far new events reach: which parts of a rollup they change, and which parts of the log its new rows are made of.

use std::collections::BTreeSet;

use arrow::array::{Array as _, AsArray, RecordBatch};
use datafusion::prelude::SessionContext;

use super::passes::any_of;
use super::{collect, months_of, quoted};
use crate::error::{Error, Result};
use crate::event;
use crate::lake::Table;
use crate::model::{Model, RefreshBy};

/// What touched keys reach.
#[derive(Debug)]
pub(super) struct Reach {
    /// The partitions of the rollup that have rows of them.
    pub(super) partitions: BTreeSet<Option<String>>,
    /// The months of the log that have events of them.
    months: Months,
}

#[derive(Debug)]
enum Months {
    These(BTreeSet<String>),
    /// From this one on.
    Since(String),
    Any,
}

impl Reach {
    /// Looks the keys of the table `touched` up in a rollup and in the table `new_events`.
    pub(super) async fn of(
        context: &SessionContext,
        model: &Model,
        (by, keys): (&RefreshBy, &RecordBatch),
        table: &Table,
    ) -> Result<Self> {
        if by.events == "event_date" {
            let months = months_of(keys)?;
            let (partitions, _) = look_up(context, model, by, table, Some(&months)).await?;
            return Ok(Self { partitions, months: Months::These(months) });
        }
        let (partitions, since) = look_up(context, model, by, table, None).await?;
        let months = match &by.since {
            None => Months::Any,
            Some(_) => {
                let sql = format!(
                    "select arrow_cast(min(to_char(event_date, '%Y-%m')), 'Utf8') from new_events where {} is not null",
                    by.events
                );
                let arrived = first_text(&collect(context, model.name(), &sql).await?);
                // Events of an object with a row are not older than its first month; an object without one has new events only,
                // but for those that `before` is about.
                [since, arrived].into_iter().flatten().min().map_or(Months::Any, Months::Since)
            }
        };
        Ok(Self { partitions, months })
    }

    /// The condition on `events` that keeps what belongs to the touched keys. It names months, so that of the files of others
    /// nothing is read, or only what `before` is about.
    pub(super) fn restriction(&self, by: &RefreshBy) -> Result<String> {
        let condition = format!("{} in (select key from touched)", by.events);
        let month = event::PARTITION;
        Ok(match &self.months {
            Months::Any => condition,
            Months::These(months) => format!("{} and {condition}", any_of(months)),
            Months::Since(first) => {
                let first = quoted(first);
                match &by.before {
                    None => format!("{month} >= {first} and {condition}"),
                    Some(before) => format!("({month} >= {first} or {before}) and {condition}"),
                }
            }
        })
    }
}

/// The partitions of the rollup's rows of touched keys, and the first month of their events where the rollup says it.
async fn look_up(
    context: &SessionContext,
    model: &Model,
    by: &RefreshBy,
    table: &Table,
    months: Option<&BTreeSet<String>>,
) -> Result<(BTreeSet<Option<String>>, Option<String>)> {
    // The rows of a day stand in the partition of its month: the others need not be looked at.
    let is_by_month = by.model == "event_date" && model.partition() == Some(event::PARTITION);
    let in_months = months.filter(|_| is_by_month).map_or_else(|| "true".to_owned(), any_of);
    table.prepare(context)?;
    let name = "stored_rows";
    context.deregister_table(name).map_err(Error::query(name))?;
    context.register_table(name, table.provider().await?).map_err(Error::query(name))?;
    let text = |column: Option<&str>| {
        column.map_or_else(|| "null".to_owned(), |column| format!("arrow_cast({column}, 'Utf8')"))
    };
    let sql = format!(
        "select arrow_cast({}, 'Utf8') as partition, arrow_cast(min({}), 'Utf8') as since from {name} \
         where {in_months} and {} in (select key from touched) group by 1",
        text(model.partition()),
        text(by.since.as_deref()),
        by.model
    );
    let (mut partitions, mut first) = (BTreeSet::new(), None::<String>);
    for batch in collect(context, model.name(), &sql).await? {
        let (labels, since) =
            (batch.column(0).as_string::<i32>(), batch.column(1).as_string::<i32>());
        for row in 0..batch.num_rows() {
            partitions.insert(labels.is_valid(row).then(|| labels.value(row).to_owned()));
            let since = since.is_valid(row).then(|| since.value(row).to_owned());
            first = [first, since].into_iter().flatten().min();
        }
    }
    Ok((partitions, first))
}

fn first_text(batches: &[RecordBatch]) -> Option<String> {
    let batch = batches.iter().find(|batch| batch.num_rows() > 0)?;
    let texts = batch.column(0).as_string_opt::<i32>()?;
    texts.is_valid(0).then(|| texts.value(0).to_owned())
}
