//! Sign in with the deployment's OpenID provider: a link leads there, and the provider leads back with a code.
//!
//! It begins with a link, since `form-action 'self'` would also hold for where a form is redirected. What has to be known when
//! the visitor comes back is in a cookie of ten minutes, so nothing is stored, and a code that another browser asked for is
//! refused.

use imageshare::auth::{AuthError, CredentialError, SignInAttempt, SignInError};
use imageshare::http::CookieName;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::{SignInVisit, access_key, local_path};
use crate::reply::Reply;
use crate::wording::Refusal;

/// The cookie of an attempt.
const ATTEMPT_COOKIE: CookieName =
    CookieName { over_https: "__Host-imageshare-sign-in", over_http: "imageshare-sign-in" };

/// How long a visitor may take at the provider, in seconds.
const ATTEMPT_SECONDS: u32 = 600;

/// Leads to the provider. At most one request.
pub(super) async fn begin(visit: &SignInVisit<'_>) -> Result<Reply, Refusal> {
    let provider = visit.function.authenticator.sign_in_provider().ok_or(Refusal::NoSuchPage)?;
    let attempt = SignInAttempt::new();
    Ok(match provider.authorization_url(&attempt, &redirect_uri(visit), visit.now).await {
        Ok(url) => {
            Reply::redirect(url).with_cookie(Some(attempt_cookie(visit, Some((&attempt, visit.next())))))
        }
        Err(problem) => refused(visit, &problem),
    })
}

/// Takes the provider's answer, and begins the session. Two requests at most.
pub(super) async fn end(visit: &SignInVisit<'_>) -> Reply {
    let reply = match attempt(visit) {
        Some((attempt, next)) if attempt.state == visit.fields.text("state") => {
            finish(visit, &attempt, local_path(&next)).await
        }
        _ => refused(visit, &SignInError::Refused("the answer is not for this browser's attempt".to_owned())),
    };
    reply.with_cookie(Some(attempt_cookie(visit, None)))
}

async fn finish(visit: &SignInVisit<'_>, attempt: &SignInAttempt, next: &str) -> Reply {
    let code = visit.fields.text("code");
    if code.is_empty() {
        let error: String =
            visit.fields.text("error").chars().filter(char::is_ascii_graphic).take(60).collect();
        return refused(visit, &SignInError::Refused(error));
    }
    let authenticator = &visit.function.authenticator;
    match authenticator.finish_sign_in(attempt, code, &redirect_uri(visit), visit.now).await {
        Ok(issued) => visit.signed_in(&issued, next),
        Err(problem) => refused(visit, &problem),
    }
}

fn refused(visit: &SignInVisit<'_>, problem: &SignInError) -> Reply {
    let texts = &visit.texts.sign_in_ways;
    let text = match problem {
        SignInError::Token(AuthError::Credential(CredentialError::NoProject | CredentialError::NoRole)) => {
            texts.provider_no_project
        }
        SignInError::Token(AuthError::Credential(_))
        | SignInError::Refused(_)
        | SignInError::NotConfigured => texts.provider_refused,
        SignInError::Token(_) | SignInError::Unavailable(_) => texts.provider_unavailable,
    };
    if matches!(problem, SignInError::Unavailable(_) | SignInError::NotConfigured) {
        tracing::warn!(%problem, "a sign-in with the provider has failed");
    }
    access_key::refused(visit, text).with_error("401", &problem.to_string())
}

/// Where the provider leads back to, which it has to know.
fn redirect_uri(visit: &SignInVisit<'_>) -> String {
    format!("{}/console/sign-in/callback", visit.incoming.base_url())
}

/// The cookie of an attempt and the page to go to, for the header `Set-Cookie`; without an attempt, the one that removes it.
fn attempt_cookie(visit: &SignInVisit<'_>, attempt: Option<(&SignInAttempt, &str)>) -> String {
    let (name, attributes) = ATTEMPT_COOKIE.at(&visit.incoming.base_url());
    let (value, age) = match attempt {
        Some((SignInAttempt { state, nonce, verifier }, next)) => {
            let next = utf8_percent_encode(next, NON_ALPHANUMERIC);
            (format!("{state}.{nonce}.{verifier}.{next}"), ATTEMPT_SECONDS)
        }
        None => (String::new(), 0),
    };
    format!("{name}={value}; {attributes}; Max-Age={age}")
}

/// The attempt in the cookie, and the page to go to.
fn attempt(visit: &SignInVisit<'_>) -> Option<(SignInAttempt, String)> {
    let incoming = visit.incoming;
    let mut parts = ATTEMPT_COOKIE.value(incoming.headers(), &incoming.base_url())?.splitn(4, '.');
    let mut next = || parts.next().map(str::to_owned);
    let attempt = SignInAttempt { state: next()?, nonce: next()?, verifier: next()? };
    let page = next()?;
    Some((attempt, percent_decode_str(&page).decode_utf8().ok()?.into_owned()))
}
