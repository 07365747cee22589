//! A decision costs little, also with many policies.

use std::time::{Duration, Instant};

use super::{policy, thing};
use crate::{Context, CustomRole, Permission, PolicySet, Principal, Request, Scope, User};

/// The fastest of several rounds: the machine may be busy with something else in the others.
fn time_of_one(policies: &PolicySet, request: &Request<'_>) -> Duration {
    const TIMES: u32 = 200;
    let round = || {
        let began = Instant::now();
        for _ in 0..TIMES {
            assert!(policies.evaluate(request).allowed);
        }
        began.elapsed() / TIMES
    };
    (0..10).map(|_| round()).min().unwrap()
}

#[test]
fn a_decision_takes_microseconds() {
    let roles = (0..20).map(|n| CustomRole {
        name: format!("role-{n}"),
        permissions: Permission::ALL.iter().copied().skip(n).step_by(7).collect(),
        version: 1,
    });
    let published: Vec<_> = (0..10)
        .map(|n| {
            let text = format!(
                "forbid (principal in Group::\"g{n}\", action in Action::\"write\", resource in Organization::\"acme\");"
            );
            policy(&format!("p{n}"), &text)
        })
        .collect();
    let policies = PolicySet::new(&published, &roles.collect::<Vec<_>>()).unwrap();
    let user = (0..10).fold(User::new("u").with_role_in("acme", "owner"), |user, n| {
        user.with_group(format!("h{n}")).with_role_in(format!("org-{n}"), "member")
    });
    let (principal, resource) = (Principal::User(user), thing(Some("acme")));
    let context = Context { scopes: Some([Scope::Admin].into()), ..Context::default() };
    let request =
        Request { principal: &principal, permission: Permission::UsersWrite, resource: &resource, context: &context };
    // Three times of what was measured, 31 µs; for a user with one role and no policies beside the built-in ones, 13.
    let limit = Duration::from_micros(if cfg!(debug_assertions) { 2_000 } else { 100 });
    let took = time_of_one(&policies, &request);
    assert!(took < limit, "{took:?}");
}
