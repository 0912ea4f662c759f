//! The officers of the district: postings, certificates, accounts and habits.

use super::TARGETS_2024;
use super::leaves::{self, Leave};
use super::units::{Kind, Unit};
use crate::simulate::dice::Dice;
use crate::simulate::rhythm::{DAYS_2024, Day, day};

/// An officer with a certificate.
#[derive(Debug, Clone)]
pub(super) struct Officer {
    /// Postings in order of time: unit and first day.
    pub(super) postings: Vec<(usize, Day)>,
    /// `A` on the front line, `B` elsewhere.
    pub(super) post_class: char,
    /// First day of the certificate; before 2024 for most.
    pub(super) certified_on: Day,
    /// Day on which the certificate ended, if it did.
    pub(super) revoked_on: Option<Day>,
    /// Day on which the account was bound.
    pub(super) onboarded_on: Day,
    /// The one long leave of the officer, if any.
    pub(super) leave: Option<Leave>,
    /// Whether the officer does any substantive work in 2024 and in 2025.
    pub(super) acts_in: [bool; 2],
    /// Share of the unit's acts, relative to the colleagues.
    pub(super) zeal: f64,
    /// Days on which the officer only logs in, per month.
    pub(super) idle_logins: f64,
}

impl Officer {
    /// Returns the unit on a day.
    pub(super) fn unit_on(&self, day: Day) -> usize {
        let (first, later) = (self.postings[0].0, &self.postings[1..]);
        later.iter().rfind(|(_, from)| *from <= day).map_or(first, |(unit, _)| *unit)
    }

    /// Says whether the account can be used on a day.
    pub(super) fn is_present(&self, day: Day) -> bool {
        let is_away = self.leave.is_some_and(|leave| leave.covers(day));
        let is_revoked = self.revoked_on.is_some_and(|revoked_on| revoked_on <= day);
        self.onboarded_on <= day && !is_away && !is_revoked
    }

    /// Says whether the officer may take part in an act of a day.
    pub(super) fn may_act(&self, day: Day) -> bool {
        self.acts_in[usize::from(day >= DAYS_2024)] && self.is_present(day)
    }
}

/// Share of a unit that may stay inactive in 2024.
const IDLE_SHARE_MAX: f64 = 0.4;

/// Officers that change their unit on one day of 2025.
const TRANSFERS: usize = 12;

/// Hires all officers, unit by unit: first those on the roster at the end of 2024, then those who lose their certificate.
pub(super) fn hire(units: &[Unit], seed: u64) -> Vec<Officer> {
    let mut dice = Dice::new(seed, "people");
    let revoked = revoked_per_unit(units, &mut dice);
    let idle = idle_per_unit(units, &mut dice);
    let mut officers = Vec::new();
    for (index, unit) in units.iter().enumerate() {
        let mut is_idle = vec![false; unit.officers];
        let mut left = idle[index];
        while left > 0 {
            let place = dice.below(unit.officers);
            left -= usize::from(!is_idle[place]);
            is_idle[place] = true;
        }
        for is_idle in is_idle {
            officers.push(on_roster(index, unit, is_idle, &mut dice));
        }
        for _ in 0..revoked[index] {
            let mut officer = on_roster(index, unit, false, &mut dice);
            let from = i64::from(unit.live_from.max(0)) + 40;
            let revoked_on = dice.between(from, 355) as Day;
            officer.onboarded_on = unit.live_from;
            officer.certified_on = officer.certified_on.min(-30);
            officer.revoked_on = Some(revoked_on);
            officer.acts_in = [dice.chance(0.5), false];
            officers.push(officer);
        }
    }
    transfer(units, &mut officers, &mut dice);
    leaves::grant(units, &mut officers, seed);
    officers
}

fn on_roster(unit_index: usize, unit: &Unit, is_idle: bool, dice: &mut Dice) -> Officer {
    let is_early = dice.chance(0.72);
    let onboarded_on = if is_early {
        unit.live_from - dice.below(5) as Day * Day::from(unit.live_from < 0)
    } else {
        unit.live_from.max(0) + dice.between(0, 200) as Day
    };
    let is_new = onboarded_on > 10 && dice.chance(0.25);
    let certified_on = if is_new { onboarded_on - 3 } else { -(dice.between(60, 1_100) as Day) };
    Officer {
        postings: vec![(unit_index, day(2023, 10, 25))],
        post_class: if dice.chance(if is_idle { 0.4 } else { 0.88 }) { 'A' } else { 'B' },
        certified_on,
        revoked_on: None,
        onboarded_on,
        leave: None,
        acts_in: [!is_idle, !is_idle || dice.chance(0.6)],
        zeal: dice.lognormal(1.0, 0.95).clamp(0.03, 9.0),
        idle_logins: if is_idle && dice.chance(0.2) {
            0.0
        } else {
            dice.lognormal(if is_idle { 0.6 } else { 1.6 }, 0.7)
        },
    }
}

/// Spreads the revoked certificates: 16 over the towns, the rest over the other units, larger ones more often.
fn revoked_per_unit(units: &[Unit], dice: &mut Dice) -> Vec<usize> {
    let mut revoked = vec![0; units.len()];
    let towns = 16;
    for (count, is_town) in [(towns, true), (TARGETS_2024.certificates_revoked - towns, false)] {
        let weights: Vec<f64> = units
            .iter()
            .map(|unit| {
                f64::from(u8::from((unit.kind == Kind::Town) == is_town)) * unit.officers as f64
            })
            .collect();
        for _ in 0..count {
            if let Some(unit) = dice.weighted(&weights) {
                revoked[unit] += 1;
            }
        }
    }
    revoked
}

/// Spreads the officers who never act in 2024, slow units first.
fn idle_per_unit(units: &[Unit], dice: &mut Dice) -> Vec<usize> {
    let towns_idle = TARGETS_2024.town_roster - TARGETS_2024.town_officers_active;
    let all_idle = TARGETS_2024.roster - TARGETS_2024.officers_active;
    let mut idle = vec![0; units.len()];
    for (count, is_town) in [(towns_idle, true), (all_idle - towns_idle, false)] {
        for _ in 0..count {
            let weight = |(index, unit): (usize, &Unit)| {
                let is_full = (idle[index] + 1) as f64 > IDLE_SHARE_MAX * unit.officers as f64;
                let is_kind = (unit.kind == Kind::Town) == is_town;
                if is_full || !is_kind { 0.0 } else { unit.officers as f64 / unit.pace }
            };
            let weights: Vec<f64> = units.iter().enumerate().map(weight).collect();
            if let Some(unit) = dice.weighted(&weights) {
                idle[unit] += 1;
            }
        }
    }
    idle
}

/// Moves a few officers to another unit of the same kind in 2025.
fn transfer(units: &[Unit], officers: &mut [Officer], dice: &mut Dice) {
    let mut left = TRANSFERS;
    while left > 0 {
        let index = dice.below(officers.len());
        let from = officers[index].postings[0].0;
        let to = dice.below(units.len());
        let is_small = units[from].officers < 16;
        let may_move = officers[index].revoked_on.is_none() && officers[index].postings.len() == 1;
        if may_move && !is_small && to != from && units[from].kind == units[to].kind {
            officers[index].postings.push((to, day(2025, 4, 1)));
            left -= 1;
        }
    }
}
