//! Errors as sentences that say what to do, each with its status.

use http::StatusCode;
use imageshare::auth::AuthError;
use imageshare::domain::Denied;
use imageshare::http::{ApiError, RejectionReason};
use imageshare::store::StoreError;
use imageshare::usecases::UseCaseError;

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
    /// The request was rejected before its page.
    #[error(transparent)]
    Rejected(RejectionReason),
    /// The use case refuses.
    #[error(transparent)]
    UseCase(#[from] UseCaseError),
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
        match self {
            Self::NoSuchPage => (S::NOT_FOUND, texts.not_found.to_owned()),
            Self::Foreign(_) => (S::FORBIDDEN, texts.foreign_form.to_owned()),
            Self::MalformedForm => (S::BAD_REQUEST, texts.malformed_form.to_owned()),
            Self::NothingSelected => (S::BAD_REQUEST, texts.select_images.to_owned()),
            Self::TooManySelected { most } => {
                (S::BAD_REQUEST, fill(texts.too_many_images, &[("most", &most.to_string())]))
            }
            Self::Rejected(RejectionReason::UseCase(error)) | Self::UseCase(error) => {
                of_use_case(error, texts)
            }
            Self::Rejected(RejectionReason::BodyTooLarge(_)) => {
                (S::PAYLOAD_TOO_LARGE, texts.too_large.to_owned())
            }
            Self::Rejected(RejectionReason::Unready(_)) => {
                (S::SERVICE_UNAVAILABLE, texts.not_ready.to_owned())
            }
            Self::Rejected(RejectionReason::Auth(AuthError::Credential(_))) => {
                (S::UNAUTHORIZED, texts.sign_in_failed.to_owned())
            }
            Self::Rejected(RejectionReason::Auth(_)) => {
                (S::SERVICE_UNAVAILABLE, texts.unavailable.to_owned())
            }
        }
    }
}

fn of_use_case(error: &UseCaseError, texts: &'static Texts) -> (StatusCode, String) {
    let error = ApiError::from(error.clone());
    let _ = texts;
    (error.status, error.message)
}
