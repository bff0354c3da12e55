//! What the service holds, as its rules say it and not as its code does: who shares what with whom, and what each has said.

use std::collections::{BTreeMap, BTreeSet};

use imageshare::domain::{ImageId, JobId, Stamp, Status, TenantId, Visibility};

use crate::history::Says;

/// What an image is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Make {
    Plain,
    /// It is encrypted under its owner's key.
    Sealed,
    /// It is a full-ECS image, with backups of that size.
    Whole(u32),
}

/// What the image of that id is made of, whenever it is registered.
pub fn made_of(image: &ImageId) -> Make {
    match image.as_str().get(..2) {
        Some("a2") => Make::Whole(40),
        Some("b2") => Make::Whole(60),
        Some("a3" | "b4") => Make::Sealed,
        _ => Make::Plain,
    }
}

/// One image and one tenant.
pub type Names = (ImageId, TenantId);

/// Everything at one moment.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// Every image that was ever registered.
    pub images: BTreeMap<ImageId, Record>,
    /// Every pair that was ever heard of.
    pub pairs: BTreeMap<Names, Pair>,
    /// The requests that came with a key, and their jobs (decision 22).
    pub keys: BTreeMap<(TenantId, u8), (String, JobId)>,
    /// Whose keys are granted to whom (decision 14).
    pub grants: BTreeSet<(TenantId, TenantId)>,
    /// How much each vault takes, in GiB (decision 15).
    pub vaults: BTreeMap<(TenantId, u8), u32>,
}

/// An image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub owner: TenantId,
    pub visibility: Visibility,
    pub is_alive: bool,
}

/// What has been said of one image and one tenant, by requests that were carried out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pair {
    /// The shares that nothing has withdrawn, each with whether it asks for no consent (decision 11).
    shares: BTreeMap<Stamp, bool>,
    /// The newest unshare. Whatever the owner asked for before it is over (decision 10).
    withdrawn: Option<Stamp>,
    /// Every answer that found the image shared, and since when it was.
    answers: BTreeMap<Stamp, (Status, Stamp)>,
    /// Whether the image was ever shared with the tenant.
    has_stood: bool,
    /// The vault into which it was accepted.
    pub held: Option<u8>,
}

impl Pair {
    /// What the tenant is shown; `None` where the image is not shared with it.
    pub fn status(&self) -> Option<Status> {
        let asks_nothing = self.shares.values().any(|asks_nothing| *asks_nothing);
        let unanswered = if asks_nothing { Status::Accepted } else { Status::Pending };
        let since = self.since()?;
        // The newest, if it is to what is shared: not to what was shared earlier and is withdrawn by now.
        let newest = self.newest_answer().filter(|(at, (_, found))| (**at).max(*found) >= since);
        Some(newest.map_or(unanswered, |(_, (status, _))| *status))
    }

    /// Whether the owner's request of that stamp is the newest but for later shares.
    pub fn is_current(&self, at: Stamp) -> bool {
        self.withdrawn < Some(at)
    }

    /// Whether an answer of that stamp finds the sharing that it is meant for (decision 8).
    pub fn hears(&self, at: Stamp) -> bool {
        self.since().is_some() && self.is_current(at)
    }

    /// Whether what an answer of that stamp was meant for was withdrawn by a later request.
    pub fn is_withdrawn_after(&self, at: Stamp) -> bool {
        self.has_stood && self.withdrawn > Some(at)
    }

    /// Whether a later request than that wants it otherwise than shared, or than withdrawn, or than answered so.
    pub fn is_overtaken(&self, at: Stamp) -> [bool; 3] {
        let is_shared_later = self.shares.keys().any(|share| *share > at);
        let is_answered_later = self.answers.keys().any(|answer| *answer > at);
        let is_withdrawn_later = self.withdrawn > Some(at);
        [is_withdrawn_later, is_shared_later, is_withdrawn_later || is_answered_later]
    }

    /// Whether an answer of that stamp is newer than what was said.
    pub fn is_news(&self, at: Stamp) -> bool {
        self.newest_answer().is_none_or(|(answered, _)| *answered < at)
    }

    pub fn share(&mut self, at: Stamp, asks_nothing: bool, make: Make) {
        if self.is_current(at) {
            self.shares.insert(at, asks_nothing);
            self.has_stood = true;
        }
        // What was reserved was given back. So it waits, as if nothing had been said (decision 15).
        if matches!(make, Make::Whole(_)) && self.status() == Some(Status::Accepted) && self.held.is_none() {
            self.answers.clear();
        }
    }

    /// Ends what was shared before; what was shared later begins anew (decision 19).
    pub fn unshare(&mut self, at: Stamp) {
        self.shares.retain(|share, _| *share > at);
        self.withdrawn = self.withdrawn.max(Some(at));
        if self.status() != Some(Status::Accepted) {
            self.held = None;
        }
    }

    /// Ends everything, since the image is gone (decision 24).
    pub fn end(&mut self, at: Stamp) {
        self.unshare(self.shares.keys().chain(self.answers.keys()).copied().fold(at, Stamp::max));
    }

    pub fn say(&mut self, at: Stamp, says: Says, make: Make) {
        let Some(since) = self.since().filter(|_| self.hears(at)) else { return };
        self.answers.insert(at, (says.status, since));
        self.held = match (says.status, make) {
            (Status::Accepted, Make::Whole(_)) => says.vault.or(self.held),
            _ => None,
        };
    }

    /// Whether it was waiting for an answer when one of that stamp was requested.
    pub fn waited(&self, at: Stamp) -> bool {
        self.status() == Some(Status::Pending) && self.since() < Some(at)
    }

    /// Of those that nothing was withdrawn after.
    fn newest_answer(&self) -> Option<(&Stamp, &(Status, Stamp))> {
        self.answers.last_key_value().filter(|(at, _)| self.is_current(**at))
    }

    fn since(&self) -> Option<Stamp> {
        self.shares.keys().next().copied()
    }
}

impl State {
    /// An image that is there.
    pub fn image(&self, id: &ImageId) -> Option<&Record> {
        self.images.get(id).filter(|image| image.is_alive)
    }

    pub fn pair(&self, image: &ImageId, tenant: &TenantId) -> Pair {
        self.pairs.get(&(image.clone(), tenant.clone())).cloned().unwrap_or_default()
    }

    pub fn pair_mut(&mut self, image: &ImageId, tenant: &TenantId) -> &mut Pair {
        self.pairs.entry((image.clone(), tenant.clone())).or_default()
    }

    pub fn is_member(&self, image: &ImageId, tenant: &TenantId) -> bool {
        self.pairs.get(&(image.clone(), tenant.clone())).is_some_and(|pair| pair.since().is_some())
    }

    /// Whether a pair waits for an answer.
    pub fn waits(&self, pair: &Names) -> bool {
        self.pairs.get(pair).is_some_and(|pair| pair.status() == Some(Status::Pending))
    }

    /// With whom an image is shared, and what each has said.
    pub fn members(&self, image: &ImageId) -> BTreeMap<TenantId, Status> {
        let of_image = self.pairs.iter().filter(|((of, _), _)| of == image);
        of_image.filter_map(|((_, tenant), pair)| Some((tenant.clone(), pair.status()?))).collect()
    }

    /// With how many an image is shared.
    pub fn member_count(&self, image: &ImageId) -> usize {
        self.pairs.iter().filter(|((of, _), pair)| of == image && pair.since().is_some()).count()
    }

    /// The images that are shared with a tenant who has said that.
    pub fn received(&self, tenant: &TenantId, said: Status) -> BTreeSet<ImageId> {
        let received =
            self.pairs.iter().filter(|((_, to), pair)| to == tenant && pair.status() == Some(said));
        received.map(|((image, _), _)| image.clone()).collect()
    }

    /// The images that were not shared at some time, so that they may have left the lists of those who received them.
    pub fn hidden_in(states: &[Self]) -> BTreeSet<ImageId> {
        let hidden = |image: &Record| image.visibility != Visibility::Shared;
        let images = states.iter().flat_map(|state| &state.images);
        images.filter(|(_, image)| hidden(image)).map(|(id, _)| id.clone()).collect()
    }

    /// How many images wait for a tenant: all of them, or those of an owner; but for some.
    pub fn pending_of(
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
    pub fn reserved(&self, tenant: &TenantId, vault: u8) -> u32 {
        let holding = self.pairs.iter().filter(|((_, to), pair)| to == tenant && pair.held == Some(vault));
        let held = holding.map(|((image, _), _)| if let Make::Whole(gib) = made_of(image) { gib } else { 0 });
        held.sum()
    }

    /// The images that are a tenant's.
    pub fn owned(&self, tenant: &TenantId) -> BTreeSet<ImageId> {
        let owned = self.images.iter().filter(|(_, image)| image.is_alive && image.owner == *tenant);
        owned.map(|(id, _)| id.clone()).collect()
    }
}
