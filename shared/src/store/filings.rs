//! What images are filed under, so that one is found by its tag, or an open one by its owner, however long the lists are:
//! an item for each tag of an image, in a partition of its list and the tag.
//!
//! Items are written in the transaction that writes the image. Where they are too many for one, those that come are
//! written before it and those that go are deleted after it, so that an image is filed under each of its tags at any
//! moment. An entry that is left over is harmless: a look-up reads the image too, and leaves it out.

use std::collections::HashSet;

use super::call::NotWritten;
use super::item;
use super::keys::{Filing, Key, List, Position};
use super::{Store, StoreError};
use crate::domain::Image;
use crate::table::Write;

/// How many items of a transaction are filings; the others are the image's own and those of a job.
const MAX_IN_ONE: usize = 60;

/// How many items a transaction takes.
const MAX_ALONE: usize = 100;

/// The attribute of a filing that is the revision of the image which it was written for.
const REVISION: &str = "revision";

/// The filings of an image that come and go with a change of it.
#[derive(Debug, Default)]
pub(super) struct Filings {
    come: Vec<Key>,
    go: Vec<Key>,
    /// The image's revision after the change.
    revision: u64,
}

impl Filings {
    /// What comes and goes as an image becomes another; `None` is one that there is not yet, or not any more.
    pub(super) fn change(from: Option<&Image>, to: Option<&Image>) -> Self {
        let (before, after) = (from.map(filings).unwrap_or_default(), to.map(filings).unwrap_or_default());
        let Some(image) = to.or(from) else { return Self::default() };
        let position = Position { created: image.created, image: image.id.clone() };
        let keys = |filings: &mut dyn Iterator<Item = &Filing>| {
            filings.map(|filing| filing.table_key(&position)).collect()
        };
        Self {
            come: keys(&mut after.difference(&before)),
            go: keys(&mut before.difference(&after)),
            revision: image.revision + u64::from(to.is_none()),
        }
    }
}

/// Everything that an image is filed under.
fn filings(image: &Image) -> HashSet<Filing> {
    let open = image.visibility.is_open().then_some(List::Open(image.visibility));
    let lists = [Some(List::Owned(image.owner.clone())), open.clone()];
    let tags = lists
        .into_iter()
        .flatten()
        .flat_map(|list| image.details.tags.iter().map(move |tag| Filing::Tag(list.clone(), tag.clone())));
    tags.chain(open.map(|list| Filing::Owner(list, image.owner.clone()))).collect()
}

impl Store {
    /// Writes all of the items or none, with the filings that come and go: in one transaction where these are at most 60,
    /// else in more before it and single deletions after it.
    pub(super) async fn transact_filing(
        &self,
        mut writes: Vec<Write>,
        filings: Filings,
    ) -> Result<(), NotWritten> {
        let Filings { mut come, mut go, revision } = filings;
        let file = |key: Key| Write::put(item::item(key, [(REVISION, item::number(revision))]));
        let first = come.split_off(come.len().min(MAX_IN_ONE));
        for some in first.chunks(MAX_ALONE) {
            self.transact(&some.iter().cloned().map(file).collect::<Vec<_>>()).await?;
        }
        let rest = go.split_off(go.len().min(MAX_IN_ONE - come.len()));
        writes.extend(come.into_iter().map(file));
        writes.extend(go.into_iter().map(Write::delete));
        self.transact(&writes).await?;
        for key in rest {
            self.unfile(key, revision).await?;
        }
        Ok(())
    }

    /// Deletes a filing, unless the image has been filed there again since that revision.
    async fn unfile(&self, key: Key, revision: u64) -> Result<(), StoreError> {
        let delete = Write::delete(key)
            .only_if("attribute_not_exists(pk) OR revision < :revision")
            .value(":revision", item::number(revision));
        match self.update(&delete).await {
            Ok(_) | Err(NotWritten::Conditions(_)) => Ok(()),
            Err(NotWritten::Store(error)) => Err(error),
        }
    }
}
