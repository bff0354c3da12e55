//! *Private Images* (seed 000): the images that the project owns, the newest first.
//!
//! Costs what the frame costs, one query, one batch read for the images and one for their member counts; with a filter, which
//! examines images until the page is full, a batch read for every 100 images examined.

use askama::Template;
use imageshare::domain::{Encryption, ImageKind, Visibility, authorize_write};
use imageshare::store::List;
use imageshare::usecases::{
    self, Direction, ImagePage, ImageQuery, IndexFilter, SortKey, UseCaseError, VisibleImage,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::fields::Fields;
use crate::frame::{Frame, Section};
use crate::owned;
use crate::reply::Reply;
use crate::show::{self, Moment};
use crate::texts::{Texts, fill};
use crate::visit::Visit;
use crate::wording::Refusal;

/// The rows of a page.
const PAGE_SIZE: usize = 25;

/// The body of a request that registers an image.
const EXAMPLE: &str = r#"{"name": "my-image"}"#;

#[derive(Template)]
#[template(path = "images.html")]
struct PrivateImages {
    frame: Frame,
    can_write: bool,
    rows: Vec<Row>,
    filter: Filter,
    kinds: Vec<Choice>,
    visibilities: Vec<Choice>,
    encryptions: Vec<Choice>,
    /// The part of the query that keeps the filter.
    query: String,
    next: Option<String>,
    is_first: bool,
    empty: String,
    command: String,
}

struct Row {
    id: String,
    name: String,
    kind: &'static str,
    backup: String,
    encryption: String,
    visibility: &'static str,
    recipients: String,
    created: Moment,
    select: String,
    can_share: bool,
    can_delete: bool,
}

/// A value of a filter to choose.
struct Choice {
    value: &'static str,
    name: &'static str,
    is_chosen: bool,
}

/// Which images are shown. An empty text excludes none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Filter {
    name: String,
    kind: String,
    visibility: Option<Visibility>,
    encrypted: String,
    is_shared: bool,
}

/// Shows a page of the images.
pub(crate) async fn show(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let (app, caller) = (&visit.app, visit.caller());
    let filter = Filter::read(&visit.query);
    let fields = filter.query();
    let listing = visit.listing("console images").with(&fields);
    let marker = visit.query.text("marker");
    let query = ImageQuery {
        lists: vec![List::Owned(caller.tenant.clone())],
        filter: |visible: &VisibleImage| filter.matches(visible),
        index_filter: IndexFilter::default(),
        needs_member_counts: true,
        sort: vec![(SortKey::CreatedAt, Direction::Descending)],
        after: listing.decode_image_marker(marker),
        limit: PAGE_SIZE,
    };
    let page = async {
        match usecases::list_images(app, caller, query).await {
            // The next page continues where this one has stopped to look.
            Err(UseCaseError::ScanLimitReached { next, .. }) => {
                Ok(ImagePage { rows: Vec::new(), next: next.map(|next| *next) })
            }
            page => page.map_err(Refusal::from),
        }
    };
    let (frame, page) = tokio::try_join!(Frame::load(visit, Some(Section::PrivateImages)), page)?;
    let texts = visit.texts;
    let can_write = authorize_write(caller).is_ok();
    let empty = if filter == Filter::default() && marker.is_empty() {
        fill(texts.no_private_images, &[("region", &frame.region)])
    } else if page.next.is_some() {
        texts.own.no_match_so_far.to_owned()
    } else {
        texts.own.no_match.to_owned()
    };
    Ok(Reply::page(&PrivateImages {
        frame,
        can_write,
        rows: page.rows.iter().map(|row| Row::new(visit, &row.visible, can_write)).collect(),
        kinds: filter.kinds(texts),
        visibilities: filter.visibilities(texts),
        encryptions: filter.encryptions(texts),
        filter,
        query: fields,
        next: page.next.map(|next| listing.encode_marker(next)),
        is_first: marker.is_empty(),
        empty,
        command: fill(texts.own.register_command, &[("url", &visit.base_url()), ("body", EXAMPLE)]),
    }))
}

impl Filter {
    fn read(query: &Fields) -> Self {
        Self {
            name: query.text("name").to_owned(),
            kind: query.text("kind").to_owned(),
            visibility: query.text("visibility").parse().ok(),
            encrypted: query.text("encrypted").to_owned(),
            is_shared: query.has("shared"),
        }
    }

    /// The fields of the query that make this filter.
    fn query(&self) -> String {
        let visibility = self.visibility.map(Visibility::as_str).unwrap_or_default();
        let shared = if self.is_shared { "yes" } else { "" };
        let fields = [
            ("name", self.name.as_str()),
            ("kind", &self.kind),
            ("visibility", visibility),
            ("encrypted", &self.encrypted),
            ("shared", shared),
        ];
        let fields = fields.into_iter().filter(|(_, value)| !value.is_empty());
        let encode = |value| utf8_percent_encode(value, NON_ALPHANUMERIC).to_string();
        fields.map(|(name, value)| format!("{name}={}", encode(value))).collect::<Vec<_>>().join("&")
    }

    fn matches(&self, VisibleImage { image, members, .. }: &VisibleImage) -> bool {
        let name = image.details.name.as_deref().unwrap_or_default().to_lowercase();
        let is_encrypted = image.details.encryption() != Encryption::None;
        name.contains(&self.name.to_lowercase())
            && (self.kind.is_empty() || self.kind == kind_value(image.details.kind()))
            && self.visibility.is_none_or(|visibility| visibility == image.visibility)
            && match self.encrypted.as_str() {
                "yes" => is_encrypted,
                "no" => !is_encrypted,
                _ => true,
            }
            && (!self.is_shared || *members > 0)
    }

    fn kinds(&self, texts: &'static Texts) -> Vec<Choice> {
        let kinds = [
            ("", texts.own.any),
            ("system", texts.system_disk),
            ("data", texts.data_disk),
            ("whole", texts.full_ecs),
        ];
        choices(&kinds, &self.kind)
    }

    fn visibilities(&self, texts: &'static Texts) -> Vec<Choice> {
        let all = Visibility::ALL.map(|each| (each.as_str(), owned::visibility_name(each, texts)));
        let all: Vec<_> = std::iter::once(("", texts.own.any)).chain(all).collect();
        choices(&all, self.visibility.map(Visibility::as_str).unwrap_or_default())
    }

    fn encryptions(&self, texts: &'static Texts) -> Vec<Choice> {
        choices(&[("", texts.own.any), ("yes", texts.own.yes), ("no", texts.own.no)], &self.encrypted)
    }
}

fn choices(values: &[(&'static str, &'static str)], chosen: &str) -> Vec<Choice> {
    let choice =
        |(value, name): &(&'static str, &'static str)| Choice { value, name, is_chosen: *value == chosen };
    values.iter().map(choice).collect()
}

/// The value of a kind in the query.
fn kind_value(kind: ImageKind) -> &'static str {
    match kind {
        ImageKind::SystemDisk => "system",
        ImageKind::DataDisk => "data",
        ImageKind::FullEcs { .. } => "whole",
    }
}

impl Row {
    fn new(visit: &Visit<'_>, visible: &VisibleImage, can_write: bool) -> Self {
        let (texts, image) = (visit.texts, &visible.image);
        let name = show::image_name(image).to_owned();
        let backup = show::backup_gib(image).map(|gib| fill(texts.gib, &[("count", &gib.to_string())]));
        Self {
            id: image.id.to_string(),
            kind: show::kind_name(image.details.kind(), texts),
            backup: backup.unwrap_or_default(),
            encryption: owned::encryption(&image.details.encryption(), texts),
            visibility: owned::visibility_name(image.visibility, texts),
            recipients: owned::recipients(visit, visible),
            created: Moment(image.created),
            select: fill(texts.select, &[("name", &name)]),
            can_share: can_write && owned::obstacle(visit, visible).is_none(),
            can_delete: can_write && !image.details.protected,
            name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filter_survives_the_links_to_other_pages() {
        let query = b"name=a%26b+%F0%9F%90%99&kind=whole&visibility=private&encrypted=no&shared=yes&marker=x";
        let filter = Filter::read(&Fields::parse(query).unwrap());
        assert!(filter.is_shared && filter.visibility == Some(Visibility::Private));
        assert_eq!(Filter::read(&Fields::parse(filter.query().as_bytes()).unwrap()), filter);
        assert_eq!(Filter::default().query(), "");
    }
}
