//! What makes octets unfit to be a public key.

/// Why octets are not a public key that Countersign accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublicKeyRejected {
    /// A coordinate has the wrong length for its curve.
    #[error("each EC coordinate must have exactly the length of its curve: 32, 48 or 66 octets")]
    EcCoordinateLength,
    /// The coordinates satisfy no curve equation.
    #[error("the EC point is not on its curve: export the public key again")]
    EcPointNotOnCurve,
    /// The y coordinate is not reduced.
    #[error("the Ed25519 key is not in canonical form: export the public key again")]
    Ed25519NotCanonical,
    /// No point has this y coordinate.
    #[error("the Ed25519 key is not a point of the curve: export the public key again")]
    Ed25519NotOnCurve,
    /// One of the eight points with which a signature fits many messages.
    #[error("the Ed25519 key is a point of small order, which proves nothing: generate a new key")]
    Ed25519SmallOrder,
    /// Not RSA, P-256, P-384, P-521 or Ed25519.
    #[error("the key type is not supported: use RSA, P-256, P-384, P-521 or Ed25519")]
    KeyTypeUnsupported,
    /// The exponent is even, below 3, or longer than 33 bits.
    #[error("the RSA exponent is unacceptable: use 65537")]
    RsaExponentUnacceptable,
    /// The modulus cannot be the product of two odd primes.
    #[error("the RSA modulus is even: generate a new key")]
    RsaModulusEven,
    /// More than 8192 bits.
    #[error("the RSA modulus has {bits} bits; at most 8192 are accepted")]
    RsaModulusTooLarge {
        /// Its length in bits.
        bits: u32,
    },
    /// Fewer than 2048 bits.
    #[error("the RSA modulus has {bits} bits; at least 2048 are required: generate a new key")]
    RsaModulusTooSmall {
        /// Its length in bits.
        bits: u32,
    },
    /// Not DER, not a `SubjectPublicKeyInfo`, or not the canonical one.
    #[error("not a DER-encoded SubjectPublicKeyInfo (RFC 5280 §4.1.2.7)")]
    SpkiMalformed,
}

impl PublicKeyRejected {
    /// The stable name of the condition.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::EcCoordinateLength => "ec_coordinate_length",
            Self::EcPointNotOnCurve => "ec_point_not_on_curve",
            Self::Ed25519NotCanonical => "ed25519_not_canonical",
            Self::Ed25519NotOnCurve => "ed25519_not_on_curve",
            Self::Ed25519SmallOrder => "ed25519_small_order",
            Self::KeyTypeUnsupported => "key_type_unsupported",
            Self::RsaExponentUnacceptable => "rsa_exponent_unacceptable",
            Self::RsaModulusEven => "rsa_modulus_even",
            Self::RsaModulusTooLarge { .. } => "rsa_modulus_too_large",
            Self::RsaModulusTooSmall { .. } => "rsa_modulus_too_small",
            Self::SpkiMalformed => "spki_malformed",
        }
    }
}
