//! A checkpoint is believed only in its one form and with the signature of its log (`approvals.md` C13).

use countersign_crypto::checkpoint::{
    Checkpoint, CheckpointRefusal, LogSigner, LogVerifier, UnverifiedCheckpoint,
};
use countersign_crypto::{SigningAlgorithm, SigningKey, sha256};

const NAME: &str = "countersign.example/tn-1";

fn signer() -> LogSigner {
    LogSigner::new(NAME, SigningKey::generate(SigningAlgorithm::EdDsa)).unwrap()
}

fn checkpoint() -> Checkpoint {
    Checkpoint::new(NAME, 42, sha256(&[b"root"])).unwrap()
}

fn verify(note: &str, log: &LogVerifier) -> Result<Checkpoint, CheckpointRefusal> {
    let verified = UnverifiedCheckpoint::parse(note)?.verify(log)?;
    Ok(verified.checkpoint().clone())
}

/// The key in the examples of golang.org/x/mod/sumdb/note, which wrote signed notes first.
#[test]
fn a_key_of_another_implementation_is_read() {
    let text = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    let verifier: LogVerifier = text.parse().unwrap();
    assert_eq!(verifier.to_string(), text);
    assert_eq!(verifier.name(), "PeterNeumann");
}

/// The example of C2SP tlog-witness, signed with two keys of the log's name.
#[test]
fn the_example_of_the_specification_is_read_and_signed_by_keys_that_are_not_ours() {
    let note = "example.com/behind-the-sofa\n\
        20852163\n\
        CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\
        \n\
        \u{2014} example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n\
        \u{2014} example.com/behind-the-sofa opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=\n";
    let unverified = UnverifiedCheckpoint::parse(note).unwrap();
    assert_eq!(unverified.origin(), "example.com/behind-the-sofa");
    let key = SigningKey::generate(SigningAlgorithm::EdDsa);
    let ours = LogSigner::new(unverified.origin(), key).unwrap();
    let refusal = unverified.verify(ours.verifier()).unwrap_err();
    assert_eq!(refusal, CheckpointRefusal::SignatureMissing);
}

#[test]
fn a_signed_checkpoint_has_the_form_of_the_specification() {
    let signer = signer();
    let note = signer.sign(&checkpoint()).unwrap();
    let lines: Vec<&str> = note.split('\n').collect();
    let root = "SBNJTRN+FjG7owHVrDWgMW+UJ3n1OGkJ0bsPaEiwJuA=";
    assert_eq!(lines[..2], [NAME, "42"]);
    assert_eq!((lines[2].len(), lines[3]), (root.len(), ""));
    assert!(lines[4].starts_with("\u{2014} countersign.example/tn-1 "));
    assert_eq!(lines[5..], [""]);
    let unverified = UnverifiedCheckpoint::parse(&note).unwrap();
    assert_eq!(unverified.origin(), NAME);
    assert_eq!(verify(&note, signer.verifier()), Ok(checkpoint()));
    let published: LogVerifier = signer.verifier().to_string().parse().unwrap();
    assert_eq!(&published, signer.verifier());
    assert_eq!(verify(&note, &published), Ok(checkpoint()));
    let empty = Checkpoint::new(NAME, 0, sha256(&[])).unwrap();
    let note = signer.sign(&empty).unwrap();
    assert_eq!(verify(&note, signer.verifier()), Ok(empty));
}

#[test]
fn every_changed_character_is_noticed() {
    let signer = signer();
    let note = signer.sign(&checkpoint()).unwrap();
    for (place, character) in note.char_indices() {
        for other in ['0', 'A', ' ', '\n', '+'] {
            if other != character {
                let mut changed = note.clone();
                changed.replace_range(place..place + character.len_utf8(), &other.to_string());
                let verdict = verify(&changed, signer.verifier());
                assert!(verdict.is_err(), "{changed:?}");
            }
        }
    }
}

#[test]
fn the_signature_of_another_log_or_key_is_none() {
    let (one, other) = (signer(), signer());
    let note = one.sign(&checkpoint()).unwrap();
    assert_eq!(
        verify(&note, other.verifier()),
        Err(CheckpointRefusal::SignatureMissing)
    );
    let key = SigningKey::generate(SigningAlgorithm::EdDsa);
    let foreign = LogSigner::new("other.example", key).unwrap();
    assert_eq!(
        verify(&note, foreign.verifier()),
        Err(CheckpointRefusal::OriginMismatch)
    );
    assert_eq!(
        foreign.sign(&checkpoint()),
        Err(CheckpointRefusal::OriginMismatch)
    );
    // The signature of one checkpoint under the text of another.
    let later = Checkpoint::new(NAME, 43, sha256(&[b"later"])).unwrap();
    let signature = note.rsplit("\n\n").next().unwrap();
    let swapped = format!("{later}\n{signature}");
    assert_eq!(
        verify(&swapped, one.verifier()),
        Err(CheckpointRefusal::SignatureInvalid)
    );
}

#[test]
fn signatures_of_unknown_keys_are_passed_over_and_two_of_one_key_refused() {
    let signer = signer();
    let note = signer.sign(&checkpoint()).unwrap();
    let witness = "\u{2014} witness.example AAAAAQAAAAAAAAAAAAA=\n";
    assert_eq!(
        verify(&format!("{note}{witness}"), signer.verifier()),
        Ok(checkpoint())
    );
    let (text, own) = note.split_once("\n\n").unwrap();
    let before = format!("{text}\n\n{witness}{own}");
    assert_eq!(verify(&before, signer.verifier()), Ok(checkpoint()));
    for lines in [format!("{own}{own}"), format!("{own}{witness}{witness}")] {
        let twice = UnverifiedCheckpoint::parse(&format!("{text}\n\n{lines}"));
        assert_eq!(twice, Err(CheckpointRefusal::SignatureDuplicate));
    }
    let alone = format!("{text}\n\n{witness}");
    assert_eq!(
        verify(&alone, signer.verifier()),
        Err(CheckpointRefusal::SignatureMissing)
    );
}

#[test]
fn a_checkpoint_has_one_form() {
    let signer = signer();
    let note = signer.sign(&checkpoint()).unwrap();
    for (from, to) in [
        ("\n42\n", "\n042\n"),
        ("\n42\n", "\n+42\n"),
        ("\n42\n", "\n-1\n"),
        ("\n42\n", "\n18446744073709551616\n"),
        ("\n42\n", "\n\n"),
        ("=\n\n", "\n\n"),
        ("=\n\n", "=\nextension\n\n"),
        ("\n\n", "\n"),
        ("\u{2014} ", "- "),
        ("\u{2014} ", "\u{2014}  "),
        ("\u{2014} ", "\u{2014} a b "),
        ("\n", "\r\n"),
    ] {
        let changed = note.replacen(from, to, 1);
        assert_ne!(changed, note, "{from:?}");
        let refusal = verify(&changed, signer.verifier()).unwrap_err();
        let is_form = matches!(
            refusal,
            CheckpointRefusal::Malformed | CheckpointRefusal::NameUnacceptable
        );
        assert!(is_form, "{from:?} {to:?} {refusal}");
    }
    for text in [
        "",
        "\n\n",
        "\n\n\n",
        note.trim_end(),
        &note[..note.len() / 2],
    ] {
        assert_eq!(
            UnverifiedCheckpoint::parse(text),
            Err(CheckpointRefusal::Malformed)
        );
    }
    let many = "\u{2014} w AAAAAAA=\n".repeat(33);
    let (text, _) = note.split_once("\n\n").unwrap();
    for long in [format!("{text}\n\n{many}"), "a".repeat(16 * 1024 + 1)] {
        assert_eq!(
            UnverifiedCheckpoint::parse(&long),
            Err(CheckpointRefusal::TooLong)
        );
    }
}

#[test]
fn only_an_ed25519_key_under_a_plain_name_is_a_logs() {
    let key = |algorithm| SigningKey::generate(algorithm);
    let refused = LogSigner::new(NAME, key(SigningAlgorithm::Es256)).unwrap_err();
    assert_eq!(refused, CheckpointRefusal::KeyUnacceptable);
    let long = "a".repeat(256);
    for name in ["", "a b", "a+b", "a\n", "a\u{a0}b", "a\u{7f}", &long] {
        let refused = LogSigner::new(name, key(SigningAlgorithm::EdDsa)).unwrap_err();
        assert_eq!(refused, CheckpointRefusal::NameUnacceptable, "{name:?}");
        let refused = Checkpoint::new(name, 0, sha256(&[])).unwrap_err();
        assert_eq!(refused, CheckpointRefusal::NameUnacceptable, "{name:?}");
    }
    let good = signer().verifier().to_string();
    // Not from the end: base64 may have a plus.
    let (front, key) = good.split_at(NAME.len() + 9);
    let key = &key[1..];
    for (text, expected) in [
        (String::new(), CheckpointRefusal::KeyMalformed),
        (front.to_owned(), CheckpointRefusal::KeyMalformed),
        (
            format!("{NAME}+00000000+{key}"),
            CheckpointRefusal::KeyMalformed,
        ),
        (format!("x{good}"), CheckpointRefusal::KeyMalformed),
        (format!("{front}+AQ=="), CheckpointRefusal::KeyMalformed),
        (format!("{front}+Ag=="), CheckpointRefusal::KeyUnacceptable),
        // The neutral element.
        (
            format!("{front}+AQ{}", "A".repeat(42)),
            CheckpointRefusal::KeyUnacceptable,
        ),
    ] {
        assert_eq!(text.parse::<LogVerifier>(), Err(expected), "{text}");
    }
}
