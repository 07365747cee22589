//! Parameters as Terraform takes them, whatever a template's own files of values say.

use std::collections::BTreeMap;

use hcl::{Body, Structure};
use serde_json::{Map, Value};

use crate::template::Declarations;

/// The values of declared variables, as a file of variables in JSON.
pub(super) fn variables_file(parameters: &BTreeMap<String, String>, declared: &Declarations) -> Value {
    let known = |name: &str| declared.incomplete || declared.variables.contains(name);
    let values = parameters.iter().filter(|(name, _)| known(name)).map(|(name, text)| {
        let value = if declared.composite.contains(name) { composite(text) } else { Value::String(text.clone()) };
        (name.clone(), value)
    });
    Value::Object(values.collect::<Map<_, _>>())
}

/// A list, a map or the like, written as an expression without references.
fn composite(text: &str) -> Value {
    if let Ok(value) = serde_json::from_str(text) {
        return value;
    }
    let body: Option<Body> = hcl::parse(&format!("value = {text}\n")).ok();
    let mut structures = body.into_iter().flatten();
    match (structures.next(), structures.next()) {
        (Some(Structure::Attribute(attribute)), None) => {
            hcl::from_body::<Map<String, Value>>(Body::from_iter([attribute]))
                .ok()
                .and_then(|mut values| values.remove("value"))
                .unwrap_or_else(|| Value::String(text.to_owned()))
        }
        _ => Value::String(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;

    #[test]
    fn only_declared_variables_are_set_and_composite_ones_are_parsed() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        let declared = Declarations {
            variables: names(&["size", "list", "map", "bad"]),
            composite: names(&["list", "map", "bad"]),
            ..Declarations::default()
        };
        let parameters = [
            ("size", "[1]"),
            ("list", r#"["a", "b"]"#),
            ("map", r#"{ a = 1, b = "x" }"#),
            ("bad", "1\nsize = 2"),
            ("other", "x"),
        ];
        let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        assert_eq!(
            variables_file(&parameters, &declared),
            json!({"size": "[1]", "list": ["a", "b"], "map": {"a": 1, "b": "x"}, "bad": "1\nsize = 2"})
        );
    }
}
