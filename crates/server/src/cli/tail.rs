//! The newest events.

use std::io::Write;
use std::thread::sleep;
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use crate::cli::Answer;
use crate::cli::failure::Failure;
use crate::cli::safe_text::{escape, escape_line};
use crate::cli::server::{Server, ServerArgs};

/// How often a follower asks for more.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Entries asked for at a time.
const PAGE: u64 = 500;

/// Show the newest entries of the log, and with -f those that come
///
/// One line each: index, time of receipt, source, and the raw event with everything that a terminal
/// would obey written as escapes.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  indelible tail -f -n 20 --source okta-prod")]
pub struct Tail {
    /// Stay and show entries as they come
    #[arg(short, long)]
    follow: bool,
    /// How many of the newest to show first
    #[arg(short = 'n', long, default_value_t = 10, value_name = "N")]
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
        let server = self.server.connect()?;
        let size = server.fetch("/v1/trails/main")?.json()?.get("size").and_then(Value::as_u64);
        let size = size.ok_or_else(|| Failure::new("the server's answer has no size: is --url the address of an Indelible server?"))?;
        let mut from = size.saturating_sub(self.lines);
        loop {
            // Without --follow, what comes while this runs is not what was asked for.
            let limit = if self.follow { PAGE } else { PAGE.min(size.saturating_sub(from)) };
            let next = if limit == 0 { from } else { self.show_from(&server, from, limit, out)? };
            out.flush()?;
            if next == from {
                if !self.follow {
                    return Ok(Answer::Holds);
                }
                sleep(LOOK_EVERY);
            }
            from = next;
        }
    }

    /// Shows at most `limit` entries from index `from` and gives the index after them.
    fn show_from(&self, server: &Server, from: u64, limit: u64, out: &mut dyn Write) -> Result<u64, Failure> {
        let page = server.fetch(&format!("/v1/events?from={from}&limit={limit}"))?.json()?;
        let entries = page.get("events").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        for entry in entries {
            let source = entry.pointer("/source/name").and_then(Value::as_str).unwrap_or_default();
            if self.source.as_deref().is_some_and(|wanted| wanted != source) {
                continue;
            }
            if self.json {
                writeln!(out, "{}", escape(&entry.to_string()))?;
            } else {
                writeln!(out, "{}", escape_line(&line(entry, source)))?;
            }
        }
        Ok(entries.last().and_then(|last| last.get("index")?.as_u64()).map_or(from, |last| last + 1))
    }
}

fn line(entry: &Value, source: &str) -> String {
    let text = |name: &str| match entry.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    let source = if source.is_empty() { text("kind") } else { source.to_owned() };
    format!("{:>8}  {}  {source:<16}  {}", text("index"), text("received_at"), text("raw"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_entry_is_one_inert_line() {
        let entry = json!({"index": 7, "received_at": "2026-03-10T06:00:00.000Z", "kind": "event", "raw": "a\u{1b}[2J\nb"});
        let shown = escape_line(&line(&entry, "bastion-1"));
        assert_eq!(shown, "       7  2026-03-10T06:00:00.000Z  bastion-1         a\\u001b[2J\\nb");
    }

    #[test]
    fn an_act_has_its_kind_where_events_have_their_source() {
        let entry = json!({"index": 0, "received_at": "t", "kind": "act", "raw": {"act": "trail"}});
        assert_eq!(line(&entry, ""), "       0  t  act               {\"act\":\"trail\"}");
    }
}
