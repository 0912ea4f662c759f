//! Training hours and certificates.

use super::attributes::Attributes;
use super::world::{Act, Team, World, draw_time};
use crate::simulate::dice::Dice;
use crate::simulate::rhythm::{DAYS, DAYS_2024, Day, END, OFFICE_HOURS, is_working};

/// Courses on offer.
const COURSES: [&str; 6] =
    ["law-basics", "procedure", "evidence", "credentials", "integrity", "app-use"];

/// Hours that every officer is to be trained in a year.
const REQUIRED_HOURS: i64 = 60;

/// Year, share of the officers who are trained at all, and share of these who reach the hours.
const YEARS: [(Day, Day, f64, f64); 2] = [(0, DAYS_2024, 1.0, 0.78), (DAYS_2024, DAYS, 0.98, 0.9)];

/// Everyone who is on the roster at the end of 2024 was trained in 2024; those who lost the certificate were not.
pub(super) fn train(world: &World, seed: u64, acts: &mut Vec<Act>) {
    let mut dice = Dice::new(seed, "training");
    for (from, until, trained, enough) in YEARS {
        for (index, officer) in world.officers.iter().enumerate() {
            if officer.revoked_on.is_some() || !dice.chance(trained) {
                continue;
            }
            let is_enough = dice.chance(enough);
            let wanted = if is_enough { REQUIRED_HOURS } else { dice.between(1, 3) * 16 };
            let mut total = 0;
            while total < wanted {
                let mut hours = dice.pick(&[8, 12, 16, 20, 24]);
                if !is_enough {
                    hours = hours.min(REQUIRED_HOURS - 1 - total);
                }
                total += hours;
                let season = dice.pick(&[(95, 185), (95, 185), (250, 350), (20, 350)]);
                let day = from + dice.between(season.0, season.1) as Day;
                // Training goes on while a unit is silent, and may be before the account is bound.
                let Some(day) = (day..until).find(|day| is_working(*day)) else { continue };
                let mode = dice.pick(&["online", "online", "online", "offline", "scenario"]);
                let about = Attributes::default()
                    .text("course", dice.pick(&COURSES))
                    .number("hours", hours)
                    .text("mode", mode);
                acts.push(Act {
                    at: draw_time(day, &OFFICE_HOURS, &mut dice),
                    event_type: "training.completed",
                    unit: officer.unit_on(day),
                    team: [Some(index as u16), None],
                    channel: "import",
                    attributes: about.finish(),
                    ..Act::default()
                });
            }
        }
    }
}

/// Certificates that are issued and revoked within the two years.
pub(super) fn certify(world: &World, seed: u64, acts: &mut Vec<Act>) {
    let mut dice = Dice::new(seed, "certificates");
    for (index, officer) in world.officers.iter().enumerate() {
        let team: Team = [Some(index as u16), None];
        let mut record = |event_type, day: Day, attributes| {
            let at = draw_time(day, &OFFICE_HOURS, &mut dice);
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
            let attributes = Attributes::default().text("reason", reason).finish();
            record("certificate.revoked", revoked_on, attributes);
        }
    }
}
