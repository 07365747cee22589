//! Functions of our own: addresses in networks, values inside the event's JSON.

use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use chancery_filter::{Path, PathRoot, Predicate};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::prelude::SessionContext;
use ipnet::IpNet;
use serde_json::Value;

/// Makes the functions for people known to SQL: `ip_in_network(actor_ip, '10.0.0.0/8')` and
/// `json_text(event, 'data.kind')`.
pub(crate) fn register(session: &SessionContext) {
    session.register_udf(ScalarUDF::from(InNetwork::new()));
    session.register_udf(ScalarUDF::from(JsonText::new()));
}

/// Whether the address in `column` lies in `network`.
pub(crate) fn in_network(column: Expr, network: IpNet) -> Expr {
    ScalarUDF::from(InNetwork::new())
        .call(vec![column, Expr::Literal(ScalarValue::Utf8(Some(network.to_string())), None)])
}

/// The text of the value at `path` of the event in `column`.
pub(crate) fn json_text(column: Expr, path: &str) -> Expr {
    ScalarUDF::from(JsonText::new()).call(vec![column, Expr::Literal(ScalarValue::Utf8(Some(path.to_owned())), None)])
}

/// Whether the value at a filter's path satisfies its predicate.
pub(crate) fn json_matches(column: Expr, path: &Path, predicate: &Predicate) -> Expr {
    let name = format!("json_matches[{path:?} {predicate:?}]");
    let test = JsonMatches { name, path: path.clone(), predicate: predicate.clone(), signature: text_arguments(1) };
    ScalarUDF::from(test).call(vec![column])
}

/// Whether any item of a list of texts satisfies `predicate`.
pub(crate) fn any_item(column: Expr, predicate: &Predicate, fold_case: bool) -> Expr {
    let name = format!("any_item[{predicate:?} {fold_case}]");
    ScalarUDF::from(AnyItem { name, predicate: predicate.clone(), fold_case, signature: text_arguments(1) })
        .call(vec![column])
}

fn text_arguments(count: usize) -> Signature {
    Signature::any(count, Volatility::Immutable)
}

/// The texts of an argument, whatever string type it has.
fn texts(value: &ColumnarValue, rows: usize) -> Result<StringArray> {
    let array = value.to_array(rows)?;
    let array = if array.data_type() == &DataType::Utf8 { array } else { cast(&array, &DataType::Utf8)? };
    Ok(array.as_string::<i32>().clone())
}

/// An argument that has to be a constant text.
fn constant(value: Option<&ColumnarValue>) -> Result<String> {
    use ScalarValue::{LargeUtf8, Utf8, Utf8View};
    if let Some(ColumnarValue::Scalar(Utf8(Some(text)) | Utf8View(Some(text)) | LargeUtf8(Some(text)))) = value {
        return Ok(text.clone());
    }
    exec_err!("the second argument must be a constant text")
}

fn first(args: &ScalarFunctionArgs) -> Result<StringArray> {
    let Some(value) = args.args.first() else { return exec_err!("an argument is missing") };
    texts(value, args.number_rows)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct InNetwork {
    signature: Signature,
}

impl InNetwork {
    fn new() -> Self {
        Self { signature: text_arguments(2) }
    }
}

impl ScalarUDFImpl for InNetwork {
    fn name(&self) -> &'static str {
        "ip_in_network"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let text = constant(args.args.get(1))?;
        let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        let Ok(network) = network else { return exec_err!("`{text}` is not an address or a network") };
        let network = canonical_network(network);
        let addresses = first(&args)?;
        let inside = addresses.iter().map(|address| {
            address
                .and_then(|text| text.parse::<IpAddr>().ok())
                .map(|address| network.contains(&address.to_canonical()))
        });
        Ok(ColumnarValue::Array(Arc::new(inside.collect::<BooleanArray>())))
    }
}

/// A network of IPv4 addresses mapped into IPv6 as a network of IPv4 addresses.
fn canonical_network(network: IpNet) -> IpNet {
    match (network.addr().to_canonical(), network) {
        (IpAddr::V4(address), IpNet::V6(six)) if six.prefix_len() >= 96 => {
            ipnet::Ipv4Net::new(address, six.prefix_len() - 96).map_or(network, IpNet::V4)
        }
        _ => network,
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct JsonText {
    signature: Signature,
}

impl JsonText {
    fn new() -> Self {
        Self { signature: text_arguments(2) }
    }
}

impl ScalarUDFImpl for JsonText {
    fn name(&self) -> &'static str {
        "json_text"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let path = constant(args.args.get(1))?;
        let segments: Vec<&str> = path.split('.').collect();
        let events = first(&args)?;
        let found: StringArray =
            events.iter().map(|event| event.and_then(|event| value_at(event, &segments))).collect();
        Ok(ColumnarValue::Array(Arc::new(found)))
    }
}

/// The value at a path as text; `null` and absence are none.
fn value_at(event: &str, segments: &[&str]) -> Option<String> {
    let value = sonic_rs::get_from_str(event, segments.iter()).ok()?;
    match serde_json::from_str(value.as_raw_str()).ok()? {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}

#[derive(Debug, PartialEq)]
struct JsonMatches {
    /// Tells questions apart: the optimizer takes calls of functions of one name as equal.
    name: String,
    path: Path,
    predicate: Predicate,
    signature: Signature,
}

impl Eq for JsonMatches {}

impl Hash for JsonMatches {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.path.hash(state);
    }
}

impl ScalarUDFImpl for JsonMatches {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let member = match self.path.root {
            PathRoot::Data => "data",
            PathRoot::Extensions => "extensions",
            PathRoot::Changes(_) => "changes",
        };
        let events = first(&args)?;
        let matches = events.iter().map(|event| {
            let root = event.and_then(|event| sonic_rs::get_from_str(event, &[member]).ok());
            let root = root.and_then(|root| serde_json::from_str::<Value>(root.as_raw_str()).ok());
            Some(root.is_some_and(|root| self.path.matches(&self.predicate, &root)))
        });
        Ok(ColumnarValue::Array(Arc::new(matches.collect::<BooleanArray>())))
    }
}

#[derive(Debug, PartialEq)]
struct AnyItem {
    name: String,
    predicate: Predicate,
    fold_case: bool,
    signature: Signature,
}

impl Eq for AnyItem {}

impl Hash for AnyItem {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.fold_case.hash(state);
    }
}

impl AnyItem {
    fn holds(predicate: &Predicate, text: &str) -> bool {
        match predicate {
            Predicate::Exists => !text.is_empty(),
            Predicate::Equals(asked) => asked == text,
            Predicate::Wildcard(pattern) => pattern.matches(text),
            Predicate::AnyOf(any) => any.iter().any(|predicate| Self::holds(predicate, text)),
            _ => false,
        }
    }

    fn row(&self, items: &ArrayRef) -> bool {
        let Some(items) = items.as_string_opt::<i32>() else { return false };
        items.iter().flatten().any(|item| {
            if self.fold_case {
                Self::holds(&self.predicate, &item.to_lowercase())
            } else {
                Self::holds(&self.predicate, item)
            }
        })
    }
}

impl ScalarUDFImpl for AnyItem {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(value) = args.args.first() else { return exec_err!("an argument is missing") };
        let array = value.to_array(args.number_rows)?;
        let Some(lists) = array.as_list_opt::<i32>() else { return exec_err!("a list is needed") };
        let matches = lists.iter().map(|items| Some(items.is_some_and(|items| self.row(&items))));
        Ok(ColumnarValue::Array(Arc::new(matches.collect::<BooleanArray>())))
    }
}
