//! Asks the log.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::api::page;
use crate::cli::Answer;
use crate::cli::failure::Failure;
use crate::cli::hit::Hit;
use crate::cli::maps::MapArgs;
use crate::cli::place::Place;
use crate::cli::safe_text::{escape, escape_line};
use crate::cli::saved::{line_at, line_in};
use crate::cli::stopped::{record, with_log};
use crate::cli::table::{self, Width};
use crate::clock::Clock;
use crate::export::safe_cell;
use crate::log::records;
use crate::search::parse::parse_with;
use crate::search::{Ask, Budget, Cursor, Order, Query, QueryError};

/// Matches asked for at a time.
const PAGE: usize = 500;
/// Raw bytes of matches at a time.
const PAGE_BYTES: usize = 16 << 20;
/// Columns of a table with the least and the most places of each: what is longer is cut, and on a narrow terminal what is
/// longer than the least; `--csv` has it whole.
const COLUMNS: [(&str, usize, usize); 8] = [
    ("time", 24, 24),
    ("actor", 12, 32),
    ("action", 12, 36),
    ("outcome", 7, 10),
    ("ip", 15, 39),
    ("source", 8, 24),
    ("target", 12, 40),
    ("index", 12, 12),
];

/// Search the log: who did what, from where, and with what outcome
///
/// Prints the matches, and on standard error how much of the log that covers. The language is in
/// docs/SEARCH.md. Exit code 1: something in the range could not be read, so matches may be missing.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  indelible search 'actor:ana@corp.example outcome:failure since:7d'\n  indelible search 'action:iam.*Policy* NOT ip:10.0.0.0/8' --oldest --limit 1000 --csv > policies.csv\n  indelible search '\"cross-account\" OR raw.requestParameters.roleName:Admin' --json"
)]
pub struct Search {
    /// What to look for; every event when it is empty
    #[arg(default_value = "", allow_hyphen_values = true)]
    query: String,
    /// Oldest first instead of newest first
    #[arg(long)]
    oldest: bool,
    /// Most matches
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    limit: u32,
    /// One JSON object with all matches and what they cover
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// CSV with a header row, its cells safe for spreadsheets
    #[arg(long)]
    csv: bool,
    #[command(flatten)]
    maps: MapArgs,
    #[command(flatten)]
    place: Place,
}

/// A page of an answer.
#[derive(Deserialize)]
pub struct Page {
    /// The matches, as they are written.
    pub events: Vec<Box<RawValue>>,
    /// What it covers.
    pub covered: Value,
    /// The log that it is about.
    #[serde(default)]
    pub tree: Value,
    #[serde(default)]
    query: Value,
    next: Option<String>,
}

/// An answer as `--json` shows it.
#[derive(Serialize)]
struct Whole<'a> {
    query: &'a Value,
    events: Vec<&'a RawValue>,
    tree: &'a Value,
    covered: Value,
    more: bool,
}

/// All pages of an answer.
#[derive(Default)]
struct Pages {
    hits: Vec<Hit>,
    query: Value,
    tree: Value,
    covered: Option<(u64, u64)>,
    read: u64,
    ruled_out: u64,
    unreadable: Vec<Value>,
    next: Option<String>,
}

/// What is wrong with a line is said before anybody is asked; but which searches are saved the log knows.
///
/// # Errors
/// The line with a mark below the column.
pub fn checked_line(line: &str) -> Result<(), Failure> {
    parse_with(line, &|_| Ok(Query::All)).map(drop).map_err(|why| marked(line, &why))
}

/// The line, with a mark where it is wrong.
pub fn marked(line: &str, why: &QueryError) -> Failure {
    Failure::new(format!("{why}\n  {line}\n  {:>column$}", "^", column = why.column))
}

impl Search {
    pub fn run(self, out: &mut dyn Write) -> Result<Answer, Failure> {
        checked_line(&self.query)?;
        let pages = match &self.place.data {
            Some(data) => self.read_directory(data)?,
            None => self.ask_server()?,
        };
        if self.json {
            writeln!(out, "{}", escape(&pages.to_json()?))?;
        } else if self.csv {
            write_csv(&pages.hits, out)?;
        } else {
            write_table(&pages.hits, table::room(), out)?;
        }
        out.flush()?;
        pages.say_what_is_covered()?;
        Ok(if pages.unreadable.is_empty() { Answer::Holds } else { Answer::DoesNotHold })
    }

    fn ask_server(&self) -> Result<Pages, Failure> {
        let server = self.place.server.connect()?;
        let line = line_at(&server, &self.query)?;
        let order = if self.oldest { "oldest" } else { "newest" };
        self.pages(|limit, cursor| {
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.append_pair("q", &line).append_pair("order", order).append_pair("limit", &limit.to_string());
            if let Some(cursor) = cursor {
                query.append_pair("cursor", cursor);
            }
            page_of(&server.fetch(&format!("/v1/search?{}", query.finish()))?.body)
        })
    }

    fn read_directory(&self, data: &Path) -> Result<Pages, Failure> {
        with_log(data, self.maps.catalog()?, |log| {
            let line = line_in(log, &self.query)?;
            let pages = self.pages(|limit, cursor| {
                let ask = Ask {
                    query: line.clone(),
                    order: if self.oldest { Order::Oldest } else { Order::Newest },
                    cursor: cursor.map(str::parse::<Cursor>).transpose()?,
                    now_ms: Clock::system().now_ms(),
                    budget: Budget { hits: limit, bytes: PAGE_BYTES, time: Duration::from_secs(3600), entries: u64::MAX },
                };
                page_of(&serde_json::to_vec(&page(log.trail, log.index, log.directory, &ask)?)?)
            })?;
            let query = pages.query.as_str().unwrap_or_default();
            let size = pages.tree.get("size").and_then(Value::as_u64).unwrap_or_default();
            record(log, "search", &records::search("local", query, pages.hits.len() as u64, size))?;
            Ok(pages)
        })
    }

    /// Asks for pages until there are enough matches or the log ends.
    fn pages(&self, ask: impl Fn(usize, Option<&str>) -> Result<Page, Failure>) -> Result<Pages, Failure> {
        let (mut pages, limit) = (Pages::default(), self.limit as usize);
        loop {
            let page = ask(PAGE.min(limit - pages.hits.len()), pages.next.as_deref())?;
            pages.take(page)?;
            if pages.next.is_none() || pages.hits.len() >= limit {
                return Ok(pages);
            }
        }
    }
}

impl Pages {
    fn take(&mut self, page: Page) -> Result<(), Failure> {
        let Page { events, covered, tree, query, next } = page;
        let number = |name: &str| covered.get(name).and_then(Value::as_u64).ok_or_else(other_answer);
        let (from, to) = (number("from")?, number("to")?);
        self.covered = Some(self.covered.map_or((from, to), |(first, end)| (first.min(from), end.max(to))));
        self.read = self.read.saturating_add(number("read")?);
        self.ruled_out = self.ruled_out.saturating_add(number("ruled_out")?);
        self.unreadable.extend(covered.get("unreadable").and_then(Value::as_array).cloned().unwrap_or_default());
        for event in events {
            self.hits.push(Hit::read(event.get()).map_err(|_| other_answer())?);
        }
        (self.next, self.query, self.tree) = (next, query, tree);
        Ok(())
    }

    fn to_json(&self) -> Result<String, Failure> {
        let (from, to) = self.covered.unwrap_or_default();
        let whole = Whole {
            query: &self.query,
            events: self.hits.iter().map(Hit::written).collect(),
            tree: &self.tree,
            covered: json!({
                "from": from, "to": to, "read": self.read, "ruled_out": self.ruled_out,
                "complete": self.unreadable.is_empty(), "unreadable": self.unreadable,
            }),
            more: self.next.is_some(),
        };
        Ok(serde_json::to_string(&whole)?)
    }

    fn say_what_is_covered(&self) -> Result<(), Failure> {
        let mut to = std::io::stderr().lock();
        let (from, end) = self.covered.unwrap_or_default();
        let shown = |of: &Value| of.as_str().map_or_else(|| of.to_string(), str::to_owned);
        let none = Value::Null;
        let tree = |name: &str| shown(self.tree.get(name).unwrap_or(&none));
        let range = if from < end { format!("entries {from} to {}", end - 1) } else { "no entries".to_owned() };
        writeln!(
            to,
            "{} found; covers {range} of a log of {} with root {}; {} read, {} ruled out",
            self.hits.len(),
            tree("size"),
            tree("root"),
            self.read,
            self.ruled_out
        )?;
        if self.next.is_some() {
            writeln!(to, "there may be more: raise --limit")?;
        }
        for gap in &self.unreadable {
            let member = |name: &str| shown(gap.get(name).unwrap_or(&none));
            writeln!(to, "NOT READ: entries {} to {}: {}", member("first"), member("last"), escape_line(&member("why")))?;
        }
        Ok(())
    }
}

/// Reads a page.
///
/// # Errors
/// It is none.
pub fn page_of(answer: &[u8]) -> Result<Page, Failure> {
    serde_json::from_slice(answer)
        .map_err(Failure::at("the server's answer is none to a search: is --url the address of an Indelible server?"))
}

fn other_answer() -> Failure {
    Failure::new("the server's answer is none to a search: it may be of another version")
}

fn write_table(hits: &[Hit], room: Option<usize>, out: &mut dyn Write) -> Result<(), Failure> {
    if hits.is_empty() {
        return Ok(());
    }
    let titles = COLUMNS.map(|(name, ..)| name.to_owned());
    let row = |hit: &Hit| COLUMNS.map(|(name, _, most)| table::shortened(&escape_line(&hit.column(name)), most));
    let rows: Vec<_> = std::iter::once(titles).chain(hits.iter().map(row)).collect();
    Ok(table::write(&rows, COLUMNS.map(|(_, least, most)| Width { least, most }), room, out)?)
}

fn write_csv(hits: &[Hit], out: &mut dyn Write) -> Result<(), Failure> {
    const CSV: [&str; 11] = ["index", "time", "received_at", "source", "kind", "actor", "action", "outcome", "ip", "target", "raw"];
    let failed = |why: csv::Error| Failure::new(format!("the table cannot be written: {why}"));
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(CSV).map_err(failed)?;
    for hit in hits {
        writer.write_record(CSV.map(|column| safe_cell(&escape(&hit.column(column))).into_owned())).map_err(failed)?;
    }
    writer.flush()?;
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    fn hit(actor: &str) -> Hit {
        let hit = json!({"index": 7, "received_at": "r", "source": {"name": "okta"}, "raw": {"a": 1}, "kind": "event",
            "summary": {"time": "t", "actor": actor, "action": null, "outcome": "Success", "ip": "192.0.2.1", "target": null}});
        Hit::read(&hit.to_string()).unwrap()
    }

    fn csv(actor: &str) -> String {
        let mut out = Vec::new();
        let done = write_csv(&[hit(actor)], &mut out);
        assert!(done.is_ok());
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn a_cell_is_never_a_formula() {
        assert!(csv("=1+1").contains(",'=1+1,"), "{}", csv("=1+1"));
        assert!(csv("\r=1").contains(",\\u000d=1,"), "{}", csv("\r=1"));
    }

    #[test]
    fn a_table_is_inert_and_aligned() {
        let mut out = Vec::new();
        let done = write_table(&[hit("ana\u{1b}[2J"), hit("b\nc")], None, &mut out);
        assert!(done.is_ok());
        let text = String::from_utf8_lossy(&out);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines.iter().all(|line| line.chars().all(|c| !c.is_control())), "{text}");
        let column = |line: &str| line.find("192.0.2.1").or_else(|| line.find("ip"));
        assert!(lines.iter().map(|line| column(line)).all(|at| at == column(lines.first().unwrap_or(&""))), "{text}");
    }
}
