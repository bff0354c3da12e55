//! *Images Shared with Me* (seed 001): the pending images in a message above the list of the accepted ones.

use askama::Template;
use imageshare::domain::Status;
use imageshare::store::List;
use imageshare::usecases::{self, Direction, ImageQuery, IndexFilter, SortKey, VisibleImage};

use crate::frame::{Frame, Section};
use crate::reply::Reply;
use crate::show::{self, Moment};
use crate::texts::fill;
use crate::visit::{self, Visit};
use crate::wording::Refusal;

/// The rows of a page.
const PAGE_SIZE: usize = 25;

#[derive(Template)]
#[template(path = "shared.html")]
struct SharedImages {
    frame: Frame,
    form_key: String,
    pending: Vec<Row>,
    message: String,
    accepted: Vec<Row>,
    next: Option<String>,
    is_first: bool,
    empty: String,
}

struct Row {
    id: String,
    name: String,
    owner: String,
    kind: &'static str,
    backup: String,
    created: Moment,
    select: String,
}

/// Shows the pending images, and a page of the accepted ones.
pub(crate) async fn show(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let (app, caller) = (&visit.app, visit.caller());
    let listing = visit.listing("console shared");
    let marker = visit.query.text("marker");
    let query = |status, after| ImageQuery {
        lists: vec![List::Received(caller.tenant.clone(), status)],
        filter: |_: &VisibleImage| true,
        index_filter: IndexFilter::default(),
        needs_member_counts: false,
        sort: vec![(SortKey::CreatedAt, Direction::Descending)],
        after,
        limit: PAGE_SIZE,
    };
    let pending = usecases::list_images(app, caller, query(Status::Pending, None)).await?;
    let after = listing.decode_image_marker(marker);
    let accepted = usecases::list_images(app, caller, query(Status::Accepted, after)).await?;
    let frame = Frame::load(visit, Some(Section::SharedImages)).await?;
    let rows = |page: &usecases::ImagePage| -> Vec<Row> {
        page.rows.iter().map(|row| Row::new(visit, &row.visible)).collect()
    };
    let (pending, rows_accepted) = (rows(&pending), rows(&accepted));
    let empty =
        fill(visit.texts.nothing_shared, &[("region", &frame.region), ("project", caller.tenant.as_str())]);
    Ok(Reply::page(&SharedImages {
        frame,
        form_key: visit::new_form_key(),
        message: visit.texts.pending(pending.len()),
        pending,
        accepted: rows_accepted,
        next: accepted.next.map(|next| listing.encode_marker(next)),
        is_first: marker.is_empty(),
        empty,
    }))
}

/// Accepts or rejects the selected images.
pub(crate) async fn decide(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let status = match visit.form.text("decision") {
        "accept" => Status::Accepted,
        "reject" => Status::Rejected,
        _ => return Err(Refusal::MalformedForm),
    };
    let images = visit.form.parsed("image");
    if images.is_empty() {
        return Err(Refusal::NothingSelected);
    }
    let (app, caller) = (&visit.app, visit.caller());
    let recipient = caller.tenant.clone();
    let job = usecases::respond(app, caller, recipient, images, (status, None), visit.idempotency()).await?;
    Ok(Reply::redirect(format!("{}?job={job}", Section::SharedImages.path())))
}

impl Row {
    fn new(visit: &Visit<'_>, VisibleImage { image, .. }: &VisibleImage) -> Self {
        let texts = visit.texts;
        let name = show::image_name(image).to_owned();
        let backup = show::backup_gib(image).map(|gib| fill(texts.gib, &[("count", &gib.to_string())]));
        Self {
            id: image.id.to_string(),
            owner: image.owner.to_string(),
            kind: show::kind_name(image.details.kind(), texts),
            backup: backup.unwrap_or_default(),
            created: Moment(image.created),
            select: fill(texts.select, &[("name", &name)]),
            name,
        }
    }
}
