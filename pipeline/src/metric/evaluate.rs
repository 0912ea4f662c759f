//! Computes a metric for the periods and scopes of a request.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Float64Type, Int32Type, Int64Type};
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

/// Computes choices of a metric for whoever asks later of this state or another of the same reader, which remembers numbers from
/// then on, until the rows that they are made of change.
pub async fn compute_ahead(
    view: &View,
    metric: &Metric,
    request: &Request<'_>,
    choices: &[Choice],
) -> Result<()> {
    view.numbers().begin();
    let choices = choices.iter().map(|choice| metric.parameter_values(choice));
    let choices = choices.collect::<Result<Vec<Choice>>>()?;
    let scopes = with_neighbours(view, metric, request.scopes);
    let wider = Request { scopes: &scopes, ..request.clone() };
    for choices in metric.by_query(&choices) {
        compute(view, metric, &wider, choices).await?;
    }
    Ok(())
}

/// Whether landings of other days leave the numbers of a period alone.
pub async fn outlives_landings(view: &View, metric: &Metric, choice: &Choice) -> Result<bool> {
    let choice = metric.parameter_values(choice)?;
    Ok(view.numbers().outlive_landings(view, metric, &choice).await)
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

/// Computes a metric, with what is remembered of its numbers.
async fn compute(
    view: &View,
    metric: &Metric,
    request: &Request<'_>,
    choices: &[Choice],
) -> Result<Vec<Vec<Sample>>> {
    let numbers = if view.numbers().are_used() {
        find_or_ask(view, metric, request, choices).await?
    } else {
        ask(view, metric, request, choices).await?
    };
    let samples_of = |numbers: &Vec<OfScopes>| {
        let mut samples = Vec::with_capacity(request.scopes.len() * request.periods.len());
        for (place, scope) in request.scopes.iter().enumerate() {
            for (period, numbers) in request.periods.iter().zip(numbers) {
                samples.push(sample(metric, scope, *period, numbers[place]));
            }
        }
        samples
    };
    Ok(numbers.iter().map(samples_of).collect())
}

/// The numbers of a period, in the order of the request's scopes.
type OfScopes = Vec<Number>;

/// Numbers that a question may be put together of: few enough to leave room for others that are remembered.
const PARTS_MAX: usize = 200_000;

/// Days between two periods beyond which they are asked for one after the other: one query reads all days from the first to the last,
/// as between the beginning of the first month and the end of the last when the whole ones are known.
const APART_DAYS: i64 = 92;

/// The numbers of each choice and period, put together of those of its months where they add up.
async fn find_or_ask(
    view: &View,
    metric: &Metric,
    request: &Request<'_>,
    choices: &[Choice],
) -> Result<Vec<Vec<OfScopes>>> {
    let each_itself = || request.periods.iter().map(|period| vec![*period]).collect::<Vec<_>>();
    let mut made_of = each_itself();
    if metric.adds_up() {
        made_of = request.periods.iter().map(|period| period.parts()).collect();
        let parts = distinct(&made_of);
        // One query answers for periods that start on different days.
        let are_of_one_query = parts.windows(2).all(|pair| pair[0].start < pair[1].start);
        if !are_of_one_query || parts.len() * request.scopes.len() * choices.len() > PARTS_MAX {
            made_of = each_itself();
        }
    }
    let parts = distinct(&made_of);
    let of_parts = Request { periods: &parts, ..request.clone() };
    let numbers = find_or_ask_each(view, metric, &of_parts, choices).await?;
    let sum = |numbers: &Vec<OfScopes>, made_of: &Vec<Period>| -> OfScopes {
        let of_part = |part| parts.binary_search(part).map_or(&[][..], |place| &numbers[place]);
        let of_scope =
            |scope: usize| made_of.iter().filter_map(move |part| of_part(part).get(scope));
        (0..request.scopes.len()).map(|scope| of_scope(scope).copied().sum()).collect()
    };
    Ok(numbers.iter().map(|of| made_of.iter().map(|parts| sum(of, parts)).collect()).collect())
}

/// Each of the parts once, in their order.
fn distinct(made_of: &[Vec<Period>]) -> Vec<Period> {
    let mut parts = made_of.concat();
    parts.sort_unstable();
    parts.dedup();
    parts
}

/// The numbers of each choice and period: those that are known of the same rows, and what the query says of the other periods.
async fn find_or_ask_each(
    view: &View,
    metric: &Metric,
    request: &Request<'_>,
    choices: &[Choice],
) -> Result<Vec<Vec<OfScopes>>> {
    let memory = view.numbers();
    let scopes: Vec<ScopeKey> = request.scopes.iter().map(ScopeKey::of).collect();
    let (mut topics, mut known) = (Vec::new(), Vec::new());
    for choice in choices {
        let of_choice = memory.topics(view, metric, request, choice).await;
        known.push(of_choice.iter().map(|topic| memory.get(topic, &scopes)).collect::<Vec<_>>());
        topics.push(of_choice);
    }
    let is_open = |place: &usize| known.iter().any(|numbers| numbers[*place].is_none());
    let open: Vec<usize> = (0..request.periods.len()).filter(is_open).collect();
    memory.count_found((request.periods.len() - open.len()) * scopes.len() * choices.len());
    let periods: Vec<Period> = open.iter().map(|place| request.periods[*place]).collect();
    let asked =
        ask(view, metric, &Request { periods: &periods, ..request.clone() }, choices).await?;
    for ((known, topics), asked) in known.iter_mut().zip(&topics).zip(asked) {
        for (&place, numbers) in open.iter().zip(asked) {
            memory.keep(&topics[place], scopes.iter().copied().zip(numbers.iter().copied()));
            known[place] = Some(numbers);
        }
    }
    Ok(known.into_iter().map(|numbers| numbers.into_iter().flatten().collect()).collect())
}

/// What the query of a metric says of each choice and period.
async fn ask(
    view: &View,
    metric: &Metric,
    request: &Request<'_>,
    choices: &[Choice],
) -> Result<Vec<Vec<OfScopes>>> {
    let all = request.periods.len();
    let mut numbers = vec![Vec::with_capacity(all); choices.len()];
    let are_of_one_query = |one: &Period, next: &Period| {
        !metric.is_of_one_period() && (next.start - one.end).num_days() <= APART_DAYS
    };
    for periods in request.periods.chunk_by(are_of_one_query) {
        let found = run(view, metric, &Request { periods, ..request.clone() }, choices).await?;
        for (numbers, found) in numbers.iter_mut().zip(&found) {
            let of_period = |period: &Period| -> OfScopes {
                let key = |scope: &Scope| (scope.scope_id.clone(), days_of(period.start));
                let of_scope = |scope| found.get(&key(scope)).copied().unwrap_or_default();
                request.scopes.iter().map(of_scope).collect()
            };
            numbers.extend(periods.iter().map(of_period));
        }
    }
    view.numbers().count_computed(all * request.scopes.len() * choices.len());
    Ok(numbers)
}

/// Runs the query of a metric.
async fn run(
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
    let (mut shown, mut counted) = (Vec::new(), 0.0);
    for (scope, samples) in request.scopes.iter().zip(samples.chunks(request.periods.len().max(1)))
    {
        if samples.iter().all(|sample| !sample.is_withheld) {
            shown.push(scope.clone());
            counted += samples.iter().filter_map(|sample| rows_of(metric, sample)).sum::<f64>();
        }
    }
    request.scopes = &shown;
    let choices = [metric.parameter_values(request.parameters)?];
    let question = Question::each(metric, &request, &choices)[0];
    let found = match view.answers().evidence(question, limit) {
        Some(known) => known,
        None => {
            let found = find_evidence(view, metric, sql, &request, limit, counted as u64).await?;
            view.answers().keep_evidence(question, limit, found.clone());
            found
        }
    };
    Ok(Some(Evidence { rows: identities.of_rows(&found.rows)?, ..found }))
}

/// How many rows a number is the sum of, where each is one.
fn rows_of(metric: &Metric, sample: &Sample) -> Option<f64> {
    if metric.kind() == Kind::Ratio { sample.denominator } else { sample.value }
}

/// The rows behind the numbers of a request as they stand in the lake; `counted` is how many they are if each is one.
async fn find_evidence(
    view: &View,
    metric: &Metric,
    sql: &str,
    request: &Request<'_>,
    limit: usize,
    counted: u64,
) -> Result<Evidence> {
    let choices = std::slice::from_ref(request.parameters);
    let prepared = Prepared::new(view, metric, request, choices)?;
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
    let weights = if metric.kind() == Kind::Ratio { "denominator" } else { "value" };
    let is_one_each =
        metric.counts_rows() && !frame.schema().has_column_with_unqualified_name(weights);
    prepared.register("evidence", frame)?;
    let total = if is_one_each {
        counted
    } else {
        let count = prepared.collect(&what, "select count(*) from evidence").await?;
        count.first().map_or(0, |batch| batch.column(0).as_primitive::<Int64Type>().value(0) as u64)
    };
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
    Ok(Evidence { rows, total })
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
