//! Images, memberships, jobs: plain types and pure functions. Nothing here knows HTTP or DynamoDB, and nothing
//! here reads a clock but [`Stamp::now`] and [`Timestamp::now`].

mod caller;
mod ids;
mod limits;
mod time;

pub use self::caller::{Caller, Role};
pub use self::ids::{ID_FORM, ImageId, JobId, MalformedId, Stamp, TenantId};
pub use self::limits::{BadLimit, Limit, Limits, NAMES_PER_BATCH};
pub use self::time::Timestamp;
