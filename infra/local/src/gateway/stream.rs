//! A client's connection, as the HTTP parser reads and writes it. Adds a timeout to everything for which the server
//! waits for the client, and puts the service's error body into the parser's own error responses.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

use super::connections::{Activity, Phase};
use super::error;

/// How long a client may take to send request line and headers, from the start of the connection or from the first byte
/// of a later request.
pub(super) const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection may be idle between two requests.
const IDLE_TIMEOUT: Duration = Duration::from_secs(90);

/// How long a client may read nothing of a response.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection with timeouts.
pub(super) struct ClientStream {
    stream: TcpStream,
    activity: Arc<Activity>,
    /// Runs while the connection waits for a request.
    read_timer: Pin<Box<Sleep>>,
    /// Runs while the client reads nothing of a response.
    write_timer: Option<Pin<Box<Sleep>>>,
    /// What is left to send of the response that replaces the parser's.
    error_response: Bytes,
}

impl ClientStream {
    /// Wraps a connection that was just accepted.
    pub(super) fn new(stream: TcpStream, activity: Arc<Activity>) -> Self {
        let read_timer = Box::pin(sleep(HEAD_TIMEOUT));
        Self { stream, activity, read_timer, write_timer: None, error_response: Bytes::new() }
    }

    fn wait_for_request(&mut self, phase: Phase, limit: Duration) {
        self.activity.enter(phase);
        self.read_timer.as_mut().reset(Instant::now() + limit);
    }

    /// Returns the result of a write; an error if it has been pending for [`WRITE_TIMEOUT`].
    fn apply_write_timeout(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.write_timer = None;
            return written;
        }
        let timer = self.write_timer.get_or_insert_with(|| Box::pin(sleep(WRITE_TIMEOUT)));
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read its response")))
    }

    /// Replaces the bytes if they are the parser's own error response. Returns whether they were.
    fn replace_parser_response(&mut self, bytes: &[u8]) -> bool {
        let error = error::replace_parser_response(bytes);
        let replaces = error.is_some();
        self.error_response = error.unwrap_or_default();
        replaces
    }

    fn poll_send_error(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.error_response.is_empty() {
            let written = Pin::new(&mut self.stream).poll_write(cx, &self.error_response);
            let written = ready!(self.apply_write_timeout(cx, written))?;
            self.error_response.advance(written);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for ClientStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let phase = self.activity.phase();
        if read.is_ready() {
            if phase == Phase::Idle && buffer.filled().len() > before {
                self.wait_for_request(Phase::ReadingHead, HEAD_TIMEOUT);
            }
            return read;
        }
        if matches!(phase, Phase::ReadingHead | Phase::Idle) {
            ready!(self.read_timer.as_mut().poll(cx));
            let error = io::Error::new(io::ErrorKind::TimedOut, "no request arrived in time");
            return Poll::Ready(Err(error));
        }
        Poll::Pending
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.replace_parser_response(bytes) {
            return Poll::Ready(Ok(bytes.len()));
        }
        self.activity.begin_write();
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.apply_write_timeout(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // The parser's error responses have no body, so they are one slice.
        if let [bytes] = parts
            && self.replace_parser_response(bytes)
        {
            return Poll::Ready(Ok(bytes.len()));
        }
        self.activity.begin_write();
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.apply_write_timeout(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send_error(cx))?;
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        if self.activity.phase() == Phase::Writing {
            self.wait_for_request(Phase::Idle, IDLE_TIMEOUT);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send_error(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
