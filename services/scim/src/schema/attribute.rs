//! What an attribute is (RFC 7643 section 7).

use serde::{Deserialize, Serialize};

/// The type of an attribute's values (RFC 7643 section 2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AttributeType {
    /// Unicode text.
    #[default]
    String,
    /// `true` or `false`.
    Boolean,
    /// A number with a fraction.
    Decimal,
    /// A whole number.
    Integer,
    /// An instant as an `xsd:dateTime`.
    DateTime,
    /// Bytes in base64.
    Binary,
    /// A URI.
    Reference,
    /// An object of sub-attributes.
    Complex,
}

/// When the value may change (RFC 7643 section 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Mutability {
    /// By the server alone.
    ReadOnly,
    /// Whenever a client asks.
    #[default]
    ReadWrite,
    /// Once.
    Immutable,
    /// Whenever a client asks, and nobody can read it.
    WriteOnly,
}

/// When the value is part of an answer (RFC 7643 section 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Returned {
    /// Whatever the client asks for.
    Always,
    /// In no answer.
    Never,
    /// Unless the client asks for others or excludes it.
    #[default]
    Default,
    /// When the client asks for it.
    Request,
}

/// Among whom the value must be unique (RFC 7643 section 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Uniqueness {
    /// Nobody.
    #[default]
    None,
    /// The resources of this server.
    Server,
    /// All the world.
    Global,
}

/// An attribute or sub-attribute, with the defaults of RFC 7643 section 2.2.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Attribute {
    /// The name in its canonical spelling. Names compare without case.
    pub name: String,
    /// The type of its values.
    #[serde(rename = "type", default)]
    pub kind: AttributeType,
    /// Whether it holds a list.
    #[serde(default)]
    pub multi_valued: bool,
    /// What it is, for people.
    #[serde(default)]
    pub description: String,
    /// Whether a resource must have it.
    #[serde(default)]
    pub required: bool,
    /// Values that are suggested; others are taken as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub canonical_values: Vec<String>,
    /// Whether case matters when its values are compared. None for complex attributes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case_exact: Option<bool>,
    /// When it may change.
    #[serde(default)]
    pub mutability: Mutability,
    /// When it is returned.
    #[serde(default)]
    pub returned: Returned,
    /// Among whom its values are unique. None for complex attributes (erratum 6004).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uniqueness: Option<Uniqueness>,
    /// What a reference may point at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reference_types: Vec<String>,
    /// The parts of a complex attribute.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sub_attributes: Vec<Attribute>,
}

impl Attribute {
    /// The sub-attribute of that name, in any case.
    pub fn sub(&self, name: &str) -> Option<&Attribute> {
        named(&self.sub_attributes, name)
    }

    /// Fills in what was left to the defaults, so that the schema shows it.
    pub(super) fn complete(&mut self) {
        if !self.is_complex() {
            self.case_exact.get_or_insert_default();
            self.uniqueness.get_or_insert_default();
        }
        self.sub_attributes.iter_mut().for_each(Self::complete);
    }

    /// Whether its values are objects.
    pub fn is_complex(&self) -> bool {
        self.kind == AttributeType::Complex
    }

    /// Whether case matters when its values are compared.
    pub fn is_case_exact(&self) -> bool {
        self.case_exact.unwrap_or(false)
    }

    /// Whether values of it are neither kept nor shown.
    pub fn is_secret(&self) -> bool {
        self.returned == Returned::Never || self.mutability == Mutability::WriteOnly
    }

    /// Whether clients cannot set it.
    pub fn is_read_only(&self) -> bool {
        self.mutability == Mutability::ReadOnly
    }
}

/// The attribute of that name, in any case.
pub(crate) fn named<'a>(attributes: &'a [Attribute], name: &str) -> Option<&'a Attribute> {
    attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name))
}

/// Whether a text can be the name of an attribute (RFC 7643 section 2.1). A leading `$` is allowed, for `$ref`.
pub(crate) fn is_name(text: &str) -> bool {
    let text = text.strip_prefix('$').unwrap_or(text);
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'$'))
}
