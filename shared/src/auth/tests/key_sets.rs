//! Which key sets are accepted, and which are rejected.

use super::*;

fn jwk_with(algorithm: Algorithm, member: &str, value: Value) -> Value {
    let mut jwk = Signer::of(algorithm).jwk();
    jwk[member] = value;
    jwk
}

#[test]
fn key_set_without_signing_key_is_rejected() {
    for not_a_set in ["", "[]", "{}", r#"{"keys":{}}"#, "{\"keys\":[]"] {
        let result = Authenticator::from_jwks(not_a_set, ExpectedClaims::default());
        assert!(matches!(result, Err(BadKeySet::Malformed { .. })), "{not_a_set}");
    }
    let for_others = [
        jwk_with(Algorithm::Rs256, "use", json!("enc")),
        jwk_with(Algorithm::Es256, "key_ops", json!(["deriveKey"])),
    ];
    for none in [json!({"keys": []}), json!({"keys": for_others})] {
        let result = Authenticator::from_jwks(&none.to_string(), ExpectedClaims::default());
        assert_eq!(result.err(), Some(BadKeySet::NoKeys));
    }
}

#[test]
fn key_set_with_weak_key_is_rejected() {
    assert_eq!(jwk_error(&json!({"kty": "oct", "k": URL_SAFE_NO_PAD.encode([1; 31])})), JwkError::WeakSecret);
    let small = EncodingKey::from_rsa_der(&STANDARD.decode(keys::RSA_1024).unwrap());
    let small = Signer { algorithm: Algorithm::Rs256, key: small }.jwk();
    assert_eq!(jwk_error(&small), JwkError::ModulusSize);
    let padded = [vec![0; 128], URL_SAFE_NO_PAD.decode(small["n"].as_str().unwrap()).unwrap()].concat();
    assert_eq!(
        jwk_error(&json!({"kty": "RSA", "e": "AQAB", "n": URL_SAFE_NO_PAD.encode(padded)})),
        JwkError::ModulusSize
    );
}

#[test]
fn key_set_with_unusable_key_is_rejected() {
    const RSA: &str = "RS256, RS384, RS512, PS256";
    for (jwk, fault) in [
        (json!(7), JwkError::Malformed),
        (json!({"kid": "a"}), JwkError::Malformed),
        (json!({"kty": "oct", "k": 7}), JwkError::Malformed),
        (json!({"kty": "dsa"}), JwkError::UnsupportedKind),
        (jwk_with(Algorithm::Es256, "crv", json!("P-521")), JwkError::UnsupportedKind),
        (jwk_with(Algorithm::Es256, "crv", json!("P-384")), JwkError::UnsupportedAlgorithm("ES384")),
        (jwk_with(Algorithm::EdDsa, "kty", json!("EC")), JwkError::UnsupportedKind),
        (jwk_with(Algorithm::EdDsa, "crv", json!("Ed448")), JwkError::UnsupportedKind),
        (jwk_with(Algorithm::Rs256, "alg", json!("HS256")), JwkError::UnsupportedAlgorithm(RSA)),
        (jwk_with(Algorithm::Rs256, "alg", json!("PS512")), JwkError::UnsupportedAlgorithm(RSA)),
        (jwk_with(Algorithm::Hs256, "alg", json!("none")), JwkError::UnsupportedAlgorithm("HS256")),
        (jwk_with(Algorithm::Rs256, "e", json!("")), JwkError::InvalidPublicKey),
        (jwk_with(Algorithm::Rs256, "e", json!("AQ")), JwkError::InvalidPublicKey),
        (jwk_with(Algorithm::Rs256, "e", Value::Null), JwkError::InvalidMember("e")),
        (jwk_with(Algorithm::Rs256, "n", json!("a+b/")), JwkError::InvalidMember("n")),
        (jwk_with(Algorithm::Es256, "y", json!("AA")), JwkError::InvalidPublicKey),
        (
            jwk_with(Algorithm::Es256, "y", Signer::of(Algorithm::Es256).jwk()["x"].clone()),
            JwkError::InvalidPublicKey,
        ),
        (
            jwk_with(Algorithm::Es384, "y", Signer::of(Algorithm::Es384).jwk()["x"].clone()),
            JwkError::InvalidPublicKey,
        ),
        (jwk_with(Algorithm::EdDsa, "x", json!("AA")), JwkError::InvalidPublicKey),
        // No point of the curve has the ordinate 2.
        (jwk_with(Algorithm::EdDsa, "x", json!(format!("Ag{}", "A".repeat(41)))), JwkError::InvalidPublicKey),
        (jwk_with(Algorithm::EdDsa, "x", Value::Null), JwkError::InvalidMember("x")),
        (jwk_with(Algorithm::EdDsa, "d", json!("AA")), JwkError::PrivateKey),
    ] {
        assert_eq!(jwk_error(&jwk), fault, "{jwk}");
    }
}

#[test]
fn each_key_is_bound_to_one_algorithm() {
    for (algorithm, others) in [
        (Algorithm::Rs256, vec![Algorithm::Rs384, Algorithm::Rs512, Algorithm::Ps256]),
        (Algorithm::Ps256, vec![Algorithm::Rs256]),
        (Algorithm::Es384, vec![]),
    ] {
        let mut jwk = Signer::of(algorithm).jwk();
        let named = authenticator_with(&[jwk.clone()], ExpectedClaims::default());
        assert!(named.check_token(&Signer::of(algorithm).sign(&claims())).is_ok());
        for other in others {
            let header = json!({"alg": other.as_str(), "kid": algorithm.as_str()}).to_string();
            let token = Signer::of(other).sign_text(&header, &claims().to_string());
            assert_eq!(named.check_token(&token), Err(CredentialError::WrongAlgorithm(algorithm)));
        }
        jwk.as_object_mut().unwrap().remove("alg");
        let result = authenticator_with(&[jwk], ExpectedClaims::default())
            .check_token(&Signer::of(algorithm).sign(&claims()));
        assert_eq!(
            result.is_ok(),
            algorithm != Algorithm::Ps256,
            "a key without alg is for the first algorithm of its kind"
        );
    }
}

#[test]
fn key_set_error_names_the_key_but_not_its_material() {
    let good = Signer::of(Algorithm::Hs256).jwk();
    let short = json!({"kty": "oct", "kid": "short", "k": "c2VjcmV0"});
    let error =
        Authenticator::from_jwks(&json!({"keys": [good, short]}).to_string(), ExpectedClaims::default())
            .unwrap_err()
            .to_string();
    assert_eq!(error, "key 1 of the key set (kid short) is too weak: expected a secret of 256 bits or more");
    let twice = json!({"keys": [good, good]}).to_string();
    let error = Authenticator::from_jwks(&twice, ExpectedClaims::default()).unwrap_err();
    assert!(matches!(error, BadKeySet::Key { index: 1, fault: JwkError::DuplicateKid, .. }));
}

#[test]
fn debug_output_hides_key_material() {
    let shown = format!("{:?}", authenticator());
    assert!(shown.contains("ES256") && shown.contains("Hs256"));
    for signer in Signer::all() {
        let jwk = signer.jwk();
        let material = ["n", "x", "y", "k"].iter().filter_map(|member| jwk[*member].as_str());
        assert!(material.into_iter().all(|text| !shown.contains(text)));
    }
    let secret = format!("{:?}", keys::SECRET);
    assert!(!shown.contains(secret.trim_matches(['[', ']'])));
}

#[test]
fn encryption_key_in_key_set_is_skipped() {
    let mut set = vec![jwk_with(Algorithm::Rs256, "use", json!("enc"))];
    set.push(jwk_with(Algorithm::Es256, "use", json!("sig")));
    let authenticator = authenticator_with(&set, ExpectedClaims::default());
    assert!(authenticator.check_token(&Signer::of(Algorithm::Es256).sign(&claims())).is_ok());
    let skipped = authenticator.check_token(&Signer::of(Algorithm::Rs256).sign(&claims()));
    assert_eq!(skipped, Err(CredentialError::UnknownKey));
}
