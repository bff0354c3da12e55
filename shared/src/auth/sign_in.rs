//! Sign-in to the console with the deployment's [provider](super::provider).

use std::sync::Arc;

use super::authenticator::Authenticator;
use super::certificate_authorities::CertificateAuthorities;
use super::issued_token::IssuedToken;
use super::issuer_client::BadUrl;
use super::provider::{ProviderSettings, SignInAttempt, SignInError, SignInProvider};
use crate::domain::Timestamp;

impl Authenticator {
    /// Lets people sign in to the console with an OpenID provider. Fetches nothing yet.
    ///
    /// # Errors
    /// [`BadUrl`] if the issuer is no URL, or not a safe one: it is neither `https://` nor loopback.
    pub fn with_sign_in_provider(
        self,
        settings: ProviderSettings,
        authorities: &CertificateAuthorities,
    ) -> Result<Self, BadUrl> {
        Ok(Self { provider: Some(Arc::new(SignInProvider::new(settings, authorities)?)), ..self })
    }

    /// The provider through which people sign in to the console, if there is one.
    pub fn sign_in_provider(&self) -> Option<&SignInProvider> {
        self.provider.as_deref()
    }

    /// Ends a sign-in with the provider: redeems the code that it has sent back, verifies the ID token, and issues the token of a
    /// session that ends no later. One request, besides those for endpoints, keys and secret that are not known.
    ///
    /// # Errors
    /// [`SignInError`] if the provider refuses or does not answer, or its token is not accepted.
    pub async fn finish_sign_in(
        &self,
        attempt: &SignInAttempt,
        code: &str,
        redirect_uri: &str,
        now: Timestamp,
    ) -> Result<IssuedToken, SignInError> {
        let provider = self.sign_in_provider().ok_or(SignInError::NotConfigured)?;
        let token = provider.redeem(code, &attempt.verifier, redirect_uri, now).await?;
        let expected = (provider.issuer.as_str(), provider.client_id.as_str());
        let bearer = self.verify_id_token(&token, expected, &attempt.nonce, now).await?;
        let session = self.keyring().issue_session(&bearer.caller, bearer.expires, now);
        session.ok_or(SignInError::NotConfigured)
    }
}
