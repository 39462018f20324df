//! Making an SSHSIG: with an agent, which holds the key, or with a key of our own.

use super::armour;
use super::signature::{MAGIC, UnverifiedSshSignature, VERSION};
use super::signed_data::{Hash, check_namespace, signed_data};
use super::wire::put;
use super::{PersonKey, PersonKeyKind, SshSignatureRefusal};
use crate::SigningKey;

/// `ssh-keygen` takes SHA-512, too, when it is not told otherwise.
const HASH: Hash = Hash::Sha512;

/// A message that is to be signed for one purpose.
#[derive(Clone, Debug)]
pub struct SshSignatureRequest {
    namespace: String,
    to_be_signed: Vec<u8>,
}

impl SshSignatureRequest {
    /// Prepares a message. `namespace` says what the signature is for, so that it serves nothing else.
    ///
    /// # Errors
    /// [`SshSignatureRefusal::NamespaceUnacceptable`] when it is empty, too long, or has a control character.
    pub fn new(namespace: &str, message: &[u8]) -> Result<Self, SshSignatureRefusal> {
        check_namespace(namespace)?;
        Ok(Self {
            namespace: namespace.to_owned(),
            to_be_signed: signed_data(namespace, HASH, message),
        })
    }

    /// What an agent is given to sign (`SSH_AGENTC_SIGN_REQUEST`); for an RSA key with the flag for SHA-512 or SHA-256.
    #[must_use]
    pub fn to_be_signed(&self) -> &[u8] {
        &self.to_be_signed
    }

    /// Puts the armoured SSHSIG together out of the signature that an agent gave, and verifies it.
    ///
    /// # Errors
    /// [`SshSignatureRefusal`] when the signature is malformed or does not verify.
    pub fn assemble(
        &self,
        key: &PersonKey,
        signature: &[u8],
    ) -> Result<String, SshSignatureRefusal> {
        let mut octets = MAGIC.to_vec();
        octets.extend_from_slice(&VERSION.to_be_bytes());
        put(key.wire(), &mut octets);
        put(self.namespace.as_bytes(), &mut octets);
        put(&[], &mut octets);
        put(HASH.name().as_bytes(), &mut octets);
        put(signature, &mut octets);
        UnverifiedSshSignature::parse(&octets)?.check(key, &self.to_be_signed)?;
        Ok(armour::put_on(&octets))
    }

    /// Signs with an Ed25519 key of our own.
    ///
    /// # Errors
    /// [`SshSignatureRefusal::AlgorithmNotAllowed`] when it is a key of another kind.
    pub fn sign(&self, key: &SigningKey) -> Result<String, SshSignatureRefusal> {
        let person_key = PersonKey::from_ed25519(key.public_key())
            .ok_or(SshSignatureRefusal::AlgorithmNotAllowed)?;
        let mut signature = Vec::new();
        put(PersonKeyKind::Ed25519.as_str().as_bytes(), &mut signature);
        put(&key.sign(&self.to_be_signed), &mut signature);
        self.assemble(&person_key, &signature)
    }
}
