//! A client of the admin API: one connection, one request at a time.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use countersign_crypto::{PublicKey, SigningAlgorithm, UnverifiedJws};
use serde_json::{Value, json};

use crate::clients::{AUDIENCE, ISSUER, KID};
use crate::requests::{Body, Head, token_request};
use crate::response;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection with an API token.
pub(crate) struct Admin {
    stream: TcpStream,
    host: String,
    token: String,
}

impl Admin {
    /// Connects.
    ///
    /// # Errors
    /// A sentence, when nobody listens.
    pub(crate) fn connect(address: SocketAddr, token: &str) -> Result<Self, String> {
        let stream = TcpStream::connect(address)
            .map_err(|error| format!("cannot connect to {address}: {error}"))?;
        stream
            .set_nodelay(true)
            .and_then(|()| stream.set_read_timeout(Some(PATIENCE)))
            .map_err(|error| format!("cannot set up a connection: {error}"))?;
        Ok(Self {
            stream,
            host: address.to_string(),
            token: token.to_owned(),
        })
    }

    /// Creates an organization and returns its ID.
    ///
    /// # Errors
    /// A sentence with the answer, when it is not 201.
    pub(crate) fn create_organization(
        &mut self,
        name: &str,
        algorithm: SigningAlgorithm,
    ) -> Result<String, String> {
        let body = json!({ "name": name, "signing_algorithm": algorithm.as_str() });
        let answer = self.post("/api/v1/organizations", &body)?;
        text(&answer, "tenant_id")
    }

    /// Creates the configuration to which the assertions of [`crate::clients`] belong.
    ///
    /// # Errors
    /// A sentence with the answer, when it is not 201.
    pub(crate) fn create_configuration(
        &mut self,
        tenant: &str,
        key: &PublicKey,
        algorithm: SigningAlgorithm,
    ) -> Result<(), String> {
        self.register(tenant, ISSUER, key, algorithm).map(drop)
    }

    /// Creates a configuration with the given issuer and subject and returns its ID.
    ///
    /// # Errors
    /// A sentence with the answer, when it is not 201.
    pub(crate) fn register(
        &mut self,
        tenant: &str,
        issuer: &str,
        key: &PublicKey,
        algorithm: SigningAlgorithm,
    ) -> Result<String, String> {
        let path = format!("/api/v1/organizations/{tenant}/configurations");
        let answer = self.post(&path, &configuration(issuer, key, algorithm))?;
        text(&answer, "id")
    }

    /// Registers a further key of a configuration, beside the current one.
    ///
    /// # Errors
    /// A sentence with the answer, when it is not 200.
    pub(crate) fn add_key(
        &mut self,
        tenant: &str,
        id: &str,
        key: &PublicKey,
        algorithm: SigningAlgorithm,
    ) -> Result<(), String> {
        let path = format!("/api/v1/organizations/{tenant}/configurations/{id}/rotate");
        let body = json!({
            "public_key": key.to_pem(), "algorithm": algorithm.as_str(), "retire_after_seconds": 86_400,
        });
        self.post(&path, &body).map(drop)
    }

    /// Deactivates a configuration, which is final.
    ///
    /// # Errors
    /// A sentence with the answer, when it is not 200.
    pub(crate) fn deactivate(&mut self, tenant: &str, id: &str) -> Result<(), String> {
        let path = format!("/api/v1/organizations/{tenant}/configurations/{id}/deactivate");
        self.post(&path, &json!({})).map(drop)
    }

    /// Creates an API token of an organization and returns its secret.
    ///
    /// # Errors
    /// A sentence with the answer, when it is not 201.
    pub(crate) fn create_api_token(&mut self, tenant: &str, role: &str) -> Result<String, String> {
        let body = json!({
            "name": "benchmark", "scope": "organization", "tenant_id": tenant, "role": role, "expires_in_days": 1,
        });
        let answer = self.post("/api/v1/api-tokens", &body)?;
        text(&answer, "token").or_else(|_| text(&answer, "secret"))
    }

    /// Exchanges one assertion, makes sure that the access token is signed as wanted, and returns it.
    ///
    /// # Errors
    /// A sentence with the answer, when it holds no such token.
    pub(crate) fn exchange(
        &mut self,
        tenant: &str,
        assertion: &str,
        expected: SigningAlgorithm,
    ) -> Result<String, String> {
        let (status, answer) = self.send(&token_request(&self.host, tenant, assertion))?;
        if status != 200 {
            return Err(format!("the token endpoint answered {status}: {answer}"));
        }
        let token = text(&answer, "access_token")?;
        let jws = UnverifiedJws::parse(&token)
            .map_err(|refusal| format!("the access token is no JWS: {refusal}"))?;
        let signed_with = jws.header().algorithm();
        if signed_with == expected.algorithm() {
            Ok(token)
        } else {
            Err(format!(
                "the access token is signed with {signed_with}, not {expected}"
            ))
        }
    }

    /// Whether the process says that it lives.
    ///
    /// # Errors
    /// A sentence, when it does not answer.
    pub(crate) fn is_healthy(&mut self) -> Result<bool, String> {
        let request = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", self.host);
        Ok(self.send(request.as_bytes())?.0 == 200)
    }

    fn post(&mut self, path: &str, body: &Value) -> Result<Value, String> {
        let head = Head {
            method: "POST",
            path,
            host: &self.host,
            bearer: Some(&self.token),
        };
        let request = head.with(Body::Json(&body.to_string()));
        match self.send(&request)? {
            (200 | 201, answer) => Ok(answer),
            (status, answer) => Err(format!("POST {path} answered {status}: {answer}")),
        }
    }

    fn send(&mut self, request: &[u8]) -> Result<(u16, Value), String> {
        let broken = |error| format!("the server closed the connection: {error}");
        self.stream.write_all(request).map_err(broken)?;
        let mut octets = Vec::new();
        let mut piece = [0; 16 * 1024];
        loop {
            let count = self.stream.read(&mut piece).map_err(broken)?;
            if count == 0 {
                return Err("the server closed the connection".to_owned());
            }
            octets.extend_from_slice(&piece[..count]);
            if let Some(answer) = response::parse(&octets)? {
                let body = serde_json::from_slice(answer.body).unwrap_or(Value::Null);
                return Ok((answer.status, body));
            }
        }
    }
}

/// The body that creates a configuration with the given issuer and subject.
pub(crate) fn configuration(issuer: &str, key: &PublicKey, algorithm: SigningAlgorithm) -> Value {
    json!({
        "name": "benchmark",
        "public_key": key.to_jwk(KID, Some(algorithm.algorithm())),
        "verifier_issuer": issuer,
        "verifier_subject": issuer,
        "verifier_audience": AUDIENCE,
    })
}

fn text(answer: &Value, member: &str) -> Result<String, String> {
    let text = answer.get(member).and_then(Value::as_str);
    text.map(ToOwned::to_owned)
        .ok_or_else(|| format!("there is no \"{member}\" in {answer}"))
}
