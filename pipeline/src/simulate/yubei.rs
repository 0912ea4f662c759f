//! The `yubei` profile: one district over 2024 and 2025.
//!
//! The figures of the 2024 report are met by construction: each is either a number of things that are made (patrols,
//! officers, opinions) or a loop that ends when it is reached (closed cases). 2025 goes on in the same manner, with
//! fewer inspections of firms and more of them finding a problem.

mod accounts;
mod attributes;
mod cases;
mod decision;
mod declarations;
mod delivery;
mod execution;
mod inspections;
mod items;
mod leaves;
mod measures;
mod patrols;
mod people;
mod powers;
mod procedure;
mod reference;
mod reported;
mod services;
mod sharing;
mod supervision;
mod tasks;
mod training;
mod tree;
mod units;
mod visits;
mod world;

use super::{Error, Options, Summary};
use world::World;

/// Figures of the calendar year 2024 that hold exactly, counted over events that occurred in local 2024.
///
/// Duplicates count once; corrections, deletions and broken lines do not touch them.
struct Targets {
    /// Officers on the roster at the end of the year.
    roster: usize,
    /// Those of them in towns.
    town_roster: usize,
    /// Officers on that roster with a substantive act in the year: 89 % of all.
    officers_active: usize,
    /// Those of them in towns: 89 % of the towns' roster.
    town_officers_active: usize,
    /// Certificates revoked within the year.
    certificates_revoked: usize,
    /// Patrols of the towns.
    town_patrols: usize,
    /// Cases of the towns that closed.
    town_cases_closed: usize,
    /// Joint inspections, each by two or more units.
    joint_inspections: usize,
    /// Supervision opinions issued.
    opinions_issued: usize,
    /// Cases put before a social review.
    social_reviews: usize,
}

/// The figures of the report; where it says "more than", a plausible number above.
const TARGETS_2024: Targets = Targets {
    roster: 1_600,
    town_roster: 500,
    officers_active: 1_424,
    town_officers_active: 445,
    certificates_revoked: 44,
    town_patrols: 3_253,
    town_cases_closed: 1_915,
    joint_inspections: 24,
    opinions_issued: 11,
    social_reviews: 1,
};

/// Writes the `yubei` profile; the sizes in the options have no say.
pub(super) fn simulate(
    options: &Options,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Summary, Error> {
    let seed = options.seed;
    let world = World::new(seed);
    let mut acts = Vec::new();
    patrols::patrol(&world, seed, &mut acts);
    let inspected = visits::inspect(&world, seed, &mut acts);
    let cases = cases::prosecute(&world, &inspected.findings, seed, &mut acts);
    measures::impose(&world, &cases, seed, &mut acts);
    measures::contest(&world, &cases, seed, &mut acts);
    services::license(&world, seed, &mut acts);
    services::handle_complaints(&world, seed, &mut acts);
    sharing::handle_scenes(&world, seed, &mut acts);
    sharing::share(&world, seed, &mut acts);
    supervision::supervise(&world, &cases, seed, &mut acts);
    training::train(&world, seed, &mut acts);
    training::certify(&world, seed, &mut acts);
    accounts::log_in(&world, seed, &mut acts);
    let mut summary = delivery::deliver(options, &world, &mut acts, progress)?;
    reference::write(options, &world, &inspected.executed, &acts, &mut summary)?;
    Ok(summary)
}

#[cfg(test)]
mod tests;
