//! The way of one case from filing to closing.

use super::attributes::Attributes;
use super::cases::CaseNote;
use super::decision::{Penalty, is_above_hearing_threshold};
use super::world::{Act, Team, World, draw_time};
use crate::simulate::dice::Dice;
use crate::simulate::rhythm::{
    DAYS, DAYS_2024, Day, END, Moment, OFFICE_HOURS, day_of, is_working,
};

/// What is known about a case when it is filed.
pub(super) struct Start {
    /// The case in all its acts.
    pub(super) template: Act,
    /// What the filing says.
    pub(super) about: Attributes,
    pub(super) is_simple: bool,
    pub(super) is_firm: bool,
    /// Whether the filing is not on record.
    pub(super) is_unfiled: bool,
}

/// Steps without an officer: the party's, the bank's and the platform's own.
const UNATTENDED: [&str; 4] =
    ["case.paid", "case.uploaded", "case.cash_handed_in", "case.hearing_requested"];

/// A case on its way; it stops where the unit falls silent or the years end.
pub(super) struct Case<'a> {
    pub(super) world: &'a World,
    pub(super) template: Act,
    pub(super) is_simple: bool,
    pub(super) is_firm: bool,
    /// Whether the case is slow by nature: some of these pass the limit of ninety days.
    slowness: f64,
    filed_at: Moment,
    pub(super) at: Moment,
    pub(super) acts: Vec<Act>,
}

impl<'a> Case<'a> {
    /// Files a case.
    pub(super) fn new(world: &'a World, start: Start, dice: &mut Dice) -> Self {
        let Start { template, about, is_simple, is_firm, is_unfiled } = start;
        let at = template.at;
        // Units differ in speed, and 2025 is a little faster.
        let pace = world.units[template.unit].pace.clamp(0.5, 1.6);
        let year = if day_of(at) < DAYS_2024 { 1.0 } else { 0.83 };
        let slowness = year * pace.powf(-0.35) * dice.lognormal(1.0, 0.68);
        let filed_at = at;
        let mut case =
            Self { world, template, is_simple, is_firm, slowness, filed_at, at, acts: Vec::new() };
        let attributes = case.documented(about, dice).finish();
        if !is_unfiled {
            case.acts.push(Act { event_type: "case.filed", attributes, ..case.template.clone() });
        }
        case
    }

    /// Takes the case as far as it comes.
    pub(super) fn run(&mut self, dice: &mut Dice) {
        let way = if self.is_simple { self.run_simple(dice) } else { self.run_ordinary(dice) };
        // A way that ends early leaves the case open.
        way.unwrap_or_default();
    }

    /// Decided, served and mostly paid on the spot.
    fn run_simple(&mut self, dice: &mut Dice) -> Option<()> {
        let penalty = Penalty::on_the_spot(self.is_firm, dice);
        self.decide(&penalty, 0.0, dice)?;
        let served = Attributes::default().text("method", "on_the_spot");
        let served = self.documented(served, dice);
        self.step("case.served", 0.0, served, dice)?;
        let fine_fen = penalty.fine_fen;
        if fine_fen > 0 {
            let days = if dice.chance(0.7) { 0.0 } else { 1.0 + dice.unit() * 12.0 };
            if fine_fen <= 10_000 && days == 0.0 && dice.chance(0.25) {
                self.pay_cash(fine_fen, dice)?;
            } else {
                self.pay(fine_fen, days, dice)?;
            }
        }
        let days = if dice.chance(0.6) { 0.0 } else { dice.lognormal(3.0, 0.8) };
        self.close(if fine_fen > 0 { "paid" } else { "no_penalty_due" }, days, dice)
    }

    fn run_ordinary(&mut self, dice: &mut Dice) -> Option<()> {
        let days = 33.0 * self.slowness;
        self.secure_evidence(dice)?;
        self.document("case.investigated", days * 0.3, dice)?;
        if dice.chance(0.03) {
            let reason = dice.pick(&["not_established", "transferred", "filed_in_error"]);
            return self.withdraw(reason, days * 0.2, dice);
        }
        if dice.chance(0.025) {
            return None;
        }
        if dice.chance(0.7) {
            let uploaded = Attributes::default().text("step", "evidence_uploaded");
            self.step("case.advanced", days * 0.15, uploaded, dice)?;
        }
        self.appraise(dice)?;
        let penalty = Penalty::ordinary(self.is_firm, day_of(self.at), dice);
        if dice.chance(0.975) {
            self.notify(&penalty, days * 0.2, dice)?;
        }
        let needs_review = penalty.is_major || dice.chance(0.33);
        let is_passed = !needs_review || self.review(penalty.is_major, days * 0.15, dice)?;
        if !is_passed && dice.chance(0.6) {
            return self.withdraw("not_established", 3.0, dice);
        }
        self.extend(dice)?;
        if dice.chance(if penalty.is_major { 0.82 } else { 0.06 }) {
            self.document("case.discussed", days * 0.05, dice)?;
        }
        self.decide(&penalty, days * 0.2, dice)?;
        let decided_at = self.at;
        self.serve(dice)?;
        let served_at = self.at;
        self.publish(&penalty, decided_at, dice)?;
        self.at = served_at;
        self.collect(&penalty, dice)?;
        self.correct(&penalty, dice)
    }

    /// In some cases evidence is registered and kept; it is to be decided on within seven working days.
    fn secure_evidence(&mut self, dice: &mut Dice) -> Option<()> {
        if !dice.chance(0.07) {
            return Some(());
        }
        self.document("case.evidence_registered", 0.0, dice)?;
        self.document("case.evidence_decided", dice.lognormal(5.0, 0.4), dice)
    }

    fn appraise(&mut self, dice: &mut Dice) -> Option<()> {
        if !dice.chance(0.06) {
            return Some(());
        }
        self.step("case.appraisal_started", 2.0, Attributes::default(), dice)?;
        self.step("case.appraisal_ended", dice.lognormal(16.0, 0.5), Attributes::default(), dice)
    }

    /// The party is told what is planned; where a hearing can be asked for, a few do.
    fn notify(&mut self, penalty: &Penalty, days: f64, dice: &mut Dice) -> Option<()> {
        let has_right = penalty.is_major || is_above_hearing_threshold(penalty, self.is_firm);
        let is_told = has_right && dice.chance(0.97);
        let notice = self.documented(Attributes::default(), dice).flag("hearing_right", is_told);
        self.step("case.notified", days, notice, dice)?;
        if !is_told || !dice.chance(0.16) {
            return Some(());
        }
        self.step(
            "case.hearing_requested",
            dice.between(1, 8) as f64,
            Attributes::default(),
            dice,
        )?;
        self.step("case.hearing_notified", dice.between(1, 4) as f64, Attributes::default(), dice)?;
        let notice_days = if dice.chance(0.94) { dice.between(11, 16) } else { 6 };
        self.step("case.hearing_held", notice_days as f64, Attributes::default(), dice)
    }

    /// Says whether the review let the case pass; a review that was forgotten did not stop it.
    fn review(&mut self, is_major: bool, days: f64, dice: &mut Dice) -> Option<bool> {
        let is_later = day_of(self.at) >= DAYS_2024;
        let missed = if is_later { 0.015 } else { 0.035 };
        if dice.chance(if is_major { missed } else { 0.03 }) {
            return Some(true);
        }
        let opinion = match dice.unit() {
            part if part < 0.8 => "agree",
            part if part < 0.97 => "amend",
            _ => "reject",
        };
        let reviewed = Attributes::default().text("opinion", opinion);
        let reviewed = self.documented(reviewed, dice);
        self.step("case.reviewed", days, reviewed, dice)?;
        Some(opinion != "reject")
    }

    /// Most of the slow cases get more time, as long as the first ninety days have not passed.
    fn extend(&mut self, dice: &mut Dice) -> Option<()> {
        let age = day_of(self.at) - day_of(self.filed_at);
        if !(55..88).contains(&age) || !dice.chance(0.6) {
            return Some(());
        }
        let reason = dice.pick(&["complex", "complex", "evidence_outside", "party_unreachable"]);
        let extended = Attributes::default().number("days", 30).text("reason", reason);
        self.step("case.extended", 0.0, extended, dice)
    }

    fn withdraw(&mut self, reason: &str, days: f64, dice: &mut Dice) -> Option<()> {
        self.step("case.withdrawn", days, Attributes::default().text("reason", reason), dice)
    }

    fn decide(&mut self, penalty: &Penalty, days: f64, dice: &mut Dice) -> Option<()> {
        let at = self.next_moment(days, dice)?;
        let number = self.template.object_id.trim_start_matches("case-");
        let decision = self.documented(penalty.describe(number, day_of(at)), dice);
        self.step_at("case.decided", at, decision, dice)
    }

    /// Closes the case.
    pub(super) fn close(&mut self, method: &str, days: f64, dice: &mut Dice) -> Option<()> {
        let closed = self.documented(Attributes::default().text("method", method), dice);
        self.step("case.closed", days, closed, dice)
    }

    /// Takes a step that says no more than its documents.
    fn document(&mut self, event_type: &'static str, days: f64, dice: &mut Dice) -> Option<()> {
        let attributes = self.documented(Attributes::default(), dice);
        self.step(event_type, days, attributes, dice)
    }

    /// Adds the number of documents; a few steps have none on file, fewer in 2025.
    pub(super) fn documented(&self, attributes: Attributes, dice: &mut Dice) -> Attributes {
        let missing = if day_of(self.at) < DAYS_2024 { 0.019 } else { 0.012 };
        if dice.chance(missing) {
            return attributes;
        }
        attributes.number("documents", dice.pick(&[1, 1, 2, 2, 3, 5]))
    }

    /// Takes the next step after `days`, on a day on which the unit works; none after the years' end.
    pub(super) fn step(
        &mut self,
        event_type: &'static str,
        days: f64,
        attributes: Attributes,
        dice: &mut Dice,
    ) -> Option<()> {
        let at = self.next_moment(days, dice)?;
        self.step_at(event_type, at, attributes, dice)
    }

    fn step_at(
        &mut self,
        event_type: &'static str,
        at: Moment,
        attributes: Attributes,
        dice: &mut Dice,
    ) -> Option<()> {
        self.at = at;
        let is_unattended = UNATTENDED.contains(&event_type);
        let team = if is_unattended {
            Team::default()
        } else {
            self.world.renew_team(self.template.team, self.template.unit, day_of(at), dice)
        };
        if !is_unattended {
            self.template.team = team;
        }
        self.acts.push(Act {
            at,
            event_type,
            team,
            channel: if event_type == "case.paid" { "import" } else { self.template.channel },
            attributes: attributes.finish(),
            ..self.template.clone()
        });
        Some(())
    }

    fn next_moment(&self, days: f64, dice: &mut Dice) -> Option<Moment> {
        let today = day_of(self.at);
        let mut at = self.at + dice.between(120, 900);
        if days >= 0.5 || day_of(at) != today {
            let mut day = today + days.round() as Day;
            while !is_working(day) || !self.world.is_open(self.template.unit, day) {
                day += 1;
                if day >= DAYS {
                    return None;
                }
            }
            at = at.max(draw_time(day, &OFFICE_HOURS, dice));
        }
        (at < END).then_some(at)
    }

    /// Returns what later acts need to know.
    pub(super) fn note(&self) -> CaseNote {
        let moment_of = |event_type| {
            self.acts.iter().find(|act| act.event_type == event_type).map(|act| act.at)
        };
        CaseNote {
            case_id: self.template.object_id.clone(),
            unit: self.template.unit,
            party: self.template.party,
            is_simple: self.is_simple,
            filed_at: self.filed_at,
            reviewed_at: moment_of("case.reviewed"),
            served_at: moment_of("case.served"),
            published_at: moment_of("case.published"),
            closed_at: moment_of("case.closed"),
        }
    }
}
