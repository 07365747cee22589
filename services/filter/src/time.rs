//! Times as people write them. A time is as wide as it is written: `2026-01` is a month, `09:00` a minute.

use chancery_domain::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{Offset, TimeZone};
use jiff::{Span, ZonedDateTime};

use crate::parser::Context;

/// The time a text stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Its first microsecond.
    pub(crate) start: Timestamp,
    /// The first one after it.
    pub(crate) end: Timestamp,
    /// It was written relative to now (`-7d`), and so alone means "since then".
    pub(crate) relative: bool,
}

/// Examples for messages.
pub(crate) const EXAMPLES: &str = "write a time like 2026-01-31, 2026-01-31T09:00+01:00, \
     \"2026-01-31 09:00 Europe/Berlin\", today or -7d";

/// Reads a time; the error is a message.
pub(crate) fn parse(text: &str, context: &Context) -> Result<Moment, String> {
    let text = text.trim();
    match text.to_ascii_lowercase().as_str() {
        "now" => return Ok(Moment { relative: true, ..instant(context.now) }),
        "today" => return day(context, 0),
        "yesterday" => return day(context, -1),
        "tomorrow" => return day(context, 1),
        _ => {}
    }
    if text.starts_with(['-', '+']) { relative(text, context) } else { absolute(text, context) }
}

fn instant(start: Timestamp) -> Moment {
    Moment { start, end: start.saturating_add_micros(1), relative: false }
}

fn out_of_range() -> String {
    "only times of the years 1970 to 9999 can be asked for".to_owned()
}

fn local_now(context: &Context) -> ZonedDateTime {
    context.now.to_jiff().to_zoned_datetime(context.zone.clone())
}

/// The day `distance` days from today.
fn day(context: &Context, distance: i64) -> Result<Moment, String> {
    let date = Span::new()
        .try_days(distance)
        .and_then(|span| local_now(context).date().checked_add(span))
        .map_err(|_| out_of_range())?;
    Width::Day.moment(date.at(0, 0, 0, 0), &context.zone)
}

/// `-7d`, `-1d12h`: from now, days and longer by the calendar of the zone.
fn relative(text: &str, context: &Context) -> Result<Moment, String> {
    let (back, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut span = Span::new();
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (count, after) = rest.split_at_checked(digits).unwrap_or((rest, ""));
        let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, after) = after.split_at_checked(letters).unwrap_or((after, ""));
        if count.is_empty() || unit.is_empty() {
            return Err(format!("`{text}` is no distance in time such as -7d, -90m or -1mo"));
        }
        let count: i64 = count.parse().map_err(|_| out_of_range())?;
        span = add_unit(span, count, unit)?;
        rest = after;
    }
    if span.is_zero() && text.len() == 1 {
        return Err(EXAMPLES.to_owned());
    }
    let now = local_now(context);
    let moved = if back { now.checked_sub(span) } else { now.checked_add(span) };
    let moment = moved.ok().and_then(|moved| Timestamp::from_jiff(moved.timestamp()).ok()).ok_or_else(out_of_range)?;
    Ok(Moment { relative: true, ..instant(moment) })
}

fn add_unit(span: Span, count: i64, unit: &str) -> Result<Span, String> {
    let sum = |before: i64| before.checked_add(count).ok_or_else(out_of_range);
    let added = match unit {
        "s" => span.try_seconds(sum(span.get_seconds())?),
        "m" | "min" => span.try_minutes(sum(span.get_minutes())?),
        "h" => span.try_hours(sum(i64::from(span.get_hours()))?),
        "d" => span.try_days(sum(i64::from(span.get_days()))?),
        "w" => span.try_weeks(sum(i64::from(span.get_weeks()))?),
        "mo" => span.try_months(sum(i64::from(span.get_months()))?),
        "y" => span.try_years(sum(i64::from(span.get_years()))?),
        _ => return Err(format!("`{unit}` is no unit of time; there are s, m, h, d, w, mo and y")),
    };
    added.map_err(|_| out_of_range())
}

/// How much of a time is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Width {
    Year,
    Month,
    Day,
    /// Hours and shorter are lengths of time, also when clocks change.
    Micros(i64),
}

impl Width {
    /// The time of this width that begins when clocks in `zone` show `civil`.
    fn moment(self, civil: DateTime, zone: &TimeZone) -> Result<Moment, String> {
        let at = |civil: DateTime| {
            zone.to_timestamp(civil).ok().and_then(|t| Timestamp::from_jiff(t).ok()).ok_or_else(out_of_range)
        };
        let start = at(civil)?;
        let span = match self {
            Self::Year => Span::new().try_years(1),
            Self::Month => Span::new().try_months(1),
            Self::Day => Span::new().try_days(1),
            Self::Micros(micros) => {
                return Ok(Moment { start, end: start.saturating_add_micros(micros), relative: false });
            }
        };
        let next = span.and_then(|span| civil.checked_add(span)).ok();
        let end = next.map_or(Ok(Timestamp::MAX), at).unwrap_or(Timestamp::MAX);
        Ok(Moment { start, end, relative: false })
    }
}

/// `YYYY[-MM[-DD[Thh[:mm[:ss[.ffffff]]]]]]`, then an offset, then a zone.
fn absolute(text: &str, context: &Context) -> Result<Moment, String> {
    let mut scanner = Scanner { rest: text };
    let (civil, width) = scanner.civil().ok_or_else(|| EXAMPLES.to_owned())?;
    let civil = civil.map_err(|()| format!("`{text}` is not in the calendar"))?;
    let offset = scanner.offset().map_err(|()| format!("`{}` is no offset such as +01:00 or Z", scanner.rest))?;
    let zone = scanner.zone()?;
    match (offset, zone) {
        (None, None) => width.moment(civil, &context.zone),
        (None, Some(zone)) => width.moment(civil, &zone),
        (Some(offset), None) => width.moment(civil, &TimeZone::fixed(offset)),
        (Some(offset), Some(zone)) => {
            let moment = width.moment(civil, &TimeZone::fixed(offset))?;
            if zone.to_offset(moment.start.to_jiff()) == offset {
                Ok(moment)
            } else {
                Err("the offset is not the zone's at that time".to_owned())
            }
        }
    }
}

/// Reads the pieces of an absolute time.
struct Scanner<'a> {
    rest: &'a str,
}

impl<'a> Scanner<'a> {
    /// The date and time as written; the inner error means that there is no such date or time.
    fn civil(&mut self) -> Option<(Result<DateTime, ()>, Width)> {
        let year = self.digits(4)?;
        let (mut month, mut day, mut clock, mut width) = (1, 1, Ok(Time::midnight()), Width::Year);
        if self.eat("-") {
            (month, width) = (self.digits(2)?, Width::Month);
            if self.eat("-") {
                (day, width) = (self.digits(2)?, Width::Day);
                if self.clock_follows() {
                    self.rest = self.rest.get(1..).unwrap_or_default();
                    (clock, width) = self.clock()?;
                }
            }
        }
        let date = || Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok();
        let civil = date().ok_or(()).and_then(|date| clock.map(|clock| DateTime::from_parts(date, clock)));
        Some((civil, width))
    }

    /// `T` or a space, and then a digit.
    fn clock_follows(&self) -> bool {
        matches!(self.rest.as_bytes(), [b'T' | b't' | b' ', digit, ..] if digit.is_ascii_digit())
    }

    fn clock(&mut self) -> Option<(Result<Time, ()>, Width)> {
        let hour = self.digits(2)?;
        let (mut minute, mut second, mut micros, mut width) = (0, 0, 0, Width::Micros(3_600_000_000));
        if self.eat(":") {
            (minute, width) = (self.digits(2)?, Width::Micros(60_000_000));
            if self.eat(":") {
                (second, width) = (self.digits(2)?, Width::Micros(1_000_000));
                if self.eat(".") {
                    (micros, width) = self.fraction()?;
                }
            }
        }
        let part = |value: u32| i8::try_from(value).map_err(drop);
        let time = (|| {
            let nanos = i32::try_from(micros * 1000).map_err(drop)?;
            Time::new(part(hour)?, part(minute)?, part(second)?, nanos).map_err(drop)
        })();
        Some((time, width))
    }

    /// Digits after the decimal point; those after the sixth do not count.
    fn fraction(&mut self) -> Option<(u32, Width)> {
        let count = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.rest.split_at_checked(count)?;
        let kept = digits.get(..count.min(6))?;
        let scale = 10_u32.pow(u32::try_from(6 - kept.len()).ok()?);
        self.rest = rest;
        Some((kept.parse::<u32>().ok()? * scale, Width::Micros(i64::from(scale))))
    }

    fn offset(&mut self) -> Result<Option<Offset>, ()> {
        let spaced = self.rest;
        self.rest = spaced.trim_start();
        if self.eat("Z") || self.eat("z") {
            return Ok(Some(Offset::UTC));
        }
        let sign = match self.rest.bytes().next() {
            Some(b'+') => 1,
            Some(b'-') => -1,
            _ => {
                self.rest = spaced;
                return Ok(None);
            }
        };
        self.rest = self.rest.get(1..).unwrap_or_default();
        let hours = self.digits(2).filter(|hours| *hours <= 23).ok_or(())?;
        let written = self.eat(":") || self.rest.bytes().next().is_some_and(|b| b.is_ascii_digit());
        let minutes = if written { self.digits(2).filter(|minutes| *minutes <= 59).ok_or(())? } else { 0 };
        let seconds = i32::try_from(hours * 3600 + minutes * 60).map_err(drop)?;
        Offset::from_seconds(sign * seconds).map(Some).map_err(drop)
    }

    /// ` Europe/Berlin` or `[Europe/Berlin]`, up to the end.
    fn zone(&mut self) -> Result<Option<TimeZone>, String> {
        let name = self.rest.trim();
        let name = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        if name.is_empty() && self.rest.trim().is_empty() {
            return Ok(None);
        }
        let separated = self.rest.starts_with([' ', '[']);
        if !separated || name.is_empty() {
            return Err(EXAMPLES.to_owned());
        }
        TimeZone::get(name).map(Some).map_err(|_| format!("`{name}` is no time zone such as Europe/Berlin"))
    }

    fn eat(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn digits(&mut self, count: usize) -> Option<u32> {
        let (digits, rest): (&'a str, &'a str) = self.rest.split_at_checked(count)?;
        if !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        self.rest = rest;
        digits.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(zone: &str) -> Context {
        Context { zone: TimeZone::get(zone).unwrap(), ..Context::new("2026-03-30T10:00:00Z".parse().unwrap()) }
    }

    fn width(text: &str, zone: &str) -> String {
        let moment = parse(text, &context(zone)).unwrap();
        format!("{}/{}", moment.start, moment.end).replace(":00.000000Z", "Z")
    }

    #[test]
    fn a_time_is_as_wide_as_it_is_written() {
        assert_eq!(width("2026", "UTC"), "2026-01-01T00:00Z/2027-01-01T00:00Z");
        assert_eq!(width("2026-02", "UTC"), "2026-02-01T00:00Z/2026-03-01T00:00Z");
        assert_eq!(width("2026-02-28T09", "UTC"), "2026-02-28T09:00Z/2026-02-28T10:00Z");
        assert_eq!(width("2026-02-28 09:00 +01:00", "UTC"), "2026-02-28T08:00Z/2026-02-28T08:01Z");
        assert_eq!(width("2026-02-28T09:00:00.25Z", "UTC"), "2026-02-28T09:00:00.250000Z/2026-02-28T09:00:00.260000Z");
    }

    #[test]
    fn days_follow_the_zone_also_when_clocks_change() {
        assert_eq!(width("2026-03-29", "Europe/Berlin"), "2026-03-28T23:00Z/2026-03-29T22:00Z");
        assert_eq!(width("yesterday", "Europe/Berlin"), "2026-03-28T23:00Z/2026-03-29T22:00Z");
        assert_eq!(width("2026-01-31 09:00 Europe/Berlin", "UTC"), "2026-01-31T08:00Z/2026-01-31T08:01Z");
        assert_eq!(width("2026-07-31T09:00+02:00[Europe/Berlin]", "UTC"), "2026-07-31T07:00Z/2026-07-31T07:01Z");
        assert!(parse("2026-07-31T09:00+01:00[Europe/Berlin]", &context("UTC")).is_err());
    }

    #[test]
    fn distances_are_from_now() {
        let start = |text: &str| parse(text, &context("Europe/Berlin")).unwrap().start.to_string();
        assert_eq!(start("-90m"), "2026-03-30T08:30:00.000000Z");
        assert_eq!(start("-1d12h"), "2026-03-28T22:00:00.000000Z", "noon the day before, less 12 hours");
        assert_eq!(start("-2d"), "2026-03-28T11:00:00.000000Z", "the same clock time, before the change");
        assert_eq!(start("-1mo"), "2026-02-28T11:00:00.000000Z");
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "-", "-7", "7d", "-7x", "2026-13", "2026-02-30", "10000-01-01", "1969-12-31", "-100y"] {
            assert!(parse(text, &context("UTC")).is_err(), "{text}");
        }
        for text in
            ["2026-01-31T25", "2026-01-31T09:00+1", "2026-01-31[Mars/Olympus]", "2026-01-31x", "-9999999999999999999d"]
        {
            assert!(parse(text, &context("UTC")).is_err(), "{text}");
        }
    }
}
