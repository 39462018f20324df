//! One assertion, posted many times at once: exactly one token.

use std::collections::BTreeMap;
use std::sync::Barrier;
use std::thread;

use crate::postgres::Schema;
use crate::server::Plan;
use crate::world::World;

/// Parallel posts of one assertion.
const POSTS: usize = 100;

/// Posts one assertion to the servers in turn, all at once; how often each status came back.
fn race(worlds: &[World]) -> BTreeMap<u16, usize> {
    let assertion = worlds[0].assertion();
    let start = Barrier::new(POSTS);
    let mut statuses = BTreeMap::new();
    let post = |world: &World| {
        start.wait();
        world.exchange(&assertion).unwrap().status
    };
    thread::scope(|scope| {
        let (post, each) = (&post, worlds.iter().cycle().take(POSTS));
        let posts: Vec<_> = each.map(|world| scope.spawn(move || post(world))).collect();
        for post in posts {
            *statuses.entry(post.join().unwrap()).or_default() += 1;
        }
    });
    statuses
}

#[test]
fn of_a_hundred_parallel_posts_of_one_assertion_exactly_one_gets_a_token() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let server = Plan::new(&data).start();
    let world = World::new(server.address(), &data);
    for _ in 0..5 {
        assert_eq!(
            race(std::slice::from_ref(&world)),
            BTreeMap::from([(200, 1), (400, POSTS - 1)])
        );
    }
}

/// Two nodes on one PostgreSQL decide it together.
#[test]
fn of_parallel_posts_to_two_nodes_exactly_one_gets_a_token() {
    let Some(schema) = Schema::create("of_parallel_posts_to_two_nodes_exactly_one_gets_a_token")
    else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let (first, second) = (
        directory.path().join("one/data"),
        directory.path().join("two/data"),
    );
    let mut one = Plan::new(&first);
    std::fs::create_dir_all(&one.logs).unwrap();
    one.arguments
        .extend(["--database".into(), schema.url.clone().into()]);
    let _one_runs = one.start();
    let mut two = Plan::new(&second);
    std::fs::create_dir_all(&second).unwrap();
    std::fs::copy(first.join("master.key"), second.join("master.key")).unwrap();
    two.arguments.clone_from(&one.arguments);
    let _two_runs = two.start();
    let world = World::new(one.address, &first);
    let mut beside = world.clone();
    beside.address = two.address;
    crate::server::eventually("the second node knows the organization", 5, || {
        let answer = beside.exchange(&beside.assertion()).unwrap();
        answer.status == 200
    });
    for _ in 0..5 {
        let statuses = race(&[world.clone(), beside.clone()]);
        assert_eq!(statuses, BTreeMap::from([(200, 1), (400, POSTS - 1)]));
    }
    let (assertion, token) = world.token();
    assert!(
        beside.is_active(&token),
        "what one node has issued, the other knows"
    );
    assert!(beside.is_replay(&assertion));
}
