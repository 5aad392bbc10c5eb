//! What the bytes of a record settle before it is understood: a word that is asked for and can only come from the record
//! must stand in it.
//!
//! INVARIANT: a record that is ruled out does not match. Where a word might come from elsewhere, or be spelled in another
//! way, nothing is ruled out.

use std::cell::RefCell;
use std::collections::HashMap;

use memchr::memchr;
use memchr::memmem::{Finder, find};

use crate::search::Index;
use crate::search::compare::{Literal, Ready, address, fold, words};
use crate::search::field::{Field, Name};
use crate::search::matcher::{Matcher, Node};
use crate::search::narrow::other_names;
use crate::search::wording::{Ways, Wording};
use crate::source::directory::Directory;

/// Capitals outside ASCII that are ASCII in lower case: the sign of kelvin, and I with a dot.
const CAPITALS: [&[u8]; 2] = ["\u{212a}".as_bytes(), "\u{130}".as_bytes()];
/// How an address of IPv4 begins that came as one of IPv6, in whatever way the rest is written.
const MAPPED: &[u8] = b"ffff";
/// How the base64 of a JSON object begins, in the envelopes of a message queue.
const PACKED: &[u8] = b"\"ey";

thread_local! {
    /// What is looked at, in lower case.
    static LOWER: RefCell<Vec<u8>> = RefCell::default();
}

/// The line, made ready for records of each kind of source.
#[derive(Debug)]
pub struct Glance {
    of_kinds: HashMap<String, Look>,
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
    words: Vec<Finder<'static>>,
    /// Length of the shortest.
    shortest: usize,
    /// Some of them may be a number.
    has_number: bool,
    is_address: bool,
}

/// Whether free text that passes may stand in a record; its bytes settle most, without being parsed.
#[must_use]
pub fn may_say(ready: &Ready, record: &[u8]) -> bool {
    match ready {
        Ready::Is(literal) => Lower::with(&[record], |lower| lower.may_say(literal.finders.iter())),
        _ => true,
    }
}

impl Glance {
    /// Makes a line ready for these kinds; of every other nothing is ruled out.
    #[must_use]
    pub fn new<'k>(matcher: &Matcher, index: &Index, directory: &Directory, kinds: impl IntoIterator<Item = &'k str>) -> Self {
        let mut of_kinds = HashMap::new();
        for kind in kinds {
            if !of_kinds.contains_key(kind)
                && let Some(wording) = index.wording(kind)
            {
                of_kinds.insert(kind.to_owned(), Preparing { wording: &wording, directory }.look(&matcher.root));
            }
        }
        Self { of_kinds }
    }

    /// Whether a record of a source of this kind may match.
    #[must_use]
    pub fn may_match(&self, kind: &str, people: &[u8], record: &[u8]) -> bool {
        let Some(look) = self.of_kinds.get(kind) else { return true };
        Lower::with(&[record, people], |lower| look.may_hold(lower))
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

    fn may_hold(&self, lower: &Lower<'_>) -> bool {
        match self {
            Self::Anything => true,
            Self::All(looks) => looks.iter().all(|look| look.may_hold(lower)),
            Self::Any(looks) => looks.iter().any(|look| look.may_hold(lower)),
            Self::Text(needs) => lower.may_say(needs.words.iter()),
            Self::Value(needs, ways) => lower.may_give(needs, *ways),
        }
    }
}

impl Needs {
    fn of_text(literal: &Literal) -> Self {
        Self::of(&literal.words.iter().map(String::as_str).collect::<Vec<_>>(), false)
    }

    fn of(words: &[&str], is_address: bool) -> Self {
        // Large ones have an exponent.
        let may_be_number = |word: &&str| word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'e');
        Self {
            words: words.iter().map(|word| Finder::new(word).into_owned()).collect(),
            shortest: words.iter().map(|word| word.len()).min().unwrap_or(0),
            has_number: words.iter().any(may_be_number),
            is_address,
        }
    }
}

/// A record, and what else a value may come from, in lower case.
struct Lower<'a>(&'a [u8]);

impl Lower<'_> {
    fn with<T>(parts: &[&[u8]], look: impl FnOnce(&Lower<'_>) -> T) -> T {
        LOWER.with_borrow_mut(|lower| {
            lower.clear();
            for part in parts {
                lower.extend_from_slice(part);
                lower.push(b' ');
            }
            lower.make_ascii_lowercase();
            look(&Lower(lower))
        })
    }

    /// Whether these words may stand in the texts of the record.
    fn may_say<'f>(&self, mut words: impl Iterator<Item = &'f Finder<'static>>) -> bool {
        words.all(|word| self.holds(word)) || self.is_spelled_otherwise()
    }

    fn holds(&self, word: &Finder<'_>) -> bool {
        // Other letters than those of ASCII are not in lower case here.
        !word.needle().is_ascii() || word.find(self.0).is_some()
    }

    /// Whether a letter may stand there as another character: of JSON's escapes one alone stands for a letter.
    fn is_spelled_otherwise(&self) -> bool {
        let escaped = memchr(b'\\', self.0).is_some() && find(self.0, b"\\u").is_some();
        escaped || (!self.0.is_ascii() && CAPITALS.iter().any(|capital| find(self.0, capital).is_some()))
    }

    /// Whether a map may make such a value of the record.
    fn may_give(&self, needs: &Needs, ways: Ways) -> bool {
        needs.words.iter().all(|word| self.holds(word))
            || self.is_spelled_otherwise()
            || (needs.is_address && find(self.0, MAPPED).is_some())
            || (ways.rewrites_texts && self.0.iter().any(|byte| *byte == b'\\' || byte.is_ascii_control()))
            || (ways.reads_percent && memchr(b'%', self.0).is_some())
            || (ways.raises && !self.0.is_ascii())
            || (ways.renumbers && needs.has_number)
            // Two digits stand for a character.
            || (ways.reads_hex && self.longest_hex() >= 2 * needs.shortest)
            || find(self.0, PACKED).is_some()
    }

    /// The most hexadecimal digits in a row.
    fn longest_hex(&self) -> usize {
        let runs = self.0.split(|byte| !byte.is_ascii_hexdigit());
        runs.map(<[u8]>::len).max().unwrap_or(0)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::search::parse::parse;
    use crate::source::Catalog;

    fn glance(line: &str) -> Glance {
        let index = Index::none(Arc::new(Catalog::built_in()));
        Glance::new(&Matcher::new(&parse(line).unwrap(), 0), &index, &Directory::default(), ["okta", "aws_cloudtrail", "linux_auth"])
    }

    #[test]
    fn a_record_without_the_word_is_ruled_out_unless_it_may_be_spelled_otherwise() {
        let actor = glance("actor:ana@corp.example");
        let may = |record: &str| actor.may_match("okta", b"{}", record.as_bytes());
        assert!(may(r#"{"u":"ANA@corp.example"}"#) && !may(r#"{"u":"bob@corp.example"}"#));
        assert!(may(r#"{"u":"\u0061na"}"#) && may("{\"u\":\"bob\",\"data\":\"eyJ\"}") && may("{\"u\":\"\u{212a}\"}"));
        assert!(actor.may_match("nobody's", b"{}", b"{}"), "of a kind that is not known");
        let text = glance("stranger OR actor:eve");
        assert!(
            text.may_match("okta", b"{}", b"a STRANGER") && text.may_match("okta", b"{}", b"eve") && !text.may_match("okta", b"{}", b"x")
        );
        let ip = glance("ip:203.0.113.66");
        let may = |record: &str| ip.may_match("aws_cloudtrail", b"{}", record.as_bytes());
        assert!(may("203.0.113.66") && may("::FFFF:cb00:7142") && !may("203.0.113.67"));
        let prose = glance("message:10.0.0.5");
        assert!(prose.may_match("okta", b"{}", b"ip-10-0-0-5") && !prose.may_match("okta", b"{}", b"ip-10-0-0-6"));
        assert!(glance("id:one").may_match("okta", br#"{"id":"one"}"#, b"{}"), "an id may stand beside the record");
        for line in ["*", "NOT actor:ana", "actor:a*", "ip:10.0.0.0/8", "ip:2001:db8::1", "outcome:failure", "source:okta", "country:DE"] {
            assert!(glance(line).may_match("okta", b"{}", b"{}"), "{line}");
        }
    }

    #[test]
    fn hexadecimal_digits_may_be_a_word() {
        let line = glance("actor:ana");
        assert!(line.may_match("linux_auth", b"{}", b"acct=616E61") && !line.may_match("linux_auth", b"{}", b"acct=616E6"));
    }
}
