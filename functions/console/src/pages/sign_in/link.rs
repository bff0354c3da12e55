//! Sign in with a link of `imageshare console`. Opening it changes nothing, so that a program which looks at it does not use it up;
//! its button signs in, once.

use askama::Template;
use imageshare::auth::AuthError;
use imageshare::http::RejectionReason;

use super::{SignInVisit, access_key};
use crate::frame::Frame;
use crate::reply::Reply;
use crate::texts::fill;
use crate::wording::Refusal;

/// The field with the link's token.
const LINK: &str = "link";

#[derive(Template)]
#[template(path = "sign_in_link.html")]
struct SignInLink {
    frame: Frame,
    link: String,
    title: String,
}

/// Shows whom the link signs in. No read.
pub(super) async fn show(visit: &SignInVisit<'_>) -> Result<Reply, Refusal> {
    let link = visit.fields.text(LINK);
    match visit.function.authenticator.link_caller(link, visit.now).await {
        Ok(caller) => Ok(Reply::page(&SignInLink {
            frame: Frame::outside(visit.texts),
            link: link.to_owned(),
            title: fill(visit.texts.sign_in_ways.as_project, &[("project", caller.tenant.as_str())]),
        })),
        Err(problem) => refused(visit, problem),
    }
}

/// Uses the link up, and begins the session. One put.
pub(super) async fn sign_in(visit: &SignInVisit<'_>) -> Result<Reply, Refusal> {
    let store = &visit.incoming.app.store;
    match visit.function.authenticator.use_link(visit.fields.text(LINK), store, visit.now).await {
        Ok(issued) => Ok(visit.signed_in(&issued, visit.next())),
        Err(problem) => refused(visit, problem),
    }
}

fn refused(visit: &SignInVisit<'_>, problem: AuthError) -> Result<Reply, Refusal> {
    match problem {
        AuthError::Credential(_) => Ok(access_key::refused(visit, visit.texts.sign_in_ways.link_refused)
            .with_error("401", "the link is wrong, too old, or has been used")),
        problem => Err(Refusal::Rejected(RejectionReason::Auth(problem))),
    }
}
