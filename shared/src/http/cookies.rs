//! The cookies of the console, above all that with the token of a browser's session.
//!
//! Over https a name begins with `__Host-`, which binds the cookie to this host. Locally a browser would not keep such a cookie
//! over http, so it has another name there. Over https that other name counts for nothing: any host of the same domain, or a page
//! over http, could have set it, and so have signed a visitor in as somebody else.

use http::HeaderMap;
use http::header::COOKIE;

/// The cookie of a session.
pub const SESSION_COOKIE: CookieName =
    CookieName { over_https: "__Host-imageshare", over_http: "imageshare" };

/// The names of a cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CookieName {
    /// The name over https, which begins with `__Host-`.
    pub over_https: &'static str,
    /// The name over http.
    pub over_http: &'static str,
}

impl CookieName {
    /// The name where clients reach the service at that URL, and the attributes that keep the cookie to this host and from
    /// scripts.
    pub fn at(self, base_url: &str) -> (&'static str, &'static str) {
        if base_url.starts_with("https://") {
            (self.over_https, "Path=/; HttpOnly; SameSite=Lax; Secure")
        } else {
            (self.over_http, "Path=/; HttpOnly; SameSite=Lax")
        }
    }

    /// The cookie's value in the headers of a request, where clients reach the service at that URL; `None` if it is missing or
    /// empty. Whether it is valid remains to be checked.
    pub fn value<'a>(self, headers: &'a HeaderMap, base_url: &str) -> Option<&'a str> {
        let (name, _) = self.at(base_url);
        pairs(headers).find(|(other, _)| *other == name).map(|(_, value)| value)
    }

    /// Whether the cookie is in the headers of a request, under either name.
    pub(super) fn is_in(self, headers: &HeaderMap) -> bool {
        pairs(headers).any(|(name, _)| name == self.over_https || name == self.over_http)
    }
}

/// The names and values of the cookies that have a value.
fn pairs(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|header| header.to_str().ok());
    let pairs = cookies.flat_map(|header| header.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(_, value)| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const HTTPS: &str = "https://images.example";
    const HTTP: &str = "http://127.0.0.1:8080";

    fn token_in(cookies: &'static str, base_url: &str) -> Option<String> {
        let headers = HeaderMap::from_iter([(COOKIE, HeaderValue::from_static(cookies))]);
        let token = SESSION_COOKIE.value(&headers, base_url).map(str::to_owned);
        assert!(token.is_none() || SESSION_COOKIE.is_in(&headers));
        token
    }

    #[test]
    fn token_is_found_among_other_cookies() {
        assert_eq!(token_in("a=b; __Host-imageshare=x.y.z; c=d", HTTPS).as_deref(), Some("x.y.z"));
        assert_eq!(token_in("a=b; imageshare=x; c=d", HTTP).as_deref(), Some("x"));
        for none in ["", "imageshare=", "__Host-imageshare=", "other=imageshare", "imageshare"] {
            assert_eq!((token_in(none, HTTP), token_in(none, HTTPS)), (None, None), "{none}");
        }
    }

    #[test]
    fn cookie_of_the_other_scheme_is_not_seen() {
        let both = "imageshare=plain; __Host-imageshare=bound";
        assert_eq!(token_in(both, HTTPS).as_deref(), Some("bound"));
        assert_eq!(token_in(both, HTTP).as_deref(), Some("plain"));
        assert_eq!(token_in("imageshare=plain", HTTPS), None);
        assert_eq!(token_in("__Host-imageshare=bound", HTTP), None);
    }
}
