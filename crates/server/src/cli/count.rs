//! Counts what a search line describes.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use crate::api::{CountsWanted, counted_page};
use crate::cli::Answer;
use crate::cli::failure::Failure;
use crate::cli::maps::MapArgs;
use crate::cli::member::{list, number, text};
use crate::cli::place::Place;
use crate::cli::safe_text::escape;
use crate::cli::saved::{line_at, line_in};
use crate::cli::search::checked_line;
use crate::cli::stopped::{record, with_log};
use crate::clock::Clock;
use crate::log::records;
use crate::search::{Ask, Budget, Order};

/// Characters of the longest bar.
const BAR: u64 = 40;

/// Count what a search line describes: how many, by the values of fields, and over time
///
/// Prints how many entries match, and tables. Exit code 1: something could not be looked at, so counts may be
/// too low; standard error says how much.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  indelible count 'class:Authentication outcome:failure since:7d' --by country,actor\n  indelible count 'action:iam.*' --over 1d\n  indelible count --by source,action --over auto --json"
)]
pub struct Count {
    /// What to count; every event when it is empty
    #[arg(default_value = "", allow_hyphen_values = true)]
    query: String,
    /// Fields whose values to count: actor, target, action, outcome, ip, country, kind, class, activity,
    /// severity, api, account, region, source
    #[arg(long, value_name = "FIELD,…")]
    by: Option<String>,
    /// Count over time, in intervals of this length: auto, 5m, 1h, 1d, 1w
    #[arg(long, value_name = "INTERVAL")]
    over: Option<String>,
    /// One JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    maps: MapArgs,
    #[command(flatten)]
    place: Place,
}

impl Count {
    pub fn run(self, out: &mut dyn Write) -> Result<Answer, Failure> {
        checked_line(&self.query)?;
        let page = match &self.place.data {
            Some(data) => self.read_directory(data)?,
            None => self.ask_server()?,
        };
        let counts = page.get("counts").ok_or_else(|| Failure::new("the server counts nothing: it may be of an older version"))?;
        if self.json {
            writeln!(out, "{}", escape(&page.to_string()))?;
        } else {
            write_tables(counts, out)?;
        }
        out.flush()?;
        let number = |name: &str| counts.get(name).and_then(Value::as_u64).unwrap_or_default();
        let (left_out, unreadable) = (number("left_out"), number("unreadable"));
        if left_out > 0 || unreadable > 0 {
            eprintln!(
                "NOT COUNTED: {left_out} entries for want of time, {unreadable} that cannot be read: narrow the line with since: or run indelible verify"
            );
            return Ok(Answer::DoesNotHold);
        }
        Ok(Answer::Holds)
    }

    /// What to count by; when nothing is said, how many there are over time.
    fn over(&self) -> Option<&str> {
        self.over.as_deref().or_else(|| self.by.is_none().then_some("auto"))
    }

    fn ask_server(&self) -> Result<Value, Failure> {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let server = self.place.server.connect()?;
        query.append_pair("q", &line_at(&server, &self.query)?).append_pair("limit", "0");
        for (name, value) in [("facets", self.by.as_deref()), ("histogram", self.over())] {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        }
        server.fetch(&format!("/v1/search?{}", query.finish()))?.json()
    }

    fn read_directory(&self, data: &Path) -> Result<Value, Failure> {
        let wanted = CountsWanted::parse(self.by.as_deref(), self.over()).map_err(|why| Failure::new(why.message()))?;
        with_log(data, self.maps.catalog()?, |log| {
            let ask = Ask {
                query: line_in(log, &self.query)?,
                order: Order::Newest,
                cursor: None,
                now_ms: Clock::system().now_ms(),
                budget: Budget { hits: 0, bytes: usize::MAX, time: Duration::from_secs(3600), entries: u64::MAX },
            };
            let page = serde_json::to_value(&counted_page((log.trail, log.index, log.directory), &ask, &wanted)?)?;
            record(log, "search", &records::search("local", &ask.query.to_string(), 0, log.trail.view().size))?;
            Ok(page)
        })
    }
}

fn write_tables(counts: &Value, out: &mut dyn Write) -> Result<(), Failure> {
    let matches = number(counts, "matches");
    writeln!(out, "{matches} match")?;
    for facet in list(counts, "facets") {
        let (distinct, total) = (number(facet, "distinct"), number(facet, "total"));
        writeln!(out, "\n{}: {distinct} values, {} without one", text(facet, "field"), matches.saturating_sub(total))?;
        for value in list(facet, "values") {
            writeln!(out, "{:>12}  {}", number(value, "count"), text(value, "value"))?;
        }
        let shown: u64 = list(facet, "values").map(|value| number(value, "count")).sum();
        if total > shown {
            writeln!(out, "{:>12}  of other values", total - shown)?;
        }
    }
    if let Some(histogram) = counts.get("histogram") {
        writeln!(out, "\nover time, in intervals of {} minutes", number(histogram, "interval_ms") / 60_000)?;
        let most = list(histogram, "buckets").map(|bucket| number(bucket, "count")).max().unwrap_or(1).max(1);
        for bucket in list(histogram, "buckets") {
            let count = number(bucket, "count");
            let bar = "#".repeat(usize::try_from((count * BAR).div_ceil(most)).unwrap_or(0));
            writeln!(out, "{}  {count:>12}  {bar}", text(bucket, "from"))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tables_show_counts_and_nothing_that_moves_the_cursor() {
        let counts = json!({
            "matches": 9, "left_out": 0, "unreadable": 0, "complete": true,
            "facets": [{"field": "actor", "distinct": 3, "total": 8, "beyond": 0,
                "values": [{"value": "ana\u{1b}[2J", "count": 5}, {"value": "bob", "count": 2}]}],
            "histogram": {"interval_ms": 3_600_000, "buckets": [{"from": "2026-02-06T07:00:00.000Z", "from_ms": 1, "count": 1}, {"from": "2026-02-06T08:00:00.000Z", "from_ms": 2, "count": 8}]},
        });
        let mut out = Vec::new();
        assert!(write_tables(&counts, &mut out).is_ok());
        let text = String::from_utf8_lossy(&out);
        assert!(text.contains("9 match\n\nactor: 3 values, 1 without one\n"), "{text}");
        assert!(text.contains("           1  of other values"), "{text}");
        assert!(text.contains(&"#".repeat(40)) && !text.contains(&"#".repeat(41)), "{text}");
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text}");
    }
}
