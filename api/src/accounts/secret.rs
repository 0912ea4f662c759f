//! Passwords and tokens: made, prepared, hashed and compared.

use std::borrow::Cow;
use std::fmt;

use anyhow::Context as _;
use argon2::Argon2;
use argon2::password_hash::phc;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::Deserialize;

use super::scram::ScramVerifier;

/// The shortest password, in characters.
const PASSWORD_CHARS_MIN: usize = 12;

/// The longest secret that is looked at, in bytes.
pub(super) const SECRET_BYTES_MAX: usize = 1024;

/// What tells a token of ours from a JWT.
pub(crate) const TOKEN_PREFIX: &str = "lp_";

const TOKEN_ID_BYTES: usize = 4;
const TOKEN_SECRET_BYTES: usize = 32;
const SALT_BYTES: usize = 16;

/// Bytes that nobody can guess.
pub(super) fn random<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| anyhow::anyhow!("the system gives no random numbers"))?;
    Ok(bytes)
}

/// A password as it is hashed: SASLprep (RFC 4013), so that each keyboard and client writes the same bytes. `None`
/// when it holds a character that cannot be typed alike everywhere.
pub fn prepare(password: &str) -> Option<Cow<'_, str>> {
    stringprep::saslprep(password).ok()
}

/// A hash of parts that nobody makes without the key; each part counts with its length, so that none runs into the next.
pub(super) fn keyed_hash<'p>(
    key: &[u8; 32],
    parts: impl IntoIterator<Item = &'p [u8]>,
) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new_keyed(key);
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize()
}

/// The argon2id hash of a password or a token, in the PHC format.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct SecretHash(String);

impl SecretHash {
    /// Hashes a secret under a new salt.
    pub fn of(secret: &str) -> anyhow::Result<Self> {
        let hash: phc::PasswordHash = Argon2::default()
            .hash_password(secret.as_bytes())
            .map_err(|error| anyhow::anyhow!("failed to hash a secret: {error}"))?;
        Ok(Self(hash.to_string()))
    }

    /// Whether the secret is the hashed one. Takes tens of milliseconds and about 20 MB.
    pub(super) fn matches(&self, secret: &str) -> bool {
        phc::PasswordHash::new(&self.0)
            .is_ok_and(|hash| Argon2::default().verify_password(secret.as_bytes(), &hash).is_ok())
    }

    /// The text for the file.
    pub(super) fn text(&self) -> &str {
        &self.0
    }
}

/// Without the hash: it does not belong in a log.
impl fmt::Debug for SecretHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SecretHash")
    }
}

impl TryFrom<String> for SecretHash {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let is_argon2id = phc::PasswordHash::new(&text)
            .is_ok_and(|hash| hash.algorithm.as_str() == "argon2id" && hash.hash.is_some());
        if !is_argon2id {
            // The text itself may be a password that somebody wrote in the clear: it is not repeated.
            return Err(
                "this is no argon2id hash ($argon2id$…); `lawpulse account password NAME` \
                        and `lawpulse account token NAME` make one"
                    .to_owned(),
            );
        }
        Ok(Self(text))
    }
}

/// What is kept of a password: one hash for HTTP, one verifier for PostgreSQL.
#[derive(Debug)]
pub struct KeptPassword {
    /// For HTTP Basic.
    pub hash: SecretHash,
    /// For PostgreSQL.
    pub scram: ScramVerifier,
}

impl KeptPassword {
    /// Takes a new password. Refuses one that is short, or cannot be typed alike everywhere.
    pub fn of(password: &str) -> anyhow::Result<Self> {
        let prepared = prepare(password).context(
            "the password holds a character that clients treat differently (a control character, \
             or right-to-left and left-to-right script mixed); choose another",
        )?;
        anyhow::ensure!(
            prepared.chars().count() >= PASSWORD_CHARS_MIN,
            "the password is too short; take {PASSWORD_CHARS_MIN} characters or more"
        );
        anyhow::ensure!(
            prepared.len() <= SECRET_BYTES_MAX,
            "the password is longer than {SECRET_BYTES_MAX} bytes"
        );
        let salt = random::<SALT_BYTES>()?.to_vec();
        Ok(Self { hash: SecretHash::of(&prepared)?, scram: ScramVerifier::new(&prepared, salt) })
    }
}

/// A token that was just made: its text is nowhere else.
#[derive(Debug)]
pub struct NewToken {
    /// Tells the tokens of an account apart.
    pub id: String,
    /// What the client sends.
    pub text: String,
    /// What the file keeps.
    pub hash: SecretHash,
}

impl NewToken {
    /// Makes one.
    pub fn make() -> anyhow::Result<Self> {
        let id: String =
            random::<TOKEN_ID_BYTES>()?.iter().map(|byte| format!("{byte:02x}")).collect();
        let secret = URL_SAFE_NO_PAD.encode(random::<TOKEN_SECRET_BYTES>()?);
        let hash = SecretHash::of(&secret)?;
        Ok(Self { text: format!("{TOKEN_PREFIX}{id}_{secret}"), id, hash })
    }
}

/// The id and the secret of a token's text.
pub(super) fn token_parts(text: &str) -> Option<(&str, &str)> {
    let (id, secret) = text.strip_prefix(TOKEN_PREFIX)?.split_once('_')?;
    (is_token_id(id) && secret.len() <= SECRET_BYTES_MAX).then_some((id, secret))
}

/// Whether a text can be a token's id.
pub(super) fn is_token_id(id: &str) -> bool {
    (1..=32).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_an_id_and_43_characters_and_matches_its_hash_only() {
        let token = NewToken::make().unwrap();
        let (id, secret) = token_parts(&token.text).unwrap();
        assert_eq!((id, secret.len()), (token.id.as_str(), 43));
        assert!(token.hash.matches(secret));
        assert!(!token.hash.matches(&secret[1..]));
        assert_ne!(NewToken::make().unwrap().text, token.text);
    }

    #[test]
    fn a_password_is_hashed_in_the_form_that_every_client_writes() {
        // A ligature and a full-width letter, as an input method may give them.
        let kept = KeptPassword::of("o\u{fb03}cer Ａ 2025").unwrap();
        assert!(kept.hash.matches("officer A 2025"));
    }

    #[test]
    fn a_short_password_and_one_with_a_control_character_are_refused() {
        let refused = |password: &str| KeptPassword::of(password).unwrap_err().to_string();
        assert!(refused("short").contains("12 characters"));
        assert!(refused("with a \u{7} bell in it").contains("control character"));
    }

    #[test]
    fn a_password_in_the_clear_is_refused_where_a_hash_belongs_and_not_repeated() {
        let refused = SecretHash::try_from("hunter2hunter2".to_owned()).unwrap_err();
        assert!(refused.contains("argon2id") && !refused.contains("hunter2"), "{refused}");
        let refused =
            SecretHash::try_from("$argon2i$v=19$m=16,t=2,p=1$c2FsdHNhbHQ$ar0Y1g".to_owned());
        assert!(refused.is_err());
    }
}
