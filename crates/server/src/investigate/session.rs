//! What a session is known by: the one that somebody opened is the one that something was done in.

use serde::Serialize;

use crate::investigate::condition::{any, at};
use crate::search::Query;
use crate::search::document::Document;
use crate::search::field::Field;

/// Ids of a session that are looked at.
const UIDS_MAX: usize = 4;

/// What a session is known by.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Session {
    /// The id of what it proves itself with, such as a temporary access key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// What it is called. The sessions of one role may share such a name.
    pub uids: Vec<String>,
}

/// Where an event names the session it was done in, and the one it opened.
const ACTED_IN: &[&str] = &["actor", "session"];
const OPENED: &[&str] = &["session"];

impl Session {
    /// The one that an event was done in.
    #[must_use]
    pub fn acted_in(document: &Document<'_>) -> Option<Self> {
        Self::at(document, ACTED_IN)
    }

    /// The one that an event opened.
    #[must_use]
    pub fn opened(document: &Document<'_>) -> Option<Self> {
        Self::at(document, OPENED)
    }

    fn at(document: &Document<'_>, object: &[&str]) -> Option<Self> {
        let values = |member: &str| {
            let path = object.iter().copied().chain([member]).map(str::to_owned).collect();
            let mut values = Vec::new();
            document.values(&Field::Ocsf(path), &mut |value| {
                values.push(value.to_owned());
                values.len() == UIDS_MAX
            });
            values
        };
        let uids = [values("uid"), values("uid_alt")].concat();
        let session = Self { credential: values("credential_uid").into_iter().next(), uids };
        (session.credential.is_some() || !session.uids.is_empty()).then_some(session)
    }

    /// Whether both are the same one: their credentials say so where both have one, else what they are called.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        match (&self.credential, &other.credential) {
            (Some(own), Some(other)) => own == other,
            _ => self.uids.iter().any(|uid| other.uids.contains(uid)),
        }
    }

    /// The condition that an event may have opened it.
    #[must_use]
    pub fn may_be_opened(&self) -> Query {
        let credential = self.credential.iter().map(|credential| at(&["session", "credential_uid"], credential));
        any(credential.chain(self.uids.iter().map(|uid| at(&["session", "uid"], uid))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_tell_sessions_of_one_name_apart() {
        let session = |credential: Option<&str>, uids: &[&str]| Session {
            credential: credential.map(str::to_owned),
            uids: uids.iter().map(|uid| (*uid).to_owned()).collect(),
        };
        let known = session(Some("ASIA1"), &["role/build"]);
        assert!(known.is(&session(Some("ASIA1"), &[])));
        assert!(known.is(&session(None, &["other", "role/build"])));
        assert!(!known.is(&session(Some("ASIA2"), &["role/build"])));
        assert!(!known.is(&session(None, &["role/test"])));
        assert!(!session(None, &[]).is(&session(None, &[])));
    }
}
