//! Does an entry match? This is what the search line means: everything that makes search fast must
//! give the same answer.

use evidence::fold::TrailState;
use evidence::leaf::{Kind, Leaf};

use crate::search::compare::Ready;
use crate::search::document::Document;
use crate::search::field::{Field, Name};
use crate::search::glance::may_say;
use crate::search::query::{Piece, Query, Term, Test};

/// A query made ready for many entries.
#[derive(Clone, Debug)]
pub struct Matcher {
    pub(super) root: Node,
    pub(super) events_only: bool,
}

/// As [`Query`], ready.
#[derive(Clone, Debug)]
pub(super) enum Node {
    All,
    Not(Box<Node>),
    And(Vec<Node>),
    Or(Vec<Node>),
    Term(Option<Field>, Ready),
}

impl Matcher {
    /// Makes a query ready. Times back from now count from `now_ms`.
    #[must_use]
    pub fn new(query: &Query, now_ms: i64) -> Self {
        let mut events_only = true;
        query.each_term(&mut |term| events_only &= term.field != Some(Field::Named(Name::Entry)));
        Self { root: node(query, now_ms), events_only }
    }

    /// Whether the entry matches. Acts and records do only when the query has a word on `entry`.
    #[must_use]
    pub fn matches(&self, document: &Document<'_>) -> bool {
        (!self.events_only || document.kind() == Kind::Event) && holds(&self.root, document)
    }
}

impl Matcher {
    /// Whether an entry matches as far as its leaf tells: nothing when that takes the payload.
    #[must_use]
    pub fn matches_leaf(&self, index: u64, leaf: &Leaf, state: &TrailState) -> Option<bool> {
        if self.events_only && leaf.kind != Kind::Event {
            return Some(false);
        }
        told(&self.root, index, leaf, state)
    }

    /// The one entry that can match, if the line asks for its index.
    pub(super) fn index(&self) -> Option<u64> {
        let of = |node: &Node| match node {
            Node::Term(Some(Field::Named(Name::Index)), Ready::Is(literal)) => literal.folded.parse().ok(),
            _ => None,
        };
        match &self.root {
            Node::And(nodes) => nodes.iter().find_map(of),
            node => of(node),
        }
    }
}

/// As [`holds`], by what a leaf tells.
fn told(node: &Node, index: u64, leaf: &Leaf, state: &TrailState) -> Option<bool> {
    // The first answer that settles it, or all of them alike.
    let settled = |nodes: &[Node], by: bool| {
        let mut answers = nodes.iter().map(|node| told(node, index, leaf, state));
        answers.try_fold(Some(!by), |all, one| if one == Some(by) { Err(()) } else { Ok(all.and(one)) }).unwrap_or(Some(by))
    };
    match node {
        Node::All => Some(true),
        Node::Not(inner) => told(inner, index, leaf, state).map(|holds| !holds),
        Node::And(nodes) => settled(nodes, false),
        Node::Or(nodes) => settled(nodes, true),
        Node::Term(Some(Field::Named(name)), ready) => leaf_passes(*name, ready, index, leaf, state),
        Node::Term(..) => None,
    }
}

/// Whether a field passes that a leaf tells; nothing of any other.
pub(super) fn leaf_passes(name: Name, ready: &Ready, index: u64, leaf: &Leaf, state: &TrailState) -> Option<bool> {
    match name {
        Name::Entry => Some(ready.value(leaf.kind.word())),
        Name::Source => Some(state.sources.get(&leaf.source).is_some_and(|source| ready.value(&source.name))),
        Name::Received => Some(ready.time(i64::try_from(leaf.received_at).unwrap_or(i64::MAX))),
        Name::Index => Some(ready.value(&index.to_string())),
        _ => None,
    }
}

fn node(query: &Query, now_ms: i64) -> Node {
    let all = |queries: &[Query]| {
        let mut nodes: Vec<_> = queries.iter().map(|query| node(query, now_ms)).collect();
        // What needs no mapping decides first.
        nodes.sort_by_key(cost);
        nodes
    };
    match query {
        Query::All => Node::All,
        Query::Not(inner) => Node::Not(Box::new(node(inner, now_ms))),
        Query::And(queries) => Node::And(all(queries)),
        Query::Or(queries) => Node::Or(all(queries)),
        // `*` alone: everything.
        Query::Term(Term { field: None, test: Test::Like(pieces) }) if pieces.iter().all(|piece| *piece == Piece::Any) => Node::All,
        Query::Term(Term { field, test }) => Node::Term(field.clone(), Ready::new(test, now_ms)),
    }
}

fn cost(node: &Node) -> u32 {
    match node {
        Node::All => 0,
        Node::Not(inner) => cost(inner),
        Node::And(nodes) | Node::Or(nodes) => nodes.iter().map(cost).fold(1, u32::saturating_add),
        Node::Term(Some(Field::Named(Name::Source | Name::Index | Name::Entry | Name::Received)), _) => 1,
        Node::Term(None | Some(Field::Raw(_)), _) => 10,
        Node::Term(..) => 100,
    }
}

fn holds(node: &Node, document: &Document<'_>) -> bool {
    match node {
        Node::All => true,
        Node::Not(inner) => !holds(inner, document),
        Node::And(nodes) => nodes.iter().all(|node| holds(node, document)),
        Node::Or(nodes) => nodes.iter().any(|node| holds(node, document)),
        Node::Term(None, ready) => may_say(ready, document.record()) && document.texts(&mut |value| ready.text(value)),
        Node::Term(Some(field), ready) => match field.name() {
            Some(Name::Time) => ready.time(document.time_ms()),
            Some(Name::Received) => ready.time(document.received_ms()),
            Some(Name::Since) => document.time_ms() >= ready.times().0,
            Some(Name::Until) => document.time_ms() < ready.times().0,
            Some(name) if name.is_prose() => document.values(field, &mut |value| ready.prose(value)),
            _ => document.values(field, &mut |value| ready.value(value)),
        },
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use crate::search::parse::parse;

    #[test]
    fn the_one_index_is_known_only_when_nothing_else_can_match() {
        let index = |line| Matcher::new(&parse(line).unwrap(), 0).index();
        for line in ["index:17", "index:17 actor:ana", "actor:ana index:17 NOT entry:record"] {
            assert_eq!(index(line), Some(17), "{line}");
        }
        for line in ["*", "index:17 OR actor:ana", "NOT index:17", "index:1*", "index:[1 TO 17]", "index:x", "actor:17"] {
            assert_eq!(index(line), None, "{line}");
        }
    }
}
