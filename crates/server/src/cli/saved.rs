//! Saved searches: search lines under a name.

use std::io::Write;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use ureq::http::Method;

use crate::cli::Answer;
use crate::cli::failure::Failure;
use crate::cli::maps::catalog;
use crate::cli::place::Place;
use crate::cli::safe_text::{escape, escape_line};
use crate::cli::search::{checked_line, marked};
use crate::cli::server::Server;
use crate::cli::stopped::with_log;
use crate::search::named::{Kept, Within};
use crate::search::saved::{SavedLines, SavedSearch, names_saved, parse_among};
use crate::search::{Query, Saved as Searches, parse};

/// Who a change through a stopped directory is by: whoever may write it.
const LOCAL: &str = "local";

/// Keep search lines under a name, and use them as saved:NAME in any other
///
/// `saved:NAME` stands for the line in parentheses, in search, count, tail, export and over HTTP. Each change is a
/// record in the log with the key's id; it needs the scope admin, using one needs read.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  indelible saved add risky 'action:iam.*Policy* OR outcome:failure'\n  indelible search 'saved:risky NOT ip:10.0.0.0/8 since:7d'\n  indelible saved list"
)]
pub struct Saved {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Save a line, in place of an earlier one of this name
    #[command(after_help = "Example:\n  indelible saved add risky 'action:iam.*Policy* OR outcome:failure'")]
    Add {
        /// Its name: a-z, 0-9, dot, underscore and hyphen
        name: String,
        /// The search line (docs/SEARCH.md); times such as since:7d count back from each use
        #[arg(allow_hyphen_values = true)]
        line: String,
        #[command(flatten)]
        place: Place,
    },
    /// List all
    #[command(after_help = "Example:\n  indelible saved list --json")]
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Remove one; lines that name it say from then on that it is not there
    #[command(after_help = "Example:\n  indelible saved remove risky")]
    Remove {
        /// Its name
        name: String,
        #[command(flatten)]
        place: Place,
    },
}

impl Saved {
    pub fn run(self, out: &mut dyn Write) -> Result<Answer, Failure> {
        match self.action {
            Action::Add { name, line, place } => {
                parse(&line).map_err(|why| marked(&line, &why))?;
                let changed = match &place.data {
                    Some(data) => with_log(data, catalog(None, &[])?, |within| Ok(Searches::default().set(within, &name, &line, LOCAL)?))?,
                    None => {
                        let body = json!({ "line": line });
                        let answer = place.server.connect()?.ask(&Method::PUT, &path_of(&name), Some(&body))?.json()?;
                        answer.get("changed") == Some(&Value::Bool(true))
                    }
                };
                let name = escape_line(&name);
                writeln!(out, "{}; use it as saved:{name}", if changed { "saved" } else { "it stood so already" })?;
            }
            Action::List { json, place } => {
                let saved = match &place.data {
                    Some(data) => with_log(data, catalog(None, &[])?, |within| Ok(Searches::default().in_force(within)?))?,
                    None => all(&place.server.connect()?)?,
                };
                write_list(&saved, json, out)?;
            }
            Action::Remove { name, place } => {
                match &place.data {
                    Some(data) => with_log(data, catalog(None, &[])?, |within| Ok(Searches::default().remove(within, &name, LOCAL)?))?,
                    None => drop(place.server.connect()?.ask(&Method::DELETE, &path_of(&name), None)?),
                }
                writeln!(out, "{} is removed", escape_line(&name))?;
            }
        }
        Ok(Answer::Holds)
    }
}

/// The line to ask a server for: with what saved searches stand for in their place.
///
/// # Errors
/// What is wrong with it, and where; or the server cannot be asked.
pub fn line_at(server: &Server, line: &str) -> Result<String, Failure> {
    checked_line(line)?;
    if !names_saved(line) {
        return Ok(line.to_owned());
    }
    let query = parse_among(line, &all(server)?).map_err(|why| marked(line, &why))?;
    Ok(query.to_string())
}

/// What a line asks a stopped directory for.
///
/// # Errors
/// What is wrong with it, and where; or the log cannot be read.
pub fn line_in(within: Within<'_>, line: &str) -> Result<Query, Failure> {
    checked_line(line)?;
    let saved = if names_saved(line) { Searches::default().in_force(within)? } else { SavedLines::new() };
    parse_among(line, &saved).map_err(|why| marked(line, &why))
}

fn all(server: &Server) -> Result<SavedLines, Failure> {
    let other = || Failure::new("the server lists no saved searches: it may be of another version");
    let answer = server.fetch("/v1/saved")?.json()?;
    let listed = answer.get("saved").and_then(Value::as_array).ok_or_else(other)?;
    let read = |saved: &Value| {
        let text = |name: &str| saved.get(name).and_then(Value::as_str).map(str::to_owned);
        let index = saved.get("set").and_then(Value::as_u64)?;
        Some((text("name")?, Kept { value: SavedSearch { line: text("line")? }, by: text("by")?, index }))
    };
    listed.iter().map(read).collect::<Option<_>>().ok_or_else(other)
}

fn path_of(name: &str) -> String {
    format!("/v1/saved/{}", encoded(name))
}

/// A name as a part of a path.
pub fn encoded(name: &str) -> String {
    form_urlencoded::byte_serialize(name.as_bytes()).collect::<String>().replace('+', "%20")
}

fn write_list(saved: &SavedLines, as_json: bool, out: &mut dyn Write) -> Result<(), Failure> {
    if as_json {
        let all = saved.iter().map(|(name, saved)| json!({"name": name, "line": saved.value.line, "by": saved.by, "set": saved.index}));
        writeln!(out, "{}", escape(&Value::from_iter(all).to_string()))?;
        return Ok(());
    }
    for (name, saved) in saved {
        writeln!(out, "{name:<24}  {}", escape_line(&saved.value.line))?;
    }
    Ok(())
}
