//! How the service receives a request, as a call of its use case, and a work item, as a stream event.

use imageshare::App;
use imageshare::domain::{
    self, Caller, Details, Image, ImageId, JobId, PermissionChange, Protection, TenantId, VaultDetails,
    VaultId, VaultStatus,
};
use imageshare::store::{IdempotencyRequest, WorkItemKey};
use imageshare::table::AttributeValue;
use imageshare::usecases::share_rules::{Application, ShareRuleError};
use imageshare::usecases::{
    self, DryRun, KeyGrantError, NewImage, OwnerPolicyError, UseCaseError, VaultError,
};
use imageshare_tests::events::{stream_event, stream_record};
use imageshare_tests::local_service::{caller, tenant};
use serde_json::{Value, json};

use crate::history::{Decision, KEY, Policy, Request, vault_id};
use crate::state::{ImageKind, image_kind};

/// The result of a request.
#[derive(Debug)]
pub enum CallResult {
    Job(JobId),
    Done,
    Refused(UseCaseError),
    /// More is reserved of the vault than the request would leave.
    InUse,
    /// The policy names a vault that does not exist.
    MissingVault,
    /// An owner has applied a share rule.
    Applied(Result<Application, ShareRuleError>),
    /// The worker's response to the stream.
    WorkerResponse(Value),
}

/// Sends the stream event of a work item to job-worker. Returns the response.
pub async fn deliver_work_item(service: &App, work_item: WorkItemKey) -> Value {
    let key = work_item.primary_key().into_iter().map(|(name, value)| match value {
        AttributeValue::S(text) => (name, json!({"S": text})),
        _ => (name, Value::Null),
    });
    let event = stream_event(&[stream_record("INSERT", "1", &key.collect())]);
    job_worker::handle(service, event).await.expect("an event of the stream")
}

/// Sends the schedule's event to job-worker, which sweeps. Returns the response.
pub async fn run_sweep(service: &App) -> Value {
    job_worker::handle(service, json!({"source": "aws.events"})).await.expect("an event of the schedule")
}

/// Makes a request.
pub async fn call(service: &App, request: Request) -> CallResult {
    let remembered = request.key().map(|(by, key)| IdempotencyRequest {
        tenant: by.clone(),
        key_digest: key.to_string(),
        request_digest: request.digest(),
    });
    let job = |response: Result<JobId, UseCaseError>| response.map(CallResult::Job);
    let response = match request {
        Request::RegisterImage { owner, image, visibility } => {
            let new =
                NewImage { id: Some(image.clone()), owner: None, visibility, details: image_details(&image) };
            usecases::register_image(service, &caller(owner.as_str()), new, None)
                .await
                .map(|_| CallResult::Done)
        }
        Request::Share { by, images, to, .. } => {
            job(usecases::share(service, &caller(by.as_str()), images, to, remembered).await)
        }
        Request::Unshare { by, images, to, .. } => {
            job(usecases::unshare(service, &caller(by.as_str()), images, to, remembered).await)
        }
        Request::Respond { by, named, images, decision, .. } => {
            let by = caller(by.as_str());
            let decision = (decision.status, decision.vault.map(vault_id_of));
            job(usecases::respond(service, &by, named, images, decision, remembered).await)
        }
        Request::RespondToAll { by, named, decision, .. } => {
            job(respond_to_all(service, &caller(by.as_str()), named, decision, remembered).await)
        }
        Request::AddMember { by, image, to } => {
            usecases::add_member(service, &caller(by.as_str()), &image, &to, None)
                .await
                .map(|_| CallResult::Done)
        }
        Request::RemoveMember { by, image, to } => {
            usecases::remove_member(service, &caller(by.as_str()), &image, &to)
                .await
                .map(|()| CallResult::Done)
        }
        Request::Decide { by, image, named, decision } => {
            let by = caller(by.as_str());
            let decision = (Ok(decision.status), decision.vault.map(vault_id_of));
            usecases::decide_as_member(service, &by, &image, &named, decision).await.map(|_| CallResult::Done)
        }
        Request::ChangePermissions { by, image, add, remove } => {
            let change = PermissionChange::new(add, remove).expect("no tenant is named twice");
            let by = caller(by.as_str());
            usecases::change_permissions(service, &by, &image, &change, DryRun::Off)
                .await
                .map(|()| CallResult::Done)
        }
        Request::SetVisibility { by, image, visibility } => {
            let show = |image: &mut Image| {
                image.visibility = visibility;
                Ok::<_, UseCaseError>(())
            };
            usecases::update_image(service, &caller(by.as_str()), &image, show)
                .await
                .map(|_| CallResult::Done)
        }
        Request::DeleteImage { by, image } => {
            usecases::delete_image(service, &caller(by.as_str()), &image).await.map(|()| CallResult::Done)
        }
        Request::SetKeyGrant { by, to, is_granted } => {
            let (by, key) = (caller(by.as_str()), KEY.parse().expect("an id"));
            let response = if is_granted {
                usecases::grant_key(service, &by, key, to).await.map(|_| CallResult::Done)
            } else {
                usecases::revoke_key_grant(service, &by, key, to, 1).await.map(|_| CallResult::Done)
            };
            response.map_err(|refused| match refused {
                KeyGrantError::UseCase(refusal) => refusal,
                other => panic!("{other}"),
            })
        }
        Request::SetPolicy { by, owner, policy } => {
            set_policy(service, &caller(by.as_str()), owner, policy).await
        }
        Request::SetVault { by, vault: number, gib } => {
            let (by, id) = (caller(by.as_str()), vault_id_of(number));
            let response = match gib {
                None => usecases::delete_vault(service, &by, id).await,
                Some(gib) => usecases::put_vault(service, &by, id, &backup_vault(gib)).await.map(drop),
            };
            match response {
                Ok(()) => Ok(CallResult::Done),
                Err(VaultError::InUse(_)) => Ok(CallResult::InUse),
                Err(VaultError::Store(problem)) => Err(problem.into()),
                Err(other) => panic!("{other}"),
            }
        }
    };
    response.unwrap_or_else(CallResult::Refused)
}

/// Decides on everything that is pending, or on that of one owner.
async fn respond_to_all(
    service: &App,
    by: &Caller,
    named: TenantId,
    decision: Decision,
    remembered: Option<IdempotencyRequest>,
) -> Result<JobId, UseCaseError> {
    let owner = decision.owner;
    let decision = (decision.status, decision.vault.map(vault_id_of));
    match owner {
        None => usecases::respond_to_all(service, by, named, decision, remembered).await,
        Some(owner) => {
            let owners = [tenant(owner)].into();
            usecases::respond_to_owners(service, by, named, owners, decision, remembered).await
        }
    }
}

async fn set_policy(
    service: &App,
    by: &Caller,
    owner: TenantId,
    policy: Option<Policy>,
) -> Result<CallResult, UseCaseError> {
    let response = match policy {
        None => usecases::delete_owner_policy(service, by, owner).await,
        Some(policy) => usecases::put_owner_policy(service, by, owner, stored_policy(policy)).await.map(drop),
    };
    match response {
        Ok(()) => Ok(CallResult::Done),
        Err(OwnerPolicyError::NoVault(_)) => Ok(CallResult::MissingVault),
        Err(OwnerPolicyError::Store(problem)) => Err(problem.into()),
        Err(other) => panic!("{other}"),
    }
}

/// The id of a vault.
pub fn vault_id_of(number: u8) -> VaultId {
    vault_id(number).parse().expect("an id")
}

/// A policy as the service stores it.
pub fn stored_policy(policy: Policy) -> domain::Policy {
    match policy {
        Policy::Trusted { vault } => domain::Policy::Trusted { vault: vault.map(vault_id_of) },
        Policy::Blocked => domain::Policy::Blocked,
    }
}

fn backup_vault(capacity_gib: u32) -> VaultDetails {
    VaultDetails { protection: Protection::Backup, status: VaultStatus::Available, capacity_gib }
}

/// The properties of the image with this id.
pub fn image_details(image: &ImageId) -> Details {
    let properties = image_properties(image).into_iter().map(|(name, value)| (name.to_owned(), value));
    Details { properties: properties.collect(), ..Details::default() }
}

/// The property that makes the image with this id encrypted or full-ECS.
pub fn image_properties(image: &ImageId) -> Vec<(&'static str, String)> {
    match image_kind(image) {
        ImageKind::Plain => Vec::new(),
        ImageKind::Encrypted => vec![("__system__cmkid", KEY.to_owned())],
        ImageKind::FullEcs(gib) => vec![
            ("__whole_image", "true".to_owned()),
            ("__backup_id", "backup".to_owned()),
            ("__system_disk_backup_gib", gib.to_string()),
        ],
    }
}
