//! Names of CloudTrail's files in a bucket. They sort by time within a stream, which is what
//! listing from a place on rests on.
//!
//! ```text
//! [PREFIX/]AWSLogs/[o-ORG/]ACCOUNT/CloudTrail/REGION/YYYY/MM/DD/ACCOUNT_CloudTrail_REGION_YYYYMMDDTHHMMZ_UNIQUE.json.gz
//! [PREFIX/]AWSLogs/[o-ORG/]ACCOUNT/CloudTrail-Digest/REGION/YYYY/MM/DD/ACCOUNT_CloudTrail-Digest_REGION_TRAIL_HOME_YYYYMMDDTHHMMSSZ.json.gz
//! ```
//! <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-find-log-files.html>

use crate::door::poll::moment;

/// Files of one account in one region.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stream {
    /// Account number.
    pub account: String,
    /// Region.
    pub region: String,
    /// Everything before `CloudTrail/` or `CloudTrail-Digest/`.
    base: String,
}

/// What a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// Events, and when they were delivered, ms.
    Log(Stream, u64),
    /// A digest: the chain it belongs to and when it ends, ms.
    Digest(Stream, String, u64),
}

impl Stream {
    /// The stream of an account below `accounts_prefix`, which ends with a slash. `None` when the
    /// words are not an account number and a region.
    #[must_use]
    pub fn new(accounts_prefix: &str, account: &str, region: &str) -> Option<Self> {
        let fits = is_account(account) && is_region(region);
        fits.then(|| Self { account: account.into(), region: region.into(), base: format!("{accounts_prefix}{account}/") })
    }

    /// Prefix of all its logs.
    #[must_use]
    pub fn logs(&self) -> String {
        format!("{}CloudTrail/{}/", self.base, self.region)
    }

    /// Prefix of all its digests.
    #[must_use]
    pub fn digests(&self) -> String {
        format!("{}CloudTrail-Digest/{}/", self.base, self.region)
    }

    /// A name that sorts before each log delivered at `ms` or later, and behind each earlier one.
    #[must_use]
    pub fn logs_before(&self, ms: u64) -> String {
        let day = moment::formatted(ms, "%Y/%m/%d");
        let minute = moment::formatted(ms, "%Y%m%dT%H%MZ");
        format!("{}{day}/{}_CloudTrail_{}_{minute}", self.logs(), self.account, self.region)
    }

    /// A name that sorts before each digest of the day of `ms`.
    #[must_use]
    pub fn digests_before(&self, ms: u64) -> String {
        format!("{}{}/", self.digests(), moment::formatted(ms, "%Y/%m/%d"))
    }
}

/// Reads a name. `None` for files that are neither, such as `CloudTrail-Insight`.
#[must_use]
pub fn parse(key: &str) -> Option<Named> {
    let stem = key.strip_suffix(".json.gz")?;
    let mut from_end = stem.rsplit('/');
    let file = from_end.next()?;
    let mut back = from_end.skip(3);
    let (region, folder, account) = (back.next()?, back.next()?, back.next()?);
    let base_len = stem.len().checked_sub(file.len() + "/YYYY/MM/DD/".len() + region.len() + folder.len() + 1)?;
    let base = stem.get(..base_len)?;
    let accounts_prefix = base.strip_suffix('/')?.strip_suffix(account)?;
    let stream = Stream::new(accounts_prefix, account, region)?;
    let rest = file.strip_prefix(account)?.strip_prefix('_')?.strip_prefix(folder)?.strip_prefix('_')?;
    let rest = rest.strip_prefix(region)?.strip_prefix('_')?;
    match folder {
        "CloudTrail" => {
            let (time, _) = rest.split_once('_')?;
            Some(Named::Log(stream, time_of(time)?))
        }
        "CloudTrail-Digest" => {
            let (trail, time) = rest.rsplit_once('_')?;
            let chain = format!("{account}/{region}/{trail}");
            Some(Named::Digest(stream, chain, time_of(time)?))
        }
        _ => None,
    }
}

/// `YYYYMMDDTHHMMZ` or `YYYYMMDDTHHMMSSZ`, in ms.
fn time_of(text: &str) -> Option<u64> {
    let digits = text.strip_suffix('Z')?;
    let (date, time) = digits.split_once('T')?;
    let fits =
        date.len() == 8 && matches!(time.len(), 4 | 6) && [date, time].iter().all(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
    if !fits {
        return None;
    }
    let part = |text: &'_ str, from: usize, to: usize| text.get(from..to).map(str::to_owned);
    let second = part(time, 4, 6).unwrap_or_else(|| "00".into());
    moment::from_rfc3339(&format!(
        "{}-{}-{}T{}:{}:{second}Z",
        part(date, 0, 4)?,
        part(date, 4, 6)?,
        part(date, 6, 8)?,
        part(time, 0, 2)?,
        part(time, 2, 4)?
    ))
}

/// Twelve digits.
#[must_use]
pub fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Such as `us-gov-east-1`.
#[must_use]
pub fn is_region(text: &str) -> bool {
    (5..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LOG: &str = "p/AWSLogs/o-abc123/111122223333/CloudTrail/us-east-1/2026/01/02/111122223333_CloudTrail_us-east-1_20260102T0304Z_Mu0KsOhtH1ar15ZZ.json.gz";
    const DIGEST: &str = "AWSLogs/111122223333/CloudTrail-Digest/us-east-1/2026/01/02/111122223333_CloudTrail-Digest_us-east-1_my_trail_us-west-2_20260102T030405Z.json.gz";

    #[test]
    fn names_of_logs_and_digests_are_read() {
        let Some(Named::Log(stream, at)) = parse(LOG) else { panic!("a log") };
        assert_eq!((stream.account.as_str(), stream.region.as_str()), ("111122223333", "us-east-1"));
        assert_eq!(stream.logs(), "p/AWSLogs/o-abc123/111122223333/CloudTrail/us-east-1/");
        assert_eq!(moment::rfc3339(at), "2026-01-02T03:04:00.000Z");
        let Some(Named::Digest(stream, chain, at)) = parse(DIGEST) else { panic!("a digest") };
        assert_eq!(stream.digests(), "AWSLogs/111122223333/CloudTrail-Digest/us-east-1/");
        assert_eq!(
            (chain.as_str(), moment::rfc3339(at).as_str()),
            ("111122223333/us-east-1/my_trail_us-west-2", "2026-01-02T03:04:05.000Z")
        );
    }

    #[test]
    fn other_files_are_left_alone() {
        for key in [
            "",
            "x",
            "AWSLogs/111122223333/CloudTrail-Insight/us-east-1/2026/01/02/111122223333_CloudTrail-Insight_us-east-1_20260102T0304Z_x.json.gz",
            &LOG.replace(".json.gz", ".json"),
            &LOG.replace("111122223333_", "999922223333_"),
            &LOG.replace("T0304Z", "T9904Z"),
            &LOG.replace("us-east-1/", "US_EAST_1/"),
        ] {
            assert_eq!(parse(key), None, "{key}");
        }
    }

    #[test]
    fn a_place_in_a_stream_sorts_between_what_came_before_and_after() {
        let Some(Named::Log(stream, at)) = parse(LOG) else { panic!("a log") };
        assert!(stream.logs_before(at).as_str() < LOG && stream.logs_before(at + 60_000).as_str() > LOG);
        let Some(Named::Digest(stream, _, at)) = parse(DIGEST) else { panic!("a digest") };
        assert!(stream.digests_before(at).as_str() < DIGEST && stream.digests_before(at + 86_400_000).as_str() > DIGEST);
    }

    proptest! {
        #[test]
        fn no_name_panics(key in r"([0-9]{12}|[/_]|CloudTrail(-Digest)?|us-east-1|2026/01/02|20260102T0304(05)?Z|[a-zé]|\.json\.gz){0,16}") {
            let _ = parse(&key);
        }
    }
}
