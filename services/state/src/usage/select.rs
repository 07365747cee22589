//! The statements: which spans are in a period, as far as they are known at a position.

use chancery_log::{Frontier, partition, place};

use super::UsagePeriod;

/// Spans that are longer have an index of their own. The number stands in the migration, too.
const LONG: i64 = 86_400_000_000;

/// Most windows by time; each is at least as long as [`LONG`].
const WINDOWS: i64 = 16;

/// Which of the spans in a period: together all of them, each once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Window {
    /// Those that began in a stretch of time.
    Began(i64, i64),
    /// Those that began before that and are long, or not over.
    Long,
    /// Those that began before that, were short, and are not known to be over.
    Reopened,
}

impl Window {
    pub(crate) fn all(period: &UsagePeriod) -> Vec<Self> {
        let first = period.from.saturating_sub(LONG);
        let length = ((period.until - first) / WINDOWS).max(LONG);
        let mut windows = vec![Self::Long, Self::Reopened];
        let mut began = first;
        while began < period.until {
            let next = began.saturating_add(length).min(period.until);
            windows.push(Self::Began(began, next));
            began = next;
        }
        windows
    }
}

/// Writes statements about a period. `$1` and `$2` separate fields and records.
#[derive(Debug)]
pub(crate) struct Select<'a> {
    period: &'a UsagePeriod,
}

impl<'a> Select<'a> {
    pub(crate) fn new(period: &'a UsagePeriod) -> Self {
        Self { period }
    }

    /// What was in use. What other systems say of a quota counts only until there is an entry of Chancery's own.
    pub(crate) fn charges(&self, window: &Window) -> String {
        let fields = joined(&[
            &self.began(),
            &self.ended(),
            "cost",
            "running",
            "coalesce(organization, '')",
            "user_id",
            "workspace_id",
            "coalesce(template_id, '')",
        ]);
        let position = "began_position";
        let own = format!(
            "(own = 1 OR NOT EXISTS (SELECT 1 FROM quota_usage AS o WHERE o.quota_id = quota_usage.quota_id AND o.own = 1
                AND {}))",
            knows(&self.period.known, "o.began_position")
        );
        listed(&fields, "", "quota_usage", &format!("{} AND {own}", self.within(window, position)))
    }

    /// When somebody was in a workspace.
    pub(crate) fn sessions(&self, window: &Window) -> String {
        let fields = joined(&[&self.began(), &self.ended(), "workspace_id"]);
        listed(&fields, "", "session_spans", &self.within(window, "position"))
    }

    /// Who was in which group.
    pub(crate) fn memberships(&self) -> String {
        let UsagePeriod { from, until, known } = self.period;
        // What has expired is over, whenever that is put on record.
        let earlier = "CASE WHEN expires_at < ended_at THEN expires_at ELSE ended_at END";
        let open = self.open();
        let ended = format!("CASE WHEN {open} THEN coalesce(expires_at, {until}) ELSE {earlier} END");
        let clipped = format!("CASE WHEN {ended} > {until} THEN {until} ELSE {ended} END - {from}");
        let fields = joined(&[&self.began(), &clipped, "kind", "group_id", "member_id"]);
        let condition = format!("{} AND began_at < {until} AND {ended} > {from}", knows(known, "position"));
        listed(&fields, "position", "membership_spans", &condition)
    }

    /// What groups gave, up to the end of the period.
    pub(crate) fn allowances(&self) -> String {
        let condition = format!("{} AND changed_at < {}", knows(&self.period.known, "position"), self.period.until);
        listed(&joined(&["changed_at", "allowance", "group_id"]), "position", "allowance_changes", &condition)
    }

    /// What was refused.
    pub(crate) fn denials(&self) -> String {
        let UsagePeriod { from, until, known } = self.period;
        let fields = joined(&[
            "denied_at",
            "coalesce(organization, '')",
            "user_id",
            "coalesce(workspace_id, '')",
            "coalesce(template_id, '')",
        ]);
        let condition = format!("denied_at >= {from} AND denied_at < {until} AND {}", knows(known, "position"));
        listed(&fields, "position", "quota_denials", &condition)
    }

    /// How things are called.
    pub(crate) fn labels(&self) -> String {
        let fields = joined(&[
            "changed_at",
            "everyone",
            "kind",
            "id",
            "name",
            "coalesce(organization, '')",
            "coalesce(owner_id, '')",
            "coalesce(template_id, '')",
        ]);
        listed(&fields, "position", "label_changes", &knows(&self.period.known, "position"))
    }

    /// When a span began, from the beginning of the period on.
    fn began(&self) -> String {
        let from = self.period.from;
        format!("CASE WHEN began_at < {from} THEN 0 ELSE began_at - {from} END")
    }

    /// When it ended, as far as that is known.
    fn ended(&self) -> String {
        let UsagePeriod { from, until, .. } = self.period;
        let open = self.open();
        format!("CASE WHEN {open} OR ended_at > {until} THEN {} ELSE ended_at - {from} END", until - from)
    }

    /// Whether it is not known to be over.
    fn open(&self) -> String {
        format!("ended_at IS NULL OR NOT {}", knows(&self.period.known, "ended_position"))
    }

    fn within(&self, window: &Window, position: &str) -> String {
        let UsagePeriod { from, until, known } = self.period;
        let first = from.saturating_sub(LONG);
        let reaches = format!("({} OR ended_at > {from}) AND {}", self.open(), knows(known, position));
        match window {
            Window::Began(began, before) => format!("began_at >= {began} AND began_at < {before} AND {reaches}"),
            Window::Long => {
                let before = first.min(*until);
                format!("began_at < {before} AND (ended_at IS NULL OR ended_at - began_at > 86400000000) AND {reaches}")
            }
            // The sign keeps the index by time out of it.
            Window::Reopened => format!(
                "({}) AND +began_at < {first} AND ended_at - began_at <= 86400000000 AND {}",
                beyond(known, "ended_position"),
                knows(known, position)
            ),
        }
    }
}

fn joined(fields: &[&str]) -> String {
    let fields: Vec<String> = fields.iter().map(|field| format!("({field})")).collect();
    fields.join(" || $1 || ")
}

fn listed(fields: &str, order: &str, table: &str, condition: &str) -> String {
    let order = if order.is_empty() { String::new() } else { format!(" ORDER BY {order}") };
    format!("SELECT string_agg({fields}, $2{order}) FROM {table} WHERE {condition}")
}

/// Whether the event at the position in `column` is within what is known.
fn knows(known: &Frontier, column: &str) -> String {
    if known.partitions() == 1 {
        return format!("{column} <= {}", known.of(0));
    }
    let cases: Vec<String> =
        known.positions().map(|position| format!("WHEN {} THEN {}", partition(position), place(position))).collect();
    format!("({column} & 8796093022207) <= CASE {column} >> 43 {} ELSE -1 END", cases.join(" "))
}

/// Whether it is beyond, by ranges that an index knows.
fn beyond(known: &Frontier, column: &str) -> String {
    let ranges: Vec<String> = known
        .positions()
        .map(|position| {
            let end = (u64::from(partition(position)) + 1) << 43;
            format!("({column} > {position} AND {column} < {end})")
        })
        .collect();
    ranges.join(" OR ")
}
