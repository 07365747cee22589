//! Runner keys, runners and requeued builds, as steps of a random history.

use serde_json::{Value, json};

/// How many kinds of step there are.
pub(super) const STEPS: usize = 10;

/// A step: type, resource kind, payload.
pub(super) fn step(kind: usize, other: u8, number: u32) -> (&'static str, &'static str, Value) {
    let build = json!({"build_number": number % 5 + 1, "transition": "start", "job_id": format!("again{number}"),
                       "attempt": number % 3 + 2});
    let until = "2027-01-01T00:00:00Z";
    match kind {
        0 => ("workspace.build.requeued", "workspace", build),
        1 => {
            let key = json!({"name": "lab", "tags": [format!("zone={other}")], "one_time": number.is_multiple_of(3),
                             "secret_sha256": "00", "owner_id": format!("{other}"), "runner_seconds": number});
            ("runner.key.created", "runner-key", key)
        }
        2 => ("runner.key.rotated", "runner-key", json!({"replaced_by": format!("{other}"), "expires_at": until})),
        3 => ("runner.key.used", "runner-key", json!({"runner_id": format!("{other}")})),
        4 => ("runner.key.revoked", "runner-key", json!({})),
        5 => {
            let runner = json!({"hostname": "lab", "key_id": format!("{other}"), "public_key": format!("k{number}"),
                                "tags": [format!("zone={other}")], "expires_at": until});
            ("runner.registered", "runner", runner)
        }
        6 => ("runner.connected", "runner", json!({"version": format!("{number}")})),
        7 => ("runner.lost", "runner", json!({})),
        8 => ("runner.identity.rotated", "runner", json!({"public_key": format!("k{other}")})),
        _ => ("runner.revoked", "runner", json!({})),
    }
}
