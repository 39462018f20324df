//! HTTP to the server: one file, one agent, one way to read an answer.

use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use ureq::http::{Response, Uri};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body};

use super::failure::{Failure, Problem};

/// The largest answer that is read, in octets: a full page of a list fits many times.
const LARGEST_ANSWER: u64 = 16 * 1024 * 1024;

/// How long one request may take, all in all.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where systems keep the certificates they trust: Debian and Alpine, Fedora, openSUSE, BSD and macOS.
const BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The address of a server: scheme, host and maybe a path, without a slash at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerUrl {
    text: String,
    uri: Uri,
}

impl ServerUrl {
    /// Parses an address.
    ///
    /// # Errors
    /// [`Failure::UrlUnusable`] when it is not http or https with a host, or has a query.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let unusable = || Failure::UrlUnusable(text.to_owned());
        let trimmed = text.trim().trim_end_matches('/');
        let uri: Uri = trimmed.parse().map_err(|_| unusable())?;
        let sound = matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.host().is_some_and(|host| !host.is_empty())
            && uri.query().is_none();
        if !sound {
            return Err(unusable());
        }
        Ok(Self {
            text: trimmed.to_owned(),
            uri,
        })
    }

    /// Its text.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it names this machine, so that no packet leaves it.
    pub(crate) fn is_loopback(&self) -> bool {
        let host = self.uri.host().unwrap_or_default();
        let address = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost"
            || address
                .parse::<IpAddr>()
                .is_ok_and(|address| address.is_loopback())
    }

    /// Whether what is sent there can be read on the way.
    pub(crate) fn is_plain(&self) -> bool {
        self.uri.scheme_str() == Some("http") && !self.is_loopback()
    }
}

/// Who may vouch for an https server.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Authorities<'a> {
    /// Those of this file, and no others.
    Only(&'a Path),
    /// Those of this system, in this file if the environment names one.
    System(Option<&'a Path>),
}

/// Speaks to one server.
pub(crate) struct Client {
    agent: Agent,
    url: ServerUrl,
    token: Option<String>,
}

impl Client {
    /// Prepares to speak to `url`; nothing is sent yet.
    ///
    /// # Errors
    /// [`Failure::AuthorityMissing`], [`Failure::CertificatesMissing`] or [`Failure::FileUnreadable`] when https has
    /// nothing to trust.
    pub(crate) fn new(
        url: ServerUrl,
        token: Option<String>,
        authorities: Authorities<'_>,
    ) -> Result<Self, Failure> {
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            // A redirect would carry what we send to somebody else.
            .max_redirects(0)
            .timeout_global(Some(PATIENCE))
            .user_agent(concat!("countersign/", env!("CARGO_PKG_VERSION")))
            .accept("application/json");
        if url.is_loopback() {
            config = config.proxy(None);
        }
        if url.uri.scheme_str() == Some("https") {
            // A second installation changes nothing, and its refusal does not matter.
            let _installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
            let trusted = match authorities {
                Authorities::Only(place) => {
                    bundle(place)?.ok_or_else(|| Failure::AuthorityMissing(place.to_owned()))?
                }
                Authorities::System(named) => trusted(named)?,
            };
            config = config.tls_config(TlsConfig::builder().root_certs(trusted).build());
        }
        Ok(Self {
            agent: config.build().new_agent(),
            url,
            token,
        })
    }

    /// The server's address.
    pub(crate) fn url(&self) -> &ServerUrl {
        &self.url
    }

    /// Whether there is an API token to present.
    pub(crate) fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// `GET` of the admin API; `path` below `/api/v1`.
    ///
    /// # Errors
    /// When the server refuses, fails, or cannot be reached.
    pub(crate) fn get(&self, path: &str) -> Result<Value, Failure> {
        let url = self.admin(path);
        let mut request = self.agent.get(&url);
        if let Some(bearer) = self.bearer() {
            request = request.header("authorization", bearer);
        }
        self.answer(&url, request.call())
    }

    /// `POST` of a JSON document to the admin API; `path` below `/api/v1`.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        let url = self.admin(path);
        let mut request = self.agent.post(&url);
        if let Some(bearer) = self.bearer() {
            request = request.header("authorization", bearer);
        }
        let request = request.content_type("application/json");
        self.answer(&url, request.send(body.to_string()))
    }

    /// `PATCH` of the version that the caller has seen; `path` below `/api/v1`.
    ///
    /// # Errors
    /// As [`Self::get`]; 412 when the version is no longer the newest.
    pub(crate) fn patch(&self, path: &str, version: u64, body: &Value) -> Result<Value, Failure> {
        let url = self.admin(path);
        let mut request = self
            .agent
            .patch(&url)
            .header("if-match", format!("\"{version}\""));
        if let Some(bearer) = self.bearer() {
            request = request.header("authorization", bearer);
        }
        let request = request.content_type("application/json");
        self.answer(&url, request.send(body.to_string()))
    }

    /// `DELETE` of the admin API; `path` below `/api/v1`.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub(crate) fn delete(&self, path: &str) -> Result<Value, Failure> {
        let url = self.admin(path);
        let mut request = self.agent.delete(&url);
        if let Some(bearer) = self.bearer() {
            request = request.header("authorization", bearer);
        }
        self.answer(&url, request.call())
    }

    /// `POST` of a form to an OAuth endpoint, without the API token: the assertion in it says who asks.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub(crate) fn post_form(&self, path: &str, form: &[(&str, &str)]) -> Result<Value, Failure> {
        let url = format!("{}{path}", self.url.as_str());
        let sent = self.agent.post(&url).send_form(form.iter().copied());
        self.answer(&url, sent)
    }

    fn admin(&self, path: &str) -> String {
        format!("{}/api/v1{path}", self.url.as_str())
    }

    fn bearer(&self) -> Option<String> {
        self.token.as_ref().map(|token| format!("Bearer {token}"))
    }

    fn answer(
        &self,
        url: &str,
        answer: Result<Response<Body>, ureq::Error>,
    ) -> Result<Value, Failure> {
        let mut response = answer.map_err(|error| match error {
            ureq::Error::BadUri(_) | ureq::Error::Http(_) => Failure::UrlUnusable(url.to_owned()),
            other => Failure::Unreachable {
                url: self.url.as_str().to_owned(),
                cause: other.to_string(),
            },
        })?;
        let status = response.status().as_u16();
        let unreadable = || Failure::AnswerUnreadable {
            url: url.to_owned(),
            status,
        };
        let body = response.body_mut().with_config().limit(LARGEST_ANSWER);
        let body = body.read_to_vec().map_err(|_| unreadable())?;
        let body = if body.is_empty() {
            Ok(Value::Null)
        } else {
            serde_json::from_slice(&body)
        };
        match (status, body) {
            (200..=299, Ok(body)) => Ok(body),
            (400..=599, body) => {
                let problem = Problem::new(status, &body.unwrap_or_default());
                Err(Failure::Problem(Box::new(self.hinted(problem))))
            }
            _ => Err(unreadable()),
        }
    }

    fn hinted(&self, problem: Problem) -> Problem {
        match (problem.status, self.has_token()) {
            (401, false) => problem.with_hint(
                "no API token was sent: set COUNTERSIGN_TOKEN, or name its file with --token-file",
            ),
            (401, true) => problem.with_hint(
                "the API token was not accepted: is it of this server, and has it expired?",
            ),
            _ => problem,
        }
    }
}

/// A path of these segments, each escaped so that it stays one segment.
pub(crate) fn path(segments: &[&str]) -> String {
    segments
        .iter()
        .map(|segment| format!("/{}", escape(segment)))
        .collect()
}

/// `path` with query parameters.
pub(crate) fn with_query(path: &str, query: &[(&str, String)]) -> String {
    let pairs: Vec<String> = query
        .iter()
        .map(|(name, value)| format!("{name}={}", escape(value)))
        .collect();
    if pairs.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{}", pairs.join("&"))
    }
}

/// Percent-encoding (RFC 3986 §2.1) of everything but letters, digits, `-`, `_` and `~`; dots too, so that no
/// segment is `..`.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for octet in text.bytes() {
        match octet {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'~' => {
                escaped.push(char::from(octet));
            }
            _ => escaped.push_str(&format!("%{octet:02X}")),
        }
    }
    escaped
}

/// The certificates that this system trusts: in the file that it names, or at one of the usual places.
fn trusted(named: Option<&Path>) -> Result<RootCerts, Failure> {
    if let Some(named) = named {
        return bundle(named).and_then(|found| found.ok_or(Failure::CertificatesMissing));
    }
    for place in BUNDLES.map(Path::new) {
        if place.exists()
            && let Some(found) = bundle(place)?
        {
            return Ok(found);
        }
    }
    Err(Failure::CertificatesMissing)
}

/// The certificates of a PEM file; `None` when there are none in it.
fn bundle(place: &Path) -> Result<Option<RootCerts>, Failure> {
    let pem = fs::read(place).map_err(|cause| Failure::FileUnreadable {
        path: place.to_owned(),
        cause,
    })?;
    let certificates: Vec<Certificate<'static>> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    Ok((!certificates.is_empty()).then(|| RootCerts::new_with_certs(&certificates)))
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::thread::{self, JoinHandle};

    use serde_json::json;

    use super::super::failure::{LOCAL, REFUSED, SERVER_FAULT, UNREACHABLE};
    use super::*;

    /// A server that gives one prepared answer to each request, in order, and returns what it was asked.
    pub(crate) struct Canned {
        pub(crate) url: String,
        asked: JoinHandle<Vec<String>>,
    }

    impl Canned {
        pub(crate) fn start(answers: Vec<(u16, Value)>) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap());
            let asked = thread::spawn(move || {
                let serve = |(status, body): (u16, Value)| {
                    let (mut stream, _) = listener.accept().unwrap();
                    let asked = read_request(&mut BufReader::new(&stream));
                    let body = body.to_string();
                    let head = format!(
                        "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\nlocation: /elsewhere\r\n\
                         content-length: {}\r\nconnection: close\r\n\r\n",
                        body.len()
                    );
                    stream.write_all((head + &body).as_bytes()).unwrap();
                    asked
                };
                answers.into_iter().map(serve).collect()
            });
            Self { url, asked }
        }

        pub(crate) fn client(&self, token: Option<&str>) -> Client {
            let url = ServerUrl::parse(&self.url).unwrap();
            Client::new(url, token.map(str::to_owned), Authorities::System(None)).unwrap()
        }

        /// Request line, headers and body of each request.
        pub(crate) fn asked(self) -> Vec<String> {
            self.asked.join().unwrap()
        }
    }

    fn read_request(reader: &mut impl BufRead) -> String {
        let mut text = String::new();
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            let lower = line.to_ascii_lowercase();
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            text.push_str(&line);
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        text + &String::from_utf8(body).unwrap()
    }

    #[test]
    fn the_api_token_goes_to_the_admin_api_and_never_with_a_form() {
        let server = Canned::start(vec![(200, json!({"a": 1})), (200, json!({}))]);
        let client = server.client(Some("cst_secret"));
        assert_eq!(client.get("/instance").unwrap(), json!({"a": 1}));
        client
            .post_form("/t/x/token", &[("scope", "a b&c")])
            .unwrap();
        let asked = server.asked();
        assert!(asked[0].starts_with("GET /api/v1/instance HTTP/1.1"));
        assert!(asked[0].contains("Bearer cst_secret"));
        assert!(!asked[1].contains("cst_secret"));
        assert!(asked[1].ends_with("scope=a+b%26c") || asked[1].ends_with("scope=a%20b%26c"));
    }

    #[test]
    fn a_refusal_and_a_failure_of_the_server_end_differently() {
        let body = json!({"code": "not_found", "detail": "There is none.", "correlation_id": "c"});
        let server = Canned::start(vec![(404, body), (503, json!({})), (401, json!({}))]);
        let client = server.client(None);
        let refused = client.get("/x").unwrap_err();
        assert_eq!(
            (refused.code(), refused.exit_code()),
            ("not_found", REFUSED)
        );
        assert_eq!(client.get("/x").unwrap_err().exit_code(), SERVER_FAULT);
        let unknown = client.get("/x").unwrap_err().report();
        assert!(unknown.contains("COUNTERSIGN_TOKEN"), "{unknown}");
        server.asked();
    }

    #[test]
    fn a_redirect_is_never_followed() {
        let server = Canned::start(vec![(307, json!({}))]);
        let failure = server
            .client(Some("cst_secret"))
            .post("/x", &json!({}))
            .unwrap_err();
        assert_eq!(failure.exit_code(), SERVER_FAULT);
        assert_eq!(server.asked().len(), 1);
    }

    #[test]
    fn nobody_listening_is_unreachable() {
        let closed = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let url = ServerUrl::parse(&format!("http://{closed}")).unwrap();
        let failure = Client::new(url, None, Authorities::System(None))
            .unwrap()
            .get("/x")
            .unwrap_err();
        assert_eq!(failure.exit_code(), UNREACHABLE);
    }

    #[test]
    fn https_without_an_authority_in_the_named_file_is_a_local_failure() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("authority.pem");
        let open = || {
            let url = ServerUrl::parse("https://127.0.0.1:1").unwrap();
            let failure = Client::new(url, None, Authorities::Only(&file))
                .err()
                .unwrap();
            (failure.code().to_owned(), failure.exit_code())
        };
        assert_eq!(open(), ("file_unreadable".to_owned(), LOCAL));
        fs::write(&file, "nothing").unwrap();
        assert_eq!(open(), ("authority_missing".to_owned(), LOCAL));
    }

    #[test]
    fn an_edit_names_the_version_it_starts_from() {
        let server = Canned::start(vec![(200, json!({}))]);
        server
            .client(None)
            .patch("/x", 7, &json!({"name": "n"}))
            .unwrap();
        let asked = server.asked().remove(0).to_ascii_lowercase();
        assert!(asked.contains("if-match: \"7\""), "{asked}");
    }

    #[test]
    fn a_segment_cannot_leave_its_place() {
        assert_eq!(
            path(&["organizations", "../x?y"]),
            "/organizations/%2E%2E%2Fx%3Fy"
        );
        assert_eq!(
            with_query("/a", &[("cursor", "x&y".to_owned())]),
            "/a?cursor=x%26y"
        );
    }

    #[test]
    fn only_this_machine_is_loopback() {
        let loopback = |text: &str| ServerUrl::parse(text).unwrap().is_loopback();
        for text in [
            "http://127.0.0.1:8080",
            "http://localhost",
            "https://[::1]:1",
        ] {
            assert!(loopback(text), "{text}");
        }
        for text in [
            "http://localhost.example",
            "http://10.0.0.1",
            "http://127.0.0.1.example",
        ] {
            assert!(!loopback(text), "{text}");
        }
        assert!(ServerUrl::parse("http://10.0.0.1").unwrap().is_plain());
        assert!(!ServerUrl::parse("https://10.0.0.1").unwrap().is_plain());
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in ["", "127.0.0.1:8080", "ftp://h", "http://", "http://h/?q=1"] {
            assert!(ServerUrl::parse(text).is_err(), "{text}");
        }
        assert_eq!(
            ServerUrl::parse("http://h/base/").unwrap().as_str(),
            "http://h/base"
        );
    }
}
