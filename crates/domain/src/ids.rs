//! Every identifier has a type of its own, so that one can never stand where another is meant.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::{Builder, Uuid};

/// The text is not an identifier of the kind that was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a well-formed identifier")]
pub struct MalformedId;

/// Declares identifiers of the form `<prefix><UUID>`.
macro_rules! prefixed_uuid {
    ($($(#[$doc:meta])* $name:ident, $prefix:literal, $case:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub struct $name(Uuid);

        impl $name {
            /// Makes an identifier out of 128 random bits.
            #[must_use]
            pub fn from_random(bytes: [u8; 16]) -> Self {
                Self(Builder::from_random_bytes(bytes).into_uuid())
            }

            /// The 128 bits of the identifier.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut buffer = Uuid::encode_buffer();
                f.write_str($prefix)?;
                f.write_str(self.0.hyphenated().$case(&mut buffer))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = MalformedId;

            /// Accepts only the canonical spelling: one object has one address.
            fn from_str(text: &str) -> Result<Self, MalformedId> {
                let id = text
                    .strip_prefix($prefix)
                    .and_then(|rest| Uuid::try_parse(rest).ok())
                    .map(Self)
                    .ok_or(MalformedId)?;
                let mut buffer = Uuid::encode_buffer();
                if id.0.hyphenated().$case(&mut buffer) == &text[$prefix.len()..] {
                    Ok(id)
                } else {
                    Err(MalformedId)
                }
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }

        impl TryFrom<String> for $name {
            type Error = MalformedId;

            fn try_from(text: String) -> Result<Self, MalformedId> {
                text.parse()
            }
        }
    )*};
}

prefixed_uuid! {
    /// An API token's public identifier (`at-…`); the secret is another value.
    ApiTokenId, "at-", encode_lower;
    /// A change request's identifier (`cr-…`).
    ChangeRequestId, "cr-", encode_lower;
    /// An authentication configuration (`ac-…`).
    ConfigurationId, "ac-", encode_lower;
    /// Ties an answer to its log lines (`co-…`); carries no meaning.
    CorrelationId, "co-", encode_lower;
    /// An invitation (`in-…`); the secret of its link is another value.
    InvitationId, "in-", encode_lower;
    /// A human, in the whole instance (`pe-…`).
    PersonId, "pe-", encode_lower;
    /// The holder of a recovery key (`rh-…`), who need not be a user.
    RecoveryHolderId, "rh-", encode_lower;
    /// A session of a person (`se-…`); the secret of its cookie is another value.
    SessionId, "se-", encode_lower;
    /// A statement that waits for its signature (`st-…`).
    StatementId, "st-", encode_lower;
    /// An organization (`tn-` and a UUID in upper-case hexadecimal, `product.md`).
    TenantId, "tn-", encode_upper;
    /// A person's membership in one organization (`us-…`).
    UserId, "us-", encode_lower;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_id_has_exactly_one_spelling() {
        let text = "tn-0F6E1A52-A789-42A2-8B0E-2052D05577D7";
        assert_eq!(text.parse::<TenantId>().unwrap().to_string(), text);
        for variant in [
            "tn-0f6e1a52-a789-42a2-8b0e-2052d05577d7",
            "TN-0F6E1A52-A789-42A2-8B0E-2052D05577D7",
            "tn-0F6E1A52A78942A28B0E2052D05577D7",
            "tn-{0F6E1A52-A789-42A2-8B0E-2052D05577D7}",
            "tn-0F6E1A52-A789-42A2-8B0E-2052D05577D7 ",
            "ac-0F6E1A52-A789-42A2-8B0E-2052D05577D7",
            "",
        ] {
            assert!(variant.parse::<TenantId>().is_err(), "{variant:?}");
        }
    }

    #[test]
    fn a_person_is_never_taken_for_a_user() {
        let bits = [7; 16];
        let (person, user) = (PersonId::from_random(bits), UserId::from_random(bits));
        assert!(person.to_string().parse::<UserId>().is_err());
        assert!(user.to_string().parse::<PersonId>().is_err());
        assert_eq!(user.to_string().parse::<UserId>(), Ok(user));
    }
}
