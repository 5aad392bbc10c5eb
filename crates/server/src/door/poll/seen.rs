//! Events that were kept lately: what is read again, as a lateness window asks for, is dropped
//! before it costs the log anything. What this forgets, a restart included, the log's own id window
//! finds. An event with a known id and other bytes is another event, and is kept.

use std::collections::{HashSet, VecDeque};

use crate::door::poll::Event;

/// Most events remembered: a window of half an hour at 100 events a second. 16 bytes each, twice.
const EVENTS_MAX: usize = 200_000;

type Mark = [u8; 16];

/// The newest of them.
#[derive(Debug, Default)]
pub struct Seen {
    marks: HashSet<Mark>,
    order: VecDeque<Mark>,
}

impl Seen {
    /// Drops events that were kept, and all but the first of equal ones.
    pub fn only_new(&self, events: Vec<Event>) -> Vec<Event> {
        let mut here = HashSet::new();
        events
            .into_iter()
            .filter(|event| {
                let mark = mark(event);
                !self.marks.contains(&mark) && here.insert(mark)
            })
            .collect()
    }

    /// These were kept.
    pub fn kept(&mut self, events: &[Event]) {
        for event in events {
            let mark = mark(event);
            if self.marks.insert(mark) {
                self.order.push_back(mark);
            }
        }
        while self.order.len() > EVENTS_MAX {
            if let Some(oldest) = self.order.pop_front() {
                self.marks.remove(&oldest);
            }
        }
    }
}

fn mark(event: &Event) -> Mark {
    let length = (event.id.as_str().len() as u64).to_be_bytes();
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, ..] = tlog::sha256(&[&length, event.id.as_str().as_bytes(), &event.raw]);
    [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: &str, raw: &'static str) -> Event {
        Event { raw: raw.into(), id: crate::door::poll::EventId::Own(id.to_owned()), at_ms: None }
    }

    #[test]
    fn an_event_is_new_once_and_again_when_its_bytes_changed() {
        let mut seen = Seen::default();
        let page = vec![event("a", "1"), event("a", "1"), event("b", "1")];
        let new = seen.only_new(page.clone());
        assert_eq!(new, [event("a", "1"), event("b", "1")]);
        assert_eq!(seen.only_new(page.clone()).len(), 2, "not kept yet");
        seen.kept(&new);
        assert_eq!(seen.only_new(page), []);
        assert_eq!(seen.only_new(vec![event("a", "2")]).len(), 1);
    }

    #[test]
    fn no_more_than_the_limit_is_remembered() {
        let mut seen = Seen::default();
        for id in 0..=EVENTS_MAX {
            seen.kept(&[event(&id.to_string(), "")]);
        }
        assert_eq!((seen.marks.len(), seen.order.len()), (EVENTS_MAX, EVENTS_MAX));
        assert_eq!(seen.only_new(vec![event("0", ""), event("1", "")]), [event("0", "")]);
    }
}
