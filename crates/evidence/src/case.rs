//! The case: what an evidence file is about. What was asked, which entries answer it, how much of the
//! log that covers, and what is known of their keeping and of who asked before.
//!
//! It is one canonical JSON text (RFC 8785). Whoever makes an evidence file has the log record the
//! text's SHA-256, so that no title, no count and no entry of the list changes afterwards.
//!
//! INVARIANT: [`Case::parse`] reads exactly what [`Case::to_text`] writes.

use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::canonical_json::{self, JsonError, Value, to_bytes};

/// Version of the text. Version 1 did not say which parts its maker hid.
const VERSION: u64 = 2;

/// What an evidence file is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// What its maker calls it.
    pub title: String,
    /// The search line.
    pub query: String,
    /// Size of the tree that was searched.
    pub size: u64,
    /// How much of it the answer covers.
    pub covered: Covered,
    /// The entries, oldest first.
    pub entries: Vec<CaseEntry>,
    /// What its maker asked to hide, in his words.
    pub redacted: Vec<String>,
    /// How the classes of the entries are kept.
    pub retention: Vec<Retention>,
    /// Who asked for these entries before.
    pub access: Access,
}

/// How much of the log an answer covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Covered {
    /// First index,
    pub from: u64,
    /// and the one behind the last.
    pub to: u64,
    /// What could not be read; none means that the answer is complete.
    pub unreadable: Vec<Gap>,
}

/// Entries that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// First of them.
    pub first: u64,
    /// Last of them.
    pub last: u64,
    /// Why.
    pub why: String,
}

/// An entry of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseEntry {
    /// Its index in the log.
    pub index: u64,
    /// What the log's map made of what is shown of it: `actor`, `action`, … in any order. Derived, so
    /// nobody proves it.
    pub summary: Vec<(String, String)>,
    /// Numbers of the parts that its maker hid, ascending: whoever hides more is found out.
    pub hidden: Vec<u64>,
}

/// How a class of entries is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Number of the class.
    pub class: u64,
    /// Its name.
    pub name: String,
    /// The policy in force; none means that nothing ends the keeping.
    pub policy: Option<String>,
}

/// What the log's records say of who asked for the entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// The log was looked through from this index on,
    pub from: u64,
    /// and held so many records of searches and of evidence.
    pub searches: u64,
    /// So many of their lines match one of the entries.
    pub concerning: u64,
    /// The newest of those, oldest first.
    pub listed: Vec<Asked>,
    /// Whether all such records could be read.
    pub complete: bool,
}

/// A record of somebody who asked for the entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Its index in the log.
    pub index: u64,
    /// Number of entries that its line matches.
    pub matches: u64,
    /// As in [`CaseEntry`].
    pub hidden: Vec<u64>,
}

/// Why a text is not a case.
#[derive(Debug, Error)]
pub enum CaseError {
    /// Not canonical JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A member is missing, unknown, or of another kind.
    #[error("the case has another shape than version 2 has: look at {0:?}")]
    Shape(&'static str),
    /// The entries are not in order of index, or lie beyond the tree that was searched.
    #[error("the entries of the case do not ascend within the tree that was searched")]
    Order,
}

impl Case {
    /// The text.
    #[must_use]
    pub fn to_text(&self) -> String {
        let parts = |hidden: &[u64]| hidden.iter().copied().collect();
        let gap = |gap: &Gap| object([("first", gap.first.into()), ("last", gap.last.into()), ("why", gap.why.as_str().into())]);
        let entry = |entry: &CaseEntry| {
            let summary = entry.summary.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
            object([("hidden", parts(&entry.hidden)), ("index", entry.index.into()), ("summary", Value::Object(summary))])
        };
        let retention = |kept: &Retention| {
            object([("class", kept.class.into()), ("name", kept.name.as_str().into()), ("policy", kept.policy.clone().into())])
        };
        let listed =
            |asked: &Asked| object([("hidden", parts(&asked.hidden)), ("index", asked.index.into()), ("matches", asked.matches.into())]);
        let Covered { from, to, unreadable } = &self.covered;
        let access = &self.access;
        let text = to_bytes(&object([
            ("v", VERSION.into()),
            ("title", self.title.as_str().into()),
            ("query", self.query.as_str().into()),
            ("size", self.size.into()),
            ("covered", object([("from", (*from).into()), ("to", (*to).into()), ("unreadable", unreadable.iter().map(gap).collect())])),
            ("entries", self.entries.iter().map(entry).collect()),
            ("redacted", self.redacted.iter().map(String::as_str).collect()),
            ("retention", self.retention.iter().map(retention).collect()),
            (
                "access",
                object([
                    ("from", access.from.into()),
                    ("searches", access.searches.into()),
                    ("concerning", access.concerning.into()),
                    ("listed", access.listed.iter().map(listed).collect()),
                    ("complete", access.complete.into()),
                ]),
            ),
        ]));
        // Canonical JSON is UTF-8.
        String::from_utf8(text).unwrap_or_default()
    }

    /// Reads the text.
    ///
    /// # Errors
    /// [`CaseError`].
    pub fn parse(text: &str) -> Result<Self, CaseError> {
        let mut members = Members::of(canonical_json::parse_canonical(text.as_bytes())?, "case")?;
        if members.number("v")? != VERSION {
            return Err(CaseError::Shape("v"));
        }
        let case = Self {
            title: members.text("title")?,
            query: members.text("query")?,
            size: members.number("size")?,
            covered: read_covered(members.take("covered")?)?,
            entries: members.list("entries", read_entry)?,
            redacted: members.list("redacted", |value| as_text(value, "redacted"))?,
            retention: members.list("retention", read_retention)?,
            access: read_access(members.take("access")?)?,
        };
        members.end("case")?;
        let ascend = |pair: &[CaseEntry]| matches!(pair, [a, b] if a.index < b.index);
        if !case.entries.windows(2).all(ascend) || case.entries.last().is_some_and(|last| last.index >= case.size) {
            return Err(CaseError::Order);
        }
        Ok(case)
    }
}

/// SHA-256 of a case's text in lower-case hexadecimal, as the log records it.
#[must_use]
pub fn case_hash(text: &str) -> String {
    tlog::canonical::hex(&Sha256::digest(text.as_bytes()))
}

fn read_covered(value: Value) -> Result<Covered, CaseError> {
    let mut members = Members::of(value, "covered")?;
    let read_gap = |value| {
        let mut members = Members::of(value, "unreadable")?;
        let gap = Gap { first: members.number("first")?, last: members.number("last")?, why: members.text("why")? };
        members.end("unreadable").map(|()| gap)
    };
    let covered = Covered { from: members.number("from")?, to: members.number("to")?, unreadable: members.list("unreadable", read_gap)? };
    members.end("covered").map(|()| covered)
}

fn read_entry(value: Value) -> Result<CaseEntry, CaseError> {
    let mut members = Members::of(value, "entries")?;
    let index = members.number("index")?;
    let Value::Object(summary) = members.take("summary")? else { return Err(CaseError::Shape("summary")) };
    let summary = summary.into_iter().map(|(name, value)| Ok((name, as_text(value, "summary")?)));
    let summary = summary.collect::<Result<_, CaseError>>()?;
    let hidden = members.list("hidden", |value| as_number(value, "hidden"))?;
    members.end("entries").map(|()| CaseEntry { index, summary, hidden })
}

fn read_retention(value: Value) -> Result<Retention, CaseError> {
    let mut members = Members::of(value, "retention")?;
    let (class, name) = (members.number("class")?, members.text("name")?);
    let policy = match members.take("policy")? {
        Value::Null => None,
        other => Some(as_text(other, "policy")?),
    };
    members.end("retention").map(|()| Retention { class, name, policy })
}

fn read_access(value: Value) -> Result<Access, CaseError> {
    let mut members = Members::of(value, "access")?;
    let read_listed = |value| {
        let mut members = Members::of(value, "listed")?;
        let (index, matches) = (members.number("index")?, members.number("matches")?);
        let asked = Asked { index, matches, hidden: members.list("hidden", |value| as_number(value, "hidden"))? };
        members.end("listed").map(|()| asked)
    };
    let access = Access {
        from: members.number("from")?,
        searches: members.number("searches")?,
        concerning: members.number("concerning")?,
        listed: members.list("listed", read_listed)?,
        complete: match members.take("complete")? {
            Value::Bool(complete) => complete,
            _ => return Err(CaseError::Shape("complete")),
        },
    };
    members.end("access").map(|()| access)
}

fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn as_text(value: Value, name: &'static str) -> Result<String, CaseError> {
    match value {
        Value::String(text) => Ok(text),
        _ => Err(CaseError::Shape(name)),
    }
}

fn as_number(value: Value, name: &'static str) -> Result<u64, CaseError> {
    match value {
        Value::Integer(number) => u64::try_from(number).map_err(|_| CaseError::Shape(name)),
        _ => Err(CaseError::Shape(name)),
    }
}

/// The members of an object, taken out one by one.
struct Members(Vec<(String, Value)>);

impl Members {
    fn of(value: Value, name: &'static str) -> Result<Self, CaseError> {
        match value {
            Value::Object(members) => Ok(Self(members)),
            _ => Err(CaseError::Shape(name)),
        }
    }

    fn take(&mut self, name: &'static str) -> Result<Value, CaseError> {
        let at = self.0.iter().position(|(member, _)| member == name).ok_or(CaseError::Shape(name))?;
        Ok(self.0.swap_remove(at).1)
    }

    fn text(&mut self, name: &'static str) -> Result<String, CaseError> {
        as_text(self.take(name)?, name)
    }

    fn number(&mut self, name: &'static str) -> Result<u64, CaseError> {
        as_number(self.take(name)?, name)
    }

    fn list<T>(&mut self, name: &'static str, read: impl Fn(Value) -> Result<T, CaseError>) -> Result<Vec<T>, CaseError> {
        match self.take(name)? {
            Value::Array(items) => items.into_iter().map(read).collect(),
            _ => Err(CaseError::Shape(name)),
        }
    }

    /// Nothing may be left that nobody read.
    fn end(&self, name: &'static str) -> Result<(), CaseError> {
        if self.0.is_empty() { Ok(()) } else { Err(CaseError::Shape(name)) }
    }
}
