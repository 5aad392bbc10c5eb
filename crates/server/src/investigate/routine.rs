//! Is an event usual for whoever did it? Counted in what they did before it, and in what their peers did.
//!
//! Only what succeeded counts, and of sign-ins only what is said to have: passwords that strangers try do not make
//! their address a usual one. Only what happened before counts, by the time the source says. Peers are the other identities that did the same action
//! in the same source before.

use std::net::IpAddr;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::investigate::condition::{all, any, at, before, is, not, telling};
use crate::investigate::inquiry::{Covered, Inquiry};
use crate::investigate::line::Line;
use crate::investigate::moment::{Moment, Seen};
use crate::search::ask::SearchError;
use crate::search::counts::Values;
use crate::search::document::Document;
use crate::search::field::Name;
use crate::search::{Order, Query};

/// Earlier events of one question that are counted; beyond it is "at least". Often is often.
pub const COUNT_MAX: usize = 1_000;
/// Earlier events of the identity, and of its peers, whose hours and devices are looked at: the newest in the log.
pub const LOOKED_AT_MAX: usize = 2_000;
/// What was done so often is usual,
pub const USUAL_COUNT: u64 = 3;
/// if the first time is so long ago: what a stranger does all night is not usual by morning. One day, ms.
pub const USUAL_AGE_MS: i64 = 86_400_000;

/// What is looked for in the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// The same action.
    Action,
    /// The same action on the same account, or if it is on none but their own, the same resource.
    ActionOnIt,
    /// From the same net: /24 of IPv4, /48 of IPv6.
    Network,
    /// From the same country.
    Country,
    /// From the same network operator.
    Asn,
    /// With a user agent of the same family.
    Device,
    /// In the same hour of the day, UTC.
    Hour,
}

/// How usual.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Often enough, for long enough.
    Routine,
    /// A few times.
    Seldom,
    /// Only since a day ago or less.
    New,
    /// Not once.
    NeverBefore,
    /// Nothing to compare with, or not all could be looked at.
    Unknown,
}

/// One thing looked for in the history.
#[derive(Clone, Debug, Serialize)]
pub struct Habit {
    /// What.
    pub what: What,
    /// Which action, net, country … it is.
    pub value: String,
    /// How often before the event; at least so often, if not `exact`.
    pub count: u64,
    /// Whether that is all.
    pub exact: bool,
    /// Among so many events; none when all of the history was searched for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub among: Option<u64>,
    /// The first time.
    pub first: Option<Seen>,
    /// The last time.
    pub last: Option<Seen>,
    /// How usual that is.
    pub verdict: Verdict,
    /// The search line that finds these events, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<String>,
}

/// The history of one identity or of several.
#[derive(Clone, Debug, Serialize)]
pub struct History {
    /// Whose, in words.
    pub of: String,
    /// How many identities.
    pub identities: usize,
    /// Earlier events; at least so many, if not `exact`.
    pub events: u64,
    /// Whether that is all.
    pub exact: bool,
    /// The first of them.
    pub first: Option<Seen>,
    /// The last before the event.
    pub last: Option<Seen>,
    /// What was looked for.
    pub habits: Vec<Habit>,
}

/// The answer.
#[derive(Clone, Debug, Serialize)]
pub struct Routine {
    /// The event.
    pub event: Line,
    /// In one word, for action and place; device and hour only keep it from being routine.
    pub verdict: Verdict,
    /// In words, with what it rests on.
    pub says: String,
    /// Whoever did it; none when the event names nobody.
    pub identity: Option<History>,
    /// The others who did this.
    pub peers: Option<History>,
    /// What the answer rests on.
    pub covered: Covered,
}

/// What an event is compared by.
struct Event {
    line: Line,
    asn: Option<String>,
    moment: Moment,
}

impl Event {
    fn of(document: &Document<'_>) -> Self {
        let line = Line::of(document);
        Self { asn: document.first(Name::Asn), moment: Moment::of(&line), line }
    }

    fn hour(&self) -> i8 {
        hour(self.line.time_ms)
    }
}

fn hour(ms: i64) -> i8 {
    Timestamp::from_millisecond(ms).map_or(0, |at| at.to_zoned(TimeZone::UTC).hour())
}

/// The net that an address is in.
fn network(address: &str) -> Option<String> {
    Some(match address.parse::<IpAddr>().ok()?.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        IpAddr::V6(address) => {
            let [a, b, c, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}::/48")
        }
    })
}

/// Whether an event is usual.
///
/// # Errors
/// [`SearchError`].
pub fn routine(inquiry: &mut Inquiry<'_>, document: &Document<'_>) -> Result<Routine, SearchError> {
    let event = Event::of(document);
    let earlier = all([telling(), before(event.moment.time_ms)]);
    let identity = match event.line.actor.clone() {
        Some(actor) => {
            let base = all([is(Name::Actor, &actor), earlier.clone()]);
            Some(history(
                inquiry,
                &event,
                actor.clone(),
                &base,
                &[What::Action, What::ActionOnIt, What::Network, What::Country, What::Asn],
            )?)
        }
        None => None,
    };
    let peers = match (&event.line.action, &event.line.source) {
        (Some(action), Some(source)) => {
            let others = event.line.actor.as_deref().map_or(Query::All, |actor| not(is(Name::Actor, actor)));
            let base = all([is(Name::Action, action), is(Name::Source, source), others, earlier]);
            let of = format!("other identities that did {action} in {source}");
            Some(history(inquiry, &event, of, &base, &[What::ActionOnIt, What::Network, What::Country, What::Asn])?)
        }
        _ => None,
    };
    let verdict = identity.as_ref().map_or(Verdict::Unknown, overall);
    let covered = inquiry.covered();
    let says = sentence(&event, verdict, identity.as_ref(), peers.as_ref(), &covered);
    Ok(Routine { event: event.line, verdict, says, identity, peers, covered })
}

/// Events that were found, and when.
#[derive(Default)]
struct Found {
    count: u64,
    first: Option<Moment>,
    last: Option<Moment>,
}

impl Found {
    fn add(&mut self, moment: Moment) {
        self.count += 1;
        self.first = Some(self.first.map_or(moment, |first| first.min(moment)));
        self.last = Some(self.last.map_or(moment, |last| last.max(moment)));
    }

    /// Of more than were counted, these are the first and the last.
    fn widen(&mut self, (first, last): (Moment, Moment)) {
        self.first = self.first.map(|known| known.min(first));
        self.last = self.last.map(|known| known.max(last));
    }
}

fn history(inquiry: &mut Inquiry<'_>, event: &Event, of: String, base: &Query, asked: &[What]) -> Result<History, SearchError> {
    let (mut found, mut device, mut hours, mut people) = (Found::default(), Found::default(), Found::default(), Values::default());
    let exact = inquiry.walk(base, Order::Newest, LOOKED_AT_MAX, &mut |document| {
        let (line, at) = (Line::of(document), Moment::of_document(document));
        found.add(at);
        people.add(line.actor.as_deref().unwrap_or_default(), 1);
        if line.device == event.line.device {
            device.add(at);
        }
        if hour(at.time_ms) == event.hour() {
            hours.add(at);
        }
    })?;
    let mut habits = Vec::new();
    for what in asked {
        if let Some((value, condition)) = condition(event, *what) {
            habits.push(searched(inquiry, event, *what, value, all([base.clone(), condition]))?);
        }
    }
    let among = |what: What, value: String, of: Found| {
        let verdict = judged(event.moment, &of, exact);
        let (first, last) = (of.first.map(Seen::from), of.last.map(Seen::from));
        Habit { what, value, count: of.count, exact, among: Some(found.count), first, last, verdict, line: None }
    };
    if let Some(name) = event.line.device.clone() {
        habits.push(among(What::Device, name, device));
    }
    let (from, to) = (event.hour(), (event.hour() + 1) % 24);
    habits.push(among(What::Hour, format!("{from:02}:00–{to:02}:00 UTC"), hours));
    if !exact && let Some(ends) = inquiry.ends(base)? {
        found.widen(ends);
    }
    let (first, last) = (found.first.map(Seen::from), found.last.map(Seen::from));
    Ok(History { of, identities: people.distinct(), events: found.count, exact, first, last, habits })
}

/// What it is compared by, and the condition of what is the same.
fn condition(event: &Event, what: What) -> Option<(String, Query)> {
    let line = &event.line;
    let same = |name: Name, value: &Option<String>| value.clone().map(|value| (value.clone(), is(name, &value)));
    match what {
        What::Action => same(Name::Action, &line.action),
        What::ActionOnIt => {
            let action = line.action.as_deref()?;
            let other = line.target.as_ref().filter(|target| Some(*target) != line.actor.as_ref());
            let (it, same) = match (other, &line.resource) {
                (Some(target), _) => (target, is(Name::Target, target)),
                (None, Some(resource)) => (resource, any([is(Name::Resource, resource), at(&["entity", "name"], resource)])),
                (None, None) => return None,
            };
            Some((format!("{action} on {it}"), all([is(Name::Action, action), same])))
        }
        What::Network => line.ip.as_deref().and_then(network).map(|net| (net.clone(), is(Name::Ip, &net))),
        What::Country => same(Name::Country, &line.country),
        What::Asn => same(Name::Asn, &event.asn),
        What::Device | What::Hour => None,
    }
}

/// A habit that the whole history is searched for.
fn searched(inquiry: &mut Inquiry<'_>, event: &Event, what: What, value: String, query: Query) -> Result<Habit, SearchError> {
    let mut found = Found::default();
    let exact = inquiry.walk(&query, Order::Newest, COUNT_MAX, &mut |document| found.add(Moment::of_document(document)))?;
    if !exact && let Some(ends) = inquiry.ends(&query)? {
        found.widen(ends);
    }
    let verdict = judged(event.moment, &found, exact);
    let (first, last) = (found.first.map(Seen::from), found.last.map(Seen::from));
    Ok(Habit { what, value, count: found.count, exact, among: None, first, last, verdict, line: Some(query.to_string()) })
}

fn judged(event: Moment, found: &Found, exact: bool) -> Verdict {
    match found.first {
        None if exact => Verdict::NeverBefore,
        None => Verdict::Unknown,
        Some(first) if event.time_ms.saturating_sub(first.time_ms) < USUAL_AGE_MS => Verdict::New,
        Some(_) if found.count < USUAL_COUNT => Verdict::Seldom,
        Some(_) => Verdict::Routine,
    }
}

/// Of action and place the least usual; a net that is new in a country that is not is seldom.
fn overall(history: &History) -> Verdict {
    if history.events == 0 {
        return if history.exact { Verdict::NeverBefore } else { Verdict::Unknown };
    }
    let of = |what: What| history.habits.iter().find(|habit| habit.what == what).map(|habit| habit.verdict);
    let place = match (of(What::Network), of(What::Country)) {
        (Some(net), Some(Verdict::Routine | Verdict::Seldom)) if net != Verdict::Routine => Some(Verdict::Seldom),
        (Some(net), _) => Some(net),
        (None, country) => country,
    };
    let worst = [of(What::Action), place].into_iter().flatten().max().unwrap_or(Verdict::Unknown);
    let odd = [What::Device, What::Hour].into_iter().filter_map(of).any(|verdict| verdict > Verdict::Seldom);
    if worst == Verdict::Routine && odd { Verdict::Seldom } else { worst }
}

fn day(seen: Option<Seen>) -> String {
    seen.map_or_else(|| "never".to_owned(), |seen| crate::search::instant::format(seen.time_ms).chars().take(10).collect())
}

fn counted(count: u64, exact: bool, of: &str) -> String {
    let least = if exact { "" } else { "at least " };
    let plural = if count == 1 { "" } else { "s" };
    format!("{least}{count} {of}{plural}")
}

fn phrase(habit: &Habit) -> String {
    let what = match habit.what {
        What::Action | What::ActionOnIt => habit.value.clone(),
        What::Network | What::Country => format!("from {}", habit.value),
        What::Asn => format!("from AS{}", habit.value),
        What::Device => format!("with {}", habit.value),
        What::Hour => format!("between {}", habit.value.replace('–', " and ")),
    };
    let among = habit.among.filter(|_| !habit.exact).map_or_else(String::new, |among| format!(" among the newest {among} in the log"));
    match habit.count {
        0 if habit.verdict == Verdict::Unknown && among.is_empty() => format!("{what}: not found in the time there was"),
        0 => format!("{what}: never{among}"),
        count => format!("{what}: {}{among}, first {}, last {}", counted(count, habit.exact, "time"), day(habit.first), day(habit.last)),
    }
}

/// The answer in words.
fn sentence(event: &Event, verdict: Verdict, identity: Option<&History>, peers: Option<&History>, covered: &Covered) -> String {
    let mut says = match (verdict, identity) {
        (_, None) => "The event names nobody who did it, so there is nothing to compare it with.".to_owned(),
        (_, Some(History { of, events: 0, exact: true, .. })) => {
            format!("Never before: nothing that {of} is known to have done before this is in the log.")
        }
        (verdict, Some(history)) => {
            let word = match verdict {
                Verdict::Routine => "Routine",
                Verdict::Seldom => "Seldom",
                Verdict::New => "New, only since a day or less",
                Verdict::NeverBefore => "Never before",
                Verdict::Unknown => "Unknown",
            };
            let phrases: Vec<_> = history.habits.iter().map(phrase).collect();
            format!("{word} for {}. {}.", history.of, phrases.join("; "))
        }
    };
    if let (Some(peers), Some(action)) = (peers, &event.line.action) {
        let others = match peers.identities {
            0 => format!(" Nobody else is known to have done {action} before."),
            1 => format!(" 1 other did {action} before, {}.", counted(peers.events, peers.exact, "time")),
            others => format!(" {others} others did {action} before, {}.", counted(peers.events, peers.exact, "time")),
        };
        says.push_str(&others);
    }
    if let Some(history) = identity {
        says.push_str(&format!(" This rests on {} since {}", counted(history.events, history.exact, "earlier event"), day(history.first)));
    } else {
        says.push_str(" This rests on the log");
    }
    let unread: u64 = covered.unreadable.iter().map(|gap| gap.end - gap.first).sum();
    says.push_str(&match (unread, covered.out_of_time) {
        (0, false) => ", and everything could be read.".to_owned(),
        (0, true) => ", and there was not the time to look at all.".to_owned(),
        (unread, late) => {
            let late = if late { ", and there was not the time to look at all" } else { "" };
            format!("; {unread} entries of the log could not be read{late}.")
        }
    });
    says
}

#[cfg(test)]
#[path = "routine/tests.rs"]
mod tests;
