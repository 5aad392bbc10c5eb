//! Expressions of a map: where a value comes from. Parsed once, when a map is loaded.
//!
//! ```text
//! expression = primary *( "|" function )
//! primary    = path / "'" literal "'" / template
//! path       = segment *( "." segment )          name, "quoted name", each with any of
//!              [0]  [*]  [name=value]  (json)  (keyvalue)  (base64)  (jwt)  (xml)  (query)
//! template   = text with {expression}; {expression?} may be empty
//! ```

use crate::source::lazy_regex::LazyRegex;
use crate::source::mark::Mark;

/// A member's name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    /// As the map spells it.
    pub exact: String,
    /// Lower case, without `_`, `-` and spaces.
    pub loose: String,
}

impl Name {
    /// A name as the map spells it.
    #[must_use]
    pub fn new(exact: &str) -> Self {
        Self { exact: exact.to_owned(), loose: loosened(exact) }
    }
}

/// A name without what vendors spell differently: case, `_`, `-`, spaces.
#[must_use]
pub fn loosened(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '_' | '-' | ' ')).map(|c| c.to_ascii_lowercase()).collect()
}

/// The bytes of [`loosened`].
pub fn loosened_bytes(name: &[u8]) -> impl Iterator<Item = u8> {
    name.iter().filter(|byte| !matches!(byte, b'_' | b'-' | b' ')).map(u8::to_ascii_lowercase)
}

/// What a text at some place holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inner {
    /// JSON.
    Json,
    /// `key=value` pairs.
    KeyValue,
    /// Base64 of JSON.
    Base64,
    /// A JWT; its payload.
    Jwt,
    /// XML.
    Xml,
    /// The query of a URL, or a form.
    Query,
    /// A syslog line.
    Syslog,
    /// A record of the Linux audit daemon.
    Auditd,
    /// A list of `{"name":…,"value":…}`.
    Pairs,
    /// Windows' rendered text.
    Sections,
}

/// One step from a value to a value in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    /// A member.
    Member(Name),
    /// An element by its position.
    Element(usize),
    /// All elements, one after another.
    Each,
    /// The first element that has a member with one of these values.
    Pick {
        /// Its member.
        member: Name,
        /// Values, compared without regard to case.
        wanted: Vec<String>,
    },
    /// Into a text.
    Inside(Inner),
}

/// A way from the record (or, inside `each`, from an element).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Path {
    /// Its steps.
    pub segments: Vec<Segment>,
    /// Where its leading names lead was found out beforehand: number of the place, and how many
    /// segments that took.
    pub place: Option<(usize, usize)>,
}

impl Path {
    /// It begins with `$`: the record itself, never its root.
    #[must_use]
    pub fn names_the_record(&self) -> bool {
        matches!(self.segments.first(), Some(Segment::Member(name)) if name.exact == "$")
    }

    /// It may be a member of `p`: what a pattern found, which stands at no place of the record.
    #[must_use]
    pub fn may_be_captured(&self) -> bool {
        matches!(self.segments.first(), Some(Segment::Member(name)) if name.exact == "p")
    }
}

/// A change of one value.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "each is the function of that name in docs/SOURCES.md")]
pub enum Function {
    Lower,
    Upper,
    Trim,
    Before(Mark),
    After(Mark),
    BeforeLast(Mark),
    AfterLast(Mark),
    Ip,
    Port,
    NotIp,
    Email,
    NotEmail,
    Number,
    Map(String),
    Match(LazyRegex),
    Join(String),
    Count,
    Keys,
    Host,
    Hex,
    Text,
    Words,
    Unescape,
    Split(String),
}

/// A part of a template.
#[derive(Debug, Clone)]
pub enum Piece {
    /// Stands as it is.
    Text(String),
    /// A value; whether the template lives without it.
    Value(Expression, bool),
}

/// Where a value starts from.
#[derive(Debug, Clone)]
pub enum Primary {
    /// A place in the record.
    Path(Path),
    /// This text.
    Literal(String),
    /// Put together.
    Template(Vec<Piece>),
}

/// An expression.
#[derive(Debug, Clone)]
pub struct Expression {
    /// Its text in the map.
    pub text: String,
    /// Where its value starts from.
    pub primary: Primary,
    /// What is done to it, in order.
    pub functions: Vec<Function>,
}

/// An expression that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expression `{text}`: {why}")]
pub struct BadExpression {
    text: String,
    why: String,
}

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// [`BadExpression`] says what is wrong with which.
    pub fn parse(text: &str) -> Result<Self, BadExpression> {
        parse(text).map_err(|why| BadExpression { text: text.to_owned(), why })
    }

    /// Every path in it, those inside templates included.
    pub fn paths<'a>(&'a self, found: &mut Vec<&'a Path>) {
        match &self.primary {
            Primary::Path(path) => found.push(path),
            Primary::Literal(_) => {}
            Primary::Template(pieces) => pieces.iter().for_each(|piece| {
                if let Piece::Value(inner, _) = piece {
                    inner.paths(found);
                }
            }),
        }
    }

    /// Every path in it, to be resolved.
    pub fn paths_mut(&mut self, found: &mut dyn FnMut(&mut Path)) {
        match &mut self.primary {
            Primary::Path(path) => found(path),
            Primary::Literal(_) => {}
            Primary::Template(pieces) => pieces.iter_mut().for_each(|piece| {
                if let Piece::Value(inner, _) = piece {
                    inner.paths_mut(found);
                }
            }),
        }
    }

    /// Names of the tables it looks into.
    pub fn tables<'a>(&'a self, found: &mut Vec<&'a str>) {
        found.extend(self.functions.iter().filter_map(|function| match function {
            Function::Map(name) => Some(name.as_str()),
            _ => None,
        }));
        if let Primary::Template(pieces) = &self.primary {
            pieces.iter().for_each(|piece| {
                if let Piece::Value(inner, _) = piece {
                    inner.tables(found);
                }
            });
        }
    }
}

fn parse(text: &str) -> Result<Expression, String> {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err("it is empty".into());
    }
    let (primary, functions) = if is_template(trimmed) { template_and_functions(trimmed)? } else { plain(trimmed)? };
    Ok(Expression { text: text.to_owned(), primary, functions })
}

/// A brace outside quotes and brackets.
fn is_template(text: &str) -> bool {
    !text.starts_with('\'') && split_outside(text, '|').first().is_some_and(|first| outside(first).any(|(_, c)| c == '{'))
}

fn plain(text: &str) -> Result<(Primary, Vec<Function>), String> {
    let parts = split_outside(text, '|');
    let (first, rest) = parts.split_first().ok_or("it is empty")?;
    let first = first.trim();
    let primary = match first.strip_prefix('\'') {
        Some(literal) => Primary::Literal(literal.strip_suffix('\'').ok_or("a literal needs a closing '")?.to_owned()),
        None => Primary::Path(path(first)?),
    };
    Ok((primary, functions(rest)?))
}

fn template_and_functions(text: &str) -> Result<(Primary, Vec<Function>), String> {
    // Functions may follow the last brace: everything behind it must then be functions.
    if let Some(close) = text.rfind('}')
        && let Some((head, tail)) = text.split_at_checked(close + 1)
        && tail.trim_start().starts_with('|')
        && let Ok(functions) = functions(&split_outside(tail.trim_start().trim_start_matches('|'), '|'))
    {
        return Ok((Primary::Template(template(head)?), functions));
    }
    Ok((Primary::Template(template(text)?), Vec::new()))
}

fn template(text: &str) -> Result<Vec<Piece>, String> {
    let (mut pieces, mut rest) = (Vec::new(), text);
    while let Some((before, from)) = rest.split_once('{') {
        if !before.is_empty() {
            pieces.push(Piece::Text(before.to_owned()));
        }
        let close = closing_brace(from).ok_or("a { without its }")?;
        let (inner, behind) = from.split_at_checked(close).ok_or("a { without its }")?;
        let (inner, optional) = inner.strip_suffix('?').map_or((inner, false), |inner| (inner, true));
        pieces.push(Piece::Value(parse_nested(inner)?, optional));
        rest = behind.get(1..).unwrap_or_default();
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.to_owned()));
    }
    Ok(pieces)
}

fn parse_nested(text: &str) -> Result<Expression, String> {
    let (primary, functions) = plain(text.trim())?;
    Ok(Expression { text: text.to_owned(), primary, functions })
}

fn closing_brace(text: &str) -> Option<usize> {
    let mut quoted = None;
    for (at, c) in text.char_indices() {
        match (quoted, c) {
            (Some(mark), c) if c == mark => quoted = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quoted = Some(c),
            (None, '}') => return Some(at),
            (None, _) => {}
        }
    }
    None
}

/// Characters that stand outside quotes, brackets and parentheses.
fn outside(text: &str) -> impl Iterator<Item = (usize, char)> {
    let (mut quoted, mut depth) = (None, 0_usize);
    text.char_indices().filter(move |(_, c)| {
        match (quoted, *c) {
            (Some(mark), c) if c == mark => quoted = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quoted = Some(*c),
            (None, '[' | '(') => depth += 1,
            (None, ']' | ')') => depth = depth.saturating_sub(1),
            (None, _) => return depth == 0,
        }
        false
    })
}

fn split_outside(text: &str, at: char) -> Vec<&str> {
    let (mut parts, mut start) = (Vec::new(), 0);
    for (position, _) in outside(text).filter(|(_, c)| *c == at) {
        parts.push(text.get(start..position).unwrap_or_default());
        start = position + at.len_utf8();
    }
    parts.push(text.get(start..).unwrap_or_default());
    parts
}

/// Reads a path.
///
/// # Errors
/// What is wrong with it.
pub fn path(text: &str) -> Result<Path, String> {
    if text == "." || text == "@" {
        return Ok(Path::default());
    }
    let mut segments = Vec::new();
    for part in split_outside(text, '.') {
        segment(part.trim(), &mut segments)?;
    }
    Ok(Path { segments, place: None })
}

fn segment(part: &str, segments: &mut Vec<Segment>) -> Result<(), String> {
    let mut rest = part;
    if let Some(quoted) = rest.strip_prefix('"') {
        let (name, behind) = quoted.split_once('"').ok_or("a quoted name needs a closing \"")?;
        segments.push(Segment::Member(Name::new(name)));
        rest = behind;
    } else if !rest.starts_with('[') && !rest.starts_with('(') {
        let end = rest.find(['[', '(']).unwrap_or(rest.len());
        let (name, behind) = rest.split_at_checked(end).unwrap_or((rest, ""));
        if name.is_empty() || name.contains(['"', '\'', ']', ')', ' ']) {
            return Err(format!("`{part}` is no member's name: put it in double quotes"));
        }
        segments.push(Segment::Member(Name::new(name)));
        rest = behind;
    }
    while !rest.is_empty() {
        rest = suffix(rest, segments)?;
    }
    Ok(())
}

fn suffix<'a>(text: &'a str, segments: &mut Vec<Segment>) -> Result<&'a str, String> {
    if let Some(inside) = text.strip_prefix('[') {
        let (what, behind) = inside.split_once(']').ok_or("a [ without its ]")?;
        segments.push(bracket(what.trim())?);
        return Ok(behind);
    }
    let inside = text.strip_prefix('(').ok_or_else(|| format!("`{text}` is not expected here"))?;
    let (what, behind) = inside.split_once(')').ok_or("a ( without its )")?;
    segments.push(Segment::Inside(match what {
        "json" => Inner::Json,
        "keyvalue" | "logfmt" => Inner::KeyValue,
        "syslog" => Inner::Syslog,
        "auditd" => Inner::Auditd,
        "pairs" | "named" => Inner::Pairs,
        "sections" => Inner::Sections,
        "base64" => Inner::Base64,
        "jwt" => Inner::Jwt,
        "xml" => Inner::Xml,
        "query" => Inner::Query,
        other => return Err(format!("({other}) is not known: json, keyvalue, base64, jwt, xml, query, syslog, auditd, pairs or sections")),
    }));
    Ok(behind)
}

fn bracket(what: &str) -> Result<Segment, String> {
    if what == "*" {
        return Ok(Segment::Each);
    }
    if let Some((member, wanted)) = what.split_once('=') {
        let unquoted = |text: &str| text.trim().trim_matches(['"', '\'']).to_owned();
        let wanted = wanted.split('|').map(unquoted).collect();
        return Ok(Segment::Pick { member: Name::new(&unquoted(member)), wanted });
    }
    let position = what.parse().map_err(|_| format!("[{what}] is neither [*], [number] nor [name=value]"))?;
    Ok(Segment::Element(position))
}

fn functions(texts: &[&str]) -> Result<Vec<Function>, String> {
    texts.iter().map(|text| function(text.trim())).collect()
}

fn function(text: &str) -> Result<Function, String> {
    let (name, argument) = text.split_once(':').map_or((text, None), |(name, argument)| (name.trim(), Some(argument.trim())));
    let needed = || {
        let argument = argument.ok_or_else(|| format!("`{name}` needs an argument, as in {name}:'x'"))?;
        let unquoted = argument.strip_prefix('\'').and_then(|inner| inner.strip_suffix('\'')).unwrap_or(argument);
        Ok::<_, String>(unquoted.to_owned())
    };
    Ok(match name {
        "lower" => Function::Lower,
        "upper" => Function::Upper,
        "trim" => Function::Trim,
        "before" => Function::Before(Mark::new(&needed()?)),
        "after" => Function::After(Mark::new(&needed()?)),
        "before_last" => Function::BeforeLast(Mark::new(&needed()?)),
        "after_last" => Function::AfterLast(Mark::new(&needed()?)),
        "ip" => Function::Ip,
        "port" => Function::Port,
        "not_ip" => Function::NotIp,
        "email" => Function::Email,
        "not_email" => Function::NotEmail,
        "number" => Function::Number,
        "map" => Function::Map(needed()?),
        "match" => Function::Match(LazyRegex::new(&needed()?)?),
        "join" => Function::Join(needed()?),
        "count" => Function::Count,
        "keys" => Function::Keys,
        "host" => Function::Host,
        "hex" => Function::Hex,
        "text" => Function::Text,
        "unescape" => Function::Unescape,
        "words" => Function::Words,
        "split" => Function::Split(needed()?),
        other => return Err(format!("there is no function `{other}`")),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    fn segments(text: &str) -> Vec<Segment> {
        match Expression::parse(text).unwrap().primary {
            Primary::Path(path) => path.segments,
            other => unreachable!("{other:?}"),
        }
    }

    fn member(name: &str) -> Segment {
        Segment::Member(Name::new(name))
    }

    #[test]
    fn paths_take_names_quotes_brackets_and_what_is_inside_a_text() {
        assert_eq!(segments("a.b"), [member("a"), member("b")]);
        assert_eq!(segments(r#"a."x.y z"[0]"#), [member("a"), member("x.y z"), Segment::Element(0)]);
        assert_eq!(segments("AuditData(json).Operation"), [member("AuditData"), Segment::Inside(Inner::Json), member("Operation")]);
        let wanted = vec!["User".to_owned(), "App User".to_owned()];
        assert_eq!(segments("t[type=User|App User].id"), [member("t"), Segment::Pick { member: Name::new("type"), wanted }, member("id")]);
        assert_eq!(segments("t[*]"), [member("t"), Segment::Each]);
    }

    #[test]
    fn functions_and_templates_are_read() {
        let expression = Expression::parse(r"{domain}\{user | lower} | upper | before:'|'").unwrap();
        assert!(matches!(&expression.primary, Primary::Template(pieces) if pieces.len() == 3));
        assert!(
            matches!(expression.functions.as_slice(), [Function::Upper, Function::Before(bar)] if bar.split_first("a|b") == Some(("a", "b")))
        );
        let expression = Expression::parse(r#"a[x=1|2] | match:'^(a|b)$' | map:t"#).unwrap();
        assert_eq!(expression.functions.len(), 2);
        assert!(matches!(Expression::parse("'a | {b}'").unwrap().primary, Primary::Literal(text) if text == "a | {b}"));
        assert!(matches!(Expression::parse("{a?} | not a function").unwrap().primary, Primary::Template(pieces) if pieces.len() == 2));
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        for text in ["", "a..b", "a | nothing", "'open", "{open", "a[x", "a(yaml)", "a[y]", "a b", "a | before", "a | match:'('"] {
            assert!(Expression::parse(text).is_err(), "{text}");
        }
    }
}
