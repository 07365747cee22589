use chancery_domain::usage::{Charge, Span};

use super::*;
use crate::Kind;

/// What a column must be, from the specification: its name, the versions whose datasets must have it, whether it may be
/// null, and its type.
const MANDATORY: [(&str, &str, bool, Kind); 21] = [
    ("BilledCost", "1.0 1.1 1.2", false, Kind::Amount),
    ("BillingAccountId", "1.0 1.1 1.2", false, Kind::Text),
    ("BillingAccountName", "1.0 1.1 1.2", true, Kind::Text),
    ("BillingCurrency", "1.0 1.1 1.2", false, Kind::Text),
    ("BillingPeriodEnd", "1.0 1.1 1.2", false, Kind::Time),
    ("BillingPeriodStart", "1.0 1.1 1.2", false, Kind::Time),
    ("ChargeCategory", "1.0 1.1 1.2", false, Kind::Text),
    ("ChargeClass", "1.0 1.1 1.2", true, Kind::Text),
    ("ChargeDescription", "1.0 1.1 1.2", true, Kind::Text),
    ("ChargePeriodEnd", "1.0 1.1 1.2", false, Kind::Time),
    ("ChargePeriodStart", "1.0 1.1 1.2", false, Kind::Time),
    ("ContractedCost", "1.0 1.1 1.2", false, Kind::Amount),
    ("EffectiveCost", "1.0 1.1 1.2", false, Kind::Amount),
    ("InvoiceIssuerName", "1.0 1.1 1.2", false, Kind::Text),
    ("ListCost", "1.0 1.1 1.2", false, Kind::Amount),
    ("PricingQuantity", "1.0 1.1 1.2", true, Kind::Amount),
    ("PricingUnit", "1.0 1.1 1.2", true, Kind::Text),
    ("ProviderName", "1.0 1.1 1.2", false, Kind::Text),
    ("PublisherName", "1.0 1.1 1.2", false, Kind::Text),
    ("ServiceCategory", "1.0 1.1 1.2", false, Kind::Text),
    ("ServiceName", "1.0 1.1 1.2", false, Kind::Text),
];

/// The other columns that are there: the specification has them as conditional or recommended.
const FURTHER: [(&str, Kind); 19] = [
    ("ChargeFrequency", Kind::Text),
    ("ConsumedQuantity", Kind::Amount),
    ("ConsumedUnit", Kind::Text),
    ("ContractedUnitPrice", Kind::Amount),
    ("ListUnitPrice", Kind::Amount),
    ("PricingCategory", Kind::Text),
    ("RegionId", Kind::Text),
    ("RegionName", Kind::Text),
    ("ResourceId", Kind::Text),
    ("ResourceName", Kind::Text),
    ("ResourceType", Kind::Text),
    ("ServiceSubcategory", Kind::Text),
    ("SkuId", Kind::Text),
    ("SkuMeter", Kind::Text),
    ("SkuPriceId", Kind::Text),
    ("SubAccountId", Kind::Text),
    ("SubAccountName", Kind::Text),
    ("SubAccountType", Kind::Text),
    ("Tags", Kind::Text),
];

const HOUR: i64 = 3_600_000_000;
/// Midnight of 2026-03-01.
const MARCH: i64 = 1_772_323_200_000_000;

fn charges(granularity: Granularity) -> Document {
    let mut facts = Facts::default();
    let mut text = |text| facts.symbols.intern(text);
    let (organization, user, workspace, template) = (text("eng"), text("ada"), text("w1"), text("t1"));
    for (began, ended) in [(-8, 0), (8, 16), (30, 38)] {
        let span = Span { began: MARCH + began * HOUR, ended: MARCH + ended * HOUR };
        facts.charges.push(Charge { span, cost: 10, running: true, organization, user, workspace, template });
    }
    let period = Period::read(None, Some("2026-02-01"), Some("2026-04-01"), 0).unwrap();
    let price = Price::new("0.6", "EUR").unwrap();
    document(&facts, period, period.to, &price, granularity, "9".into(), period.to)
}

fn cell<'a>(document: &'a Document, row: usize, column: &str) -> &'a Cell {
    let index = document.columns.iter().position(|it| it.name == column).unwrap();
    &document.rows[row][index]
}

#[test]
fn every_mandatory_column_of_the_versions_is_there_of_its_type_and_not_null() {
    let document = charges(Granularity::Month);
    for (name, versions, nullable, kind) in MANDATORY {
        assert_eq!(versions, "1.0 1.1 1.2");
        let column = document.columns.iter().find(|column| column.name == name).unwrap_or_else(|| panic!("{name}"));
        assert_eq!(column.kind, kind, "{name}");
        for row in 0..document.rows.len() {
            assert!(nullable || *cell(&document, row, name) != Cell::Null, "{name}");
            assert_ne!(*cell(&document, row, name), Cell::Text(String::new()), "{name}: no empty text stands for null");
        }
    }
}

#[test]
fn every_other_column_is_in_the_specification_or_marked_as_our_own() {
    for column in charges(Granularity::Month).columns {
        let known = MANDATORY.iter().any(|(name, ..)| *name == column.name);
        let further = FURTHER.iter().any(|(name, kind)| (*name, *kind) == (column.name, column.kind));
        assert!(known || further || column.name.starts_with("x_"), "{}", column.name);
    }
}

#[test]
fn a_charge_is_of_one_workspace_and_month_and_what_it_costs_follows_from_price_and_quantity() {
    let document = charges(Granularity::Month);
    assert_eq!(document.rows.len(), 2);
    let amount = |row, column| match cell(&document, row, column) {
        Cell::Amount(amount) => amount.to_string(),
        other => panic!("{column}: {other:?}"),
    };
    assert_eq!((amount(0, "ConsumedQuantity"), amount(1, "ConsumedQuantity")), ("80".into(), "160".into()));
    assert_eq!((amount(1, "PricingQuantity"), amount(1, "ListUnitPrice")), ("6.666667".into(), "0.6".into()));
    for cost in ["BilledCost", "EffectiveCost", "ListCost", "ContractedCost"] {
        assert_eq!((amount(0, cost), amount(1, cost)), ("2".into(), "4".into()), "{cost}");
    }
    assert_eq!(*cell(&document, 1, "ChargePeriodStart"), Cell::Time(MARCH));
    assert_eq!(*cell(&document, 1, "BillingPeriodStart"), Cell::Time(MARCH));
    assert_eq!(*cell(&document, 0, "ChargePeriodEnd"), Cell::Time(MARCH));
    let tags = Cell::Text(r#"{"organization":"eng","template":"t1","user":"ada"}"#.into());
    assert_eq!(*cell(&document, 0, "Tags"), tags);
    assert_eq!(charges(Granularity::Day).rows.len(), 3);
}
