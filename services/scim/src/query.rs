//! What a list request asks, and the answer to it (RFC 7644 section 3.4.2, RFC 9865).

use serde::Serialize;
use serde_json::{Map, Value};

use crate::error::{ScimError, ScimType};
use crate::projection::{Projection, names};

/// URN of the message of a list.
pub const LIST_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
/// URN of the message of a search.
pub const SEARCH_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";

/// What a list request asks, from the query parameters of a GET or the body of a `/.search`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListQuery {
    /// The text of the filter.
    pub filter: Option<String>,
    /// The attribute to sort by.
    pub sort_by: Option<String>,
    /// Whether the order is descending.
    pub descending: bool,
    /// How many resources one page has; none where the client does not say.
    pub count: Option<usize>,
    /// Which page.
    pub page: Page,
    /// Which attributes.
    pub projection: Projection,
}

/// Which page of the results.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Page {
    /// From the n-th result on, counted from 1.
    Index(usize),
    /// The first page of cursor paging.
    FirstCursor,
    /// The page a cursor leads to.
    Cursor(String),
}

#[derive(Default)]
struct Raw {
    filter: Option<String>,
    sort_by: Option<String>,
    sort_order: Option<String>,
    start_index: Option<String>,
    count: Option<String>,
    cursor: Option<String>,
    attributes: Vec<String>,
    excluded: Vec<String>,
}

impl ListQuery {
    /// Reads the decoded query parameters of a GET. Names are in any case, unknown ones are ignored.
    pub fn from_parameters<N, V>(parameters: impl IntoIterator<Item = (N, V)>) -> Result<Self, ScimError>
    where
        N: AsRef<str>,
        V: Into<String>,
    {
        let mut raw = Raw::default();
        for (name, value) in parameters {
            let value = value.into();
            match name.as_ref().to_ascii_lowercase().as_str() {
                "attributes" => raw.attributes = names(&value),
                "excludedattributes" => raw.excluded = names(&value),
                other => raw.set(other, value),
            }
        }
        raw.finish()
    }

    /// Reads the body of a search.
    pub fn from_search_request(body: Value) -> Result<Self, ScimError> {
        let Value::Object(body) = body else { return Err(ScimError::syntax("the body is no JSON object")) };
        let mut raw = Raw::default();
        for (name, value) in body {
            let lower = name.to_ascii_lowercase();
            match (lower.as_str(), value) {
                (_, Value::Null) => {}
                ("attributes", value) => raw.attributes = listed(&name, value)?,
                ("excludedattributes", value) => raw.excluded = listed(&name, value)?,
                (_, Value::String(text)) => raw.set(&lower, text),
                (_, Value::Number(number)) => raw.set(&lower, number.to_string()),
                ("filter" | "sortby" | "sortorder" | "startindex" | "count" | "cursor", other) => {
                    return Err(ScimError::syntax(format!("`{name}` cannot be {other}")));
                }
                _ => {}
            }
        }
        raw.finish()
    }

    /// How many resources the page has: what the client asks for within the largest page, else the default.
    pub fn page_size(&self, default: usize, largest: usize) -> usize {
        self.count.unwrap_or(default).min(largest)
    }
}

impl Raw {
    fn set(&mut self, name: &str, value: String) {
        let slot = match name {
            "filter" => &mut self.filter,
            "sortby" => &mut self.sort_by,
            "sortorder" => &mut self.sort_order,
            "startindex" => &mut self.start_index,
            "count" => &mut self.count,
            "cursor" => &mut self.cursor,
            _ => return,
        };
        *slot = Some(value);
    }

    fn finish(self) -> Result<ListQuery, ScimError> {
        let filled = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        let cursor_asked = self.cursor.is_some();
        let count = match filled(self.count) {
            Some(text) => Some(whole(&text).ok_or_else(|| {
                let keyword = if cursor_asked { ScimType::InvalidCount } else { ScimType::InvalidValue };
                ScimError::of(keyword, format!("`count`: `{text}` is no whole number"))
            })?),
            None => None,
        };
        let start_index = match filled(self.start_index) {
            Some(text) => {
                let number = whole(&text)
                    .ok_or_else(|| ScimError::value(format!("`startIndex`: `{text}` is no whole number")))?;
                Some(number.max(1))
            }
            None => None,
        };
        let page = match (self.cursor, start_index) {
            (Some(_), Some(_)) => return Err(ScimError::value("`cursor` and `startIndex` exclude each other")),
            (Some(cursor), None) if cursor.is_empty() => Page::FirstCursor,
            (Some(cursor), None) => Page::Cursor(cursor),
            (None, start_index) => Page::Index(start_index.unwrap_or(1)),
        };
        let descending = match filled(self.sort_order) {
            None => false,
            Some(order) if order.eq_ignore_ascii_case("ascending") => false,
            Some(order) if order.eq_ignore_ascii_case("descending") => true,
            Some(order) => {
                return Err(ScimError::value(format!("`sortOrder`: `{order}` is neither ascending nor descending")));
            }
        };
        Ok(ListQuery {
            filter: filled(self.filter),
            sort_by: filled(self.sort_by),
            descending,
            count,
            page,
            projection: Projection::new(self.attributes, self.excluded)?,
        })
    }
}

/// A whole number; a negative one is 0, one too large the largest.
fn whole(text: &str) -> Option<usize> {
    let text = text.trim();
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    if text.starts_with('-') { Some(0) } else { Some(digits.parse().unwrap_or(usize::MAX)) }
}

/// A list of names; some clients write it as one text.
fn listed(name: &str, value: Value) -> Result<Vec<String>, ScimError> {
    let unfit = |value: &Value| ScimError::syntax(format!("`{name}`: expected names of attributes, found {value}"));
    match value {
        Value::String(text) => Ok(names(&text)),
        Value::Array(items) => {
            items.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(|| unfit(item))).collect()
        }
        other => Err(unfit(&other)),
    }
}

/// A page of results. Counts are numbers, and `Resources` is there even when it is empty.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListResponse<R = Map<String, Value>> {
    schemas: [&'static str; 1],
    /// How many results there are over all pages. Cursor paging may leave it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_results: Option<usize>,
    /// Number of the first resource of an index page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_index: Option<usize>,
    /// How many resources the page has.
    pub items_per_page: usize,
    /// The cursor of the next page; none on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// The cursor of the page before; none on the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_cursor: Option<String>,
    /// The resources, in the form the caller has them.
    #[serde(rename = "Resources")]
    pub resources: Vec<R>,
}

impl<R> ListResponse<R> {
    /// A page of index paging.
    pub fn index(total_results: usize, start_index: usize, resources: Vec<R>) -> Self {
        Self { total_results: Some(total_results), start_index: Some(start_index), ..Self::cursor(resources) }
    }

    /// A page of cursor paging; its counts and cursors are the caller's to set.
    pub fn cursor(resources: Vec<R>) -> Self {
        Self {
            schemas: [LIST_SCHEMA],
            total_results: None,
            start_index: None,
            items_per_page: resources.len(),
            next_cursor: None,
            previous_cursor: None,
            resources,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(parameters: &[(&str, &str)]) -> Result<ListQuery, ScimError> {
        ListQuery::from_parameters(parameters.iter().copied())
    }

    #[test]
    fn names_of_parameters_are_in_any_case_and_unknown_ones_are_ignored() {
        let query = parse(&[("FILTER", "a pr"), ("SortOrder", "Descending"), ("aadOptscim062020", "")]).unwrap();
        assert_eq!((query.filter.as_deref(), query.descending), (Some("a pr"), true));
    }

    #[test]
    fn counts_and_indexes_below_their_range_are_the_least_there_is() {
        let query = parse(&[("startIndex", "-3"), ("count", "-1")]).unwrap();
        assert_eq!((query.page, query.count), (Page::Index(1), Some(0)));
        assert_eq!(parse(&[("startIndex", "0")]).unwrap().page, Page::Index(1));
        assert_eq!(parse(&[("count", "99999999999999999999999")]).unwrap().page_size(10, 100), 100);
        assert_eq!(parse(&[]).unwrap().page_size(10, 100), 10);
    }

    #[test]
    fn a_count_that_is_no_number_is_refused_by_the_way_of_paging() {
        let keyword = |parameters: &[(&str, &str)]| parse(parameters).unwrap_err().scim_type;
        assert_eq!(keyword(&[("count", "ten")]), Some(ScimType::InvalidValue));
        assert_eq!(keyword(&[("count", "ten"), ("cursor", "")]), Some(ScimType::InvalidCount));
    }

    #[test]
    fn an_empty_cursor_asks_for_the_first_page() {
        assert_eq!(parse(&[("cursor", "")]).unwrap().page, Page::FirstCursor);
        assert_eq!(parse(&[("cursor", "abc")]).unwrap().page, Page::Cursor("abc".to_owned()));
        assert!(parse(&[("cursor", "abc"), ("startIndex", "2")]).is_err());
    }

    #[test]
    fn a_search_request_asks_the_same() {
        let body = json!({"schemas": [SEARCH_SCHEMA], "attributes": ["userName"], "Filter": "a pr", "startIndex": 3,
            "count": "5", "sortBy": null});
        let query = ListQuery::from_search_request(body).unwrap();
        assert_eq!((query.page, query.count, query.sort_by), (Page::Index(3), Some(5), None));
        assert!(query.projection.is_explicit());
        assert!(ListQuery::from_search_request(json!({"filter": {}})).is_err());
    }

    #[test]
    fn a_list_has_numbers_and_resources_even_when_it_is_empty() {
        let list = json!(ListResponse::<Value>::index(0, 1, Vec::new()));
        assert_eq!(
            list,
            json!({"schemas": [LIST_SCHEMA], "totalResults": 0, "startIndex": 1, "itemsPerPage": 0, "Resources": []})
        );
        let mut page = ListResponse::cursor(vec![json!({})]);
        page.next_cursor = Some("n".to_owned());
        assert_eq!(json!(page)["nextCursor"], "n");
    }
}
