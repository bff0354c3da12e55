//! Let tenants use the keys of encrypted images, without which none of those is shared with them (seed 003,
//! `contract/decisions.md` 14).

use super::{ImagePage, ImageQuery, IndexFilter, Marker, Page, UseCaseError, list_images};
use crate::App;
use crate::domain::{Bypass, Caller, Encryption, Image, KeyGrant, KeyId, Status, TenantId};
use crate::store::{KeyGrantRecord, List, StoreError};

/// Why something was not done with grants of keys. What was refused wrote nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyGrantError {
    /// The caller's role only reads.
    #[error("the role reader may not change anything")]
    ReadOnly,
    /// The key was to be granted to its owner.
    #[error("{0} owns the key")]
    OwnerIsRecipient(TenantId),
    /// The key is not granted to that tenant.
    #[error("the key is not granted to {0}")]
    NotFound(TenantId),
    /// What the grant is for could not be listed.
    #[error(transparent)]
    UseCase(#[from] UseCaseError),
}

impl From<StoreError> for KeyGrantError {
    fn from(problem: StoreError) -> Self {
        Self::UseCase(problem.into())
    }
}

/// Some of the memberships that rely on a grant, newest image first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DependentMemberships {
    /// The images, each with what the tenant has said to it.
    pub memberships: Vec<(Image, Status)>,
    /// Where to go on, where there may be more.
    pub next: Option<Marker>,
}

/// Grants a key of the caller's project to a tenant; granting it again changes nothing. One write.
///
/// # Errors
/// [`KeyGrantError`]; then nothing was written.
pub async fn grant_key(
    app: &App,
    caller: &Caller,
    key: KeyId,
    tenant: TenantId,
) -> Result<KeyGrantRecord, KeyGrantError> {
    if !caller.can_write() {
        return Err(KeyGrantError::ReadOnly);
    }
    if tenant == caller.tenant {
        return Err(KeyGrantError::OwnerIsRecipient(tenant));
    }
    let grant = KeyGrant { owner: caller.tenant.clone(), key, tenant };
    Ok(app.store.put_key_grant(&grant, app.clock().now()).await?)
}

/// Shows a grant of a key of the caller's project. One read.
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

/// Lists to whom a key of the caller's project is granted: at most `most`, those after `after`. One query.
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
    let next = grants.last().filter(|_| more).map(|last| last.tenant.clone());
    Ok(Page { items: grants, next })
}

/// Withdraws a grant of a key of the caller's project: from then on nothing under the key is shared with the tenant anew.
/// Memberships that rely on it stay, and the first of them are returned. That there is no such grant is no error, so that
/// who had no answer asks again. One write, and what [`list_dependent_memberships`] reads.
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
    if !caller.can_write() {
        return Err(KeyGrantError::ReadOnly);
    }
    let grant = KeyGrant { owner: caller.tenant.clone(), key, tenant };
    app.store.delete_key_grant(&grant).await?;
    list_dependent_memberships(app, caller, &grant.key, &grant.tenant, (None, limit)).await
}

/// Lists the memberships of a tenant that rely on a key of the caller's project, whether or not it is granted still: those
/// of the `most` images after `after` that the key encrypts. Reads the project's images as a list of them does, and the
/// tenant's memberships of what it finds in one batch read for every 50.
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
        filter: |seen: &super::VisibleImage| matches!(seen.image.details.encryption(), Encryption::Key(used) if used == *key),
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
    for (image, answer) in app.store.images_and_statuses(&ids, tenant).await? {
        memberships.extend(answer.map(|status| (image.bypass(Bypass::List), status)));
    }
    memberships.sort_by(|(a, _), (b, _)| b.created.cmp(&a.created).then_with(|| b.id.cmp(&a.id)));
    Ok(DependentMemberships { memberships, next: page.next })
}
