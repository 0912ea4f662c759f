//! Units, officers, parties, items and the rules that numbers follow: versioned by `valid_from` and `valid_to`.
//!
//! Each table is a small Delta table under `reference/`. Loading a CSV adds its rows and replaces
//! those with the same key, so that loading a file again changes nothing. Rules of law have rows
//! that come with the definitions (`sql/reference/NAME.csv`); a lake's own row of the same key replaces one.

pub mod gathered;
mod tables;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Float64Array, Int64Array, RecordBatch,
    StringArray,
};
use arrow::datatypes::{DataType, Date32Type, Field, Float64Type, Int64Type, Schema, SchemaRef};
use chrono::NaiveDate;

use crate::definition::Definitions;
use crate::error::{Error, Result};
use crate::lake::{Lake, Table, WriteLock};
use crate::source::mapping::Implied;
use crate::zone::{date_of, days_of};

pub use tables::TABLES;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Date,
    Flag,
    /// A whole number.
    Whole,
    /// A number that may have a fraction.
    Number,
}

/// A reference table: its columns, and those of them that identify a row.
#[derive(Debug)]
pub struct Definition {
    name: &'static str,
    key: &'static [&'static str],
    columns: &'static [(&'static str, Kind)],
}

impl Definition {
    /// The table's name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    fn named(name: &str) -> Option<&'static Self> {
        TABLES.iter().find(|definition| definition.name == name)
    }

    /// The columns as SQL sees them.
    pub fn schema(&self) -> SchemaRef {
        let fields: Vec<_> = self
            .columns
            .iter()
            .map(|(name, kind)| {
                let data_type = match kind {
                    Kind::Text => DataType::Utf8,
                    Kind::Date => DataType::Date32,
                    Kind::Flag => DataType::Boolean,
                    Kind::Whole => DataType::Int64,
                    Kind::Number => DataType::Float64,
                };
                Field::new(*name, data_type, true)
            })
            .collect();
        Arc::new(Schema::new(fields))
    }

    fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|(column, _)| *column == name)
    }

    fn key_of(&self, row: &Row) -> Vec<String> {
        self.key
            .iter()
            .filter_map(|name| self.column(name))
            .map(|column| row[column].clone().unwrap_or_default())
            .collect()
    }

    /// Its folder in a lake.
    pub(crate) fn path(&self) -> String {
        format!("reference/{}", self.name)
    }
}

/// A row as checked text in the order of the definition's columns.
type Row = Vec<Option<String>>;
type Rows = BTreeMap<Vec<String>, Row>;

/// What loading a reference file changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// The reference table.
    pub table: &'static str,
    /// Rows with a new key.
    pub added: usize,
    /// Rows whose other columns changed.
    pub changed: usize,
    /// Rows that were there already.
    pub same: usize,
}

/// Loads a file that is named for a reference table (`orgs.csv`, `officers.csv` …), or every such file of a folder.
///
/// A wrong file is refused whole, naming line and column; other files of the call may have landed.
pub async fn load(lake: &Lake, lock: &WriteLock, path: &Path) -> Result<Vec<Loaded>> {
    let mut files = Vec::new();
    if path.is_dir() {
        for definition in TABLES {
            let file = path.join(format!("{}.csv", definition.name));
            if file.is_file() {
                files.push((definition, file));
            }
        }
    } else {
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let definition = Definition::named(stem).ok_or_else(|| {
            let names: Vec<_> =
                TABLES.iter().map(|definition| format!("{}.csv", definition.name)).collect();
            Error::Request(format!(
                "`{}` is no reference file; name it {}",
                path.display(),
                names.join(", ")
            ))
        })?;
        files.push((definition, path.to_owned()));
    }
    if files.is_empty() {
        return Err(Error::Request(format!(
            "`{}` holds no reference file such as orgs.csv",
            path.display()
        )));
    }
    let mut loaded = Vec::new();
    for (definition, file) in files {
        let rows = read_csv(definition, &file)?;
        loaded.push(merge(lake, lock, definition, rows).await?);
    }
    Ok(loaded)
}

/// Adds units and officers that a source implies and the reference does not know yet.
///
/// What is known stays as it is: a real register is never overwritten by a log. An officer whom the
/// log shows in several units gets the first of them in the order of their ids as home unit.
pub(crate) async fn add_implied(
    lake: &Lake,
    lock: &WriteLock,
    implied: &BTreeSet<Implied>,
) -> Result<()> {
    for name in ["orgs", "officers"] {
        let Some(definition) = Definition::named(name) else { continue };
        let known: HashSet<String> = ids(lake, definition).await?;
        let mut rows = Rows::new();
        for item in implied {
            let (id, org_id) = match (name, item) {
                ("orgs", Implied::Org { org_id }) => (org_id, org_id),
                ("officers", Implied::Officer { officer_id, org_id }) => (officer_id, org_id),
                _ => continue,
            };
            if known.contains(id) {
                continue;
            }
            let mut row: Row = vec![None; definition.columns.len()];
            row[0] = Some(id.clone());
            row[1] = Some(org_id.clone());
            rows.entry(vec![id.clone()]).or_insert(row);
        }
        if !rows.is_empty() {
            let rows = rows.into_values().map(|row| (definition.key_of(&row), row)).collect();
            merge(lake, lock, definition, rows).await?;
        }
    }
    Ok(())
}

/// The ids of all units that the reference knows, in any version.
pub(crate) async fn org_ids(lake: &Lake) -> Result<HashSet<String>> {
    match Definition::named("orgs") {
        Some(definition) => ids(lake, definition).await,
        None => Ok(HashSet::new()),
    }
}

async fn ids(lake: &Lake, definition: &Definition) -> Result<HashSet<String>> {
    let rows = stored_rows(lake, definition).await?;
    Ok(rows.into_values().filter_map(|row| row.into_iter().next().flatten()).collect())
}

/// A reference table's rows: the lake's own, and those of the definitions whose key the lake does not have.
pub(crate) async fn rows_with_shipped(
    lake: &Lake,
    definitions: &Definitions,
    definition: &Definition,
) -> Result<Vec<RecordBatch>> {
    let own = rows_in(lake, &definition.path()).await?;
    let file = format!("reference/{}.csv", definition.name);
    let shipped = definitions.file(&file).ok();
    // A lake of an older version has tables with fewer columns.
    let is_older = own.iter().any(|batch| batch.schema() != definition.schema());
    if shipped.is_none() && !is_older {
        return Ok(own);
    }
    let mut rows = match shipped {
        Some(text) => parse_csv(definition, &format!("sql/{file}"), text.as_bytes())?,
        None => Rows::new(),
    };
    rows.extend(stored_rows(lake, definition).await?);
    Ok(vec![batch_of(definition, rows.values())?])
}

/// The rows of a small table by its folder in the lake; without a table there are none.
pub(crate) async fn rows_in(lake: &Lake, path: &str) -> Result<Vec<RecordBatch>> {
    match lake.table(path).await? {
        Some(table) => read_all(&table).await,
        None => Ok(Vec::new()),
    }
}

/// Reads a whole small table without partitions.
pub(crate) async fn read_all(table: &Table) -> Result<Vec<RecordBatch>> {
    let mut batches = Vec::new();
    for file in table.files()? {
        batches.extend(table.read(&file, None).await?);
    }
    Ok(batches)
}

/// Every officer's first posting: `(officer_id, org_id)`.
pub(crate) async fn first_postings(lake: &Lake) -> Result<Vec<(String, String)>> {
    let Some(definition) = Definition::named("officers") else { return Ok(Vec::new()) };
    let valid_from = definition.column("valid_from").unwrap_or_default();
    let mut first: BTreeMap<String, (Option<String>, String)> = BTreeMap::new();
    for row in stored_rows(lake, definition).await?.into_values() {
        let posting = (row[valid_from].clone(), row[1].clone().unwrap_or_default());
        let officer_id = row[0].clone().unwrap_or_default();
        first
            .entry(officer_id)
            .and_modify(|known| *known = known.clone().min(posting.clone()))
            .or_insert(posting);
    }
    Ok(first.into_iter().map(|(officer_id, (_, org_id))| (officer_id, org_id)).collect())
}

async fn stored_rows(lake: &Lake, definition: &Definition) -> Result<Rows> {
    let mut rows = Rows::new();
    for batch in rows_in(lake, &definition.path()).await? {
        for position in 0..batch.num_rows() {
            let row: Row = definition
                .columns
                .iter()
                .map(|(name, kind)| {
                    let column = batch.column_by_name(name)?;
                    column.is_valid(position).then(|| cell(column.as_ref(), *kind, position))
                })
                .collect();
            rows.insert(definition.key_of(&row), row);
        }
    }
    Ok(rows)
}

fn cell(column: &dyn Array, kind: Kind, position: usize) -> String {
    match kind {
        Kind::Text => column.as_string::<i32>().value(position).to_owned(),
        Kind::Date => date_of(column.as_primitive::<Date32Type>().value(position)).to_string(),
        Kind::Flag => column.as_boolean().value(position).to_string(),
        Kind::Whole => column.as_primitive::<Int64Type>().value(position).to_string(),
        Kind::Number => column.as_primitive::<Float64Type>().value(position).to_string(),
    }
}

async fn merge(
    lake: &Lake,
    _lock: &WriteLock,
    definition: &'static Definition,
    rows: Rows,
) -> Result<Loaded> {
    let mut loaded = Loaded { table: definition.name, added: 0, changed: 0, same: 0 };
    let mut merged = stored_rows(lake, definition).await?;
    for (key, row) in rows {
        match merged.insert(key, row.clone()) {
            None => loaded.added += 1,
            Some(before) if before == row => loaded.same += 1,
            Some(_) => loaded.changed += 1,
        }
    }
    if loaded.added + loaded.changed > 0 {
        let location = lake.location().join(&definition.path());
        let mut table =
            Table::open_or_create(&location, definition.name, definition.schema(), None, &[])
                .await?;
        let batch = batch_of(definition, merged.values())?;
        table.replace(vec![(None, vec![batch])], Vec::new()).await?;
    }
    Ok(loaded)
}

fn batch_of<'r>(
    definition: &Definition,
    rows: impl Iterator<Item = &'r Row> + Clone,
) -> Result<RecordBatch> {
    let columns = definition
        .columns
        .iter()
        .enumerate()
        .map(|(column, (_, kind))| -> ArrayRef {
            let cells = rows.clone().map(|row| row[column].as_deref());
            match kind {
                Kind::Text => Arc::new(cells.collect::<StringArray>()),
                Kind::Date => Arc::new(
                    cells.map(|text| text?.parse().ok().map(days_of)).collect::<Date32Array>(),
                ),
                Kind::Flag => Arc::new(
                    cells.map(|text| text.map(|text| text == "true")).collect::<BooleanArray>(),
                ),
                Kind::Whole => {
                    Arc::new(cells.map(|text| text?.parse().ok()).collect::<Int64Array>())
                }
                Kind::Number => {
                    Arc::new(cells.map(|text| text?.parse().ok()).collect::<Float64Array>())
                }
            }
        })
        .collect();
    RecordBatch::try_new(definition.schema(), columns).map_err(Error::internal)
}

fn read_csv(definition: &Definition, path: &Path) -> Result<Rows> {
    let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
    parse_csv(definition, &path.display().to_string(), &bytes)
}

fn parse_csv(definition: &Definition, file: &str, bytes: &[u8]) -> Result<Rows> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = csv::Reader::from_reader(bytes);
    let header = reader
        .headers()
        .map_err(|error| Error::definition(file, error.to_string(), "save the file as UTF-8 CSV"))?
        .clone();
    let mut places = Vec::new();
    for name in &header {
        let place = definition.column(name.trim()).ok_or_else(|| {
            let columns: Vec<_> = definition.columns.iter().map(|(name, _)| *name).collect();
            Error::definition(
                format!("{file}:1"),
                format!("column `{name}` is not one of table `{}`", definition.name),
                format!("its columns are {}", columns.join(", ")),
            )
        })?;
        places.push(place);
    }
    if !places.contains(&0) {
        return Err(Error::definition(
            format!("{file}:1"),
            format!("column `{}` is missing", definition.columns[0].0),
            "add it: it identifies the row",
        ));
    }
    let mut rows = Rows::new();
    for record in reader.records() {
        let record = record.map_err(|error| {
            Error::definition(file, error.to_string(), "correct the row; nothing was loaded")
        })?;
        let line = record.position().map_or(0, csv::Position::line);
        let mut row: Row = vec![None; definition.columns.len()];
        for (place, field) in places.iter().zip(&record) {
            let (name, kind) = definition.columns[*place];
            row[*place] = read_cell(field.trim(), kind).map_err(|expected| {
                Error::definition(
                    format!("{file}:{line}"),
                    format!("column `{name}` holds `{field}`"),
                    format!("write {expected}; nothing was loaded"),
                )
            })?;
        }
        if row[0].is_none() {
            return Err(Error::definition(
                format!("{file}:{line}"),
                format!("column `{}` is empty", definition.columns[0].0),
                "every row needs its id; nothing was loaded",
            ));
        }
        rows.insert(definition.key_of(&row), row);
    }
    Ok(rows)
}

fn read_cell(text: &str, kind: Kind) -> Result<Option<String>, &'static str> {
    if text.is_empty() {
        return Ok(None);
    }
    match kind {
        Kind::Text => Ok(Some(text.to_owned())),
        Kind::Date => text
            .parse::<NaiveDate>()
            .map(|date| Some(date.to_string()))
            .map_err(|_| "a date as in 2024-03-05"),
        Kind::Flag => match text {
            "true" | "1" | "是" => Ok(Some("true".to_owned())),
            "false" | "0" | "否" => Ok(Some("false".to_owned())),
            _ => Err("true or false"),
        },
        Kind::Whole => text
            .parse::<i64>()
            .map(|number| Some(number.to_string()))
            .map_err(|_| "a whole number as in 30"),
        Kind::Number => text
            .parse::<f64>()
            .ok()
            .filter(|number| number.is_finite())
            .map(|number| Some(number.to_string()))
            .ok_or("a number as in 0.89"),
    }
}

/// A version of a unit, for the tree of scopes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Org {
    /// The unit's id.
    pub org_id: String,
    /// Its name.
    pub name: String,
    /// Its name in English, if the register has one.
    pub name_en: Option<String>,
    /// `town`, `department`, `team`, or empty for a unit that only a log knows.
    pub kind: String,
    /// Its area (片区), if it has one.
    pub area: Option<String>,
    /// The unit that it belongs to.
    pub parent_id: Option<String>,
    /// The first day of this version; `None` since ever.
    pub valid_from: Option<NaiveDate>,
    /// The first day after this version; `None` until further notice.
    pub valid_to: Option<NaiveDate>,
}

/// The versions of units in rows of table `orgs`.
pub(crate) fn orgs_of(batches: &[RecordBatch]) -> Vec<Org> {
    let mut orgs = Vec::new();
    for batch in batches {
        let text = |name: &str, row: usize| {
            let column = batch.column_by_name(name)?.as_string_opt::<i32>()?;
            column.is_valid(row).then(|| column.value(row).to_owned())
        };
        let date = |name: &str, row: usize| {
            let column = batch.column_by_name(name)?.as_primitive_opt::<Date32Type>()?;
            column.is_valid(row).then(|| date_of(column.value(row)))
        };
        for row in 0..batch.num_rows() {
            let org_id = text("org_id", row).unwrap_or_default();
            orgs.push(Org {
                name: text("name", row).unwrap_or_else(|| org_id.clone()),
                name_en: text("name_en", row),
                kind: text("kind", row).unwrap_or_default(),
                area: text("area", row),
                parent_id: text("parent_id", row),
                valid_from: date("valid_from", row),
                valid_to: date("valid_to", row),
                org_id,
            });
        }
    }
    orgs
}
