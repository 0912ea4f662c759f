//! The register of items: which exist, who exercises them, and which of them the towns may use.
//!
//! At the end of 2024 it holds 1,026 items of 40 domains: 732 are exercised by the seven teams, 108 are on the list of
//! the 镇 and 90 on that of the 街道. A new list of the towns is in force from July 2025.

use super::units::{Kind, Unit};
use crate::simulate::dice::{mix, spread};
use crate::simulate::rhythm::{Day, day};

/// What an item empowers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ItemKind {
    /// 行政处罚.
    Penalty,
    /// 行政检查.
    Inspection,
    /// 行政强制.
    Compulsion,
}

/// An item of the register.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) domain: &'static str,
    pub(super) kind: ItemKind,
    /// Where the power comes from: `statutory`, `empowered` or `entrusted`.
    pub(super) origin: &'static str,
    /// What the register says over time, in order and without gaps.
    pub(super) versions: Vec<Version>,
    /// Whether nobody ever uses it.
    pub(super) is_dead: bool,
}

/// What the register says about an item for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) from: Day,
    /// First day on which it no longer holds, if it ends.
    pub(super) until: Option<Day>,
    /// Index of the team or department that exercises the item.
    pub(super) holder: usize,
    pub(super) for_zhen: bool,
    pub(super) for_jiedao: bool,
    /// Whether a published catalogue names the item.
    pub(super) is_published: bool,
    /// The list of items that this version is from.
    pub(super) list: &'static str,
}

/// First day of units, postings, parties and items: the reform's date.
pub(super) const REFORM: Day = day(2023, 10, 25);

/// First day of the second list of town items.
const NEW_LIST: Day = day(2025, 7, 1);

/// A domain: name, department and team without prefix, items that the team and that the department exercise, and
/// items for every town, for the 镇 alone and for the 街道 alone.
type Domain = (&'static str, &'static str, &'static str, usize, usize, [usize; 3]);

const DOMAINS: [Domain; 40] = [
    ("城市管理", "city-management", "city-management", 140, 6, [14, 0, 4]),
    ("市场监管", "market", "market", 168, 10, [5, 1, 0]),
    ("生态环境", "ecology", "ecology", 84, 6, [6, 2, 0]),
    ("文化旅游", "culture", "culture", 52, 6, [4, 0, 0]),
    ("交通运输", "transport", "transport", 92, 6, [3, 2, 0]),
    ("应急管理", "emergency", "emergency", 50, 8, [5, 1, 0]),
    ("农业", "agriculture", "agriculture", 62, 6, [4, 6, 0]),
    ("住房城乡建设", "housing", "city-management", 22, 12, [8, 1, 1]),
    ("水利", "water", "agriculture", 12, 10, [4, 3, 0]),
    ("商务", "commerce", "market", 10, 5, [1, 0, 1]),
    ("盐业", "market", "market", 6, 1, [0, 0, 0]),
    ("新闻出版电影", "publicity", "culture", 14, 3, [1, 0, 0]),
    ("体育", "culture", "culture", 6, 1, [1, 0, 0]),
    ("地震", "emergency", "emergency", 3, 1, [0, 0, 0]),
    ("林业", "forestry", "agriculture", 5, 10, [2, 4, 0]),
    ("规划自然资源", "planning", "city-management", 6, 14, [5, 3, 0]),
    ("发展改革", "development", "", 0, 6, [0, 0, 0]),
    ("教育", "education", "", 0, 8, [1, 0, 0]),
    ("科技", "science", "", 0, 3, [0, 0, 0]),
    ("经济信息", "industry", "", 0, 8, [0, 1, 0]),
    ("公安", "public-security", "", 0, 22, [2, 0, 0]),
    ("民政", "civil-affairs", "", 0, 7, [2, 1, 0]),
    ("司法行政", "justice", "", 0, 6, [0, 0, 0]),
    ("财政", "finance", "", 0, 6, [0, 0, 0]),
    ("人力社保", "labour", "", 0, 14, [1, 0, 0]),
    ("卫生健康", "health", "", 0, 24, [4, 0, 1]),
    ("退役军人", "veterans", "", 0, 3, [0, 0, 0]),
    ("审计", "audit", "", 0, 4, [0, 0, 0]),
    ("统计", "statistics", "", 0, 5, [0, 0, 0]),
    ("医疗保障", "medical-insurance", "", 0, 9, [0, 0, 0]),
    ("人民防空", "civil-defence", "", 0, 6, [1, 0, 0]),
    ("数据", "data", "", 0, 3, [0, 0, 0]),
    ("网信", "cyberspace", "", 0, 5, [0, 0, 0]),
    ("民族宗教", "united-front", "", 0, 6, [1, 0, 0]),
    ("事业登记", "staffing", "", 0, 2, [0, 0, 0]),
    ("档案", "archives", "", 0, 3, [0, 0, 0]),
    ("税务", "tax", "", 0, 12, [0, 0, 0]),
    ("消防", "fire-rescue", "", 0, 16, [6, 0, 1]),
    ("气象", "weather", "", 0, 6, [1, 0, 0]),
    ("粮食", "development", "", 0, 5, [0, 1, 0]),
];

/// Domain and place of items that are exercised although no catalogue publishes them; the first is published later.
const UNPUBLISHED: [(&str, usize); 3] = [("城市管理", 21), ("市场监管", 33), ("卫生健康", 5)];

/// Domains whose next items come onto the new list, and how many.
const ADDED: [(&str, usize); 8] = [
    ("统计", 1),
    ("医疗保障", 1),
    ("司法行政", 1),
    ("城市管理", 2),
    ("市场监管", 2),
    ("消防", 1),
    ("卫生健康", 1),
    ("应急管理", 1),
];

/// Domains whose last town item leaves the list, and whether the item itself ends.
const REMOVED: [(&str, bool); 9] = [
    ("规划自然资源", false),
    ("农业", true),
    ("林业", true),
    ("水利", false),
    ("生态环境", false),
    ("交通运输", true),
    ("住房城乡建设", false),
    ("民政", true),
    ("公安", false),
];

/// Domains that get a new item on the new list.
const CREATED: [&str; 4] = ["城市管理", "城市管理", "消防", "应急管理"];

/// Day, domain and number of the items that a department hands over to the team of its domain.
const HANDED_OVER: [(Day, &str, usize); 5] = [
    (day(2025, 3, 1), "住房城乡建设", 4),
    (day(2025, 3, 1), "规划自然资源", 5),
    (day(2025, 10, 1), "水利", 3),
    (day(2025, 10, 1), "商务", 2),
    (day(2025, 10, 1), "应急管理", 2),
];

/// Lists all items, domain by domain; those that are created later come last.
pub(super) fn list(units: &[Unit]) -> Vec<Item> {
    let unit = |prefix: &str, slug: &str| {
        let id = format!("{prefix}-{slug}");
        units.iter().position(|unit| unit.id == id).unwrap_or(0)
    };
    let mut items = Vec::new();
    for (domain, department, team, by_team, by_department, towns) in DOMAINS {
        let [both, zhen, jiedao] = towns;
        for place in 0..by_team + by_department {
            let is_listed = place < both + zhen + jiedao;
            let version = Version {
                from: REFORM,
                until: None,
                holder: if place < by_team { unit("team", team) } else { unit("dept", department) },
                for_zhen: place < both + zhen,
                for_jiedao: place < both || (place >= both + zhen && is_listed),
                is_published: !UNPUBLISHED.contains(&(domain, place)),
                list: "2023",
            };
            items.push(Item::new(domain, place, version));
        }
    }
    renew_list(&mut items);
    hand_over(&mut items, units);
    items
}

impl Item {
    fn new(domain: &'static str, place: usize, version: Version) -> Self {
        let kind = match (place % 10, place % 4) {
            (9, _) => ItemKind::Compulsion,
            (_, 1) => ItemKind::Inspection,
            _ => ItemKind::Penalty,
        };
        let hash = domain.bytes().fold(place as u64, |hash, byte| mix(hash ^ u64::from(byte)));
        let is_listed = version.for_zhen || version.for_jiedao;
        let origin = match spread(hash, 20) {
            0..5 if is_listed => "statutory",
            5..8 if is_listed => "entrusted",
            _ if is_listed => "empowered",
            _ => "statutory",
        };
        let is_rare = place > 3 && version.is_published;
        let is_dead = is_rare && spread(mix(hash), 100) < if is_listed { 8 } else { 30 };
        Self { domain, kind, origin, versions: vec![version], is_dead }
    }

    fn newest(&self) -> &Version {
        &self.versions[self.versions.len() - 1]
    }

    fn is_listed(&self) -> bool {
        self.newest().for_zhen || self.newest().for_jiedao
    }

    /// Ends the newest version on a day and lets another one follow it.
    fn renew(&mut self, from: Day, change: impl FnOnce(&mut Version)) {
        let mut next = Version { from, ..self.newest().clone() };
        if let Some(newest) = self.versions.last_mut() {
            newest.until = Some(from);
        }
        change(&mut next);
        self.versions.push(next);
    }
}

/// Every town item gets a version of the new list; some leave it, others come onto it.
fn renew_list(items: &mut Vec<Item>) {
    let of = |items: &[Item], domain: &str, is_listed: bool| -> Vec<usize> {
        let is_wanted = |item: &Item| item.domain == domain && item.is_listed() == is_listed;
        (0..items.len()).filter(|index| is_wanted(&items[*index])).collect()
    };
    let listed: Vec<usize> = (0..items.len()).filter(|index| items[*index].is_listed()).collect();
    let added: Vec<usize> = ADDED
        .iter()
        .flat_map(|(domain, count)| of(items, domain, false).into_iter().take(*count))
        .collect();
    let removed: Vec<(usize, bool)> = REMOVED
        .iter()
        .filter_map(|(domain, ends)| Some((*of(items, domain, true).last()?, *ends)))
        .collect();
    for index in listed {
        let removal = removed.iter().find(|(removed, _)| *removed == index);
        let item = &mut items[index];
        match removal {
            Some((_, true)) => item.versions[0].until = Some(NEW_LIST),
            Some(_) => item.renew(NEW_LIST, |version| {
                (version.for_zhen, version.for_jiedao, version.list) = (false, false, "2025");
            }),
            None => item.renew(NEW_LIST, |version| version.list = "2025"),
        }
    }
    for index in added {
        items[index].renew(NEW_LIST, |version| {
            (version.for_zhen, version.for_jiedao, version.list) = (true, true, "2025");
        });
    }
    let first_unpublished = items.iter_mut().find(|item| !item.versions[0].is_published);
    if let Some(item) = first_unpublished {
        item.renew(NEW_LIST, |version| version.is_published = true);
    }
    for (place, domain) in CREATED.into_iter().enumerate() {
        let Some(sibling) = items.iter().find(|item| item.domain == domain) else { continue };
        let version = Version {
            from: NEW_LIST,
            until: None,
            for_zhen: true,
            for_jiedao: true,
            is_published: true,
            list: "2025",
            ..sibling.versions[0]
        };
        items.push(Item::new(domain, place, version));
    }
}

/// Powers go on moving from departments to teams in 2025.
fn hand_over(items: &mut [Item], units: &[Unit]) {
    for (from, domain, count) in HANDED_OVER {
        let team = DOMAINS.iter().find(|known| known.0 == domain).map_or("", |known| known.2);
        let id = format!("team-{team}");
        let Some(holder) = units.iter().position(|unit| unit.id == id) else { continue };
        let is_own = |item: &&mut Item| {
            let version = item.newest();
            let is_held = units[version.holder].kind == Kind::Department;
            let is_plain = item.versions.len() == 1 && !item.is_listed();
            item.domain == domain && is_held && is_plain && version.until.is_none()
        };
        for item in items.iter_mut().filter(is_own).take(count) {
            item.renew(from, |version| version.holder = holder);
        }
    }
}
