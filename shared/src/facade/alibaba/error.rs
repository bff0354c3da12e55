//! Errors with Alibaba's statuses and codes (`contract/alibaba.md` 3.7, and the error codes of ECS's documentation, two
//! of which are misspelt there and so here). [`Error::from`] is the one table from errors to codes.

use std::fmt::Display;

use http::StatusCode;

use crate::auth::signature::SignatureError;
use crate::auth::{AuthError, CredentialError};
use crate::domain::{Denied, ID_FORMAT, NotShared, Outcome, ShareRequestError, TenantId};
use crate::http::{ApiError, Unready, server_error};
use crate::store::StoreError;
use crate::usecases::UseCaseError;

/// An error of this facade, which has an error body of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error(ApiError);

impl Error {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self(ApiError::new(status, code, message))
    }

    /// Status, code and message, for the body.
    pub(super) fn into_inner(self) -> ApiError {
        self.0
    }

    /// 400: a parameter is invalid. `expected` describes its valid values.
    pub(super) fn invalid_parameter(name: &str, expected: impl Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "InvalidParameter", format!("{name}: expected {expected}."))
    }

    /// 400: a mandatory parameter is missing.
    pub(super) fn missing_parameter(name: &str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "MissingParameter",
            format!(
                "The input parameter \"{name}\" that is mandatory for processing this request is not supplied."
            ),
        )
    }

    /// 400: the body is not a form.
    pub(super) fn invalid_body() -> Self {
        Self::invalid_parameter("The body", "a form, application/x-www-form-urlencoded, or none")
    }

    /// 404: the version has no such action.
    pub(super) fn api_not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "InvalidApi.NotFound",
            "Specified api is not found, please check your url and method. There are ModifyImagePermission, DescribeImagePermission and DescribeImages of version 2020-09-30, ModifyImageSharePermission, DescribeImageSharePermission and DescribeImages of version 2014-05-26.",
        )
    }

    /// 404: the caller sees no image of that id.
    pub(super) fn image_not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "InvalidImageId.NotFound", "The specified ImageId does not exist.")
    }

    /// 404: the request names another region than this deployment's.
    pub(super) fn region_not_found(region: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "InvalidRegionId.NotFound",
            format!(
                "The specified RegionId does not exist here: this is {region}. Images are not shared across regions."
            ),
        )
    }

    /// 404: the account id is malformed.
    pub(super) fn account_not_found(parameter: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "InvalidAccount.NotFound",
            format!(
                "The specified account in parameter \"{parameter}\" does not exist: expected {ID_FORMAT}."
            ),
        )
    }

    /// 400: the account is in both arrays.
    pub(super) fn account_in_both_lists(account: &TenantId) -> Self {
        Self::invalid_parameter(
            "AddAccount.N and RemoveAccount.N",
            format_args!("{account} in one of them, not in both"),
        )
    }

    /// 400: the request is valid, and nothing was changed, because it was a dry run.
    pub(super) fn dry_run_passed() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "DryRunOperation",
            "Request validation has been passed with DryRun flag set.",
        )
    }

    /// A server error. The caller does not learn its cause.
    fn server_error((status, _, message): (StatusCode, &str, &str)) -> Self {
        let code =
            if status == StatusCode::SERVICE_UNAVAILABLE { "ServiceUnavailable" } else { "InternalError" };
        Self::new(status, code, message)
    }

    /// 400: an error in which no action of this facade ends.
    fn unexpected(error: impl Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "InvalidParameter", format!("{error}."))
    }

    fn forbidden(why: impl Display) -> Self {
        let message = format!(
            "User not authorized to operate on the specified resource, or this API doesn't support RAM. {why}"
        );
        Self::new(StatusCode::FORBIDDEN, "Forbidden.RAM", message)
    }
}

impl From<UseCaseError> for Error {
    fn from(error: UseCaseError) -> Self {
        use StatusCode as S;
        match error {
            UseCaseError::Denied(denied) => denied.into(),
            UseCaseError::ShareRequest(refusal) => refusal.into(),
            UseCaseError::MemberLimit { most, .. } => Self::new(
                S::FORBIDDEN,
                "QuotaExceed.ShareImageUser",
                format!(
                    "The shared Image user Quota exceeds: at most {most} accounts. Remove one that does not need it."
                ),
            ),
            UseCaseError::ProjectNameAsId { .. } => {
                Self::new(S::NOT_FOUND, "InvalidAccount.NotFound", format!("The specified account {error}."))
            }
            UseCaseError::RuleViolation { tenant, outcome: Outcome::UnknownTenant, .. } => Self::new(
                S::NOT_FOUND,
                "InvalidAccount.NotFound",
                format!("The specified account {tenant} does not exist in this region. Check its id."),
            ),
            UseCaseError::RuleViolation { tenant, outcome: Outcome::OtherRegion, .. } => Self::new(
                S::FORBIDDEN,
                "OperationDenied.OtherRegion",
                format!(
                    "Account {tenant} is of another region. Copy the image there (CopyImage), and share it in that region."
                ),
            ),
            UseCaseError::RuleViolation { tenant, outcome: Outcome::OwnerBlocked, .. } => Self::new(
                S::FORBIDDEN,
                "OperationDenied.Rejected",
                format!("Account {tenant} has rejected the image. Ask it whether it wants images from you."),
            ),
            UseCaseError::RuleViolation { outcome: Outcome::NoVault | Outcome::NotFromBackup, .. } => {
                Self::new(
                    S::FORBIDDEN,
                    "OperationDenied.FullEcsImage",
                    "A full-ECS image is accepted into a vault, which this API does not name. Share it by POST /v1/cloudimages/members.",
                )
            }
            UseCaseError::MarkerNotFound => {
                Self::invalid_parameter("NextToken", "the NextToken of the page before")
            }
            UseCaseError::Conflict(id) => Self::new(
                S::CONFLICT,
                "OperationConflict",
                format!("Image {id} is being changed by others. Try again."),
            ),
            UseCaseError::InProgress(id) => Self::new(
                S::SERVICE_UNAVAILABLE,
                "ServiceUnavailable",
                server_error::in_progress_message(&id),
            ),
            UseCaseError::TooManyRequests { retry_after, excess } => Self(ApiError {
                retry_after: Some(retry_after),
                ..ApiError::new(
                    S::TOO_MANY_REQUESTS,
                    "Throttling.User",
                    format!("Request was denied due to user flow control: {excess}."),
                )
            }),
            UseCaseError::Store(problem) => Self::from(problem),
            other @ (UseCaseError::Unresolved { .. }
            | UseCaseError::MemberExists { .. }
            | UseCaseError::RuleViolation { .. }
            | UseCaseError::SharedImageImmutable(_)
            | UseCaseError::FormatImmutable { .. }
            | UseCaseError::InvalidStatus(_)
            | UseCaseError::IdempotencyKeyReused
            | UseCaseError::IdTaken(_)
            | UseCaseError::TooManyImages(_)
            | UseCaseError::Protected(_)
            | UseCaseError::Stale(_)
            | UseCaseError::StillShared { .. }
            | UseCaseError::InvalidDetail(_)
            | UseCaseError::ScanLimitReached { .. }
            | UseCaseError::TooManyToSort(_)) => Self::unexpected(other),
        }
    }
}

impl From<Denied> for Error {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::ReadOnly => Self::forbidden("Your role here is reader, which only reads."),
            Denied::AdminOnly(_) => Self::forbidden("The role admin is needed."),
            Denied::ProjectMismatch { acting, named } => {
                Self::forbidden(format_args!("Your credential acts for {acting}, not for {named}."))
            }
            Denied::NotOwner(id) => Self::forbidden(format_args!(
                "Image {id} is shared by another account, and only its owner can share it."
            )),
            Denied::ImageNotFound(_) => Self::image_not_found(),
            Denied::NotShared(problem) => not_shared(&problem),
            other @ (Denied::MemberNotFound { .. } | Denied::JobNotFound) => Self::unexpected(other),
        }
    }
}

impl From<ShareRequestError> for Error {
    fn from(refusal: ShareRequestError) -> Self {
        match refusal {
            ShareRequestError::NotShared(problem) => not_shared(&problem),
            ShareRequestError::Encrypted(_) => Self::new(
                StatusCode::FORBIDDEN,
                "OperationDeined.EncryptedSnapshot",
                "The image contains encrypted snapshots, which do not support share. If the key is your own, grant it to the project (PUT /v1/keys/{key_id}/grants/{project_id}) and share the image by POST /v1/cloudimages/members.",
            ),
            ShareRequestError::SelfShare(_) => Self::new(
                StatusCode::NOT_FOUND,
                "InvalidAccount.Forbbiden",
                "The specified Account does not yourself: an image is not shared with its owner.",
            ),
        }
    }
}

/// 403: the image cannot be shared, because of its visibility.
fn not_shared(NotShared { image, visibility }: &NotShared) -> Error {
    if visibility.is_visible_to_all() {
        let message = "The specified image is public image. Only custom images are shared.";
        return Error::new(StatusCode::FORBIDDEN, "Image.Public", message);
    }
    let message = format!(
        "Image {image} has visibility \"private\". Set it to \"shared\" first: PATCH /v2/images/{image}."
    );
    Error::new(StatusCode::FORBIDDEN, "OperationDenied.InvalidImageStatus", message)
}

impl From<StoreError> for Error {
    fn from(problem: StoreError) -> Self {
        Self::server_error(server_error::for_store_error(&problem))
    }
}

impl From<&Unready> for Error {
    fn from(unready: &Unready) -> Self {
        Self::server_error(server_error::for_unready(unready))
    }
}

impl From<AuthError> for Error {
    fn from(error: AuthError) -> Self {
        let fault = match error {
            AuthError::Store(problem) => return problem.into(),
            AuthError::IssuerUnavailable(problem) => {
                return Self::server_error(server_error::for_issuer_error(&problem));
            }
            AuthError::Credential(CredentialError::Signature(fault)) => fault,
            AuthError::Credential(error) if error.is_forbidden() => {
                return Self::forbidden(format_args!("{error}."));
            }
            AuthError::Credential(error) => {
                return Self::new(StatusCode::UNAUTHORIZED, "InvalidSecurityToken", format!("{error}."));
            }
        };
        let bad =
            |code, message: &str| Self::new(StatusCode::BAD_REQUEST, code, format!("{message} {fault}."));
        match fault {
            SignatureError::UnknownKey => Self::new(
                StatusCode::NOT_FOUND,
                "InvalidAccessKeyId.NotFound",
                "Specified access key is not found.",
            ),
            SignatureError::DisabledKey | SignatureError::ExpiredKey | SignatureError::RetiredMasterKey => {
                bad("InvalidAccessKeyId.Inactive", "Specified access key is disabled:")
            }
            SignatureError::SignatureMismatch
            | SignatureError::BodyMismatch
            | SignatureError::HeaderMissing(_)
            | SignatureError::UnsignedBody => {
                bad("SignatureDoesNotMatch", "Specified signature is not matched with our calculation:")
            }
            SignatureError::InvalidDate(_) => {
                bad("InvalidTimeStamp.Format", "Specified time stamp or date value is not well formatted:")
            }
            SignatureError::Expired => {
                bad("InvalidTimeStamp.Expired", "Specified time stamp or date value is expired:")
            }
            SignatureError::NonceReused => {
                bad("SignatureNonceUsed", "Specified signature nonce was used already:")
            }
            SignatureError::Incomplete(_)
            | SignatureError::HeaderNotSigned(_)
            | SignatureError::UnsupportedAlgorithm { .. } => {
                bad("IncompleteSignature", "The request signature does not conform to Aliyun standards:")
            }
            SignatureError::ProjectMismatch { .. } => Self::forbidden(format_args!("{fault}.")),
        }
    }
}
