//! The errors of the use cases, independent of any API. A request that fails has written nothing, unless the error is
//! [`StoreError::InDoubt`].
//!
//! For a caller that cannot see an image, the error is that it does not exist; other errors are for callers that see
//! it. Each facade has one table from these errors to status, code and message.

use std::fmt;
use std::time::Duration;

use super::marker::Marker;
use crate::domain::{
    BadDetail, Denied, ImageId, Outcome, ResolveError, ShareRequestError, TenantId, UnknownValue,
};
use crate::store::StoreError;

/// Why a request was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UseCaseError {
    /// The access rule denies the request.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The image cannot be shared in this way, or not with these recipients.
    #[error(transparent)]
    ShareRequest(#[from] ShareRequestError),
    /// The names of a recipient do not resolve to a tenant.
    #[error("accounts[{place}]: {problem}")]
    Unresolved {
        /// The index of the names among the request's accounts.
        place: usize,
        /// Why they do not resolve.
        problem: ResolveError,
    },
    /// A recipient's id is not a tenant's, but the name of a project in the caller's account.
    #[error(
        "{named} is the name of project {tenant} of your account, not an id: share with {tenant}. If another project has \
         the id {named}, an admin has to enter it in the directory first"
    )]
    ProjectNameAsId {
        /// The name that was given as an id.
        named: TenantId,
        /// The project of that name.
        tenant: TenantId,
    },
    /// The image is already shared with the tenant.
    #[error("{tenant} is already a member of image {image}")]
    MemberExists {
        /// The image.
        image: ImageId,
        /// The tenant.
        tenant: TenantId,
    },
    /// The image has reached its recipient limit.
    #[error("image {image} has {members} members, at most {most}")]
    MemberLimit {
        /// The image.
        image: ImageId,
        /// How many members it has.
        members: u32,
        /// The limit.
        most: u32,
    },
    /// A rule of sharing does not allow the request.
    #[error("image {image} and {tenant}: {outcome:?}")]
    RuleViolation {
        /// The image.
        image: ImageId,
        /// The recipient.
        tenant: TenantId,
        /// The outcome that stands for the violated rule.
        outcome: Outcome,
    },
    /// The image has members, so the properties on which the rules of sharing depend cannot change.
    #[error("image {0} is shared, so its format and encryption cannot change")]
    SharedImageImmutable(ImageId),
    /// The image is active, so its formats cannot change.
    #[error("image {image} is active and keeps its {field}")]
    FormatImmutable {
        /// The image.
        image: ImageId,
        /// `disk_format` or `container_format`.
        field: &'static str,
    },
    /// The status is not one that a member can set.
    #[error(transparent)]
    InvalidStatus(#[from] UnknownValue),
    /// The idempotency key was used for another request.
    #[error("the idempotency key was used for another request")]
    IdempotencyKeyReused,
    /// An image with this id exists, or has existed.
    #[error("image id {0} is taken")]
    IdTaken(ImageId),
    /// The tenant has reached its limit of images.
    #[error("at most {0} images")]
    TooManyImages(u32),
    /// The image is protected from deletion.
    #[error("image {0} is protected")]
    Protected(ImageId),
    /// The image has changed since the caller read it.
    #[error("image {0} has changed")]
    Stale(ImageId),
    /// The image has members, and was to be deleted only without.
    #[error("{members} projects use image {image}")]
    StillShared {
        /// The image.
        image: ImageId,
        /// How many members it has.
        members: u32,
    },
    /// A field of the image is invalid.
    #[error(transparent)]
    InvalidDetail(#[from] BadDetail),
    /// An earlier job on the image and the tenant is still open.
    #[error("an earlier job on image {0} is still open")]
    InProgress(ImageId),
    /// Other requests changed the same items in every attempt.
    #[error("image {0} is being changed by others")]
    Conflict(ImageId),
    /// The page marker is not valid for this list.
    #[error("no such marker")]
    MarkerNotFound,
    /// The list has more images than can be sorted in the requested order.
    #[error("more than {0} images to be sorted")]
    TooManyToSort(usize),
    /// No image among those examined matches the filters, and there are more images.
    #[error("none of {examined} images matches")]
    ScanLimitReached {
        /// How many images were examined.
        examined: usize,
        /// Where to continue.
        next: Option<Box<Marker>>,
    },
    /// The caller's tenant has exceeded a limit for now.
    #[error("{excess}")]
    TooManyRequests {
        /// The time from now after which to retry.
        retry_after: Duration,
        /// The limit that is exceeded.
        excess: ExceededLimit,
    },
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A limit that a tenant has exceeded for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExceededLimit {
    /// Its read rate.
    ReadUnits {
        /// The limit, in read units per second.
        per_second: u32,
    },
    /// Its open jobs, or their pairs.
    OpenJobs {
        /// The limit of pairs in open jobs.
        max_pairs: u32,
    },
}

/// The limit that is exceeded and what to do, without a full stop.
impl fmt::Display for ExceededLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReadUnits { per_second } => write!(
                f,
                "your project has used more than {per_second} read units per second in the last minute; wait for the time in \
                 Retry-After, and read less often or narrow the lists"
            ),
            Self::OpenJobs { max_pairs } => write!(
                f,
                "your project has reached the limit of 100 open jobs, or of {max_pairs} image and project pairs in them; wait \
                 until some have ended"
            ),
        }
    }
}
