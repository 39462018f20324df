//! What an SSHSIG signs: a purpose and the digest of a message (OpenSSH, PROTOCOL.sshsig).

use aws_lc_rs::digest;

use super::SshSignatureRefusal;
use super::signature::MAGIC;
use super::wire::put;

/// How the message is digested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hash {
    Sha256,
    Sha512,
}

impl Hash {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    pub(super) fn named(name: &[u8]) -> Option<Self> {
        [Self::Sha256, Self::Sha512]
            .into_iter()
            .find(|hash| hash.name().as_bytes() == name)
    }
}

pub(super) fn check_namespace(namespace: &str) -> Result<(), SshSignatureRefusal> {
    let is_good = (1..=255).contains(&namespace.len()) && !namespace.chars().any(char::is_control);
    match is_good {
        true => Ok(()),
        false => Err(SshSignatureRefusal::NamespaceUnacceptable),
    }
}

pub(super) fn signed_data(namespace: &str, hash: Hash, message: &[u8]) -> Vec<u8> {
    let algorithm = match hash {
        Hash::Sha256 => &digest::SHA256,
        Hash::Sha512 => &digest::SHA512,
    };
    let mut blob = MAGIC.to_vec();
    put(namespace.as_bytes(), &mut blob);
    put(&[], &mut blob);
    put(hash.name().as_bytes(), &mut blob);
    put(digest::digest(algorithm, message).as_ref(), &mut blob);
    blob
}
