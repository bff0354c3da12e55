//! *Rejected Images* (seed 001): the images that the project has rejected, and may still accept.

use askama::Template;
use imageshare::domain::Status;
use imageshare::usecases;

use super::received::{self, Facts, PAGE_SIZE, Row};
use crate::frame::{Frame, Section};
use crate::reply::Reply;
use crate::show::Pager;
use crate::visit::{self, Visit};
use crate::wording::Refusal;

#[derive(Template)]
#[template(path = "rejected.html")]
struct RejectedImages {
    frame: Frame,
    may_write: bool,
    form_key: String,
    rows: Vec<Row>,
    pager: Option<Pager>,
}

/// Shows a page of the rejected images. The list and the frame are read concurrently, then the names of the owners and the
/// grants of encrypted images' keys: four steps at most.
pub(crate) async fn show(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let listing = visit.listing("console rejected");
    let after = received::position(&listing, visit.query.text("marker"));
    let list = async {
        let (app, caller) = (&visit.app, visit.caller());
        Ok(usecases::list_received(app, caller, Status::Rejected, after.as_ref(), PAGE_SIZE).await?)
    };
    let (frame, page) = tokio::try_join!(Frame::load(visit, Some(Section::SharedImages)), list)?;
    let facts = Facts::load(visit, page.items.iter()).await?;
    let next = page.next.map(|position| received::marker(&listing, position));
    Ok(Reply::page(&RejectedImages {
        frame,
        may_write: visit.may_write(),
        form_key: visit::new_form_key(),
        rows: page.items.iter().map(|image| facts.row(visit, image)).collect(),
        pager: Pager::new(visit.texts.pages, ("marker", after.is_some()), next.as_deref(), &[]),
    }))
}
