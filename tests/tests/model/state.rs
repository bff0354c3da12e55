//! The state of the service, by its rules and not by its code: which images are shared with whom, and what was
//! decided.

use std::collections::{BTreeMap, BTreeSet};

use imageshare::domain::{ImageId, JobId, Stamp, Status, TenantId, Visibility};

use crate::history::Decision;

/// What an image needs to be shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageKind {
    Plain,
    /// It is encrypted with its owner's key.
    Encrypted,
    /// It is a full-ECS image, with backups of this size.
    FullEcs(u32),
}

/// The kind of the image with this id, whenever it is registered.
pub fn image_kind(image: &ImageId) -> ImageKind {
    match image.as_str().get(..2) {
        Some("a2") => ImageKind::FullEcs(40),
        Some("b2") => ImageKind::FullEcs(60),
        Some("a3" | "b4") => ImageKind::Encrypted,
        _ => ImageKind::Plain,
    }
}

/// A pair: an image and a tenant.
pub type PairId = (ImageId, TenantId);

/// The state at one moment.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// Every image that was ever registered.
    pub images: BTreeMap<ImageId, ImageRecord>,
    /// Every pair that a request ever named.
    pub pairs: BTreeMap<PairId, Pair>,
    /// The requests with an idempotency key, and their jobs (decision 22).
    pub keys: BTreeMap<(TenantId, u8), (String, JobId)>,
    /// The key grants (decision 14).
    pub grants: BTreeSet<(TenantId, TenantId)>,
    /// The capacity of each vault, in GiB (decision 15).
    pub vaults: BTreeMap<(TenantId, u8), u32>,
}

/// An image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageRecord {
    pub owner: TenantId,
    pub visibility: Visibility,
    pub exists: bool,
}

/// The executed requests on one pair.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pair {
    /// The shares that were not withdrawn, each with whether it is auto-accepted (decision 11).
    shares: BTreeMap<Stamp, bool>,
    /// The newest unshare. It ends every share requested before it (decision 10).
    last_unshare: Option<Stamp>,
    /// Every decision that found the image shared, with the start of that sharing.
    decisions: BTreeMap<Stamp, (Status, Stamp)>,
    /// Whether the image was ever shared with the tenant.
    was_shared: bool,
    /// The vault into which it was accepted.
    pub vault: Option<u8>,
}

impl Pair {
    /// The status that the tenant sees; `None` if the image is not shared with it.
    pub fn status(&self) -> Option<Status> {
        let asks_nothing = self.shares.values().any(|asks_nothing| *asks_nothing);
        let unanswered = if asks_nothing { Status::Accepted } else { Status::Pending };
        let since = self.shared_since()?;
        // The newest decision, if it is on the current sharing and not on one that has ended.
        let newest = self.newest_decision().filter(|(at, (_, found))| (**at).max(*found) >= since);
        Some(newest.map_or(unanswered, |(_, (status, _))| *status))
    }

    /// Whether the owner's request with this stamp is the newest, apart from later shares.
    pub fn is_current(&self, at: Stamp) -> bool {
        self.last_unshare < Some(at)
    }

    /// Whether a decision with this stamp finds the sharing that it is meant for (decision 8).
    pub fn can_decide(&self, at: Stamp) -> bool {
        self.shared_since().is_some() && self.is_current(at)
    }

    /// Whether a later request has withdrawn what a decision with this stamp was meant for.
    pub fn is_unshared_after(&self, at: Stamp) -> bool {
        self.was_shared && self.last_unshare > Some(at)
    }

    /// Whether a later request supersedes a share, an unshare or this decision.
    pub fn later_requests(&self, at: Stamp) -> [bool; 3] {
        let is_shared_later = self.shares.keys().any(|share| *share > at);
        let is_answered_later = self.decisions.keys().any(|decided| *decided > at);
        let is_withdrawn_later = self.last_unshare > Some(at);
        [is_withdrawn_later, is_shared_later, is_withdrawn_later || is_answered_later]
    }

    /// Whether a decision with this stamp is newer than the present one.
    pub fn is_newer_decision(&self, at: Stamp) -> bool {
        self.newest_decision().is_none_or(|(answered, _)| *answered < at)
    }

    pub fn share(&mut self, at: Stamp, asks_nothing: bool, make: ImageKind) {
        if self.is_current(at) {
            self.shares.insert(at, asks_nothing);
            self.was_shared = true;
        }
        // The reserved capacity was released. So the pair is pending, as if nothing had been decided (decision 15).
        if matches!(make, ImageKind::FullEcs(_))
            && self.status() == Some(Status::Accepted)
            && self.vault.is_none()
        {
            self.decisions.clear();
        }
    }

    /// Ends earlier shares; later ones start as pending (decision 19).
    pub fn unshare(&mut self, at: Stamp) {
        self.shares.retain(|share, _| *share > at);
        self.last_unshare = self.last_unshare.max(Some(at));
        if self.status() != Some(Status::Accepted) {
            self.vault = None;
        }
    }

    /// Ends all shares, since the image is deleted (decision 24).
    pub fn end(&mut self, at: Stamp) {
        self.unshare(self.shares.keys().chain(self.decisions.keys()).copied().fold(at, Stamp::max));
    }

    pub fn decide(&mut self, at: Stamp, decision: Decision, make: ImageKind) {
        let Some(since) = self.shared_since().filter(|_| self.can_decide(at)) else { return };
        self.decisions.insert(at, (decision.status, since));
        self.vault = match (decision.status, make) {
            (Status::Accepted, ImageKind::FullEcs(_)) => decision.vault.or(self.vault),
            _ => None,
        };
    }

    /// Whether it was pending when a decision with this stamp was requested.
    pub fn was_pending(&self, at: Stamp) -> bool {
        self.status() == Some(Status::Pending) && self.shared_since() < Some(at)
    }

    /// The shares that no later unshare has ended.
    fn newest_decision(&self) -> Option<(&Stamp, &(Status, Stamp))> {
        self.decisions.last_key_value().filter(|(at, _)| self.is_current(**at))
    }

    fn shared_since(&self) -> Option<Stamp> {
        self.shares.keys().next().copied()
    }
}

impl State {
    /// An image that exists.
    pub fn image(&self, id: &ImageId) -> Option<&ImageRecord> {
        self.images.get(id).filter(|image| image.exists)
    }

    pub fn pair(&self, image: &ImageId, tenant: &TenantId) -> Pair {
        self.pairs.get(&(image.clone(), tenant.clone())).cloned().unwrap_or_default()
    }

    pub fn pair_mut(&mut self, image: &ImageId, tenant: &TenantId) -> &mut Pair {
        self.pairs.entry((image.clone(), tenant.clone())).or_default()
    }

    pub fn is_member(&self, image: &ImageId, tenant: &TenantId) -> bool {
        self.pairs.get(&(image.clone(), tenant.clone())).is_some_and(|pair| pair.shared_since().is_some())
    }

    /// Whether a pair is pending.
    pub fn is_pending(&self, pair: &PairId) -> bool {
        self.pairs.get(pair).is_some_and(|pair| pair.status() == Some(Status::Pending))
    }

    /// The members of an image, with their statuses.
    pub fn members(&self, image: &ImageId) -> BTreeMap<TenantId, Status> {
        let of_image = self.pairs.iter().filter(|((of, _), _)| of == image);
        of_image.filter_map(|((_, tenant), pair)| Some((tenant.clone(), pair.status()?))).collect()
    }

    /// The member count of an image.
    pub fn member_count(&self, image: &ImageId) -> usize {
        self.pairs.iter().filter(|((of, _), pair)| of == image && pair.shared_since().is_some()).count()
    }

    /// The images with this status for a tenant.
    pub fn received(&self, tenant: &TenantId, status: Status) -> BTreeSet<ImageId> {
        let received =
            self.pairs.iter().filter(|((_, to), pair)| to == tenant && pair.status() == Some(status));
        received.map(|((image, _), _)| image.clone()).collect()
    }

    /// The images that were hidden at some time, so that they may have left their recipients' lists.
    pub fn ever_hidden(states: &[Self]) -> BTreeSet<ImageId> {
        let hidden = |image: &ImageRecord| image.visibility != Visibility::Shared;
        let images = states.iter().flat_map(|state| &state.images);
        images.filter(|(_, image)| hidden(image)).map(|(id, _)| id.clone()).collect()
    }

    /// The number of images pending for a tenant, in all or of one owner, apart from some.
    pub fn pending_count(
        &self,
        tenant: &TenantId,
        owner: Option<&TenantId>,
        unseen: Option<&BTreeSet<ImageId>>,
    ) -> i64 {
        let waits = |pair: &Pair| pair.status() == Some(Status::Pending);
        let is_of =
            |image| owner.is_none_or(|owner| self.images.get(image).is_some_and(|of| of.owner == *owner));
        let waiting =
            self.pairs.iter().filter(|((image, to), pair)| to == tenant && waits(pair) && is_of(image));
        let waiting = waiting.filter(|((image, _), _)| unseen.is_none_or(|unseen| !unseen.contains(image)));
        i64::try_from(waiting.count()).unwrap_or(i64::MAX)
    }

    /// The reserved capacity of a vault.
    pub fn reserved_gib(&self, tenant: &TenantId, vault: u8) -> u32 {
        let holding = self.pairs.iter().filter(|((_, to), pair)| to == tenant && pair.vault == Some(vault));
        let held = holding
            .map(|((image, _), _)| if let ImageKind::FullEcs(gib) = image_kind(image) { gib } else { 0 });
        held.sum()
    }

    /// The images that a tenant owns.
    pub fn owned(&self, tenant: &TenantId) -> BTreeSet<ImageId> {
        let owned = self.images.iter().filter(|(_, image)| image.exists && image.owner == *tenant);
        owned.map(|(id, _)| id.clone()).collect()
    }
}
