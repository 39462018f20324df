//! TLS in front of the requests (conformance A1, A2): the only file that knows the TLS library.
//!
//! TLS 1.2 with ephemeral keys and authenticated ciphers, and TLS 1.3; both are the library's defaults (BCP 195). No
//! early data: what is sent in it can be sent again by anybody (RFC 8446 §8).

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{Error, ServerConfig};
use tokio_rustls::server::TlsStream;

/// The one protocol that is spoken inside (RFC 7301 §6).
const ALPN: &[u8] = b"http/1.1";

/// A certificate, what leads from it to its authority, and the private key that belongs to it.
#[derive(Clone, Debug)]
pub struct Identity(Arc<CertifiedKey>);

/// Why an [`Identity`] cannot be made, or not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentityRefusal {
    /// There is no certificate, or what is there is none.
    CertificateMalformed,
    /// The private key belongs to another certificate.
    KeyDoesNotFit,
    /// There is no private key, or it is not usable.
    KeyMalformed,
}

impl fmt::Display for IdentityRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CertificateMalformed => {
                "no certificate can be read: give PEM, the server's own certificate first, then those that lead from \
                 it to its authority"
            }
            Self::KeyDoesNotFit => {
                "the private key does not belong to the first certificate of the file"
            }
            Self::KeyMalformed => {
                "no private key can be read: give PEM (PKCS#8, PKCS#1 or SEC 1) without a passphrase; RSA from 2048 \
                 bits on, P-256, P-384, P-521 or Ed25519"
            }
        })
    }
}

impl std::error::Error for IdentityRefusal {}

impl Identity {
    /// Reads the certificates and the private key from PEM; the first certificate is the server's own.
    ///
    /// Neither the names in the certificate nor its dates are looked at.
    ///
    /// # Errors
    /// [`IdentityRefusal`].
    pub fn from_pem(certificates: &[u8], key: &[u8]) -> Result<Self, IdentityRefusal> {
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(certificates)
            .collect::<Result<_, _>>()
            .map_err(|_| IdentityRefusal::CertificateMalformed)?;
        if chain.is_empty() {
            return Err(IdentityRefusal::CertificateMalformed);
        }
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| IdentityRefusal::KeyMalformed)?;
        CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider())
            .map(|certified| Self(Arc::new(certified)))
            .map_err(|error| match error {
                Error::InconsistentKeys(_) => IdentityRefusal::KeyDoesNotFit,
                Error::InvalidCertificate(_) => IdentityRefusal::CertificateMalformed,
                _ => IdentityRefusal::KeyMalformed,
            })
    }

    /// The server's own certificate, in DER.
    #[must_use]
    pub fn certificate(&self) -> &[u8] {
        self.0.cert.first().map_or(&[], AsRef::as_ref)
    }
}

/// The TLS of a listener. Its clones show the same certificate, and all of them the new one when one is renewed.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
    shown: Arc<Shown>,
}

impl Tls {
    /// Shows `identity` to every caller, whatever name it asks for.
    ///
    /// # Errors
    /// When the TLS library knows no protocol at all, which is a mistake in how it was built.
    pub fn new(identity: Identity) -> io::Result<Self> {
        let shown = Arc::new(Shown(RwLock::new(identity)));
        let mut config =
            ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(io::Error::other)?
                .with_no_client_auth()
                .with_cert_resolver(Arc::clone(&shown) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            shown,
        })
    }

    /// Shows another certificate from now on. Connections that are open stay as they are.
    pub fn renew(&self, identity: Identity) {
        let shown = self.shown.0.write();
        *shown.unwrap_or_else(PoisonError::into_inner) = identity;
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

/// What a listener shows now.
#[derive(Debug)]
struct Shown(RwLock<Identity>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let shown = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&shown.0))
    }
}

/// The stream that requests come on; `None` when the peer has not agreed on keys by the deadline, or at all.
pub(super) async fn enter(
    stream: TcpStream,
    tls: Option<Tls>,
    deadline: Instant,
    stopped: watch::Receiver<bool>,
) -> Option<Stream> {
    // Answers are small and complete: waiting for more to send only adds latency.
    stream.set_nodelay(true).ok()?;
    let Some(tls) = tls else {
        return Some(Stream::Plain(stream));
    };
    // Boxed, so that connections without TLS do not carry the room for it.
    let handshake = Box::pin(timeout_at(deadline, tls.acceptor.accept(stream)));
    tokio::select! {
        biased;
        // Nothing was asked yet, so nothing is lost.
        () = super::told(stopped) => None,
        shaken = handshake => match shaken {
            Ok(Ok(stream)) => Some(Stream::Tls(Box::new(stream))),
            Ok(Err(error)) => {
                metrics::counter!("countersign_tls_handshakes_failed_total").increment(1);
                tracing::debug!(%error, "a handshake failed");
                None
            }
            Err(_) => {
                metrics::counter!("countersign_http_timeouts_total").increment(1);
                tracing::debug!("a connection was closed: its handshake took too long");
                None
            }
        },
    }
}

/// A connection, with TLS or without.
#[derive(Debug)]
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, octets),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, octets),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
