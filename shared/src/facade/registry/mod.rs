//! What operators and tenants register besides images, in the style of IMS: the directory of tenants, the vaults into
//! which full-ECS images are accepted, the key grants that sharing an encrypted image requires, and the owners that a
//! project trusts or blocks.
//!
//! One operation, one file, in one order: route, handler, wire types, tests. Errors are those of IMS.

pub mod key_grants;
pub mod owners;
pub mod tenants;
pub mod vaults;

use crate::http::object_body as body;
