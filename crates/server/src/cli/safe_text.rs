//! Events hold whatever an attacker could make a system log: text that moves the cursor, hides
//! itself or turns the reading order around. Shown on a terminal it must stay inert.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Replaces what is not plain text by its `\uXXXX` form: control characters other than line feed and tab,
/// marks and overrides of the reading order, other line ends, and characters that show nothing. Inside a JSON string the form
/// is the character's own escape; one beyond the basic plane has two (RFC 8259 §7).
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hazard) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_hazard(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing to a String cannot fail.
                let _ = write!(safe, "\\u{unit:04x}");
            }
        } else {
            safe.push(character);
        }
    }
    Cow::Owned(safe)
}

/// [`escape`] for a line: line feeds and tabs too.
pub fn escape_line(text: &str) -> String {
    escape(text).replace('\n', "\\n").replace('\t', "\\t")
}

fn is_hazard(character: char) -> bool {
    match character {
        '\n' | '\t' => false,
        // All that Unicode calls ignorable, and blanks that look like nothing; but \u{fe0f}, which makes the sign before it an emoji.
        '\u{ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' => true,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' => true,
        '\u{fe00}'..='\u{fe0e}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' => true,
        '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}' => true,
        other => other.is_control(),
    }
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
