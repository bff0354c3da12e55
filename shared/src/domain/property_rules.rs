//! Which names and values the properties of an image may have, so that no property breaks the clients of its
//! recipients.
//!
//! Clients map an image to a model of their own. A property whose name they take for a field of that model, or whose
//! value they cannot convert, makes them lose it, show a wrong value, or fail on the whole list.

use uuid::Uuid;

use super::{ID_FORMAT, KeyId};

/// The names of the properties that have a meaning for this service.
pub mod property {
    /// `"true"` for a full-ECS image.
    pub const WHOLE_IMAGE: &str = "__whole_image";
    /// The backup that a full-ECS image was made from.
    pub const BACKUP_ID: &str = "__backup_id";
    /// The key that encrypts the image.
    pub const CMK_ID: &str = "__system__cmkid";
    /// `"1"` for an encrypted image.
    pub const ENCRYPTED: &str = "__system__encrypted";
    /// `FusionCompute`, `Ironic`, `DataImage` or `IsoImage`.
    pub const VIRTUAL_ENV_TYPE: &str = "virtual_env_type";
    /// The size of the backup of the system disk in GiB. This service's own name: IMS keeps it inside the vault.
    pub const SYSTEM_BACKUP_GIB: &str = "__system_disk_backup_gib";
    /// The size of the backups of all data disks in GiB. This service's own name.
    pub const DATA_BACKUP_GIB: &str = "__data_disk_backup_gib";
    /// Every property that names the key that encrypts the image: that of IMS, that of a volume's image (Cinder),
    /// those of an encrypted image (Glance) and of ephemeral encryption (Nova).
    pub const KEY_ID_PROPERTIES: [&str; 4] =
        [CMK_ID, "cinder_encryption_key_id", "os_encrypt_key_id", "hw_ephemeral_encryption_secret_uuid"];
}

/// The prefix of names that Glance reserves (`GLANCE_RESERVED_NS` of glance 33.0.0).
const GLANCE_NAMESPACE: &str = "os_glance";

/// The attributes of Glance's and IMS's images, which clients hold as something other than a property. gophercloud and
/// the other Go clients match these names regardless of case.
const IMAGE_ATTRIBUTES: [&str; 32] = [
    "__image_size",
    "__imagetype",
    "__isregistered",
    "__os_type",
    "__system_support_market",
    "checksum",
    "container_format",
    "created_at",
    "deleted",
    "deleted_at",
    "direct_url",
    "disk_format",
    "file",
    "id",
    "location",
    "locations",
    "min_disk",
    "min_ram",
    "name",
    "os_hash_algo",
    "os_hash_value",
    "os_hidden",
    "owner",
    "protected",
    "schema",
    "self",
    "size",
    "status",
    "tags",
    "updated_at",
    "virtual_size",
    "visibility",
];

/// Names that no property may have, in upper or lower case, since a client's model uses them for something else.
///
/// * openstacksdk 4.22.0, `openstack/image/v2/image.py` and `openstack/resource.py`: the attributes of `Image` that it
///   fills from a member of the same name, and the parameters of `Resource.list`, `existing` and `__init__`, to which
///   it passes the members of an image as keyword arguments. Each of them makes it fail, show another owner, or lose
///   the value.
/// * gophercloud v2, `openstack/image/v2/images/results.go`: the fields of `Image` that are not strings, and the names
///   that it fills from headers.
/// * chnsz/golangsdk, `openstack/ims/v2/cloudimages/results.go`: `__is_offshelved` is a boolean there, and a string in
///   huaweicloudsdkims 3.1.219.
/// * `active_at` is IMS's name for the time at which an image was created.
const CLIENT_MODEL_NAMES: [&str; 17] = [
    "__is_offshelved",
    "_synchronized",
    "active_at",
    "cls",
    "connection",
    "hash_algo",
    "hash_value",
    "is_hidden",
    "is_hw_boot_menu_enabled",
    "is_hw_vif_multiqueue_enabled",
    "is_protected",
    "metadata",
    "microversion",
    "openstack-image-import-methods",
    "openstack-image-store-ids",
    "owner_id",
    "properties",
];

/// Whether no property may have that name: Glance reserves it, a client's model uses it, or clients that ignore case
/// would take it for an attribute.
pub fn is_reserved_property(name: &str) -> bool {
    let folded = fold_case(name);
    folded.starts_with(GLANCE_NAMESPACE)
        || CLIENT_MODEL_NAMES.contains(&folded.as_str())
        || (name != folded && IMAGE_ATTRIBUTES.contains(&folded.as_str()))
}

/// Folds the case of a name as Go clients do: by way of upper case, so that `ſ` equals `s` and the Kelvin sign equals
/// `k`.
fn fold_case(name: &str) -> String {
    let upper: String = name.chars().flat_map(char::to_uppercase).collect();
    upper.to_lowercase()
}

/// Checks the value of a property.
pub(super) type ValueCheck = fn(&str) -> bool;

/// The check for the value of that property, with the text that describes a valid value; `None` if any text is valid.
///
/// Numbers and booleans are those that openstacksdk 4.22.0 converts (`openstack/image/v2/image.py`), and
/// chnsz/golangsdk for `__system_support_market`; image ids are those of Glance's `etc/schema-image.json`.
pub(super) fn value_rule(name: &str) -> Option<(ValueCheck, &'static str)> {
    match name {
        property::WHOLE_IMAGE | "__isregistered" | "__system_support_market" => {
            Some((is_bool, "\"true\" or \"false\""))
        }
        property::SYSTEM_BACKUP_GIB | property::DATA_BACKUP_GIB => Some((is_gib, "a whole number of GiB")),
        property::VIRTUAL_ENV_TYPE => {
            Some((is_virtual_env_type, "FusionCompute, Ironic, DataImage or IsoImage"))
        }
        "__imagetype" => Some((is_image_type, "gold, private, shared or market")),
        "kernel_id" | "ramdisk_id" => Some((is_uuid, "the id of an image, a UUID with dashes")),
        "hw_cpu_cores"
        | "hw_cpu_sockets"
        | "hw_cpu_threads"
        | "hw_serial_port_count"
        | "hw_video_ram"
        | "os_shutdown_timeout" => Some((is_integer, "a whole number, as a text")),
        "hw_boot_menu" | "hw_vif_multiqueue_enabled" | "os_require_quiesce" => {
            Some((is_flag, "\"true\", \"false\", \"yes\" or \"no\""))
        }
        "instance_type_rxtx_factor" => Some((is_decimal, "a decimal number, as a text")),
        key if property::KEY_ID_PROPERTIES.contains(&key) => Some((is_key_id, ID_FORMAT)),
        _ => None,
    }
}

fn is_bool(text: &str) -> bool {
    matches!(text, "true" | "false")
}

fn is_flag(text: &str) -> bool {
    ["true", "false", "yes", "no"].iter().any(|word| word.eq_ignore_ascii_case(text))
}

fn is_gib(text: &str) -> bool {
    text.parse::<u32>().is_ok()
}

fn is_integer(text: &str) -> bool {
    text.parse::<u32>().is_ok()
}

fn is_decimal(text: &str) -> bool {
    text.parse::<f64>().is_ok_and(f64::is_finite)
}

fn is_key_id(text: &str) -> bool {
    text.is_empty() || text.parse::<KeyId>().is_ok()
}

fn is_virtual_env_type(text: &str) -> bool {
    matches!(text, "FusionCompute" | "Ironic" | "DataImage" | "IsoImage")
}

fn is_image_type(text: &str) -> bool {
    matches!(text, "gold" | "private" | "shared" | "market")
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36 && Uuid::try_parse(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_model_property_name_is_reserved() {
        for name in ["properties", "Properties", "metadata", "os_glance_import_task", "OS_GLANCE_x", "Tags"] {
            assert!(is_reserved_property(name), "{name}");
        }
        // Go's JSON decoder takes these for an s and a k.
        assert!(is_reserved_property("tag\u{17f}") && is_reserved_property("min_dis\u{212a}"));
        for name in
            ["tags", "__os_type", "hw_disk_bus", "description", "OS_TYPE", "os_glacier", "properties2"]
        {
            assert!(!is_reserved_property(name), "{name}");
        }
    }

    #[test]
    fn typed_property_value_is_validated() {
        let is_valid = |name: &str, value: &str| value_rule(name).is_none_or(|(check, _)| check(value));
        for (name, good, bad) in [
            ("hw_cpu_cores", "4", "four"),
            ("os_shutdown_timeout", "60", "-1"),
            ("hw_boot_menu", "True", "maybe"),
            ("instance_type_rxtx_factor", "1.5", "NaN"),
            ("kernel_id", "e04a6e73-bd92-485d-b422-1b29db8cf543", "i-1"),
            ("__system_support_market", "true", "True"),
            ("cinder_encryption_key_id", "e04a6e73-bd92-485d-b422-1b29db8cf543", "no key#"),
        ] {
            assert!(is_valid(name, good) && !is_valid(name, bad), "{name}");
        }
        assert!(is_valid("hw_disk_bus", "anything") && is_valid("__system__cmkid", ""));
    }
}
