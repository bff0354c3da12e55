//! The access rule: which callers may see and change an image, a membership and a job.
//!
//! Every action in every API is checked in one order (`contract/glance.md`, *Order of checks*):
//!
//! 1. an image that the caller cannot see is not found;
//! 2. an image that is not `shared` has no members, so no action on its members is possible;
//! 3. a membership that does not exist, or that is another recipient's, is not found;
//! 4. only the owner changes an image and shares it;
//! 5. the role `reader` changes nothing;
//! 6. only the recipient decides on a share.
//!
//! So a refusal reveals nothing to a stranger, and it names what the caller lacks: a reader of another project learns
//! that it is not the owner, since the role `member` would not help it.
//!
//! [`Unauthorized`] holds what the store has read of an image or a job, and returns it only through this rule. No other
//! file asks a caller for its rights; a test checks this. A list is authorized by its key, which contains the caller's
//! tenant. What the state of an image forbids to every caller (a limit, a key, a vault) is checked in `step`.

use super::{
    Caller, Image, ImageHead, ImageId, Job, JobReport, Role, SYSTEM_PROJECT, Status, TenantId, Visibility,
};

/// An action of a caller on an image or on one of its memberships.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageAction<'a> {
    /// Read the image.
    View,
    /// Change its details, tags or visibility.
    Update,
    /// Delete it.
    Delete,
    /// Share it with tenants, some of which may be members already.
    Share,
    /// Unshare it from tenants, some of which may not be members.
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
    /// The status of its membership; `None` if the image is not shared with it.
    pub status: Option<Status>,
}

/// Why the access rule denies an action.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// There is no such image, or the caller cannot see it.
    #[error("image {0} not found")]
    ImageNotFound(ImageId),
    /// The image has no members.
    #[error(transparent)]
    NotShared(#[from] NotShared),
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
    /// The action needs the role `admin`; the caller has this one.
    #[error("the role admin is needed, not {}", .0.name())]
    AdminOnly(Role),
    /// There is no such job, or it is another project's.
    #[error("job not found")]
    JobNotFound,
}

/// An image has no members, since its visibility is not `shared`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("image {image} is {visibility}, not shared")]
pub struct NotShared {
    /// The image.
    pub image: ImageId,
    /// Its visibility.
    pub visibility: Visibility,
}

/// What the access rule checks of an image.
pub trait AccessControlled {
    /// The image's id.
    fn id(&self) -> &ImageId;
    /// The tenant that owns it.
    fn owner(&self) -> &TenantId;
    /// Its visibility.
    fn visibility(&self) -> Visibility;
}

/// An image, a part of one, or a job, as the store read it, before the access of the caller is checked.
///
/// Only [`Unauthorized::authorize`] returns an image, [`Unauthorized::authorize_view`] a job, and
/// [`Unauthorized::bypass`] either of them, for a reason. So a use case that forgets the check does not compile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unauthorized<T>(T);

/// Why an image or a job is used without a check of a caller's access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bypass {
    /// A job is executed or taken out of its queue. It was authorized when it was accepted, and no caller gets what is
    /// read.
    Worker,
    /// What follows from a stored change is derived. Whom it is told follows from the change itself.
    Effects,
    /// The image is in a list that the caller may read: its own images, those shared with it, or those that every
    /// tenant may see.
    List,
    /// A test inspects what is stored.
    Test,
}

impl<T> Unauthorized<T> {
    /// Wraps what was read.
    pub fn new(read: T) -> Self {
        Self(read)
    }

    /// Returns what was read without a check, for the given reason.
    pub fn bypass(self, _reason: Bypass) -> T {
        self.0
    }
}

impl<T: AccessControlled> Unauthorized<T> {
    /// Returns the image if the caller may do that with it. `own` is the status of the caller's membership, if it has
    /// one; it matters only if [`Unauthorized::depends_on_membership`].
    ///
    /// # Errors
    /// [`Denied`], for the first check that fails.
    pub fn authorize(
        self,
        caller: &Caller,
        own: Option<Status>,
        action: ImageAction<'_>,
    ) -> Result<T, Denied> {
        check(caller, &self.0, own, action).map(|()| self.0)
    }

    /// Whether the caller can see the image only as a member. The use case reads its membership only then.
    pub fn depends_on_membership(&self, caller: &Caller) -> bool {
        self.0.visibility() == Visibility::Shared && !caller.can_read_for(self.0.owner())
    }
}

impl Unauthorized<JobReport> {
    /// Returns the job if the caller may read it: only the project that requested it may (`contract/decisions.md` 16).
    ///
    /// # Errors
    /// [`Denied::JobNotFound`]
    pub fn authorize_view(self, caller: &Caller) -> Result<JobReport, Denied> {
        authorize_job_view(caller, &self.0.job).map(|()| self.0)
    }
}

/// The rule for images and memberships, as the head of this file lists it.
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
        return Err(NotShared { image: id(), visibility: image.visibility() }.into());
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

/// Whether the caller can see the image by its id: its own, one that every tenant may see, or one that is shared with
/// it, whatever its decision (`contract/decisions.md` 1). Memberships of a private image have no effect (decision 25).
fn is_visible(caller: &Caller, image: &impl AccessControlled, own: Option<Status>) -> bool {
    caller.can_read_for(image.owner())
        || match image.visibility() {
            Visibility::Public | Visibility::Community => true,
            Visibility::Shared => own.is_some(),
            Visibility::Private => false,
        }
}

/// Whether a caller that can see the image sees all its memberships, and not only its own.
pub fn sees_all_members(caller: &Caller, image: &impl AccessControlled) -> bool {
    caller.can_read_for(image.owner())
}

/// Authorizes a change of what the caller's own project has: its vaults, key grants and access keys.
///
/// # Errors
/// [`Denied::ReadOnly`]
pub fn authorize_write(caller: &Caller) -> Result<(), Denied> {
    if caller.can_write() { Ok(()) } else { Err(Denied::ReadOnly) }
}

/// Authorizes a request that names a project, to see what that project sees.
///
/// # Errors
/// [`Denied::ProjectMismatch`]
pub fn authorize_project(caller: &Caller, named: &TenantId) -> Result<(), Denied> {
    if caller.can_read_for(named) {
        Ok(())
    } else {
        Err(Denied::ProjectMismatch { acting: caller.tenant.clone(), named: named.clone() })
    }
}

/// Authorizes what only an admin may do, such as changing the directory.
///
/// # Errors
/// [`Denied::AdminOnly`]
pub fn authorize_admin(caller: &Caller) -> Result<(), Denied> {
    if caller.is_admin() { Ok(()) } else { Err(Denied::AdminOnly(caller.role)) }
}

/// Authorizes the revocation of a token by what it acts as, its `bearer`. A token may revoke itself. A member or admin
/// may also revoke tokens of its project whose role is not higher than its own.
///
/// # Errors
/// What [`authorize_write_for`] denies, then [`Denied::AdminOnly`] for the token of an admin.
pub fn authorize_revocation(caller: &Caller, bearer: &Caller) -> Result<(), Denied> {
    if caller == bearer {
        return Ok(());
    }
    authorize_write_for(caller, &bearer.tenant)?;
    if role_above(caller, &[bearer.role]).is_none() { Ok(()) } else { Err(Denied::AdminOnly(caller.role)) }
}

/// Returns the first of these roles that is above the caller's. A caller gives no access key such a role, and disables
/// none that has one.
pub fn role_above(caller: &Caller, roles: &[Role]) -> Option<Role> {
    roles.iter().copied().find(|role| *role > caller.role)
}

/// Whether the caller names the project that a request is made for: it administers the whole system, and has no project
/// of its own.
pub fn chooses_project(caller: &Caller) -> bool {
    caller.is_admin() && caller.tenant.as_str() == SYSTEM_PROJECT
}

/// Authorizes a change in the name of that tenant: registering an image for it, or deciding on a share with it.
///
/// # Errors
/// [`Denied::ReadOnly`], then [`Denied::ProjectMismatch`].
pub fn authorize_write_for(caller: &Caller, tenant: &TenantId) -> Result<(), Denied> {
    authorize_write(caller)?;
    if !caller.can_write_for(tenant) {
        return Err(Denied::ProjectMismatch { acting: caller.tenant.clone(), named: tenant.clone() });
    }
    Ok(())
}

/// Authorizes the caller to give an image of its own that visibility. Only an admin makes one public: it is then in
/// every tenant's list.
///
/// # Errors
/// [`Denied::AdminOnly`]
pub fn authorize_visibility(caller: &Caller, visibility: Visibility) -> Result<(), Denied> {
    if visibility == Visibility::Public { authorize_admin(caller) } else { Ok(()) }
}

/// Authorizes a request for a job in the path of a project. The path may contain what no project has as its id.
///
/// # Errors
/// [`Denied::JobNotFound`]
pub fn authorize_job_path(caller: &Caller, project: &str) -> Result<(), Denied> {
    if caller.is_admin() || caller.tenant.as_str() == project { Ok(()) } else { Err(Denied::JobNotFound) }
}

/// The rule for jobs.
fn authorize_job_view(caller: &Caller, job: &Job) -> Result<(), Denied> {
    if caller.can_read_for(&job.creator) { Ok(()) } else { Err(Denied::JobNotFound) }
}

impl<'a> ImageAction<'a> {
    /// Whether it is an action on the members of an image, which only a `shared` image has. [`Self::Unshare`] is not:
    /// an owner may also unshare an image that is not `shared` any more.
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

macro_rules! impl_access_controlled {
    ($($image:ty),+) => {$(
        impl AccessControlled for $image {
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
    )+};
}

impl_access_controlled!(Image, ImageHead);

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

/// An image with other data that was read with it.
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
