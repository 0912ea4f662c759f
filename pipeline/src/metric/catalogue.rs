//! The catalogue: every metric with its definition, its source and its query.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::definition::{self, Definitions};
use crate::error::{Error, Result};
use crate::metric::period::Grain;

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
    /// The metric is not shown.
    #[serde(rename = "none")]
    None,
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

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    title_zh: String,
    title_en: String,
    definition: String,
    source: String,
    unit: String,
    kind: Kind,
    direction: Direction,
    grains: Vec<Grain>,
    rankable: bool,
    suppress_below: Option<u64>,
    #[serde(default)]
    uses: Vec<String>,
    #[serde(default)]
    parameters: BTreeMap<String, Parameter>,
    prometheus: Prometheus,
}

/// One metric.
#[derive(Debug, Clone)]
pub struct Metric {
    id: String,
    header: Header,
    sql: String,
}

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

    /// Whether units may be ordered by it.
    pub fn is_rankable(&self) -> bool {
        self.header.rankable
    }

    /// The denominator below which the value is withheld, because it would tell of single persons.
    pub fn suppress_below(&self) -> Option<u64> {
        self.header.suppress_below
    }

    /// The views that the query reads.
    pub(crate) fn uses(&self) -> &[String] {
        &self.header.uses
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
        Ok(Self { id: id.to_owned(), header, sql })
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
        assert!(catalogue.iter().count() >= 16);
        for metric in catalogue.iter() {
            let texts =
                [metric.title_zh(), metric.title_en(), metric.definition(), metric.source()];
            assert!(texts.iter().all(|text| !text.is_empty()), "{}", metric.id());
            assert!(!metric.grains().is_empty(), "{}", metric.id());
        }
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
