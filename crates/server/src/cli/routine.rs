//! Says whether an event is usual for whoever did it.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use clap::Args;
use serde_json::Value;

use crate::api::history_of;
use crate::cli::Answer;
use crate::cli::failure::Failure;
use crate::cli::maps::MapArgs;
use crate::cli::place::{Place, with_data_and_trail};
use crate::cli::safe_text::{escape, escape_line};
use crate::cli::who::{UNHURRIED, number, say_what_is_covered, text};
use crate::clock::Clock;
use crate::door::directory::Identities;
use crate::search::Index;
use crate::search::named::Within;

/// Is an event routine for whoever did it? Its action, place, device and hour in what they and their peers did before
///
/// Only what succeeded before the event counts; peers are the other identities that did the same action in the
/// same source. Exit code 1: something could not be read, so the history may be longer than is said.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  indelible routine 4711\n  indelible routine 4711 --json")]
pub struct Routine {
    /// Number of the event in the log
    index: u64,
    /// One JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    maps: MapArgs,
    #[command(flatten)]
    place: Place,
}

impl Routine {
    pub fn run(self, out: &mut dyn Write) -> Result<Answer, Failure> {
        let answer = match &self.place.data {
            Some(data) => self.read_directory(data)?,
            None => self.place.server.connect()?.fetch(&format!("/v1/events/{}/routine", self.index))?.json()?,
        };
        if self.json {
            writeln!(out, "{}", escape(&answer.to_string()))?;
        } else {
            write_history(&answer, out)?;
        }
        out.flush()?;
        say_what_is_covered(&answer)
    }

    fn read_directory(&self, data: &Path) -> Result<Value, Failure> {
        let catalog = Arc::new(self.maps.catalog()?);
        with_data_and_trail(data, |dir, trail| {
            let failed = |why: &dyn std::fmt::Display| Failure::new(why.to_string());
            let directory = Identities::kept_in(dir.directory_file()).in_force(trail).map_err(|why| failed(&why))?;
            let index = Index::kept_in(dir.derived_dir(), Arc::clone(&catalog));
            let log = Within { trail, index: &index, directory: &directory };
            let found = history_of(log, self.index, Clock::system().now_ms(), UNHURRIED, "local").map_err(|why| failed(&why))?;
            let (answer, record) =
                found.ok_or_else(|| Failure::new(format!("entry {} is no event but one of the log's own", self.index)))?;
            trail.log().record_blocking(&record).map_err(|why| Failure::new(format!("the question could not be recorded: {why}")))?;
            serde_json::to_value(&answer).map_err(|why| failed(&why))
        })
    }
}

fn write_history(answer: &Value, out: &mut dyn Write) -> Result<(), Failure> {
    let event = answer.get("event").unwrap_or(&Value::Null);
    writeln!(out, "#{}  {}  {}", number(event, "index"), text(event, "time"), text(event, "says"))?;
    writeln!(out, "{}", text(answer, "says"))?;
    for whose in ["identity", "peers"] {
        let Some(history) = answer.get(whose).filter(|history| !history.is_null()) else { continue };
        let least = if history.get("exact") == Some(&Value::Bool(true)) { "" } else { "at least " };
        writeln!(out, "\n{}: {least}{} earlier events", text(history, "of"), number(history, "events"))?;
        for habit in history.get("habits").and_then(Value::as_array).into_iter().flatten() {
            let when = |name: &str| habit.get(name).map(|seen| text(seen, "time")).filter(|time| !time.is_empty());
            let seen = when("first").zip(when("last")).map_or_else(String::new, |(first, last)| format!("{first} … {last}"));
            let line = format!(
                "{:<13}{:>6}  {:<14}{:<44}  {seen}",
                text(habit, "verdict"),
                number(habit, "count"),
                text(habit, "what"),
                text(habit, "value")
            );
            writeln!(out, "{}", escape_line(line.trim_end()))?;
        }
    }
    Ok(())
}
