//! What the browser says about the ceremony: `clientDataJSON` (WebAuthn §5.8.1).

use serde_json::Value;

use super::{Ceremony, PasskeyRefusal, RelyingParty};
use crate::json::{Limits, StrictObject};
use crate::{Digest32, b64, constant_time_eq, sha256};

/// Real ones have about 200 octets; the origin is the longest text in them.
const LIMITS: Limits = Limits {
    octets: 4 * 1024,
    depth: 4,
    members: 32,
    string: 2048,
    digits: 20,
};

/// Client data that is well-formed. Nothing about it is proven: the signature covers its digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientData {
    ceremony: Ceremony,
    challenge: Vec<u8>,
    origin: String,
    cross_origin: bool,
    digest: Digest32,
}

impl ClientData {
    /// Reads the octets that the browser gave; members that are not known are ignored, as the standard asks.
    ///
    /// # Errors
    /// [`PasskeyRefusal`] when they are no strict JSON object of at most 4 KiB, a member is missing or of another
    /// type, the ceremony is unknown, or `topOrigin` is present.
    pub fn parse(json: &[u8]) -> Result<Self, PasskeyRefusal> {
        let object = StrictObject::parse(json, LIMITS)
            .map_err(|json| PasskeyRefusal::ClientDataNotStrict { json })?;
        let text = |name| object.text(name).ok_or(PasskeyRefusal::ClientDataMalformed);
        let ceremony = match text("type")? {
            "webauthn.create" => Ceremony::Registration,
            "webauthn.get" => Ceremony::Assertion,
            _ => return Err(PasskeyRefusal::CeremonyMismatch),
        };
        let challenge = b64::decode_canonical(text("challenge")?)
            .map_err(|_| PasskeyRefusal::ClientDataMalformed)?;
        let cross_origin = match object.get("crossOrigin") {
            None => false,
            Some(Value::Bool(is_cross)) => *is_cross,
            Some(_) => return Err(PasskeyRefusal::ClientDataMalformed),
        };
        if object.contains("topOrigin") {
            return Err(PasskeyRefusal::TopOriginPresent);
        }
        Ok(Self {
            ceremony,
            challenge,
            origin: text("origin")?.to_owned(),
            cross_origin,
            digest: sha256(&[json]),
        })
    }

    /// The challenge that was answered: with it the caller finds what it asked.
    #[must_use]
    pub fn challenge(&self) -> &[u8] {
        &self.challenge
    }

    /// The SHA-256 digest of the octets, which authenticators sign.
    #[must_use]
    pub fn digest(&self) -> Digest32 {
        self.digest
    }

    /// What both ceremonies ask of the client (WebAuthn §7.1 and §7.2).
    pub(super) fn check(
        &self,
        ceremony: Ceremony,
        relying_party: &RelyingParty,
        challenge: &[u8; 32],
    ) -> Result<(), PasskeyRefusal> {
        if self.ceremony != ceremony {
            return Err(PasskeyRefusal::CeremonyMismatch);
        }
        if !constant_time_eq(&self.challenge, challenge) {
            return Err(PasskeyRefusal::ChallengeMismatch);
        }
        if !relying_party.allows(&self.origin) {
            return Err(PasskeyRefusal::OriginNotAllowed);
        }
        if self.cross_origin {
            return Err(PasskeyRefusal::CrossOrigin);
        }
        Ok(())
    }
}
