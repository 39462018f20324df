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
    pub fn new(configuration: &'a Configuration, grant: &'a Grant, now: UnixTime) -> Self {
        Self {
            iss: configuration.state.signer_issuer.as_str(),
            aud: configuration.state.signer_audience.as_str(),
            sub: configuration.state.verifier_subject.as_str(),
            client_id: configuration.id.to_string(),
            tenant_id: configuration.tenant_id.to_string(),
            scope: to_scope(grant.scope()),
            iat: now.seconds(),
            exp: grant.expires_at().seconds(),
            uid: grant.uid(),
            external_account_id: grant.external_account_id(),
            custom: grant.custom(),
        }
    }

    /// The claims set as JSON. The `jti` comes last and is made from everything before it, so that it can name this very
    /// content.
    ///
    /// # Errors
    /// When the claims cannot be written as JSON.
    pub fn to_json(&self, jti: impl FnOnce(&[u8]) -> String) -> serde_json::Result<Vec<u8>> {
        let mut json = serde_json::to_vec(self)?;
        json.pop();
        let jti = jti(&json);
        json.extend_from_slice(JTI_MEMBER);
        json.extend_from_slice(jti.as_bytes());
        json.extend_from_slice(b"\"}");
        Ok(json)
    }
}

/// How the last member of every claims set begins.
const JTI_MEMBER: &[u8] = b",\"jti\":\"";

/// The content that a `jti` was made from: everything before it in a claims set that [`AccessTokenClaims::to_json`] has
/// written; `None` for any other text.
#[must_use]
pub fn content_before_jti<'a>(payload: &'a [u8], jti: &str) -> Option<&'a [u8]> {
    payload
        .strip_suffix(b"\"}")?
        .strip_suffix(jti.as_bytes())?
        .strip_suffix(JTI_MEMBER)
}
