//! Penalty cases: how many are filed where, and what they come from.

use super::TARGETS_2024;
use super::attributes::Attributes;
use super::items::ItemKind;
use super::procedure::{Case, Start};
use super::units::Kind;
use super::visits::Finding;
use super::world::{Act, Team, World, draw_time};
use crate::simulate::dice::Dice;
use crate::simulate::rhythm::{DAYS, DAYS_2024, Day, Moment, OFFICE_HOURS, day_of};

/// Cases that departments and teams file in 2024 and 2025.
const OTHER_FILINGS: [usize; 2] = [2_450, 2_700];

/// Cases that towns file in 2025, relative to 2024.
const TOWN_GROWTH: f64 = 1.06;

/// Share of the cases of a year that are entered weeks later from paper.
const BACKFILLED_SHARE: [f64; 2] = [0.05, 0.02];

/// Share of the cases of departments and teams whose filing is not on record.
const UNFILED_SHARE: f64 = 0.018;

/// What later acts need to know about a case.
#[derive(Debug, Clone)]
pub(super) struct CaseNote {
    pub(super) case_id: String,
    pub(super) unit: usize,
    pub(super) party: Option<usize>,
    pub(super) is_simple: bool,
    pub(super) filed_at: Moment,
    /// Moment of the legal review, if there was one.
    pub(super) reviewed_at: Option<Moment>,
    /// Moment of service, if it came so far.
    pub(super) served_at: Option<Moment>,
    /// Moment of publication, if it was published.
    pub(super) published_at: Option<Moment>,
    /// Moment of closing, if it closed before the end of 2025.
    pub(super) closed_at: Option<Moment>,
}

/// Files all cases and takes them as far as they come.
pub(super) fn prosecute(
    world: &World,
    findings: &[Finding],
    seed: u64,
    acts: &mut Vec<Act>,
) -> Vec<CaseNote> {
    let dice = Dice::new(seed, "cases");
    let is_used = vec![false; findings.len()];
    let mut court = Prosecution { world, findings, is_used, dice, acts, notes: Vec::new() };
    let towns = world.units_of(|kind| kind == Kind::Town);
    let others = world.units_of(|kind| kind != Kind::Town);
    // Cases are filed until the target has closed within the year, whatever becomes of the rest.
    let mut closed = 0;
    let mut filed = 0;
    while closed < TARGETS_2024.town_cases_closed {
        let closed_at = court.run_one(&towns, 0, DAYS_2024);
        closed += usize::from(closed_at.is_some_and(|at| day_of(at) < DAYS_2024));
        filed += 1;
    }
    for _ in 0..(f64::from(filed) * TOWN_GROWTH) as usize {
        court.run_one(&towns, DAYS_2024, DAYS);
    }
    for (year, count) in [(0, OTHER_FILINGS[0]), (DAYS_2024, OTHER_FILINGS[1])] {
        for _ in 0..count {
            court.run_one(&others, year, if year == 0 { DAYS_2024 } else { DAYS });
        }
    }
    court.notes
}

struct Prosecution<'a> {
    world: &'a World,
    findings: &'a [Finding],
    /// Whether a finding has led to a case: one act is fined once.
    is_used: Vec<bool>,
    dice: Dice,
    acts: &'a mut Vec<Act>,
    notes: Vec<CaseNote>,
}

impl Prosecution<'_> {
    /// Files one case with one of `units` in a year; returns when it closed.
    fn run_one(&mut self, units: &[usize], from: Day, until: Day) -> Option<Moment> {
        let world = self.world;
        let weight = |unit: &usize| {
            let unit = &world.units[*unit];
            let share = if unit.kind == Kind::Team { 2.0 } else { 1.0 };
            share * unit.officers as f64 * unit.pace.powf(1.8)
        };
        let weights: Vec<f64> = units.iter().map(weight).collect();
        let (unit, day, team) = loop {
            let unit = units[self.dice.weighted(&weights).unwrap_or(0)];
            let day = world.draw_day(unit, from, until, &mut self.dice);
            let team = day.and_then(|day| world.draw_team(unit, day, &mut self.dice));
            if let (Some(day), Some(team)) = (day, team) {
                break (unit, day, team);
            }
        };
        let case_id = format!("case-{:06}", self.notes.len() + 1);
        let start = self.file(case_id, unit, day, team);
        let mut case = Case::new(world, start, &mut self.dice);
        case.run(&mut self.dice);
        let note = case.note();
        self.acts.append(&mut case.acts);
        let closed_at = note.closed_at;
        self.notes.push(note);
        closed_at
    }

    /// Decides what a case is about, and what its filing says.
    fn file(&mut self, case_id: String, unit: usize, day: Day, team: Team) -> Start {
        let world = self.world;
        let is_town = world.units[unit].kind == Kind::Town;
        let is_simple = self.dice.chance(if is_town { 0.36 } else { 0.22 });
        let origin = match self.dice.unit() {
            part if part < 0.45 => "inspection",
            part if part < 0.65 && is_town => "patrol",
            part if part < 0.9 => "complaint",
            _ => "transfer",
        };
        let finding = (origin == "inspection").then(|| self.recent_finding(unit, day)).flatten();
        let is_firm = self.dice.chance(0.7);
        let party = match &finding {
            Some(finding) => finding.party,
            None => world.draw_party(unit, is_firm, &mut self.dice),
        };
        let is_firm = world.parties[party].is_firm;
        let about = Attributes::default()
            .text("procedure", if is_simple { "simple" } else { "ordinary" })
            .text("origin", origin)
            .text_if("inspection_id", finding.as_ref().map(|found| found.inspection_id.as_str()))
            .text("party_kind", if is_firm { "firm" } else { "person" });
        let is_backfilled = self.dice.chance(BACKFILLED_SHARE[usize::from(day >= DAYS_2024)]);
        let template = Act {
            at: draw_time(day, &OFFICE_HOURS, &mut self.dice),
            unit,
            team,
            object_id: case_id,
            party: Some(party),
            item: world.draw_item(unit, ItemKind::Penalty, day, &mut self.dice),
            channel: match (is_backfilled, is_simple) {
                (true, _) => "import",
                (false, true) => "app",
                (false, false) => "pc",
            },
            is_backfilled,
            ..Act::default()
        };
        let is_unfiled = !is_town && self.dice.chance(UNFILED_SHARE);
        Start { template, about, is_simple, is_firm, is_unfiled }
    }

    /// Finds a problem that an inspection of the unit found in the twelve days before a filing.
    fn recent_finding(&mut self, unit: usize, day: Day) -> Option<Finding> {
        let after = self.findings.partition_point(|known| (known.unit, known.day) < (unit, day));
        let recent: Vec<usize> = (0..after)
            .rev()
            .take_while(|index| {
                let known = &self.findings[*index];
                known.unit == unit && known.day > day - 12
            })
            .filter(|index| !self.is_used[*index])
            .collect();
        let index = *recent.get(self.dice.below(recent.len()))?;
        self.is_used[index] = true;
        Some(self.findings[index].clone())
    }
}
