//! What each function does to the table, as IAM sees it, and what it may do.
//!
//! `infra/aws/permissions.json` is the only list. The module makes the functions' policies from it. The tests record what the
//! functions do, in two places, and hold it to the list:
//!
//! * [`AuthorizedTable`] is beneath every function in the tests' own process. It refuses a call that the list does not allow, as
//!   DynamoDB does.
//! * The [table server](crate::table_server) is beneath the functions' binaries, whose SDK signs with the function's name. It
//!   refuses in the same way, and keeps what it has seen.
//!
//! The [`journey`](crate::journey) makes every kind of call. What is in the list and not in its record is too much.

mod access;
mod access_log;
mod authorized_table;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::LazyLock;

use serde_json::{Value, json};

pub use self::access::{Access, AccessKind};
pub(crate) use self::access_log::AccessLog;
pub use self::authorized_table::AuthorizedTable;

/// The name of the table itself among the resources of an action. The others are its indexes.
pub const TABLE_RESOURCE: &str = "table";

/// The permissions of the module, as they were when the process started.
pub static MODULE_PERMISSIONS: LazyLock<Permissions> = LazyLock::new(|| {
    let text = std::fs::read_to_string(permissions_file()).expect("infra/aws/permissions.json");
    Permissions::parse(&text)
});

/// The path of `infra/aws/permissions.json`.
pub fn permissions_file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../infra/aws/permissions.json")
}

/// What functions may do, or have done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Permissions(BTreeMap<String, BTreeSet<Access>>);

impl Permissions {
    /// Parses the JSON of the file: function, then action, then resource, then the prefixes of partition keys.
    ///
    /// # Panics
    /// If the text is something else.
    pub fn parse(text: &str) -> Self {
        type Functions = BTreeMap<String, BTreeMap<String, BTreeMap<String, BTreeSet<String>>>>;
        let functions: Functions = serde_json::from_str(text).expect("permissions");
        let of_function = |actions: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>| {
            let mut accesses = BTreeSet::new();
            for (action, resources) in actions {
                for (resource, prefixes) in resources {
                    let kind = AccessKind { action: action.clone(), resource };
                    accesses.extend(prefixes.into_iter().map(|prefix| Access { kind: kind.clone(), prefix }));
                }
            }
            accesses
        };
        Self(functions.into_iter().map(|(name, actions)| (name, of_function(actions))).collect())
    }

    /// The same as JSON, in the form of the file.
    pub fn to_json(&self) -> String {
        let mut functions = json!({});
        for (function, access) in self.iter() {
            let prefixes = &mut functions[function][&access.kind.action][&access.kind.resource];
            if prefixes.is_null() {
                *prefixes = json!([]);
            }
            prefixes.as_array_mut().expect("a list").push(Value::from(access.prefix.as_str()));
        }
        format(&functions)
    }

    /// Every function.
    pub fn functions(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Every access with its function.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Access)> {
        self.0.iter().flat_map(|(name, accesses)| accesses.iter().map(move |access| (name.as_str(), access)))
    }

    /// The accesses of a function.
    pub fn of(&self, function: &str) -> impl Iterator<Item = &Access> {
        self.0.get(function).into_iter().flatten()
    }

    /// Adds an access of a function.
    pub fn insert(&mut self, function: &str, access: Access) {
        self.0.entry(function.to_owned()).or_default().insert(access);
    }

    /// Whether the function may make this access.
    pub fn allow(&self, function: &str, access: &Access) -> bool {
        self.0.get(function).is_some_and(|accesses| accesses.contains(access))
    }

    /// What is here and not in `others`, one a line.
    pub fn missing_from(&self, others: &Self) -> Vec<String> {
        let missing = self.iter().filter(|(function, access)| !others.allow(function, access));
        missing.map(|(function, access)| format!("{function}: {access}")).collect()
    }
}

/// Checks a function's accesses. Returns DynamoDB's message if one is not allowed.
fn check(function: &str, accesses: &[Access]) -> Result<(), String> {
    match accesses.iter().find(|access| !MODULE_PERMISSIONS.allow(function, access)) {
        None => Ok(()),
        Some(access) => {
            let denied = format!("{function} is not authorized to perform: {access}");
            // In case that no response shows it.
            eprintln!("{denied} (infra/aws/permissions.json)");
            Err(denied)
        }
    }
}

/// JSON with one line for each list.
fn format(functions: &Value) -> String {
    let pretty = serde_json::to_string_pretty(functions).expect("JSON");
    let mut lines: Vec<String> = Vec::new();
    let mut is_list = false;
    for line in pretty.lines() {
        match lines.last_mut() {
            Some(last) if is_list => {
                let separator = if last.ends_with(',') { " " } else { "" };
                last.push_str(separator);
                last.push_str(line.trim());
            }
            _ => lines.push(line.to_owned()),
        }
        is_list = (is_list || line.ends_with('[')) && !line.trim_start().starts_with(']');
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_round_trip_through_their_file() {
        let text = "{\n  \"share\": {\n    \"Query\": {\n      \"lists\": [\"C#\", \"T#\"],\n      \"table\": [\"J#\"]\n    }\n  }\n}\n";
        let permissions = Permissions::parse(text);
        assert_eq!((permissions.iter().count(), permissions.to_json().as_str()), (3, text));
        let access = permissions.of("share").next().unwrap();
        assert_eq!(access.to_string(), "dynamodb:Query on lists, partitions C#…");
        assert!(permissions.allow("share", access) && !permissions.allow("unshare", access));
        assert_eq!(permissions.missing_from(&Permissions::default()).len(), 3);
    }
}
