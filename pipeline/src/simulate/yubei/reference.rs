//! The reference tables of the district.

use std::collections::BTreeMap;

use super::delivery::{item_code, officer_id, party_id};
use super::items::{ItemKind, REFORM};
use super::units::AREAS;
use super::visits::Plan;
use super::world::{Act, World};
use super::{declarations, reported, sharing, tree};
use crate::simulate::dice::Dice;
use crate::simulate::rhythm::{Day, date_text, day};
use crate::simulate::write::{CAPS, CsvFile, ITEMS, LEAVES, OFFICERS, PARTIES, PLANS};
use crate::simulate::{Error, Options, Summary};

/// Trades that synthetic firms are named for.
const TRADES: [&str; 12] = [
    "餐饮", "百货", "建材", "物流", "汽修", "食品", "药房", "物业", "酒店", "机械", "农业", "建筑",
];

/// Words that synthetic firms are named with.
const WORDS: [&str; 10] = ["宏", "盛", "瑞", "达", "安", "和", "嘉", "泰", "远", "新"];

/// Yearly caps of a firm's inspections by one unit, for low, medium and high risk; `*` is every other domain.
const CAPPED: [(&str, [u32; 3]); 5] = [
    ("*", [1, 2, 4]),
    ("市场监管", [1, 2, 6]),
    ("生态环境", [2, 4, 6]),
    ("应急管理", [2, 4, 8]),
    ("消防", [2, 3, 6]),
];

/// The day by which caps had to be published.
const CAPS_FROM: Day = day(2025, 6, 30);

/// Writes the tables and adds them to the summary.
pub(super) fn write(
    options: &Options,
    world: &World,
    executed: &BTreeMap<Plan, usize>,
    acts: &[Act],
    summary: &mut Summary,
) -> Result<(), Error> {
    for csv in [
        tree::write_orgs(options, world)?,
        write_officers(options, world)?,
        write_leaves(options, world)?,
        write_parties(options, world)?,
        write_items(options, world)?,
        write_plans(options, world, executed)?,
        write_caps(options)?,
        declarations::write(options, world, acts)?,
        sharing::write_scenes(options)?,
        sharing::write_feeds(options)?,
        reported::write(options)?,
    ] {
        let (path, bytes) = csv.finish()?;
        summary.files.push(path);
        summary.bytes += bytes;
    }
    Ok(())
}

fn write_officers(options: &Options, world: &World) -> Result<CsvFile, Error> {
    let mut csv = CsvFile::create(&options.out, "officers", OFFICERS)?;
    for (index, officer) in world.officers.iter().enumerate() {
        let until = officer.revoked_on.map(date_text).unwrap_or_default();
        for (place, (unit, from)) in officer.postings.iter().enumerate() {
            let left_on = officer
                .postings
                .get(place + 1)
                .map(|(_, next)| date_text(*next))
                .unwrap_or_default();
            csv.row(&format!(
                "{},{},{},500112{:05},{},{until},{},true,{},{left_on}",
                officer_id(index),
                world.units[*unit].id,
                officer.post_class,
                10_001 + index,
                date_text(officer.certified_on),
                date_text(officer.onboarded_on),
                date_text(*from),
            ))?;
        }
    }
    Ok(csv)
}

fn write_leaves(options: &Options, world: &World) -> Result<CsvFile, Error> {
    let mut csv = CsvFile::create(&options.out, "leaves", LEAVES)?;
    for (index, officer) in world.officers.iter().enumerate() {
        if let Some(leave) = officer.leave {
            let (from, until) = (date_text(leave.from), date_text(leave.until));
            csv.row(&format!("{},{from},{until},{},true", officer_id(index), leave.kind))?;
        }
    }
    Ok(csv)
}

fn write_parties(options: &Options, world: &World) -> Result<CsvFile, Error> {
    let mut csv = CsvFile::create(&options.out, "parties", PARTIES)?;
    let from = date_text(REFORM);
    for (index, party) in world.parties.iter().enumerate() {
        let (kind, name) = if party.is_firm {
            let trade = TRADES[index % TRADES.len()];
            let (first, second) = (WORDS[index / 7 % 10], WORDS[index / 70 % 10]);
            ("firm", format!("示例{first}{second}{trade}{:04}号", index + 1))
        } else {
            ("person", format!("相对人{:04}", index + 1))
        };
        csv.row(&format!(
            "{},{name},{kind},{},{},{},true,{from},",
            party_id(index),
            party.credit_class,
            party.risk_tier,
            AREAS[party.area],
        ))?;
    }
    Ok(csv)
}

fn write_items(options: &Options, world: &World) -> Result<CsvFile, Error> {
    let mut csv = CsvFile::create(&options.out, "items", ITEMS)?;
    for (index, item) in world.items.iter().enumerate() {
        let (kind, label) = match item.kind {
            ItemKind::Penalty => ("penalty", "行政处罚"),
            ItemKind::Inspection => ("inspection", "行政检查"),
            ItemKind::Compulsion => ("compulsion", "行政强制"),
        };
        let code = item_code(index);
        for version in &item.versions {
            csv.row(&format!(
                "{code},{}{label}事项{:04},{},{kind},{},{},{},{},{},{},true,{},{}",
                item.domain,
                index + 1,
                item.domain,
                item.origin,
                world.units[version.holder].id,
                version.for_zhen,
                version.for_jiedao,
                version.list,
                version.is_published,
                date_text(version.from),
                version.until.map(date_text).unwrap_or_default(),
            ))?;
        }
    }
    Ok(csv)
}

/// A plan asks for about as many inspections as are finished under it.
fn write_plans(
    options: &Options,
    world: &World,
    executed: &BTreeMap<Plan, usize>,
) -> Result<CsvFile, Error> {
    let mut csv = CsvFile::create(&options.out, "plans", PLANS)?;
    let mut dice = Dice::new(options.seed, "plans");
    for (plan, executed) in executed {
        let rate = 0.85 + 0.2 * dice.unit();
        let planned = (*executed as f64 / rate).round().max(1.0) as u32;
        let approved_on = day(plan.year - 1, 12, 10) + dice.below(18) as Day;
        csv.row(&format!(
            "{},{},{},{planned},{},{},{},true",
            plan.id(world),
            world.units[plan.unit].id,
            if plan.is_random { "double_random" } else { "annual" },
            date_text(approved_on),
            date_text(day(plan.year, 1, 1)),
            date_text(day(plan.year + 1, 1, 1)),
        ))?;
    }
    Ok(csv)
}

fn write_caps(options: &Options) -> Result<CsvFile, Error> {
    let mut csv = CsvFile::create(&options.out, "inspection_caps", CAPS)?;
    let from = date_text(CAPS_FROM);
    for (domain, caps) in CAPPED {
        for (tier, cap) in ["low", "medium", "high"].into_iter().zip(caps) {
            csv.row(&format!("{domain},{tier},{cap},涉企检查年度频次上限（模拟）,true,{from},"))?;
        }
    }
    Ok(csv)
}
