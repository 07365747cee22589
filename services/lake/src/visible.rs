//! The gate between the rows of the table and a question asked by someone who may not see them all.
//!
//! DataFusion moves a question's conditions towards the data and past each other. A condition must not meet a row its
//! asker may not see: if it fails there, the error says what is in the row. So the rows are chosen in a plan of their
//! own, directly above the files and the tail:
//!
//! * It chooses the visible rows itself, whatever the plans below it have done already.
//! * It hands its choice down, so that files, row groups and pages without visible rows are not read, and beside it only
//!   such conditions of the question as cannot fail. They stay where they were, too.
//! * It says nothing of how many rows there are and what lies in them, so that nothing is answered from statistics.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, ScalarValue, internal_datafusion_err};
use datafusion::execution::TaskContext;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{
    BinaryExpr, Column, DynamicFilterPhysicalExpr, InListExpr, IsNotNullExpr, IsNullExpr, Literal, NotExpr, col,
    in_list,
};
use datafusion::physical_plan::filter::batch_filter;
use datafusion::physical_plan::filter_pushdown::{ChildFilterDescription, FilterDescription, FilterPushdownPhase};
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, SendableRecordBatchStream, apply_expression_roots,
};
use futures::StreamExt;

/// The column that decides.
pub(crate) const ORGANIZATION: &str = "organization";

/// The rows of `rows`, which has the column [`ORGANIZATION`], that belong to `organizations`; of them the first
/// `columns` columns.
pub(crate) fn visible(
    rows: Arc<dyn ExecutionPlan>,
    organizations: &BTreeSet<String>,
    columns: usize,
) -> Result<Arc<dyn ExecutionPlan>> {
    let schema = rows.schema();
    let names = organizations
        .iter()
        .map(|name| Arc::new(Literal::new(ScalarValue::Utf8View(Some(name.clone())))) as Arc<dyn PhysicalExpr>);
    let belongs = in_list(col(ORGANIZATION, &schema)?, names.collect(), &false, &schema)?;
    let gate = Arc::new(VisibleExec { rows, belongs });
    if columns == schema.fields().len() {
        return Ok(gate);
    }
    let first = schema.fields().iter().take(columns).enumerate();
    let first =
        first.map(|(index, field)| ProjectionExpr::new(Arc::new(Column::new(field.name(), index)), field.name()));
    Ok(Arc::new(ProjectionExec::try_new(first, gate)?))
}

/// Lets the visible rows through.
#[derive(Debug)]
struct VisibleExec {
    rows: Arc<dyn ExecutionPlan>,
    /// Whether a row belongs to a visible organization.
    belongs: Arc<dyn PhysicalExpr>,
}

impl DisplayAs for VisibleExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VisibleExec")
    }
}

impl ExecutionPlan for VisibleExec {
    fn name(&self) -> &'static str {
        "VisibleExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.rows.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.rows]
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        apply_expression_roots([&self.belongs], f)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let rows = children.into_iter().next().ok_or_else(|| internal_datafusion_err!("one child is needed"))?;
        Ok(Arc::new(Self { rows, belongs: self.belongs.clone() }))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let rows = self.rows.execute(partition, context)?;
        let belongs = self.belongs.clone();
        let visible = rows.map(move |batch| batch_filter(&batch?, &belongs));
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), visible)))
    }

    fn gather_filters_for_pushdown(
        &self,
        phase: FilterPushdownPhase,
        parent_filters: Vec<Arc<dyn PhysicalExpr>>,
        _config: &ConfigOptions,
    ) -> Result<FilterDescription> {
        let schema = self.schema();
        let asked = parent_filters.iter().filter(|condition| cannot_fail(condition, &schema)).cloned();
        let child = ChildFilterDescription::all_unsupported(&parent_filters).with_self_filters(asked.collect());
        let child = match phase {
            FilterPushdownPhase::Pre => child.with_self_filter(self.belongs.clone()),
            FilterPushdownPhase::Post => child,
        };
        Ok(FilterDescription::new().with_child(child))
    }
}

/// Whether a condition has an answer for every row, whatever is in it: comparisons of columns and constants do, and
/// nothing that calculates.
fn cannot_fail(condition: &Arc<dyn PhysicalExpr>, schema: &Schema) -> bool {
    let answers = if let Some(column) = condition.downcast_ref::<Column>() {
        column.data_type(schema).is_ok_and(|data_type| !data_type.is_nested())
    } else if let Some(binary) = condition.downcast_ref::<BinaryExpr>() {
        compares(*binary.op())
    } else if condition.is::<DynamicFilterPhysicalExpr>() {
        // What it compares its children with changes while the question runs; what the children are does not.
        condition.children().iter().all(|child| child.is::<Column>())
    } else {
        condition.is::<Literal>()
            || condition.is::<InListExpr>()
            || condition.is::<NotExpr>()
            || condition.is::<IsNullExpr>()
            || condition.is::<IsNotNullExpr>()
    };
    answers && condition.children().into_iter().all(|child| cannot_fail(child, schema))
}

const fn compares(operator: Operator) -> bool {
    use Operator::{And, Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq, Or};
    matches!(operator, Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom | And | Or)
}
