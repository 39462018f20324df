//! Checks 1 to 7: everything up to the signature. Until then the content only selects candidates.

use std::sync::Arc;

use countersign_crypto::{
    Algorithm, JwsRefusal, RefusedPart, TokenType, UnverifiedJws, VerifiedJws, VerifyingKey,
};

use super::refusal::{Check, Expected, Reason, Refusal};
use super::trace::Trace;
use super::{Flow, claims};
use crate::configurations::{ConfigurationStatus, KeyUse};
use crate::directory::{Directory, TrustedConfiguration, Unmatched};
use crate::organizations::OrganizationStatus;
use crate::time::UnixTime;

/// Without a `kid`, at most this many keys are tried (`tokens.md`).
const MAX_KEYS_TRIED: usize = 4;

/// Keys that are nobody's: the one whose check takes as long as that of a signature of so many octets by an algorithm.
pub type Decoys<'k> = &'k dyn Fn(Algorithm, usize) -> &'k VerifyingKey;

/// How many signature checks an assertion is refused after, whatever the reason. It depends on nothing but what its
/// sender has written, so that the time tells nothing else (conformance D11, Part 3 no. 23).
fn checks_before_refusal(jws: &UnverifiedJws<'_>) -> usize {
    match jws.header().kid() {
        Some(_) => 1,
        None => MAX_KEYS_TRIED,
    }
}

/// Takes the time of so many checks with keys that are nobody's.
fn spend(mut jws: UnverifiedJws<'_>, checks: usize, decoys: Decoys<'_>) {
    for _ in 0..checks {
        let decoy = decoys(jws.header().algorithm(), jws.signature_length());
        jws = *jws.spend(decoy);
    }
}

/// An assertion of which only the form is known. It exposes nothing but what finds the key.
#[derive(Debug)]
pub struct UnverifiedAssertion<'a> {
    jws: UnverifiedJws<'a>,
    flow: Flow,
}

/// What is known of the organization that is asked.
#[derive(Clone, Copy, Debug)]
pub struct OrganizationStanding<'a> {
    /// Whether it is served.
    pub status: OrganizationStatus,
    /// Its configurations.
    pub directory: &'a Directory,
}

/// An assertion with the configuration that it selects, active, and the keys that may verify it.
#[derive(Debug)]
pub struct Candidate<'a> {
    jws: UnverifiedJws<'a>,
    flow: Flow,
    configuration: Arc<TrustedConfiguration>,
    keys: Vec<usize>,
}

/// An assertion that selects nothing, with the reason. The reason comes out of it only for the time of the signature
/// checks that a bad signature is given.
#[derive(Debug)]
pub struct Unselected<'a> {
    jws: UnverifiedJws<'a>,
    refusal: Refusal,
}

impl Unselected<'_> {
    /// The reason, after signature checks with a key that is nobody's.
    #[must_use]
    pub fn refusal(self, decoys: Decoys<'_>) -> Refusal {
        let checks = checks_before_refusal(&self.jws);
        spend(self.jws, checks, decoys);
        self.refusal
    }
}

/// An assertion whose signature a registered, active key has verified.
#[derive(Debug)]
pub struct VerifiedAssertion<'a> {
    pub(super) jws: VerifiedJws<'a>,
    pub(super) configuration: Arc<TrustedConfiguration>,
    pub(super) key: usize,
    pub(super) flow: Flow,
}

impl<'a> UnverifiedAssertion<'a> {
    /// Checks 1 and 2: the form of the text and its header.
    ///
    /// # Errors
    /// `assertion_malformed`, `header_unacceptable` or `algorithm_not_allowed`.
    pub fn parse(text: &'a str, flow: Flow, trace: &mut Trace) -> Result<Self, Refusal> {
        let jws = UnverifiedJws::parse(text).map_err(|cause| malformed(&cause))?;
        trace.passed(Check::Form, || {
            (
                format!("{} bytes, 3 segments", text.len()),
                "a compact JWT of at most 16384 bytes".into(),
            )
        });
        let header = jws.header();
        let acceptable = match header.token_type() {
            TokenType::Absent | TokenType::Jwt => true,
            TokenType::ClientAuthentication => flow == Flow::ClientAuthentication,
            TokenType::AccessToken | TokenType::Other(_) => false,
        };
        if !acceptable {
            let expected = match flow {
                Flow::ClientAuthentication => "typ absent, JWT or client-authentication+jwt",
                Flow::AuthorizationGrant | Flow::Compatibility => "typ absent or JWT",
            };
            return Err(Refusal::new(
                Reason::HeaderUnacceptable,
                format!("typ {}", header.token_type()),
                expected,
            ));
        }
        trace.passed(Check::Header, || {
            let kid = header.kid().unwrap_or("none");
            (
                format!(
                    "alg {}, typ {}, kid {kid}",
                    header.algorithm(),
                    header.token_type()
                ),
                "an accepted alg and typ".into(),
            )
        });
        Ok(Self { jws, flow })
    }

    /// An unsigned claim's text, to find the organization of the compatibility route and to explain refusals.
    #[must_use]
    pub fn peek(&self, name: &str) -> Option<&str> {
        self.jws
            .peek_claims()
            .ok()
            .and_then(|peeked| claims::text(peeked.members(), name))
    }

    /// Checks 3 to 6: the organization, the configuration, its status, and its keys.
    ///
    /// # Errors
    /// The first check that does not hold.
    pub fn select(
        self,
        organization: OrganizationStanding<'_>,
        client_id: Option<&str>,
        now: UnixTime,
        trace: &mut Trace,
    ) -> Result<Candidate<'a>, Box<Unselected<'a>>> {
        let selected = self.try_select(organization, client_id, now, trace);
        let Self { jws, flow } = self;
        match selected {
            Ok((configuration, keys)) => Ok(Candidate {
                jws,
                flow,
                configuration,
                keys,
            }),
            Err(refusal) => Err(Box::new(Unselected { jws, refusal })),
        }
    }

    fn try_select(
        &self,
        organization: OrganizationStanding<'_>,
        client_id: Option<&str>,
        now: UnixTime,
        trace: &mut Trace,
    ) -> Result<(Arc<TrustedConfiguration>, Vec<usize>), Refusal> {
        if organization.status == OrganizationStatus::Suspended {
            return Err(Refusal::new(
                Reason::OrganizationSuspended,
                "SUSPENDED",
                "ACTIVE",
            ));
        }
        trace.passed(Check::Organization, || ("ACTIVE".into(), "ACTIVE".into()));
        let configuration = self.find(organization.directory, client_id, trace)?;
        standing(configuration, now, trace)?;
        let keys = self.keys(configuration, now, trace)?;
        Ok((Arc::clone(configuration), keys))
    }

    /// `iss`, `sub` and `aud`, one text each.
    fn triple(&self) -> Result<(&str, &str, &str), Refusal> {
        let peeked = self
            .jws
            .peek_claims()
            .map_err(|cause| {
                Refusal::new(
                    Reason::ClaimsMalformed,
                    cause.to_string(),
                    "a JSON object without duplicate members",
                )
            })?
            .members();
        let absent = |name: &str| {
            Refusal::new(
                Reason::ClaimsMalformed,
                format!("{name} is missing or not one text"),
                format!("{name}: one text"),
            )
        };
        let issuer = claims::text(peeked, "iss").ok_or_else(|| absent("iss"))?;
        let subject = claims::text(peeked, "sub").ok_or_else(|| absent("sub"))?;
        let audience = claims::audience(peeked).ok_or_else(|| absent("aud"))?;
        if self.flow == Flow::ClientAuthentication && issuer != subject {
            return Err(Refusal::new(
                Reason::SubjectMismatch,
                format!("iss {issuer}, sub {subject}"),
                "iss and sub equal (RFC 7523 §3, client authentication)",
            ));
        }
        Ok((issuer, subject, audience))
    }

    fn find<'d>(
        &self,
        directory: &'d Directory,
        client_id: Option<&str>,
        trace: &mut Trace,
    ) -> Result<&'d Arc<TrustedConfiguration>, Refusal> {
        let (issuer, subject, audience) = self.triple()?;
        let configuration = directory
            .find(issuer, subject, audience)
            .map_err(|unmatched| match unmatched {
                Unmatched::Issuer => Refusal::new(
                    Reason::IssuerUnknown,
                    issuer,
                    "the verifier_issuer of a configuration",
                ),
                Unmatched::Subject => Refusal::new(
                    Reason::SubjectMismatch,
                    subject,
                    "the verifier_subject of that configuration",
                ),
                Unmatched::Audience => Refusal::new(
                    Reason::AudienceMismatch,
                    audience,
                    "the verifier_audience of that configuration",
                ),
            })?;
        let id = configuration.configuration().id;
        if let Some(client_id) =
            client_id.filter(|client_id| *client_id != subject && *client_id != id.to_string())
        {
            return Err(Refusal::new(Reason::ClientIdMismatch, client_id, subject));
        }
        trace.passed(Check::Configuration, || {
            (
                format!("iss {issuer}, sub {subject}, aud {audience}"),
                format!("configuration {id}"),
            )
        });
        Ok(configuration)
    }

    fn keys(
        &self,
        configuration: &Arc<TrustedConfiguration>,
        now: UnixTime,
        trace: &mut Trace,
    ) -> Result<Vec<usize>, Refusal> {
        let header = self.jws.header();
        let mut usable = Vec::new();
        let mut unusable = None;
        for (position, key) in configuration.candidates(header.kid(), header.algorithm()) {
            match key.state.usable(key.expires_at, now) {
                KeyUse::Active if usable.len() < MAX_KEYS_TRIED => usable.push(position),
                KeyUse::Active => {}
                KeyUse::Expired => unusable = Some(Reason::KeyExpired),
                KeyUse::Retired => unusable = unusable.or(Some(Reason::KeyRetired)),
            }
        }
        let seen = || {
            let kid = header.kid().unwrap_or("none");
            ["kid ", kid, ", alg ", header.algorithm().as_str()].concat()
        };
        let expected = Expected::ActiveKey(Arc::clone(configuration), now);
        if usable.is_empty() {
            let reason = unusable.unwrap_or(Reason::KeyUnknown);
            return Err(Refusal::new(reason, seen(), expected));
        }
        trace.passed(Check::Key, || (seen(), expected.to_string()));
        Ok(usable)
    }
}

impl<'a> Candidate<'a> {
    /// Check 7: the signature. Refused after as many checks as any other assertion of this form: what the configuration
    /// has too few keys for, or keys of another size, is made up for with `decoys`.
    ///
    /// # Errors
    /// `signature_invalid` when none of the keys verifies it.
    pub fn verify(
        self,
        decoys: Decoys<'_>,
        trace: &mut Trace,
    ) -> Result<VerifiedAssertion<'a>, Refusal> {
        let Self {
            mut jws,
            flow,
            configuration,
            keys,
        } = self;
        let mut left = checks_before_refusal(&jws);
        for key in keys {
            let verifying = configuration.verifying_key(key);
            let Some(verifying) = verifying.filter(|key| jws.takes_time_with(key)) else {
                continue;
            };
            left = left.saturating_sub(1);
            match jws.verify(verifying) {
                Ok(verified) => {
                    let registered = &configuration.configuration().state.keys[key];
                    trace.passed(Check::Signature, || {
                        (
                            "valid".into(),
                            format!("signed with key {}", registered.kid.as_str()),
                        )
                    });
                    return Ok(VerifiedAssertion {
                        jws: verified,
                        configuration,
                        key,
                        flow,
                    });
                }
                Err(back) => jws = *back,
            }
        }
        spend(jws, left, decoys);
        Err(Refusal::new(
            Reason::SignatureInvalid,
            "",
            "a signature made with the registered key",
        ))
    }
}

fn malformed(cause: &JwsRefusal) -> Refusal {
    let reason = match cause.part() {
        RefusedPart::Algorithm => Reason::AlgorithmNotAllowed,
        RefusedPart::Form => Reason::AssertionMalformed,
        RefusedPart::Header => Reason::HeaderUnacceptable,
    };
    Refusal::new(reason, cause.to_string(), "")
}

/// Check 5: the configuration is active and has not expired.
fn standing(
    configuration: &TrustedConfiguration,
    now: UnixTime,
    trace: &mut Trace,
) -> Result<(), Refusal> {
    let state = &configuration.configuration().state;
    let refuse = |reason| Err(Refusal::new(reason, state.status.as_str(), "ACTIVE"));
    match state.status {
        ConfigurationStatus::Suspended => return refuse(Reason::ConfigurationSuspended),
        ConfigurationStatus::Deactivated => return refuse(Reason::ConfigurationDeactivated),
        ConfigurationStatus::Active => {}
    }
    if let Some(end) = state.expires_at.filter(|end| now >= *end) {
        return Err(Refusal::new(
            Reason::ConfigurationExpired,
            format!("expired at {end}"),
            "an expiry date in the future",
        ));
    }
    trace.passed(Check::ConfigurationStatus, || {
        ("ACTIVE".into(), "ACTIVE".into())
    });
    Ok(())
}
