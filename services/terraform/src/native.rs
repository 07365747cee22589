//! Files in Terraform's own language.

use chancery_domain::events::templates::RequiredProvider;
use hcl::expr::{Expression, ObjectKey};
use hcl::format::{Format, Formatter};
use hcl::structure::{Block, Body};

use crate::contents::{Gathered, Place, VariableFacts};
use crate::error::Mistake;

/// Adds what a file says.
pub(crate) fn gather(gathered: &mut Gathered, place: Place<'_>, text: &str) {
    let body = match hcl::parse(text) {
        Ok(body) => body,
        Err(error) => return gathered.mistakes.push(mistake(place, &error)),
    };
    for block in body.blocks() {
        let labels: Vec<&str> = block.labels().iter().map(hcl::structure::BlockLabel::as_str).collect();
        match (block.identifier(), labels.as_slice()) {
            ("resource", ["coder_metadata", ..]) => cost(gathered, place, block.body()),
            ("variable", [name]) if place.is_root() => gathered.variable(place, name, variable(block.body())),
            ("terraform", []) if place.is_root() => terraform(gathered, place, block),
            _ => {}
        }
    }
}

fn mistake(place: Place<'_>, error: &hcl::Error) -> Mistake {
    let mut mistake = Mistake::new(place.path, error.to_string());
    if let hcl::Error::Parse(error) = error {
        mistake.line = Some(error.location().line());
        mistake.column = Some(error.location().column());
        error.message().clone_into(&mut mistake.reason);
    }
    mistake
}

fn variable(body: &Body) -> VariableFacts {
    VariableFacts {
        description: attribute(body, "description").and_then(text),
        variable_type: attribute(body, "type").and_then(written),
        has_default: attribute(body, "default").is_some(),
        sensitive: attribute(body, "sensitive").and_then(flag),
        nullable: attribute(body, "nullable").and_then(flag),
    }
}

fn terraform(gathered: &mut Gathered, place: Place<'_>, block: &Block) {
    if let Some(version) = attribute(block.body(), "required_version").and_then(text) {
        gathered.required_version(place, &version);
    }
    for providers in block.body().blocks().filter(|block| block.identifier() == "required_providers") {
        for provider in providers.body().attributes() {
            gathered.provider(place, required(provider.key(), provider.expr()));
        }
    }
}

fn required(name: &str, said: &Expression) -> RequiredProvider {
    let member = |key: &str| {
        let Expression::Object(object) = said else { return None };
        let (_, value) = object.iter().find(|(name, _)| match name {
            ObjectKey::Identifier(name) => name.as_str() == key,
            ObjectKey::Expression(Expression::String(name)) => name == key,
            _ => false,
        })?;
        text(value)
    };
    RequiredProvider {
        name: name.to_owned(),
        source: member("source"),
        // Before Terraform 0.13 it was the version alone.
        version: text(said).or_else(|| member("version")),
    }
}

fn cost(gathered: &mut Gathered, place: Place<'_>, body: &Body) {
    let Some(cost) = attribute(body, "daily_cost") else { return };
    let cost = match cost {
        Expression::Number(number) => number.as_u64(),
        _ => None,
    };
    let is_repeated = ["count", "for_each"].iter().any(|name| attribute(body, name).is_some());
    gathered.cost(place, cost, is_repeated);
}

fn attribute<'a>(body: &'a Body, name: &str) -> Option<&'a Expression> {
    body.attributes().find(|attribute| attribute.key() == name).map(hcl::Attribute::expr)
}

fn text(expression: &Expression) -> Option<String> {
    match expression {
        Expression::String(text) => Some(text.clone()),
        // A heredoc.
        Expression::TemplateExpr(template) => {
            hcl::Template::from_expr(template).ok().and_then(|template| literal(&template))
        }
        _ => None,
    }
}

/// A template without anything to fill in.
fn literal(template: &hcl::Template) -> Option<String> {
    template
        .elements()
        .iter()
        .map(|element| match element {
            hcl::template::Element::Literal(text) => Some(text.as_str()),
            _ => None,
        })
        .collect()
}

fn flag(expression: &Expression) -> Option<bool> {
    match expression {
        Expression::Bool(flag) => Some(*flag),
        _ => None,
    }
}

/// An expression as it is written, on one line.
fn written(expression: &Expression) -> Option<String> {
    if let Expression::String(text) = expression {
        return Some(text.clone());
    }
    expression.format_string(&mut Formatter::builder().compact(true).build_vec()).ok()
}
