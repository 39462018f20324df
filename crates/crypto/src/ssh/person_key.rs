//! A person's SSH key, in hardware or in a file.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use super::PersonKeyRejected;
use super::wire::{field, put, text};
use crate::import::{ImportRefusal, components, spki, ssh};
use crate::{KeyKind, PublicKey, sha256};

/// Octets of a line: an RSA key of 8192 bits has about 1,400, and a comment follows.
const MAX_LINE: usize = 8 * 1024;
/// Characters of a comment that are kept.
const MAX_COMMENT: usize = 256;
/// What every application of a hardware key for SSH begins with (OpenSSH, PROTOCOL.u2f).
const APPLICATION_PREFIX: &str = "ssh:";

/// The type of a person's SSH key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PersonKeyKind {
    /// ECDSA with P-256, in a file or an agent.
    EcdsaP256,
    /// Ed25519, in a file or an agent.
    Ed25519,
    /// RSA, in a file or an agent.
    Rsa,
    /// ECDSA with P-256 in a FIDO security key.
    SkEcdsaP256,
    /// Ed25519 in a FIDO security key.
    SkEd25519,
}

impl PersonKeyKind {
    const ALL: [Self; 5] = [
        Self::EcdsaP256,
        Self::Ed25519,
        Self::Rsa,
        Self::SkEcdsaP256,
        Self::SkEd25519,
    ];

    /// The type with this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The name of the type, as it stands in front of a key.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EcdsaP256 => "ecdsa-sha2-nistp256",
            Self::Ed25519 => "ssh-ed25519",
            Self::Rsa => "ssh-rsa",
            Self::SkEcdsaP256 => "sk-ecdsa-sha2-nistp256@openssh.com",
            Self::SkEd25519 => "sk-ssh-ed25519@openssh.com",
        }
    }

    /// Whether the key lies in a FIDO security key, which says whether it was touched and the person verified.
    #[must_use]
    pub const fn is_security_key(self) -> bool {
        match self {
            Self::SkEcdsaP256 | Self::SkEd25519 => true,
            Self::EcdsaP256 | Self::Ed25519 | Self::Rsa => false,
        }
    }
}

/// A person's SSH public key. It is stored as its text, `type base64`, which reads back through the same checks.
///
/// The checks are those of a key import: points on their curve, no small order, no weak RSA key.
#[derive(Clone, PartialEq, Eq)]
pub struct PersonKey {
    kind: PersonKeyKind,
    key: PublicKey,
    application: Option<String>,
    wire: Vec<u8>,
}

impl PersonKey {
    /// Reads a line of a `.pub` file, `type base64 comment`, and gives its comment, too: at most 256 characters,
    /// without control characters.
    ///
    /// # Errors
    /// [`PersonKeyRejected`] when it is no such line, of another type, or the key proves nothing.
    pub fn parse_line(line: &str) -> Result<(Self, Option<String>), PersonKeyRejected> {
        if line.len() > MAX_LINE || line.trim().contains(['\r', '\n']) {
            return Err(PersonKeyRejected::Malformed);
        }
        let mut words = line.split_whitespace();
        let (Some(name), Some(blob)) = (words.next(), words.next()) else {
            return Err(PersonKeyRejected::Malformed);
        };
        if PersonKeyKind::named(name).is_none() {
            return Err(PersonKeyRejected::TypeUnsupported);
        }
        let wire = STANDARD
            .decode(blob)
            .map_err(|_| PersonKeyRejected::Malformed)?;
        let key = Self::from_wire(&wire)?;
        if key.kind.as_str() != name {
            return Err(PersonKeyRejected::Malformed);
        }
        let comment: String = words.collect::<Vec<_>>().join(" ");
        let comment: String = comment
            .chars()
            .filter(|c| !c.is_control())
            .take(MAX_COMMENT)
            .collect();
        Ok((key, (!comment.is_empty()).then_some(comment)))
    }

    /// Reads the octets inside the base64, in their only form (RFC 4253 §6.6, OpenSSH PROTOCOL.u2f).
    fn from_wire(wire: &[u8]) -> Result<Self, PersonKeyRejected> {
        let mut rest = wire;
        let name = text(&mut rest).ok_or(PersonKeyRejected::Malformed)?;
        let kind = PersonKeyKind::named(name).ok_or(PersonKeyRejected::TypeUnsupported)?;
        let (key, application) = match kind.is_security_key() {
            true => {
                let (key, application) = security_key(kind, rest)?;
                (key, Some(application))
            }
            false => {
                let key = ssh::import_wire(wire, None);
                (key.map_err(not_accepted)?, None)
            }
        };
        Ok(Self {
            kind,
            key,
            application,
            wire: wire.to_vec(),
        })
    }

    /// The SSH key of an Ed25519 public key; `None` for a key of another kind.
    #[must_use]
    pub fn from_ed25519(key: &PublicKey) -> Option<Self> {
        let point = key.ed25519_point()?;
        let mut wire = Vec::new();
        put(PersonKeyKind::Ed25519.as_str().as_bytes(), &mut wire);
        put(point, &mut wire);
        Some(Self {
            kind: PersonKeyKind::Ed25519,
            key: key.clone(),
            application: None,
            wire,
        })
    }

    /// The type.
    #[must_use]
    pub fn kind(&self) -> PersonKeyKind {
        self.kind
    }

    /// What a security key was made for: `ssh:`, or `ssh:` and a name.
    #[must_use]
    pub fn application(&self) -> Option<&str> {
        self.application.as_deref()
    }

    /// The fingerprint as `ssh-keygen -l` shows it: `SHA256:` and base64.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.wire)
    }

    /// The key itself.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.key
    }

    pub(super) fn wire(&self) -> &[u8] {
        &self.wire
    }
}

pub(super) fn fingerprint(wire: &[u8]) -> String {
    let digest = sha256(&[wire]);
    format!("SHA256:{}", STANDARD_NO_PAD.encode(digest.as_bytes()))
}

fn not_accepted(import: ImportRefusal) -> PersonKeyRejected {
    match import {
        ImportRefusal::SshKeyMalformed => PersonKeyRejected::Malformed,
        import => PersonKeyRejected::KeyNotAccepted { import },
    }
}

/// What follows the name of a type in a security key: the key, then the application.
fn security_key(
    kind: PersonKeyKind,
    mut rest: &[u8],
) -> Result<(PublicKey, String), PersonKeyRejected> {
    let malformed = PersonKeyRejected::Malformed;
    let key = match kind {
        PersonKeyKind::SkEcdsaP256 => {
            if field(&mut rest) != Some(b"nistp256") {
                return Err(malformed);
            }
            spki::import_point(KeyKind::P256, 32, field(&mut rest).ok_or(malformed)?)
        }
        _ => components::ed25519(field(&mut rest).ok_or(malformed)?),
    };
    let key = key.map_err(not_accepted)?;
    let application = text(&mut rest).ok_or(malformed)?;
    if !rest.is_empty() {
        return Err(malformed);
    }
    let is_plain = application.len() <= 255 && !application.chars().any(char::is_control);
    match application.starts_with(APPLICATION_PREFIX) && is_plain {
        true => Ok((key, application.to_owned())),
        false => Err(PersonKeyRejected::ApplicationUnacceptable),
    }
}

impl fmt::Display for PersonKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.as_str(), STANDARD.encode(&self.wire))
    }
}

impl FromStr for PersonKey {
    type Err = PersonKeyRejected;

    /// Reads what was stored; a comment is dropped.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse_line(text).map(|(key, _)| key)
    }
}

impl fmt::Debug for PersonKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "PersonKey({}, {})",
            self.kind.as_str(),
            self.fingerprint()
        )
    }
}
