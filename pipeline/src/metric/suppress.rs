//! Withholds numbers about few persons, and those from which they could be reckoned. Pure.
//!
//! A number about fewer persons than a metric allows is withheld. Where a group of units also has its
//! sum shown, the withheld units of the group must together be about enough persons, or their sum
//! would tell: then the next smallest are withheld as well (complementary suppression, as statistics
//! offices do it). Differences between periods are not guarded.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::metric::evaluate::Sample;
use crate::metric::scope::{Scope, ScopeKind, Tree};

/// The scopes of a lake that have a say in what is withheld of the scopes that are asked for: whoever is
/// grouped with one of them, directly or by way of others.
pub(super) fn neighbours<'a>(asked: &[Scope], all: &'a [Scope]) -> Vec<&'a Scope> {
    let is_asked = |kind: ScopeKind| asked.iter().any(|scope| scope.kind == kind);
    let (kinds, orgs) = (is_asked(ScopeKind::Kind), is_asked(ScopeKind::Org));
    all.iter()
        .filter(|scope| match scope.kind {
            ScopeKind::Kind => kinds,
            ScopeKind::Org => orgs,
            // Only their own number tells whether they are withheld.
            ScopeKind::Tree(_) | ScopeKind::Area => false,
        })
        .collect()
}

/// Withholds what tells of fewer than `least` persons.
///
/// `samples` has, for each scope in order, one sample for each period; the scopes must include every
/// [neighbour](neighbours), or groups are guarded as far as they are there.
pub(super) fn withhold(samples: &mut [Sample], scopes: &[Scope], tree: &Tree, least: f64) {
    let n_periods = samples.len() / scopes.len().max(1);
    let groups = groups(scopes, tree);
    for period in 0..n_periods {
        let at = |scope: usize| scope * n_periods + period;
        let persons: Vec<Option<f64>> = (0..scopes.len())
            .map(|scope| {
                let sample = &samples[at(scope)];
                sample.denominator.or(sample.value).filter(|persons| *persons > 0.0)
            })
            .collect();
        let ids: Vec<&str> = scopes.iter().map(|scope| scope.scope_id.as_str()).collect();
        for scope in withheld(&persons, &ids, &groups, least) {
            let sample = &mut samples[at(scope)];
            (sample.numerator, sample.denominator, sample.value) = (None, None, None);
            sample.is_withheld = true;
        }
    }
}

/// Which scopes are withheld, given the persons of each and the groups whose sums are shown. Of equals the
/// first by id is taken, so that the order of a request has no say.
fn withheld(
    persons: &[Option<f64>],
    ids: &[&str],
    groups: &[Vec<usize>],
    least: f64,
) -> BTreeSet<usize> {
    let is_few = |scope: &usize| persons[*scope].is_some_and(|persons| persons < least);
    let mut withheld: BTreeSet<usize> = (0..persons.len()).filter(is_few).collect();
    loop {
        let before = withheld.len();
        for group in groups {
            let mut hidden: f64 = group
                .iter()
                .filter(|scope| withheld.contains(scope))
                .filter_map(|s| persons[*s])
                .sum();
            if hidden == 0.0 {
                continue;
            }
            let mut others: Vec<usize> = group
                .iter()
                .copied()
                .filter(|scope| !withheld.contains(scope) && persons[*scope].is_some())
                .collect();
            others.sort_by(|one, two| {
                persons[*one]
                    .unwrap_or(0.0)
                    .total_cmp(&persons[*two].unwrap_or(0.0))
                    .then(ids[*one].cmp(ids[*two]))
            });
            for other in others {
                if hidden >= least {
                    break;
                }
                hidden += persons[other].unwrap_or(0.0);
                withheld.insert(other);
            }
        }
        if withheld.len() == before {
            return withheld;
        }
    }
}

/// The groups of scopes whose sum is a scope too: the units of the tree, of each kind, area and parent,
/// and the kinds of the tree; and the same of each district of several.
fn groups(scopes: &[Scope], tree: &Tree) -> Vec<Vec<usize>> {
    let levels = levels_above(tree);
    let mut of_sum: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, scope) in scopes.iter().enumerate() {
        match scope.kind {
            ScopeKind::Kind => {
                let of = scope.under.as_deref().unwrap_or_default();
                of_sum.entry(format!("kinds of {of}")).or_default().push(index);
            }
            ScopeKind::Org => {
                of_sum.entry("units of the tree".to_owned()).or_default().push(index);
                let above = levels.get(scope.scope_id.as_str()).into_iter().flatten().copied();
                let wholes: Vec<&str> = std::iter::once("").chain(above).collect();
                let mut sums: BTreeSet<String> = BTreeSet::new();
                for org in tree.versions(&scope.scope_id) {
                    for of in &wholes {
                        sums.insert(format!("kind {} of {of}", org.kind));
                        sums.extend(org.area.as_ref().map(|area| format!("area {area} of {of}")));
                    }
                    sums.extend(org.parent_id.as_ref().map(|parent| format!("parent {parent}")));
                }
                for sum in sums {
                    of_sum.entry(sum).or_default().push(index);
                }
            }
            ScopeKind::Tree(_) | ScopeKind::Area => {}
        }
    }
    of_sum.into_values().collect()
}

/// The districts, municipalities … below the top that each unit has ever been under.
fn levels_above(tree: &Tree) -> HashMap<&str, Vec<&str>> {
    let mut above: HashMap<&str, Vec<&str>> = HashMap::new();
    let is_level = |scope: &&Scope| scope.is_level && scope.kind == ScopeKind::Org;
    for level in tree.all_scopes().iter().filter(is_level) {
        for org_id in level.org_ids().filter(|org_id| *org_id != level.scope_id) {
            let levels = above.entry(org_id).or_default();
            if levels.last() != Some(&level.scope_id.as_str()) {
                levels.push(&level.scope_id);
            }
        }
    }
    above
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(persons: &[f64], expected: &[usize]) {
        let persons: Vec<Option<f64>> = persons.iter().map(|persons| Some(*persons)).collect();
        let group = (0..persons.len()).collect();
        let ids: Vec<String> = (0..persons.len()).map(|id| id.to_string()).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let found = withheld(&persons, &ids, &[group], 5.0);
        assert_eq!(found.into_iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn one_small_unit_takes_the_next_smallest_with_it() {
        check(&[20.0, 3.0, 9.0, 30.0], &[1, 2]);
    }

    #[test]
    fn small_units_that_are_enough_persons_together_are_withheld_alone() {
        check(&[20.0, 3.0, 2.0, 30.0], &[1, 2]);
        check(&[20.0, 5.0, 30.0], &[]);
    }

    proptest! {
        #[test]
        fn the_withheld_of_every_group_are_none_or_enough_persons_or_the_whole_group(
            sizes in proptest::collection::vec(0..12u32, 1..12), split in 0..12usize,
        ) {
            let persons: Vec<Option<f64>> =
                sizes.iter().map(|size| Some(f64::from(*size)).filter(|size| *size > 0.0)).collect();
            let split = split.min(persons.len());
            let groups =
                vec![(0..persons.len()).collect::<Vec<_>>(), (0..split).collect(), (split..persons.len()).collect()];
            let ids = vec![""; persons.len()];
            let found = withheld(&persons, &ids, &groups, 5.0);
            for group in &groups {
                let inside = group.iter().filter(|scope| found.contains(scope));
                let hidden: f64 = inside.filter_map(|scope| persons[*scope]).sum();
                let all = group.iter().all(|scope| found.contains(scope) || persons[*scope].is_none());
                prop_assert!(hidden == 0.0 || hidden >= 5.0 || all, "{persons:?} {found:?}");
            }
        }
    }
}
