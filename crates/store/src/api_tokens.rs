//! API tokens, by digest.

use countersign_crypto::Digest32;
use countersign_domain::api_tokens::{ApiScope, ApiToken};
use countersign_domain::ids::{ApiTokenId, TenantId};
use countersign_domain::text::Label;
use countersign_domain::time::UnixTime;

use crate::database::{Row, args};
use crate::{Page, StoreError, Unit};

const TABLE: &str = "api_tokens";

impl Unit {
    /// Remembers a new API token by the digest of its secret.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub async fn insert_api_token(
        &mut self,
        token: &ApiToken,
        digest: Digest32,
    ) -> Result<(), StoreError> {
        let tenant = match token.scope {
            ApiScope::Organization(tenant_id) => Some(tenant_id.to_string()),
            ApiScope::Platform => None,
        };
        self.tx
            .execute_one(
                "INSERT INTO api_tokens (id, digest, name, tenant_id, role, created_at, expires_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7)",
                args![
                    token.id.to_string(),
                    digest.to_string(),
                    token.name.as_str(),
                    tenant,
                    token.role.as_str(),
                    token.created_at.seconds(),
                    token.expires_at.seconds(),
                ],
            )
            .await
    }

    /// The living API token whose secret has this digest.
    ///
    /// # Errors
    /// When the database is unavailable, or the row cannot be believed.
    pub async fn api_token_by_digest(
        &mut self,
        digest: Digest32,
        now: UnixTime,
    ) -> Result<Option<ApiToken>, StoreError> {
        let row = self
            .tx
            .fetch_optional(
                "SELECT id, name, tenant_id, role, created_at, expires_at FROM api_tokens
                 WHERE digest = $1 AND revoked_at IS NULL AND expires_at > $2",
                args![digest.to_string(), now.seconds()],
            )
            .await?;
        row.map(|row| read(&row)).transpose()
    }

    /// API tokens that are not revoked: of one organization, or (with `None`) all of the platform.
    ///
    /// # Errors
    /// When the database is unavailable, or a row cannot be believed.
    pub async fn api_tokens(
        &mut self,
        tenant_id: Option<TenantId>,
        page: &Page,
    ) -> Result<Vec<ApiToken>, StoreError> {
        let rows = self
            .tx
            .fetch_all(
                "SELECT id, name, tenant_id, role, created_at, expires_at FROM api_tokens
                 WHERE revoked_at IS NULL AND id > $1 AND ($2 = '' OR tenant_id = $2) ORDER BY id LIMIT $3",
                args![
                    page.after.clone().unwrap_or_default(),
                    tenant_id.map(|tenant_id| tenant_id.to_string()).unwrap_or_default(),
                    i64::from(page.limit),
                ],
            )
            .await?;
        rows.iter().map(read).collect()
    }

    /// Revokes an API token of one organization, or (with `None`) any. `false` when there is none to revoke.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub async fn revoke_api_token(
        &mut self,
        tenant_id: Option<TenantId>,
        id: ApiTokenId,
        now: UnixTime,
    ) -> Result<bool, StoreError> {
        let touched = self
            .tx
            .execute(
                "UPDATE api_tokens SET revoked_at = $3
                 WHERE id = $1 AND revoked_at IS NULL AND ($2 = '' OR tenant_id = $2)",
                args![
                    id.to_string(),
                    tenant_id
                        .map(|tenant_id| tenant_id.to_string())
                        .unwrap_or_default(),
                    now.seconds(),
                ],
            )
            .await?;
        Ok(touched == 1)
    }

    /// Revokes every API token; used when a backup is restored.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub async fn revoke_all_api_tokens(&mut self, now: UnixTime) -> Result<u64, StoreError> {
        self.tx
            .execute(
                "UPDATE api_tokens SET revoked_at = $1 WHERE revoked_at IS NULL",
                args![now.seconds()],
            )
            .await
    }
}

fn read(row: &Row) -> Result<ApiToken, StoreError> {
    let id = row.text("id")?;
    let corrupt = |column| StoreError::corrupt(TABLE, column, &id);
    let scope = match row.opt_text("tenant_id")? {
        None => ApiScope::Platform,
        Some(tenant) => ApiScope::Organization(tenant.parse().map_err(|_| corrupt("tenant_id"))?),
    };
    Ok(ApiToken {
        id: id.parse().map_err(|_| corrupt("id"))?,
        name: Label::parse(&row.text("name")?).map_err(|_| corrupt("name"))?,
        scope,
        role: serde_json::from_value(row.text("role")?.into()).map_err(|_| corrupt("role"))?,
        created_at: UnixTime::from_seconds(row.int("created_at")?),
        expires_at: UnixTime::from_seconds(row.int("expires_at")?),
    })
}
