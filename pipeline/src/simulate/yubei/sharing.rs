//! What units do together: scenes (一件事), linked applications and shared data.

use super::attributes::Attributes;
use super::items::REFORM;
use super::units::Kind;
use super::world::{Act, World, draw_time};
use crate::simulate::dice::Dice;
use crate::simulate::rhythm::{
    DAYS, DAYS_2024, Day, EVENING_HOURS, OFFICE_HOURS, date_text, day, is_working,
};
use crate::simulate::write::{CsvFile, FEEDS, SCENES};
use crate::simulate::{Error, Options};

/// A scene that several units handle as one thing.
struct Scene {
    id: &'static str,
    name: &'static str,
    /// `planned`, `selected` or `live`.
    status: &'static str,
    items: u32,
    departments: u32,
    towns: u32,
    live_on: Option<Day>,
    /// Incidents of 2024 and of 2025.
    incidents: [usize; 2],
    /// Whether they happen in the evening.
    is_late: bool,
}

const fn scene(
    id: &'static str,
    name: &'static str,
    status: &'static str,
    [items, departments, towns]: [u32; 3],
    live_on: Option<Day>,
    incidents: [usize; 2],
) -> Scene {
    let is_late = incidents[0] > 0;
    Scene { id, name, status, items, departments, towns, live_on, incidents, is_late }
}

/// The three scenes of the 2024 report, and those that came in 2025.
const ALL_SCENES: [Scene; 8] = [
    scene("night-market", "夜市", "live", [12, 5, 22], Some(day(2024, 5, 20)), [240, 430]),
    scene("parking", "停车", "selected", [9, 4, 22], None, [0, 0]),
    scene("road-excavation", "道路占用挖掘", "planned", [7, 6, 11], None, [0, 0]),
    scene("fumes", "餐饮油烟", "live", [8, 4, 22], Some(day(2025, 4, 14)), [0, 260]),
    scene("spoil-transport", "渣土运输", "live", [10, 6, 22], Some(day(2025, 6, 16)), [0, 210]),
    scene("campus-surroundings", "校园周边", "live", [11, 7, 22], Some(day(2025, 9, 1)), [0, 120]),
    scene("construction-noise", "施工噪声", "selected", [5, 3, 11], None, [0, 0]),
    scene("lift-safety", "电梯安全", "planned", [6, 3, 22], None, [0, 0]),
];

/// A source of shared data, or an application that is linked.
struct Feed {
    id: &'static str,
    name: &'static str,
    /// `application` or `data`.
    kind: &'static str,
    from_org_id: &'static str,
    cadence_days: u16,
    linked_on: Day,
}

const fn feed(
    id: &'static str,
    name: &'static str,
    kind: &'static str,
    from_org_id: &'static str,
    cadence_days: u16,
    linked_on: Day,
) -> Feed {
    Feed { id, name, kind, from_org_id, cadence_days, linked_on }
}

/// The two applications of the 2024 report, few data feeds of 2024, and more of 2025.
const ALL_FEEDS: [Feed; 12] = [
    feed("app-supervision", "“执法+监督”", "application", "dept-justice", 7, day(2024, 3, 25)),
    feed(
        "app-centre",
        "三级城市治理中心",
        "application",
        "dept-city-management",
        7,
        day(2024, 9, 9),
    ),
    feed("data-firms", "市场主体登记", "data", "dept-market", 7, day(2024, 4, 15)),
    feed("data-credit", "信用评价", "data", "dept-development", 30, day(2024, 6, 3)),
    feed("data-hotline", "热线诉求", "data", "dept-data", 7, day(2024, 10, 14)),
    feed("data-licences", "施工许可", "data", "dept-housing", 7, day(2025, 2, 10)),
    feed("data-vehicles", "营运车辆", "data", "dept-transport", 7, day(2025, 3, 10)),
    feed("data-air", "空气与油烟监测", "data", "dept-ecology", 3, day(2025, 4, 14)),
    feed("data-food", "食品抽检", "data", "dept-market", 14, day(2025, 5, 12)),
    feed("data-fire", "消防隐患", "data", "dept-fire-rescue", 7, day(2025, 6, 9)),
    feed("data-health", "卫生许可", "data", "dept-health", 14, day(2025, 8, 11)),
    feed("data-cameras", "视频巡查", "data", "team-city-management", 3, day(2025, 9, 15)),
];

/// Records the incidents of all live scenes.
pub(super) fn handle_scenes(world: &World, seed: u64, acts: &mut Vec<Act>) {
    let mut dice = Dice::new(seed, "scenes");
    let handlers = world.units_of(|kind| kind != Kind::Department);
    let weights: Vec<f64> = handlers
        .iter()
        .map(|unit| world.units[*unit].officers as f64 * world.units[*unit].pace)
        .collect();
    for scene in &ALL_SCENES {
        let Some(live_on) = scene.live_on else { continue };
        let years = [(live_on, DAYS_2024), (live_on.max(DAYS_2024), DAYS)];
        let mut number = 0;
        for ((from, until), count) in years.into_iter().zip(scene.incidents) {
            for _ in 0..count {
                let unit = handlers[dice.weighted(&weights).unwrap_or(0)];
                let Some(day) = world.draw_day(unit, from, until, &mut dice) else { continue };
                let Some(team) = world.draw_team(unit, day, &mut dice) else { continue };
                number += 1;
                let hours = if scene.is_late { &EVENING_HOURS } else { &OFFICE_HOURS };
                acts.push(Act {
                    at: draw_time(day, hours, &mut dice),
                    event_type: "scene.handled",
                    unit,
                    team,
                    object_id: format!("incident-{}-{number:04}", scene.id),
                    party: dice.chance(0.6).then(|| world.draw_party(unit, true, &mut dice)),
                    channel: "app",
                    attributes: Attributes::default().text("scene_id", scene.id).finish(),
                    ..Act::default()
                });
            }
        }
    }
}

/// Records the deliveries of all feeds: in 2024 about half of them come, and not on time.
pub(super) fn share(world: &World, seed: u64, acts: &mut Vec<Act>) {
    let mut dice = Dice::new(seed, "feeds");
    for feed in &ALL_FEEDS {
        let unit = world.unit(feed.from_org_id);
        let mut number = 0;
        for due in (feed.linked_on..DAYS).step_by(usize::from(feed.cadence_days)) {
            let is_later = due >= DAYS_2024;
            if !dice.chance(if is_later { 0.92 } else { 0.55 }) {
                continue;
            }
            let late = if is_later { dice.below(2) } else { dice.below(9) } as Day;
            let mut days = due + late..DAYS;
            let Some(day) = days.find(|day| is_working(*day) && world.is_open(unit, *day)) else {
                continue;
            };
            number += 1;
            let records = dice.lognormal(if is_later { 900.0 } else { 260.0 }, 0.8) as i64 + 1;
            let about = Attributes::default().text("feed_id", feed.id).number("records", records);
            acts.push(Act {
                at: draw_time(day, &OFFICE_HOURS, &mut dice),
                event_type: "feed.delivered",
                unit,
                object_id: format!("delivery-{}-{number:03}", feed.id),
                channel: "import",
                attributes: about.finish(),
                ..Act::default()
            });
        }
    }
}

/// Writes the scenes as they stand at the end.
pub(super) fn write_scenes(options: &Options) -> Result<CsvFile, Error> {
    let mut csv = CsvFile::create(&options.out, "scenes", SCENES)?;
    for scene in &ALL_SCENES {
        csv.row(&format!(
            "{},{},{},{},{},{},{},{}",
            scene.id,
            scene.name,
            scene.status,
            scene.items,
            scene.departments,
            scene.towns,
            scene.live_on.map(date_text).unwrap_or_default(),
            // What the report does not say is made up.
            scene.id != "night-market",
        ))?;
    }
    Ok(csv)
}

/// Writes the feeds.
pub(super) fn write_feeds(options: &Options) -> Result<CsvFile, Error> {
    let mut csv = CsvFile::create(&options.out, "feeds", FEEDS)?;
    for feed in &ALL_FEEDS {
        let from = if feed.kind == "application" { REFORM } else { feed.linked_on };
        csv.row(&format!(
            "{},{},{},{},{},{},true,{},",
            feed.id,
            feed.name,
            feed.kind,
            feed.from_org_id,
            feed.cadence_days,
            date_text(feed.linked_on),
            date_text(from),
        ))?;
    }
    Ok(csv)
}
