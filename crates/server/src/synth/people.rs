//! The identities of a synthetic trail: the same people in all sources, a few of them busy, most seldom seen.

use serde::Deserialize;

use crate::synth::SynthError;
use crate::synth::company::Company;
use crate::synth::draw::{Draw, Of, Weighted, scaled};
use crate::synth::story::Cast;

/// Identities of a trail.
pub const IDENTITIES: u32 = 20_000;
/// How busy people are: the nth of a group does 1/(n + this) of what it does, Zipf's law with a blunt head
/// (Mandelbrot). The busiest human does about 1.3 % of it, the last one about 7 of a million events.
const BLUNT: u64 = 10;
/// Weights are integers; this is one that leaves the last rank several digits.
const WEIGHT: u64 = 1 << 40;
/// A prime larger than the number of names: steps of it through all pairs of names meet none twice.
const NAME_STEP: u64 = 1_000_003;
/// How often someone else is drawn because it is night where the first one lives.
const TRIES: u32 = 5;
/// In a thousand: how likely people are at work in each hour of their own day.
const AT_WORK: [u64; 24] =
    [20, 10, 8, 8, 10, 25, 90, 300, 750, 1000, 1000, 1000, 800, 900, 1000, 1000, 950, 750, 400, 200, 150, 120, 80, 40];
const HOUR_MS: i64 = 3_600_000;

/// Of whom an event may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Who {
    /// Anybody who is a human.
    #[default]
    Person,
    /// A human who uses AWS and GitHub: one in four.
    Developer,
    /// A human who looks after others' accounts: about one in a hundred.
    Admin,
    /// A program with an account: one in fifty.
    Service,
    /// Nobody: a service of the vendor's own. It stands for no identity.
    Nobody,
}

/// One identity.
#[derive(Clone, Debug)]
pub struct Person {
    /// How busy: 0 is the busiest.
    pub rank: u32,
    /// Its ids at vendors are made of this.
    pub number: u64,
    /// What people call it.
    pub name: String,
    /// Its name at GitHub.
    pub login: String,
    /// The identity itself.
    pub email: String,
    /// Where it lives, among the company's cities.
    pub city: usize,
    /// The browser it uses, among the company's.
    pub agent: usize,
    /// A program, not a human.
    pub is_service: bool,
}

/// Some of the identities, and how busy each is.
#[derive(Clone, Debug)]
struct Group {
    ranks: Vec<u32>,
    weights: Weighted,
}

impl Group {
    fn of(is_member: impl Fn(u32) -> bool) -> Result<Self, SynthError> {
        let ranks: Vec<u32> = (0..IDENTITIES).filter(|rank| is_member(*rank)).collect();
        let weights = (0..ranks.len() as u64).map(|place| WEIGHT / (place + BLUNT)).collect();
        Ok(Self { weights: Weighted::new(weights).map_err(SynthError::data("people"))?, ranks })
    }

    fn pick(&self, draw: &mut Draw) -> u32 {
        self.ranks.get(self.weights.pick(draw)).copied().unwrap_or(0)
    }
}

/// All identities.
#[derive(Clone, Debug)]
pub struct People {
    persons: Vec<Person>,
    /// Hours of each person's clock before UTC.
    utc: Vec<i64>,
    humans: Group,
    developers: Group,
    admins: Group,
    services: Group,
}

const fn is_service(rank: u32) -> bool {
    rank.is_multiple_of(50)
}

impl People {
    /// The identities of a seed; the story's cast has names of its own.
    ///
    /// # Errors
    /// [`SynthError::Data`].
    pub fn new(seed: u64, company: &Company, cast: &[Cast]) -> Result<Self, SynthError> {
        let mut persons = Vec::new();
        for rank in 0..IDENTITIES {
            persons.push(person(seed, rank, company));
        }
        for member in cast {
            let city = company.city(&member.city)?;
            if let Some(person) = usize::try_from(member.rank).ok().and_then(|rank| persons.get_mut(rank)) {
                person.city = city;
                person.call(&member.given, &member.family);
            }
        }
        let utc = persons.iter().map(|person| company.cities.get(person.city).map_or(0, |city| city.utc)).collect();
        Ok(Self {
            persons,
            utc,
            humans: Group::of(|rank| !is_service(rank))?,
            developers: Group::of(|rank| !is_service(rank) && rank % 4 == 1)?,
            admins: Group::of(|rank| !is_service(rank) && rank % 97 == 3)?,
            services: Group::of(is_service)?,
        })
    }

    /// Everybody, the busiest first.
    #[must_use]
    pub fn all(&self) -> &[Person] {
        &self.persons
    }

    /// The person of a rank; the last one for a rank that there is not.
    ///
    /// # Errors
    /// There are no persons.
    pub fn of_rank(&self, rank: u32) -> Result<&Person, SynthError> {
        let wanted = usize::try_from(rank).unwrap_or(usize::MAX).min(self.persons.len().saturating_sub(1));
        self.persons.get(wanted).ok_or_else(|| SynthError::Data { file: "people", why: "there is nobody".to_owned() })
    }

    /// The rank of someone who does something at `time_ms`, when humans are rather at work than asleep.
    pub fn pick(&self, who: Who, time_ms: u64, draw: &mut Draw) -> u32 {
        let group = match who {
            Who::Person => &self.humans,
            Who::Developer => &self.developers,
            Who::Admin => &self.admins,
            Who::Service | Who::Nobody => return self.services.pick(draw),
        };
        for _ in 0..TRIES {
            let rank = group.pick(draw);
            if draw.below(1_000) < self.at_work(rank, time_ms) {
                return rank;
            }
        }
        group.pick(draw)
    }

    /// The rank of any human, as the one to whom something is done.
    pub fn pick_target(&self, draw: &mut Draw) -> u32 {
        self.humans.pick(draw)
    }

    fn at_work(&self, rank: u32, time_ms: u64) -> u64 {
        let utc = usize::try_from(rank).ok().and_then(|rank| self.utc.get(rank)).copied().unwrap_or(0);
        let hour = (i64::try_from(time_ms).unwrap_or(0) / HOUR_MS + utc).rem_euclid(24);
        usize::try_from(hour).ok().and_then(|hour| AT_WORK.get(hour)).copied().unwrap_or(0)
    }
}

impl Person {
    fn call(&mut self, given: &str, family: &str) {
        let (first, last) = (given.to_lowercase(), family.to_lowercase());
        // A program has no first name; what stands for one says that it is a program.
        self.name = if self.is_service { format!("{first}-{last}") } else { format!("{given} {family}") };
        self.login = format!("{first}-{last}");
        self.email = if self.is_service { format!("{first}-{last}@corp.example") } else { format!("{first}.{last}@corp.example") };
    }
}

fn person(seed: u64, rank: u32, company: &Company) -> Person {
    let mut draw = Draw::new(seed, Of::Person, u64::from(rank));
    let number = draw.bits();
    let city = company.city_weights.pick(&mut draw);
    let agent = company.agent_weights.pick(&mut draw);
    let is_service = is_service(rank);
    let mut person = Person { rank, number, name: String::new(), login: String::new(), email: String::new(), city, agent, is_service };
    if is_service {
        let team = company.lists.get("team").and_then(|teams| one_of(teams, number)).map_or("team", String::as_str);
        person.call("svc", &format!("{team}-{rank:05}"));
    } else {
        let (given, family) = names(seed, rank, company);
        person.call(given, family);
    }
    person
}

/// First and last name of a rank; no two ranks have the same.
fn names<'a>(seed: u64, rank: u32, company: &'a Company) -> (&'a str, &'a str) {
    let first = company.given_names.len().max(1) as u64;
    let pairs = first * company.family_names.len().max(1) as u64;
    let pair = ((seed % pairs) + u64::from(rank) * NAME_STEP) % pairs;
    let of = |list: &'a [String], at: u64| usize::try_from(at).ok().and_then(|at| list.get(at)).map_or("Nemo", String::as_str);
    let given = of(&company.given_names, pair % first);
    let family = of(&company.family_names, pair / first);
    (given, family)
}

/// The entry of a list that `bits` point at.
fn one_of<T>(list: &[T], bits: u64) -> Option<&T> {
    usize::try_from(scaled(bits, list.len() as u64)).ok().and_then(|at| list.get(at))
}
