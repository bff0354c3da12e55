//! The kinds of items: for each the names of its attributes, how it is written, and how it is read.

pub mod access_key;
pub mod directory_entry;
pub mod idempotency;
pub mod image;
pub mod job;
pub mod key_grant;
pub mod membership;
pub mod tenant;
pub mod vault;
