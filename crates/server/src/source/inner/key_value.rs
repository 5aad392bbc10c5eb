//! `key=value` pairs anywhere in a text: logfmt, and lists with commas.

use crate::source::inner::ObjectWriter;

/// Pairs of one text: real lines have tens.
pub const PAIRS_MAX: usize = 512;

/// One pair after another; quoted values lose their quotes.
pub fn pairs(text: &str) -> impl Iterator<Item = (&str, String)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let equals = rest.find('=')?;
            let (before, after) = rest.split_at_checked(equals)?;
            let after = after.get(1..)?;
            let key = before.rsplit(|c: char| !is_key_char(c)).next().unwrap_or_default();
            if key.is_empty() || !key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
                rest = after;
                continue;
            }
            let (value, behind) = value(after);
            rest = behind;
            return Some((key, value));
        }
    })
    .take(PAIRS_MAX)
}

fn is_key_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '@' | '/')
}

/// A value and what follows it.
fn value(text: &str) -> (String, &str) {
    match text.chars().next() {
        Some(quote @ ('"' | '\'')) => quoted(text.get(1..).unwrap_or_default(), quote),
        _ => {
            let end = text.find([' ', ',', '\t', '\n', ';']).unwrap_or(text.len());
            let (value, behind) = text.split_at_checked(end).unwrap_or((text, ""));
            (value.to_owned(), behind)
        }
    }
}

fn quoted(text: &str, quote: char) -> (String, &str) {
    let (mut out, mut escaped) = (String::new(), false);
    for (at, c) in text.char_indices() {
        match (escaped, c) {
            (true, c) => {
                if c != quote && c != '\\' {
                    out.push('\\');
                }
                out.push(c);
                escaped = false;
            }
            (false, '\\') => escaped = true,
            (false, c) if c == quote => return (out, text.get(at + c.len_utf8()..).unwrap_or_default()),
            (false, c) => out.push(c),
        }
    }
    // Without its end it goes to the end.
    (out, "")
}

/// The pairs as members; none when there is no pair.
#[must_use]
pub fn decode(text: &str) -> Option<String> {
    let mut out = ObjectWriter::new();
    let mut any = false;
    for (key, value) in pairs(text) {
        out.text(key, &value);
        any = true;
    }
    any.then(|| out.finish())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    #[test]
    fn logfmt_and_lists_are_read() {
        assert_eq!(
            decode(r#"time="2022-02-16T12:24:19+02:00" level=error msg="user 'a' said \"no\"" path=/api"#).as_deref(),
            Some(r#"{"time":"2022-02-16T12:24:19+02:00","level":"error","msg":"user 'a' said \"no\"","path":"/api"}"#)
        );
        assert_eq!(
            decode("WARN [x] (t-1) type=LOGIN_ERROR, userId=null, a= b").as_deref(),
            Some(r#"{"type":"LOGIN_ERROR","userId":"null","a":""}"#)
        );
        assert_eq!(decode("nothing here"), None);
        assert_eq!(decode("= == ==="), None);
    }
}
