//! Errors of the Glance facade: Glance's statuses, in the error body that every OpenStack and IMS client reads.
//!
//! The `code` is that of IMS, whose endpoint has these paths too, with its own codes (`contract/ims.md` 1.6). OpenStack
//! clients look at the status alone. [`Error::from`] is the one table from errors to statuses.

use std::time::Duration;

use http::StatusCode;

use crate::domain::{Denied, ImageId, NotShared, Outcome, ShareRequestError, TenantId};
use crate::http::entity_tag::MalformedIfMatch;
use crate::http::idempotency::InvalidIdempotencyKey;
use crate::http::{ApiError, HttpResponse, RejectionReason, UnexpectedBody, stale, still_shared};
use crate::store::StoreError;
use crate::usecases::{ExceededLimit, UseCaseError, rule_error};

/// An error of this facade: an [`ApiError`] with the statuses and messages of Glance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error(ApiError);

impl Error {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self(ApiError::new(status, code, message))
    }

    /// 400: the request is invalid.
    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self(ApiError::malformed(message))
    }

    fn too_many_to_sort(limit: usize) -> Self {
        Self::bad_request(format!(
            "More than {limit} images: only sort_key=created_at, name or updated_at is possible, without a filter by tag or owner."
        ))
    }

    /// 400: a field is invalid. `expected` describes its valid values.
    pub(super) fn invalid_field(field: &str, expected: &str) -> Self {
        Self::bad_request(format!("{field}: expected {expected}."))
    }

    /// 404: the caller sees no image of that id, which may be malformed.
    pub(super) fn image_not_found(id: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "IMG.0027", format!("No image found with ID {id}"))
    }

    /// The response with the error, in the body that OpenStack clients read.
    pub fn into_response(self) -> HttpResponse {
        self.0.into_response()
    }
}

impl From<UseCaseError> for Error {
    fn from(error: UseCaseError) -> Self {
        use StatusCode as S;
        match error {
            UseCaseError::Denied(denied) => denied.into(),
            UseCaseError::ShareRequest(refusal) => refusal.into(),
            UseCaseError::Unresolved { .. } => Self::bad_request(format!("{error}.")),
            UseCaseError::ProjectNameAsId { .. } => {
                Self::new(S::BAD_REQUEST, "IMG.0104", format!("member: {error}."))
            }
            UseCaseError::MemberExists { image, tenant } => member_exists(&image, &tenant),
            UseCaseError::MemberLimit { image, members, most } => member_limit(&image, members, most),
            UseCaseError::RuleViolation { image, tenant, outcome } => {
                let (code, message) = rule_error(&image, &tenant, outcome);
                Self::new(outcome_status(outcome), code, message)
            }
            UseCaseError::FormatImmutable { image, field } => format_immutable(&image, field),
            UseCaseError::InvalidStatus(_) => Self::bad_request(
                "Incorrect request: Status must be \"pending\", \"accepted\" or \"rejected\".",
            ),
            UseCaseError::IdempotencyKeyReused => Self::new(
                S::UNPROCESSABLE_ENTITY,
                "IMG.0018",
                "This Idempotency-Key was used for another request. Use a new key for a new request.",
            ),
            UseCaseError::IdTaken(id) => Self::new(
                S::CONFLICT,
                "IMG.0031",
                format!("Image ID {id} already exists, or has existed. Leave it out, or choose another."),
            ),
            UseCaseError::TooManyImages(limit) => Self::new(
                S::PAYLOAD_TOO_LARGE,
                "IMG.0088",
                format!("You have {limit} images, the most allowed. Delete one first."),
            ),
            UseCaseError::Protected(id) => Self::new(
                S::FORBIDDEN,
                "IMG.0105",
                format!("Image {id} is protected and cannot be deleted. Set protected to false first."),
            ),
            UseCaseError::Stale(id) => Self(stale(&id)),
            UseCaseError::StillShared { image, members } => Self(still_shared(&image, members)),
            UseCaseError::InvalidDetail(problem) => Self::invalid_field(&problem.field, problem.expected),
            UseCaseError::MarkerNotFound => Self::bad_request("marker: no image found with that ID."),
            UseCaseError::TooManyToSort(limit) => Self::too_many_to_sort(limit),
            UseCaseError::ScanLimitReached { examined, .. } => {
                Self::bad_request(format!("None of the first {examined} images matches. Narrow the list."))
            }
            UseCaseError::TooManyRequests { retry_after, excess } => too_many_requests(retry_after, excess),
            other @ (UseCaseError::SharedImageImmutable(_)
            | UseCaseError::InProgress(_)
            | UseCaseError::Conflict(_)
            | UseCaseError::Store(_)) => Self(other.into()),
        }
    }
}

impl From<Denied> for Error {
    fn from(denied: Denied) -> Self {
        use StatusCode as S;
        match denied {
            Denied::ReadOnly => Self::new(
                S::FORBIDDEN,
                "IMG.0026",
                "You are not authorized to complete this action: your role here is reader. Ask for the role member.",
            ),
            Denied::AdminOnly(_) => Self::new(
                S::FORBIDDEN,
                "IMG.0026",
                "You are not authorized to complete publicize_image action: the role admin is needed. Share the image with projects instead.",
            ),
            Denied::ProjectMismatch { acting, named } => Self::new(
                S::FORBIDDEN,
                "IMG.0026",
                format!(
                    "You are not permitted to create images owned by '{named}': your credential acts for '{acting}'. Use a credential of '{named}'."
                ),
            ),
            Denied::ImageNotFound(id) => Self::image_not_found(id.as_str()),
            Denied::NotOwner(id) => Self::new(
                S::FORBIDDEN,
                "IMG.0047",
                format!(
                    "You are not permitted to modify image {id}: only its owner can. Use a credential of its owner."
                ),
            ),
            Denied::NotShared(problem) => not_shared(&problem),
            Denied::MemberNotFound { image, tenant } => Self::new(
                S::NOT_FOUND,
                "IMG.0121",
                format!("{tenant} not found in the member list of the image {image}."),
            ),
            Denied::JobNotFound => Self::new(S::NOT_FOUND, "IMG.0023", "Your project has no such job."),
        }
    }
}

impl From<ShareRequestError> for Error {
    fn from(refusal: ShareRequestError) -> Self {
        match refusal {
            ShareRequestError::NotShared(problem) => not_shared(&problem),
            ShareRequestError::Encrypted(_) => {
                Self(ApiError { status: StatusCode::FORBIDDEN, ..refusal.into() })
            }
            ShareRequestError::SelfShare(tenant) => Self::new(
                StatusCode::BAD_REQUEST,
                "IMG.0076",
                format!("{tenant} owns the image and cannot be its member."),
            ),
        }
    }
}

impl From<StoreError> for Error {
    fn from(problem: StoreError) -> Self {
        Self(problem.into())
    }
}

impl From<UnexpectedBody> for Error {
    fn from(problem: UnexpectedBody) -> Self {
        Self(problem.into())
    }
}

impl From<MalformedIfMatch> for Error {
    fn from(problem: MalformedIfMatch) -> Self {
        Self::bad_request(problem.to_string())
    }
}

impl From<InvalidIdempotencyKey> for Error {
    fn from(problem: InvalidIdempotencyKey) -> Self {
        Self(problem.into())
    }
}

impl From<RejectionReason> for Error {
    fn from(reason: RejectionReason) -> Self {
        match reason {
            RejectionReason::UseCase(error) => error.into(),
            other @ (RejectionReason::Unready(_)
            | RejectionReason::BodyTooLarge(_)
            | RejectionReason::Auth(_)) => Self(other.into()),
        }
    }
}

/// 403: the image has no members.
fn not_shared(problem: &NotShared) -> Error {
    let message = format!("Image {}: {}", problem.image, not_shared_reason(problem));
    Error::new(StatusCode::FORBIDDEN, "IMG.0105", message)
}

/// Why an image of that visibility has no members, in Glance's words, and what to do about it.
pub(super) fn not_shared_reason(NotShared { image, visibility }: &NotShared) -> String {
    let what = if visibility.is_visible_to_all() {
        "everybody has it".to_owned()
    } else {
        format!("set it to shared first, PATCH /v2/images/{image}")
    };
    format!("Only shared images have members. Its visibility is {visibility}: {what}.")
}

/// 403: the format of an active image does not change, in Glance's words.
fn format_immutable(image: &ImageId, field: &str) -> Error {
    let message = format!(
        "Attribute {field} can be only replaced for a queued image: image {image} is active, and others may have consented to it as it is. Register another image for another format."
    );
    Error::new(StatusCode::FORBIDDEN, "IMG.0105", message)
}

/// 409: the image is already shared with the tenant, in Glance's words.
fn member_exists(image: &ImageId, tenant: &TenantId) -> Error {
    let message =
        format!("Member {tenant} is duplicated for image {image}: it is shared with {tenant} already.");
    Error::new(StatusCode::CONFLICT, "IMG.0031", message)
}

/// 413: the image is at its recipient limit, in Glance's words.
fn member_limit(image: &ImageId, members: u32, limit: u32) -> Error {
    let attempted = members.saturating_add(1);
    let message = format!(
        "Image member limit exceeded for image {image}: The limit has been exceeded on the number of allowed image members for this image. Attempted: {attempted}, Maximum: {limit}: Remove a member that does not need it first."
    );
    Error::new(StatusCode::PAYLOAD_TOO_LARGE, "IMG.0088", message)
}

/// 429: the tenant exceeds a limit. Glance has no such response of its own; its clients know the status from proxies in
/// front of it.
fn too_many_requests(retry_after: Duration, excess: ExceededLimit) -> Error {
    let message = format!("This request was rate-limited: {excess}.");
    let error = ApiError::new(StatusCode::TOO_MANY_REQUESTS, "IMG.0060", message);
    Error(ApiError { retry_after: Some(retry_after), ..error })
}

/// The status for a rule that Glance does not have.
fn outcome_status(outcome: Outcome) -> StatusCode {
    match outcome {
        Outcome::DefaultKey | Outcome::KeyNotGranted | Outcome::NotFromBackup | Outcome::OwnerBlocked => {
            StatusCode::FORBIDDEN
        }
        Outcome::PendingLimit | Outcome::OwnerPendingLimit => StatusCode::PAYLOAD_TOO_LARGE,
        Outcome::VaultUnavailable | Outcome::VaultFull => StatusCode::CONFLICT,
        _ => StatusCode::BAD_REQUEST,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn glance_error_has_the_common_error_body() {
        let response = Error::from(Denied::ImageNotFound("i-1".parse().unwrap())).into_response();
        assert_eq!(response.status(), 404);
        let lambda_http::Body::Text(body) = response.body() else { panic!("{response:?}") };
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(body).unwrap(),
            serde_json::json!({"error":
                {"code": "IMG.0027", "message": "No image found with ID i-1", "title": "Not Found"}})
        );
    }
}
