//! Gives times without a year their year.
//!
//! The first such time is the last one that is not more than a day after the reference; each of the others
//! is as close as can be to the one before it. So New Year is crossed forwards, and lines slightly out of
//! order around it come out right.

use std::io::{self, BufRead};

use chancery_domain::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::header;
use crate::Options;
use crate::lines::Lines;

const DAY: i64 = 86_400_000_000;

/// The running year.
#[derive(Debug, Clone)]
pub(crate) struct Years {
    reference: Timestamp,
    zone: TimeZone,
    last: Option<Timestamp>,
    /// Times without a year that were seen.
    seen: u64,
    first: Option<Timestamp>,
}

/// A time without a year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Yearless {
    pub(super) month: i8,
    pub(super) day: i8,
    pub(super) hour: i8,
    pub(super) minute: i8,
    pub(super) second: i8,
    pub(super) micros: i32,
}

impl Years {
    pub(super) fn new(options: Options) -> Self {
        Self { reference: options.reference_time, zone: options.time_zone, last: None, seen: 0, first: None }
    }

    /// The moment meant by a time with a year in the zone of the log.
    pub(super) fn zoned(&self, civil: DateTime) -> Option<Timestamp> {
        Timestamp::from_jiff(self.zone.to_timestamp(civil).ok()?).ok()
    }

    /// The moment meant by a time without a year.
    pub(super) fn resolve(&mut self, time: Yearless) -> Option<Timestamp> {
        let moment = match self.last {
            None => self.latest(time, self.reference.saturating_add_micros(DAY))?,
            Some(last) => self.closest(time, last)?,
        };
        self.last = Some(moment);
        self.first = self.first.or(self.last);
        self.seen += 1;
        Some(moment)
    }

    /// The last such moment up to `limit`. Only 29 February may need to look back up to eight years.
    fn latest(&self, time: Yearless, limit: Timestamp) -> Option<Timestamp> {
        let year = year_of(limit);
        (year - 8..=year).rev().filter_map(|year| self.in_year(time, year)).find(|moment| *moment <= limit)
    }

    fn closest(&self, time: Yearless, last: Timestamp) -> Option<Timestamp> {
        let year = year_of(last);
        let distance = |moment: &Timestamp| moment.as_micros().abs_diff(last.as_micros());
        let near = (year - 1..=year + 1).filter_map(|year| self.in_year(time, year)).min_by_key(distance);
        near.or_else(|| self.latest(time, last))
    }

    fn in_year(&self, time: Yearless, year: i16) -> Option<Timestamp> {
        let Yearless { month, day, hour, minute, second, micros } = time;
        self.zoned(DateTime::new(year, month, day, hour, minute, second, micros * 1000).ok()?)
    }
}

fn year_of(moment: Timestamp) -> i16 {
    jiff::tz::Offset::UTC.to_datetime(moment.to_jiff()).year()
}

/// The time of the first line of an `sshd` log without years, for [`Options::reference_time`].
///
/// Reads the log once to its end: its last line was written at `modified` at the latest, and from there
/// the years are counted back. A log with years, or without lines, answers `modified`.
pub fn first_time(log: impl BufRead, modified: Timestamp, time_zone: TimeZone) -> io::Result<Timestamp> {
    let mut years = Years::new(Options { reference_time: modified, time_zone });
    for span in Lines::new(log) {
        let span = span?;
        if let Ok(line) = std::str::from_utf8(&span.bytes) {
            // What can't be read gets no time in the import either.
            let _unreadable = header::parse(line, &mut years);
        }
    }
    let limit = modified.saturating_add_micros(DAY);
    let (Some(first), Some(last)) = (years.first, years.last) else { return Ok(modified) };
    let mut back = 0;
    while years_back(last, back, &years.zone) > limit {
        back += 1;
    }
    Ok(years_back(first, back, &years.zone))
}

/// The same day and time some years earlier.
fn years_back(moment: Timestamp, years: i16, zone: &TimeZone) -> Timestamp {
    let earlier = zone.to_datetime(moment.to_jiff()).checked_sub(jiff::Span::new().years(years));
    let instant = earlier.and_then(|civil| zone.to_timestamp(civil));
    instant.ok().and_then(|instant| Timestamp::from_jiff(instant).ok()).unwrap_or(Timestamp::EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first_of(log: &str, modified: &str) -> String {
        first_time(log.as_bytes(), modified.parse().unwrap(), TimeZone::UTC).unwrap().to_string()
    }

    fn times(log: &str, reference: &str) -> Vec<String> {
        let mut years = Years::new(Options { reference_time: reference.parse().unwrap(), time_zone: TimeZone::UTC });
        log.lines()
            .map(|line| header::parse(line, &mut years).unwrap().unwrap().time.to_string()[..10].to_owned())
            .collect()
    }

    #[test]
    fn new_year_is_crossed_in_both_directions() {
        let log = "Dec 31 23:59:59 h sshd[1]: a\nJan  1 00:00:01 h sshd[1]: b\nDec 31 23:59:58 h sshd[1]: c\nJan  2 00:00:00 h sshd[1]: d\n";
        assert_eq!(times(log, "2026-01-02T10:00:00Z"), ["2025-12-31", "2026-01-01", "2025-12-31", "2026-01-02"]);
    }

    #[test]
    fn a_copy_touched_before_the_log_s_last_day_is_of_the_year_before() {
        let log = "Nov 16 00:00:00 h sshd[1]: a\nDec  2 00:00:00 h sshd[1]: b\n";
        assert_eq!(first_of(log, "2026-11-24T08:00:00Z"), "2025-11-16T00:00:00.000000Z");
        assert_eq!(first_of(log, "2026-12-02T00:00:00Z"), "2026-11-16T00:00:00.000000Z");
    }

    #[test]
    fn a_log_of_two_years_is_counted_back_from_its_end() {
        let log = "Jun  1 00:00:00 h sshd[1]: a\nNov  1 00:00:00 h sshd[1]: b\nMar  1 00:00:00 h sshd[1]: c\nAug  1 00:00:00 h sshd[1]: d\nJan  1 00:00:00 h sshd[1]: e\n";
        let first = first_of(log, "2026-01-01T12:00:00Z");
        assert_eq!(first, "2024-06-01T00:00:00.000000Z");
        assert_eq!(times(log, &first), ["2024-06-01", "2024-11-01", "2025-03-01", "2025-08-01", "2026-01-01"]);
    }

    #[test]
    fn leap_days_belong_to_leap_years() {
        assert_eq!(times("Feb 29 10:00:00 h sshd[1]: a\n", "2026-06-01T00:00:00Z"), ["2024-02-29"]);
    }
}
