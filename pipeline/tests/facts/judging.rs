//! Every line lands or is kept with its reason; nothing that a file holds can stop the others.

use std::collections::HashSet;

use crate::harness::{NOW, TestLake, line, native, native_with, time, wait};
use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use pipeline::definition::Definitions;
use pipeline::source::mapping::Mapping;
use pipeline::source::{Compression, Format, Limits, judge};
use pipeline::zone::DEFAULT_ZONE;
use proptest::prelude::*;
use proptest::test_runner::Config;

/// A reject as the tests see it: line number, reason code, original bytes.
type Found = (i64, String, Vec<u8>);

fn rejects(lake: &TestLake) -> Vec<Found> {
    let sql = "select line, reason, text from rejects order by line";
    let mut found = Vec::new();
    for batch in wait(lake.view().collect("rejects", sql)).unwrap() {
        let lines = batch.column(0).as_primitive::<Int64Type>().clone();
        let reasons = cast(batch.column(1), &DataType::Utf8).unwrap();
        let texts = cast(batch.column(2), &DataType::Binary).unwrap();
        for row in 0..batch.num_rows() {
            let reason = reasons.as_string::<i32>().value(row).to_owned();
            let text = texts.as_binary::<i32>().value(row).to_vec();
            found.push((lines.value(row), reason, text));
        }
    }
    found
}

fn readable(rejects: &[Found]) -> Vec<String> {
    rejects
        .iter()
        .map(|(line, reason, text)| format!("{line} {reason} {}", text.escape_ascii()))
        .collect()
}

/// Lands a file and checks its rejects, and that `landed` other rows landed.
#[track_caller]
fn check(
    lake: &mut TestLake,
    mapping: &Mapping,
    name: &str,
    bytes: &[u8],
    landed: u64,
    expected: &[(i64, &str, &[u8])],
) {
    let outcome = lake.land_as(mapping, name, bytes).unwrap();
    let expected: Vec<Found> = expected
        .iter()
        .map(|(line, reason, text)| (*line, (*reason).to_owned(), text.to_vec()))
        .collect();
    assert_eq!(readable(&rejects(lake)), readable(&expected));
    assert_eq!((outcome.landed, outcome.rejected), (landed, expected.len() as u64));
    assert_eq!(lake.rows("select count(*) from events"), [landed.to_string()]);
}

/// Puts each broken line between two good ones and checks that only the broken ones are refused.
#[track_caller]
fn check_lines(mapping: &Mapping, broken: &[(&str, &[u8])]) {
    let mut bytes = Vec::new();
    let mut expected = Vec::new();
    let mut good = 0_i64;
    for (reason, text) in broken {
        good += 1;
        let line = line(&format!("good-{good}"), "patrol.recorded", "2024-03-05", "longta");
        bytes.extend_from_slice(line.text().as_bytes());
        bytes.push(b'\n');
        bytes.extend_from_slice(text);
        bytes.push(b'\n');
        expected.push((2 * good, *reason, *text));
    }
    check(&mut TestLake::new(), mapping, "events.ndjson", &bytes, good.cast_unsigned(), &expected);
}

/// A native line with one key replaced; `null` stands for a key that is not there.
fn altered(key: &str, value: &str) -> Vec<u8> {
    let good = line("altered", "patrol.recorded", "2024-03-05", "longta");
    let value: serde_json::Value = serde_json::from_str(value).unwrap();
    good.with(key, value).text().into_bytes()
}

#[test]
fn what_is_not_one_json_object_is_malformed() {
    let lines: [&[u8]; 9] = [
        br#"{"event_id":"x""#,
        br#"[{"event_id":"x"}]"#,
        br#""text""#,
        b"null",
        b"42",
        br#"{"event_id":"x"} {"event_id":"y"}"#,
        b"{'event_id':'x'}",
        br#"{"event_id":NaN}"#,
        b"  event_id=x\t ",
    ];
    check_lines(&native(), &lines.map(|line| ("malformed_json", line)));
}

#[test]
fn half_a_surrogate_pair_stays_as_it_is_written_and_costs_no_line() {
    let mut lake = TestLake::new();
    let line = String::from_utf8(altered("party_id", r#""HALF""#)).unwrap();
    let line = line.replace("HALF", r"\u4f01\ud83d业");
    check(&mut lake, &native(), "events.ndjson", line.as_bytes(), 1, &[]);
    assert_eq!(lake.rows("select party_id from events"), [r"\u4f01\ud83d业"]);
}

#[test]
fn a_field_of_another_type_is_refused() {
    let lines = [
        altered("event_type", "{}"),
        altered("org_id", r#"["longta"]"#),
        altered("occurred_at", "{}"),
        altered("officer_ids", r#"{"a":"b"}"#),
        altered("officer_ids", "[1,2]"),
        altered("object_id", "[]"),
        altered("operation", r#""merge""#),
        altered("attributes", r#""text""#),
        altered("attributes", "[1]"),
        altered("attributes", "5"),
        altered("revision", r#""two""#),
        altered("revision", "1.5"),
        altered("revision", "-1"),
        altered("revision", "9223372036854775808"),
    ];
    check_lines(&native(), &lines.each_ref().map(|line| ("wrong_type", line.as_slice())));
}

#[test]
fn what_cannot_be_counted_is_refused_with_its_reason() {
    let cases = [
        ("missing_type", altered("event_type", "null")),
        ("missing_type", altered("event_type", r#""""#)),
        ("missing_org", altered("org_id", "null")),
        ("missing_org", altered("org_id", r#""""#)),
        ("missing_time", altered("occurred_at", "null")),
        ("missing_time", altered("occurred_at", r#""""#)),
        ("bad_time", altered("occurred_at", r#""yesterday""#)),
        ("bad_time", altered("occurred_at", r#""2024-02-30T09:00:00+08:00""#)),
        ("bad_time", altered("occurred_at", r#""2024-03-05T25:00:00+08:00""#)),
        ("bad_time", altered("occurred_at", "20240305")),
        ("bad_time", altered("received_at", r#""soon""#)),
        ("time_before_1990", altered("occurred_at", r#""1989-12-31T23:59:59Z""#)),
        ("future_time", altered("occurred_at", r#""2026-07-02T12:00:01+08:00""#)),
        ("future_time", altered("occurred_at", r#""9999-12-31T00:00:00Z""#)),
        ("delete_without_revision", altered("operation", r#""delete""#)),
        ("malformed_json", b"{".to_vec()),
    ];
    let lines: Vec<(&str, &[u8])> =
        cases.iter().map(|(reason, line)| (*reason, line.as_slice())).collect();
    check_lines(&native(), &lines);
}

#[test]
fn a_line_that_is_not_utf8_keeps_its_bytes() {
    check_lines(
        &native(),
        &[
            ("invalid_utf8", b"\xff\xfe"),
            ("invalid_utf8", b"{\"event_id\":\"\xc3\x28\"}"),
            ("invalid_utf8", b"{\"org_id\":\"\xd6\xd0\"}  "),
        ],
    );
}

#[test]
fn a_line_over_the_limit_is_refused_and_kept() {
    let mapping = native_with("max_line_bytes = 200");
    let long = altered("object_id", &format!("\"{}\"", "x".repeat(300)));
    check_lines(
        &mapping,
        &[("line_too_long", &long), ("line_too_long", &[b' ', b'x'].repeat(200))],
    );
}

#[test]
fn a_last_line_over_the_limit_is_kept_whole() {
    let mapping = native_with("max_line_bytes = 200");
    let long = altered("object_id", &format!("\"{}\"", "x".repeat(300)));
    check(
        &mut TestLake::new(),
        &mapping,
        "events.ndjson",
        &long,
        0,
        &[(1, "line_too_long", &long)],
    );
}

#[test]
fn times_at_the_bounds_land() {
    let mut lake = TestLake::new();
    let outcome = lake.land(&[
        line("first", "patrol.recorded", "1990-01-01T00:00:00Z", "longta"),
        line("ahead", "patrol.recorded", "2026-07-02T12:00:00+08:00", "longta"),
    ]);
    assert_eq!(outcome.landed, 2);
}

#[test]
fn line_ends_and_blank_lines_are_no_part_of_a_line() {
    let good = line("good", "patrol.recorded", "2024-03-05", "longta").text();
    let bytes = format!("\u{feff}{good}\r\n\r\n   \n{{broken \r\n\n{{last");
    check(
        &mut TestLake::new(),
        &native(),
        "events.ndjson",
        bytes.as_bytes(),
        1,
        &[(4, "malformed_json", b"{broken "), (6, "malformed_json", b"{last")],
    );
}

#[test]
fn units_must_be_known_where_the_mapping_asks_for_it() {
    let mut lake = TestLake::new();
    lake.reference("orgs", "org_id,valid_to\nlongta,\nold,2020-01-01\n");
    let known = line("a", "patrol.recorded", "2024-03-05", "longta").text();
    let former = line("b", "patrol.recorded", "2024-03-05", "old").text();
    let unknown = line("c", "patrol.recorded", "2024-03-05", "nowhere").text();
    let bytes = format!("{known}\n{unknown}\n{former}\n");
    let mapping = native_with("orgs = \"known\"");
    let expected = [(2, "unknown_org", unknown.as_bytes())];
    check(&mut lake, &mapping, "events.ndjson", bytes.as_bytes(), 2, &expected);
    // The same line lands where the mapping does not ask.
    let outcome = lake.land_as(&native(), "events.ndjson", unknown.as_bytes()).unwrap();
    assert_eq!(outcome.landed, 1);
}

const HEADER: &str = "event_id,event_type,occurred_at,org_id,object_id\n";

#[track_caller]
fn check_csv(rows: &[u8], landed: u64, expected: &[(i64, &str, &[u8])]) {
    let bytes = [HEADER.as_bytes(), rows].concat();
    check(&mut TestLake::new(), &native(), "events.csv", &bytes, landed, expected);
}

#[test]
fn a_row_with_other_fields_than_the_header_is_malformed() {
    check_csv(
        b"a,patrol.recorded,2024-03-05,longta,p-1\n\
          b,patrol.recorded,2024-03-05,longta \n\
          c,patrol.recorded,2024-03-05,longta,p-3,more\n\
          d,patrol.recorded,2024-03-05,longta,p-4\n\
          e\n",
        2,
        &[
            (3, "malformed_row", b"b,patrol.recorded,2024-03-05,longta "),
            (4, "malformed_row", b"c,patrol.recorded,2024-03-05,longta,p-3,more"),
            (6, "malformed_row", b"e"),
        ],
    );
}

#[test]
fn a_quote_that_does_not_close_costs_one_line_wherever_it_stands() {
    check_csv(
        b"a,patrol.recorded,2024-03-05,longta,\"p-1\n\
          b,patrol.recorded,2024-03-05,longta,p-2\n\
          c,\"patrol.recorded,2024-03-05,longta,p-3\n\
          d,patrol.recorded,2024-03-05,longta,\"p-4\"\n\
          e,patrol.recorded,2024-03-05,longta,p-5\n\
          f,patrol.recorded,2024-03-05,longta,\"p-6",
        3,
        &[
            (2, "malformed_row", b"a,patrol.recorded,2024-03-05,longta,\"p-1"),
            (4, "malformed_row", b"c,\"patrol.recorded,2024-03-05,longta,p-3"),
            (7, "malformed_row", b"f,patrol.recorded,2024-03-05,longta,\"p-6"),
        ],
    );
}

#[test]
fn a_quote_that_does_not_close_in_a_large_file_costs_one_line() {
    let mut rows = b"a,patrol.recorded,2024-03-05,longta,\"p-1\n".to_vec();
    let mut landed = 0;
    while rows.len() < 9 << 20 {
        landed += 1;
        let padding = "x".repeat(4000);
        rows.extend_from_slice(
            format!("n-{landed},patrol.recorded,2024-03-05,longta,{padding}\n").as_bytes(),
        );
    }
    check_csv(&rows, landed, &[(2, "malformed_row", b"a,patrol.recorded,2024-03-05,longta,\"p-1")]);
}

#[test]
fn a_row_over_several_lines_counts_from_its_first_and_keeps_them_all() {
    check_csv(
        b"a,patrol.recorded,2024-03-05,longta,\"p\n1\"\r\n\
          \r\n\
          \"b\n\",patrol.recorded,yesterday,longta,\"say \"\"p\"\"\"\r\n\
          c,,2024-03-05,longta,p-3 \r\n\
          d,patrol.recorded,2024-03-05,longta,p-4\r\n",
        2,
        &[
            (5, "bad_time", b"\"b\n\",patrol.recorded,yesterday,longta,\"say \"\"p\"\"\""),
            (7, "missing_type", b"c,,2024-03-05,longta,p-3 "),
        ],
    );
}

#[test]
fn a_field_that_is_not_utf8_refuses_its_row() {
    check_csv(
        b"a,patrol.recorded,2024-03-05,longta,\xd6\xd0\nb,patrol.recorded,2024-03-05,longta,p-2\n",
        1,
        &[(2, "invalid_utf8", b"a,patrol.recorded,2024-03-05,longta,\xd6\xd0")],
    );
}

#[test]
fn a_row_over_the_limit_is_refused_and_kept() {
    let mapping = native_with("max_line_bytes = 100");
    let long = format!("a,patrol.recorded,2024-03-05,longta,{}", "x".repeat(100));
    let bytes = format!("{HEADER}{long}\nb,patrol.recorded,2024-03-05,longta,p-2\n");
    let expected = [(2, "line_too_long", long.as_bytes())];
    check(&mut TestLake::new(), &mapping, "events.csv", bytes.as_bytes(), 1, &expected);
}

#[test]
fn a_row_of_several_lines_in_a_large_file_is_one_wherever_quotes_stand_before_it() {
    let mut rows = b"a,patrol.recorded,2024-03-05,longta,5\" pipe\n".to_vec();
    let mut landed = 1;
    while rows.len() < 9 << 20 {
        landed += 1;
        let padding = "x\n".repeat(2000);
        rows.extend_from_slice(
            format!("n-{landed},patrol.recorded,2024-03-05,longta,\"{padding}\"\n").as_bytes(),
        );
    }
    check_csv(&rows, landed, &[]);
}

#[test]
fn a_header_whose_quotes_do_not_close_or_with_a_very_long_name_is_refused() {
    let mut lake = TestLake::new();
    let mut refused = |header: &str| {
        let bytes = format!("{header}\na,patrol.recorded,2024-03-05,longta,x\n");
        lake.land_as(&native(), "events.csv", bytes.as_bytes()).unwrap_err().to_string()
    };
    let error = refused("event_id,event_type,occurred_at,org_id,\"more");
    assert!(error.contains("events.csv:1: a quote of the header does not close"), "{error}");
    let long = "x".repeat(300);
    let error = refused(&format!("event_id,event_type,occurred_at,org_id,{long}"));
    assert!(error.contains("the name of column 5 has over 255 bytes"), "{error}");
}

#[test]
fn a_quote_inside_a_field_is_a_letter() {
    check_csv(
        b"a,patrol.recorded,2024-03-05,longta,5\" pipe\nb,patrol.recorded,2024-03-05,longta,p-2\n",
        2,
        &[],
    );
}

/// Bytes of a file: noise, good lines, and good lines with something in them changed.
fn anything() -> impl Strategy<Value = Vec<u8>> {
    let noise = proptest::collection::vec(any::<u8>(), 0..60);
    let marks = proptest::collection::vec(
        proptest::sample::select(b"{}[]\",:\\\n\r \tau0129-\xff\xe4".as_slice()),
        0..60,
    );
    let good = (0..30u32, 1..29u32, 0..3u32).prop_map(|(id, day, revision)| {
        let day = format!("2024-03-{day:02}");
        let made = line(&format!("e-{id}"), "patrol.recorded", &day, "longta");
        made.revision(revision.into()).text().into_bytes()
    });
    let bent = (0..30u32, any::<prop::sample::Index>(), any::<u8>()).prop_map(|(id, at, byte)| {
        let made = line(&format!("e-{id}"), "patrol.recorded", "2024-03-05", "longta");
        let mut bytes = made.text().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        bytes
    });
    let line = prop_oneof![1 => noise, 1 => marks, 2 => good, 2 => bent];
    proptest::collection::vec((line, proptest::sample::select(vec!["\n", "\r\n", "\n\n"])), 0..12)
        .prop_map(|lines| {
            lines
                .into_iter()
                .flat_map(|(line, end)| [line, end.as_bytes().to_vec()].concat())
                .collect()
        })
}

/// Whether bytes are to be read as lines: not an array, and not in another encoding.
fn are_lines(bytes: &[u8]) -> bool {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    let is_utf16 = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
    !text.starts_with(b"[") && !is_utf16
}

/// The lines of a file that are not blank.
fn written_lines(bytes: &[u8]) -> u64 {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    bytes.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).count() as u64
}

fn config(cases: u32) -> Config {
    Config { cases, failure_persistence: None, ..Config::default() }
}

proptest! {
    #![proptest_config(config(500))]

    #[test]
    fn a_body_of_any_bytes_is_judged_line_by_line(body in anything().prop_filter("lines", |body| are_lines(body))) {
        for mapping in [native(), native_with("max_line_bytes = 80")] {
            let written = (Format::Json, Compression::None);
            let limits = Limits { rejects_shown: 3, unpacked_bytes: u64::MAX };
            let read = std::io::Cursor::new(body.clone());
            let judged =
                judge(&mapping, DEFAULT_ZONE, HashSet::new, time(NOW), written, read, limits)
                    .unwrap();
            prop_assert_eq!(judged.rejects.len() as u64, judged.rejected.min(3));
            prop_assert_eq!(judged.accepted + judged.rejected, written_lines(&body));
        }
    }
}

proptest! {
    #![proptest_config(config(24))]

    #[test]
    fn every_line_of_any_bytes_lands_or_is_known_or_is_kept(body in anything().prop_filter("lines", |body| are_lines(body))) {
        let mut lake = TestLake::new();
        let outcome = lake.land_as(&native(), "events.ndjson", &body).unwrap();
        prop_assert_eq!(
            outcome.landed + outcome.duplicate + outcome.rejected,
            written_lines(&body)
        );
        let found = rejects(&lake);
        prop_assert_eq!(found.len() as u64, outcome.rejected);
        let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&body);
        let lines: Vec<&[u8]> = body.split(|byte| *byte == b'\n').collect();
        for (line, _, text) in found {
            let original = lines[line as usize - 1];
            prop_assert_eq!(&text[..], original.strip_suffix(b"\r").unwrap_or(original));
        }
        prop_assert_eq!(
            lake.rows("select count(*) from event_log where event_month <> 'rejected'"),
            [outcome.landed.to_string()]
        );
    }

    #[test]
    fn rows_around_any_bytes_land_or_are_kept(noise in anything()) {
        let row = |id: &str| format!("{id},patrol.recorded,2024-03-05,longta,p-1\n").into_bytes();
        let bytes =
            [HEADER.as_bytes(), &row("before"), &noise, b"\n", &row("after"), &row("last")].concat();
        let mut lake = TestLake::new();
        let outcome = lake.land_as(&native(), "events.csv", &bytes).unwrap();
        let found = rejects(&lake);
        prop_assert_eq!(found.len() as u64, outcome.rejected);
        let landed = lake.rows("select event_id from events");
        prop_assert!(landed.contains(&"before".to_owned()));
        for id in ["after", "last"] {
            let is_kept = found
                .iter()
                .any(|(_, _, text)| text.windows(id.len()).any(|window| window == id.as_bytes()));
            prop_assert!(is_kept || landed.contains(&id.to_owned()), "{} is lost", id);
        }
        let n_lines = bytes.iter().filter(|byte| **byte == b'\n').count() as i64;
        prop_assert!(found.iter().all(|(line, _, _)| (2..=n_lines).contains(line)));
    }
}

/// Cells that sources write where something else is meant.
fn cell() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => proptest::sample::select(vec![
            "", " ", "/", "无", "null", "0", "-1", "1.5万元", "１２３", "99999999999999999999999999999999999999999",
            "0.0000000000000000000000000001", "1e308", "2024-03-05", "2024/3/5", "20240305", "2024-02-30", "45356", "45356.999999",
            "1.8e30", "0000-00-00", "2024-03-05 25:61:61", "2024年3月5日", "i", "u", "d", "2019041100002", "91500112MA5U0000XX",
            "\u{0}", "\u{feff}", "{}", "[]", "\"", "a,b;c、d", "𠮷", "\u{202e}", "true",
        ]).prop_map(str::to_owned),
        1 => "\\PC{0,40}",
        1 => "[0-9]{1,30}",
        1 => "[0-9-/: ]{6,20}",
    ]
}

proptest! {
    #![proptest_config(config(200))]

    #[test]
    fn every_row_of_any_cells_is_judged_by_every_shipped_mapping(
        rows in proptest::collection::vec(proptest::collection::vec(cell(), 80), 1..6),
        noise in anything(),
    ) {
        let definitions = Definitions::load(None).unwrap();
        for (name, _) in definitions.in_folder("sources", "toml") {
            let mapping = Mapping::find(&definitions, name).unwrap();
            let mut csv = csv::Writer::from_writer(Vec::new());
            let columns = mapping.columns();
            csv.write_record(columns).unwrap();
            for row in &rows {
                csv.write_record(row.iter().cycle().take(columns.len())).unwrap();
            }
            let csv = csv.into_inner().unwrap();
            let limits = Limits { rejects_shown: 3, unpacked_bytes: 1 << 20 };
            let judged = |format, compression, body: &[u8]| {
                let read = std::io::Cursor::new(body.to_vec());
                judge(&mapping, DEFAULT_ZONE, HashSet::new, time(NOW), (format, compression), read, limits)
            };
            let told = judged(Format::Csv, Compression::None, &csv).unwrap();
            prop_assert_eq!(told.accepted + told.rejected, rows.len() as u64, "{}", name);
            // Whatever else comes is judged, or refused as a whole.
            for (format, compression) in [
                (Format::Json, Compression::None),
                (Format::Csv, Compression::None),
                (Format::Json, Compression::Gzip),
                (Format::Csv, Compression::Zstd),
            ] {
                if let Err(error) = judged(format, compression, &noise) {
                    prop_assert!(!error.to_string().is_empty());
                }
            }
        }
    }
}
