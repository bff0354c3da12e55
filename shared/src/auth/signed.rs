//! Finds out who makes a request, whichever kind of credential it carries.

use super::signature::{self, NONCE_IS_KEPT, SignatureFault, Signed, SignedRequest};
use super::{Authenticator, Bearer, Keyring, Unauthenticated, bearer_token};

use crate::domain::{AccessKeyId, Caller, TenantId, Timestamp};
use crate::store::{Store, StoreError};

/// Why a request is not admitted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAdmitted {
    /// It proves nobody, or nobody who may do anything.
    #[error(transparent)]
    Unauthenticated(#[from] Unauthenticated),
    /// The table failed while the access key was looked for.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Whoever knows about the token cannot be asked just now.
    #[error("the token cannot be checked just now: {0}")]
    Issuer(String),
}

impl From<SignatureFault> for NotAdmitted {
    fn from(fault: SignatureFault) -> Self {
        Self::Unauthenticated(fault.into())
    }
}

impl Authenticator {
    /// The caller of an IMS or OpenStack request: by its token, or by a signature `SDK-HMAC-SHA256`. A signature costs at
    /// most one read of the table.
    ///
    /// # Errors
    /// [`NotAdmitted`] says what is wrong with the credential.
    pub async fn caller(
        &self,
        request: &SignedRequest<'_>,
        store: &Store,
        now: Timestamp,
    ) -> Result<Caller, NotAdmitted> {
        match signature::read(request, now)? {
            Some(signed) => self.signer(request, signed, store, now).await,
            None => self.bearer(request, store, now).await,
        }
    }

    /// The caller of a request of Alibaba's RPC form: by a signature `ACS3-HMAC-SHA256` or of version 1, or by its token.
    /// `parameters` are those of query and form, decoded, in their order. A signature costs at most one read of the table
    /// and one write, of its nonce.
    ///
    /// # Errors
    /// [`NotAdmitted`] says what is wrong with the credential.
    pub async fn rpc_caller(
        &self,
        request: &SignedRequest<'_>,
        parameters: &[(String, String)],
        store: &Store,
        now: Timestamp,
    ) -> Result<Caller, NotAdmitted> {
        match signature::read_rpc(request, parameters, now)? {
            Some(signed) => {
                let by_header = request.headers.contains_key(http::header::AUTHORIZATION);
                if by_header && signature::is_signed_rpc(parameters) {
                    return Err(Unauthenticated::Ambiguous.into());
                }
                self.signer(request, signed, store, now).await
            }
            None => self.bearer(request, store, now).await,
        }
    }

    /// The caller that the token in the headers proves, provided that the token is good for that request.
    async fn bearer(
        &self,
        request: &SignedRequest<'_>,
        store: &Store,
        now: Timestamp,
    ) -> Result<Caller, NotAdmitted> {
        let Bearer { caller, access_rules, .. } =
            self.token_bearer(&bearer_token(request.headers)?, store, now).await?;
        if access_rules.is_some_and(|rules| !rules.allow(request.method, request.path)) {
            return Err(Unauthenticated::OutsideAccessRules.into());
        }
        if caller.is_of_system() { in_named_project(request, caller) } else { Ok(caller) }
    }

    /// The caller whose access key has signed the request. What is wrong with a key is told only to who holds its secret.
    async fn signer(
        &self,
        request: &SignedRequest<'_>,
        signed: Signed,
        store: &Store,
        now: Timestamp,
    ) -> Result<Caller, NotAdmitted> {
        if request.headers.contains_key("x-auth-token") {
            return Err(Unauthenticated::Ambiguous.into());
        }
        let id: AccessKeyId = signed.access_key.parse().map_err(|_| SignatureFault::UnknownKey)?;
        let credential = self.keyring.find(store, &id, now).await?.ok_or(SignatureFault::UnknownKey)?;
        let secret = credential.secret.as_ref().ok_or(SignatureFault::RetiredKey)?;
        if !signed.is_by(secret.reveal()) {
            return Err(SignatureFault::WrongSignature.into());
        }
        if credential.key.disabled.is_some() {
            return Err(SignatureFault::DisabledKey.into());
        }
        check_project(request, &credential.key.project)?;
        if let Some(nonce) = &signed.nonce
            && !store.on_behalf_of(&credential.key.project).use_nonce(&id, nonce, now, NONCE_IS_KEPT).await?
        {
            return Err(SignatureFault::NonceUsed.into());
        }
        Ok(credential.key.caller())
    }

    /// The access keys of this deployment.
    pub fn keyring(&self) -> &Keyring {
        &self.keyring
    }
}

/// A system administrator acts for any project, and may say for which in `X-Project-Id`.
fn in_named_project(request: &SignedRequest<'_>, caller: Caller) -> Result<Caller, NotAdmitted> {
    let Some(named) = request.headers.get("x-project-id") else { return Ok(caller) };
    let tenant = named.to_str().ok().and_then(|named| named.trim().parse().ok());
    Ok(Caller { tenant: tenant.ok_or(Unauthenticated::NoProject)?, ..caller })
}

/// `X-Project-Id` may only name the project that the key acts for.
fn check_project(request: &SignedRequest<'_>, acting: &TenantId) -> Result<(), SignatureFault> {
    let named = request.headers.get_all("x-project-id").iter().map(|value| value.as_bytes().trim_ascii());
    let is_acting = |named: &[u8]| named.is_empty() || named == acting.as_str().as_bytes();
    if named.into_iter().all(is_acting) {
        Ok(())
    } else {
        Err(SignatureFault::OtherProject { acting: acting.clone() })
    }
}
