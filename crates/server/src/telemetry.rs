//! Logs: structured, one line each, to standard error.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::cli::LogFormat;
use crate::failure::ServerFailure;

/// Starts logging.
///
/// # Errors
/// When the filter is malformed.
pub(crate) fn start(format: LogFormat, level: &str) -> Result<(), ServerFailure> {
    let filter = EnvFilter::try_new(level).map_err(|_| {
        ServerFailure::new(format!(
            "--log-level: `{level}` is neither a level nor a filter"
        ))
    })?;
    let subscriber = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second start, in a test, keeps the first subscriber.
    let _already_started = match format {
        LogFormat::Json => subscriber.json().flatten_event(true).try_init(),
        LogFormat::Pretty => subscriber.with_target(false).compact().try_init(),
    };
    Ok(())
}
