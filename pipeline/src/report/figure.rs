//! Numbers as a template sees them: objects that say whether they are known, compare, and write
//! themselves as links to their entries in the appendix.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use minijinja::value::{Enumerator, Kwargs, Object, ObjectRepr, Value, from_args};
use minijinja::{Error, ErrorKind, State};

use super::markdown;
use crate::reconcile::ask::{Numbers, Outcome};
use crate::reconcile::exact::Exact;

/// How a number is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Style {
    /// Whether it is a share, written in percent.
    pub(super) is_ratio: bool,
    /// The most decimals.
    pub(super) digits: u32,
    /// The word after it.
    pub(super) unit: String,
}

impl Style {
    /// The number alone: exact ones without trailing zeros, rounded ones with all decimals, counts
    /// without separators as the bureau writes them.
    pub(super) fn number(&self, numbers: &Numbers) -> String {
        let (factor, sign) = if self.is_ratio { (100_u8, "%") } else { (1, "") };
        let exact = numbers.exact.and_then(|exact| exact.times(factor.into()));
        let text = exact.and_then(|exact| exact.short_text(self.digits)).unwrap_or_else(|| {
            format!("{:.1$}", numbers.value * f64::from(factor), self.digits as usize)
        });
        format!("{text}{sign}")
    }
}

/// One number of a text.
#[derive(Debug, Clone)]
pub(super) struct Figure {
    /// The anchor of its entry.
    pub(super) anchor: String,
    /// The scope's id.
    pub(super) scope_id: String,
    /// The scope's name.
    pub(super) name: String,
    /// What was found; `None` before it has been computed.
    pub(super) outcome: Option<Outcome>,
    /// How it is written.
    pub(super) style: Style,
}

impl Figure {
    fn numbers(&self) -> Option<&Numbers> {
        match &self.outcome {
            Some(Outcome::Known(numbers)) => Some(numbers),
            Some(Outcome::Withheld(_) | Outcome::Missing(_)) | None => None,
        }
    }

    /// How it compares with a limit; `None` where it is not known.
    fn compare(&self, limit: f64) -> Option<Ordering> {
        let numbers = self.numbers()?;
        match (numbers.exact, Exact::of(limit)) {
            (Some(exact), Some(limit)) => exact.compare(limit),
            _ => numbers.value.partial_cmp(&limit),
        }
    }

    /// Whether it is `below`, `above`, `at_least` or `at_most` the limit; a number that is not known is
    /// none of them. `None` for another word.
    fn is(&self, how: &str, limit: f64) -> Option<bool> {
        let holds: fn(Ordering) -> bool = match how {
            "below" => Ordering::is_lt,
            "above" => Ordering::is_gt,
            "at_least" => Ordering::is_ge,
            "at_most" => Ordering::is_le,
            _ => return None,
        };
        Some(self.compare(limit).is_some_and(holds))
    }

    fn markdown(&self) -> String {
        let link = |text: &str| markdown::link(text, &self.anchor);
        match &self.outcome {
            None => link("…"),
            Some(Outcome::Known(numbers)) => {
                format!(
                    "{}{}",
                    link(&self.style.number(numbers)),
                    markdown::escape(&self.style.unit)
                )
            }
            Some(Outcome::Withheld(reason)) => link(&markdown::escape(reason)),
            Some(Outcome::Missing(reason)) => {
                format!("{}（{}）", link("无法计算"), markdown::escape(&reason.text))
            }
        }
    }
}

impl Object for Figure {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let numbers = self.numbers();
        Some(match key.as_str()? {
            "known" => Value::from(numbers.is_some()),
            "withheld" => Value::from(matches!(self.outcome, Some(Outcome::Withheld(_)))),
            "value" => Value::from(numbers.map(|numbers| numbers.value)),
            "numerator" => Value::from(numbers.and_then(|numbers| numbers.numerator)),
            "denominator" => Value::from(numbers.and_then(|numbers| numbers.denominator)),
            "name" => Value::from(self.name.as_str()),
            "scope_id" => Value::from(self.scope_id.as_str()),
            _ => return None,
        })
    }

    fn is_true(self: &Arc<Self>) -> bool {
        self.numbers().is_some()
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &State<'_, '_>,
        method: &str,
        arguments: &[Value],
    ) -> Result<Value, Error> {
        let (limit,): (f64,) = from_args(arguments)?;
        self.is(method, limit).map(Value::from).ok_or_else(|| ErrorKind::UnknownMethod.into())
    }

    fn render(self: &Arc<Self>, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.markdown())
    }
}

/// The numbers of several scopes, in the order of the scopes unless they are asked for by size.
#[derive(Debug, Clone)]
pub(super) struct Figures {
    /// The metric's id.
    pub(super) metric: String,
    /// The anchor of their entry.
    pub(super) anchor: String,
    /// Whether the metric may be ranked (行政处罚法 art. 74).
    pub(super) is_rankable: bool,
    /// The numbers.
    pub(super) figures: Vec<Figure>,
}

/// How many units a sentence names at most.
const NAMES_MAX: usize = 8;

impl Figures {
    fn only(&self, keep: impl Fn(&Figure) -> bool) -> Self {
        Self {
            figures: self.figures.iter().filter(|it| keep(it)).cloned().collect(),
            ..self.clone()
        }
    }

    /// In the order of the numbers; refused for a metric that must not be ranked.
    fn sorted(&self, order: fn(Ordering) -> Ordering) -> Result<Self, Error> {
        if !self.is_rankable {
            let problem = format!(
                "metric `{}` must not be ranked (行政处罚法 art. 74 and its header); leave the order of the scopes",
                self.metric
            );
            return Err(Error::new(ErrorKind::InvalidOperation, problem));
        }
        let mut sorted = self.only(|figure| figure.numbers().is_some());
        let value = |figure: &Figure| figure.numbers().map_or(f64::NAN, |numbers| numbers.value);
        sorted.figures.sort_by(|one, two| order(value(one).total_cmp(&value(two))));
        Ok(sorted)
    }

    /// The first so many names with their numbers, and whether there are more.
    fn names(&self, limit: usize, with_numbers: bool) -> String {
        let name = |figure: &Figure| {
            let name = markdown::escape(&figure.name);
            if with_numbers { format!("{name}（{}）", figure.markdown()) } else { name }
        };
        let named: Vec<String> = self.figures.iter().take(limit).map(name).collect();
        let rest = if self.figures.len() > limit { "等" } else { "" };
        named.join("、") + rest
    }
}

impl Object for Figures {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str() {
            Some("count") => {
                let count = markdown::link(&self.figures.len().to_string(), &self.anchor);
                Some(Value::from_safe_string(count))
            }
            Some(_) => None,
            None => self.figures.get(key.as_usize()?).cloned().map(Value::from_object),
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.figures.len())
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &State<'_, '_>,
        method: &str,
        arguments: &[Value],
    ) -> Result<Value, Error> {
        let made = match method {
            "below" | "above" | "at_least" | "at_most" => {
                let (limit,): (f64,) = from_args(arguments)?;
                self.only(|figure| figure.is(method, limit) == Some(true))
            }
            "known" => self.only(|figure| figure.numbers().is_some()),
            "withheld" => self.only(|it| matches!(it.outcome, Some(Outcome::Withheld(_)))),
            "lowest_first" => self.sorted(|order| order)?,
            "highest_first" => self.sorted(Ordering::reverse)?,
            "names" => {
                let (limit, options): (Option<usize>, Kwargs) = from_args(arguments)?;
                let with_numbers: Option<bool> = options.get("numbers")?;
                options.assert_all_used()?;
                let limit = limit.unwrap_or(NAMES_MAX);
                return Ok(Value::from_safe_string(
                    self.names(limit, with_numbers.unwrap_or(true)),
                ));
            }
            _ => return Err(Error::from(ErrorKind::UnknownMethod)),
        };
        Ok(Value::from_object(made))
    }
}
