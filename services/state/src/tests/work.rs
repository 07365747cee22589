//! Builds and ledger entries, as steps of a random history: by Chancery and by other systems, in any order.

use serde_json::{Value, json};

/// A step: type, resource kind, payload.
pub(super) fn step(kind: usize, other: u8, number: u32) -> (&'static str, &'static str, Value) {
    let transition = ["start", "stop", "delete"][usize::from(other) % 3];
    let build = json!({"build_number": number % 5 + 1, "transition": transition, "job_id": format!("job{number}"),
                       "parameters": {"cpu": format!("{number}")}, "tags": {"zone": "a"}, "applied": number.is_multiple_of(3)});
    let entry = json!({"workspace_id": format!("w{other}"), "build_number": number, "cost": number % 7,
                       "committed": number % 4, "reserved": number % 5, "running": number.is_multiple_of(3)});
    let plain = json!({"workspace_id": format!("w{other}"), "cost": number % 7});
    let entry = if number % 8 < 4 { entry } else { plain };
    match kind {
        0 => ("workspace.build.queued", "workspace", build),
        1 => ("workspace.build.planned", "workspace", build),
        2 => ("workspace.build.apply-started", "workspace", build),
        3 => ("workspace.build.cancel-requested", "workspace", build),
        4 => ("workspace.build.canceled", "workspace", build),
        5 => ("workspace.build.rejected", "workspace", build),
        6 => ("workspace.dormant", "workspace", json!({})),
        7 => ("workspace.woken", "workspace", json!({})),
        8 => ("workspace.used", "workspace", json!({})),
        9 => ("workspace.renamed", "workspace", json!({"from": "a", "to": format!("name{other}")})),
        10 => ("workspace.schedule.set", "workspace", json!({"autostart": "0 8 * * 1-5", "ttl_seconds": number})),
        11 => ("quota.reserved", "quota", entry),
        12 => ("quota.committed", "quota", entry),
        13 => ("quota.released", "quota", entry),
        14 => ("quota.cap.set", "quota-cap", json!({"bounds": "group_credits", "subject_id": "g", "limit": number})),
        15 => {
            let period = if number.is_multiple_of(2) { "day" } else { "month" };
            ("quota.budget.set", "quota-budget", json!({"credit_hours": number, "period": period, "hard": true}))
        }
        _ => ("quota.settings.changed", "quota-settings", json!({"unknown_costs": "refuse", "time_zone": "UTC"})),
    }
}
