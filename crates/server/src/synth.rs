//! A synthetic trail: realistic records of five vendors about the same 20,000 identities, from a seed.
//!
//! ```text
//! event n ─► calendar: when ─► source, happening ─► people: who, to whom ─► session: from where ─► template: the record
//! ```
//!
//! INVARIANT: a record is a function of the plan and its number alone. So shards of a trail can be made side by
//! side, in any order, on any machine, and are the same bytes; `tests/synth.rs` holds a hash of them.
//!
//! What happens, in which shape and how often is data: one file a vendor, `company.toml` for what they share,
//! and `story.toml` for the incident that is planted in each trail.
//!
//! Absent on purpose: state that an event leaves for the next. An account that was deactivated may sign in
//! again; what must follow from each other is told by the story.

use std::ops::Range;

use rayon::prelude::*;

mod calendar;
mod company;
mod draw;
mod people;
mod session;
mod slot;
mod source;
mod story;
mod template;

pub use people::{IDENTITIES, Person};
pub use source::Source;
pub use story::Step;

use calendar::Calendar;
use company::Company;
use draw::{Draw, Of, Weighted, spread};
use people::People;
use session::Session;
use slot::{NUMBERS, Scene};
use source::{Described, Happening, Whence};
use story::Story;
use template::Template;

/// Fewest events: the story needs two dozen behind two thirds of the trail.
pub const EVENTS_MIN: u64 = 100;
/// Most events: a terabyte of records.
pub const EVENTS_MAX: u64 = 1_000_000_000;
/// Longest span: eleven years, more than any retention asks for.
pub const DAYS_MAX: u64 = 4_000;
/// Until when a trail reaches if nobody says: 2026-07-01T00:00:00Z. Not now, so that a seed alone names a trail.
pub const END_MS: u64 = 1_782_864_000_000;
const DAY_MS: u64 = 86_400_000;
/// Events that one thread makes at a time: some milliseconds of work.
const SHARD_EVENTS: u64 = 1_024;

/// What a trail is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// How many events.
    pub events: u64,
    /// Which of all trails of this size.
    pub seed: u64,
    /// How many days it spans.
    pub days: u64,
    /// Until when, in ms since 1970 UTC.
    pub end_ms: u64,
    /// Of which sources; none for all.
    pub sources: Vec<Source>,
}

impl Plan {
    /// 90 days of all sources until [`END_MS`].
    #[must_use]
    pub const fn new(events: u64, seed: u64) -> Self {
        Self { events, seed, days: 90, end_ms: END_MS, sources: Vec::new() }
    }
}

/// Why there is no such trail.
#[derive(Debug, thiserror::Error)]
pub enum SynthError {
    /// Too few or too many.
    #[error("{0} events make no trail: ask for {EVENTS_MIN} to {EVENTS_MAX}")]
    Events(u64),
    /// Too short or too long.
    #[error("{0} days make no trail: ask for 1 to {DAYS_MAX}")]
    Days(u64),
    /// The span would begin before 1970 or end after the year 9000.
    #[error("a trail cannot reach until {0} ms since 1970: its days must lie between the years 1970 and 9000")]
    End(u64),
    /// What is built in is wrong: our bug.
    #[error("the built-in {file} is wrong: {why}; this is a bug of Indelible, please report it")]
    Data {
        /// In which file.
        file: &'static str,
        /// What is wrong.
        why: String,
    },
}

impl SynthError {
    /// Says in which file something is wrong: `.map_err(SynthError::data(FILE))`.
    fn data<E: std::fmt::Display>(file: &'static str) -> impl FnOnce(E) -> Self {
        move |why| Self::Data { file, why: why.to_string() }
    }
}

/// What was made beside the record's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Made {
    /// Whose record it is.
    pub source: Source,
    /// When it happened, in ms since 1970 UTC.
    pub time_ms: u64,
}

/// A trail, ready to be made.
#[derive(Clone, Debug)]
pub struct Synth {
    plan: Plan,
    company: Company,
    calendar: Calendar,
    people: People,
    happenings: Vec<Happening>,
    weights: Weighted,
    story: Story,
    directory_row: Template,
}

impl Synth {
    /// Makes ready the trail of `plan`.
    ///
    /// # Errors
    /// [`SynthError`].
    pub fn new(mut plan: Plan) -> Result<Self, SynthError> {
        /// The year 9000: times have four digits.
        const LATEST_MS: u64 = 221_845_392_000_000;
        if !(EVENTS_MIN..=EVENTS_MAX).contains(&plan.events) {
            return Err(SynthError::Events(plan.events));
        }
        if !(1..=DAYS_MAX).contains(&plan.days) {
            return Err(SynthError::Days(plan.days));
        }
        let begin_ms = plan.end_ms.checked_sub(plan.days * DAY_MS).filter(|_| plan.end_ms < LATEST_MS);
        let begin_ms = begin_ms.ok_or(SynthError::End(plan.end_ms))?;
        if plan.sources.is_empty() {
            plan.sources = Source::ALL.to_vec();
        }
        plan.sources.sort_unstable();
        plan.sources.dedup();
        let company = Company::built_in()?;
        let mut described = Vec::new();
        for source in &plan.sources {
            described.push((*source, Described::read(*source, &company)?));
        }
        let calendar = Calendar::new(begin_ms, plan.days, plan.events);
        let told = story::Told::built_in()?;
        let people = People::new(plan.seed, &company, &told.cast)?;
        let story = Story::new(told, begin_ms + plan.days * DAY_MS * 2 / 3, &calendar, &described, &company)?;
        let directory_row = Template::compile(&company.directory_row, &[&company.fragments], &company);
        let (happenings, weights) = weighted(described)?;
        let directory_row = directory_row.map_err(SynthError::data("company.toml"))?;
        Ok(Self { plan, company, calendar, people, happenings, weights, story, directory_row })
    }

    /// What it is made from; its sources are named.
    #[must_use]
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Everybody, the busiest first.
    #[must_use]
    pub fn people(&self) -> &[Person] {
        self.people.all()
    }

    /// The steps of the incident, in order.
    #[must_use]
    pub fn story(&self) -> &[Step] {
        &self.story.steps
    }

    /// Appends the record of event `number`, without a line feed.
    ///
    /// # Errors
    /// [`SynthError::Data`].
    pub fn event(&self, number: u64, out: &mut Vec<u8>) -> Result<Made, SynthError> {
        let seed = self.plan.seed;
        let mut draw = Draw::new(seed, Of::Event, number);
        let jitter = u32::try_from(draw.bits() >> 32).unwrap_or(0);
        let time_ms = self.calendar.time_ms(number, jitter);
        let mut numbers = [0; NUMBERS];
        for place in &mut numbers {
            *place = draw.bits();
        }
        // A bijection of the event's number: no two events of a trail have the same.
        let [id, ..] = &mut numbers;
        *id = spread(spread(seed).wrapping_add(number));
        if let Some(step) = self.story.step(number) {
            let (actor, target) = Story::parts(step, &self.people)?;
            let session = self.story.session(seed, actor, &self.company).ok_or_else(nowhere)?;
            step.record.write(&Scene { actor, target, session, company: &self.company, time_ms, numbers }, out);
            return Ok(Made { source: step.source, time_ms });
        }
        let happening = self.happenings.get(self.weights.pick(&mut draw)).ok_or_else(nowhere)?;
        let actor = self.people.of_rank(self.people.pick(happening.who, time_ms, &mut draw))?;
        let target = self.people.of_rank(self.people.pick_target(&mut draw))?;
        let session = match happening.whence {
            Whence::Inside => Session::of(seed, actor, time_ms, &self.company),
            Whence::Outside => Session::outside(&mut draw, time_ms, &self.company),
        };
        let session = session.ok_or_else(nowhere)?;
        happening.record.write(&Scene { actor, target, session, company: &self.company, time_ms, numbers }, out);
        Ok(Made { source: happening.source, time_ms })
    }

    /// The records of some events as NDJSON, apart by source, in order; made side by side.
    ///
    /// # Errors
    /// [`SynthError::Data`].
    pub fn slice(&self, events: Range<u64>) -> Result<Vec<(Source, Vec<u8>)>, SynthError> {
        let begins: Vec<u64> = (events.start..events.end).step_by(usize::try_from(SHARD_EVENTS).unwrap_or(1)).collect();
        let shards: Result<Vec<_>, SynthError> =
            begins.into_par_iter().map(|begin| self.shard(begin..(begin + SHARD_EVENTS).min(events.end))).collect();
        let mut bodies: Vec<(Source, Vec<u8>)> = self.plan.sources.iter().map(|source| (*source, Vec::new())).collect();
        for shard in shards? {
            for ((_, body), part) in bodies.iter_mut().zip(shard) {
                body.extend_from_slice(&part);
            }
        }
        Ok(bodies)
    }

    /// One body a source of the plan, in the plan's order.
    fn shard(&self, events: Range<u64>) -> Result<Vec<Vec<u8>>, SynthError> {
        let mut bodies = vec![Vec::new(); self.plan.sources.len()];
        let mut record = Vec::new();
        for number in events {
            record.clear();
            let made = self.event(number, &mut record)?;
            record.push(b'\n');
            let place = self.plan.sources.iter().position(|source| *source == made.source);
            if let Some(body) = place.and_then(|place| bodies.get_mut(place)) {
                body.extend_from_slice(&record);
            }
        }
        Ok(bodies)
    }

    /// The directory of its identities, as `indelible identity import` reads it (CSV).
    ///
    /// # Errors
    /// [`SynthError::Data`].
    pub fn directory(&self) -> Result<Vec<u8>, SynthError> {
        let mut csv = self.company.directory_header.clone().into_bytes();
        csv.push(b'\n');
        for person in self.people.all() {
            let session = Session::of(self.plan.seed, person, self.plan.end_ms, &self.company).ok_or_else(nowhere)?;
            let scene =
                Scene { actor: person, target: person, session, company: &self.company, time_ms: self.plan.end_ms, numbers: [0; NUMBERS] };
            self.directory_row.write(&scene, &mut csv);
            csv.push(b'\n');
        }
        Ok(csv)
    }
}

/// All that happens, and how often: each source as busy as its own weight says.
fn weighted(described: Vec<(Source, Described)>) -> Result<(Vec<Happening>, Weighted), SynthError> {
    /// Makes shares of a source integers.
    const SCALE: u64 = 1 << 32;
    let (mut happenings, mut weights) = (Vec::new(), Vec::new());
    for (_, source) in described {
        let sum: u64 = source.happenings.iter().map(|happening| happening.weight).sum();
        for happening in source.happenings {
            weights.push(source.weight * SCALE * happening.weight / sum.max(1));
            happenings.push(happening);
        }
    }
    Ok((happenings, Weighted::new(weights).map_err(SynthError::data("sources"))?))
}

fn nowhere() -> SynthError {
    SynthError::Data { file: "company.toml", why: "a city, a browser or a happening that is named is not there".to_owned() }
}
