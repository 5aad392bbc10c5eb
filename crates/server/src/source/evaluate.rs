//! Evaluates expressions against a record. Total: what is not there is `None`.

use std::borrow::Cow;

use crate::intake::tape::{Node, NodeKind, unescape};
use crate::source::expression::{Expression, Function, Inner, Name, Path, Piece, Primary, Segment, loosened_bytes};
use crate::source::function::apply;
use crate::source::inner::decoded_inner;
use crate::source::tables::Tables;
use crate::source::value::{Document, Value};

/// How deep `(json)` and its like may be nested: each level is a parse of its own.
const INNER_MAX: usize = 4;

/// Room for what most templates give.
const TEMPLATE_BYTES: usize = 64;

/// The node of a place that a record does not have.
pub const NOWHERE: u32 = u32::MAX;

/// What a map says about reading its records.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// Names match loosely.
    pub loose: bool,
    /// Texts that mean: no value.
    pub absent: Vec<String>,
    /// For `map:`.
    pub tables: Tables,
}

/// A record being read. All it borrows, the map included, lives as long as the values it gives.
#[derive(Clone, Copy)]
pub struct Context<'d> {
    /// The record.
    pub document: Document<'d>,
    /// What a pattern found in its text: members of `p`.
    pub captures: &'d [(String, Cow<'d, str>)],
    /// How to read it.
    pub reading: &'d Reading,
    /// Nodes of the places found beforehand, [`NOWHERE`] for those that are not there.
    pub places: &'d [u32],
    /// The value paths start from: 0, or the element inside `each`.
    pub root: u32,
}

impl<'d> Context<'d> {
    /// The expression's value.
    #[inline]
    #[must_use]
    pub fn value(&self, expression: &'d Expression) -> Option<Value<'d>> {
        if let (Primary::Path(path), []) = (&expression.primary, expression.functions.as_slice()) {
            return self.path(path);
        }
        let start = match &expression.primary {
            Primary::Literal(text) => Some(Value::text(text.as_str())),
            Primary::Path(path) => self.path(path),
            Primary::Template(pieces) => self.template(pieces).map(Value::text),
        };
        self.after(start, &expression.functions)
    }

    /// Places were found, and paths start where they did.
    #[inline]
    fn knows_places(&self) -> bool {
        self.root == 0 && !self.places.is_empty()
    }

    /// Whether all of these places are missing; false when there is none.
    #[inline]
    #[must_use]
    pub fn misses(&self, needs: &[u32]) -> bool {
        let is_missing = |place: &u32| self.places.get(*place as usize).is_some_and(|at| *at == NOWHERE);
        self.root == 0 && !needs.is_empty() && needs.iter().all(is_missing)
    }

    /// Whether a candidate that needs this place may give a value.
    #[inline]
    #[must_use]
    pub fn may_give(&self, needs: u32) -> bool {
        needs == NOWHERE || self.root != 0 || self.places.get(needs as usize).is_none_or(|at| *at != NOWHERE)
    }

    /// The text at a place with its quotes, if it stands there without an escape and means something.
    #[inline]
    #[must_use]
    pub fn plain_text(&self, place: u32) -> Option<&'d str> {
        let at = self.places.get(place as usize).filter(|_| self.root == 0)?;
        let node = self.document.tape.node(*at)?;
        let text = self.document.raw(node);
        // Two quotes with nothing between them are no value.
        let is_text = node.kind == NodeKind::Text { escaped: false } && text.len() > 2;
        let is_absent = |absent: &String| absent.len() + 2 == text.len() && text.get(1..text.len() - 1) == Some(absent.as_str());
        (is_text && !self.reading.absent.iter().any(is_absent)).then_some(text)
    }

    /// A value with what is done to it.
    pub fn after(&self, start: Option<Value<'d>>, functions: &'d [Function]) -> Option<Value<'d>> {
        let value = functions.iter().try_fold(start?, |value, function| apply(function, value, self.reading))?;
        self.present(value)
    }

    /// No value for the texts that mean none.
    #[inline]
    fn present(&self, value: Value<'d>) -> Option<Value<'d>> {
        match &value {
            Value::Text { text, .. } if text.is_empty() || self.reading.absent.iter().any(|absent| absent == text) => None,
            Value::List(values) if values.is_empty() => None,
            _ => Some(value),
        }
    }

    fn template(&self, pieces: &'d [Piece]) -> Option<String> {
        let mut out = String::with_capacity(TEMPLATE_BYTES);
        for piece in pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Value(inner, optional) => match self.value(inner) {
                    Some(value) => out.push_str(&value.as_text()),
                    None if *optional => {}
                    None => return None,
                },
            }
        }
        Some(out)
    }

    /// The value at a path.
    #[inline]
    #[must_use]
    pub fn path(&self, path: &Path) -> Option<Value<'d>> {
        if self.places.is_empty() && path.names_the_record() {
            // Nothing stands in front of the record's own members yet.
            return self.follow(self.root, path.segments.get(1..).unwrap_or_default());
        }
        if !self.captures.is_empty()
            && let [Segment::Member(p), Segment::Member(name), rest @ ..] = path.segments.as_slice()
            && p.exact == "p"
            && let Some((_, text)) = self.captures.iter().find(|(known, _)| *known == name.exact)
        {
            return self.inside(Value::text(text.clone()), rest);
        }
        match path.place.filter(|_| self.knows_places()) {
            Some((place, taken)) => match self.places.get(place) {
                Some(&at) if at != NOWHERE => match path.segments.get(taken..).unwrap_or_default() {
                    [] => self.node(at),
                    rest => self.follow(at, rest),
                },
                _ => None,
            },
            None => self.follow(self.root, &path.segments),
        }
    }

    /// The value of a node.
    #[inline]
    fn node(&self, at: u32) -> Option<Value<'d>> {
        self.present(self.document.value(self.document.tape.node(at)?)?)
    }

    /// What stands further inside a text that is not in the record's own tape.
    fn inside(&self, value: Value<'d>, segments: &[Segment]) -> Option<Value<'d>> {
        let Some((Segment::Inside(inner), rest)) = segments.split_first() else {
            return if segments.is_empty() { self.present(value) } else { None };
        };
        let decoded = decoded_inner(*inner, &value)?;
        let document = Document { text: &decoded.text, tape: &decoded.tape };
        let context = Context { document, captures: &[], reading: self.reading, places: &[], root: 0 };
        context.follow(0, rest).map(Value::into_owned)
    }

    /// The value `segments` lead to from the node `at`.
    #[must_use]
    pub fn follow(&self, at: u32, segments: &[Segment]) -> Option<Value<'d>> {
        let (at, segments) = to_one(self.document, at, segments, self.reading.loose)?;
        if segments.is_empty() {
            return self.node(at);
        }
        let several = segments.iter().any(|segment| matches!(segment, Segment::Each));
        let mut found = Vec::new();
        follow(self.document, at, segments, self.reading.loose, INNER_MAX, &mut found);
        let mut present = found.into_iter().filter_map(|value| self.present(value));
        if several { self.present(Value::List(present.collect())) } else { present.next() }
    }

    /// The elements of the array (or the one value) `segments` lead to: roots for `each`.
    #[must_use]
    pub fn elements(&self, path: &Path) -> Vec<u32> {
        let (start, segments) = match path.place.filter(|_| self.knows_places()) {
            Some((place, taken)) => match self.places.get(place) {
                Some(&at) if at != NOWHERE => (at, path.segments.get(taken..).unwrap_or_default()),
                _ => return Vec::new(),
            },
            None => (self.root, path.segments.as_slice()),
        };
        let mut nodes = vec![start];
        for segment in segments {
            let mut next = Vec::new();
            nodes.into_iter().for_each(|at| self.element_step(at, segment, &mut |node| next.push(node)));
            nodes = next;
        }
        nodes
    }
}

impl Context<'_> {
    /// As [`step`], but an object where a list is expected is a list of one.
    fn element_step(&self, at: u32, segment: &Segment, see: &mut dyn FnMut(u32)) {
        match (segment, self.document.tape.node(at)) {
            (Segment::Each, Some(node)) if node.kind == NodeKind::Object => see(at),
            _ => step(self.document, at, segment, self.reading.loose, see),
        }
    }
}

/// Follows the leading steps that lead to one value at most: where they end, and the steps left.
fn to_one<'s>(document: Document<'_>, mut at: u32, mut segments: &'s [Segment], loose: bool) -> Option<(u32, &'s [Segment])> {
    while let [Segment::Member(name), rest @ ..] = segments {
        at = member(document, at, name, loose)?;
        segments = rest;
    }
    Some((at, segments))
}

/// Shows `see` the nodes one step away. Steps into a text have none: they need a document of their own.
fn step(document: Document<'_>, at: u32, segment: &Segment, loose: bool, see: &mut dyn FnMut(u32)) {
    let children = || document.tape.children(at).map(|(child, _)| child);
    match segment {
        Segment::Member(name) => member(document, at, name, loose).into_iter().for_each(see),
        Segment::Element(position) => children().nth(*position).into_iter().for_each(see),
        Segment::Each => match document.tape.node(at) {
            Some(node) if matches!(node.kind, NodeKind::Array | NodeKind::Object) => children().for_each(see),
            // A vendor that writes a list of one as the one.
            Some(_) => see(at),
            None => {}
        },
        Segment::Pick { member: name, wanted } => {
            let is = |child: &u32| {
                member(document, *child, name, loose).and_then(|node| document.value(document.tape.node(node)?)).is_some_and(|value| {
                    let text = value.as_text();
                    wanted.iter().any(|wanted| wanted.eq_ignore_ascii_case(&text))
                })
            };
            children().find(is).into_iter().for_each(see);
        }
        Segment::Inside(inner) if is_inside(document, at, *inner) => see(at),
        Segment::Inside(_) => {}
    }
}

/// What should be JSON in a text is members already: a shipper parsed it.
fn is_inside(document: Document<'_>, at: u32, inner: Inner) -> bool {
    let parsed = document.tape.node(at).is_some_and(|node| matches!(node.kind, NodeKind::Object | NodeKind::Array));
    parsed && matches!(inner, Inner::Json | Inner::Base64)
}

fn follow<'d>(document: Document<'d>, at: u32, segments: &[Segment], loose: bool, inner_left: usize, found: &mut Vec<Value<'d>>) {
    let Some((segment, rest)) = segments.split_first() else {
        found.extend(document.tape.node(at).and_then(|node| document.value(node)));
        return;
    };
    if let Segment::Inside(inner) = segment
        && !is_inside(document, at, *inner)
    {
        let text = document.tape.node(at).and_then(|node| document.value(node));
        let Some(decoded) = text.filter(|_| inner_left > 0).and_then(|value| decoded_inner(*inner, &value)) else { return };
        let mut values = Vec::new();
        follow(Document { text: &decoded.text, tape: &decoded.tape }, 0, rest, loose, inner_left - 1, &mut values);
        found.extend(values.into_iter().map(|value| -> Value<'d> { value.into_owned() }));
        return;
    }
    step(document, at, segment, loose, &mut |child| follow(document, child, rest, loose, inner_left, found));
}

/// The member of that name: the first one that is spelled exactly so, else (loosely) the first alike.
#[inline]
#[must_use]
pub fn member(document: Document<'_>, at: u32, name: &Name, loose: bool) -> Option<u32> {
    if document.tape.node(at)?.kind != NodeKind::Object {
        return None;
    }
    let is_it = |node: &Node| {
        document.name_bytes(node) == name.exact.as_bytes() || (node.escaped_name && is_exact(document.name(node), &name.exact))
    };
    let exact = document.tape.children(at).find(|(_, node)| is_it(node));
    let alike = || document.tape.children(at).find(|(_, node)| is_alike(document.name(node), &name.loose));
    exact.or_else(|| if loose { alike() } else { None }).map(|(child, _)| child)
}

/// Whether a name in the record is this one.
#[must_use]
pub fn is_exact(found: &str, wanted: &str) -> bool {
    found == wanted || (found.contains('\\') && unescape(found).is_some_and(|found| found == wanted))
}

/// Whether a name in the record is alike; `wanted` is loosened already.
#[must_use]
pub fn is_alike(found: &str, wanted: &str) -> bool {
    found.len() >= wanted.len() && loosened_bytes(found.as_bytes()).eq(wanted.bytes())
}
