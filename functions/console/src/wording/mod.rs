//! Errors and outcomes as sentences that say what to do. An error has its status as well.

mod errors;
mod jobs;

use http::StatusCode;
use imageshare::auth::AuthError;
use imageshare::domain::Denied;
use imageshare::http::RejectionReason;
use imageshare::store::StoreError;
use imageshare::usecases::share_rules::ShareRuleError;
use imageshare::usecases::{
    AccessKeyError, DirectoryError, KeyGrantError, MessageError, OwnerPolicyError, UseCaseError, VaultError,
};

pub(crate) use self::jobs::{count_of_done, count_of_failed, count_of_superseded, kind, outcome, status};
use crate::same_origin::ForeignOrigin;
use crate::texts::{Texts, fill};

/// Why a request gets no page, or its form is not carried out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// No page has the path, or the visitor may not see what it names.
    #[error("no such page")]
    NoSuchPage,
    /// The form was sent from elsewhere.
    #[error(transparent)]
    Foreign(#[from] ForeignOrigin),
    /// The query or the form cannot be decoded.
    #[error("the query or the form cannot be decoded")]
    MalformedForm,
    /// The form needs a selection.
    #[error("no image is selected")]
    NothingSelected,
    /// The form takes fewer images.
    #[error("more than {most} images are selected")]
    TooManySelected {
        /// How many it takes.
        most: usize,
    },
    /// The form needs a selection of projects.
    #[error("no project is selected")]
    NoProjectSelected,
    /// Nothing of the job has failed.
    #[error("nothing of the job has failed")]
    NothingFailed,
    /// The gateway refused the request, with that status, or the console did not answer it.
    #[error("the gateway refused the request, or got no answer: {0}")]
    Gateway(StatusCode),
    /// The request was rejected before its page.
    #[error(transparent)]
    Rejected(RejectionReason),
    /// The use case refuses.
    #[error(transparent)]
    UseCase(#[from] UseCaseError),
    /// A use case of access keys refuses.
    #[error(transparent)]
    AccessKey(#[from] AccessKeyError),
    /// A use case of the directory refuses.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// A use case of key grants refuses.
    #[error(transparent)]
    KeyGrant(#[from] KeyGrantError),
    /// A use case of messages refuses.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// A use case of trusted and blocked owners refuses.
    #[error(transparent)]
    OwnerPolicy(#[from] OwnerPolicyError),
    /// A use case of share rules refuses.
    #[error(transparent)]
    ShareRule(#[from] ShareRuleError),
    /// A use case of vaults refuses.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

impl From<StoreError> for Refusal {
    fn from(problem: StoreError) -> Self {
        Self::UseCase(problem.into())
    }
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        Self::UseCase(denied.into())
    }
}

impl Refusal {
    /// The status of the response, and the sentence for the visitor.
    pub(crate) fn describe(&self, texts: &'static Texts) -> (StatusCode, String) {
        use StatusCode as S;
        let fixed = |status, text: &str| (status, text.to_owned());
        match self {
            Self::NoSuchPage => fixed(S::NOT_FOUND, texts.not_found),
            Self::Foreign(_) => fixed(S::FORBIDDEN, texts.foreign_form),
            Self::MalformedForm => fixed(S::BAD_REQUEST, texts.malformed_form),
            Self::NothingSelected => fixed(S::BAD_REQUEST, texts.select_images),
            Self::TooManySelected { most } => {
                (S::BAD_REQUEST, fill(texts.too_many_images, &[("most", &most.to_string())]))
            }
            Self::NoProjectSelected => fixed(S::BAD_REQUEST, texts.own.select_projects),
            Self::NothingFailed => fixed(S::CONFLICT, texts.jobs.nothing_failed),
            Self::Gateway(status) => (*status, gateway_text(*status, texts).to_owned()),
            Self::Rejected(reason) => describe_rejection(reason, texts),
            Self::UseCase(error) => errors::use_case(error, texts),
            Self::AccessKey(error) => errors::access_key(error, texts),
            Self::Directory(error) => errors::directory(error, texts),
            Self::KeyGrant(error) => errors::key_grant(error, texts),
            Self::Message(error) => errors::message(error, texts),
            Self::OwnerPolicy(error) => errors::owner_policy(error, texts),
            Self::ShareRule(error) => errors::share_rule(error, texts),
            Self::Vault(error) => errors::vault(error, texts),
        }
    }
}

/// The sentence for a request that has got no further than the gateway, or no answer from behind it.
fn gateway_text(status: StatusCode, texts: &'static Texts) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST => texts.malformed_form,
        StatusCode::REQUEST_TIMEOUT => texts.form_late,
        StatusCode::PAYLOAD_TOO_LARGE => texts.too_large,
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => texts.long_headers,
        StatusCode::SERVICE_UNAVAILABLE => texts.busy,
        StatusCode::GATEWAY_TIMEOUT => texts.in_doubt,
        _ => texts.failed,
    }
}

fn describe_rejection(reason: &RejectionReason, texts: &'static Texts) -> (StatusCode, String) {
    use StatusCode as S;
    let (status, text) = match reason {
        RejectionReason::UseCase(error) => return errors::use_case(error, texts),
        RejectionReason::Auth(AuthError::Store(problem)) => return errors::store(problem, texts),
        RejectionReason::BodyTooLarge(_) => (S::PAYLOAD_TOO_LARGE, texts.too_large),
        RejectionReason::Unready(_) => (S::SERVICE_UNAVAILABLE, texts.not_ready),
        RejectionReason::Auth(AuthError::Credential(_)) => (S::UNAUTHORIZED, texts.sign_in_failed),
        RejectionReason::Auth(AuthError::IssuerUnavailable(_)) => (S::SERVICE_UNAVAILABLE, texts.unavailable),
    };
    (status, text.to_owned())
}
