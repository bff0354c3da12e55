//! Errors with Alibaba's statuses and codes (`contract/alibaba.md` 3.7, and the error codes of ECS's documentation, two of
//! which are misspelt there and so here). The one table from refusals to codes is [`Error::from`].

use std::fmt::Display;
use std::time::Duration;

use http::StatusCode;

use super::{Envelope, Parameters};
use crate::auth::signature::SignatureFault;
use crate::auth::{NotAdmitted, Unauthenticated};
use crate::domain::{ID_FORM, Outcome, TenantId, Visibility};
use crate::facade::{Reply, fault};
use crate::function::Received;
use crate::store::StoreError;
use crate::usecases::Refusal;

/// An error as this dialect answers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    status: StatusCode,
    code: &'static str,
    message: String,
    retry_after: Option<Duration>,
}

impl Error {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), retry_after: None }
    }

    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    pub(super) fn code(&self) -> &'static str {
        self.code
    }

    pub(super) fn message(&self) -> &str {
        &self.message
    }

    /// When the client may come again.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The error as the answer to a request that did not get as far as its action; with its parameters, where they could be
    /// read.
    pub fn into_reply(self, received: &Received, parameters: Option<&Parameters>) -> Reply {
        Envelope::new(received.request_id(), received.raw_header("host"), parameters).refuse(self, None)
    }

    /// A parameter is not as it must be.
    pub(super) fn bad(name: &str, expected: impl Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "InvalidParameter", format!("{name}: expected {expected}."))
    }

    /// A mandatory parameter is missing.
    pub(super) fn missing(name: &str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "MissingParameter",
            format!(
                "The input parameter \"{name}\" that is mandatory for processing this request is not supplied."
            ),
        )
    }

    /// The body is no form.
    pub(super) fn body_expected() -> Self {
        Self::bad("The body", "a form, application/x-www-form-urlencoded, or none")
    }

    /// No such action in that version.
    pub(super) fn no_such_api() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "InvalidApi.NotFound",
            "Specified api is not found, please check your url and method. There are ModifyImagePermission, DescribeImagePermission and DescribeImages of version 2020-09-30, ModifyImageSharePermission, DescribeImageSharePermission and DescribeImages of version 2014-05-26.",
        )
    }

    /// No image of that id that the caller sees.
    pub(super) fn no_image() -> Self {
        Self::new(StatusCode::NOT_FOUND, "InvalidImageId.NotFound", "The specified ImageId does not exist.")
    }

    /// Another region than this deployment's.
    pub(super) fn other_region(region: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "InvalidRegionId.NotFound",
            format!(
                "The specified RegionId does not exist here: this is {region}. Images are not shared across regions."
            ),
        )
    }

    /// An account that can be none.
    pub(super) fn no_account(parameter: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "InvalidAccount.NotFound",
            format!("The specified account in parameter \"{parameter}\" does not exist: expected {ID_FORM}."),
        )
    }

    /// An account that is to be added and removed.
    pub(super) fn added_and_removed(account: &TenantId) -> Self {
        Self::bad("AddAccount.N and RemoveAccount.N", format_args!("{account} in one of them, not in both"))
    }

    /// A change was checked and not made.
    pub(super) fn dry_run() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "DryRunOperation",
            "Request validation has been passed with DryRun flag set.",
        )
    }

    /// A fault of ours, of which the caller is told no more than that.
    fn ours((status, _, message): (StatusCode, &str, &str)) -> Self {
        let code =
            if status == StatusCode::SERVICE_UNAVAILABLE { "ServiceUnavailable" } else { "InternalError" };
        Self::new(status, code, message)
    }

    fn forbidden(why: impl Display) -> Self {
        let message = format!(
            "User not authorized to operate on the specified resource, or this API doesn't support RAM. {why}"
        );
        Self::new(StatusCode::FORBIDDEN, "Forbidden.RAM", message)
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        use StatusCode as S;
        match refusal {
            Refusal::ReadOnly => Self::forbidden("Your role here is reader, which only reads."),
            Refusal::AdminOnly => Self::forbidden("The role admin is needed."),
            Refusal::OtherProject { acting, named } => {
                Self::forbidden(format_args!("Your credential acts for {acting}, not for {named}."))
            }
            Refusal::NotOwner(id) => Self::forbidden(format_args!(
                "Image {id} is shared by another account, and only its owner can share it."
            )),
            Refusal::ImageNotFound(_) => Self::no_image(),
            Refusal::NotShared { visibility: Visibility::Public | Visibility::Community, .. } => Self::new(
                S::FORBIDDEN,
                "Image.Public",
                "The specified image is public image. Only custom images are shared.",
            ),
            Refusal::NotShared { image, .. } => Self::new(
                S::FORBIDDEN,
                "OperationDenied.InvalidImageStatus",
                format!(
                    "Image {image} has visibility \"private\". Set it to \"shared\" first: PATCH /v2/images/{image}."
                ),
            ),
            Refusal::Encrypted(_) => Self::new(
                S::FORBIDDEN,
                "OperationDeined.EncryptedSnapshot",
                "The image contains encrypted snapshots, which do not support share. Where they are under a key of your own, grant it to the project (PUT /v1/keys/{key_id}/grants/{project_id}) and share it by POST /v1/cloudimages/members.",
            ),
            Refusal::MemberLimit { most, .. } => Self::new(
                S::FORBIDDEN,
                "QuotaExceed.ShareImageUser",
                format!(
                    "The shared Image user Quota exceeds: at most {most} accounts. Remove one that does not need it."
                ),
            ),
            Refusal::SelfShare(_) => Self::new(
                S::NOT_FOUND,
                "InvalidAccount.Forbbiden",
                "The specified Account does not yourself: an image is not shared with its owner.",
            ),
            Refusal::ProjectName { .. } => Self::new(
                S::NOT_FOUND,
                "InvalidAccount.NotFound",
                format!("The specified account {refusal}."),
            ),
            Refusal::Rule { tenant, outcome: Outcome::UnknownTenant, .. } => Self::new(
                S::NOT_FOUND,
                "InvalidAccount.NotFound",
                format!("The specified account {tenant} does not exist in this region. Check its id."),
            ),
            Refusal::Rule { tenant, outcome: Outcome::OtherRegion, .. } => Self::new(
                S::FORBIDDEN,
                "OperationDenied.OtherRegion",
                format!(
                    "Account {tenant} is of another region. Copy the image there (CopyImage), and share it in that region."
                ),
            ),
            Refusal::Rule { outcome: Outcome::NoVault | Outcome::NotFromBackup, .. } => Self::new(
                S::FORBIDDEN,
                "OperationDenied.FullEcsImage",
                "A full-ECS image is accepted into a vault, which this API does not name. Share it by POST /v1/cloudimages/members.",
            ),
            Refusal::MarkerNotFound => Self::bad("NextToken", "the NextToken of the page before"),
            Refusal::Contended(id) => Self::new(
                S::CONFLICT,
                "OperationConflict",
                format!("Image {id} is being changed by others. Try again."),
            ),
            Refusal::InProgress(id) => {
                Self::new(S::SERVICE_UNAVAILABLE, "ServiceUnavailable", fault::in_progress(&id))
            }
            Refusal::TooManyRequests { retry_after, excess } => Self {
                retry_after: Some(retry_after),
                ..Self::new(
                    S::TOO_MANY_REQUESTS,
                    "Throttling.User",
                    format!("Request was denied due to user flow control: {excess}."),
                )
            },
            Refusal::Store(problem) => Self::from(problem),
            // No action of this dialect can meet these.
            other @ (Refusal::JobNotFound
            | Refusal::Unresolved { .. }
            | Refusal::MemberNotFound { .. }
            | Refusal::MemberExists { .. }
            | Refusal::Rule { .. }
            | Refusal::MadeOtherwise(_)
            | Refusal::FormatFixed { .. }
            | Refusal::NoAnswer(_)
            | Refusal::KeyUsed
            | Refusal::IdTaken(_)
            | Refusal::TooManyImages(_)
            | Refusal::Protected(_)
            | Refusal::Detail(_)
            | Refusal::NothingFound { .. }
            | Refusal::TooManyToSort(_)) => {
                Self::new(S::BAD_REQUEST, "InvalidParameter", format!("{other}."))
            }
        }
    }
}

impl From<StoreError> for Error {
    fn from(problem: StoreError) -> Self {
        Self::ours(fault::of_store(&problem))
    }
}

impl From<NotAdmitted> for Error {
    fn from(refused: NotAdmitted) -> Self {
        let fault = match refused {
            NotAdmitted::Store(problem) => return problem.into(),
            NotAdmitted::Issuer(problem) => return Self::ours(fault::of_issuer(&problem)),
            NotAdmitted::Unauthenticated(Unauthenticated::Signature(fault)) => fault,
            NotAdmitted::Unauthenticated(refused) if refused.is_forbidden() => {
                return Self::forbidden(format_args!("{refused}."));
            }
            NotAdmitted::Unauthenticated(refused) => {
                return Self::new(StatusCode::UNAUTHORIZED, "InvalidSecurityToken", format!("{refused}."));
            }
        };
        let bad =
            |code, message: &str| Self::new(StatusCode::BAD_REQUEST, code, format!("{message} {fault}."));
        match fault {
            SignatureFault::UnknownKey => Self::new(
                StatusCode::NOT_FOUND,
                "InvalidAccessKeyId.NotFound",
                "Specified access key is not found.",
            ),
            SignatureFault::DisabledKey | SignatureFault::RetiredKey => {
                bad("InvalidAccessKeyId.Inactive", "Specified access key is disabled:")
            }
            SignatureFault::WrongSignature
            | SignatureFault::OtherBody
            | SignatureFault::HeaderMissing(_)
            | SignatureFault::UnsignedBody => {
                bad("SignatureDoesNotMatch", "Specified signature is not matched with our calculation:")
            }
            SignatureFault::BadDate(_) => {
                bad("InvalidTimeStamp.Format", "Specified time stamp or date value is not well formatted:")
            }
            SignatureFault::Expired => {
                bad("InvalidTimeStamp.Expired", "Specified time stamp or date value is expired:")
            }
            SignatureFault::NonceUsed => {
                bad("SignatureNonceUsed", "Specified signature nonce was used already:")
            }
            SignatureFault::Incomplete(_)
            | SignatureFault::NotSigned(_)
            | SignatureFault::RefusedAlgorithm { .. } => {
                bad("IncompleteSignature", "The request signature does not conform to Aliyun standards:")
            }
            SignatureFault::OtherProject { .. } => Self::forbidden(format_args!("{fault}.")),
        }
    }
}
