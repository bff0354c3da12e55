//! The record of a machine image. Its data live elsewhere, so an image is `active` from the start.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::property_rules::{property, value_rule};
use super::value_enum::value_enum;
use super::{ImageId, KeyId, TenantId, Timestamp};

/// Which tenants besides the owner can see an image, in Glance's terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    /// None. The image keeps its memberships, without effect, until it is `shared` again.
    Private,
    /// Its members. The default of a new image (`contract/glance.md` 2.5).
    Shared,
    /// Every tenant that knows its id.
    Community,
    /// Every tenant; the image is in every tenant's list.
    Public,
}

value_enum!(Visibility { Private = "private", Shared = "shared", Community = "community" or Public = "public" });

impl Visibility {
    /// Whether an image of this visibility can be shared (`contract/ims.md` 1.7).
    pub fn allows_sharing(self) -> bool {
        self == Self::Shared
    }

    /// Whether every tenant may see an image of this visibility by its id.
    pub fn is_visible_to_all(self) -> bool {
        matches!(self, Self::Community | Self::Public)
    }
}

/// A registered image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Its id; never used again, even after the image is deleted.
    pub id: ImageId,
    /// The tenant that registered it; never changes.
    pub owner: TenantId,
    /// Its visibility.
    pub visibility: Visibility,
    /// The details that its owner sets.
    pub details: Details,
    /// When it was registered.
    pub created: Timestamp,
    /// When its details or its visibility were last changed.
    pub updated: Timestamp,
    /// Grows with each change of `details` and `visibility`. A change is written only onto the revision that it was
    /// made from.
    pub revision: u64,
}

/// The part of an image that sharing reads and writes. It is a small item of its own, so that a share costs the same
/// however large the image's details are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageHead {
    /// The image's id.
    pub id: ImageId,
    /// The tenant that registered it.
    pub owner: TenantId,
    /// Its visibility.
    pub visibility: Visibility,
    /// The properties that the rules of consent check.
    pub spec: ImageSpec,
    /// Its name, which orders lists.
    pub name: Option<String>,
    /// When it was registered.
    pub created: Timestamp,
    /// When its details or its visibility were last changed.
    pub updated: Timestamp,
    /// The number of tenants that it is shared with, whatever their decisions.
    pub member_count: u32,
    /// The image's revision.
    pub revision: u64,
}

/// The properties of an image that the rules of consent check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageSpec {
    /// What kind of image it is.
    pub kind: ImageKind,
    /// How it is encrypted.
    pub encryption: Encryption,
}

impl Image {
    /// The image's head, with that member count.
    pub fn head(&self, members: u32) -> ImageHead {
        ImageHead {
            id: self.id.clone(),
            owner: self.owner.clone(),
            visibility: self.visibility,
            spec: self.details.spec(),
            name: self.details.name.clone(),
            created: self.created,
            updated: self.updated,
            member_count: members,
            revision: self.revision,
        }
    }
}

/// What the owner sets on an image: Glance's base properties and any others by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Details {
    /// Its name, not unique.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `qcow2`, `raw`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk_format: Option<String>,
    /// `bare`, `ovf`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_format: Option<String>,
    /// The disk that a server needs to boot it, in GiB.
    #[serde(skip_serializing_if = "is_default")]
    pub min_disk_gib: u32,
    /// The memory that a server needs to boot it, in MiB.
    #[serde(skip_serializing_if = "is_default")]
    pub min_ram_mib: u32,
    /// Whether deleting it is refused.
    #[serde(skip_serializing_if = "is_default")]
    pub protected: bool,
    /// Whether it is left out of lists by default (Glance's `os_hidden`).
    #[serde(skip_serializing_if = "is_default")]
    pub hidden: bool,
    /// Free-form labels.
    #[serde(skip_serializing_if = "is_default")]
    pub tags: BTreeSet<String>,
    /// Free-form properties; those of IMS start with `__` (`contract/ims.md` 1.5).
    #[serde(skip_serializing_if = "is_default")]
    pub properties: BTreeMap<String, String>,
}

/// Defaults are not stored: a page reads a hundred of these.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// The kind of an image, which decides what accepting it requires (seed 001).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ImageKind {
    /// Boots a server.
    SystemDisk,
    /// Holds data only.
    DataDisk,
    /// A whole server: a system disk and its data disks.
    FullEcs {
        /// Whether it was made from a backup of Cloud Backup and Recovery; only then can it be shared.
        from_backup: bool,
        /// The total size of its system and data disk backups, in GiB.
        backup_gib: u64,
    },
}

/// How an image is encrypted (`contract/decisions.md` 14).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Encryption {
    /// Not at all.
    None,
    /// Under the service's default key, which no owner can grant.
    DefaultKey,
    /// Under a key of the owner.
    Key(KeyId),
}

/// An invalid field of an image's details.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: expected {expected}")]
pub struct BadDetail {
    /// The field or property.
    pub field: String,
    /// What a valid value looks like.
    pub expected: &'static str,
}

/// The maximum size of an image's tags and properties together, in bytes. So a page of 100 images stays well under the
/// 6 MB that a function may return.
pub const MAX_DETAILS_BYTES: usize = 16 * 1024;

/// The maximum number of tags of an image.
pub const MAX_TAGS: usize = 128;

/// Whether a text is a valid tag: 1 to 255 characters, none of them a control character.
pub fn is_tag(text: &str) -> bool {
    !text.is_empty() && is_valid_text(text, 255)
}

impl Details {
    /// Checks lengths, and the values of the properties that have a meaning for this service.
    ///
    /// # Errors
    /// [`BadDetail`], for the first field that is invalid.
    pub fn validate(&self) -> Result<(), BadDetail> {
        let texts = [
            ("name", &self.name),
            ("disk_format", &self.disk_format),
            ("container_format", &self.container_format),
        ];
        for (field, text) in texts {
            if text.as_ref().is_some_and(|text| !is_valid_text(text, 255)) {
                return Err(bad_detail(field, "at most 255 characters, none of them a control character"));
            }
        }
        if self.tags.len() > MAX_TAGS || !self.tags.iter().all(|tag| is_tag(tag)) {
            return Err(bad_detail("tags", "at most 128 tags of 1 to 255 characters"));
        }
        if self.properties.len() > 128 {
            return Err(bad_detail("properties", "at most 128 properties"));
        }
        for (name, value) in &self.properties {
            if name.is_empty() || !is_valid_text(name, 255) {
                return Err(bad_detail("properties", "names of 1 to 255 characters"));
            }
            if value.contains('\0') {
                return Err(bad_detail(name, "a text without NUL characters"));
            }
            if let Some(expected) =
                value_rule(name).filter(|(is_valid, _)| !is_valid(value)).map(|(_, text)| text)
            {
                return Err(bad_detail(name, expected));
            }
        }
        let mut keys = self.key_ids();
        let first = keys.next();
        if keys.any(|key| Some(key) != first) {
            return Err(bad_detail(property::CMK_ID, "the same key in every property that names one"));
        }
        let bytes = self.tags.iter().map(String::len).sum::<usize>()
            + self.properties.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
        if bytes > MAX_DETAILS_BYTES {
            return Err(bad_detail("properties", "at most 16 KiB of tags and properties in all"));
        }
        Ok(())
    }

    /// What kind of image its properties make it.
    pub fn kind(&self) -> ImageKind {
        if self.property(property::WHOLE_IMAGE) == Some("true") {
            let gib =
                |name| self.property(name).and_then(|text| text.parse::<u32>().ok()).map_or(0, u64::from);
            ImageKind::FullEcs {
                from_backup: self.property(property::BACKUP_ID).is_some_and(|id| !id.is_empty()),
                backup_gib: gib(property::SYSTEM_BACKUP_GIB) + gib(property::DATA_BACKUP_GIB),
            }
        } else if self.property(property::VIRTUAL_ENV_TYPE) == Some("DataImage") {
            ImageKind::DataDisk
        } else {
            ImageKind::SystemDisk
        }
    }

    /// How the image is encrypted, by its properties. A malformed key id counts as the default key, so that the image
    /// cannot be shared.
    pub fn encryption(&self) -> Encryption {
        match (self.key_ids().next().map(str::parse), self.property(property::ENCRYPTED)) {
            (Some(Ok(key)), _) => Encryption::Key(key),
            (Some(Err(_)), _) | (None, Some("1" | "true")) => Encryption::DefaultKey,
            (None, _) => Encryption::None,
        }
    }

    /// The key ids that the image's properties name.
    fn key_ids(&self) -> impl Iterator<Item = &str> {
        property::KEY_ID_PROPERTIES.iter().filter_map(|name| self.property(name)).filter(|id| !id.is_empty())
    }

    /// The properties that the rules of consent check.
    pub fn spec(&self) -> ImageSpec {
        ImageSpec { kind: self.kind(), encryption: self.encryption() }
    }

    /// Whether the image differs from `before` in what the rules of consent check or recipients consent to.
    pub fn differs_materially_from(&self, before: &Self) -> bool {
        self.spec() != before.spec() || self.formats() != before.formats()
    }

    /// The format field that `after` changes although it is set here.
    pub fn changed_format(&self, after: &Self) -> Option<&'static str> {
        let mut pairs = self.formats().into_iter().zip(after.formats());
        pairs.find(|((_, before), (_, after))| before.is_some() && before != after).map(|((name, _), _)| name)
    }

    fn formats(&self) -> [(&'static str, Option<&str>); 2] {
        [("disk_format", self.disk_format.as_deref()), ("container_format", self.container_format.as_deref())]
    }

    /// The value of a free-form property.
    pub fn property(&self, name: &str) -> Option<&str> {
        self.properties.get(name).map(String::as_str)
    }
}

fn bad_detail(field: &str, expected: &'static str) -> BadDetail {
    BadDetail { field: field.to_owned(), expected }
}

fn is_valid_text(text: &str, max_chars: usize) -> bool {
    text.chars().count() <= max_chars && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_properties(properties: &[(&str, &str)]) -> Details {
        let properties =
            properties.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Details { properties, ..Details::default() }
    }

    #[test]
    fn full_ecs_image_size_is_sum_of_its_backups() {
        let image = with_properties(&[
            ("__whole_image", "true"),
            ("__backup_id", "b-1"),
            ("__system_disk_backup_gib", "40"),
            ("__data_disk_backup_gib", "4294967295"),
        ]);
        assert_eq!(image.validate(), Ok(()));
        assert_eq!(image.kind(), ImageKind::FullEcs { from_backup: true, backup_gib: 4_294_967_335 });
        assert_eq!(with_properties(&[("virtual_env_type", "DataImage")]).kind(), ImageKind::DataDisk);
        assert_eq!(with_properties(&[]).kind(), ImageKind::SystemDisk);
    }

    #[test]
    fn encryption_is_read_from_key_properties() {
        let encryption = |properties: &[_]| with_properties(properties).encryption();
        assert_eq!(encryption(&[("__system__cmkid", "")]), Encryption::None);
        assert_eq!(encryption(&[("__system__encrypted", "0")]), Encryption::None);
        assert_eq!(encryption(&[("__system__encrypted", "1")]), Encryption::DefaultKey);
        let key = [("__system__encrypted", "1"), ("__system__cmkid", "k-1")];
        assert_eq!(encryption(&key), Encryption::Key("k-1".parse().unwrap()));
        assert!(with_properties(&[("__system__cmkid", "no key#")]).validate().is_err());
        for name in ["cinder_encryption_key_id", "os_encrypt_key_id", "hw_ephemeral_encryption_secret_uuid"] {
            assert_eq!(encryption(&[(name, "k-1")]), Encryption::Key("k-1".parse().unwrap()), "{name}");
            assert_eq!(
                with_properties(&[(name, "k-1"), ("__system__cmkid", "k-1")]).validate(),
                Ok(()),
                "{name}"
            );
            assert!(
                with_properties(&[(name, "k-1"), ("__system__cmkid", "k-2")]).validate().is_err(),
                "{name}"
            );
        }
        assert!(
            with_properties(&key).spec() != with_properties(&[]).spec()
                && with_properties(&[("other", "x")]).spec() == with_properties(&[]).spec()
        );
    }

    #[test]
    fn format_cannot_change_once_set() {
        let with_format =
            |disk: Option<&str>| Details { disk_format: disk.map(str::to_owned), ..Details::default() };
        let (none, raw, qcow2) = (with_format(None), with_format(Some("raw")), with_format(Some("qcow2")));
        assert_eq!((none.changed_format(&raw), raw.changed_format(&raw)), (None, None));
        assert_eq!(raw.changed_format(&qcow2), Some("disk_format"));
        assert_eq!(raw.changed_format(&none), Some("disk_format"));
        assert!(raw.differs_materially_from(&none) && !raw.differs_materially_from(&raw));
    }

    #[test]
    fn invalid_details_are_rejected() {
        let field = |details: Details| details.validate().map_err(|error| error.field);
        assert_eq!(field(with_properties(&[("__whole_image", "yes")])), Err("__whole_image".to_owned()));
        assert_eq!(
            field(with_properties(&[("__data_disk_backup_gib", "-1")])),
            Err("__data_disk_backup_gib".to_owned())
        );
        assert_eq!(field(with_properties(&[("any", "thing")])), Ok(()));
        assert_eq!(field(with_properties(&[("any", "thi\0ng")])), Err("any".to_owned()));
        assert_eq!(
            field(with_properties(&[("any", &"x".repeat(MAX_DETAILS_BYTES))])),
            Err("properties".to_owned())
        );
        assert_eq!(
            field(Details { name: Some("x".repeat(256)), ..Details::default() }),
            Err("name".to_owned())
        );
    }
}
