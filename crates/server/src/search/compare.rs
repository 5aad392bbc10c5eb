//! Compares one value with what was asked for. Letters are compared without regard to case.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::net::IpAddr;

use crate::intake::Network;
use crate::search::caseless::Caseless;
use crate::search::instant::{self, Span};
use crate::search::query::{Bound, Piece, Test, is_word};

/// All times.
const ALWAYS: (i64, i64) = (i64::MIN, i64::MAX);

/// A text with its letters in lower case, each for itself.
#[must_use]
pub fn fold(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        let lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
        return if lower { Cow::Borrowed(text) } else { Cow::Owned(text.to_ascii_lowercase()) };
    }
    Cow::Owned(text.chars().flat_map(char::to_lowercase).collect())
}

/// The words of a folded text: runs of letters, digits and underscores.
pub fn words(folded: &str) -> impl Iterator<Item = &str> {
    folded.split(|c| !is_word(c)).filter(|word| !word.is_empty())
}

/// An address, with an IPv4 address that came as IPv6 as itself.
#[must_use]
pub fn address(text: &str) -> Option<IpAddr> {
    // Nothing longer is an address; most values are settled by this alone.
    let may_be = text.len() <= 45 && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'.' || byte == b':');
    may_be.then(|| text.parse::<IpAddr>().ok()).flatten().map(|address| address.to_canonical())
}

/// A test, made ready.
#[derive(Clone, Debug)]
pub enum Ready {
    /// Is this.
    Is(Box<Literal>),
    /// Looks like this.
    Like(Vec<Piece>),
    /// Lies between.
    Between(Box<Limit>, Box<Limit>),
}

/// A text that is asked for.
#[derive(Clone, Debug)]
pub struct Literal {
    /// In lower case.
    pub folded: String,
    /// Its words.
    pub words: Vec<String>,
    /// What finds each of them in bytes.
    pub finders: Vec<Caseless>,
    /// The address it is.
    pub address: Option<IpAddr>,
    /// The range of addresses it is.
    pub network: Option<Network>,
    /// The time it is.
    pub span: Option<Span>,
}

/// An end of a range.
#[derive(Clone, Debug)]
pub enum Limit {
    /// None.
    Open,
    /// This one.
    At {
        /// The value.
        literal: Literal,
        /// Whether it belongs to the range.
        included: bool,
    },
}

impl Literal {
    fn new(text: &str, now_ms: i64) -> Self {
        let folded = fold(text).into_owned();
        let words: Vec<_> = words(&folded).map(str::to_owned).collect();
        let finders = words.iter().map(|word| Caseless::new(word)).collect();
        let network = if text.contains('/') { text.parse().ok() } else { None };
        Self { words, finders, address: address(text), network, span: instant::read(text, now_ms), folded }
    }

    fn is(&self, value: &str, folded: &str) -> bool {
        if self.folded == folded {
            return true;
        }
        (self.address.is_some() || self.network.is_some())
            && address(value).is_some_and(|of| self.address == Some(of) || self.network.is_some_and(|network| network.holds(of)))
    }

    /// Whether a folded text holds these words, one behind the other; a text without words, anywhere.
    fn is_in(&self, folded: &str) -> bool {
        match self.words.as_slice() {
            [] => folded.contains(&self.folded),
            [one] => words(folded).any(|word| word == one),
            all => {
                let there: Vec<&str> = words(folded).collect();
                there.windows(all.len()).any(|window| window.iter().zip(all).all(|(word, wanted)| word == wanted))
            }
        }
    }

    /// How a value stands to this one; `None` when they cannot be compared.
    fn order(&self, value: &str, folded: &str) -> Option<Ordering> {
        if let Some(own) = self.address {
            let of = address(value)?;
            return (of.is_ipv4() == own.is_ipv4()).then(|| of.cmp(&own));
        }
        if let Ok(own) = self.folded.parse::<i128>()
            && let Ok(of) = folded.parse::<i128>()
        {
            return Some(of.cmp(&own));
        }
        match number(&self.folded) {
            Some(own) => number(folded)?.partial_cmp(&own),
            None => Some(folded.cmp(&self.folded)),
        }
    }
}

/// A number in digits; words that a machine takes for numbers (`inf`, `nan`) are none.
fn number(text: &str) -> Option<f64> {
    text.bytes().any(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

impl Ready {
    /// Makes a test ready; times back from now count from `now_ms`.
    #[must_use]
    pub fn new(test: &Test, now_ms: i64) -> Self {
        let limit = |bound: &Bound| match bound {
            Bound::Open => Limit::Open,
            Bound::Including(text) => Limit::At { literal: Literal::new(text, now_ms), included: true },
            Bound::Excluding(text) => Limit::At { literal: Literal::new(text, now_ms), included: false },
        };
        match test {
            Test::Is(text) => Self::Is(Box::new(Literal::new(text, now_ms))),
            Test::Like(pieces) => Self::Like(folded_pieces(pieces)),
            Test::Between(low, high) => Self::Between(Box::new(limit(low)), Box::new(limit(high))),
        }
    }

    /// Whether a whole value passes.
    #[must_use]
    pub fn value(&self, value: &str) -> bool {
        let folded = fold(value);
        match self {
            Self::Is(literal) => literal.is(value, &folded),
            Self::Like(pieces) => like(pieces, &folded),
            Self::Between(low, high) => {
                let inside = |limit: &Limit, outside: Ordering| match limit {
                    Limit::Open => true,
                    Limit::At { literal, included } => {
                        literal.order(value, &folded).is_some_and(|order| order != outside && (*included || order != Ordering::Equal))
                    }
                };
                inside(low, Ordering::Less) && inside(high, Ordering::Greater)
            }
        }
    }

    /// Whether a text of many words passes: the words asked for stand in it, or it passes as a whole.
    #[must_use]
    pub fn prose(&self, value: &str) -> bool {
        match self {
            Self::Is(literal) => literal.is_in(&fold(value)),
            Self::Like(_) | Self::Between(..) => self.value(value),
        }
    }

    /// Whether free text passes: as [`Ready::prose`], and a pattern may fit one of its words.
    #[must_use]
    pub fn text(&self, value: &str) -> bool {
        match self {
            Self::Like(pieces) => {
                let folded = fold(value);
                like(pieces, &folded) || words(&folded).any(|word| like(pieces, word))
            }
            _ => self.prose(value),
        }
    }

    /// Whether a point in time passes, ms.
    #[must_use]
    pub fn time(&self, ms: i64) -> bool {
        match self {
            Self::Is(literal) => literal.span.is_some_and(|span| (span.from_ms..span.to_ms).contains(&ms)),
            Self::Like(pieces) => like(pieces, &fold(&instant::format(ms))),
            Self::Between(low, high) => {
                let (from, to) = bounds(low, high);
                (from..to).contains(&ms)
            }
        }
    }

    /// Whether everything between two times that pass does, too.
    #[must_use]
    pub fn is_span(&self) -> bool {
        match self {
            Self::Is(literal) => literal.span.is_some(),
            Self::Between(..) => true,
            Self::Like(_) => false,
        }
    }

    /// The times that may pass: from the first, before the second. All, when that cannot be said.
    #[must_use]
    pub fn times(&self) -> (i64, i64) {
        match self {
            Self::Is(literal) => literal.span.map_or(ALWAYS, |span| (span.from_ms, span.to_ms)),
            Self::Between(low, high) => bounds(low, high),
            Self::Like(_) => ALWAYS,
        }
    }
}

/// Bounds in time: a bound stands for all of its day, minute or second.
fn bounds(low: &Limit, high: &Limit) -> (i64, i64) {
    let span = |limit: &Limit| match limit {
        Limit::At { literal: Literal { span: Some(span), .. }, included } => Some((*span, *included)),
        _ => None,
    };
    let from = span(low).map_or(i64::MIN, |(span, included)| if included { span.from_ms } else { span.to_ms });
    let to = span(high).map_or(i64::MAX, |(span, included)| if included { span.to_ms } else { span.from_ms });
    (from, to)
}

fn folded_pieces(pieces: &[Piece]) -> Vec<Piece> {
    let fold = |piece: &Piece| -> Vec<Piece> {
        match piece {
            Piece::Char(c) => c.to_lowercase().map(Piece::Char).collect(),
            other => vec![*other],
        }
    };
    pieces.iter().flat_map(fold).collect()
}

/// Whether all of a folded text looks like the pattern. Takes at most their product in steps.
fn like(pieces: &[Piece], folded: &str) -> bool {
    let (mut text, mut at) = (folded.chars(), 0);
    // Where to go on when what was tried does not fit: behind the last `*`, one character later.
    let mut again: Option<(usize, std::str::Chars<'_>)> = None;
    loop {
        let before = text.clone();
        let fits = match (pieces.get(at), text.next()) {
            (Some(Piece::Any), _) => {
                text = before.clone();
                again = Some((at + 1, before));
                at += 1;
                continue;
            }
            (None, None) => return true,
            (Some(Piece::One), Some(_)) => true,
            (Some(Piece::Char(wanted)), Some(c)) => *wanted == c,
            // The text is used up, and the pattern is not.
            (Some(_), None) => return false,
            (None, Some(_)) => false,
        };
        if fits {
            at += 1;
            continue;
        }
        let Some((behind, mut rest)) = again.take() else { return false };
        if rest.next().is_none() {
            return false;
        }
        (at, text) = (behind, rest.clone());
        again = Some((behind, rest));
    }
}

#[cfg(test)]
#[path = "compare/tests.rs"]
mod tests;
