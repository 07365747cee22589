//! Pages by index and by cursor (RFC 9865).

use std::collections::BTreeSet;

use chancery_tests::Provider;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{started, texts};

async fn twelve(idp: &Provider) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 0..12 {
        ids.push(
            idp.user(&format!("page{number:02}"), json!({"title": if number % 2 == 0 { "even" } else { "odd" }})).await,
        );
    }
    ids
}

fn ids(list: &Value) -> Vec<String> {
    texts(list["Resources"].as_array().unwrap(), "id")
}

#[tokio::test]
async fn indexes_and_counts_out_of_range_mean_what_the_rfc_says() {
    let (_server, idp) = started().await;
    let all = twelve(&idp).await;
    for (query, expected, index) in [
        ("startIndex=1&count=5", &all[..5], 1),
        ("startIndex=0&count=5", &all[..5], 1),
        ("startIndex=-7&count=5", &all[..5], 1),
        ("startIndex=11&count=5", &all[10..], 11),
        ("startIndex=100", &all[..0], 100),
        ("count=0", &all[..0], 1),
        ("count=-3", &all[..0], 1),
        ("", &all[..], 1),
    ] {
        let list = idp.get(&format!("/Users?{query}")).await.expect(StatusCode::OK);
        assert_eq!(ids(&list), expected, "{query}");
        assert_eq!(list["totalResults"], 12, "an integer: {query}");
        assert_eq!(list["itemsPerPage"], expected.len(), "{query}");
        assert_eq!(list["startIndex"], index, "{query}");
    }
    for query in ["count=ten", "startIndex=x", "count=99999999999999999999"] {
        let answer = idp.get(&format!("/Users?{query}")).await;
        assert!([200, 400].contains(&answer.status.as_u16()), "{query}: {}", answer.status);
        if answer.status != StatusCode::OK {
            answer.refused(StatusCode::BAD_REQUEST, Some("invalidValue"));
        }
    }
    let most = idp.get("/ServiceProviderConfig").await.body["filter"]["maxResults"].as_u64().unwrap();
    let list = idp.get(&format!("/Users?count={}", most + 1)).await.expect(StatusCode::OK);
    assert!(list["itemsPerPage"].as_u64().unwrap() <= most);
}

#[tokio::test]
async fn cursors_lead_through_a_list_that_changes_once_each() {
    let (_server, idp) = started().await;
    let all = twelve(&idp).await;
    let first = idp.get("/Users?cursor&count=5").await.expect(StatusCode::OK);
    assert!(first.get("previousCursor").is_none(), "{first}");
    let mut seen = ids(&first);
    let mut next = first["nextCursor"].as_str().map(str::to_owned);
    // Newcomers and changes between the pages.
    idp.user("newcomer", json!({})).await;
    idp.patch(&format!("/Users/{}", all[0]), json!([{"op": "replace", "path": "userName", "value": "zz"}])).await;
    while let Some(cursor) = next {
        assert!(cursor.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)), "{cursor}");
        let page = idp.get(&format!("/Users?cursor={cursor}&count=5")).await.expect(StatusCode::OK);
        seen.extend(ids(&page));
        next = page["nextCursor"].as_str().map(str::to_owned);
    }
    let distinct: BTreeSet<&String> = seen.iter().collect();
    assert_eq!(distinct.len(), seen.len(), "nobody twice");
    assert!(all.iter().all(|id| distinct.contains(id)), "nobody left out");

    let search = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
        "filter": "title eq \"even\"", "sortBy": "userName", "cursor": "", "count": 4,
    });
    let page = idp.post("/Users/.search", &search).await.expect(StatusCode::OK);
    let mut more = search.clone();
    more["cursor"] = page["nextCursor"].clone();
    let last = idp.post("/Users/.search", &more).await.expect(StatusCode::OK);
    assert_eq!((ids(&page).len(), ids(&last).len()), (4, 2));
    assert!(last.get("nextCursor").is_none(), "{last}");
}

#[tokio::test]
async fn cursors_are_no_ones_invention_and_no_one_elses() {
    let (server, idp) = started().await;
    twelve(&idp).await;
    let first = idp.get("/Users?cursor&count=5&filter=title%20pr").await.expect(StatusCode::OK);
    let cursor = first["nextCursor"].as_str().unwrap();
    let mut forged = cursor.to_owned();
    let last = forged.pop().unwrap();
    forged.push(if last == 'A' { 'B' } else { 'A' });
    for wrong in [forged.as_str(), "1", "abc", "%00"] {
        let answer = idp.get(&format!("/Users?cursor={wrong}&count=5&filter=title%20pr")).await;
        answer.refused(StatusCode::BAD_REQUEST, Some("invalidCursor"));
    }
    // Other questions, another endpoint, another connection.
    for path in [
        format!("/Users?cursor={cursor}&count=5&filter=title%20eq%20%22odd%22"),
        format!("/Users?cursor={cursor}&count=5&filter=title%20pr&sortBy=title"),
        format!("/Groups?cursor={cursor}&count=5"),
    ] {
        idp.get(&path).await.refused(StatusCode::BAD_REQUEST, Some("invalidCursor"));
    }
    let other = Provider::connect(&server, json!({"organizations": ["beta"]})).await;
    let stolen = other.get(&format!("/Users?cursor={cursor}&count=5&filter=title%20pr")).await;
    stolen.refused(StatusCode::BAD_REQUEST, Some("invalidCursor"));
    let counted = idp.get("/Users?cursor&count=-1").await;
    counted.refused(StatusCode::BAD_REQUEST, Some("invalidCount"));
}
