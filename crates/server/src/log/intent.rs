//! What somebody wants of the trail's configuration, and which acts that takes.
//!
//! `decide` is pure and runs at the one place where nothing can change between the decision and
//! the act: in the sequencer.

use evidence::act::{Act, ConnectionAct, DescribeAct, KeyAct, RotateAct, SourceAct, is_name};
use evidence::fold::{FoldError, TrailState};

use crate::log::sequencer::AppendError;

/// Most sources of a trail: numbers are never reused, and a key that may create sources could
/// otherwise fill the fold.
pub const SOURCES_MAX: usize = 10_000;
/// Most connections of a trail at once: each may be a thread that fetches.
pub const CONNECTIONS_MAX: usize = 1_000;
/// Most keys of a trail that were ever made.
pub const KEYS_MAX: usize = 100_000;

/// What is wanted.
#[derive(Clone, Debug)]
pub enum Intent {
    /// Nothing beyond what the request itself says (a rotation builds its own act).
    Nothing,
    /// A source with this name; makes no act when it exists already.
    CreateSource {
        /// Name by the rule for source names.
        name: String,
        /// Kind, `app` for one's own applications, `unknown` until recognised.
        kind: String,
    },
    /// A source of this name is of this kind, and expected to be heard of at this interval; it is made
    /// when there is none. Makes no act when all of it holds already.
    DescribeSource {
        /// Name by the rule for source names.
        name: String,
        /// Kind.
        kind: String,
        /// Seconds within which at least one event is expected, at least 1.
        heartbeat_s: Option<u32>,
    },
    /// A connection of this name is like this; makes no act when it is already.
    SetConnection(ConnectionAct),
    /// There is no connection of this name.
    RemoveConnection {
        /// Its name.
        name: String,
    },
    /// An API key.
    CreateKey(KeyAct),
    /// An API key is good no longer; makes no act when it was revoked before.
    RevokeKey {
        /// Key id.
        id: String,
    },
    /// Serve checkpoint and tiles to anyone, or only to `read` keys.
    SetPublic(bool),
    /// The signing key is replaced.
    Rotation(Box<RotateAct>),
    /// Files were written; these acts name them.
    Recording(Vec<Act>),
}

/// Why an act was not made.
#[derive(Debug, thiserror::Error)]
pub enum ActError {
    /// What holds does not allow it.
    #[error(transparent)]
    Fold(#[from] FoldError),
    /// There are too many of them.
    #[error("this trail has {most} {what} already, which is the most there may be")]
    TooMany {
        /// What there are too many of.
        what: &'static str,
        /// The bound.
        most: usize,
    },
    /// A name or a number is not one that may be.
    #[error("{text:?} is no proper {what}: {form}")]
    Invalid {
        /// What it was to be.
        what: &'static str,
        /// What was given.
        text: String,
        /// What is proper.
        form: &'static str,
    },
    /// There is no such thing.
    #[error("there is no {what} {name:?}")]
    Unknown {
        /// What was looked for.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// The log did not keep it.
    #[error(transparent)]
    Append(#[from] AppendError),
}

/// The acts that carry out `intent`, given what holds. None when it holds already.
///
/// # Errors
/// [`ActError`] when it cannot be.
pub fn decide(state: &TrailState, intent: Intent) -> Result<Vec<Act>, ActError> {
    Ok(match intent {
        Intent::Nothing => Vec::new(),
        Intent::CreateSource { name, kind } => create_source(state, name, kind)?,
        Intent::DescribeSource { name, kind, heartbeat_s } => describe_source(state, name, kind, heartbeat_s)?,
        Intent::SetConnection(connection) => set_connection(state, connection)?,
        Intent::RemoveConnection { name } if state.connections.contains_key(&name) => vec![Act::ConnectionRemoved { name }],
        Intent::RemoveConnection { name } => return Err(ActError::Unknown { what: "connection", name }),
        Intent::CreateKey(key) => {
            if state.keys.len() >= KEYS_MAX {
                return Err(ActError::TooMany { what: "keys", most: KEYS_MAX });
            }
            vec![Act::Key(key)]
        }
        Intent::RevokeKey { id } => match state.keys.get(&id) {
            None => return Err(ActError::Unknown { what: "key", name: id }),
            Some(key) if key.revoked.is_some() => Vec::new(),
            Some(_) => vec![Act::KeyRevoked { id }],
        },
        Intent::SetPublic(public) if state.public == public => Vec::new(),
        Intent::SetPublic(public) => vec![Act::Public { public }],
        Intent::Rotation(rotate) => vec![Act::Rotate(*rotate)],
        Intent::Recording(acts) => acts,
    })
}

/// What may be a name of a source, a kind or a connection.
const NAME_FORM: &str = "use 1 to 63 of the characters a-z 0-9 . _ - beginning with a letter or digit";

/// An act that does not read back would be the end of the trail: it is refused here.
fn named(what: &'static str, text: &str) -> Result<(), ActError> {
    if is_name(text) { Ok(()) } else { Err(ActError::Invalid { what, text: text.to_owned(), form: NAME_FORM }) }
}

fn create_source(state: &TrailState, name: String, kind: String) -> Result<Vec<Act>, ActError> {
    named("source name", &name)?;
    named("kind", &kind)?;
    if state.source_number(&name).is_some() {
        return Ok(Vec::new());
    }
    if state.sources.len() >= SOURCES_MAX {
        return Err(ActError::TooMany { what: "sources", most: SOURCES_MAX });
    }
    Ok(vec![Act::Source(SourceAct { number: state.next_source_number(), name, kind })])
}

fn describe_source(state: &TrailState, name: String, kind: String, heartbeat_s: Option<u32>) -> Result<Vec<Act>, ActError> {
    let mut acts = create_source(state, name.clone(), kind.clone())?;
    if heartbeat_s == Some(0) {
        return Err(ActError::Invalid { what: "heartbeat", text: "0".into(), form: "give seconds, at least 1" });
    }
    let number = state.source_number(&name).unwrap_or_else(|| state.next_source_number());
    let holds = match state.sources.get(&number) {
        Some(source) => source.kind == kind && source.heartbeat_s == heartbeat_s,
        None => heartbeat_s.is_none(),
    };
    if !holds {
        acts.push(Act::Describe(DescribeAct { number, kind, heartbeat_s }));
    }
    Ok(acts)
}

fn set_connection(state: &TrailState, connection: ConnectionAct) -> Result<Vec<Act>, ActError> {
    named("connection name", &connection.name)?;
    named("kind", &connection.kind)?;
    if let Err(member) = connection.check() {
        let form = "settings are strings, integers, booleans or lists of strings, 16 KiB in all; secrets at most 32 references";
        return Err(ActError::Invalid { what: "connection", text: member.to_owned(), form });
    }
    match state.connections.get(&connection.name) {
        Some(entry) if entry.act == connection => Ok(Vec::new()),
        None if state.connections.len() >= CONNECTIONS_MAX => Err(ActError::TooMany { what: "connections", most: CONNECTIONS_MAX }),
        _ => Ok(vec![Act::Connection(connection)]),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use evidence::ActHead;
    use evidence::act::TrailAct;
    use std::collections::BTreeMap;

    const KEY: &str = "example.com/log+9be5d3c6+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c";

    fn begun() -> TrailState {
        let trail = TrailAct { vkey: KEY.parse().unwrap(), segment_leaves: 256, classes: BTreeMap::from([(1, "default".into())]) };
        TrailState::begin(&ActHead { origin: "example.com/log".into(), prev: None }, &Act::Trail(trail)).unwrap()
    }

    /// Decides and applies; how many acts it took.
    fn carry_out(state: &mut TrailState, intent: Intent) -> usize {
        let acts = decide(state, intent).unwrap();
        for act in &acts {
            let head = state.next_head();
            state.apply(state.last_act + 1, &head, act).unwrap();
        }
        acts.len()
    }

    fn describe(kind: &str, heartbeat_s: Option<u32>) -> Intent {
        Intent::DescribeSource { name: "okta".into(), kind: kind.into(), heartbeat_s }
    }

    fn connection(name: &str) -> ConnectionAct {
        let (settings, secrets) = (BTreeMap::new(), BTreeMap::new());
        ConnectionAct { name: name.into(), kind: "poll.okta".into(), source: 1, settings, secrets, enabled: true }
    }

    #[test]
    fn describing_a_source_makes_it_when_needed_and_nothing_when_it_holds() {
        let mut state = begun();
        assert_eq!(carry_out(&mut state, describe("okta", Some(60))), 2);
        assert_eq!(carry_out(&mut state, describe("okta", Some(60))), 0);
        assert_eq!(carry_out(&mut state, describe("okta", None)), 1);
        assert_eq!((state.sources[&1].kind.as_str(), state.sources[&1].heartbeat_s), ("okta", None));
        let other = Intent::DescribeSource { name: "entra".into(), kind: "entra".into(), heartbeat_s: None };
        assert_eq!(carry_out(&mut state, other), 1, "a source that is as described by being made");
    }

    #[test]
    fn an_act_that_would_not_read_back_is_not_made() {
        let state = begun();
        let refused = |intent| matches!(decide(&state, intent), Err(ActError::Invalid { .. }));
        assert!(refused(describe("Okta Prod", None)) && refused(describe("okta", Some(0))));
        assert!(refused(Intent::CreateSource { name: "A".into(), kind: "okta".into() }));
        assert!(refused(Intent::SetConnection(connection("a b"))));
        assert!(refused(Intent::SetConnection(ConnectionAct { kind: String::new(), ..connection("a") })));
    }

    #[test]
    fn connections_are_set_once_removed_once_and_bounded() {
        let mut state = begun();
        carry_out(&mut state, describe("okta", None));
        assert_eq!(carry_out(&mut state, Intent::SetConnection(connection("poll"))), 1);
        assert_eq!(carry_out(&mut state, Intent::SetConnection(connection("poll"))), 0);
        assert_eq!(carry_out(&mut state, Intent::RemoveConnection { name: "poll".into() }), 1);
        let gone = decide(&state, Intent::RemoveConnection { name: "poll".into() });
        assert!(matches!(gone, Err(ActError::Unknown { what: "connection", .. })));
        for n in 0..CONNECTIONS_MAX {
            carry_out(&mut state, Intent::SetConnection(connection(&format!("c{n}"))));
        }
        assert!(matches!(decide(&state, Intent::SetConnection(connection("one-more"))), Err(ActError::TooMany { .. })));
        let changed = ConnectionAct { enabled: false, ..connection("c7") };
        assert_eq!(carry_out(&mut state, Intent::SetConnection(changed)), 1, "a known one may still change");
    }
}
