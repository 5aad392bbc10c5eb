//! Files that are one JSON value: CloudTrail's objects and other exports, `{"Records":[…]}`.
//!
//! Such a file is read when it is complete and gives the events that a request with the same body
//! would give. One too large for that is read as lines, so that its beginning is kept, cut and
//! marked, rather than nothing.

use crate::intake::{Decoded, Media, decode};

/// Bytes of such a file, decompressed. CloudTrail writes a file every five minutes and ends it near
/// 50 MB; it is held in memory while its events are kept.
pub const WHOLE_BYTES_MAX: usize = 96 << 20;

/// Bytes that are looked at to tell.
pub const SNIFF_BYTES: usize = 256;

/// Whether a file of this name may be one value.
#[must_use]
pub fn may_be_whole(name: &[u8]) -> bool {
    name.strip_suffix(b".gz").unwrap_or(name).ends_with(b".json")
}

/// Whether content that begins like this is a wrapper or an array, unless it is lines after all.
/// `None`: it is too short to tell.
#[must_use]
pub fn begins_whole(first: &[u8]) -> Option<bool> {
    let mut rest = first.strip_prefix(b"\xef\xbb\xbf").unwrap_or(first).trim_ascii_start();
    if rest.starts_with(b"[") {
        return Some(true);
    }
    for words in [&["{"][..], &["\"Records\"", "\"records\""], &[":"], &["["]] {
        match words.iter().find_map(|word| rest.strip_prefix(word.as_bytes())) {
            Some(behind) => rest = behind.trim_ascii_start(),
            None => return if words.iter().any(|word| word.as_bytes().starts_with(rest)) { None } else { Some(false) },
        }
    }
    Some(true)
}

/// A complete file and its events.
#[derive(Debug)]
pub struct Whole {
    /// The content.
    pub body: Vec<u8>,
    /// Its events.
    pub decoded: Decoded,
}

impl Whole {
    /// Finds the events; `None` if there are too many for one body.
    #[must_use]
    pub fn new(body: Vec<u8>) -> Option<Self> {
        let decoded = if body.trim_ascii().is_empty() { Decoded::default() } else { decode(&body, Media::Any).ok()? };
        Some(Self { body, decoded })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrapper_or_an_array_is_told_by_its_first_bytes() {
        for first in ["{\"Records\":[", " {\n \"records\" : [ {}", "[{\"a\":1}", "\u{feff}{\"Records\":["] {
            assert_eq!(begins_whole(first.as_bytes()), Some(true), "{first}");
        }
        for first in ["{\"Records\":{}", "{\"a\":1}\n{\"a\":2}", "{\"Recordings\":[", "text [", "{}"] {
            assert_eq!(begins_whole(first.as_bytes()), Some(false), "{first}");
        }
        for first in ["", " ", "{", "{\n", "{\"Rec", "{\"Records\"", "{\"records\":", "{\"Records\": "] {
            assert_eq!(begins_whole(first.as_bytes()), None, "{first}");
        }
    }

    #[test]
    fn only_names_that_end_in_json_may_be_one_value() {
        assert!(may_be_whole(b"a.json") && may_be_whole(b"a.json.gz"));
        assert!(!may_be_whole(b"audit.log") && !may_be_whole(b"a.json.1") && !may_be_whole(b"json"));
    }
}
