//! Batches of the elements of an array too large to be read at once.

use serde_json::value::RawValue;

use crate::cli::failure::Failure;
use crate::cli::import::resume::Shape;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// The shape of a file that begins with an array of events, and the bytes before the first element.
pub fn opening(begin: &[u8]) -> Option<(Shape, usize)> {
    let after = |rest: &[u8]| begin.len() - rest.len();
    let start = begin.strip_prefix(BOM).unwrap_or(begin).trim_ascii_start();
    if let Some(rest) = start.strip_prefix(b"[") {
        return Some((Shape::Array, after(rest)));
    }
    let member = start.strip_prefix(b"{")?.trim_ascii_start();
    let name = [b"\"Records\"".as_slice(), b"\"records\""].into_iter().find_map(|name| member.strip_prefix(name))?;
    let value = name.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
    Some((Shape::Wrapper, after(value.strip_prefix(b"[")?)))
}

/// What comes next.
#[derive(Debug)]
pub enum Next {
    /// Some elements.
    Elements {
        /// Bytes they take, with the commas around them.
        used: usize,
        /// They, as an array.
        body: Vec<u8>,
    },
    /// The array's end.
    End {
        /// Bytes through its bracket.
        used: usize,
    },
    /// Not a whole element yet.
    More,
}

/// Takes whole elements off the front of `window`, at most `elements_max`. An element is whole when
/// the comma or bracket behind it is there.
///
/// # Errors
/// What stands there is no element.
pub fn cut(window: &[u8], elements_max: usize) -> Result<Next, Failure> {
    let (mut used, mut body, mut count) = (0, vec![b'['], 0);
    while count < elements_max {
        let rest = window.get(used..).unwrap_or_default();
        let element = rest.trim_ascii_start().strip_prefix(b",").unwrap_or(rest).trim_ascii_start();
        if element.starts_with(b"]") && count == 0 {
            return Ok(Next::End { used: window.len() - element.len() + 1 });
        }
        let Some(end) = end_of(element) else { break };
        let raw = element.get(..end).unwrap_or_default().trim_ascii_end();
        if raw.is_empty() {
            break;
        }
        serde_json::from_slice::<&RawValue>(raw)
            .map_err(Failure::at("an element of its array is not JSON; everything before it was entered"))?;
        if count > 0 {
            body.push(b',');
        }
        body.extend_from_slice(raw);
        used = window.len() - element.len() + end;
        count += 1;
    }
    body.push(b']');
    Ok(if count == 0 { Next::More } else { Next::Elements { used, body } })
}

/// Where the element that `rest` begins with ends: at a comma or closing bracket outside it.
fn end_of(rest: &[u8]) -> Option<usize> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for (at, byte) in rest.iter().enumerate() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => depth += 1,
            b',' | b']' if depth == 0 => return Some(at),
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}
