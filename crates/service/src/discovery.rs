//! The published documents of an organization: metadata (RFC 8414, OpenID Connect Discovery) and key set (RFC 7517).

use std::sync::Arc;

use countersign_crypto::Algorithm;
use countersign_domain::ids::TenantId;
use countersign_domain::organizations::OrganizationStatus;
use serde_json::{Value, json};

use crate::Service;
use crate::error::ServiceError;

impl Service {
    /// The metadata of an organization's issuer. `openid` adds the members that OpenID Connect libraries insist on and
    /// that say "nothing" for a server without sign-in of people (conformance D10).
    ///
    /// # Errors
    /// Not found for an unknown organization; unavailable when the store is.
    pub async fn metadata(&self, tenant_id: TenantId, openid: bool) -> Result<Value, ServiceError> {
        let found = self.snapshots().organization(tenant_id, self.now()).await?;
        let organization = found.ok_or(ServiceError::NotFound)?;
        let issuer = self.settings().public_url.issuer(tenant_id);
        let algorithms: Vec<&str> = Algorithm::ALL
            .iter()
            .map(|algorithm| algorithm.as_str())
            .collect();
        let mut document = json!({
            "issuer": issuer,
            "token_endpoint": format!("{issuer}/token"),
            "jwks_uri": format!("{issuer}/jwks"),
            "introspection_endpoint": format!("{issuer}/introspect"),
            "revocation_endpoint": format!("{issuer}/revoke"),
            "grant_types_supported": ["client_credentials", "urn:ietf:params:oauth:grant-type:jwt-bearer"],
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": algorithms,
            "introspection_endpoint_auth_methods_supported": ["private_key_jwt"],
            "introspection_endpoint_auth_signing_alg_values_supported": algorithms,
            "revocation_endpoint_auth_methods_supported": ["private_key_jwt"],
            "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
        });
        let state = organization.state();
        if !state.permission_groups.is_empty() {
            document["scopes_supported"] = json!(state.permission_groups);
        }
        if openid {
            document["response_types_supported"] = json!(["none"]);
            document["subject_types_supported"] = json!(["public"]);
            document["id_token_signing_alg_values_supported"] =
                json!([state.signing_algorithm.as_str()]);
        }
        Ok(document)
    }

    /// The public keys of an organization; none while it is suspended.
    ///
    /// # Errors
    /// Not found for an unknown organization; unavailable when the store is.
    pub async fn jwks(&self, tenant_id: TenantId) -> Result<Arc<str>, ServiceError> {
        let found = self.snapshots().organization(tenant_id, self.now()).await?;
        let organization = found.ok_or(ServiceError::NotFound)?;
        match organization.state().status {
            OrganizationStatus::Active => Ok(organization.keyring().jwks()),
            OrganizationStatus::Suspended => Ok(Arc::from("{\"keys\":[]}")),
        }
    }
}
