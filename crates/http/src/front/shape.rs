//! What the log shows of a path.

/// Every word of a route, in alphabetical order.
const WORDS: &[&str] = &[
    ".well-known",
    "activity",
    "api",
    "api-tokens",
    "change-requests",
    "configurations",
    "confirm-restore",
    "deactivate",
    "explain",
    "healthz",
    "instance",
    "introspect",
    "jwks",
    "keys",
    "metrics",
    "oauth-authorization-server",
    "oauth2",
    "openapi.json",
    "openid-configuration",
    "organizations",
    "passport",
    "preview",
    "readyz",
    "restore",
    "revoke",
    "rotate",
    "signing-keys",
    "suspend",
    "t",
    "token",
    "tokens",
    "v1",
    "versions",
];

/// A path without what the caller put into it, which may not belong in a log (conformance O2): words of routes stay,
/// anything else is `{}`.
pub(super) fn shape(path: &str) -> String {
    let segments: Vec<&str> = path.split('/').map(word).collect();
    segments.join("/")
}

fn word(segment: &str) -> &str {
    if segment.is_empty() || WORDS.binary_search(&segment).is_ok() {
        segment
    } else {
        "{}"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o2_the_log_shows_the_shape_of_a_path_and_not_what_the_caller_put_into_it() {
        for (path, shown) in [
            (
                "/t/tn-0F6E1A52-A789-42A2-8B0E-2052D05577D7/token",
                "/t/{}/token",
            ),
            ("/passport/v1/oauth2/token", "/passport/v1/oauth2/token"),
            ("/t/x%0Ay/token", "/t/{}/token"),
            ("/t/a-pass-phrase/token", "/t/{}/token"),
            ("/", "/"),
        ] {
            assert_eq!(shape(path), shown);
        }
    }

    #[test]
    fn the_log_shows_every_word_of_the_api() {
        assert!(WORDS.is_sorted());
        let document: serde_json::Value = serde_json::from_str(&crate::openapi_json()).unwrap();
        for path in document["paths"].as_object().unwrap().keys() {
            let shown = shape(path);
            for (shown, segment) in shown.split('/').zip(path.split('/')) {
                let parameter = segment.starts_with('{');
                assert_eq!(shown, if parameter { "{}" } else { segment }, "{path}");
            }
        }
    }
}
