//! Registers of a district's own lake, as rows of the lake of those above it.

use std::collections::{HashMap, HashSet};

use super::{Definition, Loaded, Row, Rows, TABLES, merge, stored_rows};
use crate::erase;
use crate::error::{Error, Result};
use crate::lake::{Lake, WriteLock};

/// Rules of law, and what reports stated of one lake's whole tree: each lake has its own.
const OF_EACH_LAKE: [&str; 5] =
    ["reported", "case_limits", "clock_rules", "repeat_rules", "penalty_types"];

/// A register with all its rows.
#[derive(Debug)]
pub struct Register {
    definition: &'static Definition,
    rows: Rows,
    /// Whether nothing of it has come before.
    is_first: bool,
}

impl Register {
    pub(crate) async fn read(
        lake: &Lake,
        definition: &'static Definition,
        is_first: bool,
    ) -> Result<Self> {
        Ok(Self { definition, rows: stored_rows(lake, definition).await?, is_first })
    }
}

/// The registers that are gathered.
pub(crate) fn tables() -> impl Iterator<Item = &'static Definition> {
    TABLES.iter().filter(|definition| !OF_EACH_LAKE.contains(&definition.name))
}

/// Takes over registers of a district's own lake.
///
/// Units that are under none there are under the district here; what its lake says of the district itself, of those above it
/// and of what is under those alone is left, since this lake knows better. A row without a `district_id` gets it; of another
/// district none comes, and one that this lake has from another or without any stays as it is. Whoever is erased there
/// after having come does not come once more under the token.
///
/// Fails, and nothing is taken over, when this lake does not know the district, or when a unit cannot be under it: it stands
/// elsewhere in the tree at the same time, is a district itself, or is under a unit that is not in the register.
pub async fn take_over(
    lake: &Lake,
    lock: &WriteLock,
    district: &str,
    registers: Vec<Register>,
) -> Result<Vec<Loaded>> {
    let Some(orgs) = Definition::named("orgs") else { return Ok(Vec::new()) };
    let here = Units::of(orgs, &stored_rows(lake, orgs).await?);
    if !here.0.contains_key(district) {
        return Err(Error::Request(format!(
            "the register of units has no `{district}`: land an orgs.csv with this district and the unit that it is under"
        )));
    }
    let mut taken = Vec::new();
    for register in registers {
        let definition = register.definition;
        let rows = if definition.name == orgs.name {
            units_under(district, orgs, &here, register.rows)?
        } else {
            own_rows(lake, district, register).await?
        };
        taken.push((definition, rows));
    }
    let mut loaded = Vec::new();
    for (definition, rows) in taken {
        loaded.push(merge(lake, lock, definition, rows).await?);
    }
    Ok(loaded)
}

/// The rows of units with the district above those that have nothing above them.
fn units_under(district: &str, orgs: &Definition, here: &Units, rows: Rows) -> Result<Rows> {
    let there = Units::of(orgs, &rows);
    let above: HashSet<String> =
        there.line(district).into_iter().chain(here.line(district)).collect();
    let (Some(kind), Some(parent)) = (orgs.column("kind"), orgs.column("parent_id")) else {
        return Ok(Rows::new());
    };
    let mut taken = Rows::new();
    for (key, mut row) in rows {
        let org_id = row[0].clone().unwrap_or_default();
        let line = there.line(&org_id);
        let is_under = line.iter().any(|id| id == district);
        if above.contains(&org_id) || !is_under && line.iter().any(|id| above.contains(id)) {
            continue;
        }
        let refused =
            |why: String| Error::Request(format!("unit `{org_id}` of `{district}` {why}"));
        if row[kind].as_deref() == Some("district") {
            let why = "is a district itself: gather each district from a lake of its own";
            return Err(refused(why.to_owned()));
        }
        let top = &line[line.len() - 1];
        if !is_under && !there.0.contains_key(top) {
            return Err(refused(format!(
                "is under `{top}`, which the lake's register does not have"
            )));
        }
        let unit = Unit::of(orgs, &row);
        if let Some(elsewhere) = here.elsewhere(&org_id, &unit, district) {
            return Err(refused(format!(
                "stands {elsewhere} in this lake at the same time: ids are to be unique in the tree"
            )));
        }
        row[parent].get_or_insert_with(|| district.to_owned());
        taken.insert(key, row);
    }
    Ok(taken)
}

/// The rows that are the district's, where rows are somebody's.
async fn own_rows(lake: &Lake, district: &str, register: Register) -> Result<Rows> {
    let Register { definition, mut rows, is_first } = register;
    let known = stored_rows(lake, definition).await?;
    let is_erased = |key: &[String]| key.iter().any(|id| id.starts_with(erase::TOKEN));
    rows.retain(|key, _| is_first || !is_erased(key) || known.contains_key(key));
    let Some(column) = definition.column("district_id") else { return Ok(rows) };
    let n_rows = rows.len();
    let own = rows.into_values().filter_map(|mut row| {
        let holder = row[column].get_or_insert_with(|| district.to_owned());
        let is_own = holder == district;
        let key = definition.key_of(&row);
        let is_free = known.get(&key).is_none_or(|row| row[column].as_deref() == Some(district));
        (is_own && is_free).then_some((key, row))
    });
    let own: Rows = own.collect();
    if own.len() < n_rows {
        let (table, left) = (definition.name, n_rows - own.len());
        tracing::info!(table, district, left, "rows that are not the district's stay as they are");
    }
    Ok(own)
}

/// The versions of each unit of a register.
#[derive(Debug)]
struct Units(HashMap<String, Vec<Unit>>);

/// What a version of a unit says of its place.
#[derive(Debug)]
struct Unit {
    kind: Option<String>,
    parent_id: Option<String>,
    valid_from: Option<String>,
    valid_to: Option<String>,
}

impl Unit {
    fn of(orgs: &Definition, row: &Row) -> Self {
        let cell = |name| row[orgs.column(name)?].clone();
        Self {
            kind: cell("kind"),
            parent_id: cell("parent_id"),
            valid_from: cell("valid_from"),
            valid_to: cell("valid_to"),
        }
    }

    /// Whether both hold on some day. Days are written so that they compare as texts.
    fn overlaps(&self, other: &Self) -> bool {
        let begins_before_end = |one: &Self, other: &Self| match (&one.valid_from, &other.valid_to)
        {
            (Some(from), Some(to)) => from < to,
            _ => true,
        };
        begins_before_end(self, other) && begins_before_end(other, self)
    }
}

impl Units {
    fn of(orgs: &Definition, rows: &Rows) -> Self {
        let mut units: HashMap<String, Vec<Unit>> = HashMap::new();
        for row in rows.values() {
            units.entry(row[0].clone().unwrap_or_default()).or_default().push(Unit::of(orgs, row));
        }
        Self(units)
    }

    /// The unit and those above it, from below, by the last version of each; a ring ends where it would close.
    fn line(&self, org_id: &str) -> Vec<String> {
        let parent_of = |id: &str| self.0.get(id)?.last()?.parent_id.clone();
        let mut line = vec![org_id.to_owned()];
        while let Some(parent_id) = parent_of(&line[line.len() - 1])
            && !line.contains(&parent_id)
        {
            line.push(parent_id);
        }
        line
    }

    /// Where a unit stands outside of the district while a version of it would hold.
    fn elsewhere(&self, org_id: &str, version: &Unit, district: &str) -> Option<String> {
        let known = self.0.get(org_id)?.iter().find(|known| {
            // What a log has implied has no place yet.
            let is_implied = known.kind.is_none() && known.parent_id.is_none();
            let is_under = || {
                let parent_id = known.parent_id.as_deref();
                parent_id.is_some_and(|id| self.line(id).iter().any(|id| id == district))
            };
            !is_implied && known.overlaps(version) && !is_under()
        });
        known.map(|known| match &known.parent_id {
            Some(parent_id) => format!("under `{parent_id}`"),
            None => "at the top".to_owned(),
        })
    }
}
