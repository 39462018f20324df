//! What the tests of this folder say in one word.

use std::time::Duration;

use countersign_testkit::{Answer, Assertion, DatabaseKind, Setup, Tenant, World, postgres_url};

/// The answer to a caller whose signature has not verified, as `client_assertion` and as `assertion`.
pub(crate) const REFUSALS: [(u16, &str); 2] = [(401, "invalid_client"), (400, "invalid_grant")];

/// The assertion buys a token both ways; the two must differ, so it is made twice.
pub(crate) async fn assert_accepted(world: &World, make: impl Fn() -> Assertion) {
    let answer = world.server.token(&world.acme, &make().sign()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let answer = world.server.grant(&world.acme, &make().sign()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// The assertion is refused both ways, for this reason.
pub(crate) async fn assert_refused(world: &World, assertion: &Assertion, reason: &str) {
    assert_text_refused(world, &assertion.sign(), reason).await;
}

/// The text is refused both ways, for this reason; the caller learns it only if its signature has verified.
pub(crate) async fn assert_text_refused(world: &World, assertion: &str, reason: &str) {
    let answers = [
        world.server.token(&world.acme, assertion).await,
        world.server.grant(&world.acme, assertion).await,
    ];
    for (answer, (status, error)) in answers.iter().zip(REFUSALS) {
        let shown = assertion.get(..300).unwrap_or(assertion);
        let seen = (answer.status.as_u16(), answer.json()["error"].clone());
        assert_eq!(seen, (status, error.into()), "{shown}: {}", answer.text());
        assert_recorded(world, &world.acme, answer, reason).await;
    }
}

/// The organization's activity has this reason for an answer.
pub(crate) async fn assert_recorded(world: &World, tenant: &Tenant, answer: &Answer, reason: &str) {
    let recorded = world.server.recorded_reason(tenant, answer).await;
    assert_eq!(recorded, reason, "{}", answer.text());
    if let Some(told) = answer.reason() {
        assert_eq!(told, reason);
    }
}

/// The verdict of an answer with a borrowed code.
#[track_caller]
pub(crate) fn assert_verdict(answer: &Answer, status: u16, error: &str) {
    assert_eq!(
        answer.verdict(),
        (status, error.to_owned()),
        "{}",
        answer.text()
    );
}

/// The assertion is refused for one reason as `client_assertion` and for another as `assertion`.
pub(crate) async fn assert_refused_as(world: &World, assertion: &Assertion, reasons: [&str; 2]) {
    let assertion = assertion.sign();
    let answers = [
        world.server.token(&world.acme, &assertion).await,
        world.server.grant(&world.acme, &assertion).await,
    ];
    for ((answer, (status, error)), reason) in answers.iter().zip(REFUSALS).zip(reasons) {
        assert_verdict(answer, status, error);
        assert_recorded(world, &world.acme, answer, reason).await;
    }
}

/// Looks again and again, for as long as work in the background may take.
pub(crate) async fn eventually(mut holds: impl AsyncFnMut() -> bool) {
    let looking = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(10), looking).await;
    assert!(waited.is_ok(), "what was waited for has not happened");
}

/// The world on PostgreSQL, where there is a server.
#[expect(
    clippy::print_stdout,
    reason = "whoever runs the tests must see which were left out"
)]
pub(crate) async fn on_postgres(test: &str) -> Option<World> {
    if postgres_url().is_none() {
        println!("skipped: PostgreSQL ({test})");
        return None;
    }
    let setup = Setup {
        database: DatabaseKind::Postgres,
        ..Setup::default()
    };
    Some(World::with(setup).await)
}
