//! Browser-only mode as a policy.

use super::with;
use crate::{
    BROWSER_ONLY, Bearer, BrowserOnly, Connecting, Context, Exempt, Permission, PolicyRef, PolicySet, Principal,
    PublishedPolicy, Request, Resource, Scope, User,
};

fn policies(settings: &BrowserOnly) -> PolicySet {
    let policy = PublishedPolicy { id: BROWSER_ONLY.to_owned(), version: 1, text: settings.to_cedar() };
    assert!(policy.check().is_ok(), "{:?} {}", policy.check(), policy.text);
    PolicySet::new(&[policy], &[]).unwrap()
}

fn context(kind: &str) -> Context {
    let session = Connecting { kind: kind.to_owned(), browser: kind == "terminal", client: None };
    Context { session: Some(session), ..Context::default() }
}

fn workspace(organization: &str, template: Option<&str>) -> Resource {
    Resource::Workspace {
        id: "w".into(),
        organization: Some(organization.into()),
        owner: Some("u".into()),
        template: template.map(str::to_owned),
    }
}

fn allows(policies: &PolicySet, user: &User, kind: &str, resource: &Resource) -> bool {
    policies.allows(&Principal::User(user.clone()), Permission::SessionsConnect, resource, &context(kind))
}

fn on() -> BrowserOnly {
    BrowserOnly { deployment: true, ..BrowserOnly::default() }
}

#[test]
fn everywhere_it_leaves_browsers_alone_and_stops_the_rest() {
    let policies = policies(&on());
    let (owner, admin) = (User::new("u"), User::new("a").with_role("owner"));
    for user in [&owner, &admin] {
        assert!(allows(&policies, user, "terminal", &workspace("eng", None)));
        for kind in ["ssh", "file_transfer", "port_forward", "desktop_ide", "rdp", "vnc"] {
            assert!(!allows(&policies, user, kind, &workspace("eng", None)), "{kind}");
        }
    }
    let principal = Principal::Token(Bearer { id: "t".into(), scopes: [Scope::Admin].into() });
    let (resource, context) = (workspace("eng", None), context("ssh"));
    let permission = Permission::SessionsConnect;
    let request = Request { principal: &principal, permission, resource: &resource, context: &context };
    let decision = policies.evaluate(&request);
    assert_eq!((decision.allowed, decision.policies), (false, vec![PolicyRef::new(BROWSER_ONLY, 1)]));
}

#[test]
fn it_is_on_where_it_was_turned_on() {
    let by_organization = policies(&BrowserOnly { organizations: ["eng".into()].into(), ..BrowserOnly::default() });
    let by_template = policies(&BrowserOnly { templates: ["t".into()].into(), ..BrowserOnly::default() });
    let by_group = policies(&BrowserOnly { groups: ["g".into()].into(), ..BrowserOnly::default() });
    let (user, member) = (User::new("u"), User::new("u").with_group("g"));
    assert!(!allows(&by_organization, &user, "ssh", &workspace("eng", None)));
    assert!(allows(&by_organization, &user, "ssh", &workspace("ops", None)));
    assert!(!allows(&by_template, &user, "ssh", &workspace("eng", Some("t"))));
    assert!(allows(&by_template, &user, "ssh", &workspace("eng", Some("other"))));
    assert!(allows(&by_template, &user, "ssh", &workspace("eng", None)));
    assert!(!allows(&by_group, &member, "ssh", &workspace("eng", None)));
    assert!(allows(&by_group, &user, "ssh", &workspace("eng", None)));
    assert!(!BrowserOnly::default().is_on() && BrowserOnly::default().to_cedar().is_empty());
}

#[test]
fn who_is_exempt_was_named() {
    let except = Exempt { users: ["x".into()].into(), groups: ["g".into()].into(), roles: ["owner".into()].into() };
    let policies = policies(&BrowserOnly { except, ..on() });
    let resource = workspace("eng", None);
    assert!(!allows(&policies, &User::new("u"), "ssh", &resource));
    assert!(allows(&policies, &User::new("u").with_group("g"), "ssh", &resource));
    assert!(allows(&policies, &User::new("a").with_role("owner"), "ssh", &resource));
    assert!(allows(&policies, &User::new("a").with_role_in("eng", "owner"), "ssh", &resource));
    assert!(!allows(&policies, &User::new("u").with_role_in("ops", "owner"), "ssh", &resource));
}

#[test]
fn kinds_that_count_as_browser_are_data() {
    let kinds = |kinds: &[&str]| kinds.iter().map(|kind| (*kind).to_owned()).collect();
    let wider = policies(&BrowserOnly { browser_kinds: kinds(&["terminal", "rdp"]), ..on() });
    assert!(allows(&wider, &User::new("u"), "rdp", &workspace("eng", None)));
    assert!(!allows(&wider, &User::new("u"), "jupyter", &workspace("eng", None)));
    let none = policies(&BrowserOnly { browser_kinds: kinds(&[]), ..on() });
    assert!(!allows(&none, &User::new("u"), "terminal", &workspace("eng", None)));
}

#[test]
fn names_are_no_cedar() {
    let odd = "a\"] } permit (principal, action, resource); //\n\\".to_owned();
    let settings = BrowserOnly { organizations: [odd.clone()].into(), groups: [odd.clone()].into(), ..on() };
    let policies = policies(&BrowserOnly { except: Exempt { roles: [odd].into(), ..Exempt::default() }, ..settings });
    assert!(!allows(&policies, &User::new("u"), "ssh", &workspace("eng", None)));
    assert!(!allows(&policies, &User::new("x"), "terminal", &workspace("eng", None)), "nothing more is permitted");
}

#[test]
fn other_policies_may_ask_how_someone_connects() {
    let policies = with(
        "forbid (principal, action == Action::\"sessions:connect\", resource is Workspace) when { context has session && \
         (!context.session.browser || (context.session has client && context.session.client == \"old\")) };",
    );
    assert!(allows(&policies, &User::new("u"), "terminal", &workspace("eng", None)));
    assert!(!allows(&policies, &User::new("u"), "ssh", &workspace("eng", None)));
}
