//! A Keystone that validates tokens.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

fn with_member(mut response: Value, member: &str, value: Value) -> Value {
    response["token"][member] = value;
    response
}

#[tokio::test]
async fn opaque_token_is_validated_by_keystone() {
    let issuer = Issuer::start().await;
    let now = Timestamp::now();
    issuer.set_response(200, keystone_token(now.plus(Duration::from_hours(1))));
    for end in ["", "/", "/v3", "/v3/"] {
        let authenticator = authenticator_with_keystone(&format!("{}{end}", issuer.url()));
        let caller = authenticate(&authenticator, OPAQUE_TOKEN, now).await.unwrap();
        let expected = Caller {
            tenant: "own1".parse().unwrap(),
            account: Some("default".to_owned()),
            user: Some("u-1".to_owned()),
            access_key: None,
            role: Role::Member,
        };
        assert_eq!(caller, expected);
        let requests = issuer.take_requests();
        assert_eq!((requests.len(), requests[0].uri().path()), (1, "/v3/auth/tokens"));
        for name in ["x-auth-token", "x-subject-token"] {
            assert_eq!(requests[0].headers()[name], HeaderValue::from_static(OPAQUE_TOKEN));
        }
        assert_eq!(requests[0].headers()["openstack-identity-access-rules"], "1.0");
    }
}

#[tokio::test]
async fn keystone_validation_is_cached_for_a_minute_or_until_expiry() {
    let issuer = Issuer::start().await;
    let authenticator = authenticator_with_keystone(&issuer.url());
    let now = Timestamp::now();
    issuer.set_response(200, keystone_token(now.plus(Duration::from_secs(90))));
    for second in [0, 1, 59] {
        assert!(
            authenticate(&authenticator, OPAQUE_TOKEN, now.plus(Duration::from_secs(second))).await.is_ok()
        );
    }
    assert_eq!(issuer.take_requests().len(), 1);
    assert!(!format!("{authenticator:?}").contains("gAAAA"));
    assert!(authenticate(&authenticator, OPAQUE_TOKEN, now.plus(Duration::from_mins(1))).await.is_ok());
    issuer.set_response(404, Value::Null);
    let expired = now.plus(Duration::from_secs(91));
    assert_eq!(
        authenticate(&authenticator, OPAQUE_TOKEN, expired).await,
        Err(CredentialError::UnknownToken.into()),
        "revoked"
    );
}

#[tokio::test]
async fn keystone_refusal_is_final_and_keystone_failure_is_retried() {
    let issuer = Issuer::start().await;
    let authenticator = authenticator_with_keystone(&issuer.url());
    let now = Timestamp::now();
    let good = keystone_token(now.plus(Duration::from_hours(1)));
    for (status, body, refusal) in [
        (200, with_member(good.clone(), "project", Value::Null), CredentialError::NoProject),
        (200, with_member(good.clone(), "roles", json!([{"name": "auditor"}])), CredentialError::NoRole),
        (200, keystone_token(now), CredentialError::Expired),
    ] {
        issuer.set_response(status, body);
        assert_eq!(authenticate(&authenticator, OPAQUE_TOKEN, now).await, Err(refusal.into()));
    }
    for (status, body) in [
        (500, Value::Null),
        (403, Value::Null),
        (302, good.clone()),
        (200, json!({})),
        (200, with_member(good.clone(), "expires_at", json!("soon"))),
        (200, json!("x".repeat(2_000_000))),
    ] {
        issuer.set_response(status, body);
        assert!(
            matches!(
                authenticate(&authenticator, OPAQUE_TOKEN, now).await,
                Err(AuthError::IssuerUnavailable(_))
            ),
            "{status}"
        );
    }
    issuer.set_response(200, good);
    assert!(authenticate(&authenticator, OPAQUE_TOKEN, now).await.is_ok());
}

/// A function's response to a request with a token that Keystone describes in this way.
async fn response_to(described: Value, method: &str, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let issuer = Issuer::start().await;
    issuer.set_response(200, described);
    let function = HttpFunction::new(
        LocalService::start(Limits::default()).service,
        authenticator_with_keystone(&issuer.url()),
    );
    let mut event = HttpEvent::new(&format!("{method} {path}"), path).token(OPAQUE_TOKEN);
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
async fn access_rules_restrict_a_token() {
    let good = keystone_token(Timestamp::now().plus(Duration::from_hours(1)));
    let with_rules = |rules: Value| {
        with_member(good.clone(), "application_credential", json!({"id": "c", "access_rules": rules}))
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
        // Access rules that cannot be parsed cannot be enforced.
        (json!([{"path": "/v2/images"}]), 503),
    ] {
        let response = response_to(with_rules(rules.clone()), "GET", "/v2/images", &[]).await;
        assert_eq!(response.0, status, "{rules} {response:?}");
    }
}

#[tokio::test]
async fn unscoped_token_is_forbidden_unless_system_admin() {
    let good = keystone_token(Timestamp::now().plus(Duration::from_hours(1)));
    let unscoped = with_member(good.clone(), "project", Value::Null);
    let system = with_member(unscoped.clone(), "system", json!({"all": true}));
    let admin = with_member(system.clone(), "roles", json!([{"name": "admin"}, {"name": "reader"}]));
    let domain_admin = with_member(unscoped.clone(), "roles", json!([{"name": "admin"}]));
    for (described, status) in
        [(&good, 200), (&unscoped, 403), (&system, 403), (&domain_admin, 403), (&admin, 200)]
    {
        let response = response_to(described.clone(), "GET", "/v2/images", &[]).await;
        assert_eq!(response.0, status, "{described} {response:?}");
    }
    let headers = [("x-project-id", "own7")];
    let (status, image) = response_to(admin.clone(), "POST", "/v2/images", &headers).await;
    assert!(status == 201 && image.contains(r#""owner":"own7""#), "{image}");
    assert_eq!(response_to(admin, "GET", "/v2/images", &[("x-project-id", "a b")]).await.0, 403);
    // Only an admin may choose a project.
    let (_, image) = response_to(good, "POST", "/v2/images", &headers).await;
    assert!(image.contains(r#""owner":"own1""#), "{image}");
}

#[tokio::test]
async fn keystone_revokes_its_own_tokens() {
    let issuer = Issuer::start().await;
    let authenticator =
        authenticator().with_keystone(&issuer.url(), &CertificateAuthorities::default()).unwrap();
    let store = LocalService::start(Limits::default()).service.store;
    let now = Timestamp::now();
    issuer.set_response(200, keystone_token(now.plus(Duration::from_hours(1))));
    assert!(authenticate(&authenticator, OPAQUE_TOKEN, now).await.is_ok());
    issuer.take_requests();
    issuer.set_response(204, Value::Null);
    assert_eq!(authenticator.revoke(OPAQUE_TOKEN, &store, now).await, Ok(()));
    let requests = issuer.take_requests();
    assert_eq!((requests[0].method().as_str(), requests[0].uri().path()), ("DELETE", "/v3/auth/tokens"));
    for name in ["x-auth-token", "x-subject-token"] {
        assert_eq!(requests[0].headers()[name], HeaderValue::from_static(OPAQUE_TOKEN));
    }
    assert_eq!(
        authenticate(&authenticator, OPAQUE_TOKEN, now).await,
        Err(CredentialError::UnknownToken.into())
    );
    assert!(issuer.take_requests().is_empty(), "the refusal is cached");
    issuer.set_response(404, Value::Null);
    assert_eq!(authenticator.revoke("other", &store, now).await, Err(CredentialError::UnknownToken.into()));
    issuer.set_response(500, Value::Null);
    assert!(matches!(authenticator.revoke("other", &store, now).await, Err(AuthError::IssuerUnavailable(_))));
    let signed = Deployment::token("p1", "member");
    issuer.take_requests();
    assert_eq!(authenticator.revoke(&signed, &store, now).await, Err(CredentialError::NotRevocable.into()));
    assert!(issuer.take_requests().is_empty());
}

#[tokio::test]
async fn unknown_token_is_sent_to_keystone_once_in_ten_seconds() {
    let issuer = Issuer::start().await;
    let now = Timestamp::now();
    for status in [401, 404] {
        let authenticator = authenticator_with_keystone(&issuer.url());
        issuer.set_response(200, keystone_token(now.plus(Duration::from_hours(1))));
        assert!(authenticate(&authenticator, "good", now).await.is_ok());
        issuer.set_response(status, Value::Null);
        issuer.take_requests();
        for second in 0..20 {
            let refused =
                authenticate(&authenticator, OPAQUE_TOKEN, now.plus(Duration::from_secs(second))).await;
            assert_eq!(refused, Err(CredentialError::UnknownToken.into()));
        }
        assert_eq!(issuer.take_requests().len(), 2);
        assert!(authenticate(&authenticator, "good", now).await.is_ok(), "good ones are remembered apart");
    }
}

#[tokio::test]
async fn too_long_token_is_not_sent_to_keystone() {
    let issuer = Issuer::start().await;
    let authenticator = authenticator_with_keystone(&issuer.url());
    let store = LocalService::start(Limits::default()).service.store;
    let long = "x".repeat(8 * 1024 + 1);
    let refused = authenticator.token_bearer(&long, &store, Timestamp::now()).await;
    assert_eq!((refused, issuer.take_requests().len()), (Err(CredentialError::TooLong.into()), 0));
}

#[tokio::test]
async fn locally_verified_token_is_not_sent_to_keystone() {
    let issuer = Issuer::start().await;
    let authenticator =
        authenticator().with_keystone(&issuer.url(), &CertificateAuthorities::default()).unwrap();
    let good = Deployment::token("p1", "member");
    assert!(authenticate(&authenticator, &good, Timestamp::now()).await.is_ok());
    let (message, _) = good.rsplit_once('.').unwrap();
    let forged = authenticate(&authenticator, &format!("{message}.AAAA"), Timestamp::now()).await;
    assert_eq!(forged, Err(CredentialError::InvalidSignature.into()));
    assert_eq!(issuer.take_requests().len(), 0);
    let foreign = authenticate(&authenticator, &token("keystones"), Timestamp::now()).await;
    assert_eq!((foreign, issuer.take_requests().len()), (Err(CredentialError::UnknownToken.into()), 1));
}

/// Reads a request without a body. Returns whether there was one.
async fn read_request_head(stream: &mut TcpStream) -> bool {
    let (mut read, mut work_item) = (Vec::new(), [0; 1024]);
    while !read.ends_with(b"\r\n\r\n") {
        match stream.read(&mut work_item).await {
            Ok(length @ 1..) => read.extend_from_slice(&work_item[..length]),
            _ => return false,
        }
    }
    true
}

/// A Keystone that responds to one request per connection, keeps the connection open, and closes it at the next
/// request.
async fn keystone_that_breaks_kept_connections(response: Value) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let body = response.to_string();
            tokio::spawn(async move {
                if read_request_head(&mut stream).await {
                    let response = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
                    stream.write_all(response.as_bytes()).await.unwrap();
                    read_request_head(&mut stream).await;
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn broken_kept_alive_connection_to_keystone_is_retried() {
    let now = Timestamp::now();
    let address =
        keystone_that_breaks_kept_connections(keystone_token(now.plus(Duration::from_hours(1)))).await;
    let authenticator = authenticator_with_keystone(&format!("http://{address}"));
    for token in ["one", "two", "three"] {
        let admitted = authenticate(&authenticator, token, now).await;
        assert!(admitted.is_ok(), "{token}: {admitted:?}");
    }
}
