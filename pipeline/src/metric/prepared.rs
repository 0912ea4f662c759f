//! The session of a request: what its queries read besides the lake, and their views, planned as they are named.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Date32Array, Int32Array, RecordBatch, StringArray};
use arrow::datatypes::{Field, Schema};
use chrono::NaiveDate;
use datafusion::logical_expr::AggregateUDF;
use datafusion::prelude::{DataFrame, SessionContext};
use datafusion::scalar::ScalarValue;

use crate::bitmap::PeriodSets;
use crate::error::{Error, Result};
use crate::memory::MemoryTable;
use crate::metric::catalogue::{Choice, Kind, Metric};
use crate::metric::evaluate::{Request, missing};
use crate::metric::scope::{Scope, ScopeKind, Tree};
use crate::query::{self, Reads, View};
use crate::travel;
use crate::zone::days_of;

/// A session that holds what a request is about.
pub(super) struct Prepared<'v> {
    view: &'v View,
    context: SessionContext,
    values: BTreeMap<String, ScalarValue>,
    /// Parameters that a query reads from the table `choices`, for there are several.
    in_choices: Vec<String>,
}

/// The parameters that are days.
const DAYS: [&str; 3] = ["as_of", "from", "to"];

/// The column that tells choices apart, counted from 0.
pub(super) const CHOICE: &str = "choice";

impl<'v> Prepared<'v> {
    /// Prepares what a metric reads besides: choices of its parameters.
    pub(super) fn new(
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

    /// Leaves the days of the request open, for queries that are planned and not run.
    pub(super) fn of_any_days(mut self) -> Self {
        for name in DAYS {
            self.values.remove(name);
        }
        self
    }

    /// What the query of a metric reads.
    pub(super) async fn reads(&self, metric: &Metric) -> Result<Reads> {
        let what = format!("metric `{}`", metric.id());
        let frame = self.plan(&what, metric.sql()).await?;
        Reads::of(frame).map_err(Error::query(what))
    }

    /// Whether a query or a view that it names has a word.
    pub(super) fn names(&self, sql: &str, word: &str) -> bool {
        let views = needed_views(self.view.request_views(), sql);
        names(sql, word) || views.iter().any(|(_, view_sql)| names(view_sql, word))
    }

    /// Prepares what does not depend on a metric.
    pub(super) fn for_request(view: &'v View, request: &Request<'_>) -> Result<Self> {
        let context = view.spread_session()?;
        register_request(&context, view.tree(), request)?;
        let mut values = BTreeMap::new();
        let date = |day: Option<NaiveDate>| ScalarValue::Date32(day.map(days_of));
        let first = request.periods.iter().map(|period| period.start).min();
        let end = request.periods.iter().map(|period| period.end).max();
        for (name, day) in DAYS.into_iter().zip([Some(request.as_of), first, end]) {
            values.insert(name.to_owned(), date(day));
        }
        Ok(Self { view, context, values, in_choices: Vec::new() })
    }

    /// Plans a query, with the views that it names.
    pub(super) async fn plan(&self, what: &str, sql: &str) -> Result<DataFrame> {
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

    /// Gives the answer of a query a name, for others to read.
    pub(super) fn register(&self, name: &str, frame: DataFrame) -> Result<()> {
        self.context.register_table(name, frame.into_view()).map_err(Error::query(name))?;
        Ok(())
    }

    /// Runs a query to its end.
    pub(super) async fn collect(&self, what: &str, sql: &str) -> Result<Vec<RecordBatch>> {
        let frame = self.plan(what, sql).await?;
        travel::collect(frame).await.map_err(Error::query(what))
    }

    /// Sums a query that returns one row for each counted thing.
    pub(super) async fn sum_rows(&self, metric: &Metric) -> Result<DataFrame> {
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
    if !values.contains_key(DAYS[0]) {
        return query::open(frame, values).map_err(Error::query(what));
    }
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

/// Registers `periods`, `period_days` and what is known of scopes, which metrics' queries join, and `period_sets`.
fn register_request(context: &SessionContext, tree: &Tree, request: &Request<'_>) -> Result<()> {
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

    register_scopes(context, tree, request.scopes)
}

/// Registers `scope_orgs`, `scope_levels` and `scope_districts`.
fn register_scopes(context: &SessionContext, tree: &Tree, scopes: &[Scope]) -> Result<()> {
    let dates = |dates: Vec<NaiveDate>| -> ArrayRef {
        Arc::new(Date32Array::from_iter_values(dates.into_iter().map(days_of)))
    };
    let members = || {
        scopes.iter().flat_map(|scope| {
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
    )?;
    let levels = || scopes.iter().filter(|scope| scope.is_level);
    let level_ids: StringArray = levels().map(|scope| Some(scope.scope_id.as_str())).collect();
    let is_whole = |scope: &Scope| matches!(scope.kind, ScopeKind::Tree(_));
    let wholes: BooleanArray = levels().map(|scope| Some(is_whole(scope))).collect();
    register(
        context,
        "scope_levels",
        &[("scope_id", Arc::new(level_ids)), ("is_whole", Arc::new(wholes))],
    )?;
    let districts: Vec<(&str, &str)> = scopes
        .iter()
        .flat_map(|scope| {
            let districts = tree.districts_of(scope).into_iter();
            districts.map(|district_id| (scope.scope_id.as_str(), district_id))
        })
        .collect();
    let scope_ids: StringArray = districts.iter().map(|(scope_id, _)| Some(*scope_id)).collect();
    let district_ids: StringArray = districts.iter().map(|(_, id)| Some(*id)).collect();
    register(
        context,
        "scope_districts",
        &[("scope_id", Arc::new(scope_ids)), ("district_id", Arc::new(district_ids))],
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
