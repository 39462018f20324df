//! SSH keys of people, and signatures with them over messages (OpenSSH, PROTOCOL.sshsig), for those who sign on a
//! command line or cannot use a passkey.

mod armour;
mod person_key;
mod refusal;
mod signature;
mod signed_data;
mod signing;
pub(crate) mod wire;

pub use person_key::{PersonKey, PersonKeyKind};
pub use refusal::{PersonKeyRejected, SshSignatureRefusal};
pub use signature::{UnverifiedSshSignature, UserVerification, VerifiedSshSignature};
pub use signing::SshSignatureRequest;
