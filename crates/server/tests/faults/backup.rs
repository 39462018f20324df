//! Backup while serving, and what a restored instance refuses until somebody has looked at it.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::json;

use crate::server::{Plan, eventually, now, run};
use crate::world::{World, look_inside};

#[test]
fn a_restored_instance_is_held_and_believes_nothing_from_before() {
    let directory = tempfile::tempdir().unwrap();
    let [data, restored] = ["old/data", "new/data"].map(|name| directory.path().join(name));
    let file = directory.path().join("backup");
    for data in [&data, &restored] {
        fs::create_dir_all(data.parent().unwrap()).unwrap();
    }
    let server = Plan::new(&data).start();
    let world = World::new(server.address(), &data);
    let (used, token) = world.token();
    let unused = world.assertion_at(now(), 600);
    under_load(&world, || {
        let arguments = [
            "backup",
            file.to_str().unwrap(),
            "--data",
            data.to_str().unwrap(),
        ];
        let (done, _, words) = run(&arguments);
        assert!(done, "{words}");
        let (done, _, words) = run(&arguments);
        assert!(
            !done && words.contains("exists"),
            "a backup is never overwritten: {words}"
        );
    });
    server.kill();
    look_inside(&data);
    refuse_to_restore(&directory, &file, &restored);
    fs::create_dir_all(&restored).unwrap();
    fs::copy(data.join("master.key"), restored.join("master.key")).unwrap();
    let arguments = [
        "restore",
        file.to_str().unwrap(),
        "--data",
        restored.to_str().unwrap(),
    ];
    let (done, _, words) = run(&arguments);
    assert!(done, "{words}");
    let (done, _, words) = run(&arguments);
    assert!(!done && words.contains("not empty"), "{words}");
    look_inside(&restored);
    after_the_restore(&world, &restored, [&used, &unused, &token]);
}

/// Callers and an administrator at work while something is done.
fn under_load(world: &World, work: impl FnOnce()) {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    world.token();
                }
            });
        }
        scope.spawn(|| {
            let (mut version, _) = world.configuration();
            while !stop.load(Ordering::Relaxed) {
                let answer = world
                    .rename(version, &format!("name {}", version + 1))
                    .unwrap();
                assert_eq!(answer.status, 200, "{answer:?}");
                version += 1;
            }
        });
        work();
        stop.store(true, Ordering::Relaxed);
    });
}

/// Without the master key, with another one, or from a file that was cut off: nothing is restored.
fn refuse_to_restore(
    directory: &tempfile::TempDir,
    file: &std::path::Path,
    restored: &std::path::Path,
) {
    let target = restored.to_str().unwrap();
    let (done, _, words) = run(&["restore", file.to_str().unwrap(), "--data", target]);
    assert!(!done && words.contains("master key"), "{words}");
    let other = countersign_crypto::MasterKey::generate();
    fs::write(restored.join("master.key"), other.to_text().as_str()).unwrap();
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(
        restored.join("master.key"),
        fs::Permissions::from_mode(0o600),
    )
    .unwrap();
    let (done, _, words) = run(&["restore", file.to_str().unwrap(), "--data", target]);
    assert!(
        !done && words.contains("master key is not the one"),
        "{words}"
    );
    let whole = fs::read(file).unwrap();
    let cut = directory.path().join("cut");
    fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
    let (done, _, words) = run(&["restore", cut.to_str().unwrap(), "--data", target]);
    assert!(!done && words.contains("backup cannot be read"), "{words}");
}

fn after_the_restore(before: &World, restored: &std::path::Path, [used, unused, token]: [&str; 3]) {
    let plan = Plan::new(restored);
    let server = plan.start();
    let mut world = before.clone();
    world.address = server.address();
    assert_eq!(
        world.platform("GET", "/api/v1/instance").status,
        401,
        "API tokens from before are revoked"
    );
    eventually("a new platform token is printed", 5, || {
        plan.output().contains("cst_")
    });
    world.admin = fs::read_to_string(restored.join("platform-token")).unwrap();
    assert_ne!(world.admin, before.admin);
    let instance = world.platform("GET", "/api/v1/instance").json();
    assert_eq!(
        (&instance["restore_epoch"], &instance["issuance_held"]),
        (&json!(1), &json!(true))
    );
    let held = world.exchange(&world.assertion()).unwrap();
    assert!(held.is_unavailable(), "{held:?}");
    assert!(world.platform("GET", "/readyz").is_unavailable());
    server.kill();
    let server = plan.start();
    let held = world.exchange(&world.assertion()).unwrap();
    assert!(
        held.is_unavailable(),
        "a restart does not confirm anything: {held:?}"
    );
    assert_eq!(
        world
            .platform("POST", "/api/v1/instance/confirm-restore")
            .status,
        200
    );
    for old in [used, unused] {
        let answer = world.exchange(old).unwrap();
        assert_eq!(
            answer.status, 400,
            "an assertion from before the restore: {answer:?}"
        );
    }
    assert!(!world.is_active(token), "a token from before the restore");
    // The instance that was replaced may have been used up to the confirmation, by callers with clocks ahead.
    eventually("a new assertion is accepted", 40, || {
        world.exchange(&world.assertion()).unwrap().status == 200
    });
    assert!(server.stop().success());
    let _server = plan.start();
    world.token();
}
