//! Cryptography for Countersign, and nothing else.
//!
//! This is the only crate that touches cryptographic libraries. It knows keys, signatures, digests and sealed
//! bytes; it does not know tenants, the time of day, HTTP or SQL. Everything that enters from outside is parsed
//! into a type whose existence proves the check that made it.

mod algorithm;
pub mod b64;
mod cbor;
pub mod checkpoint;
mod der;
#[expect(clippy::disallowed_methods, reason = "chance is made here")]
mod digests;
mod ecdsa;
mod ed25519;
mod hex;
pub mod import;
mod jcs;
pub mod json;
mod jws;
pub mod merkle;
#[expect(clippy::disallowed_methods, reason = "salts are chance")]
mod password;
mod public_key;
#[expect(clippy::disallowed_methods, reason = "keys and nonces are chance")]
mod sealing;
mod signing;
mod siphash;
pub mod ssh;
#[expect(clippy::disallowed_methods, reason = "secrets are chance")]
mod totp;
mod verifying;
pub mod webauthn;
mod words;

pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use digests::{
    Digest32, MacKey, NotHex32, constant_time_eq, crc32, random_bytes, random_id, random_token,
    sha256,
};
pub use jcs::{NotCanonicalizable, canonical_json};
pub use jws::{
    JwsHeader, JwsRefusal, MAX_HEADER_OCTETS, MAX_JWS_OCTETS, RefusedPart, Segment, SigningInput,
    TokenType, UnverifiedJws, VerifiedJws,
};
pub use password::{
    PasswordFault, PasswordHash, PasswordHashMalformed, PasswordHasher, VerifiedPassword,
};
pub use public_key::{KeyFingerprint, KeyKind, PublicKey, PublicKeyRejected};
pub use sealing::{MasterKey, MasterKeyMalformed, SealRefused};
pub use signing::{JwsSigner, RsaSize, SigningAlgorithm, SigningKey, SigningKeyRejected};
pub use totp::{TotpSecret, TotpStep};
pub use verifying::{AlgorithmDoesNotFit, SignatureInvalid, VerifyingKey};
pub use words::{DigestWords, NotDigestWords};
