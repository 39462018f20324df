//! The change engine under concurrency and interruption, on both databases.

use std::sync::Arc;
use std::time::Duration;

use countersign_crypto::import::{ImportOptions, import_keys};
use countersign_crypto::{MasterKey, SigningAlgorithm, SigningKey, random_bytes};
use countersign_domain::configurations::{Configuration, ConfigurationEdit};
use countersign_domain::ids::{ConfigurationId, CorrelationId, TenantId};
use countersign_domain::organizations::{OrganizationEdit, PublicUrl};
use countersign_domain::time::UnixTime;
use countersign_service::{
    Act, Caller, Clock, Context, CreateConfiguration, CreateOrganization, EditConfiguration,
    Executed, Execution, RefusedKind, Service, ServiceError, Settings,
};
use countersign_store::{Database, DatabaseUrl, Store, Unit};

use crate::postgres::Schema;
use crate::server::now;
use crate::world::look;

/// Pairs of edits from the same version.
const PAIRS: u64 = 1000;

/// Edits that are abandoned at a random moment.
const ABANDONED: usize = 150;

struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> UnixTime {
        UnixTime::from_seconds(now())
    }
}

/// A service with one organization and one configuration.
struct World {
    service: Arc<Service>,
    store: Store,
    tenant_id: TenantId,
    id: ConfigurationId,
}

async fn world(url: &DatabaseUrl) -> World {
    let master = MasterKey::generate();
    let store = Store::new(Database::open(url).await.unwrap(), master.mac_key("row"));
    let settings = Settings {
        public_url: PublicUrl::parse("https://auth.example.com").unwrap(),
        requests_per_second: None,
        keep_issuances: 86_400,
    };
    let service = Service::start(settings, store.clone(), master, Box::new(WallClock))
        .await
        .unwrap();
    let create = CreateOrganization {
        name: "Acme Bank".to_owned(),
        fields: OrganizationEdit::default(),
    };
    let tenant_id = execute(&service, &create).await.unwrap().tenant_id;
    let pem = SigningKey::generate(SigningAlgorithm::Es256)
        .public_key()
        .to_pem();
    let create = CreateConfiguration {
        tenant_id,
        fields: ConfigurationEdit::default(),
        keys: import_keys(pem.as_bytes(), ImportOptions { now: now() })
            .unwrap()
            .keys,
        algorithm: None,
        kid: None,
    };
    let id = execute(&service, &create).await.unwrap().id;
    World {
        service,
        store,
        tenant_id,
        id,
    }
}

async fn execute<A: Act>(service: &Service, act: &A) -> Result<A::Output, ServiceError> {
    let caller = Caller::operator();
    let run = Execution {
        caller: &caller,
        correlation_id: CorrelationId::from_random(random_bytes()),
        dry_run: false,
        keep: None,
    };
    match service.execute(act, &run).await? {
        Executed::Done(output) => Ok(output),
        Executed::Repeated(kept) => panic!("nothing was kept: {kept:?}"),
    }
}

impl World {
    fn rename(&self, expected_version: Option<u64>, name: &str) -> EditConfiguration {
        EditConfiguration {
            tenant_id: self.tenant_id,
            id: self.id,
            expected_version,
            fields: ConfigurationEdit {
                name: Some(name.to_owned()),
                ..ConfigurationEdit::default()
            },
        }
    }

    async fn configuration(&self) -> Configuration {
        let mut unit = self.store.read().await.unwrap();
        unit.configuration(self.tenant_id, self.id)
            .await
            .unwrap()
            .unwrap()
    }
}

/// Runs a test on SQLite, or on PostgreSQL where there is one.
fn on<F: Future<Output = ()>>(postgres: Option<&str>, test: impl FnOnce(World) -> F) {
    let directory = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let Some(name) = postgres else {
        let url = DatabaseUrl::Sqlite(directory.path().join("test.db"));
        return runtime.block_on(async { test(world(&url).await).await });
    };
    let Some(schema) = Schema::create(name) else {
        return;
    };
    let url = DatabaseUrl::parse(&schema.url).unwrap();
    runtime.block_on(async { test(world(&url).await).await });
    drop(runtime);
}

/// Of two edits from one version exactly one is applied; the other hears that its base has moved.
async fn exactly_one_wins(world: World) {
    for version in 1..=PAIRS {
        let service = &world.service;
        let (left, right) = (
            world.rename(Some(version), &format!("left {version}")),
            world.rename(Some(version), &format!("right {version}")),
        );
        let run = |act: EditConfiguration| {
            let service = Arc::clone(service);
            tokio::spawn(async move { execute(&service, &act).await })
        };
        let (left, right) = (run(left), run(right));
        let outcomes = [left.await.unwrap(), right.await.unwrap()];
        let won: Vec<_> = outcomes
            .iter()
            .filter_map(|outcome| outcome.as_ref().ok())
            .collect();
        assert_eq!(won.len(), 1, "{outcomes:?}");
        let lost = outcomes.iter().find_map(|outcome| outcome.as_ref().err());
        assert!(
            matches!(lost, Some(ServiceError::Refused(refused)) if refused.kind == RefusedKind::PreconditionFailed),
            "{lost:?}"
        );
        assert_eq!(won[0].version, version + 1);
        let stands = world.configuration().await;
        assert_eq!(
            (stands.version, &stands.state.name),
            (version + 1, &won[0].state.name),
            "an update was lost"
        );
    }
    let found = look(&world.store).await;
    assert_eq!(u64::try_from(found.versions).unwrap(), PAIRS + 2);
}

#[test]
fn of_two_edits_from_one_version_exactly_one_wins_on_sqlite() {
    on(None, exactly_one_wins);
}

#[test]
fn of_two_edits_from_one_version_exactly_one_wins_on_postgres() {
    on(
        Some("of_two_edits_from_one_version_exactly_one_wins_on_postgres"),
        exactly_one_wins,
    );
}

/// Many administrators at once, none naming a version: every edit is applied, one after the other.
async fn every_edit_counts(world: World) {
    let mut tasks = Vec::new();
    for n in 0..12 {
        let (service, act) = (
            Arc::clone(&world.service),
            world.rename(None, &format!("name {n}")),
        );
        tasks.push(tokio::spawn(async move {
            while let Err(error) = execute(&service, &act).await {
                assert!(
                    matches!(error, ServiceError::Unavailable { .. }),
                    "{error:?}"
                );
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(world.configuration().await.version, 13);
    look(&world.store).await;
}

#[test]
fn edits_by_many_at_once_are_applied_one_after_the_other_on_sqlite() {
    on(None, every_edit_counts);
}

#[test]
fn edits_by_many_at_once_are_applied_one_after_the_other_on_postgres() {
    on(
        Some("edits_by_many_at_once_are_applied_one_after_the_other_on_postgres"),
        every_edit_counts,
    );
}

/// Does everything, and then fails.
struct ThenFail(EditConfiguration);

impl Act for ThenFail {
    type Output = Configuration;

    async fn perform<'a>(
        &'a self,
        unit: &'a mut Unit,
        context: &'a Context<'a>,
    ) -> Result<Configuration, ServiceError> {
        self.0.perform(unit, context).await?;
        Err(ServiceError::NotFound)
    }
}

/// A use case that ends at any moment has either happened or not.
async fn nothing_is_half_done(world: World) {
    let failed = execute(&world.service, &ThenFail(world.rename(None, "never"))).await;
    assert!(matches!(failed, Err(ServiceError::NotFound)));
    assert_eq!(world.configuration().await.version, 1);
    let (mut cut_off, mut done) = (0, 0);
    for n in 0..ABANDONED {
        let (service, act) = (
            Arc::clone(&world.service),
            world.rename(None, &format!("name {n}")),
        );
        let task = tokio::spawn(async move { execute(&service, &act).await });
        let [spread] = random_bytes::<1>();
        tokio::time::sleep(Duration::from_micros(u64::from(spread) * 40)).await;
        task.abort();
        match task.await {
            Ok(applied) => done += u64::from(applied.is_ok()),
            Err(_) => cut_off += 1,
        }
    }
    let version = world.configuration().await.version;
    assert!(
        version > done && version <= done + cut_off + 1,
        "{version}: {done} done, {cut_off} cut off"
    );
    look(&world.store).await;
    execute(&world.service, &world.rename(None, "still alive"))
        .await
        .unwrap();
    println!("{done} done, {cut_off} cut off");
}

#[test]
fn an_abandoned_change_is_never_half_done_on_sqlite() {
    on(None, nothing_is_half_done);
}

#[test]
fn an_abandoned_change_is_never_half_done_on_postgres() {
    on(
        Some("an_abandoned_change_is_never_half_done_on_postgres"),
        nothing_is_half_done,
    );
}

/// A dry run tells what would happen and leaves nothing.
#[test]
fn a_dry_run_leaves_nothing() {
    on(None, |world| async move {
        let caller = Caller::operator();
        let run = Execution {
            caller: &caller,
            correlation_id: CorrelationId::from_random(random_bytes()),
            dry_run: true,
            keep: None,
        };
        let outcome = world
            .service
            .execute(&world.rename(Some(1), "perhaps"), &run)
            .await
            .unwrap();
        assert!(matches!(outcome, Executed::Done(configuration) if configuration.version == 2));
        assert_eq!(world.configuration().await.version, 1);
        look(&world.store).await;
    });
}
