//! What holds for every format, and the logs of `../shared/data` where they are present.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use chancery_domain::{Event, validate};
use chancery_evidence::Sealed;
use proptest::prelude::*;

use super::*;

/// What became of an input.
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    records: u64,
    imported: u64,
    ignored: BTreeMap<&'static str, u64>,
    rejected: Vec<(u64, String)>,
    events: Vec<Event>,
}

fn import(format: Format, options: Options, input: impl BufRead) -> Outcome {
    let mut outcome = Outcome::default();
    for record in Importer::new(format, options).read(input) {
        let record = record.unwrap();
        outcome.records += 1;
        match record.parsed {
            Parsed::Imported(events) => {
                assert!(!events.is_empty());
                outcome.imported += 1;
                outcome.events.extend(events);
            }
            Parsed::Ignored(reason) => *outcome.ignored.entry(reason).or_default() += 1,
            Parsed::Rejected { reason, .. } => outcome.rejected.push((record.line, reason)),
        }
    }
    for event in &outcome.events {
        validate::check(event).unwrap();
        Sealed::new(event).unwrap();
        assert_eq!(event.imported.as_ref().map(|imported| imported.format.as_str()), Some(format.as_str()));
    }
    outcome
}

fn import_all(format: Format, input: &[u8]) -> Outcome {
    let reference_time = "2026-06-30T00:00:00Z".parse().unwrap();
    import(format, Options { reference_time, ..Options::default() }, input)
}

const SAMPLES: [(Format, &str); 7] = [
    (Format::Sshd, "Jan 31 09:00:00 h sshd[7]: Accepted password for ada from 192.0.2.1 port 4711 ssh2\n"),
    (Format::Sshd, "2026-01-31T09:00:00Z h sshd[7]: Disconnected from user ada 192.0.2.1 port 4711\n"),
    (
        Format::Sshd,
        "{\"__REALTIME_TIMESTAMP\":\"1769850000000000\",\"_HOSTNAME\":\"h\",\"SYSLOG_IDENTIFIER\":\"sshd\",\"_PID\":\"7\",\"MESSAGE\":\"Invalid user eve from 192.0.2.1 port 1\"}\n",
    ),
    (
        Format::CoderAudit,
        "{\"audit_logs\":[{\"id\":\"a\",\"time\":\"2026-01-31T09:00:00Z\",\"action\":\"create\",\"resource_type\":\"user\",\"resource_target\":\"eve\",\"status_code\":201}],\"count\":1}\n",
    ),
    (
        Format::CoderConnections,
        "{\"connection_logs\":[{\"id\":\"c\",\"connect_time\":\"2026-01-31T09:00:00Z\",\"type\":\"ssh\"}]}\n",
    ),
    (
        Format::CloudTrail,
        "{\"Records\":[{\"eventID\":\"e\",\"eventTime\":\"2026-01-31T09:00:00Z\",\"eventName\":\"CreateUser\",\"eventSource\":\"iam.amazonaws.com\"}]}\n",
    ),
    (
        Format::CloudEvents,
        "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"s\",\"type\":\"x.y\",\"time\":\"2026-01-31T09:00:00Z\",\"data\":{}}\n",
    ),
];

#[test]
fn every_sample_is_imported() {
    for (format, sample) in SAMPLES {
        let outcome = import_all(format, sample.as_bytes());
        assert_eq!((outcome.records, outcome.imported), (1, 1), "{format}: {outcome:?}");
    }
}

#[test]
fn damaged_lines_are_rejected_alone() {
    for (format, sample) in SAMPLES {
        let clean = import_all(format, sample.repeat(2).as_bytes());
        let long = format!("{{\"a\":\"{}\"}}\n", "x".repeat(MAX_RECORD));
        // Half a line of syslog is a shorter line; a record cut in half is none.
        let cut = if sample.starts_with('{') { &sample[..sample.len() / 2] } else { "Jan 31 09:00" };
        for damage in [&b"\xff\xfe\n"[..], b"{\"a\":\"\0\"}\n", b"{\"a\":\"\xff\"}\n", long.as_bytes(), cut.as_bytes()]
        {
            let newline: &[u8] = if damage.ends_with(b"\n") { b"" } else { b"\n" };
            let input = [sample.as_bytes(), damage, newline, sample.as_bytes()].concat();
            let outcome = import_all(format, &input);
            assert_eq!(outcome.events, clean.events, "{format}: {:?}", outcome.rejected);
            assert_eq!(outcome.ignored, clean.ignored, "{format}");
            let lines: Vec<u64> = outcome.rejected.iter().map(|(line, _)| *line).collect();
            assert_eq!(lines, [2], "{format}: {:?}", outcome.rejected);
        }
    }
}

#[test]
fn documents_may_be_pretty_concatenated_or_lists() {
    for (format, sample) in SAMPLES.iter().skip(3) {
        let document: serde_json::Value = serde_json::from_str(sample).unwrap();
        let pretty = serde_json::to_string_pretty(&document).unwrap();
        let record = document.as_object().unwrap().values().find_map(|v| v.get(0)).unwrap_or(&document);
        let joined = format!("{pretty}{}\n[{record},\n{record}\n]{record}", sample.trim_end());
        let outcome = import_all(*format, joined.as_bytes());
        assert_eq!((outcome.records, outcome.imported), (5, 5), "{format}: {:?}", outcome.rejected);
        assert!(outcome.events.windows(2).all(|pair| pair[0] == pair[1]), "{format}");
    }
}

#[test]
fn offsets_and_lines_say_where_a_record_ends() {
    let input = "\n{\"Records\":[\n {\"a\":1},\n {\n\"b\":2}]}\n";
    let records: Vec<_> =
        Importer::new(Format::CloudTrail, Options::default()).read(input.as_bytes()).map(Result::unwrap).collect();
    let places: Vec<_> = records.iter().map(|record| (record.line, record.lines, record.end)).collect();
    assert_eq!(places, [(3, 1, 22), (4, 2, 33)]);
}

/// Bytes that look enough like a format to get past its first checks.
fn fragments(format: Format) -> impl Strategy<Value = Vec<u8>> {
    let samples: Vec<&str> = SAMPLES.iter().filter(|(f, _)| *f == format).map(|(_, sample)| *sample).collect();
    let whole = prop::sample::select(samples.clone()).prop_map(|sample| sample.as_bytes().to_vec());
    let bounds = (any::<prop::sample::Index>(), any::<prop::sample::Index>());
    let part = (prop::sample::select(samples), bounds).prop_map(|(sample, (from, to)): (&str, _)| {
        let (from, to) = (from.index(sample.len()), to.index(sample.len()));
        sample.as_bytes()[from.min(to)..from.max(to)].to_vec()
    });
    let piece = prop_oneof![whole, part, prop::collection::vec(any::<u8>(), 0..20), Just(b"\n".to_vec())];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_bytes_are_accounted_for_and_read_the_same_twice(
        (format, input) in prop::sample::select(&Format::ALL[..]).prop_flat_map(|f| (Just(f), fragments(f)))
    ) {
        let outcome = import_all(format, &input);
        let ignored: u64 = outcome.ignored.values().sum();
        prop_assert_eq!(outcome.records, outcome.imported + ignored + outcome.rejected.len() as u64);
        // A reader that delivers a few bytes at a time changes nothing.
        let reference_time = "2026-06-30T00:00:00Z".parse().unwrap();
        let slow = BufReader::with_capacity(3, &input[..]);
        prop_assert_eq!(&import(format, Options { reference_time, ..Options::default() }, slow), &outcome);
    }

    #[test]
    fn a_longer_log_gives_the_same_events_first(
        (format, input) in prop::sample::select(&Format::ALL[..]).prop_flat_map(|f| (Just(f), fragments(f))),
        more in fragments(Format::Sshd)
    ) {
        let shorter = [&input[..], b"\n"].concat();
        let longer = [&shorter[..], &more].concat();
        let (shorter, longer) = (import_all(format, &shorter), import_all(format, &longer));
        prop_assert!(longer.events.starts_with(&shorter.events));
    }
}

/// The folder of real logs beside the repository, where there is one.
fn shared_data() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    if !folder.is_dir() {
        eprintln!("../shared/data is absent: only made-up logs are tested");
        return None;
    }
    Some(folder)
}

fn count_types(events: &[Event]) -> BTreeMap<&str, u64> {
    let mut types = BTreeMap::new();
    for event in events {
        *types.entry(event.event_type.as_str()).or_default() += 1;
    }
    types
}

#[test]
fn the_shared_ssh_log_is_explained_line_by_line() {
    let Some(folder) = shared_data() else { return };
    let path = folder.join("ssh/secrepo_auth_ec2.log");
    let open = || BufReader::new(File::open(&path).unwrap());
    let reference_time = first_time(open(), "2015-01-01T00:00:00Z".parse().unwrap(), TimeZone::UTC).unwrap();
    let outcome = import(Format::Sshd, Options { reference_time, ..Options::default() }, open());
    let types = count_types(&outcome.events);
    println!("{} lines, {} imported: {types:?}; ignored: {:?}", outcome.records, outcome.imported, outcome.ignored);
    assert_eq!(outcome.records, 10_567);
    assert_eq!(outcome.rejected.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [10_567], "{:?}", outcome.rejected);
    let unknown: Vec<_> = outcome.events.iter().filter(|event| event.event_type == "sshd.message").collect();
    assert!(unknown.is_empty(), "{unknown:#?}");
    assert_eq!(types["user.login.failed"], 1489);
    assert!(outcome.events.windows(2).all(|pair| pair[0].occurred_at <= pair[1].occurred_at));
    let ids: HashMap<_, _> = outcome.events.iter().map(|event| (&event.id, event)).collect();
    assert_eq!(ids.len(), outcome.events.len());
}

#[test]
fn the_shared_cloudtrail_files_are_imported_to_the_last_record() {
    let Some(folder) = shared_data() else { return };
    let (mut events, mut records) = (Vec::new(), 0);
    for folder in [folder.join("cloudtrail"), folder.join("cloudtrail/stratus")] {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "json") {
                let input = BufReader::new(File::open(&path).unwrap());
                let outcome = import(Format::CloudTrail, Options::default(), input);
                assert_eq!((&outcome.rejected, outcome.ignored.len()), (&Vec::new(), 0), "{}", path.display());
                records += outcome.records;
                events.extend(outcome.events);
            }
        }
    }
    assert_eq!(records, 3_210);
    assert_eq!(events.len(), 3_210);
    let mut known: HashMap<(&str, &str), &Event> = HashMap::new();
    let mut outcomes: BTreeMap<&str, u64> = BTreeMap::new();
    for event in &events {
        *outcomes.entry(event.outcome.as_str()).or_default() += 1;
        let first = known.entry((&event.source, &event.id)).or_insert(event);
        assert_eq!(*first, event, "one id, two contents");
    }
    println!("{records} records, {} distinct, {outcomes:?}", known.len());
    println!("{:?}", count_types(&events));
}
