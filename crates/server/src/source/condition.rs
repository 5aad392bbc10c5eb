//! Conditions of a map: expression → matcher.

use crate::source::evaluate::Context;
use crate::source::expression::{BadExpression, Expression};
use crate::source::spec::{self, Matcher, OneOrMany};
use crate::source::value::Value;

/// A text to compare with; `*` stands for anything.
#[derive(Debug, Clone, PartialEq)]
pub enum Glob {
    /// Anything that is there.
    Any,
    /// Just this, without regard to case.
    Exact(String),
    /// A number that compares so.
    Compared(Comparison, f64),
    /// These pieces in order; whether the first and last may float.
    Pieces {
        /// In lower case.
        pieces: Vec<String>,
        /// The text begins with the first piece.
        from_start: bool,
        /// The text ends with the last piece.
        to_end: bool,
    },
}

/// How a number compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the signs are the names")]
pub enum Comparison {
    Less,
    AtMost,
    More,
    AtLeast,
}

impl Comparison {
    fn parse(text: &str) -> Option<(Self, f64)> {
        let signs = [("<=", Self::AtMost), (">=", Self::AtLeast), ("<", Self::Less), (">", Self::More)];
        signs.into_iter().find_map(|(sign, comparison)| Some((comparison, text.strip_prefix(sign)?.trim().parse().ok()?)))
    }

    fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Self::Less => left < right,
            Self::AtMost => left <= right,
            Self::More => left > right,
            Self::AtLeast => left >= right,
        }
    }
}

impl Glob {
    /// Reads a matcher's text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        if text == "*" {
            return Self::Any;
        }
        if let Some((comparison, number)) = Comparison::parse(text) {
            return Self::Compared(comparison, number);
        }
        if !text.contains('*') {
            return Self::Exact(text.to_owned());
        }
        let pieces = text.split('*').filter(|piece| !piece.is_empty()).map(str::to_ascii_lowercase).collect();
        Self::Pieces { pieces, from_start: !text.starts_with('*'), to_end: !text.ends_with('*') }
    }

    /// Whether `text` is one of those meant.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => exact.eq_ignore_ascii_case(text),
            Self::Compared(comparison, number) => text.parse().is_ok_and(|left| comparison.holds(left, *number)),
            Self::Pieces { pieces, from_start, to_end } => pieces_match(pieces, *from_start, *to_end, &text.to_ascii_lowercase()),
        }
    }
}

fn pieces_match(pieces: &[String], from_start: bool, to_end: bool, text: &str) -> bool {
    let mut rest = text;
    let mut pieces = pieces.iter();
    if from_start && let Some(first) = pieces.next() {
        let Some(behind) = rest.strip_prefix(first.as_str()) else { return false };
        rest = behind;
    }
    if to_end && let Some(last) = pieces.next_back() {
        let Some(before) = rest.strip_suffix(last.as_str()) else { return false };
        rest = before;
    }
    for piece in pieces {
        let Some(at) = rest.find(piece.as_str()) else { return false };
        rest = rest.get(at + piece.len()..).unwrap_or_default();
    }
    true
}

/// What one expression must be.
#[derive(Debug, Clone)]
struct Test {
    expression: Expression,
    one_of: Vec<Glob>,
    none_of: Vec<Glob>,
}

/// Alternatives of which each is a list of tests that must all hold. No alternative: always holds.
#[derive(Debug, Clone, Default)]
pub struct Condition {
    alternatives: Vec<Vec<Test>>,
}

impl Condition {
    /// Reads a `when`.
    ///
    /// # Errors
    /// [`BadExpression`].
    pub fn compile(when: &OneOrMany<spec::Condition>) -> Result<Self, BadExpression> {
        let alternatives = when.as_slice().iter().filter(|tests| !tests.is_empty());
        let compiled: Result<Vec<_>, _> = alternatives.map(|tests| tests.iter().map(test).collect()).collect();
        Ok(Self { alternatives: compiled? })
    }

    /// Whether it always holds.
    #[must_use]
    pub fn is_always(&self) -> bool {
        self.alternatives.is_empty()
    }

    /// Number of tests in its longest alternative: how much it says.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.alternatives.iter().map(Vec::len).max().unwrap_or(0)
    }

    /// Whether the record is as it says.
    #[must_use]
    pub fn holds(&self, context: &Context<'_, '_>) -> bool {
        self.alternatives.is_empty() || self.alternatives.iter().any(|tests| tests.iter().all(|test| test.holds(context)))
    }

    /// Every expression in it.
    pub fn expressions(&mut self) -> impl Iterator<Item = &mut Expression> {
        self.alternatives.iter_mut().flatten().map(|test| &mut test.expression)
    }
}

fn test((expression, matchers): (&String, &OneOrMany<Matcher>)) -> Result<Test, BadExpression> {
    let (mut one_of, mut none_of) = (Vec::new(), Vec::new());
    for matcher in matchers.as_slice() {
        let text = match matcher {
            Matcher::Bool(yes) => yes.to_string(),
            Matcher::Integer(number) => number.to_string(),
            Matcher::Float(number) => number.to_string(),
            Matcher::Text(text) => text.clone(),
        };
        match text.strip_prefix('!') {
            Some(not) => none_of.push(Glob::new(not)),
            None => one_of.push(Glob::new(&text)),
        }
    }
    Ok(Test { expression: Expression::parse(expression)?, one_of, none_of })
}

impl Test {
    fn holds(&self, context: &Context<'_, '_>) -> bool {
        let value = context.value(&self.expression);
        let any = |globs: &[Glob]| value.as_ref().is_some_and(|value| globs.iter().any(|glob| value_matches(glob, value)));
        (self.one_of.is_empty() || any(&self.one_of)) && !any(&self.none_of)
    }
}

fn value_matches(glob: &Glob, value: &Value<'_>) -> bool {
    match value {
        Value::List(values) => values.iter().any(|value| value_matches(glob, value)),
        Value::Number(digits) => glob.matches(digits) || same_number(glob, digits),
        // An empty array or object has nothing in it.
        Value::Json(json) if *glob == Glob::Any => !matches!(json.as_ref(), "{}" | "[]"),
        other => glob.matches(&other.as_text()),
    }
}

/// `0` and `0.0` are the same number.
fn same_number(glob: &Glob, digits: &str) -> bool {
    match glob {
        Glob::Exact(exact) => matches!((exact.parse::<f64>(), digits.parse::<f64>()), (Ok(a), Ok(b)) if a.to_bits() == b.to_bits()),
        _ => false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    #[test]
    fn globs_match_without_regard_to_case() {
        for (glob, text, holds) in [
            ("*", "", true),
            ("Get*", "getUser", true),
            ("*Policy", "PutRolePolicy", true),
            ("*Policy*", "PutRolePolicyX", true),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "acb", false),
            ("ab*ba", "aba", false),
            ("exact", "EXACT", true),
            ("exact", "exactly", false),
        ] {
            assert_eq!(Glob::new(glob).matches(text), holds, "{glob} {text}");
        }
    }
}
