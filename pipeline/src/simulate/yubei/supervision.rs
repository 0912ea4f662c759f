//! What the justice bureau does: opinions, social reviews, dossier reviews, training and certificates.

use super::TARGETS_2024;
use super::cases::CaseNote;
use super::units::Kind;
use super::world::{Act, Team, World, draw_time};
use crate::simulate::dice::Dice;
use crate::simulate::rhythm::{
    DAYS, DAYS_2024, Day, END, Moment, OFFICE_HOURS, date_text, day, day_of, is_working,
};

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
    train(world, &mut Dice::new(seed, "training"), acts);
    certify(world, &mut Dice::new(seed, "certificates"), acts);
}

/// Draws a moment of the first working day on or after `day` on which `unit` is open.
fn working_moment(world: &World, unit: usize, day: Day, dice: &mut Dice) -> Option<Moment> {
    let mut days = day..DAYS;
    let day = days.find(|day| is_working(*day) && world.is_open(unit, *day))?;
    Some(draw_time(day, &OFFICE_HOURS, dice))
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
        let Some(at) = working_moment(world, bureau, drawn, dice) else { continue };
        let due_on = day_of(at) + 30;
        let about = format!(
            "{{\"target_org_id\":\"{target_id}\",\"domain\":\"{domain}\",\"due_on\":\"{}\"}}",
            date_text(due_on)
        );
        let issued = Act {
            at,
            event_type: "opinion.issued",
            unit: bureau,
            team: world.draw_team(bureau, day_of(at), dice).unwrap_or_default(),
            object_id: format!("opinion-{:03}", index + 1),
            channel: "pc",
            attributes: about,
            ..Act::default()
        };
        acts.push(issued.clone());
        let delay = dice.lognormal(19.0, 0.45) as Day;
        let replied = working_moment(world, target, day_of(at) + delay, dice);
        let Some(replied_at) = replied.filter(|_| dice.chance(0.93)) else { continue };
        acts.push(Act {
            at: replied_at,
            event_type: "opinion.replied",
            unit: target,
            team: world.draw_team(target, day_of(replied_at), dice).unwrap_or_default(),
            ..issued.clone()
        });
        let closed = working_moment(world, bureau, day_of(replied_at) + 5, dice);
        let Some(closed_at) = closed.filter(|_| dice.chance(0.9)) else { continue };
        acts.push(Act {
            at: closed_at,
            event_type: "opinion.closed",
            team: world.draw_team(bureau, day_of(closed_at), dice).unwrap_or_default(),
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
            let (case_id, panel_size) = (&case.case_id, dice.pick(&[5, 7, 9]));
            let opinion = dice.pick(&["agree", "lighter", "agree"]);
            acts.push(Act {
                at: reviewed_at + 3600,
                event_type: "social_review.held",
                unit: bureau,
                team: world.draw_team(bureau, day_of(reviewed_at), dice).unwrap_or_default(),
                object_id: format!("review-{case_id}"),
                channel: "pc",
                attributes: format!(
                    "{{\"case_id\":\"{case_id}\",\"panel_size\":{panel_size},\"opinion\":\"{opinion}\",\"adopted\":true}}"
                ),
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
            let Some(at) = working_moment(world, bureau, day, dice) else { continue };
            let score = 96 - dice.lognormal(9.0, 0.7).min(60.0) as i64;
            let grade = match score {
                90.. => "excellent",
                60.. => "qualified",
                _ => "unqualified",
            };
            acts.push(Act {
                at,
                event_type: "dossier.reviewed",
                unit: bureau,
                team: world.draw_team(bureau, day_of(at), dice).unwrap_or_default(),
                object_id: format!("dossier-{}", case.case_id),
                channel: "pc",
                attributes: format!(
                    "{{\"case_id\":\"{}\",\"score\":{score},\"grade\":\"{grade}\"}}",
                    case.case_id
                ),
                ..Act::default()
            });
        }
    }
}

/// Everyone who is on the roster at the end of 2024 was trained in 2024; those who lost the certificate were not.
fn train(world: &World, dice: &mut Dice, acts: &mut Vec<Act>) {
    let courses = ["law-basics", "procedure", "evidence", "credentials", "integrity", "app-use"];
    for (from, until, share) in [(0, DAYS_2024, 1.0), (DAYS_2024, DAYS, 0.95)] {
        for (index, officer) in world.officers.iter().enumerate() {
            if officer.revoked_on.is_some() || !dice.chance(share) {
                continue;
            }
            let count = 2 + dice.below(4);
            for _ in 0..count {
                let season = dice.pick(&[(95, 185), (95, 185), (250, 350), (20, 350)]);
                let day = from + dice.between(season.0, season.1) as Day;
                // Training goes on while a unit is silent, and may be before the account is bound.
                let Some(day) = (day..until).find(|day| is_working(*day)) else { continue };
                let course = dice.pick(&courses);
                let hours = dice.pick(&[8, 12, 16, 20, 24]);
                let mode = dice.pick(&["online", "online", "online", "offline", "scenario"]);
                acts.push(Act {
                    at: draw_time(day, &OFFICE_HOURS, dice),
                    event_type: "training.completed",
                    unit: officer.unit_on(day),
                    team: [Some(index as u16), None],
                    channel: "import",
                    attributes: format!(
                        "{{\"course\":\"{course}\",\"hours\":{hours},\"mode\":\"{mode}\"}}"
                    ),
                    ..Act::default()
                });
            }
        }
    }
}

/// Certificates that are issued and revoked within the two years.
fn certify(world: &World, dice: &mut Dice, acts: &mut Vec<Act>) {
    for (index, officer) in world.officers.iter().enumerate() {
        let team: Team = [Some(index as u16), None];
        let mut record = |event_type, day: Day, attributes| {
            let at = draw_time(day, &OFFICE_HOURS, dice);
            if (0..END).contains(&at) {
                let unit = officer.unit_on(day);
                acts.push(Act {
                    at,
                    event_type,
                    unit,
                    team,
                    channel: "import",
                    attributes,
                    ..Act::default()
                });
            }
        };
        record("certificate.issued", officer.certified_on, String::new());
        if let Some(revoked_on) = officer.revoked_on {
            let reason = ["not_trained", "exam_failed", "left_post"][index % 3];
            let attributes = format!("{{\"reason\":\"{reason}\"}}");
            record("certificate.revoked", revoked_on, attributes);
        }
    }
}
