//! Changing elements of a list: those a filter chooses, or a part of all.

use serde_json::{Map, Value};

use super::given;
use super::request::OperationKind;
use super::write::{clear_primary, merge, write_sub};
use crate::document::{Reader, check_length, primary_of};
use crate::error::ScimError;
use crate::filter::Filter;
use crate::schema::{Attribute, Place};

/// Changes elements of an attribute of `object`.
pub(super) fn write(
    reader: &mut Reader,
    object: &mut Map<String, Value>,
    kind: OperationKind,
    place: &Place,
    filter: Option<&Filter>,
    value: Option<Value>,
) -> Result<(), ScimError> {
    let attribute = place.attribute;
    let mut elements = match object.remove(&attribute.name) {
        Some(Value::Array(elements)) => elements,
        Some(single) => vec![single],
        None => Vec::new(),
    };
    let edit = Edit { kind, attribute, sub: place.sub, filter };
    let chosen = edit.chosen(reader, &elements)?;
    let touched = if chosen.is_empty() {
        edit.create(reader, value)?.map(|element| {
            elements.push(element);
            elements.len() - 1
        })
    } else {
        edit.change(reader, &mut elements, &chosen, value.as_ref())?;
        chosen.into_iter().find(|position| primary_of(&elements[*position]))
    };
    if kind != OperationKind::Remove
        && let Some(touched) = touched.filter(|touched| primary_of(&elements[*touched]))
    {
        let others = elements.iter_mut().enumerate().filter(|(position, _)| *position != touched);
        others.for_each(|(_, element)| clear_primary(element));
    }
    elements.retain(|element| !is_hollow(element));
    if attribute.multi_valued {
        check_length(attribute, elements.len())?;
        if !elements.is_empty() {
            object.insert(attribute.name.clone(), Value::Array(elements));
        }
    } else if let Some(single) = elements.pop() {
        object.insert(attribute.name.clone(), single);
    }
    Ok(())
}

fn is_hollow(element: &Value) -> bool {
    element.is_null() || element.as_object().is_some_and(Map::is_empty)
}

struct Edit<'e> {
    kind: OperationKind,
    attribute: &'e Attribute,
    sub: Option<&'e Attribute>,
    filter: Option<&'e Filter>,
}

impl Edit<'_> {
    fn chosen(&self, reader: &Reader, elements: &[Value]) -> Result<Vec<usize>, ScimError> {
        let query = self.filter.map(|filter| filter.compile_element(self.attribute, reader.profile)).transpose()?;
        let is_chosen = |element: &Value| query.as_ref().is_none_or(|query| query.matches_element(element));
        let positions = elements.iter().enumerate().filter(|(_, element)| is_chosen(element));
        Ok(positions.map(|(position, _)| position).collect())
    }

    fn change(
        &self,
        reader: &mut Reader,
        elements: &mut [Value],
        chosen: &[usize],
        value: Option<&Value>,
    ) -> Result<(), ScimError> {
        for position in chosen {
            let element = &mut elements[*position];
            match (self.sub, self.kind) {
                (Some(sub), kind) => self.change_sub(reader, element, sub, kind, value.cloned())?,
                (None, OperationKind::Remove) => *element = Value::Null,
                (None, _) => match given(value.cloned()) {
                    Some(value) => self.change_element(reader, element, value)?,
                    None => *element = Value::Null,
                },
            }
        }
        Ok(())
    }

    fn change_sub(
        &self,
        reader: &mut Reader,
        element: &mut Value,
        sub: &Attribute,
        kind: OperationKind,
        value: Option<Value>,
    ) -> Result<(), ScimError> {
        let Value::Object(inner) = element else { return Ok(()) };
        write_sub(reader, inner, sub, kind, value)?;
        if sub.name == "value" && reader.profile.elements_by_filter && !inner.contains_key("value") {
            let terms = self.filter.and_then(Filter::eq_terms).unwrap_or_default();
            let is_term = |name: &str| terms.iter().any(|(path, _)| path.eq_ignore_ascii_case(name));
            if inner.keys().all(|name| name == "primary" || is_term(name)) {
                *element = Value::Null;
            }
        }
        Ok(())
    }

    /// Gives an element the value: `add` merges into it, `replace` puts the value in its place.
    fn change_element(&self, reader: &mut Reader, element: &mut Value, value: Value) -> Result<(), ScimError> {
        if !self.attribute.is_complex() {
            *element = reader.element(self.attribute, value)?.unwrap_or(Value::Null);
            return Ok(());
        }
        let mut inner = match (self.kind, element.take()) {
            (OperationKind::Add, Value::Object(inner)) => inner,
            _ if reader.profile.elements_by_filter => self.described(reader)?.unwrap_or_default(),
            _ => Map::new(),
        };
        merge(reader, &mut inner, self.attribute, OperationKind::Add, value)?;
        *element = Value::Object(inner);
        Ok(())
    }

    /// The element an operation makes where the filter chooses none.
    fn create(&self, reader: &mut Reader, value: Option<Value>) -> Result<Option<Value>, ScimError> {
        let nothing_there = || ScimError::no_target("no value matches the filter");
        let value = match (self.kind, given(value)) {
            (OperationKind::Remove, _) | (_, None) if self.filter.is_none() || reader.profile.missing_removals => {
                return Ok(None);
            }
            (OperationKind::Remove, _) | (_, None) => return Err(nothing_there()),
            (_, Some(value)) => value,
        };
        let mut inner = match self.filter {
            None => Map::new(),
            Some(_) if !reader.profile.elements_by_filter => return Err(nothing_there()),
            Some(_) => self.described(reader)?.ok_or_else(nothing_there)?,
        };
        if !self.attribute.is_complex() {
            return reader.element(self.attribute, value);
        }
        match self.sub {
            Some(sub) => write_sub(reader, &mut inner, sub, OperationKind::Replace, Some(value))?,
            None => merge(reader, &mut inner, self.attribute, OperationKind::Add, value)?,
        }
        Ok(Some(Value::Object(inner)))
    }

    /// The sub-attributes the filter's `eq` terms tell; none where it has other terms.
    fn described(&self, reader: &mut Reader) -> Result<Option<Map<String, Value>>, ScimError> {
        let Some(terms) = self.filter.and_then(Filter::eq_terms) else { return Ok(None) };
        let mut inner = Map::new();
        for (name, value) in terms {
            if let Some(sub) = self.attribute.sub(name).filter(|sub| !sub.is_read_only()) {
                write_sub(reader, &mut inner, sub, OperationKind::Replace, Some(value.clone()))?;
            }
        }
        Ok(Some(inner))
    }
}
