//! Pieces of use: what they have at most at the same time, and when nobody was there.

use std::collections::HashMap;

use chancery_domain::usage::{Charge, Span, Symbol, Visit};

use super::directory::Directory;

/// A workspace cost so much in a span, or was idle in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) span: Span,
    pub(super) cost: u64,
    pub(super) running: bool,
    pub(super) organization: Symbol,
    pub(super) user: Symbol,
    pub(super) workspace: Symbol,
    pub(super) template: Symbol,
}

impl Piece {
    pub(super) fn of(charge: &Charge, directory: &Directory) -> Self {
        Self {
            span: charge.span,
            cost: charge.cost,
            running: charge.running,
            organization: charge.organization,
            user: charge.user,
            workspace: charge.workspace,
            template: charge.template.or(directory.template_of(charge.workspace)),
        }
    }
}

/// The most credits at the same time. What ends at a moment makes room for what begins then.
pub(super) fn peak(pieces: &[Piece]) -> u64 {
    let mut steps: Vec<(i64, bool, u64)> = Vec::with_capacity(pieces.len() * 2);
    for piece in pieces.iter().filter(|piece| piece.cost > 0 && piece.span.micros() > 0) {
        steps.push((piece.span.began, true, piece.cost));
        steps.push((piece.span.ended, false, piece.cost));
    }
    steps.sort_unstable();
    let (mut now, mut most) = (0_u64, 0_u64);
    for (_, begins, cost) in steps {
        now = if begins { now.saturating_add(cost) } else { now.saturating_sub(cost) };
        most = most.max(now);
    }
    most
}

/// The pieces in which workspaces ran and nobody was in them.
pub(super) fn idle(pieces: &[Piece], sessions: &[Visit]) -> Vec<Piece> {
    let mut visits: HashMap<Symbol, Vec<Span>> = HashMap::new();
    for visit in sessions {
        visits.entry(visit.workspace).or_default().push(visit.span);
    }
    for spans in visits.values_mut() {
        merge(spans);
    }
    let mut idle = Vec::new();
    for piece in pieces.iter().filter(|piece| piece.running) {
        let visits = visits.get(&piece.workspace).map_or(&[][..], Vec::as_slice);
        let mut began = piece.span.began;
        let first = visits.partition_point(|visit| visit.ended <= began);
        for visit in visits.get(first..).unwrap_or_default() {
            if visit.began >= piece.span.ended {
                break;
            }
            if visit.began > began {
                idle.push(Piece { span: Span { began, ended: visit.began }, ..*piece });
            }
            began = began.max(visit.ended);
        }
        if began < piece.span.ended {
            idle.push(Piece { span: Span { began, ended: piece.span.ended }, ..*piece });
        }
    }
    idle
}

/// Puts spans in order and joins those that touch.
pub(super) fn merge(spans: &mut Vec<Span>) {
    spans.sort_unstable();
    let mut merged: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans.drain(..).filter(|span| span.micros() > 0) {
        match merged.last_mut() {
            Some(last) if last.ended >= span.began => last.ended = last.ended.max(span.ended),
            _ => merged.push(span),
        }
    }
    *spans = merged;
}
