//! Records that are not JSON, and texts inside records, made into JSON members.
//!
//! Each decoder is total: it gives a JSON object, or `None` when the bytes are not of its form.

pub mod auditd;
pub mod jwt;
pub mod key_value;
pub mod pairs;
pub mod sections;
pub mod syslog;
pub mod xml;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use evidence::canonical_json::write_string;

use crate::intake::tape::Tape;
use crate::source::expression::Inner;
use crate::source::value::Value;

/// A text's inside with its tape.
#[derive(Debug)]
pub struct Inside {
    /// JSON.
    pub text: String,
    /// Its values.
    pub tape: Tape,
}

/// Texts whose inside is remembered: a map names a few places, a dozen times each.
const REMEMBERED_MAX: usize = 8;

/// A text, how it was decoded, and what it holds.
type Remembered = (Inner, String, Option<Rc<Inside>>);

/// What a text in a record holds, decoded once although a map asks for it many times.
#[must_use]
pub fn decoded_inner(inner: Inner, value: &Value<'_>) -> Option<Rc<Inside>> {
    thread_local! {
        // The same text decoded the same way gives the same, so that remembering changes nothing.
        static REMEMBERED: RefCell<VecDeque<Remembered>> = RefCell::default();
    }
    let text = value.as_text();
    REMEMBERED.with_borrow_mut(|remembered| {
        if let Some((_, _, inside)) = remembered.iter().find(|(how, known, _)| *how == inner && *known == text) {
            return inside.clone();
        }
        let inside = decode_inner(inner, value).and_then(|decoded| {
            let mut tape = Tape::default();
            tape.read(&decoded).ok()?;
            Some(Rc::new(Inside { text: decoded, tape }))
        });
        if remembered.len() >= REMEMBERED_MAX {
            remembered.pop_front();
        }
        remembered.push_back((inner, text.into_owned(), inside.clone()));
        inside
    })
}

/// Decodes what a text in a record holds.
fn decode_inner(inner: Inner, value: &Value<'_>) -> Option<String> {
    let text = value.as_text();
    match inner {
        // A shipper that parsed it already left an object.
        Inner::Json | Inner::Base64 if matches!(value, Value::Json(_)) => Some(text.into_owned()),
        Inner::Json => Some(text.trim().to_owned()),
        Inner::KeyValue => key_value::decode(&text),
        Inner::Base64 => jwt::base64_text(text.trim()),
        Inner::Jwt => jwt::decode(&text),
        Inner::Xml => xml::decode(&text),
        Inner::Query => Some(query(&text)),
        Inner::Syslog => syslog::decode(&text),
        Inner::Auditd => auditd::decode(&text),
        Inner::Pairs => pairs::decode(&text),
        Inner::Sections => sections::decode(&text),
    }
}

/// Writes a JSON object member by member.
#[derive(Debug)]
pub struct ObjectWriter(Vec<u8>);

impl ObjectWriter {
    /// An open object.
    #[must_use]
    pub fn new() -> Self {
        Self(vec![b'{'])
    }

    fn name(&mut self, name: &str) {
        if self.0.len() > 1 {
            self.0.push(b',');
        }
        write_string(name, &mut self.0);
        self.0.push(b':');
    }

    /// Adds a text.
    pub fn text(&mut self, name: &str, text: &str) {
        self.name(name);
        write_string(text, &mut self.0);
    }

    /// Adds JSON.
    pub fn json(&mut self, name: &str, json: &str) {
        self.name(name);
        self.0.extend_from_slice(json.as_bytes());
    }

    /// The object.
    #[must_use]
    pub fn finish(mut self) -> String {
        self.0.push(b'}');
        // Only UTF-8 was written.
        String::from_utf8(self.0).unwrap_or_default()
    }
}

impl Default for ObjectWriter {
    fn default() -> Self {
        Self::new()
    }
}

/// Pairs of a URL's query or a form.
fn query(text: &str) -> String {
    let mut out = ObjectWriter::new();
    let pairs = text.split_once('?').map_or(text, |(_, query)| query);
    for pair in pairs.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        out.text(&percent_decoded(name), &percent_decoded(value));
    }
    out.finish()
}

/// A text without `%41` and `+`.
#[must_use]
pub fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(byte) = bytes.get(at) {
        let escaped = (*byte == b'%').then(|| text.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok())).flatten();
        out.push(escaped.unwrap_or(if *byte == b'+' { b' ' } else { *byte }));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}
