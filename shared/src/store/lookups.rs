//! What images are filed under, so that one is found by its tag, or an open one by its owner, however long the lists are:
//! an item for each tag of an image, in a partition of its list and the tag.
//!
//! Items are written in the transaction that writes the image. Where they are too many for one, those that come are
//! written before it and those that go are deleted after it, so that an image is filed under each of its tags at any
//! moment. An entry that is left over is harmless: a look-up reads the image too, and leaves it out.

use std::collections::HashSet;

use super::client::Store;
use super::error::{StoreError, WriteError};
use super::item;
use super::keys::{Key, List, LookupKey, Position};
use crate::domain::Image;
use crate::table::Write;

/// How many items of a transaction are filings; the others are the image's own and those of a job.
const MAX_LOOKUPS_PER_TRANSACTION: usize = 60;

/// How many items a transaction takes.
const MAX_TRANSACTION_WRITES: usize = 100;

/// The attribute of a filing that is the revision of the image which it was written for.
const REVISION: &str = "revision";

/// The filings of an image that come and go with a change of it.
#[derive(Debug, Default)]
pub(super) struct LookupChanges {
    added: Vec<Key>,
    removed: Vec<Key>,
    /// The image's revision after the change.
    revision: u64,
}

impl LookupChanges {
    /// What comes and goes as an image becomes another; `None` is one that there is not yet, or not any more.
    pub(super) fn between(from: Option<&Image>, to: Option<&Image>) -> Self {
        let (before, after) =
            (from.map(lookup_keys).unwrap_or_default(), to.map(lookup_keys).unwrap_or_default());
        let Some(image) = to.or(from) else { return Self::default() };
        let position = Position { created: image.created, image: image.id.clone() };
        let keys = |filings: &mut dyn Iterator<Item = &LookupKey>| {
            filings.map(|filing| filing.primary_key(&position)).collect()
        };
        Self {
            added: keys(&mut after.difference(&before)),
            removed: keys(&mut before.difference(&after)),
            revision: image.revision + u64::from(to.is_none()),
        }
    }
}

/// Everything that an image is filed under.
fn lookup_keys(image: &Image) -> HashSet<LookupKey> {
    let open = image.visibility.is_visible_to_all().then_some(List::Open(image.visibility));
    let lists = [Some(List::Owned(image.owner.clone())), open.clone()];
    let tags = lists
        .into_iter()
        .flatten()
        .flat_map(|list| image.details.tags.iter().map(move |tag| LookupKey::Tag(list.clone(), tag.clone())));
    tags.chain(open.map(|list| LookupKey::Owner(list, image.owner.clone()))).collect()
}

impl Store {
    /// Writes all of the items or none, with the filings that come and go: in one transaction where these are at most 60,
    /// else in more before it and single deletions after it.
    pub(super) async fn transact_with_lookups(
        &self,
        mut writes: Vec<Write>,
        changes: LookupChanges,
    ) -> Result<(), WriteError> {
        let LookupChanges { mut added, mut removed, revision } = changes;
        let lookup_put = |key: Key| Write::put(item::item(key, [(REVISION, item::number(revision))]));
        let first = added.split_off(added.len().min(MAX_LOOKUPS_PER_TRANSACTION));
        for chunk in first.chunks(MAX_TRANSACTION_WRITES) {
            self.transact(&chunk.iter().cloned().map(lookup_put).collect::<Vec<_>>()).await?;
        }
        let rest = removed.split_off(removed.len().min(MAX_LOOKUPS_PER_TRANSACTION - added.len()));
        writes.extend(added.into_iter().map(lookup_put));
        writes.extend(removed.into_iter().map(Write::delete));
        self.transact(&writes).await?;
        for key in rest {
            self.delete_lookup(key, revision).await?;
        }
        Ok(())
    }

    /// Deletes a filing, unless the image has been filed there again since that revision.
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
