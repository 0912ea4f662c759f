//! The goals file: how goals are written, and what is refused whatever the metrics are. Pure.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Deserializer};

use super::path::{Path, Step};
use super::{Goal, Goals, Kind, Measure, Problem, Side, StateWindow, Target, TargetFor, Task};
use crate::error::{Error, Result};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenFile {
    year: i32,
    title_zh: String,
    title_en: String,
    goal: Vec<WrittenGoal>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenGoal {
    id: String,
    task: Task,
    title_zh: String,
    title_en: String,
    metric: String,
    #[serde(default)]
    parameters: BTreeMap<String, String>,
    scope: String,
    measure: WrittenMeasure,
    window: Option<StateWindow>,
    baseline: Option<f64>,
    target: Option<f64>,
    target_change: Option<f64>,
    direction: Side,
    #[serde(default)]
    kind: Kind,
    #[serde(deserialize_with = "day")]
    due: NaiveDate,
    owner: String,
    path: WrittenPath,
    #[serde(default)]
    target_for: Vec<WrittenTargetFor>,
    source: String,
    note: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WrittenMeasure {
    YearToDate,
    State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum PathKind {
    Linear,
    Seasonal,
    Steps,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenPath {
    kind: PathKind,
    #[serde(default)]
    steps: Vec<WrittenStep>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenStep {
    #[serde(deserialize_with = "day")]
    by: NaiveDate,
    value: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenTargetFor {
    scope: String,
    #[serde(default, deserialize_with = "some_day")]
    from: Option<NaiveDate>,
    #[serde(default, deserialize_with = "some_day")]
    until: Option<NaiveDate>,
    target: Option<f64>,
    target_change: Option<f64>,
    path: Option<WrittenPath>,
}

/// Reads a day as TOML writes it: 2025-12-31, without quotes.
fn day<'de, D: Deserializer<'de>>(deserializer: D) -> Result<NaiveDate, D::Error> {
    let written = toml::value::Datetime::deserialize(deserializer)?;
    written
        .date
        .and_then(|date| {
            NaiveDate::from_ymd_opt(date.year.into(), date.month.into(), date.day.into())
        })
        .ok_or_else(|| serde::de::Error::custom("this is no day; write it as 2025-12-31"))
}

fn some_day<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<NaiveDate>, D::Error> {
    day(deserializer).map(Some)
}

/// Reads the goals of a file; `file` names it in errors.
pub(super) fn parse(file: &str, text: &str) -> Result<Goals> {
    let broken = |error: toml::de::Error| {
        let problem = error.to_string();
        Error::definition(file, problem.trim_end(), "see the keys of a goal in sql/README.md")
    };
    let WrittenFile { year, title_zh, title_en, goal: written } =
        toml::from_str(text).map_err(broken)?;
    let table: toml::Table = toml::from_str(text).map_err(broken)?;
    let texts = table.get("goal").and_then(toml::Value::as_array).cloned().unwrap_or_default();
    let mut ids = BTreeSet::new();
    let mut goals = Vec::with_capacity(written.len());
    for (written, value) in written.into_iter().zip(&texts) {
        let id = written.id.clone();
        if !ids.insert(id.clone()) {
            let twice = Problem::new("the id is there twice", "give each goal an id of its own");
            return Err(twice.of_goal(file, &id));
        }
        let goal = written.check(year, json_of(value).to_string());
        goals.push(goal.map_err(|problem| problem.of_goal(file, &id))?);
    }
    Ok(Goals { file: file.to_owned(), year, title_zh, title_en, goals })
}

impl WrittenGoal {
    fn check(self, year: i32, text: String) -> Result<Goal, Problem> {
        let is_name =
            |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
        if self.id.is_empty() || !self.id.chars().all(is_name) {
            return Err(Problem::new("the id is not a name", "use a-z, 0-9 and _"));
        }
        for (key, value) in [("owner", &self.owner), ("source", &self.source)] {
            if value.trim().is_empty() {
                let remedy =
                    "name the unit that answers for the goal, and where its target comes from";
                return Err(Problem::new(format!("key `{key}` is empty"), remedy));
            }
        }
        let measure = match (self.measure, self.window) {
            (WrittenMeasure::State, window) => Measure::State(window.unwrap_or_default()),
            (WrittenMeasure::YearToDate, None) => Measure::YearToDate,
            (WrittenMeasure::YearToDate, Some(_)) => {
                return Err(Problem::new(
                    "key `window` is about states, and the measure is year_to_date",
                    "leave `window` out, or write measure = \"state\"",
                ));
            }
        };
        if self.due.year() != year {
            return Err(Problem::new(
                format!("it is due on {}, not in {year}", self.due),
                "write a day of the year; a later target needs the file of its year",
            ));
        }
        if self.kind != Kind::Target && self.direction == Side::AtLeast {
            return Err(Problem::new(
                format!("a {} that is at_least would ask for more", self.kind.name()),
                "write direction = \"at_most\"",
            ));
        }
        let target = target(self.target, self.target_change, self.kind)?;
        let terms = Terms { measure, side: self.direction, due: self.due };
        let path = terms.path(self.path.clone(), target)?;
        let own = |written| self.own_target(written, terms, target);
        let target_for = self.target_for.iter().map(own).collect::<Result<Vec<_>, Problem>>()?;
        if self.baseline.is_some_and(|baseline| !baseline.is_finite()) {
            return Err(Problem::new("key `baseline` is not a number", "write a number"));
        }
        Ok(Goal {
            id: self.id,
            task: self.task,
            title_zh: self.title_zh,
            title_en: self.title_en,
            metric: self.metric,
            parameters: self.parameters,
            scope: self.scope,
            measure,
            baseline: self.baseline,
            target,
            side: self.direction,
            kind: self.kind,
            due: self.due,
            owner: self.owner,
            path,
            target_for,
            source: self.source,
            note: self.note,
            text,
        })
    }

    fn own_target(
        &self,
        written: &WrittenTargetFor,
        terms: Terms,
        whole: Target,
    ) -> Result<TargetFor, Problem> {
        let named = |problem: Problem| Problem {
            problem: format!("target_for `{}`: {}", written.scope, problem.problem),
            ..problem
        };
        let own = target(written.target, written.target_change, self.kind).map_err(named)?;
        let is_empty = |from: Option<NaiveDate>| {
            from.zip(written.until).is_some_and(|(from, until)| from >= until)
        };
        if is_empty(written.from) {
            let problem = Problem::new(
                "it ends before it begins",
                "`until` is the first day on which it does not hold",
            );
            return Err(named(problem));
        }
        let due = written
            .until
            .and_then(|until| until.pred_opt())
            .map_or(self.due, |last| last.min(self.due));
        let path = match &written.path {
            Some(path) => path.clone(),
            None if self.path.kind == PathKind::Steps && own != whole => {
                let remedy = "write its own path: the steps of the goal lead to another target";
                return Err(named(Problem::new("its path is that of the goal", remedy)));
            }
            None => self.path.clone(),
        };
        let path = Terms { due, ..terms }.path(path, own).map_err(named)?;
        Ok(TargetFor {
            scope: written.scope.clone(),
            from: written.from,
            until: written.until,
            target: own,
            path,
        })
    }
}

fn target(value: Option<f64>, change: Option<f64>, kind: Kind) -> Result<Target, Problem> {
    let found = match (value, change) {
        (Some(value), None) => Target::Value(value),
        (None, Some(change)) => Target::Change(change),
        _ => {
            return Err(Problem::new(
                "it takes one of the keys `target` and `target_change`",
                "write target = NUMBER, or target_change = -0.2 for a fifth less than the baseline",
            ));
        }
    };
    match found {
        Target::Value(number) | Target::Change(number) if !number.is_finite() => {
            Err(Problem::new("the target is not a number", "write a number"))
        }
        Target::Change(change) if kind == Kind::Ceiling && change > 0.0 => Err(Problem::new(
            "the ceiling is above the baseline",
            "a ceiling is where policy asks for less: write a negative target_change",
        )),
        found => Ok(found),
    }
}

/// What a path has to agree with.
#[derive(Debug, Clone, Copy)]
struct Terms {
    measure: Measure,
    side: Side,
    due: NaiveDate,
}

impl Terms {
    fn path(self, written: WrittenPath, target: Target) -> Result<Path, Problem> {
        let has_steps = !written.steps.is_empty();
        match written.kind {
            PathKind::Steps if has_steps => self.steps(&written.steps, target),
            PathKind::Steps => Err(Problem::new(
                "the path has no steps",
                "write steps = [{ by = 2025-06-30, value = 0.5 }, …]",
            )),
            PathKind::Linear | PathKind::Seasonal if has_steps => Err(Problem::new(
                "the path has steps and is of another kind",
                "write kind = \"steps\", or leave the steps out",
            )),
            PathKind::Seasonal if self.measure != Measure::YearToDate => Err(Problem::new(
                "a state has no season's path",
                "write path = { kind = \"linear\" } or steps",
            )),
            PathKind::Linear => Ok(Path::Linear),
            PathKind::Seasonal => Ok(Path::Seasonal),
        }
    }

    fn steps(self, written: &[WrittenStep], target: Target) -> Result<Path, Problem> {
        let remedy =
            "order the steps by their days, each nearer to the target, the last not beyond it";
        let steps: Vec<Step> =
            written.iter().map(|step| Step { by: step.by, value: step.value }).collect();
        let in_order = steps.windows(2).all(|pair| pair[0].by < pair[1].by);
        let in_time =
            steps.iter().all(|step| step.by <= self.due && step.by.year() == self.due.year());
        if !in_order || !in_time {
            let problem = format!("the steps are not days in order up to {}", self.due);
            return Err(Problem::new(problem, remedy));
        }
        let mut values: Vec<f64> = steps.iter().map(|step| step.value).collect();
        if let Target::Value(target) = target {
            values.push(target);
        }
        // A number since 1 January grows whichever side is asked for; a state goes to its side, and a ratio too.
        let rises = values.windows(2).all(|pair| pair[0] <= pair[1]);
        let falls = values.windows(2).all(|pair| pair[0] >= pair[1]);
        let leads = match (self.side, self.measure) {
            (Side::AtLeast, _) => rises,
            (Side::AtMost, Measure::YearToDate) => rises || falls,
            (Side::AtMost, Measure::State(_)) => falls,
        };
        if !leads {
            return Err(Problem::new("the steps do not lead to the target", remedy));
        }
        Ok(Path::Steps(steps))
    }
}

/// A TOML value as JSON with sorted keys; days become texts.
fn json_of(value: &toml::Value) -> serde_json::Value {
    match value {
        toml::Value::String(text) => text.as_str().into(),
        toml::Value::Integer(number) => (*number).into(),
        toml::Value::Float(number) => (*number).into(),
        toml::Value::Boolean(flag) => (*flag).into(),
        toml::Value::Datetime(time) => time.to_string().into(),
        toml::Value::Array(values) => values.iter().map(json_of).collect(),
        toml::Value::Table(table) => {
            let sorted: BTreeMap<_, _> = table.iter().collect();
            sorted.into_iter().map(|(key, value)| (key.clone(), json_of(value))).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "year = 2025\ntitle_zh = \"目标\"\ntitle_en = \"Goals\"\n";

    const GOAL: &str = r#"
[[goal]]
id = "detection"
task = "supervision_precise"
title_zh = "检查发现问题率"
title_en = "Detection"
metric = "inspection_detection_ratio"
scope = "district"
measure = "year_to_date"
target = 0.3
direction = "at_least"
due = 2025-12-31
owner = "司法局"
path = { kind = "linear" }
source = "set here"
"#;

    fn goals(text: &str) -> Result<Goals> {
        parse("sql/goals/2025.toml", &format!("{HEAD}{text}"))
    }

    /// A goal with a line of it written otherwise.
    fn with(line: &str, instead: &str) -> String {
        assert!(GOAL.contains(line), "{line}");
        GOAL.replace(line, instead)
    }

    #[track_caller]
    fn refused(text: &str, problem: &str) {
        let error = goals(text).unwrap_err().to_string();
        assert!(error.starts_with("sql/goals/2025.toml: "), "{error}");
        assert!(error.contains(problem), "{error}");
    }

    #[test]
    fn a_goal_is_read_as_it_is_written() {
        let goals = goals(GOAL).unwrap();
        let goal = goals.get("detection").unwrap();
        assert_eq!((goals.year(), goals.iter().count()), (2025, 1));
        assert_eq!(goal.measure, Measure::YearToDate);
        assert_eq!(goal.target, Target::Value(0.3));
        assert_eq!((goal.kind, goal.side), (Kind::Target, Side::AtLeast));
        assert_eq!(goal.due, NaiveDate::from_ymd_opt(2025, 12, 31).unwrap());
        assert_eq!(goal.path, Path::Linear);
    }

    #[test]
    fn targets_may_differ_by_unit_and_period() {
        let own = "[[goal.target_for]]\nscope = \"towns\"\nuntil = 2025-07-01\ntarget = 0.2\n\
            [[goal.target_for]]\nscope = \"town-longxi\"\nfrom = 2025-07-01\ntarget_change = 0.1\n";
        let goals = goals(&format!("{GOAL}{own}")).unwrap();
        let own = &goals.get("detection").unwrap().target_for;
        assert_eq!(own[0].until, NaiveDate::from_ymd_opt(2025, 7, 1));
        assert_eq!((own[0].from, own[0].target), (None, Target::Value(0.2)));
        assert_eq!((own[1].scope.as_str(), own[1].target), ("town-longxi", Target::Change(0.1)));
    }

    #[test]
    fn a_text_is_the_same_whatever_its_layout_and_comments() {
        let text = |goal: &str| goals(goal).unwrap().get("detection").unwrap().text().to_owned();
        let moved = with("owner = \"司法局\"\n", "").replace(
            "[[goal]]\n",
            "[[goal]]\n# The bureau answers for it.\nowner   =   \"司法局\"\n",
        );
        assert_eq!(text(GOAL), text(&moved));
        assert_ne!(text(GOAL), text(&with("target = 0.3", "target = 0.4")));
        assert!(text(GOAL).contains("\"due\":\"2025-12-31\""));
    }

    #[test]
    fn a_goal_that_contradicts_itself_is_refused_by_name() {
        refused(&with("target = 0.3\n", ""), "goal `detection`: it takes one of the keys");
        refused(&with("target = 0.3\n", "target = 0.3\ntarget_change = 0.1\n"), "takes one of");
        refused(&with("target = 0.3", "target = nan"), "the target is not a number");
        refused(&with("due = 2025-12-31", "due = 2026-01-31"), "it is due on 2026-01-31");
        refused(&with("due = 2025-12-31", "due = \"2025-12-31\""), "due");
        refused(&with("due = 2025-12-31", "window = \"28d\"\ndue = 2025-12-31"), "`window`");
        refused(&with("owner = \"司法局\"", "owner = \" \""), "key `owner` is empty");
        refused(&with("id = \"detection\"", "id = \"Detection!\""), "the id is not a name");
        refused(&format!("{GOAL}{GOAL}"), "the id is there twice");
        refused(&with("scope =", "scopes ="), "unknown field `scopes`");
    }

    #[test]
    fn a_ceiling_or_a_warning_never_asks_for_more() {
        let kind = |kind: &str| with("due =", &format!("kind = \"{kind}\"\ndue ="));
        refused(&kind("warning"), "a warning that is at_least would ask for more");
        refused(&kind("ceiling"), "a ceiling that is at_least would ask for more");
        let rising = kind("ceiling")
            .replace("at_least", "at_most")
            .replace("target = 0.3", "target_change = 0.1");
        refused(&rising, "the ceiling is above the baseline");
        assert!(goals(&rising.replace("0.1", "-0.1")).is_ok());
    }

    #[test]
    fn a_path_leads_to_its_target() {
        let path = |written: &str| with("path = { kind = \"linear\" }", written);
        let steps =
            |steps: &str| path(&format!("path = {{ kind = \"steps\", steps = [{steps}] }}"));
        let (june, late) = ("{ by = 2025-06-30, value = 0.2 }", "{ by = 2025-09-30, value = 0.3 }");
        assert!(goals(&steps(&format!("{june}, {late}"))).is_ok());
        refused(&steps(&format!("{late}, {june}")), "the steps are not days in order");
        refused(&steps("{ by = 2025-06-30, value = 0.4 }"), "the steps do not lead to the target");
        refused(&steps(""), "the path has no steps");
        refused(&path("path = { kind = \"straight\" }"), "unknown variant `straight`");
        let state = with("measure = \"year_to_date\"", "measure = \"state\"");
        refused(&state.replace("\"linear\"", "\"seasonal\""), "a state has no season's path");
        let own = "[[goal.target_for]]\nscope = \"towns\"\ntarget = 0.2\n";
        refused(
            &format!("{}{own}", steps(june)),
            "target_for `towns`: its path is that of the goal",
        );
    }
}
