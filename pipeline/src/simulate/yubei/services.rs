//! What units do on request: licences and complaints.

use super::attributes::Attributes;
use super::units::Kind;
use super::world::draw_time;
use super::world::{Act, Team, World};
use crate::simulate::dice::Dice;
use crate::simulate::rhythm::{DAYS, DAYS_2024, Day, OFFICE_HOURS, day_of};

/// Departments that license, and their relative numbers.
const LICENSING: [(&str, f64); 17] = [
    ("dept-market", 24.0),
    ("dept-health", 14.0),
    ("dept-housing", 10.0),
    ("dept-transport", 10.0),
    ("dept-planning", 9.0),
    ("dept-public-security", 8.0),
    ("dept-fire-rescue", 6.0),
    ("dept-culture", 6.0),
    ("dept-ecology", 5.0),
    ("dept-labour", 5.0),
    ("dept-city-management", 5.0),
    ("dept-emergency", 4.0),
    ("dept-agriculture", 4.0),
    ("dept-water", 3.0),
    ("dept-education", 3.0),
    ("dept-forestry", 2.0),
    ("dept-civil-affairs", 2.0),
];

/// First day, first day after, licences and complaints of each year.
const YEARS: [(Day, Day, usize, usize); 2] =
    [(0, DAYS_2024, 2_950, 790), (DAYS_2024, DAYS, 3_080, 830)];

/// Records all licences.
pub(super) fn license(world: &World, seed: u64, acts: &mut Vec<Act>) {
    let mut dice = Dice::new(seed, "licences");
    let weights = LICENSING.map(|(_, weight)| weight);
    let mut number = 0;
    for (from, until, count, _) in YEARS {
        for _ in 0..count {
            let place = dice.weighted(&weights).unwrap_or(0);
            let unit = world.unit(LICENSING[place].0);
            let Some(day) = world.draw_day(unit, from, until, &mut dice) else { continue };
            number += 1;
            license_one(world, unit, day, format!("licence-{number:05}"), &mut dice, acts)
                .unwrap_or_default();
        }
    }
}

/// Accepted and decided; a granted licence is delivered and published. Where the years end it stays open.
fn license_one(
    world: &World,
    unit: usize,
    day: Day,
    object_id: String,
    dice: &mut Dice,
    acts: &mut Vec<Act>,
) -> Option<()> {
    let is_joint = dice.chance(0.05);
    let is_firm = dice.chance(0.85);
    let at = world.working_moment(unit, day, dice)?;
    let accepted = Act {
        at,
        event_type: "licence.accepted",
        unit,
        team: world.draw_clerk(unit, day_of(at), dice)?,
        object_id,
        party: Some(world.draw_party(unit, is_firm, dice)),
        channel: "pc",
        attributes: Attributes::default().flag("is_joint", is_joint).finish(),
        ..Act::default()
    };
    acts.push(accepted.clone());
    let days = dice.lognormal(if is_joint { 28.0 } else { 9.0 }, 0.55) as Day;
    let at = world.working_moment(unit, day_of(at) + days.max(1), dice)?;
    let is_granted = dice.chance(0.975);
    let decision = if is_granted { "granted" } else { "refused" };
    acts.push(Act {
        at,
        event_type: "licence.decided",
        team: world.draw_clerk(unit, day_of(at), dice)?,
        attributes: Attributes::default().text("decision", decision).finish(),
        ..accepted.clone()
    });
    if !is_granted {
        return Some(());
    }
    let decided_on = day_of(at);
    let days = dice.lognormal(3.0, 0.7) as Day + 1;
    if let Some(at) = world.working_moment(unit, decided_on + days, dice) {
        acts.push(Act {
            at,
            event_type: "licence.delivered",
            team: world.draw_clerk(unit, day_of(at), dice)?,
            attributes: String::new(),
            ..accepted.clone()
        });
    }
    if dice.chance(if decided_on < DAYS_2024 { 0.94 } else { 0.975 }) {
        let days = dice.lognormal(4.0, 0.5) as Day;
        let at = world.working_moment(unit, decided_on + 1 + days, dice)?;
        acts.push(Act {
            at,
            event_type: "licence.published",
            team: Team::default(),
            attributes: String::new(),
            ..accepted
        });
    }
    Some(())
}

/// Records all complaints: sixty days to handle them, most are in time.
pub(super) fn handle_complaints(world: &World, seed: u64, acts: &mut Vec<Act>) {
    let mut dice = Dice::new(seed, "complaints");
    let weight = |unit: &super::units::Unit| match unit.kind {
        Kind::Town => 2.0 * unit.officers as f64 * unit.pace,
        Kind::Team => 3.0 * unit.officers as f64 * unit.pace,
        Kind::Department => 0.5 * unit.officers as f64 * unit.pace,
    };
    let weights: Vec<f64> = world.units.iter().map(weight).collect();
    let mut number = 0;
    for (from, until, _, count) in YEARS {
        for _ in 0..count {
            let unit = dice.weighted(&weights).unwrap_or(0);
            let Some(day) = world.draw_day(unit, from, until, &mut dice) else { continue };
            number += 1;
            let at = draw_time(day, &OFFICE_HOURS, &mut dice);
            let categories = ["food", "noise", "parking", "fumes", "construction", "prices"];
            let about = Attributes::default()
                .date("due_on", day + 60)
                .text("category", dice.pick(&categories));
            let received = Act {
                at,
                event_type: "complaint.received",
                unit,
                object_id: format!("complaint-{number:05}"),
                party: dice.chance(0.8).then(|| world.draw_party(unit, true, &mut dice)),
                channel: "import",
                attributes: about.finish(),
                ..Act::default()
            };
            acts.push(received.clone());
            let is_slow = dice.chance(if from == 0 { 0.07 } else { 0.04 });
            let median = if is_slow { 75.0 } else { 22.0 };
            let after = dice.lognormal(median, 0.4) as Day + 1;
            let closed_at = world.working_moment(unit, day + after, &mut dice);
            let Some(at) = closed_at.filter(|_| dice.chance(0.985)) else { continue };
            let Some(team) = world.draw_team(unit, day_of(at), &mut dice) else { continue };
            let outcome = dice.pick(&["founded", "founded", "unfounded", "transferred"]);
            acts.push(Act {
                at,
                event_type: "complaint.closed",
                team,
                channel: "pc",
                attributes: Attributes::default().text("outcome", outcome).finish(),
                ..received
            });
        }
    }
}
