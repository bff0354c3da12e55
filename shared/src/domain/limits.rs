//! The limits that a deployment sets.

use std::fmt;
use std::str::FromStr;

use super::{ImageHead, ImageKind, ReadRate};

/// The limits of a deployment (`contract/decisions.md` 12).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Recipients of one image.
    pub members_per_image: u32,
    /// Recipients of one full-ECS image.
    pub members_per_full_ecs_image: u32,
    /// Images that one tenant owns.
    pub images_per_tenant: u32,
    /// Images that are pending for one tenant. Those that it has decided on are not limited (seed 002).
    pub pending_per_tenant: u32,
    /// Images of one owner that are pending for one tenant.
    pub pending_per_owner: u32,
    /// Pairs in the open jobs of one tenant.
    pub open_pairs_per_tenant: u32,
    /// Access keys of one project that are not disabled.
    pub access_keys_per_project: u32,
    /// Read units of the table per second that one tenant may use with reads and lists, averaged over a minute. Above
    /// that, its reads get 429 until the bucket is refilled. Each process counts for itself: the server on one
    /// machine, and on AWS each instance of a function. There, a tenant may use that much for each instance that
    /// serves it.
    pub read_units_per_second: u32,
}

/// The maximum number of images, and of projects, in one batch request (`contract/decisions.md` 13).
pub const MAX_NAMES_PER_BATCH: usize = 100;

/// The highest recipient limit that a deployment may set. The job that ends the memberships of a deleted image names
/// all of them in one item, which DynamoDB limits to 400 KB; one of the longest ids takes 67 bytes.
pub const MAX_MEMBERS_PER_IMAGE: u32 = 5_000;

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
            if settings.iter().skip(index + 1).any(|other| other.name == setting.name) {
                return Err(BadLimit::Duplicate(setting.name.text()));
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

impl Default for Limits {
    fn default() -> Self {
        Self {
            members_per_image: 256,
            members_per_full_ecs_image: 10,
            images_per_tenant: 1000,
            pending_per_tenant: 10_000,
            pending_per_owner: 100,
            open_pairs_per_tenant: 1_000_000,
            access_keys_per_project: 100,
            read_units_per_second: 5_000,
        }
    }
}

/// One setting of the form `name=number`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitSetting {
    name: LimitName,
    value: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LimitName {
    MembersPerImage,
    MembersPerFullEcsImage,
    ImagesPerTenant,
    PendingPerTenant,
    PendingPerOwner,
    OpenPairsPerTenant,
    AccessKeysPerProject,
    ReadUnitsPerSecond,
}

impl LimitName {
    fn text(self) -> &'static str {
        match self {
            Self::MembersPerImage => "members-per-image",
            Self::MembersPerFullEcsImage => "members-per-full-ecs-image",
            Self::ImagesPerTenant => "images-per-tenant",
            Self::PendingPerTenant => "pending-per-tenant",
            Self::PendingPerOwner => "pending-per-owner",
            Self::OpenPairsPerTenant => "open-pairs-per-tenant",
            Self::AccessKeysPerProject => "access-keys-per-project",
            Self::ReadUnitsPerSecond => "read-units-per-second",
        }
    }
}

/// Why a text is not a limit setting. The message shows the expected form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadLimit {
    /// No limit has that name, or there is no `=`.
    #[error(
        "expected members-per-image=NUMBER, members-per-full-ecs-image=NUMBER, images-per-tenant=NUMBER, pending-per-tenant=NUMBER, pending-per-owner=NUMBER, open-pairs-per-tenant=NUMBER, access-keys-per-project=NUMBER or read-units-per-second=NUMBER"
    )]
    UnknownName,
    /// The limit is set twice.
    #[error("{0} is set twice; set it once")]
    Duplicate(&'static str),
    /// The value is not a number in range.
    #[error("expected a number from 1 to {most}")]
    OutOfRange {
        /// The largest value that the limit may have.
        most: u32,
    },
}

impl FromStr for LimitSetting {
    type Err = BadLimit;

    fn from_str(text: &str) -> Result<Self, BadLimit> {
        let (name, most) = match text.split_once('=').map(|(name, _)| name) {
            Some("members-per-image") => (LimitName::MembersPerImage, MAX_MEMBERS_PER_IMAGE),
            Some("members-per-full-ecs-image") => (LimitName::MembersPerFullEcsImage, MAX_MEMBERS_PER_IMAGE),
            Some("images-per-tenant") => (LimitName::ImagesPerTenant, u32::MAX),
            Some("pending-per-tenant") => (LimitName::PendingPerTenant, u32::MAX),
            Some("pending-per-owner") => (LimitName::PendingPerOwner, u32::MAX),
            Some("open-pairs-per-tenant") => (LimitName::OpenPairsPerTenant, u32::MAX),
            Some("access-keys-per-project") => (LimitName::AccessKeysPerProject, u32::MAX),
            Some("read-units-per-second") => (LimitName::ReadUnitsPerSecond, u32::MAX),
            _ => return Err(BadLimit::UnknownName),
        };
        let value = text.split_once('=').and_then(|(_, value)| value.parse().ok());
        match value {
            Some(value) if (1..=most).contains(&value) => Ok(Self { name, value }),
            _ => Err(BadLimit::OutOfRange { most }),
        }
    }
}

/// The form in which limits are set: `members-per-image=256,…`.
impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            members_per_image,
            members_per_full_ecs_image,
            images_per_tenant,
            pending_per_tenant,
            pending_per_owner,
            open_pairs_per_tenant,
            access_keys_per_project,
            read_units_per_second,
        } = self;
        write!(
            f,
            "members-per-image={members_per_image},members-per-full-ecs-image={members_per_full_ecs_image},\
             images-per-tenant={images_per_tenant},pending-per-tenant={pending_per_tenant},\
             pending-per-owner={pending_per_owner},open-pairs-per-tenant={open_pairs_per_tenant},\
             access-keys-per-project={access_keys_per_project},read-units-per-second={read_units_per_second}"
        )
    }
}

impl FromIterator<LimitSetting> for Limits {
    /// The default limits, with the settings applied in turn.
    fn from_iter<T: IntoIterator<Item = LimitSetting>>(settings: T) -> Self {
        let mut limits = Self::default();
        for LimitSetting { name, value } in settings {
            match name {
                LimitName::MembersPerImage => limits.members_per_image = value,
                LimitName::MembersPerFullEcsImage => limits.members_per_full_ecs_image = value,
                LimitName::ImagesPerTenant => limits.images_per_tenant = value,
                LimitName::PendingPerTenant => limits.pending_per_tenant = value,
                LimitName::PendingPerOwner => limits.pending_per_owner = value,
                LimitName::OpenPairsPerTenant => limits.open_pairs_per_tenant = value,
                LimitName::AccessKeysPerProject => limits.access_keys_per_project = value,
                LimitName::ReadUnitsPerSecond => limits.read_units_per_second = value,
            }
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
            Err(BadLimit::OutOfRange { most: u32::MAX })
        );
        assert_eq!("members-per-image=0".parse::<LimitSetting>(), Err(BadLimit::OutOfRange { most: 5_000 }));
        assert_eq!("members-per-image".parse::<LimitSetting>(), Err(BadLimit::UnknownName));
        assert_eq!("pictures=3".parse::<LimitSetting>(), Err(BadLimit::UnknownName));
    }

    #[test]
    fn limits_round_trip_through_text() {
        let limits = Limits { members_per_image: 3, read_units_per_second: 7, ..Limits::default() };
        let shown = limits.to_string();
        let read: Limits = shown.split(',').map(|text| text.parse::<LimitSetting>().unwrap()).collect();
        assert_eq!(read, limits);
    }
}
