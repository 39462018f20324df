//! From the numbers of a key to a [`PublicKey`], through every question about its strength.

use super::edwards;
use super::known;
use super::refusal::ImportRefusal;
use super::weak;
use crate::{KeyKind, PublicKey};

/// Modulus and exponent, big-endian without leading zeros; zero is the empty slice.
pub(crate) fn rsa(n: &[u8], e: &[u8]) -> Result<PublicKey, ImportRefusal> {
    weak::refuse_weak_rsa(n, e)?;
    refuse_known(PublicKey::from_rsa_components(n, e)?)
}

/// Coordinates of a point on the curve of `kind`.
pub(crate) fn ec(kind: KeyKind, x: &[u8], y: &[u8]) -> Result<PublicKey, ImportRefusal> {
    refuse_known(PublicKey::from_ec_point(kind, x, y)?)
}

/// An encoded Ed25519 point.
pub(crate) fn ed25519(point: &[u8]) -> Result<PublicKey, ImportRefusal> {
    let point = point.try_into().map_err(|_| ImportRefusal::Ed25519Length)?;
    let key = PublicKey::from_ed25519(point)?;
    if !edwards::is_in_prime_order_group(point) {
        return Err(ImportRefusal::Ed25519MixedOrder);
    }
    refuse_known(key)
}

fn refuse_known(key: PublicKey) -> Result<PublicKey, ImportRefusal> {
    match known::source_of(&key.fingerprint()) {
        Some(source_name) => Err(ImportRefusal::KnownSampleKey { source_name }),
        None => Ok(key),
    }
}
