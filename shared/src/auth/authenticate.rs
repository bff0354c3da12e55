//! Authenticates a request, whichever kind of credential it carries.

use super::authenticator::Authenticator;
use super::bearer::Bearer;
use super::bearer_token::bearer_token;
use super::error::{AuthError, CredentialError};
use super::keyring::Keyring;
use super::signature::{self, ClaimedSignature, NONCE_TTL, SignatureError, SignedRequest};

use crate::domain::{AccessKeyId, AccessKeyState, Caller, TenantId, Timestamp, chooses_project};
use crate::store::Store;

impl Authenticator {
    /// Returns the caller of an IMS or OpenStack request, by its token or its signature `SDK-HMAC-SHA256`. A signature
    /// costs at most one read of the table; a token, what [`Self::token_bearer`] costs.
    ///
    /// # Errors
    /// [`AuthError`] if the credential is missing or invalid, or cannot be checked now.
    pub async fn authenticate(
        &self,
        request: &SignedRequest<'_>,
        store: &Store,
        now: Timestamp,
    ) -> Result<Caller, AuthError> {
        match signature::parse(request, now)? {
            Some(signed) => self.authenticate_signature(request, signed, store, now).await,
            None => self.authenticate_token(request, store, now).await,
        }
    }

    /// Returns the caller of an Alibaba RPC request, by its signature (`ACS3-HMAC-SHA256` or version 1) or its token.
    /// `parameters` are those of query and form, decoded, in their order. A signature costs at most one read of the
    /// table, and one write for its nonce.
    ///
    /// # Errors
    /// [`AuthError`] if the credential is missing or invalid, or cannot be checked now.
    pub async fn authenticate_rpc(
        &self,
        request: &SignedRequest<'_>,
        parameters: &[(String, String)],
        store: &Store,
        now: Timestamp,
    ) -> Result<Caller, AuthError> {
        match signature::parse_rpc(request, parameters, now)? {
            Some(signed) => {
                let by_header = request.headers.contains_key(http::header::AUTHORIZATION);
                if by_header && signature::is_signed_rpc(parameters) {
                    return Err(CredentialError::Ambiguous.into());
                }
                self.authenticate_signature(request, signed, store, now).await
            }
            None => self.authenticate_token(request, store, now).await,
        }
    }

    /// Returns the caller of a request to a service of AWS, by its signature `AWS4-HMAC-SHA256` or its token. A signature
    /// costs at most one read of the table.
    ///
    /// # Errors
    /// [`AuthError`] if the credential is missing or invalid, or cannot be checked now.
    pub async fn authenticate_aws(
        &self,
        request: &SignedRequest<'_>,
        service: &str,
        store: &Store,
        now: Timestamp,
    ) -> Result<Caller, AuthError> {
        match signature::parse_aws(request, service, now)? {
            Some(signed) => self.authenticate_signature(request, signed, store, now).await,
            None => self.authenticate_token(request, store, now).await,
        }
    }

    /// Returns the caller of a session's token, which is one for sessions, or any token. Costs what [`Self::token_bearer`] costs.
    ///
    /// # Errors
    /// [`AuthError`] if the token is invalid, or cannot be checked now. A token that is limited by access rules begins no
    /// session, since its rules name operations of an API.
    pub async fn authenticate_session(
        &self,
        token: &str,
        store: &Store,
        now: Timestamp,
    ) -> Result<Caller, AuthError> {
        let bearer = match self.session_bearer(token, store, now).await? {
            Some(bearer) => bearer,
            None => self.token_bearer(token, store, now).await?,
        };
        let Bearer { caller, access_rules, .. } = bearer;
        if access_rules.is_some() { Err(CredentialError::AccessRulesDenied.into()) } else { Ok(caller) }
    }

    /// Returns the caller of the token in the headers, if the token's access rules allow the request.
    async fn authenticate_token(
        &self,
        request: &SignedRequest<'_>,
        store: &Store,
        now: Timestamp,
    ) -> Result<Caller, AuthError> {
        let Bearer { caller, access_rules, .. } =
            self.token_bearer(&bearer_token(request.headers)?, store, now).await?;
        if access_rules.is_some_and(|rules| !rules.allows(request.method, request.path)) {
            return Err(CredentialError::AccessRulesDenied.into());
        }
        if chooses_project(&caller) { apply_project_header(request, caller) } else { Ok(caller) }
    }

    /// Returns the caller whose access key signed the request. That a key is disabled or has expired is revealed only to a
    /// client that holds its secret, and a nonce is used up only by a valid signature.
    async fn authenticate_signature(
        &self,
        request: &SignedRequest<'_>,
        signed: ClaimedSignature,
        store: &Store,
        now: Timestamp,
    ) -> Result<Caller, AuthError> {
        if request.headers.contains_key("x-auth-token") {
            return Err(CredentialError::Ambiguous.into());
        }
        let id: AccessKeyId = signed.access_key.parse().map_err(|_| SignatureError::UnknownKey)?;
        let credential = self.keyring.find(store, &id, now).await?.ok_or(SignatureError::UnknownKey)?;
        let secret = credential.secret.as_ref().ok_or(SignatureError::RetiredMasterKey)?;
        if !signed.is_signed_with(secret.reveal()) {
            return Err(SignatureError::SignatureMismatch.into());
        }
        match credential.key.state(now) {
            AccessKeyState::Enabled => {}
            AccessKeyState::Disabled => return Err(SignatureError::DisabledKey.into()),
            AccessKeyState::Expired => return Err(SignatureError::ExpiredKey.into()),
        }
        check_project_header(request, &credential.key.project)?;
        if let Some(nonce) = &signed.nonce
            && !store.for_tenant(&credential.key.project).use_nonce(&id, nonce, now, NONCE_TTL).await?
        {
            return Err(SignatureError::NonceReused.into());
        }
        Ok(credential.key.caller())
    }

    /// Returns the access keys of this deployment, through their cache.
    pub fn keyring(&self) -> &Keyring {
        &self.keyring
    }
}

/// Lets a system administrator, who acts for any project, name one in `X-Project-Id`.
fn apply_project_header(request: &SignedRequest<'_>, caller: Caller) -> Result<Caller, AuthError> {
    let Some(named) = request.headers.get("x-project-id") else { return Ok(caller) };
    let tenant = named.to_str().ok().and_then(|named| named.trim().parse().ok());
    Ok(Caller { tenant: tenant.ok_or(CredentialError::NoProject)?, ..caller })
}

/// Rejects an `X-Project-Id` that names another project than the access key's.
fn check_project_header(request: &SignedRequest<'_>, acting: &TenantId) -> Result<(), SignatureError> {
    let named = request.headers.get_all("x-project-id").iter().map(|value| value.as_bytes().trim_ascii());
    let is_acting = |named: &[u8]| named.is_empty() || named == acting.as_str().as_bytes();
    if named.into_iter().all(is_acting) {
        Ok(())
    } else {
        Err(SignatureError::ProjectMismatch { acting: acting.clone() })
    }
}
