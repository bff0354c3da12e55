//! An image as Glance shows it (`contract/glance.md` 2.1): base attributes, and free properties beside them at top
//! level. A property cannot replace a base attribute.

use http::StatusCode;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::domain::Image;
use crate::http::entity_tag::{IfMatch, MalformedIfMatch, with_entity_tag};
use crate::http::{AuthenticatedRequest, FieldValue, HttpResponse, json_response};
use crate::usecases::UseCaseError;

/// A response with an image, and its revision as a tag: nothing else decides what the image looks like.
pub(super) fn image_response(status: StatusCode, image: &Image) -> HttpResponse {
    with_entity_tag(json_response(status, &ImageJson(image)), image.revision)
}

/// The condition that the request's `If-Match` sets for an image; it always holds without that header.
///
/// # Errors
/// [`MalformedIfMatch`]. The condition fails with [`UseCaseError::Stale`].
pub(super) fn match_condition(
    request: &AuthenticatedRequest,
) -> Result<impl Fn(&Image) -> Result<(), UseCaseError> + use<>, MalformedIfMatch> {
    let wanted = IfMatch::parse(request)?;
    Ok(
        move |image: &Image| {
            if wanted.allows(image.revision) { Ok(()) } else { Err(UseCaseError::Stale(image.id.clone())) }
        },
    )
}

/// The path of an image.
pub(super) fn image_path(image: &Image) -> String {
    format!("/v2/images/{}", image.id)
}

/// The image as a JSON object.
pub(super) struct ImageJson<'a>(pub(super) &'a Image);

impl Serialize for ImageJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use FieldValue::{Boolean, Null, Number, Text, TextSet};
        let (image, details) = (self.0, &self.0.details);
        let path = image_path(image);
        let file = format!("{path}/file");
        let (created, updated) = (image.created.to_iso_seconds(), image.updated.to_iso_seconds());
        let base: [(&str, FieldValue<'_>); 22] = [
            ("id", Text(image.id.as_str())),
            ("name", details.name.as_deref().into()),
            ("status", Text("active")),
            ("visibility", Text(image.visibility.as_str())),
            ("owner", Text(image.owner.as_str())),
            // The data live elsewhere, so nothing is known about them. The size is 0 and not null, because
            // `openstack image show --human-readable` fails on null.
            ("size", Number(0)),
            ("virtual_size", Null),
            ("checksum", Null),
            ("os_hash_algo", Null),
            ("os_hash_value", Null),
            ("os_hidden", Boolean(details.hidden)),
            ("protected", Boolean(details.protected)),
            ("min_ram", Number(details.min_ram_mib)),
            ("min_disk", Number(details.min_disk_gib)),
            ("disk_format", details.disk_format.as_deref().into()),
            ("container_format", details.container_format.as_deref().into()),
            ("created_at", Text(&created)),
            ("updated_at", Text(&updated)),
            ("tags", TextSet(&details.tags)),
            ("file", Text(&file)),
            ("self", Text(&path)),
            ("schema", Text("/v2/schemas/image")),
        ];
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in &base {
            map.serialize_entry(name, value)?;
        }
        let is_free = |name: &str| base.iter().all(|(candidate, _)| *candidate != name);
        for (name, value) in details.properties.iter().filter(|(name, _)| is_free(name)) {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::fixtures;

    #[test]
    fn image_has_all_glance_fields_and_its_properties() {
        let image = fixtures::image(&[("__os_type", "Linux"), ("owner", "forged")]);
        let path = "/v2/images/i-1";
        assert_eq!(
            serde_json::to_value(ImageJson(&image)).unwrap(),
            serde_json::json!({
                "id": "i-1", "name": null, "status": "active",
                "visibility": "shared", "owner": "own1", "size": 0, "virtual_size": null, "checksum": null,
                "os_hash_algo": null, "os_hash_value": null, "os_hidden": false, "protected": false,
                "min_ram": 0, "min_disk": 0, "disk_format": null, "container_format": null,
                "created_at": "2024-11-06T06:30:00Z", "updated_at": "2024-11-06T06:30:03Z", "tags": [],
                "self": path, "file": format!("{path}/file"), "schema": "/v2/schemas/image",
                "__os_type": "Linux",
            })
        );
    }
}
