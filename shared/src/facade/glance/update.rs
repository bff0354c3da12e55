//! `PATCH /v2/images/{image_id}`: update an image by Glance's JSON patch, wholly or not at all.
//!
//! The content type selects one of Glance's two formats: in 2.1 an operation is
//! `{"op":"replace","path":"/name","value":…}`, in 2.0 it is `{"replace":"/name","value":…}`. Paths have one step.

use http::StatusCode;
use serde_json::{Map, Value};

use super::Error;
use super::attribute::{Attribute, check_removable, check_writable, is_base};
use super::image::{image_response, match_condition};
use super::request::{parse_json, path_image_id};
use crate::domain::Image;
use crate::http::{AuthenticatedRequest, HttpResponse};
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "PATCH /v2/images/{image_id}";

/// The maximum number of operations in one request: as many as an image may have properties.
const MAX_OPERATIONS: usize = 128;

/// A JSON patch in, the updated image out.
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    update(request).await.unwrap_or_else(Error::into_response)
}

async fn update(request: &AuthenticatedRequest) -> Result<HttpResponse, Error> {
    let format = PatchFormat::from_content_type(request.raw_header("content-type").unwrap_or_default())?;
    let changes = parse(format, request.body())?;
    let check = match_condition(request)?;
    let apply = |image: &mut Image| {
        check(image)?;
        changes.iter().try_for_each(|change| change.apply(image))
    };
    let image =
        usecases::update_image(&request.app, request.caller(), &path_image_id(request)?, apply).await?;
    Ok(image_response(StatusCode::OK, &image))
}

/// The format of operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PatchFormat {
    /// `{"replace":"/name"}`
    V20,
    /// `{"op":"replace","path":"/name"}`
    V21,
}

impl PatchFormat {
    fn from_content_type(value: &[u8]) -> Result<Self, Error> {
        let media_type = value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        match media_type.to_ascii_lowercase().as_slice() {
            b"application/openstack-images-v2.1-json-patch" => Ok(Self::V21),
            b"application/openstack-images-v2.0-json-patch" => Ok(Self::V20),
            _ => Err(Error::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "IMG.0001",
                "Content-Type: expected application/openstack-images-v2.1-json-patch.",
            )),
        }
    }

    /// The name and the path of an operation.
    fn name_and_path(self, change: &Map<String, Value>) -> Option<(&str, &str)> {
        match self {
            Self::V21 => Some((change.get("op")?.as_str()?, change.get("path")?.as_str()?)),
            Self::V20 => {
                let mut found =
                    OPERATION_NAMES.iter().filter_map(|name| Some((*name, change.get(*name)?.as_str()?)));
                found.next().filter(|_| found.next().is_none())
            }
        }
    }

    fn expected_shape(self) -> &'static str {
        match self {
            Self::V21 => "an object with op (add, remove or replace) and path",
            Self::V20 => "an object with one member named add, remove or replace, the path",
        }
    }
}

const OPERATION_NAMES: [&str; 3] = ["add", "remove", "replace"];

/// A parsed operation.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Operation {
    Add(Attribute),
    Replace(Attribute),
    Remove(String),
}

impl Operation {
    fn apply(&self, image: &mut Image) -> Result<(), Error> {
        match self {
            Self::Replace(Attribute::Property(name, _)) if image.details.property(name).is_none() => {
                Err(property_not_found(name))
            }
            Self::Add(attribute) | Self::Replace(attribute) => {
                attribute.clone().apply(&mut image.visibility, &mut image.details);
                Ok(())
            }
            Self::Remove(name) => {
                image.details.properties.remove(name).map(|_| ()).ok_or_else(|| property_not_found(name))
            }
        }
    }
}

fn property_not_found(name: &str) -> Error {
    Error::new(StatusCode::CONFLICT, "IMG.0031", format!("Property {name} does not exist."))
}

fn parse(format: PatchFormat, body: &[u8]) -> Result<Vec<Operation>, Error> {
    let Value::Array(changes) = parse_json(body)? else {
        return Err(Error::bad_request("Request body must be a JSON array of operation objects."));
    };
    if changes.len() > MAX_OPERATIONS {
        return Err(Error::bad_request(format!(
            "Expected at most {MAX_OPERATIONS} operations, got {}. Send several requests.",
            changes.len()
        )));
    }
    changes.iter().enumerate().map(|(index, change)| parse_operation(format, index, change)).collect()
}

fn parse_operation(format: PatchFormat, index: usize, change: &Value) -> Result<Operation, Error> {
    let expected = |expected: &str| Error::invalid_field(&format!("Operation {index}"), expected);
    let change = change.as_object().ok_or_else(|| expected(format.expected_shape()))?;
    let (operation, path) = format.name_and_path(change).ok_or_else(|| expected(format.expected_shape()))?;
    let name = parse_pointer(path).ok_or_else(|| expected("a path of one step, such as /name"))?;
    let attribute = || {
        check_writable(&name)?;
        let value = change.get("value").ok_or_else(|| expected("a member named value"))?;
        Attribute::parse(&name, value)
    };
    match operation {
        "add" => Ok(Operation::Add(attribute()?)),
        "replace" => Ok(Operation::Replace(attribute()?)),
        "remove" => {
            check_removable(&name)?;
            if is_base(&name) {
                return Err(Error::new(
                    StatusCode::FORBIDDEN,
                    "IMG.0105",
                    format!("Property {name} may not be removed."),
                ));
            }
            Ok(Operation::Remove(name))
        }
        _ => Err(expected(format.expected_shape())),
    }
}

/// The name in a JSON pointer of one step, in which `~1` stands for `/` and `~0` for `~`.
fn parse_pointer(path: &str) -> Option<String> {
    let step = path.strip_prefix('/').filter(|step| !step.is_empty() && !step.contains('/'))?;
    let mut parts = step.split('~');
    let mut name = parts.next()?.to_owned();
    for part in parts {
        let (escaped, rest) = part.split_at_checked(1)?;
        name.push(match escaped {
            "0" => '~',
            "1" => '/',
            _ => return None,
        });
        name.push_str(rest);
    }
    Some(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::domain::Visibility;
    use crate::http::fixtures;

    fn patched(format: PatchFormat, patch: &Value) -> Result<Image, Error> {
        let mut image = fixtures::image(&[("a/b", "1"), ("own", "2")]);
        for change in parse(format, patch.to_string().as_bytes())? {
            change.apply(&mut image)?;
        }
        Ok(image)
    }

    fn error_status_and_text(patch: &Value) -> (u16, String) {
        let error = patched(PatchFormat::V21, patch).unwrap_err();
        (error.clone().into_response().status().as_u16(), format!("{error:?}"))
    }

    #[test]
    fn attributes_and_properties_are_added_replaced_and_removed() {
        let image = patched(
            PatchFormat::V21,
            &json!([
                {"op": "replace", "path": "/name", "value": "web"},
                {"op": "add", "path": "/visibility", "value": "private"},
                {"op": "replace", "path": "/tags", "value": ["t"]},
                {"op": "replace", "path": "/own", "value": "3"},
                {"op": "add", "path": "/__os_type", "value": "Linux"},
                {"op": "add", "path": "/x~0y~1z", "value": "4"},
                {"op": "remove", "path": "/a~1b"},
            ]),
        )
        .unwrap();
        assert_eq!((image.details.name.as_deref(), image.visibility), (Some("web"), Visibility::Private));
        let properties = [("__os_type", "Linux"), ("own", "3"), ("x~y/z", "4")];
        assert_eq!(
            image.details.properties,
            properties.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
        );
        assert!(image.details.tags.contains("t"));
    }

    #[test]
    fn v20_patch_names_the_operation_by_its_member() {
        let image =
            patched(PatchFormat::V20, &json!([{"replace": "/name", "value": "web"}, {"remove": "/own"}]))
                .unwrap();
        assert_eq!((image.details.name.as_deref(), image.details.property("own")), (Some("web"), None));
        assert!(patched(PatchFormat::V20, &json!([{"op": "remove", "path": "/own"}])).is_err());
        assert!(patched(PatchFormat::V20, &json!([{"add": "/a", "remove": "/a", "value": "x"}])).is_err());
    }

    #[test]
    fn patching_missing_property_returns_409() {
        let (status, text) = error_status_and_text(&json!([{"op": "remove", "path": "/none"}]));
        assert!(status == 409 && text.contains("Property none does not exist."), "{text}");
        assert_eq!(error_status_and_text(&json!([{"op": "replace", "path": "/none", "value": "x"}])).0, 409);
        let twice = json!([{"op": "remove", "path": "/own"}, {"op": "remove", "path": "/own"}]);
        assert_eq!(error_status_and_text(&twice).0, 409);
    }

    #[test]
    fn patching_read_only_attribute_returns_403() {
        for (change, why) in [
            (json!({"op": "replace", "path": "/status", "value": "queued"}), "'status' is read-only"),
            (json!({"op": "replace", "path": "/owner", "value": "me"}), "'owner' is read-only"),
            (json!({"op": "remove", "path": "/id"}), "'id' is read-only"),
            (json!({"op": "add", "path": "/locations", "value": []}), "'locations' is reserved"),
            (json!({"op": "remove", "path": "/name"}), "Property name may not be removed."),
        ] {
            let (status, text) = error_status_and_text(&json!([change]));
            assert!(status == 403 && text.contains(why), "{text}");
        }
    }

    #[test]
    fn malformed_patch_is_rejected() {
        for bad in [
            json!({}),
            json!("x"),
            json!([7]),
            json!([{}]),
            json!([{"op": "test", "path": "/name", "value": "x"}]),
            json!([{"op": "replace", "path": "/name"}]),
            json!([{"op": "replace", "path": "name", "value": "x"}]),
            json!([{"op": "replace", "path": "/", "value": "x"}]),
            json!([{"op": "replace", "path": "", "value": "x"}]),
            json!([{"op": "replace", "path": "/a/b", "value": "x"}]),
            json!([{"op": "add", "path": "/a~", "value": "x"}]),
            json!([{"op": "add", "path": "/a~2", "value": "x"}]),
            json!([{"op": "add", "path": "/a~é", "value": "x"}]),
            json!([{"op": "replace", "path": 7, "value": "x"}]),
            json!([{"op": "replace", "path": "/min_disk", "value": "x"}]),
            json!(vec![json!({"op": "replace", "path": "/name", "value": "x"}); 129]),
        ] {
            assert_eq!(error_status_and_text(&bad).0, 400, "{bad}");
        }
    }

    #[test]
    fn content_type_selects_the_patch_format() {
        let format = |text: &str| PatchFormat::from_content_type(text.as_bytes()).ok();
        assert_eq!(format("application/openstack-images-v2.1-json-patch"), Some(PatchFormat::V21));
        assert_eq!(
            format("Application/OpenStack-images-v2.0-json-patch; charset=utf-8"),
            Some(PatchFormat::V20)
        );
        for other in ["", "application/json", "application/json-patch+json"] {
            assert_eq!(format(other), None);
        }
    }

    proptest! {
        #[test]
        fn patch_parser_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..80), path in ".{0,20}") {
            let patch = json!([{ "op": "remove", "path": path }]).to_string();
            for format in [PatchFormat::V20, PatchFormat::V21] {
                let _ = (parse(format, &bytes), parse(format, patch.as_bytes()));
            }
        }

        #[test]
        fn added_property_can_be_removed(name in "[/~ a0é]{1,8}") {
            let path = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
            let add = json!({"op": "add", "path": path, "value": "x"});
            let added = patched(PatchFormat::V21, &json!([add])).unwrap();
            prop_assert_eq!(added.details.property(&name), Some("x"));
            let removed = patched(PatchFormat::V21, &json!([add, {"op": "remove", "path": path}])).unwrap();
            prop_assert_eq!(removed.details.property(&name), None);
        }
    }
}
