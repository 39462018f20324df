//! Authentication configurations as they stand, and the keys they have registered.

use countersign_domain::change::AuthorizedChange;
use countersign_domain::configurations::{
    AuthType, Configuration, ConfigurationState, ConfigurationStatus,
};
use countersign_domain::ids::{ConfigurationId, TenantId};
use countersign_domain::time::UnixTime;

use crate::database::{Row, args};
use crate::organizations::{canonical_text, same};
use crate::{Page, StoreError, Unit, from_int, to_int};

const TABLE: &str = "configurations";

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
                "SELECT tenant_id, id, version, change_number, status, auth_type, issuer, subject, audience, state,
                        mac, created_at, updated_at
                 FROM configurations WHERE tenant_id = $1 AND id = $2",
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
        let rows = self.configuration_rows(tenant_id, status, page).await?;
        rows.iter()
            .map(|row| self.read_configuration(row))
            .collect()
    }

    /// Like [`Unit::configurations`], but a row that cannot be believed is reported by its ID and left out: the token
    /// service refuses that configuration and serves the others.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub async fn believable_configurations(
        &mut self,
        tenant_id: TenantId,
        page: &Page,
    ) -> Result<(Vec<Configuration>, Vec<String>), StoreError> {
        let rows = self.configuration_rows(tenant_id, None, page).await?;
        let (mut sound, mut refused) = (Vec::with_capacity(rows.len()), Vec::new());
        for row in &rows {
            match self.read_configuration(row) {
                Ok(configuration) => sound.push(configuration),
                Err(_) => refused.push(row.text("id")?),
            }
        }
        Ok((sound, refused))
    }

    async fn configuration_rows(
        &mut self,
        tenant_id: TenantId,
        status: Option<ConfigurationStatus>,
        page: &Page,
    ) -> Result<Vec<Row>, StoreError> {
        self.tx
            .fetch_all(
                "SELECT tenant_id, id, version, change_number, status, auth_type, issuer, subject, audience, state,
                        mac, created_at, updated_at
                 FROM configurations
                 WHERE tenant_id = $1 AND id > $2 AND ($3 = '' OR status = $3)
                 ORDER BY id LIMIT $4",
                args![
                    tenant_id.to_string(),
                    page.after.clone().unwrap_or_default(),
                    status.map_or("", ConfigurationStatus::as_str),
                    i64::from(page.limit),
                ],
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

    /// Whether a public key is registered with anybody but this configuration.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub async fn key_is_registered(
        &mut self,
        fingerprint: &str,
        id: ConfigurationId,
    ) -> Result<bool, StoreError> {
        let row = self
            .tx
            .fetch_optional(
                "SELECT fingerprint FROM registered_keys WHERE fingerprint = $1 AND configuration_id <> $2",
                args![fingerprint, id.to_string()],
            )
            .await?;
        Ok(row.is_some())
    }

    /// RSA moduli registered on the whole platform, in pages by fingerprint, to find shared prime factors.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub async fn registered_moduli(
        &mut self,
        page: &Page,
    ) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let rows = self
            .tx
            .fetch_all(
                "SELECT fingerprint, modulus FROM registered_keys
                 WHERE modulus IS NOT NULL AND fingerprint > $1 ORDER BY fingerprint LIMIT $2",
                args![
                    page.after.clone().unwrap_or_default(),
                    i64::from(page.limit)
                ],
            )
            .await?;
        rows.iter()
            .map(|row| Ok((row.text("fingerprint")?, row.blob("modulus")?)))
            .collect()
    }

    /// Writes the configuration that an authorized change results in, and registers its new keys.
    pub(crate) async fn put_configuration(
        &mut self,
        authorized: &AuthorizedChange,
        number: u64,
    ) -> Result<(), StoreError> {
        let envelope = authorized.change().envelope();
        let (tenant, id) = (envelope.tenant_id.to_string(), envelope.target.clone());
        let text = canonical_text(authorized.change().canonical_after(), TABLE, &id)?;
        let state: ConfigurationState =
            serde_json::from_str(&text).map_err(|_| StoreError::corrupt(TABLE, "state", &id))?;
        let (version, number, at) = (
            to_int(authorized.version()),
            to_int(number),
            authorized.at().seconds(),
        );
        let mac = self.configuration_mac([&tenant, &id, &text], version, number);
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
        self.register_keys(&tenant, &id, &state, at).await
    }

    async fn register_keys(
        &mut self,
        tenant: &str,
        id: &str,
        state: &ConfigurationState,
        at: i64,
    ) -> Result<(), StoreError> {
        for key in &state.keys {
            let fingerprint = key.fingerprint_sha256.to_string();
            let own = self
                .tx
                .fetch_optional(
                    "SELECT fingerprint FROM registered_keys
                     WHERE fingerprint = $1 AND tenant_id = $2 AND configuration_id = $3",
                    args![fingerprint.clone(), tenant, id],
                )
                .await?;
            if own.is_some() {
                continue;
            }
            let parsed = countersign_crypto::PublicKey::from_pem(&key.public_key)
                .map_err(|_| StoreError::corrupt(TABLE, "state", id))?;
            let modulus = parsed.rsa_modulus().map(<[u8]>::to_vec);
            self.tx
                .execute_one(
                    "INSERT INTO registered_keys (fingerprint, tenant_id, configuration_id, modulus, registered_at)
                     VALUES ($1, $2, $3, $4, $5)",
                    args![fingerprint, tenant, id, modulus, at],
                )
                .await?;
        }
        Ok(())
    }

    fn configuration_mac(
        &self,
        [tenant, id, state]: [&str; 3],
        version: i64,
        number: i64,
    ) -> Vec<u8> {
        let parts: [&[u8]; 6] = [
            b"configuration",
            tenant.as_bytes(),
            id.as_bytes(),
            &version.to_be_bytes(),
            &number.to_be_bytes(),
            state.as_bytes(),
        ];
        self.row_key.tag(&parts).to_vec()
    }

    fn read_configuration(&self, row: &Row) -> Result<Configuration, StoreError> {
        let (tenant, id) = (row.text("tenant_id")?, row.text("id")?);
        let corrupt = |column| StoreError::corrupt(TABLE, column, &id);
        let (version, number, state) = (
            row.int("version")?,
            row.int("change_number")?,
            row.text("state")?,
        );
        if !same(
            &self.configuration_mac([&tenant, &id, &state], version, number),
            &row.blob("mac")?,
        ) {
            return Err(corrupt("mac"));
        }
        let parsed: ConfigurationState =
            serde_json::from_str(&state).map_err(|_| corrupt("state"))?;
        // The columns that queries look at must say what the state says: only the state is covered by the digest.
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
            created_at: UnixTime::from_seconds(row.int("created_at")?),
            updated_at: UnixTime::from_seconds(row.int("updated_at")?),
        })
    }
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
