//! The loop that accepts connections: deadlines against slow callers, limits against large ones, and an orderly end.
//!
//! One loop per single-threaded runtime, each with a listener of its own (`SO_REUSEPORT`): a request never changes
//! threads. Each connection has one timer that is looked at now and then, not one per request.

mod conversation;
mod framing;
mod tls;

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tower::Service;

use conversation::{Conversation, Noted, TimedBody};
use framing::Delimiter;
pub use tls::{Identity, IdentityRefusal, Tls};

/// Connections that the kernel keeps for us until they are accepted.
const BACKLOG: i32 = 4096;

/// How long to wait before accepting again when the process is out of descriptors or memory.
const BREATH: Duration = Duration::from_millis(100);

/// What one listener grants its peers.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long the body of a request may take, from its head on.
    pub body_time: Duration,
    /// Open connections; more wait in the kernel's queue.
    pub connections: usize,
    /// How long requests in flight may take when the server stops.
    pub drain_time: Duration,
    /// Bytes of a request's head; a larger one is answered with 431.
    pub head_bytes: usize,
    /// How long the head of a request may take from its first byte on; for the first request, from the connection on,
    /// so that a handshake is part of it.
    pub head_time: Duration,
    /// How long a connection may stay open between two requests.
    pub idle_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_time: Duration::from_secs(10),
            connections: 10_000,
            drain_time: Duration::from_secs(10),
            head_bytes: 16 * 1024,
            head_time: Duration::from_secs(10),
            idle_time: Duration::from_secs(75),
        }
    }
}

/// Listens on an address; `shared` lets several workers listen on the same one (`SO_REUSEPORT`).
///
/// # Errors
/// As the operating system refuses.
pub fn bind(address: SocketAddr, shared: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Listens on one address once for each worker; with port 0, all on the one port that the system picks.
///
/// The kernel would let two processes of one user share an address and would split the callers between them. So the
/// address is first taken for oneself alone, which fails when anybody else listens there.
///
/// # Errors
/// When the address is taken or not ours.
pub fn bind_all(address: SocketAddr, workers: NonZeroUsize) -> io::Result<Vec<TcpListener>> {
    let alone = bind(address, false)?;
    let address = alone.local_addr()?;
    drop(alone);
    (0..workers.get()).map(|_| bind(address, true)).collect()
}

/// What answers requests: it never fails, because an error is an answer, too.
pub trait Answering:
    Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send>
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<S> Answering for S where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// Serves `answering` until `stopped` becomes true; then takes no more connections and gives the requests in flight
/// [`Limits::drain_time`] to finish. With `tls`, a peer that does not speak it is closed without an answer.
///
/// # Errors
/// When the listener cannot be used on this runtime.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Tls>,
    answering: impl Answering,
    limits: Limits,
    stopped: watch::Receiver<bool>,
) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let slots = Arc::new(Semaphore::new(limits.connections));
    let open = metrics::gauge!("countersign_http_connections");
    let mut http = http1::Builder::new();
    http.max_buf_size(limits.head_bytes)
        .max_header_size(limits.head_bytes)
        .writev(false);
    while let Some((stream, peer, slot)) = next_connection(&listener, &slots, &stopped).await {
        let (answering, http) = (answering.clone(), http.clone());
        let (stopped, open, tls) = (stopped.clone(), open.clone(), tls.clone());
        tokio::spawn(async move {
            open.increment(1);
            let began = Instant::now();
            let deadline = began + limits.head_time;
            if let Some(stream) = tls::enter(stream, tls, deadline, stopped.clone()).await {
                let stream = Noted::new(stream, Conversation::new(began));
                converse((stream, peer), answering, &http, &limits, stopped).await;
            }
            open.decrement(1);
            drop(slot);
        });
    }
    drop(listener);
    // All slots are free when the last connection has ended; each ends by itself when its time is up.
    let all = u32::try_from(limits.connections).unwrap_or(u32::MAX);
    if timeout(limits.drain_time + BREATH, slots.acquire_many(all))
        .await
        .is_err()
    {
        tracing::warn!("some connections did not finish in time");
    }
    Ok(())
}

/// The next connection, once there is room for it; `None` when the server stops.
async fn next_connection(
    listener: &tokio::net::TcpListener,
    slots: &Arc<Semaphore>,
    stopped: &watch::Receiver<bool>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    tokio::select! {
        biased;
        () = told(stopped.clone()) => None,
        connection = async {
            let slot = Arc::clone(slots).acquire_owned().await.ok()?;
            let (stream, peer) = accept(listener).await;
            Some((stream, peer, slot))
        } => connection,
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the system gives no event for a file descriptor that is free again"
)]
async fn accept(listener: &tokio::net::TcpListener) -> (TcpStream, SocketAddr) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            // The peer went away before we got to it.
            Err(error)
                if matches!(
                    error.kind(),
                    ConnectionAborted | ConnectionRefused | ConnectionReset
                ) => {}
            Err(error) => {
                // Out of file descriptors: existing connections will give some back.
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(BREATH).await;
            }
        }
    }
}

/// Waits until the server is told to stop, or nobody is left to tell it.
async fn told(mut stopped: watch::Receiver<bool>) {
    drop(stopped.wait_for(|stopped| *stopped).await);
}

/// Answers the requests of one connection, one after the other, until it ends or its time is up.
async fn converse(
    (stream, peer): (Noted, SocketAddr),
    answering: impl Answering,
    http: &http1::Builder,
    limits: &Limits,
    stopped: watch::Receiver<bool>,
) {
    let conversation = stream.conversation();
    let io = TokioIo::new(stream);
    let service = service_fn(|request| answer(request, answering.clone(), conversation.clone()));
    let mut connection = pin!(http.serve_connection(io, service));
    let mut alarm = pin!(sleep_until(next_look(&conversation, limits)));
    let mut told = pin!(told(stopped));
    let mut last_moment: Option<Instant> = None;
    loop {
        tokio::select! {
            biased;
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, %peer, "a connection ended early");
                }
                return;
            }
            () = alarm.as_mut() => {
                let deadline = conversation.deadline(limits).into_iter().chain(last_moment).min();
                if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                    metrics::counter!("countersign_http_timeouts_total").increment(1);
                    tracing::debug!(%peer, "a connection was closed: its time was up");
                    return;
                }
                let look = next_look(&conversation, limits);
                alarm.as_mut().reset(last_moment.map_or(look, |last| last.min(look)));
            }
            () = told.as_mut(), if last_moment.is_none() => {
                connection.as_mut().graceful_shutdown();
                let last = Instant::now() + limits.drain_time;
                last_moment = Some(last);
                let alarm_at = alarm.deadline();
                alarm.as_mut().reset(last.min(alarm_at));
            }
        }
    }
}

/// When to look at the clock again: not after the earliest deadline that could arise from now on.
fn next_look(conversation: &Conversation, limits: &Limits) -> Instant {
    let soonest = Instant::now() + limits.head_time.min(limits.body_time).min(limits.idle_time);
    conversation
        .deadline(limits)
        .map_or(soonest, |deadline| deadline.min(soonest))
}

/// Answers one request.
async fn answer(
    request: Request<Incoming>,
    mut answering: impl Answering,
    conversation: Conversation,
) -> Result<Response<Body>, Infallible> {
    let has_body = !request.body().is_end_stream();
    let Ok(delimiter) = conversation.begin(has_body) else {
        metrics::counter!("countersign_http_ambiguous_requests_total").increment(1);
        return Ok(ambiguous());
    };
    let body = |incoming| {
        if has_body {
            Body::new(TimedBody::new(incoming, conversation.clone()))
        } else {
            Body::empty()
        }
    };
    let mut response = answering.call(request.map(body)).await?;
    if delimiter == Delimiter::Chunks {
        response
            .headers_mut()
            .insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    conversation.finish();
    Ok(response)
}

/// The answer to a request whose end two readers could see in different places: as bare as the HTTP library's own, and
/// the last one of its connection.
fn ambiguous() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response
        .headers_mut()
        .insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}
