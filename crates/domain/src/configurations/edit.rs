//! Creating, editing and rotating: from what was asked to the state that would result.

use std::collections::BTreeSet;

use countersign_crypto::import::ImportedKey;
use countersign_crypto::{Algorithm, VerifyingKey};

use super::keys::{KeyId, KeyState, KeyUse, MAX_KEYS, MAX_RETIRE_AFTER, RegisteredKey};
use super::{
    AuthType, ConfigurationRefusal, ConfigurationState, ConfigurationStatus, CopiedClaim,
    MAX_ACCESS_TOKEN_LIFETIME, MAX_ASSERTION_LIFETIME, ReplayProtection,
};
use crate::identifier::Identifier;
use crate::ids::ConfigurationId;
use crate::organizations::OrganizationState;
use crate::permission_groups::{GroupSet, parse_groups};
use crate::text::{Label, Note, excerpt};
use crate::time::UnixTime;

/// The most claims one configuration may copy.
const MAX_COPIED_CLAIMS: usize = 20;

/// The shortest useful lifetimes, in seconds.
const MIN_ASSERTION_LIFETIME: u32 = 30;
const MIN_ACCESS_TOKEN_LIFETIME: u32 = 60;

/// The fields of a configuration that a person writes. `None` leaves a field as it is; `Some(None)` clears it.
#[derive(Clone, Debug, Default)]
pub struct ConfigurationEdit {
    /// New `name`.
    pub name: Option<String>,
    /// New `auth_type`.
    pub auth_type: Option<AuthType>,
    /// New `verifier_issuer`.
    pub verifier_issuer: Option<String>,
    /// New `verifier_subject`.
    pub verifier_subject: Option<String>,
    /// New `verifier_audience`.
    pub verifier_audience: Option<String>,
    /// New `signer_issuer`.
    pub signer_issuer: Option<String>,
    /// New `signer_audience`.
    pub signer_audience: Option<String>,
    /// New `max_assertion_lifetime`, seconds.
    pub max_assertion_lifetime: Option<u32>,
    /// New `access_token_lifetime`, seconds.
    pub access_token_lifetime: Option<u32>,
    /// New `replay_protection`.
    pub replay_protection: Option<ReplayProtection>,
    /// New `copied_claims`.
    pub copied_claims: Option<Vec<String>>,
    /// New `permission_groups`.
    pub permission_groups: Option<Vec<String>>,
    /// New `expires_at`.
    pub expires_at: Option<Option<UnixTime>>,
    /// New `owner`.
    pub owner: Option<Option<String>>,
    /// New `notes`.
    pub notes: Option<Option<String>>,
}

/// A configuration to be created.
#[derive(Debug)]
pub struct NewConfiguration {
    /// The ID it will have.
    pub id: ConfigurationId,
    /// What was asked for; what is missing gets a default.
    pub fields: ConfigurationEdit,
    /// The imported keys: the first becomes current, the others next.
    pub keys: Vec<ImportedKey>,
    /// The algorithm, for a single key that can serve several.
    pub algorithm: Option<Algorithm>,
    /// The `kid`, for a single key.
    pub kid: Option<String>,
}

/// A change of keys.
#[derive(Debug)]
pub struct Rotation {
    /// The imported keys; with none, the waiting `next` key is promoted.
    pub keys: Vec<ImportedKey>,
    /// The algorithm, for a single key that can serve several.
    pub algorithm: Option<Algorithm>,
    /// The `kid`, for a single key.
    pub kid: Option<String>,
    /// Register the key as `next` and leave the current one in place.
    pub as_next: bool,
    /// How long the keys in use now stay accepted, in seconds.
    pub retire_after: u32,
}

impl NewConfiguration {
    /// The state that the new configuration would have.
    ///
    /// # Errors
    /// [`ConfigurationRefusal`] when a field breaks its rule.
    pub fn into_state(
        self,
        organization: &OrganizationState,
        issuer: &Identifier,
        now: UnixTime,
    ) -> Result<ConfigurationState, ConfigurationRefusal> {
        let id = self.id.to_string();
        let auth_type = self.fields.auth_type.unwrap_or(AuthType::Standard);
        let own_audience = match auth_type {
            AuthType::Standard => issuer.to_string(),
            AuthType::ThirdParty => format!("{issuer}/{id}"),
        };
        let blank = ConfigurationState {
            name: label("name", &format!("Configuration {}", &id[3..11]))?,
            auth_type,
            status: ConfigurationStatus::Active,
            verifier_issuer: identifier("verifier_issuer", &id)?,
            verifier_subject: identifier("verifier_subject", &id)?,
            verifier_audience: identifier("verifier_audience", &own_audience)?,
            signer_issuer: issuer.clone(),
            signer_audience: identifier("signer_audience", &format!("{issuer}/api"))?,
            max_assertion_lifetime: MAX_ASSERTION_LIFETIME,
            access_token_lifetime: super::DEFAULT_ACCESS_TOKEN_LIFETIME,
            replay_protection: ReplayProtection::SingleUse,
            copied_claims: BTreeSet::new(),
            permission_groups: GroupSet::new(),
            expires_at: None,
            owner: None,
            notes: None,
            tokens_not_before: None,
            keys: register(self.keys, self.algorithm, self.kid.as_deref(), now)?,
        };
        let state = blank.with_fields(self.fields, organization, now)?;
        if state.keys.is_empty() {
            return Err(ConfigurationRefusal::NoKey);
        }
        check_keys(&state.keys)?;
        Ok(state)
    }
}

impl ConfigurationState {
    /// This state with the fields of `edit`.
    ///
    /// # Errors
    /// When the configuration is deactivated, a field breaks its rule, or nothing would change.
    pub fn edit(
        self,
        edit: ConfigurationEdit,
        organization: &OrganizationState,
        now: UnixTime,
    ) -> Result<Self, ConfigurationRefusal> {
        if self.status == ConfigurationStatus::Deactivated {
            return Err(ConfigurationRefusal::Deactivated);
        }
        let before = self.clone();
        let after = self.with_fields(edit, organization, now)?;
        if after == before {
            Err(ConfigurationRefusal::NothingToChange)
        } else {
            Ok(after)
        }
    }

    /// This state after a change of keys.
    ///
    /// # Errors
    /// When the configuration is deactivated, there is no key to change to, or a key breaks a rule.
    pub fn rotate(
        mut self,
        rotation: Rotation,
        now: UnixTime,
    ) -> Result<Self, ConfigurationRefusal> {
        if self.status == ConfigurationStatus::Deactivated {
            return Err(ConfigurationRefusal::Deactivated);
        }
        if rotation.retire_after > MAX_RETIRE_AFTER {
            return Err(ConfigurationRefusal::RetireAfter);
        }
        let mut fresh = register(
            rotation.keys,
            rotation.algorithm,
            rotation.kid.as_deref(),
            now,
        )?;
        if fresh.is_empty() && rotation.as_next {
            return Err(ConfigurationRefusal::NextWithoutKey);
        }
        if fresh.is_empty() {
            fresh = self.take_next()?;
        }
        if rotation.as_next {
            fresh.iter_mut().for_each(|key| key.state = KeyState::Next);
            self.keys.append(&mut fresh);
        } else {
            self.retire_current(rotation.retire_after, now);
            fresh.append(&mut self.keys);
            self.keys = fresh;
        }
        self.forget_oldest_retired(now);
        check_keys(&self.keys)?;
        Ok(self)
    }

    /// Makes room: the keys retired longest ago leave the state; its versions remember them.
    fn forget_oldest_retired(&mut self, now: UnixTime) {
        while self.keys.len() > MAX_KEYS {
            let retired = self
                .keys
                .iter()
                .rposition(|key| key.state.usable(None, now) == KeyUse::Retired);
            match retired {
                Some(position) => drop(self.keys.remove(position)),
                None => return,
            }
        }
    }

    /// Removes the first waiting key and makes it current.
    fn take_next(&mut self) -> Result<Vec<RegisteredKey>, ConfigurationRefusal> {
        let position = self.keys.iter().position(|key| key.state == KeyState::Next);
        let mut key = self
            .keys
            .remove(position.ok_or(ConfigurationRefusal::NoNextKey)?);
        key.state = KeyState::Current;
        Ok(vec![key])
    }

    /// Puts an end to the keys in use; an end that is nearer already stays.
    fn retire_current(&mut self, retire_after: u32, now: UnixTime) {
        let end = now.plus(i64::from(retire_after));
        for key in &mut self.keys {
            key.state = match key.state {
                KeyState::Retired { .. } | KeyState::Next => key.state,
                KeyState::Current | KeyState::Retiring { .. } if retire_after == 0 => {
                    KeyState::Retired { retired_at: now }
                }
                KeyState::Current => KeyState::Retiring { retires_at: end },
                KeyState::Retiring { retires_at } => KeyState::Retiring {
                    retires_at: retires_at.min(end),
                },
            };
        }
    }

    fn with_fields(
        mut self,
        edit: ConfigurationEdit,
        organization: &OrganizationState,
        now: UnixTime,
    ) -> Result<Self, ConfigurationRefusal> {
        set(&mut self.name, edit.name.as_deref(), |text| {
            label("name", text)
        })?;
        self.set_identifiers(&edit)?;
        set(
            &mut self.copied_claims,
            edit.copied_claims.as_deref(),
            claims,
        )?;
        set(
            &mut self.permission_groups,
            edit.permission_groups.as_deref(),
            groups,
        )?;
        self.auth_type = edit.auth_type.unwrap_or(self.auth_type);
        self.replay_protection = edit.replay_protection.unwrap_or(self.replay_protection);
        self.max_assertion_lifetime = edit
            .max_assertion_lifetime
            .unwrap_or(self.max_assertion_lifetime);
        self.access_token_lifetime = edit
            .access_token_lifetime
            .unwrap_or(self.access_token_lifetime);
        if let Some(owner) = edit.owner {
            self.owner = owner
                .as_deref()
                .map(|text| label("owner", text))
                .transpose()?;
        }
        if let Some(notes) = edit.notes {
            self.notes = notes.as_deref().map(note).transpose()?;
        }
        if let Some(expires_at) = edit.expires_at {
            if expires_at.is_some_and(|end| end <= now) {
                return Err(ConfigurationRefusal::ExpiryInPast);
            }
            self.expires_at = expires_at;
        }
        self.check_rules(organization)?;
        Ok(self)
    }

    fn set_identifiers(&mut self, edit: &ConfigurationEdit) -> Result<(), ConfigurationRefusal> {
        set(
            &mut self.verifier_issuer,
            edit.verifier_issuer.as_deref(),
            |v| identifier("verifier_issuer", v),
        )?;
        set(
            &mut self.verifier_subject,
            edit.verifier_subject.as_deref(),
            |v| identifier("verifier_subject", v),
        )?;
        set(
            &mut self.verifier_audience,
            edit.verifier_audience.as_deref(),
            |v| identifier("verifier_audience", v),
        )?;
        set(
            &mut self.signer_issuer,
            edit.signer_issuer.as_deref(),
            |v| identifier("signer_issuer", v),
        )?;
        set(
            &mut self.signer_audience,
            edit.signer_audience.as_deref(),
            |v| identifier("signer_audience", v),
        )
    }

    fn check_rules(&self, organization: &OrganizationState) -> Result<(), ConfigurationRefusal> {
        if !(MIN_ASSERTION_LIFETIME..=MAX_ASSERTION_LIFETIME).contains(&self.max_assertion_lifetime)
        {
            return Err(ConfigurationRefusal::AssertionLifetime);
        }
        if !(MIN_ACCESS_TOKEN_LIFETIME..=MAX_ACCESS_TOKEN_LIFETIME)
            .contains(&self.access_token_lifetime)
        {
            return Err(ConfigurationRefusal::AccessTokenLifetime);
        }
        match self.auth_type {
            AuthType::Standard if !self.permission_groups.is_empty() => {
                Err(ConfigurationRefusal::GroupsOnStandard)
            }
            AuthType::Standard => Ok(()),
            AuthType::ThirdParty => match self
                .permission_groups
                .difference(&organization.permission_groups)
                .next()
            {
                Some(group) => Err(ConfigurationRefusal::GroupNotEntitled(group.to_string())),
                None => Ok(()),
            },
        }
    }
}

fn set<T, S: ?Sized>(
    field: &mut T,
    value: Option<&S>,
    parse: impl FnOnce(&S) -> Result<T, ConfigurationRefusal>,
) -> Result<(), ConfigurationRefusal> {
    if let Some(value) = value {
        *field = parse(value)?;
    }
    Ok(())
}

fn identifier(field: &'static str, text: &str) -> Result<Identifier, ConfigurationRefusal> {
    Identifier::parse(text).map_err(|cause| ConfigurationRefusal::Identifier { field, cause })
}

fn label(field: &'static str, text: &str) -> Result<Label, ConfigurationRefusal> {
    Label::parse(text).map_err(|cause| ConfigurationRefusal::Text { field, cause })
}

fn note(text: &str) -> Result<Note, ConfigurationRefusal> {
    Note::parse(text).map_err(|cause| ConfigurationRefusal::Text {
        field: "notes",
        cause,
    })
}

fn claims(names: &[String]) -> Result<BTreeSet<CopiedClaim>, ConfigurationRefusal> {
    let parse = |name: &String| {
        CopiedClaim::parse(name).map_err(|_| ConfigurationRefusal::CopiedClaim(excerpt(name)))
    };
    if names.len() > MAX_COPIED_CLAIMS {
        return Err(ConfigurationRefusal::TooManyCopiedClaims);
    }
    names.iter().map(parse).collect()
}

fn groups(names: &[String]) -> Result<GroupSet, ConfigurationRefusal> {
    parse_groups(names).map_err(ConfigurationRefusal::GroupMalformed)
}

/// Binds imported keys to an algorithm and a `kid`: the first is current, the others wait.
fn register(
    imported: Vec<ImportedKey>,
    algorithm: Option<Algorithm>,
    kid: Option<&str>,
    now: UnixTime,
) -> Result<Vec<RegisteredKey>, ConfigurationRefusal> {
    if imported.len() > MAX_KEYS {
        return Err(ConfigurationRefusal::TooManyKeys);
    }
    if imported.len() != 1 {
        let given = algorithm.map(|_| "algorithm").or(kid.map(|_| "kid"));
        given.map_or(Ok(()), |field| {
            Err(ConfigurationRefusal::NotASingleKey(field))
        })?;
    }
    let mut keys = Vec::with_capacity(imported.len());
    for (position, found) in imported.into_iter().enumerate() {
        let bound = match (algorithm, found.algorithm) {
            (Some(asked), Some(own)) if asked != own => {
                return Err(ConfigurationRefusal::AlgorithmDoesNotFit);
            }
            (asked, own) => asked.or(own).unwrap_or(found.key.kind().algorithms()[0]),
        };
        VerifyingKey::new(found.key.clone(), bound)
            .map_err(|_| ConfigurationRefusal::AlgorithmDoesNotFit)?;
        let name = kid
            .map(str::to_owned)
            .or(found.kid)
            .unwrap_or_else(|| found.key.thumbprint());
        keys.push(RegisteredKey {
            kid: KeyId::parse(&name).map_err(|_| ConfigurationRefusal::KeyIdMalformed)?,
            algorithm: bound,
            fingerprint_sha256: found.key.fingerprint(),
            public_key: found.key.to_pem().into(),
            state: if position == 0 {
                KeyState::Current
            } else {
                KeyState::Next
            },
            added_at: now,
            expires_at: found
                .certificate
                .map(|facts| UnixTime::from_seconds(facts.not_after)),
        });
    }
    Ok(keys)
}

fn check_keys(keys: &[RegisteredKey]) -> Result<(), ConfigurationRefusal> {
    if keys.len() > MAX_KEYS {
        return Err(ConfigurationRefusal::TooManyKeys);
    }
    for (position, key) in keys.iter().enumerate() {
        for other in &keys[position + 1..] {
            if key.kid == other.kid {
                return Err(ConfigurationRefusal::KeyIdTaken);
            }
            if key.fingerprint_sha256 == other.fingerprint_sha256 {
                return Err(ConfigurationRefusal::KeyAlreadyRegistered);
            }
        }
    }
    Ok(())
}
