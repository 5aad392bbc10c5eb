//! Connections: how events of a source are fetched or received, without the secrets that takes.
//!
//! An act is permanent and read by many, so a secret is never in one: `secrets` says where the
//! machine that runs the connection finds it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::ActError;
use super::members::Members;
use super::names::is_name;
use crate::canonical_json::{INTEGER_MAX, Value, to_bytes};

/// Most bytes of a connection's settings as canonical JSON: a filter of a few hundred lines.
pub const SETTINGS_BYTES_MAX: usize = 16 << 10;
/// Most characters of the name in a reference to a secret.
pub const SECRET_NAME_CHARS_MAX: usize = 64;

/// `connection`: replaces an earlier one of the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionAct {
    /// See [`is_name`].
    pub name: String,
    /// How events come, such as `poll.okta`, `hook.github`, `syslog`, `files`, in the form of a name.
    pub kind: String,
    /// Number of the source whose events come through it.
    pub source: u32,
    /// What the kind asks for; at most [`SETTINGS_BYTES_MAX`] bytes as canonical JSON.
    pub settings: BTreeMap<String, Setting>,
    /// Where each secret is found.
    pub secrets: BTreeMap<String, SecretReference>,
    /// Whether it is in use.
    pub enabled: bool,
}

/// The value of one setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting {
    /// A text.
    Text(String),
    /// An integer up to 2^53 either way.
    Integer(i64),
    /// Yes or no.
    Switch(bool),
    /// Texts, in order.
    List(Vec<String>),
}

/// Where a secret is found: `env:NAME`, a variable of the process, or `file:NAME`, a file in the
/// data directory's `secrets/`. NAME is 1 to 64 of `A-Z a-z 0-9 _ . -` and begins with no dot, so
/// it never leaves that directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SecretReference {
    /// The variable of this name.
    Env(String),
    /// The file of this name.
    File(String),
}

/// A text is not a reference to a secret. It is not repeated: it may be the secret itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "not a reference to a secret: write `env:NAME` or `file:NAME`, where NAME is 1 to {SECRET_NAME_CHARS_MAX} of the characters \
     A-Z a-z 0-9 _ . - and begins with no dot; the secret itself never goes into the log"
)]
pub struct InvalidSecretReference;

impl FromStr for SecretReference {
    type Err = InvalidSecretReference;

    fn from_str(text: &str) -> Result<Self, InvalidSecretReference> {
        let (place, name) = text.split_once(':').ok_or(InvalidSecretReference)?;
        let fits = (1..=SECRET_NAME_CHARS_MAX).contains(&name.len()) && !name.starts_with('.');
        if !fits || !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-')) {
            return Err(InvalidSecretReference);
        }
        match place {
            "env" => Ok(Self::Env(name.to_owned())),
            "file" => Ok(Self::File(name.to_owned())),
            _ => Err(InvalidSecretReference),
        }
    }
}

impl fmt::Display for SecretReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(name) => write!(f, "file:{name}"),
        }
    }
}

impl From<&Setting> for Value {
    fn from(setting: &Setting) -> Self {
        match setting {
            Setting::Text(text) => text.as_str().into(),
            Setting::Integer(number) => Value::Integer(*number),
            Setting::Switch(on) => (*on).into(),
            Setting::List(items) => items.iter().map(String::as_str).collect(),
        }
    }
}

impl Setting {
    /// What canonical JSON can hold.
    fn fits(&self) -> bool {
        !matches!(self, Self::Integer(number) if number.unsigned_abs() > INTEGER_MAX)
    }

    /// A setting from our own JSON; `None` for what no setting may be.
    #[must_use]
    pub fn of(value: Value) -> Option<Self> {
        Some(match value {
            Value::String(text) => Self::Text(text),
            Value::Integer(number) => Self::Integer(number),
            Value::Bool(on) => Self::Switch(on),
            Value::Array(items) => Self::List(items.into_iter().map(text_of).collect::<Option<_>>()?),
            Value::Null | Value::Object(_) => return None,
        })
    }
}

fn text_of(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

/// Settings as canonical JSON.
#[must_use]
pub fn settings_value(settings: &BTreeMap<String, Setting>) -> Value {
    Value::Object(settings.iter().map(|(name, setting)| (name.clone(), setting.into())).collect())
}

/// References by name as canonical JSON.
pub(super) fn secrets_value(secrets: &BTreeMap<String, SecretReference>) -> Value {
    Value::Object(secrets.iter().map(|(name, reference)| (name.clone(), reference.to_string().into())).collect())
}

impl ConnectionAct {
    /// Whether every part is in the form its documentation states.
    ///
    /// # Errors
    /// The name of the first member that is not.
    pub fn check(&self) -> Result<(), &'static str> {
        let forms = [
            ("name", is_name(&self.name)),
            ("kind", is_name(&self.kind)),
            ("source", self.source > 0),
            (
                "settings",
                self.settings.iter().all(|(name, setting)| is_name(name) && setting.fits()) && self.settings_bytes() <= SETTINGS_BYTES_MAX,
            ),
            ("secrets", self.secrets.keys().all(|name| is_name(name)) && self.secrets.len() <= SECRETS_MAX),
        ];
        forms.into_iter().find(|(_, fits)| !fits).map_or(Ok(()), |(member, _)| Err(member))
    }

    fn settings_bytes(&self) -> usize {
        to_bytes(&settings_value(&self.settings)).len()
    }
}

/// Most secrets of one connection: a client needs an id, a key and a passphrase, not dozens.
pub const SECRETS_MAX: usize = 32;

pub(super) fn read(m: &mut Members) -> Result<ConnectionAct, ActError> {
    let connection = ConnectionAct {
        name: m.text("name")?,
        kind: m.text("kind")?,
        source: m.number("source")?,
        settings: m.map("settings", Setting::of)?,
        secrets: m.map("secrets", |value| text_of(value)?.parse().ok())?,
        enabled: m.bool("enabled")?,
    };
    connection.check().map_err(ActError::Member)?;
    Ok(connection)
}
