//! What a value means for a field or a path.

use std::ops::Bound;

use crate::ast::{Interval, Path, Predicate, Range};
use crate::cursor::Word;
use crate::error::{FilterError, nearest};
use crate::fields::{Case, Field, FieldKind};
use crate::network;
use crate::parser::Parser;
use crate::pattern::Part;
use crate::raw::{Comparison, End, Form, Raw};
use crate::time;

/// The first value a word stands for, the first beyond it, and whether it alone means "from there on".
type Extent<T> = (T, T, bool);

impl Parser<'_> {
    /// What `raw` asks of `field`.
    pub(crate) fn field_predicate(&self, field: Field, raw: &Raw) -> Result<Predicate, FilterError> {
        if raw.word().is_some_and(|word| word.pattern.parts() == [Part::AnySequence]) {
            return Ok(Predicate::Exists);
        }
        match field.kind() {
            FieldKind::Text(case) | FieldKind::TextList(case) => self.text_predicate(field, case, raw),
            FieldKind::Enumeration(values) => self.enumerated(field, values, raw),
            FieldKind::Integer => self.range(raw, |word| self.integer(word)).map(Predicate::Integer),
            FieldKind::Time => self.range(raw, |word| self.moment(word)).map(Predicate::During),
            FieldKind::Ip => self.network(field, raw),
        }
    }

    fn unordered<'r>(&self, field: Field, raw: &'r Raw) -> Result<&'r Word, FilterError> {
        raw.word().ok_or_else(|| {
            let message = format!("`{}` cannot be compared by size; give a value or a pattern", field.name());
            self.cursor.error_in(raw.span.clone(), message)
        })
    }

    fn text_predicate(&self, field: Field, case: Case, raw: &Raw) -> Result<Predicate, FilterError> {
        let word = self.unordered(field, raw)?;
        if let Some(me) = self.me(field, word)? {
            return Ok(Predicate::Equals(me));
        }
        let pattern = match case {
            Case::Exact => word.pattern.clone(),
            Case::Insensitive => word.pattern.to_lowercase(),
        };
        Ok(match pattern.as_literal() {
            _ if field == Field::Event => Predicate::Wildcard(pattern.contained()),
            Some(text) => Predicate::Equals(text.to_owned()),
            None => Predicate::Wildcard(pattern),
        })
    }

    /// The caller's name, where `word` asks for it.
    fn me(&self, field: Field, word: &Word) -> Result<Option<String>, FilterError> {
        let people = matches!(field, Field::Actor | Field::ActorName | Field::ResourceOwner | Field::ActorOnBehalfOf);
        if !people || !word.bare().is_some_and(|text| text.eq_ignore_ascii_case("me")) {
            return Ok(None);
        }
        let unknown = || self.cursor.error_in(word.span.clone(), "nobody is signed in whom `me` could stand for");
        self.context.me.as_deref().map(str::to_lowercase).map(Some).ok_or_else(unknown)
    }

    fn enumerated(&self, field: Field, values: &[&str], raw: &Raw) -> Result<Predicate, FilterError> {
        let word = self.unordered(field, raw)?;
        let pattern = word.pattern.to_lowercase();
        let known = values.iter().any(|value| pattern.matches(value));
        match pattern.as_literal() {
            Some(text) if known => Ok(Predicate::Equals(text.to_owned())),
            None if known => Ok(Predicate::Wildcard(pattern)),
            text => {
                let similar = nearest(text.unwrap_or_default(), values.iter().copied());
                let message = format!("`{}` is one of {}", field.name(), values.join(", "));
                Err(self.cursor.error_in(word.span.clone(), message).suggesting(similar))
            }
        }
    }

    fn network(&self, field: Field, raw: &Raw) -> Result<Predicate, FilterError> {
        let word = self.unordered(field, raw)?;
        let Some(text) = word.pattern.as_literal() else {
            return Ok(Predicate::Wildcard(word.pattern.to_lowercase()));
        };
        network::parse(text).map(Predicate::Network).ok_or_else(|| {
            let message = "this is no IP address or network such as 10.0.0.0/8, 2001:db8::/32 or 10.1.*";
            self.cursor.error_in(word.span.clone(), message).suggesting(network::completed(text))
        })
    }

    fn integer(&self, word: &Word) -> Result<Extent<i64>, FilterError> {
        let text = word.pattern.as_literal().unwrap_or_default();
        let digits = text.bytes().all(|b| b.is_ascii_digit());
        let limit = i64::try_from(chancery_domain::validate::MAX_INTEGER).unwrap_or(i64::MAX);
        match text.parse::<i64>() {
            Ok(number) if digits && number <= limit => Ok((number, number + 1, false)),
            _ => Err(self.cursor.error_in(word.span.clone(), format!("write a whole number from 0 to {limit}"))),
        }
    }

    pub(crate) fn moment(&self, word: &Word) -> Result<Extent<chancery_domain::Timestamp>, FilterError> {
        let text = word.pattern.as_literal().ok_or_else(|| time::EXAMPLES.to_owned());
        text.and_then(|text| time::parse(text, self.context))
            .map(|moment| (moment.start, moment.end, moment.relative))
            .map_err(|message| {
                let similar = nearest(word.bare().unwrap_or_default(), ["now", "today", "yesterday", "tomorrow"]);
                self.cursor.error_in(word.span.clone(), message).suggesting(similar)
            })
    }

    /// The range of a discrete type that `raw` writes; `read` gives the first value of a word and the first
    /// beyond it, and whether the word alone means "from there on".
    pub(crate) fn range<T: PartialOrd + Copy>(
        &self,
        raw: &Raw,
        read: impl Fn(&Word) -> Result<Extent<T>, FilterError>,
    ) -> Result<Range<T>, FilterError> {
        let (from, until) = match &raw.form {
            Form::Word(word) => {
                let (start, end, open) = read(word)?;
                (Some(start), if open { None } else { Some(end) })
            }
            Form::Compare(comparison, word) => {
                let (start, end, _) = read(word)?;
                match comparison {
                    Comparison::AtLeast => (Some(start), None),
                    Comparison::Greater => (Some(end), None),
                    Comparison::AtMost => (None, Some(end)),
                    Comparison::Less => (None, Some(start)),
                }
            }
            Form::Between { from, to, .. } => {
                let pick = |end: &End, start_if: bool| {
                    read(&end.word).map(|(start, beyond, _)| if end.excluded == start_if { start } else { beyond })
                };
                (
                    from.as_ref().map(|end| pick(end, false)).transpose()?,
                    to.as_ref().map(|end| pick(end, true)).transpose()?,
                )
            }
        };
        match (from, until) {
            (None, None) => Err(self.cursor.error_in(raw.span.clone(), "a range needs at least one end")),
            (Some(from), Some(until)) if from >= until => Err(self.upside_down(raw)),
            _ => Ok(Range { from, until }),
        }
    }

    fn upside_down(&self, raw: &Raw) -> FilterError {
        self.cursor.error_in(raw.span.clone(), "this range ends before it begins")
    }

    /// What `raw` asks of the value at a path.
    pub(crate) fn path_predicate(&self, path: &Path, raw: &Raw) -> Result<Predicate, FilterError> {
        match &raw.form {
            Form::Word(word) => Ok(path_text(word)),
            Form::Compare(comparison, word) => match word.pattern.as_literal().and_then(number) {
                Some(number) => Ok(Predicate::Number(comparison.interval(number))),
                None => self.range(raw, |word| self.moment(word)).map(Predicate::During).map_err(|_| {
                    let message = format!("`{path}` can be compared with a number or a time");
                    self.cursor.error_in(word.span.clone(), message)
                }),
            },
            Form::Between { from, to, whole } => {
                if let Some(interval) = interval(from.as_ref(), to.as_ref()) {
                    return if interval.is_empty() {
                        Err(self.upside_down(raw))
                    } else {
                        Ok(Predicate::Number(interval))
                    };
                }
                let during = self.range(raw, |word| self.moment(word)).map(Predicate::During);
                during.or_else(|error| whole.as_ref().map(path_text).ok_or(error))
            }
        }
    }
}

fn path_text(word: &Word) -> Predicate {
    let pattern = word.pattern.to_lowercase();
    if pattern.parts() == [Part::AnySequence] {
        return Predicate::Exists;
    }
    match pattern.as_literal() {
        Some(text) => match text.contains('/').then(|| word.bare().and_then(network::parse)).flatten() {
            Some(network) => Predicate::Network(network),
            None => Predicate::Equals(text.to_owned()),
        },
        None => Predicate::Wildcard(pattern),
    }
}

/// The interval between two numbers, when that is what the ends are.
fn interval(from: Option<&End>, to: Option<&End>) -> Option<Interval> {
    let bound = |end: Option<&End>| match end {
        None => Some(Bound::Unbounded),
        Some(End { word, excluded }) => {
            let number = word.pattern.as_literal().and_then(number)?;
            Some(if *excluded { Bound::Excluded(number) } else { Bound::Included(number) })
        }
    };
    let interval = Interval { lower: bound(from)?, upper: bound(to)? };
    (interval.lower != Bound::Unbounded || interval.upper != Bound::Unbounded).then_some(interval)
}

impl Comparison {
    fn interval(self, number: f64) -> Interval {
        let (lower, upper) = match self {
            Self::Less => (Bound::Unbounded, Bound::Excluded(number)),
            Self::AtMost => (Bound::Unbounded, Bound::Included(number)),
            Self::Greater => (Bound::Excluded(number), Bound::Unbounded),
            Self::AtLeast => (Bound::Included(number), Bound::Unbounded),
        };
        Interval { lower, upper }
    }
}

/// A finite number in JSON's notation.
pub(crate) fn number(text: &str) -> Option<f64> {
    let starts_well = text.strip_prefix('-').unwrap_or(text).starts_with(|c: char| c.is_ascii_digit());
    let numeric = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.' | b'e' | b'E'));
    (starts_well && numeric).then(|| text.parse().ok()).flatten().filter(|number: &f64| number.is_finite())
}

impl Predicate {
    /// Any of `predicates`; nothing when there are none.
    pub fn any_of(mut predicates: Vec<Predicate>) -> Option<Predicate> {
        if predicates.len() > 1 { Some(Predicate::AnyOf(predicates)) } else { predicates.pop() }
    }
}
