//! `countersign serve`: puts the parts together and runs until it is told to stop.

use std::net::{SocketAddr, TcpListener};
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::thread;

use countersign_domain::api_tokens::ApiTokenSecret;
use countersign_domain::organizations::PublicUrl;
use countersign_http::{Limits, Tls, bind, bind_all, front, metrics_router, serve};
use countersign_service::{Service, Settings};
use countersign_store::{Database, Store};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::cli::{MetricsListen, ServeArgs};
use crate::data_dir::{DataDir, write_private};
use crate::failure::ServerFailure;
use crate::wall_clock::WallClock;
use crate::{demo, first_run, master_key, offline, telemetry, tls};

/// How long issuances are kept after their tokens have ended, in seconds.
const KEEP_ISSUANCES: u32 = 86_400;

/// Runs the server until SIGINT or SIGTERM.
///
/// One single-threaded runtime per worker, each with a listener of its own on the same address: a request never wakes
/// another thread but for the ledger's commit.
///
/// # Errors
/// When it cannot start, in words.
pub(crate) fn run(args: &ServeArgs) -> Result<(), ServerFailure> {
    telemetry::start(args.log_format, &args.log_level)?;
    let metrics = PrometheusBuilder::new().install_recorder();
    let metrics = metrics.map_err(|error| ServerFailure::new(error.to_string()))?;
    let data = offline::hold(&args.store)?;
    let settings = settings(args)?;
    let first = runtime()?;
    let (stop, stopped) = watch::channel(false);
    // Before anything else: a process that is told to stop while it starts ends in good order, too.
    let signals = first.block_on(async { listen_for_signals() })?;
    let mut certificate = tls::Files::named(&args.tls);
    let tls = certificate.as_mut().map(tls::start).transpose()?;
    warn_of_plain_http(args, tls.as_ref());
    let listeners = listen(args)?;
    let service = first.block_on(start(args, settings, &data))?;
    first.block_on(greet(args, &service, &data))?;
    let (own, workers) = spawn_workers(listeners, tls.as_ref(), &service, &stopped)?;
    let outcome = first.block_on(async {
        tokio::spawn(watch_signals(signals, stop));
        if let MetricsListen::At(address) = args.metrics_listen {
            tokio::spawn(serve_metrics(address, metrics, stopped.clone()));
        }
        if let Some((certificate, tls)) = certificate.zip(tls.clone()) {
            tokio::spawn(tls::follow(certificate, tls));
        }
        let limits = Limits::default();
        serve(own, tls, front(&service), limits, stopped.clone())
            .await
            .map_err(|error| ServerFailure::new(error.to_string()))
    });
    for worker in workers {
        drop(worker.join());
    }
    first.block_on(service.stop());
    outcome
}

fn settings(args: &ServeArgs) -> Result<Settings, ServerFailure> {
    let public_url = PublicUrl::parse(&args.public_url())
        .map_err(|error| ServerFailure::new(format!("--public-url: {error}")))?;
    let requests_per_second = NonZeroU32::new(args.rate_limit);
    Ok(Settings {
        public_url,
        requests_per_second,
        keep_issuances: KEEP_ISSUANCES,
    })
}

async fn start(
    args: &ServeArgs,
    settings: Settings,
    data: &DataDir,
) -> Result<Arc<Service>, ServerFailure> {
    let master = master_key::read_or_create(data)?;
    let database = Database::open(&offline::database_url(&args.store, data)?).await?;
    let store = Store::new(database, master.mac_key("row"));
    Ok(Service::start(settings, store, master, Box::new(WallClock)).await?)
}

/// Tells the person at the terminal where the server is, and at the first start how to go on.
async fn greet(args: &ServeArgs, service: &Service, data: &DataDir) -> Result<(), ServerFailure> {
    let public_url = args.public_url();
    let path = data.platform_token();
    let keep = |secret: &ApiTokenSecret| write_private(&path, secret.reveal().as_bytes());
    match service.first_platform_token(keep).await? {
        Some(first) => {
            first_run::welcome(&public_url, first.secret.reveal(), &path);
        }
        None => first_run::running(&public_url),
    }
    if args.demo {
        first_run::demonstration(&demo::make(service, data).await?, &public_url);
    }
    Ok(())
}

/// Starts every worker but the first, which is the calling thread; its listener is returned.
fn spawn_workers(
    mut listeners: Vec<TcpListener>,
    tls: Option<&Tls>,
    service: &Arc<Service>,
    stopped: &watch::Receiver<bool>,
) -> Result<(TcpListener, Vec<thread::JoinHandle<()>>), ServerFailure> {
    let own = listeners
        .pop()
        .ok_or_else(|| ServerFailure::new("there is no listener"))?;
    let mut workers = Vec::with_capacity(listeners.len());
    for listener in listeners {
        let (front, stopped, runtime) = (front(service), stopped.clone(), runtime()?);
        let tls = tls.cloned();
        let worker = thread::Builder::new()
            .name("worker".to_owned())
            .spawn(move || {
                let limits = Limits::default();
                let served = runtime.block_on(serve(listener, tls, front, limits, stopped));
                if let Err(error) = served {
                    tracing::error!(%error, "a worker has ended");
                }
            });
        workers.push(worker.map_err(|error| ServerFailure::new(error.to_string()))?);
    }
    Ok((own, workers))
}

/// One listener for each worker, all on the same address.
fn listen(args: &ServeArgs) -> Result<Vec<TcpListener>, ServerFailure> {
    let available = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    bind_all(args.listen, args.workers.unwrap_or(available))
        .map_err(|error| ServerFailure::new(format!("cannot listen on {}: {error}", args.listen)))
}

/// A proxy in front may terminate TLS, so this is no refusal.
fn warn_of_plain_http(args: &ServeArgs, tls: Option<&Tls>) {
    if tls.is_none() && !args.listen.ip().to_canonical().is_loopback() {
        tracing::warn!(
            listen = %args.listen,
            "plain HTTP on an address that is not loopback: assertions and tokens can be read on the way. Let nobody but \
             a proxy that terminates TLS reach it, or give --tls-certificate and --tls-key"
        );
    }
}

fn runtime() -> Result<Runtime, ServerFailure> {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| ServerFailure::new(error.to_string()))
}

async fn serve_metrics(
    address: SocketAddr,
    metrics: PrometheusHandle,
    stopped: watch::Receiver<bool>,
) {
    match bind(address, false) {
        Ok(listener) => {
            let router = metrics_router(move || metrics.render());
            if let Err(error) = serve(listener, None, router, Limits::default(), stopped).await {
                tracing::error!(%error, "the metrics listener has ended");
            }
        }
        Err(error) => {
            tracing::warn!(%error, %address, "metrics are off: the address cannot be listened on");
        }
    }
}

/// SIGINT and SIGTERM, from now on.
fn listen_for_signals() -> Result<[Signal; 2], ServerFailure> {
    let listen = |kind| signal(kind).map_err(|error| ServerFailure::new(error.to_string()));
    Ok([
        listen(SignalKind::interrupt())?,
        listen(SignalKind::terminate())?,
    ])
}

async fn watch_signals([mut interrupt, mut terminate]: [Signal; 2], stop: watch::Sender<bool>) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    tracing::info!("stopping: finishing requests in flight");
    stop.send_replace(true);
}
