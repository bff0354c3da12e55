//! Who may call the service: the access keys of a project.
//!
//! One operation, one file, in one order: the route, the answer, the wire types, the tests. The paths are this service's
//! own; errors have the one body that every OpenStack and IMS client reads.

mod access_key;
pub mod create_key;
pub mod disable_key;
mod error;
pub mod list_keys;

pub use self::error::Error;
