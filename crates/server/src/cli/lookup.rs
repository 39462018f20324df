//! Finding the one organization or configuration that the user did not name.

use serde_json::Value;

use super::client::{Client, path, with_query};
use super::failure::Failure;

/// The organization given, or the only one there is; an empty environment variable gives none.
///
/// # Errors
/// [`Failure::NotExactlyOne`] when the choice is open; otherwise as [`Client::get`].
pub(crate) fn organization(client: &Client, given: Option<&str>) -> Result<String, Failure> {
    if let Some(tenant) = given.filter(|given| !given.is_empty()) {
        return Ok(tenant.to_owned());
    }
    let answer = client.get("/organizations?limit=2")?;
    only(&answer, "tenant_id", ("--org", "organizations"))
}

/// The configuration given, or the only one that is not deactivated.
///
/// # Errors
/// As [`organization`].
pub(crate) fn configuration(
    client: &Client,
    tenant: &str,
    given: Option<&str>,
) -> Result<String, Failure> {
    if let Some(id) = given.filter(|given| !given.is_empty()) {
        return Ok(id.to_owned());
    }
    let place = path(&["organizations", tenant, "configurations"]);
    let mut answer = client.get(&with_query(&place, &[("limit", "200".to_owned())]))?;
    if let Some(items) = answer["items"].as_array_mut() {
        items.retain(|item| item["status"] != "DEACTIVATED");
    }
    only(&answer, "id", ("the configuration's ID", "configurations"))
}

fn only(
    answer: &Value,
    member: &str,
    (flag, noun): (&'static str, &'static str),
) -> Result<String, Failure> {
    let items = answer["items"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    match items {
        [item] if answer["next_cursor"].is_null() => {
            Ok(item[member].as_str().unwrap_or_default().to_owned())
        }
        items => Err(Failure::NotExactlyOne {
            flag,
            noun,
            count: items.len(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::client::tests::Canned;
    use super::super::failure::USAGE;
    use super::*;

    #[test]
    fn the_only_organization_need_not_be_named() {
        let server = Canned::start(vec![(
            200,
            json!({"items": [{"tenant_id": "tn-1"}], "next_cursor": null}),
        )]);
        assert_eq!(organization(&server.client(None), None).unwrap(), "tn-1");
        server.asked();
    }

    #[test]
    fn one_of_several_must_be_named() {
        let two =
            json!({"items": [{"tenant_id": "tn-1"}, {"tenant_id": "tn-2"}], "next_cursor": null});
        let one_of_more = json!({"items": [{"tenant_id": "tn-1"}], "next_cursor": "c"});
        for answer in [two, one_of_more, json!({"items": []})] {
            let server = Canned::start(vec![(200, answer)]);
            let failure = organization(&server.client(None), None).unwrap_err();
            assert_eq!(failure.exit_code(), USAGE);
            assert!(
                failure
                    .to_string()
                    .starts_with("--org is needed: there are"),
                "{failure}"
            );
            server.asked();
        }
    }

    #[test]
    fn a_deactivated_configuration_is_no_choice() {
        let server = Canned::start(vec![(
            200,
            json!({"items": [{"id": "ac-1", "status": "DEACTIVATED"}, {"id": "ac-2", "status": "SUSPENDED"}]}),
        )]);
        assert_eq!(
            configuration(&server.client(None), "tn-1", None).unwrap(),
            "ac-2"
        );
        let asked = server.asked().remove(0);
        assert!(
            asked.starts_with("GET /api/v1/organizations/tn-1/configurations?limit=200 "),
            "{asked}"
        );
    }

    #[test]
    fn what_is_named_costs_no_request() {
        let server = Canned::start(vec![]);
        let client = server.client(None);
        assert_eq!(organization(&client, Some("tn-9")).unwrap(), "tn-9");
        assert_eq!(
            configuration(&client, "tn-9", Some("ac-9")).unwrap(),
            "ac-9"
        );
        assert!(server.asked().is_empty());
    }
}
