//! Where the time of a landing goes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A part of the work, which threads do beside each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Lines become judged events.
    Parse,
    /// Events are held against those that have landed.
    Deduplicate,
    /// Events of a file come into their order.
    Sort,
    /// Columns are encoded and compressed.
    Encode,
    /// The file is written and brought to disk.
    Write,
}

/// The time that each stage took, all threads together.
#[derive(Debug, Default)]
pub(super) struct Stages([AtomicU64; 5]);

impl Stages {
    /// Does a piece of work and counts its time.
    pub(super) fn time<T>(&self, stage: Stage, work: impl FnOnce() -> T) -> T {
        let started = Instant::now();
        let done = work();
        let nanos = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.0[stage as usize].fetch_add(nanos, Ordering::Relaxed);
        done
    }

    /// Says so in the log, for those who want to know it.
    pub(super) fn tell(&self) {
        let took = |stage: Stage| {
            Duration::from_nanos(self.0[stage as usize].load(Ordering::Relaxed)).as_secs_f64()
        };
        tracing::debug!(
            parse = took(Stage::Parse),
            deduplicate = took(Stage::Deduplicate),
            sort = took(Stage::Sort),
            encode = took(Stage::Encode),
            write = took(Stage::Write),
            "seconds of the threads that landed"
        );
    }
}
