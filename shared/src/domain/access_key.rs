//! Access keys: what a program signs its requests with, instead of sending a token that runs out.

use super::{AccessKeyId, Caller, Role, TenantId, Timestamp};

/// An access key, all but its secret, which nobody keeps: it is derived anew from the deployment's master key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessKey {
    /// The id that requests name.
    pub id: AccessKeyId,
    /// What its makers call it.
    pub name: String,
    /// The one project that it acts for.
    pub project: TenantId,
    /// The account that the project belongs to, where whoever created the key named it.
    pub account: Option<String>,
    /// The person or program that it was created by or for.
    pub user: Option<String>,
    /// Its roles in the project: at least one.
    pub roles: Vec<Role>,
    /// The id of the master key that its secret is derived from.
    pub master_key_id: String,
    /// When it was created.
    pub created: Timestamp,
    /// Since when it is refused, if it is.
    pub disabled_at: Option<Timestamp>,
}

impl AccessKey {
    /// Who makes a request that is signed with this key.
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
