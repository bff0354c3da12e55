//! What operators and tenants register besides images, in the manner of IMS: the directory of tenants, the vaults into which
//! full-ECS images are accepted, and the grants of keys without which encrypted ones are not shared.
//!
//! One operation, one file, in one order: the route, the answer, the wire types, the tests. Errors are those of IMS.

mod body;
pub mod key_grants;
pub mod tenants;
pub mod vaults;
