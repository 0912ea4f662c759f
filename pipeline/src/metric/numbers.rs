//! Remembers numbers of metrics for as long as the rows that they are made of stay the same, whatever lands meanwhile.

use std::iter::Sum;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::NaiveDate;
use hashbrown::HashMap;

use crate::error::Result;
use crate::metric::catalogue::{Choice, Metric};
use crate::metric::evaluate::Request;
use crate::metric::period::Period;
use crate::metric::prepared::Prepared;
use crate::metric::scope::Scope;
use crate::query::{Asked, Footprint, Reads, View};
use crate::zone::days_of;

/// The numbers of a metric for a scope and a period.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Number {
    pub(super) numerator: Option<f64>,
    pub(super) denominator: Option<f64>,
    pub(super) value: Option<f64>,
}

impl Sum for Number {
    /// What no part has, the whole does not have.
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        let plus = |one: Option<f64>, other: Option<f64>| match (one, other) {
            (Some(one), Some(other)) => Some(one + other),
            (one, other) => one.or(other),
        };
        parts.fold(Self::default(), |sum, part| Self {
            numerator: plus(sum.numerator, part.numerator),
            denominator: plus(sum.denominator, part.denominator),
            value: plus(sum.value, part.value),
        })
    }
}

type Hash = [u8; 32];

/// What states of one lake have in common of metrics that have been asked for.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    remembered: Mutex<Remembered>,
    /// How many numbers had to be computed.
    computed: AtomicU64,
    /// How many did not.
    found: AtomicU64,
    is_used: AtomicBool,
}

#[derive(Debug, Default)]
struct Remembered {
    /// Where a metric's query looks, for a choice of its parameters.
    reads: HashMap<Hash, Arc<MetricReads>>,
    /// The numbers of questions that have been asked lately, and of those before them.
    new: HashMap<Hash, Known>,
    old: HashMap<Hash, Known>,
    /// How many numbers the new ones are.
    size: usize,
}

/// What is known of a metric for one choice and one period.
#[derive(Debug)]
struct Known {
    footprint: Footprint,
    by_scope: HashMap<Hash, Number>,
}

/// Where a metric's query looks.
#[derive(Debug)]
struct MetricReads {
    reads: Reads,
    /// Whether the answer depends on what day is today.
    asks_today: bool,
}

/// A metric for one choice and one period, in one state of a lake.
#[derive(Debug, Clone, Copy)]
pub(super) struct Topic {
    key: Hash,
    footprint: Footprint,
}

/// A scope with its units, as a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ScopeKey(Hash);

impl ScopeKey {
    pub(super) fn of(scope: &Scope) -> Self {
        let mut hasher = blake3::Hasher::new();
        put(&mut hasher, &scope.scope_id);
        put(&mut hasher, &format!("{:?} {:?} {}", scope.kind, scope.under, scope.is_level));
        for (org_id, span) in &scope.members {
            put(&mut hasher, org_id);
            hasher.update(&days_of(span.start).to_le_bytes());
            hasher.update(&days_of(span.end).to_le_bytes());
        }
        Self(*hasher.finalize().as_bytes())
    }
}

impl Numbers {
    /// Some 100 bytes each, and as many of before.
    const SIZE_MAX: usize = 1_000_000;

    /// How many numbers are remembered.
    pub(crate) fn len(&self) -> usize {
        let remembered = self.remembered();
        remembered.size + remembered.old.values().map(|known| known.by_scope.len()).sum::<usize>()
    }

    /// Remembers from now on. A process that soon ends has nothing to remember for, and to find out where a query looks takes as
    /// long as to plan it.
    pub(super) fn begin(&self) {
        self.is_used.store(true, Ordering::Relaxed);
    }

    /// Whether numbers are remembered.
    pub(super) fn are_used(&self) -> bool {
        self.is_used.load(Ordering::Relaxed)
    }

    pub(super) fn count_computed(&self, numbers: usize) {
        self.computed.fetch_add(numbers as u64, Ordering::Relaxed);
    }

    pub(super) fn count_found(&self, numbers: usize) {
        self.found.fetch_add(numbers as u64, Ordering::Relaxed);
    }

    /// How many numbers had to be computed so far, and how many were known of the same rows.
    pub(crate) fn computed_and_found(&self) -> (u64, u64) {
        (self.computed.load(Ordering::Relaxed), self.found.load(Ordering::Relaxed))
    }

    /// Whether landings of other days leave the numbers of a period alone.
    pub(super) async fn outlive_landings(
        &self,
        view: &View,
        metric: &Metric,
        choice: &Choice,
    ) -> bool {
        view.goes_by_days(&self.reads(view, metric, choice).await.reads)
    }

    /// The topics of a choice, one for each period.
    pub(super) async fn topics(
        &self,
        view: &View,
        metric: &Metric,
        request: &Request<'_>,
        choice: &Choice,
    ) -> Vec<Topic> {
        let reads = self.reads(view, metric, choice).await;
        let of_metric = hash_of([&format!("{metric:?}"), &format!("{choice:?}")]);
        let as_of = if reads.asks_today { request.as_of.to_string() } else { String::new() };
        let topic = |Period { start, end }: &Period| {
            let mut hasher = blake3::Hasher::new();
            hasher.update(&of_metric).update(view.tree().fingerprint());
            hasher.update(format!("{start} {end} {as_of}").as_bytes());
            let (from, to) = (days_of(*start), days_of(*end));
            let asked = Asked { from, to, as_of: days_of(request.as_of) };
            let footprint = view.footprint(&reads.reads, asked);
            Topic { key: *hasher.finalize().as_bytes(), footprint }
        };
        request.periods.iter().map(topic).collect()
    }

    async fn reads(&self, view: &View, metric: &Metric, choice: &Choice) -> Arc<MetricReads> {
        // A query for all choices looks wherever one for some of them does.
        let choices =
            if metric.joins_choices() { metric.choices(|_, _| true) } else { vec![choice.clone()] };
        let key = hash_of([&format!("{metric:?}"), &format!("{choices:?}")]);
        if let Some(known) = self.remembered().reads.get(&key) {
            return Arc::clone(known);
        }
        let found = MetricReads::of(view, metric, &choices).await;
        let found = Arc::new(found.unwrap_or_else(|error| {
            // It may run all the same; if not, that is told then.
            tracing::debug!(metric = metric.id(), %error, "cannot be planned for any days");
            MetricReads { reads: Reads::UNKNOWN, asks_today: true }
        }));
        self.remembered().reads.insert(key, Arc::clone(&found));
        found
    }

    fn remembered(&self) -> MutexGuard<'_, Remembered> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The numbers of all scopes, in their order; `None` when one is not known of this state.
    pub(super) fn get(&self, topic: &Topic, scopes: &[ScopeKey]) -> Option<Vec<Number>> {
        let mut remembered = self.remembered();
        if let Some(known) = remembered.old.remove(&topic.key) {
            remembered.put(topic.key, known);
        }
        let known = remembered.new.get(&topic.key)?;
        if known.footprint != topic.footprint {
            return None;
        }
        let numbers = scopes.iter().map(|scope| known.by_scope.get(&scope.0).copied());
        numbers.collect()
    }

    pub(super) fn keep(&self, topic: &Topic, numbers: impl Iterator<Item = (ScopeKey, Number)>) {
        let by_scope = numbers.map(|(scope, number)| (scope.0, number)).collect();
        self.remembered().put(topic.key, Known { footprint: topic.footprint, by_scope });
    }
}

impl Remembered {
    fn put(&mut self, key: Hash, known: Known) {
        if self.size + known.by_scope.len() > Numbers::SIZE_MAX {
            self.old = std::mem::take(&mut self.new);
            self.size = 0;
        }
        let before = self.new.remove(&key);
        self.size -= before.as_ref().map_or(0, |before| before.by_scope.len());
        let known = match before {
            // What has been asked for other scopes holds as long as the rows are the same.
            Some(mut before) if before.footprint == known.footprint => {
                before.by_scope.extend(known.by_scope);
                before
            }
            _ => known,
        };
        self.size += known.by_scope.len();
        self.new.insert(key, known);
    }
}

impl MetricReads {
    async fn of(view: &View, metric: &Metric, choices: &[Choice]) -> Result<Self> {
        // Neither the scopes nor the days are in what it is planned with.
        let parameters = &Choice::new();
        let about_nothing =
            Request { periods: &[], scopes: &[], parameters, as_of: NaiveDate::default() };
        let prepared = Prepared::new(view, metric, &about_nothing, choices)?.of_any_days();
        let reads = prepared.reads(metric).await?;
        tracing::debug!(metric = metric.id(), ?reads, "planned");
        Ok(Self { reads, asks_today: prepared.names(metric.sql(), "$as_of") })
    }
}

/// Hashes a text so that it ends where the next begins.
fn put(hasher: &mut blake3::Hasher, text: &str) {
    hasher.update(&text.len().to_le_bytes()).update(text.as_bytes());
}

fn hash_of(texts: [&str; 2]) -> Hash {
    let mut hasher = blake3::Hasher::new();
    for text in texts {
        put(&mut hasher, text);
    }
    *hasher.finalize().as_bytes()
}
