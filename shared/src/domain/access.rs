//! The access rule: which callers may see and change an image, a membership and a job.
//!
//! There is one order of checks, for every action in every API (`contract/glance.md`, *Order of checks*):
//!
//! 1. an image that the caller cannot see is not found;
//! 2. an image that is not `shared` has no members, so no action on its members is possible;
//! 3. a membership that does not exist, or that is another recipient's, is not found;
//! 4. only the owner changes an image and shares it;
//! 5. the role `reader` changes nothing;
//! 6. only the recipient decides on what is shared with it.
//!
//! So a refusal tells a stranger nothing, and it names what the caller is short of: a reader of another project is told
//! that it is not the owner, since the role `member` would not help it.
//!
//! [`Unauthorized`] holds what the store has read of an image, and gives it out only through this rule. A list is
//! authorized by its key, which holds the caller's tenant. What the state of an image forbids to everybody (a limit, a
//! key, a vault) is decided in `step`.

use super::{Caller, Image, ImageHead, ImageId, Job, Status, TenantId, Visibility};

/// What a caller asks to do with an image or with one of its memberships.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageAction<'a> {
    /// Read the image.
    View,
    /// Change its details, its tags or its visibility.
    Update,
    /// Delete it.
    Delete,
    /// Share it with tenants, of which some may be members already.
    Share,
    /// Withdraw it from tenants, of which some may not be members.
    Unshare,
    /// List its members: the owner gets all of them, a member itself ([`sees_all_members`]).
    ListMembers,
    /// Add a member.
    AddMember,
    /// Read a membership.
    ViewMember(NamedMembership<'a>),
    /// Remove a member.
    RemoveMember(NamedMembership<'a>),
    /// Accept or reject the image as a member.
    Decide(NamedMembership<'a>),
}

/// The membership that a request names by its tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NamedMembership<'a> {
    /// The tenant.
    pub tenant: &'a TenantId,
    /// The status of its membership; `None` where the image is not shared with it.
    pub status: Option<Status>,
}

/// Why the access rule denies an action.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// No such image, or none that the caller can see.
    #[error("image {0} not found")]
    ImageNotFound(ImageId),
    /// The image is not `shared`, so it has no members.
    #[error("image {image} is {visibility}, not shared")]
    NotShared {
        /// The image.
        image: ImageId,
        /// Its visibility.
        visibility: Visibility,
    },
    /// The image is not shared with that tenant, or the membership is another recipient's.
    #[error("{tenant} is not a member of image {image}")]
    MemberNotFound {
        /// The image.
        image: ImageId,
        /// The tenant.
        tenant: TenantId,
    },
    /// The caller sees the image but does not own it.
    #[error("image {0} belongs to another tenant")]
    NotOwner(ImageId),
    /// The caller's role is `reader`.
    #[error("the role reader may not change anything")]
    ReadOnly,
    /// The request is made for a project that the caller's credential does not act for.
    #[error("the credential acts for {acting}, not for {named}")]
    ProjectMismatch {
        /// The project of the credential.
        acting: TenantId,
        /// The project that the request names.
        named: TenantId,
    },
    /// The action needs the role `admin`.
    #[error("the role admin is needed")]
    AdminOnly,
    /// No such job, or another project's.
    #[error("job not found")]
    JobNotFound,
}

/// What the access rule looks at in an image.
pub trait AccessControlled {
    /// The image's id.
    fn id(&self) -> &ImageId;
    /// The tenant that owns it.
    fn owner(&self) -> &TenantId;
    /// Its visibility.
    fn visibility(&self) -> Visibility;
}

/// An image, or a part of one, as the store read it, before the caller's access was checked.
///
/// It comes out by [`Unauthorized::authorize`], and otherwise only by [`Unauthorized::bypass`], which has to give a reason.
/// So a use case that forgets the check does not compile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unauthorized<T>(T);

/// Why an image is taken without a check of a caller's access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bypass {
    /// A worker executes a job, which was authorized when it was accepted. It has no caller.
    Worker,
    /// The image stands in a list that the caller may read: its own, what is shared with it, or what is open to all.
    List,
    /// A test looks at what is stored.
    Test,
}

impl<T> Unauthorized<T> {
    /// Wraps what was read.
    pub fn new(image: T) -> Self {
        Self(image)
    }

    /// Returns the image without a check, for that reason.
    pub fn bypass(self, _reason: Bypass) -> T {
        self.0
    }
}

impl<T: AccessControlled> Unauthorized<T> {
    /// Returns the image, provided that the caller may do that with it. `own` is the status of the caller's membership,
    /// if it has one; it is looked at only where [`Unauthorized::depends_on_membership`].
    ///
    /// # Errors
    /// [`Denied`], by the first check that fails.
    pub fn authorize(
        self,
        caller: &Caller,
        own: Option<Status>,
        action: ImageAction<'_>,
    ) -> Result<T, Denied> {
        check(caller, &self.0, own, action).map(|()| self.0)
    }

    /// Whether the caller can see the image only if it is a member: the use case reads its membership only then.
    pub fn depends_on_membership(&self, caller: &Caller) -> bool {
        self.0.visibility() == Visibility::Shared && !caller.can_read_for(self.0.owner())
    }
}

/// The rule for images and memberships: see the head of this file.
fn check(
    caller: &Caller,
    image: &impl AccessControlled,
    own: Option<Status>,
    action: ImageAction<'_>,
) -> Result<(), Denied> {
    let id = || image.id().clone();
    if !is_visible(caller, image, own) {
        return Err(Denied::ImageNotFound(id()));
    }
    if action.is_on_members() && image.visibility() != Visibility::Shared {
        return Err(Denied::NotShared { image: id(), visibility: image.visibility() });
    }
    if let Some(NamedMembership { tenant, status }) = action.membership() {
        let is_visible = sees_all_members(caller, image) || caller.can_read_for(tenant);
        if status.is_none() || !is_visible {
            return Err(Denied::MemberNotFound { image: id(), tenant: tenant.clone() });
        }
    }
    match action {
        ImageAction::View | ImageAction::ListMembers | ImageAction::ViewMember(_) => Ok(()),
        ImageAction::Update
        | ImageAction::Delete
        | ImageAction::Share
        | ImageAction::Unshare
        | ImageAction::AddMember
        | ImageAction::RemoveMember(_) => {
            if !caller.can_read_for(image.owner()) {
                return Err(Denied::NotOwner(id()));
            }
            authorize_write_for(caller, image.owner())
        }
        ImageAction::Decide(membership) => authorize_write_for(caller, membership.tenant),
    }
}

/// Whether the caller can see the image by its id: its own, one that is open to all, or one that is shared with it,
/// whatever its decision (`contract/decisions.md` 1). Memberships of a private image have no effect (decision 25).
fn is_visible(caller: &Caller, image: &impl AccessControlled, own: Option<Status>) -> bool {
    caller.can_read_for(image.owner())
        || match image.visibility() {
            Visibility::Public | Visibility::Community => true,
            Visibility::Shared => own.is_some(),
            Visibility::Private => false,
        }
}

/// Whether a caller who can see the image sees every membership of it; others see their own.
pub fn sees_all_members(caller: &Caller, image: &impl AccessControlled) -> bool {
    caller.can_read_for(image.owner())
}

/// Allows a change in the name of that tenant: an image registered for it, a decision on what is shared with it.
///
/// # Errors
/// [`Denied::ReadOnly`], then [`Denied::ProjectMismatch`].
pub fn authorize_write_for(caller: &Caller, tenant: &TenantId) -> Result<(), Denied> {
    if !caller.can_write() {
        return Err(Denied::ReadOnly);
    }
    if !caller.can_write_for(tenant) {
        return Err(Denied::ProjectMismatch { acting: caller.tenant.clone(), named: tenant.clone() });
    }
    Ok(())
}

/// Allows an image of the caller's to get that visibility. Only an admin makes one public: it is then in every tenant's
/// list.
///
/// # Errors
/// [`Denied::AdminOnly`]
pub fn authorize_visibility(caller: &Caller, visibility: Visibility) -> Result<(), Denied> {
    if visibility == Visibility::Public && !caller.is_admin() { Err(Denied::AdminOnly) } else { Ok(()) }
}

/// Allows the caller to read a job: only the project that requested it may (`contract/decisions.md` 16).
///
/// # Errors
/// [`Denied::JobNotFound`]
pub fn authorize_job_view(caller: &Caller, job: &Job) -> Result<(), Denied> {
    if caller.can_read_for(&job.creator) { Ok(()) } else { Err(Denied::JobNotFound) }
}

impl<'a> ImageAction<'a> {
    /// Whether it is an action on the members of an image, which only a `shared` image has. [`Self::Unshare`] is not: its
    /// owner withdraws also an image that is not `shared` any more.
    fn is_on_members(self) -> bool {
        match self {
            Self::ListMembers
            | Self::AddMember
            | Self::ViewMember(_)
            | Self::RemoveMember(_)
            | Self::Decide(_) => true,
            Self::View | Self::Update | Self::Delete | Self::Share | Self::Unshare => false,
        }
    }

    /// The membership that it names.
    fn membership(self) -> Option<NamedMembership<'a>> {
        match self {
            Self::ViewMember(named) | Self::RemoveMember(named) | Self::Decide(named) => Some(named),
            Self::View
            | Self::Update
            | Self::Delete
            | Self::Share
            | Self::Unshare
            | Self::ListMembers
            | Self::AddMember => None,
        }
    }
}

impl AccessControlled for Image {
    fn id(&self) -> &ImageId {
        &self.id
    }

    fn owner(&self) -> &TenantId {
        &self.owner
    }

    fn visibility(&self) -> Visibility {
        self.visibility
    }
}

impl AccessControlled for ImageHead {
    fn id(&self) -> &ImageId {
        &self.id
    }

    fn owner(&self) -> &TenantId {
        &self.owner
    }

    fn visibility(&self) -> Visibility {
        self.visibility
    }
}

impl<T: AccessControlled> AccessControlled for &T {
    fn id(&self) -> &ImageId {
        (*self).id()
    }

    fn owner(&self) -> &TenantId {
        (*self).owner()
    }

    fn visibility(&self) -> Visibility {
        (*self).visibility()
    }
}

/// An image together with something else that was read of it.
impl<T: AccessControlled, U> AccessControlled for (T, U) {
    fn id(&self) -> &ImageId {
        self.0.id()
    }

    fn owner(&self) -> &TenantId {
        self.0.owner()
    }

    fn visibility(&self) -> Visibility {
        self.0.visibility()
    }
}

#[cfg(test)]
mod tests;
