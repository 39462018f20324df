//! Starting: once per database, with the right key, or not at all, in words.

use std::fs;

use countersign_crypto::MasterKey;

use crate::server::{Plan, run};
use crate::world::World;

#[test]
fn a_second_server_on_the_same_data_is_refused_in_words() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let server = Plan::new(&data).start();
    let (status, words) = Plan::new(&data).refused();
    assert!(!status.success());
    assert!(words.contains("another Countersign is using"), "{words}");
    assert!(words.contains("--data"), "it says what to do: {words}");
    World::new(server.address(), &data).token();
    server.kill();
    let server = Plan::new(&data).start();
    assert!(server.stop().success(), "a lock dies with its process");
}

/// The lock is on the database, not only on the directory: `--database` can name one from elsewhere.
#[test]
fn a_second_server_on_the_same_database_file_is_refused_in_words() {
    let directory = tempfile::tempdir().unwrap();
    let database = format!("sqlite:{}", directory.path().join("shared.db").display());
    let mut plans = ["one", "two"].map(|name| Plan::new(&directory.path().join(name)));
    for plan in &mut plans {
        plan.arguments
            .extend(["--database".into(), database.clone().into()]);
    }
    let _server = plans[0].start();
    let key = directory.path().join("one/master.key");
    fs::create_dir(directory.path().join("two")).unwrap();
    fs::copy(key, directory.path().join("two/master.key")).unwrap();
    let (status, words) = plans[1].refused();
    assert!(!status.success());
    assert!(words.contains("another Countersign is using"), "{words}");
}

#[test]
fn another_master_key_is_refused_in_words() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let plan = Plan::new(&data);
    let server = plan.start();
    let world = World::new(plan.address, &data);
    server.kill();
    let kept = fs::read_to_string(data.join("master.key")).unwrap();
    let other = MasterKey::generate();
    fs::write(data.join("master.key"), other.to_text().as_str()).unwrap();
    let (status, words) = plan.refused();
    assert!(!status.success());
    assert!(words.contains("the master key is not the one"), "{words}");
    for broken in ["", "no key", &kept[..10]] {
        fs::write(data.join("master.key"), broken).unwrap();
        let (status, words) = plan.refused();
        assert!(!status.success());
        assert!(words.contains("master.key"), "{words}");
        assert!(
            broken.len() < 3 || !words.contains(broken),
            "a key in the words: {words}"
        );
    }
    fs::write(data.join("master.key"), kept).unwrap();
    let _server = plan.start();
    world.token();
}

#[test]
fn a_master_key_that_others_can_read_is_refused_in_words() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let plan = Plan::new(&data);
    plan.start().kill();
    fs::set_permissions(data.join("master.key"), fs::Permissions::from_mode(0o644)).unwrap();
    let (status, words) = plan.refused();
    assert!(!status.success());
    assert!(words.contains("chmod 600"), "{words}");
}

#[test]
fn a_database_of_a_newer_program_is_refused_in_words() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let plan = Plan::new(&data);
    plan.start().kill();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let url = countersign_store::DatabaseUrl::Sqlite(data.join("countersign.db"));
        let database = countersign_store::Database::open(&url).await.unwrap();
        let mut tx = database.write().await.unwrap();
        let newer = "INSERT INTO schema_migrations (version, checksum) VALUES (999, 'x')";
        tx.execute(newer, vec![]).await.unwrap();
        tx.commit().await.unwrap();
        database.close().await;
    });
    let (status, words) = plan.refused();
    assert!(!status.success());
    assert!(words.contains("start the newer version"), "{words}");
    let (done, _, words) = run(&["migrate", "--data", data.to_str().unwrap()]);
    assert!(
        !done && words.contains("start the newer version"),
        "{words}"
    );
}

/// `backup` and `doctor` look at the database of an older server and leave it as it is.
#[test]
fn a_database_of_an_older_program_is_looked_at_and_not_touched() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    Plan::new(&data).start().kill();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let url = countersign_store::DatabaseUrl::Sqlite(data.join("countersign.db"));
    runtime.block_on(async {
        let database = countersign_store::Database::open(&url).await.unwrap();
        let mut tx = database.write().await.unwrap();
        let forget = "DELETE FROM schema_migrations WHERE version > 1";
        tx.execute(forget, vec![]).await.unwrap();
        tx.commit().await.unwrap();
        database.close().await;
    });
    let file = directory.path().join("backup");
    let (folder, name) = (data.to_str().unwrap(), file.to_str().unwrap());
    let (done, _, words) = run(&["backup", name, "--data", folder]);
    assert!(!done && words.contains("countersign migrate"), "{words}");
    assert!(!file.exists(), "an empty backup is worse than none");
    let (done, findings, _) = run(&["doctor", "--data", folder]);
    assert!(
        !done && findings.contains("problem  database") && findings.contains("schema version 1"),
        "{findings}"
    );
    let still = runtime.block_on(countersign_store::Database::open_as_it_is(&url));
    let still = still.err().unwrap();
    assert!(still.to_string().contains("schema version 1"), "{still}");
}
