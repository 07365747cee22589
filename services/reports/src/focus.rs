//! Usage as charges in the columns of the `FinOps` Open Cost and Usage Specification (FOCUS) 1.2, which has every column that
//! 1.0 and 1.1 have to have. A row is one workspace's use of one user's quota in one month or day.

use std::collections::BTreeMap;

use chancery_domain::usage::{Facts, Symbol};
use serde_json::{Map, Value};

use crate::usage::{By, Question, Usage};
use crate::{Cell, Column, Credits, Document, Period, Price};

/// Who provides and bills it.
const PROVIDER: &str = "Chancery";

/// How finely time is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Granularity {
    /// A row for each month.
    Month,
    /// A row for each day.
    Day,
}

/// The columns, as the specification names them; those of Chancery's own begin with `x_`.
const COLUMNS: [Column; 42] = [
    Column::amount("BilledCost"),
    Column::text("BillingAccountId"),
    Column::text("BillingAccountName"),
    Column::text("BillingCurrency"),
    Column::time("BillingPeriodEnd"),
    Column::time("BillingPeriodStart"),
    Column::text("ChargeCategory"),
    Column::text("ChargeClass"),
    Column::text("ChargeDescription"),
    Column::text("ChargeFrequency"),
    Column::time("ChargePeriodEnd"),
    Column::time("ChargePeriodStart"),
    Column::amount("ConsumedQuantity"),
    Column::text("ConsumedUnit"),
    Column::amount("ContractedCost"),
    Column::amount("ContractedUnitPrice"),
    Column::amount("EffectiveCost"),
    Column::text("InvoiceIssuerName"),
    Column::amount("ListCost"),
    Column::amount("ListUnitPrice"),
    Column::text("PricingCategory"),
    Column::amount("PricingQuantity"),
    Column::text("PricingUnit"),
    Column::text("ProviderName"),
    Column::text("PublisherName"),
    Column::text("RegionId"),
    Column::text("RegionName"),
    Column::text("ResourceId"),
    Column::text("ResourceName"),
    Column::text("ResourceType"),
    Column::text("ServiceCategory"),
    Column::text("ServiceName"),
    Column::text("ServiceSubcategory"),
    Column::text("SkuId"),
    Column::text("SkuMeter"),
    Column::text("SkuPriceId"),
    Column::text("SubAccountId"),
    Column::text("SubAccountName"),
    Column::text("SubAccountType"),
    Column::text("Tags"),
    Column::text("x_UserId"),
    Column::text("x_UserName"),
];

/// What a row is about; in the order of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Charged<'a> {
    period: (i64, i64),
    organization: Option<&'a str>,
    user: Option<&'a str>,
    workspace: Option<&'a str>,
    template: Option<&'a str>,
}

/// The charges of a period, computed at a position of the log.
pub fn document(
    facts: &Facts,
    period: Period,
    until: i64,
    price: &Price,
    granularity: Granularity,
    position: String,
    as_of: i64,
) -> Document {
    let question = Question { by: By::User, period, until, price: Some(price.clone()) };
    let usage = Usage::new(facts, &question);
    let parts = match granularity {
        Granularity::Month => period.months(),
        Granularity::Day => period.days(),
    };
    let mut charges: BTreeMap<Charged<'_>, Credits> = BTreeMap::new();
    for charge in facts.charges.iter().filter(|charge| charge.cost > 0) {
        let template = charge.template.or(usage.directory().template_of(charge.workspace));
        for part in &parts {
            let span = chancery_domain::usage::Span { began: part.from, ended: part.to };
            let Some(span) = charge.span.and(span) else { continue };
            let text = |symbol: Symbol| facts.symbols.text(symbol);
            let of = Charged {
                period: (part.from, part.to),
                organization: text(charge.organization),
                user: text(charge.user),
                workspace: text(charge.workspace),
                template: text(template),
            };
            *charges.entry(of).or_default() += Credits::over(charge.cost, span.micros());
        }
    }
    let rows = charges.iter().map(|(charged, credits)| row(&usage, charged, *credits, price)).collect();
    Document {
        name: "focus",
        position,
        as_of,
        parameters: usage.parameters(),
        notes: vec!["FOCUS 1.2; BilledCost is the charge for the credits used, at one price.".to_owned()],
        columns: COLUMNS.to_vec(),
        rows,
        totals: None,
    }
}

fn row(usage: &Usage<'_>, charged: &Charged<'_>, credits: Credits, price: &Price) -> Vec<Cell> {
    let text = |text: &str| Cell::Text(text.to_owned());
    let optional = |text: Option<&str>| Cell::text(text);
    let names = usage.names(charged.user, charged.workspace, charged.template);
    let cost = || Cell::Amount(price.of(credits));
    let unit_price = || Cell::Amount(price.amount());
    let month = Period::month_of(charged.period.0);
    let account = charged.organization.unwrap_or("default");
    let described = names.template.or(charged.template).unwrap_or("unknown template");
    let sku = charged.template.unwrap_or("credits");
    vec![
        cost(),
        text(account),
        text(account),
        text(price.currency()),
        Cell::Time(month.to),
        Cell::Time(month.from),
        text("Usage"),
        Cell::Null,
        Cell::Text(format!(
            "Credits of workspace {} ({described})",
            names.workspace.or(charged.workspace).unwrap_or("?")
        )),
        text("Usage-Based"),
        Cell::Time(charged.period.1),
        Cell::Time(charged.period.0),
        Cell::Amount(credits.hours()),
        text("Credit-Hours"),
        cost(),
        unit_price(),
        cost(),
        text(PROVIDER),
        cost(),
        unit_price(),
        text("Standard"),
        Cell::Amount(credits.days()),
        text("Credit-Days"),
        text(PROVIDER),
        text(PROVIDER),
        Cell::Null,
        Cell::Null,
        optional(charged.workspace),
        optional(names.workspace),
        text("Workspace"),
        text("Developer Tools"),
        text("Workspaces"),
        text("Development Environments"),
        text(sku),
        text("Credits"),
        text(sku),
        optional(charged.organization),
        optional(charged.organization),
        text("Organization"),
        tags(charged, &names),
        optional(charged.user),
        optional(names.user),
    ]
}

/// Names, where they are known.
pub(crate) struct Names<'a> {
    pub(crate) user: Option<&'a str>,
    pub(crate) workspace: Option<&'a str>,
    pub(crate) template: Option<&'a str>,
}

fn tags(charged: &Charged<'_>, names: &Names<'_>) -> Cell {
    let mut tags = Map::new();
    for (key, value) in [
        ("organization", charged.organization),
        ("template", names.template.or(charged.template)),
        ("user", names.user.or(charged.user)),
    ] {
        if let Some(value) = value {
            tags.insert(key.to_owned(), Value::from(value));
        }
    }
    Cell::Text(Value::Object(tags).to_string())
}

#[cfg(test)]
mod tests;
