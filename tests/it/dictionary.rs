//! The data dictionary against the tables that it describes.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::harness::{Fresh, Rows, csv_rows, fresh, lawpulse};
use crate::login::Guarded;

/// A column: schema, table, name, type.
type Column = [String; 4];

/// The columns of a dictionary as JSON, each of which says in both languages what it is.
fn told(dictionary: &Value) -> BTreeSet<Column> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut columns = BTreeSet::new();
    for schema in dictionary["schemas"].as_array().unwrap() {
        for table in schema["tables"].as_array().unwrap() {
            let name = format!("{}.{}", text(&schema["schema"]), text(&table["table"]));
            assert!(!text(&table["title_zh"]).is_empty(), "{name}");
            assert!(!text(&table["title_en"]).is_empty(), "{name}");
            let metric = &table["metric"];
            assert_eq!(metric.is_object(), schema["schema"] == "metrics", "{name}");
            for fact in ["definition", "source", "unit"] {
                assert!(metric.is_null() || !text(&metric[fact]).is_empty(), "{name}: {fact}");
            }
            for column in table["columns"].as_array().unwrap() {
                let title = [&column["title_zh"], &column["title_en"]].map(text);
                assert!(title.iter().all(|words| !words.is_empty()), "{name}: {column}");
                let known =
                    [&schema["schema"], &table["table"], &column["column"], &column["type"]];
                columns.insert(known.map(text));
            }
        }
    }
    columns
}

/// The columns of `information_schema`.
fn there_are(answer: &Value) -> BTreeSet<Column> {
    let rows = answer["rows"].as_array().unwrap().iter();
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    rows.map(|row| {
        // Lists are called by what they hold.
        let of_items = text(row, "udt_name").strip_prefix('_').map(|item| format!("{item}[]"));
        let kind = of_items.unwrap_or_else(|| text(row, "data_type"));
        [text(row, "table_schema"), text(row, "table_name"), text(row, "column_name"), kind]
    })
    .collect()
}

const COLUMNS: &str = "select table_schema, table_name, column_name, data_type, udt_name from information_schema.columns
    where table_schema in ('metrics', 'models', 'events', 'reference')";

#[test]
fn the_dictionary_describes_every_column_that_there_is_and_no_other() {
    let Fresh { server, folder: _folder, .. } = fresh();
    let told = told(&server.get("/api/v1/dictionary").json());
    assert_eq!(told, there_are(&server.sql(COLUMNS).json()));
    for schema in ["metrics", "models", "events", "reference"] {
        assert!(told.iter().any(|column| column[0] == schema), "{schema}");
    }
    let fine = ["models", "cases", "fine_fen", "bigint"].map(str::to_owned);
    assert!(told.contains(&fine));
}

#[test]
fn the_command_tells_the_same_in_every_form() {
    let json: Value = serde_json::from_str(&lawpulse(["dictionary", "--format", "json"])).unwrap();
    let columns = told(&json);
    let rows: Rows = csv_rows(&lawpulse(["dictionary", "--format", "csv"]));
    let of_csv: BTreeSet<Column> = rows
        .iter()
        .map(|row| ["schema", "table", "column", "type"].map(|name| row[name].clone()))
        .collect();
    assert_eq!(of_csv, columns);
    assert_eq!(rows.len(), columns.len());
    let party = rows.iter().find(|row| row["table"] == "cases" && row["column"] == "party_id");
    let party = party.unwrap();
    assert_eq!((&*party["values"], &*party["rows"], &*party["role"]), ("party", "unit", "analyst"));
    let markdown = lawpulse(["dictionary"]);
    let page = lawpulse(["dictionary", "--format", "html"]);
    assert!(
        page.starts_with("<!doctype html>") && !page.contains("src=") && !page.contains("http")
    );
    for [schema, table, column, _] in &columns {
        let of_page = if schema == "metrics" { table } else { column };
        assert!(markdown.contains(&format!("`{of_page}`")), "{schema}.{table}.{column}");
        assert!(page.contains(&format!("{schema}.{table}")), "{schema}.{table}");
        assert!(page.contains(&format!("<code>{column}</code>")), "{schema}.{table}.{column}");
    }
}

#[test]
fn a_role_is_told_of_what_it_sees() {
    let guarded = Guarded::new();
    let server = guarded.serve();
    let of_role = |role| told(&guarded.ask(&server, role, "/api/v1/dictionary").json());
    let (viewer, analyst) = (of_role("viewer"), of_role("analyst"));
    assert!(viewer.is_subset(&analyst) && viewer.len() < analyst.len());
    assert!(viewer.iter().all(|column| ["metrics", "reference"].contains(&column[0].as_str())));
    let dictionary = guarded.ask(&server, "auditor", "/api/v1/dictionary").json();
    for schema in dictionary["schemas"].as_array().unwrap() {
        for table in schema["tables"].as_array().unwrap() {
            let is_seen = viewer.iter().any(|column| {
                column[0] == schema["schema"].as_str().unwrap()
                    && column[1] == table["table"].as_str().unwrap()
            });
            assert_eq!(table["role"] == "viewer", is_seen, "{}", table["table"]);
        }
    }
    let page = guarded.ask(&server, "viewer", "/docs/dictionary").text;
    assert!(page.contains("metrics.patrols") && !page.contains("models.cases"));
}
