//! How a configuration reads: who writes each value and who checks it, then its keys.

use std::path::Path;

use serde_json::Value;

use super::output::{self, Column, member};

/// Columns of the list of configurations.
pub(crate) const COLUMNS: &[Column] = &[
    ("ID", &["id"]),
    ("NAME", &["name"]),
    ("TYPE", &["auth_type"]),
    ("STATUS", &["status"]),
    ("KEYS", &["keys_shown"]),
];

const KEY_COLUMNS: &[Column] = &[
    ("KID", &["kid"]),
    ("ALG", &["algorithm"]),
    ("STATE", &["state"]),
    ("ENDS", &["retires_at", "expires_at"]),
    ("SHA-256", &["fingerprint_shown"]),
];

/// One configuration.
pub(crate) fn view(configuration: &Value) -> String {
    let fields = [
        ("id", "id"),
        ("name", "name"),
        ("tenant_id", "tenant_id"),
        ("auth_type", "auth_type"),
        ("status", "status"),
        (
            "verifier_issuer    (iss your server writes)",
            "verifier_issuer",
        ),
        (
            "verifier_subject   (sub your server writes)",
            "verifier_subject",
        ),
        (
            "verifier_audience  (aud your server writes)",
            "verifier_audience",
        ),
        ("signer_issuer      (iss your API checks)", "signer_issuer"),
        (
            "signer_audience    (aud your API checks)",
            "signer_audience",
        ),
        ("max_assertion_lifetime", "max_assertion_lifetime"),
        ("access_token_lifetime", "access_token_lifetime"),
        ("replay_protection", "replay_protection"),
        ("copied_claims", "copied_claims"),
        ("permission_groups", "permission_groups"),
        ("expires_at", "expires_at"),
        ("owner", "owner"),
        ("notes", "notes"),
        ("created_at", "created_at"),
        ("updated_at", "updated_at"),
        ("version", "version"),
    ];
    let mut text =
        output::pairs(&fields.map(|(label, name)| (label, member(configuration, &[name]))));
    if let Some(keys) = configuration["keys"]
        .as_array()
        .filter(|keys| !keys.is_empty())
    {
        let keys: Vec<Value> = keys.iter().map(key).collect();
        text.push_str(&format!("\n\n{}", output::rows(&keys, KEY_COLUMNS)));
    }
    for repair in configuration["repairs"].as_array().into_iter().flatten() {
        text.push_str(&format!(
            "\n\nRepaired: {}",
            output::visible(&sentence(repair))
        ));
    }
    text
}

/// A list of configurations.
pub(crate) fn list(answer: &Value) -> String {
    let mut shown = answer.clone();
    for item in shown["items"].as_array_mut().into_iter().flatten() {
        let keys = item["keys"].as_array().into_iter().flatten();
        let states: Vec<String> = keys
            .map(|key| {
                format!(
                    "{} {}",
                    member(key, &["algorithm"]),
                    member(key, &["state"])
                )
            })
            .collect();
        item["keys_shown"] = states.join(", ").into();
    }
    output::list(
        &shown,
        COLUMNS,
        "No configurations yet: countersign config create --key PUBLIC-KEY-FILE",
    )
}

/// What would result from a request that stored nothing.
pub(crate) fn trial(answer: &Value) -> String {
    format!(
        "Dry run: nothing was stored. This would result:\n\n{}",
        view(answer)
    )
}

/// The command that gets the first token with a configuration, as far as its values are known here.
pub(crate) fn next(configuration: &Value, public_key: &Path) -> String {
    let key = private_sibling(public_key).unwrap_or_else(|| "PRIVATE-KEY-FILE".to_owned());
    format!(
        "Next, where the private key is:\n  countersign token --org {} --config {} --key {key}",
        member(configuration, &["tenant_id"]),
        member(configuration, &["id"]),
    )
}

/// The private key that `keygen` put beside this public one.
fn private_sibling(public_key: &Path) -> Option<String> {
    let stem = public_key.to_str()?.strip_suffix(".pub.pem")?;
    let private = format!("{stem}.key.pem");
    Path::new(&private)
        .exists()
        .then(|| super::keygen::quoted(&private))
}

fn key(key: &Value) -> Value {
    let mut key = key.clone();
    let fingerprint = member(&key, &["fingerprint_sha256"]);
    if let Some(start) = fingerprint.get(..12) {
        key["fingerprint_shown"] = format!("{start}…").into();
    }
    key
}

fn sentence(repair: &Value) -> String {
    match repair {
        Value::String(text) => text.clone(),
        other => member(other, &["detail", "sentence", "code"]),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    pub(super) fn configuration() -> Value {
        json!({
            "tenant_id": "tn-0F6E1A52-A789-42A2-8B0E-2052D05577D7",
            "id": "ac-9D2B1C64-11D4-4B8E-9C3A-7A3B0C1D2E3F", "name": "payments service",
            "auth_type": "STANDARD", "status": "ACTIVE",
            "verifier_issuer": "ac-9D2B1C64-11D4-4B8E-9C3A-7A3B0C1D2E3F",
            "verifier_audience": "https://auth.example.com/t/tn-0F6E1A52-A789-42A2-8B0E-2052D05577D7",
            "copied_claims": [], "owner": null, "version": 1,
            "keys": [
                {"kid": "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s", "algorithm": "ES256", "state": "current",
                 "retires_at": null, "fingerprint_sha256": "3d0f1a2b3c4d5e6f".repeat(4)},
                {"kid": "old", "algorithm": "RS256", "state": "retiring", "retires_at": "2027-02-07T12:00:00Z",
                 "fingerprint_sha256": "00112233445566".repeat(4)},
            ],
            "repairs": [{"code": "armour_missing", "detail": "The PEM armour was added."}],
        })
    }

    #[test]
    fn a_configuration_says_who_writes_each_value_and_lists_its_keys() {
        let text = view(&configuration());
        assert_eq!(
            text,
            "id                                           ac-9D2B1C64-11D4-4B8E-9C3A-7A3B0C1D2E3F\n\
             name                                         payments service\n\
             tenant_id                                    tn-0F6E1A52-A789-42A2-8B0E-2052D05577D7\n\
             auth_type                                    STANDARD\n\
             status                                       ACTIVE\n\
             verifier_issuer    (iss your server writes)  ac-9D2B1C64-11D4-4B8E-9C3A-7A3B0C1D2E3F\n\
             verifier_audience  (aud your server writes)  https://auth.example.com/t/tn-0F6E1A52-A789-42A2-8B0E-2052D05577D7\n\
             version                                      1\n\n\
             KID                                          ALG    STATE     ENDS                  SHA-256\n\
             ─────────────────────────────────────────────────────────────────────────────────────────────────\n\
             cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s  ES256  current                         3d0f1a2b3c4d…\n\
             old                                          RS256  retiring  2027-02-07T12:00:00Z  001122334455…\n\n\
             Repaired: The PEM armour was added."
        );
    }

    #[test]
    fn a_list_says_which_keys_each_one_has() {
        let text = list(&json!({"items": [configuration()]}));
        assert!(text.contains("ES256 current"), "{text}");
        assert!(
            text.lines().all(|line| line.chars().count() <= 100),
            "{text}"
        );
    }

    #[test]
    fn a_dry_run_says_that_nothing_was_stored() {
        let text = trial(&configuration());
        assert!(text.starts_with("Dry run: nothing was stored."));
        assert!(text.contains("payments service"), "{text}");
    }

    #[test]
    fn the_next_command_names_the_private_key_beside_the_public_one() {
        let place = tempfile::tempdir().unwrap();
        let public = place.path().join("payments.pub.pem");
        assert!(next(&configuration(), &public).ends_with("--key PRIVATE-KEY-FILE"));
        std::fs::write(place.path().join("payments.key.pem"), "").unwrap();
        let text = next(&configuration(), &public);
        assert!(text.ends_with("/payments.key.pem"), "{text}");
        assert!(
            text.contains("--org tn-0F6E1A52-A789-42A2-8B0E-2052D05577D7 --config ac-9D2B"),
            "{text}"
        );
    }
}
