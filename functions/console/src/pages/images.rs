//! *Private Images* (seed 000): the images that the project owns.

use askama::Template;
use imageshare::domain::Image;
use imageshare::store::List;
use imageshare::usecases::{self, Direction, ImageQuery, IndexFilter, SortKey, VisibleImage};

use crate::frame::{Frame, Section};
use crate::reply::Reply;
use crate::show::{self, Moment};
use crate::texts::fill;
use crate::visit::Visit;
use crate::wording::Refusal;

/// The rows of a page.
const PAGE_SIZE: usize = 25;

#[derive(Template)]
#[template(path = "images.html")]
struct PrivateImages {
    frame: Frame,
    rows: Vec<Row>,
    next: Option<String>,
    is_first: bool,
    empty: String,
}

struct Row {
    id: String,
    name: String,
    kind: &'static str,
    visibility: &'static str,
    recipients: String,
    created: Moment,
    select: String,
}

/// Shows a page of the images.
pub(crate) async fn show(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let (app, caller) = (&visit.app, visit.caller());
    let listing = visit.listing("console images");
    let marker = visit.query.text("marker");
    let query = ImageQuery {
        lists: vec![List::Owned(caller.tenant.clone())],
        filter: |_: &VisibleImage| true,
        index_filter: IndexFilter::default(),
        needs_member_counts: true,
        sort: vec![(SortKey::CreatedAt, Direction::Descending)],
        after: listing.decode_image_marker(marker),
        limit: PAGE_SIZE,
    };
    let page = usecases::list_images(app, caller, query).await?;
    let frame = Frame::load(visit, Some(Section::PrivateImages)).await?;
    let rows = page.rows.iter().map(|row| Row::new(visit, &row.visible)).collect();
    let empty = fill(visit.texts.no_private_images, &[("region", &frame.region)]);
    let next = page.next.map(|next| listing.encode_marker(next));
    Ok(Reply::page(&PrivateImages { frame, rows, next, is_first: marker.is_empty(), empty }))
}

impl Row {
    fn new(visit: &Visit<'_>, VisibleImage { image, members, .. }: &VisibleImage) -> Self {
        let texts = visit.texts;
        let name = show::image_name(image).to_owned();
        Self {
            id: image.id.to_string(),
            kind: show::kind_name(image.details.kind(), texts),
            visibility: image.visibility.as_str(),
            recipients: recipients(visit, image, *members),
            created: Moment(image.created),
            select: fill(texts.select, &[("name", &name)]),
            name,
        }
    }
}

/// How many recipients an image has, of how many it may have.
fn recipients(visit: &Visit<'_>, image: &Image, members: u32) -> String {
    let most = visit.app.settings.limits.member_limit(&image.head(members));
    fill(visit.texts.recipients_of, &[("count", &members.to_string()), ("most", &most.to_string())])
}
