//! Local files: private ones that nobody else may read, keys, and what comes in on stdin.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use countersign_crypto::import::{ImportOptions, ImportRefusal, KeyFormat, import_keys};
use countersign_crypto::{SigningAlgorithm, SigningKey, b64};
use serde_json::Value;

use super::failure::Failure;

/// Readable and writable for its owner only.
pub(crate) const PRIVATE: u32 = 0o600;
/// Readable for everybody.
pub(crate) const PUBLIC: u32 = 0o644;

/// Makes a file that must not exist yet, with this mode, and puts `content` in it.
///
/// # Errors
/// [`Failure::FileExists`], [`Failure::FileUnwritable`]; a file that could not be filled is removed again.
pub(crate) fn create(path: &Path, mode: u32, content: &[u8]) -> Result<(), Failure> {
    let unwritable = |cause| Failure::FileUnwritable {
        path: path.to_owned(),
        cause,
    };
    // `create_new` is O_EXCL: it follows no link and never opens what is already there.
    let opened = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path);
    let mut file = opened.map_err(|cause| match cause.kind() {
        ErrorKind::AlreadyExists => Failure::FileExists(path.to_owned()),
        _ => unwritable(cause),
    })?;
    let written = file.write_all(content).and_then(|()| file.sync_all());
    written.map_err(|cause| {
        let _removed = fs::remove_file(path);
        unwritable(cause)
    })
}

/// Makes a directory and its parents, for their owner only; what is already there stays as it is.
///
/// # Errors
/// [`Failure::FileUnwritable`].
pub(crate) fn create_directory(path: &Path) -> Result<(), Failure> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|cause| Failure::FileUnwritable {
        path: path.to_owned(),
        cause,
    })
}

/// The octets of a file, or of stdin when the name is `-`.
///
/// # Errors
/// [`Failure::FileUnreadable`].
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let octets = if path == Path::new("-") {
        let mut octets = Vec::new();
        io::stdin().lock().read_to_end(&mut octets).map(|_| octets)
    } else {
        fs::read(path)
    };
    octets.map_err(|cause| Failure::FileUnreadable {
        path: path.to_owned(),
        cause,
    })
}

/// A text given as an argument, or on stdin when it is `-`.
///
/// # Errors
/// [`Failure::FileUnreadable`] when stdin is no text.
pub(crate) fn argument_or_stdin(argument: &str) -> Result<String, Failure> {
    if argument != "-" {
        return Ok(argument.trim().to_owned());
    }
    let octets = read(Path::new("-"))?;
    let text = String::from_utf8(octets).map_err(|_| Failure::FileUnreadable {
        path: "-".into(),
        cause: io::Error::new(ErrorKind::InvalidData, "it is not text"),
    })?;
    Ok(text.trim().to_owned())
}

/// Reads the private key that signs assertions; without an algorithm the key decides.
///
/// # Errors
/// [`Failure::FileUnreadable`], [`Failure::KeyUnacceptable`].
pub(crate) fn private_key(
    path: &Path,
    algorithm: Option<SigningAlgorithm>,
) -> Result<SigningKey, Failure> {
    let octets = read(path)?;
    let text = String::from_utf8_lossy(&octets);
    SigningKey::from_pem(&text, algorithm).map_err(|rejected| Failure::KeyUnacceptable {
        path: path.to_owned(),
        code: rejected.code(),
        sentence: format!("{rejected}: countersign keygen makes one"),
    })
}

/// Reads a public key in any form that the server accepts, as the API wants it: text, or a JWK or JWK set.
///
/// A private key is refused here and never leaves the machine; every other judgement is the server's. `now`, in
/// Unix seconds, is when a certificate in DER must be valid.
///
/// # Errors
/// [`Failure::FileUnreadable`], [`Failure::KeyUnacceptable`].
pub(crate) fn public_key(path: &Path, now: i64) -> Result<Value, Failure> {
    public_key_of(path, read(path)?, now)
}

fn public_key_of(path: &Path, octets: Vec<u8>, now: i64) -> Result<Value, Failure> {
    let unacceptable = |refusal: ImportRefusal| Failure::KeyUnacceptable {
        path: path.to_owned(),
        code: refusal.code(),
        sentence: refusal.to_string(),
    };
    let import = match import_keys(&octets, ImportOptions { now }) {
        Err(refusal @ ImportRefusal::PrivateKeyRefused(_)) => return Err(unacceptable(refusal)),
        import => import,
    };
    match String::from_utf8(octets) {
        Ok(text) => {
            let object = serde_json::from_str(&text).ok().filter(Value::is_object);
            Ok(object.unwrap_or(Value::String(text)))
        }
        // JSON carries no binary: dress it as PEM. A certificate stays one, because its end bounds the key.
        Err(binary) => {
            let import = import.map_err(unacceptable)?;
            let label = match import.keys[0].format {
                KeyFormat::CertificateDer => "CERTIFICATE",
                KeyFormat::Pkcs1Der => "RSA PUBLIC KEY",
                KeyFormat::SpkiDer => "PUBLIC KEY",
                // Text in another encoding than UTF-8: the key that was read in it.
                _ => return Ok(Value::String(import.keys[0].key.to_pem())),
            };
            Ok(Value::String(armoured(label, binary.as_bytes())))
        }
    }
}

/// PEM (RFC 7468 §2) in one line of base64, which every reader takes.
fn armoured(label: &str, der: &[u8]) -> String {
    let mut base64 = b64::encode(der).replace('-', "+").replace('_', "/");
    while !base64.len().is_multiple_of(4) {
        base64.push('=');
    }
    format!("-----BEGIN {label}-----\n{base64}\n-----END {label}-----\n")
}

#[cfg(test)]
pub(crate) mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// The permission bits of a file.
    pub(crate) fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_private_file_is_its_owners_and_never_overwrites() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("key");
        create(&path, PRIVATE, b"first").unwrap();
        assert_eq!(mode(&path), 0o600);
        let failure = create(&path, PRIVATE, b"second").unwrap_err();
        assert_eq!((failure.code(), failure.exit_code()), ("file_exists", 5));
        assert_eq!(fs::read(&path).unwrap(), b"first");
    }

    #[test]
    fn a_private_file_does_not_follow_a_link() {
        let place = tempfile::tempdir().unwrap();
        let link = place.path().join("link");
        std::os::unix::fs::symlink(place.path().join("target"), &link).unwrap();
        assert_eq!(
            create(&link, PRIVATE, b"x").unwrap_err().code(),
            "file_exists"
        );
        assert!(!place.path().join("target").exists());
    }

    #[test]
    fn a_private_key_is_refused_before_it_leaves_the_machine() {
        let pem = SigningKey::generate(SigningAlgorithm::Es256).to_pkcs8_pem();
        let failure = public_key_of(Path::new("k"), pem.as_bytes().to_vec(), 0).unwrap_err();
        assert_eq!(
            (failure.code(), failure.exit_code()),
            ("private_key_refused", 5)
        );
    }

    #[test]
    fn text_and_jwk_go_as_they_are() {
        let key = SigningKey::generate(SigningAlgorithm::Es256);
        let pem = key.public_key().to_pem();
        let sent = public_key_of(Path::new("k"), pem.clone().into_bytes(), 0).unwrap();
        assert_eq!(sent, Value::String(pem));
        let jwk = key.public_key().to_jwk("k1", None);
        let sent = public_key_of(Path::new("k"), jwk.to_string().into_bytes(), 0).unwrap();
        assert_eq!(sent, jwk);
        let nonsense = public_key_of(Path::new("k"), b"what the server refuses".to_vec(), 0);
        assert_eq!(nonsense.unwrap(), "what the server refuses");
    }

    #[test]
    fn der_is_dressed_as_pem_of_the_same_key() {
        let key = SigningKey::generate(SigningAlgorithm::Es256);
        let der = key.public_key().spki_der().to_vec();
        let sent = public_key_of(Path::new("k"), der, 0).unwrap();
        let read =
            import_keys(sent.as_str().unwrap().as_bytes(), ImportOptions { now: 0 }).unwrap();
        assert_eq!(&read.keys[0].key, key.public_key());
    }

    #[test]
    fn a_file_without_a_private_key_says_what_it_lacks() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("empty");
        fs::write(&path, "nothing").unwrap();
        let failure = private_key(&path, None).unwrap_err();
        assert_eq!(failure.code(), "signing_key_pem_missing");
        assert_eq!(
            private_key(&place.path().join("none"), None)
                .unwrap_err()
                .code(),
            "file_unreadable"
        );
    }
}
