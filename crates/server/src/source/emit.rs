//! Writes OCSF: a tree of attributes, each with the expressions that may fill it.

use crate::ocsf::Attribute;
use crate::ocsf::check::base_of;
use crate::source::evaluate::Context;
use crate::source::expression::{Expression, Path, Primary};
use crate::source::function::{address, is_email};
use crate::source::time;
use crate::source::value::Value;
use evidence::canonical_json::write_string;

/// When a candidate counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// Always.
    Always,
    /// When this overlay holds.
    Overlay(usize),
    /// When this is the outcome.
    Outcome(usize),
}

/// An expression that may fill an attribute.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// When it counts.
    pub guard: Guard,
    /// The expression.
    pub expression: Expression,
}

/// What a value has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A text.
    Text,
    /// An IP address.
    Ip,
    /// An e-mail address.
    Email,
    /// A port.
    Port,
    /// A whole number.
    Integer,
    /// A number.
    Float,
    /// True or false.
    Bool,
    /// Milliseconds since 1970.
    Time,
    /// A hardware address.
    Mac,
    /// A UUID.
    Uuid,
    /// Any JSON.
    Json,
    /// An object whose members nobody prescribes.
    Object,
}

impl Shape {
    /// The shape of an attribute's type.
    #[must_use]
    pub fn of(attribute: &Attribute) -> Self {
        match attribute.of.as_str() {
            "ip_t" => Self::Ip,
            "email_t" => Self::Email,
            "port_t" => Self::Port,
            "timestamp_t" => Self::Time,
            "mac_t" => Self::Mac,
            "uuid_t" => Self::Uuid,
            "json_t" => Self::Json,
            "object" => Self::Object,
            of => match base_of(of) {
                "integer_t" | "long_t" => Self::Integer,
                "float_t" => Self::Float,
                "boolean_t" => Self::Bool,
                _ => Self::Text,
            },
        }
    }
}

/// An attribute that holds a value, or several.
#[derive(Debug, Clone)]
pub struct Leaf {
    /// OCSF path, for people.
    pub path: String,
    /// `"name":`
    pub prefix: Vec<u8>,
    /// What the value has to be.
    pub shape: Shape,
    /// It holds an array.
    pub array: bool,
    /// Observable type, if its values are observables.
    pub observable: Option<u16>,
    /// Where the value comes from, best first.
    pub from: Vec<Candidate>,
    /// Number → caption, when it is an enumeration, and `"sibling":`.
    pub numbers: Vec<(i64, String)>,
    /// `"sibling":`
    pub sibling: Option<Vec<u8>>,
    /// The only words it may hold, when the schema lists them.
    pub words: Vec<String>,
}

/// A part of the tree.
#[derive(Debug, Clone)]
pub enum Out {
    /// An attribute with a value.
    Leaf(Leaf),
    /// An attribute with an object.
    Object(Object),
    /// An attribute with objects, one for each element of the record's.
    Each {
        /// `"name":`
        prefix: Vec<u8>,
        /// Where the elements are; the first path that leads somewhere.
        paths: Vec<Path>,
        /// The object of one element.
        object: Object,
    },
    /// An attribute with objects given one by one.
    Items {
        /// `"name":`
        prefix: Vec<u8>,
        /// The objects.
        objects: Vec<Object>,
    },
}

/// An object's attributes.
#[derive(Debug, Clone)]
pub struct Object {
    /// Its attribute's name.
    pub name: String,
    /// `"name":`
    pub prefix: Vec<u8>,
    /// Its attributes.
    pub children: Vec<Out>,
    /// One of these has to be there.
    pub at_least_one: Vec<String>,
    /// What is written when a required attribute is not there.
    pub fill: Vec<(String, Vec<u8>)>,
    /// It is written even when all it holds are literals.
    pub literals_count: bool,
}

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
    pub context: Context<'w, 'd>,
    /// Which overlays hold.
    pub overlays: &'w [bool],
    /// Which outcome it is.
    pub outcome: Option<usize>,
    /// Decides the year of times without one, ms.
    pub near: i64,
    /// The output.
    pub out: Vec<u8>,
    /// What was seen on the way.
    pub observed: Vec<Observed<'w>>,
    /// What has no home in the event: `"name":{…}` each, for `unmapped`.
    pub aside: Vec<Vec<u8>>,
}

/// `"name":`
#[must_use]
pub fn prefix(name: &str) -> Vec<u8> {
    let mut prefix = Vec::with_capacity(name.len() + 3);
    write_string(name, &mut prefix);
    prefix.push(b':');
    prefix
}

impl<'w, 'd> Writer<'w, 'd> {
    /// Begins a member: a comma where one is needed, and its name.
    pub fn begin(&mut self, prefix: &[u8]) {
        if !matches!(self.out.last(), Some(b'{' | b'[') | None) {
            self.out.push(b',');
        }
        self.out.extend_from_slice(prefix);
    }

    /// Writes a part; false (and nothing written) when there is nothing to write.
    pub fn write(&mut self, part: &'w Out) -> bool {
        match part {
            Out::Leaf(leaf) => self.leaf(leaf),
            Out::Object(object) => {
                let before = self.out.len();
                self.begin(&object.prefix);
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
            Out::Each { prefix, paths, object } => self.each(prefix, paths, object),
            Out::Items { prefix, objects } => {
                let before = self.out.len();
                self.begin(prefix);
                self.out.push(b'[');
                let written = objects.iter().filter(|object| self.element(object)).count();
                self.close_array(before, written)
            }
        }
    }

    /// Writes a part for `unmapped` instead.
    pub fn set_aside(&mut self, part: &'w Out) {
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

    fn each(&mut self, prefix: &[u8], paths: &[Path], object: &'w Object) -> bool {
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

    fn element(&mut self, object: &'w Object) -> bool {
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
    fn object(&mut self, object: &'w Object) -> Written {
        self.out.push(b'{');
        let (mut any, mut one) = (false, object.at_least_one.is_empty());
        let mut missing: Vec<&(String, Vec<u8>)> = object.fill.iter().collect();
        for child in &object.children {
            if self.write(child) {
                any |= object.literals_count || !child.is_literal();
                let name = child.name();
                one |= object.at_least_one.iter().any(|wanted| wanted == name);
                missing.retain(|(wanted, _)| wanted != name);
            }
        }
        if !any {
            return Written::Nothing;
        }
        if !one {
            // Who it is about must not get lost; anything else without a name says too little.
            if !matches!(object.name.as_str(), "user" | "owner") {
                self.out.push(b'}');
                return Written::Nameless;
            }
            // An address is a name too; nothing else says who it is.
            let address = object.children.iter().find_map(|child| match child {
                Out::Leaf(leaf) if leaf.path.ends_with(".email_addr") => self.value(leaf).map(|(_, value)| value),
                _ => None,
            });
            self.begin(b"\"name\":");
            write_string(address.as_ref().map_or("unknown".into(), Value::as_text).as_ref(), &mut self.out);
        }
        for (_, fill) in missing {
            self.begin(fill);
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
    pub fn value(&self, leaf: &Leaf) -> Option<(usize, Value<'d>)> {
        leaf.from.iter().enumerate().find_map(|(nth, candidate)| {
            let value = self.holds(candidate.guard).then(|| self.context.value(&candidate.expression)).flatten()?;
            if !leaf.numbers.is_empty() {
                return Some((nth, value));
            }
            if !leaf.words.is_empty() {
                let text = value.as_text();
                let word = leaf.words.iter().find(|word| word.eq_ignore_ascii_case(&text))?;
                return Some((nth, Value::text(word.clone())));
            }
            match (value, leaf.array) {
                (Value::List(values), true) => {
                    let shaped: Vec<_> = values.into_iter().filter_map(|value| shaped(leaf.shape, value, self.near)).collect();
                    (!shaped.is_empty()).then_some((nth, Value::List(shaped)))
                }
                (Value::List(values), false) => {
                    values.into_iter().find_map(|value| shaped(leaf.shape, value, self.near)).map(|value| (nth, value))
                }
                (value, _) => shaped(leaf.shape, value, self.near).map(|value| (nth, value)),
            }
        })
    }

    fn leaf(&mut self, leaf: &'w Leaf) -> bool {
        let Some((_, value)) = self.value(leaf) else { return false };
        self.begin(&leaf.prefix);
        if !leaf.numbers.is_empty() {
            self.number(leaf, &value);
            return true;
        }
        match (leaf.array, value) {
            (true, Value::List(values)) => {
                self.out.push(b'[');
                for value in values {
                    self.begin(b"");
                    self.scalar(leaf, &value);
                }
                self.out.push(b']');
            }
            (true, value) => {
                self.out.push(b'[');
                self.scalar(leaf, &value);
                self.out.push(b']');
            }
            (false, value) => self.scalar(leaf, &value),
        }
        true
    }

    fn scalar(&mut self, leaf: &'w Leaf, value: &Value<'_>) {
        let start = self.out.len();
        write_value(value, &mut self.out);
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

impl Out {
    /// Its attribute's name.
    #[must_use]
    pub fn name(&self) -> &str {
        let prefix = match self {
            Self::Leaf(leaf) => &leaf.prefix,
            Self::Object(object) => &object.prefix,
            Self::Each { prefix, .. } | Self::Items { prefix, .. } => prefix,
        };
        let inner = prefix.get(1..prefix.len().saturating_sub(2)).unwrap_or_default();
        std::str::from_utf8(inner).unwrap_or_default()
    }

    /// Only literals can fill it.
    fn is_literal(&self) -> bool {
        match self {
            Self::Leaf(leaf) => leaf.from.iter().all(|candidate| matches!(candidate.expression.primary, Primary::Literal(_))),
            Self::Object(object) => object.children.iter().all(Self::is_literal),
            Self::Each { .. } | Self::Items { .. } => false,
        }
    }

    /// Every leaf in it that stands for the record itself, not for an element of it.
    pub fn leaves<'o>(&'o self, found: &mut Vec<&'o Leaf>) {
        match self {
            Self::Leaf(leaf) => found.push(leaf),
            Self::Object(object) => object.children.iter().for_each(|child| child.leaves(found)),
            Self::Items { objects, .. } => objects.iter().flat_map(|object| &object.children).for_each(|child| child.leaves(found)),
            Self::Each { .. } => {}
        }
    }
}

/// Writes a whole number in decimal digits.
pub fn write_integer(number: i64, out: &mut Vec<u8>) {
    let (mut digits, mut at, mut rest) = ([0_u8; 20], 20, number.unsigned_abs());
    loop {
        at -= 1;
        if let Some(digit) = digits.get_mut(at) {
            *digit = b'0' + (rest % 10) as u8;
        }
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(digits.get(at..).unwrap_or_default());
}

/// Writes a value as JSON.
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

/// The value in its shape; `None` when it does not fit.
#[must_use]
pub fn shaped<'d>(shape: Shape, value: Value<'d>, near: i64) -> Option<Value<'d>> {
    Some(match shape {
        Shape::Text => match value {
            text @ Value::Text { .. } => text,
            Value::Number(digits) => Value::Text { text: digits, plain: true },
            other => Value::text(other.as_text().into_owned()),
        },
        Shape::Json => value,
        Shape::Object => match &value {
            Value::Json(json) if json.starts_with('{') => value,
            _ => return None,
        },
        Shape::Ip => {
            let text = value.as_text();
            if text.parse::<std::net::Ipv4Addr>().is_err() {
                return Some(Value::text(address(&text)?.0.to_string()));
            }
            drop(text);
            value
        }
        Shape::Email => {
            if !is_email(&value.as_text()) {
                return None;
            }
            value
        }
        Shape::Port => {
            let port: u16 = value.as_text().trim().parse().ok()?;
            Value::Number(port.to_string().into())
        }
        Shape::Integer => integer(value)?,
        Shape::Float => {
            let number: f64 = value.as_text().trim().parse().ok()?;
            number
                .is_finite()
                .then(|| Value::Number(serde_json::Number::from_f64(number).map(|n| n.to_string()).unwrap_or_default().into()))?
        }
        Shape::Bool => Value::Bool(boolean(&value)?),
        Shape::Time => Value::Number(time::read(&value.as_text(), near)?.to_string().into()),
        Shape::Mac => {
            let text = value.as_text();
            let parts: Vec<_> = text.split([':', '-']).collect();
            let is = parts.len() == 6 && parts.iter().all(|part| part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit()));
            drop(parts);
            drop(text);
            is.then_some(value)?
        }
        Shape::Uuid => {
            let text = value.as_text();
            let groups = [8, 4, 4, 4, 12];
            let mut parts = text.trim_matches(['{', '}']).split('-');
            let is =
                groups.iter().all(|len| parts.next().is_some_and(|part| part.len() == *len && part.bytes().all(|b| b.is_ascii_hexdigit())));
            (is && parts.next().is_none()).then(|| Value::text(text.trim_matches(['{', '}']).to_owned()))?
        }
    })
}

fn integer(value: Value<'_>) -> Option<Value<'_>> {
    if matches!(value, Value::Bool(_) | Value::Json(_) | Value::List(_)) {
        return None;
    }
    let text = value.as_text();
    let text = text.trim();
    let number = match text.strip_prefix("0x") {
        Some(hex) => i64::from_str_radix(hex, 16).ok()?,
        None => match text.parse::<i64>() {
            Ok(number) => number,
            // 12.0 and 1e3 are whole numbers too.
            Err(_) => {
                let float: f64 = text.parse().ok()?;
                (float.fract() == 0.0 && float.abs() < 9e15).then_some(float as i64)?
            }
        },
    };
    Some(Value::Number(number.to_string().into()))
}

/// True or false, as systems say it.
#[must_use]
pub fn boolean(value: &Value<'_>) -> Option<bool> {
    if let Value::Bool(yes) = value {
        return Some(*yes);
    }
    match value.as_text().to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" | "y" | "on" => Some(true),
        "false" | "no" | "0" | "n" | "off" => Some(false),
        _ => None,
    }
}
