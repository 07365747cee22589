use std::io::Write;

use super::settings::Value;
use super::*;

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

#[test]
fn later_sources_win_and_say_where_a_value_came_from() {
    let file = file("[server]\naddress = \"127.0.0.1:1\"\nmax_batch_events = 5\n[telemetry]\nlevel = \"warn\"\n");
    let environment = |name: &str| (name == "CHANCERY_SERVER_MAX_BATCH_EVENTS").then(|| "6".to_owned());
    let flags = [("telemetry.level", "debug".to_owned())];
    let loaded = load(Some(file.path()), environment, &flags).unwrap();
    let shown = loaded.shown();
    let of = |key: &str| {
        let (_, value, origin) = shown.iter().find(|(setting, ..)| setting.key == key).unwrap();
        (value.clone(), origin.clone())
    };
    assert_eq!(of("server.address"), ("127.0.0.1:1".into(), format!("{}:2:11", file.path().display())));
    assert_eq!(of("server.max_batch_events"), ("6".into(), "environment CHANCERY_SERVER_MAX_BATCH_EVENTS".into()));
    assert_eq!(of("telemetry.level"), ("debug".into(), "flag".into()));
    assert_eq!(of("query.max_rows"), ("10000".into(), "default".into()));
    assert_eq!(loaded.configuration().max_batch_events, 6);
}

#[test]
fn every_mistake_is_told_at_once_with_its_line() {
    let file = file(
        "[server]\nadress = \"x\"\naddress = \"nowhere\"\nmax_body_bytes = -1\n[client]\ntoken = \"hunter2\"\n[unknown]\nx = 1\n",
    );
    let mistakes = check_file(file.path());
    let lines: Vec<&str> = mistakes.iter().map(|mistake| mistake.place.rsplit(':').nth(1).unwrap()).collect();
    assert_eq!(lines, ["2", "3", "4", "6", "7"]);
    assert!(mistakes[0].reason.contains("did you mean `server.address`"), "{}", mistakes[0].reason);
    assert!(!mistakes.iter().any(|mistake| mistake.reason.contains("hunter2")));
}

#[test]
fn secrets_are_masked_and_broken_toml_is_pointed_at() {
    let loaded = load(None, |name| (name == "CHANCERY_CLIENT_TOKEN").then(|| "chy_a_b".to_owned()), &[]).unwrap();
    assert_eq!(loaded.value("client.token"), Some(&Value::Text("chy_a_b".into())));
    assert!(!format!("{:?}", loaded.shown()).contains("chy_a_b"));
    let broken = file("[server\naddress = 1\n");
    assert_eq!(check_file(broken.path()).len(), 1);
}
