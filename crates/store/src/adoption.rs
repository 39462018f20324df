//! Rows from before they had a keyed digest, taken over once: when the program that knows the master key first meets
//! a database of an older version.

use std::collections::HashMap;

use countersign_domain::change::{Change, state_digest};

use crate::api_tokens::ApiTokenRow;
use crate::database::{Row, args};
use crate::idempotency::AnswerRow;
use crate::organizations::{canonical_text, same};
use crate::registered_keys::RegisteredKeyRow;
use crate::signing_keys::SigningKeyRow;
use crate::versions::VersionFacts;
use crate::{StoreError, Unit};

/// Rows read at a time.
const PAGE: i64 = 500;

impl Unit {
    /// Gives every row its keyed digest. Call it only when a keyed fact proves that the database was last used by a
    /// version of the program that wrote none: afterwards a row without one is not believed.
    ///
    /// A configuration that could not be believed before, or is not its newest version, gets none.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when an organization or a version cannot be believed, or rows have digests already:
    /// nothing is taken over then. Otherwise when the database is unavailable.
    pub async fn adopt_rows(&mut self) -> Result<(), StoreError> {
        self.refuse_if_adopted().await?;
        let tenants = self
            .tx
            .fetch_all(
                "SELECT tenant_id FROM organizations ORDER BY tenant_id",
                args![],
            )
            .await?;
        for tenant in &tenants {
            self.adopt_organization(&tenant.text("tenant_id")?).await?;
        }
        self.adopt_changes().await?;
        self.adopt_keys().await?;
        self.adopt_signing_keys().await?;
        self.adopt_api_tokens().await?;
        self.adopt_answers().await
    }

    async fn refuse_if_adopted(&mut self) -> Result<(), StoreError> {
        let row = self
            .tx
            .fetch_optional(
                "SELECT tenant_id AS id FROM version_heads
                 UNION ALL SELECT target FROM versions WHERE mac IS NOT NULL
                 UNION ALL SELECT fingerprint FROM registered_keys WHERE mac IS NOT NULL
                 UNION ALL SELECT kid FROM signing_keys WHERE mac IS NOT NULL
                 UNION ALL SELECT id FROM api_tokens WHERE mac IS NOT NULL
                 LIMIT 1",
                args![],
            )
            .await?;
        match row {
            Some(row) => Err(StoreError::corrupt("version_heads", "mac", row.text("id")?)),
            None => Ok(()),
        }
    }

    /// Numbers the versions of an organization, and binds its rows to them.
    async fn adopt_organization(&mut self, tenant: &str) -> Result<(), StoreError> {
        let mut newest = HashMap::new();
        let mut position = 0;
        loop {
            let rows = self
                .tx
                .fetch_all(
                    "SELECT target, version, state, digest, change_number, applied_at FROM versions
                     WHERE tenant_id = $1 AND position IS NULL ORDER BY change_number, version LIMIT $2",
                    args![tenant, PAGE],
                )
                .await?;
            for row in &rows {
                position += 1;
                let version = self.adopt_version(tenant, row, position).await?;
                newest.insert(row.text("target")?, version);
            }
            if rows.is_empty() {
                break;
            }
        }
        self.insert_head(tenant, position).await?;
        self.bind_organization(tenant, &newest).await?;
        self.bind_configurations(tenant, &newest).await
    }

    async fn adopt_version(
        &mut self,
        tenant: &str,
        row: &Row,
        position: i64,
    ) -> Result<Adopted, StoreError> {
        let (target, digest) = (row.text("target")?, row.text("digest")?);
        if state_digest(row.text("state")?.as_bytes()).to_string() != digest {
            return Err(StoreError::corrupt("versions", "digest", target));
        }
        let facts = VersionFacts {
            tenant,
            target: &target,
            version: row.int("version")?,
            position,
            change_number: row.int("change_number")?,
            applied_at: row.int("applied_at")?,
            digest: &digest,
        };
        let mac = self.version_mac(&facts);
        let version = facts.version;
        self.tx
            .execute_one(
                "UPDATE versions SET position = $4, mac = $5
                 WHERE tenant_id = $1 AND target = $2 AND version = $3",
                args![tenant, target.clone(), version, position, mac.clone()],
            )
            .await?;
        Ok(Adopted {
            version,
            digest,
            mac,
        })
    }

    async fn bind_organization(
        &mut self,
        tenant: &str,
        newest: &HashMap<String, Adopted>,
    ) -> Result<(), StoreError> {
        let corrupt = |column| StoreError::corrupt("organizations", column, tenant);
        let row = self
            .tx
            .fetch_optional(
                "SELECT version, change_number, state, mac FROM organizations WHERE tenant_id = $1",
                args![tenant],
            )
            .await?
            .ok_or_else(|| corrupt("tenant_id"))?;
        let as_it_stands = Standing::read(&row)?;
        let before: [&[u8]; 5] = [
            b"organization",
            tenant.as_bytes(),
            &as_it_stands.version.to_be_bytes(),
            &as_it_stands.number.to_be_bytes(),
            as_it_stands.state.as_bytes(),
        ];
        if !same(&self.row_key.tag(&before), &as_it_stands.mac) {
            return Err(corrupt("mac"));
        }
        let head = as_it_stands
            .head(newest.get(tenant))
            .ok_or_else(|| corrupt("version"))?;
        let Standing {
            version,
            number,
            state,
            ..
        } = &as_it_stands;
        let mac = self.organization_mac([tenant, state], *version, *number, head);
        self.tx
            .execute_one(
                "UPDATE organizations SET mac = $2 WHERE tenant_id = $1",
                args![tenant, mac],
            )
            .await
    }

    async fn bind_configurations(
        &mut self,
        tenant: &str,
        newest: &HashMap<String, Adopted>,
    ) -> Result<(), StoreError> {
        let mut after = String::new();
        loop {
            let rows = self
                .tx
                .fetch_all(
                    "SELECT id, version, change_number, state, mac FROM configurations
                     WHERE tenant_id = $1 AND id > $2 ORDER BY id LIMIT $3",
                    args![tenant, after, PAGE],
                )
                .await?;
            for row in &rows {
                let id = row.text("id")?;
                let as_it_stands = Standing::read(row)?;
                self.bind_configuration([tenant, &id], &as_it_stands, newest.get(&id))
                    .await?;
            }
            match rows.last() {
                Some(last) => after = last.text("id")?,
                None => return Ok(()),
            }
        }
    }

    async fn bind_configuration(
        &mut self,
        [tenant, id]: [&str; 2],
        as_it_stands: &Standing,
        newest: Option<&Adopted>,
    ) -> Result<(), StoreError> {
        let Standing {
            version,
            number,
            state,
            mac,
        } = as_it_stands;
        let before: [&[u8]; 6] = [
            b"configuration",
            tenant.as_bytes(),
            id.as_bytes(),
            &version.to_be_bytes(),
            &number.to_be_bytes(),
            state.as_bytes(),
        ];
        let Some(head) = as_it_stands.head(newest) else {
            return Ok(());
        };
        if !same(&self.row_key.tag(&before), mac) {
            return Ok(());
        }
        let mac = self.configuration_mac([tenant, id, state], *version, *number, head);
        self.tx
            .execute_one(
                "UPDATE configurations SET mac = $3 WHERE tenant_id = $1 AND id = $2",
                args![tenant, id, mac],
            )
            .await
    }

    /// Rewrites the envelopes of change requests, which nobody had signed, in today's form, and gives them the digest
    /// that people sign. One that does not have the digest it had is left as it is, and is not believed.
    async fn adopt_changes(&mut self) -> Result<(), StoreError> {
        let mut after = String::new();
        loop {
            let rows = self
                .tx
                .fetch_all(
                    "SELECT id, envelope, change_digest FROM change_requests WHERE id > $1 ORDER BY id LIMIT $2",
                    args![after, PAGE],
                )
                .await?;
            for row in &rows {
                let (envelope, digest) = (row.text("envelope")?, row.text("change_digest")?);
                let Ok(change) = Change::adopt(envelope.as_bytes(), &digest) else {
                    continue;
                };
                let (id, digest) = (row.text("id")?, change.digest().to_string());
                let envelope = canonical_text(change.canonical_envelope(), "change_requests", &id)?;
                self.tx
                    .execute_one(
                        "UPDATE change_requests SET envelope = $2, change_digest = $3 WHERE id = $1",
                        args![id, envelope, digest],
                    )
                    .await?;
            }
            match rows.last() {
                Some(last) => after = last.text("id")?,
                None => return Ok(()),
            }
        }
    }

    async fn adopt_keys(&mut self) -> Result<(), StoreError> {
        loop {
            let rows = self
                .tx
                .fetch_all(
                    "SELECT fingerprint, tenant_id, configuration_id, modulus, registered_at, mac FROM registered_keys
                     WHERE mac IS NULL LIMIT $1",
                    args![PAGE],
                )
                .await?;
            for row in &rows {
                let key = RegisteredKeyRow::read(row)?;
                let mac = key.mac(&self.row_key);
                self.tx
                    .execute_one(
                        "UPDATE registered_keys SET mac = $2 WHERE fingerprint = $1",
                        args![key.fingerprint, mac],
                    )
                    .await?;
            }
            if rows.is_empty() {
                return Ok(());
            }
        }
    }

    async fn adopt_signing_keys(&mut self) -> Result<(), StoreError> {
        let rows = self
            .tx
            .fetch_all(
                "SELECT tenant_id, kid, algorithm, state, since, public_key, sealed, created_at, mac FROM signing_keys",
                args![],
            )
            .await?;
        for row in &rows {
            let key = SigningKeyRow::read(row)?;
            let mac = key.mac(&self.row_key);
            self.tx
                .execute_one(
                    "UPDATE signing_keys SET mac = $3 WHERE tenant_id = $1 AND kid = $2",
                    args![key.tenant, key.kid, mac],
                )
                .await?;
        }
        Ok(())
    }

    async fn adopt_api_tokens(&mut self) -> Result<(), StoreError> {
        let rows = self
            .tx
            .fetch_all(
                "SELECT id, digest, name, tenant_id, role, created_at, expires_at, mac FROM api_tokens
                 WHERE revoked_at IS NULL",
                args![],
            )
            .await?;
        for row in &rows {
            let token = ApiTokenRow::read(row)?;
            let mac = token.mac(&self.row_key);
            self.tx
                .execute_one(
                    "UPDATE api_tokens SET mac = $2 WHERE id = $1",
                    args![token.id, mac],
                )
                .await?;
        }
        Ok(())
    }

    async fn adopt_answers(&mut self) -> Result<(), StoreError> {
        loop {
            let rows = self
                .tx
                .fetch_all(
                    "SELECT caller, idempotency_key, request_digest, status, body, created_at, mac
                     FROM idempotent_answers WHERE mac IS NULL LIMIT $1",
                    args![PAGE],
                )
                .await?;
            for row in &rows {
                let answer = AnswerRow::read(row)?;
                let mac = answer.mac(&self.row_key);
                self.tx
                    .execute_one(
                        "UPDATE idempotent_answers SET mac = $3 WHERE caller = $1 AND idempotency_key = $2",
                        args![answer.caller, answer.key, mac],
                    )
                    .await?;
            }
            if rows.is_empty() {
                return Ok(());
            }
        }
    }
}

/// A version that has its place now.
struct Adopted {
    version: i64,
    digest: String,
    mac: Vec<u8>,
}

/// What an organization or a configuration says of itself.
struct Standing {
    version: i64,
    number: i64,
    state: String,
    mac: Vec<u8>,
}

impl Standing {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            version: row.int("version")?,
            number: row.int("change_number")?,
            state: row.text("state")?,
            mac: row.blob("mac")?,
        })
    }

    /// The keyed digest of the newest version, if this is it.
    fn head<'a>(&self, newest: Option<&'a Adopted>) -> Option<&'a [u8]> {
        let newest = newest?;
        let is_newest = newest.version == self.version
            && newest.digest == state_digest(self.state.as_bytes()).to_string();
        is_newest.then_some(newest.mac.as_slice())
    }
}
