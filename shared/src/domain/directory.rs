//! The directory of tenants: the account, the name and the region of each project. It resolves the names by which
//! people know each other (seed 000) to the ids that memberships refer to.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use super::{CloudAccountId, MalformedId, OrganizationId, Region, TenantId};

/// The format of an account's or project's name: Keystone's, restricted to printable characters.
pub const NAME_FORMAT: &str =
    "1 to 64 characters, none of them a control character, without white space at either end";

const MAX_NAME_CHARS: usize = 64;

/// The name of an account or of a project. Names are compared character by character.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Name(String);

impl Name {
    /// The name as it appears in requests and responses.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Name {
    type Err = MalformedId;

    fn from_str(text: &str) -> Result<Self, MalformedId> {
        let is_name = (1..=MAX_NAME_CHARS).contains(&text.chars().count())
            && !text.chars().any(char::is_control)
            && text.trim().len() == text.len();
        if is_name { Ok(Self(text.to_owned())) } else { Err(MalformedId { expected: NAME_FORMAT }) }
    }
}

/// The directory's entry for a tenant. No other tenant has the same two names, in any region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryEntry {
    /// The tenant.
    pub tenant: TenantId,
    /// The name of its account.
    pub account: Name,
    /// Its own name, as a project of that account.
    pub project: Name,
    /// The region that it is in.
    pub region: Region,
    /// The organization that it belongs to, if any. Share rules name one to reach all of its members.
    pub organization: Option<OrganizationId>,
    /// The account at AWS that it is bound to, if any. No other tenant is bound to the same. What the account's
    /// events say of its images is believed as this tenant's.
    pub cloud_account: Option<CloudAccountId>,
}

/// A tenant by its names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct TenantName {
    /// The name of its account.
    pub account: Name,
    /// Its own name. Not needed if the account has only one project in this region (`contract/decisions.md` 21).
    pub project: Option<Name>,
}

/// The recipients that a batch request names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RecipientList {
    /// Tenants by their ids, without repetition.
    pub projects: Vec<TenantId>,
    /// Tenants by their names, each with its index in the request, without repetition.
    pub accounts: Vec<(usize, TenantName)>,
}

impl From<Vec<TenantId>> for RecipientList {
    fn from(projects: Vec<TenantId>) -> Self {
        Self { projects, accounts: Vec::new() }
    }
}

/// Why names do not resolve to a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// No tenant has these names.
    #[error("no such account or project")]
    Unknown,
    /// The account has several projects in this region, and the request names none of them.
    #[error("the account has several projects in this region")]
    Ambiguous,
    /// The tenant with these names is in another region.
    #[error("in another region")]
    OtherRegion,
}

/// The only tenant in `region` among the entries that were found by name.
///
/// # Errors
/// [`ResolveError`] if no tenant matches, or several do.
pub fn resolve_tenant<'a>(
    found: impl IntoIterator<Item = &'a DirectoryEntry>,
    region: &str,
) -> Result<&'a DirectoryEntry, ResolveError> {
    let (here, elsewhere): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|entry| entry.region.as_str() == region);
    match here.as_slice() {
        // A tenant is found by its old and its new names while it is being renamed.
        [first, rest @ ..] if rest.iter().all(|entry| entry.tenant == first.tenant) => Ok(first),
        [] if elsewhere.is_empty() => Err(ResolveError::Unknown),
        [] => Err(ResolveError::OtherRegion),
        _ => Err(ResolveError::Ambiguous),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn entry(tenant: u8, is_here: bool) -> DirectoryEntry {
        let region = if is_here { "here" } else { "elsewhere" };
        DirectoryEntry {
            tenant: format!("t{tenant}").parse().unwrap(),
            account: "acme".parse().unwrap(),
            project: format!("p{tenant}").parse().unwrap(),
            region: region.parse().unwrap(),
            organization: None,
            cloud_account: None,
        }
    }

    #[test]
    fn directory_name_is_validated() {
        for good in ["a", "eu-de_Web Shop", "Käse & Söhne", "a#b/c", "🦀", &"ü".repeat(64)] {
            assert_eq!(good.parse::<Name>().map(|name| name.to_string()).as_deref(), Ok(good));
        }
        for bad in ["", " ", " a", "a\u{a0}", "a\tb", "a\n", "\0", "a\u{7f}b", &"ü".repeat(65)] {
            assert!(bad.parse::<Name>().is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn parsing_any_text_as_name_never_panics(text in ".{0,70}") {
            if let Ok(name) = text.parse::<Name>() {
                prop_assert_eq!(name.as_str(), text);
            }
        }

        #[test]
        fn names_resolve_to_only_tenant_in_region(found in prop::collection::vec((0_u8..4, any::<bool>()), 0..6)) {
            let entries: Vec<_> = found.iter().map(|(tenant, is_here)| entry(*tenant, *is_here)).collect();
            let here: BTreeSet<_> = found.iter().filter(|(_, is_here)| *is_here).map(|(tenant, _)| tenant).collect();
            let resolved = resolve_tenant(&entries, "here");
            match here.len() {
                0 if found.is_empty() => prop_assert_eq!(resolved, Err(ResolveError::Unknown)),
                0 => prop_assert_eq!(resolved, Err(ResolveError::OtherRegion)),
                1 => prop_assert_eq!(resolved.unwrap().tenant.as_str(), format!("t{}", here.first().unwrap())),
                _ => prop_assert_eq!(resolved, Err(ResolveError::Ambiguous)),
            }
        }
    }
}
