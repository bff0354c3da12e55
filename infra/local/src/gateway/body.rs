//! Reads a request's body within limits of size and time.

use std::pin::pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Body;
use tokio::time::timeout;

/// How long a client may take to send a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// How much of a body over the limit is read and discarded, and for how long. A client that writes its whole request
/// before it reads would not see the response otherwise.
const MAX_DISCARDED_BYTES: usize = 64 * 1024 * 1024;
const DISCARD_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a body cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BodyError {
    /// It is larger than allowed.
    TooLarge,
    /// It did not arrive in time.
    Timeout,
    /// The connection broke, or the body's framing is invalid.
    Broken,
}

/// Returns the body's length in bytes, if the request declares one.
pub(super) fn declared_length(body: &impl Body) -> Option<usize> {
    body.size_hint().exact().map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX))
}

/// Reads a body of at most `limit` bytes. The rest of a larger body is read and discarded, within limits, unless the
/// client expects `100 Continue` and waits before it sends a body (`expects_continue`).
///
/// # Errors
/// [`BodyError`]: the body is larger, takes more than 30 seconds, or breaks off.
pub(super) async fn read<B>(body: B, limit: usize, expects_continue: bool) -> Result<Bytes, BodyError>
where
    B: Body<Data = Bytes>,
{
    let mut body = pin!(body);
    let declared = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if declared > limit && expects_continue {
        return Err(BodyError::TooLarge);
    }
    let whole = timeout(BODY_TIMEOUT, async {
        // Most bodies arrive in one chunk, which is returned without a copy.
        let mut first = Bytes::new();
        let mut all = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else { continue };
            if first.len().max(all.len()) + data.len() > limit {
                return Err(BodyError::TooLarge);
            }
            if first.is_empty() {
                first = data;
                continue;
            }
            if all.is_empty() {
                all.reserve(declared.max(first.len() + data.len()));
                all.extend_from_slice(&first);
            }
            all.extend_from_slice(&data);
        }
        Ok(if all.is_empty() { first } else { all.freeze() })
    });
    let whole = whole.await.unwrap_or(Err(BodyError::Timeout));
    if whole == Err(BodyError::TooLarge) {
        let _ = timeout(DISCARD_TIMEOUT, async {
            let mut discarded = 0;
            while let Some(Ok(frame)) = body.frame().await {
                discarded += frame.data_ref().map_or(0, Bytes::len);
                if discarded > MAX_DISCARDED_BYTES {
                    break;
                }
            }
        })
        .await;
    }
    whole
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use hyper::body::Frame;

    use super::*;

    /// A body in chunks.
    struct Chunks(VecDeque<&'static [u8]>);

    impl Body for Chunks {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(self.0.pop_front().map(|chunk| Ok(Frame::data(Bytes::from_static(chunk)))))
        }
    }

    async fn read_chunks(chunks: &[&'static [u8]], limit: usize) -> Result<Bytes, BodyError> {
        read(Chunks(chunks.iter().copied().collect()), limit, false).await
    }

    #[tokio::test]
    async fn chunks_are_joined_up_to_the_limit() {
        assert_eq!(read_chunks(&[], 0).await.unwrap(), "");
        assert_eq!(read_chunks(&[b"abc"], 3).await.unwrap(), "abc");
        assert_eq!(read_chunks(&[b"a", b"", b"b", b"c"], 3).await.unwrap(), "abc");
        assert_eq!(read_chunks(&[b"abcd"], 3).await, Err(BodyError::TooLarge));
        assert_eq!(read_chunks(&[b"a", b"b", b"cd"], 3).await, Err(BodyError::TooLarge));
    }
}
