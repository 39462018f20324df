//! The access token: a JWT as in RFC 9068.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::configurations::Configuration;
use crate::grant::Grant;
use crate::permission_groups::to_scope;
use crate::time::UnixTime;

/// The claims of an access token, in the order in which they are written (RFC 9068 §2.2).
#[derive(Debug, Serialize)]
pub struct AccessTokenClaims<'a> {
    /// `signer_issuer` of the configuration.
    pub iss: &'a str,
    /// `signer_audience` of the configuration.
    pub aud: &'a str,
    /// `verifier_subject` of the configuration.
    pub sub: &'a str,
    /// The configuration's ID.
    pub client_id: String,
    /// The organization's ID.
    pub tenant_id: String,
    /// The permission groups, separated by spaces.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub scope: String,
    /// When it was issued, in seconds since 1970.
    pub iat: i64,
    /// When it ends, in seconds since 1970.
    pub exp: i64,
    /// Its own identifier, with 128 random bits.
    pub jti: &'a str,
    /// The account that it is bound to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<&'a str>,
    /// The account that it is bound to, by the organization's name for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_account_id: Option<&'a str>,
    /// Claims copied from the assertion, where the configuration allows them.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub custom: &'a Map<String, Value>,
}

impl<'a> AccessTokenClaims<'a> {
    /// The claims for what was granted.
    #[must_use]
    pub fn new(
        configuration: &'a Configuration,
        grant: &'a Grant,
        jti: &'a str,
        now: UnixTime,
    ) -> Self {
        Self {
            iss: configuration.state.signer_issuer.as_str(),
            aud: configuration.state.signer_audience.as_str(),
            sub: configuration.state.verifier_subject.as_str(),
            client_id: configuration.id.to_string(),
            tenant_id: configuration.tenant_id.to_string(),
            scope: to_scope(grant.scope()),
            iat: now.seconds(),
            exp: grant.expires_at().seconds(),
            jti,
            uid: grant.uid(),
            external_account_id: grant.external_account_id(),
            custom: grant.custom(),
        }
    }
}
