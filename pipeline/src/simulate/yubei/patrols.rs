//! Patrols of the towns.

use super::attributes::Attributes;
use super::items::ItemKind;
use super::units::Kind;
use super::visits::VOLUMES;
use super::world::{Act, World};
use crate::simulate::dice::Dice;
use crate::simulate::rhythm::{DAY, Moment};

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
            let has_problem = dice.chance(0.31);
            let result = if has_problem { "problem" } else { "none" };
            acts.push(Act {
                at,
                event_type: "patrol.recorded",
                unit: town,
                team,
                object_id: format!("patrol-{}-{recorded:05}", volume.year()),
                item: has_problem
                    .then(|| world.draw_item(town, ItemKind::Penalty, day, &mut dice))
                    .flatten(),
                channel: if dice.chance(0.94) { "app" } else { "pc" },
                attributes: Attributes::default().text("result", result).finish(),
                ..Act::default()
            });
        }
    }
}
