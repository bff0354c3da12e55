//! Authentication: the access keys of a project, what a credential may do here, and the Keystone calls that clients insist on (`contract/README.md`
//! 0.1, rows 14 to 18), which issue tokens for access keys.
//!
//! One operation, one file, in one order: route, handler, wire types, tests. Errors have the body that every OpenStack
//! and IMS client reads.

mod access_key;
pub mod catalog;
pub mod create_key;
pub mod create_token;
pub mod disable_key;
pub mod domains;
mod error;
pub mod list_keys;
pub mod projects;
pub mod rename_key;
pub mod revoke_token;
pub mod service;
pub mod show_key;
pub mod show_token;
mod token;
pub mod version;
