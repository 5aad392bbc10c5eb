//! One event as a line of a timeline.

use serde::{Serialize, Serializer};

use crate::investigate::condition::{FAILURE, SUCCESS};
use crate::investigate::deed::{Deed, deed};
use crate::investigate::device::family;
use crate::investigate::session::Session;
use crate::search::document::Document;
use crate::search::field::{Field, Name};
use crate::search::instant;

/// Privileges of one event that are named: a policy may list hundreds.
const PRIVILEGES_MAX: usize = 8;

/// One event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Its number in the log.
    pub index: u64,
    /// When it happened, ms.
    #[serde(rename = "time", serialize_with = "rfc3339")]
    pub time_ms: i64,
    /// The source's name.
    pub source: Option<String>,
    /// What it is.
    pub deed: Deed,
    /// Whether it was tried in vain.
    pub failed: bool,
    /// Whether the record leaves open how it ended: a request that is not answered yet, a sign-in that waits for a second
    /// factor.
    pub unsaid: bool,
    /// Who did it: the one identity.
    pub actor: Option<String>,
    /// To whom.
    pub target: Option<String>,
    /// The vendor's word.
    pub action: Option<String>,
    /// What was given or taken, by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub privileges: Vec<String>,
    /// The group it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// What it was done with.
    pub resource: Option<String>,
    /// From where.
    pub ip: Option<String>,
    /// In which country that is.
    pub country: Option<String>,
    /// In which session.
    pub session: Option<String>,
    /// That session, by all it is known by.
    #[serde(skip)]
    pub acted_in: Option<Session>,
    /// The session that it opened.
    #[serde(skip)]
    pub opened: Option<Session>,
    /// With which program, on which system.
    pub device: Option<String>,
    /// In a sentence.
    pub says: String,
}

/// Writes a time as text.
pub fn rfc3339<S: Serializer>(ms: &i64, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&instant::format(*ms))
}

fn add(document: &Document<'_>, path: &[&str], to: &mut Vec<String>) {
    let path = Field::Ocsf(path.iter().map(|part| (*part).to_owned()).collect());
    document.values(&path, &mut |value| {
        if !to.iter().any(|known| known == value) {
            to.push(value.to_owned());
        }
        to.len() >= PRIVILEGES_MAX
    });
}

impl Line {
    /// What an event says.
    #[must_use]
    pub fn of(document: &Document<'_>) -> Self {
        let deed = deed(document);
        let one = |path: &[&str]| {
            let mut values = Vec::new();
            add(document, path, &mut values);
            values.into_iter().next()
        };
        let mut privileges = Vec::new();
        match deed {
            Deed::Gained | Deed::Lost => {
                add(document, &["privileges"], &mut privileges);
                add(document, &["policies", "name"], &mut privileges);
            }
            Deed::Assumed => privileges.extend(one(&["user", "name"]).or_else(|| document.first(Name::Target))),
            _ => {}
        }
        let outcome = document.first(Name::Outcome);
        let ended = |word: &str| outcome.as_deref().is_some_and(|outcome| outcome.eq_ignore_ascii_case(word));
        let mut line = Self {
            index: document.index(),
            time_ms: document.time_ms(),
            source: document.first(Name::Source),
            deed,
            failed: ended(FAILURE),
            unsaid: !ended(FAILURE) && !ended(SUCCESS),
            actor: document.mapped().actor.as_deref().map(|name| document.directory().resolve(name).to_owned()),
            target: document.mapped().target.as_deref().map(|name| document.directory().resolve(name).to_owned()),
            action: document.first(Name::Action),
            privileges,
            group: one(&["group", "name"]).or_else(|| one(&["group", "uid"])),
            resource: document.first(Name::Resource).or_else(|| one(&["entity", "name"])),
            ip: document.first(Name::Ip),
            country: document.first(Name::Country),
            session: document.first(Name::Session),
            acted_in: Session::acted_in(document),
            opened: (deed == Deed::Assumed).then(|| Session::opened(document)).flatten(),
            device: document.first(Name::UserAgent).as_deref().and_then(family),
            says: String::new(),
        };
        line.says = line.sentence();
        line
    }

    /// Whether it tells where, when and with what somebody is at work. A sign-in of which nobody says that it succeeded
    /// may be a stranger's.
    #[must_use]
    pub const fn is_telling(&self) -> bool {
        let is_sign_in = matches!(self.deed, Deed::SignIn | Deed::SignOut | Deed::Assumed);
        !(self.failed || self.unsaid && is_sign_in)
    }

    /// What was given or taken, in words.
    #[must_use]
    pub fn what(&self) -> String {
        if !self.privileges.is_empty() {
            return self.privileges.join(", ");
        }
        match (&self.group, &self.resource, &self.action) {
            (Some(group), ..) => format!("membership of {group}"),
            (_, Some(resource), _) => format!("access to {resource}"),
            (.., action) => action.clone().unwrap_or_else(|| "a privilege".to_owned()),
        }
    }

    /// Whether one that was given or taken is called like this.
    #[must_use]
    pub fn names(&self, part: &str) -> bool {
        let part = part.to_lowercase();
        self.privileges.iter().chain(&self.group).chain(&self.resource).any(|name| name.to_lowercase().contains(&part))
    }

    fn sentence(&self) -> String {
        let who = self.actor.as_deref().unwrap_or("somebody");
        let to = match &self.target {
            Some(target) if Some(target) == self.actor.as_ref() => Some("themselves"),
            other => other.as_deref(),
        };
        let action = self.action.as_deref().unwrap_or("something");
        let at = self.source.as_deref().unwrap_or("this log");
        let done = match (self.deed, to, &self.group) {
            (Deed::SignIn, ..) => format!("{who} signed in to {at} ({action})"),
            (Deed::SignOut, ..) => format!("{who} signed out of {at}"),
            (Deed::Assumed, ..) => format!("{who} took on {}", self.what()),
            (Deed::Gained, Some(to), Some(group)) if self.privileges.is_empty() => format!("{who} put {to} into the group {group}"),
            (Deed::Lost, Some(to), Some(group)) if self.privileges.is_empty() => format!("{who} took {to} out of the group {group}"),
            (Deed::Gained, None, Some(group)) => format!("{who} gave the group {group}: {}", self.what()),
            (Deed::Lost, None, Some(group)) => format!("{who} took from the group {group}: {}", self.what()),
            (Deed::Gained, to, _) => format!("{who} gave {}: {}", to.unwrap_or("somebody"), self.what()),
            (Deed::Lost, to, _) => format!("{who} took from {}: {}", to.unwrap_or("somebody"), self.what()),
            (Deed::Credential, to, _) => format!("{who} changed how {} signs in ({action})", to.unwrap_or("somebody")),
            (_, to, _) => match to.filter(|to| *to != "themselves").or(self.resource.as_deref()) {
                Some(with) => format!("{who} did {action} with {with}"),
                None => format!("{who} did {action}"),
            },
        };
        let matters = matches!(self.deed, Deed::SignIn | Deed::Assumed | Deed::Gained | Deed::Lost | Deed::Credential);
        match (self.failed, self.unsaid && matters) {
            (true, _) => format!("in vain: {done}"),
            (false, true) => format!("{done}; how it ended is not said"),
            (false, false) => done,
        }
    }
}
