//! The body that creates or replaces a share rule. An unknown or duplicate member is an error: a misspelt
//! `withdraw_unmatched` would leave images shared that its owner believes to be withdrawn.

use std::str::FromStr;

use serde_json::{Map, Value};

use crate::domain::{
    ID_FORMAT, MAX_RULE_GROUPS, MAX_RULE_RECIPIENTS, NAME_FORMAT, Name, Pattern, PatternError, RuleDetails,
    RuleRecipients, TenantName,
};
use crate::http::{ApiError, strict_json};

const MEMBERS: [&str; 4] = ["pattern", "recipients", "enabled", "withdraw_unmatched"];
const RECIPIENTS: [&str; 3] = ["projects", "accounts", "organizations"];
const ACCOUNT: [&str; 2] = ["name", "project"];

/// Parses the body.
///
/// # Errors
/// [`ApiError`] names the first faulty field and what was expected.
pub(super) fn parse(body: &[u8]) -> Result<RuleDetails, ApiError> {
    if body.trim_ascii().is_empty() {
        let message = "The request body is empty. Send a JSON object with pattern and recipients.";
        return Err(ApiError::bad_request("IMG.0007", message));
    }
    let body = strict_json::parse(body);
    let body =
        body.map_err(|problem| ApiError::malformed(format!("The request body cannot be read: {problem}.")))?;
    let Value::Object(body) = body else {
        return Err(ApiError::malformed("The request body is not a JSON object."));
    };
    check_members(&body, "", &MEMBERS)?;
    Ok(RuleDetails {
        pattern: parse_pattern(body.get("pattern"))?,
        recipients: parse_recipients(body.get("recipients"))?,
        enabled: parse_flag(&body, "enabled", true)?,
        withdraw_unmatched: parse_flag(&body, "withdraw_unmatched", false)?,
    })
}

fn invalid<T>(field: &str, expected: &str) -> Result<T, ApiError> {
    Err(ApiError::malformed(format!("{field}: expected {expected}.")))
}

fn check_members(object: &Map<String, Value>, path: &str, known: &[&str]) -> Result<(), ApiError> {
    match object.keys().find(|name| !known.contains(&name.as_str())) {
        Some(unknown) => invalid(&format!("{path}{unknown}"), &format!("only {}", known.join(", "))),
        None => Ok(()),
    }
}

fn parse_pattern(value: Option<&Value>) -> Result<Pattern, ApiError> {
    let Some(value) = value else {
        return invalid("pattern", "an object with at least one field of an image");
    };
    Pattern::parse(value).or_else(|PatternError { path, expected }| {
        let field = if path == "pattern" { path } else { format!("pattern.{path}") };
        invalid(&field, &expected)
    })
}

fn parse_flag(body: &Map<String, Value>, field: &str, default: bool) -> Result<bool, ApiError> {
    match body.get(field) {
        None => Ok(default),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(_) => invalid(field, "true or false"),
    }
}

fn parse_recipients(value: Option<&Value>) -> Result<RuleRecipients, ApiError> {
    let Some(Value::Object(object)) = value else {
        return invalid("recipients", "an object with projects, accounts or organizations");
    };
    check_members(object, "recipients.", &RECIPIENTS)?;
    let recipients = RuleRecipients {
        projects: parse_list(object, "projects", parse_id)?,
        accounts: parse_list(object, "accounts", parse_account)?,
        organizations: parse_list(object, "organizations", parse_id)?,
    };
    if !(1..=MAX_RULE_RECIPIENTS).contains(&recipients.len()) {
        return invalid(
            "recipients",
            &format!("1 to {MAX_RULE_RECIPIENTS} projects, accounts and organizations"),
        );
    }
    if recipients.accounts.len() + recipients.organizations.len() > MAX_RULE_GROUPS {
        return invalid("recipients", &format!("at most {MAX_RULE_GROUPS} accounts and organizations"));
    }
    Ok(recipients)
}

/// Parses an array without duplicates; a missing one is empty.
fn parse_list<T: PartialEq>(
    object: &Map<String, Value>,
    name: &str,
    parse: impl Fn(&Value, &str) -> Result<T, ApiError>,
) -> Result<Vec<T>, ApiError> {
    let values = match object.get(name) {
        None => return Ok(Vec::new()),
        Some(Value::Array(values)) if values.len() <= MAX_RULE_RECIPIENTS => values,
        Some(_) => {
            return invalid(
                &format!("recipients.{name}"),
                &format!("an array of at most {MAX_RULE_RECIPIENTS} entries"),
            );
        }
    };
    let mut parsed = Vec::with_capacity(values.len());
    for (index, value) in values.iter().enumerate() {
        let value = parse(value, &format!("recipients.{name}[{index}]"))?;
        if !parsed.contains(&value) {
            parsed.push(value);
        }
    }
    Ok(parsed)
}

fn parse_id<T: FromStr>(value: &Value, path: &str) -> Result<T, ApiError> {
    let id = value.as_str().and_then(|text| text.parse().ok());
    id.map_or_else(|| invalid(path, ID_FORMAT), Ok)
}

fn parse_account(value: &Value, path: &str) -> Result<TenantName, ApiError> {
    let Value::Object(fields) = value else { return invalid(path, "an object with name and project") };
    check_members(fields, &format!("{path}."), &ACCOUNT)?;
    let name = |field: &str| {
        let name = fields.get(field).and_then(Value::as_str).and_then(|text| text.parse::<Name>().ok());
        name.map_or_else(|| invalid(&format!("{path}.{field}"), NAME_FORMAT), Ok)
    };
    let project = match fields.get("project") {
        None | Some(Value::Null) => None,
        Some(_) => Some(name("project")?),
    };
    Ok(TenantName { account: name("name")?, project })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::http::any_json::near_variants;

    fn full_body() -> Value {
        json!({
            "pattern": {"name": [{"prefix": "golden-"}, {"anything-but": ["a", "b"]}], "min_disk": [{"numeric": [">", 0]}],
                "$or": [{"tags": ["a"]}, {"properties": {"os": [{"exists": false}]}}]},
            "recipients": {"projects": ["p", "q", "p"], "accounts": [{"name": "acme"}, {"name": "acme", "project": "web"}],
                "organizations": ["o"]},
            "enabled": false,
            "withdraw_unmatched": true,
        })
    }

    proptest! {
        #[test]
        fn share_rule_body_is_parsed_faithfully(
            body in near_variants(&full_body()),
            bytes in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            let _ = parse(&bytes);
            if let Ok(details) = parse(body.to_string().as_bytes()) {
                prop_assert_eq!(&details.pattern, &Pattern::parse(&body["pattern"]).unwrap());
                prop_assert_eq!(details.enabled, body["enabled"].as_bool().unwrap_or(true));
                prop_assert_eq!(details.withdraw_unmatched, body["withdraw_unmatched"].as_bool().unwrap_or(false));
                let RuleRecipients { projects, accounts, organizations } = &details.recipients;
                let recipients = &body["recipients"];
                prop_assert!(!details.recipients.is_empty());
                prop_assert!(projects.iter().all(|id| recipients["projects"].as_array().unwrap().contains(&json!(id))));
                prop_assert!(organizations.iter().all(|id| recipients["organizations"].as_array().unwrap().contains(&json!(id))));
                prop_assert!(accounts.len() <= recipients["accounts"].as_array().map_or(0, Vec::len));
            }
        }
    }

    #[test]
    fn share_rule_flags_have_defaults() {
        let body = json!({"pattern": {"name": ["a"]}, "recipients": {"projects": ["p", "p"]}});
        let details = parse(body.to_string().as_bytes()).unwrap();
        assert!(details.enabled && !details.withdraw_unmatched);
        assert_eq!(details.recipients.projects.len(), 1);
        assert_eq!(parse(full_body().to_string().as_bytes()).unwrap().recipients.len(), 5);
    }

    #[test]
    fn invalid_share_rule_field_is_named() {
        let error_text = |body: Value| format!("{:?}", parse(body.to_string().as_bytes()).unwrap_err());
        let pattern = json!({"name": ["a"]});
        let with = |recipients: Value| json!({"pattern": pattern, "recipients": recipients});
        let ids = |count: usize| (0..count).map(|number| format!("p{number}")).collect::<Vec<_>>();
        for (body, expected) in [
            (json!([]), "not a JSON object"),
            (json!({"pattern": pattern}), "recipients: expected an object with projects"),
            (json!({"recipients": {"projects": ["p"]}}), "pattern: expected an object"),
            (json!({"pattern": {}, "recipients": {}}), "pattern: expected an object with at least one field"),
            (json!({"pattern": {"name": [7]}}), "pattern.name[0]: expected a text"),
            (json!({"patterns": pattern}), "patterns: expected only pattern, recipients"),
            (with(json!({})), "recipients: expected 1 to 100 projects, accounts and organizations"),
            (with(json!({"projects": ids(101)})), "recipients.projects: expected an array of at most 100"),
            (with(json!({"projects": ids(100), "organizations": ["o"]})), "recipients: expected 1 to 100"),
            (
                with(json!({"organizations": ids(41)})),
                "recipients: expected at most 40 accounts and organizations",
            ),
            (with(json!({"projects": ["a#b"]})), "recipients.projects[0]: expected 1 to 64 characters"),
            (with(json!({"project": ["a"]})), "recipients.project: expected only projects, accounts"),
            (with(json!({"accounts": ["acme"]})), "recipients.accounts[0]: expected an object with name"),
            (
                with(json!({"accounts": [{"name": "a", "x": 1}]})),
                "recipients.accounts[0].x: expected only name, project",
            ),
            (with(json!({"accounts": [{"project": "a"}]})), "recipients.accounts[0].name: expected 1 to 64"),
        ] {
            let text = error_text(body.clone());
            assert!(text.contains(expected), "{body}: {text}");
        }
        let flag = json!({"pattern": pattern, "recipients": {"projects": ["p"]}, "enabled": "yes"});
        assert!(error_text(flag).contains("enabled: expected true or false"));
        assert!(format!("{:?}", parse(b" ").unwrap_err()).contains("IMG.0007"));
        assert!(format!("{:?}", parse(br#"{"pattern":1,"pattern":2}"#).unwrap_err()).contains("given twice"));
    }
}
