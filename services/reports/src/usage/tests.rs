use chancery_domain::usage::{AllowanceChange, Charge, Denial, Label, Membership, MembershipKind, Visit};
use proptest::prelude::*;

use super::*;
use crate::{Amount, Cell, Document};

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;
/// Midnight of 2026-03-01.
const MARCH: i64 = 1_772_323_200_000_000;

/// Facts in the making, in hours since the first of March.
#[derive(Default)]
struct Given(Facts);

impl Given {
    fn span(began: i64, ended: i64) -> Span {
        Span { began: MARCH + began * HOUR, ended: MARCH + ended * HOUR }
    }

    fn used(mut self, user: &str, workspace: &str, cost: u64, began: i64, ended: i64) -> Self {
        let mut text = |text| self.0.symbols.intern(text);
        let (organization, user, workspace, template) = (text("eng"), text(user), text(workspace), text("t"));
        let span = Self::span(began, ended);
        self.0.charges.push(Charge { span, cost, running: true, organization, user, workspace, template });
        self
    }

    fn visited(mut self, workspace: &str, began: i64, ended: i64) -> Self {
        let workspace = self.0.symbols.intern(workspace);
        self.0.sessions.push(Visit { span: Self::span(began, ended), workspace });
        self
    }

    fn group(mut self, id: &str, allowance: u64, everyone: bool) -> Self {
        let mut text = |text| self.0.symbols.intern(text);
        let (kind, id, organization, none) = (text("group"), text(id), text("eng"), Symbol::NONE);
        let label = Label { kind, id, name: id, organization, owner: none, template: none, everyone, at: MARCH - DAY };
        self.0.labels.push(label);
        self.0.allowances.push(AllowanceChange { group: id, at: MARCH - DAY, allowance });
        self
    }

    fn gives(mut self, group: &str, allowance: u64, hours: i64) -> Self {
        let group = self.0.symbols.intern(group);
        self.0.allowances.push(AllowanceChange { group, at: MARCH + hours * HOUR, allowance });
        self
    }

    fn member(mut self, kind: MembershipKind, group: &str, member: &str, began: i64, ended: i64) -> Self {
        let (group, member) = (self.0.symbols.intern(group), self.0.symbols.intern(member));
        self.0.memberships.push(Membership { span: Self::span(began, ended), kind, group, member });
        self
    }

    fn denied(mut self, user: &str, hours: i64) -> Self {
        let (organization, user) = (self.0.symbols.intern("eng"), self.0.symbols.intern(user));
        let (workspace, template) = (Symbol::NONE, self.0.symbols.intern("t"));
        self.0.denials.push(Denial { at: MARCH + hours * HOUR, organization, user, workspace, template });
        self
    }

    /// March by something, asked after so many days of it.
    fn report(&self, by: By, days: i64) -> Document {
        let period = Period::month_of(MARCH);
        let price = Some(Price::new("2.4", "EUR").unwrap());
        let question = Question { by, period, until: MARCH + days * DAY, price };
        Usage::new(&self.0, &question).document("7".into(), MARCH + days * DAY)
    }
}

/// Columns of the row with this name, as texts.
fn row(document: &Document, name: &str, columns: &[&str]) -> Vec<String> {
    let index = |name: &str| document.columns.iter().position(|column| column.name == name).unwrap();
    let of_name =
        |row: &&Vec<Cell>| row[index("id")] == Cell::Text(name.into()) || row[index("name")] == Cell::Text(name.into());
    let row =
        document.rows.iter().chain(&document.totals).find(of_name).unwrap_or_else(|| panic!("{name}: {document:?}"));
    let text = |cell: &Cell| match cell {
        Cell::Null => "-".to_owned(),
        Cell::Text(text) => text.clone(),
        Cell::Integer(number) => number.to_string(),
        Cell::Amount(amount) => amount.to_string(),
        Cell::Time(moment) => moment.to_string(),
        Cell::Flag(flag) => flag.to_string(),
    };
    columns.iter().map(|name| text(&row[index(name)])).collect()
}

#[test]
fn ten_credits_for_eight_hours_are_eighty_credit_hours_and_cost_a_third_of_a_day() {
    let given = Given::default().used("ada", "w1", 10, 8, 16).used("ada", "w2", 5, 10, 12).used("bob", "w3", 1, 16, 17);
    let report = given.report(By::User, 31);
    let columns = ["workspaces", "peak_credits", "credit_hours", "cost", "currency"];
    assert_eq!(row(&report, "ada", &columns), ["2", "15", "90", "9", "EUR"]);
    assert_eq!(row(&report, "bob", &columns), ["1", "1", "1", "0.1", "EUR"]);
    assert_eq!(row(&report, "total", &columns), ["3", "15", "91", "9.1", "EUR"]);
    assert_eq!(row(&given.report(By::Template, 31), "t", &columns), ["3", "15", "91", "9.1", "EUR"]);
    assert_eq!(row(&given.report(By::Organization, 31), "eng", &columns), ["3", "15", "91", "9.1", "EUR"]);
}

#[test]
fn what_ends_makes_room_for_what_begins_at_that_moment() {
    let given = Given::default().used("ada", "w1", 10, 0, 8).used("ada", "w1", 12, 8, 9);
    assert_eq!(row(&given.report(By::User, 31), "ada", &["peak_credits"]), ["12"]);
}

#[test]
fn a_workspace_is_idle_where_it_runs_and_nobody_is_in_it() {
    let given = Given::default()
        .used("ada", "w1", 10, 0, 10)
        .visited("w1", 1, 3)
        .visited("w1", 2, 4)
        .visited("w1", 9, 12)
        .visited("w2", 0, 10);
    assert_eq!(row(&given.report(By::User, 31), "ada", &["idle_hours"]), ["6"]);
    assert_eq!(row(&given.report(By::User, 31), "total", &["idle_hours"]), ["6"]);
}

#[test]
fn use_counts_for_each_group_the_user_was_in_at_the_time_also_through_groups() {
    let given = Given::default()
        .group("compilers", 10, false)
        .group("engineers", 5, false)
        .group("all", 1, true)
        .member(MembershipKind::User, "compilers", "ada", 0, 4)
        .member(MembershipKind::Group, "engineers", "compilers", 2, 744)
        .member(MembershipKind::User, "engineers", "ada", 3, 6)
        .member(MembershipKind::Organization, "eng", "ada", 0, 744)
        .used("ada", "w1", 10, 0, 10)
        .denied("ada", 5);
    let report = given.report(By::Group, 31);
    let columns = ["credit_hours", "denials", "idle_hours"];
    assert_eq!(row(&report, "compilers", &columns), ["40", "0", "4"]);
    assert_eq!(row(&report, "engineers", &columns), ["40", "1", "4"]);
    assert_eq!(row(&report, "all", &columns), ["100", "1", "10"]);
    assert_eq!(row(&report, "total", &columns), ["100", "1", "10"]);
    assert!(report.notes.iter().any(|note| note.contains("each group the user was in at the time")));
}

#[test]
fn an_allowance_is_that_of_the_end_and_its_change_is_since_the_beginning() {
    let given = Given::default()
        .group("a", 10, false)
        .group("b", 5, false)
        .gives("a", 30, 100)
        .gives("a", 99, 740)
        .member(MembershipKind::User, "a", "ada", 0, 744)
        .member(MembershipKind::User, "b", "ada", 50, 744)
        .member(MembershipKind::User, "b", "bob", 0, 200)
        .used("ada", "w1", 1, 0, 1);
    let columns = ["allowance", "allowance_change"];
    // At the end of the 20th: `a` gives 30, `b` 5, and Bob has left.
    assert_eq!(row(&given.report(By::User, 20), "ada", &columns), ["35", "25"]);
    assert_eq!(row(&given.report(By::Group, 20), "b", &columns), ["5", "0"]);
    assert_eq!(row(&given.report(By::Organization, 20), "eng", &columns), ["35", "20"]);
    assert_eq!(row(&given.report(By::Template, 20), "t", &columns), ["-", "-"]);
}

#[test]
fn a_forecast_goes_on_as_the_month_went_so_far() {
    let given = Given::default().used("ada", "w1", 10, 0, 24);
    // 240 credit-hours in 10 of 31 days.
    assert_eq!(row(&given.report(By::User, 10), "ada", &["forecast_credit_hours", "forecast_cost"]), ["744", "74.4"]);
    // What is over is what it is.
    assert_eq!(row(&given.report(By::User, 31), "ada", &["forecast_credit_hours"]), ["240"]);
}

proptest! {
    /// Rows by user, template and organization are parts of the whole; idle time is no more than time.
    #[test]
    fn rows_add_up(uses in prop::collection::vec((0..4_u8, 0..5_u8, 1..50_u64, 0..700_i64, 1..44_i64), 0..40),
                   visits in prop::collection::vec((0..5_u8, 0..700_i64, 1..44_i64), 0..40)) {
        let mut given = Given::default();
        for (user, workspace, cost, began, hours) in &uses {
            given = given.used(&format!("u{user}"), &format!("w{workspace}"), *cost, *began, began + hours);
        }
        for (workspace, began, hours) in &visits {
            given = given.visited(&format!("w{workspace}"), *began, began + hours);
        }
        let whole: i128 = uses.iter().map(|(_, _, cost, _, hours)| i128::from(*cost) * i128::from(*hours)).sum();
        for by in [By::User, By::Template, By::Organization] {
            let report = given.report(by, 31);
            let sum = |column: &str| {
                let index = report.columns.iter().position(|it| it.name == column).unwrap();
                report.rows.iter().map(|row| if let Cell::Amount(amount) = &row[index] { *amount } else { Amount::default() }).sum::<Amount>()
            };
            prop_assert_eq!(sum("credit_hours").millionths(), whole * 1_000_000);
            let ran: i128 = uses.iter().map(|use_| i128::from(use_.4)).sum();
            prop_assert!(sum("idle_hours").millionths() <= ran * 1_000_000);
        }
    }
}
