//! Wildcard patterns: `*` is any text, also none; `?` is any one character.

/// A pattern, as the parts it is made of. Adjacent literals are joined and adjacent `*` are one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    parts: Vec<Part>,
}

/// A part of a [`Pattern`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// This text.
    Literal(String),
    /// `?`: one character.
    AnyCharacter,
    /// `*`: any characters, also none.
    AnySequence,
}

impl Pattern {
    /// From parts, normalised.
    pub fn new(parts: impl IntoIterator<Item = Part>) -> Self {
        let mut normal: Vec<Part> = Vec::new();
        for part in parts {
            match (normal.last_mut(), part) {
                (Some(Part::Literal(before)), Part::Literal(text)) => before.push_str(&text),
                (Some(Part::AnySequence), Part::AnySequence) => {}
                (_, Part::Literal(text)) if text.is_empty() => {}
                (_, part) => normal.push(part),
            }
        }
        Self { parts: normal }
    }

    /// A pattern without wildcards.
    pub fn literal(text: impl Into<String>) -> Self {
        Self::new([Part::Literal(text.into())])
    }

    /// Its parts.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The text, when it has no wildcards.
    pub fn as_literal(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// The text every match begins with.
    pub fn prefix(&self) -> &str {
        match self.parts.first() {
            Some(Part::Literal(text)) => text,
            _ => "",
        }
    }

    /// The same with lower-case literals.
    #[must_use]
    pub fn to_lowercase(&self) -> Self {
        Self::new(self.parts.iter().map(|part| match part {
            Part::Literal(text) => Part::Literal(text.to_lowercase()),
            other => other.clone(),
        }))
    }

    /// The pattern that matches texts that contain a match of this one.
    #[must_use]
    pub fn contained(&self) -> Self {
        let inner = self.parts.iter().cloned();
        Self::new(std::iter::once(Part::AnySequence).chain(inner).chain([Part::AnySequence]))
    }

    /// The same without `*` at its ends.
    #[must_use]
    pub(crate) fn trimmed(&self) -> Self {
        let mut parts = self.parts.as_slice();
        while let [Part::AnySequence, rest @ ..] | [rest @ .., Part::AnySequence] = parts {
            parts = rest;
        }
        Self { parts: parts.to_vec() }
    }

    /// The SQL `LIKE` pattern with `\` as its escape character, for the whole text.
    pub fn to_like(&self) -> String {
        let mut like = String::new();
        for part in &self.parts {
            match part {
                Part::AnyCharacter => like.push('_'),
                Part::AnySequence => like.push('%'),
                Part::Literal(text) => {
                    for character in text.chars() {
                        if matches!(character, '%' | '_' | '\\') {
                            like.push('\\');
                        }
                        like.push(character);
                    }
                }
            }
        }
        like
    }

    /// Whether the whole of `text` matches.
    pub fn matches(&self, text: &str) -> bool {
        // Greedy with one point to return to: a later `*` makes the earlier ones final.
        let (mut part, mut rest) = (0, text);
        let mut retry: Option<(usize, &str)> = None;
        loop {
            match self.parts.get(part) {
                Some(Part::AnySequence) => {
                    part += 1;
                    retry = Some((part, rest));
                    continue;
                }
                Some(Part::Literal(literal)) => {
                    if let Some(after) = rest.strip_prefix(literal.as_str()) {
                        (part, rest) = (part + 1, after);
                        continue;
                    }
                }
                Some(Part::AnyCharacter) => {
                    if let Some(after) = without_first(rest) {
                        (part, rest) = (part + 1, after);
                        continue;
                    }
                }
                None if rest.is_empty() => return true,
                None => {}
            }
            let Some((resume, from)) = retry else { return false };
            let Some(after) = without_first(from) else { return false };
            retry = Some((resume, after));
            (part, rest) = (resume, after);
        }
    }
}

fn without_first(text: &str) -> Option<&str> {
    let mut characters = text.chars();
    characters.next().map(|_| characters.as_str())
}
