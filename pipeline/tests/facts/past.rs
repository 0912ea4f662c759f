//! A lake as it was at a version or a time.

use std::time::Duration;

use pipeline::maintain::Policy;
use pipeline::past::Moment;

use crate::harness::{Line, TestLake, line, rows, time};

const NUMBERS: &str = "select event_date, sum(events) from org_days group by 1 order by 1";

fn patrol(id: &str, day: &str) -> Line {
    line(id, "patrol.recorded", day, "longta").officers(&["a", "b"]).object(id)
}

#[test]
fn events_rollups_and_registers_are_those_of_the_version() {
    let mut lake = TestLake::new();
    lake.reference("orgs", "org_id,name,kind\nlongta,old,town\n");
    lake.land(&[patrol("one", "2024-03-05")]);
    lake.refresh();
    let (first, numbers) = (lake.view().version(), lake.rows(NUMBERS));
    lake.reference("orgs", "org_id,name,kind\nlongta,new,town\n");
    // A correction of the first event, one more, and a round that writes every file anew.
    lake.land(&[patrol("one", "2024-04-01").revision(1), patrol("two", "2024-03-06")]);
    lake.refresh();
    let policy = Policy { small_files: 2, ..Policy::default() };
    lake.maintain(policy, lake.now).unwrap();
    let view = lake.view_of(Moment::Version(first)).unwrap();
    assert_eq!(rows(&view, NUMBERS), numbers);
    assert_eq!(rows(&view, "select event_id, revision from events"), ["one 0"]);
    assert_eq!(rows(&view, "select name from orgs"), ["old"]);
    let now = lake.view_of(Moment::Time(time("2200-01-01T00:00:00Z"))).unwrap();
    assert_eq!(rows(&now, NUMBERS), lake.rows(NUMBERS));
    assert_eq!(rows(&now, "select name from orgs"), ["new"]);
}

#[test]
fn what_never_was_or_is_gone_is_told_with_the_oldest_that_is_there() {
    let mut lake = TestLake::new();
    for day in 1..=12 {
        lake.land(&[patrol(&format!("e-{day}"), &format!("2024-03-{day:02}"))]);
    }
    lake.refresh();
    let told = |lake: &TestLake, moment| lake.view_of(moment).unwrap_err().to_string();
    let future = told(&lake, Moment::Version(99));
    assert!(future.contains("no version 99 yet, the newest is 12"), "{future}");
    let before = told(&lake, Moment::Time(time("2000-01-01T00:00:00Z")));
    assert!(before.contains("as of 2000-01-01") && before.contains("version 0 of"), "{before}");
    lake.maintain(
        Policy { small_files: 2, history: Duration::from_secs(3600), ..Policy::default() },
        time("2200-01-01T00:00:00Z"),
    )
    .unwrap();
    let newest = lake.view().version();
    let gone = told(&lake, Moment::Version(3));
    assert!(
        gone.contains(&format!("the oldest state that is there is version {newest}")),
        "{gone}"
    );
    let view = lake.view_of(Moment::Version(newest)).unwrap();
    assert_eq!(rows(&view, "select count(*) from events"), ["12"]);
}
