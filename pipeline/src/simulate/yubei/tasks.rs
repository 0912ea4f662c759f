//! Tasks that inspections fulfil: given out, completed, or forgotten.

use super::attributes::Attributes;
use super::inspections::{Inspector, shares};
use super::visits::{Joint, Plan, Visit};
use super::world::{Act, Team, draw_time};
use crate::simulate::rhythm::{DAY, Day, Moment, OFFICE_HOURS, day_of, is_working};

impl Inspector<'_> {
    /// A part of the planned inspections is a task given out some days before; others are given out and never done.
    pub(super) fn task(
        &mut self,
        visit: &Visit,
        plan: Option<Plan>,
        day: Day,
        done_at: Moment,
    ) -> Option<String> {
        let unit = visit.unit;
        let plan = plan.filter(|_| self.dice.chance(0.16))?;
        let lead = self.dice.between(2, 18) as Day;
        let assigned_on = (0..=day - lead).rev().find(|day| is_working(*day))?;
        let is_in_time = self.dice.chance(shares(day).in_time);
        let due_on = if is_in_time {
            day + self.dice.between(0, 12) as Day
        } else {
            assigned_on.max(day - self.dice.between(1, 6) as Day)
        };
        let task_id = self.assign(unit, plan, assigned_on, due_on);
        let missed = 1.0 / shares(day).done - 1.0;
        if self.dice.chance(missed) {
            self.assign(unit, plan, assigned_on, assigned_on + 20);
        }
        self.complete(&task_id, unit, visit.team, done_at, due_on);
        Some(task_id)
    }

    fn assign(&mut self, unit: usize, plan: Plan, on: Day, due_on: Day) -> String {
        self.tasks += 1;
        let task_id = format!("task-{:05}", self.tasks);
        let about = Attributes::default()
            .date("due_on", due_on)
            .text("plan_id", &plan.id(self.world))
            .text("kind", "single");
        self.push_assigned(&task_id, unit, on, about);
        task_id
    }

    /// Gives out the task of a joint visit in the name of its first unit.
    pub(super) fn assign_jointly(&mut self, joint: &Joint, unit: usize, day: Day) {
        let on = (0..day).rev().find(|day| is_working(*day)).unwrap_or(day);
        let about = Attributes::default().date("due_on", joint.due_on).text("kind", "joint");
        self.push_assigned(&joint.task_id, unit, on, about);
    }

    fn push_assigned(&mut self, task_id: &str, unit: usize, on: Day, about: Attributes) {
        self.acts.push(Act {
            at: draw_time(on, &OFFICE_HOURS, &mut self.dice),
            event_type: "task.assigned",
            unit,
            object_id: task_id.to_owned(),
            channel: "pc",
            attributes: about.finish(),
            ..Act::default()
        });
    }

    pub(super) fn complete(
        &mut self,
        task_id: &str,
        unit: usize,
        team: Team,
        at: Moment,
        due_on: Day,
    ) {
        let last = (Moment::from(day_of(at)) + 1) * DAY - 1;
        // A task that is overdue is sometimes left without a word.
        if day_of(at) > due_on && self.dice.chance(0.1) {
            return;
        }
        self.acts.push(Act {
            at: (at + self.dice.between(60, 2_400)).min(last),
            event_type: "task.completed",
            unit,
            team,
            object_id: task_id.to_owned(),
            channel: "app",
            ..Act::default()
        });
    }
}
