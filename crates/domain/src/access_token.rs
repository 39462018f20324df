//! The access token: a JWT as in RFC 9068.

use std::fmt::Write as _;

use crate::assertion::AcceptedAssertion;
use crate::grant::Grant;
use crate::permission_groups::to_scope;
use crate::time::UnixTime;

/// Room for the claims of nearly every token.
const USUAL_LENGTH: usize = 512;

/// An access token that nobody has recorded yet: all its claims but the `jti`, which only the record can give.
#[derive(Debug)]
pub struct UnrecordedToken {
    grant: Grant,
    issued_at: UnixTime,
    scope: String,
    content: Vec<u8>,
}

/// An access token with all its claims.
#[derive(Debug)]
pub struct TokenClaims {
    /// The claims set (RFC 7519 §4) as JSON.
    pub json: Vec<u8>,
    /// Seconds until the token ends.
    pub expires_in: i64,
    /// The permission groups, separated by spaces.
    pub scope: String,
}

impl UnrecordedToken {
    /// Writes the claims for what was granted, in the order of RFC 9068 §2.2.
    ///
    /// # Errors
    /// When a claim cannot be written as JSON.
    pub fn new(grant: Grant, issued_at: UnixTime) -> serde_json::Result<Self> {
        let configuration = grant.assertion().configuration().configuration();
        let state = &configuration.state;
        let scope = to_scope(grant.scope());
        let mut json = Members::begin();
        json.text("iss", state.signer_issuer.as_str())?;
        json.text("aud", state.signer_audience.as_str())?;
        json.text("sub", state.verifier_subject.as_str())?;
        json.text("client_id", &configuration.id.to_string())?;
        json.text("tenant_id", &configuration.tenant_id.to_string())?;
        if !scope.is_empty() {
            json.text("scope", &scope)?;
        }
        json.seconds("iat", issued_at);
        json.seconds("exp", grant.expires_at());
        if let Some(uid) = grant.uid() {
            json.text("uid", uid)?;
        }
        if let Some(account) = grant.external_account_id() {
            json.text("external_account_id", account)?;
        }
        if let Some(custom) = grant.custom() {
            json.object("custom", custom);
        }
        Ok(Self {
            grant,
            issued_at,
            scope,
            content: json.0.into_bytes(),
        })
    }

    /// The assertion that it is issued for.
    #[must_use]
    pub const fn assertion(&self) -> &AcceptedAssertion {
        self.grant.assertion()
    }

    /// When it was issued.
    #[must_use]
    pub const fn issued_at(&self) -> UnixTime {
        self.issued_at
    }

    /// When it ends.
    #[must_use]
    pub const fn expires_at(&self) -> UnixTime {
        self.grant.expires_at()
    }

    /// Adds the `jti`. It comes last and is made from everything before it, so that it can name this very content.
    #[must_use]
    pub fn complete(self, jti: impl FnOnce(&[u8]) -> String) -> TokenClaims {
        let expires_in = self.expires_at().seconds() - self.issued_at.seconds();
        let mut json = self.content;
        let jti = jti(&json);
        json.extend_from_slice(JTI_MEMBER);
        json.extend_from_slice(jti.as_bytes());
        json.extend_from_slice(b"\"}");
        TokenClaims {
            json,
            expires_in,
            scope: self.scope,
        }
    }
}

/// A JSON object that is being written, without its closing brace.
///
/// A derived serializer looks at each octet to see whether it must be escaped. Hardly ever one must, and all of a text can
/// be looked at together: one token in thirty more from the same processor.
struct Members(String);

impl Members {
    fn begin() -> Self {
        let mut json = String::with_capacity(USUAL_LENGTH);
        json.push('{');
        Self(json)
    }

    fn name(&mut self, name: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push('"');
        self.0.push_str(name);
        self.0.push_str("\":");
    }

    fn text(&mut self, name: &str, value: &str) -> serde_json::Result<()> {
        self.name(name);
        if is_plain(value) {
            self.0.push('"');
            self.0.push_str(value);
            self.0.push('"');
        } else {
            self.0.push_str(&serde_json::to_string(value)?);
        }
        Ok(())
    }

    fn seconds(&mut self, name: &str, value: UnixTime) {
        self.name(name);
        // Writing to a String cannot fail.
        let _ = write!(self.0, "{}", value.seconds());
    }

    fn object(&mut self, name: &str, json: &str) {
        self.name(name);
        self.0.push_str(json);
    }
}

/// Whether a text is the same as a JSON string as it is (RFC 8259 §7).
fn is_plain(text: &str) -> bool {
    // Without a way out of the loop, so that it is compiled to a few wide instructions.
    text.bytes().fold(true, |plain, octet| {
        plain & (octet >= b' ') & (octet != b'"') & (octet != b'\\')
    })
}

/// How the last member of every claims set begins.
const JTI_MEMBER: &[u8] = b",\"jti\":\"";

/// The content that a `jti` was made from: everything before it in a claims set that [`UnrecordedToken::complete`] has
/// written; `None` for any other text.
#[must_use]
pub fn content_before_jti<'a>(payload: &'a [u8], jti: &str) -> Option<&'a [u8]> {
    payload
        .strip_suffix(b"\"}")?
        .strip_suffix(jti.as_bytes())?
        .strip_suffix(JTI_MEMBER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_json_must_escape_is_escaped_and_nothing_else_is_changed() {
        for text in [
            "",
            "https://api.example/",
            "svc@acme",
            "\"",
            "\\",
            "a\",\"iss\":\"evil",
            "line\nbreak",
            "\u{0}",
            "\u{1f}",
            "\u{7f}",
            "é\u{2028}🔑",
        ] {
            let mut members = Members::begin();
            members.text("first", text).unwrap();
            members.text("second", text).unwrap();
            let json = members.0 + "}";
            let expected = serde_json::json!({"first": text, "second": text});
            let read: serde_json::Value = serde_json::from_str(&json).unwrap();
            assert_eq!(read, expected, "{json}");
            assert_eq!(json, expected.to_string());
        }
    }
}
