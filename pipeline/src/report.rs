//! Drafts the bureau's report from a template, for a year, a month or one unit.
//!
//! The template (`sql/reports/bureau.md`) asks for numbers by metric, scope and period. Evaluation is
//! asynchronous and rendering is not, so the text is rendered in passes: what a pass asks for and is
//! not known yet is computed between passes, until a pass asks for nothing new. Every number in the
//! text is a link to its entry in the appendix, and a number that there is not says why.

mod desk;
mod figure;
mod html;
mod markdown;
mod render;

use chrono::{Datelike, Months, NaiveDate};
use serde::Serialize;

use crate::definition::Definitions;
use crate::error::{Error, Result};
use crate::metric::{Catalogue, Period, Tree};
use crate::query::View;
use crate::reconcile::ask::ask;
use crate::reconcile::reconcile;
use crate::reference::Org;
use desk::Desk;
use render::Context;

const TEMPLATE: &str = "reports/bureau.md";

/// How often the text is rendered at most. A pass can only ask for more because a number that it got
/// opened a branch of the template, and branches do not lie deep.
const PASSES_MAX: usize = 8;

/// What a report is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edition {
    /// The district in a calendar year.
    Year(i32),
    /// The district in a month (1 to 12) of a year.
    Month(i32, u32),
    /// One unit, by its id, in a calendar year.
    Unit(i32, String),
}

/// A goal and where it stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct GoalLine {
    /// The goal's id.
    pub goal_id: String,
    /// What is to be reached.
    pub title: String,
    /// The task that it belongs to; goals of one task stand together.
    pub task: String,
    /// The unit that is responsible.
    pub owner: String,
    /// The metric.
    pub metric: String,
    /// The scope, by name.
    pub scope: String,
    /// The metric's unit; `ratio` is written in percent.
    pub unit: String,
    /// Where it started.
    pub baseline: Option<f64>,
    /// Where it stands.
    pub value: Option<f64>,
    /// Where it should stand by now.
    pub should_be: Option<f64>,
    /// What is to be reached by the due date.
    pub target: Option<f64>,
    /// Where it will be by the due date if it goes on like this.
    pub forecast: Option<f64>,
    /// The lower end of the forecast's interval.
    pub forecast_low: Option<f64>,
    /// The upper end of the forecast's interval.
    pub forecast_high: Option<f64>,
    /// The last day to reach it.
    pub due: Option<NaiveDate>,
    /// `met`, `on_course`, `at_risk`, `off_course` or `unknown`.
    pub status: String,
    /// Anything else to know, such as why there is no number.
    pub note: Option<String>,
}

/// A check of the data and what it found.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct CheckLine {
    /// The check's id.
    pub check_id: String,
    /// What must hold.
    pub title: String,
    /// `passed`, `failed` or `unknown`.
    pub status: String,
    /// How many rows violate it.
    pub rows: Option<u64>,
    /// What to do about it, or why it could not be run.
    pub note: Option<String>,
}

/// A drafted report.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The title.
    pub title: String,
    /// The text.
    pub markdown: String,
}

impl Report {
    /// The text as one file that needs no other: it prints on A4 and loads nothing.
    pub fn html(&self) -> String {
        html::page(&self.title, &self.markdown)
    }
}

/// Drafts a report.
///
/// A period that is not over is reported up to `as_of`; one that has not begun is an error. Goals and
/// checks are those to be shown.
pub async fn draft(
    view: &View,
    catalogue: &Catalogue,
    definitions: &Definitions,
    edition: &Edition,
    as_of: NaiveDate,
    goals: &[GoalLine],
    checks: &[CheckLine],
) -> Result<Report> {
    let template = definitions.file(TEMPLATE)?;
    let whole = edition.period()?;
    if as_of < whole.start {
        return Err(Error::Request(format!(
            "the period from {} has not begun on {as_of}; ask for an earlier one",
            whole.start
        )));
    }
    let end = as_of.succ_opt().unwrap_or(as_of).min(whole.end);
    let period = Period { start: whole.start, end };
    let subject = Subject::of(view.tree(), edition, period)?;
    let reconciled = match edition {
        Edition::Year(_) => reconcile(view, catalogue, period.start, period.end, as_of).await?,
        Edition::Month(..) | Edition::Unit(..) => Vec::new(),
    };
    let context = Context::new(edition, &subject, whole, period, as_of)
        .with_lines(goals, checks, &reconciled)
        .with_facts(view);
    let desk = Desk::new(catalogue.clone(), subject.scope.clone(), period);
    for _ in 0..PASSES_MAX {
        desk.start_pass();
        let markdown = render::render(template, &context, &desk)?;
        let unknown = desk.unknown();
        if unknown.is_empty() {
            return Ok(Report { title: context.title().to_owned(), markdown });
        }
        desk.learn(ask(view, catalogue, &unknown, as_of).await?);
    }
    Err(Error::definition(
        format!("sql/{TEMPLATE}"),
        format!("the text still asks for new numbers after {PASSES_MAX} passes"),
        "do not let a scope or a period depend on a number that depends on others",
    ))
}

impl Edition {
    fn kind(&self) -> &'static str {
        match self {
            Self::Year(_) => "year",
            Self::Month(..) => "month",
            Self::Unit(..) => "unit",
        }
    }

    /// The period that it reports on, whether or not it is over.
    pub fn period(&self) -> Result<Period> {
        let (year, month, months) = match self {
            Self::Year(year) | Self::Unit(year, _) => (*year, 1, 12),
            Self::Month(year, month) => (*year, *month, 1),
        };
        let start = NaiveDate::from_ymd_opt(year, month, 1);
        let end = start.and_then(|start| start.checked_add_months(Months::new(months)));
        start.zip(end).map(|(start, end)| Period { start, end }).ok_or_else(|| {
            Error::Request(format!("there is no month {year}-{month}; months are 1 to 12"))
        })
    }

    fn label(&self) -> String {
        match self {
            Self::Year(year) | Self::Unit(year, _) => format!("{year}年"),
            Self::Month(year, month) => format!("{year}年{month}月"),
        }
    }

    fn title(&self, subject: &str) -> String {
        match self {
            Self::Year(year) => format!("{subject}{year}年度行政执法工作情况报告"),
            Self::Month(year, month) => format!("{subject}{year}年{month}月行政执法工作情况月报"),
            Self::Unit(year, _) => format!("{subject}{year}年度行政执法工作情况报告"),
        }
    }
}

/// Who a report is about.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Subject {
    name: String,
    /// The scope of its numbers.
    scope: String,
    /// The unit's kind, for a unit.
    kind: Option<String>,
}

impl Subject {
    fn of(tree: &Tree, edition: &Edition, period: Period) -> Result<Self> {
        let Edition::Unit(_, org_id) = edition else {
            return Ok(Self {
                name: whole_name(tree, period),
                scope: tree.whole_id().to_owned(),
                kind: None,
            });
        };
        let mut versions: Vec<&Org> = tree.versions(org_id).collect();
        versions.sort_by_key(|org| org.valid_from);
        // The name that the unit had at the end of the period, not the one that it got later.
        let held = versions.iter().rev().find(|org| {
            org.valid_from.is_none_or(|from| from < period.end)
                && org.valid_to.is_none_or(|to| to > period.start)
        });
        let unit = held.or(versions.last()).ok_or_else(|| {
            Error::Request(format!("there is no unit `{org_id}`; `towns/*` as a scope lists towns"))
        })?;
        Ok(Self { name: unit.name.clone(), scope: org_id.clone(), kind: Some(unit.kind.clone()) })
    }
}

/// The district, or the municipality …, that there was on the last day of the period; where several had followed it by
/// then, the one of the first day.
fn whole_name(tree: &Tree, period: Period) -> String {
    let on = |day: NaiveDate| {
        let mut found = tree.orgs().iter().filter(|org| {
            org.kind == tree.level().name()
                && org.valid_from.is_none_or(|from| from <= day)
                && org.valid_to.is_none_or(|to| to > day)
        });
        let first = found.next()?;
        found.next().is_none().then(|| first.name.clone())
    };
    let last_day = period.end.pred_opt().unwrap_or(period.end);
    on(last_day).or_else(|| on(period.start)).unwrap_or_default()
}

/// A day as it is written in a text.
fn written_day(day: NaiveDate) -> String {
    format!("{}年{}月{}日", day.year(), day.month(), day.day())
}

#[cfg(test)]
mod tests;
