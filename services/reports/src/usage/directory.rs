//! Who was in which group, what groups gave, and how things are called.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chancery_domain::usage::{Facts, MembershipKind, Span, Symbol};

use super::pieces::merge;

/// Deepest nesting of groups that is followed.
const DEEPEST: usize = 16;

/// What a group gives one of its members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) organization: Symbol,
    pub(super) group: Symbol,
    pub(super) user: Symbol,
    pub(super) allowance: u64,
}

/// What is known of a thing, the last that was said.
#[derive(Debug, Clone, Copy, Default)]
struct Known {
    name: Symbol,
    organization: Symbol,
    template: Symbol,
    everyone: bool,
}

/// All of it.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    users: HashMap<Symbol, Known>,
    groups: HashMap<Symbol, Known>,
    templates: HashMap<Symbol, Known>,
    workspaces: HashMap<Symbol, Known>,
    /// Where each user was, group by group, the spans of one group apart from each other.
    memberships: BTreeMap<Symbol, Vec<(Symbol, Span)>>,
    /// What each group gave from when on, in the order in which it became known.
    allowances: HashMap<Symbol, Vec<(i64, u64)>>,
}

impl Directory {
    pub(super) fn new(facts: &Facts) -> Self {
        let mut directory = Self::default();
        let kinds = ["user", "group", "template", "workspace"].map(|kind| facts.symbols.find(kind));
        for label in &facts.labels {
            let Some(kind) = kinds.iter().position(|kind| *kind == label.kind) else { continue };
            let things = match kind {
                0 => &mut directory.users,
                1 => &mut directory.groups,
                2 => &mut directory.templates,
                _ => &mut directory.workspaces,
            };
            let (name, organization, template) = (label.name, label.organization, label.template);
            things.insert(label.id, Known { name, organization, template, everyone: label.everyone });
        }
        for change in &facts.allowances {
            directory.allowances.entry(change.group).or_default().push((change.at, change.allowance));
        }
        directory.memberships = directory.memberships(facts);
        directory
    }

    /// Who was where, also through groups in groups, and in the groups of everyone in an organization.
    fn memberships(&self, facts: &Facts) -> BTreeMap<Symbol, Vec<(Symbol, Span)>> {
        let mut parents: HashMap<Symbol, Vec<(Symbol, Span)>> = HashMap::new();
        let mut everyone: HashMap<Symbol, Vec<Symbol>> = HashMap::new();
        for (id, group) in self.groups.iter().filter(|(_, group)| group.everyone) {
            everyone.entry(group.organization).or_default().push(*id);
        }
        for it in facts.memberships.iter().filter(|it| it.kind == MembershipKind::Group) {
            parents.entry(it.member).or_default().push((it.group, it.span));
        }
        let mut spans: BTreeMap<(Symbol, Symbol), Vec<Span>> = BTreeMap::new();
        for it in &facts.memberships {
            let places: Vec<Symbol> = match it.kind {
                MembershipKind::User => vec![it.group],
                MembershipKind::Organization => everyone.get(&it.group).cloned().unwrap_or_default(),
                MembershipKind::Group => continue,
            };
            for group in places {
                let mut found = Vec::new();
                climb(&parents, group, it.span, &mut HashSet::new(), &mut found);
                for (group, span) in found {
                    spans.entry((it.member, group)).or_default().push(span);
                }
            }
        }
        let mut memberships: BTreeMap<Symbol, Vec<(Symbol, Span)>> = BTreeMap::new();
        for ((user, group), mut spans) in spans {
            merge(&mut spans);
            memberships.entry(user).or_default().extend(spans.into_iter().map(|span| (group, span)));
        }
        memberships
    }

    pub(super) fn groups_of(&self, user: Symbol) -> &[(Symbol, Span)] {
        self.memberships.get(&user).map_or(&[], Vec::as_slice)
    }

    pub(super) fn organization_of(&self, group: Symbol) -> Symbol {
        self.groups.get(&group).map_or(Symbol::NONE, |group| group.organization)
    }

    pub(crate) fn template_of(&self, workspace: Symbol) -> Symbol {
        self.workspaces.get(&workspace).map_or(Symbol::NONE, |workspace| workspace.template)
    }

    pub(super) fn name_of_user(&self, id: Symbol) -> Symbol {
        self.users.get(&id).map_or(Symbol::NONE, |it| it.name)
    }

    pub(super) fn name_of_group(&self, id: Symbol) -> Symbol {
        self.groups.get(&id).map_or(Symbol::NONE, |it| it.name)
    }

    pub(super) fn name_of_template(&self, id: Symbol) -> Symbol {
        self.templates.get(&id).map_or(Symbol::NONE, |it| it.name)
    }

    pub(super) fn name_of_workspace(&self, id: Symbol) -> Symbol {
        self.workspaces.get(&id).map_or(Symbol::NONE, |it| it.name)
    }

    /// What each group gives each of its members at a moment.
    pub(super) fn allowances(&self, at: i64) -> Vec<Share> {
        let mut shares = Vec::new();
        for (user, places) in &self.memberships {
            let here: BTreeSet<Symbol> =
                places.iter().filter(|(_, span)| span.includes(at)).map(|(group, _)| *group).collect();
            for group in here {
                let allowance = self.allowance(group, at);
                if allowance > 0 {
                    let organization = self.organization_of(group);
                    shares.push(Share { organization, group, user: *user, allowance });
                }
            }
        }
        shares
    }

    /// What a group gives each member at a moment: what was said last of the latest time up to it.
    fn allowance(&self, group: Symbol, at: i64) -> u64 {
        let changes = self.allowances.get(&group).into_iter().flatten().filter(|(since, _)| *since <= at);
        changes.max_by_key(|(since, _)| *since).map_or(0, |(_, allowance)| *allowance)
    }
}

/// A group, and those it is in, with what their spans have in common.
fn climb(
    parents: &HashMap<Symbol, Vec<(Symbol, Span)>>,
    group: Symbol,
    span: Span,
    seen: &mut HashSet<Symbol>,
    found: &mut Vec<(Symbol, Span)>,
) {
    if seen.len() >= DEEPEST || !seen.insert(group) {
        return;
    }
    found.push((group, span));
    for (parent, within) in parents.get(&group).into_iter().flatten() {
        if let Some(span) = span.and(*within) {
            climb(parents, *parent, span, seen, found);
        }
    }
    seen.remove(&group);
}
