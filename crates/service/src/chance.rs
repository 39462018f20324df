//! Where chance comes from: rules take it as a parameter, and use cases draw it here.
#![expect(
    clippy::disallowed_methods,
    reason = "the one place of the service that draws random numbers"
)]

/// Random octets.
pub(crate) fn octets<const N: usize>() -> [u8; N] {
    countersign_crypto::random_bytes()
}

/// 128 random bits, drawn in blocks: for what is needed once per request.
pub(crate) fn id() -> [u8; 16] {
    countersign_crypto::random_id()
}

/// Random octets as text.
pub(crate) fn text(octets: usize) -> String {
    countersign_crypto::random_token(octets)
}
