//! The organizations' signing keys, sealed.

use countersign_crypto::SigningAlgorithm;
use countersign_domain::ids::TenantId;
use countersign_domain::signing_keys::SigningKeyState;
use countersign_domain::time::UnixTime;

use crate::database::{Row, args};
use crate::feed::Topic;
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
                "SELECT tenant_id, kid, algorithm, state, since, public_key, sealed, created_at
                 FROM signing_keys WHERE tenant_id = $1 ORDER BY created_at DESC, kid",
                args![tenant_id.to_string()],
            )
            .await?;
        rows.iter().map(read).collect()
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
        self.tx
            .execute_one(
                "INSERT INTO signing_keys
                    (tenant_id, kid, algorithm, state, since, public_key, sealed, created_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                args![
                    key.tenant_id.to_string(),
                    key.kid.clone(),
                    key.algorithm.as_str(),
                    key.state.as_str(),
                    key.since.seconds(),
                    key.public_key.clone(),
                    key.sealed.clone(),
                    key.created_at.seconds(),
                ],
            )
            .await?;
        self.announce(key.tenant_id, Topic::SigningKeys, &key.kid, now)
            .await
    }

    /// Moves a key from one state to another and tells other nodes; a retired key loses its private part.
    ///
    /// # Errors
    /// [`StoreError::Collision`] when the key is not in the state `from`.
    pub async fn move_signing_key(
        &mut self,
        (tenant_id, kid): (TenantId, &str),
        from: SigningKeyState,
        to: SigningKeyState,
        now: UnixTime,
    ) -> Result<(), StoreError> {
        self.tx
            .execute_one(
                "UPDATE signing_keys
                 SET state = $4, since = $5, sealed = CASE WHEN $4 = 'retired' THEN NULL ELSE sealed END
                 WHERE tenant_id = $1 AND kid = $2 AND state = $3",
                args![tenant_id.to_string(), kid, from.as_str(), to.as_str(), now.seconds()],
            )
            .await?;
        self.announce(tenant_id, Topic::SigningKeys, kid, now).await
    }
}

fn read(row: &Row) -> Result<StoredSigningKey, StoreError> {
    let kid = row.text("kid")?;
    let corrupt = |column| StoreError::corrupt(TABLE, column, &kid);
    let (algorithm, state) = (row.text("algorithm")?, row.text("state")?);
    Ok(StoredSigningKey {
        tenant_id: row
            .text("tenant_id")?
            .parse()
            .map_err(|_| corrupt("tenant_id"))?,
        algorithm: serde_json::from_value(algorithm.into()).map_err(|_| corrupt("algorithm"))?,
        state: serde_json::from_value(state.into()).map_err(|_| corrupt("state"))?,
        since: UnixTime::from_seconds(row.int("since")?),
        public_key: row.text("public_key")?,
        sealed: row.opt_blob("sealed")?,
        created_at: UnixTime::from_seconds(row.int("created_at")?),
        kid,
    })
}
