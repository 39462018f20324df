//! Backup and restore: all of it or nothing, between the same and different databases.

use countersign_crypto::{MasterKey, sha256};
use countersign_domain::api_tokens::ApiScope;
use countersign_domain::change::ChangeKind;
use countersign_domain::ids::{ConfigurationId, TenantId};
use countersign_domain::signing_keys::SigningKeyState;
use countersign_store::{
    ActivityEntry, ActivityFilter, BackupSummary, Store, StoreError, read_backup, write_backup,
};

use crate::world::{NOW, World, all, on_postgres, postgres_server, state_with_key};

/// An organization with something in every table that a backup holds.
async fn filled(world: &World) -> (TenantId, ConfigurationId) {
    let tenant_id = world.organization().await;
    let id = world.configuration(tenant_id).await;
    world
        .rename(tenant_id, id, "Zürich \u{1F511} quoted \" here")
        .await
        .unwrap();
    let rsa = countersign_crypto::SigningKey::generate(countersign_crypto::SigningAlgorithm::Rs256);
    let other = ConfigurationId::from_random(countersign_crypto::random_bytes());
    let state = state_with_key(tenant_id, other, &rsa);
    world
        .put(tenant_id, other, ChangeKind::ConfigurationCreate, &state)
        .await
        .unwrap();
    crate::api_tokens::insert(
        world,
        &crate::api_tokens::token(ApiScope::Organization(tenant_id)),
    )
    .await;
    crate::api_tokens::insert(world, &crate::api_tokens::token(ApiScope::Platform)).await;
    let mut unit = world.write().await;
    unit.set_instance_fact("instance_id", "x").await.unwrap();
    for (kid, state) in [
        ("a", SigningKeyState::Current),
        ("b", SigningKeyState::Retired),
    ] {
        let mut key = crate::signing_keys::key(tenant_id, kid, state);
        key.sealed = (kid == "a").then(|| vec![0, 1, 254, 255]);
        unit.insert_signing_key(&key, NOW).await.unwrap();
    }
    unit.revoke_token(tenant_id, "jti", NOW.plus(60), NOW)
        .await
        .unwrap();
    for n in 0..3 {
        let entry = ActivityEntry {
            tenant_id: Some(tenant_id),
            at: NOW.plus(n),
            kind: "change.applied".to_owned(),
            correlation_id: format!("co-{n}"),
            actor: "operator".to_owned(),
            detail: serde_json::json!({"n": n}),
        };
        unit.append_activity(&entry).await.unwrap();
    }
    unit.commit().await.unwrap();
    (tenant_id, id)
}

async fn backup(world: &World) -> (Vec<u8>, BackupSummary) {
    let mut file = Vec::new();
    let summary = write_backup(&world.store, &mut file).await.unwrap();
    (file, summary)
}

async fn restore(world: &World, file: &[u8]) -> Result<BackupSummary, StoreError> {
    let mut unit = world.write().await;
    let summary = read_backup(&mut unit, &mut &file[..]).await?;
    unit.commit().await?;
    Ok(summary)
}

/// Everything that can be read of an organization.
async fn portrait(world: &World, tenant_id: TenantId, id: ConfigurationId) -> String {
    let mut unit = world.read().await;
    let organization = unit.organization(tenant_id).await.unwrap();
    let configurations = unit.configurations(tenant_id, None, &all()).await.unwrap();
    let versions = unit
        .versions(tenant_id, &id.to_string(), &all())
        .await
        .unwrap();
    let changes = unit.changes(tenant_id, &all()).await.unwrap();
    let keys = unit.signing_keys(tenant_id).await.unwrap();
    let revoked = unit.revoked_tokens(tenant_id, NOW).await.unwrap();
    let tokens = unit.api_tokens(None, &all()).await.unwrap();
    let moduli = unit.registered_moduli(0, 1000).await.unwrap();
    let activity = unit
        .activity(tenant_id, &ActivityFilter::default(), &all())
        .await
        .unwrap();
    let activity: Vec<_> = activity
        .into_iter()
        .map(|recorded| recorded.entry)
        .collect();
    let base = unit.base_of(tenant_id, &id.to_string()).await.unwrap();
    format!(
        "{organization:#?} {configurations:#?} {versions:#?} {changes:#?} {keys:#?} {revoked:#?} {tokens:#?} \
         {moduli:?} {activity:#?} {base:?}"
    )
}

/// What is restored equals what was backed up, can be changed further, and makes the same backup again.
async fn round_trip(from: &World, to: &World) {
    let (tenant_id, id) = filled(from).await;
    let (file, summary) = backup(from).await;
    assert!(summary.rows > 20);
    assert_eq!(restore(to, &file).await.unwrap(), summary);
    assert_eq!(
        portrait(to, tenant_id, id).await,
        portrait(from, tenant_id, id).await
    );
    let (again, _) = backup(to).await;
    assert_eq!(sorted(&again), sorted(&file));
    let request = to.rename(tenant_id, id, "after the restore").await.unwrap();
    assert_eq!(
        request.number,
        from.read()
            .await
            .next_change_number(tenant_id)
            .await
            .unwrap()
    );
    let rows = [
        "SELECT COUNT(*) AS count FROM issuances",
        "SELECT COUNT(*) AS count FROM idempotent_answers",
    ];
    for count in rows {
        assert_eq!(to.count(count).await, 0);
    }
}

/// The text with the checksum that it should have, as anybody can compute it.
fn with_checksum(text: &str) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let mut footer: serde_json::Value = serde_json::from_str(&lines.pop().unwrap()).unwrap();
    let mut digest = sha256(&[lines[0].as_bytes()]);
    for line in &lines[1..] {
        digest = sha256(&[digest.as_bytes(), line.as_bytes()]);
    }
    footer["sha256"] = digest.to_string().into();
    footer["rows"] = (lines.len() - 1).into();
    let (rows, sha256, mac) = (&footer["rows"], &footer["sha256"], &footer["mac"]);
    lines.push(format!(
        "{{\"rows\":{rows},\"sha256\":{sha256},\"mac\":{mac}}}"
    ));
    lines.join("\n") + "\n"
}

/// The rows of a backup; databases may order text differently, and the checksum covers the order.
fn sorted(file: &[u8]) -> Vec<&str> {
    let mut lines: Vec<&str> = std::str::from_utf8(file).unwrap().lines().collect();
    lines.pop();
    lines.sort_unstable();
    lines
}

on_both_databases! {
    /// SQLite to SQLite, PostgreSQL to PostgreSQL.
    async fn a_backup_restores_to_the_same_kind(world: World) {
        if world.is_postgres() {
            let (to, _) = World::postgres(&postgres_server().unwrap()).await;
            round_trip(&world, &to).await;
        } else {
            round_trip(&world, &World::sqlite().await).await;
        }
    }

    /// A backup that was cut off anywhere is refused, and nothing of it stays.
    async fn a_backup_cut_off_anywhere_is_refused(world: World) {
        filled(&world).await;
        let (file, _) = backup(&world).await;
        let to = World::sqlite().await;
        let ends = file.iter().enumerate().filter(|(_, octet)| **octet == b'\n').map(|(at, _)| at);
        let ends: Vec<usize> = ends.collect();
        for end in &ends[..ends.len() - 1] {
            assert!(restore(&to, &file[..=*end]).await.is_err());
            assert!(restore(&to, &file[..end - 3]).await.is_err());
        }
        assert!(restore(&to, b"").await.is_err());
        assert_eq!(to.count("SELECT COUNT(*) AS count FROM organizations").await, 0);
        assert_eq!(to.count("SELECT COUNT(*) AS count FROM change_requests").await, 0);
        restore(&to, &file).await.unwrap();
    }

    /// A backup that was edited, reordered or thinned out is refused.
    async fn an_edited_backup_is_refused(world: World) {
        filled(&world).await;
        let (file, _) = backup(&world).await;
        let text = String::from_utf8(file).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let without = |skip: usize| {
            let kept = lines.iter().enumerate().filter(|(at, _)| *at != skip).map(|(_, line)| *line);
            kept.collect::<Vec<_>>().join("\n")
        };
        let mut swapped = lines.clone();
        swapped.swap(lines.len() - 2, lines.len() - 3);
        let edits = [
            text.replace("Acme Bank", "Evil Bank"),
            text.replace("\"role\":\"admin\"", "\"role\":\"auditor\""),
            text.replace("countersign-backup-1", "countersign-backup-2"),
            text.replace("\"table\":\"activity\"", "\"table\":\"schema_migrations\""),
            without(1),
            without(lines.len() - 2),
            without(lines.len() - 1),
            swapped.join("\n"),
        ];
        let to = World::sqlite().await;
        for edit in edits {
            assert_ne!(edit, text);
            assert!(restore(&to, edit.as_bytes()).await.is_err());
            assert_eq!(to.count("SELECT COUNT(*) AS count FROM organizations").await, 0);
        }
    }

    async fn a_backup_of_a_newer_program_is_refused(world: World) {
        let newer = "{\"format\":\"countersign-backup-1\",\"schema\":999,\"key\":\"\"}\n";
        let refused = restore(&world, newer.as_bytes()).await.unwrap_err();
        assert!(matches!(refused, StoreError::DatabaseIsNewer { found: 999, .. }), "{refused:?}");
    }

    /// The checksum is anybody's to compute; the keyed digest is not.
    async fn a_backup_forged_with_a_right_checksum_is_refused(world: World) {
        filled(&world).await;
        let (file, _) = backup(&world).await;
        let text = String::from_utf8(file).unwrap();
        let to = World::sqlite().await;
        assert_eq!(with_checksum(&text), text, "the checksum is computed as the program does");
        let lines: Vec<&str> = text.lines().collect();
        let fewer: Vec<&str> = lines.iter().copied().filter(|line| !line.contains("revoked_tokens")).collect();
        for forged in [
            text.replace("\"role\":\"admin\"", "\"role\":\"auditor\""),
            text.replace("\"jti\":\"jti\"", "\"jti\":\"another\""),
            fewer.join("\n") + "\n",
        ] {
            let forged = with_checksum(&forged);
            assert_ne!(forged, text);
            let refused = restore(&to, forged.as_bytes()).await.unwrap_err();
            assert!(refused.to_string().contains("does not have the master key"), "{refused}");
            assert_eq!(to.count("SELECT COUNT(*) AS count FROM change_requests").await, 0);
        }
    }

    /// A backup belongs to the master key that it was made with, and says so before anything of it is read.
    async fn another_master_key_restores_nothing(world: World) {
        filled(&world).await;
        let (file, _) = backup(&world).await;
        let to = World::sqlite().await;
        let other = Store::new(to.store.database().clone(), MasterKey::generate().mac_key("row"));
        let mut unit = other.write().await.unwrap();
        let refused = read_backup(&mut unit, &mut &file[..]).await.unwrap_err();
        assert!(refused.to_string().contains("the master key is not the one"), "{refused}");
        assert!(matches!(refused, StoreError::Backup(_)), "{refused:?}");
    }

    /// What an older version wrote says in words how it can be used.
    async fn a_backup_of_an_older_program_is_refused_in_words(world: World) {
        for older in [
            "{\"format\":\"countersign-backup-1\",\"schema\":1,\"key\":\"\"}\n",
        ] {
            let refused = restore(&world, older.as_bytes()).await.unwrap_err();
            assert!(refused.to_string().contains("restore it with that version"), "{refused}");
        }
    }

    async fn a_database_with_organizations_is_not_overwritten(world: World) {
        let (tenant_id, id) = filled(&world).await;
        let (file, _) = backup(&world).await;
        let before = portrait(&world, tenant_id, id).await;
        let refused = restore(&world, &file).await.unwrap_err();
        assert!(refused.to_string().contains("not empty"), "{refused}");
        assert_eq!(portrait(&world, tenant_id, id).await, before);
    }

    /// A backup is of one moment, also while everything changes.
    async fn a_backup_is_of_one_moment(world: World) {
        let tenant_id = world.organization().await;
        let id = world.configuration(tenant_id).await;
        let store = world.store.clone();
        let writing = tokio::spawn(async move {
            let mut files = Vec::new();
            for _ in 0..20 {
                let mut file = Vec::new();
                write_backup(&store, &mut file).await.unwrap();
                files.push(file);
            }
            files
        });
        let mut n = 0;
        while !writing.is_finished() || n < 5 {
            world.rename(tenant_id, id, &format!("name {n}")).await.unwrap();
            n += 1;
        }
        for file in writing.await.unwrap() {
            let to = World::sqlite().await;
            restore(&to, &file).await.unwrap();
            let mut unit = to.read().await;
            let now = unit.configuration(tenant_id, id).await.unwrap().unwrap();
            let versions = unit.versions(tenant_id, &id.to_string(), &all()).await.unwrap();
            assert_eq!(now.version, versions[0].version);
            assert_eq!(now.change_request, versions[0].change_request);
            assert_eq!(unit.changes(tenant_id, &all()).await.unwrap()[0].number, now.change_request);
        }
    }
}

/// An instance can move from the embedded database to PostgreSQL, and back.
#[test]
fn a_backup_restores_to_the_other_kind() {
    on_postgres(
        "backup::a_backup_restores_to_the_other_kind",
        |postgres| async move {
            round_trip(&World::sqlite().await, &postgres).await;
            let (file, _) = backup(&postgres).await;
            let back = World::sqlite().await;
            restore(&back, &file).await.unwrap();
            assert_eq!(sorted(&backup(&back).await.0), sorted(&file));
        },
    );
}
