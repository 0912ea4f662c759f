//! SCRAM-SHA-256 (RFC 5802, RFC 7677) as PostgreSQL uses it, the server's side.
//!
//! What is kept of a password is told in [`crate::accounts::scram`]. Channel binding is not offered.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ring::rand::{SecureRandom, SystemRandom};
use ring::{digest, hmac};

use crate::accounts::scram::{ITERATIONS, ScramVerifier};

/// The mechanism's name.
pub(super) const MECHANISM: &str = "SCRAM-SHA-256";

const KEY_BYTES: usize = 32;
const SALT_BYTES: usize = 16;

/// A verifier that no password passes, the same for the same user: an exchange with it looks like any other.
pub(super) fn stand_in(user: &str, process_key: &[u8]) -> ScramVerifier {
    let told = sign(process_key, user.as_bytes());
    let hidden = |name: &[u8]| sign(&sign(process_key, name), user.as_bytes());
    ScramVerifier {
        iterations: ITERATIONS,
        salt: told[..SALT_BYTES].to_vec(),
        stored_key: hidden(b"stored"),
        server_key: hidden(b"server"),
    }
}

/// The operating system gives no random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gives no random bytes")]
pub struct NoRandomness;

/// Why an exchange ends without a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unproven {
    /// The client does not follow the mechanism; what it does wrong.
    Malformed(&'static str),
    /// It does not know the password.
    Wrong,
}

/// An exchange that has been begun.
#[derive(Debug)]
pub(super) struct Exchange {
    verifier: ScramVerifier,
    channel: String,
    nonce: String,
    client_first: String,
    server_first: String,
}

impl Exchange {
    /// Answers a client's first message. `server_nonce` is what the server adds to the client's.
    pub(super) fn begin(
        verifier: ScramVerifier,
        client_first: &[u8],
        server_nonce: &str,
    ) -> Result<Self, Unproven> {
        let message = std::str::from_utf8(client_first)
            .map_err(|_| Unproven::Malformed("the first message is not UTF-8"))?;
        let mut parts = message.splitn(3, ',');
        let (Some(binding), Some(identity), Some(bare)) =
            (parts.next(), parts.next(), parts.next())
        else {
            return Err(Unproven::Malformed("the first message has no header"));
        };
        if !matches!(binding, "n" | "y") {
            return Err(Unproven::Malformed("channel binding is not offered"));
        }
        // The name in `n=` is ignored, as in PostgreSQL: the startup packet has told it.
        let mut fields = bare.split(',');
        let nonce = match (fields.next(), fields.next()) {
            (Some(name), Some(nonce)) if name.starts_with("n=") => nonce.strip_prefix("r="),
            _ => None,
        };
        let nonce = nonce
            .filter(|nonce| !nonce.is_empty())
            .ok_or(Unproven::Malformed("the first message has no nonce"))?;
        let nonce = format!("{nonce}{server_nonce}");
        let salt = BASE64_STANDARD.encode(&verifier.salt);
        let server_first = format!("r={nonce},s={salt},i={}", verifier.iterations);
        let channel = BASE64_STANDARD.encode(format!("{binding},{identity},"));
        Ok(Self { verifier, channel, nonce, client_first: bare.to_owned(), server_first })
    }

    /// What the server says to the first message.
    pub(super) fn server_first(&self) -> &str {
        &self.server_first
    }

    /// Checks the client's proof; what the server says to it proves that the server knows the verifier.
    pub(super) fn finish(&self, client_final: &[u8]) -> Result<String, Unproven> {
        let malformed = Unproven::Malformed("the last message is not what the mechanism asks for");
        let message = std::str::from_utf8(client_final).map_err(|_| malformed)?;
        let (unproven, proof) = message.rsplit_once(",p=").ok_or(malformed)?;
        let expected = format!("c={},r={}", self.channel, self.nonce);
        // Extensions may follow the nonce; none is known, and none changes what is signed.
        let is_ours = unproven == expected || unproven.starts_with(&format!("{expected},"));
        let proof: [u8; KEY_BYTES] = BASE64_STANDARD
            .decode(proof)
            .ok()
            .and_then(|proof| proof.try_into().ok())
            .filter(|_| is_ours)
            .ok_or(malformed)?;
        let signed = format!("{},{},{unproven}", self.client_first, self.server_first);
        let signature = sign(&self.verifier.stored_key, signed.as_bytes());
        let client_key: Vec<u8> = proof.iter().zip(signature).map(|(one, two)| one ^ two).collect();
        if !is_same(&hash(&client_key), &self.verifier.stored_key) {
            return Err(Unproven::Wrong);
        }
        let signature = sign(&self.verifier.server_key, signed.as_bytes());
        Ok(format!("v={}", BASE64_STANDARD.encode(signature)))
    }
}

/// Random bytes.
pub(super) fn random<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(bytes)
}

/// A server's part of a nonce.
pub(super) fn nonce() -> Result<String, NoRandomness> {
    Ok(BASE64_STANDARD.encode(random::<18>()?))
}

fn sign(key: &[u8], message: &[u8]) -> [u8; KEY_BYTES] {
    let signed = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message);
    let mut bytes = [0; KEY_BYTES];
    bytes.copy_from_slice(signed.as_ref());
    bytes
}

fn hash(message: &[u8]) -> [u8; KEY_BYTES] {
    let hashed = digest::digest(&digest::SHA256, message);
    let mut bytes = [0; KEY_BYTES];
    bytes.copy_from_slice(hashed.as_ref());
    bytes
}

/// Compares in a time that does not tell where the two differ.
fn is_same(one: &[u8; KEY_BYTES], two: &[u8; KEY_BYTES]) -> bool {
    one.iter().zip(two).fold(0, |differing, (one, two)| differing | (one ^ two)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The exchange of RFC 7677, section 3: user `user`, password `pencil`.
    const CLIENT_FIRST: &str = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
    const SERVER_NONCE: &str = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    const SERVER_FIRST: &str =
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    const CLIENT_FINAL: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
        p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    const SERVER_FINAL: &str = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

    fn verifier() -> ScramVerifier {
        let salt = BASE64_STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        ScramVerifier::new("pencil", salt)
    }

    #[test]
    fn the_exchange_of_the_rfc_is_reproduced() {
        let exchange = Exchange::begin(verifier(), CLIENT_FIRST.as_bytes(), SERVER_NONCE).unwrap();
        assert_eq!(exchange.server_first(), SERVER_FIRST);
        assert_eq!(exchange.finish(CLIENT_FINAL.as_bytes()), Ok(SERVER_FINAL.to_owned()));
    }

    #[test]
    fn a_wrong_proof_and_an_unknown_user_fail_the_same_way() {
        let salt = verifier().salt;
        let other = ScramVerifier::new("pencils", salt);
        let unknown = stand_in("user", b"key");
        for verifier in [other, unknown] {
            let exchange =
                Exchange::begin(verifier, CLIENT_FIRST.as_bytes(), SERVER_NONCE).unwrap();
            assert_eq!(exchange.finish(CLIENT_FINAL.as_bytes()), Err(Unproven::Wrong));
        }
        let again = stand_in("user", b"key");
        assert_eq!(again, stand_in("user", b"key"));
        assert_ne!(again.salt, stand_in("other", b"key").salt);
    }

    #[test]
    fn what_does_not_follow_the_mechanism_is_refused() {
        let begin = |message: &str| Exchange::begin(verifier(), message.as_bytes(), SERVER_NONCE);
        for message in ["", "n,,", "p=tls-unique,,n=,r=x", "n,,n=user,r=", "n,,m=1,n=user,r=x"] {
            assert!(matches!(begin(message), Err(Unproven::Malformed(_))), "{message}");
        }
        let exchange = begin(CLIENT_FIRST).unwrap();
        let replayed = CLIENT_FINAL.replace("biws", "eSws");
        let truncated = CLIENT_FINAL.replace("dVQ=", "");
        let other_nonce = CLIENT_FINAL.replace("$k0", "$k1");
        for message in ["", "c=biws", &replayed, &truncated, &other_nonce] {
            let finished = exchange.finish(message.as_bytes());
            assert!(matches!(finished, Err(Unproven::Malformed(_))), "{message}");
        }
    }
}
