//! Tokens that are believed, and the many that are not.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{EncodingKey, Header, get_current_timestamp};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};
use serde_json::json;

use super::*;

/// A provider with one key, and what checks its tokens.
struct Provider {
    oidc: Oidc,
    key: EncodingKey,
    public: Vec<u8>,
    folder: tempfile::TempDir,
}

fn ed25519(id: &str) -> (EncodingKey, Value, Vec<u8>) {
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
    let public = pair.public_key().as_ref().to_vec();
    let x = URL_SAFE_NO_PAD.encode(&public);
    let jwk =
        json!({ "kty": "OKP", "crv": "Ed25519", "kid": id, "use": "sig", "alg": "EdDSA", "x": x });
    (EncodingKey::from_ed_der(pkcs8.as_ref()), jwk, public)
}

fn provider_with(change: impl FnOnce(&mut Settings)) -> Provider {
    let folder = tempfile::tempdir().unwrap();
    let (key, jwk, public) = ed25519("one");
    let jwks = folder.path().join("jwks.json");
    std::fs::write(&jwks, json!({ "keys": [jwk] }).to_string()).unwrap();
    let roles = [("统计", Role::Analyst), ("lawpulse-viewers", Role::Viewer)];
    let mut settings = Settings {
        issuer: "https://sso.example/".to_owned(),
        audience: "lawpulse".to_owned(),
        jwks,
        name_claim: "sub".to_owned(),
        role_claim: "realm.roles".to_owned(),
        scope_claim: None,
        roles: roles.map(|(value, role)| (value.to_owned(), role)).into(),
    };
    change(&mut settings);
    Provider { oidc: Oidc::open(settings).unwrap(), key, public, folder }
}

fn provider() -> Provider {
    provider_with(|_| {})
}

fn header(algorithm: Algorithm, id: &str) -> Header {
    Header { kid: Some(id.to_owned()), ..Header::new(algorithm) }
}

/// The claims of a good token.
fn claims() -> Value {
    json!({
        "iss": "https://sso.example/", "aud": ["other", "lawpulse"], "sub": "li", "scope": "town-9",
        "exp": get_current_timestamp() + 600, "realm": { "roles": ["lawpulse-viewers", "统计", "x"] },
    })
}

impl Provider {
    fn sign(&self, claims: &Value) -> String {
        jsonwebtoken::encode(&header(Algorithm::EdDSA, "one"), claims, &self.key).unwrap()
    }

    #[track_caller]
    fn check_refused(&self, token: &str) {
        assert!(self.oidc.caller(token).is_err());
    }

    /// The good claims with one of them different are refused.
    #[track_caller]
    fn check_claim_refused(&self, name: &str, value: Value) {
        let mut claims = claims();
        claims[name] = value;
        self.check_refused(&self.sign(&claims));
    }
}

#[test]
fn a_good_token_gives_the_name_and_the_highest_role_and_no_scope_that_is_not_configured() {
    let provider = provider();
    let caller = provider.oidc.caller(&provider.sign(&claims())).unwrap();
    assert_eq!((caller.name.as_str(), caller.role, caller.scope), ("oidc:li", Role::Analyst, None));
}

#[test]
fn a_configured_scope_claim_restricts_and_must_be_there() {
    let provider = provider_with(|settings| settings.scope_claim = Some("unit".to_owned()));
    let scope = |unit: Value| {
        let mut claims = claims();
        claims["unit"] = unit;
        provider.oidc.caller(&provider.sign(&claims)).map(|caller| caller.scope)
    };
    assert_eq!(scope(json!("town-1")).unwrap().as_deref(), Some("town-1"));
    assert_eq!(scope(json!("district")).unwrap(), None);
    assert!(scope(json!("towns/*")).is_err());
    assert!(scope(json!(7)).is_err());
    provider.check_refused(&provider.sign(&claims()));
}

#[test]
fn wrong_issuer_audience_time_role_and_name_are_refused() {
    let provider = provider();
    let now = get_current_timestamp();
    provider.check_claim_refused("iss", json!("https://evil.example/"));
    provider.check_claim_refused("aud", json!("other"));
    provider.check_claim_refused("exp", json!(now - 120));
    provider.check_claim_refused("nbf", json!(now + 120));
    provider.check_claim_refused("realm", json!({ "roles": "root" }));
    provider.check_claim_refused("sub", json!("li\nadmin"));
    for missing in ["iss", "aud", "exp", "sub", "realm"] {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(missing);
        provider.check_refused(&provider.sign(&claims));
    }
    let mut late = claims();
    late["exp"] = json!(now - 30);
    late["nbf"] = json!(now + 30);
    assert!(provider.oidc.caller(&provider.sign(&late)).is_ok(), "clocks may differ by a minute");
}

#[test]
fn no_signature_a_symmetric_one_and_another_key_s_are_refused() {
    let provider = provider();
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    for alg in ["none", "None", "NONE"] {
        let unsigned = part(&json!({ "alg": alg, "kid": "one" }));
        provider.check_refused(&format!("{unsigned}.{}.", part(&claims())));
    }
    // The public key, which everybody knows, as the secret of an HMAC.
    let secret = EncodingKey::from_secret(&provider.public);
    let symmetric =
        jsonwebtoken::encode(&header(Algorithm::HS256, "one"), &claims(), &secret).unwrap();
    provider.check_refused(&symmetric);
    let (other, ..) = ed25519("one");
    let forged = jsonwebtoken::encode(&header(Algorithm::EdDSA, "one"), &claims(), &other).unwrap();
    provider.check_refused(&forged);
    let unknown = header(Algorithm::EdDSA, "two");
    provider.check_refused(&jsonwebtoken::encode(&unknown, &claims(), &provider.key).unwrap());
    let unnamed = Header::new(Algorithm::EdDSA);
    provider.check_refused(&jsonwebtoken::encode(&unnamed, &claims(), &provider.key).unwrap());
    let good = provider.sign(&claims());
    provider.check_refused(&good[..good.len() - 4]);
    provider.check_refused("");
    provider.check_refused(&"x".repeat(TOKEN_BYTES_MAX + 1));
}

#[test]
fn an_elliptic_key_signs_with_es256() {
    let provider = provider();
    let (random, algorithm) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap();
    let [x, y] =
        [1..33, 33..65].map(|part| URL_SAFE_NO_PAD.encode(&pair.public_key().as_ref()[part]));
    let jwk = json!({ "kty": "EC", "crv": "P-256", "kid": "two", "x": x, "y": y });
    std::fs::write(&provider.oidc.settings.jwks, json!({ "keys": [jwk] }).to_string()).unwrap();
    provider.oidc.reload_if_changed();
    let key = EncodingKey::from_ec_der(pkcs8.as_ref());
    let token = jsonwebtoken::encode(&header(Algorithm::ES256, "two"), &claims(), &key).unwrap();
    assert!(provider.oidc.caller(&token).is_ok());
    provider.check_refused(&provider.sign(&claims()));
}

#[test]
fn keys_are_read_again_when_they_change_and_a_broken_file_leaves_the_last_in_force() {
    let provider = provider();
    let good = provider.sign(&claims());
    let jwks = provider.folder.path().join("jwks.json");
    std::fs::write(&jwks, "{").unwrap();
    provider.oidc.reload_if_changed();
    assert!(provider.oidc.caller(&good).is_ok());
    let (_, other, _) = ed25519("other");
    std::fs::write(&jwks, json!({ "keys": [other] }).to_string()).unwrap();
    provider.oidc.reload_if_changed();
    provider.check_refused(&good);
}

#[test]
fn a_set_with_a_symmetric_key_or_one_that_cannot_be_told_from_others_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let check = |keys: Value, expected: &str| {
        let path = folder.path().join("jwks.json");
        std::fs::write(&path, json!({ "keys": keys }).to_string()).unwrap();
        let error = format!("{:#}", read_keys(&path).unwrap_err());
        assert!(error.contains(expected), "{error}");
    };
    let (_, good, _) = ed25519("one");
    let mut unnamed = good.clone();
    unnamed.as_object_mut().unwrap().remove("kid");
    check(json!([{ "kty": "oct", "kid": "k", "k": "c2VjcmV0" }]), "only RSA");
    check(json!([unnamed]), "without `kid`");
    check(json!([good, good]), "two keys");
    check(json!([{ "kty": "RSA", "kid": "k", "alg": "RS512", "n": "AQAB", "e": "AQAB" }]), "RS256");
    check(json!([]), "no key for signatures");
}
