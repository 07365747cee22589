//! Lines from chunks of output, without secrets even where one is torn apart.

use super::masker::{Masker, cut, redact};

/// Longer lines are continued in the next one.
const LONGEST_LINE: usize = 8 << 10;
/// A line is held back for the sake of so many bytes of a secret at its end.
const HELD_BACK: usize = 4;

/// Text that waits for what comes after it.
#[derive(Debug)]
struct Pending<T> {
    tag: T,
    text: String,
    /// Which of its bytes are known to belong to a secret.
    hidden: Vec<bool>,
}

/// Masks lines that come one after the other. One is held back while its end may be the beginning of a secret: the
/// next one tells. `T` is what else there is to know about a line.
#[derive(Debug)]
pub(crate) struct Lines<T> {
    masker: Masker,
    /// The last characters that were given: a secret may have begun there.
    given: String,
    pending: Vec<Pending<T>>,
}

impl<T: Clone> Lines<T> {
    /// Nothing said yet.
    pub(crate) fn new(masker: Masker) -> Self {
        Self { masker, given: String::new(), pending: Vec::new() }
    }

    /// More secrets are known from now on.
    pub(crate) fn learn<'a>(&mut self, secrets: impl IntoIterator<Item = &'a str>) {
        self.masker.add(secrets);
    }

    /// A text without secrets, apart from what is said.
    pub(crate) fn mask(&self, text: &str) -> String {
        self.masker.mask(text)
    }

    /// Takes a line and gives those that are ready.
    pub(crate) fn push(&mut self, tag: T, text: &str) -> Vec<(T, String)> {
        let mut rest = text;
        loop {
            let piece = cut(rest, LONGEST_LINE);
            self.pending.push(Pending { tag: tag.clone(), text: piece.to_owned(), hidden: vec![false; piece.len()] });
            rest = rest.get(piece.len()..).unwrap_or_default();
            if rest.is_empty() || piece.is_empty() {
                break;
            }
        }
        let joined = self.mark();
        // No secret reaches from before this place to after the end.
        let unfinished = self.masker.unfinished(&joined);
        // Almost every line ends in what some secret begins with; so few characters tell nothing about it.
        let certain = if unfinished < HELD_BACK { joined.len() } else { joined.len() - unfinished };
        let mut end = self.given.len();
        let ready = self.pending.iter().take_while(|pending| {
            end += pending.text.len();
            end <= certain
        });
        let ready = ready.count();
        self.give(ready)
    }

    /// Gives what was held back.
    pub(crate) fn release(&mut self) -> Vec<(T, String)> {
        self.mark();
        self.give(self.pending.len())
    }

    fn give(&mut self, count: usize) -> Vec<(T, String)> {
        self.pending.iter().take(count).for_each(|pending| self.given.push_str(&pending.text));
        let kept = self.given.ceil_char_boundary(self.given.len().saturating_sub(HELD_BACK - 1));
        self.given.drain(..kept);
        let given = self.pending.drain(..count);
        given.map(|pending| (pending.tag, redact(&pending.text, &pending.hidden))).collect()
    }

    /// Marks what belongs to secrets in all that waits, and gives it as one text.
    fn mark(&mut self) -> String {
        let mut joined = self.given.clone();
        self.pending.iter().for_each(|pending| joined.push_str(&pending.text));
        let mut hidden = vec![false; joined.len()];
        self.masker.mark(&joined, &mut hidden);
        let mut marks = hidden.into_iter().skip(self.given.len());
        for pending in &mut self.pending {
            for byte in &mut pending.hidden {
                *byte |= marks.next().unwrap_or(false);
            }
        }
        joined
    }
}

/// Complete lines from bytes as they come.
#[derive(Debug, Default)]
pub(crate) struct Splitter {
    partial: Vec<u8>,
}

/// Terraform's own lines are long: they carry a resource's whole change.
const LONGEST_RAW: usize = 1 << 20;

impl Splitter {
    /// The lines that these bytes complete.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.partial.extend_from_slice(piece);
            if piece.ends_with(b"\n") || self.partial.len() >= LONGEST_RAW {
                lines.extend(self.finish());
            }
        }
        lines
    }

    /// What came after the last end of a line.
    pub(crate) fn finish(&mut self) -> Option<String> {
        if self.partial.is_empty() {
            return None;
        }
        let line = String::from_utf8_lossy(&self.partial).trim_end_matches(['\n', '\r']).to_owned();
        self.partial.clear();
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(secret: &str) -> Lines<u32> {
        let mut masker = Masker::default();
        masker.add([secret]);
        Lines::new(masker)
    }

    fn said(lines: &mut Lines<u32>, texts: &[&str]) -> Vec<String> {
        let mut said = Vec::new();
        for text in texts {
            said.extend(lines.push(0, text));
        }
        said.extend(lines.release());
        said.into_iter().map(|(_, text)| text).collect()
    }

    proptest! {
        #[test]
        fn a_secret_torn_into_lines_is_hidden(
            secret in "[a-zA-Z0-9+/]{8,32}",
            cuts in prop::collection::vec(1_usize..31, 0..4),
            around in "[ .,;]{0,8}",
        ) {
            let whole = format!("{around}{secret}{around}");
            let mut pieces = Vec::new();
            let mut from = 0;
            let mut cuts: Vec<usize> = cuts.into_iter().filter(|cut| *cut < whole.len()).collect();
            cuts.sort_unstable();
            cuts.dedup();
            for cut in cuts.into_iter().chain([whole.len()]) {
                pieces.push(&whole[from..cut]);
                from = cut;
            }
            let said = said(&mut lines(&secret), &pieces);
            prop_assert_eq!(said.len(), pieces.len());
            prop_assert!(!said.concat().contains(&secret));
            let kept: String = said.concat().replace("***", "");
            prop_assert!(kept.chars().filter(char::is_ascii_alphanumeric).count() < HELD_BACK, "{kept} is left");
        }
    }

    #[test]
    fn lines_come_at_once_unless_they_may_end_in_a_secret() {
        let mut lines = lines("hunter22");
        assert_eq!(lines.push(1, "hello"), [(1, "hello".to_owned())]);
        assert!(lines.push(2, "it is hunt").is_empty());
        assert_eq!(lines.push(3, "ing"), [(2, "it is hunt".to_owned()), (3, "ing".to_owned())]);
        assert!(lines.push(4, "it is hunt").is_empty());
        assert_eq!(lines.push(5, "er22!"), [(4, "it is ***".to_owned()), (5, "***!".to_owned())]);
        assert_eq!(lines.push(6, "it is hun"), [(6, "it is hun".to_owned())]);
        assert_eq!(lines.push(7, "ter22!"), [(7, "***!".to_owned())]);
    }

    #[test]
    fn a_long_line_is_cut_and_its_secret_hidden_across_the_cut() {
        let mut lines = lines("hunter22");
        let text = format!("{}hunter22", "x".repeat(LONGEST_LINE - 4));
        let said = lines.push(1, &text);
        assert_eq!(said.len(), 2);
        assert!(said[0].1.ends_with("x***") && said[1].1 == "***");
    }

    #[test]
    fn bytes_become_lines_however_they_come() {
        let mut splitter = Splitter::default();
        assert!(splitter.push(b"on").is_empty());
        assert_eq!(splitter.push(b"e\r\ntwo\nth"), ["one", "two"]);
        assert_eq!(splitter.finish().as_deref(), Some("th"));
        assert_eq!(splitter.finish(), None);
    }
}
