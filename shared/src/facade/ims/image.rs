//! An image as the IMS list shows it (`contract/ims.md` 1.5): fixed fields, and the owner's free properties beside them
//! at top level, where they cannot replace a fixed one.

use serde_json::{Map, Value};

use super::view::Class;
use crate::domain::{Details, Image};

/// The values of properties that every image has to IMS, for images whose owner does not say.
const DEFAULTS: [(&str, &str); 6] = [
    ("__image_size", "0"),
    ("__image_source_type", "uds"),
    ("__isregistered", "true"),
    ("__os_type", "Other"),
    ("enterprise_project_id", "0"),
    ("virtual_env_type", "FusionCompute"),
];

/// The container format of an image whose owner does not say.
const DEFAULT_CONTAINER: &str = "bare";

/// The one `__*` property that IMS writes as a boolean.
const BOOLEAN: &str = "__system_support_market";

/// A property as it is shown: the owner's value, or else the default.
pub(super) fn property<'a>(details: &'a Details, name: &str) -> Option<&'a str> {
    let default = || DEFAULTS.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    details.property(name).or_else(default)
}

/// The name as it is shown.
pub(super) fn name(details: &Details) -> &str {
    details.name.as_deref().unwrap_or_default()
}

/// The container format as it is shown.
pub(super) fn container_format(details: &Details) -> &str {
    details.container_format.as_deref().unwrap_or(DEFAULT_CONTAINER)
}

/// The image as a JSON object.
pub(super) fn wire(image: &Image, class: Class) -> Map<String, Value> {
    let details = &image.details;
    let mut wire: Map<String, Value> =
        DEFAULTS.map(|(name, value)| (name.to_owned(), value.into())).into_iter().collect();
    wire.extend(details.properties.iter().map(|(name, value)| (name.clone(), property_value(name, value))));
    let path = format!("/v2/images/{}", image.id);
    let created = image.created.to_seconds_text();
    let fixed: [(&str, Value); 19] = [
        ("id", image.id.as_str().into()),
        ("name", name(details).into()),
        ("owner", image.owner.as_str().into()),
        ("status", "active".into()),
        ("visibility", class.visibility().into()),
        ("__imagetype", class.image_type().into()),
        ("container_format", container_format(details).into()),
        ("disk_format", details.disk_format.as_deref().into()),
        ("min_disk", details.min_disk_gib.into()),
        ("min_ram", details.min_ram_mib.into()),
        ("protected", details.protected.into()),
        ("os_hidden", details.hidden.into()),
        ("tags", details.tags.iter().map(String::as_str).collect()),
        ("active_at", created.as_str().into()),
        ("created_at", created.into()),
        ("updated_at", image.updated.to_seconds_text().into()),
        ("file", format!("{path}/file").into()),
        ("self", path.into()),
        ("schema", "/v2/schemas/image".into()),
    ];
    wire.extend(fixed.map(|(name, value)| (name.to_owned(), value)));
    wire
}

fn property_value(name: &str, value: &str) -> Value {
    match value.parse::<bool>() {
        Ok(value) if name == BOOLEAN => value.into(),
        _ => value.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Timestamp, Visibility};

    fn image(properties: &[(&str, &str)]) -> Image {
        let properties =
            properties.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Image {
            id: "i-1".parse().unwrap(),
            owner: "own1".parse().unwrap(),
            visibility: Visibility::Shared,
            details: Details { properties, ..Details::default() },
            members: 0,
            created: Timestamp::from_unix_millis(1_730_874_600_778),
            updated: Timestamp::from_unix_millis(1_730_874_603_179),
            revision: 1,
        }
    }

    #[test]
    fn every_mandatory_field_is_there_though_the_owner_says_nothing() {
        let wire = Value::Object(wire(&image(&[]), Class::Private));
        for text in [
            "__image_size",
            "__image_source_type",
            "__imagetype",
            "__isregistered",
            "__os_type",
            "active_at",
            "container_format",
            "created_at",
            "id",
            "name",
            "owner",
            "self",
            "status",
            "updated_at",
            "virtual_env_type",
            "visibility",
        ] {
            assert!(wire[text].is_string(), "{text}");
        }
        assert!(wire["min_disk"].is_u64() && wire["min_ram"].is_u64());
        assert!(wire["protected"].is_boolean() && wire["tags"].is_array());
        assert_eq!((&wire["self"], &wire["file"]), (&"/v2/images/i-1".into(), &"/v2/images/i-1/file".into()));
        assert_eq!(
            (&wire["created_at"], &wire["updated_at"]),
            (&"2024-11-06T06:30:00Z".into(), &"2024-11-06T06:30:03Z".into())
        );
    }

    #[test]
    fn a_property_is_shown_beside_the_fixed_fields_and_replaces_none() {
        let wire = Value::Object(wire(
            &image(&[
                ("id", "forged"),
                ("owner", "forged"),
                ("__imagetype", "gold"),
                ("active_at", "never"),
                ("__os_type", "Windows"),
                ("__support_kvm", "true"),
                ("__system_support_market", "true"),
                ("own", "thing"),
            ]),
            Class::Shared,
        ));
        assert_eq!((&wire["id"], &wire["owner"]), (&"i-1".into(), &"own1".into()));
        assert_eq!((&wire["__imagetype"], &wire["visibility"]), (&"shared".into(), &"shared".into()));
        assert_eq!(wire["active_at"], wire["created_at"]);
        assert_eq!((&wire["__os_type"], &wire["own"]), (&"Windows".into(), &"thing".into()));
        assert_eq!(
            (&wire["__support_kvm"], &wire["__system_support_market"]),
            (&"true".into(), &true.into())
        );
    }
}
