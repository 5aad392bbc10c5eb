//! Pollers: events fetched from a vendor's API, its cursor kept in the same chunk as its events.
//!
//! A vendor is a state machine without I/O, clock or randomness ([`Poller`]): it says what to ask,
//! takes the answer, and gives events with the cursor that lies behind them. One driver
//! ([`driver`]) does the rest for all of them: credentials, rate limits, back-off, commits, lag.
//! Adding a vendor whose API has pages and times is one small file ([`paged::Vendor`]); how is in
//! docs/CONNECT.md, "Adding a poller".
//!
//! Invariants:
//! - A machine is asked for its next step only after the page before is kept, so what it knows is
//!   never ahead of the log by more than the page in hand.
//! - A request goes to an origin that an administrator configured, whatever an answer says
//!   ([`origin`]).
//! - A cursor says from where to read again without a loss; what is read twice has the same record
//!   id, and the log keeps it once.

pub mod backoff;
pub mod cloudtrail;
pub mod credentials;
pub mod driver;
pub mod http;
pub mod kafka;
pub mod keep;
pub mod link;
pub mod metrics;
pub mod moment;
pub mod origin;
pub mod paged;
pub mod seen;
pub mod service;
pub mod settings;
pub mod status;
pub mod streams;
pub mod token;
pub mod upkeep;
pub mod verdict;

pub mod entra;
pub mod github;
pub mod okta;

use ::http::{HeaderMap, Method, StatusCode};
use bytes::Bytes;
use serde_json::value::RawValue;

/// One question to a vendor, without credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Method.
    pub method: Method,
    /// Whole address, on a configured origin.
    pub url: String,
    /// Headers beside the credentials.
    pub headers: Vec<(&'static str, String)>,
    /// Body.
    pub body: Bytes,
    /// Service and region that AWS credentials are bound to; `None` elsewhere.
    pub scope: Option<Scope>,
    /// Longest body taken in.
    pub answer_bytes_max: usize,
    /// A long poll: how much longer than usual the answer may take, ms.
    pub patience_ms: u64,
}

/// What an AWS signature is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// Service, such as `s3`.
    pub service: &'static str,
    /// Region, such as `eu-central-1`.
    pub region: String,
}

/// A page of 1,000 events of 20 KB is 20 MB; more than three times that is a mistake.
pub const PAGE_BYTES_MAX: usize = 64 << 20;

impl Ask {
    /// `GET` of JSON.
    #[must_use]
    pub fn get(url: String) -> Self {
        Self {
            method: Method::GET,
            url,
            headers: vec![("accept", "application/json".into())],
            body: Bytes::new(),
            scope: None,
            answer_bytes_max: PAGE_BYTES_MAX,
            patience_ms: 0,
        }
    }
}

/// What a vendor said.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Body, decompressed as HTTP says; a stored `.gz` file is as it is stored.
    pub body: Bytes,
}

/// What a machine wants next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send this.
    Ask(Ask),
    /// Nothing before this time, ms since 1970.
    WaitUntil(u64),
}

/// What an event is known by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum EventId {
    /// The record's own id.
    Own(String),
    /// Where it stood, such as a place in a topic: for a record in which no id of its own is found.
    Place(String),
}

impl EventId {
    /// The id or the place.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Own(id) | Self::Place(id) => id,
        }
    }
}

/// One event of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its own bytes, cut out of the answer.
    pub raw: Bytes,
    /// By which it is kept once.
    pub id: EventId,
    /// When it says it happened, ms since 1970.
    pub at_ms: Option<u64>,
}

/// What an answer gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Events in the vendor's order.
    pub events: Vec<Event>,
    /// Things that happened while fetching, for records of the log.
    pub notes: Vec<Note>,
    /// From where to read on once all of this is kept; `None` when that has not changed.
    pub cursor: Option<String>,
    /// The vendor has no more for now.
    pub caught_up: bool,
}

/// Something about the fetching itself that must not pass unseen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Name of the record, such as `source.cursor_lost`.
    pub record: &'static str,
    /// Members: text by name. No secrets, nothing about people.
    pub members: Vec<(&'static str, String)>,
}

/// Why an answer cannot be used. It is asked for again after a back-off, and shown until it works.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// Not the documented shape.
    #[error("the answer is not what {0} documents: {1}")]
    Shape(&'static str, String),
    /// A page elsewhere.
    #[error(transparent)]
    Foreign(#[from] origin::Foreign),
    /// The vendor refused, with its reason.
    #[error("{0}")]
    Refused(String),
}

/// A vendor's API as a state machine. Five kinds are implemented.
pub trait Poller: Send {
    /// What to do at `now_ms`. An answer belongs to the last [`Step::Ask`].
    fn next(&mut self, now_ms: u64) -> Step;

    /// Takes the 2xx answer to the last [`Step::Ask`].
    ///
    /// # Errors
    /// [`Trouble`]; the machine stands where it stood.
    fn answered(&mut self, answer: &Answer, now_ms: u64) -> Result<Page, Trouble>;

    /// The last question was refused (a 4xx that is neither about credentials nor about rates).
    /// `Some` when the machine can go on by another way, such as reading a time window again
    /// because its cursor is no longer good.
    fn refused(&mut self, answer: &Answer, now_ms: u64) -> Option<Page>;
}

/// Elements of a JSON array, each as its own bytes within `body`.
fn elements(body: &Bytes, array: &[&RawValue]) -> Vec<Bytes> {
    array.iter().map(|raw| body.slice_ref(raw.get().as_bytes())).collect()
}

/// A record id for an event that has none: equal bytes are one event. Only for vendors whose events
/// are read twice.
fn id_of_bytes(raw: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, raw);
    format!("sha256:{}", hex(digest.as_ref()))
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        // Writing to a string cannot fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}
