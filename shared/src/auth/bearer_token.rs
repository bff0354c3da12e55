//! Reads the token from the headers of a request.

use http::HeaderMap;
use http::header::AUTHORIZATION;
use percent_encoding::percent_decode;

use super::error::{CredentialError, MAX_TOKEN_BYTES};

/// Returns the token from `X-Auth-Token` or `Authorization: Bearer`. It may be repeated. Two different tokens are
/// [`CredentialError::Ambiguous`], since an intermediary may have trusted the other one.
pub(super) fn bearer_token(headers: &HeaderMap) -> Result<String, CredentialError> {
    let plain = headers.get_all("x-auth-token").iter().map(|value| decode_header_value(value.as_bytes()));
    let bearer = headers.get_all(AUTHORIZATION).iter().map(|value| bearer_value(value.as_bytes()));
    let mut tokens = plain.chain(bearer);
    let token = tokens.next().unwrap_or(Err(CredentialError::Missing))?;
    for other in tokens {
        if other? != token {
            return Err(CredentialError::Ambiguous);
        }
    }
    if token.is_empty() { Err(CredentialError::Missing) } else { Ok(token) }
}

/// Decodes a header's value: Glance's Python client percent-encodes it. A token itself never contains a `%`.
fn decode_header_value(value: &[u8]) -> Result<String, CredentialError> {
    if value.len() > MAX_TOKEN_BYTES {
        return Err(CredentialError::TooLong);
    }
    let text = percent_decode(value.trim_ascii()).decode_utf8().map_err(|_| CredentialError::Malformed)?;
    Ok(text.into_owned())
}

fn bearer_value(value: &[u8]) -> Result<String, CredentialError> {
    let (scheme, token) = value.split_at_checked("Bearer ".len()).ok_or(CredentialError::UnknownScheme)?;
    if scheme.eq_ignore_ascii_case(b"Bearer ") {
        decode_header_value(token)
    } else {
        Err(CredentialError::UnknownScheme)
    }
}
