//! A reader of some organizations gets the answers of a lake that holds nothing but their events.

use datafusion::physical_plan::displayable;

use super::*;
use crate::table::Order;

const ORGANIZATIONS: [Option<&str>; 4] = [Some("acme"), Some("globex"), Some("Acme"), None];

fn organizations(names: &[&str]) -> Visibility {
    Visibility::Organizations(names.iter().map(|&name| name.to_owned()).collect())
}

fn is_acme(event: &Event) -> bool {
    event.organization.as_deref() == Some("acme")
}

/// An event that says a number where it is acme's, and a secret elsewhere.
fn telling(n: u64) -> Event {
    let mut event = event(n);
    event.organization = ORGANIZATIONS[n as usize / 3 % 4].map(str::to_owned);
    let (who, reason) = if is_acme(&event) { ("ada", n.to_string()) } else { ("secret", format!("secret {n}")) };
    event.actor.name = Some(who.to_owned());
    event.reason = Some(reason);
    event
}

async fn record(fixture: &Fixture, events: &[Event]) {
    if !events.is_empty() {
        fixture.log.append(events.iter().map(|event| Sealed::new(event).unwrap()).collect()).await.unwrap();
    }
}

/// A lake of these events, the first of them in files, the others in the tail.
async fn lake_of(events: &[Event], archived: usize) -> Fixture {
    let fixture = fixture().await;
    let (old, new) = events.split_at(archived);
    if !old.is_empty() {
        record(&fixture, old).await;
        fixture.archive().await;
    }
    record(&fixture, new).await;
    fixture
}

/// Questions that reach for what is hidden.
const CURIOUS: [&str; 21] = [
    "SELECT count(*) AS n FROM events",
    "SELECT count(*) AS n, count(organization) AS o, count(DISTINCT reason) AS r FROM events",
    "SELECT min(occurred_at) AS a, max(occurred_at) AS b, min(reason) AS c, max(actor_name) AS d FROM events",
    "SELECT id, organization, reason FROM events ORDER BY id",
    "SELECT id FROM events UNION SELECT id FROM events ORDER BY id",
    "SELECT count(*) AS n FROM (SELECT id FROM events UNION ALL SELECT id FROM events) AS twice",
    "SELECT id FROM events EXCEPT SELECT id FROM events WHERE organization = 'acme'",
    "SELECT count(*) AS n FROM events a, events b",
    "SELECT count(*) AS n FROM events a LEFT JOIN events b ON a.actor_name <> b.actor_name",
    "SELECT count(*) AS n FROM events a FULL JOIN events b ON a.id = b.id",
    "WITH e AS (SELECT * FROM events) SELECT count(*) AS n FROM e",
    "SELECT (SELECT max(reason) FROM events) AS most",
    "SELECT id FROM events e WHERE EXISTS (SELECT 1 FROM events o WHERE o.organization <> e.organization)",
    "SELECT id FROM events WHERE reason IN (SELECT reason FROM events WHERE actor_name = 'secret')",
    "SELECT id FROM events WHERE organization = 'globex' OR organization IS NULL",
    "SELECT id FROM events WHERE organization <> 'acme' OR true ORDER BY id",
    "SELECT lower(organization) AS o, count(*) AS n FROM events GROUP BY lower(organization)",
    "SELECT id, row_number() OVER (ORDER BY id) AS place, count(*) OVER () AS n FROM events ORDER BY id",
    "SELECT id FROM events ORDER BY occurred_at DESC, id LIMIT 3",
    "SELECT count(*) AS n FROM events WHERE json_text(event, 'reason') LIKE 'secret%'",
    "SELECT count(*) AS n FROM events WHERE organization = 'acme' AND CAST(reason AS BIGINT) >= 0",
];

/// Questions that fail on what is hidden, and so would say that and what it is.
const FRAGILE: [&str; 7] = [
    "SELECT count(*) AS n FROM events WHERE CAST(reason AS BIGINT) >= 0",
    "SELECT sum(CAST(reason AS BIGINT)) AS n FROM events",
    "SELECT id FROM events ORDER BY CAST(reason AS BIGINT) DESC LIMIT 3",
    "SELECT max(CAST(reason AS BIGINT)) AS n FROM events GROUP BY actor_name",
    "SELECT count(*) AS n FROM events a JOIN events b ON CAST(a.reason AS BIGINT) = CAST(b.reason AS BIGINT)",
    "SELECT count(*) AS n FROM events WHERE 10 / (CASE WHEN actor_name = 'secret' THEN 0 ELSE 1 END) > 0",
    "WITH e AS (SELECT CAST(reason AS BIGINT) AS r FROM events) SELECT count(*) AS n FROM e WHERE r > 5",
];

#[tokio::test(flavor = "multi_thread")]
async fn no_sql_tells_that_there_is_more() {
    let events: Vec<Event> = (0..96).map(telling).collect();
    let visible: Vec<Event> = events.iter().filter(|event| is_acme(event)).cloned().collect();
    let acme = organizations(&["acme"]);
    for archived in [0, 1, 2] {
        let all = lake_of(&events, events.len() * archived / 2).await;
        let only = lake_of(&visible, visible.len() * archived / 2).await;
        for question in CURIOUS.iter().chain(&FRAGILE) {
            let answer = ask(&all.lake, &acme, question).await;
            let answer = answer.unwrap_or_else(|error| panic!("{question}: {error}"));
            let expected = ask(&only.lake, &Visibility::All, question).await;
            assert_eq!(answer, expected.unwrap_or_else(|error| panic!("{question}: {error}")), "{question}");
            assert!(!format!("{answer:?}").contains("secret"), "{question}: {answer:?}");
            assert!(ask(&all.lake, &organizations(&[]), question).await.is_ok(), "{question}");
        }
        for question in FRAGILE {
            assert!(ask(&all.lake, &Visibility::All, question).await.is_err(), "{question}");
        }
        let error = ask(&all.lake, &acme, "SELECT CAST(actor_name AS BIGINT) AS n FROM events").await.unwrap_err();
        assert!(error.to_string().contains("ada") && !error.to_string().contains("secret"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn plans_and_catalogues_are_not_shown() {
    let events: Vec<Event> = (0..24).map(telling).collect();
    let fixture = lake_of(&events, 12).await;
    for refused in [
        "EXPLAIN SELECT count(*) FROM events",
        "EXPLAIN VERBOSE SELECT * FROM events",
        "EXPLAIN ANALYZE SELECT * FROM events",
        "SHOW TABLES",
        "SHOW ALL",
        "DESCRIBE events",
        "SELECT * FROM information_schema.tables",
        "SELECT * FROM information_schema.df_settings",
        "SELECT * FROM datafusion.information_schema.columns",
        "SELECT * FROM datafusion.public.other",
    ] {
        let error = ask(&fixture.lake, &organizations(&["acme"]), refused).await.unwrap_err();
        assert!(matches!(error, LakeError::Invalid(_)), "{refused}: {error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_that_can_fail_stay_above_the_choice_of_rows_and_the_others_reach_the_files() {
    let events: Vec<Event> = (0..24).map(telling).collect();
    let fixture = lake_of(&events, 12).await;
    let snapshot = fixture.lake.inner.snapshot().await.unwrap();
    let engine = &fixture.lake.inner.engine;
    let session = engine.session();
    let table = engine.table(&organizations(&["acme"]), snapshot.rows(), Order::NewestFirst);
    session.register_table("events", table).unwrap();
    let question = "SELECT id FROM events WHERE position < 1000 AND CAST(reason AS BIGINT) > 5
                    ORDER BY occurred_at DESC LIMIT 3";
    let plan = session.sql(question).await.unwrap().create_physical_plan().await.unwrap();
    let plan = displayable(plan.as_ref()).indent(false).to_string();
    let (above, below) = plan.split_once("VisibleExec").unwrap();
    assert!(above.contains("CAST(reason") && !below.contains("CAST(reason"), "{plan}");
    let (_, predicate) = below.split_once("predicate=").unwrap();
    let predicate = predicate.lines().next().unwrap();
    for condition in ["organization@", "position@", "DynamicFilter"] {
        assert!(predicate.contains(condition), "{condition}: {plan}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_found_by_its_id_where_it_is_visible() {
    let mut events: Vec<Event> = (0..24).map(telling).collect();
    for (source, organization) in [("/b", None), ("/c", Some("globex")), ("/d", Some("acme"))] {
        let mut event = telling(100);
        event.source = source.to_owned();
        event.organization = organization.map(str::to_owned);
        events.push(event);
    }
    let fixture = lake_of(&events, 12).await;
    for names in [&["acme"][..], &["globex", "acme"], &["Acme", "other"], &[]] {
        let visibility = organizations(names);
        for event in events.iter().take(24) {
            let hit = fixture.lake.event(&visibility, &event.id).await.unwrap();
            assert_eq!(hit.is_some(), visibility.includes(event.organization.as_deref()), "{names:?}: {event:?}");
        }
    }
    let shared =
        async |visibility: Visibility| fixture.lake.event(&visibility, "100").await.unwrap().map(|hit| hit.position);
    assert_eq!(shared(Visibility::All).await, Some(25));
    assert_eq!(shared(organizations(&["globex"])).await, Some(26));
    assert_eq!(shared(organizations(&["acme"])).await, Some(27));
    assert_eq!(shared(organizations(&["Acme"])).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_ongoing_for_those_who_do_not_see_its_end() {
    let session = |event_type: &str, organization: Option<&str>| {
        let resource = Resource::new("session", "s-1");
        let mut event = Event::new(event_type, event_type, "/test", at(NOW), Actor::default(), resource);
        event.organization = organization.map(str::to_owned);
        event.data = json!({"kind": "ssh"});
        event
    };
    let events = [session("session.opened", Some("acme")), session("session.closed", None)];
    let fixture = lake_of(&events, 1).await;
    assert!(fixture.walk("status:ongoing", false, 10).await.is_empty());
    assert_eq!(fixture.walk_as(&organizations(&["acme"]), "status:ongoing", false, 10).await, [1]);
    assert!(fixture.walk_as(&organizations(&["globex"]), "status:ongoing", false, 10).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_does_not_widen_what_is_visible() {
    let events: Vec<Event> = (0..48).map(telling).collect();
    let fixture = lake_of(&events, 24).await;
    let request = SearchRequest { limit: 5, ..SearchRequest::default() };
    let page = fixture.lake.search(&Visibility::All, request.clone()).await.unwrap();
    let request = SearchRequest { after: page.next, limit: 100, total: true, ..request };
    let rest = fixture.lake.search(&organizations(&["acme"]), request).await.unwrap();
    assert_eq!(rest.total, Some(events.iter().filter(|event| is_acme(event)).count() as u64));
    assert!(!rest.hits.is_empty());
    assert!(rest.hits.iter().all(|hit| is_acme(&serde_json::from_str(&hit.event).unwrap())));
}

/// Every kind of question finds of a filter's events those of the visible organizations.
async fn check(fixture: &Fixture, events: &[Event], visibility: &Visibility, query: &str) {
    let is_visible = |position: &u64| visibility.includes(events[*position as usize - 1].organization.as_deref());
    let everything = fixture.walk(query, false, 1000).await;
    let visible: Vec<u64> = everything.into_iter().filter(is_visible).collect();
    assert_eq!(fixture.walk_as(visibility, query, false, 7).await, visible, "{query}");

    let filter = || Some(parse(query));
    let request = SearchRequest { filter: filter(), limit: 1, total: true, ..SearchRequest::default() };
    let page = fixture.lake.search(visibility, request).await.unwrap();
    assert_eq!(page.total, Some(visible.len() as u64), "{query}");

    let request = AggregateRequest { filter: filter(), limit: 1, ..AggregateRequest::default() };
    let counted = fixture.lake.aggregate(visibility, request).await.unwrap();
    assert_eq!(counted.rows, [[json!(visible.len())]], "{query}");

    for ascending in [false, true] {
        let request = ExportRequest { filter: filter(), fields: Some(vec!["position".into()]), ascending };
        let mut exported = exported(&fixture.lake, visibility, request).await;
        if ascending {
            exported.reverse();
        }
        assert_eq!(exported, visible, "{query}");
    }
}

fn filters() -> impl Strategy<Value = String> {
    let one = prop::sample::select(QUERIES.into_iter().skip(1).collect::<Vec<_>>()).prop_map(str::to_owned);
    one.prop_recursive(2, 6, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) AND ({b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) OR ({b})")),
            inner.prop_map(|term| format!("NOT ({term})")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn a_reader_finds_of_what_all_find_the_events_of_its_organizations(
        drawn in prop::collection::btree_map(0..1000_u64, 0..ORGANIZATIONS.len(), 1..40),
        archived in 0..40_usize,
        names in prop::collection::btree_set(prop::sample::select(vec!["acme", "Acme", "globex", "other"]), 0..3),
        queries in prop::collection::vec(filters(), 1..4),
    ) {
        let of = |(n, organization): (u64, usize)| {
            let organization = ORGANIZATIONS[organization].map(str::to_owned);
            Event { organization, ..event(n) }
        };
        let events: Vec<Event> = drawn.into_iter().map(of).collect();
        let visibility = organizations(&names.into_iter().collect::<Vec<_>>());
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let fixture = lake_of(&events, archived.min(events.len())).await;
            for query in queries.iter().map(String::as_str).chain([""]) {
                check(&fixture, &events, &visibility, query).await;
            }
        });
    }
}
