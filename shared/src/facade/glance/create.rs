//! `POST /v2/images`: register an image, which is active at once.

use http::StatusCode;
use http::header::{HeaderValue, LOCATION};
use serde_json::Value;

use super::Error;
use super::attribute::Attribute;
use super::image::{path, reply};
use super::request::{json, remembered};
use crate::domain::{Details, ID_FORM, ImageId, TenantId, Visibility};
use crate::facade::Reply;
use crate::function::Call;
use crate::usecases::{self, NewImage};

/// The operation's route.
pub const ROUTE: &str = "POST /v2/images";

/// Attributes and free properties in, the image out with 201.
pub async fn answer(call: &Call) -> Reply {
    create(call).await.unwrap_or_else(Error::into_reply)
}

async fn create(call: &Call) -> Result<Reply, Error> {
    let body = json(call.body())?;
    let new = parse(&body)?;
    let remembered = remembered(call, &body)?;
    let image = usecases::register_image_once(&call.service, call.caller(), new, remembered).await?;
    let mut reply = reply(StatusCode::CREATED, &image);
    let location = HeaderValue::from_str(&path(&image)).ok();
    reply.headers_mut().extend(location.map(|path| (LOCATION, path)));
    Ok(reply)
}

fn parse(body: &Value) -> Result<NewImage, Error> {
    let Value::Object(body) = body else {
        return Err(Error::bad_request("Unexpected body type. Expected a JSON object."));
    };
    let mut new =
        NewImage { id: None, owner: None, visibility: Visibility::Shared, details: Details::default() };
    for (name, value) in body {
        match name.as_str() {
            "id" => new.id = Some(uuid(value).ok_or_else(|| Error::expected("id", "a UUID with dashes"))?),
            "owner" => new.owner = owner(value)?,
            _ => Attribute::parse(name, value)?.apply(&mut new.visibility, &mut new.details),
        }
    }
    Ok(new)
}

fn uuid(value: &Value) -> Option<ImageId> {
    let text = value.as_str().filter(|text| text.len() == 36)?;
    uuid::Uuid::try_parse(text).ok()?;
    text.parse().ok()
}

fn owner(value: &Value) -> Result<Option<TenantId>, Error> {
    if value.is_null() {
        return Ok(None);
    }
    let owner = value.as_str().and_then(|text| text.parse().ok());
    owner.map(Some).ok_or_else(|| Error::expected("owner", ID_FORM))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(body: &[u8]) -> Result<NewImage, Error> {
        parse(&json(body)?)
    }

    fn refused(body: &str) -> String {
        format!("{:?}", read(body.as_bytes()).unwrap_err())
    }

    #[test]
    fn a_new_image_is_shared_and_has_what_is_said_of_it() {
        let new = read(b"{}").unwrap();
        assert_eq!((new.id, new.owner, new.visibility), (None, None, Visibility::Shared));
        let body = br#"{"id":"E04A6E73-bd92-485d-b422-1b29db8cf543","owner":"own1","name":"web",
            "visibility":"private","__os_type":"Linux","hw_disk_bus":"scsi"}"#;
        let new = read(body).unwrap();
        assert_eq!(new.id.unwrap().as_str(), "e04a6e73-bd92-485d-b422-1b29db8cf543");
        assert_eq!((new.owner.unwrap().as_str(), new.visibility), ("own1", Visibility::Private));
        assert_eq!(new.details.name.as_deref(), Some("web"));
        assert_eq!(new.details.property("hw_disk_bus"), Some("scsi"));
    }

    #[test]
    fn what_is_not_as_it_must_be_is_named() {
        assert!(refused("").contains("Body expected in request."));
        assert!(refused("[]").contains("Expected a JSON object"));
        assert!(refused("\"text\"").contains("Expected a JSON object"));
        for id in ["\"i-1\"", "\"e04a6e73bd92485db4221b29db8cf543\"", "7", "null"] {
            assert!(refused(&format!(r#"{{"id":{id}}}"#)).contains("id: expected a UUID with dashes"));
        }
        assert!(refused(r#"{"owner":"a/b"}"#).contains("owner: expected 1 to 64 characters"));
        assert!(refused(r#"{"owner":{}}"#).contains("owner: expected 1 to 64 characters"));
        assert!(refused(r#"{"status":"active"}"#).contains("Attribute 'status' is read-only."));
        assert!(refused(r#"{"min_disk":"1"}"#).contains("min_disk: expected"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_image_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..80), name in ".{0,20}", value in ".{0,20}") {
            let _ = read(&bytes);
            let body = Value::from_iter([(format!("own_{name}"), value.clone())]).to_string();
            let new = read(body.as_bytes()).unwrap();
            prop_assert_eq!(new.details.property(&format!("own_{name}")), Some(value.as_str()));
        }
    }
}
