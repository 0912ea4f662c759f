//! Rows of cells through the shipped mappings, written in each format.

use super::{Outcome, check, fail, shipped};
use crate::source::Format;
use crate::source::mapping::Mapping;

/// Cells as units fill them, so that rows come as far as their events.
pub const CELLS: &[&str] = &[
    "",
    "i",
    "u",
    "d",
    "20240305001",
    "20240305",
    "2024-03-05",
    "2024-03-06 09:30:00",
    "2024年3月5日 9时12分",
    "2024-03-05T09:12:33+08:00",
    "45356.5",
    "1.5",
    "1,200.00",
    "３００元",
    "2万元",
    "1",
    "0",
    "2",
    "3",
    "upsert",
    "delete",
    "patrol.recorded",
    "case.filed",
    "01",
    "警告",
    "罚款",
    "简易程序",
    "企业",
    "自然人",
    "法人及非法人组织",
    "法人",
    "现场",
    "日常",
    "未发现问题",
    "渝北市监罚〔2024〕1号",
    "91350100M000100Y43",
    "11010519491231002X",
    "02011234567890",
    "longta",
    "张三,李四",
    "张三；李四",
    "{\"a\":1}",
    "[\"a\",\"b\"]",
    "/",
    "2099-12-31",
    "+262142/12/31",
    "-262143/01/01",
    "首次",
];

/// A firm and a unit, with right check characters.
const FIRM: &str = "91500112MA5U00001H";
const UNIT: &str = "11500000009276118B";

/// Rows that the shipped mappings accept, by the names of their columns.
const GOOD: &[&[(&str, &str)]] = &[
    &[
        ("event_type", "patrol.recorded"),
        ("occurred_at", "2024-03-05"),
        ("org_id", "longta"),
        ("officer_ids", "a,b"),
        ("attributes", "{\"a\":1}"),
    ],
    &[
        ("concept:instance", "1"),
        ("concept:name", "T02 Check confirmation of receipt"),
        ("time:timestamp", "2011-10-11T13:42:22+02:00"),
        ("case:startdate", "2011-10-11T13:42:22+02:00"),
        ("case:enddate", "2011-10-12T13:42:22+02:00"),
        ("case:concept:name", "case-1"),
        ("org:group", "Group 1"),
        ("org:resource", "Resource 21"),
    ],
    &[
        ("check_action_code", "jc-1"),
        ("implement_institution_code", UNIT),
        ("administrative_cp_ui_code", FIRM),
        ("check_type", "专项检查"),
        ("check_result", "发现问题，已责令改正"),
        ("check_date", "2024年3月5日"),
        ("check_personnel_code", "50011200001，50011200002"),
    ],
    &[
        ("punish_action_code", "cf-1"),
        ("implement_org_code", UNIT),
        ("admin_cp_social_code", FIRM),
        ("punish_procedure", "普通程序"),
        ("filed_date", "20240306"),
        ("legal_review", "是"),
        ("legal_review_date", "2024/3/20"),
        ("punish_file_num", "渝北城管罚决字[2024]第12号"),
        ("punish_set_date", "2024-04-01"),
        ("punish_type", "警告、罚款"),
        ("fine_amount", "1,500.50"),
        ("paid_fine", "1500.5元"),
        ("close_date", "2024-04-10"),
    ],
    &[("cd_id", "1"), ("cd_batch", "2024041100001"), ("cd_operation", "i")],
    &[
        ("cf_wsh", "渝北城管罚决字〔2024〕第1号"),
        ("cf_xdr_shxym", FIRM),
        ("cf_jdrq", "45383"),
        ("cf_cfjgdm", UNIT),
        ("cf_nr_fk", "0.15005"),
    ],
    &[("xk_wsh", "渝北城管许可〔2024〕7号"), ("xk_jdrq", "45356"), ("xk_xkjgdm", UNIT)],
];

/// The mark of the end of a row in [`mapped_rows`].
const ROW_END: u8 = 0xff;

/// The mark of a text: its length and its bytes follow.
const TEXT: u8 = 0xfe;

/// Rows for a shipped mapping, as CSV, as lines of JSON and as an array: the same comes of each.
///
/// The first byte stands for the mapping. A row is one that the mapping accepts; each pair of bytes puts another cell into
/// one of its columns.
pub fn mapped_rows(bytes: &[u8]) {
    let [choice, changes @ ..] = bytes else { return };
    let mapping = shipped(*choice);
    let rows = changed_rows(mapping, changes);
    let rows: Vec<Vec<(&str, &str)>> = rows.iter().map(|cells| named(mapping, cells)).collect();
    let lines: Vec<String> = rows.iter().map(|row| object(row)).collect();
    let from_lines = outcome(mapping, Format::Json, lines.join("\n").as_bytes());
    let from_array = outcome(mapping, Format::Json, format!("[{}]", lines.join(", ")).as_bytes());
    let from_csv = outcome(mapping, Format::Csv, &csv(mapping, &rows));
    for outcome in [&from_lines, &from_array, &from_csv] {
        let told = outcome.accepted + outcome.rejects.len() as u64;
        assert_eq!(told, rows.len() as u64, "each row is accepted or refused");
    }
    check_alike(&from_lines, &from_array);
    check_alike(&from_lines, &from_csv);
}

fn outcome(mapping: &Mapping, format: Format, bytes: &[u8]) -> Outcome {
    check(mapping, format, bytes)
        .unwrap_or_else(|| fail(&"a file of the mapping's columns is read"))
}

/// The cells of a row that the mapping accepts.
pub(super) fn good_row(mapping: &Mapping) -> Vec<String> {
    let mut cells = vec![String::new(); mapping.columns().len()];
    for (name, cell) in GOOD.iter().copied().flatten() {
        if let Some(place) = mapping.place_of(name, usize::MAX) {
            cells[place] = (*cell).to_owned();
        }
    }
    cells
}

fn changed_rows(mapping: &Mapping, changes: &[u8]) -> Vec<Vec<String>> {
    changes.split(|byte| *byte == ROW_END).map(|changes| changed_row(mapping, changes)).collect()
}

fn changed_row(mapping: &Mapping, mut changes: &[u8]) -> Vec<String> {
    let mut cells = good_row(mapping);
    while let [column, cell, rest @ ..] = changes {
        changes = rest;
        let column = usize::from(*column) % cells.len();
        if *cell != TEXT {
            CELLS[usize::from(*cell) % CELLS.len()].clone_into(&mut cells[column]);
            continue;
        }
        let [length, rest @ ..] = rest else { break };
        let (text, rest) = rest.split_at(usize::from(*length).min(rest.len()));
        cells[column] = String::from_utf8_lossy(text).into_owned();
        changes = rest;
    }
    cells
}

/// The cells with the columns' names.
fn named<'c>(mapping: &'c Mapping, cells: &'c [String]) -> Vec<(&'c str, &'c str)> {
    mapping.columns().iter().map(String::as_str).zip(cells.iter().map(String::as_str)).collect()
}

fn object(row: &[(&str, &str)]) -> String {
    let object: serde_json::Map<String, serde_json::Value> =
        row.iter().map(|(name, cell)| ((*name).to_owned(), (*cell).into())).collect();
    serde_json::Value::Object(object).to_string()
}

fn csv(mapping: &Mapping, rows: &[Vec<(&str, &str)>]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(mapping.columns()).unwrap_or_else(|error| fail(&error));
    for row in rows {
        writer.write_record(row.iter().map(|(_, cell)| cell)).unwrap_or_else(|error| fail(&error));
    }
    writer.into_inner().unwrap_or_else(|error| fail(&error))
}

/// The same events, and the same refusals whatever the lines' numbers and texts are.
fn check_alike(one: &Outcome, other: &Outcome) {
    assert_eq!(one.months, other.months, "a format does not change the events");
    assert_eq!(one.implied, other.implied, "a format does not change what is implied");
    let refusals = |outcome: &Outcome| -> Vec<_> {
        outcome.rejects.iter().map(|reject| reject.refusal.clone()).collect()
    };
    assert_eq!(refusals(one), refusals(other), "a format does not change why a row is refused");
}
