//! The tree of what explains a gain. It grows level by level, so that what is nearest to the question has its place
//! before what is far, and is told branch by branch.
//!
//! INVARIANT: each event is explained once. So the tree ends whatever the grants are, cycles included; its depth,
//! breadth and size are bounded besides.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use crate::investigate::deed::Deed;
use crate::investigate::how::{Gains, Holder, Kind, Question, joined};
use crate::investigate::line::Line;

/// Givers behind givers.
pub const DEPTH_MAX: usize = 12;
/// Gains of one kind shown of one holder: thirty groups must not hide a password that somebody else set.
pub const KIND_MAX: usize = 2;
/// Events in one answer.
pub const STEPS_MAX: usize = 64;

/// One event of the tree.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    /// How deep it stands: 0 gave the privilege itself, 1 explains that.
    pub depth: usize,
    /// Whose gain it is.
    pub holder: Holder,
    /// The event.
    pub event: Line,
    /// It stands elsewhere in the tree with what explains it, which is not repeated.
    pub again: bool,
}

/// Where a branch ends.
#[derive(Clone, Debug, Serialize)]
pub struct Root {
    /// Behind which step, by its place in the list.
    pub behind: usize,
    /// Who.
    pub holder: Holder,
    /// Why it ends.
    pub why: Ended,
}

/// Why a branch ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// The trail shows nothing that was given to it before.
    NothingBefore,
    /// The event does not say who.
    NobodyNamed,
    /// There is more than an answer shows.
    Bounded,
}

/// The tree, in the order of reading.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Tree {
    /// What explains a step stands behind it, one deeper.
    pub steps: Vec<Step>,
    /// The ends of the branches.
    pub roots: Vec<Root>,
    /// Gains were left out for their number.
    pub more: bool,
}

/// Answers questions, each in its place.
pub type Lookup<'l, E> = dyn FnMut(&[Question]) -> Result<Vec<Gains>, E> + 'l;

/// The tree of what explains these gains of a holder.
///
/// # Errors
/// Those of `lookup`.
pub fn tree<E>(holder: &Holder, gains: Gains, lookup: &mut Lookup<'_, E>) -> Result<Tree, E> {
    let mut growing = Growing::default();
    growing.add(None, holder, gains);
    for depth in 1.. {
        let level = std::mem::take(&mut growing.due);
        if level.is_empty() {
            break;
        }
        let (steps, questions): (Vec<_>, Vec<_>) = level.into_iter().flat_map(|step| growing.questions(step, depth)).unzip();
        for ((step, question), gains) in steps.into_iter().zip(&questions).zip(lookup(&questions)?) {
            growing.answer(step, question, gains);
        }
    }
    Ok(growing.told())
}

#[derive(Default)]
struct Growing {
    /// In the order in which they were found.
    steps: Vec<Step>,
    /// What stands below a step, by its number; below none, the gains that were asked about.
    below: HashMap<Option<usize>, Vec<usize>>,
    ends: HashMap<usize, (Holder, Ended)>,
    /// Events in the tree, by index.
    shown: HashSet<u64>,
    /// The deepest steps, which are not explained yet.
    due: Vec<usize>,
    more: bool,
}

impl Growing {
    fn is_full(&self) -> bool {
        self.steps.len() >= STEPS_MAX
    }

    fn add(&mut self, above: Option<usize>, holder: &Holder, gains: Gains) {
        self.more |= gains.more;
        let depth = above.and_then(|above| self.steps.get(above)).map_or(0, |above| above.depth + 1);
        let mut of_kind = HashMap::<Kind, usize>::new();
        for event in gains.lines {
            let beside = self.below.get(&above).into_iter().flatten();
            if beside.filter_map(|step| self.steps.get(*step)).any(|step| step.event.index == event.index) {
                // Whoever opened the session may be the giver, too.
                continue;
            }
            let shown = of_kind.entry(Kind::of(&event)).or_default();
            if *shown == KIND_MAX || self.is_full() {
                self.more = true;
                continue;
            }
            *shown += 1;
            let (step, again) = (self.steps.len(), !self.shown.insert(event.index));
            self.below.entry(above).or_default().push(step);
            self.steps.push(Step { depth, holder: holder.clone(), event, again });
            if !again {
                self.due.push(step);
            }
        }
    }

    /// What explains a step, one deeper: who opened the session it was done in, what its giver had gained, and what
    /// stands behind the name that was given, a group that was joined or a role that was taken on.
    fn questions(&mut self, step: usize, depth: usize) -> Vec<(usize, Question)> {
        let Some(Step { event, .. }) = self.steps.get(step).cloned() else { return Vec::new() };
        let Some(giver) = event.actor.clone().map(Holder::Identity) else {
            let holder = Holder::Identity(event.target.unwrap_or_default());
            self.ends.insert(step, (holder, Ended::NobodyNamed));
            return Vec::new();
        };
        if depth >= DEPTH_MAX || self.is_full() {
            self.ends.insert(step, (giver, Ended::Bounded));
            return Vec::new();
        }
        let beside = match event.deed {
            Deed::Gained => joined(&event).map(Holder::Group),
            Deed::Assumed => event.target.clone().map(Holder::Identity).filter(|role| *role != giver),
            _ => None,
        };
        let session = event.acted_in.clone().map(Holder::Session);
        let of = session.into_iter().chain(beside).chain([giver]);
        of.map(|holder| (step, Question { holder, event: Some(event.clone()) })).collect()
    }

    fn answer(&mut self, step: usize, question: &Question, gains: Gains) {
        let end = match (gains.lines.is_empty(), gains.more, self.is_full()) {
            (true, false, _) => Some(Ended::NothingBefore),
            (true, true, _) | (false, _, true) => Some(Ended::Bounded),
            (false, _, false) => None,
        };
        let giver = question.event.as_ref().and_then(|event| event.actor.as_ref());
        let is_giver = matches!(&question.holder, Holder::Identity(of) if Some(of) == giver);
        let below = self.below.get(&Some(step)).into_iter().flatten().filter_map(|step| self.steps.get(*step));
        // Of a session that somebody opened it is known who acted.
        let is_known = end == Some(Ended::NothingBefore) && below.into_iter().any(|below| matches!(below.holder, Holder::Session(_)));
        if let Some(why) = end.filter(|_| is_giver && !is_known) {
            self.ends.insert(step, (question.holder.clone(), why));
        }
        let is_role = !is_giver && matches!(question.holder, Holder::Identity(_));
        // That somebody else took the role on before says nothing of what it may do.
        let lines = gains.lines.into_iter().filter(|line| !is_role || line.deed != Deed::Assumed).collect();
        self.add(Some(step), &question.holder, Gains { lines, more: gains.more });
    }

    /// Branch by branch.
    fn told(mut self) -> Tree {
        let mut tree = Tree { more: self.more, ..Tree::default() };
        let mut due = self.below.remove(&None).unwrap_or_default();
        due.reverse();
        while let Some(number) = due.pop() {
            if let Some((holder, why)) = self.ends.remove(&number) {
                tree.roots.push(Root { behind: tree.steps.len(), holder, why });
            }
            tree.steps.extend(self.steps.get(number).cloned());
            due.extend(self.below.remove(&Some(number)).unwrap_or_default().into_iter().rev());
        }
        tree
    }
}

#[cfg(test)]
#[path = "tree/tests.rs"]
mod tests;
