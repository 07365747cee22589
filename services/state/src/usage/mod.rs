//! Reading what usage reports are computed from, as it was known at a position of the log.
//!
//! Rows come as one text per statement: a month of a large company has hundreds of thousands, and the driver would take
//! most of the time row by row.

mod records;
mod select;

use chancery_domain::usage::{AllowanceChange, Charge, Denial, Facts, Label, Membership, MembershipKind, Span, Visit};
use chancery_log::Frontier;
use futures::{StreamExt, TryStreamExt, stream};
use sqlx::{AssertSqlSafe, Row};

use crate::{State, StateError};
use records::{Record, SEPARATORS, records};
pub(crate) use select::{Select, Window};

/// Statements that run at the same time.
const AT_ONCE: usize = 4;

/// What a report is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsagePeriod {
    /// Its first microsecond.
    pub from: i64,
    /// The microsecond after its last that is over.
    pub until: i64,
    /// What is known.
    pub known: Frontier,
}

/// A kind of fact.
#[derive(Debug, Clone, Copy)]
enum Table {
    Charges,
    Sessions,
    Memberships,
    Allowances,
    Denials,
    Labels,
}

impl State {
    /// All that is known of a period. The tables must contain what is known, and may contain more.
    pub async fn usage(&self, period: &UsagePeriod) -> Result<Facts, StateError> {
        let select = Select::new(period);
        let mut statements: Vec<(Table, String)> = Vec::new();
        for window in Window::all(period) {
            statements.push((Table::Sessions, select.sessions(&window)));
            statements.push((Table::Charges, select.charges(&window)));
        }
        statements.push((Table::Memberships, select.memberships()));
        statements.push((Table::Allowances, select.allowances()));
        statements.push((Table::Denials, select.denials()));
        statements.push((Table::Labels, select.labels()));
        let texts: Vec<(Table, String)> = stream::iter(statements)
            .map(|(table, statement)| async move { Ok::<_, StateError>((table, self.text(statement).await?)) })
            // In order: symbols and facts are then the same each time.
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        let from = period.from;
        let read = move || {
            let mut facts = Facts::default();
            for (table, text) in texts {
                for record in records(&text) {
                    take(&mut facts, table, from, record).ok_or(StateError::Row("spans"))?;
                }
            }
            Ok(facts)
        };
        tokio::task::spawn_blocking(read).await.map_err(|_| StateError::Row("spans"))?
    }

    async fn text(&self, statement: String) -> Result<String, StateError> {
        let [field, record] = SEPARATORS;
        let query = sqlx::query(AssertSqlSafe(statement)).bind(field).bind(record).persistent(false);
        let row = query.fetch_one(&self.pool).await?;
        Ok(row.try_get::<Option<String>, _>(0)?.unwrap_or_default())
    }
}

/// Adds a record to the facts; nothing if it is none.
fn take(facts: &mut Facts, table: Table, from: i64, mut record: Record<'_>) -> Option<()> {
    let symbols = &mut facts.symbols;
    match table {
        Table::Charges => {
            let span = Span { began: from + record.number()?, ended: from + record.number()? };
            let (cost, running) = (u64::try_from(record.number()?).ok()?, record.number()? == 1);
            let mut text = || Some(symbols.intern(record.text()?));
            let (organization, user, workspace, template) = (text()?, text()?, text()?, text()?);
            facts.charges.push(Charge { span, cost, running, organization, user, workspace, template });
        }
        Table::Sessions => {
            let span = Span { began: from + record.number()?, ended: from + record.number()? };
            facts.sessions.push(Visit { span, workspace: symbols.intern(record.text()?) });
        }
        Table::Memberships => {
            let span = Span { began: from + record.number()?, ended: from + record.number()? };
            let kind = match record.text()? {
                "group" => MembershipKind::Group,
                "organization" => MembershipKind::Organization,
                _ => MembershipKind::User,
            };
            let (group, member) = (symbols.intern(record.text()?), symbols.intern(record.text()?));
            facts.memberships.push(Membership { span, kind, group, member });
        }
        Table::Allowances => {
            let (at, allowance) = (record.number()?, u64::try_from(record.number()?).ok()?);
            facts.allowances.push(AllowanceChange { group: symbols.intern(record.text()?), at, allowance });
        }
        Table::Denials => {
            let at = record.number()?;
            let mut text = || Some(symbols.intern(record.text()?));
            let (organization, user, workspace, template) = (text()?, text()?, text()?, text()?);
            facts.denials.push(Denial { at, organization, user, workspace, template });
        }
        Table::Labels => {
            let (at, everyone) = (record.number()?, record.number()? == 1);
            let mut text = || Some(symbols.intern(record.text()?));
            let (kind, id, name, organization) = (text()?, text()?, text()?, text()?);
            let (owner, template) = (text()?, text()?);
            facts.labels.push(Label { kind, id, name, organization, owner, template, everyone, at });
        }
    }
    Some(())
}
