//! Metrics as tables of SQL: a view for each, and the function `metric('id', from, to, grain, scope, …)`.
//!
//! A view has a row for each period and scope. What a query asks of `grain`, `scope`, `scope_kind`, the days and the
//! parameters decides what is computed; left out, it is months (or the metric's longest grain), every scope, the days
//! of the log and the default parameters.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Float64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use datafusion::catalog::{Session, TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::{DataFusionError, ScalarValue, plan_datafusion_err, plan_err};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{
    BinaryExpr, Expr, Operator, TableProviderFilterPushDown, TableType,
};
use datafusion::physical_plan::ExecutionPlan;

use crate::access::Access;
use crate::error::Error;
use crate::memory::MemoryTable;
use crate::metric::catalogue::{Catalogue, Choice, Metric};
use crate::metric::evaluate::{Request, Sample, evaluate_each};
use crate::metric::period::{Grain, Period, periods};
use crate::metric::scope::Scope;
use crate::query::View;
use crate::zone::{date_of, days_of, local_date, start_of_day};

type DataResult<T> = datafusion::common::Result<T>;

/// The numbers that one query may ask for: two years of days of every scope of a large district.
const SAMPLES_MAX: usize = 200_000;

/// What every metric's table is computed from.
#[derive(Debug)]
pub(crate) struct Desk {
    /// The state of the lake.
    pub(crate) view: Arc<View>,
    /// The metrics.
    pub(crate) catalogue: Catalogue,
    /// Today.
    pub(crate) today: NaiveDate,
    /// What the reader may ask.
    pub(crate) access: Access,
}

impl Desk {
    fn may_ask(&self, scope: &Scope) -> bool {
        self.access.covers(scope.org_ids())
    }

    fn scopes(&self) -> Vec<Scope> {
        let all = self.view.tree().all_scopes().iter();
        all.filter(|scope| self.may_ask(scope)).cloned().collect()
    }

    /// The days of the log.
    fn span(&self) -> Period {
        let facts = self.view.facts();
        let start = facts.first_event_date.unwrap_or(self.today);
        let last = facts.last_event_date.unwrap_or(self.today).min(self.today);
        Period { start, end: last.succ_opt().unwrap_or(last) }
    }
}

/// A metric as a table.
#[derive(Debug)]
pub(crate) struct MetricTable {
    desk: Arc<Desk>,
    metric: Metric,
    /// What the caller of the function has fixed; a view leaves it to the query.
    fixed: Option<Asked>,
    schema: SchemaRef,
}

/// What is asked of a metric.
#[derive(Debug, Clone)]
struct Asked {
    periods: Vec<Period>,
    grain: Grain,
    scopes: Vec<Scope>,
    choices: Vec<Choice>,
}

impl MetricTable {
    /// The view of a metric.
    pub(crate) fn view(desk: &Arc<Desk>, metric: &Metric) -> Self {
        let schema = schema_of(metric, desk.view.zone().name());
        Self { desk: Arc::clone(desk), metric: metric.clone(), fixed: None, schema }
    }

    async fn rows(&self, asked: &Asked) -> DataResult<RecordBatch> {
        let count = asked.periods.len() * asked.scopes.len() * asked.choices.len();
        if count > SAMPLES_MAX {
            return plan_err!(
                "metric `{}` is asked for {count} numbers, {SAMPLES_MAX} are allowed; ask for fewer days, a longer grain or fewer scopes",
                self.metric.id()
            );
        }
        let request = Request {
            periods: &asked.periods,
            scopes: &asked.scopes,
            parameters: &Choice::new(),
            as_of: self.desk.today,
        };
        let (view, metric, choices) = (&self.desk.view, &self.metric, &asked.choices);
        let answers = evaluate_each(view, metric, &request, choices).await.map_err(told)?;
        let complete = |choice| metric.parameter_values(choice).map_err(told);
        let choices: Vec<Choice> = choices.iter().map(complete).collect::<DataResult<_>>()?;
        let answers: Vec<_> = choices.into_iter().zip(answers).collect();
        self.batch(asked, &answers)
    }

    fn batch(&self, asked: &Asked, answers: &[(Choice, Vec<Sample>)]) -> DataResult<RecordBatch> {
        let zone = self.desk.view.zone();
        let samples: Vec<&Sample> = answers.iter().flat_map(|(_, samples)| samples).collect();
        let scopes: BTreeMap<&str, &Scope> =
            asked.scopes.iter().map(|scope| (scope.scope_id.as_str(), scope)).collect();
        let of_scope = |read: &dyn Fn(&Scope) -> Option<String>| -> ArrayRef {
            let texts = samples
                .iter()
                .map(|sample| scopes.get(sample.scope_id.as_str()).and_then(|scope| read(scope)));
            Arc::new(texts.collect::<StringArray>())
        };
        let numbers = |read: &dyn Fn(&Sample) -> Option<f64>| -> ArrayRef {
            Arc::new(samples.iter().map(|sample| read(sample)).collect::<Float64Array>())
        };
        let days = |read: &dyn Fn(&Sample) -> NaiveDate| -> ArrayRef {
            let days = samples.iter().map(|sample| days_of(read(sample)));
            Arc::new(Date32Array::from_iter_values(days))
        };
        let midnights =
            samples.iter().map(|sample| start_of_day(zone, sample.period.start).timestamp_micros());
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(
                TimestampMicrosecondArray::from_iter_values(midnights).with_timezone(zone.name()),
            ),
            days(&|sample| sample.period.start),
            days(&|sample| sample.period.end),
            Arc::new(StringArray::from_iter_values(samples.iter().map(|_| asked.grain.name()))),
            Arc::new(StringArray::from_iter_values(
                samples.iter().map(|sample| sample.scope_id.as_str()),
            )),
            of_scope(&|scope| Some(scope.name.clone())),
            of_scope(&|scope| scope.name_en.clone()),
            of_scope(&|scope| Some(scope.kind.name().to_owned())),
        ];
        for name in self.metric.parameters().keys() {
            let values = answers.iter().flat_map(|(parameters, samples)| {
                samples.iter().map(|_| parameters.get(name).map(String::as_str))
            });
            columns.push(Arc::new(values.collect::<StringArray>()));
        }
        columns.extend([
            numbers(&|sample| sample.numerator),
            numbers(&|sample| sample.denominator),
            numbers(&|sample| sample.value),
            Arc::new(
                samples.iter().map(|sample| Some(sample.is_withheld)).collect::<BooleanArray>(),
            ),
        ]);
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }

    /// What a query of the view asks for, by its conditions.
    fn asked_by(&self, filters: &[Expr]) -> Asked {
        let mut wanted = Wanted { zone: self.desk.view.zone(), ..Wanted::default() };
        for filter in filters {
            for condition in split_conjunction(filter) {
                wanted.read(condition);
            }
        }
        let grains = self.metric.grains();
        let grain = wanted
            .one_of("grain")
            .and_then(|name| Grain::parse(name).ok())
            .filter(|grain| grains.contains(grain))
            .or_else(|| grains.iter().copied().find(|grain| *grain == Grain::Month))
            .or_else(|| grains.last().copied())
            .unwrap_or(Grain::All);
        let mut scopes = self.desk.scopes();
        scopes.retain(|scope| {
            wanted.allows("scope", &scope.scope_id)
                && wanted.allows("scope_kind", scope.kind.name())
        });
        let defaults = self.metric.parameters();
        let choices = self.metric.choices(|name, value| match wanted.texts.get(name) {
            Some(texts) => texts.contains(value),
            None => defaults.get(name).is_some_and(|parameter| parameter.default == value),
        });
        let span = self.desk.span();
        let start = grain.start_of(wanted.from.map_or(span.start, |from| from.max(span.start)));
        // Whoever names both ends hears of those days, as far as they have come: what runs today is asked for on
        // days without an event, too.
        let named = wanted.from.is_some() && wanted.to.is_some();
        let today = self.desk.today.succ_opt().unwrap_or(self.desk.today);
        let last = if named { span.end.max(today) } else { span.end };
        let end = wanted.to.map_or(last, |to| to.min(last));
        // Whole buckets: a query may cut the list of periods, never a period.
        let buckets = periods(Period { start, end }, grain);
        let buckets = buckets.into_iter().map(|bucket| grain.whole(bucket)).collect();
        Asked { periods: buckets, grain, scopes, choices }
    }
}

fn told(error: Error) -> DataFusionError {
    match error {
        Error::Request(problem) => DataFusionError::Plan(problem),
        error => DataFusionError::External(Box::new(error)),
    }
}

fn schema_of(metric: &Metric, zone: &str) -> SchemaRef {
    let text = |name: &str, nullable| Field::new(name, DataType::Utf8, nullable);
    let day = |name: &str| Field::new(name, DataType::Date32, false);
    let number = |name: &str| Field::new(name, DataType::Float64, true);
    let instant = DataType::Timestamp(TimeUnit::Microsecond, Some(zone.into()));
    let mut fields = vec![
        Field::new("time", instant, false),
        day("period_start"),
        day("period_end"),
        text("grain", false),
        text("scope", false),
        text("scope_name", true),
        text("scope_name_en", true),
        text("scope_kind", true),
    ];
    fields.extend(metric.parameters().keys().map(|name| text(name, true)));
    fields.extend([number("numerator"), number("denominator"), number("value")]);
    fields.push(Field::new("is_withheld", DataType::Boolean, false));
    Arc::new(Schema::new(fields))
}

#[async_trait]
impl TableProvider for MetricTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> DataResult<Arc<dyn ExecutionPlan>> {
        let asked = self.fixed.clone().unwrap_or_else(|| self.asked_by(filters));
        let rows = self.rows(&asked).await?;
        let table = MemoryTable::new(Arc::clone(&self.schema), &[rows])?;
        table.scan(state, projection, &[], limit).await
    }

    /// Conditions say what to compute; the engine still applies them.
    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> DataResult<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }
}

/// What the conditions of a query leave of a view's rows.
#[derive(Debug, Default)]
struct Wanted {
    zone: chrono_tz::Tz,
    /// The first day on which a period may begin.
    from: Option<NaiveDate>,
    /// The day before which it begins.
    to: Option<NaiveDate>,
    texts: BTreeMap<String, BTreeSet<String>>,
}

impl Wanted {
    /// Reads a condition; one that is not understood leaves everything.
    fn read(&mut self, condition: &Expr) {
        match condition {
            // The engine takes a short list apart.
            Expr::BinaryExpr(BinaryExpr { op: Operator::Or, .. }) => {
                if let Some((column, texts)) = alternatives(condition) {
                    self.keep(&column, texts);
                }
            }
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => match (&**left, &**right) {
                (Expr::Column(column), value) => self.compare(&column.name, *op, value),
                (value, Expr::Column(column)) => {
                    if let Some(op) = op.swap() {
                        self.compare(&column.name, op, value);
                    }
                }
                _ => {}
            },
            Expr::Between(between) if !between.negated => {
                if let Expr::Column(column) = &*between.expr {
                    self.compare(&column.name, Operator::GtEq, &between.low);
                    self.compare(&column.name, Operator::LtEq, &between.high);
                }
            }
            Expr::InList(list) if !list.negated => {
                let texts: Option<BTreeSet<String>> = list.list.iter().map(text_of).collect();
                if let (Expr::Column(column), Some(texts)) = (&*list.expr, texts) {
                    self.keep(&column.name, texts);
                }
            }
            _ => {}
        }
    }

    fn compare(&mut self, column: &str, op: Operator, value: &Expr) {
        if matches!(column, "time" | "period_start") {
            let Some(day) = self.day_of(value) else { return };
            let next = day.succ_opt().unwrap_or(day);
            match op {
                Operator::Eq => self.bound(Some(day), Some(next)),
                // A moment within a day leaves that day's midnight to the engine.
                Operator::Gt | Operator::GtEq => self.bound(Some(day), None),
                Operator::Lt | Operator::LtEq => self.bound(None, Some(next)),
                _ => {}
            }
        } else if op == Operator::Eq
            && let Some(text) = text_of(value)
        {
            self.keep(column, BTreeSet::from([text]));
        }
    }

    fn bound(&mut self, from: Option<NaiveDate>, to: Option<NaiveDate>) {
        self.from = self.from.max(from);
        self.to = match (self.to, to) {
            (Some(known), Some(new)) => Some(known.min(new)),
            (known, new) => known.or(new),
        };
    }

    fn keep(&mut self, column: &str, texts: BTreeSet<String>) {
        let kept = self.texts.entry(column.to_owned()).or_insert_with(|| texts.clone());
        kept.retain(|text| texts.contains(text));
    }

    fn allows(&self, column: &str, text: &str) -> bool {
        self.texts.get(column).is_none_or(|texts| texts.contains(text))
    }

    /// The text of a column that is asked for alone.
    fn one_of(&self, column: &str) -> Option<&str> {
        let texts = self.texts.get(column)?;
        (texts.len() == 1).then(|| texts.first().map(String::as_str)).flatten()
    }

    fn day_of(&self, value: &Expr) -> Option<NaiveDate> {
        let Expr::Literal(value, _) = value else { return None };
        let micros = match value {
            ScalarValue::Date32(Some(days)) => return Some(date_of(*days)),
            ScalarValue::TimestampSecond(Some(seconds), _) => seconds.checked_mul(1_000_000)?,
            ScalarValue::TimestampMillisecond(Some(millis), _) => millis.checked_mul(1_000)?,
            ScalarValue::TimestampMicrosecond(Some(micros), _) => *micros,
            ScalarValue::TimestampNanosecond(Some(nanos), _) => nanos / 1_000,
            _ => return None,
        };
        Some(local_date(self.zone, DateTime::from_timestamp_micros(micros)?))
    }
}

/// The column and the texts of `column = 'one' or column = 'other' …`.
fn alternatives(condition: &Expr) -> Option<(String, BTreeSet<String>)> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = condition else { return None };
    match (op, &**left, &**right) {
        (Operator::Eq, Expr::Column(column), value)
        | (Operator::Eq, value, Expr::Column(column)) => {
            Some((column.name.clone(), BTreeSet::from([text_of(value)?])))
        }
        (Operator::Or, one, other) => {
            let (column, mut texts) = alternatives(one)?;
            let (same, more) = alternatives(other)?;
            texts.extend(more);
            (column == same).then_some((column, texts))
        }
        _ => None,
    }
}

fn text_of(value: &Expr) -> Option<String> {
    match value {
        Expr::Literal(value, _) => value.try_as_str().flatten().map(str::to_owned),
        _ => None,
    }
}

/// Where a period begins or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bound {
    Day(NaiveDate),
    /// As Grafana writes `$__timeFrom()` and `$__timeTo()`.
    Moment(DateTime<Utc>),
}

impl Bound {
    fn read(text: &str) -> Option<Self> {
        let day = text.parse().ok().map(Self::Day);
        day.or_else(|| Some(Self::Moment(DateTime::parse_from_rfc3339(text).ok()?.to_utc())))
    }

    fn first_day(self, zone: chrono_tz::Tz) -> NaiveDate {
        match self {
            Self::Day(day) => day,
            Self::Moment(moment) => local_date(zone, moment),
        }
    }

    /// A period that ends within a day has that day in it.
    fn day_after(self, zone: chrono_tz::Tz) -> NaiveDate {
        let Self::Moment(moment) = self else { return self.first_day(zone) };
        let day = local_date(zone, moment);
        if moment > start_of_day(zone, day) { day.succ_opt().unwrap_or(day) } else { day }
    }
}

/// `metric('id', from, to [, grain [, scope [, 'parameter=value' …]]])`: the numbers of a metric for a period, cut into
/// buckets as the API cuts it. The days are dates, texts of days, or moments (RFC 3339), whose local days are meant; grain
/// `all` and the whole tree as scope unless said otherwise.
#[derive(Debug)]
pub(crate) struct MetricFunction {
    desk: Arc<Desk>,
}

impl MetricFunction {
    pub(crate) fn new(desk: &Arc<Desk>) -> Self {
        Self { desk: Arc::clone(desk) }
    }
}

const USAGE: &str =
    "use metric('id', 'from', 'to' [, 'grain' [, 'scope' [, 'parameter=value' …]]])";

impl TableFunctionImpl for MetricFunction {
    fn call_with_args(
        &self,
        arguments: TableFunctionArgs<'_, '_>,
    ) -> DataResult<Arc<dyn TableProvider>> {
        let arguments = arguments.exprs();
        let text = |place: usize| -> DataResult<Option<String>> {
            arguments.get(place).map_or(Ok(None), |value| {
                text_of(value).map(Some).ok_or_else(|| {
                    plan_datafusion_err!("argument {} of metric is not a text; {USAGE}", place + 1)
                })
            })
        };
        let day = |place: usize| -> DataResult<Bound> {
            match arguments.get(place) {
                Some(Expr::Literal(ScalarValue::Date32(Some(days)), _)) => {
                    Ok(Bound::Day(date_of(*days)))
                }
                _ => text(place)?.and_then(|text| Bound::read(&text)).ok_or_else(|| {
                    plan_datafusion_err!("argument {} of metric is not a day; {USAGE}", place + 1)
                }),
            }
        };
        let Some(id) = text(0)? else { return plan_err!("{USAGE}") };
        let metric = self.desk.catalogue.get(&id).map_err(told)?.clone();
        let zone = self.desk.view.zone();
        let whole = Period { start: day(1)?.first_day(zone), end: day(2)?.day_after(zone) };
        if whole.start >= whole.end {
            return plan_err!("the period of metric ends before it begins; `to` is exclusive");
        }
        let grain = Grain::parse(text(3)?.as_deref().unwrap_or("all")).map_err(told)?;
        metric.check_grain(grain).map_err(told)?;
        let tree = self.desk.view.tree();
        let asked = text(4)?.unwrap_or_else(|| tree.whole_id().to_owned());
        let scopes = tree.resolve(&asked).map_err(told)?;
        if let Some(scope) = scopes.iter().find(|scope| !self.desk.may_ask(scope)) {
            return plan_err!("scope `{}` is not within yours", scope.scope_id);
        }
        let mut parameters = Choice::new();
        for place in 5..arguments.len() {
            let given = text(place)?.unwrap_or_default();
            let Some((name, value)) = given.split_once('=') else {
                return plan_err!("`{given}` is not parameter=value; {USAGE}");
            };
            parameters.insert(name.trim().to_owned(), value.trim().to_owned());
        }
        // A wrong name or value is told before anything runs.
        metric.parameter_values(&parameters).map_err(told)?;
        let fixed =
            Asked { periods: periods(whole, grain), grain, scopes, choices: vec![parameters] };
        Ok(Arc::new(MetricTable { fixed: Some(fixed), ..MetricTable::view(&self.desk, &metric) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zone::DEFAULT_ZONE;

    #[test]
    fn a_moment_means_its_local_day_and_a_period_that_ends_within_a_day_has_that_day() {
        let bound = |text: &str| Bound::read(text).unwrap();
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        for (text, first, after) in [
            ("2025-03-01", "2025-03-01", "2025-03-01"),
            // Midnight in Beijing.
            ("2025-02-28T16:00:00Z", "2025-03-01", "2025-03-01"),
            ("2025-02-28T16:00:00.001Z", "2025-03-01", "2025-03-02"),
            ("2025-02-28T15:59:59.999Z", "2025-02-28", "2025-03-01"),
            ("2025-03-01T08:00:00+08:00", "2025-03-01", "2025-03-02"),
        ] {
            assert_eq!(bound(text).first_day(DEFAULT_ZONE), day(first), "{text}");
            assert_eq!(bound(text).day_after(DEFAULT_ZONE), day(after), "{text}");
        }
        for text in ["", "now", "2025-02-30", "2025-02-28 16:00", "2025-02-28T16:00:00"] {
            assert_eq!(Bound::read(text), None, "{text}");
        }
    }
}
