//! Every variant of every error of the use cases and of authentication, as each facade words it.

use std::time::Duration;

use imageshare::TooManyWaiting;
use imageshare::auth::signature::SignatureError;
use imageshare::auth::{Algorithm, AuthError, CredentialError};
use imageshare::domain::{
    BadDetail, Denied, ImageId, Limits, NotShared, Outcome, ResolveError, Role, ShareRequestError, Status,
    TenantId, UnknownValue, Visibility,
};
use imageshare::facade::{alibaba, glance};
use imageshare::function::HttpFunction;
use imageshare::http::{ApiError, IncomingRequest};
use imageshare::store::StoreError;
use imageshare::table::StorageFault;
use imageshare::usecases::share_rules::ShareRuleError;
use imageshare::usecases::{
    AccessKeyError, DirectoryError, ExceededLimit, KeyGrantError, MessageError, OwnerPolicyError,
    UseCaseError, VaultError,
};
use imageshare_tests::api::ApiResponse;
use imageshare_tests::deployment::authenticator;
use imageshare_tests::events::HttpEvent;
use imageshare_tests::local_service::{LocalService, tenant};
use lambda_http::request;

use super::{Case, Section};

/// The values of an enum, at least one for each of its variants. Does not compile while a variant has no value.
macro_rules! every {
    ($kind:ident { $($variant:ident $({ $($fields:tt)* })? $(( $($tuple:tt)* ))? => $($value:expr),+);+ $(;)? }) => {{
        #[expect(dead_code, reason = "only its exhaustive match is of use")]
        fn covers(value: &$kind) {
            match value {
                $($kind::$variant $({ $($fields)* })? $(( $($tuple)* ))? => {})+
            }
        }
        [$($($value),+),+]
    }};
}

fn image() -> ImageId {
    "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa".parse().unwrap()
}

fn member() -> TenantId {
    tenant("mem1")
}

fn store_errors() -> Vec<StoreError> {
    let storage = every!(StorageFault {
        Full => StorageFault::Full;
        Damaged => StorageFault::Damaged;
        Missing => StorageFault::Missing;
        Failing => StorageFault::Failing;
    });
    let others = every!(StoreError {
        Unavailable(_) => StoreError::Unavailable("detail".to_owned());
        InDoubt(_) => StoreError::InDoubt("detail".to_owned());
        Storage { .. } => StoreError::Storage { fault: StorageFault::Full, detail: "detail".to_owned() };
        Refused(_) => StoreError::Refused("detail".to_owned());
        Unreadable(_) => StoreError::Unreadable("attribute");
    });
    let storage = storage.into_iter().map(|fault| StoreError::Storage { fault, detail: "detail".to_owned() });
    let others = others.into_iter().filter(|error| !matches!(error, StoreError::Storage { .. }));
    others.chain(storage).collect()
}

fn outcomes() -> Vec<Outcome> {
    every!(Outcome {
        Done => Outcome::Done;
        ImageDeleted => Outcome::ImageDeleted;
        NotShareable => Outcome::NotShareable;
        MemberLimit => Outcome::MemberLimit;
        NotAMember => Outcome::NotAMember;
        DefaultKey => Outcome::DefaultKey;
        KeyNotGranted => Outcome::KeyNotGranted;
        NotFromBackup => Outcome::NotFromBackup;
        UnknownTenant => Outcome::UnknownTenant;
        OtherRegion => Outcome::OtherRegion;
        PendingLimit => Outcome::PendingLimit;
        OwnerPendingLimit => Outcome::OwnerPendingLimit;
        OwnerBlocked => Outcome::OwnerBlocked;
        Superseded => Outcome::Superseded;
        NoVault => Outcome::NoVault;
        NotABackupVault => Outcome::NotABackupVault;
        VaultUnavailable => Outcome::VaultUnavailable;
        VaultFull => Outcome::VaultFull;
        RetriesExhausted => Outcome::RetriesExhausted;
    })
    .to_vec()
}

fn not_shared(visibility: Visibility) -> NotShared {
    NotShared { image: image(), visibility }
}

fn denials() -> Vec<Denied> {
    every!(Denied {
        ReadOnly => Denied::ReadOnly;
        AdminOnly(_) => Denied::AdminOnly(Role::Member);
        ProjectMismatch { .. } => Denied::ProjectMismatch { acting: member(), named: tenant("own1") };
        ImageNotFound(_) => Denied::ImageNotFound(image());
        NotOwner(_) => Denied::NotOwner(image());
        NotShared(_) => not_shared(Visibility::Private).into(), not_shared(Visibility::Public).into();
        JobNotFound => Denied::JobNotFound;
        MemberNotFound { .. } => Denied::MemberNotFound { image: image(), tenant: member() };
    })
    .into()
}

fn share_request_errors() -> Vec<ShareRequestError> {
    every!(ShareRequestError {
        NotShared(_) => not_shared(Visibility::Private).into(), not_shared(Visibility::Public).into();
        Encrypted(_) => ShareRequestError::Encrypted(image());
        SelfShare(_) => ShareRequestError::SelfShare(tenant("own1"));
    })
    .into()
}

fn use_case_errors() -> Vec<UseCaseError> {
    let unresolved = |problem| UseCaseError::Unresolved { place: 0, problem };
    let too_many = |excess| UseCaseError::TooManyRequests { retry_after: Duration::from_secs(1), excess };
    let limits = every!(ExceededLimit {
        ReadUnits { .. } => ExceededLimit::ReadUnits { per_second: 100 };
        OpenJobs { .. } => ExceededLimit::OpenJobs { max_pairs: 100_000 };
    });
    let names = every!(ResolveError {
        Unknown => ResolveError::Unknown;
        Ambiguous => ResolveError::Ambiguous;
        OtherRegion => ResolveError::OtherRegion;
    });
    let one_each = every!(UseCaseError {
        Denied(_) => UseCaseError::Denied(Denied::ReadOnly);
        ShareRequest(_) => UseCaseError::ShareRequest(ShareRequestError::Encrypted(image()));
        Unresolved { .. } => unresolved(ResolveError::Unknown);
        ProjectNameAsId { .. } => UseCaseError::ProjectNameAsId { named: tenant("web"), tenant: member() };
        MemberExists { .. } => UseCaseError::MemberExists { image: image(), tenant: member() };
        MemberLimit { .. } => UseCaseError::MemberLimit { image: image(), members: 256, most: 256 };
        RuleViolation { .. } => violation(Outcome::NoVault);
        SharedImageImmutable(_) => UseCaseError::SharedImageImmutable(image());
        FormatImmutable { .. } => UseCaseError::FormatImmutable { image: image(), field: "disk_format" };
        InvalidStatus(_) => UseCaseError::InvalidStatus(UnknownValue(Status::EXPECTED));
        IdempotencyKeyReused => UseCaseError::IdempotencyKeyReused;
        IdTaken(_) => UseCaseError::IdTaken(image());
        TooManyImages(_) => UseCaseError::TooManyImages(1000);
        Protected(_) => UseCaseError::Protected(image());
        Stale(_) => UseCaseError::Stale(image());
        StillShared { .. } => UseCaseError::StillShared { image: image(), members: 3 };
        InvalidDetail(_) => UseCaseError::InvalidDetail(BadDetail { field: "name".to_owned(), expected: "a text" });
        InProgress(_) => UseCaseError::InProgress(image());
        Conflict(_) => UseCaseError::Conflict(image());
        MarkerNotFound => UseCaseError::MarkerNotFound;
        TooManyToSort(_) => UseCaseError::TooManyToSort(10_000);
        ScanLimitReached { .. } => UseCaseError::ScanLimitReached { examined: 10_000, next: None };
        TooManyRequests { .. } => too_many(limits[0]);
        Store(_) => UseCaseError::Store(StoreError::Unreadable("attribute"));
    });
    let is_of_a_list = |error: &UseCaseError| {
        matches!(
            error,
            UseCaseError::Denied(_)
                | UseCaseError::ShareRequest(_)
                | UseCaseError::Unresolved { .. }
                | UseCaseError::RuleViolation { .. }
                | UseCaseError::TooManyRequests { .. }
                | UseCaseError::Store(_)
        )
    };
    let mut errors: Vec<_> = denials().into_iter().map(UseCaseError::Denied).collect();
    errors.extend(share_request_errors().into_iter().map(UseCaseError::ShareRequest));
    errors.extend(one_each.into_iter().filter(|error| !is_of_a_list(error)));
    errors.extend(names.map(unresolved));
    errors.extend(outcomes().into_iter().map(violation));
    errors.extend(limits.map(too_many));
    errors.extend(store_errors().into_iter().map(UseCaseError::Store));
    errors
}

fn violation(outcome: Outcome) -> UseCaseError {
    UseCaseError::RuleViolation { image: image(), tenant: member(), outcome }
}

fn auth_errors() -> Vec<AuthError> {
    let signatures = every!(SignatureError {
        Incomplete(_) => SignatureError::Incomplete("one header Authorization");
        UnsupportedAlgorithm { .. } => SignatureError::UnsupportedAlgorithm { accepted: "SDK-HMAC-SHA256" };
        HeaderNotSigned(_) => SignatureError::HeaderNotSigned("host".to_owned());
        HeaderMissing(_) => SignatureError::HeaderMissing("host".to_owned());
        InvalidDate(_) => SignatureError::InvalidDate("X-Sdk-Date: 20261121T225355Z");
        Expired => SignatureError::Expired;
        BodyMismatch => SignatureError::BodyMismatch;
        UnsignedBody => SignatureError::UnsignedBody;
        UnknownKey => SignatureError::UnknownKey;
        SignatureMismatch => SignatureError::SignatureMismatch;
        DisabledKey => SignatureError::DisabledKey;
        ExpiredKey => SignatureError::ExpiredKey;
        RetiredMasterKey => SignatureError::RetiredMasterKey;
        ProjectMismatch { .. } => SignatureError::ProjectMismatch { acting: tenant("own1") };
        NonceReused => SignatureError::NonceReused;
    });
    let claim = CredentialError::InvalidClaim { claim: "exp".to_owned(), expected: "a number" };
    let credentials = every!(CredentialError {
        Missing => CredentialError::Missing;
        UnknownScheme => CredentialError::UnknownScheme;
        Ambiguous => CredentialError::Ambiguous;
        TooLong => CredentialError::TooLong;
        Malformed => CredentialError::Malformed;
        UnknownAlgorithm => CredentialError::UnknownAlgorithm;
        WrongAlgorithm(_) => CredentialError::WrongAlgorithm(Algorithm::Rs256);
        UnknownKey => CredentialError::UnknownKey;
        MissingKeyId => CredentialError::MissingKeyId;
        InvalidSignature => CredentialError::InvalidSignature;
        InvalidClaim { .. } => claim;
        Expired => CredentialError::Expired;
        NotYetValid => CredentialError::NotYetValid;
        WrongIssuer => CredentialError::WrongIssuer;
        WrongAudience => CredentialError::WrongAudience;
        NoRole => CredentialError::NoRole;
        UnknownToken => CredentialError::UnknownToken;
        KeyDisabled => CredentialError::KeyDisabled;
        KeyExpired => CredentialError::KeyExpired;
        Revoked => CredentialError::Revoked;
        NotRevocable => CredentialError::NotRevocable;
        NoProject => CredentialError::NoProject;
        AccessRulesDenied => CredentialError::AccessRulesDenied;
        Signature(_) => CredentialError::Signature(SignatureError::Expired);
    });
    let credentials = credentials.into_iter().filter(|error| !matches!(error, CredentialError::Signature(_)));
    let credentials = credentials.chain(signatures.map(CredentialError::Signature));
    let others = every!(AuthError {
        Credential(_) => AuthError::Credential(CredentialError::Missing);
        Store(_) => AuthError::Store(StoreError::Unavailable("detail".to_owned()));
        IssuerUnavailable(_) => AuthError::IssuerUnavailable("detail".to_owned());
    });
    let others = others.into_iter().filter(|error| !matches!(error, AuthError::Credential(_)));
    credentials.map(AuthError::Credential).chain(others).collect()
}

fn access_key_errors() -> Vec<AccessKeyError> {
    every!(AccessKeyError {
        Denied(_) => AccessKeyError::Denied(Denied::ReadOnly);
        RoleExceedsCaller(_) => AccessKeyError::RoleExceedsCaller(Role::Admin);
        KeyRoleExceedsCaller(_) => AccessKeyError::KeyRoleExceedsCaller(Role::Admin);
        InvalidExpiry => AccessKeyError::InvalidExpiry;
        KeyLimit(_) => AccessKeyError::KeyLimit(100);
        NotFound => AccessKeyError::NotFound;
        NoMasterKey => AccessKeyError::NoMasterKey;
        IdempotencyKeyReused => AccessKeyError::IdempotencyKeyReused;
        Store(_) => AccessKeyError::Store(StoreError::Unreadable("attribute"));
    })
    .into()
}

fn key_grant_errors() -> Vec<KeyGrantError> {
    every!(KeyGrantError {
        Denied(_) => KeyGrantError::Denied(Denied::ReadOnly);
        OwnerIsRecipient(_) => KeyGrantError::OwnerIsRecipient(tenant("own1"));
        NotFound(_) => KeyGrantError::NotFound(member());
        UseCase(_) => KeyGrantError::UseCase(UseCaseError::MarkerNotFound);
    })
    .into()
}

fn vault_errors() -> Vec<VaultError> {
    let vault = || "vault-1".parse().unwrap();
    every!(VaultError {
        Denied(_) => VaultError::Denied(Denied::ReadOnly);
        NotFound(_) => VaultError::NotFound(vault());
        InUse(_) => VaultError::InUse(vault());
        Store(_) => VaultError::Store(StoreError::Unreadable("attribute"));
    })
    .into()
}

fn owner_policy_errors() -> Vec<OwnerPolicyError> {
    every!(OwnerPolicyError {
        Denied(_) => OwnerPolicyError::Denied(Denied::ReadOnly);
        OwnProject(_) => OwnerPolicyError::OwnProject(member());
        NoVault(_) => OwnerPolicyError::NoVault("vault-1".parse().unwrap());
        LimitReached(_) => OwnerPolicyError::LimitReached(1000);
        NotFound(_) => OwnerPolicyError::NotFound(tenant("own1"));
        Store(_) => OwnerPolicyError::Store(StoreError::Unreadable("attribute"));
    })
    .into()
}

fn message_errors() -> Vec<MessageError> {
    every!(MessageError {
        Denied(_) => MessageError::Denied(Denied::ReadOnly);
        NotFound => MessageError::NotFound;
        CannotWait => MessageError::CannotWait;
        TooManyWaiting(_) => MessageError::TooManyWaiting(TooManyWaiting);
        Store(_) => MessageError::Store(StoreError::Unreadable("attribute"));
    })
    .into()
}

fn share_rule_errors() -> Vec<ShareRuleError> {
    let name = || "golden".parse().unwrap();
    every!(ShareRuleError {
        NotFound(_) => ShareRuleError::NotFound(name());
        TooMany(_) => ShareRuleError::TooMany(100);
        ForeignOrganization(_) => ShareRuleError::ForeignOrganization("o-1".parse().unwrap());
        Conflict(_) => ShareRuleError::Conflict(name());
        UseCase(_) => ShareRuleError::UseCase(UseCaseError::MarkerNotFound);
    })
    .into()
}

fn directory_errors() -> Vec<DirectoryError> {
    every!(DirectoryError {
        Denied(_) => DirectoryError::Denied(Denied::AdminOnly(Role::Member));
        NotFound(_) => DirectoryError::NotFound(member());
        NamesTaken(_) => DirectoryError::NamesTaken(member());
        CloudAccountTaken(_) => DirectoryError::CloudAccountTaken(member());
        Unresolved(_) => DirectoryError::Unresolved(ResolveError::Unknown);
        Conflict(_) => DirectoryError::Conflict(member());
        Store(_) => DirectoryError::Store(StoreError::Unreadable("attribute"));
    })
    .into()
}

/// The cases of one enum. A case has the name that Rust gives its value.
fn section<E: Clone + std::fmt::Debug>(
    title: &str,
    errors: &[E],
    word: impl Fn(E) -> ApiResponse,
) -> Section {
    let cases = errors.iter().map(|error| Case::new(format!("{error:?}"), &word(error.clone()))).collect();
    Section { title: title.to_owned(), cases }
}

/// All of them, facade by facade.
pub(super) fn sections() -> Vec<Section> {
    let alibaba = |error: alibaba::Error| error.into_response(&incoming_request(), None).into();
    let use_cases = use_case_errors();
    let auth = auth_errors();
    vec![
        section("ims, use cases", &use_cases, |error| ApiError::from(error).into_response().into()),
        section("ims, authentication", &auth, |error| ApiError::from(error).into_response().into()),
        section("registry, directory", &directory_errors(), |error| {
            ApiError::from(error).into_response().into()
        }),
        section("messages, use cases", &message_errors(), |error| {
            ApiError::from(error).into_response().into()
        }),
        section("registry, vaults", &vault_errors(), |error| ApiError::from(error).into_response().into()),
        section("registry, owners", &owner_policy_errors(), |error| {
            ApiError::from(error).into_response().into()
        }),
        section("registry, share rules", &share_rule_errors(), |error| {
            ApiError::from(error).into_response().into()
        }),
        section("registry, key grants", &key_grant_errors(), |error| {
            ApiError::from(error).into_response().into()
        }),
        section("glance, use cases", &use_cases, |error| glance::Error::from(error).into_response().into()),
        section("alibaba, use cases", &use_cases, |error| alibaba(error.into())),
        section("alibaba, authentication", &auth, |error| alibaba(error.into())),
        section("identity, access keys", &access_key_errors(), |error| {
            ApiError::from(error).into_response().into()
        }),
    ]
}

/// A request for Alibaba's envelope, which names the request.
fn incoming_request() -> IncomingRequest {
    let event = HttpEvent::new("GET /", "/").build().to_string();
    let app = LocalService::start(Limits::default()).service;
    HttpFunction::new(app, authenticator()).receive(request::from_str(&event).unwrap()).unwrap()
}
