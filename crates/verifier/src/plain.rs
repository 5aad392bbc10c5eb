//! Text that cannot act on a terminal or turn around what stands beside it.

use std::borrow::Cow;
use std::fmt::Write;

use evidence::unseen::{is_unseen, replaced, write_escape};

/// One line of text with everything escaped that is not seen as itself: control characters (line
/// breaks and ESC among them), bidirectional marks, invisible and separating characters.
pub fn line(text: &str) -> Cow<'_, str> {
    replaced(text, is_unseen, |out, c| {
        // Writing to a string cannot fail.
        let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
    })
}

/// The same for JSON text, where such characters stand only inside strings.
pub fn json(text: &str) -> Cow<'_, str> {
    replaced(text, is_unseen, write_escape)
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
