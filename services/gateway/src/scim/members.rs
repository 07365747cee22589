//! Members of groups: who really joins and leaves when a list of edits is carried out. It costs as much as the edits are
//! long, however large the group is, unless they are about all of its members.

use std::collections::{BTreeMap, BTreeSet};

use chancery_domain::directory::Member;
use chancery_domain::events::groups::MemberKind;
use chancery_scim::patch::member_query;
use chancery_scim::{MemberEdit, ScimError};

use super::failure::Failure;
use super::push::Push;

/// Members read at once.
pub(super) const PAGE: usize = 1000;

/// Who joins and who leaves.
#[derive(Debug, Default)]
pub(super) struct Moves {
    pub(super) join: Vec<Member>,
    pub(super) leave: Vec<Member>,
}

/// Carries edits out, in order.
pub(super) async fn resolve(push: &Push, group: &str, edits: Vec<MemberEdit>) -> Result<Moves, Failure> {
    let mut wanted: BTreeMap<String, chancery_scim::Member> = BTreeMap::new();
    let mut unwanted: BTreeSet<String> = BTreeSet::new();
    // Whether nobody stays who is not wanted.
    let mut nobody_else = false;
    let mut matching = Vec::new();
    for edit in edits {
        match edit {
            MemberEdit::Add(members) => {
                for member in members {
                    unwanted.remove(&member.value);
                    wanted.insert(member.value.clone(), member);
                }
            }
            MemberEdit::Remove(ids) => {
                for id in ids {
                    wanted.remove(&id);
                    unwanted.insert(id);
                }
            }
            MemberEdit::Replace(members) => {
                nobody_else = true;
                wanted = members.into_iter().map(|member| (member.value.clone(), member)).collect();
                unwanted.clear();
            }
            MemberEdit::Clear => {
                nobody_else = true;
                wanted.clear();
                unwanted.clear();
            }
            MemberEdit::RemoveMatching(filter) => {
                let group = push.gateway.scim.resource_type("Group");
                let group = group.ok_or_else(|| ScimError::not_found("there are no groups"))?;
                let query = member_query(group, &filter, &push.profile)?;
                wanted.retain(|_, member| !query.matches_element(&member.to_value()));
                matching.push(query);
            }
        }
    }
    if nobody_else || !matching.is_empty() {
        let present = all(push, group).await?;
        let goes = |member: &Member| {
            let element = as_sent(member).to_value();
            let filtered = matching.iter().any(|query| query.matches_element(&element));
            !wanted.contains_key(&member.id) && (nobody_else || filtered || unwanted.contains(&member.id))
        };
        let leave: Vec<Member> = present.iter().filter(|member| goes(member)).cloned().collect();
        let there: BTreeSet<&str> = present.iter().map(|member| member.id.as_str()).collect();
        let new = wanted.into_values().filter(|member| !there.contains(member.value.as_str())).collect();
        return Ok(Moves { join: named(push, new).await?, leave });
    }
    let ids: Vec<String> = wanted.keys().chain(&unwanted).cloned().collect();
    let there = push.gateway.state.members_among(group, &ids).await?;
    let new = wanted.into_values().filter(|member| !there.contains(&member.value)).collect();
    let gone = unwanted.into_iter().filter(|id| there.contains(id));
    let gone = gone.map(chancery_scim::Member::new).collect();
    Ok(Moves { join: named(push, new).await?, leave: named(push, gone).await? })
}

/// A member in the protocol's words.
fn as_sent(member: &Member) -> chancery_scim::Member {
    let kind = match member.kind {
        MemberKind::User => chancery_scim::MemberKind::User,
        MemberKind::Group => chancery_scim::MemberKind::Group,
    };
    chancery_scim::Member { value: member.id.clone(), kind: Some(kind), display: member.name.clone() }
}

/// Members with their kinds and names, as far as this connection knows them; others are taken as they come.
pub(super) async fn named(push: &Push, members: Vec<chancery_scim::Member>) -> Result<Vec<Member>, Failure> {
    let ids: Vec<String> = members.iter().map(|member| member.value.clone()).collect();
    let visible = |named: &chancery_state::Named| named.connection.as_deref() == Some(push.id());
    let users = push.gateway.state.user_names(&ids).await?;
    let users: BTreeMap<String, String> =
        users.into_iter().filter(visible).map(|named| (named.id, named.name)).collect();
    let rest: Vec<String> = ids.into_iter().filter(|id| !users.contains_key(id)).collect();
    let groups = if rest.is_empty() { Vec::new() } else { push.gateway.state.group_names(&rest).await? };
    let groups: BTreeMap<String, String> =
        groups.into_iter().filter(visible).map(|named| (named.id, named.name)).collect();
    let named = |member: chancery_scim::Member| {
        let says_group = member.kind == Some(chancery_scim::MemberKind::Group);
        let is_group = groups.contains_key(&member.value) || (says_group && !users.contains_key(&member.value));
        let name = users.get(&member.value).or_else(|| groups.get(&member.value)).cloned().or(member.display);
        Member {
            id: member.value,
            kind: if is_group { MemberKind::Group } else { MemberKind::User },
            name,
            expires_at: None,
        }
    };
    Ok(members.into_iter().map(named).collect())
}

/// Those of some users that this connection provisions.
pub(super) async fn own_users(push: &Push, ids: &[String]) -> Result<Vec<String>, Failure> {
    let named = push.gateway.state.user_names(ids).await?;
    Ok(named.into_iter().filter(|named| named.connection.as_deref() == Some(push.id())).map(|named| named.id).collect())
}

/// Every member.
pub(super) async fn all(push: &Push, group: &str) -> Result<Vec<Member>, Failure> {
    let mut members: Vec<Member> = Vec::new();
    loop {
        let after = members.last().map(|member| member.id.clone());
        let page = push.gateway.state.members(group, after.as_deref(), PAGE).await?;
        let last = page.len() < PAGE;
        members.extend(page);
        if last {
            return Ok(members);
        }
    }
}

/// SCIM's name of a kind of member.
pub(super) fn kind_name(kind: MemberKind) -> &'static str {
    match kind {
        MemberKind::User => "User",
        MemberKind::Group => "Group",
    }
}
