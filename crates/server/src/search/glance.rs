//! What the bytes of a record settle before it is understood: a word that is asked for and can only come from the record
//! must stand in it.
//!
//! INVARIANT: a record that is ruled out does not match. Where a word might come from elsewhere, or be spelled in another
//! way, nothing is ruled out.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock};

use memchr::memmem::Finder;
use memchr::{memchr, memchr3_iter};

use crate::search::Index;
use crate::search::caseless::Caseless;
use crate::search::compare::{Literal, Ready, address, fold, words};
use crate::search::field::{Field, Name};
use crate::search::matcher::{Matcher, Node};
use crate::search::narrow::other_names;
use crate::search::wording::{Ways, Wording};
use crate::source::directory::Directory;

/// Capitals outside ASCII that are ASCII in lower case: the sign of kelvin, and I with a dot.
const CAPITALS: [&[u8]; 2] = [KELVIN, DOTTED];
const KELVIN: &[u8; 3] = b"\xe2\x84\xaa";
const DOTTED: &[u8; 2] = b"\xc4\xb0";
/// How the base64 of a JSON object begins, in the envelopes of a message queue.
static PACKED: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"ey"));
/// How an address of IPv4 begins that came as one of IPv6, in whatever way the rest is written.
static MAPPED: LazyLock<Caseless> = LazyLock::new(|| Caseless::new("ffff"));

/// The line, made ready for records of each source.
#[derive(Debug)]
pub struct Glance {
    of_sources: BTreeMap<u32, Arc<Look>>,
    /// Whether it looks at what stands beside a record too.
    pub asks_people: bool,
    /// Whether it may rule out records of every source.
    pub rules_out: bool,
}

/// What must stand in a record.
#[derive(Debug)]
enum Look {
    /// Nothing that could be said.
    Anything,
    All(Vec<Self>),
    Any(Vec<Self>),
    /// What free text needs.
    Text(Needs),
    /// What the value of a field needs, by a map that does this to words.
    Value(Needs, Ways),
}

/// Words that must all be there.
#[derive(Debug)]
struct Needs {
    words: Vec<Need>,
    /// Length of the shortest.
    shortest: usize,
    is_address: bool,
}

/// A word that must be there.
#[derive(Debug)]
struct Need {
    word: Caseless,
    /// How long a number of the record must be able to become for this to be one that was written anew; `None` of what is
    /// never part of a number.
    digits: Option<usize>,
}

/// Whether free text that passes may stand in a record; its bytes settle most, without being parsed.
#[must_use]
pub fn may_say(ready: &Ready, record: &[u8]) -> bool {
    match ready {
        Ready::Is(literal) => Bytes { record, people: &[] }.may_say(literal.finders.iter()),
        _ => true,
    }
}

impl Glance {
    /// Makes a line ready for sources of these numbers and kinds; of every other nothing is ruled out.
    #[must_use]
    pub fn new<'k>(matcher: &Matcher, index: &Index, directory: &Directory, sources: impl IntoIterator<Item = (u32, &'k str)>) -> Self {
        let (mut of_sources, mut of_kinds, mut rules_out) = (BTreeMap::new(), HashMap::new(), true);
        for (number, kind) in sources {
            let of_kind = || {
                let wording = index.wording(kind)?;
                Some(Arc::new(Preparing { wording: &wording, directory }.look(&matcher.root)))
            };
            let look = of_kinds.entry(kind).or_insert_with(of_kind).clone();
            rules_out &= look.as_ref().is_some_and(|look| !matches!(**look, Look::Anything));
            of_sources.extend(look.map(|look| (number, look)));
        }
        Self { asks_people: asks_id(&matcher.root), rules_out, of_sources }
    }

    /// Whether a record of a source may match. What stands beside it is looked at only if [`Self::asks_people`].
    #[must_use]
    pub fn may_match(&self, source: u32, record: &[u8], people: &[u8]) -> bool {
        let Some(look) = self.of_sources.get(&source) else { return true };
        look.may_hold(&Bytes { record, people: if self.asks_people { people } else { &[] } })
    }
}

/// Whether a line asks for an id: one may stand beside its record.
fn asks_id(node: &Node) -> bool {
    match node {
        Node::And(nodes) | Node::Or(nodes) => nodes.iter().any(asks_id),
        Node::Not(node) => asks_id(node),
        Node::Term(field, _) => *field == Some(Field::Named(Name::Id)),
        Node::All => false,
    }
}

/// Makes a line ready for one kind.
struct Preparing<'a> {
    wording: &'a Wording,
    directory: &'a Directory,
}

impl Preparing<'_> {
    fn look(&self, node: &Node) -> Look {
        match node {
            Node::And(nodes) => Look::All(nodes.iter().map(|node| self.look(node)).collect()).simple(),
            Node::Or(nodes) => Look::Any(nodes.iter().map(|node| self.look(node)).collect()).simple(),
            Node::Term(None, Ready::Is(literal)) => Look::Text(Needs::of_text(literal)).simple(),
            Node::Term(Some(Field::Raw(_)), Ready::Is(literal)) if literal.address.is_none() && literal.network.is_none() => {
                Look::Text(Needs::of_text(literal)).simple()
            }
            Node::Term(Some(Field::Named(name)), ready @ Ready::Is(literal)) if is_copied(*name) => self.field(*name, literal, ready),
            Node::All | Node::Not(_) | Node::Term(..) => Look::Anything,
        }
    }

    /// What a field needs to have this value, under any name of the person it is.
    fn field(&self, name: Name, literal: &Literal, ready: &Ready) -> Look {
        if self.wording.ways.is_opaque || literal.network.is_some() {
            return Look::Anything;
        }
        // Of prose the words count, in whatever way they are parted.
        let own = self.value(&literal.folded, literal.address.is_some() && !name.is_prose());
        if !matches!(name, Name::Actor | Name::Target) {
            return own;
        }
        let others = other_names(self.directory, ready).into_iter().map(|other| self.value(&fold(other), address(other).is_some()));
        Look::Any(std::iter::once(own).chain(others).collect()).simple()
    }

    fn value(&self, folded: &str, is_address: bool) -> Look {
        let Wording { ways, .. } = self.wording;
        let is_dotted = is_address && !folded.contains(':');
        if is_address && (!is_dotted || self.wording.may_give(folded)) {
            // An address of IPv6 is spelled in many ways.
            return Look::Anything;
        }
        let own: Vec<&str> = match is_dotted && !ways.joins_by_dots {
            true => vec![folded],
            false => words(folded).filter(|word| !self.wording.may_give(word)).collect(),
        };
        Look::Value(Needs::of(&own, is_address), *ways).simple()
    }
}

/// Fields whose values are copies of the record's, or texts of the map: no captions, countries or names of sources.
const fn is_copied(name: Name) -> bool {
    matches!(
        name,
        Name::Actor
            | Name::Target
            | Name::Ip
            | Name::Id
            | Name::Session
            | Name::Resource
            | Name::Account
            | Name::Region
            | Name::UserAgent
            | Name::Message
    )
}

impl Look {
    /// The same, without what says nothing.
    fn simple(self) -> Self {
        match self {
            Self::All(mut looks) => {
                looks.retain(|look| !matches!(look, Self::Anything));
                if looks.is_empty() { Self::Anything } else { Self::All(looks) }
            }
            Self::Any(looks) if looks.iter().any(|look| matches!(look, Self::Anything)) => Self::Anything,
            Self::Text(needs) | Self::Value(needs, _) if needs.words.is_empty() => Self::Anything,
            other => other,
        }
    }

    fn may_hold(&self, bytes: &Bytes<'_>) -> bool {
        match self {
            Self::Anything => true,
            Self::All(looks) => looks.iter().all(|look| look.may_hold(bytes)),
            Self::Any(looks) => looks.iter().any(|look| look.may_hold(bytes)),
            Self::Text(needs) => bytes.may_say(needs.words.iter().map(|need| &need.word)),
            Self::Value(needs, ways) => bytes.may_give(needs, *ways),
        }
    }
}

impl Needs {
    fn of_text(literal: &Literal) -> Self {
        Self::of(&literal.words.iter().map(String::as_str).collect::<Vec<_>>(), false)
    }

    fn of(words: &[&str], is_address: bool) -> Self {
        let need = |word: &&str| Need { word: Caseless::new(word), digits: digits(word) };
        Self { words: words.iter().map(need).collect(), shortest: words.iter().map(|word| word.len()).min().unwrap_or(0), is_address }
    }
}

/// As [`Need::digits`].
fn digits(word: &str) -> Option<usize> {
    match word.as_bytes() {
        bytes if !bytes.iter().all(|byte| byte.is_ascii_digit() || *byte == b'e') => None,
        // What follows the point of a small number, or its exponent.
        [b'0', ..] => Some(1),
        bytes if bytes.contains(&b'e') => Some(1),
        bytes => Some(bytes.len()),
    }
}

/// A record, and what else a value may come from.
struct Bytes<'a> {
    record: &'a [u8],
    people: &'a [u8],
}

impl Bytes<'_> {
    /// Whether these words may stand in the texts of the record.
    fn may_say<'f>(&self, mut words: impl Iterator<Item = &'f Caseless>) -> bool {
        words.all(|word| self.holds(word)) || self.is_spelled_otherwise()
    }

    fn any(&self, test: impl Fn(&[u8]) -> bool) -> bool {
        test(self.record) || test(self.people)
    }

    fn holds(&self, word: &Caseless) -> bool {
        // Other letters than those of ASCII may be in either case here.
        !word.word().is_ascii() || self.any(|bytes| word.is_in(bytes))
    }

    /// Whether a letter may stand there as another character: of JSON's escapes one alone stands for a letter.
    fn is_spelled_otherwise(&self) -> bool {
        self.any(|bytes| {
            memchr3_iter(b'\\', KELVIN[0], DOTTED[0], bytes).any(|at| {
                let rest = bytes.get(at..).unwrap_or_default();
                matches!(rest, [b'\\', b'u' | b'U', ..]) || CAPITALS.iter().any(|capital| rest.starts_with(capital))
            })
        })
    }

    /// Whether a map may make such a value of the record.
    fn may_give(&self, needs: &Needs, ways: Ways) -> bool {
        let is_written_anew = |need: &Need| need.digits.is_some_and(|digits| digits <= ways.renumbers);
        needs.words.iter().all(|need| is_written_anew(need) || self.holds(&need.word))
            || self.is_spelled_otherwise()
            || (needs.is_address && self.any(|bytes| MAPPED.is_in(bytes)))
            || (ways.rewrites_texts && self.any(has_escapes))
            || (ways.reads_percent && self.any(|bytes| memchr(b'%', bytes).is_some()))
            || (ways.raises && self.any(|bytes| !bytes.is_ascii()))
            // Two digits stand for a character.
            || (ways.reads_hex && self.any(|bytes| longest_hex(bytes) >= 2 * needs.shortest))
            || self.any(|bytes| PACKED.find(bytes).is_some())
    }
}

/// Whether something stands for another character, or is none.
fn has_escapes(bytes: &[u8]) -> bool {
    let is_control = |chunk: &[u8]| chunk.iter().fold(false, |any, byte| any | byte.is_ascii_control());
    memchr(b'\\', bytes).is_some() || bytes.chunks(64).any(is_control)
}

/// The most hexadecimal digits in a row.
fn longest_hex(bytes: &[u8]) -> usize {
    let runs = bytes.split(|byte| !byte.is_ascii_hexdigit());
    runs.map(<[u8]>::len).max().unwrap_or(0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use crate::search::parse::parse;
    use crate::source::Catalog;

    const OKTA: u32 = 1;
    const AWS: u32 = 2;
    const LINUX: u32 = 3;
    const GOOGLE: u32 = 4;

    fn glance(line: &str) -> Glance {
        let index = Index::none(Arc::new(Catalog::built_in()));
        Glance::new(
            &Matcher::new(&parse(line).unwrap(), 0),
            &index,
            &Directory::default(),
            [(OKTA, "okta"), (AWS, "aws_cloudtrail"), (LINUX, "linux_auth"), (GOOGLE, "google_workspace")],
        )
    }

    #[test]
    fn a_record_without_the_word_is_ruled_out_unless_it_may_be_spelled_otherwise() {
        let actor = glance("actor:ana@corp.example");
        let may = |record: &str| actor.may_match(OKTA, record.as_bytes(), b"{}");
        assert!(may(r#"{"u":"ANA@corp.example"}"#) && !may(r#"{"u":"bob@corp.example"}"#));
        assert!(may(r#"{"u":"\u0061na"}"#) && may("{\"u\":\"bob\",\"data\":\"eyJ\"}") && may("{\"u\":\"\u{212a}\"}"));
        assert!(actor.may_match(9, b"{}", b"{}"), "of a source that is not known");
        let text = glance("stranger OR actor:eve");
        assert!(text.may_match(OKTA, b"a STRANGER", b"{}") && text.may_match(OKTA, b"eve", b"{}") && !text.may_match(OKTA, b"x", b"{}"));
        let ip = glance("ip:203.0.113.66");
        let may = |record: &str| ip.may_match(AWS, record.as_bytes(), b"{}");
        assert!(may("203.0.113.66") && !may("203.0.113.67"));
        assert!(may("::FFFF:cb00:7142") && may("0:0:0:0:0:fFfF:203.0.113.66") && !may("fff:cb00:7142"));
        let prose = glance("message:10.0.0.5");
        assert!(prose.may_match(OKTA, b"ip-10-0-0-5", b"{}") && !prose.may_match(OKTA, b"ip-10-0-0-6", b"{}"));
        assert!(glance("id:one").may_match(OKTA, b"{}", br#"{"id":"one"}"#), "an id may stand beside the record");
        for line in ["*", "NOT actor:ana", "actor:a*", "ip:10.0.0.0/8", "ip:2001:db8::1", "outcome:failure", "source:okta", "country:DE"] {
            assert!(glance(line).may_match(OKTA, b"{}", b"{}"), "{line}");
        }
    }

    #[test]
    fn a_number_that_the_map_may_write_anew_is_not_looked_for_and_other_words_are() {
        let may = |line: &str, record: &str| glance(line).may_match(GOOGLE, record.as_bytes(), b"{}");
        assert!(
            may("actor:1000", r#"{"value":1e3}"#)
                && may("actor:\"1000 000012345678901234567\"", "{}")
                && may("actor:602477250782483e18", "{}")
        );
        assert!(!may("id:-8602477250782483056", "{}") && may("id:-8602477250782483056", r#"{"n":-8602477250782483056}"#));
        assert!(!may("id:21034567-12e4-4abc-9def-0123456789ab", "{}"), "one of its words is no number");
    }

    #[test]
    fn hexadecimal_digits_may_be_a_word() {
        let line = glance("actor:ana");
        assert!(line.may_match(LINUX, b"acct=616E61", b"{}") && !line.may_match(LINUX, b"acct=616E6", b"{}"));
    }
}
