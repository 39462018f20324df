//! The JOSE header (RFC 7515 §4), of which only three parameters mean anything to us.

use std::fmt;

use serde_json::Value;

use super::JwsRefusal;
use crate::Algorithm;
use crate::json::{Limits, StrictObject};

/// The longest `kid`, in octets.
const MAX_KID_OCTETS: usize = 256;

/// Parameters that carry or point to key material. Ours is registered, so theirs is never looked at.
const KEY_MATERIAL: [&str; 6] = ["jku", "jwk", "x5c", "x5t", "x5t#S256", "x5u"];

/// What the `typ` parameter says (RFC 7515 §4.1.9, RFC 8725 §3.11): compared without case, `application/` optional.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenType {
    /// There is none.
    Absent,
    /// `at+jwt` (RFC 9068 §2.1).
    AccessToken,
    /// `client-authentication+jwt` (draft-ietf-oauth-rfc7523bis).
    ClientAuthentication,
    /// `JWT` (RFC 7519 §5.1).
    Jwt,
    /// Anything else, as it was written.
    Other(String),
}

impl TokenType {
    fn parse(text: &str) -> Self {
        let name = match text.split_at_checked("application/".len()) {
            Some((prefix, name)) if prefix.eq_ignore_ascii_case("application/") => name,
            _ => text,
        };
        match name {
            name if name.eq_ignore_ascii_case("JWT") => Self::Jwt,
            name if name.eq_ignore_ascii_case("at+jwt") => Self::AccessToken,
            name if name.eq_ignore_ascii_case("client-authentication+jwt") => {
                Self::ClientAuthentication
            }
            _ => Self::Other(text.to_owned()),
        }
    }
}

impl fmt::Display for TokenType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "absent",
            Self::AccessToken => "at+jwt",
            Self::ClientAuthentication => "client-authentication+jwt",
            Self::Jwt => "JWT",
            Self::Other(text) => text,
        })
    }
}

/// A header in which nothing asks for what we do not do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwsHeader {
    algorithm: Algorithm,
    kid: Option<String>,
    token_type: TokenType,
}

impl JwsHeader {
    pub(super) fn parse(text: &[u8]) -> Result<Self, JwsRefusal> {
        let limits = Limits {
            octets: super::MAX_HEADER_OCTETS,
            ..Limits::TOKEN
        };
        let header = StrictObject::parse(text, limits)
            .map_err(|json| JwsRefusal::HeaderNotStrict { json })?;
        let algorithm = match header.get("alg") {
            None => return Err(JwsRefusal::AlgorithmMissing),
            Some(Value::String(name)) => {
                name.parse().map_err(|_| JwsRefusal::AlgorithmNotAllowed)?
            }
            Some(_) => return Err(JwsRefusal::AlgorithmNotText),
        };
        refuse_extensions(&header)?;
        let kid = match header.get("kid") {
            None => None,
            Some(Value::String(kid))
                if kid.len() <= MAX_KID_OCTETS && !kid.contains(char::is_control) =>
            {
                Some(kid.clone())
            }
            Some(_) => return Err(JwsRefusal::KidUnacceptable),
        };
        let token_type = match header.get("typ") {
            None => TokenType::Absent,
            Some(Value::String(text)) => TokenType::parse(text),
            Some(_) => return Err(JwsRefusal::TypeNotText),
        };
        Ok(Self {
            algorithm,
            kid,
            token_type,
        })
    }

    /// The `alg` parameter: in the closed list.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The `kid` parameter: at most 256 octets, no control characters. It selects a key, it is not one.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The `typ` parameter.
    #[must_use]
    pub fn token_type(&self) -> &TokenType {
        &self.token_type
    }
}

fn refuse_extensions(header: &StrictObject) -> Result<(), JwsRefusal> {
    if header.contains("crit") {
        return Err(JwsRefusal::CriticalExtension);
    }
    for (name, value) in header.members() {
        match (name.as_str(), value) {
            ("b64", _) => return Err(JwsRefusal::UnencodedPayload),
            ("cty", Value::String(text)) if TokenType::parse(text) != TokenType::Jwt => {}
            ("cty", _) => return Err(JwsRefusal::NestedToken),
            ("zip", _) => return Err(JwsRefusal::Compressed),
            (name, _) => {
                if let Some(parameter) = KEY_MATERIAL.into_iter().find(|known| *known == name) {
                    return Err(JwsRefusal::EmbeddedKey { parameter });
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_are_compared_without_case_and_prefix() {
        for text in ["JWT", "jwt", "application/jwt", "APPLICATION/Jwt"] {
            assert_eq!(TokenType::parse(text), TokenType::Jwt);
        }
        assert_eq!(
            TokenType::parse("application/at+JWT"),
            TokenType::AccessToken
        );
        assert_eq!(
            TokenType::parse("Client-Authentication+jwt"),
            TokenType::ClientAuthentication
        );
        for text in [
            "",
            "application/",
            "text/jwt",
            "JWT ",
            "dpop+jwt",
            "application/application/jwt",
            "é/jwt",
        ] {
            assert_eq!(TokenType::parse(text), TokenType::Other(text.to_owned()));
        }
    }
}
