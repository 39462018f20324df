//! Time as the rules see it: whole seconds since the Unix epoch, handed in by the caller.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A moment, in seconds since 1970-01-01T00:00:00Z (RFC 7519 `NumericDate` without fractions).
///
/// In JSON it is an RFC 3339 text in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(i64);

/// The latest moment that can be written in RFC 3339 (9999-12-31T23:59:59Z).
const LATEST: i64 = 253_402_300_799;

impl UnixTime {
    /// The moment `seconds` after the epoch; values outside the years 1970–9999 are clamped to them.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        if seconds < 0 {
            Self(0)
        } else if seconds > LATEST {
            Self(LATEST)
        } else {
            Self(seconds)
        }
    }

    /// Seconds since the epoch, never negative.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0
    }

    /// This moment moved by `seconds`, clamped like [`UnixTime::from_seconds`].
    #[must_use]
    pub const fn plus(self, seconds: i64) -> Self {
        Self::from_seconds(self.0.saturating_add(seconds))
    }

    /// Parses an RFC 3339 timestamp; fractions of a second are dropped.
    ///
    /// # Errors
    /// [`MalformedTime`] when the text is not RFC 3339 or lies outside the years 1970–9999.
    pub fn parse_rfc3339(text: &str) -> Result<Self, MalformedTime> {
        let timestamp: jiff::Timestamp = text.parse().map_err(|_| MalformedTime)?;
        match timestamp.as_second() {
            seconds @ 0..=LATEST => Ok(Self(seconds)),
            _ => Err(MalformedTime),
        }
    }
}

impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_second(self.0) {
            Ok(timestamp) => fmt::Display::fmt(&timestamp, f),
            Err(_) => fmt::Display::fmt(&self.0, f),
        }
    }
}

/// The text is not an RFC 3339 timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an RFC 3339 timestamp, for example 2027-01-31T12:00:00Z")]
pub struct MalformedTime;

impl Serialize for UnixTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for UnixTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse_rfc3339(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_written_and_read_as_rfc_3339() {
        let moment = UnixTime::from_seconds(1_795_467_600);
        let json = serde_json::to_string(&moment).unwrap();
        assert_eq!(json, "\"2026-11-23T21:00:00Z\"");
        assert_eq!(serde_json::from_str::<UnixTime>(&json).unwrap(), moment);
    }

    #[test]
    fn arithmetic_never_leaves_the_representable_years() {
        assert_eq!(
            UnixTime::from_seconds(i64::MAX).plus(i64::MAX).seconds(),
            LATEST
        );
        assert_eq!(UnixTime::from_seconds(5).plus(i64::MIN).seconds(), 0);
    }
}
