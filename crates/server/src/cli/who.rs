//! Tells what one identity did.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use crate::api::{Inquired, investigate};
use crate::cli::Answer;
use crate::cli::failure::Failure;
use crate::cli::maps::MapArgs;
use crate::cli::member::{is_true, list, number, text};
use crate::cli::place::Place;
use crate::cli::safe_text::{escape, escape_line};
use crate::cli::saved::encoded;
use crate::cli::stopped::{record, with_log};
use crate::clock::Clock;
use crate::investigate::Bounds;
use crate::investigate::timeline::{Asked, EVENTS_MAX};

/// On a stopped directory nobody else waits.
pub const UNHURRIED: Bounds = Bounds { time: Duration::from_secs(3600), entries: u64::MAX, matches: EVENTS_MAX };

/// What did one identity do, in all sources? Or: how did it come by a privilege?
///
/// A summary, the privileges gained and lost, how they were reached (who gave them, who had given the giver theirs,
/// and so on), and the newest events, each with its number in the log. With --how, only how what is called like
/// this was reached, over all time. Exit code 1: something could not be read, so events may be missing.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  indelible who ana@corp.example --since 7d\n  indelible who ana@corp.example --how admin\n  indelible who 'CORP\\ana' --until 2026-03-01 --limit 200 --json"
)]
pub struct Who {
    /// The identity: usually an e-mail address; any of its names will do
    identity: String,
    /// It happened then or later: 7d, 12h, 2026-01-31, …
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// It happened before
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// How it came by what is called like this: part of the name of a role, policy or group
    #[arg(long, value_name = "PRIVILEGE", conflicts_with_all = ["since", "until"])]
    how: Option<String>,
    /// Most events shown
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// One JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    maps: MapArgs,
    #[command(flatten)]
    place: Place,
}

impl Who {
    pub fn run(self, out: &mut dyn Write) -> Result<Answer, Failure> {
        let question = Asked {
            identity: self.identity.clone(),
            since: self.since.clone(),
            until: self.until.clone(),
            behind: None,
            lines: self.limit.into(),
        };
        let inquired = Inquired { question, how: self.how.clone() };
        inquired.check(Clock::system().now_ms()).map_err(|(_, message)| Failure::new(message))?;
        let answer = match &self.place.data {
            Some(data) => self.read_directory(data, &inquired)?,
            None => self.ask_server()?,
        };
        if self.json {
            writeln!(out, "{}", escape(&answer.to_string()))?;
        } else if self.how.is_some() {
            write_how(&answer, out)?;
        } else {
            write_timeline(&answer, out)?;
        }
        out.flush()?;
        say_what_is_covered(&answer)
    }

    fn ask_server(&self) -> Result<Value, Failure> {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("limit", &self.limit.to_string());
        for (name, value) in [("since", &self.since), ("until", &self.until), ("how", &self.how)] {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        }
        self.place.server.connect()?.fetch(&format!("/v1/identities/{}?{}", encoded(&self.identity), query.finish()))?.json()
    }

    fn read_directory(&self, data: &Path, inquired: &Inquired) -> Result<Value, Failure> {
        with_log(data, self.maps.catalog()?, |log| {
            let (answer, of_it) = investigate(log, inquired, Clock::system().now_ms(), UNHURRIED, "local")?;
            record(log, "question", &of_it)?;
            Ok(serde_json::to_value(&answer)?)
        })
    }
}

/// Says on standard error what an answer rests on.
///
/// # Errors
/// It cannot be written.
pub fn say_what_is_covered(answer: &Value) -> Result<Answer, Failure> {
    let mut to = std::io::stderr().lock();
    let none = Value::Null;
    let (tree, covered) = (answer.get("tree").unwrap_or(&none), answer.get("covered").unwrap_or(&none));
    writeln!(to, "covers a log of {} with root {}; {} entries read", number(tree, "size"), text(tree, "root"), number(covered, "read"))?;
    if is_true(covered, "out_of_time") {
        writeln!(to, "NOT ALL LOOKED AT: there was not the time: narrow it with --since and --until")?;
    }
    for gap in list(answer, "unreadable") {
        writeln!(to, "NOT READ: entries {} to {}: {}", number(gap, "first"), number(gap, "last"), text(gap, "why"))?;
    }
    Ok(if is_true(covered, "complete") { Answer::Holds } else { Answer::DoesNotHold })
}

fn write_line(line: &Value, indent: &str, out: &mut dyn Write) -> Result<(), Failure> {
    let more: Vec<_> =
        ["ip", "country", "device", "session"].into_iter().map(|name| text(line, name)).filter(|text| !text.is_empty()).collect();
    let more = if more.is_empty() { String::new() } else { format!("  [{}]", more.join(", ")) };
    writeln!(out, "{indent}#{}  {}  {}  {}{more}", number(line, "index"), text(line, "time"), text(line, "source"), text(line, "says"))?;
    Ok(())
}

fn write_timeline(answer: &Value, out: &mut dyn Write) -> Result<(), Failure> {
    let none = Value::Null;
    let summary = answer.get("summary").unwrap_or(&none);
    let display = text(answer, "display");
    let names: Vec<_> = list(answer, "names").filter_map(Value::as_str).map(escape_line).collect();
    let also = [display, names.join(", ")].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ");
    writeln!(out, "{}{}", text(answer, "identity"), if also.is_empty() { String::new() } else { format!(" ({also})") })?;
    if number(summary, "events") == 0 {
        writeln!(out, "no event of it in this log, in the time asked for; other spellings: indelible search NAME")?;
        return Ok(());
    }
    let least = if is_true(summary, "more") { "more than " } else { "" };
    let seen = |name: &str| summary.get(name).map(|seen| text(seen, "time")).unwrap_or_default();
    writeln!(out, "{least}{} events, first {}, last {}", number(summary, "events"), seen("first"), seen("last"))?;
    if is_true(summary, "more") {
        writeln!(out, "counts are of the newest in the log; narrow it with --since and --until")?;
    }
    for count in list(summary, "deeds") {
        let (did, other, failed) = (number(count, "did"), number(count, "done_to_it"), number(count, "failed"));
        let unsaid = match number(count, "unsaid") {
            0 => String::new(),
            unsaid => format!(" {unsaid:>7} without a word of how they ended"),
        };
        writeln!(out, "  {:<11}{did:>7} by it {other:>7} to it {failed:>7} in vain{unsaid}", text(count, "deed"))?;
    }
    for name in ["sources", "sessions", "addresses", "countries", "devices"] {
        let Some(top) = summary.get(name).filter(|top| number(top, "distinct") > 0) else { continue };
        let values: Vec<_> = list(top, "values").map(|value| format!("{} ({})", text(value, "value"), number(value, "count"))).collect();
        let distinct = number(top, "distinct");
        let rest = if distinct > values.len() as u64 { ", …" } else { "" };
        writeln!(out, "  {distinct} {name}: {}{rest}", values.join(", "))?;
    }
    writeln!(out, "\nprivileges gained and lost, newest first")?;
    write_lines(answer, "privileges", out)?;
    let reached = answer.get("reached").unwrap_or(&none);
    if list(reached, "steps").next().is_some() {
        writeln!(out, "\nhow they were reached: below each event, what its giver had gained before")?;
        write_tree(reached, out)?;
    }
    writeln!(out, "\nevents, newest first")?;
    write_lines(answer, "lines", out)
}

fn write_lines(answer: &Value, name: &str, out: &mut dyn Write) -> Result<(), Failure> {
    list(answer, name).try_for_each(|line| write_line(line, "", out))
}

fn write_how(answer: &Value, out: &mut dyn Write) -> Result<(), Failure> {
    let (identity, privilege) = (text(answer, "identity"), text(answer, "privilege"));
    if list(answer, "steps").next().is_none() {
        writeln!(out, "nothing in this log gave {identity} what is called like {privilege:?}")?;
        return Ok(());
    }
    writeln!(out, "how {identity} came by what is called like {privilege:?}: below each event, what its giver had gained before")?;
    write_tree(answer, out)
}

fn write_tree(tree: &Value, out: &mut dyn Write) -> Result<(), Failure> {
    for (nth, step) in list(tree, "steps").enumerate() {
        let indent = "   ".repeat(usize::try_from(number(step, "depth")).unwrap_or(0));
        write_line(step.get("event").unwrap_or(&Value::Null), &indent, out)?;
        if is_true(step, "again") {
            writeln!(out, "{indent}   = what explains this event stands where it is told first")?;
        }
        for root in list(tree, "roots").filter(|root| number(root, "behind") == nth as u64) {
            let holder = root.get("holder").map(holder).unwrap_or_default();
            let why = match text(root, "why").as_str() {
                "nothing_before" => format!("{holder}: the log shows nothing given to it before"),
                "nobody_named" => "the event does not say who did it".to_owned(),
                _ => format!("{holder}: there may be more than is shown: indelible who {holder}"),
            };
            writeln!(out, "{indent}   = {why}")?;
        }
    }
    if is_true(tree, "more") {
        writeln!(out, "only the newest of each kind of gain are shown: indelible who IDENTITY has all privileges gained")?;
    }
    Ok(())
}

fn holder(of: &Value) -> String {
    match of.get("group") {
        Some(group) => format!("the group {} of {}", text(group, "name"), text(group, "source")),
        None => text(of, "identity"),
    }
}
