//! Requests as the octets that go over the wire, built before the clock starts.

/// Many requests in one block of memory.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    octets: Vec<u8>,
    ends: Vec<usize>,
}

impl Requests {
    /// Appends one request.
    pub(crate) fn push(&mut self, request: &[u8]) {
        self.octets.extend_from_slice(request);
        self.ends.push(self.octets.len());
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The octets of one.
    pub(crate) fn octets(&self, index: usize) -> &[u8] {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.octets[start..self.ends[index]]
    }
}

impl<R: AsRef<[u8]>> FromIterator<R> for Requests {
    fn from_iter<T: IntoIterator<Item = R>>(requests: T) -> Self {
        let mut all = Self::default();
        for request in requests {
            all.push(request.as_ref());
        }
        all
    }
}

/// What a body is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Body<'a> {
    /// `application/x-www-form-urlencoded`.
    Form(&'a str),
    /// `application/json`.
    Json(&'a str),
}

/// Where a request goes and who sends it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head<'a> {
    /// `POST`, `GET`, …
    pub(crate) method: &'a str,
    /// The path, beginning with a slash.
    pub(crate) path: &'a str,
    /// The value of `Host`.
    pub(crate) host: &'a str,
    /// The API token, if one is sent.
    pub(crate) bearer: Option<&'a str>,
}

impl Head<'_> {
    /// The whole request. The connection stays open after it.
    pub(crate) fn with(self, body: Body<'_>) -> Vec<u8> {
        let (content_type, body) = match body {
            Body::Form(text) => ("application/x-www-form-urlencoded", text),
            Body::Json(text) => ("application/json", text),
        };
        let mut request = format!(
            "{} {} HTTP/1.1\r\nHost: {}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n",
            self.method,
            self.path,
            self.host,
            body.len()
        );
        if let Some(token) = self.bearer {
            request.push_str(&format!("Authorization: Bearer {token}\r\n"));
        }
        request.push_str("\r\n");
        request.push_str(body);
        request.into_bytes()
    }
}

/// The request of RFC 7523 §2.1 at an organization's token endpoint. A compact JWS needs no percent-encoding.
pub(crate) fn token_request(host: &str, tenant: &str, assertion: &str) -> Vec<u8> {
    let head = Head {
        method: "POST",
        path: &format!("/t/{tenant}/token"),
        host,
        bearer: None,
    };
    head.with(Body::Form(&format!(
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={assertion}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_comes_back_as_it_was_pushed() {
        let requests: Requests = ["one", "", "three"].into_iter().collect();
        assert_eq!(requests.len(), 3);
        assert_eq!(requests.octets(0), b"one");
        assert_eq!(requests.octets(1), b"");
        assert_eq!(requests.octets(2), b"three");
    }

    #[test]
    fn a_token_request_declares_the_length_of_its_body() {
        let request = String::from_utf8(token_request("h:1", "tn-1", "a.b.c")).unwrap();
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("POST /t/tn-1/token HTTP/1.1\r\nHost: h:1\r\n"));
        assert!(head.contains(&format!("Content-Length: {}", body.len())));
        assert!(body.ends_with("jwt-bearer&assertion=a.b.c"));
    }
}
