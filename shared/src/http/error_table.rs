//! The table from the errors of the use cases to status, code and message, for IMS.
//!
//! A dialect with other statuses or messages, as Glance, has its own table, and takes from this one what is the same.

use std::fmt;

use http::StatusCode;

use super::ApiError;
use super::error::sentence;
use super::server_error;
use crate::domain::{Denied, ImageId, NotShared, ResolveError, ShareRequestError, TenantId};
use crate::usecases::{UseCaseError, rule_error};

impl From<UseCaseError> for ApiError {
    fn from(error: UseCaseError) -> Self {
        use StatusCode as S;
        match error {
            UseCaseError::Denied(denied) => denied.into(),
            UseCaseError::ShareRequest(refusal) => refusal.into(),
            UseCaseError::Unresolved { place, problem } => {
                unresolved_names(S::BAD_REQUEST, &format!("accounts[{place}]"), problem)
            }
            UseCaseError::ProjectNameAsId { .. } => {
                Self::bad_request("IMG.0104", format!("projects: {error}."))
            }
            UseCaseError::MemberExists { image, tenant } => {
                Self::new(S::CONFLICT, "IMG.0031", format!("{tenant} is already a member of image {image}."))
            }
            UseCaseError::MemberLimit { image, most, .. } => Self::bad_request(
                "IMG.0088",
                format!("Image {image} has {most} recipients, the most allowed. Unshare it from one first."),
            ),
            UseCaseError::RuleViolation { image, tenant, outcome } => {
                let (code, message) = rule_error(&image, &tenant, outcome);
                Self::bad_request(code, message)
            }
            UseCaseError::SharedImageImmutable(id) => {
                Self::new(S::CONFLICT, "IMG.0105", immutable_while_shared(&id))
            }
            UseCaseError::FormatImmutable { image, field } => format_fixed(&image, field),
            UseCaseError::InvalidStatus(problem) => {
                Self::bad_request("IMG.0001", sentence(&format!("status: {problem}")))
            }
            UseCaseError::IdempotencyKeyReused => Self::new(
                S::UNPROCESSABLE_ENTITY,
                "IMG.0018",
                "This Idempotency-Key was used for another request in the last 24 hours. Use a new key for a new request.",
            ),
            UseCaseError::IdTaken(id) => Self::new(
                S::CONFLICT,
                "IMG.0031",
                format!("Image id {id} is or was in use. Leave it out, or choose another."),
            ),
            UseCaseError::TooManyImages(most) => Self::bad_request(
                "IMG.0088",
                format!("You have {most} images, the most allowed. Delete one first."),
            ),
            UseCaseError::Protected(id) => protected(&id),
            UseCaseError::Stale(id) => stale(&id),
            UseCaseError::StillShared { image, members } => still_shared(&image, members),
            UseCaseError::InvalidDetail(problem) => {
                Self::bad_request("IMG.0001", format!("{}: expected {}.", problem.field, problem.expected))
            }
            UseCaseError::InProgress(id) => {
                Self::new(S::SERVICE_UNAVAILABLE, "IMG.0060", server_error::in_progress_message(&id))
            }
            UseCaseError::Conflict(id) => Self::new(
                S::CONFLICT,
                "IMG.0046",
                format!("Image {id} is being changed by others. Try again."),
            ),
            UseCaseError::MarkerNotFound => Self::bad_request(
                "IMG.0027",
                "marker: expected the id of an image of the list, or next_marker of the page before.",
            ),
            UseCaseError::TooManyToSort(most) => too_many_to_sort(most),
            UseCaseError::ScanLimitReached { examined, .. } => {
                list_too_large(format_args!("None of the first {examined} images matches"))
            }
            UseCaseError::TooManyRequests { retry_after, excess } => Self {
                retry_after: Some(retry_after),
                ..Self::new(S::TOO_MANY_REQUESTS, "IMG.0060", sentence(&excess.to_string()))
            },
            UseCaseError::Store(problem) => Self::from(problem),
        }
    }
}

impl From<Denied> for ApiError {
    fn from(denied: Denied) -> Self {
        use StatusCode as S;
        match denied {
            Denied::ReadOnly => Self::new(
                S::FORBIDDEN,
                "IMG.0026",
                "Your role here is reader, which only reads. Ask for the role member.",
            ),
            Denied::AdminOnly(_) => Self::new(
                S::FORBIDDEN,
                "IMG.0026",
                "Only the role admin may make an image public. Share it with projects instead.",
            ),
            Denied::ProjectMismatch { acting, named } => wrong_project(&acting, named.as_str()),
            Denied::ImageNotFound(id) => {
                Self::bad_request("IMG.0027", format!("Image {id} does not exist. Check its id and region."))
            }
            Denied::NotOwner(id) => Self::bad_request(
                "IMG.0047",
                format!("Image {id} belongs to another tenant; only its owner can do this."),
            ),
            Denied::NotShared(problem) => not_shared(&problem),
            Denied::MemberNotFound { image, tenant } => {
                Self::new(S::NOT_FOUND, "IMG.0121", format!("{tenant} is not a member of image {image}."))
            }
            Denied::JobNotFound => Self::new(
                S::NOT_FOUND,
                "IMG.0023",
                "Your project has no such job. Jobs can be read for 30 days, with a credential of the project that made them.",
            ),
        }
    }
}

impl From<ShareRequestError> for ApiError {
    fn from(refusal: ShareRequestError) -> Self {
        match refusal {
            ShareRequestError::NotShared(problem) => not_shared(&problem),
            ShareRequestError::Encrypted(id) => Self::bad_request(
                "IMG.0099",
                format!("Image {id} is encrypted, and cannot be shared without a grant of its key."),
            ),
            ShareRequestError::SelfShare(tenant) => Self::bad_request(
                "IMG.0076",
                format!(
                    "An image cannot be shared with the project that owns it: remove {tenant} from projects and accounts."
                ),
            ),
        }
    }
}

/// The error of deleting a protected image.
fn protected(image: &ImageId) -> ApiError {
    let message = format!("Image {image} is protected. Set protected to false first.");
    ApiError::new(StatusCode::FORBIDDEN, "IMG.0105", message)
}

/// The error of a request with an `If-Match` that names an earlier revision.
pub(crate) fn stale(image: &ImageId) -> ApiError {
    let message =
        format!("If-Match: image {image} has changed since. Read it again, and decide by what it is now.");
    ApiError::new(StatusCode::PRECONDITION_FAILED, "IMG.0046", message)
}

/// The error of deleting an image that has members, if that was to be refused.
pub(crate) fn still_shared(image: &ImageId, members: u32) -> ApiError {
    let users = if members == 1 { "1 project uses".to_owned() } else { format!("{members} projects use") };
    let message = format!("{users} image {image}. Unshare it first, or delete it without unless_shared.");
    ApiError::new(StatusCode::CONFLICT, "IMG.0183", message)
}

/// The error of changing a format that is set.
fn format_fixed(image: &ImageId, field: &str) -> ApiError {
    let message =
        format!("Image {image} is active and keeps its {field}. Register another image for another format.");
    ApiError::new(StatusCode::FORBIDDEN, "IMG.0105", message)
}

/// The error of sharing an image that cannot have members.
fn not_shared(NotShared { image, visibility }: &NotShared) -> ApiError {
    if visibility.is_visible_to_all() {
        let message =
            format!("Image {image} is a {visibility} image. Every project can use it, so it is not shared.");
        return ApiError::bad_request("IMG.0089", message);
    }
    let message = format!(
        "Image {image} has visibility \"{visibility}\". Set it to \"shared\" first: PATCH /v2/images/{image}."
    );
    ApiError::bad_request("IMG.0105", message)
}

fn too_many_to_sort(most: usize) -> ApiError {
    list_too_large(format_args!("More than {most} images: only sort_key=created_at or name is possible"))
}

/// The error of a list that would have to examine too many images.
fn list_too_large(problem: fmt::Arguments<'_>) -> ApiError {
    ApiError::bad_request("IMG.0105", format!("{problem}. Narrow the list."))
}

/// The message for a change that would alter what the recipients of a shared image have consented to.
fn immutable_while_shared(id: &ImageId) -> String {
    format!(
        "Image {id} is shared, so its encryption, formats and backup sizes, and whether it is a full-ECS image, cannot change. Unshare it first."
    )
}

/// The error of a request for a project for which the credential does not act.
pub(crate) fn wrong_project(acting: &TenantId, named: &str) -> ApiError {
    let message = format!(
        "Your credential acts for project {acting}, not for {named}. Use a credential of that project."
    );
    ApiError::new(StatusCode::FORBIDDEN, "IMG.0026", message)
}

/// The error of names that do not resolve to a tenant. `named` is the field of the request that has them.
pub(crate) fn unresolved_names(status: StatusCode, named: &str, problem: ResolveError) -> ApiError {
    let (code, message) = match problem {
        ResolveError::Unknown => (
            "IMG.0108",
            "there is no such account or project. Check the spelling of both names, or give the project's id.",
        ),
        ResolveError::Ambiguous => {
            ("IMG.0104", "the account has several projects in this region. Give the project's name as well.")
        }
        ResolveError::OtherRegion => (
            "IMG.0177",
            "the project with these names is in another region. Images are shared within a region only.",
        ),
    };
    ApiError::new(status, code, format!("{named}: {message}"))
}
