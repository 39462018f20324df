//! Several nodes on one PostgreSQL database.

use std::future::Future;
use std::sync::Arc;

use countersign_service::{Caller, StatusChange, new_correlation_id};
use countersign_testkit::{DatabaseKind, Setup, World, postgres_url};

/// The world on PostgreSQL, where there is a server.
#[expect(clippy::print_stdout, reason = "a test that could not be run says so")]
async fn on_postgres(test: &str) -> Option<World> {
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

/// Does the same at once, several times.
async fn at_once<F: Future<Output: Send + 'static> + Send + 'static>(
    times: usize,
    act: impl Fn(usize) -> F,
) -> Vec<F::Output> {
    let running: Vec<_> = (0..times).map(|n| tokio::spawn(act(n))).collect();
    let mut done = Vec::new();
    for act in running {
        done.push(act.await.unwrap());
    }
    done
}

/// Transactions of several nodes collide; each is tried again, whatever the use case.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn use_cases_that_collide_are_tried_again() {
    let test = "use_cases_that_collide_are_tried_again";
    let Some(world) = on_postgres(test).await else {
        return;
    };
    let other = world.server.second_node().await;
    let services = [world.server.service(), other.service()].map(Arc::clone);
    let confirmed = at_once(16, |n| {
        let service = Arc::clone(&services[n % 2]);
        async move {
            service
                .confirm_restore(&Caller::operator(), new_correlation_id())
                .await
        }
    });
    let tokens = at_once(4, |n| {
        let service = Arc::clone(&services[n % 2]);
        async move { service.first_platform_token(|_| Ok(())).await }
    });
    let change = async {
        world
            .server
            .change_status(&world.a1, StatusChange::Suspend)
            .await;
        other.change_status(&world.b1, StatusChange::Suspend).await;
    };
    let (confirmed, tokens, ()) = tokio::join!(confirmed, tokens, change);
    for confirmed in confirmed {
        assert!(confirmed.is_ok(), "{confirmed:?}");
    }
    let made = tokens.into_iter().map(|token| token.unwrap());
    assert_eq!(made.flatten().count(), 1, "there is one first token");
}
