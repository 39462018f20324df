//! Authentication configurations as they stand, and the keys they have registered.

use countersign_domain::change::AuthorizedChange;
use countersign_domain::configurations::{
    AuthType, Configuration, ConfigurationState, ConfigurationStatus, RegisteredKey,
};
use countersign_domain::ids::{ConfigurationId, TenantId};
use countersign_domain::time::UnixTime;

use crate::database::{Row, args};
use crate::organizations::{canonical_text, same};
use crate::versions::NewestVersion;
use crate::{Page, StoreError, Unit, from_int, to_int};

const TABLE: &str = "configurations";

/// What the keyed digest of a row covers.
struct ConfigurationFacts<'a> {
    tenant: &'a str,
    id: &'a str,
    version: i64,
    change_number: i64,
    state: &'a str,
    /// When it was created, and last changed.
    dates: [i64; 2],
    /// The keyed digest of the version that the row repeats.
    head: &'a [u8],
}

/// Rows read at a time.
const PAGE: u32 = 1000;

impl Unit {
    /// One configuration of an organization.
    ///
    /// # Errors
    /// When the database is unavailable, or the row cannot be believed.
    pub async fn configuration(
        &mut self,
        tenant_id: TenantId,
        id: ConfigurationId,
    ) -> Result<Option<Configuration>, StoreError> {
        let row = self
            .tx
            .fetch_optional(
                "SELECT c.tenant_id, c.id, c.version, c.change_number, c.status, c.auth_type, c.issuer, c.subject, c.audience,
                        c.state, c.mac, c.created_at, c.updated_at,
                        v.version AS newest_version, v.position AS newest_position,
                        v.change_number AS newest_change_number, v.applied_at AS newest_applied_at,
                        v.digest AS newest_digest, v.mac AS newest_mac
                 FROM configurations c
                 LEFT JOIN versions v ON v.tenant_id = c.tenant_id AND v.target = c.id
                     AND v.version = (SELECT MAX(n.version) FROM versions n
                                      WHERE n.tenant_id = c.tenant_id AND n.target = c.id)
                 WHERE c.tenant_id = $1 AND c.id = $2",
                args![tenant_id.to_string(), id.to_string()],
            )
            .await?;
        row.map(|row| self.read_configuration(&row)).transpose()
    }

    /// Configurations of an organization in the order of their IDs, of one status or of all.
    ///
    /// # Errors
    /// When the database is unavailable, or a row cannot be believed.
    pub async fn configurations(
        &mut self,
        tenant_id: TenantId,
        status: Option<ConfigurationStatus>,
        page: &Page,
    ) -> Result<Vec<Configuration>, StoreError> {
        let rows = self
            .tx
            .fetch_all(
                "SELECT c.tenant_id, c.id, c.version, c.change_number, c.status, c.auth_type, c.issuer, c.subject, c.audience,
                        c.state, c.mac, c.created_at, c.updated_at,
                        v.version AS newest_version, v.position AS newest_position,
                        v.change_number AS newest_change_number, v.applied_at AS newest_applied_at,
                        v.digest AS newest_digest, v.mac AS newest_mac
                 FROM configurations c
                 LEFT JOIN versions v ON v.tenant_id = c.tenant_id AND v.target = c.id
                     AND v.version = (SELECT MAX(n.version) FROM versions n
                                      WHERE n.tenant_id = c.tenant_id AND n.target = c.id)
                 WHERE c.tenant_id = $1 AND c.id > $2 AND ($3 = '' OR c.status = $3)
                 ORDER BY c.id LIMIT $4",
                args![
                    tenant_id.to_string(),
                    page.after.clone().unwrap_or_default(),
                    status.map_or("", ConfigurationStatus::as_str),
                    i64::from(page.limit),
                ],
            )
            .await?;
        rows.iter()
            .map(|row| self.read_configuration(row))
            .collect()
    }

    /// Hands every configuration of an organization to `found`, in the order of their IDs. A row that cannot be
    /// believed, or is missing, is reported by its ID and left out: the token service refuses that configuration and
    /// serves the others.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when the newest versions do not add up to what was applied in the organization: something
    /// was put back or taken away, nobody can say what, and nothing of the organization is believed. Otherwise when the
    /// database is unavailable.
    pub async fn believable_configurations(
        &mut self,
        tenant_id: TenantId,
        mut found: impl FnMut(Configuration) + Send,
    ) -> Result<Vec<String>, StoreError> {
        let tenant = tenant_id.to_string();
        let incomplete = || StoreError::corrupt("version_heads", "applied", &tenant);
        let applied = self.head(&tenant).await?.ok_or_else(incomplete)?;
        let (mut refused, mut counted, mut after) = (Vec::new(), 0, String::new());
        loop {
            let rows = self.newest_rows(&tenant, after).await?;
            for row in &rows {
                let target = row.text("target")?;
                let newest = self.newest_version(row, &tenant, &target)?;
                if newest.position > applied {
                    return Err(incomplete());
                }
                counted += newest.version;
                // The organization itself is governed, too; its row is read elsewhere.
                if target == tenant {
                    continue;
                }
                match self.read_believed(row, &newest) {
                    Ok(configuration) => found(configuration),
                    Err(StoreError::Corrupt { .. }) => refused.push(target),
                    Err(error) => return Err(error),
                }
            }
            match rows.last() {
                Some(last) if rows.len() >= PAGE as usize => after = last.text("target")?,
                _ => break,
            }
        }
        if counted == applied {
            Ok(refused)
        } else {
            Err(incomplete())
        }
    }

    /// The newest version of everything that an organization governs, in the order of the targets, each beside the
    /// configuration as it stands, where there is one.
    async fn newest_rows(&mut self, tenant: &str, after: String) -> Result<Vec<Row>, StoreError> {
        self.tx
            .fetch_all(
                "WITH newest AS (
                     SELECT target, MAX(version) AS version FROM versions
                     WHERE tenant_id = $1 AND target > $2 GROUP BY target ORDER BY target LIMIT $3)
                 SELECT v.target, c.tenant_id, c.id, c.version, c.change_number, c.status, c.auth_type, c.issuer, c.subject, c.audience,
                        c.state, c.mac, c.created_at, c.updated_at,
                        v.version AS newest_version, v.position AS newest_position,
                        v.change_number AS newest_change_number, v.applied_at AS newest_applied_at,
                        v.digest AS newest_digest, v.mac AS newest_mac
                 FROM newest
                 JOIN versions v ON v.tenant_id = $1 AND v.target = newest.target AND v.version = newest.version
                 LEFT JOIN configurations c ON c.tenant_id = $1 AND c.id = newest.target
                 ORDER BY v.target",
                args![tenant, after, i64::from(PAGE)],
            )
            .await
    }

    /// Whether another living configuration of the organization stands in the way of this audience: a third-party
    /// configuration shares its audience with nobody.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub async fn audience_is_taken(
        &mut self,
        tenant_id: TenantId,
        id: ConfigurationId,
        state: &ConfigurationState,
    ) -> Result<bool, StoreError> {
        let row = self
            .tx
            .fetch_optional(
                "SELECT id FROM configurations
                 WHERE tenant_id = $1 AND audience = $2 AND id <> $3 AND status <> 'DEACTIVATED'
                   AND (auth_type = 'THIRD_PARTY' OR $4 = 'THIRD_PARTY') LIMIT 1",
                args![
                    tenant_id.to_string(),
                    state.verifier_audience.as_str(),
                    id.to_string(),
                    auth_type(state.auth_type),
                ],
            )
            .await?;
        Ok(row.is_some())
    }

    /// Whether a living configuration of the organization, other than `id`, is selected by the same three values.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub async fn triple_is_taken(
        &mut self,
        tenant_id: TenantId,
        id: ConfigurationId,
        state: &ConfigurationState,
    ) -> Result<bool, StoreError> {
        let row = self
            .tx
            .fetch_optional(
                "SELECT id FROM configurations
                 WHERE tenant_id = $1 AND issuer = $2 AND subject = $3 AND audience = $4
                   AND status <> 'DEACTIVATED' AND id <> $5",
                args![
                    tenant_id.to_string(),
                    state.verifier_issuer.as_str(),
                    state.verifier_subject.as_str(),
                    state.verifier_audience.as_str(),
                    id.to_string(),
                ],
            )
            .await?;
        Ok(row.is_some())
    }

    /// Writes the configuration that an authorized change results in, and registers its new keys.
    pub(crate) async fn put_configuration(
        &mut self,
        authorized: &AuthorizedChange,
        number: u64,
        head: &[u8],
    ) -> Result<(), StoreError> {
        let envelope = authorized.change().envelope();
        let (tenant, id) = (envelope.tenant_id.to_string(), envelope.target.clone());
        let text = canonical_text(authorized.change().canonical_after(), TABLE, &id)?;
        let state: ConfigurationState =
            serde_json::from_str(&text).map_err(|_| StoreError::corrupt(TABLE, "state", &id))?;
        let (version, number) = (to_int(authorized.version()), to_int(number));
        let at = authorized.at().seconds();
        let before = match authorized.version() {
            1 => None,
            _ => Some(self.as_it_stands(envelope.tenant_id, &id).await?),
        };
        let created_at = before.as_ref().map_or(at, |row| row.created_at.seconds());
        let mac = self.configuration_mac(&ConfigurationFacts {
            tenant: &tenant,
            id: &id,
            version,
            change_number: number,
            state: &text,
            dates: [created_at, at],
            head,
        });
        let statement = if authorized.version() == 1 {
            "INSERT INTO configurations
                (tenant_id, id, version, change_number, status, auth_type, issuer, subject, audience, state, mac,
                 created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12)"
        } else {
            "UPDATE configurations
             SET version = $3, change_number = $4, status = $5, auth_type = $6, issuer = $7, subject = $8,
                 audience = $9, state = $10, mac = $11, updated_at = $12
             WHERE tenant_id = $1 AND id = $2 AND version = $3 - 1"
        };
        let values = args![
            tenant.clone(),
            id.clone(),
            version,
            number,
            state.status.as_str(),
            auth_type(state.auth_type),
            state.verifier_issuer.as_str(),
            state.verifier_subject.as_str(),
            state.verifier_audience.as_str(),
            text,
            mac,
            at,
        ];
        self.tx.execute_one(statement, values).await?;
        let fresh = fresh_keys(&state, before.as_ref());
        self.register_keys([&tenant, &id], fresh, at).await
    }

    /// A configuration that is about to change.
    async fn as_it_stands(
        &mut self,
        tenant_id: TenantId,
        id: &str,
    ) -> Result<Configuration, StoreError> {
        let parsed = id.parse();
        let id = parsed.map_err(|_| StoreError::corrupt(TABLE, "id", id))?;
        let before = self.configuration(tenant_id, id).await?;
        before.ok_or(StoreError::Collision)
    }

    fn configuration_mac(&self, facts: &ConfigurationFacts<'_>) -> Vec<u8> {
        let [created_at, updated_at] = facts.dates;
        let parts: [&[u8]; 9] = [
            b"configuration",
            facts.tenant.as_bytes(),
            facts.id.as_bytes(),
            &facts.version.to_be_bytes(),
            &facts.change_number.to_be_bytes(),
            facts.state.as_bytes(),
            &created_at.to_be_bytes(),
            &updated_at.to_be_bytes(),
            facts.head,
        ];
        self.row_key.tag(&parts).to_vec()
    }

    fn read_configuration(&self, row: &Row) -> Result<Configuration, StoreError> {
        let newest = self.newest_version(row, &row.text("tenant_id")?, &row.text("id")?)?;
        self.read_believed(row, &newest)
    }

    fn read_believed(
        &self,
        row: &Row,
        newest: &NewestVersion,
    ) -> Result<Configuration, StoreError> {
        let missing = || StoreError::corrupt(TABLE, "id", "none");
        let tenant = row.opt_text("tenant_id")?.ok_or_else(missing)?;
        let id = row.opt_text("id")?.ok_or_else(missing)?;
        let corrupt = |column| StoreError::corrupt(TABLE, column, &id);
        let (version, number, state) = (
            row.int("version")?,
            row.int("change_number")?,
            row.text("state")?,
        );
        if (newest.version, newest.change_number) != (version, number) {
            return Err(corrupt("version"));
        }
        let dates = [row.int("created_at")?, row.int("updated_at")?];
        let made = self.configuration_mac(&ConfigurationFacts {
            tenant: &tenant,
            id: &id,
            version,
            change_number: number,
            state: &state,
            dates,
            head: &newest.mac,
        });
        if !same(&made, &row.blob("mac")?) {
            return Err(corrupt("mac"));
        }
        let parsed: ConfigurationState =
            serde_json::from_str(&state).map_err(|_| corrupt("state"))?;
        // The columns that queries look at must say what the state says: the digest covers the state, not them.
        for (column, value) in columns(&parsed) {
            if row.text(column)? != value {
                return Err(corrupt(column));
            }
        }
        Ok(Configuration {
            tenant_id: tenant.parse().map_err(|_| corrupt("tenant_id"))?,
            id: id.parse().map_err(|_| corrupt("id"))?,
            version: from_int(version, TABLE, "version")?,
            change_request: from_int(number, TABLE, "change_number")?,
            state: parsed,
            created_at: UnixTime::from_seconds(dates[0]),
            updated_at: UnixTime::from_seconds(dates[1]),
        })
    }
}

/// The keys that a configuration did not have before.
fn fresh_keys<'k>(
    state: &'k ConfigurationState,
    before: Option<&'k Configuration>,
) -> impl Iterator<Item = &'k RegisteredKey> + Send {
    let known = before.map_or(&[][..], |before| &before.state.keys);
    state.keys.iter().filter(|key| {
        let mut known = known.iter();
        known.all(|known| known.fingerprint_sha256 != key.fingerprint_sha256)
    })
}

/// The columns that repeat a part of the state, so that the database can look at it.
fn columns(state: &ConfigurationState) -> [(&'static str, &str); 5] {
    [
        ("status", state.status.as_str()),
        ("auth_type", auth_type(state.auth_type)),
        ("issuer", state.verifier_issuer.as_str()),
        ("subject", state.verifier_subject.as_str()),
        ("audience", state.verifier_audience.as_str()),
    ]
}

const fn auth_type(auth_type: AuthType) -> &'static str {
    match auth_type {
        AuthType::Standard => "STANDARD",
        AuthType::ThirdParty => "THIRD_PARTY",
    }
}
