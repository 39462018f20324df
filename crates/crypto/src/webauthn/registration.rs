//! Enrolling a passkey (WebAuthn §7.1) with attestation conveyance `none`.

use super::{
    AuthenticatorData, Ceremony, ClientData, CredentialId, PasskeyFlags, PasskeyPublicKey,
    PasskeyRefusal, RelyingParty,
};
use crate::cbor::Cbor;

/// What `navigator.credentials.create` gave.
#[derive(Clone, Copy, Debug)]
pub struct RegistrationResponse<'a> {
    /// `response.attestationObject`.
    pub attestation_object: &'a [u8],
    /// `response.clientDataJSON`.
    pub client_data_json: &'a [u8],
}

/// A passkey that a person has just made at this relying party, touching and verified. Only [`register`] makes one.
///
/// Who the person is, and that nobody else has the same credential id, is the caller's to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisteredPasskey {
    aaguid: [u8; 16],
    credential_id: CredentialId,
    flags: PasskeyFlags,
    key: PasskeyPublicKey,
    sign_count: u32,
}

impl RegisteredPasskey {
    /// The model of the authenticator as it says itself: nothing attests it. Zeros when it does not say.
    #[must_use]
    pub fn aaguid(&self) -> [u8; 16] {
        self.aaguid
    }

    /// The credential id.
    #[must_use]
    pub fn credential_id(&self) -> &CredentialId {
        &self.credential_id
    }

    /// The flags: whether the passkey may be copied, and is.
    #[must_use]
    pub fn flags(&self) -> PasskeyFlags {
        self.flags
    }

    /// The public key.
    #[must_use]
    pub fn key(&self) -> &PasskeyPublicKey {
        &self.key
    }

    /// The counter to store beside the key.
    #[must_use]
    pub fn sign_count(&self) -> u32 {
        self.sign_count
    }
}

/// Checks the answer to a request for a new passkey. `challenge` is what was asked, and the caller lets it serve once.
///
/// The attestation statement is read, because a malformed one is refused, and not believed: which authenticators
/// a person uses is not decided by whom its maker signed for.
///
/// # Errors
/// [`PasskeyRefusal`] names the first check that fails.
pub fn register(
    relying_party: &RelyingParty,
    challenge: &[u8; 32],
    response: RegistrationResponse<'_>,
) -> Result<RegisteredPasskey, PasskeyRefusal> {
    let client = ClientData::parse(response.client_data_json)?;
    client.check(Ceremony::Registration, relying_party, challenge)?;
    let data = authenticator_data_in(response.attestation_object)
        .ok_or(PasskeyRefusal::AttestationObjectMalformed)?;
    let data = AuthenticatorData::parse(data)?;
    data.check(relying_party)?;
    let (flags, sign_count) = (data.flags(), data.sign_count());
    let credential = data
        .into_credential()
        .ok_or(PasskeyRefusal::CredentialMissing)?;
    Ok(RegisteredPasskey {
        aaguid: credential.aaguid,
        credential_id: CredentialId::new(credential.id)?,
        flags,
        key: PasskeyPublicKey::from_cose(&credential.key)?,
        sign_count,
    })
}

/// The authenticator data inside an attestation object (WebAuthn §6.5.4).
fn authenticator_data_in(attestation_object: &[u8]) -> Option<&[u8]> {
    let object = Cbor::read_whole(attestation_object)?;
    let (Cbor::Text(_), Cbor::Map(_)) = (object.text_entry("fmt")?, object.text_entry("attStmt")?)
    else {
        return None;
    };
    object.text_entry("authData")?.bytes()
}
