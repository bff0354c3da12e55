//! A client's connection as the HTTP parser reads and writes it: with a time limit on everything that a client lets the
//! server wait for, and with the one error body in the parser's own refusals.

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

/// How long a client may take for request line and headers: from its connection on, or from the first byte of a later
/// request.
pub(super) const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection may lie idle between two requests.
const IDLE_TIMEOUT: Duration = Duration::from_secs(90);

/// How long a client may take no byte of an answer.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection with its time limits.
pub(super) struct ClientStream {
    stream: TcpStream,
    activity: Arc<Activity>,
    /// Runs while a request is waited for.
    read_timer: Pin<Box<Sleep>>,
    /// Runs while the client takes nothing of an answer.
    write_timer: Option<Pin<Box<Sleep>>>,
    /// What is left to send of the answer that takes the place of the parser's.
    error_response: Bytes,
}

impl ClientStream {
    /// A connection that has just been accepted.
    pub(super) fn new(stream: TcpStream, activity: Arc<Activity>) -> Self {
        let read_timer = Box::pin(sleep(HEAD_TIMEOUT));
        Self { stream, activity, read_timer, write_timer: None, error_response: Bytes::new() }
    }

    fn wait_for_request(&mut self, phase: Phase, limit: Duration) {
        self.activity.enter(phase);
        self.read_timer.as_mut().reset(Instant::now() + limit);
    }

    /// Passes on what a write came to, within the time limit.
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
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes nothing of its answer")))
    }

    /// Whether the bytes are a refusal of the parser's, whose place an answer of ours has then taken.
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
            let late = io::Error::new(io::ErrorKind::TimedOut, "no request came");
            return Poll::Ready(Err(late));
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
        // The parser's refusals have no body, and are one piece.
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
