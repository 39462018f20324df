//! Base64url without padding, one encoding per octet string (RFC 7515 §2, RFC 4648 §3.5).

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::Simd;
use base64::engine::general_purpose::NO_PAD;

/// The engine asks the processor once what it can do.
static URL_SAFE_NO_PAD: LazyLock<Simd> = LazyLock::new(|| Simd::url_safe(NO_PAD));

/// The text is not the one canonical base64url encoding of any octet string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not canonical unpadded base64url: use only A-Z a-z 0-9 - _ , no padding, unused bits zero"
)]
pub struct NotBase64Url;

/// Encodes without padding.
#[must_use]
pub fn encode(octets: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(octets)
}

/// Decodes, refusing padding, white space, the standard alphabet and non-zero trailing bits.
///
/// # Errors
/// [`NotBase64Url`] when `text` is anything but the canonical encoding.
pub fn decode_canonical(text: impl AsRef<[u8]>) -> Result<Vec<u8>, NotBase64Url> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| NotBase64Url)
}

/// Appends the encoding of `octets` to `text`, without an allocation of its own.
pub(crate) fn append(octets: &[u8], text: &mut String) {
    URL_SAFE_NO_PAD.encode_string(octets, text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_octet_string_has_one_accepted_encoding() {
        assert_eq!(decode_canonical("_-8").unwrap(), [0xff, 0xef]);
        assert_eq!(encode([0xff, 0xef]), "_-8");
        // "_-9" carries a set unused bit; the rest use a foreign alphabet, padding, space or a bad length.
        for text in ["_-9", "_-8=", "/+8", "_ -8", "_-8\n", "A", "?A"] {
            assert_eq!(decode_canonical(text), Err(NotBase64Url), "{text:?}");
        }
    }
}
