//! `accounts` in the body of a share or unshare request: recipients by the names of their account and project (seed
//! 000, `contract/decisions.md` 21).

use std::collections::HashSet;

use serde_json::Value;

use crate::domain::{MAX_NAMES_PER_BATCH, NAME_FORMAT, Name, TenantName};
use crate::http::ApiError;
use crate::http::id_array::too_many_items;

/// Parses `[{"name":"…","project":"…"}]`. Returns the names without duplicates, each with its index in the array. A
/// missing, null or empty array has none.
///
/// An unknown member is an error: a misspelt `project` would share the image with whatever project the account has.
pub(super) fn parse(value: Option<&Value>) -> Result<Vec<(usize, TenantName)>, ApiError> {
    let malformed = |message: String| ApiError::malformed(message);
    let values = match value {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(values)) => values,
        Some(_) => {
            return Err(malformed(
                "accounts: expected an array of objects with name and project.".to_owned(),
            ));
        }
    };
    if values.len() > MAX_NAMES_PER_BATCH {
        return Err(too_many_items("accounts", MAX_NAMES_PER_BATCH, values.len()));
    }
    let (mut accounts, mut seen) = (Vec::with_capacity(values.len()), HashSet::with_capacity(values.len()));
    for (index, value) in values.iter().enumerate() {
        let Value::Object(fields) = value else {
            return Err(malformed(format!("accounts[{index}]: expected an object with name and project.")));
        };
        if let Some(unknown) = fields.keys().find(|field| !["name", "project"].contains(&field.as_str())) {
            return Err(malformed(format!("accounts[{index}].{unknown}: expected only name and project.")));
        }
        let name = |field: &str| {
            let name = fields.get(field).and_then(Value::as_str).and_then(|text| text.parse::<Name>().ok());
            name.ok_or_else(|| malformed(format!("accounts[{index}].{field}: expected {NAME_FORMAT}.")))
        };
        let project = match fields.get("project") {
            None | Some(Value::Null) => None,
            Some(_) => Some(name("project")?),
        };
        let account = TenantName { account: name("name")?, project };
        if seen.insert(account.clone()) {
            accounts.push((index, account));
        }
    }
    Ok(accounts)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn accounts_are_parsed_with_positions_and_deduplicated() {
        let acme = json!({"name": "acme"});
        let web = json!({"name": "acme", "project": "web"});
        let parsed = parse(Some(&json!([acme, web, acme, {"name": "acme", "project": null}, web]))).unwrap();
        let named = |project: Option<&str>| TenantName {
            account: "acme".parse().unwrap(),
            project: project.map(|project| project.parse().unwrap()),
        };
        assert_eq!(parsed, [(0, named(None)), (1, named(Some("web")))]);
        for none in [None, Some(&Value::Null), Some(&json!([]))] {
            assert_eq!(parse(none), Ok(Vec::new()));
        }
    }

    #[test]
    fn invalid_account_error_names_the_position() {
        let good = json!({"name": "acme"});
        for (bad, expected) in [
            (json!("acme"), "accounts: expected an array"),
            (json!({"name": "acme"}), "accounts: expected an array"),
            (json!([good, "acme"]), "accounts[1]: expected an object"),
            (json!([good, good, {}]), "accounts[2].name: expected 1 to 64 characters"),
            (json!([{"name": 7}]), "accounts[0].name: expected 1 to 64 characters"),
            (json!([good, {"name": "acme", "project": ""}]), "accounts[1].project: expected 1 to 64"),
            (
                json!([{"name": "acme", "projekt": "web"}]),
                "accounts[0].projekt: expected only name and project",
            ),
            (json!(vec![good; 1_001]), "accounts: expected at most 1000, got 1001"),
        ] {
            let error = format!("{:?}", parse(Some(&bad)).unwrap_err());
            assert!(error.contains("IMG.0001") && error.contains(expected), "{error}");
        }
    }
}
