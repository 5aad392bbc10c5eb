//! On whose behalf something comes in or changes, in envelopes and in the reasons of acts.

use evidence::canonical_json::{Value, to_bytes};

use crate::access::KeyId;

/// On whose behalf events come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// The holder of an API key.
    Key(KeyId),
    /// The holder of a client certificate, by its first name.
    Certificate(String),
    /// A connection: a poller, a webhook, a socket.
    Connection(String),
    /// Somebody on the machine itself.
    Local,
}

impl By {
    /// Part 3 of an act that this one caused.
    #[must_use]
    pub fn why(&self) -> Vec<u8> {
        match self {
            Self::Key(id) => why(&id.to_string(), None, None),
            Self::Certificate(name) => why(&format!("certificate {name}"), None, None),
            Self::Connection(name) => why(&format!("connection {name}"), None, None),
            Self::Local => why("local", None, None),
        }
    }
}

/// Part 3 of an act: who asked for it, what he called the thing, and his reason.
#[must_use]
pub fn why(by: &str, name: Option<String>, why: Option<String>) -> Vec<u8> {
    let members = [("by", Some(by.to_owned())), ("name", name), ("why", why)];
    let given = members.into_iter().filter_map(|(member, text)| Some((member.to_owned(), Value::String(text?))));
    to_bytes(&Value::Object(given.collect()))
}
