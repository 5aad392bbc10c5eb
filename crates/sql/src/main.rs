//! `indelible-sql`: SQL on the lake of an Indelible log (docs/SQL.md), on a directory or a running server.
//!
//! ```text
//! args ─► directory, or cache (of a server's files) ─► files ─► session ─► query ─► rows
//!                     └──────────── listing ────────────────────────────► coverage (standard error)
//! ```
//! INVARIANT: nothing but the lake files that were opened before the query can be read, and nothing can be written by
//! it: the session knows no other store (`files.rs`), and a plan that would change anything is refused (`query.rs`).
//!
//! Exit codes as those of `indelible`: 0 done; 1 done, and entries that could be in the lake are not, so rows may be
//! missing; 2 could not be done.

mod args;
mod cache;
mod coverage;
mod directory;
mod files;
mod output;
mod query;
mod rows;
mod session;
mod views;

use std::io::{self, Read as _, Write as _};
use std::process::ExitCode;

use clap::Parser as _;
use indelible::cli::failure::Failure;
use indelible::cli::safe_text::escape;
use indelible::cli::server::read_named;

use crate::args::Args;
use crate::output::Output;

/// Bytes of a query from standard input: far more than a person or a program writes.
const QUERY_BYTES_MAX: u64 = 1 << 20;

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(code) => code,
        // Whoever read our output has heard enough: `indelible-sql … | head`.
        Err(failure) if failure.is_closed_output() => ExitCode::SUCCESS,
        Err(failure) => {
            // Standard error that cannot be written leaves the exit code to say it.
            let _ = writeln!(io::stderr(), "error: {}", escape(&failure.to_string()));
            ExitCode::from(2)
        }
    }
}

fn run(args: &Args) -> Result<ExitCode, Failure> {
    if args.views {
        views::write(&mut io::stdout().lock())?;
        return Ok(ExitCode::SUCCESS);
    }
    let sql = sql(args)?;
    let output = Output::prepare(args.output.as_deref(), args.format)?;
    let (listing, files) = match &args.data {
        Some(data) => directory::open(data)?,
        None => cache::open(&args.server.connect()?, args.cache.as_deref())?,
    };
    let limits = query::Limits { time: args.timeout, memory: args.memory };
    let rows = query::run(sql, files, limits, args.format, output.writer()?)?;
    output.finish()?;
    coverage::write(rows, &listing, &mut io::stderr().lock())?;
    Ok(if listing.missing.iter().any(|missing| missing.why.is_gap()) { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// The query: the argument, the file, or else standard input.
fn sql(args: &Args) -> Result<String, Failure> {
    let sql = match (&args.query, &args.file) {
        (Some(query), _) => query.clone(),
        (None, Some(file)) => read_named(file)?,
        (None, None) => {
            let mut sql = String::new();
            io::stdin().lock().take(QUERY_BYTES_MAX + 1).read_to_string(&mut sql).map_err(Failure::at("standard input"))?;
            // The beginning of a query may be another query.
            if sql.len() as u64 > QUERY_BYTES_MAX {
                return Err(Failure::new(format!("standard input has more than the {QUERY_BYTES_MAX} bytes that a query may have")));
            }
            sql
        }
    };
    if sql.trim().is_empty() {
        return Err(Failure::new("there is no query: give one, or -f FILE; --views lists what can be asked"));
    }
    Ok(sql)
}
