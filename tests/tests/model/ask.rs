//! How a request and a piece come to the service: as a call of the use case, and as an event of the stream.

use imageshare::Service;
use imageshare::domain::{
    Details, Image, ImageId, JobId, Permissions, Protection, VaultDetails, VaultId, VaultStatus,
};
use imageshare::store::{PieceKey, Remembered};
use imageshare::table::AttributeValue;
use imageshare::usecases::{self, Effect, GrantRefusal, NewImage, Refusal, VaultRefusal};
use imageshare_tests::events::{change, stream_event};
use imageshare_tests::service::caller;
use serde_json::{Value, json};

use crate::history::{KEY, Request, vault_id};
use crate::state::{Make, made_of};

/// What came of it.
#[derive(Debug)]
pub enum End {
    Job(JobId),
    Done,
    Refused(Refusal),
    /// Too much is reserved of the vault.
    InUse,
    /// The worker's answer to the stream.
    Worked(Value),
}

/// Tells job-worker of a piece, as the stream does. Returns its answer.
pub async fn delivered(service: &Service, piece: PieceKey) -> Value {
    let key = piece.table_key().into_iter().map(|(name, value)| match value {
        AttributeValue::S(text) => (name, json!({"S": text})),
        _ => (name, Value::Null),
    });
    let event = stream_event(&[change("INSERT", "1", &key.collect())]);
    job_worker::handle(service, event).await.expect("an event of the stream")
}

/// Lets job-worker look for work that was left lying, as the schedule does. Returns its answer.
pub async fn swept(service: &Service) -> Value {
    job_worker::handle(service, json!({"source": "aws.events"})).await.expect("an event of the schedule")
}

/// Asks the service for something.
pub async fn ask(service: &Service, request: Request) -> End {
    let remembered = request.key().map(|(by, key)| Remembered {
        tenant: by.clone(),
        key_digest: key.to_string(),
        request_digest: request.digest(),
    });
    let job = |answer: Result<JobId, Refusal>| answer.map(End::Job);
    let answer = match request {
        Request::Register { owner, image, visibility } => {
            let new = NewImage { id: Some(image.clone()), owner: None, visibility, details: details(&image) };
            usecases::register_image(service, &caller(owner.as_str()), new).await.map(|_| End::Done)
        }
        Request::Share { by, images, to, .. } => {
            job(usecases::share(service, &caller(by.as_str()), images, to, remembered).await)
        }
        Request::Unshare { by, images, to, .. } => {
            job(usecases::unshare(service, &caller(by.as_str()), images, to, remembered).await)
        }
        Request::Respond { by, named, images, says, .. } => {
            let by = caller(by.as_str());
            let says = (says.status, says.vault.map(vault));
            job(usecases::respond(service, &by, named, images, says, remembered).await)
        }
        Request::RespondToAll { by, named, says, .. } => {
            let says = (says.status, says.vault.map(vault));
            job(usecases::respond_to_all(service, &caller(by.as_str()), named, says, remembered).await)
        }
        Request::Add { by, image, to } => {
            usecases::add_member(service, &caller(by.as_str()), &image, &to).await.map(|_| End::Done)
        }
        Request::Remove { by, image, to } => {
            usecases::remove_member(service, &caller(by.as_str()), &image, &to).await.map(|()| End::Done)
        }
        Request::Answer { by, image, named, says } => {
            let by = caller(by.as_str());
            let says = (Ok(says.status), says.vault.map(vault));
            usecases::answer_as_member(service, &by, &image, &named, says).await.map(|_| End::Done)
        }
        Request::Permit { by, image, add, remove } => {
            let wanted = Permissions::new(add, remove).expect("nobody is named twice");
            let by = caller(by.as_str());
            usecases::change_permissions(service, &by, &image, &wanted, Effect::Made)
                .await
                .map(|()| End::Done)
        }
        Request::Show { by, image, visibility } => {
            let show = |image: &mut Image| {
                image.visibility = visibility;
                Ok::<_, Refusal>(())
            };
            usecases::update_image(service, &caller(by.as_str()), &image, show).await.map(|_| End::Done)
        }
        Request::Delete { by, image } => {
            usecases::delete_image(service, &caller(by.as_str()), &image).await.map(|()| End::Done)
        }
        Request::Grant { by, to, is_granted } => {
            let (by, key) = (caller(by.as_str()), KEY.parse().expect("an id"));
            let answer = if is_granted {
                usecases::grant_key(service, &by, key, to).await.map(|_| End::Done)
            } else {
                usecases::withdraw_key_grant(service, &by, key, to, 1).await.map(|_| End::Done)
            };
            answer.map_err(|refused| match refused {
                GrantRefusal::List(refusal) => refusal,
                other => panic!("{other}"),
            })
        }
        Request::Vault { by, vault: number, gib } => {
            let (by, id) = (caller(by.as_str()), vault(number));
            let answer = match gib {
                None => usecases::delete_vault(service, &by, id).await,
                Some(gib) => usecases::put_vault(service, &by, id, &backup_vault(gib)).await.map(drop),
            };
            match answer {
                Ok(()) => Ok(End::Done),
                Err(VaultRefusal::InUse(_)) => Ok(End::InUse),
                Err(VaultRefusal::Store(problem)) => Err(problem.into()),
                Err(other) => panic!("{other}"),
            }
        }
    };
    answer.unwrap_or_else(End::Refused)
}

/// The vault of that number.
pub fn vault(number: u8) -> VaultId {
    vault_id(number).parse().expect("an id")
}

fn backup_vault(capacity_gib: u32) -> VaultDetails {
    VaultDetails { protection: Protection::Backup, status: VaultStatus::Available, capacity_gib }
}

/// What the owner says of the image of that id.
pub fn details(image: &ImageId) -> Details {
    let properties = properties(image).into_iter().map(|(name, value)| (name.to_owned(), value));
    Details { properties: properties.collect(), ..Details::default() }
}

/// What says of the image of that id what it is made of.
pub fn properties(image: &ImageId) -> Vec<(&'static str, String)> {
    match made_of(image) {
        Make::Plain => Vec::new(),
        Make::Sealed => vec![("__system__cmkid", KEY.to_owned())],
        Make::Whole(gib) => vec![
            ("__whole_image", "true".to_owned()),
            ("__backup_id", "backup".to_owned()),
            ("__system_disk_backup_gib", gib.to_string()),
        ],
    }
}
