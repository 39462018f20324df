//! `countersign assertion`: a signed assertion, as an organization's server makes it (RFC 7523 §3).

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use countersign_crypto::{JwsSigner, SigningKey, random_token};
use serde_json::{Value, json};

use super::args::{Connection, InOrganization};
use super::client::{Client, path};
use super::failure::Failure;
use super::keygen::KeygenAlgorithm;
use super::output::Answer;
use super::{files, lookup};

/// Random octets in a `jti`: far above the 128 bits that make a repetition impossible in practice.
const JTI_OCTETS: usize = 20;

/// Arguments of `assertion`.
#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  countersign assertion --key ./payments.key.pem --org tn-0F6E… --config ac-9D2B…"
)]
pub(crate) struct AssertionArgs {
    /// How to reach the server.
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// What is signed, and with which key.
    #[command(flatten)]
    pub(crate) signing: SigningArgs,
    /// The typ of its header; client-authentication+jwt is for grant_type=client_credentials only
    #[arg(long, value_enum, default_value = "JWT", ignore_case = true)]
    pub(crate) typ: Type,
}

/// What is signed, and with which key.
#[derive(Args, Clone, Debug)]
pub(crate) struct SigningArgs {
    /// Private key: unencrypted PKCS#8, SEC 1 or PKCS#1 in PEM; - for stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// The configuration (ac-…); may be left out when there is only one
    #[arg(long, value_name = "ID")]
    pub(crate) config: Option<String>,
    /// Which organization.
    #[command(flatten)]
    pub(crate) organization: InOrganization,
    /// iss [default: the configuration's verifier_issuer, or its ID]
    #[arg(long, value_name = "ISS")]
    pub(crate) issuer: Option<String>,
    /// sub [default: the configuration's verifier_subject, or its ID]
    #[arg(long, value_name = "SUB")]
    pub(crate) subject: Option<String>,
    /// aud [default: the configuration's verifier_audience, or URL/t/TENANT]
    #[arg(long, value_name = "AUD")]
    pub(crate) audience: Option<String>,
    /// Seconds until it expires
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub(crate) lifetime: u32,
    /// kid of its header, needed when several keys could have signed it
    #[arg(long)]
    pub(crate) kid: Option<String>,
    /// Permission groups to ask for, separated by spaces [default: all that are granted]
    #[arg(long)]
    pub(crate) scope: Option<String>,
    /// What the key signs with [default: the usual one for its kind]
    #[arg(long, value_enum, ignore_case = true)]
    pub(crate) algorithm: Option<KeygenAlgorithm>,
}

/// The `typ` parameter (RFC 7515 §4.1.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Type {
    /// RFC 7519
    #[value(name = "JWT")]
    Jwt,
    /// draft-ietf-oauth-rfc7523bis
    #[value(name = "client-authentication+jwt")]
    ClientAuthentication,
}

impl Type {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Jwt => "JWT",
            Self::ClientAuthentication => "client-authentication+jwt",
        }
    }
}

/// What finds the configuration: `iss`, `sub` and `aud`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) issuer: String,
    pub(crate) subject: String,
    pub(crate) audience: String,
}

pub(super) fn run(args: &AssertionArgs, now: i64) -> Result<Answer, Failure> {
    let key = args.signing.signing_key()?;
    let identity = match args.signing.identity_by_hand() {
        Some(identity) => identity,
        None => {
            let client = args.connection.open()?;
            let (tenant, configuration) = args.signing.target(&client)?;
            identity(
                &args.signing,
                &client,
                &args.connection,
                (&tenant, &configuration),
            )
        }
    };
    let assertion = sign(key, &args.signing, args.typ, &identity, now);
    let json =
        json!({ "assertion": assertion, "expires_at": now + i64::from(args.signing.lifetime) });
    Ok(Answer::new(assertion, json))
}

impl SigningArgs {
    /// The key that signs.
    ///
    /// # Errors
    /// When the file cannot be read or holds no such key.
    pub(crate) fn signing_key(&self) -> Result<SigningKey, Failure> {
        files::private_key(&self.key, self.algorithm.map(Into::into))
    }

    /// The organization and the configuration, looked up where they are not given.
    ///
    /// # Errors
    /// When one is left out and there is not exactly one, or the server does not say.
    pub(crate) fn target(&self, client: &Client) -> Result<(String, String), Failure> {
        let tenant = lookup::organization(client, self.organization.org.as_deref())?;
        let configuration = lookup::configuration(client, &tenant, self.config.as_deref())?;
        Ok((tenant, configuration))
    }

    /// All three values, when all three are given: then nobody needs to be asked.
    fn identity_by_hand(&self) -> Option<Identity> {
        Some(Identity {
            issuer: self.issuer.clone()?,
            subject: self.subject.clone()?,
            audience: self.audience.clone()?,
        })
    }
}

/// The values the assertion carries: as given, else as the server tells an API token, else as a new configuration
/// has them. A server that does not answer is no obstacle: signing needs nobody's permission.
pub(crate) fn identity(
    signing: &SigningArgs,
    client: &Client,
    connection: &Connection,
    (tenant, configuration): (&str, &str),
) -> Identity {
    let record = if client.has_token() && signing.identity_by_hand().is_none() {
        let place = path(&["organizations", tenant, "configurations", configuration]);
        client.get(&place).unwrap_or_else(|failure| {
            connection.say(&format!("taking the default iss, sub and aud: {failure}"));
            Value::Null
        })
    } else {
        Value::Null
    };
    let value = |given: &Option<String>, name: &str, default: String| {
        let stored = || record[name].as_str().map(str::to_owned);
        given.clone().or_else(stored).unwrap_or(default)
    };
    let issuer = format!("{}{}", client.url().as_str(), path(&["t", tenant]));
    Identity {
        issuer: value(&signing.issuer, "verifier_issuer", configuration.to_owned()),
        subject: value(
            &signing.subject,
            "verifier_subject",
            configuration.to_owned(),
        ),
        audience: value(&signing.audience, "verifier_audience", issuer),
    }
}

/// Signs a fresh assertion, valid from `now` (Unix seconds) for its lifetime.
#[expect(
    clippy::disallowed_methods,
    reason = "an assertion is used once, and needs a name that no other has"
)]
pub(crate) fn sign(
    key: SigningKey,
    signing: &SigningArgs,
    typ: Type,
    identity: &Identity,
    now: i64,
) -> String {
    let mut claims = json!({
        "iss": identity.issuer,
        "sub": identity.subject,
        "aud": identity.audience,
        "iat": now,
        "exp": now + i64::from(signing.lifetime),
        "jti": random_token(JTI_OCTETS),
    });
    if let Some(scope) = &signing.scope {
        claims["scope"] = scope.as_str().into();
    }
    let signer = JwsSigner::new(key, Some(typ.as_str()), signing.kid.as_deref());
    signer.sign(claims.to_string().as_bytes())
}

#[cfg(test)]
pub(crate) mod tests {
    use countersign_crypto::{SigningAlgorithm, TokenType, UnverifiedJws, VerifyingKey};

    use super::super::client::tests::Canned;
    use super::super::session::tests::connection;
    use super::*;

    const NOW: i64 = 1_800_000_000;

    /// Arguments with a key file, organization `tn-1` and configuration `ac-1`.
    #[expect(clippy::disallowed_methods, reason = "a file of its own per key")]
    pub(crate) fn signing(place: &tempfile::TempDir) -> (SigningArgs, SigningKey) {
        let key = SigningKey::generate(SigningAlgorithm::Es256);
        let file = place.path().join(random_token(6));
        std::fs::write(&file, key.to_pkcs8_pem().as_bytes()).unwrap();
        let signing = SigningArgs {
            key: file,
            config: Some("ac-1".to_owned()),
            organization: InOrganization {
                org: Some("tn-1".to_owned()),
            },
            issuer: None,
            subject: None,
            audience: None,
            lifetime: 60,
            kid: None,
            scope: None,
            algorithm: None,
        };
        (signing, key)
    }

    /// The claims of a token that this key signed.
    pub(crate) fn claims(token: &str, key: &SigningKey) -> Value {
        let verifying =
            VerifyingKey::new(key.public_key().clone(), key.algorithm().algorithm()).unwrap();
        let verified = UnverifiedJws::parse(token)
            .unwrap()
            .verify(&verifying)
            .unwrap();
        Value::Object(verified.claims().unwrap().members().clone())
    }

    fn assertion(url: &str, signing: SigningArgs) -> String {
        let args = AssertionArgs {
            connection: connection(url),
            signing,
            typ: Type::Jwt,
        };
        run(&args, NOW).unwrap().render(false).trim_end().to_owned()
    }

    #[test]
    fn without_an_api_token_it_carries_the_values_of_a_new_configuration() {
        let place = tempfile::tempdir().unwrap();
        let (signing, key) = signing(&place);
        // Nobody listens there, and nobody is asked.
        let claims = claims(&assertion("http://auth.invalid", signing), &key);
        assert_eq!(claims["iss"], "ac-1");
        assert_eq!(claims["sub"], "ac-1");
        assert_eq!(claims["aud"], "http://auth.invalid/t/tn-1");
        assert_eq!(claims["iat"], NOW);
        assert_eq!(claims["exp"], NOW + 60);
        assert!(claims.get("scope").is_none());
    }

    #[test]
    fn with_an_api_token_it_carries_what_the_configuration_asks_for() {
        let place = tempfile::tempdir().unwrap();
        let (mut signing, key) = signing(&place);
        signing.subject = Some("mine".to_owned());
        let record =
            json!({"verifier_issuer": "i", "verifier_subject": "s", "verifier_audience": "a"});
        let server = Canned::start(vec![(200, record)]);
        let mut connection = connection(&server.url);
        connection.token = Some("cst_x".to_owned());
        let args = AssertionArgs {
            connection,
            signing,
            typ: Type::Jwt,
        };
        let token = run(&args, NOW).unwrap().render(false);
        let claims = claims(token.trim(), &key);
        assert_eq!(
            [&claims["iss"], &claims["sub"], &claims["aud"]],
            ["i", "mine", "a"]
        );
        let asked = server.asked().remove(0);
        assert!(
            asked.starts_with("GET /api/v1/organizations/tn-1/configurations/ac-1 "),
            "{asked}"
        );
    }

    #[test]
    fn a_server_that_does_not_answer_is_no_obstacle() {
        let place = tempfile::tempdir().unwrap();
        let (signing, key) = signing(&place);
        let server = Canned::start(vec![(503, json!({}))]);
        let mut connection = connection(&server.url);
        connection.token = Some("cst_x".to_owned());
        let args = AssertionArgs {
            connection,
            signing,
            typ: Type::Jwt,
        };
        let token = run(&args, NOW).unwrap().render(false);
        assert_eq!(claims(token.trim(), &key)["iss"], "ac-1");
        server.asked();
    }

    #[test]
    fn no_two_assertions_share_their_jti() {
        let place = tempfile::tempdir().unwrap();
        let (signing, key) = signing(&place);
        let jti =
            || claims(&assertion("http://auth.invalid", signing.clone()), &key)["jti"].clone();
        let (first, second) = (jti(), jti());
        assert_ne!(first, second);
        assert!(
            first.as_str().unwrap().len() >= 22,
            "at least 128 bits: {first}"
        );
    }

    #[test]
    fn header_and_scope_are_as_asked_for() {
        let place = tempfile::tempdir().unwrap();
        let (mut signing, key) = signing(&place);
        signing.kid = Some("k1".to_owned());
        signing.scope = Some("a b".to_owned());
        let identity = Identity {
            issuer: "i".to_owned(),
            subject: "i".to_owned(),
            audience: "a".to_owned(),
        };
        let token = sign(
            key.clone(),
            &signing,
            Type::ClientAuthentication,
            &identity,
            NOW,
        );
        let header = UnverifiedJws::parse(&token).unwrap().header().clone();
        assert_eq!(header.kid(), Some("k1"));
        assert_eq!(header.token_type(), &TokenType::ClientAuthentication);
        assert_eq!(claims(&token, &key)["scope"], "a b");
    }
}
