//! What follows inspections, and the services around them.

use super::*;

/// The facts of this file by name.
pub(super) const FACTS: &[Fact] = &[
    ("problems_are_rectified_mostly_in_time", problems_are_rectified_mostly_in_time),
    (
        "few_inspections_of_firms_have_neither_plan_nor_trigger",
        few_inspections_of_firms_have_neither_plan_nor_trigger,
    ),
    ("recordings_publications_and_tasks_get_better", recordings_publications_and_tasks_get_better),
    ("credentials_and_codes_name_their_inspection", credentials_and_codes_name_their_inspection),
    ("tasks_of_inspections_were_assigned_before", tasks_of_inspections_were_assigned_before),
    (
        "in_2025_firms_of_bad_credit_are_visited_more_often_than_good_ones",
        in_2025_firms_of_bad_credit_are_visited_more_often_than_good_ones,
    ),
    ("services_and_supervision_have_their_volumes", services_and_supervision_have_their_volumes),
    ("more_officers_reach_sixty_hours_in_2025", more_officers_reach_sixty_hours_in_2025),
];

/// The share of the events of a type and year for which something holds.
fn share(event_type: &str, year: &str, wanted: impl Fn(&Event) -> bool) -> f64 {
    let events = of_type(newest(), event_type, year);
    events.iter().filter(|event| wanted(event)).count() as f64 / events.len() as f64
}

/// The objects of a type, with the day of the first event.
fn days(event_type: &str) -> HashMap<&'static str, &'static str> {
    let mut days = HashMap::new();
    for event in &newest()[event_type] {
        days.entry(event.object.as_str()).or_insert(&event.occurred_at[..10]);
    }
    days
}

/// The value lies in the range in 2024 and in 2025, and rises.
#[track_caller]
fn check_rise(range: std::ops::Range<f64>, value: impl Fn(&str) -> f64) {
    let (before, after) = (value("2024-"), value("2025-"));
    assert!(range.contains(&before) && range.contains(&after), "{before} {after}");
    assert!(before < after, "{before} {after}");
}

fn problems_are_rectified_mostly_in_time() {
    let rectified = days("inspection.rectified");
    check_rise(0.7..0.85, |year| {
        let finished = of_type(newest(), "inspection.finished", year);
        let due: Vec<(&str, String)> = finished
            .iter()
            .filter_map(|event| Some((event.object.as_str(), attribute(event, "rectify_by")?)))
            .collect();
        let is_met =
            |(id, by): &&(&str, String)| rectified.get(id).is_some_and(|day| day <= &by.as_str());
        due.iter().filter(is_met).count() as f64 / due.len() as f64
    });
    for event in &newest()["inspection.finished"] {
        let told = attributes(event);
        let has_problem = ["ordered", "pending"].iter().any(|result| told["result"] == *result);
        assert_eq!(told["problems"].as_i64().is_some_and(|problems| problems > 0), has_problem);
        assert_eq!(told["rectify_by"].is_string(), has_problem, "{event:?}");
    }
}

fn few_inspections_of_firms_have_neither_plan_nor_trigger() {
    let bare = |year: &str| {
        share("inspection.finished", year, |event| {
            let told = attributes(event);
            told["party_kind"] == "firm" && told["plan_id"].is_null() && told["trigger"].is_null()
        })
    };
    let (before, after) = (bare("2024-"), bare("2025-"));
    assert!((0.05..0.09).contains(&before) && (0.01..0.035).contains(&after), "{before} {after}");
}

fn recordings_publications_and_tasks_get_better() {
    check_rise(0.84..0.97, |year| {
        let finished = of_type(newest(), "inspection.finished", year);
        let required: Vec<Value> = finished
            .iter()
            .map(|event| attributes(event))
            .filter(|told| told["av_required"] == true)
            .collect();
        let is_recorded = |told: &&Value| told["av_seconds"].is_number();
        required.iter().filter(is_recorded).count() as f64 / required.len() as f64
    });
    let published = days("inspection.published");
    check_rise(0.85..0.99, |year| {
        let finished = of_type(newest(), "inspection.finished", year);
        let random: Vec<&str> = finished
            .iter()
            .filter(|event| attributes(event)["double_random"] == true)
            .map(|event| event.object.as_str())
            .collect();
        random.iter().filter(|id| published.contains_key(*id)).count() as f64 / random.len() as f64
    });
    let completed = days("task.completed");
    check_rise(0.78..0.93, |year| {
        share("task.assigned", year, |event| {
            let due_on = attribute(event, "due_on").unwrap();
            completed.get(event.object.as_str()).is_some_and(|day| *day <= due_on.as_str())
        })
    });
}

fn credentials_and_codes_name_their_inspection() {
    let started = days("inspection.started");
    for event_type in ["credential.shown", "code.scanned"] {
        for event in &originals()[event_type] {
            // The start of a few, and the deleted ones, are not there.
            let day = started.get(event.object.as_str());
            assert!(day.is_none_or(|day| **day == event.occurred_at[..10]), "{event:?}");
            assert!(event.object.starts_with("insp-"), "{event:?}");
        }
    }
    let scanned = &newest()["code.scanned"];
    assert!(scanned.iter().all(|event| event.occurred_at.as_str() >= "2025-05-01"));
    let month = |month: &str| of_type(newest(), "code.scanned", month).len();
    assert!(month("2025-05") * 2 < month("2025-12"));
}

fn tasks_of_inspections_were_assigned_before() {
    let assigned = days("task.assigned");
    let completed = &newest()["task.completed"];
    assert!(completed.len() > 3_000);
    for event in completed {
        let on = assigned.get(event.object.as_str());
        assert!(on.is_none_or(|on| *on <= &event.occurred_at[..10]), "{event:?}");
    }
}

fn in_2025_firms_of_bad_credit_are_visited_more_often_than_good_ones() {
    let class: HashMap<&str, &str> =
        table("parties").iter().map(|row| (&*row["party_id"], &*row["credit_class"])).collect();
    let written = written();
    let visits = |year: &str, wanted: &str| {
        let is_visit = |event: &&Event| {
            event.event_type == "inspection.finished" && event.occurred_at.starts_with(year)
        };
        let of_class =
            |event: &&Event| class.get(event.party.as_str()).is_some_and(|class| *class == wanted);
        let visits = written.events.iter().filter(is_visit).filter(of_class).count();
        visits as f64 / class.values().filter(|class| **class == wanted).count() as f64
    };
    assert!((0.75..1.35).contains(&(visits("2024-", "D") / visits("2024-", "A"))));
    assert!(visits("2025-", "D") > 1.5 * visits("2025-", "A"));
}

fn services_and_supervision_have_their_volumes() {
    let check = |event_type: &str, year: &str, range: std::ops::RangeInclusive<usize>| {
        let count = of_type(newest(), event_type, year).len();
        assert!(range.contains(&count), "{event_type} {year}: {count}");
    };
    for year in ["2024-", "2025-"] {
        check("licence.accepted", year, 2_800..=3_150);
        check("complaint.received", year, 750..=850);
        check("measure.imposed", year, 120..=190);
        check("remedy.filed", year, 40..=60);
    }
    check("social_review.held", "2025-", 3..=3);
    check("meeting.held", "2025-", 9..=11);
    let standard = |event: &Event| attribute(event, "standard").unwrap();
    assert!(newest()["dossier.reviewed"].iter().all(|event| standard(event) == "2017"));
}

fn more_officers_reach_sixty_hours_in_2025() {
    check_rise(0.74..0.92, |year| {
        let mut hours: HashMap<&str, i64> = HashMap::new();
        for event in of_type(newest(), "training.completed", year) {
            *hours.entry(&event.officers[0]).or_default() +=
                attributes(event)["hours"].as_i64().unwrap();
        }
        hours.values().filter(|hours| **hours >= 60).count() as f64 / 1_600.0
    });
}
