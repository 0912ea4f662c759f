//! Goals on a lake: where they stand, what cannot be told, what is refused, and which changes are kept.

use std::sync::{Arc, LazyLock};

use chrono::{Days, NaiveDate};
use pipeline::definition::Definitions;
use pipeline::goal::{self, Backtest, ChangeKind, Goals, Progress, Status, Task};
use pipeline::lake::Lake;
use pipeline::metric::Catalogue;
use pipeline::query::Reader;

use crate::harness::{Line, TestLake, day, line, rows, simulated_district, wait};

static DEFINITIONS: LazyLock<Arc<Definitions>> =
    LazyLock::new(|| Arc::new(Definitions::load(None).unwrap()));

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::load(&DEFINITIONS).unwrap());

/// A goal of 2025 over the whole district, due at its end; `keys` are the other lines.
fn written(id: &str, keys: &str) -> String {
    format!(
        "[[goal]]\nid = \"{id}\"\ntask = \"supervision_precise\"\ntitle_zh = \"{id}\"\ntitle_en = \"{id}\"\n\
         scope = \"district\"\ndue = 2025-12-31\nowner = \"司法局\"\nsource = \"set here\"\n{keys}\n"
    )
}

fn goals(texts: &[String]) -> Goals {
    let head = "year = 2025\ntitle_zh = \"目标\"\ntitle_en = \"Goals\"\n";
    Goals::parse("sql/goals/2025.toml", &format!("{head}{}", texts.concat())).unwrap()
}

/// The detection ratio of the year so far: at least `target`.
fn detection(target: f64) -> String {
    written(
        "detection",
        &format!(
            "metric = \"inspection_detection_ratio\"\nmeasure = \"year_to_date\"\ntarget = {target}\n\
             direction = \"at_least\"\npath = {{ kind = \"linear\" }}"
        ),
    )
}

fn visits(change: f64) -> String {
    written(
        "visits",
        &format!(
            "metric = \"firm_inspections\"\nmeasure = \"year_to_date\"\ntarget_change = {change}\n\
             direction = \"at_most\"\nkind = \"ceiling\"\npath = {{ kind = \"seasonal\" }}"
        ),
    )
}

/// Inspections of firms by two towns, four each week of 2024 and eight a week until 2025-06-30: one town always finds
/// a problem, the other never does.
fn lake() -> TestLake {
    let mut lake = TestLake::new();
    lake.reference("orgs", "org_id,kind,is_subject\nlongta,town,true\ndawan,town,true\n");
    let mut lines: Vec<Line> = Vec::new();
    let (first, last) = (day("2024-01-01"), day("2025-06-30"));
    for week in first.iter_days().step_by(7).take_while(|week| *week <= last) {
        let visits = if week < day("2025-01-01") { 2 } else { 4 };
        for visit in 0..visits {
            let on = week.checked_add_days(Days::new(visit)).unwrap().min(last);
            for (org, result) in [("longta", "ordered"), ("dawan", "no_problem")] {
                let id = format!("{org}-{week}-{visit}");
                let made = line(&id, "inspection.finished", &on.to_string(), org)
                    .officers(&["wang", "li"])
                    .object(&id)
                    .with("party_id", format!("firm-{id}"))
                    .attribute("kind", "routine")
                    .attribute("party_kind", "firm")
                    .attribute("result", result);
                lines.push(made);
            }
        }
    }
    lake.land(&lines);
    lake.refresh();
    lake
}

fn track(lake: &TestLake, goals: &Goals, as_of: NaiveDate) -> Vec<Progress> {
    wait(goal::track(&lake.view(), &CATALOGUE, goals, as_of)).unwrap()
}

#[track_caller]
fn near(found: Option<f64>, expected: f64) {
    let found = found.unwrap();
    assert!((found - expected).abs() < 1e-6 * expected.abs().max(1.0), "{found}, not {expected}");
}

#[test]
fn goals_stand_where_the_log_says() {
    let lake = lake();
    let goals = goals(&[detection(0.4), visits(-0.2)]);
    let progress = track(&lake, &goals, day("2025-06-30"));
    let [detection, visits] = &progress[..] else { panic!("{progress:?}") };
    near(detection.value, 0.5);
    near(detection.baseline, 0.5);
    near(detection.should_be, 0.4);
    assert_eq!(detection.status, Status::OnCourse);
    let forecast = detection.forecast.unwrap();
    assert!(forecast.low < 0.5 && 0.5 < forecast.high, "{forecast:?}");
    assert_eq!(forecast.method.name(), "seasonal");

    // 53 weeks begin in 2024, and 26 in the first half of 2025 with twice the visits.
    near(visits.baseline, 4.0 * 53.0);
    near(visits.target, 0.8 * 4.0 * 53.0);
    near(visits.value, 8.0 * 26.0);
    assert_eq!(visits.path, "seasonal");
    assert_eq!(visits.status, Status::OffCourse);
}

#[test]
fn a_state_is_read_from_the_28_days_before_today() {
    let lake = lake();
    let keys = "metric = \"firm_inspections\"\nmeasure = \"state\"\nwindow = \"28d\"\ntarget = 40\n\
        direction = \"at_most\"\nkind = \"ceiling\"\npath = { kind = \"linear\" }";
    let goals = goals(&[written("busy", keys)]);
    // 25 weeks after 1 January, so that one of the weekly values is that of the year's end.
    let progress = track(&lake, &goals, day("2025-06-25"));
    // Of the weeks of 26 May and 23 June two of four days, of the three between all four, by two towns.
    near(progress[0].value, 2.0 * (2.0 + 3.0 * 4.0 + 2.0));
    // 4 to 31 December: four weeks of two days, by two towns.
    near(progress[0].baseline, 16.0);
    assert_eq!(progress[0].forecast.unwrap().method.name(), "trend");
}

#[test]
fn every_unit_may_have_its_own_target_and_its_own_time() {
    let lake = lake();
    let own = "[[goal.target_for]]\nscope = \"towns/*\"\ntarget = 0.9\n\
        [[goal.target_for]]\nscope = \"dawan\"\nuntil = 2025-04-01\ntarget = 0.1\n\
        [[goal.target_for]]\nscope = \"dawan\"\nfrom = 2025-10-01\ntarget = 0.2\n";
    let goals = goals(&[detection(0.4) + own]);
    let found: Vec<_> = track(&lake, &goals, day("2025-06-30"))
        .into_iter()
        .map(|it| (it.scope_id, it.target, it.due.to_string(), it.status.name()))
        .collect();
    let expected = [
        ("district".to_owned(), Some(0.4), "2025-12-31".to_owned(), "on_course"),
        // The target until April is over, and the next has not begun.
        ("dawan".to_owned(), Some(0.1), "2025-03-31".to_owned(), "off_course"),
        ("longta".to_owned(), Some(0.9), "2025-12-31".to_owned(), "on_course"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn what_cannot_be_told_is_unknown_and_does_not_stop_the_others() {
    let lake = lake();
    let keys = |metric: &str, more: &str| {
        format!(
            "metric = \"{metric}\"\nmeasure = \"year_to_date\"\ntarget = 0.9\ndirection = \"at_least\"\n\
             path = {{ kind = \"linear\" }}\n{more}"
        )
    };
    let goals = goals(&[
        written("nowhere", &keys("no_such_metric", "")),
        written("nothing", &keys("legal_review_ratio", "")),
        written("wrong", &keys("officer_activity_ratio", "parameters = { level = \"L9\" }")),
        detection(0.4),
    ]);
    let progress = track(&lake, &goals, day("2025-06-30"));
    let names: Vec<_> = progress.iter().map(|it| it.status.name()).collect();
    assert_eq!(names, ["unknown", "unknown", "unknown", "on_course"]);
    let reason = |place: usize| progress[place].reason.clone().unwrap();
    assert!(reason(0).contains("there is no metric `no_such_metric`"), "{}", reason(0));
    assert!(reason(1).contains("nothing happened to divide by"), "{}", reason(1));
    assert!(reason(2).contains("parameter `level`"), "{}", reason(2));
}

#[test]
fn before_the_year_nothing_is_known_and_after_it_only_the_number_counts() {
    let lake = lake();
    let goals = goals(&[detection(0.5), visits(-0.2)]);
    let status = |as_of: &str| -> Vec<&str> {
        track(&lake, &goals, day(as_of)).iter().map(|it| it.status.name()).collect()
    };
    assert_eq!(status("2024-12-31"), ["unknown", "unknown"]);
    assert_eq!(status("2026-01-01"), ["met", "off_course"]);
}

#[test]
fn a_guardrail_is_refused_as_a_target_and_accepted_as_a_warning() {
    let fines = |kind: &str| {
        written(
            "fines",
            &format!(
                "metric = \"fine_growth_ratio\"\nmeasure = \"year_to_date\"\ntarget = 0.2\n\
                 direction = \"at_most\"\nkind = \"{kind}\"\npath = {{ kind = \"linear\" }}"
            ),
        )
    };
    let error = goals(&[fines("target")]).check(&CATALOGUE).unwrap_err().to_string();
    assert!(error.starts_with("sql/goals/2025.toml: goal `fines`: "), "{error}");
    assert!(error.contains("a guardrail, which is never a target"), "{error}");
    assert!(error.contains("kind = \"warning\""), "{error}");
    assert!(goals(&[fines("ceiling")]).check(&CATALOGUE).is_err());
    assert!(goals(&[fines("warning")]).check(&CATALOGUE).is_ok());
    let more = visits(-0.2).replace("firm_inspections", "inspections").replace("ceiling", "target");
    let error = goals(&[more]).check(&CATALOGUE).unwrap_err().to_string();
    assert!(error.contains("more of it is never asked for"), "{error}");
}

#[test]
fn the_shipped_goals_are_lawful_and_cover_every_task() {
    let goals = Goals::load(&DEFINITIONS, &CATALOGUE, 2025).unwrap();
    for task in Task::ALL {
        assert!(goals.iter().any(|goal| goal.task == task), "{}", task.name());
    }
    for goal in goals.iter() {
        let metric = CATALOGUE.get(&goal.metric).unwrap();
        metric.parameter_values(&goal.parameters).unwrap();
    }
    let error = Goals::load(&DEFINITIONS, &CATALOGUE, 1999).unwrap_err().to_string();
    assert!(error.contains("there are no goals for 1999"), "{error}");
}

#[test]
fn each_change_of_a_goal_is_kept_once_with_its_day() {
    let folder = tempfile::TempDir::new().unwrap();
    let mut lake = wait(Lake::open_or_create(&folder.path().join("lake"), None)).unwrap();
    let lock = wait(lake.lock()).unwrap();
    let record = |texts: &[String], on: &str| -> Vec<(String, ChangeKind, String)> {
        let changes = wait(goal::record(&lake, &lock, &goals(texts), day(on))).unwrap();
        changes.into_iter().map(|it| (it.goal_id, it.kind, it.keys.join(","))).collect()
    };
    let change = |id: &str, kind, keys: &str| (id.to_owned(), kind, keys.to_owned());
    let (both, one) = ([detection(0.4), visits(-0.2)], [detection(0.5)]);
    assert_eq!(
        record(&both, "2025-01-02"),
        [change("detection", ChangeKind::Added, ""), change("visits", ChangeKind::Added, "")]
    );
    assert_eq!(record(&both, "2025-01-03"), []);
    assert_eq!(
        record(&one, "2025-03-01"),
        [
            change("detection", ChangeKind::Changed, "target"),
            change("visits", ChangeKind::Removed, "")
        ]
    );
    assert_eq!(record(&one, "2025-03-02"), []);
    assert_eq!(record(&both[1..], "2025-03-03").len(), 2);
    let view = wait(Reader::open(lake.location(), Arc::clone(&DEFINITIONS))).unwrap().view();
    let found = rows(
        &view,
        "select changed_on, change, keys, json_get_float(text, 'target') as target \
         from goal_changes where year = 2025 and goal_id = 'detection' order by change_no",
    );
    let expected =
        ["2025-01-02 added  0.4", "2025-03-01 changed target 0.5", "2025-03-03 removed  0.5"];
    assert_eq!(found, expected);
}

#[test]
fn on_the_simulated_years_the_intervals_of_forecasts_hold_about_as_often_as_they_say() {
    let (lake, shipped) = (simulated_district(), Goals::load(&DEFINITIONS, &CATALOGUE, 2025));
    let (view, shipped) = (lake.view(), shipped.unwrap());
    let tried = wait(goal::try_forecasts(&view, &CATALOGUE, &shipped, "district")).unwrap();
    assert_eq!(tried.len(), shipped.iter().count());
    let mut all = Backtest::default();
    tried.iter().for_each(|goal| all.add(&goal.backtest));
    assert!(all.forecasts() > 400, "{} forecasts", all.forecasts());
    // Those of one goal are about one outcome, so that the whole misses 80 % by more than chance alone would.
    let coverage = all.coverage().unwrap();
    assert!((0.72..=0.95).contains(&coverage), "80 % intervals held {coverage} of what came");
}
