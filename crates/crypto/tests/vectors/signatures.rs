//! Signatures against outside vectors: Wycheproof, ed25519-speccheck, RFC 7520, RFC 8037.

use countersign_crypto::{
    Algorithm, JwsRefusal, PublicKey, PublicKeyRejected, UnverifiedJws, VerifyingKey,
};
use serde_json::Value;

use crate::support::{bound_key_of_jwk, counted, key_of_jwk, load, unhex};

fn groups(file: &Value) -> impl Iterator<Item = (&Value, &Value)> {
    let groups = file["testGroups"].as_array().into_iter().flatten();
    groups.flat_map(|group| {
        group["tests"]
            .as_array()
            .into_iter()
            .flatten()
            .map(move |test| (group, test))
    })
}

fn key_of(group: &Value, algorithm: Algorithm) -> Option<VerifyingKey> {
    let key = PublicKey::from_spki_der(&unhex(&group["publicKeyDer"])).ok()?;
    VerifyingKey::new(key, algorithm).ok()
}

fn verifies(group: &Value, test: &Value, algorithm: Algorithm) -> bool {
    key_of(group, algorithm).is_some_and(|key| {
        key.verify(&unhex(&test["msg"]), &unhex(&test["sig"]))
            .is_ok()
    })
}

/// Every case of the file is decided as the file says; what it leaves open is refused.
fn file_agrees(name: &str, algorithm: Algorithm) {
    let name = format!("wycheproof/{name}_test.json");
    let Some(file) = load(&name) else { return };
    let mut cases = 0;
    for (group, test) in groups(&file) {
        let valid = test["result"] == "valid";
        assert_eq!(
            verifies(group, test, algorithm),
            valid,
            "{name} tc {}: {}",
            test["tcId"],
            test["comment"]
        );
        cases += 1;
    }
    counted(&name, cases);
}

#[test]
fn rsa_pkcs1_agrees_with_wycheproof() {
    for bits in ["2048", "3072", "4096"] {
        file_agrees(&format!("rsa_signature_{bits}_sha256"), Algorithm::Rs256);
        file_agrees(&format!("rsa_signature_{bits}_sha384"), Algorithm::Rs384);
        file_agrees(&format!("rsa_signature_{bits}_sha512"), Algorithm::Rs512);
    }
    file_agrees("rsa_signature_8192_sha256", Algorithm::Rs256);
}

#[test]
fn rsa_pss_agrees_with_wycheproof() {
    file_agrees("rsa_pss_2048_sha256_mgf1_32", Algorithm::Ps256);
    file_agrees("rsa_pss_2048_sha384_mgf1_48", Algorithm::Ps384);
    file_agrees("rsa_pss_3072_sha256_mgf1_32", Algorithm::Ps256);
    file_agrees("rsa_pss_4096_sha256_mgf1_32", Algorithm::Ps256);
    file_agrees("rsa_pss_4096_sha384_mgf1_48", Algorithm::Ps384);
    file_agrees("rsa_pss_4096_sha512_mgf1_64", Algorithm::Ps512);
}

#[test]
fn rsa_pss_wants_salt_and_mask_of_the_hash() {
    let name = "wycheproof/rsa_pss_misc_test.json";
    let Some(file) = load(name) else { return };
    let mut cases = 0;
    for (group, test) in groups(&file) {
        let of_jose = [
            ("SHA-256", 32, Algorithm::Ps256),
            ("SHA-384", 48, Algorithm::Ps384),
            ("SHA-512", 64, Algorithm::Ps512),
        ];
        for (hash, salt, algorithm) in of_jose {
            let fits = group["sha"] == hash && group["mgfSha"] == hash && group["sLen"] == salt;
            assert_eq!(
                verifies(group, test, algorithm),
                fits,
                "tc {} {algorithm}",
                test["tcId"]
            );
        }
        cases += 1;
    }
    counted(name, cases);
}

#[test]
fn ecdsa_agrees_with_wycheproof() {
    file_agrees("ecdsa_secp256r1_sha256_p1363", Algorithm::Es256);
    file_agrees("ecdsa_secp384r1_sha384_p1363", Algorithm::Es384);
    file_agrees("ecdsa_secp521r1_sha512_p1363", Algorithm::Es512);
}

#[test]
fn ecdsa_in_der_or_with_another_hash_is_refused() {
    for name in ["ecdsa_secp256r1_sha256", "ecdsa_secp256r1_sha512_p1363"] {
        let name = format!("wycheproof/{name}_test.json");
        let Some(file) = load(&name) else { return };
        let mut cases = 0;
        for (group, test) in groups(&file) {
            assert!(key_of(group, Algorithm::Es256).is_some());
            assert!(
                !verifies(group, test, Algorithm::Es256),
                "{name} tc {}",
                test["tcId"]
            );
            cases += 1;
        }
        counted(&name, cases);
    }
}

#[test]
fn secp256k1_and_ed448_keys_are_refused() {
    for name in ["ecdsa_secp256k1_sha256_p1363", "ed448"] {
        let name = format!("wycheproof/{name}_test.json");
        let Some(file) = load(&name) else { return };
        let mut cases = 0;
        for (group, _) in groups(&file) {
            let refused = PublicKey::from_spki_der(&unhex(&group["publicKeyDer"])).unwrap_err();
            assert_eq!(refused, PublicKeyRejected::KeyTypeUnsupported);
            cases += 1;
        }
        counted(&name, cases);
    }
}

#[test]
fn ed25519_agrees_with_wycheproof() {
    file_agrees("ed25519", Algorithm::EdDsa);
}

/// Cases 0 to 2 and 11 have a key or an R of small order or not in canonical form: the library accepts some.
#[test]
fn ed25519_edge_cases_are_refused() {
    let name = "ed25519-speccheck/cases.json";
    let Some(file) = load(name) else { return };
    let cases = file.as_array().unwrap();
    let accepted = cases.iter().enumerate().filter(|(_, case)| {
        let point = unhex(&case["pub_key"]);
        let key = PublicKey::from_ed25519(point.as_slice().try_into().unwrap());
        let key = key
            .ok()
            .and_then(|key| VerifyingKey::new(key, Algorithm::EdDsa).ok());
        key.is_some_and(|key| {
            key.verify(&unhex(&case["message"]), &unhex(&case["signature"]))
                .is_ok()
        })
    });
    let accepted = accepted.map(|(index, _)| index).collect::<Vec<_>>();
    assert_eq!(accepted, [3]);
    counted(name, cases.len());
}

/// What the collection's notes ask for beyond its own verdicts: one algorithm per key (346, 350), strict base64url
/// (372, 373).
const VALID_BUT_REFUSED: [u64; 4] = [346, 350, 372, 373];

#[test]
fn json_web_signatures_agree_with_wycheproof() {
    let name = "wycheproof/json_web_signature_test.json";
    let Some(file) = load(name) else { return };
    let (mut cases, mut symmetric) = (0, 0);
    for (group, test) in groups(&file) {
        cases += 1;
        let (id, text) = (
            test["tcId"].as_u64().unwrap(),
            test["jws"].as_str().unwrap_or_default(),
        );
        let parsed = UnverifiedJws::parse(text);
        let public = &group["public"];
        if public.is_null() {
            // A shared secret: there is no such path, whatever the verdict.
            let refused = parsed.expect_err("a symmetric algorithm is refused");
            symmetric += usize::from(refused == JwsRefusal::AlgorithmNotAllowed);
            continue;
        }
        if public["use"] == "enc" || public["key_ops"] == serde_json::json!(["encrypt"]) {
            // Such a key never becomes a verifying key: it has no signature algorithm to be bound to.
            assert!(key_of_jwk(public).is_some() && bound_key_of_jwk(public).is_none());
            continue;
        }
        let key = bound_key_of_jwk(public).unwrap_or_else(|| panic!("tc {id}: a usable key"));
        let empty_payload = text.split('.').nth(1) == Some("");
        let valid = test["result"] == "valid" && !VALID_BUT_REFUSED.contains(&id) && !empty_payload;
        let accepted = parsed.is_ok_and(|jws| jws.verify(&key).is_ok());
        assert_eq!(accepted, valid, "tc {id}: {} {text}", test["comment"]);
    }
    assert!(symmetric > 0);
    counted(name, cases);
}

#[test]
fn json_web_keys_agree_with_wycheproof() {
    let name = "wycheproof/json_web_key_test.json";
    let Some(file) = load(name) else { return };
    let mut cases = 0;
    for (group, test) in groups(&file) {
        cases += 1;
        let keys = group["public"]["keys"]
            .as_array()
            .or(group["private"]["keys"].as_array())
            .unwrap();
        let Ok(jws) = UnverifiedJws::parse(test["jws"].as_str().unwrap()) else {
            let symmetric = keys.iter().any(|key| key["kty"] == "oct");
            assert!(
                symmetric || test["result"] == "invalid",
                "tc {}",
                test["tcId"]
            );
            continue;
        };
        // What `use`, `kid` and weak moduli mean is for the import to say; here a key is bound to its `alg` or to none.
        let for_import = [
            "rejectsKeyWithRocaVulnerability",
            "rejectsWrongUse",
            "rejectsModifiedKey",
        ];
        let candidates = keys.iter().filter_map(bound_key_of_jwk).collect::<Vec<_>>();
        let verified = candidates
            .iter()
            .try_fold(jws, |jws, key| match jws.verify(key) {
                Ok(_) => Err(()),
                Err(jws) => Ok(*jws),
            });
        let accepted = verified.is_err();
        let valid = test["result"] == "valid";
        let left = for_import.iter().any(|comment| test["comment"] == *comment);
        assert!(
            accepted == valid || (accepted && left),
            "tc {}: {}",
            test["tcId"],
            test["comment"]
        );
    }
    counted(name, cases);
}

#[test]
fn cookbook_signatures_agree_with_rfc_7520_and_rfc_8037() {
    let files = [
        "jws/4_1.rsa_v15_signature",
        "jws/4_2.rsa-pss_signature",
        "jws/4_3.ecdsa_signature",
        "curve25519/jws",
    ];
    for name in files {
        let Some(file) = load(&format!("jose-cookbook/{name}.json")) else {
            return;
        };
        let algorithm = file["input"]["alg"].as_str().unwrap().parse().unwrap();
        let key = VerifyingKey::new(key_of_jwk(&file["input"]["key"]).unwrap(), algorithm).unwrap();
        let jws = UnverifiedJws::parse(file["output"]["compact"].as_str().unwrap()).unwrap();
        let verified = jws.verify(&key).unwrap();
        // The books sign prose, which is no claims set: said only after the signature has verified.
        verified.claims().unwrap_err();
        counted(name, 1);
    }
}

#[test]
fn cookbook_forms_other_than_compact_jws_are_refused() {
    let files = [
        "jws/4_4.hmac-sha2_integrity_protection",
        "jws/4_5.signature_with_detached_content",
        "jws/4_6.protecting_specific_header_fields",
        "jws/4_7.protecting_content_only",
        "jws/4_8.multiple_signatures",
        "jwe/5_1.key_encryption_using_rsa_v15_and_aes-hmac-sha2",
        "jwe/5_9.compressed_content",
        "rfc7797/hmac-sha2_b64_false",
        "6.nesting_signatures_and_encryption",
    ];
    for name in files {
        let Some(file) = load(&format!("jose-cookbook/{name}.json")) else {
            return;
        };
        let outputs = file["output"]
            .as_object()
            .into_iter()
            .flat_map(|output| output.values());
        let nested = file["encrypt"]["output"]
            .as_object()
            .into_iter()
            .flat_map(|output| output.values());
        let mut cases = 0;
        for output in outputs.chain(nested) {
            let text = output
                .as_str()
                .map_or_else(|| output.to_string(), str::to_owned);
            assert!(UnverifiedJws::parse(&text).is_err(), "{name}: {text}");
            cases += 1;
        }
        counted(name, cases);
    }
}
