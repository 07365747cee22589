//! End-to-end tests against the real binary.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops where it cannot go on")]

mod api;
mod authorization;
mod bad_input;
mod big_sql;
mod borders;
mod chaos;
mod cluster;
mod crash;
mod deploy;
mod directory;
mod disk_full;
mod harness;
mod holes;
mod import;
mod kafka;
mod open_table;
mod operations;
mod postgres;
mod quotas;
mod reports;
mod runner;
mod runners;
mod scim;
mod sessions;
mod sign_in;
mod templates;

use serde_json::{Value, json};

/// Waits until no other test has a syslog daemon of its own; for as long as the file is held.
fn turn_at_dev_log() -> std::fs::File {
    let path = std::env::temp_dir().join("chancery-tests-dev-log");
    let file = std::fs::File::options().create(true).truncate(false).write(true).open(path).unwrap();
    file.lock().unwrap();
    file
}

/// A sign-in event with a number as its id.
fn login(number: u64) -> Value {
    json!({
        "specversion": "1.0",
        "id": number.to_string(),
        "source": "/test",
        "type": if number.is_multiple_of(4) { "user.login.failed" } else { "user.login.succeeded" },
        "time": format!("2026-03-{:02}T{:02}:{:02}:00Z", number % 28 + 1, number / 28 % 24, number / 672 % 60),
        "subject": format!("user/{}", number % 97),
        "data": {
            "actor": {"id": (number % 97).to_string(), "name": format!("user{}", number % 97), "ip": format!("198.51.100.{}", number % 250)},
            "details": {"method": "password"}
        }
    })
}

fn logins(numbers: std::ops::Range<u64>) -> Value {
    Value::Array(numbers.map(login).collect())
}
