use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

const MAPPING: &str = r#"
name = "ledger"
time_formats = ["%Y-%m-%d"]
required = ["编号", "时间"]
[[event]]
event_type = { value = "case.filed" }
event_id = "编号"
occurred_at = "时间"
org_id = { column = "单位", default = "town-1" }
"#;

fn mapping() -> Mapping {
    Mapping::parse("ledger.toml", MAPPING).unwrap()
}

/// A workbook of sheets, each given as the XML of its rows and its merged places.
fn workbook(folder: &Path, sheets: &[(&str, &str, &[&str])]) -> PathBuf {
    let path = folder.join("ledger.xlsx");
    let mut archive = zip::ZipWriter::new(File::create(&path).unwrap());
    let mut put = |name: String, text: String| {
        archive.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(text.as_bytes()).unwrap();
    };
    const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    const RELATED: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    const PACKAGE: &str = "http://schemas.openxmlformats.org/package/2006/relationships";
    let (mut listed, mut related) = (String::new(), String::new());
    for (position, (name, rows, merged)) in sheets.iter().enumerate() {
        let id = position + 1;
        write!(listed, "<sheet name=\"{name}\" sheetId=\"{id}\" r:id=\"r{id}\"/>").unwrap();
        write!(related, "<Relationship Id=\"r{id}\" Type=\"{RELATED}/worksheet\" Target=\"worksheets/sheet{id}.xml\"/>")
            .unwrap();
        let merged: String =
            merged.iter().map(|place| format!("<mergeCell ref=\"{place}\"/>")).collect();
        put(
            format!("xl/worksheets/sheet{id}.xml"),
            format!(
                "<worksheet xmlns=\"{MAIN}\"><sheetData>{rows}</sheetData><mergeCells>{merged}</mergeCells></worksheet>"
            ),
        );
    }
    put(
        "xl/workbook.xml".to_owned(),
        format!(
            "<workbook xmlns=\"{MAIN}\" xmlns:r=\"{RELATED}\"><sheets>{listed}</sheets></workbook>"
        ),
    );
    put(
        "xl/_rels/workbook.xml.rels".to_owned(),
        format!(
            "<Relationships xmlns=\"{PACKAGE}\">{related}\
             <Relationship Id=\"s\" Type=\"{RELATED}/styles\" Target=\"styles.xml\"/></Relationships>"
        ),
    );
    // Formats: 0 a number, 1 a day and a time, 2 a duration.
    put(
        "xl/styles.xml".to_owned(),
        format!(
            "<styleSheet xmlns=\"{MAIN}\"><cellXfs><xf numFmtId=\"0\"/><xf numFmtId=\"22\"/><xf numFmtId=\"46\"/></cellXfs></styleSheet>"
        ),
    );
    put(
        "_rels/.rels".to_owned(),
        format!(
            "<Relationships xmlns=\"{PACKAGE}\"><Relationship Id=\"r1\" Type=\"{RELATED}/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>"
        ),
    );
    archive.finish().unwrap();
    path
}

/// A row of cells by column: texts, or after `=` their XML, in which `PLACE` stands for where they are.
fn row(number: u32, cells: &[(&str, &str)]) -> String {
    let mut row = format!("<row r=\"{number}\">");
    for (column, cell) in cells {
        let place = format!("{column}{number}");
        match cell.strip_prefix('=') {
            Some(value) => row.push_str(&value.replace("PLACE", &format!("r=\"{place}\""))),
            None => {
                write!(row, "<c r=\"{place}\" t=\"inlineStr\"><is><t>{cell}</t></is></c>").unwrap()
            }
        }
    }
    row + "</row>"
}

const HEADER: [(&str, &str); 4] =
    [("A", "编号"), ("B", "时间"), ("C", "单位"), ("D", "金额\n（元）")];

fn read(path: &Path, sheet: &str) -> Vec<String> {
    let mut read = String::new();
    text(path, sheet, &mapping()).unwrap().read_to_string(&mut read).unwrap();
    read.trim_start_matches('\u{feff}').lines().map(str::to_owned).collect()
}

#[test]
fn a_line_has_the_number_of_its_row_and_titles_above_the_header_are_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let rows = row(1, &[("A", "2024年案件台账")])
        + &row(3, &HEADER)
        + &row(
            4,
            &[
                ("A", "1"),
                ("B", "=<c PLACE s=\"1\"><v>45356.333333333336</v></c>"),
                ("D", "=<c PLACE><v>1200</v></c>"),
            ],
        )
        + &row(
            7,
            &[
                ("A", "2"),
                ("B", "=<c PLACE s=\"1\"><v>45357</v></c>"),
                ("D", "=<c PLACE><v>0.5</v></c>"),
            ],
        );
    let path = workbook(folder.path(), &[("台账", &rows, &[])]);
    assert_eq!(sheets(&path, &mapping(), None).unwrap().fitting, ["台账"]);
    assert_eq!(
        read(&path, "台账"),
        [
            "",
            "",
            "",
            r#"{"编号":"1","时间":"2024-03-05 08:00:00","金额 （元）":1200}"#,
            "",
            "",
            r#"{"编号":"2","时间":"2024-03-06","金额 （元）":0.5}"#,
        ]
    );
}

#[test]
fn cells_that_are_merged_downwards_hold_for_each_of_their_rows() {
    let folder = tempfile::tempdir().unwrap();
    let rows = row(1, &HEADER)
        + &row(2, &[("A", "1"), ("B", "2024-03-05"), ("C", "town-9")])
        + &row(3, &[("A", "2"), ("B", "2024-03-05"), ("C", "=<c PLACE/>")])
        + &row(4, &[("A", "3"), ("B", "2024-03-05")]);
    let path = workbook(folder.path(), &[("a", &rows, &["C2:C3"])]);
    let orgs: Vec<bool> = read(&path, "a").iter().map(|line| line.contains("town-9")).collect();
    assert_eq!(orgs, [false, true, true, false]);
}

#[test]
fn a_formula_that_failed_refuses_its_row_and_names_the_cell() {
    let folder = tempfile::tempdir().unwrap();
    let rows = row(1, &HEADER)
        + &row(
            2,
            &[
                ("A", "1"),
                ("B", "2024-03-05"),
                ("D", "=<c PLACE t=\"e\"><f>1/0</f><v>#DIV/0!</v></c>"),
            ],
        );
    let path = workbook(folder.path(), &[("a", &rows, &[])]);
    let lines = read(&path, "a");
    let refused = refusal(&lines[1]).unwrap();
    assert_eq!(
        (refused.reason, refused.detail.as_str()),
        (Reason::MalformedRow, "cell D2 holds #DIV/0!")
    );
    assert_eq!(refusal("{\"a\":1}"), None);
}

#[test]
fn sheets_without_the_columns_are_passed_over_and_a_workbook_of_them_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (good, other) = (row(1, &HEADER), row(1, &[("A", "说明"), ("B", "时间")]));
    let path =
        workbook(folder.path(), &[("说明", &other, &[]), ("空", "", &[]), ("台账", &good, &[])]);
    let found = sheets(&path, &mapping(), None).unwrap();
    assert_eq!(found.fitting, ["台账"]);
    let passed: Vec<&str> = found.passed_over.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(passed, ["说明", "空"]);
    assert!(found.passed_over[0].1.contains("needs column `编号`"), "{found:?}");
    let error = sheets(&path, &mapping(), Some("说明")).unwrap_err();
    assert!(error.is_about(&path) && error.to_string().contains("needs column `编号`"), "{error}");
    let error = sheets(&path, &mapping(), Some("其他")).unwrap_err();
    assert!(error.to_string().contains("the workbook has `说明`, `空`, `台账`"), "{error}");
}

#[test]
fn what_is_no_workbook_or_unpacks_to_too_much_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.xlsx");
    std::fs::write(&path, "编号,时间\n").unwrap();
    let error = sheets(&path, &mapping(), None).unwrap_err();
    assert!(
        error.is_about(&path) && error.to_string().contains("save it again as .xlsx"),
        "{error}"
    );

    let mut archive = zip::ZipWriter::new(File::create(&path).unwrap());
    archive.start_file("xl/a.xml", zip::write::SimpleFileOptions::default()).unwrap();
    let zeros = vec![0; 16 << 20];
    for _ in 0..=(UNPACKED_MAX / zeros.len() as u64) {
        archive.write_all(&zeros).unwrap();
    }
    archive.finish().unwrap();
    assert!(std::fs::metadata(&path).unwrap().len() < 2 << 20);
    let error = sheets(&path, &mapping(), None).unwrap_err();
    assert!(error.to_string().contains("512 MB unpacked"), "{error}");
}

#[test]
fn a_row_that_holds_a_long_text_in_many_cells_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let long = "x".repeat(1 << 20);
    let columns: Vec<String> = (4..40).map(column_letters).collect();
    let cells: Vec<(&str, &str)> = columns.iter().map(|column| (&**column, &*long)).collect();
    let path = workbook(folder.path(), &[("a", &(row(1, &HEADER) + &row(2, &cells)), &[])]);
    let mut read = String::new();
    let error = text(&path, "a", &mapping()).unwrap().read_to_string(&mut read).unwrap_err();
    assert!(error.to_string().contains("row 2 holds more than the format allows"), "{error}");

    // Each row alone is small, but the cells that are merged downwards add up.
    let mut rows = row(1, &HEADER);
    let mut merged = Vec::new();
    for number in 2..40 {
        rows += &row(number, &[("A", &long)]);
        merged.push(format!("A{number}:A1000"));
    }
    let merged: Vec<&str> = merged.iter().map(String::as_str).collect();
    let path = workbook(folder.path(), &[("a", &rows, &merged)]);
    let error = text(&path, "a", &mapping()).unwrap().read_to_string(&mut read).unwrap_err();
    assert!(error.to_string().contains("merged cells that hold more"), "{error}");
}

#[test]
fn a_name_that_two_columns_have_is_told_apart() {
    let names = ["备注", "备注", "备注"].map(str::to_owned).into_iter();
    let named = distinct((0..).zip(names));
    assert_eq!((&*named[&0], &*named[&1], &*named[&2]), ("备注", "备注 (2)", "备注 (3)"));
}

#[test]
fn columns_have_the_letters_of_the_format() {
    assert_eq!(
        [0, 25, 26, 701, 702, 16383].map(column_letters),
        ["A", "Z", "AA", "ZZ", "AAA", "XFD"]
    );
}

proptest! {
    #[test]
    fn a_second_of_a_day_is_read_as_it_was_written(days in 32_874_i64..60_000, second in 1_u32..86_400) {
        let serial = days as f64 + f64::from(second) / 86_400.0;
        let written = time(ExcelDateTime::new(serial, ExcelDateTimeType::DateTime, false), false);
        let midnight = chrono::NaiveDate::from_ymd_opt(1899, 12, 30).unwrap().and_time(chrono::NaiveTime::MIN);
        let expected = midnight + chrono::TimeDelta::seconds(days * 86_400 + i64::from(second));
        prop_assert_eq!(written, expected.format("%Y-%m-%d %H:%M:%S").to_string());
    }

    #[test]
    fn any_bytes_are_no_workbook_and_no_panic(bytes in proptest::collection::vec(any::<u8>(), 0..500)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.xlsx");
        std::fs::write(&path, [b"PK\x03\x04".as_slice(), &bytes].concat()).unwrap();
        prop_assert!(sheets(&path, &mapping(), None).is_err());
    }
}
