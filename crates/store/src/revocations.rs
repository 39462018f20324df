//! Access tokens revoked before their end.

use countersign_domain::ids::TenantId;
use countersign_domain::time::UnixTime;

use crate::database::args;
use crate::feed::Topic;
use crate::{StoreError, Unit};

impl Unit {
    /// Revokes an access token and tells other nodes; says whether it was not revoked before. Revoking it again changes
    /// nothing.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub async fn revoke_token(
        &mut self,
        tenant_id: TenantId,
        jti: &str,
        expires_at: UnixTime,
        now: UnixTime,
    ) -> Result<bool, StoreError> {
        let fresh = self
            .tx
            .execute(
                "INSERT INTO revoked_tokens (tenant_id, jti, expires_at, revoked_at) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (tenant_id, jti) DO NOTHING",
                args![tenant_id.to_string(), jti, expires_at.seconds(), now.seconds()],
            )
            .await?;
        if fresh == 0 {
            return Ok(false);
        }
        self.announce(tenant_id, Topic::Revocation, jti, now)
            .await?;
        Ok(true)
    }

    /// The revoked access tokens of an organization that have not ended, with their ends.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub async fn revoked_tokens(
        &mut self,
        tenant_id: TenantId,
        now: UnixTime,
    ) -> Result<Vec<(String, UnixTime)>, StoreError> {
        let rows = self
            .tx
            .fetch_all(
                "SELECT jti, expires_at FROM revoked_tokens WHERE tenant_id = $1 AND expires_at > $2",
                args![tenant_id.to_string(), now.seconds()],
            )
            .await?;
        rows.iter()
            .map(|row| {
                Ok((
                    row.text("jti")?,
                    UnixTime::from_seconds(row.int("expires_at")?),
                ))
            })
            .collect()
    }

    /// Forgets revocations of tokens that have ended.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub async fn forget_revocations(&mut self, now: UnixTime) -> Result<u64, StoreError> {
        self.tx
            .execute(
                "DELETE FROM revoked_tokens WHERE expires_at <= $1",
                args![now.seconds()],
            )
            .await
    }
}
