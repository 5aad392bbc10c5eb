//! Okta System Log, `GET /api/v1/logs`.
//!
//! A polling request: `since` without `until`, then always the `next` link, which is there even
//! behind an empty page and then means "up to now". Requests bounded by `until` may miss events
//! that are written late, so there are none.
//! <https://developer.okta.com/docs/api/openapi/okta-management/management/tag/SystemLog/>

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::door::poll::paged::{Pace, Read, Vendor, event, query};
use crate::door::poll::{Answer, Trouble, elements, link, moment};

/// Largest page that Okta gives.
const PAGE_EVENTS: &str = "1000";
/// The API allows far more requests; half a minute of lag costs 120 an hour.
pub const PACE: Pace = Pace { interval_ms: 30_000, late_ms: 3_600_000, slice_ms: None };

/// See the module.
#[derive(Debug, Default)]
pub struct Okta;

#[derive(Deserialize)]
struct Known<'a> {
    #[serde(borrow, default)]
    uuid: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    published: Option<Cow<'a, str>>,
}

impl Vendor for Okta {
    fn first(&self, from_ms: u64, _until_ms: Option<u64>) -> String {
        let since = moment::rfc3339(from_ms);
        format!("/api/v1/logs?{}", query(&[("since", &since), ("sortOrder", "ASCENDING"), ("limit", PAGE_EVENTS)]))
    }

    fn read(&self, answer: &Answer) -> Result<Read, Trouble> {
        let array: Vec<&RawValue> =
            serde_json::from_slice(&answer.body).map_err(|why| Trouble::Shape("Okta", format!("not an array of events ({why})")))?;
        let events: Vec<_> = elements(&answer.body, &array)
            .into_iter()
            .map(|raw| {
                let known = serde_json::from_slice::<Known<'_>>(&raw).ok();
                let (id, at) = known.map_or((None, None), |known| (known.uuid, known.published));
                event(raw.clone(), id.as_deref(), at.as_deref())
            })
            .collect();
        let next = link::link(&answer.headers, "next").map(str::to_owned);
        Ok(Read { caught_up: events.is_empty() || next.is_none(), events, next })
    }
}
