//! Where a provider's tokens say for whom they speak: every provider has names of its own.

use std::fmt;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::{Map, Value};

/// A text that does not say where a claim stands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadClaimPaths {
    /// It has not the form of one, or names something else than can be set.
    #[error(
        "{0}: expected project=NAME, account=NAME or roles=NAME, with dots where the claim stands in another one, as \
         roles=realm_access.roles"
    )]
    Malformed(String),
    /// The same is said twice.
    #[error("{0} is given twice: expected it once")]
    Duplicate(&'static str),
}

/// Where project, account and roles stand in a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimPaths {
    /// The project that the token acts for.
    pub(super) project: String,
    /// The account that it belongs to.
    pub(super) account: String,
    /// The roles.
    pub(super) roles: String,
}

impl Default for ClaimPaths {
    fn default() -> Self {
        Self { project: "project_id".to_owned(), account: "account_id".to_owned(), roles: "roles".to_owned() }
    }
}

/// `project=NAME`, `account=NAME` and `roles=NAME`, joined by commas; what is not named stays as it is.
impl FromStr for ClaimPaths {
    type Err = BadClaimPaths;

    fn from_str(text: &str) -> Result<Self, BadClaimPaths> {
        let mut paths = Self::default();
        let mut seen = Vec::new();
        for setting in text.split(',') {
            let malformed = || BadClaimPaths::Malformed(setting.to_owned());
            let (name, path) = setting.split_once('=').ok_or_else(malformed)?;
            let (name, place) = match name.trim() {
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
            path.clone_into(place);
            seen.push(name);
        }
        Ok(paths)
    }
}

/// The members of a token's claims, none of them given twice.
#[derive(Debug)]
pub(super) struct ClaimMap(Map<String, Value>);

impl ClaimMap {
    /// The claim of that name, `null` or not.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// The claim at that path: of that very name, or along its dots. One that is `null` is as good as absent.
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
                f.write_str("an object whose members have different names")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ClaimMap, A::Error> {
                let mut members = Map::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if members.insert(name, value).is_some() {
                        return Err(A::Error::custom("a member that is given twice"));
                    }
                }
                Ok(ClaimMap(members))
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
        let members: ClaimMap =
            serde_json::from_str(r#"{"a.b":1,"a":{"b":2,"c":{"d":3},"n":null},"n":null}"#).unwrap();
        for (path, found) in [
            ("a.b", Some(1)),
            ("a.c.d", Some(3)),
            ("a.c.x", None),
            ("a.b.c", None),
            ("a.n", None),
            ("n", None),
            ("x", None),
        ] {
            assert_eq!(members.get_path(path).and_then(Value::as_i64), found, "{path}");
        }
        assert!(serde_json::from_str::<ClaimMap>(r#"{"a":1,"a":2}"#).is_err());
    }
}
