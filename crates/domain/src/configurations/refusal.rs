//! Why a change to a configuration is refused.

use crate::identifier::MalformedIdentifier;
use crate::text::MalformedText;

/// A change to a configuration that breaks a rule. One variant per condition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigurationRefusal {
    /// The access-token lifetime is out of range.
    #[error("access_token_lifetime must be between 60 and 3600 seconds")]
    AccessTokenLifetime,
    /// The configuration is suspended already.
    #[error("The configuration is suspended already.")]
    AlreadySuspended,
    /// The algorithm does not fit the key.
    #[error(
        "The key cannot be used with this algorithm; leave `algorithm` out to take the usual one for the key."
    )]
    AlgorithmDoesNotFit,
    /// The longest assertion lifetime is out of range.
    #[error("max_assertion_lifetime must be between 30 and 3600 seconds")]
    AssertionLifetime,
    /// A third-party configuration must have an audience of its own.
    #[error(
        "verifier_audience is used by another configuration; a THIRD_PARTY configuration needs an audience of its own"
    )]
    AudienceNotExclusive,
    /// A claim may not be copied.
    #[error("copied_claims: `{0}` must be a claim name that the server itself does not write")]
    CopiedClaim(String),
    /// The configuration is deactivated, which is final.
    #[error("The configuration is deactivated; that is final. Create a new one.")]
    Deactivated,
    /// The end lies in the past.
    #[error("expires_at must lie in the future")]
    ExpiryInPast,
    /// A permission group is not one the organization is entitled to.
    #[error("permission_groups: the organization is not entitled to `{0}`")]
    GroupNotEntitled(String),
    /// A group list has a malformed name.
    #[error("permission_groups: `{0}` is not a permission group such as payments-v1:accounts:rw")]
    GroupMalformed(String),
    /// A standard configuration reaches everything the organization may; groups cannot be listed.
    #[error(
        "permission_groups belong to THIRD_PARTY configurations; a STANDARD one has all that the organization is entitled to"
    )]
    GroupsOnStandard,
    /// A name has the form of a configuration's ID, and is neither this one's nor that of one that it can replace.
    #[error(
        "{0} is the ID of another configuration, or looks like one; use this configuration's own ID, that of a deactivated one which it replaces, or a name of yours"
    )]
    IdentifierOfAnother(&'static str),
    /// An issuer, subject or audience is malformed.
    #[error("{field} {cause}")]
    Identifier {
        /// The field.
        field: &'static str,
        /// The rule.
        cause: MalformedIdentifier,
    },
    /// The key is registered already, here or elsewhere on the platform.
    #[error(
        "This public key is registered already; make a new key pair for every configuration (`countersign keygen`)."
    )]
    KeyAlreadyRegistered,
    /// Two keys of the configuration would have the same `kid`.
    #[error("A key of this configuration has the same `kid`; every key needs its own.")]
    KeyIdTaken,
    /// The `kid` is malformed.
    #[error("kid must be 1 to 256 printable ASCII characters without spaces, and no private key")]
    KeyIdMalformed,
    /// The overlap of a rotation is out of range.
    #[error("retire_after_seconds must be between 0 and 7776000 (90 days)")]
    RetireAfter,
    /// There is no key.
    #[error("public_key has no usable key")]
    NoKey,
    /// A rotation named no key and there is none waiting.
    #[error("There is no `next` key to promote; give `public_key`.")]
    NoNextKey,
    /// A name or an algorithm for one key was given, and `public_key` has several keys or none.
    #[error(
        "{0} is for a single key in public_key; where there are several, give each JWK its own `kid` and `alg`"
    )]
    NotASingleKey(&'static str),
    /// The configuration is not suspended.
    #[error("The configuration is not suspended.")]
    NotSuspended,
    /// The edit changes nothing.
    #[error("The configuration is like this already; there is nothing to change.")]
    NothingToChange,
    /// The audience of the access tokens is this server, for this organization or another one.
    #[error(
        "signer_audience must name the API that the tokens are for: neither this server's own address for the organization nor anything of another organization"
    )]
    SignerAudience,
    /// A free text is malformed.
    #[error("{field} {cause}")]
    Text {
        /// The field.
        field: &'static str,
        /// The rule.
        cause: MalformedText,
    },
    /// Too many claims to copy.
    #[error("copied_claims: at most 20 claims")]
    TooManyCopiedClaims,
    /// Too many keys.
    #[error("A configuration holds at most 20 keys.")]
    TooManyKeys,
    /// Another configuration of the organization has the same issuer, subject and audience.
    #[error(
        "Another configuration of this organization has the same verifier_issuer, verifier_subject and verifier_audience."
    )]
    TripleTaken,
}

impl ConfigurationRefusal {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::AccessTokenLifetime => "access_token_lifetime_out_of_range",
            Self::AlgorithmDoesNotFit => "algorithm_does_not_fit",
            Self::AlreadySuspended => "already_suspended",
            Self::AssertionLifetime => "assertion_lifetime_out_of_range",
            Self::AudienceNotExclusive => "audience_not_exclusive",
            Self::CopiedClaim(_) => "copied_claim_not_allowed",
            Self::Deactivated => "configuration_deactivated",
            Self::ExpiryInPast => "expiry_in_past",
            Self::GroupMalformed(_) => "permission_group_malformed",
            Self::GroupNotEntitled(_) => "permission_group_not_entitled",
            Self::GroupsOnStandard => "permission_groups_on_standard",
            Self::Identifier { .. } => "identifier_malformed",
            Self::IdentifierOfAnother(_) => "identifier_of_another_configuration",
            Self::KeyAlreadyRegistered => "key_already_registered",
            Self::KeyIdMalformed => "kid_malformed",
            Self::KeyIdTaken => "kid_taken",
            Self::NoKey => "no_usable_key",
            Self::NoNextKey => "no_next_key",
            Self::NotASingleKey(_) => "not_a_single_key",
            Self::NotSuspended => "not_suspended",
            Self::NothingToChange => "nothing_to_change",
            Self::RetireAfter => "retire_after_out_of_range",
            Self::SignerAudience => "signer_audience_not_allowed",
            Self::Text { .. } => "text_malformed",
            Self::TooManyCopiedClaims => "too_many_copied_claims",
            Self::TooManyKeys => "too_many_keys",
            Self::TripleTaken => "verifier_values_taken",
        }
    }

    /// The member of the request that is to blame, as a JSON pointer (RFC 6901), when it is one member.
    #[must_use]
    pub fn pointer(&self) -> Option<String> {
        let member = match self {
            Self::AccessTokenLifetime => "access_token_lifetime",
            Self::AlgorithmDoesNotFit => "algorithm",
            Self::AssertionLifetime => "max_assertion_lifetime",
            Self::AudienceNotExclusive => "verifier_audience",
            Self::CopiedClaim(_) | Self::TooManyCopiedClaims => "copied_claims",
            Self::ExpiryInPast => "expires_at",
            Self::GroupMalformed(_) | Self::GroupNotEntitled(_) | Self::GroupsOnStandard => {
                "permission_groups"
            }
            Self::Identifier { field, .. }
            | Self::IdentifierOfAnother(field)
            | Self::NotASingleKey(field)
            | Self::Text { field, .. } => field,
            Self::KeyAlreadyRegistered | Self::NoKey | Self::NoNextKey | Self::TooManyKeys => {
                "public_key"
            }
            Self::KeyIdMalformed | Self::KeyIdTaken => "kid",
            Self::RetireAfter => "retire_after_seconds",
            Self::SignerAudience => "signer_audience",
            Self::AlreadySuspended
            | Self::Deactivated
            | Self::NotSuspended
            | Self::NothingToChange
            | Self::TripleTaken => return None,
        };
        Some(format!("/{member}"))
    }

    /// Whether the request was sound but the state of the resource forbids it (409 rather than 422).
    #[must_use]
    pub const fn is_conflict(&self) -> bool {
        matches!(
            self,
            Self::AlreadySuspended
                | Self::AudienceNotExclusive
                | Self::Deactivated
                | Self::KeyAlreadyRegistered
                | Self::NotSuspended
                | Self::NothingToChange
                | Self::TripleTaken
        )
    }
}
