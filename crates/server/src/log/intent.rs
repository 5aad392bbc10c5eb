//! What somebody wants of the trail's configuration, and which acts that takes.
//!
//! `decide` is pure and runs at the one place where nothing can change between the decision and
//! the act: in the sequencer.

use evidence::act::{Act, KeyAct, RotateAct, SourceAct};
use evidence::fold::{FoldError, TrailState};

use crate::log::sequencer::AppendError;

/// Most sources of a trail: numbers are never reused, and a key that may create sources could
/// otherwise fill the fold.
pub const SOURCES_MAX: usize = 10_000;
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

fn create_source(state: &TrailState, name: String, kind: String) -> Result<Vec<Act>, ActError> {
    if state.source_number(&name).is_some() {
        return Ok(Vec::new());
    }
    if state.sources.len() >= SOURCES_MAX {
        return Err(ActError::TooMany { what: "sources", most: SOURCES_MAX });
    }
    Ok(vec![Act::Source(SourceAct { number: state.next_source_number(), name, kind })])
}
