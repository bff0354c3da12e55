//! Whose tokens a local server believes besides its own: those of an identity provider, of a Keystone, or of both.

use std::path::PathBuf;

use clap::Args;
use imageshare::auth::{
    Authenticator, BadCertificateAuthorities, BadUrl, CertificateAuthorities, ClaimPaths, ExpectedClaims,
    loggable_address,
};

use crate::keys::ISSUER;

/// Why somebody's tokens cannot be checked.
#[derive(Debug, thiserror::Error)]
pub enum IssuersError {
    /// The key set has no address that can be asked safely.
    #[error("--jwks: {0}")]
    Jwks(BadUrl),
    /// The Keystone has none.
    #[error("--keystone: {0}")]
    Keystone(BadUrl),
    /// The certificates cannot be used.
    #[error("--issuer-ca: {0}")]
    Authorities(#[from] BadCertificateAuthorities),
}

/// Who issues tokens besides this server.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Tokens of others")]
pub struct IssuerArguments {
    /// Accept tokens that are signed with a key of the JSON Web Key Set at this address
    #[arg(long, value_name = "URL")]
    pub jwks: Option<String>,
    /// Of these, accept only those whose iss is this
    #[arg(long, value_name = "NAME")]
    pub issuer: Option<String>,
    /// Of these, accept only those whose aud is or holds this
    #[arg(long, value_name = "NAME")]
    pub audience: Option<String>,
    /// Where these say for whom they speak, if not in `project_id`, `account_id` and `roles`: `project=NAME`, `account=NAME` and
    /// `roles=NAME`, joined by commas, with dots where a claim stands in another one (`roles=realm_access.roles`)
    #[arg(long, value_name = "NAME=CLAIM,…", requires = "jwks")]
    pub claims: Option<ClaimPaths>,
    /// Accept tokens that the Keystone at this address knows
    #[arg(long, value_name = "URL")]
    pub keystone: Option<String>,
    /// Trust the certificate authorities in this PEM file, besides the system's, when asking for keys and tokens
    #[arg(long, value_name = "FILE")]
    pub issuer_ca: Option<PathBuf>,
}

impl IssuerArguments {
    /// Whether something is expected of tokens that no key could have signed.
    pub(crate) fn has_issuer_without_jwks(&self) -> bool {
        self.jwks.is_none() && (self.issuer.is_some() || self.audience.is_some())
    }

    /// Whose tokens a server believes, itself among them, for the log: without what an address may hold of a password.
    pub fn issuer_names(&self) -> Vec<String> {
        let mut names = vec![ISSUER.to_owned()];
        for url in [&self.jwks, &self.keystone].into_iter().flatten() {
            names.push(loggable_address(url).to_owned());
        }
        names.extend(self.issuer.as_ref().map(|issuer| format!("iss={issuer}")));
        names.extend(self.audience.as_ref().map(|audience| format!("aud={audience}")));
        names
    }

    /// The same authenticator, believing their tokens too.
    ///
    /// # Errors
    /// [`IssuersError`] names the argument that is wrong.
    pub(crate) fn add_to(&self, authenticator: Authenticator) -> Result<Authenticator, IssuersError> {
        let authorities = match &self.issuer_ca {
            Some(path) => CertificateAuthorities::from_file(path)?,
            None => CertificateAuthorities::default(),
        };
        let authenticator = match &self.jwks {
            Some(url) => {
                let (issuer, audience) = (self.issuer.clone(), self.audience.clone());
                let claims = self.claims.clone().unwrap_or_default();
                let expected = ExpectedClaims { issuer, audience, claim_paths: claims };
                authenticator.with_jwks_url(url, expected, &authorities).map_err(IssuersError::Jwks)?
            }
            None => authenticator,
        };
        match &self.keystone {
            Some(url) => authenticator.with_keystone(url, &authorities).map_err(IssuersError::Keystone),
            None => Ok(authenticator),
        }
    }
}
