//! What stands at a placeholder of a template: `${actor.email}`, `${iso_ms}`, `${hex:5:12}`, `${pick:app:8}`.
//!
//! A random value is named by the number it is made of, so that it can be repeated: 0 to 15 are drawn anew
//! for each event (0 is met once in a trail), `s` stays for a session, `p` and `t` for the actor and the target.

use std::io::Write as _;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

use crate::synth::company::Company;
use crate::synth::draw::{scaled, spread};
use crate::synth::people::Person;
use crate::synth::session::Session;

/// Numbers drawn for each event.
pub const NUMBERS: usize = 16;
/// Number of the first provider's system (RFC 5398).
const FIRST_SYSTEM: usize = 64_496;
/// Longest token: no vendor has longer ones.
const TOKEN_MAX: u8 = 128;

const HEX: &[u8] = b"0123456789abcdef";
const DIGITS: &[u8] = b"0123456789";
const UPPER: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const BASE62: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// What an event is made of.
#[derive(Clone, Debug)]
pub struct Scene<'a> {
    /// Who does it.
    pub actor: &'a Person,
    /// To whom.
    pub target: &'a Person,
    /// From where and with what.
    pub session: Session<'a>,
    /// Who runs the networks.
    pub company: &'a Company,
    /// When, in ms since 1970 UTC.
    pub time_ms: u64,
    /// What random values are made of.
    pub numbers: [u64; NUMBERS],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Number {
    Event(usize),
    Session,
    Actor,
    Target,
}

/// A placeholder, understood.
#[derive(Clone, Debug)]
pub enum Slot {
    /// A fact about the actor or the target.
    Person { target: bool, fact: PersonFact },
    /// A fact about the session.
    Session(SessionFact),
    /// When the event happened or the session began.
    Time(TimeForm),
    /// Random letters.
    Token { alphabet: &'static [u8], number: NumberName, length: u8 },
    /// A random UUID.
    Uuid(NumberName),
    /// A random number of a range, the end excluded.
    Integer { number: NumberName, from: u64, to: u64 },
    /// One of a list, the first more often than the last.
    Pick { list: Arc<[String]>, number: NumberName },
}

/// Which number a random value is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NumberName(Number);

/// Facts about a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PersonFact {
    /// The identity.
    Email,
    /// What people call it.
    Name,
    /// Its name at GitHub.
    Login,
}

/// Facts about a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionFact {
    Address,
    City,
    State,
    Postal,
    CountryCode,
    CountryName,
    Latitude,
    Longitude,
    SystemNumber,
    Provider,
    ProviderDomain,
    Agent,
    System,
    Browser,
    DeviceType,
}

/// How vendors write times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeForm {
    /// `2026-05-01T08:30:00Z`.
    Seconds,
    /// `2026-05-01T08:30:00.123Z`.
    Milliseconds,
    /// `2026-05-01T08:30:00.1234567Z`.
    Ticks,
    /// Milliseconds since 1970 UTC.
    Unix,
    /// When the session began, as `2026-05-01T08:30:00Z`.
    SessionBegan,
}

impl Slot {
    /// What a placeholder between `${` and `}` means; none when it means nothing.
    #[must_use]
    pub fn parse(text: &str, company: &Company) -> Option<Self> {
        if let Some(fact) = session_fact(text) {
            return Some(Self::Session(fact));
        }
        if let Some(form) = time_form(text) {
            return Some(Self::Time(form));
        }
        if let Some((part, fact)) = text.split_once('.') {
            let fact = match fact {
                "email" => PersonFact::Email,
                "name" => PersonFact::Name,
                "login" => PersonFact::Login,
                _ => return None,
            };
            return matches!(part, "actor" | "target").then_some(Self::Person { target: part == "target", fact });
        }
        let parts: Vec<&str> = text.split(':').collect();
        match *parts.as_slice() {
            ["uuid", number] => Some(Self::Uuid(number_name(number)?)),
            ["pick", list, number] => {
                let list = company.lists.get(list).filter(|list| !list.is_empty())?;
                Some(Self::Pick { list: Arc::clone(list), number: number_name(number)? })
            }
            ["number", number, from, to] => {
                Some(Self::Integer { number: number_name(number)?, from: from.parse().ok()?, to: to.parse().ok()? })
            }
            [alphabet, number, length] => {
                let alphabet = match alphabet {
                    "hex" => HEX,
                    "digits" => DIGITS,
                    "upper" => UPPER,
                    "base62" => BASE62,
                    _ => return None,
                };
                let length = length.parse().ok().filter(|length| *length <= TOKEN_MAX)?;
                Some(Self::Token { alphabet, number: number_name(number)?, length })
            }
            _ => None,
        }
    }

    /// Appends what stands here in `scene`.
    pub fn write(&self, scene: &Scene<'_>, out: &mut Vec<u8>) {
        match self {
            Self::Person { target, fact } => {
                let person = if *target { scene.target } else { scene.actor };
                let text = match fact {
                    PersonFact::Email => &person.email,
                    PersonFact::Name => &person.name,
                    PersonFact::Login => &person.login,
                };
                out.extend_from_slice(text.as_bytes());
            }
            Self::Session(fact) => write_session(*fact, scene, out),
            Self::Time(form) => write_time(*form, scene, out),
            Self::Token { alphabet, number, length } => token(alphabet, scene.number(*number), *length, out),
            Self::Uuid(number) => uuid(scene.number(*number), out),
            Self::Integer { number, from, to } => {
                let value = from + scaled(spread(scene.number(*number)), to.saturating_sub(*from));
                out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
            }
            Self::Pick { list, number } => {
                let fraction = scene.number(*number) >> 32;
                let at = scaled(fraction * fraction, list.len() as u64);
                let picked = usize::try_from(at).ok().and_then(|at| list.get(at));
                out.extend_from_slice(picked.map(|text| text.as_bytes()).unwrap_or_default());
            }
        }
    }
}

impl Scene<'_> {
    fn number(&self, name: NumberName) -> u64 {
        match name.0 {
            Number::Event(at) => self.numbers.get(at).copied().unwrap_or(0),
            Number::Session => self.session.number,
            Number::Actor => self.actor.number,
            Number::Target => self.target.number,
        }
    }
}

fn number_name(text: &str) -> Option<NumberName> {
    let number = match text {
        "s" => Number::Session,
        "p" => Number::Actor,
        "t" => Number::Target,
        digits => Number::Event(digits.parse().ok().filter(|at| *at < NUMBERS)?),
    };
    Some(NumberName(number))
}

fn session_fact(text: &str) -> Option<SessionFact> {
    Some(match text {
        "ip" => SessionFact::Address,
        "city" => SessionFact::City,
        "state" => SessionFact::State,
        "postal" => SessionFact::Postal,
        "country" => SessionFact::CountryCode,
        "country_name" => SessionFact::CountryName,
        "lat" => SessionFact::Latitude,
        "lon" => SessionFact::Longitude,
        "asn" => SessionFact::SystemNumber,
        "isp" => SessionFact::Provider,
        "isp_domain" => SessionFact::ProviderDomain,
        "agent" => SessionFact::Agent,
        "os" => SessionFact::System,
        "browser" => SessionFact::Browser,
        "device_type" => SessionFact::DeviceType,
        _ => return None,
    })
}

fn time_form(text: &str) -> Option<TimeForm> {
    Some(match text {
        "iso_s" => TimeForm::Seconds,
        "iso_ms" => TimeForm::Milliseconds,
        "iso_100ns" => TimeForm::Ticks,
        "unix_ms" => TimeForm::Unix,
        "session_start" => TimeForm::SessionBegan,
        _ => return None,
    })
}

fn write_session(fact: SessionFact, scene: &Scene<'_>, out: &mut Vec<u8>) {
    let Session { city, agent, .. } = scene.session;
    let provider = || scene.company.providers.get(scene.session.provider).map_or("", String::as_str);
    let text = match fact {
        SessionFact::Address => {
            // Writing to memory does not fail.
            let _ = write!(out, "{}", scene.session.address);
            return;
        }
        SessionFact::SystemNumber => {
            out.extend_from_slice(itoa::Buffer::new().format(FIRST_SYSTEM + scene.session.provider).as_bytes());
            return;
        }
        SessionFact::ProviderDomain => {
            out.extend(provider().bytes().map(|byte| byte.to_ascii_lowercase()));
            ".example"
        }
        SessionFact::Provider => provider(),
        SessionFact::City => &city.city,
        SessionFact::State => &city.state,
        SessionFact::Postal => &city.postal,
        SessionFact::CountryCode => &city.code,
        SessionFact::CountryName => &city.country,
        SessionFact::Latitude => &city.lat,
        SessionFact::Longitude => &city.lon,
        SessionFact::Agent => &agent.text,
        SessionFact::System => &agent.os,
        SessionFact::Browser => &agent.browser,
        SessionFact::DeviceType => &agent.device,
    };
    out.extend_from_slice(text.as_bytes());
}

fn write_time(form: TimeForm, scene: &Scene<'_>, out: &mut Vec<u8>) {
    let at_ms = if form == TimeForm::SessionBegan { scene.session.began_ms } else { scene.time_ms };
    if form == TimeForm::Unix {
        out.extend_from_slice(itoa::Buffer::new().format(at_ms).as_bytes());
        return;
    }
    let timestamp = i64::try_from(at_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or_default();
    let at: DateTime = Offset::UTC.to_datetime(timestamp);
    number_of(i64::from(at.year()), 4, out);
    for (mark, part) in [(b'-', at.month()), (b'-', at.day()), (b'T', at.hour()), (b':', at.minute()), (b':', at.second())] {
        out.push(mark);
        number_of(i64::from(part), 2, out);
    }
    match form {
        TimeForm::Milliseconds => {
            out.push(b'.');
            number_of(i64::from(at.millisecond()), 3, out);
        }
        TimeForm::Ticks => {
            out.push(b'.');
            number_of(i64::from(at.millisecond()), 3, out);
            token(DIGITS, scene.number(NumberName(Number::Event(0))), 4, out);
        }
        TimeForm::Seconds | TimeForm::SessionBegan | TimeForm::Unix => {}
    }
    out.push(b'Z');
}

/// A number with leading zeros.
fn number_of(value: i64, digits: u32, out: &mut Vec<u8>) {
    for place in (0..digits).rev() {
        let digit = value / 10_i64.pow(place) % 10;
        out.push(b'0' + u8::try_from(digit).unwrap_or(0));
    }
}

/// `length` letters of an alphabet.
fn token(alphabet: &[u8], number: u64, length: u8, out: &mut Vec<u8>) {
    let mut bits = spread(number);
    for at in 0..u64::from(length) {
        // Eight letters of at most six bits from each 64.
        if at % 8 == 7 {
            bits = spread(number.wrapping_add(at));
        }
        let letter = ((bits & 0xff) * alphabet.len() as u64) >> 8;
        out.extend(usize::try_from(letter).ok().and_then(|letter| alphabet.get(letter)));
        bits >>= 8;
    }
}

/// A UUID of version 4; two numbers have two.
fn uuid(number: u64, out: &mut Vec<u8>) {
    let high = number & 0xffff_ffff_ffff_0fff | 0x4000;
    let low = spread(number) >> 2 | 0x8000_0000_0000_0000;
    let hex = |bits: u64, digits: u32, out: &mut Vec<u8>| {
        for place in (0..digits).rev() {
            out.extend(usize::try_from(bits >> (4 * place) & 0xf).ok().and_then(|digit| HEX.get(digit)));
        }
    };
    hex(high >> 32, 8, out);
    for (bits, digits) in [(high >> 16 & 0xffff, 4), (high & 0xffff, 4), (low >> 48, 4), (low & 0xffff_ffff_ffff, 12)] {
        out.push(b'-');
        hex(bits, digits, out);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    fn written(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_uuid_says_its_version_and_variant() {
        for number in [0, 1, u64::MAX, 0x1234_5678_9abc_def0] {
            let uuid = written(|out| uuid(number, out));
            let parts: Vec<_> = uuid.split('-').map(str::len).collect();
            assert_eq!(parts, [8, 4, 4, 4, 12], "{uuid}");
            assert!(uuid.get(14..15) == Some("4") && "89ab".contains(uuid.get(19..20).unwrap()), "{uuid}");
        }
    }

    #[test]
    fn a_token_has_its_length_and_its_letters_and_is_its_numbers() {
        let of = |number| written(|out| token(BASE62, number, 43, out));
        assert_eq!(of(1).len(), 43);
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
        assert!(written(|out| token(DIGITS, 9, 128, out)).bytes().all(|byte| byte.is_ascii_digit()));
    }

    #[test]
    fn an_unknown_placeholder_means_nothing() {
        let company = Company::built_in().unwrap();
        for text in
            ["", "ip2", "actor.age", "owner.email", "hex:16:4", "hex:0", "hex:0:200", "oct:0:4", "pick:nothing:0", "uuid:x", "number:0:a:b"]
        {
            assert!(Slot::parse(text, &company).is_none(), "{text}");
        }
        assert!(Slot::parse("pick:app:s", &company).is_some());
    }
}
