//! What a search goes by: the log as it is now, what is derived of it, and what matches.

use std::sync::{Arc, OnceLock};

use evidence::act::PayloadFile;
use evidence::fold::TrailState;

use super::reading::Part;
use crate::search::Index;
use crate::search::document::Knowing;
use crate::search::glance::Glance;
use crate::search::matcher::Matcher;
use crate::search::narrow::Narrowed;
use crate::search::rows::Rows;
use crate::source::directory::Directory;
use crate::store::media::Stamp;
use crate::store::payload_file::Telling;
use crate::store::trail::Trail;

/// What is searched, for what.
#[derive(Debug)]
pub struct Within<'a> {
    /// The log.
    pub trail: &'a Trail,
    /// What is derived of it.
    pub index: &'a Index,
    /// Which names are the same person.
    pub directory: &'a Directory,
    /// What holds for the log.
    pub state: Arc<TrailState>,
    /// What matches.
    pub matcher: &'a Matcher,
    /// What the bytes of a record settle, once it is asked for.
    glance: OnceLock<Glance>,
}

impl<'a> Within<'a> {
    /// A search of a log as it is now.
    pub fn new(trail: &'a Trail, index: &'a Index, directory: &'a Directory, state: Arc<TrailState>, matcher: &'a Matcher) -> Self {
        Self { trail, index, directory, state, matcher, glance: OnceLock::new() }
    }

    pub(super) fn glance(&self) -> &Glance {
        let sources = || self.state.sources.iter().map(|(number, source)| (*number, source.kind.as_str()));
        self.glance.get_or_init(|| Glance::new(self.matcher, self.index, self.directory, sources()))
    }

    /// Which columns of a payload file tell whether an entry may match.
    pub(super) fn telling(&self) -> Telling {
        if self.glance().asks_people { Telling::RawAndPeople } else { Telling::Raw }
    }

    /// What the medium says of a payload file, if it is there, as long as recorded. What it holds is checked when it is read.
    pub fn stamp(&self, file: &PayloadFile) -> Option<Stamp> {
        self.trail.media().stamp(&file.name()).ok().filter(|stamp| stamp.bytes == file.bytes)
    }

    /// What is known of a file without reading it, some files before the walk comes to it. One that is not as recorded has to
    /// be read: then it is reported.
    pub(super) fn part(&self, file: PayloadFile) -> Part {
        let Some(Stamp { touched, .. }) = self.stamp(&file) else {
            return Part { file, rows: None, exact: false, gone: true, touched: None };
        };
        let Within { index, directory, state, matcher, .. } = self;
        let narrowed = index.narrow(&file, matcher, directory, state);
        let named = || {
            let mut rows = Rows::none(file.first..file.end());
            rows.insert(matcher.index()?);
            Some(Narrowed { rows, exact: false })
        };
        match narrowed.or_else(named) {
            Some(Narrowed { rows, exact }) => Part { file, rows: Some(Arc::new(rows)), exact, gone: false, touched },
            None => Part { file, rows: None, exact: false, gone: false, touched },
        }
    }

    /// What it takes to understand an entry.
    pub fn knowing(&self) -> Knowing<'_> {
        self.index.knowing(self.directory, &self.state)
    }
}
