//! What is gathered from the files of a template.

use std::collections::BTreeMap;

use chancery_domain::events::templates::{RequiredProvider, TemplateContents, TemplateVariable};

use crate::error::Mistake;

/// Longest description that is kept, in characters; what is longer is cut.
const MAX_DESCRIPTION: usize = 500;
/// Longest name, source or version, in bytes.
const MAX_TEXT: usize = 256;
/// Longest type, in bytes.
const MAX_TYPE: usize = 1000;
/// Most that all of it may take where it is recorded, in bytes.
const MAX_CONTENTS: usize = 40_000;

/// What a file says of a variable. Override files say part of it.
#[derive(Debug, Default)]
pub(crate) struct VariableFacts {
    pub(crate) description: Option<String>,
    pub(crate) variable_type: Option<String>,
    pub(crate) has_default: bool,
    pub(crate) sensitive: Option<bool>,
    pub(crate) nullable: Option<bool>,
}

/// Where something stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) path: &'a str,
}

impl Place<'_> {
    /// Whether it is part of the template itself, not of a module in it.
    pub(crate) fn is_root(self) -> bool {
        !self.path.contains('/')
    }

    /// Whether it changes what others say.
    pub(crate) fn is_override(self) -> bool {
        let stem = self.path.strip_suffix(".json").unwrap_or(self.path);
        let stem = stem.strip_suffix(".tf").unwrap_or(stem);
        stem == "override" || stem.ends_with("_override")
    }
}

/// What was found so far.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    variables: BTreeMap<String, VariableFacts>,
    providers: BTreeMap<String, RequiredProvider>,
    versions: Vec<String>,
    cost: Option<u64>,
    partial: bool,
    pub(crate) mistakes: Vec<Mistake>,
}

impl Gathered {
    pub(crate) fn variable(&mut self, place: Place<'_>, name: &str, facts: VariableFacts) {
        if name.is_empty() || name.len() > MAX_TEXT {
            return self.mistake(place, format!("a variable's name has 1 to {MAX_TEXT} bytes"));
        }
        if facts.variable_type.as_ref().is_some_and(|text| text.len() > MAX_TYPE) {
            return self.mistake(place, format!("the type of variable `{name}` is longer than {MAX_TYPE} bytes"));
        }
        match self.variables.get_mut(name) {
            Some(_) if !place.is_override() => self.mistake(place, format!("variable `{name}` is declared twice")),
            Some(present) => {
                present.description = facts.description.or(present.description.take());
                present.variable_type = facts.variable_type.or(present.variable_type.take());
                present.has_default |= facts.has_default;
                present.sensitive = facts.sensitive.or(present.sensitive);
                present.nullable = facts.nullable.or(present.nullable);
            }
            None => drop(self.variables.insert(name.to_owned(), facts)),
        }
    }

    pub(crate) fn provider(&mut self, place: Place<'_>, provider: RequiredProvider) {
        let texts = [Some(&provider.name), provider.source.as_ref(), provider.version.as_ref()];
        if texts.into_iter().flatten().any(|text| text.len() > MAX_TEXT) {
            return self.mistake(place, format!("what a provider is called is longer than {MAX_TEXT} bytes"));
        }
        self.providers.insert(provider.name.clone(), provider);
    }

    pub(crate) fn required_version(&mut self, place: Place<'_>, version: &str) {
        if version.len() > MAX_TEXT {
            return self.mistake(place, format!("`required_version` is longer than {MAX_TEXT} bytes"));
        }
        if place.is_override() {
            self.versions.clear();
        }
        if !self.versions.iter().any(|present| present == version) {
            self.versions.push(version.to_owned());
        }
    }

    /// A daily cost; none if it is not known before a plan.
    pub(crate) fn cost(&mut self, place: Place<'_>, cost: Option<u64>, is_repeated: bool) {
        self.partial |= cost.is_none() || is_repeated || !place.is_root();
        if let Some(cost) = cost {
            self.cost = Some(self.cost.unwrap_or_default().saturating_add(cost));
        }
    }

    pub(crate) fn mistake(&mut self, place: Place<'_>, reason: impl Into<String>) {
        self.mistakes.push(Mistake::new(place.path, reason));
    }

    /// All of it, or every mistake.
    pub(crate) fn finish(mut self) -> Result<TemplateContents, Vec<Mistake>> {
        let variable = |(name, facts): (String, VariableFacts)| TemplateVariable {
            description: facts.description.map(|text| cut(&text)),
            has_default: facts.has_default,
            name,
            nullable: facts.nullable.unwrap_or(true),
            sensitive: facts.sensitive.unwrap_or_default(),
            variable_type: facts.variable_type,
        };
        let contents = TemplateContents {
            daily_cost: self.cost.map(|cost| u32::try_from(cost).unwrap_or(u32::MAX)),
            daily_cost_partial: self.partial,
            providers: self.providers.into_values().collect(),
            required_version: Some(self.versions.join(", ")).filter(|versions| !versions.is_empty()),
            variables: self.variables.into_iter().map(variable).collect(),
        };
        let size = serde_json::to_string(&contents).map_or(usize::MAX, |text| text.len());
        if size > MAX_CONTENTS {
            let reason = format!("its variables and providers take {size} bytes to record; {MAX_CONTENTS} at most");
            self.mistakes.push(Mistake::new("", reason));
        }
        if self.mistakes.is_empty() { Ok(contents) } else { Err(self.mistakes) }
    }
}

fn cut(text: &str) -> String {
    let text = text.trim();
    if text.chars().count() <= MAX_DESCRIPTION {
        return text.to_owned();
    }
    let kept: String = text.chars().take(MAX_DESCRIPTION - 1).collect();
    format!("{kept}…")
}
