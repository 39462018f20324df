//! The load generator: one thread, all connections, never asleep.
//!
//! It polls without waiting. A generator that sleeps must be woken by the server's writes, and the kernel bills the
//! waking (15–25 µs in a virtual machine) to the server.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token};

use crate::connection::Connection;
use crate::latency::Latencies;
use crate::requests::Requests;

/// How long after the end of a round answers are still awaited.
const DRAIN: Duration = Duration::from_secs(2);

/// Whether a request may be sent more than once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Supply {
    /// Each request once; the round ends early when they run out.
    Once,
    /// From the first again after the last.
    Repeat,
}

/// When the next request is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Each connection asks again as soon as it was answered.
    Closed,
    /// Evenly spaced in time, whatever the server does. Latency counts from the time at which a request was due,
    /// so that a stall is felt by all that it delays.
    Open {
        /// Requests in a second.
        per_second: u32,
    },
}

/// What to send, where, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan<'a> {
    /// The server.
    pub(crate) address: SocketAddr,
    /// The requests, in the order of sending.
    pub(crate) requests: &'a Requests,
    /// Whether they may be repeated.
    pub(crate) supply: Supply,
    /// When they are sent.
    pub(crate) pace: Pace,
    /// Open connections.
    pub(crate) connections: usize,
    /// Time before the measurement.
    pub(crate) warm_up: Duration,
    /// Time of the measurement.
    pub(crate) duration: Duration,
    /// The status that counts as success.
    pub(crate) status: u16,
    /// What the body of a success contains.
    pub(crate) marker: &'a [u8],
}

/// What a round measured.
#[derive(Debug)]
pub(crate) struct Outcome<P> {
    /// Successes within the measured time.
    pub(crate) successes: usize,
    /// The measured time.
    pub(crate) elapsed: Duration,
    /// Of the requests that were due within the measured time and succeeded.
    pub(crate) latencies: Latencies,
    /// Other answers, and requests without one, during the whole round.
    pub(crate) failures: usize,
    /// Status and body of the first such answer.
    pub(crate) first_failure: Option<String>,
    /// What the probe saw at the beginning and at the end of the measured time.
    pub(crate) probes: [P; 2],
}

impl<P> Outcome<P> {
    /// Successes in a second.
    pub(crate) fn per_second(&self) -> f64 {
        self.successes as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }
}

/// Runs one round.
///
/// # Errors
/// A sentence, when the server cannot be reached, closes a connection or does not speak HTTP, or the probe fails.
pub(crate) fn run<P>(
    plan: &Plan<'_>,
    probe: impl Fn() -> Result<P, String>,
) -> Result<Outcome<P>, String> {
    let mut generator = Generator::connect(plan)?;
    let started = Instant::now();
    generator.window = [
        started + plan.warm_up,
        started + plan.warm_up + plan.duration,
    ];
    generator.begin(started)?;
    while Instant::now() < generator.window[0] && !generator.is_exhausted() {
        generator.turn(Phase::Sending)?;
    }
    let before = probe()?;
    generator.successes = 0;
    while Instant::now() < generator.window[1] && !generator.is_exhausted() {
        generator.turn(Phase::Sending)?;
    }
    if plan.supply == Supply::Once && plan.warm_up.is_zero() {
        // Somebody wants them all answered, and to know how long that took.
        while !generator.is_idle() {
            generator.turn(Phase::Draining)?;
        }
    }
    let (successes, ended) = (generator.successes, Instant::now());
    generator.window[1] = generator.window[1].min(ended);
    let after = probe()?;
    let drain_until = ended + DRAIN;
    while !generator.is_idle() && Instant::now() < drain_until {
        generator.turn(Phase::Draining)?;
    }
    Ok(Outcome {
        successes,
        elapsed: ended.saturating_duration_since(generator.window[0]),
        failures: generator.failures + generator.unanswered(),
        latencies: generator.latencies,
        first_failure: generator.first_failure,
        probes: [before, after],
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Sending,
    /// No new request becomes due; those that are due are still sent.
    Draining,
}

struct Generator<'a> {
    plan: &'a Plan<'a>,
    poll: Poll,
    events: Events,
    connections: Vec<Connection>,
    /// Connections without a request under way.
    idle: Vec<usize>,
    /// Requests sent so far.
    sent: usize,
    /// Open loop: when the first request was due.
    first_due: Instant,
    /// Open loop: requests that have become due so far.
    due: usize,
    window: [Instant; 2],
    successes: usize,
    latencies: Latencies,
    failures: usize,
    first_failure: Option<String>,
}

impl<'a> Generator<'a> {
    fn connect(plan: &'a Plan<'a>) -> Result<Self, String> {
        let poll = Poll::new().map_err(|error| format!("cannot poll: {error}"))?;
        let now = Instant::now();
        let connections = (0..plan.connections)
            .map(|number| {
                let mut connection = Connection::open(plan.address)?;
                let interest = Interest::READABLE | Interest::WRITABLE;
                poll.registry()
                    .register(&mut connection.stream, Token(number), interest)
                    .map_err(|error| format!("cannot watch a connection: {error}"))?;
                Ok(connection)
            })
            .collect::<Result<Vec<_>, String>>()?;
        Ok(Self {
            plan,
            poll,
            events: Events::with_capacity(1024),
            idle: (0..connections.len()).rev().collect(),
            connections,
            sent: 0,
            first_due: now,
            due: 0,
            window: [now; 2],
            successes: 0,
            latencies: Latencies::default(),
            failures: 0,
            first_failure: None,
        })
    }

    fn begin(&mut self, now: Instant) -> Result<(), String> {
        self.first_due = now;
        if self.plan.pace == Pace::Closed {
            while !self.is_exhausted()
                && let Some(number) = self.idle.pop()
            {
                self.ask(number, now)?;
            }
        }
        Ok(())
    }

    /// Handles what has arrived and sends what is due.
    fn turn(&mut self, phase: Phase) -> Result<(), String> {
        let mut events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        match self.poll.poll(&mut events, Some(Duration::ZERO)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => {
                return Err(format!("cannot poll: {error}"));
            }
            Ok(()) | Err(_) => {}
        }
        for event in &events {
            let Token(number) = event.token();
            if event.is_writable() {
                self.connections[number].flush(self.plan.requests)?;
            }
            if event.is_readable() && self.take_answer(number)? {
                if self.plan.pace == Pace::Closed && phase == Phase::Sending {
                    self.ask(number, Instant::now())?;
                } else {
                    self.idle.push(number);
                }
            }
        }
        self.events = events;
        if let Pace::Open { per_second } = self.plan.pace {
            if phase == Phase::Sending {
                let elapsed = self.first_due.elapsed().as_nanos();
                let due = elapsed * u128::from(per_second) / 1_000_000_000 + 1;
                self.due = usize::try_from(due).unwrap_or(usize::MAX);
            }
            self.send_due(per_second)?;
        }
        Ok(())
    }

    fn send_due(&mut self, per_second: u32) -> Result<(), String> {
        let interval = Duration::from_secs(1) / per_second.max(1);
        while self.sent < self.due && !self.is_exhausted() {
            let Some(number) = self.idle.pop() else {
                return Ok(());
            };
            let order = u32::try_from(self.sent).unwrap_or(u32::MAX);
            self.ask(number, self.first_due + interval * order)?;
        }
        Ok(())
    }

    /// Sends the next request on a connection; without one the connection stays idle.
    fn ask(&mut self, number: usize, intended: Instant) -> Result<(), String> {
        if self.is_exhausted() {
            self.idle.push(number);
            return Ok(());
        }
        let request = self.sent % self.plan.requests.len();
        self.sent += 1;
        self.connections[number].send(request, intended, self.plan.requests)
    }

    /// Whether a whole answer was there.
    fn take_answer(&mut self, number: usize) -> Result<bool, String> {
        let connection = &mut self.connections[number];
        let Some((status, body)) = connection.receive()? else {
            return Ok(false);
        };
        let good = status == self.plan.status && contains(body, self.plan.marker);
        if good {
            let intended = connection.intended;
            self.successes += 1;
            if self.window[0] <= intended && intended < self.window[1] {
                self.latencies.record(intended.elapsed());
            }
        } else {
            let text = || format!("{status} {}", String::from_utf8_lossy(body));
            self.first_failure.get_or_insert_with(text);
            self.failures += 1;
        }
        Ok(true)
    }

    fn is_exhausted(&self) -> bool {
        self.plan.supply == Supply::Once && self.sent == self.plan.requests.len()
    }

    fn is_idle(&self) -> bool {
        self.unanswered() == 0
    }

    /// Requests under way, and those that are due and wait for a connection.
    fn unanswered(&self) -> usize {
        let waiting = match self.plan.pace {
            Pace::Open { .. } if !self.is_exhausted() => self.due.saturating_sub(self.sent),
            Pace::Open { .. } | Pace::Closed => 0,
        };
        self.connections.len() - self.idle.len() + waiting
    }
}

fn contains(body: &[u8], marker: &[u8]) -> bool {
    marker.is_empty() || body.windows(marker.len()).any(|part| part == marker)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;
    use crate::requests::{Body, Head};
    use crate::responder::{self, Manners, Responder};

    fn requests(count: usize) -> Requests {
        let head = Head {
            method: "POST",
            path: "/",
            host: "localhost",
            bearer: None,
        };
        (0..count)
            .map(|number| head.with(Body::Form(&format!("n={number}"))))
            .collect()
    }

    fn plan<'a>(responder: &Responder, requests: &'a Requests) -> Plan<'a> {
        Plan {
            address: responder.address,
            requests,
            supply: Supply::Repeat,
            pace: Pace::Closed,
            connections: 4,
            warm_up: Duration::from_millis(20),
            duration: Duration::from_millis(200),
            status: 200,
            marker: b"\"a\"",
        }
    }

    fn no_probe() -> Result<(), String> {
        Ok(())
    }

    #[test]
    fn a_closed_loop_is_bounded_by_connections_over_latency() {
        let responder = responder::start(Manners {
            delay: Duration::from_millis(5),
            ..Manners::default()
        });
        let requests = requests(1);
        let outcome = run(&plan(&responder, &requests), no_probe).unwrap();
        assert_eq!(outcome.failures, 0);
        let rate = outcome.per_second();
        assert!((100.0..=801.0).contains(&rate), "{rate}");
        let [p50, ..] = outcome.latencies.percentiles();
        assert!(p50 >= 5.0, "{p50}");
    }

    #[test]
    fn each_request_is_sent_once_and_answered_when_they_run_out() {
        let responder = responder::start(Manners {
            in_pieces: true,
            ..Manners::default()
        });
        let requests = requests(50);
        let plan = Plan {
            supply: Supply::Once,
            warm_up: Duration::ZERO,
            duration: Duration::from_secs(20),
            ..plan(&responder, &requests)
        };
        let outcome = run(&plan, no_probe).unwrap();
        assert_eq!((outcome.successes, outcome.failures), (50, 0));
        assert_eq!(outcome.latencies.len(), 50);
        assert_eq!(responder.answered.load(Ordering::Relaxed), 50);
    }

    #[test]
    fn connections_for_which_there_is_no_request_stay_idle() {
        let responder = responder::start(Manners::default());
        let requests = requests(3);
        let plan = Plan {
            supply: Supply::Once,
            connections: 8,
            warm_up: Duration::ZERO,
            ..plan(&responder, &requests)
        };
        assert_eq!(run(&plan, no_probe).unwrap().successes, 3);
    }

    #[test]
    fn other_answers_are_failures_and_the_first_one_is_kept() {
        let responder = responder::start(Manners {
            refuse_every: 2,
            ..Manners::default()
        });
        let requests = requests(20);
        let once = Plan {
            supply: Supply::Once,
            warm_up: Duration::ZERO,
            ..plan(&responder, &requests)
        };
        let outcome = run(&once, no_probe).unwrap();
        assert_eq!((outcome.successes, outcome.failures), (10, 10));
        assert_eq!(outcome.first_failure.as_deref(), Some("503 {\"a\": 1}"));

        let fine = responder::start(Manners::default());
        let unmarked = Plan {
            address: fine.address,
            marker: b"access_token",
            ..once
        };
        assert_eq!(run(&unmarked, no_probe).unwrap().successes, 0);
    }

    #[test]
    fn an_open_loop_keeps_its_rate_and_counts_a_stall_against_all_that_it_delays() {
        let stall = Duration::from_millis(150);
        let responder = responder::start(Manners {
            one_stall: stall,
            ..Manners::default()
        });
        let requests = requests(1);
        let open = Plan {
            pace: Pace::Open { per_second: 500 },
            connections: 1,
            duration: Duration::from_millis(600),
            ..plan(&responder, &requests)
        };
        let outcome = run(&open, no_probe).unwrap();
        assert_eq!(outcome.failures, 0);
        let rate = outcome.per_second();
        assert!((300.0..=700.0).contains(&rate), "{rate}");
        // One answer was late by itself; some 75 requests were due while the only connection was stalled.
        let delayed = outcome.latencies.percentiles()[1];
        assert!(delayed > 100.0, "p99 {delayed} ms");
    }

    #[test]
    fn a_server_that_closes_is_an_error_and_not_a_figure() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || drop(listener.accept()));
        let requests = requests(1);
        let closing = Plan {
            address,
            requests: &requests,
            connections: 1,
            ..plan(&responder::start(Manners::default()), &requests)
        };
        let error = run(&closing, no_probe).unwrap_err();
        assert!(error.contains("closed"), "{error}");
    }
}
