//! Server-sent events as they are written: lines of text, a blank line behind each event.

use bytes::Bytes;
use serde::Serialize;
use serde_json::json;

use crate::api::error::ApiError;
use crate::api::inert::inert;

/// Events that are sent together.
#[derive(Debug, Default)]
pub(super) struct Frames(Vec<u8>);

impl Frames {
    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn into_bytes(self) -> Bytes {
        self.0.into()
    }

    /// How the line was understood, and where it begins.
    pub(super) fn begun(&mut self, query: &str, from: u64, size: u64) {
        self.line("event: begin");
        self.data(&json!({ "query": query, "from": from, "size": size }));
    }

    /// An entry that matches. Its index is the reader's place.
    pub(super) fn entry(&mut self, index: u64, entry: &impl Serialize) {
        self.line(&format!("id: {index}"));
        self.data(entry);
    }

    /// Entries that could not be looked at.
    pub(super) fn unreadable(&mut self, gap: &impl Serialize) {
        self.line("event: unreadable");
        self.data(gap);
    }

    /// Nothing came. An `id` without data moves the reader's place and shows nothing (WHATWG HTML §9.2.6).
    pub(super) fn heartbeat(&mut self, at: u64) {
        self.line(&format!(": all entries below {at} were looked at"));
        if let Some(last) = at.checked_sub(1) {
            self.line(&format!("id: {last}"));
        }
        self.line("");
    }

    /// Why no more comes.
    pub(super) fn ended(&mut self, why: &ApiError) {
        self.line("event: end");
        self.data(&json!({ "code": why.code, "message": why.message }));
    }

    fn line(&mut self, line: &str) {
        self.0.extend_from_slice(line.as_bytes());
        self.0.push(b'\n');
    }

    fn data(&mut self, value: &impl Serialize) {
        // Only a map with keys that are no strings cannot be written: none is.
        let json = inert(serde_json::to_vec(value).unwrap_or_default());
        // A record may be JSON with line breaks between its members: each line of it is a line of data.
        for line in json.split(|byte| matches!(byte, b'\n' | b'\r')) {
            self.0.extend_from_slice(b"data: ");
            self.0.extend_from_slice(line);
            self.0.push(b'\n');
        }
        self.0.push(b'\n');
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use serde_json::value::RawValue;

    #[test]
    fn line_breaks_and_what_moves_a_cursor_stay_inside_of_the_data() {
        let raw = RawValue::from_string("{\"a\":\r\n\"\u{9b}\",\n\"id\":1}".into()).unwrap();
        let mut frames = Frames::default();
        frames.entry(7, &raw);
        assert_eq!(frames.into_bytes(), "id: 7\ndata: {\"a\":\ndata: \ndata: \"\\u009b\",\ndata: \"id\":1}\n\n");
    }

    #[test]
    fn a_heartbeat_moves_the_place_and_is_no_event() {
        let mut frames = Frames::default();
        frames.heartbeat(0);
        frames.heartbeat(9);
        assert_eq!(frames.into_bytes(), ": all entries below 0 were looked at\n\n: all entries below 9 were looked at\nid: 8\n\n");
    }
}
