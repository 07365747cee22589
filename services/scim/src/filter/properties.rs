//! What holds for all filters: printing and reading are inverse, evaluation agrees with a naive evaluator, and no
//! text makes anything panic.

use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{Filter, Operator, Syntax};
use crate::Profile;
use crate::schema::{ENTERPRISE_SCHEMA, Registry};

static REGISTRY: LazyLock<Registry> = LazyLock::new(|| Registry::standard().unwrap());

fn operator() -> impl Strategy<Value = Operator> {
    prop::sample::select(Operator::ALL.to_vec())
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<String>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        proptest::num::f64::NORMAL.prop_map(|number| json!(number)),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
    ]
}

fn any_path() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z][a-zA-Z0-9_-]{0,8}(\\.\\$?[a-zA-Z][a-zA-Z0-9]{0,8})?",
        "urn:[a-z]{1,8}:[0-9]\\.[0-9]:[A-Z][a-z]{0,5}(:[a-z]{1,5}(\\.[a-z]{1,5})?)?",
    ]
}

/// Filters built of leaves and, outside brackets, of elements.
fn tree(leaf: BoxedStrategy<Filter>) -> BoxedStrategy<Filter> {
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(Filter::all),
            prop::collection::vec(inner.clone(), 1..4).prop_map(Filter::any),
            inner.prop_map(|filter| Filter::Not(Box::new(filter))),
        ]
    })
    .boxed()
}

fn any_filter() -> BoxedStrategy<Filter> {
    let comparison = (any_path(), operator(), any_value()).prop_map(|(path, operator, value)| Filter::Compare {
        path,
        operator,
        value,
    });
    let leaf = prop_oneof![comparison, any_path().prop_map(|path| Filter::Present { path })].boxed();
    let element =
        (any_path(), tree(leaf.clone())).prop_map(|(path, filter)| Filter::Element { path, filter: Box::new(filter) });
    tree(prop_oneof![3 => leaf, 1 => element].boxed())
}

const TEXTS: [&str; 6] = ["a", "A", "ab", "b", "Ä", "ä"];
const DATES: [&str; 3] = ["2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00", "2026-01-02T00:00:00Z"];

/// The attributes the naive evaluator knows: path, steps, kind, whether case matters.
const KNOWN: [(&str, &[&str], Kind, bool); 9] = [
    ("userName", &["userName"], Kind::Text, false),
    ("externalId", &["externalId"], Kind::Text, true),
    ("active", &["active"], Kind::Boolean, false),
    ("name.familyName", &["name", "familyName"], Kind::Text, false),
    ("emails", &["emails", "value"], Kind::Text, false),
    ("emails.type", &["emails", "type"], Kind::Text, false),
    ("emails.primary", &["emails", "primary"], Kind::Boolean, false),
    ("meta.created", &["meta", "created"], Kind::Date, false),
    ("manager.value", &[ENTERPRISE_SCHEMA, "manager", "value"], Kind::Text, true),
];

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Text,
    Boolean,
    Date,
}

fn text() -> impl Strategy<Value = Value> {
    prop::sample::select(TEXTS.to_vec()).prop_map(Value::from)
}

fn value_of(kind: Kind) -> BoxedStrategy<Value> {
    match kind {
        Kind::Text => text().boxed(),
        Kind::Boolean => any::<bool>().prop_map(Value::from).boxed(),
        Kind::Date => prop::sample::select(DATES.to_vec()).prop_map(Value::from).boxed(),
    }
}

fn known_leaf(known: Vec<(&'static str, Kind)>) -> BoxedStrategy<Filter> {
    let leaf = prop::sample::select(known).prop_flat_map(|(path, kind)| {
        let operators: Vec<Operator> = Operator::ALL
            .into_iter()
            .filter(|operator| match kind {
                Kind::Text => true,
                Kind::Boolean => matches!(operator, Operator::Eq | Operator::Ne),
                Kind::Date => !operator.is_part(),
            })
            .collect();
        let compare = (prop::sample::select(operators), value_of(kind))
            .prop_map(move |(operator, value)| Filter::Compare { path: path.to_owned(), operator, value });
        let null = any::<bool>().prop_map(move |equal| {
            let operator = if equal { Operator::Eq } else { Operator::Ne };
            Filter::Compare { path: path.to_owned(), operator, value: Value::Null }
        });
        prop_oneof![6 => compare, 1 => null, 1 => Just(Filter::Present { path: path.to_owned() })]
    });
    leaf.boxed()
}

fn known_filter() -> BoxedStrategy<Filter> {
    let leaf = known_leaf(KNOWN.map(|(path, _, kind, _)| (path, kind)).to_vec());
    let parts = vec![("value", Kind::Text), ("type", Kind::Text), ("primary", Kind::Boolean)];
    let element = tree(known_leaf(parts))
        .prop_map(|filter| Filter::Element { path: "emails".to_owned(), filter: Box::new(filter) });
    tree(prop_oneof![3 => leaf, 1 => element].boxed())
}

fn object(members: Vec<(&'static str, BoxedStrategy<Value>)>) -> BoxedStrategy<Value> {
    let members: Vec<_> =
        members.into_iter().map(|(name, value)| prop::option::of(value).prop_map(move |value| (name, value))).collect();
    members
        .prop_map(|members| {
            let there = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
            Value::Object(there.collect::<Map<_, _>>())
        })
        .boxed()
}

fn document() -> BoxedStrategy<Value> {
    let boolean = || any::<bool>().prop_map(Value::from).boxed();
    let email = object(vec![("value", text().boxed()), ("type", text().boxed()), ("primary", boolean())]);
    let emails = prop::collection::vec(email, 0..3).prop_map(Value::Array).boxed();
    object(vec![
        ("userName", text().boxed()),
        ("externalId", text().boxed()),
        ("active", boolean()),
        ("name", object(vec![("familyName", text().boxed())])),
        ("emails", emails),
        ("meta", object(vec![("created", value_of(Kind::Date))])),
        (ENTERPRISE_SCHEMA, object(vec![("manager", object(vec![("value", text().boxed())]))])),
    ])
}

/// Where an attribute stands, its kind, and whether case matters.
type Known = (Vec<&'static str>, Kind, bool);

/// All the values at the end of the steps, each absence as none.
fn leaves(value: Option<&Value>, steps: &[&str]) -> Vec<Option<Value>> {
    match (value, steps) {
        (None | Some(Value::Null), _) => vec![None],
        (Some(Value::Array(items)), _) if items.is_empty() => vec![None],
        (Some(Value::Array(items)), _) => items.iter().flat_map(|item| leaves(Some(item), steps)).collect(),
        (Some(value), []) => vec![Some(value.clone())],
        (Some(value), [step, rest @ ..]) => leaves(value.get(step), rest),
    }
}

fn naive(filter: &Filter, subject: &Value, known: &dyn Fn(&str) -> Known) -> bool {
    match filter {
        Filter::And(filters) => filters.iter().all(|filter| naive(filter, subject, known)),
        Filter::Or(filters) => filters.iter().any(|filter| naive(filter, subject, known)),
        Filter::Not(filter) => !naive(filter, subject, known),
        Filter::Present { path } if path == "emails" => {
            leaves(Some(subject), &["emails"]).iter().flatten().any(|email| *email != json!({}))
        }
        Filter::Present { path } => leaves(Some(subject), &known(path).0).iter().any(Option::is_some),
        Filter::Compare { path, operator, value } => {
            let (steps, kind, exact) = known(path);
            leaves(Some(subject), &steps).iter().any(|leaf| compares(leaf.as_ref(), *operator, value, kind, exact))
        }
        Filter::Element { filter, .. } => {
            let parts = |path: &str| match path {
                "value" => (vec!["value"], Kind::Text, false),
                "type" => (vec!["type"], Kind::Text, false),
                _ => (vec!["primary"], Kind::Boolean, false),
            };
            let emails = subject.get("emails").and_then(Value::as_array);
            emails.is_some_and(|emails| emails.iter().any(|email| naive(filter, email, &parts)))
        }
    }
}

fn compares(leaf: Option<&Value>, operator: Operator, value: &Value, kind: Kind, exact: bool) -> bool {
    let Some(leaf) = leaf else { return (operator == Operator::Ne) != value.is_null() };
    let (left, right) = match kind {
        _ if value.is_null() => return operator == Operator::Ne,
        Kind::Boolean => return (leaf == value) == (operator == Operator::Eq),
        Kind::Date => {
            let nanoseconds = |date: &Value| date.as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_second();
            (format!("{:020}", nanoseconds(leaf)), format!("{:020}", nanoseconds(value)))
        }
        Kind::Text => {
            let fold = |text: &Value| {
                let text = text.as_str().unwrap();
                if exact { text.to_owned() } else { text.to_lowercase() }
            };
            (fold(leaf), fold(value))
        }
    };
    match operator {
        Operator::Eq => left == right,
        Operator::Ne => left != right,
        Operator::Co => left.contains(&right),
        Operator::Sw => left.starts_with(&right),
        Operator::Ew => left.ends_with(&right),
        Operator::Gt => left > right,
        Operator::Ge => left >= right,
        Operator::Lt => left < right,
        Operator::Le => left <= right,
    }
}

fn known_path(path: &str) -> Known {
    let (_, steps, kind, exact) = KNOWN.into_iter().find(|(known, ..)| *known == path).unwrap();
    (steps.to_vec(), kind, exact)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn what_is_printed_is_read_as_the_same(filter in any_filter()) {
        let text = filter.to_string();
        for syntax in [Syntax::STRICT, Syntax::LENIENT] {
            prop_assert_eq!(&Filter::parse(&text, syntax).unwrap(), &filter, "{}", text);
        }
    }

    #[test]
    fn evaluation_agrees_with_a_naive_evaluator(filter in known_filter(), document in document()) {
        let registry = &*REGISTRY;
        let query = filter.compile(registry.resource_type("User").unwrap(), &Profile::default()).unwrap();
        let expected = naive(&filter, &document, &known_path);
        prop_assert_eq!(query.matches(document.as_object().unwrap()), expected, "{} on {}", filter, document);
    }

    #[test]
    fn required_equalities_hold_in_every_match(filter in known_filter(), document in document()) {
        let registry = &*REGISTRY;
        let query = filter.compile(registry.resource_type("User").unwrap(), &Profile::default()).unwrap();
        if query.matches(document.as_object().unwrap()) {
            for equality in query.required_equalities() {
                let text = format!("{} eq {}", equality.path, equality.value);
                let single = Filter::parse(&text, Syntax::STRICT).unwrap();
                let single = single.compile(registry.resource_type("User").unwrap(), &Profile::default()).unwrap();
                prop_assert!(single.matches(document.as_object().unwrap()), "{}: {}", filter, text);
            }
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in prop_oneof![
        any::<String>(),
        prop::collection::vec(prop::sample::select(vec![
            "userName", "emails", "[", "]", "(", ")", " ", ".", "eq", "pr", "not", "and", "or", "\"", "\\", "'", "true",
            "1", "-", ":", "urn:x:1.0:y", "$ref", "é", "\u{1F600}", "null", "ne", "type", "value", "\u{0}",
        ]), 0..24).prop_map(|words| words.concat()),
    ]) {
        let registry = &*REGISTRY;
        for syntax in [Syntax::STRICT, Syntax::LENIENT] {
            if let Ok(filter) = Filter::parse(&text, syntax) {
                prop_assert_eq!(&Filter::parse(&filter.to_string(), syntax).unwrap(), &filter);
                if let Ok(query) = filter.compile(registry.resource_type("User").unwrap(), &Profile::default()) {
                    query.matches(&Map::new());
                    query.required_equalities();
                    query.mentions("emails");
                }
            }
            let _ = super::value_path(&text, syntax);
        }
    }
}
