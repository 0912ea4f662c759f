//! The data dictionary: what every table and column means, and what of it is not for everybody.

use std::collections::{BTreeMap, BTreeSet};

use crate::definition::Definitions;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::source::mapping::WARNINGS;

const FILE: &str = "reference/dictionary.csv";
const EVENT_TYPES: &str = "reference/event_types.csv";

/// Stands for every table that says nothing of its own about a column.
const ANY_TABLE: &str = "*";

/// Attributes whose values name a decision that is published with its party's name, or are free text.
const TELLING_ATTRIBUTES: [&str; 2] = ["document_no", "reason"];

/// Which rows of a table somebody sees who sees one unit only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rows {
    /// Those whose column of this name holds one of the units.
    OfUnit(String),
    /// All: a register or a rule that everybody shares.
    Shared,
    /// None.
    OfDistrict,
}

/// What is done to a column for those who see no identities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Guard {
    /// Nothing.
    Open,
    /// Officers' ids become pseudonyms.
    Officer,
    /// Parties' ids become pseudonyms.
    Party,
    /// There is no value.
    Withheld,
    /// Of a JSON object only what the event types list remains.
    Attributes,
    /// Of a reject its own words are withheld.
    Reject,
}

impl Guard {
    pub(crate) const ALL: [Self; 6] =
        [Self::Open, Self::Officer, Self::Party, Self::Withheld, Self::Attributes, Self::Reject];
}

/// What a table or a column means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// In Chinese.
    pub title_zh: String,
    /// In English.
    pub title_en: String,
}

impl Entry {
    /// Both languages, as a comment in a database.
    pub fn comment(&self) -> String {
        format!("{} | {}", self.title_zh, self.title_en)
    }
}

/// The dictionary of `sql/reference/dictionary.csv`.
#[derive(Debug, Clone, Default)]
pub struct Dictionary {
    tables: BTreeMap<String, (Entry, Rows)>,
    columns: BTreeMap<(String, String), (Entry, Guard)>,
    known_attributes: BTreeSet<String>,
}

impl Dictionary {
    /// Reads the dictionary of the definitions.
    pub fn load(definitions: &Definitions) -> Result<Self> {
        let mut dictionary =
            Self { known_attributes: known_attributes(definitions)?, ..Self::default() };
        let mut reader = csv::Reader::from_reader(definitions.file(FILE)?.as_bytes());
        for (row, record) in reader.records().enumerate() {
            // The first line is the header.
            let wrong = |problem: String| {
                let file = format!("sql/{FILE}:{}", row + 2);
                Error::definition(file, problem, "correct the line")
            };
            let record = record.map_err(|error| wrong(error.to_string()))?;
            let [table, column, title_zh, title_en, guard] = [0, 1, 2, 3, 4]
                .map(|field| record.get(field).unwrap_or_default().trim().to_owned());
            let entry = Entry { title_zh, title_en };
            let is_new = if column.is_empty() {
                let rows = read_rows(&guard).map_err(wrong)?;
                dictionary.tables.insert(table, (entry, rows)).is_none()
            } else {
                let guard = read_guard(&guard).map_err(wrong)?;
                dictionary.columns.insert((table, column), (entry, guard)).is_none()
            };
            if !is_new {
                return Err(wrong("the table or column stands here a second time".to_owned()));
            }
        }
        for model in Model::all(definitions)? {
            // A model says itself what it is.
            if let Some((entry, _)) = dictionary.tables.get_mut(model.name()) {
                let (title_zh, title_en) = model.titles();
                *entry = Entry { title_zh: title_zh.to_owned(), title_en: title_en.to_owned() };
            }
        }
        Ok(dictionary)
    }

    /// What a table means.
    pub fn table(&self, table: &str) -> Option<&Entry> {
        self.tables.get(table).map(|(entry, _)| entry)
    }

    /// What a column means: what is said of it in its table, or else in any.
    pub fn column(&self, table: &str, column: &str) -> Option<&Entry> {
        self.find(table, column).map(|(entry, _)| entry)
    }

    /// Which rows of a table a reader of one unit sees; `None` for a table that is not described.
    pub fn rows(&self, table: &str) -> Option<&Rows> {
        self.tables.get(table).map(|(_, rows)| rows)
    }

    /// What is done to a column; `None` for one that is not described.
    pub fn guard(&self, table: &str, column: &str) -> Option<Guard> {
        self.find(table, column).map(|(_, guard)| *guard)
    }

    /// The attributes of events that name nobody.
    pub fn known_attributes(&self) -> &BTreeSet<String> {
        &self.known_attributes
    }

    fn find(&self, table: &str, column: &str) -> Option<&(Entry, Guard)> {
        let find = |table: &str| self.columns.get(&(table.to_owned(), column.to_owned()));
        find(table).or_else(|| find(ANY_TABLE))
    }
}

fn read_rows(text: &str) -> std::result::Result<Rows, String> {
    match text {
        "shared" => Ok(Rows::Shared),
        "district" => Ok(Rows::OfDistrict),
        _ => text.strip_prefix("unit:").map(|column| Rows::OfUnit(column.to_owned())).ok_or_else(
            || format!("`{text}` is not unit:COLUMN, shared or district, as a table's rows are"),
        ),
    }
}

fn read_guard(text: &str) -> std::result::Result<Guard, String> {
    match text {
        "" => Ok(Guard::Open),
        "officer" => Ok(Guard::Officer),
        "party" => Ok(Guard::Party),
        "withheld" => Ok(Guard::Withheld),
        "attributes" => Ok(Guard::Attributes),
        "reject" => Ok(Guard::Reject),
        _ => Err(format!(
            "`{text}` is not officer, party, withheld, attributes or reject; leave it empty for a column that everybody sees"
        )),
    }
}

/// The names before the colons in the lists of attributes.
fn known_attributes(definitions: &Definitions) -> Result<BTreeSet<String>> {
    let wrong = |problem: String| {
        Error::definition(format!("sql/{EVENT_TYPES}"), problem, "correct the file")
    };
    let mut reader = csv::Reader::from_reader(definitions.file(EVENT_TYPES)?.as_bytes());
    let header = reader.headers().map_err(|error| wrong(error.to_string()))?;
    let column = header
        .iter()
        .position(|name| name == "attributes")
        .ok_or_else(|| wrong("there is no column `attributes`".to_owned()))?;
    let mut names = BTreeSet::from([WARNINGS.to_owned()]);
    for record in reader.records() {
        let record = record.map_err(|error| wrong(error.to_string()))?;
        let listed = record.get(column).unwrap_or_default().split(';');
        let listed = listed.map(|one| one.split(':').next().unwrap_or_default().trim());
        names.extend(listed.filter(|name| is_attribute(name)).map(str::to_owned));
    }
    Ok(names)
}

fn is_attribute(name: &str) -> bool {
    // `as inspection.started` refers to another type's list.
    !name.is_empty() && !name.contains(' ') && !TELLING_ATTRIBUTES.contains(&name)
}
