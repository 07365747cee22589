//! Operations on the members of a group: edits, never the members themselves.

use serde_json::Value;

use super::apply::Applier;
use super::request::OperationKind;
use super::{MemberEdit, given, member_query};
use crate::document::{Member, member_values, read_members};
use crate::error::ScimError;
use crate::filter::{Filter, Operator};
use crate::schema::Place;

impl Applier<'_> {
    pub(super) fn member_edit(
        &mut self,
        kind: OperationKind,
        place: &Place,
        filter: Option<Filter>,
        value: Option<Value>,
    ) -> Result<(), ScimError> {
        if place.sub.is_some() {
            return Err(ScimError::mutability("members are added and removed, not edited"));
        }
        let profile = self.profile();
        let Some(filter) = filter else {
            let edit = match (kind, given(value)) {
                (OperationKind::Add, value) => MemberEdit::Add(read_members(value.unwrap_or(Value::Null), profile)?),
                (OperationKind::Remove, None) => MemberEdit::Clear,
                (OperationKind::Remove, Some(_)) if !profile.remove_by_value => {
                    return Err(ScimError::value("a `remove` takes no value, choose members by a filter in the path"));
                }
                (OperationKind::Remove, Some(value)) => MemberEdit::Remove(member_values(value, profile)?),
                (OperationKind::Replace, value) => match read_members(value.unwrap_or(Value::Null), profile)? {
                    members if members.is_empty() => MemberEdit::Clear,
                    members => MemberEdit::Replace(members),
                },
            };
            self.push(edit);
            return Ok(());
        };
        member_query(self.resource_type, &filter, profile)?;
        let named = named_values(&filter);
        match (kind, named) {
            (OperationKind::Remove, Some(values)) => self.push(MemberEdit::Remove(values)),
            (OperationKind::Remove, None) => self.push(MemberEdit::RemoveMatching(filter)),
            (_, Some(values)) if profile.elements_by_filter && values.len() == 1 => {
                let given_members = read_members(value.unwrap_or(Value::Null), profile).unwrap_or_default();
                if given_members.iter().any(|member| !values.contains(&member.value)) {
                    return Err(ScimError::mutability("members are added and removed, not edited"));
                }
                let member = given_members.into_iter().next();
                let named = values.into_iter().next().map(Member::new);
                self.push(MemberEdit::Add(member.or(named).into_iter().collect()));
            }
            _ => return Err(ScimError::mutability("members are added and removed, not edited")),
        }
        Ok(())
    }

    /// Adds an edit; one that does nothing is left out, one that goes on with the last is joined to it.
    fn push(&mut self, edit: MemberEdit) {
        match (self.members.last_mut(), edit) {
            (_, MemberEdit::Add(members)) if members.is_empty() => {}
            (_, MemberEdit::Remove(values)) if values.is_empty() => {}
            (Some(MemberEdit::Add(last)), MemberEdit::Add(members)) => last.extend(members),
            (Some(MemberEdit::Remove(last)), MemberEdit::Remove(values)) => last.extend(values),
            (_, edit) => self.members.push(edit),
        }
    }
}

/// The ids a filter names, where it says nothing but that `value` is one of them.
fn named_values(filter: &Filter) -> Option<Vec<String>> {
    match filter {
        Filter::Compare { path, operator: Operator::Eq, value } if path.eq_ignore_ascii_case("value") => {
            value.as_str().map(|value| vec![value.to_owned()])
        }
        Filter::Or(filters) => {
            let values: Option<Vec<_>> = filters.iter().map(named_values).collect();
            values.map(|values| values.into_iter().flatten().collect())
        }
        _ => None,
    }
}
