//! GitHub's audit log of an organisation or enterprise, `GET /orgs/{org}/audit-log`.
//!
//! `include=all&order=asc` from a time on (`phrase=created:>=…`), then the `next` link with its
//! `after` cursor. The last page has none, so each run begins a little before the newest event
//! seen. GitHub allows 1,750 requests an hour to this endpoint for an organisation and says in
//! headers how many are left.
//! <https://docs.github.com/enterprise-cloud@latest/rest/orgs/orgs#get-the-audit-log-for-an-organization>

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::door::poll::paged::{Pace, Read, Vendor, event, query};
use crate::door::poll::{Answer, Trouble, elements, link, moment};

/// Largest page that GitHub gives.
const PAGE_EVENTS: &str = "100";
/// One request a minute when nothing happens: 60 of 1,750 an hour. GitHub states no lateness; ten
/// minutes are read again. A day at a time in a first import.
pub const PACE: Pace = Pace { interval_ms: 60_000, late_ms: 10 * 60_000, slice_ms: Some(24 * 3_600_000) };

/// See the module.
#[derive(Debug)]
pub struct Github {
    path: String,
}

impl Github {
    /// Headers that GitHub wants with each request.
    pub const HEADERS: [(&'static str, &'static str); 1] = [("x-github-api-version", "2022-11-28")];

    /// The audit log of an organisation, or of an enterprise; `name` is one that [`is_login`] takes.
    #[must_use]
    pub fn new(name: &str, enterprise: bool) -> Self {
        let what = if enterprise { "enterprises" } else { "orgs" };
        Self { path: format!("/{what}/{name}/audit-log") }
    }
}

/// Whether a text can be the name of an organisation or enterprise.
#[must_use]
pub fn is_login(name: &str) -> bool {
    (1..=100).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

#[derive(Deserialize)]
struct Known<'a> {
    #[serde(rename = "_document_id", borrow, default)]
    id: Option<Cow<'a, str>>,
    #[serde(rename = "@timestamp", default)]
    timestamp: Option<u64>,
    #[serde(default)]
    created_at: Option<u64>,
}

impl Vendor for Github {
    fn first(&self, from_ms: u64, until_ms: Option<u64>) -> String {
        // Whole seconds, downwards: what is read twice is dropped, what is not read is lost.
        let time = |ms: u64| moment::formatted(ms, "%Y-%m-%dT%H:%M:%S+00:00");
        let phrase = match until_ms {
            Some(until) => format!("created:{}..{}", time(from_ms), time(until.saturating_add(999))),
            None => format!("created:>={}", time(from_ms)),
        };
        let pairs = [("phrase", phrase.as_str()), ("include", "all"), ("order", "asc"), ("per_page", PAGE_EVENTS)];
        format!("{}?{}", self.path, query(&pairs))
    }

    fn read(&self, answer: &Answer) -> Result<Read, Trouble> {
        let array: Vec<&RawValue> =
            serde_json::from_slice(&answer.body).map_err(|why| Trouble::Shape("GitHub", format!("not an array of events ({why})")))?;
        let events = elements(&answer.body, &array)
            .into_iter()
            .map(|raw| {
                let known = serde_json::from_slice::<Known<'_>>(&raw).ok();
                let (id, at) = known.map_or((None, None), |known| (known.id, known.timestamp.or(known.created_at)));
                crate::door::poll::Event { at_ms: at, ..event(raw.clone(), id.as_deref(), None) }
            })
            .collect();
        let next = link::link(&answer.headers, "next").map(str::to_owned);
        Ok(Read { events, caught_up: next.is_none(), next })
    }
}
