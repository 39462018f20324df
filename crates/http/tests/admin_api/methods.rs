//! Methods and addresses: HEAD, 405 with `Allow`, 404.

use std::collections::BTreeMap;

use crate::schema::operations;
use crate::support::{Api, ORGANIZATIONS, assert_problem};

/// A path with IDs of a form that could exist.
fn filled(template: &str) -> String {
    template
        .replace("{tenant_id}", "tn-00000000-0000-4000-8000-000000000000")
        .replace(
            "api-tokens/{id}",
            "api-tokens/at-00000000-0000-4000-8000-000000000000",
        )
        .replace("{id}", "ac-00000000-0000-4000-8000-000000000000")
        .replace("{number}", "1")
}

#[tokio::test]
async fn every_address_answers_405_with_allow_to_other_methods() {
    let api = Api::start().await;
    let mut methods: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (method, path, _) in operations() {
        methods.entry(path).or_default().push(method);
    }
    for (path, known) in methods {
        let mut allowed = known.clone();
        if known.iter().any(|method| method == "GET") {
            allowed.push("HEAD".to_owned());
        }
        allowed.sort();
        for method in [
            "GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "OPTIONS", "BREW", "HEAD",
        ] {
            if allowed.iter().any(|known| known == method) {
                continue;
            }
            let answer = api
                .ask(method, filled(path))
                .header("x-canary", "canary")
                .send()
                .await;
            assert_eq!(answer.status, 405, "{method} {path}");
            let mut allow: Vec<&str> = answer
                .header("allow")
                .unwrap()
                .split(',')
                .map(str::trim)
                .collect();
            allow.sort_unstable();
            assert_eq!(allow, allowed, "{method} {path}");
            assert!(!answer.text().contains("canary"), "{method} {path} echoes");
            if method != "HEAD" {
                assert_problem(&answer, 405, "method_not_allowed");
            }
        }
    }
}

#[tokio::test]
async fn head_answers_as_get_without_the_body() {
    let api = Api::start().await;
    for path in [
        api.acme(),
        api.a1(),
        api.configurations(),
        ORGANIZATIONS.to_owned(),
    ] {
        let get = api.get(&path).await;
        let head = api.ask("HEAD", &path).send().await;
        assert_eq!(
            (head.status, head.text().as_str()),
            (get.status, ""),
            "{path}"
        );
        for name in ["etag", "content-type", "content-length"] {
            assert_eq!(head.header(name), get.header(name), "{path} {name}");
        }
    }
    assert_eq!(
        api.ask("HEAD", ORGANIZATIONS)
            .anonymous()
            .send()
            .await
            .status,
        401
    );
}

#[tokio::test]
async fn what_is_not_there_is_one_problem() {
    let api = Api::start().await;
    for path in [
        "/api/v1",
        "/api/v1/",
        "/api/v2/organizations",
        "/api/v1/organizations/",
        "/api/v1/organizations/x",
        "/api/v1/organizations/../organizations",
        "/api/v1//organizations",
        "/api/v1/organizations/tn-%00",
        "/",
        "/api/v1/api-tokens/at-x/y",
    ] {
        assert_problem(&api.get(path).await, 404, "not_found");
    }
    for number in [
        "0",
        "999",
        "-1",
        "x",
        "18446744073709551616",
        "1e3",
        "%31%00",
    ] {
        let path = format!("{}/change-requests/{number}", api.acme());
        assert_problem(&api.get(path).await, 404, "not_found");
    }
}

#[tokio::test]
async fn an_id_has_one_spelling() {
    let api = Api::start().await;
    let (acme, a1) = (api.world.acme.id.to_string(), api.world.a1.id.to_string());
    for spelling in [
        acme.to_lowercase(),
        acme.replace('-', ""),
        format!("{acme}%20"),
        acme.replace("tn-", "TN-"),
        acme.replace("tn-", ""),
    ] {
        assert_problem(
            &api.get(format!("{ORGANIZATIONS}/{spelling}")).await,
            404,
            "not_found",
        );
    }
    for spelling in [a1.to_uppercase(), a1.replace("ac-", ""), format!("%20{a1}")] {
        assert_problem(
            &api.get(format!("{}/{spelling}", api.configurations()))
                .await,
            404,
            "not_found",
        );
    }
}
