//! Metrics: one SQL file defines one number, for every period, grain and scope.

mod answers;
mod catalogue;
mod coverage;
mod evaluate;
mod numbers;
mod peers;
mod period;
mod prepared;
mod scope;
mod suppress;
mod table;

pub(crate) use answers::Answers;
pub use catalogue::{
    Catalogue, Choice, Direction, Group, Kind, Metric, Parameter, Prometheus, PrometheusType,
    Thresholds, Window,
};
pub use coverage::{Coverage, coverage};
pub use evaluate::{
    Evidence, Request, Sample, compute_ahead, evaluate, evaluate_each, explain, outlives_landings,
};
pub(crate) use numbers::Numbers;
pub use peers::{Peers, compare};
pub use period::{Grain, Period, periods, trailing};
pub(crate) use prepared::names;
pub use scope::{Level, Scope, ScopeKind, Tree};
pub(crate) use table::{Desk, MetricFunction, MetricTable};
