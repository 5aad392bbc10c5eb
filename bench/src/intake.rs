//! Events on their way to `POST /v1/events`: the pool of ready requests and the count of what was
//! acknowledged.

use crate::batch::{Batch, Serials};
use crate::cloudtrail::CloudTrail;
use crate::failure::Failure;
use crate::load::Requests;
use crate::response::Response;
use std::collections::VecDeque;

/// Where events go.
#[derive(Clone, Debug)]
pub struct Target {
    /// `Host`.
    pub host: String,
    /// The bearer token.
    pub token: String,
    /// The source's name.
    pub source: String,
}

impl Target {
    /// The head of a request with a body of `length` bytes.
    #[must_use]
    pub fn head(&self, length: usize) -> String {
        let Self { host, token, source } = self;
        format!(
            "POST /v1/events?source={source} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/x-ndjson\r\nContent-Length: {length}\r\n\r\n"
        )
    }
}

/// Requests ready to go. More of them than are ever out at once, so that taking one never waits.
pub struct Pool {
    ready: VecDeque<Batch>,
    serials: Serials,
    /// Events acknowledged.
    pub events: u64,
    /// Raw bytes of the acknowledged events.
    pub raw_bytes: u64,
    /// Answers 429, 503 and 507: refused, to be sent again by a real client.
    pub refused: u64,
    /// The tree size of the largest checkpoint in an answer.
    pub tree_size: u64,
}

impl Pool {
    /// Makes `requests` requests of `events_each` events.
    #[must_use]
    pub fn make(stream: &mut CloudTrail, target: &Target, requests: usize, events_each: usize, serials: Serials) -> Self {
        let ready = (0..requests).map(|_| Batch::make(stream, events_each, |length| target.head(length))).collect();
        Self { ready, serials, events: 0, raw_bytes: 0, refused: 0, tree_size: 0 }
    }

    /// The requests that wait.
    pub fn batches(&self) -> impl Iterator<Item = &Batch> {
        self.ready.iter()
    }

    /// Checks the largest checkpoint in an answer against what was acknowledged: a log that says it
    /// kept more than its tree holds is not worth measuring.
    ///
    /// # Errors
    /// When no answer had one, or its tree is smaller.
    pub fn check_tree(&self) -> Result<u64, Failure> {
        if self.tree_size < self.events {
            return Err(Failure::Wrong(format!("{} events were acknowledged, the tree has {}", self.events, self.tree_size)));
        }
        Ok(self.tree_size)
    }
}

impl Requests for Pool {
    type Request = Batch;

    fn take(&mut self) -> Batch {
        let Some(mut batch) = self.ready.pop_front() else { unreachable!("the pool is larger than the number of connections") };
        batch.renew(&mut self.serials);
        batch
    }

    fn bytes<'a>(&self, request: &'a Batch) -> &'a [u8] {
        request.bytes()
    }

    fn answered(&mut self, batch: Batch, response: &Response) -> Result<(), Failure> {
        match response.status() {
            200 => {
                let body = response.body();
                let kept = count(body, b"\"index\":");
                if kept != batch.len() {
                    return Err(Failure::Wrong(format!("{} events were sent, the answer names {kept}", batch.len())));
                }
                self.events += batch.len() as u64;
                self.raw_bytes += batch.raw_bytes();
                // Answers of several connections arrive in any order: the largest tree counts.
                self.tree_size = self.tree_size.max(checkpoint_size(body).unwrap_or(0));
            }
            429 | 503 | 507 => self.refused += 1,
            other => {
                let body = String::from_utf8_lossy(response.body()).into_owned();
                return Err(Failure::Wrong(format!("the server answered {other}: {body}")));
            }
        }
        self.ready.push_back(batch);
        Ok(())
    }
}

fn count(bytes: &[u8], word: &[u8]) -> usize {
    // Only what follows a quote can match: skips most of the body.
    let quotes = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'"');
    quotes.filter(|(at, _)| bytes.get(*at..).is_some_and(|rest| rest.starts_with(word))).count()
}

/// The second line of the note in member `checkpoint`: the tree size. The member stands at one end
/// of the answer, with its line ends escaped; parsing the whole answer would cost more than making it.
fn checkpoint_size(body: &[u8]) -> Option<u64> {
    let ends = [body.get(body.len().saturating_sub(1024)..)?, body.get(..body.len().min(1024))?];
    ends.into_iter().find_map(|end| {
        let text = String::from_utf8_lossy(end);
        let (_, note) = text.rsplit_once("\"checkpoint\":\"")?;
        note.split("\\n").nth(1)?.parse().ok()
    })
}
