//! The fields of a configuration that `config create` and `config edit` can set.

use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

/// Fields of a configuration; what is left out keeps its default or its value.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ConfigurationFields {
    /// What people call it
    #[arg(help_heading = "Fields", long)]
    pub(crate) name: Option<String>,
    /// STANDARD, or THIRD_PARTY for a partner, which needs a --verifier-audience of its own
    #[arg(
        help_heading = "Fields",
        long,
        value_enum,
        ignore_case = true,
        value_name = "TYPE"
    )]
    pub(crate) auth_type: Option<AuthType>,
    /// iss that your server writes into assertions [default: the configuration's ID]
    #[arg(help_heading = "Fields", long, value_name = "ISS")]
    pub(crate) verifier_issuer: Option<String>,
    /// sub that your server writes into assertions [default: the configuration's ID]
    #[arg(help_heading = "Fields", long, value_name = "SUB")]
    pub(crate) verifier_subject: Option<String>,
    /// aud that your server writes into assertions [default: the organization's issuer]
    #[arg(help_heading = "Fields", long, value_name = "AUD")]
    pub(crate) verifier_audience: Option<String>,
    /// iss that Countersign writes into access tokens [default: the organization's issuer]
    #[arg(help_heading = "Fields", long, value_name = "ISS")]
    pub(crate) signer_issuer: Option<String>,
    /// aud that Countersign writes into access tokens, and your API checks
    #[arg(help_heading = "Fields", long, value_name = "AUD")]
    pub(crate) signer_audience: Option<String>,
    /// Longest life of an assertion, in seconds; at most 3600, 300 is recommended
    #[arg(help_heading = "Fields", long, value_name = "SECONDS")]
    pub(crate) max_assertion_lifetime: Option<u32>,
    /// Life of an access token, in seconds; at most 3600
    #[arg(help_heading = "Fields", long, value_name = "SECONDS")]
    pub(crate) access_token_lifetime: Option<u32>,
    /// Whether an assertion serves once or until it expires
    #[arg(help_heading = "Fields", long, value_enum, value_name = "RULE")]
    pub(crate) replay_protection: Option<ReplayProtection>,
    /// Claim that may be copied from assertions into access tokens; repeat for more, '' for none
    #[arg(help_heading = "Fields", long = "copied-claim", value_name = "CLAIM")]
    pub(crate) copied_claims: Option<Vec<String>>,
    /// Permission group granted; repeat for more, '' for none
    #[arg(
        help_heading = "Fields",
        long = "permission-group",
        value_name = "GROUP"
    )]
    pub(crate) permission_groups: Option<Vec<String>>,
    /// When it ends (RFC 3339); '' for never
    #[arg(help_heading = "Fields", long, value_name = "TIME")]
    pub(crate) expires_at: Option<String>,
    /// Who answers for it; '' for nobody
    #[arg(help_heading = "Fields", long)]
    pub(crate) owner: Option<String>,
    /// Anything worth knowing; '' for nothing
    #[arg(help_heading = "Fields", long)]
    pub(crate) notes: Option<String>,
}

/// What the key that is registered is bound to.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct KeyBinding {
    /// The one algorithm the key may be used with [default: the usual one for its kind]
    #[arg(long, value_name = "ALG")]
    pub(crate) algorithm: Option<String>,
    /// The kid of the key [default: its thumbprint]
    #[arg(long)]
    pub(crate) kid: Option<String>,
}

/// What a configuration is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AuthType {
    /// The organization's own server
    #[value(name = "STANDARD")]
    Standard,
    /// A partner that acts for the organization
    #[value(name = "THIRD_PARTY", alias = "third-party")]
    ThirdParty,
}

/// How often an assertion serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReplayProtection {
    /// Once
    #[value(name = "single_use", alias = "single-use")]
    SingleUse,
    /// Until it expires, for callers that keep assertions
    #[value(name = "reuse_until_expiry", alias = "reuse-until-expiry")]
    ReuseUntilExpiry,
}

impl ConfigurationFields {
    /// The members of the request that were given; an empty text takes a value away.
    pub(crate) fn members(&self) -> Map<String, Value> {
        let text = |value: &Option<String>| value.as_deref().map(Value::from);
        let optional = |value: &Option<String>| {
            let value = value.as_deref()?;
            Some(if value.is_empty() {
                Value::Null
            } else {
                value.into()
            })
        };
        let listed = |values: &Option<Vec<String>>| {
            let values = values.as_ref()?.iter().filter(|value| !value.is_empty());
            Some(values.map(|value| json!(value)).collect())
        };
        let auth_type = self.auth_type.map(|auth_type| match auth_type {
            AuthType::Standard => "STANDARD".into(),
            AuthType::ThirdParty => "THIRD_PARTY".into(),
        });
        let replay_protection = self.replay_protection.map(|rule| match rule {
            ReplayProtection::SingleUse => "single_use".into(),
            ReplayProtection::ReuseUntilExpiry => "reuse_until_expiry".into(),
        });
        let members = [
            ("name", text(&self.name)),
            ("auth_type", auth_type),
            ("verifier_issuer", text(&self.verifier_issuer)),
            ("verifier_subject", text(&self.verifier_subject)),
            ("verifier_audience", text(&self.verifier_audience)),
            ("signer_issuer", text(&self.signer_issuer)),
            ("signer_audience", text(&self.signer_audience)),
            (
                "max_assertion_lifetime",
                self.max_assertion_lifetime.map(Value::from),
            ),
            (
                "access_token_lifetime",
                self.access_token_lifetime.map(Value::from),
            ),
            ("replay_protection", replay_protection),
            ("copied_claims", listed(&self.copied_claims)),
            ("permission_groups", listed(&self.permission_groups)),
            ("expires_at", optional(&self.expires_at)),
            ("owner", optional(&self.owner)),
            ("notes", optional(&self.notes)),
        ];
        let given = members.into_iter();
        given
            .filter_map(|(name, value)| value.map(|value| (name.to_owned(), value)))
            .collect()
    }
}

impl KeyBinding {
    /// The members of the request that were given.
    pub(crate) fn members(&self) -> Map<String, Value> {
        let given = [("algorithm", &self.algorithm), ("kid", &self.kid)].into_iter();
        given
            .filter_map(|(name, value)| Some((name.to_owned(), value.as_deref()?.into())))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_given_is_sent() {
        let fields = ConfigurationFields {
            name: Some("payments".to_owned()),
            auth_type: Some(AuthType::ThirdParty),
            access_token_lifetime: Some(300),
            copied_claims: Some(vec!["branch".to_owned()]),
            ..ConfigurationFields::default()
        };
        assert_eq!(
            Value::Object(fields.members()),
            json!({
                "name": "payments", "auth_type": "THIRD_PARTY", "access_token_lifetime": 300,
                "copied_claims": ["branch"],
            })
        );
        assert!(ConfigurationFields::default().members().is_empty());
    }

    #[test]
    fn an_empty_text_takes_a_value_away() {
        let fields = ConfigurationFields {
            owner: Some(String::new()),
            expires_at: Some(String::new()),
            permission_groups: Some(vec![String::new()]),
            ..ConfigurationFields::default()
        };
        assert_eq!(
            Value::Object(fields.members()),
            json!({"owner": null, "expires_at": null, "permission_groups": []})
        );
    }
}
