//! The page of an error, in the frame of the others where there is a session.

use askama::Template;

use crate::frame::{Frame, Section};
use crate::reply::Reply;
use crate::texts::{Texts, fill};
use crate::visit::Visit;
use crate::wording::Refusal;

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    frame: Frame,
    message: String,
    request: String,
    back: &'static str,
}

/// The page for a refusal without a session.
pub(crate) fn outside(texts: &'static Texts, refusal: &Refusal, request_id: &str) -> Reply {
    page(Frame::outside(texts), refusal, request_id)
}

/// The page for a refusal of a visit. Its frame is left out if that cannot be read.
pub(crate) async fn inside(visit: &Visit<'_>, refusal: &Refusal) -> Reply {
    let frame = Frame::load(visit, None).await.unwrap_or_else(|_| Frame::outside(visit.texts));
    page(frame, refusal, visit.request_id())
}

fn page(frame: Frame, refusal: &Refusal, request_id: &str) -> Reply {
    let (status, message) = refusal.describe(frame.texts);
    let request = fill(frame.texts.request_id, &[("id", request_id)]);
    let back = Section::PrivateImages.path();
    Reply::with_status(status, &ErrorPage { frame, message, request, back })
        .with_error(status.as_str(), &refusal.to_string())
}
