//! The listener with TLS on real sockets: what is spoken, what is refused, and what a renewal changes.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::routing::{get, post};
use countersign_http::{Identity, IdentityRefusal, Limits, Tls, bind, serve};
use countersign_testkit::{Authority, IssuedCertificate};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{
    ClientConfig, ProtocolVersion, RootCertStore, SupportedProtocolVersion,
};

/// Long enough for anything that is not stuck.
const PATIENCE: Duration = Duration::from_secs(20);

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// Types of TLS records (RFC 8446 §5.1), and the alerts that are expected (§6).
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const HANDSHAKE_FAILURE: u8 = 40;
const PROTOCOL_VERSION: u8 = 70;

struct Server {
    address: SocketAddr,
    authority: Authority,
    tls: Tls,
    stop: watch::Sender<bool>,
    task: JoinHandle<std::io::Result<()>>,
}

fn identity(issued: &IssuedCertificate) -> Result<Identity, IdentityRefusal> {
    Identity::from_pem(issued.certificate.as_bytes(), issued.key.as_bytes())
}

fn start(limits: Limits) -> Server {
    let authority = Authority::new();
    let tls = Tls::new(identity(&authority.issue()).unwrap()).unwrap();
    let listener = bind("127.0.0.1:0".parse().unwrap(), false).unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new()
        .route("/", get(async || "hello"))
        .route("/length", post(async |body: Bytes| body.len().to_string()));
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(serve(listener, Some(tls.clone()), router, limits, stopped));
    Server {
        address,
        authority,
        tls,
        stop,
        task,
    }
}

/// A client that trusts one authority.
fn connector(
    authority: &Authority,
    versions: &[&'static SupportedProtocolVersion],
    protocols: &[&str],
) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(authority.certificate().as_bytes()).unwrap();
    roots.add(root).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols
        .iter()
        .map(|name| name.as_bytes().to_vec())
        .collect();
    TlsConnector::from(Arc::new(config))
}

impl Server {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn shake(&self, connector: &TlsConnector) -> std::io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from("localhost").unwrap();
        let shaken = connector.connect(name, self.connect().await);
        tokio::time::timeout(PATIENCE, shaken)
            .await
            .expect("the handshake ends")
    }

    /// A connection of a client that trusts the server's first authority.
    async fn trusting(&self) -> TlsStream<TcpStream> {
        let connector = connector(&self.authority, &[&TLS13], &[]);
        self.shake(&connector).await.unwrap()
    }
}

async fn ask(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    let mut answer = String::new();
    let mut buffer = [0; 1024];
    while !answer.ends_with("hello") {
        let read = tokio::time::timeout(PATIENCE, stream.read(&mut buffer))
            .await
            .expect("an answer in time")
            .unwrap();
        assert_ne!(read, 0, "closed after {answer:?}");
        answer.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
    }
    answer
}

async fn until_closed(stream: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut answer = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    // A reset is also an end.
    drop(read.expect("the server closes the connection"));
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

/// The first message of a client that speaks nothing above `version` and offers only `suites` (RFC 5246 §7.4.1.2).
fn client_hello(version: u16, suites: &[u16]) -> Vec<u8> {
    fn with_length<const OCTETS: usize>(body: &[u8]) -> Vec<u8> {
        let length = (body.len() as u64).to_be_bytes();
        [&length[8 - OCTETS..], body].concat()
    }
    let extension =
        |kind: u16, body: &[u8]| [&kind.to_be_bytes(), &*with_length::<2>(body)].concat();
    let extensions = [
        // x25519 and P-256; uncompressed points; ECDSA and RSA with SHA-256.
        extension(10, &with_length::<2>(&[0, 29, 0, 23])),
        extension(11, &with_length::<1>(&[0])),
        extension(13, &with_length::<2>(&[4, 3, 4, 1])),
    ]
    .concat();
    let suites: Vec<u8> = suites
        .iter()
        .flat_map(|suite| suite.to_be_bytes())
        .collect();
    let body = [
        &version.to_be_bytes()[..],
        &[7; 32],
        &with_length::<1>(&[]),
        &with_length::<2>(&suites),
        &with_length::<1>(&[0]),
        &with_length::<2>(&extensions),
    ]
    .concat();
    let message = [&[1][..], &with_length::<3>(&body)].concat();
    [&[HANDSHAKE, 3, 1][..], &with_length::<2>(&message)].concat()
}

/// TLS 1.2 and earlier with CBC, without authentication of the ciphertext or without ephemeral keys, as BCP 195 says
/// must not or should not be used: ECDHE with AES-CBC, RSA key transport with CBC and GCM, DHE with GCM.
const NOT_RECOMMENDED: [u16; 11] = [
    0xc009, 0xc00a, 0xc013, 0xc014, 0xc023, 0xc024, 0xc027, 0xc028, 0x002f, 0x009c, 0x009e,
];

/// ECDHE-ECDSA with AES-128-GCM.
const RECOMMENDED: u16 = 0xc02b;

#[tokio::test]
async fn a1_plain_http_to_the_tls_port_is_closed_without_an_answer_or_a_redirect() {
    let server = start(Limits::default());
    let body = "grant_type=client_credentials&client_assertion=eyJ";
    let length = body.len();
    for request in [
        GET.to_owned(),
        format!("POST /t/x/token HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}"),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
    ] {
        let mut stream = server.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = until_closed(&mut stream).await;
        assert!(
            answer.is_empty() || answer[0] == ALERT,
            "{request}: {:?}",
            String::from_utf8_lossy(&answer)
        );
    }
    assert!(
        ask(&mut server.trusting().await, GET)
            .await
            .starts_with("HTTP/1.1 200 ")
    );
}

#[tokio::test]
async fn a2_tls_1_0_and_1_1_are_refused() {
    let server = start(Limits::default());
    for version in [0x0300, 0x0301, 0x0302] {
        let suites = [&NOT_RECOMMENDED[..], &[RECOMMENDED]].concat();
        let mut stream = server.connect().await;
        let hello = client_hello(version, &suites);
        stream.write_all(&hello).await.unwrap();
        let answer = until_closed(&mut stream).await;
        assert_eq!(
            (answer[0], answer[6]),
            (ALERT, PROTOCOL_VERSION),
            "{version:x}"
        );
    }
}

#[tokio::test]
async fn a2_tls_1_2_with_cbc_or_without_ephemeral_keys_is_refused() {
    let server = start(Limits::default());
    let offered = NOT_RECOMMENDED.iter().map(std::slice::from_ref);
    for suites in offered.chain([&NOT_RECOMMENDED[..]]) {
        let mut stream = server.connect().await;
        stream
            .write_all(&client_hello(0x0303, suites))
            .await
            .unwrap();
        let answer = until_closed(&mut stream).await;
        assert_eq!(
            (answer[0], answer[6]),
            (ALERT, HANDSHAKE_FAILURE),
            "{suites:x?}"
        );
    }
    let suites = [&NOT_RECOMMENDED[..], &[RECOMMENDED]].concat();
    let mut stream = server.connect().await;
    stream
        .write_all(&client_hello(0x0303, &suites))
        .await
        .unwrap();
    let mut hello = [0; 5 + 4 + 2 + 32 + 1];
    stream.read_exact(&mut hello).await.unwrap();
    assert_eq!(
        hello[0], HANDSHAKE,
        "the same hello with a good suite is answered"
    );
    let mut session = vec![0; usize::from(hello[hello.len() - 1]) + 2];
    stream.read_exact(&mut session).await.unwrap();
    assert_eq!(session[session.len() - 2..], RECOMMENDED.to_be_bytes());
}

#[tokio::test]
async fn a2_tls_1_2_and_1_3_are_spoken() {
    let server = start(Limits::default());
    for (version, expected) in [
        (&TLS12, ProtocolVersion::TLSv1_2),
        (&TLS13, ProtocolVersion::TLSv1_3),
    ] {
        let connector = connector(&server.authority, &[version], &["h2", "http/1.1"]);
        let mut stream = server.shake(&connector).await.unwrap();
        let (_, connection) = stream.get_ref();
        assert_eq!(connection.protocol_version(), Some(expected));
        assert_eq!(connection.alpn_protocol(), Some(&b"http/1.1"[..]));
        for _ in 0..2 {
            assert!(ask(&mut stream, GET).await.starts_with("HTTP/1.1 200 "));
        }
    }
}

#[tokio::test]
async fn a_client_that_speaks_only_http_2_is_refused_in_the_handshake() {
    let server = start(Limits::default());
    let connector = connector(&server.authority, &[&TLS13, &TLS12], &["h2"]);
    let error = server.shake(&connector).await.unwrap_err();
    assert!(
        error.to_string().contains("NoApplicationProtocol"),
        "{error}"
    );
}

#[tokio::test]
async fn a17_ambiguous_requests_are_refused_inside_tls_too() {
    let server = start(Limits::default());
    let head = "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    let mut stream = server.trusting().await;
    let request = format!("POST /length HTTP/1.1\r\nHost: a\r\n{head}{GET}");
    stream.write_all(request.as_bytes()).await.unwrap();
    let answer = String::from_utf8(until_closed(&mut stream).await).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
}

#[tokio::test]
async fn a18_a_handshake_that_takes_too_long_is_closed_and_gives_its_place_to_others() {
    let server = start(Limits {
        connections: 1,
        ..hasty()
    });
    let hello = client_hello(0x0303, &[RECOMMENDED]);
    let mut silent = server.connect().await;
    assert!(until_closed(&mut silent).await.is_empty());
    let mut part = server.connect().await;
    part.write_all(&hello[..20]).await.unwrap();
    assert!(until_closed(&mut part).await.is_empty());
    let (mut read, mut write) = server.connect().await.into_split();
    let trickle = tokio::spawn(async move {
        let mut tick = tokio::time::interval(Duration::from_millis(20));
        for octet in hello {
            if write.write_all(&[octet]).await.is_err() {
                return;
            }
            tick.tick().await;
        }
        panic!("all of a slow hello was read");
    });
    assert!(until_closed(&mut read).await.is_empty());
    trickle.await.unwrap();
    assert!(
        ask(&mut server.trusting().await, GET)
            .await
            .starts_with("HTTP/1.1 200 ")
    );
}

#[tokio::test]
async fn a18_a_handshake_is_part_of_the_time_of_the_first_head() {
    let server = start(hasty());
    let began = tokio::time::Instant::now();
    let mut stream = server.trusting().await;
    stream.write_all(b"GET / HTTP/1.1\r\nX: ").await.unwrap();
    assert!(until_closed(&mut stream).await.is_empty());
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_to_new_connections_and_open_ones_go_on() {
    let server = start(Limits::default());
    let mut open = server.trusting().await;
    ask(&mut open, GET).await;
    let other = Authority::new();
    server.tls.renew(identity(&other.issue()).unwrap());
    let before = connector(&server.authority, &[&TLS13, &TLS12], &[]);
    let error = server.shake(&before).await.unwrap_err();
    assert!(
        error.to_string().contains("invalid peer certificate"),
        "{error}"
    );
    let after = connector(&other, &[&TLS13, &TLS12], &[]);
    let mut new = server.shake(&after).await.unwrap();
    for stream in [&mut open, &mut new] {
        assert!(ask(stream, GET).await.starts_with("HTTP/1.1 200 "));
    }
}

#[tokio::test]
async fn a_stopping_server_does_not_wait_for_handshakes() {
    let server = start(Limits::default());
    let mut stream = server.connect().await;
    let mut probe = [0; 1];
    let early = tokio::time::timeout(Duration::from_millis(50), stream.read(&mut probe)).await;
    assert!(early.is_err());
    server.stop.send_replace(true);
    let stopped = tokio::time::timeout(Duration::from_secs(5), server.task);
    stopped.await.expect("the server stops").unwrap().unwrap();
    assert!(until_closed(&mut stream).await.is_empty());
}

#[test]
fn a_certificate_and_a_key_that_cannot_be_used_are_refused() {
    let authority = Authority::new();
    let [one, two] = [authority.issue(), authority.issue()];
    let refused = |certificate: &str, key: &str| {
        Identity::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap_err()
    };
    assert_eq!(
        refused(&one.certificate, &two.key),
        IdentityRefusal::KeyDoesNotFit
    );
    let chain = format!("{}{}", authority.certificate(), one.certificate);
    assert_eq!(refused(&chain, &one.key), IdentityRefusal::KeyDoesNotFit);
    let no_certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for certificate in ["", "nothing", &one.key, no_certificate] {
        let refusal = refused(certificate, &one.key);
        assert_eq!(
            refusal,
            IdentityRefusal::CertificateMalformed,
            "{certificate}"
        );
    }
    for key in ["", "nothing", &one.certificate] {
        let refusal = refused(&one.certificate, key);
        assert_eq!(refusal, IdentityRefusal::KeyMalformed, "{key}");
    }
    let both = format!("{}{}", one.key, one.certificate);
    assert!(Identity::from_pem(both.as_bytes(), both.as_bytes()).is_ok());
}
