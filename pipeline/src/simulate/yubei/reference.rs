//! The reference tables of the district.

use super::delivery::{item_code, officer_id, party_id};
use super::units::{AREAS, Kind};
use super::world::{ItemKind, REFORM, World};
use crate::simulate::rhythm::date_text;
use crate::simulate::write::{CsvFile, ITEMS, OFFICERS, ORGS, PARTIES};
use crate::simulate::{Error, Options, Summary};

/// Trades that synthetic firms are named for.
const TRADES: [&str; 12] = [
    "餐饮", "百货", "建材", "物流", "汽修", "食品", "药房", "物业", "酒店", "机械", "农业", "建筑",
];

/// Words that synthetic firms are named with.
const WORDS: [&str; 10] = ["宏", "盛", "瑞", "达", "安", "和", "嘉", "泰", "远", "新"];

/// Writes the tables and adds them to the summary.
pub(super) fn write(options: &Options, world: &World, summary: &mut Summary) -> Result<(), Error> {
    for csv in [
        write_orgs(options, world)?,
        write_officers(options, world)?,
        write_parties(options, world)?,
        write_items(options, world)?,
    ] {
        let (path, bytes) = csv.finish()?;
        summary.files.push(path);
        summary.bytes += bytes;
    }
    Ok(())
}

fn write_orgs(options: &Options, world: &World) -> Result<CsvFile, Error> {
    let mut csv = CsvFile::create(&options.out, "orgs", ORGS)?;
    let from = date_text(REFORM);
    for unit in &world.units {
        let kind = match unit.kind {
            Kind::Town => "town",
            Kind::Department => "department",
            Kind::Team => "team",
        };
        csv.row(&format!(
            "{},{},{},{kind},{},{},{},{},{},{},{from},",
            unit.id,
            unit.name,
            unit.name_en,
            unit.town_type,
            unit.area,
            unit.parent,
            unit.domain,
            unit.kind != Kind::Team,
            unit.kind != Kind::Town,
        ))?;
    }
    Ok(csv)
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
        csv.row(&format!(
            "{},{}{label}事项{:03},{},{kind},true,{},{}",
            item_code(index),
            item.domain,
            index + 1,
            item.domain,
            date_text(item.from),
            item.until.map(date_text).unwrap_or_default(),
        ))?;
    }
    Ok(csv)
}
