//! The invariant of `shape.rs`, checked without its code: what no event holds is only white space,
//! line ends, a byte order mark, or the syntax of the array or wrapper around the events. Shared by
//! the unit tests, the corpus test and the fuzz target, so it knows none of the crate's types.

use std::ops::Range;

/// Says what is wrong if `spans`, the events and refused values of `body` in input order, leave out
/// or share a byte that they must not.
pub fn unaccounted(body: &[u8], text_plain: bool, spans: &[Range<usize>]) -> Result<(), String> {
    let mut gaps = Vec::new();
    let mut at = 0;
    for span in spans {
        if span.is_empty() || span.start < at || span.end > body.len() {
            return Err(format!("{span:?} after {at} of {}", body.len()));
        }
        gaps.push(body.get(at..span.start).unwrap_or_default());
        at = span.end;
    }
    gaps.push(body.get(at..).unwrap_or_default());
    let fits = if text_plain { line_ends(&gaps) } else { separators(&gaps) };
    if fits { Ok(()) } else { Err(format!("between the events: {gaps:?}")) }
}

fn line_ends(gaps: &[&[u8]]) -> bool {
    let inner = gaps.iter().skip(1).rev().skip(1).all(|gap| gap.contains(&b'\n'));
    inner
        && gaps.iter().all(|gap| {
            let without_lf: Vec<_> = gap.split(|&byte| byte == b'\n').collect();
            // What follows the last LF belongs to a line and so to an event.
            without_lf.iter().rev().skip(1).all(|line| matches!(line, [] | [b'\r']))
                && without_lf.last().is_some_and(|line| line.is_empty())
        })
}

fn separators(gaps: &[&[u8]]) -> bool {
    let visible = |gap: &[u8]| -> Vec<u8> { gap.iter().copied().filter(|byte| !matches!(byte, b' ' | b'\n' | b'\r' | b'\t')).collect() };
    let Some((first, rest)) = gaps.split_first() else {
        return false;
    };
    let first = visible(first.strip_prefix(b"\xef\xbb\xbf").unwrap_or(first));
    let Some((last, inner)) = rest.split_last() else {
        return matches!(first.as_slice(), b"[]" | br#"{"Records":[]}"# | br#"{"records":[]}"#);
    };
    match first.as_slice() {
        b"" => visible(last).is_empty() && inner.iter().all(|gap| gap.contains(&b'\n') && visible(gap).is_empty()),
        b"[" => visible(last) == b"]" && inner.iter().all(|gap| visible(gap) == b","),
        br#"{"Records":["# | br#"{"records":["# => visible(last) == b"]}" && inner.iter().all(|gap| visible(gap) == b","),
        _ => false,
    }
}
