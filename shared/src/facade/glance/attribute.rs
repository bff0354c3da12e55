//! The attributes of an image that clients can set, with the same rules for creating and for updating it.
//!
//! Glance's base attributes have types of their own; any other name is a free property, whose value is a string.
//! Attributes that the service sets are read-only.

use std::collections::BTreeSet;

use http::StatusCode;
use serde_json::Value;

use super::Error;
use crate::domain::{Details, Visibility, is_reserved_property};

/// Attributes that only the service sets.
const READ_ONLY: [&str; 15] = [
    "checksum",
    "created_at",
    "direct_url",
    "file",
    "id",
    "os_hash_algo",
    "os_hash_value",
    "owner",
    "schema",
    "self",
    "size",
    "status",
    "stores",
    "updated_at",
    "virtual_size",
];

/// Attributes of Glance that cannot be set here, because the image's data live elsewhere.
const RESERVED: [&str; 4] = ["deleted", "deleted_at", "location", "locations"];

/// The maximum `min_disk` and `min_ram`.
pub(super) const MAX_SIZE: u32 = i32::MAX.unsigned_abs();

pub(super) const DISK_FORMATS: [&str; 14] = [
    "ami", "ari", "aki", "vhd", "vhdx", "vmdk", "raw", "qcow2", "vdi", "ploop", "iso", "gpt", "zvhd", "zvhd2",
];

pub(super) const CONTAINER_FORMATS: [&str; 8] =
    ["ami", "ari", "aki", "bare", "ovf", "ova", "docker", "compressed"];

/// An attribute with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Attribute {
    Name(Option<String>),
    Visibility(Visibility),
    DiskFormat(Option<String>),
    ContainerFormat(Option<String>),
    MinDisk(u32),
    MinRam(u32),
    Protected(bool),
    Hidden(bool),
    Tags(BTreeSet<String>),
    /// A free property. `None` removes it.
    Property(String, Option<String>),
}

impl Attribute {
    /// Parses the value of the attribute of that name.
    pub(super) fn parse(name: &str, value: &Value) -> Result<Self, Error> {
        let expected = |expected: &str| Error::invalid_field(name, expected);
        check_writable(name)?;
        Ok(match name {
            "name" => Self::Name(parse_nullable_text(name, value)?),
            "visibility" => {
                let text = value.as_str().unwrap_or_default();
                Self::Visibility(
                    text.parse()
                        .map_err(|_| expected("\"private\", \"shared\", \"community\" or \"public\""))?,
                )
            }
            "disk_format" => Self::DiskFormat(parse_one_of(name, value, &DISK_FORMATS)?),
            "container_format" => Self::ContainerFormat(parse_one_of(name, value, &CONTAINER_FORMATS)?),
            "min_disk" => Self::MinDisk(parse_size(value).ok_or_else(|| expected(&expected_size("GiB")))?),
            "min_ram" => Self::MinRam(parse_size(value).ok_or_else(|| expected(&expected_size("MiB")))?),
            "protected" => Self::Protected(value.as_bool().ok_or_else(|| expected("true or false"))?),
            "os_hidden" => Self::Hidden(value.as_bool().ok_or_else(|| expected("true or false"))?),
            "tags" => Self::Tags(parse_tags(value).ok_or_else(|| expected("an array of strings"))?),
            "kernel_id" | "ramdisk_id" => Self::Property(name.to_owned(), parse_nullable_text(name, value)?),
            _ => {
                let value = value.as_str().ok_or_else(|| expected("a string"))?;
                Self::Property(name.to_owned(), Some(value.to_owned()))
            }
        })
    }

    /// Sets the attribute of an image.
    pub(super) fn apply(self, visibility: &mut Visibility, details: &mut Details) {
        match self {
            Self::Name(name) => details.name = name,
            Self::Visibility(value) => *visibility = value,
            Self::DiskFormat(format) => details.disk_format = format,
            Self::ContainerFormat(format) => details.container_format = format,
            Self::MinDisk(gib) => details.min_disk_gib = gib,
            Self::MinRam(mib) => details.min_ram_mib = mib,
            Self::Protected(protected) => details.protected = protected,
            Self::Hidden(hidden) => details.hidden = hidden,
            Self::Tags(tags) => details.tags = tags,
            Self::Property(name, Some(value)) => {
                details.properties.insert(name, value);
            }
            Self::Property(name, None) => {
                details.properties.remove(&name);
            }
        }
    }
}

/// Whether every image has the attribute, so that it cannot be removed.
pub(super) fn is_base(name: &str) -> bool {
    matches!(
        name,
        "name"
            | "visibility"
            | "disk_format"
            | "container_format"
            | "min_disk"
            | "min_ram"
            | "protected"
            | "os_hidden"
            | "tags"
    )
}

/// Rejects the name of an attribute that clients cannot set.
pub(super) fn check_writable(name: &str) -> Result<(), Error> {
    check_removable(name)?;
    if is_reserved_property(name) {
        let why = "reserved: clients take it for a part of their own model of an image. Choose another name";
        return Err(forbidden(name, why));
    }
    Ok(())
}

/// Rejects the name of an attribute that clients cannot remove. They can remove a property with a reserved name, since
/// an image may have it from before the name was reserved.
pub(super) fn check_removable(name: &str) -> Result<(), Error> {
    if READ_ONLY.contains(&name) {
        Err(forbidden(name, "read-only"))
    } else if RESERVED.contains(&name) {
        Err(forbidden(name, "reserved"))
    } else {
        Ok(())
    }
}

fn forbidden(name: &str, why: &str) -> Error {
    Error::new(StatusCode::FORBIDDEN, "IMG.0105", format!("Attribute '{name}' is {why}."))
}

fn parse_nullable_text(name: &str, value: &Value) -> Result<Option<String>, Error> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        _ => Err(Error::invalid_field(name, "a string or null")),
    }
}

fn parse_one_of(name: &str, value: &Value, allowed: &[&str]) -> Result<Option<String>, Error> {
    let text = parse_nullable_text(name, value)?;
    if text.as_deref().is_none_or(|text| allowed.contains(&text)) {
        Ok(text)
    } else {
        Err(Error::invalid_field(name, &format!("null or one of {}", allowed.join(", "))))
    }
}

/// A size as Glance stores it, in 31 bits.
fn parse_size(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|size| size.try_into().ok()).filter(|size| *size <= MAX_SIZE)
}

fn expected_size(unit: &str) -> String {
    format!("a whole number of {unit} from 0 to {MAX_SIZE}")
}

fn parse_tags(value: &Value) -> Option<BTreeSet<String>> {
    value.as_array()?.iter().map(|tag| tag.as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn attributes_are_applied_to_the_image() {
        let (mut visibility, mut details) = (Visibility::Shared, Details::default());
        for (name, value) in [
            ("name", json!("web")),
            ("visibility", json!("private")),
            ("disk_format", json!("qcow2")),
            ("container_format", json!("bare")),
            ("min_disk", json!(40)),
            ("min_ram", json!(2_147_483_647)),
            ("protected", json!(true)),
            ("os_hidden", json!(true)),
            ("tags", json!(["b", "a", "a"])),
            ("__os_type", json!("Linux")),
        ] {
            Attribute::parse(name, &value).unwrap().apply(&mut visibility, &mut details);
        }
        assert_eq!(visibility, Visibility::Private);
        let expected = Details {
            name: Some("web".to_owned()),
            disk_format: Some("qcow2".to_owned()),
            container_format: Some("bare".to_owned()),
            min_disk_gib: 40,
            min_ram_mib: 2_147_483_647,
            protected: true,
            hidden: true,
            tags: ["a".to_owned(), "b".to_owned()].into(),
            properties: [("__os_type".to_owned(), "Linux".to_owned())].into(),
        };
        assert_eq!(details, expected);
        for name in ["name", "disk_format", "container_format"] {
            Attribute::parse(name, &Value::Null).unwrap().apply(&mut visibility, &mut details);
        }
        assert_eq!((details.name, details.disk_format, details.container_format), (None, None, None));
    }

    #[test]
    fn wrong_attribute_type_is_rejected_by_name() {
        for (name, value) in [
            ("name", json!(7)),
            ("visibility", json!("Public")),
            ("visibility", Value::Null),
            ("disk_format", json!("floppy")),
            ("container_format", json!({})),
            ("min_disk", json!("40")),
            ("min_disk", json!(-1)),
            ("min_ram", json!(2_147_483_648_u64)),
            ("min_ram", json!(1.5)),
            ("protected", json!("true")),
            ("os_hidden", json!(0)),
            ("tags", json!("a")),
            ("tags", json!(["a", 7])),
            ("__whole_image", json!(true)),
            ("any", Value::Null),
        ] {
            let error = format!("{:?}", Attribute::parse(name, &value).unwrap_err());
            assert!(error.contains(&format!("{name}: expected")) && error.contains("400"), "{error}");
        }
        let range = format!("{:?}", Attribute::parse("min_ram", &json!(-1)).unwrap_err());
        assert!(range.contains("min_ram: expected a whole number of MiB from 0 to 2147483647."), "{range}");
    }

    #[test]
    fn read_only_and_reserved_attributes_are_forbidden() {
        let client_attributes = ["properties", "metadata", "owner_id", "os_glance_import_task", "Tags"];
        for name in READ_ONLY.into_iter().chain(RESERVED).chain(client_attributes) {
            let error = Attribute::parse(name, &json!("x")).unwrap_err().into_response();
            assert_eq!(error.status(), 403, "{name}");
        }
        assert_eq!(check_removable("properties"), Ok(()));
    }

    #[test]
    fn null_kernel_id_removes_the_property() {
        let (mut visibility, mut details) = (Visibility::Shared, Details::default());
        for (value, kernel) in [(json!("k-1"), Some("k-1")), (Value::Null, None)] {
            Attribute::parse("kernel_id", &value).unwrap().apply(&mut visibility, &mut details);
            assert_eq!(details.property("kernel_id"), kernel);
        }
    }
}
