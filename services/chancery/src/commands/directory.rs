//! What the commands about users, groups and organizations have in common.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use serde_json::Value;

use crate::client::Client;
use crate::failure::Failure;
use crate::terminal::{self, Output};

/// Most rows of a page.
const PAGE: usize = 500;

/// Address of a thing by its name or id.
pub(crate) fn path(kind: &str, id: &str) -> String {
    format!("/api/v1/{kind}/{}", utf8_percent_encode(id, NON_ALPHANUMERIC))
}

/// The filters that are given.
pub(crate) fn present<const N: usize>(filters: [(&'static str, &Option<String>); N]) -> Vec<(&'static str, String)> {
    filters.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))).collect()
}

/// The rows of a list, page by page.
pub(crate) async fn every(
    client: &Client,
    path: &str,
    filters: &[(&'static str, String)],
    most: Option<usize>,
) -> Result<Vec<Value>, Failure> {
    let most = most.unwrap_or(usize::MAX);
    let (mut rows, mut after): (Vec<Value>, Option<String>) = (Vec::new(), None);
    while rows.len() < most {
        let mut query = filters.to_vec();
        query.push(("limit", PAGE.min(most - rows.len()).to_string()));
        query.extend(after.map(|after| ("after", after)));
        let page = client.get(path, &query).await?;
        rows.extend_from_slice(items(&page));
        after = page.get("next").and_then(Value::as_str).map(str::to_owned);
        if after.is_none() {
            break;
        }
    }
    Ok(rows)
}

/// The rows of an answer.
pub(crate) fn items(answer: &Value) -> &[Value] {
    answer.get("items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// Sends a change.
pub(crate) async fn change(client: &Client, method: Method, path: &str, body: Option<&Value>) -> Result<(), Failure> {
    let request = client.request(method, path);
    let request = match body {
        Some(body) => request.json(body),
        None => request,
    };
    client.send(request).await.map(drop)
}

/// Prints the id of what was made.
pub(crate) fn id(made: &Value) {
    terminal::line(made.get("id").and_then(Value::as_str).unwrap_or_default());
}

/// Prints one thing whole.
pub(crate) fn shown(thing: &Value) {
    terminal::line(&format!("{thing:#}"));
}

/// Prints rows under column names.
pub(crate) fn print(rows: &[Value], columns: &[&str], output: Option<Output>) {
    let columns: Vec<String> = columns.iter().map(|&name| name.to_owned()).collect();
    let row = |item: &Value| columns.iter().map(|column| item.get(column).cloned().unwrap_or_default()).collect();
    let rows: Vec<Vec<Value>> = rows.iter().map(row).collect();
    terminal::rows(&columns, &rows, Output::or_default(output));
}
