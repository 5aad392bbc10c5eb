//! Writes a tree of attributes: what the record gives for each, in the shape OCSF asks for.

use evidence::canonical_json::write_string;

use crate::source::emit::{Form, Guard, Leaf, Object, Out};
use crate::source::evaluate::Context;
use crate::source::expression::Path;
use crate::source::shape::{Shape, shaped};
use crate::source::value::Value;

/// The name of a person or thing that the schema asks for and the record does not give.
pub const MADE_UP: &str = "unknown";

/// A value that stands in the output and is worth finding.
#[derive(Debug, Clone, Copy)]
pub struct Observed<'o> {
    /// OCSF path.
    pub path: &'o str,
    /// Observable type.
    pub of: u16,
    /// Where its JSON stands in the output.
    pub range: (usize, usize),
}

/// What became of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    /// It stands there.
    Whole,
    /// The record gives nothing for it.
    Nothing,
    /// It lacks what the schema asks for: it may not stand there.
    Nameless,
}

/// Writes a tree.
pub struct Writer<'w, 'd> {
    /// The record.
    pub context: Context<'d>,
    /// Which overlays hold.
    pub overlays: &'w [bool],
    /// Which outcome it is.
    pub outcome: Option<usize>,
    /// Decides the year of times without one, ms.
    pub near: i64,
    /// The output.
    pub out: Vec<u8>,
    /// What was seen on the way.
    pub observed: Vec<Observed<'d>>,
    /// What has no home in the event: `"name":{…}` each, for `unmapped`.
    pub aside: Vec<Vec<u8>>,
}

impl<'d> Writer<'_, 'd> {
    /// Begins a member: a comma where one is needed, and its name.
    #[inline]
    pub fn begin(&mut self, prefix: &[u8]) {
        if !matches!(self.out.last(), Some(b'{' | b'[') | None) {
            self.out.push(b',');
        }
        self.out.extend_from_slice(prefix);
    }

    /// Writes a part; false (and nothing written) when there is nothing to write.
    pub fn write(&mut self, part: &'d Out) -> bool {
        match part {
            Out::Leaf(leaf) => self.leaf(leaf),
            Out::Object(object) => {
                let before = self.out.len();
                self.begin(&object.label.prefix);
                match self.object(object) {
                    Written::Whole => true,
                    Written::Nothing => {
                        self.undo(before);
                        false
                    }
                    Written::Nameless => {
                        self.keep_aside(before);
                        false
                    }
                }
            }
            Out::Each { label, paths, object } => self.each(&label.prefix, paths, object),
            Out::Items { label, objects } => {
                let before = self.out.len();
                self.begin(&label.prefix);
                self.out.push(b'[');
                let written = objects.iter().filter(|object| self.element(object)).count();
                self.close_array(before, written)
            }
        }
    }

    /// Writes a part for `unmapped` instead.
    pub fn set_aside(&mut self, part: &'d Out) {
        let before = self.out.len();
        if self.write(part) {
            self.keep_aside(before);
        }
    }

    /// Takes back what was written from `before` on, as a member for `unmapped`.
    fn keep_aside(&mut self, before: usize) {
        let mut piece = self.out.split_off(before);
        if piece.first() == Some(&b',') {
            piece.remove(0);
        }
        self.undo(before);
        self.aside.push(piece);
    }

    fn undo(&mut self, before: usize) {
        self.out.truncate(before);
        while self.observed.last().is_some_and(|observed| observed.range.0 >= before) {
            self.observed.pop();
        }
    }

    fn each(&mut self, prefix: &[u8], paths: &'d [Path], object: &'d Object) -> bool {
        let elements = paths.iter().map(|path| self.context.elements(path)).find(|elements| !elements.is_empty()).unwrap_or_default();
        let before = self.out.len();
        self.begin(prefix);
        self.out.push(b'[');
        let outer = self.context.root;
        let mut written = 0;
        for element in elements {
            self.context.root = element;
            written += usize::from(self.element(object));
        }
        self.context.root = outer;
        self.close_array(before, written)
    }

    fn element(&mut self, object: &'d Object) -> bool {
        let before = self.out.len();
        if !matches!(self.out.last(), Some(b'[')) {
            self.out.push(b',');
        }
        let written = self.object(object) == Written::Whole;
        if !written {
            self.undo(before);
        }
        written
    }

    fn close_array(&mut self, before: usize, written: usize) -> bool {
        if written == 0 {
            self.undo(before);
        } else {
            self.out.push(b']');
        }
        written > 0
    }

    /// Writes `{…}` with what the schema asks for.
    fn object(&mut self, object: &'d Object) -> Written {
        self.out.push(b'{');
        let (mut any, mut one, mut missing) = (false, object.at_least_one.is_empty(), object.all_fills());
        for (child, role) in object.children.iter().zip(&object.roles) {
            if !self.context.misses(&role.needs) && self.write(child) {
                any |= role.counts;
                one |= role.one;
                missing &= !role.fills;
            }
        }
        if !any {
            return Written::Nothing;
        }
        if !one {
            // Who it is about must not get lost; anything else without a name says too little.
            if !matches!(object.label.name.as_str(), "user" | "owner") {
                self.out.push(b'}');
                return Written::Nameless;
            }
            // An address is a name too; nothing else says who it is.
            let address = object.children.iter().find_map(|child| match child {
                Out::Leaf(leaf) if leaf.path.ends_with(".email_addr") => self.value(leaf).map(|(_, value)| value),
                _ => None,
            });
            self.begin(b"\"name\":");
            write_string(address.as_ref().map_or(MADE_UP.into(), Value::as_text).as_ref(), &mut self.out);
        }
        for (_, fill) in &object.fill {
            if missing & 1 == 1 {
                self.begin(fill);
            }
            missing >>= 1;
        }
        self.out.push(b'}');
        Written::Whole
    }

    fn holds(&self, guard: Guard) -> bool {
        match guard {
            Guard::Always => true,
            Guard::Overlay(nth) => self.overlays.get(nth).copied().unwrap_or(false),
            Guard::Outcome(nth) => self.outcome == Some(nth),
        }
    }

    /// The value of a leaf and the number of the candidate that gave it.
    pub fn value(&self, leaf: &'d Leaf) -> Option<(usize, Value<'d>)> {
        for (nth, candidate) in leaf.from.iter().enumerate() {
            if !self.context.may_give(candidate.needs) || !self.holds(candidate.guard) {
                continue;
            }
            if let Some(value) = self.context.value(&candidate.expression)
                && let Some(value) = self.fit(leaf, value)
            {
                return Some((nth, value));
            }
        }
        None
    }

    /// The value as the leaf takes it; `None` when it does not.
    #[inline]
    fn fit(&self, leaf: &'d Leaf, value: Value<'d>) -> Option<Value<'d>> {
        match (leaf.form, value) {
            (Form::Scalar, Value::List(values)) => values.into_iter().find_map(|value| shaped(leaf.shape, value, self.near)),
            (Form::Array, Value::List(values)) => {
                let shaped: Vec<_> = values.into_iter().filter_map(|value| shaped(leaf.shape, value, self.near)).collect();
                (!shaped.is_empty()).then_some(Value::List(shaped))
            }
            (Form::Scalar | Form::Array, value) => shaped(leaf.shape, value, self.near),
            (Form::Number, value) => Some(value),
            (Form::Word, value) => {
                let text = value.as_text();
                leaf.words.iter().find(|word| word.eq_ignore_ascii_case(&text)).map(|word| Value::text(word.as_str()))
            }
        }
    }

    fn leaf(&mut self, leaf: &'d Leaf) -> bool {
        if let Some(text) = self.plain_text(leaf) {
            self.begin(&leaf.label.prefix);
            let start = self.out.len();
            self.out.extend_from_slice(text.as_bytes());
            self.observe(leaf, start);
            return true;
        }
        let Some((_, value)) = self.value(leaf) else { return false };
        self.begin(&leaf.label.prefix);
        match (leaf.form, value) {
            (Form::Number, value) => self.number(leaf, &value),
            (Form::Array, Value::List(values)) => {
                self.out.push(b'[');
                for value in values {
                    self.begin(b"");
                    self.scalar(leaf, &value);
                }
                self.out.push(b']');
            }
            (Form::Array, value) => {
                self.out.push(b'[');
                self.scalar(leaf, &value);
                self.out.push(b']');
            }
            (Form::Scalar | Form::Word, value) => self.scalar(leaf, &value),
        }
        true
    }

    /// What most leaves are: a text of the record that may stand in the event with its quotes, as it
    /// is. `None` says only that it takes [`Self::value`] to tell.
    #[inline]
    fn plain_text(&self, leaf: &'d Leaf) -> Option<&'d str> {
        if leaf.form != Form::Scalar || leaf.shape != Shape::Text {
            return None;
        }
        let mut candidates = leaf.from.iter();
        let first = candidates.find(|candidate| self.context.may_give(candidate.needs) && self.holds(candidate.guard))?;
        first.is_place.then(|| self.context.plain_text(first.needs)).flatten()
    }

    fn scalar(&mut self, leaf: &'d Leaf, value: &Value<'_>) {
        let start = self.out.len();
        write_value(value, &mut self.out);
        self.observe(leaf, start);
    }

    /// Remembers the value that was written from `start` on, if it is one to look for.
    fn observe(&mut self, leaf: &'d Leaf, start: usize) {
        if let Some(of) = leaf.observable {
            self.observed.push(Observed { path: &leaf.path, of, range: (start, self.out.len()) });
        }
    }

    /// A number of an enumeration and its caption; 99 with the source's word for what is none.
    fn number(&mut self, leaf: &Leaf, value: &Value<'_>) {
        let text = value.as_text();
        let by_number = || text.parse::<i64>().ok().and_then(|number| leaf.numbers.iter().find(|(known, _)| *known == number));
        let known = leaf.numbers.iter().find(|(_, caption)| caption.eq_ignore_ascii_case(&text)).or_else(by_number);
        let other = || leaf.numbers.iter().find(|(known, _)| *known == 99).or(leaf.numbers.first());
        let (number, caption) = match known.or_else(other) {
            Some((99, _)) if known.is_none() => (99, text.as_ref()),
            Some((number, caption)) => (*number, caption.as_str()),
            None => (99, text.as_ref()),
        };
        write_integer(number, &mut self.out);
        if let Some(sibling) = &leaf.sibling {
            self.begin(sibling);
            write_string(caption, &mut self.out);
        }
    }
}

/// Writes a whole number in decimal digits.
#[inline]
pub fn write_integer(number: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Writes a value as a JSON text.
#[inline]
pub fn write_text(value: &Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Text { .. } => write_value(value, out),
        other => write_string(&other.as_text(), out),
    }
}

/// Writes a value as JSON.
#[inline]
pub fn write_value(value: &Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Text { text, plain: true } => {
            out.push(b'"');
            out.extend_from_slice(text.as_bytes());
            out.push(b'"');
        }
        Value::Text { text, plain: false } => write_string(text, out),
        Value::Number(digits) => out.extend_from_slice(digits.as_bytes()),
        Value::Bool(yes) => out.extend_from_slice(if *yes { b"true" } else { b"false" }),
        Value::Json(json) => out.extend_from_slice(json.as_bytes()),
        Value::List(values) => {
            out.push(b'[');
            for (nth, value) in values.iter().enumerate() {
                if nth > 0 {
                    out.push(b',');
                }
                write_value(value, out);
            }
            out.push(b']');
        }
    }
}
