//! The steps of cases.

use std::collections::BTreeMap;

use super::*;

/// The facts of this file by name.
pub(super) const FACTS: &[Fact] = &[
    ("the_steps_of_a_case_are_in_order", the_steps_of_a_case_are_in_order),
    ("what_follows_a_step_comes_after_it", what_follows_a_step_comes_after_it),
    ("decisions_say_what_they_are", decisions_say_what_they_are),
    (
        "a_part_of_the_cases_of_2024_was_entered_weeks_later_from_paper",
        a_part_of_the_cases_of_2024_was_entered_weeks_later_from_paper,
    ),
    (
        "what_refers_to_a_case_or_an_inspection_finds_it",
        what_refers_to_a_case_or_an_inspection_finds_it,
    ),
];

/// The order of the steps; what comes after a decision in any order is not among them.
const ORDER: [&str; 17] = [
    "filed",
    "evidence_registered",
    "evidence_decided",
    "investigated",
    "advanced",
    "appraisal_started",
    "appraisal_ended",
    "notified",
    "hearing_requested",
    "hearing_notified",
    "hearing_held",
    "reviewed",
    "extended",
    "discussed",
    "decided",
    "served",
    "closed",
];

/// The steps of each case by time, as first told.
fn steps() -> BTreeMap<&'static str, Vec<&'static Event>> {
    let mut cases: BTreeMap<&str, Vec<&Event>> = BTreeMap::new();
    for event in originals().values().flatten() {
        if event.event_type.starts_with("case.") {
            cases.entry(&event.object).or_default().push(event);
        }
    }
    for steps in cases.values_mut() {
        steps.sort_by(|one, two| one.occurred_at.cmp(&two.occurred_at));
    }
    cases
}

fn find(steps: &[&'static Event], step: &str) -> Option<&'static Event> {
    steps.iter().copied().find(|event| event.event_type[5..] == *step)
}

fn the_steps_of_a_case_are_in_order() {
    let mut unfiled = 0;
    let cases = steps();
    for (case, steps) in &cases {
        let place = |event: &&Event| ORDER.iter().position(|step| *step == &event.event_type[5..]);
        let places: Vec<usize> = steps.iter().filter_map(place).collect();
        assert!(places.is_sorted_by(|left, right| left < right), "{case}: {steps:?}");
        // The filing of a few late cases arrives only in 2026, that of others is not on record.
        if places[0] > 0 && steps[0].occurred_at.as_str() < "2025-10" {
            assert!(!steps[0].org.starts_with("town-"), "{case}: {steps:?}");
            unfiled += 1;
        }
    }
    let share = f64::from(unfiled) / cases.len() as f64;
    assert!((0.005..0.015).contains(&share), "{share}");
}

fn what_follows_a_step_comes_after_it() {
    let pairs = [
        ("decided", "published"),
        ("decided", "uploaded"),
        ("decided", "paid"),
        ("paid", "cash_handed_in"),
        ("served", "enforcement_applied"),
        ("published", "changed"),
        ("changed", "retracted"),
    ];
    let mut found = HashMap::new();
    for (case, steps) in &steps() {
        for (first, then) in pairs {
            let Some(later) = find(steps, then) else { continue };
            *found.entry(then).or_insert(0) += 1;
            if let Some(earlier) = find(steps, first) {
                assert!(earlier.occurred_at <= later.occurred_at, "{case}: {first}, {then}");
            }
        }
    }
    for (_, then) in pairs {
        assert!(found[then] >= 15, "{then}: {found:?}");
    }
}

fn decisions_say_what_they_are() {
    let decided = &originals()["case.decided"];
    let number = |event: &Event, name: &str| attributes(event)[name].as_i64().unwrap_or(0);
    let is = |event: &Event, name: &str| attributes(event)[name].as_bool().unwrap();
    let count = |wanted: &dyn Fn(&Event) -> bool| {
        decided.iter().filter(|event| wanted(event)).count() as f64 / decided.len() as f64
    };
    assert!((0.06..0.16).contains(&count(&|event| is(event, "is_major"))));
    assert!((0.6..0.8).contains(&count(&|event| is(event, "is_publishable"))));
    let confiscates = |event: &Event| event.attributes.contains("没收违法所得");
    for event in decided {
        assert_eq!(number(event, "confiscated_fen") > 0, confiscates(event), "{event:?}");
    }
    let documented = count(&|event| number(event, "documents") > 0);
    assert!((0.97..0.995).contains(&documented), "{documented}");
    let simple = &originals()["case.served"];
    let is_electronic = |event: &&&Event| attribute(event, "method").unwrap() == "electronic";
    let electronic: Vec<_> = simple.iter().filter(is_electronic).collect();
    let agreed = electronic.iter().filter(|event| attributes(event)["consent"] == true).count();
    assert!((0.9..0.99).contains(&(agreed as f64 / electronic.len() as f64)));
}

fn a_part_of_the_cases_of_2024_was_entered_weeks_later_from_paper() {
    let filed = of_type(originals(), "case.filed", "2024-");
    let imported: Vec<_> = filed.iter().filter(|event| event.channel == "import").collect();
    let share = imported.len() as f64 / filed.len() as f64;
    assert!((0.035..0.065).contains(&share), "{share}");
    let cases = steps();
    for filing in imported {
        for step in &cases[filing.object.as_str()] {
            assert_eq!(step.channel, "import", "{step:?}");
            // What a remedy changes is entered as it happens.
            let is_own = !["case.changed", "case.retracted"].contains(&step.event_type.as_str());
            assert!(!is_own || step.received_at[..10] > step.occurred_at[..10], "{step:?}");
        }
    }
}

fn what_refers_to_a_case_or_an_inspection_finds_it() {
    let objects = |event_type: &str| -> HashSet<&str> {
        originals()[event_type].iter().map(|event| event.object.as_str()).collect()
    };
    let cases: HashSet<&str> = steps().into_keys().collect();
    for event_type in [
        "remedy.filed",
        "remedy.decided",
        "measure.imposed",
        "dossier.reviewed",
        "social_review.held",
    ] {
        let named = originals()[event_type].iter().filter_map(|event| attribute(event, "case_id"));
        assert!(named.clone().count() > 3, "{event_type}");
        for case in named {
            assert!(cases.contains(case.as_str()), "{event_type}: {case}");
        }
    }
    let started = objects("inspection.started");
    let mut used = HashSet::new();
    for filed in &originals()["case.filed"] {
        if let Some(inspection) = attribute(filed, "inspection_id") {
            // One finding leads to one case; the start of a few arrives only in 2026.
            assert!(used.insert(inspection.clone()), "{inspection}");
            let is_late = filed.occurred_at.as_str() > "2025-10";
            assert!(is_late || started.contains(inspection.as_str()), "{inspection}");
        }
    }
}
