//! The memberships of the images that a project owns.

use std::collections::{BTreeSet, HashMap};

use futures_util::{StreamExt, TryStreamExt, stream};

use super::position::MembershipPosition;
use super::query::{MAX_READS, MembershipPage, MembershipQuery, MembershipRow};
use super::walk::ImageWalk;
use crate::App;
use crate::domain::{Caller, ImageAction, ImageHead, ImageId, MemberView, TenantId};
use crate::store::{List, ListQuery, Pair, Position, Store, StoreError};
use crate::usecases::{Page, UseCaseError};

/// The images of the first step of a query without recipients, whose number of members is not known yet. Each later
/// step has twice as many, up to [`MAX_STEP`].
const FIRST_STEP: usize = 20;
const MAX_STEP: usize = 200;

/// The fewest pairs of a step of a query that names recipients.
const MIN_PAIRS: usize = 100;

/// The most queries of members that run concurrently.
const MAX_CONCURRENT_QUERIES: usize = 16;

/// Reads a page.
pub(super) async fn read_page(
    app: &App,
    caller: &Caller,
    query: &MembershipQuery,
    after: Option<MembershipPosition>,
    limit: usize,
) -> Result<MembershipPage, UseCaseError> {
    let store = &app.store;
    let lists = vec![ListQuery::ByCreation(List::Owned(query.project.clone()))];
    let mut walk = ImageWalk::start(query, lists, after.as_ref());
    let mut unfinished = after.and_then(|after| after.member);
    let mut page = PageBuilder { query, limit, rows: Vec::new() };
    let (mut reads, mut step_size) = (0, first_step_size(query, limit));
    loop {
        let (list, mut images) = walk.next(store, step_size).await?;
        let heads = read_heads(app, caller, query, &images).await?;
        reads += images.len();
        // Images whose members have no place on the page are read with a later one.
        let fitting = page.count_fitting(&images, &heads);
        if let Some(last) = images.get(fitting.saturating_sub(1)).filter(|_| fitting < images.len()) {
            walk.go_back_to(list, last);
            images.truncate(fitting);
        }
        let mut members = read_members(store, &heads, &images, unfinished.take(), query, page.room()).await?;
        reads += members.values().map(|members| members.reads).sum::<usize>();
        for (number, position) in images.iter().enumerate() {
            let is_last = number + 1 == images.len() && walk.is_done();
            if let Some((image, members)) = heads.get(&position.image).zip(members.remove(&position.image))
                && let Some(member) = page.add(image, members, is_last)
            {
                let next = MembershipPosition { list, image: position.clone(), member: Some(member) };
                return Ok(Page { items: page.rows, next: Some(next) });
            }
        }
        if walk.is_done() {
            return Ok(Page { items: page.rows, next: None });
        }
        if page.room() == 0 || reads >= MAX_READS {
            let next = images.pop().map(|image| MembershipPosition { list, image, member: None });
            return Ok(Page { items: page.rows, next });
        }
        step_size = next_step_size(query, step_size);
    }
}

fn first_step_size(query: &MembershipQuery, limit: usize) -> usize {
    match &query.counterparts {
        Some(recipients) => (limit.max(MIN_PAIRS) / recipients.len().max(1)).max(1),
        None => FIRST_STEP,
    }
}

fn next_step_size(query: &MembershipQuery, step_size: usize) -> usize {
    if query.counterparts.is_some() { step_size } else { (2 * step_size).min(MAX_STEP) }
}

/// Reads the images of the project that can have members, by id.
async fn read_heads(
    app: &App,
    caller: &Caller,
    query: &MembershipQuery,
    images: &[Position],
) -> Result<HashMap<ImageId, ImageHead>, StoreError> {
    let heads = app.store.heads(images.iter().map(|position| &position.image)).await?;
    let authorized = heads.into_values().filter_map(|image| {
        let image = image.authorize(caller, None, ImageAction::ListMembers).ok()?;
        (image.owner == query.project).then(|| (image.id.clone(), image))
    });
    Ok(authorized.collect())
}

/// The members of an image that were read.
#[derive(Debug, Default)]
struct Members {
    /// In the order of their ids.
    items: Vec<MemberView>,
    /// Whether there are more.
    more: bool,
    /// How many items were read for them.
    reads: usize,
}

/// Reads the members of images, at most `limit` of each, or at least the recipients that the query names among them.
/// The first image may be unfinished: its members are those after that one.
async fn read_members(
    store: &Store,
    heads: &HashMap<ImageId, ImageHead>,
    images: &[Position],
    unfinished: Option<TenantId>,
    query: &MembershipQuery,
    limit: usize,
) -> Result<HashMap<ImageId, Members>, StoreError> {
    let after = |image: &ImageId| {
        unfinished.as_ref().filter(|_| images.first().is_some_and(|first| first.image == *image))
    };
    let with_members = images.iter().filter_map(|position| heads.get(&position.image));
    let with_members = with_members.filter(|image| image.member_count > 0);
    let recipients = query.counterparts.as_ref();
    let (listed, paired): (Vec<_>, Vec<_>) =
        with_members.partition(|image| recipients.is_none_or(|named| is_list_cheaper(image, named)));
    let lists = listed.into_iter().map(|image| async move {
        let (items, more) = store.members(&image.id, after(&image.id), limit).await?;
        let reads = items.len();
        Ok::<_, StoreError>((image.id.clone(), Members { items, more, reads }))
    });
    let lists: Vec<_> = lists.collect();
    let lists = stream::iter(lists).buffer_unordered(MAX_CONCURRENT_QUERIES).try_collect::<Vec<_>>();
    let pairs: Vec<Pair<'_>> = paired
        .iter()
        .flat_map(|image| recipients.into_iter().flatten().map(move |tenant| (&image.id, tenant)))
        .filter(|(image, tenant)| after(image).is_none_or(|after| *tenant > after))
        .collect();
    let (lists, found) = tokio::try_join!(lists, store.members_of_pairs(&pairs))?;
    let mut members: HashMap<_, _> = lists.into_iter().collect();
    for (image, _) in &pairs {
        members.entry((*image).clone()).or_insert_with(Members::default).reads += 1;
    }
    for member in found {
        members.entry(member.image.clone()).or_default().items.push(member);
    }
    for of_image in members.values_mut() {
        of_image.items.sort_by(|one, other| one.tenant.cmp(&other.tenant));
    }
    Ok(members)
}

/// Whether all members of an image are read for less than those of some recipients: a query reads some ten members
/// for what one costs by its key.
fn is_list_cheaper(image: &ImageHead, recipients: &BTreeSet<TenantId>) -> bool {
    const MIN_RECIPIENTS: usize = 10;
    const MEMBERS_PER_RECIPIENT: usize = 8;
    let members = usize::try_from(image.member_count).unwrap_or(usize::MAX);
    recipients.len() >= MIN_RECIPIENTS && members <= MEMBERS_PER_RECIPIENT * recipients.len()
}

/// Collects the rows of a page.
struct PageBuilder<'a> {
    query: &'a MembershipQuery,
    limit: usize,
    rows: Vec<MembershipRow>,
}

impl PageBuilder<'_> {
    /// How many more rows it takes.
    fn room(&self) -> usize {
        self.limit.saturating_sub(self.rows.len())
    }

    /// How many of the images are needed to fill it, if all of their members are selected; at least one.
    fn count_fitting(&self, images: &[Position], heads: &HashMap<ImageId, ImageHead>) -> usize {
        let mut expected = 0;
        let named = self.query.counterparts.as_ref().map_or(usize::MAX, BTreeSet::len);
        let fits = |position: &&Position| {
            let fits = expected < self.room();
            let members = heads.get(&position.image).map_or(0, |image| image.member_count);
            expected += usize::try_from(members).unwrap_or(usize::MAX).min(named);
            fits
        };
        images.iter().take_while(fits).count()
    }

    /// Adds the members of an image that the query selects. Returns the member after which the next page begins, if
    /// some may be left; `is_last` if no image follows.
    fn add(&mut self, image: &ImageHead, members: Members, is_last: bool) -> Option<TenantId> {
        let count = members.items.len();
        for (number, member) in members.items.into_iter().enumerate() {
            let is_last_read = number + 1 == count;
            let tenant = member.tenant.clone();
            if self.is_selected(&member) {
                self.rows.push(MembershipRow { image: image.clone(), member });
            }
            let may_end_here = is_last_read && !members.more && is_last;
            if is_last_read && members.more || self.room() == 0 && !may_end_here {
                return Some(tenant);
            }
        }
        None
    }

    fn is_selected(&self, member: &MemberView) -> bool {
        let recipients = &self.query.counterparts;
        self.query.statuses.contains(&member.status)
            && recipients.as_ref().is_none_or(|recipients| recipients.contains(&member.tenant))
    }
}
