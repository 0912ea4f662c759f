//! Metrics: one SQL file defines one number, for every period, grain and scope.

mod catalogue;
mod evaluate;
mod period;
mod scope;

pub use catalogue::{
    Catalogue, Direction, Kind, Metric, Parameter, Prometheus, PrometheusType, Window,
};
pub use evaluate::{Request, Sample, evaluate};
pub use period::{Grain, Period, periods};
pub use scope::{Scope, ScopeKind, all_scopes, resolve};
