//! Logs of builds as runners send them: in order, once, bounded, and chained, so that what is kept can be proven against
//! the digest on record. While a log is open its lines are beside the state; what is closed is a blob, encrypted like a
//! state.

use std::io::{Read, Write};

use actix_web::{HttpResponse, web};
use chancery_domain::events::builds::BuildLog;
use chancery_domain::workspaces::builds::{BuildRecord, CloseLog};
use chancery_domain::{Timestamp, decision};
use chancery_state::{Chunk, StateError};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::reports::SaidLog;
use super::sealing;
use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::jobs::permit;
use crate::middleware::Caller;

/// Most lines sent at once.
const MOST_LINES: usize = 1_000;
/// Most bytes of a line.
const LONGEST_LINE: usize = 64 << 10;
/// Most bytes of the lines of a job.
const MOST_BYTES: u64 = 16 << 20;
/// Most lines of a job.
const MOST_LINES_OF_JOB: u64 = 200_000;
/// Bytes of a hash in hex.
const HASH: usize = 64;
/// Chunks that are read at once.
const PAGE: usize = 500;
/// How often a chunk is tried to be put in its place.
const ATTEMPTS: usize = 5;
/// Most bytes of a closed log when it is unpacked: a bomb is not.
const MOST_UNPACKED: u64 = 512 << 20;

/// Lines of a job's log that follow those sent before.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogRequest {
    /// The lines.
    lines: Vec<Line>,
    /// The chain's hash after the last of them, in lower-case hex.
    hash: String,
}

/// A line of a job's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Line {
    /// Counts the lines of the job, from 1.
    pub(crate) sequence: u64,
    /// When.
    #[schema(value_type = String)]
    pub(crate) at: Timestamp,
    /// `prepare`, `plan`, `apply` or `finish`.
    pub(crate) stage: String,
    /// `info`, `warn` or `error`.
    pub(crate) level: String,
    /// What was said.
    pub(crate) text: String,
}

/// Lines as they are kept when the log is closed, and shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Part {
    /// Whose they are: a job that is tried again begins to count anew.
    pub(crate) attempt: String,
    /// When they arrived, in microseconds.
    pub(crate) arrived_at: i64,
    /// Lines before are missing.
    #[serde(default)]
    pub(crate) gap: bool,
    /// The chain's hash after them.
    pub(crate) hash: String,
    /// The lines.
    pub(crate) lines: Vec<Line>,
}

/// The hash chain of a log: each hash is that of the hash before (32 zero bytes at first) and
/// `sequence LF microseconds LF stage LF level LF text`.
fn chained(before: [u8; 32], line: &Line) -> [u8; 32] {
    let mut hash = Sha256::new_with_prefix(before);
    let Line { sequence, at, stage, level, text } = line;
    hash.update(format!("{sequence}\n{}\n{stage}\n{level}\n{text}", at.as_micros()));
    hash.finalize().into()
}

fn hex(hash: [u8; 32]) -> String {
    use std::fmt::Write;
    hash.iter().fold(String::with_capacity(HASH), |mut text, byte| {
        write!(text, "{byte:02x}").ok();
        text
    })
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    if text.len() != HASH || !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let mut hash = [0; 32];
    for (byte, digits) in hash.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(hash)
}

/// Takes lines of a job's log. Lines that it has are not taken twice; a hash that is not theirs is refused.
#[utoipa::path(post, path = "/api/v1/jobs/{id}/log", tag = "jobs", params(("id" = String, Path, description = "Job id")),
    request_body = LogRequest,
    responses((status = 204), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409), (status = 413)))]
pub(crate) async fn take(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
    request: web::Json<LogRequest>,
) -> Result<HttpResponse, ApiError> {
    let unknown = || decision::Refusal::Unknown("job");
    let build = gateway.state.build_of_job(&id).await?.ok_or_else(unknown)?;
    permit(&gateway, &caller)(&build)?;
    let LogRequest { lines, hash } = request.into_inner();
    checked(&lines, &hash)?;
    if gateway.state.build_report(&build.workspace_id, build.number).await?.log.is_some() {
        return Err(ApiError::Conflict("the log is closed".to_owned()));
    }
    let attempt = build.runner_id.clone().unwrap_or_default();
    for _ in 0..ATTEMPTS {
        let arrived = gateway.state.log_arrived(&id, &attempt).await?;
        let Some(chunk) = next(&lines, &hash, &attempt, &arrived, gateway.now())? else {
            return Ok(HttpResponse::NoContent().finish());
        };
        let size = gateway.state.log_size(&id).await?;
        if size.bytes + chunk.bytes > MOST_BYTES || size.lines + (lines.len() as u64) > MOST_LINES_OF_JOB {
            return Err(ApiError::TooLarge("the log of a job has no room for more".to_owned()));
        }
        if gateway.state.keep_log(&id, chunk).await? {
            return Ok(HttpResponse::NoContent().finish());
        }
    }
    Err(ApiError::Unavailable("others write the same log".to_owned()))
}

fn checked(lines: &[Line], hash: &str) -> Result<(), ApiError> {
    if lines.is_empty() || lines.len() > MOST_LINES {
        return Err(ApiError::bad_request(format!("`lines` has 1 to {MOST_LINES} lines")));
    }
    if unhex(hash).is_none() {
        return Err(ApiError::bad_request("`hash` is a SHA-256 in lower-case hex"));
    }
    let first = lines.first().map_or(1, |line| line.sequence);
    if first == 0 || first > u64::from(u32::MAX) {
        return Err(ApiError::bad_request("`sequence` counts the lines, from 1"));
    }
    for (wanted, line) in (first..).zip(lines) {
        if line.sequence != wanted {
            return Err(ApiError::bad_request("`sequence` counts the lines one by one"));
        }
        if !matches!(line.stage.as_str(), "prepare" | "plan" | "apply" | "finish") {
            return Err(ApiError::bad_request("`stage` is `prepare`, `plan`, `apply` or `finish`"));
        }
        if !matches!(line.level.as_str(), "info" | "warn" | "error") {
            return Err(ApiError::bad_request("`level` is `info`, `warn` or `error`"));
        }
        if line.text.len() > LONGEST_LINE || line.text.contains('\n') {
            return Err(ApiError::bad_request(format!("`text` is one line of at most {LONGEST_LINE} bytes")));
        }
    }
    Ok(())
}

/// What of these lines is new, to be kept; nothing where all of it is there.
fn next(
    lines: &[Line],
    hash: &str,
    attempt: &str,
    arrived: &chancery_state::Arrived,
    now: Timestamp,
) -> Result<Option<Chunk>, ApiError> {
    let new: Vec<Line> = lines.iter().filter(|line| line.sequence > arrived.last).cloned().collect();
    let (Some(first), Some(last)) = (new.first(), new.last()) else { return Ok(None) };
    let gap = first.sequence != arrived.last + 1;
    if !gap {
        let before = arrived.hash.as_deref().map_or(Some([0; 32]), unhex);
        let before = before.ok_or_else(|| ApiError::Internal("a hash that was kept is none".to_owned()))?;
        if hex(new.iter().fold(before, chained)) != hash {
            return Err(ApiError::bad_request("`hash` is not that of these lines after those before"));
        }
    }
    // What arrives later is later, whatever the clocks of two nodes say.
    let arrived_at = arrived.at.map_or(now, |before| now.max(before.saturating_add_micros(1)));
    Ok(Some(Chunk {
        attempt: attempt.to_owned(),
        first: first.sequence,
        last: last.sequence,
        hash: hash.to_owned(),
        gap,
        bytes: new.iter().map(|line| line.text.len() as u64 + 16).sum(),
        lines: packed(&serde_json::to_vec(&new).map_err(|error| ApiError::Internal(error.to_string()))?)?,
        arrived_at,
    }))
}

fn packed(bytes: &[u8]) -> Result<Vec<u8>, ApiError> {
    let mut writer = GzEncoder::new(Vec::new(), Compression::default());
    let packed = writer.write_all(bytes).and_then(|()| writer.finish());
    packed.map_err(|error| ApiError::Internal(format!("a log cannot be packed: {error}")))
}

fn unpacked(bytes: &[u8]) -> Result<Vec<u8>, ApiError> {
    let mut unpacked = Vec::new();
    let read = GzDecoder::new(bytes).take(MOST_UNPACKED).read_to_end(&mut unpacked);
    read.map_err(|error| ApiError::Internal(format!("a log cannot be unpacked: {error}")))?;
    Ok(unpacked)
}

/// Lines of an open log that arrived after a moment, or then.
pub(super) async fn open_lines(gateway: &Gateway, job: &str, since: i64) -> Result<Vec<Part>, ApiError> {
    let mut all = Vec::new();
    let mut after = (since, 0);
    loop {
        let chunks = gateway.state.log_chunks(job, after, PAGE).await?;
        let Some(last) = chunks.last() else { return Ok(all) };
        after = (last.arrived_at.as_micros(), last.first);
        let is_last = chunks.len() < PAGE;
        for chunk in chunks {
            let Chunk { attempt, hash, gap, lines, arrived_at, .. } = chunk;
            let lines = serde_json::from_slice(&unpacked(&lines)?)
                .map_err(|error| ApiError::Internal(format!("lines that were kept cannot be read: {error}")))?;
            all.push(Part { attempt, arrived_at: arrived_at.as_micros(), gap, hash, lines });
        }
        if is_last {
            return Ok(all);
        }
    }
}

/// Lines of a closed log.
pub(super) async fn closed_lines(gateway: &Gateway, job: &str, log: &BuildLog) -> Result<Vec<Part>, ApiError> {
    let (Some(blob), Some(sha256)) = (&log.blob, &log.sha256) else { return Ok(Vec::new()) };
    let kept = gateway.blobs.get(blob).await?;
    let kept = kept.ok_or_else(|| ApiError::Internal(format!("the log of the job {job} is not in the store")))?;
    let (settings, about, sha256) = (gateway.settings.states.clone(), about(job), sha256.clone());
    let work = move || {
        let packed =
            if sealing::is_sealed(&kept) { sealing::open(&settings, &about, &sha256, &kept)? } else { kept.to_vec() };
        let text = unpacked(&packed)?;
        let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let lines: Result<Vec<Part>, _> = lines.map(serde_json::from_slice).collect();
        lines.map_err(|error| ApiError::Internal(format!("a log that was kept cannot be read: {error}")))
    };
    tokio::task::spawn_blocking(work).await.map_err(|error| ApiError::Internal(error.to_string()))?
}

fn about(job: &str) -> String {
    format!("log of {job}")
}

/// Keeps what has arrived of a log as a blob; what is to be put on record of it. Nothing where there is nothing.
pub(crate) async fn keep(gateway: &Gateway, job: &str, said: SaidLog) -> Result<Option<BuildLog>, ApiError> {
    let all = open_lines(gateway, job, 0).await?;
    if all.is_empty() {
        return Ok(said.unkept());
    }
    let kept = all.iter().map(|lines| lines.lines.len() as u64).sum();
    let complete = is_complete(&all, &said);
    let (settings, about) = (gateway.settings.states.clone(), about(job));
    let work = move || {
        let mut text = Vec::new();
        for lines in &all {
            serde_json::to_writer(&mut text, lines).map_err(|error| ApiError::Internal(error.to_string()))?;
            text.push(b'\n');
        }
        let packed = packed(&text)?;
        if settings.key.is_none() {
            let sha256 = format!("{:x}", Sha256::digest(&packed));
            return Ok((packed, sha256));
        }
        let sealed = sealing::seal(&settings, &about, &packed)?;
        Ok::<_, ApiError>((sealed.bytes, sealed.sha256))
    };
    let work = tokio::task::spawn_blocking(work).await.map_err(|error| ApiError::Internal(error.to_string()))?;
    let (bytes, sha256) = work?;
    let blob = gateway.blobs.put(bytes.into()).await?;
    let SaidLog { lines, digest } = said;
    Ok(Some(BuildLog { blob: Some(blob), complete, digest, kept, lines, sha256: Some(sha256) }))
}

/// Whether what arrived of the last attempt is all that its runner has said.
fn is_complete(all: &[Part], said: &SaidLog) -> bool {
    let Some(last) = all.last() else { return false };
    let mine = all.iter().filter(|lines| lines.attempt == last.attempt);
    let whole = mine.clone().all(|lines| !lines.gap);
    let count: u64 = mine.map(|lines| lines.lines.len() as u64).sum();
    whole && said.lines == Some(count) && said.digest.as_ref() == Some(&last.hash)
}

/// Closes the log of a build that has ended already.
pub(crate) async fn close(
    gateway: &Gateway,
    build: &BuildRecord,
    said: SaidLog,
    context: impl Fn() -> decision::Context,
) -> Result<(), ApiError> {
    let Some(job) = &build.job_id else { return Ok(()) };
    let report = gateway.state.build_report(&build.workspace_id, build.number).await?;
    if report.log.is_none()
        && let Some(log) = keep(gateway, job, said).await?
    {
        gateway.decisions.close_log::<ApiError>(job, &CloseLog { log }, |_| Ok(context())).await?;
    }
    forget(gateway, job).await?;
    Ok(())
}

/// Forgets the lines of a log that is closed.
pub(crate) async fn forget(gateway: &Gateway, job: &str) -> Result<(), StateError> {
    gateway.state.forget_log(job).await
}

#[cfg(test)]
mod tests {
    use chancery_state::Arrived;

    use super::*;

    fn line(sequence: u64, text: &str) -> Line {
        let at = Timestamp::from_micros(1_795_632_503_285_290).unwrap();
        Line { sequence, at, stage: "plan".to_owned(), level: "info".to_owned(), text: text.to_owned() }
    }

    fn hash(lines: &[Line]) -> String {
        hex(lines.iter().fold([0; 32], chained))
    }

    #[test]
    fn the_chain_is_the_runners() {
        let mut bytes = vec![0_u8; 32];
        bytes.extend_from_slice(b"1\n1795632503285290\nplan\ninfo\none");
        assert_eq!(hash(&[line(1, "one")]), format!("{:x}", Sha256::digest(&bytes)));
        assert_eq!(unhex(&hash(&[])), Some([0; 32]));
        assert_eq!(unhex(&hash(&[]).to_uppercase().replace('0', "G")), None);
    }

    #[test]
    fn lines_are_taken_once_in_order_and_as_they_are_chained() {
        let lines = [line(1, "one"), line(2, "two"), line(3, "three")];
        let (after_two, after_all) = (hash(&lines[..2]), hash(&lines));
        let now = Timestamp::EPOCH;
        let take = |lines: &[Line], hash: &str, arrived: &Arrived| next(lines, hash, "r", arrived, now);
        let first = take(&lines[..2], &after_two, &Arrived::default()).unwrap().unwrap();
        assert_eq!((first.first, first.last, first.gap, first.hash.as_str()), (1, 2, false, after_two.as_str()));
        let arrived = Arrived { last: 2, hash: Some(after_two.clone()), at: Some(now) };
        assert_eq!(take(&lines[..2], &after_two, &arrived).unwrap(), None, "sent again");
        let rest = take(&lines, &after_all, &arrived).unwrap().unwrap();
        assert_eq!((rest.first, rest.last), (3, 3), "only what is new");
        assert!(rest.arrived_at > now, "what is later is later");
        assert!(take(&lines[2..], &after_two, &arrived).is_err(), "a hash of something else");
        assert!(take(&[line(3, "other")], &after_all, &arrived).is_err(), "another line");
        let gap = take(&lines[2..], &after_all, &Arrived::default()).unwrap().unwrap();
        assert!(gap.gap, "what is missing is known to be");
    }

    #[test]
    fn what_is_no_log_is_refused() {
        let good = [line(1, "one"), line(2, "two")];
        assert!(checked(&good, &hash(&good)).is_ok());
        assert!(checked(&[], &hash(&[])).is_err() && checked(&good, "0").is_err());
        let mut others = [good.clone(), good.clone(), good.clone(), good.clone(), good];
        others[0][1].sequence = 3;
        others[1][0].sequence = 0;
        others[2][0].stage = "other".to_owned();
        others[3][0].level = "other".to_owned();
        others[4][0].text = "one\ntwo".to_owned();
        for lines in others {
            assert!(checked(&lines, &hash(&lines)).is_err(), "{lines:?}");
        }
    }

    #[test]
    fn a_log_is_complete_when_its_last_attempt_is() {
        let part = |attempt: &str, gap, lines: &[Line], hash: &str| Part {
            attempt: attempt.to_owned(),
            arrived_at: 0,
            gap,
            hash: hash.to_owned(),
            lines: lines.to_vec(),
        };
        let lines = [line(1, "one"), line(2, "two")];
        let said = |count, digest: &str| SaidLog { lines: Some(count), digest: Some(digest.to_owned()) };
        let whole =
            [part("a", true, &lines[1..], "x"), part("b", false, &lines[..1], "y"), part("b", false, &lines[1..], "z")];
        assert!(is_complete(&whole, &said(2, "z")));
        assert!(!is_complete(&whole, &said(3, "z")) && !is_complete(&whole, &said(2, "y")));
        assert!(!is_complete(&whole[..1], &said(1, "x")) && !is_complete(&[], &SaidLog::default()));
    }
}
