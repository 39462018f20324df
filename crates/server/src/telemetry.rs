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
    // A log that cannot be written (its disk is full, its reader is gone) must not end a request: by default the
    // subscriber would say so on the same standard error, and panic there.
    let subscriber = fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .log_internal_errors(false);
    // A second start, in a test, keeps the first subscriber.
    let _already_started = match format {
        LogFormat::Json => subscriber.json().flatten_event(true).try_init(),
        LogFormat::Pretty => subscriber.with_target(false).compact().try_init(),
    };
    Ok(())
}
