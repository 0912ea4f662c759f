//! Numbers are remembered as long as the rows that they are made of stay the same, and no longer.

use std::collections::BTreeMap;

use pipeline::definition::Definitions;
use pipeline::metric::{
    self, Catalogue, Choice, Grain, Kind, Metric, Period, Request, Sample, Scope,
};
use pipeline::pseudonym::Identities;
use pipeline::query::View;

use crate::harness::{Line, TestLake, catalogue, day, line, question, simulated_district, wait};

fn months(from: &str, to: &str) -> Vec<Period> {
    metric::periods(Period { start: day(from), end: day(to) }, Grain::Month)
}

fn scopes(view: &View) -> Vec<Scope> {
    let named = |scope: &str| view.tree().resolve(scope).unwrap();
    let kinds = ["district", "towns", "departments"].into_iter().flat_map(named);
    kinds.chain(named("towns/*").into_iter().take(4)).collect()
}

/// Makes a reader remember numbers, as a server does that has run for a while.
fn remember(view: &View) {
    let metric = catalogue().get("patrols").unwrap();
    let request = Request {
        periods: &months("2000-01-01", "2000-02-01"),
        scopes: &scopes(view),
        parameters: &Choice::new(),
        as_of: day("2025-12-29"),
    };
    wait(metric::compute_ahead(view, metric, &request, &[Choice::new()])).unwrap();
}

fn ask(view: &View, metric: &Metric, periods: &[Period]) -> Vec<Sample> {
    ask_of(view, metric, periods, &scopes(view))
}

fn ask_of(view: &View, metric: &Metric, periods: &[Period], scopes: &[Scope]) -> Vec<Sample> {
    let parameters = &Choice::new();
    let request = Request { periods, scopes, parameters, as_of: day("2025-12-29") };
    wait(metric::evaluate(view, metric, &request)).unwrap()
}

/// What every metric says of some months.
fn everything(view: &View, periods: &[Period]) -> BTreeMap<String, Vec<Sample>> {
    let metrics = catalogue().iter();
    metrics.map(|metric| (metric.id().to_owned(), ask(view, metric, periods))).collect()
}

/// That numbers do not depend on which others are asked for with them; returns how many there are above nothing.
fn assert_independent(lake: &TestLake, periods: &[Period]) -> usize {
    let (together, alone) = (lake.view(), lake.view());
    let mut told = 0;
    for metric in catalogue().iter() {
        let all = ask(&together, metric, periods);
        for (place, period) in periods.iter().enumerate() {
            let of_period: Vec<Sample> =
                all.iter().skip(place).step_by(periods.len()).cloned().collect();
            let expected = ask(&alone, metric, std::slice::from_ref(period));
            assert_eq!(of_period, expected, "{} {period:?}", metric.id());
            told += usize::from(expected.iter().any(|sample| sample.value > Some(0.0)));
        }
    }
    told
}

/// That the numbers of a period are the sums of its months' where the header says so, for every choice of parameters; returns
/// how many there are above nothing.
fn assert_adds_up(lake: &TestLake, months: &[Period]) -> usize {
    let whole = [Period { start: months[0].start, end: months[months.len() - 1].end }];
    let (plain, remembering) = (lake.view(), lake.view());
    remember(&remembering);
    let mut told = 0;
    for metric in catalogue().iter().filter(|metric| metric.adds_up()) {
        let ask = |view: &View, periods: &[Period]| {
            let (scopes, as_of) = (scopes(view), day("2025-12-29"));
            let request = Request { periods, scopes: &scopes, parameters: &Choice::new(), as_of };
            wait(metric::evaluate_each(view, metric, &request, &metric.choices(|_, _| true)))
                .unwrap()
                .concat()
        };
        let at_once = ask(&plain, &whole);
        for (sample, parts) in at_once.iter().zip(ask(&plain, months).chunks(months.len())) {
            let sum = |number: fn(&Sample) -> Option<f64>| {
                let sum: f64 = parts.iter().filter_map(number).sum();
                assert_eq!(number(sample).unwrap_or(0.0), sum, "{} of {sample:?}", metric.id());
            };
            sum(|sample| sample.numerator);
            sum(|sample| sample.denominator);
            if metric.kind() == Kind::Count {
                sum(|sample| sample.value);
            }
        }
        assert_eq!(ask(&remembering, &whole), at_once, "{}", metric.id());
        told += at_once.iter().filter(|sample| sample.value > Some(0.0)).count();
    }
    told
}

#[test]
fn months_asked_together_are_what_each_is_alone() {
    let lake = simulated_district();
    let told = assert_independent(&lake, &months("2025-03-01", "2025-07-01"));
    assert!(told > 300, "{told} months have numbers to compare");
}

#[test]
fn there_are_as_many_rows_behind_a_number_as_are_told() {
    let lake = simulated_district();
    let view = lake.view();
    let (mut told, scopes) = (0, scopes(&view));
    for metric in catalogue().iter() {
        let periods = months("2025-03-01", "2025-05-01");
        let parameters = &Choice::new();
        let request =
            Request { periods: &periods, scopes: &scopes, parameters, as_of: day("2025-12-29") };
        let identities = Identities::Shown;
        let evidence = metric::explain(&view, metric, &request, &identities, 10_000_000);
        let Some(evidence) = wait(evidence).unwrap() else { continue };
        assert_eq!(evidence.total, evidence.rows.num_rows() as u64, "{}", metric.id());
        told += usize::from(evidence.total > 0);
    }
    assert!(told > 50, "{told} metrics have rows to count");
}

#[test]
fn months_add_up_where_the_header_says_so() {
    let told = assert_adds_up(&simulated_district(), &months("2025-01-12", "2025-07-20"));
    assert!(told > 300, "{told} numbers to compare");
}

#[test]
fn what_reaches_far_is_the_same_in_every_company() {
    let mut lake = TestLake::new();
    lake.reference("orgs", "org_id,name,kind\nlongta,龙塔,town\nmarket,市场监管,department\n");
    lake.reference(
        "plans",
        "plan_id,org_id,period_start,period_end,planned_inspections\nlong,longta,2023-11-01,2025-12-01,9\n",
    );
    let check = |id: &str, day: &str, org: &str| {
        line(id, "inspection.finished", day, org)
            .object(id)
            .with("party_id", "firm-1")
            .attribute("party_kind", "firm")
            .attribute("result", "ordered")
            .attribute("problems", "2")
    };
    let joint = |id: &str, day: &str, org: &str, task: &str| {
        check(id, day, org).attribute("joint_task_id", task).attribute("plan_id", "long")
    };
    lake.land(&[
        // Problems that are due in a year and more.
        check("due-late", "2024-01-15", "longta").attribute("rectify_by", "2025-03-10"),
        check("due-before", "2025-04-15", "longta").attribute("rectify_by", "2025-02-10"),
        // Of a plan that is longer than a year.
        check("planned", "2023-12-03", "longta").attribute("plan_id", "long"),
        // One joint visit over a month's end, one whose parts lie far from each other, and single ones around them.
        joint("near-1", "2025-03-30", "longta", "near"),
        joint("near-2", "2025-04-02", "market", "near"),
        joint("far-1", "2025-02-10", "longta", "far"),
        joint("far-2", "2025-04-20", "market", "far"),
        check("single-1", "2025-03-29", "longta"),
        check("single-2", "2025-04-01", "market"),
        check("single-3", "2025-05-01", "market"),
    ]);
    lake.refresh();
    let told = assert_independent(&lake, &months("2024-12-01", "2025-07-01"));
    assert!(told > 40, "{told} months have numbers to compare");
    let told = assert_adds_up(&lake, &months("2024-11-12", "2025-06-20"));
    assert!(told > 15, "{told} numbers to compare");
    let mut question = question("rectification_ratio", "2025-01-01", "2025-04-01");
    question.grain = "month";
    let (_, samples) = crate::harness::ask(&lake.view(), &question).unwrap();
    assert_eq!(samples[2].denominator, Some(2.0), "what is due after a year counts");
}

#[test]
fn scopes_asked_together_are_what_each_is_alone() {
    let lake = simulated_district();
    let period = months("2025-05-01", "2025-06-01");
    let (together, alone) = (lake.view(), lake.view());
    for metric in catalogue().iter() {
        let expected: Vec<Sample> = scopes(&alone)
            .chunks(1)
            .flat_map(|scope| ask_of(&alone, metric, &period, scope))
            .collect();
        assert_eq!(ask(&together, metric, &period), expected, "{}", metric.id());
    }
}

/// Revisions of some of the events, and what to do with them.
fn revised(lake: &TestLake, of: &str, delete: bool) -> Vec<Line> {
    let sql = format!(
        "select event_id, event_type, arrow_cast(event_date, 'Utf8'), org_id, object_id from events \
         where object_id is not null and {of} order by event_id limit 30"
    );
    let cells = crate::harness::cells(&lake.view(), &sql).unwrap();
    let revised = |cells: &Vec<String>| {
        let made = line(&cells[0], &cells[1], &cells[2], &cells[3]).object(&cells[4]).revision(7);
        if delete { made.delete() } else { made.officers(&["new-officer"]) }
    };
    cells.iter().map(revised).collect()
}

/// New events of the last days, of somebody who is known.
fn go_on(lake: &mut TestLake) {
    let new = (0..40).map(|number| {
        let (day, object) = (format!("2025-12-{}", 26 + number % 2), format!("new-{number}"));
        let event_type = ["patrol.recorded", "officer.login"][number % 2];
        line(&object, event_type, &day, "town-longta").officers(&["officer-0001"]).object(&object)
    });
    lake.land(&new.collect::<Vec<Line>>());
}

fn withdraw_of_a_summer(lake: &mut TestLake) {
    let gone = revised(lake, "event_month in ('2025-07', '2025-08')", true);
    lake.land(&gone);
}

/// Somebody whom nobody knows has done it.
fn correct_cases_and_inspections(lake: &mut TestLake) {
    let of = "event_type in ('case.filed', 'inspection.finished') and event_month = '2025-03'";
    let other = revised(lake, of, false);
    lake.land(&other);
}

fn register_an_officer(lake: &mut TestLake) {
    lake.reference("officers", "officer_id,org_id\nnew-officer,town-longta\n");
}

#[test]
fn what_lands_changes_every_number_that_it_should_and_leaves_others_remembered() {
    let mut lake = simulated_district();
    let mut reader = lake.reader();
    let periods = months("2024-11-01", "2026-01-01");
    remember(&reader.view());
    everything(&reader.view(), &periods);
    let (all, _) = reader.view().computed_and_found();
    let mut computed = Vec::new();
    let changes = [go_on, withdraw_of_a_summer, correct_cases_and_inspections, register_an_officer];
    for (place, change) in changes.into_iter().enumerate() {
        change(&mut lake);
        lake.refresh();
        assert!(wait(reader.update()).unwrap(), "change {place}");
        let (before, _) = reader.view().computed_and_found();
        let found = everything(&reader.view(), &periods);
        computed.push(reader.view().computed_and_found().0 - before);
        for (metric, samples) in &everything(&lake.view(), &periods) {
            assert_eq!(&found[metric], samples, "{metric} after change {place}");
        }
    }
    // Most of what happens has nothing to do with the months before.
    assert!(computed[0] < all * 6 / 10, "{computed:?} of {all}");
}

#[test]
fn a_month_that_is_known_is_not_asked_again_with_others_or_after_events_of_another() {
    let mut lake = TestLake::new();
    lake.reference("orgs", "org_id,name,kind\nlongta,龙塔,town\n");
    let patrol = |id: &str, day: &str| line(id, "patrol.recorded", day, "longta").object(id);
    lake.land(&[patrol("1", "2024-01-03"), patrol("2", "2024-02-03"), patrol("3", "2024-03-03")]);
    lake.refresh();
    let mut reader = lake.reader();
    let patrols = |view: &View, from: &str, to: &str| -> (Vec<Option<f64>>, u64) {
        let before = view.computed_and_found().0;
        let mut question = question("patrols", from, to);
        question.grain = "month";
        let (_, samples) = crate::harness::ask(view, &question).unwrap();
        let computed = view.computed_and_found().0 - before;
        (samples.iter().map(|sample| sample.value).collect(), computed)
    };
    let one = Some(1.0);
    remember(&reader.view());
    assert_eq!(patrols(&reader.view(), "2024-01-01", "2024-03-01"), (vec![one, one], 2));
    assert_eq!(patrols(&reader.view(), "2024-01-01", "2024-04-01"), (vec![one, one, one], 1));
    lake.land(&[patrol("4", "2024-02-20")]);
    lake.refresh();
    assert!(wait(reader.update()).unwrap());
    let found = patrols(&reader.view(), "2024-01-01", "2024-04-01");
    assert_eq!(found, (vec![one, Some(2.0), one], 1));
}

#[test]
fn what_reads_the_clock_is_computed_again() {
    let folder = tempfile::TempDir::new().unwrap();
    std::fs::create_dir(folder.path().join("metrics")).unwrap();
    let shipped = include_str!("../../../sql/metrics/patrols.sql");
    let ticking = shipped.replace("where kind", "where finished_date <= current_date and kind");
    assert_ne!(ticking, shipped);
    std::fs::write(folder.path().join("metrics/patrols.sql"), ticking).unwrap();
    let definitions = Definitions::load(Some(folder.path())).unwrap();
    let ticking = Catalogue::load(&definitions).unwrap();
    let mut lake = TestLake::new();
    lake.reference("orgs", "org_id,name,kind\nlongta,龙塔,town\n");
    lake.land(&[line("1", "patrol.recorded", "2024-01-03", "longta").object("1")]);
    lake.refresh();
    let mut reader = lake.reader();
    remember(&reader.view());
    let (before, _) = reader.view().computed_and_found();
    let mut computed = |lake: &mut TestLake, id: &str, catalogue: &Catalogue| {
        lake.land(&[line(id, "patrol.recorded", "2024-02-03", "longta").object(id)]);
        lake.refresh();
        assert!(wait(reader.update()).unwrap());
        let view = reader.view();
        let (_, samples) = crate::harness::ask_of(
            catalogue,
            &view,
            &question("patrols", "2024-01-01", "2024-02-01"),
        )
        .unwrap();
        assert_eq!(samples[0].value, Some(1.0));
        view.computed_and_found().0 - before
    };
    assert_eq!(computed(&mut lake, "2", catalogue()), 1);
    assert_eq!(computed(&mut lake, "3", catalogue()), 1);
    assert_eq!(computed(&mut lake, "4", &ticking), 2);
    assert_eq!(computed(&mut lake, "5", &ticking), 3);
}
