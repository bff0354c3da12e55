//! Sign in with a token of the visitor's Keystone or provider, which is pasted.

use askama::Template;
use http::StatusCode;
use imageshare::auth::AuthError;
use imageshare::http::RejectionReason;

use super::SignInVisit;
use crate::frame::Frame;
use crate::reply::Reply;
use crate::wording::Refusal;

#[derive(Template)]
#[template(path = "sign_in_token.html")]
struct SignInToken {
    frame: Frame,
    next: String,
    problem: &'static str,
}

/// Shows the form.
pub(super) fn show(visit: &SignInVisit<'_>) -> Reply {
    Reply::page(&page(visit, ""))
}

/// Begins a session that ends with the token. Costs what it costs to check the token.
pub(super) async fn sign_in(visit: &SignInVisit<'_>) -> Result<Reply, Refusal> {
    let store = &visit.incoming.app.store;
    match visit.function.authenticator.begin_session(visit.fields.text("token"), store, visit.now).await {
        Ok(issued) => Ok(visit.signed_in(&issued, visit.next())),
        Err(AuthError::Credential(problem)) => {
            let page = page(visit, visit.texts.sign_in_ways.token_refused);
            Ok(Reply::with_status(StatusCode::UNAUTHORIZED, &page).with_error("401", &problem.to_string()))
        }
        Err(problem) => Err(Refusal::Rejected(RejectionReason::Auth(problem))),
    }
}

fn page(visit: &SignInVisit<'_>, problem: &'static str) -> SignInToken {
    SignInToken { frame: Frame::outside(visit.texts), next: visit.next().to_owned(), problem }
}
