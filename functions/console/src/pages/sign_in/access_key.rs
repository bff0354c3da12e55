//! Sign in with an access key; the page leads to the other ways.

use askama::Template;
use http::StatusCode;
use imageshare::http::RejectionReason;

use super::SignInVisit;
use crate::frame::Frame;
use crate::reply::Reply;
use crate::texts::fill;
use crate::wording::Refusal;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn {
    frame: Frame,
    next: String,
    /// The page to go to after signing in, for a query.
    next_query: String,
    access_key: String,
    problem: &'static str,
    /// The link to the provider; empty if the deployment has none.
    with_provider: String,
}

/// Shows the form.
pub(super) fn show(visit: &SignInVisit<'_>) -> Reply {
    Reply::page(&page(visit, visit.next(), ""))
}

/// Begins a session of an access key. At most one read.
pub(super) async fn sign_in(visit: &SignInVisit<'_>) -> Result<Reply, Refusal> {
    let (id, secret) = (visit.fields.text("access_key"), visit.fields.text("secret"));
    visit.incoming.record_access_key(id);
    let store = &visit.incoming.app.store;
    let issued = visit.function.authenticator.issue_for_access_key((id, secret), store, visit.now).await;
    let issued = issued.map_err(|problem| Refusal::Rejected(RejectionReason::Auth(problem)))?;
    Ok(match issued {
        Some((_, issued)) => visit.signed_in(&issued, visit.next()),
        None => refused(visit, visit.texts.sign_in_failed).with_error(
            "401",
            "the access key or its secret is wrong, or the key is disabled or has expired",
        ),
    })
}

/// The page with what went wrong, of this way or of another that leads here.
pub(super) fn refused(visit: &SignInVisit<'_>, problem: &'static str) -> Reply {
    Reply::with_status(StatusCode::UNAUTHORIZED, &page(visit, visit.next(), problem))
}

fn page(visit: &SignInVisit<'_>, next: &str, problem: &'static str) -> SignIn {
    let provider = visit.function.authenticator.sign_in_provider();
    let with_provider = provider
        .map(|provider| fill(visit.texts.sign_in_ways.with_provider, &[("provider", provider.name())]));
    SignIn {
        frame: Frame::outside(visit.texts),
        next: next.to_owned(),
        next_query: percent_encoding::utf8_percent_encode(next, percent_encoding::NON_ALPHANUMERIC)
            .to_string(),
        access_key: visit.fields.text("access_key").to_owned(),
        problem,
        with_provider: with_provider.unwrap_or_default(),
    }
}
