//! Puts what a published report states beside what the events say.
//!
//! A row of the reference table `reported` is a claim: a wording, the metric that it is about, with
//! scope, parameters and window, and the numbers as printed. The rules:
//!
//! - **Compared** are whole counts as they are and values at the decimals that are stated, rounded half
//!   up on fractions and not on floats. The value of a ratio is stated as the fraction that it is:
//!   71.345 % is 0.71345 at 5 decimals. `equal` asks that numerator, denominator and value agree, as
//!   far as they are stated; `at_least_below` that `value <= events < upper` ("20余", "1600余").
//! - **Matched**: the numbers agree. **Explained**: they differ, and the claim's `window_note` says
//!   why. **Unreconciled**: they differ, or the readings of the figure contradict each other.
//!   **Not computable**: the events give no number to compare with.
//! - **Readings**: several rows of one figure whose `reading` differs are hypotheses of what the
//!   sentence means. They contradict each other if they state different terms of the same number, or
//!   if one of them is neither matched nor explained. Then every reading of the figure stays
//!   unreconciled, even one whose arithmetic fits: that a number fits does not say that it was meant.
//!   Readings that all hold (an activity of 89 % in the district and in its towns) are all matched.

pub(crate) mod ask;
pub(crate) mod exact;

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use chrono::NaiveDate;
use serde::Serialize;

use crate::error::{Error, Result};
use crate::metric::{Catalogue, Kind, Period};
use crate::query::View;
use ask::{Answer, Numbers, Outcome, Question, Reason, ask};
use exact::Exact;

/// What became of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The events say the same.
    Matched,
    /// The events say something else, and the claim's window explains it.
    Explained,
    /// The events say something else, or the readings of the figure contradict each other.
    Unreconciled,
    /// The events give no number.
    NotComputable,
}

impl Status {
    /// The name in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Matched => "matched",
            Self::Explained => "explained",
            Self::Unreconciled => "unreconciled",
            Self::NotComputable => "not_computable",
        }
    }

    /// The name in Chinese.
    pub fn name_zh(self) -> &'static str {
        match self {
            Self::Matched => "一致",
            Self::Explained => "口径差异已说明",
            Self::Unreconciled => "未对账",
            Self::NotComputable => "无法计算",
        }
    }
}

/// How a claim is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// The stated numbers are those of the events.
    Equal,
    /// The number of the events is at least the stated value and below the upper one.
    AtLeastBelow,
}

/// The numbers of a claim, in the metric's unit: a ratio is the fraction itself.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Stated {
    /// The numerator.
    pub numerator: Option<f64>,
    /// The denominator.
    pub denominator: Option<f64>,
    /// The value.
    pub value: Option<f64>,
    /// The value that is not reached, for `at_least_below`.
    pub upper: Option<f64>,
}

/// The numbers of the events, in the metric's unit.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Recomputed {
    /// The numerator.
    pub numerator: Option<f64>,
    /// The denominator.
    pub denominator: Option<f64>,
    /// The value.
    pub value: Option<f64>,
}

/// A claim of a report and what the events say.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reconciled {
    /// The figure.
    pub figure_id: String,
    /// The report that states it.
    pub report: String,
    /// The sentence that states it.
    pub wording: String,
    /// What the sentence is taken to mean, where it can mean several things.
    pub reading: Option<String>,
    /// The metric.
    pub metric: String,
    /// The metric's chosen parameters.
    pub parameters: BTreeMap<String, String>,
    /// The scope.
    pub scope: String,
    /// The first day of the window.
    pub from_date: NaiveDate,
    /// The day after the window.
    pub to_date: NaiveDate,
    /// What is to know about the window.
    pub window_note: Option<String>,
    /// How it is compared.
    pub comparison: Comparison,
    /// The decimals of the stated value.
    pub decimals: u32,
    /// Whether it is a share, written in percent.
    pub is_ratio: bool,
    /// What the report states.
    pub reported: Stated,
    /// What the events say.
    pub recomputed: Recomputed,
    /// What the stated terms give, less the stated value: a claim can contradict itself.
    pub own_delta: Option<f64>,
    /// What the events say, less the stated value.
    pub delta: Option<f64>,
    /// What became of it.
    pub status: Status,
    /// Why, in a sentence (Chinese).
    pub reason: String,
    #[serde(skip)]
    own_value: Option<Exact>,
    #[serde(skip)]
    recomputed_value: Option<Exact>,
}

impl Reconciled {
    /// What the report states, as text.
    pub fn reported_text(&self) -> String {
        let Stated { numerator, denominator, value, upper } = self.reported;
        let text = |value: Option<f64>| self.written(Exact::of(value?)?);
        match (text(value), text(upper), terms(numerator, denominator)) {
            (Some(value), Some(upper), _) => format!("≥ {value}, < {upper}"),
            (Some(value), None, Some(terms)) => format!("{value} ({terms})"),
            (Some(text), None, None) | (None, _, Some(text)) => text,
            (None, _, None) => "–".to_owned(),
        }
    }

    /// What the events say, as text at the decimals of the report.
    pub fn recomputed_text(&self) -> String {
        let value = self.recomputed_value.and_then(|value| self.written(value));
        let terms = terms(self.recomputed.numerator, self.recomputed.denominator);
        match (value, terms) {
            (Some(value), Some(terms)) if self.is_ratio => format!("{value} ({terms})"),
            (Some(value), _) => value,
            (None, _) => "–".to_owned(),
        }
    }

    /// How far the claim's own terms and the events are from the stated value, in words (Chinese).
    pub fn arithmetic(&self) -> Option<String> {
        let stated = self.reported.value.and_then(Exact::of)?;
        let delta = |value: Option<Exact>| self.written_delta(value?.minus(stated)?);
        let terms = terms(self.reported.numerator, self.reported.denominator);
        let own = self.own_value.and_then(|value| self.written(value));
        let own = own
            .zip(terms)
            .zip(delta(self.own_value))
            .map(|((own, terms), delta)| format!("本读法{terms}={own}，与报告数相差{delta}"));
        let events = delta(self.recomputed_value)
            .map(|delta| format!("按事件计算为{}，与报告数相差{delta}", self.recomputed_text()));
        let parts: Vec<String> = own.into_iter().chain(events).collect();
        (!parts.is_empty()).then(|| parts.join("；"))
    }

    /// A value at the stated decimals, a share in percent.
    fn written(&self, value: Exact) -> Option<String> {
        if !self.is_ratio {
            return value.text(self.decimals);
        }
        Some(value.times(100)?.text(self.decimals.saturating_sub(2))? + "%")
    }

    /// A difference at the stated decimals, of shares in percentage points (Chinese).
    fn written_delta(&self, delta: Exact) -> Option<String> {
        let (text, unit) = match self.is_ratio {
            true => (delta.times(100)?.text(self.decimals.saturating_sub(2))?, "个百分点"),
            false => (delta.text(self.decimals)?, ""),
        };
        let is_more =
            text.chars().any(|digit| ('1'..='9').contains(&digit)) && !text.starts_with('-');
        Some(format!("{}{text}{unit}", if is_more { "+" } else { "" }))
    }

    /// The parameters and the scope, as in a command.
    pub fn asked(&self) -> String {
        let parameters = self.parameters.iter().map(|(name, value)| format!("{name}={value}"));
        parameters.chain([self.scope.clone()]).collect::<Vec<_>>().join(", ")
    }
}

fn terms(numerator: Option<f64>, denominator: Option<f64>) -> Option<String> {
    match (numerator, denominator) {
        (Some(numerator), Some(denominator)) => Some(format!("{numerator}/{denominator}")),
        (Some(numerator), None) => Some(numerator.to_string()),
        (None, _) => None,
    }
}

/// Reconciles the claims whose window ends in a period; `to` is exclusive, and a window that is open on
/// a side is that of the period.
///
/// The rows come in the order of the report's figures, the readings of one together.
pub async fn reconcile(
    view: &View,
    catalogue: &Catalogue,
    from: NaiveDate,
    to: NaiveDate,
    as_of: NaiveDate,
) -> Result<Vec<Reconciled>> {
    let mut claims = read(view, Period { start: from, end: to }).await?;
    claims.retain(|claim| from < claim.question.period.end && claim.question.period.end <= to);
    let questions: BTreeSet<Question> = claims.iter().map(|claim| claim.question.clone()).collect();
    let answers = ask(view, catalogue, &questions, as_of).await?;
    let judged = claims
        .into_iter()
        .map(|claim| {
            let is_ratio =
                catalogue.get(&claim.question.metric).is_ok_and(|it| it.kind() == Kind::Ratio);
            let found = number(answers.get(&claim.question));
            judge(claim, is_ratio, found)
        })
        .collect();
    Ok(settle(judged))
}

/// The table of `sql/README.md`: each figure beside its metric and the value from the events.
pub fn table_markdown(rows: &[Reconciled]) -> String {
    let mut table =
        "| figure of the report | metric | parameters and scope | reported | from events \
                     | status |\n|---|---|---|---|---|---|\n"
            .to_owned();
    for row in rows {
        let figure = match &row.reading {
            Some(reading) => format!("{} [{reading}]", row.wording),
            None => row.wording.clone(),
        };
        let cells = [
            figure,
            format!("`{}`", row.metric),
            row.asked(),
            row.reported_text(),
            row.recomputed_text(),
            row.status.name().to_owned(),
        ];
        let cells = cells.map(|cell| cell.replace('|', "\\|").replace('\n', " "));
        table.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    table
}

/// A row of `reported`.
#[derive(Debug, Clone, PartialEq)]
struct Claim {
    figure_id: String,
    report: String,
    wording: String,
    reading: Option<String>,
    question: Question,
    window_note: Option<String>,
    comparison: Comparison,
    decimals: u32,
    stated: Stated,
}

const CLAIMS: &str = "
    select
        figure_id, report, wording, metric, parameters, scope, from_date, to_date,
        comparison, numerator, denominator, value, upper, decimals, reading, window_note
    from reported
    order by report, figure_id, reading, scope";

async fn read(view: &View, period: Period) -> Result<Vec<Claim>> {
    let mut claims = Vec::new();
    for batch in view.collect("the table `reported`", CLAIMS).await? {
        for row in 0..batch.num_rows() {
            claims.push(claim(&batch, row, period)?);
        }
    }
    Ok(claims)
}

fn claim(batch: &RecordBatch, row: usize, whole: Period) -> Result<Claim> {
    let text = |column: &str| -> Result<Option<String>> {
        let column = batch.column_by_name(column).ok_or_else(|| Error::internal(column))?;
        let texts = cast(column, &DataType::Utf8).map_err(Error::internal)?;
        let texts = texts.as_string::<i32>();
        let text = texts.is_valid(row).then(|| texts.value(row).trim());
        Ok(text.filter(|text| !text.is_empty()).map(str::to_owned))
    };
    let figure_id = text("figure_id")?.unwrap_or_default();
    let wrong = |column: &str, value: &str| {
        Error::definition(
            "reference table `reported`",
            format!("column `{column}` of figure `{figure_id}` holds `{value}`"),
            "see the columns in sql/README.md and land the row again",
        )
    };
    let number = |column: &str| -> Result<Option<f64>> {
        let parse = |value: String| value.parse().map_err(|_| wrong(column, &value));
        text(column)?.map(parse).transpose()
    };
    let date = |column: &str| -> Result<Option<NaiveDate>> {
        let parse = |value: String| value.parse().map_err(|_| wrong(column, &value));
        text(column)?.map(parse).transpose()
    };
    let comparison = match text("comparison")?.as_deref() {
        None | Some("equal") => Comparison::Equal,
        Some("at_least_below") => Comparison::AtLeastBelow,
        Some(other) => return Err(wrong("comparison", other)),
    };
    let period = Period {
        start: date("from_date")?.unwrap_or(whole.start),
        end: date("to_date")?.unwrap_or(whole.end),
    };
    let written = text("parameters")?.unwrap_or_default();
    Ok(Claim {
        report: text("report")?.unwrap_or_default(),
        wording: text("wording")?.unwrap_or_default(),
        reading: text("reading")?,
        question: Question {
            metric: text("metric")?.unwrap_or_default(),
            parameters: parameters(&written).ok_or_else(|| wrong("parameters", &written))?,
            period,
            scope: text("scope")?.unwrap_or_else(|| "district".to_owned()),
        },
        window_note: text("window_note")?,
        comparison,
        decimals: number("decimals")?.map_or(0, |decimals| decimals.clamp(0.0, 12.0) as u32),
        stated: Stated {
            numerator: number("numerator")?,
            denominator: number("denominator")?,
            value: number("value")?,
            upper: number("upper")?,
        },
        figure_id,
    })
}

/// Reads `name=value;name=value`.
fn parameters(written: &str) -> Option<BTreeMap<String, String>> {
    let pairs = written.split(';').map(str::trim).filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=')?;
            Some((name.trim().to_owned(), value.trim().to_owned()))
        })
        .collect()
}

/// The one number that answers a claim.
fn number(answer: Option<&Answer>) -> std::result::Result<Numbers, Reason> {
    let rows = match answer {
        Some(Ok(rows)) => rows,
        Some(Err(reason)) => return Err(reason.clone()),
        None => return Err("没有计算".into()),
    };
    let [row] = rows.as_slice() else {
        return Err(format!("范围须恰为一个，实为{}个", rows.len()).into());
    };
    match &row.outcome {
        Outcome::Known(numbers) => Ok(*numbers),
        Outcome::Withheld(text) => Err(text.as_str().into()),
        Outcome::Missing(reason) => Err(reason.clone()),
    }
}

/// Compares one claim, not yet looking at the other readings of its figure.
fn judge(claim: Claim, is_ratio: bool, found: std::result::Result<Numbers, Reason>) -> Reconciled {
    let Claim { figure_id, report, wording, reading, question, window_note, .. } = claim;
    let stated = claim.stated;
    let exact = |value: Option<f64>| value.and_then(Exact::of);
    let own_value = exact(stated.numerator)
        .zip(exact(stated.denominator))
        .and_then(|(numerator, denominator)| numerator.over(denominator));
    let recomputed_value = found.as_ref().ok().and_then(|found| found.exact);
    let delta = |value: Option<Exact>| Some(value?.minus(exact(stated.value)?)?.to_f64());
    let mut row = Reconciled {
        figure_id,
        report,
        wording,
        reading,
        metric: question.metric,
        parameters: question.parameters,
        scope: question.scope,
        from_date: question.period.start,
        to_date: question.period.end,
        window_note,
        comparison: claim.comparison,
        decimals: claim.decimals,
        is_ratio,
        reported: stated,
        recomputed: Recomputed::default(),
        own_delta: delta(own_value),
        delta: delta(recomputed_value),
        status: Status::NotComputable,
        reason: String::new(),
        own_value,
        recomputed_value,
    };
    match found {
        Ok(found) => {
            row.recomputed = Recomputed {
                numerator: found.numerator,
                denominator: found.denominator,
                value: recomputed_value.map(Exact::to_f64),
            };
            (row.status, row.reason) = compare(&row);
        }
        Err(reason) => row.reason = reason.to_string(),
    }
    row
}

fn compare(row: &Reconciled) -> (Status, String) {
    match agrees(row) {
        None => (Status::NotComputable, "报告未给出可比较的数".to_owned()),
        Some(true) => (Status::Matched, "与按事件计算的结果一致".to_owned()),
        Some(false) => match &row.window_note {
            Some(note) => (Status::Explained, format!("与按事件计算的结果不同：{note}")),
            None => {
                let reason = "与按事件计算的结果不同，且没有口径说明，请数据提供单位核实";
                (Status::Unreconciled, reason.to_owned())
            }
        },
    }
}

/// Whether the events say what the claim states; `None` where it states nothing.
fn agrees(row: &Reconciled) -> Option<bool> {
    let value = row.reported.value.and_then(Exact::of);
    let events = row.recomputed_value;
    if row.comparison == Comparison::AtLeastBelow {
        let (events, least, upper) = (events?, value?, row.reported.upper.and_then(Exact::of)?);
        return Some(events.compare(least)?.is_ge() && events.compare(upper)?.is_lt());
    }
    // A count has no terms of its own: a numerator that is stated for it is the count.
    let numerator = if row.is_ratio { row.recomputed.numerator } else { row.recomputed.value };
    let terms = [
        row.reported.numerator.map(|stated| Some(stated) == numerator),
        row.reported.denominator.map(|stated| Some(stated) == row.recomputed.denominator),
        value.map(|value| {
            events.and_then(|events| events.rounded(row.decimals)) == value.rounded(row.decimals)
        }),
    ];
    let mut stated = terms.into_iter().flatten().peekable();
    stated.peek()?;
    Some(stated.all(|agrees| agrees))
}

/// Looks at the readings of each figure together.
fn settle(mut rows: Vec<Reconciled>) -> Vec<Reconciled> {
    let mut figures: BTreeMap<(String, String), Vec<usize>> = BTreeMap::new();
    for (index, row) in rows.iter().enumerate() {
        figures.entry((row.report.clone(), row.figure_id.clone())).or_default().push(index);
    }
    for indexes in figures.into_values() {
        let readings: Vec<&Reconciled> = indexes.iter().map(|index| &rows[*index]).collect();
        let labels: BTreeSet<_> = readings.iter().map(|row| row.reading.as_deref()).collect();
        if labels.len() < 2 || !contradict(&readings) {
            continue;
        }
        for index in indexes {
            let row = &mut rows[index];
            if row.status != Status::NotComputable {
                row.status = Status::Unreconciled;
                row.reason = undecided(row);
            }
        }
    }
    rows
}

fn contradict(readings: &[&Reconciled]) -> bool {
    let asked = |row: &Reconciled| {
        (row.metric.clone(), row.parameters.clone(), row.scope.clone(), row.from_date, row.to_date)
    };
    let rivals = readings.iter().enumerate().any(|(index, row)| {
        readings[..index].iter().any(|other| {
            let terms = |row: &Reconciled| (row.reported.numerator, row.reported.denominator);
            asked(row) == asked(other) && terms(row) != terms(other)
        })
    });
    let settled = |row: &&Reconciled| matches!(row.status, Status::Matched | Status::Explained);
    rivals || !readings.iter().all(settled)
}

/// What there is to say of one reading among several, without settling which is right.
fn undecided(row: &Reconciled) -> String {
    let mut reason = "该数有相互矛盾的读法，本系统不作取舍，请数据提供单位确认".to_owned();
    if let Some(arithmetic) = row.arithmetic() {
        reason.push('；');
        reason.push_str(&arithmetic);
    }
    reason
}

#[cfg(test)]
mod tests;
