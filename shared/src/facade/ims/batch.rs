//! What the batch calls have in common: the parsing of bodies, and the response with the job's id.
//!
//! Bodies are parsed by hand from JSON values, so that an error names the field and what it expects. An unknown member
//! is an error, unlike in IMS: a client that sends `expires_at` or `owner` relies on its effect
//! (`contract/decisions.md` 30). So are duplicate members, lone surrogates and unlimited nesting, which parsers
//! interpret differently.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::accounts;
use crate::domain::{ImageId, JobId, MAX_NAMES_PER_BATCH, MAX_PAIRS_PER_BATCH, RecipientList};
use crate::http::id_array::{parse_ids, too_many_items};
use crate::http::{ApiError, HttpResponse, json_response, strict_json};

/// `{"images":[…],"projects":[…],"accounts":[…]}`: the body of a share or unshare request (`contract/ims.md` 1.1, 1.3;
/// `contract/decisions.md` 21).
///
/// Its JSON form decides whether two requests with one idempotency key are the same: it has the names that were sent,
/// not the tenants that they resolve to.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Batch {
    pub(super) images: Vec<ImageId>,
    pub(super) tenants: RecipientList,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BatchBody {
    images: Option<Value>,
    projects: Option<Value>,
    accounts: Option<Value>,
    domains: Option<Value>,
    organizations: Option<Value>,
}

impl Batch {
    pub(super) fn parse(body: &[u8]) -> Result<Self, ApiError> {
        let wire: BatchBody = parse_object(body)?;
        for (field, value) in [("domains", wire.domains), ("organizations", wire.organizations)] {
            if value.is_some_and(|value| value.as_array().is_none_or(|names| !names.is_empty())) {
                return Err(ApiError::bad_request(
                    "IMG.0105",
                    format!(
                        "{field}: not supported here. Give project ids in projects, or names in accounts."
                    ),
                ));
            }
        }
        let images = parse_images(wire.images.as_ref())?;
        let accounts = accounts::parse(wire.accounts.as_ref())?;
        let has_no_projects = wire.projects.as_ref().is_none_or(|value| *value == Value::Array(Vec::new()));
        let projects = if has_no_projects && !accounts.is_empty() {
            Vec::new()
        } else {
            parse_ids("projects", "IMG.0067", wire.projects.as_ref(), MAX_NAMES_PER_BATCH)?
        };
        check_counts(images.len(), projects.len(), accounts.len())?;
        Ok(Self { images, tenants: RecipientList { projects, accounts } })
    }
}

/// Checks the number of recipients, and that of pairs with the images (`contract/decisions.md` 13).
fn check_counts(images: usize, projects: usize, accounts: usize) -> Result<(), ApiError> {
    let (recipients, names) = match (projects, accounts) {
        (_, 0) => (projects, "projects"),
        (0, _) => (accounts, "accounts"),
        _ => (projects + accounts, "projects and accounts together"),
    };
    if recipients > MAX_NAMES_PER_BATCH {
        return Err(too_many_items(names, MAX_NAMES_PER_BATCH, recipients));
    }
    let pairs = images * recipients;
    if pairs <= MAX_PAIRS_PER_BATCH {
        return Ok(());
    }
    let (pairs, max) = (with_separators(pairs), with_separators(MAX_PAIRS_PER_BATCH));
    Err(ApiError::malformed(format!("images × {names} = {pairs}, at most {max}. Send several requests.")))
}

/// Writes a number with commas between its thousands.
fn with_separators(number: usize) -> String {
    if number < 1_000 {
        return number.to_string();
    }
    format!("{},{:03}", with_separators(number / 1_000), number % 1_000)
}

/// Parses a body that has to be a JSON object.
pub(super) fn parse_object<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    let text = body.trim_ascii();
    if text.is_empty() {
        return Err(ApiError::bad_request("IMG.0007", "The request body is empty. Send a JSON object."));
    }
    // Serde would accept an array as the fields of a struct in their order.
    if !text.starts_with(b"{") {
        return Err(ApiError::malformed("The request body is not a JSON object: it does not begin with {."));
    }
    let parsed = strict_json::parse(text).and_then(T::deserialize);
    parsed.map_err(|problem| ApiError::malformed(format!("The request body cannot be read: {problem}.")))
}

/// Parses the field `images`.
pub(super) fn parse_images(value: Option<&Value>) -> Result<Vec<ImageId>, ApiError> {
    parse_ids("images", "IMG.0066", value, MAX_NAMES_PER_BATCH)
}

/// The response of a batch call: 200, not 202, because several clients accept only 200 (`contract/README.md` 0.2).
pub(super) fn job_response(job: JobId) -> HttpResponse {
    json_response(http::StatusCode::OK, &serde_json::json!({ "job_id": job.to_string() }))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::domain::Name;
    use crate::http::any_json::near_variants;

    fn bodies() -> impl Strategy<Value = Value> {
        near_variants(&json!({
            "images": ["a", "b", "a"],
            "projects": ["p"],
            "accounts": [{"name": "acme"}, {"name": "acme", "project": "web"}],
            "domains": [],
        }))
    }

    proptest! {
        #[test]
        fn batch_body_is_parsed_faithfully(body in bodies(), bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = Batch::parse(&bytes);
            if let Ok(Batch { images, tenants }) = Batch::parse(body.to_string().as_bytes()) {
                let texts = |field: &str| -> Vec<_> {
                    let texts: HashSet<_> = body[field].as_array().into_iter().flatten().collect();
                    texts.into_iter().map(|text| text.as_str().map(str::to_owned)).collect()
                };
                let are_ids_of = |ids: Vec<String>, field| ids.len() == texts(field).len() && ids.into_iter().all(|id| texts(field).contains(&Some(id)));
                prop_assert!(are_ids_of(images.iter().map(ToString::to_string).collect(), "images") && !images.is_empty());
                prop_assert!(are_ids_of(tenants.projects.iter().map(ToString::to_string).collect(), "projects"));
                for (index, recipient) in &tenants.accounts {
                    let account = &body["accounts"][*index];
                    prop_assert_eq!(account["name"].as_str(), Some(recipient.account.as_str()));
                    prop_assert_eq!(account["project"].as_str(), recipient.project.as_ref().map(Name::as_str));
                }
                prop_assert!(!tenants.projects.is_empty() || !tenants.accounts.is_empty());
            }
        }
    }

    fn error_text(body: &str) -> String {
        format!("{:?}", Batch::parse(body.as_bytes()).unwrap_err())
    }

    #[test]
    fn seed_003_example_is_parsed() {
        let body =
            br#"{"images":["d164b5df-1bc3-4c3f-893e-3e471fd16e64","0b680482-acaa-4045-b14c-9a8c7dfe9c70"],
            "projects":["9c61004714024f9586705d090530f9fa","edc89b490d7d4392898e19b2deb34797"]}"#;
        let batch = Batch::parse(body).unwrap();
        assert_eq!((batch.images.len(), batch.tenants.projects.len()), (2, 2));
    }

    #[test]
    fn duplicate_image_ids_are_removed() {
        let batch = Batch::parse(br#"{"images":["a","a"],"projects":["p"]}"#).unwrap();
        assert_eq!(batch.images.len(), 1);
    }

    #[test]
    fn unknown_member_is_rejected_by_name() {
        let with = |more: &str| format!(r#"{{"images":["a"],"projects":["p"],{more}}}"#);
        let deep = |levels| format!(r#""extra":{}{}"#, "[".repeat(levels), "]".repeat(levels));
        for (name, bad) in [
            ("expires_at", r#""expires_at":"2026-11-21T22:46:56Z""#),
            ("owner", r#""owner":null"#),
            ("extra", r#""extra":"\ud83d\ude00""#),
            ("extra", &deep(100)),
        ] {
            let error = error_text(&with(bad));
            assert!(
                error.contains("IMG.0001") && error.contains(&format!("unknown field `{name}`")),
                "{error}"
            );
        }
        for bad in [
            r#""extra":"\ud800""#,
            r#""\udfff":1"#,
            r#""extra":1,"extra":1"#,
            r#""extra":{"a":1,"\u0061":2}"#,
            r#""extra":NaN"#,
            r#""extra":1e400"#,
            &deep(10_000),
        ] {
            assert!(error_text(&with(bad)).contains("IMG.0001"), "{bad}");
        }
    }

    #[test]
    fn invalid_batch_field_is_named() {
        assert!(error_text("").contains("IMG.0007"));
        assert!(error_text("[[\"a\"],[\"p\"]]").contains("not a JSON object"));
        assert!(error_text("{").contains("IMG.0001"));
        assert!(error_text(r#"{"projects":["p"]}"#).contains("images: expected an array of 1 to 1000"));
        assert!(error_text(r#"{"images":[],"projects":["p"]}"#).contains("images: expected an array"));
        assert!(error_text(r#"{"images":"a","projects":["p"]}"#).contains("images: expected an array"));
        assert!(error_text(r#"{"images":[7],"projects":["p"]}"#).contains("images[0]: expected a string"));
        assert!(error_text(r#"{"images":["a","b#c"],"projects":["p"]}"#).contains("IMG.0066"));
        assert!(error_text(r#"{"images":["a"],"projects":["p/q"]}"#).contains("IMG.0067"));
        assert!(error_text(r#"{"images":["a"],"images":["b"],"projects":["p"]}"#).contains("given twice"));
        assert!(error_text(r#"{"images":["a"],"projects":["p"],"domains":["d"]}"#).contains("IMG.0105"));
        let many = serde_json::json!({ "images": vec!["a"; 1_001], "projects": ["p"] });
        assert!(error_text(&many.to_string()).contains("at most 1000, got 1001"));
    }

    #[test]
    fn projects_are_optional_with_accounts() {
        for body in [
            r#"{"images":["a"],"accounts":[{"name":"acme"}]}"#,
            r#"{"images":["a"],"projects":[],"accounts":[{"name":"acme"}]}"#,
        ] {
            let tenants = Batch::parse(body.as_bytes()).unwrap().tenants;
            assert_eq!((tenants.projects.len(), tenants.accounts.len()), (0, 1));
        }
        for body in [
            r#"{"images":["a"],"accounts":[]}"#,
            r#"{"images":["a"],"projects":"p","accounts":[{"name":"acme"}]}"#,
        ] {
            assert!(error_text(body).contains("projects: expected an array"), "{body}");
        }
        assert!(
            error_text(r#"{"images":["a"],"accounts":[{"name":"a","name":"b"}]}"#).contains("given twice"),
            "a duplicate name is ambiguous"
        );
    }

    #[test]
    fn projects_and_accounts_share_the_limit_of_1000() {
        let projects: Vec<_> = (0..600).map(|number| format!("p{}", number % 500)).collect();
        let accounts =
            |count| (0..count).map(|n| serde_json::json!({ "name": format!("a{n}") })).collect::<Vec<_>>();
        let body = |count| {
            serde_json::json!({ "images": ["a"], "projects": projects, "accounts": accounts(count) })
                .to_string()
        };
        assert_eq!(Batch::parse(body(500).as_bytes()).unwrap().tenants.accounts.len(), 500);
        let expected = "projects and accounts together: expected at most 1000, got 1001";
        assert!(error_text(&body(501)).contains(expected));
    }

    #[test]
    fn pairs_are_limited_to_10000() {
        let names =
            |prefix: &str, count: usize| (0..count).map(|n| format!("{prefix}{n}")).collect::<Vec<_>>();
        let accounts =
            |count: usize| names("a", count).into_iter().map(|name| json!({"name": name})).collect();
        let body = |images, projects, count| {
            let accounts: Vec<_> = accounts(count);
            json!({"images": names("i", images), "projects": names("p", projects), "accounts": accounts})
                .to_string()
        };
        for (images, projects, accounts) in [(1_000, 10, 0), (10, 1_000, 0), (100, 100, 0), (10, 400, 600)] {
            let batch = Batch::parse(body(images, projects, accounts).as_bytes()).unwrap();
            assert_eq!(batch.images.len() * (projects + accounts), 10_000);
        }
        for (images, projects, accounts, expected) in [
            (120, 100, 0, "images × projects = 12,000, at most 10,000. Send several requests."),
            (1_000, 1_000, 0, "images × projects = 1,000,000, at most 10,000."),
            (1_000, 0, 11, "images × accounts = 11,000, at most 10,000."),
            (101, 50, 50, "images × projects and accounts together = 10,100, at most 10,000."),
        ] {
            let error = error_text(&body(images, projects, accounts));
            assert!(error.contains(expected), "{error}");
        }
    }
}
