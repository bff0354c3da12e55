//! The header `Idempotency-Key`, which makes it safe to retry a request that creates something
//! (`contract/decisions.md` 22). All dialects have it except the RPC one.

use serde::Serialize;

use super::AuthenticatedRequest;
use crate::store::IdempotencyRequest;

/// The header is not a valid idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Idempotency-Key: expected 1 to 255 visible ASCII characters.")]
pub(crate) struct InvalidIdempotencyKey;

/// Returns the digests of a request and its idempotency key; `None` without the header. Two requests to one operation
/// are the same if their `content` is equal.
///
/// # Errors
/// [`InvalidIdempotencyKey`], also for an empty header, whose client believes that a retry is safe.
pub(crate) fn parse_header(
    request: &AuthenticatedRequest,
    content: &impl Serialize,
) -> Result<Option<IdempotencyRequest>, InvalidIdempotencyKey> {
    let Some(key) = request.raw_header("idempotency-key") else { return Ok(None) };
    if !is_valid_key(key) {
        return Err(InvalidIdempotencyKey);
    }
    let tenant = request.caller().tenant.clone();
    Ok(Some(IdempotencyRequest::new(tenant, key, &(request.route(), content))))
}

fn is_valid_key(key: &[u8]) -> bool {
    (1..=255).contains(&key.len()) && key.iter().all(u8::is_ascii_graphic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_is_visible_ascii_and_not_empty() {
        assert!(is_valid_key(b"order-66") && is_valid_key(&[b'x'; 255]));
        for bad in [&b""[..], b"a b", b"\xc3\xa9", &[b'x'; 256]] {
            assert!(!is_valid_key(bad), "{bad:?}");
        }
    }
}
