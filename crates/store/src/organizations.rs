//! Organizations as they stand.

use countersign_domain::change::AuthorizedChange;
use countersign_domain::ids::TenantId;
use countersign_domain::organizations::{Organization, OrganizationState};
use countersign_domain::time::UnixTime;

use crate::database::{Database, Row, args};
use crate::{Page, StoreError, Unit, from_int, to_int};

const TABLE: &str = "organizations";

/// What the keyed digest of a row covers.
struct OrganizationFacts<'a> {
    tenant: &'a str,
    version: i64,
    change_number: i64,
    state: &'a str,
    /// When it was created, and last changed.
    dates: [i64; 2],
    /// The keyed digest of the version that the row repeats.
    head: &'a [u8],
}

impl Unit {
    /// The organization with this ID.
    ///
    /// # Errors
    /// When the database is unavailable, or the row cannot be believed.
    pub async fn organization(
        &mut self,
        tenant_id: TenantId,
    ) -> Result<Option<Organization>, StoreError> {
        let row = self
            .tx
            .fetch_optional(
                "SELECT o.tenant_id, o.version, o.change_number, o.state, o.mac, o.created_at, o.updated_at,
                        v.version AS newest_version, v.position AS newest_position,
                        v.change_number AS newest_change_number, v.applied_at AS newest_applied_at,
                        v.digest AS newest_digest, v.mac AS newest_mac
                 FROM organizations o
                 LEFT JOIN versions v ON v.tenant_id = o.tenant_id AND v.target = o.tenant_id
                     AND v.version = (SELECT MAX(n.version) FROM versions n
                                      WHERE n.tenant_id = o.tenant_id AND n.target = o.tenant_id)
                 WHERE o.tenant_id = $1",
                args![tenant_id.to_string()],
            )
            .await?;
        row.map(|row| self.read_organization(&row)).transpose()
    }

    /// Organizations in the order of their IDs.
    ///
    /// # Errors
    /// When the database is unavailable, or a row cannot be believed.
    pub async fn organizations(&mut self, page: &Page) -> Result<Vec<Organization>, StoreError> {
        let rows = self
            .tx
            .fetch_all(
                "SELECT o.tenant_id, o.version, o.change_number, o.state, o.mac, o.created_at, o.updated_at,
                        v.version AS newest_version, v.position AS newest_position,
                        v.change_number AS newest_change_number, v.applied_at AS newest_applied_at,
                        v.digest AS newest_digest, v.mac AS newest_mac
                 FROM organizations o
                 LEFT JOIN versions v ON v.tenant_id = o.tenant_id AND v.target = o.tenant_id
                     AND v.version = (SELECT MAX(n.version) FROM versions n
                                      WHERE n.tenant_id = o.tenant_id AND n.target = o.tenant_id)
                 WHERE o.tenant_id > $1 ORDER BY o.tenant_id LIMIT $2",
                args![
                    page.after.clone().unwrap_or_default(),
                    i64::from(page.limit)
                ],
            )
            .await?;
        rows.iter().map(|row| self.read_organization(row)).collect()
    }

    /// The IDs of all organizations, in their order.
    ///
    /// # Errors
    /// When the database is unavailable, or a row cannot be read.
    pub async fn organization_ids(&mut self, page: &Page) -> Result<Vec<TenantId>, StoreError> {
        let rows = self
            .tx
            .fetch_all(
                "SELECT tenant_id FROM organizations WHERE tenant_id > $1 ORDER BY tenant_id LIMIT $2",
                args![page.after.clone().unwrap_or_default(), i64::from(page.limit)],
            )
            .await?;
        let id = |row: &Row| {
            let text = row.text("tenant_id")?;
            text.parse()
                .map_err(|_| StoreError::corrupt(TABLE, "tenant_id", text))
        };
        rows.iter().map(id).collect()
    }

    /// Writes the organization that an authorized change results in.
    pub(crate) async fn put_organization(
        &mut self,
        authorized: &AuthorizedChange,
        number: u64,
        head: &[u8],
    ) -> Result<(), StoreError> {
        let change = authorized.change();
        let tenant = change.envelope().tenant_id.to_string();
        let state = canonical_text(change.canonical_after(), TABLE, &tenant)?;
        serde_json::from_str::<OrganizationState>(&state)
            .map_err(|_| StoreError::corrupt(TABLE, "state", &tenant))?;
        let (version, number, at) = (
            to_int(authorized.version()),
            to_int(number),
            authorized.at().seconds(),
        );
        let created_at = match authorized.version() {
            1 => at,
            _ => self.creation(change.envelope().tenant_id).await?,
        };
        let mac = self.organization_mac(&OrganizationFacts {
            tenant: &tenant,
            version,
            change_number: number,
            state: &state,
            dates: [created_at, at],
            head,
        });
        if authorized.version() == 1 {
            let insert = "INSERT INTO organizations
                (tenant_id, version, change_number, state, mac, created_at, updated_at)
                VALUES ($1, $2, $3, $4, $5, $6, $6)";
            return self
                .tx
                .execute_one(insert, args![tenant, version, number, state, mac, at])
                .await;
        }
        let update = "UPDATE organizations
            SET version = $2, change_number = $3, state = $4, mac = $5, updated_at = $6
            WHERE tenant_id = $1 AND version = $2 - 1";
        self.tx
            .execute_one(update, args![tenant, version, number, state, mac, at])
            .await
    }

    /// When an organization was created, out of the row as it stands.
    async fn creation(&mut self, tenant_id: TenantId) -> Result<i64, StoreError> {
        let before = self.organization(tenant_id).await?;
        Ok(before.ok_or(StoreError::Collision)?.created_at.seconds())
    }

    fn organization_mac(&self, facts: &OrganizationFacts<'_>) -> Vec<u8> {
        let [created_at, updated_at] = facts.dates;
        let parts: [&[u8]; 8] = [
            b"organization",
            facts.tenant.as_bytes(),
            &facts.version.to_be_bytes(),
            &facts.change_number.to_be_bytes(),
            facts.state.as_bytes(),
            &created_at.to_be_bytes(),
            &updated_at.to_be_bytes(),
            facts.head,
        ];
        self.row_key.tag(&parts).to_vec()
    }

    fn read_organization(&self, row: &Row) -> Result<Organization, StoreError> {
        let tenant = row.text("tenant_id")?;
        let corrupt = |column| StoreError::corrupt(TABLE, column, &tenant);
        let (version, number, state) = (
            row.int("version")?,
            row.int("change_number")?,
            row.text("state")?,
        );
        let newest = self.newest_version(row, &tenant, &tenant)?;
        if (newest.version, newest.change_number) != (version, number) {
            return Err(corrupt("version"));
        }
        let dates = [row.int("created_at")?, row.int("updated_at")?];
        let made = self.organization_mac(&OrganizationFacts {
            tenant: &tenant,
            version,
            change_number: number,
            state: &state,
            dates,
            head: &newest.mac,
        });
        if !same(&made, &row.blob("mac")?) {
            return Err(corrupt("mac"));
        }
        Ok(Organization {
            tenant_id: tenant.parse().map_err(|_| corrupt("tenant_id"))?,
            version: from_int(version, TABLE, "version")?,
            change_request: from_int(number, TABLE, "change_number")?,
            state: serde_json::from_str(&state).map_err(|_| corrupt("state"))?,
            created_at: UnixTime::from_seconds(dates[0]),
            updated_at: UnixTime::from_seconds(dates[1]),
        })
    }
}

impl Database {
    /// How many organizations there are, whether or not their rows can be believed.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub async fn organization_count(&self) -> Result<u64, StoreError> {
        let row = self
            .begin_read()
            .await?
            .fetch_optional(
                "SELECT COUNT(*) AS organizations FROM organizations",
                args![],
            )
            .await?;
        let row = row.ok_or_else(|| StoreError::corrupt(TABLE, "tenant_id", "COUNT"))?;
        from_int(row.int("organizations")?, TABLE, "tenant_id")
    }
}

/// Canonical JSON as text; it is UTF-8 by construction.
pub(crate) fn canonical_text(
    bytes: &[u8],
    table: &'static str,
    id: &str,
) -> Result<String, StoreError> {
    String::from_utf8(bytes.to_vec()).map_err(|_| StoreError::corrupt(table, "state", id))
}

/// Compares row digests in constant time.
pub(crate) fn same(made: &[u8], stored: &[u8]) -> bool {
    countersign_crypto::constant_time_eq(made, stored)
}
