//! The units of the district: 22 towns by name, 36 departments and 7 teams (synthetic), and when they fall silent.

use crate::simulate::rhythm::{DAYS, Day, day};

/// A kind of unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// 镇街.
    Town,
    /// 部门.
    Department,
    /// 支队 of a department.
    Team,
}

/// A unit with enforcement powers.
#[derive(Debug, Clone)]
pub(super) struct Unit {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) name_en: String,
    pub(super) kind: Kind,
    /// 镇 or 街道 for a town.
    pub(super) town_type: &'static str,
    /// 片区 of a town; empty elsewhere.
    pub(super) area: &'static str,
    /// The department of a team; empty elsewhere.
    pub(super) parent: String,
    pub(super) domain: &'static str,
    /// Officers on the roster at the end of 2024.
    pub(super) officers: usize,
    /// Acts per officer, relative to an ordinary unit.
    pub(super) pace: f64,
    /// First day on the platform; units joined from December 2023 to April 2024.
    pub(super) live_from: Day,
}

/// The four 片区; the grouping is synthetic.
pub(super) const AREAS: [&str; 4] = ["南部", "空港", "东部", "北部"];

/// Name, name in Latin letters, type, area, officers, pace; in order of the platform code.
const TOWNS: [(&str, &str, &str, &str, usize, f64); 22] = [
    ("双龙湖", "Shuanglonghu", "街道", "空港", 31, 1.1),
    ("回兴", "Huixing", "街道", "南部", 33, 1.2),
    ("龙溪", "Longxi", "街道", "南部", 34, 1.5),
    ("龙山", "Longshan", "街道", "南部", 27, 1.0),
    ("龙塔", "Longta", "街道", "南部", 26, 1.3),
    ("悦来", "Yuelai", "街道", "南部", 20, 0.8),
    ("两路", "Lianglu", "街道", "空港", 36, 1.4),
    ("双凤桥", "Shuangfengqiao", "街道", "空港", 32, 1.0),
    ("王家", "Wangjia", "街道", "空港", 18, 0.6),
    ("宝圣湖", "Baoshenghu", "街道", "南部", 22, 1.0),
    ("仙桃", "Xiantao", "街道", "空港", 20, 1.1),
    ("玉峰山", "Yufengshan", "镇", "东部", 19, 0.7),
    ("龙兴", "Longxing", "镇", "东部", 27, 1.1),
    ("统景", "Tongjing", "镇", "北部", 19, 0.8),
    ("大湾", "Dawan", "镇", "北部", 15, 0.5),
    ("兴隆", "Xinglong", "镇", "北部", 16, 0.6),
    ("木耳", "Muer", "镇", "北部", 21, 0.9),
    ("茨竹", "Cizhu", "镇", "北部", 14, 0.4),
    ("古路", "Gulu", "镇", "北部", 17, 0.7),
    ("石船", "Shichuan", "镇", "东部", 20, 0.8),
    ("大盛", "Dasheng", "镇", "东部", 13, 0.35),
    ("洛碛", "Luoqi", "镇", "东部", 20, 0.9),
];

/// Name, slug, name in English, domain, officers, pace.
const DEPARTMENTS: [(&str, &str, &str, &str, usize, f64); 36] = [
    ("发展改革委", "development", "Development and Reform Commission", "发展改革", 14, 0.4),
    ("教委", "education", "Education Commission", "教育", 18, 0.6),
    ("科技局", "science", "Science and Technology Bureau", "科技", 8, 0.3),
    ("经济信息委", "industry", "Economy and Informatization Commission", "经济信息", 14, 0.5),
    ("公安分局", "public-security", "Public Security Branch", "公安", 96, 1.0),
    ("民政局", "civil-affairs", "Civil Affairs Bureau", "民政", 12, 0.5),
    ("司法局", "justice", "Justice Bureau", "司法行政", 22, 0.7),
    ("财政局", "finance", "Finance Bureau", "财政", 12, 0.4),
    ("人力社保局", "labour", "Human Resources Bureau", "人力社保", 34, 1.0),
    ("规划自然资源局", "planning", "Planning and Resources Bureau", "规划自然资源", 44, 0.9),
    ("生态环境局", "ecology", "Ecology and Environment Bureau", "生态环境", 16, 0.7),
    ("住房城乡建委", "housing", "Housing and Construction Commission", "住房城乡建设", 48, 1.1),
    ("城市管理局", "city-management", "City Management Bureau", "城市管理", 20, 0.8),
    ("交通运输委", "transport", "Transport Commission", "交通运输", 18, 0.7),
    ("水利局", "water", "Water Resources Bureau", "水利", 30, 0.8),
    ("农业农村委", "agriculture", "Agriculture Commission", "农业", 16, 0.6),
    ("商务委", "commerce", "Commerce Commission", "商务", 16, 0.7),
    ("文化旅游委", "culture", "Culture and Tourism Commission", "文化旅游", 14, 0.6),
    ("卫生健康委", "health", "Health Commission", "卫生健康", 66, 1.2),
    ("退役军人局", "veterans", "Veterans Affairs Bureau", "退役军人", 8, 0.25),
    ("应急管理局", "emergency", "Emergency Management Bureau", "应急管理", 22, 1.0),
    ("审计局", "audit", "Audit Bureau", "审计", 10, 0.3),
    ("市场监管局", "market", "Market Regulation Bureau", "市场监管", 52, 1.2),
    ("统计局", "statistics", "Statistics Bureau", "统计", 10, 0.3),
    ("医保局", "medical-insurance", "Medical Insurance Bureau", "医疗保障", 16, 0.8),
    ("林业局", "forestry", "Forestry Bureau", "林业", 26, 0.8),
    ("国防动员办", "civil-defence", "National Defence Mobilization Office", "人民防空", 9, 0.3),
    ("数据局", "data", "Data Bureau", "数据", 8, 0.25),
    ("网信办", "cyberspace", "Cyberspace Office", "网信", 8, 0.3),
    ("宣传部", "publicity", "Publicity Department", "新闻出版电影", 8, 0.3),
    ("统战部", "united-front", "United Front Department", "民族宗教", 8, 0.25),
    ("编办", "staffing", "Staffing Office", "事业登记", 7, 0.15),
    ("档案局", "archives", "Archives Bureau", "档案", 7, 0.15),
    ("税务局", "tax", "Tax Bureau", "税务", 38, 0.9),
    ("消防救援支队", "fire-rescue", "Fire and Rescue Detachment", "消防", 62, 1.4),
    ("气象局", "weather", "Meteorological Bureau", "气象", 11, 0.4),
];

/// Slug of the parent department and of the team, name, name in English, domain, officers, pace.
const TEAMS: [(&str, &str, &str, &str, usize, f64); 7] = [
    ("city-management", "城市管理", "City Management", "城市管理", 62, 1.7),
    ("market", "市场监管", "Market Regulation", "市场监管", 66, 1.6),
    ("ecology", "生态环境", "Ecology and Environment", "生态环境", 32, 1.3),
    ("culture", "文化旅游", "Culture and Tourism", "文化旅游", 24, 1.2),
    ("transport", "交通运输", "Transport", "交通运输", 48, 1.4),
    ("emergency", "应急管理", "Emergency Management", "应急管理", 22, 1.3),
    ("agriculture", "农业", "Agriculture", "农业", 18, 1.0),
];

/// Departments that joined after the first day of 2024.
const LATE_STARTERS: [(&str, Day); 7] = [
    ("dept-archives", day(2024, 2, 1)),
    ("dept-staffing", day(2024, 3, 11)),
    ("dept-data", day(2024, 4, 8)),
    ("dept-veterans", day(2024, 2, 26)),
    ("dept-united-front", day(2024, 3, 18)),
    ("dept-audit", day(2024, 1, 15)),
    ("dept-weather", day(2024, 1, 22)),
];

/// A span of days in which a unit does nothing on the platform.
#[derive(Debug, Clone, Copy)]
pub(super) struct Silence {
    /// The unit.
    pub(super) org_id: &'static str,
    /// First silent day.
    pub(super) from: Day,
    /// First day after the silence.
    pub(super) until: Day,
    /// Whether its officers still log in.
    pub(super) has_logins: bool,
}

/// Units that fall silent; the last two are still silent at the end of 2025.
pub(super) const SILENCES: [Silence; 9] = [
    silence("dept-archives", day(2024, 3, 4), day(2024, 5, 6), true),
    silence("town-dasheng", day(2024, 6, 10), day(2024, 7, 8), true),
    silence("dept-staffing", day(2024, 7, 1), day(2024, 9, 2), true),
    silence("town-cizhu", day(2024, 8, 5), day(2024, 9, 2), false),
    silence("town-xinglong", day(2025, 3, 3), day(2025, 3, 31), true),
    silence("dept-statistics", day(2025, 5, 12), day(2025, 7, 7), false),
    silence("town-dasheng", day(2025, 9, 8), day(2025, 9, 29), false),
    silence("town-dawan", day(2025, 11, 10), DAYS, false),
    silence("dept-commerce", day(2025, 12, 1), DAYS, true),
];

const fn silence(org_id: &'static str, from: Day, until: Day, has_logins: bool) -> Silence {
    Silence { org_id, from, until, has_logins }
}

/// Returns all units: towns, departments, teams.
pub(super) fn all() -> Vec<Unit> {
    TOWNS
        .iter()
        .map(town)
        .chain(DEPARTMENTS.iter().map(department))
        .chain(TEAMS.iter().map(team))
        .collect()
}

fn town(row: &(&str, &'static str, &'static str, &'static str, usize, f64)) -> Unit {
    let (name, latin, town_type, area, officers, pace) = *row;
    let type_en = if town_type == "镇" { "Town" } else { "Subdistrict" };
    Unit {
        id: format!("town-{}", latin.to_lowercase()),
        name: format!("{name}{town_type}"),
        name_en: format!("{latin} {type_en}"),
        kind: Kind::Town,
        town_type,
        area,
        parent: String::new(),
        domain: "镇街综合执法",
        officers,
        pace,
        live_from: -25,
    }
}

fn department(row: &(&str, &str, &str, &'static str, usize, f64)) -> Unit {
    let (name, slug, name_en, domain, officers, pace) = *row;
    let id = format!("dept-{slug}");
    let late = LATE_STARTERS.iter().find(|(org_id, _)| *org_id == id);
    Unit {
        name: name.to_owned(),
        name_en: name_en.to_owned(),
        kind: Kind::Department,
        town_type: "",
        area: "",
        parent: String::new(),
        domain,
        officers,
        pace,
        live_from: late.map_or(-20, |(_, live_from)| *live_from),
        id,
    }
}

fn team(row: &(&str, &str, &str, &'static str, usize, f64)) -> Unit {
    let (slug, name, name_en, domain, officers, pace) = *row;
    Unit {
        id: format!("team-{slug}"),
        name: format!("{name}综合行政执法支队"),
        name_en: format!("{name_en} Enforcement Team"),
        kind: Kind::Team,
        town_type: "",
        area: "",
        parent: format!("dept-{slug}"),
        domain,
        officers,
        pace,
        live_from: -25,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn officers(kind: impl Fn(Kind) -> bool) -> usize {
        all().iter().filter(|unit| kind(unit.kind)).map(|unit| unit.officers).sum()
    }

    #[test]
    fn the_roster_has_500_officers_in_22_towns_and_1100_elsewhere() {
        let count = |kind| all().iter().filter(|unit| unit.kind == kind).count();
        assert_eq!((count(Kind::Town), count(Kind::Department), count(Kind::Team)), (22, 36, 7));
        assert_eq!(officers(|kind| kind == Kind::Town), 500);
        assert_eq!(officers(|kind| kind != Kind::Town), 1100);
    }

    #[test]
    fn the_areas_have_six_five_five_and_six_towns() {
        let sizes = AREAS.map(|area| all().iter().filter(|unit| unit.area == area).count());
        assert_eq!(sizes, [6, 5, 5, 6]);
    }

    #[test]
    fn every_team_has_its_department_and_every_silence_its_unit() {
        let units = all();
        let is_known = |id: &str| units.iter().any(|unit| unit.id == id);
        assert!(units.iter().filter(|unit| unit.kind == Kind::Team).all(|u| is_known(&u.parent)));
        assert!(SILENCES.iter().all(|silence| is_known(silence.org_id)));
        assert!(LATE_STARTERS.iter().all(|(id, _)| is_known(id)));
    }
}
