//! The signing keys of one organization, opened and ready: made, published, used, retired.

use std::sync::{Arc, Mutex, PoisonError};

use countersign_crypto::{
    JwsSigner, MasterKey, PublicKey, SigningAlgorithm, SigningKey, VerifyingKey,
};
use countersign_domain::access_token::TokenClaims;
use countersign_domain::ids::TenantId;
use countersign_domain::organizations::OrganizationState;
use countersign_domain::signing_keys::{KeyAge, RotationStep, SigningKeyState, due};
use countersign_domain::time::UnixTime;
use countersign_store::{Store, StoredSigningKey, Unit};
use serde_json::json;

use crate::error::ServiceError;
use crate::exchange::IssuedToken;
use crate::standing::StandingToken;

/// The type of every access token (RFC 9068 §2.1).
const TOKEN_TYPE: &str = "at+jwt";

/// The keys of one organization, as they stand in memory.
pub struct Keyring {
    current: Option<Signer>,
    published: Vec<PublishedKey>,
    jwks: Arc<str>,
}

/// The key that signs.
pub struct Signer {
    signer: JwsSigner,
}

/// A key whose tokens are accepted.
pub struct PublishedKey {
    /// Its `kid`.
    pub kid: String,
    /// The key, bound to its algorithm.
    pub key: VerifyingKey,
}

impl Signer {
    /// Signs an access token that is on record, and that what it was granted by has not left meanwhile.
    #[must_use]
    pub fn sign(&self, token: StandingToken) -> IssuedToken {
        let TokenClaims {
            json,
            expires_in,
            scope,
        } = token.into_recorded().into_claims();
        IssuedToken {
            access_token: self.signer.sign(&json),
            expires_in,
            scope,
        }
    }
}

impl Keyring {
    /// Opens the stored keys.
    ///
    /// # Errors
    /// When a key cannot be unsealed (another master key) or read.
    pub fn open(keys: &[StoredSigningKey], master: &MasterKey) -> Result<Self, ServiceError> {
        let mut ring = Self {
            current: None,
            published: Vec::new(),
            jwks: Arc::from(""),
        };
        let mut documents = Vec::new();
        for key in keys.iter().filter(|key| key.state.is_published()) {
            let public = PublicKey::from_pem(&key.public_key)
                .map_err(|error| fault(key, &error.to_string()))?;
            let algorithm = key.algorithm.algorithm();
            documents.push(public.to_jwk(&key.kid, Some(algorithm)));
            let verifying = VerifyingKey::new(public, algorithm)
                .map_err(|error| fault(key, &error.to_string()))?;
            ring.published.push(PublishedKey {
                kid: key.kid.clone(),
                key: verifying,
            });
            if key.state == SigningKeyState::Current {
                let sealed = key
                    .sealed
                    .as_deref()
                    .ok_or_else(|| fault(key, "its private part is missing"))?;
                let der = master
                    .open(sealed, &seal_context(key.tenant_id, &key.kid))
                    .map_err(|error| fault(key, &error.to_string()))?;
                let private = SigningKey::from_pkcs8_der(key.algorithm, &der)
                    .map_err(|error| fault(key, &error.to_string()))?;
                ring.current = Some(Signer {
                    signer: JwsSigner::new(private, Some(TOKEN_TYPE), Some(&key.kid)),
                });
            }
        }
        ring.jwks = json!({"keys": documents}).to_string().into();
        Ok(ring)
    }

    /// The key that signs, if there is one.
    #[must_use]
    pub const fn current(&self) -> Option<&Signer> {
        self.current.as_ref()
    }

    /// The published key with this `kid`.
    #[must_use]
    pub fn published(&self, kid: &str) -> Option<&PublishedKey> {
        self.published.iter().find(|key| key.kid == kid)
    }

    /// The JWK set (RFC 7517 §5): public members only.
    #[must_use]
    pub fn jwks(&self) -> Arc<str> {
        Arc::clone(&self.jwks)
    }
}

fn fault(key: &StoredSigningKey, cause: &str) -> ServiceError {
    ServiceError::Fault(format!(
        "signing key {} of {}: {cause}",
        key.kid, key.tenant_id
    ))
}

/// What a sealed key is bound to: moved to another organization or name, it does not open.
fn seal_context(tenant_id: TenantId, kid: &str) -> Vec<u8> {
    format!("countersign/signing-key/v1\0{tenant_id}\0{kid}").into_bytes()
}

/// A key that was made before the transaction that needs it. Generating RSA takes long, and on the embedded database
/// nothing else can be written while a transaction is open.
pub(crate) struct SpareKey(Mutex<Option<SigningKey>>);

impl SpareKey {
    /// Has this key, if any.
    pub(crate) const fn new(key: Option<SigningKey>) -> Self {
        Self(Mutex::new(key))
    }

    /// The key, or one made on the spot where that takes no time.
    ///
    /// # Errors
    /// [`ServiceError::KeyNeeded`] when it takes time: the caller makes one outside the transaction and begins anew.
    pub(crate) fn take(&self, algorithm: SigningAlgorithm) -> Result<SigningKey, ServiceError> {
        match algorithm {
            SigningAlgorithm::EdDsa | SigningAlgorithm::Es256 => {
                Ok(SigningKey::generate(algorithm))
            }
            SigningAlgorithm::Ps256 | SigningAlgorithm::Rs256 => self
                .0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take_if(|key| key.algorithm() == algorithm)
                .ok_or(ServiceError::KeyNeeded(algorithm)),
        }
    }
}

/// Makes a key, off the threads that answer requests.
///
/// # Errors
/// When the runtime is ending.
pub(crate) async fn make(algorithm: SigningAlgorithm) -> Result<SigningKey, ServiceError> {
    tokio::task::spawn_blocking(move || SigningKey::generate(algorithm))
        .await
        .map_err(|error| ServiceError::Fault(error.to_string()))
}

/// Seals a key for its place.
fn stored(
    tenant_id: TenantId,
    key: &SigningKey,
    state: SigningKeyState,
    master: &MasterKey,
    now: UnixTime,
) -> StoredSigningKey {
    let algorithm = key.algorithm();
    let kid = key.public_key().thumbprint();
    let sealed = master.seal(&key.to_pkcs8_der(), &seal_context(tenant_id, &kid));
    StoredSigningKey {
        tenant_id,
        algorithm,
        state,
        since: now,
        public_key: key.public_key().to_pem(),
        sealed: Some(sealed),
        created_at: now,
        kid,
    }
}

/// Whether anything is due for the signing keys of an organization.
pub(crate) fn is_due(
    keys: &[StoredSigningKey],
    organization: &OrganizationState,
    now: UnixTime,
) -> bool {
    !due(&ages(keys), organization.signing_algorithm, now).is_empty()
}

/// Does what is due for the signing keys of an organization. Returns whether anything changed.
///
/// # Errors
/// When the store is unavailable.
pub(crate) async fn rotate_due(
    store: &Store,
    master: &MasterKey,
    target: (TenantId, &OrganizationState),
    now: UnixTime,
) -> Result<bool, ServiceError> {
    match try_rotate_due(store, master, target, (now, &SpareKey::new(None))).await {
        Err(ServiceError::KeyNeeded(algorithm)) => {
            let spare = SpareKey::new(Some(make(algorithm).await?));
            try_rotate_due(store, master, target, (now, &spare)).await
        }
        done => done,
    }
}

async fn try_rotate_due(
    store: &Store,
    master: &MasterKey,
    (tenant_id, organization): (TenantId, &OrganizationState),
    (now, spare): (UnixTime, &SpareKey),
) -> Result<bool, ServiceError> {
    let mut unit = store.write().await?;
    let keys = unit.signing_keys(tenant_id).await?;
    let steps = due(&ages(&keys), organization.signing_algorithm, now);
    for step in &steps {
        perform(
            &mut unit,
            &keys,
            step,
            (tenant_id, organization.signing_algorithm, spare),
            (master, now),
        )
        .await?;
    }
    unit.commit().await?;
    Ok(!steps.is_empty())
}

/// Replaces every key at once by `fresh`: what they have signed is refused from now on (`conformance.md` Part 3 no. 22).
///
/// # Errors
/// When the store is unavailable.
pub(crate) async fn rotate_emergency(
    unit: &mut Unit,
    master: &MasterKey,
    (tenant_id, fresh): (TenantId, &SigningKey),
    now: UnixTime,
) -> Result<(), ServiceError> {
    for key in unit
        .signing_keys(tenant_id)
        .await?
        .iter()
        .filter(|key| key.state.is_published())
    {
        unit.move_signing_key(
            (tenant_id, &key.kid),
            key.state,
            SigningKeyState::Retired,
            now,
        )
        .await?;
    }
    let key = stored(tenant_id, fresh, SigningKeyState::Current, master, now);
    Ok(unit.insert_signing_key(&key, now).await?)
}

/// Publishes the next key now, so that it takes over after its time in the key set.
///
/// # Errors
/// When the store is unavailable.
pub(crate) async fn publish_next(
    unit: &mut Unit,
    master: &MasterKey,
    (tenant_id, algorithm, spare): (TenantId, SigningAlgorithm, &SpareKey),
    now: UnixTime,
) -> Result<(), ServiceError> {
    let waiting = unit
        .signing_keys(tenant_id)
        .await?
        .iter()
        .any(|key| key.state == SigningKeyState::Next);
    if !waiting {
        let fresh = spare.take(algorithm)?;
        let key = stored(tenant_id, &fresh, SigningKeyState::Next, master, now);
        unit.insert_signing_key(&key, now).await?;
    }
    Ok(())
}

async fn perform(
    unit: &mut Unit,
    keys: &[StoredSigningKey],
    step: &RotationStep,
    (tenant_id, algorithm, spare): (TenantId, SigningAlgorithm, &SpareKey),
    (master, now): (&MasterKey, UnixTime),
) -> Result<(), ServiceError> {
    let state_of = |kid: &str| keys.iter().find(|key| key.kid == kid).map(|key| key.state);
    match step {
        RotationStep::Publish { at_once } => {
            let state = if *at_once {
                SigningKeyState::Current
            } else {
                SigningKeyState::Next
            };
            let fresh = spare.take(algorithm)?;
            unit.insert_signing_key(&stored(tenant_id, &fresh, state, master, now), now)
                .await?;
        }
        RotationStep::Promote { kid } => {
            if let Some(current) = keys
                .iter()
                .find(|key| key.state == SigningKeyState::Current)
            {
                let target = (tenant_id, current.kid.as_str());
                unit.move_signing_key(
                    target,
                    SigningKeyState::Current,
                    SigningKeyState::Retiring,
                    now,
                )
                .await?;
            }
            unit.move_signing_key(
                (tenant_id, kid),
                SigningKeyState::Next,
                SigningKeyState::Current,
                now,
            )
            .await?;
        }
        RotationStep::Retire { kid } => {
            if let Some(state) = state_of(kid) {
                unit.move_signing_key((tenant_id, kid), state, SigningKeyState::Retired, now)
                    .await?;
            }
        }
    }
    Ok(())
}

fn ages(keys: &[StoredSigningKey]) -> Vec<KeyAge> {
    keys.iter()
        .map(|key| KeyAge {
            kid: key.kid.clone(),
            algorithm: key.algorithm,
            state: key.state,
            since: key.since,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_rsa_key_is_never_made_inside_a_transaction() {
        for algorithm in SigningAlgorithm::ALL {
            let is_rsa = matches!(algorithm, SigningAlgorithm::Ps256 | SigningAlgorithm::Rs256);
            let made = SpareKey::new(None).take(algorithm);
            assert_eq!(made.is_ok(), !is_rsa, "{algorithm:?}");
            assert!(
                !is_rsa
                    || matches!(made, Err(ServiceError::KeyNeeded(needed)) if needed == algorithm)
            );
        }
        let spare = SpareKey::new(Some(make(SigningAlgorithm::Rs256).await.unwrap()));
        assert!(
            spare.take(SigningAlgorithm::Ps256).is_err(),
            "of another algorithm"
        );
        assert!(spare.take(SigningAlgorithm::Rs256).is_ok());
        assert!(
            spare.take(SigningAlgorithm::Rs256).is_err(),
            "a key serves once"
        );
    }
}
