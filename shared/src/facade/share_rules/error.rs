//! The one table from errors of share rules to codes of IMS.

use std::time::Duration;

use http::StatusCode;

use crate::domain::{NotShared, RuleProblem, RuleProblemKind, ShareRequestError};
use crate::http::ApiError;
use crate::usecases::share_rules::ShareRuleError;
use crate::usecases::{ExceededLimit, UseCaseError};

impl From<ShareRuleError> for ApiError {
    fn from(error: ShareRuleError) -> Self {
        match error {
            ShareRuleError::NotFound(name) => Self::new(
                StatusCode::NOT_FOUND,
                "IMG.0086",
                format!(
                    "Your project has no share rule {name}. Create it first: PUT /v1/share-rules/{name}."
                ),
            ),
            ShareRuleError::TooMany(most) => Self::bad_request(
                "IMG.0088",
                format!("Your project has {most} share rules, the most allowed. Delete one first."),
            ),
            ShareRuleError::ForeignOrganization(organization) => Self::bad_request(
                "IMG.0108",
                format!(
                    "recipients.organizations: your project is not a member of {organization}. Name the organization of your project, which an admin enters in the directory, or name accounts or projects."
                ),
            ),
            ShareRuleError::Conflict(name) => Self::new(
                StatusCode::CONFLICT,
                "IMG.0046",
                format!("Share rule {name} is being changed by others. Try again."),
            ),
            ShareRuleError::UseCase(error) => error.into(),
        }
    }
}

/// The error of what a rule could not do: that of the request that would have done it.
pub(super) fn problem_error(problem: &RuleProblem) -> ApiError {
    let image = problem.image.clone();
    let error = match problem.kind.clone() {
        RuleProblemKind::NotShared { visibility } => {
            ShareRequestError::from(NotShared { image, visibility }).into()
        }
        RuleProblemKind::ProjectNameAsId { named, tenant } => UseCaseError::ProjectNameAsId { named, tenant },
        RuleProblemKind::QueueFull { max_pairs } => UseCaseError::TooManyRequests {
            retry_after: Duration::ZERO,
            excess: ExceededLimit::OpenJobs { max_pairs },
        },
        RuleProblemKind::Refused => UseCaseError::Conflict(image),
    };
    error.into()
}
