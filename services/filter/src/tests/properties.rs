//! Any text is a filter or a mistake inside it, and any filter is read as it is written.

use std::ops::Bound;

use chancery_domain::Timestamp;
use proptest::prelude::*;
use serde_json::json;

use super::{context, event};
use crate::{
    Case, Expr, Field, FieldKind, Filter, Interval, Part, Path, PathRoot, Pattern, Predicate, Range, Side, network,
};

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9._/-]{1,8}",
        "\\PC{1,6}",
        "[ \"\\\\*?:()\\[\\],<>.\n\u{7f}-]{1,4}",
        prop::sample::select(vec![
            "AND",
            "me",
            "true",
            "ssh",
            "start",
            "null",
            "now",
            "1..2",
            "10.0.0.0/8",
            "user.craeted"
        ])
        .prop_map(str::to_owned),
    ]
}

fn pattern() -> impl Strategy<Value = Pattern> {
    let part =
        prop_oneof![3 => text().prop_map(Part::Literal), 1 => Just(Part::AnyCharacter), 1 => Just(Part::AnySequence)];
    prop::collection::vec(part, 1..4).prop_map(Pattern::new)
}

/// A question about a text, in the form the parser gives it.
fn text_predicate(case: Case) -> impl Strategy<Value = Predicate> {
    pattern().prop_map(move |pattern| {
        let pattern = if case == Case::Insensitive { pattern.to_lowercase() } else { pattern };
        match pattern.as_literal() {
            _ if pattern.parts() == [Part::AnySequence] => Predicate::Exists,
            Some(text) => Predicate::Equals(text.to_owned()),
            None => Predicate::Wildcard(pattern),
        }
    })
}

fn range(limit: i64) -> impl Strategy<Value = (Option<i64>, Option<i64>)> {
    (0..limit, 1..1000_i64, 0..3).prop_map(|(from, length, shape)| match shape {
        0 => (Some(from), None),
        1 => (None, Some(from)),
        _ => (Some(from), Some(from + length)),
    })
}

fn during() -> impl Strategy<Value = Predicate> {
    let time = |micros: i64| Timestamp::from_micros(micros).unwrap();
    range(Timestamp::MAX.as_micros() - 1000)
        .prop_map(move |(from, until)| Predicate::During(Range { from: from.map(time), until: until.map(time) }))
}

fn networks() -> impl Strategy<Value = Predicate> {
    (any::<std::net::IpAddr>(), 0..=32_u8)
        .prop_map(|(address, length)| Predicate::Network(network::parse(&format!("{address}/{length}")).unwrap()))
}

fn number() -> impl Strategy<Value = Predicate> {
    let end = prop_oneof![(-50..50_i32).prop_map(f64::from), -1e9..1e9_f64];
    (end, 0.5..1e6_f64, 0..6).prop_map(|(low, length, shape)| {
        let (lower, upper) = match shape {
            0 => (Bound::Unbounded, Bound::Included(low)),
            1 => (Bound::Excluded(low), Bound::Unbounded),
            2 => (Bound::Included(low), Bound::Included(low)),
            3 => (Bound::Included(low), Bound::Excluded(low + length)),
            4 => (Bound::Excluded(low), Bound::Included(low + length)),
            _ => (Bound::Excluded(low), Bound::Excluded(low + length)),
        };
        Predicate::Number(Interval { lower, upper })
    })
}

fn listed(one: BoxedStrategy<Predicate>) -> BoxedStrategy<Predicate> {
    let list = prop::collection::vec(one.clone(), 2..4).prop_map(Predicate::AnyOf);
    prop_oneof![4 => one, 1 => list].boxed()
}

fn field() -> impl Strategy<Value = Expr> {
    prop::sample::select(Field::ALL.to_vec()).prop_flat_map(|field| {
        let one = match field.kind() {
            FieldKind::Text(_) if field == Field::Event => pattern()
                .prop_map(|pattern| pattern.to_lowercase().contained())
                .prop_map(|pattern| match pattern.parts() {
                    [Part::AnySequence] => Predicate::Exists,
                    _ => Predicate::Wildcard(pattern),
                })
                .boxed(),
            FieldKind::Text(case) | FieldKind::TextList(case) => text_predicate(case).boxed(),
            FieldKind::Enumeration(values) => {
                prop::sample::select(values.to_vec()).prop_map(|v| Predicate::Equals(v.to_owned())).boxed()
            }
            FieldKind::Integer => {
                range(1 << 40).prop_map(|(from, until)| Predicate::Integer(Range { from, until })).boxed()
            }
            FieldKind::Time => during().boxed(),
            FieldKind::Ip => networks().boxed(),
        };
        listed(one).prop_map(move |predicate| Expr::field(field, predicate))
    })
}

fn path() -> impl Strategy<Value = Expr> {
    let roots = vec![
        PathRoot::Data,
        PathRoot::Extensions,
        PathRoot::Changes(Side::Either),
        PathRoot::Changes(Side::Old),
        PathRoot::Changes(Side::New),
    ];
    let segment = prop_oneof![text(), Just("old".to_owned()), Just("new".to_owned())];
    let place = (prop::sample::select(roots), prop::collection::vec(segment, 1..3));
    let one =
        prop_oneof![3 => text_predicate(Case::Insensitive), 1 => number(), 1 => during(), 1 => networks()].boxed();
    (place, listed(one))
        .prop_map(|((root, segments), predicate)| Expr::Path { path: Path { root, segments }, predicate })
}

fn expr() -> impl Strategy<Value = Expr> {
    let leaf = prop_oneof![
        Just(Expr::All),
        Just(Expr::OngoingSession),
        pattern().prop_map(|pattern| Expr::text(&pattern)),
        field(),
        path(),
    ];
    leaf.prop_recursive(5, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expr::and),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expr::or),
            inner.prop_map(Expr::negated),
        ]
    })
}

/// Texts that are almost filters.
fn soup() -> impl Strategy<Value = String> {
    let token = prop::sample::select(vec![
        "type:",
        "time:",
        "ip:",
        "data.x:",
        "changes.a.new",
        "position:",
        "outcome:",
        "action:",
        "resource_type:",
        "status:",
        "user.created",
        "ssh",
        "start",
        "-7d",
        "2026-01-31T09:00",
        "[Europe/Berlin]",
        "10.0.0.0/8",
        "..",
        "..<",
        "<",
        ">=",
        "(",
        ")",
        "[",
        "]",
        ",",
        " ",
        " ",
        "\"",
        "\\",
        "*",
        "?",
        "AND",
        " OR ",
        "NOT ",
        "-",
        "!",
        ":",
        "é",
        "me",
        "1",
        "2.5e3",
        "\u{0}",
    ]);
    prop::collection::vec(token, 0..14).prop_map(|tokens| tokens.concat())
}

fn check(text: &str) -> Result<(), TestCaseError> {
    match Filter::parse(text, &context()) {
        Ok(filter) => {
            filter.matches(&event(), 1);
            let canonical = filter.to_string();
            let again = Filter::parse(&canonical, &context());
            prop_assert_eq!(Ok(&filter), again.as_ref(), "{}", canonical);
        }
        Err(error) => {
            prop_assert!(text.is_char_boundary(error.position) && error.position <= text.len());
            prop_assert!(error.character + error.length <= text.chars().count());
            error.render(text);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_text_is_a_filter_or_a_mistake_inside_it(text in prop_oneof!["\\PC{0,40}", ".{0,20}", soup()]) {
        check(&text)?;
    }

    #[test]
    fn what_is_written_is_read_again(root in expr()) {
        let filter = Filter { root };
        let canonical = filter.to_string();
        let again = Filter::parse(&canonical, &context());
        prop_assert_eq!(Ok(&filter), again.as_ref(), "{}", canonical);
    }

    #[test]
    fn negation_is_the_opposite_and_stored_json_gives_the_same_answer(root in expr()) {
        let event = event();
        let answer = Filter { root: root.clone() }.matches(&event, 1);
        prop_assert_eq!(Filter { root: root.clone().negated() }.matches(&event, 1), !answer);
        if let Expr::Path { path, predicate } = root {
            let stored = match path.root {
                PathRoot::Data => event.data,
                PathRoot::Extensions => json!(event.extensions),
                PathRoot::Changes(_) => json!(event.changes),
            };
            prop_assert_eq!(path.matches(&predicate, &stored), answer);
        }
    }

    #[test]
    fn patterns_agree_with_a_regular_expression(pattern in "[ab*?]{0,8}", text in "[ab]{0,8}") {
        let parts = pattern.chars().map(|c| match c {
            '*' => Part::AnySequence,
            '?' => Part::AnyCharacter,
            c => Part::Literal(c.to_string()),
        });
        prop_assert_eq!(Pattern::new(parts).matches(&text), slow(pattern.as_bytes(), text.as_bytes()));
    }
}

/// The definition of a pattern, without regard to time.
fn slow(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, _) => text.is_empty(),
        (Some((b'*', rest)), first) => slow(rest, text) || first.is_some_and(|(_, after)| slow(pattern, after)),
        (Some((b'?', rest)), Some((_, after))) => slow(rest, after),
        (Some((byte, rest)), Some((found, after))) => byte == found && slow(rest, after),
        (Some(_), None) => false,
    }
}
