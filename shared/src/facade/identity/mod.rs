//! Who may call the service: the access keys of a project, and as much of Keystone as clients need that insist on one
//! (`contract/README.md` 0.1, rows 14 to 18): it issues tokens to holders of access keys.
//!
//! One operation, one file, in one order: the route, the answer, the wire types, the tests. Errors have the one body that every OpenStack and IMS client reads.

mod access_key;
pub mod catalog;
pub mod create_key;
pub mod create_token;
pub mod disable_key;
pub mod domains;
mod error;
pub mod list_keys;
pub mod projects;
pub mod revoke_token;
pub mod show_token;
mod token;
pub mod version;
