//! A function that cannot handle requests.

/// Marks a request to a function that cannot handle it, as an extension of the request. Says what its deployment lacks:
/// settings and secrets by name, and the kind of each fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the function is not ready: {0}")]
pub struct Unready(pub String);
