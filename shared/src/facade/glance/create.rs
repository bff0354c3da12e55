//! `POST /v2/images`: register an image, which is active at once.

use http::StatusCode;
use http::header::{HeaderValue, LOCATION};
use serde_json::Value;

use super::Error;
use super::attribute::Attribute;
use super::image::{image_path, image_response};
use super::request::parse_json;
use crate::domain::{Details, ID_FORMAT, ImageId, TenantId, Visibility};
use crate::http::{AuthenticatedRequest, HttpResponse, idempotency};
use crate::usecases::{self, NewImage};

/// The operation's route.
pub const ROUTE: &str = "POST /v2/images";

/// Attributes and free properties in, the image out (201).
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    create(request).await.unwrap_or_else(Error::into_response)
}

async fn create(request: &AuthenticatedRequest) -> Result<HttpResponse, Error> {
    let body = parse_json(request.body())?;
    let new = parse(&body)?;
    let idempotency = idempotency::parse_header(request, &body)?;
    let image = usecases::register_image(&request.app, request.caller(), new, idempotency.as_ref()).await?;
    let mut response = image_response(StatusCode::CREATED, &image);
    let location = HeaderValue::from_str(&image_path(&image)).ok();
    response.headers_mut().extend(location.map(|path| (LOCATION, path)));
    Ok(response)
}

fn parse(body: &Value) -> Result<NewImage, Error> {
    let Value::Object(body) = body else {
        return Err(Error::bad_request("Unexpected body type. Expected a JSON object."));
    };
    let mut new =
        NewImage { id: None, owner: None, visibility: Visibility::Shared, details: Details::default() };
    for (name, value) in body {
        match name.as_str() {
            "id" => {
                new.id =
                    Some(parse_uuid(value).ok_or_else(|| Error::invalid_field("id", "a UUID with dashes"))?);
            }
            "owner" => new.owner = parse_owner(value)?,
            _ => Attribute::parse(name, value)?.apply(&mut new.visibility, &mut new.details),
        }
    }
    Ok(new)
}

fn parse_uuid(value: &Value) -> Option<ImageId> {
    let text = value.as_str().filter(|text| text.len() == 36)?;
    uuid::Uuid::try_parse(text).ok()?;
    text.parse().ok()
}

fn parse_owner(value: &Value) -> Result<Option<TenantId>, Error> {
    if value.is_null() {
        return Ok(None);
    }
    let owner = value.as_str().and_then(|text| text.parse().ok());
    owner.map(Some).ok_or_else(|| Error::invalid_field("owner", ID_FORMAT))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse_body(body: &[u8]) -> Result<NewImage, Error> {
        parse(&parse_json(body)?)
    }

    fn error_text(body: &str) -> String {
        format!("{:?}", parse_body(body.as_bytes()).unwrap_err())
    }

    #[test]
    fn new_image_is_shared_and_has_its_attributes() {
        let new = parse_body(b"{}").unwrap();
        assert_eq!((new.id, new.owner, new.visibility), (None, None, Visibility::Shared));
        let body = br#"{"id":"E04A6E73-bd92-485d-b422-1b29db8cf543","owner":"own1","name":"web",
            "visibility":"private","__os_type":"Linux","hw_disk_bus":"scsi"}"#;
        let new = parse_body(body).unwrap();
        assert_eq!(new.id.unwrap().as_str(), "e04a6e73-bd92-485d-b422-1b29db8cf543");
        assert_eq!((new.owner.unwrap().as_str(), new.visibility), ("own1", Visibility::Private));
        assert_eq!(new.details.name.as_deref(), Some("web"));
        assert_eq!(new.details.property("hw_disk_bus"), Some("scsi"));
    }

    #[test]
    fn invalid_image_attribute_is_named() {
        assert!(error_text("").contains("Body expected in request."));
        assert!(error_text("[]").contains("Expected a JSON object"));
        assert!(error_text("\"text\"").contains("Expected a JSON object"));
        for id in ["\"i-1\"", "\"e04a6e73bd92485db4221b29db8cf543\"", "7", "null"] {
            assert!(error_text(&format!(r#"{{"id":{id}}}"#)).contains("id: expected a UUID with dashes"));
        }
        assert!(error_text(r#"{"owner":"a/b"}"#).contains("owner: expected 1 to 64 characters"));
        assert!(error_text(r#"{"owner":{}}"#).contains("owner: expected 1 to 64 characters"));
        assert!(error_text(r#"{"status":"active"}"#).contains("Attribute 'status' is read-only."));
        assert!(error_text(r#"{"min_disk":"1"}"#).contains("min_disk: expected"));
    }

    proptest! {
        #[test]
        fn any_property_text_is_kept_in_new_image(bytes in prop::collection::vec(any::<u8>(), 0..80), name in ".{0,20}", value in ".{0,20}") {
            let _ = parse_body(&bytes);
            let body = Value::from_iter([(format!("own_{name}"), value.clone())]).to_string();
            let new = parse_body(body.as_bytes()).unwrap();
            prop_assert_eq!(new.details.property(&format!("own_{name}")), Some(value.as_str()));
        }
    }
}
