//! How fixtures name values and say what they expect.
//!
//! * `{{name}}` in a request is a value that was captured before; in an expectation it is that value, or captures the
//!   text that is there. `{{*}}` is any text (alone: any value). `{{#}}` is the number of a repetition.
//! * An object expects its members and allows others. `null` expects that there is no value: absent, null or empty.
//! * An array expects as many elements, in any order. `{"$length": n}` expects an array of this length only.
//! * In an array, `{"$repeat": n, "$of": element}` is n elements with `{{#}}` from 1 to n.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// Values by name.
pub(super) type Captured = BTreeMap<String, String>;

/// A template with the captured values in it. Names without a value stay.
pub(super) fn filled(template: &Value, captured: &Captured) -> Value {
    match template {
        Value::String(text) => Value::String(filled_text(text, captured)),
        Value::Array(elements) => elements.iter().flat_map(|element| repeated(element, captured)).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| (filled_text(name, captured), filled(value, captured))).collect()
        }
        other => other.clone(),
    }
}

fn repeated(element: &Value, captured: &Captured) -> Vec<Value> {
    let Some(times) = element["$repeat"].as_u64() else { return vec![filled(element, captured)] };
    let mut captured = captured.clone();
    let each = |number: u64| {
        captured.insert("#".to_owned(), number.to_string());
        filled(&element["$of"], &captured)
    };
    (1..=times).map(each).collect()
}

/// The same of a text. Inner names come first: `{{user{{#}}}}`.
pub(super) fn filled_text(template: &str, captured: &Captured) -> String {
    let mut text = template.to_owned();
    let mut from = 0;
    while let Some(end) = text[from..].find("}}").map(|at| from + at) {
        let value = text[..end].rfind("{{").and_then(|begin| Some((begin, captured.get(&text[begin + 2..end])?)));
        if let Some((begin, value)) = value {
            text.replace_range(begin..end + 2, value);
            from = 0;
        } else {
            from = end + 2;
        }
    }
    text
}

/// Compares; an error says where and how something differs. Captures what has no value yet.
pub(super) fn compare(expected: &Value, actual: &Value, captured: &mut Captured) -> Result<(), String> {
    match expected {
        Value::Null if is_nothing(actual) => Ok(()),
        Value::String(text) => compare_text(&filled_text(text, captured), actual, captured),
        Value::Object(members) => match members.get("$length") {
            Some(length) if json!(actual.as_array().map(Vec::len)) == *length => Ok(()),
            Some(length) => Err(format!("expected {length} elements, got {}", brief(actual))),
            None => members.iter().try_for_each(|(name, value)| {
                let name = filled_text(name, captured);
                compare(value, &actual[&name], captured).map_err(|reason| format!("/{name}{}", below(&reason)))
            }),
        },
        Value::Array(elements) => compare_elements(&filled_elements(elements, captured), actual, captured),
        other if other == actual => Ok(()),
        other => Err(format!("expected {other}, got {}", brief(actual))),
    }
}

fn filled_elements(elements: &[Value], captured: &Captured) -> Vec<Value> {
    elements.iter().flat_map(|element| repeated(element, captured)).collect()
}

fn compare_elements(expected: &[Value], actual: &Value, captured: &mut Captured) -> Result<(), String> {
    let mut left: Vec<&Value> = actual.as_array().map(|elements| elements.iter().collect()).unwrap_or_default();
    if left.len() != expected.len() {
        return Err(format!("expected {} elements, got {}", expected.len(), brief(actual)));
    }
    for (index, element) in expected.iter().enumerate() {
        let mut reasons = Vec::new();
        let found = left.iter().position(|candidate| {
            let mut attempt = captured.clone();
            match compare(element, candidate, &mut attempt) {
                Ok(()) => {
                    *captured = attempt;
                    true
                }
                Err(reason) => {
                    reasons.push(reason);
                    false
                }
            }
        });
        let Some(at) = found else {
            return Err(format!("/{index}: none is like {element}: {}", reasons.join("; ")));
        };
        left.remove(at);
    }
    Ok(())
}

fn compare_text(pattern: &str, actual: &Value, captured: &mut Captured) -> Result<(), String> {
    let differs = || Err(format!("expected {pattern:?}, got {}", brief(actual)));
    if pattern == "{{*}}" {
        return if is_nothing(actual) { differs() } else { Ok(()) };
    }
    let Some(text) = actual.as_str() else { return differs() };
    let name = pattern.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}")).filter(|name| !name.contains('}'));
    match name {
        Some(name) => {
            captured.insert(name.to_owned(), text.to_owned());
            Ok(())
        }
        None if like(pattern, text) => Ok(()),
        None => differs(),
    }
}

/// Whether a text is a pattern with `{{*}}` for any text.
fn like(pattern: &str, text: &str) -> bool {
    let Some((begin, rest)) = pattern.split_once("{{*}}") else { return pattern == text };
    let Some(mut text) = text.strip_prefix(begin) else { return false };
    let mut pieces: Vec<&str> = rest.split("{{*}}").collect();
    let end = pieces.pop().unwrap_or_default();
    for piece in pieces {
        let Some(at) = text.find(piece) else { return false };
        text = &text[at + piece.len()..];
    }
    text.ends_with(end)
}

fn is_nothing(value: &Value) -> bool {
    value.is_null() || value.as_array().is_some_and(Vec::is_empty)
}

fn below(reason: &str) -> String {
    if reason.starts_with('/') { reason.to_owned() } else { format!(": {reason}") }
}

fn brief(value: &Value) -> String {
    let text = value.to_string();
    text.chars().take(300).collect()
}

#[test]
fn what_is_expected_is_told_from_what_is_not() {
    let mut captured = Captured::from([("alice".to_owned(), "a1".to_owned()), ("user2".to_owned(), "u2".to_owned())]);
    let mut holds = |expected: Value, actual: Value| compare(&expected, &actual, &mut captured).is_ok();
    assert!(holds(json!({"id": "{{alice}}"}), json!({"id": "a1", "more": 1})));
    assert!(!holds(json!({"id": "{{alice}}"}), json!({"id": "a2"})));
    assert!(holds(json!({"at": "{{*}}/Users/{{alice}}"}), json!({"at": "http://host/Users/a1"})));
    assert!(!holds(json!({"at": "{{*}}/Users/{{alice}}"}), json!({"at": "http://host/Users/a1/"})));
    assert!(!holds(json!({"at": "{{*}}"}), json!({"at": null})));
    assert!(holds(json!([{"value": "2"}, {"value": "1"}]), json!([{"value": "1"}, {"value": "2"}])));
    assert!(!holds(json!([{"value": "1"}]), json!([{"value": "1"}, {"value": "2"}])));
    assert!(holds(json!({"members": null}), json!({"members": []})));
    assert!(!holds(json!({"members": null}), json!({"members": [1]})));
    assert!(!holds(json!({"members": {"$length": 2}}), json!({"members": [1]})));
    assert!(holds(json!({"id": "{{bob}}"}), json!({"id": "b1"})));
    assert_eq!(captured["bob"], "b1");
    let many = json!([{"$repeat": 2, "$of": {"value": "{{user{{#}}}}"}}]);
    assert_eq!(filled(&many, &captured), json!([{"value": "{{user1}}"}, {"value": "u2"}]));
}
