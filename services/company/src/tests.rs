use std::collections::{HashMap, HashSet};

use chancery_domain::{Event, Timestamp, validate};

use crate::{Company, Options};

fn options(seed: u64) -> Options {
    Options { users: 40, days: 14, start: "2026-01-05T00:00:00Z".parse::<Timestamp>().unwrap(), seed }
}

#[test]
fn equal_options_give_equal_events_in_the_order_of_time_with_unique_ids() {
    let events: Vec<Event> = Company::new(options(1)).collect();
    assert!(events.len() > 5000, "{}", events.len());
    assert_eq!(events, Company::new(options(1)).collect::<Vec<_>>());
    assert_ne!(events, Company::new(options(2)).collect::<Vec<_>>());
    assert!(events.windows(2).all(|pair| pair[0].occurred_at <= pair[1].occurred_at));
    assert_eq!(events.iter().map(|event| &event.id).collect::<HashSet<_>>().len(), events.len());
    for event in &events {
        validate::check(event).unwrap_or_else(|violation| panic!("{event:?}: {violation}"));
    }
}

#[test]
fn histories_are_valid() {
    for seed in 0..6 {
        let mut active: HashMap<String, bool> = HashMap::new();
        let mut open = HashSet::new();
        let mut members = HashSet::new();
        let mut builds: HashMap<String, u64> = HashMap::new();
        for event in Company::new(options(seed)) {
            let id = event.resource.id.clone();
            let member = (id.clone(), event.data["user_id"].as_str().unwrap_or_default().to_owned());
            match event.event_type.as_str() {
                "user.created" => assert!(active.insert(id, true).is_none()),
                "user.suspended" | "user.deleted" => assert_eq!(active.insert(id, false), Some(true), "{event:?}"),
                "user.reactivated" => assert_eq!(active.insert(id, true), Some(false)),
                "group.member.added" => assert!(members.insert(member)),
                "group.member.removed" => assert!(members.remove(&member)),
                "session.opened" => assert!(open.insert(id)),
                "session.closed" => assert!(open.remove(&id)),
                "workspace.build.requested" => {
                    let number = event.data["build_number"].as_u64().unwrap();
                    let before = builds.insert(id, number).unwrap_or(0);
                    assert_eq!(number, before + 1);
                }
                _ => {}
            }
            if event.actor.roles == ["member"] && event.event_type != "user.login.failed" {
                assert_eq!(active.get(&event.actor.id), Some(&true), "{event:?}");
            }
        }
        assert!(open.is_empty());
    }
}

#[test]
fn the_intruder_tries_many_people_gets_in_and_is_stopped() {
    let events: Vec<Event> = Company::new(options(3)).collect();
    let from_outside = |event: &&Event| event.actor.ip.is_some_and(|ip| ip.to_string().starts_with("203.0.113."));
    let seen: Vec<&Event> = events.iter().filter(from_outside).collect();
    let tried: HashSet<&str> = seen.iter().filter_map(|event| event.actor.name.as_deref()).collect();
    assert!(tried.len() > 20);
    let entered = seen.iter().find(|event| event.event_type == "user.login.succeeded").unwrap();
    assert!(seen.iter().any(|event| event.event_type == "session.denied"));
    assert!(events.iter().any(|event| event.event_type == "user.suspended" && event.resource.id == entered.actor.id));
}

/// Every entry says what its workspace takes from then on, and what the user's workspaces took before it; nothing is over
/// the allowance, nothing comes back twice.
#[test]
fn the_sums_of_the_ledger_are_right() {
    for seed in 0..4 {
        let mut committed: HashMap<(String, String), u64> = HashMap::new();
        let mut reserved: HashSet<(String, String)> = HashSet::new();
        let (mut denied, mut forgotten) = (0, 0);
        for event in Company::new(options(seed)).filter(|event| event.event_type.starts_with("quota.")) {
            let number = |name: &str| event.data[name].as_u64().unwrap_or_default();
            let key = (event.resource.id.clone(), event.data["workspace_id"].as_str().unwrap().to_owned());
            let consumed: u64 =
                committed.iter().filter(|((quota, _), _)| *quota == key.0).map(|(_, committed)| *committed).sum();
            assert_eq!(number("consumed"), consumed, "{event:?}");
            match event.event_type.as_str() {
                "quota.reserved" => {
                    assert!(number("reserved") <= number("allowance") && number("reserved") == number("cost"));
                    assert!(reserved.insert(key));
                }
                "quota.committed" => {
                    assert!(reserved.remove(&key));
                    committed.insert(key, number("committed"));
                }
                "quota.released" => {
                    let had = reserved.remove(&key).then(|| number("cost")).or_else(|| committed.remove(&key));
                    assert_eq!(had, Some(number("released")), "{event:?}");
                }
                _ => {
                    assert!(number("cost") > number("allowance"));
                    denied += 1;
                }
            }
            forgotten = forgotten.max(committed.len());
        }
        assert!(denied > 0 && forgotten > 0 && reserved.is_empty());
    }
}
