//! Refuses forms that another site has sent, by the headers that browsers set and no page can change.
//!
//! A cookie with `SameSite=Lax` comes along with a form from another port of the same host, so it is not enough. The rule is
//! that of Go's `http.CrossOriginProtection`, but a request with neither header is refused as well: this endpoint is for
//! browsers, and all of them send `Origin` with a form.

use http::header::{HeaderMap, ORIGIN};

/// The form was not sent by a page of this origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the form was sent by a page of another origin, or by no browser")]
pub(crate) struct ForeignOrigin;

/// Checks that a form was sent by a page of the origin of `base_url`.
pub(crate) fn check(headers: &HeaderMap, base_url: &str) -> Result<(), ForeignOrigin> {
    let is_same = match (headers.get("sec-fetch-site"), headers.get(ORIGIN)) {
        (Some(site), _) => site == "same-origin",
        (None, Some(origin)) => origin == base_url,
        (None, None) => false,
    };
    if is_same { Ok(()) } else { Err(ForeignOrigin) }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn is_accepted(headers: &[(&'static str, &'static str)]) -> bool {
        let headers = headers
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_static(value)));
        check(&headers.collect(), "https://images.example").is_ok()
    }

    #[test]
    fn only_a_form_of_the_same_origin_is_accepted() {
        assert!(is_accepted(&[("sec-fetch-site", "same-origin")]));
        assert!(is_accepted(&[("origin", "https://images.example")]));
        for site in ["cross-site", "same-site", "none", ""] {
            assert!(
                !is_accepted(&[("sec-fetch-site", site), ("origin", "https://images.example")]),
                "{site}"
            );
        }
        for origin in
            ["https://other.example", "http://images.example", "https://images.example:8443", "null"]
        {
            assert!(!is_accepted(&[("origin", origin)]), "{origin}");
        }
        assert!(!is_accepted(&[]));
    }
}
