//! Signatures of real clients are verified, and nothing that differs from them.

use std::time::Duration;

use http::HeaderValue;
use imageshare::auth::signature::{self, SignatureError as Fault, SignedRequest};
use imageshare::domain::Timestamp;
use imageshare_tests::signature_vectors::{SECRET, SignatureVector, query_parameters, verify_request};
use imageshare_tests::signer::{Signer, UnsignedRequest};
use proptest::prelude::*;

#[test]
fn recorded_request_is_valid_within_15_minutes() {
    let vectors = SignatureVector::load_all();
    assert_eq!(vectors.len(), 9);
    let skew = Duration::from_mins(15);
    for vector in vectors {
        let date = vector.date();
        for now in [date, date.plus(skew), date.minus(skew)] {
            assert_eq!(vector.verify(SECRET, now), Ok(true), "{}", vector.name);
        }
        let second = Duration::from_secs(1);
        for now in [date.plus(skew + second), date.minus(skew + second)] {
            assert_eq!(vector.verify(SECRET, now), Err(Fault::Expired), "{}", vector.name);
        }
        assert_eq!(vector.verify("sk-own2", date), Ok(false), "{}", vector.name);
    }
}

#[test]
fn signature_of_a_decoded_path_is_valid() {
    let signer = test_signer();
    let request = UnsignedRequest::new("GET", "/v1/own 1/jobs/ü+*");
    let mut wire = signer.sign_access(&request, &["host"]);
    assert_eq!(wire.path, "/v1/own%201/jobs/%C3%BC%2B%2A");
    assert_eq!(verify_request(&wire, false, SECRET, signer.date), Ok(true));
    wire.path.clone_from(&request.path);
    assert_eq!(verify_request(&wire, false, SECRET, signer.date), Ok(true));
}

/// The expected error of a change: the signature does not match, unless an earlier check fails.
fn check_at_own_date(vector: &SignatureVector) -> Result<bool, Fault> {
    SignatureVector { ..vector.clone() }.verify(
        SECRET,
        SignatureVector::load_all().into_iter().find(|v| v.name == vector.name).unwrap().date(),
    )
}

fn header_value<'a>(vector: &'a SignatureVector, name: &str) -> &'a str {
    vector.request.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
}

#[test]
fn recorded_request_with_changed_body_is_rejected() {
    for vector in SignatureVector::load_all().into_iter().filter(|vector| !vector.is_rpc()) {
        let mut other = vector.clone();
        match other.request.body.first_mut() {
            Some(byte) => *byte ^= 1,
            None => other.request.body.push(b' '),
        }
        let expected = if vector.is_alibaba() { Err(Fault::BodyMismatch) } else { Ok(false) };
        assert_eq!(check_at_own_date(&other), expected, "{}", vector.name);
        if !vector.request.body.is_empty() {
            let mut shorter = vector.clone();
            shorter.request.body.pop();
            assert_eq!(check_at_own_date(&shorter), Ok(false), "{}", vector.name);
        }
    }
}

#[test]
fn recorded_request_with_changed_request_line_is_rejected() {
    for vector in SignatureVector::load_all() {
        let changed = |change: &dyn Fn(&mut SignatureVector)| {
            let mut other = vector.clone();
            change(&mut other);
            assert_eq!(check_at_own_date(&other), Ok(false), "{} {other:?}", vector.name);
        };
        changed(&|other| other.request.method = "PUT".to_owned());
        changed(&|other| other.request.query.push_str("&a=b"));
        if !vector.is_rpc() {
            changed(&|other| other.request.path.push('x'));
            changed(&|other| other.request.path = other.request.path.replacen('/', "//", 1));
        }
        // A missing part of the signature itself is found before the comparison.
        let of_signature = [
            "Signature",
            "SignatureMethod",
            "SignatureVersion",
            "SignatureNonce",
            "Timestamp",
            "AccessKeyId",
        ];
        let pairs: Vec<_> = vector.request.query.split('&').filter(|pair| !pair.is_empty()).collect();
        for place in 0..pairs.len() {
            let (name, value) = pairs[place].split_once('=').unwrap();
            let with_pair = |pair: Option<&str>| {
                let others =
                    pairs.iter().enumerate().filter(|(other, _)| *other != place).map(|(_, pair)| *pair);
                others.chain(pair).collect::<Vec<_>>().join("&")
            };
            if !of_signature.contains(&name) {
                changed(&|other| other.request.query = with_pair(None));
                changed(&|other| other.request.query = with_pair(Some(&format!("{name}={value}1"))));
            } else if ["SignatureNonce", "AccessKeyId"].contains(&name) {
                changed(&|other| other.request.query = with_pair(Some(&format!("{name}={value}1"))));
            }
            changed(&|other| other.request.query = with_pair(Some(&format!("{}&{name}1=", pairs[place]))));
        }
    }
}

#[test]
fn recorded_request_with_changed_signed_header_is_rejected() {
    for vector in SignatureVector::load_all().into_iter().filter(|vector| !vector.is_rpc()) {
        let (_, authorization) =
            vector.request.headers.iter().find(|(name, _)| name == "Authorization").unwrap().clone();
        let names = authorization.split("SignedHeaders=").nth(1).unwrap().split(',').next().unwrap();
        for name in names.split(';') {
            let mut without = vector.clone();
            without.request.remove_header(name);
            assert_eq!(
                check_at_own_date(&without),
                Err(Fault::HeaderMissing(name.to_owned())),
                "{}",
                vector.name
            );

            let mut unlisted = vector.clone();
            let fewer: Vec<_> = names.split(';').filter(|listed| *listed != name).collect();
            unlisted.request.set_header("Authorization", &authorization.replace(names, &fewer.join(";")));
            let expected = match name {
                "x-sdk-date" => Err(Fault::HeaderNotSigned(name.to_owned())),
                name if name.starts_with("x-acs-") => Err(Fault::HeaderNotSigned(name.to_owned())),
                _ => Ok(false),
            };
            assert_eq!(check_at_own_date(&unlisted), expected, "{} {name}", vector.name);

            let mut other = vector.clone();
            let (_, value) =
                vector.request.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).unwrap();
            // A second later, if it is a date.
            let changed = match value.strip_suffix("Z").filter(|_| name.ends_with("-date")) {
                Some(date) => {
                    format!("{}{}Z", &date[..date.len() - 1], if date.ends_with('9') { '8' } else { '9' })
                }
                None => format!("{value}x"),
            };
            other.request.set_header(name, &changed);
            let expected = if name == "x-acs-content-sha256" { Err(Fault::BodyMismatch) } else { Ok(false) };
            assert_eq!(check_at_own_date(&other), expected, "{} {name}", vector.name);
        }
    }
}

#[test]
fn recorded_request_with_incomplete_credential_is_rejected() {
    for vector in SignatureVector::load_all() {
        let refused = |from: &str, to: &str| {
            let mut other = vector.clone();
            for (_, value) in other.request.headers.iter_mut().filter(|(name, _)| name == "Authorization") {
                *value = value.replacen(from, to, 1);
            }
            other.request.query = other.request.query.replacen(from, to, 1);
            let refused = check_at_own_date(&other);
            assert!(matches!(refused, Err(Fault::Incomplete(_))), "{} {from} {to} {refused:?}", vector.name);
        };
        refused("Signature=", "Signatur=");
        if vector.is_rpc() {
            refused("SignatureNonce=", "SignatureNonc=");
            refused("SignatureVersion=1.0", "SignatureVersion=");
            refused("AccessKeyId=", "AccessKeyId=other&AccessKeyId=");
            refused("%3D", "*");
        } else {
            refused("SignedHeaders=", "Headers=");
            refused("Signature=", "Signature=x");
            refused("Signature=", "Signature=00, Signature=");
            let named = ["Access=", "Credential="];
            let given = header_value(&vector, "Authorization");
            let [is, other] = if given.contains(named[0]) { named } else { [named[1], named[0]] };
            refused(is, "Key=");
            if !vector.is_alibaba() {
                refused(is, &format!("{other}a, {is}"));
            }
        }
    }
}

#[test]
fn malformed_signature_date_is_rejected() {
    for vector in SignatureVector::load_all() {
        let mut other = vector.clone();
        if vector.is_rpc() {
            other.request.query = other.request.query.replacen("Timestamp=2026", "Timestamp=x026", 1);
        } else {
            let name = if vector.is_alibaba() { "x-acs-date" } else { "X-Sdk-Date" };
            other.request.set_header(name, "yesterday");
        }
        assert!(matches!(check_at_own_date(&other), Err(Fault::InvalidDate(_))), "{}", vector.name);
    }
}

#[test]
fn credential_scope_of_another_day_or_kind_is_rejected() {
    for vector in SignatureVector::load_all().into_iter().filter(|vector| vector.name.starts_with("HW-B")) {
        for scope in
            ["20261122///sdk_request", "20261121///aws4_request", "20261121//sdk_request", "20261121"]
        {
            let mut other = vector.clone();
            for (_, value) in other.request.headers.iter_mut().filter(|(name, _)| name == "Authorization") {
                *value = value.replace("20261121///sdk_request", scope);
            }
            assert!(
                matches!(check_at_own_date(&other), Err(Fault::Incomplete(_))),
                "{} {scope}",
                vector.name
            );
        }
        let mut other = vector.clone();
        for (_, value) in other.request.headers.iter_mut().filter(|(name, _)| name == "Authorization") {
            *value = value.replace("20261121///sdk_request", "20261121/eu-de//sdk_request");
        }
        assert_eq!(check_at_own_date(&other), Ok(false));
    }
}

#[test]
fn unsupported_algorithm_error_names_the_accepted_one() {
    for vector in SignatureVector::load_all().into_iter().filter(|vector| !vector.is_rpc()) {
        let accepted = if vector.is_alibaba() { "ACS3-HMAC-SHA256" } else { "SDK-HMAC-SHA256" };
        for other in
            ["SDK-HMAC-SM3", "V11-HMAC-SHA256", "SDK-ECDSA-P256-SHA256", "SDK-SM2-SM3", "ACS3-HMAC-SM3"]
        {
            let mut refused = vector.clone();
            for (_, value) in refused.request.headers.iter_mut().filter(|(name, _)| name == "Authorization") {
                *value = value.replacen(accepted, other, 1);
            }
            assert_eq!(
                check_at_own_date(&refused),
                Err(Fault::UnsupportedAlgorithm { accepted }),
                "{}",
                vector.name
            );
        }
    }
    for vector in SignatureVector::load_all().into_iter().filter(SignatureVector::is_rpc) {
        for (from, to) in [("HMAC-SHA1", "HMAC-SHA256"), ("SignatureVersion=1.0", "SignatureVersion=2.0")] {
            let mut refused = vector.clone();
            refused.request.query = refused.request.query.replace(from, to);
            assert!(
                matches!(check_at_own_date(&refused), Err(Fault::UnsupportedAlgorithm { .. })),
                "{}",
                vector.name
            );
        }
    }
}

#[test]
fn unsigned_body_is_accepted_only_for_image_data() {
    let signer = test_signer();
    let types = [
        Some("application/openstack-images-v2.1-json-patch"),
        Some("application/octet-stream"),
        Some("application/json"),
        None,
    ];
    for (method, path, expected) in [
        ("PUT", "/v2/images/i/file", Ok(true)),
        ("PUT", "/v2.7/images/i/stage", Ok(true)),
        ("POST", "/v2/images/i/file", Err(Fault::UnsignedBody)),
        ("PATCH", "/v2/images/i", Err(Fault::UnsignedBody)),
        ("PUT", "/v2/images/i/members/file", Err(Fault::UnsignedBody)),
        ("PUT", "/v1/cloudimages/members", Err(Fault::UnsignedBody)),
        ("POST", "/v1/access-keys", Err(Fault::UnsignedBody)),
        ("POST", "/", Err(Fault::UnsignedBody)),
    ] {
        for media_type in types {
            let mut request =
                UnsignedRequest::new(method, path).header("X-Sdk-Content-Sha256", "UNSIGNED-PAYLOAD");
            request.body = b"[]".to_vec();
            if let Some(media_type) = media_type {
                request = request.header("Content-Type", media_type);
            }
            for wire in [
                signer.sign_access(&request, &["host", "x-sdk-content-sha256"]),
                signer.sign_credential(&request, &["host"], "", ""),
            ] {
                let found = verify_request(&wire, false, SECRET, signer.date);
                assert_eq!(found, expected, "{method} {path} {media_type:?}");
            }
        }
    }
    let empty = UnsignedRequest::new("GET", "/v2/images").header("X-Sdk-Content-Sha256", "UNSIGNED-PAYLOAD");
    assert_eq!(verify_request(&signer.sign_access(&empty, &[]), false, SECRET, signer.date), Ok(true));
    let other = UnsignedRequest::new("GET", "/v2/images").header("X-Sdk-Content-Sha256", &"0".repeat(64));
    assert_eq!(
        verify_request(&signer.sign_access(&other, &[]), false, SECRET, signer.date),
        Err(Fault::BodyMismatch)
    );
}

#[test]
fn credential_variant_canonicalizes_query_like_its_clients() {
    let signer = test_signer();
    let sign = |method: &str, target: &str| {
        signer.sign_credential(&UnsignedRequest::new(method, target), &["host"], "", "")
    };
    for (method, target) in [
        ("GET", "/v2/images?b=2&a=1&B=3&a=0&tag=x y"),
        ("POST", "/v2/images?b=2&a=1&B=3&a=0&tag=x y"),
        ("POST", "/v2/images"),
    ] {
        assert_eq!(
            verify_request(&sign(method, target), false, SECRET, signer.date),
            Ok(true),
            "{method} {target}"
        );
    }
    let mut get = sign("GET", "/v2/images?a=1");
    get.query.push_str("&a=2");
    assert_eq!(verify_request(&get, false, SECRET, signer.date), Ok(true), "its clients sign no more");
    let mut post = sign("POST", "/v2/images?a=1");
    post.query.push_str("&a=2");
    assert_eq!(verify_request(&post, false, SECRET, signer.date), Ok(false));
    let mut spaced = signer.sign_credential(
        &UnsignedRequest::new("GET", "/").header("X-A", "a b"),
        &["x-a"],
        "eu-de",
        "ims",
    );
    spaced.set_header("X-A", "a \t  b");
    assert_eq!(verify_request(&spaced, false, SECRET, signer.date), Ok(true));
}

#[test]
fn unsigned_request_is_not_treated_as_signed() {
    for authorization in
        [None, Some("Bearer a.b.c"), Some("Basic dTpw"), Some(""), Some("sdk-hmac-sha256 Access=a")]
    {
        let mut wire = test_signer().sign_access(&UnsignedRequest::new("GET", "/"), &[]);
        wire.remove_header("Authorization");
        if let Some(value) = authorization {
            wire.set_header("Authorization", value);
        }
        for is_alibaba in [false, true] {
            assert_eq!(
                verify_request(&wire, is_alibaba, SECRET, test_signer().date),
                Ok(false),
                "{authorization:?}"
            );
        }
    }
    let headers = [("Authorization", "SDK-HMAC-SHA256 Access=a"), ("Authorization", "Bearer x")];
    let mut wire = test_signer().sign_access(&UnsignedRequest::new("GET", "/"), &[]);
    wire.headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    assert!(matches!(verify_request(&wire, false, SECRET, test_signer().date), Err(Fault::Incomplete(_))));
}

fn test_signer() -> Signer {
    let at = Timestamp::parse_iso_basic("20261121T225355Z").unwrap();
    Signer { key_id: "ak-own1".to_owned(), secret: SECRET.to_owned(), date: at }
}

fn any_request() -> impl Strategy<Value = UnsignedRequest> {
    let header = ("x-[a-z]{1,8}", "[!-~]{0,5}( [!-~]{1,5})?");
    let methods = prop::sample::select(vec!["GET", "POST", "PUT", "DELETE", "PATCH"]);
    let query = prop::collection::vec(("[^\0]{1,6}", "\\PC{0,8}"), 0..5);
    let body = prop::collection::vec(any::<u8>(), 0..40);
    (methods, "/[^%]{0,20}", query, prop::collection::btree_map(header.0, header.1, 0..4), body).prop_map(
        |(method, path, query, headers, body)| {
            let request =
                UnsignedRequest { method: method.to_owned(), path, query, headers: Vec::new(), body };
            headers.into_iter().fold(request, |request, (name, value)| request.header(&name, &value))
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn signed_request_is_valid_and_changed_request_is_not(request in any_request(), flip in any::<prop::sample::Index>()) {
        let signer = test_signer();
        let names: Vec<_> = request.headers.iter().map(|(name, _)| name.as_str()).collect();
        for (is_alibaba, wire) in [
            (false, signer.sign_access(&request, &names)),
            (false, signer.sign_credential(&request, &names, "", "")),
            (false, signer.sign_credential(&request, &names, "eu-de", "ims")),
            (true, signer.sign_acs3(&request, &names, "n-1")),
        ] {
            prop_assert_eq!(verify_request(&wire, is_alibaba, SECRET, signer.date), Ok(true));
            let mut other = wire.clone();
            other.body.push(0);
            prop_assert_ne!(verify_request(&other, is_alibaba, SECRET, signer.date), Ok(true));
            let mut other = wire;
            let (_, authorization) = other.headers.iter_mut().find(|(name, _)| name == "Authorization").unwrap();
            let start = authorization.find("Signature=").unwrap() + "Signature=".len();
            let place = start + flip.index(authorization.len() - start);
            let digit = if authorization[place..].starts_with('0') { "1" } else { "0" };
            authorization.replace_range(place..=place, digit);
            prop_assert_ne!(verify_request(&other, is_alibaba, SECRET, signer.date), Ok(true));
        }
        let all = signer.sign_rpc(&request.method, &request.query, "n-1");
        let headers = http::HeaderMap::new();
        let rpc = SignedRequest { method: &request.method, path: "/", query: "", headers: &headers, body: b"" };
        let own = |name: &str| request.query.iter().any(|(known, _)| known == name);
        prop_assume!(!own("Signature"));
        prop_assert!(signature::parse_rpc(&rpc, &all, signer.date).unwrap().unwrap().is_signed_with(SECRET));
        let mut fewer = all.clone();
        fewer.remove(flip.index(all.len()));
        let refused = signature::parse_rpc(&rpc, &fewer, signer.date);
        prop_assert!(!refused.is_ok_and(|signed| signed.is_some_and(|signed| signed.is_signed_with(SECRET))));
    }

    #[test]
    fn arbitrary_request_is_parsed_without_panic(
        algorithm in "(SDK-HMAC-SHA256|ACS3-HMAC-SHA256|SDK-SM2-SM3|[A-Z0-9-]{0,9})",
        fields in "( |,|=|;|/|Access|Credential|SignedHeaders|Signature|x-sdk-date|x-acs-date|host|[ -~]{1,3}){0,12}",
        date in "(20261121T225355Z|2026-11-21T22:53:55Z|[0-9TZ:+-]{0,20}|\\PC{0,10})",
        path in "\\PC{0,20}", query in "\\PC{0,40}", body in prop::collection::vec(any::<u8>(), 0..20),
        parameters_of in "(AccessKeyId|Signature|SignatureMethod|SignatureVersion|Timestamp|SignatureNonce|=|&|HMAC-SHA1|1.0|[ -~]{1,3}){0,20}",
    ) {
        let mut headers = http::HeaderMap::new();
        headers.insert("authorization", HeaderValue::from_str(&format!("{algorithm} {fields}")).unwrap());
        if let Ok(value) = HeaderValue::from_bytes(date.as_bytes()) {
            headers.insert("x-sdk-date", value.clone());
            headers.insert("x-acs-date", value);
        }
        let request = SignedRequest { method: "POST", path: &path, query: &query, headers: &headers, body: &body };
        let now = test_signer().date;
        for signed in [signature::parse(&request, now), signature::parse_rpc(&request, &query_parameters(&query), now)] {
            prop_assert!(!signed.is_ok_and(|signed| signed.is_some_and(|signed| signed.is_signed_with(SECRET))));
        }
        headers.remove("authorization");
        let request = SignedRequest { method: "POST", path: &path, query: &query, headers: &headers, body: &body };
        let _ = signature::parse_rpc(&request, &query_parameters(&parameters_of), now);
    }
}
