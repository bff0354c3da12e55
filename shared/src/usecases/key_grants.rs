//! Grant tenants the use of the keys of encrypted images. An encrypted image is shared only with tenants that have a
//! grant of its key (seed 003, `contract/decisions.md` 14).

use std::collections::BTreeSet;

use super::{ImagePage, ImageQuery, IndexFilter, Marker, Page, UseCaseError, list_images};
use crate::App;
use crate::domain::{
    Bypass, Caller, Denied, Encryption, Image, KeyGrant, KeyId, Status, TenantId, authorize_write,
};
use crate::store::{KeyGrantRecord, List, StoreError};

/// Why a request about key grants was refused. A refused request has written nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyGrantError {
    /// The access rule denies it: the caller's role only reads.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The recipient of the grant owns the key.
    #[error("{0} owns the key")]
    OwnerIsRecipient(TenantId),
    /// The key is not granted to that tenant.
    #[error("the key is not granted to {0}")]
    NotFound(TenantId),
    /// The memberships that rely on the grant could not be listed.
    #[error(transparent)]
    UseCase(#[from] UseCaseError),
}

impl From<StoreError> for KeyGrantError {
    fn from(problem: StoreError) -> Self {
        Self::UseCase(problem.into())
    }
}

/// A page of the memberships that rely on a key grant, newest image first: the images, each with the status of the
/// tenant's membership.
pub type DependentMemberships = Page<(Image, Status), Marker>;

/// Grants a key of the caller's project to a tenant. Granting it again changes nothing. Costs one write.
///
/// # Errors
/// [`KeyGrantError`]; then nothing was written.
pub async fn grant_key(
    app: &App,
    caller: &Caller,
    key: KeyId,
    tenant: TenantId,
) -> Result<KeyGrantRecord, KeyGrantError> {
    authorize_write(caller)?;
    if tenant == caller.tenant {
        return Err(KeyGrantError::OwnerIsRecipient(tenant));
    }
    let grant = KeyGrant { owner: caller.tenant.clone(), key, tenant };
    Ok(app.store.put_key_grant(&grant, app.clock().now()).await?)
}

/// Returns a grant of a key of the caller's project. Costs one read.
///
/// # Errors
/// [`KeyGrantError`]
pub async fn show_key_grant(
    app: &App,
    caller: &Caller,
    key: KeyId,
    tenant: TenantId,
) -> Result<KeyGrantRecord, KeyGrantError> {
    let grant = KeyGrant { owner: caller.tenant.clone(), key, tenant };
    app.store.key_grant(&grant).await?.ok_or(KeyGrantError::NotFound(grant.tenant))
}

/// Lists the grants of a key of the caller's project, by tenant: at most `limit`, after tenant `after`. Costs one
/// query.
///
/// # Errors
/// [`KeyGrantError`]
pub async fn list_key_grants(
    app: &App,
    caller: &Caller,
    key: &KeyId,
    after: Option<&TenantId>,
    limit: usize,
) -> Result<Page<KeyGrantRecord, TenantId>, KeyGrantError> {
    let (grants, more) = app.store.key_grants((&caller.tenant, key), after, limit).await?;
    Ok(Page::new(grants, more, |last| last.tenant.clone()))
}

/// Returns the grants that are missing for each of the tenants to use each of the keys of the caller's project. Costs
/// one batch read for every 100 pairs of a key and a tenant.
///
/// # Errors
/// [`KeyGrantError`] if the table failed.
pub async fn list_missing_key_grants(
    app: &App,
    caller: &Caller,
    keys: &BTreeSet<KeyId>,
    tenants: &[TenantId],
) -> Result<Vec<KeyGrant>, KeyGrantError> {
    let of_key = |key: &KeyId| {
        let (owner, key) = (caller.tenant.clone(), key.clone());
        tenants.iter().map(move |tenant| KeyGrant {
            owner: owner.clone(),
            key: key.clone(),
            tenant: tenant.clone(),
        })
    };
    Ok(app.store.missing_key_grants(keys.iter().flat_map(of_key).collect()).await?)
}

/// Withdraws a grant of a key of the caller's project: new shares with the tenant of images under the key are refused
/// from then on. Memberships that rely on the grant stay, and the first page of them is returned. A missing grant is
/// no error, so the request can be retried. Costs one write, and the reads of [`list_dependent_memberships`].
///
/// # Errors
/// [`KeyGrantError`]
pub async fn revoke_key_grant(
    app: &App,
    caller: &Caller,
    key: KeyId,
    tenant: TenantId,
    limit: usize,
) -> Result<DependentMemberships, KeyGrantError> {
    authorize_write(caller)?;
    let grant = KeyGrant { owner: caller.tenant.clone(), key, tenant };
    app.store.delete_key_grant(&grant).await?;
    list_dependent_memberships(app, caller, &grant.key, &grant.tenant, (None, limit)).await
}

/// Lists the memberships of a tenant that rely on a key of the caller's project, whether or not the grant still exists:
/// those of the first `limit` images after `after` that the key encrypts. Costs a list of the project's images, and one
/// batch read of memberships per 50 images found.
///
/// # Errors
/// [`KeyGrantError`]
pub async fn list_dependent_memberships(
    app: &App,
    caller: &Caller,
    key: &KeyId,
    tenant: &TenantId,
    (after, limit): (Option<Marker>, usize),
) -> Result<DependentMemberships, KeyGrantError> {
    let query = ImageQuery {
        lists: vec![List::Owned(caller.tenant.clone())],
        filter: |visible: &super::VisibleImage| matches!(visible.image.details.encryption(), Encryption::Key(used) if used == *key),
        index_filter: IndexFilter::default(),
        needs_member_counts: false,
        sort: Vec::new(),
        after,
        limit,
    };
    let page = match list_images(app, caller, query).await {
        Err(UseCaseError::ScanLimitReached { next, .. }) => {
            ImagePage { rows: Vec::new(), next: next.map(|next| *next) }
        }
        page => page?,
    };
    let ids: Vec<_> = page.rows.into_iter().map(|row| row.visible.image.id).collect();
    let mut memberships = Vec::new();
    for (image, status) in app.store.images_and_statuses(&ids, tenant).await? {
        memberships.extend(status.map(|status| (image.bypass(Bypass::List), status)));
    }
    memberships.sort_by(|(a, _), (b, _)| b.created.cmp(&a.created).then_with(|| b.id.cmp(&a.id)));
    Ok(Page { items: memberships, next: page.next })
}
