//! Workbooks: any bytes, and a small whole one whose parts are any text.

use std::io::{Cursor, Write};
use std::path::Path;

use super::{Outcome, check_events, fail, native, read_all};
use crate::error::Result;
use crate::source::workbook::sheets;
use crate::source::{FileReader, InputFile};

const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
const RELATED: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
const PACKAGE: &str = "http://schemas.openxmlformats.org/package/2006/relationships";

/// Any bytes as a workbook: it is refused, or read twice alike.
pub fn workbook(bytes: &[u8]) {
    let file = tempfile::Builder::new().suffix(".xlsx").tempfile();
    let file = file.unwrap_or_else(|error| fail(&error)).into_temp_path();
    std::fs::write(&file, bytes).unwrap_or_else(|error| fail(&error));
    let read = || read(&file).map_err(|error| error.to_string());
    let (first, second) = (read(), read());
    assert_eq!(first, second, "a workbook is read in one way");
    for outcome in first.into_iter().flatten() {
        check_events(&outcome);
    }
}

fn read(path: &Path) -> Result<Vec<Outcome>> {
    let found = sheets(path, native(), None)?;
    let (files, found_again) = InputFile::new(path)?.sheets(native(), None)?;
    assert_eq!(found, found_again, "sheets are found in one way");
    files
        .iter()
        .map(|file| read_all(native(), FileReader::open_bounded(file, native(), 1 << 30)?))
        .collect()
}

/// A workbook of one sheet, whose rows, merged cells, shared texts and styles are any bytes with 0xff between them.
pub fn workbook_parts(bytes: &[u8]) {
    let mut parts = bytes.splitn(4, |byte| *byte == 0xff).map(String::from_utf8_lossy);
    let mut part = || parts.next().unwrap_or_default();
    let (rows, merged, shared, styles) = (part(), part(), part(), part());
    workbook(&packed(&rows, &merged, &shared, &styles));
}

fn packed(rows: &str, merged: &str, shared: &str, styles: &str) -> Vec<u8> {
    let header: String =
        native().columns().iter().map(|name| format!("<c t=\"str\"><v>{name}</v></c>")).collect();
    let relation = |id: &str, kind: &str, target: &str| {
        format!("<Relationship Id=\"{id}\" Type=\"{RELATED}/{kind}\" Target=\"{target}\"/>")
    };
    let relations =
        |inner: String| format!("<Relationships xmlns=\"{PACKAGE}\">{inner}</Relationships>");
    let parts = [
        ("_rels/.rels", relations(relation("r1", "officeDocument", "xl/workbook.xml"))),
        (
            "xl/_rels/workbook.xml.rels",
            relations(
                relation("r1", "worksheet", "worksheets/sheet1.xml")
                    + &relation("r2", "styles", "styles.xml")
                    + &relation("r3", "sharedStrings", "sharedStrings.xml"),
            ),
        ),
        (
            "xl/workbook.xml",
            format!(
                "<workbook xmlns=\"{MAIN}\" xmlns:r=\"{RELATED}\"><sheets><sheet name=\"a\" sheetId=\"1\" r:id=\"r1\"/></sheets></workbook>"
            ),
        ),
        (
            "xl/worksheets/sheet1.xml",
            format!(
                "<worksheet xmlns=\"{MAIN}\"><sheetData><row>{header}</row>{rows}</sheetData><mergeCells>{merged}</mergeCells></worksheet>"
            ),
        ),
        ("xl/sharedStrings.xml", format!("<sst xmlns=\"{MAIN}\">{shared}</sst>")),
        ("xl/styles.xml", format!("<styleSheet xmlns=\"{MAIN}\">{styles}</styleSheet>")),
    ];
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let stored =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, text) in parts {
        archive.start_file(name, stored).unwrap_or_else(|error| fail(&error));
        archive.write_all(text.as_bytes()).unwrap_or_else(|error| fail(&error));
    }
    archive.finish().unwrap_or_else(|error| fail(&error)).into_inner()
}
