//! Which words of a map's values can only come from the record. Where a map copies, a record whose bytes do not hold a
//! word gives no value that does: then the record need not be understood to know that.
//!
//! INVARIANT: it only ever says that a word must stand in the record when every way from the record to the value keeps
//! the words of what it takes. What is not known to do so is taken not to.

use std::collections::BTreeSet;

use crate::search::query::is_word;
use crate::source::emit::{Leaf, Object, Out};
use crate::source::expression::{Expression, Function, Inner, Path, Piece, Primary, Segment};
use crate::source::inner::syslog::{FACILITIES, LEVELS};
use crate::source::kind::{Decoder, Identity, Kind};
use crate::source::write::MADE_UP;

/// Members that decoders make of what has no names. Their names may be values.
const MEMBERS: [&str; 11] = ["app", "facility", "host", "level", "message", "msgid", "pid", "pri", "received", "serial", "time"];
const DATA: &str = "sd";

/// Digits of the largest number of 64 bits, which may be hexadecimal in the record.
const DIGITS_OF_A_WHOLE: usize = 20;
/// Digits that a number of 64 bits with a point has. Whole numbers come through as they are, and one that does not begin
/// with a zero and is longer than this is no part of another.
const DIGITS_OF_A_FLOAT: usize = 17;

/// What a map does to the words of a record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ways {
    /// Something hides words (base64, XML), or puts pieces together to new words.
    pub is_opaque: bool,
    /// Hexadecimal digits are read as text.
    pub reads_hex: bool,
    /// `%41` is read as a letter.
    pub reads_percent: bool,
    /// Texts that are no JSON are made so: a backslash may vanish from them, and a control character become an escape.
    pub rewrites_texts: bool,
    /// Letters are made upper case, which makes ASCII of some others.
    pub raises: bool,
    /// Digits of the longest whole number that may be written anew; 0 where none is.
    pub renumbers: usize,
    /// Pieces may be put together to an address with dots in it.
    pub joins_by_dots: bool,
}

/// What a map does to words, and which it has itself.
#[derive(Debug, Clone, Default)]
pub struct Wording {
    /// What it does to those of a record.
    pub ways: Ways,
    /// All texts that come from the map, in lower case, one a line and each once: classes repeat their captions.
    constants: String,
}

/// Whether an address of IPv4 may be put together across an edge of this text, which stands between values: `.` joins
/// `10.0` and `0.5`, `.66` completes `203.0.113`, and `.example` does neither.
fn may_join_an_address(text: &str) -> bool {
    let is_part = |c: char| c == '.' || c.is_ascii_digit();
    let inside = text.trim_matches(is_part);
    let (behind_head, before_tail) = (text.len() - text.trim_start_matches(is_part).len(), text.trim_end_matches(is_part).len());
    let (head, tail) = (text.get(..behind_head).unwrap_or_default(), text.get(before_tail..).unwrap_or_default());
    let goes_on = |edge: &str| edge.contains('.') && (inside.is_empty() || edge.contains(|c: char| c.is_ascii_digit()));
    goes_on(head) || goes_on(tail)
}

impl Wording {
    /// Looks through a map.
    #[must_use]
    pub fn of(kind: &Kind) -> Self {
        let mut wording = Self::default();
        // Identities without a name of their own are qualified by the kind, and what the schema asks for and the record
        // does not give is made up of the others.
        [&kind.name, MADE_UP, &kind.product_name].into_iter().for_each(|text| wording.constant(text));
        kind.decoders.iter().for_each(|decoder| wording.decoder(*decoder));
        for (_, value) in kind.patterns.list.iter().flat_map(|pattern| &pattern.set) {
            wording.constant(value);
        }
        let mut tables = Vec::new();
        let mut see = |expression: &Expression| wording.expression(expression, &mut tables);
        kind.expressions(&mut see);
        kind.root.iter().chain(&kind.patterns.texts).for_each(&mut see);
        kind.overlays.iter().for_each(|overlay| identity(&overlay.identity, &mut see));
        let people = kind.classes.iter().flat_map(|class| class.actor.filled().chain(class.user.filled()));
        people.flat_map(|leaf| &leaf.from).for_each(|candidate| see(&candidate.expression));
        for class in &kind.classes {
            class.tree.iter().chain(&class.rules.metadata).for_each(|out| wording.out(out));
        }
        for table in tables {
            kind.reading.tables.get(&table).into_iter().flat_map(|table| table.meanings()).for_each(|meaning| wording.constant(meaning));
        }
        let each_once: BTreeSet<&str> = wording.constants.lines().collect();
        wording.constants = each_once.into_iter().collect::<Vec<_>>().join("\n");
        wording
    }

    /// Whether the map itself may put this word, which is in lower case, into a value.
    #[must_use]
    pub fn may_give(&self, word: &str) -> bool {
        self.constants.contains(word)
    }

    fn constant(&mut self, text: &str) {
        self.constants.push_str(&text.to_lowercase());
        self.constants.push('\n');
    }

    fn decoder(&mut self, decoder: Decoder) {
        match decoder {
            Decoder::Json => {}
            Decoder::Text | Decoder::Sections | Decoder::Syslog | Decoder::KeyValue => self.rewritten(),
            Decoder::Auditd => self.audited(),
            Decoder::Xml | Decoder::Jwt => self.ways.is_opaque = true,
        }
    }

    fn path(&mut self, path: &Path) {
        for segment in &path.segments {
            match segment {
                Segment::Member(_) | Segment::Element(_) | Segment::Each | Segment::Pick { .. } | Segment::Inside(Inner::Json) => {}
                Segment::Inside(Inner::Pairs) => self.ways.renumbers = self.ways.renumbers.max(DIGITS_OF_A_FLOAT),
                Segment::Inside(Inner::Query) => {
                    self.ways.reads_percent = true;
                    self.rewritten();
                }
                Segment::Inside(Inner::Syslog | Inner::KeyValue | Inner::Sections) => self.rewritten(),
                Segment::Inside(Inner::Auditd) => self.audited(),
                Segment::Inside(Inner::Base64 | Inner::Jwt | Inner::Xml) => self.ways.is_opaque = true,
            }
        }
    }

    /// Members are made of a text that is no JSON.
    fn rewritten(&mut self) {
        if !std::mem::replace(&mut self.ways.rewrites_texts, true) {
            let own = MEMBERS.iter().chain(&FACILITIES).chain(&LEVELS).chain([&DATA]);
            own.for_each(|text| self.constant(text));
        }
    }

    fn audited(&mut self) {
        self.ways.reads_hex = true;
        self.rewritten();
    }

    fn expression(&mut self, expression: &Expression, tables: &mut Vec<String>) {
        match &expression.primary {
            Primary::Path(path) => self.path(path),
            Primary::Literal(text) => self.constant(text),
            Primary::Template(pieces) => self.template(pieces, tables),
        }
        for function in &expression.functions {
            match function {
                // A part of the text, its words in any case, or a judgement about it.
                Function::Lower | Function::Trim | Function::Before(_) | Function::After(_) | Function::BeforeLast(_) => {}
                Function::AfterLast(_) | Function::Match(_) | Function::Host | Function::Words | Function::Split(_) => {}
                Function::Port | Function::NotIp | Function::Email | Function::NotEmail | Function::Text | Function::Keys => {}
                // Whoever asks for an address knows how else it may be spelled.
                Function::Ip => {}
                Function::Upper => self.ways.raises = true,
                Function::Number | Function::Count => self.ways.renumbers = self.ways.renumbers.max(DIGITS_OF_A_WHOLE),
                Function::Map(table) => tables.push(table.clone()),
                Function::Join(between) => self.between(between),
                Function::Hex => self.ways.reads_hex = true,
                Function::Unescape => self.ways.reads_percent = true,
            }
        }
    }

    fn template(&mut self, pieces: &[Piece], tables: &mut Vec<String>) {
        for piece in pieces {
            match piece {
                Piece::Text(text) => {
                    self.constant(text);
                    self.ways.joins_by_dots |= may_join_an_address(text);
                }
                Piece::Value(inner, _) => self.expression(inner, tables),
            }
        }
        // Two values side by side, or a text that goes on as a value begins: that may be a word that stands nowhere.
        self.ways.is_opaque |= pieces.windows(2).any(|pair| match pair {
            [Piece::Text(text), Piece::Value(..)] => text.ends_with(is_word),
            [Piece::Value(..), Piece::Text(text)] => text.starts_with(is_word),
            _ => true,
        });
    }

    fn between(&mut self, between: &str) {
        self.constant(between);
        self.ways.is_opaque |= between.is_empty() || between.starts_with(is_word) || between.ends_with(is_word);
        self.ways.joins_by_dots |= may_join_an_address(between);
    }

    /// What the schema puts in, and the paths to lists of objects.
    fn out(&mut self, out: &Out) {
        match out {
            Out::Leaf(leaf) => self.leaf(leaf),
            Out::Object(object) => self.object(object),
            Out::Each { paths, object, .. } => {
                paths.iter().for_each(|path| self.path(path));
                self.object(object);
            }
            Out::Items { objects, .. } => objects.iter().for_each(|object| self.object(object)),
        }
    }

    fn leaf(&mut self, leaf: &Leaf) {
        leaf.words.iter().chain(leaf.numbers.iter().map(|(_, caption)| caption)).for_each(|text| self.constant(text));
    }

    fn object(&mut self, object: &Object) {
        object.fill.iter().for_each(|(_, filled)| self.constant(&String::from_utf8_lossy(filled)));
        object.children.iter().for_each(|child| self.out(child));
    }
}

fn identity(identity: &Identity, see: &mut dyn FnMut(&Expression)) {
    identity.actor.iter().chain(&identity.target).for_each(see);
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use crate::source::Catalog;
    use crate::source::compile::compile;

    #[test]
    fn what_a_map_does_to_words_is_known() {
        let of = |fields: &str| {
            let map = format!(
                "kind = \"x\"\ntitle = \"X\"\nversion = 1\nproduct = {{ name = \"X\" }}\n[fields]\n{fields}\n[default]\nclass = \"api_activity\"\nactivity = \"Other\"\n"
            );
            Wording::of(&compile(&map).unwrap())
        };
        let name = |expression: &str| of(&format!("\"actor.user.name\" = \"{expression}\""));
        let ways = |expression: &str| name(expression).ways;
        assert_eq!(ways("a.b"), Ways::default());
        assert!(name("a.b").may_give("unknown") && !name("'robot'").may_give("ana") && name("'Robot'").may_give("robot"));
        for glued in ["{a}{b}", "{a?}{b}", "id{a}", "{a}s", "a | join:''", "a | join:'x'", "a(base64).b", "a(jwt).b", "a(xml).b"] {
            assert!(ways(glued).is_opaque, "{glued}");
        }
        for apart in ["{a} {b}", "{a?}/{b}", "id {a}", "a | join:', '", "a(json).b", "a(query).b"] {
            assert!(!ways(apart).is_opaque, "{apart}");
        }
        for joined in ["{a}.{b}", "a | join:'.'", "{a}.0.{b}", "{a} .66", "{a}.0.x"] {
            assert!(ways(joined).joins_by_dots, "{joined}");
        }
        for apart in ["{a} {b}", "{a}.example.com", "{a}, {b}", "{a}.eu-1.x {b}"] {
            assert!(!ways(apart).joins_by_dots, "{apart}");
        }
        assert!(ways("a | hex").reads_hex && ways("a(auditd).b").reads_hex);
        assert!(ways("a | unescape").reads_percent && ways("a(query).b").reads_percent);
        assert!(ways("a | upper").raises && ways("a(pairs).b").renumbers == 17 && ways("a | number").renumbers == 20);
        assert_eq!(ways("{a | number} {b(pairs).c}").renumbers, 20);
        assert!(ways("a(keyvalue).b").rewrites_texts && name("a(syslog).facility").may_give("authpriv"));
    }

    #[test]
    fn the_names_that_decoders_give_are_known() {
        let wording = |decoder| {
            let mut wording = Wording::default();
            wording.decoder(decoder);
            wording
        };
        let lines = [
            (Decoder::Syslog, "<86>1 2026-01-02T03:04:05Z web sshd 7 ID9 [x@1 k=\"v\"] Failed"),
            (Decoder::Syslog, "<38>Jan  2 03:04:05 web sshd[7]: Failed"),
            (Decoder::Auditd, "<86>Jan  2 03:04:05 web kernel: type=USER_LOGIN msg=audit(1767323045.1:7): pid=1 acct=616e61"),
            (Decoder::Text, "Failed"),
            (Decoder::Sections, "01/02/2026 03:04:05 AM\nEventCode=4625\nMessage=x\nSubject:\n\tAccount Name:\tana\n"),
            (Decoder::KeyValue, "user=ana"),
        ];
        for (decoder, line) in lines {
            let decoded: serde_json::Value = serde_json::from_str(&decoder.decode(line).unwrap()).unwrap();
            for member in decoded.as_object().unwrap().keys() {
                assert!(line.contains(member.as_str()) || wording(decoder).may_give(member), "{member} of {line}");
            }
        }
    }

    #[test]
    fn most_maps_copy() {
        let catalog = Catalog::built_in();
        let count = |is: fn(Ways) -> bool| catalog.kinds().iter().filter(|kind| is(Wording::of(kind).ways)).count();
        assert!(count(|ways| ways.is_opaque) * 3 < catalog.kinds().len());
        assert!(count(|ways| ways.joins_by_dots) * 3 < catalog.kinds().len());
    }
}
