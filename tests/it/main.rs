//! Integration tests: the real binary, its real clients and independent computations.
//!
//! `tests/run` installs what they need, builds the binary and runs them.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, also in a helper"
)]

mod alerting;
mod archive;
mod attacks;
mod audit;
mod bucket;
mod cluster;
mod dictionary;
mod faults;
mod flight;
mod gather;
mod grafana;
mod harness;
mod http;
mod kill;
mod login;
mod login_tls;
mod maintenance;
mod municipality;
mod open;
mod openapi;
mod package;
mod postgres;
mod postgres_catalog;
mod postgres_source;
mod prometheus;
mod push;
mod readers;
mod receipt;
mod relay;
mod runbook;
mod shippers;
mod sight;
mod sources;
mod sql;
mod standing;
mod walk;
mod web;
