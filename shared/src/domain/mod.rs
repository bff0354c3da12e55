//! Images, memberships, jobs: plain types and pure functions. Nothing here knows HTTP or DynamoDB, and nothing
//! here reads a clock but [`Clock`], [`Stamp::now`] and [`Timestamp::now`].

mod access_key;
mod caller;
mod clock;
mod directory;
mod ids;
mod image;
mod iso_time;
mod job;
mod key_grant;
mod limits;
mod member;
mod membership;
mod permission;
mod property_rules;
mod read_rate;
mod step;
mod tenant;
mod time;
mod vault;

pub use self::access_key::AccessKey;
pub use self::caller::{Caller, Role, SYSTEM_PROJECT};
pub use self::clock::{Clock, FUNCTION_SKEW};
pub use self::directory::{Addressees, Entry, NAME_FORM, Name, Named, Unresolved, resolve};
pub use self::ids::{
    AccessKeyId, ID_FORM, ImageId, JobId, KeyId, MalformedId, Region, Stamp, TenantId, VaultId,
};
pub use self::image::{
    BadDetail, DETAILS_BYTES, Details, Encryption, Image, ImageHead, Kind, MOST_TAGS, Make,
    UnknownVisibility, Visibility, is_tag,
};
pub use self::job::{Job, JobStatus, Outcome, Piece, Report, Task};
pub use self::key_grant::KeyGrant;
pub use self::limits::{BadLimit, Limit, Limits, MOST_MEMBERS_PER_IMAGE, NAMES_PER_BATCH};
pub use self::member::Member;
pub use self::membership::{
    Answer, Ended, Membership, NotAMember, SHARES_KEPT, Standing, Status, UnknownStatus,
};
pub use self::permission::{AddedAndRemoved, NotGranted, Permissions, decide_permissions};
pub use self::property_rules::{is_reserved, property};
pub use self::read_rate::{ReadBucket, ReadRate};
pub use self::step::{Change, Decision, Known, Needed, Rules, decide, give_up, needed};
pub use self::tenant::{Inbox, Line, Queue, Tenant};
pub use self::time::Timestamp;
pub use self::vault::{
    MOST_VAULT_GIB, Protection, Reservation, UnknownWord, Vault, VaultDetails, VaultKey, VaultStatus,
};
