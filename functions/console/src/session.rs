//! Who is signed in: a token in a cookie that no script can read.
//!
//! The token is one that this deployment has issued, so nothing is stored, and a session ends with its access key. It is renewed
//! while it is used.

use std::time::Duration;

use imageshare::auth::AuthError;
use imageshare::domain::Timestamp;
use imageshare::function::HttpFunction;
use imageshare::http::{
    AuthenticatedRequest, IncomingRequest, RejectedRequest, RejectionReason, SESSION_COOKIE,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::pages;
use crate::reply::Reply;
use crate::texts::Texts;
use crate::wording::Refusal;

/// How old a token is when it is replaced by a new one.
const RENEWED_AFTER: Duration = Duration::from_mins(20);

/// The cookie of a session, for the header `Set-Cookie`. `token` is empty to end the session.
pub(crate) fn cookie(base_url: &str, token: &str) -> String {
    let (name, attributes) = SESSION_COOKIE.at(base_url);
    let age = if token.is_empty() { "; Max-Age=0" } else { "" };
    format!("{name}={token}; {attributes}{age}")
}

/// The cookie with a new token, if the request's is old. At most one read; none while the access key is cached.
pub(crate) async fn renewed_cookie(
    function: &HttpFunction,
    request: &AuthenticatedRequest,
    token: &str,
) -> Option<String> {
    let now = Timestamp::now();
    let store = &request.app.store;
    let renewed = function.authenticator.renew_token(token, store, RENEWED_AFTER, now).await.ok()??;
    Some(cookie(&request.base_url(), &renewed.token))
}

/// Leads a visitor without a session to the page where one begins, and from there back.
pub(crate) fn ask_to_sign_in(incoming: &IncomingRequest) -> Reply {
    Reply::redirect(sign_in_path(incoming))
}

/// The answer to a visitor whose session is not accepted.
pub(crate) fn rejected(texts: &'static Texts, rejected: &RejectedRequest) -> Reply {
    match rejected.reason() {
        RejectionReason::Auth(AuthError::Credential(_)) => {
            Reply::redirect(sign_in_path(rejected)).with_cookie(Some(cookie(&rejected.base_url(), "")))
        }
        reason => pages::error::outside(texts, &Refusal::Rejected(reason.clone()), rejected.request_id()),
    }
}

/// The path of the sign-in page that leads back to the page of a request.
fn sign_in_path(incoming: &IncomingRequest) -> String {
    let query = incoming.raw_query();
    let separator = if query.is_empty() { "" } else { "?" };
    let back = match incoming.method() {
        "GET" | "HEAD" => format!("{}{separator}{query}", incoming.path()),
        // A form is not sent again: its page is the way back.
        _ => incoming.path().to_owned(),
    };
    format!("/console/sign-in?next={}", utf8_percent_encode(&back, NON_ALPHANUMERIC))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookie_is_bound_to_its_host_over_https() {
        let over_https = "__Host-imageshare=t; Path=/; HttpOnly; SameSite=Lax; Secure";
        assert_eq!(cookie("https://images.example", "t"), over_https);
        assert_eq!(cookie("http://127.0.0.1:8080", "t"), "imageshare=t; Path=/; HttpOnly; SameSite=Lax");
        assert!(cookie("http://127.0.0.1:8080", "").ends_with("; Max-Age=0"));
    }
}
