//! Compares a unit with its peers: units of the same kind, and nothing else.

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::metric::catalogue::Metric;
use crate::metric::evaluate::{Request, Sample, evaluate};
use crate::metric::scope::{Scope, ScopeKind, Tree};
use crate::query::View;
use crate::reference::Org;

/// Where the peers of a unit stand in one period.
#[derive(Debug, Clone, PartialEq)]
pub struct Peers {
    /// The kind that they share: `town`, `department` or `team`.
    pub kind: String,
    /// How many of them have a value, the unit included.
    pub units: usize,
    /// The lower quartile of their values, interpolated linearly.
    pub p25: f64,
    /// The median.
    pub median: f64,
    /// The upper quartile.
    pub p75: f64,
}

/// Finds, for each sample, where the unit's peers stand; `None` for scopes that are not one unit, and
/// for fewer than three peers with a value.
///
/// A metric that must not be ranked is refused: linking it to appraisal is unlawful (行政处罚法 art. 74).
pub async fn compare(
    view: &View,
    metric: &Metric,
    request: &Request<'_>,
    samples: &[Sample],
) -> Result<Vec<Option<Peers>>> {
    if !metric.is_rankable() {
        return Err(Error::Request(format!(
            "metric `{}` is not compared between units: its header says so (行政处罚法 art. 74)",
            metric.id()
        )));
    }
    let tree = view.tree();
    let units: Vec<Scope> =
        tree.all_scopes().iter().filter(|scope| scope.kind == ScopeKind::Org).cloned().collect();
    let all = evaluate(view, metric, &Request { scopes: &units, ..request.clone() }).await?;
    let mut values: BTreeMap<(String, usize), Vec<f64>> = BTreeMap::new();
    let n_periods = request.periods.len();
    for (place, sample) in all.iter().enumerate() {
        if let Some(value) = sample.value {
            let kind = kind_of(tree, &sample.scope_id, sample);
            values.entry((kind, place % n_periods)).or_default().push(value);
        }
    }
    values.values_mut().for_each(|values| values.sort_by(f64::total_cmp));
    let peers_of = |(place, sample): (usize, &Sample)| {
        let scope = &request.scopes[place / n_periods];
        if scope.kind != ScopeKind::Org {
            return None;
        }
        let kind = kind_of(tree, &sample.scope_id, sample);
        let values = values.get(&(kind.clone(), place % n_periods))?;
        (values.len() >= 3).then(|| Peers {
            kind,
            units: values.len(),
            p25: quantile(values, 0.25),
            median: quantile(values, 0.5),
            p75: quantile(values, 0.75),
        })
    };
    Ok(samples.iter().enumerate().map(peers_of).collect())
}

/// The kind of a unit on the last day of a sample's period; that of its newest version if it has none then.
fn kind_of(tree: &Tree, org_id: &str, sample: &Sample) -> String {
    let versions = || tree.versions(org_id);
    let last_day = sample.period.end.pred_opt().unwrap_or(sample.period.end);
    let holds = |org: &&Org| {
        org.valid_from.is_none_or(|from| from <= last_day)
            && org.valid_to.is_none_or(|to| to > last_day)
    };
    versions()
        .find(holds)
        .or_else(|| versions().max_by_key(|org| org.valid_from))
        .map_or_else(String::new, |org| org.kind.clone())
}

/// The quantile of sorted values, interpolated linearly between the closest ranks.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let (below, above) = (place.floor() as usize, place.ceil() as usize);
    sorted[below] + (sorted[above] - sorted[below]) * (place - place.floor())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_interpolated_between_the_closest_ranks() {
        let sorted = [1.0, 2.0, 4.0, 8.0];
        assert_eq!(quantile(&sorted, 0.5), 3.0);
        assert_eq!(quantile(&sorted, 0.25), 1.75);
        assert_eq!(quantile(&sorted, 0.75), 5.0);
        assert_eq!(quantile(&[7.0], 0.25), 7.0);
    }
}
