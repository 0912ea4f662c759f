//! What PostgreSQL clients prove a password against: SCRAM-SHA-256 (RFC 5802, RFC 7677).
//!
//! A verifier is kept in PostgreSQL's own textual form. It is no password: who reads it can check guesses, but cannot
//! log in with it.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, hmac, pbkdf2};
use serde::Deserialize;

/// Rounds of a new verifier, as many as PostgreSQL takes. All have the same, or a name that nobody has could be told from
/// one that somebody has.
pub const ITERATIONS: NonZeroU32 = NonZeroU32::new(4_096).unwrap();

/// What RFC 7677 asks of every verifier.
const ITERATIONS_MIN: u32 = 4_096;

/// What a client would have to compute at most, lest a typing mistake keep it busy for hours.
const ITERATIONS_MAX: u32 = 10_000_000;

/// The length of a key.
const KEY_BYTES: usize = digest::SHA256_OUTPUT_LEN;

const PREFIX: &str = "SCRAM-SHA-256$";

/// The two keys that a server keeps of a password.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct ScramVerifier {
    /// Rounds of PBKDF2.
    pub iterations: NonZeroU32,
    /// Salt.
    pub salt: Vec<u8>,
    pub(crate) stored_key: [u8; KEY_BYTES],
    pub(crate) server_key: [u8; KEY_BYTES],
}

impl ScramVerifier {
    /// The verifier of a password under a salt.
    ///
    /// The password has to be prepared (SASLprep), see [`crate::accounts::secret::prepare`].
    pub fn new(password: &str, salt: Vec<u8>) -> Self {
        Self::with_iterations(password, salt, ITERATIONS)
    }

    fn with_iterations(password: &str, salt: Vec<u8>, iterations: NonZeroU32) -> Self {
        let mut salted = [0; KEY_BYTES];
        let algorithm = pbkdf2::PBKDF2_HMAC_SHA256;
        pbkdf2::derive(algorithm, iterations, &salt, password.as_bytes(), &mut salted);
        let stored_key = sha256(&hmac_sha256(&salted, b"Client Key"));
        Self { iterations, salt, stored_key, server_key: hmac_sha256(&salted, b"Server Key") }
    }
}

fn sha256(bytes: &[u8]) -> [u8; KEY_BYTES] {
    let mut out = [0; KEY_BYTES];
    out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    out
}

fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; KEY_BYTES] {
    let mut out = [0; KEY_BYTES];
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message);
    out.copy_from_slice(tag.as_ref());
    out
}

/// As PostgreSQL writes it into `pg_authid`.
impl fmt::Display for ScramVerifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{PREFIX}{}:{}${}:{}",
            self.iterations,
            STANDARD.encode(&self.salt),
            STANDARD.encode(self.stored_key),
            STANDARD.encode(self.server_key),
        )
    }
}

/// Without the keys: they do not belong in a log.
impl fmt::Debug for ScramVerifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ScramVerifier({} iterations)", self.iterations)
    }
}

impl FromStr for ScramVerifier {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let verifier = read(text).ok_or_else(|| {
            format!(
                "this is no SCRAM verifier ({PREFIX}ITERATIONS:SALT$STOREDKEY:SERVERKEY); \
                 `lawpulse account password NAME` makes one"
            )
        })?;
        let iterations = verifier.iterations.get();
        if !(ITERATIONS_MIN..=ITERATIONS_MAX).contains(&iterations) {
            return Err(format!(
                "a SCRAM verifier has {ITERATIONS_MIN} to {ITERATIONS_MAX} iterations, not {iterations}"
            ));
        }
        Ok(verifier)
    }
}

impl TryFrom<String> for ScramVerifier {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

fn read(text: &str) -> Option<ScramVerifier> {
    let (head, keys) = text.strip_prefix(PREFIX)?.split_once('$')?;
    let (iterations, salt) = head.split_once(':')?;
    let (stored_key, server_key) = keys.split_once(':')?;
    let key = |text: &str| STANDARD.decode(text).ok()?.try_into().ok();
    Some(ScramVerifier {
        iterations: iterations.parse().ok()?,
        salt: STANDARD.decode(salt).ok().filter(|salt| !salt.is_empty())?,
        stored_key: key(stored_key)?,
        server_key: key(server_key)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The exchange of RFC 7677, section 3.
    const AUTH_MESSAGE: &str = "n=user,r=rOprNGfwEbeRWgbNEkqO,\
        r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,\
        c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    const PROOF: &str = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    const SIGNATURE: &str = "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

    /// Whether a client that sent this proof knows the password (RFC 5802, section 3).
    fn is_proved(verifier: &ScramVerifier, auth_message: &str, proof: &str) -> bool {
        let mut client_key = hmac_sha256(&verifier.stored_key, auth_message.as_bytes());
        for (byte, mask) in client_key.iter_mut().zip(STANDARD.decode(proof).unwrap()) {
            *byte ^= mask;
        }
        sha256(&client_key) == verifier.stored_key
    }

    fn pencil() -> ScramVerifier {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        ScramVerifier::with_iterations("pencil", salt, ITERATIONS)
    }

    #[test]
    fn the_exchange_of_rfc_7677_comes_out_as_it_is_printed_there() {
        let verifier = pencil();
        assert!(is_proved(&verifier, AUTH_MESSAGE, PROOF));
        let signature = hmac_sha256(&verifier.server_key, AUTH_MESSAGE.as_bytes());
        assert_eq!(STANDARD.encode(signature), SIGNATURE);
        assert!(!is_proved(&verifier, "n=user", PROOF));
        let other = ScramVerifier::with_iterations("pencils", verifier.salt, ITERATIONS);
        assert!(!is_proved(&other, AUTH_MESSAGE, PROOF));
    }

    #[test]
    fn a_verifier_is_read_as_it_is_written_and_debug_hides_its_keys() {
        let text = pencil().to_string();
        assert!(text.starts_with("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"), "{text}");
        assert_eq!(text.parse(), Ok(pencil()));
        assert_eq!(format!("{:?}", pencil()), "ScramVerifier(4096 iterations)");
    }

    #[test]
    fn what_is_no_verifier_or_too_weak_is_refused() {
        let good = pencil().to_string();
        for bad in ["", "pencil", "SCRAM-SHA-256$4096:$:", &good[..good.len() - 8]] {
            assert!(
                bad.parse::<ScramVerifier>().unwrap_err().contains("no SCRAM verifier"),
                "{bad}"
            );
        }
        let weak = good.replace("$4096:", "$100:");
        assert!(weak.parse::<ScramVerifier>().unwrap_err().contains("4096 to"));
    }
}
