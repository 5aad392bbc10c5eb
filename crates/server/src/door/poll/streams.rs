//! Several logs of one vendor behind one connection, read in turn, with one cursor for all.

use std::collections::BTreeMap;

use crate::door::poll::{Answer, Page, Poller, Step, Trouble};

/// One of them.
pub struct Stream {
    name: &'static str,
    poller: Box<dyn Poller>,
    cursor: Option<String>,
}

/// All of them. The one that was asked last is asked last again, so that a busy log starves none.
pub struct Streams {
    streams: Vec<Stream>,
    asked: usize,
}

impl Streams {
    /// Reads on from `cursor`. `make` makes the machine of a stream from its own part of it.
    pub fn new<S>(streams: Vec<(&'static str, S)>, cursor: Option<&str>, make: impl Fn(S, Option<&str>) -> Box<dyn Poller>) -> Self {
        let mut kept: BTreeMap<String, String> = cursor.and_then(|cursor| serde_json::from_str(cursor).ok()).unwrap_or_default();
        let streams = streams
            .into_iter()
            .map(|(name, stream)| {
                let cursor = kept.remove(name);
                Stream { name, poller: make(stream, cursor.as_deref()), cursor }
            })
            .collect();
        Self { streams, asked: 0 }
    }

    fn join(&mut self, mut page: Page) -> Page {
        if let (Some(cursor), Some(stream)) = (page.cursor.take(), self.streams.get_mut(self.asked)) {
            stream.cursor = Some(cursor);
            let all: BTreeMap<&str, &str> =
                self.streams.iter().filter_map(|stream| Some((stream.name, stream.cursor.as_deref()?))).collect();
            page.cursor = serde_json::to_string(&all).ok();
        }
        page
    }
}

impl Poller for Streams {
    fn next(&mut self, now_ms: u64) -> Step {
        let count = self.streams.len();
        let mut soonest = u64::MAX;
        for turn in 1..=count {
            let at = (self.asked + turn) % count;
            match self.streams.get_mut(at).map(|stream| stream.poller.next(now_ms)) {
                Some(Step::Ask(ask)) => {
                    self.asked = at;
                    return Step::Ask(ask);
                }
                Some(Step::WaitUntil(until)) => soonest = soonest.min(until),
                None => {}
            }
        }
        Step::WaitUntil(soonest)
    }

    fn answered(&mut self, answer: &Answer, now_ms: u64) -> Result<Page, Trouble> {
        let Some(stream) = self.streams.get_mut(self.asked) else {
            return Ok(Page::default());
        };
        let mut page = stream.poller.answered(answer, now_ms)?;
        // Caught up with one of them is not caught up: the others tell in their turn.
        page.caught_up &= self.streams.iter_mut().all(|stream| matches!(stream.poller.next(now_ms), Step::WaitUntil(_)));
        Ok(self.join(page))
    }

    fn refused(&mut self, answer: &Answer, now_ms: u64) -> Option<Page> {
        let page = self.streams.get_mut(self.asked)?.poller.refused(answer, now_ms)?;
        Some(self.join(page))
    }
}
