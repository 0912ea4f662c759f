//! The desk where a text asks for its numbers: it gives those that it knows, remembers those that it
//! does not, and keeps the list of all for the appendix.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::NaiveDate;
use minijinja::value::{Kwargs, Value};
use minijinja::{Error, ErrorKind, State};
use serde::Serialize;

use super::figure::{Figure, Figures, Style};
use super::written_day;
use crate::definition::{languages, source_languages};
use crate::metric::{Catalogue, Direction, Kind, Metric, Period};
use crate::reconcile::ask::{Answer, Outcome, Question};

/// What the numbers of one text have in common.
#[derive(Debug)]
pub(super) struct Desk {
    catalogue: Catalogue,
    scope: String,
    period: Period,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    answers: BTreeMap<Question, Answer>,
    /// What the pass has asked for, each once and in order, with how it was first written.
    asked: Vec<(Question, Style)>,
    rules: Vec<Rule>,
}

/// A rule that finds a problem, and what it found.
#[derive(Debug, Clone, Serialize)]
struct Rule {
    id: String,
    title: String,
    condition: String,
    /// The metric that it looks at, and what else it rests on.
    metric: String,
    basis: String,
    level: u32,
    applies: bool,
    text: String,
}

/// A metric of the appendix with the numbers that the text took from it.
#[derive(Debug, Serialize)]
struct Section {
    id: String,
    title: String,
    definition: String,
    source: String,
    direction: &'static str,
    sql: String,
    entries: Vec<Entry>,
}

/// A question and its answer.
#[derive(Debug, Serialize)]
struct Entry {
    anchor: String,
    scope: String,
    period: String,
    parameters: String,
    command: String,
    api: String,
    rows: Vec<Line>,
}

/// The numbers of one scope.
#[derive(Debug, Serialize)]
struct Line {
    name: String,
    /// What the value was made of, up to the equals sign; empty where it is its own.
    terms: String,
    value: String,
}

impl Desk {
    pub(super) fn new(catalogue: Catalogue, scope: String, period: Period) -> Arc<Self> {
        Arc::new(Self { catalogue, scope, period, kept: Mutex::default() })
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // A pass that panicked leaves what it had asked for; the next one starts anew.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets what the last pass asked for, not what is known.
    pub(super) fn start_pass(&self) {
        let mut kept = self.kept();
        kept.asked.clear();
        kept.rules.clear();
    }

    /// What the pass asked for and did not get.
    pub(super) fn unknown(&self) -> BTreeSet<Question> {
        let kept = self.kept();
        let asked = kept.asked.iter().map(|(question, _)| question);
        asked.filter(|question| !kept.answers.contains_key(question)).cloned().collect()
    }

    pub(super) fn learn(&self, answers: BTreeMap<Question, Answer>) {
        self.kept().answers.extend(answers);
    }

    /// `figure(metric, scope=…, from=…, to=…, digits=…, unit=…, PARAMETER=…)`: one number.
    pub(super) fn figure(&self, metric: &str, options: &Kwargs) -> Result<Figure, Error> {
        let (question, style) = self.question(metric, options)?;
        let figures = self.look_up(question, style).0;
        let [figure] = <[Figure; 1]>::try_from(figures).map_err(|figures| {
            let problem =
                format!("figure(\"{metric}\") asks for {} scopes; use rows()", figures.len());
            Error::new(ErrorKind::InvalidOperation, problem)
        })?;
        Ok(figure)
    }

    /// `rows(metric, scope=…, …)`: the numbers of several scopes.
    pub(super) fn rows(&self, metric: &str, options: &Kwargs) -> Result<Figures, Error> {
        let (question, style) = self.question(metric, options)?;
        let (found, anchor) = self.look_up(question, style);
        // Before the scopes are known there is one figure, which stands for none.
        let figures = found.into_iter().filter(|figure| !figure.scope_id.is_empty()).collect();
        let is_rankable = self.catalogue.get(metric).is_ok_and(Metric::is_rankable);
        Ok(Figures { metric: metric.to_owned(), anchor, is_rankable, figures })
    }

    /// `threshold(metric, "warn", default)`: the value of the metric's header at which it deserves
    /// attention, or the template's own.
    pub(super) fn threshold(&self, metric: &str, level: &str, default: f64) -> f64 {
        let thresholds = self.catalogue.get(metric).ok().and_then(Metric::thresholds);
        let found = thresholds.and_then(|them| match level {
            "fail" => them.fail,
            _ => them.warn,
        });
        found.unwrap_or(default)
    }

    fn question(&self, metric: &str, options: &Kwargs) -> Result<(Question, Style), Error> {
        let date = |name: &str, default: NaiveDate| -> Result<NaiveDate, Error> {
            let Some(written) = options.get::<Option<String>>(name)? else { return Ok(default) };
            written.parse().map_err(|_| {
                let problem = format!("`{name}` holds `{written}`; write a date as 2024-03-05");
                Error::new(ErrorKind::InvalidOperation, problem)
            })
        };
        let period =
            Period { start: date("from", self.period.start)?, end: date("to", self.period.end)? };
        let scope = options.get::<Option<String>>("scope")?.unwrap_or_else(|| self.scope.clone());
        let kind = self.catalogue.get(metric).ok().map(Metric::kind);
        let digits = match kind {
            Some(Kind::Count) | None => 0,
            Some(Kind::Ratio | Kind::Gauge) => 1,
        };
        let style = Style {
            is_ratio: kind == Some(Kind::Ratio),
            digits: options.get::<Option<u32>>("digits")?.unwrap_or(digits),
            unit: options.get::<Option<String>>("unit")?.unwrap_or_default(),
        };
        let own = ["scope", "from", "to", "digits", "unit"];
        let parameters = options
            .args()
            .filter(|name| !own.contains(name))
            .map(|name| Ok((name.to_owned(), options.peek::<String>(name)?)))
            .collect::<Result<_, Error>>()?;
        Ok((Question { metric: metric.to_owned(), parameters, period, scope }, style))
    }

    /// The numbers that answer a question, and the anchor of its entry.
    fn look_up(&self, question: Question, style: Style) -> (Vec<Figure>, String) {
        let mut kept = self.kept();
        let known = kept.asked.iter().position(|(asked, _)| *asked == question);
        let place = known.unwrap_or_else(|| {
            kept.asked.push((question.clone(), style.clone()));
            kept.asked.len() - 1
        });
        let anchor = anchor(place);
        let blank = |outcome| Figure {
            anchor: anchor.clone(),
            scope_id: String::new(),
            name: String::new(),
            outcome,
            style: style.clone(),
        };
        let figures = match kept.answers.get(&question) {
            None => vec![blank(None)],
            Some(Err(reason)) => vec![blank(Some(Outcome::Missing(reason.clone())))],
            Some(Ok(rows)) => rows
                .iter()
                .map(|row| Figure {
                    scope_id: row.scope_id.clone(),
                    name: row.name.clone(),
                    ..blank(Some(row.outcome.clone()))
                })
                .collect(),
        };
        (figures, anchor)
    }

    /// `{% call problem(id, title=…, condition=…, metric=…, basis=…, level=…, when=…) %}text{% endcall %}`: a
    /// problem, if it is one. Every rule is kept for the appendix; the text is only made when it applies.
    pub(super) fn problem(
        &self,
        state: &State<'_, '_>,
        id: String,
        options: &Kwargs,
    ) -> Result<Value, Error> {
        let text = |name: &str| options.get::<String>(name);
        let applies = options.get::<Value>("when")?.is_true();
        let caller = options.get::<Value>("caller")?;
        let mut rule = Rule {
            id,
            title: text("title")?,
            condition: text("condition")?,
            metric: text("metric")?,
            basis: text("basis")?,
            level: options.get("level")?,
            applies,
            text: String::new(),
        };
        options.assert_all_used()?;
        if applies {
            rule.text = caller.call(state, &[])?.to_string().trim().to_owned();
        }
        self.kept().rules.push(rule);
        Ok(Value::from_safe_string(String::new()))
    }

    /// The problems that apply, the most severe first, and otherwise in the order of the template.
    pub(super) fn problems(&self) -> Value {
        let mut found: Vec<Rule> =
            self.kept().rules.iter().filter(|rule| rule.applies).cloned().collect();
        found.sort_by_key(|rule| std::cmp::Reverse(rule.level));
        Value::from_serialize(found)
    }

    /// Every rule that the text has judged by.
    pub(super) fn rules(&self) -> Value {
        Value::from_serialize(&self.kept().rules)
    }

    /// The metrics that the text has asked up to here, each with its numbers.
    pub(super) fn appendix(&self) -> Value {
        let kept = self.kept();
        let mut sections: BTreeMap<&str, Section> = BTreeMap::new();
        for (place, (question, style)) in kept.asked.iter().enumerate() {
            let section = sections
                .entry(&question.metric)
                .or_insert_with(|| section(&self.catalogue, &question.metric));
            section.entries.push(entry(place, question, style, kept.answers.get(question)));
        }
        Value::from_serialize(sections.into_values().collect::<Vec<_>>())
    }
}

fn anchor(place: usize) -> String {
    format!("f{}", place + 1)
}

fn section(catalogue: &Catalogue, id: &str) -> Section {
    let Ok(metric) = catalogue.get(id) else {
        return Section {
            id: id.to_owned(),
            title: "未定义的指标".to_owned(),
            definition: String::new(),
            source: String::new(),
            direction: "",
            sql: String::new(),
            entries: Vec::new(),
        };
    };
    Section {
        id: id.to_owned(),
        title: metric.title_zh().to_owned(),
        definition: languages(metric.definition()).0.to_owned(),
        source: source_languages(metric.source()).0.to_owned(),
        direction: match metric.direction() {
            Direction::Up => "越高越好",
            Direction::Down => "越低越好",
            Direction::Neutral => "中性，不作排名",
            Direction::Guardrail => "警戒值，不作目标和排名",
            Direction::Compliance => "法定要求，应达到全部",
        },
        sql: metric.sql().trim().to_owned(),
        entries: Vec::new(),
    }
}

fn entry(place: usize, question: &Question, style: &Style, answer: Option<&Answer>) -> Entry {
    let Question { metric, parameters, period, scope } = question;
    let last_day = period.end.pred_opt().unwrap_or(period.end);
    let quoted = if scope.chars().all(|letter| letter.is_alphanumeric() || "-_:".contains(letter)) {
        scope.clone()
    } else {
        format!("'{scope}'")
    };
    let chosen: Vec<String> =
        parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let flags: String = chosen.iter().map(|pair| format!(" --param {pair}")).collect();
    let (start, end) = (period.start.to_string(), period.end.to_string());
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("from", &start), ("to", &end), ("scope", scope)])
        .extend_pairs(parameters)
        .finish();
    Entry {
        anchor: anchor(place),
        scope: scope_name(scope, answer),
        period: format!("{}至{}", written_day(period.start), written_day(last_day)),
        parameters: chosen.join("，"),
        command: format!(
            "lawpulse metric {metric} --lake LAKE --from {start} --to {end} --scope {quoted}{flags}"
        ),
        api: format!("/api/v1/metrics/{metric}?{query}"),
        rows: lines(style, answer),
    }
}

fn scope_name(scope: &str, answer: Option<&Answer>) -> String {
    if let Some(Ok(rows)) = answer
        && let [row] = rows.as_slice()
    {
        return format!("{}（{scope}）", row.name);
    }
    let name = |part| match part {
        "towns/*" => "各镇街",
        "departments/*" => "各部门",
        "teams/*" => "各支队",
        other => other,
    };
    scope.split(',').map(name).collect::<Vec<_>>().join("、")
}

fn lines(style: &Style, answer: Option<&Answer>) -> Vec<Line> {
    let line =
        |name: &str, value: String| Line { name: name.to_owned(), terms: String::new(), value };
    let rows = match answer {
        None => return vec![line("", "…".to_owned())],
        Some(Err(reason)) => return vec![line("", format!("无法计算：{reason}"))],
        Some(Ok(rows)) => rows,
    };
    rows.iter()
        .map(|row| match &row.outcome {
            Outcome::Known(numbers) => {
                let value = line(&row.name, style.number(numbers));
                match (numbers.numerator, numbers.denominator) {
                    (Some(numerator), Some(denominator)) => {
                        Line { terms: format!("{numerator}/{denominator}＝"), ..value }
                    }
                    (_, Some(denominator)) => {
                        Line { terms: format!("（共{denominator}）"), ..value }
                    }
                    (_, None) => value,
                }
            }
            Outcome::Withheld(reason) => line(&row.name, reason.clone()),
            Outcome::Missing(reason) => line(&row.name, format!("无法计算：{reason}")),
        })
        .collect()
}
