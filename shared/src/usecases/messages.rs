//! Read the messages of the caller's project, and mark them as read (seed 001).

use std::time::Duration;

use tokio::time::Instant;

use super::Page;
use crate::App;
use crate::app::{Pause, TooManyWaiting};
use crate::domain::{
    Caller, Denied, DirectoryEntry, Message, MessageId, MessagePart, SeenMessages, TenantId, Timestamp,
    UnreadEntry, authorize_write,
};
use crate::store::{DELIVERY_TIME, MessageContext, StoreError};

/// The highest exact number of unread messages.
pub const MAX_UNREAD_COUNT: usize = 99;

/// How often a waiting request reads the table. It also does when this process itself delivers a message.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// Why a request about messages was refused. A refused request has written nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// The access rule denies it: the caller's role only reads.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The caller's project has no such message, or has it no more.
    #[error("message not found")]
    NotFound,
    /// No request may wait in this deployment.
    #[error("no request may wait here")]
    CannotWait,
    /// Too many requests are waiting.
    #[error(transparent)]
    TooManyWaiting(#[from] TooManyWaiting),
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A message, as the caller sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageView {
    /// The message.
    pub message: Message,
    /// Whether the caller's project has read it.
    pub is_read: bool,
    /// The directory entry of its counterpart, if there is one.
    pub counterpart: Option<DirectoryEntry>,
}

/// A number of unread messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnreadCount {
    /// The number, at most [`MAX_UNREAD_COUNT`].
    pub count: usize,
    /// Whether there are more.
    pub is_more: bool,
}

/// A page of messages, and what else the caller wants to know with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageList<P> {
    /// The page.
    pub page: Page<MessageView, P>,
    /// The number of unread messages; only with the first page.
    pub unread: Option<UnreadCount>,
    /// A moment some seconds ago. No message that arrived until then is missing.
    pub as_of: Timestamp,
    /// What the caller has seen of the unread messages with this page; `None` with a page of all messages.
    pub seen: Option<SeenMessages>,
}

/// Adds a part to a message of a tenant, and tells the requests of this process that wait for it. Costs what
/// [`Store::add_to_message`](crate::store::Store::add_to_message) does.
///
/// # Errors
/// [`StoreError`] if the table failed.
pub async fn deliver_message(
    app: &App,
    tenant: &TenantId,
    id: &MessageId,
    part: &MessagePart,
) -> Result<(), StoreError> {
    app.store.add_to_message(tenant, id, part).await?;
    if let Some(reads) = &app.settings.waiting_reads {
        reads.announce(tenant);
    }
    Ok(())
}

/// Lists the messages of the caller's project, those of the latest requests first: at most `limit`, after `after`. Costs
/// one query and one batch read; for the first page another query, at the same time, of the index of unread messages.
///
/// # Errors
/// [`MessageError::Store`] if the table failed.
pub async fn list_messages(
    app: &App,
    caller: &Caller,
    after: Option<&MessageId>,
    limit: usize,
) -> Result<MessageList<MessageId>, MessageError> {
    let (store, tenant, asked_at) = (&app.store, &caller.tenant, app.clock().now());
    let unread = async {
        match after {
            None => store.unread_entries(tenant, None, None, MAX_UNREAD_COUNT + 1).await.map(Some),
            Some(_) => Ok(None),
        }
    };
    let ((messages, more), unread) = tokio::try_join!(store.messages(tenant, after, limit), unread)?;
    let counterparts = messages.iter().map(|message| &message.id.counterpart);
    let context = store.message_context(tenant, [], counterparts, false).await?;
    let is_unread = |entry: &UnreadEntry| context.read_up_to.is_none_or(|moment| entry.arrived > moment);
    let unread = unread.map(|entries| UnreadCount::of(entries.into_iter().filter(is_unread).count()));
    let views = messages.into_iter().map(|message| view(message, &context)).collect();
    let page = Page::new(views, more, |last: &MessageView| last.message.id.clone());
    Ok(MessageList { page, unread, as_of: complete_until(app, asked_at), seen: None })
}

/// Counts the unread messages of the caller's project. Costs one read and one query of keys, at the same time: 1.5 units
/// if there are none, and 4 for [`MAX_UNREAD_COUNT`].
///
/// # Errors
/// [`MessageError::Store`] if the table failed.
pub async fn count_unread_messages(app: &App, caller: &Caller) -> Result<UnreadCount, MessageError> {
    let (store, tenant) = (&app.store, &caller.tenant);
    let entries = store.unread_entries(tenant, None, None, MAX_UNREAD_COUNT + 1);
    let (read_up_to, entries) = tokio::try_join!(store.read_mark(tenant), entries)?;
    // The latest arrivals come first, so those after the mark are among the entries.
    let is_unread = |entry: &&UnreadEntry| read_up_to.is_none_or(|moment| entry.arrived > moment);
    Ok(UnreadCount::of(entries.iter().filter(is_unread).count()))
}

/// Lists the unread messages of the caller's project that it has not `seen`, the latest arrivals first: at most `limit`,
/// after `after`. The count is of these, too. Costs one read and one query, and one batch read if there are any.
///
/// # Errors
/// [`MessageError::Store`] if the table failed.
pub async fn list_unread_messages(
    app: &App,
    caller: &Caller,
    seen: Option<&SeenMessages>,
    after: Option<&UnreadEntry>,
    limit: usize,
) -> Result<MessageList<UnreadEntry>, MessageError> {
    let (store, tenant, asked_at) = (&app.store, &caller.tenant, app.clock().now());
    let since = seen.map(SeenMessages::until).max(store.read_mark(tenant).await?);
    let wanted = (limit + 1).max(if after.is_none() { MAX_UNREAD_COUNT + 1 } else { 0 });
    let wanted = wanted + seen.map_or(0, SeenMessages::later_count);
    let entries = store.unread_entries(tenant, since, after, wanted).await?;
    let is_seen = |entry: &UnreadEntry| seen.is_some_and(|seen| seen.contains(entry));
    let (seen_before, mut entries): (Vec<_>, Vec<_>) = entries.into_iter().partition(is_seen);
    let unread = after.is_none().then(|| UnreadCount::of(entries.len()));
    let more = entries.len() > limit;
    entries.truncate(limit);
    let views = read_unread(app, tenant, &entries).await?;
    // Never before what the caller has seen already, by the clock of another process.
    let seen_until = seen.map(|seen| seen.until().min(asked_at));
    let as_of = seen_until.into_iter().fold(complete_until(app, asked_at), Timestamp::max);
    let seen = SeenMessages::new(as_of, entries.iter().chain(&seen_before));
    let next = entries.pop().filter(|_| more);
    Ok(MessageList { page: Page { items: views, next }, unread, as_of, seen: Some(seen) })
}

/// Reads the messages of some entries. Leaves out those that the index still has, and that were just marked as read.
async fn read_unread(
    app: &App,
    tenant: &TenantId,
    entries: &[UnreadEntry],
) -> Result<Vec<MessageView>, StoreError> {
    if entries.is_empty() {
        return Ok(Vec::new());
    }
    let ids = entries.iter().map(|entry| &entry.id);
    let counterparts = entries.iter().map(|entry| &entry.id.counterpart);
    let mut context = app.store.message_context(tenant, ids, counterparts, false).await?;
    let messages: Vec<_> = entries.iter().filter_map(|entry| context.messages.remove(&entry.id)).collect();
    let views = messages.into_iter().map(|message| view(message, &context));
    Ok(views.filter(|view| !view.is_read).collect())
}

/// Waits until there is an unread message of the caller's project that it has not `seen`, and returns the first page of
/// such messages; an empty one at the end of `timeout`, or when the server stops. Costs what
/// [`list_unread_messages`] does, every half second.
///
/// # Errors
/// [`MessageError`]
pub async fn wait_for_unread_messages(
    app: &App,
    caller: &Caller,
    seen: Option<&SeenMessages>,
    limit: usize,
    timeout: Duration,
) -> Result<MessageList<UnreadEntry>, MessageError> {
    let reads = app.settings.waiting_reads.as_ref().ok_or(MessageError::CannotWait)?;
    let deadline = Instant::now() + timeout;
    let found = list_unread_messages(app, caller, seen, None, limit).await?;
    if !found.page.items.is_empty() {
        return Ok(found);
    }
    let mut waiting = reads.begin(&caller.tenant)?;
    loop {
        let found = list_unread_messages(app, caller, seen, None, limit).await?;
        if !found.page.items.is_empty() || Instant::now() >= deadline {
            return Ok(found);
        }
        if waiting.pause_until(deadline.min(Instant::now() + POLL_INTERVAL)).await == Pause::Stopping {
            return Ok(found);
        }
    }
}

/// Returns a message of the caller's project. Costs one batch read.
///
/// # Errors
/// [`MessageError`]
pub async fn show_message(app: &App, caller: &Caller, id: &MessageId) -> Result<MessageView, MessageError> {
    let mut context = app.store.message_context(&caller.tenant, [id], [&id.counterpart], true).await?;
    let message = context.messages.remove(id).ok_or(MessageError::NotFound)?;
    Ok(view(message, &context))
}

/// Marks a message of the caller's project as read or as unread, and returns it. Costs one write and one batch read.
///
/// # Errors
/// [`MessageError`]; then nothing was changed,
/// unless the table leaves that in doubt ([`InDoubt`](crate::store::StoreError::InDoubt)).
pub async fn mark_message(
    app: &App,
    caller: &Caller,
    id: &MessageId,
    is_read: bool,
) -> Result<MessageView, MessageError> {
    authorize_write(caller)?;
    if !app.store.mark_message(&caller.tenant, id, is_read).await? {
        return Err(MessageError::NotFound);
    }
    show_message(app, caller, id).await
}

/// Marks every message of the caller's project as read that arrived up to a moment; up to now if that is later, so that
/// no message is read before it arrives. Costs one write, whatever the number of messages.
///
/// # Errors
/// [`MessageError`]; then nothing was changed,
/// unless the table leaves that in doubt ([`InDoubt`](crate::store::StoreError::InDoubt)).
pub async fn mark_messages_read(app: &App, caller: &Caller, up_to: Timestamp) -> Result<(), MessageError> {
    authorize_write(caller)?;
    Ok(app.store.move_read_mark(&caller.tenant, up_to.min(app.clock().now())).await?)
}

impl UnreadCount {
    fn of(found: usize) -> Self {
        Self { count: found.min(MAX_UNREAD_COUNT), is_more: found > MAX_UNREAD_COUNT }
    }
}

fn view(message: Message, context: &MessageContext) -> MessageView {
    let counterpart = context.entries.get(&message.id.counterpart).cloned();
    MessageView { is_read: message.is_read(context.read_up_to), counterpart, message }
}

/// The moment until which a list that is asked for now is complete.
fn complete_until(app: &App, now: Timestamp) -> Timestamp {
    now.minus(DELIVERY_TIME).minus(app.clock().skew())
}
