//! A mapping is checked whole before a line is read, and makes the same events out of every format.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Int64Array, ListBuilder, RecordBatch, StringArray, StringBuilder,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use parquet::arrow::ArrowWriter;
use pipeline::source::mapping::Mapping;

use crate::harness::{REJECTS, TestLake, line, native, ndjson, time};

const LEAST: &str = r#"
name = "least"
[[event]]
event_type = { value = "case.advanced" }
occurred_at = "at"
org_id = "org"
"#;

/// Checks that a mapping is refused, and that the message names these.
#[track_caller]
fn check_refused(toml: &str, named: &[&str]) {
    let error = Mapping::parse("foreign.toml", toml).unwrap_err().to_string();
    assert!(error.starts_with("foreign.toml: "), "{error}");
    for name in named {
        assert!(error.contains(name), "`{name}` is not named: {error}");
    }
}

#[test]
fn a_wrong_mapping_is_refused_naming_the_key_and_what_was_expected() {
    Mapping::parse("foreign.toml", LEAST).unwrap();
    let with = |line: &str| format!("{LEAST}{line}\n");
    check_refused("", &["missing field `name`"]);
    check_refused("name = \"x\"", &["missing field `event`"]);
    check_refused("name = \"x\"\nevent = []", &["no [[event]]", "say how a row becomes an event"]);
    check_refused(&format!("nam = \"x\"{LEAST}"), &["unknown field `nam`", "expected"]);
    check_refused(&with("officer_id = \"who\""), &["unknown field `officer_id`", "officer_ids"]);
    check_refused(&LEAST.replace("org_id", "# org_id"), &["missing field `org_id`"]);
    check_refused(&LEAST.replace("occurred_at", "# at"), &["missing field `occurred_at`"]);
    check_refused(&LEAST.replace("\"least\"", "5"), &["name = 5", "expected a string"]);
    check_refused(&LEAST.replace("\"org\"", "5"), &["org_id = 5", "a column name, or a table"]);
    check_refused(
        &format!("max_line_bytes = \"1k\"{LEAST}"),
        &["max_line_bytes", "expected usize"],
    );
    check_refused(&format!("orgs = \"some\"{LEAST}"), &["some", "`any` or `known`"]);
    check_refused(&format!("rest = \"drop\"{LEAST}"), &["drop", "`attributes` or `ignore`"]);
    check_refused(&format!("zone = \"Asia/Yubei\"{LEAST}"), &["key `zone`", "Asia/Yubei", "IANA"]);
    check_refused(&with("attributes = 5"), &["attributes = 5", "a JSON object"]);
    check_refused(
        &with("event_id = { template = \"{case/filed\" }"),
        &["key `event_id`", "unclosed `{`", "write columns as {column}"],
    );
    check_refused(
        &with("object_id = { column = \"case\", value = \"x\" }"),
        &["key `object_id`", "keep exactly one of them"],
    );
    check_refused(
        &with("object_id = { default = \"x\" }"),
        &["key `object_id`", "none or several"],
    );
    check_refused(&with("object_id = { colum = \"x\" }"), &["unknown field `colum`"]);
    check_refused(&with("once = true"), &["`once = true`", "event_id"]);
    check_refused(
        &format!("required = [\"at\", \"who\"]{LEAST}"),
        &["key `required`", "column `who`"],
    );
    check_refused(&with("[reference.officers]\nofficer_id = \"who\""), &["missing field `org_id`"]);
}

#[test]
fn a_header_without_a_needed_column_is_refused_before_anything_lands() {
    let mapping = Mapping::parse("foreign.toml", LEAST).unwrap();
    let mut lake = TestLake::new();
    let before = lake.view().version();
    let good = lake.file("good.csv", b"at,org\n2024-03-05,longta\n");
    let bad = lake.file("bad.csv", b"time,org,who\n2024-03-05,longta,wang\n");
    let error = lake.land_files(&mapping, &[good, bad]).unwrap_err().to_string();
    for named in ["bad.csv", "the mapping `least` needs column `at`", "the file has time, org, who"]
    {
        assert!(error.contains(named), "{error}");
    }
    let empty = lake.file("empty.csv", b"");
    let error = lake.land_files(&mapping, &[empty]).unwrap_err().to_string();
    assert!(error.contains("empty.csv: the file is empty"), "{error}");
    let other = lake.file("other.parquet", b"at,org\n");
    let error = lake.land_files(&mapping, &[other]).unwrap_err().to_string();
    assert!(error.contains("other.parquet: not a readable Parquet file"), "{error}");
    assert_eq!(lake.view().version(), before);
}

#[test]
fn a_file_of_an_unknown_format_is_refused_naming_the_known_ones() {
    let mut lake = TestLake::new();
    let path = lake.file("events.docx", b"");
    let error = lake.land_files(&native(), &[path]).unwrap_err().to_string();
    assert!(error.contains("events.docx` has no known format; use .ndjson"), "{error}");
}

const EVENTS: &str = "select event_id, revision, event_type, occurred_at, event_date, received_at, \
    landed_at, source, org_id, array_to_string(officer_ids, '|') as officer_ids, object_id, \
    party_id, item_code, channel, attributes, event_month from events order by event_id";

const NDJSON: &str = r#"{"event_id":"a","event_type":"patrol.recorded","occurred_at":"2024-03-05T09:12:33.25+08:00","received_at":"2024-03-05T09:13:00+08:00","org_id":"longta","officer_ids":["wang","li"],"object_id":"p-1","party_id":"firm-1","item_code":"i-1","channel":"app","attributes":{"result":"none","note":"he said \"no\", and left"}}
{"event_id":"b","revision":2,"event_type":"case.filed","occurred_at":"2023-12-31T16:00:00Z","org_id":"渝北区","officer_ids":["wang"]}
{"event_id":"c","event_type":"officer.login","occurred_at":"2024-03-01T00:00:00+08:00","received_at":"2024-03-01T00:00:01+08:00","org_id":"longta","attributes":{}}
"#;

const CSV: &str = "\
event_id,revision,event_type,occurred_at,received_at,org_id,officer_ids,object_id,party_id,item_code,channel,attributes
a,,patrol.recorded,2024-03-05T09:12:33.25+08:00,2024-03-05T09:13:00+08:00,longta,\"wang,li\",p-1,firm-1,i-1,app,\"{\"\"result\"\":\"\"none\"\",\"\"note\"\":\"\"he said \\\"\"no\\\"\", and left\"\"}\"
b,2,case.filed,2023-12-31 16:00:00Z,,渝北区,wang,,,,,
c,0,officer.login,2024-03-01,2024-03-01 00:00:01,longta,,,,,,{}
";

/// The events of [`NDJSON`] as Parquet.
fn as_parquet() -> Vec<u8> {
    let micros = |text: &str| time(text).timestamp_micros();
    let times = |values: Vec<Option<i64>>| -> ArrayRef {
        Arc::new(TimestampMicrosecondArray::from(values).with_timezone("UTC"))
    };
    let texts =
        |values: [Option<&str>; 3]| -> ArrayRef { Arc::new(StringArray::from(values.to_vec())) };
    let element = Arc::new(Field::new("element", DataType::Utf8, true));
    let mut officers = ListBuilder::new(StringBuilder::new()).with_field(Arc::clone(&element));
    for ids in [&["wang", "li"][..], &["wang"], &[]] {
        ids.iter().for_each(|id| officers.values().append_value(id));
        officers.append(!ids.is_empty());
    }
    let note = r#"{"result":"none","note":"he said \"no\", and left"}"#;
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("event_id", texts([Some("a"), Some("b"), Some("c")])),
        ("revision", Arc::new(Int64Array::from(vec![None, Some(2), Some(0)]))),
        ("event_type", texts([Some("patrol.recorded"), Some("case.filed"), Some("officer.login")])),
        (
            "occurred_at",
            times(vec![
                Some(micros("2024-03-05T09:12:33.25+08:00")),
                Some(micros("2023-12-31T16:00:00Z")),
                Some(micros("2024-03-01T00:00:00+08:00")),
            ]),
        ),
        (
            "received_at",
            times(vec![
                Some(micros("2024-03-05T09:13:00+08:00")),
                None,
                Some(micros("2024-03-01T00:00:01+08:00")),
            ]),
        ),
        ("org_id", texts([Some("longta"), Some("渝北区"), Some("longta")])),
        ("officer_ids", Arc::new(officers.finish())),
        ("object_id", texts([Some("p-1"), None, None])),
        ("party_id", texts([Some("firm-1"), None, None])),
        ("item_code", texts([Some("i-1"), None, None])),
        ("channel", texts([Some("app"), None, None])),
        ("attributes", texts([Some(note), None, Some("{}")])),
    ];
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, column)| Field::new(*name, column.data_type().clone(), true))
        .collect();
    assert_eq!(
        fields[3].data_type(),
        &DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
    );
    let schema = Arc::new(Schema::new(fields));
    let columns = columns.into_iter().map(|(_, column)| column).collect();
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), schema, None).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

#[test]
fn every_format_makes_the_same_events() {
    let expected = [
        "a 0 patrol.recorded 2024-03-05T01:12:33.250Z 2024-03-05 2024-03-05T01:13:00Z \
         2026-07-01T04:00:00Z native longta wang|li p-1 firm-1 i-1 app \
         {\"result\":\"none\",\"note\":\"he said \\\"no\\\", and left\"} 2024-03",
        "b 2 case.filed 2023-12-31T16:00:00Z 2024-01-01 2026-07-01T04:00:00Z \
         2026-07-01T04:00:00Z native 渝北区 wang NULL NULL NULL NULL NULL 2024-01",
        "c 0 officer.login 2024-02-29T16:00:00Z 2024-03-01 2024-02-29T16:00:01Z \
         2026-07-01T04:00:00Z native longta  NULL NULL NULL NULL NULL 2024-03",
    ];
    // The two halves of a file that was compressed in pieces are one file.
    let (first, second) = NDJSON.split_at(NDJSON.find('\n').unwrap() + 1);
    let halves =
        |pack: fn(&[u8]) -> Vec<u8>| [pack(first.as_bytes()), pack(second.as_bytes())].concat();
    for (name, bytes) in [
        ("events.ndjson", NDJSON.as_bytes().to_vec()),
        ("events.jsonl", NDJSON.trim_end().as_bytes().to_vec()),
        ("events.ndjson.gz", gzip(NDJSON.as_bytes())),
        ("events.ndjson.zst", zstd(NDJSON.as_bytes())),
        ("pieces.ndjson.gz", halves(gzip)),
        ("pieces.ndjson.zst", halves(zstd)),
        ("events.csv", CSV.as_bytes().to_vec()),
        ("crlf.csv", CSV.replace('\n', "\r\n").into_bytes()),
        ("bom.csv", format!("\u{feff}{CSV}").into_bytes()),
        ("events.csv.gz", gzip(CSV.as_bytes())),
        ("events.csv.zst", zstd(CSV.as_bytes())),
        ("EVENTS.PARQUET", as_parquet()),
    ] {
        let mut lake = TestLake::new();
        let outcome = lake.land_as(&native(), name, &bytes).unwrap();
        assert_eq!(lake.rows(REJECTS), [""; 0], "{name}");
        assert_eq!(outcome.landed, 3, "{name}");
        assert_eq!(lake.rows(EVENTS), expected, "{name}");
    }
}

#[test]
fn one_event_in_several_formats_is_one_event() {
    let mut lake = TestLake::new();
    assert_eq!(lake.land_as(&native(), "events.ndjson", NDJSON.as_bytes()).unwrap().landed, 3);
    for (name, bytes) in [("events.csv", CSV.as_bytes().to_vec()), ("events.parquet", as_parquet())]
    {
        let outcome = lake.land_as(&native(), name, &bytes).unwrap();
        assert_eq!((outcome.landed, outcome.duplicate), (0, 3), "{name}");
    }
}

#[test]
fn a_refused_parquet_row_is_kept_as_an_object() {
    let column: ArrayRef = Arc::new(StringArray::from(vec!["2024-03-05", "never"]));
    let batch = RecordBatch::try_from_iter([
        ("at", column),
        ("org", Arc::new(StringArray::from(vec!["longta", "longta"])) as ArrayRef),
    ])
    .unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    let mut lake = TestLake::new();
    let mapping = Mapping::parse("foreign.toml", LEAST).unwrap();
    let outcome = lake.land_as(&mapping, "events.parquet", &writer.into_inner().unwrap()).unwrap();
    assert_eq!((outcome.landed, outcome.rejected), (1, 1));
    assert_eq!(
        lake.rows("select line, reason, arrow_cast(text, 'Utf8') from rejects"),
        [r#"2 bad_time {"at":"never","org":"longta"}"#]
    );
}

/// A log as another platform writes it: its own steps, times without an offset, several persons in a field.
const FOREIGN: &str = r#"
name = "foreign"
zone = "Asia/Tokyo"
time_formats = ["%Y年%m月%d日 %H:%M", "%d.%m.%Y"]

[reference.orgs]
org_id = "单位"

[reference.officers]
officer_id = "经办"
org_id = "单位"

[[event]]
event_id = { template = "{案号}-{序号}" }
event_type = { column = "环节", default = "case.advanced", values = { "立案" = "case.filed", "结案" = "case.closed" } }
occurred_at = "时间"
org_id = "单位"
officer_ids = { column = "人员", separator = "、" }
object_id = "案号"
item_code = { column = "事项", values = { "占道" = "i-road" } }
channel = { value = "import" }

[event.attributes]
step = "环节"

[[event]]
once = true
when = "受理"
event_id = { template = "{案号}/accepted" }
event_type = { value = "case.accepted" }
occurred_at = "受理"
org_id = "单位"
object_id = "案号"
"#;

const FOREIGN_ROWS: &str = "\
案号,序号,环节,时间,单位,经办,人员,事项,受理,备注
c-1,1,立案,2024年03月01日 00:30,龙塔,王,王、李,占道,29.02.2024,急
c-1,2,调查,2024-03-02 08:00:00,龙塔,李,李,噪音,29.02.2024,
c-1,3,,2024-03-03T08:00:00+08:00,龙塔,王,、,占道,29.02.2024,
c-2,1,结案,2024-03-04,大湾,赵,赵,占道,,
";

#[test]
fn a_foreign_log_is_read_as_its_mapping_says() {
    let mut lake = TestLake::new();
    let mapping = Mapping::parse("foreign.toml", FOREIGN).unwrap();
    let outcome = lake.land_as(&mapping, "log.csv", FOREIGN_ROWS.as_bytes()).unwrap();
    assert_eq!((outcome.landed, outcome.derived, outcome.duplicate), (4, 1, 0));
    let sql = "select event_id, event_type, occurred_at, event_date, org_id, \
        array_to_string(officer_ids, '|') as officer_ids, object_id, item_code, channel, attributes \
        from events order by event_id";
    // Half past midnight in Tokyo is the evening before here.
    assert_eq!(
        lake.rows(sql),
        [
            "c-1-1 case.filed 2024-02-29T15:30:00Z 2024-02-29 龙塔 王|李 c-1 i-road import {\"step\":\"立案\",\"备注\":\"急\"}",
            "c-1-2 case.advanced 2024-03-01T23:00:00Z 2024-03-02 龙塔 李 c-1 噪音 import {\"step\":\"调查\"}",
            "c-1-3 case.advanced 2024-03-03T00:00:00Z 2024-03-03 龙塔  c-1 i-road import NULL",
            "c-1/accepted case.accepted 2024-02-28T15:00:00Z 2024-02-28 龙塔  c-1 NULL NULL {\"备注\":\"急\"}",
            "c-2-1 case.closed 2024-03-03T15:00:00Z 2024-03-03 大湾 赵 c-2 i-road import {\"step\":\"结案\"}",
        ]
    );
    lake.refresh();
    assert_eq!(lake.rows("select org_id from orgs order by 1"), ["大湾", "龙塔"]);
    assert_eq!(
        lake.rows("select officer_id, org_id from officers order by 1"),
        ["李 龙塔", "王 龙塔", "赵 大湾"]
    );
    let again = lake.land_as(&mapping, "again.csv", (FOREIGN_ROWS.to_owned() + "\n").as_bytes());
    let again = again.unwrap();
    assert_eq!((again.landed, again.derived, again.duplicate), (0, 0, 4));
}

#[test]
fn what_the_register_knows_is_not_overwritten_by_a_log() {
    let mut lake = TestLake::new();
    lake.reference("orgs", "org_id,name,kind,valid_from\n龙塔,龙塔街道,town,2020-01-01\n");
    lake.reference(
        "officers",
        "officer_id,org_id,certificate_no,valid_from\n王,大湾,c-1,2020-01-01\n",
    );
    let mapping = Mapping::parse("foreign.toml", FOREIGN).unwrap();
    lake.land_as(&mapping, "log.csv", FOREIGN_ROWS.as_bytes()).unwrap();
    assert_eq!(
        lake.rows("select org_id, name, kind, valid_from from orgs order by 1"),
        ["大湾 大湾 NULL NULL", "龙塔 龙塔街道 town 2020-01-01"]
    );
    assert_eq!(
        lake.rows("select officer_id, org_id, certificate_no from officers order by 1"),
        ["李 龙塔 NULL", "王 大湾 c-1", "赵 大湾 NULL"]
    );
}

#[test]
fn columns_that_no_key_names_are_kept_unless_the_mapping_ignores_them() {
    let row = br#"{"at":"2024-03-05","org":"longta","note":"x","n":5,"list":[1,2]}"#;
    for (rest, expected) in
        [("attributes", r#"{"note":"x","n":5,"list":[1,2]}"#), ("ignore", "NULL")]
    {
        let mut lake = TestLake::new();
        let mapping = Mapping::parse("foreign.toml", &format!("rest = \"{rest}\"{LEAST}")).unwrap();
        lake.land_as(&mapping, "log.ndjson", row).unwrap();
        assert_eq!(lake.rows("select attributes from events"), [expected]);
    }
}

#[test]
fn an_id_derived_from_the_content_makes_a_second_landing_land_nothing() {
    let mapping = Mapping::parse("foreign.toml", LEAST).unwrap();
    let mut lake = TestLake::new();
    let first = lake.land_as(&mapping, "a.csv", b"at,org\n2024-03-05,longta\n2024-03-06,longta\n");
    assert_eq!(first.unwrap().landed, 2);
    // The same rows and one more, in another order and another format.
    let rows = br#"{"org":"longta","at":"2024-03-06"}
{"at":"2024-03-05","org":"longta"}
{"at":"2024-03-05","org":"yuehu"}
{"at":"2024-03-05 00:00:00+08:00","org":"longta"}
"#;
    let second = lake.land_as(&mapping, "b.ndjson", rows).unwrap();
    assert_eq!((second.landed, second.duplicate), (1, 3));
    assert_eq!(lake.rows("select count(distinct event_id) from events"), ["3"]);
}

#[test]
fn an_id_derived_from_the_content_tells_apart_what_differs() {
    let rows = [
        r#"{"event_type":"a.b","occurred_at":"2024-03-05","org_id":"x"}"#,
        r#"{"event_type":"a.c","occurred_at":"2024-03-05","org_id":"x"}"#,
        r#"{"event_type":"a.b","occurred_at":"2024-03-06","org_id":"x"}"#,
        r#"{"event_type":"a.b","occurred_at":"2024-03-05","org_id":"y"}"#,
        r#"{"event_type":"a.b","occurred_at":"2024-03-05","org_id":"x","officer_ids":["ab","c"]}"#,
        r#"{"event_type":"a.b","occurred_at":"2024-03-05","org_id":"x","officer_ids":["a","bc"]}"#,
        r#"{"event_type":"a.b","occurred_at":"2024-03-05","org_id":"x","object_id":"p"}"#,
        r#"{"event_type":"a.b","occurred_at":"2024-03-05","org_id":"x","party_id":"p"}"#,
        r#"{"event_type":"a.b","occurred_at":"2024-03-05","org_id":"x","item_code":"p"}"#,
        r#"{"event_type":"a.b","occurred_at":"2024-03-05","org_id":"x","channel":"p"}"#,
        r#"{"event_type":"a.b","occurred_at":"2024-03-05","org_id":"x","attributes":{"a":"p"}}"#,
        r#"{"event_type":"a.b","occurred_at":"2024-03-05","org_id":"x","other":"p"}"#,
    ];
    let mut lake = TestLake::new();
    let outcome = lake.land_as(&native(), "a.ndjson", rows.join("\n").as_bytes()).unwrap();
    assert_eq!((outcome.landed, outcome.duplicate), (rows.len() as u64, 0));
}

#[test]
fn a_folder_is_landed_file_by_file_in_the_order_of_names() {
    let lake = TestLake::new();
    let folder = lake.root().parent().unwrap().join("inbox");
    std::fs::create_dir_all(folder.join("reference")).unwrap();
    let body = ndjson(&[line("a", "patrol.recorded", "2024-03-05", "longta")]);
    for name in ["events-2.ndjson", "events-1.csv.gz", "notes.txt", "reference/orgs.csv"] {
        std::fs::write(folder.join(name), &body).unwrap();
    }
    let inputs = pipeline::source::find_inputs(std::slice::from_ref(&folder)).unwrap();
    let names: Vec<_> =
        inputs.iter().map(|input| input.path().file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["events-1.csv.gz", "events-2.ndjson"]);
    let missing = pipeline::source::find_inputs(&[folder.join("none.csv")]).unwrap_err();
    assert!(missing.to_string().contains("none.csv"), "{missing}");
}

#[test]
fn a_wrong_conversion_or_rule_is_refused_naming_the_key_and_what_to_do() {
    let with = |line: &str| format!("{LEAST}{line}\n");
    let before = |line: &str| format!("{line}\n{LEAST}");
    let attribute = |spec: &str| with(&format!("[event.attributes]\nfine = {spec}"));
    check_refused(
        &attribute("{ column = \"x\", amount = \"jiao\" }"),
        &["jiao", "`yuan` or `wan_yuan`"],
    );
    check_refused(
        &attribute("{ column = \"x\", amount = \"yuan\", date = true }"),
        &["key `fine`", "`amount`, `date`", "keep one of them"],
    );
    check_refused(
        &attribute("{ column = \"x\", separator = \",\", amount = \"yuan\" }"),
        &["key `fine`", "`separator`"],
    );
    check_refused(
        &attribute("{ column = \"x\", separator = [\"\"] }"),
        &["key `fine`", "empty `separator`"],
    );
    check_refused(
        &attribute("{ column = \"x\", except = \"uscc\" }"),
        &["key `fine`", "`pseudonym`"],
    );
    check_refused(
        &attribute("{ column = \"x\", values = \"kinds\" }"),
        &["key `fine`", "list `kinds`", "[lists]"],
    );
    check_refused(&attribute("{ column = \"x\", values = [\"a\"] }"), &["key `fine`", "`values`"]);
    check_refused(&attribute("[]"), &["key `fine`", "empty list"]);
    check_refused(&before("times = \"any\""), &["any", "`iso`, `loose`, `excel`"]);
    check_refused(
        &with("[columns]\nwho = [\"谁\"]"),
        &["[columns] has `who`", "no other key uses"],
    );
    check_refused(&with("[columns]\nat = [\"时间\"]\norg = [\" 时间*\"]"), &["时间", "twice"]);
    check_refused(&with("[columns]\nat = [\"ORG\"]\norg = []"), &["ORG", "twice"]);
    check_refused(
        &with("[[rule]]\nfilled = true\nseverity = \"warn\""),
        &["[[rule]] names no column"],
    );
    check_refused(
        &with("[[rule]]\ncolumn = \"at\"\nseverity = \"warn\""),
        &["rule of at", "none or several"],
    );
    check_refused(
        &with("[[rule]]\ncolumn = \"at\"\nseverity = \"warn\"\nfilled = true\nmax_length = 5"),
        &["rule of at", "write several rules"],
    );
    check_refused(&with("[[rule]]\ncolumn = \"at\"\nfilled = true"), &["missing field `severity`"]);
    check_refused(
        &with("[[rule]]\ncolumn = \"at\"\nseverity = \"warn\"\nformat = \"isbn\""),
        &["isbn", "`uscc`"],
    );
    let batch = "[batch]\nnumber = \"batch\"\noperation = \"op\"";
    check_refused(&with(batch), &["[batch]", "without the key `event_id`"]);
    check_refused(
        &format!("{LEAST}event_id = \"id\"\nrevision = \"n\"\n{batch}"),
        &["[batch]", "`revision`", "the batch gives both"],
    );
}

/// Lands one line through a mapping that has more attributes, and returns those or the reason.
#[track_caller]
fn attributes_of(mapping: &str, line: &str) -> String {
    attributes_in(&mut TestLake::new(), mapping, line)
}

/// The same of the newest line of a lake.
#[track_caller]
fn attributes_in(lake: &mut TestLake, mapping: &str, line: &str) -> String {
    let mapping = Mapping::parse("foreign.toml", mapping).unwrap();
    let outcome = lake.land_as(&mapping, "log.ndjson", line.as_bytes()).unwrap();
    let sql = if outcome.rejected > 0 {
        "select concat(reason, ': ', detail) from rejects"
    } else {
        "select attributes from events order by occurred_at desc limit 1"
    };
    lake.rows(sql).join("\n")
}

#[test]
fn an_attribute_is_read_as_its_key_says() {
    for (spec, cell, expected) in [
        ("{ column = \"x\", amount = \"yuan\" }", "\"1,234.50\"", "123450"),
        ("{ column = \"x\", amount = \"wan_yuan\" }", "0.5", "500000"),
        ("{ column = \"x\", date = true }", "\"2024/3/5 23:00\"", "\"2024-03-05\""),
        ("{ column = \"x\", epoch_seconds = true }", "\"1970-01-01 08:00:01\"", "1"),
        ("{ column = \"x\", first = 2 }", "\"渝北区\"", "\"渝北\""),
        ("{ column = \"x\", filled = \"true\" }", "\"计划1\"", "\"true\""),
        (
            "{ column = \"x\", separator = [\"、\", \",\"], values = { \"1\" = \"警告\" } }",
            "\"1、2,,3 \"",
            "[\"警告\",\"2\",\"3\"]",
        ),
        (
            "{ column = \"x\", separator = \",\", values = { \"1\" = \"警告\" } }",
            "[\"1\",\"2\"]",
            "[\"警告\",\"2\"]",
        ),
        (
            "{ column = \"x\", values = { \"1\" = \"a\" }, others = \"drop\", default = \"b\" }",
            "2",
            "\"b\"",
        ),
        ("{ column = \"x\", document_no = true }", "\"渝罚（2024） 1号\"", "\"渝罚〔2024〕1号\""),
        ("[\"y\", \"x\"]", "\"z\"", "\"z\""),
        ("[{ column = \"y\", default = \"w\" }, \"x\"]", "\"z\"", "\"w\""),
    ] {
        let mapping = format!("times = \"loose\"{LEAST}[event.attributes]\nfine = {spec}\n");
        let line = format!(r#"{{"at":"2024-03-05","org":"longta","x":{cell}}}"#);
        assert_eq!(attributes_of(&mapping, &line), format!("{{\"fine\":{expected}}}"), "{spec}");
    }
    let drops = format!(
        "{LEAST}[event.attributes]\nfine = {{ column = \"x\", values = {{ \"1\" = \"a\" }}, others = \"drop\" }}\n"
    );
    assert_eq!(attributes_of(&drops, r#"{"at":"2024-03-05","org":"longta","x":"2"}"#), "NULL");
}

#[test]
fn a_pseudonym_is_the_same_for_one_number_and_leaves_a_credit_code_as_it_is() {
    let mapping = format!(
        "{LEAST}[event.attributes]\nwho = {{ column = \"x\", pseudonym = \"p\", except = \"uscc\" }}\n"
    );
    let (mut lake, mut second) = (TestLake::new(), 0);
    let mut of = |cell: &str| {
        second += 1;
        let at = format!("2024-03-05 00:00:{second:02}");
        let line = serde_json::json!({"at": at, "org": "longta", "x": cell}).to_string();
        attributes_in(&mut lake, &mapping, &line)
    };
    assert_eq!(of("11500000009276118B"), r#"{"who":"11500000009276118B"}"#);
    let person = of("11010519491231002X");
    assert!(person.starts_with(r#"{"who":"p-"#) && !person.contains("1949"), "{person}");
    assert_eq!(of(" １１010519491231002x "), person);
    // One wrong digit, and it might be the number of a person: it does not stay.
    for other in ["110105194912310021", "11500000009276118C", "115000000092761188"] {
        assert!(of(other).starts_with(r#"{"who":"p-"#), "{other}");
        assert_ne!(of(other), person);
    }
    // Whoever knows a number cannot tell its pseudonym: every lake has a key of its own.
    let line = r#"{"at":"2024-03-05","org":"longta","x":"11010519491231002X"}"#;
    assert_ne!(attributes_of(&mapping, line), person);
}

#[test]
fn the_first_filled_of_a_columns_names_counts() {
    let mapping = format!("empty = [\"/\"]{LEAST}[columns]\nat = []\norg = [\"单位\", \"Unit\"]\n");
    for (line, expected) in [
        (r#"{"AT":"2024-03-05","单位":"a","unit":"b"}"#, "a"),
        (r#"{"unit":"b","单位":"a","At ":"2024-03-05"}"#, "a"),
        (r#"{"at":"2024-03-05","单位":" / ","ＵＮＩＴ":"　b "}"#, "b"),
        (r#"{"at":"2024-03-05","单位":"a","org":"c"}"#, "c"),
    ] {
        let mut lake = TestLake::new();
        let mapping = Mapping::parse("foreign.toml", &mapping).unwrap();
        lake.land_as(&mapping, "log.ndjson", line.as_bytes()).unwrap();
        assert_eq!(lake.rows("select org_id from events"), [expected], "{line}");
    }
}

#[test]
fn a_rule_refuses_or_warns_and_looks_only_where_it_holds() {
    let rule = |severity: &str| {
        format!(
            "{LEAST}[[rule]]\ncolumn = \"code\"\nwhen = {{ column = \"kind\", is_not = [\"person\"] }}\nformat = \"uscc\"\n\
             severity = \"{severity}\"\n[[rule]]\ncolumn = \"kind\"\none_of = [\"firm\", \"person\"]\nseverity = \"warn\"\n"
        )
    };
    let line = |kind: &str, code: &str| {
        serde_json::json!({"at": "2024-03-05", "org": "longta", "kind": kind, "code": code})
            .to_string()
    };
    assert_eq!(attributes_of(&rule("refuse"), &line("firm", "11500000009276118B")), "NULL");
    assert_eq!(attributes_of(&rule("refuse"), &line("person", "x")), "NULL");
    assert_eq!(attributes_of(&rule("refuse"), &line("", "x")), "NULL");
    let refused = attributes_of(&rule("refuse"), &line("firm", "11500000009276118C"));
    assert!(refused.starts_with("bad_uscc: code `11500000009276118C` is not"), "{refused}");
    assert_eq!(
        attributes_of(&rule("warn"), &line("shop", "11500000009276118C")),
        r#"{"warnings":["bad_uscc:code","unknown_code:kind"]}"#
    );
}
