//! Change requests, and `apply`: the one path by which governed data changes.

use countersign_domain::change::{
    AuthorizedChange, Change, ChangeClass, ChangeKind, ChangeRequest, ChangeState,
};
use countersign_domain::ids::TenantId;
use countersign_domain::time::UnixTime;

use crate::database::{Row, args};
use crate::feed::Topic;
use crate::organizations::canonical_text;
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
        let envelope = request.change.envelope();
        let class = match envelope.kind.class() {
            ChangeClass::Containment => "containment",
            ChangeClass::Edit => "edit",
        };
        self.tx
            .execute_one(
                "INSERT INTO change_requests
                    (tenant_id, number, id, kind, class, target, envelope, change_digest, maker, state,
                     submitted_at, expires_at, closed_at, close_reason)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
                args![
                    envelope.tenant_id.to_string(),
                    to_int(request.number),
                    envelope.request_id.to_string(),
                    envelope.kind.as_str(),
                    class,
                    envelope.target.clone(),
                    canonical_text(request.change.canonical_envelope(), TABLE, &envelope.target)?,
                    request.change.digest().to_string(),
                    envelope.requester.to_string(),
                    request.state.as_str(),
                    envelope.created_at.seconds(),
                    envelope.expires_at.seconds(),
                    request.state.closed_at().map(UnixTime::seconds),
                    request.state.close_reason().map(str::to_owned),
                ],
            )
            .await
    }

    /// Applies an authorized change: the target's next version, the log of versions, the state of the request, open
    /// requests on the same target, and the announcement to other nodes; all in this transaction.
    ///
    /// # Errors
    /// When a unique rule refuses, the base has moved meanwhile, or the database is unavailable. Nothing is kept then.
    pub async fn apply(
        &mut self,
        authorized: &AuthorizedChange,
        number: u64,
    ) -> Result<(), StoreError> {
        let change = authorized.change();
        let envelope = change.envelope();
        let (tenant, at) = (envelope.tenant_id.to_string(), authorized.at().seconds());
        let topic = topic(envelope.kind);
        let next = self.next_version(authorized, number).await?;
        let put = match topic {
            Topic::Configuration => self.put_configuration(authorized, number, &next.mac).await,
            _ => self.put_organization(authorized, number, &next.mac).await,
        };
        put?;
        self.insert_version(authorized, number, next).await?;
        self.tx
            .execute_one(
                "UPDATE change_requests SET state = 'applied', closed_at = $3
                 WHERE tenant_id = $1 AND number = $2 AND state = 'pending'",
                args![tenant.clone(), to_int(number), at],
            )
            .await?;
        self.tx
            .execute(
                "UPDATE change_requests SET state = 'superseded', closed_at = $3
                 WHERE tenant_id = $1 AND target = $2 AND state = 'pending'",
                args![tenant, envelope.target.clone(), at],
            )
            .await?;
        self.announce(envelope.tenant_id, topic, &envelope.target, authorized.at())
            .await
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
                "SELECT number, envelope, change_digest, state, closed_at, close_reason
                 FROM change_requests WHERE tenant_id = $1 AND number = $2",
                args![tenant_id.to_string(), to_int(number)],
            )
            .await?;
        row.map(|row| read_change(&row)).transpose()
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
        let rows = self
            .tx
            .fetch_all(
                "SELECT number, envelope, change_digest, state, closed_at, close_reason
                 FROM change_requests WHERE tenant_id = $1 AND number < $2 ORDER BY number DESC LIMIT $3",
                args![tenant_id.to_string(), page.before()?, i64::from(page.limit)],
            )
            .await?;
        rows.iter().map(read_change).collect()
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

fn read_change(row: &Row) -> Result<ChangeRequest, StoreError> {
    let number = row.int("number")?;
    let corrupt = |column| StoreError::corrupt(TABLE, column, number);
    let change = Change::from_canonical(row.text("envelope")?.as_bytes())
        .map_err(|_| corrupt("envelope"))?;
    if change.digest().to_string() != row.text("change_digest")? {
        return Err(corrupt("change_digest"));
    }
    let at = row.opt_int("closed_at")?.map(UnixTime::from_seconds);
    let reason = row.opt_text("close_reason")?.unwrap_or_default();
    let state = match (row.text("state")?.as_str(), at) {
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
        number: from_int(number, TABLE, "number")?,
        change,
        state,
    })
}
