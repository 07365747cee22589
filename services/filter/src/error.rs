//! What is wrong with a filter, where, and what was probably meant.

use std::fmt;
use std::ops::Range;

/// A text that is not a filter. The message is one lower-case sentence without a full stop.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, thiserror::Error)]
#[error("{message}{}", DidYouMean(suggestions))]
pub struct FilterError {
    /// Offset of the mistake in the text, in bytes; at most the text's length.
    pub position: usize,
    /// The same in characters.
    pub character: usize,
    /// How many characters are wrong, at least 1 except at the end of the text.
    pub length: usize,
    /// What is wrong.
    pub message: String,
    /// What may have been meant, best first: texts to put in place of the marked one.
    pub suggestions: Vec<String>,
}

impl FilterError {
    /// A mistake in `input` at the bytes `span`, which lie on character boundaries.
    pub(crate) fn new(input: &str, span: Range<usize>, message: impl Into<String>) -> Self {
        let before = input.get(..span.start).unwrap_or(input);
        let marked = input.get(span).unwrap_or_default();
        Self {
            position: before.len(),
            character: before.chars().count(),
            length: marked.chars().count(),
            message: message.into(),
            suggestions: Vec::new(),
        }
    }

    /// The same with suggestions.
    pub(crate) fn suggesting(self, suggestions: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { suggestions: suggestions.into_iter().map(Into::into).collect(), ..self }
    }

    /// The part of `input` around the mistake, with carets below it and the message after them.
    pub fn render(&self, input: &str) -> String {
        const CONTEXT: usize = 60;
        let skipped = self.character.saturating_sub(CONTEXT);
        let shown = (self.character - skipped) + self.length.max(1) + CONTEXT;
        let line: String =
            input.chars().skip(skipped).take(shown).map(|c| if c.is_control() { ' ' } else { c }).collect();
        let indent = " ".repeat(self.character - skipped);
        let carets = "^".repeat(self.length.clamp(1, CONTEXT));
        format!("{line}\n{indent}{carets} {self}")
    }
}

/// The suggestions in words.
struct DidYouMean<'a>(&'a [String]);

impl fmt::Display for DidYouMean<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, suggestion) in self.0.iter().enumerate() {
            let lead = match index {
                0 => "; did you mean",
                _ if index + 1 == self.0.len() => " or",
                _ => ",",
            };
            write!(f, "{lead} `{suggestion}`")?;
        }
        if self.0.is_empty() { Ok(()) } else { f.write_str("?") }
    }
}

/// The candidates most like `word`, best first, at most three.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let word = word.to_lowercase();
    let mut ranked: Vec<(usize, &str)> = candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len().min(word.len()) / 4)
        .collect();
    ranked.sort_unstable();
    ranked.dedup();
    ranked.into_iter().take(3).map(|(_, candidate)| candidate.to_owned()).collect()
}
