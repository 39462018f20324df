//! A resource server that trusts nothing but the published key set, with a JWT library that is not ours.

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, Validation, decode, decode_header};
use serde_json::{Map, Value};

use crate::server::TestServer;
use crate::world::Tenant;

impl TestServer {
    /// Verifies an access token with the organization's key set: signature, `typ`, `iss` and `aud`. The test's clock
    /// is not the library's, so the times are for the test to look at.
    ///
    /// # Errors
    /// What does not hold.
    pub async fn verify_offline(
        &self,
        tenant: &Tenant,
        token: &str,
        audience: &str,
    ) -> Result<Map<String, Value>, String> {
        let header = decode_header(token).map_err(|error| error.to_string())?;
        if header.typ.as_deref() != Some("at+jwt") {
            return Err("typ is not at+jwt (RFC 9068 §4)".to_owned());
        }
        let published = self.get(&tenant.path("jwks")).await;
        let keys: JwkSet =
            serde_json::from_slice(&published.body).map_err(|error| error.to_string())?;
        let kid = header.kid.ok_or("no kid")?;
        let jwk = keys.find(&kid).ok_or("kid is not published")?;
        let key = DecodingKey::from_jwk(jwk).map_err(|error| error.to_string())?;
        let mut rules = Validation::new(header.alg);
        rules.set_audience(&[audience]);
        rules.set_issuer(&[&tenant.issuer]);
        rules.validate_exp = false;
        decode::<Map<String, Value>>(token, &key, &rules)
            .map(|decoded| decoded.claims)
            .map_err(|error| error.to_string())
    }
}
