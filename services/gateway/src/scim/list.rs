//! Lists: filtered, sorted, in pages by index or by cursor (RFC 7644, 3.4; RFC 9865).
//!
//! Equalities that every match must satisfy are answered from an index where there is one; else the connection's
//! resources are walked through in the order of their ids, which never changes.

use std::sync::Arc;

use chancery_scim::filter::Filter;
use chancery_scim::query::{CursorState, Query, list_response};
use chancery_scim::schema::ResourceType;
use chancery_scim::sort::SortKey;
use chancery_scim::{Document, ScimError, ScimType};
use serde_json::Value;

use super::answer::Answer;
use super::cursor;
use super::discovery::{MOST, USUAL};
use super::failure::Failure;
use super::members;
use super::push::Push;
use super::show;
use super::stored::{self, Kind, Stored};

/// Resources read at once while walking.
const PAGE: usize = 500;
/// Most resources that are sorted.
const SORTED: usize = 200_000;

/// One resource that matches.
struct Match<'a> {
    resource_type: &'a ResourceType,
    stored: Stored,
    /// The whole resource, where it was needed to decide; sorting needs it too.
    document: Option<Document>,
}

/// Answers a question about resources of a type, or of all types.
pub(super) async fn answer(
    push: &Push,
    resource_type: Option<&ResourceType>,
    asked: Query,
) -> Result<Answer, Failure> {
    let registry = &push.gateway.scim;
    let types: Vec<&ResourceType> = match resource_type {
        Some(resource_type) => vec![resource_type],
        None => registry.resource_types().iter().collect(),
    };
    let projection = show::projection(push, &types, &asked)?;
    let filter = match (&asked.filter, resource_type) {
        (None, _) => None,
        (Some(text), Some(one)) => Some(Filter::parse(text, registry, one, &push.profile)?),
        (Some(text), None) => Some(Filter::parse_for_any(text, registry, registry.resource_types(), &push.profile)?),
    };
    let sort = match &asked.sort_by {
        Some(name) => Some(SortKey::parse(name, registry, &types)?),
        None => None,
    };
    let count = usize::try_from(asked.count.unwrap_or(USUAL as u64)).unwrap_or(MOST).min(MOST);
    let question = Question { push, types: &types, filter: filter.as_ref(), sort: sort.as_ref(), asked: &asked };
    let page = match &asked.cursor {
        Some(text) => question.by_cursor(text.as_deref(), count).await?,
        None => question.by_index(count).await?,
    };
    let mut resources = Vec::with_capacity(page.matches.len());
    for found in &page.matches {
        let text = show::text(push, found.resource_type, &found.stored, &projection).await?;
        let raw: Value = serde_json::from_str(&text)
            .map_err(|error| crate::error::ApiError::Internal(format!("rendering a resource: {error}")))?;
        resources.push(raw);
    }
    let start = asked.cursor.is_none().then_some(asked.start_index);
    Ok(Answer::ok(list_response(page.total, start, resources, page.next, None).to_string()))
}

struct Question<'a> {
    push: &'a Push,
    types: &'a [&'a ResourceType],
    filter: Option<&'a Filter>,
    sort: Option<&'a SortKey>,
    asked: &'a Query,
}

struct Page<'a> {
    matches: Vec<Match<'a>>,
    total: Option<u64>,
    next: Option<String>,
}

impl<'a> Question<'a> {
    /// A page that begins at `startIndex`, from 1.
    async fn by_index(&self, count: usize) -> Result<Page<'a>, Failure> {
        let skip = usize::try_from(self.asked.start_index.saturating_sub(1)).unwrap_or(usize::MAX);
        if self.filter.is_none() && self.sort.is_none() {
            return self.plain(skip, count).await;
        }
        let (matches, total) = if self.sort.is_some() {
            let all = self.sorted().await?;
            let total = all.len();
            (all.into_iter().skip(skip).take(count).collect(), total)
        } else {
            let mut taken = Vec::new();
            let mut total = 0;
            self.walk(None, &mut |found| {
                total += 1;
                if total > skip && taken.len() < count {
                    taken.push(found);
                }
                true
            })
            .await?;
            (taken, total)
        };
        Ok(Page { matches, total: Some(total as u64), next: None })
    }

    /// Without a filter the database skips and counts.
    async fn plain(&self, mut skip: usize, count: usize) -> Result<Page<'a>, Failure> {
        let mut matches: Vec<Match<'a>> = Vec::new();
        let mut total = 0;
        for resource_type in self.types {
            let there = stored::count(self.push, resource_type).await?;
            total += there;
            let missing = count - matches.len();
            let there = usize::try_from(there).unwrap_or(usize::MAX);
            if missing > 0 && skip < there {
                let page = stored::page(self.push, resource_type, None, skip, missing).await?;
                matches.extend(page.into_iter().map(|stored| Match { resource_type, stored, document: None }));
            }
            skip = skip.saturating_sub(there);
        }
        Ok(Page { matches, total: Some(total), next: None })
    }

    /// A page that begins where a cursor says.
    async fn by_cursor(&self, text: Option<&str>, count: usize) -> Result<Page<'a>, Failure> {
        let fingerprint = self.asked.fingerprint(self.types.iter().map(|each| each.name.as_str()));
        let begun = match text.filter(|text| !text.is_empty()) {
            Some(text) => {
                let state = cursor::open(self.push, text)?;
                if state.fingerprint != fingerprint {
                    let detail = "the question is not the one that the cursor was given for";
                    return Err(ScimError::new(ScimType::InvalidCursor, detail).into());
                }
                Some(state)
            }
            None => None,
        };
        if count == 0 {
            return Err(ScimError::new(ScimType::InvalidCount, "a page by cursor has at least one resource").into());
        }
        let issued = self.push.gateway.now().as_micros() / 1_000_000;
        let next = |after: String, position: u64| {
            cursor::seal(self.push, &CursorState { after, position, fingerprint, issued })
        };
        if self.sort.is_some() {
            let done = begun.map_or(0, |state| state.position);
            let skip = usize::try_from(done).unwrap_or(usize::MAX);
            let all = self.sorted().await?;
            let more = all.len() > skip.saturating_add(count);
            let matches: Vec<Match<'a>> = all.into_iter().skip(skip).take(count).collect();
            let reached = done + matches.len() as u64;
            return Ok(Page { matches, total: None, next: if more { next(String::new(), reached) } else { None } });
        }
        let after = begun.map(|state| state.after);
        let mut matches: Vec<Match<'a>> = Vec::new();
        let mut more = false;
        self.walk(after.as_deref(), &mut |found| {
            more = matches.len() == count;
            if !more {
                matches.push(found);
            }
            !more
        })
        .await?;
        let last = matches.last().map(|found| format!("{}/{}", found.resource_type.name, found.stored.id()));
        let next = if more { last.and_then(|last| next(last, 0)) } else { None };
        Ok(Page { matches, total: None, next })
    }

    /// Every match, sorted.
    async fn sorted(&self) -> Result<Vec<Match<'a>>, Failure> {
        let mut all: Vec<Match<'a>> = Vec::new();
        let mut too_many = false;
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
            return Err(ScimError::new(ScimType::TooMany, detail).into());
        }
        if let Some(sort) = self.sort {
            let empty = Document::new();
            let document = |found: &Match<'a>| found.document.clone().unwrap_or_else(|| empty.clone());
            let mut keyed: Vec<(Document, Match<'a>)> = all.into_iter().map(|found| (document(&found), found)).collect();
            keyed.sort_by(|(a, _), (b, _)| sort.compare(a, b, self.asked.descending));
            all = keyed.into_iter().map(|(_, found)| found).collect();
        }
        Ok(all)
    }

    /// Shows every match in the order of types and ids, after `type/id`, until `take` has enough.
    async fn walk(&self, after: Option<&str>, take: &mut impl FnMut(Match<'a>) -> bool) -> Result<(), Failure> {
        let (mut from, mut after) = match after.and_then(|after| after.split_once('/')) {
            Some((name, id)) => (Some(name), Some(id.to_owned())),
            None => (None, None),
        };
        for resource_type in self.types {
            if from.is_some_and(|name| name != resource_type.name) {
                continue;
            }
            from = None;
            if let Some(candidates) = self.candidates(resource_type).await? {
                for stored in candidates {
                    let beyond = after.as_deref().is_none_or(|after| stored.id() > after);
                    if beyond && let Some(found) = self.matching(resource_type, stored).await? && !take(found) {
                        return Ok(());
                    }
                }
            } else {
                loop {
                    let page = stored::page(self.push, resource_type, after.as_deref(), 0, PAGE).await?;
                    let last = page.len() < PAGE;
                    after = page.last().map(|stored| stored.id().to_owned());
                    for stored in page {
                        if let Some(found) = self.matching(resource_type, stored).await? && !take(found) {
                            return Ok(());
                        }
                    }
                    if last {
                        break;
                    }
                }
            }
            after = None;
        }
        Ok(())
    }

    async fn matching(&self, resource_type: &'a ResourceType, stored: Stored) -> Result<Option<Match<'a>>, Failure> {
        if self.filter.is_none() && self.sort.is_none() {
            return Ok(Some(Match { resource_type, stored, document: None }));
        }
        let with_groups = self.filter.is_some_and(|filter| filter.uses("groups"));
        let mut document = show::document(self.push, resource_type, &stored, with_groups).await?;
        let Some(filter) = self.filter else {
            return Ok(Some(Match { resource_type, stored, document: Some(document) }));
        };
        if let Stored::Group(group) = &stored
            && filter.uses("members")
        {
            let asked = filter.only_equalities().then(|| texts(filter, "members.value"));
            let members = match asked {
                // Only these decide, however many there are.
                Some(ids) => {
                    let among = self.push.gateway.state.members_among(&group.id, &ids).await?;
                    among.into_iter().map(|id| serde_json::json!({ "value": id })).collect()
                }
                None => {
                    let all = members::all(self.push, &group.id).await?;
                    all.iter().map(|member| show::member(self.push, member)).collect::<Vec<_>>()
                }
            };
            document.insert("members".to_owned(), members.into());
        }
        let matches = filter.matches(&self.push.gateway.scim, resource_type, &document);
        let document = self.sort.is_some().then_some(document);
        Ok(matches.then_some(Match { resource_type, stored, document }))
    }

    /// What an index says of the equalities that every match must satisfy, in the order of ids.
    async fn candidates(&self, resource_type: &ResourceType) -> Result<Option<Vec<Stored>>, Failure> {
        let Some(filter) = self.filter else { return Ok(None) };
        let (state, connection, kind) = (&self.push.gateway.state, self.push.id(), Kind::of(resource_type));
        if let Some(id) = texts(filter, "id").first() {
            return Ok(Some(stored::find(self.push, resource_type, id).await?.into_iter().collect()));
        }
        let users = |users: Vec<_>| users.into_iter().map(|user| Stored::User(Arc::new(user))).collect::<Vec<_>>();
        let groups = |groups: Vec<_>| groups.into_iter().map(|group| Stored::Group(Arc::new(group))).collect::<Vec<_>>();
        let name = texts(filter, if kind == Kind::Users { "userName" } else { "displayName" });
        let external = texts(filter, "externalId");
        let mut found = match (kind, name.first(), external.first()) {
            (Kind::Users, Some(name), _) => users(state.users_by_name(name).await?),
            (Kind::Users, _, Some(external)) => users(state.users_by_external_id(connection, external).await?),
            (Kind::Groups, Some(name), _) => groups(state.groups_by_name(name).await?),
            (Kind::Groups, _, Some(external)) => groups(state.groups_by_external_id(connection, external).await?),
            (Kind::Groups, None, None) => match texts(filter, "members.value").first() {
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
                let found = state.custom_resources_by_external_id(&resource_type.name, connection, external).await?;
                found.into_iter().map(|resource| Stored::Custom(Arc::new(resource))).collect()
            }
            (Kind::Users | Kind::Custom, ..) => return Ok(None),
        };
        found.retain(|stored| stored.belongs_to(self.push));
        found.sort_by(|a, b| a.id().cmp(b.id()));
        Ok(Some(found))
    }
}

/// The texts that an attribute of every match must equal.
fn texts(filter: &Filter, path: &str) -> Vec<String> {
    let equalities = filter.equalities();
    let found = equalities.into_iter().filter(|(name, _)| name == path);
    found.filter_map(|(_, value)| value.as_str().map(str::to_owned)).collect()
}
