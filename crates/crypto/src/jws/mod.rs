//! Compact JWS (RFC 7515 §7.1): untrusted text in, claims with a proven signature out.

mod header;
mod refusal;

use std::fmt;

pub use header::{JwsHeader, TokenType};
pub use refusal::{JwsRefusal, RefusedPart, Segment};

use crate::json::{JsonRefusal, Limits, StrictObject};
use crate::{Algorithm, Digest32, SignatureInvalid, VerifyingKey, b64, sha256};

/// The longest compact form, in octets.
pub const MAX_JWS_OCTETS: usize = 16 * 1024;
/// The longest compact form of an access token of ours, in octets.
const MAX_ISSUED_OCTETS: usize = 24 * 1024;
/// The longest header, in octets before base64url.
pub const MAX_HEADER_OCTETS: usize = 4 * 1024;
/// The longest signature of any accepted key: RSA with 8192 bits.
const MAX_SIGNATURE_OCTETS: usize = 1024;

/// A well-formed compact JWS whose signature nobody has checked yet.
///
/// What it shows is what the sender *wrote*. Use it to select candidate keys and for nothing else.
pub struct UnverifiedJws<'a> {
    signing_input: &'a str,
    header: JwsHeader,
    claims: Result<StrictObject, JsonRefusal>,
    signature: Vec<u8>,
}

impl<'a> UnverifiedJws<'a> {
    /// Takes the three segments apart and reads header and payload, each once.
    ///
    /// A payload that is not a strict JSON object is no refusal here: that may be said to a caller only after the
    /// signature has verified.
    ///
    /// # Errors
    /// [`JwsRefusal`] names the first rule that the text breaks.
    pub fn parse(text: &'a str) -> Result<Self, JwsRefusal> {
        Self::read(text, MAX_JWS_OCTETS, Limits::TOKEN)
    }

    /// As [`Self::parse`], within the limits of what is issued here, which must be readable here.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_issued(text: &'a str) -> Result<Self, JwsRefusal> {
        Self::read(text, MAX_ISSUED_OCTETS, Limits::ISSUED)
    }

    fn read(text: &'a str, longest: usize, limits: Limits) -> Result<Self, JwsRefusal> {
        if text.len() > longest {
            return Err(JwsRefusal::TooLong);
        }
        let (header, payload, signature) = split(text)?;
        let signing_input = &text[..header.len() + 1 + payload.len()];
        if header.len() > encoded_length(MAX_HEADER_OCTETS) {
            return Err(JwsRefusal::HeaderTooLong);
        }
        if signature.len() > encoded_length(MAX_SIGNATURE_OCTETS) {
            return Err(JwsRefusal::SignatureTooLong);
        }
        let decode = |text, segment| {
            b64::decode_canonical(text).map_err(|_| JwsRefusal::SegmentNotCanonical { segment })
        };
        let header = decode(header, Segment::Header)?;
        let payload = decode(payload, Segment::Payload)?;
        let signature = decode(signature, Segment::Signature)?;
        let header = JwsHeader::parse(&header)?;
        let claims = StrictObject::parse(&payload, limits);
        Ok(Self {
            signing_input,
            header,
            claims,
            signature,
        })
    }

    /// The header, as the sender wrote it.
    #[must_use]
    pub fn header(&self) -> &JwsHeader {
        &self.header
    }

    /// The **unsigned** claims: anyone can have written them. Select candidates with them, decide nothing.
    ///
    /// # Errors
    /// Why the payload is not a strict JSON object.
    pub fn peek_claims(&self) -> Result<&StrictObject, &JsonRefusal> {
        self.claims.as_ref()
    }

    /// Checks the signature with one key, whose bound algorithm must be the header's.
    ///
    /// # Errors
    /// Gives the token back unchanged when the signature does not verify, so that another candidate can be tried.
    pub fn verify(self, key: &VerifyingKey) -> Result<VerifiedJws<'a>, Box<Self>> {
        match self.check(key) {
            Ok(()) => Ok(self.into_verified()),
            Err(SignatureInvalid) => Err(Box::new(self)),
        }
    }

    /// The length of the signature, in octets.
    #[must_use]
    pub fn signature_length(&self) -> usize {
        self.signature.len()
    }

    /// Whether checking the signature with a key takes the arithmetic, see [`VerifyingKey::takes`].
    #[must_use]
    pub fn takes_time_with(&self, key: &VerifyingKey) -> bool {
        self.header.algorithm() == key.algorithm() && key.takes(&self.signature)
    }

    /// Takes the time of a check that does not succeed, with a key that is nobody's, whatever the signature is like.
    #[must_use]
    pub fn spend(self, decoy: &VerifyingKey) -> Box<Self> {
        let signature = decoy.fitted(&self.signature);
        // Nobody has the private key, and nobody asks how it came out.
        let _outcome = decoy.verify(self.signing_input.as_bytes(), &signature);
        Box::new(self)
    }

    /// Checks the signature with candidates, in their order; also says which one it was.
    ///
    /// # Errors
    /// [`SignatureInvalid`] when none of them made the signature. The caller bounds how many there are.
    pub fn verify_any<'k>(
        self,
        candidates: impl IntoIterator<Item = &'k VerifyingKey>,
    ) -> Result<(VerifiedJws<'a>, &'k VerifyingKey), SignatureInvalid> {
        let key = candidates
            .into_iter()
            .find(|key| self.check(key).is_ok())
            .ok_or(SignatureInvalid)?;
        Ok((self.into_verified(), key))
    }

    fn check(&self, key: &VerifyingKey) -> Result<(), SignatureInvalid> {
        if self.header.algorithm() != key.algorithm() {
            return Err(SignatureInvalid);
        }
        key.verify(self.signing_input.as_bytes(), &self.signature)
    }

    /// The one constructor of [`VerifiedJws`]. Both callers have just seen [`Self::check`] succeed.
    fn into_verified(self) -> VerifiedJws<'a> {
        let Self {
            signing_input,
            header,
            claims,
            signature: _,
        } = self;
        VerifiedJws {
            signing_input,
            header,
            claims,
        }
    }
}

/// A JWS whose signature was made with a key of ours to choose: the witness that the check has happened.
pub struct VerifiedJws<'a> {
    signing_input: &'a str,
    header: JwsHeader,
    claims: Result<StrictObject, JsonRefusal>,
}

/// What was signed: header and payload as they were sent.
#[derive(Clone, Copy)]
pub struct SigningInput<'a>(&'a str);

impl SigningInput<'_> {
    /// Its SHA-256. It leaves the signature out, which can differ for the same content (`conformance.md` DA4).
    #[must_use]
    pub fn digest(self) -> Digest32 {
        sha256(&[self.0.as_bytes()])
    }
}

impl<'a> VerifiedJws<'a> {
    /// The signed header.
    #[must_use]
    pub fn header(&self) -> &JwsHeader {
        &self.header
    }

    /// The algorithm of the signature.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.header.algorithm()
    }

    /// The signed claims.
    ///
    /// # Errors
    /// Why the payload is not a strict JSON object.
    pub fn claims(&self) -> Result<&StrictObject, &JsonRefusal> {
        self.claims.as_ref()
    }

    /// What was signed.
    #[must_use]
    pub const fn signing_input(&self) -> SigningInput<'a> {
        SigningInput(self.signing_input)
    }

    /// The signed claims, to be taken apart.
    ///
    /// # Errors
    /// Why the payload is not a strict JSON object.
    pub fn into_claims(self) -> Result<StrictObject, JsonRefusal> {
        self.claims
    }
}

/// Shows the header only: a token in a log could be replayed.
impl fmt::Debug for UnverifiedJws<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnverifiedJws")
            .field("header", &self.header)
            .finish_non_exhaustive()
    }
}

/// Shows the header only: a token in a log could be replayed.
impl fmt::Debug for VerifiedJws<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedJws")
            .field("header", &self.header)
            .finish_non_exhaustive()
    }
}

/// The length of `octets` octets in unpadded base64url.
const fn encoded_length(octets: usize) -> usize {
    (octets * 4).div_ceil(3)
}

fn split(text: &str) -> Result<(&str, &str, &str), JwsRefusal> {
    // Without a branch for each octet, the compiler looks at many at once.
    let allowed = |octet: u8| {
        octet.is_ascii_alphanumeric() | (octet == b'-') | (octet == b'_') | (octet == b'.')
    };
    if !text.bytes().fold(true, |all, octet| all & allowed(octet)) {
        return Err(JwsRefusal::CharacterNotAllowed);
    }
    let mut segments = text.split('.');
    let (Some(header), Some(payload), Some(signature), None) = (
        segments.next(),
        segments.next(),
        segments.next(),
        segments.next(),
    ) else {
        return Err(JwsRefusal::SegmentCount {
            count: text.split('.').count(),
        });
    };
    let segments = [
        (header, Segment::Header),
        (payload, Segment::Payload),
        (signature, Segment::Signature),
    ];
    if let Some((_, segment)) = segments.into_iter().find(|(text, _)| text.is_empty()) {
        return Err(JwsRefusal::SegmentEmpty { segment });
    }
    Ok((header, payload, signature))
}
