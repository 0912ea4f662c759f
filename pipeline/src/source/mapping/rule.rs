//! What a mapping demands of a row before it lands.

use std::collections::HashSet;

use super::read::{Condition, Reading, all_hold, column_text, short, split};
use super::spec::{Format, Severity};
use super::{Row, Value, codes};
use crate::event::{Reason, Refusal};

/// A demand on some columns, and what follows where it is not met.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) columns: Vec<usize>,
    pub(super) when: Vec<Condition>,
    pub(super) severity: Severity,
    pub(super) demand: Demand,
}

#[derive(Debug, Clone)]
pub(super) enum Demand {
    /// The cell is not empty.
    Filled,
    /// The text, or each part of it between the separators, is one of these.
    OneOf(HashSet<String>, Vec<String>),
    /// The text has at most this many characters.
    MaxLength(usize),
    Format(Format),
    /// The time does not lie before that of the column; by the day where one of them is a day alone.
    NotBefore(usize),
}

/// Checks a row. Returns what has to be said of it, as `code:column`, and refuses it where a rule says so.
pub(super) fn check(
    rules: &[Rule],
    names: &[String],
    reading: &Reading<'_>,
    row: &Row<'_>,
) -> Result<Vec<String>, Refusal> {
    let mut warnings = Vec::new();
    for rule in rules {
        if !all_hold(&rule.when, row)? {
            continue;
        }
        for column in &rule.columns {
            let name = names.get(*column).map_or("", String::as_str);
            let Some(refusal) = rule.demand.breach(name, *column, reading, row)? else { continue };
            if rule.severity == Severity::Refuse {
                return Err(refusal);
            }
            warnings.push(format!("{}:{name}", refusal.reason.code()));
        }
    }
    Ok(warnings)
}

impl Demand {
    /// How a column does not meet the demand.
    fn breach(
        &self,
        name: &str,
        column: usize,
        reading: &Reading<'_>,
        row: &Row<'_>,
    ) -> Result<Option<Refusal>, Refusal> {
        let value = &row.values[column];
        if *value == Value::Missing {
            let is_demanded = matches!(self, Self::Filled);
            let missing = || Refusal::new(Reason::MissingValue, format!("{name} is missing"));
            return Ok(is_demanded.then(missing));
        }
        if let Self::NotBefore(other) = self {
            return Ok(reading.is_before(column, *other, row).then(|| {
                let detail = format!("{name} lies before what comes before it");
                Refusal::new(Reason::TimesOutOfOrder, detail)
            }));
        }
        let Some(text) = column_text(name, value)? else { return Ok(None) };
        let text = text.trim();
        let found = |reason, problem: &str| {
            Some(Refusal::new(reason, format!("{name} `{}` {problem}", short(text))))
        };
        Ok(match self {
            Self::OneOf(known, separators) => split(text, separators)
                .into_iter()
                .find(|part| !known.contains(*part))
                .and_then(|_| found(Reason::UnknownCode, "is not in the code list")),
            Self::MaxLength(length) if text.chars().count() > *length => {
                found(Reason::ValueTooLong, &format!("has more than {length} characters"))
            }
            Self::Format(format) => match format.judge(text) {
                (true, _, _) => None,
                // What is refused for it may be all but right, so that it is not told.
                (false, reason @ Reason::BadIdCard, problem) => {
                    Some(Refusal::new(reason, format!("{name} {problem}")))
                }
                (false, reason, problem) => found(reason, problem),
            },
            Self::Filled | Self::MaxLength(_) | Self::NotBefore(_) => None,
        })
    }
}

impl Format {
    fn judge(self, text: &str) -> (bool, Reason, &'static str) {
        match self {
            Self::Uscc => (
                codes::is_uscc(text),
                Reason::BadUscc,
                "is not a 统一社会信用代码 with the right check character (GB 32100)",
            ),
            Self::IdCard => (
                codes::is_id_card(text),
                Reason::BadIdCard,
                "is not an identity number with the right check digit (GB 11643)",
            ),
            Self::ItemCode => {
                (codes::is_item_code(text), Reason::BadItemCode, "is not an item code of 14 digits")
            }
            Self::ImplementationCode => (
                codes::is_implementation_code(text),
                Reason::BadItemCode,
                "is not a unit's credit code followed by 1 to 5",
            ),
        }
    }
}
