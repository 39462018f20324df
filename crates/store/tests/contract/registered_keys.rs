//! Every public key ever registered, under a keyed digest.

use countersign_crypto::{SigningAlgorithm, SigningKey, random_bytes};
use countersign_domain::change::ChangeKind;
use countersign_domain::ids::ConfigurationId;
use countersign_store::StoreError;

use crate::world::{World, state_with_key};

on_both_databases! {
    /// A row handed to another configuration would let that one take the key over.
    async fn a_row_written_by_hand_is_not_believed(world: World) {
        let tenant_id = world.organization().await;
        let (owner, thief) = (ConfigurationId::from_random(random_bytes()), world.configuration(tenant_id).await);
        let key = SigningKey::generate(SigningAlgorithm::Rs256);
        let state = state_with_key(tenant_id, owner, &key);
        world.put(tenant_id, owner, ChangeKind::ConfigurationCreate, &state).await.unwrap();
        let fingerprint = state.keys[0].fingerprint_sha256.to_string();
        world.leaked("CREATE TABLE kept AS SELECT * FROM registered_keys".to_owned()).await;
        for edit in [
            format!("configuration_id = '{thief}'"),
            "tenant_id = 'tn-00000000-0000-4000-8000-000000000000'".to_owned(),
            "registered_at = registered_at + 1".to_owned(),
            "mac = ''".to_owned(),
            "modulus = (SELECT k.mac FROM kept k WHERE k.modulus IS NULL)".to_owned(),
            "modulus = NULL".to_owned(),
            "rsa_place = 7".to_owned(),
            "rsa_place = NULL".to_owned(),
            "mac = (SELECT k.mac FROM kept k WHERE k.modulus IS NULL)".to_owned(),
        ] {
            world.leaked(format!("UPDATE registered_keys SET {edit} WHERE fingerprint = '{fingerprint}'")).await;
            let read = world.read().await.key_is_registered(&fingerprint).await;
            assert!(matches!(read, Err(StoreError::Corrupt { .. })), "{edit}: {read:?}");
            if edit != "rsa_place = NULL" {
                let moduli = world.read().await.registered_moduli(0, 100).await;
                assert!(matches!(moduli, Err(StoreError::Corrupt { .. })), "{edit}: {moduli:?}");
            }
            let mut taken_over = world.state_of(tenant_id, thief).await;
            taken_over.keys.clone_from(&state.keys);
            let kind = ChangeKind::ConfigurationRotateKey;
            let written = world.put(tenant_id, thief, kind, &taken_over).await;
            assert!(matches!(written, Err(StoreError::Taken(_))), "{edit}: {written:?}");
            world.leaked("DELETE FROM registered_keys".to_owned()).await;
            world.leaked("INSERT INTO registered_keys SELECT * FROM kept".to_owned()).await;
        }
        assert!(world.read().await.key_is_registered(&fingerprint).await.unwrap());
    }
}
