//! Authenticates the caller of a request.
//!
//! [`authenticate`] tells the kinds of credential apart and passes each to its module:
//!
//! * a token of another issuer: [`signed_token`] verifies it with the deployment's keys ([`key_set`],
//!   [`key_material`], [`remote_key_set`]), or the [`keystone`] that issued it describes it;
//! * a token that this deployment issued for an access key: [`issued_token`];
//! * a token of the console, whose session began with neither: [`session_token`];
//! * a [`signature`] by an access key, whose secret is derived from the deployment's [`master_keys`], or stored
//!   encrypted under one ([`sealed_secret`]).
//!
//! People sign in to the console with the deployment's [`provider`], if it has one.
//!
//! Keys of both kinds are configured, or kept elsewhere and cached ([`refreshed`]): at an issuer's URL, or in AWS
//! ([`secrets`]).
//!
//! Each kind ends in the same [`Caller`](crate::domain::Caller) or [`CredentialError`], so that the code behind does
//! not depend on the kind of credential.

mod access_rules;
mod algorithm;
mod authenticate;
mod authenticator;
mod aws_service;
mod bearer;
mod bearer_token;
mod certificate_authorities;
mod claim_paths;
mod error;
mod http_client;
mod issued_token;
mod issuer_client;
mod key_material;
mod key_set;
mod keyring;
mod keystone;
mod master_keys;
mod provider;
mod refreshed;
mod remote_key_set;
mod sealed_secret;
mod secrets;
mod session_token;
mod sign_in;
pub mod signature;
mod signed_token;
mod token_hash;
mod ttl_cache;

#[cfg(test)]
mod tests;

pub use self::access_rules::AccessRules;
pub use self::algorithm::Algorithm;
pub use self::authenticator::Authenticator;
pub use self::aws_service::AwsService;
pub use self::bearer::{Bearer, ExpectedClaims};
pub use self::certificate_authorities::{BadCertificateAuthorities, CertificateAuthorities};
pub use self::claim_paths::{BadClaimPaths, ClaimPaths};
pub use self::error::{AuthError, CredentialError};
pub use self::issued_token::IssuedToken;
pub use self::issuer_client::{BadUrl, loggable_address};
pub use self::key_set::{BadKeySet, JwkError};
pub use self::keyring::{Credential, Keyring};
pub use self::master_keys::{BadMasterKeys, MasterKeys, Secret, UnusableSecret};
pub use self::provider::{ClientSecret, ProviderSettings, SignInAttempt, SignInError, SignInProvider};
pub use self::secrets::{BadSecretReference, SecretReader, SecretReference, SecretStores};
