//! Configurations as they stand: what is read is what was applied, and the unique rules hold.

use countersign_crypto::{SigningAlgorithm, SigningKey, random_bytes};
use countersign_domain::change::ChangeKind;
use countersign_domain::configurations::{AuthType, ConfigurationStatus};
use countersign_domain::identifier::Identifier;
use countersign_domain::ids::{ConfigurationId, TenantId};
use countersign_store::{Page, StoreError, UniqueRule, Unit};

use crate::world::{NOW, World, all, apply, configuration_state, renamed, state_with_key, wish};

on_both_databases! {
    async fn what_is_read_is_what_was_applied(world: World) {
        let tenant_id = world.organization().await;
        let id = ConfigurationId::from_random(random_bytes());
        let state = configuration_state(tenant_id, id);
        world.put(tenant_id, id, ChangeKind::ConfigurationCreate, &state).await.unwrap();
        let mut unit = world.read().await;
        let read = unit.configuration(tenant_id, id).await.unwrap().unwrap();
        assert_eq!((read.tenant_id, read.id, &read.state), (tenant_id, id, &state));
        assert_eq!((read.version, read.created_at, read.updated_at), (1, NOW, NOW));
        let nobody = ConfigurationId::from_random([1; 16]);
        assert_eq!(unit.configuration(tenant_id, nobody).await.unwrap(), None);
    }

    async fn configurations_are_listed_by_id_in_pages_and_by_status(world: World) {
        let tenant_id = world.organization().await;
        let mut ids = Vec::new();
        for _ in 0..5 {
            ids.push(world.configuration(tenant_id).await);
        }
        let suspended = world.state_of(tenant_id, ids[2]).await.suspend(NOW).unwrap();
        world.put(tenant_id, ids[2], ChangeKind::ConfigurationSuspend, &suspended).await.unwrap();
        ids.sort_by_key(ToString::to_string);
        let mut unit = world.read().await;
        let (mut after, mut seen) = (None, Vec::new());
        loop {
            let page = unit.configurations(tenant_id, None, &Page { after, limit: 2 }).await.unwrap();
            after = page.last().map(|configuration| configuration.id.to_string());
            seen.extend(page.iter().map(|configuration| configuration.id));
            if page.len() < 2 {
                break;
            }
        }
        assert_eq!(seen, ids);
        for (status, count) in [
            (ConfigurationStatus::Active, 4),
            (ConfigurationStatus::Suspended, 1),
            (ConfigurationStatus::Deactivated, 0),
        ] {
            let listed = unit.configurations(tenant_id, Some(status), &all()).await.unwrap();
            assert_eq!(listed.len(), count, "{status:?}");
            assert!(listed.iter().all(|configuration| configuration.state.status == status));
        }
    }

    /// `tokens.md`: an assertion selects exactly one configuration; a deactivated one is out of the way.
    async fn the_triple_is_unique_among_living_configurations(world: World) {
        let tenant_id = world.organization().await;
        let first = world.configuration(tenant_id).await;
        let taken = world.state_of(tenant_id, first).await;
        let second = ConfigurationId::from_random(random_bytes());
        let mut state = configuration_state(tenant_id, second);
        state.verifier_issuer = taken.verifier_issuer.clone();
        state.verifier_subject = taken.verifier_subject.clone();
        let mut unit = world.read().await;
        assert!(unit.triple_is_taken(tenant_id, second, &state).await.unwrap());
        assert!(!unit.triple_is_taken(tenant_id, first, &taken).await.unwrap());
        drop(unit);
        let refused = world.put(tenant_id, second, ChangeKind::ConfigurationCreate, &state).await.unwrap_err();
        assert_eq!(refused.unique_rule(), Some(UniqueRule::ConfigurationTriple), "{refused:?}");
        let ended = taken.deactivate(NOW).unwrap();
        world.put(tenant_id, first, ChangeKind::ConfigurationDeactivate, &ended).await.unwrap();
        assert!(!world.read().await.triple_is_taken(tenant_id, second, &state).await.unwrap());
        world.put(tenant_id, second, ChangeKind::ConfigurationCreate, &state).await.unwrap();
    }

    /// An edit can run into the rule as well as a creation.
    async fn an_edit_cannot_take_anothers_triple(world: World) {
        let tenant_id = world.organization().await;
        let (first, second) = (world.configuration(tenant_id).await, world.configuration(tenant_id).await);
        let mut state = world.state_of(tenant_id, second).await;
        let wanted = world.state_of(tenant_id, first).await;
        state.verifier_issuer = wanted.verifier_issuer;
        state.verifier_subject = wanted.verifier_subject;
        let refused = world.put(tenant_id, second, ChangeKind::ConfigurationEdit, &state).await.unwrap_err();
        assert_eq!(refused.unique_rule(), Some(UniqueRule::ConfigurationTriple), "{refused:?}");
    }

    /// `product.md`: the audience of a third party is shared with nobody.
    async fn a_third_party_shares_its_audience_with_nobody(world: World) {
        let tenant_id = world.organization().await;
        let first = world.configuration(tenant_id).await;
        let standard = world.state_of(tenant_id, first).await;
        let second = ConfigurationId::from_random(random_bytes());
        let mut state = configuration_state(tenant_id, second);
        let mut unit = world.read().await;
        assert!(!unit.audience_is_taken(tenant_id, second, &state).await.unwrap());
        state.auth_type = AuthType::ThirdParty;
        assert_eq!(state.verifier_audience, standard.verifier_audience);
        assert!(unit.audience_is_taken(tenant_id, second, &state).await.unwrap());
        drop(unit);
        state.verifier_audience = Identifier::parse("https://partner.example").unwrap();
        world.put(tenant_id, second, ChangeKind::ConfigurationCreate, &state).await.unwrap();
        let mut unit = world.read().await;
        assert!(!unit.audience_is_taken(tenant_id, second, &state).await.unwrap());
        let mut third = configuration_state(tenant_id, first);
        third.verifier_audience = state.verifier_audience.clone();
        assert!(unit.audience_is_taken(tenant_id, first, &third).await.unwrap());
    }

    /// One key, one configuration, on the whole platform, also across organizations.
    async fn a_key_is_registered_once_on_the_platform(world: World) {
        let (first, second) = (world.organization().await, world.organization().await);
        let key = SigningKey::generate(SigningAlgorithm::Es256);
        let (owner, thief) = (
            ConfigurationId::from_random(random_bytes()),
            ConfigurationId::from_random(random_bytes()),
        );
        let state = state_with_key(first, owner, &key);
        world.put(first, owner, ChangeKind::ConfigurationCreate, &state).await.unwrap();
        let fingerprint = state.keys[0].fingerprint_sha256.to_string();
        assert!(world.read().await.key_is_registered(&fingerprint).await.unwrap());
        let again = state_with_key(second, thief, &key);
        let refused = world.put(second, thief, ChangeKind::ConfigurationCreate, &again).await.unwrap_err();
        assert_eq!(refused.unique_rule(), Some(UniqueRule::RegisteredKey), "{refused:?}");
        // Its own configuration may be written again and again.
        world.rename(first, owner, "still mine").await.unwrap();
    }

    /// A key that has left the state of a configuration is registered all the same.
    async fn a_key_that_has_left_a_configuration_does_not_come_back(world: World) {
        let tenant_id = world.organization().await;
        let id = world.configuration(tenant_id).await;
        let first = world.state_of(tenant_id, id).await;
        let mut second = first.clone();
        second.keys = configuration_state(tenant_id, id).keys;
        world.put(tenant_id, id, ChangeKind::ConfigurationRotateKey, &second).await.unwrap();
        let refused = world.put(tenant_id, id, ChangeKind::ConfigurationRotateKey, &first).await.unwrap_err();
        assert_eq!(refused.unique_rule(), Some(UniqueRule::RegisteredKey), "{refused:?}");
    }

    /// In the order of registration: what is registered after one has looked comes after it.
    async fn rsa_moduli_are_found_in_pages(world: World) {
        let tenant_id = world.organization().await;
        let mut moduli = Vec::new();
        for _ in 0..3 {
            let id = ConfigurationId::from_random(random_bytes());
            let key = SigningKey::generate(SigningAlgorithm::Rs256);
            moduli.push(key.public_key().rsa_modulus().unwrap().to_vec());
            let state = state_with_key(tenant_id, id, &key);
            world.put(tenant_id, id, ChangeKind::ConfigurationCreate, &state).await.unwrap();
        }
        world.configuration(tenant_id).await;
        let mut unit = world.read().await;
        let first = unit.registered_moduli(0, 2).await.unwrap();
        let rest = unit.registered_moduli(first[1].place, 2).await.unwrap();
        let seen: Vec<_> = first.iter().chain(&rest).map(|found| (found.place, found.modulus.clone())).collect();
        assert_eq!(seen, (1..).zip(moduli).collect::<Vec<_>>());
    }

    /// A row that was edited by hand is not believed; its neighbours are.
    async fn a_row_edited_by_hand_is_not_believed(world: World) {
        let tenant_id = world.organization().await;
        let (id, sound) = (world.configuration(tenant_id).await, world.configuration(tenant_id).await);
        world.leaked("ALTER TABLE configurations RENAME TO kept".to_owned()).await;
        world.leaked("CREATE TABLE configurations AS SELECT * FROM kept".to_owned()).await;
        let edits = [
            "state = replace(state, 'ACTIVE', 'SUSPENDED')",
            "status = 'DEACTIVATED'",
            "auth_type = 'THIRD_PARTY'",
            "issuer = 'https://evil.example'",
            "subject = 'somebody'",
            "audience = 'https://evil.example'",
            "version = version + 1",
            "change_number = change_number + 1",
            "created_at = created_at - 1",
            "updated_at = updated_at + 1",
            "mac = (SELECT mac FROM kept AS k WHERE k.id <> configurations.id)",
        ];
        for edit in edits {
            world.leaked(format!("UPDATE configurations SET {edit} WHERE id = '{id}'")).await;
            let mut unit = world.read().await;
            let read = unit.configuration(tenant_id, id).await;
            assert!(matches!(read, Err(StoreError::Corrupt { .. })), "{edit}: {read:?}");
            assert!(unit.configurations(tenant_id, None, &all()).await.is_err(), "{edit}");
            let (believed, refused) = believable(&mut unit, tenant_id).await.unwrap();
            assert_eq!((believed, refused), (vec![sound], vec![id.to_string()]), "{edit}");
            drop(unit);
            world.leaked("DELETE FROM configurations".to_owned()).await;
            world.leaked("INSERT INTO configurations SELECT * FROM kept".to_owned()).await;
            assert!(world.read().await.configuration(tenant_id, id).await.is_ok());
        }
    }

    /// All columns of an older row, put back together: its digest is right, and it is not the newest version.
    async fn a_whole_older_row_is_not_believed(world: World) {
        let tenant_id = world.organization().await;
        let (id, sound) = (world.configuration(tenant_id).await, world.configuration(tenant_id).await);
        world.leaked(format!("CREATE TABLE older AS SELECT * FROM configurations WHERE id = '{id}'")).await;
        world.rename(tenant_id, id, "newer").await.unwrap();
        world.leaked(format!("DELETE FROM configurations WHERE id = '{id}'")).await;
        world.leaked("INSERT INTO configurations SELECT * FROM older".to_owned()).await;
        let mut unit = world.read().await;
        let read = unit.configuration(tenant_id, id).await;
        assert!(matches!(read, Err(StoreError::Corrupt { .. })), "{read:?}");
        assert!(unit.configurations(tenant_id, None, &all()).await.is_err());
        let found = believable(&mut unit, tenant_id).await.unwrap();
        assert_eq!(found, (vec![sound], vec![id.to_string()]));
    }

    /// With the newest version taken away as well, the row would fit; what was applied no longer adds up.
    async fn an_older_row_without_its_newer_versions_is_not_believed(world: World) {
        let tenant_id = world.organization().await;
        let (id, other) = (world.configuration(tenant_id).await, world.configuration(tenant_id).await);
        keep(&world).await;
        world.rename(tenant_id, id, "newer").await.unwrap();
        world.leaked(format!("DELETE FROM configurations WHERE id = '{id}'")).await;
        world.leaked(format!("INSERT INTO configurations SELECT * FROM kept_configurations WHERE id = '{id}'")).await;
        world.leaked(format!("DELETE FROM versions WHERE target = '{id}' AND version = 2")).await;
        assert_incomplete(&world, tenant_id).await;
        // The older head fits again. Anything else that changed since then does not.
        world.leaked("DELETE FROM version_heads".to_owned()).await;
        world.leaked("INSERT INTO version_heads SELECT * FROM kept_version_heads".to_owned()).await;
        assert!(believable(&mut world.read().await, tenant_id).await.is_ok(), "the organization as it was at one moment");
        world.rename(tenant_id, other, "changed since").await.unwrap();
        world.leaked("DELETE FROM version_heads".to_owned()).await;
        world.leaked("INSERT INTO version_heads SELECT * FROM kept_version_heads".to_owned()).await;
        assert_incomplete(&world, tenant_id).await;
    }

    /// A row that is gone is missed; with its versions gone, too, nothing of the organization is believed.
    async fn a_row_taken_away_is_noticed(world: World) {
        let tenant_id = world.organization().await;
        let (id, sound) = (world.configuration(tenant_id).await, world.configuration(tenant_id).await);
        let other = world.organization().await;
        world.leaked(format!("DELETE FROM configurations WHERE id = '{id}'")).await;
        let found = believable(&mut world.read().await, tenant_id).await.unwrap();
        assert_eq!(found, (vec![sound], vec![id.to_string()]));
        world.leaked(format!("DELETE FROM versions WHERE target = '{id}'")).await;
        assert_incomplete(&world, tenant_id).await;
        assert_eq!(believable(&mut world.read().await, other).await.unwrap(), (vec![], vec![]));
    }

    /// The head itself is covered by a keyed digest, and none is as bad as a wrong one.
    async fn a_head_edited_by_hand_is_not_believed(world: World) {
        let (tenant_id, other) = (world.organization().await, world.organization().await);
        let id = world.configuration(tenant_id).await;
        keep(&world).await;
        let edits = [
            "UPDATE version_heads SET applied = applied + 1".to_owned(),
            "UPDATE version_heads SET applied = 1".to_owned(),
            format!("DELETE FROM version_heads WHERE tenant_id = '{tenant_id}'"),
            format!(
                "UPDATE version_heads SET applied = 1, mac = (SELECT mac FROM kept_version_heads WHERE tenant_id = '{other}')"
            ),
        ];
        for edit in edits {
            world.leaked(edit.clone()).await;
            let found = believable(&mut world.read().await, tenant_id).await;
            assert!(matches!(found, Err(StoreError::Corrupt { .. })), "{edit}: {found:?}");
            let refused = world.rename(tenant_id, id, "not applied").await;
            assert!(matches!(refused, Err(StoreError::Corrupt { .. })), "{edit}: {refused:?}");
            world.leaked("DELETE FROM version_heads".to_owned()).await;
            world.leaked("INSERT INTO version_heads SELECT * FROM kept_version_heads".to_owned()).await;
        }
        assert!(believable(&mut world.read().await, tenant_id).await.is_ok());
    }

    /// Nothing of a version can be edited: neither what it says nor its place.
    async fn a_version_edited_by_hand_is_not_believed(world: World) {
        let tenant_id = world.organization().await;
        let id = world.configuration(tenant_id).await;
        world.rename(tenant_id, id, "second").await.unwrap();
        keep(&world).await;
        for edit in [
            "position = position + 1", "mac = ''", "applied_at = applied_at + 1",
            "change_number = 1", "version = version + 5", "digest = replace(digest, substr(digest, 1, 4), 'ffff')",
            "mac = (SELECT mac FROM kept_versions k WHERE k.target = versions.target AND k.version = 1)",
        ] {
            world.leaked(format!("UPDATE versions SET {edit} WHERE target = '{id}' AND version = 2")).await;
            let mut unit = world.read().await;
            for refused in [
                unit.configuration(tenant_id, id).await.map(drop),
                unit.versions(tenant_id, &id.to_string(), &all()).await.map(drop),
                unit.base_of(tenant_id, &id.to_string()).await.map(drop),
                believable(&mut unit, tenant_id).await.map(drop),
            ] {
                assert!(matches!(refused, Err(StoreError::Corrupt { .. })), "{edit}: {refused:?}");
            }
            drop(unit);
            world.leaked("DELETE FROM versions".to_owned()).await;
            world.leaked("INSERT INTO versions SELECT * FROM kept_versions".to_owned()).await;
        }
        world.leaked(format!("DELETE FROM versions WHERE target = '{id}' AND version = 1")).await;
        let history = world.read().await.versions(tenant_id, &id.to_string(), &all()).await;
        assert!(matches!(history, Err(StoreError::Corrupt { .. })), "a hole in the history: {history:?}");
    }

    /// Thousands of configurations come in pages, each once.
    async fn all_configurations_are_found_over_several_pages(world: World) {
        let tenant_id = world.organization().await;
        let id = world.configuration(tenant_id).await;
        let state = world.state_of(tenant_id, id).await;
        let mut unit = world.write().await;
        let mut made = vec![id];
        for n in 0..2100 {
            let id = ConfigurationId::from_random(random_bytes());
            let mut state = state.clone();
            state.verifier_issuer = Identifier::parse(&format!("https://{n}.example")).unwrap();
            state.keys = Vec::new();
            let after = serde_json::to_value(&state).unwrap();
            let kind = ChangeKind::ConfigurationCreate;
            apply(&mut unit, wish(tenant_id, kind, &id.to_string(), after)).await.unwrap();
            made.push(id);
        }
        unit.commit().await.unwrap();
        made.sort_by_key(ToString::to_string);
        assert_eq!(believable(&mut world.read().await, tenant_id).await.unwrap(), (made, vec![]));
    }

    /// A row moved to another organization keeps its digest and is still not believed.
    async fn a_row_moved_to_another_organization_is_not_believed(world: World) {
        let (victim, thief) = (world.organization().await, world.organization().await);
        let id = world.configuration(victim).await;
        world.leaked(format!("UPDATE configurations SET tenant_id = '{thief}'")).await;
        let read = world.read().await.configuration(thief, id).await;
        assert!(matches!(read, Err(StoreError::Corrupt { .. })), "{read:?}");
    }

    /// A configuration belongs to an organization that exists.
    async fn a_configuration_needs_its_organization(world: World) {
        let nobody = countersign_domain::ids::TenantId::from_random([3; 16]);
        let id = ConfigurationId::from_random(random_bytes());
        let state = renamed(configuration_state(nobody, id), "orphan");
        let refused = world.put(nobody, id, ChangeKind::ConfigurationCreate, &state).await;
        assert!(refused.is_err());
        assert_eq!(world.count("SELECT COUNT(*) AS count FROM configurations").await, 0);
    }
}

/// What the token service would serve of an organization, and what it would refuse.
async fn believable(
    unit: &mut Unit,
    tenant_id: TenantId,
) -> Result<(Vec<ConfigurationId>, Vec<String>), StoreError> {
    let mut found = Vec::new();
    let refused = unit
        .believable_configurations(tenant_id, |configuration| found.push(configuration.id))
        .await?;
    Ok((found, refused))
}

async fn assert_incomplete(world: &World, tenant_id: TenantId) {
    let found = believable(&mut world.read().await, tenant_id).await;
    let Err(StoreError::Corrupt { table, .. }) = found else {
        panic!("{found:?}");
    };
    assert_eq!(table, "version_heads");
}

/// Copies of the tables that bind versions together, as somebody could have made them.
async fn keep(world: &World) {
    for table in ["configurations", "versions", "version_heads"] {
        world
            .leaked(format!(
                "CREATE TABLE kept_{table} AS SELECT * FROM {table}"
            ))
            .await;
    }
}
