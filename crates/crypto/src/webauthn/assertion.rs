//! A signature with a passkey (WebAuthn §7.2): of a sign-in, or of a decision whose digest is the challenge.

use super::{
    AuthenticatorData, Ceremony, ClientData, PasskeyFlags, PasskeyPublicKey, PasskeyRefusal,
    RelyingParty,
};
use crate::KeyFingerprint;

/// What `navigator.credentials.get` gave; with its credential id the caller finds the key.
#[derive(Clone, Copy, Debug)]
pub struct AssertionResponse<'a> {
    /// `response.authenticatorData`.
    pub authenticator_data: &'a [u8],
    /// `response.clientDataJSON`.
    pub client_data_json: &'a [u8],
    /// `response.signature`.
    pub signature: &'a [u8],
}

/// A registered key, and the counter that was stored with it.
#[derive(Clone, Copy, Debug)]
pub struct RegisteredKey<'a> {
    /// The key.
    pub key: &'a PasskeyPublicKey,
    /// The highest count seen; 0 when the authenticator does not count.
    pub sign_count: u32,
}

/// The proof that a person, touching and verified, signed a challenge with a registered passkey at this relying
/// party. Only [`verify_assertion`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedPasskey {
    challenge: [u8; 32],
    flags: PasskeyFlags,
    key: KeyFingerprint,
    sign_count: u32,
}

impl VerifiedPasskey {
    /// The challenge that was signed.
    #[must_use]
    pub fn challenge(&self) -> &[u8; 32] {
        &self.challenge
    }

    /// The flags, among them whether the passkey may be copied and is. Eligibility never changes for a credential: one
    /// that differs from what was registered deserves an alarm (WebAuthn §7.2 step 20).
    #[must_use]
    pub fn flags(&self) -> PasskeyFlags {
        self.flags
    }

    /// The key that signed.
    #[must_use]
    pub fn key(&self) -> KeyFingerprint {
        self.key
    }

    /// The counter to store.
    #[must_use]
    pub fn sign_count(&self) -> u32 {
        self.sign_count
    }
}

/// Checks a signature with a passkey. `challenge` is what was asked, and the caller lets it serve once; the caller also
/// compares the user handle, if there is one, with the person the credential belongs to.
///
/// # Errors
/// [`PasskeyRefusal`] names the first check that fails. [`PasskeyRefusal::SignCountRegressed`] comes last: everything
/// else was good, so there may be a copy of the key.
pub fn verify_assertion(
    relying_party: &RelyingParty,
    challenge: &[u8; 32],
    registered: RegisteredKey<'_>,
    response: AssertionResponse<'_>,
) -> Result<VerifiedPasskey, PasskeyRefusal> {
    let client = ClientData::parse(response.client_data_json)?;
    client.check(Ceremony::Assertion, relying_party, challenge)?;
    let data = AuthenticatorData::parse(response.authenticator_data)?;
    data.check(relying_party)?;
    let signed = [
        response.authenticator_data,
        client.digest().as_bytes().as_slice(),
    ]
    .concat();
    registered.key.verify(&signed, response.signature)?;
    let (stored, received) = (registered.sign_count, data.sign_count());
    if received <= stored && (stored, received) != (0, 0) {
        return Err(PasskeyRefusal::SignCountRegressed { stored, received });
    }
    Ok(VerifiedPasskey {
        challenge: *challenge,
        flags: data.flags(),
        key: registered.key.fingerprint(),
        sign_count: received,
    })
}
