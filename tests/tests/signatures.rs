//! Signatures: those of real clients are believed, and nothing that differs from them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::time::Duration;

use http::HeaderValue;
use imageshare::auth::signature::{self, SignatureFault as Fault, SignedRequest};
use imageshare::domain::Timestamp;
use imageshare_tests::signer::{Signer, Unsigned};
use imageshare_tests::vectors::{SECRET, Vector, check, parameters};
use proptest::prelude::*;

#[test]
fn every_recorded_request_is_believed_at_its_time_give_or_take_15_minutes() {
    let vectors = Vector::all();
    assert_eq!(vectors.len(), 9);
    let skew = Duration::from_mins(15);
    for vector in vectors {
        let date = vector.date();
        for now in [date, date.plus(skew), date.minus(skew)] {
            assert_eq!(vector.check(SECRET, now), Ok(true), "{}", vector.name);
        }
        let second = Duration::from_secs(1);
        for now in [date.plus(skew + second), date.minus(skew + second)] {
            assert_eq!(vector.check(SECRET, now), Err(Fault::Expired), "{}", vector.name);
        }
        assert_eq!(vector.check("sk-own2", date), Ok(false), "{}", vector.name);
    }
}

#[test]
fn a_path_that_the_gateway_decoded_is_believed_all_the_same() {
    let signer = signer();
    let request = Unsigned::new("GET", "/v1/own 1/jobs/ü+*");
    let mut wire = signer.access(&request, &["host"]);
    assert_eq!(wire.path, "/v1/own%201/jobs/%C3%BC%2B%2A");
    assert_eq!(check(&wire, false, SECRET, signer.at), Ok(true));
    wire.path.clone_from(&request.path);
    assert_eq!(check(&wire, false, SECRET, signer.at), Ok(true));
}

/// What a change comes to: a signature that does not match, unless something is noticed before.
fn refusal(vector: &Vector) -> Result<bool, Fault> {
    Vector { ..vector.clone() }
        .check(SECRET, Vector::all().into_iter().find(|v| v.name == vector.name).unwrap().date())
}

fn wire_text<'a>(vector: &'a Vector, name: &str) -> &'a str {
    vector.wire.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
}

#[test]
fn a_recorded_request_with_another_body_is_refused() {
    for vector in Vector::all().into_iter().filter(|vector| !vector.is_rpc()) {
        let mut other = vector.clone();
        match other.wire.body.first_mut() {
            Some(byte) => *byte ^= 1,
            None => other.wire.body.push(b' '),
        }
        let expected = if vector.is_alibaba() { Err(Fault::OtherBody) } else { Ok(false) };
        assert_eq!(refusal(&other), expected, "{}", vector.name);
        if !vector.wire.body.is_empty() {
            let mut shorter = vector.clone();
            shorter.wire.body.pop();
            assert_eq!(refusal(&shorter), Ok(false), "{}", vector.name);
        }
    }
}

#[test]
fn a_recorded_request_with_another_method_path_or_query_is_refused() {
    for vector in Vector::all() {
        let changed = |change: &dyn Fn(&mut Vector)| {
            let mut other = vector.clone();
            change(&mut other);
            assert_eq!(refusal(&other), Ok(false), "{} {other:?}", vector.name);
        };
        changed(&|other| other.wire.method = "PUT".to_owned());
        changed(&|other| other.wire.query.push_str("&a=b"));
        if !vector.is_rpc() {
            changed(&|other| other.wire.path.push('x'));
            changed(&|other| other.wire.path = other.wire.path.replacen('/', "//", 1));
        }
        // What belongs to the signature itself is missed before it is compared.
        let of_signature = [
            "Signature",
            "SignatureMethod",
            "SignatureVersion",
            "SignatureNonce",
            "Timestamp",
            "AccessKeyId",
        ];
        let pairs: Vec<_> = vector.wire.query.split('&').filter(|pair| !pair.is_empty()).collect();
        for place in 0..pairs.len() {
            let (name, value) = pairs[place].split_once('=').unwrap();
            let with = |pair: Option<&str>| {
                let others =
                    pairs.iter().enumerate().filter(|(other, _)| *other != place).map(|(_, pair)| *pair);
                others.chain(pair).collect::<Vec<_>>().join("&")
            };
            if !of_signature.contains(&name) {
                changed(&|other| other.wire.query = with(None));
                changed(&|other| other.wire.query = with(Some(&format!("{name}={value}1"))));
            } else if ["SignatureNonce", "AccessKeyId"].contains(&name) {
                changed(&|other| other.wire.query = with(Some(&format!("{name}={value}1"))));
            }
            changed(&|other| other.wire.query = with(Some(&format!("{}&{name}1=", pairs[place]))));
        }
    }
}

#[test]
fn a_recorded_request_with_another_signed_header_or_without_it_is_refused() {
    for vector in Vector::all().into_iter().filter(|vector| !vector.is_rpc()) {
        let (_, authorization) =
            vector.wire.headers.iter().find(|(name, _)| name == "Authorization").unwrap().clone();
        let names = authorization.split("SignedHeaders=").nth(1).unwrap().split(',').next().unwrap();
        for name in names.split(';') {
            let mut without = vector.clone();
            without.wire.remove(name);
            assert_eq!(refusal(&without), Err(Fault::HeaderMissing(name.to_owned())), "{}", vector.name);

            let mut unlisted = vector.clone();
            let fewer: Vec<_> = names.split(';').filter(|listed| *listed != name).collect();
            unlisted.wire.set("Authorization", &authorization.replace(names, &fewer.join(";")));
            let expected = match name {
                "x-sdk-date" => Err(Fault::NotSigned(name.to_owned())),
                name if name.starts_with("x-acs-") => Err(Fault::NotSigned(name.to_owned())),
                _ => Ok(false),
            };
            assert_eq!(refusal(&unlisted), expected, "{} {name}", vector.name);

            let mut other = vector.clone();
            let (_, value) =
                vector.wire.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).unwrap();
            // A second later, where it is a date.
            let changed = match value.strip_suffix("Z").filter(|_| name.ends_with("-date")) {
                Some(date) => {
                    format!("{}{}Z", &date[..date.len() - 1], if date.ends_with('9') { '8' } else { '9' })
                }
                None => format!("{value}x"),
            };
            other.wire.set(name, &changed);
            let expected = if name == "x-acs-content-sha256" { Err(Fault::OtherBody) } else { Ok(false) };
            assert_eq!(refusal(&other), expected, "{} {name}", vector.name);
        }
    }
}

#[test]
fn a_recorded_request_whose_credential_is_not_whole_is_refused() {
    for vector in Vector::all() {
        let refused = |from: &str, to: &str| {
            let mut other = vector.clone();
            for (_, value) in other.wire.headers.iter_mut().filter(|(name, _)| name == "Authorization") {
                *value = value.replacen(from, to, 1);
            }
            other.wire.query = other.wire.query.replacen(from, to, 1);
            let refused = refusal(&other);
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
            let given = wire_text(&vector, "Authorization");
            let [is, other] = if given.contains(named[0]) { named } else { [named[1], named[0]] };
            refused(is, "Key=");
            if !vector.is_alibaba() {
                refused(is, &format!("{other}a, {is}"));
            }
        }
    }
}

#[test]
fn a_date_that_cannot_be_read_is_told_its_form() {
    for vector in Vector::all() {
        let mut other = vector.clone();
        if vector.is_rpc() {
            other.wire.query = other.wire.query.replacen("Timestamp=2026", "Timestamp=x026", 1);
        } else {
            let name = if vector.is_alibaba() { "x-acs-date" } else { "X-Sdk-Date" };
            other.wire.set(name, "yesterday");
        }
        assert!(matches!(refusal(&other), Err(Fault::BadDate(_))), "{}", vector.name);
    }
}

#[test]
fn a_scope_of_another_day_or_kind_is_refused() {
    for vector in Vector::all().into_iter().filter(|vector| vector.name.starts_with("HW-B")) {
        for scope in
            ["20261122///sdk_request", "20261121///aws4_request", "20261121//sdk_request", "20261121"]
        {
            let mut other = vector.clone();
            for (_, value) in other.wire.headers.iter_mut().filter(|(name, _)| name == "Authorization") {
                *value = value.replace("20261121///sdk_request", scope);
            }
            assert!(matches!(refusal(&other), Err(Fault::Incomplete(_))), "{} {scope}", vector.name);
        }
        let mut other = vector.clone();
        for (_, value) in other.wire.headers.iter_mut().filter(|(name, _)| name == "Authorization") {
            *value = value.replace("20261121///sdk_request", "20261121/eu-de//sdk_request");
        }
        assert_eq!(refusal(&other), Ok(false));
    }
}

#[test]
fn other_algorithms_are_told_which_is_accepted() {
    for vector in Vector::all().into_iter().filter(|vector| !vector.is_rpc()) {
        let accepted = if vector.is_alibaba() { "ACS3-HMAC-SHA256" } else { "SDK-HMAC-SHA256" };
        for other in
            ["SDK-HMAC-SM3", "V11-HMAC-SHA256", "SDK-ECDSA-P256-SHA256", "SDK-SM2-SM3", "ACS3-HMAC-SM3"]
        {
            let mut refused = vector.clone();
            for (_, value) in refused.wire.headers.iter_mut().filter(|(name, _)| name == "Authorization") {
                *value = value.replacen(accepted, other, 1);
            }
            assert_eq!(refusal(&refused), Err(Fault::RefusedAlgorithm { accepted }), "{}", vector.name);
        }
    }
    for vector in Vector::all().into_iter().filter(Vector::is_rpc) {
        for (from, to) in [("HMAC-SHA1", "HMAC-SHA256"), ("SignatureVersion=1.0", "SignatureVersion=2.0")] {
            let mut refused = vector.clone();
            refused.wire.query = refused.wire.query.replace(from, to);
            assert!(matches!(refusal(&refused), Err(Fault::RefusedAlgorithm { .. })), "{}", vector.name);
        }
    }
}

#[test]
fn body_is_unsigned_only_where_it_is_an_images_data() {
    let signer = signer();
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
            let mut request = Unsigned::new(method, path).header("X-Sdk-Content-Sha256", "UNSIGNED-PAYLOAD");
            request.body = b"[]".to_vec();
            if let Some(media_type) = media_type {
                request = request.header("Content-Type", media_type);
            }
            for wire in [
                signer.access(&request, &["host", "x-sdk-content-sha256"]),
                signer.credential(&request, &["host"], "", ""),
            ] {
                let found = check(&wire, false, SECRET, signer.at);
                assert_eq!(found, expected, "{method} {path} {media_type:?}");
            }
        }
    }
    let empty = Unsigned::new("GET", "/v2/images").header("X-Sdk-Content-Sha256", "UNSIGNED-PAYLOAD");
    assert_eq!(check(&signer.access(&empty, &[]), false, SECRET, signer.at), Ok(true));
    let other = Unsigned::new("GET", "/v2/images").header("X-Sdk-Content-Sha256", &"0".repeat(64));
    assert_eq!(check(&signer.access(&other, &[]), false, SECRET, signer.at), Err(Fault::OtherBody));
}

#[test]
fn the_second_variant_signs_the_first_value_and_the_query_of_a_post_without_a_body_in_its_place() {
    let signer = signer();
    let sign =
        |method: &str, target: &str| signer.credential(&Unsigned::new(method, target), &["host"], "", "");
    for (method, target) in [
        ("GET", "/v2/images?b=2&a=1&B=3&a=0&tag=x y"),
        ("POST", "/v2/images?b=2&a=1&B=3&a=0&tag=x y"),
        ("POST", "/v2/images"),
    ] {
        assert_eq!(check(&sign(method, target), false, SECRET, signer.at), Ok(true), "{method} {target}");
    }
    let mut get = sign("GET", "/v2/images?a=1");
    get.query.push_str("&a=2");
    assert_eq!(check(&get, false, SECRET, signer.at), Ok(true), "its clients sign no more");
    let mut post = sign("POST", "/v2/images?a=1");
    post.query.push_str("&a=2");
    assert_eq!(check(&post, false, SECRET, signer.at), Ok(false));
    let mut spaced =
        signer.credential(&Unsigned::new("GET", "/").header("X-A", "a b"), &["x-a"], "eu-de", "ims");
    spaced.set("X-A", "a \t  b");
    assert_eq!(check(&spaced, false, SECRET, signer.at), Ok(true));
}

#[test]
fn a_request_without_a_signature_is_none() {
    for authorization in
        [None, Some("Bearer a.b.c"), Some("Basic dTpw"), Some(""), Some("sdk-hmac-sha256 Access=a")]
    {
        let mut wire = signer().access(&Unsigned::new("GET", "/"), &[]);
        wire.remove("Authorization");
        if let Some(value) = authorization {
            wire.set("Authorization", value);
        }
        for is_alibaba in [false, true] {
            assert_eq!(check(&wire, is_alibaba, SECRET, signer().at), Ok(false), "{authorization:?}");
        }
    }
    let headers = [("Authorization", "SDK-HMAC-SHA256 Access=a"), ("Authorization", "Bearer x")];
    let mut wire = signer().access(&Unsigned::new("GET", "/"), &[]);
    wire.headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    assert!(matches!(check(&wire, false, SECRET, signer().at), Err(Fault::Incomplete(_))));
}

fn signer() -> Signer {
    let at = Timestamp::parse_basic_text("20261121T225355Z").unwrap();
    Signer { key: "ak-own1".to_owned(), secret: SECRET.to_owned(), at }
}

fn any_request() -> impl Strategy<Value = Unsigned> {
    let header = ("x-[a-z]{1,8}", "[!-~]{0,5}( [!-~]{1,5})?");
    let methods = prop::sample::select(vec!["GET", "POST", "PUT", "DELETE", "PATCH"]);
    let query = prop::collection::vec(("[^\0]{1,6}", "\\PC{0,8}"), 0..5);
    let body = prop::collection::vec(any::<u8>(), 0..40);
    (methods, "/[^%]{0,20}", query, prop::collection::btree_map(header.0, header.1, 0..4), body).prop_map(
        |(method, path, query, headers, body)| {
            let request = Unsigned { method: method.to_owned(), path, query, headers: Vec::new(), body };
            headers.into_iter().fold(request, |request, (name, value)| request.header(&name, &value))
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_signed_is_believed_and_what_is_changed_is_not(request in any_request(), flip in any::<prop::sample::Index>()) {
        let signer = signer();
        let names: Vec<_> = request.headers.iter().map(|(name, _)| name.as_str()).collect();
        for (is_alibaba, wire) in [
            (false, signer.access(&request, &names)),
            (false, signer.credential(&request, &names, "", "")),
            (false, signer.credential(&request, &names, "eu-de", "ims")),
            (true, signer.acs3(&request, &names, "n-1")),
        ] {
            prop_assert_eq!(check(&wire, is_alibaba, SECRET, signer.at), Ok(true));
            let mut other = wire.clone();
            other.body.push(0);
            prop_assert_ne!(check(&other, is_alibaba, SECRET, signer.at), Ok(true));
            let mut other = wire;
            let (_, authorization) = other.headers.iter_mut().find(|(name, _)| name == "Authorization").unwrap();
            let start = authorization.find("Signature=").unwrap() + "Signature=".len();
            let place = start + flip.index(authorization.len() - start);
            let digit = if authorization[place..].starts_with('0') { "1" } else { "0" };
            authorization.replace_range(place..=place, digit);
            prop_assert_ne!(check(&other, is_alibaba, SECRET, signer.at), Ok(true));
        }
        let all = signer.rpc(&request.method, &request.query, "n-1");
        let headers = http::HeaderMap::new();
        let rpc = SignedRequest { method: &request.method, path: "/", query: "", headers: &headers, body: b"" };
        let own = |name: &str| request.query.iter().any(|(known, _)| known == name);
        prop_assume!(!own("Signature"));
        prop_assert!(signature::read_rpc(&rpc, &all, signer.at).unwrap().unwrap().is_by(SECRET));
        let mut fewer = all.clone();
        fewer.remove(flip.index(all.len()));
        let refused = signature::read_rpc(&rpc, &fewer, signer.at);
        prop_assert!(!refused.is_ok_and(|signed| signed.is_some_and(|signed| signed.is_by(SECRET))));
    }

    #[test]
    fn any_request_is_read_or_refused_without_a_panic(
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
        let now = signer().at;
        for signed in [signature::read(&request, now), signature::read_rpc(&request, &parameters(&query), now)] {
            prop_assert!(!signed.is_ok_and(|signed| signed.is_some_and(|signed| signed.is_by(SECRET))));
        }
        headers.remove("authorization");
        let request = SignedRequest { method: "POST", path: &path, query: &query, headers: &headers, body: &body };
        let _ = signature::read_rpc(&request, &parameters(&parameters_of), now);
    }
}
