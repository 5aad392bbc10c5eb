//! What one identity did and what was done to it, in all sources, newest first.

use serde::Serialize;

use crate::investigate::condition::{all, any, is};
use crate::investigate::deed::Deed;
use crate::investigate::how::{Tree, reached};
use crate::investigate::inquiry::{Covered, Inquiry};
use crate::investigate::line::Line;
use crate::investigate::moment::{Moment, Seen};
use crate::search::Order;
use crate::search::ask::SearchError;
use crate::search::counts::Values;
use crate::search::field::Name;

/// Events looked at for one answer: about a second of reading, and ten megabytes of lines.
pub const EVENTS_MAX: usize = 10_000;
/// Lines about privileges; the summary counts all.
pub const PRIVILEGES_MAX: usize = 200;
/// Values shown of each field in a summary.
const VALUES_SHOWN: usize = 10;

/// What is asked.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// Who: the identity, or any of its names.
    pub identity: String,
    /// It happened then or later, as in a search line.
    pub since: Option<String>,
    /// It happened before, as in a search line.
    pub until: Option<String>,
    /// Lines behind this one.
    pub behind: Option<Moment>,
    /// Lines at most.
    pub lines: usize,
}

/// How often a value stands there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// The value.
    pub value: String,
    /// In so many events.
    pub count: u64,
}

/// The most frequent values of a field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Top {
    /// Distinct values there are.
    pub distinct: usize,
    /// Those that stand there most often.
    pub values: Vec<Counted>,
}

impl From<&Values> for Top {
    fn from(values: &Values) -> Self {
        let top = values.top(VALUES_SHOWN).into_iter().map(|(value, count)| Counted { value: value.to_owned(), count });
        Self { distinct: values.distinct(), values: top.collect() }
    }
}

/// So many of a deed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeedCount {
    /// What.
    pub deed: Deed,
    /// Done by the identity.
    pub did: u64,
    /// Done to it by others.
    pub done_to_it: u64,
    /// Of these, in vain.
    pub failed: u64,
    /// Of these, the ones of which the record does not say how they ended.
    pub unsaid: u64,
}

/// What stands above the lines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Events of the range.
    pub events: usize,
    /// Whether there are more: then only the newest in the log were looked at, and all counts are of those.
    pub more: bool,
    /// The first and the last of all.
    pub first: Option<Seen>,
    /// See `first`.
    pub last: Option<Seen>,
    /// By deed.
    pub deeds: Vec<DeedCount>,
    /// Of all events.
    pub sources: Top,
    /// Of what the identity did itself and succeeded in, like all below; see [`Line::is_telling`].
    pub sessions: Top,
    /// From where.
    pub addresses: Top,
    /// In which countries that is.
    pub countries: Top,
    /// With what.
    pub devices: Top,
}

/// The answer.
#[derive(Clone, Debug, Serialize)]
pub struct Timeline {
    /// The one identity.
    pub identity: String,
    /// Its further names.
    pub names: Vec<String>,
    /// What people call it.
    pub display: Option<String>,
    /// The search line of its events.
    pub query: String,
    /// What stands above the lines.
    pub summary: Summary,
    /// Of all its lines those by which it gained or lost privileges, newest first, whatever the limit.
    pub privileges: Vec<Line>,
    /// How it came by those that it gained in the range; not said again with the lines behind the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reached: Option<Tree>,
    /// All, newest first.
    pub lines: Vec<Line>,
    /// Where the lines go on, for `behind`.
    pub next: Option<String>,
    /// What the answer rests on.
    pub covered: Covered,
}

/// The lines of an identity.
///
/// # Errors
/// [`SearchError`].
pub fn timeline(inquiry: &mut Inquiry<'_>, asked: &Asked) -> Result<Timeline, SearchError> {
    let identity = inquiry.resolved(&asked.identity);
    let person = inquiry.log().directory.people().get(&identity).cloned().unwrap_or_default();
    let behind = asked.behind.unwrap_or(Moment::END);
    let times = [(Name::Since, &asked.since), (Name::Until, &asked.until)];
    let times = times.into_iter().filter_map(|(name, text)| text.as_deref().map(|text| is(name, text)));
    let query = all([any([is(Name::Actor, &identity), is(Name::Target, &identity)])].into_iter().chain(times).chain([behind.condition()]));
    let mut lines = Vec::new();
    let whole = inquiry.walk(&query, Order::Newest, EVENTS_MAX, &mut |document| {
        let line = Line::of(document);
        // A name in the record may be another's identity: what counts is who it was resolved to.
        let concerns = [&line.actor, &line.target].into_iter().flatten().any(|name| *name == identity);
        if concerns && Moment::of(&line) < behind {
            lines.push(line);
        }
    })?;
    lines.sort_by_key(|line| std::cmp::Reverse(Moment::of(line)));
    let mut summary = summary(&identity, &lines);
    summary.more = !whole;
    // The newest in the log need be neither the first nor the last that happened.
    if !whole && let Some((first, last)) = inquiry.ends(&query)? {
        (summary.first, summary.last) = (Some(first.into()), Some(last.into()));
    }
    let reached = match asked.behind {
        Some(_) => None,
        None => Some(reached(inquiry, &identity, &lines)?),
    };
    let privileges = lines.iter().filter(|line| touches_privileges(&identity, line)).take(PRIVILEGES_MAX).cloned().collect();
    let next = lines.get(asked.lines).and_then(|_| lines.get(asked.lines.checked_sub(1)?)).map(|last| Moment::of(last).to_string());
    lines.truncate(asked.lines);
    Ok(Timeline {
        identity,
        names: person.names.into_iter().collect(),
        display: person.display,
        query: query.to_string(),
        summary,
        privileges,
        reached,
        lines,
        next,
        covered: inquiry.covered(),
    })
}

/// Whether an identity gained or lost something by it, or may have.
fn touches_privileges(identity: &str, line: &Line) -> bool {
    let is_it = |name: &Option<String>| name.as_deref() == Some(identity);
    match line.deed {
        Deed::Gained | Deed::Lost => is_it(&line.target),
        Deed::Assumed => is_it(&line.actor),
        // What people do with their own password is no news.
        Deed::Credential => is_it(&line.target) && !is_it(&line.actor),
        _ => false,
    }
}

/// What stands above the lines, which are in order, newest first.
fn summary(identity: &str, lines: &[Line]) -> Summary {
    let seen = |line: Option<&Line>| line.map(|line| Moment::of(line).into());
    let mut deeds = std::collections::BTreeMap::<Deed, DeedCount>::new();
    let (mut sources, mut own) = (Values::default(), [Values::default(), Values::default(), Values::default(), Values::default()]);
    for line in lines {
        let did = line.actor.as_deref() == Some(identity);
        let count = deeds.entry(line.deed).or_insert(DeedCount { deed: line.deed, did: 0, done_to_it: 0, failed: 0, unsaid: 0 });
        count.did += u64::from(did);
        count.done_to_it += u64::from(!did);
        count.failed += u64::from(line.failed);
        count.unsaid += u64::from(line.unsaid);
        sources.add(line.source.as_deref().unwrap_or_default(), 1);
        if did && line.is_telling() {
            for (values, value) in own.iter_mut().zip([&line.session, &line.ip, &line.country, &line.device]) {
                value.iter().for_each(|value| values.add(value, 1));
            }
        }
    }
    let [sessions, addresses, countries, devices] = own.each_ref().map(Top::from);
    Summary {
        events: lines.len(),
        more: false,
        first: seen(lines.last()),
        last: seen(lines.first()),
        deeds: deeds.into_values().collect(),
        sources: (&sources).into(),
        sessions,
        addresses,
        countries,
        devices,
    }
}
