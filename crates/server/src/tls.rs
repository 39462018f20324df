//! The certificate of the listener: read and checked at the start, and again whenever its files change.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use countersign_crypto::import::{CertificateValidity, certificate_validity};
use countersign_domain::time::UnixTime;
use countersign_http::{Identity, Tls};
use countersign_service::Clock as _;
use tokio::time::{MissedTickBehavior, interval};

use crate::cli::TlsArgs;
use crate::data_dir::read_private;
use crate::failure::ServerFailure;
use crate::wall_clock::WallClock;

/// How long a renewed certificate waits until it is seen.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// A certificate that ends sooner should have been renewed, in seconds; one with a short life, in its last third.
const SOON: i64 = 7 * 86_400;

/// The two files, and how they were when they were last read.
#[derive(Debug)]
pub(crate) struct Files {
    certificate: PathBuf,
    key: PathBuf,
    seen: Stamp,
}

/// A certificate that may be shown now.
#[derive(Debug)]
pub(crate) struct Current {
    /// With its key.
    pub(crate) identity: Identity,
    /// Its last second.
    pub(crate) ends: UnixTime,
    /// When it should have been renewed.
    pub(crate) renew_by: UnixTime,
}

/// What differs when a file was written, replaced, or reached through another link.
type Stamp = [Option<(u64, u64, i64, i64)>; 2];

impl Files {
    /// The files that the arguments name; `None` without TLS.
    pub(crate) fn named(args: &TlsArgs) -> Option<Self> {
        let (certificate, key) = args.tls_certificate.clone().zip(args.tls_key.clone())?;
        Some(Self {
            certificate,
            key,
            seen: [None; 2],
        })
    }

    /// The file of the certificate.
    pub(crate) fn certificate(&self) -> &Path {
        &self.certificate
    }

    /// Reads both files.
    ///
    /// # Errors
    /// In words, when one cannot be read, others can read the key, the two do not belong together, or the certificate
    /// is not valid now.
    pub(crate) fn read(&mut self) -> Result<Current, ServerFailure> {
        // Before the content: what is written meanwhile is seen as another change.
        self.seen = self.stamp();
        let certificate = fs::read(&self.certificate)
            .map_err(|error| ServerFailure::local(&self.certificate, &error))?;
        let key = read_private(&self.key, "the TLS key")?;
        let place = format!(
            "the TLS certificate {} with the key {}",
            self.certificate.display(),
            self.key.display()
        );
        let in_words =
            |error: &dyn std::fmt::Display| ServerFailure::new(format!("{place}: {error}"));
        let identity = Identity::from_pem(&certificate, key.as_bytes());
        let identity = identity.map_err(|refusal| in_words(&refusal))?;
        let validity = certificate_validity(identity.certificate());
        let validity = validity.map_err(|refusal| in_words(&refusal))?;
        current(identity, validity, WallClock.now()).map_err(|words| in_words(&words))
    }

    fn stamp(&self) -> Stamp {
        [&self.certificate, &self.key].map(|path| {
            let about = fs::metadata(path).ok()?;
            Some((about.dev(), about.ino(), about.ctime(), about.ctime_nsec()))
        })
    }
}

/// Shows a renewed certificate as soon as both files are there and belong together; until then the old one stays.
pub(crate) async fn follow(mut files: Files, tls: Tls) {
    let mut looks = interval(LOOK_AGAIN);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        // Not on this thread, which serves requests: a disk may hang.
        let look = tokio::task::spawn_blocking(move || {
            let renewed = (files.stamp() != files.seen).then(|| files.read());
            (files, renewed)
        });
        let Ok((back, renewed)) = look.await else {
            return;
        };
        files = back;
        match renewed {
            None => {}
            Some(Ok(current)) => {
                note(&current);
                tls.renew(current.identity);
            }
            Some(Err(failure)) => {
                tracing::warn!(%failure, "the TLS files have changed and cannot be used; the old certificate stays");
            }
        }
    }
}

/// Starts TLS with what is in the files.
///
/// # Errors
/// As [`Files::read`].
pub(crate) fn start(files: &mut Files) -> Result<Tls, ServerFailure> {
    let current = files.read()?;
    note(&current);
    Tls::new(current.identity).map_err(|error: io::Error| ServerFailure::new(error.to_string()))
}

/// Tells the operator until when a certificate is good.
fn note(current: &Current) {
    let ends = current.ends.seconds() as f64;
    metrics::gauge!("countersign_tls_certificate_end_seconds").set(ends);
    tracing::info!(ends = %current.ends, "TLS certificate");
    if current.renew_by <= WallClock.now() {
        tracing::warn!(ends = %current.ends, "the TLS certificate ends soon: renew it");
    }
}

fn current(
    identity: Identity,
    validity: CertificateValidity,
    now: UnixTime,
) -> Result<Current, String> {
    let begins = UnixTime::from_seconds(validity.not_before);
    let ends = UnixTime::from_seconds(validity.not_after);
    if now > ends {
        return Err(format!("it has expired at {ends}: renew it"));
    }
    if now < begins {
        return Err(format!(
            "it is not valid before {begins}: is this machine's clock right?"
        ));
    }
    let life = validity.not_after.saturating_sub(validity.not_before);
    Ok(Current {
        identity,
        ends,
        renew_by: ends.plus(-SOON.min(life / 3)),
    })
}
