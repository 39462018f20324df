//! `countersign keygen`: a key pair for a server that signs assertions.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use countersign_crypto::{RsaSize, SigningAlgorithm, SigningKey};
use serde_json::json;

use super::failure::Failure;
use super::files::{self, PRIVATE, PUBLIC};
use super::output::{self, Answer};

/// Arguments of `keygen`.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  countersign keygen --out ./keys/payments")]
pub(crate) struct KeygenArgs {
    /// What the key signs with
    #[arg(long, value_enum, default_value = "es256", ignore_case = true)]
    pub(crate) algorithm: KeygenAlgorithm,
    /// Length of an RSA key, in bits
    #[arg(long, value_enum, default_value = "2048", value_name = "BITS")]
    rsa_bits: RsaBits,
    /// Where to put it: makes NAME.key.pem (mode 0600) and NAME.pub.pem; never overwrites
    #[arg(long, value_name = "DIR/NAME", default_value = "./countersign-key")]
    pub(crate) out: PathBuf,
    /// The organization, for the commands that are printed
    #[arg(long, value_name = "TENANT", env = "COUNTERSIGN_ORG")]
    pub(crate) org: Option<String>,
    /// Print JSON, for programs
    #[arg(long)]
    pub(crate) json: bool,
}

/// The algorithms of keys that sign assertions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum KeygenAlgorithm {
    /// ECDSA with P-256: fast and small
    Es256,
    /// Ed25519
    Eddsa,
    /// RSA with PKCS#1 v1.5, for software that knows nothing else
    Rs256,
    /// RSA with PSS
    Ps256,
}

impl From<KeygenAlgorithm> for SigningAlgorithm {
    fn from(algorithm: KeygenAlgorithm) -> Self {
        match algorithm {
            KeygenAlgorithm::Es256 => Self::Es256,
            KeygenAlgorithm::Eddsa => Self::EdDsa,
            KeygenAlgorithm::Rs256 => Self::Rs256,
            KeygenAlgorithm::Ps256 => Self::Ps256,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum RsaBits {
    /// Good beyond 2030
    #[value(name = "2048")]
    Bits2048,
    /// 128 bits of security
    #[value(name = "3072")]
    Bits3072,
    /// Slow to sign with
    #[value(name = "4096")]
    Bits4096,
}

impl From<RsaBits> for RsaSize {
    fn from(bits: RsaBits) -> Self {
        match bits {
            RsaBits::Bits2048 => Self::Bits2048,
            RsaBits::Bits3072 => Self::Bits3072,
            RsaBits::Bits4096 => Self::Bits4096,
        }
    }
}

pub(super) fn run(args: &KeygenArgs) -> Result<Answer, Failure> {
    let private = with_ending(&args.out, ".key.pem");
    let public = with_ending(&args.out, ".pub.pem");
    if let Some(existing) = [&private, &public].into_iter().find(|path| path.exists()) {
        return Err(Failure::FileExists(existing.clone()));
    }
    if let Some(directory) = args.out.parent().filter(|path| *path != Path::new("")) {
        files::create_directory(directory)?;
    }
    let key = SigningKey::generate_sized(args.algorithm.into(), args.rsa_bits.into());
    files::create(&private, PRIVATE, key.to_pkcs8_pem().as_bytes())?;
    let written = files::create(&public, PUBLIC, key.public_key().to_pem().as_bytes());
    written.inspect_err(|_| {
        // Half a pair is of no use, and would be in the way of the next attempt.
        let _removed = fs::remove_file(&private);
    })?;
    Ok(answer(args, &key, &private, &public))
}

fn answer(args: &KeygenArgs, key: &SigningKey, private: &Path, public: &Path) -> Answer {
    let fingerprint = key.public_key().fingerprint().to_string();
    let facts = output::pairs(&[
        (
            "private key",
            format!("{} (keep it on this machine)", private.display()),
        ),
        ("public key", public.display().to_string()),
        (
            "algorithm",
            format!("{}, {}", key.algorithm(), key.public_key().kind()),
        ),
        ("SHA-256", fingerprint.clone()),
    ]);
    let org = args
        .org
        .as_ref()
        .map(|org| format!(" --org {}", quoted(org)));
    let org = org.unwrap_or_default();
    let [register, token] = [("config create", public), ("token", private)].map(|(verb, path)| {
        let path = quoted(&path.display().to_string());
        format!("countersign {verb}{org} --key {path}")
    });
    let text = format!(
        "{facts}\n\nNext, register the public key:\n  {register}\nThen get a token:\n  {token}"
    );
    let json = json!({
        "private_key_file": private.display().to_string(),
        "public_key_file": public.display().to_string(),
        "algorithm": key.algorithm().as_str(),
        "fingerprint_sha256": fingerprint,
        "next": [register, token],
    });
    Answer::new(text, json)
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// The text as one word of a shell.
pub(super) fn quoted(text: &str) -> String {
    let plain = |octet: u8| octet.is_ascii_alphanumeric() || b"-_./~=:@%+,".contains(&octet);
    if !text.is_empty() && text.bytes().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use countersign_crypto::PublicKey;
    use serde_json::Value;

    use super::super::files::tests::mode;
    use super::*;

    fn args(out: PathBuf, algorithm: KeygenAlgorithm) -> KeygenArgs {
        KeygenArgs {
            algorithm,
            rsa_bits: RsaBits::Bits2048,
            out,
            org: Some("tn-1".to_owned()),
            json: false,
        }
    }

    #[test]
    fn the_private_key_is_its_owners_and_belongs_to_the_public_one() {
        let place = tempfile::tempdir().unwrap();
        for algorithm in KeygenAlgorithm::value_variants() {
            let out = place.path().join(format!("new/{algorithm:?}"));
            run(&args(out.clone(), *algorithm)).unwrap();
            let private = with_ending(&out, ".key.pem");
            assert_eq!(mode(&private), 0o600);
            assert_eq!(mode(private.parent().unwrap()), 0o700);
            let key = files::private_key(&private, Some((*algorithm).into())).unwrap();
            let public = fs::read_to_string(with_ending(&out, ".pub.pem")).unwrap();
            assert_eq!(&PublicKey::from_pem(&public).unwrap(), key.public_key());
        }
    }

    #[test]
    fn no_file_is_overwritten_and_no_half_pair_stays_behind() {
        let place = tempfile::tempdir().unwrap();
        let out = place.path().join("k");
        let args = args(out.clone(), KeygenAlgorithm::Es256);
        fs::write(with_ending(&out, ".pub.pem"), "mine").unwrap();
        let failure = run(&args).unwrap_err();
        assert_eq!((failure.code(), failure.exit_code()), ("file_exists", 5));
        assert!(!with_ending(&out, ".key.pem").exists());
        assert_eq!(
            fs::read_to_string(with_ending(&out, ".pub.pem")).unwrap(),
            "mine"
        );
    }

    #[test]
    fn the_next_two_commands_carry_the_real_paths() {
        let place = tempfile::tempdir().unwrap();
        let out = place.path().join("my key");
        let answer = run(&args(out.clone(), KeygenAlgorithm::Es256)).unwrap();
        let text = answer.render(false);
        let path = out.display();
        assert!(
            text.contains(&format!(
                "countersign config create --org tn-1 --key '{path}.pub.pem'\n"
            )),
            "{text}"
        );
        assert!(
            text.contains(&format!(
                "countersign token --org tn-1 --key '{path}.key.pem'\n"
            )),
            "{text}"
        );
        let json: Value = serde_json::from_str(&answer.render(true)).unwrap();
        assert_eq!(json["private_key_file"], format!("{path}.key.pem"));
    }

    #[test]
    fn a_word_for_the_shell_stays_one_word() {
        assert_eq!(quoted("./a-b.pem"), "./a-b.pem");
        assert_eq!(quoted("it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(quoted(""), "''");
    }
}
