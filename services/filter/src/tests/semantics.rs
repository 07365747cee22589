//! What filters mean, asked of one event.

use super::{assert_differs, assert_matches, event, parse};

#[test]
fn an_empty_filter_and_a_star_ask_for_everything() {
    assert_matches("");
    assert_matches("  ");
    assert_matches("*");
    assert_differs("NOT *");
}

#[test]
fn and_binds_tighter_than_or_and_stands_between_terms() {
    assert_matches("action:delete OR action:build outcome:failure");
    assert_differs("(action:delete OR action:build) outcome:success");
    assert_differs("action:build AND outcome:success");
    assert_matches("NOT outcome:success AND action:build");
    assert_matches("-outcome:success !action:delete");
    assert_matches("NOT (outcome:success OR action:delete)");
    assert_matches("NOT NOT action:build");
    assert_matches("-(outcome:success action:build)");
}

#[test]
fn identifiers_compare_exactly_and_names_without_case() {
    assert_matches("id:e-1 source:\"https://chancery.test\" stream:workspace/w-7 correlation:r-5");
    assert_differs("id:E-1");
    assert_differs("resource.id:W-7");
    assert_matches("actor.name:ALICE email:alice@example.COM org:acme resource.name:\"dev box\" owner:BOB");
    assert_matches("actor:alice actor:U-1 actor:alice@example.com -actor:bob resource:w-7 resource:\"DEV box\"");
    assert_matches("group:platform role:owner -group:plat actor.kind:user");
    assert_matches("policy:quota policy:quota@3 -policy:quota@2");
    assert_matches("OUTCOME:Failure");
}

#[test]
fn wildcards_match_whole_texts_and_can_be_escaped() {
    assert_matches("type:workspace.build.* type:*.failed type:work*.*.f?iled");
    assert_differs(r#"type:"workspace.build""#);
    assert_differs("type:\"workspace.build.faile\"");
    assert_matches("resource.name:\"dev*\" resource.name:dev?box");
    assert_matches(r#"reason:"quota\*exceeded*" reason:quota\*exc*"#);
    assert_differs(r"reason:quota\?exc*");
}

#[test]
fn addresses_lie_in_networks() {
    assert_matches("ip:10.0.0.0/8 ip:10.1.2.3 ip:10.1.* ip:(192.168.0.0/16, 10.1.2.0/24) ip:::ffff:10.1.2.3");
    assert_differs("ip:10.2.0.0/16");
    assert_differs("ip:2001:db8::/32");
    let mut mapped = event();
    mapped.actor.ip = Some("::ffff:10.1.2.3".parse().unwrap());
    assert!(parse("ip:10.0.0.0/8").matches(&mapped, 1));
    mapped.actor.ip = None;
    assert!(!parse("ip:0.0.0.0/0 OR ip:::/0 OR ip:*").matches(&mapped, 1));
}

#[test]
fn a_day_holds_its_last_microsecond_and_ends_of_ranges_are_inside() {
    assert_matches("time:2026-03-28 time:2026-03 time:2026 time:2026-03-28T23:59");
    assert_matches("time:2026-03-01..2026-03-28 time:2026-03-28..2026-03-30 time:2026-03-28.. time:..2026-03-28");
    assert_differs("time:2026-03-01..<2026-03-28");
    assert_differs("time:2026-03-28<..2026-03-30");
    assert_matches("time:>=2026-03-28 time:<=2026-03-28 time:<2026-03-29 time:>2026-03-27");
    assert_differs("time:>2026-03-28");
    assert_differs("time:<2026-03-28");
    assert_matches("time:2026-03-29[Europe/Berlin] time:\"2026-03-29 00:59 Europe/Berlin\"");
    assert_matches("time:\"2026-03-29 00:00 +01:00\"..2026-03-29T01:00+01:00");
    assert_matches("recorded_at:2026-03-29T00:00:01Z");
}

#[test]
fn relative_times_count_from_now() {
    assert_matches("time:-7d time:>=-7d time:-2d..now");
    assert_differs("time:-1d");
    assert_differs("time:today OR time:yesterday");
    assert_matches("time:<today time:<yesterday");
}

#[test]
fn whole_numbers_compare() {
    assert_matches("position:100 position:>99 position:<=100 position:50..100 stream_version:12 schema:1");
    assert_differs("position:50..<100");
    assert_differs("position:(1, 2, 200..300)");
}

#[test]
fn paths_lead_into_the_payload() {
    assert_matches("data.transition:START data.build_number:3 data.build_number:3.0 data.daily_cost:>10");
    assert_matches("data.daily_cost:12.5..13 data.daily_cost:<=12.5 data.ok:false data.error:null");
    assert_differs("data.daily_cost:12.5<..13");
    assert_differs("data.error:*");
    assert_differs("data.missing:* OR data.empty:* OR data.build_number.x:*");
    assert_matches("data.tags:blue data.tags:(green, re?) data.steps.name:apply data.steps.1.name:apply");
    assert_differs("data.steps.0.name:apply");
    assert_matches("data.steps.ms:>1000 data.expires_at:>2026-05 data.expires_at:-1d..+90d");
    assert_matches("data.peer:2001:db8::/32 data.\"a.b\".old:x extensions.traceparent:00-*");
    assert_matches("data.cause:[autostart,autostop] data.cause:(autostart OR autostop)");
}

#[test]
fn changes_are_asked_by_path_and_side() {
    assert_matches("changes.email changes.limits changes:limits.* changes:email changed:*");
    assert_differs("changes.limit");
    assert_differs("changes.mail");
    assert_matches("changes.email.old:OLD@example.com changes.email.new:*@example.com changes.email:new@*");
    assert_differs("changes.email.new:old@example.com");
    assert_matches("changes.limits.cpu.new:>=8 changes.limits.cpu.old:4 changes.profile.city.new:berlin");
    assert_differs("changes.profile.old:*");
}

#[test]
fn missing_values_match_nothing_but_negations() {
    assert_differs("causation:* OR causation:x OR on_behalf_of:*");
    assert_matches("-causation:x -causation:* reason:* imported:true imported:coder-audit");
    assert_differs("imported:false");
}

#[test]
fn free_text_is_found_in_the_text_columns() {
    assert_matches("quota dev example.com 10.1.2 BUILD \"50% over\" w-7 moz*x11");
    assert_differs("autostart");
    assert_matches("event:autostart raw:*traceparent*");
    assert_matches(r#"event:"\"build_number\":3""#);
    assert_differs("event:nowhere");
}

#[test]
fn me_is_the_caller_unless_quoted() {
    assert_matches("actor:me username:me");
    assert_differs("actor:\"me\" OR owner:me");
}
