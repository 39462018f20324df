//! The authentication configuration: who may ask for tokens, how they prove it, and what they get.

mod edit;
mod keys;
mod refusal;

use std::collections::BTreeSet;

use countersign_crypto::import::has_private_key;
use serde::{Deserialize, Serialize};

use crate::identifier::Identifier;
use crate::ids::{ConfigurationId, TenantId};
use crate::permission_groups::GroupSet;
use crate::text::{Label, Note};
use crate::time::UnixTime;

pub use edit::{ConfigurationEdit, NewConfiguration, Rotation};
pub use keys::{
    DEFAULT_RETIRE_AFTER, KeyId, KeyState, KeyUse, MAX_KEYS, MAX_RETIRE_AFTER, MalformedKeyId,
    RegisteredKey,
};
pub use refusal::ConfigurationRefusal;

/// The longest lifetime of an assertion, in seconds; also the default (`tokens.md`, check 10).
pub const MAX_ASSERTION_LIFETIME: u32 = 3600;

/// The longest lifetime of an access token, in seconds.
pub const MAX_ACCESS_TOKEN_LIFETIME: u32 = 3600;

/// The lifetime of an access token when nothing else is configured, in seconds.
pub const DEFAULT_ACCESS_TOKEN_LIFETIME: u32 = 600;

/// Which endpoints a configuration may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AuthType {
    /// Every endpoint that the organization is entitled to.
    Standard,
    /// Only the permission groups granted to this configuration: for a partner acting for the organization.
    ThirdParty,
}

/// Whether a configuration obtains tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ConfigurationStatus {
    /// It does.
    Active,
    /// Contained: it does not, until it is restored.
    Suspended,
    /// It never will again.
    Deactivated,
}

impl ConfigurationStatus {
    /// The name used in the API and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Suspended => "SUSPENDED",
            Self::Deactivated => "DEACTIVATED",
        }
    }
}

/// How often one assertion may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplayProtection {
    /// Once (the default).
    SingleUse,
    /// Until it expires; for callers that cannot mint one assertion per request. This widens access.
    ReuseUntilExpiry,
}

/// A claim of an assertion that may be copied into the access token, below `custom`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct CopiedClaim(Box<str>);

/// Claims that only the authorization server writes (RFC 9068 §2.2, RFC 8705, RFC 8693), never a caller.
const RESERVED_CLAIMS: [&str; 17] = [
    "act",
    "aud",
    "client_id",
    "cnf",
    "custom",
    "exp",
    "external_account_id",
    "iat",
    "iss",
    "jti",
    "nbf",
    "pismo",
    "roles",
    "scope",
    "sub",
    "tenant_id",
    "uid",
];

/// The name cannot be copied into a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be a claim name of 1 to 64 letters, digits, '_', '-', '.' or '/', and none that the server itself writes"
)]
pub struct MalformedClaimName;

impl CopiedClaim {
    /// Parses a claim name.
    ///
    /// # Errors
    /// [`MalformedClaimName`] for a reserved name or one outside the documented alphabet.
    pub fn parse(name: &str) -> Result<Self, MalformedClaimName> {
        let sound = (1..=64).contains(&name.len())
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_-./:".contains(&byte))
            && !RESERVED_CLAIMS.contains(&name)
            && !has_private_key(name);
        if sound {
            Ok(Self(name.into()))
        } else {
            Err(MalformedClaimName)
        }
    }

    /// The name of the claim.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<CopiedClaim> for String {
    fn from(claim: CopiedClaim) -> Self {
        claim.0.into()
    }
}

impl TryFrom<String> for CopiedClaim {
    type Error = MalformedClaimName;

    fn try_from(name: String) -> Result<Self, MalformedClaimName> {
        Self::parse(&name)
    }
}

/// The whole governed state of a configuration: what a change request describes and an approver signs.
///
/// Its canonical JSON (RFC 8785) is what is hashed, stored and applied, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigurationState {
    /// What people call it.
    pub name: Label,
    /// Which endpoints it may reach.
    pub auth_type: AuthType,
    /// Whether it obtains tokens.
    pub status: ConfigurationStatus,
    /// What the assertion must carry in `iss`: written by the caller, checked by Countersign.
    pub verifier_issuer: Identifier,
    /// What the assertion must carry in `sub`: written by the caller, checked by Countersign.
    pub verifier_subject: Identifier,
    /// What the assertion must carry in `aud`: written by the caller, checked by Countersign.
    pub verifier_audience: Identifier,
    /// What the access token carries in `iss`: written by Countersign, checked by gateways.
    pub signer_issuer: Identifier,
    /// What the access token carries in `aud`: written by Countersign, checked by gateways.
    pub signer_audience: Identifier,
    /// The longest accepted `exp - iat` of an assertion, in seconds.
    pub max_assertion_lifetime: u32,
    /// How long an access token lives, in seconds.
    pub access_token_lifetime: u32,
    /// How often one assertion may be used.
    pub replay_protection: ReplayProtection,
    /// Claims of the assertion that are copied into the access token.
    pub copied_claims: BTreeSet<CopiedClaim>,
    /// Permission groups granted (third-party only; empty for standard).
    pub permission_groups: GroupSet,
    /// From this moment on it obtains no tokens.
    pub expires_at: Option<UnixTime>,
    /// Who looks after it.
    pub owner: Option<Label>,
    /// Anything else worth knowing.
    pub notes: Option<Note>,
    /// Access tokens issued before this moment are no longer active: set by containment.
    pub tokens_not_before: Option<UnixTime>,
    /// The registered keys, the current one first.
    pub keys: Vec<RegisteredKey>,
}

/// A configuration as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configuration {
    /// The organization it belongs to.
    pub tenant_id: TenantId,
    /// Its own ID.
    pub id: ConfigurationId,
    /// Counts its changes, beginning with 1.
    pub version: u64,
    /// The number of the change request that made this version.
    pub change_request: u64,
    /// The governed state.
    pub state: ConfigurationState,
    /// When it was created.
    pub created_at: UnixTime,
    /// When it was last changed.
    pub updated_at: UnixTime,
}

impl ConfigurationState {
    /// Configurations other than `id` whose ID stands in `verifier_issuer` or `verifier_subject`, in either case of letters,
    /// with the field. Unless it has ended, a resource server could take one for the other (RFC 9700 §4.15).
    pub fn others_named(
        &self,
        id: ConfigurationId,
    ) -> impl Iterator<Item = (&'static str, ConfigurationId)> {
        let names = [
            ("verifier_issuer", &self.verifier_issuer),
            ("verifier_subject", &self.verifier_subject),
        ];
        names.into_iter().filter_map(move |(field, name)| {
            let named = name.as_str().to_ascii_lowercase().parse().ok()?;
            (named != id).then_some((field, named))
        })
    }

    /// Its tokens are neither for this server, whose address for the organization is `issuer`, nor for another organization.
    ///
    /// # Errors
    /// When `signer_audience` is the organization's issuer, or does not lie below it but among those of others.
    pub fn check_audience(&self, issuer: &Identifier) -> Result<(), ConfigurationRefusal> {
        // Hosts are the same in upper and lower case, so the comparison is as wide.
        let audience = self.signer_audience.as_str().to_ascii_lowercase();
        let own = issuer.as_str().to_ascii_lowercase();
        let organizations = own.rsplit_once('/').map_or("", |(base, _)| base);
        let below = |base: &str| {
            let rest = audience.strip_prefix(base)?.strip_prefix('/')?;
            Some(rest).filter(|rest| !rest.is_empty())
        };
        let is_elsewhere = below(organizations).is_some() && below(&own).is_none();
        if is_elsewhere || audience == organizations || audience.trim_end_matches('/') == own {
            return Err(ConfigurationRefusal::SignerAudience);
        }
        Ok(())
    }

    /// Whether assertions are accepted and tokens granted as by another state: apart from the keys, and from what people
    /// tell each other.
    #[must_use]
    pub fn grants_as(&self, other: &Self) -> bool {
        let alike = Self {
            keys: self.keys.clone(),
            name: self.name.clone(),
            notes: self.notes.clone(),
            owner: self.owner.clone(),
            ..other.clone()
        };
        *self == alike
    }

    /// Contains the configuration: no tokens are issued, and those issued up to `now` stop being active.
    ///
    /// # Errors
    /// When it is already suspended or deactivated.
    pub fn suspend(mut self, now: UnixTime) -> Result<Self, ConfigurationRefusal> {
        match self.status {
            ConfigurationStatus::Active => {
                self.status = ConfigurationStatus::Suspended;
                self.tokens_not_before = Some(now.plus(1));
                Ok(self)
            }
            ConfigurationStatus::Suspended => Err(ConfigurationRefusal::AlreadySuspended),
            ConfigurationStatus::Deactivated => Err(ConfigurationRefusal::Deactivated),
        }
    }

    /// Takes a suspension back. Tokens issued before it stay inactive.
    ///
    /// # Errors
    /// When it is not suspended.
    pub fn restore(mut self) -> Result<Self, ConfigurationRefusal> {
        match self.status {
            ConfigurationStatus::Suspended => {
                self.status = ConfigurationStatus::Active;
                Ok(self)
            }
            ConfigurationStatus::Active => Err(ConfigurationRefusal::NotSuspended),
            ConfigurationStatus::Deactivated => Err(ConfigurationRefusal::Deactivated),
        }
    }

    /// Ends the configuration for good.
    ///
    /// # Errors
    /// When it is deactivated already.
    pub fn deactivate(mut self, now: UnixTime) -> Result<Self, ConfigurationRefusal> {
        if self.status == ConfigurationStatus::Deactivated {
            return Err(ConfigurationRefusal::Deactivated);
        }
        self.status = ConfigurationStatus::Deactivated;
        self.tokens_not_before = Some(now.plus(1));
        for key in &mut self.keys {
            if !matches!(key.state, KeyState::Retired { .. }) {
                key.state = KeyState::Retired { retired_at: now };
            }
        }
        Ok(self)
    }
}
