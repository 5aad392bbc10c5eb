//! Which entries of a payload file may match? Asked of what is derived from it, without reading the file.
//!
//! INVARIANT: an entry that is left out does not match. An answer that says that it is exact holds no entry
//! that does not match either.

use std::cell::Cell;
use std::io;
use std::ops::Range;

use evidence::act::PayloadFile;
use evidence::fold::TrailState;
use evidence::leaf::Kind;

use crate::search::compare::{Literal, Ready, fold};
use crate::search::field::{Field, Name};
use crate::search::matcher::{Matcher, Node};
use crate::search::rows::Rows;
use crate::search::sidecar::Sidecar;
use crate::search::term_index::{TERMS, TermIndex};
use crate::source::directory::Directory;

/// Entries that may match.
#[derive(Clone, Debug)]
pub struct Narrowed {
    /// Which.
    pub rows: Rows,
    /// Whether all of them do.
    pub exact: bool,
}

/// Asks for the entries whose time passes.
type Times = fn(&TermIndex, &dyn Fn(i64) -> bool) -> io::Result<Rows>;

/// What is derived of one payload file.
pub struct Derived<'a> {
    range: Range<u64>,
    sidecar: &'a Sidecar,
    terms: &'a TermIndex,
    directory: &'a Directory,
    state: &'a TrailState,
    /// What is said of acts and records does not matter.
    events_only: bool,
}

impl<'a> Derived<'a> {
    /// A file with what is there of it.
    #[must_use]
    pub fn new(file: &PayloadFile, sidecar: &'a Sidecar, terms: &'a TermIndex, directory: &'a Directory, state: &'a TrailState) -> Self {
        Self { range: file.first..file.end(), sidecar, terms, directory, state, events_only: false }
    }

    /// The entries that may match.
    ///
    /// # Errors
    /// What is derived is damaged: then every entry may match.
    pub fn narrow(&self, matcher: &Matcher) -> io::Result<Narrowed> {
        let within = Self { events_only: matcher.events_only, range: self.range.clone(), ..*self };
        let mut found = within.node(&matcher.root)?;
        if matcher.events_only && !found.rows.is_empty() {
            found.rows.intersect(&self.entries(|kind| kind == Kind::Event)?.rows);
        }
        Ok(found)
    }

    /// Every entry of the file may match.
    fn any(&self) -> io::Result<Narrowed> {
        Ok(Narrowed { rows: self.terms.present()?, exact: false })
    }

    /// Every entry of the file does.
    fn every(&self) -> io::Result<Narrowed> {
        Ok(Narrowed { rows: self.terms.present()?, exact: true })
    }

    fn none(&self) -> Narrowed {
        Narrowed { rows: Rows::none(self.range.clone()), exact: true }
    }

    fn node(&self, node: &Node) -> io::Result<Narrowed> {
        match node {
            Node::All => self.every(),
            Node::Not(inner) => {
                let mut found = self.node(inner)?;
                if !found.exact {
                    // What may match may also not match.
                    return self.any();
                }
                found.rows.invert();
                // Of other classes there are no entries in this file.
                found.rows.intersect(&self.terms.present()?);
                Ok(found)
            }
            Node::And(nodes) => {
                let mut all = self.every()?;
                // What the first and last of a file tell comes first: it often settles all the rest.
                let (quick, slow): (Vec<_>, Vec<_>) = nodes.iter().partition(|node| is_quick(node));
                for node in quick.into_iter().chain(slow) {
                    if all.rows.is_empty() {
                        return Ok(self.none());
                    }
                    let found = self.node(node)?;
                    all.rows.intersect(&found.rows);
                    all.exact &= found.exact;
                }
                Ok(all)
            }
            Node::Or(nodes) => {
                let mut any = self.none();
                for node in nodes {
                    let found = self.node(node)?;
                    any.rows.unite(&found.rows);
                    any.exact &= found.exact;
                }
                Ok(any)
            }
            Node::Term(None, Ready::Is(literal)) => self.words(literal),
            Node::Term(None, _) => self.any(),
            Node::Term(Some(Field::Named(name)), ready) => self.named(*name, ready),
            Node::Term(Some(_), ready) => self.value(ready),
        }
    }

    fn named(&self, name: Name, ready: &Ready) -> io::Result<Narrowed> {
        let (from, _) = ready.times();
        match name {
            Name::Time => self.times(self.happened()?, ready, TermIndex::where_time),
            Name::Received => self.times(self.sidecar.header.received, ready, TermIndex::where_received),
            Name::Since => self.between(self.happened()?, (from, i64::MAX), &|ms| ms >= from, TermIndex::where_time),
            Name::Until => self.between(self.sidecar.header.times, (i64::MIN, from), &|ms| ms < from, TermIndex::where_time),
            Name::Source => self.sources(ready),
            Name::Entry => self.entries(|kind| ready.value(kind.word())),
            Name::Index => self.index(ready),
            name if name.is_prose() => match ready {
                Ready::Is(literal) => self.words(literal),
                _ => self.any(),
            },
            name if TERMS.contains(&name) => self.terms_of(name, ready),
            Name::Id => match ready {
                Ready::Is(literal) if literal.network.is_none() && literal.address.is_none() => {
                    let near = self.value(ready)?;
                    Ok(Narrowed { rows: self.terms.with_id(&literal.folded, &near.rows)?, ..near })
                }
                _ => self.value(ready),
            },
            _ => self.value(ready),
        }
    }

    /// When the first and the last happened of those that matter. A record of yesterday may lie among the events of
    /// years that were imported then.
    fn happened(&self) -> io::Result<Option<(i64, i64)>> {
        let all = self.sidecar.header.times;
        if !self.events_only || self.sidecar.header.entries.len() < 2 {
            return Ok(all);
        }
        Ok(self.terms.events_between()?.or(all))
    }

    /// Entries whose time passes.
    fn times(&self, span: Option<(i64, i64)>, ready: &Ready, column: Times) -> io::Result<Narrowed> {
        let passes = |ms| ready.time(ms);
        if ready.is_span() {
            return self.between(span, ready.times(), &passes, column);
        }
        // That the first and the last look so says nothing of those between them.
        Ok(Narrowed { rows: column(self.terms, &passes)?, exact: true })
    }

    /// Entries from one time on, before another: by the first and last of the file, and only where those do not settle it,
    /// one by one.
    fn between(
        &self,
        span: Option<(i64, i64)>,
        (from, to): (i64, i64),
        passes: &dyn Fn(i64) -> bool,
        column: Times,
    ) -> io::Result<Narrowed> {
        let Some((first, last)) = span else { return Ok(self.none()) };
        if last < from || first >= to {
            return Ok(self.none());
        }
        if from <= first && last < to && passes(first) && passes(last) {
            return self.every();
        }
        Ok(Narrowed { rows: column(self.terms, passes)?, exact: true })
    }

    fn sources(&self, ready: &Ready) -> io::Result<Narrowed> {
        let passes = |number: u64| {
            let source = u32::try_from(number).ok().and_then(|number| self.state.sources.get(&number));
            source.is_some_and(|source| ready.value(&source.name))
        };
        let passing = self.sidecar.header.sources.keys().filter(|number| passes(u64::from(**number))).count();
        match passing {
            0 => Ok(self.none()),
            all if all == self.sidecar.header.sources.len() => self.every(),
            _ => Ok(Narrowed { rows: self.terms.where_source(&passes)?, exact: true }),
        }
    }

    fn entries(&self, passes: impl Fn(Kind) -> bool) -> io::Result<Narrowed> {
        let here = |kind: &Kind| self.sidecar.header.entries.contains(&kind.byte());
        let passing: Vec<_> = [Kind::Event, Kind::Act, Kind::Record].into_iter().filter(here).filter(|kind| passes(*kind)).collect();
        if passing.len() == self.sidecar.header.entries.len() {
            return self.every();
        }
        let mut found = self.none();
        for kind in passing {
            found.rows.unite(self.terms.of_kind(kind)?);
        }
        Ok(found)
    }

    fn index(&self, ready: &Ready) -> io::Result<Narrowed> {
        let index = match ready {
            Ready::Is(literal) => literal.folded.parse::<u64>(),
            // Every index has digits for itself: the matcher compares them.
            _ => return self.any(),
        };
        // An index written in another way is compared as text, by the matcher.
        let Ok(index) = index else { return self.any() };
        let mut rows = Rows::none(self.range.clone());
        rows.insert(index);
        Ok(Narrowed { rows, exact: false })
    }

    fn words(&self, literal: &Literal) -> io::Result<Narrowed> {
        Ok(Narrowed { rows: self.sidecar.with_words(&literal.words)?, exact: false })
    }

    fn value(&self, ready: &Ready) -> io::Result<Narrowed> {
        match ready {
            // A range of addresses is told by each of them.
            Ready::Is(literal) if literal.network.is_none() => {
                let mut rows = Rows::none(self.range.clone());
                self.sidecar.add_value(&literal.folded, &mut rows)?;
                Ok(Narrowed { rows, exact: false })
            }
            _ => self.any(),
        }
    }

    fn terms_of(&self, name: Name, ready: &Ready) -> io::Result<Narrowed> {
        let mut rows = Rows::none(self.range.clone());
        let is_person = matches!(name, Name::Actor | Name::Target);
        let mut exact = match ready {
            Ready::Is(literal) if literal.network.is_none() => {
                self.terms.add_is(name, &literal.folded, &mut rows)?;
                if let Some(address) = literal.address.map(|address| address.to_string()) {
                    self.terms.add_is(name, &address, &mut rows)?;
                }
                TermIndex::is_whole(&literal.folded)
            }
            _ if is_person => return self.people(name, ready),
            _ => self.terms.add_passing(name, &|value| ready.value(value), &mut rows)?,
        };
        if is_person {
            // Only the name that the map took for the person is resolved; the index does not say which it was.
            for other in other_names(self.directory, ready) {
                self.terms.add_is(name, &fold(other), &mut rows)?;
                exact = false;
            }
        }
        Ok(Narrowed { rows, exact })
    }

    /// Entries of people who look like this: each name of the file is resolved, for those of the directory may be a
    /// hundred times as many.
    fn people(&self, name: Name, ready: &Ready) -> io::Result<Narrowed> {
        let (mut rows, is_known) = (Rows::none(self.range.clone()), Cell::new(false));
        let passes = |value: &str| {
            let by_itself = ready.value(value);
            let by_another_name = !by_itself && self.directory.identity(value).is_some_and(|identity| ready.value(identity));
            is_known.set(is_known.get() | by_another_name);
            by_itself || by_another_name
        };
        let exact = self.terms.add_passing(name, &passes, &mut rows)?;
        Ok(Narrowed { rows, exact: exact && !is_known.get() })
    }
}

/// Whether the header of a file mostly tells.
const fn is_quick(node: &Node) -> bool {
    match node {
        Node::Term(Some(Field::Named(name)), _) => name.is_time() || matches!(name, Name::Source | Name::Entry | Name::Index),
        _ => false,
    }
}

/// The names by which the directory knows the people who pass: the log may have any of them. Of a pattern or a range that may
/// be everybody, so whoever has a few names of the log at hand resolves them instead.
pub(super) fn other_names<'d>(directory: &'d Directory, ready: &Ready) -> Vec<&'d str> {
    let people = directory.people();
    let names = |identity: &str| people.get(identity).into_iter().flat_map(|person| person.names.iter().map(String::as_str));
    match ready {
        Ready::Is(literal) if literal.address.is_none() && literal.network.is_none() => names(&literal.folded).collect(),
        _ => people.keys().filter(|identity| ready.value(identity)).flat_map(|identity| names(identity)).collect(),
    }
}
