//! Asks metrics for numbers that go into a text, where a number that there is not needs a reason.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono::NaiveDate;

use super::exact::Exact;
use crate::error::{Error, Result};
use crate::metric::{self, Catalogue, Kind, Metric, Period, Request, Sample, Scope, ScopeKind};
use crate::query::View;

/// A metric for one period, asked for a scope or for all members of one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Question {
    /// The metric's id.
    pub(crate) metric: String,
    /// The chosen parameters.
    pub(crate) parameters: BTreeMap<String, String>,
    /// The period.
    pub(crate) period: Period,
    /// The scopes, as in a request.
    pub(crate) scope: String,
}

/// The numbers of one scope.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    /// The scope.
    pub(crate) scope_id: String,
    /// Its name.
    pub(crate) name: String,
    /// What was found.
    pub(crate) outcome: Outcome,
}

/// What was found for one scope.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    /// A number.
    Known(Numbers),
    /// The number is kept back.
    Withheld(String),
    /// There is no number.
    Missing(Reason),
}

/// Why there is no number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reason {
    /// In words for a text.
    pub(crate) text: String,
    /// What the engine said, for who looks after the definitions.
    pub(crate) detail: Option<String>,
}

impl<T: Into<String>> From<T> for Reason {
    fn from(text: T) -> Self {
        Self { text: text.into(), detail: None }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)?;
        match &self.detail {
            Some(detail) => write!(formatter, "：{detail}"),
            None => Ok(()),
        }
    }
}

/// A number with the terms that it was made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Numbers {
    /// The numerator of a ratio.
    pub(crate) numerator: Option<f64>,
    /// The denominator of a ratio, or the cases behind a statistic.
    pub(crate) denominator: Option<f64>,
    /// The value.
    pub(crate) value: f64,
    /// The value as a fraction, where it is one.
    pub(crate) exact: Option<Exact>,
}

/// What a question brought: its scopes in the order of the request, or why it cannot be answered.
pub(crate) type Answer = std::result::Result<Vec<Row>, Reason>;

/// Answers questions; those that differ only in their scopes are computed together.
///
/// A definition or a request that is wrong takes the numbers that ask for it away, and no others; a
/// lake that cannot be read is an error.
pub(crate) async fn ask(
    view: &View,
    catalogue: &Catalogue,
    questions: &BTreeSet<Question>,
    as_of: NaiveDate,
) -> Result<BTreeMap<Question, Answer>> {
    let mut groups: BTreeMap<_, Vec<&Question>> = BTreeMap::new();
    for question in questions {
        let key = (&question.metric, &question.parameters, question.period);
        groups.entry(key).or_default().push(question);
    }
    let mut answers = BTreeMap::new();
    for ((id, parameters, period), group) in groups {
        let metric = match catalogue.get(id) {
            Ok(metric) => metric,
            Err(_) => {
                let reason = Reason::from(format!("没有定义指标 {id}"));
                answers.extend(group.into_iter().map(|asked| (asked.clone(), Err(reason.clone()))));
                continue;
            }
        };
        let mut scopes: BTreeMap<&Question, Vec<Scope>> = BTreeMap::new();
        for question in group {
            match scopes_of(view, question) {
                Ok(found) => {
                    scopes.insert(question, found);
                }
                Err(reason) => {
                    answers.insert(question.clone(), Err(reason));
                }
            }
        }
        let found = evaluate(view, metric, parameters, period, &scopes, as_of).await?;
        for (question, scopes) in scopes {
            answers.insert(question.clone(), answer(metric, &scopes, &found));
        }
    }
    Ok(answers)
}

/// The scopes that a question names. Members of a group are those that the period saw: a unit that was
/// dissolved before is not silent but gone.
fn scopes_of(view: &View, question: &Question) -> std::result::Result<Vec<Scope>, Reason> {
    let scopes = view.tree().resolve(&question.scope).map_err(|error| {
        tracing::debug!("a text asks for a scope that there is not: {error}");
        Reason::from(format!("没有范围 {}", question.scope))
    })?;
    if !question.scope.contains("/*") {
        return Ok(scopes);
    }
    let period = question.period;
    let existed = |scope: &Scope| {
        let mut versions = view.tree().versions(&scope.scope_id);
        versions.any(|org| {
            org.valid_from.is_none_or(|from| from < period.end)
                && org.valid_to.is_none_or(|to| to > period.start)
        })
    };
    Ok(scopes.into_iter().filter(|scope| scope.kind != ScopeKind::Org || existed(scope)).collect())
}

async fn evaluate(
    view: &View,
    metric: &Metric,
    parameters: &BTreeMap<String, String>,
    period: Period,
    scopes: &BTreeMap<&Question, Vec<Scope>>,
    as_of: NaiveDate,
) -> Result<std::result::Result<Vec<Sample>, Reason>> {
    let mut all: Vec<Scope> = Vec::new();
    for scope in scopes.values().flatten() {
        if !all.iter().any(|known| known.scope_id == scope.scope_id) {
            all.push(scope.clone());
        }
    }
    if all.is_empty() {
        return Ok(Ok(Vec::new()));
    }
    let request = Request { periods: &[period], scopes: &all, parameters, as_of };
    match metric::evaluate(view, metric, &request).await {
        Ok(samples) => Ok(Ok(samples)),
        Err(error @ (Error::Query { .. } | Error::Definition { .. } | Error::Request(_))) => {
            Ok(Err(Reason { text: "计算出错".to_owned(), detail: Some(error.to_string()) }))
        }
        Err(error) => Err(error),
    }
}

fn answer(
    metric: &Metric,
    scopes: &[Scope],
    found: &std::result::Result<Vec<Sample>, Reason>,
) -> Answer {
    let samples = found.as_ref().map_err(Clone::clone)?;
    let row = |scope: &Scope| {
        let sample = samples.iter().find(|sample| sample.scope_id == scope.scope_id);
        let outcome = match sample {
            Some(sample) => outcome(metric, sample),
            None => Outcome::Missing("期间内没有数据".into()),
        };
        Row { scope_id: scope.scope_id.clone(), name: scope.name.clone(), outcome }
    };
    Ok(scopes.iter().map(row).collect())
}

fn outcome(metric: &Metric, sample: &Sample) -> Outcome {
    let Sample { numerator, denominator, value, .. } = *sample;
    if sample.is_withheld {
        let least = metric.suppress_below().unwrap_or_default();
        return Outcome::Withheld(format!("人数少于{least}，不予显示"));
    }
    if let Some(value) = value {
        let exact = match (metric.kind(), numerator, denominator) {
            (Kind::Ratio, Some(numerator), Some(denominator)) => fraction(numerator, denominator),
            _ => Exact::of(value),
        };
        return Outcome::Known(Numbers { numerator, denominator, value, exact });
    }
    Outcome::Missing(match metric.kind() {
        Kind::Ratio => "期间内没有可计算的记录".into(),
        Kind::Count | Kind::Gauge => "期间内没有数据".into(),
    })
}

fn fraction(numerator: f64, denominator: f64) -> Option<Exact> {
    Exact::of(numerator)?.over(Exact::of(denominator)?)
}
