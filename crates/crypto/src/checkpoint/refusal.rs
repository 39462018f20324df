//! Why a checkpoint is not believed.

/// Why a text, a name or a key does not make a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointRefusal {
    /// Logs sign with Ed25519 (signature type 1 of signed notes).
    #[error("a log signs its checkpoints with an Ed25519 key")]
    KeyUnacceptable,
    /// Not `name+id+key`, or the id does not follow from name and key.
    #[error("a verifier key is name+id+key, as the log publishes it")]
    KeyMalformed,
    /// Not exactly origin, size and root, an empty line, and signatures.
    #[error("the checkpoint is malformed (C2SP tlog-checkpoint)")]
    Malformed,
    /// Empty, longer than 255 octets, or with a space, a plus or a control character.
    #[error(
        "the name of a log has 1 to 255 octets, without spaces, plus signs and control characters"
    )]
    NameUnacceptable,
    /// It is the checkpoint of another log.
    #[error("the checkpoint is one of another log")]
    OriginMismatch,
    /// Two signatures of one key.
    #[error("a key has signed the checkpoint twice")]
    SignatureDuplicate,
    /// Not over this text, or not by this key.
    #[error("the signature of the log does not verify")]
    SignatureInvalid,
    /// None of the signatures is the log's.
    #[error("the log has not signed the checkpoint")]
    SignatureMissing,
    /// More than 16 KiB, or more than 32 signatures.
    #[error("the checkpoint is longer than 16 KiB or has more than 32 signatures")]
    TooLong,
}

impl CheckpointRefusal {
    /// The stable name of the condition.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::KeyUnacceptable => "checkpoint_key_unacceptable",
            Self::KeyMalformed => "checkpoint_key_malformed",
            Self::Malformed => "checkpoint_malformed",
            Self::NameUnacceptable => "checkpoint_name_unacceptable",
            Self::OriginMismatch => "checkpoint_origin_mismatch",
            Self::SignatureDuplicate => "checkpoint_signature_duplicate",
            Self::SignatureInvalid => "checkpoint_signature_invalid",
            Self::SignatureMissing => "checkpoint_signature_missing",
            Self::TooLong => "checkpoint_too_long",
        }
    }
}
