//! Can a payload file hold a match at all? Asked of its sidecar, without reading the file.
//!
//! INVARIANT: `false` only if no entry of the file matches. Whatever cannot be told is `true`.

use std::io;

use evidence::act::PayloadFile;
use evidence::fold::TrailState;
use evidence::leaf::Kind;

use crate::search::compare::{Literal, Ready};
use crate::search::field::{Field, Name};
use crate::search::matcher::{Matcher, Node};
use crate::search::sidecar::{Header, Pages, Sidecar, value_key, word_key};
use crate::source::directory::Directory;

/// One payload file and what is known of it.
pub struct Candidate<'a> {
    file: &'a PayloadFile,
    header: &'a Header,
    pages: Pages<'a>,
    directory: &'a Directory,
    state: &'a TrailState,
}

impl<'a> Candidate<'a> {
    /// A file with its sidecar.
    ///
    /// # Errors
    /// The sidecar cannot be opened any more.
    pub fn new(file: &'a PayloadFile, sidecar: &'a Sidecar, directory: &'a Directory, state: &'a TrailState) -> io::Result<Self> {
        Ok(Self { file, header: &sidecar.header, pages: sidecar.pages()?, directory, state })
    }

    /// Whether an entry in it may match.
    ///
    /// # Errors
    /// The sidecar is damaged: then nothing is ruled out.
    pub fn may_match(&self, matcher: &Matcher) -> io::Result<bool> {
        if matcher.events_only && !self.header.entries.contains(&Kind::Event.byte()) {
            return Ok(false);
        }
        self.may(&matcher.root)
    }

    fn may(&self, node: &Node) -> io::Result<bool> {
        match node {
            // What is not ruled in cannot be ruled out by a filter.
            Node::All | Node::Not(_) => Ok(true),
            Node::And(nodes) => {
                for node in nodes {
                    if !self.may(node)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Node::Or(nodes) => {
                for node in nodes {
                    if self.may(node)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Node::Term(None, Ready::Is(literal)) => self.words(literal),
            Node::Term(None, _) => Ok(true),
            Node::Term(Some(Field::Named(name)), ready) => self.named(*name, ready),
            Node::Term(Some(_), ready) => self.value(ready),
        }
    }

    fn named(&self, name: Name, ready: &Ready) -> io::Result<bool> {
        let (from, to) = ready.times();
        let overlaps = |span: Option<(i64, i64)>, from: i64, to: i64| span.is_some_and(|(first, last)| last >= from && first < to);
        match (name, ready) {
            (Name::Time, _) => Ok(overlaps(self.header.times, from, to)),
            (Name::Received, _) => Ok(overlaps(self.header.received, from, to)),
            (Name::Since, _) => Ok(overlaps(self.header.times, from, i64::MAX)),
            (Name::Until, _) => Ok(overlaps(self.header.times, i64::MIN, from)),
            (Name::Source, ready) => {
                let name = |number: &u32| self.state.sources.get(number).map(|source| source.name.as_str());
                Ok(self.header.sources.keys().filter_map(name).any(|name| ready.value(name)))
            }
            (Name::Entry, ready) => {
                let kinds = [Kind::Event, Kind::Act, Kind::Record];
                Ok(kinds.iter().any(|kind| self.header.entries.contains(&kind.byte()) && ready.value(kind.word())))
            }
            (Name::Index, Ready::Is(literal)) => {
                let index = literal.folded.parse::<u64>();
                // An index written in another way is compared as text, by the matcher.
                Ok(index.map_or(true, |index| (self.file.first..self.file.end()).contains(&index)))
            }
            (Name::Index, _) => Ok(true),
            // An address has many spellings, and the directory knows one.
            (Name::Actor | Name::Target, Ready::Is(literal)) if literal.address.is_some() => Ok(true),
            (Name::Actor | Name::Target, Ready::Is(literal)) => {
                let person = self.directory.people().get(&literal.folded);
                for name in person.into_iter().flat_map(|person| &person.names) {
                    if self.pages.may_hold(value_key(name))? {
                        return Ok(true);
                    }
                }
                self.value(ready)
            }
            (name, Ready::Is(literal)) if name.is_prose() => self.words(literal),
            (_, ready) => self.value(ready),
        }
    }

    fn words(&self, literal: &Literal) -> io::Result<bool> {
        for word in &literal.words {
            if !self.pages.may_hold(word_key(word))? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn value(&self, ready: &Ready) -> io::Result<bool> {
        match ready {
            // A range of addresses is told by each of them.
            Ready::Is(literal) if literal.network.is_none() => self.pages.may_hold(value_key(&literal.folded)),
            _ => Ok(true),
        }
    }
}
