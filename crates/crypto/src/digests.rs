//! Digests, keyed digests, random values and comparison in constant time.

use std::cell::RefCell;

use aws_lc_rs::{constant_time, digest, hmac, rand};
use zeroize::{Zeroize, Zeroizing};

use crate::hex::hex_text;
use crate::{b64, siphash};

/// The text is not 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected 64 hexadecimal digits")]
pub struct NotHex32;

/// A SHA-256 digest, written as 64 lowercase hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest32([u8; 32]);

hex_text!(Digest32);

/// SHA-256 over the concatenation of `parts`.
///
/// The boundaries between the parts are not part of the input; use [`MacKey::tag`] where they must be.
#[must_use]
pub fn sha256(parts: &[&[u8]]) -> Digest32 {
    let mut context = digest::Context::new(&digest::SHA256);
    parts.iter().for_each(|part| context.update(part));
    Digest32(first_octets(context.finish().as_ref()))
}

/// A secret for HMAC-SHA256; the key schedule is computed once.
#[derive(Clone)]
pub struct MacKey {
    hmac: hmac::Key,
    /// Derived from the same secret, for [`Self::digest128`].
    index: Zeroizing<[u64; 2]>,
}

impl std::fmt::Debug for MacKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MacKey(redacted)")
    }
}

impl MacKey {
    /// Takes a secret of 32 octets and wipes the caller's copy of it.
    #[must_use]
    pub fn new(mut secret: [u8; 32]) -> Self {
        let hmac = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        secret.zeroize();
        let derived = u128::from_be_bytes(first_octets(hmac::sign(&hmac, b"index").as_ref()));
        #[expect(clippy::cast_possible_truncation, reason = "the two halves are wanted")]
        let index = Zeroizing::new([derived as u64, (derived >> 64) as u64]);
        Self { hmac, index }
    }

    /// The tag over `parts`, each preceded by its length, so that `["ab"]` and `["a", "b"]` differ.
    #[must_use]
    pub fn tag(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.hmac);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        first_octets(context.sign().as_ref())
    }

    /// Whether `tag` belongs to `parts`, compared in constant time.
    #[must_use]
    pub fn verify(&self, parts: &[&[u8]], tag: &[u8]) -> bool {
        constant_time_eq(&self.tag(parts), tag)
    }

    /// 128 bits that outsiders can neither predict nor collide (SipHash-2-4-128): an index for values that come
    /// from them, proof against hash flooding. Never publish it; a tag that others see is [`Self::tag`].
    #[must_use]
    pub fn digest128(&self, octets: &[u8]) -> u128 {
        siphash::digest128(*self.index, octets)
    }
}

/// `N` octets from the system's generator.
#[must_use]
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut octets = [0; N];
    rand::fill(&mut octets).expect("the generator was seeded when the process started");
    octets
}

/// 128 random bits for an identifier that others will see, such as a `jti`.
///
/// They come from the same generator as [`random_bytes`], but in blocks: each call of the generator costs as much as a
/// block. What waits in a block can be read in the memory of the process, so keys and secrets are made with
/// [`random_bytes`].
#[must_use]
pub fn random_id() -> [u8; 16] {
    BLOCK.with_borrow_mut(|block| {
        block.pop().unwrap_or_else(|| {
            let fresh = random_bytes::<{ BLOCK_IDS * 16 }>();
            let (ids, _) = fresh.as_chunks::<16>();
            block.extend_from_slice(&ids[1..]);
            ids[0]
        })
    })
}

/// Identifiers that are drawn at a time.
const BLOCK_IDS: usize = 32;

thread_local! {
    /// Identifiers that nobody has been given yet.
    static BLOCK: RefCell<Vec<[u8; 16]>> = const { RefCell::new(Vec::new()) };
}

/// `octets` random octets as base64url: 16 octets give 22 characters.
#[must_use]
pub fn random_token(octets: usize) -> String {
    let mut random = vec![0; octets];
    rand::fill(&mut random).expect("the generator was seeded when the process started");
    b64::encode(random)
}

/// Compares without revealing where the first difference is. The lengths are not secret.
#[must_use]
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(a, b).is_ok()
}

/// CRC-32 (IEEE 802.3): catches a mistyped API token before it costs a look-up. Not a security measure.
#[must_use]
pub fn crc32(octets: &[u8]) -> u32 {
    !octets.iter().fold(!0, |crc, octet| {
        CRC_TABLE[usize::from(crc.to_le_bytes()[0] ^ octet)] ^ (crc >> 8)
    })
}

const CRC_TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "index is below 256")]
        let mut crc = index as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 {
                0xedb8_8320 ^ (crc >> 1)
            } else {
                crc >> 1
            };
            bit += 1;
        }
        table[index] = crc;
        index += 1;
    }
    table
};

/// The first `N` octets of a digest that is at least that long.
fn first_octets<const N: usize>(digest: &[u8]) -> [u8; N] {
    *digest.first_chunk().expect("SHA-256 gives 32 octets")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sha256_of_abc_is_the_published_value() {
        let digest = sha256(&[b"a", b"bc"]);
        let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(digest.to_string(), text);
        assert_eq!(text.parse::<Digest32>().unwrap(), digest);
        assert_eq!(
            serde_json::to_string(&digest).unwrap(),
            format!("\"{text}\"")
        );
        assert_eq!(
            serde_json::from_str::<Digest32>(&format!("\"{text}\"")).unwrap(),
            digest
        );
        assert_eq!("ba78".parse::<Digest32>(), Err(NotHex32));
    }

    #[test]
    fn crc32_has_the_published_check_value() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b""), 0);
    }

    #[test]
    fn a_tag_depends_on_where_its_parts_end() {
        let key = MacKey::new([1; 32]);
        assert_ne!(key.tag(&[b"ab"]), key.tag(&[b"a", b"b"]));
        assert!(key.verify(&[b"ab"], &key.tag(&[b"ab"])));
        assert!(!key.verify(&[b"ab"], &key.tag(&[b"ab"])[..31]));
        assert!(!MacKey::new([2; 32]).verify(&[b"ab"], &key.tag(&[b"ab"])));
    }

    #[test]
    fn a_keyed_digest_depends_on_key_and_octets() {
        let (one, two) = (MacKey::new([1; 32]), MacKey::new([2; 32]));
        assert_eq!(one.digest128(b"a"), MacKey::new([1; 32]).digest128(b"a"));
        assert_ne!(one.digest128(b"a"), one.digest128(b"b"));
        assert_ne!(one.digest128(b"a"), two.digest128(b"a"));
    }

    /// RFC 4231 §4.3 gives the HMAC without lengths, so the library is asked directly with the same key type.
    #[test]
    fn tags_are_hmac_sha256_over_lengths_and_parts() {
        let mut secret = [0; 32];
        secret[..4].copy_from_slice(b"Jefe");
        let plain = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        let published = hmac::sign(&plain, b"what do ya want for nothing?");
        assert_eq!(published.as_ref()[..4], [0x5b, 0xdc, 0xc1, 0x46]);
        let framed = hmac::sign(&plain, b"\0\0\0\0\0\0\0\x02ab\0\0\0\0\0\0\0\0");
        assert_eq!(MacKey::new(secret).tag(&[b"ab", b""]), framed.as_ref());
    }

    #[test]
    fn random_values_differ_and_have_the_asked_length() {
        assert_ne!(random_bytes::<16>(), random_bytes::<16>());
        assert_eq!(random_token(16).len(), 22);
    }

    #[test]
    fn identifiers_differ_within_and_across_blocks_and_threads() {
        let draw = || (0..3 * BLOCK_IDS).map(|_| random_id()).collect::<Vec<_>>();
        let drawn: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(draw)).collect();
            threads
                .into_iter()
                .flat_map(|thread| thread.join().unwrap())
                .collect()
        });
        let different: std::collections::HashSet<_> = drawn.iter().collect();
        assert_eq!(different.len(), drawn.len());
        assert!(!drawn.contains(&[0; 16]));
    }
}
