//! The state of the service, by its rules and not by its code: which images are shared with whom, and what was
//! decided.

use std::collections::{BTreeMap, BTreeSet};

use imageshare::domain::{ImageId, JobId, Stamp, Status, TenantId, Visibility};

use crate::history::{Decision, Policy};
use crate::rules::{Description, Entry, Rule};

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
    /// The policies of tenants on owners (decision 34).
    pub policies: BTreeMap<(TenantId, TenantId), Policy>,
    /// The share rules of owners.
    pub rules: BTreeMap<(TenantId, u8), Rule>,
    /// The entries of the tenants that are no owners in the directory.
    pub entries: BTreeMap<TenantId, Entry>,
    /// What the owners wrote into the records of images.
    pub descriptions: BTreeMap<ImageId, Description>,
    /// What a policy was read to do to a share, if that is not what it does in this state.
    pub assumed_effect: Option<PolicyEffect>,
}

/// What the recipient's policy on the owner does to a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PolicyEffect {
    /// Nothing.
    None,
    /// The share is refused.
    Refused,
    /// The share is accepted, into that vault.
    Accepted(Option<u8>),
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
    /// The shares that were not withdrawn, each with whether it is auto-accepted (decisions 11, 34).
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

    /// Whether a share after this stamp is auto-accepted.
    pub fn is_accepted_later(&self, at: Stamp) -> bool {
        self.shares.iter().any(|(share, asks_nothing)| *share > at && *asks_nothing)
    }

    /// Whether a decision with this stamp is newer than the present one.
    pub fn is_newer_decision(&self, at: Stamp) -> bool {
        self.newest_decision().is_none_or(|(answered, _)| *answered < at)
    }

    /// Shares; with `asks_nothing`, without consent, or with consent in advance.
    pub fn share(&mut self, at: Stamp, asks_nothing: bool, make: ImageKind) {
        if self.is_current(at) {
            self.shares.insert(at, asks_nothing);
            self.was_shared = true;
        }
        self.forget_consent_without_vault(make);
    }

    /// Shares with what a policy does to the share.
    pub fn share_by_policy(&mut self, at: Stamp, effect: PolicyEffect, make: ImageKind) {
        if let PolicyEffect::Accepted(Some(vault)) = effect {
            self.vault = Some(vault);
        }
        self.share(at, matches!(effect, PolicyEffect::Accepted(_)), make);
    }

    /// Ends earlier shares; later ones start as pending (decision 19), unless they were accepted in advance.
    pub fn unshare(&mut self, at: Stamp, make: ImageKind) {
        self.shares.retain(|share, _| *share > at);
        self.last_unshare = self.last_unshare.max(Some(at));
        if self.status() != Some(Status::Accepted) {
            self.vault = None;
        }
        self.forget_consent_without_vault(make);
    }

    /// Ends all shares, since the image is deleted (decision 24).
    pub fn end(&mut self, at: Stamp, make: ImageKind) {
        self.unshare(self.shares.keys().chain(self.decisions.keys()).copied().fold(at, Stamp::max), make);
    }

    /// If the reserved capacity was released, the pair is pending, as if nothing had been decided (decision 15).
    fn forget_consent_without_vault(&mut self, make: ImageKind) {
        if matches!(make, ImageKind::FullEcs(_))
            && self.status() == Some(Status::Accepted)
            && self.vault.is_none()
        {
            self.decisions.clear();
            self.shares.values_mut().for_each(|asks_nothing| *asks_nothing = false);
        }
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

    /// What a policy does to a share of a pair (decision 34).
    pub fn policy_effect(&self, pair: &PairId, at: Stamp) -> PolicyEffect {
        let of_state = || self.policy_effect_from(self, self, pair, at);
        self.assumed_effect.unwrap_or_else(of_state)
    }

    /// The same if the policy was read in one state, and the vault that it names in another.
    pub fn policy_effect_from(
        &self,
        policies: &Self,
        vaults: &Self,
        pair: &PairId,
        at: Stamp,
    ) -> PolicyEffect {
        let (image, tenant) = pair;
        let Some(record) = self.images.get(image) else { return PolicyEffect::None };
        let vault = match policies.policies.get(&(tenant.clone(), record.owner.clone())) {
            None => return PolicyEffect::None,
            Some(Policy::Blocked) => return PolicyEffect::Refused,
            Some(Policy::Trusted { vault }) => *vault,
        };
        let ImageKind::FullEcs(gib) = image_kind(image) else { return PolicyEffect::Accepted(None) };
        let Some(vault) = vault else { return PolicyEffect::None };
        let mut then = self.pair(image, tenant);
        let held = then.vault;
        then.share_by_policy(at, PolicyEffect::Accepted(Some(vault)), image_kind(image));
        let has_room = || {
            let most = vaults.vaults.get(&(tenant.clone(), vault));
            most.is_some_and(|most| vaults.reserved_gib(tenant, vault) + gib <= *most)
        };
        let is_accepted = match held {
            Some(held) => held == vault,
            None => then.status() == Some(Status::Accepted) && has_room(),
        };
        if is_accepted { PolicyEffect::Accepted(Some(vault)) } else { PolicyEffect::None }
    }

    /// Everything that a policy may have done to a share of a pair that was planned from these states.
    pub fn possible_policy_effects(
        &self,
        states: &[Self],
        pair: &PairId,
        at: Stamp,
    ) -> BTreeSet<PolicyEffect> {
        let Some(record) = self.images.get(&pair.0) else { return [PolicyEffect::None].into() };
        let key = (pair.1.clone(), record.owner.clone());
        if states.iter().all(|state| !state.policies.contains_key(&key)) {
            return [PolicyEffect::None].into();
        }
        let from = |policies: &Self| {
            let vaults = states.iter();
            vaults.map(|vaults| self.policy_effect_from(policies, vaults, pair, at)).collect::<Vec<_>>()
        };
        states.iter().flat_map(from).collect()
    }

    /// The images that a tenant owns.
    pub fn owned(&self, tenant: &TenantId) -> BTreeSet<ImageId> {
        let owned = self.images.iter().filter(|(_, image)| image.exists && image.owner == *tenant);
        owned.map(|(id, _)| id.clone()).collect()
    }
}
