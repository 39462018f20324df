//! The organizations' signing keys, sealed.

use countersign_crypto::{MacKey, SigningAlgorithm};
use countersign_domain::ids::TenantId;
use countersign_domain::signing_keys::SigningKeyState;
use countersign_domain::time::UnixTime;

use crate::database::{Row, args};
use crate::feed::Topic;
use crate::organizations::same;
use crate::{StoreError, Unit};

const TABLE: &str = "signing_keys";

/// A signing key as it is remembered.
#[derive(Clone, Debug)]
pub struct StoredSigningKey {
    /// The organization.
    pub tenant_id: TenantId,
    /// RFC 7638 thumbprint.
    pub kid: String,
    /// The algorithm it signs with.
    pub algorithm: SigningAlgorithm,
    /// Where it stands.
    pub state: SigningKeyState,
    /// Since when.
    pub since: UnixTime,
    /// PEM `SubjectPublicKeyInfo`.
    pub public_key: String,
    /// The private key, sealed under the master key; gone once retired.
    pub sealed: Option<Vec<u8>>,
    /// When it was made.
    pub created_at: UnixTime,
}

impl Unit {
    /// The signing keys of an organization, the newest first.
    ///
    /// # Errors
    /// When the database is unavailable, or a row cannot be believed.
    pub async fn signing_keys(
        &mut self,
        tenant_id: TenantId,
    ) -> Result<Vec<StoredSigningKey>, StoreError> {
        let rows = self
            .tx
            .fetch_all(
                "SELECT tenant_id, kid, algorithm, state, since, public_key, sealed, created_at, mac
                 FROM signing_keys WHERE tenant_id = $1 ORDER BY created_at DESC, kid",
                args![tenant_id.to_string()],
            )
            .await?;
        rows.iter()
            .map(|row| SigningKeyRow::proven(row, &self.row_key))
            .collect()
    }

    /// Adds a signing key and tells other nodes.
    ///
    /// # Errors
    /// When there is a current key already and this one claims to be it, or the database is unavailable.
    pub async fn insert_signing_key(
        &mut self,
        key: &StoredSigningKey,
        now: UnixTime,
    ) -> Result<(), StoreError> {
        let new = SigningKeyRow::of(key);
        let mac = new.mac(&self.row_key);
        self.tx
            .execute_one(
                "INSERT INTO signing_keys
                    (tenant_id, kid, algorithm, state, since, public_key, sealed, created_at, mac)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                args![
                    new.tenant,
                    new.kid,
                    new.algorithm,
                    new.state,
                    new.since,
                    new.public_key,
                    new.sealed,
                    new.created_at,
                    mac,
                ],
            )
            .await?;
        self.announce(key.tenant_id, Topic::SigningKeys, &key.kid, now)
            .await
    }

    /// Moves a key from one state to another and tells other nodes; a retired key loses its private part.
    ///
    /// # Errors
    /// [`StoreError::Collision`] when the key is not in the state `from`; [`StoreError::Corrupt`] when its row cannot be
    /// believed.
    pub async fn move_signing_key(
        &mut self,
        (tenant_id, kid): (TenantId, &str),
        from: SigningKeyState,
        to: SigningKeyState,
        now: UnixTime,
    ) -> Result<(), StoreError> {
        let row = self
            .tx
            .fetch_optional(
                "SELECT tenant_id, kid, algorithm, state, since, public_key, sealed, created_at, mac
                 FROM signing_keys WHERE tenant_id = $1 AND kid = $2",
                args![tenant_id.to_string(), kid],
            )
            .await?
            .ok_or(StoreError::Collision)?;
        let mut moved = SigningKeyRow::of(&SigningKeyRow::proven(&row, &self.row_key)?);
        to.as_str().clone_into(&mut moved.state);
        moved.since = now.seconds();
        moved.sealed = moved.sealed.filter(|_| to != SigningKeyState::Retired);
        let mac = moved.mac(&self.row_key);
        self.tx
            .execute_one(
                "UPDATE signing_keys SET state = $4, since = $5, sealed = $6, mac = $7
                 WHERE tenant_id = $1 AND kid = $2 AND state = $3",
                args![
                    moved.tenant,
                    kid,
                    from.as_str(),
                    moved.state,
                    moved.since,
                    moved.sealed,
                    mac,
                ],
            )
            .await?;
        self.announce(tenant_id, Topic::SigningKeys, kid, now).await
    }
}

/// A row as it is stored.
struct SigningKeyRow {
    tenant: String,
    kid: String,
    algorithm: String,
    state: String,
    since: i64,
    public_key: String,
    sealed: Option<Vec<u8>>,
    created_at: i64,
    stored: Vec<u8>,
}

impl SigningKeyRow {
    fn of(key: &StoredSigningKey) -> Self {
        Self {
            tenant: key.tenant_id.to_string(),
            kid: key.kid.clone(),
            algorithm: key.algorithm.as_str().to_owned(),
            state: key.state.as_str().to_owned(),
            since: key.since.seconds(),
            public_key: key.public_key.clone(),
            sealed: key.sealed.clone(),
            created_at: key.created_at.seconds(),
            stored: Vec::new(),
        }
    }

    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            tenant: row.text("tenant_id")?,
            kid: row.text("kid")?,
            algorithm: row.text("algorithm")?,
            state: row.text("state")?,
            since: row.int("since")?,
            public_key: row.text("public_key")?,
            sealed: row.opt_blob("sealed")?,
            created_at: row.int("created_at")?,
            stored: row.blob("mac")?,
        })
    }

    fn mac(&self, key: &MacKey) -> Vec<u8> {
        let sealed = self.sealed.as_deref();
        let parts: [&[u8]; 10] = [
            b"signing key",
            self.tenant.as_bytes(),
            self.kid.as_bytes(),
            self.algorithm.as_bytes(),
            self.state.as_bytes(),
            &self.since.to_be_bytes(),
            self.public_key.as_bytes(),
            &[u8::from(sealed.is_some())],
            sealed.unwrap_or_default(),
            &self.created_at.to_be_bytes(),
        ];
        key.tag(&parts).to_vec()
    }

    fn proven(row: &Row, key: &MacKey) -> Result<StoredSigningKey, StoreError> {
        let row = Self::read(row)?;
        let corrupt = |column| StoreError::corrupt(TABLE, column, &row.kid);
        if !same(&row.mac(key), &row.stored) {
            return Err(corrupt("mac"));
        }
        Ok(StoredSigningKey {
            tenant_id: row.tenant.parse().map_err(|_| corrupt("tenant_id"))?,
            algorithm: serde_json::from_value(row.algorithm.as_str().into())
                .map_err(|_| corrupt("algorithm"))?,
            state: serde_json::from_value(row.state.as_str().into())
                .map_err(|_| corrupt("state"))?,
            since: UnixTime::from_seconds(row.since),
            created_at: UnixTime::from_seconds(row.created_at),
            kid: row.kid,
            public_key: row.public_key,
            sealed: row.sealed,
        })
    }
}
