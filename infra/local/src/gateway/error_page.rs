//! The gateway's own errors as pages, where a browser opens the console.

use http::request::Parts;
use imageshare::http::{HttpResponse, prefers_html};

/// Returns an error of the gateway as a page of the console if a browser sent the request for one, and any other response as it
/// is. The page keeps the status, and the headers that do not concern its content.
pub(super) fn for_reader(response: HttpResponse, head: &Parts, request_id: &str) -> HttpResponse {
    let path = head.uri.path();
    let is_page = path == "/console" || path.starts_with("/console/");
    if !is_page || !prefers_html(&head.headers) {
        return response;
    }
    let (mut parts, _) = response.into_parts();
    let (page, body) = console::error_page(parts.status, request_id).into_parts();
    parts.headers.extend(page.headers);
    HttpResponse::from_parts(parts, body)
}

#[cfg(test)]
mod tests {
    use http::Request;
    use http::header::{CONNECTION, CONTENT_TYPE};

    use super::super::GatewayError;
    use super::super::body::BodyError;
    use super::*;

    /// The content type and the body of the response to an error.
    fn response(error: &GatewayError, path: &str, accept: &str) -> (String, String) {
        let request = Request::get(path).header("accept", accept).body(()).unwrap();
        let own = error.to_response();
        let status = own.status();
        let closes = own.headers().contains_key(CONNECTION);
        let response = for_reader(own, &request.into_parts().0, "id-1");
        assert_eq!((response.status(), response.headers().contains_key(CONNECTION)), (status, closes));
        let kinds: Vec<_> = response.headers().get_all(CONTENT_TYPE).iter().collect();
        let [kind] = *kinds else { panic!("{kinds:?}") };
        let text = String::from_utf8(response.body().to_vec()).unwrap();
        (kind.to_str().unwrap().to_owned(), text)
    }

    #[test]
    fn browser_in_the_console_gets_each_error_as_a_page() {
        let errors = [
            (GatewayError::BodyTooLarge { allowed: 1, limit: 1 }, "The form is too large."),
            (GatewayError::Body(BodyError::TooLarge), "The form is too large."),
            (GatewayError::Body(BodyError::Timeout), "did not arrive in time"),
            (GatewayError::Body(BodyError::Broken), "cannot be read"),
            (GatewayError::HeadersTooLarge, "Delete the cookies"),
            (GatewayError::Busy, "too many requests"),
            (GatewayError::FunctionFailed, "Something went wrong"),
            (GatewayError::FunctionTimeout, "did not answer in time"),
        ];
        for (error, text) in errors {
            let (kind, page) = response(&error, "/console/shared", "text/html,*/*;q=0.8");
            assert_eq!(kind, "text/html; charset=utf-8");
            assert!(page.contains(text) && page.contains("Request ID: id-1"), "{text}: {page}");
        }
    }

    #[test]
    fn client_and_other_paths_get_json() {
        for (path, accept) in [
            ("/console/shared", "*/*"),
            ("/console/shared", "application/json, text/html"),
            ("/consoles", "text/html"),
            ("/v2/images", "text/html"),
        ] {
            let (kind, text) = response(&GatewayError::Busy, path, accept);
            assert_eq!(kind, "application/json", "{path}");
            assert!(text.contains("IMG.0060"), "{text}");
        }
    }
}
