//! Why a text is not a compact JWS that may be checked at all.

use crate::json::JsonRefusal;

/// One of the three segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segment {
    /// The first.
    Header,
    /// The second.
    Payload,
    /// The third.
    Signature,
}

impl std::fmt::Display for Segment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Header => "header",
            Self::Payload => "payload",
            Self::Signature => "signature",
        })
    }
}

/// What of a text is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusedPart {
    /// The algorithm that the header names.
    Algorithm,
    /// The three segments.
    Form,
    /// The header.
    Header,
}

/// Why a text is not a compact JWS that may be checked at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwsRefusal {
    /// No `alg`.
    #[error("the header has no \"alg\": name the algorithm of the signature")]
    AlgorithmMissing,
    /// `alg` is `none`, symmetric, or unknown.
    #[error(
        "the header's \"alg\" is not accepted: sign with ES256, ES384, ES512, EdDSA, PS256, PS384, PS512, RS256, RS384 or RS512"
    )]
    AlgorithmNotAllowed,
    /// `alg` is not a string.
    #[error("the header's \"alg\" must be a string")]
    AlgorithmNotText,
    /// Something outside `A-Z a-z 0-9 - _ .`, such as padding, white space, or JSON.
    #[error(
        "a compact JWS contains only A-Z a-z 0-9 - _ and dots: send it without padding, line breaks or JSON"
    )]
    CharacterNotAllowed,
    /// A `zip` parameter.
    #[error("the header has \"zip\": compressed tokens are not accepted")]
    Compressed,
    /// A `crit` parameter, whatever it lists.
    #[error("the header has \"crit\": no extension is supported, leave it out")]
    CriticalExtension,
    /// Key material inside the header.
    #[error(
        "the header has {parameter:?}: keys are registered beforehand, leave it out and use \"kid\""
    )]
    EmbeddedKey {
        /// The parameter.
        parameter: &'static str,
    },
    /// Not a strict JSON object.
    #[error("the header is not acceptable JSON: {json}")]
    HeaderNotStrict {
        /// The rule it breaks.
        json: JsonRefusal,
    },
    /// Longer than 4 KiB.
    #[error("the header is longer than 4096 octets")]
    HeaderTooLong,
    /// `kid` is not a string of at most 256 octets without control characters.
    #[error(
        "the header's \"kid\" must be a string of at most 256 octets without control characters"
    )]
    KidUnacceptable,
    /// `cty` announces a token inside the token.
    #[error("the header's \"cty\" announces a nested token: send the inner token alone")]
    NestedToken,
    /// Not three segments.
    #[error(
        "a compact JWS has 3 segments separated by dots, this has {count} (5 would be an encrypted JWE)"
    )]
    SegmentCount {
        /// How many there are.
        count: usize,
    },
    /// A segment is empty.
    #[error("the {segment} segment is empty")]
    SegmentEmpty {
        /// Which one.
        segment: Segment,
    },
    /// Not the one canonical encoding.
    #[error(
        "the {segment} segment is not canonical base64url: its length or its unused bits are wrong"
    )]
    SegmentNotCanonical {
        /// Which one.
        segment: Segment,
    },
    /// Longer than any accepted key can make.
    #[error("the signature is longer than any accepted key can make")]
    SignatureTooLong,
    /// Longer than 16 KiB.
    #[error("the token is longer than 16384 octets")]
    TooLong,
    /// `typ` is not a string.
    #[error("the header's \"typ\" must be a string")]
    TypeNotText,
    /// A `b64` parameter (RFC 7797).
    #[error("the header has \"b64\": unencoded payloads are not accepted, leave it out")]
    UnencodedPayload,
}

impl JwsRefusal {
    /// The stable name of the check that refused: `assertion_malformed`, `header_unacceptable` or
    /// `algorithm_not_allowed`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self.part() {
            RefusedPart::Algorithm => "algorithm_not_allowed",
            RefusedPart::Form => "assertion_malformed",
            RefusedPart::Header => "header_unacceptable",
        }
    }

    /// What of the text is to blame.
    #[must_use]
    pub const fn part(&self) -> RefusedPart {
        match self {
            Self::AlgorithmNotAllowed => RefusedPart::Algorithm,
            Self::AlgorithmMissing
            | Self::AlgorithmNotText
            | Self::Compressed
            | Self::CriticalExtension
            | Self::EmbeddedKey { .. }
            | Self::HeaderNotStrict { .. }
            | Self::KidUnacceptable
            | Self::NestedToken
            | Self::TypeNotText
            | Self::UnencodedPayload => RefusedPart::Header,
            Self::CharacterNotAllowed
            | Self::HeaderTooLong
            | Self::SegmentCount { .. }
            | Self::SegmentEmpty { .. }
            | Self::SegmentNotCanonical { .. }
            | Self::SignatureTooLong
            | Self::TooLong => RefusedPart::Form,
        }
    }
}
