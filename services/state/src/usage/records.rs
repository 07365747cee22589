//! Many rows in one text.

/// What stands between two fields of a record, and between two records. Neither is in any field.
pub(super) const SEPARATORS: [&str; 2] = ["\u{1f}", "\u{1e}"];

/// The fields of a record, one after the other.
pub(super) struct Record<'a>(std::str::Split<'a, char>);

impl<'a> Record<'a> {
    pub(super) fn text(&mut self) -> Option<&'a str> {
        self.0.next()
    }

    pub(super) fn number(&mut self) -> Option<i64> {
        self.0.next()?.parse().ok()
    }
}

/// The records of a text.
pub(super) fn records(text: &str) -> impl Iterator<Item = Record<'_>> {
    text.split('\u{1e}').filter(|record| !record.is_empty()).map(|record| Record(record.split('\u{1f}')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_field_by_field() {
        let mut read = records("1\u{1f}ada\u{1f}\u{1e}2\u{1f}\u{1f}x");
        let mut first = read.next().unwrap();
        assert_eq!((first.number(), first.text(), first.text(), first.text()), (Some(1), Some("ada"), Some(""), None));
        let mut second = read.next().unwrap();
        assert_eq!((second.number(), second.text(), second.text()), (Some(2), Some(""), Some("x")));
        assert!(read.next().is_none() && records("").next().is_none());
    }
}
