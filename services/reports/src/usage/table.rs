//! The report as a table.

use chancery_domain::usage::Symbol;

use super::{By, Key, Sums, Usage};
use crate::period::time;
use crate::{Amount, Cell, Column, Document, Period};

const COLUMNS: [Column; 14] = [
    Column::text("organization"),
    Column::text("id"),
    Column::text("name"),
    Column::integer("workspaces"),
    Column::integer("allowance"),
    Column::integer("allowance_change"),
    Column::integer("peak_credits"),
    Column::amount("credit_hours"),
    Column::amount("cost"),
    Column::text("currency"),
    Column::integer("denials"),
    Column::amount("idle_hours"),
    Column::amount("forecast_credit_hours"),
    Column::amount("forecast_cost"),
];

impl Usage<'_> {
    /// The report, computed at a position of the log. Rows are in the order of organization, name and id.
    pub fn document(&self, position: String, as_of: i64) -> Document {
        let mut rows: Vec<(Key, &Sums)> = self.rows.iter().map(|(key, sums)| (*key, sums)).collect();
        rows.sort_by_key(|(key, _)| (self.text(key.organization), self.text(self.name(*key)), self.text(key.id)));
        let rows = rows.into_iter().map(|(key, sums)| self.row(Some(key), sums)).collect();
        Document {
            name: "quota-usage",
            position,
            as_of,
            parameters: self.parameters(),
            notes: self.notes(),
            columns: COLUMNS.to_vec(),
            rows,
            totals: Some(self.row(None, &self.totals)),
        }
    }

    fn row(&self, key: Option<Key>, sums: &Sums) -> Vec<Cell> {
        let shown = |symbol: Symbol| Cell::text(self.text(symbol));
        let (organization, id, name) = match key {
            Some(key) => (shown(key.organization), shown(key.id), shown(self.name(key))),
            None => (Cell::Null, Cell::Null, Cell::Text("total".to_owned())),
        };
        let price = self.question.price.as_ref();
        let forecast = self.month().map(|part| {
            let month = Period::month_of(part.began);
            sums.month.extended(part.micros(), month.to - part.began)
        });
        let change = |(after, before): (u64, u64)| i64::try_from(i128::from(after) - i128::from(before)).ok();
        vec![
            organization,
            id,
            name,
            Cell::count(sums.workspaces.len()),
            sums.allowance.map_or(Cell::Null, |(after, _)| Cell::count(after)),
            sums.allowance.and_then(change).map_or(Cell::Null, Cell::Integer),
            Cell::count(sums.peak),
            Cell::Amount(sums.used.hours()),
            Cell::amount(price.map(|price| price.of(sums.used))),
            Cell::text(price.map(|price| price.currency().to_owned())),
            Cell::count(sums.denials),
            Cell::Amount(Amount::hours(sums.idle.into())),
            Cell::amount(forecast.map(crate::Credits::hours)),
            Cell::amount(forecast.and_then(|credits| Some(price?.of(credits)))),
        ]
    }

    fn name(&self, key: Key) -> Symbol {
        match self.question.by {
            By::User => self.directory.name_of_user(key.id),
            By::Group => self.directory.name_of_group(key.id),
            By::Template => self.directory.name_of_template(key.id),
            By::Organization => key.organization,
        }
    }

    pub(crate) fn text(&self, symbol: Symbol) -> Option<&str> {
        self.facts.symbols.text(symbol)
    }

    pub(crate) fn parameters(&self) -> Vec<(&'static str, String)> {
        let question = self.question;
        let mut parameters = vec![
            ("by", question.by.as_str().to_owned()),
            ("from", time(question.period.from)),
            ("to", time(question.period.to)),
        ];
        if let Some(price) = &question.price {
            parameters.push(("price", price.amount().to_string()));
            parameters.push(("currency", price.currency().to_owned()));
        }
        parameters
    }

    fn notes(&self) -> Vec<String> {
        let question = self.question;
        let mut notes = vec![
            "credit_hours: credits per day that the ledger had committed, times the hours it had them; a workspace of 10 \
             credits that ran 8 hours has 80."
                .to_owned(),
            format!("What was not known to be over goes on until {}.", time(question.until)),
            "idle_hours: a workspace ran and no session in it was open; open sessions are the sign of activity.".to_owned(),
        ];
        if let Some(price) = &question.price {
            notes.push(format!(
                "cost: credit_hours / 24 x {} {} for a credit and day, rounded once to six places.",
                price.amount(),
                price.currency()
            ));
        }
        if let Some(part) = self.month() {
            notes.push(format!(
                "forecast: the use from {} to {} goes on at the same rate until {} (linear).",
                time(part.began),
                time(part.ended),
                time(Period::month_of(part.began).to)
            ));
        }
        notes.extend(match question.by {
            By::User => Some(
                "allowance: the sum of what the user's groups give at the end of the period; allowance_change: how much more \
                 that is than at its beginning.",
            ),
            By::Group => Some(
                "What a user used counts for each group the user was in at the time, also through other groups: rows overlap, \
                 and the total counts everything once. allowance: what the group gives all its members together at the end.",
            ),
            By::Organization => Some("allowance: what all groups give all their members together at the end of the period."),
            By::Template => None,
        }
        .map(str::to_owned));
        notes
    }
}
