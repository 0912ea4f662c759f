//! One pass over the template: what it can ask for and how data becomes text.

use std::sync::Arc;

use chrono::{Months, NaiveDate};
use minijinja::value::{Kwargs, Value};
use minijinja::{AutoEscape, Environment, ErrorKind, Output, State, UndefinedBehavior};
use serde::Serialize;

use super::desk::Desk;
use super::{CheckLine, Edition, GoalLine, Subject, TEMPLATE, markdown, written_day};
use crate::definition::languages;
use crate::error::{Error, Result};
use crate::metric::Period;
use crate::query::View;
use crate::reconcile::exact::Exact;
use crate::reconcile::{Reconciled, Status};

/// What the template sees besides its functions.
#[derive(Debug, Serialize)]
pub(super) struct Context {
    edition: &'static str,
    title: String,
    subject: String,
    /// The scope of the report, and for a unit the scope of its peers.
    scope: String,
    unit_kind: Option<String>,
    peers: Option<Peers>,
    year: String,
    /// The period as reported, and the same part of the one before, if the log covers it.
    period: Span,
    previous: Option<Span>,
    is_complete: bool,
    as_of: String,
    first_event: Option<String>,
    last_event: Option<String>,
    goals: Vec<GoalLine>,
    checks: Vec<CheckLine>,
    reconciled: Vec<Compared>,
}

/// Units of the same kind: a unit is compared with no others.
#[derive(Debug, Serialize)]
struct Peers {
    scope: &'static str,
    name: &'static str,
}

#[derive(Debug, Serialize)]
struct Span {
    from: NaiveDate,
    to: NaiveDate,
    label: String,
    last_day: String,
}

/// A line of the reconciliation as text.
#[derive(Debug, Serialize)]
struct Compared {
    figure_id: String,
    wording: String,
    reading: Option<String>,
    metric: String,
    asked: String,
    window: String,
    window_note: Option<String>,
    reported: String,
    recomputed: String,
    status: &'static str,
    status_zh: &'static str,
    reason: String,
    arithmetic: Option<String>,
}

impl Context {
    pub(super) fn new(
        edition: &Edition,
        subject: &Subject,
        whole: Period,
        period: Period,
        as_of: NaiveDate,
    ) -> Self {
        let (months, before, so_far) = match edition {
            Edition::Month(..) => (1, "上月", "上月同期"),
            Edition::Year(_) | Edition::Unit(..) => (12, "上年", "上年同期"),
        };
        // Compared is what has passed of both: three months of this year with three of the last.
        let is_complete = period == whole;
        let previous = whole.start.checked_sub_months(Months::new(months)).map(|start| {
            let end = if is_complete { whole.start } else { start + (period.end - period.start) };
            let label = if is_complete { before } else { so_far };
            span(Period { start, end: end.min(whole.start) }, label)
        });
        Self {
            edition: edition.kind(),
            title: edition.title(&subject.name),
            subject: subject.name.clone(),
            scope: subject.scope.clone(),
            unit_kind: subject.kind.clone(),
            peers: subject.kind.as_deref().and_then(peers),
            year: edition.label(),
            period: span(period, &edition.label()),
            previous,
            is_complete,
            as_of: written_day(as_of),
            first_event: None,
            last_event: None,
            goals: Vec::new(),
            checks: Vec::new(),
            reconciled: Vec::new(),
        }
    }

    pub(super) fn with_lines(
        mut self,
        goals: &[GoalLine],
        checks: &[CheckLine],
        reconciled: &[Reconciled],
    ) -> Self {
        self.goals = goals.to_vec();
        self.checks = checks.to_vec();
        self.reconciled = reconciled.iter().map(compared).collect();
        self
    }

    pub(super) fn with_facts(mut self, view: &View) -> Self {
        let first = view.facts().first_event_date;
        self.first_event = first.map(written_day);
        self.last_event = view.facts().last_event_date.map(written_day);
        // A period that the log covers only in part would look like growth.
        self.previous =
            self.previous.filter(|previous| first.is_some_and(|first| first <= previous.from));
        self
    }

    pub(super) fn title(&self) -> &str {
        &self.title
    }
}

fn peers(kind: &str) -> Option<Peers> {
    match kind {
        "town" => Some(Peers { scope: "towns", name: "镇街" }),
        "department" => Some(Peers { scope: "departments", name: "部门" }),
        "team" => Some(Peers { scope: "teams", name: "支队" }),
        _ => None,
    }
}

fn span(period: Period, label: &str) -> Span {
    Span {
        from: period.start,
        to: period.end,
        label: label.to_owned(),
        last_day: written_day(period.end.pred_opt().unwrap_or(period.end)),
    }
}

fn compared(row: &Reconciled) -> Compared {
    let last_day = row.to_date.pred_opt().unwrap_or(row.to_date);
    let recomputed = match row.status {
        Status::NotComputable => "无法计算".to_owned(),
        _ => row.recomputed_text(),
    };
    Compared {
        figure_id: row.figure_id.clone(),
        wording: row.wording.clone(),
        reading: row.reading.clone(),
        metric: row.metric.clone(),
        asked: row.asked(),
        window: format!("{}至{}", written_day(row.from_date), written_day(last_day)),
        window_note: row.window_note.clone(),
        reported: row.reported_text(),
        recomputed,
        status: row.status.name(),
        status_zh: row.status.name_zh(),
        reason: row.reason.clone(),
        arithmetic: row.arithmetic(),
    }
}

/// Renders the template once with what the desk knows.
pub(super) fn render(template: &str, context: &Context, desk: &Arc<Desk>) -> Result<String> {
    let environment = environment(desk);
    let rendered = environment
        .template_from_named_str(TEMPLATE, template)
        .and_then(|template| template.render(context));
    rendered.map(|text| tidy(&text)).map_err(|error| {
        let place = error.line().map(|line| format!(", line {line}")).unwrap_or_default();
        let mut problem = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(found) = cause {
            problem.push_str(&format!(": {found}"));
            cause = found.source();
        }
        Error::definition(format!("sql/{TEMPLATE}{place}"), problem, "correct the template")
    })
}

fn environment(desk: &Arc<Desk>) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment.set_auto_escape_callback(|_| AutoEscape::Custom("markdown"));
    environment.set_formatter(write);
    let own = Arc::clone(desk);
    environment.add_function("figure", move |metric: &str, options: Kwargs| {
        own.figure(metric, &options).map(Value::from_object)
    });
    let own = Arc::clone(desk);
    environment.add_function("rows", move |metric: &str, options: Kwargs| {
        own.rows(metric, &options).map(Value::from_object)
    });
    let own = Arc::clone(desk);
    environment.add_function("threshold", move |metric: &str, level: &str, default: f64| {
        own.threshold(metric, level, default)
    });
    let own = Arc::clone(desk);
    environment
        .add_function("problem", move |state: &State<'_, '_>, id: String, options: Kwargs| {
            own.problem(state, id, &options)
        });
    let own = Arc::clone(desk);
    environment.add_function("problems", move || own.problems());
    let own = Arc::clone(desk);
    environment.add_function("rules", move || own.rules());
    let own = Arc::clone(desk);
    environment.add_function("appendix", move || own.appendix());
    environment.add_filter("numeral", numeral);
    environment.add_filter("quantity", quantity);
    environment.add_filter("percent", |share: f64| quantity(Value::from(share), "ratio"));
    environment.add_filter("zh", |text: &str| languages(text).0.to_owned());
    environment.add_filter("code", |text: &str| Value::from_safe_string(markdown::code(text)));
    environment.add_filter("code_block", |text: &str, language: &str| {
        Value::from_safe_string(markdown::code_block(language, text))
    });
    environment
}

/// Data is text, whatever it holds; figures and captured blocks are Markdown already.
fn write(
    out: &mut Output<'_>,
    _state: &State<'_, '_>,
    value: &Value,
) -> std::result::Result<(), minijinja::Error> {
    if value.is_none() || value.is_undefined() {
        return Err(minijinja::Error::new(
            ErrorKind::InvalidOperation,
            "there is nothing to write; test the value first",
        ));
    }
    let text = value.to_string();
    let is_data = value.as_str().is_some() && !value.is_safe();
    let text = if is_data { markdown::escape(&text) } else { text };
    out.write_str(&text).map_err(minijinja::Error::from)
}

/// Removes the blank lines that tags leave behind, outside of blocks of code.
fn tidy(text: &str) -> String {
    let mut tidied = String::with_capacity(text.len());
    let (mut in_code, mut blank) = (false, true);
    for line in text.lines() {
        let line = if in_code { line } else { line.trim_end() };
        in_code ^= line.starts_with("```");
        if line.is_empty() && !in_code {
            if !blank {
                tidied.push('\n');
            }
            blank = true;
            continue;
        }
        blank = false;
        tidied.push_str(line);
        tidied.push('\n');
    }
    tidied.truncate(tidied.trim_end().len());
    tidied.push('\n');
    tidied
}

/// 1 to 99 in Chinese.
fn numeral(number: usize) -> std::result::Result<String, minijinja::Error> {
    const DIGITS: [&str; 10] = ["", "一", "二", "三", "四", "五", "六", "七", "八", "九"];
    match number {
        1..=9 => Ok(DIGITS[number].to_owned()),
        10..=19 => Ok(format!("十{}", DIGITS[number % 10])),
        20..=99 => Ok(format!("{}十{}", DIGITS[number / 10], DIGITS[number % 10])),
        _ => Err(minijinja::Error::new(
            ErrorKind::InvalidOperation,
            format!("{number} is not between 1 and 99"),
        )),
    }
}

/// A number in a metric's unit: shares in percent, nothing as a dash.
fn quantity(value: Value, unit: &str) -> std::result::Result<String, minijinja::Error> {
    if value.is_none() {
        return Ok("—".to_owned());
    }
    let value = f64::try_from(value)?;
    let (factor, sign) = if unit == "ratio" { (100, "%") } else { (1, "") };
    let exact = Exact::of(value).and_then(|exact| exact.times(factor)?.short_text(1));
    Ok(exact.unwrap_or_else(|| value.to_string()) + sign)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numerals_are_those_of_a_document() {
        let written: Vec<_> =
            [1, 9, 10, 11, 20, 34].iter().map(|number| numeral(*number).unwrap()).collect();
        assert_eq!(written, ["一", "九", "十", "十一", "二十", "三十四"]);
        assert!(numeral(0).is_err());
    }

    #[test]
    fn a_quantity_is_written_in_its_unit() {
        let written = |value: Option<f64>, unit| quantity(Value::from(value), unit).unwrap();
        assert_eq!(written(Some(0.89), "ratio"), "89%");
        assert_eq!(written(Some(0.8888), "ratio"), "88.9%");
        assert_eq!(written(Some(3253.0), "patrols"), "3253");
        assert_eq!(written(None, "ratio"), "—");
    }

    #[test]
    fn blank_lines_are_kept_where_they_mean_something() {
        assert_eq!(tidy("\n\n# a\n\n\n\nb  \n```\n\n\nx\n```\n\n"), "# a\n\nb\n```\n\n\nx\n```\n");
    }
}
