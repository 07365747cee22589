//! Mistakes are pointed at and put right.

use super::context;
use crate::{Filter, FilterError, MAX_DEPTH, MAX_LENGTH, MAX_LIST, MAX_TERMS};

#[track_caller]
fn mistake(text: &str) -> FilterError {
    Filter::parse(text, &context()).expect_err(text)
}

/// The marked text and the first suggestion.
#[track_caller]
fn marked(text: &str) -> (String, String) {
    let error = mistake(text);
    let marked = text.chars().skip(error.character).take(error.length).collect();
    (marked, error.suggestions.first().cloned().unwrap_or_default())
}

#[test]
fn likely_words_are_suggested() {
    let table = [
        ("outcome:sucess", "sucess", "success"),
        ("a actr:bob", "actr", "actor"),
        ("daily_cost:>10", "daily_cost", "data.daily_cost"),
        ("type:user.craeted", "user.craeted", "user.created"),
        ("type:workspace.build", "workspace.build", "workspace.build.*"),
        ("resource_type:workspce_build", "workspce_build", "workspace_build"),
        ("status:complete", "complete", "completed"),
        ("ip:10.1", "10.1", "10.1.0.0/16"),
        ("time:yesterdy", "yesterdy", "yesterday"),
        ("actor.kind:users", "users", "user"),
        ("outcome=success", "=", ":"),
        ("time>=2026", ">=", ":>="),
        (r"name\x", r"\x", r"\\x"),
    ];
    for (text, wrong, meant) in table {
        assert_eq!(marked(text), (wrong.to_owned(), meant.to_owned()), "{text}");
    }
}

#[test]
fn mistakes_are_marked_where_they_are() {
    let table = [
        ("reason:\"open", "\""),
        ("(a b", "("),
        ("a) b", ")"),
        ("()", ")"),
        ("a AND", ""),
        ("OR b", "OR"),
        ("a AND OR b", "OR"),
        ("actor:", ":"),
        ("actor: bob", ":"),
        ("https://example.com", "https"),
        ("data.:x", "data."),
        ("data:x", "data"),
        ("\"\"", "\"\""),
        ("time:soon", "soon"),
        ("time:2026-02-30", "2026-02-30"),
        ("time:2026-02..2026-01", "2026-02..2026-01"),
        ("time:1..2..3", "..3"),
        ("time:..", ".."),
        ("position:-1", "-1"),
        ("actor:>bob", ">bob"),
        ("ip:10.0.0.256", "10.0.0.256"),
        ("type:(a b)", "b"),
        ("type:(a, b", "("),
        ("type:a]", "]"),
        ("actor:\"a\"b", "b"),
        ("data.x:>abc", "abc"),
        ("données:x", "données"),
        ("ééé \\u{d800}", "\\u{d800"),
    ];
    for (text, wrong) in table {
        assert_eq!(marked(text).0, wrong, "{text}: {}", mistake(text));
    }
}

#[test]
fn a_mistake_is_drawn_below_its_line() {
    let text = "é outcome:sucess b";
    let drawn = mistake(text).render(text);
    assert_eq!(
        drawn,
        "é outcome:sucess b\n          ^^^^^^ `outcome` is one of success, failure, denied; did you mean `success`?"
    );
}

#[test]
fn nobody_is_me_without_a_caller() {
    let nobody = crate::Context { me: None, ..context() };
    assert!(Filter::parse("actor:me", &nobody).is_err());
    assert!(Filter::parse("actor:\"me\"", &nobody).is_ok());
}

#[test]
fn everything_is_bounded() {
    let parses = |text: String| Filter::parse(&text, &context()).is_ok();
    assert!(parses("a".repeat(MAX_LENGTH)));
    assert!(!parses("a".repeat(MAX_LENGTH + 1)));
    assert!(parses(format!("{}a{}", "(".repeat(MAX_DEPTH), ")".repeat(MAX_DEPTH))));
    assert!(!parses(format!("{}a{}", "(".repeat(MAX_DEPTH + 1), ")".repeat(MAX_DEPTH + 1))));
    assert!(!parses(format!("{}a", "-".repeat(MAX_DEPTH + 1))));
    assert!(parses("a ".repeat(MAX_TERMS)));
    assert!(!parses("a ".repeat(MAX_TERMS + 1)));
    assert!(parses(format!("id:({}a)", "a,".repeat(MAX_LIST - 1))));
    assert!(!parses(format!("id:({}a)", "a,".repeat(MAX_LIST))));
}
