//! The strict parser against that of the crate `scim_v2`: of texts made of the words of the grammar, both take the
//! same, and both print what they took in the same way.

use chancery_scim::{Filter, Syntax};
use proptest::prelude::*;

/// Filters in the spelling both parsers agree on: one space between words, operators in lower case.
fn filter() -> BoxedStrategy<String> {
    let path = prop::sample::select(vec![
        "userName",
        "name.familyName",
        "emails",
        "meta.lastModified",
        "urn:ietf:params:scim:schemas:core:2.0:User:userName",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value",
    ]);
    let operator = prop::sample::select(vec!["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"]);
    let value = prop_oneof![
        "[a-zA-Z@. é😀]{0,8}".prop_map(|text| format!("{text:?}").replace("\\u{", "\\u{{")),
        any::<i32>().prop_map(|number| number.to_string()),
        prop::sample::select(vec!["true", "false", "null", "1.5", r#""\u00e9\"\\\n""#]).prop_map(str::to_owned),
    ];
    let comparison =
        (path.clone(), operator, value).prop_map(|(path, operator, value)| format!("{path} {operator} {value}"));
    let leaf = prop_oneof![3 => comparison, 1 => path.prop_map(|path| format!("{path} pr"))].boxed();
    let element = tree(prop_oneof![Just("type eq \"work\"".to_owned()), Just("value pr".to_owned())].boxed())
        .prop_map(|inner| format!("emails[{inner}]"));
    tree(prop_oneof![3 => leaf, 1 => element].boxed())
}

fn tree(leaf: BoxedStrategy<String>) -> BoxedStrategy<String> {
    leaf.prop_recursive(4, 16, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("{left} and {right}")),
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("{left} or {right}")),
            inner.clone().prop_map(|inner| format!("({inner})")),
            inner.prop_map(|inner| format!("not ({inner})")),
        ]
    })
    .boxed()
}

/// A filter with a few of its bytes replaced or left out.
fn damaged() -> BoxedStrategy<String> {
    let edit =
        (any::<prop::sample::Index>(), prop::sample::select(vec!["", "(", ")", "[", "]", "\"", " ", ".", "x", "1"]));
    (filter(), prop::collection::vec(edit, 1..3))
        .prop_map(|(text, edits)| {
            let mut characters: Vec<String> = text.chars().map(String::from).collect();
            for (position, replacement) in edits {
                let position = position.index(characters.len());
                characters[position] = replacement.to_owned();
            }
            characters.concat()
        })
        .boxed()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn filters_of_the_grammar_are_read_alike(text in filter()) {
        let ours = Filter::parse(&text, Syntax::STRICT).map(|filter| filter.to_string());
        let theirs = text.parse::<scim_v2::filter::Filter>().map(|filter| filter.to_string());
        prop_assert_eq!(ours.ok(), theirs.ok(), "{}", text);
    }

    #[test]
    fn damaged_filters_that_both_take_are_read_alike(text in damaged()) {
        let ours = Filter::parse(&text, Syntax::STRICT).map(|filter| filter.to_string());
        let theirs = text.parse::<scim_v2::filter::Filter>().map(|filter| filter.to_string());
        if let (Ok(ours), Ok(theirs)) = (ours, theirs) {
            prop_assert_eq!(ours, theirs, "{}", text);
        }
    }
}
