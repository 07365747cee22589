//! Made, changed, deprecated, removed.

use serde_json::json;

use super::super::lifecycle::*;
use super::*;
use crate::decision::tests::told;
use crate::directory::OrganizationRecord;

fn organization() -> OrganizationRecord {
    OrganizationRecord {
        id: "o".into(),
        name: "acme".into(),
        display_name: None,
        created_at: Timestamp::EPOCH,
        updated_at: Timestamp::EPOCH,
    }
}

fn create(name: &str) -> CreateTemplate {
    let settings = TemplateSettings { daily_cost: Some(4), ..TemplateSettings::default() };
    CreateTemplate { id: "n".into(), name: name.into(), display_name: None, description: None, settings }
}

#[test]
fn a_template_has_a_name_of_its_own_in_an_organization() {
    let events = create("rust").decide(Some(&organization()), &[], by("a")).unwrap();
    assert_eq!(told(&events), ["template.created n"]);
    assert_eq!((events[0].organization.as_deref(), &events[0].data["name"]), (Some("acme"), &json!("rust")));
    assert_eq!(changes(&events[0]), ["settings.daily_cost: - 4"]);
    assert_eq!(create("rust").decide(None, &[], by("a")), Err(Refusal::Unknown("organization")));
    let taken = create("go").decide(Some(&organization()), &[template()], by("a"));
    assert!(matches!(taken, Err(Refusal::Taken { field: "name", .. })));
    let gone = TemplateRecord { status: TemplateStatus::Deleted, ..template() };
    assert!(create("go").decide(Some(&organization()), &[gone], by("a")).is_ok());
    for name in ["", "Go", "1go", "g o", &"g".repeat(101)] {
        let refused = create(name).decide(Some(&organization()), &[], by("a"));
        assert!(matches!(refused, Err(Refusal::Invalid { field: "name", .. })), "{name}");
    }
    let bell = CreateTemplate { description: Some("\u{7}".into()), ..create("rust") };
    assert!(matches!(bell.decide(Some(&organization()), &[], by("a")), Err(Refusal::Invalid { .. })));
}

#[test]
fn an_update_says_what_changes_or_nothing() {
    let update = |command: UpdateTemplate| command.decide(&template(), by("a"));
    assert_eq!(update(UpdateTemplate::default()), Ok(vec![]));
    let same = UpdateTemplate { display_name: Some("Go".into()), settings: Some(json!({})), ..Default::default() };
    assert_eq!(update(same), Ok(vec![]));
    let events = update(UpdateTemplate {
        display_name: Some(String::new()),
        description: Some("For gophers\nand others".into()),
        settings: Some(json!({"max_ttl_seconds": 60, "runner_tags": {"zone": "eu"}})),
        expected: Some(3),
        may_lift: false,
    })
    .unwrap();
    assert_eq!(told(&events), ["template.updated t"]);
    assert_eq!(
        changes(&events[0]),
        [
            "display_name: \"Go\" -",
            "description: - \"For gophers\\nand others\"",
            "settings.max_ttl_seconds: - 60",
            "settings.runner_tags: - {\"zone\":\"eu\"}",
        ]
    );
    assert_eq!(events[0].data["display_name"], "");
    let stale = update(UpdateTemplate { expected: Some(2), ..Default::default() });
    assert_eq!(stale, Err(Refusal::Stale { what: "template", version: 3 }));
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    for settings in [
        json!({"ttl": 1}),
        json!({"max_ttl_seconds": 0}),
        json!({"max_ttl_seconds": -1}),
        json!({"max_ttl_seconds": "60"}),
        json!({"default_ttl_seconds": 61, "max_ttl_seconds": 60}),
        json!({"dormant_after_seconds": 400_000_000}),
        json!({"daily_cost": 2_000_000_000}),
        json!({"runner_tags": {"": "x"}}),
        json!({"runner_tags": (0..51).map(|n| (n.to_string(), json!("x"))).collect::<serde_json::Map<_, _>>()}),
        json!([]),
    ] {
        let command = UpdateTemplate { settings: Some(settings.clone()), ..Default::default() };
        let refused = command.decide(&template(), by("a"));
        assert!(matches!(refused, Err(Refusal::Invalid { .. })), "{settings}: {refused:?}");
    }
    let limited = TemplateSettings { max_ttl_seconds: Some(60), ..TemplateSettings::default() };
    let given = TemplateRecord { settings: limited, ..template() };
    let never = UpdateTemplate { settings: Some(json!({"max_ttl_seconds": null})), ..Default::default() };
    assert_eq!(changes(&never.decide(&given, by("a")).unwrap()[0]), ["settings.max_ttl_seconds: 60 -"]);
}

#[test]
fn who_administers_one_template_does_not_lift_its_rule_of_two() {
    let settings = TemplateSettings { two_person_promotion: true, ..TemplateSettings::default() };
    let given = TemplateRecord { settings, ..template() };
    let lift = |may_lift: bool| UpdateTemplate {
        settings: Some(json!({"two_person_promotion": false})),
        may_lift,
        ..Default::default()
    };
    assert!(matches!(lift(false).decide(&given, by("a")), Err(Refusal::Forbidden(_))));
    assert_eq!(told(&lift(true).decide(&given, by("a")).unwrap()), ["template.updated t"]);
    let set = UpdateTemplate { settings: Some(json!({"two_person_promotion": true})), ..Default::default() };
    assert_eq!(told(&set.decide(&template(), by("a")).unwrap()), ["template.updated t"]);
}

#[test]
fn a_template_is_deprecated_with_a_message_and_back() {
    let deprecate = |message: &str| DeprecateTemplate { message: message.into() };
    let events = deprecate("use rust").decide(&template(), by("a")).unwrap();
    assert_eq!(told(&events), ["template.deprecated t"]);
    assert_eq!(changes(&events[0]), ["status: \"active\" \"deprecated\"", "deprecation: null \"use rust\""]);
    assert!(matches!(deprecate(" ").decide(&template(), by("a")), Err(Refusal::Invalid { field: "message", .. })));
    let given =
        TemplateRecord { status: TemplateStatus::Deprecated, deprecation: Some("use rust".into()), ..template() };
    assert_eq!(deprecate("use rust").decide(&given, by("a")), Ok(vec![]));
    assert_eq!(
        changes(&deprecate("use c").decide(&given, by("a")).unwrap()[0]),
        ["deprecation: \"use rust\" \"use c\""]
    );
    let back = UndeprecateTemplate::default();
    assert_eq!(told(&back.clone().decide(&given, by("a")).unwrap()), ["template.undeprecated t"]);
    assert_eq!(back.decide(&template(), by("a")), Ok(vec![]));
}

#[test]
fn a_template_that_workspaces_are_made_from_stays() {
    let delete = DeleteTemplate { reason: Some("nobody uses it".into()) };
    let refused = delete.clone().decide(&template(), 2, by("a"));
    assert_eq!(refused, Err(Refusal::Conflict("2 workspaces are made from the template and not deleted".into())));
    let events = delete.decide(&template(), 0, by("a")).unwrap();
    assert_eq!(told(&events), ["template.deleted t"]);
    assert_eq!(events[0].reason.as_deref(), Some("nobody uses it"));
}

#[test]
fn what_is_gone_or_of_another_system_is_not_changed() {
    for (given, refusal) in beyond_reach() {
        let refused = Err(refusal);
        assert_eq!(UpdateTemplate::default().decide(&given, by("a")), refused);
        assert_eq!(DeprecateTemplate { message: "x".into() }.decide(&given, by("a")), refused);
        assert_eq!(UndeprecateTemplate::default().decide(&given, by("a")), refused);
        assert_eq!(DeleteTemplate::default().decide(&given, 0, by("a")), refused);
    }
}
