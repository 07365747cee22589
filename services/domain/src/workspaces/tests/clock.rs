//! What is due when.

use jiff::tz::TimeZone;

use super::world::{World, failed, template};
use crate::events::workspaces::{ScheduleSet, Transition};
use crate::time::Timestamp;
use crate::workspaces::builds::Ending;
use crate::workspaces::clock::{Action, Life, Patience, cron, due};

const SECOND: i64 = 1_000_000;

fn life(world: &World) -> Life {
    let build = world.last("a");
    Life {
        workspace: world.workspace("a"),
        finished_at: build.as_ref().and_then(|build| build.finished_at),
        started_at: build.as_ref().and_then(|build| build.finished_at),
        build,
        owner_active: true,
        template: Some(template()),
        schedule: ScheduleSet::default(),
        last_used_at: Some(at(world.now)),
        dormant_at: None,
        spent_budget: None,
    }
}

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros).unwrap()
}

fn done(life: &Life, micros: i64) -> String {
    match due(life, &TimeZone::UTC, Patience::default(), at(micros)) {
        None => "nothing".to_owned(),
        Some(Action::Build { transition, cause, .. }) => format!("{} {cause}", transition.as_str()),
        Some(Action::Rest { .. }) => "rest".to_owned(),
        Some(Action::GiveUp { .. }) => "give up".to_owned(),
    }
}

fn running() -> World {
    let mut world = World::new(10);
    world.create("a", "ada").unwrap();
    world.carry_out("a", 4);
    world
}

#[test]
fn what_runs_stops_for_its_owner_its_time_and_its_budget() {
    let world = running();
    let (mut life, now) = (life(&world), world.now);
    assert_eq!(done(&life, now), "nothing");
    life.owner_active = false;
    assert_eq!(done(&life, now), "stop suspension");
    life.owner_active = true;
    let settings = &mut life.template.as_mut().unwrap().settings;
    settings.default_ttl_seconds = Some(100);
    assert_eq!(done(&life, now + 99 * SECOND), "nothing");
    assert_eq!(done(&life, now + 100 * SECOND), "stop autostop");
    life.schedule.ttl_seconds = Some(0);
    assert_eq!(done(&life, now + 100 * SECOND), "stop autostop", "its own schedule counts only where it may have one");
    life.template.as_mut().unwrap().settings.allow_own_schedule = true;
    assert_eq!(done(&life, now + 100 * SECOND), "nothing");
    life.template.as_mut().unwrap().settings.max_ttl_seconds = Some(200);
    assert_eq!(done(&life, now + 200 * SECOND), "stop autostop", "whatever it says");
    life.spent_budget = Some("eng/organization/day".into());
    assert_eq!(done(&life, now), "stop budget");
}

#[test]
fn what_failed_is_cleaned_up_and_not_over_and_over() {
    let mut world = running();
    world.request("a", Transition::Start).unwrap();
    world.start("a").unwrap();
    world.plan("a", 5).unwrap();
    world.begin("a").unwrap();
    world.finish("a", failed(true, None)).unwrap();
    let mut one = life(&world);
    one.template.as_mut().unwrap().settings.failure_ttl_seconds = Some(60);
    assert_eq!(done(&one, world.now + 59 * SECOND), "nothing");
    assert_eq!(done(&one, world.now + 60 * SECOND), "stop failure");
    world.request("a", Transition::Stop).unwrap();
    world.start("a").unwrap();
    world.plan("a", 0).unwrap();
    world.begin("a").unwrap();
    world.finish("a", failed(true, None)).unwrap();
    let mut two = life(&world);
    two.template.as_mut().unwrap().settings.failure_ttl_seconds = Some(60);
    assert_eq!(done(&two, world.now + 61 * SECOND), "nothing", "it was just tried");
    assert_eq!(done(&two, world.now + 3601 * SECOND), "stop failure");
}

#[test]
fn what_nobody_uses_rests_and_goes() {
    let mut world = running();
    let mut one = life(&world);
    let settings = &mut one.template.as_mut().unwrap().settings;
    settings.dormant_after_seconds = Some(1000);
    settings.dormant_deletion_seconds = Some(5000);
    assert_eq!(done(&one, world.now + 999 * SECOND), "nothing");
    assert_eq!(done(&one, world.now + 1000 * SECOND), "rest");
    world.build("a", Transition::Stop, 0);
    let mut two = Life { template: one.template, ..life(&world) };
    two.workspace.dormant = true;
    two.dormant_at = Some(at(world.now));
    assert_eq!(done(&two, world.now + 4999 * SECOND), "nothing");
    assert_eq!(done(&two, world.now + 5000 * SECOND), "delete dormant-deletion");
}

#[test]
fn a_start_is_due_once_in_the_time_of_its_zone() {
    let mut world = running();
    world.build("a", Transition::Stop, 0);
    let mut one = life(&world);
    one.template.as_mut().unwrap().settings.allow_own_schedule = true;
    one.schedule = ScheduleSet { autostart: Some("0 8 * * 1-5".into()), time_zone: None, ttl_seconds: None };
    let moment = |text: &str| text.parse::<Timestamp>().unwrap();
    let berlin = TimeZone::get("Europe/Berlin").unwrap();
    let action = |life: &Life, zone: &TimeZone, now: &str| due(life, zone, Patience::default(), moment(now));
    // A Wednesday in summer time.
    assert!(action(&one, &berlin, "2026-07-01T05:59:59Z").is_none());
    assert!(matches!(action(&one, &berlin, "2026-07-01T06:00:00Z"), Some(Action::Build { cause: "autostart", .. })));
    assert!(action(&one, &TimeZone::UTC, "2026-07-01T06:00:00Z").is_none());
    assert!(action(&one, &berlin, "2026-07-01T07:00:01Z").is_none(), "not hours later");
    one.build.as_mut().unwrap().finished_at = Some(moment("2026-07-01T06:00:30Z"));
    assert!(action(&one, &berlin, "2026-07-01T06:01:00Z").is_none(), "whoever stopped it then meant it");
    one.build.as_mut().unwrap().finished_at = None;
    one.workspace.dormant = true;
    assert!(action(&one, &berlin, "2026-07-01T06:00:00Z").is_none());
    one.workspace.dormant = false;
    one.owner_active = false;
    assert!(action(&one, &berlin, "2026-07-01T06:00:00Z").is_none());
}

#[test]
fn builds_that_nobody_takes_or_finishes_are_given_up() {
    let mut world = World::new(10);
    world.create("a", "ada").unwrap();
    let mut waiting = life(&world);
    waiting.build.as_mut().unwrap().queued_at = Some(at(world.now));
    assert_eq!(done(&waiting, world.now + 86_399 * SECOND), "nothing");
    assert_eq!(done(&waiting, world.now + 86_400 * SECOND), "give up");
    world.start("a").unwrap();
    let taken = life(&world);
    assert_eq!(done(&taken, world.now + 7199 * SECOND), "nothing");
    assert_eq!(done(&taken, world.now + 7200 * SECOND), "give up");
    world.plan("a", 1).unwrap();
    world.begin("a").unwrap();
    world.finish("a", Ending::Succeeded { cost: None }).unwrap();
    assert_eq!(done(&life(&world), world.now), "nothing");
}

#[test]
fn schedules_are_five_fields() {
    for good in ["0 8 * * 1-5", "*/15 6-18 * * MON-FRI", "30 7 1 * *"] {
        assert!(cron(good).is_ok(), "{good}");
    }
    for bad in ["", "0 8 * *", "0 0 8 * * 1", "61 8 * * *", "@daily", "0 8 * * 9"] {
        assert!(cron(bad).is_err(), "{bad}");
    }
    // The hour that is left out in spring comes as soon as there is time again.
    let (berlin, daily) = (TimeZone::get("Europe/Berlin").unwrap(), cron("30 2 * * *").unwrap());
    let next = daily.next_after(&berlin, "2026-03-28T12:00:00Z".parse().unwrap()).unwrap();
    assert!(next >= "2026-03-29T01:00:00Z".parse().unwrap(), "{next}");
}
