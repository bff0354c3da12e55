//! What the resources have in common: errors of the service as diagnostics, and sets of texts.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::api::{AccountName, ApiError, Client, ErrorKind, StopWaiting, Wait};
use crate::diagnostic::Diagnostic;
use crate::schema::{Attribute, Validator, length};
use crate::server::Context;
use crate::value::{Object, Set, Value};

/// How long an operation that waits may take, unless `timeouts` says otherwise.
pub(crate) const DEFAULT_TIMEOUT: Duration = Duration::from_mins(10);

/// The attributes of an account among the recipients of a resource.
pub(super) fn account_attributes() -> [Attribute; 2] {
    [
        Attribute::string("name", "The name of the account.").required().check(length(1..=64)),
        Attribute::string("project", "The name of its project. Without it, its only one in the region.")
            .check(length(1..=64)),
    ]
}

/// The error of the service as one for the user. `attributes` are those whose names the service's own fields have; it
/// points to the one at fault.
pub(super) fn failed(what: impl Into<String>, error: &ApiError, attributes: &[&str]) -> Diagnostic {
    let diagnostic = Diagnostic::error(what, error.to_string());
    let field = error.field().map(|field| field.split(['[', '.']).next().unwrap_or_default());
    match field.and_then(|field| attributes.iter().find(|attribute| **attribute == field)) {
        Some(attribute) => diagnostic.at(*attribute),
        None => diagnostic,
    }
}

/// The same, at this attribute whatever the service says.
pub(super) fn failed_at(attribute: &str, what: impl Into<String>, error: &ApiError) -> Diagnostic {
    Diagnostic::error(what, error.to_string()).at(attribute)
}

/// Whether the state of something does not permit a call, so that a user has to change that first.
pub(super) fn is_conflict(error: &ApiError) -> bool {
    error.kind == ErrorKind::Conflict
}

/// How long an operation waits: as `timeouts` says, and until Terraform is interrupted.
pub(super) fn wait(context: &Context<'_, Client>) -> Wait {
    Wait::for_at_most(context.timeout(DEFAULT_TIMEOUT), context.stop.clone())
}

/// Why something was not waited for to its end, after a noun and `is`.
pub(super) fn stopped(reason: StopWaiting) -> &'static str {
    match reason {
        StopWaiting::TimedOut => "not finished within the time that timeouts permits",
        StopWaiting::Interrupted => "not finished, since Terraform was interrupted",
    }
}

/// A known text of an object, or nothing.
pub(super) fn text(object: &Object, name: &str) -> String {
    object.str(name).unwrap_or_default().to_owned()
}

/// The known texts of a set.
pub(super) fn texts(object: &Object, name: &str) -> BTreeSet<String> {
    object.texts(name).map(str::to_owned).collect()
}

/// A set or map that the service has, which does not tell an empty one from one that was never given. An empty one stays
/// what it was in the state or plan before: empty, or null.
pub(super) fn unless_empty(values: impl Into<Value>, is_empty: bool, before: &Value) -> Value {
    if is_empty && before.is_null() { Value::Null } else { values.into() }
}

/// The names in the attribute `accounts`.
pub(super) fn account_names(object: &Object) -> BTreeSet<AccountName> {
    let accounts = object.elements("accounts").unwrap_or_default().iter().filter_map(Value::as_object);
    let name = |account: &Object| {
        Some(AccountName {
            name: account.str("name")?.to_owned(),
            project: account.str("project").map(str::to_owned),
        })
    };
    accounts.filter_map(name).collect()
}

/// Names as the attribute `accounts` has them.
pub(super) fn account_values<'a>(accounts: impl IntoIterator<Item = &'a AccountName>) -> Set {
    let value = |account: &AccountName| {
        Value::from(Object::new().with("name", &account.name).with("project", account.project.clone()))
    };
    accounts.into_iter().map(value).collect()
}

/// A check of an id of this service.
pub(super) fn id() -> Validator {
    Validator::new(|value| {
        let is_good = |text: &str| {
            (1..=64).contains(&text.len())
                && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
                && !text.chars().all(|c| c == '.')
        };
        match value.as_str() {
            Some(text) if !is_good(text) => Err(format!(
                "Expected an id of 1 to 64 letters, digits, \"_\", \".\" and \"-\", found {text:?}."
            )),
            _ => Ok(()),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_set_stays_what_it_was() {
        let empty = || BTreeSet::<String>::new();
        assert_eq!(unless_empty(empty(), true, &Value::Null), Value::Null);
        assert_eq!(unless_empty(empty(), true, &empty().into()), empty().into());
        let one = || BTreeSet::from(["a".to_owned()]);
        assert_eq!(unless_empty(one(), false, &Value::Null), one().into());
    }
}
