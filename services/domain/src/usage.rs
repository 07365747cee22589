//! What is known of the use of workspaces in a period: the facts that usage reports are computed from.

use std::collections::HashMap;

/// A text that occurs often, by its number in [`Symbols`]; 0 is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Symbol(u32);

impl Symbol {
    /// No text at all.
    pub const NONE: Self = Self(0);

    /// Whether there is a text.
    pub fn is_some(self) -> bool {
        self != Self::NONE
    }

    /// The other one, where there is no text.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        if self.is_some() { self } else { other }
    }
}

/// Texts that occur often, each once.
#[derive(Debug, Clone, Default)]
pub struct Symbols {
    numbers: HashMap<String, u32>,
    texts: Vec<String>,
}

impl Symbols {
    /// The symbol of a text, which is new perhaps; that of an empty one is none.
    pub fn intern(&mut self, text: &str) -> Symbol {
        if text.is_empty() {
            return Symbol::NONE;
        }
        if let Some(number) = self.numbers.get(text) {
            return Symbol(*number);
        }
        self.texts.push(text.to_owned());
        let number = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
        self.numbers.insert(text.to_owned(), number);
        Symbol(number)
    }

    /// The symbol of a text that is there.
    pub fn find(&self, text: &str) -> Symbol {
        self.numbers.get(text).map_or(Symbol::NONE, |number| Symbol(*number))
    }

    /// The text of a symbol; nothing for none.
    pub fn text(&self, symbol: Symbol) -> Option<&str> {
        let index = usize::try_from(symbol.0).ok()?.checked_sub(1)?;
        self.texts.get(index).map(String::as_str)
    }
}

/// A stretch of time within the period, in microseconds since 1970 UTC: from its beginning, and up to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// Its first microsecond.
    pub began: i64,
    /// The microsecond after its last.
    pub ended: i64,
}

impl Span {
    /// How long it is, in microseconds.
    pub fn micros(self) -> i64 {
        (self.ended - self.began).max(0)
    }

    /// What it has in common with another, if anything.
    pub fn and(self, other: Self) -> Option<Self> {
        let both = Self { began: self.began.max(other.began), ended: self.ended.min(other.ended) };
        (both.began < both.ended).then_some(both)
    }

    /// Whether a moment is in it.
    pub fn includes(self, moment: i64) -> bool {
        self.began <= moment && moment < self.ended
    }
}

/// A workspace cost something, or ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charge {
    /// When.
    pub span: Span,
    /// Credits per day.
    pub cost: u64,
    /// Whether it ran: what is stopped may still cost something.
    pub running: bool,
    /// Organization it was in.
    pub organization: Symbol,
    /// Whose quota it was.
    pub user: Symbol,
    /// Which workspace.
    pub workspace: Symbol,
    /// Its template, where the ledger says so.
    pub template: Symbol,
}

/// Somebody was in a workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Visit {
    /// When.
    pub span: Span,
    /// Which workspace.
    pub workspace: Symbol,
}

/// Somebody was in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Membership {
    /// When.
    pub span: Span,
    /// A user in a group, a group in a group, or a user in an organization.
    pub kind: MembershipKind,
    /// The group, or the organization's name.
    pub group: Symbol,
    /// The user or the group.
    pub member: Symbol,
}

/// What is in what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MembershipKind {
    /// A user in a group.
    User,
    /// A group in a group.
    Group,
    /// A user in an organization.
    Organization,
}

/// A group gave its members so much from then on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AllowanceChange {
    /// The group.
    pub group: Symbol,
    /// When.
    pub at: i64,
    /// Credits per day and member.
    pub allowance: u64,
}

/// A build was refused for its cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Denial {
    /// When.
    pub at: i64,
    /// Organization it was in.
    pub organization: Symbol,
    /// Whose quota it was.
    pub user: Symbol,
    /// Which workspace, where that is known.
    pub workspace: Symbol,
    /// Its template, where that is known.
    pub template: Symbol,
}

/// What a thing was called and whose it was from then on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// `user`, `group`, `template`, `workspace` or `organization`.
    pub kind: Symbol,
    /// Its id.
    pub id: Symbol,
    /// Its name.
    pub name: Symbol,
    /// Organization it is in.
    pub organization: Symbol,
    /// Owner of a workspace.
    pub owner: Symbol,
    /// Template of a workspace.
    pub template: Symbol,
    /// A group of everyone in its organization.
    pub everyone: bool,
    /// When.
    pub at: i64,
}

/// All that is known of a period.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The texts of the symbols.
    pub symbols: Symbols,
    /// What workspaces cost, and when they ran.
    pub charges: Vec<Charge>,
    /// When somebody was in them.
    pub sessions: Vec<Visit>,
    /// Who was in which group.
    pub memberships: Vec<Membership>,
    /// What groups gave, in the order in which it became known; also before the period.
    pub allowances: Vec<AllowanceChange>,
    /// What was refused.
    pub denials: Vec<Denial>,
    /// How things were called, in the order in which it became known; also before and after the period.
    pub labels: Vec<Label>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_one_symbol_and_an_empty_one_has_none() {
        let mut symbols = Symbols::default();
        let ada = symbols.intern("ada");
        assert_eq!((symbols.intern("ada"), symbols.find("ada")), (ada, ada));
        assert_eq!((symbols.intern(""), symbols.find("bob")), (Symbol::NONE, Symbol::NONE));
        assert_eq!((symbols.text(ada), symbols.text(Symbol::NONE)), (Some("ada"), None));
        assert_eq!(Symbol::NONE.or(ada), ada);
    }

    #[test]
    fn spans_have_what_lies_in_both() {
        let span = |began, ended| Span { began, ended };
        assert_eq!(span(1, 5).and(span(3, 9)), Some(span(3, 5)));
        assert_eq!(span(1, 3).and(span(3, 9)), None);
        assert!(span(1, 3).includes(1) && !span(1, 3).includes(3));
    }
}
