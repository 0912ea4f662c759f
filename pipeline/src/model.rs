//! Models: tables defined by a file in `sql/models`. A rollup is stored, a derived table is computed
//! when the lake changes, a view on request.

use std::collections::HashMap;

use serde::Deserialize;

use crate::definition::{self, Definitions};
use crate::error::{Error, Result};

/// Whether a model is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Stored in the lake and kept up to date by [`crate::refresh`].
    Rollup,
    /// Computed from rollups and reference tables when they change, and held in memory.
    Derived,
    /// Computed for the periods and scopes of a request.
    View,
}

/// Which rows of a rollup a new event changes: those whose column `model` equals the event's column `events`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefreshBy {
    /// The rollup's column.
    pub model: String,
    /// The column of `events`: `event_date` or `object_id`.
    pub events: String,
    /// Of a rollup by objects, the column that has the month of an object's first event: of earlier months nothing but `before` is
    /// read when the object gets another event.
    pub since: Option<String>,
    /// A condition on events that may be there before their object has a row, in any month.
    pub before: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    title_zh: String,
    title_en: String,
    kind: Kind,
    grain: Vec<String>,
    partition: Option<String>,
    refresh_by: Option<RefreshBy>,
    of: Option<String>,
}

/// One model.
#[derive(Debug, Clone)]
pub struct Model {
    name: String,
    header: Header,
    sql: String,
    fingerprint: String,
    /// Whether it is made of a rollup and has a row for several things that are one there.
    is_finer: bool,
}

/// The shipped tables that a rollup's query may join: when one changes, rollups are computed anew.
const INPUTS: [&str; 2] = ["reference/event_types.csv", "reference/calendar.csv"];

impl Model {
    /// Every model, in the order of their names.
    ///
    /// Fails when a model is made of something that is no rollup of events.
    pub fn all(definitions: &Definitions) -> Result<Vec<Self>> {
        let mut inputs = blake3::Hasher::new();
        for input in INPUTS {
            inputs.update(definitions.file(input)?.as_bytes());
        }
        let mut models = definitions
            .in_folder("models", "sql")
            .map(|(name, text)| {
                let file = format!("sql/models/{name}.sql");
                let (header, sql): (_, String) = definition::split_header(&file, text)?;
                let mut hasher = inputs.clone();
                hasher.update(sql.as_bytes());
                let fingerprint = hasher.finalize().to_hex()[..16].to_owned();
                Ok(Self { name: name.to_owned(), header, sql, fingerprint, is_finer: false })
            })
            .collect::<Result<Vec<Self>>>()?;
        let of_events: HashMap<String, (String, usize)> = models
            .iter()
            .filter(|model| model.kind() == Kind::Rollup && model.of().is_none())
            .map(|model| (model.name.clone(), (model.fingerprint.clone(), model.grain().len())))
            .collect();
        for model in &mut models {
            model.inherit(&of_events)?;
        }
        Ok(models)
    }

    /// What is made of a rollup changes when that rollup's query does.
    fn inherit(&mut self, of_events: &HashMap<String, (String, usize)>) -> Result<()> {
        let Some(of) = self.of() else { return Ok(()) };
        let (Kind::Rollup, Some((fingerprint, grain))) = (self.kind(), of_events.get(of)) else {
            let file = format!("sql/models/{}.sql", self.name);
            let problem = format!("`of = \"{of}\"` is for rollups, and names a rollup of events");
            return Err(Error::definition(file, problem, "correct the header"));
        };
        self.is_finer = self.grain().len() > *grain;
        self.fingerprint = format!("{}-{fingerprint}", self.fingerprint);
        Ok(())
    }

    /// The table's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the table holds, in Chinese and in English.
    pub fn titles(&self) -> (&str, &str) {
        (&self.header.title_zh, &self.header.title_en)
    }

    /// Whether it is stored.
    pub fn kind(&self) -> Kind {
        self.header.kind
    }

    /// The columns that identify a row.
    pub fn grain(&self) -> &[String] {
        &self.header.grain
    }

    /// The partition column of a rollup.
    pub fn partition(&self) -> Option<&str> {
        self.header.partition.as_deref()
    }

    /// What a new event changes.
    pub fn refresh_by(&self) -> Option<&RefreshBy> {
        self.header.refresh_by.as_ref()
    }

    /// The rollup whose rows a rollup is made of, with `officer_numbers`, instead of events.
    pub fn of(&self) -> Option<&str> {
        self.header.of.as_deref()
    }

    /// Whether it may have many rows for each of the rollup that it is made of, so that a [`crate::query::Reader`] leaves it in
    /// its files.
    pub fn is_finer(&self) -> bool {
        self.is_finer
    }

    /// The query.
    pub fn sql(&self) -> &str {
        &self.sql
    }

    /// Changes when the query or what it joins does, so that a rollup of an older one is computed anew.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}
