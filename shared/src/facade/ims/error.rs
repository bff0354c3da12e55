//! Errors in the words of IMS: `{"error":{"code":"IMG.….","message","title"}}` (`contract/ims.md` 1.9).
//!
//! The one table from refusals to codes is [`Error::from`]. A message says what is wrong with which value and what to do;
//! a fault of ours says only that it is one, and the log says what.

use std::fmt::{self, Write as _};
use std::time::Duration;

use http::StatusCode;
use http::header::HeaderValue;

use crate::auth::{AuthError, CredentialError};
use crate::domain::{ImageId, MAX_NAMES_PER_BATCH, Outcome, ResolveError, Task, TenantId, Visibility};
use crate::http::{AuthenticatedRequest, HttpResponse, UNEXPECTED_BODY, response, server_error};
use crate::store::StoreError;
use crate::usecases::UseCaseError;

/// An error as IMS answers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    status: StatusCode,
    code: &'static str,
    message: String,
    retry_after: Option<Duration>,
}

impl Error {
    /// An error with status 400.
    pub fn bad_request(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    fn too_many_to_sort(most: usize) -> Self {
        Self::list_too_large(format_args!(
            "More than {most} images: only sort_key=created_at or name is possible"
        ))
    }

    /// A list that would have to look at too many images.
    fn list_too_large(problem: fmt::Arguments<'_>) -> Self {
        Self::bad_request("IMG.0105", format!("{problem}. Narrow the list."))
    }

    pub(in crate::facade) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), retry_after: None }
    }

    /// Status, code and message, for a facade that has the same errors.
    pub(in crate::facade) fn into_parts(self) -> (StatusCode, &'static str, String) {
        (self.status, self.code, self.message)
    }

    /// The error as an answer.
    pub fn into_response(self) -> HttpResponse {
        response::with_retry_after(
            response::error_response(self.status, self.code, &self.message),
            self.retry_after,
        )
    }
}

impl From<UseCaseError> for Error {
    #[expect(clippy::too_many_lines, reason = "one table: every error of the use cases")]
    fn from(refusal: UseCaseError) -> Self {
        use StatusCode as S;
        match refusal {
            UseCaseError::ReadOnly => Self::new(
                S::FORBIDDEN,
                "IMG.0026",
                "Your role here is reader, which only reads. Ask for the role member.",
            ),
            UseCaseError::AdminOnly => Self::new(
                S::FORBIDDEN,
                "IMG.0026",
                "Only the role admin may make an image public. Share it with projects instead.",
            ),
            UseCaseError::ProjectMismatch { acting, named } => wrong_project(&acting, named.as_str()),
            UseCaseError::ImageNotFound(id) => {
                Self::bad_request("IMG.0027", format!("Image {id} does not exist. Check its id and region."))
            }
            UseCaseError::NotOwner(id) => Self::bad_request(
                "IMG.0047",
                format!("Image {id} belongs to another tenant; only its owner can do this."),
            ),
            UseCaseError::NotShared { image, visibility } => not_shared(&image, visibility),
            UseCaseError::Encrypted(id) => Self::bad_request(
                "IMG.0099",
                format!("Image {id} is encrypted, and cannot be shared without a grant of its key."),
            ),
            UseCaseError::SelfShare(tenant) => Self::bad_request(
                "IMG.0076",
                format!(
                    "An image cannot be shared with the project that owns it: take {tenant} out of projects and accounts."
                ),
            ),
            UseCaseError::Unresolved { place, problem } => {
                unresolved_names(S::BAD_REQUEST, &format!("accounts[{place}]"), problem)
            }
            UseCaseError::ProjectNameAsId { .. } => {
                Self::bad_request("IMG.0104", format!("projects: {refusal}."))
            }
            UseCaseError::JobNotFound => Self::new(
                S::NOT_FOUND,
                "IMG.0023",
                "Your project has no such job. Jobs can be read for 30 days, with a credential of the project that made them.",
            ),
            UseCaseError::MemberNotFound { image, tenant } => {
                Self::new(S::NOT_FOUND, "IMG.0121", format!("{tenant} is not a member of image {image}."))
            }
            UseCaseError::MemberExists { image, tenant } => {
                Self::new(S::CONFLICT, "IMG.0031", format!("{tenant} is a member of image {image} already."))
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
            UseCaseError::TooManyToSort(most) => Self::too_many_to_sort(most),
            UseCaseError::ScanLimitReached { examined, .. } => {
                Self::list_too_large(format_args!("None of the first {examined} images matches"))
            }
            UseCaseError::TooManyRequests { retry_after, excess } => Self {
                retry_after: Some(retry_after),
                ..Self::new(S::TOO_MANY_REQUESTS, "IMG.0060", sentence(&excess.to_string()))
            },
            UseCaseError::Store(problem) => Self::from(problem),
        }
    }
}

/// Refuses to delete an image that is to be kept.
fn protected(image: &ImageId) -> Error {
    let message = format!("Image {image} is protected. Set protected to false first.");
    Error::new(StatusCode::FORBIDDEN, "IMG.0105", message)
}

/// Refuses another format of an image.
fn format_fixed(image: &ImageId, field: &str) -> Error {
    let message =
        format!("Image {image} is active and keeps its {field}. Register another image for another format.");
    Error::new(StatusCode::FORBIDDEN, "IMG.0105", message)
}

/// Refuses to share an image that has no members.
fn not_shared(image: &ImageId, visibility: Visibility) -> Error {
    if visibility.is_visible_to_all() {
        let message =
            format!("Image {image} is a {visibility} image: everybody has it, so it is not shared.");
        return Error::bad_request("IMG.0089", message);
    }
    let message = format!(
        "Image {image} has visibility \"{visibility}\". Set it to \"shared\" first: PATCH /v2/images/{image}."
    );
    Error::bad_request("IMG.0105", message)
}

impl From<StoreError> for Error {
    fn from(problem: StoreError) -> Self {
        let (status, code, message) = server_error::for_store_error(&problem);
        Self::new(status, code, message)
    }
}

/// What OpenStack's services say to everybody whom they do not know.
const UNAUTHORIZED_MESSAGE: &str =
    "This server could not verify that you are authorized to access the document you requested.";

/// The answer to a request without a good credential. A bad signature has the code of the vendor's own gateway
/// (`contract/ims.md` 1.8).
pub fn auth_error_response(refused: &AuthError) -> HttpResponse {
    let refused = match refused {
        AuthError::Credential(refused) => refused,
        AuthError::Store(problem) => return Error::from(problem.clone()).into_response(),
        AuthError::IssuerUnavailable(problem) => {
            let (status, code, message) = server_error::for_issuer_error(problem);
            return response::error_response(status, code, message);
        }
    };
    let text = sentence(&refused.to_string());
    match refused {
        refused if refused.is_forbidden() => {
            response::error_response(StatusCode::FORBIDDEN, "IMG.0026", &text)
        }
        CredentialError::Signature(_) => {
            let text = format!("Incorrect IAM authentication information. {text}");
            response::error_response(StatusCode::UNAUTHORIZED, "APIGW.0301", &text)
        }
        _ => {
            let text = format!("{UNAUTHORIZED_MESSAGE} {text}");
            response::error_response(StatusCode::UNAUTHORIZED, "IMG.0087", &text)
        }
    }
}

/// The answer to a request for which there is no operation. `allowed` are the methods of its path, where it has any.
pub fn route_not_found(allowed: &str) -> HttpResponse {
    if allowed.is_empty() {
        return response::error_response(
            StatusCode::NOT_FOUND,
            "IMG.0086",
            "There is no such path. GET /docs shows the paths that there are, and GET /openapi.yaml has them for programs.",
        );
    }
    let message = format!("This method is not possible here. Use {allowed}.");
    let mut reply = response::error_response(StatusCode::METHOD_NOT_ALLOWED, "IMG.0105", &message);
    reply.headers_mut().extend(HeaderValue::from_str(allowed).ok().map(|value| (http::header::ALLOW, value)));
    reply
}

/// The code and the message of a pair that failed in a job of that task; `None` for one that did not.
pub(in crate::facade) fn outcome_error(
    outcome: Outcome,
    task: &Task,
) -> Option<(&'static str, &'static str)> {
    match outcome {
        Outcome::Done | Outcome::Superseded => None,
        Outcome::ImageDeleted => Some(("IMG.0027", "The image was deleted.")),
        Outcome::NotShareable => Some((
            "IMG.0046",
            "The image's visibility is not \"shared\" any more. Set it to \"shared\", then share again.",
        )),
        Outcome::MemberLimit => Some((
            "IMG.0088",
            "The image has as many recipients as it may have. Unshare it from one that does not need it.",
        )),
        Outcome::NotAMember => {
            Some(("IMG.0121", "The image is not shared with this project. Ask its owner to share it."))
        }
        Outcome::DefaultKey => Some((
            "IMG.0098",
            "The image is encrypted by the service's own key, which cannot be granted. Share an image whose __system__cmkid is a key of your own.",
        )),
        Outcome::KeyNotGranted => Some((
            "IMG.0099",
            "The project may not use the key in the image's __system__cmkid. Grant it: PUT /v1/keys/{key_id}/grants/{project_id}; then share again.",
        )),
        Outcome::NotFromBackup => Some((
            "IMG.0135",
            "A full-ECS image can be shared only if it was made from a backup: it needs the property __backup_id.",
        )),
        Outcome::UnknownTenant => Some((
            "IMG.0108",
            "The directory of this region knows no such project. Check its id, or ask an admin to enter it.",
        )),
        Outcome::OtherRegion => Some((
            "IMG.0177",
            "The project is in another region. Replicate the image there, and share it in that region.",
        )),
        Outcome::PendingLimit => Some((
            "IMG.0088",
            "As many images wait for the project's answer as may. Ask it to accept or reject some; then share again.",
        )),
        Outcome::OwnerPendingLimit => Some((
            "IMG.0088",
            "As many of your images wait for the project's answer as may. Ask it to accept or reject some; then share again.",
        )),
        Outcome::NoVault => Some((
            "IMG.0184",
            "vault_id: expected the id of one of the project's vaults, since a full-ECS image is accepted into one. A vault is made known by PUT /v1/vaults/{vault_id}.",
        )),
        Outcome::NotABackupVault => Some((
            "IMG.0193",
            "vault_id: the vault is not for backups. Choose one whose protection_type is backup.",
        )),
        Outcome::VaultUnavailable => Some((
            "IMG.0188",
            "vault_id: the vault cannot be used now. Choose one whose status is available.",
        )),
        Outcome::VaultFull => Some((
            "IMG.0182",
            "vault_id: the vault has not enough room for the image's backups, __system_disk_backup_gib and __data_disk_backup_gib. Expand it (capacity_gib), or choose another.",
        )),
        Outcome::RetriesExhausted => {
            let code = match task {
                Task::Share => "IMG.0112",
                Task::Unshare => "IMG.0113",
                Task::Respond { .. } | Task::RespondToAll { .. } | Task::Refresh => "IMG.0061",
            };
            Some((code, "The service could not do it in many attempts. Send the request again."))
        }
    }
}

/// The code and the message of a rule that one image and one project break.
pub(in crate::facade) fn rule_error(
    image: &ImageId,
    tenant: &TenantId,
    outcome: Outcome,
) -> (&'static str, String) {
    let (code, message) = outcome_error(outcome, &Task::Share).unwrap_or(("IMG.0105", "Not possible."));
    (code, format!("Image {image}, project {tenant}: {message}"))
}

/// What is said to an owner who would make a shared image another.
pub(in crate::facade) fn immutable_while_shared(id: &ImageId) -> String {
    format!(
        "Image {id} is shared, so its encryption, its being a full-ECS image, the sizes of its backups and its formats cannot change. Unshare it first."
    )
}

/// Refuses a request for a project that the credential does not act for.
pub(super) fn wrong_project(acting: &TenantId, named: &str) -> Error {
    let message = format!(
        "Your credential acts for project {acting}, not for {named}. Use a credential of that project."
    );
    Error::new(StatusCode::FORBIDDEN, "IMG.0026", message)
}

/// Refuses names that lead to no tenant; `named` says where they stand.
pub(in crate::facade) fn unresolved_names(status: StatusCode, named: &str, problem: ResolveError) -> Error {
    let (code, message) = match problem {
        ResolveError::Unknown => (
            "IMG.0108",
            "there is no such account or project. Check both names, letter by letter, or give the project's id.",
        ),
        ResolveError::Ambiguous => {
            ("IMG.0104", "the account has several projects in this region. Give the project's name as well.")
        }
        ResolveError::OtherRegion => (
            "IMG.0177",
            "whoever has these names is in another region. Images are shared within a region only.",
        ),
    };
    Error::new(status, code, format!("{named}: {message}"))
}

/// Refuses a request that came with a body, where none is looked at.
pub(in crate::facade) fn ensure_no_body(call: &AuthenticatedRequest) -> Result<(), Error> {
    if call.body().is_empty() { Ok(()) } else { Err(Error::bad_request("IMG.0001", UNEXPECTED_BODY)) }
}

/// Says which array is too long.
pub(super) fn too_many_items(field: &str, given: usize) -> Error {
    Error::bad_request(
        "IMG.0001",
        format!("{field}: expected at most {MAX_NAMES_PER_BATCH}, got {given}. Send several requests."),
    )
}

/// Begins a text with a capital and ends it with a full stop.
pub(in crate::facade) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let mut sentence: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    let _ = write!(sentence, "{}.", letters.as_str());
    sentence
}
