//! The kinds of items. Each module has the attributes of one kind, and how it is written and parsed.

pub mod access_key;
pub mod directory_entry;
pub mod idempotency;
pub mod image;
pub mod job;
pub mod job_entry;
pub mod key_grant;
pub mod membership;
pub mod message;
pub mod owner_policy;
pub mod share_rule;
pub mod tenant;
pub mod vault;
