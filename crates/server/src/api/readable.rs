//! JSON that any reader takes. The grammar allows half of a surrogate pair as an escape, and numbers and depth of any size
//! (RFC 8259 §8.2, §6, §9), and many readers refuse a whole answer for one of them: what somebody wrote into a record must not
//! hide what else is on the page.

use std::sync::LazyLock;

use memchr::memchr2_iter;
use memchr::memmem::Finder;
use serde_json::Value;

use crate::intake::limits::DEPTH_MAX;
use crate::intake::tape::{NodeKind, Tape};

/// Digits in a row that a number with an exponent of two digits may have: 64 bits hold it still.
const DIGITS_MAX: usize = 200;
/// How an escape begins that names a code unit of UTF-16.
static ESCAPE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\\u"));

/// Whether every reader takes this JSON: its texts are of whole characters, 64 bits hold its numbers, and it is no deeper than
/// a record may be.
pub fn is_readable(json: &[u8]) -> bool {
    if may_be_deep(json) && !std::str::from_utf8(json).is_ok_and(|text| Tape::default().read(text).is_ok()) {
        return false;
    }
    // Most records are settled by what cannot be in them.
    !(may_have_halves(json) || may_have_large_numbers(json)) || serde_json::from_slice::<Value>(json).is_ok()
}

fn may_be_deep(json: &[u8]) -> bool {
    memchr2_iter(b'[', b'{', json).nth(DEPTH_MAX).is_some()
}

fn may_have_halves(json: &[u8]) -> bool {
    ESCAPE.find_iter(json).any(|at| matches!(json.get(at + 2), Some(b'd' | b'D')))
}

fn may_have_large_numbers(json: &[u8]) -> bool {
    let is_digit = |at: usize| json.get(at).is_some_and(u8::is_ascii_digit);
    let is_large = |at: usize| {
        let first = if matches!(json.get(at + 1), Some(b'+' | b'-')) { at + 2 } else { at + 1 };
        at.checked_sub(1).is_some_and(is_digit) && (first..first + 3).all(is_digit)
    };
    let in_a_row = |at: usize| {
        let (before, behind) = json.split_at_checked(at).unwrap_or_default();
        let count = |bytes: &mut dyn Iterator<Item = &u8>| bytes.take_while(|byte| byte.is_ascii_digit()).count();
        count(&mut before.iter().rev()) + count(&mut behind.iter()) >= DIGITS_MAX
    };
    // A row as long as that has a digit at one of these places.
    memchr2_iter(b'e', b'E', json).any(is_large) || (0..json.len()).step_by(DIGITS_MAX).any(in_a_row)
}

/// The same with U+FFFD for what is no character, and numbers that 64 bits do not hold as texts; nothing of what is no
/// JSON, or deeper than a record may be.
pub fn made_readable(json: &str) -> Option<String> {
    let mut tape = Tape::default();
    tape.read(json).ok()?;
    let (mut made, mut done) = (String::with_capacity(json.len()), 0);
    let mut put = |(from, to): (u32, u32), instead: &dyn Fn(&str) -> Option<String>| {
        let (from, to) = (from as usize, to as usize);
        if let (Some(before), Some(written)) = (json.get(done..from), json.get(from..to))
            && let Some(instead) = instead(written)
        {
            made.push_str(before);
            made.push_str(&instead);
            done = to;
        }
    };
    for node in (0..tape.len() as u32).filter_map(|at| tape.node(at)) {
        if node.escaped_name {
            put(node.name, &|written| Some(of_whole_characters(written)));
        }
        match node.kind {
            NodeKind::Text { escaped: true } => put(node.value, &|written| Some(of_whole_characters(written))),
            NodeKind::Number => put(node.value, &|digits| (!is_readable(digits.as_bytes())).then(|| format!("\"{digits}\""))),
            _ => {}
        }
    }
    made.push_str(json.get(done..)?);
    Some(made)
}

/// A text as JSON writes it, with U+FFFD for each half of a surrogate pair without the other.
fn of_whole_characters(written: &str) -> String {
    let unit = |at: usize| written.get(at..at + 6)?.strip_prefix("\\u").and_then(|digits| u16::from_str_radix(digits, 16).ok());
    let (mut whole, mut at) = (String::with_capacity(written.len()), 0);
    while let Some(rest) = written.get(at..) {
        let plain = rest.find('\\').unwrap_or(rest.len());
        whole.push_str(rest.get(..plain).unwrap_or_default());
        at += plain;
        let taken = match (unit(at), unit(at + 6)) {
            _ if at >= written.len() => break,
            (Some(0xd800..0xdc00), Some(0xdc00..0xe000)) => 12,
            (Some(0xd800..0xe000), _) => {
                whole.push_str("\\ufffd");
                at += 6;
                continue;
            }
            (Some(_), _) => 6,
            // An escape of two characters.
            (None, _) => 2,
        };
        whole.push_str(written.get(at..at + taken).unwrap_or_default());
        at += taken;
    }
    whole
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test that panics has failed")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_some_readers_refuse_is_made_so_that_they_take_it() {
        let halves = r#"{"a\ud800b":["\uDC00\ud83d\ude00","\\ud800","\ud83d\n","\"\udfff"],"n":[1e400,-1E999,12,1e3],"é":"x"}"#;
        assert!(!is_readable(halves.as_bytes()));
        let made: Value = serde_json::from_str(&made_readable(halves).unwrap()).unwrap();
        assert_eq!(
            made,
            serde_json::json!({
                "a\u{fffd}b": ["\u{fffd}\u{1f600}", "\\ud800", "\u{fffd}\n", "\"\u{fffd}"],
                "n": ["1e400", "-1E999", 12, 1e3],
                "é": "x",
            })
        );
        assert_eq!(made_readable("{"), None);
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        // An empty list at the bottom is no level of its own.
        assert!(is_readable(nested(DEPTH_MAX + 1).as_bytes()) && !is_readable(nested(DEPTH_MAX + 2).as_bytes()));
        assert!(is_readable(format!("[{}]", vec!["[]"; 4 * DEPTH_MAX].join(",")).as_bytes()), "many are not deep");
    }

    proptest! {
        #[test]
        fn what_is_made_readable_is_and_says_the_same(
            text in r#"(\\\\|\\"|\\n|\\u(d8|DC|00|20)[0-9a-f]{2}|[a-dé]){0,12}"#,
            number in "-?[1-9]{1,3}([0-9]{190,320})?(\\.[0-9]{1,2})?([eE][+-]?[0-9]{1,3})?",
        ) {
            let json = format!("{{\"{text}\":[\"{text}\",{number}]}}");
            let made = made_readable(&json).unwrap();
            prop_assert!(is_readable(made.as_bytes()), "{}", made);
            prop_assert_eq!(is_readable(json.as_bytes()), serde_json::from_str::<Value>(&json).is_ok());
            if is_readable(json.as_bytes()) {
                prop_assert_eq!(made, json);
            }
        }
    }
}
