//! The wall clock: the one place that reads the time of the machine.

use std::time::{SystemTime, UNIX_EPOCH};

use countersign_domain::time::UnixTime;
use countersign_service::Clock;

/// The clock of the machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WallClock;

impl Clock for WallClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock that everything else takes as a parameter"
    )]
    fn now(&self) -> UnixTime {
        let seconds = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |elapsed| elapsed.as_secs());
        UnixTime::from_seconds(i64::try_from(seconds).unwrap_or(i64::MAX))
    }
}
