//! Identifiers that are validated when they are parsed, so that no code behind the facades gets a malformed one.
//!
//! An id never contains `#`, `/` or a control character: the table's keys are joined with `#`, and an API gateway
//! passes on path parameters percent-decoded (`contract/gateway.md` 5.3).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha1::{Digest, Sha1};
use uuid::Uuid;

use super::time::Timestamp;

/// The format of an image or tenant id (`contract/decisions.md` 20).
pub const ID_FORMAT: &str = "1 to 64 characters of A-Z a-z 0-9 _ . -";

/// The error for a malformed id. It does not contain the text: the caller knows it, and the log must not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}")]
pub struct MalformedId {
    /// The expected format, in words.
    pub expected: &'static str,
}

fn is_valid_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
        && !text.bytes().all(|b| b == b'.')
}

macro_rules! plain_id {
    ($(#[$doc:meta])* $name:ident) => {
        plain_id! { $(#[$doc])* $name, std::convert::identity }
    };
    ($(#[$doc:meta])* $name:ident, $canonical:path) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The id as it appears in requests and responses.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = MalformedId;

            fn from_str(text: &str) -> Result<Self, MalformedId> {
                Self::try_from(text.to_owned())
            }
        }

        impl TryFrom<String> for $name {
            type Error = MalformedId;

            fn try_from(text: String) -> Result<Self, MalformedId> {
                if is_valid_id(&text) { Ok(Self($canonical(text))) } else { Err(MalformedId { expected: ID_FORMAT }) }
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
    };
}

/// Converts a UUID with dashes to lower case; any other id stays as it is.
fn lowercase_if_uuid(id: String) -> String {
    if id.len() == 36 && Uuid::try_parse(&id).is_ok() { id.to_ascii_lowercase() } else { id }
}

plain_id! {
    /// The id of an image: a UUID in the OpenStack facades, `m-…` or `ami-…` elsewhere. UUIDs are case-insensitive
    /// (`contract/decisions.md` 32) and kept in lower case.
    ImageId, lowercase_if_uuid
}

plain_id! {
    /// An owner or recipient of images: a project in IMS and Glance, an account in Alibaba. Opaque.
    TenantId
}

plain_id! {
    /// A region, as clients name it.
    Region
}

plain_id! {
    /// The id of an access key, which every signed request names.
    AccessKeyId
}

plain_id! {
    /// The id of a key that encrypts images. The key itself is in the cloud's key service.
    KeyId
}

plain_id! {
    /// The id of a backup vault.
    VaultId
}

plain_id! {
    /// The id of an organization, which groups tenants of the directory.
    OrganizationId
}

plain_id! {
    /// The name of a share rule, unique among the rules of its owner.
    ShareRuleName
}

/// The format of a [`CloudAccountId`].
pub const CLOUD_ACCOUNT_FORMAT: &str = "12 digits";

/// The id of an account at AWS, 12 digits. A tenant of the directory may be bound to one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloudAccountId(String);

impl CloudAccountId {
    /// The id as it appears in requests and events.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CloudAccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for CloudAccountId {
    type Err = MalformedId;

    fn from_str(text: &str) -> Result<Self, MalformedId> {
        let is_account = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
        if is_account {
            Ok(Self(text.to_owned()))
        } else {
            Err(MalformedId { expected: CLOUD_ACCOUNT_FORMAT })
        }
    }
}

impl AccessKeyId {
    /// An id for a new access key. It sorts after those of earlier ones.
    pub fn generate() -> Self {
        Self(Stamp::now().to_string())
    }
}

impl ImageId {
    /// A random id, a version 4 UUID like those of Glance.
    pub fn random() -> Self {
        Self(Uuid::new_v4().to_string())
    }

    /// The id of an image that has a name of its own elsewhere: a version 5 UUID, the same for the same name.
    pub fn derived(name: &str) -> Self {
        /// The namespace of these names, drawn once.
        const NAMESPACE: Uuid = Uuid::from_u128(0x6d4f_5c1e_8b1a_4f0e_9a57_3f0c_2d8e_71b4);
        let digest = Sha1::new().chain_update(NAMESPACE.as_bytes()).chain_update(name).finalize();
        let mut bytes = [0; 16];
        bytes.iter_mut().zip(digest).for_each(|(byte, digit)| *byte = digit);
        Self(uuid::Builder::from_sha1_bytes(bytes).into_uuid().to_string())
    }
}

/// When a request was accepted, unique among all requests: a version 7 UUID, so that stamps order requests.
///
/// The stamps of requests come from a [`Clock`](super::Clock), which ensures that a later request has a greater one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Stamp(Uuid);

impl Stamp {
    /// A stamp of the current time, by the machine's clock, greater than those before it in this process. For what
    /// only needs a unique id: a request gets its stamp from a [`Clock`](super::Clock).
    pub fn now() -> Self {
        Self(Uuid::now_v7())
    }

    /// A stamp above `floor`: of `moment` if that is later than `floor`, else one shortly after `floor`. Two processes
    /// with the same floor get different ones.
    pub(super) fn at(moment: Timestamp, floor: Option<Self>) -> Self {
        let of_moment = Self::first_of(moment)
            .plus(u128::from(fastrand::u64(..)) | u128::from(fastrand::u16(..1024)) << 64);
        match floor {
            Some(floor) if floor >= of_moment => floor.plus(1 + u128::from(fastrand::u64(..1 << 40))),
            _ => of_moment,
        }
    }

    /// The stamp `places` after this one.
    pub(super) fn plus(self, places: u128) -> Self {
        const COUNTER: u128 = (1 << 74) - 1;
        let bits = self.0.as_u128();
        let counter = (bits >> 64 & 0xfff) << 62 | bits & ((1 << 62) - 1);
        let place = ((bits >> 80 << 74) | counter).saturating_add(places);
        let (millis, counter) = (place >> 74, place & COUNTER);
        let (high, low) = (counter >> 62, counter & ((1 << 62) - 1));
        Self(Uuid::from_u128(millis << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low))
    }

    /// The stamp of that moment for what has none: always the same one for the same moment and `id`.
    pub(crate) fn derived(moment: Timestamp, id: Uuid) -> Self {
        Self::first_of(moment).plus(id.as_u128() & ((1 << 74) - 1))
    }

    /// The smallest stamp of a moment: every request accepted earlier has a smaller one.
    pub fn first_of(moment: Timestamp) -> Self {
        let millis = u128::from(moment.unix_millis().unsigned_abs()) & 0xffff_ffff_ffff;
        Self(Uuid::from_u128(millis << 80 | 0x7 << 76 | 0b10 << 62))
    }

    /// The time at which the stamp was made, to the millisecond.
    pub fn time(self) -> Timestamp {
        Timestamp::from_unix_millis(i64::try_from(self.0.as_u128() >> 80).unwrap_or(i64::MAX))
    }
}

impl From<Stamp> for String {
    fn from(stamp: Stamp) -> Self {
        stamp.to_string()
    }
}

impl TryFrom<String> for Stamp {
    type Error = MalformedId;

    fn try_from(text: String) -> Result<Self, MalformedId> {
        text.parse()
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.simple().fmt(f)
    }
}

impl FromStr for Stamp {
    type Err = MalformedId;

    fn from_str(text: &str) -> Result<Self, MalformedId> {
        const EXPECTED: MalformedId = MalformedId { expected: "32 lower-case hexadecimal digits" };
        let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if text.len() != 32 || !text.bytes().all(is_hex) {
            return Err(EXPECTED);
        }
        let uuid = Uuid::try_parse(text).map_err(|_| EXPECTED)?;
        if uuid.get_version_num() == 7 { Ok(Self(uuid)) } else { Err(EXPECTED) }
    }
}

/// The id of a job: the [`Stamp`] of its request, in 32 hexadecimal digits (`contract/ims.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct JobId(pub Stamp);

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for JobId {
    type Err = MalformedId;

    fn from_str(text: &str) -> Result<Self, MalformedId> {
        text.parse().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn id_with_key_or_path_separator_is_rejected() {
        for bad in ["", "a#b", "a/b", "a b", "..", ".", "ü", "a\0", "%2e", &"x".repeat(65)] {
            assert!(bad.parse::<TenantId>().is_err(), "{bad:?}");
        }
        for good in ["9c61004714024f9586705d090530f9fa", "m-gx2x1dhsmusr2", "a.b_c-D", &"x".repeat(64)] {
            assert_eq!(good.parse::<ImageId>().map(String::from).as_deref(), Ok(good));
        }
    }

    #[test]
    fn cloud_account_has_twelve_digits() {
        assert_eq!(
            "012345678901".parse::<CloudAccountId>().map(|id| id.to_string()).as_deref(),
            Ok("012345678901")
        );
        for bad in ["", "01234567890", "0123456789012", "01234567890a", "٠١٢٣٤٥", "01234567890 "] {
            assert!(bad.parse::<CloudAccountId>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn image_uuid_is_case_insensitive() {
        let id = |text: &str| text.parse::<ImageId>().unwrap();
        let lower = "e04a6e73-bd92-485d-b422-1b29db8cf543";
        assert_eq!(id(&lower.to_uppercase()), id(lower));
        assert_ne!(id("m-A"), id("m-a"), "only UUIDs are case-insensitive");
        assert_ne!(lower.to_uppercase().parse::<TenantId>(), lower.parse::<TenantId>());
    }

    #[test]
    fn derived_image_id_is_a_version_5_uuid() {
        let id = ImageId::derived("arn:aws:ec2:eu-west-1:123456789012:image/ami-1");
        assert_eq!(id, ImageId::derived("arn:aws:ec2:eu-west-1:123456789012:image/ami-1"));
        assert_ne!(id, ImageId::derived("arn:aws:ec2:eu-west-1:123456789012:image/ami-2"));
        assert_eq!(Uuid::try_parse(id.as_str()).unwrap().get_version_num(), 5);
    }

    #[test]
    fn stamps_of_one_process_are_increasing() {
        let stamps: Vec<_> = (0..10_000).map(|_| Stamp::now()).collect();
        assert!(stamps.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn next_stamps_are_greater_and_valid() {
        let last = "0192f0c1a000700080000000000000000";
        assert!(last.parse::<Stamp>().is_err());
        for floor in [
            "0192f0c1a00070008000000000000000",
            "0192f0c1a0007fffbfffffffffffffff",
            "ffffffffffff7000bfffffffffffffff",
        ] {
            let floor: Stamp = floor.parse().unwrap();
            for next in [floor.plus(1), floor.plus(1 << 64), Stamp::at(floor.time(), Some(floor))] {
                assert!(next > floor && next.to_string().parse() == Ok(next), "{next}");
            }
        }
        let moment = Timestamp::from_unix_millis(1_730_874_600_778);
        for id in [Uuid::nil(), Uuid::max(), Uuid::new_v4()] {
            let derived = Stamp::derived(moment, id);
            assert_eq!((derived, derived.time()), (Stamp::derived(moment, id), moment));
            assert_eq!(derived.to_string().parse(), Ok(derived));
        }
        let (a, b) = (Stamp::at(moment, None), Stamp::at(moment, None));
        assert!(a != b && a.time() == moment && a >= Stamp::first_of(moment));
    }

    #[test]
    fn stamp_round_trips_and_random_uuid_is_rejected() {
        let stamp = Stamp::now();
        assert_eq!(stamp.to_string().parse(), Ok(stamp));
        assert!(Uuid::new_v4().simple().to_string().parse::<Stamp>().is_err());
        assert!(stamp.to_string().to_uppercase().parse::<Stamp>().is_err());
    }

    proptest! {
        #[test]
        fn parsing_any_text_as_id_never_panics(text in ".{0,80}") {
            if let Ok(id) = text.parse::<ImageId>() {
                prop_assert_eq!(id.as_str(), text);
            }
        }

        #[test]
        fn first_stamp_orders_by_time(millis in 0_i64..0xffff_ffff_ffff) {
            let moment = Timestamp::from_unix_millis(millis);
            prop_assert_eq!(Stamp::first_of(moment).time(), moment);
            if millis > 0 {
                let before = Timestamp::from_unix_millis(millis - 1);
                prop_assert!(Stamp::first_of(before) < Stamp::first_of(moment));
            }
        }
    }
}
