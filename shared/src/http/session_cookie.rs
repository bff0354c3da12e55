//! The cookie that has the token of a browser's session.
//!
//! Over https its name begins with `__Host-`, which binds it to this host. Locally a browser would not keep such a cookie over
//! http, so it has another name there.

use http::HeaderMap;
use http::header::COOKIE;

/// The cookie's name over https, and over http.
pub const SESSION_COOKIES: [&str; 2] = ["__Host-imageshare", "imageshare"];

/// The token in the cookie, if there is one. Whether it is valid remains to be checked. The name that is bound to this host
/// comes first: a cookie of the other name may have been set by another host of the same domain.
pub fn session_token(headers: &HeaderMap) -> Option<&str> {
    SESSION_COOKIES.iter().find_map(|name| cookie(headers, &[name]))
}

/// The value of the first cookie that has one of these names and a value.
pub fn cookie<'a>(headers: &'a HeaderMap, names: &[&str]) -> Option<&'a str> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|header| header.to_str().ok());
    let mut pairs =
        cookies.flat_map(|header| header.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, value)| names.contains(name) && !value.is_empty()).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn token_in(cookies: &'static str) -> Option<String> {
        session_token(&HeaderMap::from_iter([(COOKIE, HeaderValue::from_static(cookies))])).map(str::to_owned)
    }

    #[test]
    fn token_is_found_among_other_cookies() {
        assert_eq!(token_in("a=b; __Host-imageshare=x.y.z; c=d").as_deref(), Some("x.y.z"));
        assert_eq!(token_in("imageshare=x").as_deref(), Some("x"));
        for none in ["", "imageshare=", "other=imageshare", "imageshare"] {
            assert_eq!(token_in(none), None, "{none}");
        }
    }

    #[test]
    fn cookie_that_is_bound_to_the_host_comes_first() {
        assert_eq!(token_in("imageshare=other; __Host-imageshare=own").as_deref(), Some("own"));
    }
}
