//! Lists in pages.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Api, ORGANIZATIONS, assert_problem};

/// Every page of a list, `limit` entries each; between two pages `between` runs.
async fn pages(
    api: &Api,
    path: &str,
    limit: usize,
    between: impl AsyncFn(&Api),
) -> Vec<Vec<Value>> {
    let mut pages = Vec::new();
    let mut query = format!("?limit={limit}");
    loop {
        let page = api.get(format!("{path}{query}")).await.json();
        pages.push(page["items"].as_array().unwrap().clone());
        match page["next_cursor"].as_str() {
            Some(cursor) => query = format!("?limit={limit}&cursor={cursor}"),
            None => return pages,
        }
        between(api).await;
    }
}

fn lists(api: &Api) -> [(&'static str, String); 6] {
    [
        ("tenant_id", ORGANIZATIONS.to_owned()),
        ("id", api.configurations()),
        ("version", format!("{}/versions", api.a1())),
        ("number", format!("{}/change-requests", api.acme())),
        ("id", format!("{}/activity", api.acme())),
        ("id", "/api/v1/api-tokens".to_owned()),
    ]
}

async fn filled() -> Api {
    let api = Api::start().await;
    for number in 0..5 {
        api.post(ORGANIZATIONS, json!({"name": format!("n{number}")}))
            .await;
        api.create(json!({})).await;
        let edit = json!({"name": format!("n{number}")});
        let edited = api.patch(api.a1(), number + 1, edit).await;
        assert_eq!(edited.status, 200, "{}", edited.text());
        api.post(
            "/api/v1/api-tokens",
            json!({"name": "n", "scope": "platform", "role": "auditor"}),
        )
        .await;
    }
    api
}

#[tokio::test]
async fn the_pages_together_are_the_list_whatever_their_size() {
    let api = filled().await;
    for (name, path) in lists(&api) {
        let whole = api.get(&path).await.json();
        assert_eq!(whole["next_cursor"], Value::Null);
        let whole = whole["items"].as_array().unwrap();
        assert!(whole.len() > 5, "{path}");
        let distinct: BTreeSet<String> = whole.iter().map(|item| item[name].to_string()).collect();
        assert_eq!(distinct.len(), whole.len(), "{path}");
        for limit in [1, 2, whole.len() - 1, whole.len(), 200] {
            let pages = pages(&api, &path, limit, async |_| {}).await;
            assert_eq!(&pages.concat(), whole, "{path} by {limit}");
            assert!(
                pages
                    .iter()
                    .all(|page| page.len() <= limit && !page.is_empty()),
                "{path} by {limit}"
            );
        }
    }
}

#[tokio::test]
async fn entries_made_meanwhile_move_no_others() {
    let api = filled().await;
    for (name, path) in lists(&api) {
        let before: Vec<Value> = api.get(&path).await.json()["items"]
            .as_array()
            .unwrap()
            .clone();
        let pages = pages(&api, &path, 2, async |api| {
            api.post(ORGANIZATIONS, json!({"name": "meanwhile"})).await;
            api.create(json!({})).await;
            api.post(
                "/api/v1/api-tokens",
                json!({"name": "n", "scope": "platform", "role": "auditor"}),
            )
            .await;
        });
        // The cursor walks through a list that grows: it must end, and show what was there exactly once.
        let seen = tokio::time::timeout(std::time::Duration::from_secs(60), pages)
            .await
            .unwrap()
            .concat();
        for item in before {
            let times = seen
                .iter()
                .filter(|other| other[name] == item[name])
                .count();
            assert_eq!(times, 1, "{path}: {}", item[name]);
        }
    }
}

#[tokio::test]
async fn a_limit_is_between_one_and_two_hundred() {
    let api = Api::start().await;
    for (_, path) in lists(&api) {
        for bad in ["0", "201", "-1", "1.5", "", "x", "4294967296", "%31"] {
            assert_problem(
                &api.get(format!("{path}?limit={bad}")).await,
                400,
                "limit_invalid",
            );
        }
        for good in ["1", "200"] {
            assert_eq!(
                api.get(format!("{path}?limit={good}")).await.status,
                200,
                "{path}"
            );
        }
    }
}

#[tokio::test]
async fn a_cursor_that_was_not_made_here_is_refused() {
    let api = Api::start().await;
    let encoded = |octets: &[u8]| countersign_testkit::base64url(octets);
    for (_, path) in lists(&api) {
        for bad in [
            String::new(),
            "x".to_owned(),
            "!!!!".to_owned(),
            "%00".to_owned(),
            encoded(b"no id"),
            encoded(b"\0"),
            encoded(b"\xff\xfe"),
            encoded(b"' OR 1=1 --"),
            encoded(b"99999999999999999999"),
            encoded(b"tn-0f6e1a52-a789-42a2-8b0e-2052d05577d7"),
            "A".repeat(5000),
        ] {
            assert_problem(
                &api.get(format!("{path}?cursor={bad}")).await,
                400,
                "cursor_invalid",
            );
        }
    }
}

#[tokio::test]
async fn configurations_are_listed_by_status() {
    let api = Api::start().await;
    api.post(format!("{}/suspend", api.a1()), json!({})).await;
    let (ended, _) = api.created(json!({})).await;
    api.post(format!("{ended}/deactivate"), json!({})).await;
    for (status, count) in [("ACTIVE", 1), ("SUSPENDED", 1), ("DEACTIVATED", 1)] {
        let page = api
            .get(format!("{}?status={status}", api.configurations()))
            .await
            .json();
        let items = page["items"].as_array().unwrap();
        assert_eq!(items.len(), count, "{status}");
        assert!(items.iter().all(|item| item["status"] == status));
    }
    for bad in ["active", "", "ACTIVE&status=SUSPENDED", "x"] {
        let answer = api
            .get(format!("{}?status={bad}", api.configurations()))
            .await;
        assert_problem(&answer, 400, "query_invalid");
    }
}
