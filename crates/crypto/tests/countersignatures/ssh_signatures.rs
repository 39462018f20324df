//! An SSH signature counts only for its key, its purpose and its message (`approvals.md` C12), and OpenSSH agrees.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_crypto::ssh::{
    PersonKey, PersonKeyKind, PersonKeyRejected, SshSignatureRefusal, SshSignatureRequest,
    UnverifiedSshSignature, UserVerification, VerifiedSshSignature,
};
use countersign_crypto::{SigningAlgorithm, SigningKey, sha256};

use crate::ssh_keys::{Parts, SK_ECDSA, SK_ED25519, SshKey, mpint, string};

const NAMESPACE: &str = "countersign-decision";
const MESSAGE: &[u8] = b"the statement\n";
const TYPES: [&str; 5] = [
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ssh-rsa",
    SK_ED25519,
    SK_ECDSA,
];

fn request() -> SshSignatureRequest {
    SshSignatureRequest::new(NAMESPACE, MESSAGE).unwrap()
}

/// Reads and verifies under the key, with the person verified wherever the key can say so.
fn verify(octets: &[u8], key: &SshKey) -> Result<VerifiedSshSignature, SshSignatureRefusal> {
    verify_under(octets, &key.person_key())
}

fn verify_under(
    octets: &[u8],
    key: &PersonKey,
) -> Result<VerifiedSshSignature, SshSignatureRefusal> {
    let verification = match key.kind().is_security_key() {
        true => UserVerification::Required,
        false => UserVerification::NotRequired,
    };
    UnverifiedSshSignature::parse(octets)?.verify(key, NAMESPACE, MESSAGE, verification)
}

fn parts(key: &SshKey) -> Parts {
    Parts::new(key, NAMESPACE, request().to_be_signed())
}

#[test]
fn every_accepted_type_of_key_signs_through_an_agent() {
    for name in TYPES {
        let key = SshKey::new(name);
        let text = request()
            .assemble(&key.person_key(), &key.sign(request().to_be_signed()))
            .unwrap();
        assert!(text.starts_with("-----BEGIN SSH SIGNATURE-----\n"));
        let verified = verify(text.as_bytes(), &key).unwrap();
        assert_eq!(verified.key(), &key.person_key());
        assert_eq!(verified.is_user_verified(), key.application.is_some());
        assert_eq!(verified.counter(), key.application.map(|_| 7));
        assert_eq!(verify(&parts(&key).octets(), &key), Ok(verified));
        // With the line ends and the spaces of a mail.
        let mailed = format!("\r\n {}", text.replace('\n', " \r\n"));
        verify(mailed.as_bytes(), &key).unwrap();
    }
}

#[test]
fn a_signature_counts_for_its_key_its_purpose_and_its_message() {
    for name in TYPES {
        let (key, other) = (SshKey::new(name), SshKey::new(name));
        let octets = parts(&key).octets();
        assert_eq!(
            verify(&octets, &other),
            Err(SshSignatureRefusal::KeyMismatch)
        );
        let judge = |namespace, message| {
            UnverifiedSshSignature::parse(&octets).unwrap().verify(
                &key.person_key(),
                namespace,
                message,
                UserVerification::NotRequired,
            )
        };
        assert!(judge(NAMESPACE, MESSAGE).is_ok());
        assert_eq!(
            judge("git", MESSAGE),
            Err(SshSignatureRefusal::NamespaceMismatch)
        );
        assert_eq!(
            judge(NAMESPACE, b"x"),
            Err(SshSignatureRefusal::SignatureInvalid)
        );
        // Said to be for our purpose, but signed for another.
        let stolen = SshSignatureRequest::new("git", MESSAGE).unwrap();
        let stolen = Parts::new(&key, NAMESPACE, stolen.to_be_signed()).octets();
        assert_eq!(
            verify(&stolen, &key),
            Err(SshSignatureRefusal::SignatureInvalid)
        );
        // The key of one person beside the signature of another.
        let mut mixed = parts(&key);
        mixed.key = other.wire();
        assert_eq!(
            verify(&mixed.octets(), &other),
            Err(SshSignatureRefusal::SignatureInvalid)
        );
    }
}

#[test]
fn every_octet_counts() {
    for name in TYPES {
        let key = SshKey::new(name);
        let (octets, person_key) = (parts(&key).octets(), key.person_key());
        for index in 0..octets.len() {
            let mut changed = octets.clone();
            changed[index] ^= 1;
            assert!(
                verify_under(&changed, &person_key).is_err(),
                "{name}: octet {index}"
            );
            let cut = UnverifiedSshSignature::parse(&octets[..index]);
            assert_eq!(cut, Err(SshSignatureRefusal::Malformed));
        }
        let longer = [octets.as_slice(), &[0]].concat();
        assert_eq!(verify(&longer, &key), Err(SshSignatureRefusal::Malformed));
    }
}

#[test]
fn a_security_key_must_be_touched_and_verify_the_person_where_asked() {
    for name in [SK_ED25519, SK_ECDSA] {
        let judge = |flags, verification| {
            let key = SshKey {
                flags,
                ..SshKey::new(name)
            };
            UnverifiedSshSignature::parse(&parts(&key).octets())
                .unwrap()
                .verify(&key.person_key(), NAMESPACE, MESSAGE, verification)
                .map(|verified| verified.is_user_verified())
        };
        assert_eq!(judge(0b101, UserVerification::Required), Ok(true));
        assert_eq!(judge(0b001, UserVerification::NotRequired), Ok(false));
        let unverified = Err(SshSignatureRefusal::UserNotVerified);
        assert_eq!(judge(0b001, UserVerification::Required), unverified);
        for flags in [0b000, 0b100] {
            let untouched = Err(SshSignatureRefusal::UserNotPresent);
            assert_eq!(judge(flags, UserVerification::NotRequired), untouched);
        }
    }
    for name in ["ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa"] {
        let key = SshKey::new(name);
        let unverified = UnverifiedSshSignature::parse(&parts(&key).octets()).unwrap();
        let required = UserVerification::Required;
        let verdict = unverified.verify(&key.person_key(), NAMESPACE, MESSAGE, required);
        assert_eq!(verdict, Err(SshSignatureRefusal::UserNotVerified));
    }
}

#[test]
fn a_security_key_for_another_application_signs_something_else() {
    let key = SshKey::new(SK_ED25519);
    let other = SshKey {
        application: Some("ssh:other"),
        ..key
    };
    let named = PersonKey::parse_line(&other.line()).unwrap().0;
    assert_eq!(named.application(), Some("ssh:other"));
    // What a browser would have the same security key sign.
    for application in ["console.example.com", "", "SSH:", "ssh:a\nb"] {
        let key = SshKey {
            application: Some(application),
            ..SshKey::new(SK_ECDSA)
        };
        let refused = PersonKey::parse_line(&key.line()).unwrap_err();
        assert_eq!(refused, PersonKeyRejected::ApplicationUnacceptable);
    }
}

#[test]
fn sha_1_and_algorithms_of_other_keys_are_refused() {
    let rsa = SshKey::new("ssh-rsa");
    let ed25519 = SshKey::new("ssh-ed25519");
    for (key, name) in [
        (&rsa, "ssh-rsa"),
        (&rsa, "ssh-ed25519"),
        (&rsa, "rsa-sha2-1"),
        (&ed25519, "rsa-sha2-512"),
        (&ed25519, SK_ED25519),
        (&ed25519, ""),
    ] {
        let mut parts = parts(key);
        parts.signature = [string(name), string([0; 64])].concat();
        let refusal = UnverifiedSshSignature::parse(&parts.octets()).unwrap_err();
        assert_eq!(refusal, SshSignatureRefusal::AlgorithmNotAllowed, "{name}");
    }
    for hash in ["sha1", "SHA512", "", "sha384"] {
        let parts = Parts {
            hash,
            ..parts(&ed25519)
        };
        let refusal = UnverifiedSshSignature::parse(&parts.octets()).unwrap_err();
        assert_eq!(refusal, SshSignatureRefusal::HashNotAllowed);
    }
    // The digest of one algorithm under the name of the other.
    let renamed = Parts {
        hash: "sha256",
        ..parts(&ed25519)
    };
    let refusal = verify(&renamed.octets(), &ed25519).unwrap_err();
    assert_eq!(refusal, SshSignatureRefusal::SignatureInvalid);
}

#[test]
fn an_sshsig_has_one_form() {
    let key = SshKey::new("ecdsa-sha2-nistp256");
    let good = parts(&key);
    let (r, s) = ([0x7f; 32], [0x01; 32]);
    let signature = |inner: Vec<u8>| [string("ecdsa-sha2-nistp256"), string(inner)].concat();
    let padded = [string([&[0], r.as_slice()].concat()), mpint(&s)].concat();
    let negative = [string([0x80; 32]), mpint(&s)].concat();
    let long = [mpint(&[0x7f; 33]), mpint(&s)].concat();
    let more = [mpint(&r), mpint(&s), vec![0]].concat();
    let touched = [
        signature([mpint(&r), mpint(&s)].concat()),
        vec![5, 0, 0, 0, 7],
    ]
    .concat();
    for signature in [
        signature(padded),
        signature(negative),
        signature(long),
        signature(more),
        touched,
        Vec::new(),
    ] {
        let parts = Parts {
            signature,
            ..good.clone()
        };
        let refusal = UnverifiedSshSignature::parse(&parts.octets()).unwrap_err();
        assert_eq!(refusal, SshSignatureRefusal::Malformed);
    }
    let with = |change: fn(&mut Parts)| {
        let mut parts = good.clone();
        change(&mut parts);
        UnverifiedSshSignature::parse(&parts.octets())
            .unwrap_err()
            .code()
    };
    assert_eq!(
        with(|parts| parts.magic = b"SSHSIH"),
        "ssh_signature_malformed"
    );
    assert_eq!(with(|parts| parts.version = 2), "ssh_signature_malformed");
    assert_eq!(
        with(|parts| parts.reserved = vec![0]),
        "ssh_signature_malformed"
    );
    assert_eq!(with(|parts| parts.key = vec![0]), "ssh_signature_malformed");
    assert_eq!(
        with(|parts| parts.key = string("ssh-dss")),
        "ssh_signature_key_type_unsupported"
    );
    assert_eq!(
        with(|parts| parts.namespace = vec![0xff]),
        "ssh_signature_malformed"
    );
    for namespace in [Vec::new(), b"a\n".to_vec(), vec![b'a'; 256]] {
        let parts = Parts {
            namespace: namespace.clone(),
            ..good.clone()
        };
        let refusal = UnverifiedSshSignature::parse(&parts.octets()).unwrap_err();
        assert_eq!(refusal, SshSignatureRefusal::NamespaceUnacceptable);
        let namespace = String::from_utf8(namespace).unwrap();
        let refusal = SshSignatureRequest::new(&namespace, b"").unwrap_err();
        assert_eq!(refusal, SshSignatureRefusal::NamespaceUnacceptable);
    }
    for (input, expected) in [
        (vec![b'a'; 8 * 1024 + 1], SshSignatureRefusal::TooLong),
        (vec![b'a'; 4 * 1024 + 1], SshSignatureRefusal::TooLong),
        (
            b"-----BEGIN SSH SIGNATURE-----".to_vec(),
            SshSignatureRefusal::Malformed,
        ),
        (Vec::new(), SshSignatureRefusal::Malformed),
    ] {
        assert_eq!(UnverifiedSshSignature::parse(&input), Err(expected));
    }
}

#[test]
fn a_foreign_signature_is_not_put_together() {
    let (key, other) = (SshKey::new(SK_ED25519), SshKey::new(SK_ED25519));
    let signature = other.sign(request().to_be_signed());
    let refusal = request()
        .assemble(&key.person_key(), &signature)
        .unwrap_err();
    assert_eq!(refusal, SshSignatureRefusal::SignatureInvalid);
    let refusal = request().assemble(&key.person_key(), b"").unwrap_err();
    assert_eq!(refusal, SshSignatureRefusal::Malformed);
    let es256 = SigningKey::generate(SigningAlgorithm::Es256);
    let refusal = request().sign(&es256).unwrap_err();
    assert_eq!(refusal, SshSignatureRefusal::AlgorithmNotAllowed);
}

#[test]
fn a_persons_key_is_read_and_stored_in_one_form() {
    let kinds = [
        PersonKeyKind::Ed25519,
        PersonKeyKind::EcdsaP256,
        PersonKeyKind::Rsa,
        PersonKeyKind::SkEd25519,
        PersonKeyKind::SkEcdsaP256,
    ];
    for (name, kind) in TYPES.into_iter().zip(kinds) {
        let key = SshKey::new(name);
        let (person_key, comment) = PersonKey::parse_line(&format!("{}\n", key.line())).unwrap();
        assert_eq!(
            (person_key.kind(), comment.as_deref()),
            (kind, Some("ana@example"))
        );
        assert_eq!(person_key.application(), key.application);
        let text = person_key.to_string();
        assert_eq!(text, key.line().trim_end_matches(" ana@example"));
        assert_eq!(text.parse(), Ok(person_key.clone()));
        let digest = STANDARD.encode(sha256(&[&key.wire()]).as_bytes());
        let fingerprint = format!("SHA256:{}", digest.trim_end_matches('='));
        assert_eq!(person_key.fingerprint(), fingerprint);
    }
    let good = SshKey::new(SK_ED25519);
    let blob = |wire: &[u8]| STANDARD.encode(wire);
    let line = |name: &str, wire: &[u8]| format!("{name} {}", blob(wire));
    let longer = [good.wire(), vec![0]].concat();
    let p384 = [
        string("ecdsa-sha2-nistp384"),
        string("nistp384"),
        string([4; 97]),
    ]
    .concat();
    let wrong_curve = [
        string(SK_ECDSA),
        string("nistp384"),
        string([4; 65]),
        string("ssh:"),
    ];
    for (line, expected) in [
        (String::new(), PersonKeyRejected::Malformed),
        (SK_ED25519.to_owned(), PersonKeyRejected::Malformed),
        (format!("{SK_ED25519} ?"), PersonKeyRejected::Malformed),
        (
            line("ssh-ed25519", &good.wire()),
            PersonKeyRejected::Malformed,
        ),
        (line(SK_ED25519, &longer), PersonKeyRejected::Malformed),
        (
            line(SK_ECDSA, &wrong_curve.concat()),
            PersonKeyRejected::Malformed,
        ),
        (
            format!("{}\n{}", good.line(), good.line()),
            PersonKeyRejected::Malformed,
        ),
        (
            format!("no-touch-required {}", good.line()),
            PersonKeyRejected::TypeUnsupported,
        ),
        (
            line("ecdsa-sha2-nistp384", &p384),
            PersonKeyRejected::TypeUnsupported,
        ),
        (
            line(&format!("{SK_ED25519}-cert-v01"), b"a"),
            PersonKeyRejected::TypeUnsupported,
        ),
        ("a ".repeat(5000), PersonKeyRejected::Malformed),
    ] {
        assert_eq!(
            PersonKey::parse_line(&line).unwrap_err(),
            expected,
            "{line}"
        );
    }
    let small_order = [string(SK_ED25519), string([0; 32]), string("ssh:")].concat();
    let short = [string(SK_ED25519), string([1; 31]), string("ssh:")].concat();
    let infinity = [
        string(SK_ECDSA),
        string("nistp256"),
        string([0]),
        string("ssh:"),
    ]
    .concat();
    for (name, wire) in [
        (SK_ED25519, small_order),
        (SK_ED25519, short),
        (SK_ECDSA, infinity),
    ] {
        let rejected = PersonKey::parse_line(&line(name, &wire)).unwrap_err();
        assert_eq!(rejected.code(), "person_key_not_accepted");
    }
}

/// Runs `ssh-keygen` in a folder; `None`, and a line that says so, when it is not installed.
fn ssh_keygen(folder: &Path, arguments: &[&str], stdin: &[u8]) -> Option<(bool, String)> {
    let child = Command::new("ssh-keygen")
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        println!("skipped: ssh-keygen is not installed");
        return None;
    };
    child.stdin.take().unwrap().write_all(stdin).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    Some((
        output.status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    ))
}

#[test]
fn openssh_signs_and_we_verify() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    std::fs::write(path.join("message"), MESSAGE).unwrap();
    for (kind, bits) in [("ed25519", "256"), ("ecdsa", "256"), ("rsa", "2048")] {
        let arguments = [
            "-q", "-t", kind, "-b", bits, "-N", "", "-C", "ana", "-f", kind,
        ];
        let Some((made, text)) = ssh_keygen(path, &arguments, b"") else {
            return;
        };
        assert!(made, "{text}");
        let line = std::fs::read_to_string(path.join(format!("{kind}.pub"))).unwrap();
        let (key, comment) = PersonKey::parse_line(&line).unwrap();
        assert_eq!(comment.as_deref(), Some("ana"));
        let (_, shown) = ssh_keygen(path, &["-l", "-f", kind], b"").unwrap();
        assert!(shown.contains(&key.fingerprint()), "{shown}");
        for hash in ["hashalg=sha512", "hashalg=sha256"] {
            let arguments = [
                "-Y", "sign", "-O", hash, "-n", NAMESPACE, "-f", kind, "message",
            ];
            let _ = std::fs::remove_file(path.join("message.sig"));
            let (signed, text) = ssh_keygen(path, &arguments, b"").unwrap();
            assert!(signed, "{text}");
            let signature = std::fs::read(path.join("message.sig")).unwrap();
            let unverified = UnverifiedSshSignature::parse(&signature).unwrap();
            assert_eq!(unverified.key_fingerprint(), key.fingerprint());
            let verification = UserVerification::NotRequired;
            unverified
                .clone()
                .verify(&key, NAMESPACE, MESSAGE, verification)
                .unwrap();
            unverified
                .verify(&key, NAMESPACE, b"other", verification)
                .unwrap_err();
        }
    }
}

#[test]
fn we_sign_and_openssh_verifies() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let own = SigningKey::generate(SigningAlgorithm::EdDsa);
    let text = request().sign(&own).unwrap();
    let own_key = PersonKey::from_ed25519(own.public_key()).unwrap();
    let through_agents = TYPES.map(|name| {
        let key = SshKey::new(name);
        let signature = key.sign(request().to_be_signed());
        let text = request().assemble(&key.person_key(), &signature).unwrap();
        (key.person_key(), text)
    });
    for (key, text) in std::iter::once((own_key, text)).chain(through_agents) {
        let signers = format!("ana@example namespaces=\"{NAMESPACE}\" {key}\n");
        std::fs::write(path.join("signers"), signers).unwrap();
        std::fs::write(path.join("signature"), text).unwrap();
        let verify = |message: &[u8]| {
            let arguments = ["-Y", "verify", "-f", "signers", "-I", "ana@example", "-n"];
            let arguments = [arguments.as_slice(), &[NAMESPACE, "-s", "signature"]].concat();
            ssh_keygen(path, &arguments, message)
        };
        let Some((verified, said)) = verify(MESSAGE) else {
            return;
        };
        assert!(verified, "{key:?}: {said}");
        assert!(!verify(b"other").unwrap().0);
    }
}
