//! How an identity came by a privilege: who gave it, who had given the giver theirs, and so on, until somebody to
//! whom the trail shows nothing given.
//!
//! ```text
//! holder ◄─ gain (who gave it) ◄─ what the giver had gained before ◄─ …
//!            ├ done in a session ◄─ who opened it
//!            ├ a group joined  ◄─ what the group was given before
//!            └ a role taken on ◄─ what the role was given before
//! ```
//! No source says which of a giver's privileges allowed the gift, so of each kind of gain the giver's newest before
//! it are shown. The tree itself: [`Tree`].

mod tree;

use std::cmp::Reverse;
use std::collections::HashSet;

use serde::Serialize;

use crate::investigate::condition::{all, any, at, before, is, not, not_failed};
use crate::investigate::deed::{Deed, line_of};
use crate::investigate::inquiry::{Covered, Inquiry};
use crate::investigate::line::Line;
use crate::investigate::moment::Moment;
use crate::investigate::session::Session;
use crate::search::ask::SearchError;
use crate::search::field::Name;
use crate::search::{Order, Query};

pub use tree::{DEPTH_MAX, Ended, KIND_MAX, Root, STEPS_MAX, Step, Tree};

/// Gains of each holder that are read, and sorted by time.
const GAINS_READ: usize = 500;
/// Groups of an identity that are asked what they were given, to find a privilege by its name.
const GROUPS_MAX: usize = 20;
/// What the coarser sources (CloudTrail among them) write times in, ms.
const COARSE_MS: i64 = 1_000;

/// Who holds a privilege.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Holder {
    /// A person, a workload, a role.
    Identity(String),
    /// Whoever is in the group.
    Group(Group),
    /// Whoever acts in the session, whatever it is called.
    Session(Session),
}

/// A group of one source: that of the same name in another is another.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Group {
    /// Name of the source.
    pub source: Option<String>,
    /// Its name, or what the source calls it by.
    pub name: String,
}

/// What a holder gained before an event, or ever.
#[derive(Clone, Debug)]
pub struct Question {
    /// Who.
    pub holder: Holder,
    /// Before what.
    pub event: Option<Line>,
}

/// The answer to that.
#[derive(Clone, Debug, Default)]
pub struct Gains {
    /// The most telling first: of each kind those that are known to have succeeded, and of these the newest.
    pub lines: Vec<Line>,
    /// Whether there may be more.
    pub more: bool,
}

impl Gains {
    /// Of lines in any order.
    #[must_use]
    pub fn of(mut lines: Vec<Line>, more: bool) -> Self {
        lines.sort_by_key(|line| (Kind::of(line), line.unsaid, Reverse(Moment::of(line))));
        Self { lines, more }
    }
}

/// What kind of gain: what lasts stands before what was taken on, and that before what lets somebody else in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A role, right, policy or application was given.
    Given,
    /// A group was joined.
    Joined,
    /// A role or another account was taken on.
    TakenOn,
    /// Somebody else set or took away what it proves itself with.
    Credential,
}

impl Kind {
    /// Of a line that is a gain.
    #[must_use]
    pub fn of(line: &Line) -> Self {
        match line.deed {
            Deed::Gained if joined(line).is_some() => Self::Joined,
            Deed::Gained => Self::Given,
            Deed::Assumed => Self::TakenOn,
            _ => Self::Credential,
        }
    }
}

/// The answer.
#[derive(Clone, Debug, Serialize)]
pub struct How {
    /// The one identity.
    pub identity: String,
    /// What it was asked about: part of the privilege's name.
    pub privilege: String,
    /// How it came by it; no steps, when the trail shows no such gain.
    #[serde(flatten)]
    pub tree: Tree,
    /// What the answer rests on.
    pub covered: Covered,
}

/// How an identity came by what is called like `privilege`.
///
/// # Errors
/// [`SearchError`].
pub fn how(inquiry: &mut Inquiry<'_>, name: &str, privilege: &str) -> Result<How, SearchError> {
    let identity = inquiry.resolved(name);
    let holder = Holder::Identity(identity.clone());
    let gained = gains(inquiry, &[Question { holder: holder.clone(), event: None }])?.pop().unwrap_or_default();
    let groups: HashSet<Group> = gained.lines.iter().filter(|line| !line.names(privilege)).filter_map(joined).take(GROUPS_MAX).collect();
    let groups: Vec<_> = groups.into_iter().map(|group| Question { holder: Holder::Group(group), event: None }).collect();
    let given = gains(inquiry, &groups)?;
    let named = groups.into_iter().zip(given).filter(|(_, given)| given.lines.iter().any(|line| line.names(privilege)));
    let named: HashSet<Holder> = named.map(|(group, _)| group.holder).collect();
    let fits = |line: &Line| line.names(privilege) || joined(line).is_some_and(|group| named.contains(&Holder::Group(group)));
    let gained = Gains { lines: gained.lines.into_iter().filter(fits).collect(), more: gained.more };
    let tree = tree::tree(&holder, gained, &mut |questions| gains(inquiry, questions))?;
    Ok(How { identity, privilege: privilege.to_owned(), tree, covered: inquiry.covered() })
}

/// How an identity came by whatever it gained by some of these lines.
///
/// # Errors
/// [`SearchError`].
pub fn reached(inquiry: &mut Inquiry<'_>, identity: &str, lines: &[Line]) -> Result<Tree, SearchError> {
    let holder = Holder::Identity(identity.to_owned());
    let gained = lines.iter().filter(|line| !line.failed && is_gain_of(&holder, line)).cloned().collect();
    tree::tree(&holder, Gains::of(gained, false), &mut |questions| gains(inquiry, questions))
}

/// The group that somebody joined.
fn joined(line: &Line) -> Option<Group> {
    let name = line.group.clone().filter(|_| line.deed == Deed::Gained && line.target.is_some())?;
    Some(Group { source: line.source.clone(), name })
}

/// The answers to some questions, found together: what no index covers yet is read once for all of them.
fn gains(inquiry: &mut Inquiry<'_>, questions: &[Question]) -> Result<Vec<Gains>, SearchError> {
    let holders: HashSet<&Holder> = questions.iter().map(|question| &question.holder).collect();
    let latest = questions.iter().map(|Question { event, .. }| event.as_ref().map_or(i64::MAX, |event| event.time_ms)).max();
    let Some(latest) = latest else { return Ok(Vec::new()) };
    let second_after = latest.div_euclid(COARSE_MS).saturating_add(1).saturating_mul(COARSE_MS);
    let query = all([gained_by(&holders), not_failed(), before(second_after)]);
    let mut lines = vec![Vec::new(); questions.len()];
    let whole = inquiry.walk(&query, Order::Newest, GAINS_READ.saturating_mul(holders.len()), &mut |document| {
        let line = Line::of(document);
        for (Question { holder, event }, lines) in questions.iter().zip(&mut lines) {
            if event.as_ref().is_none_or(|event| is_before(&line, event)) && is_gain_of(holder, &line) {
                lines.push(line.clone());
            }
        }
    })?;
    Ok(lines.into_iter().map(|lines| Gains::of(lines, !whole)).collect())
}

/// The condition of whatever some holders gained.
fn gained_by(holders: &HashSet<&Holder>) -> Query {
    let (mut given, mut taken_on, mut credentials) = (Vec::new(), Vec::new(), Vec::new());
    for holder in holders {
        match holder {
            Holder::Identity(of) => {
                given.push(is(Name::Target, of));
                taken_on.extend([is(Name::Target, of), is(Name::Actor, of)]);
                credentials.push(all([is(Name::Target, of), not(is(Name::Actor, of))]));
            }
            Holder::Group(Group { source, name }) => given.push(all([
                source.as_deref().map_or(Query::All, |source| is(Name::Source, source)),
                any([at(&["group", "name"], name), at(&["group", "uid"], name)]),
            ])),
            Holder::Session(session) => taken_on.push(session.may_be_opened()),
        }
    }
    let kinds = [(Deed::Gained, given), (Deed::Assumed, taken_on), (Deed::Credential, credentials)];
    any(kinds.into_iter().filter(|(_, of)| !of.is_empty()).map(|(deed, of)| all([any(of), line_of(deed)])))
}

/// Whether a gain was before what it may explain. One source writes ms and another whole seconds: between two of
/// them the order of the log decides within a second.
fn is_before(gain: &Line, event: &Line) -> bool {
    if gain.source == event.source {
        return Moment::of(gain) < Moment::of(event);
    }
    let coarse = |line: &Line| (line.time_ms.div_euclid(COARSE_MS), line.index);
    coarse(gain) < coarse(event)
}

fn is_gain_of(holder: &Holder, line: &Line) -> bool {
    let is = |name: &Option<String>, of: &str| name.as_deref() == Some(of);
    match (holder, line.deed) {
        (Holder::Group(of), Deed::Gained) => {
            let group = line.group.as_deref().is_some_and(|group| group.eq_ignore_ascii_case(&of.name));
            line.target.is_none() && line.source == of.source && group
        }
        (Holder::Session(of), Deed::Assumed) => line.opened.as_ref().is_some_and(|opened| opened.is(of)),
        (Holder::Identity(of), Deed::Gained) => is(&line.target, of),
        (Holder::Identity(of), Deed::Assumed) => is(&line.actor, of) || is(&line.target, of),
        (Holder::Identity(of), Deed::Credential) => is(&line.target, of) && !is(&line.actor, of),
        _ => false,
    }
}
