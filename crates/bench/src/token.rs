//! `token`: assertions for access tokens, with the durable ledger, against the limit of the cryptography.

use countersign_crypto::SigningAlgorithm;

use crate::clients::{self, Client, ISSUER};
use crate::figures::Figures;
use crate::limit::{Exchange, most_in};
use crate::load::{Pace, Plan, Supply};
use crate::options::{Options, Timing};
use crate::requests::{Requests, token_request};
use crate::server::Launcher;
use crate::table::{Table, grouped, verdict};

/// Connections of the open loops: more than are ever busy, unless the server stalls.
const OPEN_CONNECTIONS: usize = 256;

/// The highest p99 of an open loop at [`OPEN_TARGET_RATE`], in milliseconds.
const OPEN_TARGET_P99_MS: f64 = 5.0;

/// The rate at which the target for the open loop holds.
const OPEN_TARGET_RATE: u32 = 6_000;

/// The part of the capacity that an open loop may ask for: beyond it, latency only measures the length of the run.
const OPEN_SHARE: f64 = 0.7;

/// An algorithm for assertions, one for access tokens, and what is wanted of them.
struct Combination {
    incoming: SigningAlgorithm,
    outgoing: SigningAlgorithm,
    /// Connections, and the least ratio to the limit.
    targets: &'static [(usize, f64)],
}

/// Neighbours with the same incoming algorithm share their presigned assertions.
const COMBINATIONS: [Combination; 4] = [
    Combination {
        incoming: SigningAlgorithm::Rs256,
        outgoing: SigningAlgorithm::Es256,
        targets: &[(32, 0.45), (256, 0.60)],
    },
    Combination {
        incoming: SigningAlgorithm::Rs256,
        outgoing: SigningAlgorithm::EdDsa,
        targets: &[(256, 0.55)],
    },
    Combination {
        incoming: SigningAlgorithm::Rs256,
        outgoing: SigningAlgorithm::Rs256,
        targets: &[(256, 0.90)],
    },
    Combination {
        incoming: SigningAlgorithm::Es256,
        outgoing: SigningAlgorithm::Es256,
        targets: &[(256, 0.70)],
    },
];

impl Combination {
    /// `RS256-ES256`.
    fn name(&self) -> String {
        format!("{}-{}", self.incoming, self.outgoing)
    }
}

/// Assertions of one client, good for every freshly created server.
struct Pool {
    client: Client,
    assertions: Vec<String>,
}

/// One kind of load.
#[derive(Clone, Copy)]
struct Load {
    connections: usize,
    pace: Pace,
}

/// What all rounds of a run have in common.
struct Bench<'a> {
    launcher: &'a Launcher,
    options: &'a Options,
    timing: Timing,
}

/// Runs the benchmark and prints its table.
///
/// # Errors
/// A sentence, when a measurement could not be made.
pub(crate) fn run(launcher: &Launcher, options: &Options) -> Result<(), String> {
    let wanted = |combination: &&Combination| {
        let only = options.only.as_deref();
        only.is_none_or(|name| name == combination.name())
    };
    let chosen: Vec<&Combination> = COMBINATIONS.iter().filter(wanted).collect();
    if chosen.is_empty() {
        let names: Vec<String> = COMBINATIONS.iter().map(Combination::name).collect();
        return Err(format!("--only takes one of {}", names.join(", ")));
    }
    let bench = Bench {
        launcher,
        options,
        timing: options.timing(),
    };
    for group in chosen.chunk_by(|left, right| left.incoming == right.incoming) {
        let pool = bench.presign(group)?;
        for combination in group {
            bench.combination(combination, &pool)?;
        }
    }
    Ok(())
}

impl Bench<'_> {
    /// Signs what the fastest combination can use up in a round.
    fn presign(&self, group: &[&Combination]) -> Result<Pool, String> {
        let cores = self.launcher.cores;
        let client = Client::new(ISSUER, group[0].incoming);
        let mut fastest: f64 = 0.0;
        for combination in group {
            let exchange = Exchange::new(&client, combination.outgoing)?;
            fastest = fastest.max(exchange.per_second(cores, self.timing.limit)?);
        }
        let count = self.most_in_a_round(fastest);
        println!("signing {count} assertions with {} …", group[0].incoming);
        let assertions = clients::presign(std::slice::from_ref(&client), count, cores)?;
        Ok(Pool { client, assertions })
    }

    fn most_in_a_round(&self, limit: f64) -> usize {
        most_in(limit, self.timing.warm_up + self.timing.round)
    }

    fn combination(&self, combination: &Combination, pool: &Pool) -> Result<(), String> {
        let exchange = Exchange::new(&pool.client, combination.outgoing)?;
        let table = Table::begin(&[
            "combination and load          ",
            "limit/s",
            "tokens/s",
            "p50 ms ",
            "p99 ms ",
            "p99.9 ms",
            "CPU µs",
            "RSS MiB",
            "ratio",
            "target",
            "met",
        ]);
        let mut capacity: f64 = 0.0;
        for &connections in &self.options.connections {
            let load = Load {
                connections,
                pace: Pace::Closed,
            };
            let (limit, figures) = self.rounds(combination, pool, &exchange, load)?;
            capacity = capacity.max(figures.per_second);
            let label = format!("{} {connections} conn.", combination.name());
            let target = combination
                .targets
                .iter()
                .find(|target| target.0 == connections);
            let target =
                target.map(|(_, least)| (format!("≥ {least:.2}"), figures.ratio >= *least));
            print_row(&table, label, limit, &figures, target);
        }
        for rate in self.open_rates(capacity) {
            let load = Load {
                connections: OPEN_CONNECTIONS,
                pace: Pace::Open { per_second: rate },
            };
            let (limit, figures) = self.rounds(combination, pool, &exchange, load)?;
            let label = format!("{} open {rate}/s", combination.name());
            let kept = figures.per_second >= 0.98 * f64::from(rate);
            let met = kept && figures.latency_ms[1] <= OPEN_TARGET_P99_MS;
            let target = (rate == OPEN_TARGET_RATE).then(|| ("p99 ≤ 5".to_owned(), met));
            print_row(&table, label, limit, &figures, target);
        }
        Ok(())
    }

    /// The wanted rates, lowered to what the server can bear, each once.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "below a wanted rate, which is such a number"
    )]
    fn open_rates(&self, capacity: f64) -> Vec<u32> {
        let bearable = if capacity > 0.0 {
            OPEN_SHARE * capacity
        } else {
            f64::MAX
        };
        let lowered = |rate: &u32| {
            if f64::from(*rate) <= bearable {
                *rate
            } else {
                (bearable as u32 / 100).max(1) * 100
            }
        };
        let mut rates: Vec<u32> = self.options.rates.iter().map(lowered).collect();
        rates.dedup();
        rates
    }

    /// The medians of some rounds, and of the limits around them.
    fn rounds(
        &self,
        combination: &Combination,
        pool: &Pool,
        exchange: &Exchange,
        load: Load,
    ) -> Result<(f64, Figures), String> {
        let mut limits = Vec::new();
        let mut rounds = Vec::new();
        for _ in 0..self.options.rounds {
            let before = exchange.per_second(self.launcher.cores, self.timing.limit)?;
            let mut figures = self.round(combination, pool, load, before)?;
            let after = exchange.per_second(self.launcher.cores, self.timing.limit)?;
            let limit = f64::midpoint(before, after);
            figures.ratio = figures.per_second / limit;
            limits.push(limit);
            rounds.push(figures);
        }
        Ok((crate::latency::median(limits), Figures::median(&rounds)))
    }

    /// One round on a fresh server with one organization and one configuration.
    fn round(
        &self,
        combination: &Combination,
        pool: &Pool,
        load: Load,
        limit: f64,
    ) -> Result<Figures, String> {
        let data = self.launcher.data()?;
        let server = self.launcher.start(data.path())?;
        let mut admin = server.admin()?;
        let tenant = admin.create_organization("benchmark", combination.outgoing)?;
        let key = pool.client.key().public_key();
        admin.create_configuration(&tenant, key, combination.incoming)?;
        let first = pool.client.assertion(clients::unix_seconds());
        admin.exchange(&tenant, &first, combination.outgoing)?;
        drop(admin);

        let host = server.address.to_string();
        let count = self.most_in_a_round(limit);
        let requests: Requests = pool
            .assertions
            .iter()
            .take(count)
            .map(|assertion| token_request(&host, &tenant, assertion))
            .collect();
        let plan = Plan {
            address: server.address,
            requests: &requests,
            supply: Supply::Once,
            pace: load.pace,
            connections: load.connections,
            warm_up: self.timing.warm_up,
            duration: self.timing.round,
            status: 200,
            marker: b"\"access_token\"",
        };
        let figures = Figures::measure(&server, &plan)?;
        server.stop()?;
        Ok(figures)
    }
}

fn print_row(
    table: &Table,
    label: String,
    limit: f64,
    figures: &Figures,
    target: Option<(String, bool)>,
) {
    let [p50, p99, p999] = figures.latency_ms;
    let (wanted, met) = match target {
        Some((wanted, met)) => (wanted, verdict(met && figures.failures == 0)),
        None => (String::new(), String::new()),
    };
    table.row(&[
        label,
        grouped(limit),
        grouped(figures.per_second),
        format!("{p50:.2}"),
        format!("{p99:.2}"),
        format!("{p999:.2}"),
        format!("{:.1}", figures.cpu_us),
        format!("{:.0}", figures.resident_mib),
        format!("{:.2}", figures.ratio),
        wanted,
        met,
    ]);
    figures.print_failures();
}
