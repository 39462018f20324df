//! The closed list of JWS algorithms (RFC 7518 §3.1, RFC 8037 §3.1, RFC 9864).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A JWS signature algorithm that Countersign accepts.
///
/// The list is closed: there is no symmetric algorithm and no `none`, so algorithm confusion (RFC 8725 §2.1) has
/// nothing to be confused with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    #[serde(rename = "RS384")]
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    #[serde(rename = "RS512")]
    Rs512,
    /// RSASSA-PSS with SHA-256 and a salt of 32 octets.
    #[serde(rename = "PS256")]
    Ps256,
    /// RSASSA-PSS with SHA-384 and a salt of 48 octets.
    #[serde(rename = "PS384")]
    Ps384,
    /// RSASSA-PSS with SHA-512 and a salt of 64 octets.
    #[serde(rename = "PS512")]
    Ps512,
    /// ECDSA with P-256 and SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// ECDSA with P-384 and SHA-384.
    #[serde(rename = "ES384")]
    Es384,
    /// ECDSA with P-521 and SHA-512.
    #[serde(rename = "ES512")]
    Es512,
    /// Ed25519 (RFC 8037; also written `Ed25519`, RFC 9864).
    #[serde(rename = "EdDSA")]
    EdDsa,
}

impl Algorithm {
    /// Every accepted algorithm, in the order in which metadata documents list them.
    pub const ALL: [Self; 10] = [
        Self::Es256,
        Self::Es384,
        Self::Es512,
        Self::EdDsa,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
    ];

    /// The type of key that serves the algorithm, as people call it.
    #[must_use]
    pub const fn key_type(self) -> &'static str {
        match self {
            Self::Rs256 | Self::Rs384 | Self::Rs512 | Self::Ps256 | Self::Ps384 | Self::Ps512 => {
                "RSA"
            }
            Self::Es256 => "EC P-256",
            Self::Es384 => "EC P-384",
            Self::Es512 => "EC P-521",
            Self::EdDsa => "Ed25519",
        }
    }

    /// The value of the `alg` header parameter.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::EdDsa => "EdDSA",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The name is not in the closed list of [`Algorithm`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an accepted signature algorithm")]
pub struct UnknownAlgorithm;

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    /// Compares exactly: `es256` and `ES256 ` are not algorithms (RFC 7515 §4.1.1: case-sensitive).
    fn from_str(name: &str) -> Result<Self, UnknownAlgorithm> {
        if name == "Ed25519" {
            return Ok(Self::EdDsa);
        }
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.as_str() == name)
            .ok_or(UnknownAlgorithm)
    }
}
