//! Functions of our own: addresses in networks, values inside the event's JSON, items of lists.

use std::net::IpAddr;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use chancery_filter::{Case, Path, Predicate, parse_network};
use chancery_log::Frontier;
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::{ColumnarValue, Expr, ScalarUDF, Signature, SimpleScalarUDF, Volatility};
use datafusion::prelude::{SessionContext, lit};
use ipnet::IpNet;
use serde_json::Value;

/// Makes the functions for people known to SQL: `ip_in_network(actor_ip, '10.0.0.0/8')` and
/// `json_text(event, 'data.kind')`.
pub(crate) fn register(session: &SessionContext) {
    session.register_udf(ip_in_network());
    session.register_udf(text_in_json());
}

/// Whether the address in `column` lies in `network`.
pub(crate) fn in_network(column: Expr, network: IpNet) -> Expr {
    ip_in_network().call(vec![column, lit(network.to_string())])
}

/// The text of the value at `path` of the event in `column`.
pub(crate) fn json_text(column: Expr, path: &str) -> Expr {
    text_in_json().call(vec![column, lit(path)])
}

/// Whether the value at a filter's path satisfies its predicate.
pub(crate) fn json_matches(column: Expr, path: &Path, predicate: &Predicate) -> Expr {
    // The optimizer takes calls of functions of one name as equal: the name has to tell questions apart.
    let name = format!("json_matches[{path:?} {predicate:?}]");
    let (path, predicate) = (path.clone(), predicate.clone());
    let matches = move |event: &str| {
        let root = sonic_rs::get_from_str(event, &[path.root.member()]).ok();
        let root = root.and_then(|root| serde_json::from_str::<Value>(root.as_raw_str()).ok());
        root.is_some_and(|root| path.matches(&predicate, &root))
    };
    let test = move |arguments: &[ColumnarValue]| {
        let found = texts(arguments)?.iter().map(|event| Some(event.is_some_and(&matches))).collect::<BooleanArray>();
        Ok(Arc::new(found) as ArrayRef)
    };
    function(&name, 1, DataType::Boolean, test).call(vec![column])
}

/// Whether the position in `column` is within a frontier.
pub(crate) fn within(column: Expr, frontier: &Frontier) -> Expr {
    if frontier.partitions() == 1 {
        return column.lt_eq(lit(frontier.of(0).cast_signed()));
    }
    let name = format!("within[{frontier}]");
    let frontier = frontier.clone();
    let test = move |arguments: &[ColumnarValue]| {
        let positions = array(arguments, 0)?;
        let Some(positions) = positions.as_primitive_opt::<Int64Type>() else {
            return exec_err!("a position is needed");
        };
        let within = positions.iter().map(|position| Some(frontier.includes(position?.cast_unsigned())));
        Ok(Arc::new(within.collect::<BooleanArray>()) as ArrayRef)
    };
    function(&name, 1, DataType::Boolean, test).call(vec![column])
}

/// Whether any item of a list of texts satisfies `predicate`.
pub(crate) fn any_item(column: Expr, predicate: &Predicate, case: Case) -> Expr {
    let name = format!("any_item[{predicate:?} {case:?}]");
    let predicate = predicate.clone();
    let holds = move |items: ArrayRef| {
        let items = items.as_string_opt::<i32>();
        items.is_some_and(|items| items.iter().flatten().any(|item| predicate.matches_text(case, item)))
    };
    let test = move |arguments: &[ColumnarValue]| {
        let lists = array(arguments, 0)?;
        let Some(lists) = lists.as_list_opt::<i32>() else { return exec_err!("a list is needed") };
        let found = lists.iter().map(|items| Some(items.is_some_and(&holds))).collect::<BooleanArray>();
        Ok(Arc::new(found) as ArrayRef)
    };
    function(&name, 1, DataType::Boolean, test).call(vec![column])
}

fn ip_in_network() -> ScalarUDF {
    function("ip_in_network", 2, DataType::Boolean, |arguments| {
        let text = constant(arguments.get(1))?;
        let Some(network) = parse_network(&text) else {
            return exec_err!("`{text}` is not an address or a network");
        };
        let inside =
            |address: &str| address.parse::<IpAddr>().ok().map(|address| network.contains(&address.to_canonical()));
        let found = texts(arguments)?.iter().map(|address| address.and_then(inside)).collect::<BooleanArray>();
        Ok(Arc::new(found))
    })
}

fn text_in_json() -> ScalarUDF {
    function("json_text", 2, DataType::Utf8, |arguments| {
        let path = constant(arguments.get(1))?;
        let segments: Vec<&str> = path.split('.').collect();
        let found = texts(arguments)?.iter().map(|event| value_at(event?, &segments)).collect::<StringArray>();
        Ok(Arc::new(found))
    })
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

fn function(
    name: &str,
    arguments: usize,
    returns: DataType,
    body: impl Fn(&[ColumnarValue]) -> Result<ArrayRef> + Send + Sync + 'static,
) -> ScalarUDF {
    let signature = Signature::any(arguments, Volatility::Immutable);
    let body = move |arguments: &[ColumnarValue]| body(arguments).map(ColumnarValue::Array);
    SimpleScalarUDF::new_with_signature(name, signature, returns, Arc::new(body)).into()
}

fn array(arguments: &[ColumnarValue], index: usize) -> Result<ArrayRef> {
    let Some(value) = arguments.get(index) else { return exec_err!("an argument is missing") };
    value.to_array(1)
}

/// The texts of the first argument, whatever string type it has.
fn texts(arguments: &[ColumnarValue]) -> Result<StringArray> {
    let array = array(arguments, 0)?;
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
