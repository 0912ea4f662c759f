//! Rollups follow the log: what a commit touched is computed anew, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use pipeline::definition::Definitions;
use pipeline::query::Reader;
use proptest::prelude::*;
use proptest::test_runner::Config;

use crate::harness::{Line, TestLake, line};

/// Every stored row, by rollup; sets of officers stand there as their bytes.
const ROLLUPS: [(&str, &str); 9] = [
    (
        "officer_days",
        "select event_date, org_id, level, encode(officers, 'hex') as officers, event_month",
    ),
    (
        "officer_days_all",
        "select event_date, level, encode(officers, 'hex') as officers, event_month",
    ),
    ("officer_days_flat", "select event_date, concat(org_id, ' ', level), officer_id, event_month"),
    ("org_days", "select *"),
    (
        "field_days",
        "select event_date, concat(source, ' ', event_type), concat(field, ' ', kind), events, event_month",
    ),
    ("inspections", "select *"),
    ("cases", "select *"),
    ("acts", "select *"),
    ("officer_numbers", "select *"),
];

fn rollups(lake: &TestLake) -> BTreeMap<&'static str, Vec<String>> {
    let view = lake.view();
    ROLLUPS
        .iter()
        .map(|(name, columns)| {
            let sql = format!("{columns} from {name} order by 1, 2, 3");
            (*name, crate::harness::rows(&view, &sql))
        })
        .collect()
}

/// The rows that a change took away, with `-`, and those that it brought, with `+`.
fn difference(before: &[String], after: &[String]) -> Vec<String> {
    let taken = before.iter().filter(|row| !after.contains(row)).map(|row| format!("- {row}"));
    let brought = after.iter().filter(|row| !before.contains(row)).map(|row| format!("+ {row}"));
    taken.chain(brought).collect()
}

/// Officers whom every lake of this module registers first, so that their numbers are the same.
const OFFICERS: &str =
    "officer_id,org_id\na,longta\nb,longta\nc,longta\nd,yuehu\ne,yuehu\nf,market\n";

/// Enough events that a few more are no reason to compute everything anew.
fn base() -> Vec<Line> {
    let mut lines = Vec::new();
    for number in 0..20 {
        let day = format!("2024-01-{:02}", number + 1);
        let id = format!("base-{number}");
        lines.push(line(&id, "patrol.recorded", &day, "longta").officers(&["a", "b"]).object(&id));
    }
    let case = |id: &str, event_type: &str, day: &str| {
        line(id, event_type, day, "yuehu").officers(&["d", "e"]).object("c-1")
    };
    lines.extend([
        case("filed", "case.filed", "2024-01-10").attribute("procedure", "ordinary"),
        case("decided", "case.decided", "2024-02-10"),
        case("closed", "case.closed", "2024-02-20"),
        line("visit", "inspection.finished", "2024-02-05", "longta")
            .officers(&["a", "c"])
            .object("i-1")
            .attribute("kind", "routine")
            .attribute("result", "ordered"),
    ]);
    lines
}

/// The rollups as people read them.
const READABLE: [(&str, &str); 5] = [
    (
        "officer_days",
        "select event_date, org_id, level, set_count(officers) from officer_days where level = 'L2'",
    ),
    ("org_days", "select event_date, org_id, event_type, events from org_days"),
    (
        "inspections",
        "select inspection_id, org_id, kind, result, finished_date, event_month from inspections",
    ),
    (
        "cases",
        "select case_id, org_id, steps, filed_date, decided_date, closed_date, event_month from cases",
    ),
    ("acts", "select event_date, event_id, event_type, org_id from acts"),
];

/// Lands a change on the base and checks how many days or objects each rollup computed, and which
/// rows went and came. A rollup that is not named has no difference; acts go by days like the first two.
#[track_caller]
fn check(change: &[Line], touched: [u64; 4], expected: &[(&str, &[&str])]) {
    let touched = [touched[0], touched[1], touched[2], touched[3], touched[0]];
    let mut lake = TestLake::new();
    lake.reference("officers", OFFICERS);
    lake.land(&base());
    lake.refresh();
    let read = |lake: &TestLake| -> Vec<Vec<String>> {
        let view = lake.view();
        READABLE.iter().map(|(_, sql)| crate::harness::rows(&view, sql)).collect()
    };
    let before = read(&lake);
    lake.land(change);
    let refreshed = lake.refresh();
    let after = read(&lake);

    let counts: BTreeMap<&str, Option<u64>> =
        refreshed.iter().map(|done| (done.model.as_str(), done.touched)).collect();
    for ((name, _), touched) in READABLE.iter().zip(touched) {
        assert_eq!(counts.get(name), Some(&Some(touched)), "touched in {name}");
    }
    let expected: BTreeMap<&str, &[&str]> = expected.iter().copied().collect();
    for (position, (name, _)) in READABLE.iter().enumerate() {
        let difference = difference(&before[position], &after[position]);
        assert_eq!(difference, expected.get(name).copied().unwrap_or_default(), "{name}");
    }
    // A lake that had everything from the start says the same.
    let mut anew = TestLake::new();
    anew.reference("officers", OFFICERS);
    anew.land(&[base(), change.to_vec()].concat());
    anew.refresh();
    assert_eq!(rollups(&lake), rollups(&anew));
}

#[test]
fn a_late_event_adds_to_its_day_alone() {
    check(
        &[line("late", "patrol.recorded", "2023-03-05", "longta")
            .officers(&["a"])
            .object("p-late")],
        [1, 1, 1, 1],
        &[
            ("officer_days", &["+ 2023-03-05 longta L2 1"]),
            ("org_days", &["+ 2023-03-05 longta patrol.recorded 1"]),
            ("inspections", &["+ p-late longta patrol NULL 2023-03-05 2023-03"]),
        ],
    );
}

#[test]
fn what_is_neither_login_inspection_nor_case_is_an_act() {
    check(
        &[line("o", "opinion.issued", "2024-01-03", "yuehu").officers(&["d"]).object("o-1")],
        [1, 1, 1, 1],
        &[
            ("officer_days", &["+ 2024-01-03 yuehu L2 1"]),
            ("org_days", &["+ 2024-01-03 yuehu opinion.issued 1"]),
            ("acts", &["+ 2024-01-03 o opinion.issued yuehu"]),
        ],
    );
}

#[test]
fn an_event_on_a_day_that_has_some_joins_them() {
    check(
        &[line("more", "patrol.recorded", "2024-01-03", "longta")
            .officers(&["b", "c"])
            .object("p-more")],
        [1, 1, 1, 1],
        &[
            ("officer_days", &["- 2024-01-03 longta L2 2", "+ 2024-01-03 longta L2 3"]),
            (
                "org_days",
                &["- 2024-01-03 longta patrol.recorded 1", "+ 2024-01-03 longta patrol.recorded 2"],
            ),
            ("inspections", &["+ p-more longta patrol NULL 2024-01-03 2024-01"]),
        ],
    );
}

#[test]
fn a_revision_moves_an_event_to_another_day_and_month() {
    check(
        &[line("base-2", "patrol.recorded", "2024-04-09", "longta")
            .officers(&["a"])
            .object("base-2")
            .revision(1)],
        [2, 2, 1, 1],
        &[
            ("officer_days", &["- 2024-01-03 longta L2 2", "+ 2024-04-09 longta L2 1"]),
            (
                "org_days",
                &["- 2024-01-03 longta patrol.recorded 1", "+ 2024-04-09 longta patrol.recorded 1"],
            ),
            (
                "inspections",
                &[
                    "- base-2 longta patrol NULL 2024-01-03 2024-01",
                    "+ base-2 longta patrol NULL 2024-04-09 2024-04",
                ],
            ),
        ],
    );
}

#[test]
fn a_revision_moves_an_event_to_another_unit() {
    check(
        &[line("base-2", "patrol.recorded", "2024-01-03", "market")
            .officers(&["f"])
            .object("base-2")
            .revision(1)],
        [1, 1, 1, 1],
        &[
            ("officer_days", &["- 2024-01-03 longta L2 2", "+ 2024-01-03 market L2 1"]),
            (
                "org_days",
                &["- 2024-01-03 longta patrol.recorded 1", "+ 2024-01-03 market patrol.recorded 1"],
            ),
            (
                "inspections",
                &[
                    "- base-2 longta patrol NULL 2024-01-03 2024-01",
                    "+ base-2 market patrol NULL 2024-01-03 2024-01",
                ],
            ),
        ],
    );
}

#[test]
fn a_revision_moves_a_step_to_another_case() {
    check(
        &[line("closed", "case.closed", "2024-02-20", "yuehu")
            .officers(&["d", "e"])
            .object("c-2")
            .revision(1)],
        [1, 1, 2, 2],
        &[(
            "cases",
            &[
                "- c-1 yuehu 3 2024-01-10 2024-02-10 2024-02-20 2024-01",
                "+ c-1 yuehu 2 2024-01-10 2024-02-10 NULL 2024-01",
                "+ c-2 yuehu 1 NULL NULL 2024-02-20 2024-02",
            ],
        )],
    );
}

#[test]
fn a_case_moves_to_another_month_whole() {
    check(
        &[line("filed", "case.filed", "2023-12-20", "yuehu")
            .officers(&["d", "e"])
            .object("c-1")
            .attribute("procedure", "ordinary")
            .revision(1)],
        [2, 2, 1, 1],
        &[
            ("officer_days", &["- 2024-01-10 yuehu L2 2", "+ 2023-12-20 yuehu L2 2"]),
            ("org_days", &["- 2024-01-10 yuehu case.filed 1", "+ 2023-12-20 yuehu case.filed 1"]),
            (
                "cases",
                &[
                    "- c-1 yuehu 3 2024-01-10 2024-02-10 2024-02-20 2024-01",
                    "+ c-1 yuehu 3 2023-12-20 2024-02-10 2024-02-20 2023-12",
                ],
            ),
        ],
    );
}

#[test]
fn credentials_that_were_shown_in_the_month_before_a_check_belong_to_it() {
    let step = |event_type: &str, day: &str, object: &str| {
        let id = format!("{event_type}-{object}");
        line(&id, event_type, day, "longta").officers(&["a", "b"]).object(object)
    };
    let shown = |object| step("credential.shown", "2024-01-31", object);
    let earlier =
        [base(), vec![shown("i-8"), shown("i-9"), step("code.scanned", "2023-12-31", "i-9")]];
    let check = step("inspection.finished", "2024-02-01", "i-9").attribute("kind", "routine");
    let mut lake = TestLake::new();
    lake.reference("officers", OFFICERS);
    lake.land(&earlier.concat());
    lake.refresh();
    lake.land(std::slice::from_ref(&check));
    lake.refresh();
    let checks = "select inspection_id, first_month, event_month, \
                  credential_shown_at is not null and code_scanned_at is not null from inspections \
                  where inspection_id in ('i-8', 'i-9')";
    assert_eq!(lake.rows(checks), ["i-9 2023-12 2024-02 true"]);
    let mut anew = TestLake::new();
    anew.reference("officers", OFFICERS);
    anew.land(&[earlier.concat(), vec![check]].concat());
    anew.refresh();
    assert_eq!(rollups(&lake), rollups(&anew));
}

#[test]
fn a_deletion_takes_away_what_the_event_brought() {
    check(
        &[
            line("visit", "inspection.finished", "2024-02-05", "longta").revision(1).delete(),
            line("decided", "case.decided", "2024-02-10", "yuehu")
                .object("c-1")
                .revision(4)
                .delete(),
        ],
        [2, 2, 2, 2],
        &[
            ("officer_days", &["- 2024-02-05 longta L2 2", "- 2024-02-10 yuehu L2 2"]),
            (
                "org_days",
                &["- 2024-02-05 longta inspection.finished 1", "- 2024-02-10 yuehu case.decided 1"],
            ),
            ("inspections", &["- i-1 longta routine ordered 2024-02-05 2024-02"]),
            (
                "cases",
                &[
                    "- c-1 yuehu 3 2024-01-10 2024-02-10 2024-02-20 2024-01",
                    "+ c-1 yuehu 2 2024-01-10 NULL 2024-02-20 2024-01",
                ],
            ),
        ],
    );
}

#[test]
fn a_lower_revision_that_comes_after_a_higher_one_changes_nothing() {
    let moved = |day: &str, revision: i64| {
        line("base-2", "patrol.recorded", day, "longta")
            .officers(&["a"])
            .object("base-2")
            .revision(revision)
    };
    let mut lake = TestLake::new();
    lake.reference("officers", OFFICERS);
    lake.land(&base());
    lake.land(&[moved("2024-04-09", 3)]);
    lake.refresh();
    let before = rollups(&lake);
    assert_eq!(lake.land(&[moved("2024-05-09", 2)]).landed, 1);
    lake.refresh();
    assert_eq!(rollups(&lake), before);
    // A deletion that has been superseded does not delete.
    assert_eq!(lake.land(&[moved("2024-06-09", 1).delete()]).landed, 1);
    lake.refresh();
    assert_eq!(rollups(&lake), before);
}

#[test]
fn an_event_that_was_withdrawn_can_come_back() {
    let with = |revision: i64| {
        line("base-2", "patrol.recorded", "2024-01-03", "longta")
            .officers(&["a", "b"])
            .object("base-2")
            .revision(revision)
    };
    let mut lake = TestLake::new();
    lake.reference("officers", OFFICERS);
    lake.land(&base());
    lake.refresh();
    let before = rollups(&lake);
    lake.land(&[with(1).delete()]);
    lake.refresh();
    assert_eq!(lake.rows("select count(*) from inspections where inspection_id = 'base-2'"), ["0"]);
    lake.land(&[with(2)]);
    lake.refresh();
    assert_eq!(rollups(&lake), before);
}

#[test]
fn refused_lines_touch_nothing() {
    let mut lake = TestLake::new();
    lake.land(&base());
    lake.refresh();
    let before = rollups(&lake);
    lake.land_as(&crate::harness::native(), "events.ndjson", b"{broken\n").unwrap();
    let refreshed = lake.refresh();
    assert!(refreshed.iter().all(|done| done.touched == Some(0) && done.rows == 0));
    assert_eq!(rollups(&lake), before);
    assert!(lake.refresh().is_empty());
}

/// Every file of a lake below one folder.
fn files(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path);
        }
    }
    found
}

#[test]
fn rollups_that_are_made_in_many_passes_are_what_one_pass_makes() {
    let lines: Vec<Line> = base()
        .into_iter()
        .chain((0..30).flat_map(|number| {
            let (case, filed) = (format!("case-{number}"), format!("2024-0{}-11", number % 3 + 1));
            let step = |step: &str, day: &str| {
                line(&format!("{case}-{step}"), step, day, "longta")
                    .officers(&["a", "d"])
                    .object(&case)
            };
            [step("case.filed", &filed), step("case.closed", "2024-05-20")]
        }))
        .chain([
            line("nothing", "patrol.recorded", "2024-02-03", "yuehu").officers(&["d"]),
            line("opinion", "opinion.issued", "2024-03-04", "market").object("opinion-1"),
        ])
        .collect();
    let made = |most: u64| {
        let mut lake = TestLake::new();
        lake.reference("officers", OFFICERS);
        lake.land(&lines);
        lake.refresh_in_passes(most);
        rollups(&lake)
    };
    let at_once = made(u64::MAX);
    assert!(at_once.values().all(|rows| !rows.is_empty()));
    for most in [1, 7, 40] {
        assert_eq!(made(most), at_once, "{most} at once");
    }
}

#[test]
fn a_second_refresh_writes_nothing() {
    let mut lake = TestLake::new();
    lake.reference("officers", OFFICERS);
    assert_eq!(lake.refresh().len(), 8, "an empty lake has empty rollups");
    assert!(lake.refresh().is_empty());
    lake.land(&base());
    assert_eq!(lake.refresh().len(), 8);
    let before = files(lake.root());
    assert!(lake.refresh().is_empty());
    assert_eq!(files(lake.root()), before);
}

#[test]
fn months_that_a_commit_does_not_touch_keep_their_files() {
    let mut lake = TestLake::new();
    lake.reference("officers", OFFICERS);
    lake.land(&base());
    lake.refresh();
    let rollups = lake.root().join("rollups");
    let before = files(&rollups);
    lake.land(&[line("more", "patrol.recorded", "2024-01-03", "longta").object("p-more")]);
    lake.refresh();
    let written: BTreeSet<String> = files(&rollups)
        .difference(&before)
        .filter(|path| path.extension().is_some_and(|extension| extension == "parquet"))
        .map(|path| path.parent().unwrap().strip_prefix(&rollups).unwrap().display().to_string())
        .collect();
    let days = ["officer_days", "officer_days_all", "officer_days_flat", "org_days"];
    let expected = ["field_days", "inspections"]
        .into_iter()
        .chain(days)
        .map(|model| format!("{model}/event_month=2024-01"));
    assert_eq!(written, expected.collect());
}

#[test]
fn a_model_with_another_query_is_computed_anew() {
    let mut lake = TestLake::new();
    lake.land(&base());
    lake.refresh();
    let folder = lake.root().parent().unwrap().join("sql");
    std::fs::create_dir_all(folder.join("models")).unwrap();
    let shipped = include_str!("../../../sql/models/org_days.sql");
    let patrols =
        shipped.replace("from events", "from events where event_type = 'patrol.recorded'");
    std::fs::write(folder.join("models/org_days.sql"), patrols).unwrap();
    let other = Definitions::load(Some(&folder)).unwrap();
    let refreshed = lake.refresh_by(&other);
    let models: Vec<&str> = refreshed.iter().map(|done| done.model.as_str()).collect();
    assert_eq!(models, ["org_days"]);
    assert_eq!(lake.rows("select distinct event_type from org_days"), ["patrol.recorded"]);
    assert!(lake.refresh_by(&other).is_empty());
}

#[test]
fn what_is_made_of_a_rollup_with_another_query_is_computed_anew() {
    let mut lake = TestLake::new();
    lake.land(&base());
    lake.refresh();
    let folder = lake.root().parent().unwrap().join("sql");
    std::fs::create_dir_all(folder.join("models")).unwrap();
    let shipped = include_str!("../../../sql/models/officer_days.sql");
    let field_work = format!("select * from ({shipped}) where level = 'FW'");
    let header: Vec<&str> = shipped.lines().filter(|line| line.starts_with("--")).collect();
    let file = folder.join("models/officer_days.sql");
    std::fs::write(file, format!("{}\n{field_work}", header.join("\n"))).unwrap();
    let other = Definitions::load(Some(&folder)).unwrap();
    let refreshed = lake.refresh_by(&other);
    let models: Vec<&str> = refreshed.iter().map(|done| done.model.as_str()).collect();
    assert_eq!(models, ["officer_days", "officer_days_all", "officer_days_flat"]);
    assert_eq!(lake.rows("select distinct level from officer_days_flat"), ["FW"]);
    assert!(lake.refresh_by(&other).is_empty());
}

#[test]
fn without_rows_for_other_engines_sql_has_them_still() {
    let mut lake = TestLake::new();
    lake.land(&base());
    lake.refresh();
    let rows = "select * from officer_days_flat order by 1, 2, 3, 4";
    let stored = lake.rows(rows);
    assert!(stored.len() > 20);
    let folder = tempfile::TempDir::new().unwrap();
    std::fs::create_dir_all(folder.path().join("models")).unwrap();
    let shipped = include_str!("../../../sql/models/officer_days_flat.sql");
    let of_rollups = ["-- partition", "-- refresh_by", "-- of"];
    let view: Vec<&str> = shipped
        .lines()
        .filter(|line| !of_rollups.iter().any(|key| line.starts_with(key)))
        .map(|line| if line.starts_with("-- kind") { "-- kind = \"view\"" } else { line })
        .collect();
    std::fs::write(folder.path().join("models/officer_days_flat.sql"), view.join("\n")).unwrap();
    let definitions = std::sync::Arc::new(Definitions::load(Some(folder.path())).unwrap());
    std::fs::remove_dir_all(lake.root().join("rollups/officer_days_flat")).unwrap();
    lake.land(&[line("more", "patrol.recorded", "2024-01-03", "longta").officers(&["a"])]);
    lake.refresh_by(&definitions);
    assert!(!lake.root().join("rollups/officer_days_flat").exists());
    let reader = Reader::open(lake.root(), definitions);
    let view = crate::harness::wait(reader).unwrap().view();
    assert_eq!(crate::harness::rows(&view, rows), stored);
}

#[test]
fn a_rollup_of_something_that_is_no_rollup_of_events_is_refused() {
    let folder = tempfile::TempDir::new().unwrap();
    std::fs::create_dir_all(folder.path().join("models")).unwrap();
    let shipped = include_str!("../../../sql/models/officer_days_flat.sql");
    for of in ["opinions", "officer_days_flat", "nothing"] {
        let text = shipped.replace("of = \"officer_days\"", &format!("of = \"{of}\""));
        std::fs::write(folder.path().join("models/officer_days_flat.sql"), text).unwrap();
        let definitions = Definitions::load(Some(folder.path())).unwrap();
        let told = pipeline::model::Model::all(&definitions).unwrap_err().to_string();
        assert!(told.contains("sql/models/officer_days_flat.sql") && told.contains(of), "{told}");
    }
}

#[test]
fn officers_keep_their_numbers_when_others_come() {
    let numbers = "select officer_id, officer_no from officer_numbers order by officer_id";
    let mut lake = TestLake::new();
    lake.land(&[line("1", "patrol.recorded", "2024-01-03", "yuehu").officers(&["m", "z"])]);
    lake.refresh();
    assert_eq!(lake.rows(numbers), ["m 0", "z 1"]);
    lake.land(&[line("2", "patrol.recorded", "2024-01-04", "yuehu").officers(&["a", "m"])]);
    lake.land(&[line("3", "patrol.recorded", "2024-01-04", "longta").officers(&["b"])]);
    lake.refresh();
    assert_eq!(lake.rows(numbers), ["a 2", "b 64", "m 0", "z 1"]);
    // The reference may bring officers before any event does.
    lake.reference("officers", "officer_id,org_id\nnew,longta\n");
    lake.refresh();
    assert_eq!(lake.rows(numbers), ["a 2", "b 64", "m 0", "new 65", "z 1"]);
}

/// A line of any kind: some events have several revisions, and any revision may be anything.
fn any_line() -> impl Strategy<Value = Line> {
    let event_type = proptest::sample::select(vec![
        "officer.login",
        "patrol.recorded",
        "inspection.started",
        "inspection.finished",
        "inspection.rectified",
        "credential.shown",
        "code.scanned",
        "case.filed",
        "case.decided",
        "case.closed",
        "case.withdrawn",
        "drone.flown",
    ]);
    let officers = proptest::sample::subsequence(vec!["a", "b", "c", "d", "e", "f"], 0..=3);
    let org = proptest::sample::select(vec!["longta", "yuehu", "market"]);
    let object = proptest::option::weighted(0.8, 0..6u32);
    (event_type, officers, org, object, 0..25u32, 0..3i64, 1..140u32, prop::bool::weighted(0.2))
        .prop_map(|(event_type, officers, org, object, id, revision, day, is_delete)| {
            let day = format!("2024-{:02}-{:02}", 1 + day / 28, 1 + day % 28);
            let mut made = line(&format!("e-{id}"), event_type, &day, org)
                .officers(&officers)
                .revision(revision)
                .attribute("result", "ordered");
            if let Some(object) = object {
                made = made.object(&format!("o-{object}"));
            }
            if is_delete && revision > 0 { made.delete() } else { made }
        })
}

proptest! {
    #![proptest_config(Config { cases: 4, failure_persistence: None, ..Config::default() })]

    #[test]
    fn many_small_refreshes_equal_one_and_a_rebuild(
        first in proptest::collection::vec(any_line(), 20..40),
        later in proptest::collection::vec(proptest::collection::vec(any_line(), 1..8), 2..4),
    ) {
        // One line for each event and revision: which of two different ones is kept is a matter of order.
        let mut known = BTreeSet::new();
        let mut unique = |lines: Vec<Line>| -> Vec<Line> {
            lines.into_iter().filter(|line| known.insert(line.identity())).collect()
        };
        let first = unique(first);
        let later: Vec<Vec<Line>> = later.into_iter().map(&mut unique).collect();

        let mut often = TestLake::new();
        let mut twice = TestLake::new();
        let mut anew = TestLake::new();
        for lake in [&mut often, &mut twice, &mut anew] {
            lake.reference("officers", OFFICERS);
        }
        for lake in [&mut often, &mut twice] {
            lake.land(&first);
            lake.refresh();
        }
        for lines in &later {
            often.land(lines);
            often.refresh();
            twice.land(lines);
        }
        twice.refresh();
        let all = [first, later.concat()].concat();
        anew.land(&all);
        anew.refresh();
        let expected = rollups(&anew);
        prop_assert_eq!(rollups(&often), expected.clone());
        prop_assert_eq!(rollups(&twice), expected);
    }
}
