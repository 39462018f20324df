//! A public key in its canonical form, whose existence proves that it is a key we can verify with.

mod rejected;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::signature::{self, EcdsaVerificationAlgorithm, ParsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

pub use rejected::PublicKeyRejected;

use crate::der::{self, BIT_STRING, Reader, SEQUENCE};
use crate::digests::sha256;
use crate::hex::hex_text;
use crate::{Algorithm, b64, ed25519};

/// What kind of key it is, and for RSA how long its modulus is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// RSA with a modulus of this many bits.
    Rsa {
        /// Length of the modulus in bits.
        bits: u32,
    },
    /// NIST P-256.
    P256,
    /// NIST P-384.
    P384,
    /// NIST P-521.
    P521,
    /// Ed25519.
    Ed25519,
}

impl KeyKind {
    /// The algorithms a key of this kind can serve, the recommended one first.
    #[must_use]
    pub const fn algorithms(self) -> &'static [Algorithm] {
        use Algorithm::{EdDsa, Es256, Es384, Es512, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
        match self {
            Self::Rsa { .. } => &[Rs256, Rs384, Rs512, Ps256, Ps384, Ps512],
            Self::P256 => &[Es256],
            Self::P384 => &[Es384],
            Self::P521 => &[Es512],
            Self::Ed25519 => &[EdDsa],
        }
    }

    /// What an EC kind needs to be read and written; `None` for RSA and Ed25519.
    fn curve(self) -> Option<&'static Curve> {
        match self {
            Self::P256 => Some(&CURVES[0]),
            Self::P384 => Some(&CURVES[1]),
            Self::P521 => Some(&CURVES[2]),
            Self::Rsa { .. } | Self::Ed25519 => None,
        }
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa { bits } => write!(f, "RSA {bits}"),
            Self::P256 => f.write_str("P-256"),
            Self::P384 => f.write_str("P-384"),
            Self::P521 => f.write_str("P-521"),
            Self::Ed25519 => f.write_str("Ed25519"),
        }
    }
}

struct Curve {
    kind: KeyKind,
    /// Name in a JWK (RFC 7518 §6.2.1.1).
    name: &'static str,
    /// Octets in one coordinate.
    coordinate: usize,
    /// `AlgorithmIdentifier` content: id-ecPublicKey and the named curve (RFC 5480 §2.1.1).
    identifier: &'static [u8],
    verification: &'static EcdsaVerificationAlgorithm,
}

static CURVES: [Curve; 3] = [
    Curve {
        kind: KeyKind::P256,
        name: "P-256",
        coordinate: 32,
        identifier: b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07",
        verification: &signature::ECDSA_P256_SHA256_FIXED,
    },
    Curve {
        kind: KeyKind::P384,
        name: "P-384",
        coordinate: 48,
        identifier: b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22",
        verification: &signature::ECDSA_P384_SHA384_FIXED,
    },
    Curve {
        kind: KeyKind::P521,
        name: "P-521",
        coordinate: 66,
        identifier: b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x23",
        verification: &signature::ECDSA_P521_SHA512_FIXED,
    },
];

/// rsaEncryption with its NULL parameter (RFC 3279 §2.3.1).
const RSA_IDENTIFIER: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
/// id-Ed25519 without parameters (RFC 8410 §3).
const ED25519_IDENTIFIER: &[u8] = b"\x06\x03\x2b\x65\x70";

/// The SHA-256 digest of the canonical `SubjectPublicKeyInfo`, written in lowercase hexadecimal.
///
/// Two keys are the same key exactly when their fingerprints are equal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyFingerprint([u8; 32]);

hex_text!(KeyFingerprint);

/// A public key that can verify signatures, in its canonical form.
///
/// A clone shares the same octets. `Debug` shows the fingerprint only, so that a key never fills a log line.
#[derive(Clone)]
pub struct PublicKey(Arc<Inner>);

struct Inner {
    kind: KeyKind,
    fingerprint: KeyFingerprint,
    spki: Box<[u8]>,
    /// RSA: modulus and exponent inside `spki`. Otherwise the two coordinates; the second one is empty for Ed25519.
    parts: [Range<u16>; 2],
}

impl PublicKey {
    /// Reads a DER-encoded `SubjectPublicKeyInfo` (RFC 5280 §4.1.2.7).
    ///
    /// A compressed EC point is accepted and stored uncompressed; any other encoding must be the canonical one.
    ///
    /// # Errors
    /// [`PublicKeyRejected`] when it is malformed, of another type, or unfit to verify with.
    pub fn from_spki_der(spki: &[u8]) -> Result<Self, PublicKeyRejected> {
        let (identifier, subject) = split_spki(spki).ok_or(PublicKeyRejected::SpkiMalformed)?;
        let key = if identifier == RSA_IDENTIFIER {
            let (n, e) = split_rsa(subject).ok_or(PublicKeyRejected::SpkiMalformed)?;
            Self::from_rsa_components(n, e)?
        } else if identifier == ED25519_IDENTIFIER {
            Self::from_ed25519(
                subject
                    .try_into()
                    .map_err(|_| PublicKeyRejected::SpkiMalformed)?,
            )?
        } else if let Some(curve) = CURVES.iter().find(|curve| curve.identifier == identifier) {
            if matches!(subject, [2 | 3, x @ ..] if x.len() == curve.coordinate) {
                return Self::from_ec_subject(curve, subject);
            }
            let Some((&4, point)) = subject.split_first() else {
                return Err(PublicKeyRejected::SpkiMalformed);
            };
            let middle = curve.coordinate.min(point.len());
            Self::from_ec_point(curve.kind, &point[..middle], &point[middle..])?
        } else {
            return Err(PublicKeyRejected::KeyTypeUnsupported);
        };
        if key.spki_der() == spki {
            Ok(key)
        } else {
            Err(PublicKeyRejected::SpkiMalformed)
        }
    }

    /// Takes modulus and exponent, big-endian; leading zeros are dropped.
    ///
    /// # Errors
    /// [`PublicKeyRejected`] unless the modulus is odd with 2048 to 8192 bits and the exponent odd, at least 3 and
    /// at most 33 bits long. Whether the modulus is *weak* is another question, asked at import.
    pub fn from_rsa_components(n: &[u8], e: &[u8]) -> Result<Self, PublicKeyRejected> {
        let (n, e) = (without_leading_zeros(n), without_leading_zeros(e));
        let bits = bit_length(n);
        match bits {
            0..2048 => return Err(PublicKeyRejected::RsaModulusTooSmall { bits }),
            2048..=8192 => {}
            _ => return Err(PublicKeyRejected::RsaModulusTooLarge { bits }),
        }
        if n.last().is_none_or(|octet| octet & 1 == 0) {
            return Err(PublicKeyRejected::RsaModulusEven);
        }
        if bit_length(e) > 33 || e == [1] || e.last().is_none_or(|octet| octet & 1 == 0) {
            return Err(PublicKeyRejected::RsaExponentUnacceptable);
        }
        let modulus = der::positive_integer(n);
        let exponent = der::positive_integer(e);
        let spki = join_spki(
            RSA_IDENTIFIER,
            &der::element(SEQUENCE, &[&modulus, &exponent]),
        );
        ParsedPublicKey::new(&signature::RSA_PKCS1_2048_8192_SHA256, &spki)
            .map_err(|_| PublicKeyRejected::RsaExponentUnacceptable)?;
        let n_end = spki.len() - exponent.len();
        let parts = [n_end - n.len()..n_end, spki.len() - e.len()..spki.len()];
        Ok(Self::from_canonical(KeyKind::Rsa { bits }, spki, parts))
    }

    /// Takes the two coordinates of a point on P-256, P-384 or P-521, each exactly as long as the curve asks
    /// (RFC 7518 §6.2.1.2).
    ///
    /// # Errors
    /// [`PublicKeyRejected`] when `kind` is no EC kind, a length is wrong or the point is not on the curve.
    pub fn from_ec_point(kind: KeyKind, x: &[u8], y: &[u8]) -> Result<Self, PublicKeyRejected> {
        let curve = kind.curve().ok_or(PublicKeyRejected::KeyTypeUnsupported)?;
        if x.len() != curve.coordinate || y.len() != curve.coordinate {
            return Err(PublicKeyRejected::EcCoordinateLength);
        }
        Self::from_ec_subject(curve, &[&[4], x, y].concat())
    }

    fn from_ec_subject(curve: &Curve, point: &[u8]) -> Result<Self, PublicKeyRejected> {
        let parsed = ParsedPublicKey::new(curve.verification, point)
            .map_err(|_| PublicKeyRejected::EcPointNotOnCurve)?;
        let spki = parsed
            .as_der()
            .map_err(|_| PublicKeyRejected::EcPointNotOnCurve)?
            .as_ref()
            .to_vec();
        let (end, length) = (spki.len(), curve.coordinate);
        Ok(Self::from_canonical(
            curve.kind,
            spki,
            [end - 2 * length..end - length, end - length..end],
        ))
    }

    /// Takes the 32 octets of an Ed25519 public key (RFC 8032 §5.1.5).
    ///
    /// # Errors
    /// [`PublicKeyRejected`] when they are no point, not in canonical form, or a point of small order.
    pub fn from_ed25519(point: &[u8; 32]) -> Result<Self, PublicKeyRejected> {
        if !ed25519::is_canonical(point) {
            return Err(PublicKeyRejected::Ed25519NotCanonical);
        }
        if ed25519::is_small_order(point) {
            return Err(PublicKeyRejected::Ed25519SmallOrder);
        }
        if !ed25519::is_on_curve(point) {
            return Err(PublicKeyRejected::Ed25519NotOnCurve);
        }
        let spki = join_spki(ED25519_IDENTIFIER, point);
        let end = spki.len();
        Ok(Self::from_canonical(
            KeyKind::Ed25519,
            spki,
            [end - 32..end, end..end],
        ))
    }

    fn from_canonical(kind: KeyKind, spki: Vec<u8>, parts: [Range<usize>; 2]) -> Self {
        let narrow =
            |index| u16::try_from(index).expect("an SPKI of 8192 bits is about 1,060 octets");
        let fingerprint = KeyFingerprint(*sha256(&[&spki]).as_bytes());
        let parts = parts.map(|part| narrow(part.start)..narrow(part.end));
        Self(Arc::new(Inner {
            kind,
            fingerprint,
            spki: spki.into_boxed_slice(),
            parts,
        }))
    }

    /// What kind of key it is.
    #[must_use]
    pub fn kind(&self) -> KeyKind {
        self.0.kind
    }

    /// The canonical DER-encoded `SubjectPublicKeyInfo`.
    #[must_use]
    pub fn spki_der(&self) -> &[u8] {
        &self.0.spki
    }

    /// The SHA-256 digest of [`Self::spki_der`].
    #[must_use]
    pub fn fingerprint(&self) -> KeyFingerprint {
        self.0.fingerprint
    }

    /// The modulus of an RSA key: big-endian, without leading zeros.
    #[must_use]
    pub fn rsa_modulus(&self) -> Option<&[u8]> {
        matches!(self.kind(), KeyKind::Rsa { .. }).then(|| self.part(0))
    }

    /// The public exponent of an RSA key: big-endian, without leading zeros.
    #[must_use]
    pub fn rsa_exponent(&self) -> Option<&[u8]> {
        matches!(self.kind(), KeyKind::Rsa { .. }).then(|| self.part(1))
    }

    /// The encoded point of an Ed25519 key.
    pub(crate) fn ed25519_point(&self) -> Option<&[u8; 32]> {
        match self.kind() {
            KeyKind::Ed25519 => self.part(0).try_into().ok(),
            KeyKind::Rsa { .. } | KeyKind::P256 | KeyKind::P384 | KeyKind::P521 => None,
        }
    }

    /// The JWK thumbprint with SHA-256, as base64url (RFC 7638 §3).
    #[must_use]
    pub fn thumbprint(&self) -> String {
        let members = match (self.kind(), self.kind().curve()) {
            (KeyKind::Rsa { .. }, _) => format!(
                r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#,
                self.text(1),
                self.text(0)
            ),
            (_, Some(Curve { name, .. })) => {
                format!(
                    r#"{{"crv":"{name}","kty":"EC","x":"{}","y":"{}"}}"#,
                    self.text(0),
                    self.text(1)
                )
            }
            (_, None) => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, self.text(0)),
        };
        b64::encode(sha256(&[members.as_bytes()]).as_bytes())
    }

    /// The key as a JWK for signatures: public members, `use`, `kid`, and `alg` when the key is bound to one
    /// (RFC 7517 §4).
    #[must_use]
    pub fn to_jwk(&self, kid: &str, algorithm: Option<Algorithm>) -> Value {
        let mut jwk = match (self.kind(), self.kind().curve()) {
            (KeyKind::Rsa { .. }, _) => {
                json!({ "kty": "RSA", "n": self.text(0), "e": self.text(1) })
            }
            (_, Some(curve)) => {
                json!({ "kty": "EC", "crv": curve.name, "x": self.text(0), "y": self.text(1) })
            }
            (_, None) => json!({ "kty": "OKP", "crv": "Ed25519", "x": self.text(0) }),
        };
        jwk["kid"] = kid.into();
        jwk["use"] = "sig".into();
        if let Some(algorithm) = algorithm {
            jwk["alg"] = algorithm.as_str().into();
        }
        jwk
    }

    /// The key as PEM, label `PUBLIC KEY` (RFC 7468 §13).
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem("PUBLIC KEY", self.spki_der())
    }

    /// Reads back what [`PublicKey::to_pem`] wrote. What people paste goes through the import, which repairs and
    /// explains.
    ///
    /// # Errors
    /// [`PublicKeyRejected`] when the text is not one PEM section of a usable key.
    pub fn from_pem(text: &str) -> Result<Self, PublicKeyRejected> {
        let base64: String = text
            .strip_prefix("-----BEGIN PUBLIC KEY-----\n")
            .and_then(|rest| rest.strip_suffix("-----END PUBLIC KEY-----\n"))
            .ok_or(PublicKeyRejected::SpkiMalformed)?
            .split('\n')
            .collect();
        let der = STANDARD
            .decode(base64)
            .map_err(|_| PublicKeyRejected::SpkiMalformed)?;
        Self::from_spki_der(&der)
    }

    fn part(&self, index: usize) -> &[u8] {
        let Range { start, end } = self.0.parts[index];
        &self.0.spki[usize::from(start)..usize::from(end)]
    }

    fn text(&self, index: usize) -> String {
        b64::encode(self.part(index))
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.fingerprint() == other.fingerprint()
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({}, {})", self.kind(), self.fingerprint())
    }
}

/// Writes one PEM section with lines of 64 characters (RFC 7468 §2).
pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    let base64 = STANDARD.encode(der);
    let mut text = String::with_capacity(base64.len() + base64.len() / 64 + 2 * label.len() + 40);
    text.push_str(&format!("-----BEGIN {label}-----\n"));
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}

fn join_spki(identifier: &[u8], subject: &[u8]) -> Vec<u8> {
    let identifier = der::element(SEQUENCE, &[identifier]);
    der::element(
        SEQUENCE,
        &[&identifier, &der::element(BIT_STRING, &[&[0], subject])],
    )
}

/// The `AlgorithmIdentifier`'s content and the subject key.
fn split_spki(spki: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut outer = Reader(spki);
    let mut inner = Reader(outer.element(SEQUENCE)?);
    outer.end()?;
    let identifier = inner.element(SEQUENCE)?;
    let subject = inner.element(BIT_STRING)?.strip_prefix(&[0])?;
    inner.end()?;
    Some((identifier, subject))
}

fn split_rsa(subject: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut outer = Reader(subject);
    let mut inner = Reader(outer.element(SEQUENCE)?);
    outer.end()?;
    let pair = (inner.positive_integer()?, inner.positive_integer()?);
    inner.end()?;
    Some(pair)
}

fn without_leading_zeros(octets: &[u8]) -> &[u8] {
    &octets[octets.iter().take_while(|octet| **octet == 0).count()..]
}

/// The length in bits of a big-endian number without leading zeros.
fn bit_length(octets: &[u8]) -> u32 {
    let whole = u32::try_from(octets.len())
        .unwrap_or(u32::MAX / 8)
        .saturating_mul(8);
    whole - octets.first().map_or(0, |octet| octet.leading_zeros())
}
