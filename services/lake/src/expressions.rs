//! From the filter's syntax tree to DataFusion expressions. [`chancery_filter::Filter::matches`] is the
//! reference; a property test holds the two together.

use chancery_domain::Timestamp;
use chancery_filter::{Case, Expr as Asked, Field, FieldKind, Filter, Pattern, Predicate, Range};
use datafusion::common::ScalarValue;
use datafusion::functions::expr_fn::{contains, lower};
use datafusion::logical_expr::expr::Like;
use datafusion::logical_expr::{Expr, lit, not};
use datafusion::prelude::ident;

use crate::functions::{any_item, in_network, json_matches};

/// The condition of a filter, never null.
pub(crate) fn condition(filter: &Filter, ongoing: &Expr) -> Expr {
    translate(&filter.root, ongoing)
}

/// Whether the filter asks for sessions that have not ended.
pub(crate) fn asks_for_ongoing(asked: &Asked) -> bool {
    match asked {
        Asked::OngoingSession => true,
        Asked::And(terms) | Asked::Or(terms) => terms.iter().any(asks_for_ongoing),
        Asked::Not(term) => asks_for_ongoing(term),
        _ => false,
    }
}

fn translate(asked: &Asked, ongoing: &Expr) -> Expr {
    match asked {
        Asked::All => lit(true),
        Asked::And(terms) => join(terms.iter().map(|term| translate(term, ongoing)), Expr::and, true),
        Asked::Or(terms) => join(terms.iter().map(|term| translate(term, ongoing)), Expr::or, false),
        // A comparison with an absent value is null; its opposite has to be true.
        Asked::Not(term) => not(translate(term, ongoing).is_true()),
        Asked::Text(pattern) => join(
            Field::FREE_TEXT.into_iter().map(|field| {
                let column = lower(column(field));
                pattern.as_literal().map_or_else(
                    || like(column.clone(), &pattern.contained()),
                    |text| contains(column.clone(), lit(text)),
                )
            }),
            Expr::or,
            false,
        ),
        Asked::Field { field, predicate } => field_condition(*field, predicate),
        Asked::Path { path, predicate } => json_matches(ident("event"), path, predicate),
        Asked::OngoingSession => ongoing.clone(),
    }
}

fn join(terms: impl Iterator<Item = Expr>, with: fn(Expr, Expr) -> Expr, empty: bool) -> Expr {
    terms.reduce(with).unwrap_or_else(|| lit(empty))
}

fn field_condition(field: Field, predicate: &Predicate) -> Expr {
    if let Predicate::AnyOf(any) = predicate
        && !matches!(field.kind(), FieldKind::TextList(_))
    {
        return join(any.iter().map(|predicate| field_condition(field, predicate)), Expr::or, false);
    }
    if !field.parts().is_empty() {
        let part = |part: &Field| text_condition(column(*part), Case::Insensitive, predicate);
        return join(field.parts().iter().map(part), Expr::or, false);
    }
    match field.kind() {
        FieldKind::Text(case) => text_condition(column(field), case, predicate),
        FieldKind::Enumeration(_) => text_condition(column(field), Case::Exact, predicate),
        FieldKind::TextList(case) => any_item(column(field), predicate, case),
        FieldKind::Integer => match predicate {
            Predicate::Exists => lit(true),
            Predicate::Integer(range) => between(&column(field), range, |value| lit(*value)),
            _ => lit(false),
        },
        FieldKind::Time => match predicate {
            Predicate::Exists => lit(true),
            Predicate::During(range) => between(&column(field), range, |time| timestamp(*time)),
            _ => lit(false),
        },
        FieldKind::Ip => match predicate {
            Predicate::Network(network) => in_network(column(field), *network),
            _ => text_condition(column(field), Case::Exact, predicate),
        },
    }
}

fn text_condition(column: Expr, case: Case, predicate: &Predicate) -> Expr {
    let folded = |column: Expr| if case == Case::Insensitive { lower(column) } else { column };
    match predicate {
        Predicate::Exists => column.not_eq(lit("")),
        Predicate::Equals(text) => folded(column).eq(lit(text.as_str())),
        Predicate::Wildcard(pattern) => like(folded(column), pattern),
        _ => lit(false),
    }
}

fn like(column: Expr, pattern: &Pattern) -> Expr {
    Expr::Like(Like::new(false, Box::new(column), Box::new(lit(pattern.to_like())), Some('\\'), false))
}

fn between<T>(column: &Expr, range: &Range<T>, literal: impl Fn(&T) -> Expr) -> Expr {
    let from = range.from.as_ref().map(|from| column.clone().gt_eq(literal(from)));
    let until = range.until.as_ref().map(|until| column.clone().lt(literal(until)));
    join(from.into_iter().chain(until), Expr::and, true)
}

/// A moment as a literal of the time columns' type.
pub(crate) fn timestamp(time: Timestamp) -> Expr {
    Expr::Literal(ScalarValue::TimestampMicrosecond(Some(time.as_micros()), Some("UTC".into())), None)
}

/// The column behind a field.
pub(crate) fn column(field: Field) -> Expr {
    ident(column_name(field))
}

/// The name of the column behind a field; the first part of a composite one.
pub(crate) fn column_name(field: Field) -> &'static str {
    match field {
        Field::Id => "id",
        Field::Source => "source",
        Field::Type => "type",
        Field::Schema => "schema",
        Field::Stream => "stream",
        Field::StreamVersion => "stream_version",
        Field::Position => "position",
        Field::Time => "occurred_at",
        Field::RecordedAt => "recorded_at",
        Field::Actor | Field::ActorName => "actor_name",
        Field::ActorId => "actor_id",
        Field::ActorEmail => "actor_email",
        Field::ActorKind => "actor_kind",
        Field::ActorIp => "actor_ip",
        Field::ActorUserAgent => "actor_user_agent",
        Field::ActorSession => "actor_session",
        Field::ActorRoles => "actor_roles",
        Field::ActorGroups => "actor_groups",
        Field::ActorOnBehalfOf => "actor_on_behalf_of",
        Field::Organization => "organization",
        Field::Resource | Field::ResourceName => "resource_name",
        Field::ResourceKind => "resource_kind",
        Field::ResourceId => "resource_id",
        Field::ResourceOwner => "resource_owner",
        Field::Action => "action",
        Field::Outcome => "outcome",
        Field::Reason => "reason",
        Field::Correlation => "correlation",
        Field::Causation => "causation",
        Field::Imported => "imported",
        Field::Policy => "policies",
        Field::Changes => "changed",
        Field::Event => "event",
    }
}
