//! The limits that a deployment sets.

use std::fmt;
use std::str::FromStr;

use super::{ImageHead, Kind, ReadRate};

/// How many of a thing there may be (`contract/decisions.md` 12).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Recipients of one image.
    pub members_per_image: u32,
    /// Recipients of one full-ECS image.
    pub members_per_full_ecs_image: u32,
    /// Images that one tenant owns.
    pub images_per_tenant: u32,
    /// Images that wait for one tenant's answer. What it has answered is not limited (seed 002).
    pub pending_per_tenant: u32,
    /// Images of one owner that wait for one tenant's answer.
    pub pending_per_owner: u32,
    /// Pairs of one tenant's jobs that have not ended.
    pub open_pairs_per_tenant: u32,
    /// Access keys of one project that are not disabled.
    pub access_keys_per_project: u32,
    /// Read units of the table that one tenant may use a second with reads and lists, on average over a minute: what is
    /// above is refused with 429 until it is paid. Counted by each process for itself: by the server on one machine, and on
    /// AWS by each instance of a function, so that a tenant may use as many times that much as instances serve it.
    pub read_units_per_second: u32,
}

/// Images and projects that one batch request may name, each (`contract/decisions.md` 13).
pub const NAMES_PER_BATCH: usize = 100;

/// The most recipients that a deployment may allow an image: the job that ends a deleted image's memberships names them all in
/// one item, which DynamoDB limits to 400 KB: 67 bytes for each of the longest ids.
pub const MOST_MEMBERS_PER_IMAGE: u32 = 5_000;

impl Limits {
    /// How fast one tenant may read.
    pub fn read_rate(&self) -> ReadRate {
        ReadRate { units_per_second: self.read_units_per_second }
    }

    /// The defaults, changed by those settings.
    ///
    /// # Errors
    /// [`BadLimit::Twice`] where two of them name the same limit.
    pub fn of(settings: &[Limit]) -> Result<Self, BadLimit> {
        for (place, setting) in settings.iter().enumerate() {
            if settings.iter().skip(place + 1).any(|other| other.name == setting.name) {
                return Err(BadLimit::Twice(setting.name.text()));
            }
        }
        Ok(settings.iter().copied().collect())
    }

    /// The most recipients that an image may have.
    pub fn members_of(&self, image: &ImageHead) -> u32 {
        match image.make.kind {
            Kind::FullEcs { .. } => self.members_per_full_ecs_image,
            Kind::SystemDisk | Kind::DataDisk => self.members_per_image,
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
pub struct Limit {
    name: Name,
    value: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    MembersPerImage,
    MembersPerFullEcsImage,
    ImagesPerTenant,
    PendingPerTenant,
    PendingPerOwner,
    OpenPairsPerTenant,
    AccessKeysPerProject,
    ReadUnitsPerSecond,
}

impl Name {
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

/// A text that is no limit; says what one looks like.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadLimit {
    /// No such limit, or no `=`.
    #[error(
        "expected members-per-image=NUMBER, members-per-full-ecs-image=NUMBER, images-per-tenant=NUMBER, pending-per-tenant=NUMBER, pending-per-owner=NUMBER, open-pairs-per-tenant=NUMBER, access-keys-per-project=NUMBER or read-units-per-second=NUMBER"
    )]
    Name,
    /// The limit is named twice, and which is meant is not known.
    #[error("{0} is named twice; name it once")]
    Twice(&'static str),
    /// The value is not a number in range.
    #[error("expected a number from 1 to {most}")]
    Value {
        /// The largest value that the limit may have.
        most: u32,
    },
}

impl FromStr for Limit {
    type Err = BadLimit;

    fn from_str(text: &str) -> Result<Self, BadLimit> {
        let (name, most) = match text.split_once('=').map(|(name, _)| name) {
            Some("members-per-image") => (Name::MembersPerImage, MOST_MEMBERS_PER_IMAGE),
            Some("members-per-full-ecs-image") => (Name::MembersPerFullEcsImage, MOST_MEMBERS_PER_IMAGE),
            Some("images-per-tenant") => (Name::ImagesPerTenant, u32::MAX),
            Some("pending-per-tenant") => (Name::PendingPerTenant, u32::MAX),
            Some("pending-per-owner") => (Name::PendingPerOwner, u32::MAX),
            Some("open-pairs-per-tenant") => (Name::OpenPairsPerTenant, u32::MAX),
            Some("access-keys-per-project") => (Name::AccessKeysPerProject, u32::MAX),
            Some("read-units-per-second") => (Name::ReadUnitsPerSecond, u32::MAX),
            _ => return Err(BadLimit::Name),
        };
        let value = text.split_once('=').and_then(|(_, value)| value.parse().ok());
        match value {
            Some(value) if (1..=most).contains(&value) => Ok(Self { name, value }),
            _ => Err(BadLimit::Value { most }),
        }
    }
}

/// In the form in which limits are set: `members-per-image=256,…`.
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

impl FromIterator<Limit> for Limits {
    /// The defaults, changed by each setting in turn.
    fn from_iter<T: IntoIterator<Item = Limit>>(settings: T) -> Self {
        let mut limits = Self::default();
        for Limit { name, value } in settings {
            match name {
                Name::MembersPerImage => limits.members_per_image = value,
                Name::MembersPerFullEcsImage => limits.members_per_full_ecs_image = value,
                Name::ImagesPerTenant => limits.images_per_tenant = value,
                Name::PendingPerTenant => limits.pending_per_tenant = value,
                Name::PendingPerOwner => limits.pending_per_owner = value,
                Name::OpenPairsPerTenant => limits.open_pairs_per_tenant = value,
                Name::AccessKeysPerProject => limits.access_keys_per_project = value,
                Name::ReadUnitsPerSecond => limits.read_units_per_second = value,
            }
        }
        limits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_name_and_a_number() {
        let limits: Limits = ["members-per-image=3", "members-per-image=5"]
            .iter()
            .map(|t| t.parse::<Limit>().unwrap())
            .collect();
        assert_eq!(limits, Limits { members_per_image: 5, ..Limits::default() });
        let settings: Vec<Limit> = ["pending-per-owner=3", "members-per-image=3", "members-per-image=3"]
            .map(|t| t.parse().unwrap())
            .into();
        assert_eq!(Limits::of(&settings), Err(BadLimit::Twice("members-per-image")));
        assert_eq!(Limits::of(&settings[..2]), Ok(settings[..2].iter().copied().collect()));
        let limits: Limits = ["read-units-per-second=7".parse::<Limit>().unwrap()].into_iter().collect();
        assert_eq!(limits.read_rate(), ReadRate { units_per_second: 7 });
        assert_eq!("read-units-per-second=0".parse::<Limit>(), Err(BadLimit::Value { most: u32::MAX }));
        assert_eq!("members-per-image=0".parse::<Limit>(), Err(BadLimit::Value { most: 5_000 }));
        assert_eq!("members-per-image".parse::<Limit>(), Err(BadLimit::Name));
        assert_eq!("pictures=3".parse::<Limit>(), Err(BadLimit::Name));
    }

    #[test]
    fn limits_are_shown_as_they_are_set() {
        let limits = Limits { members_per_image: 3, read_units_per_second: 7, ..Limits::default() };
        let shown = limits.to_string();
        let read: Limits = shown.split(',').map(|text| text.parse::<Limit>().unwrap()).collect();
        assert_eq!(read, limits);
    }
}
