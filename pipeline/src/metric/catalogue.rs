//! The catalogue: every metric with its definition, its source and its query.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::definition::{self, Definitions};
use crate::error::{Error, Result};
use crate::metric::period::Grain;
use crate::metric::prepared::names;

/// What a metric's query returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Columns `numerator` and `denominator`; an empty denominator gives no value.
    Ratio,
    /// Column `value`; nothing found is 0.
    Count,
    /// Column `value`; nothing found gives no value.
    Gauge,
}

impl Kind {
    /// The name in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ratio => "ratio",
            Self::Count => "count",
            Self::Gauge => "gauge",
        }
    }
}

/// Which way is better, if any. Neutral metrics and guardrails are never ranked (行政处罚法 art. 74).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// More is better.
    Up,
    /// Less is better.
    Down,
    /// Neither.
    Neutral,
    /// A bound that warns and is never a target.
    Guardrail,
    /// The law asks for all.
    Compliance,
}

impl Direction {
    /// The name in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Neutral => "neutral",
            Self::Guardrail => "guardrail",
            Self::Compliance => "compliance",
        }
    }
}

/// A parameter of a metric: one of a few values.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// The values that it can have.
    pub values: Vec<String>,
    /// The value unless a request says otherwise.
    pub default: String,
}

/// The period of which `/metrics` shows a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Window {
    /// The 28 local days before today.
    #[serde(rename = "28d")]
    Trailing28Days,
    /// From the first event until now.
    #[serde(rename = "all")]
    All,
    /// Today, for states.
    #[serde(rename = "now")]
    Now,
    /// The calendar year up to today.
    #[serde(rename = "year")]
    Year,
    /// The metric is not shown.
    #[serde(rename = "none")]
    None,
}

impl Window {
    /// The name in headers and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Trailing28Days => "28d",
            Self::All => "all",
            Self::Now => "now",
            Self::Year => "year",
            Self::None => "none",
        }
    }
}

/// The type in the exposition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PrometheusType {
    /// Goes up and down.
    Gauge,
    /// Grows, except when events are withdrawn.
    Counter,
}

/// How a metric stands in `/metrics`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prometheus {
    /// The name of the series.
    pub name: String,
    /// The type.
    #[serde(rename = "type")]
    pub kind: PrometheusType,
    /// The period.
    pub window: Window,
}

/// What a metric is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Group {
    /// Use of the platform by officers and units.
    Usage,
    /// Inspections and patrols.
    Inspection,
    /// Penalty cases.
    Case,
    /// What the law demands of every act.
    Compliance,
    /// The supervision of enforcement.
    Supervision,
    /// Units, items and their transfer.
    Reform,
    /// The data itself.
    Data,
}

impl Group {
    /// The name in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Inspection => "inspection",
            Self::Case => "case",
            Self::Compliance => "compliance",
            Self::Supervision => "supervision",
            Self::Reform => "reform",
            Self::Data => "data",
        }
    }
}

/// Values at which a metric deserves attention, and who says so.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thresholds {
    /// From here on a warning.
    pub warn: Option<f64>,
    /// From here on more than that.
    pub fail: Option<f64>,
    /// Where the values come from.
    pub source: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    title_zh: String,
    title_en: String,
    group: Group,
    indicator: Option<u8>,
    definition: String,
    source: String,
    unit: String,
    kind: Kind,
    direction: Direction,
    grains: Vec<Grain>,
    rankable: bool,
    #[serde(default)]
    rows: bool,
    #[serde(default)]
    one_period: bool,
    #[serde(default)]
    adds_up: bool,
    #[serde(default)]
    additive: bool,
    suppress_below: Option<u64>,
    thresholds: Option<Thresholds>,
    #[serde(default)]
    parameters: BTreeMap<String, Parameter>,
    prometheus: Prometheus,
}

/// A value for each parameter of a metric, by the parameter's name; those that are left out have their defaults.
pub type Choice = BTreeMap<String, String>;

/// One metric.
#[derive(Debug, Clone)]
pub struct Metric {
    id: String,
    header: Header,
    sql: String,
    rows_sql: Option<String>,
}

/// The line that separates the query of the numbers from that of the rows behind them.
const ROWS_MARK: &str = "\n-- rows\n";

impl Metric {
    /// The id: the name of its file.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The title in Chinese.
    pub fn title_zh(&self) -> &str {
        &self.header.title_zh
    }

    /// The title in English.
    pub fn title_en(&self) -> &str {
        &self.header.title_en
    }

    /// What is counted, in sentences.
    pub fn definition(&self) -> &str {
        &self.header.definition
    }

    /// The law and article, the document, or "defined here".
    pub fn source(&self) -> &str {
        &self.header.source
    }

    /// The unit of the value.
    pub fn unit(&self) -> &str {
        &self.header.unit
    }

    /// What the query returns.
    pub fn kind(&self) -> Kind {
        self.header.kind
    }

    /// Which way is better.
    pub fn direction(&self) -> Direction {
        self.header.direction
    }

    /// The grains that it may be asked for.
    pub fn grains(&self) -> &[Grain] {
        &self.header.grains
    }

    /// Refuses a grain that it may not be asked for.
    pub fn check_grain(&self, grain: Grain) -> Result<()> {
        if self.header.grains.contains(&grain) {
            return Ok(());
        }
        let grains: Vec<_> = self.header.grains.iter().map(|grain| grain.name()).collect();
        Err(Error::Request(format!(
            "metric `{}` has no grain `{}`; use {}",
            self.id,
            grain.name(),
            grains.join(", ")
        )))
    }

    /// Whether units may be ordered by it.
    pub fn is_rankable(&self) -> bool {
        self.header.rankable
    }

    /// The denominator below which the value is withheld, because it would tell of single persons.
    pub fn suppress_below(&self) -> Option<u64> {
        self.header.suppress_below
    }

    /// What it is about.
    pub fn group(&self) -> Group {
        self.header.group
    }

    /// The number of the indicator in the field's list of 56, if it is one of them.
    pub fn indicator(&self) -> Option<u8> {
        self.header.indicator
    }

    /// Whether the query returns one row for each counted thing, to be summed.
    pub fn counts_rows(&self) -> bool {
        self.header.rows
    }

    /// Whether what the query says of a period depends on which others are asked for with it: then it is asked for each alone.
    pub fn is_of_one_period(&self) -> bool {
        self.header.one_period
    }

    /// Whether the numbers of a period are the sums of those of the periods that it is made of.
    pub fn adds_up(&self) -> bool {
        self.header.adds_up
    }

    /// Whether the district's number is the sum of its units'.
    pub fn is_additive(&self) -> bool {
        self.header.additive
    }

    /// Values at which it deserves attention.
    pub fn thresholds(&self) -> Option<&Thresholds> {
        self.header.thresholds.as_ref()
    }

    /// The query of the rows behind a number, if there is one.
    pub fn rows_sql(&self) -> Option<&str> {
        if self.header.rows { Some(&self.sql) } else { self.rows_sql.as_deref() }
    }

    /// The parameters by name.
    pub fn parameters(&self) -> &BTreeMap<String, Parameter> {
        &self.header.parameters
    }

    /// How it stands in `/metrics`.
    pub fn prometheus(&self) -> &Prometheus {
        &self.header.prometheus
    }

    /// The query.
    pub fn sql(&self) -> &str {
        &self.sql
    }

    /// Every choice of the parameters whose values `allows` lets through; the choice of nothing where there are none.
    pub fn choices(&self, allows: impl Fn(&str, &str) -> bool) -> Vec<Choice> {
        let mut choices = vec![Choice::new()];
        for (name, parameter) in &self.header.parameters {
            let values: Vec<_> =
                parameter.values.iter().filter(|value| allows(name, value)).collect();
            let with = |choice: &Choice, value: &String| {
                let mut choice = choice.clone();
                choice.insert(name.clone(), value.clone());
                choice
            };
            choices = choices
                .iter()
                .flat_map(|choice| values.iter().map(move |value| with(choice, value)))
                .collect();
        }
        choices
    }

    /// Every choice that is asked for: of a parameter one value, or several separated by commas, or that by default. They
    /// come in the order of the metric's file; an unknown name or value is an error.
    pub fn choices_asked(&self, asked: &BTreeMap<String, String>) -> Result<Vec<Choice>> {
        for (name, values) in asked {
            for value in values.split(',') {
                self.parameter_values(&Choice::from([(name.clone(), value.to_owned())]))?;
            }
        }
        let defaults = self.parameter_values(&Choice::new())?;
        Ok(self.choices(|name, value| match asked.get(name) {
            Some(values) => values.split(',').any(|one| one == value),
            None => defaults.get(name).is_some_and(|default| default == value),
        }))
    }

    /// Whether one query computes many choices: it joins `choices`.
    pub fn joins_choices(&self) -> bool {
        names(&self.sql, "choices")
    }

    /// Choices, or what stands for them, parted as queries compute them: all by one, or each by its own.
    pub fn by_query<'c, T>(&self, choices: &'c [T]) -> std::slice::Chunks<'c, T> {
        choices.chunks(if self.joins_choices() { choices.len().max(1) } else { 1 })
    }

    /// Completes chosen parameters with the defaults; an unknown name or value is an error.
    pub fn parameter_values(
        &self,
        chosen: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, String>> {
        for (name, value) in chosen {
            let Some(parameter) = self.header.parameters.get(name) else {
                return Err(Error::Request(format!(
                    "metric `{}` has no parameter `{name}`",
                    self.id
                )));
            };
            if !parameter.values.contains(value) {
                return Err(Error::Request(format!(
                    "parameter `{name}` of `{}` is one of {}, not `{value}`",
                    self.id,
                    parameter.values.join(", ")
                )));
            }
        }
        let with_default = |(name, parameter): (&String, &Parameter)| {
            let value = chosen.get(name).unwrap_or(&parameter.default);
            (name.clone(), value.clone())
        };
        Ok(self.header.parameters.iter().map(with_default).collect())
    }

    fn parse(id: &str, text: &str) -> Result<Self> {
        let file = format!("sql/metrics/{id}.sql");
        let (header, sql): (Header, String) = definition::split_header(&file, text)?;
        let (sql, rows_sql) = match sql.split_once(ROWS_MARK) {
            Some((sql, rows_sql)) => (format!("{sql}\n"), Some(rows_sql.to_owned())),
            None => (sql, None),
        };
        let wrong = |problem: &str, remedy: &str| Err(Error::definition(&file, problem, remedy));
        let guarded = matches!(header.direction, Direction::Neutral | Direction::Guardrail);
        if header.rankable && guarded {
            return wrong(
                "a neutral metric or a guardrail is rankable",
                "set rankable = false: ranking it is unlawful (行政处罚法 art. 74)",
            );
        }
        let well_named = |name: &str| {
            name.chars().all(|letter| {
                letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_'
            })
        };
        if !well_named(&header.prometheus.name) || header.prometheus.name.is_empty() {
            return wrong("key `prometheus.name` is not a metric name", "use a-z, 0-9 and _");
        }
        for parameter in header.parameters.values() {
            if !parameter.values.contains(&parameter.default) {
                return wrong("a parameter's default is not one of its values", "correct it");
            }
        }
        if names(&sql, "choices") && header.parameters.is_empty() {
            return wrong("the query joins `choices` and has no parameter", "leave the join out");
        }
        if header.adds_up && header.kind == Kind::Gauge {
            return wrong(
                "a gauge adds up",
                "leave `adds_up` out, or say which ratio or count it is",
            );
        }
        if header.rows && rows_sql.is_some() {
            return wrong("rows = true and a query after `-- rows`", "keep one of the two");
        }
        Ok(Self { id: id.to_owned(), header, sql, rows_sql })
    }
}

/// Every metric by its id.
#[derive(Debug, Clone)]
pub struct Catalogue {
    metrics: BTreeMap<String, Metric>,
}

impl Catalogue {
    /// Reads every file of `sql/metrics`; one that is not complete is an error.
    pub fn load(definitions: &Definitions) -> Result<Self> {
        let mut metrics = BTreeMap::new();
        for (id, text) in definitions.in_folder("metrics", "sql") {
            metrics.insert(id.to_owned(), Metric::parse(id, text)?);
        }
        Ok(Self { metrics })
    }

    /// The metrics in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &Metric> {
        self.metrics.values()
    }

    /// A metric; an unknown id is an error with a suggestion.
    pub fn get(&self, id: &str) -> Result<&Metric> {
        self.metrics.get(id).ok_or_else(|| {
            let near: Vec<_> = self
                .metrics
                .keys()
                .filter(|known| known.contains(id) || id.contains(known.as_str()))
                .map(String::as_str)
                .collect();
            let hint = if near.is_empty() {
                "`lawpulse metric list` shows them all".to_owned()
            } else {
                format!("did you mean {}?", near.join(", "))
            };
            Error::Request(format!("there is no metric `{id}`; {hint}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_metric_has_a_complete_header() {
        let catalogue = Catalogue::load(&Definitions::load(None).unwrap()).unwrap();
        assert!(catalogue.iter().count() >= 100);
        for metric in catalogue.iter() {
            let texts =
                [metric.title_zh(), metric.title_en(), metric.definition(), metric.source()];
            assert!(texts.iter().all(|text| !text.is_empty()), "{}", metric.id());
            assert!(!metric.grains().is_empty(), "{}", metric.id());
        }
    }

    #[test]
    fn every_indicator_of_the_field_has_a_metric() {
        let catalogue = Catalogue::load(&Definitions::load(None).unwrap()).unwrap();
        let indicators: std::collections::BTreeSet<u8> =
            catalogue.iter().filter_map(Metric::indicator).collect();
        assert!(indicators.into_iter().eq(1..=56));
    }

    #[test]
    fn a_header_with_an_unknown_key_is_refused_naming_it() {
        let error = Metric::parse("x", "-- title = \"x\"\nselect 1").unwrap_err().to_string();
        assert!(error.starts_with("sql/metrics/x.sql: "), "{error}");
        assert!(error.contains("unknown field `title`"), "{error}");
    }

    #[test]
    fn an_unknown_metric_is_an_error_with_a_suggestion() {
        let catalogue = Catalogue::load(&Definitions::load(None).unwrap()).unwrap();
        let error = catalogue.get("patrol").unwrap_err().to_string();
        assert_eq!(error, "there is no metric `patrol`; did you mean patrols?");
    }
}
