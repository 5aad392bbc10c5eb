//! Where someone is when something happens: for half a day a person has one session, one address, one
//! browser. Mostly that is at home or in the office, seldom elsewhere.
//!
//! No address belongs to anybody: homes are in the block for benchmarks (RFC 2544), offices and strangers
//! in those for documentation (RFC 5737, 3849), programs in a private one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::synth::company::{Agent, City, Company};
use crate::synth::draw::{Draw, Of};
use crate::synth::people::Person;

const HALF_DAY_MS: u64 = 43_200_000;
const HOUR_MS: i64 = 3_600_000;
/// First of 131,072 addresses for homes.
const HOMES: u32 = u32::from_be_bytes([198, 18, 0, 0]);
/// First of 256 addresses for offices.
const OFFICES: u32 = u32::from_be_bytes([198, 51, 100, 0]);
/// First of 256 addresses for those outside who come again and again.
const STRANGERS: u32 = u32::from_be_bytes([192, 0, 2, 0]);
/// First of the addresses of programs.
const PROGRAMS: u32 = u32::from_be_bytes([10, 16, 0, 0]);
/// What begins all other addresses.
const DOCUMENTATION: u128 = 0x2001_0db8 << 96;
/// Of a thousand sessions so many are at home, then in the office, then on the way; the rest are elsewhere.
const AT_HOME: u64 = 620;
const IN_OFFICE: u64 = 930;
const ON_THE_WAY: u64 = 991;
/// How many in a hundred have IPv6 at home.
const IPV6_PERCENT: u64 = 15;

/// One identity at work.
#[derive(Clone, Debug)]
pub struct Session<'a> {
    /// The session's ids are made of this.
    pub number: u64,
    /// When it began, in ms since 1970 UTC.
    pub began_ms: u64,
    /// From where.
    pub address: IpAddr,
    /// Where that is.
    pub city: &'a City,
    /// Who runs the network, among the company's providers.
    pub provider: usize,
    /// With what.
    pub agent: &'a Agent,
}

/// Where a session is.
struct Place {
    address: IpAddr,
    city: usize,
    provider: u64,
}

impl<'a> Session<'a> {
    /// The session that `person` has at `time_ms`; none in a company without cities or browsers.
    #[must_use]
    pub fn of(seed: u64, person: &Person, time_ms: u64, company: &'a Company) -> Option<Self> {
        let city = company.cities.get(person.city)?;
        let local_ms = time_ms.saturating_add_signed(city.utc * HOUR_MS);
        let half_day = local_ms / HALF_DAY_MS;
        let mut draw = Draw::new(seed, Of::Session, (u64::from(person.rank) << 32) | (half_day & 0xffff_ffff));
        let number = draw.bits();
        let place = if person.is_service { program(person) } else { place(person, company, &mut draw) };
        // In the first two thirds of the half-day, but never after what happens in it.
        let into_ms = draw.below(HALF_DAY_MS * 2 / 3).min(local_ms % HALF_DAY_MS);
        Self::at(&place, number, time_ms - local_ms % HALF_DAY_MS + into_ms, person.agent, company)
    }

    /// The session of a stranger who tries someone's account, drawn anew each time.
    #[must_use]
    pub fn outside(draw: &mut Draw, time_ms: u64, company: &'a Company) -> Option<Self> {
        let number = draw.bits();
        let city = usize::try_from(draw.below(company.cities.len() as u64)).ok()?;
        let address = if draw.below(100) < 60 { v4(STRANGERS, draw.below(256)) } else { v6(0xbad0 + city as u64, draw.bits()) };
        let agent = company.agent_weights.pick(draw);
        Self::at(&Place { address, city, provider: draw.bits() }, number, time_ms, agent, company)
    }

    fn at(place: &Place, number: u64, began_ms: u64, agent: usize, company: &'a Company) -> Option<Self> {
        let providers = company.providers.len().max(1) as u64;
        Some(Self {
            number,
            began_ms,
            address: place.address,
            city: company.cities.get(place.city)?,
            provider: usize::try_from(place.provider % providers).ok()?,
            agent: company.agents.get(agent)?,
        })
    }
}

fn place(person: &Person, company: &Company, draw: &mut Draw) -> Place {
    let Person { number, city, .. } = *person;
    match draw.below(1_000) {
        ..AT_HOME => {
            let address = if number % 100 < IPV6_PERCENT { v6(number >> 48, number) } else { v4(HOMES, (number >> 8) % 131_072) };
            Place { address, city, provider: number }
        }
        AT_HOME..IN_OFFICE => Place { address: v4(OFFICES, 8 * city as u64 + number % 4), city, provider: city as u64 },
        IN_OFFICE..ON_THE_WAY => Place { address: v6(0xcafe, draw.bits()), city, provider: number >> 4 },
        _ => {
            let city = usize::try_from(draw.below(company.cities.len() as u64)).unwrap_or(0);
            Place { address: v6(0x0a00 + city as u64, draw.bits()), city, provider: draw.bits() }
        }
    }
}

/// Programs stay where they are.
fn program(person: &Person) -> Place {
    Place { address: v4(PROGRAMS, person.number % 1_048_576), city: person.city, provider: person.number }
}

fn v4(first: u32, offset: u64) -> IpAddr {
    Ipv4Addr::from_bits(first + u32::try_from(offset).unwrap_or(0)).into()
}

fn v6(network: u64, host: u64) -> IpAddr {
    Ipv6Addr::from_bits(DOCUMENTATION | (u128::from(network & 0xffff) << 80) | u128::from(host)).into()
}
