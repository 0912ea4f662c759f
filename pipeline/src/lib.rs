//! Everything that makes numbers out of an enforcement platform's log.
//!
//! The library knows no HTTP, no PostgreSQL wire and no Prometheus text. Modules are listed in the
//! order in which a log line meets them; a module uses only what comes before it, or a pure helper.

pub mod error;
pub mod zone;

pub mod access;
pub mod audit;
pub mod bitmap;
pub mod calendar;
pub mod definition;
pub mod dictionary;
pub mod erase;
pub mod event;
mod functions;
pub mod gather;
pub mod lake;
pub mod land;
pub mod location;
pub mod maintain;
mod memory;
pub mod model;
pub mod past;
pub mod pseudonym;
pub mod query;
pub mod reference;
pub mod refresh;
pub mod source;
pub mod travel;

pub mod check;
pub mod goal;
pub mod metric;
pub mod reconcile;
pub mod report;
pub mod simulate;

#[cfg(any(test, fuzzing))]
pub mod fuzzing;

pub use error::{Error, Result};
