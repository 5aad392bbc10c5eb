//! The search line as a tree, and the tree as a search line.
//!
//! INVARIANT: what is printed reads back as the same tree (a property test holds it).

use std::fmt::{self, Display, Formatter, Write as _};

use crate::search::field::Field;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// Every event.
    All,
    /// One condition.
    Term(Term),
    /// What the other does not match.
    Not(Box<Query>),
    /// All of them, at least two.
    And(Vec<Query>),
    /// Any of them, at least two.
    Or(Vec<Query>),
}

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// Of which values; none for the text of the event.
    pub field: Option<Field>,
    /// What must hold for one of them.
    pub test: Test,
}

/// What a value is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// Is this.
    Is(String),
    /// Looks like this: at least one wildcard.
    Like(Vec<Piece>),
    /// Lies between; at most one bound is open.
    Between(Bound, Bound),
}

/// One character of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// `*`: any characters, or none.
    Any,
    /// `?`: one character.
    One,
    /// This character.
    Char(char),
}

/// An end of a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bound {
    /// No end.
    Open,
    /// This value and what lies inside.
    Including(String),
    /// What lies inside of this value.
    Excluding(String),
}

impl Query {
    /// Calls `see` with every condition.
    pub fn each_term(&self, see: &mut dyn FnMut(&Term)) {
        match self {
            Self::All => {}
            Self::Term(term) => see(term),
            Self::Not(inner) => inner.each_term(see),
            Self::And(all) | Self::Or(all) => all.iter().for_each(|query| query.each_term(see)),
        }
    }

    fn grouped(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::And(_) | Self::Or(_) => write!(f, "({self})"),
            _ => write!(f, "{self}"),
        }
    }
}

impl Display for Query {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (all, between) = match self {
            Self::All => return Ok(()),
            Self::Term(term) => return write!(f, "{term}"),
            Self::Not(inner) => {
                f.write_str("NOT ")?;
                return inner.grouped(f);
            }
            Self::And(all) => (all, " "),
            Self::Or(all) => (all, " OR "),
        };
        for (nth, query) in all.iter().enumerate() {
            if nth > 0 {
                f.write_str(between)?;
            }
            query.grouped(f)?;
        }
        Ok(())
    }
}

impl Display for Term {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(field) = &self.field {
            write!(f, "{field}:")?;
        }
        match &self.test {
            Test::Is(text) => quoted(text, f),
            Test::Like(pieces) => pieces.iter().try_for_each(|piece| match piece {
                Piece::Any => f.write_char('*'),
                Piece::One => f.write_char('?'),
                Piece::Char(c) => escaped(*c, f),
            }),
            Test::Between(low, Bound::Open) => one_sided(low, [">=", ">"], f),
            Test::Between(Bound::Open, high) => one_sided(high, ["<=", "<"], f),
            Test::Between(low, high) => {
                let (Bound::Including(from) | Bound::Excluding(from), Bound::Including(to) | Bound::Excluding(to)) = (low, high) else {
                    return Ok(());
                };
                f.write_char(if matches!(low, Bound::Including(_)) { '[' } else { '{' })?;
                quoted(from, f)?;
                f.write_str(" TO ")?;
                quoted(to, f)?;
                f.write_char(if matches!(high, Bound::Including(_)) { ']' } else { '}' })
            }
        }
    }
}

fn one_sided(bound: &Bound, [including, excluding]: [&str; 2], f: &mut Formatter<'_>) -> fmt::Result {
    match bound {
        Bound::Open => Ok(()),
        Bound::Including(text) => f.write_str(including).and_then(|()| quoted(text, f)),
        Bound::Excluding(text) => f.write_str(excluding).and_then(|()| quoted(text, f)),
    }
}

/// Writes a text so that it reads back as itself: bare where nothing in it has a meaning of its own.
fn quoted(text: &str, f: &mut Formatter<'_>) -> fmt::Result {
    let bare = |c: char| c.is_alphanumeric() || "._@/+".contains(c) || c == '-';
    let plain = !text.is_empty() && text.chars().all(bare) && !text.starts_with('-') && !is_keyword(text);
    if plain {
        return f.write_str(text);
    }
    f.write_char('"')?;
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            f.write_char('\\')?;
        }
        f.write_char(c)?;
    }
    f.write_char('"')
}

/// Words with a meaning of their own, unless they are quoted.
pub(super) fn is_keyword(text: &str) -> bool {
    matches!(text, "AND" | "OR" | "NOT" | "TO")
}

/// Writes a character of a bare word: what is neither letter nor digit has a backslash before it.
pub(super) fn escaped(c: char, f: &mut Formatter<'_>) -> fmt::Result {
    if !is_word(c) {
        f.write_char('\\')?;
    }
    f.write_char(c)
}

/// Letters, digits and the underscore make up words.
#[must_use]
pub fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}
