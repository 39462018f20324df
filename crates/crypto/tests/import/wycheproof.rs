//! The key sets of Wycheproof's `json_web_key_test.json`.

use serde_json::Value;

use crate::support::*;

#[test]
fn key_sets_are_refused_for_the_reason_each_was_made_for() {
    let Some(file) = vector("wycheproof/json_web_key_test.json") else {
        return;
    };
    let mut sets = 0;
    for group in file["testGroups"].as_array().unwrap() {
        // Private sets are refused as such, and never as anything else.
        let private = code(group["private"].to_string());
        assert!(
            ["private_key_refused", "symmetric_key_refused"].contains(&private),
            "{}: {private}",
            group["comment"]
        );
        let Some(public) = group.get("public").filter(|public| public.is_object()) else {
            continue;
        };
        let comment = group["comment"].as_str().unwrap();
        let accepted = group["tests"]
            .as_array()
            .unwrap()
            .iter()
            .any(|test| test["result"] == "valid");
        assert_eq!(
            code(public.to_string()),
            expected(comment, public, accepted),
            "{comment}"
        );
        sets += 1;
    }
    assert!(sets >= 8, "{sets}");
}

fn expected(comment: &str, public: &Value, accepted: bool) -> &'static str {
    match comment {
        // One name for two groups: the second one binds its signature key to encryption.
        "rs256" if public["keys"][0]["use"] == "enc" => "jwk_use_not_signature",
        "jws_rsa_roca_key" => "rsa_roca",
        "keysize_too_small" => "rsa_modulus_too_small",
        "exponentOne" => "rsa_exponent_one",
        "wrong_algorithm" | "invalid_algorithm" => "jwk_algorithm_unknown",
        "invalid_use" => "jwk_use_not_signature",
        "invalid_point" => "ec_point_not_on_curve",
        "wrong_curve" => "ec_coordinate_length",
        "wrong_kty" => "jwk_member_missing",
        _ if accepted => "accepted",
        other => panic!("a new group: {other}"),
    }
}
