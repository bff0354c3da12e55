//! What a call ends with if it does not succeed.

use std::fmt;

use http::StatusCode;
use serde::Deserialize;

/// Why a call failed. Its text is for the user: the service's message, its code, the status and the request's id.
#[derive(Clone, Debug)]
pub struct ApiError {
    /// The kind, for those who handle some errors.
    pub kind: ErrorKind,
    /// What has happened, and what to do.
    pub message: String,
    /// Where it comes from.
    pub origin: Box<Origin>,
}

/// The call that failed, and its response.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The method and the path of the call.
    pub call: String,
    /// The status of the response, if there was one.
    pub status: Option<u16>,
    /// The service's code, such as `IMG.0027`.
    pub code: Option<String>,
    /// The request's id, for the operator's log.
    pub request_id: Option<String>,
}

/// What can be done about an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// What the call is about does not exist, or this project cannot see it.
    Missing,
    /// The credential is not accepted.
    Unauthorized,
    /// The credential is accepted, and does not permit the call.
    Forbidden {
        /// The project that asked, if it is known.
        project: Option<String>,
    },
    /// The state of something does not permit the call.
    Conflict,
    /// A limit of the service is reached.
    LimitReached,
    /// The call is wrong.
    Invalid {
        /// The member of the request that is wrong, as `projects[2]`.
        field: Option<String>,
    },
    /// The project sends too many requests, also after the retries.
    Throttled,
    /// The service is not available, also after the retries.
    Unavailable,
    /// The service failed.
    Failed,
    /// No connection to the service.
    Unreachable,
    /// The service did not respond in time.
    TimedOut,
    /// The server does not have this call: it is older than the provider.
    Unsupported,
    /// The response is not one of this service.
    UnexpectedResponse,
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let ErrorKind::Forbidden { project: Some(project) } = &self.kind {
            write!(f, " Project {project} asked.")?;
        }
        let Origin { call, status, code, request_id } = &*self.origin;
        write!(f, " [{call}")?;
        if let Some(code) = code {
            write!(f, ", {code}")?;
        }
        if let Some(status) = status {
            write!(f, ", HTTP {status}")?;
        }
        if let Some(id) = request_id {
            write!(f, ", request id {id}")?;
        }
        f.write_str("]")
    }
}

impl std::error::Error for ApiError {}

/// The service's one error body.
#[derive(Deserialize)]
struct ErrorBody {
    error: ErrorMembers,
}

#[derive(Deserialize)]
struct ErrorMembers {
    code: String,
    message: String,
}

impl ApiError {
    /// An error without a response.
    pub(super) fn local(kind: ErrorKind, message: impl Into<String>, call: String) -> Self {
        Self { kind, message: message.into(), origin: Box::new(Origin { call, ..Origin::default() }) }
    }

    /// The error of a response that is not a success. `project` is the one that asked.
    pub(super) fn of_response(
        status: StatusCode,
        body: &[u8],
        request_id: Option<String>,
        call: String,
        project: Option<String>,
    ) -> Self {
        let (kind, code, message) = match serde_json::from_slice::<ErrorBody>(body) {
            Ok(ErrorBody { error: ErrorMembers { code, message } }) => {
                (kind_of(status, &code, &message, project), Some(code), message)
            }
            Err(_) => (kind_without_body(status), None, message_without_body(status)),
        };
        let origin = Origin { call, status: Some(status.as_u16()), code, request_id };
        Self { kind, message, origin: Box::new(origin) }
    }

    /// A success whose body is not what the call returns.
    pub(super) fn unreadable(problem: &serde_json::Error, request_id: Option<String>, call: String) -> Self {
        // The text of a serde_json error names the place and what was expected there; a value that it may quote is of a
        // response that this program cannot read, so it is left out.
        let message = format!(
            "The response is not what this provider expects (line {}, column {}): check that endpoint is an imageshare server.",
            problem.line(),
            problem.column()
        );
        let origin = Origin { call, request_id, ..Origin::default() };
        Self { kind: ErrorKind::UnexpectedResponse, message, origin: Box::new(origin) }
    }

    /// Whether what the call is about does not exist.
    pub fn is_missing(&self) -> bool {
        self.kind == ErrorKind::Missing
    }

    /// Whether the call changed nothing because others changed the same thing at that moment.
    pub(super) fn is_lost_race(&self) -> bool {
        self.kind == ErrorKind::Conflict && self.code() == Some(LOST_RACE)
    }

    /// The service's code, if there was a response.
    pub fn code(&self) -> Option<&str> {
        self.origin.code.as_deref()
    }

    /// The member of the request that is wrong, if the error says so.
    pub fn field(&self) -> Option<&str> {
        match &self.kind {
            ErrorKind::Invalid { field } => field.as_deref(),
            _ => None,
        }
    }
}

/// The code of an image that does not exist, which the IMS API reports with status 400.
const IMAGE_NOT_FOUND: &str = "IMG.0027";
/// The code of a limit.
const LIMIT: &str = "IMG.0088";
/// The code of a change that lost against others, and was not made.
const LOST_RACE: &str = "IMG.0046";
/// The code of a path that does not exist, and of a share rule that does not.
const NO_SUCH: &str = "IMG.0086";
/// The codes of a caller that may not do this.
const NOT_PERMITTED: [&str; 2] = ["IMG.0026", "IMG.0047"];

fn kind_of(status: StatusCode, code: &str, message: &str, project: Option<String>) -> ErrorKind {
    match (status.as_u16(), code) {
        (401, _) => ErrorKind::Unauthorized,
        (_, LIMIT) => ErrorKind::LimitReached,
        (400, IMAGE_NOT_FOUND) => ErrorKind::Missing,
        (400 | 403, code) if NOT_PERMITTED.contains(&code) => ErrorKind::Forbidden { project },
        (404, NO_SUCH) if message.starts_with("There is no such path") => ErrorKind::Unsupported,
        (404, _) => ErrorKind::Missing,
        (405, _) => ErrorKind::Unsupported,
        (400 | 413 | 415, _) => ErrorKind::Invalid { field: field_of(message) },
        (403 | 409 | 412 | 422, _) => ErrorKind::Conflict,
        _ => kind_without_body(status),
    }
}

fn kind_without_body(status: StatusCode) -> ErrorKind {
    match status.as_u16() {
        429 => ErrorKind::Throttled,
        502..=504 => ErrorKind::Unavailable,
        500..=599 => ErrorKind::Failed,
        _ => ErrorKind::UnexpectedResponse,
    }
}

fn message_without_body(status: StatusCode) -> String {
    match kind_without_body(status) {
        ErrorKind::Throttled => "There are too many requests. Try again later.".to_owned(),
        ErrorKind::Unavailable => "The service is not available. Try again later.".to_owned(),
        ErrorKind::Failed => "The service failed. Try again.".to_owned(),
        _ => "The response is not from an imageshare server: check endpoint.".to_owned(),
    }
}

/// The member of the request that a message begins with, as in `projects[2]: expected …`.
fn field_of(message: &str) -> Option<String> {
    let (field, _) = message.split_once(": ")?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_.[]*$".contains(c);
    (field.starts_with(|c: char| c.is_ascii_lowercase() || c == '_') && field.chars().all(is_name))
        .then(|| field.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(status: u16, code: &str, message: &str) -> ApiError {
        let body = serde_json::json!({"error": {"code": code, "message": message, "title": "T"}}).to_string();
        let status = StatusCode::from_u16(status).expect("a status");
        ApiError::of_response(
            status,
            body.as_bytes(),
            Some("r-1".to_owned()),
            "GET /x".to_owned(),
            Some("own1".to_owned()),
        )
    }

    #[test]
    fn missing_and_forbidden_are_told_apart() {
        assert!(error(404, "IMG.0121", "mem1 is not a member.").is_missing());
        assert!(error(400, "IMG.0027", "Image a does not exist.").is_missing());
        let forbidden = error(403, "IMG.0026", "Your credential acts for own1.");
        assert_eq!(forbidden.kind, ErrorKind::Forbidden { project: Some("own1".to_owned()) });
        assert_eq!(
            forbidden.to_string(),
            "Your credential acts for own1. Project own1 asked. [GET /x, IMG.0026, HTTP 403, request id r-1]"
        );
        assert_eq!(error(403, "IMG.0105", "Image a is protected.").kind, ErrorKind::Conflict);
    }

    #[test]
    fn invalid_request_names_its_field() {
        let field = |message| error(400, "IMG.0001", message).field().map(str::to_owned);
        assert_eq!(field("projects[2]: expected an id.").as_deref(), Some("projects[2]"));
        assert_eq!(
            field("pattern.name[0].wildcard: expected a text.").as_deref(),
            Some("pattern.name[0].wildcard")
        );
        assert_eq!(field("Image a has a fault: repair it."), None);
    }

    #[test]
    fn older_server_is_told_apart_from_a_missing_thing() {
        let unknown_path = "There is no such path. GET /docs lists the paths.";
        assert_eq!(error(404, "IMG.0086", unknown_path).kind, ErrorKind::Unsupported);
        assert_eq!(
            error(405, "IMG.0105", "This path does not have this method.").kind,
            ErrorKind::Unsupported
        );
        assert!(error(404, "IMG.0086", "Your project has no share rule golden.").is_missing());
    }

    #[test]
    fn page_of_another_server_is_not_a_missing_thing() {
        let page = ApiError::of_response(StatusCode::NOT_FOUND, b"<html>", None, "GET /x".to_owned(), None);
        assert_eq!(page.kind, ErrorKind::UnexpectedResponse);
        assert!(!page.to_string().contains("<html>"));
    }
}
