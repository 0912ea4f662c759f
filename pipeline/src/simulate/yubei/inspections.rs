//! What is recorded about an inspection: credential, start, finish, and what follows from it.

use std::collections::BTreeMap;

use super::attributes::Attributes;
use super::items::ItemKind;
use super::visits::{Finding, Inspected, Plan, Visit};
use super::world::{Act, Team, World};
use crate::simulate::dice::Dice;
use crate::simulate::rhythm::{DAY, DAYS, DAYS_2024, Day, Moment, day, day_of};

/// First day on which firms' codes are scanned.
const CODES_FROM: Day = day(2025, 5, 1);

/// Shares that get better from 2024 to 2025.
pub(super) struct Shares {
    /// Credential shown.
    credential: f64,
    /// Neither plan nor trigger.
    bare: f64,
    /// Double-random checks among planned ones of firms.
    random: f64,
    /// Recording made where one has to be.
    recorded: f64,
    /// Problems rectified.
    rectified: f64,
    /// Double-random checks published.
    published: f64,
    /// Tasks completed.
    pub(super) done: f64,
    /// Completed tasks that are in time.
    pub(super) in_time: f64,
}

const SHARES: [Shares; 2] = [
    Shares {
        credential: 0.92,
        bare: 0.08,
        random: 0.28,
        recorded: 0.87,
        rectified: 0.83,
        published: 0.90,
        done: 0.88,
        in_time: 0.92,
    },
    Shares {
        credential: 0.97,
        bare: 0.03,
        random: 0.38,
        recorded: 0.95,
        rectified: 0.89,
        published: 0.95,
        done: 0.93,
        in_time: 0.95,
    },
];

pub(super) fn shares(day: Day) -> &'static Shares {
    &SHARES[usize::from(day >= DAYS_2024)]
}

/// Records inspections with running numbers.
pub(super) struct Inspector<'a> {
    pub(super) world: &'a World,
    pub(super) dice: Dice,
    number: usize,
    pub(super) tasks: usize,
    findings: Vec<Finding>,
    executed: BTreeMap<Plan, usize>,
    pub(super) acts: &'a mut Vec<Act>,
}

/// Why an inspection happens.
#[derive(Default)]
struct Basis {
    kind: &'static str,
    plan: Option<Plan>,
    trigger: Option<&'static str>,
    is_ordered_from_above: bool,
}

/// How an inspection ends.
struct Outcome {
    result: &'static str,
    problems: i64,
    rectify_by: Option<Day>,
}

impl<'a> Inspector<'a> {
    /// Starts without any inspection.
    pub(super) fn new(world: &'a World, seed: u64, acts: &'a mut Vec<Act>) -> Self {
        Self {
            world,
            dice: Dice::new(seed, "inspections"),
            number: 0,
            tasks: 0,
            findings: Vec::new(),
            executed: BTreeMap::new(),
            acts,
        }
    }

    /// Returns what the inspections leave behind.
    pub(super) fn finish(mut self) -> Inspected {
        self.findings.sort_by_key(|finding| (finding.unit, finding.day));
        Inspected { findings: self.findings, executed: self.executed }
    }

    /// Records one inspection: credential, start, finish, follow-up.
    pub(super) fn visit(&mut self, visit: &Visit) {
        self.number += 1;
        let day = day_of(visit.at);
        // All of a visit stays within its day, and so within its year.
        let midnight = Moment::from(day) * DAY;
        let last = midnight + DAY - 1;
        let is_firm = self.world.parties[visit.party].is_firm;
        let started = Act {
            at: visit.at,
            event_type: "inspection.started",
            unit: visit.unit,
            team: visit.team,
            object_id: format!("insp-{:06}", self.number),
            party: Some(visit.party),
            item: self.world.draw_item(visit.unit, ItemKind::Inspection, day, &mut self.dice),
            channel: if self.dice.chance(0.9) { "app" } else { "pc" },
            is_mistaken: visit.is_mistaken,
            ..Act::default()
        };
        self.identify(&started, is_firm);
        let basis = self.basis(visit, day, is_firm);
        let minutes = self.dice.lognormal(42.0, 0.5).clamp(8.0, 170.0);
        let finished_at = (started.at + (minutes * 60.0) as Moment).min(last);
        let is_left_open = visit.joint.is_none() && self.dice.chance(0.004);
        let task_id = match &visit.joint {
            Some(joint) => Some(joint.task_id.clone()),
            None if is_left_open || visit.is_mistaken => None,
            None => self.task(visit, basis.plan, day, finished_at),
        };
        let needs_video = self.dice.chance(0.1);
        let about = self.describe(visit, &basis, is_firm, task_id.as_deref(), needs_video);
        let outcome = self.outcome(day);
        let mut told = about.clone().text("result", outcome.result);
        if outcome.problems > 0 {
            told = told.number("problems", outcome.problems);
        }
        if let Some(rectify_by) = outcome.rectify_by {
            told = told.date("rectify_by", rectify_by);
        }
        if needs_video && self.dice.chance(shares(day).recorded) {
            told = told.number("av_seconds", (minutes * self.dice.between(25, 60) as f64) as i64);
        }
        let moves_to_desk = started.channel == "app" && self.dice.chance(0.04);
        let finished = Act {
            at: finished_at,
            event_type: "inspection.finished",
            channel: if moves_to_desk { "pc" } else { started.channel },
            attributes: told.finish(),
            ..started.clone()
        };
        self.acts.push(Act { attributes: about.finish(), ..started });
        if is_left_open {
            return;
        }
        if !visit.is_mistaken {
            self.follow_up(visit, &finished, &basis, &outcome);
        }
        if let Some(joint) = &visit.joint {
            self.complete(&joint.task_id, visit.unit, visit.team, finished_at, joint.due_on);
        }
        self.acts.push(finished);
    }

    /// The officers show their credential and, from May 2025, scan the code of a firm.
    fn identify(&mut self, started: &Act, is_firm: bool) {
        let day = day_of(started.at);
        let midnight = Moment::from(day) * DAY;
        if self.dice.chance(shares(day).credential) {
            // One in fifty shows the credential only after the start.
            let before = if self.dice.chance(0.02) { -300 } else { self.dice.between(20, 240) };
            self.acts.push(Act {
                at: (started.at - before).clamp(midnight, midnight + DAY - 1),
                event_type: "credential.shown",
                item: None,
                ..started.clone()
            });
        }
        let share = 0.15 + 0.75 * f64::from(day - CODES_FROM) / f64::from(DAYS - CODES_FROM);
        if is_firm && !started.is_mistaken && day >= CODES_FROM && self.dice.chance(share) {
            self.acts.push(Act {
                at: (started.at - self.dice.between(2, 18)).max(midnight),
                event_type: "code.scanned",
                item: None,
                channel: "app",
                ..started.clone()
            });
        }
    }

    /// Most inspections are planned or have an approved trigger.
    fn basis(&mut self, visit: &Visit, day: Day, is_firm: bool) -> Basis {
        let year = if day < DAYS_2024 { 2024 } else { 2025 };
        let dice = &mut self.dice;
        let kind = match dice.unit() {
            part if part < 0.50 => "routine",
            part if part < 0.75 => "special",
            part if part < 0.92 => "clue",
            _ => "immediate",
        };
        let basis = Basis { kind, ..Basis::default() };
        let is_random = kind == "routine" && is_firm && dice.chance(shares(day).random);
        let plan = Plan { year, unit: visit.unit, is_random };
        if visit.joint.is_some() {
            let plan = Plan { is_random: false, ..plan };
            return Basis { kind: "special", plan: Some(plan), ..basis };
        }
        if !is_random && dice.chance(shares(day).bare / 0.86) {
            return basis;
        }
        match kind {
            "routine" => Basis { plan: Some(plan), ..basis },
            "special" if dice.chance(0.6) => Basis { plan: Some(plan), ..basis },
            "special" => {
                Basis { trigger: Some("ordered"), is_ordered_from_above: dice.chance(0.6), ..basis }
            }
            "clue" => Basis {
                trigger: Some(dice.pick(&["clue", "clue", "complaint", "transfer"])),
                ..basis
            },
            _ => Basis { trigger: Some(dice.pick(&["complaint", "complaint", "clue"])), ..basis },
        }
    }

    /// Returns the attributes that start and finish share.
    fn describe(
        &self,
        visit: &Visit,
        basis: &Basis,
        is_firm: bool,
        task_id: Option<&str>,
        needs_video: bool,
    ) -> Attributes {
        let plan = basis.plan.map(|plan| plan.id(self.world));
        let joint = visit.joint.as_ref().map(|joint| joint.joint_task_id.as_str());
        Attributes::default()
            .text("kind", basis.kind)
            .text("party_kind", if is_firm { "firm" } else { "person" })
            .text_if("plan_id", plan.as_deref())
            .flag_if("double_random", basis.plan.is_some_and(|plan| plan.is_random))
            .text_if("task_id", task_id)
            .text_if("joint_task_id", joint)
            .text_if("trigger", basis.trigger)
            .flag_if("ordered_from_above", basis.is_ordered_from_above)
            .flag_if("av_required", needs_video)
    }

    /// Detection rises from about 23 % in 2024 to about 42 % in 2025.
    fn outcome(&mut self, day: Day) -> Outcome {
        let dice = &mut self.dice;
        let detection = if day < DAYS_2024 {
            0.20 + 0.06 * f64::from(day) / f64::from(DAYS_2024)
        } else {
            0.38 + 0.07 * f64::from(day - DAYS_2024) / f64::from(DAYS_2024)
        };
        if dice.chance(0.018) {
            return Outcome { result: "no_entry", problems: 0, rectify_by: None };
        }
        if !dice.chance(detection) {
            return Outcome { result: "no_problem", problems: 0, rectify_by: None };
        }
        Outcome {
            result: if dice.chance(0.64) { "ordered" } else { "pending" },
            problems: dice.pick(&[1, 1, 1, 2, 2, 3, 5]),
            rectify_by: Some(day + dice.between(10, 20) as Day),
        }
    }

    /// Problems are rectified, random checks published, and the plan moves on.
    fn follow_up(&mut self, visit: &Visit, finished: &Act, basis: &Basis, outcome: &Outcome) {
        let day = day_of(finished.at);
        if let Some(plan) = basis.plan {
            *self.executed.entry(plan).or_default() += 1;
        }
        if let Some(rectify_by) = outcome.rectify_by {
            self.rectify(finished, rectify_by, outcome.problems);
            self.findings.push(Finding {
                unit: visit.unit,
                day,
                inspection_id: finished.object_id.clone(),
                party: visit.party,
            });
        }
        let is_random = basis.plan.is_some_and(|plan| plan.is_random);
        if is_random && self.dice.chance(shares(day).published) {
            let median = if day < DAYS_2024 { 9.0 } else { 7.0 };
            let after = day + 1 + self.dice.lognormal(median, 0.6) as Day;
            if let Some(at) = self.world.working_moment(visit.unit, after, &mut self.dice) {
                self.acts.push(Act {
                    at,
                    event_type: "inspection.published",
                    team: Team::default(),
                    channel: "pc",
                    attributes: String::new(),
                    ..finished.clone()
                });
            }
        }
    }

    /// Nine in ten are in time.
    fn rectify(&mut self, finished: &Act, rectify_by: Day, problems: i64) {
        let day = day_of(finished.at);
        if !self.dice.chance(shares(day).rectified) {
            return;
        }
        let rectified_on = if self.dice.chance(0.91) {
            self.dice.between(i64::from(day) + 3, i64::from(rectify_by) - 2)
        } else {
            i64::from(rectify_by) + self.dice.between(1, 25)
        };
        let unit = finished.unit;
        let at = self.world.working_moment(unit, rectified_on as Day, &mut self.dice);
        let Some(at) = at else { return };
        let Some(team) = self.world.draw_team(unit, day_of(at), &mut self.dice) else { return };
        self.acts.push(Act {
            at,
            event_type: "inspection.rectified",
            team,
            attributes: Attributes::default().number("problems", problems).finish(),
            ..finished.clone()
        });
    }
}
