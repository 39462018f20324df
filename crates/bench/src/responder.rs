//! A tiny server for the tests of the load generator: it answers at once, or as slowly and wrongly as told.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How the responder behaves.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Manners {
    /// Waits so long before each answer.
    pub(crate) delay: Duration,
    /// Answers 503 to every so-manieth request; 0: never.
    pub(crate) refuse_every: usize,
    /// Writes an answer in two pieces.
    pub(crate) in_pieces: bool,
    /// Waits so long, once, before it answers the hundredth request.
    pub(crate) one_stall: Duration,
}

/// A running responder; its threads end with the connections.
pub(crate) struct Responder {
    pub(crate) address: SocketAddr,
    pub(crate) answered: Arc<AtomicUsize>,
}

pub(crate) fn start(manners: Manners) -> Responder {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let answered = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&answered);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let count = Arc::clone(&count);
            std::thread::spawn(move || serve(stream, manners, &count));
        }
    });
    Responder { address, answered }
}

#[expect(clippy::disallowed_methods, reason = "slowness is what is simulated")]
fn serve(mut stream: TcpStream, manners: Manners, count: &AtomicUsize) {
    stream.set_nodelay(true).unwrap();
    let mut buffer = [0; 4096];
    while let Ok(read) = stream.read(&mut buffer) {
        if read == 0 {
            return;
        }
        let number = count.fetch_add(1, Ordering::Relaxed) + 1;
        std::thread::sleep(manners.delay);
        if number == 100 {
            std::thread::sleep(manners.one_stall);
        }
        let refused = manners.refuse_every > 0 && number.is_multiple_of(manners.refuse_every);
        let status = if refused { "503 No" } else { "200 OK" };
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 8\r\n\r\n{{\"a\": 1}}");
        let middle = if manners.in_pieces { 40 } else { answer.len() };
        for piece in [&answer[..middle], &answer[middle..]] {
            if stream.write_all(piece.as_bytes()).is_err() {
                return;
            }
            if manners.in_pieces {
                std::thread::sleep(Duration::from_micros(200));
            }
        }
    }
}
