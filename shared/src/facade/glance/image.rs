//! An image as Glance shows it (`contract/glance.md` 2.1): base attributes, and free properties beside them at top level,
//! where they cannot replace a base one.

use http::StatusCode;
use serde_json::{Map, Value};

use crate::domain::Image;
use crate::facade::{Reply, json};

/// The image as an answer.
pub(super) fn reply(status: StatusCode, image: &Image) -> Reply {
    json(status, &wire(image))
}

/// The path of an image.
pub(super) fn path(image: &Image) -> String {
    format!("/v2/images/{}", image.id)
}

/// The image as a JSON object.
pub(super) fn wire(image: &Image) -> Map<String, Value> {
    let details = &image.details;
    let path = path(image);
    let base: [(&str, Value); 22] = [
        ("id", image.id.as_str().into()),
        ("name", details.name.as_deref().into()),
        ("status", "active".into()),
        ("visibility", image.visibility.as_str().into()),
        ("owner", image.owner.as_str().into()),
        // The bits live elsewhere; nothing is known of them.
        ("size", Value::Null),
        ("virtual_size", Value::Null),
        ("checksum", Value::Null),
        ("os_hash_algo", Value::Null),
        ("os_hash_value", Value::Null),
        ("os_hidden", details.hidden.into()),
        ("protected", details.protected.into()),
        ("min_ram", details.min_ram_mib.into()),
        ("min_disk", details.min_disk_gib.into()),
        ("disk_format", details.disk_format.as_deref().into()),
        ("container_format", details.container_format.as_deref().into()),
        ("created_at", image.created.to_seconds_text().into()),
        ("updated_at", image.updated.to_seconds_text().into()),
        ("tags", details.tags.iter().map(String::as_str).collect()),
        ("file", format!("{path}/file").into()),
        ("self", path.into()),
        ("schema", "/v2/schemas/image".into()),
    ];
    let properties = details.properties.iter().map(|(name, value)| (name.clone(), value.as_str().into()));
    properties.chain(base.map(|(name, value)| (name.to_owned(), value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Details, Timestamp, Visibility};

    #[test]
    fn an_image_has_every_field_of_glance_and_its_properties() {
        let properties = [("__os_type", "Linux"), ("owner", "forged")];
        let properties = properties.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let image = Image {
            id: "e04a6e73-bd92-485d-b422-1b29db8cf543".parse().unwrap(),
            owner: "own1".parse().unwrap(),
            visibility: Visibility::Shared,
            details: Details { properties, ..Details::default() },
            members: 3,
            created: Timestamp::from_unix_millis(1_730_874_600_778),
            updated: Timestamp::from_unix_millis(1_730_874_603_179),
            revision: 1,
        };
        let path = "/v2/images/e04a6e73-bd92-485d-b422-1b29db8cf543";
        assert_eq!(
            Value::Object(wire(&image)),
            serde_json::json!({
                "id": "e04a6e73-bd92-485d-b422-1b29db8cf543", "name": null, "status": "active",
                "visibility": "shared", "owner": "own1", "size": null, "virtual_size": null, "checksum": null,
                "os_hash_algo": null, "os_hash_value": null, "os_hidden": false, "protected": false,
                "min_ram": 0, "min_disk": 0, "disk_format": null, "container_format": null,
                "created_at": "2024-11-06T06:30:00Z", "updated_at": "2024-11-06T06:30:03Z", "tags": [],
                "self": path, "file": format!("{path}/file"), "schema": "/v2/schemas/image",
                "__os_type": "Linux",
            })
        );
    }
}
