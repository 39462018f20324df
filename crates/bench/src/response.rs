//! The least of HTTP/1.1 that reads the server's answers: a status, a head, a body of known length.

/// One complete answer at the start of a buffer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Response<'a> {
    /// The status code.
    pub(crate) status: u16,
    /// The body.
    pub(crate) body: &'a [u8],
    /// Octets of head and body together.
    pub(crate) length: usize,
}

/// Reads an answer; `None` while a part of it is missing.
///
/// # Errors
/// A sentence, when it is no answer, or one whose end cannot be told (no `Content-Length`).
pub(crate) fn parse(octets: &[u8]) -> Result<Option<Response<'_>>, String> {
    let Some(head_end) = octets.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let mut lines = octets[..head_end].split(|octet| *octet == b'\n');
    let status = lines
        .next()
        .and_then(status)
        .ok_or_else(|| malformed(octets))?;
    let declared = lines.find_map(content_length);
    let body_length = match declared {
        Some(length) => length.ok_or_else(|| malformed(octets))?,
        None if status == 204 => 0,
        None => return Err(malformed(octets)),
    };
    let length = head_end + 4 + body_length;
    Ok(octets.get(head_end + 4..length).map(|body| Response {
        status,
        body,
        length,
    }))
}

/// `HTTP/1.1 200 OK` → 200.
fn status(line: &[u8]) -> Option<u16> {
    let digits = line.strip_prefix(b"HTTP/1.1 ")?.get(..3)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// `None`: another field. `Some(None)`: this field with a value that is no number.
fn content_length(line: &[u8]) -> Option<Option<usize>> {
    const NAME: &[u8] = b"content-length:";
    let name = line.get(..NAME.len())?;
    name.eq_ignore_ascii_case(NAME).then(|| {
        let value = line[NAME.len()..].trim_ascii();
        std::str::from_utf8(value).ok()?.parse().ok()
    })
}

fn malformed(octets: &[u8]) -> String {
    let start = String::from_utf8_lossy(&octets[..octets.len().min(300)]);
    format!("not an HTTP/1.1 answer with a Content-Length: {start}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &[u8] = b"HTTP/1.1 201 Created\r\nContent-LENGTH:  5\r\nx: y\r\n\r\nhello";

    #[test]
    fn an_answer_is_complete_with_its_last_octet_and_no_earlier() {
        for end in 0..ANSWER.len() {
            assert_eq!(parse(&ANSWER[..end]), Ok(None), "{end}");
        }
        let more = [ANSWER, b"HTTP"].concat();
        let answer = parse(&more).unwrap().unwrap();
        assert_eq!((answer.status, answer.body), (201, &b"hello"[..]));
        assert_eq!(answer.length, ANSWER.len());
    }

    #[test]
    fn an_answer_without_a_known_end_is_refused_unless_it_has_no_body() {
        parse(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap_err();
        parse(b"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\n").unwrap_err();
        parse(b"ICY 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap_err();
        let empty = parse(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap().unwrap();
        assert_eq!((empty.status, empty.body.len()), (204, 0));
    }
}
