//! The accept loop on real sockets: what hostile and slow peers get, and how the server stops.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::{get, post};
use countersign_http::{Limits, bind, bind_all, serve};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

/// Long enough for anything that is not stuck.
const PATIENCE: Duration = Duration::from_secs(20);

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

static ENTERED: Notify = Notify::const_new();
static PROCEED: Notify = Notify::const_new();

struct Server {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    task: JoinHandle<std::io::Result<()>>,
}

fn start(limits: Limits) -> Server {
    let listener = bind("127.0.0.1:0".parse().unwrap(), false).unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new()
        .route("/", get(async || "hello"))
        .route("/length", post(async |body: Bytes| body.len().to_string()))
        .route("/unread", post(async || "unread"))
        .route("/gated", get(gated))
        .route(
            "/stuck",
            get(async || std::future::pending::<StatusCode>().await),
        );
    let (stop, stopped) = watch::channel(false);
    Server {
        address,
        stop,
        task: tokio::spawn(serve(listener, None, router, limits, stopped)),
    }
}

async fn gated() -> &'static str {
    ENTERED.notify_one();
    PROCEED.notified().await;
    "through"
}

impl Server {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// What comes back until the server closes the connection.
    async fn whole(&self, request: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        until_closed(&mut stream).await
    }
}

async fn until_closed(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    // A reset is also an end.
    drop(read.expect("the server closes the connection"));
    String::from_utf8(answer).unwrap()
}

/// One answer whose body ends in `end`; the connection may stay open.
async fn answer_ending_in(stream: &mut TcpStream, end: &str) -> String {
    let mut answer = String::new();
    let mut buffer = [0; 1024];
    while !answer.ends_with(end) {
        let read = tokio::time::timeout(PATIENCE, stream.read(&mut buffer))
            .await
            .expect("an answer in time")
            .unwrap();
        assert_ne!(read, 0, "closed after {answer:?}");
        answer.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
    }
    answer
}

fn hasty() -> Limits {
    let short = Duration::from_millis(300);
    Limits {
        body_time: short,
        head_time: short,
        idle_time: short,
        drain_time: short,
        ..Limits::default()
    }
}

#[tokio::test]
async fn a17_ambiguous_requests_are_refused_and_their_connection_closed() {
    let server = start(Limits::default());
    let smuggled = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    for (what, head) in [
        (
            "both delimiters",
            "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        (
            "both, the other way round",
            "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
        ),
        (
            "equal lengths",
            "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx",
        ),
        (
            "unequal lengths",
            "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        ),
        ("a list of lengths", "Content-Length: 1, 1\r\n\r\nx"),
        ("a signed length", "Content-Length: +1\r\n\r\nx"),
        (
            "a continued line",
            "X: a\r\n b\r\nContent-Length: 1\r\n\r\nx",
        ),
        ("a bare line feed", "X: a\nContent-Length: 1\r\n\r\nx"),
        ("a bare line feed at the end", "Content-Length: 1\r\n\nx"),
        ("a space before the colon", "Content-Length : 1\r\n\r\nx"),
        (
            "a coding of another name",
            "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        ),
        (
            "two codings",
            "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        ),
        (
            "a carriage return inside a line",
            "X: a\rb\r\nContent-Length: 1\r\n\r\nx",
        ),
        ("a NUL in a value", "X: \0\r\nContent-Length: 1\r\n\r\nx"),
    ] {
        let request = format!("POST /length HTTP/1.1\r\nHost: a\r\n{head}{smuggled}");
        let answer = server.whole(&request).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{what}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{what}: {answer}");
    }
}

#[tokio::test]
async fn a17_games_inside_chunks_end_the_connection() {
    let server = start(Limits::default());
    for chunks in [
        "1\nx\r\n0\r\n\r\n",
        "1;a\nb\r\nx\r\n0\r\n\r\n",
        "-1\r\nx\r\n0\r\n\r\n",
        "fffffffffffffffff\r\nx\r\n",
    ] {
        let head = "POST /length HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        let answer = server.whole(&format!("{head}{chunks}{GET}")).await;
        assert!(!answer.contains(" 200 "), "{chunks:?}: {answer}");
    }
}

#[tokio::test]
async fn chunked_bodies_are_read_and_the_connection_ends_behind_them() {
    let server = start(Limits::default());
    let head = "POST /length HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let answer = server
        .whole(&format!("{head}3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n{GET}"))
        .await;
    assert!(
        answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\n5"),
        "{answer}"
    );
    assert!(answer.contains("connection: close"), "{answer}");
}

#[tokio::test]
async fn requests_follow_each_other_on_one_connection_also_when_pipelined() {
    let server = start(Limits::default());
    let mut stream = server.connect().await;
    let post = "POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n\n\n\n";
    stream
        .write_all(format!("{post}{GET}{post}").as_bytes())
        .await
        .unwrap();
    let three = answer_ending_in(&mut stream, "3").await;
    let three = if three.matches("200 OK").count() == 3 {
        three
    } else {
        three + &answer_ending_in(&mut stream, "3").await
    };
    assert_eq!(three.matches("200 OK").count(), 3, "{three}");
    stream.write_all(GET.as_bytes()).await.unwrap();
    assert!(
        answer_ending_in(&mut stream, "hello")
            .await
            .starts_with("HTTP/1.1 200 ")
    );
}

#[tokio::test]
async fn a16_a_head_that_is_too_large_is_answered_with_431() {
    let server = start(Limits::default());
    let fits = server
        .whole(&format!(
            "GET / HTTP/1.1\r\nX: {}\r\nConnection: close\r\n\r\n",
            "x".repeat(15 * 1024)
        ))
        .await;
    assert!(fits.starts_with("HTTP/1.1 200 "), "{fits}");
    for head in [
        format!("X: {}\r\n", "x".repeat(17 * 1024)),
        "X: y\r\n".repeat(101),
    ] {
        let answer = server.whole(&format!("GET / HTTP/1.1\r\n{head}\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
}

#[tokio::test]
async fn a18_a_peer_that_sends_nothing_or_its_head_too_slowly_is_closed() {
    let server = start(hasty());
    for head in ["", "G", "GET / HTTP/1.1\r\nHost: a\r\n"] {
        assert_eq!(server.whole(head).await, "", "{head:?}");
    }
}

#[tokio::test]
async fn a18_trickling_bytes_do_not_extend_the_time_of_a_head_or_a_body() {
    let server = start(hasty());
    for beginning in [
        "GET / HTTP/1.1\r\nX: ",
        "POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n",
    ] {
        let (mut read, mut write) = server.connect().await.into_split();
        write.write_all(beginning.as_bytes()).await.unwrap();
        let trickle = tokio::spawn(async move {
            let mut tick = tokio::time::interval(Duration::from_millis(20));
            while write.write_all(b"x").await.is_ok() {
                tick.tick().await;
            }
        });
        let began = Instant::now();
        let mut answer = Vec::new();
        drop(
            tokio::time::timeout(PATIENCE, read.read_to_end(&mut answer))
                .await
                .expect("the server closes"),
        );
        assert!(
            answer.is_empty() && began.elapsed() < Duration::from_secs(5),
            "{beginning:?}"
        );
        trickle.await.unwrap();
    }
}

#[tokio::test]
async fn a18_slow_peers_keep_nobody_else_waiting() {
    let server = start(Limits::default());
    let mut slow = Vec::new();
    for _ in 0..200 {
        let mut stream = server.connect().await;
        stream
            .write_all(b"POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx")
            .await
            .unwrap();
        slow.push(stream);
    }
    let mut stream = server.connect().await;
    stream.write_all(GET.as_bytes()).await.unwrap();
    assert!(
        answer_ending_in(&mut stream, "hello")
            .await
            .starts_with("HTTP/1.1 200 ")
    );
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_its_answers() {
    let server = start(hasty());
    let answer = server.whole(GET).await;
    assert!(
        answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("hello"),
        "{answer}"
    );
}

#[tokio::test]
async fn an_answer_that_takes_long_is_not_a_slow_peer() {
    let server = start(hasty());
    let mut stream = server.connect().await;
    stream
        .write_all(b"GET /gated HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    ENTERED.notified().await;
    let mut other = server.connect().await;
    // Another connection is closed for idleness meanwhile: more time than a slow peer is given has gone by.
    assert_eq!(until_closed(&mut other).await, "");
    PROCEED.notify_one();
    assert!(
        answer_ending_in(&mut stream, "through")
            .await
            .starts_with("HTTP/1.1 200 ")
    );
}

#[tokio::test]
async fn a_body_that_nobody_reads_does_no_harm() {
    let server = start(Limits::default());
    let answer = server
        .whole("POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nx")
        .await;
    assert!(
        answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("unread"),
        "{answer}"
    );
}

#[tokio::test]
async fn connections_above_the_limit_wait_for_a_free_place() {
    let server = start(Limits {
        connections: 1,
        ..Limits::default()
    });
    let mut first = server.connect().await;
    first.write_all(GET.as_bytes()).await.unwrap();
    answer_ending_in(&mut first, "hello").await;
    let mut second = server.connect().await;
    second.write_all(GET.as_bytes()).await.unwrap();
    let mut buffer = [0; 16];
    let early = tokio::time::timeout(Duration::from_millis(100), second.read(&mut buffer)).await;
    assert!(
        early.is_err(),
        "the second connection was served beside the first"
    );
    drop(first);
    assert!(
        answer_ending_in(&mut second, "hello")
            .await
            .starts_with("HTTP/1.1 200 ")
    );
}

#[tokio::test]
async fn a_stopping_server_closes_idle_connections_and_takes_no_more() {
    let server = start(Limits::default());
    let mut idle = server.connect().await;
    idle.write_all(GET.as_bytes()).await.unwrap();
    answer_ending_in(&mut idle, "hello").await;
    server.stop.send_replace(true);
    assert_eq!(until_closed(&mut idle).await, "");
    tokio::time::timeout(PATIENCE, server.task)
        .await
        .expect("the server stops")
        .unwrap()
        .unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn a_full_server_stops_too_and_cuts_off_what_does_not_finish() {
    let server = start(Limits {
        connections: 1,
        ..hasty()
    });
    let mut stuck = server.connect().await;
    stuck
        .write_all(b"GET /stuck HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    let mut probe = [0; 1];
    assert!(
        tokio::time::timeout(Duration::from_millis(50), stuck.read(&mut probe))
            .await
            .is_err()
    );
    server.stop.send_replace(true);
    tokio::time::timeout(PATIENCE, server.task)
        .await
        .expect("the server stops")
        .unwrap()
        .unwrap();
    assert_eq!(until_closed(&mut stuck).await, "");
}

#[tokio::test]
async fn workers_share_one_address_and_nobody_else_may_take_it() {
    let listeners = bind_all(
        "127.0.0.1:0".parse().unwrap(),
        NonZeroUsize::new(3).unwrap(),
    )
    .unwrap();
    let address = listeners[0].local_addr().unwrap();
    assert!(
        listeners
            .iter()
            .all(|listener| listener.local_addr().unwrap() == address)
    );
    assert!(bind_all(address, NonZeroUsize::MIN).is_err());
}
