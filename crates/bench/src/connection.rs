//! One keep-alive connection of the load generator, never blocking.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::Instant;

use mio::net::TcpStream;

use crate::requests::Requests;
use crate::response;

/// A connection with at most one request under way.
pub(crate) struct Connection {
    /// For the poll.
    pub(crate) stream: TcpStream,
    /// When the request under way was due.
    pub(crate) intended: Instant,
    /// The request under way, and how much of it is written.
    request: Option<(usize, usize)>,
    incoming: Vec<u8>,
    /// Octets of `incoming` that are read.
    filled: usize,
}

impl Connection {
    /// Connects, waiting until it is done.
    ///
    /// # Errors
    /// A sentence, when nobody listens.
    pub(crate) fn open(address: SocketAddr) -> Result<Self, String> {
        let stream = std::net::TcpStream::connect(address)
            .and_then(|stream| stream.set_nodelay(true).map(|()| stream))
            .and_then(|stream| stream.set_nonblocking(true).map(|()| stream))
            .map_err(|error| format!("cannot connect to {address}: {error}"))?;
        Ok(Self {
            stream: TcpStream::from_std(stream),
            intended: Instant::now(),
            request: None,
            incoming: vec![0; 8 * 1024],
            filled: 0,
        })
    }

    /// Begins to send a request that was due at `intended`.
    ///
    /// # Errors
    /// A sentence, when the connection is closed.
    pub(crate) fn send(
        &mut self,
        request: usize,
        intended: Instant,
        all: &Requests,
    ) -> Result<(), String> {
        self.intended = intended;
        self.request = Some((request, 0));
        self.filled = 0;
        self.flush(all)
    }

    /// Sends as much of the request as the kernel takes.
    ///
    /// # Errors
    /// A sentence, when the connection is closed.
    pub(crate) fn flush(&mut self, all: &Requests) -> Result<(), String> {
        while let Some((request, written)) = self.request {
            let rest = &all.octets(request)[written..];
            if rest.is_empty() {
                self.request = None;
                break;
            }
            match self.stream.write(rest) {
                Ok(count) => self.request = Some((request, written + count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(format!("the server closed a connection: {error}")),
            }
        }
        Ok(())
    }

    /// Status and body, once they are complete. The next answer raises an event of its own, so that no read is
    /// spent on learning that there is no more.
    ///
    /// # Errors
    /// A sentence, when the connection is closed or carries something else than one answer.
    pub(crate) fn receive(&mut self) -> Result<Option<(u16, &[u8])>, String> {
        loop {
            if self.filled == self.incoming.len() {
                self.incoming.resize(2 * self.filled, 0);
            }
            match self.stream.read(&mut self.incoming[self.filled..]) {
                Ok(0) => return Err("the server closed a connection".to_owned()),
                Ok(count) => self.filled += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(format!("the server closed a connection: {error}")),
            }
            let Some(answer) = response::parse(&self.incoming[..self.filled])? else {
                continue;
            };
            if answer.length != self.filled {
                return Err("the server sent more than one answer to a request".to_owned());
            }
            // Taken apart again below: the borrow of a returned slice cannot end with the loop.
            let (status, body) = (answer.status, answer.length - answer.body.len());
            return Ok(Some((status, &self.incoming[body..self.filled])));
        }
    }
}
