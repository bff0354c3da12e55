//! The access rules of Keystone's application credentials: the requests that a token may be used for.
//!
//! Keystone describes a token that has such rules only to a service that says it enforces them, in the header
//! `OpenStack-Identity-Access-Rules` of its question. A rule names a service, a method and a path, with Keystone's
//! wildcards: `*` and `{anything}` stand for a part between two slashes, `**` for any text. As in Keystone's own middleware,
//! `GET /v3/auth/tokens` is always allowed, and nothing is where there is no rule.

use std::collections::BTreeSet;

use percent_encoding::percent_decode_str;
use serde::Deserialize;

/// The header that asks for a token's rules, and the version of them that is enforced here.
pub(super) const HEADER: (&str, &str) = ("openstack-identity-access-rules", "1.0");

/// The requests that a token may be used for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct AccessRules(Vec<AccessRule>);

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct AccessRule {
    service: String,
    method: String,
    path: String,
}

impl AccessRules {
    /// Whether one of the rules allows a request to that path, as it came, without its query.
    pub(super) fn allows(&self, method: &str, path: &str) -> bool {
        let path = path.strip_suffix('/').filter(|path| !path.is_empty()).unwrap_or(path);
        // One slash would be two things: an end to the gateway's parameter, none to a wildcard.
        if path.to_ascii_lowercase().contains("%2f") {
            return false;
        }
        let Ok(path) = percent_decode_str(path).decode_utf8() else { return false };
        let service = service_for_path(&path);
        (method, path.as_ref()) == ("GET", "/v3/auth/tokens")
            || self.0.iter().any(|rule| {
                rule.service == service
                    && rule.method == method
                    && pattern_matches(&parse_pattern(&rule.path), &path)
            })
    }
}

/// The type under which the catalog has the service that a path belongs to.
fn service_for_path(path: &str) -> &'static str {
    let is_glance = path.starts_with("/v2") && !path.starts_with("/v2/cloudimages");
    match path {
        _ if path.starts_with("/v3") => "identity",
        _ if is_glance => "image",
        _ => "ims",
    }
}

/// A part of a rule's path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PatternToken {
    Literal(char),
    /// One character or more between two slashes.
    Segment,
    /// Any text.
    AnyText,
}

fn parse_pattern(pattern: &str) -> Vec<PatternToken> {
    let (mut steps, mut rest) = (Vec::new(), pattern);
    while let Some(first) = rest.chars().next() {
        let tag = rest.strip_prefix('{').and_then(|tag| tag.split_once('}'));
        let (step, after) = match (rest.strip_prefix("**"), rest.strip_prefix('*'), tag) {
            (Some(after), ..) => (PatternToken::AnyText, after),
            (None, Some(after), _) | (None, None, Some((_, after))) => (PatternToken::Segment, after),
            (None, None, None) => {
                (PatternToken::Literal(first), rest.get(first.len_utf8()..).unwrap_or_default())
            }
        };
        steps.push(step);
        rest = after;
    }
    steps
}

/// Whether the steps make up the path: all places that can be reached are followed at once, so that no pattern takes longer
/// than its length times that of the path.
fn pattern_matches(steps: &[PatternToken], path: &str) -> bool {
    let mut places = BTreeSet::from([0]);
    for character in path.chars() {
        let mut next = BTreeSet::new();
        for place in skip_any_text(steps, places) {
            match steps.get(place) {
                Some(PatternToken::Literal(expected)) if *expected == character => next.extend([place + 1]),
                Some(PatternToken::Segment) if character != '/' => next.extend([place, place + 1]),
                Some(PatternToken::AnyText) => next.extend([place]),
                _ => {}
            }
        }
        places = next;
    }
    skip_any_text(steps, places).contains(&steps.len())
}

/// The places, and those behind a step that any text is, even none.
fn skip_any_text(steps: &[PatternToken], mut places: BTreeSet<usize>) -> BTreeSet<usize> {
    for place in 0..steps.len() {
        if places.contains(&place) && steps.get(place) == Some(&PatternToken::AnyText) {
            places.insert(place + 1);
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn rules(rules: &[(&str, &str, &str)]) -> AccessRules {
        let rule = |(service, method, path): &(&str, &str, &str)| json!({"id": "r", "service": service, "method": method, "path": path});
        serde_json::from_value(rules.iter().map(rule).collect()).unwrap()
    }

    #[test]
    fn wildcards_match_segments_or_any_text() {
        for (pattern, path, is_match) in [
            ("/v2/images", "/v2/images", true),
            ("/v2/images", "/v2/images/1", false),
            ("/v2/images/*", "/v2/images/1", true),
            ("/v2/images/*", "/v2/images/", false),
            ("/v2/images/*", "/v2/images/1/members", false),
            ("/v2/images/{image_id}/members", "/v2/images/1/members", true),
            ("/v2/images/*/members/*", "/v2/images/1/members/m", true),
            ("/v2/**", "/v2/images/1/members", true),
            ("/v2/**", "/v2/", true),
            ("**", "", true),
            ("/v2.images", "/v2/images", false),
            ("/a*c", "/abc", true),
            ("/a*c", "/ac", false),
            ("/{a", "/{a", true),
            ("", "/", false),
        ] {
            assert_eq!(pattern_matches(&parse_pattern(pattern), path), is_match, "{pattern} {path}");
        }
    }

    #[test]
    fn rule_allows_its_service_method_and_path_only() {
        let rules = rules(&[("image", "GET", "/v2/images/*"), ("ims", "POST", "/v1/cloudimages/members")]);
        for (method, path, is_allowed) in [
            ("GET", "/v2/images/1", true),
            ("GET", "/v2/images/1/", true),
            ("GET", "/v2/images/a%20b", true),
            ("POST", "/v1/cloudimages/members", true),
            ("GET", "/v3/auth/tokens", true),
            ("DELETE", "/v3/auth/tokens", false),
            ("HEAD", "/v2/images/1", false),
            ("DELETE", "/v2/images/1", false),
            ("GET", "/v2/images/1%2Fmembers", false),
            ("GET", "/v2/images/1/members", false),
            ("GET", "/v2/images/%FF", false),
            ("GET", "/v1/cloudimages/members", false),
        ] {
            assert_eq!(rules.allows(method, path), is_allowed, "{method} {path}");
        }
        let of_another_service = AccessRules(vec![AccessRule {
            service: "compute".to_owned(),
            method: "GET".to_owned(),
            path: "/v2/images/*".to_owned(),
        }]);
        assert!(!of_another_service.allows("GET", "/v2/images/1"));
        assert!(!AccessRules(Vec::new()).allows("GET", "/v2/images"));
    }

    proptest! {
        #[test]
        fn plain_pattern_matches_itself_and_no_pattern_panics(pattern in ".{0,60}", path in "/[a-z/]{0,60}") {
            let _ = pattern_matches(&parse_pattern(&pattern), &path);
            prop_assert!(pattern_matches(&parse_pattern(&path), &path));
            let longer = format!("{path}x");
            prop_assert!(!pattern_matches(&parse_pattern(&path), &longer));
        }
    }

    #[test]
    fn many_wildcards_do_not_slow_down_matching() {
        assert!(!pattern_matches(&parse_pattern(&"**a".repeat(40)), &"/".repeat(8_000)));
    }
}
