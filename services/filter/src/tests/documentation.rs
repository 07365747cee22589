//! `GRAMMAR.md` is complete and its examples are filters.

use super::context;
use crate::{Field, FieldKind, Filter, coder};

const GRAMMAR: &str = include_str!("../../GRAMMAR.md");

#[test]
fn every_field_is_in_the_table_with_its_aliases() {
    for field in Field::ALL {
        let cell = format!("| `{}` |", field.name());
        let row = GRAMMAR.lines().find(|line| line.starts_with(&cell)).unwrap_or_else(|| panic!("no row `{cell}`"));
        for alias in &field.names()[1..] {
            assert!(row.contains(&format!("`{alias}`")), "`{alias}` is missing in: {row}");
        }
        if let FieldKind::Enumeration(values) = field.kind() {
            assert!(values.iter().all(|value| row.contains(value)), "{row}");
        }
        assert!(row.contains(field.description()), "{row}");
    }
    for key in coder::Key::ALL {
        assert!(GRAMMAR.contains(&format!("| `{}", key.name())), "{}", key.name());
    }
}

#[test]
fn every_example_parses() {
    let mut examples = 0;
    let mut inside = false;
    for line in GRAMMAR.lines() {
        match line {
            "```filter" => inside = true,
            "```" => inside = false,
            example if inside => {
                let parsed = Filter::parse(example, &context());
                assert!(parsed.is_ok(), "{}", parsed.unwrap_err().render(example));
                examples += 1;
            }
            _ => {}
        }
    }
    assert!(examples > 30, "only {examples} examples were found");
}
