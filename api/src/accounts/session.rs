//! Tokens that stand for a password for a while, for clients that log in once and then show a token.
//!
//! Nothing is kept of them: a token says whose it is and until when, under a seal that only this process can make.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};

use super::secret::{SecretHash, keyed_hash};

/// What every token of a session begins with.
pub(crate) const SESSION_PREFIX: &str = "lps_";

/// How long a session lasts: a working day. Defined here.
const LASTS: Duration = Duration::from_secs(12 * 60 * 60);

/// A session's token, taken apart.
#[derive(Debug)]
pub(super) struct Session<'token> {
    /// The account.
    pub(super) name: String,
    until: i64,
    seal: &'token str,
}

/// A token for the account, whose password is kept as `hash`.
pub(super) fn issue(
    key: &[u8; 32],
    name: &str,
    hash: &SecretHash,
    now: DateTime<Utc>,
) -> Option<String> {
    let until = now.checked_add_signed(chrono::TimeDelta::from_std(LASTS).ok()?)?.timestamp();
    let seal = seal(key, name, until, hash).to_hex();
    Some(format!("{SESSION_PREFIX}{}.{until}.{seal}", URL_SAFE_NO_PAD.encode(name)))
}

impl<'token> Session<'token> {
    /// What a token says of itself; `None` when it is no token of a session.
    pub(super) fn read(token: &'token str) -> Option<Self> {
        let mut parts = token.strip_prefix(SESSION_PREFIX)?.split('.');
        let (name, until, seal) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let name = String::from_utf8(URL_SAFE_NO_PAD.decode(name).ok()?).ok()?;
        Some(Self { name, until: until.parse().ok()?, seal })
    }

    /// Whether what it says is true, and still holds: a session ends with the password that began it.
    pub(super) fn holds(&self, key: &[u8; 32], hash: &SecretHash, now: DateTime<Utc>) -> bool {
        // Compared in constant time.
        let sealed = blake3::Hash::from_hex(self.seal)
            .is_ok_and(|shown| shown == seal(key, &self.name, self.until, hash));
        sealed && now.timestamp() < self.until
    }
}

fn seal(key: &[u8; 32], name: &str, until: i64, hash: &SecretHash) -> blake3::Hash {
    let until = until.to_le_bytes();
    let parts: [&[u8]; 4] = [b"session", name.as_bytes(), &until, hash.text().as_bytes()];
    keyed_hash(key, parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_holds_for_its_time_its_account_and_its_password_and_no_other() {
        let (key, now) = ([7; 32], DateTime::UNIX_EPOCH);
        let hash = SecretHash::of("correct horse").unwrap();
        let token = issue(&key, "王.1", &hash, now).unwrap();
        let session = Session::read(&token).unwrap();
        assert_eq!(session.name, "王.1");
        assert!(session.holds(&key, &hash, now));
        assert!(session.holds(&key, &hash, now + LASTS - Duration::from_secs(2)));
        assert!(!session.holds(&key, &hash, now + LASTS));
        assert!(!session.holds(&[8; 32], &hash, now));
        assert!(!session.holds(&key, &SecretHash::of("correct horse").unwrap(), now));
        let other =
            token.replacen(&URL_SAFE_NO_PAD.encode("王.1"), &URL_SAFE_NO_PAD.encode("李"), 1);
        assert!(!Session::read(&other).unwrap().holds(&key, &hash, now));
        let until = session.until.to_string();
        let longer = token.replacen(&until, &(session.until + 9_999).to_string(), 1);
        assert!(!Session::read(&longer).unwrap().holds(&key, &hash, now + LASTS));
    }

    #[test]
    fn what_is_no_session_is_not_taken_for_one() {
        for wrong in ["", "lps_", "lps_a", "lps_YQ.1", "lps_YQ.x.00", "lps_YQ.1.00.1", "lps_?.1.0"]
        {
            assert!(Session::read(wrong).is_none(), "{wrong}");
        }
    }
}
