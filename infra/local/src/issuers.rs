//! The issuers whose tokens a local server accepts besides its own: an identity provider, a Keystone, or both.

use std::path::PathBuf;

use clap::Args;
use imageshare::auth::{
    Authenticator, BadCertificateAuthorities, BadUrl, CertificateAuthorities, ClaimPaths, ClientSecret,
    ExpectedClaims, ProviderSettings, loggable_address,
};

use crate::keys::ISSUER;

/// The variable with the secret of the console's client. It is no argument, because every user of the machine can see the
/// arguments of a process.
pub(crate) const CONSOLE_CLIENT_SECRET: &str = "IMAGESHARE_CONSOLE_CLIENT_SECRET";

/// Why an issuer's tokens cannot be verified.
#[derive(Debug, thiserror::Error)]
pub enum IssuersError {
    /// The key set's address is invalid, or not safe.
    #[error("--jwks: {0}")]
    Jwks(BadUrl),
    /// The Keystone's address is invalid, or not safe.
    #[error("--keystone: {0}")]
    Keystone(BadUrl),
    /// The provider's address is invalid, or not safe.
    #[error("--issuer: {0}")]
    Provider(BadUrl),
    /// The certificates cannot be used.
    #[error("--issuer-ca: {0}")]
    Authorities(#[from] BadCertificateAuthorities),
}

/// The arguments for issuers besides this server.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Tokens of other issuers")]
pub struct IssuerArguments {
    /// Accept tokens that are signed with a key of the JSON Web Key Set at this address
    #[arg(long, value_name = "URL")]
    pub jwks: Option<String>,
    /// Of these, accept only tokens with this iss
    #[arg(long, value_name = "NAME")]
    pub issuer: Option<String>,
    /// Of these, accept only tokens whose aud is or contains this
    #[arg(long, value_name = "NAME")]
    pub audience: Option<String>,
    /// Claims of these that name the caller, if they are not `project_id`, `account_id` and `roles`: `project=NAME`,
    /// `account=NAME` and `roles=NAME`, joined by commas, with dots for nested claims (`roles=realm_access.roles`)
    #[arg(long, value_name = "NAME=CLAIM,…", requires = "jwks")]
    pub claims: Option<ClaimPaths>,
    /// Let people sign in to the console with the OpenID provider of --issuer, which knows the console as this client
    #[arg(long, value_name = "ID", requires = "jwks", requires = "issuer")]
    pub console_client_id: Option<String>,
    /// Accept tokens that the Keystone at this address validates
    #[arg(long, value_name = "URL")]
    pub keystone: Option<String>,
    /// Trust the certificate authorities in this PEM file, besides the system's, when connecting to issuers
    #[arg(long, value_name = "FILE")]
    pub issuer_ca: Option<PathBuf>,
}

impl IssuerArguments {
    /// Whether `--issuer` or `--audience` is set without the `--jwks` whose tokens they restrict.
    pub(crate) fn has_issuer_without_jwks(&self) -> bool {
        self.jwks.is_none() && (self.issuer.is_some() || self.audience.is_some())
    }

    /// Whether there is an issuer besides this server.
    pub(crate) fn has_any(&self) -> bool {
        self.jwks.is_some() || self.keystone.is_some()
    }

    /// The names of all issuers, for the log, including this server if it has a signing key. Addresses are without a
    /// password.
    pub fn issuer_names(&self, has_signing_key: bool) -> Vec<String> {
        let mut names: Vec<_> = has_signing_key.then(|| ISSUER.to_owned()).into_iter().collect();
        for url in [&self.jwks, &self.keystone].into_iter().flatten() {
            names.push(loggable_address(url).to_owned());
        }
        names.extend(self.issuer.as_ref().map(|issuer| format!("iss={issuer}")));
        names.extend(self.audience.as_ref().map(|audience| format!("aud={audience}")));
        names
    }

    /// Adds these issuers to an authenticator.
    ///
    /// # Errors
    /// [`IssuersError`] if an address or the file of certificates is invalid; it names the argument.
    pub(crate) fn add_to(&self, authenticator: Authenticator) -> Result<Authenticator, IssuersError> {
        let authorities = match &self.issuer_ca {
            Some(path) => CertificateAuthorities::from_file(path)?,
            None => CertificateAuthorities::default(),
        };
        let authenticator = match &self.jwks {
            Some(url) => {
                let (issuer, audience) = (self.issuer.clone(), self.audience.clone());
                let claim_paths = self.claims.clone().unwrap_or_default();
                let expected = ExpectedClaims { issuer, audience, claim_paths };
                authenticator.with_jwks_url(url, expected, &authorities).map_err(IssuersError::Jwks)?
            }
            None => authenticator,
        };
        let authenticator = self.add_provider(authenticator, &authorities)?;
        match &self.keystone {
            Some(url) => authenticator.with_keystone(url, &authorities).map_err(IssuersError::Keystone),
            None => Ok(authenticator),
        }
    }

    /// Adds the provider through which people sign in to the console, if there is a client for it. The client's secret is in
    /// the environment.
    fn add_provider(
        &self,
        authenticator: Authenticator,
        authorities: &CertificateAuthorities,
    ) -> Result<Authenticator, IssuersError> {
        let (Some(client_id), Some(issuer)) = (self.console_client_id.clone(), self.issuer.clone()) else {
            return Ok(authenticator);
        };
        let secret = std::env::var(CONSOLE_CLIENT_SECRET).ok().filter(|secret| !secret.is_empty());
        let client_secret = secret.map_or(ClientSecret::None, ClientSecret::Fixed);
        let settings = ProviderSettings { issuer, client_id, client_secret };
        authenticator.with_sign_in_provider(settings, authorities).map_err(IssuersError::Provider)
    }
}
