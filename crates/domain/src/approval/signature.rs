//! A signature under a statement, and the value that only its verification makes.

use countersign_crypto::ssh::{
    PersonKey, SshSignatureRefusal, UnverifiedSshSignature, UserVerification,
};
use countersign_crypto::webauthn::{
    AssertionResponse, PasskeyPublicKey, PasskeyRefusal, RegisteredKey, RelyingParty,
    verify_assertion,
};
use countersign_crypto::{Algorithm, Digest32, PublicKey, b64};
use serde::{Deserialize, Serialize};

use super::statement::{STATEMENT_TTL, Signer, SignerRole, Statement};
use crate::roster::{AuthenticatorKey, CredentialId, Roster};
use crate::time::UnixTime;

/// What an SSH signature under a statement is for, so that it serves nothing else.
pub const SSH_NAMESPACE: &str = "countersign-statement";

/// Octets, written as base64url.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Octets(pub Vec<u8>);

/// The text is not base64url.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not base64url without padding")]
pub struct MalformedOctets;

impl From<Octets> for String {
    fn from(octets: Octets) -> Self {
        b64::encode(octets.0)
    }
}

impl TryFrom<String> for Octets {
    type Error = MalformedOctets;

    fn try_from(text: String) -> Result<Self, MalformedOctets> {
        b64::decode_canonical(text)
            .map(Self)
            .map_err(|_| MalformedOctets)
    }
}

/// The signature under a statement, as it comes and as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Signature {
    /// A WebAuthn assertion whose challenge is the statement's.
    Passkey {
        /// `response.authenticatorData`.
        authenticator_data: Octets,
        /// `response.clientDataJSON`.
        client_data_json: Octets,
        /// The credential that signed.
        credential_id: CredentialId,
        /// `response.signature`.
        signature: Octets,
    },
    /// An SSH signature in the namespace `countersign-statement`, over the challenge in lower-case hexadecimal.
    PersonKey {
        /// The key that signed.
        credential_id: CredentialId,
        /// SSHSIG, armoured.
        signature: String,
    },
}

impl Signature {
    /// The authenticator that signed.
    #[must_use]
    pub const fn credential(&self) -> &CredentialId {
        match self {
            Self::Passkey { credential_id, .. } | Self::PersonKey { credential_id, .. } => {
                credential_id
            }
        }
    }
}

/// Why a signature under a statement is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureRefusal {
    /// The passkey says of itself what it did not say when it was enrolled (WebAuthn §7.2).
    #[error(
        "the passkey was enrolled as one that is, or is not, copied to other devices, and now says otherwise"
    )]
    BackupEligibilityChanged,
    /// Another authenticator signed than the statement names.
    #[error("another authenticator signed than the one that was asked")]
    CredentialMismatch,
    /// The authenticator was revoked before it signed.
    #[error("the authenticator was revoked before it signed")]
    CredentialRevoked,
    /// The authenticator is not the signer's.
    #[error("the authenticator is not enrolled for this signer in this organization")]
    CredentialUnknown,
    /// A passkey where a person key is enrolled, or the other way round.
    #[error("the signature is of another kind than the authenticator")]
    KindMismatch,
    /// It came after the statement's deadline.
    #[error("the signature came after the statement's deadline: begin again")]
    Late,
    /// The check of the passkey's assertion refuses it.
    #[error("{0}")]
    Passkey(PasskeyRefusal),
    /// The key of the authenticator cannot be read.
    #[error("the key of the authenticator cannot be read")]
    KeyUnreadable,
    /// The check of the SSH signature refuses it.
    #[error("{0}")]
    PersonKey(SshSignatureRefusal),
    /// The signer's kind and the statement's role do not fit.
    #[error("a holder of a recovery key signs as such, and a user does not")]
    RoleMismatch,
    /// The statement belongs to another organization.
    #[error("the statement belongs to another organization")]
    TenantMismatch,
    /// The statement lives longer than five minutes, or cannot be written canonically.
    #[error("the statement is malformed")]
    StatementMalformed,
}

impl SignatureRefusal {
    /// The stable name of the condition.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::BackupEligibilityChanged => "passkey_backup_eligibility_changed",
            Self::CredentialMismatch => "credential_mismatch",
            Self::CredentialRevoked => "credential_revoked",
            Self::CredentialUnknown => "credential_unknown",
            Self::KeyUnreadable => "credential_key_unreadable",
            Self::KindMismatch => "signature_kind_mismatch",
            Self::Late => "statement_expired",
            Self::Passkey(refusal) => refusal.code(),
            Self::PersonKey(refusal) => refusal.code(),
            Self::RoleMismatch => "signer_role_mismatch",
            Self::StatementMalformed => "statement_malformed",
            Self::TenantMismatch => "statement_of_another_organization",
        }
    }
}

/// What a signature is verified against.
#[derive(Clone, Copy, Debug)]
pub struct Verifier<'a> {
    /// Whose authenticators.
    pub roster: &'a Roster,
    /// The pages that ask for passkeys.
    pub relying_party: &'a RelyingParty,
    /// The highest count seen of the passkey; 0 when a stored signature is verified again, or it does not count.
    pub sign_count: u32,
    /// When the signature came.
    pub at: UnixTime,
}

/// A statement with a signature that verified. Only [`Statement::verify`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedStatement {
    statement: Statement,
    signature: Signature,
    at: UnixTime,
    ceremony: Ceremony,
}

/// What the authenticator said of itself and the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ceremony {
    sign_count: u32,
    is_backed_up: bool,
    is_user_verified: bool,
}

impl SignedStatement {
    /// The statement.
    #[must_use]
    pub const fn statement(&self) -> &Statement {
        &self.statement
    }

    /// The signature, to be kept as evidence.
    #[must_use]
    pub const fn signature(&self) -> &Signature {
        &self.signature
    }

    /// When it came.
    #[must_use]
    pub const fn at(&self) -> UnixTime {
        self.at
    }

    /// The passkey's counter, to be stored; 0 where there is none.
    #[must_use]
    pub const fn sign_count(&self) -> u32 {
        self.ceremony.sign_count
    }

    /// Whether the passkey is copied to other devices (BS); never for a person key.
    #[must_use]
    pub const fn is_backed_up(&self) -> bool {
        self.ceremony.is_backed_up
    }

    /// Whether the authenticator asked the person for a PIN, a fingerprint or a face: always for a passkey, for a person
    /// key only where it lies in a security key that did.
    #[must_use]
    pub const fn is_user_verified(&self) -> bool {
        self.ceremony.is_user_verified
    }
}

impl Statement {
    /// Verifies the signature under this statement: it came in time, from the authenticator that the statement names,
    /// which the roster holds for that signer, and it covers exactly this statement.
    ///
    /// # Errors
    /// [`SignatureRefusal`] names the first check that fails.
    pub fn verify(
        self,
        signature: Signature,
        against: Verifier<'_>,
    ) -> Result<SignedStatement, SignatureRefusal> {
        let lives_on = against.at.plus(STATEMENT_TTL);
        if self.tenant != against.roster.tenant_id() {
            return Err(SignatureRefusal::TenantMismatch);
        }
        if self.v != 1 || self.not_after > lives_on {
            return Err(SignatureRefusal::StatementMalformed);
        }
        if against.at > self.not_after {
            return Err(SignatureRefusal::Late);
        }
        if *signature.credential() != self.credential {
            return Err(SignatureRefusal::CredentialMismatch);
        }
        let challenge = self
            .challenge()
            .map_err(|_| SignatureRefusal::StatementMalformed)?;
        let key = self.key(against)?;
        let ceremony = check(&signature, &key, challenge, against)?;
        Ok(SignedStatement {
            statement: self,
            signature,
            at: against.at,
            ceremony,
        })
    }

    /// The key that the roster holds for the signer.
    fn key(&self, against: Verifier<'_>) -> Result<AuthenticatorKey, SignatureRefusal> {
        match (self.user, self.role) {
            (Signer::User(user), SignerRole::Checker | SignerRole::Founder | SignerRole::Maker) => {
                let enrolled = against.roster.authenticator(&self.credential);
                let enrolled = enrolled
                    .filter(|one| one.state.user == user)
                    .ok_or(SignatureRefusal::CredentialUnknown)?;
                if !enrolled.state.is_believed_at(against.at) {
                    return Err(SignatureRefusal::CredentialRevoked);
                }
                Ok(enrolled.state.key.clone())
            }
            (Signer::Holder(id), SignerRole::Recovery) => {
                let recovery = against.roster.recovery();
                let holder = recovery.and_then(|recovery| recovery.state.holder(id));
                let key = holder.map(|holder| AuthenticatorKey::PersonKey {
                    public_key: holder.public_key.clone(),
                });
                key.filter(|key| key.is_named(&self.credential))
                    .ok_or(SignatureRefusal::CredentialUnknown)
            }
            _ => Err(SignatureRefusal::RoleMismatch),
        }
    }
}

/// What the authenticator said, if the signature is good.
fn check(
    signature: &Signature,
    key: &AuthenticatorKey,
    challenge: Digest32,
    against: Verifier<'_>,
) -> Result<Ceremony, SignatureRefusal> {
    match (signature, key) {
        (
            Signature::Passkey {
                authenticator_data,
                client_data_json,
                signature,
                ..
            },
            AuthenticatorKey::Passkey {
                algorithm,
                backup_eligible,
                public_key,
                ..
            },
        ) => {
            let response = AssertionResponse {
                authenticator_data: &authenticator_data.0,
                client_data_json: &client_data_json.0,
                signature: &signature.0,
            };
            let registered = RegisteredKey {
                key: &passkey(*algorithm, public_key)?,
                sign_count: against.sign_count,
            };
            let party = against.relying_party;
            let verified = verify_assertion(party, challenge.as_bytes(), registered, response);
            let verified = verified.map_err(SignatureRefusal::Passkey)?;
            if verified.flags().is_backup_eligible() != *backup_eligible {
                return Err(SignatureRefusal::BackupEligibilityChanged);
            }
            Ok(Ceremony {
                sign_count: verified.sign_count(),
                is_backed_up: verified.flags().is_backed_up(),
                is_user_verified: true,
            })
        }
        (Signature::PersonKey { signature, .. }, AuthenticatorKey::PersonKey { public_key }) => {
            let key: PersonKey = public_key
                .parse()
                .map_err(|_| SignatureRefusal::KeyUnreadable)?;
            let message = challenge.to_string();
            let verified = UnverifiedSshSignature::parse(signature.as_bytes())
                .and_then(|signature| {
                    let any = UserVerification::NotRequired;
                    signature.verify(&key, SSH_NAMESPACE, message.as_bytes(), any)
                })
                .map_err(SignatureRefusal::PersonKey)?;
            Ok(Ceremony {
                sign_count: 0,
                is_backed_up: false,
                is_user_verified: verified.is_user_verified(),
            })
        }
        _ => Err(SignatureRefusal::KindMismatch),
    }
}

fn passkey(algorithm: Algorithm, pem: &str) -> Result<PasskeyPublicKey, SignatureRefusal> {
    let key = PublicKey::from_pem(pem).map_err(|_| SignatureRefusal::KeyUnreadable)?;
    PasskeyPublicKey::from_spki(algorithm, key.spki_der())
        .map_err(|_| SignatureRefusal::KeyUnreadable)
}
