//! What somebody with the database and the master key could take.

use countersign_crypto::{JwsSigner, SigningKey};
use countersign_domain::signing_keys::SigningKeyState;

use crate::server::TestServer;
use crate::world::Tenant;

/// The private key with which an organization's access tokens are signed, in the wrong hands.
pub struct StolenKey {
    key: SigningKey,
    kid: String,
}

impl StolenKey {
    /// Takes the current key of an organization out of the database.
    ///
    /// # Panics
    /// When there is none.
    pub async fn of(server: &TestServer, tenant: &Tenant) -> Self {
        let mut unit = server.store().read().await.unwrap();
        let keys = unit.signing_keys(tenant.id).await.unwrap();
        let current = keys
            .iter()
            .find(|key| key.state == SigningKeyState::Current)
            .unwrap();
        let place = format!("countersign/signing-key/v1\0{}\0{}", tenant.id, current.kid);
        let sealed = current.sealed.as_deref().unwrap();
        let der = server.master_key().open(sealed, place.as_bytes()).unwrap();
        Self {
            key: SigningKey::from_pkcs8_der(current.algorithm, &der).unwrap(),
            kid: current.kid.clone(),
        }
    }

    /// The name under which the key is published.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Signs claims as the server would.
    #[must_use]
    pub fn forge(&self, claims: &serde_json::Value) -> String {
        self.forge_text(&claims.to_string())
    }

    /// Signs the text of a claims set as it stands.
    #[must_use]
    pub fn forge_text(&self, claims: &str) -> String {
        let signer = JwsSigner::new(self.key.clone(), Some("at+jwt"), Some(&self.kid));
        signer.sign(claims.as_bytes())
    }
}
