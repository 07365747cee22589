//! Five fields of cron, in the time of a zone.

use std::cmp::Ordering;

use croner::errors::CronError;
use croner::parser::{CronParser, Seconds, Year};
use croner::time::{CivilDate, CivilDateTime, CivilTime, CronDateTime, Resolution, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, ZonedDateTime, civil};

use crate::time::Timestamp;

/// Longest expression, in bytes.
const LONGEST: usize = 200;

/// When something recurs.
#[derive(Debug, Clone)]
pub struct Cron(croner::Cron);

/// Reads five fields: minute, hour, day of month, month, day of week.
pub fn cron(text: &str) -> Result<Cron, String> {
    if text.len() > LONGEST || text.split_whitespace().count() != 5 {
        return Err("must be five fields of cron: minute, hour, day of month, month, day of week".to_owned());
    }
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
    parser.parse(text).map(Cron).map_err(|error| format!("is no cron expression: {error}"))
}

impl Cron {
    /// When it last was, up to and with `now`.
    pub fn last_before(&self, zone: &TimeZone, now: Timestamp) -> Option<Timestamp> {
        let now = Local(now.to_jiff().to_zoned_datetime(zone.clone()));
        let found = self.0.find_previous_occurrence(&now, true).ok()?;
        Timestamp::from_jiff(found.0.timestamp()).ok()
    }

    /// When it is next, after `now`.
    pub fn next_after(&self, zone: &TimeZone, now: Timestamp) -> Option<Timestamp> {
        let now = Local(now.to_jiff().to_zoned_datetime(zone.clone()));
        let found = self.0.find_next_occurrence(&now, false).ok()?;
        Timestamp::from_jiff(found.0.timestamp()).ok()
    }
}

/// A time in a zone.
#[derive(Debug, Clone)]
struct Local(ZonedDateTime);

impl CronDateTime for Local {
    fn to_civil(&self) -> CivilDateTime {
        let at = self.0.datetime();
        let part = |number: i8| u32::try_from(number).unwrap_or_default();
        let date = CivilDate::from_ymd_opt(i32::from(at.year()), part(at.month()), part(at.day()));
        let time = CivilTime::from_hms_opt(part(at.hour()), part(at.minute()), part(at.second()));
        match (date, time) {
            (Some(date), Some(time)) => CivilDateTime::new(date, time),
            // Both calendars have the same days and seconds.
            _ => unreachable!("a day that one calendar has and the other has not"),
        }
    }

    fn civil_weekday(&self) -> Weekday {
        Weekday::from_days_from_sunday(u32::try_from(self.0.weekday().to_sunday_zero_offset()).unwrap_or_default())
    }

    fn resolve_civil(&self, at: CivilDateTime) -> Result<Resolution<Self>, CronError> {
        let part = |number: u32| i8::try_from(number).map_err(|_| CronError::InvalidDate);
        let year = i16::try_from(at.year()).map_err(|_| CronError::InvalidDate)?;
        let (month, day, hour) = (part(at.month())?, part(at.day())?, part(at.hour())?);
        let at = civil::DateTime::new(year, month, day, hour, part(at.minute())?, part(at.second())?, 0)
            .map_err(|_| CronError::InvalidDate)?;
        let found = self.0.time_zone().clone().into_ambiguous_zoned_datetime(at);
        let zoned = |found: Result<ZonedDateTime, jiff::Error>| found.map(Local).map_err(|_| CronError::InvalidTime);
        Ok(match found.offset() {
            AmbiguousOffset::Unambiguous { .. } => Resolution::Single(zoned(found.unambiguous())?),
            AmbiguousOffset::Fold { .. } => {
                Resolution::Ambiguous(zoned(found.clone().earlier())?, zoned(found.later())?)
            }
            AmbiguousOffset::Gap { .. } => Resolution::Gap,
        })
    }

    fn checked_add_seconds(&self, seconds: i64) -> Option<Self> {
        self.0.checked_add(SignedDuration::from_secs(seconds)).ok().map(Self)
    }

    fn cmp_instant(&self, other: &Self) -> Ordering {
        self.0.timestamp().cmp(&other.0.timestamp())
    }
}
