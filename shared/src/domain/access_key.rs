//! Access keys: a program signs its requests with one, instead of sending a token that expires.

use std::time::Duration;

use super::{AccessKeyId, Caller, Role, TenantId, Timestamp};

/// The longest time after which an access key may expire.
pub const MAX_ACCESS_KEY_LIFETIME: Duration = Duration::from_hours(3_650 * 24);

/// An access key without its secret. The secret is derived from the deployment's master key, and not stored; or it was
/// chosen by the key's creator, and is stored encrypted.
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
    /// The id of the master key that its secret is derived from, or encrypted under.
    pub master_key_id: String,
    /// The encrypted secret, if the key's creator chose it; `None` if it is derived.
    pub sealed_secret: Option<SealedSecret>,
    /// When it was created.
    pub created: Timestamp,
    /// From when on it authenticates nothing; `None` if it does not expire.
    pub expires_at: Option<Timestamp>,
    /// When it was disabled; `None` while it is not.
    pub disabled_at: Option<Timestamp>,
}

/// Whether an access key authenticates requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessKeyState {
    /// It does.
    Enabled,
    /// It was disabled.
    Disabled,
    /// It has expired.
    Expired,
}

impl AccessKey {
    /// Whether it authenticates requests at that time.
    pub fn state(&self, now: Timestamp) -> AccessKeyState {
        if self.disabled_at.is_some() {
            AccessKeyState::Disabled
        } else if self.expires_at.is_some_and(|end| end <= now) {
            AccessKeyState::Expired
        } else {
            AccessKeyState::Enabled
        }
    }

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

/// An encrypted secret, as text for the table. Its `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedSecret(String);

impl SealedSecret {
    /// Wraps the text of an encrypted secret.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text that was wrapped.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for SealedSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealedSecret")
    }
}
