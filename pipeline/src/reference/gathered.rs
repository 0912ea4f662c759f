//! Registers of a district's own lake, as rows of the lake of those above it.

use std::collections::HashMap;

use super::{Definition, Loaded, Row, Rows, TABLES, merge, stored_rows};
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
}

impl Register {
    pub(crate) async fn read(lake: &Lake, definition: &'static Definition) -> Result<Self> {
        Ok(Self { definition, rows: stored_rows(lake, definition).await? })
    }
}

/// The registers that are gathered.
pub(crate) fn tables() -> impl Iterator<Item = &'static Definition> {
    TABLES.iter().filter(|definition| !OF_EACH_LAKE.contains(&definition.name))
}

/// Takes over registers of a district's own lake.
///
/// Units that are under none there are under the district here; what its lake says of the district itself and of those above it
/// is left, since this lake knows better. A row without a `district_id` gets it. Rows that another district has brought stay as
/// they are. Fails, and nothing is taken over, when this lake does not know the district, or when a unit of another district has the id of
/// one of these.
pub async fn take_over(
    lake: &Lake,
    lock: &WriteLock,
    district: &str,
    registers: Vec<Register>,
) -> Result<Vec<Loaded>> {
    let Some(orgs) = Definition::named("orgs") else { return Ok(Vec::new()) };
    let own = stored_rows(lake, orgs).await?;
    let tree = Tree::of(orgs, &own);
    if !tree.units.contains_key(district) {
        return Err(Error::Request(format!(
            "the register of units has no `{district}`: land an orgs.csv with this district and the unit that it is under"
        )));
    }
    let mut changed = Vec::new();
    for Register { definition, rows } in registers {
        let rows = if definition.name == orgs.name {
            units_under(district, orgs, &own, &tree, rows)?
        } else {
            with_district(district, definition, rows)
        };
        changed.push((definition, rows));
    }
    let mut loaded = Vec::new();
    for (definition, mut rows) in changed {
        if let Some(column) = definition.column("district_id") {
            let before = rows.len();
            let known = stored_rows(lake, definition).await?;
            rows.retain(|key, _| {
                let holder = known.get(key).and_then(|row| row[column].as_deref());
                holder.is_none_or(|holder| holder == district)
            });
            let left = before - rows.len();
            if left > 0 {
                let table = definition.name;
                tracing::info!(table, district, left, "rows of another district stay as they are");
            }
        }
        loaded.push(merge(lake, lock, definition, rows).await?);
    }
    Ok(loaded)
}

/// The rows of units with the district above those that have nothing above them.
fn units_under(
    district: &str,
    orgs: &Definition,
    own: &Rows,
    tree: &Tree,
    rows: Rows,
) -> Result<Rows> {
    let theirs = Tree::of(orgs, &rows);
    let above = theirs.line(district);
    let (Some(kind), Some(parent)) = (orgs.column("kind"), orgs.column("parent_id")) else {
        return Ok(Rows::new());
    };
    let mut taken = Rows::new();
    for (key, mut row) in rows {
        let org_id = row[0].clone().unwrap_or_default();
        if above.contains(&org_id) {
            continue;
        }
        if row[kind].as_deref() == Some("district") {
            return Err(Error::Request(format!(
                "the lake is not of `{district}` alone: its register of units has the district `{org_id}`"
            )));
        }
        // Another version of a unit may be of another district: it has moved.
        let known = own.get(&key).and_then(|row| row[parent].as_deref());
        let line = known.map(|parent_id| tree.line(parent_id)).unwrap_or_default();
        if let Some(other) = line.iter().find(|id| tree.is_district(id) && *id != district) {
            return Err(Error::Request(format!(
                "unit `{org_id}` of `{district}` has the id of a unit of `{other}`: ids are to be unique in the tree"
            )));
        }
        row[parent].get_or_insert_with(|| district.to_owned());
        taken.insert(key, row);
    }
    Ok(taken)
}

fn with_district(district: &str, definition: &Definition, rows: Rows) -> Rows {
    let Some(column) = definition.column("district_id") else { return rows };
    let named = |mut row: Row| {
        row[column].get_or_insert_with(|| district.to_owned());
        (definition.key_of(&row), row)
    };
    rows.into_values().map(named).collect()
}

/// What is under what in a register of units, by the last version of each.
#[derive(Debug)]
struct Tree {
    units: HashMap<String, Unit>,
}

#[derive(Debug)]
struct Unit {
    kind: Option<String>,
    parent_id: Option<String>,
}

impl Tree {
    fn of(orgs: &Definition, rows: &Rows) -> Self {
        let cell = |row: &Row, name| row[orgs.column(name)?].clone();
        let unit = |row: &Row| Unit { kind: cell(row, "kind"), parent_id: cell(row, "parent_id") };
        let units = rows.values().map(|row| (row[0].clone().unwrap_or_default(), unit(row)));
        Self { units: units.collect() }
    }

    fn is_district(&self, org_id: &str) -> bool {
        self.units.get(org_id).is_some_and(|unit| unit.kind.as_deref() == Some("district"))
    }

    /// The unit and those above it, from below; a ring ends where it would close.
    fn line(&self, org_id: &str) -> Vec<String> {
        let mut line = vec![org_id.to_owned()];
        let mut unit = self.units.get(org_id);
        while let Some(parent_id) = unit.and_then(|unit| unit.parent_id.as_ref())
            && !line.contains(parent_id)
        {
            line.push(parent_id.clone());
            unit = self.units.get(parent_id);
        }
        line
    }
}
