//! Makes JSON safe to look at: what an attacker put into an event must not move a terminal's cursor
//! or turn a line around when somebody reads it. THREATS: log injection.
//!
//! JSON itself escapes C0. The rest (DEL, C1, bidirectional controls, line separators, what shows
//! nothing) may stand in strings as they are, and only there, so each can be replaced by its `\u`
//! escape: the value stays the same. The exact bytes are what `/raw` is for.

use evidence::unseen::{is_unseen, replaced, write_escape};

/// The same JSON text with every character that is not inert escaped.
pub fn inert(json: Vec<u8>) -> Vec<u8> {
    match std::str::from_utf8(&json) {
        Ok(text) if text.contains(is_active) => replaced(text, is_active, write_escape).into_owned().into_bytes(),
        // What serde writes is always text.
        _ => json,
    }
}

/// JSON itself sees to those below the space, which may also stand between its values.
fn is_active(character: char) -> bool {
    character >= ' ' && is_unseen(character)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn controls_and_direction_changes_are_escaped_and_nothing_else() {
        let text = "{\"a\":\"\u{9b}2J \u{202e}x \u{7f} é 漢 😀\"}";
        let expected = "{\"a\":\"\\u009b2J \\u202ex \\u007f é 漢 😀\"}";
        assert_eq!(inert(text.as_bytes().to_vec()), expected.as_bytes());
    }

    proptest! {
        #[test]
        fn the_value_stays_the_same(text: String) {
            let json = serde_json::to_vec(&text).unwrap();
            let escaped = inert(json);
            prop_assert!(!std::str::from_utf8(&escaped).unwrap().chars().any(|c| c.is_control() || is_active(c)));
            prop_assert_eq!(serde_json::from_slice::<String>(&escaped).unwrap(), text);
        }
    }
}
