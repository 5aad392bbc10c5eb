//! Reads server-sent events (WHATWG HTML §9.2), as far as our server writes them.

use std::io::{self, BufRead, Read as _};

/// Longest line taken in: an entry may hold 1 MiB, and its OCSF form and escapes several times that.
const LINE_BYTES_MAX: u64 = 64 << 20;

/// Something that came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// Its name; empty for an entry.
    pub name: String,
    /// The place up to which everything was shown, if it says so.
    pub id: Option<u64>,
    /// Its data; empty for a sign of life.
    pub data: String,
}

/// The next event, or nothing at the end of the stream. What is cut off by the end is no event.
///
/// # Errors
/// What the connection says; a line that is too long.
pub fn next(stream: &mut impl BufRead) -> io::Result<Option<Event>> {
    let (mut event, mut line) = (Event::default(), Vec::new());
    loop {
        line.clear();
        if stream.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        if line.pop_if(|last| *last == b'\n').is_none() {
            let too_long = line.len() as u64 >= LINE_BYTES_MAX;
            return if too_long { Err(io::Error::other("the server sent a line without an end")) } else { Ok(None) };
        }
        let text = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(&line));
        if text.is_empty() {
            return Ok(Some(event));
        }
        let (name, value) = text.split_once(':').unwrap_or((&text, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "event" => value.clone_into(&mut event.name),
            "id" => event.id = value.parse().ok(),
            "data" => {
                if !event.data.is_empty() {
                    event.data.push('\n');
                }
                event.data.push_str(value);
            }
            // A comment, or a field that is not ours.
            _ => {}
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(mut stream: &[u8]) -> Vec<Event> {
        std::iter::from_fn(|| next(&mut stream).unwrap()).collect()
    }

    #[test]
    fn events_comments_and_places_are_told_apart_and_a_cut_off_event_is_none() {
        let entry = Event { name: String::new(), id: Some(7), data: "{\n}".into() };
        let alive = Event { id: Some(8), ..Event::default() };
        let end = Event { name: "end".into(), id: None, data: "x".into() };
        let stream = b"id: 7\ndata: {\ndata: }\n\n: alive\nid: 8\n\nevent: end\r\ndata:x\r\n\r\nid: 9\ndata: {";
        assert_eq!(all(stream), [entry, alive, end]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_to_their_end(bytes: Vec<u8>) {
            let mut stream = bytes.as_slice();
            while next(&mut stream).unwrap().is_some() {}
            prop_assert!(stream.is_empty());
        }
    }
}
