//! The figures of the report.

use super::*;

/// The facts of this file by name.
pub(super) const FACTS: &[Fact] = &[
    ("towns_recorded_3253_patrols_in_2024", towns_recorded_3253_patrols_in_2024),
    ("towns_closed_1915_cases_in_2024", towns_closed_1915_cases_in_2024),
    (
        "the_roster_at_the_end_of_2024_is_1600_of_1644",
        the_roster_at_the_end_of_2024_is_1600_of_1644,
    ),
    (
        "of_1600_officers_1424_were_active_in_2024_and_of_500_in_towns_445",
        of_1600_officers_1424_were_active_in_2024_and_of_500_in_towns_445,
    ),
    (
        "a_month_sees_far_fewer_active_officers_than_the_year",
        a_month_sees_far_fewer_active_officers_than_the_year,
    ),
    (
        "every_enforcement_subject_logged_in_during_2024",
        every_enforcement_subject_logged_in_during_2024,
    ),
    (
        "supervision_figures_of_2024_are_those_of_the_report",
        supervision_figures_of_2024_are_those_of_the_report,
    ),
    (
        "inspections_fall_in_2025_and_find_problems_more_often",
        inspections_fall_in_2025_and_find_problems_more_often,
    ),
    ("two_units_are_silent_when_the_years_end", two_units_are_silent_when_the_years_end),
];

fn towns_recorded_3253_patrols_in_2024() {
    check(3_253, |view| town_objects(view, "patrol.recorded"));
}

fn towns_closed_1915_cases_in_2024() {
    check(1_915, |view| town_objects(view, "case.closed"));
}

fn the_roster_at_the_end_of_2024_is_1600_of_1644() {
    let ids = table("officers").iter().map(|row| row["officer_id"].as_str());
    assert_eq!(distinct(ids), 1_644);
    let roster = roster_2024();
    assert_eq!(roster.len(), 1_600);
    assert_eq!(roster.values().filter(|org| org.starts_with("town-")).count(), 500);
}

fn of_1600_officers_1424_were_active_in_2024_and_of_500_in_towns_445() {
    let roster = roster_2024();
    check(1_424, |view| active(view, "2024-").len());
    check(445, |view| {
        let officers = active(view, "2024-");
        officers.iter().filter(|officer| roster[*officer].starts_with("town-")).count()
    });
}

fn a_month_sees_far_fewer_active_officers_than_the_year() {
    for month in ["2024-01", "2024-06", "2024-12", "2025-10"] {
        let share = active(newest(), month).len() as f64 / 1_600.0;
        assert!((0.35..0.74).contains(&share), "{month}: {share}");
    }
}

fn every_enforcement_subject_logged_in_during_2024() {
    let logins = of_type(newest(), "officer.login", "2024-");
    let logged_in: HashSet<&str> = logins.iter().map(|event| event.org.as_str()).collect();
    let orgs = in_force("orgs", "2024-12-31");
    let subjects = orgs.into_iter().filter(|row| row["is_subject"] == "true");
    assert_eq!(subjects.clone().count(), 58);
    for subject in subjects {
        assert!(logged_in.contains(subject["org_id"].as_str()), "{}", subject["org_id"]);
    }
}

fn supervision_figures_of_2024_are_those_of_the_report() {
    check(44, |view| of_type(view, "certificate.revoked", "2024-").len());
    check(11, |view| of_type(view, "opinion.issued", "2024-").len());
    check(1, |view| of_type(view, "social_review.held", "2024-").len());
    check(1_600, |view| {
        let trained = of_type(view, "training.completed", "2024-");
        distinct(trained.iter().flat_map(|event| event.officers.iter().map(String::as_str)))
    });
    check(24, |view| {
        let finished = of_type(view, "inspection.finished", "2024-");
        distinct(finished.iter().filter_map(|event| attribute(event, "joint_task_id")))
    });
    check(3, |view| {
        let meetings = of_type(view, "meeting.held", "2024-");
        let is_supervisors =
            |event: &&&Event| attribute(event, "kind").unwrap() == "special_supervisors";
        meetings.iter().filter(is_supervisors).count()
    });
    let opinions = of_type(newest(), "opinion.issued", "2024-");
    let domains: HashSet<String> =
        opinions.iter().filter_map(|event| attribute(event, "domain")).collect();
    assert!(["城管", "市场监管", "消防"].iter().all(|domain| domains.contains(*domain)));
}

fn inspections_fall_in_2025_and_find_problems_more_often() {
    let inspected = |year: &str| {
        let finished = of_type(newest(), "inspection.finished", year);
        let result = |event: &Event| attribute(event, "result").unwrap();
        let results = finished.iter().map(|event| result(event));
        let results: Vec<String> = results.filter(|result| result != "no_entry").collect();
        let problems = results.iter().filter(|result| *result != "no_problem").count();
        (results.len() as f64, problems as f64)
    };
    let ((before, found_before), (after, found_after)) = (inspected("2024-"), inspected("2025-"));
    assert!(found_after / after > found_before / before + 0.15);
    assert!((0.8..0.95).contains(&(after / before)));
}

fn two_units_are_silent_when_the_years_end() {
    let last = |org: &str| {
        let acts = substantive(newest()).filter(|event| event.org == org);
        acts.map(|event| &event.occurred_at[..10]).max().unwrap()
    };
    assert!(last("town-dawan") < "2025-11-10");
    assert!(last("dept-commerce") < "2025-12-01");
    assert!(last("town-longta") > "2025-12-20");
}
