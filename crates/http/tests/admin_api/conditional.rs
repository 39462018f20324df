//! `If-Match` and `ETag` (`conformance.md` N4).

use serde_json::{Value, json};

use crate::support::{Api, assert_problem, fresh_key};

/// Every act that changes a version, in an order in which each can be done.
fn acts(api: &Api) -> Vec<(&'static str, String, Value)> {
    vec![
        ("PATCH", api.a1(), json!({"name": "new"})),
        (
            "POST",
            format!("{}/rotate", api.a1()),
            json!({"public_key": fresh_key()}),
        ),
        ("POST", format!("{}/suspend", api.a1()), json!({})),
        ("POST", format!("{}/restore", api.a1()), json!({})),
        ("POST", format!("{}/deactivate", api.a1()), json!({})),
        ("PATCH", api.acme(), json!({"name": "new"})),
        ("POST", format!("{}/suspend", api.acme()), json!({})),
        ("POST", format!("{}/restore", api.acme()), json!({})),
    ]
}

/// What an act is about.
fn resource(path: &str) -> String {
    let verbs = ["/rotate", "/suspend", "/restore", "/deactivate"];
    let verb = verbs.iter().find_map(|verb| path.strip_suffix(verb));
    verb.unwrap_or(path).to_owned()
}

#[tokio::test]
async fn n4_an_act_on_a_stale_version_is_412_and_changes_nothing() {
    let api = Api::start().await;
    for (method, path, body) in acts(&api) {
        let before = api.get(resource(&path)).await.json();
        let version = before["version"].as_u64().unwrap();
        for stale in [0, version - 1, version + 1, u64::MAX] {
            let answer = api
                .ask(method, &path)
                .json(&body)
                .if_match(stale)
                .send()
                .await;
            assert_problem(&answer, 412, "base_moved");
        }
        assert_eq!(api.get(resource(&path)).await.json(), before);
        let answer = api
            .ask(method, &path)
            .json(&body)
            .if_match(version)
            .send()
            .await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        assert_eq!(
            answer.header("etag"),
            Some(format!("\"{}\"", version + 1).as_str()),
            "{path}"
        );
        assert_eq!(
            api.get(resource(&path)).await.header("etag"),
            answer.header("etag"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn n4_an_edit_without_if_match_is_428_and_the_other_acts_do_without() {
    let api = Api::start().await;
    for (method, path, body) in acts(&api) {
        let answer = api.ask(method, &path).json(&body).send().await;
        if method == "PATCH" {
            assert_problem(&answer, 428, "if_match_required");
        } else {
            assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        }
    }
}

#[tokio::test]
async fn if_match_is_one_tag_as_it_was_sent() {
    let api = Api::start().await;
    for (method, path, body) in acts(&api) {
        for bad in [
            "1",
            "W/\"1\"",
            "\"01\"",
            "\"+1\"",
            "\"1\", \"2\"",
            "\"\"",
            "\"-1\"",
            "\"99999999999999999999\"",
        ] {
            let answer = api
                .ask(method, &path)
                .json(&body)
                .header("if-match", bad)
                .send()
                .await;
            assert_problem(&answer, 400, "if_match_malformed");
        }
        let twice = api
            .ask(method, &path)
            .json(&body)
            .if_match(1)
            .if_match(1)
            .send()
            .await;
        assert_problem(&twice, 400, "if_match_malformed");
    }
}

#[tokio::test]
async fn of_two_edits_of_one_version_one_is_done() {
    let api = Api::start().await;
    let edits =
        (0..8).map(|number| api.patch(api.a1(), 1, json!({"name": format!("name {number}")})));
    let answers = futures_util::future::join_all(edits).await;
    let done: Vec<_> = answers
        .iter()
        .filter(|answer| answer.status == 200)
        .collect();
    assert_eq!(done.len(), 1);
    let refused = answers.iter().filter(|answer| answer.status != 200);
    refused.for_each(|answer| assert_problem(answer, 412, "base_moved"));
    assert_eq!(api.get(api.a1()).await.json(), done[0].json());
}

#[tokio::test]
async fn an_edit_that_changes_nothing_is_a_conflict() {
    let api = Api::start().await;
    for path in [api.a1(), api.acme()] {
        let name = api.get(&path).await.json()["name"].clone();
        assert_problem(
            &api.patch(&path, 1, json!({})).await,
            409,
            "nothing_to_change",
        );
        assert_problem(
            &api.patch(&path, 1, json!({"name": name})).await,
            409,
            "nothing_to_change",
        );
    }
}
