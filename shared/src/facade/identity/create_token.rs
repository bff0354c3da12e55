//! `POST /v3/auth/tokens`: issue a token for an access key, or return the token that was sent, scoped to the project of
//! the credential.
//!
//! A wrong id, a wrong secret, and a key that is disabled or has expired are the same 401. Only a caller with a valid credential learns that it
//! acts for another project than the requested one, and for which: 403.

use http::StatusCode;
use http::header::{CACHE_CONTROL, HeaderValue};
use serde_json::Value;

use super::error::{unauthenticated, wrong_scope};
use super::token::{DEFAULT_DOMAIN_NAMES, SUBJECT_TOKEN_HEADER, TokenDescription};
use crate::App;
use crate::auth::{AuthError, Authenticator, IssuedToken};
use crate::domain::{Caller, Timestamp};
use crate::http::{ApiError, HttpResponse, IncomingRequest, json_response, strict_json};
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "POST /v3/auth/tokens";

/// `{"auth":{"identity":{"methods":[…],…},"scope":{…}}}` in; the token in `X-Subject-Token` and its description out
/// (201).
pub async fn handle(authenticator: &Authenticator, incoming: &IncomingRequest) -> HttpResponse {
    create(authenticator, incoming).await.unwrap_or_else(ApiError::into_response)
}

async fn create(authenticator: &Authenticator, incoming: &IncomingRequest) -> Result<HttpResponse, ApiError> {
    let request = TokenRequest::parse(incoming.body())?;
    let now = Timestamp::now();
    let (caller, issued) = match &request.credential {
        Credential::AccessKey { id, secret } => {
            incoming.record_access_key(id);
            let store = &incoming.app.store;
            let issued = authenticator.issue_for_access_key((id, secret), store, now).await?;
            issued.ok_or_else(unauthenticated)?
        }
        Credential::Token(token) => issue_for_token(authenticator, incoming, token, now).await?,
    };
    let settings = &incoming.app.settings;
    if !request.scope.matches_caller(&incoming.app, &caller).await? {
        return Err(wrong_scope(&caller.tenant));
    }
    let wire = TokenDescription {
        method: request.credential.method(),
        caller: &caller,
        issued: issued.issued,
        expires: issued.expires,
        address: &incoming.base_url(),
        region: &settings.region,
    };
    let mut response = json_response(StatusCode::CREATED, &wire.to_json());
    let token = HeaderValue::from_str(&issued.token).map_err(|_| unauthenticated())?;
    response.headers_mut().insert(SUBJECT_TOKEN_HEADER, token);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// A token requested with a token is that same token: for the same project, with the same expiry.
async fn issue_for_token(
    authenticator: &Authenticator,
    incoming: &IncomingRequest,
    token: &str,
    now: Timestamp,
) -> Result<(Caller, IssuedToken), ApiError> {
    match authenticator.token_bearer(token, &incoming.app.store, now).await {
        Ok(bearer) => {
            let (issued, expires) = (bearer.issued.unwrap_or(now), bearer.expires);
            Ok((bearer.caller, IssuedToken { token: token.to_owned(), issued, expires }))
        }
        Err(AuthError::Credential(_)) => Err(unauthenticated()),
        Err(AuthError::Store(problem)) => Err(problem.into()),
        Err(AuthError::IssuerUnavailable(problem)) => Err(ApiError::issuer_unavailable(&problem)),
    }
}

/// The parsed request body.
#[derive(Debug, PartialEq, Eq)]
struct TokenRequest {
    credential: Credential,
    scope: Scope,
}

#[derive(PartialEq, Eq)]
enum Credential {
    AccessKey { id: String, secret: String },
    Token(String),
}

/// Shows the method of the credential, never its content.
impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.method())
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Scope {
    /// The project of the credential. A domain scope means the same: a credential acts for one project, and Open
    /// Telekom Cloud's Terraform provider requests a token of the domain beside that of the project.
    OwnProject,
    /// A project by id or name; in that domain, if there is one.
    Project { id_or_name: String, domain: Option<String> },
    /// A scope that this service does not have: the system, or no project at all.
    Unsupported,
}

impl Credential {
    fn method(&self) -> &'static str {
        match self {
            Self::AccessKey { .. } => "password",
            Self::Token(_) => "token",
        }
    }
}

impl Scope {
    /// Whether the scope is the caller's project, by its id, by the region's name as in IMS, or by its name in the
    /// directory. One read, only for the last.
    async fn matches_caller(&self, app: &App, caller: &Caller) -> Result<bool, ApiError> {
        let (id_or_name, domain) = match self {
            Self::OwnProject => return Ok(true),
            Self::Unsupported => return Ok(false),
            Self::Project { id_or_name, domain } => (id_or_name.as_str(), domain.as_deref()),
        };
        if id_or_name == caller.tenant.as_str() || id_or_name == app.settings.region {
            return Ok(true);
        }
        let entry = usecases::own_entry(app, caller).await?;
        Ok(entry.is_some_and(|entry| {
            let is_in_domain = domain.is_none_or(|domain| {
                DEFAULT_DOMAIN_NAMES.contains(&domain) || domain == entry.account.as_str()
            });
            is_in_domain && id_or_name == entry.project.as_str()
        }))
    }
}

impl TokenRequest {
    fn parse(body: &[u8]) -> Result<Self, ApiError> {
        let body = strict_json::parse(body)
            .map_err(|problem| ApiError::malformed(format!("The request body cannot be read: {problem}.")))?;
        let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let methods = body.pointer("/auth/identity/methods").and_then(Value::as_array);
        let method = match methods.map(Vec::as_slice) {
            Some([Value::String(method)]) => method.as_str(),
            _ => "",
        };
        let access_key = |id: Option<String>, secret: Option<String>| {
            Some(Credential::AccessKey { id: id?, secret: secret? })
        };
        let (credential, field, expected) = match method {
            "password" => {
                let user = |name| text(&format!("/auth/identity/password/user/{name}"));
                let credential = access_key(user("id").or_else(|| user("name")), user("password"));
                (credential, "auth.identity.password.user", "an id or name, and a password")
            }
            "application_credential" => {
                let member = |name| text(&format!("/auth/identity/application_credential/{name}"));
                let credential = access_key(member("id").or_else(|| member("name")), member("secret"));
                (credential, "auth.identity.application_credential", "an id and a secret")
            }
            "token" => {
                let token = text("/auth/identity/token/id").map(Credential::Token);
                (token, "auth.identity.token.id", "a string")
            }
            _ => (None, "auth.identity.methods", "one of password, application_credential, token"),
        };
        let credential = credential.ok_or_else(|| invalid_field(field, expected))?;
        Ok(Self { credential, scope: parse_scope(body.pointer("/auth/scope"))? })
    }
}

fn parse_scope(scope: Option<&Value>) -> Result<Scope, ApiError> {
    match scope {
        None | Some(Value::Null) => Ok(Scope::OwnProject),
        Some(Value::Object(members)) => match (members.get("project"), members.get("domain")) {
            (Some(project), _) => {
                let domain = project.get("domain").and_then(|domain| parse_id_or_name(domain, "").ok());
                Ok(Scope::Project { id_or_name: parse_id_or_name(project, "auth.scope.project")?, domain })
            }
            (None, Some(domain)) => parse_id_or_name(domain, "auth.scope.domain").map(|_| Scope::OwnProject),
            (None, None) => Ok(Scope::Unsupported),
        },
        // Keystone's word for a token without a project.
        Some(Value::String(word)) if word == "unscoped" => Ok(Scope::Unsupported),
        Some(_) => Err(invalid_field("auth.scope", "an object")),
    }
}

fn parse_id_or_name(value: &Value, field: &str) -> Result<String, ApiError> {
    let text = |name| value.get(name).and_then(Value::as_str);
    let name = text("id").or_else(|| text("name"));
    name.map(str::to_owned).ok_or_else(|| invalid_field(field, "an id or a name"))
}

fn invalid_field(field: &str, expected: &str) -> ApiError {
    ApiError::malformed(format!("{field}: expected {expected}."))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::http::any_json::near_variants;

    fn bodies() -> impl Strategy<Value = Value> {
        let user = json!({"id": "ak", "name": "ak2", "password": "sk"});
        let body = |method: &str| {
            json!({"auth": {
                "identity": {
                    "methods": [method],
                    "password": {"user": user},
                    "application_credential": {"id": "ak", "secret": "sk"},
                    "token": {"id": "t"},
                },
                "scope": {"project": {"id": "own1"}},
            }})
        };
        prop_oneof![
            near_variants(&body("password")),
            near_variants(&body("application_credential")),
            near_variants(&body("token"))
        ]
    }

    proptest! {
        #[test]
        fn token_request_is_parsed_faithfully(body in bodies(), bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = TokenRequest::parse(&bytes);
            if let Ok(TokenRequest { credential, scope }) = TokenRequest::parse(body.to_string().as_bytes()) {
                let identity = &body["auth"]["identity"];
                let (user, application_credential) = (&identity["password"]["user"], &identity["application_credential"]);
                let texts = |value: &Value, names: &[&str]| -> Vec<_> {
                    names.iter().filter_map(|name| value[name].as_str().map(str::to_owned)).collect()
                };
                match credential {
                    Credential::Token(id) => prop_assert_eq!(identity["token"]["id"].as_str(), Some(id.as_str())),
                    Credential::AccessKey { id, secret } => prop_assert!(
                        texts(user, &["id", "name"]).contains(&id) && texts(user, &["password"]).contains(&secret)
                            || texts(application_credential, &["id", "name"]).contains(&id)
                                && texts(application_credential, &["secret"]).contains(&secret)
                    ),
                }
                if let Scope::Project { id_or_name: project, .. } = scope {
                    prop_assert!(texts(&body["auth"]["scope"]["project"], &["id", "name"]).contains(&project));
                }
            }
        }
    }

    fn parse(auth: &Value) -> Result<TokenRequest, ApiError> {
        TokenRequest::parse(json!({ "auth": auth }).to_string().as_bytes())
    }

    #[test]
    fn access_key_is_user_or_application_credential() {
        let key = || Credential::AccessKey { id: "ak".to_owned(), secret: "sk".to_owned() };
        let domain = json!({"id": "default"});
        for identity in [
            json!({"methods": ["password"], "password": {"user": {"id": "ak", "password": "sk"}}}),
            json!({"methods": ["password"], "password": {"user": {"name": "ak", "domain": domain, "password": "sk"}}}),
            json!({"methods": ["application_credential"], "application_credential": {"id": "ak", "secret": "sk"}}),
        ] {
            let request = parse(&json!({ "identity": identity })).unwrap();
            assert_eq!(request, TokenRequest { credential: key(), scope: Scope::OwnProject });
            assert!(!format!("{request:?}").contains("sk"), "{request:?}");
        }
        let token = json!({"identity": {"methods": ["token"], "token": {"id": "t"}}});
        assert_eq!(parse(&token).unwrap().credential, Credential::Token("t".to_owned()));
    }

    #[test]
    fn scope_is_project_domain_or_unsupported() {
        let with = |scope: Value| {
            parse(&json!({"identity": {"methods": ["token"], "token": {"id": "t"}}, "scope": scope}))
                .map(|request| request.scope)
        };
        for (project, domain) in [
            (json!({"id": "own1"}), None),
            (json!({"name": "own1", "domain": {"id": "default"}}), Some("default")),
            (json!({"name": "own1", "domain": {"name": "Acme"}}), Some("Acme")),
        ] {
            let expected =
                Scope::Project { id_or_name: "own1".to_owned(), domain: domain.map(str::to_owned) };
            assert_eq!(with(json!({ "project": project })).unwrap(), expected);
        }
        for domain in [json!({"id": "default"}), json!({"name": "OTC-1"})] {
            assert_eq!(with(json!({ "domain": domain })).unwrap(), Scope::OwnProject);
        }
        for other in [json!({"system": {"all": true}}), json!("unscoped"), json!({})] {
            assert_eq!(with(other).unwrap(), Scope::Unsupported);
        }
        let without_name = [json!({"project": {}}), json!({"project": 7}), json!({"domain": {"id": 7}})];
        for bad in [json!(7), json!([]), json!("all")].iter().chain(&without_name) {
            assert!(with(bad.clone()).is_err());
        }
    }

    #[test]
    fn incomplete_token_request_names_missing_field() {
        for (auth, field) in [
            (json!(null), "auth.identity.methods"),
            (json!({"identity": {"methods": []}}), "auth.identity.methods"),
            (json!({"identity": {"methods": ["password", "totp"]}}), "auth.identity.methods"),
            (json!({"identity": {"methods": ["saml2"]}}), "auth.identity.methods"),
            (json!({"identity": {"methods": ["password"]}}), "auth.identity.password.user"),
            (
                json!({"identity": {"methods": ["password"], "password": {"user": {"id": 7, "password": "x"}}}}),
                "auth.identity.password.user",
            ),
            (json!({"identity": {"methods": ["token"], "token": {"id": null}}}), "auth.identity.token.id"),
        ] {
            let error = format!("{:?}", parse(&auth).unwrap_err());
            assert!(error.contains(field), "{error}");
        }
        for bad in [&b""[..], b"[]", b"{}", b"{", b"null", b"\"auth\""] {
            assert!(TokenRequest::parse(bad).is_err());
        }
    }
}
