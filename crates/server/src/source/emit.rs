//! The tree of OCSF attributes of a class, each with the expressions that may fill it.

use evidence::canonical_json::write_string;

use crate::source::evaluate::NOWHERE;
use crate::source::expression::{Expression, Path, Primary};
use crate::source::shape::Shape;

/// When a candidate counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// Always.
    Always,
    /// When this overlay holds.
    Overlay(usize),
    /// When this is the outcome.
    Outcome(usize),
}

/// An expression that may fill an attribute.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// When it counts.
    pub guard: Guard,
    /// The expression.
    pub expression: Expression,
    /// The place without which it gives nothing; [`NOWHERE`] when no single one decides.
    pub needs: u32,
    /// It gives just what stands at that place.
    pub is_place: bool,
}

impl Candidate {
    /// A candidate whose places are not known yet.
    #[must_use]
    pub fn new(guard: Guard, expression: Expression) -> Self {
        Self { guard, expression, needs: NOWHERE, is_place: false }
    }

    /// Its places have been found out: what it needs is known.
    pub fn settle(&mut self) {
        if let Primary::Path(path) = &self.expression.primary
            && let Some((place, taken)) = path.place
            && !path.may_be_captured()
        {
            self.needs = u32::try_from(place).unwrap_or(NOWHERE);
            self.is_place = taken == path.segments.len() && self.expression.functions.is_empty();
        }
    }
}

/// An attribute's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// As it is.
    pub name: String,
    /// `"name":`
    pub prefix: Vec<u8>,
}

impl Label {
    /// The label of that name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), prefix: prefix(name) }
    }
}

/// In which form an attribute holds what it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One value.
    Scalar,
    /// Several.
    Array,
    /// A number of an enumeration, with its caption beside it.
    Number,
    /// One of the words that the schema lists.
    Word,
}

/// An attribute that holds a value, or several.
#[derive(Debug, Clone)]
pub struct Leaf {
    /// OCSF path, for people.
    pub path: String,
    /// Its name.
    pub label: Label,
    /// What the value has to be.
    pub shape: Shape,
    /// In which form it holds it.
    pub form: Form,
    /// Observable type, if its values are observables.
    pub observable: Option<u16>,
    /// Where the value comes from, best first.
    pub from: Vec<Candidate>,
    /// Number → caption, when it is an enumeration, and `"sibling":`.
    pub numbers: Vec<(i64, String)>,
    /// `"sibling":`
    pub sibling: Option<Vec<u8>>,
    /// The only words it may hold, when the schema lists them.
    pub words: Vec<String>,
}

/// A part of the tree.
#[derive(Debug, Clone)]
pub enum Out {
    /// An attribute with a value.
    Leaf(Leaf),
    /// An attribute with an object.
    Object(Object),
    /// An attribute with objects, one for each element of the record's.
    Each {
        /// Its name.
        label: Label,
        /// Where the elements are; the first path that leads somewhere.
        paths: Vec<Path>,
        /// The object of one element.
        object: Object,
    },
    /// An attribute with objects given one by one.
    Items {
        /// Its name.
        label: Label,
        /// The objects.
        objects: Vec<Object>,
    },
}

/// An object's attributes.
#[derive(Debug, Clone)]
pub struct Object {
    /// Its name.
    pub label: Label,
    /// Its attributes.
    pub children: Vec<Out>,
    /// What each of them means for the object, in the same order.
    pub roles: Vec<Role>,
    /// One of these has to be there.
    pub at_least_one: Vec<String>,
    /// What is written when a required attribute is not there.
    pub fill: Vec<(String, Vec<u8>)>,
    /// It is written even when all it holds are literals.
    pub literals_count: bool,
}

/// What an attribute means for the object it stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// It is one of those of which one has to be there.
    pub one: bool,
    /// It alone is reason enough to write the object.
    pub counts: bool,
    /// The `fill` that it makes needless, as a bit.
    pub fills: u64,
    /// Places of which one has to be there for it to be written; none when that is not known.
    pub needs: Box<[u32]>,
}

impl Object {
    /// The fills of an object in which nothing stands yet, as bits.
    #[must_use]
    pub fn all_fills(&self) -> u64 {
        (0..self.fill.len()).map(fill_bit).sum()
    }

    /// All attributes are there, and their places are known: what they mean is worked out once.
    pub fn settle(&mut self) {
        self.children.iter_mut().for_each(Out::settle);
        let role = |child: &Out| Role {
            one: self.at_least_one.iter().any(|wanted| wanted == child.name()),
            counts: self.literals_count || !child.is_literal(),
            fills: self.fill.iter().position(|(wanted, _)| wanted == child.name()).map_or(0, fill_bit),
            needs: child.needs(),
        };
        self.roles = self.children.iter().map(role).collect();
    }
}

/// Objects of the schema require a handful of attributes.
fn fill_bit(nth: usize) -> u64 {
    1_u64.checked_shl(u32::try_from(nth).unwrap_or(u32::MAX)).unwrap_or(0)
}

/// `"name":`
#[must_use]
pub fn prefix(name: &str) -> Vec<u8> {
    let mut prefix = Vec::with_capacity(name.len() + 3);
    write_string(name, &mut prefix);
    prefix.push(b':');
    prefix
}

impl Out {
    /// Its attribute's name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Leaf(Leaf { label, .. }) | Self::Object(Object { label, .. }) | Self::Each { label, .. } | Self::Items { label, .. } => {
                &label.name
            }
        }
    }

    /// See [`Object::settle`].
    pub fn settle(&mut self) {
        match self {
            Self::Leaf(leaf) => leaf.from.iter_mut().for_each(Candidate::settle),
            Self::Object(object) | Self::Each { object, .. } => object.settle(),
            Self::Items { objects, .. } => objects.iter_mut().for_each(Object::settle),
        }
    }

    /// Places of which one has to be there for it to be written; none when that is not known.
    #[must_use]
    pub fn needs(&self) -> Box<[u32]> {
        let (mut places, mut known) = (Vec::new(), true);
        self.add_needs(&mut places, &mut known);
        places.sort_unstable();
        places.dedup();
        if known { places.into() } else { Box::default() }
    }

    fn add_needs(&self, places: &mut Vec<u32>, known: &mut bool) {
        let inside = |children: &[Out], places: &mut Vec<u32>, known: &mut bool| {
            children.iter().for_each(|child| child.add_needs(places, known));
        };
        match self {
            Self::Leaf(leaf) => {
                places.extend(leaf.from.iter().map(|candidate| candidate.needs));
                *known &= leaf.from.iter().all(|candidate| candidate.needs != NOWHERE);
            }
            Self::Object(object) => inside(&object.children, places, known),
            Self::Items { objects, .. } => objects.iter().for_each(|object| inside(&object.children, places, known)),
            Self::Each { .. } => *known = false,
        }
    }

    /// Only literals can fill it.
    fn is_literal(&self) -> bool {
        match self {
            Self::Leaf(leaf) => leaf.from.iter().all(|candidate| matches!(candidate.expression.primary, Primary::Literal(_))),
            Self::Object(object) => object.children.iter().all(Self::is_literal),
            Self::Each { .. } | Self::Items { .. } => false,
        }
    }

    /// Every leaf in it that stands for the record itself, not for an element of it.
    pub fn leaves<'o>(&'o self, found: &mut Vec<&'o Leaf>) {
        match self {
            Self::Leaf(leaf) => found.push(leaf),
            Self::Object(object) => object.children.iter().for_each(|child| child.leaves(found)),
            Self::Items { objects, .. } => objects.iter().flat_map(|object| &object.children).for_each(|child| child.leaves(found)),
            Self::Each { .. } => {}
        }
    }
}
