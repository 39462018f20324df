//! Recognising a private key before anything else looks at the input.
//!
//! Every recogniser errs towards "private": refusing a strange public key costs its owner a minute, keeping a
//! private key costs them the key.

use std::fmt;

use zeroize::Zeroizing;

use super::shape::{self, Shape};

/// The form in which a private key was recognised; it decides which command makes the public part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrivateKeyForm {
    /// PKCS#8, PKCS#1 or SEC 1 in DER, raw or as base64 without armour.
    Der,
    /// A JWK or JWKS with private members.
    Jwk,
    /// `OPENSSH PRIVATE KEY`.
    OpenSsh,
    /// PEM: `PRIVATE KEY`, `RSA`, `EC` or `ENCRYPTED PRIVATE KEY`.
    Pem,
    /// A PKCS#12 file.
    Pkcs12,
    /// A PuTTY `.ppk` file.
    Putty,
    /// An XML key value of .NET or XML Signature.
    Xml,
}

impl fmt::Display for PrivateKeyForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Der => {
                "Make the public part with: \
                 openssl pkey -inform DER -in private.der -pubout -out public.pem"
            }
            Self::Jwk => {
                "Remove the members d, p, q, dp, dq, qi, oth and priv, and paste what remains"
            }
            Self::OpenSsh => "Make the public part with: ssh-keygen -y -f id_key > id_key.pub",
            Self::Pem => {
                "Make the public part with: openssl pkey -in private.pem -pubout -out public.pem"
            }
            Self::Pkcs12 => {
                "Make the public part with: \
                 openssl pkcs12 -in key.p12 -clcerts -nokeys -out certificate.pem"
            }
            Self::Putty => {
                "Make the public part with: puttygen key.ppk -O public-openssh -o key.pub"
            }
            Self::Xml => {
                "Convert it to PEM and make the public part with: \
                 openssl pkey -in private.pem -pubout -out public.pem"
            }
        })
    }
}

/// Names of private members in a JWK (RFC 7518 §6.2.2 and §6.3.2, RFC 8037 §2; `priv` of the post-quantum drafts).
pub(super) const PRIVATE_MEMBERS: [&str; 8] = ["d", "dp", "dq", "oth", "p", "priv", "q", "qi"];

/// The magic of an unarmoured OpenSSH private key.
const OPENSSH_MAGIC: &[u8] = b"openssh-key-v1\0";

/// Recognises a private key in octets: DER of any kind, or an OpenSSH key without its armour.
pub(super) fn in_octets(octets: &[u8]) -> Option<PrivateKeyForm> {
    if octets.starts_with(OPENSSH_MAGIC) {
        return Some(PrivateKeyForm::OpenSsh);
    }
    match shape::of(octets) {
        Shape::PrivateKey => Some(PrivateKeyForm::Der),
        Shape::Pkcs12 => Some(PrivateKeyForm::Pkcs12),
        _ => None,
    }
}

/// Recognises a private key in text, however it is indented, quoted, escaped or torn.
pub(super) fn in_text(text: &str) -> Option<PrivateKeyForm> {
    let upper = Zeroizing::new(text.to_ascii_uppercase());
    if upper.contains("PUTTY-USER-KEY-FILE") || upper.contains("PRIVATE-LINES:") {
        return Some(PrivateKeyForm::Putty);
    }
    // `b3BlbnNzaC1rZXktdjE` is the magic of an OpenSSH key in base64.
    if upper.contains("OPENSSH PRIVATE KEY") || upper.contains("B3BLBNNZAC1RZXKTDJE") {
        return Some(PrivateKeyForm::OpenSsh);
    }
    if upper.contains("PRIVATE KEY") && (upper.contains("BEGIN") || upper.contains("END")) {
        return Some(PrivateKeyForm::Pem);
    }
    let rsa_xml = upper.contains("<RSAKEYVALUE>") || upper.contains("<RSAPARAMETERS>");
    if rsa_xml && (upper.contains("<D>") || upper.contains("<P>")) {
        return Some(PrivateKeyForm::Xml);
    }
    has_member(text, &PRIVATE_MEMBERS).then_some(PrivateKeyForm::Jwk)
}

/// Recognises a shared secret in text: a JWK with the member `k`.
pub(super) fn is_symmetric_text(text: &str) -> bool {
    has_member(text, &["k"])
}

/// Whether something like `"name":` occurs, with any quotes and spaces, in text that looks like an object.
///
/// Works before and without parsing, so that a parser never copies the value that follows.
fn has_member(text: &str, names: &[&str]) -> bool {
    let Some((_, inside)) = text.split_once('{') else {
        return false;
    };
    if !inside
        .trim_start_matches(['\\', ' ', '\n'])
        .starts_with(['"', '\''])
    {
        return has_bare_member(inside, names);
    }
    let mut rest = inside;
    while let Some(start) = rest.find(['"', '\'']) {
        let quote = &rest[start..=start];
        let after = &rest[start + 1..];
        let Some(end) = after.find(quote) else { break };
        let name = after[..end].trim_end_matches('\\');
        let is_name = after[end + 1..].trim_start().starts_with(':');
        if is_name && names.contains(&name) {
            return true;
        }
        // What was no name may have begun at a closing quote, so look again from there.
        rest = if is_name { &after[end + 1..] } else { after };
    }
    false
}

/// As [`has_member`], for names without quotes (`{kty: "RSA", d: "..."}`).
fn has_bare_member(text: &str, names: &[&str]) -> bool {
    text.split(['{', ',']).any(|member| {
        member
            .split_once(':')
            .is_some_and(|(name, _)| names.contains(&name.trim()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_members_are_found_however_they_are_quoted() {
        for text in [
            r#"{"kty":"EC","d":"AA"}"#,
            r#"{"kty":"EC", "d" : "AA"}"#,
            r#"{\"kty\":\"EC\",\"d\":\"AA\"}"#,
            "{'kty':'EC','d':'AA'}",
            r#"{kty: "EC", d: "AA"}"#,
            r#"{"keys":[{"kty":"OKP","crv":"Ed25519"},{"priv":"AA"}]}"#,
            r#"{"kty":"RSA","n":"AA","qi":"AA""#,
        ] {
            assert_eq!(in_text(text), Some(PrivateKeyForm::Jwk), "{text}");
        }
    }

    #[test]
    fn public_members_and_values_named_like_private_ones_are_not_private() {
        for text in [
            r#"{"kty":"EC","kid":"d","x":"p","y":"q"}"#,
            r#"{"kty":"RSA","n":"AA","e":"AQAB","kid":"d : p"}"#,
            "a p: b",
        ] {
            assert_eq!(in_text(text), None, "{text}");
        }
    }
}
