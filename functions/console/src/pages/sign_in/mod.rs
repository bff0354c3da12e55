//! Sign in with an access key, and sign out.

use askama::Template;
use http::StatusCode;
use imageshare::domain::Timestamp;
use imageshare::function::HttpFunction;
use imageshare::http::{HttpResponse, IncomingRequest, RejectionReason, session_token};

use super::error;
use crate::ROOT;
use crate::fields::Fields;
use crate::frame::Frame;
use crate::reply::Reply;
use crate::session;
use crate::texts::ENGLISH;
use crate::wording::Refusal;

/// The path of this page.
pub(crate) const PATH: &str = "/console/sign-in";

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn {
    frame: Frame,
    next: String,
    access_key: String,
    problem: &'static str,
}

/// Answers a request for the page, or its form.
pub(crate) async fn answer(function: &HttpFunction, incoming: IncomingRequest) -> HttpResponse {
    let reply = match sign_in(function, &incoming).await {
        Ok(reply) => reply,
        Err(refusal) => error::outside(&refusal, incoming.request_id()),
    };
    incoming.finish(reply.into_response())
}

async fn sign_in(function: &HttpFunction, incoming: &IncomingRequest) -> Result<Reply, Refusal> {
    let fields = if incoming.method() == "POST" { incoming.body() } else { incoming.raw_query().as_bytes() };
    let fields = Fields::parse(fields).map_err(|_| Refusal::MalformedForm)?;
    let next = local_path(fields.text("next"));
    if incoming.method() != "POST" {
        return Ok(Reply::page(&page(next, "", "")));
    }
    let (id, secret) = (fields.text("access_key"), fields.text("secret"));
    incoming.record_access_key(id);
    let (store, now) = (&incoming.app.store, Timestamp::now());
    let issued = function
        .authenticator
        .issue_for_access_key((id, secret), store, now)
        .await
        .map_err(|problem| Refusal::Rejected(RejectionReason::Auth(problem)))?;
    let Some((_, issued)) = issued else {
        let page = page(next, id, ENGLISH.sign_in_failed);
        return Ok(Reply::with_status(StatusCode::UNAUTHORIZED, &page).with_error(
            "401",
            "the access key or its secret is wrong, or the key is disabled or has expired",
        ));
    };
    Ok(Reply::redirect(next).with_cookie(Some(session::cookie(&incoming.base_url(), &issued.token))))
}

fn page(next: &str, access_key: &str, problem: &'static str) -> SignIn {
    SignIn {
        frame: Frame::outside(&ENGLISH),
        next: next.to_owned(),
        access_key: access_key.to_owned(),
        problem,
    }
}

/// The path to go to after signing in, if it is one of the console; else its first page. So no link leads through here to
/// another site.
fn local_path(next: &str) -> &str {
    let is_local =
        next.strip_prefix(ROOT).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']));
    if is_local && !next.starts_with(PATH) && !next.contains(['\\', '\r', '\n']) { next } else { ROOT }
}

/// Ends the session: its token is revoked, and its cookie removed.
pub(crate) async fn sign_out(function: &HttpFunction, incoming: IncomingRequest) -> HttpResponse {
    if let Some(token) = session_token(incoming.headers()).map(str::to_owned)
        && let Err(problem) =
            function.authenticator.revoke(&token, &incoming.app.store, Timestamp::now()).await
    {
        tracing::warn!(%problem, "the token of a session was not revoked");
    }
    let removed = session::cookie(&incoming.base_url(), "");
    incoming.finish(Reply::redirect(PATH).with_cookie(Some(removed)).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sign_in_leads_to_the_console_only() {
        for local in ["/console", "/console/images?marker=a~b", "/console?x"] {
            assert_eq!(local_path(local), local);
        }
        for foreign in [
            "",
            "//evil.example",
            "https://evil.example",
            "/console.evil",
            "/v2/images",
            "/console/sign-in",
            "/console/\\x",
        ] {
            assert_eq!(local_path(foreign), "/console", "{foreign}");
        }
    }
}
