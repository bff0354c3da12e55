//! Lookups: they find the images of a list that have a tag, or the images visible to all that have an owner, without a
//! scan of the list. A lookup is an item for one image, in a partition for the list and the tag or owner.
//!
//! Lookups are written in the transaction that writes the image. If they are too many for one, added ones are written
//! before it and removed ones are deleted after it, so that an image always has a lookup for each of its tags. One
//! that is left over is harmless: a search reads the image too, and leaves out those that do not match.

use std::collections::HashSet;

use super::client::Store;
use super::error::{StoreError, WriteError};
use super::item;
use super::keys::{Key, List, LookupKey, Position};
use crate::domain::Image;
use crate::table::Write;

/// The most lookups in one transaction. The rest of it is for the image's own items and those of a job.
const MAX_LOOKUPS_PER_TRANSACTION: usize = 60;

/// DynamoDB's limit of writes in one transaction.
const MAX_TRANSACTION_WRITES: usize = 100;

/// The revision of the image for which the lookup was written.
const REVISION: &str = "revision";

/// The lookups that a change of an image adds and removes.
#[derive(Debug, Default)]
pub(super) struct LookupChanges {
    added: Vec<Key>,
    removed: Vec<Key>,
    /// The image's revision after the change.
    revision: u64,
}

impl LookupChanges {
    /// Compares the lookups of an image before and after a change; `None` before its creation and after its deletion.
    pub(super) fn between(from: Option<&Image>, to: Option<&Image>) -> Self {
        let (before, after) =
            (from.map(lookup_keys).unwrap_or_default(), to.map(lookup_keys).unwrap_or_default());
        let Some(image) = to.or(from) else { return Self::default() };
        let position = Position { created: image.created, image: image.id.clone() };
        let keys = |lookups: &mut dyn Iterator<Item = &LookupKey>| {
            lookups.map(|lookup| lookup.primary_key(&position)).collect()
        };
        Self {
            added: keys(&mut after.difference(&before)),
            removed: keys(&mut before.difference(&after)),
            revision: image.revision + u64::from(to.is_none()),
        }
    }
}

/// Returns the keys of all lookups of an image.
fn lookup_keys(image: &Image) -> HashSet<LookupKey> {
    let open_list = image.visibility.is_visible_to_all().then_some(List::Open(image.visibility));
    let lists = [Some(List::Owned(image.owner.clone())), open_list.clone()];
    let tags = lists
        .into_iter()
        .flatten()
        .flat_map(|list| image.details.tags.iter().map(move |tag| LookupKey::Tag(list.clone(), tag.clone())));
    tags.chain(open_list.map(|list| LookupKey::Owner(list, image.owner.clone()))).collect()
}

impl Store {
    /// Commits `writes` and the changes of lookups. One transaction for up to 60 lookups; above, more transactions
    /// before it for the added ones, and single deletions after it.
    pub(super) async fn transact_with_lookups(
        &self,
        mut writes: Vec<Write>,
        changes: LookupChanges,
    ) -> Result<(), WriteError> {
        let LookupChanges { mut added, mut removed, revision } = changes;
        let lookup_put = |key: Key| Write::put(item::item(key, [(REVISION, item::number(revision))]));
        let added_before = added.split_off(added.len().min(MAX_LOOKUPS_PER_TRANSACTION));
        for chunk in added_before.chunks(MAX_TRANSACTION_WRITES) {
            self.transact(&chunk.iter().cloned().map(lookup_put).collect::<Vec<_>>()).await?;
        }
        let removed_after = removed.split_off(removed.len().min(MAX_LOOKUPS_PER_TRANSACTION - added.len()));
        writes.extend(added.into_iter().map(lookup_put));
        writes.extend(removed.into_iter().map(Write::delete));
        self.transact(&writes).await?;
        for key in removed_after {
            self.delete_lookup(key, revision).await?;
        }
        Ok(())
    }

    /// Deletes a lookup, unless a later revision of the image has written it again.
    async fn delete_lookup(&self, key: Key, revision: u64) -> Result<(), StoreError> {
        let delete = Write::delete(key)
            .only_if("attribute_not_exists(pk) OR revision < :revision")
            .value(":revision", item::number(revision));
        match self.update(&delete).await {
            Ok(_) | Err(WriteError::ConditionFailed(_)) => Ok(()),
            Err(WriteError::Store(error)) => Err(error),
        }
    }
}
