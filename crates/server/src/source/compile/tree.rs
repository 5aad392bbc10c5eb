//! The tree of attributes of one class, put together from a map's fields.

use std::collections::BTreeMap;

use crate::ocsf::schema::{Attribute, Class, SCHEMA};
use crate::source::compile::{MapError, expression, numbers_of, path_of, wrong};
use crate::source::emit::{Candidate, Form, Guard, Label, Leaf, Object, Out, prefix};
use crate::source::expression::Expression;
use crate::source::places::Read;
use crate::source::shape::Shape;
use crate::source::spec::{self, FieldSpec, Fields, MapSpec, OneOrMany};

/// The attribute at an OCSF path, with those on the way to it.
pub(super) fn resolve<'s>(attributes: &'s BTreeMap<String, Attribute>, path: &str) -> Option<Vec<(String, Option<usize>, &'s Attribute)>> {
    let (mut found, mut here) = (Vec::new(), Some(attributes));
    for part in path.split('.') {
        let (name, position) = match part.split_once('[') {
            Some((name, position)) => (name, Some(position.strip_suffix(']')?.parse().ok()?)),
            None => (part, None),
        };
        let attribute = here?.get(name)?;
        here = if attribute.is_object() { SCHEMA.object(&attribute.of).map(|object| &object.attributes) } else { None };
        found.push((name.to_owned(), position, attribute));
    }
    Some(found)
}

/// Why a field has no place in the tree.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum PlaceError {
    /// On the way to it lies a value.
    #[error("`{0}` is not an object")]
    NotAnObject(String),
    /// An element is asked for of what is none.
    #[error("`{0}` is not an array")]
    NotAnArray(String),
    /// Too far behind in an array.
    #[error("`{name}[{nth}]`: at most {ELEMENTS_MAX} elements are given one by one; use `each`")]
    TooManyElements {
        /// The array.
        name: String,
        /// The element asked for.
        nth: usize,
    },
    /// The array is filled as a whole.
    #[error("`{0}` is filled by `each` already")]
    FilledByEach(String),
    /// An object as a whole.
    #[error("`{0}` is an object: name one of its attributes")]
    WholeObject(String),
    /// No name at all.
    #[error("an empty path")]
    EmptyPath,
}

/// Elements of an array that are given one by one: evidence has two or three.
const ELEMENTS_MAX: usize = 16;

pub(super) struct TreeBuilder<'b> {
    pub class: &'static Class,
    pub at: &'b str,
    pub roots: Vec<Out>,
    pub read: Read,
}

/// Attributes that the engine itself writes.
const OWN: [&str; 7] = ["activity_id", "category_uid", "class_uid", "type_uid", "time", "unmapped", "observables"];

impl TreeBuilder<'_> {
    pub fn reads(&mut self, expression: &Expression) {
        let mut paths = Vec::new();
        expression.paths(&mut paths);
        paths.into_iter().for_each(|path| self.read.add(path));
    }

    /// What conditions, activities and identities ask for has been understood as well.
    pub fn reads_beside(&mut self, spec: &MapSpec, class: &spec::ClassSpec) -> Result<(), MapError> {
        let conditions = spec.outcome.iter().map(|outcome| &outcome.when).chain(spec.severity.iter().map(|severity| &severity.when));
        let conditions = conditions.chain(spec.overlay.iter().map(|overlay| &overlay.when)).chain([&class.when]);
        let tested = conditions.flat_map(OneOrMany::as_slice).flat_map(BTreeMap::keys);
        let identities = spec.overlay.iter().map(|overlay| &overlay.identity).chain([&class.identity, &spec.identity]);
        let named = identities.flat_map(|identity| identity.actor.as_slice().iter().chain(identity.target.as_slice()));
        let chosen = match &class.activity {
            spec::Activity::Chosen(chosen) => chosen.from.as_slice(),
            spec::Activity::Fixed(_) => &[],
        };
        for text in tested.chain(named).chain(chosen).chain(spec.root.as_slice()) {
            let expression = expression(self.at, text)?;
            self.reads(&expression);
        }
        // The copy that `$` names is the record once more.
        self.read.add(&path_of(self.at, "$")?);
        Ok(())
    }

    pub fn fields(&mut self, fields: &Fields, guard: Guard, own: bool) -> Result<(), MapError> {
        for (path, field) in fields {
            if OWN.contains(&path.as_str()) {
                return Err(wrong(self.at, format!("`{path}` is written by the engine; it cannot be mapped")));
            }
            match field {
                FieldSpec::Expressions(texts) => {
                    for text in texts.as_slice() {
                        let candidate = Candidate::new(guard, expression(&format!("{} {path}", self.at), text)?);
                        self.candidate(path, candidate, own)?;
                    }
                }
                FieldSpec::Each(each) => self.each(path, each, own)?,
            }
        }
        Ok(())
    }

    pub fn candidate(&mut self, path: &str, candidate: Candidate, own: bool) -> Result<(), MapError> {
        let Some(resolved) = resolve(&self.class.attributes, path) else {
            return if own { Err(wrong(self.at, format!("the class {} has no attribute `{path}`", self.class.caption))) } else { Ok(()) };
        };
        self.reads(&candidate.expression);
        place(&mut self.roots, &resolved, path, candidate, false).map_err(|why| wrong(format!("{} {path}", self.at), why.to_string()))
    }

    fn each(&mut self, path: &str, each: &spec::EachSpec, own: bool) -> Result<(), MapError> {
        let Some(resolved) = resolve(&self.class.attributes, path) else {
            return if own { Err(wrong(self.at, format!("the class {} has no attribute `{path}`", self.class.caption))) } else { Ok(()) };
        };
        let at = format!("{} {path}", self.at);
        let (Some((name, None, attribute)), Some((_, around))) = (resolved.last(), resolved.split_last()) else {
            return Err(wrong(at, "`each` fills a whole array"));
        };
        let object_type = SCHEMA.object(&attribute.of).filter(|_| attribute.is_array() && attribute.is_object());
        let object_type = object_type.ok_or_else(|| wrong(&at, "`each` fills arrays of objects only"))?;
        let mut paths = Vec::new();
        for text in each.each.as_slice() {
            let path = path_of(&at, text)?;
            self.read.add(&path);
            paths.push(path);
        }
        let mut object = object_of(name, attribute);
        for (inner, field) in &each.fields {
            let FieldSpec::Expressions(texts) = field else { return Err(wrong(&at, "`each` cannot stand in `each`")) };
            let resolved = resolve(&object_type.attributes, inner)
                .ok_or_else(|| wrong(&at, format!("{} has no attribute `{inner}`", attribute.of)))?;
            for text in texts.as_slice() {
                let candidate = Candidate::new(Guard::Always, expression(&at, text)?);
                place(&mut object.children, &resolved, inner, candidate, true).map_err(|why| wrong(&at, why.to_string()))?;
            }
        }
        object.literals_count = false;
        let children = open(&mut self.roots, around).map_err(|why| wrong(&at, why.to_string()))?;
        if !children.iter().any(|child| child.name() == name) {
            children.push(Out::Each { label: Label::new(name), paths, object });
        }
        Ok(())
    }
}

fn object_of(name: &str, attribute: &Attribute) -> Object {
    let object = SCHEMA.object(&attribute.of);
    let required =
        object.into_iter().flat_map(|object| &object.attributes).filter(|(_, inner)| inner.is_required() && inner.profiles.is_empty());
    Object {
        label: Label::new(name),
        children: Vec::new(),
        roles: Vec::new(),
        at_least_one: object.map(|object| object.constraints.at_least_one.clone()).unwrap_or_default(),
        fill: required.filter_map(|(name, inner)| Some((name.clone(), filler(name, inner)?))).collect(),
        literals_count: true,
    }
}

/// What stands for a required attribute that the record does not tell.
fn filler(name: &str, attribute: &Attribute) -> Option<Vec<u8>> {
    if attribute.is_object() || attribute.is_array() {
        return None;
    }
    let mut out = prefix(name);
    match Shape::of(attribute) {
        Shape::Text => out.extend_from_slice(b"\"unknown\""),
        Shape::Json => out.extend_from_slice(b"{}"),
        Shape::Integer if attribute.numbers.contains_key("0") => out.push(b'0'),
        _ => return None,
    }
    Some(out)
}

/// The children of the objects on the way, made where they are not there yet.
fn open<'o>(mut here: &'o mut Vec<Out>, way: &[(String, Option<usize>, &Attribute)]) -> Result<&'o mut Vec<Out>, PlaceError> {
    for (name, position, attribute) in way {
        if !attribute.is_object() {
            return Err(PlaceError::NotAnObject(name.clone()));
        }
        let at = match here.iter().position(|child| child.name() == name) {
            Some(at) => at,
            None => {
                here.push(if attribute.is_array() {
                    Out::Items { label: Label::new(name), objects: Vec::new() }
                } else {
                    Out::Object(object_of(name, attribute))
                });
                here.len() - 1
            }
        };
        here = match (here.get_mut(at), position) {
            (Some(Out::Object(object)), None) => &mut object.children,
            (Some(Out::Items { objects, .. }), position) => {
                let nth = position.unwrap_or(0);
                let too_many = || PlaceError::TooManyElements { name: name.clone(), nth };
                if nth >= ELEMENTS_MAX {
                    return Err(too_many());
                }
                while objects.len() <= nth {
                    objects.push(Object { literals_count: false, ..object_of(name, attribute) });
                }
                &mut objects.get_mut(nth).ok_or_else(too_many)?.children
            }
            // A more special rule fills the array as a whole.
            (Some(Out::Each { object, .. }), _) => return Err(PlaceError::FilledByEach(object.label.name.clone())),
            _ => return Err(PlaceError::NotAnArray(name.clone())),
        };
    }
    Ok(here)
}

fn place(
    roots: &mut Vec<Out>,
    way: &[(String, Option<usize>, &Attribute)],
    path: &str,
    candidate: Candidate,
    relative: bool,
) -> Result<(), PlaceError> {
    let ((name, _, attribute), around) = way.split_last().ok_or(PlaceError::EmptyPath)?;
    if attribute.is_object() && attribute.of != "object" {
        return Err(PlaceError::WholeObject(path.to_owned()));
    }
    let children = match open(roots, around) {
        Ok(children) => children,
        // Overlays may fill an array that the shared fields fill with `each`, and win.
        Err(PlaceError::FilledByEach(_)) => return Ok(()),
        Err(why) => return Err(why),
    };
    if let Some(Out::Leaf(leaf)) = children.iter_mut().find(|child| child.name() == name) {
        leaf.from.push(candidate);
        return Ok(());
    }
    let observable = SCHEMA.types.get(&attribute.of).and_then(|scalar| scalar.observable);
    children.push(Out::Leaf(Leaf {
        path: path.to_owned(),
        label: Label::new(name),
        shape: Shape::of(attribute),
        form: form(attribute),
        observable: observable.filter(|_| !relative && OBSERVED.contains(&attribute.of.as_str())),
        from: vec![candidate],
        numbers: numbers_of(attribute),
        sibling: attribute.sibling.as_deref().map(prefix),
        words: words_of(attribute),
    }));
    Ok(())
}

fn form(attribute: &Attribute) -> Form {
    if !numbers_of(attribute).is_empty() {
        Form::Number
    } else if !words_of(attribute).is_empty() {
        Form::Word
    } else if attribute.is_array() {
        Form::Array
    } else {
        Form::Scalar
    }
}

/// Types whose values become observables: what an investigator looks for first.
const OBSERVED: [&str; 4] = ["ip_t", "email_t", "username_t", "hostname_t"];

/// The words of an enumeration of texts, such as HTTP methods; none of one of numbers.
fn words_of(attribute: &Attribute) -> Vec<String> {
    attribute.numbers.keys().filter(|key| key.parse::<i64>().is_err()).cloned().collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    fn builder() -> TreeBuilder<'static> {
        let class = SCHEMA.classes.values().find(|class| class.caption == "API Activity").unwrap();
        TreeBuilder { class, at: "[fields]", roots: Vec::new(), read: Read::default() }
    }

    fn put(builder: &mut TreeBuilder<'_>, path: &str) -> Result<(), String> {
        let candidate = Candidate::new(Guard::Always, expression("test", "a").unwrap());
        builder.candidate(path, candidate, true).map_err(|why| why.to_string())
    }

    #[test]
    fn a_field_without_a_place_is_refused_with_the_reason() {
        for (path, says) in [
            ("resources[16].name", "at most 16 elements"),
            ("actor", "is an object"),
            ("nothing", "has no attribute"),
            ("actor[1].user.name", "is not an array"),
        ] {
            let why = put(&mut builder(), path).unwrap_err();
            assert!(why.contains(says), "{path}: {why}");
        }
        put(&mut builder(), "resources[15].name").unwrap();
    }

    #[test]
    fn an_element_of_an_array_that_each_fills_is_left_to_it() {
        let mut builder = builder();
        let fields: Fields = toml::from_str("resources = { each = \"list\", fields = { name = \"name\" } }").unwrap();
        builder.fields(&fields, Guard::Always, true).unwrap();
        put(&mut builder, "resources[0].uid").unwrap();
        assert!(matches!(builder.roots.as_slice(), [Out::Each { object, .. }] if object.children.len() == 1));
    }
}
