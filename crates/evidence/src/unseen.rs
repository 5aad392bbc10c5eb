//! Characters that are not seen as themselves: they act on a terminal, turn text around, or show nothing. Whoever shows
//! what came from elsewhere writes their escapes instead. The page of evidence has the same list, in show.js.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether a character is one of them: controls, marks of the reading order, other line ends, all that Unicode calls ignorable,
/// and blanks that look like nothing.
#[must_use]
pub fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// The text with `write` in the place of each character that `is` one to replace.
pub fn replaced(text: &str, is: impl Fn(char) -> bool, write: impl Fn(&mut String, char)) -> Cow<'_, str> {
    if !text.chars().any(&is) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is(c) { write(&mut out, c) } else { out.push(c) }
    }
    Cow::Owned(out)
}

/// Writes a character as JSON does (RFC 8259 §7): inside a string it means the same.
pub fn write_escape(out: &mut String, c: char) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        // Writing to a String cannot fail.
        let _ = write!(out, "\\u{unit:04x}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_seen_is_written_as_its_escape_and_the_rest_is_left_alone() {
        let escaped = |text| replaced(text, is_unseen, write_escape);
        assert_eq!(escaped("t\u{e0041}ag\u{115f}\u{3164}x\u{ad}\u{1b}\u{2800}"), "t\\udb40\\udc41ag\\u115f\\u3164x\\u00ad\\u001b\\u2800");
        assert!(matches!(escaped("Zoë, größer – 日本 € 🙂"), Cow::Borrowed(_)));
    }
}
