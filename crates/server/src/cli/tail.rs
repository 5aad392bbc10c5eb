//! The newest entries, and those that come.

mod events;

use std::io::{BufReader, Read, Write};
use std::thread::sleep;
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use crate::cli::Answer;
use crate::cli::failure::Failure;
use crate::cli::hit::Hit;
use crate::cli::safe_text::{escape, escape_line};
use crate::cli::saved::line_at;
use crate::cli::search::{checked_line, page_of};
use crate::cli::server::{Server, ServerArgs};
use crate::cli::table::padded;

/// Most of the newest entries shown first: one page of a search.
const LINES_MAX: u64 = 1_000;
/// A server that is there says something four times in this time.
const SILENCE: Duration = Duration::from_secs(60);
/// First and longest pause before a connection that broke is made again.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// Width of a column that is wider only for what does not fit.
const COLUMNS: [(&str, usize); 5] = [("actor", 24), ("action", 28), ("outcome", 8), ("ip", 15), ("target", 0)];

/// Show the newest entries that a search line describes, and with -f those that come
///
/// One line each: index, time of receipt, source, then actor, action, outcome, address and target; of
/// what has no actor and no action, the raw record. Without a search line: every entry, acts and records included.
/// A follower whose connection breaks connects again and goes on where it was; both its beginning and its
/// end are recorded in the log.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  indelible tail -f 'outcome:failure NOT ip:10.0.0.0/8'\n  indelible tail -f -n 20 --source okta-prod\n  indelible tail -f --json 'action:iam.*Policy*' | jq .summary"
)]
pub struct Tail {
    /// What to show, as in `indelible search` (docs/SEARCH.md)
    #[arg(value_name = "LINE", allow_hyphen_values = true)]
    query: Option<String>,
    /// Stay and show entries as they come
    #[arg(short, long)]
    follow: bool,
    /// How many of the newest to show first
    #[arg(short = 'n', long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u64).range(..=LINES_MAX))]
    lines: u64,
    /// Show events of this source alone
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

impl Tail {
    pub fn run(self, out: &mut dyn Write) -> Result<Answer, Failure> {
        checked_line(self.query())?;
        let server = self.server.connect()?;
        let line = self.line(&line_at(&server, self.query())?);
        let from = self.show_newest(&server, &line, out)?;
        if self.follow { self.follow_from(&server, &line, from, out) } else { Ok(Answer::Holds) }
    }

    fn query(&self) -> &str {
        self.query.as_deref().unwrap_or("entry:*")
    }

    /// The search line with the source that was named beside it.
    fn line(&self, line: &str) -> String {
        match &self.source {
            // The name stands in quotes, where nothing but these two has a meaning of its own.
            Some(source) => format!("source:\"{}\" {}", source.replace('\\', "\\\\").replace('"', "\\\""), grouped(line)),
            None => line.to_owned(),
        }
    }

    /// Shows the newest and gives the index after everything that was looked at.
    fn show_newest(&self, server: &Server, line: &str, out: &mut dyn Write) -> Result<u64, Failure> {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("q", line).append_pair("limit", &self.lines.max(1).to_string());
        let page = page_of(&server.fetch(&format!("/v1/search?{}", query.finish()))?.body)?;
        for hit in page.events.iter().take(usize::try_from(self.lines).unwrap_or(usize::MAX)).rev() {
            self.show(hit.get(), out)?;
        }
        for gap in page.covered.get("unreadable").and_then(Value::as_array).into_iter().flatten() {
            say_unreadable(gap);
        }
        out.flush()?;
        let size = page.tree.get("size").and_then(Value::as_u64);
        size.ok_or_else(|| Failure::new("the server's answer has no size: is --url the address of an Indelible server?"))
    }

    /// Follows until the server says that this may not be; a connection that breaks is made again.
    fn follow_from(&self, server: &Server, line: &str, mut from: u64, out: &mut dyn Write) -> Result<Answer, Failure> {
        let mut pause = PAUSES.0;
        let mut first = true;
        loop {
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.append_pair("q", line).append_pair("from", &from.to_string());
            match server.stream(&format!("/v1/tail?{}", query.finish()), &[], SILENCE) {
                Ok(Ok(answer)) => {
                    let why = self.show_stream(answer, &mut from, out)?;
                    eprintln!("{}; going on from entry {from}", escape_line(&why));
                    pause = PAUSES.0;
                }
                Ok(Err(refused)) if !first && matches!(refused.status, 429 | 503) => eprintln!("{}", escape_line(&refused.message())),
                Ok(Err(refused)) => return refused.success("GET /v1/tail").map(|_| Answer::Holds),
                Err(why) if !first => eprintln!("{}", server.unreachable(&why)),
                Err(why) => return Err(server.unreachable(&why)),
            }
            first = false;
            sleep(pause);
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    /// Shows what comes and gives the reason why no more does.
    fn show_stream(&self, answer: impl Read, from: &mut u64, out: &mut dyn Write) -> Result<String, Failure> {
        let mut stream = BufReader::new(answer);
        loop {
            let event = match events::next(&mut stream) {
                Ok(Some(event)) => event,
                Ok(None) => return Ok("the connection ended".into()),
                Err(why) => return Ok(format!("the connection broke: {why}")),
            };
            let data = || serde_json::from_str::<Value>(&event.data).unwrap_or_default();
            match event.name.as_str() {
                // A sign of life.
                "" if event.data.is_empty() => {}
                "" => self.show(&event.data, out)?,
                "unreadable" => say_unreadable(&data()),
                "end" => return Ok(data().get("message").and_then(Value::as_str).unwrap_or("the server ended it").to_owned()),
                // How it began, and what a later server may say.
                _ => {}
            }
            // Whoever reads our output has it before the place moves.
            out.flush()?;
            if let Some(id) = event.id {
                *from = id.saturating_add(1);
            }
        }
    }

    fn show(&self, hit: &str, out: &mut dyn Write) -> Result<(), Failure> {
        let hit = Hit::read(hit).map_err(Failure::at("the server shows an entry in another way: it may be of another version"))?;
        if self.json {
            writeln!(out, "{}", escape(hit.written().get()))?;
        } else {
            writeln!(out, "{}", escape_line(&line_of(&hit)))?;
        }
        Ok(())
    }
}

fn grouped(line: &str) -> String {
    if line.trim().is_empty() { String::new() } else { format!("({line})") }
}

fn text(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    }
}

fn say_unreadable(gap: &Value) {
    let member = |name: &str| text(gap.get(name));
    eprintln!("NOT READ: entries {} to {}: {}", member("first"), member("last"), escape_line(&member("why")));
}

fn line_of(hit: &Hit) -> String {
    let source = hit.column("source");
    let source = if source.is_empty() { hit.column("entry") } else { source };
    let summary = COLUMNS.map(|(name, width)| (hit.column(name), width));
    let is_event = hit.column("entry") == "event";
    // An outcome alone says nothing: most maps give one to what they do not know.
    let says_who_or_what = summary.iter().take(2).any(|(text, _)| !text.is_empty());
    let rest = if is_event && says_who_or_what {
        let cells: Vec<_> = summary.iter().map(|(text, width)| padded(text, *width)).collect();
        cells.join("  ")
    } else {
        hit.column("raw")
    };
    format!("{:>8}  {}  {source:<16}  {}", hit.column("index"), hit.column("received_at"), rest.trim_end())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use serde_json::json;

    fn hit(entry: &Value) -> Hit {
        Hit::read(&entry.to_string()).unwrap()
    }

    #[test]
    fn an_entry_is_one_inert_line() {
        let entry = json!({"index": 7, "received_at": "2026-03-10T06:00:00.000Z", "kind": "event", "source": {"name": "bastion-1"}, "raw": "a\u{1b}[2J\nb"});
        let shown = escape_line(&line_of(&hit(&entry)));
        assert_eq!(shown, "       7  2026-03-10T06:00:00.000Z  bastion-1         a\\u001b[2J\\nb");
    }

    #[test]
    fn a_sign_of_life_is_no_entry_and_moves_the_place() {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            tail: Tail,
        }
        let Line { tail } = <Line as clap::Parser>::parse_from(["tail", "-f", "--key", "idl_x"]);
        let (mut from, mut out) = (3, Vec::new());
        let stream = b": alive\nid: 8\n\nid: 9\ndata: {\"index\":9,\"kind\":\"event\",\"raw\":\"a line\"}\n\n: alive\nid: 11\n\n";
        let why = tail.show_stream(stream.as_slice(), &mut from, &mut out).unwrap();
        assert_eq!((from, why.as_str()), (12, "the connection ended"));
        let shown = String::from_utf8(out).unwrap();
        assert!(shown.lines().count() == 1 && shown.contains("9") && shown.contains("a line"), "{shown}");
    }

    #[test]
    fn an_act_has_its_kind_where_events_have_their_source() {
        let entry = json!({"index": 0, "received_at": "t", "kind": "act", "raw": {"act": "trail"}, "summary": {"action": "trail"}});
        assert_eq!(line_of(&hit(&entry)), "       0  t  act               {\"act\":\"trail\"}");
    }

    #[test]
    fn an_event_shows_who_did_what() {
        let summary = json!({"actor": "ana", "action": "AttachUserPolicy", "outcome": "Success", "ip": "192.0.2.1", "target": null});
        let entry = json!({"index": 7, "received_at": "t", "kind": "event", "source": {"name": "aws"}, "summary": summary, "raw": {}});
        let cells: Vec<_> = line_of(&hit(&entry)).split_whitespace().map(str::to_owned).collect();
        assert_eq!(cells, ["7", "t", "aws", "ana", "AttachUserPolicy", "Success", "192.0.2.1"]);
    }
}
