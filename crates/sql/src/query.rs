//! Runs a query within its limits.

use std::io::Write;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{SQLOptions, SessionContext};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::Statement as Sql;
use futures_util::StreamExt as _;
use indelible::cli::failure::Failure;
use tokio::runtime::Builder;

use crate::files::Files;
use crate::rows::{Format, Rows};
use crate::session::session;

/// What a query may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long it may take.
    pub time: Duration,
    /// Bytes that it may hold: tables of joins, groups and sorts, and the rows of a table that waits to be written.
    pub memory: usize,
}

/// Writes the rows of a query and counts them.
///
/// # Errors
/// It is none that is taken, it fails, or it meets a limit; some rows may have been written.
pub fn run(sql: String, files: Files, limits: Limits, format: Format, out: Box<dyn Write + Send>) -> Result<u64, Failure> {
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    let (done, answered) = sync_channel(1);
    runtime.spawn(async move {
        let answer = answer(&sql, files, limits, format, out).await;
        // Nobody listens any more when the time is over.
        let _ = done.send(answer);
    });
    // Here and not on a timer of the runtime: an operator that does not yield would keep it from ringing.
    let answer = answered.recv_timeout(limits.time);
    // What still runs ends with the process.
    runtime.shutdown_background();
    match answer {
        Ok(answer) => answer,
        Err(RecvTimeoutError::Timeout) => Err(Failure::new(format!(
            "stopped: the query takes longer than --timeout {:?}; ask for less (a narrower WHERE, a LIMIT), or give it more time",
            limits.time
        ))),
        Err(RecvTimeoutError::Disconnected) => Err(Failure::new("the query ended without an answer: please report it with the query")),
    }
}

async fn answer(sql: &str, files: Files, limits: Limits, format: Format, out: Box<dyn Write + Send>) -> Result<u64, Failure> {
    let failed = |why: DataFusionError| failure(&why, limits.memory);
    let session = session(files, limits.memory).await.map_err(failed)?;
    let plan = plan(sql, &session).await?;
    let explains = matches!(plan, LogicalPlan::Explain(_) | LogicalPlan::Analyze(_));
    let pool = Arc::clone(&session.runtime_env().memory_pool);
    let waiting = MemoryConsumer::new("rows of the table").register(&pool);
    let mut batches = session.execute_logical_plan(plan).await.map_err(failed)?.execute_stream().await.map_err(failed)?;
    let mut rows = Rows::begin(format, explains, &batches.schema(), out)?;
    while let Some(batch) = batches.next().await {
        let batch = batch.map_err(failed)?;
        if format == Format::Table {
            waiting.try_grow(batch.get_array_memory_size()).map_err(failed)?;
        }
        rows.write(&batch)?;
    }
    rows.end()
}

/// The plan of a query that only reads.
async fn plan(sql: &str, session: &SessionContext) -> Result<LogicalPlan, Failure> {
    let state: SessionState = session.state();
    let wrong = |why: DataFusionError| Failure::new(format!("the query is not understood: {}", why.strip_backtrace()));
    let statement = state.sql_to_statement(sql, &state.config_options().sql_parser.dialect).map_err(wrong)?;
    let refused = || Failure::new("refused: the lake is only read; SELECT, EXPLAIN, SHOW and DESCRIBE are taken");
    if !reads(&statement) {
        return Err(refused());
    }
    let plan = state.statement_to_plan(statement).await.map_err(wrong)?;
    // Whatever else a statement that begins well may hold: SELECT INTO, INSERT behind WITH.
    let only_reads = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    only_reads.verify_plan(&plan).map_err(|_| refused())?;
    Ok(plan)
}

fn reads(statement: &Statement) -> bool {
    match statement {
        Statement::Statement(sql) => reads_sql(sql),
        Statement::Explain(explained) => reads(&explained.statement),
        Statement::CreateExternalTable(_) | Statement::CopyTo(_) | Statement::Reset(_) => false,
    }
}

fn reads_sql(sql: &Sql) -> bool {
    match sql {
        Sql::Explain { statement, .. } => reads_sql(statement),
        other => matches!(
            other,
            Sql::Query(_)
                | Sql::ExplainTable { .. }
                | Sql::ShowTables { .. }
                | Sql::ShowColumns { .. }
                | Sql::ShowFunctions { .. }
                | Sql::ShowVariable { .. }
        ),
    }
}

/// What went wrong while rows were made.
fn failure(why: &DataFusionError, memory: usize) -> Failure {
    match why.find_root() {
        DataFusionError::ResourcesExhausted(said) => Failure::new(format!(
            "stopped: the query holds more than --memory {} MiB; ask for less (fewer columns, groups or sorted rows), or give it more ({said})",
            memory >> 20
        )),
        root => Failure::new(root.strip_backtrace()),
    }
}
