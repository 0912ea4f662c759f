//! Inspections: which units visit whom, when, and why.

use std::collections::BTreeMap;

use super::TARGETS_2024;
use super::inspections::Inspector;
use super::units::Kind;
use super::world::{Act, Team, World, draw_time};
use crate::simulate::dice::Dice;
use crate::simulate::rhythm::{DAYS, DAYS_2024, Day, Moment, OFFICE_HOURS, day};

/// A problem that an inspection found: cases start from these.
#[derive(Debug, Clone)]
pub(super) struct Finding {
    pub(super) unit: usize,
    pub(super) day: Day,
    pub(super) inspection_id: String,
    pub(super) party: usize,
}

/// A plan that inspections belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Plan {
    pub(super) year: i32,
    pub(super) unit: usize,
    /// Whether it is the plan of double-random checks, and not the yearly one.
    pub(super) is_random: bool,
}

impl Plan {
    /// Returns the identifier of the plan.
    pub(super) fn id(self, world: &World) -> String {
        let suffix = if self.is_random { "-random" } else { "" };
        format!("plan-{}-{}{suffix}", self.year, world.units[self.unit].id)
    }
}

/// What the inspections leave behind.
#[derive(Debug)]
pub(super) struct Inspected {
    /// By unit and day.
    pub(super) findings: Vec<Finding>,
    /// Finished inspections of each plan.
    pub(super) executed: BTreeMap<Plan, usize>,
}

/// How many visits a year sees, as first day, first day after, and numbers.
pub(super) struct Volume {
    pub(super) from: Day,
    pub(super) until: Day,
    pub(super) patrols: usize,
    joint_tasks: usize,
    firms: usize,
    persons: usize,
}

impl Volume {
    /// Returns the calendar year.
    pub(super) fn year(&self) -> i32 {
        if self.from == 0 { 2024 } else { 2025 }
    }
}

/// Inspections of firms fall by a quarter in 2025; the rest grows.
pub(super) const VOLUMES: [Volume; 2] = [
    Volume {
        from: 0,
        until: DAYS_2024,
        patrols: TARGETS_2024.town_patrols,
        joint_tasks: TARGETS_2024.joint_inspections,
        firms: 17_600,
        persons: 3_400,
    },
    Volume {
        from: DAYS_2024,
        until: DAYS,
        patrols: 3_720,
        joint_tasks: 61,
        firms: 13_200,
        persons: 5_400,
    },
];

/// Inspections of a year that were recorded by mistake and are deleted later.
const MISTAKEN: usize = 3;

/// An inspection about to happen.
#[derive(Debug)]
pub(super) struct Visit {
    pub(super) unit: usize,
    pub(super) at: Moment,
    pub(super) team: Team,
    pub(super) party: usize,
    /// The joint visit that it is part of.
    pub(super) joint: Option<Joint>,
    pub(super) is_mistaken: bool,
}

/// A visit of several units under one task.
#[derive(Debug, Clone)]
pub(super) struct Joint {
    pub(super) joint_task_id: String,
    pub(super) task_id: String,
    pub(super) due_on: Day,
}

/// Records all inspections.
pub(super) fn inspect(world: &World, seed: u64, acts: &mut Vec<Act>) -> Inspected {
    let mut planner = Planner {
        world,
        dice: Dice::new(seed, "visits"),
        inspector: Inspector::new(world, seed, acts),
    };
    for volume in &VOLUMES {
        for task in 0..volume.joint_tasks {
            planner.inspect_jointly(volume, task + 1);
        }
        let first_acts = if volume.from == 0 { planner.inspect_first(volume) } else { 0 };
        planner.inspect_often(volume, true, volume.firms - first_acts);
        planner.inspect_often(volume, false, volume.persons);
    }
    planner.inspector.finish()
}

/// Decides who visits whom.
struct Planner<'a> {
    world: &'a World,
    dice: Dice,
    inspector: Inspector<'a>,
}

impl Planner<'_> {
    /// Two to four units visit one firm together; each records its own inspection.
    fn inspect_jointly(&mut self, volume: &Volume, task: usize) {
        let world = self.world;
        let enforcers = world.units_of(|kind| kind != Kind::Department);
        let mut units = vec![self.dice.pick(&enforcers)];
        let wanted = 2 + self.dice.below(3);
        while units.len() < wanted {
            let other = self.dice.below(world.units.len());
            if world.units[other].pace >= 0.9 && !units.contains(&other) {
                units.push(other);
            }
        }
        let party = world.draw_party(units[0], true, &mut self.dice);
        let (day, teams) = loop {
            let from = volume.from + 15;
            let day = world.draw_day(units[0], from, volume.until - 5, &mut self.dice);
            let day = day.unwrap_or(from);
            let teams: Option<Vec<Team>> = units
                .iter()
                .map(|unit| {
                    let is_open = world.is_open(*unit, day);
                    is_open.then(|| world.draw_team(*unit, day, &mut self.dice)).flatten()
                })
                .collect();
            if let Some(teams) = teams {
                break (day, teams);
            }
        };
        let at = draw_time(day, &OFFICE_HOURS, &mut self.dice);
        let number = format!("{}-{task:03}", volume.year());
        let joint = Joint {
            joint_task_id: format!("joint-{number}"),
            task_id: format!("task-joint-{number}"),
            due_on: day + self.dice.between(-1, 9) as Day,
        };
        self.inspector.assign_jointly(&joint, units[0], day);
        for (unit, team) in units.into_iter().zip(teams) {
            let at = at + self.dice.between(0, 240);
            let joint = Some(joint.clone());
            self.inspector.visit(&Visit { unit, at, team, party, joint, is_mistaken: false });
        }
    }

    /// Every officer who acts in 2024 leads one inspection of a firm, so that none depends on chance.
    fn inspect_first(&mut self, volume: &Volume) -> usize {
        let world = self.world;
        let mut recorded = 0;
        for (index, officer) in world.officers.iter().enumerate() {
            if !officer.acts_in[0] {
                continue;
            }
            let unit = officer.unit_on(volume.from);
            let from = officer.onboarded_on.max(volume.from);
            let until = officer.revoked_on.unwrap_or(volume.until);
            // Days of leave are drawn again.
            let day = (0..1_000).find_map(|_| {
                let day = world.draw_day(unit, from, until, &mut self.dice);
                day.filter(|day| officer.may_act(*day))
            });
            let Some(day) = day else { continue };
            let team = world.team_of(index as u16, unit, day, &mut self.dice);
            let at = world.draw_visit_time(unit, day, &mut self.dice);
            let party = world.draw_party(unit, true, &mut self.dice);
            self.inspector.visit(&Visit { unit, at, team, party, joint: None, is_mistaken: false });
            recorded += 1;
        }
        recorded
    }

    fn inspect_often(&mut self, volume: &Volume, is_firm: bool, count: usize) {
        let world = self.world;
        let weights: Vec<f64> =
            world.units.iter().map(|unit| unit.officers as f64 * unit.pace.powf(1.3)).collect();
        let mut recorded = 0;
        while recorded < count {
            let Some(unit) = self.dice.weighted(&weights) else { break };
            let until = volume.until;
            let Some(day) = world.draw_day(unit, volume.from, until, &mut self.dice) else {
                continue;
            };
            let Some(team) = world.draw_team(unit, day, &mut self.dice) else { continue };
            let at = world.draw_visit_time(unit, day, &mut self.dice);
            let party = if is_firm {
                world.draw_visited(unit, day, &mut self.dice)
            } else {
                world.draw_party(unit, false, &mut self.dice)
            };
            recorded += 1;
            let is_mistaken = is_firm && recorded <= MISTAKEN && day < self::day(2025, 11, 1);
            self.inspector.visit(&Visit { unit, at, team, party, joint: None, is_mistaken });
        }
    }
}
