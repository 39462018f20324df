//! Reading and verifying an SSHSIG.

use super::armour;
use super::person_key::fingerprint;
use super::signed_data::{Hash, check_namespace, signed_data};
use super::wire::{byte, field, positive_mpint, text, uint32};
use super::{PersonKey, PersonKeyKind, SshSignatureRefusal};
use crate::{Algorithm, VerifyingKey, ecdsa, sha256};

/// What an SSHSIG begins with, and the blob that is signed, too.
pub(super) const MAGIC: &[u8; 6] = b"SSHSIG";
pub(super) const VERSION: u32 = 1;
/// Octets without armour: an RSA key of 8192 bits and its signature have about 2,100.
const MAX_OCTETS: usize = 4 * 1024;

/// User present, in the flags of a security key.
const USER_PRESENT: u8 = 1;
/// User verified, in the flags of a security key.
const USER_VERIFIED: u8 = 1 << 2;

/// An SSH signature that was read and not verified: it shows only the fingerprint of the key that it names.
///
/// The key is not read: it only has to be the very octets of a registered one, which was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnverifiedSshSignature {
    key: Vec<u8>,
    namespace: String,
    hash: Hash,
    signature: Signature,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Signature {
    algorithm: Algorithm,
    /// In the one form that is verified: for ECDSA R || S.
    octets: Vec<u8>,
    /// What a security key says, and signs.
    touch: Option<Touch>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Touch {
    flags: u8,
    counter: u32,
}

/// Whether the person must have been verified by the security key, with a PIN or a fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserVerification {
    /// Any accepted key serves.
    NotRequired,
    /// Only a key in a security key serves that verified the person.
    Required,
}

/// The proof that a message was signed with a person's SSH key for one purpose. Only
/// [`UnverifiedSshSignature::verify`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedSshSignature {
    key: PersonKey,
    touch: Option<Touch>,
}

impl VerifiedSshSignature {
    /// The key that signed.
    #[must_use]
    pub fn key(&self) -> &PersonKey {
        &self.key
    }

    /// Whether a security key verified the person.
    #[must_use]
    pub fn is_user_verified(&self) -> bool {
        self.touch
            .is_some_and(|touch| touch.flags & USER_VERIFIED != 0)
    }

    /// How often a security key has signed, by its own count.
    #[must_use]
    pub fn counter(&self) -> Option<u32> {
        self.touch.map(|touch| touch.counter)
    }
}

impl UnverifiedSshSignature {
    /// Reads an SSHSIG as `ssh-keygen -Y sign` writes it, or without its armour (OpenSSH, PROTOCOL.sshsig).
    ///
    /// # Errors
    /// [`SshSignatureRefusal`] when it is malformed or too long, or the type of its key, its algorithm or its hash is not
    /// allowed.
    pub fn parse(input: &[u8]) -> Result<Self, SshSignatureRefusal> {
        let octets = armour::remove(input)?;
        if octets.len() > MAX_OCTETS {
            return Err(SshSignatureRefusal::TooLong);
        }
        let mut rest = octets
            .strip_prefix(MAGIC)
            .ok_or(SshSignatureRefusal::Malformed)?;
        if uint32(&mut rest) != Some(VERSION) {
            return Err(SshSignatureRefusal::Malformed);
        }
        let key = field(&mut rest).ok_or(SshSignatureRefusal::Malformed)?;
        let namespace = text(&mut rest).ok_or(SshSignatureRefusal::Malformed)?;
        let (reserved, hash, signature) =
            last_fields(rest).ok_or(SshSignatureRefusal::Malformed)?;
        // What stands there is not signed by OpenSSH, so one signature would have many forms.
        if !reserved.is_empty() {
            return Err(SshSignatureRefusal::Malformed);
        }
        check_namespace(namespace)?;
        let kind = text(&mut &*key).ok_or(SshSignatureRefusal::Malformed)?;
        let kind = PersonKeyKind::named(kind).ok_or(SshSignatureRefusal::KeyTypeUnsupported)?;
        Ok(Self {
            key: key.to_vec(),
            namespace: namespace.to_owned(),
            hash: Hash::named(hash).ok_or(SshSignatureRefusal::HashNotAllowed)?,
            signature: Signature::read(kind, signature)?,
        })
    }

    /// The fingerprint of the key it names, as [`PersonKey::fingerprint`] gives it: with it the caller finds the
    /// person. Nothing proves yet that the key was used.
    #[must_use]
    pub fn key_fingerprint(&self) -> String {
        fingerprint(&self.key)
    }

    /// Verifies that `key` signed `message` for the purpose `namespace`. A security key must have been touched.
    ///
    /// # Errors
    /// [`SshSignatureRefusal`] names the first check that fails.
    pub fn verify(
        self,
        key: &PersonKey,
        namespace: &str,
        message: &[u8],
        verification: UserVerification,
    ) -> Result<VerifiedSshSignature, SshSignatureRefusal> {
        if self.key != key.wire() {
            return Err(SshSignatureRefusal::KeyMismatch);
        }
        if self.namespace != namespace {
            return Err(SshSignatureRefusal::NamespaceMismatch);
        }
        let touch = self.signature.touch;
        if touch.is_some_and(|touch| touch.flags & USER_PRESENT == 0) {
            return Err(SshSignatureRefusal::UserNotPresent);
        }
        let is_verified = touch.is_some_and(|touch| touch.flags & USER_VERIFIED != 0);
        if verification == UserVerification::Required && !is_verified {
            return Err(SshSignatureRefusal::UserNotVerified);
        }
        self.check(key, &signed_data(namespace, self.hash, message))?;
        Ok(VerifiedSshSignature {
            key: key.clone(),
            touch,
        })
    }

    /// Whether the signature is one by this key over this blob.
    pub(super) fn check(&self, key: &PersonKey, blob: &[u8]) -> Result<(), SshSignatureRefusal> {
        let application = key.application();
        let Signature {
            algorithm,
            octets,
            touch,
        } = &self.signature;
        let key = VerifyingKey::new(key.public_key().clone(), *algorithm)
            .map_err(|_| SshSignatureRefusal::AlgorithmNotAllowed)?;
        let verified = match (touch, application) {
            // What a security key signs (OpenSSH, PROTOCOL.u2f).
            (Some(touch), Some(application)) => {
                let (application, message) = (sha256(&[application.as_bytes()]), sha256(&[blob]));
                let signed = [
                    application.as_bytes().as_slice(),
                    &[touch.flags],
                    &touch.counter.to_be_bytes(),
                    message.as_bytes(),
                ];
                key.verify(&signed.concat(), octets)
            }
            _ => key.verify(blob, octets),
        };
        verified.map_err(|_| SshSignatureRefusal::SignatureInvalid)
    }
}

/// Reserved, hash algorithm, and signature; nothing follows.
fn last_fields(mut rest: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let fields = (field(&mut rest)?, field(&mut rest)?, field(&mut rest)?);
    rest.is_empty().then_some(fields)
}

impl Signature {
    /// Reads a signature blob as an agent gives it, for a key of this kind.
    fn read(kind: PersonKeyKind, mut blob: &[u8]) -> Result<Self, SshSignatureRefusal> {
        let name = field(&mut blob).ok_or(SshSignatureRefusal::Malformed)?;
        let algorithm = algorithm_of(kind, name).ok_or(SshSignatureRefusal::AlgorithmNotAllowed)?;
        Self::read_rest(kind, algorithm, blob).ok_or(SshSignatureRefusal::Malformed)
    }

    fn read_rest(kind: PersonKeyKind, algorithm: Algorithm, mut blob: &[u8]) -> Option<Self> {
        let mut inner = field(&mut blob)?;
        let octets = match algorithm {
            Algorithm::Es256 => {
                let (r, s) = (positive_mpint(&mut inner)?, positive_mpint(&mut inner)?);
                if !inner.is_empty() {
                    return None;
                }
                ecdsa::p256_from_integers(r, s)?.to_vec()
            }
            _ => inner.to_vec(),
        };
        let touch = match kind.is_security_key() {
            true => Some(Touch {
                flags: byte(&mut blob)?,
                counter: uint32(&mut blob)?,
            }),
            false => None,
        };
        blob.is_empty().then_some(Self {
            algorithm,
            octets,
            touch,
        })
    }
}

/// The algorithm of a signature with this name by a key of this kind (RFC 8332 §3 for RSA: not SHA-1).
fn algorithm_of(kind: PersonKeyKind, name: &[u8]) -> Option<Algorithm> {
    match (kind, name) {
        (PersonKeyKind::Rsa, b"rsa-sha2-256") => Some(Algorithm::Rs256),
        (PersonKeyKind::Rsa, b"rsa-sha2-512") => Some(Algorithm::Rs512),
        (PersonKeyKind::Rsa, _) => None,
        (kind, name) if name != kind.as_str().as_bytes() => None,
        (PersonKeyKind::EcdsaP256 | PersonKeyKind::SkEcdsaP256, _) => Some(Algorithm::Es256),
        (PersonKeyKind::Ed25519 | PersonKeyKind::SkEd25519, _) => Some(Algorithm::EdDsa),
    }
}
