//! The tree of units over time: districts, the teams before the reform, and the abolition of 2025-11-06.

use super::items::REFORM;
use super::units::{Kind, Unit};
use super::world::World;
use crate::simulate::rhythm::{Day, date_text, day};
use crate::simulate::write::{CsvFile, ORGS};
use crate::simulate::{Error, Options};

/// First day of the district and of its departments in the register.
const REGISTER_START: &str = "2019-01-01";

/// The day on which Yubei is abolished and its towns get another parent. The departments and teams go on.
pub(super) const ABOLITION: Day = day(2025, 11, 6);

/// The district of the simulated years.
const YUBEI: &str = "district-yubei";

/// Towns that go to 北碚; all others go to 两江新区.
const TO_BEIBEI: [&str; 5] =
    ["town-tongjing", "town-dawan", "town-xinglong", "town-cizhu", "town-dasheng"];

/// Departments that a law, and not the government, gives their powers.
const AUTHORISED: [&str; 2] = ["dept-fire-rescue", "dept-weather"];

/// Teams that the city sets up.
const BY_CITY: [&str; 2] = ["team-market", "team-transport"];

/// The teams that the district had set up before the reform: slug, name, name in English, and who took over.
const FORMER_TEAMS: [(&str, &str, &str, &str); 12] = [
    ("city-order", "城市管理监察支队", "City Order Supervision Team", "city-management"),
    ("municipal", "市政执法支队", "Municipal Works Enforcement Team", "city-management"),
    ("greenery", "园林绿化执法支队", "Greenery Enforcement Team", "city-management"),
    ("environment", "环境行政执法支队", "Environment Enforcement Team", "ecology"),
    ("exhaust", "机动车排气执法支队", "Vehicle Exhaust Enforcement Team", "ecology"),
    ("culture-market", "文化市场执法支队", "Culture Market Enforcement Team", "culture"),
    ("tourism", "旅游执法支队", "Tourism Enforcement Team", "culture"),
    ("work-safety", "安全生产执法支队", "Work Safety Enforcement Team", "emergency"),
    ("chemicals", "危险化学品执法支队", "Dangerous Chemicals Enforcement Team", "emergency"),
    ("farming", "农业行政执法支队", "Farming Enforcement Team", "agriculture"),
    ("animal-health", "动物卫生监督支队", "Animal Health Supervision Team", "agriculture"),
    ("fishery", "渔政执法支队", "Fishery Enforcement Team", "agriculture"),
];

/// Writes the units with all their versions.
pub(super) fn write_orgs(options: &Options, world: &World) -> Result<CsvFile, Error> {
    let mut csv = CsvFile::create(&options.out, "orgs", ORGS)?;
    let abolition = date_text(ABOLITION);
    for (id, name, name_en, from) in [
        (YUBEI, "渝北区", "Yubei District", REGISTER_START),
        ("district-liangjiang", "两江新区", "Liangjiang New Area", &abolition),
        ("district-beibei", "北碚区", "Beibei District", &abolition),
    ] {
        csv.row(&format!("{id},{name},{name_en},district,,,,,false,,,,false,{from},"))?;
    }
    for unit in &world.units {
        write_unit(&mut csv, unit, &abolition)?;
    }
    for (slug, name, name_en, successor) in FORMER_TEAMS {
        let domain = world.units[world.unit(&format!("team-{successor}"))].domain;
        csv.row(&format!(
            "team-former-{slug},{name},{name_en},team,,,dept-{successor},{domain},false,entrusted,district,\
             team-{successor},true,{REGISTER_START},{}",
            date_text(REFORM),
        ))?;
    }
    Ok(csv)
}

fn write_unit(csv: &mut CsvFile, unit: &Unit, abolition: &str) -> Result<(), Error> {
    let reform = date_text(REFORM);
    let (id, is_team) = (unit.id.as_str(), unit.kind == Kind::Team);
    let subject_type = match unit.kind {
        Kind::Team => "entrusted",
        _ if AUTHORISED.contains(&id) => "authorised",
        _ => "agency",
    };
    let established_by = match (is_team, BY_CITY.contains(&id)) {
        (false, _) => "",
        (true, true) => "city",
        (true, false) => "district",
    };
    let kind = match unit.kind {
        Kind::Town => "town",
        Kind::Department => "department",
        Kind::Team => "team",
    };
    let mut version = |parent: &str, from: &str, until: &str| {
        csv.row(&format!(
            "{id},{},{},{kind},{},{},{parent},{},{},{subject_type},{established_by},,{},{from},{until}",
            unit.name,
            unit.name_en,
            unit.town_type,
            unit.area,
            unit.domain,
            !is_team,
            unit.kind != Kind::Town,
        ))
    };
    match unit.kind {
        Kind::Department => version(YUBEI, REGISTER_START, ""),
        Kind::Team => version(&unit.parent, &reform, ""),
        Kind::Town => {
            version(YUBEI, &reform, abolition)?;
            let is_beibei = TO_BEIBEI.contains(&id);
            let next = if is_beibei { "district-beibei" } else { "district-liangjiang" };
            version(next, abolition, "")
        }
    }
}
