//! "Almost right": what a refused assertion probably got wrong. For the workbench, which only administrators see.

use std::sync::Arc;

use countersign_crypto::UnverifiedJws;
use countersign_crypto::json::StrictObject;
use serde_json::{Map, Value};

use super::claims;
use super::refusal::{Reason, Refusal};
use crate::configurations::KeyUse;
use crate::directory::{Directory, TrustedConfiguration};
use crate::identifier::Identifier;
use crate::time::UnixTime;

/// The most configurations whose values are compared, so that explaining stays cheap.
const MAX_COMPARED: usize = 200;

/// The most keys that are tried: as much work as a few refused assertions.
const MAX_KEYS_TRIED: usize = 32;

/// A guess about the cause of a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// Its stable code.
    pub code: &'static str,
    /// What was probably meant, and what to change.
    pub detail: String,
}

impl Hint {
    fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
        }
    }
}

/// Guesses why `text` was refused, the likeliest first.
#[must_use]
pub fn near_misses(
    text: &str,
    refusal: &Refusal,
    directory: &Directory,
    issuer: &Identifier,
    now: UnixTime,
) -> Vec<Hint> {
    let Ok(jws) = UnverifiedJws::parse(text) else {
        return Vec::new();
    };
    let Ok(peeked) = jws.peek_claims().map(StrictObject::members) else {
        return Vec::new();
    };
    match refusal.reason {
        Reason::AudienceMismatch | Reason::IssuerUnknown | Reason::SubjectMismatch => {
            identifiers(peeked, directory, issuer)
        }
        Reason::ClaimsMalformed => audience_array(peeked)
            .into_iter()
            .chain(milliseconds(peeked))
            .collect(),
        Reason::KeyUnknown | Reason::KeyRetired | Reason::SignatureInvalid => {
            keys(text, &jws, peeked, directory, now)
        }
        _ => milliseconds(peeked).into_iter().collect(),
    }
}

fn audience_array(peeked: &Map<String, Value>) -> Option<Hint> {
    let values = peeked.get("aud")?.as_array()?;
    (values.len() != 1).then(|| {
        Hint::new(
            "array_audience",
            format!(
                "aud is an array of {} values; send exactly one, as a string.",
                values.len()
            ),
        )
    })
}

fn milliseconds(peeked: &Map<String, Value>) -> Option<Hint> {
    let suspicious = ["exp", "iat", "nbf"].into_iter().find(|name| {
        peeked
            .get(*name)
            .and_then(Value::as_f64)
            .is_some_and(|value| value > 1e11)
    })?;
    Some(Hint::new(
        "milliseconds",
        format!(
            "{suspicious} looks like milliseconds; JWT times are whole seconds, so divide by 1000."
        ),
    ))
}

fn identifiers(
    peeked: &Map<String, Value>,
    directory: &Directory,
    issuer: &Identifier,
) -> Vec<Hint> {
    let mut hints = Vec::new();
    if let Some(audience) = claims::audience(peeked)
        && let Some(hint) = foreign_audience(audience, issuer)
    {
        hints.push(hint);
    }
    for trusted in directory.iter().take(MAX_COMPARED) {
        let state = &trusted.configuration().state;
        let pairs = [
            ("iss", claims::text(peeked, "iss"), &state.verifier_issuer),
            ("sub", claims::text(peeked, "sub"), &state.verifier_subject),
            ("aud", claims::audience(peeked), &state.verifier_audience),
        ];
        for (name, seen, expected) in pairs {
            let hint = seen.and_then(|seen| almost_equal(name, seen, expected.as_str()));
            hints.extend(hint.filter(|hint| !hints.contains(hint)));
        }
    }
    hints.truncate(5);
    hints
}

/// The audience is the issuer, or below the issuer, of another organization of this instance.
fn foreign_audience(audience: &str, issuer: &Identifier) -> Option<Hint> {
    let base = issuer.as_str().rsplit_once('/')?.0;
    let foreign =
        audience.strip_prefix(base)?.starts_with("/tn-") && !audience.starts_with(issuer.as_str());
    foreign.then(|| {
        Hint::new(
            "other_organization_audience",
            format!("aud names another organization; this one is {issuer}."),
        )
    })
}

fn almost_equal(name: &str, seen: &str, expected: &str) -> Option<Hint> {
    if seen == expected {
        return None;
    }
    if seen.trim_end_matches('/') == expected.trim_end_matches('/') {
        return Some(Hint::new(
            "trailing_slash",
            format!("{name} differs only in the final slash: expected {expected}."),
        ));
    }
    let without_scheme = |text: &str| text.split_once("://").map(|(_, rest)| rest.to_owned());
    if without_scheme(seen).is_some() && without_scheme(seen) == without_scheme(expected) {
        return Some(Hint::new(
            "scheme",
            format!("{name} differs only in http and https: expected {expected}."),
        ));
    }
    if seen.eq_ignore_ascii_case(expected) {
        return Some(Hint::new(
            "letter_case",
            format!("{name} differs only in upper and lower case: expected {expected}."),
        ));
    }
    if name == "aud" && seen.strip_suffix("/token") == Some(expected) {
        return Some(Hint::new(
            "token_endpoint_audience",
            format!(
                "aud is the token endpoint; expected the issuer {expected}. Set the client's audience, or the configuration's verifier_audience."
            ),
        ));
    }
    None
}

fn keys(
    text: &str,
    jws: &UnverifiedJws<'_>,
    peeked: &Map<String, Value>,
    directory: &Directory,
    now: UnixTime,
) -> Vec<Hint> {
    let mut hints = Vec::new();
    let selected = (|| {
        let (issuer, subject) = (claims::text(peeked, "iss")?, claims::text(peeked, "sub")?);
        directory
            .find(issuer, subject, claims::audience(peeked)?)
            .ok()
    })();
    if let (Some(own), Some(kid)) = (selected, jws.header().kid()) {
        let registered = own
            .configuration()
            .state
            .keys
            .iter()
            .map(|key| key.kid.as_str());
        let same = registered
            .into_iter()
            .find(|name| *name != kid && name.eq_ignore_ascii_case(kid));
        hints.extend(same.map(|name| {
            Hint::new(
                "kid_case",
                format!("kid differs only in upper and lower case: the registered one is {name}."),
            )
        }));
    }
    if let Some((trusted, position)) = signer(text, selected, directory) {
        let key = &trusted.configuration().state.keys[position];
        let own = selected.is_some_and(|own| own.configuration().id == trusted.configuration().id);
        let retired = key.state.usable(key.expires_at, now) == KeyUse::Retired;
        hints.push(match (own, retired) {
            (true, true) => Hint::new(
                "retired_key",
                format!(
                    "It is signed with key {}, which is retired.",
                    key.kid.as_str()
                ),
            ),
            (true, false) => Hint::new(
                "wrong_kid",
                format!("It is signed with key {}; send that kid.", key.kid.as_str()),
            ),
            (false, _) => Hint::new(
                "other_configuration_key",
                format!(
                    "It is signed with the key of another configuration, {} ({}).",
                    trusted.configuration().id,
                    trusted.configuration().state.name.as_str()
                ),
            ),
        });
    }
    hints
}

/// The registered key, in any state, that made the signature: first of the configuration that was meant, then of others
/// of the organization, as far as that is cheap.
fn signer<'d>(
    text: &str,
    selected: Option<&'d Arc<TrustedConfiguration>>,
    directory: &'d Directory,
) -> Option<(&'d TrustedConfiguration, usize)> {
    let mut jws = UnverifiedJws::parse(text).ok()?;
    let algorithm = jws.header().algorithm();
    let keys = selected
        .into_iter()
        .chain(directory.iter())
        .flat_map(|trusted| {
            let positions = trusted.candidates(None, algorithm);
            positions.map(move |(position, _)| (trusted.as_ref(), position))
        });
    for (trusted, position) in keys.take(MAX_KEYS_TRIED) {
        let Some(key) = trusted.verifying_key(position) else {
            continue;
        };
        match jws.verify(key) {
            Ok(_) => return Some((trusted, position)),
            Err(back) => jws = *back,
        }
    }
    None
}
