//! From the log's bytes to columns.

use std::borrow::Cow;

use arrow::array::{
    ArrayRef, Int64Builder, ListBuilder, RecordBatch, StringBuilder, StringViewBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, Field};
use chancery_domain::{ActorKind, Outcome, Timestamp};
use chancery_log::Recorded;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::sync::Arc;

use crate::LakeError;
use crate::schema::events_schema;

/// Type of a row whose bytes are not an event: archived all the same, so that nothing is lost or blocked.
pub(crate) const UNREADABLE: &str = "chancery.unreadable";

/// Most bytes of text allocated at once per column; growing blocks would be half empty, and the tail holds many.
const TEXT_BLOCK: usize = 32 << 10;

/// What the columns need of an event. Payloads are skipped over, not built.
#[derive(Deserialize)]
struct Columns<'a> {
    #[serde(borrow)]
    action: Cow<'a, str>,
    #[serde(borrow)]
    actor: ActorColumns<'a>,
    #[serde(borrow)]
    causation: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    changes: Vec<ChangeColumns<'a>>,
    #[serde(borrow)]
    correlation: Option<Cow<'a, str>>,
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    imported: Option<ImportedColumns<'a>>,
    occurred_at: Timestamp,
    #[serde(borrow)]
    organization: Option<Cow<'a, str>>,
    outcome: Outcome,
    #[serde(borrow, default)]
    policies: Vec<PolicyColumns<'a>>,
    #[serde(borrow)]
    reason: Option<Cow<'a, str>>,
    recorded_at: Timestamp,
    #[serde(borrow)]
    resource: ResourceColumns<'a>,
    schema: u16,
    #[serde(borrow)]
    source: Cow<'a, str>,
    #[serde(borrow)]
    stream: Cow<'a, str>,
    stream_version: u64,
    #[serde(borrow, rename = "type")]
    event_type: Cow<'a, str>,
}

#[derive(Deserialize)]
struct ActorColumns<'a> {
    #[serde(borrow)]
    email: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    groups: Vec<Cow<'a, str>>,
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    ip: Option<Cow<'a, str>>,
    kind: ActorKind,
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    on_behalf_of: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    roles: Vec<Cow<'a, str>>,
    #[serde(borrow)]
    session: Option<Cow<'a, str>>,
    #[serde(borrow)]
    user_agent: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct ResourceColumns<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    owner: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct ChangeColumns<'a> {
    #[serde(borrow)]
    path: Cow<'a, str>,
    #[serde(default, rename = "old")]
    _old: IgnoredAny,
}

#[derive(Deserialize)]
struct PolicyColumns<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    version: u64,
}

#[derive(Deserialize)]
struct ImportedColumns<'a> {
    #[serde(borrow)]
    format: Cow<'a, str>,
}

/// Encodes events as one batch of [`events_schema`].
pub(crate) fn encode(events: &[Recorded]) -> Result<RecordBatch, LakeError> {
    let mut builders = Builders::new(events.len(), events.iter().map(|event| event.bytes.len()).sum());
    for recorded in events {
        match serde_json::from_str::<Columns<'_>>(&recorded.bytes) {
            Ok(columns) => builders.append(recorded, &columns),
            Err(error) => {
                tracing::error!(position = recorded.position, %error, "archiving an event that cannot be read as it is");
                metrics::counter!("chancery_lake_unreadable_events_total").increment(1);
                builders.append_unreadable(recorded);
            }
        }
    }
    builders.finish()
}

struct Builders {
    integers: [Int64Builder; 3],
    times: [TimestampMicrosecondBuilder; 2],
    texts: [StringViewBuilder; 24],
    lists: [ListBuilder<StringBuilder>; 4],
}

impl Builders {
    fn new(rows: usize, bytes: usize) -> Self {
        // No column has more text than the events together.
        let block = u32::try_from(bytes.clamp(1, TEXT_BLOCK)).unwrap_or(u32::MAX);
        let list = || ListBuilder::new(StringBuilder::new()).with_field(Field::new("element", DataType::Utf8, true));
        Self {
            integers: std::array::from_fn(|_| Int64Builder::with_capacity(rows)),
            times: std::array::from_fn(|_| TimestampMicrosecondBuilder::with_capacity(rows).with_timezone("UTC")),
            texts: std::array::from_fn(|_| StringViewBuilder::with_capacity(rows).with_fixed_block_size(block)),
            lists: std::array::from_fn(|_| list()),
        }
    }

    fn append(&mut self, recorded: &Recorded, event: &Columns<'_>) {
        self.numbers(recorded.position, event.schema.into(), event.stream_version);
        self.moments(event.occurred_at, event.recorded_at);
        let actor = &event.actor;
        let address = actor.ip.as_deref().map(canonical_address);
        self.all_texts(&[
            Some(&event.id),
            Some(&event.source),
            Some(&event.event_type),
            Some(&event.stream),
            Some(actor.kind.as_str()),
            Some(&actor.id),
            actor.name.as_deref(),
            actor.email.as_deref(),
            address.as_deref(),
            actor.user_agent.as_deref(),
            actor.session.as_deref(),
            actor.on_behalf_of.as_deref(),
            event.organization.as_deref(),
            Some(&event.resource.kind),
            Some(&event.resource.id),
            event.resource.name.as_deref(),
            event.resource.owner.as_deref(),
            Some(&event.action),
            Some(event.outcome.as_str()),
            event.reason.as_deref(),
            event.correlation.as_deref(),
            event.causation.as_deref(),
            event.imported.as_ref().map(|imported| imported.format.as_ref()),
            Some(&recorded.bytes),
        ]);
        let [roles, groups, policies, changed] = &mut self.lists;
        list(roles, actor.roles.iter().map(Cow::as_ref));
        list(groups, actor.groups.iter().map(Cow::as_ref));
        // A policy can be asked for by its id or by id and version.
        let names: Vec<String> =
            event.policies.iter().flat_map(|p| [p.id.to_string(), format!("{}@{}", p.id, p.version)]).collect();
        list(policies, names.iter().map(String::as_str));
        list(changed, event.changes.iter().map(|change| change.path.as_ref()));
    }

    fn append_unreadable(&mut self, recorded: &Recorded) {
        self.numbers(recorded.position, 0, 0);
        self.moments(Timestamp::EPOCH, Timestamp::EPOCH);
        let mut texts = [Some(""); 24];
        texts[2] = Some(UNREADABLE);
        for optional in [6, 7, 8, 9, 10, 11, 12, 15, 16, 19, 20, 21, 22] {
            texts[optional] = None;
        }
        texts[23] = Some(&recorded.bytes);
        self.all_texts(&texts);
        self.lists.iter_mut().for_each(|builder| builder.append(false));
    }

    fn numbers(&mut self, position: u64, schema: u64, stream_version: u64) {
        for (builder, value) in self.integers.iter_mut().zip([position, schema, stream_version]) {
            builder.append_value(value.cast_signed());
        }
    }

    fn moments(&mut self, occurred_at: Timestamp, recorded_at: Timestamp) {
        for (builder, value) in self.times.iter_mut().zip([occurred_at, recorded_at]) {
            builder.append_value(value.as_micros());
        }
    }

    fn all_texts(&mut self, values: &[Option<&str>; 24]) {
        for (builder, value) in self.texts.iter_mut().zip(values) {
            builder.append_option(*value);
        }
    }

    fn finish(mut self) -> Result<RecordBatch, LakeError> {
        let schema = events_schema();
        let mut integers = self.integers.iter_mut().map(|builder| Arc::new(builder.finish()) as ArrayRef);
        let mut times = self.times.iter_mut().map(|builder| Arc::new(builder.finish()) as ArrayRef);
        let mut texts = self.texts.iter_mut().map(|builder| Arc::new(builder.finish()) as ArrayRef);
        let mut lists = self.lists.iter_mut().map(|builder| Arc::new(builder.finish()) as ArrayRef);
        let columns = schema.fields().iter().filter_map(|field| match field.data_type() {
            DataType::Int64 => integers.next(),
            DataType::Timestamp(..) => times.next(),
            DataType::List(_) => lists.next(),
            _ => texts.next(),
        });
        let columns = columns.collect();
        Ok(RecordBatch::try_new(schema, columns)?)
    }
}

fn list<'a>(builder: &mut ListBuilder<StringBuilder>, items: impl Iterator<Item = &'a str>) {
    let mut any = false;
    for item in items {
        builder.values().append_value(item);
        any = true;
    }
    builder.append(any);
}

/// Addresses were parsed on the way in; this only guards the column against other spellings.
fn canonical_address(text: &str) -> String {
    text.parse::<std::net::IpAddr>().map_or_else(|_| text.to_owned(), |address| address.to_string())
}
