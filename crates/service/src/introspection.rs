//! Introspection (RFC 7662) and revocation (RFC 7009): live state, whatever the token itself says.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use countersign_crypto::{Digest32, TokenType, UnverifiedJws, b64, sha256};
use countersign_domain::access_token::content_before_jti;
use countersign_domain::assertion::Flow;
use countersign_domain::assertion::Trace;
use countersign_domain::configurations::{AuthType, ConfigurationStatus};
use countersign_domain::ids::{ConfigurationId, CorrelationId, TenantId};
use countersign_domain::organizations::OrganizationStatus;
use countersign_domain::time::UnixTime;
use serde_json::{Map, Value};

use crate::Service;
use crate::access::Caller;
use crate::exchange::{Accepted, ExchangeError, ExchangeRequest, not_recorded};
use crate::snapshots::{Budget, OrganizationSnapshot};

/// The most verified tokens remembered.
const MAX_REMEMBERED: usize = 20_000;

/// How the caller of introspection or revocation proves who it is.
#[derive(Clone, Copy, Debug)]
pub enum ClientProof<'a> {
    /// A program of the organization, or a resource server, with an API token.
    ApiToken(&'a Caller),
    /// A client with `private_key_jwt`; the assertion is used up.
    Assertion {
        /// The signed JWT.
        assertion: &'a str,
        /// The `client_id` parameter.
        client_id: Option<&'a str>,
    },
}

/// What introspection says.
#[derive(Clone, Debug, PartialEq)]
pub enum Introspection {
    /// The token is active; its claims.
    Active(Arc<Map<String, Value>>),
    /// It is not, and nothing more is said.
    Inactive,
}

/// Introspection or revocation without an answer.
#[derive(Debug)]
pub enum IntrospectionError {
    /// The client has not proven who it is.
    Client(ExchangeError),
    /// The API token is not allowed to ask here.
    NotAllowed,
    /// Ours, or the store is unavailable.
    Unavailable {
        /// When to try again, in seconds.
        retry_after: u32,
    },
}

/// What became of a revocation request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevocationOutcome {
    /// The token is revoked, or was none of ours: the same to the caller (RFC 7009 §2.2).
    Done,
    /// The token belongs to another client.
    NotYours,
}

/// Who asks, once proven.
enum Asker {
    Configuration(ConfigurationId, AuthType),
    Program,
}

/// A token of ours whose signature and record have been checked. Its state is looked at every time.
struct VerifiedToken {
    tenant_id: TenantId,
    kid: String,
    configuration: ConfigurationId,
    jti: String,
    issued_at: UnixTime,
    expires_at: UnixTime,
    claims: Arc<Map<String, Value>>,
}

/// Tokens that were verified a moment ago, by digest.
#[derive(Default)]
pub struct VerifiedTokens(RwLock<HashMap<Digest32, Arc<VerifiedToken>>>);

impl VerifiedTokens {
    fn find(&self, digest: Digest32) -> Option<Arc<VerifiedToken>> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&digest)
            .cloned()
    }

    fn keep(&self, digest: Digest32, token: &Arc<VerifiedToken>) {
        let mut remembered = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= MAX_REMEMBERED {
            remembered.clear();
        }
        remembered.insert(digest, Arc::clone(token));
    }

    /// Forgets tokens that have ended.
    pub(crate) fn sweep(&self, now: UnixTime) {
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|_, token| now < token.expires_at);
    }
}

impl Service {
    /// Says whether an access token is active, to a client or program of the same organization.
    ///
    /// # Errors
    /// When the asker has not proven who it is, or the store is unavailable. A token that cannot be judged for a fault
    /// of ours is an error, never "inactive".
    pub async fn introspect(
        &self,
        tenant_id: TenantId,
        proof: ClientProof<'_>,
        token: &str,
        correlation_id: CorrelationId,
    ) -> Result<Introspection, IntrospectionError> {
        if let ClientProof::ApiToken(caller) = proof {
            caller
                .require_introspection(tenant_id)
                .map_err(|_| IntrospectionError::NotAllowed)?;
        }
        let asker = self.prove(tenant_id, proof, correlation_id).await?;
        let now = self.now();
        let organization = self
            .find_organization(tenant_id, now)
            .await
            .map_err(IntrospectionError::Client)?;
        if matches!(asker, Asker::Program) {
            organization
                .take_budget(Budget::Questions)
                .map_err(|retry_after| {
                    IntrospectionError::Client(ExchangeError::RateLimited { retry_after })
                })?;
        }
        let Some(verified) = self.verify_own_token(&organization, token).await? else {
            return Ok(Introspection::Inactive);
        };
        let visible = match asker {
            Asker::Program | Asker::Configuration(_, AuthType::Standard) => true,
            Asker::Configuration(id, AuthType::ThirdParty) => id == verified.configuration,
        };
        if visible && is_live(&organization, &verified, now) {
            Ok(Introspection::Active(Arc::clone(&verified.claims)))
        } else {
            Ok(Introspection::Inactive)
        }
    }

    /// Revokes an access token of the asker.
    ///
    /// # Errors
    /// When the asker has not proven who it is, or the store is unavailable.
    pub async fn revoke(
        &self,
        tenant_id: TenantId,
        proof: ClientProof<'_>,
        token: &str,
        correlation_id: CorrelationId,
    ) -> Result<RevocationOutcome, IntrospectionError> {
        if let ClientProof::ApiToken(caller) = proof {
            caller
                .require_admin(tenant_id)
                .map_err(|_| IntrospectionError::NotAllowed)?;
        }
        let asker = self.prove(tenant_id, proof, correlation_id).await?;
        let now = self.now();
        let organization = self
            .find_organization(tenant_id, now)
            .await
            .map_err(IntrospectionError::Client)?;
        let Some(verified) = self.verify_own_token(&organization, token).await? else {
            return Ok(RevocationOutcome::Done);
        };
        if matches!(asker, Asker::Configuration(id, _) if id != verified.configuration) {
            return Ok(RevocationOutcome::NotYours);
        }
        let unavailable = |error: &dyn std::fmt::Debug| {
            tracing::error!(?error, "a token could not be revoked");
            IntrospectionError::Unavailable {
                retry_after: crate::RETRY_AFTER,
            }
        };
        let mut unit = self
            .store()
            .write()
            .await
            .map_err(|error| unavailable(&error))?;
        let before = unit
            .feed_position()
            .await
            .map_err(|error| unavailable(&error))?;
        unit.revoke_token(tenant_id, &verified.jti, verified.expires_at, now)
            .await
            .map_err(|error| unavailable(&error))?;
        let events = unit
            .feed_after(before, 10)
            .await
            .map_err(|error| unavailable(&error))?;
        unit.commit().await.map_err(|error| unavailable(&error))?;
        self.act_on(&events, now).await;
        Ok(RevocationOutcome::Done)
    }

    /// Proves who asks. An assertion is used up by it, exactly as at the token endpoint (conformance B18).
    async fn prove(
        &self,
        tenant_id: TenantId,
        proof: ClientProof<'_>,
        correlation_id: CorrelationId,
    ) -> Result<Asker, IntrospectionError> {
        match proof {
            // What its role allows was looked at before.
            ClientProof::ApiToken(_) => Ok(Asker::Program),
            ClientProof::Assertion {
                assertion,
                client_id,
            } => {
                let flow = Flow::ClientAuthentication;
                let request = ExchangeRequest {
                    flow,
                    assertion,
                    scope: None,
                    resources: &[],
                    client_id,
                    correlation_id,
                };
                let proven = Box::pin(self.prove_client(tenant_id, request)).await;
                if let Err(error) = &proven {
                    self.note_refusal(tenant_id, correlation_id, error);
                }
                proven.map_err(IntrospectionError::Client)
            }
        }
    }

    async fn prove_client(
        &self,
        tenant_id: TenantId,
        request: ExchangeRequest<'_>,
    ) -> Result<Asker, ExchangeError> {
        let Accepted {
            basis,
            assertion,
            now,
        } = self.accept(tenant_id, request, &mut Trace::off()).await?;
        let burned = self.ledger().burn(assertion, now).await;
        let trusted = burned.map_err(not_recorded)?;
        basis.require(&trusted, self.snapshots())?;
        let configuration = trusted.configuration();
        Ok(Asker::Configuration(
            configuration.id,
            configuration.state.auth_type,
        ))
    }

    /// A token that this instance issued for the organization: type, signature and issuance record (conformance Part 3
    /// no. 22: a forged token is inactive even while its key is trusted).
    async fn verify_own_token(
        &self,
        organization: &OrganizationSnapshot,
        token: &str,
    ) -> Result<Option<Arc<VerifiedToken>>, IntrospectionError> {
        let digest = sha256(&[token.as_bytes()]);
        if let Some(known) = self.verified.find(digest) {
            return Ok(Some(known).filter(|known| known.tenant_id == organization.tenant_id));
        }
        let Some(read) = read_token(organization, token) else {
            return Ok(None);
        };
        let place = content_of(token, &read.jti, |content| {
            self.ledger().place(&read.jti, content)
        });
        let Some((random, row)) = place else {
            return Ok(None);
        };
        // Boxed: only the first look at a token needs it.
        let recorded = Box::pin(self.store().issuance(row))
            .await
            .map_err(|error| {
                tracing::error!(error = %error, "the issuance record cannot be read");
                IntrospectionError::Unavailable {
                    retry_after: crate::RETRY_AFTER,
                }
            })?;
        let same = recorded.is_some_and(|recorded| {
            recorded.jti == random
                && recorded.tenant == *organization.tenant_id.as_bytes()
                && recorded.configuration == *read.configuration.as_bytes()
                && recorded.expires_at == read.expires_at
        });
        if !same {
            return Ok(None);
        }
        let read = Arc::new(read);
        self.verified.keep(digest, &read);
        Ok(Some(read))
    }
}

/// Hands the content that a token's `jti` was made from to `place`; nothing for a token that was not written here.
fn content_of<T>(token: &str, jti: &str, place: impl FnOnce(&[u8]) -> Option<T>) -> Option<T> {
    let payload = b64::decode_canonical(token.split('.').nth(1)?).ok()?;
    place(content_before_jti(&payload, jti)?)
}

/// Type, signature by a published key, and the claims that every token of ours has.
fn read_token(organization: &OrganizationSnapshot, token: &str) -> Option<VerifiedToken> {
    let jws = UnverifiedJws::parse_issued(token).ok()?;
    if *jws.header().token_type() != TokenType::AccessToken {
        return None;
    }
    let kid = jws.header().kid()?.to_owned();
    let keyring = organization.keyring();
    let verified = jws.verify(&keyring.published(&kid)?.key).ok()?;
    let mut claims = verified.into_claims().ok()?.into_members();
    let text =
        |claims: &Map<String, Value>, name: &str| claims.get(name)?.as_str().map(str::to_owned);
    if text(&claims, "tenant_id")? != organization.tenant_id.to_string() {
        return None;
    }
    let configuration = text(&claims, "client_id")?.parse().ok()?;
    let (jti, issued_at, expires_at) = (
        text(&claims, "jti")?,
        claims.get("iat")?.as_i64()?,
        claims.get("exp")?.as_i64()?,
    );
    claims.insert("active".to_owned(), true.into());
    claims.insert("token_type".to_owned(), "Bearer".into());
    Some(VerifiedToken {
        tenant_id: organization.tenant_id,
        kid,
        configuration,
        jti,
        issued_at: UnixTime::from_seconds(issued_at),
        expires_at: UnixTime::from_seconds(expires_at),
        claims: Arc::new(claims),
    })
}

/// Live state: organization, configuration, key, revocation, end.
fn is_live(organization: &OrganizationSnapshot, token: &VerifiedToken, now: UnixTime) -> bool {
    let state = organization.state();
    let Some(configuration) = organization.configuration(token.configuration) else {
        return false;
    };
    let configured = &configuration.configuration().state;
    let revoked_before = [state.tokens_not_before, configured.tokens_not_before];
    state.status == OrganizationStatus::Active
        && configured.status == ConfigurationStatus::Active
        && configured.expires_at.is_none_or(|end| now < end)
        && revoked_before
            .into_iter()
            .flatten()
            .all(|moment| token.issued_at >= moment)
        && now < token.expires_at
        && organization.keyring().published(&token.kid).is_some()
        && !organization.is_revoked(&token.jti)
}
