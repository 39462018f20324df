//! SSH keys in software, those of security keys among them, and an SSHSIG that may be put together wrongly.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_crypto::ssh::PersonKey;
use countersign_crypto::{SigningAlgorithm, SigningKey, b64, sha256};

pub(crate) const SK_ED25519: &str = "sk-ssh-ed25519@openssh.com";
pub(crate) const SK_ECDSA: &str = "sk-ecdsa-sha2-nistp256@openssh.com";

/// A key and what it signs with.
pub(crate) struct SshKey {
    pub(crate) key: SigningKey,
    pub(crate) name: &'static str,
    /// Of a security key.
    pub(crate) application: Option<&'static str>,
    /// User present and verified, as a security key says.
    pub(crate) flags: u8,
}

impl SshKey {
    pub(crate) fn new(name: &'static str) -> Self {
        let algorithm = match name {
            "ssh-ed25519" | SK_ED25519 => SigningAlgorithm::EdDsa,
            "ecdsa-sha2-nistp256" | SK_ECDSA => SigningAlgorithm::Es256,
            _ => SigningAlgorithm::Rs256,
        };
        Self {
            key: SigningKey::generate(algorithm),
            name,
            application: name.starts_with("sk-").then_some("ssh:"),
            flags: 0b101,
        }
    }

    fn member(&self, name: &str) -> Vec<u8> {
        let jwk = self.key.public_key().to_jwk("", None);
        b64::decode_canonical(jwk[name].as_str().unwrap()).unwrap()
    }

    pub(crate) fn wire(&self) -> Vec<u8> {
        let mut wire = string(self.name);
        match self.key.algorithm() {
            SigningAlgorithm::EdDsa => wire.extend(string(self.member("x"))),
            SigningAlgorithm::Es256 => {
                wire.extend(string("nistp256"));
                let point = [vec![4], self.member("x"), self.member("y")].concat();
                wire.extend(string(point));
            }
            _ => {
                wire.extend(mpint(&self.member("e")));
                wire.extend(mpint(&self.member("n")));
            }
        }
        wire.extend(self.application.map(string).unwrap_or_default());
        wire
    }

    /// The line of a `.pub` file.
    pub(crate) fn line(&self) -> String {
        format!("{} {} ana@example", self.name, STANDARD.encode(self.wire()))
    }

    pub(crate) fn person_key(&self) -> PersonKey {
        self.line().parse().unwrap()
    }

    /// The signature blob of an agent.
    pub(crate) fn sign(&self, blob: &[u8]) -> Vec<u8> {
        let touch = [&[self.flags], 7_u32.to_be_bytes().as_slice()].concat();
        let Some(application) = self.application else {
            return self.plain(blob);
        };
        let (application, message) = (sha256(&[application.as_bytes()]), sha256(&[blob]));
        let signed = [
            application.as_bytes().as_slice(),
            &touch,
            message.as_bytes(),
        ]
        .concat();
        [self.plain(&signed), touch].concat()
    }

    fn plain(&self, signed: &[u8]) -> Vec<u8> {
        let signature = self.key.sign(signed);
        let (name, signature) = match self.key.algorithm() {
            SigningAlgorithm::Es256 => {
                let (r, s) = signature.split_at(32);
                (self.name, [mpint(r), mpint(s)].concat())
            }
            SigningAlgorithm::Rs256 => ("rsa-sha2-256", signature),
            _ => (self.name, signature),
        };
        [string(name), string(signature)].concat()
    }
}

/// The parts of an SSHSIG.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) magic: &'static [u8],
    pub(crate) version: u32,
    pub(crate) key: Vec<u8>,
    pub(crate) namespace: Vec<u8>,
    pub(crate) reserved: Vec<u8>,
    pub(crate) hash: &'static str,
    pub(crate) signature: Vec<u8>,
}

impl Parts {
    /// Of a good signature over what `to_be_signed` gives.
    pub(crate) fn new(key: &SshKey, namespace: &str, to_be_signed: &[u8]) -> Self {
        Self {
            magic: b"SSHSIG",
            version: 1,
            key: key.wire(),
            namespace: namespace.as_bytes().to_vec(),
            reserved: Vec::new(),
            hash: "sha512",
            signature: key.sign(to_be_signed),
        }
    }

    pub(crate) fn octets(&self) -> Vec<u8> {
        [
            self.magic.to_vec(),
            self.version.to_be_bytes().to_vec(),
            string(&self.key),
            string(&self.namespace),
            string(&self.reserved),
            string(self.hash),
            string(&self.signature),
        ]
        .concat()
    }
}

pub(crate) fn string(content: impl AsRef<[u8]>) -> Vec<u8> {
    let content = content.as_ref();
    let length = u32::try_from(content.len()).unwrap();
    [&length.to_be_bytes(), content].concat()
}

pub(crate) fn mpint(magnitude: &[u8]) -> Vec<u8> {
    let start = magnitude.iter().take_while(|octet| **octet == 0).count();
    let magnitude = &magnitude[start..];
    let sign: &[u8] = if magnitude[0] >= 0x80 { &[0] } else { &[] };
    string([sign, magnitude].concat())
}
