//! Compulsory measures (查封, 扣押, 冻结) and remedies (复议, 诉讼) around cases.

use super::attributes::Attributes;
use super::cases::CaseNote;
use super::items::ItemKind;
use super::world::{Act, World};
use crate::simulate::dice::Dice;
use crate::simulate::rhythm::{DAY, DAYS, DAYS_2024, Day, END, Moment, day_of};

/// First day, first day after, measures and remedies of each year.
const YEARS: [(Day, Day, usize, usize); 2] = [(0, DAYS_2024, 150, 46), (DAYS_2024, DAYS, 165, 54)];

/// Records all measures.
pub(super) fn impose(world: &World, cases: &[CaseNote], seed: u64, acts: &mut Vec<Act>) {
    let mut dice = Dice::new(seed, "measures");
    let mut number = 0;
    for (from, until, count, _) in YEARS {
        let suitable: Vec<&CaseNote> = cases
            .iter()
            .filter(|case| !case.is_simple && (from..until).contains(&day_of(case.filed_at)))
            .collect();
        for _ in 0..count {
            number += 1;
            let case = suitable[dice.below(suitable.len())];
            impose_one(world, case, format!("measure-{number:04}"), &mut dice, acts);
        }
    }
}

/// Thirty days, thirty more when extended; a few stay longer than that.
fn impose_one(
    world: &World,
    case: &CaseNote,
    object_id: String,
    dice: &mut Dice,
    acts: &mut Vec<Act>,
) {
    let unit = case.unit;
    let start = day_of(case.filed_at) + dice.between(0, 3) as Day;
    let Some(at) = world.working_moment(unit, start, dice) else { return };
    let at = at.max(case.filed_at + 60);
    let Some(team) = world.draw_team(unit, day_of(at), dice) else { return };
    let is_emergency = dice.chance(0.22);
    // Of a case of the last weeks perhaps nothing has arrived yet that a measure could refer to.
    let is_linked = dice.chance(0.9) && day_of(case.filed_at) < DAYS - 60;
    let about = Attributes::default()
        .text("kind", dice.pick(&["seal", "seal", "seize", "seize", "seize", "freeze"]))
        .text_if("case_id", is_linked.then_some(case.case_id.as_str()))
        .flag("is_emergency", is_emergency);
    let imposed = Act {
        at,
        event_type: "measure.imposed",
        unit,
        team,
        object_id,
        party: case.party,
        item: world.draw_item(unit, ItemKind::Compulsion, day_of(at), dice),
        channel: "app",
        attributes: about.finish(),
        ..Act::default()
    };
    acts.push(imposed.clone());
    let mut later = |event_type, at: Moment, attributes: Attributes, dice: &mut Dice| {
        let team = world.draw_team(unit, day_of(at), dice)?;
        acts.push(Act {
            at,
            event_type,
            team,
            channel: "pc",
            attributes: attributes.finish(),
            ..imposed.clone()
        });
        Some(())
    };
    if is_emergency && dice.chance(0.97) {
        // A report in the last hours of the day counts as well as one at a desk.
        let hours = if dice.chance(0.9) { dice.between(1, 20) } else { dice.between(25, 60) };
        let reported_at = at + hours * 3_600;
        if reported_at < END && world.is_open(unit, day_of(reported_at)) {
            later("measure.reported", reported_at, Attributes::default(), dice).unwrap_or_default();
        }
    }
    let is_extended = dice.chance(0.18);
    if is_extended {
        let day = day_of(at) + dice.between(22, 28) as Day;
        let Some(at) = world.working_moment(unit, day, dice) else { return };
        later("measure.extended", at, Attributes::default(), dice).unwrap_or_default();
    }
    let days = match (dice.chance(0.06), is_extended) {
        (true, extended) => dice.between(32, 48) + if extended { 30 } else { 0 },
        (false, true) => dice.between(31, 57),
        (false, false) => dice.lognormal(15.0, 0.5).clamp(1.0, 27.0) as i64,
    };
    let Some(at) = world.working_moment(unit, day_of(at) + days as Day, dice) else { return };
    let outcome = dice.pick(&["released", "released", "confiscated", "destroyed", "transferred"]);
    later("measure.ended", at, Attributes::default().text("outcome", outcome), dice)
        .unwrap_or_default();
}

/// Records the reconsiderations and lawsuits over decisions; one in twelve is lost.
pub(super) fn contest(world: &World, cases: &[CaseNote], seed: u64, acts: &mut Vec<Act>) {
    let mut dice = Dice::new(seed, "remedies");
    let mut number = 0;
    for (from, until, _, count) in YEARS {
        let mut suitable: Vec<(&CaseNote, Moment)> = cases
            .iter()
            .filter(|case| !case.is_simple)
            .filter_map(|case| Some((case, case.served_at?)))
            .filter(|(_, at)| (from..until - 60).contains(&day_of(*at)))
            .collect();
        for _ in 0..count.min(suitable.len()) {
            number += 1;
            let (case, served_at) = suitable.swap_remove(dice.below(suitable.len()));
            let object_id = format!("remedy-{number:03}");
            contest_one(world, case, served_at, object_id, &mut dice, acts);
        }
    }
}

fn contest_one(
    world: &World,
    case: &CaseNote,
    served_at: Moment,
    object_id: String,
    dice: &mut Dice,
    acts: &mut Vec<Act>,
) {
    let unit = case.unit;
    let kind = dice.pick(&["reconsideration", "reconsideration", "reconsideration", "lawsuit"]);
    let about = || Attributes::default().text("case_id", &case.case_id).text("kind", kind);
    let filed_on = day_of(served_at) + dice.between(4, 56) as Day;
    let Some(at) = world.working_moment(unit, filed_on, dice) else { return };
    let filed = Act {
        at,
        event_type: "remedy.filed",
        unit,
        object_id,
        party: case.party,
        channel: "import",
        attributes: about().finish(),
        ..Act::default()
    };
    acts.push(filed.clone());
    let days = if kind == "lawsuit" { dice.between(70, 170) } else { dice.between(25, 60) };
    let Some(at) = world.working_moment(unit, day_of(at) + days as Day, dice) else { return };
    let outcome = match dice.unit() {
        part if part < 0.05 => "changed",
        part if part < 0.08 => "annulled",
        part if part < 0.10 => "unlawful",
        part if part < 0.30 => "withdrawn",
        part if part < 0.40 => "dismissed",
        _ => "upheld",
    };
    acts.push(Act {
        at,
        event_type: "remedy.decided",
        attributes: about().text("outcome", outcome).finish(),
        ..filed
    });
    let is_lost = outcome == "changed" || outcome == "annulled";
    let is_shown = case.published_at.is_some_and(|published_at| published_at < at);
    if is_lost && is_shown {
        take_back(world, case, outcome, at, dice, acts);
    }
}

/// What a remedy overturned is changed, and its publication taken back within three working days.
fn take_back(
    world: &World,
    case: &CaseNote,
    kind: &str,
    after: Moment,
    dice: &mut Dice,
    acts: &mut Vec<Act>,
) {
    let mut day = day_of(after + DAY);
    for (event_type, attributes) in [
        ("case.changed", Attributes::default().text("kind", kind)),
        ("case.retracted", Attributes::default()),
    ] {
        let Some(at) = world.working_moment(case.unit, day, dice) else { return };
        let Some(team) = world.draw_team(case.unit, day_of(at), dice) else { return };
        acts.push(Act {
            at,
            event_type,
            unit: case.unit,
            team,
            object_id: case.case_id.clone(),
            party: case.party,
            channel: "pc",
            attributes: attributes.finish(),
            ..Act::default()
        });
        day = day_of(at) + dice.between(1, 3) as Day;
    }
}
