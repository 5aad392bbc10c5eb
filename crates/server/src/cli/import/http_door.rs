//! Sends batches to a running server, and tries again when it is busy.

use std::thread::sleep;
use std::time::Duration;

use serde::Deserialize;

use crate::cli::failure::Failure;
use crate::cli::import::door::{Batch, Door, Entered};
use crate::cli::server::{Content, Response, Server};
use crate::intake::{Media, SourceName};

/// Longest wait before a batch is tried again.
const DELAY_MS_MAX: u64 = 30_000;
/// Tries of one batch: with the delays between them about four minutes, enough for a restart.
const TRIES_MAX: u32 = 14;

/// A running server.
pub struct HttpDoor {
    server: Server,
    path: String,
}

impl HttpDoor {
    /// Sends to `server` under `source`.
    pub fn new(server: Server, source: &SourceName) -> Self {
        // A source's name needs no escaping in a query.
        Self { server, path: format!("/v1/events?source={source}") }
    }
}

/// Delay before try `tries` + 1: a quarter of a second, doubled each time, or what the server asked for.
fn retry_delay_ms(tries: u32, retry_after_s: Option<u64>) -> u64 {
    let doubled = 250_u64.saturating_mul(1 << tries.min(16));
    doubled.max(retry_after_s.unwrap_or(0).saturating_mul(1_000)).min(DELAY_MS_MAX)
}

impl Door for HttpDoor {
    fn enter(&mut self, batch: &Batch) -> Result<Entered, Failure> {
        let media = if batch.media == Media::TextPlain { "text/plain" } else { "application/json" };
        let content = Content { media, body: &batch.body, idempotency_key: Some(&batch.idempotency_key) };
        let mut tries = 0;
        loop {
            let answer = self.server.post(&self.path, content);
            let retry_after = match &answer {
                Ok(response) if !matches!(response.status, 408 | 429 | 502 | 503 | 504 | 507) => return read_answer(response),
                Ok(response) => response.retry_after,
                Err(_) => None,
            };
            tries += 1;
            if tries == TRIES_MAX {
                let why = match answer {
                    Ok(response) => response.message(),
                    Err(why) => self.server.unreachable(&why).to_string(),
                };
                return Err(Failure::new(format!("gave up after {TRIES_MAX} tries: {why}; run the same command again to go on from here")));
            }
            sleep(Duration::from_millis(retry_delay_ms(tries - 1, retry_after)));
        }
    }

    fn finish(&mut self) -> Result<(), Failure> {
        // The server counts and records what it refuses.
        Ok(())
    }
}

#[derive(Deserialize)]
struct Answered {
    results: Vec<Outcome>,
}

#[derive(Deserialize)]
struct Outcome {
    #[serde(default)]
    duplicate: bool,
    error: Option<Refusal>,
}

#[derive(Deserialize)]
struct Refusal {
    message: String,
    line: Option<u64>,
}

fn read_answer(response: &Response) -> Result<Entered, Failure> {
    // Also a 4xx has results when each event was refused for a reason of its own.
    let Ok(answered) = serde_json::from_slice::<Answered>(&response.body) else {
        let said = response.message();
        return Err(Failure::new(format!("the server answered {}: {said}", response.status)));
    };
    let mut entered = Entered::default();
    for outcome in answered.results {
        match outcome.error {
            Some(Refusal { message, line: Some(line) }) => entered.refused.push(format!("event {line} of its batch: {message}")),
            Some(Refusal { message, line: None }) => entered.refused.push(message),
            None if outcome.duplicate => entered.duplicates += 1,
            None => entered.kept += 1,
        }
    }
    Ok(entered)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    #[test]
    fn delays_double_heed_the_server_and_stay_bounded() {
        let delays: Vec<_> = (0..9).map(|tries| retry_delay_ms(tries, None)).collect();
        assert_eq!(delays, [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
        assert_eq!(retry_delay_ms(0, Some(3)), 3_000);
        assert_eq!(retry_delay_ms(u32::MAX, Some(u64::MAX)), DELAY_MS_MAX);
    }

    #[test]
    fn an_answer_is_summed_up_by_what_became_of_each_event() {
        let body = br#"{"results":[{"index":1},{"index":0,"duplicate":true},{"error":{"code":"too_deep","message":"nested deeper","line":3}}],"checkpoint":"x"}"#;
        let entered = read_answer(&Response { status: 207, retry_after: None, body: body.to_vec() }).unwrap();
        assert_eq!((entered.kept, entered.duplicates), (1, 1));
        assert_eq!(entered.refused, ["event 3 of its batch: nested deeper"]);
    }

    #[test]
    fn an_answer_without_results_is_a_failure_in_the_servers_words() {
        let body = br#"{"error":{"code":"unauthorized","message":"the API key is not valid"}}"#.to_vec();
        let failure = read_answer(&Response { status: 401, retry_after: None, body }).unwrap_err();
        assert_eq!(failure.to_string(), "the server answered 401: the API key is not valid");
    }
}
