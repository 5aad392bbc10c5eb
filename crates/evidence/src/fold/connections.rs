//! Connections in the fold: how events of a source are fetched or received.

use super::{FoldError, TrailState};
use crate::act::ConnectionAct;

/// A connection in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionEntry {
    /// What the newest act of its name says.
    pub act: ConnectionAct,
    /// Index of that act.
    pub index: u64,
}

impl TrailState {
    pub(super) fn connection(&mut self, index: u64, act: &ConnectionAct) -> Result<(), FoldError> {
        act.check().map_err(|member| FoldError::Connection { name: act.name.clone(), member })?;
        if !self.sources.contains_key(&act.source) {
            return Err(FoldError::Missing("source number", act.source.to_string()));
        }
        self.connections.insert(act.name.clone(), ConnectionEntry { act: act.clone(), index });
        Ok(())
    }

    pub(super) fn connection_removed(&mut self, name: &str) -> Result<(), FoldError> {
        self.connections.remove(name).map(drop).ok_or_else(|| FoldError::Missing("connection", name.to_owned()))
    }
}
