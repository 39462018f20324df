//! The smallest HTTP client that can be interrupted anywhere: one request, one connection.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// Longer than any wait of the server for its database.
const PATIENCE: Duration = Duration::from_secs(30);

/// An answer that came whole.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

/// What is sent.
pub enum Body<'a> {
    Form(&'a str),
    Json(&'a Value),
    Nothing,
}

/// Who asks, and under which condition.
#[derive(Clone, Copy, Default)]
pub struct Terms<'a> {
    pub token: Option<&'a str>,
    pub if_match: Option<u64>,
}

/// Sends a request and reads the whole answer.
pub fn send(
    address: SocketAddr,
    (method, path): (&str, &str),
    terms: Terms<'_>,
    body: &Body<'_>,
) -> io::Result<Answer> {
    let (content_type, body) = match body {
        Body::Form(text) => ("application/x-www-form-urlencoded", (*text).to_owned()),
        Body::Json(value) => ("application/json", value.to_string()),
        Body::Nothing => ("application/json", String::new()),
    };
    let mut request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: {content_type}\r\n\
         Content-Length: {}\r\n",
        body.len()
    );
    if let Some(token) = terms.token {
        request.push_str(&format!("Authorization: Bearer {token}\r\n"));
    }
    if let Some(version) = terms.if_match {
        request.push_str(&format!("If-Match: \"{version}\"\r\n"));
    }
    request.push_str("\r\n");
    request.push_str(&body);
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    parse(&answer).ok_or_else(|| io::Error::new(io::ErrorKind::UnexpectedEof, "cut off"))
}

/// An answer counts only when every announced octet has come.
fn parse(answer: &str) -> Option<Answer> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let answer = Answer {
        status,
        head: head.to_ascii_lowercase(),
        body: body.to_owned(),
    };
    let announced = answer
        .header("content-length")
        .map_or(Some(0), |length| length.parse().ok())?;
    (answer.body.len() == announced).then_some(answer)
}

impl Answer {
    /// A header by its lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(str::trim)
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// A member of the answer that is text.
    pub fn text(&self, member: &str) -> String {
        let value = self.json();
        let text = value.get(member).and_then(Value::as_str);
        text.unwrap_or_else(|| panic!("no {member} in {self:?}"))
            .to_owned()
    }

    /// Whether it says "not now": 503 and when to try again.
    pub fn is_unavailable(&self) -> bool {
        let after = self
            .header("retry-after")
            .and_then(|after| after.parse::<u32>().ok());
        self.status == 503 && after.is_some_and(|after| after > 0)
    }
}
