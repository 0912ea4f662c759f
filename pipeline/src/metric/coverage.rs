//! How far the data behind a number reaches: which units and days it covers, and how fresh it is.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Date32Type, Int64Type};
use chrono::NaiveDate;

use crate::error::Result;
use crate::metric::evaluate::Request;
use crate::metric::prepared::Prepared;
use crate::query::View;
use crate::zone::date_of;

/// What the lake holds of a scope in the whole span of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage {
    /// The scope.
    pub scope_id: String,
    /// Units that belong to it on some day of the span.
    pub units: u64,
    /// Those of them with any event in the span.
    pub units_with_events: u64,
    /// Working days of the span up to today; `None` where the calendar ends.
    pub working_days: Option<u64>,
    /// Those of them with an event of the scope.
    pub working_days_with_events: u64,
    /// Events in the span.
    pub events: u64,
    /// The last day of the span with an event.
    pub last_event_date: Option<NaiveDate>,
}

const COVERAGE: &str = "
with unit_days as (
    select
        scope_orgs.scope_id, org_days.org_id, org_days.event_date as day, sum(org_days.events) as events
    from org_days
    inner join scope_orgs
        on org_days.org_id = scope_orgs.org_id
        and org_days.event_date >= scope_orgs.valid_from
        and org_days.event_date < scope_orgs.valid_to
    where org_days.event_date >= $from and org_days.event_date < $to
    group by scope_orgs.scope_id, org_days.org_id, org_days.event_date
),
held as (
    select
        unit_days.scope_id,
        cast(count(distinct unit_days.org_id) as bigint) as units,
        cast(count(distinct unit_days.day) filter (where is_working_day(unit_days.day)) as bigint) as days,
        cast(sum(unit_days.events) as bigint) as events,
        max(unit_days.day) as last_day
    from unit_days group by unit_days.scope_id
),
span as (
    select min(period_start) - 1 as day_before, max(period_end) - 1 as last_day from periods
)
select
    members.scope_id,
    members.units,
    coalesce(held.units, 0),
    working_days_between(span.day_before, least(span.last_day, $as_of)),
    coalesce(held.days, 0),
    coalesce(held.events, 0),
    held.last_day
from (
    select scope_id, cast(count(distinct org_id) as bigint) as units
    from scope_orgs where valid_from < $to and valid_to > $from group by scope_id
) as members
cross join span
left join held on members.scope_id = held.scope_id";

/// Finds the coverage of every scope of a request, in the order of the request.
pub async fn coverage(view: &View, request: &Request<'_>) -> Result<Vec<Coverage>> {
    let prepared = Prepared::for_request(view, request)?;
    let batches = prepared.collect("the coverage", COVERAGE).await?;
    let mut found = Vec::new();
    for batch in &batches {
        let scope_ids = arrow::compute::cast(batch.column(0), &arrow::datatypes::DataType::Utf8)
            .map_err(crate::Error::internal)?;
        let number = |column: usize, row: usize| {
            let numbers = batch.column(column).as_primitive::<Int64Type>();
            numbers.is_valid(row).then(|| numbers.value(row).unsigned_abs())
        };
        let last_days = batch.column(6).as_primitive::<Date32Type>();
        for row in 0..batch.num_rows() {
            found.push(Coverage {
                scope_id: scope_ids.as_string::<i32>().value(row).to_owned(),
                units: number(1, row).unwrap_or_default(),
                units_with_events: number(2, row).unwrap_or_default(),
                working_days: number(3, row),
                working_days_with_events: number(4, row).unwrap_or_default(),
                events: number(5, row).unwrap_or_default(),
                last_event_date: last_days.is_valid(row).then(|| date_of(last_days.value(row))),
            });
        }
    }
    let place = |scope_id: &str| request.scopes.iter().position(|scope| scope.scope_id == scope_id);
    found.sort_by_key(|coverage| place(&coverage.scope_id));
    Ok(found)
}
