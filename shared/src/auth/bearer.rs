//! What a token has to say, and what it proves.

use std::sync::Arc;

use super::access_rules::AccessRules;
use super::claim_paths::ClaimPaths;
use crate::domain::{Caller, Timestamp};

/// What a token must say beside its signature.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExpectedClaims {
    /// The only accepted `iss`; without it, any issuer that signs with one of the keys will do.
    pub issuer: Option<String>,
    /// What `aud` must be or hold; without it, `aud` is not looked at.
    pub audience: Option<String>,
    /// Where the token says for whom it speaks.
    pub claim_paths: ClaimPaths,
}

/// Who bears a token, and how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearer {
    /// Who.
    pub caller: Caller,
    /// Since when the token is good, where it says so.
    pub issued: Option<Timestamp>,
    /// Until when.
    pub expires: Timestamp,
    /// What requests it is good for, where it is not good for all.
    pub access_rules: Option<Arc<AccessRules>>,
}
