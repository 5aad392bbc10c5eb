//! Sources: which number a name has, and the facts that every event of it carries.
//!
//! A name keeps its number for ever, so what was looked up once holds until the process ends, and a
//! request costs one map access instead of a walk through the fold.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use evidence::envelope::Facts;

use crate::door::Origin;
use crate::intake::SourceName;

/// One source behind one door, ready for its events.
#[derive(Debug)]
pub struct Source {
    /// Its name.
    pub name: SourceName,
    /// Its number.
    pub number: u32,
    /// The door's name.
    pub door: &'static str,
    /// Part 0 of an event with nothing special about it.
    pub(super) facts: Bytes,
}

impl Source {
    fn new(origin: &Origin, number: u32) -> Self {
        let facts = Facts::new(origin.source.as_str(), origin.door).to_bytes().into();
        Self { name: origin.source.clone(), number, door: origin.door, facts }
    }

    /// Part 0 to begin a special one from.
    pub(super) fn plain_facts(&self) -> Facts {
        Facts::new(self.name.as_str(), self.door)
    }
}

/// Sources looked up so far by door: at most as many as the trail may have, times the few doors.
#[derive(Debug, Default)]
pub(super) struct Sources(RwLock<HashMap<&'static str, HashMap<SourceName, Arc<Source>>>>);

impl Sources {
    pub fn known(&self, origin: &Origin) -> Option<Arc<Source>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(origin.door)?.get(&origin.source).cloned()
    }

    pub fn learn(&self, origin: &Origin, number: u32) -> Arc<Source> {
        let source = Arc::new(Source::new(origin, number));
        let mut sources = self.0.write().unwrap_or_else(PoisonError::into_inner);
        sources.entry(origin.door).or_default().insert(origin.source.clone(), Arc::clone(&source));
        source
    }
}
