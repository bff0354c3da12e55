//! Key sets that are taken, and those that are refused.

use super::*;

fn changed(algorithm: Algorithm, member: &str, value: Value) -> Value {
    let mut jwk = Signer::of(algorithm).jwk();
    jwk[member] = value;
    jwk
}

#[test]
fn without_a_key_for_signatures_is_refused() {
    for not_a_set in ["", "[]", "{}", r#"{"keys":{}}"#, "{\"keys\":[]"] {
        let refused = Authenticator::from_jwks(not_a_set, Expectations::default());
        assert!(matches!(refused, Err(BadKeySet::NotAKeySet { .. })), "{not_a_set}");
    }
    let for_others = [
        changed(Algorithm::Rs256, "use", json!("enc")),
        changed(Algorithm::Es256, "key_ops", json!(["deriveKey"])),
    ];
    for none in [json!({"keys": []}), json!({"keys": for_others})] {
        let refused = Authenticator::from_jwks(&none.to_string(), Expectations::default());
        assert_eq!(refused.err(), Some(BadKeySet::NoKeys));
    }
}

#[test]
fn with_a_weak_key_is_refused() {
    assert_eq!(
        refusal_of(&json!({"kty": "oct", "k": URL_SAFE_NO_PAD.encode([1; 31])})),
        KeyFault::WeakSecret
    );
    let small = EncodingKey::from_rsa_der(&STANDARD.decode(keys::RSA_1024).unwrap());
    let small = Signer { algorithm: Algorithm::Rs256, key: small }.jwk();
    assert_eq!(refusal_of(&small), KeyFault::ModulusSize);
    let padded = [vec![0; 128], URL_SAFE_NO_PAD.decode(small["n"].as_str().unwrap()).unwrap()].concat();
    assert_eq!(
        refusal_of(&json!({"kty": "RSA", "e": "AQAB", "n": URL_SAFE_NO_PAD.encode(padded)})),
        KeyFault::ModulusSize
    );
}

#[test]
fn with_an_unusable_key_is_refused() {
    const RSA: &str = "RS256, RS384, RS512, PS256";
    for (jwk, fault) in [
        (json!(7), KeyFault::Malformed),
        (json!({"kid": "a"}), KeyFault::Malformed),
        (json!({"kty": "oct", "k": 7}), KeyFault::Malformed),
        (json!({"kty": "dsa"}), KeyFault::UnsupportedKind),
        (changed(Algorithm::Es256, "crv", json!("P-521")), KeyFault::UnsupportedKind),
        (changed(Algorithm::Es256, "crv", json!("P-384")), KeyFault::UnsupportedAlgorithm("ES384")),
        (changed(Algorithm::EdDsa, "kty", json!("EC")), KeyFault::UnsupportedKind),
        (changed(Algorithm::EdDsa, "crv", json!("Ed448")), KeyFault::UnsupportedKind),
        (changed(Algorithm::Rs256, "alg", json!("HS256")), KeyFault::UnsupportedAlgorithm(RSA)),
        (changed(Algorithm::Rs256, "alg", json!("PS512")), KeyFault::UnsupportedAlgorithm(RSA)),
        (changed(Algorithm::Hs256, "alg", json!("none")), KeyFault::UnsupportedAlgorithm("HS256")),
        (changed(Algorithm::Rs256, "e", json!("")), KeyFault::Invalid),
        (changed(Algorithm::Rs256, "e", json!("AQ")), KeyFault::Invalid),
        (changed(Algorithm::Rs256, "e", Value::Null), KeyFault::Member("e")),
        (changed(Algorithm::Rs256, "n", json!("a+b/")), KeyFault::Member("n")),
        (changed(Algorithm::Es256, "y", json!("AA")), KeyFault::Invalid),
        (changed(Algorithm::Es256, "y", Signer::of(Algorithm::Es256).jwk()["x"].clone()), KeyFault::Invalid),
        (changed(Algorithm::EdDsa, "x", json!("AA")), KeyFault::Invalid),
        (changed(Algorithm::EdDsa, "x", Value::Null), KeyFault::Member("x")),
        (changed(Algorithm::EdDsa, "d", json!("AA")), KeyFault::Private),
    ] {
        assert_eq!(refusal_of(&jwk), fault, "{jwk}");
    }
}

#[test]
fn binds_a_key_to_one_algorithm() {
    for (algorithm, others) in [
        (Algorithm::Rs256, vec![Algorithm::Rs384, Algorithm::Rs512, Algorithm::Ps256]),
        (Algorithm::Ps256, vec![Algorithm::Rs256]),
        (Algorithm::Es384, vec![]),
    ] {
        let mut jwk = Signer::of(algorithm).jwk();
        let named = authenticator_of(&[jwk.clone()], Expectations::default());
        assert!(named.take(&Signer::of(algorithm).sign(&claims())).is_ok());
        for other in others {
            let header = json!({"alg": other.name(), "kid": algorithm.name()}).to_string();
            let token = Signer::of(other).sign_text(&header, &claims().to_string());
            assert_eq!(named.take(&token), Err(Unauthenticated::WrongAlgorithm(algorithm)));
        }
        jwk.as_object_mut().unwrap().remove("alg");
        let taken =
            authenticator_of(&[jwk], Expectations::default()).take(&Signer::of(algorithm).sign(&claims()));
        assert_eq!(
            taken.is_ok(),
            algorithm != Algorithm::Ps256,
            "without alg it is for the first of its kind"
        );
    }
}

#[test]
fn names_the_key_that_is_wrong_and_shows_nothing_of_it() {
    let good = Signer::of(Algorithm::Hs256).jwk();
    let short = json!({"kty": "oct", "kid": "short", "k": "c2VjcmV0"});
    let error =
        Authenticator::from_jwks(&json!({"keys": [good, short]}).to_string(), Expectations::default())
            .unwrap_err()
            .to_string();
    assert_eq!(error, "key 1 of the key set (kid short) is too weak: expected a secret of 256 bits or more");
    let twice = json!({"keys": [good, good]}).to_string();
    let error = Authenticator::from_jwks(&twice, Expectations::default()).unwrap_err();
    assert!(matches!(error, BadKeySet::Key { index: 1, fault: KeyFault::SameKid, .. }));
}

#[test]
fn is_not_shown_by_debug() {
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
fn keeps_its_other_keys_where_one_is_for_encryption() {
    let mut set = vec![changed(Algorithm::Rs256, "use", json!("enc"))];
    set.push(changed(Algorithm::Es256, "use", json!("sig")));
    let authenticator = authenticator_of(&set, Expectations::default());
    assert!(authenticator.take(&Signer::of(Algorithm::Es256).sign(&claims())).is_ok());
    let skipped = authenticator.take(&Signer::of(Algorithm::Rs256).sign(&claims()));
    assert_eq!(skipped, Err(Unauthenticated::UnknownKey));
}
