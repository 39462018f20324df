//! Checkpoints: how long a log is and what it says, signed by the log (C2SP tlog-checkpoint over signed-note).
//!
//! A signed note is a text, an empty line, and lines of signatures. Ours has the log's own; witnesses add theirs, which
//! are passed over here: what they are worth is for those who know the witnesses to say.

mod keys;
mod refusal;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

pub use keys::{LogSigner, LogVerifier};
pub use refusal::CheckpointRefusal;

use crate::Digest32;

const MAX_OCTETS: usize = 16 * 1024;
const MAX_SIGNATURES: usize = 32;

/// The state of a log at one moment. Its text is what is signed: three lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    origin: String,
    size: u64,
    root: Digest32,
}

impl Checkpoint {
    /// Puts a checkpoint together. `origin` is the name of the log.
    ///
    /// # Errors
    /// [`CheckpointRefusal::NameUnacceptable`] when the origin is empty, too long, or has a forbidden character.
    pub fn new(origin: &str, size: u64, root: Digest32) -> Result<Self, CheckpointRefusal> {
        keys::check_name(origin)?;
        Ok(Self {
            origin: origin.to_owned(),
            size,
            root,
        })
    }

    /// The name of the log.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// How many leaves the log has.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root of its tree.
    #[must_use]
    pub fn root(&self) -> Digest32 {
        self.root
    }

    /// Reads the three lines, without the last line end.
    fn parse(text: &str) -> Result<Self, CheckpointRefusal> {
        let lines: Vec<&str> = text.split('\n').collect();
        let [origin, size, root] = lines.as_slice() else {
            return Err(CheckpointRefusal::Malformed);
        };
        let number: u64 = size.parse().map_err(|_| CheckpointRefusal::Malformed)?;
        let octets = STANDARD.decode(root).ok();
        let octets = octets.and_then(|octets| <[u8; 32]>::try_from(octets).ok());
        // One number has one form: no sign and no zeros in front.
        if number.to_string() != *size {
            return Err(CheckpointRefusal::Malformed);
        }
        Self::new(
            origin,
            number,
            Digest32::from_bytes(octets.ok_or(CheckpointRefusal::Malformed)?),
        )
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let root = STANDARD.encode(self.root.as_bytes());
        write!(f, "{}\n{}\n{root}\n", self.origin, self.size)
    }
}

/// A checkpoint that was read and not verified: it shows only which log it claims to be of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnverifiedCheckpoint {
    checkpoint: Checkpoint,
    signatures: Vec<NoteSignature>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct NoteSignature {
    name: String,
    id: [u8; 4],
    signature: Vec<u8>,
}

impl UnverifiedCheckpoint {
    /// Reads a signed note that is a checkpoint without extension lines, each part in its only form.
    ///
    /// # Errors
    /// [`CheckpointRefusal`] when it is malformed, too long, or signed twice by one key.
    pub fn parse(note: &str) -> Result<Self, CheckpointRefusal> {
        if note.len() > MAX_OCTETS {
            return Err(CheckpointRefusal::TooLong);
        }
        let (text, lines) = note
            .split_once("\n\n")
            .ok_or(CheckpointRefusal::Malformed)?;
        let lines = lines
            .strip_suffix('\n')
            .ok_or(CheckpointRefusal::Malformed)?;
        if lines.split('\n').count() > MAX_SIGNATURES {
            return Err(CheckpointRefusal::TooLong);
        }
        let mut signatures: Vec<NoteSignature> = Vec::new();
        for line in lines.split('\n') {
            let read = NoteSignature::parse(line).ok_or(CheckpointRefusal::Malformed)?;
            if signatures
                .iter()
                .any(|earlier| (&earlier.name, earlier.id) == (&read.name, read.id))
            {
                return Err(CheckpointRefusal::SignatureDuplicate);
            }
            signatures.push(read);
        }
        Ok(Self {
            checkpoint: Checkpoint::parse(text)?,
            signatures,
        })
    }

    /// The log it claims to be of: with it the caller finds the key.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.checkpoint.origin
    }

    /// Verifies the log's own signature; those of others are passed over.
    ///
    /// # Errors
    /// [`CheckpointRefusal`] when it is one of another log, or the log's signature is missing or does not verify.
    pub fn verify(self, log: &LogVerifier) -> Result<VerifiedCheckpoint, CheckpointRefusal> {
        if self.checkpoint.origin != log.name {
            return Err(CheckpointRefusal::OriginMismatch);
        }
        let found = self
            .signatures
            .iter()
            .find(|line| line.name == log.name && line.id == log.id)
            .ok_or(CheckpointRefusal::SignatureMissing)?;
        log.verify(&self.checkpoint.to_string(), &found.signature)?;
        Ok(VerifiedCheckpoint(self.checkpoint))
    }
}

impl NoteSignature {
    /// Reads `— name base64`, where the base64 is of an id and a signature.
    fn parse(line: &str) -> Option<Self> {
        let (name, blob) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
        keys::check_name(name).ok()?;
        let octets = STANDARD.decode(blob).ok()?;
        let (id, signature) = octets.split_first_chunk()?;
        (!signature.is_empty()).then(|| Self {
            name: name.to_owned(),
            id: *id,
            signature: signature.to_vec(),
        })
    }
}

/// A checkpoint that the log has signed. Only [`UnverifiedCheckpoint::verify`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedCheckpoint(Checkpoint);

impl VerifiedCheckpoint {
    /// What was signed.
    #[must_use]
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.0
    }
}
