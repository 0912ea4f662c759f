//! Computes a metric for the periods and scopes of a request.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Float64Type, Int32Type};
use chrono::NaiveDate;
use hashbrown::{HashMap, HashSet};

use crate::error::{Error, Result};
use crate::metric::answers::Question;
use crate::metric::catalogue::{Choice, Kind, Metric};
use crate::metric::numbers::{Number, ScopeKey};
use crate::metric::period::Period;
use crate::metric::prepared::{CHOICE, Prepared};
use crate::metric::scope::Scope;
use crate::metric::suppress;
use crate::pseudonym::Identities;
use crate::query::View;
use crate::travel;
use crate::zone::days_of;

/// What a metric is asked for.
#[derive(Debug, Clone)]
pub struct Request<'r> {
    /// The buckets; they may overlap, their starts differ.
    pub periods: &'r [Period],
    /// The scopes.
    pub scopes: &'r [Scope],
    /// The chosen parameters; the others have their defaults.
    pub parameters: &'r Choice,
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
    /// Whether the numbers are there and not told, because they are about too few persons, or would
    /// tell such a number by subtraction.
    pub is_withheld: bool,
}

/// Computes a metric: one sample for each scope and bucket, scopes in the order of the request.
///
/// A number about too few persons is withheld, and so are the numbers that it could be reckoned from.
///
/// The same question about one state of a lake is computed once and then remembered, and so are its numbers, each for its
/// scope and its period, for as long as the rows that they are made of stay the same.
pub async fn evaluate(view: &View, metric: &Metric, request: &Request<'_>) -> Result<Vec<Sample>> {
    let choices = std::slice::from_ref(request.parameters);
    Ok(evaluate_each(view, metric, request, choices).await?.pop().unwrap_or_default())
}

/// Computes a metric for several choices of its parameters in the place of the request's own, in their order: all by one
/// query where the metric's joins `choices`, else one after the other.
pub async fn evaluate_each(
    view: &View,
    metric: &Metric,
    request: &Request<'_>,
    choices: &[Choice],
) -> Result<Vec<Vec<Sample>>> {
    // What is left out is the same question as its default.
    let choices = choices.iter().map(|choice| metric.parameter_values(choice));
    let choices = choices.collect::<Result<Vec<Choice>>>()?;
    let questions = Question::each(metric, request, &choices);
    let mut answers: Vec<_> = questions.iter().map(|it| view.answers().get(it)).collect();
    let open: Vec<usize> = (0..choices.len()).filter(|place| answers[*place].is_none()).collect();
    for places in metric.by_query(&open) {
        let asked: Vec<Choice> = places.iter().map(|place| choices[*place].clone()).collect();
        let found = answer(view, metric, request, &asked).await?;
        for (place, samples) in places.iter().zip(found) {
            let samples: Arc<[Sample]> = samples.into();
            view.answers().keep(questions[*place], Arc::clone(&samples));
            answers[*place] = Some(samples);
        }
    }
    Ok(answers.into_iter().flatten().map(|samples| samples.to_vec()).collect())
}

async fn answer(
    view: &View,
    metric: &Metric,
    request: &Request<'_>,
    choices: &[Choice],
) -> Result<Vec<Vec<Sample>>> {
    let scopes = with_neighbours(view, metric, request.scopes);
    let wider = Request { scopes: &scopes, ..request.clone() };
    let mut answers = compute(view, metric, &wider, choices).await?;
    let Some(least) = metric.suppress_below() else { return Ok(answers) };
    for samples in &mut answers {
        suppress::withhold(samples, &scopes, view.tree(), least as f64);
        samples.truncate(request.scopes.len() * request.periods.len());
    }
    Ok(answers)
}

/// Computes a metric for whoever asks later of this state or another of the same reader, which remembers numbers from then on; if its numbers outlive landings of other days: they are remembered until the rows that
/// they are made of change.
pub async fn compute_ahead(view: &View, metric: &Metric, request: &Request<'_>) -> Result<()> {
    view.numbers().begin();
    let choice = metric.parameter_values(request.parameters)?;
    if !view.numbers().outlive_landings(view, metric, request, &choice).await {
        return Ok(());
    }
    let scopes = with_neighbours(view, metric, request.scopes);
    let wider = Request { scopes: &scopes, ..request.clone() };
    compute(view, metric, &wider, &[choice]).await.map(drop)
}

/// Scopes, and of a metric that withholds numbers those that have a say in what is withheld of them: it must not depend on who
/// asks for what, or two answers could be subtracted.
fn with_neighbours<'s>(view: &View, metric: &Metric, scopes: &'s [Scope]) -> Cow<'s, [Scope]> {
    if metric.suppress_below().is_none() {
        return Cow::Borrowed(scopes);
    }
    let asked: HashSet<&str> = scopes.iter().map(|scope| scope.scope_id.as_str()).collect();
    let neighbours = suppress::neighbours(scopes, view.tree().all_scopes()).into_iter();
    let others = neighbours.filter(|scope| !asked.contains(scope.scope_id.as_str()));
    Cow::Owned(scopes.iter().chain(others).cloned().collect())
}

/// Computes what is not known yet of the request's periods.
async fn compute(
    view: &View,
    metric: &Metric,
    request: &Request<'_>,
    choices: &[Choice],
) -> Result<Vec<Vec<Sample>>> {
    if request.periods.is_empty() {
        return Ok(vec![Vec::new(); choices.len()]);
    }
    let scope_keys: Vec<ScopeKey> = request.scopes.iter().map(ScopeKey::of).collect();
    let (mut topics, mut known) = (Vec::new(), Vec::new());
    for choice in choices {
        let of_choice = if view.numbers().are_used() {
            view.numbers().topics(view, metric, request, choice).await
        } else {
            Vec::new()
        };
        let mut numbers: Vec<_> =
            of_choice.iter().map(|topic| view.numbers().get(topic, &scope_keys)).collect();
        numbers.resize(request.periods.len(), None);
        known.push(numbers);
        topics.push(of_choice);
    }
    let open = |place: &usize| known.iter().any(|numbers| numbers[*place].is_none());
    let open: Vec<usize> = (0..request.periods.len()).filter(open).collect();
    let numbers_of = |periods: usize| periods * scope_keys.len() * choices.len();
    view.numbers().count(numbers_of(open.len()), numbers_of(request.periods.len() - open.len()));
    let at_once = if metric.is_of_one_period() { 1 } else { open.len().max(1) };
    for open in open.chunks(at_once) {
        let periods: Vec<Period> = open.iter().map(|place| request.periods[*place]).collect();
        let found =
            ask(view, metric, &Request { periods: &periods, ..request.clone() }, choices).await?;
        for (choice, found) in found.iter().enumerate() {
            for (&place, period) in open.iter().zip(&periods) {
                let of_scope = |scope: &Scope| {
                    let numbers = found.get(&(scope.scope_id.clone(), days_of(period.start)));
                    numbers.copied().unwrap_or_default()
                };
                let numbers: Vec<Number> = request.scopes.iter().map(of_scope).collect();
                if let Some(topic) = topics[choice].get(place) {
                    let by_scope = scope_keys.iter().copied().zip(numbers.iter().copied());
                    view.numbers().keep(topic, by_scope);
                }
                known[choice][place] = Some(numbers);
            }
        }
    }
    let samples_of = |numbers: &Vec<Option<Vec<Number>>>| {
        let mut samples = Vec::with_capacity(request.scopes.len() * request.periods.len());
        for (scope_place, scope) in request.scopes.iter().enumerate() {
            for (period, numbers) in request.periods.iter().zip(numbers) {
                let number = numbers.as_ref().map(|numbers| numbers[scope_place]);
                samples.push(sample(metric, scope, *period, number.unwrap_or_default()));
            }
        }
        samples
    };
    Ok(known.iter().map(samples_of).collect())
}

/// Runs the query of a metric.
async fn ask(
    view: &View,
    metric: &Metric,
    request: &Request<'_>,
    choices: &[Choice],
) -> Result<Vec<Found>> {
    let prepared = Prepared::new(view, metric, request, choices)?;
    let what = format!("metric `{}`", metric.id());
    let frame = if metric.counts_rows() {
        prepared.sum_rows(metric).await?
    } else {
        prepared.plan(&what, metric.sql()).await?
    };
    let batches = travel::collect(frame).await.map_err(Error::query(what))?;
    read(metric, &batches, choices.len())
}

/// The rows behind numbers of a metric.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// The first rows, by scope and period; persons and parties by what `identities` made of them.
    pub rows: RecordBatch,
    /// How many rows there are.
    pub total: u64,
}

/// Finds the rows behind the numbers of a request, at most `limit` of them; `None` for a metric that
/// has none to show. Rows behind a withheld number are withheld.
pub async fn explain(
    view: &View,
    metric: &Metric,
    request: &Request<'_>,
    identities: &Identities,
    limit: usize,
) -> Result<Option<Evidence>> {
    let Some(sql) = metric.rows_sql() else { return Ok(None) };
    let mut request = request.clone();
    let samples = evaluate(view, metric, &request).await?;
    let shown: Vec<Scope> = request
        .scopes
        .iter()
        .zip(samples.chunks(request.periods.len().max(1)))
        .filter(|(_, samples)| samples.iter().all(|sample| !sample.is_withheld))
        .map(|(scope, _)| scope.clone())
        .collect();
    request.scopes = &shown;
    let choices = std::slice::from_ref(request.parameters);
    let prepared = Prepared::new(view, metric, &request, choices)?;
    let what = format!("the rows of metric `{}`", metric.id());
    let frame = prepared.plan(&what, sql).await?;
    let columns: Vec<String> = frame
        .schema()
        .fields()
        .iter()
        .filter(|field| !matches!(field.data_type(), DataType::Binary | DataType::BinaryView))
        .filter(|field| field.name() != CHOICE)
        .map(|field| format!("\"{}\"", field.name()))
        .collect();
    prepared.register("evidence", frame)?;
    let count = prepared.collect(&what, "select count(*) from evidence").await?;
    let total = count.first().map_or(0, |batch| {
        batch.column(0).as_primitive::<arrow::datatypes::Int64Type>().value(0).unsigned_abs()
    });
    let select = format!(
        "select {} from evidence order by {} limit {limit}",
        columns.join(", "),
        columns.iter().take(4).map(String::as_str).collect::<Vec<_>>().join(", ")
    );
    let frame = prepared.plan(&what, &select).await?;
    let planned = Arc::new(frame.schema().as_arrow().clone());
    let batches = frame.collect().await.map_err(Error::query(&what))?;
    // The engine may run with narrower types than it planned.
    let schema = batches.first().map_or(planned, RecordBatch::schema);
    let rows = arrow::compute::concat_batches(&schema, &batches).map_err(Error::internal)?;
    Ok(Some(Evidence { rows: identities.of_rows(&rows)?, total }))
}

fn sample(metric: &Metric, scope: &Scope, period: Period, found: Number) -> Sample {
    let Number { numerator, denominator, value } = found;
    let value = match metric.kind() {
        Kind::Count => Some(value.unwrap_or(0.0)),
        Kind::Gauge => value,
        Kind::Ratio => match (numerator, denominator) {
            (Some(numerator), Some(denominator)) if denominator > 0.0 => {
                Some(numerator / denominator)
            }
            _ => None,
        },
    };
    Sample {
        scope_id: scope.scope_id.clone(),
        period,
        numerator,
        denominator,
        value,
        is_withheld: false,
    }
}

pub(super) fn missing(metric: &Metric, column: &str) -> Error {
    Error::definition(
        format!("sql/metrics/{}.sql", metric.id()),
        format!("the query returns no column `{column}`"),
        "a ratio returns numerator and denominator, the others value, all with scope_id and period_start, and with choice where they join choices",
    )
}

/// The numbers of a scope (by id) and a bucket (by its first day, in days since 1970).
type Found = HashMap<(String, i32), Number>;

/// The numbers of each choice.
fn read(metric: &Metric, batches: &[RecordBatch], choices: usize) -> Result<Vec<Found>> {
    let mut found = vec![Found::new(); choices];
    for batch in batches {
        let column = |name: &str, data_type: &DataType| {
            let column = batch.column_by_name(name)?;
            cast(column, data_type).ok()
        };
        let scope_ids =
            column("scope_id", &DataType::Utf8).ok_or_else(|| missing(metric, "scope_id"))?;
        let starts = column("period_start", &DataType::Date32)
            .ok_or_else(|| missing(metric, "period_start"))?;
        let number = |name: &str| column(name, &DataType::Float64);
        let (numerators, denominators, values) =
            (number("numerator"), number("denominator"), number("value"));
        let needed = match metric.kind() {
            Kind::Ratio => [("numerator", &numerators), ("denominator", &denominators)],
            Kind::Count | Kind::Gauge => [("value", &values), ("value", &values)],
        };
        for (name, column) in needed {
            if column.is_none() {
                return Err(missing(metric, name));
            }
        }
        let choice = column(CHOICE, &DataType::Int32);
        if choice.is_none() && choices > 1 {
            return Err(missing(metric, CHOICE));
        }
        let choice_at = |row: usize| {
            let choice = choice.as_ref().map(|column| column.as_primitive::<Int32Type>());
            choice.map_or(0, |column| usize::try_from(column.value(row)).unwrap_or(usize::MAX))
        };
        let at = |column: &Option<ArrayRef>, row: usize| {
            let numbers = column.as_ref()?.as_primitive::<Float64Type>();
            numbers.is_valid(row).then(|| numbers.value(row))
        };
        for row in 0..batch.num_rows() {
            let key = (
                scope_ids.as_string::<i32>().value(row).to_owned(),
                starts.as_primitive::<Date32Type>().value(row),
            );
            let numbers = Number {
                numerator: at(&numerators, row),
                denominator: at(&denominators, row),
                value: at(&values, row),
            };
            let of_choice = found.get_mut(choice_at(row)).ok_or_else(|| missing(metric, CHOICE))?;
            if of_choice.insert(key.clone(), numbers).is_some() {
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
