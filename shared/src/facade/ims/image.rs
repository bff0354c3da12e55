//! An image in the IMS list (`contract/ims.md` 1.5): fixed fields, and the owner's free properties beside them at top
//! level. A property cannot replace a fixed field.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::view::ImageClass;
use crate::domain::{Details, Image};
use crate::http::FieldValue;

/// Properties that every image has in IMS, with the values for images whose owner has not set them.
const DEFAULT_PROPERTIES: [(&str, &str); 6] = [
    ("__image_size", "0"),
    ("__image_source_type", "uds"),
    ("__isregistered", "true"),
    ("__os_type", "Other"),
    ("enterprise_project_id", "0"),
    ("virtual_env_type", "FusionCompute"),
];

/// The container format of an image whose owner has not set one.
const DEFAULT_CONTAINER_FORMAT: &str = "bare";

/// The one `__*` property that IMS writes as a boolean.
const BOOLEAN_PROPERTY: &str = "__system_support_market";

/// The displayed value of a property: the owner's, or else the default.
pub(super) fn property<'a>(details: &'a Details, name: &str) -> Option<&'a str> {
    let default =
        || DEFAULT_PROPERTIES.iter().find(|(candidate, _)| *candidate == name).map(|(_, value)| *value);
    details.property(name).or_else(default)
}

/// The displayed name.
pub(super) fn name(details: &Details) -> &str {
    details.name.as_deref().unwrap_or_default()
}

/// The displayed container format.
pub(super) fn container_format(details: &Details) -> &str {
    details.container_format.as_deref().unwrap_or(DEFAULT_CONTAINER_FORMAT)
}

/// The image as a JSON object.
pub(super) struct ImageJson<'a> {
    pub(super) image: &'a Image,
    pub(super) class: ImageClass,
}

impl Serialize for ImageJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use FieldValue::{Boolean, Number, Text, TextSet};
        let (image, details) = (self.image, &self.image.details);
        let path = format!("/v2/images/{}", image.id);
        let file = format!("{path}/file");
        let (created, updated) = (image.created.to_iso_seconds(), image.updated.to_iso_seconds());
        let fixed: [(&str, FieldValue<'_>); 19] = [
            ("id", Text(image.id.as_str())),
            ("name", Text(name(details))),
            ("owner", Text(image.owner.as_str())),
            ("status", Text("active")),
            ("visibility", Text(self.class.visibility())),
            ("__imagetype", Text(self.class.image_type())),
            ("container_format", Text(container_format(details))),
            ("disk_format", details.disk_format.as_deref().into()),
            ("min_disk", Number(details.min_disk_gib)),
            ("min_ram", Number(details.min_ram_mib)),
            ("protected", Boolean(details.protected)),
            ("os_hidden", Boolean(details.hidden)),
            ("tags", TextSet(&details.tags)),
            ("active_at", Text(&created)),
            ("created_at", Text(&created)),
            ("updated_at", Text(&updated)),
            ("file", Text(&file)),
            ("self", Text(&path)),
            ("schema", Text("/v2/schemas/image")),
        ];
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in &fixed {
            map.serialize_entry(name, value)?;
        }
        for (name, value) in DEFAULT_PROPERTIES.iter().filter(|(name, _)| details.property(name).is_none()) {
            map.serialize_entry(name, value)?;
        }
        let is_free = |name: &str| fixed.iter().all(|(candidate, _)| *candidate != name);
        for (name, value) in details.properties.iter().filter(|(name, _)| is_free(name)) {
            map.serialize_entry(name, &property_value(name, value))?;
        }
        map.end()
    }
}

fn property_value<'a>(name: &str, value: &'a str) -> FieldValue<'a> {
    match value.parse() {
        Ok(flag) if name == BOOLEAN_PROPERTY => FieldValue::Boolean(flag),
        _ => FieldValue::Text(value),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::http::fixtures::image;

    fn wire(image: &Image, class: ImageClass) -> Value {
        serde_json::to_value(ImageJson { image, class }).unwrap()
    }

    #[test]
    fn mandatory_fields_are_present_by_default() {
        let wire = wire(&image(&[]), ImageClass::Private);
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
    fn free_property_cannot_replace_a_fixed_field() {
        let wire = wire(
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
            ImageClass::Shared,
        );
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
