//! Given and taken.

use super::super::access::*;
use super::*;
use crate::decision::tests::told;

fn grant(subject: SubjectKind, id: &str, right: TemplateRight) -> TemplateGrant {
    TemplateGrant { subject, subject_id: id.into(), subject_name: None, right, granted_at: Timestamp::EPOCH }
}

fn subject(kind: SubjectKind, id: &str, organizations: &[&str]) -> Subject {
    let organizations = organizations.iter().map(|&name| name.to_owned()).collect();
    Subject { kind, id: id.into(), name: Some(format!("name of {id}")), organizations }
}

fn give(right: TemplateRight) -> GrantAccess {
    GrantAccess { right, reason: Some("their job".into()) }
}

#[test]
fn a_template_is_given_to_those_of_its_organization() {
    use SubjectKind::{Everyone, Group, User};
    for (kind, id) in [(User, "u"), (Group, "g"), (Everyone, "acme")] {
        let decide = |organizations: &[&str]| {
            give(TemplateRight::Use).decide(&template(), &subject(kind, id, organizations), &[], by("a"))
        };
        let events = decide(&["beta", "acme"]).unwrap();
        assert_eq!(told(&events), ["template.access.granted t"]);
        assert_eq!(changes(&events[0]), [format!("access.{}.{id}: null \"use\"", kind.as_str())]);
        assert_eq!(events[0].reason.as_deref(), Some("their job"));
        assert!(matches!(decide(&["beta"]), Err(Refusal::Unknown(_))));
        assert!(matches!(decide(&[]), Err(Refusal::Unknown(_))));
    }
    let nowhere = TemplateRecord { organization: None, ..template() };
    let refused = give(TemplateRight::Use).decide(&nowhere, &subject(User, "u", &["acme"]), &[], by("a"));
    assert!(matches!(refused, Err(Refusal::Conflict(_))));
}

#[test]
fn everyone_has_one_right_at_a_time() {
    use TemplateRight::{Admin, Use};

    let user = subject(SubjectKind::User, "u", &["acme"]);
    let others =
        [grant(SubjectKind::Group, "u", TemplateRight::Admin), grant(SubjectKind::User, "v", TemplateRight::Admin)];
    let decide = |right, held: &[TemplateRight]| {
        let mut grants = others.to_vec();
        grants.extend(held.iter().map(|right| grant(SubjectKind::User, "u", *right)));
        give(right).decide(&template(), &user, &grants, by("a")).unwrap()
    };
    assert_eq!(told(&decide(Use, &[])), ["template.access.granted t"]);
    assert_eq!(decide(Use, &[Use]), []);
    let more = decide(Admin, &[Use]);
    assert_eq!(told(&more), ["template.access.granted t", "template.access.revoked t <- template.access.granted"]);
    assert_eq!(changes(&more[0]), ["access.user.u: \"use\" \"admin\""]);
    assert_eq!(more[1].data["permission"], "use");
    assert_eq!(told(&decide(Use, &[Admin, Use])), ["template.access.revoked t"]);
}

#[test]
fn taking_what_nobody_has_changes_nothing() {
    let grants =
        [grant(SubjectKind::User, "u", TemplateRight::Use), grant(SubjectKind::Group, "u", TemplateRight::Admin)];
    let take = |subject, id: &str| {
        let command = RevokeAccess { subject, subject_id: id.into(), reason: Some("left".into()) };
        command.decide(&template(), &grants, by("a")).unwrap()
    };
    let events = take(SubjectKind::User, "u");
    assert_eq!(told(&events), ["template.access.revoked t"]);
    assert_eq!(changes(&events[0]), ["access.user.u: \"use\" null"]);
    assert_eq!(events[0].reason.as_deref(), Some("left"));
    assert_eq!(take(SubjectKind::User, "v"), []);
    assert_eq!(take(SubjectKind::Everyone, "u"), []);
}

#[test]
fn there_is_an_end_to_giving() {
    let grants: Vec<_> =
        (0..MAX_GRANTS).map(|n| grant(SubjectKind::User, &n.to_string(), TemplateRight::Use)).collect();
    let decide = |id: &str| {
        give(TemplateRight::Use).decide(&template(), &subject(SubjectKind::User, id, &["acme"]), &grants, by("a"))
    };
    assert!(matches!(decide("new"), Err(Refusal::Conflict(_))));
    assert_eq!(decide("7"), Ok(vec![]));
    for (given, refusal) in beyond_reach() {
        let user = subject(SubjectKind::User, "u", &["acme"]);
        assert_eq!(give(TemplateRight::Use).decide(&given, &user, &[], by("a")).unwrap_err(), refusal);
        let take = RevokeAccess { subject: SubjectKind::User, subject_id: "u".into(), reason: None };
        assert_eq!(take.decide(&given, &[], by("a")).unwrap_err(), refusal);
    }
}
