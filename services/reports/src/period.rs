//! The stretch of time a report is about, in UTC: from a moment, and up to one.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// Longest period, in days.
const MOST_DAYS: i64 = 3660;

/// A stretch of time, in microseconds since 1970 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// Its first microsecond.
    pub from: i64,
    /// The microsecond after its last.
    pub to: i64,
}

/// Why there is no such period.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeriodError {
    /// A moment cannot be read.
    #[error("`{0}` is neither a date such as 2026-03-01 nor a time such as 2026-03-01T08:00:00Z")]
    Moment(String),
    /// A period cannot be read.
    #[error("`{0}` is neither a month such as 2026-03 nor a day such as 2026-03-01 nor a year")]
    Name(String),
    /// It ends before it begins.
    #[error("`to` must be later than `from`")]
    Backwards,
    /// It is too long.
    #[error("a period has at most ten years")]
    TooLong,
    /// It is said twice.
    #[error("say either `period` or `from` and `to`")]
    Twice,
}

impl Period {
    /// Reads a period: by its name, else from its bounds. Without any it is the month of `now`, without an end it is up to
    /// `now`, without a beginning from the first of the month of its end on.
    pub fn read(name: Option<&str>, from: Option<&str>, to: Option<&str>, now: i64) -> Result<Self, PeriodError> {
        let period = match (name, from, to) {
            (Some(name), None, None) => named(name)?,
            (Some(_), ..) => return Err(PeriodError::Twice),
            (None, None, None) => Self::month_of(now),
            (None, from, to) => {
                let to = to.map_or(Ok(now), moment)?;
                let from = from.map_or_else(|| Ok(Self::month_of(to.saturating_sub(1)).from), moment)?;
                Self { from, to }
            }
        };
        if period.from >= period.to {
            return Err(PeriodError::Backwards);
        }
        if period.to - period.from > MOST_DAYS * 86_400_000_000 {
            return Err(PeriodError::TooLong);
        }
        Ok(period)
    }

    /// Reads a moment: a date or an RFC 3339 time.
    pub fn moment(text: &str) -> Result<i64, PeriodError> {
        moment(text)
    }

    /// The calendar month that a moment is in.
    pub fn month_of(moment: i64) -> Self {
        let first = date(moment).first_of_month();
        Self { from: micros(first), to: micros(first.saturating_add(1.month())) }
    }

    /// The parts of it that lie in different months.
    pub fn months(self) -> Vec<Self> {
        let mut months = Vec::new();
        let mut from = self.from;
        while from < self.to {
            let to = Self::month_of(from).to.min(self.to);
            if to <= from {
                break;
            }
            months.push(Self { from, to });
            from = to;
        }
        months
    }

    /// The parts of it that lie on different days.
    pub fn days(self) -> Vec<Self> {
        const DAY: i64 = 86_400_000_000;
        let mut days = Vec::new();
        let mut from = self.from;
        while from < self.to {
            let to = ((from.div_euclid(DAY) + 1) * DAY).min(self.to);
            days.push(Self { from, to });
            from = to;
        }
        days
    }

    /// The month, the day or the year, where it is one; else its bounds.
    pub fn name(self) -> String {
        format!("{}/{}", time(self.from), time(self.to))
    }
}

/// A moment as RFC 3339, to the second where it is one.
pub(crate) fn time(moment: i64) -> String {
    Timestamp::from_microsecond(moment).map_or_else(|_| moment.to_string(), |moment| moment.to_string())
}

fn date(moment: i64) -> Date {
    let moment = Timestamp::from_microsecond(moment).unwrap_or(Timestamp::UNIX_EPOCH);
    moment.to_zoned_datetime(TimeZone::UTC).date()
}

fn micros(date: Date) -> i64 {
    date.to_zoned_datetime(TimeZone::UTC).map_or(0, |midnight| midnight.timestamp().as_microsecond())
}

fn moment(text: &str) -> Result<i64, PeriodError> {
    let unreadable = || PeriodError::Moment(text.to_owned());
    if text.len() == "2026-03-01".len() {
        return text.parse::<Date>().map(micros).map_err(|_| unreadable());
    }
    text.parse::<Timestamp>().map(Timestamp::as_microsecond).map_err(|_| unreadable())
}

fn named(name: &str) -> Result<Period, PeriodError> {
    let unreadable = |_| PeriodError::Name(name.to_owned());
    let (first, span) = match name.len() {
        4 => (format!("{name}-01-01"), 1.year()),
        7 => (format!("{name}-01"), 1.month()),
        _ => (name.to_owned(), 1.day()),
    };
    let first: Date = first.parse().map_err(unreadable)?;
    let next = first.checked_add(span).map_err(unreadable)?;
    Ok(Period { from: micros(first), to: micros(next) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-03-15T12:00:00Z";

    fn read(name: Option<&str>, from: Option<&str>, to: Option<&str>) -> Result<String, PeriodError> {
        Period::read(name, from, to, moment(NOW).unwrap()).map(Period::name)
    }

    #[test]
    fn periods_are_read() {
        assert_eq!(read(None, None, None).unwrap(), "2026-03-01T00:00:00Z/2026-04-01T00:00:00Z");
        assert_eq!(read(Some("2026-02"), None, None).unwrap(), "2026-02-01T00:00:00Z/2026-03-01T00:00:00Z");
        assert_eq!(read(Some("2025"), None, None).unwrap(), "2025-01-01T00:00:00Z/2026-01-01T00:00:00Z");
        assert_eq!(read(Some("2026-02-28"), None, None).unwrap(), "2026-02-28T00:00:00Z/2026-03-01T00:00:00Z");
        assert_eq!(read(None, Some("2026-01-31"), None).unwrap(), "2026-01-31T00:00:00Z/2026-03-15T12:00:00Z");
        assert_eq!(read(None, None, Some("2026-01-01")).unwrap(), "2025-12-01T00:00:00Z/2026-01-01T00:00:00Z");
        let hours = read(None, Some("2026-03-01T08:00:00Z"), Some("2026-03-01T16:00:00+01:00"));
        assert_eq!(hours.unwrap(), "2026-03-01T08:00:00Z/2026-03-01T15:00:00Z");
    }

    #[test]
    fn what_is_none_is_refused() {
        assert_eq!(read(Some("2026-02"), Some("2026-01-01"), None), Err(PeriodError::Twice));
        assert_eq!(read(None, Some("2026-03-02"), Some("2026-03-01")), Err(PeriodError::Backwards));
        assert_eq!(read(None, Some("1990-01-01"), None), Err(PeriodError::TooLong));
        assert!(matches!(read(Some("March"), None, None), Err(PeriodError::Name(_))));
        assert!(matches!(read(None, Some("yesterday"), None), Err(PeriodError::Moment(_))));
    }

    #[test]
    fn a_period_falls_into_months_and_days() {
        let period = Period::read(None, Some("2026-01-31T12:00:00Z"), Some("2026-03-02"), 0).unwrap();
        let months: Vec<String> = period.months().into_iter().map(Period::name).collect();
        assert_eq!(months.len(), 3);
        assert_eq!(months[0], "2026-01-31T12:00:00Z/2026-02-01T00:00:00Z");
        assert_eq!(period.days().len(), 30);
    }
}
