//! The claims that name project, account and roles. Each provider has its own names for them.

use std::fmt;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::{Map, Value};

/// Why a setting of claim paths is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadClaimPaths {
    /// The setting has no `=`, an unknown left side, or an empty part of a path.
    #[error(
        "{0}: expected project=NAME, account=NAME or roles=NAME, with dots for a claim inside another, as in \
         roles=realm_access.roles"
    )]
    Malformed(String),
    /// The same name is set twice.
    #[error("{0} is given twice: expected it once")]
    Duplicate(&'static str),
}

/// The paths of the claims that name project, account and roles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimPaths {
    /// The project that the token acts for.
    pub(super) project: String,
    /// The account that the project belongs to.
    pub(super) account: String,
    /// The roles that the token has for the project.
    pub(super) roles: String,
}

impl Default for ClaimPaths {
    fn default() -> Self {
        Self { project: "project_id".to_owned(), account: "account_id".to_owned(), roles: "roles".to_owned() }
    }
}

/// Parses `project=NAME`, `account=NAME` and `roles=NAME`, separated by commas. Each that is missing keeps its default.
impl FromStr for ClaimPaths {
    type Err = BadClaimPaths;

    fn from_str(text: &str) -> Result<Self, BadClaimPaths> {
        let mut paths = Self::default();
        let mut seen = Vec::new();
        for setting in text.split(',') {
            let malformed = || BadClaimPaths::Malformed(setting.to_owned());
            let (name, path) = setting.split_once('=').ok_or_else(malformed)?;
            let (name, target) = match name.trim() {
                "project" => ("project", &mut paths.project),
                "account" => ("account", &mut paths.account),
                "roles" => ("roles", &mut paths.roles),
                _ => return Err(malformed()),
            };
            if seen.contains(&name) {
                return Err(BadClaimPaths::Duplicate(name));
            }
            let path = path.trim();
            if path.split('.').any(str::is_empty) {
                return Err(malformed());
            }
            path.clone_into(target);
            seen.push(name);
        }
        Ok(paths)
    }
}

/// A token's claims. Deserializing fails on a duplicate name, since two parsers may disagree on which one counts.
#[derive(Debug)]
pub(super) struct ClaimMap(Map<String, Value>);

impl ClaimMap {
    /// Returns the claim of that exact name, even if it is `null`.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// Returns the claim at a path: the claim whose name is the whole path, or else the one that its dots lead to.
    /// `null` counts as absent.
    pub(super) fn get_path(&self, path: &str) -> Option<&Value> {
        let along_dots = || {
            let (first, rest) = path.split_once('.')?;
            rest.split('.').try_fold(self.0.get(first)?, |value, name| value.get(name))
        };
        self.0.get(path).or_else(along_dots).filter(|value| !value.is_null())
    }
}

impl<'de> Deserialize<'de> for ClaimMap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct UniqueNamesVisitor;

        impl<'de> Visitor<'de> for UniqueNamesVisitor {
            type Value = ClaimMap;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object without duplicate names")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ClaimMap, A::Error> {
                let mut claims = Map::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if claims.insert(name, value).is_some() {
                        return Err(A::Error::custom("duplicate name"));
                    }
                }
                Ok(ClaimMap(claims))
            }
        }

        deserializer.deserialize_map(UniqueNamesVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unset_claim_paths_keep_their_defaults() {
        let paths: ClaimPaths =
            "roles=realm_access.roles, project = https://example.com/tenant".parse().unwrap();
        assert_eq!(
            (paths.project.as_str(), paths.account.as_str(), paths.roles.as_str()),
            ("https://example.com/tenant", "account_id", "realm_access.roles")
        );
    }

    #[test]
    fn invalid_claim_paths_are_rejected() {
        for bad in ["", "roles", "roles=", "roles=a..b", "roles=.a", "user=sub", "roles=a,", "=a"] {
            assert!(matches!(bad.parse::<ClaimPaths>(), Err(BadClaimPaths::Malformed(_))), "{bad}");
        }
        assert_eq!("roles=a,roles=b".parse::<ClaimPaths>(), Err(BadClaimPaths::Duplicate("roles")));
    }

    #[test]
    fn exact_claim_name_wins_over_dotted_path() {
        let claims: ClaimMap =
            serde_json::from_str(r#"{"a.b":1,"a":{"b":2,"c":{"d":3},"n":null},"n":null}"#).unwrap();
        for (path, expected) in [
            ("a.b", Some(1)),
            ("a.c.d", Some(3)),
            ("a.c.x", None),
            ("a.b.c", None),
            ("a.n", None),
            ("n", None),
            ("x", None),
        ] {
            assert_eq!(claims.get_path(path).and_then(Value::as_i64), expected, "{path}");
        }
        assert!(serde_json::from_str::<ClaimMap>(r#"{"a":1,"a":2}"#).is_err());
    }
}
