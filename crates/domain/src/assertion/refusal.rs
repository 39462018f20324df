//! Why an assertion is refused: one reason per condition, each with its check, its OAuth error and its sentence.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::told::Told;
use crate::directory::TrustedConfiguration;
use crate::time::UnixTime;

/// The fourteen checks, in the order in which they run (`tokens.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Check {
    /// Size, three segments, canonical base64url.
    Form = 1,
    /// Header: algorithm, type, nothing critical, no embedded key.
    Header = 2,
    /// The organization exists and is active.
    Organization = 3,
    /// Issuer, subject and audience select a configuration.
    Configuration = 4,
    /// The configuration is active and has not expired.
    ConfigurationStatus = 5,
    /// The key is registered, active, and bound to the algorithm.
    Key = 6,
    /// The signature.
    Signature = 7,
    /// The claims are well-formed.
    Claims = 8,
    /// `exp`, `iat` and `nbf`.
    Time = 9,
    /// The lifetime of the assertion.
    Lifetime = 10,
    /// The `tenant_id` claim.
    Tenant = 11,
    /// The scope.
    Scope = 12,
    /// The account binding.
    AccountBinding = 13,
    /// Single use.
    SingleUse = 14,
}

impl Check {
    /// All checks in their order.
    pub const ALL: [Self; 14] = [
        Self::Form,
        Self::Header,
        Self::Organization,
        Self::Configuration,
        Self::ConfigurationStatus,
        Self::Key,
        Self::Signature,
        Self::Claims,
        Self::Time,
        Self::Lifetime,
        Self::Tenant,
        Self::Scope,
        Self::AccountBinding,
        Self::SingleUse,
    ];

    /// Its number, 1 to 14.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// What it is called in the workbench.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Form => "Well-formed JWT",
            Self::Header => "Header",
            Self::Organization => "Organization",
            Self::Configuration => "Configuration (iss, sub, aud)",
            Self::ConfigurationStatus => "Configuration is active",
            Self::Key => "Key (kid)",
            Self::Signature => "Signature",
            Self::Claims => "Claims",
            Self::Time => "Time (exp, iat, nbf)",
            Self::Lifetime => "Lifetime",
            Self::Tenant => "tenant_id claim",
            Self::Scope => "Scope",
            Self::AccountBinding => "Account binding",
            Self::SingleUse => "Single use",
        }
    }
}

/// Declares the reasons with their code, check and sentence.
macro_rules! reasons {
    ($($variant:ident, $code:literal, $check:ident, $sentence:literal;)*) => {
        /// Why an assertion was refused. The code is stable.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        pub enum Reason {
            $(#[doc = $sentence] #[serde(rename = $code)] $variant,)*
        }

        impl Reason {
            /// Every reason, in alphabetical order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable code.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// The check that it belongs to.
            #[must_use]
            pub const fn check(self) -> Check {
                match self { $(Self::$variant => Check::$check,)* }
            }

            /// What is wrong and what to do, for the developer of the caller.
            #[must_use]
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$variant => $sentence,)* }
            }
        }
    };
}

reasons! {
    AccountBindingMalformed, "account_binding_malformed", AccountBinding,
        "uid and external_account_id must be texts of 1 to 128 printable characters.";
    AlgorithmNotAllowed, "algorithm_not_allowed", Header,
        "The alg of the header is not an accepted signature algorithm.";
    AssertionExpired, "assertion_expired", Time,
        "The assertion has expired; sign a new one for every request and check the clock of the caller.";
    AssertionMalformed, "assertion_malformed", Form,
        "The assertion is not a compact JWT: three base64url segments without padding, at most 16 KiB.";
    AssertionPredatesRestore, "assertion_predates_restore", Time,
        "The assertion was made before this instance was restored from a backup; sign a new one.";
    AssertionReplayed, "assertion_replayed", SingleUse,
        "The assertion has been used already; sign a new one with a new jti for every request.";
    AudienceMismatch, "audience_mismatch", Configuration,
        "The aud of the assertion is not the verifier_audience of the configuration.";
    ClaimsMalformed, "claims_malformed", Claims,
        "A claim of the assertion is missing or has the wrong form.";
    ClientIdMismatch, "client_id_mismatch", Configuration,
        "The client_id parameter is not the subject of the assertion.";
    ConfigurationDeactivated, "configuration_deactivated", ConfigurationStatus,
        "The configuration is deactivated.";
    ConfigurationExpired, "configuration_expired", ConfigurationStatus,
        "The configuration has passed its expiry date.";
    ConfigurationSuspended, "configuration_suspended", ConfigurationStatus,
        "The configuration is suspended; an administrator of the organization can restore it.";
    HeaderUnacceptable, "header_unacceptable", Header,
        "The header of the assertion has a member that is not accepted.";
    IssuedInFuture, "issued_in_future", Time,
        "The iat of the assertion lies in the future; check the clock of the caller.";
    IssuerUnknown, "issuer_unknown", Configuration,
        "No configuration of the organization has the iss of the assertion as its verifier_issuer.";
    KeyExpired, "key_expired", Key,
        "The certificate of the key has ended; rotate to a new key.";
    KeyRetired, "key_retired", Key,
        "The key is retired; sign with the current key.";
    KeyUnknown, "key_unknown", Key,
        "No registered key of the configuration fits the kid and alg of the header.";
    LifetimeTooLong, "lifetime_too_long", Lifetime,
        "The assertion lives longer than the configuration allows.";
    NotYetValid, "not_yet_valid", Time,
        "The nbf of the assertion lies in the future; check the clock of the caller.";
    OrganizationSuspended, "organization_suspended", Organization,
        "The organization is suspended.";
    ResourceNotServed, "resource_not_served", Scope,
        "The resource parameter names something other than the signer_audience of the configuration.";
    ScopeMalformed, "scope_malformed", Scope,
        "The scope is malformed: names are separated by one space.";
    ScopeNotGranted, "scope_not_granted", Scope,
        "The scope names a permission group that the configuration is not granted.";
    ScopeUnknown, "scope_unknown", Scope,
        "The scope names a permission group that the organization does not have.";
    SignatureInvalid, "signature_invalid", Signature,
        "The signature does not verify with the registered key.";
    SubjectMismatch, "subject_mismatch", Configuration,
        "The sub of the assertion is not the verifier_subject of a configuration with this issuer.";
    TenantMismatch, "tenant_mismatch", Tenant,
        "The tenant_id claim names another organization.";
    TokenTooLarge, "token_too_large", Scope,
        "The access token would be too long; ask for fewer permission groups with scope, or send less in the copied claims.";
    UnknownOrganization, "unknown_organization", Organization,
        "There is no such organization.";
}

impl Reason {
    /// Whether the caller may be told: only after its signature has verified, that is from check 8 on.
    #[must_use]
    pub const fn is_disclosed(self) -> bool {
        self.check().number() >= Check::Claims.number()
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// A refused assertion: the reason, and what was seen and expected.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// Why.
    pub reason: Reason,
    /// What the assertion had; repeated only to who may see it.
    pub seen: Told,
    /// What would have been accepted.
    pub expected: Expected,
    /// Whether the caller had proven to hold the registered key when it was refused.
    proven: bool,
}

/// What would have been accepted, as a text that is written when somebody reads it.
#[derive(Clone, Debug)]
pub enum Expected {
    /// A key of the configuration that is active at the moment. To name them before the answer would take time that no
    /// other refusal before the signature takes, and so tell that a `kid` is not among them (conformance D11).
    ActiveKey(Arc<TrustedConfiguration>, UnixTime),
    /// Anything else.
    Text(Told),
}

impl Expected {
    /// Whether there is nothing to tell.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        matches!(self, Self::Text(text) if text.is_empty())
    }
}

impl From<&str> for Expected {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Expected {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (configuration, now) = match self {
            Self::Text(text) => return f.write_str(&text.expected()),
            Self::ActiveKey(configuration, now) => (configuration, *now),
        };
        for (position, key) in configuration.active_keys(now).enumerate() {
            let or = if position == 0 { "" } else { " or " };
            write!(f, "{or}kid {} with {}", key.kid.as_str(), key.algorithm)?;
        }
        Ok(())
    }
}

impl Refusal {
    /// A refusal with what was seen and what was expected, of a caller who has proven nothing yet.
    #[must_use]
    pub fn new(reason: Reason, seen: impl Into<Told>, expected: impl Into<Expected>) -> Self {
        Self {
            reason,
            seen: seen.into(),
            expected: expected.into(),
            proven: false,
        }
    }

    /// The same refusal of a caller whose signature has verified.
    #[must_use]
    pub fn after_the_signature(self) -> Self {
        Self {
            proven: true,
            ..self
        }
    }

    /// Whether the caller may be told: its signature has verified. A reason is not enough to tell: a claim that is
    /// missing can already stand in the way of finding the configuration (check 4).
    #[must_use]
    pub const fn is_disclosed(&self) -> bool {
        self.proven && self.reason.is_disclosed()
    }

    /// One sentence that names reason, seen and expected.
    #[must_use]
    pub fn sentence(&self) -> String {
        match (self.seen.is_empty(), self.expected.is_empty()) {
            (true, true) => self.reason.sentence().to_owned(),
            (true, false) => format!("{} Expected: {}.", self.reason.sentence(), self.expected),
            (false, true) => format!("{} Seen: {}.", self.reason.sentence(), self.seen),
            (false, false) => format!(
                "{} Seen: {}. Expected: {}.",
                self.reason.sentence(),
                self.seen,
                self.expected
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_alphabetical_and_their_codes_distinct() {
        let codes: Vec<&str> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        let mut sorted = codes.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(codes, sorted);
    }

    #[test]
    fn a_reason_is_disclosed_only_after_the_signature_check() {
        for reason in Reason::ALL {
            assert_eq!(
                reason.is_disclosed(),
                reason.check() > Check::Signature,
                "{reason}"
            );
        }
    }
}
