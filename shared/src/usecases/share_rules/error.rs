//! The errors of requests about share rules.

use crate::domain::{Denied, OrganizationId, ShareRuleName};
use crate::store::StoreError;
use crate::usecases::error::UseCaseError;

/// Why a request about share rules was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShareRuleError {
    /// The caller's project has no such rule.
    #[error("share rule {0} not found")]
    NotFound(ShareRuleName),
    /// The caller's project has the most share rules that it may have.
    #[error("at most {0} share rules")]
    TooMany(u32),
    /// The caller's project is not a member of an organization that the rule names.
    #[error("the project is not a member of organization {0}")]
    ForeignOrganization(OrganizationId),
    /// Other requests changed the rule in every attempt.
    #[error("share rule {0} is being changed by others")]
    Conflict(ShareRuleName),
    /// It was refused for a reason that other requests have, too.
    #[error(transparent)]
    UseCase(#[from] UseCaseError),
}

impl From<Denied> for ShareRuleError {
    fn from(denied: Denied) -> Self {
        UseCaseError::from(denied).into()
    }
}

impl From<StoreError> for ShareRuleError {
    fn from(problem: StoreError) -> Self {
        UseCaseError::from(problem).into()
    }
}
