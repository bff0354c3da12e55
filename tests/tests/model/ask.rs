//! How a request and a piece come to the service: as a call of the use case, and as an event of the stream.

use imageshare::Service;
use imageshare::domain::{Details, Image, JobId, Permissions};
use imageshare::store::{PieceKey, Remembered};
use imageshare::table::AttributeValue;
use imageshare::usecases::{self, Effect, NewImage, Refusal};
use imageshare_tests::events::{change, stream_event};
use imageshare_tests::service::caller;
use serde_json::{Value, json};

use crate::history::Request;

/// What came of it.
#[derive(Debug)]
pub enum End {
    Job(JobId),
    Done,
    Refused(Refusal),
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
            let new = NewImage { id: Some(image), owner: None, visibility, details: Details::default() };
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
            job(usecases::respond(service, &by, named, images, (says, None), remembered).await)
        }
        Request::Add { by, image, to } => {
            usecases::add_member(service, &caller(by.as_str()), &image, &to).await.map(|_| End::Done)
        }
        Request::Remove { by, image, to } => {
            usecases::remove_member(service, &caller(by.as_str()), &image, &to).await.map(|()| End::Done)
        }
        Request::Answer { by, image, named, says } => {
            let by = caller(by.as_str());
            usecases::answer_as_member(service, &by, &image, &named, (Ok(says), None))
                .await
                .map(|_| End::Done)
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
    };
    answer.unwrap_or_else(End::Refused)
}
