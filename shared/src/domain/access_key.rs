//! Access keys: a program signs its requests with one, instead of sending a token that expires.

use super::{AccessKeyId, Caller, Role, TenantId, Timestamp};

/// An access key without its secret. The secret is not stored: it is derived from the deployment's master key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessKey {
    /// The id that requests name.
    pub id: AccessKeyId,
    /// A label, chosen by its creator.
    pub name: String,
    /// The only project that it acts for.
    pub project: TenantId,
    /// The account of that project, if the key's creator named it.
    pub account: Option<String>,
    /// The person or program that it was created by or for.
    pub user: Option<String>,
    /// Its roles in the project: at least one.
    pub roles: Vec<Role>,
    /// The id of the master key that its secret is derived from.
    pub master_key_id: String,
    /// When it was created.
    pub created: Timestamp,
    /// When it was disabled; `None` while it can be used.
    pub disabled_at: Option<Timestamp>,
}

impl AccessKey {
    /// The caller of a request that is signed with this key, with the strongest of its roles.
    pub fn caller(&self) -> Caller {
        Caller {
            tenant: self.project.clone(),
            account: self.account.clone(),
            user: self.user.clone(),
            access_key: Some(self.id.clone()),
            role: self.roles.iter().copied().max().unwrap_or(Role::Reader),
        }
    }
}
