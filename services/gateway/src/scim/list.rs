//! Lists: filtered, sorted, in pages by index or by cursor (RFC 7644, 3.4; RFC 9865).
//!
//! Equalities that every match must satisfy are answered from an index where there is one; else the connection's
//! resources are walked through in the order of their ids, which never changes.

use std::sync::Arc;

use chancery_scim::cursor::{Cursor, fingerprint};
use chancery_scim::{
    Filter, ListQuery, ListResponse, Mentions, Page as Asked, Query, ResourceType, ScimError, ScimType, SortKey,
    Sorter, Syntax,
};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::answer::Answer;
use super::cursor;
use super::discovery::{MOST, USUAL};
use super::failure::Failure;
use super::members;
use super::push::Push;
use super::show;
use super::stored::{self, Kind, Stored};
use crate::error::ApiError;

/// Resources read at once while walking.
const PAGE: usize = 500;
/// Most resources that are sorted.
const SORTED: usize = 200_000;

/// Answers a question about resources of a type, or of all types.
pub(super) async fn answer(
    push: &Push,
    resource_type: Option<&ResourceType>,
    asked: ListQuery,
) -> Result<Answer, Failure> {
    let question = Question::of(push, resource_type, &asked)?;
    let count = asked.page_size(USUAL, MOST);
    let page = match &asked.page {
        Asked::Index(start) => question.by_index(*start, count).await?,
        Asked::FirstCursor => question.by_cursor(None, count).await?,
        Asked::Cursor(text) => question.by_cursor(Some(text), count).await?,
    };
    let mut resources: Vec<Box<RawValue>> = Vec::with_capacity(page.matches.len());
    for found in &page.matches {
        let view = asked.projection.view(found.resource_type);
        let text = show::text(push, found.resource_type, &found.stored, &view).await?;
        let raw = RawValue::from_string(text);
        resources.push(raw.map_err(|error| ApiError::Internal(format!("rendering a resource: {error}")))?);
    }
    let response = match (&asked.page, page.total) {
        (Asked::Index(start), Some(total)) => ListResponse::index(total, *start, resources),
        (_, total) => {
            let mut response = ListResponse::cursor(resources);
            (response.total_results, response.next_cursor) = (total, page.next);
            response
        }
    };
    Ok(Answer::ok(json!(response).to_string()))
}

/// What is asked about the resources of one type.
struct Part<'a> {
    resource_type: &'a ResourceType,
    filter: Option<Query<'a>>,
    sort: Option<Sorter<'a>>,
}

struct Question<'a> {
    push: &'a Push,
    asked: &'a ListQuery,
    parts: Vec<Part<'a>>,
}

/// One resource that matches.
struct Match<'a> {
    resource_type: &'a ResourceType,
    stored: Stored,
    key: SortKey,
}

struct Page<'a> {
    matches: Vec<Match<'a>>,
    total: Option<usize>,
    next: Option<String>,
}

impl<'a> Question<'a> {
    fn of(push: &'a Push, resource_type: Option<&'a ResourceType>, asked: &'a ListQuery) -> Result<Self, ScimError> {
        let (registry, profile) = (&push.gateway.scim, &push.profile);
        let filter = asked.filter.as_deref().map(|text| Filter::parse(text, Syntax::from(profile))).transpose()?;
        let types = match resource_type {
            Some(one) => std::slice::from_ref(one),
            None => registry.resource_types(),
        };
        let part = |each: &'a ResourceType| {
            let filter = match (&filter, resource_type) {
                (None, _) => None,
                (Some(filter), Some(_)) => Some(filter.compile(each, profile)?),
                (Some(filter), None) => Some(filter.compile_among(registry, each, profile)?),
            };
            // Asked of all types, what some lack sorts those last.
            let sort = asked.sort_by.as_deref().map(|name| Sorter::new(each, name, asked.descending, profile));
            let sort = match (sort, resource_type) {
                (Some(Err(error)), Some(_)) => return Err(error),
                (sort, _) => sort.and_then(Result::ok),
            };
            Ok(Part { resource_type: each, filter, sort })
        };
        let parts = types.iter().map(part).collect::<Result<Vec<_>, ScimError>>()?;
        if asked.sort_by.is_some() && parts.iter().all(|part| part.sort.is_none()) {
            return Err(ScimError::of(ScimType::InvalidValue, "cannot sort by what no resource type has"));
        }
        Ok(Self { push, asked, parts })
    }

    fn is_sorted(&self) -> bool {
        self.asked.sort_by.is_some()
    }

    /// A page that begins at the `start`-th match, from 1.
    async fn by_index(&self, start: usize, count: usize) -> Result<Page<'a>, Failure> {
        let skip = start.saturating_sub(1);
        if self.is_sorted() {
            let all = self.sorted().await?;
            let total = Some(all.len());
            return Ok(Page { matches: all.into_iter().skip(skip).take(count).collect(), total, next: None });
        }
        if self.asked.filter.is_none() {
            return self.plain(skip, count).await;
        }
        let (mut matches, mut total) = (Vec::new(), 0);
        self.walk(None, &mut |found| {
            total += 1;
            if total > skip && matches.len() < count {
                matches.push(found);
            }
            true
        })
        .await?;
        Ok(Page { matches, total: Some(total), next: None })
    }

    /// Without a filter the database skips and counts.
    async fn plain(&self, mut skip: usize, count: usize) -> Result<Page<'a>, Failure> {
        let (mut matches, mut total) = (Vec::new(), 0);
        for Part { resource_type, .. } in &self.parts {
            let there = usize::try_from(stored::count(self.push, resource_type).await?).unwrap_or(usize::MAX);
            total += there;
            let missing = count - matches.len();
            if missing > 0 && skip < there {
                let page = stored::page(self.push, resource_type, None, skip, missing).await?;
                matches.extend(page.into_iter().map(|stored| Match { resource_type, stored, key: SortKey::Missing }));
            }
            skip = skip.saturating_sub(there);
        }
        Ok(Page { matches, total: Some(total), next: None })
    }

    /// What must stay the same from page to page.
    fn fingerprint(&self) -> u64 {
        let asked = self.asked;
        let order = if asked.descending { "descending" } else { "ascending" };
        let parts = [asked.filter.as_deref(), asked.sort_by.as_deref(), Some(order)];
        let types = self.parts.iter().map(|part| part.resource_type.name());
        fingerprint(parts.into_iter().map(Option::unwrap_or_default).chain(types))
    }

    /// A page that begins where a cursor says.
    async fn by_cursor(&self, text: Option<&str>, count: usize) -> Result<Page<'a>, Failure> {
        let query = self.fingerprint();
        let begun = text.map(|text| cursor::open(self.push, text, query)).transpose()?;
        if count == 0 {
            return Err(ScimError::of(ScimType::InvalidCount, "a page by cursor has at least one resource").into());
        }
        let next = |key: Value, id: String| {
            let issued_at = cursor::now(self.push);
            cursor::seal(self.push, &Cursor { query, issued_at, key, id, backward: false })
        };
        if self.is_sorted() {
            let done = begun.and_then(|cursor| cursor.key.as_u64()).and_then(|done| usize::try_from(done).ok());
            let skip = done.unwrap_or(0);
            let all = self.sorted().await?;
            let more = all.len() > skip.saturating_add(count);
            let matches: Vec<Match<'a>> = all.into_iter().skip(skip).take(count).collect();
            let reached = skip + matches.len();
            let next = if more { next(reached.into(), String::new()) } else { None };
            return Ok(Page { matches, total: None, next });
        }
        let after = begun.map(|cursor| cursor.id);
        let (mut matches, mut more): (Vec<Match<'a>>, bool) = (Vec::new(), false);
        self.walk(after.as_deref(), &mut |found| {
            more = matches.len() == count;
            if !more {
                matches.push(found);
            }
            !more
        })
        .await?;
        let last = matches.last().map(|found| format!("{}/{}", found.resource_type.name(), found.stored.id()));
        let next = if more { last.and_then(|last| next(Value::Null, last)) } else { None };
        Ok(Page { matches, total: None, next })
    }

    /// Every match, sorted.
    async fn sorted(&self) -> Result<Vec<Match<'a>>, Failure> {
        let (mut all, mut too_many): (Vec<Match<'a>>, bool) = (Vec::new(), false);
        self.walk(None, &mut |found| {
            too_many = all.len() == SORTED;
            if !too_many {
                all.push(found);
            }
            !too_many
        })
        .await?;
        if too_many {
            let detail = format!("more than {SORTED} resources match; filter them, or leave out sortBy");
            return Err(ScimError::of(ScimType::TooMany, detail).into());
        }
        // Equal ones stay in the order of their ids.
        if self.asked.descending {
            all.sort_by(|a, b| b.key.cmp(&a.key));
        } else {
            all.sort_by(|a, b| a.key.cmp(&b.key));
        }
        Ok(all)
    }

    /// Shows every match in the order of types and ids, after `type/id`, until `take` has enough.
    async fn walk(&self, after: Option<&str>, take: &mut impl FnMut(Match<'a>) -> bool) -> Result<(), Failure> {
        let (mut from, mut after) = match after.and_then(|after| after.split_once('/')) {
            Some((name, id)) => (Some(name), Some(id.to_owned())),
            None => (None, None),
        };
        for part in &self.parts {
            if from.is_some_and(|name| name != part.resource_type.name()) {
                continue;
            }
            from = None;
            if let Some(candidates) = self.candidates(part).await? {
                for stored in candidates {
                    let beyond = after.as_deref().is_none_or(|after| stored.id() > after);
                    if beyond
                        && let Some(found) = self.matching(part, stored).await?
                        && !take(found)
                    {
                        return Ok(());
                    }
                }
            } else if !self.walk_all(part, after.take(), take).await? {
                return Ok(());
            }
            after = None;
        }
        Ok(())
    }

    /// Walks through all resources of a type; whether more are wanted.
    async fn walk_all(
        &self,
        part: &Part<'a>,
        mut after: Option<String>,
        take: &mut impl FnMut(Match<'a>) -> bool,
    ) -> Result<bool, Failure> {
        loop {
            let page = stored::page(self.push, part.resource_type, after.as_deref(), 0, PAGE).await?;
            let last = page.len() < PAGE;
            after = page.last().map(|stored| stored.id().to_owned());
            for stored in page {
                if let Some(found) = self.matching(part, stored).await?
                    && !take(found)
                {
                    return Ok(false);
                }
            }
            if last {
                return Ok(true);
            }
        }
    }

    async fn matching(&self, part: &Part<'a>, stored: Stored) -> Result<Option<Match<'a>>, Failure> {
        let resource_type = part.resource_type;
        if part.filter.is_none() && part.sort.is_none() {
            return Ok(Some(Match { resource_type, stored, key: SortKey::Missing }));
        }
        let mentions = |attribute| part.filter.as_ref().map_or(Mentions::None, |filter| filter.mentions(attribute));
        let with_groups = mentions("groups") != Mentions::None;
        let mut document = show::document(self.push, resource_type, &stored, with_groups).await?;
        if let Stored::Group(group) = &stored {
            let members: Vec<Value> = match mentions("members") {
                Mentions::None => Vec::new(),
                // Only these decide, however many there are.
                Mentions::Values(ids) => {
                    let among = self.push.gateway.state.members_among(&group.id, &ids).await?;
                    among.into_iter().map(|id| json!({ "value": id })).collect()
                }
                Mentions::All => {
                    let all = members::all(self.push, &group.id).await?;
                    all.iter().map(|member| show::member(self.push, member)).collect()
                }
            };
            if !members.is_empty() {
                document.insert("members".to_owned(), members.into());
            }
        }
        if part.filter.as_ref().is_some_and(|filter| !filter.matches(&document)) {
            return Ok(None);
        }
        let key = part.sort.as_ref().map_or(SortKey::Missing, |sort| sort.key(&document));
        Ok(Some(Match { resource_type, stored, key }))
    }

    /// What an index says of the equalities that every match must satisfy, in the order of ids.
    async fn candidates(&self, part: &Part<'a>) -> Result<Option<Vec<Stored>>, Failure> {
        let Some(filter) = &part.filter else { return Ok(None) };
        let resource_type = part.resource_type;
        let (state, connection, kind) = (&self.push.gateway.state, self.push.id(), Kind::of(resource_type));
        let equalities = filter.required_equalities();
        let text = |path: &str| {
            let found = equalities.iter().find(|equality| equality.path == path);
            found.and_then(|equality| equality.value.as_str())
        };
        if let Some(id) = text("id") {
            return Ok(Some(stored::find(self.push, resource_type, id).await?.into_iter().collect()));
        }
        let users = |users: Vec<_>| users.into_iter().map(|user| Stored::User(Arc::new(user))).collect::<Vec<_>>();
        let groups =
            |groups: Vec<_>| groups.into_iter().map(|group| Stored::Group(Arc::new(group))).collect::<Vec<_>>();
        let name = text(if kind == Kind::Users { "userName" } else { "displayName" });
        let mut found = match (kind, name, text("externalId")) {
            (Kind::Users, Some(name), _) => users(state.users_by_name(name).await?),
            (Kind::Users, _, Some(external)) => users(state.users_by_external_id(connection, external).await?),
            (Kind::Users, None, None) => match text("emails.value") {
                Some(address) => users(state.users_by_address(address).await?),
                None => return Ok(None),
            },
            (Kind::Groups, Some(name), _) => groups(state.groups_by_name(name).await?),
            (Kind::Groups, _, Some(external)) => groups(state.groups_by_external_id(connection, external).await?),
            (Kind::Groups, None, None) => match text("members.value") {
                Some(member) => {
                    let mut found = Vec::new();
                    for membership in state.memberships(member).await? {
                        found.extend(stored::find(self.push, resource_type, &membership.group_id).await?);
                    }
                    found
                }
                None => return Ok(None),
            },
            (Kind::Custom, _, Some(external)) => {
                let found = state.custom_resources_by_external_id(resource_type.name(), connection, external).await?;
                found.into_iter().map(|resource| Stored::Custom(Arc::new(resource))).collect()
            }
            (Kind::Custom, ..) => return Ok(None),
        };
        found.retain(|stored| stored.belongs_to(self.push));
        found.sort_by(|a, b| a.id().cmp(b.id()));
        Ok(Some(found))
    }
}
