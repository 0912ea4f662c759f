//! Erasure of a person on request: whoever asks the lake afterwards finds a token that leads to nobody.
//!
//! Everywhere an id is replaced by the same token, so that distinct counts stay what they were. Of events that name the
//! person only the attributes stay that the event types list, for those name nobody; a refused line that names the person
//! loses its text; what registers withhold of a person is taken out of the person's rows. Then the rollups are computed
//! anew, and every file of an older version that could still tell is removed. The audit log stays as it was written, for
//! its rows are bound to each other; it gets a row with a salted hash of the id.

mod rewrite;

use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::audit::{AuditLog, Begun};
use crate::definition::Definitions;
use crate::dictionary::Dictionary;
use crate::error::{Error, Result};
use crate::lake::{EVENTS, Lake, Table, WriteLock};
use crate::location::away;
use crate::{maintain, refresh};
use rewrite::Rewriter;

/// How the tokens begin that stand in the place of ids.
pub(crate) const TOKEN: &str = "erased-";

/// What an erasure that has begun notes, so that one that was interrupted goes on with the same token.
const UNDER_WAY: &str = "erasure.json";

/// Who is erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Person {
    /// An officer, by id.
    Officer(String),
    /// A party, by id.
    Party(String),
}

impl Person {
    /// The id.
    pub fn id(&self) -> &str {
        match self {
            Self::Officer(id) | Self::Party(id) => id,
        }
    }

    fn noun(&self) -> &'static str {
        match self {
            Self::Officer(_) => "officer",
            Self::Party(_) => "party",
        }
    }
}

/// What an erasure changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Erased {
    /// What stands in the place of the id.
    pub token: String,
    /// Events, in all their revisions, and refused lines that named the person.
    pub events: u64,
    /// Rows of registers and of the dictionary of officers.
    pub register_rows: u64,
    /// Files of older versions that were removed.
    pub removed_files: u64,
    /// Rows of the audit log that still name the person, since they cannot be changed.
    pub audit_rows: u64,
    /// Files outside the tables that a person has to look at: what could not be landed.
    pub aside: Vec<PathBuf>,
}

#[derive(Debug, Serialize, Deserialize)]
struct UnderWay {
    salt: String,
    hash: String,
    token: String,
}

impl UnderWay {
    /// What was begun for this person and not finished, or a new beginning.
    fn of(home: &Path, person: &Person) -> Result<Self> {
        let path = home.join(UNDER_WAY);
        let begun = std::fs::read(&path).ok();
        let begun: Option<Self> = begun.and_then(|text| serde_json::from_slice(&text).ok());
        if let Some(begun) = begun {
            if begun.hash == hash_of(&begun.salt, person) {
                return Ok(begun);
            }
            return Err(Error::Request(format!(
                "the erasure of somebody else was interrupted; run it again first, or remove `{}` if nobody \
                 knows who it was",
                path.display()
            )));
        }
        let random = || uuid::Uuid::new_v4().simple().to_string();
        let salt = random();
        let token = format!("{TOKEN}{}", &random()[..16]);
        let hash = hash_of(&salt, person);
        let begun = Self { salt, hash, token };
        let text = serde_json::to_vec(&begun).map_err(Error::internal)?;
        std::fs::write(&path, text).map_err(Error::io("write", &path))?;
        Ok(begun)
    }
}

/// Tells whether an id was erased to somebody who knows it, and to nobody else.
fn hash_of(salt: &str, person: &Person) -> String {
    let text = format!("{salt}\0{}\0{}", person.noun(), person.id());
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

/// Erases a person from a lake that nothing else writes to, and that nobody should read meanwhile.
///
/// An erasure that was interrupted is done again from the beginning, with the token that it had. Fails when pushed lines
/// wait to land: they might name the person.
pub async fn erase(
    lake: &mut Lake,
    lock: &WriteLock,
    definitions: &Definitions,
    person: &Person,
    now: DateTime<Utc>,
) -> Result<Erased> {
    if person.id().trim().is_empty() {
        return Err(Error::Request("an empty id names nobody".to_owned()));
    }
    let home = lake.location().home()?.to_owned();
    if let Some(waiting) = files_below(&home.join("inbox"))?.first() {
        return Err(Error::Request(format!(
            "pushed lines wait to land, such as `{}`; serve the lake until they have landed, then erase",
            waiting.display()
        )));
    }
    let under_way = UnderWay::of(&home, person)?;
    let dictionary = Dictionary::load(definitions)?;
    let rewriter = Rewriter::new(person, &under_way.token, &dictionary);
    let mut erased = Erased { token: under_way.token.clone(), ..Erased::default() };
    if let Some(folder) = lake.location().folder() {
        // Copies that no version names.
        away::find(&folder.join(EVENTS), folder)?.abandon()?;
    }
    lake.events_mut().update().await?;
    erased.events = rewrite(lake.events_mut(), EVENTS, &rewriter).await?;
    for name in maintain::tables(lake.location()).await? {
        let is_register = name.starts_with("reference/") || name == "rollups/officer_numbers";
        if let (true, Some(mut table)) = (is_register, open(lake, &name).await?) {
            let short = name.rsplit('/').next().unwrap_or(&name);
            erased.register_rows += rewrite(&mut table, short, &rewriter).await?;
        }
    }
    refresh::refresh(lake, lock, definitions).await?;
    erased.removed_files = remove_what_tells(lake, &rewriter, now).await?;
    erased.aside = files_below(&home.join("inbox-failed"))?;
    erased.audit_rows = note(lake, lock, person, &under_way, &erased, now).await?;
    let path = home.join(UNDER_WAY);
    std::fs::remove_file(&path).map_err(Error::io("remove", &path))?;
    Ok(erased)
}

async fn open(lake: &Lake, name: &str) -> Result<Option<Table>> {
    Table::open(&lake.location().join(name), name).await
}

/// Writes the files anew that name the person, all in one commit. Returns how many rows changed.
async fn rewrite(table: &mut Table, name: &str, rewriter: &Rewriter<'_>) -> Result<u64> {
    let (mut replaced, mut adds, mut changed) = (Vec::new(), Vec::new(), 0);
    for file in table.files()? {
        let (mut batches, mut rows) = (Vec::new(), 0);
        for batch in table.read(&file, None).await? {
            let (batch, changed) = rewriter.rewrite(name, &batch)?;
            batches.push(batch);
            rows += changed;
        }
        if rows == 0 {
            continue;
        }
        changed += rows;
        // Neither their number nor their times nor their revisions have changed.
        let statistics = table.statistics_of(std::slice::from_ref(&file))?;
        let partition = file.partition.as_deref();
        adds.push(table.write_file(partition, &batches, statistics).await?);
        replaced.push(file);
    }
    if changed > 0 {
        let removes = table.removals(&replaced)?;
        table.commit(adds, removes, Vec::new(), json!({ "erased": true })).await?;
    }
    Ok(changed)
}

/// Removes files of older versions: of the events those that name the person, of small tables all.
async fn remove_what_tells(
    lake: &Lake,
    rewriter: &Rewriter<'_>,
    now: DateTime<Utc>,
) -> Result<u64> {
    let mut removed = 0;
    // Nobody else writes, so what no version names is garbage whatever its age.
    let after_all = now + TimeDelta::weeks(52);
    for name in maintain::tables(lake.location()).await? {
        let is_small = name.starts_with("reference/") || name.starts_with("rollups/");
        let Some(table) = open(lake, &name).await? else { continue };
        if is_small {
            removed += table.sweep(after_all, after_all, usize::MAX, false).await?.files;
        } else if name == EVENTS {
            for file in table.unread_files().await? {
                let tells = match table.read(&file, None).await {
                    Ok(batches) => names_person(rewriter, &batches)?,
                    // What cannot be read cannot be shown to be harmless, and no version reads it.
                    Err(_) => true,
                };
                if tells {
                    table.remove_unread(&file).await?;
                    removed += 1;
                }
            }
        }
    }
    Ok(removed)
}

fn names_person(rewriter: &Rewriter<'_>, batches: &[RecordBatch]) -> Result<bool> {
    for batch in batches {
        if rewriter.rewrite(EVENTS, batch)?.1 > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Writes the erasure into the audit log. Returns how many of its rows name the person.
async fn note(
    lake: &Lake,
    lock: &WriteLock,
    person: &Person,
    under_way: &UnderWay,
    erased: &Erased,
    now: DateTime<Utc>,
) -> Result<u64> {
    let log = AuditLog::open(lake.location(), lock).await?;
    let begun = Begun {
        started_at: now,
        account: None,
        role: None,
        scope: None,
        peer: None,
        door: "command".to_owned(),
        request_id: String::new(),
        deed: "erasure".to_owned(),
        subject: format!("{} with hash {}", person.noun(), under_way.hash),
        parameters: Some(json!({ "salt": under_way.salt }).to_string()),
    };
    let detail = format!(
        "{} events and refused lines, {} rows of registers, {} older files",
        erased.events, erased.register_rows, erased.removed_files
    );
    log.note(begun, "erased", Some(detail))?;
    log.move_to_table().await?;
    log.rows_that_name(person.id()).await
}

/// The files in a folder and below it; none when there is no such folder.
fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    if !folder.is_dir() {
        return Ok(found);
    }
    for entry in std::fs::read_dir(folder).map_err(Error::io("read", folder))? {
        let path = entry.map_err(Error::io("read", folder))?.path();
        if path.is_dir() {
            found.extend(files_below(&path)?);
        } else {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
