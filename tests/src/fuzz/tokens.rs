//! The parser of bearer tokens. The input is a token; or, if it has a line feed, the JSON of a header and of claims,
//! from which a token is made that is signed with the deployment's key.
//!
//! A token is accepted only if it is correctly signed with the deployment's algorithm, names a project and a role,
//! and has not expired. The caller is the one that its claims name. With another signature it is rejected.

use std::collections::HashMap;
use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::FutureExt;
use hmac::{Hmac, Mac};
use imageshare::auth::{Authenticator, ExpectedClaims};
use imageshare::domain::{Caller, Timestamp};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use sha2::Sha256;

const SECRET: &[u8] = b"a secret that every reader of this test knows";

/// The time of every verification, 2026-11-21T22:54:36Z.
const NOW_SECONDS: i64 = 1_795_301_676;

/// Half a minute earlier.
const EXPIRED_SECONDS: f64 = 1_795_301_646.0;

static AUTHENTICATOR: LazyLock<Authenticator> = LazyLock::new(|| {
    let key = json!({"kty": "oct", "alg": "HS256", "kid": "test", "k": URL_SAFE_NO_PAD.encode(SECRET)});
    Authenticator::from_jwks(&json!({"keys": [key]}).to_string(), ExpectedClaims::default()).expect("a key")
});

/// Verifies a token.
pub fn run(input: &[u8]) -> bool {
    let Some(end) = input.iter().position(|byte| *byte == b'\n') else {
        let Ok(token) = std::str::from_utf8(input) else { return false };
        if let Some(caller) = authenticate(token) {
            check_claims(token, &caller);
        }
        return true;
    };
    let part = |json: &[u8]| URL_SAFE_NO_PAD.encode(json);
    let message = format!("{}.{}", part(&input[..end]), part(&input[end + 1..]));
    let signature = sign(&message);
    let token = format!("{message}.{}", part(&signature));
    if let Some(caller) = authenticate(&token) {
        check_claims(&token, &caller);
        let mut other = signature;
        other[input.len() % 32] ^= 1;
        assert_eq!(
            self::authenticate(&format!("{message}.{}", part(&other))),
            None,
            "a forged token was accepted"
        );
    }
    true
}

fn authenticate(token: &str) -> Option<Caller> {
    let now = Timestamp::from_unix_millis(NOW_SECONDS * 1000);
    let found = AUTHENTICATOR.verify_external_token(token, now).now_or_never();
    found.expect("no issuer is involved").ok().map(|bearer| bearer.caller)
}

/// Checks that an accepted token is valid.
fn check_claims(token: &str, caller: &Caller) {
    let parts: Vec<_> = token.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).expect("base64")).collect();
    let [header, claims, signed] = parts.as_slice() else { panic!("not three parts: {token}") };
    let (message, _) = token.rsplit_once('.').expect("three parts");
    assert_eq!(sign(message), *signed, "a forged token was accepted");
    let (header, claims) = (JsonObject::parse(header), JsonObject::parse(claims));
    assert_eq!(header.get("alg"), json!("HS256"));
    assert!(!header.0.contains_key("crit"));
    let has_expired = |expires: Value| expires.as_f64().is_none_or(|expires| expires <= EXPIRED_SECONDS);
    assert!(!has_expired(claims.get("exp")), "{token}");
    assert_eq!(claims.get("project_id").as_str(), Some(caller.tenant.as_str()));
    let roles = claims.get("roles");
    let mut roles = roles.as_array().into_iter().flatten().filter_map(Value::as_str);
    assert!(roles.any(|role| role.eq_ignore_ascii_case(caller.role.name())), "{token}");
}

/// The members of a JSON object, unparsed: those without a meaning may hold anything, such as half a surrogate pair.
struct JsonObject<'a>(HashMap<String, &'a RawValue>);

impl<'a> JsonObject<'a> {
    fn parse(json: &'a [u8]) -> Self {
        Self(serde_json::from_slice(json).expect("an object"))
    }

    fn get(&self, name: &str) -> Value {
        self.0.get(name).map_or(Value::Null, |value| serde_json::from_str(value.get()).expect("JSON"))
    }
}

fn sign(message: &str) -> Vec<u8> {
    let mac = Hmac::<Sha256>::new_from_slice(SECRET).expect("any key");
    mac.chain_update(message).finalize().into_bytes().to_vec()
}
