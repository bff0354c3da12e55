//! Keys that are kept in AWS: in a parameter of the Systems Manager Parameter Store (SSM) or a secret of Secrets Manager.
//!
//! A [`SecretReference`] in a setting says where, a [`SecretReader`] reads it, and the cache of
//! [`refreshed`](super::refreshed) decides when. Both services speak AWS JSON 1.1 with Signature Version 4, and only one call of
//! each is needed. So it is made with the signer and the HTTP client that DynamoDB's SDK brings along: this module adds
//! no crate to the binaries. An SDK would add a client, with its runtime plugins, endpoint rules and types, for each service.

mod reader;
mod reference;

use std::time::Duration;

pub use self::reader::{SecretReader, SecretStores};
pub(super) use self::reference::RESERVED_IDS;
pub use self::reference::{BadSecretReference, SecretReference};
use super::refreshed::RefreshPolicy;

/// A secret that is in use is read again after five minutes, in the background. A request waits for it only if the function
/// has been idle for so long that a removed key would otherwise be accepted once more.
pub(super) const SECRET_POLICY: RefreshPolicy = RefreshPolicy {
    background_age: Duration::from_mins(5),
    blocking_age: Duration::from_mins(10),
    first_fetch_interval: Duration::from_secs(3),
};
