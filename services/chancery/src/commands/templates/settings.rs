//! Settings as they are typed: `daily_cost=20`, `runner_tags.zone=eu`.

use serde_json::{Map, Value};

use crate::failure::Failure;

/// The merge patch (RFC 7396) of what is set and taken away.
pub(super) fn patch(set: &[String], unset: &[String]) -> Result<Value, Failure> {
    let mut settings = Map::new();
    for setting in set {
        let (path, value) = setting
            .split_once('=')
            .ok_or_else(|| Failure::usage(format!("`{setting}` is not of the form SETTING=VALUE")))?;
        insert(&mut settings, path, read(path, value))?;
    }
    for path in unset {
        insert(&mut settings, path, Value::Null)?;
    }
    Ok(Value::Object(settings))
}

/// Numbers and truth are meant as such, except as the value of a tag.
fn read(path: &str, value: &str) -> Value {
    match serde_json::from_str(value) {
        Ok(read @ (Value::Number(_) | Value::Bool(_))) if !path.contains('.') => read,
        _ => value.into(),
    }
}

fn insert(settings: &mut Map<String, Value>, path: &str, value: Value) -> Result<(), Failure> {
    let Some((first, rest)) = path.split_once('.') else {
        settings.insert(path.to_owned(), value);
        return Ok(());
    };
    let inner = settings.entry(first).or_insert_with(|| Map::new().into());
    match inner.as_object_mut() {
        Some(inner) => drop(inner.insert(rest.to_owned(), value)),
        None => return Err(Failure::usage(format!("`{first}` is set twice"))),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_are_read_as_they_are_meant() {
        let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        let set =
            owned(&["daily_cost=20", "require_active_version=true", "runner_tags.zone.a=1", "runner_tags.os=linux"]);
        let expected = json!({
            "daily_cost": 20, "require_active_version": true, "runner_tags": {"zone.a": "1", "os": "linux"},
            "max_ttl_seconds": null,
        });
        assert_eq!(patch(&set, &owned(&["max_ttl_seconds"])).unwrap(), expected);
        assert!(patch(&owned(&["daily_cost"]), &[]).is_err());
        assert!(patch(&owned(&["runner_tags=1", "runner_tags.a=1"]), &[]).is_err());
    }
}
