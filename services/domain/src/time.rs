//! The one time type: microseconds since the Unix epoch, UTC, always written with six fraction digits.
//!
//! The fixed width matters: the log stamps `recorded_at` into already canonical bytes in place.

use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A moment in UTC with microsecond resolution, between 1970-01-01 and 9999-12-31 inclusive.
///
/// Its text form is RFC 3339 with exactly six fraction digits and `Z`, 27 bytes long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

/// Why a text or a number is not a [`Timestamp`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// The text is not RFC 3339 with an offset.
    #[error("`{0}` is not an RFC 3339 time with an offset, such as 2026-01-31T09:00:00Z")]
    Syntax(String),
    /// The moment lies outside 1970-01-01 ..= 9999-12-31.
    #[error("`{0}` is outside the years 1970 to 9999")]
    Range(String),
}

impl Timestamp {
    /// 1970-01-01T00:00:00Z; also what an event carries before the log has recorded it.
    pub const EPOCH: Self = Self(0);
    /// The last representable microsecond, 9999-12-31T23:59:59.999999Z.
    pub const MAX: Self = Self(253_402_300_799_999_999);
    /// Bytes of the text form.
    pub const TEXT_LENGTH: usize = 27;

    /// From microseconds since the epoch.
    pub fn from_micros(micros: i64) -> Result<Self, TimeError> {
        if (0..=Self::MAX.0).contains(&micros) {
            Ok(Self(micros))
        } else {
            Err(TimeError::Range(format!("{micros} microseconds")))
        }
    }

    /// Microseconds since the epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// This moment moved by `micros`, held inside the representable range.
    #[must_use]
    pub fn saturating_add_micros(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros).clamp(0, Self::MAX.0))
    }

    /// The same moment as a jiff timestamp.
    pub fn to_jiff(self) -> jiff::Timestamp {
        jiff::Timestamp::from_microsecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    }

    /// From a jiff timestamp, truncated to microseconds.
    pub fn from_jiff(timestamp: jiff::Timestamp) -> Result<Self, TimeError> {
        Self::from_micros(timestamp.as_microsecond())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let civil = jiff::tz::Offset::UTC.to_datetime(self.to_jiff());
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z",
            civil.year(),
            civil.month(),
            civil.day(),
            civil.hour(),
            civil.minute(),
            civil.second(),
            self.0 % 1_000_000
        )
    }
}

impl FromStr for Timestamp {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        match text.parse::<jiff::Timestamp>() {
            Ok(parsed) => Self::from_jiff(parsed).map_err(|_| TimeError::Range(text.to_owned())),
            Err(_) if looks_like_far_year(text) => Err(TimeError::Range(text.to_owned())),
            Err(_) => Err(TimeError::Syntax(text.to_owned())),
        }
    }
}

/// `10000-01-01T…` is well meant but out of range; saying "syntax" would mislead.
fn looks_like_far_year(text: &str) -> bool {
    let digits = text.bytes().skip_while(|b| matches!(b, b'+' | b'-')).take_while(u8::is_ascii_digit).count();
    digits >= 5 && text.matches('-').count() >= 2
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Timestamp {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "format": "date-time",
            "description": "RFC 3339, UTC, microseconds, years 1970 to 9999"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn offsets_are_normalised_to_utc_microseconds() {
        let parsed: Timestamp = "2026-01-31T10:00:00.1234567+01:00".parse().unwrap();
        assert_eq!(parsed.to_string(), "2026-01-31T09:00:00.123456Z");
    }

    #[test]
    fn the_year_10000_is_out_of_range_and_nonsense_is_syntax() {
        assert!(matches!("10000-01-01T00:00:00Z".parse::<Timestamp>(), Err(TimeError::Range(_))));
        assert!(matches!("+010000-01-01T00:00:00Z".parse::<Timestamp>(), Err(TimeError::Range(_))));
        assert!(matches!("yesterday".parse::<Timestamp>(), Err(TimeError::Syntax(_))));
        assert!(matches!("1969-12-31T23:59:59Z".parse::<Timestamp>(), Err(TimeError::Range(_))));
    }

    proptest! {
        #[test]
        fn text_round_trips_at_fixed_width(micros in 0..=Timestamp::MAX.0) {
            let moment = Timestamp::from_micros(micros).unwrap();
            let text = moment.to_string();
            prop_assert_eq!(text.len(), Timestamp::TEXT_LENGTH);
            prop_assert_eq!(text.parse::<Timestamp>().unwrap(), moment);
        }
    }
}
