//! Long leave of a few officers.

use super::people::Officer;
use super::units::Unit;
use crate::simulate::dice::Dice;
use crate::simulate::rhythm::{DAYS_2024, Day, day};

/// Days on which an officer is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Leave {
    pub(super) from: Day,
    /// First day back.
    pub(super) until: Day,
    /// `sick`, `maternity`, `secondment` or `study`.
    pub(super) kind: &'static str,
}

impl Leave {
    /// Says whether the officer is away on a day.
    pub(super) fn covers(&self, day: Day) -> bool {
        self.from <= day && day < self.until
    }
}

/// Spans in which leaves begin and by which they are over, and how many there are.
///
/// Nobody is away in December 2024, or for more than half of that year: its roster stays whole.
const SPANS: [(Day, Day, Day, usize); 2] = [
    (day(2024, 2, 1), day(2024, 8, 1), day(2024, 12, 1), 14),
    (DAYS_2024 + 14, day(2025, 11, 1), day(2026, 3, 1), 11),
];

/// Gives leave to officers of larger units who were there from the beginning.
pub(super) fn grant(units: &[Unit], officers: &mut [Officer], seed: u64) {
    let mut dice = Dice::new(seed, "leaves");
    for (from, last_start, last_end, count) in SPANS {
        let mut left = count;
        while left > 0 {
            let officer = &mut officers[dice.below(officers.len())];
            let is_small = units[officer.postings[0].0].officers < 16;
            let is_early = officer.onboarded_on < 0 && officer.revoked_on.is_none();
            if is_small || !is_early || officer.postings.len() > 1 || officer.leave.is_some() {
                continue;
            }
            let start = dice.between(i64::from(from), i64::from(last_start)) as Day;
            let until = (start + dice.between(45, 150) as Day).min(last_end);
            let kind = dice.pick(&["sick", "maternity", "maternity", "secondment", "study"]);
            officer.leave = Some(Leave { from: start, until, kind });
            left -= 1;
        }
    }
}
