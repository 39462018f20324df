//! Change requests, and `apply`: the one path by which governed data changes.

use countersign_crypto::MacKey;
use countersign_domain::change::{
    AuthorizedChange, Change, ChangeClass, ChangeKind, ChangeRequest, ChangeState,
};
use countersign_domain::ids::TenantId;
use countersign_domain::time::UnixTime;

use crate::database::{Row, args};
use crate::feed::Topic;
use crate::organizations::{canonical_text, same};
use crate::{Page, StoreError, Unit, from_int, to_int};

const TABLE: &str = "change_requests";

/// A unique rule of the schema that can decide a race.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UniqueRule {
    /// One living configuration per (organization, iss, sub, aud).
    ConfigurationTriple,
    /// One open edit per target.
    OpenEdit,
    /// One configuration per public key.
    RegisteredKey,
}

impl StoreError {
    /// The unique rule that refused a write, where it is one that callers can run into.
    #[must_use]
    pub fn unique_rule(&self) -> Option<UniqueRule> {
        let Self::Taken(rule) = self else { return None };
        if rule.contains("configurations_triple") || rule.contains("configurations.issuer") {
            Some(UniqueRule::ConfigurationTriple)
        } else if rule.contains("rsa_place") {
            // Two keys were registered at the same moment: the use case is tried again.
            None
        } else if rule.contains("registered_keys") {
            Some(UniqueRule::RegisteredKey)
        } else if rule.contains("one_open_edit") || rule.contains("change_requests.target") {
            Some(UniqueRule::OpenEdit)
        } else {
            None
        }
    }
}

impl Unit {
    /// The number that the organization's next change request gets.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub async fn next_change_number(&mut self, tenant_id: TenantId) -> Result<u64, StoreError> {
        let row = self
            .tx
            .fetch_optional(
                "SELECT COALESCE(MAX(number), 0) + 1 AS number FROM change_requests WHERE tenant_id = $1",
                args![tenant_id.to_string()],
            )
            .await?;
        let row = row.ok_or_else(|| StoreError::corrupt(TABLE, "number", tenant_id))?;
        from_int(row.int("number")?, TABLE, "number")
    }

    /// Remembers a change request that was just submitted.
    ///
    /// # Errors
    /// When another edit of the target is open, or the database is unavailable.
    pub async fn insert_change(&mut self, request: &ChangeRequest) -> Result<(), StoreError> {
        let new = ChangeRow::of(request)?;
        let mac = new.mac(&self.row_key);
        self.tx
            .execute_one(
                "INSERT INTO change_requests
                    (tenant_id, number, id, kind, class, target, envelope, change_digest, maker, state,
                     submitted_at, expires_at, closed_at, close_reason, mac)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
                args![
                    new.tenant,
                    new.number,
                    new.id,
                    new.kind,
                    new.class,
                    new.target,
                    new.envelope,
                    new.digest,
                    new.maker,
                    new.state,
                    new.submitted_at,
                    new.expires_at,
                    new.closed_at,
                    new.close_reason,
                    mac,
                ],
            )
            .await
    }

    /// Applies an authorized change: the target's next version, the log of versions, the state of the request, open
    /// requests on the same target, and the announcement to other nodes; all in this transaction.
    ///
    /// # Errors
    /// When a unique rule refuses, the base has moved meanwhile, the request is not the one that was authorized, or the
    /// database is unavailable. Nothing is kept then.
    pub async fn apply(
        &mut self,
        authorized: &AuthorizedChange,
        number: u64,
    ) -> Result<(), StoreError> {
        let change = authorized.change();
        let envelope = change.envelope();
        let (tenant_id, at) = (envelope.tenant_id, authorized.at());
        let topic = topic(envelope.kind);
        let next = self.next_version(authorized, number).await?;
        let put = match topic {
            Topic::Configuration => self.put_configuration(authorized, number, &next.mac).await,
            _ => self.put_organization(authorized, number, &next.mac).await,
        };
        put?;
        self.insert_version(authorized, number, next).await?;
        let request = self
            .change(tenant_id, number)
            .await?
            .ok_or(StoreError::Collision)?;
        if request.change != *change {
            return Err(StoreError::corrupt(TABLE, "envelope", number));
        }
        self.close(&request, ChangeState::Applied { at }).await?;
        self.supersede(tenant_id, &envelope.target, at).await?;
        self.announce(tenant_id, topic, &envelope.target, at).await
    }

    /// Moves a request that is open to a terminal state.
    async fn close(
        &mut self,
        request: &ChangeRequest,
        state: ChangeState,
    ) -> Result<(), StoreError> {
        let closed = ChangeRow::of(&ChangeRequest {
            state,
            ..request.clone()
        })?;
        let mac = closed.mac(&self.row_key);
        self.tx
            .execute_one(
                "UPDATE change_requests SET state = $3, closed_at = $4, close_reason = $5, mac = $6
                 WHERE tenant_id = $1 AND number = $2 AND state = 'pending'",
                args![
                    closed.tenant,
                    closed.number,
                    closed.state,
                    closed.closed_at,
                    closed.close_reason,
                    mac,
                ],
            )
            .await
    }

    /// Closes what is still open on a target whose base has moved. A row that cannot be believed is left as it is: it
    /// is never applied, and must not stand in the way of a suspension.
    async fn supersede(
        &mut self,
        tenant_id: TenantId,
        target: &str,
        at: UnixTime,
    ) -> Result<(), StoreError> {
        let rows = self
            .tx
            .fetch_all(
                "SELECT tenant_id, number, id, kind, class, target, envelope, change_digest, maker, state, submitted_at,
                        expires_at, closed_at, close_reason, mac
                 FROM change_requests WHERE tenant_id = $1 AND target = $2 AND state = 'pending'",
                args![tenant_id.to_string(), target],
            )
            .await?;
        for row in &rows {
            if let Ok(open) = ChangeRow::proven(row, &self.row_key) {
                self.close(&open, ChangeState::Superseded { at }).await?;
            }
        }
        Ok(())
    }

    /// One change request of an organization.
    ///
    /// # Errors
    /// When the database is unavailable, or the row cannot be believed.
    pub async fn change(
        &mut self,
        tenant_id: TenantId,
        number: u64,
    ) -> Result<Option<ChangeRequest>, StoreError> {
        let row = self
            .tx
            .fetch_optional(
                "SELECT tenant_id, number, id, kind, class, target, envelope, change_digest, maker, state, submitted_at,
                        expires_at, closed_at, close_reason, mac
                 FROM change_requests WHERE tenant_id = $1 AND number = $2",
                args![tenant_id.to_string(), to_int(number)],
            )
            .await?;
        row.map(|row| ChangeRow::proven(&row, &self.row_key))
            .transpose()
    }

    /// Change requests of an organization, newest first; `page.after` is a number.
    ///
    /// # Errors
    /// When the database is unavailable, or a row cannot be believed.
    pub async fn changes(
        &mut self,
        tenant_id: TenantId,
        page: &Page,
    ) -> Result<Vec<ChangeRequest>, StoreError> {
        let before = page
            .after
            .as_deref()
            .and_then(|after| after.parse().ok())
            .unwrap_or(i64::MAX);
        let rows = self
            .tx
            .fetch_all(
                "SELECT tenant_id, number, id, kind, class, target, envelope, change_digest, maker, state, submitted_at,
                        expires_at, closed_at, close_reason, mac
                 FROM change_requests WHERE tenant_id = $1 AND number < $2 ORDER BY number DESC LIMIT $3",
                args![tenant_id.to_string(), before, i64::from(page.limit)],
            )
            .await?;
        rows.iter()
            .map(|row| ChangeRow::proven(row, &self.row_key))
            .collect()
    }
}

const fn topic(kind: ChangeKind) -> Topic {
    match kind {
        ChangeKind::ConfigurationCreate
        | ChangeKind::ConfigurationDeactivate
        | ChangeKind::ConfigurationEdit
        | ChangeKind::ConfigurationRestore
        | ChangeKind::ConfigurationRotateKey
        | ChangeKind::ConfigurationSuspend => Topic::Configuration,
        ChangeKind::OrganizationCreate
        | ChangeKind::OrganizationEdit
        | ChangeKind::OrganizationRestore
        | ChangeKind::OrganizationSuspend => Topic::Organization,
    }
}

/// A row as it is stored. Its keyed digest covers all of it, where the request stands included.
struct ChangeRow {
    tenant: String,
    number: i64,
    id: String,
    kind: String,
    class: String,
    target: String,
    envelope: String,
    digest: String,
    maker: String,
    state: String,
    submitted_at: i64,
    expires_at: i64,
    closed_at: Option<i64>,
    close_reason: Option<String>,
}

impl ChangeRow {
    fn of(request: &ChangeRequest) -> Result<Self, StoreError> {
        let envelope = request.change.envelope();
        let class = match envelope.kind.class() {
            ChangeClass::Containment => "containment",
            ChangeClass::Edit => "edit",
        };
        let text = canonical_text(request.change.canonical_envelope(), TABLE, &envelope.target)?;
        Ok(Self {
            tenant: envelope.tenant_id.to_string(),
            number: to_int(request.number),
            id: envelope.request_id.to_string(),
            kind: envelope.kind.as_str().to_owned(),
            class: class.to_owned(),
            target: envelope.target.clone(),
            envelope: text,
            digest: request.change.digest().to_string(),
            maker: envelope.requester.to_string(),
            state: request.state.as_str().to_owned(),
            submitted_at: envelope.created_at.seconds(),
            expires_at: envelope.expires_at.seconds(),
            closed_at: request.state.closed_at().map(UnixTime::seconds),
            close_reason: request.state.close_reason().map(str::to_owned),
        })
    }

    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            tenant: row.text("tenant_id")?,
            number: row.int("number")?,
            id: row.text("id")?,
            kind: row.text("kind")?,
            class: row.text("class")?,
            target: row.text("target")?,
            envelope: row.text("envelope")?,
            digest: row.text("change_digest")?,
            maker: row.text("maker")?,
            state: row.text("state")?,
            submitted_at: row.int("submitted_at")?,
            expires_at: row.int("expires_at")?,
            closed_at: row.opt_int("closed_at")?,
            close_reason: row.opt_text("close_reason")?,
        })
    }

    fn mac(&self, key: &MacKey) -> Vec<u8> {
        let reason = self.close_reason.as_deref();
        let parts: [&[u8]; 16] = [
            b"change request",
            self.tenant.as_bytes(),
            &self.number.to_be_bytes(),
            self.id.as_bytes(),
            self.kind.as_bytes(),
            self.class.as_bytes(),
            self.target.as_bytes(),
            self.envelope.as_bytes(),
            self.digest.as_bytes(),
            self.maker.as_bytes(),
            self.state.as_bytes(),
            &self.submitted_at.to_be_bytes(),
            &self.expires_at.to_be_bytes(),
            &[
                u8::from(self.closed_at.is_some()),
                u8::from(reason.is_some()),
            ],
            &self.closed_at.unwrap_or_default().to_be_bytes(),
            reason.unwrap_or_default().as_bytes(),
        ];
        key.tag(&parts).to_vec()
    }

    fn proven(row: &Row, key: &MacKey) -> Result<ChangeRequest, StoreError> {
        let stored = row.blob("mac")?;
        let row = Self::read(row)?;
        let corrupt = |column| StoreError::corrupt(TABLE, column, row.number);
        if !same(&row.mac(key), &stored) {
            return Err(corrupt("mac"));
        }
        let change =
            Change::from_canonical(row.envelope.as_bytes()).map_err(|_| corrupt("envelope"))?;
        if change.digest().to_string() != row.digest {
            return Err(corrupt("change_digest"));
        }
        let at = row.closed_at.map(UnixTime::from_seconds);
        let reason = row.close_reason.clone().unwrap_or_default();
        let state = match (row.state.as_str(), at) {
            ("applied", Some(at)) => ChangeState::Applied { at },
            ("canceled", Some(at)) => ChangeState::Canceled { at, reason },
            ("expired", Some(at)) => ChangeState::Expired { at },
            ("failed", Some(at)) => ChangeState::Failed { at, reason },
            ("pending", None) => ChangeState::Pending,
            ("rejected", Some(at)) => ChangeState::Rejected { at, reason },
            ("superseded", Some(at)) => ChangeState::Superseded { at },
            _ => return Err(corrupt("state")),
        };
        Ok(ChangeRequest {
            number: from_int(row.number, TABLE, "number")?,
            change,
            state,
        })
    }
}
