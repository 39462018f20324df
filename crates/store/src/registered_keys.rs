//! Every public key ever registered: one key, one configuration, on the whole platform.

use countersign_crypto::MacKey;
use countersign_domain::configurations::RegisteredKey;

use crate::database::{Row, args};
use crate::organizations::same;
use crate::{Page, StoreError, Unit};

const TABLE: &str = "registered_keys";

/// A row as it is stored.
struct RegisteredKeyRow {
    fingerprint: String,
    tenant: String,
    configuration: String,
    modulus: Option<Vec<u8>>,
    registered_at: i64,
    stored: Vec<u8>,
}

impl Unit {
    /// Whether a public key was ever registered, with whatever configuration.
    ///
    /// # Errors
    /// When the database is unavailable, or the row cannot be believed.
    pub async fn key_is_registered(&mut self, fingerprint: &str) -> Result<bool, StoreError> {
        let row = self
            .tx
            .fetch_optional(
                "SELECT fingerprint, tenant_id, configuration_id, modulus, registered_at, mac FROM registered_keys
                 WHERE fingerprint = $1",
                args![fingerprint],
            )
            .await?;
        let registered = row.map(|row| RegisteredKeyRow::proven(&row, &self.row_key));
        Ok(registered.transpose()?.is_some())
    }

    /// RSA moduli registered on the whole platform, in pages by fingerprint, to find shared prime factors.
    ///
    /// # Errors
    /// When the database is unavailable, or a row cannot be believed.
    pub async fn registered_moduli(
        &mut self,
        page: &Page,
    ) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let rows = self
            .tx
            .fetch_all(
                "SELECT fingerprint, tenant_id, configuration_id, modulus, registered_at, mac FROM registered_keys
                 WHERE modulus IS NOT NULL AND fingerprint > $1 ORDER BY fingerprint LIMIT $2",
                args![
                    page.after.clone().unwrap_or_default(),
                    i64::from(page.limit)
                ],
            )
            .await?;
        rows.iter()
            .map(|row| {
                let key = RegisteredKeyRow::proven(row, &self.row_key)?;
                Ok((key.fingerprint, key.modulus.unwrap_or_default()))
            })
            .collect()
    }

    /// Registers keys that a configuration did not have before; none of them may be registered already, with whatever
    /// configuration.
    pub(crate) async fn register_keys<'k>(
        &mut self,
        [tenant, id]: [&str; 2],
        fresh: impl Iterator<Item = &'k RegisteredKey> + Send,
        at: i64,
    ) -> Result<(), StoreError> {
        for key in fresh {
            let fingerprint = key.fingerprint_sha256.to_string();
            let parsed = countersign_crypto::PublicKey::from_pem(&key.public_key)
                .map_err(|_| StoreError::corrupt("configurations", "state", id))?;
            let new = RegisteredKeyRow {
                fingerprint,
                tenant: tenant.to_owned(),
                configuration: id.to_owned(),
                modulus: parsed.rsa_modulus().map(<[u8]>::to_vec),
                registered_at: at,
                stored: Vec::new(),
            };
            let mac = new.mac(&self.row_key);
            self.tx
                .execute_one(
                    "INSERT INTO registered_keys
                        (fingerprint, tenant_id, configuration_id, modulus, registered_at, mac)
                     VALUES ($1, $2, $3, $4, $5, $6)",
                    args![
                        new.fingerprint,
                        new.tenant,
                        new.configuration,
                        new.modulus,
                        new.registered_at,
                        mac,
                    ],
                )
                .await?;
        }
        Ok(())
    }
}

impl RegisteredKeyRow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            fingerprint: row.text("fingerprint")?,
            tenant: row.text("tenant_id")?,
            configuration: row.text("configuration_id")?,
            modulus: row.opt_blob("modulus")?,
            registered_at: row.int("registered_at")?,
            stored: row.blob("mac")?,
        })
    }

    fn proven(row: &Row, key: &MacKey) -> Result<Self, StoreError> {
        let read = Self::read(row)?;
        let sound = same(&read.mac(key), &read.stored);
        if sound {
            Ok(read)
        } else {
            Err(StoreError::corrupt(TABLE, "mac", read.fingerprint))
        }
    }

    fn mac(&self, key: &MacKey) -> Vec<u8> {
        let modulus = self.modulus.as_deref();
        let parts: [&[u8]; 7] = [
            b"registered key",
            self.fingerprint.as_bytes(),
            self.tenant.as_bytes(),
            self.configuration.as_bytes(),
            &[u8::from(modulus.is_some())],
            modulus.unwrap_or_default(),
            &self.registered_at.to_be_bytes(),
        ];
        key.tag(&parts).to_vec()
    }
}
