//! Distinct officers over any window and scope: the sets say what `count(distinct …)` says over raw events.

use std::collections::BTreeSet;

use chrono::{Days, NaiveDate};
use pipeline::metric::{Grain, Period, periods};
use pipeline::query::View;
use proptest::prelude::*;
use proptest::test_runner::Config;

use crate::harness::{Line, TestLake, ask_of, day, line, number, question, rows, unsuppressed};

/// A city of two districts. The east has a town, one that is abolished, and one that goes over to the west, where there is
/// an area of the same name; the west has a department with a team that comes to it later. `stranger` is a unit that only
/// events know.
const ORGS: &str = "\
org_id,kind,area,parent_id,valid_from,valid_to
city,municipality,,,2020-01-01,
east,district,,city,2020-01-01,
west,district,,city,2020-01-01,
longta,town,南部,east,2020-01-01,
old,town,南部,east,2020-01-01,2024-02-10
border,town,南部,east,2020-01-01,2024-02-15
border,town,南部,west,2024-02-15,
market,department,,west,2020-01-01,
team,team,,market,2024-02-05,
";

const UNITS: [&str; 6] = ["longta", "old", "border", "market", "team", "stranger"];

/// Each scope's units, with the days on which they belong to it, as the register above amounts to.
const SCOPE_UNITS: &str = "
    ('municipality', 'longta', '1900-01-01', '2100-01-01'), ('municipality', 'old', '1900-01-01', '2100-01-01'),
    ('municipality', 'border', '1900-01-01', '2100-01-01'), ('municipality', 'market', '1900-01-01', '2100-01-01'),
    ('municipality', 'team', '1900-01-01', '2100-01-01'), ('municipality', 'stranger', '1900-01-01', '2100-01-01'),
    ('city', 'longta', '2020-01-01', '2100-01-01'), ('city', 'old', '2020-01-01', '2024-02-10'),
    ('city', 'border', '2020-01-01', '2100-01-01'), ('city', 'market', '2020-01-01', '2100-01-01'),
    ('city', 'team', '2024-02-05', '2100-01-01'),
    ('east', 'longta', '2020-01-01', '2100-01-01'), ('east', 'old', '2020-01-01', '2024-02-10'),
    ('east', 'border', '2020-01-01', '2024-02-15'),
    ('west', 'border', '2024-02-15', '2100-01-01'), ('west', 'market', '2020-01-01', '2100-01-01'),
    ('west', 'team', '2024-02-05', '2100-01-01'),
    ('towns', 'longta', '2020-01-01', '2100-01-01'), ('towns', 'old', '2020-01-01', '2024-02-10'),
    ('towns', 'border', '2020-01-01', '2100-01-01'),
    ('east/towns', 'longta', '2020-01-01', '2100-01-01'), ('east/towns', 'old', '2020-01-01', '2024-02-10'),
    ('east/towns', 'border', '2020-01-01', '2024-02-15'),
    ('west/towns', 'border', '2024-02-15', '2100-01-01'),
    ('departments', 'market', '2020-01-01', '2100-01-01'),
    ('west/departments', 'market', '2020-01-01', '2100-01-01'),
    ('teams', 'team', '2024-02-05', '2100-01-01'), ('west/teams', 'team', '2024-02-05', '2100-01-01'),
    ('east/area:南部', 'longta', '2020-01-01', '2100-01-01'), ('east/area:南部', 'old', '2020-01-01', '2024-02-10'),
    ('east/area:南部', 'border', '2020-01-01', '2024-02-15'),
    ('west/area:南部', 'border', '2024-02-15', '2100-01-01'),
    ('longta', 'longta', '1900-01-01', '2100-01-01'), ('old', 'old', '1900-01-01', '2100-01-01'),
    ('border', 'border', '1900-01-01', '2100-01-01'),
    ('market', 'market', '1900-01-01', '2100-01-01'), ('market', 'team', '2024-02-05', '2100-01-01'),
    ('team', 'team', '1900-01-01', '2100-01-01'), ('stranger', 'stranger', '1900-01-01', '2100-01-01')";

const SCOPES: &str = "municipality,districts/*,city,towns,departments,teams,areas/*,east/towns,west/towns,\
    west/departments,west/teams,longta,old,border,market,team,stranger";

/// Each level with its event types and the days on which an officer needs one.
const LEVELS: [(&str, &str, u32); 3] = [
    ("L1", "event_type = 'officer.login'", 1),
    ("L2", "event_type in ('patrol.recorded', 'case.reviewed')", 1),
    ("L3", "event_type in ('patrol.recorded', 'case.reviewed')", 4),
];

/// 140 officers: two units have more than the 64 of a word of their set. Every seventh serves two units, every
/// fifth moves, every third is in no register.
fn officers() -> String {
    let mut csv = "officer_id,org_id,valid_from,valid_to\n".to_owned();
    for officer in 0..140 {
        let home = UNITS[officer % 2 * 3];
        if officer % 3 == 0 {
            continue;
        }
        if officer % 5 == 0 {
            csv.push_str(&format!("o-{officer},{home},2020-01-01,2024-02-01\n"));
            csv.push_str(&format!("o-{officer},border,2024-02-01,\n"));
        } else {
            csv.push_str(&format!("o-{officer},{home},2020-01-01,\n"));
        }
        if officer % 7 == 0 {
            csv.push_str(&format!("o-{officer},team,2020-01-01,\n"));
        }
    }
    csv
}

fn first_day() -> NaiveDate {
    day("2024-01-20")
}

/// A line within 45 days. Few days and officers are likely, so that someone is active on several of them.
fn any_line() -> impl Strategy<Value = Line> {
    let event_type = proptest::sample::select(vec![
        "officer.login",
        "officer.logout",
        "patrol.recorded",
        "patrol.recorded",
        "patrol.recorded",
        "case.reviewed",
        "training.completed",
        "drone.flown",
    ]);
    let officers = proptest::collection::btree_set(prop_oneof![3 => 0..5u32, 1 => 0..140u32], 1..4);
    let days = prop_oneof![10..20u64, 0..45u64];
    let clock = proptest::sample::select(vec!["00:00:00", "09:30:00", "23:59:59"]);
    let unit = proptest::sample::select(UNITS.to_vec());
    let revision =
        (0..600u32, prop_oneof![4 => Just(0i64), 1 => 1..3i64], prop::bool::weighted(0.3));
    (event_type, officers, days, clock, unit, revision).prop_map(
        |(event_type, officers, days, clock, unit, (id, revision, is_delete))| {
            let officers: Vec<String> =
                officers.iter().map(|number| format!("o-{number}")).collect();
            let day = first_day() + Days::new(days);
            let made = line(&format!("e-{id}"), event_type, &format!("{day}T{clock}+08:00"), unit)
                .officers(&officers)
                .revision(revision);
            if is_delete && revision > 0 { made.delete() } else { made }
        },
    )
}

/// Windows of any length, and a grain to cut them by.
fn any_window() -> impl Strategy<Value = (Period, Grain)> {
    let grain = proptest::sample::select(vec![Grain::Day, Grain::Week, Grain::Month, Grain::All]);
    (0..20u64, 6..46u64, grain).prop_map(|(from, length, grain)| {
        let start = first_day() + Days::new(from);
        (Period { start, end: start + Days::new(length) }, grain)
    })
}

/// The counts over raw events that are not 0, as rows of scope, first day of the period, officers.
fn oracle(view: &View, periods: &[Period], level: usize) -> BTreeSet<String> {
    let (_, types, needed_days) = LEVELS[level];
    let periods: Vec<String> =
        periods.iter().map(|period| format!("('{}', '{}')", period.start, period.end)).collect();
    let sql = format!(
        "with periods (first_day, end_day) as (values {}),
        scope_units (scope, unit, from_day, to_day) as (values {SCOPE_UNITS}),
        acts as (
            select unnest(officer_ids) as officer_id, org_id, cast(event_date as varchar) as day
            from events where {types}
        ),
        officers as (
            select scope, first_day, officer_id
            from acts
            inner join scope_units on unit = org_id and day >= from_day and day < to_day
            inner join periods on day >= first_day and day < end_day
            group by scope, first_day, officer_id
            having count(distinct day) >= {needed_days}
        )
        select scope, first_day, count(distinct officer_id) from officers group by scope, first_day",
        periods.join(", ")
    );
    rows(view, &sql).into_iter().collect()
}

/// Who was active on which day for which unit, from the newest revisions.
fn officer_days(view: &View) -> BTreeSet<String> {
    let sql = "
        with levels (event_type, level) as (
            values ('officer.login', 'L1'), ('patrol.recorded', 'L2'), ('case.reviewed', 'L2'),
                ('patrol.recorded', 'FW'), ('case.reviewed', 'FW')
        )
        select distinct event_date, org_id, level, officer_id
        from (select event_date, org_id, event_type, unnest(officer_ids) as officer_id from events) as acts
        inner join levels using (event_type)";
    rows(view, sql).into_iter().collect()
}

proptest! {
    #![proptest_config(Config { cases: 8, failure_persistence: None, ..Config::default() })]

    #[test]
    fn officers_active_equals_count_distinct_over_raw_events(
        lines in proptest::collection::vec(any_line(), 200..400),
        batches in 1..4usize,
        windows in proptest::collection::vec(any_window(), 2),
    ) {
        let mut known = BTreeSet::new();
        // A unit that only events know is a scope once it has one.
        let lines: Vec<Line> = [line("known", "drone.flown", "2024-01-20", "stranger")]
            .into_iter()
            .chain(lines)
            .filter(|line| known.insert(line.identity()))
            .collect();
        let mut lake = TestLake::new();
        lake.reference("orgs", ORGS);
        lake.reference("officers", &officers());
        for batch in lines.chunks(lines.len().div_ceil(batches)) {
            lake.land(batch);
            lake.refresh();
        }
        let view = lake.view();
        let one_by_one = "select event_date, org_id, level, officer_id from officer_days_flat";
        let found: BTreeSet<String> = rows(&view, one_by_one).into_iter().collect();
        prop_assert_eq!(found.len(), rows(&view, one_by_one).len(), "no row stands there twice");
        prop_assert_eq!(found, officer_days(&view));
        // Small numbers are compared too, which people do not get to see.
        let catalogue = unsuppressed("officers_active");
        for (whole, grain) in windows {
            let (from, to) = (whole.start.to_string(), whole.end.to_string());
            for (level, (name, _, _)) in LEVELS.iter().enumerate() {
                let mut asked = question("officers_active", &from, &to);
                (asked.grain, asked.scope) = (grain.name(), SCOPES);
                asked.parameters.insert("level".to_owned(), (*name).to_owned());
                let found: BTreeSet<String> = ask_of(&catalogue, &view, &asked)
                    .unwrap()
                    .1
                    .iter()
                    .filter(|sample| sample.value != Some(0.0))
                    .map(|sample| {
                        let officers = sample.value.map(number).unwrap_or_default();
                        format!("{} {} {officers}", sample.scope_id, sample.period.start)
                    })
                    .collect();
                prop_assert_eq!(found, oracle(&view, &periods(whole, grain), level), "{}", name);
            }
        }
    }
}
