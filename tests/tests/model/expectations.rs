//! The expected response to a request at one moment, and the expected outcome of a pair of a job: the rules, one by
//! one.

use std::collections::BTreeSet;

use imageshare::domain::{
    Denied, ImageId, JobId, Limits, Outcome, ShareRequestError, Stamp, Status, TenantId, Visibility,
};
use imageshare::usecases::UseCaseError;

use crate::history::{Decision, Policy, Request};
use crate::refusals::{
    admin_only, exceeds_member_limit, image_not_found, member_limit_refusal, not_owner, not_shared,
    other_project_refusals, self_share, unshareable,
};
use crate::state::{ImageKind, ImageRecord, Pair, PairId, PolicyEffect, State, image_kind};

/// The expected response to a request.
#[derive(Debug, Clone, PartialEq)]
pub enum ExpectedResult {
    Accepted,
    /// It was accepted before, as this job.
    Replayed(JobId),
    /// One of these errors; which of them is not specified if several images are at fault.
    Refused(Vec<UseCaseError>),
    /// More is reserved of the vault than would be left.
    InUse,
    /// The policy names a vault that does not exist.
    MissingVault,
}

/// What a job does to each of its pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    Share,
    Unshare,
    /// It writes the memberships again, unchanged.
    Refresh,
    Respond(Decision),
    /// It decides on whatever is pending.
    RespondToAll(Decision),
}

/// The outcome of a pair of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PairResult {
    pub outcome: Outcome,
    /// Whether the pair changes.
    pub changes: bool,
    /// Whether it is a share that a policy accepts.
    pub is_accepted: bool,
}

impl Request {
    /// The expected response in a state.
    pub fn expected_result(&self, state: &State, limits: &Limits) -> ExpectedResult {
        // A caller without permission uses no idempotency key.
        if let Self::Respond { by, named, .. } | Self::RespondToAll { by, named, .. } = self
            && by != named
        {
            return ExpectedResult::Refused(other_project_refusals(by, named));
        }
        if let Some((by, key)) = self.key()
            && let Some((request, job)) = state.keys.get(&(by.clone(), key))
        {
            let is_same = *request == self.digest();
            return if is_same {
                ExpectedResult::Replayed(*job)
            } else {
                ExpectedResult::Refused(vec![UseCaseError::IdempotencyKeyReused])
            };
        }
        if let Self::SetVault { by, vault, gib } = self
            && state.vaults.contains_key(&(by.clone(), *vault))
            && state.reserved_gib(by, *vault) > gib.unwrap_or_default()
        {
            return ExpectedResult::InUse;
        }
        if let Self::SetPolicy { by, policy: Some(Policy::Trusted { vault: Some(vault) }), .. } = self
            && !state.vaults.contains_key(&(by.clone(), *vault))
        {
            return ExpectedResult::MissingVault;
        }
        match self.refusals(state, limits) {
            refusals if refusals.is_empty() => ExpectedResult::Accepted,
            refusals => ExpectedResult::Refused(refusals),
        }
    }

    /// What its idempotency key stands for: a repetition has the same, another request does not.
    pub fn digest(&self) -> String {
        format!("{self:?}")
    }

    pub fn key(&self) -> Option<(&TenantId, u8)> {
        match self {
            Self::Share { by, key, .. }
            | Self::Unshare { by, key, .. }
            | Self::Respond { by, key, .. }
            | Self::RespondToAll { by, key, .. } => Some((by, (*key)?)),
            _ => None,
        }
    }

    /// Whether it needs the image as it is, and not only as it was read a moment ago.
    pub fn adds_members(&self) -> bool {
        match self {
            Self::Decide { .. } | Self::RemoveMember { .. } => false,
            Self::ChangePermissions { add, .. } => !add.is_empty(),
            _ => true,
        }
    }

    /// The one pair that it shares, unshares or decides on at once.
    pub fn pair(&self) -> Option<PairId> {
        match self {
            Self::AddMember { image, to: tenant, .. }
            | Self::RemoveMember { image, to: tenant, .. }
            | Self::Decide { image, named: tenant, .. } => Some((image.clone(), tenant.clone())),
            _ => None,
        }
    }

    /// Every pair that it names.
    pub fn pairs(&self) -> BTreeSet<PairId> {
        let of = |image: &ImageId, tenants: &mut dyn Iterator<Item = &TenantId>| {
            tenants.map(|tenant| (image.clone(), tenant.clone())).collect::<Vec<_>>()
        };
        match self {
            Self::Share { images, to, .. } | Self::Unshare { images, to, .. } => {
                images.iter().flat_map(|image| of(image, &mut to.iter())).collect()
            }
            Self::Respond { named, images, .. } => {
                images.iter().flat_map(|image| of(image, &mut std::iter::once(named))).collect()
            }
            Self::ChangePermissions { image, add, remove, .. } => {
                of(image, &mut add.iter().chain(remove)).into_iter().collect()
            }
            _ => self.pair().into_iter().collect(),
        }
    }

    /// The caller.
    pub fn caller(&self) -> &TenantId {
        match self {
            Self::RegisterImage { owner: by, .. }
            | Self::Share { by, .. }
            | Self::Unshare { by, .. }
            | Self::Respond { by, .. }
            | Self::RespondToAll { by, .. }
            | Self::AddMember { by, .. }
            | Self::RemoveMember { by, .. }
            | Self::Decide { by, .. }
            | Self::ChangePermissions { by, .. }
            | Self::SetVisibility { by, .. }
            | Self::DeleteImage { by, .. }
            | Self::SetKeyGrant { by, .. }
            | Self::SetPolicy { by, .. }
            | Self::SetVault { by, .. } => by,
        }
    }

    /// Whether it is executed later.
    pub fn creates_job(&self) -> bool {
        matches!(
            self,
            Self::Share { .. } | Self::Unshare { .. } | Self::Respond { .. } | Self::RespondToAll { .. }
        )
    }

    fn refusals(&self, state: &State, limits: &Limits) -> Vec<UseCaseError> {
        match self {
            Self::RegisterImage { owner, image, visibility } => {
                register_refusals(state, limits, owner, image, *visibility)
            }
            Self::Share { by, images, to, .. } => share_refusals(state, by, images, to),
            Self::Unshare { by, images, .. } => not_owner(state, by, images).into_iter().collect(),
            Self::Respond { .. }
            | Self::RespondToAll { .. }
            | Self::SetKeyGrant { .. }
            | Self::SetPolicy { .. }
            | Self::SetVault { .. } => Vec::new(),
            Self::AddMember { by, image, to } => member_call_refusals(state, by, image, |state| {
                add_member_refusals(state, limits, by, image, to)
            }),
            Self::RemoveMember { by, image, to } => member_call_refusals(state, by, image, |state| {
                let hidden = by != &state.images[image].owner && by != to;
                if hidden || !state.is_member(image, to) {
                    vec![Denied::MemberNotFound { image: image.clone(), tenant: to.clone() }.into()]
                } else {
                    not_owner(state, by, std::slice::from_ref(image)).into_iter().collect()
                }
            }),
            Self::Decide { by, image, named, decision } => member_call_refusals(state, by, image, |state| {
                let hidden = by != &state.images[image].owner && by != named;
                if hidden || !state.is_member(image, named) {
                    vec![Denied::MemberNotFound { image: image.clone(), tenant: named.clone() }.into()]
                } else if by != named {
                    other_project_refusals(by, named)
                } else {
                    let outcome = check_decision(state, limits, (image, named), *decision).err();
                    rule_refusal(image, named, outcome).into_iter().collect()
                }
            }),
            Self::ChangePermissions { by, image, add, remove } => {
                let refusal = not_owner(state, by, std::slice::from_ref(image));
                let refusal = refusal.or_else(|| unshareable(state, image).filter(|_| !add.is_empty()));
                let sealed = || {
                    (image_kind(image) == ImageKind::Encrypted && !add.is_empty())
                        .then(|| ShareRequestError::Encrypted(image.clone()).into())
                };
                let refusal = refusal.or_else(sealed);
                let refusal = refusal.or_else(|| add.contains(by).then(|| self_share(by)));
                let come = add.iter().filter(|to| !state.is_member(image, to)).count();
                let go = remove.iter().filter(|to| state.is_member(image, to)).count();
                let full = || {
                    Some(member_limit_refusal(state, limits, image))
                        .filter(|_| come > go && exceeds_member_limit(state, limits, image, come - go))
                };
                let no_vault = || match (image_kind(image), add.first()) {
                    (ImageKind::FullEcs(_), Some(to)) => rule_refusal(image, to, Some(Outcome::NoVault)),
                    _ => None,
                };
                // The first tenant at fault decides which of these it is.
                let blocked = add.iter().filter_map(|to| {
                    let pair = (image.clone(), to.clone());
                    let is_blocked = state.policy_effect(&pair, max_stamp()) == PolicyEffect::Refused;
                    let was = state.pair(image, to);
                    let mut then = was.clone();
                    then.share(max_stamp(), true, image_kind(image));
                    let is_refused = is_blocked && then.status() != was.status();
                    rule_refusal(image, to, is_refused.then_some(Outcome::OwnerBlocked))
                });
                match refusal.or_else(no_vault) {
                    Some(refusal) => vec![refusal],
                    None => full().into_iter().chain(blocked).collect(),
                }
            }
            Self::SetVisibility { by, image, visibility } => {
                let changes = state.image(image).is_some_and(|known| known.visibility != *visibility);
                let publishes = || (changes && *visibility == Visibility::Public).then(admin_only);
                not_owner(state, by, std::slice::from_ref(image)).or_else(publishes).into_iter().collect()
            }
            Self::DeleteImage { by, image } => {
                not_owner(state, by, std::slice::from_ref(image)).into_iter().collect()
            }
        }
    }
}

impl Decision {
    /// Whether the decision is impossible: an image that its owner hides cannot be accepted. A decision on everything skips it.
    pub fn skips(self, image: &ImageRecord) -> bool {
        self.status == Status::Accepted && image.visibility != Visibility::Shared
    }
}

impl Task {
    /// The expected outcome of a pair.
    pub fn expected_pair_result(
        self,
        state: &State,
        limits: &Limits,
        at: Stamp,
        pair: &PairId,
    ) -> PairResult {
        match self.check_change(state, limits, at, pair) {
            Ok(changes) => {
                let mut then = state.pair(&pair.0, &pair.1);
                let effect = state.policy_effect(pair, at);
                if changes {
                    let is_gone = state.image(&pair.0).is_none();
                    self.apply_to(&mut then, is_gone, at, (image_kind(&pair.0), effect));
                }
                let outcome = if self.is_done(&then) { Outcome::Done } else { Outcome::Superseded };
                let is_accepted =
                    changes && self == Self::Share && matches!(effect, PolicyEffect::Accepted(_));
                PairResult { outcome, changes, is_accepted }
            }
            Err(outcome) => PairResult { outcome, changes: false, is_accepted: false },
        }
    }

    /// Whether a pair is as the task wants it.
    pub fn is_done(self, pair: &Pair) -> bool {
        match self {
            Self::Refresh => true,
            Self::Share => pair.status().is_some(),
            Self::Unshare => pair.status().is_none(),
            Self::Respond(decision) | Self::RespondToAll(decision) => pair.status() == Some(decision.status),
        }
    }

    /// Whether a request after the task with this stamp has superseded it on a pair.
    pub fn is_overtaken(self, pair: &Pair, at: Stamp) -> bool {
        let [withdrawn, shared, answered] = pair.later_requests(at);
        match self {
            Self::Refresh => false,
            Self::Share => withdrawn,
            Self::Unshare => shared,
            Self::Respond(_) | Self::RespondToAll(_) => answered,
        }
    }

    /// Whether the pair changes, or why it fails.
    fn check_change(
        self,
        state: &State,
        limits: &Limits,
        at: Stamp,
        (image, tenant): &PairId,
    ) -> Result<bool, Outcome> {
        let pair = state.pair(image, tenant);
        match (self, state.image(image)) {
            (Self::Refresh, image) => Ok(image.is_some() && pair.status().is_some()),
            (Self::Unshare, None) => Ok(pair.is_current(at) || pair.status().is_some()),
            (Self::Unshare, Some(_)) => Ok(pair.is_current(at)),
            // A job of this kind names a pair only if it is pending: no other outcome is right.
            (Self::RespondToAll(_), _) if !pair.was_pending(at) => Err(Outcome::RetriesExhausted),
            (Self::Respond(_), _) if !pair.can_decide(at) && pair.is_unshared_after(at) => {
                Err(Outcome::Superseded)
            }
            (Self::Respond(_), _) if !pair.can_decide(at) => Err(Outcome::NotAMember),
            (_, None) => Err(Outcome::ImageDeleted),
            (Self::RespondToAll(decision), Some(image)) if decision.skips(image) => {
                Err(Outcome::RetriesExhausted)
            }
            (Self::Respond(decision), Some(image)) if decision.skips(image) => Err(Outcome::NotAMember),
            (Self::Respond(_) | Self::RespondToAll(_), Some(_)) if !pair.is_newer_decision(at) => Ok(false),
            (Self::Respond(decision) | Self::RespondToAll(decision), Some(_)) => {
                check_decision(state, limits, (image, tenant), decision).map(|()| true)
            }
            (Self::Share, Some(image)) if image.visibility != Visibility::Shared => {
                Err(Outcome::NotShareable)
            }
            (Self::Share, Some(_)) if !pair.is_current(at) => Ok(false),
            (Self::Share, Some(_)) => check_share(state, limits, (image, tenant), at),
        }
    }

    /// Applies the task to a pair. `effect` is what a policy does to a share.
    pub fn execute(self, state: &mut State, at: Stamp, (image, tenant): &PairId, effect: PolicyEffect) {
        let is_gone = state.image(image).is_none();
        self.apply_to(state.pair_mut(image, tenant), is_gone, at, (image_kind(image), effect));
    }

    fn apply_to(self, pair: &mut Pair, is_gone: bool, at: Stamp, (make, effect): (ImageKind, PolicyEffect)) {
        match self {
            Self::Refresh => {}
            Self::Share => pair.share_by_policy(at, effect, make),
            Self::Unshare if is_gone => pair.end(at, make),
            Self::Unshare => pair.unshare(at, make),
            Self::Respond(decision) | Self::RespondToAll(decision) => pair.decide(at, decision, make),
        }
    }

    /// Whether the task makes a pair pending, which fails if too many are; an unshare never fails for that.
    pub fn needs_decision(self, was: &Pair, is: &Pair) -> bool {
        let waits = |pair: &Pair| pair.status() == Some(Status::Pending);
        self != Self::Unshare && waits(is) && !waits(was)
    }
}

/// Whether sharing an image with a tenant, which may be a member already, changes anything; or why it cannot be
/// shared.
fn check_share(
    state: &State,
    limits: &Limits,
    (image, tenant): (&ImageId, &TenantId),
    at: Stamp,
) -> Result<bool, Outcome> {
    let pair = state.pair(image, tenant);
    if pair.status().is_none() && exceeds_member_limit(state, limits, image, 1) {
        return Err(Outcome::MemberLimit);
    }
    let effect = state.policy_effect(&(image.clone(), tenant.clone()), at);
    let mut then = pair.clone();
    then.share(at, false, image_kind(image));
    let grant = (state.images[image].owner.clone(), tenant.clone());
    // A member keeps what was shared while there was a key grant, or before its owner was blocked.
    let refuse = |outcome| if then.status() == pair.status() { Ok(false) } else { Err(outcome) };
    if image_kind(image) == ImageKind::Encrypted && !state.grants.contains(&grant) {
        return refuse(Outcome::KeyNotGranted);
    }
    if effect == PolicyEffect::Refused {
        return refuse(Outcome::OwnerBlocked);
    }
    let mut then = pair.clone();
    then.share_by_policy(at, effect, image_kind(image));
    check_pending_limits(limits, Task::Share.needs_decision(&pair, &then)).map(|()| true)
}

/// Whether a member may decide so.
fn check_decision(
    state: &State,
    limits: &Limits,
    (image, tenant): (&ImageId, &TenantId),
    decision: Decision,
) -> Result<(), Outcome> {
    let pair = state.pair(image, tenant);
    let asks = decision.status == Status::Pending && pair.status() != Some(Status::Pending);
    check_pending_limits(limits, asks)?;
    let (Status::Accepted, ImageKind::FullEcs(gib)) = (decision.status, image_kind(image)) else {
        return Ok(());
    };
    let vault = match (pair.vault, decision.vault) {
        (Some(_), None) => return Ok(()),
        (Some(held), Some(vault)) if held == vault => return Ok(()),
        (_, vault) => vault.ok_or(Outcome::NoVault)?,
    };
    let takes = state.vaults.get(&(tenant.clone(), vault)).ok_or(Outcome::NoVault)?;
    if state.reserved_gib(tenant, vault) + gib > *takes { Err(Outcome::VaultFull) } else { Ok(()) }
}

/// Whether one more image may be pending, by limits that are 0 if a tenant's inbox is full
/// ([`crate::inbox::Room::apply_to`]).
fn check_pending_limits(limits: &Limits, asks: bool) -> Result<(), Outcome> {
    if asks && limits.pending_per_owner == 0 {
        Err(Outcome::OwnerPendingLimit)
    } else if asks && limits.pending_per_tenant == 0 {
        Err(Outcome::PendingLimit)
    } else {
        Ok(())
    }
}

/// A stamp above all that a clock generates.
pub fn max_stamp() -> Stamp {
    "ffffffffffff7fffbfffffffffffffff".parse().expect("a stamp")
}

fn rule_refusal(image: &ImageId, tenant: &TenantId, outcome: Option<Outcome>) -> Option<UseCaseError> {
    Some(UseCaseError::RuleViolation { image: image.clone(), tenant: tenant.clone(), outcome: outcome? })
}

fn register_refusals(
    state: &State,
    limits: &Limits,
    owner: &TenantId,
    id: &ImageId,
    visibility: Visibility,
) -> Vec<UseCaseError> {
    let most = limits.images_per_tenant;
    if visibility == Visibility::Public {
        vec![admin_only()]
    } else if state.images.contains_key(id) {
        vec![UseCaseError::IdTaken(id.clone())]
    } else if state.owned(owner).len() >= most as usize {
        vec![UseCaseError::TooManyImages(most)]
    } else {
        Vec::new()
    }
}

fn share_refusals(state: &State, by: &TenantId, images: &[ImageId], to: &[TenantId]) -> Vec<UseCaseError> {
    if let Some(refusal) = not_owner(state, by, images) {
        return vec![refusal];
    }
    let itself = || to.contains(by).then(|| self_share(by));
    images.iter().filter_map(|image| unshareable(state, image).or_else(itself)).collect()
}

fn add_member_refusals(
    state: &State,
    limits: &Limits,
    by: &TenantId,
    image: &ImageId,
    to: &TenantId,
) -> Vec<UseCaseError> {
    if by != &state.images[image].owner {
        vec![Denied::NotOwner(image.clone()).into()]
    } else if to == by {
        vec![self_share(by)]
    } else if state.is_member(image, to) {
        vec![UseCaseError::MemberExists { image: image.clone(), tenant: to.clone() }]
    } else if exceeds_member_limit(state, limits, image, 1) {
        vec![member_limit_refusal(state, limits, image)]
    } else {
        let outcome = check_share(state, limits, (image, to), max_stamp()).err();
        rule_refusal(image, to, outcome).into_iter().collect()
    }
}

/// Checks a call on one member: the image has to be visible to the caller, and shareable.
fn member_call_refusals(
    state: &State,
    by: &TenantId,
    image: &ImageId,
    then: impl FnOnce(&State) -> Vec<UseCaseError>,
) -> Vec<UseCaseError> {
    let without_members = || not_shared(state, image).map(|problem| Denied::from(problem).into());
    match image_not_found(state, by, image).or_else(without_members) {
        Some(refusal) => vec![refusal],
        None => then(state),
    }
}
