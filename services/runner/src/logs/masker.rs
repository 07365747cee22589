//! Masking: values that must not be read are replaced wherever they show up, whole or in pieces.

use std::collections::BTreeSet;
use std::ops::Bound;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, MatchKind};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// What stands in place of a secret.
pub(crate) const MASK: &str = "***";
/// Shorter values would make holes in every text, and hide nothing that could not be guessed.
const SHORTEST: usize = 4;
/// Shorter lines of a secret of many lines are ordinary words, brackets or the like.
const SHORTEST_LINE: usize = 8;
/// A secret longer than this is known by its beginning.
const LONGEST: usize = 16 << 10;

/// Knows a job's secrets and finds them in text.
#[derive(Debug, Clone, Default)]
pub struct Masker {
    forms: BTreeSet<String>,
    finder: Option<AhoCorasick>,
    longest: usize,
}

impl Masker {
    /// Takes in more secrets.
    pub fn add<'a>(&mut self, secrets: impl IntoIterator<Item = &'a str>) {
        let before = self.forms.len();
        for secret in secrets {
            self.add_forms(secret);
        }
        if self.forms.len() == before {
            return;
        }
        self.longest = self.forms.iter().map(String::len).max().unwrap_or(0);
        self.finder = AhoCorasickBuilder::new().match_kind(MatchKind::LeftmostLongest).build(&self.forms).ok();
    }

    fn add_forms(&mut self, secret: &str) {
        let secret = cut(secret.trim(), LONGEST);
        if secret.len() < SHORTEST {
            return;
        }
        let mut plain = vec![secret.to_owned()];
        if secret.contains(['\n', '\r']) {
            plain.push(secret.replace(['\n', '\r'], ""));
            let lines = secret.lines().map(str::trim).filter(|line| line.len() >= SHORTEST_LINE);
            plain.extend(lines.map(str::to_owned));
        }
        for text in plain {
            let escaped = serde_json::to_string(&text).unwrap_or_default();
            self.forms.insert(escaped.trim_matches('"').to_owned());
            // As Go writes JSON.
            self.forms.insert(
                escaped.trim_matches('"').replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026"),
            );
            let encoded = utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string();
            self.forms.insert(encoded.replace("%20", "+"));
            for kept in ["-._~", "-._~!'()*", "-._~/", "-._~:/?#[]@!$&'()*+,;="] {
                self.forms.insert(percent_encoded(&text, kept));
            }
            self.forms.insert(encoded.to_lowercase());
            self.forms.insert(encoded);
            self.forms.insert(hex(&text));
            self.forms.insert(hex(&text).to_uppercase());
            self.forms.extend(base64_forms(text.as_bytes()));
            self.forms.insert(text);
        }
    }

    /// The text without secrets.
    pub fn mask(&self, text: &str) -> String {
        let mut hidden = vec![false; text.len()];
        self.mark(text, &mut hidden);
        redact(text, &hidden)
    }

    /// Marks the bytes that belong to a secret.
    pub(super) fn mark(&self, text: &str, hidden: &mut [bool]) {
        let Some(finder) = &self.finder else { return };
        // Secrets may overlap: after each find the search goes on one character further.
        let mut from = 0;
        while let Some(found) = text.get(from..).and_then(|rest| finder.find(rest)) {
            let (start, end) = (from + found.start(), from + found.end());
            hidden.iter_mut().take(end).skip(start).for_each(|byte| *byte = true);
            from = start + text.get(start..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8);
        }
    }

    /// How many bytes at the end of the text may be the beginning of a secret that goes on after it.
    pub(super) fn unfinished(&self, text: &str) -> usize {
        let longest = self.longest.saturating_sub(1).min(text.len());
        let starts = (text.len() - longest..text.len()).filter(|start| text.is_char_boundary(*start));
        let begins = |tail: &str| {
            let after = self.forms.range::<str, _>((Bound::Included(tail), Bound::Unbounded)).next();
            after.is_some_and(|form| form.len() > tail.len() && form.starts_with(tail))
        };
        let mut unfinished = starts.filter(|start| text.get(*start..).is_some_and(begins));
        unfinished.next().map_or(0, |start| text.len() - start)
    }
}

/// The text with every marked run of bytes replaced.
pub(super) fn redact(text: &str, hidden: &[bool]) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut in_secret = false;
    for (at, character) in text.char_indices() {
        let hide = hidden.get(at).copied().unwrap_or(false);
        if hide && !in_secret {
            masked.push_str(MASK);
        } else if !hide {
            masked.push(character);
        }
        in_secret = hide;
    }
    masked
}

/// At most so many bytes of the text.
pub(super) fn cut(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or(text)
}

fn hex(text: &str) -> String {
    use std::fmt::Write;
    text.bytes().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").ok();
        hex
    })
}

fn percent_encoded(text: &str, kept: &str) -> String {
    let encode = |character: char| {
        if character.is_ascii_alphanumeric() || kept.contains(character) {
            character.to_string()
        } else {
            utf8_percent_encode(&character.to_string(), NON_ALPHANUMERIC).to_string()
        }
    };
    text.chars().map(encode).collect()
}

/// What base64 makes of these bytes wherever they stand in something longer: at each of the three offsets, the
/// characters that depend on nothing else.
fn base64_forms(bytes: &[u8]) -> BTreeSet<String> {
    let mut forms = BTreeSet::new();
    for offset in 0..3_usize {
        let mut shifted = vec![0; offset];
        shifted.extend_from_slice(bytes);
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let encoded = engine.encode(&shifted);
            // The first characters also hold bits of what stands before, the last one of what comes after.
            let first = (offset * 8).div_ceil(6);
            let last = shifted.len() * 8 / 6;
            let certain = encoded.get(first..last).unwrap_or_default();
            if certain.len() >= SHORTEST {
                forms.insert(certain.to_owned());
            }
        }
    }
    forms
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};
    use proptest::prelude::*;

    use super::*;

    fn masker(secret: &str) -> Masker {
        let mut masker = Masker::default();
        masker.add([secret]);
        masker
    }

    proptest! {
        #[test]
        fn no_form_of_a_secret_is_left(
            secret in "[ -~äöü€]{0,2}[!-~]{4,40}[ -~äöü€]{0,2}",
            before in "[ -~]{0,12}",
            after in "[ -~]{0,12}",
        ) {
            let secret = secret.trim();
            let masker = masker(secret);
            let whole = format!("{before}{secret}{after}");
            prop_assert!(!masker.mask(&whole).contains(secret));
            let encoded = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
            let link = format!("{before}{encoded}{after}");
            prop_assert!(!masker.mask(&link).contains(&encoded));
            let quoted = serde_json::to_string(&whole).unwrap();
            prop_assert!(!masker.mask(&quoted).contains(serde_json::to_string(secret).unwrap().trim_matches('"')));
            for encoded in [STANDARD.encode(&whole), URL_SAFE.encode(&whole)] {
                // What is left of it tells at most the first and the last bytes.
                for form in base64_forms(secret.as_bytes()) {
                    prop_assert!(!masker.mask(&encoded).contains(&form));
                }
                prop_assert!(masker.mask(&encoded).contains(MASK));
            }
        }

        #[test]
        fn other_text_is_untouched(secret in "[a-z]{6,12}", text in "[A-Z0-9 ]{0,60}") {
            // Hex of it has digits and letters a to f, and base64 both cases: text long enough may hold one by chance.
            let masker = masker(&secret);
            if !masker.forms.iter().any(|form| text.contains(form.as_str())) {
                prop_assert_eq!(masker.mask(&text), text);
            }
        }
    }

    #[test]
    fn each_line_of_a_key_is_a_secret_and_its_brackets_are_not() {
        let masker = masker("{\n  hunter2-hunter2\n  correct-horse\n}");
        assert_eq!(masker.mask("a hunter2-hunter2 { b correct-horse }"), "a *** { b *** }");
    }

    #[test]
    fn overlapping_secrets_are_both_hidden() {
        let mut masker = Masker::default();
        masker.add(["abcdef", "defghi"]);
        assert_eq!(masker.mask("x abcdefghi y"), "x *** y");
        assert_eq!(masker.mask("defghi abcdef"), "*** ***");
    }

    #[test]
    fn short_values_make_no_holes() {
        let mut masker = Masker::default();
        masker.add(["", "1", "yes"]);
        assert_eq!(masker.mask("1 yes 11"), "1 yes 11");
    }

    #[test]
    fn a_beginning_at_the_end_is_seen() {
        let masker = masker("hunter22");
        assert_eq!(masker.unfinished("so hunt"), 4);
        assert_eq!(masker.unfinished("so what"), 0);
        assert_eq!(masker.unfinished("so hunter22"), 0);
    }
}
