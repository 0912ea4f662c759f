//! How lines arrive, and who may act.

use super::*;

/// The facts of this file by name.
pub(super) const FACTS: &[Fact] = &[
    (
        "a_few_lines_are_repeated_late_revised_or_broken",
        a_few_lines_are_repeated_late_revised_or_broken,
    ),
    (
        "nobody_acts_before_the_account_is_bound_or_after_the_certificate_ends",
        nobody_acts_before_the_account_is_bound_or_after_the_certificate_ends,
    ),
    ("the_same_seed_writes_the_same_bytes", the_same_seed_writes_the_same_bytes),
    (
        "nobody_works_on_leave_and_nobody_is_away_in_december_2024",
        nobody_works_on_leave_and_nobody_is_away_in_december_2024,
    ),
    ("what_needs_no_officer_names_none", what_needs_no_officer_names_none),
];

fn a_few_lines_are_repeated_late_revised_or_broken() {
    let written = written();
    assert_eq!(written.lines as u64, written.summary.events);
    let share = |count: usize| count as f64 / written.lines as f64;
    assert!((0.0005..0.0015).contains(&share(written.broken)), "{}", written.broken);
    assert!((0.005..0.010).contains(&share(written.repeated)), "{}", written.repeated);
    assert!((0.001..0.02).contains(&share(written.late)), "{}", written.late);
    let later = written.events.iter().filter(|event| event.revision == 1);
    let (deleted, corrected): (Vec<&Event>, Vec<&Event>) =
        later.partition(|event| event.is_deleted);
    assert!((5..60).contains(&corrected.len()), "{}", corrected.len());
    assert!((9..=18).contains(&deleted.len()), "{}", deleted.len());
    assert!((480_000..520_000).contains(&written.lines), "{}", written.lines);
}

fn nobody_acts_before_the_account_is_bound_or_after_the_certificate_ends() {
    let mut limits: HashMap<&str, (&str, &str)> = HashMap::new();
    for row in table("officers") {
        let until = if row["certificate_to"].is_empty() { "9999" } else { &row["certificate_to"] };
        limits.insert(&row["officer_id"], (&row["onboarded_on"], until));
    }
    for event in substantive(originals()) {
        let date = &event.occurred_at[..10];
        for officer in &event.officers {
            let (from, until) = limits[officer.as_str()];
            assert!(from <= date && date < until, "{event:?}");
        }
    }
}

fn the_same_seed_writes_the_same_bytes() {
    let (_out, again) = run(7);
    let first = &written().summary;
    assert_eq!((again.events, again.bytes), (first.events, first.bytes));
    for (one, two) in first.files.iter().zip(&again.files) {
        assert_eq!(one.file_name(), two.file_name());
        assert!(fs::read(one).unwrap() == fs::read(two).unwrap(), "{}", one.display());
    }
}

fn nobody_works_on_leave_and_nobody_is_away_in_december_2024() {
    let leaves = table("leaves");
    assert_eq!(leaves.len(), 25);
    let mut away: HashMap<&str, (&str, &str)> = HashMap::new();
    for row in leaves {
        let (from, until) = (row["from_date"].as_str(), row["to_date"].as_str());
        assert!(from < until && (until <= "2024-12-01" || from >= "2025-01-01"), "{row:?}");
        away.insert(&row["officer_id"], (from, until));
    }
    for event in substantive(originals()) {
        let date = &event.occurred_at[..10];
        for officer in &event.officers {
            let is_away = away.get(officer.as_str());
            assert!(
                is_away.is_none_or(|(from, until)| date < *from || *until <= date),
                "{event:?}"
            );
        }
    }
}

fn what_needs_no_officer_names_none() {
    for (event_type, events) in originals() {
        let is_unattended = LIGHT[3..].iter().any(|start| event_type.starts_with(start));
        for event in events {
            assert_eq!(event.officers.is_empty(), is_unattended, "{event:?}");
        }
    }
}
