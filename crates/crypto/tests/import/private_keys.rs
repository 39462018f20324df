//! K6: a private key is refused in every form, and nothing of it comes back.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::support::*;

/// Refused as private; the answer names `command` and repeats nothing of the input.
fn assert_private(input: &[u8], command: &str) {
    let refusal = import(input).unwrap_err();
    let text = format!("{refusal} {refusal:?}");
    assert_eq!(refusal.code(), "private_key_refused", "{text}");
    assert!(text.contains(command), "{text}");
    let is_secret = |word: &&[u8]| word.len() > 12 && !word.iter().all(u8::is_ascii_alphabetic);
    for secret in input
        .split(|octet| b" \n\r\",:{}\\".contains(octet))
        .filter(is_secret)
    {
        let found = text
            .as_bytes()
            .windows(secret.len())
            .any(|window| window == secret);
        assert!(!found, "{text}");
    }
}

#[test]
fn k6_pem_private_keys_are_refused_in_every_form() {
    let pkcs8 = p256().serialize_pem();
    assert_private(pkcs8.as_bytes(), "openssl pkey");
    assert_private(pkcs8.replace('\n', "\r\n").as_bytes(), "openssl pkey");
    assert_private(pkcs8.replace('\n', "\\n").as_bytes(), "openssl pkey");
    assert_private(
        format!("\"{}\"", pkcs8.replace('\n', "\\n")).as_bytes(),
        "openssl pkey",
    );
    assert_private(pkcs8.replace('\n', " ").as_bytes(), "openssl pkey");
    assert_private(
        pkcs8.replace("-----BEGIN", "my key: -BEGIN").as_bytes(),
        "openssl pkey",
    );
    assert_private(pkcs8.to_lowercase().as_bytes(), "openssl pkey");
    assert_private(&pkcs8.as_bytes()[..120], "openssl pkey");
    assert_private(&pkcs8.as_bytes()[pkcs8.len() - 60..], "openssl pkey");
    let utf16: Vec<u8> = [0xfeff]
        .into_iter()
        .chain(pkcs8.encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    assert_private(&utf16, "openssl pkey");
    let public = pem("PUBLIC KEY", &spki(P256_IDENTIFIER, &point(&p256())));
    assert_private(format!("{public}{pkcs8}").as_bytes(), "openssl pkey");
}

#[test]
fn k6_a_private_key_without_or_under_wrong_armour_is_refused() {
    let pkcs8 = p256().serialize_der();
    assert_private(&pkcs8, "-inform DER");
    assert_private(STANDARD.encode(&pkcs8).as_bytes(), "-inform DER");
    assert_private(pem("PUBLIC KEY", &pkcs8).as_bytes(), "-inform DER");
    assert_private(pem("CERTIFICATE", &pkcs8).as_bytes(), "-inform DER");
    assert_private(&pkcs8[..pkcs8.len() - 40], "-inform DER");
    assert_private(&[&pkcs8[..], b"trailing"].concat(), "-inform DER");
    let wrapped = STANDARD.encode(p256().serialize_pem());
    assert_private(wrapped.as_bytes(), "openssl pkey");
}

#[test]
fn k6_every_kind_of_private_key_from_openssl_is_refused() {
    let Some(rsa) = openssl("genrsa 2048", b"") else {
        return;
    };
    let encrypted = "pkcs8 -topk8 -passout pass:secret";
    let commands = [
        "rsa -traditional",
        "rsa -traditional -outform DER",
        "rsa -traditional -aes128 -passout pass:secret",
        "pkcs8 -topk8 -nocrypt",
        "pkcs8 -topk8 -nocrypt -outform DER",
        encrypted,
        "pkcs8 -topk8 -passout pass:secret -outform DER",
    ];
    for command in commands {
        assert_private(&openssl(command, &rsa).unwrap(), "openssl pkey");
    }
    let der = openssl("rsa -traditional -outform DER", &rsa).unwrap();
    assert_private(STANDARD.encode(der).as_bytes(), "-inform DER");
    let ec = openssl("ecparam -name prime256v1 -genkey", b"").unwrap();
    assert_private(&ec, "openssl pkey");
    assert_private(&openssl("ec -outform DER", &ec).unwrap(), "-inform DER");
    let dsa = der_dsa();
    assert_private(&dsa, "-inform DER");
}

/// The traditional form of a DSA key: a version and five numbers.
fn der_dsa() -> Vec<u8> {
    let numbers: Vec<Vec<u8>> = ["p", "q", "g", "y", "x"]
        .iter()
        .map(|name| integer(&odd(name, 256)))
        .collect();
    let mut parts: Vec<&[u8]> = vec![&[2, 1, 0]];
    parts.extend(numbers.iter().map(Vec::as_slice));
    der(0x30, &parts)
}

#[test]
fn k6_openssh_putty_pkcs12_and_xml_private_keys_are_refused() {
    let openssh = [b"openssh-key-v1\0".as_slice(), &noise("openssh", 200)].concat();
    assert_private(&openssh, "ssh-keygen -y");
    assert_private(STANDARD.encode(&openssh).as_bytes(), "ssh-keygen -y");
    assert_private(
        pem("OPENSSH PRIVATE KEY", &openssh).as_bytes(),
        "ssh-keygen -y",
    );
    let putty = "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nComment: me\n";
    assert_private(putty.as_bytes(), "puttygen");
    let pkcs12 = der(0x30, &[&[2, 1, 3], &der(0x30, &[&noise("pkcs12", 90)])]);
    assert_private(&pkcs12, "openssl pkcs12");
    let xml = "<RSAKeyValue><Modulus>AQAB</Modulus><P>AQAB</P><D>AQAB</D></RSAKeyValue>";
    assert_private(xml.as_bytes(), "openssl pkey");
}

#[test]
fn k6_a_jwk_with_any_private_member_is_refused() {
    for member in ["d", "p", "q", "dp", "dq", "qi", "oth", "priv"] {
        let secret = base64url(&noise(member, 32));
        let jwk = ec_jwk(&p256(), &format!(r#""{member}":"{secret}","#));
        assert_private(jwk.as_bytes(), "Remove the members");
        assert_private(
            format!(r#"{{"keys":[{jwk}]}}"#).as_bytes(),
            "Remove the members",
        );
        assert_private(&jwk.as_bytes()[..jwk.len() - 1], "Remove the members");
        assert_private(jwk.replace('"', "\\\"").as_bytes(), "Remove the members");
        assert_private(jwk.replace('"', "'").as_bytes(), "Remove the members");
    }
    let escaped = ec_jwk(&p256(), r#""\u0064":"c2VjcmV0LXNlY3JldA","#);
    assert_private(escaped.as_bytes(), "Remove the members");
}

#[test]
fn no_refusal_repeats_its_input() {
    let canary = "c4n4ryc4n4ryc4n4ry";
    for input in [
        canary.to_owned(),
        format!("-----BEGIN {canary}-----\n{canary}\n-----END X-----"),
        format!(r#"{{"kty":"{canary}"}}"#),
        format!(r#"{{"{canary}":1,"{canary}":1}}"#),
        ec_jwk(&p256(), &format!(r#""alg":"{canary}","#)),
        format!("ssh-rsa {canary}"),
        format!("ssh-{canary} AAAA"),
    ] {
        let refusal = import(input).unwrap_err();
        assert!(!format!("{refusal} {refusal:?}").contains(canary));
    }
}
