//! Goals: what the numbers of a year are to come to, where they stand and where they are heading.
//!
//! `sql/goals/YEAR.toml` names for each goal a metric, a scope, a target, the day it is due, an owner and the path
//! there. Nothing of it is compiled: an edited target holds from the next look on, and [`record`] keeps each change
//! with its date.
//!
//! What may be a goal is bounded by law. A metric with a better side (`up`, `down`, `compliance`) takes a target on
//! that side. A guardrail (fines, penalties) is never a target: linking it to appraisal is unlawful (行政处罚法
//! art. 74), so it takes a `warning` when a bound is passed. A neutral metric (volumes) takes a `warning`, or a
//! `ceiling`: policy asks for fewer inspections of firms (国办发〔2024〕54号), so less may be wanted; more never is.

mod backtest;
mod file;
mod forecast;
mod history;
mod path;
mod status;
mod track;

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::Deserialize;

use crate::definition::Definitions;
use crate::error::{Error, Result};
use crate::metric::{Catalogue, Direction, Kind as MetricKind};

pub use backtest::Backtest;
pub use forecast::{Forecast, Method};
pub use history::{Change, ChangeKind, record};
pub(crate) use history::{PATH as CHANGES_PATH, schema as change_schema};
pub use path::{Path, Step};
pub use status::Status;
pub use track::{Progress, Tried, track, try_forecasts};

/// The tasks of the report's third part that goals belong to, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// 镇街综合行政执法改革: one team, shared data, joint inspections.
    TownReform,
    /// 涉企检查减量化.
    FirmInspectionsFewer,
    /// 涉企处罚规范化.
    PenaltiesRegular,
    /// 涉企监管精细化.
    SupervisionFine,
    /// 涉企监督精准化.
    SupervisionPrecise,
    /// 事项划转评估与赋权清理.
    ItemsAndPowers,
    /// "执法+监督" application used everywhere.
    ApplicationUse,
    /// 监督闭环: opinions, social review, dossier review.
    ClosedLoop,
}

impl Task {
    /// Every task in the report's order.
    pub const ALL: [Self; 8] = [
        Self::TownReform,
        Self::FirmInspectionsFewer,
        Self::PenaltiesRegular,
        Self::SupervisionFine,
        Self::SupervisionPrecise,
        Self::ItemsAndPowers,
        Self::ApplicationUse,
        Self::ClosedLoop,
    ];

    /// The name in files and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::TownReform => "town_reform",
            Self::FirmInspectionsFewer => "firm_inspections_fewer",
            Self::PenaltiesRegular => "penalties_regular",
            Self::SupervisionFine => "supervision_fine",
            Self::SupervisionPrecise => "supervision_precise",
            Self::ItemsAndPowers => "items_and_powers",
            Self::ApplicationUse => "application_use",
            Self::ClosedLoop => "closed_loop",
        }
    }

    /// The title in Chinese.
    pub fn title_zh(self) -> &'static str {
        match self {
            Self::TownReform => "深化镇街综合行政执法改革",
            Self::FirmInspectionsFewer => "涉企检查减量化",
            Self::PenaltiesRegular => "涉企处罚规范化",
            Self::SupervisionFine => "涉企监管精细化",
            Self::SupervisionPrecise => "涉企监督精准化",
            Self::ItemsAndPowers => "事项划转跟踪与赋权清理",
            Self::ApplicationUse => "“执法+监督”应用全面使用",
            Self::ClosedLoop => "执法监督闭环",
        }
    }

    /// The title in English.
    pub fn title_en(self) -> &'static str {
        match self {
            Self::TownReform => "Deeper reform in the towns",
            Self::FirmInspectionsFewer => "Fewer inspections of firms",
            Self::PenaltiesRegular => "Regular penalties",
            Self::SupervisionFine => "Supervision by credit and risk",
            Self::SupervisionPrecise => "Precise oversight of enforcement",
            Self::ItemsAndPowers => "Items and delegated powers",
            Self::ApplicationUse => "The application used everywhere",
            Self::ClosedLoop => "Closed-loop supervision",
        }
    }
}

/// What of the metric is held against the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// The number or ratio of 1 January until today.
    YearToDate,
    /// The metric's value today.
    State(StateWindow),
}

/// The period that a state is read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum StateWindow {
    /// The 28 local days before today.
    #[serde(rename = "28d")]
    Trailing28Days,
    /// Today.
    #[default]
    #[serde(rename = "now")]
    Now,
}

impl Measure {
    /// The name in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::YearToDate => "year_to_date",
            Self::State(StateWindow::Trailing28Days) => "state_28d",
            Self::State(StateWindow::Now) => "state_now",
        }
    }
}

/// The side of the target on which a number is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The target or more.
    AtLeast,
    /// The target or less.
    AtMost,
}

impl Side {
    /// The name in files and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::AtLeast => "at_least",
            Self::AtMost => "at_most",
        }
    }
}

/// How binding the number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A target to reach.
    #[default]
    Target,
    /// A volume that policy wants not to exceed.
    Ceiling,
    /// A bound that warns when it is passed, and asks for nothing.
    Warning,
}

impl Kind {
    /// The name in files and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Target => "target",
            Self::Ceiling => "ceiling",
            Self::Warning => "warning",
        }
    }
}

/// The target as it is written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    /// A number of the metric's unit.
    Value(f64),
    /// A change relative to the baseline: -0.2 is a fifth less.
    Change(f64),
}

impl Target {
    /// The number, given the baseline; `None` when it is relative to a baseline that is 0 or not there.
    pub fn resolve(self, baseline: Option<f64>) -> Option<f64> {
        match self {
            Self::Value(value) => Some(value),
            Self::Change(change) => {
                let baseline = baseline.filter(|baseline| *baseline != 0.0)?;
                Some(baseline * (1.0 + change))
            }
        }
    }
}

/// A target of its own for some scope or for a part of the year.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetFor {
    /// The scope, or members at once as in `towns/*`.
    pub scope: String,
    /// The first day on which it holds; `None` from the year's start.
    pub from: Option<NaiveDate>,
    /// The first day on which it does not hold any more; it is due on the day before.
    pub until: Option<NaiveDate>,
    /// The target.
    pub target: Target,
    /// The way there.
    pub path: Path,
}

/// One goal.
#[derive(Debug, Clone, PartialEq)]
pub struct Goal {
    /// The id within the year.
    pub id: String,
    /// The task of the report that it belongs to.
    pub task: Task,
    /// The title in Chinese.
    pub title_zh: String,
    /// The title in English.
    pub title_en: String,
    /// The metric's id.
    pub metric: String,
    /// The metric's chosen parameters.
    pub parameters: BTreeMap<String, String>,
    /// The scope, or members at once as in `towns/*`.
    pub scope: String,
    /// What of the metric counts.
    pub measure: Measure,
    /// The number of the year before; `None` to compute it.
    pub baseline: Option<f64>,
    /// The target, or the bound of a ceiling or a warning.
    pub target: Target,
    /// The side of the target to be on.
    pub side: Side,
    /// How binding it is.
    pub kind: Kind,
    /// The last day on which the target can be met.
    pub due: NaiveDate,
    /// The unit that answers for it.
    pub owner: String,
    /// The way to the target.
    pub path: Path,
    /// Targets of their own.
    pub target_for: Vec<TargetFor>,
    /// Where the target comes from.
    pub source: String,
    /// What has to be known to read it.
    pub note: Option<String>,
    /// The goal as JSON with sorted keys, by which a change is seen.
    text: String,
}

impl Goal {
    /// The goal as JSON with sorted keys: equal texts are equal goals, whatever their layout and comments.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// The goals of a year.
#[derive(Debug, Clone, PartialEq)]
pub struct Goals {
    file: String,
    year: i32,
    title_zh: String,
    title_en: String,
    goals: Vec<Goal>,
}

impl Goals {
    /// Reads `sql/goals/YEAR.toml` and checks it against the metrics.
    ///
    /// An unlawful or contradictory goal refuses the whole file, naming the goal and what to do. A goal of a metric
    /// that does not exist is no error here: its progress is unknown, with the reason.
    pub fn load(definitions: &Definitions, catalogue: &Catalogue, year: i32) -> Result<Self> {
        let path = format!("goals/{year}.toml");
        let years: Vec<&str> =
            definitions.in_folder("goals", "toml").map(|(name, _)| name).collect();
        if !years.contains(&year.to_string().as_str()) {
            return Err(Error::Request(format!(
                "there are no goals for {year}; sql/goals has {}",
                years.join(", ")
            )));
        }
        let file = format!("sql/{path}");
        let goals = Self::parse(&file, definitions.file(&path)?)?;
        if goals.year != year {
            return Err(Error::definition(
                file,
                format!("key `year` is {}", goals.year),
                format!("write year = {year}, or rename the file"),
            ));
        }
        goals.check(catalogue)?;
        Ok(goals)
    }

    /// Reads goals from text; `file` names it in errors. What takes the metrics is left to [`Goals::check`].
    pub fn parse(file: &str, text: &str) -> Result<Self> {
        file::parse(file, text)
    }

    /// Refuses goals that their metrics do not allow.
    pub fn check(&self, catalogue: &Catalogue) -> Result<()> {
        for goal in &self.goals {
            if let Ok(metric) = catalogue.get(&goal.metric) {
                may_be_goal(goal, metric.kind(), metric.direction())
                    .map_err(|problem| problem.of_goal(&self.file, &goal.id))?;
            }
        }
        Ok(())
    }

    /// The year.
    pub fn year(&self) -> i32 {
        self.year
    }

    /// The title in Chinese.
    pub fn title_zh(&self) -> &str {
        &self.title_zh
    }

    /// The title in English.
    pub fn title_en(&self) -> &str {
        &self.title_en
    }

    /// The goals in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &Goal> {
        self.goals.iter()
    }

    /// A goal.
    pub fn get(&self, id: &str) -> Option<&Goal> {
        self.goals.iter().find(|goal| goal.id == id)
    }
}

/// Why a goal is refused, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Problem {
    problem: String,
    remedy: &'static str,
}

impl Problem {
    fn new(problem: impl Into<String>, remedy: &'static str) -> Self {
        Self { problem: problem.into(), remedy }
    }

    fn of_goal(self, file: &str, id: &str) -> Error {
        Error::definition(file, format!("goal `{id}`: {}", self.problem), self.remedy)
    }
}

/// Whether a goal is one that a metric of this kind and direction may have.
fn may_be_goal(goal: &Goal, kind: MetricKind, direction: Direction) -> Result<(), Problem> {
    let named = format!("metric `{}` is {}", goal.metric, named(direction));
    let no =
        |what: &str, remedy: &'static str| Err(Problem::new(format!("{named}, {what}"), remedy));
    match (direction, goal.kind) {
        (Direction::Guardrail, Kind::Target | Kind::Ceiling) => {
            return no(
                "which is never a target",
                "write kind = \"warning\": tying it to appraisal is unlawful (行政处罚法 art. 74)",
            );
        }
        (Direction::Neutral, Kind::Target) => {
            return no(
                "which is never a target",
                "write kind = \"warning\", or kind = \"ceiling\" where policy asks for less; more of it is never asked for (国办发〔2024〕54号)",
            );
        }
        (Direction::Guardrail | Direction::Neutral, _) | (Direction::Down, Kind::Ceiling) => {}
        (_, Kind::Warning | Kind::Ceiling) => {
            return no("which has a better side", "write kind = \"target\", or leave `kind` out");
        }
        (Direction::Up | Direction::Compliance, Kind::Target) if goal.side == Side::AtMost => {
            return no("and the goal is at_most", "write direction = \"at_least\"");
        }
        (Direction::Down, Kind::Target) if goal.side == Side::AtLeast => {
            return no("and the goal is at_least", "write direction = \"at_most\"");
        }
        (_, Kind::Target) => {}
    }
    if goal.measure == Measure::YearToDate && kind == MetricKind::Gauge {
        return Err(Problem::new(
            format!("metric `{}` is a gauge and has no number since 1 January", goal.metric),
            "write measure = \"state\"",
        ));
    }
    let is_share = kind == MetricKind::Ratio && goal.kind == Kind::Target;
    let targets = std::iter::once(goal.target).chain(goal.target_for.iter().map(|own| own.target));
    for target in targets {
        if let Target::Value(value) = target
            && is_share
            && !(0.0..=1.0).contains(&value)
        {
            return Err(Problem::new(
                format!("target {value} is not a share"),
                "write a ratio's target as a share: 0.7 for 70 %",
            ));
        }
    }
    Ok(())
}

fn named(direction: Direction) -> &'static str {
    match direction {
        Direction::Up => "better when higher",
        Direction::Down => "better when lower",
        Direction::Neutral => "neutral",
        Direction::Guardrail => "a guardrail",
        Direction::Compliance => "a matter of compliance",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn goal(kind: Kind, side: Side, target: Target) -> Goal {
        Goal {
            id: "goal".to_owned(),
            task: Task::ClosedLoop,
            title_zh: String::new(),
            title_en: String::new(),
            metric: "metric".to_owned(),
            parameters: BTreeMap::new(),
            scope: "district".to_owned(),
            measure: Measure::YearToDate,
            baseline: None,
            target,
            side,
            kind,
            due: NaiveDate::from_ymd_opt(2025, 12, 31).unwrap(),
            owner: "司法局".to_owned(),
            path: Path::Linear,
            target_for: Vec::new(),
            source: "set here".to_owned(),
            note: None,
            text: String::new(),
        }
    }

    #[test]
    fn a_direction_says_what_may_be_asked_for() {
        use Direction::{Compliance, Down, Guardrail, Neutral, Up};
        use Kind::{Ceiling, Target as Reach, Warning};
        use Side::{AtLeast, AtMost};
        let table = [
            (Up, Reach, AtLeast, true),
            (Up, Reach, AtMost, false),
            (Compliance, Reach, AtLeast, true),
            (Compliance, Reach, AtMost, false),
            (Down, Reach, AtMost, true),
            (Down, Reach, AtLeast, false),
            (Down, Ceiling, AtMost, true),
            (Up, Warning, AtMost, false),
            (Up, Ceiling, AtMost, false),
            (Neutral, Reach, AtMost, false),
            (Neutral, Reach, AtLeast, false),
            (Neutral, Ceiling, AtMost, true),
            (Neutral, Warning, AtMost, true),
            (Guardrail, Reach, AtMost, false),
            (Guardrail, Reach, AtLeast, false),
            (Guardrail, Ceiling, AtMost, false),
            (Guardrail, Warning, AtMost, true),
        ];
        for (direction, kind, side, is_allowed) in table {
            let goal = goal(kind, side, Target::Value(0.5));
            let found = may_be_goal(&goal, MetricKind::Count, direction);
            assert_eq!(found.is_ok(), is_allowed, "{direction:?} {kind:?} {side:?}");
        }
    }

    #[test]
    fn a_share_is_written_as_one_and_a_gauge_has_no_sum() {
        let whole = |kind, target| {
            may_be_goal(&goal(Kind::Target, Side::AtLeast, target), kind, Direction::Up)
        };
        assert!(whole(MetricKind::Ratio, Target::Value(70.0)).is_err());
        assert!(whole(MetricKind::Count, Target::Value(70.0)).is_ok());
        assert!(whole(MetricKind::Ratio, Target::Change(1.5)).is_ok());
        assert!(whole(MetricKind::Gauge, Target::Value(2.0)).is_err());
    }

    #[test]
    fn a_relative_target_takes_a_baseline() {
        assert_eq!(Target::Value(3.0).resolve(None), Some(3.0));
        assert_eq!(Target::Change(-0.2).resolve(Some(100.0)), Some(80.0));
        assert_eq!(Target::Change(-0.2).resolve(None), None);
        assert_eq!(Target::Change(-0.2).resolve(Some(0.0)), None);
    }
}
