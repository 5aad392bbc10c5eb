//! Connections: how events of a source are fetched or received.

use std::collections::BTreeMap;
use std::io::Write;

use clap::{Args, Subcommand};
use evidence::act::{ConnectionAct, SecretReference, Setting, settings_value};
use evidence::canonical_json::{self, to_bytes};
use serde_json::{Map, Value, json};
use ureq::http::Method;

use crate::api::check_connection;
use crate::cli::Answer;
use crate::cli::failure::Failure;
use crate::cli::new_key::local_why;
use crate::cli::place::{Place, with_trail};
use crate::cli::safe_text::{escape, escape_line};
use crate::intake::SourceName;
use crate::log::intent::Intent;
use crate::store::trail::Trail;

/// Set, list and remove connections: pollers, webhooks, sockets, watched directories
///
/// Every change is an act in the log, and a running server follows it at once. Secrets are never in
/// it: --secret says where the server finds one, in a variable (env:NAME) or in a file below its data
/// directory's secrets/ (file:NAME, mode 0600).
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  indelible connection set okta-poll --kind poll.okta --source okta-prod \\\n    --setting url=https://example.okta.com --secret token=env:OKTA_TOKEN"
)]
pub struct Connection {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a connection, or replace the one of that name
    #[command(
        after_help = "Example:\n  indelible connection set gh-hook --kind hook.github --source github-corp --secret secret=file:github-hook"
    )]
    Set {
        /// The connection's name: a-z, 0-9, '.', '_' and '-'
        name: SourceName,
        #[command(flatten)]
        wanted: Wanted,
        #[command(flatten)]
        place: Place,
    },
    /// List all connections
    #[command(after_help = "Example:\n  indelible connection list --json")]
    List {
        #[command(flatten)]
        place: Place,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove a connection; how far it had read is forgotten with it
    #[command(after_help = "Example:\n  indelible connection remove okta-poll")]
    Remove {
        /// The connection's name
        name: String,
        #[command(flatten)]
        place: Place,
    },
}

/// What a connection is to be.
#[derive(Clone, Debug, Args)]
struct Wanted {
    /// How events come, such as poll.okta, hook.github, syslog, files, kafka
    #[arg(long, value_name = "KIND")]
    kind: SourceName,
    /// The source the events are from; it is made when there is none
    #[arg(long, value_name = "NAME")]
    source: SourceName,
    /// The kind of the source, should this make it, where the connection's kind does not say: see `indelible source list`
    #[arg(long, value_name = "KIND")]
    source_kind: Option<SourceName>,
    /// A setting of the kind; VALUE is text unless it is JSON (15, true, ["a","b"], "15")
    #[arg(long = "setting", value_name = "NAME=VALUE", value_parser = named_setting)]
    settings: Vec<(String, Setting)>,
    /// Where the server finds a secret: env:NAME or file:NAME
    #[arg(long = "secret", value_name = "NAME=env:NAME|file:NAME", value_parser = named_secret)]
    secrets: Vec<(String, SecretReference)>,
    /// Keep it, but do not use it for now
    #[arg(long)]
    disabled: bool,
}

fn pair(text: &str) -> Result<(&str, &str), String> {
    text.split_once('=').filter(|(name, _)| evidence::act::is_name(name)).ok_or_else(|| "expected NAME=VALUE, NAME of a-z 0-9 . _ -".into())
}

fn named_setting(text: &str) -> Result<(String, Setting), String> {
    let (name, value) = pair(text)?;
    let json = canonical_json::parse(value.as_bytes()).ok().and_then(Setting::of);
    Ok((name.to_owned(), json.unwrap_or_else(|| Setting::Text(value.to_owned()))))
}

fn named_secret(text: &str) -> Result<(String, SecretReference), String> {
    let (name, reference) = pair(text)?;
    // What was given is not repeated: it may be the secret itself.
    reference.parse().map(|reference| (name.to_owned(), reference)).map_err(|why: evidence::act::InvalidSecretReference| why.to_string())
}

impl Connection {
    pub fn run(self, out: &mut dyn Write) -> Result<Answer, Failure> {
        match self.action {
            Action::Set { name, wanted, place } => set(&name, wanted, &place, out),
            Action::List { place, json } => list(&place, json, out),
            Action::Remove { name, place } => remove(&name, &place, out),
        }?;
        Ok(Answer::Holds)
    }
}

fn set(name: &SourceName, wanted: Wanted, place: &Place, out: &mut dyn Write) -> Result<(), Failure> {
    let settings: BTreeMap<_, _> = wanted.settings.into_iter().collect();
    let secrets: BTreeMap<_, _> = wanted.secrets.into_iter().collect();
    let (kind, source, enabled) = (wanted.kind.to_string(), wanted.source.to_string(), !wanted.disabled);
    let source_kind = wanted.source_kind.map(|kind| kind.to_string());
    match &place.data {
        Some(data) => with_trail(data, |trail| {
            let mut act = ConnectionAct { name: name.to_string(), kind, source: 0, settings, secrets, enabled };
            check_connection(&act, &source).map_err(Failure::new)?;
            act.source = source_number(trail, &source, source_kind.as_deref().unwrap_or(crate::door::source_kind(&act.kind)))?;
            trail.log().act_blocking(Intent::SetConnection(act), local_why(None))?;
            Ok(())
        })?,
        None => {
            let settings: Value = serde_json::from_slice(&to_bytes(&settings_value(&settings)))?;
            let secrets: Map<String, Value> = secrets.into_iter().map(|(name, place)| (name, place.to_string().into())).collect();
            let body = json!({"kind": kind, "source": source, "source_kind": source_kind, "settings": settings, "secrets": secrets, "enabled": enabled});
            place.server.connect()?.ask(&Method::PUT, &format!("/v1/connections/{name}"), Some(&body)).map(drop)?;
        }
    }
    writeln!(out, "{name} is set{}", if enabled { "" } else { ", and not in use" })?;
    Ok(())
}

fn source_number(trail: &Trail, source: &str, kind: &str) -> Result<u32, Failure> {
    let intent = Intent::CreateSource { name: source.to_owned(), kind: kind.to_owned() };
    trail.log().act_blocking(intent, local_why(None))?;
    let number = trail.view().state.source_number(source);
    number.ok_or_else(|| Failure::new(format!("source {source} was made but is not there")))
}

fn list(place: &Place, json: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let connections = match &place.data {
        Some(data) => with_trail(data, connections_of)?,
        None => {
            let answer = place.server.connect()?.fetch("/v1/connections")?.json()?;
            let listed = answer.get("connections").and_then(Value::as_array).cloned();
            listed.ok_or_else(|| Failure::new("the server's answer lists no connections: it may be of another version"))?
        }
    };
    if json {
        writeln!(out, "{}", escape(&Value::from(connections).to_string()))?;
        return Ok(());
    }
    writeln!(out, "{:<20}  {:<18}  {:<20}  {:<8}  settings and secrets", "name", "kind", "source", "state")?;
    for connection in connections {
        let text = |name: &str| connection.get(name).and_then(Value::as_str).unwrap_or_default();
        let members = |name: &str| connection.get(name).and_then(Value::as_object).into_iter().flatten();
        let all = members("settings").chain(members("secrets"));
        let words: Vec<_> =
            all.map(|(name, value)| format!("{name}={}", value.as_str().map_or_else(|| value.to_string(), str::to_owned))).collect();
        let state = if connection.get("enabled") == Some(&Value::Bool(false)) { "off" } else { "in use" };
        let line = format!("{:<20}  {:<18}  {:<20}  {state:<8}  {}", text("name"), text("kind"), text("source"), words.join(" "));
        writeln!(out, "{}", escape_line(line.trim_end()))?;
    }
    Ok(())
}

fn connections_of(trail: &Trail) -> Result<Vec<Value>, Failure> {
    let view = trail.view();
    let connection = |entry: &evidence::fold::ConnectionEntry| {
        let act = &entry.act;
        let settings: Value = serde_json::from_slice(&to_bytes(&settings_value(&act.settings)))?;
        let secrets: Map<String, Value> = act.secrets.iter().map(|(name, place)| (name.clone(), place.to_string().into())).collect();
        let source = view.state.sources.get(&act.source).map(|source| source.name.as_str());
        let json = json!({
            "name": act.name, "kind": act.kind, "source": source, "settings": settings, "secrets": secrets,
            "enabled": act.enabled, "set": entry.index,
        });
        Ok(json)
    };
    view.state.connections.values().map(connection).collect()
}

fn remove(name: &str, place: &Place, out: &mut dyn Write) -> Result<(), Failure> {
    let name: SourceName = name.parse().map_err(Failure::at(format!("{name:?}")))?;
    match &place.data {
        Some(data) => {
            let intent = Intent::RemoveConnection { name: name.to_string() };
            with_trail(data, |trail| Ok(trail.log().act_blocking(intent, local_why(None))?)).map(drop)?;
        }
        None => place.server.connect()?.ask(&Method::DELETE, &format!("/v1/connections/{name}"), None).map(drop)?,
    }
    writeln!(out, "{name} is removed")?;
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_text_unless_it_is_json() {
        let read = |text: &str| named_setting(text).unwrap().1;
        assert_eq!(read("url=https://a.example/?a=b"), Setting::Text("https://a.example/?a=b".into()));
        assert_eq!(read("overlap_s=300"), Setting::Integer(300));
        assert_eq!(read("account=\"123456789012\""), Setting::Text("123456789012".into()));
        assert_eq!(read("account=012345"), Setting::Text("012345".into()), "no JSON number begins with a zero");
        assert_eq!(read("archived=true"), Setting::Switch(true));
        assert_eq!(read("only=[\"a\",\"b\"]"), Setting::List(vec!["a".into(), "b".into()]));
        assert_eq!(read("empty="), Setting::Text(String::new()));
        assert!(named_setting("url").is_err() && named_setting("A B=1").is_err());
    }

    #[test]
    fn a_secret_on_the_command_line_is_refused_and_not_repeated() {
        assert_eq!(named_secret("token=env:OKTA").unwrap().1, SecretReference::Env("OKTA".into()));
        let why = named_secret("token=00s3cret00").unwrap_err();
        assert!(why.contains("env:NAME") && !why.contains("s3cret"), "{why}");
    }
}
