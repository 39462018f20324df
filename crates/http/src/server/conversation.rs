//! What one connection is doing and until when it may, shared by its reading half, its requests and its clock.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use axum::body::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::Limits;
use super::framing::{Ambiguous, Delimiter, Framing};
use super::tls::Stream;

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The rest of a head; after the connection was made, also its first octet.
    Head,
    /// The rest of a body.
    Body,
    /// Us.
    Answer,
    /// The next request.
    Idle,
}

#[derive(Debug)]
struct State {
    framing: Framing,
    phase: Phase,
    since: Instant,
}

impl State {
    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.since = Instant::now();
    }
}

/// The state of one connection.
#[derive(Clone, Debug)]
pub(super) struct Conversation(Arc<Mutex<State>>);

impl Conversation {
    /// A connection that was made at `since`.
    pub(super) fn new(since: Instant) -> Self {
        let state = State {
            framing: Framing::default(),
            phase: Phase::Head,
            since,
        };
        Self(Arc::new(Mutex::new(state)))
    }

    /// A request was read as far as its head.
    ///
    /// # Errors
    /// [`Ambiguous`] when it must be refused.
    pub(super) fn begin(&self, has_body: bool) -> Result<Delimiter, Ambiguous> {
        let mut state = self.state();
        state.enter(if has_body { Phase::Body } else { Phase::Answer });
        state.framing.begin()
    }

    /// The answer is there.
    pub(super) fn finish(&self) {
        let mut state = self.state();
        let next = if state.framing.is_ahead() {
            Phase::Head
        } else {
            Phase::Idle
        };
        state.enter(next);
    }

    /// When the connection must be closed if nothing changes; `None` while it waits for us.
    pub(super) fn deadline(&self, limits: &Limits) -> Option<Instant> {
        let state = self.state();
        let patience = match state.phase {
            Phase::Head => limits.head_time,
            Phase::Body => limits.body_time,
            Phase::Answer => return None,
            Phase::Idle => limits.idle_time,
        };
        Some(state.since + patience)
    }

    fn received(&self, octets: &[u8]) {
        let mut state = self.state();
        state.framing.received(octets);
        if state.phase == Phase::Idle {
            state.enter(Phase::Head);
        }
    }

    fn body_is_over(&self) {
        let mut state = self.state();
        if state.phase == Phase::Body {
            state.phase = Phase::Answer;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stream whose incoming octets are noted.
#[derive(Debug)]
pub(super) struct Noted {
    stream: Stream,
    conversation: Conversation,
}

impl Noted {
    /// Notes the incoming octets of `stream` in `conversation`.
    pub(super) const fn new(stream: Stream, conversation: Conversation) -> Self {
        Self {
            stream,
            conversation,
        }
    }

    /// Where they are noted.
    pub(super) fn conversation(&self) -> Conversation {
        self.conversation.clone()
    }
}

impl AsyncRead for Noted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        let octets = &buf.filled()[before..];
        if !octets.is_empty() {
            self.conversation.received(octets);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Noted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, octets)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A request's body; tells the connection's clock when it has come to its end.
#[derive(Debug)]
pub(super) struct TimedBody {
    body: Incoming,
    conversation: Conversation,
}

impl TimedBody {
    /// A body that is still to come.
    pub(super) const fn new(body: Incoming, conversation: Conversation) -> Self {
        Self { body, conversation }
    }
}

impl Body for TimedBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if !matches!(frame, Some(Ok(_))) || self.body.is_end_stream() {
            self.conversation.body_is_over();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for TimedBody {
    /// A body that nobody reads is not waited for.
    fn drop(&mut self) {
        self.conversation.body_is_over();
    }
}
