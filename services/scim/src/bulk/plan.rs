//! Ordering the operations of a bulk request.

use std::collections::HashMap;

use serde_json::Value;

use super::request::{BulkOperation, BulkRequest, Method};
use super::substitute::References;
use crate::error::ScimError;
use crate::schema::{Registry, ResourceType};

/// The operations in the order in which they are to be carried out.
#[derive(Debug, Clone)]
pub struct Plan<'r> {
    /// The operations.
    pub steps: Vec<Step<'r>>,
    /// After how many failed operations the rest is left undone.
    pub fail_on_errors: Option<usize>,
}

/// One operation, with ids in place of references.
#[derive(Debug, Clone)]
pub struct Step<'r> {
    /// Its position in the request.
    pub position: usize,
    /// What it does.
    pub method: Method,
    /// The name under which the client knows it.
    pub bulk_id: Option<String>,
    /// The version the resource must be at.
    pub version: Option<String>,
    /// The body.
    pub data: Value,
    /// What it is done to, or why it cannot be done.
    pub target: Result<BulkTarget<'r>, ScimError>,
    /// Positions of the operations whose resources it refers to: where one fails, this one cannot succeed.
    pub depends_on: Vec<usize>,
}

/// What an operation is done to.
#[derive(Debug, Clone)]
pub struct BulkTarget<'r> {
    /// The type of the resource.
    pub resource_type: &'r ResourceType,
    /// Its id; for a POST the one it gets.
    pub id: String,
}

impl BulkRequest {
    /// Plans the operations. `allocate` gives each new resource its id.
    pub fn plan(self, registry: &Registry, mut allocate: impl FnMut(&ResourceType) -> String) -> Plan<'_> {
        let mut made = HashMap::new();
        let mut ids: Vec<Option<String>> = Vec::with_capacity(self.operations.len());
        for (position, operation) in self.operations.iter().enumerate() {
            let resource_type = registry.by_endpoint(operation.path.trim_end_matches('/'));
            let id = resource_type.filter(|_| operation.method == Method::Post).map(&mut allocate);
            if let (Some(bulk_id), Some(id)) = (&operation.bulk_id, &id) {
                made.insert(bulk_id.clone(), (position, id.clone()));
            }
            ids.push(id);
        }
        let steps = self.operations.into_iter().zip(ids).enumerate();
        let steps = steps.map(|(position, (operation, id))| step(registry, position, operation, id, &made));
        Plan { steps: ordered(steps.collect()), fail_on_errors: self.fail_on_errors }
    }
}

fn step<'r>(
    registry: &'r Registry,
    position: usize,
    operation: BulkOperation,
    id: Option<String>,
    made: &HashMap<String, (usize, String)>,
) -> Step<'r> {
    let mut references = References { made, to: Vec::new(), unknown: None };
    let mut data = operation.data.unwrap_or(Value::Null);
    references.replace_all(&mut data);
    let path = references.replaced(&operation.path).unwrap_or(operation.path);
    let mut target = target_of(registry, operation.method, &path, id);
    if let Some(bulk_id) = references.unknown {
        target = Err(ScimError::new(409, format!("no operation of this request has the bulkId `{bulk_id}`")));
    }
    let mut depends_on = references.to;
    depends_on.sort_unstable();
    depends_on.dedup();
    depends_on.retain(|other| *other != position);
    let (method, bulk_id, version) = (operation.method, operation.bulk_id, operation.version);
    Step { position, method, bulk_id, version, data, target, depends_on }
}

/// `/Users` for a POST, `/Users/<id>` for others.
fn target_of<'r>(
    registry: &'r Registry,
    method: Method,
    path: &str,
    id: Option<String>,
) -> Result<BulkTarget<'r>, ScimError> {
    let unfit = |reason: &str| ScimError::value(format!("path `{path}`: {reason}"));
    let path_and_id = path.strip_prefix('/').ok_or_else(|| unfit("it must begin with a slash"))?;
    let (endpoint, given) = match path_and_id.trim_end_matches('/').split_once('/') {
        Some((endpoint, given)) => (endpoint, Some(given)),
        None => (path_and_id.trim_end_matches('/'), None),
    };
    let resource_type =
        registry.by_endpoint(&format!("/{endpoint}")).ok_or_else(|| unfit("there is no such endpoint"))?;
    match (method, given, id) {
        (Method::Post, None, Some(id)) => Ok(BulkTarget { resource_type, id }),
        (Method::Post, ..) => Err(unfit("a POST goes to an endpoint")),
        (_, Some(given), _) if !given.contains(['/', '?', '#']) => {
            Ok(BulkTarget { resource_type, id: given.to_owned() })
        }
        _ => Err(unfit("it names no resource")),
    }
}

/// The steps in the order of the request, but each after those it refers to. In a circle the one that comes first
/// in the request stays last of those it leads to.
fn ordered(steps: Vec<Step>) -> Vec<Step> {
    let mut order = Vec::with_capacity(steps.len());
    let mut is_seen = vec![false; steps.len()];
    for root in 0..steps.len() {
        let mut stack = vec![(root, 0)];
        if std::mem::replace(&mut is_seen[root], true) {
            continue;
        }
        while let Some((position, next)) = stack.pop() {
            match steps[position].depends_on.get(next) {
                Some(other) => {
                    stack.push((position, next + 1));
                    if !std::mem::replace(&mut is_seen[*other], true) {
                        stack.push((*other, 0));
                    }
                }
                None => order.push(position),
            }
        }
    }
    let mut steps: Vec<Option<Step>> = steps.into_iter().map(Some).collect();
    order.into_iter().filter_map(|position| steps[position].take()).collect()
}
