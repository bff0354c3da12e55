//! The pages. Each is one file: what it reads, what its forms do, and the values of its template.

pub(crate) mod error;
mod images;
mod job;
mod shared;
pub(crate) mod sign_in;

use crate::frame::Section;
use crate::notice;
use crate::reply::Reply;
use crate::visit::Visit;
use crate::wording::Refusal;

/// Answers a visit with the page at the path with these segments, or with what became of its form. The only list of pages.
pub(crate) async fn answer(visit: &Visit<'_>, segments: &[&str]) -> Reply {
    let result = match (visit.is_form(), segments) {
        (false, [] | [""]) => Ok(Reply::redirect(Section::PrivateImages.path())),
        (false, ["notice"]) => notice::part(visit).await.map(|part| Reply::page(&part)),
        (false, ["jobs", id]) => job::show(visit, id).await,
        (true, ["jobs", id]) => job::try_again(visit, id).await,
        (false, ["jobs", id, "results.csv"]) => job::download(visit, id).await,
        (false, ["images"]) => images::show(visit).await,
        (false, ["shared"]) => shared::show(visit).await,
        (true, ["shared"]) => shared::decide(visit).await,
        _ => Err(Refusal::NoSuchPage),
    };
    match result {
        Ok(reply) => reply,
        Err(refusal) => error::inside(visit, &refusal).await,
    }
}
