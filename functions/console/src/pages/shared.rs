//! *Images Shared with Me* (seed 001): the pending images in a message above the list of the accepted ones.

use askama::Template;
use imageshare::domain::{ImageId, Status, authorize_write};
use imageshare::http::Listing;
use imageshare::store::Position;
use imageshare::usecases::{self, Page, PendingCount, ReceivedImage};

use super::received::{self, Facts, MAX_SELECTED, PAGE_SIZE, Row, Selection};
use crate::frame::{Frame, Section};
use crate::reply::Reply;
use crate::show::Pager;
use crate::texts::fill;
use crate::visit::{self, Visit};
use crate::wording::Refusal;

/// The path of the page.
pub(super) const PATH: &str = "/console/shared";

#[derive(Template)]
#[template(path = "shared.html")]
struct SharedImages {
    frame: Frame,
    may_write: bool,
    form_key: String,
    message: String,
    pending: Vec<Row>,
    pending_pager: Option<Pager>,
    accepted: Vec<Row>,
    accepted_pager: Option<Pager>,
    empty: String,
}

/// The parameters of the query that hold the markers of the two lists.
const MARKERS: [&str; 2] = ["pending", "marker"];

/// Shows a page of the pending images, and a page of the accepted ones. The two lists and the frame, which counts the
/// pending ones, are read concurrently, then the names of the owners and the grants of encrypted images' keys: four steps at most.
/// Only this page counts all pending images, with one query more for every 7,000.
pub(crate) async fn show(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let listings = ["console pending", "console accepted"].map(|name| visit.listing(name));
    let [pending_listing, accepted_listing] = &listings;
    let [pending_marker, accepted_marker] = MARKERS.map(|name| visit.query.text(name));
    let pending_after = received::position(pending_listing, pending_marker);
    let accepted_after = received::position(accepted_listing, accepted_marker);
    let (frame, pending, accepted) = tokio::try_join!(
        Frame::load_with_full_count(visit, Some(Section::SharedImages)),
        list(visit, Status::Pending, pending_after.as_ref()),
        list(visit, Status::Accepted, accepted_after.as_ref()),
    )?;
    let facts = Facts::load(visit, pending.items.iter().chain(&accepted.items)).await?;
    let rows = |page: &Page<ReceivedImage, Position>| -> Vec<Row> {
        page.items.iter().map(|image| facts.row(visit, image)).collect()
    };
    let own = &visit.texts.received;
    let next = |listing: &Listing, page: &Page<_, Position>| {
        page.next.clone().map(|position| received::marker(listing, position))
    };
    let pager = |(label, name), after: &Option<Position>, next: Option<String>| {
        let kept = MARKERS.into_iter().filter(|other| *other != name);
        let kept = kept.map(|other| (other, visit.query.text(other))).collect::<Vec<_>>();
        Pager::new(label, (name, after.is_some()), next.as_deref(), &kept)
    };
    let texts = visit.texts;
    let places = [("region", frame.region.as_str()), ("project", visit.caller().tenant.as_str())];
    Ok(Reply::page(&SharedImages {
        may_write: visit.may_write(),
        form_key: visit::new_form_key(),
        message: pending_message(visit, frame.pending, pending.items.len()),
        pending_pager: pager(
            (own.pages_of_pending, "pending"),
            &pending_after,
            next(pending_listing, &pending),
        ),
        pending: rows(&pending),
        accepted_pager: pager(
            (own.pages_of_accepted, "marker"),
            &accepted_after,
            next(accepted_listing, &accepted),
        ),
        accepted: rows(&accepted),
        empty: fill(texts.nothing_shared, &places),
        frame,
    }))
}

/// A page of the images with a status.
async fn list(
    visit: &Visit<'_>,
    status: Status,
    after: Option<&Position>,
) -> Result<Page<ReceivedImage, Position>, Refusal> {
    Ok(usecases::list_received(&visit.app, visit.caller(), status, after, PAGE_SIZE).await?)
}

/// How many images wait. The count may be older than the page, so it is at least what the page shows.
fn pending_message(visit: &Visit<'_>, pending: PendingCount, shown: usize) -> String {
    if pending.is_more {
        return fill(visit.texts.received.pending_more, &[("count", &pending.count.to_string())]);
    }
    visit.texts.pending(pending.count.max(shown))
}

/// Accepts or rejects images: those that are selected, or the one of the row whose button was chosen. Full-ECS images are
/// accepted on a page that asks for the vault, and an image that has one is rejected on a page that asks whether to. Costs
/// one batch read, and what the use case does.
pub(crate) async fn decide(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    authorize_write(visit.caller())?;
    let (status, images) = decision(visit)?;
    let selection = Selection::Images(images.clone());
    let found = usecases::find_received(&visit.app, visit.caller(), &images).await?;
    let page = match status {
        Status::Accepted => {
            found.iter().any(|image| received::needed_gib(image).is_some()).then_some("accept")
        }
        _ => found.iter().any(|image| image.member.vault.is_some()).then_some("reject"),
    };
    if let Some(page) = page {
        return Ok(Reply::redirect(format!("{PATH}/{page}?{}", selection.query())));
    }
    respond(visit, (status, images), PATH).await
}

/// What the form decides, and on which images.
fn decision(visit: &Visit<'_>) -> Result<(Status, Vec<ImageId>), Refusal> {
    let form = &visit.form;
    for (button, status) in [("accept", Status::Accepted), ("reject", Status::Rejected)] {
        if form.has(button) {
            let image = form.text(button).parse().map_err(|_| Refusal::MalformedForm)?;
            return Ok((status, vec![image]));
        }
    }
    let status = match form.text("decision") {
        "accept" => Status::Accepted,
        "reject" => Status::Rejected,
        _ => return Err(Refusal::MalformedForm),
    };
    match Selection::of(form)? {
        Selection::Images(images) => Ok((status, images)),
        Selection::All => Err(Refusal::TooManySelected { most: MAX_SELECTED }),
    }
}

/// Decides on images that need no vault, and leads to a page that shows what became of it.
pub(super) async fn respond(
    visit: &Visit<'_>,
    (status, images): (Status, Vec<ImageId>),
    page: &str,
) -> Result<Reply, Refusal> {
    let (app, caller) = (&visit.app, visit.caller());
    let recipient = caller.tenant.clone();
    let job = usecases::respond(app, caller, recipient, images, (status, None), visit.idempotency()).await?;
    Ok(Reply::redirect(format!("{page}?job={job}")))
}
