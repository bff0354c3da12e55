//! Messages. Each is an item in its tenant's partition, ordered by request. The index has those that are not marked as
//! read, ordered by arrival: a request of a large job is executed long after it was made, and its message must not be
//! overlooked below newer ones.

use std::collections::HashMap;
use std::time::Duration;

use super::client::Store;
use super::error::{StoreError, WriteError};
use super::item;
use super::items::{directory_entry, message};
use super::keys::{self, GPK, GSK, Key, LISTS_INDEX, PK, sortable_time};
use crate::domain::{
    DirectoryEntry, MESSAGE_RETENTION, Message, MessageId, MessagePart, TenantId, Timestamp, UnreadEntry,
};
use crate::table::{Projection, Query, Write};

/// The longest time from when a message gets its time of arrival until a list can show it: how long its write is retried.
pub const DELIVERY_TIME: Duration = Duration::from_secs(5);

/// The most images in one write of a message.
const MAX_IMAGES_PER_WRITE: usize = 100;

/// What a tenant's view of some messages needs besides them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MessageContext {
    /// Those of the requested messages that exist and have not expired.
    pub messages: HashMap<MessageId, Message>,
    /// The moment up to which the tenant has read everything.
    pub read_up_to: Option<Timestamp>,
    /// The directory entries of the requested tenants that are in the directory.
    pub entries: HashMap<TenantId, DirectoryEntry>,
}

impl Store {
    /// Adds a part to a message of a tenant, and creates the message if it does not exist. To add a part again, or parts
    /// in another order, gives the same message. One write of 1 unit, or 2 for a new message, while it is below 1 KB; one
    /// for every 100 images of the part.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails, or is not available for [`DELIVERY_TIME`]. The caller then starts again, since
    /// a message must not arrive at a time that readers believe they have seen everything of.
    pub async fn add_to_message(
        &self,
        tenant: &TenantId,
        id: &MessageId,
        part: &MessagePart,
    ) -> Result<(), StoreError> {
        if part.images.len() <= MAX_IMAGES_PER_WRITE {
            return self.add_once(tenant, id, part).await;
        }
        let images: Vec<_> = part.images.iter().collect();
        for chunk in images.chunks(MAX_IMAGES_PER_WRITE) {
            let images = chunk.iter().map(|(image, name)| ((*image).clone(), (*name).clone())).collect();
            self.add_once(tenant, id, &MessagePart { images, key: part.key.clone() }).await?;
        }
        Ok(())
    }

    async fn add_once(
        &self,
        tenant: &TenantId,
        id: &MessageId,
        part: &MessagePart,
    ) -> Result<(), StoreError> {
        let store = self.with_timeout(DELIVERY_TIME);
        match store.update(&message::add(tenant, id, part, self.clock.now())).await {
            Ok(_) => Ok(()),
            Err(WriteError::ConditionFailed(_)) => {
                store.update_if(&message::add_more(tenant, id)).await.map(drop)
            }
            Err(WriteError::Store(error)) => Err(error),
        }
    }

    /// Returns a tenant's messages after `after`, the newest first, at most `limit`; and whether there are more. One
    /// query.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn messages(
        &self,
        tenant: &TenantId,
        after: Option<&MessageId>,
        limit: usize,
    ) -> Result<(Vec<Message>, bool), StoreError> {
        let now = self.clock.now();
        let oldest = now.minus(MESSAGE_RETENTION);
        // DynamoDB rejects a start outside of the range of a query.
        if after.is_some_and(|id| id.stamp.time() <= oldest) {
            return Ok((Vec::new(), false));
        }
        let query = Query::new("pk = :tenant AND sk > :oldest")
            .value(":tenant", item::text(keys::message_partition(tenant)))
            .value(":oldest", item::text(keys::message_lower_bound(oldest)));
        let start = after.map(|id| keys::message(tenant, id));
        let mut query = Query { consistent: true, descending: true, start, ..query };
        let mut messages = Vec::new();
        loop {
            // One more than the limit, to know whether there are more.
            query.limit = Some(limit + 1 - messages.len());
            let page = self.query(&query).await?;
            for found in &page.items {
                messages.extend(message::parse(found, now)?);
            }
            query.start = page.next;
            if messages.len() > limit || query.start.is_none() {
                let more = messages.len() > limit;
                messages.truncate(limit);
                return Ok((messages, more));
            }
        }
    }

    /// Returns the index entries of a tenant's messages that are not marked as read, and arrived after `since`: those
    /// after `after`, the latest arrival first, at most `limit`. The index may be some milliseconds behind. One query,
    /// about 1 read unit for 40.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn unread_entries(
        &self,
        tenant: &TenantId,
        since: Option<Timestamp>,
        after: Option<&UnreadEntry>,
        limit: usize,
    ) -> Result<Vec<UnreadEntry>, StoreError> {
        let oldest = self.clock.now().minus(MESSAGE_RETENTION);
        let since = since.map_or(oldest, |since| since.max(oldest));
        // DynamoDB rejects a start outside of the range of a query.
        if after.is_some_and(|entry| entry.arrived <= since) {
            return Ok(Vec::new());
        }
        let query = Query::new("gpk = :unread AND gsk > :since")
            .value(":unread", item::text(keys::marked_messages_partition(tenant, false)))
            .value(":since", item::text(sortable_time(since)));
        let start = after.map(|entry| unread_key(tenant, entry));
        let mut query = Query { index: Some(LISTS_INDEX), descending: true, start, ..query };
        let mut entries = Vec::new();
        loop {
            query.limit = Some(limit - entries.len());
            let page = self.query(&query).await?;
            for found in &page.items {
                let entry =
                    UnreadEntry { arrived: message::parse_arrived(found)?, id: message::parse_id(found)? };
                if entry.id.stamp.time() > oldest {
                    entries.push(entry);
                }
            }
            query.start = page.next;
            if entries.len() >= limit || query.start.is_none() {
                return Ok(entries);
            }
        }
    }

    /// Reads messages of a tenant by their ids, the directory entries of `tenants`, and how far the tenant has read:
    /// `consistent`, for twice the units, or as good as an index. One batch read for every 100 of them.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn message_context<'a>(
        &self,
        tenant: &TenantId,
        ids: impl IntoIterator<Item = &'a MessageId>,
        tenants: impl IntoIterator<Item = &'a TenantId>,
        consistent: bool,
    ) -> Result<MessageContext, StoreError> {
        let now = self.clock.now();
        let mut keys = vec![keys::read_mark(tenant)];
        keys.extend(ids.into_iter().map(|id| keys::message(tenant, id)));
        let mut tenants: Vec<_> = tenants.into_iter().collect();
        tenants.sort();
        tenants.dedup();
        keys.extend(tenants.into_iter().map(keys::tenant));
        let mut context = MessageContext::default();
        let found = if consistent {
            self.read(keys).await?
        } else {
            self.read_eventually(keys, Projection::All).await?
        };
        for found in found {
            if found.contains_key(message::UP_TO) {
                context.read_up_to = Some(parse_read_mark(&found)?);
            } else if keys::parse_tenant_partition(item::get_text(&found, PK)?).is_some() {
                let entry = directory_entry::parse(&found)?;
                context.entries.extend(entry.map(|entry| (entry.tenant.clone(), entry)));
            } else {
                let message = message::parse(&found, now)?;
                context.messages.extend(message.map(|message| (message.id.clone(), message)));
            }
        }
        Ok(context)
    }

    /// Returns the moment up to which a tenant has read everything; `None` if it has never said so. One read.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn read_mark(&self, tenant: &TenantId) -> Result<Option<Timestamp>, StoreError> {
        self.read_one(keys::read_mark(tenant)).await?.as_ref().map(parse_read_mark).transpose()
    }

    /// Marks a message as read, or as unread; `false` if the tenant has no such message. A message that is marked as
    /// unread arrives again, so that an earlier read mark does not include it. One write.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn mark_message(
        &self,
        tenant: &TenantId,
        id: &MessageId,
        is_read: bool,
    ) -> Result<bool, StoreError> {
        self.update_if(&message::mark(tenant, id, is_read, self.clock.now())).await
    }

    /// Records that a tenant has read everything that arrived up to a moment. Does nothing if it has recorded a later
    /// one. One write.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn move_read_mark(&self, tenant: &TenantId, up_to: Timestamp) -> Result<(), StoreError> {
        self.update_if(&message::move_read_mark(tenant, up_to)).await.map(drop)
    }

    /// Makes a write if its condition holds, and returns whether it does.
    async fn update_if(&self, write: &Write) -> Result<bool, StoreError> {
        match self.update(write).await {
            Ok(_) => Ok(true),
            Err(WriteError::ConditionFailed(_)) => Ok(false),
            Err(WriteError::Store(error)) => Err(error),
        }
    }
}

fn parse_read_mark(found: &item::Item) -> Result<Timestamp, StoreError> {
    item::get_number(found, message::UP_TO).map(Timestamp::from_unix_millis)
}

/// The key of an unread message's entry in the index.
fn unread_key(tenant: &TenantId, entry: &UnreadEntry) -> Key {
    let mut key = keys::message(tenant, &entry.id);
    key.insert(GPK.to_owned(), item::text(keys::marked_messages_partition(tenant, false)));
    key.insert(GSK.to_owned(), item::text(sortable_time(entry.arrived)));
    key
}
