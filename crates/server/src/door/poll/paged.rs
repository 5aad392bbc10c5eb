//! APIs that give events page by page from a time on: Okta, Entra, GitHub, and most others.
//!
//! A *run* reads from a time on, following the vendor's own links from page to page. A vendor that
//! always has a next link (Okta) never ends its run; another ends it with the page that has none,
//! and the next run begins a lateness window before the newest event seen, so that what arrived
//! late is read as well. What is read again is dropped by its record id.
//!
//! When a link is refused the run begins anew from its time, never later: nothing between is lost.

use bytes::Bytes;
use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::door::poll::{Answer, Ask, Event, EventId, Note, Page, Poller, Step, Trouble, moment, origin::Origin};
use crate::intake::limits::RECORD_ID_BYTES_MAX;

/// What is different from vendor to vendor.
pub trait Vendor: Send {
    /// Path and query, below the base address, of the first page of events from `from_ms` on, up
    /// to `until_ms` if it is there.
    fn first(&self, from_ms: u64, until_ms: Option<u64>) -> String;

    /// Reads a page.
    ///
    /// # Errors
    /// [`Trouble`] when it is not of the documented shape.
    fn read(&self, answer: &Answer) -> Result<Read, Trouble>;
}

/// A page as the vendor gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// Events in the vendor's order.
    pub events: Vec<Event>,
    /// Link to the next page.
    pub next: Option<String>,
    /// There is nothing more for now, although there may be a link for later.
    pub caught_up: bool,
}

/// How often, and how far back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Between the end of what there is and the next look, ms.
    pub interval_ms: u64,
    /// How late an event may appear, ms.
    pub late_ms: u64,
    /// Longest stretch of the past read in one run, ms: what a lost cursor costs in a first import.
    /// `None` for a vendor whose runs never end and give events in order of time.
    pub slice_ms: Option<u64>,
}

/// Where a run stands. Kept in the log as JSON, so names are short and fixed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    v: u8,
    /// The run began with events of this time, ms.
    from: u64,
    /// And ends with this one; `None` reads up to now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<u64>,
    /// Newest event time seen, ms.
    top: u64,
    /// Path and query of the next page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A vendor's API, being read.
pub struct Paged<V> {
    vendor: V,
    origin: Origin,
    headers: Vec<(&'static str, String)>,
    pace: Pace,
    place: Place,
    wait_until: u64,
}

impl<V: Vendor> Paged<V> {
    /// Reads on from `cursor`, as the log kept it, or from `start_ms` when there is none or it is
    /// not one of ours.
    pub fn new(vendor: V, origin: Origin, pace: Pace, cursor: Option<&str>, start_ms: u64) -> Self {
        let kept = cursor.and_then(|cursor| serde_json::from_str::<Place>(cursor).ok()).filter(|place| place.v == 1);
        // A link in a cursor is a path; anything else was not written by us.
        let kept = kept.filter(|place| place.next.as_deref().is_none_or(|next| origin.path_of(next).as_deref() == Ok(next)));
        let place = kept.unwrap_or(Place { v: 1, from: start_ms, until: None, top: start_ms, next: None });
        Self { vendor, origin, headers: Vec::new(), pace, place, wait_until: 0 }
    }

    /// Sends these headers with each request.
    #[must_use]
    pub fn with_headers(mut self, headers: Vec<(&'static str, String)>) -> Self {
        self.headers = headers;
        self
    }

    fn cursor(&self) -> Option<String> {
        serde_json::to_string(&self.place).ok()
    }

    /// The end of a stretch of the past that begins at `from`; `None` when now is within reach.
    fn slice_end(&self, now_ms: u64) -> Option<u64> {
        let end = self.place.from.saturating_add(self.pace.slice_ms?);
        (end < now_ms.saturating_sub(self.pace.late_ms)).then_some(end)
    }

    /// The last page of a run was read: where the next one begins.
    fn end_run(&mut self, now_ms: u64) {
        match self.place.until.take() {
            // Past slices are older than the lateness window, so the next begins where one ended.
            Some(until) => {
                self.place.from = until;
                self.place.top = self.place.top.max(until);
                self.wait_until = 0;
            }
            None => {
                self.place.from = self.place.from.max(self.place.top.saturating_sub(self.pace.late_ms));
                self.wait_until = now_ms.saturating_add(self.pace.interval_ms);
            }
        }
    }
}

impl<V: Vendor> Poller for Paged<V> {
    fn next(&mut self, now_ms: u64) -> Step {
        if now_ms < self.wait_until {
            return Step::WaitUntil(self.wait_until);
        }
        let url = match &self.place.next {
            Some(next) => self.origin.at(next),
            None => {
                self.place.until = self.slice_end(now_ms);
                self.origin.below(&self.vendor.first(self.place.from, self.place.until))
            }
        };
        let mut ask = Ask::get(url);
        ask.headers.extend(self.headers.iter().cloned());
        Step::Ask(ask)
    }

    fn answered(&mut self, answer: &Answer, now_ms: u64) -> Result<Page, Trouble> {
        let read = self.vendor.read(answer)?;
        let next = read.next.as_deref().map(|next| self.origin.path_of(next)).transpose()?;
        // An event from the future must not carry the window past what is still to come.
        let newest = read.events.iter().filter_map(|event| event.at_ms).max().unwrap_or(0).min(now_ms);
        let before = self.place.clone();
        self.place.top = self.place.top.max(newest);
        self.place.next = next;
        self.wait_until = if read.caught_up { now_ms.saturating_add(self.pace.interval_ms) } else { 0 };
        let mut caught_up = read.caught_up;
        if self.place.next.is_none() {
            caught_up = self.place.until.is_none();
            self.end_run(now_ms);
        }
        let cursor = if self.place == before { None } else { self.cursor() };
        Ok(Page { events: read.events, notes: Vec::new(), cursor, caught_up })
    }

    fn refused(&mut self, answer: &Answer, _now_ms: u64) -> Option<Page> {
        // That is about the token, whatever the link.
        if answer.status == StatusCode::FORBIDDEN {
            return None;
        }
        // Without a link it is the first page of a run that is refused: a matter of settings.
        self.place.next.take()?;
        if self.pace.slice_ms.is_none() {
            // A run that never ends would be read again from its beginning, a year ago. Its pages
            // come in order of time, so all before the newest event seen is there.
            self.place.from = self.place.from.max(self.place.top.saturating_sub(self.pace.late_ms));
        }
        self.wait_until = 0;
        let note = Note {
            record: "source.cursor_lost",
            members: vec![("status", answer.status.as_u16().to_string()), ("read_again_from", moment::rfc3339(self.place.from))],
        };
        Some(Page { events: Vec::new(), notes: vec![note], cursor: self.cursor(), caught_up: false })
    }
}

/// An event with the id and time that its vendor gave it.
#[must_use]
pub fn event(raw: Bytes, id: Option<&str>, at: Option<&str>) -> Event {
    let id =
        id.filter(|id| (1..=RECORD_ID_BYTES_MAX).contains(&id.len())).map_or_else(|| crate::door::poll::id_of_bytes(&raw), str::to_owned);
    Event { raw, id: EventId::Own(id), at_ms: at.and_then(moment::from_rfc3339) }
}

/// `name=value&…` with spaces as `%20`, which every server reads, unlike `+`.
#[must_use]
pub fn query(pairs: &[(&str, &str)]) -> String {
    let mut out = form_urlencoded::Serializer::new(String::new());
    for (name, value) in pairs {
        out.append_pair(name, value);
    }
    // A plus sign in a value is %2B by now.
    out.finish().replace('+', "%20")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use crate::door::poll::okta::Okta;
    use http::HeaderMap;

    const HOUR: u64 = 3_600_000;

    /// Ends its runs: the body is `id time` pairs, the link whatever the header says.
    struct Ending;

    impl Vendor for Ending {
        fn first(&self, from_ms: u64, until_ms: Option<u64>) -> String {
            format!("/e?from={from_ms}&until={}", until_ms.map_or(String::new(), |until| until.to_string()))
        }

        fn read(&self, answer: &Answer) -> Result<Read, Trouble> {
            let text = std::str::from_utf8(&answer.body).unwrap();
            let events = text
                .split_terminator(',')
                .map(|time| Event { raw: Bytes::from(time.to_owned()), id: EventId::Own(time.to_owned()), at_ms: time.parse().ok() })
                .collect();
            let next = crate::door::poll::link::link(&answer.headers, "next").map(str::to_owned);
            Ok(Read { events, caught_up: next.is_none(), next })
        }
    }

    fn answer(body: &str, next: Option<&str>) -> Answer {
        let mut headers = HeaderMap::new();
        if let Some(next) = next {
            headers.insert("link", format!("<{next}>; rel=\"next\"").parse().unwrap());
        }
        Answer { status: StatusCode::OK, headers, body: Bytes::from(body.to_owned()) }
    }

    fn origin() -> Origin {
        Origin::parse("https://v.example").unwrap()
    }

    fn pace(slice_ms: Option<u64>) -> Pace {
        Pace { interval_ms: 1_000, late_ms: 100, slice_ms }
    }

    fn url(step: Step) -> String {
        match step {
            Step::Ask(ask) => ask.url,
            Step::WaitUntil(until) => format!("wait {until}"),
        }
    }

    #[test]
    fn a_run_follows_links_and_the_next_begins_a_window_before_the_newest() {
        let mut poller = Paged::new(Ending, origin(), pace(Some(HOUR)), None, 5_000);
        assert_eq!(url(poller.next(10_000)), "https://v.example/e?from=5000&until=");
        let page = poller.answered(&answer("6000,7000", Some("https://v.example/e?after=1")), 10_000).unwrap();
        assert_eq!((page.events.len(), page.caught_up), (2, false));
        assert_eq!(url(poller.next(10_000)), "https://v.example/e?after=1", "at once");
        assert!(poller.answered(&answer("6500", None), 10_000).unwrap().caught_up);
        assert_eq!(url(poller.next(10_999)), "wait 11000");
        assert_eq!(url(poller.next(11_000)), "https://v.example/e?from=6900&until=");
    }

    #[test]
    fn the_past_is_read_a_slice_at_a_time() {
        let mut poller = Paged::new(Ending, origin(), pace(Some(HOUR)), None, 0);
        let now = 2 * HOUR + 50;
        assert_eq!(url(poller.next(now)), format!("https://v.example/e?from=0&until={HOUR}"));
        poller.answered(&answer("", None), now).unwrap();
        assert_eq!(url(poller.next(now)), format!("https://v.example/e?from={HOUR}&until="), "within the window of now it has no end");
    }

    #[test]
    fn an_event_from_the_future_does_not_move_the_window_past_now() {
        let mut poller = Paged::new(Ending, origin(), pace(Some(HOUR)), None, 5_000);
        poller.next(10_000);
        poller.answered(&answer("999999999", None), 10_000).unwrap();
        assert_eq!(url(poller.next(20_000)), "https://v.example/e?from=9900&until=");
    }

    #[test]
    fn a_cursor_reads_on_where_it_was_written() {
        let mut poller = Paged::new(Ending, origin(), pace(Some(HOUR)), None, 5_000);
        poller.next(10_000);
        let page = poller.answered(&answer("6000", Some("/e?after=1")), 10_000).unwrap();
        let mut again = Paged::new(Ending, origin(), pace(Some(HOUR)), page.cursor.as_deref(), 0);
        assert_eq!(url(again.next(99_000)), "https://v.example/e?after=1");
    }

    #[test]
    fn a_cursor_that_is_not_ours_begins_at_the_start() {
        for cursor in
            ["", "{}", "null", r#"{"v":2,"from":1,"top":1}"#, r#"{"v":1,"from":1,"top":1,"next":"https://evil.example/x"}"#, "\u{0}"]
        {
            let mut poller = Paged::new(Ending, origin(), pace(None), Some(cursor), 77);
            assert_eq!(url(poller.next(100)), "https://v.example/e?from=77&until=", "{cursor}");
        }
    }

    #[test]
    fn a_link_that_leads_elsewhere_is_trouble_and_nothing_moves() {
        let mut poller = Paged::new(Okta, origin(), pace(None), None, 0);
        let first = url(poller.next(10));
        for next in ["https://evil.example/api/v1/logs?after=1", "http://v.example/a", "//evil.example/a"] {
            assert!(matches!(poller.answered(&answer("[]", Some(next)), 10), Err(Trouble::Foreign(_))), "{next}");
            assert_eq!(url(poller.next(10)), first);
        }
    }

    #[test]
    fn a_refused_link_reads_the_window_again_and_says_so() {
        let mut poller = Paged::new(Okta, origin(), Pace { late_ms: HOUR, ..pace(None) }, None, 0);
        poller.next(9 * HOUR);
        let body = r#"[{"uuid":"a","published":"1970-01-01T08:00:00.000Z"}]"#;
        poller.answered(&answer(body, Some("/api/v1/logs?after=1")), 9 * HOUR).unwrap();
        poller.next(9 * HOUR);
        let refusal = Answer { status: StatusCode::BAD_REQUEST, ..answer("", None) };
        let page = poller.refused(&refusal, 9 * HOUR).unwrap();
        assert_eq!(page.notes.first().unwrap().record, "source.cursor_lost");
        assert!(url(poller.next(9 * HOUR)).contains("since=1970-01-01T07%3A00%3A00.000Z"), "an hour before the newest event");
        assert_eq!(poller.refused(&refusal, 9 * HOUR), None, "a first page that is refused is a matter of settings");
        poller.answered(&answer(body, Some("/api/v1/logs?after=1")), 9 * HOUR).unwrap();
        let forbidden = Answer { status: StatusCode::FORBIDDEN, ..refusal };
        assert_eq!(poller.refused(&forbidden, 9 * HOUR), None, "a token that may not read is no lost cursor");
        assert!(url(poller.next(9 * HOUR)).contains("after=1"));
    }

    #[test]
    fn an_empty_page_of_okta_keeps_its_link_and_waits() {
        let mut poller = Paged::new(Okta, origin(), pace(None), None, 0);
        poller.next(10);
        assert!(poller.answered(&answer("[]", Some("/api/v1/logs?after=1")), 10).unwrap().caught_up);
        assert_eq!(url(poller.next(10)), "wait 1010");
        assert_eq!(url(poller.next(1_010)), "https://v.example/api/v1/logs?after=1");
        let page = poller.answered(&answer("[]", Some("/api/v1/logs?after=1")), 1_010).unwrap();
        assert_eq!(page.cursor, None, "nothing new to keep");
    }

    #[test]
    fn an_event_is_cut_out_byte_for_byte() {
        let body = "[ {\"uuid\" : \"a\", \"x\":1.0,\"x\":2} ,\n{\"published\":\"?\"}]";
        let read = Okta.read(&answer(body, None)).unwrap();
        let raws: Vec<&[u8]> = read.events.iter().map(|event| event.raw.as_ref()).collect();
        assert_eq!(raws, [br#"{"uuid" : "a", "x":1.0,"x":2}"#.as_slice(), br#"{"published":"?"}"#]);
        let ids: Vec<&str> = read.events.iter().map(|event| event.id.as_str()).collect();
        assert!(matches!(ids.as_slice(), ["a", second] if second.starts_with("sha256:")), "{ids:?}");
        for bad in ["", "{}", "[", "[1,]", "null", "<html>"] {
            assert!(Okta.read(&answer(bad, None)).is_err(), "{bad}");
        }
    }
}
