//! Scopes: the sets of units that a number can be about. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::OnceLock;

use chrono::NaiveDate;

use crate::error::{Error, Result};
use crate::metric::period::Period;
use crate::reference::Org;

/// How far up a tree of units reaches. Its name is the kind of the units of that level, and what the whole tree is
/// called in requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// 区县.
    #[default]
    District,
    /// 市.
    Municipality,
    /// 省.
    Province,
    /// 全国.
    Country,
}

impl Level {
    /// Every level, from below.
    pub const ALL: [Self; 4] = [Self::District, Self::Municipality, Self::Province, Self::Country];

    /// The name in labels, answers and the register of units.
    pub fn name(self) -> &'static str {
        match self {
            Self::District => "district",
            Self::Municipality => "municipality",
            Self::Province => "province",
            Self::Country => "country",
        }
    }

    /// What all units of the level are called in a request, as in `districts/*`.
    fn plural(self) -> &'static str {
        match self {
            Self::District => "districts",
            Self::Municipality => "municipalities",
            Self::Province => "provinces",
            Self::Country => "countries",
        }
    }

    /// What a whole tree of this level is called.
    fn title(self) -> (&'static str, &'static str) {
        match self {
            Self::District => ("全区", "District"),
            Self::Municipality => ("全市", "Municipality"),
            Self::Province => ("全省", "Province"),
            Self::Country => ("全国", "Country"),
        }
    }

    fn of_kind(kind: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == kind)
    }
}

/// What sort of scope it is; distinct counts do not add up from one sort to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ScopeKind {
    /// The whole tree.
    Tree(Level),
    /// All units of a kind.
    Kind,
    /// All units of an area (片区).
    Area,
    /// One unit, with the units under it.
    Org,
}

impl ScopeKind {
    /// The name in labels and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tree(level) => level.name(),
            Self::Kind => "kind",
            Self::Area => "area",
            Self::Org => "org",
        }
    }
}

/// A resolved scope: its units, each with the days on which it belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// What it is called in requests: `district`, `towns`, `area:NAME`, a unit's id, or `UNIT/towns`.
    pub scope_id: String,
    /// Its name for people.
    pub name: String,
    /// Its name in English, where one is known.
    pub name_en: Option<String>,
    /// What sort of scope it is.
    pub kind: ScopeKind,
    /// The unit whose kind or area it is; `None` for those of the whole tree.
    pub under: Option<String>,
    /// Whether it stands for a level of the tree: the whole of it, or all of a district of several, or of what is above them.
    pub is_level: bool,
    /// Units and the half-open spans in which they belong to the scope.
    pub members: Vec<(String, Period)>,
}

impl Scope {
    /// The ids of its units.
    pub fn org_ids(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(|(org_id, _)| org_id.as_str())
    }
}

const KINDS: [(&str, &str, &str); 3] =
    [("towns", "town", "镇街"), ("departments", "department", "部门"), ("teams", "team", "支队")];

/// The name of the whole tree that every lake understands, whatever its level: goals and addresses are made for it.
const DISTRICT: &str = "district";

/// The units of a lake, as the tree that they form over time.
#[derive(Debug, Default)]
pub struct Tree {
    orgs: Vec<Org>,
    /// Places of each unit's versions.
    versions: HashMap<String, Vec<usize>>,
    /// Places of the versions that name a unit as their parent.
    below: HashMap<String, Vec<usize>>,
    level: Level,
    /// The ids of units that are districts, by any version.
    districts: BTreeSet<String>,
    all: OnceLock<Vec<Scope>>,
    fingerprint: OnceLock<[u8; 32]>,
}

impl Tree {
    /// The tree of a register's versions of units.
    pub fn new(orgs: Vec<Org>) -> Self {
        let (mut versions, mut below) = (HashMap::new(), HashMap::new());
        for (place, org) in orgs.iter().enumerate() {
            versions.entry(org.org_id.clone()).or_insert_with(Vec::new).push(place);
            if let Some(parent_id) = &org.parent_id {
                below.entry(parent_id.clone()).or_insert_with(Vec::new).push(place);
            }
        }
        let levels = orgs.iter().filter_map(|org| Level::of_kind(&org.kind));
        let level = levels.max().unwrap_or_default();
        let districts = org_ids(&orgs, |org| org.kind == DISTRICT);
        let (all, fingerprint) = (OnceLock::new(), OnceLock::new());
        Self { orgs, versions, below, level, districts, all, fingerprint }
    }

    /// The same for trees of the same units.
    pub(crate) fn fingerprint(&self) -> &[u8; 32] {
        let orgs = || blake3::hash(format!("{:?}", self.orgs).as_bytes());
        self.fingerprint.get_or_init(|| *orgs().as_bytes())
    }

    /// Every version of every unit.
    pub fn orgs(&self) -> &[Org] {
        &self.orgs
    }

    /// The versions of a unit; none of one that the register does not know.
    pub fn versions<'t>(&'t self, org_id: &str) -> impl Iterator<Item = &'t Org> {
        self.versions.get(org_id).into_iter().flatten().map(|place| &self.orgs[*place])
    }

    /// The highest level that a unit of the register has; `District` where none says so.
    pub fn level(&self) -> Level {
        self.level
    }

    /// What the whole tree is called in requests.
    pub fn whole_id(&self) -> &'static str {
        self.level().name()
    }

    /// Resolves a request: the whole tree (`district`, or the name of its level), `towns`, `departments`, `teams`,
    /// `area:NAME`, a unit's id, a part of what is under a unit (`UNIT/towns`, `UNIT/area:NAME`), or all members of one at
    /// once (`towns/*`, `district/*`; `areas/*` for every area, `districts/*` for every district of several). Several are
    /// separated by commas.
    pub fn resolve(&self, request: &str) -> Result<Vec<Scope>> {
        let parts = || request.split(',').map(str::trim).filter(|part| !part.is_empty());
        if parts().next().is_none() {
            return Err(Error::Request(format!("no scope is given; {}", self.usage())));
        }
        let mut scopes: Vec<Scope> = Vec::new();
        let mut known: BTreeSet<String> = BTreeSet::new();
        for part in parts() {
            for scope in self.resolve_one(part)? {
                if known.insert(scope.scope_id.clone()) {
                    scopes.push(scope);
                }
            }
        }
        Ok(scopes)
    }

    /// Every scope that a lake has: the whole tree, the kinds, the areas, those of its districts where there are several
    /// under one top, and the units.
    pub fn all_scopes(&self) -> &[Scope] {
        self.all.get_or_init(|| {
            let mut scopes = vec![self.whole()];
            scopes.extend(self.kinds(None));
            scopes.extend(self.areas_listed());
            for unit in self.lower_levels() {
                scopes.extend(self.kinds(Some(unit)));
            }
            scopes.extend(org_ids(&self.orgs, |_| true).into_iter().map(|id| self.of_org(&id)));
            scopes
        })
    }

    /// Of each unit the districts that it is under, with the half-open spans of that; a district is under itself.
    pub fn districts(&self) -> Vec<(String, String, Period)> {
        let mut found = Vec::new();
        for district_id in &self.districts {
            for (org_id, span) in self.of_org(district_id).members {
                found.push((org_id, district_id.clone(), span));
            }
        }
        found
    }

    /// The districts that a scope is about: those in it, or the one that all of it lies in. In the lake of one district, every
    /// scope is about it, whatever it is called over time.
    pub fn districts_of(&self, scope: &Scope) -> BTreeSet<&str> {
        let unit = match scope.kind {
            ScopeKind::Org => Some(scope.scope_id.as_str()),
            _ => scope.under.as_deref(),
        };
        let unit = unit.filter(|_| self.level > Level::District);
        let Some(unit) = unit else { return self.districts.iter().map(String::as_str).collect() };
        let members = self.of_org(unit).members;
        let inside: BTreeSet<&str> = members
            .iter()
            .filter_map(|(org_id, _)| self.districts.get(org_id).map(String::as_str))
            .collect();
        if inside.is_empty() { self.level_above(unit).into_iter().collect() } else { inside }
    }

    /// The district that a unit is under by the newest version of the register, where there are several districts under one
    /// top; of a district the municipality, and so on.
    pub fn level_above(&self, org_id: &str) -> Option<&str> {
        let mut at = self.newest(org_id)?;
        // No tree is deeper than it has units: a circle of parents ends too.
        for _ in 0..self.versions.len() {
            at = self.newest(at.parent_id.as_deref()?)?;
            if Level::of_kind(&at.kind).is_some() {
                return (self.level() > Level::District).then_some(at.org_id.as_str());
            }
        }
        None
    }

    /// The units of levels below the top's, in the order of their ids: the districts of a municipality.
    fn lower_levels(&self) -> BTreeSet<&str> {
        let is_lower =
            |org: &&Org| Level::of_kind(&org.kind).is_some_and(|level| level < self.level);
        self.orgs.iter().filter(is_lower).map(|org| org.org_id.as_str()).collect()
    }

    fn knows(&self, org_id: &str) -> bool {
        self.versions.contains_key(org_id)
    }

    /// The newest version of a unit; none of one that the register does not know.
    pub fn newest(&self, org_id: &str) -> Option<&Org> {
        self.versions(org_id).max_by_key(|org| org.valid_from)
    }

    fn usage(&self) -> String {
        format!("use {}, towns, departments, teams, area:NAME or a unit's id", self.whole_id())
    }

    fn resolve_one(&self, request: &str) -> Result<Vec<Scope>> {
        if request == self.whole_id() || request == DISTRICT {
            return Ok(vec![self.whole()]);
        }
        if let Some(found) = self.part(None, request)? {
            return Ok(found);
        }
        if self.knows(request) {
            return Ok(vec![self.of_org(request)]);
        }
        for (at, _) in request.match_indices('/') {
            let (unit, part) = (&request[..at], &request[at + 1..]);
            if self.knows(unit)
                && let Some(found) = self.part(Some(unit), part)?
            {
                return Ok(found);
            }
        }
        let Some(group) = request.strip_suffix("/*") else { return Err(self.unknown(request)) };
        let members: BTreeSet<String> = self
            .resolve_one(group)?
            .into_iter()
            .flat_map(|scope| scope.members)
            .map(|(org_id, _)| org_id)
            .collect();
        Ok(members.iter().map(|org_id| self.of_org(org_id)).collect())
    }

    /// A kind, an area, every area or every unit of a level, of the whole tree or of what is under a unit; `None` for
    /// another word.
    fn part(&self, under: Option<&str>, part: &str) -> Result<Option<Vec<Scope>>> {
        if part == "areas/*" {
            return Ok(Some(if under.is_none() { self.areas_listed() } else { self.areas(under) }));
        }
        if let Some(plural) = part.strip_suffix("/*")
            && let Some(level) = Level::ALL.into_iter().find(|level| level.plural() == plural)
        {
            let units = self.members(under, |org| org.kind == level.name());
            let ids: BTreeSet<&str> = units.iter().map(|(org_id, _)| org_id.as_str()).collect();
            return Ok(Some(ids.into_iter().map(|org_id| self.of_org(org_id)).collect()));
        }
        if let Some((id, kind, name)) = KINDS.iter().find(|(id, _, _)| *id == part) {
            return Ok(Some(vec![self.of_kind(under, id, kind, name)]));
        }
        if !part.starts_with("area:") {
            return Ok(None);
        }
        if under.is_none() {
            let mut of_districts = self.areas_listed();
            of_districts.retain(|scope| scope.scope_id.ends_with(&format!("/{part}")));
            if of_districts.len() > 1 {
                let ids: Vec<&str> =
                    of_districts.iter().take(5).map(|scope| scope.scope_id.as_str()).collect();
                return Err(Error::Request(format!(
                    "several districts have `{part}`; say which: {}",
                    ids.join(", ")
                )));
            }
        }
        let id = qualified(under, part);
        Ok(self.areas(under).into_iter().find(|scope| scope.scope_id == id).map(|it| vec![it]))
    }

    fn unknown(&self, request: &str) -> Error {
        let near: Vec<&str> = self
            .all_scopes()
            .iter()
            .map(|scope| scope.scope_id.as_str())
            .filter(|id| id.contains(request) || request.contains(id))
            .take(5)
            .collect();
        let hint = if near.is_empty() {
            self.usage()
        } else {
            format!("did you mean {}?", near.join(", "))
        };
        Error::Request(format!("there is no scope `{request}`; {hint}"))
    }

    fn whole(&self) -> Scope {
        let (name, name_en) = self.level().title();
        Scope {
            scope_id: self.whole_id().to_owned(),
            name: name.to_owned(),
            name_en: Some(name_en.to_owned()),
            kind: ScopeKind::Tree(self.level()),
            under: None,
            is_level: true,
            members: self.whole_tree(),
        }
    }

    /// Every unit at all times: an event of a unit outside its validity still happened in the tree.
    fn whole_tree(&self) -> Vec<(String, Period)> {
        org_ids(&self.orgs, |_| true).into_iter().map(|org_id| (org_id, ALWAYS)).collect()
    }

    fn kinds(&self, under: Option<&str>) -> Vec<Scope> {
        KINDS
            .iter()
            .map(|(id, kind, name)| self.of_kind(under, id, kind, name))
            .filter(|scope| !scope.members.is_empty())
            .collect()
    }

    fn of_kind(&self, under: Option<&str>, id: &str, kind: &str, name: &str) -> Scope {
        let unit = under.and_then(|unit| self.newest(unit));
        let en = unit.and_then(|unit| unit.name_en.as_ref());
        Scope {
            scope_id: qualified(under, id),
            name: format!("{}{name}", unit.map_or("", |unit| unit.name.as_str())),
            name_en: match (under, en) {
                (None, _) => Some(capitalised(id)),
                (Some(_), Some(unit)) => Some(format!("{unit}: {id}")),
                (Some(_), None) => None,
            },
            kind: ScopeKind::Kind,
            under: under.map(str::to_owned),
            is_level: false,
            members: self.members(under, |org| org.kind == kind),
        }
    }

    /// The areas of the tree. Those of several districts are told apart: two may have an eastern one.
    fn areas_listed(&self) -> Vec<Scope> {
        if self.level() == Level::District {
            return self.areas(None);
        }
        self.districts.iter().flat_map(|district_id| self.areas(Some(district_id))).collect()
    }

    fn areas(&self, under: Option<&str>) -> Vec<Scope> {
        let inside: Option<BTreeSet<String>> =
            under.map(|unit| self.of_org(unit).members.into_iter().map(|(id, _)| id).collect());
        let is_inside = |org: &&Org| inside.as_ref().is_none_or(|ids| ids.contains(&org.org_id));
        let names: BTreeSet<&str> =
            self.orgs.iter().filter(is_inside).filter_map(|org| org.area.as_deref()).collect();
        let unit = under.and_then(|unit| self.newest(unit)).map_or("", |unit| unit.name.as_str());
        names
            .into_iter()
            .map(|area| Scope {
                scope_id: qualified(under, &format!("area:{area}")),
                name: format!("{unit}{area}"),
                name_en: None,
                kind: ScopeKind::Area,
                under: under.map(str::to_owned),
                is_level: false,
                members: self.members(under, |org| org.area.as_deref() == Some(area)),
            })
            .filter(|scope| !scope.members.is_empty())
            .collect()
    }

    /// The versions that belong, each while it is valid and under the unit.
    fn members(
        &self,
        under: Option<&str>,
        belongs: impl Fn(&Org) -> bool,
    ) -> Vec<(String, Period)> {
        let mut found: BTreeMap<String, Vec<Period>> = BTreeMap::new();
        match under {
            None => {
                for org in self.orgs.iter().filter(|org| belongs(org)) {
                    found.entry(org.org_id.clone()).or_default().push(span(org));
                }
            }
            Some(unit) => {
                for (org_id, while_under) in self.of_org(unit).members {
                    for org in self.versions(&org_id).filter(|org| belongs(org)) {
                        if let Some(both) = common(span(org), while_under) {
                            found.entry(org_id.clone()).or_default().push(both);
                        }
                    }
                }
            }
        }
        flat(found)
    }

    fn of_org(&self, org_id: &str) -> Scope {
        let mut found: BTreeMap<String, Vec<Period>> = BTreeMap::new();
        // The unit itself is always in its own scope; units under it while they are under it.
        let mut above = vec![(org_id.to_owned(), ALWAYS)];
        while let Some((parent, while_above)) = above.pop() {
            let below = self.below.get(&parent).into_iter().flatten();
            let spans = found.entry(parent).or_default();
            // A circle of parents comes back to a span that is known.
            if spans.contains(&while_above) {
                continue;
            }
            spans.push(while_above);
            for org in below.map(|place| &self.orgs[*place]) {
                if let Some(under) = common(span(org), while_above) {
                    above.push((org.org_id.clone(), under));
                }
            }
        }
        let newest = self.newest(org_id);
        Scope {
            scope_id: org_id.to_owned(),
            name: newest.map_or_else(|| org_id.to_owned(), |org| org.name.clone()),
            name_en: newest.and_then(|org| org.name_en.clone()),
            kind: ScopeKind::Org,
            under: None,
            is_level: newest.is_some_and(|org| {
                self.level() > Level::District && Level::of_kind(&org.kind).is_some()
            }),
            members: flat(found),
        }
    }
}

fn qualified(under: Option<&str>, id: &str) -> String {
    under.map_or_else(|| id.to_owned(), |unit| format!("{unit}/{id}"))
}

fn span(org: &Org) -> Period {
    Period {
        start: org.valid_from.unwrap_or(ALWAYS.start),
        end: org.valid_to.unwrap_or(ALWAYS.end),
    }
}

/// The days of both; `None` where there are none.
fn common(one: Period, other: Period) -> Option<Period> {
    let both = Period { start: one.start.max(other.start), end: one.end.min(other.end) };
    (both.start < both.end).then_some(both)
}

/// Bounds for versions that are open: SQL compares dates instead of asking for NULL. Both lie within
/// what every engine can read.
const ALWAYS: Period = Period {
    start: match NaiveDate::from_ymd_opt(1900, 1, 1) {
        Some(day) => day,
        None => NaiveDate::MIN,
    },
    end: match NaiveDate::from_ymd_opt(9999, 12, 31) {
        Some(day) => day,
        None => NaiveDate::MAX,
    },
};

/// Members with their spans united: on a day of two versions of a unit it is still one member.
fn flat(found: BTreeMap<String, Vec<Period>>) -> Vec<(String, Period)> {
    let mut members: Vec<(String, Period)> = Vec::new();
    for (org_id, mut spans) in found {
        spans.sort();
        for span in spans {
            match members.last_mut() {
                Some((last_id, last)) if *last_id == org_id && span.start <= last.end => {
                    last.end = last.end.max(span.end);
                }
                _ => members.push((org_id.clone(), span)),
            }
        }
    }
    members
}

fn org_ids(orgs: &[Org], belongs: impl Fn(&Org) -> bool) -> BTreeSet<String> {
    orgs.iter().filter(|org| belongs(org)).map(|org| org.org_id.clone()).collect()
}

fn capitalised(word: &str) -> String {
    let (first, rest) = word.split_at(word.chars().next().map_or(0, char::len_utf8));
    first.to_uppercase() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn org(org_id: &str, kind: &str, area: Option<&str>, parent: Option<&str>) -> Org {
        Org {
            org_id: org_id.to_owned(),
            name: org_id.to_uppercase(),
            name_en: None,
            kind: kind.to_owned(),
            area: area.map(str::to_owned),
            parent_id: parent.map(str::to_owned),
            valid_from: None,
            valid_to: None,
        }
    }

    fn orgs() -> Vec<Org> {
        vec![
            org("longta", "town", Some("南部"), None),
            org("daWan", "town", Some("北部"), None),
            org("market", "department", None, None),
            org("market-team", "team", None, Some("market")),
            org("unlisted", "", None, None),
        ]
    }

    #[track_caller]
    fn check(request: &str, expected: &[(&str, &[&str])]) {
        let scopes = Tree::new(orgs()).resolve(request).unwrap();
        let found: Vec<(&str, Vec<&str>)> = scopes
            .iter()
            .map(|scope| {
                let members = scope.members.iter().map(|(org_id, _)| org_id.as_str()).collect();
                (scope.scope_id.as_str(), members)
            })
            .collect();
        let expected: Vec<(&str, Vec<&str>)> =
            expected.iter().map(|(scope, members)| (*scope, members.to_vec())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_scope_names_a_unit_with_those_under_it_a_kind_an_area_or_the_tree() {
        check("longta", &[("longta", &["longta"])]);
        check("market", &[("market", &["market", "market-team"])]);
        check("towns", &[("towns", &["daWan", "longta"])]);
        check("area:北部", &[("area:北部", &["daWan"])]);
        check(
            "district",
            &[("district", &["daWan", "longta", "market", "market-team", "unlisted"])],
        );
    }

    #[test]
    fn members_can_be_asked_for_at_once_and_scopes_joined_by_commas() {
        check("towns/*", &[("daWan", &["daWan"]), ("longta", &["longta"])]);
        check(
            "teams, towns,teams",
            &[("teams", &["market-team"]), ("towns", &["daWan", "longta"])],
        );
    }

    #[test]
    fn a_unit_that_changes_its_parent_is_under_each_on_its_own_days() {
        let day = |text: &str| Some(text.parse::<NaiveDate>().unwrap());
        let change = "2025-11-06";
        let until = |parent: &str| Org {
            valid_to: day(change),
            ..org("dawan", "town", None, Some(parent))
        };
        let from = |parent: &str| Org {
            valid_from: day(change),
            ..org("dawan", "town", None, Some(parent))
        };
        let team = org("dawan-team", "team", None, Some("dawan"));
        let orgs = [
            org("yubei", "district", None, None),
            org("beibei", "district", None, None),
            until("yubei"),
            from("beibei"),
            team,
        ];
        let spans = |scope: &str| -> Vec<(String, String, String)> {
            Tree::new(orgs.to_vec())
                .of_org(scope)
                .members
                .into_iter()
                .filter(|(org_id, _)| org_id != scope)
                .map(|(org_id, span)| (org_id, span.start.to_string(), span.end.to_string()))
                .collect()
        };
        let before = |id: &str| (id.to_owned(), "1900-01-01".to_owned(), change.to_owned());
        let after = |id: &str| (id.to_owned(), change.to_owned(), "9999-12-31".to_owned());
        assert_eq!(spans("yubei"), [before("dawan"), before("dawan-team")]);
        assert_eq!(spans("beibei"), [after("dawan"), after("dawan-team")]);
    }

    #[test]
    fn units_that_are_each_others_parents_are_an_end_all_the_same() {
        let orgs = vec![org("a", "team", None, Some("b")), org("b", "team", None, Some("a"))];
        assert_eq!(Tree::new(orgs).of_org("a").members.len(), 2);
    }

    #[test]
    fn no_scope_at_all_is_an_error_and_a_group_without_members_is_not() {
        assert!(Tree::new(orgs()).resolve(" ,").is_err());
        assert_eq!(Tree::default().resolve("towns/*").unwrap(), []);
    }

    #[test]
    fn an_unknown_scope_is_an_error_with_a_suggestion() {
        let error = Tree::new(orgs()).resolve("long").unwrap_err().to_string();
        assert_eq!(error, "there is no scope `long`; did you mean longta?");
    }
}
