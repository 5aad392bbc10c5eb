//! Forward: what a search line describes, sent on to where others look, as it is committed. docs/EXPORT.md
//! is the manual.
//!
//! ```text
//! Following ─ read ─► Batch ─ deliver ─► Receiver (HEC, files, S3) ─ then ─► Place, durable
//! ```
//! INVARIANT: the place is written only after everything below it was taken by the receiver. So a crash at
//! any point loses nothing; what was sent and not yet noted is sent again, with the same id. What cannot be
//! read is not passed over: the forward stands there and says so.

pub mod batch;
pub mod files;
pub mod place;
pub mod receiver;
pub mod run;
pub mod service;
pub mod setting;
pub mod status;

use evidence::canonical_json::Value;
use tokio::sync::Notify;

use crate::forward::setting::{Forward, SettingError};
use crate::forward::status::Statuses;
use crate::log::records::record;
use crate::search::named::{InForce, NAME_CHARS_MAX, Named, NamedError, Within, Words, is_name};

/// Forwards of a log: each reads all of it once.
pub const FORWARDS_MAX: usize = 32;

const WORDS: Words = Words { set: "forward.set", removed: "forward.removed" };

/// Why forwards were not read or changed.
#[derive(Debug, thiserror::Error)]
pub enum ForwardError {
    /// A name that is none.
    #[error("{0:?} is no name of a forward: use 1 to {NAME_CHARS_MAX} of a-z, 0-9, dot, underscore and hyphen, the first no dot")]
    Name(String),
    /// Nothing of that name.
    #[error("there is no forward {0:?}: list them with `indelible forward list`")]
    Unknown(String),
    /// Where it leads makes no sense.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// Enough of them.
    #[error("there are {FORWARDS_MAX} forwards, as many as may be: remove one")]
    TooMany,
    /// The log says no.
    #[error(transparent)]
    Named(#[from] NamedError),
}

/// The forwards of one log, and how they fare.
#[derive(Debug)]
pub struct Forwards {
    named: Named<Forward>,
    /// How each fares in this process.
    pub statuses: Statuses,
    /// They are not what they were.
    pub changed: Notify,
}

impl Default for Forwards {
    fn default() -> Self {
        Self { named: Named::of(WORDS), statuses: Statuses::default(), changed: Notify::new() }
    }
}

impl Forwards {
    /// Those in force. The first call looks through the log.
    ///
    /// # Errors
    /// [`ForwardError`].
    pub fn in_force(&self, within: Within<'_>) -> Result<InForce<Forward>, ForwardError> {
        Ok(self.named.in_force(within)?)
    }

    /// Sets one. Without `from` one of this name goes on where it is, and a new one begins at the log's end.
    ///
    /// # Errors
    /// [`ForwardError`].
    pub fn set(&self, within: Within<'_>, name: &str, mut forward: Forward, from: Option<u64>, by: &str) -> Result<(), ForwardError> {
        if !is_name(name) {
            return Err(ForwardError::Name(short(name)));
        }
        forward.check()?;
        let set = self.named.change(within, |forwards| {
            let end = within.trail.view().size;
            (forward.from, forward.began) = match (forwards.get(name), from) {
                (None, _) if forwards.len() >= FORWARDS_MAX => return Err(ForwardError::TooMany),
                (Some(there), None) => (there.value.from, there.value.began),
                (_, from) => (from.unwrap_or(end).min(end), end),
            };
            Ok(Some(record(WORDS.set, [forward.members()?, vec![("name", text(name)), ("by", text(by))]].concat())))
        });
        self.changed.notify_one();
        set.map(drop)
    }

    /// Removes one.
    ///
    /// # Errors
    /// [`ForwardError`].
    pub fn remove(&self, within: Within<'_>, name: &str, by: &str) -> Result<(), ForwardError> {
        let removed = self.named.change(within, |forwards| match forwards.contains_key(name) {
            true => Ok(Some(record(WORDS.removed, vec![("name", text(name)), ("by", text(by))]))),
            false => Err(ForwardError::Unknown(short(name))),
        });
        self.changed.notify_one();
        removed.map(drop)
    }
}

fn short(name: &str) -> String {
    name.chars().take(NAME_CHARS_MAX).collect()
}

fn text(value: &str) -> Value {
    Value::String(value.to_owned())
}
