use std::fs;
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// The files of a folder of `fuzz/seeds`, which hold what fuzzing starts from and what it has found.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds").join(target);
    let mut paths: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty());
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

#[test]
fn it_holds_of_what_fuzzing_starts_from_and_has_found() {
    seeds("goals_file").iter().for_each(|bytes| goals_file(bytes));
    seeds("mapped_bytes").iter().for_each(|bytes| mapped_bytes(bytes));
    seeds("mapped_rows").iter().for_each(|bytes| mapped_rows(bytes));
    seeds("mapping_file").iter().for_each(|bytes| mapping_file(bytes));
    seeds("native_lines").iter().for_each(|bytes| native_lines(bytes));
    seeds("workbook").iter().for_each(|bytes| workbook(bytes));
    seeds("workbook_parts").iter().for_each(|bytes| workbook_parts(bytes));
}

#[test]
fn it_holds_of_the_shipped_definitions() {
    let definitions = Definitions::load(None).unwrap();
    for (_, text) in definitions.in_folder("sources", "toml") {
        mapping_file(text.as_bytes());
    }
    for (_, text) in definitions.in_folder("goals", "toml") {
        goals_file(text.as_bytes());
    }
}

#[test]
fn a_row_of_good_cells_is_accepted_by_each_shipped_mapping() {
    for mapping in SHIPPED.iter() {
        let cells = rows::good_row(mapping).into_iter().map(serde_json::Value::from);
        let object: serde_json::Map<String, serde_json::Value> =
            mapping.columns().iter().cloned().zip(cells).collect();
        let line = serde_json::Value::Object(object).to_string();
        let outcome = check(mapping, Format::Json, line.as_bytes()).unwrap();
        assert_eq!((outcome.accepted, &outcome.rejects[..]), (1, &[][..]), "{}", mapping.name());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_holds_of_any_bytes(bytes in vec(any::<u8>(), 0..300)) {
        native_lines(&bytes);
        mapped_bytes(&bytes);
        mapped_rows(&bytes);
    }

    #[test]
    fn it_holds_of_any_marks(marks in vec(select(b"\",\n\r\n\"\"a{}[]:\\ \xef\xbb\xbf\xff".as_slice()), 0..200)) {
        native_lines(&marks);
        mapped_bytes(&marks);
    }

    #[test]
    fn it_holds_of_any_text_for_a_definition(text in "\\PC{0,200}") {
        mapping_file(text.as_bytes());
        goals_file(text.as_bytes());
    }
}
