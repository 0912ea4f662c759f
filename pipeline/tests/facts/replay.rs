//! Refused lines are tried again, and land once.

use pipeline::land::{self, Replayed, Selection};
use pipeline::source::mapping::Mapping;
use proptest::prelude::*;
use proptest::test_runner::Config;

use crate::harness::{Line, TestLake, line, native, native_with, ndjson, wait};

const EVENTS: &str =
    "select event_id, revision, event_date, org_id, attributes from events order by event_id";
const ROLLUP: &str = "select event_date, org_id, event_type, events, last_occurred_at from org_days \
    order by event_date, org_id, event_type";
/// Lines that have landed or are kept as refused. A file that is landed again lands what was refused of it; only a replay
/// takes it from the refused.
const KEPT: &str = "select count(*) from (select event_id from event_log where event_month <> 'rejected' \
    union select regexp_match(cast(text as varchar), 'e-[0-9]+')[1] from rejects)";
const REFUSED: &str = "select file, line, reason from rejects order by file, line";

fn known_orgs() -> Mapping {
    native_with("orgs = \"known\"")
}

fn replay(lake: &mut TestLake, mapping: &Mapping, selection: &Selection) -> Replayed {
    let now = lake.now + chrono::Duration::hours(1);
    let (lake, lock) = lake.as_writer();
    wait(land::replay(lake, lock, mapping, selection, now)).unwrap()
}

fn counts(replayed: &Replayed) -> (u64, u64, u64, u64) {
    (replayed.tried, replayed.landed, replayed.duplicate, replayed.rejected)
}

#[test]
fn lines_of_a_unit_that_is_registered_later_land_once_and_leave_the_rejects() {
    let mut lake = TestLake::new();
    lake.reference("orgs", "org_id,name\nlongta,龙塔\n");
    let lines = [
        line("a", "patrol.recorded", "2024-03-05", "longta"),
        line("b", "patrol.recorded", "2024-03-05", "yuehu"),
        line("c", "patrol.recorded", "2024-04-05", "yuehu"),
        line("d", "patrol.recorded", "2024-04-06", "nowhere"),
    ];
    lake.land_as(&known_orgs(), "events.ndjson", &ndjson(&lines)).unwrap();
    assert_eq!(lake.rows("select count(*) from rejects"), ["3"]);
    assert_eq!(counts(&replay(&mut lake, &known_orgs(), &Selection::default())), (3, 0, 0, 3));
    assert_eq!(lake.rows("select count(*) from rejects"), ["3"]);

    lake.reference("orgs", "org_id,name\nlongta,龙塔\nyuehu,悦湖\n");
    assert_eq!(counts(&replay(&mut lake, &known_orgs(), &Selection::default())), (3, 2, 0, 1));
    assert_eq!(lake.rows("select line, reason from rejects"), ["4 unknown_org"]);
    assert_eq!(counts(&replay(&mut lake, &known_orgs(), &Selection::default())), (1, 0, 0, 1));
    lake.refresh();
    let patrols = "select org_id, sum(events) from org_days where event_type = 'patrol.recorded' group by org_id order by org_id";
    assert_eq!(lake.rows(patrols), ["longta 1", "yuehu 2"]);
}

#[test]
fn a_csv_row_is_read_again_under_its_own_header_even_if_it_spans_lines() {
    let mut lake = TestLake::new();
    let mapping = |formats: &str| {
        let toml = format!(
            "name = \"ledger\"\ntime_formats = [{formats}]\n[[event]]\nevent_id = \"no\"\n\
            event_type = {{ value = \"patrol.recorded\" }}\noccurred_at = \"at\"\norg_id = \"org\"\n"
        );
        Mapping::parse("ledger.toml", &toml).unwrap()
    };
    let narrow = mapping("\"%Y-%m-%d\"");
    let first = "no,at,org,note\n1,2024-03-05,longta,fine\n2,05.03.2024,longta,\"one, \"\"two\"\"\nthree\"\n";
    let second = "org,note,at,no\r\nlongta,\"a\r\nb\",06.03.2024,3\r\nlongta,x\r\n";
    lake.land_as(&narrow, "first.csv", first.as_bytes()).unwrap();
    lake.land_as(&narrow, "second.csv", second.as_bytes()).unwrap();
    assert_eq!(
        lake.rows("select line, reason from rejects order by line"),
        ["2 bad_time", "3 bad_time", "4 malformed_row"]
    );
    let wide = mapping("\"%Y-%m-%d\", \"%d.%m.%Y\"");
    let bad_time = Selection { reason: Some("bad_time".to_owned()), file: None };
    assert_eq!(counts(&replay(&mut lake, &wide, &bad_time)), (2, 2, 0, 0));
    assert_eq!(lake.rows("select line, reason from rejects"), ["4 malformed_row"]);
    let notes = "select event_id, attributes from events order by event_id";
    assert_eq!(
        lake.rows(notes),
        [r#"1 {"note":"fine"}"#, r#"2 {"note":"one, \"two\"\nthree"}"#, r#"3 {"note":"a\r\nb"}"#,]
    );
}

#[test]
fn only_what_is_selected_is_tried_and_a_new_reason_replaces_the_old() {
    let mut lake = TestLake::new();
    let of = |id: &str| line(id, "patrol.recorded", "2024-03-05", "longta");
    let early = line("e", "patrol.recorded", "2024-13-05", "longta");
    lake.land_as(&known_orgs(), "one.ndjson", &ndjson(&[of("a"), early.clone()])).unwrap();
    lake.land_as(&known_orgs(), "two.ndjson", &ndjson(&[of("b"), early])).unwrap();
    let refused = lake.rows(REFUSED);
    assert_eq!(refused.len(), 4, "{refused:?}");
    let file = refused[0].split(' ').next().unwrap().to_owned();

    let of_one = Selection { reason: Some("unknown_org".to_owned()), file: Some(file.clone()) };
    assert_eq!(counts(&replay(&mut lake, &native(), &of_one)), (1, 1, 0, 0));
    assert_eq!(lake.rows(REFUSED), refused[1..]);
    let of_other = Selection { reason: None, file: Some("elsewhere".to_owned()) };
    assert_eq!(counts(&replay(&mut lake, &native(), &of_other)), (0, 0, 0, 0));
    let other_source = Mapping::parse(
        "x.toml",
        "name = \"other\"\n[[event]]\nevent_type = \"t\"\noccurred_at = \"a\"\norg_id = \"o\"\n",
    )
    .unwrap();
    assert_eq!(counts(&replay(&mut lake, &other_source, &Selection::default())), (0, 0, 0, 0));

    // The unit was what was told of first; now it is the time.
    let all = counts(&replay(&mut lake, &native(), &Selection::default()));
    assert_eq!(all, (3, 1, 0, 2));
    let reasons = lake.rows("select distinct reason from rejects");
    assert_eq!(reasons, ["bad_time"]);
}

#[test]
fn a_line_that_was_sent_again_mended_is_a_duplicate_and_leaves_the_rejects() {
    let mut lake = TestLake::new();
    let patrol = line("a", "patrol.recorded", "2024-03-05", "longta");
    lake.land_as(&known_orgs(), "one.ndjson", &ndjson(std::slice::from_ref(&patrol))).unwrap();
    lake.land(&[patrol]);
    assert_eq!(counts(&replay(&mut lake, &native(), &Selection::default())), (1, 0, 1, 0));
    assert_eq!(lake.rows("select count(*) from rejects"), ["0"]);
    assert_eq!(lake.rows("select count(*) from event_log"), ["1"]);
}

#[test]
fn elements_over_several_lines_are_tried_whole_and_cut_lines_are_not() {
    let mut lake = TestLake::new();
    let element = "{\"event_id\": \"a\",\n \"event_type\": \"patrol.recorded\",\n \
        \"occurred_at\": \"2024-03-05T09:00:00+08:00\", \"org_id\": \"longta\"}";
    lake.land_as(&known_orgs(), "array.json", format!("[{element},\n 7]").as_bytes()).unwrap();
    let short = native_with("max_line_bytes = 100");
    let long = line("l", "patrol.recorded", "2024-03-05", "longta")
        .attribute("note", &"x".repeat(9 << 20));
    lake.land_as(&short, "long.ndjson", &ndjson(&[long])).unwrap();
    let replayed = replay(&mut lake, &native(), &Selection::default());
    assert_eq!((counts(&replayed), replayed.cut), ((2, 1, 0, 1), 1));
    assert_eq!(
        lake.rows("select reason from rejects order by reason"),
        ["line_too_long", "malformed_json"]
    );
}

/// Lines of units of which some are registered late.
fn lines() -> impl Strategy<Value = Vec<(usize, Line)>> {
    let units = ["longta", "yuehu", "market"];
    proptest::collection::vec((0..3usize, 1..29u32, 1..4u32), 1..30).prop_map(move |rows| {
        rows.into_iter()
            .enumerate()
            .map(|(id, (unit, day, month))| {
                let day = format!("2024-{month:02}-{day:02}");
                (unit, line(&format!("e-{id}"), "patrol.recorded", &day, units[unit]))
            })
            .collect()
    })
}

#[derive(Debug, Clone)]
enum Deed {
    Register(usize),
    Replay(Option<usize>),
    LandAgain,
    Refresh,
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let deed = prop_oneof![
        (1..3usize).prop_map(Deed::Register),
        proptest::option::of(0..2usize).prop_map(Deed::Replay),
        Just(Deed::LandAgain),
        Just(Deed::Refresh),
    ];
    proptest::collection::vec(deed, 0..8)
}

proptest! {
    #![proptest_config(Config { cases: 5, failure_persistence: None, ..Config::default() })]

    #[test]
    fn replays_in_any_order_end_where_one_landing_with_everything_known_does(
        lines in lines(), cut in any::<prop::sample::Index>(), deeds in deeds()
    ) {
        let bare: Vec<Line> = lines.iter().map(|(_, line)| line.clone()).collect();
        let mut at_once = TestLake::new();
        at_once.land(&bare);
        at_once.refresh();

        let mut lake = TestLake::new();
        let mut registered = "org_id,name\nlongta,龙塔\n".to_owned();
        lake.reference("orgs", &registered);
        let (first, second) = bare.split_at(cut.index(bare.len() + 1));
        let parts = [("first.ndjson", first), ("second.ndjson", second)];
        let files = parts.map(|(name, lines)| lake.file(name, &ndjson(lines)));
        lake.land_files(&known_orgs(), &files).unwrap();
        let all = [Deed::Register(1), Deed::Register(2), Deed::Replay(None), Deed::Refresh];
        for deed in deeds.into_iter().chain(all) {
            match deed {
                Deed::Register(unit) => {
                    let unit = ["", "yuehu", "market"][unit];
                    if !registered.contains(unit) {
                        registered.push_str(&format!("{unit},{unit}\n"));
                    }
                    lake.reference("orgs", &registered);
                }
                Deed::Replay(file) => {
                    let file = file.map(|file| files[file].display().to_string());
                    replay(&mut lake, &known_orgs(), &Selection { reason: None, file });
                }
                Deed::LandAgain => {
                    lake.land_files(&known_orgs(), &files).unwrap();
                }
                Deed::Refresh => {
                    lake.refresh();
                }
            }
            prop_assert_eq!(&lake.rows(KEPT)[0], &bare.len().to_string(), "no line is lost");
        }
        prop_assert_eq!(lake.rows(EVENTS), at_once.rows(EVENTS));
        prop_assert_eq!(lake.rows(ROLLUP), at_once.rows(ROLLUP));
        prop_assert_eq!(lake.rows("select count(*) from rejects"), ["0"]);
    }
}
