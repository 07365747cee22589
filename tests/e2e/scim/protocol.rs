//! Discovery, versions, projections, sorting, `/Me` and `/.search`.

use chancery_tests::{ENTERPRISE, GROUP, LIST, Provider, USER};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{started, texts};

/// Clients that find a part missing fall back to no filters and no PATCH, without a word.
#[tokio::test]
async fn discovery_is_complete_and_true() {
    let (_server, idp) = started().await;
    let config = idp.get("/ServiceProviderConfig").await.expect(StatusCode::OK);
    for feature in ["patch", "bulk", "filter", "changePassword", "sort", "etag"] {
        assert!(config[feature]["supported"].is_boolean(), "{feature}: {config}");
    }
    for limit in ["/bulk/maxOperations", "/bulk/maxPayloadSize", "/filter/maxResults"] {
        assert!(config.pointer(limit).is_some_and(Value::is_u64), "{limit}: {config}");
    }
    for member in ["type", "name", "description"] {
        assert!(config["authenticationSchemes"][0][member].is_string(), "{member}: {config}");
    }
    assert_eq!(config["authenticationSchemes"][0]["type"], "oauthbearertoken");
    assert_eq!((&config["pagination"]["cursor"], &config["pagination"]["index"]), (&json!(true), &json!(true)));
    assert_eq!(config["pagination"]["defaultPaginationMethod"], "index");

    let types = idp.get("/ResourceTypes").await.expect(StatusCode::OK);
    assert_eq!(types["schemas"], json!([LIST]));
    for resource_type in types["Resources"].as_array().unwrap() {
        let id = resource_type["id"].as_str().unwrap();
        let alone = idp.get(&format!("/ResourceTypes/{id}")).await.expect(StatusCode::OK);
        assert_eq!(&alone, resource_type);
        let endpoint = resource_type["endpoint"].as_str().unwrap();
        idp.get(endpoint).await.expect(StatusCode::OK);
        let extensions = resource_type["schemaExtensions"].as_array().into_iter().flatten();
        for schema in extensions.map(|extension| &extension["schema"]).chain([&resource_type["schema"]]) {
            idp.get(&format!("/Schemas/{}", schema.as_str().unwrap())).await.expect(StatusCode::OK);
        }
    }
    idp.get("/Schemas?filter=id%20pr").await.refused(StatusCode::FORBIDDEN, None);
}

/// What `/Schemas` says is what the server does: every writable simple attribute is kept as it is sent, every
/// read-only one is ignored.
#[tokio::test]
async fn the_schemas_say_what_is_so() {
    let (_server, idp) = started().await;
    let schemas = idp.get("/Schemas").await.expect(StatusCode::OK);
    let schema = |urn: &str| {
        schemas["Resources"].as_array().unwrap().iter().find(|schema| schema["id"] == urn).cloned().unwrap()
    };
    let (mut user, mut expected) = (json!({"schemas": [USER, ENTERPRISE], "userName": "all"}), Vec::new());
    for urn in [USER, ENTERPRISE] {
        for attribute in schema(urn)["attributes"].as_array().unwrap() {
            for characteristic in ["name", "type", "mutability", "returned", "uniqueness", "description"] {
                // Complex attributes have no uniqueness (erratum 6004 of RFC 7643).
                let exempt = characteristic == "uniqueness" && attribute["type"] == "complex";
                assert!(exempt || attribute[characteristic].is_string(), "{characteristic}: {attribute}");
            }
            let name = attribute["name"].as_str().unwrap();
            let plain = attribute["type"] == "string" && attribute["multiValued"] == false && name != "userName";
            if plain && attribute["mutability"] == "readWrite" {
                let value = json!(format!("value of {name}"));
                let holder = if urn == USER { &mut user } else { &mut user[ENTERPRISE] };
                holder[name] = value.clone();
                expected.push((urn, name.to_owned(), value));
            }
        }
    }
    assert!(expected.len() > 10, "{expected:?}");
    let made = idp.post("/Users", &user).await.expect(StatusCode::CREATED);
    for (urn, name, value) in expected {
        let holder = if urn == USER { &made } else { &made[ENTERPRISE] };
        assert_eq!(holder[&name], value, "{name}");
    }
    let password = schema(USER)["attributes"].as_array().unwrap().iter().find(|it| it["name"] == "password").cloned();
    let password = password.unwrap();
    assert_eq!((&password["mutability"], &password["returned"]), (&json!("writeOnly"), &json!("never")));
    let group = schema(GROUP);
    let name = group["attributes"].as_array().unwrap().iter().find(|it| it["name"] == "displayName").unwrap();
    assert_eq!(name["required"], true, "erratum 5368 of RFC 7643");
}

fn header(name: &str, value: &str) -> HeaderMap {
    HeaderMap::from_iter([(name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap())])
}

#[tokio::test]
async fn versions_guard_against_lost_updates() {
    let (_server, idp) = started().await;
    let path = format!("/Users/{}", idp.user("versioned", json!({})).await);
    let read = idp.get(&path).await;
    let old = read.header("etag").to_owned();
    assert_eq!(read.body["meta"]["version"], old);
    assert_eq!(read.body["meta"]["location"], format!("{}{path}", idp.base));
    let nothing = Value::Null;
    let known = idp.send_with(Method::GET, &path, &nothing, header("if-none-match", &old)).await;
    assert_eq!((known.status, known.text.as_str()), (StatusCode::NOT_MODIFIED, ""));

    let change = |title: &str| json!({"schemas": [USER], "userName": "versioned", "title": title});
    let current = idp.send_with(Method::PUT, &path, &change("one"), header("if-match", &old)).await;
    let new = current.header("etag").to_owned();
    assert_ne!(new, old);
    assert_eq!(current.expect(StatusCode::OK)["title"], "one");
    for (method, body) in [(Method::PUT, change("two")), (Method::DELETE, Value::Null)] {
        let stale = idp.send_with(method, &path, &body, header("if-match", &old)).await;
        stale.refused(StatusCode::PRECONDITION_FAILED, None);
    }
    let body =
        json!({"schemas": [chancery_tests::PATCH], "Operations": [{"op": "add", "path": "title", "value": "two"}]});
    let stale = idp.send_with(Method::PATCH, &path, &body, header("if-match", &old)).await;
    stale.refused(StatusCode::PRECONDITION_FAILED, None);
    let one_of = header("if-match", &format!("{old}, {new}"));
    let listed = idp.send_with(Method::PATCH, &path, &body, one_of).await;
    assert_eq!(listed.expect(StatusCode::OK)["title"], "two");
    let changed = idp.send_with(Method::GET, &path, &nothing, header("if-none-match", &old)).await;
    changed.expect(StatusCode::OK);
    let any = idp.send_with(Method::DELETE, &path, &nothing, header("if-match", "*")).await;
    any.expect(StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn attributes_are_chosen_on_every_answer_that_has_a_resource() {
    let (_server, idp) = started().await;
    let attributes = json!({
        "schemas": [USER, ENTERPRISE], "title": "T", "name": {"givenName": "G", "familyName": "F"},
        "emails": [{"value": "e@example.com", "type": "work"}], ENTERPRISE: {"department": "D", "division": "V"},
    });
    let path = format!("/Users/{}", idp.user("chosen", attributes).await);
    let id = path.trim_start_matches("/Users/").to_owned();
    let department = format!("{ENTERPRISE}:department");
    for (query, expected) in [
        ("attributes=title".to_owned(), json!({"title": "T"})),
        ("attributes=USERNAME,name.givenName".to_owned(), json!({"userName": "chosen", "name": {"givenName": "G"}})),
        ("attributes=emails.value".to_owned(), json!({"emails": [{"value": "e@example.com"}]})),
        (format!("attributes={department}"), json!({ENTERPRISE: {"department": "D"}})),
        ("attributes=nosuch".to_owned(), json!({})),
        ("attributes=password".to_owned(), json!({})),
        (
            format!("excludedAttributes=meta,name,emails,userName,active,id,schemas,{ENTERPRISE}:division"),
            json!({"title": "T", ENTERPRISE: {"department": "D"}}),
        ),
    ] {
        let mut alone = idp.get(&format!("{path}?{query}")).await.expect(StatusCode::OK);
        let members = alone.as_object_mut().unwrap();
        assert_eq!(members.remove("id"), Some(json!(id)), "{query}");
        assert!(members.remove("schemas").is_some(), "{query}");
        assert_eq!(alone, expected, "{query}");
    }
    let both = idp.get(&format!("{path}?attributes=title&excludedAttributes=name")).await;
    both.refused(StatusCode::BAD_REQUEST, Some("invalidValue"));

    let only_title = |body: &Value| {
        let mut names: Vec<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["id", "schemas", "title"], "{body}");
    };
    only_title(&idp.get("/Users?attributes=title").await.expect(StatusCode::OK)["Resources"][0]);
    let body = json!([{"op": "replace", "path": "title", "value": "U"}]);
    only_title(&idp.patch(&format!("{path}?attributes=title"), body).await.expect(StatusCode::OK));
    let put = json!({"schemas": [USER], "userName": "chosen", "title": "V"});
    only_title(&idp.put(&format!("{path}?attributes=title"), &put).await.expect(StatusCode::OK));
    let new = json!({"schemas": [USER], "userName": "chosen2", "title": "W"});
    only_title(&idp.post("/Users?attributes=title", &new).await.expect(StatusCode::CREATED));
}

#[tokio::test]
async fn lists_are_sorted_by_any_attribute() {
    let (_server, idp) = started().await;
    for (name, family, title, email, external) in
        [("b", "Zeta", Some("x"), "3@e", "a"), ("A", "alpha", None, "1@e", "B"), ("c", "Beta", Some("Y"), "2@e", "c")]
    {
        let emails = json!([{"value": "0@e"}, {"value": email, "primary": true}]);
        let attributes =
            json!({"name": {"familyName": family}, "title": title, "externalId": external, "emails": emails});
        idp.user(name, attributes).await;
    }
    for (query, expected) in [
        ("sortBy=userName", ["A", "b", "c"]),
        ("sortBy=userName&sortOrder=descending", ["c", "b", "A"]),
        ("sortBy=name.familyName", ["A", "c", "b"]),
        // Exact: capitals come first.
        ("sortBy=externalId", ["A", "b", "c"]),
        // Without a value: last ascending, first descending.
        ("sortBy=title", ["b", "c", "A"]),
        ("sortBy=title&sortOrder=descending", ["A", "c", "b"]),
        // Of several the primary one.
        ("sortBy=emails.value", ["A", "c", "b"]),
        ("sortBy=emails", ["A", "c", "b"]),
        ("sortBy=meta.created", ["b", "A", "c"]),
        ("sortBy=urn:ietf:params:scim:schemas:core:2.0:User:userName", ["A", "b", "c"]),
    ] {
        let list = idp.get(&format!("/Users?{query}")).await.expect(StatusCode::OK);
        assert_eq!(texts(list["Resources"].as_array().unwrap(), "userName"), expected, "{query}");
    }
    idp.get("/Users?sortBy=userName&sortOrder=upwards").await.refused(StatusCode::BAD_REQUEST, Some("invalidValue"));
}

#[tokio::test]
async fn searches_are_posted_and_cross_the_types() {
    let (_server, idp) = started().await;
    let user = idp.user("searched", json!({"displayName": "Found"})).await;
    idp.user("other", json!({"displayName": "Lost"})).await;
    let group = idp.group("Found", &[]).await;
    let search = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
        "filter": "displayName eq \"found\"", "attributes": ["displayName", "meta.resourceType"], "startIndex": 1, "count": 10,
    });
    for (path, mut expected) in [
        ("/Users/.search", vec![user.clone()]),
        ("/Groups/.search", vec![group.clone()]),
        ("/.search", vec![user, group]),
    ] {
        let found = idp.post(path, &search).await.expect(StatusCode::OK);
        let mut ids = texts(found["Resources"].as_array().unwrap(), "id");
        ids.sort();
        expected.sort();
        assert_eq!((ids, &found["totalResults"]), (expected.clone(), &json!(expected.len())), "{path}");
        assert!(found["Resources"][0]["meta"]["resourceType"].is_string(), "{found}");
        assert!(found["Resources"][0].get("userName").is_none(), "{found}");
    }
    // A type without the attribute has no match.
    let root = idp.get("/?filter=userName%20eq%20%22searched%22").await.expect(StatusCode::OK);
    assert_eq!((&root["totalResults"], &root["Resources"][0]["meta"]["resourceType"]), (&json!(1), &json!("User")));
}

#[tokio::test]
async fn me_is_the_user_of_the_token() {
    let (server, idp) = started().await;
    let id = idp.user("myself", json!({})).await;
    let owner = json!({"kind": "user", "id": id});
    let made = server.post("/api/v1/tokens", &json!({"name": "mine", "scopes": ["read"], "owner": owner})).await;
    let person = Provider::with_token(&server, idp.connection.clone(), &made.expect(StatusCode::CREATED));
    let me = person.get("/Me").await;
    let permanent = format!("{}/Users/{id}", idp.base);
    assert_eq!(me.header("location"), permanent);
    let me = me.expect(StatusCode::OK);
    assert_eq!((&me["userName"], &me["meta"]["location"]), (&json!("myself"), &json!(permanent)));
    person.get("/Users").await.refused(StatusCode::FORBIDDEN, None);
    // A connection is nobody.
    let nobody = idp.get("/Me").await;
    let status = nobody.status;
    assert!([404, 501].contains(&status.as_u16()), "{status}");
    nobody.refused(status, None);
}
