//! Policies that are published at run time.

use super::{built_in, may, policy, thing, with, workspace};
use crate::nesting::MAX_NESTING;
use crate::{
    Context, Finding, MAX_POLICIES, MAX_RULES, MAX_TEXT, Permission, PolicyError, PolicyRef, PolicySet, Principal,
    Request, Resource, User,
};

#[test]
fn a_published_forbid_beats_everything() {
    let policies = with("forbid (principal, action, resource) unless { principal == User::\"boss\" };");
    let owner = User::new("u").with_role("owner").with_role_in("acme", "owner");
    for permission in Permission::ALL {
        assert!(!may(&policies, &owner, *permission, &Resource::Deployment));
        assert!(!may(&policies, &owner, *permission, &thing(Some("acme"))));
        assert!(!may(&policies, &owner, *permission, &workspace("acme", "u")));
        assert!(may(&policies, &User::new("boss").with_role("owner"), *permission, &Resource::Deployment));
    }
}

#[test]
fn a_decision_names_the_policies_that_determined_it() {
    let text = "permit (principal, action == Action::\"users:read\", resource);\n\
                forbid (principal in Group::\"leavers\", action, resource);";
    let policies = with(text);
    let decide = |user: User| {
        let (principal, resource, context) = (Principal::User(user), Resource::Deployment, Context::default());
        let permission = Permission::UsersRead;
        policies.evaluate(&Request { principal: &principal, permission, resource: &resource, context: &context })
    };
    let extra = PolicyRef::new("extra", 3);
    let nobody = decide(User::new("u"));
    assert_eq!((nobody.allowed, nobody.policies), (true, vec![extra.clone()]));
    let auditor = decide(User::new("u").with_role("auditor"));
    assert_eq!(auditor.policies, [PolicyRef::new("builtin:auditor", crate::BUILT_IN_VERSION), extra.clone()]);
    let leaver = decide(User::new("u").with_role("owner").with_group("leavers"));
    assert_eq!((leaver.allowed, leaver.policies), (false, vec![extra]));
    assert_eq!(nobody.errors, Vec::<String>::new());
}

#[test]
fn policies_know_the_circumstances() {
    let policies = with(
        "forbid (principal, action, resource) unless { context has address && \
         context.address.isInRange(ip(\"10.0.0.0/8\")) };\n\
         forbid (principal, action, resource) when { context has time && \
         context.time >= datetime(\"2027-01-31\") };",
    );
    let owner = Principal::User(User::new("u").with_role("owner"));
    let allowed = |address: Option<&str>, time: Option<&str>| {
        let address = address.map(|address| address.parse().unwrap());
        let time = time.map(|time| time.parse().unwrap());
        let context = Context { address, time, ..Context::default() };
        policies.allows(&owner, Permission::AuditRead, &Resource::Deployment, &context)
    };
    assert!(allowed(Some("10.1.2.3"), None));
    assert!(!allowed(Some("11.1.2.3"), None));
    assert!(!allowed(Some("2001:db8::1"), None));
    assert!(!allowed(None, None));
    assert!(allowed(Some("10.1.2.3"), Some("2027-01-30T23:59:59.999999Z")));
    assert!(!allowed(Some("10.1.2.3"), Some("2027-01-31T01:00:00+01:00")));
}

#[test]
fn a_forbid_that_fails_forbids() {
    let policies = with(
        "forbid (principal, action, resource) when { context has time && context.time < context.time.offset(duration(\"9223372036854775807ms\")) };",
    );
    let owner = Principal::User(User::new("u").with_role("owner"));
    let context = Context { time: Some("2027-01-01T00:00:00Z".parse().unwrap()), ..Context::default() };
    let (permission, resource) = (Permission::AuditRead, Resource::Deployment);
    let decision =
        policies.evaluate(&Request { principal: &owner, permission, resource: &resource, context: &context });
    assert!(!decision.allowed);
    assert_eq!(decision.policies, [PolicyRef::new("extra", 3)]);
    assert!(decision.errors[0].contains("overflow"), "{:?}", decision.errors);
    assert!(policies.allows(&owner, permission, &resource, &Context::default()));
}

/// What is wrong with a text.
fn refused(text: &str) -> Vec<Finding> {
    let published = policy("extra", text);
    let error = PolicySet::new(std::slice::from_ref(&published), &[]).unwrap_err();
    assert_eq!(published.check().unwrap_err(), error);
    let PolicyError::Invalid { id, version: 3, findings } = error else { panic!("{error}") };
    assert_eq!(id, "extra");
    findings
}

#[test]
fn a_broken_policy_is_refused_with_the_place_of_the_mistake() {
    for (text, line, column, words) in [
        ("permit (principal, action, resource)", 1, 37, "unexpected end of input"),
        ("// ä\npermit (principal; action, resource);", 2, 18, "unexpected token"),
        ("permit (principal, action == Action::\"audit:raed\", resource);", 1, 30, "audit:raed"),
        ("permit (principal is Person, action, resource);", 1, 22, "Person"),
        ("permit (principal, action, resource)\nwhen { resource.owner == principal };", 2, 8, "owner"),
        ("permit (principal, action, resource)\nwhen { context.tide < 5 };", 2, 8, "tide"),
        ("permit (principal, action, resource)\nwhen { \"ü\" != \"u\" && 1 + \"one\" == 2 };", 2, 26, "expected Long"),
        ("permit (principal, action, resource) when { ip(\"300.1.1.1\") == ip(\"::1\") };", 1, 45, "300.1.1.1"),
    ] {
        let findings = refused(text);
        assert_eq!((findings[0].line, findings[0].column), (Some(line), Some(column)), "{text}: {findings:?}");
        assert!(findings[0].message.contains(words), "{text}: {findings:?}");
    }
    let error = policy("extra", "permit (\nprincipal; action, resource);").check().unwrap_err().to_string();
    assert!(error.starts_with("policy `extra` version 3 is not valid: line 2, column 10: "), "{error}");
}

#[test]
fn every_mistake_is_named_in_the_order_of_the_text() {
    let findings = refused(
        "permit (principal, action == Action::\"a:b\", resource);\n\
         permit (principal is Person, action, resource);\n\
         permit (principal, action, resource is Planet);",
    );
    let lines: Vec<_> = findings.iter().map(|finding| finding.line.unwrap()).collect();
    assert_eq!(lines, [1, 2, 3], "{findings:?}");
}

#[test]
fn a_text_without_rules_and_a_rule_with_a_gap_are_refused() {
    assert!(refused("// nothing yet")[0].message.contains("there is no `permit`"));
    assert!(refused("permit (principal == ?principal, action, resource);")[0].message.contains("?principal"));
}

#[test]
fn what_never_applies_may_be_published_but_is_named() {
    let strange =
        policy("x", "permit (principal, action, resource)\nwhen { resource in Group::\"g\" };").check().unwrap();
    assert_eq!(strange.len(), 1, "{strange:?}");
    assert_eq!(policy("x", "permit (principal, action, resource);").check(), Ok(Vec::new()));
}

#[test]
fn ids_are_plain_and_taken_once() {
    let text = "permit (principal, action, resource);";
    for id in ["", "builtin:owner", "a b", "ä", &"x".repeat(129)] {
        assert_eq!(policy(id, text).check(), Err(PolicyError::Id(id.to_owned())));
    }
    let twice = PolicySet::new(&[policy("a", text), policy("a", text)], &[]).unwrap_err();
    assert_eq!(twice, PolicyError::Duplicate("a".to_owned()));
}

#[test]
fn size_and_number_are_limited() {
    let rule = "permit (principal, action, resource);\n";
    let long = format!("{rule}//{}", "x".repeat(MAX_TEXT));
    assert!(matches!(policy("a", &long).check(), Err(PolicyError::TooLong { .. })));
    let many: Vec<_> = (0..=MAX_POLICIES).map(|n| policy(&format!("p{n}"), rule)).collect();
    assert!(matches!(PolicySet::new(&many, &[]), Err(PolicyError::TooMany { what: "policies", .. })));
    let rules: Vec<_> = (0..2).map(|n| policy(&format!("p{n}"), &rule.repeat(MAX_RULES / 2 + 1))).collect();
    let error = PolicySet::new(&rules, &[]).unwrap_err();
    assert!(matches!(error, PolicyError::TooMany { what: "rules in published policies", .. }), "{error}");
}

#[test]
fn deep_nesting_is_refused_before_it_does_harm() {
    let nested = |open: &str, close: &str, depth: usize| {
        let condition = format!("{}true{}", open.repeat(depth), close.repeat(depth));
        policy("deep", &format!("permit (principal, action, resource) when {{ {condition} }};")).check()
    };
    assert_eq!(nested("(", ")", MAX_NESTING - 1), Ok(Vec::new()));
    for (open, close) in [
        ("(", ")"),
        ("[", "]"),
        ("{\"a\": ", "}"),
        ("!(", ")"),
        ("if (", ") then true else true"),
        ("if true then ", " else true"),
    ] {
        for depth in [MAX_NESTING, 100, 600] {
            let error = nested(open, close, depth).unwrap_err().to_string();
            assert!(error.contains("nested more than 16 deep"), "{open} {error}");
        }
    }
    // Long is not deep, and what Cedar's evaluator finds too deep does not permit.
    for (open, close) in [("", " && true"), ("", ".a"), ("1 + ", " < 3")] {
        drop(nested(open, close, 400));
    }
    let brackets = "(".repeat(100);
    let text = format!(
        "// {brackets} {}\npermit (principal, action, resource) when {{ \"\\\"{brackets}\" != \"\" }};",
        "if ".repeat(100)
    );
    assert_eq!(policy("flat", &text).check(), Ok(Vec::new()));
}

#[test]
fn the_digest_is_that_of_the_text() {
    let digest = "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9";
    assert_eq!(policy("x", "hello world").sha256(), digest);
}

#[test]
fn a_change_of_the_built_in_policies_is_a_new_version() {
    let texts: Vec<String> = crate::BUILT_IN.iter().map(|(name, text)| format!("{name}\n{text}")).collect();
    let digest = policy("x", &texts.concat()).sha256();
    assert_eq!(
        (crate::BUILT_IN_VERSION, digest.as_str()),
        (2, "5e4a889937ff3ea7747ced2caaa4458fcca7f7175d68fb91630d05fda426f5d3"),
        "raise BUILT_IN_VERSION, then write version and digest here"
    );
    drop(built_in());
}
