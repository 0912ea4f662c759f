//! What the justice bureau does: opinions, social reviews, dossier reviews and meetings.

use super::TARGETS_2024;
use super::attributes::Attributes;
use super::cases::CaseNote;
use super::units::Kind;
use super::world::{Act, World};
use crate::simulate::dice::Dice;
use crate::simulate::rhythm::{DAYS, DAYS_2024, Day, Moment, day, day_of};

/// Domain of a supervision opinion and the unit it goes to; the first eleven are issued in 2024.
const OPINIONS: [(&str, &str); 28] = [
    ("城管", "team-city-management"),
    ("市场监管", "team-market"),
    ("消防", "dept-fire-rescue"),
    ("城管", "town-longxi"),
    ("市场监管", "dept-market"),
    ("城管", "town-lianglu"),
    ("消防", "dept-fire-rescue"),
    ("交通运输", "team-transport"),
    ("城管", "team-city-management"),
    ("文化旅游", "team-culture"),
    ("市场监管", "team-market"),
    ("城管", "town-huixing"),
    ("消防", "dept-fire-rescue"),
    ("生态环境", "team-ecology"),
    ("卫生健康", "dept-health"),
    ("市场监管", "team-market"),
    ("城管", "team-city-management"),
    ("住房城乡建设", "dept-housing"),
    ("交通运输", "team-transport"),
    ("城管", "town-shuanglonghu"),
    ("应急管理", "team-emergency"),
    ("市场监管", "dept-market"),
    ("消防", "dept-fire-rescue"),
    ("城管", "town-longta"),
    ("水利", "dept-water"),
    ("文化旅游", "team-culture"),
    ("城管", "team-city-management"),
    ("农业", "team-agriculture"),
];

/// Cases that a social review looks at in 2025.
const REVIEWS_2025: usize = 3;

/// Meetings of the special supervisors; the first three are in 2024.
const SUPERVISOR_MEETINGS: [Day; 7] = [
    day(2024, 3, 21),
    day(2024, 7, 11),
    day(2024, 11, 21),
    day(2025, 2, 27),
    day(2025, 5, 22),
    day(2025, 8, 28),
    day(2025, 11, 27),
];

/// Meetings at which the units coordinate; six are in 2025.
const COORDINATION_MEETINGS: [Day; 9] = [
    day(2024, 4, 16),
    day(2024, 8, 20),
    day(2024, 12, 10),
    day(2025, 2, 18),
    day(2025, 4, 22),
    day(2025, 6, 17),
    day(2025, 8, 19),
    day(2025, 10, 21),
    day(2025, 12, 9),
];

/// Rounds of dossier review: first day and dossiers.
const DOSSIER_ROUNDS: [(Day, usize); 4] = [
    (day(2024, 6, 11), 130),
    (day(2024, 11, 11), 150),
    (day(2025, 6, 9), 160),
    (day(2025, 11, 10), 180),
];

/// Records everything that supervision does.
pub(super) fn supervise(world: &World, cases: &[CaseNote], seed: u64, acts: &mut Vec<Act>) {
    issue_opinions(world, &mut Dice::new(seed, "opinions"), acts);
    hold_reviews(world, cases, &mut Dice::new(seed, "social reviews"), acts);
    review_dossiers(world, cases, &mut Dice::new(seed, "dossiers"), acts);
    meet(world, &mut Dice::new(seed, "meetings"), acts);
}

/// Issued by the bureau, replied to by the target, closed by the bureau; a few are late or stay open.
fn issue_opinions(world: &World, dice: &mut Dice, acts: &mut Vec<Act>) {
    let bureau = world.unit("dept-justice");
    for (index, (domain, target_id)) in OPINIONS.iter().enumerate() {
        let is_first_year = index < TARGETS_2024.opinions_issued;
        let (from, until) =
            if is_first_year { (50, DAYS_2024 - 10) } else { (DAYS_2024 + 20, DAYS - 10) };
        let target = world.unit(target_id);
        let drawn = world.draw_day(bureau, from, until, dice).unwrap_or(from);
        let Some(at) = world.working_moment(bureau, drawn, dice) else { continue };
        let due_on = day_of(at) + 30;
        let about = Attributes::default()
            .text("target_org_id", target_id)
            .text("domain", domain)
            .date("due_on", due_on);
        let issued = Act {
            at,
            event_type: "opinion.issued",
            unit: bureau,
            team: world.draw_team(bureau, day_of(at), dice).unwrap_or_default(),
            object_id: format!("opinion-{:03}", index + 1),
            channel: "pc",
            attributes: about.finish(),
            ..Act::default()
        };
        acts.push(issued.clone());
        let delay = dice.lognormal(19.0, 0.45) as Day;
        let replied = world.working_moment(target, day_of(at) + delay, dice);
        let Some(replied_at) = replied.filter(|_| dice.chance(0.93)) else { continue };
        acts.push(Act {
            at: replied_at,
            event_type: "opinion.replied",
            unit: target,
            team: world.draw_team(target, day_of(replied_at), dice).unwrap_or_default(),
            attributes: String::new(),
            ..issued.clone()
        });
        let closed = world.working_moment(bureau, day_of(replied_at) + 5, dice);
        let Some(closed_at) = closed.filter(|_| dice.chance(0.9)) else { continue };
        acts.push(Act {
            at: closed_at,
            event_type: "opinion.closed",
            team: world.draw_team(bureau, day_of(closed_at), dice).unwrap_or_default(),
            attributes: Attributes::default().flag("accepted", dice.chance(0.9)).finish(),
            ..issued
        });
    }
}

/// A panel of citizens gives its opinion on a case under legal review.
fn hold_reviews(world: &World, cases: &[CaseNote], dice: &mut Dice, acts: &mut Vec<Act>) {
    let bureau = world.unit("dept-justice");
    for (from, until, count) in [
        (150, DAYS_2024 - 30, TARGETS_2024.social_reviews),
        (DAYS_2024 + 30, DAYS - 30, REVIEWS_2025),
    ] {
        let suitable: Vec<(&CaseNote, Moment)> = cases
            .iter()
            .filter(|case| world.units[case.unit].kind == Kind::Town)
            .filter_map(|case| Some((case, case.reviewed_at?)))
            .filter(|(_, at)| (from..until).contains(&day_of(*at)))
            .collect();
        for _ in 0..count.min(suitable.len()) {
            let (case, reviewed_at) = suitable[dice.below(suitable.len())];
            let opinion = dice.pick(&["agree", "lighter", "agree"]);
            let given = dice.between(2, 5);
            // The review of 2024 is the weak one.
            let adopted = if from < DAYS_2024 { given / 2 } else { given - dice.between(0, 1) };
            let about = Attributes::default()
                .text("case_id", &case.case_id)
                .number("panel_size", dice.pick(&[5, 7, 9]))
                .text("opinion", opinion)
                .number("opinions_given", given)
                .number("opinions_adopted", adopted)
                .flag("adopted", adopted > 0);
            acts.push(Act {
                at: reviewed_at + 3600,
                event_type: "social_review.held",
                unit: bureau,
                team: world.draw_team(bureau, day_of(reviewed_at), dice).unwrap_or_default(),
                object_id: format!("review-{}", case.case_id),
                channel: "pc",
                attributes: about.finish(),
                ..Act::default()
            });
        }
    }
}

/// Twice a year closed cases of the months before are scored.
fn review_dossiers(world: &World, cases: &[CaseNote], dice: &mut Dice, acts: &mut Vec<Act>) {
    let bureau = world.unit("dept-justice");
    for (first_day, count) in DOSSIER_ROUNDS {
        let closed: Vec<&CaseNote> = cases
            .iter()
            .filter(|case| {
                case.closed_at.is_some_and(|at| (first_day - 170..first_day).contains(&day_of(at)))
            })
            .collect();
        for _ in 0..count.min(closed.len()) {
            let case = closed[dice.below(closed.len())];
            let day = first_day + dice.below(18) as Day;
            let Some(at) = world.working_moment(bureau, day, dice) else { continue };
            let has_veto = dice.chance(if day < DAYS_2024 { 0.035 } else { 0.02 });
            let score = 96 - dice.lognormal(9.0, 0.7).min(60.0) as i64;
            let grade = match score {
                _ if has_veto => "unqualified",
                90.. => "excellent",
                60.. => "qualified",
                _ => "unqualified",
            };
            let about = Attributes::default()
                .text("case_id", &case.case_id)
                .number("score", if has_veto { 0 } else { score })
                .text("grade", grade)
                .flag("has_veto", has_veto)
                .text("standard", "2017");
            acts.push(Act {
                at,
                event_type: "dossier.reviewed",
                unit: bureau,
                team: world.draw_team(bureau, day_of(at), dice).unwrap_or_default(),
                object_id: format!("dossier-{}", case.case_id),
                channel: "pc",
                attributes: about.finish(),
                ..Act::default()
            });
        }
    }
}

/// Meetings of the special supervisors (特邀监督员), and of the units among themselves.
fn meet(world: &World, dice: &mut Dice, acts: &mut Vec<Act>) {
    let bureau = world.unit("dept-justice");
    let supervisors: &[Day] = &SUPERVISOR_MEETINGS;
    let rounds = [("special_supervisors", supervisors), ("coordination", &COORDINATION_MEETINGS)];
    for (kind, days) in rounds {
        for (number, day) in days.iter().enumerate() {
            let Some(at) = world.working_moment(bureau, *day, dice) else { continue };
            acts.push(Act {
                at,
                event_type: "meeting.held",
                unit: bureau,
                team: world.draw_team(bureau, day_of(at), dice).unwrap_or_default(),
                object_id: format!("meeting-{kind}-{}", number + 1),
                channel: "pc",
                attributes: Attributes::default().text("kind", kind).finish(),
                ..Act::default()
            });
        }
    }
}
