//! The claims that a token must have, and the bearer that it proves.

use std::sync::Arc;

use super::access_rules::AccessRules;
use super::claim_paths::ClaimPaths;
use crate::domain::{Caller, Timestamp};

/// What a token must claim besides having a valid signature.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExpectedClaims {
    /// The only accepted `iss`; `None` accepts any issuer that signs with one of the keys.
    pub issuer: Option<String>,
    /// What `aud` must be or contain; `None` ignores `aud`.
    pub audience: Option<String>,
    /// The claims that name project, account and roles.
    pub claim_paths: ClaimPaths,
}

/// The bearer of a valid token: its caller, and how long and for which requests the token is valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearer {
    /// The tenant, user and role that the token acts for.
    pub caller: Caller,
    /// When the token was issued, if it says so.
    pub issued: Option<Timestamp>,
    /// When the token expires.
    pub expires: Timestamp,
    /// The only requests that the token may be used for; `None` means all.
    pub access_rules: Option<Arc<AccessRules>>,
}
