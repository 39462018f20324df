//! A task that everybody depends on, begun again when it has panicked.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The pause before a task is begun again, so that one that panics at once does not keep a processor busy.
const PAUSE: Duration = Duration::from_millis(if cfg!(test) { 50 } else { 1000 });

/// Runs tasks one after the other until one of them ends by itself, on the current runtime. `runs` tells whether one
/// runs.
#[expect(
    clippy::disallowed_methods,
    reason = "nothing tells when a fault is over"
)]
pub(crate) fn supervise<F>(
    what: &'static str,
    runs: Arc<AtomicBool>,
    task: impl Fn() -> F + Send + 'static,
) where
    F: Future<Output = ()> + Send + 'static,
{
    tokio::spawn(async move {
        loop {
            runs.store(true, Ordering::Relaxed);
            let ended = tokio::spawn(task()).await;
            runs.store(false, Ordering::Relaxed);
            match ended {
                Err(error) if error.is_panic() => {
                    metrics::counter!("countersign_tasks_restarted_total", "task" => what)
                        .increment(1);
                    tracing::error!(what, "ALARM: a task has panicked; it is begun again");
                    tokio::time::sleep(PAUSE).await;
                }
                _ => return,
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;

    #[tokio::test]
    #[expect(clippy::disallowed_methods, reason = "the pause is what is tested")]
    async fn a_task_that_panics_is_begun_again_and_is_known_not_to_run_until_then() {
        let (runs, begun) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicU32::new(0)));
        let count = Arc::clone(&begun);
        supervise("test", Arc::clone(&runs), move || {
            let nth = count.fetch_add(1, Ordering::Relaxed);
            async move {
                assert!(nth > 0, "the first one panics");
                tokio::time::sleep(PAUSE).await;
            }
        });
        for expected in [false, true, false] {
            let changed = async {
                while runs.load(Ordering::Relaxed) != expected {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            };
            let changed = tokio::time::timeout(100 * PAUSE, changed).await;
            assert!(changed.is_ok(), "it does not become {expected}");
        }
        assert_eq!(begun.load(Ordering::Relaxed), 2, "it has ended by itself");
    }
}
