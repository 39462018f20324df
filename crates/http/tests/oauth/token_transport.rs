//! Section A: HTTP at the token endpoint.

use axum::body::Body;
use axum::http::{Method, Request};
use countersign_domain::api_tokens::ApiRole;
use countersign_testkit::{
    Answer, CLIENT_CREDENTIALS, FORM, JWT_BEARER, PRIVATE_KEY_JWT, Setup, World,
};

use crate::support::assert_verdict;

/// The body of a valid request, with anything appended.
fn body(world: &World, more: &str) -> String {
    let assertion = world.assertion().sign();
    format!(
        "grant_type=client_credentials&client_assertion_type={}&client_assertion={assertion}{more}",
        PRIVATE_KEY_JWT.replace(':', "%3A")
    )
}

async fn post_as(world: &World, content_type: &str, body: impl Into<Body>) -> Answer {
    let headers = [("content-type", content_type)];
    world
        .server
        .post(&world.acme.path("token"), &headers, body)
        .await
}

async fn post(world: &World, body: impl Into<Body>) -> Answer {
    post_as(world, FORM, body).await
}

#[tokio::test]
async fn a3_get_is_answered_with_405_and_allow_and_issues_nothing() {
    let world = World::start().await;
    let path = format!("{}?{}", world.acme.path("token"), body(&world, ""));
    let answer = world.server.get(&path).await;
    assert_eq!(answer.status, 405);
    assert_eq!(answer.header("allow"), Some("POST"));
    assert!(!answer.text().contains("access_token"));
}

#[tokio::test]
async fn a4_other_methods_are_answered_with_405_and_trace_echoes_nothing() {
    let world = World::start().await;
    for method in [
        "PUT", "PATCH", "DELETE", "HEAD", "TRACE", "CONNECT", "BREW", "OPTIONS",
    ] {
        let request = Request::builder()
            .method(Method::from_bytes(method.as_bytes()).unwrap())
            .uri(world.acme.path("token"))
            .header("content-type", FORM)
            .header("x-probe", "canary")
            .body(Body::from(body(&world, "")))
            .unwrap();
        let answer = world.server.send(request).await;
        assert_eq!(answer.status, 405, "{method}");
        assert!(!answer.text().contains("canary"), "{method}");
        assert!(answer.headers.get("x-probe").is_none(), "{method}");
    }
}

#[tokio::test]
async fn a5_parameters_in_the_address_are_refused_and_never_merged() {
    let world = World::start().await;
    let path = world.acme.path("token");
    let headers = [("content-type", FORM)];
    let query = format!("{path}?{}", body(&world, ""));
    for (path, body) in [
        (query, String::new()),
        (format!("{path}?scope=x"), body(&world, "")),
        (format!("{path}?"), body(&world, "")),
    ] {
        let answer = world.server.post(&path, &headers, body).await;
        assert_verdict(&answer, 400, "invalid_request");
    }
}

#[tokio::test]
async fn a6_other_content_types_are_refused() {
    let world = World::start().await;
    for content_type in [
        "application/json",
        "multipart/form-data; boundary=x",
        "text/plain",
        "application/x-www-form-urlencoded-plus",
        "",
    ] {
        let answer = post_as(&world, content_type, body(&world, "")).await;
        assert_verdict(&answer, 400, "invalid_request");
    }
    let path = world.acme.path("token");
    let answer = world.server.post(&path, &[], body(&world, "")).await;
    assert_verdict(&answer, 400, "invalid_request");
}

#[tokio::test]
async fn a7_the_charset_utf_8_in_any_case_is_accepted_and_others_are_not() {
    let world = World::start().await;
    for content_type in [
        "application/x-www-form-urlencoded;charset=UTF-8",
        "application/x-www-form-urlencoded; charset=utf-8",
        "Application/X-WWW-Form-URLEncoded; Charset=\"Utf-8\"",
    ] {
        let answer = post_as(&world, content_type, body(&world, "")).await;
        assert_eq!(answer.status, 200, "{content_type}: {}", answer.text());
    }
    for charset in ["iso-8859-1", "utf-16", "utf-7"] {
        let content_type = format!("{FORM}; charset={charset}");
        let answer = post_as(&world, &content_type, body(&world, "")).await;
        assert_verdict(&answer, 400, "invalid_request");
    }
}

#[tokio::test]
async fn a8_a_body_that_is_not_percent_encoded_utf_8_is_refused() {
    let world = World::start().await;
    for more in [
        "&x=%zz",
        "&x=%2",
        "&x=%",
        "&x=%ff",
        "&x=%c3%28",
        "&x=%00",
        "&%ff=x",
    ] {
        let answer = post(&world, body(&world, more)).await;
        assert_verdict(&answer, 400, "invalid_request");
    }
    let mut raw = body(&world, "&x=").into_bytes();
    raw.extend_from_slice(&[0xff, 0xfe, 0]);
    assert_verdict(&post(&world, raw).await, 400, "invalid_request");
}

#[tokio::test]
async fn a9_duplicate_parameter_is_invalid_request() {
    let world = World::start().await;
    for name in [
        "grant_type",
        "assertion",
        "client_assertion",
        "client_assertion_type",
        "client_id",
        "scope",
        "token",
        "token_type_hint",
        "audience",
    ] {
        let same = format!("&{name}=a&{name}=a");
        let other = format!("&{name}=a&{name}=b");
        let escaped = format!("&{name}=a&%{:02x}{}=b", name.as_bytes()[0], &name[1..]);
        for more in [same, other, escaped] {
            let answer = post(&world, body(&world, &more)).await;
            assert_verdict(&answer, 400, "invalid_request");
        }
    }
    // The values of the real parameters may be equal, too.
    let valid = body(&world, "");
    let twice = format!("{valid}&{valid}");
    assert_verdict(&post(&world, twice).await, 400, "invalid_request");
}

#[tokio::test]
async fn a10_resource_may_be_repeated() {
    let world = World::start().await;
    let resource = format!("{}/api", world.acme.issuer).replace(':', "%3A");
    let more = format!("&resource={resource}&resource={resource}");
    let answer = post(&world, body(&world, &more)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[tokio::test]
async fn a11_an_empty_parameter_is_one_left_out() {
    let world = World::start().await;
    let answer = post(&world, body(&world, "&scope=&client_id=&client_secret=")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let empty = body(&world, "").replace("grant_type=client_credentials", "grant_type=");
    assert_verdict(&post(&world, empty).await, 400, "invalid_request");
}

#[tokio::test]
async fn a12_an_unknown_parameter_is_ignored_once_and_refused_twice() {
    let world = World::start().await;
    let answer = post(&world, body(&world, "&foo=bar")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let answer = post(&world, body(&world, "&foo=bar&foo=baz")).await;
    assert_verdict(&answer, 400, "invalid_request");
}

/// Answers of every kind: success and error at each endpoint that is not public.
async fn answers(world: &World) -> Vec<Answer> {
    let server = &world.server;
    let issued = server.token(&world.acme, world.assertion().sign()).await;
    let token = issued.access_token();
    let program = server
        .api_token(Some(&world.acme), ApiRole::Introspector)
        .await;
    let admin = server.api_token(Some(&world.acme), ApiRole::Admin).await;
    let organization = format!("/api/v1/organizations/{}", world.acme.id);
    let mut found = vec![
        issued,
        server.token(&world.acme, "a.b.c").await,
        server.grant(&world.acme, "a.b.c").await,
        post(world, "grant_type=foo").await,
        server.introspect(&world.acme, &program, &token).await,
        server.introspect(&world.acme, &program, "garbage").await,
        server.introspect(&world.acme, "cst_wrong", &token).await,
        server
            .post_form(&world.acme.path("revoke"), &[("token", "x")])
            .await,
        server.get(&world.acme.path("token")).await,
        server.get("/t/nobody/token").await,
        server.get("/nowhere").await,
    ];
    for (token, path) in [
        (&admin, organization.as_str()),
        (&program, &organization),
        (&admin, "/api/v1/organizations/tn-x"),
        (&"cst_wrong".to_owned(), "/api/v1/organizations"),
    ] {
        found.push(server.api(Method::GET, path, token, None).await);
    }
    found
}

#[tokio::test]
async fn a13_nothing_but_public_documents_may_be_stored() {
    let world = World::start().await;
    for answer in answers(&world).await {
        let shown = format!("{} {}", answer.status, answer.text());
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{shown}");
    }
    let issued = world.server.token(&world.acme, world.assertion().sign());
    assert_eq!(issued.await.header("pragma"), Some("no-cache"));
}

#[tokio::test]
async fn a14_every_body_is_json_and_says_so_and_nothing_may_be_sniffed() {
    let world = World::start().await;
    for answer in answers(&world).await {
        let shown = format!("{} {}", answer.status, answer.text());
        assert_eq!(
            answer.header("x-content-type-options"),
            Some("nosniff"),
            "{shown}"
        );
        let content_type = answer.header("content-type").unwrap();
        let json = ["application/json", "application/problem+json"].contains(&content_type);
        assert!(json, "{content_type}: {shown}");
        assert!(answer.json().is_object(), "{shown}");
    }
}

#[tokio::test]
async fn a15_no_cookie_no_redirect_and_no_cross_origin_access() {
    let world = World::start().await;
    let headers = [
        ("content-type", FORM),
        ("origin", "https://evil.example"),
        ("cookie", "session=x"),
    ];
    let path = world.acme.path("token");
    let mut found = answers(&world).await;
    found.push(world.server.post(&path, &headers, body(&world, "")).await);
    for answer in found {
        for name in [
            "set-cookie",
            "location",
            "access-control-allow-origin",
            "access-control-allow-credentials",
        ] {
            assert_eq!(answer.header(name), None, "{}", answer.text());
        }
    }
}

#[tokio::test]
async fn a16_large_bodies_and_many_parameters_are_refused() {
    let world = World::start().await;
    let large = body(&world, &format!("&x={}", "y".repeat(64 * 1024)));
    assert_verdict(&post(&world, large).await, 413, "invalid_request");
    let fits = body(&world, &format!("&x={}", "y".repeat(60 * 1024)));
    assert_eq!(post(&world, fits).await.status, 200);
    let many: String = (0..101).map(|n| format!("&p{n}=1")).collect();
    assert_verdict(&post(&world, many).await, 400, "invalid_request");
}

#[tokio::test]
async fn a19_forwarding_headers_change_neither_issuer_nor_organization() {
    let world = World::start().await;
    let headers = [
        ("content-type", FORM),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "http"),
        ("forwarded", "host=evil.example;proto=http"),
        ("x-original-url", "/t/other/token"),
        ("x-rewrite-url", "/api/v1/organizations"),
        ("x-ssl-client-cert", "MIIB"),
        ("x-http-method-override", "DELETE"),
    ];
    let path = world.acme.path("token");
    let answer = world.server.post(&path, &headers, body(&world, "")).await;
    assert_eq!(answer.claims()["iss"], world.acme.issuer.as_str());
    assert_eq!(answer.claims()["tenant_id"], world.acme.id.to_string());
    let path = world.acme.path(".well-known/openid-configuration");
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let answer = world
        .server
        .send(request.body(Body::empty()).unwrap())
        .await;
    assert_eq!(answer.json()["issuer"], world.acme.issuer.as_str());
    assert!(!answer.text().contains("evil"));
}

#[tokio::test]
async fn a20_a_spoofed_host_does_not_change_the_issuer() {
    let world = World::start().await;
    for host in ["evil.example", "127.0.0.1", "auth.example.com.evil.example"] {
        let headers = [("content-type", FORM), ("host", host)];
        let path = world.acme.path("token");
        let answer = world.server.post(&path, &headers, body(&world, "")).await;
        assert_eq!(answer.claims()["iss"], world.acme.issuer.as_str());
        let request = Request::get(world.acme.path(".well-known/openid-configuration"))
            .header("host", host)
            .body(Body::empty());
        let answer = world.server.send(request.unwrap()).await;
        assert_eq!(answer.json()["issuer"], world.acme.issuer.as_str());
        assert!(!answer.text().contains("evil"), "{host}");
    }
}

#[tokio::test]
async fn a21_an_error_has_only_the_documented_members_and_characters_and_echoes_nothing() {
    let world = World::start().await;
    let probe = "<canary>\"\\\r\n\té";
    let assertion = world.assertion().claim("iss", probe).sign();
    let server = &world.server;
    let mut found = vec![
        server.token(&world.acme, &assertion).await,
        server.grant(&world.acme, probe).await,
        server
            .token(&world.acme, &world.assertion().claim("uid", probe).sign())
            .await,
        server
            .token(&world.acme, world.assertion().claim("exp", 1).sign())
            .await,
        server
            .token(&world.acme, world.assertion().claim("jti", 1).sign())
            .await,
    ];
    for (name, value) in [("grant_type", probe), ("scope", probe), (probe, probe)] {
        let path = world.acme.path("token");
        let known = [("client_assertion", assertion.as_str()), (name, value)];
        found.push(server.post_form(&path, &known).await);
    }
    for answer in found {
        assert!(answer.status.is_client_error());
        let body = answer.json();
        for (name, value) in body.as_object().unwrap() {
            let known = ["error", "error_description", "reason", "correlation_id"];
            assert!(known.contains(&name.as_str()), "{body}");
            let allowed =
                |c: char| matches!(c, '\x20'..='\x21' | '\x23'..='\x5B' | '\x5D'..='\x7E');
            assert!(value.as_str().unwrap().chars().all(allowed), "{body}");
        }
        // `tokens.md`: whoever has proven to hold the key is shown what was seen; nobody else is.
        let proven = answer.reason().is_some();
        assert!(proven || !answer.text().contains("canary"), "{body}");
    }
}

#[tokio::test]
async fn a22_a_budget_that_is_used_up_is_answered_with_429_and_retry_after() {
    let world = World::with(Setup {
        requests_per_second: Some(1),
        ..Setup::default()
    })
    .await;
    let mut refused = None;
    for _ in 0..20 {
        let answer = world.server.grant(&world.acme, "a.b.c").await;
        if answer.status == 429 {
            refused = Some(answer);
        }
    }
    let refused = refused.expect("twenty requests in a moment exceed one per second");
    let seconds: u32 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    assert_verdict(&refused, 429, "temporarily_unavailable");
    let other = world.assertion_of(&world.b1).sign();
    let other = world.server.token(&world.bob, &other).await;
    assert_eq!(other.status, 200, "{}", other.text());
}

#[tokio::test]
async fn a23_an_unavailable_store_is_answered_with_503_and_retry_after() {
    let world = World::start().await;
    let first = world.server.token(&world.acme, world.assertion().sign());
    assert_eq!(first.await.status, 200);
    world.server.database().open().close().await;
    let answer = world.server.token(&world.acme, world.assertion().sign());
    let answer = answer.await;
    assert_verdict(&answer, 503, "temporarily_unavailable");
    assert!(answer.header("retry-after").is_some());
}

#[tokio::test]
async fn a24_a_second_mechanism_in_the_authorization_header_is_refused() {
    let world = World::start().await;
    let path = world.acme.path("token");
    for authorization in [
        "Basic YTpi",
        "Basic YTo=",
        "Bearer x",
        "Digest y",
        "nonsense",
        "",
    ] {
        let headers = [("content-type", FORM), ("authorization", authorization)];
        let answer = world.server.post(&path, &headers, body(&world, "")).await;
        assert_verdict(&answer, 400, "invalid_request");
        let assertion = world.assertion().sign();
        let grant = format!(
            "grant_type={}&assertion={assertion}",
            JWT_BEARER.replace(':', "%3A")
        );
        let answer = world.server.post(&path, &headers, grant).await;
        assert_verdict(&answer, 400, "invalid_request");
        let alone = format!("grant_type={CLIENT_CREDENTIALS}");
        let answer = world.server.post(&path, &headers, alone).await;
        assert_verdict(&answer, 401, "invalid_client");
        let challenge = answer.header("www-authenticate").unwrap();
        let scheme = if authorization.starts_with("Basic") {
            "Basic"
        } else {
            "Bearer"
        };
        assert!(
            challenge.starts_with(scheme),
            "{authorization}: {challenge}"
        );
    }
}
