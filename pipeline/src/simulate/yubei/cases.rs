//! Penalty cases from filing to closing.

use super::TARGETS_2024;
use super::units::Kind;
use super::visits::Finding;
use super::world::{Act, ItemKind, Team, World, draw_time};
use crate::simulate::dice::Dice;
use crate::simulate::rhythm::{
    DAYS, DAYS_2024, Day, END, Moment, OFFICE_HOURS, day_of, is_working,
};

/// Cases that departments and teams file in 2024 and 2025.
const OTHER_FILINGS: [usize; 2] = [2_450, 2_700];

/// Cases that towns file in 2025, relative to 2024.
const TOWN_GROWTH: f64 = 1.06;

/// What later acts need to know about a case.
#[derive(Debug, Clone)]
pub(super) struct CaseNote {
    pub(super) case_id: String,
    pub(super) unit: usize,
    /// Moment of the legal review, if there was one.
    pub(super) reviewed_at: Option<Moment>,
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
    let mut court = Prosecution { world, findings, dice, acts, notes: Vec::new() };
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
        let mut case = Case::file(self, case_id, unit, day, team);
        case.run(&mut self.dice);
        let note = case.note();
        self.acts.append(&mut case.acts);
        let closed_at = note.closed_at;
        self.notes.push(note);
        closed_at
    }

    /// Finds a problem that an inspection of the unit found in the twelve days before a filing.
    fn recent_finding(&mut self, unit: usize, day: Day) -> Option<Finding> {
        let after = self.findings.partition_point(|known| (known.unit, known.day) < (unit, day));
        let recent: Vec<&Finding> = self.findings[..after]
            .iter()
            .rev()
            .take_while(|known| known.unit == unit && known.day > day - 12)
            .collect();
        let place = self.dice.below(recent.len());
        recent.get(place).map(|finding| (*finding).clone())
    }
}

/// A case on its way; it stops where the unit falls silent or the years end.
struct Case<'a> {
    world: &'a World,
    template: Act,
    is_simple: bool,
    /// Whether the case is slow by nature: some of these pass the limit of ninety days.
    slowness: f64,
    at: Moment,
    acts: Vec<Act>,
}

impl<'a> Case<'a> {
    fn file(
        court: &mut Prosecution<'a>,
        case_id: String,
        unit: usize,
        day: Day,
        team: Team,
    ) -> Self {
        let world = court.world;
        let is_town = world.units[unit].kind == Kind::Town;
        let is_simple = court.dice.chance(if is_town { 0.36 } else { 0.22 });
        let origin = match court.dice.unit() {
            part if part < 0.45 => "inspection",
            part if part < 0.65 && is_town => "patrol",
            part if part < 0.9 => "complaint",
            _ => "transfer",
        };
        let finding = (origin == "inspection").then(|| court.recent_finding(unit, day)).flatten();
        let is_firm = court.dice.chance(0.7);
        let party = match &finding {
            Some(finding) => finding.party,
            None => world.draw_party(unit, is_firm, &mut court.dice),
        };
        let link = finding.map_or(String::new(), |finding| {
            format!(",\"inspection_id\":\"{}\"", finding.inspection_id)
        });
        let procedure = if is_simple { "simple" } else { "ordinary" };
        let at = draw_time(day, &OFFICE_HOURS, &mut court.dice);
        let template = Act {
            unit,
            team,
            object_id: case_id,
            party: Some(party),
            item: world.draw_item(unit, ItemKind::Penalty, day, &mut court.dice),
            channel: if is_simple { "app" } else { "pc" },
            ..Act::default()
        };
        let filed = Act {
            at,
            event_type: "case.filed",
            attributes: format!("{{\"procedure\":\"{procedure}\",\"origin\":\"{origin}\"{link}}}"),
            ..template.clone()
        };
        // Units differ in speed, and 2025 is a little faster.
        let pace = world.units[unit].pace.clamp(0.5, 1.6);
        let year = if day < DAYS_2024 { 1.0 } else { 0.9 };
        let slowness = year * pace.powf(-0.35) * court.dice.lognormal(1.0, 0.68);
        Self { world, template, is_simple, slowness, at, acts: vec![filed] }
    }

    fn run(&mut self, dice: &mut Dice) {
        let way = if self.is_simple { self.run_simple(dice) } else { self.run_ordinary(dice) };
        // A way that ends early leaves the case open.
        way.unwrap_or_default();
    }

    /// Decided, served and mostly paid on the spot.
    fn run_simple(&mut self, dice: &mut Dice) -> Option<()> {
        let fine_fen = dice.pick(&[0, 5_000, 10_000, 10_000, 15_000, 20_000]);
        self.step("case.decided", 0.0, decision(self, fine_fen, dice), dice)?;
        self.step("case.served", 0.0, r#"{"method":"on_the_spot"}"#.to_owned(), dice)?;
        if fine_fen > 0 {
            let days = if dice.chance(0.7) { 0.0 } else { 1.0 + dice.unit() * 12.0 };
            self.pay(fine_fen, days, dice)?;
        }
        let days = if dice.chance(0.6) { 0.0 } else { dice.lognormal(3.0, 0.8) };
        let method = if fine_fen > 0 { "paid" } else { "no_penalty_due" };
        self.step("case.closed", days, format!("{{\"method\":\"{method}\"}}"), dice)
    }

    fn run_ordinary(&mut self, dice: &mut Dice) -> Option<()> {
        let days = 33.0 * self.slowness;
        self.step("case.investigated", days * 0.3, String::new(), dice)?;
        if dice.chance(0.03) {
            let reason = dice.pick(&["not_established", "transferred", "filed_in_error"]);
            let attributes = format!("{{\"reason\":\"{reason}\"}}");
            return self.step("case.withdrawn", days * 0.2, attributes, dice);
        }
        if dice.chance(0.025) {
            return None;
        }
        self.advance("evidence_uploaded", 0.7, days * 0.15, dice)?;
        if dice.chance(0.975) {
            self.step("case.notified", days * 0.2, String::new(), dice)?;
        }
        let fine_fen = (dice.lognormal(300_000.0, 1.2) / 10_000.0).ceil() as i64 * 10_000;
        self.advance("hearing_held", 0.04, 9.0, dice)?;
        let needs_review = fine_fen >= 1_000_000 || dice.chance(0.3);
        if needs_review && dice.chance(0.97) {
            let opinion = dice.pick(&["agree", "agree", "agree", "agree", "amend", "reject"]);
            let attributes = format!("{{\"opinion\":\"{opinion}\"}}");
            self.step("case.reviewed", days * 0.15, attributes, dice)?;
        }
        self.advance("discussed", if needs_review { 0.5 } else { 0.05 }, days * 0.05, dice)?;
        self.step("case.decided", days * 0.2, decision(self, fine_fen, dice), dice)?;
        let decided_at = self.at;
        let method = dice.pick(&["direct", "direct", "direct", "mail", "electronic"]);
        let days = if method == "direct" { 2.0 } else { 4.5 };
        let attributes = format!("{{\"method\":\"{method}\"}}");
        self.step("case.served", dice.lognormal(days, 0.7), attributes, dice)?;
        let served_at = self.at;
        self.at = decided_at;
        self.step("case.published", dice.lognormal(5.0, 0.5), String::new(), dice)?;
        self.at = self.at.max(served_at);
        self.collect(fine_fen, dice)
    }

    /// The fine is paid, and the case closed.
    fn collect(&mut self, fine_fen: i64, dice: &mut Dice) -> Option<()> {
        let method = if dice.chance(0.9) {
            self.pay(fine_fen, dice.lognormal(6.0, 0.7), dice)?;
            "paid"
        } else if dice.chance(0.6) {
            self.pay(fine_fen / 2, 12.0, dice)?;
            self.pay(fine_fen - fine_fen / 2, 30.0, dice)?;
            "instalments"
        } else {
            self.advance("enforcement_applied", 1.0, 95.0, dice)?;
            "enforced"
        };
        let attributes = format!("{{\"method\":\"{method}\"}}");
        self.step("case.closed", dice.lognormal(4.0, 0.8), attributes, dice)
    }

    fn advance(&mut self, step: &str, share: f64, days: f64, dice: &mut Dice) -> Option<()> {
        if dice.chance(share) {
            self.step("case.advanced", days, format!("{{\"step\":\"{step}\"}}"), dice)
        } else {
            Some(())
        }
    }

    /// The bank reports a payment; no officer takes part.
    fn pay(&mut self, paid_fen: i64, days: f64, dice: &mut Dice) -> Option<()> {
        self.step("case.paid", days, format!("{{\"paid_fen\":{paid_fen}}}"), dice)
    }

    /// Takes the next step after `days`, on a day on which the unit works; none after the years' end.
    fn step(
        &mut self,
        event_type: &'static str,
        days: f64,
        attributes: String,
        dice: &mut Dice,
    ) -> Option<()> {
        let unit = self.template.unit;
        let at = self.next_moment(days, dice)?;
        self.at = at;
        let is_payment = event_type == "case.paid";
        let team = if is_payment {
            Team::default()
        } else {
            self.world.renew_team(self.template.team, unit, day_of(at), dice)
        };
        if !is_payment {
            self.template.team = team;
        }
        self.acts.push(Act {
            at,
            event_type,
            team,
            channel: if is_payment { "import" } else { self.template.channel },
            attributes,
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

    fn note(&self) -> CaseNote {
        let moment_of = |event_type| {
            self.acts.iter().find(|act| act.event_type == event_type).map(|act| act.at)
        };
        CaseNote {
            case_id: self.template.object_id.clone(),
            unit: self.template.unit,
            reviewed_at: moment_of("case.reviewed"),
            closed_at: moment_of("case.closed"),
        }
    }
}

/// Returns the attributes of a decision.
fn decision(case: &Case<'_>, fine_fen: i64, dice: &mut Dice) -> String {
    let types = if fine_fen == 0 {
        "\"警告\""
    } else if case.is_simple || dice.chance(0.8) {
        "\"罚款\""
    } else {
        dice.pick(&[
            "\"警告\",\"罚款\"",
            "\"罚款\",\"没收违法所得\"",
            "\"罚款\",\"没收非法财物\"",
            "\"罚款\",\"责令停产停业\"",
            "\"罚款\",\"吊销许可证件\"",
        ])
    };
    let number = case.template.object_id.trim_start_matches("case-");
    let year = if day_of(case.at) < DAYS_2024 { 2024 } else { 2025 };
    format!(
        "{{\"penalty_types\":[{types}],\"fine_fen\":{fine_fen},\"document_no\":\"渝北罚决〔{year}〕{number}号\"}}"
    )
}
