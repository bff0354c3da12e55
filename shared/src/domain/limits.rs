//! The limits that a deployment sets.

use std::fmt;
use std::str::FromStr;

use super::{ImageHead, ImageKind, ReadRate};

/// The maximum number of images, and of recipients, in one batch request (`contract/decisions.md` 13).
pub const MAX_NAMES_PER_BATCH: usize = 1_000;

/// The maximum number of pairs of images and recipients in one batch request (`contract/decisions.md` 13).
pub const MAX_PAIRS_PER_BATCH: usize = 10_000;

/// The maximum number of images, and of projects, that a query of memberships names.
pub const MAX_NAMES_PER_QUERY: usize = 1_000;

/// The highest recipient limit that a deployment may set. The job that ends the memberships of a deleted image names
/// all of them in one item, which DynamoDB limits to 400 KB; one of the longest ids takes 67 bytes.
pub const MAX_MEMBERS_PER_IMAGE: u32 = 5_000;

/// Defines the limits: each is a field of [`Limits`] and an entry of [`Limit::ALL`].
macro_rules! limits {
    ($($(#[$doc:meta])* $field:ident, $name:literal: $default:expr, up to $max:expr, $meaning:literal;)+) => {
        /// The limits of a deployment (`contract/decisions.md` 12).
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct Limits {
            $($(#[$doc])* pub $field: u32,)+
        }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($field: $default,)+ }
            }
        }

        impl Limit {
            /// Every limit.
            pub const ALL: &[Self] = &[$(Self {
                name: $name,
                meaning: $meaning,
                max: $max,
                field: |limits| &mut limits.$field,
            },)+];
        }
    };
}

limits! {
    /// Recipients of one image.
    members_per_image, "members-per-image":
        256, up to MAX_MEMBERS_PER_IMAGE, "projects that one image is shared with";
    /// Recipients of one full-ECS image.
    members_per_full_ecs_image, "members-per-full-ecs-image":
        10, up to MAX_MEMBERS_PER_IMAGE, "the same for a full-ECS image";
    /// Images that one tenant owns.
    images_per_tenant, "images-per-tenant":
        1000, up to u32::MAX, "images that one project owns";
    /// Images that are pending for one tenant. Those that it has decided on are not limited (seed 002).
    pending_per_tenant, "pending-per-tenant":
        10_000, up to u32::MAX, "images that one project has yet to accept or reject";
    /// Images of one owner that are pending for one tenant.
    pending_per_owner, "pending-per-owner":
        100, up to u32::MAX, "of these, images of one owner";
    /// Pairs in the open jobs of one tenant.
    open_pairs_per_tenant, "open-pairs-per-tenant":
        1_000_000, up to u32::MAX, "pairs of image and project in one project's open jobs";
    /// Access keys of one project that are not disabled.
    access_keys_per_project, "access-keys-per-project":
        100, up to u32::MAX, "enabled access keys of one project";
    /// Read units of the table per second that one tenant may use with reads and lists, averaged over a minute. Above
    /// that, its reads get 429 until the bucket is refilled. Each process counts for itself: the server on one
    /// machine, and on AWS each instance of a function. There, a tenant may use that much for each instance that
    /// serves it.
    read_units_per_second, "read-units-per-second":
        5_000, up to u32::MAX, "read units of the table per project, averaged over a minute";
}

/// One of the [`Limits`]: how it is set, and what it means.
#[derive(Clone, Copy)]
pub struct Limit {
    /// The name in a setting.
    pub name: &'static str,
    /// What is limited, for operators.
    pub meaning: &'static str,
    /// The largest value that it may have. The smallest is 1.
    max: u32,
    /// Its field.
    field: fn(&mut Limits) -> &mut u32,
}

impl Limit {
    /// The value of this limit.
    pub fn value(&self, mut limits: Limits) -> u32 {
        *(self.field)(&mut limits)
    }
}

impl Limits {
    /// The read rate of one tenant.
    pub fn read_rate(&self) -> ReadRate {
        ReadRate { units_per_second: self.read_units_per_second }
    }

    /// The default limits, with those settings applied.
    ///
    /// # Errors
    /// [`BadLimit::Duplicate`] if two settings name the same limit.
    pub fn from_settings(settings: &[LimitSetting]) -> Result<Self, BadLimit> {
        for (index, setting) in settings.iter().enumerate() {
            if settings.iter().skip(index + 1).any(|other| other.limit.name == setting.limit.name) {
                return Err(BadLimit::Duplicate(setting.limit.name));
            }
        }
        Ok(settings.iter().copied().collect())
    }

    /// The recipient limit of that image, which depends on its kind.
    pub fn member_limit(&self, image: &ImageHead) -> u32 {
        match image.spec.kind {
            ImageKind::FullEcs { .. } => self.members_per_full_ecs_image,
            ImageKind::SystemDisk | ImageKind::DataDisk => self.members_per_image,
        }
    }
}

/// One setting of the form `name=number`.
#[derive(Clone, Copy)]
pub struct LimitSetting {
    limit: &'static Limit,
    value: u32,
}

impl PartialEq for LimitSetting {
    fn eq(&self, other: &Self) -> bool {
        (self.limit.name, self.value) == (other.limit.name, other.value)
    }
}

impl Eq for LimitSetting {}

impl fmt::Debug for LimitSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.limit.name, self.value)
    }
}

/// Why a text is not a limit setting. The message shows the expected form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadLimit {
    /// No limit has that name, or there is no `=`.
    #[error("expected {}", expected_settings())]
    UnknownName,
    /// The limit is set twice.
    #[error("{0} is set twice; set it once")]
    Duplicate(&'static str),
    /// The value is not a number in range.
    #[error("expected a number from 1 to {max}")]
    OutOfRange {
        /// The largest value that the limit may have.
        max: u32,
    },
}

/// `members-per-image=NUMBER, … or read-units-per-second=NUMBER`.
fn expected_settings() -> String {
    let forms: Vec<_> = Limit::ALL.iter().map(|limit| format!("{}=NUMBER", limit.name)).collect();
    let Some((last, others)) = forms.split_last() else { return String::new() };
    format!("{} or {last}", others.join(", "))
}

impl FromStr for LimitSetting {
    type Err = BadLimit;

    fn from_str(text: &str) -> Result<Self, BadLimit> {
        let (name, value) = text.split_once('=').ok_or(BadLimit::UnknownName)?;
        let limit = Limit::ALL.iter().find(|limit| limit.name == name).ok_or(BadLimit::UnknownName)?;
        let value = value.parse().ok().filter(|value| (1..=limit.max).contains(value));
        Ok(Self { limit, value: value.ok_or(BadLimit::OutOfRange { max: limit.max })? })
    }
}

/// The form in which limits are set: `members-per-image=256,…`.
impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, limit) in Limit::ALL.iter().enumerate() {
            let separator = if index == 0 { "" } else { "," };
            write!(f, "{separator}{}={}", limit.name, limit.value(*self))?;
        }
        Ok(())
    }
}

impl FromIterator<LimitSetting> for Limits {
    /// The default limits, with the settings applied in turn.
    fn from_iter<T: IntoIterator<Item = LimitSetting>>(settings: T) -> Self {
        let mut limits = Self::default();
        for LimitSetting { limit, value } in settings {
            *(limit.field)(&mut limits) = value;
        }
        limits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limit_setting_is_parsed() {
        let limits: Limits = ["members-per-image=3", "members-per-image=5"]
            .iter()
            .map(|t| t.parse::<LimitSetting>().unwrap())
            .collect();
        assert_eq!(limits, Limits { members_per_image: 5, ..Limits::default() });
        let settings: Vec<LimitSetting> =
            ["pending-per-owner=3", "members-per-image=3", "members-per-image=3"]
                .map(|t| t.parse().unwrap())
                .into();
        assert_eq!(Limits::from_settings(&settings), Err(BadLimit::Duplicate("members-per-image")));
        assert_eq!(Limits::from_settings(&settings[..2]), Ok(settings[..2].iter().copied().collect()));
        let limits: Limits =
            ["read-units-per-second=7".parse::<LimitSetting>().unwrap()].into_iter().collect();
        assert_eq!(limits.read_rate(), ReadRate { units_per_second: 7 });
        assert_eq!(
            "read-units-per-second=0".parse::<LimitSetting>(),
            Err(BadLimit::OutOfRange { max: u32::MAX })
        );
        assert_eq!("members-per-image=0".parse::<LimitSetting>(), Err(BadLimit::OutOfRange { max: 5_000 }));
        assert_eq!("members-per-image".parse::<LimitSetting>(), Err(BadLimit::UnknownName));
        assert_eq!("pictures=3".parse::<LimitSetting>(), Err(BadLimit::UnknownName));
    }

    #[test]
    fn each_limit_is_named_after_its_field() {
        let fields = format!("{:?}", Limits::default()).replace('_', "-");
        let names: Vec<_> = Limit::ALL.iter().map(|limit| format!("{}: ", limit.name)).collect();
        assert!(names.iter().all(|name| fields.contains(name)), "{names:?}");
        assert_eq!(fields.matches(": ").count(), names.len());
        let shown = "members-per-image=256,members-per-full-ecs-image=10,images-per-tenant=1000,\
                     pending-per-tenant=10000,pending-per-owner=100,open-pairs-per-tenant=1000000,\
                     access-keys-per-project=100,read-units-per-second=5000";
        assert_eq!(Limits::default().to_string(), shown);
    }

    #[test]
    fn limits_round_trip_through_text() {
        let limits = Limits { members_per_image: 3, read_units_per_second: 7, ..Limits::default() };
        let shown = limits.to_string();
        let read: Limits = shown.split(',').map(|text| text.parse::<LimitSetting>().unwrap()).collect();
        assert_eq!(read, limits);
    }
}
