//! The present, which a demo over past years pins.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;

/// Tells what time it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// The machine's clock.
    Machine,
    /// Always this instant.
    Pinned(DateTime<Utc>),
}

impl Clock {
    /// The present instant.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    pub fn now(self) -> DateTime<Utc> {
        match self {
            Self::Machine => Utc::now(),
            Self::Pinned(instant) => instant,
        }
    }

    /// The present local day of a zone.
    pub fn today(self, zone: Tz) -> NaiveDate {
        pipeline::zone::local_date(zone, self.now())
    }
}
