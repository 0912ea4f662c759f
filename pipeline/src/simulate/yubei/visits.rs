//! Patrols and inspections.

use super::TARGETS_2024;
use super::units::Kind;
use super::world::{Act, ItemKind, Team, World, draw_time};
use crate::simulate::dice::Dice;
use crate::simulate::rhythm::{DAY, DAYS, DAYS_2024, Day, Moment, OFFICE_HOURS, day, day_of};

/// A problem that an inspection found: cases start from these.
#[derive(Debug, Clone)]
pub(super) struct Finding {
    pub(super) unit: usize,
    pub(super) day: Day,
    pub(super) inspection_id: String,
    pub(super) party: usize,
}

/// How many visits a year sees, as first day, first day after, and numbers.
struct Volume {
    from: Day,
    until: Day,
    patrols: usize,
    joint_tasks: usize,
    firms: usize,
    persons: usize,
}

/// Inspections of firms fall by a quarter in 2025; the rest grows.
const VOLUMES: [Volume; 2] = [
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

/// Patrols in the first two hours of each year, which is still the year before in UTC.
const NIGHT_PATROLS: usize = 4;

/// Records all patrols. They are the towns' own.
pub(super) fn patrol(world: &World, seed: u64, acts: &mut Vec<Act>) {
    let mut dice = Dice::new(seed, "patrols");
    let towns = world.units_of(|kind| kind == Kind::Town);
    let weights: Vec<f64> = towns
        .iter()
        .map(|town| world.units[*town].officers as f64 * world.units[*town].pace.powf(1.6))
        .collect();
    for volume in &VOLUMES {
        let mut recorded = 0;
        while recorded < volume.patrols {
            let Some(place) = dice.weighted(&weights) else { break };
            let town = towns[place];
            let is_night = recorded < NIGHT_PATROLS;
            let day = if is_night {
                Some(volume.from)
            } else {
                world.draw_day(town, volume.from, volume.until, &mut dice)
            };
            let Some(day) = day else { continue };
            let Some(team) = world.draw_team(town, day, &mut dice) else { continue };
            let at = if is_night {
                Moment::from(day) * DAY + dice.between(600, 7_000)
            } else {
                world.draw_visit_time(town, day, &mut dice)
            };
            recorded += 1;
            let year = if volume.from == 0 { 2024 } else { 2025 };
            let has_problem = dice.chance(0.31);
            let result = if has_problem { "problem" } else { "none" };
            acts.push(Act {
                at,
                event_type: "patrol.recorded",
                unit: town,
                team,
                object_id: format!("patrol-{year}-{recorded:05}"),
                item: has_problem
                    .then(|| world.draw_item(town, ItemKind::Penalty, day, &mut dice))
                    .flatten(),
                channel: if dice.chance(0.94) { "app" } else { "pc" },
                attributes: format!("{{\"result\":\"{result}\"}}"),
                ..Act::default()
            });
        }
    }
}

/// An inspection about to happen.
struct Visit {
    unit: usize,
    at: Moment,
    team: Team,
    party: usize,
    joint_task: Option<String>,
    is_mistaken: bool,
}

/// Records inspections with running numbers.
struct Inspector<'a> {
    world: &'a World,
    dice: Dice,
    number: usize,
    findings: Vec<Finding>,
    acts: &'a mut Vec<Act>,
}

/// Records all inspections; returns what they found, by unit and day.
pub(super) fn inspect(world: &World, seed: u64, acts: &mut Vec<Act>) -> Vec<Finding> {
    let dice = Dice::new(seed, "inspections");
    let mut inspector = Inspector { world, dice, number: 0, findings: Vec::new(), acts };
    for volume in &VOLUMES {
        for task in 0..volume.joint_tasks {
            inspector.inspect_jointly(volume, task + 1);
        }
        let first_acts = if volume.from == 0 { inspector.inspect_first(volume) } else { 0 };
        inspector.inspect_often(volume, true, volume.firms - first_acts);
        inspector.inspect_often(volume, false, volume.persons);
    }
    let mut findings = inspector.findings;
    findings.sort_by_key(|finding| (finding.unit, finding.day));
    findings
}

impl Inspector<'_> {
    /// Two to four units visit one firm together; each records its own inspection.
    fn inspect_jointly(&mut self, volume: &Volume, task: usize) {
        let world = self.world;
        let year = if volume.from == 0 { 2024 } else { 2025 };
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
        for (unit, team) in units.into_iter().zip(teams) {
            let at = at + self.dice.between(0, 240);
            let joint_task = Some(format!("joint-{year}-{task:03}"));
            self.visit(Visit { unit, at, team, party, joint_task, is_mistaken: false });
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
            let Some(day) = world.draw_day(unit, from, until, &mut self.dice) else { continue };
            let team = world.team_of(index as u16, unit, day, &mut self.dice);
            let at = world.draw_visit_time(unit, day, &mut self.dice);
            let party = world.draw_party(unit, true, &mut self.dice);
            self.visit(Visit { unit, at, team, party, joint_task: None, is_mistaken: false });
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
            let party = world.draw_party(unit, is_firm, &mut self.dice);
            recorded += 1;
            let is_mistaken = is_firm && recorded <= MISTAKEN && day < self::day(2025, 11, 1);
            self.visit(Visit { unit, at, team, party, joint_task: None, is_mistaken });
        }
    }

    /// Records one inspection: credential, start, finish.
    fn visit(&mut self, visit: Visit) {
        self.number += 1;
        let day = day_of(visit.at);
        let inspection_id = format!("insp-{:06}", self.number);
        // All of a visit stays within its day, and so within its year.
        let midnight = Moment::from(day) * DAY;
        let last = midnight + DAY - 1;
        let act = Act {
            at: visit.at,
            event_type: "credential.shown",
            unit: visit.unit,
            team: visit.team,
            party: Some(visit.party),
            channel: if self.dice.chance(0.9) { "app" } else { "pc" },
            is_mistaken: visit.is_mistaken,
            ..Act::default()
        };
        let is_later_year = day >= DAYS_2024;
        if self.dice.chance(if is_later_year { 0.97 } else { 0.92 }) {
            // One in fifty shows the credential only after the start.
            let before = if self.dice.chance(0.02) { -300 } else { self.dice.between(20, 240) };
            self.acts.push(Act {
                at: (act.at - before).clamp(midnight, last),
                attributes: format!("{{\"inspection_id\":\"{inspection_id}\"}}"),
                ..act.clone()
            });
        }
        let about = self.describe(&visit, day);
        let item = self.world.draw_item(visit.unit, ItemKind::Inspection, day, &mut self.dice);
        let started = Act {
            event_type: "inspection.started",
            object_id: inspection_id.clone(),
            item,
            attributes: format!("{{{about}}}"),
            ..act
        };
        let minutes = self.dice.lognormal(42.0, 0.5).clamp(8.0, 170.0);
        let finished_at = (started.at + (minutes * 60.0) as Moment).min(last);
        let is_left_open = visit.joint_task.is_none() && self.dice.chance(0.004);
        let finished = self.finish(&visit, &about, &started, finished_at);
        self.acts.push(started);
        if is_left_open {
            return;
        }
        let has_problem = [":\"ordered\"", ":\"pending\""]
            .iter()
            .any(|result| finished.attributes.contains(result));
        if has_problem && !visit.is_mistaken {
            let (unit, party) = (visit.unit, visit.party);
            self.findings.push(Finding { unit, day, inspection_id, party });
        }
        self.acts.push(finished);
    }

    /// Detection rises from about 23 % in 2024 to about 42 % in 2025.
    fn finish(&mut self, visit: &Visit, about: &str, started: &Act, at: Moment) -> Act {
        let day = day_of(visit.at);
        let detection = if day < DAYS_2024 {
            0.20 + 0.06 * f64::from(day) / f64::from(DAYS_2024)
        } else {
            0.38 + 0.07 * f64::from(day - DAYS_2024) / f64::from(DAYS_2024)
        };
        let result = if self.dice.chance(0.018) {
            "no_entry"
        } else if !self.dice.chance(detection) {
            "no_problem"
        } else if self.dice.chance(0.64) {
            "ordered"
        } else {
            "pending"
        };
        let joint = visit
            .joint_task
            .as_ref()
            .map_or(String::new(), |task| format!(",\"joint_task_id\":\"{task}\""));
        Act {
            at,
            event_type: "inspection.finished",
            attributes: format!("{{{about},\"result\":\"{result}\"{joint}}}"),
            ..started.clone()
        }
    }

    /// Returns the attributes that start and finish share, without braces.
    fn describe(&mut self, visit: &Visit, day: Day) -> String {
        let kind = match self.dice.unit() {
            part if part < 0.50 => "routine",
            part if part < 0.75 => "special",
            part if part < 0.92 => "clue",
            _ => "immediate",
        };
        let is_random = kind == "routine" && self.dice.chance(0.3);
        let mut text = format!("\"kind\":\"{kind}\"");
        if kind == "routine" && (is_random || self.dice.chance(0.7)) {
            let year = if day < DAYS_2024 { 2024 } else { 2025 };
            let unit = &self.world.units[visit.unit].id;
            text.push_str(&format!(",\"plan_id\":\"plan-{year}-{unit}\""));
        }
        if is_random {
            text.push_str(",\"double_random\":true");
        }
        text
    }
}
