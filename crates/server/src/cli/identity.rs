//! The identity directory: which names are the same person.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};
use ureq::http::Method;

use crate::cli::Answer;
use crate::cli::failure::Failure;
use crate::cli::place::{Place, with_data_and_trail};
use crate::cli::safe_text::{escape, escape_line};
use crate::cli::server::Content;
use crate::door::directory::{Identities, Imported};
use crate::source::directory::{People, add, parse_csv, parse_scim};

/// Who a change through a stopped directory is by: whoever may write it.
const LOCAL: &str = "local";
/// Identities asked for at a time.
const PAGE: usize = 1_000;

/// Import, list and edit the directory of identities: which names are the same person
///
/// An event of any of a person's names then shows the one identity. Each change is a record in the
/// log whose names can be erased.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  indelible identity import people.csv\n  indelible identity set ana@corp.example 'CORP\\ana' okta:00u1abc"
)]
pub struct Identity {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Set everybody a file names (CSV with a header row, or SCIM 2.0 users in JSON); nobody is removed
    #[command(after_help = "Example:\n  indelible identity import people.csv\n  indelible identity import users.json --format scim")]
    Import {
        /// The file
        file: PathBuf,
        /// How it is written [default: scim for *.json, else csv]
        #[arg(long, value_enum)]
        format: Option<Format>,
        #[command(flatten)]
        place: Place,
    },
    /// List everybody
    #[command(after_help = "Example:\n  indelible identity list --json")]
    List {
        #[command(flatten)]
        place: Place,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Set one identity with exactly these further names
    #[command(after_help = "Example:\n  indelible identity set ana@corp.example 'CORP\\ana' okta:00u1abc --display 'Ana Silva'")]
    Set {
        /// The identity: usually the e-mail address
        identity: String,
        /// Further names, as events show them
        names: Vec<String>,
        /// What people call it
        #[arg(long)]
        display: Option<String>,
        #[command(flatten)]
        place: Place,
    },
    /// Remove one identity; its names stand for themselves again
    #[command(after_help = "Example:\n  indelible identity remove ana@corp.example")]
    Remove {
        /// The identity
        identity: String,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Csv,
    Scim,
}

impl Format {
    fn of(file: &Path) -> Self {
        if file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json")) { Self::Scim } else { Self::Csv }
    }

    const fn media(self) -> &'static str {
        match self {
            Self::Csv => "text/csv",
            Self::Scim => "application/scim+json",
        }
    }
}

impl Identity {
    pub fn run(self, out: &mut dyn Write) -> Result<Answer, Failure> {
        match self.action {
            Action::Import { file, format, place } => {
                let format = format.unwrap_or_else(|| Format::of(&file));
                let bytes = std::fs::read(&file).map_err(Failure::at(file.display()))?;
                import(&bytes, format, &place, out)
            }
            Action::List { place, json } => list(&place, json, out),
            Action::Set { identity, names, display, place } => {
                let scim = one(&identity, &names, display.as_deref())?;
                import(scim.to_string().as_bytes(), Format::Scim, &place, out)
            }
            Action::Remove { identity, place } => remove(&identity, &place, out),
        }?;
        Ok(Answer::Holds)
    }
}

/// One user as SCIM, whose names come with no quoting of their own.
fn one(identity: &str, names: &[String], display: Option<&str>) -> Result<Value, Failure> {
    // Said here, where the words are those of the command line.
    add(&mut People::new(), identity, names.iter().map(String::as_str), display, "the command line")?;
    let emails = std::iter::once(json!({"value": identity, "primary": true}));
    let emails: Vec<_> = emails.chain(names.iter().map(|name| json!({"value": name}))).collect();
    Ok(json!({"emails": emails, "displayName": display}))
}

fn import(bytes: &[u8], format: Format, place: &Place, out: &mut dyn Write) -> Result<(), Failure> {
    let Imported { new, changed, same } = match &place.data {
        Some(data) => {
            let people = if format == Format::Csv { parse_csv(bytes) } else { parse_scim(bytes) }?;
            with_data_and_trail(data, |dir, trail| Ok(Identities::kept_in(dir.directory_file()).import(trail, people, LOCAL)?))?
        }
        None => {
            let content = Content { media: format.media(), body: bytes, idempotency_key: None };
            let answer = place.server.connect()?.send(&Method::PUT, "/v1/directory", content)?.json()?;
            let count = |name: &str| answer.get(name).and_then(Value::as_u64).and_then(|count| usize::try_from(count).ok()).unwrap_or(0);
            Imported { new: count("new"), changed: count("changed"), same: count("same") }
        }
    };
    writeln!(out, "{new} new, {changed} changed, {same} the same as before")?;
    Ok(())
}

fn list(place: &Place, as_json: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let identities = match &place.data {
        Some(data) => with_data_and_trail(data, |dir, trail| {
            let directory = Identities::kept_in(dir.directory_file()).in_force(trail)?;
            let person = |(identity, person): (&String, &crate::source::directory::Person)| json!({"identity": identity, "names": person.names, "display": person.display});
            Ok(directory.people().iter().map(person).collect())
        })?,
        None => listed(place)?,
    };
    if as_json {
        writeln!(out, "{}", escape(&Value::from(identities).to_string()))?;
        return Ok(());
    }
    for person in identities {
        let text = |name: &str| person.get(name).and_then(Value::as_str).unwrap_or_default();
        let names = person.get("names").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        let line = format!("{:<36}  {:<24}  {}", text("identity"), text("display"), names.collect::<Vec<_>>().join("  "));
        writeln!(out, "{}", escape_line(line.trim_end()))?;
    }
    Ok(())
}

fn listed(place: &Place) -> Result<Vec<Value>, Failure> {
    let server = place.server.connect()?;
    let (mut identities, mut from) = (Vec::new(), String::new());
    loop {
        let answer = server.fetch(&format!("/v1/directory?limit={PAGE}&from={}", in_url(&from)))?.json()?;
        let page = answer.get("identities").and_then(Value::as_array);
        identities
            .extend(page.ok_or_else(|| Failure::new("the server's answer lists no identities: it may be of another version"))?.clone());
        match answer.get("next").and_then(Value::as_str) {
            Some(next) => from = next.to_owned(),
            None => return Ok(identities),
        }
    }
}

fn in_url(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

fn remove(identity: &str, place: &Place, out: &mut dyn Write) -> Result<(), Failure> {
    match &place.data {
        Some(data) => {
            with_data_and_trail(data, |dir, trail| Ok(Identities::kept_in(dir.directory_file()).remove(trail, identity, LOCAL)?))?;
        }
        None => place.server.connect()?.ask(&Method::DELETE, &format!("/v1/directory/{}", in_url(identity)), None).map(drop)?,
    }
    writeln!(out, "{} is removed", escape_line(identity))?;
    Ok(())
}
