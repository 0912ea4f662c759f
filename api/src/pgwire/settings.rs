//! The settings of a session: those that clients set, and nothing of the engine.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono_tz::{TZ_VARIANTS, Tz};

use super::failure::{Failure, code};
use crate::sql_door::{SERVER_VERSION, SERVER_VERSION_NUM};

/// What a setting may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It cannot be changed.
    Fixed,
    Text,
    Boolean,
    Integer,
    /// A time; a number without a unit counts milliseconds.
    Duration,
    Zone,
    /// Nothing but these; the first is what it is shown as.
    Only(&'static [&'static str]),
    OneOf(&'static [&'static str]),
    DateStyle,
    /// On, for ever.
    ReadOnly,
}

/// A setting: name, kind, default, and what it is good for here.
type Known = (&'static str, Kind, &'static str, &'static str);

const LEVELS: &[&str] = &["read committed", "repeatable read", "serializable", "read uncommitted"];
const UTF8: &[&str] = &["UTF8", "UTF-8", "unicode", "sql_ascii"];
const MESSAGES: &[&str] = &[
    "debug5", "debug4", "debug3", "debug2", "debug1", "debug", "log", "notice", "warning", "error",
];

/// Every setting, sorted by name.
const KNOWN: [Known; 34] = [
    ("DateStyle", Kind::DateStyle, "ISO, YMD", "Dates are written the ISO way."),
    ("IntervalStyle", Kind::Only(&["postgres"]), "postgres", "Intervals are written in words."),
    ("TimeZone", Kind::Zone, "UTC", "The zone in which timestamptz is written as text."),
    ("application_name", Kind::Text, "", "What the client calls itself."),
    ("bytea_output", Kind::Only(&["hex"]), "hex", "Bytes are written in hexadecimal."),
    ("client_encoding", Kind::Only(UTF8), "UTF8", "Texts are UTF-8."),
    (
        "client_min_messages",
        Kind::OneOf(MESSAGES),
        "notice",
        "Accepted; there are hardly any messages.",
    ),
    ("default_transaction_deferrable", Kind::Boolean, "off", "Accepted; nothing is deferred."),
    (
        "default_transaction_isolation",
        Kind::OneOf(LEVELS),
        "read committed",
        "The level of new transactions.",
    ),
    ("default_transaction_read_only", Kind::ReadOnly, "on", "Nothing can be written."),
    ("extra_float_digits", Kind::Integer, "1", "Accepted; floats are always written exactly."),
    (
        "idle_in_transaction_session_timeout",
        Kind::Duration,
        "0",
        "Ends a session that idles in a transaction.",
    ),
    ("in_hot_standby", Kind::Fixed, "off", "This is no standby."),
    ("integer_datetimes", Kind::Fixed, "on", "Times are integers in binary."),
    ("is_superuser", Kind::Fixed, "off", "Nobody is."),
    ("jit", Kind::Boolean, "off", "Accepted; the engine compiles nothing."),
    ("lock_timeout", Kind::Duration, "0", "Accepted; there are no locks."),
    ("max_identifier_length", Kind::Fixed, "63", "The longest name that clients may rely on."),
    ("row_security", Kind::Boolean, "on", "Accepted; what a caller sees is decided elsewhere."),
    ("search_path", Kind::Text, "\"$user\", public", "Accepted; names are looked up in public."),
    ("server_encoding", Kind::Fixed, "UTF8", "Texts are UTF-8."),
    ("server_version", Kind::Fixed, SERVER_VERSION, "The version whose protocol is followed."),
    ("server_version_num", Kind::Fixed, SERVER_VERSION_NUM, "The version as a number."),
    ("session_authorization", Kind::Fixed, "", "The account."),
    (
        "standard_conforming_strings",
        Kind::Only(&["on"]),
        "on",
        "A backslash in a text is a backslash.",
    ),
    (
        "statement_timeout",
        Kind::Duration,
        "0",
        "Ends a longer statement; 0 leaves it to the server's limit.",
    ),
    (
        "synchronous_commit",
        Kind::OneOf(&["on", "off", "local", "remote_write", "remote_apply"]),
        "on",
        "Accepted; nothing is committed.",
    ),
    ("tcp_keepalives_idle", Kind::Integer, "0", "Accepted; the operating system decides."),
    ("transaction_deferrable", Kind::Boolean, "off", "Accepted; nothing is deferred."),
    (
        "transaction_isolation",
        Kind::OneOf(LEVELS),
        "read committed",
        "Repeatable read and serializable see one state of the lake.",
    ),
    ("transaction_read_only", Kind::ReadOnly, "on", "Nothing can be written."),
    ("work_mem", Kind::Fixed, "512MB", "The memory of a query is limited by the server."),
    ("xmlbinary", Kind::OneOf(&["base64", "hex"]), "base64", "Accepted; there is no XML."),
    ("xmloption", Kind::OneOf(&["content", "document"]), "content", "Accepted; there is no XML."),
];

/// The settings that a client hears of whenever they change.
const REPORTED: [&str; 13] = [
    "application_name",
    "client_encoding",
    "DateStyle",
    "default_transaction_read_only",
    "in_hot_standby",
    "integer_datetimes",
    "IntervalStyle",
    "is_superuser",
    "server_encoding",
    "server_version",
    "session_authorization",
    "standard_conforming_strings",
    "TimeZone",
];

fn find(name: &str) -> Result<&'static Known, Failure> {
    KNOWN.iter().find(|known| known.0.eq_ignore_ascii_case(name)).ok_or_else(|| {
        let message = format!("unrecognized configuration parameter \"{name}\"");
        Failure::error(code::NO_SUCH_SETTING, message).with_hint("SHOW ALL lists what there is.")
    })
}

/// The settings of a session with their values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Settings {
    values: BTreeMap<&'static str, String>,
    /// What RESET goes back to.
    defaults: BTreeMap<&'static str, String>,
    zone: Tz,
}

impl Settings {
    /// The settings of a new session.
    pub(super) fn new(user: &str, zone: Tz) -> Self {
        let mut values: BTreeMap<_, _> =
            KNOWN.iter().map(|(name, _, default, _)| (*name, (*default).to_owned())).collect();
        values.insert("session_authorization", user.to_owned());
        values.insert("TimeZone", zone.name().to_owned());
        Self { defaults: values.clone(), values, zone }
    }

    /// What the client asks for when it connects is what RESET goes back to.
    pub(super) fn keep_as_defaults(&mut self) {
        self.defaults.clone_from(&self.values);
    }

    /// Changes a setting; `None` for its default.
    pub(super) fn set(&mut self, name: &str, value: Option<&str>) -> Result<(), Failure> {
        let (name, kind, ..) = *find(name)?;
        let value = match value {
            None => self.defaults.get(name).cloned().unwrap_or_default(),
            Some(value) => kind.read(name, value)?,
        };
        if kind == Kind::Zone {
            self.zone = zone_of(&value).ok_or_else(|| invalid(name, &value))?;
        }
        self.values.insert(name, value);
        Ok(())
    }

    pub(super) fn reset_all(&mut self) -> Result<(), Failure> {
        KNOWN.iter().try_for_each(|(name, ..)| self.set(name, None))
    }

    /// The name of a setting as it is written, and its value.
    pub(super) fn get(&self, name: &str) -> Result<(&'static str, &str), Failure> {
        let (name, ..) = *find(name)?;
        Ok((name, self.value(name)))
    }

    fn value(&self, name: &str) -> &str {
        self.values.get(name).map_or("", String::as_str)
    }

    /// Every setting: name, value and what it is good for.
    pub(super) fn all(&self) -> impl Iterator<Item = (&'static str, &str, &'static str)> {
        KNOWN.iter().map(|(name, _, _, about)| (*name, self.value(name), *about))
    }

    /// What a client is to hear of.
    pub(super) fn reported(&self) -> impl Iterator<Item = (&'static str, &str)> {
        REPORTED.into_iter().map(|name| (name, self.value(name)))
    }

    /// The zone in which timestamptz is written and read as text.
    pub(super) fn zone(&self) -> Tz {
        self.zone
    }

    /// The time that a statement may take; `None` for the server's limit.
    pub(super) fn statement_timeout(&self) -> Option<Duration> {
        self.duration("statement_timeout")
    }

    /// The time that a session may idle in a transaction; `None` for ever.
    pub(super) fn idle_in_transaction_timeout(&self) -> Option<Duration> {
        self.duration("idle_in_transaction_session_timeout")
    }

    fn duration(&self, name: &str) -> Option<Duration> {
        milliseconds(self.value(name)).filter(|time| *time > 0).map(Duration::from_millis)
    }

    /// Whether the statements of a transaction see the same state of the lake.
    pub(super) fn is_repeatable(&self) -> bool {
        matches!(self.value("transaction_isolation"), "repeatable read" | "serializable")
    }
}

impl Kind {
    /// The value as it is kept and shown.
    fn read(self, name: &str, value: &str) -> Result<String, Failure> {
        let value = value.trim();
        let valid = match self {
            Self::Fixed => {
                let message = format!("parameter \"{name}\" cannot be changed");
                return Err(Failure::error(code::CANNOT_CHANGE, message));
            }
            Self::ReadOnly => match boolean(value) {
                Some(false) => return Err(Failure::read_only("a read-write transaction")),
                valid => valid.map(on_or_off),
            },
            Self::Text => Some(value.to_owned()),
            Self::Boolean => boolean(value).map(on_or_off),
            Self::Integer => value.parse().ok().map(|number: i32| number.to_string()),
            Self::Duration => milliseconds(value).map(in_units),
            Self::Zone => zone_of(value).map(|zone| zone.name().to_owned()),
            Self::Only(values) => named(values, value).map(|_| values[0].to_owned()),
            Self::OneOf(values) => named(values, value).map(str::to_owned),
            Self::DateStyle => is_iso(value).then(|| "ISO, YMD".to_owned()),
        };
        valid.ok_or_else(|| invalid(name, value))
    }
}

fn invalid(name: &str, value: &str) -> Failure {
    let message = format!("invalid value for parameter \"{name}\": \"{value}\"");
    let failure = Failure::error(code::INVALID_VALUE, message);
    match find(name) {
        Ok((_, Kind::Only(values), ..)) => {
            failure.with_hint(format!("Only {} is supported.", values[0]))
        }
        Ok((_, Kind::OneOf(values), ..)) => {
            failure.with_hint(format!("Available values: {}.", values.join(", ")))
        }
        Ok((_, Kind::Zone, ..)) => {
            failure.with_hint("Zones are named as in the IANA database, like Asia/Shanghai.")
        }
        Ok((_, Kind::DateStyle, ..)) => failure.with_hint("Only ISO is supported."),
        _ => failure,
    }
}

fn named(values: &[&'static str], value: &str) -> Option<&'static str> {
    values.iter().find(|known| known.eq_ignore_ascii_case(value)).copied()
}

fn on_or_off(value: bool) -> String {
    if value { "on" } else { "off" }.to_owned()
}

fn boolean(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "on" | "true" | "t" | "yes" | "y" | "1" => Some(true),
        "off" | "false" | "f" | "no" | "n" | "0" => Some(false),
        _ => None,
    }
}

/// Any order of day, month and year is taken, since none is ever needed to read an ISO date.
fn is_iso(value: &str) -> bool {
    let is_known = |part: &str| {
        ["iso", "ymd", "mdy", "dmy", "us", "euro", "european", "noneuropean"].contains(&part)
    };
    let value = value.to_ascii_lowercase();
    let mut parts = value.split([',', ' ']).filter(|part| !part.is_empty()).peekable();
    parts.peek().is_some() && parts.all(is_known)
}

fn zone_of(name: &str) -> Option<Tz> {
    TZ_VARIANTS.into_iter().find(|zone| zone.name().eq_ignore_ascii_case(name))
}

/// A time as clients give it: a number and perhaps a unit.
fn milliseconds(value: &str) -> Option<u64> {
    let digits = value.find(|character: char| !character.is_ascii_digit()).unwrap_or(value.len());
    let (number, unit) = value.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let factor = match unit.trim() {
        "" | "ms" => 1,
        "s" => 1000,
        "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    // PostgreSQL keeps it in 32 bits.
    number.checked_mul(factor).filter(|time| *time <= i32::MAX.unsigned_abs().into())
}

/// In the largest unit without a fraction.
fn in_units(milliseconds: u64) -> String {
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1000, "s"), (1, "ms")];
    match units.iter().find(|(factor, _)| milliseconds.is_multiple_of(*factor)) {
        Some((factor, unit)) if milliseconds > 0 => format!("{}{unit}", milliseconds / factor),
        _ => "0".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings::new("anna", Tz::Asia__Shanghai)
    }

    #[track_caller]
    fn check_set(name: &str, value: &str, shown: &str) {
        let mut settings = settings();
        settings.set(name, Some(value)).unwrap();
        assert_eq!(settings.get(name).unwrap().1, shown, "{name} = {value}");
    }

    #[track_caller]
    fn check_refused(name: &str, value: &str, code: &str) {
        let before = settings();
        let mut settings = before.clone();
        assert_eq!(settings.set(name, Some(value)).unwrap_err().code, code, "{name} = {value}");
        assert_eq!(settings, before);
    }

    #[test]
    fn settings_are_kept_as_postgresql_shows_them() {
        check_set("statement_timeout", "5s", "5s");
        check_set("statement_timeout", "60000", "1min");
        check_set("statement_timeout", "1500", "1500ms");
        check_set("statement_timeout", "0", "0");
        check_set("timezone", "utc", "UTC");
        check_set("TIMEZONE", "asia/tokyo", "Asia/Tokyo");
        check_set("client_encoding", "utf-8", "UTF8");
        check_set("datestyle", "ISO, MDY", "ISO, YMD");
        check_set("transaction_isolation", "SERIALIZABLE", "serializable");
        check_set("jit", "yes", "on");
        check_set("extra_float_digits", "-15", "-15");
        check_set("transaction_read_only", "on", "on");
    }

    #[test]
    fn what_cannot_be_is_refused_and_changes_nothing() {
        check_refused("datafusion.execution.batch_size", "1", code::NO_SUCH_SETTING);
        check_refused("nonsense", "1", code::NO_SUCH_SETTING);
        check_refused("server_version", "9", code::CANNOT_CHANGE);
        check_refused("client_encoding", "GBK", code::INVALID_VALUE);
        check_refused("datestyle", "German", code::INVALID_VALUE);
        check_refused("timezone", "Mars/Olympus", code::INVALID_VALUE);
        check_refused("statement_timeout", "5 fortnights", code::INVALID_VALUE);
        check_refused("statement_timeout", "999999999999", code::INVALID_VALUE);
        check_refused("standard_conforming_strings", "off", code::INVALID_VALUE);
        check_refused("transaction_read_only", "off", code::READ_ONLY);
    }

    #[test]
    fn a_reset_goes_back_to_what_the_client_began_with() {
        let mut settings = settings();
        settings.set("timezone", Some("UTC")).unwrap();
        settings.keep_as_defaults();
        settings.set("timezone", Some("Asia/Tokyo")).unwrap();
        assert_eq!(settings.zone(), Tz::Asia__Tokyo);
        settings.reset_all().unwrap();
        assert_eq!(settings.zone(), Tz::UTC);
        assert_eq!(settings.get("session_authorization").unwrap().1, "anna");
    }

    #[test]
    fn the_list_is_sorted_and_what_is_reported_is_in_it() {
        assert!(KNOWN.is_sorted_by_key(|known| known.0));
        assert!(settings().reported().all(|(name, _)| find(name).is_ok()));
        assert_eq!(settings().all().count(), KNOWN.len());
    }
}
