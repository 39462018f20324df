//! A clock that is set back: nothing that was used and forgotten is accepted again.

use std::fs;
use std::path::{Path, PathBuf};

use crate::server::{Plan, eventually, now};
use crate::world::{World, look_inside};

const HOUR: i64 = 3600;

/// Where Debian keeps libfaketime.
fn libfaketime() -> Option<PathBuf> {
    let places = fs::read_dir("/usr/lib")
        .ok()?
        .flatten()
        .map(|entry| entry.path());
    let mut libraries = places.map(|place| place.join("faketime/libfaketimeMT.so.1"));
    libraries.find(|library| library.exists())
}

/// The clock of the server, which the test sets.
struct Clock(PathBuf);

impl Clock {
    /// Puts a clock into the plan; without libfaketime, `None`, and the skipped test is named.
    fn install(plan: &mut Plan, directory: &Path, test: &str) -> Option<Self> {
        let Some(library) = libfaketime() else {
            println!("skipped: libfaketime ({test})");
            return None;
        };
        let clock = Self(directory.join("clock"));
        clock.set(0);
        plan.environment = vec![
            ("LD_PRELOAD", library.into()),
            ("FAKETIME_TIMESTAMP_FILE", clock.0.clone().into()),
            ("FAKETIME_NO_CACHE", "1".into()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
        ];
        Some(clock)
    }

    /// Sets it to so many seconds beside the true time.
    fn set(&self, offset: i64) {
        let beside = self.0.with_extension("new");
        fs::write(&beside, format!("{offset:+}\n")).unwrap();
        fs::rename(beside, &self.0).unwrap();
    }
}

fn is_unavailable(world: &World, assertion: &str) -> bool {
    world.exchange(assertion).unwrap().is_unavailable()
}

#[test]
#[ignore = "long; the test command runs it"]
fn a_clock_set_back_an_hour_stops_issuing_until_it_is_right_again() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let mut plan = Plan::new(&data);
    let test = "a_clock_set_back_an_hour_stops_issuing_until_it_is_right_again";
    let Some(clock) = Clock::install(&mut plan, directory.path(), test) else {
        return;
    };
    let server = plan.start();
    let world = World::new(server.address(), &data);
    let (assertion, token) = world.token();
    clock.set(-HOUR);
    assert!(is_unavailable(&world, &assertion));
    assert!(is_unavailable(
        &world,
        &world.assertion_at(now() - HOUR, 60)
    ));
    assert!(is_unavailable(&world, &world.assertion()));
    assert!(world.platform("GET", "/readyz").is_unavailable());
    assert!(world.is_active(&token), "what was issued stays active");
    server.kill();
    let server = plan.start();
    assert!(
        is_unavailable(&world, &assertion),
        "a restart does not forget the time"
    );
    assert!(is_unavailable(
        &world,
        &world.assertion_at(now() - HOUR, 60)
    ));
    clock.set(0);
    assert!(world.is_replay(&assertion));
    world.token();
    assert_eq!(world.platform("GET", "/readyz").status, 200);
    // A step that network time makes now and then is tolerated.
    clock.set(-10);
    world.token();
    assert!(world.is_replay(&assertion));
    drop(server);
    look_inside(&data);
}

/// Three hours later a used assertion has been forgotten; set back, the server does not accept it again.
#[test]
#[ignore = "long; the test command runs it"]
fn a_forgotten_assertion_is_not_accepted_when_the_clock_is_set_back() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let mut plan = Plan::new(&data);
    let test = "a_forgotten_assertion_is_not_accepted_when_the_clock_is_set_back";
    let Some(clock) = Clock::install(&mut plan, directory.path(), test) else {
        return;
    };
    let server = plan.start();
    let world = World::new(server.address(), &data);
    let assertion = world.assertion_at(now(), 600);
    assert_eq!(world.exchange(&assertion).unwrap().status, 200);
    server.kill();
    clock.set(30 * HOUR);
    let server = plan.start();
    let later = world.assertion_at(now() + 30 * HOUR, 60);
    assert_eq!(world.exchange(&later).unwrap().status, 200);
    assert_eq!(
        world.exchange(&assertion).unwrap().status,
        400,
        "it has lapsed"
    );
    eventually("the record of a day ago is forgotten", 25, || {
        issuances(&data) == 1
    });
    clock.set(0);
    assert!(is_unavailable(&world, &assertion));
    server.kill();
    let server = plan.start();
    assert!(
        is_unavailable(&world, &assertion),
        "a restart does not make it young again"
    );
    assert!(is_unavailable(&world, &world.assertion()));
    clock.set(30 * HOUR + 60);
    let answer = world
        .exchange(&world.assertion_at(now() + 30 * HOUR + 60, 60))
        .unwrap();
    assert_eq!(
        answer.status, 200,
        "right again without a restart: {answer:?}"
    );
    drop(server);
}

/// Rows of the record, read beside the running server.
fn issuances(data: &Path) -> i64 {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let url = countersign_store::DatabaseUrl::Sqlite(data.join("countersign.db"));
        let database = countersign_store::Database::open(&url).await.unwrap();
        let mut tx = database.read().await.unwrap();
        let row = tx
            .fetch_optional("SELECT COUNT(*) AS count FROM issuances", vec![])
            .await
            .unwrap();
        drop(tx);
        database.close().await;
        row.unwrap().int("count").unwrap()
    })
}
