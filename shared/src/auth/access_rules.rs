//! The access rules of Keystone's application credentials: the requests that a token may be used for.
//!
//! Keystone describes a token that has rules only to a service that enforces them and announces it with the request
//! header `OpenStack-Identity-Access-Rules`. A rule names a service, a method and a path with Keystone's wildcards:
//! `*` and `{anything}` match one path segment, `**` matches any text. As in Keystone's own middleware,
//! `GET /v3/auth/tokens` is always allowed, and an empty list of rules allows nothing else.

use std::collections::BTreeSet;

use percent_encoding::percent_decode_str;
use serde::Deserialize;

/// The request header that announces enforcement, and the version of the rules that is enforced here.
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
    /// Returns whether a rule allows this request. `path` is the raw path without its query.
    pub(super) fn allows(&self, method: &str, path: &str) -> bool {
        let path = path.strip_suffix('/').filter(|path| !path.is_empty()).unwrap_or(path);
        // The gateway's parameters and the wildcards disagree on whether an encoded slash ends a segment.
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

/// Returns the type that the service of a path has in the catalog.
fn service_for_path(path: &str) -> &'static str {
    let is_glance = path.starts_with("/v2") && !path.starts_with("/v2/cloudimages");
    match path {
        _ if path.starts_with("/v3") => "identity",
        _ if is_glance => "image",
        _ => "ims",
    }
}

/// A token of a rule's path pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PatternToken {
    Literal(char),
    /// One or more characters other than a slash.
    Segment,
    /// Any text, even none.
    AnyText,
}

fn parse_pattern(pattern: &str) -> Vec<PatternToken> {
    let (mut tokens, mut rest) = (Vec::new(), pattern);
    while let Some(first) = rest.chars().next() {
        let placeholder = rest.strip_prefix('{').and_then(|placeholder| placeholder.split_once('}'));
        let (token, after) = match (rest.strip_prefix("**"), rest.strip_prefix('*'), placeholder) {
            (Some(after), ..) => (PatternToken::AnyText, after),
            (None, Some(after), _) | (None, None, Some((_, after))) => (PatternToken::Segment, after),
            (None, None, None) => {
                (PatternToken::Literal(first), rest.get(first.len_utf8()..).unwrap_or_default())
            }
        };
        tokens.push(token);
        rest = after;
    }
    tokens
}

/// Returns whether the pattern matches the whole path. Follows all reachable positions at once, so that no pattern
/// costs more than its length times the path's.
fn pattern_matches(tokens: &[PatternToken], path: &str) -> bool {
    let mut positions = BTreeSet::from([0]);
    for character in path.chars() {
        let mut next = BTreeSet::new();
        for position in skip_any_text(tokens, positions) {
            match tokens.get(position) {
                Some(PatternToken::Literal(expected)) if *expected == character => {
                    next.extend([position + 1]);
                }
                Some(PatternToken::Segment) if character != '/' => next.extend([position, position + 1]),
                Some(PatternToken::AnyText) => next.extend([position]),
                _ => {}
            }
        }
        positions = next;
    }
    skip_any_text(tokens, positions).contains(&tokens.len())
}

/// Adds the positions that are reached because [`PatternToken::AnyText`] may match no text.
fn skip_any_text(tokens: &[PatternToken], mut positions: BTreeSet<usize>) -> BTreeSet<usize> {
    for position in 0..tokens.len() {
        if positions.contains(&position) && tokens.get(position) == Some(&PatternToken::AnyText) {
            positions.insert(position + 1);
        }
    }
    positions
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
        let other_service = AccessRules(vec![AccessRule {
            service: "compute".to_owned(),
            method: "GET".to_owned(),
            path: "/v2/images/*".to_owned(),
        }]);
        assert!(!other_service.allows("GET", "/v2/images/1"));
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
