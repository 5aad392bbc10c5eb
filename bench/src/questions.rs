//! What an investigator asks, of the people and events of a synthetic trail.

use crate::asker::Asker;
use crate::failure::Failure;
use serde_json::Value;
use std::fmt::Write as _;

/// A question and how fast its answer should be.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    /// Its name in the report.
    pub name: &'static str,
    /// The search line; `{actor}`, `{id}` and `{ip}` stand for those of some event.
    line: &'static str,
    /// What else is asked for, as the query of a URL.
    more: &'static str,
    /// The goal, ms.
    pub goal_ms: f64,
}

/// The questions of the goals.
pub const QUESTIONS: [Question; 7] = [
    Question { name: "identity_last_50", line: "actor:{actor}", more: "limit=50", goal_ms: 10.0 },
    Question { name: "needle_address", line: "ip:203.0.113.66", more: "limit=50", goal_ms: 10.0 },
    Question { name: "needle_event_id", line: "id:{id}", more: "limit=50", goal_ms: 10.0 },
    Question { name: "needle_text", line: "AKIASTRANGERSKEY0001", more: "limit=50", goal_ms: 20.0 },
    Question { name: "needle_phrase", line: "\"AWS break-glass runbook\"", more: "limit=50", goal_ms: 20.0 },
    Question {
        name: "failed_sign_ins_by_country_7_days",
        line: "class:Authentication outcome:failure time:[2026-06-24 TO 2026-07-01]",
        more: "limit=0&facets=country",
        goal_ms: 50.0,
    },
    Question {
        name: "histogram_and_5_facets_of_all",
        line: "*",
        more: "limit=0&histogram=1d&facets=source,action,outcome,country,actor",
        goal_ms: 300.0,
    },
];

/// What one event says, to be asked for.
#[derive(Clone, Debug)]
pub struct Sample {
    actor: String,
    id: String,
}

impl Question {
    /// Whether it asks for events, and not for counts.
    #[must_use]
    pub fn is_found_by_reading(&self) -> bool {
        !self.more.contains("facets")
    }

    /// The path to ask for.
    #[must_use]
    pub fn path(&self, sample: &Sample) -> String {
        let line = self.line.replace("{actor}", &quoted(&sample.actor)).replace("{id}", &quoted(&sample.id));
        format!("/v1/search?q={}&{}", encoded(&line), self.more)
    }
}

impl Sample {
    /// What the event at `index` says; nothing for an entry that is none, or that names nobody.
    ///
    /// # Errors
    /// When the server does not answer.
    pub fn take(asker: &mut Asker, index: u64) -> Result<Option<Self>, Failure> {
        asker.ask(&format!("/v1/search?q=index:{index}&limit=1"))?;
        let answer = asker.json()?;
        let text = |path: &str| answer.pointer(path).and_then(Value::as_str).map(str::to_owned);
        let (actor, id) = (text("/events/0/meaning/identity/actor"), text("/events/0/envelope/people/id"));
        Ok(actor.zip(id).map(|(actor, id)| Self { actor, id }))
    }
}

/// A text as one value of a search line.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A text in the query of a URL.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() {
            out.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_asks_for_what_the_sample_says() {
        let sample = Sample { actor: "a b".into(), id: "x\"y".into() };
        let path = |name: &str| QUESTIONS.iter().find(|question| question.name == name).map(|question| question.path(&sample));
        assert_eq!(path("identity_last_50").as_deref(), Some("/v1/search?q=actor%3A%22a%20b%22&limit=50"));
        assert_eq!(path("needle_event_id").as_deref(), Some("/v1/search?q=id%3A%22x%5C%22y%22&limit=50"));
    }
}
