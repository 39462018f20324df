//! A clock that stands still until a test moves it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use countersign_domain::time::UnixTime;
use countersign_service::Clock;

/// When every test begins: 2027-01-15T08:00:00Z.
pub const NOW: i64 = 1_800_000_000;

/// The midnight after it, 2027-01-16T00:00:00Z: certificates end on a day, not at a second.
pub const MIDNIGHT: i64 = NOW + 57_600;

/// A clock that tests set; its clones show the same time.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    /// A clock that shows [`NOW`].
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(AtomicI64::new(NOW)))
    }

    /// What it shows, in seconds since 1970.
    #[must_use]
    pub fn seconds(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }

    /// Moves it by `seconds`, which may be negative.
    pub fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }

    /// Sets it.
    pub fn set(&self, seconds: i64) {
        self.0.store(seconds, Ordering::SeqCst);
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for ManualClock {
    fn now(&self) -> UnixTime {
        UnixTime::from_seconds(self.seconds())
    }
}
