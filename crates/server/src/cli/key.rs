//! API keys, and the trail's signing key.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use ureq::http::Method;

use crate::access::KeyId;
use crate::api::{format_rfc3339, parse_rfc3339};
use crate::cli::Answer;
use crate::cli::data_dir::DataDir;
use crate::cli::failure::Failure;
use crate::cli::new_key::{Rights, local_why, make_key};
use crate::cli::place::{Place, with_trail};
use crate::cli::safe_text::{escape, escape_line};
use crate::cli::server::Server;
use crate::clock::Clock;
use crate::log::intent::Intent;
use crate::store::keys::rebind;
use crate::store::trail::Trail;

/// Make, list and revoke API keys; replace or rebind the signing key
///
/// Every change is an act in the log. With --data it is made on a stopped server's directory,
/// otherwise through the running server.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  indelible key create --scope ingest --source okta-prod --name 'Okta hook' --days 365")]
pub struct Key {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make an API key and show it once
    #[command(after_help = "Example:\n  indelible key create --scope read --name auditor --days 30")]
    Create {
        #[command(flatten)]
        rights: Rights,
        #[command(flatten)]
        place: Place,
        /// Print {id, key} as JSON
        #[arg(long)]
        json: bool,
    },
    /// List all API keys, revoked ones included
    #[command(after_help = "Example:\n  indelible key list --json")]
    List {
        #[command(flatten)]
        place: Place,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Make an API key good no longer
    #[command(after_help = "Example:\n  indelible key revoke k_0123456789abcdef")]
    Revoke {
        /// The key's id: k_ and 16 hex digits
        id: String,
        #[command(flatten)]
        place: Place,
    },
    /// Make a new admin key where the old one was lost; the log records that it was a reset
    #[command(after_help = "Example:\n  indelible key reset-admin --data /var/lib/indelible")]
    ResetAdmin {
        /// Data directory of the stopped server
        #[arg(long, env = "INDELIBLE_DATA", value_name = "DIR")]
        data: PathBuf,
        /// Print {id, key} as JSON
        #[arg(long)]
        json: bool,
    },
    /// Replace the signing key; everything signed so far keeps verifying
    #[command(after_help = "Example:\n  indelible key rotate")]
    Rotate {
        #[command(flatten)]
        place: Place,
        /// Print {old, new} as JSON
        #[arg(long)]
        json: bool,
    },
    /// Bind the signing key to a directory that was moved (never to a copy)
    #[command(after_help = "Example:\n  indelible key rebind --data /srv/indelible")]
    Rebind {
        /// The directory, where it lies now
        #[arg(long, env = "INDELIBLE_DATA", value_name = "DIR")]
        data: PathBuf,
    },
}

impl Key {
    pub fn run(self, out: &mut dyn Write) -> Result<Answer, Failure> {
        match self.action {
            Action::Create { rights, place, json } => create(&rights, &place, json, out),
            Action::List { place, json } => list(&place, json, out),
            Action::Revoke { id, place } => revoke(&id, &place, out),
            Action::ResetAdmin { data, json } => reset_admin(&data, json, out),
            Action::Rotate { place, json } => rotate(&place, json, out),
            Action::Rebind { data } => rebind_key(&data, out),
        }?;
        Ok(Answer::Holds)
    }
}

fn show_key(id: &str, key: &str, json: bool, out: &mut dyn Write) -> Result<(), Failure> {
    if json {
        writeln!(out, "{}", json!({"id": id, "key": key}))?;
    } else {
        writeln!(out, "id   {}\nkey  {}\n\nThe key is shown this once.", escape(id), escape(key))?;
    }
    Ok(())
}

fn member<'a>(json: &'a Value, name: &str) -> Result<&'a str, Failure> {
    json.get(name)
        .and_then(Value::as_str)
        .ok_or_else(|| Failure::new(format!("the server's answer has no {name:?}: it may be of another version")))
}

fn create(rights: &Rights, place: &Place, json: bool, out: &mut dyn Write) -> Result<(), Failure> {
    if let Some(data) = &place.data {
        let token = with_trail(data, |trail| make_key(trail, rights, false))?;
        return show_key(&token.key_id().to_string(), token.reveal(), json, out);
    }
    let mut wanted = json!({"scopes": rights.scopes});
    if let Some(wanted) = wanted.as_object_mut() {
        if !rights.sources.is_empty() {
            wanted.insert("sources".into(), rights.sources.iter().map(|name| name.as_str()).collect());
        }
        wanted.extend(rights.expires_at(Clock::system().now_ms()).map(|at| ("expires_at".into(), format_rfc3339(at).into())));
        wanted.extend(rights.name.clone().map(|name| ("name".into(), name.into())));
    }
    let made = place.server.connect()?.ask(&Method::POST, "/v1/keys", Some(&wanted))?.json()?;
    show_key(member(&made, "id")?, member(&made, "token")?, json, out)
}

fn list(place: &Place, json: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let keys = match &place.data {
        Some(data) => with_trail(data, |trail| Ok(keys_of(trail)))?,
        None => keys_from(&place.server.connect()?)?,
    };
    if json {
        writeln!(out, "{}", escape(&Value::from(keys).to_string()))?;
        return Ok(());
    }
    writeln!(out, "{:<18}  {:<18}  {:<8}  sources", "id", "scopes", "state")?;
    for key in keys {
        let words = |name: &str| {
            let words: Vec<&str> = key.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
            words.join(",")
        };
        let revoked = key.get("revoked").is_some_and(|revoked| !matches!(revoked, Value::Null | Value::Bool(false)));
        let end = key.get("expires_at").and_then(Value::as_str).and_then(|end| parse_rfc3339(end).ok());
        let lapsed = end.is_some_and(|end| end <= Clock::system().now_ms());
        let state = if revoked {
            "revoked"
        } else if lapsed {
            "expired"
        } else {
            "in force"
        };
        let sources = Some(words("sources")).filter(|words| !words.is_empty()).unwrap_or_else(|| "all".into());
        let line = format!("{:<18}  {:<18}  {state:<8}  {sources}", member(&key, "id")?, words("scopes"));
        writeln!(out, "{}", escape_line(&line))?;
    }
    Ok(())
}

fn keys_of(trail: &Trail) -> Vec<Value> {
    let view = trail.view();
    let keys = view.state.keys.iter().map(|(id, key)| {
        json!({
            "id": id,
            "scopes": key.scopes.iter().map(|scope| scope.word()).collect::<Vec<_>>(),
            "sources": key.sources,
            "expires_at": key.expires_at.map(format_rfc3339),
            "created": key.index,
            "revoked": key.revoked,
            "reset": key.reset,
        })
    });
    keys.collect()
}

fn keys_from(server: &Server) -> Result<Vec<Value>, Failure> {
    let (mut keys, mut path) = (Vec::new(), "/v1/keys?limit=1000".to_owned());
    loop {
        let page = server.fetch(&path)?.json()?;
        let listed = page.get("keys").and_then(Value::as_array);
        keys.extend_from_slice(listed.ok_or_else(|| Failure::new("the server's answer lists no keys: it may be of another version"))?);
        match page.get("next").and_then(Value::as_str).map(str::parse::<KeyId>) {
            Some(Ok(after)) => path = format!("/v1/keys?limit=1000&after={after}"),
            _ => return Ok(keys),
        }
    }
}

fn revoke(id: &str, place: &Place, out: &mut dyn Write) -> Result<(), Failure> {
    let id: KeyId = id.parse().map_err(Failure::at(format!("{id:?}")))?;
    match &place.data {
        Some(data) => {
            with_trail(data, |trail| Ok(trail.log().act_blocking(Intent::RevokeKey { id: id.to_string() }, local_why(None))?)).map(drop)?
        }
        None => place.server.connect()?.ask(&Method::DELETE, &format!("/v1/keys/{id}"), None).map(drop)?,
    }
    writeln!(out, "{id} is good no longer")?;
    Ok(())
}

fn reset_admin(data: &std::path::Path, json: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let token = with_trail(data, |trail| make_key(trail, &Rights::admin(), true))?;
    show_key(&token.key_id().to_string(), token.reveal(), json, out)
}

fn rotate(place: &Place, json: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let (old, new) = match &place.data {
        Some(data) => with_trail(data, |trail| {
            let old = trail.view().state.vkey.to_string();
            trail.rotate(local_why(None))?;
            Ok((old, trail.view().state.vkey.to_string()))
        })?,
        None => {
            let server = place.server.connect()?;
            let trail = server.fetch("/v1/trails/main")?.json()?;
            let rotated = server.ask(&Method::POST, "/v1/trails/main/rotate", Some(&json!({})))?.json()?;
            (member(&trail, "vkey")?.to_owned(), member(&rotated, "vkey")?.to_owned())
        }
    };
    if json {
        writeln!(out, "{}", json!({"old": old, "new": new}))?;
    } else {
        writeln!(
            out,
            "old  {}\nnew  {}\n\nGive verifiers the new key; what the old one signed keeps verifying.",
            escape(&old),
            escape(&new)
        )?;
    }
    Ok(())
}

fn rebind_key(data: &std::path::Path, out: &mut dyn Write) -> Result<(), Failure> {
    let dir = DataDir::open(data)?;
    let bound = rebind(dir.media()?.as_ref(), &dir.options().directory)?;
    let key = bound.ok_or_else(|| Failure::new(format!("{} holds no signing key to bind", data.display())))?;
    writeln!(out, "{key} is bound to {}", dir.path().display())?;
    writeln!(std::io::stderr(), "never start the directory it came from again: one key in two places grows two histories")?;
    Ok(())
}
