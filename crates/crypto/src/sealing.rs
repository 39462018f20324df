//! Octets at rest: the master key, what is derived from it, and sealed boxes.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use zeroize::Zeroizing;

use crate::{MacKey, b64, hex, random_bytes, sha256};

/// The first octet of everything sealed this way.
const VERSION: u8 = 1;
const KEY_ID_LEN: usize = 4;
const HEADER_LEN: usize = 1 + KEY_ID_LEN + NONCE_LEN;

/// The text is not 32 octets in hexadecimal or base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a master key is 32 random octets, written as 64 hexadecimal digits or as base64")]
pub struct MasterKeyMalformed;

/// Why a sealed box does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealRefused {
    /// The octets were changed, cut, or belong to another place.
    #[error("the sealed octets were changed or belong to another row: restore them from a backup")]
    Corrupt,
    /// Sealed with another master key.
    #[error(
        "sealed with another master key: start with the key that this database was set up with"
    )]
    WrongMasterKey,
}

impl SealRefused {
    /// The stable name of the condition.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Corrupt => "seal_corrupt",
            Self::WrongMasterKey => "seal_wrong_master_key",
        }
    }
}

/// The one secret from which all others at rest are derived.
pub struct MasterKey {
    secret: Zeroizing<[u8; 32]>,
    /// Names the key in what it seals, and reveals nothing about it.
    id: [u8; KEY_ID_LEN],
    sealing: LessSafeKey,
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(redacted)")
    }
}

/// The length of a derived key, for HKDF.
struct Octets32;

impl KeyType for Octets32 {
    fn len(&self) -> usize {
        32
    }
}

impl MasterKey {
    /// Takes 32 octets.
    #[must_use]
    pub fn new(secret: Zeroizing<[u8; 32]>) -> Self {
        let digest = sha256(&[derive(&secret, "master key id").as_slice()]);
        let [a, b, c, d, ..] = *digest.as_bytes();
        let id = [a, b, c, d];
        let sealing = UnboundKey::new(&AES_256_GCM, derive(&secret, "sealing").as_slice());
        let sealing = LessSafeKey::new(sealing.expect("AES-256 takes a key of 32 octets"));
        Self {
            secret,
            id,
            sealing,
        }
    }

    /// Generates a key.
    #[must_use]
    pub fn generate() -> Self {
        Self::new(Zeroizing::new(random_bytes()))
    }

    /// Reads the content of a key file: 64 hexadecimal digits, or base64 or base64url of 32 octets; white space
    /// around it is ignored.
    ///
    /// # Errors
    /// [`MasterKeyMalformed`] when it is neither.
    pub fn from_text(text: &str) -> Result<Self, MasterKeyMalformed> {
        let text = text.trim();
        if let Some(secret) = hex::parse(text) {
            return Ok(Self::new(Zeroizing::new(secret)));
        }
        let decoded = [STANDARD, STANDARD_NO_PAD, URL_SAFE]
            .iter()
            .find_map(|engine| engine.decode(text).ok())
            .or_else(|| b64::decode_canonical(text).ok());
        let decoded = Zeroizing::new(decoded.ok_or(MasterKeyMalformed)?);
        let secret = decoded
            .as_slice()
            .try_into()
            .map_err(|_| MasterKeyMalformed)?;
        Ok(Self::new(Zeroizing::new(secret)))
    }

    /// The content for a key file: base64, without a line end. It wipes itself.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(STANDARD.encode(self.secret.as_slice()))
    }

    /// A key of its own for each purpose (HKDF-SHA256, RFC 5869).
    #[must_use]
    pub fn derive(&self, label: &str) -> Zeroizing<[u8; 32]> {
        // The prefix keeps callers' labels apart from those used in this file.
        derive(&self.secret, &format!("use: {label}"))
    }

    /// The [`MacKey`] for one purpose.
    #[must_use]
    pub fn mac_key(&self, label: &str) -> MacKey {
        MacKey::new(*self.derive(label))
    }

    /// Seals octets with AES-256-GCM under a random nonce. `aad` names the place they belong to: tenant, table, row.
    #[must_use]
    pub fn seal(&self, plaintext: &[u8], aad: &[u8]) -> Vec<u8> {
        let nonce = random_bytes::<NONCE_LEN>();
        let mut sealed = Vec::with_capacity(HEADER_LEN + plaintext.len() + AES_256_GCM.tag_len());
        sealed.push(VERSION);
        sealed.extend_from_slice(&self.id);
        sealed.extend_from_slice(&nonce);
        let aad = self.place(aad);
        let mut body = plaintext.to_vec();
        self.sealing
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(aad),
                &mut body,
            )
            .expect("a plaintext in memory is shorter than AES-GCM's limit of 64 GiB");
        sealed.extend_from_slice(&body);
        sealed
    }

    /// Opens what [`Self::seal`] made for the same place.
    ///
    /// # Errors
    /// [`SealRefused`] when another master key sealed it, or anything was changed.
    pub fn open(&self, sealed: &[u8], aad: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealRefused> {
        let (&[VERSION], rest) = sealed.split_first_chunk().ok_or(SealRefused::Corrupt)? else {
            return Err(SealRefused::Corrupt);
        };
        let (id, rest) = rest
            .split_first_chunk::<KEY_ID_LEN>()
            .ok_or(SealRefused::Corrupt)?;
        if *id != self.id {
            return Err(SealRefused::WrongMasterKey);
        }
        let (nonce, body) = rest
            .split_first_chunk::<NONCE_LEN>()
            .ok_or(SealRefused::Corrupt)?;
        let mut body = Zeroizing::new(body.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = self
            .sealing
            .open_in_place(nonce, Aad::from(self.place(aad)), &mut body);
        let length = opened.map_err(|_| SealRefused::Corrupt)?.len();
        body.truncate(length);
        Ok(body)
    }

    /// The caller's place, preceded by the header that is not encrypted.
    fn place(&self, aad: &[u8]) -> Vec<u8> {
        [&[VERSION], self.id.as_slice(), aad].concat()
    }
}

fn derive(secret: &[u8; 32], label: &str) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    let extracted = Salt::new(HKDF_SHA256, b"countersign").extract(secret);
    let label = [label.as_bytes()];
    let expanded = extracted
        .expand(&label, Octets32)
        .and_then(|okm| okm.fill(key.as_mut_slice()));
    expanded.expect("HKDF gives up to 8160 octets");
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_opens_only_in_its_place() {
        let key = MasterKey::generate();
        let sealed = key.seal(b"secret", b"tenant-a/key-1");
        assert_eq!(
            key.open(&sealed, b"tenant-a/key-1").unwrap().as_slice(),
            b"secret"
        );
        assert_eq!(
            key.open(&sealed, b"tenant-b/key-1").unwrap_err(),
            SealRefused::Corrupt
        );
        assert_ne!(sealed, key.seal(b"secret", b"tenant-a/key-1"));
        assert!(!sealed.windows(6).any(|octets| octets == b"secret"));
    }

    #[test]
    fn another_master_key_is_told_apart_from_damage() {
        let key = MasterKey::generate();
        let sealed = key.seal(b"secret", b"");
        assert_eq!(
            MasterKey::generate().open(&sealed, b"").unwrap_err(),
            SealRefused::WrongMasterKey
        );
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            let refused = key.open(&changed, b"").unwrap_err();
            let expected = if (1..5).contains(&index) {
                SealRefused::WrongMasterKey
            } else {
                SealRefused::Corrupt
            };
            assert_eq!(refused, expected, "octet {index}");
            assert_eq!(
                key.open(&sealed[..index], b"").unwrap_err(),
                SealRefused::Corrupt
            );
        }
    }

    #[test]
    fn a_key_file_is_hexadecimal_or_base64() {
        let key = MasterKey::new(Zeroizing::new([0xfb; 32]));
        let sealed = key.seal(b"x", b"");
        let url_safe = b64::encode([0xfb; 32]);
        let texts = [
            "fb".repeat(32),
            "FB".repeat(32),
            format!("{}\n", *key.to_text()),
            format!(" {url_safe}"),
            format!("{url_safe}="),
        ];
        for text in texts {
            assert!(
                MasterKey::from_text(&text)
                    .unwrap()
                    .open(&sealed, b"")
                    .is_ok(),
                "{text}"
            );
        }
        for text in [
            "",
            "fb",
            "password",
            &"fb".repeat(31),
            &"fb".repeat(33),
            &b64::encode([1; 31]),
        ] {
            assert_eq!(MasterKey::from_text(text).unwrap_err(), MasterKeyMalformed);
        }
        assert_eq!(format!("{key:?}"), "MasterKey(redacted)");
    }

    #[test]
    fn each_label_has_a_key_of_its_own() {
        let key = MasterKey::new(Zeroizing::new([7; 32]));
        assert_eq!(key.derive("rows"), key.derive("rows"));
        assert_ne!(key.derive("rows"), key.derive("audit"));
        assert_ne!(key.derive("sealing"), derive(&[7; 32], "sealing"));
        assert!(
            key.mac_key("rows")
                .verify(&[b"a"], &MacKey::new(*key.derive("rows")).tag(&[b"a"]))
        );
    }
}
