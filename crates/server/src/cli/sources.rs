//! Sources, one line each, and whether one was complete.

use std::io::Write;

use clap::{Args, Subcommand};
use serde_json::Value;

use crate::api::parse_rfc3339;
use crate::cli::Answer;
use crate::cli::failure::Failure;
use crate::cli::safe_text::{escape, escape_line};
use crate::cli::server::ServerArgs;
use crate::clock::Clock;

/// Show all sources, and whether one was complete between two times
///
/// One line each: state, last event, events an hour now and usual, delay, numbers that are missing,
/// how far the producer's clock is ahead, and what was refused in the last 24 hours.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  indelible sources\n  indelible sources report okta-prod --from 2026-01-01T00:00:00Z --to 2026-02-01T00:00:00Z"
)]
pub struct Sources {
    #[command(subcommand)]
    action: Option<Action>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Say whether a source was complete, except for what, and what that rests on; exit code 1: it was not
    #[command(after_help = "Example:\n  indelible sources report okta-prod --from 2026-01-01T00:00:00Z")]
    Report {
        /// The source's name
        name: crate::intake::SourceName,
        /// From this time on (RFC 3339)
        #[arg(long, value_name = "TIME", value_parser = instant)]
        from: String,
        /// Up to this time [default: now]
        #[arg(long, value_name = "TIME", value_parser = instant)]
        to: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        server: ServerArgs,
    },
}

/// A time as it is sent on: what was read is what was written.
fn instant(text: &str) -> Result<String, String> {
    parse_rfc3339(text).map(crate::api::format_rfc3339).map_err(|why| why.to_string())
}

impl Sources {
    pub fn run(self, out: &mut dyn Write) -> Result<Answer, Failure> {
        match self.action {
            None => list(&self.server, self.json, out),
            Some(Action::Report { name, from, to, json, server }) => {
                let to = to.map(|to| format!("&to={to}")).unwrap_or_default();
                let path = format!("/v1/sources/{name}/completeness?from={from}{to}");
                report(&server.connect()?.fetch(&path)?.json()?, json, out)
            }
        }
    }
}

fn list(server: &ServerArgs, json: bool, out: &mut dyn Write) -> Result<Answer, Failure> {
    let answer = server.connect()?.fetch("/v1/sources")?.json()?;
    let sources = answer.get("sources").and_then(Value::as_array);
    let sources = sources.ok_or_else(|| Failure::new("the server's answer lists no sources: it may be of another version"))?;
    if json {
        writeln!(out, "{}", escape(&Value::from(sources.clone()).to_string()))?;
        return Ok(Answer::Holds);
    }
    let title = ["source", "kind", "state", "last event", "now/h", "usual/h", "lag", "p99", "missing", "ahead", "refused"];
    writeln!(out, "{}", columns(title.map(str::to_owned)))?;
    let now_ms = Clock::system().now_ms();
    for source in sources {
        writeln!(out, "{}", escape_line(&line(source, now_ms)))?;
    }
    Ok(Answer::Holds)
}

fn columns(cells: [String; 11]) -> String {
    let [name, kind, state, last, now, usual, lag, p99, missing, ahead, refused] = cells;
    let line =
        format!("{name:<22} {kind:<16} {state:<9} {last:>10} {now:>9} {usual:>9} {lag:>8} {p99:>8} {missing:>8} {ahead:>8} {refused:>8}");
    line.trim_end().to_owned()
}

fn line(source: &Value, now_ms: u64) -> String {
    let word = |of: &Value, member: &str| of.get(member).and_then(Value::as_str).unwrap_or("-").to_owned();
    let nothing = Value::Null;
    let status = source.get("status").unwrap_or(&nothing);
    let number = |member: &str| status.get(member).and_then(Value::as_f64);
    let lag = |member: &str| status.get("lag").and_then(|lag| lag.get(member)).and_then(Value::as_f64);
    let last = status.get("last_event").and_then(Value::as_str).and_then(|text| parse_rfc3339(text).ok());
    columns([
        word(source, "name"),
        word(source, "kind"),
        word(status, "state"),
        last.map_or("-".into(), |last| span(now_ms.saturating_sub(last) as f64) + " ago"),
        number("rate").map_or("-".into(), |rate| format!("{rate:.0}")),
        number("usual").map_or("-".into(), |usual| format!("{usual:.0}")),
        lag("median_ms").map_or("-".into(), span),
        lag("p99_ms").map_or("-".into(), span),
        match status.get("numbered") {
            Some(Value::Bool(true)) => number("missing").map_or("-".into(), |missing| format!("{missing:.0}")),
            _ => "-".into(),
        },
        lag("ahead_ms").filter(|ahead| *ahead > 0.0).map_or("-".into(), span),
        number("refused").map_or("-".into(), |refused| format!("{refused:.0}")),
    ])
}

/// A length of time in its largest unit.
fn span(ms: f64) -> String {
    let units = [(86_400_000.0, "d"), (3_600_000.0, "h"), (60_000.0, "m"), (1_000.0, "s")];
    let unit = units.into_iter().find(|(unit, _)| ms.abs() >= *unit);
    unit.map_or_else(|| format!("{ms:.0}ms"), |(unit, name)| format!("{:.0}{name}", ms / unit))
}

fn report(answer: &Value, json: bool, out: &mut dyn Write) -> Result<Answer, Failure> {
    let holds = if answer.get("complete") == Some(&Value::Bool(false)) { Answer::DoesNotHold } else { Answer::Holds };
    if json {
        writeln!(out, "{}", escape(&answer.to_string()))?;
        return Ok(holds);
    }
    let text = |of: &Value, member: &str| match of.get(member) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => "now".to_owned(),
        Some(other) => other.to_string(),
    };
    let list = |member: &str| answer.get(member).and_then(Value::as_array).cloned().unwrap_or_default();
    let mut lines = vec![
        format!("{}  {} to {}", text(answer, "source"), text(answer, "from"), text(answer, "to")),
        format!("{}  (rests on: {})", text(answer, "summary"), text(answer, "rests_on")),
    ];
    for missing in list("missing") {
        let (first, last) = (text(&missing, "first"), text(&missing, "last"));
        let (after, before, index) = (text(&missing, "after"), text(&missing, "before"), text(&missing, "after_index"));
        lines.push(format!("missing   {first} to {last}, between {after} and {before}, after entry {index}"));
    }
    lines.extend(list("silences").iter().map(|silence| format!("silent    {} to {}", text(silence, "from"), text(silence, "to"))));
    lines.extend(list("counter_restarts").iter().map(|index| format!("counter   began anew at entry {index}")));
    let refused = answer.get("refused").and_then(Value::as_object).into_iter().flatten();
    lines.extend(refused.map(|(reason, count)| format!("refused   {count} ({reason})")));
    for line in lines {
        writeln!(out, "{}", escape_line(&line))?;
    }
    Ok(holds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_is_told_in_its_largest_unit() {
        assert_eq!([0.0, 999.0, 1_000.0, 59_999.0, 3_600_000.0, 172_800_000.0].map(span), ["0ms", "999ms", "1s", "60s", "1h", "2d"]);
    }
}
