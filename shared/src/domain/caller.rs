//! The caller of a request: the tenant that it acts for, and its role.

use super::{AccessKeyId, TenantId};

/// The project of a caller that administers the whole system and has no project of its own.
pub const SYSTEM_PROJECT: &str = "system-scope";

/// What a caller may do. Each role includes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Reads what its project can see.
    Reader,
    /// Acts for its project: shares, unshares, accepts, rejects, registers images.
    Member,
    /// Acts for any project.
    Admin,
}

impl Role {
    /// Every role, the weakest first.
    pub const ALL: [Self; 3] = [Self::Reader, Self::Member, Self::Admin];

    /// The role with that name, as in a token's `roles`; names are case-insensitive.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name().eq_ignore_ascii_case(name))
    }

    /// The roles that it includes, itself among them.
    pub fn included(self) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |role| *role <= self)
    }

    /// The role's name in a token.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Member => "member",
            Self::Admin => "admin",
        }
    }
}

/// An authenticated caller: the project that the credential acts for, and its strongest role there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The project that the credential acts for.
    pub tenant: TenantId,
    /// The account of that project, if the credential names it.
    pub account: Option<String>,
    /// The person or program behind the credential, for the log.
    pub user: Option<String>,
    /// The access key that the request is signed with, or that its token was issued for; for the log.
    pub access_key: Option<AccessKeyId>,
    /// The strongest of the credential's roles.
    pub role: Role,
}

impl Caller {
    /// Whether the caller may change things in its own project.
    pub fn can_write(&self) -> bool {
        self.role >= Role::Member
    }

    /// Whether the caller may act in the name of that tenant.
    pub fn can_write_for(&self, tenant: &TenantId) -> bool {
        self.is_admin() || (self.can_write() && self.tenant == *tenant)
    }

    /// Whether the caller may see what that tenant sees.
    pub fn can_read_for(&self, tenant: &TenantId) -> bool {
        self.is_admin() || self.tenant == *tenant
    }

    /// Whether the caller may act for any tenant.
    pub fn is_admin(&self) -> bool {
        self.role == Role::Admin
    }
}
