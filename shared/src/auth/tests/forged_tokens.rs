//! Tokens that were made or changed without a key.

use super::*;

#[test]
fn unsigned_token_is_rejected() {
    let body = URL_SAFE_NO_PAD.encode(claims().to_string());
    for alg in ["none", "None", "NONE", "", "HS512", "PS512", "PS384", "ES512", "hs256"] {
        let header = URL_SAFE_NO_PAD.encode(json!({"alg": alg}).to_string());
        let result = authenticator().check_token(&format!("{header}.{body}."));
        assert_eq!(result, Err(CredentialError::UnknownAlgorithm), "{alg}");
    }
    for signer in Signer::all() {
        let token = signer.sign(&claims());
        let (message, _) = token.rsplit_once('.').unwrap();
        assert_eq!(
            authenticator().check_token(&format!("{message}.")),
            Err(CredentialError::InvalidSignature)
        );
        assert_eq!(authenticator().check_token(message), Err(CredentialError::Malformed));
    }
}

#[test]
fn token_signed_with_public_key_as_secret_is_rejected() {
    for victim in [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa].map(Signer::of) {
        let jwk = victim.jwk();
        let member = if victim.algorithm == Algorithm::Rs256 { "n" } else { "x" };
        let public = URL_SAFE_NO_PAD.decode(jwk[member].as_str().unwrap()).unwrap();
        let forger = Signer { algorithm: Algorithm::Hs256, key: EncodingKey::from_secret(&public) };
        let kid = victim.algorithm.as_str();
        let token = forger.sign_text(&json!({"alg": "HS256", "kid": kid}).to_string(), &claims().to_string());
        assert_eq!(
            authenticator().check_token(&token),
            Err(CredentialError::WrongAlgorithm(victim.algorithm))
        );
        let token = forger.sign_text(r#"{"alg":"HS256"}"#, &claims().to_string());
        let only_public = authenticator_with(&[jwk], ExpectedClaims::default());
        assert_eq!(only_public.check_token(&token), Err(CredentialError::UnknownKey));
        assert_eq!(authenticator().check_token(&token), Err(CredentialError::InvalidSignature));
    }
}

#[test]
fn token_with_algorithm_of_another_key_is_rejected() {
    for signer in Signer::all() {
        for other in Signer::all().iter().filter(|other| other.algorithm != signer.algorithm) {
            let (own, stated) = (signer.algorithm.as_str(), other.algorithm.as_str());
            let with = |alg, kid| {
                signer.sign_text(&json!({"alg": alg, "kid": kid}).to_string(), &claims().to_string())
            };
            let result = authenticator().check_token(&with(stated, own));
            assert_eq!(result, Err(CredentialError::WrongAlgorithm(signer.algorithm)));
            assert_eq!(
                authenticator().check_token(&with(stated, stated)),
                Err(CredentialError::InvalidSignature)
            );
        }
        let unknown = json!({"alg": signer.algorithm.as_str(), "kid": "other"}).to_string();
        let token = signer.sign_text(&unknown, &claims().to_string());
        assert_eq!(authenticator().check_token(&token), Err(CredentialError::UnknownKey));
    }
}

#[test]
fn token_with_embedded_key_is_rejected() {
    let own = Signer { algorithm: Algorithm::Hs256, key: EncodingKey::from_secret(&[7; 32]) };
    let header = json!({"alg": "HS256", "kid": "HS256", "jwk": own.jwk(), "jku": "https://example.com/keys"});
    let token = own.sign_text(&header.to_string(), &claims().to_string());
    assert_eq!(authenticator().check_token(&token), Err(CredentialError::InvalidSignature));
}

#[test]
fn token_with_malicious_json_is_rejected() {
    let signer = Signer::of(Algorithm::Hs256);
    let deep = "[".repeat(3000);
    let good = claims().to_string();
    let twice = good.replacen('{', r#"{"project_id":"victim","#, 1);
    let deep_claim = good.replacen('{', &format!(r#"{{"aud":{deep}{},"#, "]".repeat(3000)), 1);
    for bad in ["", "null", "[]", "7", "{", "{}x", "\"{}\"", deep.as_str(), &twice, &deep_claim] {
        let token = signer.sign_text(r#"{"alg":"HS256"}"#, bad);
        assert_eq!(authenticator().check_token(&token), Err(CredentialError::Malformed), "{bad:.40}");
    }
    for bad in [
        r#"{"alg":"none","alg":"HS256"}"#,
        r#"{"alg":"HS256","crit":["exp"],"exp":1}"#,
        r#"{"alg":"HS256","crit":null}"#,
        r#"{"alg":"HS256","kid":null}"#,
        r#"{"alg":"HS256","kid":7}"#,
        r#"{"alg":["HS256"]}"#,
        r#"{"kid":"HS256"}"#,
    ] {
        let token = signer.sign_text(bad, &good);
        assert_eq!(authenticator().check_token(&token), Err(CredentialError::Malformed), "{bad}");
    }
}

#[test]
fn token_with_array_parts_is_rejected() {
    let signer = Signer::of(Algorithm::Hs256);
    let (header, claims) = (json!({"alg": "HS256", "kid": "HS256"}), claims());
    assert!(authenticator().check_token(&signer.sign_text(&header.to_string(), &claims.to_string())).is_ok());
    let members = ["exp", "nbf", "iat", "iss", "aud", "sub", "project_id", "account_id", "roles"];
    let in_order = Value::from_iter(members.map(|name| claims[name].clone()));
    for (header, claims) in [(json!(["HS256", "HS256"]), claims), (header, in_order)] {
        let token = signer.sign_text(&header.to_string(), &claims.to_string());
        assert_eq!(authenticator().check_token(&token), Err(CredentialError::Malformed), "{header} {claims}");
    }
}

#[test]
fn token_with_invalid_utf8_is_rejected() {
    let signer = Signer::of(Algorithm::Hs256);
    let (header, claims) = (json!({"alg": "HS256"}).to_string(), claims().to_string());
    let odd = |json: &str| [json.trim_end_matches('}').as_bytes(), b",\"other\":\"\xff\"}"].concat();
    for token in [signer.sign_text(&odd(&header), &claims), signer.sign_text(&header, &odd(&claims))] {
        assert_eq!(authenticator().check_token(&token), Err(CredentialError::Malformed));
    }
}
