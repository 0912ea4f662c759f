//! What the library promises, as facts about lakes that are made through its own landing path.
//!
//! The modules follow a line: it is mapped, judged, landed once, rolled up, counted; then come goals,
//! checks and reports. The metrics are in `tests/slt`, one file a subject.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at the first thing that is not as it should be"
)]

mod harness;

mod mapping;
mod numbers;

mod exchange;

mod judging;

mod exactly_once;

mod replay;

mod refresh;

mod maintain;

mod archive;

mod past;

mod erase;

mod choices;

mod distinct;

mod districts;

mod slt;

mod travel;

mod gather;
mod goals;

mod checks;

mod drift;

mod report;
