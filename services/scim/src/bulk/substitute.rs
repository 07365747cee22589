//! References to what other operations make: `bulkId:<name>`, wherever a text has one.

use std::collections::HashMap;

use serde_json::Value;

const MARK: &str = "bulkId:";

/// The ids of the resources that operations make, by their bulkIds, and the references found so far.
pub(super) struct References<'p> {
    /// By bulkId: the position of the operation and the id of what it makes.
    pub(super) made: &'p HashMap<String, (usize, String)>,
    /// Positions of the operations that are referred to.
    pub(super) to: Vec<usize>,
    /// A reference to no operation.
    pub(super) unknown: Option<String>,
}

impl References<'_> {
    /// Puts ids in place of references in all the texts of a value.
    pub(super) fn replace_all(&mut self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Some(replaced) = self.replaced(text) {
                    *text = replaced;
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.replace_all(item)),
            Value::Object(members) => {
                let named: Vec<String> = members.keys().filter(|name| name.contains(MARK)).cloned().collect();
                for name in named {
                    if let (Some(replaced), Some(member)) = (self.replaced(&name), members.remove(&name)) {
                        members.insert(replaced, member);
                    }
                }
                members.values_mut().for_each(|member| self.replace_all(member));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// The text with ids in place of references, where it has any: the whole text, a segment of a path, or a quoted
    /// value of a filter.
    pub(super) fn replaced(&mut self, text: &str) -> Option<String> {
        let mut replaced = String::new();
        let mut rest = text;
        while let Some(start) = rest.find(MARK) {
            let (before, reference) = rest.split_at(start);
            let name = &reference[MARK.len()..];
            let end = name.find(['"', '/', '?', '#']).unwrap_or(name.len());
            let begins = before.is_empty() && replaced.is_empty() || before.ends_with(['"', '/']);
            replaced.push_str(before);
            match self.made.get(&name[..end]) {
                Some((position, id)) if begins => {
                    self.to.push(*position);
                    replaced.push_str(id);
                }
                _ => {
                    if begins {
                        self.unknown.get_or_insert_with(|| name[..end].to_owned());
                    }
                    replaced.push_str(MARK);
                    replaced.push_str(&name[..end]);
                }
            }
            rest = &name[end..];
        }
        if replaced.is_empty() {
            return None;
        }
        replaced.push_str(rest);
        Some(replaced)
    }
}
