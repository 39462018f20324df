//! API tokens, by digest.

use countersign_crypto::{Digest32, MacKey};
use countersign_domain::api_tokens::{ApiScope, ApiToken};
use countersign_domain::ids::{ApiTokenId, TenantId};
use countersign_domain::text::Label;
use countersign_domain::time::UnixTime;

use crate::database::{Row, args};
use crate::organizations::same;
use crate::{Page, StoreError, Unit};

const TABLE: &str = "api_tokens";

/// A row as it is stored. A revoked token has an empty keyed digest, so that no revocation can be taken back by hand.
struct ApiTokenRow {
    id: String,
    digest: String,
    name: String,
    tenant: Option<String>,
    role: String,
    created_at: i64,
    expires_at: i64,
    stored: Vec<u8>,
}

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
        let new = ApiTokenRow {
            id: token.id.to_string(),
            digest: digest.to_string(),
            name: token.name.as_str().to_owned(),
            tenant: match token.scope {
                ApiScope::Organization(tenant_id) => Some(tenant_id.to_string()),
                ApiScope::Platform => None,
            },
            role: token.role.as_str().to_owned(),
            created_at: token.created_at.seconds(),
            expires_at: token.expires_at.seconds(),
            stored: Vec::new(),
        };
        let mac = new.mac(&self.row_key);
        self.tx
            .execute_one(
                "INSERT INTO api_tokens (id, digest, name, tenant_id, role, created_at, expires_at, mac)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                args![
                    new.id,
                    new.digest,
                    new.name,
                    new.tenant,
                    new.role,
                    new.created_at,
                    new.expires_at,
                    mac,
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
                "SELECT id, digest, name, tenant_id, role, created_at, expires_at, mac FROM api_tokens
                 WHERE digest = $1 AND revoked_at IS NULL AND expires_at > $2",
                args![digest.to_string(), now.seconds()],
            )
            .await?;
        row.map(|row| ApiTokenRow::proven(&row, &self.row_key))
            .transpose()
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
                "SELECT id, digest, name, tenant_id, role, created_at, expires_at, mac FROM api_tokens
                 WHERE revoked_at IS NULL AND id > $1 AND ($2 = '' OR tenant_id = $2) ORDER BY id LIMIT $3",
                args![
                    page.after.clone().unwrap_or_default(),
                    tenant_id.map(|tenant_id| tenant_id.to_string()).unwrap_or_default(),
                    i64::from(page.limit),
                ],
            )
            .await?;
        rows.iter()
            .map(|row| ApiTokenRow::proven(row, &self.row_key))
            .collect()
    }

    /// Revokes an API token of one organization, or (with `None`) any, and says whose it was; `None` when there is none
    /// to revoke.
    ///
    /// # Errors
    /// When the database is unavailable, or the row cannot be believed.
    pub async fn revoke_api_token(
        &mut self,
        tenant_id: Option<TenantId>,
        id: ApiTokenId,
        now: UnixTime,
    ) -> Result<Option<ApiScope>, StoreError> {
        let row = self
            .tx
            .fetch_optional(
                "SELECT id, digest, name, tenant_id, role, created_at, expires_at, mac FROM api_tokens
                 WHERE id = $1 AND revoked_at IS NULL AND ($2 = '' OR tenant_id = $2)",
                args![
                    id.to_string(),
                    tenant_id
                        .map(|tenant_id| tenant_id.to_string())
                        .unwrap_or_default(),
                ],
            )
            .await?;
        let Some(row) = row else { return Ok(None) };
        let token = ApiTokenRow::proven(&row, &self.row_key)?;
        self.tx
            .execute_one(
                "UPDATE api_tokens SET revoked_at = $2, mac = $3 WHERE id = $1 AND revoked_at IS NULL",
                args![id.to_string(), now.seconds(), Vec::new()],
            )
            .await?;
        Ok(Some(token.scope))
    }

    /// Revokes every API token; used when a backup is restored.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub async fn revoke_all_api_tokens(&mut self, now: UnixTime) -> Result<u64, StoreError> {
        self.tx
            .execute(
                "UPDATE api_tokens SET revoked_at = $1, mac = $2 WHERE revoked_at IS NULL",
                args![now.seconds(), Vec::new()],
            )
            .await
    }
}

impl ApiTokenRow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.text("id")?,
            digest: row.text("digest")?,
            name: row.text("name")?,
            tenant: row.opt_text("tenant_id")?,
            role: row.text("role")?,
            created_at: row.int("created_at")?,
            expires_at: row.int("expires_at")?,
            stored: row.blob("mac")?,
        })
    }

    fn mac(&self, key: &MacKey) -> Vec<u8> {
        let parts: [&[u8]; 9] = [
            b"API token",
            self.id.as_bytes(),
            self.digest.as_bytes(),
            self.name.as_bytes(),
            &[u8::from(self.tenant.is_some())],
            self.tenant.as_deref().unwrap_or_default().as_bytes(),
            self.role.as_bytes(),
            &self.created_at.to_be_bytes(),
            &self.expires_at.to_be_bytes(),
        ];
        key.tag(&parts).to_vec()
    }

    fn proven(row: &Row, key: &MacKey) -> Result<ApiToken, StoreError> {
        let row = Self::read(row)?;
        let corrupt = |column| StoreError::corrupt(TABLE, column, &row.id);
        if !same(&row.mac(key), &row.stored) {
            return Err(corrupt("mac"));
        }
        let scope = match &row.tenant {
            None => ApiScope::Platform,
            Some(tenant) => {
                ApiScope::Organization(tenant.parse().map_err(|_| corrupt("tenant_id"))?)
            }
        };
        Ok(ApiToken {
            id: row.id.parse().map_err(|_| corrupt("id"))?,
            name: Label::parse(&row.name).map_err(|_| corrupt("name"))?,
            scope,
            role: serde_json::from_value(row.role.as_str().into()).map_err(|_| corrupt("role"))?,
            created_at: UnixTime::from_seconds(row.created_at),
            expires_at: UnixTime::from_seconds(row.expires_at),
        })
    }
}
