//! Who makes a request.
//!
//! A credential is handed to the module that understands its kind ([`authenticate`] tells them apart): a bearer token
//! ([`signed_token`]), checked against the deployment's keys ([`key_set`], [`remote_key_set`]) or by the [`keystone`] that issued it, or [`issued_token`] here,
//! or a [`signature`] by an access key, whose secret is derived from the deployment's [`master_keys`]. Every kind ends in the same [`Caller`] or the same [`CredentialError`],
//! so that what lies behind does not know how somebody proved who they are.

mod access_rules;
mod algorithm;
mod authenticate;
mod authenticator;
mod bearer;
mod bearer_token;
mod certificate_authorities;
mod claim_paths;
mod error;
mod issued_token;
mod issuer_client;
mod key_set;
mod keyring;
mod keystone;
mod master_keys;
mod remote_key_set;
pub mod signature;
mod signed_token;
mod token_hash;
mod ttl_cache;

#[cfg(test)]
mod tests;

pub use self::access_rules::AccessRules;
pub use self::algorithm::Algorithm;
pub use self::authenticator::Authenticator;
pub use self::bearer::{Bearer, ExpectedClaims};
pub use self::certificate_authorities::{BadCertificateAuthorities, CertificateAuthorities};
pub use self::claim_paths::{BadClaimPaths, ClaimPaths};
pub use self::error::{AuthError, CredentialError};
pub use self::issued_token::IssuedToken;
pub use self::issuer_client::{BadUrl, loggable_address};
pub use self::key_set::{BadKeySet, JwkError};
pub use self::keyring::{Credential, Keyring};
pub use self::master_keys::{BadMasterKeys, MasterKeys, Secret};
