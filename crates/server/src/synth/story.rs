//! The incident planted in every trail (`story.toml`): who takes part, and which event tells which step.

use std::net::IpAddr;

use serde::Deserialize;

use crate::synth::SynthError;
use crate::synth::calendar::Calendar;
use crate::synth::company::{Company, Fragments};
use crate::synth::draw::{Draw, Of};
use crate::synth::people::{People, Person};
use crate::synth::session::Session;
use crate::synth::source::{Described, Source};
use crate::synth::template::Template;

const FILE: &str = "story.toml";
const MINUTE_MS: u64 = 60_000;

/// Someone with a part in the story.
#[derive(Clone, Debug, Deserialize)]
pub struct Cast {
    /// The part.
    pub part: String,
    /// How busy otherwise.
    pub rank: u32,
    /// First name.
    pub given: String,
    /// Last name.
    pub family: String,
    /// Where they live.
    pub city: String,
}

#[derive(Clone, Debug, Deserialize)]
struct Stranger {
    address: IpAddr,
    city: String,
    provider: String,
    agent: String,
}

#[derive(Deserialize)]
struct ToldStep {
    minute: u64,
    source: String,
    actor: String,
    target_part: Option<String>,
    says: String,
    #[serde(flatten)]
    own: Fragments,
}

/// The story as it is written.
#[derive(Deserialize)]
pub struct Told {
    /// Who takes part.
    pub cast: Vec<Cast>,
    stranger: Stranger,
    step: Vec<ToldStep>,
}

impl Told {
    /// Reads the story that is built in.
    ///
    /// # Errors
    /// [`SynthError::Data`].
    pub fn built_in() -> Result<Self, SynthError> {
        toml::from_str(include_str!("story.toml")).map_err(SynthError::data(FILE))
    }

    fn rank(&self, part: &str) -> Result<u32, SynthError> {
        let member = self.cast.iter().find(|member| member.part == part);
        member.map(|member| member.rank).ok_or_else(|| SynthError::Data { file: FILE, why: format!("nobody plays {part:?}") })
    }
}

/// One step of the story.
#[derive(Clone, Debug)]
pub struct Step {
    /// The number of the event that tells it.
    pub event: u64,
    /// In which source.
    pub source: Source,
    /// Whose account does it.
    pub actor: u32,
    /// To whose account.
    pub target: u32,
    /// What happens, in words.
    pub says: String,
    /// Its record.
    pub record: Template,
}

/// The story in a trail.
#[derive(Clone, Debug)]
pub struct Story {
    /// Its steps, in order.
    pub steps: Vec<Step>,
    /// When it begins, in ms since 1970 UTC.
    pub begins_ms: u64,
    stranger: Stranger,
}

impl Story {
    /// Lays the story into a trail of these sources; what happens in others is left out.
    ///
    /// # Errors
    /// [`SynthError::Data`].
    pub fn new(
        told: Told,
        begins_ms: u64,
        calendar: &Calendar,
        sources: &[(Source, Described)],
        company: &Company,
    ) -> Result<Self, SynthError> {
        let mut steps: Vec<Step> = Vec::new();
        for step in &told.step {
            let source: Source = step.source.parse().map_err(|why| SynthError::Data { file: FILE, why })?;
            let Some((_, described)) = sources.iter().find(|(known, _)| *known == source) else { continue };
            let actor = told.rank(&step.actor)?;
            let target = step.target_part.as_deref().map_or(Ok(actor), |part| told.rank(part))?;
            // In a thin trail the minutes of the story have no event each: one after the other, then.
            let after = steps.last().map_or(0, |last| last.event + 1);
            let event = calendar.first_at(begins_ms + step.minute * MINUTE_MS).max(after);
            let record = described.record(&step.own, company)?;
            steps.push(Step { event, source, actor, target, says: step.says.clone(), record });
        }
        Ok(Self { steps, begins_ms, stranger: told.stranger })
    }

    /// The step that an event tells.
    #[must_use]
    pub fn step(&self, event: u64) -> Option<&Step> {
        let at = self.steps.binary_search_by_key(&event, |step| step.event).ok()?;
        self.steps.get(at)
    }

    /// The stranger's session with the account of `actor`.
    #[must_use]
    pub fn session<'a>(&self, seed: u64, actor: &Person, company: &'a Company) -> Option<Session<'a>> {
        let named = |agent: &&crate::synth::company::Agent| agent.browser == self.stranger.agent;
        Some(Session {
            number: Draw::new(seed, Of::Stranger, u64::from(actor.rank)).bits(),
            began_ms: self.begins_ms,
            address: self.stranger.address,
            city: company.cities.get(company.city(&self.stranger.city).ok()?)?,
            provider: company.providers.iter().position(|provider| *provider == self.stranger.provider)?,
            agent: company.agents.iter().find(named)?,
        })
    }

    /// Whose account does a step, and to whose.
    ///
    /// # Errors
    /// [`SynthError::Data`].
    pub fn parts<'a>(step: &Step, people: &'a People) -> Result<(&'a Person, &'a Person), SynthError> {
        Ok((people.of_rank(step.actor)?, people.of_rank(step.target)?))
    }
}
