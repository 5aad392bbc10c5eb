//! The counts of `GET /v1/search`: facets, and a histogram over time.

use serde::Serialize;

use crate::api::error::ApiError;
use crate::api::instant::format_rfc3339;
use crate::search::counts::{COUNTED, CountAsk, Counts, INTERVAL_MS_MIN, count};
use crate::search::field::Name;
use crate::search::{Index, Query, SearchError};
use crate::source::directory::Directory;
use crate::store::trail::Trail;

/// Fields counted in one answer.
const FACETS_MAX: usize = 12;
/// Values shown of each.
const VALUES_SHOWN: usize = 25;
/// Intervals of a histogram whose length nobody chose: what fits a screen.
const INTERVALS_AUTO: u64 = 120;
/// Intervals at most, whoever chose their length.
const INTERVALS_MAX: u64 = 5_000;
/// Units of an interval, ms.
const UNITS: [(&str, i64); 4] = [("m", 60_000), ("h", 3_600_000), ("d", 86_400_000), ("w", 604_800_000)];

/// How long an interval is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Interval {
    Auto,
    Ms(i64),
}

/// What of a search is to be counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    facets: Vec<Name>,
    interval: Option<Interval>,
}

/// What was counted.
#[derive(Serialize)]
pub struct CountsJson {
    /// Entries that match in all of the tree.
    matches: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    facets: Vec<FacetJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    histogram: Option<HistogramJson>,
    /// Entries that were not looked at because there was no time.
    left_out: u64,
    /// Entries that could not be read.
    unreadable: u64,
    /// Whether neither is any.
    complete: bool,
}

#[derive(Serialize)]
struct FacetJson {
    field: &'static str,
    values: Vec<ValueJson>,
    /// Values there are.
    distinct: usize,
    /// Matches that have one.
    total: u64,
    /// Matches whose value was counted with others', because there are too many.
    beyond: u64,
}

#[derive(Serialize)]
struct ValueJson {
    value: String,
    count: u64,
}

#[derive(Serialize)]
struct HistogramJson {
    interval_ms: i64,
    /// Intervals in which anything happened.
    buckets: Vec<BucketJson>,
}

#[derive(Serialize)]
struct BucketJson {
    from: String,
    from_ms: i64,
    count: u64,
}

impl CountsJson {
    /// Whether nothing was left out and everything could be read.
    pub const fn complete(&self) -> bool {
        self.complete
    }
}

fn interval(text: &str) -> Result<Interval, ApiError> {
    let wrong = || {
        ApiError::bad_request(
            "histogram_invalid",
            format!("histogram={text}: use auto, or a whole number of minutes, hours, days or weeks such as 5m, 1h, 1d"),
        )
    };
    if text.is_empty() || text == "auto" {
        return Ok(Interval::Auto);
    }
    let (_, unit) = UNITS.into_iter().find(|(unit, _)| text.ends_with(unit)).ok_or_else(wrong)?;
    let number = text.get(..text.len() - 1).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    let number: i64 = number.and_then(|digits| digits.parse().ok()).filter(|number| (1..=1000).contains(number)).ok_or_else(wrong)?;
    Ok(Interval::Ms(number * unit))
}

fn facet(word: &str) -> Result<Name, ApiError> {
    let counted = || COUNTED.iter().copied().chain([Name::Source]);
    counted().find(|name| name.word() == word).ok_or_else(|| {
        let words: Vec<_> = counted().map(Name::word).collect();
        ApiError::bad_request("facets_invalid", format!("there is nothing to count by {word:?}: use some of {}", words.join(", ")))
    })
}

impl Wanted {
    /// Reads the parameters `facets` and `histogram`.
    ///
    /// # Errors
    /// 400, saying what to write.
    pub fn parse(facets: Option<&str>, histogram: Option<&str>) -> Result<Self, ApiError> {
        let words = facets.unwrap_or_default().split(',').map(str::trim).filter(|word| !word.is_empty());
        let mut wanted = Self { facets: Vec::new(), interval: histogram.map(interval).transpose()? };
        for name in words.map(facet) {
            let name = name?;
            if !wanted.facets.contains(&name) {
                wanted.facets.push(name);
            }
        }
        if wanted.facets.len() > FACETS_MAX {
            return Err(ApiError::bad_request("facets_invalid", format!("facets: {FACETS_MAX} fields at most in one request")));
        }
        Ok(wanted)
    }

    /// Whether nothing is.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// What a search counts, and over which tree.
pub struct Counting<'a> {
    /// What of.
    pub query: &'a Query,
    /// The tree that the page covers; all there is, when none was made.
    pub size: Option<u64>,
    /// From when times back from now count, ms.
    pub now_ms: u64,
    /// How long it may take.
    pub time: std::time::Duration,
}

/// Counts, with the size and root that this covers.
///
/// # Errors
/// [`SearchError`].
pub fn counts(
    (trail, index, directory): (&Trail, &Index, &Directory),
    wanted: &Wanted,
    asked: &Counting<'_>,
) -> Result<(CountsJson, u64, tlog::Hash), SearchError> {
    let ask = CountAsk {
        query: asked.query.clone(),
        size: asked.size,
        now_ms: asked.now_ms,
        facets: wanted.facets.clone(),
        histogram: wanted.interval.is_some(),
        time: asked.time,
    };
    let Counts { size, root, matches, facets, histogram, read: _, left_out, unreadable } = count(trail, index, directory, &ask)?;
    let unreadable = unreadable.iter().map(|gap| gap.end - gap.first).sum();
    let histogram = histogram.zip(wanted.interval).map(|(histogram, interval)| {
        let histogram = match interval {
            Interval::Auto => histogram.with_at_most(INTERVALS_AUTO),
            Interval::Ms(ms) => histogram.in_intervals_of(ms.max(INTERVAL_MS_MIN)).with_at_most(INTERVALS_MAX),
        };
        let bucket =
            |(from_ms, count): (i64, u64)| BucketJson { from: format_rfc3339(u64::try_from(from_ms).unwrap_or(0)), from_ms, count };
        HistogramJson { interval_ms: histogram.interval_ms(), buckets: histogram.buckets().into_iter().map(bucket).collect() }
    });
    let facets = facets.iter().map(|(name, values)| FacetJson {
        field: name.word(),
        values: values.top(VALUES_SHOWN).into_iter().map(|(value, count)| ValueJson { value: value.to_owned(), count }).collect(),
        distinct: values.distinct(),
        total: values.total(),
        beyond: values.beyond(),
    });
    let complete = left_out == 0 && unreadable == 0;
    Ok((CountsJson { matches, facets: facets.collect(), histogram, left_out, unreadable, complete }, size, root))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_whole_numbers_of_units() {
        assert_eq!(interval("auto").unwrap(), Interval::Auto);
        assert_eq!(interval("5m").unwrap(), Interval::Ms(300_000));
        assert_eq!(interval("1w").unwrap(), Interval::Ms(604_800_000));
        for wrong in ["5", "0m", "-1h", "1.5h", "5s", "é", "m", "99999d", "1 d"] {
            assert!(interval(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_what_can_be_counted_is_a_facet_and_each_once() {
        let wanted = Wanted::parse(Some("actor, country,source,actor"), None).unwrap();
        assert_eq!(wanted.facets, [Name::Actor, Name::Country, Name::Source]);
        assert!(Wanted::parse(Some("message"), None).is_err());
        assert!(
            Wanted::parse(Some(&COUNTED.iter().map(|name| name.word()).collect::<Vec<_>>().join(",")), None).is_err(),
            "more than {FACETS_MAX}"
        );
        assert!(Wanted::parse(Some(""), None).unwrap().is_nothing());
        assert!(!Wanted::parse(None, Some("")).unwrap().is_nothing());
    }
}
