//! The table from the errors of the use cases to a status and a sentence. It names fields as the pages do, not as the APIs.

use http::StatusCode;
use imageshare::domain::{
    BadDetail, Denied, ImageId, MAX_ACCESS_KEY_LIFETIME, NotShared, ResolveError, ShareRequestError,
};
use imageshare::store::StoreError;
use imageshare::usecases::share_rules::ShareRuleError;
use imageshare::usecases::{
    AccessKeyError, DirectoryError, ExceededLimit, KeyGrantError, MessageError, OwnerPolicyError,
    UseCaseError, VaultError,
};

use crate::texts::{Texts, fill};
use crate::wording::jobs;

/// A status, and the sentence for the visitor.
type Description = (StatusCode, String);

const NOT_FOUND: StatusCode = StatusCode::NOT_FOUND;
const FORBIDDEN: StatusCode = StatusCode::FORBIDDEN;
const CONFLICT: StatusCode = StatusCode::CONFLICT;
const INVALID: StatusCode = StatusCode::BAD_REQUEST;

/// A text without places.
fn fixed(status: StatusCode, text: &str) -> Description {
    (status, text.to_owned())
}

/// A text with one place.
fn with(status: StatusCode, text: &str, name: &str, value: impl ToString) -> Description {
    (status, fill(text, &[(name, &value.to_string())]))
}

/// A text with places.
fn filled(status: StatusCode, text: &str, values: &[(&str, &dyn ToString)]) -> Description {
    let values: Vec<_> = values.iter().map(|(name, value)| (*name, value.to_string())).collect();
    let values: Vec<_> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    (status, fill(text, &values))
}

/// The errors that use cases share.
pub(super) fn use_case(error: &UseCaseError, texts: &'static Texts) -> Description {
    use UseCaseError as E;
    let t = &texts.errors;
    match error {
        E::Denied(denied) => self::denied(denied, texts),
        E::ShareRequest(ShareRequestError::NotShared(problem)) => not_shared(problem, texts),
        E::ShareRequest(ShareRequestError::Encrypted(image)) => with(CONFLICT, t.encrypted, "image", image),
        E::ShareRequest(ShareRequestError::SelfShare(tenant)) => {
            with(INVALID, t.self_share, "project", tenant)
        }
        E::Unresolved { problem, .. } => fixed(INVALID, unresolved(*problem, texts)),
        E::ProjectNameAsId { named, tenant } => {
            filled(INVALID, t.name_as_id, &[("named", named), ("project", tenant)])
        }
        E::MemberExists { image, tenant } => {
            filled(CONFLICT, t.member_exists, &[("image", image), ("project", tenant)])
        }
        E::MemberLimit { image, most, .. } => {
            filled(CONFLICT, t.member_limit, &[("image", image), ("most", most)])
        }
        E::RuleViolation { image, tenant, outcome } => {
            let problem = jobs::outcome(*outcome, texts);
            let places: [(&str, &dyn ToString); 3] =
                [("image", image), ("project", tenant), ("problem", &problem)];
            filled(CONFLICT, t.rule_violation, &places)
        }
        E::SharedImageImmutable(image) => with(CONFLICT, t.shared_immutable, "image", image),
        E::FormatImmutable { image, .. } => with(CONFLICT, t.format_immutable, "image", image),
        E::InvalidStatus(_) => fixed(INVALID, t.invalid_status),
        E::IdempotencyKeyReused => fixed(CONFLICT, t.form_key_used),
        E::IdTaken(image) => with(CONFLICT, t.id_taken, "image", image),
        E::TooManyImages(most) => with(CONFLICT, t.too_many_images, "most", most),
        E::Protected(image) => with(CONFLICT, t.protected, "image", image),
        E::Stale(image) => with(CONFLICT, t.stale, "image", image),
        E::StillShared { image, members } => still_shared(image, *members, texts),
        E::InvalidDetail(problem) => invalid_detail(problem, texts),
        E::InProgress(image) => with(StatusCode::SERVICE_UNAVAILABLE, t.in_progress, "image", image),
        E::Conflict(image) => with(CONFLICT, t.conflict, "thing", image),
        E::MarkerNotFound => fixed(INVALID, t.marker_not_found),
        E::TooManyToSort(most) => with(INVALID, t.too_many_to_sort, "most", most),
        E::ScanLimitReached { examined, .. } => with(INVALID, t.scan_limit, "count", examined),
        E::TooManyRequests { retry_after, excess } => match excess {
            ExceededLimit::ReadUnits { .. } => {
                with(StatusCode::TOO_MANY_REQUESTS, t.too_many_reads, "seconds", retry_after.as_secs().max(1))
            }
            ExceededLimit::OpenJobs { .. } => fixed(StatusCode::TOO_MANY_REQUESTS, t.too_many_jobs),
        },
        E::Store(problem) => store(problem, texts),
    }
}

fn denied(denied: &Denied, texts: &'static Texts) -> Description {
    let t = &texts.errors;
    match denied {
        Denied::ImageNotFound(image) => with(NOT_FOUND, t.image_not_found, "image", image),
        Denied::NotShared(problem) => not_shared(problem, texts),
        Denied::MemberNotFound { image, tenant } => {
            filled(NOT_FOUND, t.member_not_found, &[("image", image), ("project", tenant)])
        }
        Denied::NotOwner(image) => with(FORBIDDEN, t.not_owner, "image", image),
        Denied::ReadOnly => fixed(FORBIDDEN, t.read_only),
        Denied::ProjectMismatch { acting, named } => {
            filled(FORBIDDEN, t.wrong_project, &[("acting", acting), ("named", named)])
        }
        Denied::AdminOnly(_) => fixed(FORBIDDEN, t.admin_only),
        Denied::JobNotFound => fixed(NOT_FOUND, t.job_not_found),
    }
}

fn not_shared(NotShared { image, visibility }: &NotShared, texts: &'static Texts) -> Description {
    if visibility.is_visible_to_all() {
        return with(CONFLICT, texts.errors.image_public, "image", image);
    }
    filled(CONFLICT, texts.errors.image_not_shared, &[("image", image), ("visibility", visibility)])
}

/// The sentence for names that do not resolve to a project.
fn unresolved(problem: ResolveError, texts: &'static Texts) -> &'static str {
    match problem {
        ResolveError::Unknown => texts.errors.name_unknown,
        ResolveError::Ambiguous => texts.errors.name_ambiguous,
        ResolveError::OtherRegion => texts.errors.name_other_region,
    }
}

fn still_shared(image: &ImageId, members: u32, texts: &'static Texts) -> Description {
    let t = &texts.errors;
    let text = if members == 1 { t.still_shared_one } else { t.still_shared_many };
    filled(CONFLICT, text, &[("count", &members), ("image", image)])
}

fn invalid_detail(problem: &BadDetail, texts: &'static Texts) -> Description {
    let field = if problem.field == "name" { texts.name } else { &problem.field };
    filled(INVALID, texts.errors.invalid_detail, &[("field", &field), ("expected", &problem.expected)])
}

/// The errors of the table.
pub(super) fn store(problem: &StoreError, texts: &'static Texts) -> Description {
    tracing::error!(%problem, "the table failed");
    match problem {
        StoreError::Unavailable(_) => fixed(StatusCode::SERVICE_UNAVAILABLE, texts.unavailable),
        StoreError::InDoubt(_) => fixed(StatusCode::SERVICE_UNAVAILABLE, texts.in_doubt),
        StoreError::Storage { .. } => fixed(StatusCode::INTERNAL_SERVER_ERROR, texts.errors.storage_failed),
        StoreError::Refused(_) | StoreError::Unreadable(_) => {
            fixed(StatusCode::INTERNAL_SERVER_ERROR, texts.failed)
        }
    }
}

/// The errors of vaults.
pub(super) fn vault(error: &VaultError, texts: &'static Texts) -> Description {
    match error {
        VaultError::Denied(denied) => self::denied(denied, texts),
        VaultError::NotFound(vault) => with(NOT_FOUND, texts.errors.vault_not_found, "vault", vault),
        VaultError::InUse(vault) => with(CONFLICT, texts.errors.vault_in_use, "vault", vault),
        VaultError::Store(problem) => store(problem, texts),
    }
}

/// The errors of key grants.
pub(super) fn key_grant(error: &KeyGrantError, texts: &'static Texts) -> Description {
    match error {
        KeyGrantError::Denied(denied) => self::denied(denied, texts),
        KeyGrantError::OwnerIsRecipient(tenant) => {
            with(INVALID, texts.errors.grant_to_owner, "project", tenant)
        }
        KeyGrantError::NotFound(tenant) => with(NOT_FOUND, texts.errors.grant_not_found, "project", tenant),
        KeyGrantError::UseCase(error) => use_case(error, texts),
    }
}

/// The errors of trusted and blocked owners.
pub(super) fn owner_policy(error: &OwnerPolicyError, texts: &'static Texts) -> Description {
    let t = &texts.errors;
    match error {
        OwnerPolicyError::Denied(denied) => self::denied(denied, texts),
        OwnerPolicyError::OwnProject(tenant) => with(INVALID, t.policy_on_own_project, "project", tenant),
        OwnerPolicyError::NoVault(vault) => with(INVALID, t.vault_not_found, "vault", vault),
        OwnerPolicyError::LimitReached(most) => with(CONFLICT, t.too_many_policies, "most", most),
        OwnerPolicyError::NotFound(tenant) => with(NOT_FOUND, t.policy_not_found, "project", tenant),
        OwnerPolicyError::Store(problem) => store(problem, texts),
    }
}

/// The errors of messages.
pub(super) fn message(error: &MessageError, texts: &'static Texts) -> Description {
    match error {
        MessageError::Denied(denied) => self::denied(denied, texts),
        MessageError::NotFound => fixed(NOT_FOUND, texts.errors.message_not_found),
        MessageError::CannotWait | MessageError::TooManyWaiting(_) => {
            fixed(StatusCode::SERVICE_UNAVAILABLE, texts.errors.cannot_wait)
        }
        MessageError::Store(problem) => store(problem, texts),
    }
}

/// The errors of share rules.
pub(super) fn share_rule(error: &ShareRuleError, texts: &'static Texts) -> Description {
    let t = &texts.errors;
    match error {
        ShareRuleError::NotFound(rule) => with(NOT_FOUND, t.rule_not_found, "rule", rule),
        ShareRuleError::TooMany(most) => with(CONFLICT, t.too_many_rules, "most", most),
        ShareRuleError::ForeignOrganization(organization) => {
            with(INVALID, t.foreign_organization, "organization", organization)
        }
        ShareRuleError::Conflict(rule) => with(CONFLICT, t.conflict, "thing", rule),
        ShareRuleError::UseCase(error) => use_case(error, texts),
    }
}

/// The errors of access keys.
pub(super) fn access_key(error: &AccessKeyError, texts: &'static Texts) -> Description {
    let t = &texts.errors;
    match error {
        AccessKeyError::Denied(denied) => self::denied(denied, texts),
        AccessKeyError::RoleExceedsCaller(role) => {
            with(FORBIDDEN, t.key_role_too_high, "role", texts.role_name(*role))
        }
        AccessKeyError::KeyRoleExceedsCaller(role) => {
            with(FORBIDDEN, t.key_above_caller, "role", texts.role_name(*role))
        }
        AccessKeyError::InvalidExpiry => {
            with(INVALID, t.key_expiry, "days", MAX_ACCESS_KEY_LIFETIME.as_secs() / 86_400)
        }
        AccessKeyError::KeyLimit(most) => with(CONFLICT, t.too_many_keys, "most", most),
        AccessKeyError::NotFound => fixed(NOT_FOUND, t.key_not_found),
        AccessKeyError::NoMasterKey => fixed(StatusCode::SERVICE_UNAVAILABLE, t.no_master_key),
        AccessKeyError::IdempotencyKeyReused => fixed(CONFLICT, t.form_key_used),
        AccessKeyError::Store(problem) => store(problem, texts),
    }
}

/// The errors of the directory.
pub(super) fn directory(error: &DirectoryError, texts: &'static Texts) -> Description {
    let t = &texts.errors;
    match error {
        DirectoryError::Denied(denied) => self::denied(denied, texts),
        DirectoryError::NotFound(tenant) => with(NOT_FOUND, t.tenant_not_found, "project", tenant),
        DirectoryError::NamesTaken(tenant) => with(CONFLICT, t.names_taken, "project", tenant),
        DirectoryError::CloudAccountTaken(tenant) => with(CONFLICT, t.cloud_account_taken, "project", tenant),
        DirectoryError::Unresolved(problem) => fixed(INVALID, unresolved(*problem, texts)),
        DirectoryError::Conflict(tenant) => with(CONFLICT, t.conflict, "thing", tenant),
        DirectoryError::Store(problem) => store(problem, texts),
    }
}
