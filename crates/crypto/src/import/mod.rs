//! Reading a public key in whatever form people have it, and refusing it when it would not protect them.
//!
//! [`import_keys`] takes certificates, SPKI, PKCS#1, JWK, JWKS and OpenSSH lines. What was repaired is reported;
//! what is refused has a code and a sentence. A private key is recognised first, and nothing of it is kept.

mod armour;
mod certificate;
pub(crate) mod components;
mod edwards;
mod jwk;
mod known;
mod private;
mod refusal;
mod shape;
pub(crate) mod spki;
pub(crate) mod ssh;
mod text;
mod weak;

use zeroize::Zeroizing;

use crate::{Algorithm, KeyFingerprint, PublicKey};
pub use certificate::{CertificateFacts, CertificateValidity, certificate_validity};
pub use private::{PrivateKeyForm, has_private_key};
pub use refusal::ImportRefusal;
pub use text::Repair;
pub use weak::{SharedFactorCheck, shares_factor};

use shape::Shape;
use text::Repairs;

/// Octets of one input (`conformance.md` K10).
pub const MAX_INPUT_OCTETS: usize = 64 * 1024;

/// What the import needs to know beside the input.
#[derive(Clone, Copy, Debug)]
pub struct ImportOptions {
    /// The time at which certificates must be valid, in Unix seconds.
    pub now: i64,
}

/// The keys of one input, and what was done to read them.
#[derive(Clone, Debug)]
pub struct Import {
    /// At least one key; more than one only from a JWKS.
    pub keys: Vec<ImportedKey>,
    /// What was repaired or left out, in a fixed order, each once.
    pub repairs: Vec<Repair>,
}

/// One public key that passed every check.
#[derive(Clone, Debug)]
pub struct ImportedKey {
    /// The key itself.
    pub key: PublicKey,
    /// The algorithm that a JWK binds the key to.
    pub algorithm: Option<Algorithm>,
    /// The `kid` of a JWK.
    pub kid: Option<String>,
    /// The form in which it came.
    pub format: KeyFormat,
    /// What its certificate says; its end bounds the key.
    pub certificate: Option<CertificateFacts>,
}

/// The form in which a key came. PEM includes base64 whose armour was missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyFormat {
    /// An X.509 certificate in DER.
    CertificateDer,
    /// An X.509 certificate in PEM.
    CertificatePem,
    /// One JWK.
    Jwk,
    /// A JWK set.
    Jwks,
    /// `RSAPublicKey` in DER.
    Pkcs1Der,
    /// `RSA PUBLIC KEY` in PEM.
    Pkcs1Pem,
    /// `SubjectPublicKeyInfo` in DER.
    SpkiDer,
    /// `PUBLIC KEY` in PEM.
    SpkiPem,
    /// An OpenSSH public key line.
    Ssh,
}

impl KeyFormat {
    /// The stable name of the format.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CertificateDer => "certificate_der",
            Self::CertificatePem => "certificate_pem",
            Self::Jwk => "jwk",
            Self::Jwks => "jwks",
            Self::Pkcs1Der => "pkcs1_der",
            Self::Pkcs1Pem => "pkcs1_pem",
            Self::SpkiDer => "spki_der",
            Self::SpkiPem => "spki_pem",
            Self::Ssh => "ssh",
        }
    }
}

/// Reads one or more public keys from `input`.
///
/// All keys are good or none is taken. The work is bounded: whatever is refused for its size is refused before any
/// arithmetic.
///
/// # Errors
/// [`ImportRefusal`] names the first rule that the input breaks; see `conformance.md` K1 to K11.
pub fn import_keys(input: &[u8], options: ImportOptions) -> Result<Import, ImportRefusal> {
    if input.len() > MAX_INPUT_OCTETS {
        return Err(ImportRefusal::InputTooLarge);
    }
    if let Some(form) = private::in_octets(input) {
        return Err(ImportRefusal::PrivateKeyRefused(form));
    }
    let mut reading = Reading {
        now: options.now,
        repairs: Repairs::default(),
        is_wrapped: false,
    };
    let keys = match shape::is_binary_der(input) {
        true => vec![reading.der(input, None)?],
        false => reading.text(input)?,
    };
    refuse_related(&keys)?;
    Ok(Import {
        keys,
        repairs: reading.repairs.into_sorted(),
    })
}

/// Keys given together must be different, and their primes, too.
fn refuse_related(keys: &[ImportedKey]) -> Result<(), ImportRefusal> {
    for (index, later) in keys.iter().enumerate() {
        let fingerprint: KeyFingerprint = later.key.fingerprint();
        let earlier = &keys[..index];
        if earlier
            .iter()
            .any(|key| key.key.fingerprint() == fingerprint)
        {
            return Err(ImportRefusal::KeyDuplicate);
        }
        let moduli = earlier.iter().filter_map(|key| key.key.rsa_modulus());
        if later
            .key
            .rsa_modulus()
            .is_some_and(|n| shares_factor(n, moduli))
        {
            return Err(ImportRefusal::RsaSharedFactor);
        }
    }
    Ok(())
}

/// One input on its way to keys.
struct Reading {
    now: i64,
    repairs: Repairs,
    /// Whether this is what was found inside base64; it is unwrapped once only.
    is_wrapped: bool,
}

impl Reading {
    fn text(&mut self, input: &[u8]) -> Result<Vec<ImportedKey>, ImportRefusal> {
        let decoded = text::decode(input, &mut self.repairs)?;
        if decoded.trim().is_empty() {
            return Err(ImportRefusal::InputEmpty);
        }
        if let Some(form) = private::in_text(&decoded) {
            return Err(ImportRefusal::PrivateKeyRefused(form));
        }
        if private::is_symmetric_text(&decoded) {
            return Err(ImportRefusal::SymmetricKeyRefused);
        }
        let text = text::unwrap(&decoded, &mut self.repairs);
        if text::is_json(&text) {
            return jwk::import(&text, self.now, &mut self.repairs);
        }
        if armour::is_armoured(&text) {
            return Ok(vec![self.pem(&text)?]);
        }
        let lines = text::lines(&text, &mut self.repairs);
        if lines.iter().any(|line| ssh::is_key_line(line)) {
            return Ok(vec![ssh::import_lines(&lines, &mut self.repairs)?]);
        }
        self.bare_base64(&lines)
    }

    fn pem(&mut self, text: &str) -> Result<ImportedKey, ImportRefusal> {
        let blocks = armour::blocks(text, &mut self.repairs)?;
        for block in &blocks {
            if let Some(form) = private::in_octets(&block.octets) {
                return Err(ImportRefusal::PrivateKeyRefused(form));
            }
        }
        let is_certificate = |block: &armour::Block| shape::of(&block.octets) == Shape::Certificate;
        match blocks.as_slice() {
            [block] => self.der(&block.octets, Some(&block.label)),
            blocks if blocks.iter().all(is_certificate) => Err(ImportRefusal::CertificatesSeveral),
            _ => Err(ImportRefusal::KeysSeveral),
        }
    }

    /// Base64 without BEGIN and END: of a key, of an SSH key, or of a whole PEM file.
    fn bare_base64(&mut self, lines: &[&str]) -> Result<Vec<ImportedKey>, ImportRefusal> {
        let joined = Zeroizing::new(lines.concat());
        let octets = armour::from_base64(&joined).ok_or(ImportRefusal::FormatUnknown)?;
        if let Some(form) = private::in_octets(&octets) {
            return Err(ImportRefusal::PrivateKeyRefused(form));
        }
        if ssh::is_wire_key(&octets) {
            self.repairs.note(Repair::MissingArmour);
            let key = ssh::import_wire(&octets, None)?;
            return Ok(vec![plain(key, KeyFormat::Ssh)]);
        }
        if shape::is_binary_der(&octets) {
            self.repairs.note(Repair::MissingArmour);
            return Ok(vec![self.der(&octets, Some(""))?]);
        }
        if self.is_wrapped || std::str::from_utf8(&octets).is_err() {
            return Err(ImportRefusal::FormatUnknown);
        }
        self.is_wrapped = true;
        self.repairs.note(Repair::Base64Wrapped);
        self.text(&octets)
    }

    /// Reads DER by what it is. `label` is that of its armour; empty when the armour was missing, `None` for a file.
    fn der(&mut self, der: &[u8], label: Option<&str>) -> Result<ImportedKey, ImportRefusal> {
        let of = |binary, pem| if label.is_some() { pem } else { binary };
        let (expected, imported) = match shape::of(der) {
            Shape::Certificate => {
                let (key, facts) = certificate::import(der, self.now)?;
                let format = of(KeyFormat::CertificateDer, KeyFormat::CertificatePem);
                let mut imported = plain(key, format);
                imported.certificate = Some(facts);
                ("CERTIFICATE", imported)
            }
            Shape::Spki => {
                let format = of(KeyFormat::SpkiDer, KeyFormat::SpkiPem);
                ("PUBLIC KEY", plain(spki::import(der)?, format))
            }
            Shape::RsaPublicKey => {
                let format = of(KeyFormat::Pkcs1Der, KeyFormat::Pkcs1Pem);
                ("RSA PUBLIC KEY", plain(spki::import_pkcs1(der)?, format))
            }
            Shape::CertificateRequest | Shape::Pkcs7 => return Err(ImportRefusal::PemUnsupported),
            Shape::Pkcs12 | Shape::PrivateKey => {
                return Err(ImportRefusal::PrivateKeyRefused(PrivateKeyForm::Der));
            }
            Shape::Unknown => return Err(self.unknown_der(label)),
        };
        if label.is_some_and(|label| !label.is_empty() && label != expected) {
            self.repairs.note(Repair::WrongLabel);
        }
        Ok(imported)
    }

    fn unknown_der(&self, label: Option<&str>) -> ImportRefusal {
        match label {
            None | Some("" | "PUBLIC KEY" | "RSA PUBLIC KEY" | "CERTIFICATE") => {
                ImportRefusal::DerMalformed
            }
            Some(_) => ImportRefusal::PemUnsupported,
        }
    }
}

fn plain(key: PublicKey, format: KeyFormat) -> ImportedKey {
    ImportedKey {
        key,
        algorithm: None,
        kid: None,
        format,
        certificate: None,
    }
}
