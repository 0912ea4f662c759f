//! What units say that they did: monthly numbers to compare with what arrived.

use std::collections::BTreeMap;

use super::units::{Kind, SILENCES};
use super::world::{Act, World};
use crate::simulate::dice::Dice;
use crate::simulate::rhythm::{DAYS, Day, civil, date_text, day, day_of};
use crate::simulate::write::{CsvFile, DECLARATIONS};
use crate::simulate::{Error, Options};

/// Kinds of records and the event that stands for one of them.
const KINDS: [(&str, &str); 3] =
    [("inspection", "inspection.finished"), ("case", "case.filed"), ("patrol", "patrol.recorded")];

/// Units that do more than they record, in 2024 and in 2025.
const GAPS: [usize; 2] = [15, 6];

/// Months of both years.
const MONTHS: usize = 24;

/// Writes one row for each unit, month and kind.
pub(super) fn write(options: &Options, world: &World, acts: &[Act]) -> Result<CsvFile, Error> {
    let mut csv = CsvFile::create(&options.out, "declarations", DECLARATIONS)?;
    let counts = count(acts);
    let mut dice = Dice::new(options.seed, "declarations");
    let extra = extra_shares(world, &mut dice);
    for (index, unit) in world.units.iter().enumerate() {
        for (kind, event_type) in KINDS {
            if kind == "patrol" && unit.kind != Kind::Town {
                continue;
            }
            for month in 0..MONTHS {
                let (from, until) = (first_day(month), first_day(month + 1));
                if until <= unit.live_from {
                    continue;
                }
                let known = |month: usize| {
                    counts.get(&(index, event_type, month)).copied().unwrap_or(0) as f64
                };
                let share = extra[index][month / 12] * (0.7 + 0.6 * dice.unit());
                // A unit that falls silent while its officers still log in goes on working on paper.
                let hidden = hidden_share(&unit.id, from, until);
                let before = if month > 0 { known(month - 1) } else { 0.0 };
                let records = known(month) * (1.0 + share) + before * hidden;
                csv.row(&format!(
                    "{},{kind},{},{},{},true",
                    unit.id,
                    date_text(from),
                    date_text(until),
                    records.round() as u64,
                ))?;
            }
        }
    }
    Ok(csv)
}

/// Counts the records of each unit, kind and month.
fn count(acts: &[Act]) -> BTreeMap<(usize, &'static str, usize), u32> {
    let mut counts = BTreeMap::new();
    for act in acts.iter().filter(|act| !act.is_mistaken) {
        if let Some((_, event_type)) = KINDS.iter().find(|(_, known)| *known == act.event_type) {
            let (year, month, _) = civil(day_of(act.at));
            let month = (year as usize - 2024) * 12 + month as usize - 1;
            *counts.entry((act.unit, *event_type, month)).or_insert(0) += 1;
        }
    }
    counts
}

/// Draws who declares more than it records, by year.
fn extra_shares(world: &World, dice: &mut Dice) -> Vec<[f64; 2]> {
    let mut shares = vec![[0.0; 2]; world.units.len()];
    for (year, count) in GAPS.into_iter().enumerate() {
        let mut left = count;
        while left > 0 {
            let unit = dice.below(world.units.len());
            if shares[unit][year] == 0.0 {
                shares[unit][year] = 0.12 + 0.2 * dice.unit();
                left -= 1;
            }
        }
    }
    shares
}

/// Returns the share of a month in which a unit works without recording.
fn hidden_share(org_id: &str, from: Day, until: Day) -> f64 {
    let silences = SILENCES.iter().filter(|silence| silence.org_id == org_id && silence.has_logins);
    let days: Day =
        silences.map(|silence| (silence.until.min(until) - silence.from.max(from)).max(0)).sum();
    f64::from(days) / f64::from(until - from)
}

fn first_day(month: usize) -> Day {
    if month < MONTHS { day(2024 + month as i32 / 12, month as u32 % 12 + 1, 1) } else { DAYS }
}
