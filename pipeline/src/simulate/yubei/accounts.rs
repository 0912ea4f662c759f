//! Logins and logouts: before most acts, and on days without any.

use super::units::SILENCES;
use super::world::{Act, World, draw_time};
use crate::simulate::dice::Dice;
use crate::simulate::rhythm::{
    DAY, DAYS, DAYS_2024, Day, Moment, OFFICE_HOURS, day, day_of, day_weight,
};

/// Share of an officer's working days that begin with a login; on the others the session still holds.
const LOGIN_SHARE: f64 = 0.85;

/// Share of sessions that end with a logout.
const LOGOUT_SHARE: f64 = 0.24;

/// Adds logins and logouts to the other acts.
pub(super) fn log_in(world: &World, seed: u64, acts: &mut Vec<Act>) {
    let mut dice = Dice::new(seed, "accounts");
    for (officer, first_at) in first_acts(acts) {
        if dice.chance(LOGIN_SHARE) {
            let midnight = Moment::from(day_of(first_at)) * DAY;
            let at = (first_at - dice.between(90, 3_000)).max(midnight);
            add_session(world, officer, at, &mut dice, acts);
        }
    }
    for officer in 0..world.officers.len() as u16 {
        log_in_idly(world, officer, &mut dice, acts);
    }
}

/// Returns each officer's first act of each day.
fn first_acts(acts: &[Act]) -> Vec<(u16, Moment)> {
    let needs_account = |act: &&Act| {
        !act.event_type.starts_with("training.") && !act.event_type.starts_with("certificate.")
    };
    let mut moments: Vec<(u16, Moment)> = acts
        .iter()
        .filter(needs_account)
        .flat_map(|act| act.team.into_iter().flatten().map(|officer| (officer, act.at)))
        .collect();
    moments.sort_unstable();
    moments.dedup_by_key(|(officer, at)| (*officer, day_of(*at)));
    moments
}

/// Adds the days on which an officer only looks in.
fn log_in_idly(world: &World, index: u16, dice: &mut Dice, acts: &mut Vec<Act>) {
    let officer = &world.officers[usize::from(index)];
    for month in 0..24 {
        let first = day(2024 + month / 12, month as u32 % 12 + 1, 1);
        let growth = 0.75 + 0.45 * f64::from(first.min(DAYS_2024)) / f64::from(DAYS_2024);
        for _ in 0..dice.poisson(officer.idle_logins * growth) {
            let day = first + dice.below(31) as Day;
            let is_usual = dice.chance(day_weight(day));
            if day < DAYS && is_usual && may_log_in(world, index, day) {
                add_session(world, index, draw_time(day, &OFFICE_HOURS, dice), dice, acts);
            }
        }
    }
}

fn may_log_in(world: &World, index: u16, day: Day) -> bool {
    let officer = &world.officers[usize::from(index)];
    let unit = &world.units[officer.unit_on(day)];
    let is_mute = SILENCES.iter().any(|silence| {
        !silence.has_logins
            && silence.org_id == unit.id
            && (silence.from..silence.until).contains(&day)
    });
    officer.is_present(day) && !is_mute
}

fn add_session(world: &World, officer: u16, at: Moment, dice: &mut Dice, acts: &mut Vec<Act>) {
    let login = Act {
        at,
        event_type: "officer.login",
        unit: world.officers[usize::from(officer)].unit_on(day_of(at)),
        team: [Some(officer), None],
        channel: if dice.chance(0.7) { "app" } else { "pc" },
        ..Act::default()
    };
    if dice.chance(LOGOUT_SHARE) {
        let end_of_day = (Moment::from(day_of(at)) + 1) * DAY - 1;
        let logout_at = (at + dice.lognormal(5_400.0, 0.8) as Moment + 60).min(end_of_day);
        acts.push(Act { at: logout_at, event_type: "officer.logout", ..login.clone() });
    }
    acts.push(login);
}
