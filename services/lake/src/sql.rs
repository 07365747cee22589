//! Read-only SQL over `events`.

use std::time::Duration;

use datafusion::execution::context::SQLOptions;
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::Statement as SqlStatement;

use crate::handle::Lake;
use crate::table::Order;
use crate::{LakeError, Visibility};

/// Rows of an answer, as they come.
pub type SqlStream = SendableRecordBatchStream;

/// What a SQL question may use.
#[derive(Debug, Clone, Copy)]
pub struct SqlLimits {
    /// Longest time until the first rows.
    pub timeout: Duration,
    /// Most rows.
    pub max_rows: usize,
}

impl Lake {
    /// Starts one `SELECT` over the table `events`, of which only what is visible can be reached. At most `max_rows + 1` rows come, so that the caller can
    /// tell that there would be more. Nothing can be written, no file and no other table can be read.
    pub async fn sql(&self, visibility: &Visibility, query: &str, limits: SqlLimits) -> Result<SqlStream, LakeError> {
        let start = async {
            only_query(query)?;
            let snapshot = self.inner.snapshot().await?;
            let session = self.inner.engine.session();
            let events = self.inner.engine.table(visibility, snapshot.rows(), Order::NewestFirst);
            session.register_table("events", events)?;
            let read_only = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
            let answer = session.sql_with_options(query, read_only).await?;
            Ok(answer.limit(0, Some(limits.max_rows + 1))?.execute_stream().await?)
        };
        match tokio::time::timeout(limits.timeout, start).await {
            Ok(stream) => stream,
            Err(_) => Err(LakeError::TimedOut(limits.timeout.as_secs())),
        }
    }
}

/// Refuses everything but one query.
fn only_query(text: &str) -> Result<(), LakeError> {
    let invalid = |error: datafusion::error::DataFusionError| LakeError::from(error);
    let mut statements =
        DFParserBuilder::new(text).build().and_then(|mut parser| parser.parse_statements()).map_err(invalid)?;
    match (statements.pop_front(), statements.is_empty()) {
        (Some(Statement::Statement(statement)), true) if matches!(*statement, SqlStatement::Query(_)) => Ok(()),
        (None, _) => Err(LakeError::Invalid("an empty query".to_owned())),
        (_, false) => Err(LakeError::Invalid("one query at a time".to_owned())),
        _ => Err(LakeError::Invalid("only SELECT queries over the table `events` are allowed".to_owned())),
    }
}
