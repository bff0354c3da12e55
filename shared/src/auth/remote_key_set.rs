//! A JSON Web Key Set that is kept elsewhere: published at its issuer's URL, or in a parameter or secret of AWS.

use std::sync::Arc;
use std::time::Duration;

use super::certificate_authorities::CertificateAuthorities;
use super::issuer_client::{BadUrl, IssuerClient};
use super::key_set::{BadKeySet, KeySet};
use super::refreshed::{FetchError, RefreshPolicy, Refreshed, Source};
use super::secrets::{SECRET_POLICY, SecretReader};

/// The keys at a URL are some other service's, so they are fetched less often than a secret; a request waits for them.
const URL_POLICY: RefreshPolicy = RefreshPolicy {
    background_age: Duration::from_mins(10),
    blocking_age: Duration::from_mins(10),
    first_fetch_interval: Duration::from_secs(1),
};

/// A key set with its cache.
pub(super) type RemoteKeySet = Refreshed<KeySetSource>;

/// Where a key set is kept.
#[derive(Debug)]
pub(super) enum KeySetSource {
    /// At a URL of the issuer. A set without usable keys is a valid response, which removes all cached keys.
    Url(IssuerClient),
    /// In a parameter or secret, configured for this service. A set that is not valid as a whole is not used.
    Secret(SecretReader),
}

impl KeySetSource {
    /// The key set at a URL.
    ///
    /// # Errors
    /// [`BadUrl`] if the URL is invalid, or it is neither `https://` nor loopback.
    pub(super) fn at_url(
        url: &str,
        authorities: &CertificateAuthorities,
    ) -> Result<Arc<RemoteKeySet>, BadUrl> {
        Ok(Refreshed::new(Self::Url(IssuerClient::new(url, authorities)?), URL_POLICY))
    }

    /// The key set in a parameter or secret.
    pub(super) fn in_secret(secret: SecretReader) -> Arc<RemoteKeySet> {
        Refreshed::new(Self::Secret(secret), SECRET_POLICY)
    }

    /// Whether the key set is a part of the deployment rather than of another service.
    pub(super) fn is_secret(&self) -> bool {
        matches!(self, Self::Secret(_))
    }
}

impl Source for KeySetSource {
    type Value = KeySet;

    async fn fetch(&self) -> Result<Option<KeySet>, FetchError> {
        match self {
            Self::Url(client) => fetch_published(client).await.map_err(FetchError::from),
            Self::Secret(secret) => secret.read_as(KeySet::parse).await.map(Some),
        }
    }
}

/// Fetches the set of an issuer; `None` if it has no usable key.
async fn fetch_published(client: &IssuerClient) -> Result<Option<KeySet>, String> {
    let (status, body) = client.get("", &[("accept", "application/json")]).await?;
    if status != 200 {
        return Err(format!("the key set's URL answered {status}"));
    }
    match KeySet::parse_published(&String::from_utf8_lossy(&body)) {
        Ok(keys) => Ok(Some(keys)),
        Err(BadKeySet::NoKeys) => Ok(None),
        Err(problem) => Err(problem.to_string()),
    }
}
