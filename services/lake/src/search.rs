//! Searching: pages of events by keyset, exact totals, single events.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{AsArray, RecordBatch};
use chancery_domain::Timestamp;
use chancery_filter::Filter;
use chancery_log::{Frontier, Position};
use datafusion::logical_expr::{Expr, ident, lit};
use datafusion::prelude::{DataFrame, SessionContext};

use crate::expressions::{asks_for_ongoing, condition, timestamp};
use crate::files::{positions, times};
use crate::functions::within;
use crate::handle::Lake;
use crate::snapshot::Snapshot;
use crate::table::Order;
use crate::{LakeError, Visibility};

/// What to search for.
#[derive(Debug, Clone, Default)]
pub struct SearchRequest {
    /// Which events; all without.
    pub filter: Option<Filter>,
    /// Oldest first instead of newest first.
    pub ascending: bool,
    /// Where the previous page ended.
    pub after: Option<Cursor>,
    /// Most events of a page.
    pub limit: usize,
    /// Whether to count all matching events, too.
    pub total: bool,
}

/// Where a page ended: a moment, a position, and where the log's partitions ended when the walk began.
///
/// Pages are ordered by `(occurred_at, position)`, which is unique. Events recorded after the walk began lie
/// beyond `end` and belong to a later walk, so no page repeats or skips an event however many arrive meanwhile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// `occurred_at` of the last event, microseconds.
    pub occurred_at: i64,
    /// Its position.
    pub position: Position,
    /// What the walk covers.
    pub end: Frontier,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{:x}-{}", self.occurred_at, self.position, self.end)
    }
}

impl FromStr for Cursor {
    type Err = LakeError;

    fn from_str(text: &str) -> Result<Self, LakeError> {
        Self::read(text).ok_or_else(|| LakeError::Invalid("the cursor is not one this server has given out".to_owned()))
    }
}

impl Cursor {
    fn read(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '-');
        let mut number = || u64::from_str_radix(parts.next()?, 16).ok();
        let (occurred_at, position) = (number()?.cast_signed(), number()?);
        let end = parts.next()?.parse().ok()?;
        (0..=Timestamp::MAX.as_micros()).contains(&occurred_at).then_some(Self { occurred_at, position, end })
    }
}

/// A found event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// Where it stands in the log.
    pub position: Position,
    /// Its canonical bytes.
    pub event: String,
}

/// A page of found events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchPage {
    /// The events, in order.
    pub hits: Vec<Hit>,
    /// Where the next page begins; none when this was the last one.
    pub next: Option<Cursor>,
    /// How many events match in all, if asked for.
    pub total: Option<u64>,
}

impl Lake {
    /// One page of a search among the visible events. A cursor says where to go on, not what is visible.
    pub async fn search(&self, visibility: &Visibility, request: SearchRequest) -> Result<SearchPage, LakeError> {
        self.timed("search", self.search_page(visibility, request)).await
    }

    /// One visible event by its id; the first one recorded if several sources use it.
    pub async fn event(&self, visibility: &Visibility, id: &str) -> Result<Option<Hit>, LakeError> {
        let find = async {
            let events = self.events(visibility, Order::NewestFirst).await?.1;
            let first = vec![ident("recorded_at").sort(true, false), ident("position").sort(true, false)];
            let found = events.filter(ident("id").eq(lit(id)))?.sort(first)?.limit(0, Some(1))?;
            Ok(hits(&found.select_columns(&["position", "event"])?.collect().await?).pop())
        };
        self.timed("event", find).await
    }

    async fn search_page(&self, visibility: &Visibility, request: SearchRequest) -> Result<SearchPage, LakeError> {
        let order = if request.ascending { Order::OldestFirst } else { Order::NewestFirst };
        let (snapshot, mut events) = self.events(visibility, order).await?;
        let end = request.after.as_ref().map_or_else(|| snapshot.reached.clone(), |cursor| cursor.end.clone());
        if !snapshot.reached.reaches(&end) {
            return Err(LakeError::Unavailable("the page before is from a node that has read more of it".to_owned()));
        }
        if let Some(filter) = &request.filter {
            events = events.filter(self.condition_of(visibility, filter, &snapshot).await?)?;
        }
        if !end.reaches(&snapshot.reached) {
            events = events.filter(within(ident("position"), &end))?;
        }
        let total = if request.total { Some(events.clone().count().await? as u64) } else { None };
        if let Some(cursor) = &request.after {
            events = events.filter(beyond(cursor, request.ascending))?;
        }
        // First the keys of the page, from narrow columns; then the bodies of just those rows.
        let by_time =
            vec![ident("occurred_at").sort(request.ascending, false), ident("position").sort(request.ascending, false)];
        let keys =
            events.select_columns(&["occurred_at", "position"])?.sort(by_time)?.limit(0, Some(request.limit + 1))?;
        let mut keys: Vec<(i64, i64)> = keys
            .collect()
            .await?
            .iter()
            .flat_map(|batch| times(batch).iter().copied().zip(positions(batch).iter().copied()).collect::<Vec<_>>())
            .collect();
        let more = keys.len() > request.limit;
        keys.truncate(request.limit);
        let next = keys.last().filter(|_| more).map(|(occurred_at, position)| Cursor {
            occurred_at: *occurred_at,
            position: position.cast_unsigned(),
            end: end.clone(),
        });
        let hits = self.bodies(visibility, &snapshot, &keys).await?;
        Ok(SearchPage { hits, next, total })
    }

    /// The bodies of the rows with these keys, in the order of the keys.
    async fn bodies(
        &self,
        visibility: &Visibility,
        snapshot: &Snapshot,
        keys: &[(i64, i64)],
    ) -> Result<Vec<Hit>, LakeError> {
        let (Some(first), Some(last)) = (keys.iter().map(|key| key.0).min(), keys.iter().map(|key| key.0).max()) else {
            return Ok(Vec::new());
        };
        let moment = |micros| timestamp(Timestamp::EPOCH.saturating_add_micros(micros));
        let wanted = keys.iter().map(|(_, position)| lit(*position)).collect();
        let session = self.inner.engine.session();
        let rows = session
            .read_table(self.inner.engine.table(visibility, snapshot.rows(), Order::NewestFirst))?
            .filter(ident("occurred_at").between(moment(first), moment(last)))?
            .filter(ident("position").in_list(wanted, false))?
            .select_columns(&["position", "event"])?;
        let mut found: std::collections::HashMap<Position, String> =
            hits(&rows.collect().await?).into_iter().map(|hit| (hit.position, hit.event)).collect();
        keys.iter()
            .map(|(_, position)| {
                let position = position.cast_unsigned();
                let event = found.remove(&position);
                event.map(|event| Hit { position, event }).ok_or_else(|| {
                    LakeError::Storage(format!("the event at position {position} was found but could not be read"))
                })
            })
            .collect()
    }

    /// The current snapshot and the table over what is visible of it.
    pub(crate) async fn events(
        &self,
        visibility: &Visibility,
        order: Order,
    ) -> Result<(Arc<Snapshot>, DataFrame), LakeError> {
        let snapshot = self.inner.snapshot().await?;
        let session: SessionContext = self.inner.engine.session();
        let events = session.read_table(self.inner.engine.table(visibility, snapshot.rows(), order))?;
        Ok((snapshot, events))
    }

    /// A filter as a condition. Sessions that are not closed are looked up first.
    pub(crate) async fn condition_of(
        &self,
        visibility: &Visibility,
        filter: &Filter,
        snapshot: &Snapshot,
    ) -> Result<Expr, LakeError> {
        let ongoing =
            if asks_for_ongoing(&filter.root) { self.ongoing(visibility, snapshot).await? } else { lit(false) };
        Ok(condition(filter, &ongoing))
    }

    /// A `session.opened` whose stream has no `session.closed` that is visible: that there is another one would tell
    /// of an event its reader does not see.
    async fn ongoing(&self, visibility: &Visibility, snapshot: &Snapshot) -> Result<Expr, LakeError> {
        let session = self.inner.engine.session();
        let events = self.inner.engine.table(visibility, snapshot.rows(), Order::OldestFirst);
        session.register_table("events", events)?;
        let open = session
            .sql(
                "SELECT position FROM events o WHERE type = 'session.opened' AND NOT EXISTS
                  (SELECT 1 FROM events c WHERE c.type = 'session.closed' AND c.stream = o.stream)",
            )
            .await?
            .collect()
            .await?;
        let open = open.iter().flat_map(|batch| positions(batch).to_vec()).map(lit).collect();
        Ok(ident("position").in_list(open, false))
    }

    /// Runs a question under the time limit and measures it.
    pub(crate) async fn timed<T>(
        &self,
        kind: &'static str,
        question: impl Future<Output = Result<T, LakeError>>,
    ) -> Result<T, LakeError> {
        let begun = Instant::now();
        let limit = self.inner.options.query_timeout;
        let answer = tokio::time::timeout(limit, question).await.unwrap_or(Err(LakeError::TimedOut(limit.as_secs())));
        metrics::histogram!("chancery_query_seconds", "kind" => kind).record(begun.elapsed().as_secs_f64());
        answer
    }
}

/// Rows that come after a cursor.
fn beyond(cursor: &Cursor, ascending: bool) -> Expr {
    let moment = timestamp(Timestamp::EPOCH.saturating_add_micros(cursor.occurred_at));
    let position = lit(cursor.position.cast_signed());
    let (time, place) = (ident("occurred_at"), ident("position"));
    // The first condition repeats what the second implies, in a form that prunes files and pages.
    if ascending {
        time.clone().gt_eq(moment.clone()).and(time.gt(moment).or(place.gt(position)))
    } else {
        time.clone().lt_eq(moment.clone()).and(time.lt(moment).or(place.lt(position)))
    }
}

/// The rows of batches with the columns `position` and `event`.
fn hits(batches: &[RecordBatch]) -> Vec<Hit> {
    let mut hits = Vec::new();
    for batch in batches {
        let Some(events) = batch.column_by_name("event").and_then(|column| column.as_string_view_opt()) else {
            continue;
        };
        for (position, event) in positions(batch).iter().zip(events) {
            hits.push(Hit { position: position.cast_unsigned(), event: event.unwrap_or_default().to_owned() });
        }
    }
    hits
}
