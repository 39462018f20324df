//! Where one request ends and the next begins, checked on the octets as they came.
//!
//! The HTTP library is lenient where RFC 9112 lets it be: it takes a bare line feed for a line end, drops a
//! `Content-Length` beside a `Transfer-Encoding`, and merges repeated lengths. A proxy in front of us may read such a
//! request differently, and whoever sent it is then served as somebody else. So these are refused (RFC 9112 §6.3, §11.2).

use std::io::BufRead as _;

/// Buffers larger than this are given back once they are empty, in octets.
const KEPT_CAPACITY: usize = 4 * 1024;

/// Two readers might disagree about where this request ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ambiguous;

/// How the body of a request is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delimiter {
    /// `Transfer-Encoding: chunked`.
    Chunks,
    /// `Content-Length`, or no body at all, in octets.
    Length(u64),
}

/// Follows the requests of one connection.
#[derive(Debug, Default)]
pub(super) struct Framing {
    /// Received, and not part of a request that was handed out.
    ahead: Vec<u8>,
    /// Octets of the current body that have not come yet.
    body_left: u64,
    /// Behind a chunked body nothing is followed: the connection ends there.
    ends: bool,
}

impl Framing {
    /// Notes octets that came in.
    pub(super) fn received(&mut self, octets: &[u8]) {
        if self.ends {
            return;
        }
        let body = usize::try_from(self.body_left)
            .unwrap_or(usize::MAX)
            .min(octets.len());
        self.body_left -= body as u64;
        self.ahead.extend_from_slice(&octets[body..]);
    }

    /// Whether octets of a request have come that was not handed out.
    pub(super) fn is_ahead(&self) -> bool {
        !self.ahead.is_empty()
    }

    /// Judges the head of the request that is handed out now.
    ///
    /// # Errors
    /// [`Ambiguous`] when the request must be refused and the connection closed.
    pub(super) fn begin(&mut self) -> Result<Delimiter, Ambiguous> {
        if self.ends {
            return Err(Ambiguous);
        }
        let (head, delimiter) = judge(&self.ahead)?;
        let body = match delimiter {
            Delimiter::Chunks => {
                self.ends = true;
                self.ahead = Vec::new();
                return Ok(delimiter);
            }
            Delimiter::Length(length) => length,
        };
        let here = usize::try_from(body)
            .unwrap_or(usize::MAX)
            .min(self.ahead.len() - head);
        self.body_left = body - here as u64;
        self.ahead.drain(..head + here);
        if self.ahead.is_empty() && self.ahead.capacity() > KEPT_CAPACITY {
            self.ahead = Vec::new();
        }
        Ok(delimiter)
    }
}

/// The length of the head in octets, and how the body is delimited.
fn judge(octets: &[u8]) -> Result<(usize, Delimiter), Ambiguous> {
    let mut rest = octets;
    while let Some(after) = rest.strip_prefix(b"\r\n") {
        rest = after;
    }
    let (mut length, mut chunked) = (None, false);
    loop {
        let line = next_line(&mut rest)?;
        if line.is_empty() {
            break;
        }
        let Some((name, value)) = field(line) else {
            continue;
        };
        let ambiguous = if name.eq_ignore_ascii_case(b"content-length") {
            length.replace(digits(value)?).is_some()
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            std::mem::replace(&mut chunked, true) || !value.eq_ignore_ascii_case(b"chunked")
        } else {
            false
        };
        if ambiguous {
            return Err(Ambiguous);
        }
    }
    let head = octets.len() - rest.len();
    match (chunked, length) {
        (true, Some(_)) => Err(Ambiguous),
        (true, None) => Ok((head, Delimiter::Chunks)),
        (false, length) => Ok((head, Delimiter::Length(length.unwrap_or(0)))),
    }
}

/// The next line, which must end in CR LF and must not continue the one before (RFC 9112 §2.2, §5.2).
fn next_line<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], Ambiguous> {
    let all = *rest;
    let taken = rest.skip_until(b'\n').map_err(|_| Ambiguous)?;
    let line = all[..taken].strip_suffix(b"\r\n").ok_or(Ambiguous)?;
    match line.first() {
        Some(b' ' | b'\t') => Err(Ambiguous),
        _ => Ok(line),
    }
}

/// A field line in its parts; the request line has no colon before its first space and is none.
fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().take(18).position(|octet| *octet == b':')?;
    Some((&line[..colon], line[colon + 1..].trim_ascii()))
}

fn digits(value: &[u8]) -> Result<u64, Ambiguous> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(Ambiguous);
    }
    std::str::from_utf8(value)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or(Ambiguous)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun(octets: &[u8]) -> Result<Delimiter, Ambiguous> {
        let mut framing = Framing::default();
        framing.received(octets);
        framing.begin()
    }

    #[test]
    fn a17_a_request_with_one_length_or_chunks_alone_is_taken() {
        for (head, delimiter) in [
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", Delimiter::Length(0)),
            (
                "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
                Delimiter::Length(0),
            ),
            (
                "POST / HTTP/1.1\r\nCONTENT-length:  7 \r\n\r\n",
                Delimiter::Length(7),
            ),
            (
                "POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n",
                Delimiter::Chunks,
            ),
        ] {
            assert_eq!(begun(head.as_bytes()), Ok(delimiter), "{head:?}");
        }
    }

    #[test]
    fn a17_what_two_readers_could_read_differently_is_refused() {
        for head in [
            "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length:\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 18446744073709551616\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\n\r\n",
            "POST / HTTP/1.1\nHost: a\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\n\n",
            "POST / HTTP/1.1\r\nX: a\r\n folded\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\n",
        ] {
            assert_eq!(begun(head.as_bytes()), Err(Ambiguous), "{head:?}");
        }
    }

    #[test]
    fn requests_that_follow_each_other_are_told_apart_however_their_octets_arrive() {
        let stream = "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\na\n\r\nbGET / HTTP/1.1\r\n\r\n";
        for at in 0..=stream.len() {
            let (first, second) = stream.as_bytes().split_at(at);
            let mut framing = Framing::default();
            framing.received(first);
            let head_is_here = at >= stream.find("\r\n\r\n").unwrap() + 4;
            if !head_is_here {
                framing.received(second);
            }
            assert_eq!(framing.begin(), Ok(Delimiter::Length(5)), "{at}");
            if head_is_here {
                framing.received(second);
            }
            assert!(framing.is_ahead());
            assert_eq!(framing.begin(), Ok(Delimiter::Length(0)), "{at}");
            assert!(!framing.is_ahead());
        }
    }

    #[test]
    fn nothing_follows_a_chunked_body() {
        let mut framing = Framing::default();
        framing.received(
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        );
        assert_eq!(framing.begin(), Ok(Delimiter::Chunks));
        assert_eq!(framing.begin(), Err(Ambiguous));
    }
}
