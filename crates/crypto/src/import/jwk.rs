//! JWK and JWKS (RFC 7517, RFC 7518 §6, RFC 8037).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use zeroize::Zeroize;

use super::refusal::ImportRefusal;
use super::text::{Repair, Repairs};
use super::{ImportedKey, KeyFormat, MAX_INPUT_OCTETS, certificate, components, private};
use crate::json::{Limits, StrictObject};
use crate::{Algorithm, KeyKind, PublicKey, b64, sha256};

/// Keys in one set.
pub(super) const MAX_KEYS: usize = 20;

/// Octets in a `kid` (`conformance.md` C17).
const MAX_KID_OCTETS: usize = 256;

/// What all RSA keys of a set may cost, in units of one of 1024 bits: twenty of 3072, nine of 4096, or one of 8192.
/// The question whether a modulus is prime grows with the third power of its length.
const MAX_COST: usize = 20 * 27 + 64;

/// A certificate of 16 KiB in `x5c` makes a string of 22 KiB.
const LIMITS: Limits = Limits {
    octets: MAX_INPUT_OCTETS,
    depth: 8,
    members: 64,
    string: 24 * 1024,
    digits: 20,
};

type Members = Map<String, Value>;

/// Reads one JWK, or a JWKS when the object has the member `keys`.
pub(super) fn import(
    text: &str,
    now: i64,
    repairs: &mut Repairs,
) -> Result<Vec<ImportedKey>, ImportRefusal> {
    let document = StrictObject::parse(text.as_bytes(), LIMITS)
        .map_err(|_| ImportRefusal::JsonMalformed)?
        .into_members();
    let mut document = Value::Object(document);
    let imported = import_document(&document, now, repairs);
    if matches!(
        imported,
        Err(ImportRefusal::PrivateKeyRefused(_) | ImportRefusal::SymmetricKeyRefused)
    ) {
        wipe(&mut document);
    }
    imported
}

fn import_document(
    document: &Value,
    now: i64,
    repairs: &mut Repairs,
) -> Result<Vec<ImportedKey>, ImportRefusal> {
    refuse_secrets(document)?;
    let Some(keys) = document.get("keys") else {
        let jwk = document.as_object().ok_or(ImportRefusal::JsonMalformed)?;
        return Ok(vec![import_one(jwk, KeyFormat::Jwk, now)?]);
    };
    let keys = keys.as_array().ok_or(ImportRefusal::JsonMalformed)?;
    if keys.len() > MAX_KEYS {
        return Err(ImportRefusal::JwksTooManyKeys);
    }
    if keys.iter().map(cost_of).sum::<usize>() > MAX_COST {
        return Err(ImportRefusal::JwksTooCostly);
    }
    let mut imported = Vec::new();
    for key in keys {
        let jwk = key.as_object().ok_or(ImportRefusal::JsonMalformed)?;
        if matches!(text(jwk, "kty")?, Some("RSA" | "EC" | "OKP") | None) {
            imported.push(import_one(jwk, KeyFormat::Jwks, now)?);
        } else {
            repairs.note(Repair::IgnoredUnknownKeyType);
        }
    }
    refuse_duplicate_kids(&imported)?;
    match imported.is_empty() {
        true => Err(ImportRefusal::JwksEmpty),
        false => Ok(imported),
    }
}

/// The cost of a key by the length of its modulus in base64url, 171 characters for 1024 bits; see [`MAX_COST`].
fn cost_of(key: &Value) -> usize {
    let length = key["n"].as_str().map_or(0, str::len);
    // Above 8192 bits a key is refused at once and costs nothing.
    let thousands = length.div_ceil(171);
    if thousands > 8 { 0 } else { thousands.pow(3) }
}

/// Looks for private members and symmetric keys at every depth. The scan of the text found them already, unless
/// their names were escaped.
fn refuse_secrets(value: &Value) -> Result<(), ImportRefusal> {
    match value {
        Value::Object(members) => {
            if private::PRIVATE_MEMBERS
                .iter()
                .any(|name| members.contains_key(*name))
            {
                return Err(ImportRefusal::PrivateKeyRefused(
                    private::PrivateKeyForm::Jwk,
                ));
            }
            let is_oct = members.get("kty").is_some_and(|kty| kty == "oct");
            if is_oct || members.contains_key("k") {
                return Err(ImportRefusal::SymmetricKeyRefused);
            }
            members.values().try_for_each(refuse_secrets)
        }
        Value::Array(items) => items.iter().try_for_each(refuse_secrets),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

fn wipe(value: &mut Value) {
    match value {
        Value::Object(members) => members.values_mut().for_each(wipe),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::String(text) => text.zeroize(),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn refuse_duplicate_kids(keys: &[ImportedKey]) -> Result<(), ImportRefusal> {
    let mut kids: Vec<&str> = keys.iter().filter_map(|key| key.kid.as_deref()).collect();
    kids.sort_unstable();
    match kids.windows(2).any(|pair| pair[0] == pair[1]) {
        true => Err(ImportRefusal::JwksDuplicateKid),
        false => Ok(()),
    }
}

fn import_one(jwk: &Members, format: KeyFormat, now: i64) -> Result<ImportedKey, ImportRefusal> {
    check_purpose(jwk)?;
    let kid = kid_of(jwk)?;
    let algorithm = text(jwk, "alg")?
        .map(|name| {
            name.parse::<Algorithm>()
                .map_err(|_| ImportRefusal::JwkAlgorithmUnknown)
        })
        .transpose()?;
    let key = key_of(jwk)?;
    if algorithm.is_some_and(|algorithm| !key.kind().algorithms().contains(&algorithm)) {
        return Err(ImportRefusal::JwkAlgorithmMismatch);
    }
    let certificate = certificate_of(jwk, &key, now)?;
    Ok(ImportedKey {
        key,
        algorithm,
        kid,
        format,
        certificate,
    })
}

/// `use` and `key_ops` (RFC 7517 §4.2 and §4.3).
fn check_purpose(jwk: &Members) -> Result<(), ImportRefusal> {
    if text(jwk, "use")?.is_some_and(|purpose| purpose != "sig") {
        return Err(ImportRefusal::JwkUseNotSignature);
    }
    let Some(operations) = texts(jwk, "key_ops")? else {
        return Ok(());
    };
    let repeated = |index: usize| operations[..index].contains(&operations[index]);
    if (1..operations.len()).any(repeated) {
        return Err(ImportRefusal::JwkKeyOpsDuplicate);
    }
    match operations.contains(&"verify") {
        true => Ok(()),
        false => Err(ImportRefusal::JwkKeyOpsWithoutVerify),
    }
}

fn kid_of(jwk: &Members) -> Result<Option<String>, ImportRefusal> {
    let Some(kid) = text(jwk, "kid")? else {
        return Ok(None);
    };
    if kid.is_empty() || kid.len() > MAX_KID_OCTETS || kid.chars().any(char::is_control) {
        return Err(ImportRefusal::JwkKidInvalid);
    }
    Ok(Some(kid.to_owned()))
}

fn key_of(jwk: &Members) -> Result<PublicKey, ImportRefusal> {
    match required(jwk, "kty")? {
        "RSA" => {
            let (n, e) = (number(jwk, "n")?, number(jwk, "e")?);
            components::rsa(&n, &e)
        }
        "EC" => {
            let kind = match required(jwk, "crv")? {
                "P-256" => KeyKind::P256,
                "P-384" => KeyKind::P384,
                "P-521" => KeyKind::P521,
                _ => return Err(ImportRefusal::EcCurveUnknown),
            };
            components::ec(kind, &octets(jwk, "x")?, &octets(jwk, "y")?)
        }
        "OKP" => match required(jwk, "crv")? {
            "Ed25519" => components::ed25519(&octets(jwk, "x")?),
            _ => Err(ImportRefusal::KeyTypeUnsupported),
        },
        _ => Err(ImportRefusal::KeyTypeUnsupported),
    }
}

/// The first certificate of `x5c` must hold the key; the rest of the chain is not used (RFC 7517 §4.7).
fn certificate_of(
    jwk: &Members,
    key: &PublicKey,
    now: i64,
) -> Result<Option<certificate::CertificateFacts>, ImportRefusal> {
    let Some(chain) = texts(jwk, "x5c")? else {
        return Ok(None);
    };
    let leaf = chain.first().ok_or(ImportRefusal::JwkMemberInvalid)?;
    let der = STANDARD
        .decode(leaf)
        .map_err(|_| ImportRefusal::CertificateMalformed)?;
    if certificate::spki_of(&der)? != key.spki_der() {
        return Err(ImportRefusal::JwkCertificateMismatch);
    }
    if let Some(thumbprint) = text(jwk, "x5t#S256")?
        && thumbprint != b64::encode(sha256(&[&der]).as_bytes())
    {
        return Err(ImportRefusal::JwkCertificateMismatch);
    }
    certificate::facts(&der, now).map(Some)
}

/// A `Base64urlUInt` (RFC 7518 §2): no leading zero octets, and not empty.
fn number(jwk: &Members, name: &str) -> Result<Vec<u8>, ImportRefusal> {
    let octets = octets(jwk, name)?;
    match octets.as_slice() {
        // Zero is written as one zero octet; it is refused as a number, with its own reason.
        [0] => Ok(Vec::new()),
        [0, ..] => Err(ImportRefusal::JwkLeadingZero),
        [] => Err(ImportRefusal::JwkBase64Invalid),
        _ => Ok(octets),
    }
}

fn octets(jwk: &Members, name: &str) -> Result<Vec<u8>, ImportRefusal> {
    b64::decode_canonical(required(jwk, name)?).map_err(|_| ImportRefusal::JwkBase64Invalid)
}

fn required<'a>(jwk: &'a Members, name: &str) -> Result<&'a str, ImportRefusal> {
    text(jwk, name)?.ok_or(ImportRefusal::JwkMemberMissing)
}

fn text<'a>(jwk: &'a Members, name: &str) -> Result<Option<&'a str>, ImportRefusal> {
    match jwk.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(ImportRefusal::JwkMemberInvalid),
    }
}

fn texts<'a>(jwk: &'a Members, name: &str) -> Result<Option<Vec<&'a str>>, ImportRefusal> {
    let Some(value) = jwk.get(name) else {
        return Ok(None);
    };
    value
        .as_array()
        .and_then(|items| items.iter().map(Value::as_str).collect())
        .map(Some)
        .ok_or(ImportRefusal::JwkMemberInvalid)
}
