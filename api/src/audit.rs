//! What goes into the audit log and in which words.
//!
//! Every question, every read of what is not for everybody, every push and every login. Never a secret: what looks like
//! a token is left out of statements and addresses.

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, SubsecRound as _};
use datafusion::catalog::TableProvider;
use datafusion::scalar::ScalarValue;
use pipeline::audit::{AuditLog, Begun, Head, Open};
use serde_json::Value;

use crate::accounts::{SESSION_PREFIX, TOKEN_PREFIX};
use crate::caller::{Surface, Visitor};
use crate::clock::Clock;
use crate::sql_door::Parameters;

/// What is kept of a long statement, in bytes.
const SUBJECT_BYTES_MAX: usize = 16 << 10;

/// What is kept of values and messages, in bytes.
const DETAIL_BYTES_MAX: usize = 4 << 10;

/// Failed logins of one address within this time make one row: whoever tries passwords must not fill the disk.
const FAILURES_TOGETHER: Duration = Duration::from_secs(1);

/// Addresses whose failures are held together.
const FAILING_MAX: usize = 10_000;

/// A sort of deed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// A query.
    Query,
    /// A read of numbers, reports or checks by their address.
    Read,
    /// Events that were sent.
    Push,
    /// Something that the server was asked to do about what the lake holds.
    Operate,
    /// A login.
    Login,
    /// A change of an account.
    Account,
}

impl Deed {
    /// The name in the log.
    fn name(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Read => "read",
            Self::Push => "push",
            Self::Operate => "operate",
            Self::Login => "login",
            Self::Account => "account",
        }
    }
}

/// The audit log of a server, or none, for whoever runs a command on the lake's own files.
#[derive(Debug, Default)]
pub struct Audit {
    log: Option<AuditLog>,
    failing: Mutex<HashMap<Option<IpAddr>, Failing>>,
}

#[derive(Debug)]
struct Failing {
    since: Instant,
    unwritten: u32,
}

impl Audit {
    /// Writes to a log.
    pub fn to(log: AuditLog) -> Self {
        Self { log: Some(log), failing: Mutex::default() }
    }

    /// The log as a table.
    pub fn table(&self) -> Option<Arc<dyn TableProvider>> {
        self.log.as_ref().map(AuditLog::provider)
    }

    /// Where the log ends, and how many of its rows the table does not have yet.
    pub fn state(&self) -> Option<(Head, usize)> {
        self.log.as_ref().map(|log| (log.head(), log.waiting()))
    }

    /// Notes that somebody begins something. Fails when that cannot be written down; then it must not be done.
    pub fn begin(
        &self,
        visitor: &Visitor,
        deed: Deed,
        subject: &str,
        parameters: Option<String>,
    ) -> pipeline::Result<Option<Open>> {
        let Some(log) = &self.log else { return Ok(None) };
        let caller = &visitor.caller;
        let begun = Begun {
            account: Some(caller.name.clone()),
            role: Some(caller.role.name().to_owned()),
            scope: caller.scope.clone(),
            parameters: parameters.map(|values| kept(&values, DETAIL_BYTES_MAX)),
            ..begun(visitor.surface, visitor.peer, &visitor.request_id, deed, subject)
        };
        log.begin(begun).map(Some).inspect_err(tell)
    }

    /// Notes a login over a connection.
    pub fn logged_in(&self, visitor: &Visitor) -> pipeline::Result<()> {
        if let Some(open) = self.begin(visitor, Deed::Login, "", None)? {
            open.end("answered", None, None);
        }
        Ok(())
    }

    /// Notes accounts as a server finds them: all at its start (`found`), later what is different (`changed`). Whoever
    /// wrote the file is not known; it can only be written on the server's own machine.
    pub fn accounts(&self, changes: &[String], outcome: &str) {
        let Some(log) = &self.log else { return };
        let process = std::process::id().to_string();
        for change in changes {
            let begun = begun(Surface::CommandLine, None, &process, Deed::Account, change);
            if let Err(error) = log.note(begun, outcome, None) {
                tell(&error);
            }
        }
    }

    /// Notes a login that failed. `account` is the one that was tried, if there is one of that name: people type passwords
    /// into the field for names.
    pub fn login_failed(
        &self,
        surface: Surface,
        peer: Option<IpAddr>,
        request_id: &str,
        account: Option<String>,
    ) {
        let Some(log) = &self.log else { return };
        let Some(unwritten) = self.unwritten_failures(peer) else { return };
        let begun = Begun { account, ..begun(surface, peer, request_id, Deed::Login, "") };
        let detail = (unwritten > 0).then(|| format!("and {unwritten} more before it"));
        if let Err(error) = log.note(begun, "denied", detail) {
            tell(&error);
        }
    }

    /// How many failures of an address no row tells of; `None` while they are to go on without one.
    fn unwritten_failures(&self, peer: Option<IpAddr>) -> Option<u32> {
        let now = Instant::now();
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = failing.get_mut(&peer) {
            if now - known.since < FAILURES_TOGETHER {
                known.unwritten = known.unwritten.saturating_add(1);
                return None;
            }
            let unwritten = std::mem::take(&mut known.unwritten);
            known.since = now;
            return Some(unwritten);
        }
        if failing.len() >= FAILING_MAX {
            failing.retain(|_, known| now - known.since < FAILURES_TOGETHER);
        }
        if failing.len() >= FAILING_MAX {
            // So many addresses at once are one attack, and one row tells of it.
            return None;
        }
        failing.insert(peer, Failing { since: now, unwritten: 0 });
        Some(0)
    }
}

/// What a caller is told, as the log keeps it.
pub fn detail(told: &str) -> String {
    kept(told, DETAIL_BYTES_MAX)
}

/// The values of parameters as JSON.
pub fn values(parameters: &Parameters) -> Option<String> {
    let text = |value: &ScalarValue| {
        if value.is_null() { Value::Null } else { Value::String(value.to_string()) }
    };
    let values = match parameters {
        Parameters::None => return None,
        Parameters::ByPosition(values) => values.iter().map(text).collect::<Value>(),
        Parameters::ByName(values) => {
            Value::Object(values.iter().map(|(name, value)| (name.clone(), text(value))).collect())
        }
    };
    Some(values.to_string())
}

fn begun(
    surface: Surface,
    peer: Option<IpAddr>,
    request_id: &str,
    deed: Deed,
    subject: &str,
) -> Begun {
    Begun {
        started_at: DateTime::trunc_subsecs(Clock::Machine.now(), 6),
        account: None,
        role: None,
        scope: None,
        peer: peer.map(|peer| peer.to_canonical().to_string()),
        door: surface.name().to_owned(),
        request_id: request_id.to_owned(),
        deed: deed.name().to_owned(),
        subject: kept(subject, SUBJECT_BYTES_MAX),
        parameters: None,
    }
}

fn tell(error: &pipeline::Error) {
    let error: &(dyn std::error::Error + 'static) = error;
    tracing::error!(error, "the audit log cannot be written");
}

/// A text without tokens, and without what is too much of it.
fn kept(text: &str, bytes_max: usize) -> String {
    let kept = without_tokens(text);
    if kept.len() <= bytes_max {
        return kept.into_owned();
    }
    format!("{}… ({} bytes in all)", &kept[..kept.floor_char_boundary(bytes_max)], text.len())
}

/// A text in which `[token]` stands for what looks like a token: ours, those of sessions, and those of identity providers.
fn without_tokens(text: &str) -> Cow<'_, str> {
    let is_of_token = |letter: char| letter.is_ascii_alphanumeric() || "_-.".contains(letter);
    let looks_like_one = |word: &str| {
        let is_ours = word.contains(TOKEN_PREFIX) || word.contains(SESSION_PREFIX);
        let is_jwt = word.contains("eyJ") && word.matches('.').count() >= 2;
        (is_ours || is_jwt) && word.len() >= 20
    };
    let mut words = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let word = rest.find(|letter| !is_of_token(letter)).unwrap_or(rest.len());
        let gap = rest[word..].find(is_of_token).map_or(rest.len(), |gap| word + gap);
        words.push((&rest[..word], &rest[word..gap]));
        rest = &rest[gap..];
    }
    if !words.iter().any(|(word, _)| looks_like_one(word)) {
        return Cow::Borrowed(text);
    }
    let told = words.into_iter().map(|(word, gap)| {
        let word = if looks_like_one(word) { "[token]" } else { word };
        format!("{word}{gap}")
    });
    Cow::Owned(told.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_token_is_not_kept_and_nothing_else_is_lost() {
        let ours = format!("{TOKEN_PREFIX}0a1b2c3d_{}", "A-_z".repeat(11));
        let session = format!("{SESSION_PREFIX}d2FuZw.1790000000.{}", "0f".repeat(32));
        let jwt = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ3YW5nIn0.c2lnbmF0dXJl";
        for token in [ours.as_str(), &session, jwt] {
            for (text, kept) in [
                (format!("select '{token}', 执法"), "select '[token]', 执法"),
                (format!("/api/v1/sql?token={token}&a=1"), "/api/v1/sql?token=[token]&a=1"),
                (token.to_owned(), "[token]"),
            ] {
                assert_eq!(without_tokens(&text), kept);
            }
        }
        for text in ["", "select help_desk from lp_x.y.z", "a.b.c -- eyJ", "执法 1.0.2"] {
            assert_eq!(without_tokens(text), text);
        }
    }

    #[test]
    fn a_long_text_is_cut_between_letters_and_says_how_long_it_was() {
        let text = "执".repeat(10);
        assert_eq!(kept(&text, 10), "执执执… (30 bytes in all)");
        assert_eq!(kept(&text, 30), text);
    }

    #[test]
    fn failures_of_one_address_are_held_together_and_counted() {
        let audit = Audit::default();
        let one = Some(IpAddr::from([10, 0, 0, 1]));
        assert_eq!(audit.unwritten_failures(one), Some(0));
        assert_eq!(audit.unwritten_failures(one), None);
        assert_eq!(audit.unwritten_failures(None), Some(0));
        audit.failing.lock().unwrap().get_mut(&one).unwrap().since -= FAILURES_TOGETHER;
        assert_eq!(audit.unwritten_failures(one), Some(1));
    }
}
