//! What is sent on to other systems.

use std::collections::BTreeMap;
use std::io::Write;

use clap::{ArgGroup, Args, Subcommand};
use serde_json::{Map, Value, json};
use ureq::http::Method;

use crate::cli::Answer;
use crate::cli::failure::Failure;
use crate::cli::safe_text::{escape, escape_line};
use crate::cli::saved::{encoded, line_at};
use crate::cli::server::ServerArgs;

/// Send on what a search line describes, as it comes: to Splunk HEC, NDJSON files or S3
///
/// The server sends every event at least once, with an `id` that is the same each time, and goes on after a restart
/// where the receiver stopped. A receiver that fails is tried again, up to every five minutes; how far behind it is
/// stands in `list` and in the metrics `indelible_forward_*`. Needs the scope admin. docs/EXPORT.md
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  indelible forward add siem --hec https://splunk.corp.example:8088 --token file:hec\n  indelible forward add failures 'outcome:failure' --files\n  indelible forward add lake --s3 corp-audit --region eu-west-1 --prefix indelible/ --from start\n  indelible forward list"
)]
pub struct Forward {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make one, or replace the one of this name, which then goes on where it is
    Add(Box<Add>),
    /// List all, how far each is behind, and what is wrong
    #[command(after_help = "Example:\n  indelible forward list --json")]
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// End one
    #[command(after_help = "Example:\n  indelible forward remove siem")]
    Remove {
        /// Its name
        name: String,
        #[command(flatten)]
        server: ServerArgs,
    },
}

#[derive(Debug, Args)]
#[command(
    group(ArgGroup::new("to").required(true).args(["hec", "files", "s3"])),
    after_help = "Example:\n  indelible forward add siem 'NOT source:noise' --hec https://splunk.corp.example:8088 --token file:hec\n\nSecrets are given as env:NAME, a variable of the server's process, or file:NAME, a file of mode 0600 in the data directory's secrets/."
)]
struct Add {
    /// Its name: a-z, 0-9, dot, underscore and hyphen
    name: String,
    /// What to send, as in `indelible search`; every event when it is empty
    #[arg(default_value = "", allow_hyphen_values = true, value_name = "LINE")]
    line: String,
    /// To this HTTP Event Collector
    #[arg(long, value_name = "URL", requires = "token")]
    hec: Option<String>,
    /// Where the server finds the collector's token
    #[arg(long, value_name = "env:NAME|file:NAME", requires = "hec")]
    token: Option<String>,
    /// Splunk index; the token's own when it is not given
    #[arg(long, value_name = "INDEX", requires = "hec")]
    hec_index: Option<String>,
    /// Into NDJSON files below forward/NAME of the data directory, a new one each day
    #[arg(long)]
    files: bool,
    /// And a new one when it has so many MiB [default: 128]
    #[arg(long, value_name = "MIB", requires = "files")]
    rotate_mb: Option<u64>,
    /// As gzipped NDJSON objects into this bucket
    #[arg(long, value_name = "BUCKET", requires = "region")]
    s3: Option<String>,
    /// The bucket's region
    #[arg(long, requires = "s3")]
    region: Option<String>,
    /// What names of objects begin with
    #[arg(long, requires = "s3")]
    prefix: Option<String>,
    /// Another service than AWS
    #[arg(long, value_name = "URL", requires = "s3")]
    endpoint: Option<String>,
    /// Seconds that events wait at most for an object to fill [default: 60]
    #[arg(long, value_name = "SECONDS", requires = "s3")]
    every: Option<u64>,
    /// Where the server finds the access key id; without it, what the machine has is used
    #[arg(long, value_name = "env:NAME|file:NAME", requires = "secret_access_key")]
    access_key_id: Option<String>,
    /// Where the server finds the secret access key
    #[arg(long, value_name = "env:NAME|file:NAME", requires = "access_key_id")]
    secret_access_key: Option<String>,
    /// First entry: start, end, or an index; without it one that is there goes on, a new one begins at the end
    #[arg(long, value_name = "WHERE", value_parser = first_entry)]
    from: Option<u64>,
    #[command(flatten)]
    server: ServerArgs,
}

/// The end is wherever the log ends when the server reads this.
fn first_entry(text: &str) -> Result<u64, String> {
    match text {
        "start" => Ok(0),
        // What a record can hold.
        "end" => Ok(i64::MAX as u64),
        index => index.parse().map_err(|_| "write start, end, or the index of an entry".to_owned()),
    }
}

impl Forward {
    pub fn run(self, out: &mut dyn Write) -> Result<Answer, Failure> {
        match self.action {
            Action::Add(add) => add.run(out)?,
            Action::List { json, server } => {
                let answer = server.connect()?.fetch("/v1/forwards")?.json()?;
                let forwards = answer.get("forwards").and_then(Value::as_array);
                let forwards = forwards.ok_or_else(|| Failure::new("the server lists no forwards: it may be of another version"))?;
                if json {
                    writeln!(out, "{}", escape(&Value::from(forwards.clone()).to_string()))?;
                } else {
                    forwards.iter().try_for_each(|forward| write_forward(forward, out))?;
                }
            }
            Action::Remove { name, server } => {
                server.connect()?.ask(&Method::DELETE, &path_of(&name), None)?;
                writeln!(out, "{} is removed", escape_line(&name))?;
            }
        }
        Ok(Answer::Holds)
    }
}

impl Add {
    fn run(self, out: &mut dyn Write) -> Result<(), Failure> {
        let server = self.server.connect()?;
        let line = line_at(&server, &self.line)?;
        let mut body = json!({ "line": line, "to": self.destination(), "secrets": self.secrets() });
        if let (Some(from), Value::Object(body)) = (self.from, &mut body) {
            body.insert("from".into(), from.into());
        }
        server.ask(&Method::PUT, &path_of(&self.name), Some(&body))?;
        writeln!(out, "forwarding; see how it fares with: indelible forward list")?;
        Ok(())
    }

    fn destination(&self) -> Value {
        let to = match (&self.hec, &self.s3) {
            (Some(url), _) => {
                vec![("kind", Some("hec".into())), ("url", Some(url.as_str().into())), ("index", self.hec_index.clone().map(Value::from))]
            }
            (None, Some(bucket)) => vec![
                ("kind", Some("s3".into())),
                ("bucket", Some(bucket.as_str().into())),
                ("region", self.region.clone().map(Value::from)),
                ("prefix", self.prefix.clone().map(Value::from)),
                ("endpoint", self.endpoint.clone().map(Value::from)),
                ("every_s", self.every.map(Value::from)),
            ],
            (None, None) => vec![("kind", Some("files".into())), ("rotate_mb", self.rotate_mb.map(Value::from))],
        };
        Value::Object(to.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect::<Map<_, _>>())
    }

    fn secrets(&self) -> BTreeMap<&'static str, &str> {
        let all = [("token", &self.token), ("access_key_id", &self.access_key_id), ("secret_access_key", &self.secret_access_key)];
        all.into_iter().filter_map(|(name, reference)| Some((name, reference.as_deref()?))).collect()
    }
}

fn path_of(name: &str) -> String {
    format!("/v1/forwards/{}", encoded(name))
}

fn write_forward(forward: &Value, out: &mut dyn Write) -> Result<(), Failure> {
    let text = |path: &str| forward.pointer(path).and_then(Value::as_str).map(escape_line).unwrap_or_default();
    let number = |path: &str| forward.pointer(path).and_then(Value::as_u64);
    let doing = if text("/status/doing").is_empty() { "not running".into() } else { text("/status/doing") };
    let behind = number("/status/at").zip(number("/size")).map_or(0, |(at, size)| size.saturating_sub(at));
    let sent = number("/status/sent").unwrap_or_default();
    writeln!(out, "{:<20} {:<6} {doing:<12} {behind} entries behind, {sent} sent  {}", text("/name"), text("/to/kind"), text("/line"))?;
    if let Some(tries) = number("/status/failures_in_a_row").filter(|tries| *tries > 0) {
        writeln!(out, "  failed {tries} times: {}", text("/status/last_error"))?;
    } else if doing == "failing" {
        writeln!(out, "  {}", text("/status/last_error"))?;
    }
    Ok(())
}
