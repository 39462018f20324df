//! API tokens: by digest only, scoped, revocable.

use countersign_crypto::random_bytes;
use countersign_domain::api_tokens::{ApiRole, ApiScope, ApiToken, ApiTokenSecret};
use countersign_domain::ids::{ApiTokenId, TenantId};
use countersign_domain::text::Label;
use countersign_store::{Page, StoreError};

use crate::world::{NOW, World, all};

pub fn token(scope: ApiScope) -> ApiToken {
    ApiToken {
        id: ApiTokenId::from_random(random_bytes()),
        name: Label::parse("a token").unwrap(),
        scope,
        role: ApiRole::Admin,
        created_at: NOW,
        expires_at: NOW.plus(100),
    }
}

pub async fn insert(world: &World, token: &ApiToken) -> ApiTokenSecret {
    let secret = ApiTokenSecret::from_random(random_bytes());
    let mut unit = world.write().await;
    unit.insert_api_token(token, secret.digest()).await.unwrap();
    unit.commit().await.unwrap();
    secret
}

on_both_databases! {
    async fn a_token_is_found_by_its_digest_until_it_ends(world: World) {
        let tenant_id = TenantId::from_random([1; 16]);
        for scope in [ApiScope::Platform, ApiScope::Organization(tenant_id)] {
            let token = token(scope);
            let digest = insert(&world, &token).await.digest();
            let mut unit = world.read().await;
            let found = unit.api_token_by_digest(digest, NOW.plus(99)).await.unwrap().unwrap();
            assert_eq!((found.id, found.scope, found.role), (token.id, scope, ApiRole::Admin));
            assert_eq!((found.created_at, found.expires_at), (token.created_at, token.expires_at));
            assert!(unit.api_token_by_digest(digest, NOW.plus(100)).await.unwrap().is_none());
            let other = ApiTokenSecret::from_random(random_bytes()).digest();
            assert!(unit.api_token_by_digest(other, NOW).await.unwrap().is_none());
        }
    }

    /// The secret is nowhere in the database.
    async fn only_the_digest_is_stored(world: World) {
        let token = token(ApiScope::Platform);
        let secret = insert(&world, &token).await;
        let mut tx = world.store.database().read().await.unwrap();
        let row = tx.fetch_optional("SELECT digest, name FROM api_tokens", vec![]).await.unwrap().unwrap();
        assert_eq!(row.text("digest").unwrap(), secret.digest().to_string());
        assert!(!secret.reveal().contains(&row.text("name").unwrap()));
    }

    async fn a_revoked_token_is_gone_and_cannot_be_revoked_again(world: World) {
        let token = token(ApiScope::Platform);
        let digest = insert(&world, &token).await.digest();
        let mut unit = world.write().await;
        assert_eq!(unit.revoke_api_token(None, token.id, NOW).await.unwrap(), Some(ApiScope::Platform));
        assert_eq!(unit.revoke_api_token(None, token.id, NOW).await.unwrap(), None);
        assert!(unit.api_token_by_digest(digest, NOW).await.unwrap().is_none());
        assert!(unit.api_tokens(None, &all()).await.unwrap().is_empty());
    }

    async fn tokens_are_listed_by_id_in_pages_for_one_organization_or_all(world: World) {
        let tenant_id = TenantId::from_random([1; 16]);
        let mut own = Vec::new();
        for scope in [ApiScope::Organization(tenant_id), ApiScope::Organization(tenant_id), ApiScope::Platform] {
            let token = token(scope);
            insert(&world, &token).await;
            if scope != ApiScope::Platform {
                own.push(token.id);
            }
        }
        own.sort_by_key(ToString::to_string);
        let mut unit = world.read().await;
        assert_eq!(unit.api_tokens(None, &all()).await.unwrap().len(), 3);
        let listed = unit.api_tokens(Some(tenant_id), &all()).await.unwrap();
        assert_eq!(listed.iter().map(|token| token.id).collect::<Vec<_>>(), own);
        let rest = Page { after: Some(own[0].to_string()), limit: 5 };
        let listed = unit.api_tokens(Some(tenant_id), &rest).await.unwrap();
        assert_eq!(listed.iter().map(|token| token.id).collect::<Vec<_>>(), own[1..]);
    }

    async fn every_token_is_revoked_at_once(world: World) {
        let tenant_id = TenantId::from_random([1; 16]);
        insert(&world, &token(ApiScope::Platform)).await;
        insert(&world, &token(ApiScope::Organization(tenant_id))).await;
        let mut unit = world.write().await;
        assert_eq!(unit.revoke_all_api_tokens(NOW).await.unwrap(), 2);
        assert_eq!(unit.revoke_all_api_tokens(NOW).await.unwrap(), 0);
        assert!(unit.api_tokens(None, &all()).await.unwrap().is_empty());
    }

    async fn two_tokens_cannot_share_a_secret(world: World) {
        let secret = insert(&world, &token(ApiScope::Platform)).await;
        let mut unit = world.write().await;
        let refused = unit.insert_api_token(&token(ApiScope::Platform), secret.digest()).await;
        assert!(matches!(refused, Err(StoreError::Taken(_))));
    }

    /// Whoever writes to the database makes no API token, and none more powerful.
    async fn a_row_written_by_hand_is_not_believed(world: World) {
        let tenant_id = TenantId::from_random([1; 16]);
        let secret = insert(&world, &token(ApiScope::Organization(tenant_id))).await;
        let other = insert(&world, &token(ApiScope::Platform)).await;
        world.leaked("CREATE TABLE kept AS SELECT * FROM api_tokens".to_owned()).await;
        let forged = ApiTokenSecret::from_random(random_bytes());
        let mine = secret.digest();
        for (edit, looked_up) in [
            (format!("UPDATE api_tokens SET tenant_id = NULL WHERE digest = '{mine}'"), mine),
            (format!("UPDATE api_tokens SET tenant_id = '' WHERE digest = '{mine}'"), mine),
            (format!("UPDATE api_tokens SET role = 'auditor' WHERE digest = '{mine}'"), mine),
            (format!("UPDATE api_tokens SET name = 'another' WHERE digest = '{mine}'"), mine),
            (format!("UPDATE api_tokens SET expires_at = expires_at + 1 WHERE digest = '{mine}'"), mine),
            (format!("UPDATE api_tokens SET created_at = created_at + 1 WHERE digest = '{mine}'"), mine),
            (format!("UPDATE api_tokens SET mac = '' WHERE digest = '{mine}'"), mine),
            (format!("UPDATE api_tokens SET mac = (SELECT mac FROM kept WHERE digest = '{}') WHERE digest = '{mine}'",
                other.digest()), mine),
            (format!("UPDATE api_tokens SET digest = '{}' WHERE digest = '{mine}'", forged.digest()), forged.digest()),
            (format!("INSERT INTO api_tokens (id, digest, name, role, created_at, expires_at, mac)
                SELECT 'at-00000000-0000-4000-8000-000000000000', '{}', name, role, created_at, expires_at, mac
                FROM kept WHERE tenant_id IS NULL", forged.digest()), forged.digest()),
        ] {
            world.leaked(edit.clone()).await;
            let mut unit = world.read().await;
            let read = unit.api_token_by_digest(looked_up, NOW).await;
            assert!(matches!(read, Err(StoreError::Corrupt { .. })), "{edit}: {read:?}");
            assert!(unit.api_tokens(None, &all()).await.is_err(), "{edit}");
            assert!(unit.api_token_by_digest(other.digest(), NOW).await.unwrap().is_some(), "{edit}");
            drop(unit);
            world.leaked("DELETE FROM api_tokens".to_owned()).await;
            world.leaked("INSERT INTO api_tokens SELECT * FROM kept".to_owned()).await;
        }
        assert!(world.read().await.api_token_by_digest(mine, NOW).await.unwrap().is_some());
    }

    /// A revocation erases the digest of the row: without it, setting the date back buys nothing.
    async fn a_revocation_cannot_be_taken_back_by_hand(world: World) {
        let (one, two) = (token(ApiScope::Platform), token(ApiScope::Platform));
        let digests = [insert(&world, &one).await.digest(), insert(&world, &two).await.digest()];
        let mut unit = world.write().await;
        assert!(unit.revoke_api_token(None, one.id, NOW).await.unwrap().is_some());
        assert_eq!(unit.revoke_all_api_tokens(NOW).await.unwrap(), 1);
        unit.commit().await.unwrap();
        world.leaked("UPDATE api_tokens SET revoked_at = NULL".to_owned()).await;
        for digest in digests {
            let read = world.read().await.api_token_by_digest(digest, NOW).await;
            assert!(matches!(read, Err(StoreError::Corrupt { .. })), "{read:?}");
        }
    }

    async fn an_impossible_row_is_an_error_not_an_absence(world: World) {
        let secret = insert(&world, &token(ApiScope::Platform)).await;
        world.leaked("UPDATE api_tokens SET role = 'emperor'".to_owned()).await;
        let read = world.read().await.api_token_by_digest(secret.digest(), NOW).await;
        assert!(matches!(read, Err(StoreError::Corrupt { .. })), "{read:?}");
    }
}
