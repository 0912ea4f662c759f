//! Computes a metric for the periods and scopes of a request.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Date32Array, Int32Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Field, Float64Type, Int32Type, Schema};
use chrono::NaiveDate;
use datafusion::logical_expr::AggregateUDF;
use datafusion::prelude::{DataFrame, SessionContext};
use datafusion::scalar::ScalarValue;
use hashbrown::HashMap;

use crate::bitmap::PeriodSets;
use crate::error::{Error, Result};
use crate::memory::MemoryTable;
use crate::metric::answers::Question;
use crate::metric::catalogue::{Choice, Kind, Metric};
use crate::metric::period::Period;
use crate::metric::scope::{Scope, all_scopes};
use crate::metric::suppress;
use crate::pseudonym::Identities;
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
/// The same question about one state of a lake is computed once and then remembered.
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
    let question = |parameters| Question::of(metric, &Request { parameters, ..request.clone() });
    let questions: Vec<Question> = choices.iter().map(question).collect();
    let mut answers: Vec<_> = questions.iter().map(|it| view.answers().get(it)).collect();
    let open: Vec<usize> = (0..choices.len()).filter(|place| answers[*place].is_none()).collect();
    let at_once = if metric.joins_choices() { open.len().max(1) } else { 1 };
    for places in open.chunks(at_once) {
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
    let Some(least) = metric.suppress_below() else {
        return compute(view, metric, request, choices).await;
    };
    // What is withheld must not depend on who asks for what: two answers could be subtracted.
    let mut scopes = request.scopes.to_vec();
    for scope in suppress::neighbours(request.scopes, all_scopes(view.orgs())) {
        if !scopes.iter().any(|asked| asked.scope_id == scope.scope_id) {
            scopes.push(scope);
        }
    }
    let wider = Request { scopes: &scopes, ..request.clone() };
    let mut answers = compute(view, metric, &wider, choices).await?;
    for samples in &mut answers {
        suppress::withhold(samples, &scopes, view.orgs(), least as f64);
        samples.truncate(request.scopes.len() * request.periods.len());
    }
    Ok(answers)
}

async fn compute(
    view: &View,
    metric: &Metric,
    request: &Request<'_>,
    choices: &[Choice],
) -> Result<Vec<Vec<Sample>>> {
    let prepared = Prepared::new(view, metric, request, choices)?;
    let what = format!("metric `{}`", metric.id());
    let frame = if metric.counts_rows() {
        prepared.sum_rows(metric).await?
    } else {
        prepared.plan(&what, metric.sql()).await?
    };
    let batches = frame.collect().await.map_err(Error::query(what))?;
    let found = read(metric, &batches, choices.len())?;
    let samples_of = |found: &Found| {
        let mut samples = Vec::with_capacity(request.scopes.len() * request.periods.len());
        for scope in request.scopes {
            for period in request.periods {
                let numbers = found.get(&(scope.scope_id.clone(), days_of(period.start)));
                samples.push(sample(metric, scope, *period, numbers.copied().unwrap_or_default()));
            }
        }
        samples
    };
    Ok(found.iter().map(samples_of).collect())
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

/// A session that holds what a request is about.
pub(super) struct Prepared<'v> {
    view: &'v View,
    context: SessionContext,
    values: BTreeMap<String, ScalarValue>,
    /// Parameters that a query reads from the table `choices`, for there are several.
    in_choices: Vec<String>,
}

/// The column that tells choices apart, counted from 0.
const CHOICE: &str = "choice";

impl<'v> Prepared<'v> {
    fn new(
        view: &'v View,
        metric: &Metric,
        request: &Request<'_>,
        choices: &[Choice],
    ) -> Result<Self> {
        let mut prepared = Self::for_request(view, request)?;
        let choices = choices.iter().map(|choice| metric.parameter_values(choice));
        let choices: Vec<Choice> = choices.collect::<Result<_>>()?;
        if let [choice] = choices.as_slice() {
            // As values the engine plans with them, and leaves out what they exclude.
            let values = choice.iter().map(|(name, value)| (name.clone(), value.as_str().into()));
            prepared.values.extend(values);
        } else {
            prepared.in_choices = metric.parameters().keys().cloned().collect();
        }
        if !metric.parameters().is_empty() {
            register_choices(&prepared.context, metric, &choices)?;
        }
        Ok(prepared)
    }

    /// Prepares what does not depend on a metric.
    pub(super) fn for_request(view: &'v View, request: &Request<'_>) -> Result<Self> {
        let context = view.session()?;
        register_request(&context, request)?;
        let mut values = BTreeMap::new();
        let date = |day: Option<NaiveDate>| ScalarValue::Date32(day.map(days_of));
        let first = request.periods.iter().map(|period| period.start).min();
        let end = request.periods.iter().map(|period| period.end).max();
        values.insert("as_of".to_owned(), date(Some(request.as_of)));
        values.insert("from".to_owned(), date(first));
        values.insert("to".to_owned(), date(end));
        Ok(Self { view, context, values, in_choices: Vec::new() })
    }

    /// Plans a query, with the views that it names.
    async fn plan(&self, what: &str, sql: &str) -> Result<DataFrame> {
        let mut sql = sql.to_owned();
        for name in &self.in_choices {
            sql = replaced(&sql, &format!("${name}"), &format!("choices.{name}"));
        }
        let sql = sql.as_str();
        for (name, view_sql) in needed_views(self.view.request_views(), sql) {
            if !self.context.table_exist(name).map_err(Error::query(name))? {
                let frame = planned(&self.context, name, view_sql, &self.values).await?;
                self.register(name, frame)?;
            }
        }
        planned(&self.context, what, sql, &self.values).await
    }

    fn register(&self, name: &str, frame: DataFrame) -> Result<()> {
        self.context.register_table(name, frame.into_view()).map_err(Error::query(name))?;
        Ok(())
    }

    /// Runs a query to its end.
    pub(super) async fn collect(&self, what: &str, sql: &str) -> Result<Vec<RecordBatch>> {
        let frame = self.plan(what, sql).await?;
        frame.collect().await.map_err(Error::query(what))
    }

    /// Sums a query that returns one row for each counted thing.
    async fn sum_rows(&self, metric: &Metric) -> Result<DataFrame> {
        let what = format!("metric `{}`", metric.id());
        let frame = self.plan(&what, metric.sql()).await?;
        let sum = |column: &str| {
            let field = frame.schema().field_with_unqualified_name(column).ok()?;
            let number = if field.data_type().is_floating() { "double" } else { "bigint" };
            Some(format!("coalesce(sum(cast({column} as {number})), 0)"))
        };
        let columns = match metric.kind() {
            Kind::Ratio => {
                let numerator = sum("numerator").ok_or_else(|| missing(metric, "numerator"))?;
                let denominator = sum("denominator").unwrap_or_else(|| "count(*)".to_owned());
                format!("{numerator} as numerator, {denominator} as denominator")
            }
            Kind::Count | Kind::Gauge => {
                let value = sum("value").unwrap_or_else(|| "count(*)".to_owned());
                let denominator = sum("denominator").unwrap_or_else(|| "null".to_owned());
                format!("{value} as value, {denominator} as denominator")
            }
        };
        let has_choice = frame.schema().field_with_unqualified_name(CHOICE).is_ok();
        let keys =
            if has_choice { "scope_id, period_start, choice" } else { "scope_id, period_start" };
        self.register("counted_rows", frame)?;
        let sql = format!("select {keys}, {columns} from counted_rows group by {keys}");
        planned(&self.context, &what, &sql, &self.values).await
    }
}

/// The views that a query names, and those that they name, in an order in which they can be planned.
fn needed_views<'v>(views: &'v [(String, String)], sql: &str) -> Vec<(&'v str, &'v str)> {
    let mut needed: Vec<(&str, &str)> = Vec::new();
    for (name, view_sql) in views.iter().filter(|(name, _)| names(sql, name)) {
        for inner in needed_views(views, view_sql) {
            if !needed.contains(&inner) {
                needed.push(inner);
            }
        }
        if !needed.iter().any(|(known, _)| known == name) {
            needed.push((name, view_sql));
        }
    }
    needed
}

/// Whether a query has a word.
pub(crate) fn names(sql: &str, word: &str) -> bool {
    places_of(sql, word).next().is_some()
}

fn places_of(sql: &str, word: &str) -> impl Iterator<Item = usize> {
    let is_part = |letter: Option<char>| {
        letter.is_some_and(|letter| letter.is_ascii_alphanumeric() || letter == '_')
    };
    let places = sql.match_indices(word).map(|(place, _)| place);
    places.filter(move |place| {
        !is_part(sql[..*place].chars().next_back())
            && !is_part(sql[place + word.len()..].chars().next())
    })
}

/// A query with another word in the place of one.
fn replaced(sql: &str, word: &str, other: &str) -> String {
    let mut made = String::with_capacity(sql.len());
    let mut from = 0;
    for place in places_of(sql, word) {
        made.push_str(&sql[from..place]);
        made.push_str(other);
        from = place + word.len();
    }
    made.push_str(&sql[from..]);
    made
}

/// Plans a query with those of the values that it reads as `$name`.
async fn planned(
    context: &SessionContext,
    what: &str,
    sql: &str,
    values: &BTreeMap<String, ScalarValue>,
) -> Result<DataFrame> {
    let frame = context.sql(sql).await.map_err(Error::query(what))?;
    let read: Vec<_> = values
        .iter()
        .filter(|(name, _)| names(sql, &format!("${name}")))
        .map(|(name, value)| (name.as_str(), value.clone()))
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

/// Registers `periods`, `period_days` and `scope_orgs`, which every metric's query joins, and `period_sets`.
fn register_request(context: &SessionContext, request: &Request<'_>) -> Result<()> {
    let dates = |dates: Vec<NaiveDate>| -> ArrayRef {
        Arc::new(Date32Array::from_iter_values(dates.into_iter().map(days_of)))
    };
    let periods = request.periods;
    let starts = periods.iter().map(|period| period.start).collect();
    let ends = periods.iter().map(|period| period.end).collect();
    let spans = periods.iter().map(|period| days_of(period.start)..days_of(period.end));
    context.register_udaf(AggregateUDF::from(PeriodSets::new(spans)));
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

/// Registers `choices`: what is asked for, a row each.
fn register_choices(context: &SessionContext, metric: &Metric, choices: &[Choice]) -> Result<()> {
    let numbers: Int32Array = (0..).take(choices.len()).map(Some).collect();
    let mut columns: Vec<(&str, ArrayRef)> = vec![(CHOICE, Arc::new(numbers))];
    for name in metric.parameters().keys() {
        let values: StringArray = choices.iter().map(|choice| choice.get(name)).collect();
        columns.push((name, Arc::new(values)));
    }
    register(context, "choices", &columns)
}

fn register(context: &SessionContext, name: &str, columns: &[(&str, ArrayRef)]) -> Result<()> {
    let fields: Vec<_> = columns
        .iter()
        .map(|(name, column)| Field::new(*name, column.data_type().clone(), false))
        .collect();
    let schema = Arc::new(Schema::new(fields));
    let columns = columns.iter().map(|(_, column)| Arc::clone(column)).collect();
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns).map_err(Error::internal)?;
    let table = MemoryTable::new(schema, &[batch]).map_err(Error::internal)?;
    context.register_table(name, Arc::new(table)).map_err(Error::query(name))?;
    Ok(())
}

fn missing(metric: &Metric, column: &str) -> Error {
    Error::definition(
        format!("sql/metrics/{}.sql", metric.id()),
        format!("the query returns no column `{column}`"),
        "a ratio returns numerator and denominator, the others value, all with scope_id and period_start, and with choice where they join choices",
    )
}

/// The numbers of a scope (by id) and a bucket (by its first day, in days since 1970).
type Found = HashMap<(String, i32), Numbers>;

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
            let numbers = Numbers {
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
