//! Events hold whatever an attacker could make a system log: text that moves the cursor, hides
//! itself or turns the reading order around. Shown on a terminal it must stay inert.

use std::borrow::Cow;

use evidence::unseen::{is_unseen, replaced, write_escape};

/// Writes what is not seen as itself (see [`is_unseen`]) as JSON would escape it, but for line feeds and tabs: inside a JSON
/// string that means the same.
pub fn escape(text: &str) -> Cow<'_, str> {
    replaced(text, |character| !matches!(character, '\n' | '\t') && is_unseen(character), write_escape)
}

/// [`escape`] for a line: line feeds and tabs too.
pub fn escape_line(text: &str) -> String {
    escape(text).replace('\n', "\\n").replace('\t', "\\t")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown_instead() {
        assert_eq!(escape("\u{1b}[2J\u{9b}31m\r\u{7}\u{7f}"), "\\u001b[2J\\u009b31m\\u000d\\u0007\\u007f");
        assert_eq!(escape("t\u{e0041}ag\u{115f}\u{3164}x\u{ad}"), "t\\udb40\\udc41ag\\u115f\\u3164x\\u00ad");
        assert_eq!(escape("a\u{202e}b\u{2066}c\u{200b}\u{2028}"), "a\\u202eb\\u2066c\\u200b\\u2028");
    }

    #[test]
    fn plain_text_in_any_script_is_left_alone() {
        let text = "Zoë logged in from Zürich\t日本\n🙂";
        assert!(matches!(escape(text), Cow::Borrowed(_)));
        assert_eq!(escape_line("a\nb"), "a\\nb");
    }

    #[test]
    fn escaped_json_still_means_the_same() {
        let json = "{\"user\":\"x\u{9b}31m\u{202e}\"}";
        let before: serde_json::Value = serde_json::from_str(json).unwrap();
        let after: serde_json::Value = serde_json::from_str(&escape(json)).unwrap();
        assert_eq!(before, after);
    }
}
