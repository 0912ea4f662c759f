//! Scopes: the sets of units that a number can be about. Pure.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;

use crate::error::{Error, Result};
use crate::metric::period::Period;
use crate::reference::Org;

/// What sort of scope it is; distinct counts do not add up from one sort to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ScopeKind {
    /// The whole tree.
    District,
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
            Self::District => "district",
            Self::Kind => "kind",
            Self::Area => "area",
            Self::Org => "org",
        }
    }
}

/// A resolved scope: its units, each with the days on which it belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// What it is called in requests: `district`, `towns`, `area:NAME` or a unit's id.
    pub scope_id: String,
    /// Its name for people.
    pub name: String,
    /// Its name in English, where one is known.
    pub name_en: Option<String>,
    /// What sort of scope it is.
    pub kind: ScopeKind,
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

const DISTRICT: &str = "district";

/// Resolves a request: `district`, `towns`, `departments`, `teams`, `area:NAME`, a unit's id, or all
/// members of one at once (`towns/*`, `district/*`; `areas/*` for every area). Several are separated by commas.
pub fn resolve(orgs: &[Org], request: &str) -> Result<Vec<Scope>> {
    let parts = || request.split(',').map(str::trim).filter(|part| !part.is_empty());
    if parts().next().is_none() {
        return Err(Error::Request(
            "no scope is given; use district, towns, departments, teams, area:NAME or a unit's id"
                .to_owned(),
        ));
    }
    let mut scopes: Vec<Scope> = Vec::new();
    for part in parts() {
        for scope in resolve_one(orgs, part)? {
            if !scopes.iter().any(|known| known.scope_id == scope.scope_id) {
                scopes.push(scope);
            }
        }
    }
    Ok(scopes)
}

/// Every scope that a lake has: the whole tree, the kinds, the areas and the units.
pub fn all_scopes(orgs: &[Org]) -> Vec<Scope> {
    let mut scopes = vec![district(orgs)];
    scopes.extend(
        KINDS.iter().map(|(id, kind, name)| of_kind(orgs, id, kind, name)).filter(is_not_empty),
    );
    scopes.extend(areas(orgs));
    scopes.extend(org_ids(orgs, |_| true).into_iter().map(|id| of_org(orgs, &id)));
    scopes
}

fn is_not_empty(scope: &Scope) -> bool {
    !scope.members.is_empty()
}

fn resolve_one(orgs: &[Org], request: &str) -> Result<Vec<Scope>> {
    if let Some(group) = request.strip_suffix("/*") {
        if group == "areas" {
            return Ok(areas(orgs));
        }
        let members: BTreeSet<String> = resolve_one(orgs, group)?
            .into_iter()
            .flat_map(|scope| scope.members)
            .map(|(org_id, _)| org_id)
            .collect();
        return Ok(members.iter().map(|org_id| of_org(orgs, org_id)).collect());
    }
    if request == DISTRICT {
        return Ok(vec![district(orgs)]);
    }
    if let Some((id, kind, name)) = KINDS.iter().find(|(id, _, _)| *id == request) {
        return Ok(vec![of_kind(orgs, id, kind, name)]);
    }
    let found = match request.strip_prefix("area:") {
        Some(_) => areas(orgs).into_iter().find(|scope| scope.scope_id == request),
        None => orgs.iter().any(|org| org.org_id == request).then(|| of_org(orgs, request)),
    };
    found.map(|scope| vec![scope]).ok_or_else(|| unknown(orgs, request))
}

fn unknown(orgs: &[Org], request: &str) -> Error {
    let ids: Vec<String> = all_scopes(orgs).into_iter().map(|scope| scope.scope_id).collect();
    let near: Vec<_> = ids
        .iter()
        .filter(|id| id.contains(request) || request.contains(id.as_str()))
        .take(5)
        .map(String::as_str)
        .collect();
    let hint = if near.is_empty() {
        "use district, towns, departments, teams, area:NAME or a unit's id".to_owned()
    } else {
        format!("did you mean {}?", near.join(", "))
    };
    Error::Request(format!("there is no scope `{request}`; {hint}"))
}

fn span(org: &Org) -> Period {
    Period { start: org.valid_from.unwrap_or(FIRST_DAY), end: org.valid_to.unwrap_or(LAST_DAY) }
}

/// Bounds for versions that are open: SQL compares dates instead of asking for NULL. Both lie within
/// what every engine can read.
const FIRST_DAY: NaiveDate = match NaiveDate::from_ymd_opt(1900, 1, 1) {
    Some(day) => day,
    None => NaiveDate::MIN,
};
const LAST_DAY: NaiveDate = match NaiveDate::from_ymd_opt(9999, 12, 31) {
    Some(day) => day,
    None => NaiveDate::MAX,
};

fn members(orgs: &[Org], belongs: impl Fn(&Org) -> bool) -> Vec<(String, Period)> {
    let mut found: BTreeMap<String, Vec<Period>> = BTreeMap::new();
    for org in orgs.iter().filter(|org| belongs(org)) {
        found.entry(org.org_id.clone()).or_default().push(span(org));
    }
    flat(found)
}

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

fn district(orgs: &[Org]) -> Scope {
    Scope {
        scope_id: DISTRICT.to_owned(),
        name: "全区".to_owned(),
        name_en: Some("District".to_owned()),
        kind: ScopeKind::District,
        members: whole_tree(orgs),
    }
}

/// Every unit at all times: an event of a unit outside its validity still happened in the district.
fn whole_tree(orgs: &[Org]) -> Vec<(String, Period)> {
    let always = Period { start: FIRST_DAY, end: LAST_DAY };
    org_ids(orgs, |_| true).into_iter().map(|org_id| (org_id, always)).collect()
}

fn of_kind(orgs: &[Org], id: &str, kind: &str, name: &str) -> Scope {
    Scope {
        scope_id: id.to_owned(),
        name: name.to_owned(),
        name_en: Some(capitalised(id)),
        kind: ScopeKind::Kind,
        members: members(orgs, |org| org.kind == kind),
    }
}

fn capitalised(word: &str) -> String {
    let (first, rest) = word.split_at(word.chars().next().map_or(0, char::len_utf8));
    first.to_uppercase() + rest
}

fn areas(orgs: &[Org]) -> Vec<Scope> {
    let names: BTreeSet<&str> = orgs.iter().filter_map(|org| org.area.as_deref()).collect();
    names
        .into_iter()
        .map(|area| Scope {
            scope_id: format!("area:{area}"),
            name: area.to_owned(),
            name_en: None,
            kind: ScopeKind::Area,
            members: members(orgs, |org| org.area.as_deref() == Some(area)),
        })
        .collect()
}

fn of_org(orgs: &[Org], org_id: &str) -> Scope {
    let mut found: BTreeMap<String, Vec<Period>> = BTreeMap::new();
    // The unit itself is always in its own scope; units under it while they are under it.
    let always = Period { start: FIRST_DAY, end: LAST_DAY };
    let mut above = vec![(org_id.to_owned(), always)];
    while let Some((parent, while_above)) = above.pop() {
        let spans = found.entry(parent.clone()).or_default();
        // A circle of parents comes back to a span that is known.
        if spans.contains(&while_above) {
            continue;
        }
        spans.push(while_above);
        for org in orgs.iter().filter(|org| org.parent_id.as_deref() == Some(parent.as_str())) {
            let own = span(org);
            let under = Period {
                start: own.start.max(while_above.start),
                end: own.end.min(while_above.end),
            };
            if under.start < under.end {
                above.push((org.org_id.clone(), under));
            }
        }
    }
    let newest = orgs.iter().filter(|org| org.org_id == org_id).max_by_key(|org| org.valid_from);
    Scope {
        scope_id: org_id.to_owned(),
        name: newest.map_or_else(|| org_id.to_owned(), |org| org.name.clone()),
        name_en: newest.and_then(|org| org.name_en.clone()),
        kind: ScopeKind::Org,
        members: flat(found),
    }
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
        let scopes = resolve(&orgs(), request).unwrap();
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
            of_org(&orgs, scope)
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
        let orgs = [org("a", "team", None, Some("b")), org("b", "team", None, Some("a"))];
        assert_eq!(of_org(&orgs, "a").members.len(), 2);
    }

    #[test]
    fn no_scope_at_all_is_an_error_and_a_group_without_members_is_not() {
        assert!(resolve(&orgs(), " ,").is_err());
        assert_eq!(resolve(&[], "towns/*").unwrap(), []);
    }

    #[test]
    fn an_unknown_scope_is_an_error_with_a_suggestion() {
        let error = resolve(&orgs(), "long").unwrap_err().to_string();
        assert_eq!(error, "there is no scope `long`; did you mean longta?");
    }
}
