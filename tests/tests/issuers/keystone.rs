//! A Keystone that is asked about tokens.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

fn changed(mut answer: Value, member: &str, value: Value) -> Value {
    answer["token"][member] = value;
    answer
}

#[tokio::test]
async fn an_opaque_token_is_what_keystone_says_it_is() {
    let issuer = Issuer::start().await;
    let now = Timestamp::now();
    issuer.answer(200, described(now.plus(Duration::from_hours(1))));
    for end in ["", "/", "/v3", "/v3/"] {
        let authenticator = asking(&format!("{}{end}", issuer.url()));
        let caller = bearer(&authenticator, OPAQUE, now).await.unwrap();
        let expected = Caller {
            tenant: "own1".parse().unwrap(),
            account: Some("default".to_owned()),
            user: Some("u-1".to_owned()),
            access_key: None,
            role: Role::Member,
        };
        assert_eq!(caller, expected);
        let asked = issuer.asked();
        assert_eq!((asked.len(), asked[0].uri().path()), (1, "/v3/auth/tokens"));
        for name in ["x-auth-token", "x-subject-token"] {
            assert_eq!(asked[0].headers()[name], HeaderValue::from_static(OPAQUE));
        }
        assert_eq!(asked[0].headers()["openstack-identity-access-rules"], "1.0");
    }
}

#[tokio::test]
async fn keystone_is_asked_about_a_token_once_a_minute_and_never_after_it_has_expired() {
    let issuer = Issuer::start().await;
    let authenticator = asking(&issuer.url());
    let now = Timestamp::now();
    issuer.answer(200, described(now.plus(Duration::from_secs(90))));
    for second in [0, 1, 59] {
        assert!(bearer(&authenticator, OPAQUE, now.plus(Duration::from_secs(second))).await.is_ok());
    }
    assert_eq!(issuer.asked().len(), 1);
    assert!(!format!("{authenticator:?}").contains("gAAAA"));
    assert!(bearer(&authenticator, OPAQUE, now.plus(Duration::from_mins(1))).await.is_ok());
    issuer.answer(404, Value::Null);
    let expired = now.plus(Duration::from_secs(91));
    assert_eq!(
        bearer(&authenticator, OPAQUE, expired).await,
        Err(Unauthenticated::NotIssued.into()),
        "revoked"
    );
}

#[tokio::test]
async fn what_keystone_does_not_vouch_for_is_refused_and_tried_again_where_it_does_not_answer() {
    let issuer = Issuer::start().await;
    let authenticator = asking(&issuer.url());
    let now = Timestamp::now();
    let good = described(now.plus(Duration::from_hours(1)));
    for (status, body, refusal) in [
        (200, changed(good.clone(), "project", Value::Null), Unauthenticated::NoProject),
        (200, changed(good.clone(), "roles", json!([{"name": "auditor"}])), Unauthenticated::NoRole),
        (200, described(now), Unauthenticated::Expired),
    ] {
        issuer.answer(status, body);
        assert_eq!(bearer(&authenticator, OPAQUE, now).await, Err(refusal.into()));
    }
    for (status, body) in [
        (500, Value::Null),
        (403, Value::Null),
        (302, good.clone()),
        (200, json!({})),
        (200, changed(good.clone(), "expires_at", json!("soon"))),
        (200, json!("x".repeat(2_000_000))),
    ] {
        issuer.answer(status, body);
        assert!(matches!(bearer(&authenticator, OPAQUE, now).await, Err(NotAdmitted::Issuer(_))), "{status}");
    }
    issuer.answer(200, good);
    assert!(bearer(&authenticator, OPAQUE, now).await.is_ok());
}

/// What a function says to a request with a token that Keystone describes so.
async fn status_of(described: Value, method: &str, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let issuer = Issuer::start().await;
    issuer.answer(200, described);
    let function = Function::new(LocalService::start(Limits::default()).service, asking(&issuer.url()));
    let mut event = HttpEvent::new(&format!("{method} {path}"), path).token(OPAQUE);
    for (name, value) in headers {
        event = event.header(name, value);
    }
    if method == "POST" {
        event = event.json(&json!({"name": "a"}));
    }
    let request = request::from_str(&event.build().to_string()).unwrap();
    let reply = images::handle(&function, request).await;
    let body = match reply.body() {
        lambda_http::Body::Text(text) => text.clone(),
        _ => String::new(),
    };
    (reply.status().as_u16(), body)
}

#[tokio::test]
async fn token_with_access_rules_is_good_for_what_they_allow() {
    let good = described(Timestamp::now().plus(Duration::from_hours(1)));
    let with_rules = |rules: Value| {
        changed(good.clone(), "application_credential", json!({"id": "c", "access_rules": rules}))
    };
    let rule =
        |service: &str, method: &str, path: &str| json!({"service": service, "method": method, "path": path});
    for (rules, status) in [
        (Value::Null, 200),
        (json!([rule("image", "POST", "/v2/images"), rule("image", "GET", "/v2/images")]), 200),
        (json!([rule("image", "GET", "/v2/**")]), 200),
        (json!([rule("image", "POST", "/v2/images")]), 403),
        (json!([rule("compute", "GET", "/v2/images")]), 403),
        (json!([rule("image", "GET", "/v2/images/*")]), 403),
        (json!([]), 403),
        // Rules that cannot be read are rules that cannot be enforced.
        (json!([{"path": "/v2/images"}]), 503),
    ] {
        let told = status_of(with_rules(rules.clone()), "GET", "/v2/images", &[]).await;
        assert_eq!(told.0, status, "{rules} {told:?}");
    }
}

#[tokio::test]
async fn good_token_without_a_project_is_forbidden_unless_its_bearer_administers_the_system() {
    let good = described(Timestamp::now().plus(Duration::from_hours(1)));
    let unscoped = changed(good.clone(), "project", Value::Null);
    let system = changed(unscoped.clone(), "system", json!({"all": true}));
    let admin = changed(system.clone(), "roles", json!([{"name": "admin"}, {"name": "reader"}]));
    let domain_admin = changed(unscoped.clone(), "roles", json!([{"name": "admin"}]));
    for (described, status) in
        [(&good, 200), (&unscoped, 403), (&system, 403), (&domain_admin, 403), (&admin, 200)]
    {
        let told = status_of(described.clone(), "GET", "/v2/images", &[]).await;
        assert_eq!(told.0, status, "{described} {told:?}");
    }
    let headers = [("x-project-id", "own7")];
    let (status, image) = status_of(admin.clone(), "POST", "/v2/images", &headers).await;
    assert!(status == 201 && image.contains(r#""owner":"own7""#), "{image}");
    assert_eq!(status_of(admin, "GET", "/v2/images", &[("x-project-id", "a b")]).await.0, 403);
    // Nobody else chooses.
    let (_, image) = status_of(good, "POST", "/v2/images", &headers).await;
    assert!(image.contains(r#""owner":"own1""#), "{image}");
}

#[tokio::test]
async fn keystone_revokes_its_own_tokens() {
    let issuer = Issuer::start().await;
    let authenticator = authenticator().with_keystone(&issuer.url(), &Authorities::default()).unwrap();
    let store = LocalService::start(Limits::default()).service.store;
    let now = Timestamp::now();
    issuer.answer(200, described(now.plus(Duration::from_hours(1))));
    assert!(bearer(&authenticator, OPAQUE, now).await.is_ok());
    issuer.asked();
    issuer.answer(204, Value::Null);
    assert_eq!(authenticator.revoke(OPAQUE, &store, now).await, Ok(()));
    let asked = issuer.asked();
    assert_eq!((asked[0].method().as_str(), asked[0].uri().path()), ("DELETE", "/v3/auth/tokens"));
    for name in ["x-auth-token", "x-subject-token"] {
        assert_eq!(asked[0].headers()[name], HeaderValue::from_static(OPAQUE));
    }
    assert_eq!(bearer(&authenticator, OPAQUE, now).await, Err(Unauthenticated::NotIssued.into()));
    assert!(issuer.asked().is_empty(), "it is known to be none");
    issuer.answer(404, Value::Null);
    assert_eq!(authenticator.revoke("other", &store, now).await, Err(Unauthenticated::NotIssued.into()));
    issuer.answer(500, Value::Null);
    assert!(matches!(authenticator.revoke("other", &store, now).await, Err(NotAdmitted::Issuer(_))));
    let signed = World::token("p1", "member");
    issuer.asked();
    assert_eq!(authenticator.revoke(&signed, &store, now).await, Err(Unauthenticated::CannotRevoke.into()));
    assert!(issuer.asked().is_empty());
}

#[tokio::test]
async fn keystone_is_asked_once_in_ten_seconds_about_a_token_that_it_does_not_know() {
    let issuer = Issuer::start().await;
    let now = Timestamp::now();
    for status in [401, 404] {
        let authenticator = asking(&issuer.url());
        issuer.answer(200, described(now.plus(Duration::from_hours(1))));
        assert!(bearer(&authenticator, "good", now).await.is_ok());
        issuer.answer(status, Value::Null);
        issuer.asked();
        for second in 0..20 {
            let refused = bearer(&authenticator, OPAQUE, now.plus(Duration::from_secs(second))).await;
            assert_eq!(refused, Err(Unauthenticated::NotIssued.into()));
        }
        assert_eq!(issuer.asked().len(), 2);
        assert!(bearer(&authenticator, "good", now).await.is_ok(), "good ones are remembered apart");
    }
}

#[tokio::test]
async fn a_token_that_is_too_long_is_not_asked_about() {
    let issuer = Issuer::start().await;
    let authenticator = asking(&issuer.url());
    let store = LocalService::start(Limits::default()).service.store;
    let long = "x".repeat(8 * 1024 + 1);
    let refused = authenticator.token_bearer(&long, &store, Timestamp::now()).await;
    assert_eq!((refused, issuer.asked().len()), (Err(Unauthenticated::TooLong.into()), 0));
}

#[tokio::test]
async fn keystone_is_not_asked_about_tokens_that_the_keys_tell_of() {
    let issuer = Issuer::start().await;
    let authenticator = authenticator().with_keystone(&issuer.url(), &Authorities::default()).unwrap();
    let good = World::token("p1", "member");
    assert!(bearer(&authenticator, &good, Timestamp::now()).await.is_ok());
    let (message, _) = good.rsplit_once('.').unwrap();
    let forged = bearer(&authenticator, &format!("{message}.AAAA"), Timestamp::now()).await;
    assert_eq!(forged, Err(Unauthenticated::BadSignature.into()));
    assert_eq!(issuer.asked().len(), 0);
    let foreign = bearer(&authenticator, &token("keystones"), Timestamp::now()).await;
    assert_eq!((foreign, issuer.asked().len()), (Err(Unauthenticated::NotIssued.into()), 1));
}

/// Reads a request without a body. Whether there was one.
async fn is_asked(stream: &mut TcpStream) -> bool {
    let (mut read, mut piece) = (Vec::new(), [0; 1024]);
    while !read.ends_with(b"\r\n\r\n") {
        match stream.read(&mut piece).await {
            Ok(length @ 1..) => read.extend_from_slice(&piece[..length]),
            _ => return false,
        }
    }
    true
}

/// A Keystone that answers one request of each connection, keeps that open, and breaks it when it is asked again.
async fn that_breaks_what_it_kept(answer: Value) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let body = answer.to_string();
            tokio::spawn(async move {
                if is_asked(&mut stream).await {
                    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
                    stream.write_all(answer.as_bytes()).await.unwrap();
                    is_asked(&mut stream).await;
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn keystone_is_asked_anew_where_a_connection_that_was_kept_has_broken() {
    let now = Timestamp::now();
    let address = that_breaks_what_it_kept(described(now.plus(Duration::from_hours(1)))).await;
    let authenticator = asking(&format!("http://{address}"));
    for token in ["one", "two", "three"] {
        let admitted = bearer(&authenticator, token, now).await;
        assert!(admitted.is_ok(), "{token}: {admitted:?}");
    }
}
