//! All policies that are in force, ready to answer.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use cedar_policy::{
    ActionConstraint, AuthorizationError, Authorizer, Decision as CedarDecision, Effect, Entity, Policy, PolicyId,
    PolicySet as CedarSet, Request as CedarRequest, Response,
};

use crate::builtin::{BUILT_IN_VERSION, foundation};
use crate::custom::{self, CustomRole};
use crate::entities::{self, Vocabulary};
use crate::error::PolicyError;
use crate::permission::Permission;
use crate::principal::Principal;
use crate::published::{self, MAX_RULES, PublishedPolicy};
use crate::request::{Context, Decision, PolicyRef, Request};
use crate::resource::Resource;

/// The built-in policies, custom roles and published policies together. It never changes; another set of policies
/// is another value.
pub struct PolicySet {
    vocabulary: Vocabulary,
    authorizer: Authorizer,
    /// For each permission, in the order of [`Permission::ALL`], the rules that can concern it.
    rules: Vec<CedarSet>,
    /// Where each rule is from.
    origins: HashMap<PolicyId, Origin>,
    /// Custom roles.
    pub(crate) roles: BTreeMap<String, CustomRole>,
}

/// Where a rule is from, and whether it forbids.
#[derive(Debug)]
struct Origin {
    policy: PolicyRef,
    forbids: bool,
}

impl PolicySet {
    /// The built-in policies with `published` ones and `custom` roles. All of them are valid, or there is no set.
    pub fn new(published: &[PublishedPolicy], custom: &[CustomRole]) -> Result<Self, PolicyError> {
        published::check(published)?;
        custom::check(custom)?;
        let foundation = foundation()?;
        let mut rules: Vec<(PolicyRef, Policy)> = Vec::new();
        for (name, rule) in &foundation.rules {
            rules.push((PolicyRef::new(&format!("builtin:{name}"), BUILT_IN_VERSION), rule.clone()));
        }
        for role in custom {
            let policy = PolicyRef::new(&format!("role:{}", role.name), role.version);
            rules.extend(role.rules()?.into_iter().map(|rule| (policy.clone(), rule)));
        }
        let before = rules.len();
        for policy in published {
            let reference = PolicyRef::new(&policy.id, policy.version);
            rules.extend(policy.read()?.0.into_iter().map(|rule| (reference.clone(), rule)));
        }
        let number = rules.len() - before;
        if number > MAX_RULES {
            return Err(PolicyError::TooMany { what: "rules in published policies", number, limit: MAX_RULES });
        }
        let vocabulary = Vocabulary::new(&foundation.schema)?;
        Ok(Self {
            rules: Permission::ALL
                .iter()
                .map(|permission| concerning(*permission, &rules))
                .collect::<Result<_, _>>()?,
            origins: rules.into_iter().map(|(policy, rule)| (rule.id().clone(), Origin::new(policy, &rule))).collect(),
            roles: custom.iter().map(|role| (role.name.clone(), role.clone())).collect(),
            authorizer: Authorizer::new(),
            vocabulary,
        })
    }

    /// Answers a request: denied unless a policy permits it and none forbids it.
    pub fn evaluate(&self, request: &Request<'_>) -> Decision {
        let principal = self.vocabulary.principal(request.principal);
        let context = entities::context(request.principal, request.context);
        principal
            .and_then(|principal| self.decide(principal, request.permission, request.resource, context?))
            .unwrap_or_else(|error| Decision { errors: vec![error], ..Decision::default() })
    }

    /// Whether a request is allowed.
    pub fn allows(
        &self,
        principal: &Principal,
        permission: Permission,
        resource: &Resource,
        context: &Context,
    ) -> bool {
        self.evaluate(&Request { principal, permission, resource, context }).allowed
    }

    fn decide(
        &self,
        principal: Entity,
        permission: Permission,
        resource: &Resource,
        context: cedar_policy::Context,
    ) -> Result<Decision, String> {
        let resource = self.vocabulary.resource(resource)?;
        let (Some((action, known)), Some(rules)) =
            (self.vocabulary.action(permission), self.rules.get(permission as usize))
        else {
            return Err(format!("`{permission}` is not an action of the schema"));
        };
        let request = CedarRequest::new(principal.uid(), action.clone(), resource.uid(), context, None)
            .map_err(|error| error.to_string())?;
        // A token may ask about itself.
        let about_itself = principal.uid() == resource.uid();
        let entities = [principal].into_iter().chain((!about_itself).then_some(resource));
        // To add to a store is several times faster than to make one, which looks for cycles with more care.
        let known = known.clone().add_entities(entities, None).map_err(|error| error.to_string())?;
        Ok(self.explain(&self.authorizer.is_authorized(&request, rules, &known)))
    }

    /// Cedar's answer in the words of this crate.
    fn explain(&self, response: &Response) -> Decision {
        let diagnostics = response.diagnostics();
        let mut policies: BTreeSet<&PolicyRef> =
            diagnostics.reason().filter_map(|rule| self.origins.get(rule)).map(|origin| &origin.policy).collect();
        let mut allowed = response.decision() == CedarDecision::Allow;
        let mut errors = Vec::new();
        for AuthorizationError::PolicyEvaluationError(error) in diagnostics.errors() {
            let origin = self.origins.get(error.policy_id());
            errors.push(format!("{}: {}", error.policy_id(), error.inner()));
            // Cedar passes over a rule that fails. One that was made to forbid must not lose its effect by that.
            if let Some(Origin { policy, forbids: true }) = origin {
                if allowed {
                    policies.clear();
                }
                allowed = false;
                policies.insert(policy);
            }
        }
        Decision { allowed, policies: policies.into_iter().cloned().collect(), errors }
    }
}

impl Origin {
    fn new(policy: PolicyRef, rule: &Policy) -> Self {
        Self { policy, forbids: rule.effect() == Effect::Forbid }
    }
}

impl CustomRole {
    /// Its policy's rules.
    fn rules(&self) -> Result<Vec<Policy>, PolicyError> {
        let set: CedarSet =
            self.to_cedar().parse().map_err(|error| PolicyError::BuiltIn(format!("role {}: {error}", self.name)))?;
        Ok(crate::builtin::numbered(&format!("role:{}", self.name), &set))
    }
}

impl fmt::Debug for PolicySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let policies: BTreeSet<&PolicyRef> = self.origins.values().map(|origin| &origin.policy).collect();
        f.debug_struct("PolicySet").field("policies", &policies).finish_non_exhaustive()
    }
}

/// The rules that can concern a permission: with hundreds of them, few do.
fn concerning(permission: Permission, rules: &[(PolicyRef, Policy)]) -> Result<CedarSet, PolicyError> {
    let groups = permission.groups();
    let named = |action: &cedar_policy::EntityUid| {
        let name = action.id().unescaped();
        name == permission.as_str() || groups.contains(&name)
    };
    let concerns = |rule: &Policy| match rule.action_constraint() {
        ActionConstraint::Any => true,
        ActionConstraint::Eq(action) => named(&action),
        ActionConstraint::In(actions) => actions.iter().any(named),
    };
    CedarSet::from_policies(rules.iter().map(|(_, rule)| rule).filter(|rule| concerns(rule)).cloned())
        .map_err(|error| PolicyError::BuiltIn(error.to_string()))
}
