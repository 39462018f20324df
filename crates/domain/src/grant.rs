//! Checks 12 and 13: what an accepted assertion is granted. Pure, and the only way to a [`Grant`].

use serde_json::{Map, Value};

use crate::assertion::{AcceptedAssertion, Check, Flow, Reason, Refusal, Trace, account_binding};
use crate::configurations::{AuthType, ConfigurationState};
use crate::organizations::OrganizationState;
use crate::permission_groups::{GroupSet, PermissionGroup, RequestedScope, to_scope};
use crate::time::UnixTime;

/// What a caller asks for beside the assertion.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked<'a> {
    /// The `scope` parameter.
    pub scope: Option<&'a str>,
    /// The `resource` parameters (RFC 8707).
    pub resources: &'a [&'a str],
}

/// An accepted assertion and what the access token for it will allow.
#[derive(Debug)]
pub struct Grant {
    assertion: AcceptedAssertion,
    scope: GroupSet,
    uid: Option<String>,
    external_account_id: Option<String>,
    custom: Option<String>,
    expires_at: UnixTime,
}

/// The most that the permission groups and the copied claims take of an access token together, in octets. Gateways have
/// limits of about this size for a whole header field; and what is issued must be readable at introspection.
const MAX_CONTENT_OCTETS: usize = 8 * 1024;

impl Grant {
    /// What it is granted for.
    #[must_use]
    pub const fn assertion(&self) -> &AcceptedAssertion {
        &self.assertion
    }

    /// The permission groups granted.
    #[must_use]
    pub const fn scope(&self) -> &GroupSet {
        &self.scope
    }

    /// The account that the token is bound to.
    #[must_use]
    pub fn uid(&self) -> Option<&str> {
        self.uid.as_deref()
    }

    /// The account that the token is bound to, by the name that the organization gave it.
    #[must_use]
    pub fn external_account_id(&self) -> Option<&str> {
        self.external_account_id.as_deref()
    }

    /// The copied claims as a JSON object, if there are any.
    #[must_use]
    pub fn custom(&self) -> Option<&str> {
        self.custom.as_deref()
    }

    /// When the access token ends.
    #[must_use]
    pub const fn expires_at(&self) -> UnixTime {
        self.expires_at
    }
}

/// A token is for the one audience of its configuration: whoever asks for another gets none (RFC 8707 §2).
///
/// # Errors
/// `resource_not_served`.
fn check_resources(accepted: &AcceptedAssertion, resources: &[&str]) -> Result<(), Refusal> {
    let audience = &accepted
        .configuration()
        .configuration()
        .state
        .signer_audience;
    match resources
        .iter()
        .find(|resource| **resource != audience.as_str())
    {
        Some(other) => Err(Refusal::new(
            Reason::ResourceNotServed,
            *other,
            audience.as_str(),
        )),
        None => Ok(()),
    }
}

/// Decides audience, scope, account binding, copied claims and lifetime.
///
/// # Errors
/// `resource_not_served`, `scope_malformed`, `scope_unknown`, `scope_not_granted`, `token_too_large` or
/// `account_binding_malformed`.
pub fn decide(
    accepted: AcceptedAssertion,
    organization: &OrganizationState,
    asked: Asked<'_>,
    now: UnixTime,
    trace: &mut Trace,
) -> Result<Grant, Refusal> {
    try_decide(accepted, organization, asked, now, trace).map_err(Refusal::after_the_signature)
}

fn try_decide(
    accepted: AcceptedAssertion,
    organization: &OrganizationState,
    asked: Asked<'_>,
    now: UnixTime,
    trace: &mut Trace,
) -> Result<Grant, Refusal> {
    check_resources(&accepted, asked.resources)?;
    let state = &accepted.configuration().configuration().state;
    let claims = accepted.claims();
    let granted = granted_groups(state, organization);
    let requested = requested_scope(claims, accepted.flow(), asked.scope)?;
    let scope = narrow(requested.as_ref(), &granted, organization)?;
    let custom = copied_claims(state, claims);
    check_size(&scope, custom.as_deref())?;
    trace.passed(Check::Scope, || {
        let seen = requested.as_ref().map_or_else(
            || "none requested".to_owned(),
            |scope| scope.tokens().join(" "),
        );
        (seen, format!("within: {}", to_scope(&granted)))
    });
    let uid = account_binding(claims, "uid")?.map(str::to_owned);
    let external_account_id = account_binding(claims, "external_account_id")?.map(str::to_owned);
    trace.passed(Check::AccountBinding, || {
        let seen = uid
            .as_deref()
            .or(external_account_id.as_deref())
            .unwrap_or("none");
        (seen.to_owned(), "none, or one text".to_owned())
    });
    let expires_at = token_end(&accepted, state, now);
    Ok(Grant {
        assertion: accepted,
        scope,
        uid,
        external_account_id,
        custom,
        expires_at,
    })
}

fn copied_claims(state: &ConfigurationState, claims: &Map<String, Value>) -> Option<String> {
    let names = state.copied_claims.iter();
    let copied: Map<String, Value> = names
        .filter_map(|name| claims.get_key_value(name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    (!copied.is_empty()).then(|| Value::Object(copied).to_string())
}

fn check_size(scope: &GroupSet, custom: Option<&str>) -> Result<(), Refusal> {
    let groups = scope.iter().map(|group| group.as_str().len() + 1);
    let octets = groups.sum::<usize>() + custom.map_or(0, str::len);
    if octets <= MAX_CONTENT_OCTETS {
        return Ok(());
    }
    Err(Refusal::new(
        Reason::TokenTooLarge,
        format!("{octets} octets of scope and copied claims"),
        format!("at most {MAX_CONTENT_OCTETS} octets"),
    ))
}

/// Standard: all that the organization is entitled to. Third-party: what is granted, as far as still entitled.
fn granted_groups(state: &ConfigurationState, organization: &OrganizationState) -> GroupSet {
    match state.auth_type {
        AuthType::Standard => organization.permission_groups.clone(),
        AuthType::ThirdParty => state
            .permission_groups
            .intersection(&organization.permission_groups)
            .cloned()
            .collect(),
    }
}

/// The form parameter decides; a scope claim stands in for it, or bounds it (conformance D9).
fn requested_scope(
    claims: &Map<String, Value>,
    flow: Flow,
    parameter: Option<&str>,
) -> Result<Option<RequestedScope>, Refusal> {
    let parse = |text: &str| {
        RequestedScope::parse(text)
            .map_err(|cause| Refusal::new(Reason::ScopeMalformed, "", cause.to_string()))
    };
    let asked = parameter.map(parse).transpose()?;
    let claimed = match flow {
        Flow::Compatibility => compatibility_group(claims)?,
        Flow::AuthorizationGrant | Flow::ClientAuthentication => scope_claim(claims)?,
    };
    let claimed = claimed.map(parse).transpose()?;
    match (asked, claimed) {
        (Some(asked), Some(claimed)) if !asked.is_within(&claimed) => Err(Refusal::new(
            Reason::ScopeNotGranted,
            asked.tokens().join(" "),
            format!("within the scope claim: {}", claimed.tokens().join(" ")),
        )),
        (asked, claimed) => Ok(asked.or(claimed)),
    }
}

fn scope_claim(claims: &Map<String, Value>) -> Result<Option<&str>, Refusal> {
    match claims.get("scope") {
        None => Ok(None),
        Some(Value::String(scope)) => Ok(Some(scope)
            .filter(|scope| !scope.is_empty())
            .map(String::as_str)),
        Some(_) => Err(Refusal::new(
            Reason::ScopeMalformed,
            "a scope claim that is not a text",
            "one text",
        )),
    }
}

/// The claim `pismo` of the hosted reference product: a text, or an object with the member `group`.
fn compatibility_group(claims: &Map<String, Value>) -> Result<Option<&str>, Refusal> {
    match claims.get("pismo") {
        None => Ok(None),
        Some(Value::String(group)) => Ok(Some(group)),
        Some(Value::Object(members)) => match members.get("group") {
            None => Ok(None),
            Some(Value::String(group)) => Ok(Some(group)),
            Some(_) => Err(Refusal::new(
                Reason::ScopeMalformed,
                "pismo.group is not a text",
                "one text",
            )),
        },
        Some(_) => Err(Refusal::new(
            Reason::ScopeMalformed,
            "pismo is neither a text nor an object",
            "{\"group\": …}",
        )),
    }
}

/// Requested ⊆ granted, refused otherwise and never narrowed in silence (check 12).
fn narrow(
    requested: Option<&RequestedScope>,
    granted: &GroupSet,
    organization: &OrganizationState,
) -> Result<GroupSet, Refusal> {
    let Some(requested) = requested else {
        return Ok(granted.clone());
    };
    let mut scope = GroupSet::new();
    for token in requested.tokens() {
        let known = PermissionGroup::parse(token)
            .ok()
            .filter(|group| organization.permission_groups.contains(group));
        let Some(group) = known else {
            return Err(Refusal::new(
                Reason::ScopeUnknown,
                token.as_str(),
                format!("one of: {}", to_scope(granted)),
            ));
        };
        if !granted.contains(&group) {
            return Err(Refusal::new(
                Reason::ScopeNotGranted,
                token.as_str(),
                format!("one of: {}", to_scope(granted)),
            ));
        }
        scope.insert(group);
    }
    Ok(scope)
}

/// A token never outlives its configuration or the certificate of the key that asked for it (conformance G5).
fn token_end(accepted: &AcceptedAssertion, state: &ConfigurationState, now: UnixTime) -> UnixTime {
    let lifetime = now.plus(i64::from(state.access_token_lifetime));
    [state.expires_at, accepted.key_expires_at()]
        .into_iter()
        .flatten()
        .fold(lifetime, UnixTime::min)
}
