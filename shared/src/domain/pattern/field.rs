//! The fields of an image that a pattern sees. Their names are those of the image's record in Glance's API, but for
//! free-form properties, which are under `properties`.

use std::borrow::Cow;

use crate::domain::{Image, Visibility};

/// The member of a pattern that holds conditions on free-form properties.
pub(super) const PROPERTIES: &str = "properties";

/// What kind of values a field has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A text.
    Text,
    /// A number.
    Number,
    /// `true` or `false`.
    Flag,
    /// A text that may be a decimal number.
    Property,
}

/// A value of a field.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum FieldValue<'a> {
    Text(Cow<'a, str>),
    Number(f64),
    Flag(bool),
}

macro_rules! base_fields {
    ($($variant:ident = $name:literal: $kind:ident, $image:ident => $values:expr;)+) => {
        /// A field of an image.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub(super) enum Field {
            $($variant,)+
            /// The free-form property with that name.
            Property(String),
        }

        impl Field {
            /// The names of all fields but properties.
            pub(super) const NAMES: &[&str] = &[$($name),+];

            /// The field with that name; `None` for a property.
            pub(super) fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant),)+
                    _ => None,
                }
            }

            pub(super) fn name(&self) -> &str {
                match self {
                    $(Self::$variant => $name,)+
                    Self::Property(name) => name,
                }
            }

            pub(super) fn kind(&self) -> Kind {
                match self {
                    $(Self::$variant => Kind::$kind,)+
                    Self::Property(_) => Kind::Property,
                }
            }

            /// The values of an image's field; none if it is absent.
            pub(super) fn values<'a>(&self, image: &'a Image) -> Vec<FieldValue<'a>> {
                match self {
                    $(Self::$variant => {
                        let $image = image;
                        $values
                    })+
                    Self::Property(name) => optional(image.details.property(name)),
                }
            }
        }
    };
}

base_fields! {
    Id = "id": Text, image => vec![text(image.id.as_str())];
    Name = "name": Text, image => optional(image.details.name.as_deref());
    Visibility = "visibility": Text, image => vec![text(Visibility::as_str(image.visibility))];
    Tags = "tags": Text, image => image.details.tags.iter().map(|tag| text(tag)).collect();
    DiskFormat = "disk_format": Text, image => optional(image.details.disk_format.as_deref());
    ContainerFormat = "container_format": Text, image => optional(image.details.container_format.as_deref());
    MinDisk = "min_disk": Number, image => vec![FieldValue::Number(image.details.min_disk_gib.into())];
    MinRam = "min_ram": Number, image => vec![FieldValue::Number(image.details.min_ram_mib.into())];
    Protected = "protected": Flag, image => vec![FieldValue::Flag(image.details.protected)];
    Hidden = "os_hidden": Flag, image => vec![FieldValue::Flag(image.details.hidden)];
    Created = "created_at": Text, image => vec![FieldValue::Text(image.created.to_iso_seconds().into())];
    Updated = "updated_at": Text, image => vec![FieldValue::Text(image.updated.to_iso_seconds().into())];
}

fn text(value: &str) -> FieldValue<'_> {
    FieldValue::Text(value.into())
}

fn optional(value: Option<&str>) -> Vec<FieldValue<'_>> {
    value.map(text).into_iter().collect()
}

impl FieldValue<'_> {
    /// The value as a number: also of a text that is a decimal number.
    pub(super) fn as_number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => parse_decimal(text),
            Self::Flag(_) => None,
        }
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Number(_) | Self::Flag(_) => None,
        }
    }
}

/// Parses digits with an optional sign and fraction; not `1e9`, `inf` or ` 1`.
fn parse_decimal(text: &str) -> Option<f64> {
    const MAX_BYTES: usize = 24;
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    (text.len() <= MAX_BYTES && is_number(whole) && is_number(fraction)).then(|| text.parse().ok())?
}
