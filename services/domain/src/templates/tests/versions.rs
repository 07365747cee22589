//! Pushed, promoted, archived.

use serde_json::json;

use super::super::versions::*;
use super::*;
use crate::decision::tests::told;
use crate::events::templates::TemplateContents;

fn version(id: &str) -> TemplateVersionRecord {
    TemplateVersionRecord {
        id: id.into(),
        template_id: "t".into(),
        name: format!("v{id}"),
        message: None,
        sha256: "aa".into(),
        size_bytes: 1,
        archived: false,
        pushed_by: Some("p".into()),
        pushed_at: Timestamp::EPOCH,
    }
}

fn push(name: Option<&str>) -> PushVersion {
    PushVersion {
        id: "n".into(),
        name: name.map(str::to_owned),
        message: None,
        sha256: "aa".into(),
        size_bytes: 1,
        contents: TemplateContents::default(),
    }
}

fn two_people() -> TemplateRecord {
    let settings = TemplateSettings { two_person_promotion: true, ..TemplateSettings::default() };
    TemplateRecord { settings, ..template() }
}

fn pending(version: &str, by: &str) -> PromotionRequest {
    PromotionRequest {
        version_id: version.into(),
        version_name: Some(format!("v{version}")),
        requested_by: by.into(),
        requested_by_name: None,
        requested_at: Timestamp::EPOCH,
        event: "asked".into(),
    }
}

fn promote() -> PromoteVersion {
    PromoteVersion { reason: Some("tested".into()) }
}

#[test]
fn a_version_has_a_name_of_its_own_and_is_the_same_when_pushed_again() {
    let decide = |command: PushVersion, versions: &[TemplateVersionRecord]| {
        command.decide(&template(), versions, by("a")).map(|(events, id)| {
            (events.first().map(|event| event.data["version_name"].as_str().unwrap().to_owned()), id)
        })
    };
    assert_eq!(decide(push(None), &[]), Ok((Some("v1".into()), "n".into())));
    assert_eq!(decide(push(None), &[version("7"), version("x")]), Ok((Some("v8".into()), "n".into())));
    assert_eq!(decide(push(Some("v7")), &[version("7")]), Ok((None, "7".into())));
    let other = PushVersion { sha256: "bb".into(), ..push(Some("v7")) };
    assert!(matches!(decide(other, &[version("7")]), Err(Refusal::Taken { field: "name", .. })));
    for name in ["", ".x", "a b", "a/b", &"x".repeat(101)] {
        assert!(matches!(decide(push(Some(name)), &[]), Err(Refusal::Invalid { field: "name", .. })), "{name}");
    }
    let long = PushVersion { message: Some("x".repeat(1001)), ..push(None) };
    assert!(matches!(decide(long, &[]), Err(Refusal::Invalid { field: "message", .. })));
}

#[test]
fn one_person_promotes_where_no_second_is_asked_for() {
    let events = promote().decide(&template(), &version("1"), None, by("a")).unwrap();
    assert_eq!(told(&events), ["template.version.promoted t"]);
    assert_eq!(changes(&events[0]), ["active_version: null \"1\""]);
    assert_eq!(events[0].reason.as_deref(), Some("tested"));
    let active = TemplateRecord { active_version: Some("1".into()), ..template() };
    assert_eq!(promote().decide(&active, &version("1"), None, by("a")), Ok(vec![]));
    let away = TemplateVersionRecord { archived: true, ..version("1") };
    assert!(matches!(promote().decide(&template(), &away, None, by("a")), Err(Refusal::Conflict(_))));
}

#[test]
fn nobody_promotes_alone_where_it_takes_two() {
    let decide = |waits: Option<&PromotionRequest>, who| promote().decide(&two_people(), &version("1"), waits, who);
    let asked = decide(None, by("a")).unwrap();
    assert_eq!(told(&asked), ["template.version.promotion.requested t"]);
    assert_eq!(changes(&asked[0]), ["promotion: null \"1\""]);
    let waits = pending("1", "a");
    assert!(matches!(decide(Some(&waits), by("a")), Err(Refusal::Forbidden(_))));
    // Whoever pushed it may agree to what another asked for.
    let events = decide(Some(&waits), by("p")).unwrap();
    assert_eq!(events[0].event_type, "template.version.promoted");
    assert_eq!((events[0].causation.as_deref(), &events[0].data["requested_by"]), (Some("asked"), &json!("a")));
    // A token without an owner is no person, first or second.
    let token = || Context { actor: Actor { kind: ActorKind::Service, ..by("token").actor }, ..by("token") };
    assert!(matches!(decide(None, token()), Err(Refusal::Forbidden(_))));
    assert!(matches!(decide(Some(&waits), token()), Err(Refusal::Forbidden(_))));
    let another = pending("2", "a");
    assert!(matches!(decide(Some(&another), by("b")), Err(Refusal::Conflict(_))));
}

#[test]
fn a_promotion_that_waits_can_be_withdrawn_and_ends_with_its_version() {
    let withdraw =
        |waits: Option<&PromotionRequest>| WithdrawPromotion::default().decide(&two_people(), waits, by("b"));
    assert_eq!(told(&withdraw(Some(&pending("1", "a"))).unwrap()), ["template.version.promotion.withdrawn t"]);
    assert!(matches!(withdraw(None), Err(Refusal::Unknown(_))));
    let archive = |id: &str| {
        let command = ArchiveVersion { archived: true, reason: None };
        told(&command.decide(&two_people(), &version(id), Some(&pending("1", "a")), by("b")).unwrap())
    };
    assert_eq!(
        archive("1"),
        ["template.version.archived t", "template.version.promotion.withdrawn t <- template.version.archived"]
    );
    assert_eq!(archive("2"), ["template.version.archived t"]);
}

#[test]
fn the_active_version_is_not_put_away() {
    let archive = |archived| ArchiveVersion { archived, reason: None };
    let active = TemplateRecord { active_version: Some("1".into()), ..template() };
    let refused = archive(true).decide(&active, &version("1"), None, by("a"));
    assert!(matches!(refused, Err(Refusal::Conflict(_))));
    let away = TemplateVersionRecord { archived: true, ..version("1") };
    assert_eq!(archive(true).decide(&template(), &away, None, by("a")), Ok(vec![]));
    let back = archive(false).decide(&template(), &away, None, by("a")).unwrap();
    assert_eq!(told(&back), ["template.version.unarchived t"]);
    assert_eq!(changes(&back[0]), ["versions.1.archived: true false"]);
}

#[test]
fn versions_of_what_is_gone_or_of_another_system_are_not_changed() {
    for (given, refusal) in beyond_reach() {
        assert_eq!(push(None).decide(&given, &[], by("a")).unwrap_err(), refusal);
        assert_eq!(promote().decide(&given, &version("1"), None, by("a")).unwrap_err(), refusal);
        let archive = ArchiveVersion { archived: true, reason: None };
        assert_eq!(archive.decide(&given, &version("1"), None, by("a")).unwrap_err(), refusal);
        let withdraw = WithdrawPromotion::default();
        assert_eq!(withdraw.decide(&given, Some(&pending("1", "a")), by("a")).unwrap_err(), refusal);
    }
}
