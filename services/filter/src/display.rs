//! The canonical text of a filter.

use std::fmt::{self, Display, Formatter, Write};
use std::ops::Bound;

use crate::ast::{Expr, Filter, Interval, Path, PathRoot, Predicate, Range, Side};
use crate::coder;
use crate::fields::Field;
use crate::keys::is_name_character;
use crate::pattern::{Part, Pattern};

impl Display for Filter {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.root.fmt(f)
    }
}

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_char('*'),
            Self::And(terms) => joined(f, terms, " AND ", |term| matches!(term, Self::Or(_) | Self::And(_))),
            Self::Or(terms) => joined(f, terms, " OR ", |term| matches!(term, Self::Or(_))),
            Self::Not(term) => {
                f.write_str("NOT ")?;
                grouped(f, term, matches!(**term, Self::And(_) | Self::Or(_)))
            }
            Self::Text(pattern) => {
                text(f, pattern, &|bare| bare.starts_with("changes.") || bare.starts_with("changed."))
            }
            Self::Field { field, predicate } => {
                write!(f, "{}:", field.name()).and_then(|()| asked(f, *field, predicate))
            }
            Self::Path { path, predicate } => write!(f, "{path}:").and_then(|()| asked_at_path(f, predicate)),
            Self::OngoingSession => f.write_str("status:ongoing"),
        }
    }
}

fn grouped(f: &mut Formatter<'_>, term: &Expr, parentheses: bool) -> fmt::Result {
    if parentheses { write!(f, "({term})") } else { write!(f, "{term}") }
}

fn joined(f: &mut Formatter<'_>, terms: &[Expr], between: &str, parentheses: fn(&Expr) -> bool) -> fmt::Result {
    for (index, term) in terms.iter().enumerate() {
        if index > 0 {
            f.write_str(between)?;
        }
        grouped(f, term, parentheses(term))?;
    }
    Ok(())
}

fn listed(
    f: &mut Formatter<'_>,
    items: &[Predicate],
    write: impl Fn(&mut Formatter<'_>, &Predicate) -> fmt::Result,
) -> fmt::Result {
    f.write_char('(')?;
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            f.write_str(", ")?;
        }
        write(f, item)?;
    }
    f.write_char(')')
}

fn asked(f: &mut Formatter<'_>, field: Field, predicate: &Predicate) -> fmt::Result {
    let reserved = |bare: &str| {
        coder::is_short_name(field, bare)
            || bare.eq_ignore_ascii_case("me")
            || (field == Field::Type && coder::is_unknown_type(bare))
    };
    match predicate {
        Predicate::Exists => f.write_char('*'),
        Predicate::Equals(value) => text(f, &Pattern::literal(value.as_str()), &reserved),
        Predicate::Wildcard(pattern) => text(f, pattern, &reserved),
        Predicate::Integer(range) => match range {
            Range { from: Some(from), until: Some(until) } if *until == from + 1 => from.fmt(f),
            range => ends(f, range),
        },
        Predicate::During(range) => ends(f, range),
        Predicate::Number(interval) => interval.fmt(f),
        Predicate::Network(network) if network.prefix_len() == network.max_prefix_len() => network.addr().fmt(f),
        Predicate::Network(network) => network.fmt(f),
        Predicate::AnyOf(items) => listed(f, items, |f, item| asked(f, field, item)),
    }
}

fn asked_at_path(f: &mut Formatter<'_>, predicate: &Predicate) -> fmt::Result {
    match predicate {
        Predicate::Exists => f.write_char('*'),
        Predicate::Equals(value) => text(f, &Pattern::literal(value.as_str()), &|bare| bare.contains('/')),
        Predicate::Wildcard(pattern) => text(f, pattern, &|_| false),
        Predicate::Integer(range) => ends(f, range),
        Predicate::During(range) => ends(f, range),
        Predicate::Number(interval) => interval.fmt(f),
        Predicate::Network(network) => network.fmt(f),
        Predicate::AnyOf(items) => listed(f, items, asked_at_path),
    }
}

fn ends<T: Display>(f: &mut Formatter<'_>, range: &Range<T>) -> fmt::Result {
    if let Some(from) = &range.from {
        from.fmt(f)?;
    }
    f.write_str("..")?;
    if let Some(until) = &range.until {
        write!(f, "<{until}")?;
    }
    Ok(())
}

impl Display for Interval {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.lower {
            Bound::Included(lower) => write!(f, "{lower}")?,
            Bound::Excluded(lower) => write!(f, "{lower}<")?,
            Bound::Unbounded => {}
        }
        f.write_str("..")?;
        match self.upper {
            Bound::Included(upper) => write!(f, "{upper}"),
            Bound::Excluded(upper) => write!(f, "<{upper}"),
            Bound::Unbounded => Ok(()),
        }
    }
}

impl Display for Path {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.root.member())?;
        for segment in &self.segments {
            f.write_char('.')?;
            let side = matches!(self.root, PathRoot::Changes(_)) && matches!(segment.as_str(), "old" | "new");
            if side || segment.is_empty() || !segment.chars().all(is_name_character) {
                quoted(f, &Pattern::literal(segment.as_str()))?;
            } else {
                f.write_str(segment)?;
            }
        }
        match self.root {
            PathRoot::Changes(Side::Old) => f.write_str(".old"),
            PathRoot::Changes(Side::New) => f.write_str(".new"),
            _ => Ok(()),
        }
    }
}

/// A word without quotes where that is safe: plain characters, and nothing that would be read as more than text.
fn text(f: &mut Formatter<'_>, pattern: &Pattern, reserved: &dyn Fn(&str) -> bool) -> fmt::Result {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '@' | '/');
    let bare = pattern.parts().iter().all(|part| match part {
        Part::Literal(text) => text.chars().all(plain) && !text.contains("..") && !reserved(text),
        _ => true,
    });
    let first = match pattern.parts().first() {
        Some(Part::Literal(text)) => text.starts_with(char::is_alphanumeric) && !is_keyword(text),
        Some(_) => true,
        None => false,
    };
    if !bare || !first {
        return quoted(f, pattern);
    }
    for part in pattern.parts() {
        match part {
            Part::Literal(text) => f.write_str(text)?,
            Part::AnyCharacter => f.write_char('?')?,
            Part::AnySequence => f.write_char('*')?,
        }
    }
    Ok(())
}

fn is_keyword(text: &str) -> bool {
    matches!(text, "AND" | "OR" | "NOT")
}

fn quoted(f: &mut Formatter<'_>, pattern: &Pattern) -> fmt::Result {
    f.write_char('"')?;
    for part in pattern.parts() {
        match part {
            Part::AnyCharacter => f.write_char('?')?,
            Part::AnySequence => f.write_char('*')?,
            Part::Literal(text) => {
                for character in text.chars() {
                    match character {
                        '"' | '\\' | '*' | '?' => write!(f, "\\{character}")?,
                        '\n' => f.write_str("\\n")?,
                        c if c.is_control() => write!(f, "\\u{{{:x}}}", u32::from(c))?,
                        c => f.write_char(c)?,
                    }
                }
            }
        }
    }
    f.write_char('"')
}
