//! Recognising a private key before anything else looks at the input.
//!
//! Every recogniser errs towards "private": refusing a strange public key costs its owner a minute, keeping a
//! private key costs them the key.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
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

/// The same in base64.
const OPENSSH_IN_BASE64: &[u8] = b"b3BlbnNzaC1rZXktdjE";

/// The algorithm of an encrypted private key begins with 1.2.840.113549.1, and then 5 (PKCS #5) or 12 (PKCS #12).
const PKCS: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01];

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

/// Whether a text that should have no key in it, such as a remark, has a private one: in PEM, as a JWK, of PuTTY or
/// OpenSSH, or as bare base64 wherever it begins. The work grows with the length of the text and no faster.
///
/// Unlike the import it errs towards "none": people write about private keys.
#[must_use]
pub fn has_private_key(text: &str) -> bool {
    if text.contains("PRIVATE KEY-----") || text.contains("PuTTY-User-Key-File-") {
        return true;
    }
    if text.contains('{') && has_member(text, &["kty"]) && has_member(text, &PRIVATE_MEMBERS) {
        return true;
    }
    // What every beginning of a key in base64 has; most texts have none of it.
    if !["M", "LS0t", "b3Bl"].iter().any(|mark| text.contains(mark)) {
        return false;
    }
    let packed = packed_base64(text);
    packed
        .windows(OPENSSH_IN_BASE64.len())
        .any(|octets| octets == OPENSSH_IN_BASE64)
        || (0..packed.len()).any(|start| begins_private_key(&packed[start..]))
}

/// The text without white space and line ends however they are written, in one alphabet of base64.
fn packed_base64(text: &str) -> Zeroizing<Vec<u8>> {
    let text = Zeroizing::new(text.replace("\\n", ""));
    let text = Zeroizing::new(text.replace("\\r", ""));
    let kept = text.bytes().filter(|octet| !octet.is_ascii_whitespace());
    let packed = kept.map(|octet| match octet {
        b'-' => b'+',
        b'_' => b'/',
        other => other,
    });
    Zeroizing::new(packed.collect())
}

/// Whether base64 begins here that is the beginning of a private key: DER, or PEM in base64 once more.
fn begins_private_key(base64: &[u8]) -> bool {
    match base64 {
        // `M` is how every SEQUENCE begins.
        [b'M', ..] => leading_octets(base64, 24).is_some_and(|octets| is_private_der(&octets)),
        [b'L', b'S', b'0', b't', ..] => leading_octets(base64, 60).is_some_and(|octets| {
            let armour = String::from_utf8_lossy(&octets);
            armour.starts_with("-----BEGIN") && armour.contains("PRIVATE KEY")
        }),
        _ => false,
    }
}

/// What the first `length` characters of base64 stand for.
fn leading_octets(base64: &[u8], length: usize) -> Option<Zeroizing<Vec<u8>>> {
    let head = base64.get(..length)?;
    STANDARD_NO_PAD.decode(head).ok().map(Zeroizing::new)
}

/// Whether octets begin like PKCS#8, PKCS#1, SEC 1 or DSA with a version, encrypted PKCS#8, or PKCS#12.
fn is_private_der(octets: &[u8]) -> bool {
    let ([0x30, 0x82, _, _, content @ ..]
    | [0x30, 0x81, _, content @ ..]
    | [0x30, 0..=0x7f, content @ ..]) = octets
    else {
        return false;
    };
    match content {
        [2, 1, 0 | 1, 2 | 4 | 0x30, ..] | [2, 1, 3, 0x30, ..] => true,
        [0x30, rest @ ..] => rest
            .windows(PKCS.len() + 1)
            .any(|oid| matches!(oid.split_last(), Some((5 | 12, PKCS)))),
        _ => false,
    }
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

    /// Private keys as `openssl` and `ssh-keygen` write them, without their armour; and where people paste them.
    #[test]
    fn a_private_key_in_bare_base64_is_found_wherever_it_begins() {
        for key in [
            "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g",
            "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg",
            "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg",
            "MHcCAQEEIIrYSSNQFaA2Hwf1duRSxKtLYX5CB04fSeQ6tF1aY/Pu",
            "MIIEpAIBAAKCAQEA3VoPN9PKUjKFLMwOge6+wnDi8sbETGIx2FKXGgqtAKpz",
            "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQDa",
            "MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAg",
            "MIIFHDBOBgkqhkiG9w0BBQ0wQTApBgkqhkiG9w0BBQwwHAQI",
            "MIIBSwIBADCCASwGByqGSM44BAEwggEfAoGBAP1/U4EddRIp",
            "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAAB",
            "LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0tCk1DNENBUUF3QlFZREsyVndCQ0lF",
            "LS0tLS1CRUdJTiBFTkNSWVBURUQgUFJJVkFURSBLRVktLS0tLQpNSUdiTUZjR0NT",
        ] {
            for text in [
                key.to_owned(),
                format!("the key: {key} (do not lose it)"),
                format!("key{key}"),
                format!("https://example.com/{key}"),
                key.replace('+', "-").replace('/', "_"),
                key.as_bytes()
                    .chunks(8)
                    .map(|line| format!("{}\n ", str::from_utf8(line).unwrap()))
                    .collect(),
                key.as_bytes()
                    .chunks(16)
                    .map(|line| format!("{}\\n", str::from_utf8(line).unwrap()))
                    .collect(),
            ] {
                assert!(has_private_key(&text), "{text}");
            }
        }
        assert!(has_private_key(
            r#"see {"kty":"OKP","crv":"Ed25519","d":"AA"}"#
        ));
    }

    #[test]
    fn what_people_write_about_keys_is_no_private_key() {
        for text in [
            "the private key is at the END of the folder; BEGIN there",
            "MANAGED BY THE PAYMENTS TEAM, MONDAYS TO FRIDAYS ONLY, MUNICH",
            "ac-cb3b3658-8100-4ada-97ad-91fcb656490f",
            "https://auth.example.com/t/tn-FDDEA0B7-E757-4247-A12E-10EC072B93B0",
            "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEN7mTZA4MXHo6gLI2Zf6R0ITelrJ43au+2/CV0HB/",
            "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=",
            "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA3VoPN9PKUjKFLMwOge6+",
            "MIIBCgKCAQEA3VoPN9PKUjKFLMwOge6+wnDi8sbETGIx2FKXGgqtAKpzmem53kRG",
            "MIIBUTCB+KADAgECAhQdVuezVvaI5h/Nj0Zb63uqWIy+jDAKBggqhkjOPQQDAjAg",
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ1hsZ3v",
            r#"{"d": "a day", "p": "payments"}"#,
            "",
            "M",
        ] {
            assert!(!has_private_key(text), "{text}");
        }
    }

    #[test]
    fn a_long_text_is_looked_through_in_a_moment() {
        let text = "M".repeat(64 * 1024);
        let begun = std::time::Instant::now();
        assert!(!has_private_key(&text));
        assert!(begun.elapsed() < std::time::Duration::from_secs(2));
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
