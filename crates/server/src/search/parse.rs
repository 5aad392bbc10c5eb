//! Reads a search line. Total: any text gives a tree, or an error at a column inside it.
//!
//! ```text
//! or    = and { "OR" and }
//! and   = unary { ["AND"] unary }
//! unary = ("NOT" | "-") unary | "(" or ")" | [field ":"] ( "(" or ")" | value ) | "saved:" name
//! value = word | "quoted" | ("[" | "{") bound "TO" bound ("]" | "}") | (">=" | ">" | "<=" | "<") bound
//! ```

use crate::intake::source_choice::Network;
use crate::search::compare::address;
use crate::search::field::{Field, Name};
use crate::search::instant;
use crate::search::query::{Bound, Piece, Query, Term, Test, is_keyword, is_word};

/// Bytes of a search line: more is a list of something, which belongs into a program.
pub const LINE_BYTES_MAX: usize = 8 << 10;
/// Conditions in one line: each is tried on every event.
pub const TERMS_MAX: usize = 256;
/// Characters of a pattern with wildcards: trying one takes up to their number times the value's.
pub const PATTERN_CHARS_MAX: usize = 256;
/// What may stand behind `ip:`.
const ADDRESSES: &str = "10.1.2.3, 10.0.0.0/8 or 2001:db8::/32, or a pattern such as 10.1.*";
/// Parentheses and negations inside each other.
pub const DEPTH_MAX: usize = 32;

/// What is wrong with a search line, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {why}")]
pub struct QueryError {
    /// Character in the line, from 1.
    pub column: usize,
    /// What is wrong and what to do.
    pub why: String,
}

/// Reads a search line that names no saved one; an empty line asks for every event.
///
/// # Errors
/// [`QueryError`].
pub fn parse(line: &str) -> Result<Query, QueryError> {
    parse_with(line, &|_| Err("no saved search can be named here: write out what it says".into()))
}

/// What a saved search stands for, by its name; or why there is none.
pub type Lookup<'s> = dyn Fn(&str) -> Result<Query, String> + 's;

/// Reads a search line. What a saved search stands for takes the place of its name.
///
/// # Errors
/// [`QueryError`].
pub fn parse_with(line: &str, saved: &Lookup<'_>) -> Result<Query, QueryError> {
    if line.len() > LINE_BYTES_MAX {
        return Err(QueryError { column: 1, why: format!("the line has more than {LINE_BYTES_MAX} bytes: ask in several") });
    }
    let mut parser = Parser { chars: line.chars().collect(), at: 0, terms: 0, saved };
    parser.space();
    if parser.peek().is_none() {
        return Ok(Query::All);
    }
    let query = parser.any(None, 0)?;
    match parser.peek() {
        None => Ok(query),
        Some(_) => Err(parser.error(parser.at, "this parenthesis closes nothing: remove it, or put \"quotes\" around it")),
    }
}

struct Parser<'s> {
    chars: Vec<char>,
    at: usize,
    terms: usize,
    saved: &'s Lookup<'s>,
}

/// A bare word: each character, and whether it stands for itself.
type Word = Vec<(char, bool)>;

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn take(&mut self, wanted: char) -> bool {
        let there = self.peek() == Some(wanted);
        self.at += usize::from(there);
        there
    }

    fn space(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    fn error(&self, at: usize, why: impl Into<String>) -> QueryError {
        QueryError { column: (at + 1).min(self.chars.len()).max(1), why: why.into() }
    }

    /// Takes the keyword when it stands here as a word of its own.
    fn keyword(&mut self, word: &str) -> bool {
        let end = self.at + word.chars().count();
        let here = self.chars.get(self.at..end).is_some_and(|here| here.iter().copied().eq(word.chars()));
        let ends = self.chars.get(end).is_none_or(|c| c.is_whitespace() || "()\"".contains(*c));
        if here && ends {
            self.at = end;
            self.space();
        }
        here && ends
    }

    fn any(&mut self, field: Option<&Field>, depth: usize) -> Result<Query, QueryError> {
        let mut either = vec![self.all(field, depth)?];
        while self.keyword("OR") {
            either.push(self.all(field, depth)?);
        }
        Ok(joined(either, Query::Or))
    }

    fn all(&mut self, field: Option<&Field>, depth: usize) -> Result<Query, QueryError> {
        let mut all = vec![self.unary(field, depth)?];
        loop {
            let more = self.keyword("AND");
            let at = self.at;
            let or = self.keyword("OR");
            self.at = at;
            if !more && (or || matches!(self.peek(), None | Some(')'))) {
                return Ok(joined(all, Query::And));
            }
            all.push(self.unary(field, depth)?);
        }
    }

    fn unary(&mut self, field: Option<&Field>, depth: usize) -> Result<Query, QueryError> {
        let start = self.at;
        if depth > DEPTH_MAX {
            return Err(self.error(start, format!("more than {DEPTH_MAX} parentheses and negations inside each other: ask more simply")));
        }
        if self.keyword("NOT") || self.take('-') {
            return Ok(Query::Not(Box::new(self.unary(field, depth + 1)?)));
        }
        if self.take('(') {
            return self.group(field, start, depth);
        }
        let Some(first) = self.peek() else {
            return Err(self.error(start, "the line ends where a condition is due: write one, or remove what stands before"));
        };
        if first == ')' {
            return Err(self.error(start, "a condition is due before this parenthesis: write one, or remove it"));
        }
        if self.keyword("AND") || self.keyword("OR") {
            return Err(self.error(start, "a condition is due here: write one before AND or OR, or put \"quotes\" around the word"));
        }
        let query = self.condition(field, depth)?;
        self.space();
        Ok(query)
    }

    /// What stands in parentheses, the first of which was taken.
    fn group(&mut self, field: Option<&Field>, start: usize, depth: usize) -> Result<Query, QueryError> {
        self.space();
        let inside = self.any(field, depth + 1)?;
        if !self.take(')') {
            return Err(self.error(start, "this parenthesis is not closed: close it, or put \"quotes\" around it"));
        }
        self.space();
        Ok(inside)
    }

    fn condition(&mut self, outer: Option<&Field>, depth: usize) -> Result<Query, QueryError> {
        let start = self.at;
        self.terms += 1;
        if self.terms > TERMS_MAX {
            return Err(self.error(start, format!("more than {TERMS_MAX} conditions: ask in several lines")));
        }
        if self.peek() == Some('"') {
            let text = self.quoted()?;
            return self.term(outer.cloned(), Test::Is(text), start);
        }
        if outer.is_some() {
            let test = self.test(outer, start)?;
            return self.term(outer.cloned(), test, start);
        }
        let word = self.word(true);
        if self.peek() != Some(':') {
            let test = self.of_word(word, start)?;
            return self.term(None, test, start);
        }
        if word.iter().map(|(c, _)| *c).eq("saved".chars()) {
            self.at += 1;
            return self.saved();
        }
        let field = self.field(&word, start)?;
        self.at += 1;
        let value = self.at;
        if self.take('(') {
            return self.group(Some(&field), value, depth);
        }
        let test = self.test(Some(&field), value)?;
        self.term(Some(field), test, value)
    }

    /// What stands behind `saved:`.
    fn saved(&mut self) -> Result<Query, QueryError> {
        let start = self.at;
        let name = if self.peek() == Some('"') { Some(self.quoted()?) } else { text_of(self.word(false)) };
        let name =
            name.ok_or_else(|| self.error(start, "the name of a saved search is due here: list them with `indelible saved list`"))?;
        let query = (self.saved)(&name).map_err(|why| self.error(start, why))?;
        query.each_term(&mut |_| self.terms += 1);
        if self.terms > TERMS_MAX {
            return Err(self.error(start, format!("more than {TERMS_MAX} conditions with those of this search: ask in several lines")));
        }
        Ok(query)
    }

    fn field(&self, word: &Word, start: usize) -> Result<Field, QueryError> {
        if word.iter().any(|(c, literal)| !literal && matches!(c, '*' | '?')) {
            return Err(self.error(start, "a field's name has no wildcards: name one field, or put a backslash before the wildcard"));
        }
        let name: String = word.iter().map(|(c, _)| *c).collect();
        if name.is_empty() {
            return Err(self.error(start, "a field's name is due before the colon: write one, or put \"quotes\" around it"));
        }
        Field::parse(&name).map_err(|why| self.error(start, why))
    }

    /// The value behind a field's colon.
    fn test(&mut self, field: Option<&Field>, start: usize) -> Result<Test, QueryError> {
        match self.peek() {
            Some('"') => self.quoted().map(Test::Is),
            Some('[' | '{') => self.range(field),
            Some('>' | '<') => self.one_sided(field),
            _ => {
                let word = self.word(false);
                self.of_word(word, start)
            }
        }
    }

    fn of_word(&self, word: Word, start: usize) -> Result<Test, QueryError> {
        if word.is_empty() {
            return Err(self.error(start, "a value is due here: write one; \"\" is the empty text, * any value"));
        }
        if word.iter().all(|(_, literal)| *literal) {
            return Ok(Test::Is(word.into_iter().map(|(c, _)| c).collect()));
        }
        let piece = |(c, literal): (char, bool)| match (c, literal) {
            ('*', false) => Piece::Any,
            ('?', false) => Piece::One,
            (c, _) => Piece::Char(c),
        };
        if word.len() > PATTERN_CHARS_MAX {
            return Err(self.error(start, format!("a pattern of more than {PATTERN_CHARS_MAX} characters: ask for less of it")));
        }
        Ok(Test::Like(word.into_iter().map(piece).collect()))
    }

    /// Characters up to a space, a parenthesis or a quote; as a name up to a colon.
    fn word(&mut self, name: bool) -> Word {
        self.word_until(|c| c.is_whitespace() || matches!(c, '(' | ')' | '"') || (name && c == ':'))
    }

    fn word_until(&mut self, ends: impl Fn(char) -> bool) -> Word {
        let mut word = Vec::new();
        while let Some(c) = self.peek().filter(|c| !ends(*c)) {
            self.at += 1;
            match self.peek() {
                // Before a letter it is itself: CORP\ana.
                Some(next) if c == '\\' && !is_word(next) => {
                    self.at += 1;
                    word.push((next, true));
                }
                _ => word.push((c, !matches!(c, '*' | '?'))),
            }
        }
        word
    }

    fn quoted(&mut self) -> Result<String, QueryError> {
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        while let Some(c) = self.peek() {
            self.at += 1;
            match c {
                '"' => return Ok(text),
                '\\' if matches!(self.peek(), Some('"' | '\\')) => {
                    text.extend(self.peek());
                    self.at += 1;
                }
                c => text.push(c),
            }
        }
        Err(self.error(start, "this quote is not closed: close it, or put a backslash before it"))
    }

    fn range(&mut self, field: Option<&Field>) -> Result<Test, QueryError> {
        let start = self.at;
        let low_included = self.take('[');
        if !low_included {
            self.at += 1;
        }
        self.space();
        let low = self.bound(field, low_included)?;
        self.space();
        if !self.keyword("TO") {
            return Err(self.error(self.at, "TO is due here: a range is written [a TO b], with * for no bound"));
        }
        let to = self.at;
        let text = self.bound_text()?;
        self.space();
        let high_included = self.take(']');
        if !high_included && !self.take('}') {
            return Err(self.error(start, "this range is not closed: write ] to include its end, } to leave it out"));
        }
        let high = self.bounded(field, text, high_included, to)?;
        if low == Bound::Open && high == Bound::Open {
            return Ok(Test::Like(vec![Piece::Any]));
        }
        Ok(Test::Between(low, high))
    }

    fn one_sided(&mut self, field: Option<&Field>) -> Result<Test, QueryError> {
        let above = self.take('>');
        if !above {
            self.at += 1;
        }
        let included = self.take('=');
        let at = self.at;
        let text = if self.peek() == Some('"') { Some(self.quoted()?) } else { text_of(self.word(false)) };
        let bound = match self.bounded(field, text, included, at)? {
            Bound::Open => return Err(self.error(at, "a value is due here: write one behind the sign")),
            bound => bound,
        };
        Ok(if above { Test::Between(bound, Bound::Open) } else { Test::Between(Bound::Open, bound) })
    }

    fn bound(&mut self, field: Option<&Field>, included: bool) -> Result<Bound, QueryError> {
        let at = self.at;
        let text = self.bound_text()?;
        self.bounded(field, text, included, at)
    }

    fn bound_text(&mut self) -> Result<Option<String>, QueryError> {
        if self.peek() == Some('"') {
            return self.quoted().map(Some);
        }
        let at = self.at;
        let word = self.word_until(|c| c.is_whitespace() || matches!(c, '(' | ')' | '"' | ']' | '}'));
        if word.is_empty() {
            return Err(self.error(at, "a bound is due here: a range is written [a TO b], with * for no bound"));
        }
        if word == [('*', false)] {
            return Ok(None);
        }
        text_of(word).map(Some).ok_or_else(|| self.error(at, "a bound has no wildcards: write a value, or * alone for no bound"))
    }

    fn bounded(&self, field: Option<&Field>, text: Option<String>, included: bool, at: usize) -> Result<Bound, QueryError> {
        let Some(text) = text else { return Ok(Bound::Open) };
        if field.and_then(Field::name).is_some_and(Name::is_time) && instant::read(&text, 0).is_none() {
            return Err(self.error(at, format!("{text:?} is no time: {}", instant::FORMS)));
        }
        Ok(if included { Bound::Including(text) } else { Bound::Excluding(text) })
    }

    fn term(&self, field: Option<Field>, test: Test, at: usize) -> Result<Query, QueryError> {
        let name = field.as_ref().and_then(Field::name);
        match (name, &test) {
            (Some(Name::Since | Name::Until), Test::Like(_) | Test::Between(..)) => {
                return Err(self.error(at, format!("one time is due here: {}", instant::FORMS)));
            }
            (Some(name), Test::Is(text)) if name.is_time() && instant::read(text, 0).is_none() => {
                return Err(self.error(at, format!("{text:?} is no time: {}", instant::FORMS)));
            }
            (None, Test::Is(text)) if text.is_empty() && field.is_none() => {
                return Err(self.error(at, "there is nothing in these quotes: write what to look for"));
            }
            // No address of a record is anything else: it would find nothing, as one that nobody used.
            (Some(Name::Ip), Test::Is(text)) if address(text).is_none() && text.parse::<Network>().is_err() => {
                return Err(self.error(at, format!("{text:?} is no address: write {ADDRESSES}")));
            }
            _ => {}
        }
        Ok(Query::Term(Term { field, test }))
    }
}

/// A word without wildcards; `None` for one with them, and for none at all.
fn text_of(word: Word) -> Option<String> {
    let plain = !word.is_empty() && word.iter().all(|(_, literal)| *literal);
    plain.then(|| word.into_iter().map(|(c, _)| c).collect()).filter(|text: &String| !is_keyword(text))
}

/// One of them as itself, more as `join` says.
fn joined(mut queries: Vec<Query>, join: fn(Vec<Query>) -> Query) -> Query {
    if queries.len() == 1
        && let Some(one) = queries.pop()
    {
        return one;
    }
    join(queries)
}

#[cfg(test)]
#[path = "parse/tests.rs"]
mod tests;
