//! An image: its facts, and to its owner the projects that it is shared with, to a recipient its own decision.
//!
//! Costs what the frame costs, one batch read for the image and one for its member count, and one batch read and a query for the
//! members of an owner's image, all at the same time; then one batch read for the names of the other side.

use std::collections::HashMap;

use askama::Template;
use imageshare::domain::{Denied, ImageId, ImageKind, MemberView, Status, TenantId, authorize_write};
use imageshare::usecases::{
    self, CounterpartNames, ListReason, MemberCounts, MemberList, UseCaseError, VisibleImage,
};

use crate::frame::{Frame, Section};
use crate::owned;
use crate::reply::Reply;
use crate::show::{self, Moment};
use crate::texts::{Texts, fill};
use crate::visible;
use crate::visit::{self, Visit};
use crate::wording::Refusal;

/// The members of a page.
const PAGE_SIZE: usize = 100;

#[derive(Template)]
#[template(path = "image.html")]
struct ImagePage {
    frame: Frame,
    form_key: String,
    title: String,
    id: String,
    name: String,
    facts: Vec<(&'static str, String)>,
    tags: Vec<String>,
    created: Moment,
    updated: Moment,
    side: Side,
    /// Why the owner cannot share it; empty if it can.
    obstacle: String,
    /// Whether the visitor may change what it sees.
    can_write: bool,
    is_protected: bool,
    members: Option<Members>,
}

/// What the visitor is to the image.
enum Side {
    Owner,
    Recipient {
        names: Option<CounterpartNames>,
        owner: String,
        status: Status,
        status_name: &'static str,
        since: Option<Moment>,
    },
    /// Every project can use the image.
    Anyone {
        owner: String,
    },
}

impl Side {
    fn is_owner(&self) -> bool {
        matches!(self, Self::Owner)
    }
}

struct Members {
    rows: Vec<Row>,
    /// The links that show all members, or those with one status.
    filters: Vec<FilterLink>,
    /// The part of the query that keeps the filter.
    filter: String,
    next: Option<String>,
    is_first: bool,
}

struct FilterLink {
    name: String,
    query: String,
    is_current: bool,
}

struct Row {
    tenant: String,
    names: Option<CounterpartNames>,
    status: &'static str,
    class: &'static str,
    shared: Moment,
    decided: Option<Moment>,
    select: String,
    stop: String,
}

/// Shows the image with that id.
pub(crate) async fn show(visit: &Visit<'_>, id: &str) -> Result<Reply, Refusal> {
    let id: ImageId = id.parse().map_err(|_| Refusal::NoSuchPage)?;
    let status: Option<Status> = visit.query.text("status").parse().ok();
    let listing = visit.listing("console members").with(id.as_str()).with(visit.query.text("status"));
    let marker = visit.query.text("marker");
    let after: Option<TenantId> = listing.decode_marker(marker).and_then(|position| position.parse().ok());
    let (mut frame, visible, list) = tokio::try_join!(
        Frame::load(visit, None),
        find(visit, &id),
        members(visit, &id, status, after.as_ref()),
    )?;
    let listed = list.iter().flat_map(|list| &list.page.items);
    let (owners, recipients) = tokio::try_join!(
        usecases::names_of(&visit.app, [&visible]),
        usecases::names_of(&visit.app, listed.filter(|_| visible.reason == ListReason::Owned))
    )?;
    let texts = visit.texts;
    let image = &visible.image;
    let members = list.as_ref().filter(|_| visible.reason == ListReason::Owned).map(|list| Members {
        rows: list.page.items.iter().map(|member| Row::new(member, &recipients, texts)).collect(),
        filters: filter_links(list.counts, status, texts),
        filter: status.map(|status| format!("status={}", status.as_str())).unwrap_or_default(),
        next: list.page.next.as_ref().map(|next| listing.encode_marker(next)),
        is_first: marker.is_empty(),
    });
    let own = list.as_ref().and_then(|list| list.page.items.first());
    let side = side(&visible, own, owners.get(&image.owner), texts);
    frame.enter(if side.is_owner() { Section::PrivateImages } else { Section::SharedImages });
    let name = show::image_name(image);
    Ok(Reply::page(&ImagePage {
        frame,
        form_key: visit::new_form_key(),
        id: id.to_string(),
        title: fill(texts.own.title_of_image, &[("name", name)]),
        name: name.to_owned(),
        facts: facts(visit, &visible),
        tags: image.details.tags.iter().cloned().collect(),
        created: Moment(image.created),
        updated: Moment(image.updated),
        obstacle: owned::obstacle(visit, &visible).unwrap_or_default(),
        can_write: authorize_write(visit.caller()).is_ok(),
        is_protected: image.details.protected,
        side,
        members,
    }))
}

/// The image with that id, if the project may see it. Costs one batch read, and one for the member count of its own.
///
/// # Errors
/// [`Refusal::NoSuchPage`] if the project may not see it, or it does not exist.
pub(crate) async fn find(visit: &Visit<'_>, id: &ImageId) -> Result<VisibleImage, Refusal> {
    let found = visible::find(visit, std::slice::from_ref(id), true).await?;
    found.into_iter().next().ok_or(Refusal::NoSuchPage)
}

/// A page of the members that the visitor sees; `None` if the image has no members because of its visibility.
async fn members(
    visit: &Visit<'_>,
    id: &ImageId,
    status: Option<Status>,
    after: Option<&TenantId>,
) -> Result<Option<MemberList>, Refusal> {
    let page = (after, PAGE_SIZE);
    match usecases::list_members_by_status(&visit.app, visit.caller(), id, status, page).await {
        Ok(list) => Ok(Some(list)),
        Err(UseCaseError::Denied(Denied::NotShared(_))) => Ok(None),
        Err(error) => Err(owned::refusal(error)),
    }
}

fn side(
    visible: &VisibleImage,
    own: Option<&MemberView>,
    names: Option<&CounterpartNames>,
    texts: &'static Texts,
) -> Side {
    let owner = visible.image.owner.to_string();
    match visible.reason {
        ListReason::Owned => Side::Owner,
        ListReason::Received(status) => Side::Recipient {
            owner,
            names: names.cloned(),
            status,
            status_name: show::status_name(status, texts),
            since: own.map(|own| Moment(own.created)),
        },
        ListReason::Open => Side::Anyone { owner },
    }
}

/// What is known of the image, each with its name.
fn facts(visit: &Visit<'_>, visible: &VisibleImage) -> Vec<(&'static str, String)> {
    let (texts, image) = (visit.texts, &visible.image);
    let details = &image.details;
    let text = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
    let gib = |count: u64| fill(texts.gib, &[("count", &count.to_string())]);
    let backup = match details.kind() {
        ImageKind::FullEcs { backup_gib, .. } => Some(gib(backup_gib)),
        ImageKind::SystemDisk | ImageKind::DataDisk => None,
    };
    let is_owned = visible.reason == ListReason::Owned;
    let facts = [
        (texts.kind, Some(show::kind_name(details.kind(), texts).to_owned())),
        (texts.backup_size, backup),
        (texts.own.encryption, Some(owned::encryption(&details.encryption(), texts))),
        (texts.visibility, Some(owned::visibility_name(image.visibility, texts).to_owned())),
        (texts.recipients, is_owned.then(|| owned::recipients(visit, visible))),
        (texts.own.disk_format, text(&details.disk_format)),
        (texts.own.container_format, text(&details.container_format)),
        (texts.own.min_disk, (details.min_disk_gib > 0).then(|| gib(details.min_disk_gib.into()))),
        (texts.own.protected, details.protected.then(|| texts.own.yes.to_owned())),
    ];
    facts.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// The links that filter the members by status. Each has its number if all members were read.
fn filter_links(
    counts: Option<MemberCounts>,
    status: Option<Status>,
    texts: &'static Texts,
) -> Vec<FilterLink> {
    let of = |status: Option<Status>| {
        let count = counts.map(|MemberCounts { pending, accepted, rejected }| match status {
            None => pending + accepted + rejected,
            Some(Status::Pending) => pending,
            Some(Status::Accepted) => accepted,
            Some(Status::Rejected) => rejected,
        });
        let name = status.map_or(texts.own.all, |status| show::status_name(status, texts));
        match count {
            Some(count) => format!("{name} ({count})"),
            None => name.to_owned(),
        }
    };
    let link = |each: Option<Status>| FilterLink {
        name: of(each),
        query: each.map(|status| format!("status={}", status.as_str())).unwrap_or_default(),
        is_current: each == status,
    };
    std::iter::once(None).chain(Status::ALL.map(Some)).map(link).collect()
}

impl Row {
    fn new(
        member: &MemberView,
        recipients: &HashMap<TenantId, CounterpartNames>,
        texts: &'static Texts,
    ) -> Self {
        let name = [("name", member.tenant.as_str())];
        Self {
            tenant: member.tenant.to_string(),
            names: recipients.get(&member.tenant).cloned(),
            status: show::status_name(member.status, texts),
            class: member.status.as_str(),
            shared: Moment(member.created),
            decided: member.decided.map(Moment),
            select: fill(texts.select, &name),
            stop: fill(texts.own.stop_sharing_with, &name),
        }
    }
}
