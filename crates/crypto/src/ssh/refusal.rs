//! Why a person's SSH key or signature is not accepted.

use crate::import::ImportRefusal;

/// Why a line or octets are not a person's SSH key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PersonKeyRejected {
    /// A hardware key that was not made for SSH.
    #[error("the key was not made for SSH: its application must begin with \"ssh:\"")]
    ApplicationUnacceptable,
    /// A key with which nothing would be proven.
    #[error("the SSH key is not accepted: {import}")]
    KeyNotAccepted {
        /// The rule it breaks.
        import: ImportRefusal,
    },
    /// Not `type base64 comment`, or the octets behind it are damaged.
    #[error("the SSH key is damaged: copy the whole line of the .pub file")]
    Malformed,
    /// Another type of key, a certificate among them.
    #[error(
        "the type of the SSH key is not accepted: use sk-ssh-ed25519@openssh.com, sk-ecdsa-sha2-nistp256@openssh.com, \
         ssh-ed25519, ecdsa-sha2-nistp256 or ssh-rsa"
    )]
    TypeUnsupported,
}

impl PersonKeyRejected {
    /// The stable name of the condition.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::ApplicationUnacceptable => "person_key_application_unacceptable",
            Self::KeyNotAccepted { .. } => "person_key_not_accepted",
            Self::Malformed => "person_key_malformed",
            Self::TypeUnsupported => "person_key_type_unsupported",
        }
    }
}

/// Why an SSH signature is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SshSignatureRefusal {
    /// SHA-1, or an algorithm of another type of key.
    #[error("the algorithm of the SSH signature does not fit its key, or is SHA-1")]
    AlgorithmNotAllowed,
    /// Its message was digested with something else.
    #[error("the SSH signature must digest its message with sha256 or sha512")]
    HashNotAllowed,
    /// Made with another key.
    #[error("the SSH signature was made with another key")]
    KeyMismatch,
    /// No key of this type can be registered.
    #[error("the type of the key in the SSH signature is not accepted")]
    KeyTypeUnsupported,
    /// Not an SSHSIG of version 1, in armour or without.
    #[error("the SSH signature is damaged: send the whole file, from BEGIN to END")]
    Malformed,
    /// Made for another purpose.
    #[error("the SSH signature was made for another namespace")]
    NamespaceMismatch,
    /// Empty, longer than 255 octets, or with control characters.
    #[error("a namespace has 1 to 255 octets without control characters")]
    NamespaceUnacceptable,
    /// Not over this message, or not by this key.
    #[error("the SSH signature does not verify over this message")]
    SignatureInvalid,
    /// Longer than any accepted key can make.
    #[error("the SSH signature is longer than any accepted key can make")]
    TooLong,
    /// Nobody touched the security key.
    #[error("the security key did not ask for a touch: make the key without no-touch-required")]
    UserNotPresent,
    /// The security key asked for no PIN or fingerprint, or the key is not one in hardware.
    #[error(
        "the person was not verified: use a security key with a PIN (ssh-keygen -t ed25519-sk -O verify-required)"
    )]
    UserNotVerified,
}

impl SshSignatureRefusal {
    /// The stable name of the condition.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::AlgorithmNotAllowed => "ssh_signature_algorithm_not_allowed",
            Self::HashNotAllowed => "ssh_signature_hash_not_allowed",
            Self::KeyMismatch => "ssh_signature_key_mismatch",
            Self::KeyTypeUnsupported => "ssh_signature_key_type_unsupported",
            Self::Malformed => "ssh_signature_malformed",
            Self::NamespaceMismatch => "ssh_signature_namespace_mismatch",
            Self::NamespaceUnacceptable => "ssh_signature_namespace_unacceptable",
            Self::SignatureInvalid => "ssh_signature_invalid",
            Self::TooLong => "ssh_signature_too_long",
            Self::UserNotPresent => "ssh_signature_user_not_present",
            Self::UserNotVerified => "ssh_signature_user_not_verified",
        }
    }
}
