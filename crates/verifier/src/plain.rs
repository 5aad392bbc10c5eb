//! Text that cannot act on a terminal or turn around what stands beside it.

use std::borrow::Cow;
use std::fmt::Write;

/// One line of text with everything escaped that is not seen as itself: control characters (line
/// breaks and ESC among them), bidirectional marks, invisible and separating characters.
pub fn line(text: &str) -> Cow<'_, str> {
    escape(text, |out, c| {
        // Writing to a string cannot fail.
        let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
    })
}

/// The same for JSON text, where such characters stand only inside strings.
pub fn json(text: &str) -> Cow<'_, str> {
    escape(text, |out, c| {
        for unit in c.encode_utf16(&mut [0; 2]) {
            let _ = write!(out, "\\u{unit:04x}");
        }
    })
}

fn escape(text: &str, write: impl Fn(&mut String, char)) -> Cow<'_, str> {
    if !text.chars().any(is_unseen) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_unseen(c) { write(&mut out, c) } else { out.push(c) }
    }
    Cow::Owned(out)
}

fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_on_a_terminal_is_escaped_and_the_rest_is_not() {
        assert_eq!(line("a\u{1b}[2Jb\r\n\u{9b}\u{202e}c\u{200b}\u{feff}"), "a\\u{1b}[2Jb\\u{d}\\u{a}\\u{9b}\\u{202e}c\\u{200b}\\u{feff}");
        assert_eq!(json("\u{202e}\u{e0001}\u{7f}"), "\\u202e\\udb40\\udc01\\u007f");
        assert!(matches!(line("größer – 日本 €"), Cow::Borrowed(_)));
    }
}
