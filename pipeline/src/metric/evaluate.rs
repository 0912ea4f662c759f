//! Computes a metric for the periods and scopes of a request.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Date32Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Field, Float64Type, Schema};
use chrono::NaiveDate;
use datafusion::catalog::MemTable;
use datafusion::prelude::{DataFrame, SessionContext};
use datafusion::scalar::ScalarValue;
use hashbrown::HashMap;

use crate::error::{Error, Result};
use crate::metric::catalogue::{Kind, Metric};
use crate::metric::period::Period;
use crate::metric::scope::Scope;
use crate::query::View;
use crate::zone::days_of;

/// What a metric is asked for.
#[derive(Debug, Clone)]
pub struct Request<'r> {
    /// The buckets; they may overlap, their starts differ.
    pub periods: &'r [Period],
    /// The scopes.
    pub scopes: &'r [Scope],
    /// The chosen parameters; the others have their defaults.
    pub parameters: &'r BTreeMap<String, String>,
    /// Today, for what depends on how much time has passed.
    pub as_of: NaiveDate,
}

/// One number of a metric. A value that cannot be given is `None`: nothing to divide by, nothing
/// measured, or too few persons.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The scope.
    pub scope_id: String,
    /// The bucket.
    pub period: Period,
    /// The numerator of a ratio.
    pub numerator: Option<f64>,
    /// The denominator of a ratio, or the number of cases behind a statistic.
    pub denominator: Option<f64>,
    /// The value.
    pub value: Option<f64>,
}

/// Computes a metric: one sample for each scope and bucket, scopes in the order of the request.
pub async fn evaluate(view: &View, metric: &Metric, request: &Request<'_>) -> Result<Vec<Sample>> {
    let parameters = metric.parameter_values(request.parameters)?;
    let context = view.session()?;
    register_request(&context, request)?;
    let mut values: BTreeMap<&str, ScalarValue> = parameters
        .iter()
        .map(|(name, value)| (name.as_str(), ScalarValue::from(value.as_str())))
        .collect();
    values.insert("as_of", ScalarValue::Date32(Some(days_of(request.as_of))));
    for (name, sql) in view.request_views() {
        if metric.uses().contains(name) {
            let frame = planned(&context, name, sql, &values).await?;
            context.register_table(name.as_str(), frame.into_view()).map_err(Error::query(name))?;
        }
    }
    let what = format!("metric `{}`", metric.id());
    let frame = planned(&context, &what, metric.sql(), &values).await?;
    let batches = frame.collect().await.map_err(Error::query(what))?;
    let found = read(metric, &batches)?;
    let mut samples = Vec::with_capacity(request.scopes.len() * request.periods.len());
    for scope in request.scopes {
        for period in request.periods {
            let numbers = found.get(&(scope.scope_id.clone(), days_of(period.start)));
            samples.push(sample(metric, scope, *period, numbers.copied().unwrap_or_default()));
        }
    }
    Ok(samples)
}

/// Plans a query with those of the values that it reads as `$name`.
async fn planned(
    context: &SessionContext,
    what: &str,
    sql: &str,
    values: &BTreeMap<&str, ScalarValue>,
) -> Result<DataFrame> {
    let frame = context.sql(sql).await.map_err(Error::query(what))?;
    let read: Vec<_> = values
        .iter()
        .filter(|(name, _)| sql.contains(&format!("${name}")))
        .map(|(name, value)| (*name, value.clone()))
        .collect();
    if read.is_empty() {
        return Ok(frame);
    }
    frame.with_param_values(read).map_err(Error::query(what))
}

#[derive(Debug, Clone, Copy, Default)]
struct Numbers {
    numerator: Option<f64>,
    denominator: Option<f64>,
    value: Option<f64>,
}

fn sample(metric: &Metric, scope: &Scope, period: Period, found: Numbers) -> Sample {
    let Numbers { numerator, denominator, value } = found;
    let value = match metric.kind() {
        Kind::Count => Some(value.unwrap_or(0.0)),
        Kind::Gauge => value,
        Kind::Ratio => {
            let few = metric.suppress_below().is_some_and(|least| {
                denominator.is_some_and(|denominator| denominator < least as f64)
            });
            match (numerator, denominator) {
                (Some(numerator), Some(denominator)) if denominator > 0.0 && !few => {
                    Some(numerator / denominator)
                }
                _ => None,
            }
        }
    };
    Sample { scope_id: scope.scope_id.clone(), period, numerator, denominator, value }
}

/// Registers `periods`, `period_days` and `scope_orgs`, which every metric's query joins.
fn register_request(context: &SessionContext, request: &Request<'_>) -> Result<()> {
    let dates = |dates: Vec<NaiveDate>| -> ArrayRef {
        Arc::new(Date32Array::from_iter_values(dates.into_iter().map(days_of)))
    };
    let periods = request.periods;
    let starts = periods.iter().map(|period| period.start).collect();
    let ends = periods.iter().map(|period| period.end).collect();
    register(context, "periods", &[("period_start", dates(starts)), ("period_end", dates(ends))])?;

    let (mut days, mut day_starts) = (Vec::new(), Vec::new());
    for period in periods {
        for day in period.start.iter_days().take_while(|day| *day < period.end) {
            days.push(day);
            day_starts.push(period.start);
        }
    }
    register(context, "period_days", &[("day", dates(days)), ("period_start", dates(day_starts))])?;

    let members = || {
        request.scopes.iter().flat_map(|scope| {
            scope
                .members
                .iter()
                .map(|(org_id, span)| (scope.scope_id.as_str(), org_id.as_str(), *span))
        })
    };
    let scope_ids: StringArray = members().map(|(scope_id, _, _)| Some(scope_id)).collect();
    let org_ids: StringArray = members().map(|(_, org_id, _)| Some(org_id)).collect();
    register(
        context,
        "scope_orgs",
        &[
            ("scope_id", Arc::new(scope_ids)),
            ("org_id", Arc::new(org_ids)),
            ("valid_from", dates(members().map(|(_, _, span)| span.start).collect())),
            ("valid_to", dates(members().map(|(_, _, span)| span.end).collect())),
        ],
    )
}

fn register(context: &SessionContext, name: &str, columns: &[(&str, ArrayRef)]) -> Result<()> {
    let fields: Vec<_> = columns
        .iter()
        .map(|(name, column)| Field::new(*name, column.data_type().clone(), false))
        .collect();
    let schema = Arc::new(Schema::new(fields));
    let columns = columns.iter().map(|(_, column)| Arc::clone(column)).collect();
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns).map_err(Error::internal)?;
    let table = MemTable::try_new(schema, vec![vec![batch]]).map_err(Error::query(name))?;
    context.register_table(name, Arc::new(table)).map_err(Error::query(name))?;
    Ok(())
}

/// The numbers of a scope (by id) and a bucket (by its first day, in days since 1970).
type Found = HashMap<(String, i32), Numbers>;

fn read(metric: &Metric, batches: &[RecordBatch]) -> Result<Found> {
    let mut found = Found::new();
    for batch in batches {
        let missing = |name: &str| {
            Error::definition(
                format!("sql/metrics/{}.sql", metric.id()),
                format!("the query returns no column `{name}`"),
                "a ratio returns numerator and denominator, the others value, all with scope_id and period_start",
            )
        };
        let column = |name: &str, data_type: &DataType| {
            let column = batch.column_by_name(name)?;
            cast(column, data_type).ok()
        };
        let scope_ids = column("scope_id", &DataType::Utf8).ok_or_else(|| missing("scope_id"))?;
        let starts =
            column("period_start", &DataType::Date32).ok_or_else(|| missing("period_start"))?;
        let number = |name: &str| column(name, &DataType::Float64);
        let (numerators, denominators, values) =
            (number("numerator"), number("denominator"), number("value"));
        let needed = match metric.kind() {
            Kind::Ratio => [("numerator", &numerators), ("denominator", &denominators)],
            Kind::Count | Kind::Gauge => [("value", &values), ("value", &values)],
        };
        for (name, column) in needed {
            if column.is_none() {
                return Err(missing(name));
            }
        }
        let at = |column: &Option<ArrayRef>, row: usize| {
            let numbers = column.as_ref()?.as_primitive::<Float64Type>();
            numbers.is_valid(row).then(|| numbers.value(row))
        };
        for row in 0..batch.num_rows() {
            let key = (
                scope_ids.as_string::<i32>().value(row).to_owned(),
                starts.as_primitive::<Date32Type>().value(row),
            );
            let numbers = Numbers {
                numerator: at(&numerators, row),
                denominator: at(&denominators, row),
                value: at(&values, row),
            };
            if found.insert(key.clone(), numbers).is_some() {
                return Err(Error::definition(
                    format!("sql/metrics/{}.sql", metric.id()),
                    format!("the query returns scope `{}` twice for one period", key.0),
                    "group by scope_id and period_start",
                ));
            }
        }
    }
    Ok(found)
}
