//! The clock, why it never runs backwards here, and why nodes go by one.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};

use countersign_domain::time::UnixTime;
use countersign_store::CLOCK_TOLERANCE;

use crate::Service;
use crate::error::ServiceError;

/// Tells the time. The binary has the wall clock; tests have one that they set.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> UnixTime;
}

/// How far the clock may step back before nothing is issued any more, in seconds.
pub const TOLERATED_STEP_BACK: i64 = 30;

/// Why nothing is issued by a clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockDistrusted {
    /// It is not that of the database that nodes share: used assertions could be forgotten too early.
    Apart {
        /// How far ahead of the database's, in seconds; negative when it is behind.
        seconds: i64,
    },
    /// It has stepped back further than is tolerated: used assertions may have been forgotten, so none is accepted.
    SteppedBack {
        /// How far, in seconds.
        seconds: i64,
    },
}

impl fmt::Display for ClockDistrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Apart { seconds } => write!(
                f,
                "the clock of this node is {seconds} s ahead of the database's"
            ),
            Self::SteppedBack { seconds } => write!(f, "the clock has stepped back by {seconds} s"),
        }
    }
}

/// A clock that remembers the latest moment it has shown, also across restarts (conformance Part 3 no. 21).
pub struct MonotonicClock {
    clock: Box<dyn Clock>,
    high_water: AtomicI64,
    apart: AtomicI64,
}

impl MonotonicClock {
    /// A clock that has shown `high_water` before.
    #[must_use]
    pub fn new(clock: Box<dyn Clock>, high_water: UnixTime) -> Self {
        Self {
            clock,
            high_water: AtomicI64::new(high_water.seconds()),
            apart: AtomicI64::new(0),
        }
    }

    /// Holds the clock against that of the database, and says how far ahead it is, in seconds. Beyond what is tolerated
    /// nothing is issued, until it is held against it again.
    pub fn compare(&self, database: UnixTime) -> i64 {
        let apart = self.clock.now().seconds() - database.seconds();
        self.apart.store(apart, Ordering::Relaxed);
        apart
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
    /// [`ClockDistrusted`] when the clock was found to be more than 30 seconds from the database's, or has stepped back by
    /// more than 30 seconds.
    pub fn now_for_issuing(&self) -> Result<UnixTime, ClockDistrusted> {
        let apart = self.apart.load(Ordering::Relaxed);
        if apart.abs() > CLOCK_TOLERANCE {
            return Err(ClockDistrusted::Apart { seconds: apart });
        }
        let now = self.clock.now().seconds();
        let before = self.high_water.fetch_max(now, Ordering::Relaxed);
        match before - now {
            seconds if seconds > TOLERATED_STEP_BACK => {
                Err(ClockDistrusted::SteppedBack { seconds })
            }
            _ => Ok(UnixTime::from_seconds(now.max(before))),
        }
    }
}

impl Service {
    /// The time by which is kept and forgotten what several nodes share: that of their database. Where there is one node,
    /// it is its own. Notices when the two are apart.
    ///
    /// # Errors
    /// When the store is unavailable.
    pub(crate) async fn shared_now(&self) -> Result<UnixTime, ServiceError> {
        let mut unit = self.store().read().await?;
        let Some(database) = unit.database_time().await? else {
            return Ok(self.now());
        };
        let ahead = self.clock().compare(database);
        #[expect(clippy::cast_precision_loss, reason = "seconds are far below 2^53")]
        metrics::gauge!("countersign_clock_ahead_seconds").set(ahead as f64);
        if ahead.abs() > CLOCK_TOLERANCE {
            tracing::error!(
                ahead,
                "the clock of this node is not the database's: nothing is issued; set it right"
            );
        }
        Ok(database)
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
        assert_eq!(
            clock.now_for_issuing(),
            Err(ClockDistrusted::SteppedBack { seconds: 31 })
        );
        assert_eq!(clock.now().seconds(), 1000);
    }

    #[test]
    fn f8_a_clock_that_is_not_the_databases_issues_nothing() {
        let wall = std::sync::Arc::new(Fixed(AtomicI64::new(1000)));
        let clock = MonotonicClock::new(Box::new(wall.clone()), UnixTime::from_seconds(0));
        for (database, apart) in [(970, 30), (1030, -30), (969, 31), (1031, -31)] {
            assert_eq!(clock.compare(UnixTime::from_seconds(database)), apart);
            let refused = Err(ClockDistrusted::Apart { seconds: apart });
            let now = Ok(UnixTime::from_seconds(1000));
            let expected = if apart.abs() > 30 { refused } else { now };
            assert_eq!(clock.now_for_issuing(), expected, "{apart}");
        }
    }
}
