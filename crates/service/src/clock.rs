//! The clock, and why it never runs backwards here.

use std::sync::atomic::{AtomicI64, Ordering};

use countersign_domain::time::UnixTime;

/// Tells the time. The binary has the wall clock; tests have one that they set.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> UnixTime;
}

/// How far the clock may step back before nothing is issued any more, in seconds.
pub const TOLERATED_STEP_BACK: i64 = 30;

/// The clock has stepped back further than is tolerated: used assertions may have been forgotten, so none is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SteppedBack {
    /// How far, in seconds.
    pub seconds: i64,
}

/// A clock that remembers the latest moment it has shown, also across restarts (conformance Part 3 no. 21).
pub struct MonotonicClock {
    clock: Box<dyn Clock>,
    high_water: AtomicI64,
}

impl MonotonicClock {
    /// A clock that has shown `high_water` before.
    #[must_use]
    pub fn new(clock: Box<dyn Clock>, high_water: UnixTime) -> Self {
        Self {
            clock,
            high_water: AtomicI64::new(high_water.seconds()),
        }
    }

    /// The time now, never earlier than any time shown before.
    pub fn now(&self) -> UnixTime {
        let now = self.clock.now().seconds();
        let before = self.high_water.fetch_max(now, Ordering::Relaxed);
        UnixTime::from_seconds(now.max(before))
    }

    /// The time now, for issuing.
    ///
    /// # Errors
    /// [`SteppedBack`] when the clock has stepped back by more than 30 seconds.
    pub fn now_for_issuing(&self) -> Result<UnixTime, SteppedBack> {
        let now = self.clock.now().seconds();
        let before = self.high_water.fetch_max(now, Ordering::Relaxed);
        match before - now {
            seconds if seconds > TOLERATED_STEP_BACK => Err(SteppedBack { seconds }),
            _ => Ok(UnixTime::from_seconds(now.max(before))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(AtomicI64);

    impl Clock for std::sync::Arc<Fixed> {
        fn now(&self) -> UnixTime {
            UnixTime::from_seconds(self.0.load(Ordering::Relaxed))
        }
    }

    #[test]
    fn a_clock_that_steps_back_shows_the_old_time_and_then_stops_issuing() {
        let wall = std::sync::Arc::new(Fixed(AtomicI64::new(1000)));
        let clock = MonotonicClock::new(Box::new(wall.clone()), UnixTime::from_seconds(0));
        assert_eq!(clock.now_for_issuing().unwrap().seconds(), 1000);
        wall.0.store(970, Ordering::Relaxed);
        assert_eq!(clock.now_for_issuing().unwrap().seconds(), 1000);
        wall.0.store(969, Ordering::Relaxed);
        assert_eq!(clock.now_for_issuing(), Err(SteppedBack { seconds: 31 }));
        assert_eq!(clock.now().seconds(), 1000);
    }
}
