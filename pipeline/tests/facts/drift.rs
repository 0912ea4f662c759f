//! A column of a source that disappears or changes its type is noticed, before numbers go quietly wrong.

use chrono::{Days, NaiveDate};
use pipeline::check::{self, Checks};
use pipeline::definition::Definitions;

use crate::harness::{TestLake, day, line, native, ndjson, wait};

const FIELDS: &str = "select event_type, field, kind, events from field_days order by 1, 2, 3";

/// What the checks of this module find in a lake, as `check: object`.
fn found(lake: &TestLake) -> Vec<String> {
    let checks = Checks::load(&Definitions::load(None).unwrap()).unwrap();
    let mut found = Vec::new();
    for id in ["fields_still_filled", "fields_same_kind"] {
        let outcome =
            wait(check::run(&lake.view(), &checks.only(id).unwrap(), 100)).unwrap().pop().unwrap();
        assert_eq!(outcome.failed, None, "{id}");
        let Some(objects) = outcome.rows.column_by_name("object_id") else { continue };
        let objects = arrow::compute::cast(objects, &arrow::datatypes::DataType::Utf8).unwrap();
        let objects = arrow::array::AsArray::as_string::<i32>(&objects);
        found.extend(objects.iter().flatten().map(|object| format!("{id}: {object}")));
    }
    found
}

/// Ten patrols a day for 31 days, with the attributes that `of` says by the day's number.
fn lake_of(of: impl Fn(u64, u64) -> Vec<(&'static str, serde_json::Value)>) -> TestLake {
    let mut lake = TestLake::new();
    let first: NaiveDate = day("2024-03-01");
    let mut lines = Vec::new();
    for number in 0..31 {
        let date = (first + Days::new(number)).to_string();
        for visit in 0..10 {
            let attributes: serde_json::Map<_, _> =
                of(number, visit).into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
            let mut made = line(&format!("e-{number}-{visit}"), "patrol.recorded", &date, "longta");
            if !attributes.contains_key("no object") {
                made = made.object(&format!("p-{number}-{visit}"));
            }
            lines.push(made.with("attributes", attributes));
        }
    }
    lake.land_as(&native(), "events.ndjson", &ndjson(&lines)).unwrap();
    lake.refresh();
    lake
}

#[test]
fn what_is_filled_is_counted_by_what_it_looks_like() {
    let mut lake = TestLake::new();
    let patrol = |id: &str| line(id, "patrol.recorded", "2024-03-05", "longta");
    lake.land(&[
        patrol("a").attribute("note", "x").attribute("fine_fen", "12"),
        patrol("b").attribute("note", "").attribute("fine_fen", "twelve").officers(&["wang"]),
        patrol("c").with("attributes", serde_json::json!({ "fine_fen": 12, "at": "2024-03-05" })),
    ]);
    lake.refresh();
    assert_eq!(
        lake.rows(FIELDS),
        [
            "patrol.recorded attributes.at date 1",
            "patrol.recorded attributes.fine_fen number 2",
            "patrol.recorded attributes.fine_fen text 1",
            "patrol.recorded attributes.note text 1",
            "patrol.recorded event_id text 3",
            "patrol.recorded officer_ids list 1",
        ]
    );
    // A mended revision takes the place of the old one.
    lake.land(&[patrol("b").attribute("fine_fen", "12").revision(1)]);
    lake.refresh();
    let fines = "select kind, events from field_days where field = 'attributes.fine_fen'";
    assert_eq!(lake.rows(fines), ["number 3"]);
}

#[test]
fn new_columns_and_quiet_days_are_no_drift() {
    let steady = lake_of(|number, visit| {
        let mut attributes = vec![("note", "x".into())];
        if number >= 28 {
            attributes.push(("new", "y".into()));
        }
        // Rarely filled at all times.
        if visit == 0 && number < 28 {
            attributes.push(("rare", "z".into()));
        }
        attributes
    });
    assert_eq!(found(&steady), [""; 0]);
}

#[test]
fn a_column_that_disappears_is_found_and_is_no_longer_when_its_days_are_mended() {
    let drifted = |number: u64| number >= 28;
    let mut lake = lake_of(|number, _| {
        if drifted(number) { vec![("no object", 1.into())] } else { vec![("note", "x".into())] }
    });
    assert_eq!(
        found(&lake),
        [
            "fields_still_filled: native patrol.recorded attributes.note",
            "fields_still_filled: native patrol.recorded object_id",
        ]
    );
    let mended: Vec<_> = (28..31)
        .flat_map(|number| (0..10).map(move |visit| (number, visit)))
        .map(|(number, visit)| {
            let date = (day("2024-03-01") + Days::new(number)).to_string();
            line(&format!("e-{number}-{visit}"), "patrol.recorded", &date, "longta")
                .object(&format!("p-{number}-{visit}"))
                .attribute("note", "x")
                .revision(1)
        })
        .collect();
    lake.land(&mended);
    lake.refresh();
    assert_eq!(found(&lake), [""; 0]);
}

#[test]
fn a_column_whose_values_become_of_another_type_is_found() {
    let lake = lake_of(|number, visit| {
        let is_recent = number >= 28;
        vec![
            ("fine_fen", if is_recent && visit < 5 { "1.5万元".into() } else { 150.into() }),
            ("rectify_by", if is_recent { "5/3/24".into() } else { "2024-03-05".into() }),
            ("mixed", if visit < 5 { "a".into() } else { 1.into() }),
        ]
    });
    assert_eq!(
        found(&lake),
        [
            "fields_same_kind: native patrol.recorded attributes.fine_fen",
            "fields_same_kind: native patrol.recorded attributes.rectify_by",
        ]
    );
}
