//! `introspect`, `explain` and the preview of `import`: requests that may be repeated, on one server.

use countersign_crypto::SigningAlgorithm;

use crate::admin::Admin;
use crate::clients::{self, Client, ISSUER};
use crate::figures::Figures;
use crate::load::{Pace, Plan, Supply};
use crate::options::Options;
use crate::requests::{Body, Head, Requests};
use crate::server::{Launcher, Server};
use crate::table::{Table, grouped, verdict};

/// Different access tokens that are introspected, over and over.
const TOKENS: usize = 64;

/// Connections of the introspection benchmark.
const INTROSPECTION_CONNECTIONS: usize = 64;

/// Introspections in a second that are wanted.
const INTROSPECTION_TARGET: f64 = 50_000.0;

/// Connections of the other two.
const CONNECTIONS: usize = 32;

/// A server with one organization and one configuration.
struct World {
    server: Server,
    admin: Admin,
    tenant: String,
    client: Client,
    host: String,
    /// Goes last: the server writes into it.
    _data: tempfile::TempDir,
}

/// Requests of one kind, and what is wanted of them.
struct Case<'a> {
    label: &'a str,
    requests: Requests,
    connections: usize,
    marker: &'a [u8],
    target: Option<f64>,
}

/// Introspection of a few access tokens, over and over, with an API token.
///
/// # Errors
/// A sentence, when a measurement could not be made.
pub(crate) fn introspect(launcher: &Launcher, options: &Options) -> Result<(), String> {
    let mut world = World::create(launcher, SigningAlgorithm::Es256)?;
    let bearer = world
        .admin
        .create_api_token(&world.tenant, "introspector")?;
    let path = format!("/t/{}/introspect", world.tenant);
    let now = clients::unix_seconds();
    let mut requests = Requests::default();
    for _ in 0..TOKENS {
        let assertion = world.client.assertion(now);
        let token = world
            .admin
            .exchange(&world.tenant, &assertion, SigningAlgorithm::Es256)?;
        let body = format!("token={token}");
        requests.push(&world.head(&path, &bearer).with(Body::Form(&body)));
    }
    let case = Case {
        label: "introspect",
        requests,
        connections: INTROSPECTION_CONNECTIONS,
        marker: b"\"active\":true",
        target: Some(INTROSPECTION_TARGET),
    };
    world.measure(&begin(), &case, options)
}

/// Explanation of assertions that would be accepted.
///
/// # Errors
/// A sentence, when a measurement could not be made.
pub(crate) fn explain(launcher: &Launcher, options: &Options) -> Result<(), String> {
    let table = begin();
    for algorithm in [SigningAlgorithm::Rs256, SigningAlgorithm::Es256] {
        let mut world = World::create(launcher, algorithm)?;
        let bearer = world.admin.create_api_token(&world.tenant, "admin")?;
        let path = format!("/api/v1/organizations/{}/explain", world.tenant);
        let assertion = world.client.assertion(clients::unix_seconds());
        let body = serde_json::json!({ "assertion": assertion }).to_string();
        let case = Case {
            label: &format!("explain {algorithm}"),
            requests: [world.head(&path, &bearer).with(Body::Json(&body))]
                .into_iter()
                .collect(),
            connections: CONNECTIONS,
            marker: b"",
            target: None,
        };
        world.measure(&table, &case, options)?;
    }
    Ok(())
}

/// The preview of a key import over HTTP. `keys` are names and texts.
///
/// # Errors
/// A sentence, when a measurement could not be made.
pub(crate) fn preview(
    launcher: &Launcher,
    options: &Options,
    keys: &[(&str, &str)],
) -> Result<(), String> {
    let mut world = World::create(launcher, SigningAlgorithm::Es256)?;
    let bearer = world.admin.create_api_token(&world.tenant, "admin")?;
    let path = format!("/api/v1/organizations/{}/keys/preview", world.tenant);
    let table = begin();
    for (name, key) in keys {
        let body = serde_json::json!({ "public_key": key }).to_string();
        let case = Case {
            label: &format!("preview {name}"),
            requests: [world.head(&path, &bearer).with(Body::Json(&body))]
                .into_iter()
                .collect(),
            connections: CONNECTIONS,
            marker: b"",
            target: None,
        };
        world.measure(&table, &case, options)?;
    }
    Ok(())
}

impl World {
    fn create(launcher: &Launcher, algorithm: SigningAlgorithm) -> Result<Self, String> {
        let data = launcher.data()?;
        let server = launcher.start(data.path())?;
        let mut admin = server.admin()?;
        let client = Client::new(ISSUER, algorithm);
        let tenant = admin.create_organization("benchmark", SigningAlgorithm::Es256)?;
        admin.create_configuration(&tenant, client.key().public_key(), algorithm)?;
        Ok(Self {
            host: server.address.to_string(),
            server,
            admin,
            tenant,
            client,
            _data: data,
        })
    }

    fn head<'a>(&'a self, path: &'a str, bearer: &'a str) -> Head<'a> {
        Head {
            method: "POST",
            path,
            host: &self.host,
            bearer: Some(bearer),
        }
    }

    /// Measures some rounds and prints a row with their medians.
    fn measure(&self, table: &Table, case: &Case<'_>, options: &Options) -> Result<(), String> {
        let timing = options.timing();
        let plan = Plan {
            address: self.server.address,
            requests: &case.requests,
            supply: Supply::Repeat,
            pace: Pace::Closed,
            connections: case.connections,
            warm_up: timing.warm_up,
            duration: timing.round,
            status: 200,
            marker: case.marker,
        };
        let rounds = (0..options.rounds)
            .map(|_| Figures::measure(&self.server, &plan))
            .collect::<Result<Vec<_>, String>>()?;
        let figures = Figures::median(&rounds);
        let [p50, p99, p999] = figures.latency_ms;
        let met = |least: f64| figures.per_second >= least && figures.failures == 0;
        table.row(&[
            case.label.to_owned(),
            case.connections.to_string(),
            grouped(figures.per_second),
            format!("{p50:.2}"),
            format!("{p99:.2}"),
            format!("{p999:.2}"),
            format!("{:.1}", figures.cpu_us),
            format!("{:.0}", figures.resident_mib),
            case.target
                .map_or_else(String::new, |least| format!("≥ {}", grouped(least))),
            case.target
                .map_or_else(String::new, |least| verdict(met(least))),
        ]);
        figures.print_failures();
        Ok(())
    }
}

fn begin() -> Table {
    Table::begin(&[
        "benchmark                     ",
        "conn.",
        "answers/s",
        "p50 ms ",
        "p99 ms ",
        "p99.9 ms",
        "CPU µs",
        "RSS MiB",
        "  target",
        "met",
    ])
}
