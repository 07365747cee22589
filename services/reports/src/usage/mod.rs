//! What was used of quotas in a period: by user, group, template or organization.
//!
//! Usage is the ledger's: from when to when a workspace had how many credits per day committed, whose quota they were of,
//! and whether it ran. All sums are exact; they are rounded once, to six places, when they are shown.

mod directory;
mod pieces;
mod table;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::str::FromStr;

use chancery_domain::usage::{Facts, Span, Symbol};

use crate::focus::Names;
use crate::{Credits, Period, Price};
use directory::Directory;
use pieces::{Piece, idle, peak};

/// What rows are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// A user's quota in an organization.
    User,
    /// A group: what its members used while they were in it.
    Group,
    /// A template.
    Template,
    /// An organization.
    Organization,
}

impl By {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
            Self::Template => "template",
            Self::Organization => "organization",
        }
    }
}

impl FromStr for By {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Self::User, Self::Group, Self::Template, Self::Organization];
        all.into_iter()
            .find(|by| by.as_str() == text)
            .ok_or_else(|| format!("`by` is user, group, template or organization, not `{text}`"))
    }
}

/// What is asked.
#[derive(Debug, Clone)]
pub struct Question {
    /// What rows are about.
    pub by: By,
    /// The period.
    pub period: Period,
    /// Up to when something can be known: what is not over goes on until then.
    pub until: i64,
    /// What a credit costs, if that is known.
    pub price: Option<Price>,
}

/// What one row is about; the whole of everything has neither.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Key {
    organization: Symbol,
    id: Symbol,
}

/// What one row says.
#[derive(Debug, Clone, Default)]
struct Sums {
    workspaces: BTreeSet<Symbol>,
    /// At the end of the period, and at its beginning.
    allowance: Option<(u64, u64)>,
    peak: u64,
    used: Credits,
    /// Of the month that the period ends in.
    month: Credits,
    denials: usize,
    /// Microseconds.
    idle: i64,
}

/// Computes the report. The facts must be of the period, and of what may be seen.
#[derive(Debug)]
pub struct Usage<'a> {
    facts: &'a Facts,
    question: &'a Question,
    directory: Directory,
    rows: BTreeMap<Key, Sums>,
    totals: Sums,
}

impl<'a> Usage<'a> {
    /// Computes it.
    pub fn new(facts: &'a Facts, question: &'a Question) -> Self {
        let directory = Directory::new(facts);
        let mut usage = Self { facts, question, directory, rows: BTreeMap::new(), totals: Sums::default() };
        usage.compute();
        usage
    }

    pub(crate) fn directory(&self) -> &Directory {
        &self.directory
    }

    /// What a user, a workspace and a template are called.
    pub(crate) fn names(&self, user: Option<&str>, workspace: Option<&str>, template: Option<&str>) -> Names<'_> {
        let find = |id: Option<&str>| id.map_or(Symbol::NONE, |id| self.facts.symbols.find(id));
        Names {
            user: self.text(self.directory.name_of_user(find(user))),
            workspace: self.text(self.directory.name_of_workspace(find(workspace))),
            template: self.text(self.directory.name_of_template(find(template))),
        }
    }

    fn compute(&mut self) {
        let charges: Vec<Piece> = self.facts.charges.iter().map(|it| Piece::of(it, &self.directory)).collect();
        let idle = idle(&charges, &self.facts.sessions);
        let month = self.month();
        let by_key = self.grouped(&charges);
        for (key, pieces) in &by_key {
            let sums = self.rows.entry(*key).or_default();
            (sums.used, sums.month, sums.peak) = (used(pieces, None), used(pieces, month), peak(pieces));
            sums.workspaces = pieces.iter().map(|piece| piece.workspace).collect();
        }
        for (key, pieces) in self.grouped(&idle) {
            self.rows.entry(key).or_default().idle = pieces.iter().map(|piece| piece.span.micros()).sum();
        }
        for denial in &self.facts.denials {
            let template = denial.template.or(self.directory.template_of(denial.workspace));
            for key in self.keys(denial.organization, denial.user, template, denial.at) {
                self.rows.entry(key).or_default().denials += 1;
            }
        }
        self.allow();
        self.totals.used = used(&charges, None);
        self.totals.month = used(&charges, month);
        self.totals.peak = peak(&charges);
        self.totals.idle = idle.iter().map(|piece| piece.span.micros()).sum();
        self.totals.denials = self.facts.denials.len();
        self.totals.workspaces = charges.iter().map(|piece| piece.workspace).collect();
    }

    /// The allowances of rows. Groups and organizations that have one are rows, also when nothing was used of it.
    fn allow(&mut self) {
        let (from, end) = (self.question.period.from, self.question.until.saturating_sub(1));
        if end < from {
            return;
        }
        let (before, after) = (self.directory.allowances(from), self.directory.allowances(end));
        let sums = |of: fn(&directory::Share) -> Key| {
            let mut sums: BTreeMap<Key, (u64, u64)> = BTreeMap::new();
            for share in &after {
                sums.entry(of(share)).or_default().0 += share.allowance;
            }
            for share in &before {
                sums.entry(of(share)).or_default().1 += share.allowance;
            }
            sums
        };
        let (sums, adds) = match self.question.by {
            By::User => (sums(|share| Key { organization: share.organization, id: share.user }), false),
            By::Group => (sums(|share| Key { organization: share.organization, id: share.group }), true),
            By::Organization => (sums(|share| Key { organization: share.organization, id: share.organization }), true),
            By::Template => (BTreeMap::new(), false),
        };
        for (key, allowance) in sums {
            if adds {
                self.rows.entry(key).or_default().allowance = Some(allowance);
            } else if let Some(row) = self.rows.get_mut(&key) {
                row.allowance = Some(allowance);
            }
        }
        if self.question.by != By::Template {
            for row in self.rows.values_mut() {
                row.allowance.get_or_insert((0, 0));
            }
            let total = |shares: &[directory::Share]| shares.iter().map(|share| share.allowance).sum();
            self.totals.allowance = Some((total(&after), total(&before)));
        }
    }

    /// What the month that the period ends in has of it.
    fn month(&self) -> Option<Span> {
        let Question { period, until, .. } = self.question;
        let month = Period::month_of(until.saturating_sub(1));
        let span = Span { began: period.from.max(month.from), ended: *until };
        (span.began < span.ended).then_some(span)
    }

    fn grouped(&self, pieces: &[Piece]) -> HashMap<Key, Vec<Piece>> {
        let mut grouped: HashMap<Key, Vec<Piece>> = HashMap::new();
        for piece in pieces {
            if self.question.by == By::Group {
                for (group, span) in self.directory.groups_of(piece.user) {
                    let organization = self.directory.organization_of(*group);
                    if let Some(span) = piece.span.and(*span)
                        && organization == piece.organization
                    {
                        grouped.entry(Key { organization, id: *group }).or_default().push(Piece { span, ..*piece });
                    }
                }
                continue;
            }
            for key in self.keys(piece.organization, piece.user, piece.template, piece.span.began) {
                grouped.entry(key).or_default().push(*piece);
            }
        }
        grouped
    }

    /// Which rows something is of, at a moment.
    fn keys(&self, organization: Symbol, user: Symbol, template: Symbol, at: i64) -> Vec<Key> {
        match self.question.by {
            By::User => vec![Key { organization, id: user }],
            By::Template => vec![Key { organization, id: template }],
            By::Organization => vec![Key { organization, id: organization }],
            By::Group => {
                let mut keys: Vec<Key> = Vec::new();
                for (group, span) in self.directory.groups_of(user) {
                    let key = Key { organization, id: *group };
                    let is_here = self.directory.organization_of(*group) == organization;
                    if is_here && span.includes(at) && !keys.contains(&key) {
                        keys.push(key);
                    }
                }
                keys
            }
        }
    }
}

/// What pieces used, all of them or within a span.
fn used(pieces: &[Piece], within: Option<Span>) -> Credits {
    let part = |piece: &Piece| within.map_or(Some(piece.span), |within| piece.span.and(within));
    pieces.iter().filter_map(|piece| Some(Credits::over(piece.cost, part(piece)?.micros()))).sum()
}

#[cfg(test)]
mod tests;
