//! `scale`: many configurations. Memory under load, time from start to the first token, cost per token.

use std::time::{Duration, Instant};

use countersign_crypto::SigningAlgorithm;

use crate::admin::{self, Admin};
use crate::clients::{self, Client};
use crate::figures::Figures;
use crate::latency::median;
use crate::limit::{Exchange, most_in};
use crate::load::{self, Pace, Plan, Supply};
use crate::options::Options;
use crate::requests::{Body, Head, Requests, token_request};
use crate::server::{Launcher, Server};
use crate::table::{Table, grouped, verdict};

/// Assertions and access tokens.
const ALGORITHM: SigningAlgorithm = SigningAlgorithm::Es256;

/// Configurations in one organization.
const PER_ORGANIZATION: usize = 100;

/// Configurations of the small instance with which the cost per token is compared.
const FEW: usize = 10;

/// Connections that create configurations.
const SEEDERS: usize = 64;

/// Connections that ask for tokens.
const CONNECTIONS: usize = 256;

/// The wanted figures of design: memory, start, cost.
const TARGET_MIB: f64 = 64.0;
const TARGET_START_MS: f64 = 300.0;
const TARGET_COST: f64 = 1.10;

/// An instance with its clients.
struct Instance {
    data: tempfile::TempDir,
    tenants: Vec<String>,
    clients: Vec<Client>,
}

/// Runs the benchmark and prints its tables.
///
/// # Errors
/// A sentence, when a measurement could not be made.
pub(crate) fn run(launcher: &Launcher, options: &Options) -> Result<(), String> {
    let few = Instance::seed(launcher, FEW)?;
    let many = Instance::seed(launcher, options.configurations)?;
    let mut starts = Vec::new();
    for _ in 0..options.rounds {
        starts.push(many.start_to_first_token(launcher)?);
    }
    let servers = [
        launcher.start(few.data.path())?,
        launcher.start(many.data.path())?,
    ];
    for (instance, server) in [&few, &many].into_iter().zip(&servers) {
        instance.warm(server)?;
    }
    let mut rounds = [Vec::new(), Vec::new()];
    for _ in 0..options.rounds {
        // In turn, so that a slow minute of the machine meets both.
        for ((instance, server), rounds) in [&few, &many].into_iter().zip(&servers).zip(&mut rounds)
        {
            rounds.push(instance.round(server, options)?);
        }
    }
    print(
        &rounds.map(|rounds| Figures::median(&rounds)),
        median(starts),
        options.configurations,
    );
    Ok(())
}

fn print([few, many]: &[Figures; 2], start_ms: f64, configurations: usize) {
    let table = Table::begin(&[
        "configurations ",
        "tokens/s",
        "p50 ms ",
        "p99 ms ",
        "CPU µs",
        "RSS MiB",
        "peak MiB",
    ]);
    for (count, figures) in [(FEW, few), (configurations, many)] {
        table.row(&[
            grouped(count as f64),
            grouped(figures.per_second),
            format!("{:.2}", figures.latency_ms[0]),
            format!("{:.2}", figures.latency_ms[1]),
            format!("{:.1}", figures.cpu_us),
            format!("{:.0}", figures.resident_mib),
            format!("{:.0}", figures.peak_mib),
        ]);
        figures.print_failures();
    }
    let cost = many.cpu_us / few.cpu_us;
    let table = Table::begin(&[
        "what                          ",
        "measured",
        "  target",
        "met",
    ]);
    for (what, measured, target, decimals) in [
        ("start to first token, ms", start_ms, TARGET_START_MS, 0),
        ("RSS under load, MiB", many.resident_mib, TARGET_MIB, 0),
        ("cost per token, against 10", cost, TARGET_COST, 2),
    ] {
        table.row(&[
            what.to_owned(),
            format!("{measured:.decimals$}"),
            format!("≤ {target:.decimals$}"),
            verdict(measured <= target),
        ]);
    }
    println!("memory and start are wanted with 10,000 configurations, cost with 100,000");
}

impl Instance {
    /// Makes an instance with so many configurations, through the API.
    fn seed(launcher: &Launcher, configurations: usize) -> Result<Self, String> {
        println!("creating {configurations} configurations …");
        let started = Instant::now();
        let data = launcher.data()?;
        let server = launcher.start(data.path())?;
        let token = server.platform_token()?;
        let mut admin = Admin::connect(server.address, &token)?;
        let tenants = (0..configurations.div_ceil(PER_ORGANIZATION))
            .map(|number| admin.create_organization(&format!("benchmark {number}"), ALGORITHM))
            .collect::<Result<Vec<_>, String>>()?;
        let clients: Vec<Client> = (0..configurations)
            .map(|number| Client::new(&format!("client-{number:07}"), ALGORITHM))
            .collect();
        let instance = Self {
            data,
            tenants,
            clients,
        };
        instance.register(&server, &token)?;
        server.stop()?;
        println!("  took {:.1} s", started.elapsed().as_secs_f64());
        Ok(instance)
    }

    fn register(&self, server: &Server, token: &str) -> Result<(), String> {
        let host = server.address.to_string();
        let requests: Requests = self
            .clients
            .iter()
            .enumerate()
            .map(|(number, client)| {
                let head = Head {
                    method: "POST",
                    path: &format!(
                        "/api/v1/organizations/{}/configurations",
                        self.tenant(number)
                    ),
                    host: &host,
                    bearer: Some(token),
                };
                let key = client.key().public_key();
                let body = admin::configuration(client.issuer(), key, ALGORITHM);
                head.with(Body::Json(&body.to_string()))
            })
            .collect();
        ask_all(server, &requests, (201, b"\"id\""))
    }

    /// One token for every client: what is loaded and parsed at its first use is not part of the cost of a token.
    fn warm(&self, server: &Server) -> Result<(), String> {
        let assertions = clients::presign(&self.clients, self.clients.len(), server.cores())?;
        let host = server.address.to_string();
        let requests: Requests = assertions
            .iter()
            .enumerate()
            .map(|(number, assertion)| token_request(&host, self.tenant(number), assertion))
            .collect();
        ask_all(server, &requests, (200, b"\"access_token\""))
    }

    /// The organization of a client.
    fn tenant(&self, client: usize) -> &str {
        &self.tenants[client / PER_ORGANIZATION]
    }

    /// Milliseconds from starting the program to the first access token. The files are in the page cache.
    fn start_to_first_token(&self, launcher: &Launcher) -> Result<f64, String> {
        let last = self.clients.len() - 1;
        let tenant = self.tenant(last);
        let assertion = self.clients[last].assertion(clients::unix_seconds());
        let started = Instant::now();
        let mut server = launcher.spawn(self.data.path())?;
        server.wait_until(|address| {
            let mut admin = Admin::connect(address, "")?;
            admin.exchange(tenant, &assertion, ALGORITHM).map(|_| true)
        })?;
        let elapsed = started.elapsed().as_secs_f64() * 1e3;
        server.stop()?;
        Ok(elapsed)
    }

    /// One round of load over all configurations in turn.
    fn round(&self, server: &Server, options: &Options) -> Result<Figures, String> {
        let timing = options.timing();
        let exchange = Exchange::new(&self.clients[0], ALGORITHM)?;
        let limit = exchange.per_second(server.cores(), timing.limit)?;
        let count = most_in(limit, timing.warm_up + timing.round);
        let assertions = clients::presign(&self.clients, count, server.cores())?;
        let host = server.address.to_string();
        let requests: Requests = assertions
            .iter()
            .enumerate()
            .map(|(number, assertion)| {
                token_request(&host, self.tenant(number % self.clients.len()), assertion)
            })
            .collect();
        let plan = Plan {
            address: server.address,
            requests: &requests,
            supply: Supply::Once,
            pace: Pace::Closed,
            connections: CONNECTIONS,
            warm_up: timing.warm_up,
            duration: timing.round,
            status: 200,
            marker: b"\"access_token\"",
        };
        Figures::measure(server, &plan)
    }
}

/// Sends each request once; all must be answered with the status and the marker.
fn ask_all(
    server: &Server,
    requests: &Requests,
    (status, marker): (u16, &'static [u8]),
) -> Result<(), String> {
    let plan = Plan {
        address: server.address,
        requests,
        supply: Supply::Once,
        pace: Pace::Closed,
        connections: SEEDERS,
        warm_up: Duration::ZERO,
        duration: Duration::from_secs(3600),
        status,
        marker,
    };
    let outcome =
        load::run(&plan, || Ok(())).map_err(|error| format!("{error}\n{}", server.log_end()))?;
    match outcome.first_failure {
        None => Ok(()),
        Some(first) => Err(format!(
            "{} of the requests before the measurement failed; the first: {first}",
            outcome.failures
        )),
    }
}
