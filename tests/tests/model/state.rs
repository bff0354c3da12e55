//! What the service holds, as its rules say it and not as its code does: who shares what with whom, and what each has said.

use std::collections::{BTreeMap, BTreeSet};

use imageshare::domain::{ImageId, JobId, Stamp, Status, TenantId, Visibility};

use crate::history::Decision;

/// What an image is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageKind {
    Plain,
    /// It is encrypted under its owner's key.
    Encrypted,
    /// It is a full-ECS image, with backups of that size.
    FullEcs(u32),
}

/// What the image of that id is made of, whenever it is registered.
pub fn image_kind(image: &ImageId) -> ImageKind {
    match image.as_str().get(..2) {
        Some("a2") => ImageKind::FullEcs(40),
        Some("b2") => ImageKind::FullEcs(60),
        Some("a3" | "b4") => ImageKind::Encrypted,
        _ => ImageKind::Plain,
    }
}

/// One image and one tenant.
pub type PairId = (ImageId, TenantId);

/// Everything at one moment.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// Every image that was ever registered.
    pub images: BTreeMap<ImageId, ImageRecord>,
    /// Every pair that was ever heard of.
    pub pairs: BTreeMap<PairId, Pair>,
    /// The requests that came with a key, and their jobs (decision 22).
    pub keys: BTreeMap<(TenantId, u8), (String, JobId)>,
    /// Whose keys are granted to whom (decision 14).
    pub grants: BTreeSet<(TenantId, TenantId)>,
    /// How much each vault takes, in GiB (decision 15).
    pub vaults: BTreeMap<(TenantId, u8), u32>,
}

/// An image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageRecord {
    pub owner: TenantId,
    pub visibility: Visibility,
    pub exists: bool,
}

/// What has been said of one image and one tenant, by requests that were carried out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pair {
    /// The shares that nothing has withdrawn, each with whether it asks for no consent (decision 11).
    shares: BTreeMap<Stamp, bool>,
    /// The newest unshare. Whatever the owner asked for before it is over (decision 10).
    last_unshare: Option<Stamp>,
    /// Every answer that found the image shared, and since when it was.
    decisions: BTreeMap<Stamp, (Status, Stamp)>,
    /// Whether the image was ever shared with the tenant.
    was_shared: bool,
    /// The vault into which it was accepted.
    pub vault: Option<u8>,
}

impl Pair {
    /// What the tenant is shown; `None` where the image is not shared with it.
    pub fn status(&self) -> Option<Status> {
        let asks_nothing = self.shares.values().any(|asks_nothing| *asks_nothing);
        let unanswered = if asks_nothing { Status::Accepted } else { Status::Pending };
        let since = self.shared_since()?;
        // The newest, if it is to what is shared: not to what was shared earlier and is withdrawn by now.
        let newest = self.newest_decision().filter(|(at, (_, found))| (**at).max(*found) >= since);
        Some(newest.map_or(unanswered, |(_, (status, _))| *status))
    }

    /// Whether the owner's request of that stamp is the newest but for later shares.
    pub fn is_current(&self, at: Stamp) -> bool {
        self.last_unshare < Some(at)
    }

    /// Whether an answer of that stamp finds the sharing that it is meant for (decision 8).
    pub fn can_decide(&self, at: Stamp) -> bool {
        self.shared_since().is_some() && self.is_current(at)
    }

    /// Whether what an answer of that stamp was meant for was withdrawn by a later request.
    pub fn is_unshared_after(&self, at: Stamp) -> bool {
        self.was_shared && self.last_unshare > Some(at)
    }

    /// Whether a later request than that wants it otherwise than shared, or than withdrawn, or than answered so.
    pub fn later_requests(&self, at: Stamp) -> [bool; 3] {
        let is_shared_later = self.shares.keys().any(|share| *share > at);
        let is_answered_later = self.decisions.keys().any(|answer| *answer > at);
        let is_withdrawn_later = self.last_unshare > Some(at);
        [is_withdrawn_later, is_shared_later, is_withdrawn_later || is_answered_later]
    }

    /// Whether an answer of that stamp is newer than what was said.
    pub fn is_newer_decision(&self, at: Stamp) -> bool {
        self.newest_decision().is_none_or(|(answered, _)| *answered < at)
    }

    pub fn share(&mut self, at: Stamp, asks_nothing: bool, make: ImageKind) {
        if self.is_current(at) {
            self.shares.insert(at, asks_nothing);
            self.was_shared = true;
        }
        // What was reserved was given back. So it waits, as if nothing had been said (decision 15).
        if matches!(make, ImageKind::FullEcs(_))
            && self.status() == Some(Status::Accepted)
            && self.vault.is_none()
        {
            self.decisions.clear();
        }
    }

    /// Ends what was shared before; what was shared later begins anew (decision 19).
    pub fn unshare(&mut self, at: Stamp) {
        self.shares.retain(|share, _| *share > at);
        self.last_unshare = self.last_unshare.max(Some(at));
        if self.status() != Some(Status::Accepted) {
            self.vault = None;
        }
    }

    /// Ends everything, since the image is gone (decision 24).
    pub fn end(&mut self, at: Stamp) {
        self.unshare(self.shares.keys().chain(self.decisions.keys()).copied().fold(at, Stamp::max));
    }

    pub fn decide(&mut self, at: Stamp, says: Decision, make: ImageKind) {
        let Some(since) = self.shared_since().filter(|_| self.can_decide(at)) else { return };
        self.decisions.insert(at, (says.status, since));
        self.vault = match (says.status, make) {
            (Status::Accepted, ImageKind::FullEcs(_)) => says.vault.or(self.vault),
            _ => None,
        };
    }

    /// Whether it was waiting for an answer when one of that stamp was requested.
    pub fn was_pending(&self, at: Stamp) -> bool {
        self.status() == Some(Status::Pending) && self.shared_since() < Some(at)
    }

    /// Of those that nothing was withdrawn after.
    fn newest_decision(&self) -> Option<(&Stamp, &(Status, Stamp))> {
        self.decisions.last_key_value().filter(|(at, _)| self.is_current(**at))
    }

    fn shared_since(&self) -> Option<Stamp> {
        self.shares.keys().next().copied()
    }
}

impl State {
    /// An image that is there.
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

    /// Whether a pair waits for an answer.
    pub fn is_pending(&self, pair: &PairId) -> bool {
        self.pairs.get(pair).is_some_and(|pair| pair.status() == Some(Status::Pending))
    }

    /// With whom an image is shared, and what each has said.
    pub fn members(&self, image: &ImageId) -> BTreeMap<TenantId, Status> {
        let of_image = self.pairs.iter().filter(|((of, _), _)| of == image);
        of_image.filter_map(|((_, tenant), pair)| Some((tenant.clone(), pair.status()?))).collect()
    }

    /// With how many an image is shared.
    pub fn member_count(&self, image: &ImageId) -> usize {
        self.pairs.iter().filter(|((of, _), pair)| of == image && pair.shared_since().is_some()).count()
    }

    /// The images that are shared with a tenant who has said that.
    pub fn received(&self, tenant: &TenantId, said: Status) -> BTreeSet<ImageId> {
        let received =
            self.pairs.iter().filter(|((_, to), pair)| to == tenant && pair.status() == Some(said));
        received.map(|((image, _), _)| image.clone()).collect()
    }

    /// The images that were not shared at some time, so that they may have left the lists of those who received them.
    pub fn ever_hidden(states: &[Self]) -> BTreeSet<ImageId> {
        let hidden = |image: &ImageRecord| image.visibility != Visibility::Shared;
        let images = states.iter().flat_map(|state| &state.images);
        images.filter(|(_, image)| hidden(image)).map(|(id, _)| id.clone()).collect()
    }

    /// How many images wait for a tenant: all of them, or those of an owner; but for some.
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

    /// How much of a vault is reserved.
    pub fn reserved_gib(&self, tenant: &TenantId, vault: u8) -> u32 {
        let holding = self.pairs.iter().filter(|((_, to), pair)| to == tenant && pair.vault == Some(vault));
        let held = holding
            .map(|((image, _), _)| if let ImageKind::FullEcs(gib) = image_kind(image) { gib } else { 0 });
        held.sum()
    }

    /// The images that are a tenant's.
    pub fn owned(&self, tenant: &TenantId) -> BTreeSet<ImageId> {
        let owned = self.images.iter().filter(|(_, image)| image.exists && image.owner == *tenant);
        owned.map(|(id, _)| id.clone()).collect()
    }
}
