//! Who asks for passkeys, and on which pages.

use crate::{Digest32, sha256};

/// Why a relying party cannot be set up so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RelyingPartyRejected {
    /// Not a host name in lower case.
    #[error("a relying party id is a host name in lower case, without scheme and port")]
    IdMalformed,
    /// The host of an origin is neither the id nor below it: no browser would ask for a passkey there.
    #[error("each origin's host must be the relying party id or end with a dot and the id")]
    OriginForeign,
    /// Not `https://host`, perhaps with a port; nor `http://localhost`.
    #[error(
        "an origin is https://host or https://host:port in lower case, without a path; http only for localhost"
    )]
    OriginMalformed,
    /// No page may ask.
    #[error("a relying party needs at least one origin")]
    OriginMissing,
}

impl RelyingPartyRejected {
    /// The stable name of the condition.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::IdMalformed => "relying_party_id_malformed",
            Self::OriginForeign => "relying_party_origin_foreign",
            Self::OriginMalformed => "relying_party_origin_malformed",
            Self::OriginMissing => "relying_party_origin_missing",
        }
    }
}

/// The relying party (WebAuthn §5.4.2) and the origins of its pages, compared as plain texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelyingParty {
    id: String,
    id_hash: Digest32,
    origins: Vec<String>,
}

impl RelyingParty {
    /// Takes the id and every origin that may ask. `http://localhost` is allowed only where it is listed.
    ///
    /// # Errors
    /// [`RelyingPartyRejected`] when the id or an origin is malformed, or an origin lies outside the id.
    pub fn new(id: String, origins: Vec<String>) -> Result<Self, RelyingPartyRejected> {
        if !is_host(&id) {
            return Err(RelyingPartyRejected::IdMalformed);
        }
        if origins.is_empty() {
            return Err(RelyingPartyRejected::OriginMissing);
        }
        for origin in &origins {
            let host = host_of(origin).ok_or(RelyingPartyRejected::OriginMalformed)?;
            let is_below = host
                .strip_suffix(id.as_str())
                .is_some_and(|front| front.is_empty() || front.ends_with('.'));
            if !is_below {
                return Err(RelyingPartyRejected::OriginForeign);
            }
        }
        Ok(Self {
            id_hash: sha256(&[id.as_bytes()]),
            id,
            origins,
        })
    }

    /// The id, as the browser is told it.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The SHA-256 digest of the id, which stands in authenticator data.
    #[must_use]
    pub fn id_hash(&self) -> Digest32 {
        self.id_hash
    }

    /// Whether a page of this origin may ask: the very same text.
    #[must_use]
    pub fn allows(&self, origin: &str) -> bool {
        self.origins.iter().any(|allowed| allowed == origin)
    }
}

fn is_host(text: &str) -> bool {
    (1..=253).contains(&text.len())
        && text.split('.').all(|label| {
            !label.is_empty()
                && label
                    .bytes()
                    .all(|octet| matches!(octet, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        })
}

/// The host of an origin as browsers write it: no default port, no user, no path.
fn host_of(origin: &str) -> Option<&str> {
    let (authority, default_port) = match origin.strip_prefix("https://") {
        Some(authority) => (authority, "443"),
        None => (origin.strip_prefix("http://")?, "80"),
    };
    let host = match authority.split_once(':') {
        None => authority,
        Some((host, port)) => {
            let is_port = port.parse::<u16>().is_ok_and(|number| number > 0)
                && port.bytes().all(|octet| octet.is_ascii_digit())
                && !port.starts_with('0')
                && port != default_port;
            is_port.then_some(host)?
        }
    };
    let is_safe = default_port == "443" || host == "localhost";
    (is_host(host) && is_safe).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejected(id: &str, origin: &str) -> Option<RelyingPartyRejected> {
        RelyingParty::new(id.to_owned(), vec![origin.to_owned()]).err()
    }

    #[test]
    fn an_origin_is_https_and_within_the_id() {
        for (id, origin) in [
            ("example.com", "https://example.com"),
            ("example.com", "https://console.example.com:8443"),
            ("localhost", "http://localhost"),
            ("localhost", "http://localhost:8080"),
        ] {
            assert_eq!(rejected(id, origin), None, "{origin}");
        }
        for origin in [
            "https://example.com.evil.io",
            "https://badexample.com",
            "https://com",
            "http://localhost",
        ] {
            let expected = Some(RelyingPartyRejected::OriginForeign);
            assert_eq!(rejected("example.com", origin), expected, "{origin}");
        }
        for origin in [
            "",
            "example.com",
            "http://example.com",
            "https://example.com/",
            "https://EXAMPLE.com",
            "https://u@example.com",
            "https://example.com:443",
            "https://example.com:0",
            "https://example.com:+1",
            "https://example.com:",
            "https://example..com",
        ] {
            let expected = Some(RelyingPartyRejected::OriginMalformed);
            assert_eq!(rejected("example.com", origin), expected, "{origin}");
        }
        for id in ["", "Example.com", "https://example.com", "a..b", "a/b"] {
            let expected = Some(RelyingPartyRejected::IdMalformed);
            assert_eq!(rejected(id, "https://example.com"), expected, "{id}");
        }
        assert_eq!(
            RelyingParty::new("example.com".to_owned(), Vec::new()),
            Err(RelyingPartyRejected::OriginMissing)
        );
    }
}
