//! AWS CloudTrail from its S3 bucket: files found by listing, or told of by an SQS queue, and the
//! digest files beside them checked.
//!
//! Work is a queue of small jobs, one request each; the first job is the one under way. A file's
//! events are kept before the next job begins, so a message is deleted only behind its events.
//! Files appear late: a listing begins a lateness window before the newest file taken, and skips
//! what this process took. What an earlier process took is read again and dropped by `eventID`.

pub mod bucket;
pub mod check;
pub mod digest;
pub mod key;
pub mod place;
pub mod queue;
pub mod taken;

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::door::poll::cloudtrail::bucket::{Bucket, Listed, PLAIN_BYTES_MAX};
use crate::door::poll::cloudtrail::check::Checks;
use crate::door::poll::cloudtrail::key::{Named, Stream};
use crate::door::poll::cloudtrail::place::Place;
use crate::door::poll::cloudtrail::queue::{Message, Queue};
use crate::door::poll::cloudtrail::taken::Taken;
use crate::door::poll::http::gunzip;
use crate::door::poll::paged::event;
use crate::door::poll::{Answer, Event, Note, Page, Poller, Step, Trouble, elements};

/// CloudTrail delivers within about five minutes and does not promise it; an hour of listings is
/// a page or two for each region.
pub const LATE_MS: u64 = 60 * 60_000;
/// Between the end of a listing and the next.
pub const INTERVAL_MS: u64 = 60_000;
/// Digests come once an hour.
const DIGESTS_EVERY_MS: u64 = 5 * 60_000;
/// A queue that answers at once instead of waiting is not asked in a loop.
const QUEUE_PAUSE_MS: u64 = 1_000;

/// What is read, and how.
#[derive(Clone, Debug)]
pub struct Trail {
    /// Where the files are.
    pub bucket: Bucket,
    /// What the administrator put before `AWSLogs/`: empty, or with a slash at its end.
    pub prefix: String,
    /// Only these accounts; empty for all that are there.
    pub accounts: Vec<String>,
    /// Only these regions; empty for all that are there.
    pub regions: Vec<String>,
    /// Tells of new files; listing otherwise.
    pub queue: Option<Queue>,
    /// Check digests, and with what.
    pub checks: Option<Checks>,
    /// Files delivered before are not taken, ms.
    pub start_ms: u64,
    /// How late a file may appear, ms.
    pub late_ms: u64,
    /// Between listings, ms.
    pub interval_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Job {
    /// Accounts and organisations below a folder, behind a name.
    Accounts(String, String),
    /// Regions of an account below a folder.
    Regions(String, String),
    /// Log files of a stream behind a name.
    Logs(Stream, String),
    /// Digest files of a stream behind a name.
    Digests(Stream, String),
    /// One log file, its delivery time in ms; `false` when only its hash is wanted.
    File { key: String, stream: Stream, at_ms: u64, events: bool },
    /// One digest file and its chain.
    Digest { key: String, stream: Stream, chain: String },
    /// AWS's public keys of a region.
    Keys(String),
    /// Messages.
    Receive,
    /// A message whose events are kept.
    Delete(String),
}

/// See the module.
pub struct CloudTrail {
    trail: Trail,
    place: Place,
    jobs: VecDeque<Job>,
    taken: BTreeMap<Stream, Taken>,
    next_sweep_ms: u64,
    next_digests_ms: u64,
    /// The sweep under way lists digests as well.
    sweeps_digests: bool,
    wait_until: u64,
}

impl CloudTrail {
    /// Reads on from `cursor`.
    #[must_use]
    pub fn new(trail: Trail, cursor: Option<&str>) -> Self {
        let place = Place::of(cursor);
        Self {
            trail,
            place,
            jobs: VecDeque::new(),
            taken: BTreeMap::new(),
            next_sweep_ms: 0,
            next_digests_ms: 0,
            sweeps_digests: false,
            wait_until: 0,
        }
    }

    /// Begins a sweep when one is due: accounts and regions first, which bring the rest.
    fn plan(&mut self, now_ms: u64) {
        if !self.jobs.is_empty() {
            return;
        }
        let digests_due = self.trail.checks.is_some() && now_ms >= self.next_digests_ms;
        if self.trail.queue.is_some() && !digests_due {
            self.jobs.push_back(Job::Receive);
            return;
        }
        if self.trail.queue.is_none() && now_ms < self.next_sweep_ms {
            self.wait_until = self.next_sweep_ms;
            return;
        }
        self.sweeps_digests = digests_due;
        let folder = format!("{}AWSLogs/", self.trail.prefix);
        if self.trail.accounts.is_empty() {
            self.jobs.push_back(Job::Accounts(folder, String::new()));
        } else {
            self.jobs.extend(self.trail.accounts.iter().map(|account| Job::Regions(folder.clone(), account.clone())));
        }
    }

    fn ask(&self, job: &Job) -> Step {
        let bucket = &self.trail.bucket;
        let list = |prefix: &str, after: &str, folders: bool| bucket.list(Listed { prefix, after, folders });
        Step::Ask(match job {
            Job::Accounts(folder, after) => list(folder, after, true),
            Job::Regions(folder, account) => list(&format!("{folder}{account}/CloudTrail/"), "", true),
            Job::Logs(stream, after) => list(&stream.logs(), after, false),
            Job::Digests(stream, after) => list(&stream.digests(), after, false),
            Job::File { key, .. } | Job::Digest { key, .. } => bucket.get(key),
            Job::Keys(region) => match &self.trail.checks {
                Some(checks) => checks.ask_keys(region, self.trail.start_ms),
                None => return Step::WaitUntil(0),
            },
            Job::Receive | Job::Delete(_) => match (&self.trail.queue, job) {
                (Some(queue), Job::Delete(receipt)) => queue.delete(receipt),
                (Some(queue), _) => queue.receive(),
                (None, _) => return Step::WaitUntil(0),
            },
        })
    }

    /// The first job is done; `jobs` come next, in order.
    fn done(&mut self, jobs: Vec<Job>, now_ms: u64) {
        self.jobs.pop_front();
        for job in jobs.into_iter().rev() {
            self.jobs.push_front(job);
        }
        if self.jobs.is_empty() {
            self.next_sweep_ms = now_ms.saturating_add(self.trail.interval_ms);
            if std::mem::take(&mut self.sweeps_digests) {
                self.next_digests_ms = now_ms.saturating_add(DIGESTS_EVERY_MS);
            }
        }
    }

    /// Listings of the streams of an account.
    fn streams(&mut self, folder: &str, account: &str, folders: &[String]) -> Vec<Job> {
        let regions = folders.iter().filter_map(|found| found.strip_suffix('/')?.rsplit('/').next());
        let wanted = regions.filter(|region| self.trail.regions.is_empty() || self.trail.regions.iter().any(|it| it == region));
        let streams: Vec<Stream> = wanted.filter_map(|region| Stream::new(folder, account, region)).collect();
        let mut jobs = Vec::new();
        for stream in streams {
            let newest = self.place.of_stream(&stream);
            let from = newest.map_or(self.trail.start_ms, |newest| newest.saturating_sub(self.trail.late_ms).max(self.trail.start_ms));
            let taken = self.taken.entry(stream.clone()).or_default();
            taken.forget_before(&stream.logs_before(from.saturating_sub(taken::KEPT_MS)));
            if self.trail.queue.is_none() {
                jobs.push(Job::Logs(stream.clone(), stream.logs_before(from)));
            }
            if self.sweeps_digests {
                let after = stream.digests_before(from.saturating_sub(taken::KEPT_MS).max(self.trail.start_ms));
                jobs.push(Job::Digests(stream, after));
            }
        }
        jobs
    }

    /// Files of a page of a listing that were not taken, then the page behind it.
    fn files(&self, stream: &Stream, listing: bucket::Listing) -> Vec<Job> {
        let taken = self.taken.get(stream);
        let next = listing.more.then(|| listing.keys.last().cloned()).flatten();
        let mut jobs: Vec<Job> = listing
            .keys
            .into_iter()
            .filter(|key| taken.is_none_or(|taken| taken.hash(key).is_none()))
            .filter_map(|key| match key::parse(&key)? {
                Named::Log(of, at_ms) if of == *stream => Some(Job::File { key, stream: of, at_ms, events: true }),
                _ => None,
            })
            .collect();
        jobs.extend(next.map(|after| Job::Logs(stream.clone(), after)));
        jobs
    }

    fn digests(&self, stream: &Stream, listing: bucket::Listing) -> Vec<Job> {
        let next = listing.more.then(|| listing.keys.last().cloned()).flatten();
        let mut jobs: Vec<Job> = listing
            .keys
            .into_iter()
            .filter_map(|key| match key::parse(&key)? {
                Named::Digest(of, chain, at_ms) if of == *stream && at_ms > self.trail.start_ms => {
                    let new = self.place.link(&chain).is_none_or(|link| link.key < key);
                    new.then_some(Job::Digest { key, stream: of, chain })
                }
                _ => None,
            })
            .collect();
        jobs.extend(next.map(|after| Job::Digests(stream.clone(), after)));
        jobs
    }

    /// Files that messages tell of, each message deleted behind its own.
    fn messages(&self, messages: Vec<Message>) -> (Vec<Job>, Vec<Note>) {
        let (mut jobs, mut notes) = (Vec::new(), Vec::new());
        for message in messages {
            if message.unknown {
                notes.push(Note { record: "source.message_unknown", members: vec![("from", "sqs".into())] });
            }
            for (bucket, key) in message.files {
                if bucket != self.trail.bucket.name || !key.starts_with(&self.trail.prefix) {
                    notes.push(Note { record: "source.object_elsewhere", members: vec![("bucket", bucket), ("object", key)] });
                } else if let Some(Named::Log(stream, at_ms)) = key::parse(&key) {
                    jobs.push(Job::File { key, stream, at_ms, events: true });
                }
            }
            jobs.push(Job::Delete(message.receipt));
        }
        (jobs, notes)
    }

    /// A log file: its events, and its hash for the digest that will name it.
    fn file(&mut self, answer: &Answer, key: &str, stream: &Stream, at_ms: u64, events: bool) -> Page {
        let mut page = Page::default();
        let plain = decompressed(&answer.body);
        let hash = plain.as_ref().map(|plain| digest::sha256(plain));
        self.taken.entry(stream.clone()).or_default().insert(key.to_owned(), hash.unwrap_or_default());
        if events {
            match plain.as_ref().map(records) {
                Some(Ok(events)) => page.events = events,
                Some(Err(why)) => page.notes.push(unreadable(key, &why.to_string())),
                None => page.notes.push(unreadable(key, "not gzip, or too large")),
            }
            self.place.took(stream, at_ms);
            page.cursor = self.place.cursor();
        }
        self.settle(key, hash, &mut page);
        page
    }

    /// Tells the digest under way what became of a file.
    fn settle(&mut self, key: &str, hash: Option<[u8; 32]>, page: &mut Page) {
        if let Some(checks) = &mut self.trail.checks
            && let Some(checked) = checks.settle(key, hash)
        {
            self.place.linked(&checked.chain, checked.link);
            page.notes.push(checked.note);
            page.cursor = self.place.cursor();
        }
    }

    /// A digest: checked at once, or after files that this process did not read.
    fn digest(&mut self, answer: &Answer, job: &Job, now_ms: u64) -> (Page, Vec<Job>) {
        let Job::Digest { key, stream, chain } = job else {
            return (Page::default(), Vec::new());
        };
        let Some(checks) = &mut self.trail.checks else {
            return (Page::default(), Vec::new());
        };
        let plain = decompressed(&answer.body).unwrap_or_default();
        let signature = answer.headers.get("x-amz-meta-signature").and_then(|value| value.to_str().ok());
        let read = digest::read(&plain);
        if let Ok(read) = &read
            && checks.wants_keys(&stream.region, read.fingerprint(), now_ms)
        {
            return (Page::default(), vec![Job::Keys(stream.region.clone()), job.clone()]);
        }
        let file = check::DigestFile { bucket: &self.trail.bucket.name, key, chain, plain: &plain, signature };
        let unread = checks.begin(&file, read.ok(), self.place.link(chain), |log| {
            let Named::Log(of, _) = key::parse(log)? else { return None };
            self.taken.get(&of)?.hash(log)
        });
        let jobs = unread.into_iter().filter_map(|log| match key::parse(&log)? {
            // A file from before the start is hashed, its events are not taken.
            Named::Log(of, at_ms) => Some(Job::File { key: log, stream: of, at_ms, events: at_ms >= self.trail.start_ms }),
            Named::Digest(..) => None,
        });
        let jobs = jobs.collect();
        let mut page = Page::default();
        self.settle("", None, &mut page);
        (page, jobs)
    }
}

impl Poller for CloudTrail {
    fn next(&mut self, now_ms: u64) -> Step {
        if now_ms < self.wait_until {
            return Step::WaitUntil(self.wait_until);
        }
        self.plan(now_ms);
        self.jobs.front().map_or(Step::WaitUntil(self.wait_until), |job| self.ask(job))
    }

    fn answered(&mut self, answer: &Answer, now_ms: u64) -> Result<Page, Trouble> {
        let Some(job) = self.jobs.front().cloned() else {
            return Ok(Page::default());
        };
        let mut page = Page::default();
        let jobs = match &job {
            Job::Accounts(folder, _) => accounts(folder, &bucket::listing(&answer.body)?),
            Job::Regions(folder, account) => {
                let listing = bucket::listing(&answer.body)?;
                self.streams(folder, account, &listing.folders)
            }
            Job::Logs(stream, _) => self.files(stream, bucket::listing(&answer.body)?),
            Job::Digests(stream, _) => self.digests(stream, bucket::listing(&answer.body)?),
            Job::File { key, stream, at_ms, events } => {
                page = self.file(answer, key, stream, *at_ms, *events);
                Vec::new()
            }
            Job::Digest { .. } => {
                let (checked, jobs) = self.digest(answer, &job, now_ms);
                page = checked;
                jobs
            }
            Job::Keys(_) => {
                let keys = digest::public_keys(&answer.body)?;
                if let Some(checks) = &mut self.trail.checks {
                    checks.add_keys(keys);
                }
                Vec::new()
            }
            Job::Receive => {
                let (jobs, notes) = self.messages(queue::messages(&answer.body)?);
                page.notes = notes;
                if jobs.is_empty() {
                    page.caught_up = true;
                    self.wait_until = now_ms.saturating_add(QUEUE_PAUSE_MS);
                }
                jobs
            }
            Job::Delete(_) => Vec::new(),
        };
        self.done(jobs, now_ms);
        if self.jobs.is_empty() && !matches!(job, Job::Receive | Job::Delete(_)) {
            page.caught_up |= self.trail.queue.is_none();
        }
        Ok(page)
    }

    fn refused(&mut self, answer: &Answer, now_ms: u64) -> Option<Page> {
        let job = self.jobs.front()?.clone();
        let mut page = Page::default();
        match &job {
            Job::File { key, .. } if matches!(answer.status.as_u16(), 404 | 410) => {
                page.notes.push(Note { record: "source.object_missing", members: vec![("object", key.clone())] });
                self.settle(key, None, &mut page);
            }
            Job::Digest { .. } if matches!(answer.status.as_u16(), 404 | 410) => {}
            // Gone or timed out; the message comes again, and its events are dropped by their ids.
            Job::Delete(_) if answer.status.as_u16() != 403 => {}
            Job::Keys(_) => self.trail.checks.as_mut()?.keys_refused(),
            _ => return None,
        }
        self.done(Vec::new(), now_ms);
        Some(page)
    }
}

/// Accounts and organisations of a page of folders, then the page behind it.
fn accounts(folder: &str, listing: &bucket::Listing) -> Vec<Job> {
    let names = listing.folders.iter().filter_map(|found| Some((found, found.strip_prefix(folder)?.strip_suffix('/')?)));
    let mut jobs: Vec<Job> = names
        .filter_map(|(found, name)| match name {
            account if key::is_account(account) => Some(Job::Regions(folder.to_owned(), account.to_owned())),
            organisation if organisation.starts_with("o-") => Some(Job::Accounts(found.clone(), String::new())),
            _ => None,
        })
        .collect();
    // `0` sorts right behind `/`: the name behind all that is in the last folder.
    let next = listing.folders.last().and_then(|last| last.strip_suffix('/')).filter(|_| listing.more);
    jobs.extend(next.map(|last| Job::Accounts(folder.to_owned(), format!("{last}0"))));
    jobs
}

fn unreadable(key: &str, why: &str) -> Note {
    Note { record: "source.object_unreadable", members: vec![("object", key.to_owned()), ("why", why.to_owned())] }
}

/// What is in a file; some stores and proxies hand it out decompressed.
fn decompressed(body: &Bytes) -> Option<Bytes> {
    gunzip(body, PLAIN_BYTES_MAX).or_else(|| (body.first() == Some(&b'{')).then(|| body.clone()))
}

#[derive(Deserialize)]
struct File<'a> {
    #[serde(rename = "Records", borrow)]
    records: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Known<'a> {
    #[serde(rename = "eventID", borrow, default)]
    id: Option<Cow<'a, str>>,
    #[serde(rename = "eventTime", borrow, default)]
    time: Option<Cow<'a, str>>,
}

/// Events of a log file.
fn records(plain: &Bytes) -> Result<Vec<Event>, Trouble> {
    let file: File<'_> =
        serde_json::from_slice(plain).map_err(|why| Trouble::Shape("CloudTrail", format!("not an object with `Records` ({why})")))?;
    Ok(elements(plain, &file.records)
        .into_iter()
        .map(|raw| {
            let known = serde_json::from_slice::<Known<'_>>(&raw).ok();
            let (id, at) = known.map_or((None, None), |known| (known.id, known.time));
            event(raw.clone(), id.as_deref(), at.as_deref())
        })
        .collect())
}
