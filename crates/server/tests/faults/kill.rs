//! `kill -9` at random moments: nothing that was promised is lost, and nothing is half done.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use countersign_crypto::random_bytes;

use crate::server::{Plan, pause};
use crate::world::{Found, World, look_inside};

/// How often the server is killed under load.
const KILLS: usize = 60;

/// How often it is killed during its very first start.
const FIRST_STARTS: usize = 25;

/// Callers that ask for tokens at the same time.
const CALLERS: usize = 4;

/// What became of the assertions of one round.
#[derive(Default)]
struct Round {
    /// Assertions with the tokens that came back.
    answered: Vec<(String, String)>,
    /// Assertions whose answer never came.
    unknown: Vec<String>,
    /// Version and name of every change that was confirmed.
    confirmed: Vec<(u64, String)>,
}

fn random_below(limit: u64) -> u64 {
    u64::from_be_bytes(random_bytes()) % limit
}

fn call(world: &World, stop: &AtomicBool) -> Round {
    let mut round = Round::default();
    while !stop.load(Ordering::Relaxed) {
        let assertion = world.assertion();
        match world.exchange(&assertion) {
            Ok(answer) => {
                assert_eq!(answer.status, 200, "{answer:?}");
                round
                    .answered
                    .push((assertion, answer.text("access_token")));
            }
            Err(_) => {
                round.unknown.push(assertion);
                break;
            }
        }
    }
    round
}

fn administer(world: &World, mut version: u64, stop: &AtomicBool) -> Round {
    let mut round = Round::default();
    while !stop.load(Ordering::Relaxed) {
        let name = format!("name {}", version + 1);
        let Ok(answer) = world.rename(version, &name) else {
            break;
        };
        assert_eq!(answer.status, 200, "{answer:?}");
        version += 1;
        round.confirmed.push((version, name));
    }
    round
}

/// Puts load on the server, kills it in the middle, and gathers what the callers know.
fn round_of_load(plan: &Plan, world: &World, before: impl FnOnce()) -> Round {
    let server = plan.start();
    before();
    let (version, _) = world.configuration();
    let stop = AtomicBool::new(false);
    let mut all = Round::default();
    thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| scope.spawn(|| call(world, &stop)))
            .collect();
        let admin = scope.spawn(|| administer(world, version, &stop));
        pause(5 + random_below(120));
        server.kill();
        stop.store(true, Ordering::Relaxed);
        for caller in callers {
            let round = caller.join().unwrap();
            all.answered.extend(round.answered);
            all.unknown.extend(round.unknown);
        }
        all.confirmed = admin.join().unwrap().confirmed;
    });
    all
}

/// Every token that came back is known and its assertion burned; every other assertion works at most once more.
fn check(world: &World, round: &Round) {
    for (assertion, token) in &round.answered {
        assert!(
            world.is_active(token),
            "a token without its issuance record"
        );
        assert!(
            world.is_replay(assertion),
            "an assertion was accepted twice"
        );
    }
    for assertion in &round.unknown {
        let again = world.exchange(assertion).unwrap();
        assert!(again.status == 200 || again.status == 400, "{again:?}");
        assert!(
            world.is_replay(assertion),
            "an assertion was accepted twice"
        );
    }
    let (version, name) = world.configuration();
    assert_eq!(name, format!("name {version}"));
    if let Some((confirmed, _)) = round.confirmed.last() {
        assert!(
            (*confirmed..=confirmed + 1).contains(&version),
            "{confirmed} was confirmed, {version} stands"
        );
    }
}

#[test]
#[ignore = "long; the test command runs it"]
fn a_killed_server_has_kept_every_promise() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let plan = Plan::new(&data);
    let server = plan.start();
    let world = World::new(plan.address, &data);
    server.kill();
    let mut last = Round::default();
    let mut oldest: Option<(String, String)> = None;
    let (mut tokens, mut changes, mut interrupted) = (0, 0, 0);
    for _ in 0..KILLS {
        let round = round_of_load(&plan, &world, || {
            check(&world, &last);
            if let Some((assertion, token)) = &oldest {
                assert!(world.is_active(token) && world.is_replay(assertion));
            }
        });
        let found: Found = look_inside(&data);
        tokens += round.answered.len();
        changes += round.confirmed.len();
        interrupted += round.unknown.len();
        assert!(
            usize::try_from(found.issuances).unwrap() >= tokens,
            "{found:?}, {tokens} tokens"
        );
        assert!(
            found.versions >= changes + 2,
            "{found:?}, {changes} changes"
        );
        oldest = oldest.or_else(|| round.answered.first().cloned());
        last = round;
    }
    let _server = plan.start();
    check(&world, &last);
    println!("{KILLS} kills: {tokens} tokens, {changes} changes, {interrupted} requests cut off");
    assert!(tokens >= KILLS && changes >= KILLS / 2 && interrupted >= KILLS / 2);
}

/// Whenever the first start is interrupted, the next one leads to a server with a way in.
#[test]
#[ignore = "long; the test command runs it"]
fn a_first_start_that_was_killed_is_made_up_for() {
    let mut interrupted = 0;
    for _ in 0..FIRST_STARTS {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("data");
        let plan = Plan::new(&data);
        let server = plan.spawn();
        pause(random_below(160));
        interrupted += usize::from(!data.join("platform-token").exists());
        server.kill();
        let server = plan.start();
        let world = World::new(server.address(), &data);
        world.token();
        server.kill();
        look_inside(&data);
    }
    println!("{interrupted} of {FIRST_STARTS} first starts were cut off before they were through");
}
