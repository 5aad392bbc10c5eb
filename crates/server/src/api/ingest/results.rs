//! The answer to a batch, written by hand into one buffer, in input order.

use std::io::Write as _;

use axum::http::StatusCode;
use evidence::canonical_json::write_string;

use crate::door::{CONFLICT, Tally};
use crate::intake::{Decoded, Refused};
use crate::log::sequencer::Outcome;

/// Bytes of a result without receipt: `{"index":1234567890},`.
const RESULT_BYTES: usize = 24;

/// What became of a request.
pub struct Results<'a> {
    /// What the body held.
    pub decoded: &'a Decoded,
    /// What became of each event.
    pub outcomes: &'a [Outcome],
    /// A receipt for each event that stands in the log, in order; empty when none were asked for.
    pub receipts: &'a [String],
    /// The checkpoint that covers them.
    pub note: &'a str,
}

/// 200 all kept or known, 207 some not, 409 or 400 none.
fn status(tally: Tally, refused: usize) -> StatusCode {
    match (tally.standing(), tally.conflicts, refused) {
        (_, 0, 0) => StatusCode::OK,
        (0, _, 0) => StatusCode::CONFLICT,
        (0, _, _) => StatusCode::BAD_REQUEST,
        _ => StatusCode::MULTI_STATUS,
    }
}

/// The error of a request of which nothing stands in the log.
fn error(status: StatusCode) -> Option<(&'static str, &'static str)> {
    match status {
        StatusCode::CONFLICT => Some((
            CONFLICT,
            "none of the events was kept: the Idempotency-Key was used for other bytes; send the same bytes again, or use a new key",
        )),
        StatusCode::BAD_REQUEST => Some(("all_refused", "none of the events was kept: see `results` for the reason of each")),
        _ => None,
    }
}

/// Where each event that stands in the log does, in order.
pub fn indexes(outcomes: &[Outcome]) -> Vec<u64> {
    let index = |outcome: &Outcome| match *outcome {
        Outcome::Kept(index) | Outcome::Duplicate(index) | Outcome::KeptBeside { index, .. } => Some(index),
        Outcome::Conflict(_) => None,
    };
    outcomes.iter().filter_map(index).collect()
}

impl Results<'_> {
    /// The answer's bytes and status.
    pub fn write(&self) -> (Vec<u8>, StatusCode) {
        let receipts: usize = self.receipts.iter().map(|receipt| receipt.len() + RESULT_BYTES + 64).sum();
        let results = (self.outcomes.len() + 8 * self.decoded.refused.len()) * RESULT_BYTES;
        let mut out = Vec::with_capacity(results + receipts + 2 * self.note.len() + 64);
        let status = status(Tally::of(self.outcomes), self.decoded.refused.len());
        out.extend_from_slice(b"{\"results\":[");
        self.write_each(&mut out);
        out.push(b']');
        match error(status) {
            None => {
                out.extend_from_slice(b",\"checkpoint\":");
                write_string(self.note, &mut out);
            }
            Some((code, message)) => {
                out.extend_from_slice(b",\"error\":");
                write_error(code, message, None, &mut out);
            }
        }
        out.push(b'}');
        (out, status)
    }

    fn write_each(&self, out: &mut Vec<u8>) {
        let mut refused = self.decoded.refused.iter().peekable();
        let mut receipts = self.receipts.iter();
        for (event, outcome) in self.decoded.events.iter().zip(self.outcomes) {
            while let Some(refused) = refused.next_if(|refused| refused.line < event.line) {
                write_refused(refused, out);
            }
            separate(out);
            if let Outcome::Conflict(earlier) = *outcome {
                let message = format!("the Idempotency-Key stands for other bytes at index {earlier}: send those again, or use a new key");
                out.extend_from_slice(b"{\"error\":");
                write_error(CONFLICT, &message, Some(event.line), out);
                out.push(b'}');
            } else {
                write_standing(*outcome, receipts.next().map(String::as_str), out);
            }
        }
        for refused in refused {
            write_refused(refused, out);
        }
    }
}

fn separate(out: &mut Vec<u8>) {
    if out.last() != Some(&b'[') {
        out.push(b',');
    }
}

fn write_standing(outcome: Outcome, receipt: Option<&str>, out: &mut Vec<u8>) {
    // Writing to a Vec cannot fail.
    let _ = match outcome {
        Outcome::Kept(index) => write!(out, "{{\"index\":{index}"),
        Outcome::Duplicate(index) => write!(out, "{{\"index\":{index},\"duplicate\":true"),
        Outcome::KeptBeside { index, earlier } => write!(out, "{{\"index\":{index},\"same_id_as\":{earlier}"),
        Outcome::Conflict(_) => Ok(()),
    };
    if let Some(receipt) = receipt {
        out.extend_from_slice(b",\"receipt\":");
        write_string(receipt, out);
    }
    out.push(b'}');
}

fn write_refused(refused: &Refused, out: &mut Vec<u8>) {
    separate(out);
    out.extend_from_slice(b"{\"error\":");
    write_error(refused.code.code(), &refused.code.to_string(), Some(refused.line), out);
    out.push(b'}');
}

fn write_error(code: &str, message: &str, line: Option<u32>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"code\":");
    write_string(code, out);
    out.extend_from_slice(b",\"message\":");
    write_string(message, out);
    if let Some(line) = line {
        let _ = write!(out, ",\"line\":{line}");
    }
    out.push(b'}');
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use crate::intake::{Media, decode};
    use serde_json::{Value, json};

    fn written(outcomes: &[Outcome], body: &str, receipts: &[String]) -> (Value, StatusCode) {
        let decoded = decode(body.as_bytes(), Media::Any).unwrap();
        let (bytes, status) = Results { decoded: &decoded, outcomes, receipts, note: "o\n1\nr\n\n— o s\n" }.write();
        (serde_json::from_slice(&bytes).unwrap(), status)
    }

    #[test]
    fn every_outcome_has_its_shape_in_input_order() {
        let deep = "[".repeat(70) + &"]".repeat(70);
        let body = format!("{{\"a\":1}}\n{deep}\n{{\"a\":2}}\n{{\"a\":3}}\n{{\"a\":4}}\n{deep}");
        let outcomes = [Outcome::Kept(4), Outcome::Duplicate(2), Outcome::KeptBeside { index: 5, earlier: 1 }, Outcome::Conflict(3)];
        let (answer, status) = written(&outcomes, &body, &[]);
        let results = answer["results"].as_array().unwrap();
        assert_eq!(results[0], json!({ "index": 4 }));
        assert_eq!((&results[1]["error"]["code"], &results[1]["error"]["line"]), (&json!("too_deep"), &json!(2)));
        assert_eq!(results[2], json!({ "index": 2, "duplicate": true }));
        assert_eq!(results[3], json!({ "index": 5, "same_id_as": 1 }));
        assert_eq!((&results[4]["error"]["code"], &results[4]["error"]["line"]), (&json!(CONFLICT), &json!(5)));
        assert_eq!(results[5]["error"]["line"], json!(6));
        assert_eq!(answer["checkpoint"], json!("o\n1\nr\n\n— o s\n"));
        assert_eq!(status, StatusCode::MULTI_STATUS);
    }

    #[test]
    fn receipts_go_to_the_events_that_stand() {
        let outcomes = [Outcome::Conflict(3), Outcome::Kept(4)];
        let (answer, _) = written(&outcomes, "[{},{}]", &["r".to_owned()]);
        assert_eq!(answer["results"][1], json!({ "index": 4, "receipt": "r" }));
    }

    #[test]
    fn nothing_kept_is_an_error_that_says_which() {
        let (answer, status) = written(&[Outcome::Conflict(3)], "{}", &[]);
        assert_eq!((status, &answer["error"]["code"]), (StatusCode::CONFLICT, &json!(CONFLICT)));
        let deep = "[[".repeat(40) + &"]]".repeat(40);
        let (answer, status) = written(&[], &deep, &[]);
        assert_eq!((status, &answer["error"]["code"]), (StatusCode::BAD_REQUEST, &json!("all_refused")));
        let (answer, status) = written(&[], "[]", &[]);
        assert_eq!((status, answer["results"].as_array().unwrap().len()), (StatusCode::OK, 0));
    }
}
