//! A compiled map: what a kind of source is, ready to read records.

use crate::source::condition::Condition;
use crate::source::emit::{Candidate, Leaf, Out};
use crate::source::evaluate::{Context, Reading};
use crate::source::expression::{Expression, Path};
use crate::source::glob::{Glob, GlobSet};
use crate::source::inner::{auditd, jwt, key_value, syslog, xml};
use crate::source::lazy_regex::LazyRegex;
use crate::source::places::{Places, Read};
use crate::source::spec::OneOrMany;
use crate::source::tree_rules::TreeRules;

/// How bytes become members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the decoder of that name in docs/SOURCES.md")]
pub enum Decoder {
    Json,
    Xml,
    Syslog,
    Auditd,
    KeyValue,
    Jwt,
    Sections,
    Text,
}

impl Decoder {
    /// The decoder of that name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Some(match name {
            "json" => Self::Json,
            "xml" => Self::Xml,
            "syslog" => Self::Syslog,
            "auditd" => Self::Auditd,
            "keyvalue" | "logfmt" => Self::KeyValue,
            "jwt" => Self::Jwt,
            "sections" => Self::Sections,
            "text" => Self::Text,
            _ => return None,
        })
    }

    /// The record as JSON; `None` when it is not of this form. JSON itself is taken as it is.
    #[must_use]
    pub fn decode(self, text: &str) -> Option<String> {
        match self {
            Self::Json => None,
            Self::Xml => xml::decode(text),
            Self::Syslog => syslog::decode(text),
            Self::Auditd => auditd::decode(text),
            Self::KeyValue => key_value::decode(text),
            Self::Jwt => jwt::decode(text),
            Self::Sections => crate::source::inner::sections::decode(text).filter(|_| text.contains("EventCode=")),
            Self::Text => {
                let mut out = crate::source::inner::ObjectWriter::new();
                out.text("message", text);
                Some(out.finish())
            }
        }
    }
}

/// Which actions something is about; all, when there are none.
#[derive(Debug, Clone, Default)]
pub struct Actions(GlobSet);

impl Actions {
    /// Reads `action`.
    #[must_use]
    pub fn new(actions: &OneOrMany<String>) -> Self {
        Self(GlobSet::new(actions.as_slice().iter().map(|action| (Glob::new(action), 0))))
    }

    /// Whether it is about this one.
    #[inline]
    #[must_use]
    pub fn matches(&self, action: Option<&str>) -> bool {
        self.0.is_empty() || action.is_some_and(|action| self.0.matches(action))
    }
}

/// `[record]`.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "as in the map")]
pub struct RecordExpressions {
    pub action: Vec<Expression>,
    pub id: Vec<Expression>,
    pub time: Vec<Expression>,
    pub sequence: Vec<Expression>,
    pub sequence_of: Vec<Expression>,
}

/// `[[pattern]]`.
#[derive(Debug, Clone)]
pub struct Pattern {
    /// When it is tried.
    pub when: Condition,
    /// On what: positions in [`Patterns::texts`].
    pub on: Vec<usize>,
    /// With what.
    pub regex: LazyRegex,
    /// Further members of `p`.
    pub set: Vec<(String, String)>,
}

/// All patterns of a map.
#[derive(Debug, Clone)]
pub struct Patterns {
    /// What they are tried on: most on the same, which is found once.
    pub texts: Vec<Expression>,
    /// In the order in which they are tried.
    pub list: Vec<Pattern>,
}

/// The constant beginning of an event.
#[derive(Debug, Clone)]
pub struct Header {
    /// `activity_id`.
    pub activity: i64,
    /// `activity_name`.
    pub name: String,
    /// An open object with class, category, activity and type.
    pub json: Vec<u8>,
}

/// Which activity.
#[derive(Debug, Clone)]
pub struct Activity {
    /// The value that says.
    pub from: Vec<Expression>,
    /// What it says: number of a [`Header`].
    pub map: GlobSet,
    /// Else.
    pub default: usize,
}

/// `[identity]`.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs, reason = "as in the map")]
pub struct Identity {
    pub actor: Vec<Expression>,
    pub target: Vec<Expression>,
}

/// Attributes of a user object that make an identity.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs, reason = "as in OCSF")]
pub struct Person {
    pub email_addr: Option<Leaf>,
    pub name: Option<Leaf>,
    pub domain: Option<Leaf>,
    pub uid: Option<Leaf>,
}

impl Person {
    /// Those that the map fills.
    pub fn filled(&self) -> impl Iterator<Item = &Leaf> {
        [&self.email_addr, &self.name, &self.domain, &self.uid].into_iter().flatten()
    }

    /// Those that the map fills, to be changed.
    pub fn leaves(&mut self) -> impl Iterator<Item = &mut Leaf> {
        [&mut self.email_addr, &mut self.name, &mut self.domain, &mut self.uid].into_iter().flatten()
    }
}

/// `[[class]]` with everything that fills it.
#[derive(Debug, Clone)]
pub struct ClassProgram {
    /// Name of the class.
    pub class: String,
    /// Conditions beside the action.
    pub when: Condition,
    /// A beginning for each activity.
    pub header: Vec<Header>,
    /// Which activity.
    pub activity: Activity,
    /// Severity unless a rule says otherwise.
    pub severity: Option<(i64, String)>,
    /// Everything else.
    pub tree: Vec<Out>,
    /// What the schema says of it.
    pub rules: TreeRules,
    /// Members of the record that are read.
    pub read: Read,
    /// The same, and the texts that patterns are tried on: they are read when one matched.
    pub read_with_text: Read,
    /// Who did it, for its identity.
    pub actor: Person,
    /// To whom it was done.
    pub user: Person,
    /// Identities of this class.
    pub identity: Identity,
}

impl ClassProgram {
    /// A class that says nothing.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            class: String::new(),
            when: Condition::default(),
            header: Vec::new(),
            activity: Activity { from: Vec::new(), map: GlobSet::default(), default: 0 },
            severity: None,
            tree: Vec::new(),
            rules: TreeRules::default(),
            read: Read::default(),
            read_with_text: Read::default(),
            actor: Person::default(),
            user: Person::default(),
            identity: Identity::default(),
        }
    }
}

/// `[[outcome]]`.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "as in the map")]
pub struct Outcome {
    pub actions: Actions,
    pub when: Condition,
    pub status: (i64, String),
}

/// `[[severity]]`.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "as in the map")]
pub struct Severity {
    pub actions: Actions,
    pub when: Condition,
    pub number: (i64, String),
}

/// `[[overlay]]`.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "as in the map")]
pub struct Overlay {
    pub actions: Actions,
    pub when: Condition,
    pub identity: Identity,
}

/// Which classes an action may lead to, by their numbers.
#[derive(Debug, Clone, Default)]
pub struct Dispatch {
    /// Exact actions.
    pub exact: GlobSet,
    /// Classes about actions with `*`, or about all (none given), in the map's order.
    pub others: Vec<(usize, Vec<Glob>)>,
}

/// A kind of source.
#[derive(Debug, Clone)]
pub struct Kind {
    /// Its name.
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// Version of its map.
    pub version: u32,
    /// `metadata.product`, as JSON.
    pub product: Vec<u8>,
    /// The product's name.
    pub product_name: String,
    /// Records are OCSF already.
    pub passthrough: bool,
    /// Decoders in the order they are tried.
    pub decoders: Vec<Decoder>,
    /// How members are read.
    pub reading: Reading,
    /// Certainty and when.
    pub recognise: Vec<(u8, Condition)>,
    /// Wrappers: when, and where the records are.
    pub unwraps: Vec<(Condition, Path)>,
    /// Objects whose members stand for the record's own.
    pub root: Vec<Expression>,
    /// What every record has.
    pub record: RecordExpressions,
    /// Text records.
    pub patterns: Patterns,
    /// Actions → classes: exact ones, and the rest in order.
    pub dispatch: Dispatch,
    /// Classes; the last is the default.
    pub classes: Vec<ClassProgram>,
    /// Outcomes.
    pub outcomes: Vec<Outcome>,
    /// Severities.
    pub severities: Vec<Severity>,
    /// Overlays.
    pub overlays: Vec<Overlay>,
    /// Identities.
    pub identity: Identity,
    /// Places that expressions ask for.
    pub places: Places,
    /// How many there are.
    pub place_count: usize,
    /// Some path begins with `$`.
    pub names_the_record: bool,
}

impl Kind {
    /// Shows every path that starts from the record to `found`, which may resolve it.
    pub fn paths(&mut self, found: &mut dyn FnMut(&mut Path)) {
        let mut names_the_record = false;
        let mut each = |path: &mut Path| {
            names_the_record |= path.names_the_record();
            found(path);
        };
        let record = &mut self.record;
        let record = [&mut record.action, &mut record.id, &mut record.time, &mut record.sequence, &mut record.sequence_of, &mut self.root];
        record.into_iter().flatten().for_each(|expression| expression.paths_mut(&mut each));
        for (_, when) in &mut self.recognise {
            when.expressions().for_each(|expression| expression.paths_mut(&mut each));
        }
        self.patterns.texts.iter_mut().for_each(|expression| expression.paths_mut(&mut each));
        for pattern in &mut self.patterns.list {
            pattern.when.expressions().for_each(|expression| expression.paths_mut(&mut each));
        }
        let identity = |identity: &mut Identity, each: &mut dyn FnMut(&mut Path)| {
            identity.actor.iter_mut().chain(&mut identity.target).for_each(|expression| expression.paths_mut(each));
        };
        for class in &mut self.classes {
            class.when.expressions().chain(&mut class.activity.from).for_each(|expression| expression.paths_mut(&mut each));
            class.tree.iter_mut().chain(&mut class.rules.metadata).for_each(|out| tree_paths(out, &mut each));
            let leaves = [&mut class.actor, &mut class.user].into_iter().flat_map(Person::leaves);
            leaves.flat_map(|leaf| &mut leaf.from).for_each(|candidate| candidate.expression.paths_mut(&mut each));
            identity(&mut class.identity, &mut each);
        }
        for outcome in &mut self.outcomes {
            outcome.when.expressions().for_each(|expression| expression.paths_mut(&mut each));
        }
        for severity in &mut self.severities {
            severity.when.expressions().for_each(|expression| expression.paths_mut(&mut each));
        }
        for overlay in &mut self.overlays {
            overlay.when.expressions().for_each(|expression| expression.paths_mut(&mut each));
            identity(&mut overlay.identity, &mut each);
        }
        identity(&mut self.identity, &mut each);
        self.names_the_record = names_the_record;
    }

    /// The paths have been resolved: what each candidate needs is known from here on.
    pub fn settle(&mut self) {
        for class in &mut self.classes {
            class.tree.iter_mut().for_each(Out::settle);
            class.rules.metadata.iter_mut().for_each(Out::settle);
            class.rules.needs = class.tree.iter().map(Out::needs).collect();
            for leaf in [&mut class.actor, &mut class.user].into_iter().flat_map(Person::leaves) {
                leaf.from.iter_mut().for_each(Candidate::settle);
            }
        }
    }

    /// Shows every expression that may look into a table.
    pub fn expressions(&self, found: &mut dyn FnMut(&Expression)) {
        let record = [&self.record.action, &self.record.id, &self.record.time, &self.record.sequence, &self.record.sequence_of];
        record.into_iter().flatten().for_each(&mut *found);
        for identity in self.classes.iter().map(|class| &class.identity).chain([&self.identity]) {
            identity.actor.iter().chain(&identity.target).for_each(&mut *found);
        }
        for class in &self.classes {
            class.activity.from.iter().for_each(&mut *found);
            class.tree.iter().chain(&class.rules.metadata).for_each(|out| tree_expressions(out, found));
        }
    }

    /// Whether the record is of this kind; yes when nothing says how it is recognised.
    #[must_use]
    pub fn recognises<'t>(&'t self, context: &Context<'t>) -> bool {
        self.recognise.is_empty() || self.recognise.iter().any(|(_, when)| when.holds(context))
    }

    /// The certainty with which the record is of this kind; 0 when it is not.
    #[must_use]
    pub fn certainty<'t>(&'t self, context: &Context<'t>) -> u8 {
        let holding = self.recognise.iter().filter(|(_, when)| when.holds(context));
        holding.map(|(certainty, _)| *certainty).max().unwrap_or(0)
    }

    /// The first class that fits, and the default if none does.
    #[must_use]
    pub fn class<'t>(&'t self, action: Option<&str>, context: &Context<'t>) -> Option<&'t ClassProgram> {
        let Dispatch { exact, others } = &self.dispatch;
        let (mut exact, mut others) = (exact.words(action.unwrap_or_default()).peekable(), others.iter().peekable());
        loop {
            // Both lists are in the map's order: the earlier class is asked first.
            let next_exact = exact.peek().copied();
            let next_other = others.peek().map(|(nth, _)| *nth);
            let (nth, about) = match (next_exact, next_other) {
                (None, None) => return self.classes.last(),
                (Some(nth), other) if other.is_none_or(|other| nth <= other) => {
                    exact.next();
                    (nth, true)
                }
                _ => {
                    let Some((nth, globs)) = others.next() else { return self.classes.last() };
                    let about = globs.is_empty() || action.is_some_and(|action| globs.iter().any(|glob| glob.matches(action)));
                    (*nth, about)
                }
            };
            if about && let Some(class) = self.classes.get(nth).filter(|class| class.when.holds(context)) {
                return Some(class);
            }
        }
    }
}

fn tree_paths(out: &mut Out, each: &mut dyn FnMut(&mut Path)) {
    match out {
        Out::Leaf(leaf) => leaf.from.iter_mut().for_each(|candidate| candidate.expression.paths_mut(each)),
        Out::Object(object) => object.children.iter_mut().for_each(|child| tree_paths(child, each)),
        Out::Items { objects, .. } => objects.iter_mut().flat_map(|object| &mut object.children).for_each(|child| tree_paths(child, each)),
        // Paths inside `each` start from an element.
        Out::Each { paths, .. } => paths.iter_mut().for_each(each),
    }
}

fn tree_expressions(out: &Out, found: &mut dyn FnMut(&Expression)) {
    match out {
        Out::Leaf(leaf) => leaf.from.iter().for_each(|Candidate { expression, .. }| found(expression)),
        Out::Object(object) | Out::Each { object, .. } => object.children.iter().for_each(|child| tree_expressions(child, found)),
        Out::Items { objects, .. } => objects.iter().flat_map(|object| &object.children).for_each(|child| tree_expressions(child, found)),
    }
}
