//! What the authenticator says about itself and the person (WebAuthn §6.1).

use super::{PasskeyRefusal, RelyingParty};
use crate::cbor::{Cbor, MAX_OCTETS};

/// Octets in front of everything that may be absent: digest of the id, flags, counter.
const HEAD: usize = 37;

/// The flags of authenticator data (WebAuthn §6.1). The reserved bits mean nothing here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasskeyFlags(u8);

impl PasskeyFlags {
    const USER_PRESENT: u8 = 1;
    const USER_VERIFIED: u8 = 1 << 2;
    const BACKUP_ELIGIBLE: u8 = 1 << 3;
    const BACKED_UP: u8 = 1 << 4;
    const CREDENTIAL: u8 = 1 << 6;
    const EXTENSIONS: u8 = 1 << 7;

    const fn has(self, flag: u8) -> bool {
        self.0 & flag != 0
    }

    /// UP: somebody touched the authenticator.
    #[must_use]
    pub const fn is_user_present(self) -> bool {
        self.has(Self::USER_PRESENT)
    }

    /// UV: the authenticator asked for a PIN, a fingerprint or a face.
    #[must_use]
    pub const fn is_user_verified(self) -> bool {
        self.has(Self::USER_VERIFIED)
    }

    /// BE: the passkey may be copied to other devices of the person; it is not bound to hardware.
    #[must_use]
    pub const fn is_backup_eligible(self) -> bool {
        self.has(Self::BACKUP_ELIGIBLE)
    }

    /// BS: a copy of it exists now.
    #[must_use]
    pub const fn is_backed_up(self) -> bool {
        self.has(Self::BACKED_UP)
    }
}

/// Authenticator data that is well-formed. Nothing about it is proven before the signature is.
#[derive(Clone, Debug, PartialEq)]
pub struct AuthenticatorData<'a> {
    rp_id_hash: &'a [u8; 32],
    flags: PasskeyFlags,
    sign_count: u32,
    credential: Option<AttestedCredential<'a>>,
}

/// The credential that a registration brings (WebAuthn §6.5.1).
#[derive(Clone, Debug, PartialEq)]
pub(super) struct AttestedCredential<'a> {
    pub(super) aaguid: [u8; 16],
    pub(super) id: &'a [u8],
    pub(super) key: Cbor<'a>,
}

impl<'a> AuthenticatorData<'a> {
    /// Reads it whole: what the flags announce is there, and nothing else. Extensions must be well-formed and are
    /// ignored.
    ///
    /// # Errors
    /// [`PasskeyRefusal`] when it is malformed, longer than 16 KiB, or backed up without being eligible.
    pub fn parse(octets: &'a [u8]) -> Result<Self, PasskeyRefusal> {
        let data = Self::read(octets).ok_or(PasskeyRefusal::AuthenticatorDataMalformed)?;
        if data.flags.is_backed_up() && !data.flags.is_backup_eligible() {
            return Err(PasskeyRefusal::BackupStateImpossible);
        }
        Ok(data)
    }

    fn read(octets: &'a [u8]) -> Option<Self> {
        if octets.len() > MAX_OCTETS {
            return None;
        }
        let (head, mut rest) = octets.split_first_chunk::<HEAD>()?;
        let (rp_id_hash, [flags, sign_count @ ..]) = head.split_first_chunk()? else {
            return None;
        };
        let flags = PasskeyFlags(*flags);
        let credential = match flags.has(PasskeyFlags::CREDENTIAL) {
            true => Some(AttestedCredential::read(&mut rest)?),
            false => None,
        };
        if flags.has(PasskeyFlags::EXTENSIONS) {
            let Cbor::Map(_) = Cbor::read(&mut rest)? else {
                return None;
            };
        }
        rest.is_empty().then_some(Self {
            rp_id_hash,
            flags,
            sign_count: u32::from_be_bytes(sign_count.try_into().ok()?),
            credential,
        })
    }

    /// The flags.
    #[must_use]
    pub fn flags(&self) -> PasskeyFlags {
        self.flags
    }

    /// How often the authenticator has signed, by its own count; 0 when it does not count.
    #[must_use]
    pub fn sign_count(&self) -> u32 {
        self.sign_count
    }

    pub(super) fn into_credential(self) -> Option<AttestedCredential<'a>> {
        self.credential
    }

    /// What both ceremonies ask of the authenticator (WebAuthn §7.1 and §7.2): a person, verified, at this party.
    pub(super) fn check(&self, relying_party: &RelyingParty) -> Result<(), PasskeyRefusal> {
        if self.rp_id_hash != relying_party.id_hash().as_bytes() {
            return Err(PasskeyRefusal::RelyingPartyMismatch);
        }
        if !self.flags.is_user_present() {
            return Err(PasskeyRefusal::UserNotPresent);
        }
        if !self.flags.is_user_verified() {
            return Err(PasskeyRefusal::UserNotVerified);
        }
        Ok(())
    }
}

impl<'a> AttestedCredential<'a> {
    fn read(rest: &mut &'a [u8]) -> Option<Self> {
        let (aaguid, after) = rest.split_first_chunk::<16>()?;
        let (length, after) = after.split_first_chunk::<2>()?;
        let (id, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        *rest = after;
        let key = Cbor::read(rest)?;
        Some(Self {
            aaguid: *aaguid,
            id,
            key,
        })
    }
}
