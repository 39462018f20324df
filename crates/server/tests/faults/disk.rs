//! A disk that is full or read-only: "not now", nothing lost, and recovery without a restart.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::postgres::OwnDatabase;
use crate::server::{Plan, Server, eventually, is_root};
use crate::world::{World, look_inside};

/// Runs a command; whether it succeeded.
fn command(program: &str, arguments: &[&str]) -> bool {
    let output = Command::new(program).args(arguments).output();
    output.is_ok_and(|output| output.status.success())
}

/// A small file system in memory; unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(path: &Path) -> Option<Self> {
        fs::create_dir(path).unwrap();
        let mounted = is_root()
            && command(
                "mount",
                &["-t", "tmpfs", "-o", "size=8m", "tmpfs", path.to_str()?],
            );
        mounted.then(|| Self(path.to_owned()))
    }

    /// Fills it to the last byte.
    fn fill(&self) {
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(self.0.join("junk"))
            .unwrap();
        for size in [65_536, 4096, 1] {
            while file.write_all(&vec![7; size]).is_ok() {}
        }
    }

    fn free(&self) {
        fs::remove_file(self.0.join("junk")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        command("umount", &["--lazy", self.0.to_str().unwrap()]);
    }
}

/// Takes tokens until nothing can be written any more; what was handed out, and an assertion that got nothing.
fn until_unavailable(world: &World) -> (Vec<(String, String)>, String) {
    let mut tokens = Vec::new();
    for _ in 0..20_000 {
        let assertion = world.assertion_at(crate::server::now(), 600);
        let answer = world.exchange(&assertion).unwrap();
        if answer.status == 200 {
            tokens.push((assertion, answer.text("access_token")));
            continue;
        }
        assert!(answer.is_unavailable(), "{answer:?}");
        return (tokens, assertion);
    }
    panic!("the disk is full and tokens are still issued");
}

/// Breaks the disk under a running server and mends it again.
fn survives(world: &World, breaks: impl FnOnce(), mends: impl FnOnce()) -> Vec<(String, String)> {
    let mut tokens = vec![world.token()];
    let (version, name) = world.configuration();
    breaks();
    let (more, waiting) = until_unavailable(world);
    tokens.extend(more);
    for _ in 0..20 {
        let change = world.rename(version, "never").unwrap();
        assert!(change.is_unavailable(), "{change:?}");
        assert!(world.exchange(&waiting).unwrap().is_unavailable());
    }
    assert_eq!(
        world.configuration(),
        (version, name),
        "what cannot be written can still be read"
    );
    for (assertion, token) in &tokens {
        assert!(world.is_active(token));
        let again = world.exchange(assertion).unwrap();
        assert_ne!(again.status, 200, "an assertion was accepted twice");
    }
    mends();
    eventually("tokens are issued again without a restart", 10, || {
        world.exchange(&world.assertion()).unwrap().status == 200
    });
    let answer = world.exchange(&waiting).unwrap();
    assert_eq!(
        answer.status, 200,
        "an assertion that got no token was not burned: {answer:?}"
    );
    tokens.push((waiting, answer.text("access_token")));
    let change = world
        .rename(version, &format!("name {}", version + 1))
        .unwrap();
    assert_eq!(change.status, 200, "{change:?}");
    for (assertion, token) in &tokens {
        assert!(world.is_active(token) && world.is_replay(assertion));
    }
    tokens
}

/// After a kill and a restart everything that was promised is still there.
fn nothing_is_lost(server: Server, world: &World, data: &Path, tokens: &[(String, String)]) {
    let plan = server.plan.clone();
    server.kill();
    let found = look_inside(data);
    assert!(usize::try_from(found.issuances).unwrap() >= tokens.len());
    let _server = plan.start();
    for (assertion, token) in tokens {
        assert!(world.is_active(token) && world.is_replay(assertion));
    }
}

#[test]
#[ignore = "long; the test command runs it"]
fn a_full_disk_is_survived_without_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(&directory.path().join("disk")) else {
        println!("skipped: mount (a_full_disk_is_survived_without_a_restart)");
        return;
    };
    let data = disk.0.join("data");
    let mut plan = Plan::new(&data);
    plan.logs = directory.path().to_owned();
    let server = plan.start();
    let world = World::new(server.address(), &data);
    let mut tokens = survives(&world, || disk.fill(), || disk.free());
    tokens.extend(survives(&world, || disk.fill(), || disk.free()));
    nothing_is_lost(server, &world, &data, &tokens);
}

/// The same with every write failing for another reason than a full disk.
#[test]
#[ignore = "long; the test command runs it"]
fn writes_that_fail_are_survived_without_a_restart() {
    if !command("prlimit", &["--version"]) {
        println!("skipped: prlimit (writes_that_fail_are_survived_without_a_restart)");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let mut plan = Plan::new(&data);
    // The signal that tells of a file grown too large is ignored: the write fails instead.
    plan.through = vec!["sh", "-c", "trap '' XFSZ; exec \"$0\" \"$@\""];
    let server = plan.start();
    let world = World::new(server.address(), &data);
    let id = server.id().to_string();
    let limit = |size: &str| {
        assert!(command(
            "prlimit",
            &["--pid", &id, &format!("--fsize={size}:unlimited")]
        ));
    };
    let mut tokens = Vec::new();
    for _ in 0..2 {
        tokens.extend(survives(&world, || limit("4096"), || limit("unlimited")));
    }
    nothing_is_lost(server, &world, &data, &tokens);
}

/// Whether this file system refuses to write a file that was made immutable after it was opened.
fn can_be_made_immutable(probe: &Path) -> bool {
    let mut file = fs::File::create(probe).unwrap();
    let path = probe.to_str().unwrap();
    let refused = command("chattr", &["+i", path]) && file.write_all(b"x").is_err();
    command("chattr", &["-i", path]);
    refused
}

/// A database whose files cannot be written any more.
#[test]
#[ignore = "long; the test command runs it"]
fn a_read_only_database_is_survived_without_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let server = Plan::new(&data).start();
    let world = World::new(server.address(), &data);
    let files =
        ["countersign.db", "countersign.db-wal", "countersign.db-shm"].map(|name| data.join(name));
    let chattr = |flag: &str| {
        let change = |file: &PathBuf| command("chattr", &[flag, file.to_str().unwrap()]);
        files.iter().all(change)
    };
    if !can_be_made_immutable(&directory.path().join("probe")) {
        println!("skipped: chattr (a_read_only_database_is_survived_without_a_restart)");
        return;
    }
    assert!(chattr("-i"));
    let tokens = survives(&world, || assert!(chattr("+i")), || assert!(chattr("-i")));
    nothing_is_lost(server, &world, &data, &tokens);
}

/// PostgreSQL that only reads, as a standby after a failover does.
#[test]
#[ignore = "long; the test command runs it"]
fn a_read_only_postgres_is_survived_without_a_restart() {
    let test = "a_read_only_postgres_is_survived_without_a_restart";
    let Some(database) = OwnDatabase::create(test) else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let mut plan = Plan::new(&data);
    plan.arguments
        .extend(["--database".into(), database.url.clone().into()]);
    let _server = plan.start();
    let world = World::new(plan.address, &data);
    survives(
        &world,
        || database.only_read(true),
        || database.only_read(false),
    );
}
