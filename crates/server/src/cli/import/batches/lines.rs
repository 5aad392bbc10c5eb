//! Batches of lines.

use serde::de::IgnoredAny;

use crate::intake::{Media, decode};

const BOM: &[u8] = b"\xef\xbb\xbf";

/// Whether a file that begins like this is read as lines.
pub fn begins(begin: &[u8], text: bool) -> bool {
    if text {
        return true;
    }
    let begin = begin.strip_prefix(BOM).unwrap_or(begin).trim_ascii_start();
    let (first, rest) = match begin.iter().position(|byte| *byte == b'\n') {
        Some(end) => begin.split_at(end),
        None => (begin, [].as_slice()),
    };
    if is_value(first) { !rest.trim_ascii().is_empty() } else { !begin.starts_with(b"[") && !begin.starts_with(b"{") }
}

/// Whether a line is one JSON value.
fn is_value(line: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(line).is_ok()
}

/// How many bytes of `window` the next batch takes: whole lines, at most `lines_max`. `None`: there is
/// no whole line yet. At the end of a file its last line needs no line feed.
pub fn cut(window: &[u8], at_end: bool, lines_max: usize) -> Option<usize> {
    let ends = window.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1).take(lines_max);
    let (mut count, mut last) = (0, None);
    for end in ends {
        (count, last) = (count + 1, Some(end));
    }
    if at_end && count < lines_max { Some(window.len()) } else { last }
}

/// The body that enters the lines of the first `used` bytes, each as what it is among many lines, and
/// how many bytes it covers; no body when all of them are blank.
pub fn body(buffer: &[u8], used: usize, text: bool) -> (usize, Option<Vec<u8>>) {
    let window = buffer.get(..used).unwrap_or(buffer);
    if text {
        let any = window.split(|byte| *byte == b'\n').any(|line| !matches!(line, [] | b"\r"));
        return (used, any.then(|| window.to_vec()));
    }
    let is_filled = |line: &&[u8]| !line.trim_ascii().is_empty();
    let filled = window.split(|byte| *byte == b'\n').filter(is_filled).count();
    if filled == 0 {
        return (used, None);
    }
    if filled == 1 {
        let line = window.trim_ascii();
        // In brackets a value stays one event, even if it is an array; text stays text without them.
        return (used, Some(if is_value(line) { [b"[", line, b"]"].concat() } else { window.to_vec() }));
    }
    let as_lines = decode(window, Media::Any).is_ok_and(|decoded| decoded.events.len() + decoded.refused.len() == filled);
    if as_lines {
        return (used, Some(window.to_vec()));
    }
    // Together these lines would be something else. Alone they are not.
    let first = window.iter().position(|byte| *byte == b'\n').map_or(used, |end| end + 1);
    body(buffer, first, text)
}
