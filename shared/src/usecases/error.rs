//! Why a request was refused, in no API's words. What was refused wrote nothing, unless the table has left that in doubt
//! ([`StoreError::InDoubt`]).
//!
//! A caller who cannot see an image is told that it does not exist; only those who see it learn more. Each facade has
//! one table that gives every refusal its status, code and message.

use std::fmt;
use std::time::Duration;

use super::idempotency::ReplayError;
use super::marker::Marker;
use crate::domain::{BadDetail, Denied, ImageId, Outcome, ResolveError, TenantId, UnknownValue, Visibility};
use crate::store::StoreError;

/// Why a request was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UseCaseError {
    /// The caller's role only reads.
    #[error("the role reader may not change anything")]
    ReadOnly,
    /// Only an admin may do that.
    #[error("the role admin is needed")]
    AdminOnly,
    /// The caller names a project that its credential does not act for.
    #[error("the credential acts for {acting}, not for {named}")]
    ProjectMismatch {
        /// The project of the credential.
        acting: TenantId,
        /// The project that was named.
        named: TenantId,
    },
    /// No such image, or none that the caller can see.
    #[error("image {0} not found")]
    ImageNotFound(ImageId),
    /// The caller sees the image but does not own it.
    #[error("image {0} belongs to another tenant")]
    NotOwner(ImageId),
    /// The image has no members, since everybody can see it or nobody.
    #[error("image {image} is {visibility}, not shared")]
    NotShared {
        /// The image.
        image: ImageId,
        /// What it is.
        visibility: Visibility,
    },
    /// The image is encrypted, which this way of sharing does not take.
    #[error("image {0} is encrypted")]
    Encrypted(ImageId),
    /// The owner named itself as a recipient.
    #[error("an image cannot be shared with its owner {0}")]
    SelfShare(TenantId),
    /// The names of a recipient, those at that place of the request, lead to no tenant.
    #[error("accounts[{place}]: {problem}")]
    Unresolved {
        /// Their place among the accounts.
        place: usize,
        /// Why.
        problem: ResolveError,
    },
    /// A recipient's id is no tenant's, but the name of a project in the caller's account.
    #[error(
        "{named} is the name of project {tenant} of your account, not an id: share with {tenant}. If another project has \
         the id {named}, an admin has to enter it in the directory first"
    )]
    ProjectNameAsId {
        /// What was given as an id.
        named: TenantId,
        /// The project of that name.
        tenant: TenantId,
    },
    /// No such job, or not the caller's.
    #[error("job not found")]
    JobNotFound,
    /// The image is not shared with that tenant, or the caller may not see it.
    #[error("{tenant} is not a member of image {image}")]
    MemberNotFound {
        /// The image.
        image: ImageId,
        /// The tenant.
        tenant: TenantId,
    },
    /// The image is shared with that tenant already.
    #[error("{tenant} is a member of image {image} already")]
    MemberExists {
        /// The image.
        image: ImageId,
        /// The tenant.
        tenant: TenantId,
    },
    /// The image has as many members as it may have.
    #[error("image {image} has {members} members, at most {most}")]
    MemberLimit {
        /// The image.
        image: ImageId,
        /// How many members it has.
        members: u32,
        /// How many it may have.
        most: u32,
    },
    /// A rule of sharing stands in the way.
    #[error("image {image} and {tenant}: {outcome:?}")]
    RuleViolation {
        /// The image.
        image: ImageId,
        /// The tenant that would receive it, or has.
        tenant: TenantId,
        /// Which rule.
        outcome: Outcome,
    },
    /// The image is shared, so what it is made of cannot change.
    #[error("image {0} is shared and cannot become another")]
    SharedImageImmutable(ImageId),
    /// The image is active, so its formats cannot change.
    #[error("image {image} is active and keeps its {field}")]
    FormatImmutable {
        /// The image.
        image: ImageId,
        /// `disk_format` or `container_format`.
        field: &'static str,
    },
    /// What a member has said is no answer.
    #[error(transparent)]
    InvalidStatus(#[from] UnknownValue),
    /// The idempotency key was used for another request.
    #[error("the idempotency key was used for another request")]
    IdempotencyKeyReused,
    /// An image of that id exists, or existed.
    #[error("image id {0} is taken")]
    IdTaken(ImageId),
    /// The tenant owns as many images as it may.
    #[error("at most {0} images")]
    TooManyImages(u32),
    /// The image is protected from deletion.
    #[error("image {0} is protected")]
    Protected(ImageId),
    /// Something that the owner says of an image is not as it must be.
    #[error(transparent)]
    InvalidDetail(#[from] BadDetail),
    /// An earlier request about the image and the tenant is being carried out.
    #[error("an earlier request about image {0} is being carried out")]
    InProgress(ImageId),
    /// Somebody else changes the same thing all the time.
    #[error("image {0} is being changed by others")]
    Conflict(ImageId),
    /// The page marker names nothing in that list.
    #[error("no such marker")]
    MarkerNotFound,
    /// Too many images would have to be read to list some of them in that order.
    #[error("more than {0} images to be sorted")]
    TooManyToSort(usize),
    /// The filters leave out every image that was looked at, and there are more.
    #[error("none of {examined} images matches")]
    ScanLimitReached {
        /// How many were looked at.
        examined: usize,
        /// Where to go on.
        next: Option<Box<Marker>>,
    },
    /// The caller's tenant asks for more than its share just now.
    #[error("{excess}")]
    TooManyRequests {
        /// When the request may succeed, from now on.
        retry_after: Duration,
        /// What there is too much of.
        excess: ExceededLimit,
    },
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<ReplayError> for UseCaseError {
    fn from(problem: ReplayError) -> Self {
        match problem {
            ReplayError::KeyReused => Self::IdempotencyKeyReused,
            ReplayError::Store(problem) => problem.into(),
        }
    }
}

impl From<Denied> for UseCaseError {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::ImageNotFound(id) => Self::ImageNotFound(id),
            Denied::NotShared { image, visibility } => Self::NotShared { image, visibility },
            Denied::MemberNotFound { image, tenant } => Self::MemberNotFound { image, tenant },
            Denied::NotOwner(id) => Self::NotOwner(id),
            Denied::ReadOnly => Self::ReadOnly,
            Denied::ProjectMismatch { acting, named } => Self::ProjectMismatch { acting, named },
            Denied::AdminOnly => Self::AdminOnly,
            Denied::JobNotFound => Self::JobNotFound,
        }
    }
}

/// What a tenant has asked too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExceededLimit {
    /// Its reads and lists have used more of the table than this many read units a second.
    ReadUnits {
        /// The limit.
        per_second: u32,
    },
    /// Its jobs that have not ended are as many, or have as many pairs, as they may.
    OpenJobs {
        /// The limit of pairs.
        max_pairs: u32,
    },
}

/// What there is too much of and what to do about it, without a full stop.
impl fmt::Display for ExceededLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReadUnits { per_second } => write!(
                f,
                "your project has read more than {per_second} read units a second in the last minute; wait as long as \
                 Retry-After says, and read less often or in narrower lists"
            ),
            Self::OpenJobs { max_pairs: most_pairs } => write!(
                f,
                "your project's open jobs are 100, or have {most_pairs} image and project pairs, the most allowed; wait until \
                 some have ended"
            ),
        }
    }
}
