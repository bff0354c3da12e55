//! What a request is to be answered at one moment, and what is to become of a pair of a job: the rules, one after the other.

use std::collections::BTreeSet;

use imageshare::domain::{ImageId, JobId, Limits, Outcome, Stamp, Status, TenantId, Visibility};
use imageshare::usecases::Refusal;

use crate::history::{Request, Says};
use crate::state::{Make, Names, Pair, Record, State, made_of};

/// What a request is to be answered.
#[derive(Debug, Clone, PartialEq)]
pub enum Expected {
    Granted,
    /// It was granted before, as that job.
    Before(JobId),
    /// One of these; which of them where several images are at fault is not said anywhere.
    Refused(Vec<Refusal>),
    /// More is reserved of the vault than would be left.
    InUse,
}

/// What a job does to each of its pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    Share,
    Unshare,
    /// The memberships are written again as they are.
    Refresh,
    Respond(Says),
    /// To whatever waits.
    RespondToAll(Says),
}

/// What a pair of a job comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fate {
    pub outcome: Outcome,
    /// Whether anything of the pair changes.
    pub changes: bool,
}

impl Request {
    /// What the request is to be answered in that state.
    pub fn judged(&self, state: &State, limits: &Limits) -> Expected {
        // Who may not ask for that at all has used no key.
        if let Self::Respond { by, named, .. } | Self::RespondToAll { by, named, .. } = self
            && by != named
        {
            return Expected::Refused(other_project(by, named));
        }
        if let Some((by, key)) = self.key()
            && let Some((request, job)) = state.keys.get(&(by.clone(), key))
        {
            let is_same = *request == self.digest();
            return if is_same { Expected::Before(*job) } else { Expected::Refused(vec![Refusal::KeyUsed]) };
        }
        if let Self::Vault { by, vault, gib } = self
            && state.vaults.contains_key(&(by.clone(), *vault))
            && state.reserved(by, *vault) > gib.unwrap_or_default()
        {
            return Expected::InUse;
        }
        match self.refusals(state, limits) {
            refusals if refusals.is_empty() => Expected::Granted,
            refusals => Expected::Refused(refusals),
        }
    }

    /// What is remembered of the request by its key.
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
    pub fn brings_in(&self) -> bool {
        match self {
            Self::Answer { .. } | Self::Remove { .. } => false,
            Self::Permit { add, .. } => !add.is_empty(),
            _ => true,
        }
    }

    /// The one pair that it brings in, takes out, or answers for, at once.
    pub fn pair(&self) -> Option<Names> {
        match self {
            Self::Add { image, to: tenant, .. }
            | Self::Remove { image, to: tenant, .. }
            | Self::Answer { image, named: tenant, .. } => Some((image.clone(), tenant.clone())),
            _ => None,
        }
    }

    /// Every pair that it names.
    pub fn pairs(&self) -> BTreeSet<Names> {
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
            Self::Permit { image, add, remove, .. } => {
                of(image, &mut add.iter().chain(remove)).into_iter().collect()
            }
            _ => self.pair().into_iter().collect(),
        }
    }

    /// Who asks.
    pub fn by(&self) -> &TenantId {
        match self {
            Self::Register { owner: by, .. }
            | Self::Share { by, .. }
            | Self::Unshare { by, .. }
            | Self::Respond { by, .. }
            | Self::RespondToAll { by, .. }
            | Self::Add { by, .. }
            | Self::Remove { by, .. }
            | Self::Answer { by, .. }
            | Self::Permit { by, .. }
            | Self::Show { by, .. }
            | Self::Delete { by, .. }
            | Self::Grant { by, .. }
            | Self::Vault { by, .. } => by,
        }
    }

    /// Whether it is carried out later.
    pub fn makes_a_job(&self) -> bool {
        matches!(
            self,
            Self::Share { .. } | Self::Unshare { .. } | Self::Respond { .. } | Self::RespondToAll { .. }
        )
    }

    fn refusals(&self, state: &State, limits: &Limits) -> Vec<Refusal> {
        match self {
            Self::Register { owner, image, visibility } => register(state, limits, owner, image, *visibility),
            Self::Share { by, images, to, .. } => share(state, by, images, to),
            Self::Unshare { by, images, .. } => not_owned(state, by, images).into_iter().collect(),
            Self::Respond { .. } | Self::RespondToAll { .. } | Self::Grant { .. } | Self::Vault { .. } => {
                Vec::new()
            }
            Self::Add { by, image, to } => {
                member_call(state, by, image, |state| add(state, limits, by, image, to))
            }
            Self::Remove { by, image, to } => member_call(state, by, image, |state| {
                let hidden = by != &state.images[image].owner && by != to;
                if hidden || !state.is_member(image, to) {
                    vec![Refusal::MemberNotFound { image: image.clone(), tenant: to.clone() }]
                } else {
                    not_owned(state, by, std::slice::from_ref(image)).into_iter().collect()
                }
            }),
            Self::Answer { by, image, named, says } => member_call(state, by, image, |state| {
                let hidden = by != &state.images[image].owner && by != named;
                if hidden || !state.is_member(image, named) {
                    vec![Refusal::MemberNotFound { image: image.clone(), tenant: named.clone() }]
                } else if by != named {
                    other_project(by, named)
                } else {
                    let outcome = answered(state, limits, (image, named), *says).err();
                    rule(image, named, outcome).into_iter().collect()
                }
            }),
            Self::Permit { by, image, add, remove } => {
                let refusal = not_owned(state, by, std::slice::from_ref(image));
                let refusal = refusal.or_else(|| not_shared(state, image).filter(|_| !add.is_empty()));
                let sealed = || {
                    (made_of(image) == Make::Sealed && !add.is_empty())
                        .then(|| Refusal::Encrypted(image.clone()))
                };
                let refusal = refusal.or_else(sealed);
                let refusal = refusal.or_else(|| add.contains(by).then(|| Refusal::SelfShare(by.clone())));
                let come = add.iter().filter(|to| !state.is_member(image, to)).count();
                let go = remove.iter().filter(|to| state.is_member(image, to)).count();
                let full = || {
                    Some(full(state, limits, image))
                        .filter(|_| come > go && has_no_room(state, limits, image, come - go))
                };
                let no_vault = || match (made_of(image), add.first()) {
                    (Make::Whole(_), Some(to)) => rule(image, to, Some(Outcome::NoVault)),
                    _ => None,
                };
                refusal.or_else(no_vault).or_else(full).into_iter().collect()
            }
            Self::Show { by, image, visibility } => {
                let changes = state.image(image).is_some_and(|known| known.visibility != *visibility);
                let publishes =
                    || (changes && *visibility == Visibility::Public).then_some(Refusal::AdminOnly);
                not_owned(state, by, std::slice::from_ref(image)).or_else(publishes).into_iter().collect()
            }
            Self::Delete { by, image } => {
                not_owned(state, by, std::slice::from_ref(image)).into_iter().collect()
            }
        }
    }
}

impl Says {
    /// Whether that is not said to an image that waits, where it is said to everything: nobody accepts what its owner hides.
    pub fn leaves_out(self, image: &Record) -> bool {
        self.status == Status::Accepted && image.visibility != Visibility::Shared
    }
}

impl Task {
    /// What is to become of a pair.
    pub fn fate(self, state: &State, limits: &Limits, at: Stamp, pair: &Names) -> Fate {
        match self.judged(state, limits, at, pair) {
            Ok(changes) => {
                let mut then = state.pair(&pair.0, &pair.1);
                if changes {
                    self.do_to(&mut then, state.image(&pair.0).is_none(), at, made_of(&pair.0));
                }
                let outcome = if self.is_done(&then) { Outcome::Done } else { Outcome::Overtaken };
                Fate { outcome, changes }
            }
            Err(outcome) => Fate { outcome, changes: false },
        }
    }

    /// Whether a pair is as the task wants it.
    pub fn is_done(self, pair: &Pair) -> bool {
        match self {
            Self::Refresh => true,
            Self::Share => pair.status().is_some(),
            Self::Unshare => pair.status().is_none(),
            Self::Respond(says) | Self::RespondToAll(says) => pair.status() == Some(says.status),
        }
    }

    /// Whether a request after the task, which had that stamp, has decided otherwise on a pair.
    pub fn is_overtaken(self, pair: &Pair, at: Stamp) -> bool {
        let [withdrawn, shared, answered] = pair.is_overtaken(at);
        match self {
            Self::Refresh => false,
            Self::Share => withdrawn,
            Self::Unshare => shared,
            Self::Respond(_) | Self::RespondToAll(_) => answered,
        }
    }

    /// Whether anything of the pair changes, or why it fails.
    fn judged(
        self,
        state: &State,
        limits: &Limits,
        at: Stamp,
        (image, tenant): &Names,
    ) -> Result<bool, Outcome> {
        let pair = state.pair(image, tenant);
        match (self, state.image(image)) {
            (Self::Refresh, image) => Ok(image.is_some() && pair.status().is_some()),
            (Self::Unshare, None) => Ok(pair.is_current(at) || pair.status().is_some()),
            (Self::Unshare, Some(_)) => Ok(pair.is_current(at)),
            // A job names it only if it waits: no other outcome is right.
            (Self::RespondToAll(_), _) if !pair.waited(at) => Err(Outcome::GaveUp),
            (Self::Respond(_), _) if !pair.hears(at) && pair.is_withdrawn_after(at) => {
                Err(Outcome::Overtaken)
            }
            (Self::Respond(_), _) if !pair.hears(at) => Err(Outcome::NotAMember),
            (_, None) => Err(Outcome::ImageGone),
            (Self::RespondToAll(says), Some(image)) if says.leaves_out(image) => Err(Outcome::GaveUp),
            (Self::Respond(_) | Self::RespondToAll(_), Some(_)) if !pair.is_news(at) => Ok(false),
            (Self::Respond(says) | Self::RespondToAll(says), Some(_)) => {
                answered(state, limits, (image, tenant), says).map(|()| true)
            }
            (Self::Share, Some(image)) if image.visibility != Visibility::Shared => {
                Err(Outcome::NotShareable)
            }
            (Self::Share, Some(_)) if !pair.is_current(at) => Ok(false),
            (Self::Share, Some(_)) => shared(state, limits, (image, tenant), at),
        }
    }

    /// Does to a pair what is to be done.
    pub fn carry_out(self, state: &mut State, at: Stamp, (image, tenant): &Names) {
        let is_gone = state.image(image).is_none();
        self.do_to(state.pair_mut(image, tenant), is_gone, at, made_of(image));
    }

    fn do_to(self, pair: &mut Pair, is_gone: bool, at: Stamp, make: Make) {
        match self {
            Self::Refresh => {}
            Self::Share => pair.share(at, false, make),
            Self::Unshare if is_gone => pair.end(at),
            Self::Unshare => pair.unshare(at),
            Self::Respond(says) | Self::RespondToAll(says) => pair.say(at, says, make),
        }
    }

    /// Whether a pair is asked for an answer by it, which fails where too many wait: not by an unshare, which never fails.
    pub fn asks(self, was: &Pair, is: &Pair) -> bool {
        let waits = |pair: &Pair| pair.status() == Some(Status::Pending);
        self != Self::Unshare && waits(is) && !waits(was)
    }
}

/// Whether sharing an image with a tenant that may be a member already changes anything, or why it cannot be shared.
fn shared(
    state: &State,
    limits: &Limits,
    (image, tenant): (&ImageId, &TenantId),
    at: Stamp,
) -> Result<bool, Outcome> {
    let pair = state.pair(image, tenant);
    if pair.status().is_none() && has_no_room(state, limits, image, 1) {
        return Err(Outcome::MemberLimit);
    }
    let mut then = pair.clone();
    then.share(at, false, made_of(image));
    let grant = (state.images[image].owner.clone(), tenant.clone());
    if made_of(image) == Make::Sealed && !state.grants.contains(&grant) {
        // Who is a member stays one, by what was shared while there was a grant.
        return if then.status() == pair.status() { Ok(false) } else { Err(Outcome::KeyNotGranted) };
    }
    may_ask(limits, Task::Share.asks(&pair, &then)).map(|()| true)
}

/// Whether a member may say that.
fn answered(
    state: &State,
    limits: &Limits,
    (image, tenant): (&ImageId, &TenantId),
    says: Says,
) -> Result<(), Outcome> {
    let pair = state.pair(image, tenant);
    let asks = says.status == Status::Pending && pair.status() != Some(Status::Pending);
    may_ask(limits, asks)?;
    let (Status::Accepted, Make::Whole(gib)) = (says.status, made_of(image)) else { return Ok(()) };
    let vault = match (pair.held, says.vault) {
        (Some(_), None) => return Ok(()),
        (Some(held), Some(vault)) if held == vault => return Ok(()),
        (_, vault) => vault.ok_or(Outcome::NoVault)?,
    };
    let takes = state.vaults.get(&(tenant.clone(), vault)).ok_or(Outcome::NoVault)?;
    if state.reserved(tenant, vault) + gib > *takes { Err(Outcome::VaultFull) } else { Ok(()) }
}

/// Whether one more image may wait, by limits that are 0 where a tenant's inbox is as full as it may be
/// ([`crate::inbox::Room::within`]).
fn may_ask(limits: &Limits, asks: bool) -> Result<(), Outcome> {
    if asks && limits.pending_per_owner == 0 {
        Err(Outcome::OwnerPendingLimit)
    } else if asks && limits.pending_per_tenant == 0 {
        Err(Outcome::PendingLimit)
    } else {
        Ok(())
    }
}

/// A stamp above all that a clock gives.
fn latest() -> Stamp {
    "ffffffffffff7fffbfffffffffffffff".parse().expect("a stamp")
}

fn rule(image: &ImageId, tenant: &TenantId, outcome: Option<Outcome>) -> Option<Refusal> {
    Some(Refusal::Rule { image: image.clone(), tenant: tenant.clone(), outcome: outcome? })
}

fn register(
    state: &State,
    limits: &Limits,
    owner: &TenantId,
    id: &ImageId,
    visibility: Visibility,
) -> Vec<Refusal> {
    let most = limits.images_per_tenant;
    if visibility == Visibility::Public {
        vec![Refusal::AdminOnly]
    } else if state.images.contains_key(id) {
        vec![Refusal::IdTaken(id.clone())]
    } else if state.owned(owner).len() >= most as usize {
        vec![Refusal::TooManyImages(most)]
    } else {
        Vec::new()
    }
}

fn share(state: &State, by: &TenantId, images: &[ImageId], to: &[TenantId]) -> Vec<Refusal> {
    if let Some(refusal) = not_owned(state, by, images) {
        return vec![refusal];
    }
    let itself = || to.contains(by).then(|| Refusal::SelfShare(by.clone()));
    images.iter().filter_map(|image| not_shared(state, image).or_else(itself)).collect()
}

fn add(state: &State, limits: &Limits, by: &TenantId, image: &ImageId, to: &TenantId) -> Vec<Refusal> {
    if by != &state.images[image].owner {
        vec![Refusal::NotOwner(image.clone())]
    } else if to == by {
        vec![Refusal::SelfShare(by.clone())]
    } else if state.is_member(image, to) {
        vec![Refusal::MemberExists { image: image.clone(), tenant: to.clone() }]
    } else if has_no_room(state, limits, image, 1) {
        vec![full(state, limits, image)]
    } else {
        let outcome = shared(state, limits, (image, to), latest()).err();
        rule(image, to, outcome).into_iter().collect()
    }
}

/// A call about one member: of an image that has members and that the caller sees.
fn member_call(
    state: &State,
    by: &TenantId,
    image: &ImageId,
    then: impl FnOnce(&State) -> Vec<Refusal>,
) -> Vec<Refusal> {
    match not_seen(state, by, image).or_else(|| not_shared(state, image)) {
        Some(refusal) => vec![refusal],
        None => then(state),
    }
}

/// What a caller is told who does not see an image: that there is none.
fn not_seen(state: &State, by: &TenantId, id: &ImageId) -> Option<Refusal> {
    let sees = state.image(id).is_some_and(|image| {
        image.owner == *by
            || image.visibility.is_open()
            || (image.visibility == Visibility::Shared && state.is_member(id, by))
    });
    (!sees).then(|| Refusal::ImageNotFound(id.clone()))
}

/// What is to be said of the first image that the caller does not own.
fn not_owned(state: &State, by: &TenantId, images: &[ImageId]) -> Option<Refusal> {
    let id = images.iter().find(|id| state.image(id).is_none_or(|image| image.owner != *by))?;
    not_seen(state, by, id).or_else(|| Some(Refusal::NotOwner(id.clone())))
}

fn not_shared(state: &State, id: &ImageId) -> Option<Refusal> {
    let visibility = state.image(id)?.visibility;
    (visibility != Visibility::Shared).then(|| Refusal::NotShared { image: id.clone(), visibility })
}

fn other_project(by: &TenantId, named: &TenantId) -> Vec<Refusal> {
    let refusal = Refusal::OtherProject { acting: by.clone(), named: named.clone() };
    Some(refusal).filter(|_| by != named).into_iter().collect()
}

fn has_no_room(state: &State, limits: &Limits, image: &ImageId, more: usize) -> bool {
    state.member_count(image) + more > limits.members_per_image as usize
}

fn full(state: &State, limits: &Limits, id: &ImageId) -> Refusal {
    let members = u32::try_from(state.member_count(id)).unwrap_or(u32::MAX);
    Refusal::MemberLimit { image: id.clone(), members, most: limits.members_per_image }
}
