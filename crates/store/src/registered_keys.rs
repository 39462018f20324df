//! Every public key ever registered: one key, one configuration, on the whole platform.

use countersign_crypto::MacKey;
use countersign_domain::configurations::RegisteredKey;

use crate::database::{Row, args};
use crate::organizations::same;
use crate::{StoreError, Unit, from_int, to_int};

const TABLE: &str = "registered_keys";

/// The modulus of an RSA key that is registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisteredModulus {
    /// Its place in the order of registration, from 1.
    pub place: u64,
    /// The modulus, big-endian.
    pub modulus: Vec<u8>,
}

/// A row as it is stored.
struct RegisteredKeyRow {
    fingerprint: String,
    tenant: String,
    configuration: String,
    modulus: Option<Vec<u8>>,
    rsa_place: Option<i64>,
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
                "SELECT fingerprint, tenant_id, configuration_id, modulus, rsa_place, registered_at, mac
                 FROM registered_keys
                 WHERE fingerprint = $1",
                args![fingerprint],
            )
            .await?;
        let registered = row.map(|row| RegisteredKeyRow::proven(&row, &self.row_key));
        Ok(registered.transpose()?.is_some())
    }

    /// Up to `limit` RSA moduli registered on the whole platform after a place, in the order of registration, to find
    /// shared prime factors. Places appear in that order, so what is registered later has a later one.
    ///
    /// # Errors
    /// When the database is unavailable, or a row cannot be believed.
    pub async fn registered_moduli(
        &mut self,
        after: u64,
        limit: u32,
    ) -> Result<Vec<RegisteredModulus>, StoreError> {
        let rows = self
            .tx
            .fetch_all(
                "SELECT fingerprint, tenant_id, configuration_id, modulus, rsa_place, registered_at, mac
                 FROM registered_keys
                 WHERE rsa_place > $1 ORDER BY rsa_place LIMIT $2",
                args![to_int(after), i64::from(limit)],
            )
            .await?;
        rows.iter()
            .map(|row| {
                let key = RegisteredKeyRow::proven(row, &self.row_key)?;
                Ok(RegisteredModulus {
                    place: from_int(key.rsa_place.unwrap_or_default(), TABLE, "rsa_place")?,
                    modulus: key.modulus.unwrap_or_default(),
                })
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
            let modulus = parsed.rsa_modulus().map(<[u8]>::to_vec);
            let rsa_place = match modulus {
                Some(_) => Some(self.next_rsa_place().await?),
                None => None,
            };
            let new = RegisteredKeyRow {
                fingerprint,
                tenant: tenant.to_owned(),
                configuration: id.to_owned(),
                modulus,
                rsa_place,
                registered_at: at,
                stored: Vec::new(),
            };
            let mac = new.mac(&self.row_key);
            self.tx
                .execute_one(
                    "INSERT INTO registered_keys
                        (fingerprint, tenant_id, configuration_id, modulus, rsa_place, registered_at, mac)
                     VALUES ($1, $2, $3, $4, $5, $6, $7)",
                    args![
                        new.fingerprint,
                        new.tenant,
                        new.configuration,
                        new.modulus,
                        new.rsa_place,
                        new.registered_at,
                        mac,
                    ],
                )
                .await?;
        }
        Ok(())
    }

    async fn next_rsa_place(&mut self) -> Result<i64, StoreError> {
        let row = self
            .tx
            .fetch_optional(
                "SELECT COALESCE(MAX(rsa_place), 0) + 1 AS place FROM registered_keys",
                args![],
            )
            .await?;
        row.ok_or_else(|| StoreError::corrupt(TABLE, "rsa_place", "max"))?
            .int("place")
    }
}

impl RegisteredKeyRow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            fingerprint: row.text("fingerprint")?,
            tenant: row.text("tenant_id")?,
            configuration: row.text("configuration_id")?,
            modulus: row.opt_blob("modulus")?,
            rsa_place: row.opt_int("rsa_place")?,
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
        let parts: [&[u8]; 8] = [
            b"registered key",
            self.fingerprint.as_bytes(),
            self.tenant.as_bytes(),
            self.configuration.as_bytes(),
            &[
                u8::from(modulus.is_some()),
                u8::from(self.rsa_place.is_some()),
            ],
            modulus.unwrap_or_default(),
            &self.rsa_place.unwrap_or_default().to_be_bytes(),
            &self.registered_at.to_be_bytes(),
        ];
        key.tag(&parts).to_vec()
    }
}
