//! Everything that makes numbers out of an enforcement platform's log.
//!
//! The library knows no HTTP, no PostgreSQL wire and no Prometheus text. Modules are listed in the
//! order in which a log line meets them; a module uses only what comes before it, or a pure helper.

pub mod error;
pub mod zone;

pub mod bitmap;
pub mod calendar;
pub mod definition;
pub mod event;
pub mod lake;
pub mod land;
pub mod metric;
pub mod model;
pub mod query;
pub mod reference;
pub mod refresh;
pub mod simulate;
pub mod source;

pub use error::{Error, Result};
