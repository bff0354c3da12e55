//! What a request is to be answered at one moment, and what is to become of a pair of a job: the rules, one after the other.

use imageshare::domain::{ImageId, JobId, Limits, Outcome, Stamp, Status, TenantId, Visibility};
use imageshare::usecases::Refusal;

use crate::history::Request;
use crate::state::{Names, State};

/// What a request is to be answered.
#[derive(Debug, Clone, PartialEq)]
pub enum Expected {
    Granted,
    /// It was granted before, as that job.
    Before(JobId),
    /// One of these; which of them where several images are at fault is not said anywhere.
    Refused(Vec<Refusal>),
}

/// What a job does to each of its pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    Share,
    Unshare,
    Respond(Status),
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
        if let Self::Respond { by, named, .. } = self
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
            Self::Share { by, key, .. } | Self::Unshare { by, key, .. } | Self::Respond { by, key, .. } => {
                Some((by, (*key)?))
            }
            _ => None,
        }
    }

    fn refusals(&self, state: &State, limits: &Limits) -> Vec<Refusal> {
        match self {
            Self::Register { owner, image, visibility } => register(state, limits, owner, image, *visibility),
            Self::Share { by, images, to, .. } => share(state, by, images, to),
            Self::Unshare { by, images, .. } => not_owned(state, by, images).into_iter().collect(),
            Self::Respond { .. } => Vec::new(),
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
            Self::Answer { by, image, named, .. } => member_call(state, by, image, |state| {
                let hidden = by != &state.images[image].owner && by != named;
                if hidden || !state.is_member(image, named) {
                    vec![Refusal::MemberNotFound { image: image.clone(), tenant: named.clone() }]
                } else {
                    other_project(by, named)
                }
            }),
            Self::Permit { by, image, add, remove } => {
                let refusal = not_owned(state, by, std::slice::from_ref(image));
                let refusal = refusal.or_else(|| not_shared(state, image).filter(|_| !add.is_empty()));
                let refusal = refusal.or_else(|| add.contains(by).then(|| Refusal::SelfShare(by.clone())));
                let come = add.iter().filter(|to| !state.is_member(image, to)).count();
                let go = remove.iter().filter(|to| state.is_member(image, to)).count();
                let full = || {
                    Some(full(state, limits, image))
                        .filter(|_| come > go && has_no_room(state, limits, image, come - go))
                };
                refusal.or_else(full).into_iter().collect()
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

impl Task {
    /// What is to become of a pair, where the image has so many members more than it has in that state.
    pub fn fate(
        self,
        state: &State,
        limits: &Limits,
        at: Stamp,
        (image, tenant): &Names,
        more: usize,
    ) -> Fate {
        let pair = state.pair(image, tenant);
        let failed = |outcome| Fate { outcome, changes: false };
        let done = |changes| Fate { outcome: Outcome::Done, changes };
        match (self, state.image(image)) {
            (Self::Unshare, None) => done(pair.is_current(at) || pair.status().is_some()),
            (Self::Unshare, Some(_)) => done(pair.is_current(at)),
            (Self::Respond(_), _) if !pair.hears(at) => failed(Outcome::NotAMember),
            (_, None) => failed(Outcome::ImageGone),
            (Self::Respond(_), Some(_)) => done(pair.is_news(at)),
            (Self::Share, Some(image)) if image.visibility != Visibility::Shared => {
                failed(Outcome::NotShareable)
            }
            (Self::Share, Some(_)) if !pair.is_current(at) => done(false),
            (Self::Share, Some(_))
                if pair.status().is_none() && has_no_room(state, limits, image, more + 1) =>
            {
                failed(Outcome::MemberLimit)
            }
            (Self::Share, Some(_)) => done(true),
        }
    }

    /// Does to a pair what is to be done.
    pub fn carry_out(self, state: &mut State, at: Stamp, (image, tenant): &Names) {
        let is_gone = state.image(image).is_none();
        let pair = state.pair_mut(image, tenant);
        match self {
            Self::Share => pair.share(at, false),
            Self::Unshare if is_gone => pair.end(at),
            Self::Unshare => pair.unshare(at),
            Self::Respond(status) => pair.say(at, status),
        }
    }
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
        Vec::new()
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
    state.members(image).len() + more > limits.members_per_image as usize
}

fn full(state: &State, limits: &Limits, id: &ImageId) -> Refusal {
    let members = u32::try_from(state.members(id).len()).unwrap_or(u32::MAX);
    Refusal::MemberLimit { image: id.clone(), members, most: limits.members_per_image }
}
