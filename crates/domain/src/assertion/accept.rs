//! Checks 8 to 11: what a verified assertion says.

use std::sync::Arc;

use countersign_crypto::{MacKey, SigningInput};
use serde_json::{Map, Value};

use super::Flow;
use super::claims::{self, Times};
use super::refusal::{Check, Reason, Refusal};
use super::trace::Trace;
use super::verify::VerifiedAssertion;
use crate::configurations::{Configuration, ReplayProtection};
use crate::directory::TrustedConfiguration;
use crate::ids::{ConfigurationId, TenantId};
use crate::time::UnixTime;

/// How long after `exp` an assertion is still accepted, in seconds (`tokens.md`, check 9).
pub(super) const EXPIRY_GRACE: i64 = 5;

/// How far a caller's clock may run ahead, in seconds (`tokens.md`, check 9).
pub const CLOCK_AHEAD: i64 = 30;

/// The moment and the instance against which an assertion is held.
#[derive(Clone, Copy, Debug)]
pub struct Conditions {
    /// Now, never earlier than any moment this instance has acted on.
    pub now: UnixTime,
    /// The end of the last restore from a backup: assertions made up to then may have been used already.
    pub restored_at: Option<UnixTime>,
}

/// An assertion that has passed checks 1 to 11.
#[derive(Debug)]
pub struct AcceptedAssertion {
    configuration: Arc<TrustedConfiguration>,
    key: usize,
    flow: Flow,
    claims: Map<String, Value>,
    expires_at: UnixTime,
    use_of: Vec<u8>,
}

impl VerifiedAssertion<'_> {
    /// Checks 8 to 11: claims, time, lifetime and tenant.
    ///
    /// # Errors
    /// The first check that does not hold.
    pub fn accept(
        self,
        conditions: Conditions,
        trace: &mut Trace,
    ) -> Result<AcceptedAssertion, Refusal> {
        self.try_accept(conditions, trace)
            .map_err(Refusal::after_the_signature)
    }

    fn try_accept(
        self,
        conditions: Conditions,
        trace: &mut Trace,
    ) -> Result<AcceptedAssertion, Refusal> {
        let Self {
            jws,
            configuration: trusted,
            key,
            flow,
        } = self;
        let input = jws.signing_input();
        let all = jws.into_claims().map_err(|cause| {
            Refusal::new(
                Reason::ClaimsMalformed,
                cause.to_string(),
                "a JSON object without duplicate members",
            )
        })?;
        let all = all.into_members();
        let times = claims::times(&all)?;
        let jti = claims::jti(&all, flow == Flow::ClientAuthentication)?;
        trace.passed(Check::Claims, || {
            (
                format!("exp {}, jti {}", times.expires_at, jti.unwrap_or("none")),
                "iss, sub, aud, exp and a unique jti".into(),
            )
        });
        let configuration = trusted.configuration();
        check_time(times, conditions, configuration, trace)?;
        check_lifetime(times, conditions.now, configuration, trace)?;
        check_tenant(&all, configuration.tenant_id, trace)?;
        let use_of = use_of(configuration.id, jti, input);
        let expires_at = UnixTime::from_seconds(times.expires_at);
        Ok(AcceptedAssertion {
            configuration: trusted,
            key,
            flow,
            claims: all,
            expires_at,
            use_of,
        })
    }
}

/// What is used once: the `jti` of a configuration, or what was signed where there is none.
fn use_of(id: ConfigurationId, jti: Option<&str>, input: SigningInput<'_>) -> Vec<u8> {
    match jti {
        Some(jti) => [b"jti\0", &id.as_bytes()[..], jti.as_bytes()].concat(),
        None => [b"jws\0", &id.as_bytes()[..], input.digest().as_bytes()].concat(),
    }
}

fn check_time(
    times: Times,
    conditions: Conditions,
    configuration: &Configuration,
    trace: &mut Trace,
) -> Result<(), Refusal> {
    let now = conditions.now.seconds();
    let refuse = |reason, seen: i64, limit: String| {
        Err(Refusal::new(
            reason,
            format!("{seen}, that is {} s from now", seen.saturating_sub(now)),
            limit,
        ))
    };
    if now >= times.expires_at.saturating_add(EXPIRY_GRACE) {
        return refuse(
            Reason::AssertionExpired,
            times.expires_at,
            format!("exp after {now}"),
        );
    }
    let latest = now + CLOCK_AHEAD;
    if let Some(issued_at) = times.issued_at.filter(|issued_at| *issued_at > latest) {
        return refuse(
            Reason::IssuedInFuture,
            issued_at,
            format!("iat at most {latest}"),
        );
    }
    if let Some(not_before) = times.not_before.filter(|not_before| *not_before > latest) {
        return refuse(
            Reason::NotYetValid,
            not_before,
            format!("nbf at most {latest}"),
        );
    }
    // Without `iat`, take the earliest moment at which the assertion can have been made.
    let made = times
        .issued_at
        .unwrap_or(times.expires_at - i64::from(configuration.state.max_assertion_lifetime));
    if let Some(restored_at) = conditions
        .restored_at
        .filter(|restored_at| made <= restored_at.seconds())
    {
        let limit = format!("iat after {}", restored_at.seconds());
        return refuse(Reason::AssertionPredatesRestore, made, limit);
    }
    trace.passed(Check::Time, || {
        (
            format!("exp in {} s", times.expires_at - now),
            "exp in the future, iat and nbf not".into(),
        )
    });
    Ok(())
}

fn check_lifetime(
    times: Times,
    now: UnixTime,
    configuration: &Configuration,
    trace: &mut Trace,
) -> Result<(), Refusal> {
    let longest = i64::from(configuration.state.max_assertion_lifetime);
    let remaining = times.expires_at - now.seconds();
    let lifetime = times
        .issued_at
        .map(|issued_at| times.expires_at - issued_at);
    let expected = format!("at most {longest} s (300 s is recommended)");
    // A caller's clock may run ahead of ours: what is left may exceed the limit by that much and no more.
    if remaining > longest + CLOCK_AHEAD || (lifetime.is_none() && remaining > longest) {
        return Err(Refusal::new(
            Reason::LifetimeTooLong,
            format!("exp in {remaining} s"),
            expected,
        ));
    }
    if let Some(lifetime) = lifetime.filter(|lifetime| *lifetime > longest) {
        return Err(Refusal::new(
            Reason::LifetimeTooLong,
            format!("exp - iat = {lifetime} s"),
            expected,
        ));
    }
    trace.passed(Check::Lifetime, || {
        (format!("{} s", lifetime.unwrap_or(remaining)), expected)
    });
    Ok(())
}

fn check_tenant(
    all: &Map<String, Value>,
    tenant: TenantId,
    trace: &mut Trace,
) -> Result<(), Refusal> {
    let seen = match all.get("tenant_id") {
        None => "absent".to_owned(),
        Some(Value::String(claimed)) if *claimed == tenant.to_string() => claimed.clone(),
        Some(other) => {
            return Err(Refusal::new(
                Reason::TenantMismatch,
                claims::as_json(other),
                tenant.to_string(),
            ));
        }
    };
    trace.passed(Check::Tenant, || (seen, tenant.to_string()));
    Ok(())
}

impl AcceptedAssertion {
    /// The configuration that the assertion belongs to.
    #[must_use]
    pub fn configuration(&self) -> &Arc<TrustedConfiguration> {
        &self.configuration
    }

    /// The `kid` of the registered key that verified the assertion.
    #[must_use]
    pub fn kid(&self) -> &str {
        self.configuration.configuration().state.keys[self.key]
            .kid
            .as_str()
    }

    /// The end of the certificate of that key, if it has one.
    #[must_use]
    pub fn key_expires_at(&self) -> Option<UnixTime> {
        self.configuration.configuration().state.keys[self.key].expires_at
    }

    /// How the caller asks.
    #[must_use]
    pub const fn flow(&self) -> Flow {
        self.flow
    }

    /// The claims.
    #[must_use]
    pub const fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// What is used once: a keyed digest of (configuration, `jti`), or of (configuration, SHA-256 of the signing input)
    /// where there is no `jti`. Nobody without the key can make two that are equal, or many that are alike.
    #[must_use]
    pub fn replay_key(&self, key: &MacKey) -> [u8; 16] {
        key.digest128(&self.use_of).to_le_bytes()
    }

    /// `exp`.
    #[must_use]
    pub const fn expires_at(&self) -> UnixTime {
        self.expires_at
    }

    /// Until when the replay key must be remembered: past this moment check 9 refuses the assertion by itself.
    #[must_use]
    pub const fn remember_until(&self) -> UnixTime {
        self.expires_at.plus(EXPIRY_GRACE + CLOCK_AHEAD)
    }

    /// Whether one use is all.
    #[must_use]
    pub fn is_single_use(&self) -> bool {
        self.configuration.configuration().state.replay_protection == ReplayProtection::SingleUse
    }
}
