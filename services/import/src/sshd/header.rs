//! Time, host, program, pid and message of a line: classic syslog (RFC 3164), syslog with RFC 3339 times,
//! RFC 5424, `journalctl -o json`, and bare messages of `sshd -E` that something put a time in front of.

use chancery_domain::Timestamp;
use jiff::civil::DateTime;
use serde_json::Value;

use super::years::{Yearless, Years};

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A line but for what its message means.
#[derive(Debug, Clone)]
pub(super) struct Header {
    pub(super) time: Timestamp,
    /// Empty when the line does not tell.
    pub(super) host: String,
    /// Empty when the line is a bare message.
    pub(super) program: String,
    /// 0 when the line does not tell.
    pub(super) pid: u32,
    /// The journal's name for the entry.
    pub(super) cursor: Option<String>,
    pub(super) message: String,
}

/// What wrote a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Sshd,
    Sftp,
    /// The line is a message alone.
    Unnamed,
    Other,
}

impl Source {
    pub(super) fn of(program: &str) -> Self {
        match program {
            "sshd" | "sshd-session" | "sshd-auth" => Self::Sshd,
            "sftp-server" | "internal-sftp" => Self::Sftp,
            "" => Self::Unnamed,
            _ => Self::Other,
        }
    }
}

/// Reads a line; `None` for journal entries without a message.
pub(super) fn parse(line: &str, years: &mut Years) -> Result<Option<Header>, String> {
    if line.starts_with('{') {
        return journal(line);
    }
    let line = line.trim_start_matches('\u{feff}');
    let line = priority(line);
    if let Some(header) = line.strip_prefix("1 ").and_then(rfc5424) {
        return Ok(Some(header));
    }
    let (time, rest) = stamp(line, years)?;
    Ok(Some(tagged(time, rest).unwrap_or_else(|| bare(time, rest))))
}

/// The line without the `<38>` that some collectors keep.
fn priority(line: &str) -> &str {
    let Some((number, rest)) = line.strip_prefix('<').and_then(|rest| rest.split_once('>')) else { return line };
    if !number.is_empty() && number.len() <= 3 && number.bytes().all(|b| b.is_ascii_digit()) { rest } else { line }
}

/// The time at the start of the line, and what follows it.
fn stamp<'a>(line: &'a str, years: &mut Years) -> Result<(Timestamp, &'a str), String> {
    let first = line.split(' ').next().unwrap_or_default();
    if first.len() >= 19 && first.starts_with(|c: char| c.is_ascii_digit()) {
        return match zoned(first, years) {
            Some(time) => Ok((time, line[first.len()..].trim_start_matches(' '))),
            None => Err(format!("`{first}` is not a time")),
        };
    }
    let unreadable = || "begins with no time; `sshd -E` writes none, see FORMATS.md".to_owned();
    let month = line.get(..3).and_then(|name| MONTHS.iter().position(|month| *month == name)).ok_or_else(unreadable)?;
    let damaged = || "has a time that is damaged or cut off".to_owned();
    let rest = line[3..].trim_start_matches(' ');
    let (day, rest) = rest.split_once(' ').ok_or_else(damaged)?;
    let (year, rest) = match rest.split_once(' ') {
        Some((year, later)) if year.len() == 4 && year.parse::<i16>().is_ok() => (year.parse::<i16>().ok(), later),
        _ => (None, rest),
    };
    let (clock, rest) = rest.split_once(' ').ok_or_else(damaged)?;
    let month = i8::try_from(month + 1).unwrap_or_default();
    let time = yearless(month, day, clock).ok_or_else(damaged)?;
    let moment = match year {
        Some(year) => DateTime::new(year, month, time.day, time.hour, time.minute, time.second, time.micros * 1000)
            .ok()
            .and_then(|civil| years.zoned(civil)),
        None => years.resolve(time),
    };
    moment.map(|moment| (moment, rest)).ok_or_else(|| "has a day that no year has".to_owned())
}

/// RFC 3339, also without an offset (the log's zone) and with one without a colon.
fn zoned(text: &str, years: &Years) -> Option<Timestamp> {
    if let Ok(time) = text.parse() {
        return Some(time);
    }
    if let Ok(civil) = text.parse::<DateTime>() {
        return years.zoned(civil);
    }
    let at = text.len().checked_sub(2).filter(|at| text.is_char_boundary(*at))?;
    format!("{}:{}", &text[..at], &text[at..]).parse().ok()
}

fn yearless(month: i8, day: &str, clock: &str) -> Option<Yearless> {
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let mut parts = clock.split(':').map(|part| (part.len() == 2).then(|| part.parse::<i8>().ok()).flatten());
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    let digits: String = fraction.chars().chain("000000".chars()).take(6).collect();
    let micros = digits.parse::<u32>().ok().and_then(|micros| i32::try_from(micros).ok())?;
    let day = day.parse().ok()?;
    let valid = parts.next().is_none() && (1..=31).contains(&day) && hour < 24 && minute < 60 && second < 61;
    valid.then_some(Yearless { month, day, hour, minute, second: second.min(59), micros })
}

/// `host program[pid]: message`.
fn tagged(time: Timestamp, rest: &str) -> Option<Header> {
    let (host, rest) = rest.split_once(' ')?;
    if rest.starts_with("last message repeated ") {
        return Some(header(time, host, "syslog", 0, rest));
    }
    let (tag, message) = rest.split_once(": ").or_else(|| Some((rest.strip_suffix(':')?, "")))?;
    if tag.contains(' ') {
        return None;
    }
    let (program, pid) = match tag.strip_suffix(']').and_then(|tag| tag.split_once('[')) {
        Some((program, pid)) => (program, pid.parse().ok()?),
        // Without a pid `host program:` could be the beginning of a bare message.
        None if Source::of(tag) != Source::Other => (tag, 0),
        None => return None,
    };
    let program = program.rsplit('/').next().unwrap_or(program);
    Some(header(time, host, if program.is_empty() { "syslog" } else { program }, pid, message))
}

fn bare(time: Timestamp, message: &str) -> Header {
    header(time, "", "", 0, message)
}

fn header(time: Timestamp, host: &str, program: &str, pid: u32, message: &str) -> Header {
    Header {
        time,
        host: host.to_owned(),
        program: program.to_owned(),
        pid,
        cursor: None,
        message: message.trim_end().to_owned(),
    }
}

/// `TIME HOST PROGRAM PID MSGID DATA MESSAGE`, behind the version.
fn rfc5424(rest: &str) -> Option<Header> {
    let mut fields = rest.splitn(6, ' ');
    let (time, host, program) = (fields.next()?.parse().ok()?, fields.next()?, fields.next()?);
    let pid = fields.next()?.parse().unwrap_or_default();
    let _message_id = fields.next()?;
    let rest = fields.next()?;
    let message = match rest.strip_prefix("- ") {
        Some(message) => message,
        None if rest.starts_with('[') => rest.split_once("] ")?.1,
        None => return None,
    };
    Some(header(time, host, program, pid, message.trim_start_matches('\u{feff}')))
}

/// An entry as `journalctl -o json` writes it.
fn journal(line: &str) -> Result<Option<Header>, String> {
    let entry: Value = serde_json::from_str(line).map_err(|error| format!("is not valid JSON: {error}"))?;
    let text = |name: &str| entry.get(name).and_then(Value::as_str);
    let micros = text("__REALTIME_TIMESTAMP").and_then(|micros| micros.parse().ok());
    let time = Timestamp::from_micros(micros.ok_or("has no `__REALTIME_TIMESTAMP`")?).map_err(|e| e.to_string())?;
    let message = match entry.get("MESSAGE") {
        Some(Value::String(message)) => message.clone(),
        // The journal writes messages that are not UTF-8 as arrays of bytes.
        Some(Value::Array(bytes)) => {
            let bytes = bytes.iter().map(|byte| byte.as_u64().and_then(|byte| u8::try_from(byte).ok()));
            String::from_utf8_lossy(&bytes.collect::<Option<Vec<u8>>>().ok_or("has a message of no bytes")?)
                .into_owned()
        }
        _ => return Ok(None),
    };
    let pid = text("SYSLOG_PID").or_else(|| text("_PID")).and_then(|pid| pid.trim().parse().ok());
    let program = text("SYSLOG_IDENTIFIER").or_else(|| text("_COMM")).unwrap_or("journal");
    let mut header = header(time, text("_HOSTNAME").unwrap_or_default(), program, pid.unwrap_or_default(), &message);
    header.cursor = text("__CURSOR").map(str::to_owned);
    Ok(Some(header))
}
