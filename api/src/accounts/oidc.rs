//! Bearer tokens of an identity provider: JWTs, checked against its public keys in a file.
//!
//! Nothing is asked over the network. A token is believed when a known key has signed it with the one algorithm that
//! fits the key, for our audience, by our issuer, and it is valid now. Symmetric keys are not taken at all: whoever
//! could check a token with one could also make it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use anyhow::Context as _;
use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, PublicKeyUse,
};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::book::check_scope;
use super::stamp::Stamp;
use crate::caller::{Caller, Role};

/// What clocks may differ by.
const LEEWAY_SECONDS: u64 = 60;

/// The longest token that is looked at.
const TOKEN_BYTES_MAX: usize = 16 << 10;

/// The longest name that is taken from a token, in characters.
const NAME_CHARS_MAX: usize = 128;

/// Comes before the names that a provider gives: accounts of our own cannot contain a colon.
const NAME_PREFIX: &str = "oidc:";

/// Whose tokens are believed, and what their claims mean.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// `iss` of a token.
    pub issuer: String,
    /// One of a token's `aud`.
    pub audience: String,
    /// The provider's public keys (JWKS).
    pub jwks: PathBuf,
    /// The claim that holds the caller's name.
    #[serde(default = "subject")]
    pub name_claim: String,
    /// The claim that holds a value of `roles`, or a list of them; a dot leads into an object.
    pub role_claim: String,
    /// The claim that holds the caller's scope. When set, a token without it is refused; `district` there means the
    /// whole lake.
    pub scope_claim: Option<String>,
    /// The role for each value of the role claim; the highest holds.
    pub roles: BTreeMap<String, Role>,
}

fn subject() -> String {
    "sub".to_owned()
}

/// Tells who sends a token.
#[derive(Debug)]
pub(super) struct Oidc {
    settings: Settings,
    keys: RwLock<Arc<Keys>>,
    stamp: Mutex<Stamp>,
}

/// A provider's keys by their id.
type Keys = BTreeMap<String, Key>;

struct Key {
    algorithm: Algorithm,
    key: DecodingKey,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Key({:?})", self.algorithm)
    }
}

impl Oidc {
    /// Reads the keys.
    pub(super) fn open(settings: Settings) -> anyhow::Result<Self> {
        anyhow::ensure!(
            !settings.roles.is_empty(),
            "[oidc.roles] is empty, so that no token would let anybody in; write \"claim value\" = \"viewer\""
        );
        let stamp = Stamp::of(&settings.jwks);
        let keys = Arc::new(read_keys(&settings.jwks)?);
        Ok(Self { settings, keys: RwLock::new(keys), stamp: Mutex::new(stamp) })
    }

    /// Reads the keys again when the file has changed; a broken file leaves the last ones in force.
    pub(super) fn reload_if_changed(&self) {
        let stamp = Stamp::of(&self.settings.jwks);
        let mut known = self.stamp.lock().unwrap_or_else(PoisonError::into_inner);
        if *known == stamp {
            return;
        }
        *known = stamp;
        match read_keys(&self.settings.jwks) {
            Ok(keys) => {
                tracing::info!(keys = keys.len(), "the identity provider's keys changed");
                *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
            }
            Err(error) => {
                let error = format!("{error:#}");
                tracing::error!(
                    error,
                    "the identity provider's keys cannot be read; the last ones hold"
                );
            }
        }
    }

    /// Who sends this token, or why it is not believed.
    pub(super) fn caller(&self, token: &str) -> anyhow::Result<Caller> {
        anyhow::ensure!(token.len() <= TOKEN_BYTES_MAX, "the token is too long");
        let header = jsonwebtoken::decode_header(token).context("the header cannot be read")?;
        let id = header.kid.context("the token names no key")?;
        let keys = Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner));
        let key = keys.get(&id).context("the token names a key that is not known")?;
        // The algorithm is the key's, whatever the token says.
        let mut validation = Validation::new(key.algorithm);
        validation.leeway = LEEWAY_SECONDS;
        validation.validate_nbf = true;
        validation.set_issuer(&[&self.settings.issuer]);
        validation.set_audience(&[&self.settings.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        let claims =
            jsonwebtoken::decode::<Map<String, Value>>(token, &key.key, &validation)?.claims;
        self.caller_of(&claims)
    }

    fn caller_of(&self, claims: &Map<String, Value>) -> anyhow::Result<Caller> {
        let Settings { name_claim, role_claim, scope_claim, roles, .. } = &self.settings;
        let name = claim(claims, name_claim).and_then(Value::as_str).unwrap_or_default();
        let is_name = (1..=NAME_CHARS_MAX).contains(&name.chars().count())
            && !name.contains(char::is_control);
        anyhow::ensure!(is_name, "the claim `{name_claim}` holds no name");
        let values = match claim(claims, role_claim) {
            Some(Value::Array(values)) => values.as_slice(),
            Some(value) => std::slice::from_ref(value),
            None => &[],
        };
        let role = values
            .iter()
            .filter_map(|value| roles.get(value.as_str()?).copied())
            .max()
            .with_context(|| format!("the claim `{role_claim}` holds no value of [oidc.roles]"))?;
        let scope = match scope_claim {
            None => None,
            Some(scope_claim) => {
                let scope = claim(claims, scope_claim).and_then(Value::as_str);
                let scope =
                    scope.with_context(|| format!("the claim `{scope_claim}` holds no scope"))?;
                check_scope(scope)?;
                (scope != "district").then(|| scope.to_owned())
            }
        };
        Ok(Caller { name: format!("{NAME_PREFIX}{name}"), role, scope, is_anonymous: false })
    }
}

/// A claim by its name, or by a path of names with dots between them (`realm_access.roles`).
fn claim<'claims>(claims: &'claims Map<String, Value>, path: &str) -> Option<&'claims Value> {
    if let Some(value) = claims.get(path) {
        return Some(value);
    }
    let (first, rest) = path.split_once('.')?;
    claim(claims.get(first)?.as_object()?, rest)
}

fn read_keys(path: &Path) -> anyhow::Result<Keys> {
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the identity provider's keys `{shown}`"))?;
    let set: JwkSet = serde_json::from_str(&text)
        .with_context(|| format!("`{shown}` is no JWKS ({{\"keys\": […]}})"))?;
    let mut keys = Keys::new();
    for jwk in &set.keys {
        // A provider's set may hold keys for other purposes.
        if jwk.common.public_key_use.as_ref().is_some_and(|of| *of != PublicKeyUse::Signature) {
            continue;
        }
        let id = jwk.common.key_id.clone().unwrap_or_default();
        let read = || -> anyhow::Result<Key> {
            anyhow::ensure!(!id.is_empty(), "a key without `kid` cannot be told from others");
            Ok(Key { algorithm: algorithm_of(jwk)?, key: DecodingKey::from_jwk(jwk)? })
        };
        let key = read().with_context(|| format!("key `{id}` in `{shown}`"))?;
        anyhow::ensure!(keys.insert(id.clone(), key).is_none(), "two keys in `{shown}` are `{id}`");
    }
    anyhow::ensure!(!keys.is_empty(), "`{shown}` holds no key for signatures");
    Ok(keys)
}

/// The one algorithm that a key is used with.
fn algorithm_of(jwk: &Jwk) -> anyhow::Result<Algorithm> {
    let (algorithm, name) = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => (Algorithm::RS256, KeyAlgorithm::RS256),
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, KeyAlgorithm::ES256)
        }
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            (Algorithm::EdDSA, KeyAlgorithm::EdDSA)
        }
        _ => anyhow::bail!("only RSA, EC P-256 and Ed25519 keys are taken"),
    };
    anyhow::ensure!(
        jwk.common.key_algorithm.is_none_or(|stated| stated == name),
        "of its kind of key only {algorithm:?} is taken"
    );
    Ok(algorithm)
}

#[cfg(test)]
mod tests;
