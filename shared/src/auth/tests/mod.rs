//! Which tokens are accepted, and that all others are rejected.

mod cached_tokens;
mod claims;
mod forged_tokens;
mod headers;
mod key_sets;
mod keys;
mod valid_tokens;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use futures_util::FutureExt;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use jsonwebtoken::EncodingKey;
use jsonwebtoken::jwk::Jwk;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::authenticator::IssuerKeys;
use super::bearer_token::bearer_token;
use super::error::MAX_TOKEN_BYTES;
use super::key_set::KeySet;
use super::*;
use crate::domain::{Caller, Role, Timestamp};

const NOW: i64 = 1_800_000_000;

/// A test key with its private part.
struct Signer {
    algorithm: Algorithm,
    key: EncodingKey,
}

impl Signer {
    fn all() -> [Signer; 8] {
        let der = |base64: &str| STANDARD.decode(base64).unwrap();
        [
            (Algorithm::Rs256, EncodingKey::from_rsa_der(&der(keys::RSA_2048))),
            (Algorithm::Rs384, EncodingKey::from_rsa_der(&der(keys::RSA_2048))),
            (Algorithm::Rs512, EncodingKey::from_rsa_der(&der(keys::RSA_2048))),
            (Algorithm::Ps256, EncodingKey::from_rsa_der(&der(keys::RSA_2048))),
            (Algorithm::Es256, EncodingKey::from_ec_der(&der(keys::P256))),
            (Algorithm::Es384, EncodingKey::from_ec_der(&der(keys::P384))),
            (Algorithm::EdDsa, EncodingKey::from_ed_der(&der(keys::ED25519))),
            (Algorithm::Hs256, EncodingKey::from_secret(keys::SECRET)),
        ]
        .map(|(algorithm, key)| Signer { algorithm, key })
    }

    fn of(algorithm: Algorithm) -> Signer {
        Signer::all().into_iter().find(|signer| signer.algorithm == algorithm).unwrap()
    }

    /// Returns the public key (for HS256, the secret), with the algorithm's name as its `kid`.
    fn jwk(&self) -> Value {
        let jwk = Jwk::from_encoding_key(&self.key, jsonwebtoken_algorithm(self.algorithm)).unwrap();
        let mut jwk = serde_json::to_value(jwk).unwrap();
        jwk["kid"] = json!(self.algorithm.as_str());
        jwk
    }

    /// Signs any header and claims, well-formed or not.
    fn sign_text(
        &self,
        header: &(impl AsRef<[u8]> + ?Sized),
        claims: &(impl AsRef<[u8]> + ?Sized),
    ) -> String {
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature =
            jsonwebtoken::crypto::sign(message.as_bytes(), &self.key, jsonwebtoken_algorithm(self.algorithm))
                .unwrap();
        format!("{message}.{signature}")
    }

    fn sign(&self, claims: &Value) -> String {
        let header = json!({"alg": self.algorithm.as_str(), "kid": self.algorithm.as_str()});
        self.sign_text(&header.to_string(), &claims.to_string())
    }
}

fn jsonwebtoken_algorithm(algorithm: Algorithm) -> jsonwebtoken::Algorithm {
    algorithm.as_str().parse().unwrap()
}

fn claims() -> Value {
    json!({"project_id": "p1", "account_id": "a1", "sub": "u1", "roles": ["member"], "exp": NOW + 60})
}

fn claims_with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn authenticator_with(jwks: &[Value], expected: ExpectedClaims) -> Authenticator {
    Authenticator::from_jwks(&json!({"keys": jwks}).to_string(), expected).unwrap()
}

fn authenticator() -> Authenticator {
    authenticator_with(&Signer::all().map(|signer| signer.jwk()), ExpectedClaims::default())
}

fn headers(fields: &[(&str, &str)]) -> HeaderMap {
    let entry = |(name, value): &(&str, &str)| {
        (name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap())
    };
    fields.iter().map(entry).collect()
}

impl Authenticator {
    /// Needs no runtime, since fixed keys are never fetched.
    fn authenticate_at(&self, headers: &HeaderMap, now: Timestamp) -> Result<Caller, CredentialError> {
        let token = bearer_token(headers)?;
        match self.verify_external_token(&token, now).now_or_never().unwrap() {
            Ok(bearer) => Ok(bearer.caller),
            Err(AuthError::Credential(error)) => Err(error),
            Err(other) => panic!("{other}"),
        }
    }

    fn check_token(&self, token: &str) -> Result<Caller, CredentialError> {
        self.authenticate_at(&headers(&[("x-auth-token", token)]), Timestamp::from_unix_millis(NOW * 1000))
    }

    fn check_headers(&self, fields: &[(&str, &str)]) -> Result<Caller, CredentialError> {
        self.authenticate_at(&headers(fields), Timestamp::from_unix_millis(NOW * 1000))
    }
}

fn check_claims(claims: &Value) -> Result<Caller, CredentialError> {
    authenticator().check_token(&Signer::of(Algorithm::EdDsa).sign(claims))
}

fn jwk_error(jwk: &Value) -> JwkError {
    match Authenticator::from_jwks(&json!({"keys": [jwk]}).to_string(), ExpectedClaims::default()) {
        Err(BadKeySet::Key { index: 0, fault, .. }) => fault,
        other => panic!("{other:?}"),
    }
}

/// The examples of RFC 7515 (A.1 and A.3) and RFC 8037 (A.4).
#[test]
fn rfc_example_signatures_are_accepted() {
    let joe =
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    for (jwk, algorithm, message, signature) in [
        (
            json!({"kty": "oct", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}),
            Algorithm::Hs256,
            format!("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{joe}"),
            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
        ),
        (
            json!({"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}),
            Algorithm::Es256,
            format!("eyJhbGciOiJFUzI1NiJ9.{joe}"),
            "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
        ),
        (
            json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}),
            Algorithm::EdDsa,
            "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc".to_owned(),
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
        ),
    ] {
        let keys = KeySet::parse(&json!({"keys": [jwk]}).to_string()).unwrap();
        let key = keys.find(algorithm, None).unwrap();
        assert!(key.verifies(&message, signature), "{algorithm}");
        assert!(!key.verifies(&message[1..], signature), "{algorithm}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn token_with_any_changed_byte_is_rejected(which in 0..8_usize, place: prop::sample::Index, change in 1..=255_u8) {
        let token = Signer::all()[which].sign(&claims());
        let mut bytes = token.into_bytes();
        let place = place.index(bytes.len());
        bytes[place] ^= change;
        if let Ok(value) = HeaderValue::from_bytes(&bytes) {
            // White space around a header's value is not part of it.
            prop_assume!(!bytes[place].is_ascii_whitespace());
            let headers = HeaderMap::from_iter([(HeaderName::from_static("x-auth-token"), value)]);
            let result = authenticator().authenticate_at(&headers, Timestamp::from_unix_millis(NOW * 1000));
            prop_assert!(result.is_err());
        }
    }

    #[test]
    fn random_auth_header_is_rejected_without_panic(
        plain in prop::option::of(prop::collection::vec(any::<u8>(), 0..200)),
        authorization in prop::option::of("(Bearer |bearer|Basic )?[a-zA-Z0-9_.%=-]{0,99}"),
    ) {
        let mut headers = HeaderMap::new();
        if let Some(value) = plain.and_then(|bytes| HeaderValue::from_bytes(&bytes).ok()) {
            headers.insert("x-auth-token", value);
        }
        if let Some(value) = authorization {
            headers.insert(AUTHORIZATION, value.parse().unwrap());
        }
        prop_assert!(authenticator().authenticate_at(&headers, Timestamp::now()).is_err());
    }

    #[test]
    fn random_signed_text_is_rejected_without_panic(header in ".{0,40}", claims in ".{0,80}") {
        let signer = Signer::of(Algorithm::Hs256);
        prop_assert!(authenticator().check_token(&signer.sign_text(&header, &claims)).is_err());
        let result = authenticator().check_token(&signer.sign_text(r#"{"alg":"HS256"}"#, &claims));
        prop_assert!(result.is_err());
    }

    #[test]
    fn random_key_set_is_rejected_without_panic(text in ".{0,80}", x in "[A-Za-z0-9_-]{0,90}") {
        prop_assert!(Authenticator::from_jwks(&text, ExpectedClaims::default()).is_err());
        let jwks = json!({"keys": [{"kty": "EC", "crv": "P-256", "x": x, "y": x}, {"kty": "OKP", "crv": "Ed25519", "x": x}]});
        prop_assert!(Authenticator::from_jwks(&jwks.to_string(), ExpectedClaims::default()).is_err());
    }
}
